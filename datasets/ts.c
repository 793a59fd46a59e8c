/*
 * Time series of the UCR and UEA archives (https://www.timeseriesclassification.com) and of the
 * archive of regression problems (http://tseregression.org), one file for training and one for
 * testing. A header of "@key value" lines ends with "@data"; then every line is a sample: its
 * dimensions separated by ":", their values by ",", and its class or target at the end.
 *
 *     @problemName JapaneseVowels
 *     @univariate false
 *     @dimensions 2
 *     @classLabel true 1 2
 *     @data
 *     1.8,1.9,1.7:-0.2,-0.1,0.4:1
 *
 * "#" begins a comment line, and other keys mean nothing. Values must be finite and without time
 * stamps, and all dimensions of a sample have the same number of them; samples may differ in
 * length. Missing ones, "?" or "NaN", are refused or filled in, within their dimension and after
 * normalisation. Classes are numbered in the order of the training file's @classLabel, and found by
 * name in other files. "@targetLabel true" stands for a number as target.
 *
 * Where targets are not needed, they may be missing as values are, or empty, and files may have
 * none at all: neither key is true, or samples have just as many fields as there are dimensions.
 */
#include <math.h>
#include <string.h>

#include "datasets/excerpt.h"
#include "datasets/lines.h"
#include "datasets/reader.h"
#include "datasets/ts_header.h"
#include "datasets/ts_samples.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct time_series {
    char *folder;
    char *name; /* NULL if no file has one */
    size_t n_dims;
    rnn_ts_target target;
    bool has_targets; /* any sample has one */
    char **classes;   /* [n_classes] names by number */
    size_t n_classes;
    rnn_ts_set sets[RNN_N_SPLITS];
} time_series;

/* -- What files have in common ------------------------------------------------------------------*/

static rnn_status copy_classes(time_series *content, const char *const *names, size_t n)
{
    RNN_TRY(RNN_ALLOC(&content->classes, n, "the classes"));
    for (; content->n_classes < n; content->n_classes++)
        RNN_TRY(rnn_string_copy(&content->classes[content->n_classes], names[content->n_classes]));
    return RNN_OK;
}

/* A trained model with names has learned classes, others values. */
static rnn_status adopt_fit(time_series *content, const rnn_dataset_fit *fit)
{
    content->target = fit->n_texts > 0 ? RNN_TS_CLASS : RNN_TS_VALUE;
    return copy_classes(content, (const char *const *)fit->texts, fit->n_texts);
}

static rnn_status agree_on_target(time_series *content, const rnn_ts_header *header,
                                  const rnn_lines *lines, const rnn_dataset_cfg *cfg)
{
    static const char *const names[] = {"no targets", "classes", "values as targets"};

    if (header->target == RNN_TS_NOTHING)
        return cfg->needs_no_targets
                   ? RNN_OK
                   : rnn_ts_fail(lines, "expected @classLabel or @targetLabel to be true before "
                                        "@data: there is nothing to learn");
    if (content->target == RNN_TS_NOTHING)
        content->target = header->target;
    if (content->target != header->target)
        return rnn_ts_fail(lines, "expected %s as %s, found %s", names[content->target],
                           cfg->fit != NULL ? "the model was trained on" : "in the training file",
                           names[header->target]);
    return RNN_OK;
}

/* Finds the numbers of a file's classes, [n_classes] by their place in its header. */
static rnn_status number_classes(time_series *content, const rnn_ts_header *header,
                                 const rnn_lines *lines, const rnn_dataset_cfg *cfg,
                                 int32_t *numbers)
{
    if (header->n_classes > 0 && content->n_classes == 0)
        RNN_TRY(copy_classes(content, header->classes, header->n_classes));
    for (size_t i = 0; i < header->n_classes; i++) {
        size_t number = rnn_ts_find_class((const char *const *)content->classes, content->n_classes,
                                          header->classes[i]);

        if (number == content->n_classes)
            return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: class %s is none %s", lines->path,
                            header->class_line, rnn_excerpt_of(header->classes[i]).text,
                            cfg->fit != NULL ? "that the model was trained on"
                                             : "of the training file");
        numbers[i] = (int32_t)number;
    }
    return RNN_OK;
}

static rnn_status take_name(time_series *content, const rnn_ts_header *header)
{
    if (content->name != NULL || header->name == NULL)
        return RNN_OK;
    return rnn_string_copy(&content->name, header->name);
}

/* -- A file -------------------------------------------------------------------------------------*/

