/*
 * Time series of the UCR and UEA archives (https://www.timeseriesclassification.com), one file for
 * training and one for testing. A header of "@key value" lines ends with "@data"; then every line
 * is a sample: its dimensions separated by ":", their values by ",", and its class at the end.
 *
 *     @problemName JapaneseVowels
 *     @univariate false
 *     @dimensions 2
 *     @classLabel true 1 2
 *     @data
 *     1.8,1.9,1.7:-0.2,-0.1,0.4:1
 *
 * "#" begins a comment line. Values must be there, finite, and without time stamps, and all
 * dimensions of a sample have the same number of them; samples may differ in length. Classes are
 * numbered in the order of the training file's @classLabel.
 */
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datasets/lines.h"
#include "datasets/reader.h"
#include "datasets/utf8.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { MAX_CLASSES = 4096 };

typedef struct sample {
    size_t start; /* among the values */
    uint32_t length;
    int32_t label;
} sample;

/* An array of `room` elements that grows with what arrives. */
typedef struct series_set {
    float *values; /* [sum of lengths][n_dims] */
    size_t n_values, values_room;
    sample *samples; /* [n_samples] in use */
    size_t n_samples, samples_room;
    uint32_t *length; /* [n_samples] */
    uint64_t digest;  /* of the file */
} series_set;

typedef struct time_series {
    char *folder;
    char *name; /* NULL if the training file has none */
    size_t n_dims;
    char *class_text; /* the names, each with a zero byte behind it */
    const char **classes;
    size_t n_classes;
    series_set sets[RNN_N_SPLITS];
} time_series;

/* A file being read. */
typedef struct parser {
    rnn_lines lines;
    time_series *content;
    const rnn_dataset_cfg *cfg;
    rnn_split split;
    locale_t c_locale; /* numbers have a point in it */

    /* What the header has said so far; 0 = nothing. */
    unsigned seen; /* bit i: key i of the table below */
    bool is_univariate, is_equal_length;
    size_t n_dims, seq_len;

    /* The sample of this line, [n_dims][length], and how many there were. */
    float *values;
    size_t n_values, values_room, n_samples;
} parser;

/* -- Complaints ---------------------------------------------------------------------------------*/

static rnn_status fail(const parser *p, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

/* Adds the place to a problem. */
static rnn_status fail(const parser *p, const char *format, ...)
{
    char problem[512];
    va_list args;

    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: %s", p->lines.path, p->lines.number, problem);
}

typedef struct excerpt {
    char text[48];
} excerpt;

/* The beginning of a text from the file, fit for a terminal. */
static excerpt quote(const char *text)
{
    enum { MAX_SHOWN = 40 };
    excerpt out = {"'"};
    size_t n = 1;

    for (; text[n - 1] != '\0' && n <= MAX_SHOWN; n++)
        out.text[n] = (char)(isprint((unsigned char)text[n - 1]) ? text[n - 1] : '?');
    snprintf(out.text + n, sizeof out.text - n, "%s", text[n - 1] != '\0' ? "...'" : "'");
    return out;
}

/* -- Text ---------------------------------------------------------------------------------------*/

static char *skip_blanks(char *text)
{
    return text + strspn(text, " \t");
}

/* Without blanks at both ends. */
static char *trim(char *text)
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

/* Whether names can be printed: valid UTF-8 without control characters. */
static bool is_printable(const char *text)
{
    uint32_t code;

    for (size_t used; *text != '\0'; text += used) {
        used = rnn_utf8_decode(text, &code);
        if (used == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0))
            return false;
    }
    return true;
}

/* Makes room for `needed` elements, keeping the first `used`. */
static rnn_status grow(void **array, size_t *room, size_t used, size_t needed, size_t element_size)
{
    size_t larger = 2 * *room > needed ? 2 * *room : needed;
    void *moved;

    if (needed <= *room)
        return RNN_OK;
    RNN_TRY(rnn_alloc(&moved, larger, element_size, "time series"));
    if (used > 0)
        memcpy(moved, *array, used * element_size);
    rnn_free(*array);
    *array = moved;
    *room = larger;
    return RNN_OK;
}

/* -- Header -------------------------------------------------------------------------------------*/

