#include "datasets/ts_samples.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "datasets/excerpt.h"
#include "datasets/number.h"
#include "datasets/reader.h"
#include "kernels/memory.h"

typedef struct parser {
    const rnn_ts_task *task;
    rnn_lines *lines;
    rnn_number_reader numbers;
    rnn_ts_set *set;
    size_t seq_len; /* of every sample; 0 = not settled */

    /* The sample of this line, [n_dims][length], and how many there were. */
    float *values;
    size_t n_values, values_room, n_lines;
} parser;

#define FAIL(p, ...) rnn_ts_fail((p)->lines, __VA_ARGS__)

/* -- Values -------------------------------------------------------------------------------------*/

static bool is_missing(const char *text)
{
    return strcmp(text, "?") == 0 || strcasecmp(text, "nan") == 0;
}

static rnn_status fail_value(const parser *p, const char *text, size_t dim, size_t i,
                             const char *expected)
{
    return FAIL(p, "dimension %zu, value %zu: expected %s, found %s", dim + 1, i + 1, expected,
                rnn_excerpt_of(text).text);
}

/* Appends a number as it is, and something missing as NAN. */
static rnn_status parse_value(parser *p, const char *text, size_t dim, size_t i)
{
    const rnn_dataset_cfg *cfg = p->task->cfg;
    double value = 0;
    float scaled = NAN;

    if (is_missing(text)) {
        if (cfg->missing == RNN_MISSING_REFUSE)
            return fail_value(p, text, dim, i,
                              "a number, none may be missing without dataset.missing");
    } else {
        if (!rnn_number_read(&value, &p->numbers, text))
            return fail_value(p, text, dim, i, "a number");
        scaled = (float)((value - cfg->mean) / cfg->std);
        if (!isfinite(scaled))
            return fail_value(p, text, dim, i, "a number in the range of a float");
    }
    RNN_TRY(RNN_GROW(&p->values, &p->values_room, p->n_values, p->n_values + 1, "time series"));
    p->values[p->n_values++] = scaled;
    return RNN_OK;
}

/* Cuts off and returns what is in front of a separator; *rest is NULL behind the last one. */
static char *next_field(char **rest, char separator)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): not behind it */
    char *field = *rest, *end = strchr(field, separator);

    *rest = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    return field;
}

static rnn_status parse_dimension(parser *p, char *text, size_t dim, size_t *length)
{
    size_t first = p->n_values;

    *length = 0;
    text = rnn_ts_trim(text);
    if (text[0] == '\0')
        return FAIL(p, "dimension %zu is empty", dim + 1);
    for (char *rest = text; rest != NULL; ++*length)
        RNN_TRY(parse_value(p, rnn_ts_trim(next_field(&rest, ',')), dim, *length));
    if (p->task->cfg->missing != RNN_MISSING_REFUSE)
        rnn_reader_impute(p->task->cfg->missing, p->values + first, *length, 1);
    return RNN_OK;
}

/* -- Targets ------------------------------------------------------------------------------------*/

static rnn_status parse_class(const parser *p, const char *text, rnn_ts_sample *out)
{
    const rnn_ts_header *header = p->task->header;
    size_t i = rnn_ts_find_class(header->classes, header->n_classes, text);

    if (i < header->n_classes)
        out->label = p->task->number[i];
    else if (!p->task->cfg->needs_no_targets || (text[0] != '\0' && !is_missing(text)))
        return FAIL(p, "expected a class of @classLabel, found %s", rnn_excerpt_of(text).text);
    return RNN_OK;
}

static rnn_status parse_target_value(const parser *p, const char *text, rnn_ts_sample *out)
{
    double value;

    if (p->task->cfg->needs_no_targets && (text[0] == '\0' || is_missing(text)))
        return RNN_OK;
    if (!rnn_number_read(&value, &p->numbers, text) || !isfinite((float)value))
        return FAIL(p, "expected a number in the range of a float as target, found %s",
                    rnn_excerpt_of(text).text);
    out->value = (float)value;
    return RNN_OK;
}

static rnn_status parse_target(const parser *p, const char *text, rnn_ts_sample *out)
{
    return p->task->header->target == RNN_TS_CLASS ? parse_class(p, text, out)
                                                   : parse_target_value(p, text, out);
}

/* -- Samples ------------------------------------------------------------------------------------*/

static size_t count_fields(const char *line)
{
    size_t n = 1;

    for (; (line = strchr(line, ':')) != NULL; line++)
        n++;
    return n;
}

/* Whether the last of so many fields is the target. */
static bool has_target(const parser *p, size_t n_fields)
{
    if (p->task->header->target == RNN_TS_NOTHING)
        return false;
    return !p->task->cfg->needs_no_targets || n_fields != *p->task->n_dims;
}

