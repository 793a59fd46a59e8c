#include "framework/show.h"

#include <inttypes.h>
#include <string.h>

#include "datasets/dataset.h"
#include "framework/config.h"
#include "framework/exchange.h"
#include "framework/layer_args.h"
#include "framework/data.h"
#include "kernels/digest.h"

enum { NAME_SIZE = 80, SHAPE_SIZE = 80, NUMBER_SIZE = 32 };

/* -- Parameters -------------------------------------------------------------------------------- */

/* 133810 as "133,810", whatever the locale. */
static const char *print_number(char text[NUMBER_SIZE], size_t number)
{
    char digits[NUMBER_SIZE];
    size_t n_digits = (size_t)snprintf(digits, sizeof digits, "%zu", number), length = 0;

    for (size_t i = 0; i < n_digits; i++) {
        if (i > 0 && (n_digits - i) % 3 == 0)
            text[length++] = ',';
        text[length++] = digits[i];
    }
    text[length] = '\0';
    return text;
}

static const char *print_name(char text[NAME_SIZE], const rnn_param *p)
{
    snprintf(text, NAME_SIZE, "%s.%s", p->group, p->name);
    return text;
}

static const char *print_param_shape(char text[SHAPE_SIZE], const rnn_param *p)
{
    if (p->n_dims == 2)
        snprintf(text, SHAPE_SIZE, "[%zu, %zu]", p->shape[0], p->shape[1]);
    else
        snprintf(text, SHAPE_SIZE, "[%zu]", p->shape[0]);
    return text;
}

static void widen(int *width, const char *text)
{
    if ((int)strlen(text) > *width)
        *width = (int)strlen(text);
}

static void print_params(const rnn_model *model, FILE *out)
{
    char name[NAME_SIZE], shape[SHAPE_SIZE], number[NUMBER_SIZE];
    int name_width = (int)strlen("parameter"), shape_width = (int)strlen("shape");
    int count_width = (int)strlen("count");

    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        widen(&name_width, print_name(name, rnn_model_param(model, i)));
        widen(&shape_width, print_param_shape(shape, rnn_model_param(model, i)));
    }
    widen(&count_width, print_number(number, rnn_model_size(model)));
    fprintf(out, "%-*s  %-*s  %*s\n", name_width, "parameter", shape_width, "shape", count_width,
            "count");
    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);

        fprintf(out, "%-*s  %-*s  %*s\n", name_width, print_name(name, p), shape_width,
                print_param_shape(shape, p), count_width, print_number(number, p->count));
    }
    fprintf(out, "%-*s  %-*s  %*s\n", name_width, "total", shape_width, "", count_width,
            print_number(number, rnn_model_size(model)));
}

/* -- Input, output and states ------------------------------------------------------------------ */

static void print_line(FILE *out, const char *what, const char *names, const char *shape,
                       const char *remark)
{
    fprintf(out, "%-7s %-8s %s%s%s\n", what, names, shape, remark[0] != '\0' ? "  " : "", remark);
}

static void print_flow(FILE *out, const char *what, const char *name, const rnn_shape *flow,
                       bool batch_first)
{
    const char *order = flow->is_single ? "N" : batch_first ? "N, T" : "T, N";
    char shape[SHAPE_SIZE], remark[64] = "";

    if (flow->n_tokens > 0) {
        snprintf(shape, sizeof shape, "[%s]", order);
        snprintf(remark, sizeof remark, "tokens below %zu", flow->n_tokens);
    } else {
        snprintf(shape, sizeof shape, "[%s, %zu]", order, flow->n_features);
    }
    print_line(out, what, name, shape, remark);
}

/* States of cells have no dimension for layers and directions. */
static void print_state(const rnn_layer_cfg *cfg, int64_t n_features, char shape[SHAPE_SIZE])
{
    int64_t n_states = cfg->num_layers * (cfg->bidirectional ? 2 : 1);

    if (RNN_LAYER_CELLS & RNN_LAYER_BIT(cfg->type))
        snprintf(shape, SHAPE_SIZE, "[N, %" PRId64 "]", n_features);
    else
        snprintf(shape, SHAPE_SIZE, "[%" PRId64 ", N, %" PRId64 "]", n_states, n_features);
}