static rnn_status parse_boolean(const parser *p, bool *out, const char *word)
{
    *out = strcasecmp(word, "true") == 0;
    if (*out || strcasecmp(word, "false") == 0)
        return RNN_OK;
    return fail(p, "expected true or false, found %s", quote(word).text);
}

static rnn_status parse_size(const parser *p, size_t *out, char *value)
{
    const char *word = trim(value);

    *out = 0;
    if (word[0] != '\0' && word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10)
        *out = strtoul(word, NULL, 10);
    if (*out == 0)
        return fail(p, "expected a number from 1 to 999999999, found %s", quote(word).text);
    return RNN_OK;
}

static rnn_status parse_name(parser *p, char *value)
{
    const char *name = trim(value);

    if (name[0] == '\0' || !is_printable(name))
        return fail(p, "expected a name, found %s", quote(name).text);
    return p->content->name == NULL ? rnn_string_copy(&p->content->name, name) : RNN_OK;
}

static rnn_status parse_time_stamps(parser *p, char *value)
{
    bool has_stamps;

    RNN_TRY(parse_boolean(p, &has_stamps, trim(value)));
    return has_stamps ? fail(p, "series with time stamps are not supported") : RNN_OK;
}

/* What is missing is seen, and refused, where it is. */
static rnn_status parse_missing(parser *p, char *value)
{
    bool ignored;

    return parse_boolean(p, &ignored, trim(value));
}

static rnn_status parse_univariate(parser *p, char *value)
{
    return parse_boolean(p, &p->is_univariate, trim(value));
}

static rnn_status parse_dimensions(parser *p, char *value)
{
    return parse_size(p, &p->n_dims, value);
}

static rnn_status parse_equal_length(parser *p, char *value)
{
    return parse_boolean(p, &p->is_equal_length, trim(value));
}

static rnn_status parse_series_length(parser *p, char *value)
{
    return parse_size(p, &p->seq_len, value);
}

static rnn_status parse_target_label(parser *p, char *value)
{
    bool has_values;

    RNN_TRY(parse_boolean(p, &has_values, next_word(&value)));
    return has_values ? fail(p, "series with values as targets are not supported") : RNN_OK;
}

/* The number of a class; n_classes if there is none of that name. */
static size_t find_class(const time_series *content, const char *name)
{
    size_t i = 0;

    while (i < content->n_classes && strcmp(content->classes[i], name) != 0)
        i++;
    return i;
}

/* Takes the names of the training file. */
static rnn_status take_classes(parser *p, const char *names)
{
    time_series *content = p->content;
    char *rest;

    RNN_TRY(rnn_string_copy(&content->class_text, names));
    RNN_TRY(RNN_ALLOC(&content->classes, MAX_CLASSES, "the classes"));
    rest = content->class_text;
    for (const char *name; name = next_word(&rest), name[0] != '\0';) {
        if (!is_printable(name))
            return fail(p, "expected class names in UTF-8, found %s", quote(name).text);
        if (find_class(content, name) < content->n_classes)
            return fail(p, "expected every class once, found %s twice", quote(name).text);
        if (content->n_classes == MAX_CLASSES)
            return fail(p, "expected at most %d classes, found more", MAX_CLASSES);
        content->classes[content->n_classes++] = name;
    }
    return content->n_classes > 0 ? RNN_OK : fail(p, "expected the names of classes, found none");
}

/* Takes those of a trained model. */
static rnn_status adopt_classes(time_series *content, const rnn_dataset_fit *fit)
{
    RNN_TRY(RNN_ALLOC(&content->classes, fit->n_texts, "the classes"));
    for (; content->n_classes < fit->n_texts; content->n_classes++)
        content->classes[content->n_classes] = fit->texts[content->n_classes];
    return RNN_OK;
}

/* A trained model must know every class of a file. */
static rnn_status check_known(const parser *p, char *names)
{
    for (const char *name; name = next_word(&names), name[0] != '\0';)
        if (find_class(p->content, name) == p->content->n_classes)
            return fail(p, "class %s is none that the model was trained on", quote(name).text);
    return RNN_OK;
}

