#include "datasets/ts_header.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/excerpt.h"
#include "kernels/memory.h"

enum { MAX_CLASSES = 4096 };

/* A header being read. */
typedef struct parser {
    rnn_lines *lines;
    rnn_ts_header *header;
    unsigned seen; /* bit i: key i of the table below */
} parser;

/* -- Text ---------------------------------------------------------------------------------------*/

rnn_status rnn_ts_fail(const rnn_lines *lines, const char *format, ...)
{
    char problem[512];
    va_list args;

    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: %s", lines->path, lines->number, problem);
}

#define FAIL(p, ...) rnn_ts_fail((p)->lines, __VA_ARGS__)

static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

char *rnn_ts_trim(char *text)
{
    size_t n;

    text = skip_blanks(text);
    n = strlen(text);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        text[--n] = '\0';
    return text;
}

/* Cuts off and returns the first word of *rest; "" at the end. */
static char *next_word(char **rest)
{
    char *word = skip_blanks(*rest);
    char *end = word + strcspn(word, " \t");

    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

rnn_status rnn_ts_next_line(rnn_lines *lines, char **line)
{
    bool is_there;

    do {
        RNN_TRY(rnn_lines_next(lines, &is_there));
        *line = is_there ? skip_blanks(lines->text) : NULL;
    } while (is_there && (**line == '\0' || **line == '#'));
    return RNN_OK;
}

/* -- Values of keys -----------------------------------------------------------------------------*/

static rnn_status parse_boolean(const parser *p, bool *out, const char *word)
{
    *out = strcasecmp(word, "true") == 0;
    if (*out || strcasecmp(word, "false") == 0)
        return RNN_OK;
    return FAIL(p, "expected true or false, found %s", rnn_excerpt_of(word).text);
}

static rnn_status parse_size(const parser *p, size_t *out, char *value)
{
    const char *word = rnn_ts_trim(value);

    *out = 0;
    if (word[0] != '\0' && word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10)
        *out = strtoul(word, NULL, 10);
    if (*out == 0)
        return FAIL(p, "expected a number from 1 to 999999999, found %s",
                    rnn_excerpt_of(word).text);
    return RNN_OK;
}

static rnn_status parse_name(parser *p, char *value)
{
    const char *name = rnn_ts_trim(value);

    if (name[0] == '\0' || !rnn_is_printable(name))
        return FAIL(p, "expected a name, found %s", rnn_excerpt_of(name).text);
    return rnn_string_copy(&p->header->name, name);
}

static rnn_status parse_time_stamps(parser *p, char *value)
{
    bool has_stamps;

    RNN_TRY(parse_boolean(p, &has_stamps, rnn_ts_trim(value)));
    return has_stamps ? FAIL(p, "series with time stamps are not supported") : RNN_OK;
}

/* What is missing is seen where it is. */
static rnn_status parse_missing(parser *p, char *value)
{
    bool ignored;

    return parse_boolean(p, &ignored, rnn_ts_trim(value));
}

static rnn_status parse_univariate(parser *p, char *value)
{
    return parse_boolean(p, &p->header->is_univariate, rnn_ts_trim(value));
}

static rnn_status parse_dimensions(parser *p, char *value)
{
    return parse_size(p, &p->header->n_dims, value);
}

static rnn_status parse_equal_length(parser *p, char *value)
{
    return parse_boolean(p, &p->header->is_equal_length, rnn_ts_trim(value));
}

static rnn_status parse_series_length(parser *p, char *value)
{
    return parse_size(p, &p->header->seq_len, value);
}

/* A sample has one target. */
static rnn_status set_target(parser *p, rnn_ts_target target)
{
    if (p->header->target != RNN_TS_NOTHING)
        return FAIL(p, "expected classes or values as targets, found @classLabel and @targetLabel "
                       "to be true");
    p->header->target = target;
    return RNN_OK;
}

static rnn_status parse_target_label(parser *p, char *value)
{
    bool has_values;

    RNN_TRY(parse_boolean(p, &has_values, next_word(&value)));
    return has_values ? set_target(p, RNN_TS_VALUE) : RNN_OK;
}

size_t rnn_ts_find_class(const char *const *classes, size_t n_classes, const char *name)
{
    size_t i = 0;

    while (i < n_classes && strcmp(classes[i], name) != 0)
        i++;
    return i;
}

static rnn_status take_classes(parser *p, const char *names)
{
    rnn_ts_header *h = p->header;
    char *rest;

    RNN_TRY(rnn_string_copy(&h->class_text, names));
    RNN_TRY(RNN_ALLOC(&h->classes, MAX_CLASSES, "the classes"));
    rest = h->class_text;
    for (const char *name; name = next_word(&rest), name[0] != '\0';) {
        if (!rnn_is_printable(name))
            return FAIL(p, "expected class names in UTF-8, found %s", rnn_excerpt_of(name).text);
        if (rnn_ts_find_class(h->classes, h->n_classes, name) < h->n_classes)
            return FAIL(p, "expected every class once, found %s twice", rnn_excerpt_of(name).text);
        if (h->n_classes == MAX_CLASSES)
            return FAIL(p, "expected at most %d classes, found more", MAX_CLASSES);
        h->classes[h->n_classes++] = name;
    }
    return h->n_classes > 0 ? RNN_OK : FAIL(p, "expected the names of classes, found none");
}

static rnn_status parse_class_label(parser *p, char *value)
{
    bool has_classes;

    RNN_TRY(parse_boolean(p, &has_classes, next_word(&value)));
    if (!has_classes)
        return RNN_OK;
    p->header->class_line = p->lines->number;
    RNN_TRY(set_target(p, RNN_TS_CLASS));
    return take_classes(p, value);
}

/* The header is complete. */
static rnn_status parse_data(parser *p, char *value)
{
    rnn_ts_header *h = p->header;

    if (rnn_ts_trim(value)[0] != '\0')
        return FAIL(p, "expected nothing behind @data, found %s", rnn_excerpt_of(value).text);
    if (h->is_univariate && h->n_dims > 1)
        return FAIL(p, "@univariate is true, but @dimensions is %zu", h->n_dims);
    if (h->is_univariate)
        h->n_dims = 1;
    return RNN_OK;
}

/* -- Lines --------------------------------------------------------------------------------------*/

static const struct {
    const char *name;
    rnn_status (*parse)(parser *p, char *value);
} keys[] = {
    {"problemName", parse_name},
    {"timeStamps", parse_time_stamps},
    {"missing", parse_missing},
    {"univariate", parse_univariate},
    {"dimensions", parse_dimensions},
    {"dimension", parse_dimensions},
    {"equalLength", parse_equal_length},
    {"seriesLength", parse_series_length},
    {"classLabel", parse_class_label},
    {"targetLabel", parse_target_label},
    {"data", parse_data},
};

enum { N_KEYS = sizeof keys / sizeof *keys, KEY_DATA = N_KEYS - 1 };

static rnn_status parse_line(parser *p, char *line)
{
    const char *name = next_word(&line);

    if (name[0] != '@')
        return FAIL(p, "expected a header line, as @classLabel, or @data, found %s",
                    rnn_excerpt_of(name).text);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcasecmp(name + 1, keys[i].name) != 0)
            continue;
        if ((p->seen >> i & 1u) != 0)
            return FAIL(p, "@%s for the second time", keys[i].name);
        p->seen |= 1u << i;
        return keys[i].parse(p, line);
    }
    return RNN_OK; /* of no interest to the archive's own readers either */
}

rnn_status rnn_ts_header_read(rnn_ts_header *header, rnn_lines *lines)
{
    parser p = {.lines = lines, .header = header};

    while ((p.seen >> KEY_DATA & 1u) == 0) {
        char *line;

        RNN_TRY(rnn_ts_next_line(lines, &line));
        if (line == NULL)
            return FAIL(&p, "expected @data, found the end of the file");
        RNN_TRY(parse_line(&p, line));
    }
    return RNN_OK;
}

void rnn_ts_header_free(rnn_ts_header *header)
{
    rnn_free(header->name);
    rnn_free(header->class_text);
    rnn_free(header->classes);
    *header = (rnn_ts_header){0};
}
