/*
 * Pairs of strings from the configuration as a dataset: an input's characters are tokens, those of
 * its target the labels of the same steps. All are numbered by their place in the alphabet.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/reader.h"
#include "datasets/utf8.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct character {
    uint32_t code;
    int32_t token;
} character;

typedef struct name {
    char text[RNN_UTF8_MAX + 1];
} name;

/* Pair i has the characters start[i] .. start[i] + length[i] - 1. */
typedef struct strings {
    size_t n_pairs, n_characters;
    size_t *start;            /* [n_pairs] */
    uint32_t *length;         /* [n_pairs] */
    int32_t *tokens, *labels; /* [n_characters] */
    size_t n_alphabet;
    character *alphabet; /* [n_alphabet] in order of code */
    name *names;         /* [n_alphabet] in order of token */
} strings;

/* A string and what messages call it: "alphabet", "inputs[3]". */
typedef struct source {
    char name[32];
    const char *text;
} source;

static source input_at(const rnn_dataset_cfg *cfg, size_t i)
{
    source at = {.text = cfg->inputs[i]};

    snprintf(at.name, sizeof at.name, "inputs[%zu]", i);
    return at;
}

static source target_at(const rnn_dataset_cfg *cfg, size_t i)
{
    source at = {.text = cfg->targets[i]};

    snprintf(at.name, sizeof at.name, "targets[%zu]", i);
    return at;
}

/* -- Characters ---------------------------------------------------------------------------------*/

/* Counts the characters of a text; RNN_ERR_DATA unless there are some, all of them UTF-8. */
static rnn_status count_characters(size_t *n, const source *at)
{
    uint32_t code;

    *n = 0;
    for (size_t i = 0, used; at->text[i] != '\0'; i += used, ++*n) {
        used = rnn_utf8_decode(at->text + i, &code);
        if (used == 0)
            return RNN_FAIL(RNN_ERR_DATA, "dataset.%s: expected UTF-8, found byte 0x%02x at %zu",
                            at->name, (unsigned)(unsigned char)at->text[i], i);
    }
    if (*n == 0 || *n > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.%s: expected 1 to %d characters, found %zu",
                        at->name, INT32_MAX, *n);
    return RNN_OK;
}

/* "U+0078 'x'"; control characters without their picture. */
static const char *describe(uint32_t code, char out[24])
{
    bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    char text[RNN_UTF8_MAX + 1];

    rnn_utf8_encode(code, text);
    if (is_control)
        snprintf(out, 24, "U+%04" PRIX32, code);
    else
        snprintf(out, 24, "U+%04" PRIX32 " '%s'", code, text);
    return out;
}

/* By code, and equal ones by token. */
static int compare_characters(const void *left, const void *right)
{
    const character *a = left, *b = right;

    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    return a->token < b->token ? -1 : a->token > b->token;
}

static int compare_codes(const void *left, const void *right)
{
    const character *a = left, *b = right;

    return a->code < b->code ? -1 : a->code > b->code;
}

/* -- The pairs ----------------------------------------------------------------------------------*/

static rnn_status measure_pair(strings *content, const rnn_dataset_cfg *cfg, size_t i)
{
    source input = input_at(cfg, i), target = target_at(cfg, i);
    size_t n_input, n_target;

    RNN_TRY(count_characters(&n_input, &input));
    RNN_TRY(count_characters(&n_target, &target));
    if (n_input != n_target)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.%s has %zu characters, but dataset.%s has %zu: expected a "
                        "target for every step",
                        input.name, n_input, target.name, n_target);
    content->start[i] = content->n_characters;
    content->length[i] = (uint32_t)n_input;
    content->n_characters += n_input;
    return RNN_OK;
}

static rnn_status measure_pairs(strings *content, const rnn_dataset_cfg *cfg)
{
    if (cfg->n_inputs == 0 || cfg->n_inputs != cfg->n_targets)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.inputs has %zu strings and dataset.targets %zu: expected equal "
                        "numbers, at least 1",
                        cfg->n_inputs, cfg->n_targets);
    content->n_pairs = cfg->n_inputs;
    RNN_TRY(RNN_ALLOC(&content->start, content->n_pairs, "the places of strings"));
    RNN_TRY(RNN_ALLOC(&content->length, content->n_pairs, "the lengths of strings"));
    for (size_t i = 0; i < content->n_pairs; i++)
        RNN_TRY(measure_pair(content, cfg, i));
    return RNN_OK;
}

/* -- The alphabet -------------------------------------------------------------------------------*/

/* Appends the characters of a text that has been counted before, numbered in this order. */
static void append_characters(strings *content, const char *text)
{
    while (*text != '\0') {
        character *next = &content->alphabet[content->n_alphabet];

        text += rnn_utf8_decode(text, &next->code);
        next->token = (int32_t)content->n_alphabet++;
    }
}

/* The characters given, each once. */
static rnn_status take_alphabet(strings *content, const rnn_dataset_cfg *cfg)
{
    const source at = {.name = "alphabet", .text = cfg->alphabet};
    const character *c;
    size_t count;
    char text[24];

    RNN_TRY(count_characters(&count, &at));
    RNN_TRY(RNN_ALLOC(&content->alphabet, count, "the alphabet"));
    append_characters(content, at.text);
    c = content->alphabet;
    qsort(content->alphabet, count, sizeof *c, compare_characters);
    for (size_t i = 1; i < count; i++)
        if (c[i].code == c[i - 1].code)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.alphabet: expected every character once, found %s at %" PRId32
                            " and again at %" PRId32,
                            describe(c[i].code, text), c[i - 1].token, c[i].token);
    return RNN_OK;
}