/* Those of the test file must be the same in the same order. */
static rnn_status compare_classes(const parser *p, char *names)
{
    const time_series *content = p->content;

    for (size_t i = 0; i <= content->n_classes; i++) {
        const char *name = next_word(&names);
        const char *expected = i < content->n_classes ? content->classes[i] : "";

        if (strcmp(name, expected) != 0)
            return fail(p, "class %zu is %s, but in the training file %s", i + 1, quote(name).text,
                        quote(expected).text);
    }
    return RNN_OK;
}

static rnn_status parse_class_label(parser *p, char *value)
{
    bool has_classes;

    RNN_TRY(parse_boolean(p, &has_classes, next_word(&value)));
    if (!has_classes)
        return fail(p, "series without classes are not supported: there is nothing to learn");
    if (p->cfg->fit != NULL)
        return check_known(p, value);
    return p->content->n_classes == 0 ? take_classes(p, value) : compare_classes(p, value);
}

/* A header or a sample says how many dimensions there are: the same everywhere. */
static rnn_status settle_dimensions(parser *p, size_t n_dims)
{
    time_series *content = p->content;

    if (content->n_dims == 0)
        content->n_dims = n_dims;
    if (content->n_dims != n_dims)
        return fail(p, "expected %zu dimension%s, found %zu", content->n_dims,
                    content->n_dims == 1 ? "" : "s", n_dims);
    return RNN_OK;
}

static rnn_status parse_data(parser *p, char *value);

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

/* "@data": the header is complete. */
static rnn_status parse_data(parser *p, char *value)
{
    (void)value;
    if (p->content->n_classes == 0)
        return fail(p, "expected @classLabel before @data");
    if (p->is_univariate && p->n_dims > 1)
        return fail(p, "@univariate is true, but @dimensions is %zu", p->n_dims);
    if (p->is_univariate)
        p->n_dims = 1;
    return p->n_dims > 0 ? settle_dimensions(p, p->n_dims) : RNN_OK;
}

static rnn_status parse_header_line(parser *p, char *line)
{
    const char *name = next_word(&line);

    if (name[0] != '@')
        return fail(p, "expected a header line, as @classLabel, or @data, found %s",
                    quote(name).text);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcasecmp(name + 1, keys[i].name) != 0)
            continue;
        if ((p->seen >> i & 1u) != 0)
            return fail(p, "@%s for the second time", keys[i].name);
        p->seen |= 1u << i;
        return keys[i].parse(p, line);
    }
    return fail(p, "unknown header line %s", quote(name).text);
}

/* -- Samples ------------------------------------------------------------------------------------*/

static rnn_status fail_value(const parser *p, char *text, size_t dim, size_t i,
                             const char *expected)
{
    text[strcspn(text, ",")] = '\0';
    return fail(p, "dimension %zu, value %zu: expected %s, found %s", dim + 1, i + 1, expected,
                quote(text).text);
}

/* Parses, normalises and appends the number that *at begins with; goes behind it and its comma. */
static rnn_status parse_value(parser *p, char **at, size_t dim, size_t i)
{
    char *text = skip_blanks(*at), *end;
    char *behind = skip_blanks(text + strspn(text, "0123456789+-.eE"));
    double value;
    float scaled;

    if (text[0] == '?' || strncasecmp(text, "nan", 3) == 0)
        return fail_value(p, text, dim, i, "a number, none may be missing");
    value = strtod_l(text, &end, p->c_locale);
    if (end == text || skip_blanks(end) != behind || (*behind != ',' && *behind != '\0'))
        return fail_value(p, text, dim, i, "a number");
    scaled = (float)((value - p->cfg->mean) / p->cfg->std);
    if (!isfinite(scaled))
        return fail_value(p, text, dim, i, "a number in the range of a float");
    RNN_TRY(
        grow((void **)&p->values, &p->values_room, p->n_values, p->n_values + 1, sizeof scaled));
    p->values[p->n_values++] = scaled;
    *at = *behind == ',' ? behind + 1 : NULL;
    return RNN_OK;
}

static rnn_status parse_dimension(parser *p, char *text, size_t dim, size_t *length)
{
    *length = 0;
    if (*skip_blanks(text) == '\0')
        return fail(p, "dimension %zu is empty", dim + 1);
    for (char *at = text; at != NULL; ++*length)
        RNN_TRY(parse_value(p, &at, dim, *length));
    return RNN_OK;
}