static rnn_status read_samples(time_series *content, const rnn_dataset_cfg *cfg, rnn_split split,
                               const rnn_ts_header *header, rnn_lines *lines)
{
    int32_t *numbers = NULL;
    rnn_status st;

    RNN_TRY(agree_on_target(content, header, lines, cfg));
    if (header->n_dims > 0)
        RNN_TRY(rnn_ts_settle_dimensions(&content->n_dims, header->n_dims, lines));
    RNN_TRY(take_name(content, header));
    RNN_TRY(RNN_ALLOC(&numbers, header->n_classes, "the classes"));
    st = number_classes(content, header, lines, cfg, numbers);
    if (st == RNN_OK)
        st = rnn_ts_set_read(&content->sets[split], lines,
                             &(rnn_ts_task){.cfg = cfg,
                                            .split = split,
                                            .header = header,
                                            .number = numbers,
                                            .n_dims = &content->n_dims});
    rnn_free(numbers);
    return st;
}

static rnn_status read_file(time_series *content, const rnn_dataset_cfg *cfg, rnn_split split,
                            const char *path)
{
    rnn_lines lines = {0};
    rnn_ts_header header = {0};
    rnn_status st;

    RNN_TRY_GOTO(st, rnn_lines_open(&lines, path), done);
    RNN_TRY_GOTO(st, rnn_ts_header_read(&header, &lines), done);
    st = read_samples(content, cfg, split, &header, &lines);
done:
    rnn_ts_header_free(&header);
    rnn_lines_close(&lines);
    return st;
}

static rnn_status read_all(time_series *content, const rnn_dataset_cfg *cfg)
{
    char *paths[RNN_N_SPLITS];
    rnn_status st;

    RNN_TRY_GOTO(st, rnn_reader_find_files(&rnn_series_reader, cfg, &content->folder, paths), done);
    if (cfg->fit != NULL)
        RNN_TRY_GOTO(st, adopt_fit(content, cfg->fit), done);
    for (int split = 0; split < RNN_N_SPLITS; split++)
        if (paths[split] != NULL)
            RNN_TRY_GOTO(st, read_file(content, cfg, (rnn_split)split, paths[split]), done);
done:
    for (int split = 0; split < RNN_N_SPLITS; split++)
        rnn_free(paths[split]);
    return st;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static bool find_target(const time_series *content)
{
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        const rnn_ts_set *set = &content->sets[split];

        for (size_t i = 0; i < set->n_samples; i++)
            if (set->samples[i].label >= 0 || !isnan(set->samples[i].value))
                return true;
    }
    return false;
}

static void fill_info(rnn_dataset_info *info, const time_series *content)
{
    static const rnn_split order[RNN_N_SPLITS] = {RNN_SPLIT_TRAIN, RNN_SPLIT_TEST, RNN_SPLIT_VALID};
    uint64_t digests[RNN_N_SPLITS];
    size_t n_digests = 2; /* one of zero for a test file that is not there */

    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        rnn_split split = order[i];
        const rnn_ts_set *set = &content->sets[split];

        info->n_samples[split] = set->n_samples;
        info->bytes_in_memory += (double)(set->values_room * sizeof *set->values);
        digests[i] = set->digest;
        if (split == RNN_SPLIT_VALID && set->n_samples > 0)
            n_digests++;
    }
    info->folder = content->folder;
    info->name = content->name != NULL ? content->name : "unknown";
    info->n_features = content->n_dims;
    info->target = content->target == RNN_TS_VALUE ? RNN_TARGET_VALUES : RNN_TARGET_LABEL;
    info->has_targets = content->has_targets;
    info->n_classes = content->n_classes;
    info->n_target_values = content->target == RNN_TS_VALUE ? 1 : 0;
    info->digest = rnn_digest(digests, n_digests * sizeof *digests);
}

static void destroy(void *handle)
{
    time_series *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < RNN_N_SPLITS; split++)
        rnn_ts_set_free(&content->sets[split]);
    for (size_t i = 0; i < content->n_classes; i++)
        rnn_free(content->classes[i]);
    rnn_free(content->classes);
    rnn_free(content->folder);
    rnn_free(content->name);
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
    content->has_targets = find_target(content);
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
    const rnn_ts_set *set = &content->sets[split];
    const rnn_ts_sample *s = &set->samples[i];
    size_t n_dims = content->n_dims;

    if (content->has_targets && content->target == RNN_TS_VALUE)
        into->target[row] = s->value;
    else if (content->has_targets)
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
    "search",        "train_file",          "valid_file",   "test_file",  "mean", "std",
    "standardize",   "standardize_targets", "missing",      "validation", "test", "split",
    "train_samples", "valid_samples",       "test_samples", NULL};

const rnn_reader rnn_series_reader = {.name = "ts",
                                      .keys = format_keys,
                                      .recognizes = recognizes,
                                      .open = open_series,
                                      .destroy = destroy,
                                      .lengths = lengths,
                                      .token_text = token_text,
                                      .read_row = read_row};
