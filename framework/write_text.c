#include "framework/write_text.h"

#include <stdbool.h>
#include <string.h>

#include "datasets/vocabulary.h"
#include "framework/config.h"
#include "framework/exchange.h"
#include "framework/fit_file.h"
#include "framework/generator.h"
#include "kernels/memory.h"

typedef struct writer {
    rnn_stored_model stored;
    rnn_dataset_fit fit;
    rnn_unit unit;
    rnn_vocabulary *vocabulary;
    rnn_generator *generator;
    const double *scores; /* of the next token */
    size_t n_tokens;      /* that have a name: the first of the scores */
    double *scratch;      /* [n_tokens] */
    bool at_start;        /* of a line: no blank before the next word */
    FILE *out;
} writer;

static const char end_of_line[] = "<eos>";

/* -- Opening ----------------------------------------------------------------------------------- */

/* Whether it is a model of texts, and of characters or words. */
static rnn_status read_unit(writer *w, const char *checkpoint)
{
    rnn_config config;
    char *text;
    rnn_status st;

    RNN_TRY(rnn_checkpoint_read_config(checkpoint, &text));
    st = rnn_config_parse(&config, text, strlen(text), checkpoint, NULL, 0);
    if (st == RNN_OK && strcmp(rnn_dataset_formats[config.dataset.format], "text") != 0)
        st = RNN_FAIL(RNN_ERR_DATA,
                      "%s: expected a model of texts, found one of data of format '%s'", checkpoint,
                      rnn_dataset_formats[config.dataset.format]);
    w->unit = (rnn_unit)config.dataset.unit;
    rnn_config_free(&config);
    rnn_free(text);
    return st;
}

static rnn_status check_size(const writer *w, const char *checkpoint)
{
    size_t n_scores = rnn_model_output(w->stored.model).n_features;

    if (w->fit.n_texts == 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: /data/texts: expected the names of tokens, found none",
                        checkpoint);
    if (n_scores < w->fit.n_texts)
        return RNN_FAIL(RNN_ERR_DATA, "%s: the model gives %zu scores for %zu tokens", checkpoint,
                        n_scores, w->fit.n_texts);
    return RNN_OK;
}

static rnn_status open_writer(writer *w, const char *checkpoint)
{
    RNN_TRY(read_unit(w, checkpoint));
    RNN_TRY(rnn_stored_model_read(&w->stored, checkpoint));
    RNN_TRY(rnn_fit_read(checkpoint, &w->fit));
    RNN_TRY(check_size(w, checkpoint));
    w->n_tokens = w->fit.n_texts;
    RNN_TRY(rnn_vocabulary_create_from(&w->vocabulary, w->unit, w->fit.texts, w->fit.n_texts));
    RNN_TRY(rnn_generator_create(&w->generator, w->stored.model, w->stored.params));
    return RNN_ALLOC(&w->scratch, w->n_tokens, "the scores of tokens");
}

static void close_writer(writer *w)
{
    rnn_free(w->scratch);
    rnn_generator_destroy(&w->generator);
    rnn_vocabulary_destroy(&w->vocabulary);
    rnn_dataset_fit_free(&w->fit);
    rnn_stored_model_free(&w->stored);
}

/* -- Reading the prompt ------------------------------------------------------------------------ */

static rnn_status feed(writer *w, size_t token)
{
    size_t n_scores;

    return rnn_generator_feed(w->generator, token, &w->scores, &n_scores);
}

/* The token that a text begins after: the end of a line, or the first there is. */
static size_t first_token(const writer *w)
{
    const char *wanted = w->unit == RNN_UNIT_WORDS ? end_of_line : "\n";

    for (size_t i = 0; i < w->n_tokens; i++)
        if (strcmp(w->fit.texts[i], wanted) == 0)
            return i;
    return 0;
}

static rnn_status feed_prompt(writer *w, const char *prompt)
{
    const rnn_text text = {"--prompt", prompt, strlen(prompt)};
    uint32_t *tokens;
    size_t n;
    rnn_status st;

    RNN_TRY(rnn_vocabulary_encode(w->vocabulary, &text, NULL, 0, &n));
    if (n == 0)
        return feed(w, first_token(w));
    RNN_TRY(RNN_ALLOC(&tokens, n, "the prompt"));
    st = rnn_vocabulary_encode(w->vocabulary, &text, tokens, n, &n);
    for (size_t i = 0; i < n && st == RNN_OK; i++)
        st = feed(w, tokens[i]);
    rnn_free(tokens);
    return st;
}

/* -- Writing ----------------------------------------------------------------------------------- */

static void print_token(writer *w, size_t token)
{
    const char *text = w->fit.texts[token];

    if (w->unit == RNN_UNIT_CHARACTERS) {
        fputs(text, w->out);
        return;
    }
    if (strcmp(text, end_of_line) == 0)
        fputs("\n", w->out);
    else
        fprintf(w->out, "%s%s", w->at_start ? "" : " ", text);
    w->at_start = strcmp(text, end_of_line) == 0;
}

static rnn_status write_all(writer *w, const rnn_write_cfg *cfg)
{
    size_t n = strlen(cfg->prompt);

    RNN_TRY(feed_prompt(w, cfg->prompt));
    fputs(cfg->prompt, w->out);
    w->at_start = n == 0 || cfg->prompt[n - 1] == '\n';
    for (size_t i = 0; i < cfg->length; i++) {
        size_t token;

        RNN_TRY(rnn_sample_token(w->scores, w->n_tokens, &cfg->sampling, i, w->scratch, &token));
        print_token(w, token);
        RNN_TRY(feed(w, token));
    }
    fputs("\n", w->out);
    return RNN_OK;
}

rnn_status rnn_write_text(const char *checkpoint, const rnn_write_cfg *cfg, FILE *out)
{
    writer w = {.out = out};
    rnn_status st = open_writer(&w, checkpoint);

    if (st == RNN_OK)
        st = write_all(&w, cfg);
    close_writer(&w);
    return st;
}