/* Cuts `line` into dimensions; *label is what stands behind the last. */
static rnn_status parse_dimensions_of_sample(parser *p, char *line, size_t *length, char **label)
{
    size_t n_dims = 0;

    p->n_values = 0;
    for (char *colon; colon = strchr(line, ':'), colon != NULL; line = colon + 1) {
        size_t n;

        *colon = '\0';
        RNN_TRY(parse_dimension(p, line, n_dims, &n));
        if (n_dims == 0)
            *length = n;
        n_dims++;
        if (n != *length)
            return fail(p, "dimension %zu has %zu values, but the first one %zu", n_dims, n,
                        *length);
    }
    if (n_dims == 0)
        return fail(p, "expected values, ':' and a class, found no ':'");
    *label = trim(line);
    return settle_dimensions(p, n_dims);
}

/* Puts the sample into the set, step by step. */
static rnn_status store(parser *p, size_t length, size_t label)
{
    series_set *set = &p->content->sets[p->split];
    size_t n_dims = p->content->n_dims;
    float *into;

    RNN_TRY(grow((void **)&set->samples, &set->samples_room, set->n_samples, set->n_samples + 1,
                 sizeof *set->samples));
    RNN_TRY(grow((void **)&set->values, &set->values_room, set->n_values,
                 set->n_values + p->n_values, sizeof *set->values));
    into = set->values + set->n_values;
    for (size_t t = 0; t < length; t++)
        for (size_t d = 0; d < n_dims; d++)
            *into++ = p->values[d * length + t];
    set->samples[set->n_samples++] = (sample){set->n_values, (uint32_t)length, (int32_t)label};
    set->n_values += p->n_values;
    return RNN_OK;
}

static rnn_status parse_sample(parser *p, char *line)
{
    size_t length = 0, label;
    char *name = NULL;

    RNN_TRY(parse_dimensions_of_sample(p, line, &length, &name));
    if (p->is_equal_length && p->seq_len == 0)
        p->seq_len = length;
    if (p->is_equal_length && length != p->seq_len)
        return fail(p, "expected %zu values in a dimension, found %zu", p->seq_len, length);
    label = find_class(p->content, name);
    if (label == p->content->n_classes)
        return fail(p, "expected a class of @classLabel, found %s", quote(name).text);
    p->n_samples++;
    if (rnn_reader_limit(p->cfg, p->split, p->n_samples) < p->n_samples)
        return RNN_OK; /* checked, but not in use */
    return store(p, length, label);
}

/* -- A file -------------------------------------------------------------------------------------*/

static rnn_status parse_lines(parser *p)
{
    bool is_there;

    while (true) {
        char *line;

        RNN_TRY(rnn_lines_next(&p->lines, &is_there));
        if (!is_there)
            break;
        line = skip_blanks(p->lines.text);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        RNN_TRY((p->seen >> KEY_DATA & 1u) != 0 ? parse_sample(p, line)
                                                : parse_header_line(p, line));
    }
    if ((p->seen >> KEY_DATA & 1u) == 0)
        return fail(p, "expected @data, found the end of the file");
    return p->n_samples > 0 ? RNN_OK : fail(p, "expected samples, found the end of the file");
}

/* The lengths as the sampler wants them. */
static rnn_status list_lengths(series_set *set)
{
    RNN_TRY(RNN_ALLOC(&set->length, set->n_samples, "the lengths of samples"));
    for (size_t i = 0; i < set->n_samples; i++)
        set->length[i] = set->samples[i].length;
    return RNN_OK;
}

static rnn_status read_file(time_series *content, const rnn_dataset_cfg *cfg, rnn_split split,
                            const char *path)
{
    parser p = {.content = content, .cfg = cfg, .split = split};
    rnn_status st = RNN_OK;

    p.c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (p.c_locale == (locale_t)0)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of '%s'", path);
    RNN_TRY_GOTO(st, rnn_lines_open(&p.lines, path), done);
    RNN_TRY_GOTO(st, parse_lines(&p), done);
    content->sets[split].digest = p.lines.digest;
    st = list_lengths(&content->sets[split]);
done:
    rnn_lines_close(&p.lines);
    rnn_free(p.values);
    freelocale(p.c_locale);
    return st;
}