/* The characters that occur, in order of code. */
static rnn_status collect_alphabet(strings *content, const rnn_dataset_cfg *cfg)
{
    size_t count, n = 0;

    RNN_TRY(rnn_size_multiply(&count, 2, content->n_characters, "the characters"));
    RNN_TRY(RNN_ALLOC(&content->alphabet, count, "the alphabet"));
    for (size_t i = 0; i < content->n_pairs; i++) {
        append_characters(content, cfg->inputs[i]);
        append_characters(content, cfg->targets[i]);
    }
    qsort(content->alphabet, count, sizeof *content->alphabet, compare_codes);
    for (size_t i = 0; i < count; i++) {
        uint32_t code = content->alphabet[i].code;

        if (n > 0 && content->alphabet[n - 1].code == code)
            continue;
        content->alphabet[n] = (character){code, (int32_t)n};
        n++;
    }
    content->n_alphabet = n;
    return RNN_OK;
}

static rnn_status make_alphabet(strings *content, const rnn_dataset_cfg *cfg)
{
    RNN_TRY(cfg->alphabet[0] != '\0' ? take_alphabet(content, cfg)
                                     : collect_alphabet(content, cfg));
    RNN_TRY(RNN_ALLOC(&content->names, content->n_alphabet, "the alphabet"));
    for (size_t i = 0; i < content->n_alphabet; i++)
        rnn_utf8_encode(content->alphabet[i].code, content->names[content->alphabet[i].token].text);
    return RNN_OK;
}

/* Writes the number of each character. */
static rnn_status translate(int32_t *into, const strings *content, source at)
{
    char text[24];

    for (size_t i = 0; *at.text != '\0'; i++) {
        character wanted = {0};
        const character *found;

        at.text += rnn_utf8_decode(at.text, &wanted.code);
        found =
            bsearch(&wanted, content->alphabet, content->n_alphabet, sizeof wanted, compare_codes);
        if (found == NULL)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.%s: character %zu, %s, is not in dataset.alphabet", at.name, i,
                            describe(wanted.code, text));
        into[i] = found->token;
    }
    return RNN_OK;
}

static rnn_status translate_pairs(strings *content, const rnn_dataset_cfg *cfg)
{
    RNN_TRY(RNN_ALLOC(&content->tokens, content->n_characters, "the tokens"));
    RNN_TRY(RNN_ALLOC(&content->labels, content->n_characters, "the labels"));
    for (size_t i = 0; i < content->n_pairs; i++) {
        size_t start = content->start[i];

        RNN_TRY(translate(content->tokens + start, content, input_at(cfg, i)));
        RNN_TRY(translate(content->labels + start, content, target_at(cfg, i)));
    }
    return RNN_OK;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static void fill_info(rnn_dataset_info *info, const strings *content, const rnn_dataset_cfg *cfg)
{
    size_t n_bytes = content->n_characters * sizeof *content->tokens;
    const uint64_t digests[] = {
        rnn_digest(content->names, content->n_alphabet * sizeof *content->names),
        rnn_digest(content->length, content->n_pairs * sizeof *content->length),
        rnn_digest(content->tokens, n_bytes), rnn_digest(content->labels, n_bytes)};

    info->folder = "";
    info->name = "strings";
    info->n_samples[RNN_SPLIT_TRAIN] = rnn_reader_limit(cfg, RNN_SPLIT_TRAIN, content->n_pairs);
    info->n_features = 1;
    info->n_tokens = content->n_alphabet;
    info->target = RNN_TARGET_STEP_LABEL;
    info->is_strings = true;
    info->n_classes = content->n_alphabet;
    info->digest = rnn_digest(digests, sizeof digests);
    info->bytes_in_memory = 2.0 * (double)n_bytes;
}

static void destroy(void *handle)
{
    strings *content = handle;

    if (content == NULL)
        return;
    rnn_free(content->start);
    rnn_free(content->length);
    rnn_free(content->tokens);
    rnn_free(content->labels);
    rnn_free(content->alphabet);
    rnn_free(content->names);
    rnn_free(content);
}

static rnn_status open_strings(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    strings *content;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    RNN_TRY_GOTO(st, measure_pairs(content, cfg), done);
    RNN_TRY_GOTO(st, make_alphabet(content, cfg), done);
    RNN_TRY_GOTO(st, translate_pairs(content, cfg), done);
    fill_info(info, content, cfg);
    *out = content;
    content = NULL;
done:
    destroy(content);
    return st;
}

static const uint32_t *lengths(const void *handle, rnn_split split)
{
    const strings *content = handle;

    return split == RNN_SPLIT_TRAIN ? content->length : NULL;
}

static const char *token_text(const void *handle, size_t token)
{
    const strings *content = handle;

    return content->names[token].text;
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const strings *content = handle;
    const int32_t *tokens = content->tokens + content->start[sample];
    const int32_t *labels = content->labels + content->start[sample];

    (void)split; /* there is only one */
    for (size_t t = 0; t < content->length[sample]; t++) {
        into->token[t * rows + row] = tokens[t];
        into->label[t * rows + row] = labels[t];
    }
    return RNN_OK;
}

static const char *const keys[] = {"inputs", "targets", "alphabet", NULL};

const rnn_reader rnn_strings_reader = {.name = "strings",
                                       .keys = keys,
                                       .open = open_strings,
                                       .destroy = destroy,
                                       .lengths = lengths,
                                       .token_text = token_text,
                                       .read_row = read_row};
