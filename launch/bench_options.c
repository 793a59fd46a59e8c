#include "launch/bench_options.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "framework/layer_args.h"

enum { DEFAULT_ROUNDS = 15, MAX_ROUNDS = 10000 };

rnn_bench_cfg rnn_bench_options_default(void)
{
    return (rnn_bench_cfg){.n_rounds = DEFAULT_ROUNDS};
}

/* A number from 1 to `max` at *text, which moves on behind it. */
static bool take_number(size_t *out, const char **text, size_t max)
{
    char *end;
    unsigned long long value;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    value = strtoull(*text, &end, 10);
    *text = end;
    *out = (size_t)value;
    return errno == 0 && value >= 1 && value <= max;
}

static rnn_status take_rounds(rnn_bench_cfg *cfg, const char *text)
{
    const char *at = text;

    if (!take_number(&cfg->n_rounds, &at, MAX_ROUNDS) || *at != '\0')
        return RNN_FAIL(RNN_ERR_USAGE, "--rounds: expected a number from 1 to %d, found \"%.40s\"",
                        MAX_ROUNDS, text);
    return RNN_OK;
}

static rnn_status take_cell(rnn_bench_cfg *cfg, const char *text)
{
    if (strcmp(text, "lstm") != 0 && strcmp(text, "gru") != 0 && strcmp(text, "rnn") != 0)
        return RNN_FAIL(RNN_ERR_USAGE, "--cell: expected lstm, gru or rnn, found \"%.40s\"", text);
    cfg->cell = text;
    return RNN_OK;
}

static rnn_status take_shape(rnn_bench_cfg *cfg, const char *text)
{
    rnn_bench_shape *s = &cfg->shape;
    size_t *numbers[] = {&s->seq_len, &s->batch_size, &s->n_in, &s->n_hid, &s->n_layers};
    const char *at = text;
    bool is_fine = true;

    for (size_t i = 0; is_fine && i < sizeof numbers / sizeof *numbers; i++) {
        is_fine = i == 0 || *at == ',';
        at += i > 0 && is_fine;
        is_fine = is_fine && take_number(numbers[i], &at, RNN_LAYER_MAX_SIZE);
    }
    if (!is_fine || *at != '\0')
        return RNN_FAIL(RNN_ERR_USAGE,
                        "--shape: expected five numbers from 1 to %d, as in 28,64,28,100,2 (steps, "
                        "batch, inputs, units, layers), found \"%.80s\"",
                        RNN_LAYER_MAX_SIZE, text);
    return RNN_OK;
}

rnn_status rnn_bench_options_take(rnn_bench_cfg *cfg, const char *option, const char *value)
{
    if (strcmp(option, "rounds") == 0)
        return take_rounds(cfg, value);
    if (strcmp(option, "cell") == 0)
        return take_cell(cfg, value);
    if (strcmp(option, "shape") == 0)
        return take_shape(cfg, value);
    cfg->json = true;
    return RNN_OK;
}