static rnn_status read_all(time_series *content, const rnn_dataset_cfg *cfg)
{
    char *paths[RNN_N_SPLITS];
    rnn_status st;

    RNN_TRY_GOTO(st, rnn_reader_find_files(&rnn_series_reader, cfg, &content->folder, paths), done);
    if (cfg->fit != NULL)
        RNN_TRY_GOTO(st, adopt_classes(content, cfg->fit), done);
    for (int split = 0; split < RNN_N_SPLITS; split++)
        if (paths[split] != NULL)
            RNN_TRY_GOTO(st, read_file(content, cfg, (rnn_split)split, paths[split]), done);
done:
    for (int split = 0; split < RNN_N_SPLITS; split++)
        rnn_free(paths[split]);
    return st;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static void fill_info(rnn_dataset_info *info, const time_series *content)
{
    static const rnn_split order[RNN_N_SPLITS] = {RNN_SPLIT_TRAIN, RNN_SPLIT_TEST, RNN_SPLIT_VALID};
    uint64_t digests[RNN_N_SPLITS];
    size_t n_digests = 2; /* one of zero for a test file that is not there */

    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        rnn_split split = order[i];
        const series_set *set = &content->sets[split];

        info->n_samples[split] = set->n_samples;
        info->bytes_in_memory += (double)(set->values_room * sizeof *set->values);
        digests[i] = set->digest;
        if (split == RNN_SPLIT_VALID && set->n_samples > 0)
            n_digests++;
    }
    info->folder = content->folder;
    info->name = content->name != NULL ? content->name : "unknown";
    info->n_features = content->n_dims;
    info->target = RNN_TARGET_LABEL;
    info->n_classes = content->n_classes;
    info->digest = rnn_digest(digests, n_digests * sizeof *digests);
}

static void destroy(void *handle)
{
    time_series *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        rnn_free(content->sets[split].values);
        rnn_free(content->sets[split].samples);
        rnn_free(content->sets[split].length);
    }
    rnn_free(content->folder);
    rnn_free(content->name);
    rnn_free(content->class_text);
    rnn_free(content->classes);
    rnn_free(content);
}

static rnn_status open_series(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    time_series *content = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY_GOTO(st, rnn_reader_check_scale(cfg), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&content, 1, "a dataset"), done);
    RNN_TRY_GOTO(st, read_all(content, cfg), done);
    fill_info(info, content);
    *out = content;
    content = NULL;
done:
    destroy(content);
    return st;
}

static const uint32_t *lengths(const void *handle, rnn_split split)
{
    return ((const time_series *)handle)->sets[split].length;
}

static const char *token_text(const void *handle, size_t token)
{
    return ((const time_series *)handle)->classes[token];
}

static rnn_status read_row(const void *handle, rnn_split split, size_t i, size_t row, size_t rows,
                           const rnn_dataset_slice *into)
{
    const time_series *content = handle;
    const series_set *set = &content->sets[split];
    const sample *s = &set->samples[i];
    size_t n_dims = content->n_dims;

    into->label[row] = s->label;
    for (size_t t = 0; t < s->length; t++)
        memcpy(into->x + (t * rows + row) * n_dims, set->values + s->start + t * n_dims,
               n_dims * sizeof *into->x);
    return RNN_OK;
}

static bool recognizes(const unsigned char *bytes, size_t n, const char *path)
{
    size_t length = strlen(path);

    return length > 3 && strcmp(path + length - 3, ".ts") == 0 && n > 0 &&
           (bytes[0] == '@' || bytes[0] == '#');
}

static const char *const format_keys[] = {
    "search",        "train_file",    "valid_file",   "test_file", "mean",
    "std",           "standardize",   "validation",   "test",      "split",
    "train_samples", "valid_samples", "test_samples", NULL};

const rnn_reader rnn_series_reader = {.name = "ts",
                                      .keys = format_keys,
                                      .recognizes = recognizes,
                                      .open = open_series,
                                      .destroy = destroy,
                                      .lengths = lengths,
                                      .token_text = token_text,
                                      .read_row = read_row};