static void print_states(const rnn_model *model, size_t layer, FILE *out)
{
    const rnn_layer_cfg *cfg = rnn_model_layer(model, layer);
    char shape[SHAPE_SIZE], remark[64];

    snprintf(remark, sizeof remark, "of %zu_%s", layer, rnn_layer_type_name(cfg->type));
    print_state(cfg, cfg->proj_size > 0 ? cfg->proj_size : cfg->hidden_size, shape);
    print_line(out, "state", "h0, h_n", shape, remark);
    if (!(RNN_LAYER_LONG_SHORT & RNN_LAYER_BIT(cfg->type)))
        return;
    print_state(cfg, cfg->hidden_size, shape);
    print_line(out, "state", "c0, c_n", shape, remark);
}

static void print_tied(const rnn_model *model, size_t layer, FILE *out)
{
    char shape[SHAPE_SIZE], remark[64];

    snprintf(remark, sizeof remark, "of %zu_linear is that of 0_embedding", layer);
    print_line(out, "tied", "weight", print_param_shape(shape, rnn_model_param(model, 0)), remark);
}

static void show_model(const rnn_model *model, FILE *out)
{
    const rnn_shape input = rnn_model_input(model), output = rnn_model_output(model);

    print_params(model, out);
    fprintf(out, "\n");
    print_flow(out, "input", "x", &input, rnn_model_is_batch_first(model, false));
    print_flow(out, "output", "", &output, rnn_model_is_batch_first(model, true));
    for (size_t i = 0; i < rnn_model_n_layers(model); i++)
        if (rnn_layer_is_recurrent(rnn_model_layer(model, i)->type))
            print_states(model, i, out);
    for (size_t i = 0; i < rnn_model_n_layers(model); i++)
        if (rnn_model_layer(model, i)->tied)
            print_tied(model, i, out);
}

/* -- Where models come from -------------------------------------------------------------------- */

static rnn_status get_data_input(const char *path, const char *const *overrides, size_t n_overrides,
                                 rnn_shape *input)
{
    rnn_status st;
    rnn_config config;
    rnn_dataset *dataset = NULL;

    RNN_TRY_GOTO(st, rnn_config_load(&config, path, overrides, n_overrides), done);
    RNN_TRY_GOTO(st, rnn_data_open(&dataset, &config, NULL), done);
    *input = rnn_data_input(dataset);
done:
    rnn_dataset_destroy(&dataset);
    rnn_config_free(&config);
    return st;
}

/* Says why the data is looked at, which this command does not lead one to expect. */
static rnn_status find_input(const rnn_config *config, const char *path,
                             const char *const *overrides, size_t n_overrides, rnn_shape *input)
{
    rnn_status st;

    if (rnn_layers_input(config->layer, config->n_layers, input))
        return RNN_OK;
    st = get_data_input(path, overrides, n_overrides, input);
    if (st == RNN_ERR_DATA || st == RNN_ERR_NOINPUT)
        return RNN_FAIL(st, "%s (the data is needed because no layer tells the size of its input)",
                        rnn_error_message());
    return st;
}

rnn_status rnn_show_config(const char *path, const char *const *overrides, size_t n_overrides,
                           FILE *out)
{
    rnn_status st;
    rnn_config config;
    rnn_model *model = NULL;
    rnn_shape input;

    RNN_TRY_GOTO(st, rnn_config_load_layers(&config, path, overrides, n_overrides), done);
    RNN_TRY_GOTO(st, find_input(&config, path, overrides, n_overrides, &input), done);
    RNN_TRY_GOTO(st, rnn_model_create(&model, config.layer, config.n_layers, input), done);
    show_model(model, out);
done:
    rnn_model_destroy(&model);
    rnn_config_free(&config);
    return st;
}

rnn_status rnn_show_checkpoint(const char *path, FILE *out)
{
    rnn_stored_model stored;

    RNN_TRY(rnn_stored_model_read(&stored, path));
    fprintf(out, "%s: epoch %" PRIu64 ", step %" PRIu64 ", parameters %016" PRIx64 "\n\n", path,
            stored.progress.epoch + (stored.progress.batch_in_epoch > 0), stored.progress.step,
            rnn_digest(stored.params, rnn_model_size(stored.model) * sizeof *stored.params));
    show_model(stored.model, out);
    rnn_stored_model_free(&stored);
    return RNN_OK;
}