/* Parses the dimensions that *rest begins with, all of one length. */
static rnn_status parse_dimensions(parser *p, char **rest, size_t n_dims, size_t *length)
{
    p->n_values = 0;
    for (size_t d = 0; d < n_dims; d++) {
        size_t n;

        RNN_TRY(parse_dimension(p, next_field(rest, ':'), d, &n));
        if (d == 0)
            *length = n;
        if (n != *length)
            return FAIL(p, "dimension %zu has %zu values, but the first one %zu", d + 1, n,
                        *length);
    }
    return rnn_ts_settle_dimensions(p->task->n_dims, n_dims, p->lines);
}

static rnn_status check_length(parser *p, size_t length)
{
    if (!p->task->header->is_equal_length)
        return RNN_OK;
    if (p->seq_len == 0)
        p->seq_len = length;
    if (length != p->seq_len)
        return FAIL(p, "expected %zu values in a dimension, found %zu", p->seq_len, length);
    return RNN_OK;
}

/* Puts the sample into the set, step by step. */
static rnn_status store(parser *p, rnn_ts_sample sample)
{
    rnn_ts_set *set = p->set;
    size_t n_dims = *p->task->n_dims;
    float *into;

    RNN_TRY(RNN_GROW(&set->samples, &set->samples_room, set->n_samples, set->n_samples + 1,
                     "time series"));
    RNN_TRY(RNN_GROW(&set->values, &set->values_room, set->n_values, set->n_values + p->n_values,
                     "time series"));
    into = set->values + set->n_values;
    for (size_t t = 0; t < sample.length; t++)
        for (size_t d = 0; d < n_dims; d++)
            *into++ = p->values[d * sample.length + t];
    sample.start = set->n_values;
    set->samples[set->n_samples++] = sample;
    set->n_values += p->n_values;
    return RNN_OK;
}

static rnn_status parse_sample(parser *p, char *line)
{
    const rnn_ts_task *task = p->task;
    rnn_ts_sample sample = {.label = -1, .value = NAN};
    size_t n_fields = count_fields(line), length = 0;
    bool is_complete = has_target(p, n_fields);

    if (is_complete && n_fields == 1)
        return FAIL(p, "expected values, ':' and a %s, found no ':'",
                    task->header->target == RNN_TS_CLASS ? "class" : "target");
    RNN_TRY(parse_dimensions(p, &line, n_fields - is_complete, &length));
    RNN_TRY(check_length(p, length));
    if (is_complete)
        RNN_TRY(parse_target(p, rnn_ts_trim(line), &sample));
    p->n_lines++;
    if (rnn_reader_limit(task->cfg, task->split, p->n_lines) < p->n_lines)
        return RNN_OK; /* checked, but not in use */
    sample.length = (uint32_t)length;
    return store(p, sample);
}

/* -- A file -------------------------------------------------------------------------------------*/

/* The lengths as the sampler wants them. */
static rnn_status list_lengths(rnn_ts_set *set)
{
    RNN_TRY(RNN_ALLOC(&set->length, set->n_samples, "the lengths of samples"));
    for (size_t i = 0; i < set->n_samples; i++)
        set->length[i] = set->samples[i].length;
    return RNN_OK;
}

static rnn_status parse_lines(parser *p)
{
    while (true) {
        char *line;

        RNN_TRY(rnn_ts_next_line(p->lines, &line));
        if (line == NULL)
            break;
        RNN_TRY(parse_sample(p, line));
    }
    if (p->n_lines == 0)
        return FAIL(p, "expected samples, found the end of the file");
    p->set->digest = p->lines->digest;
    return list_lengths(p->set);
}

rnn_status rnn_ts_set_read(rnn_ts_set *set, rnn_lines *lines, const rnn_ts_task *task)
{
    parser p = {.task = task, .lines = lines, .set = set, .seq_len = task->header->seq_len};
    rnn_status st;

    RNN_TRY(rnn_number_reader_open(&p.numbers));
    st = parse_lines(&p);
    rnn_number_reader_close(&p.numbers);
    rnn_free(p.values);
    return st;
}

void rnn_ts_set_free(rnn_ts_set *set)
{
    rnn_free(set->values);
    rnn_free(set->samples);
    rnn_free(set->length);
    *set = (rnn_ts_set){0};
}

rnn_status rnn_ts_settle_dimensions(size_t *n_dims, size_t found, const rnn_lines *lines)
{
    if (*n_dims == 0)
        *n_dims = found;
    if (*n_dims != found)
        return rnn_ts_fail(lines, "expected %zu dimension%s, found %zu", *n_dims,
                           *n_dims == 1 ? "" : "s", found);
    return RNN_OK;
}
