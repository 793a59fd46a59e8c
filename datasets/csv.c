/*
 * Series in CSV files, for forecasting, regression and tagging: a row is a point in time.
 *
 * A step has the features of `look_back` rows, oldest first; the next step begins one row later. A
 * sample has `window` steps, and the next sample begins `stride` rows later; window 0 makes one
 * sample of as many steps as there are. The target of a step is the `horizon` rows behind its
 * newest row, or, if that is 0, its newest row. With rows a b c d e f, look_back 2, window 3,
 * horizon 1:
 *
 *     features ab bc cd, targets c d e, or only the last of them
 *
 * Training, validation and test rows never meet in a sample, and what is missing in one part is
 * filled in from the same part. Numbers are normalised, targets like inputs, and missing ones are
 * filled in after that. Classes are the texts of one column, numbered in their order among the
 * training rows.
 *
 * For predictions on new data (cfg.needs_no_targets) samples go on to the last row: a target value
 * behind it is NAN, such a label -1, as are missing ones. There are no targets at all if no sample
 * has one: all are behind the last rows, or a column of theirs is not in the files.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "datasets/csv_table.h"
#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

/* Rows of a table that samples are made of. */
typedef struct part {
    const rnn_csv_table *table;
    const char *path; /* for messages */
    size_t first, n_rows, n_samples;
    uint32_t length; /* steps of a sample */
} part;

typedef struct csv_series {
    char *folder;
    char *paths[RNN_N_SPLITS]; /* NULL: no file of its own */
    rnn_csv_table tables[RNN_N_SPLITS];
    part parts[RNN_N_SPLITS];
    rnn_csv_columns columns;
    rnn_class_names classes;
    size_t look_back, window, stride, horizon;
    rnn_target_kind target;
    bool needs_no_targets, has_targets; /* any sample has one */
    double mean, std;                   /* values are (v - mean) / std, targets too */
} csv_series;

/* -- Settings -----------------------------------------------------------------------------------*/

static rnn_target_kind target_of(const rnn_dataset_cfg *cfg)
{
    if (cfg->target == RNN_TARGET_CHOICE_AUTO)
        return cfg->window > 0 ? RNN_TARGET_VALUES : RNN_TARGET_STEP_VALUES;
    return (rnn_target_kind)(cfg->target - RNN_TARGET_CHOICE_LABEL);
}

static rnn_status check_range(const char *key, size_t value, size_t least)
{
    if (value < least || value > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.%s is %zu: expected %zu to %d rows", key, value,
                        least, INT32_MAX);
    return RNN_OK;
}

static rnn_status take_settings(csv_series *content, const rnn_dataset_cfg *cfg)
{
    RNN_TRY(rnn_reader_check_scale(cfg));
    RNN_TRY(check_range("look_back", cfg->look_back, 1));
    RNN_TRY(check_range("window", cfg->window, 0));
    RNN_TRY(check_range("stride", cfg->stride, 1));
    RNN_TRY(check_range("horizon", cfg->horizon, 0));
    content->look_back = cfg->look_back;
    content->window = cfg->window;
    content->stride = cfg->stride;
    content->horizon = cfg->horizon;
    content->target = target_of(cfg);
    content->needs_no_targets = cfg->needs_no_targets;
    content->mean = cfg->mean;
    content->std = cfg->std;
    if (rnn_target_is_label(content->target) && cfg->horizon > 1)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.horizon is %zu: expected 0 or 1 for targets that are classes",
                        cfg->horizon);
    return RNN_OK;
}

/* -- Files --------------------------------------------------------------------------------------*/

static rnn_status find_files(csv_series *content, const rnn_dataset_cfg *cfg)
{
    bool has_any = false;

    for (int split = 0; split < RNN_N_SPLITS; split++)
        has_any = has_any || cfg->file[split][0] != '\0';
    if (!has_any || (cfg->file[RNN_SPLIT_TRAIN][0] == '\0' && cfg->fit == NULL))
        return RNN_FAIL(RNN_ERR_DATA, "dataset.train_file: expected a file's name, found none");
    return rnn_reader_find_files(&rnn_table_reader, cfg, &content->folder, content->paths);
}

/* The first file that is read says which columns there are. */
static rnn_status read_file(csv_series *content, const rnn_dataset_cfg *cfg, size_t split)
{
    rnn_csv_layout layout;
    rnn_status st;

    RNN_TRY(rnn_csv_layout_read(&layout, content->paths[split]));
    if (content->columns.stored == NULL)
        RNN_TRY_GOTO(st,
                     rnn_csv_columns_choose(&content->columns, &layout, cfg,
                                            rnn_target_is_label(content->target)),
                     done);
    st = rnn_csv_table_read(&content->tables[split], &content->classes, &content->columns, &layout,
                            cfg);
done:
    rnn_csv_layout_free(&layout);
    return st;
}

static void set_part(csv_series *content, rnn_split split, size_t file, size_t first, size_t n_rows)
{
    content->parts[split].table = &content->tables[file];
    content->parts[split].path = content->paths[file];
    content->parts[split].first = first;
    content->parts[split].n_rows = n_rows;
}

/* The training file's rows, in order: for training, and for what has no file of its own. */
static rnn_status divide(csv_series *content, const rnn_dataset_cfg *cfg)
{
    const rnn_csv_table *table = &content->tables[RNN_SPLIT_TRAIN];
    size_t count[RNN_N_SPLITS], first = 0;

    RNN_TRY(rnn_reader_divide(cfg, content->paths[RNN_SPLIT_TRAIN], table->n_rows, count));
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        set_part(content, (rnn_split)split, RNN_SPLIT_TRAIN, first, count[split]);
        first += count[split];
    }
    return RNN_OK;
}

/* Only what the training rows have can be learned. */
static rnn_status check_classes(const csv_series *content)
{
    size_t n_training = content->parts[RNN_SPLIT_TRAIN].n_rows;
    const rnn_class_names *classes = &content->classes;
    const rnn_csv_column *column = &content->columns.label;

    for (size_t i = 0; i < classes->n; i++)
        if (classes->names[i].first >= n_training)
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s:%zu: column %s: expected a class that the training part has, its "
                            "first %zu rows, found %s",
                            content->paths[RNN_SPLIT_TRAIN], classes->names[i].line,
                            rnn_csv_column_title(column).text, n_training,
                            rnn_excerpt_of(classes->names[i].text).text);
    if (classes->n == 0 && !content->needs_no_targets)
        return RNN_FAIL(RNN_ERR_DATA, "%s: column %s: expected classes, found none",
                        content->paths[RNN_SPLIT_TRAIN], rnn_csv_column_title(column).text);
    return RNN_OK;
}

static rnn_status read_training(csv_series *content, const rnn_dataset_cfg *cfg)
{
    const rnn_csv_table *table = &content->tables[RNN_SPLIT_TRAIN];

    RNN_TRY(read_file(content, cfg, RNN_SPLIT_TRAIN));
    RNN_TRY(divide(content, cfg));
    if (!rnn_target_is_label(content->target) || content->classes.are_complete)
        return RNN_OK;
    RNN_TRY(check_classes(content));
    return rnn_class_names_complete(&content->classes, table->labels, table->n_rows);
}

static rnn_status read_all(csv_series *content, const rnn_dataset_cfg *cfg)
{
    if (rnn_target_is_label(content->target) && cfg->fit != NULL)
        RNN_TRY(rnn_class_names_take(&content->classes, cfg->fit->texts, cfg->fit->n_texts));
    if (content->paths[RNN_SPLIT_TRAIN] != NULL)
        RNN_TRY(read_training(content, cfg));
    for (int split = RNN_SPLIT_VALID; split < RNN_N_SPLITS; split++) {
        if (content->paths[split] == NULL)
            continue;
        RNN_TRY(read_file(content, cfg, (size_t)split));
        set_part(content, (rnn_split)split, (size_t)split, 0, content->tables[split].n_rows);
    }
    return RNN_OK;
}

/* -- Parts --------------------------------------------------------------------------------------*/

/* What may stay missing is 0 in the end. */
static void impute(const csv_series *content, const part *p, rnn_missing missing)
{
    size_t n_columns = content->columns.n_stored;

    if (missing == RNN_MISSING_REFUSE) /* all that is left are targets that need not be */
        missing = RNN_MISSING_ZERO;
    for (size_t i = 0; i < n_columns && p->n_rows > 0; i++)
        rnn_reader_impute(missing, p->table->values + p->first * n_columns + i, p->n_rows,
                          n_columns);
}

/* Rows that the first sample takes if it has `window` steps. */
static size_t rows_for(const csv_series *content, size_t window)
{
    return window + content->look_back - 1 + (content->needs_no_targets ? 0 : content->horizon);
}

static rnn_status fail_short(const csv_series *content, const part *p, rnn_split split)
{
    size_t window = content->window > 0 ? content->window : 1;

    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: the %s part has %zu row%s, but a sample takes at least %zu: %zu step%s of "
                    "look_back %zu, and horizon %zu",
                    p->path, rnn_split_name(split), p->n_rows, p->n_rows == 1 ? "" : "s",
                    rows_for(content, window), window, window == 1 ? "" : "s", content->look_back,
                    content->horizon);
}

static rnn_status count_samples(csv_series *content, const rnn_dataset_cfg *cfg, rnn_split split)
{
    part *p = &content->parts[split];
    size_t shortest = rows_for(content, content->window > 0 ? content->window : 1);
    size_t length = content->window;

    if (p->n_rows == 0 && content->paths[split] == NULL)
        return RNN_OK;
    if (p->n_rows < shortest)
        return fail_short(content, p, split);
    p->n_samples = content->window > 0 ? (p->n_rows - shortest) / content->stride + 1 : 1;
    p->n_samples = rnn_reader_limit(cfg, split, p->n_samples);
    if (content->window == 0)
        length = p->n_rows - shortest + 1;
    if (length > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: the %s part has %zu rows: expected at most %d steps in a sample, as "
                        "dataset.window may say",
                        p->path, rnn_split_name(split), p->n_rows, INT32_MAX);
    p->length = (uint32_t)length;
    return RNN_OK;
}

/* Whether the first sample, and so any, has a target among the rows. */
static bool has_targets(const csv_series *content, const part *p)
{
    size_t step = rnn_target_is_per_step(content->target) ? 0 : p->length - 1;

    return p->n_samples > 0 && p->table->has_targets &&
           step + content->look_back - 1 + content->horizon < p->n_rows;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static rnn_status fill_info(rnn_dataset_info *info, const csv_series *content)
{
    const rnn_csv_columns *columns = &content->columns;
    uint64_t digests[RNN_N_SPLITS];

    info->folder = content->folder;
    info->name = "unknown";
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        const rnn_csv_table *table = &content->tables[split];

        info->n_samples[split] = content->parts[split].n_samples;
        digests[split] = table->digest;
        info->bytes_in_memory += (double)(table->values_room * sizeof *table->values) +
                                 (double)(table->labels_room * sizeof *table->labels);
    }
    info->digest = rnn_digest(digests, sizeof digests);
    info->seq_len = content->window; /* if that is 0, the lengths tell */
    info->target = content->target;
    info->has_targets = content->has_targets;
    RNN_TRY(rnn_size_multiply(&info->n_features, columns->n_inputs, content->look_back,
                              "the features of a step"));
    if (rnn_target_is_label(content->target)) {
        info->n_classes = content->classes.n;
        return RNN_OK;
    }
    info->target_scale = content->std;
    info->target_offset = content->mean;
    return rnn_size_multiply(&info->n_target_values, columns->n_targets,
                             content->horizon > 0 ? content->horizon : 1, "the values of a target");
}

static void destroy(void *handle)
{
    csv_series *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        rnn_csv_table_free(&content->tables[split]);
        rnn_free(content->paths[split]);
    }
    rnn_csv_columns_free(&content->columns);
    rnn_class_names_free(&content->classes);
    rnn_free(content->folder);
    rnn_free(content);
}

static rnn_status open_csv(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    csv_series *content;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    RNN_TRY_GOTO(st, take_settings(content, cfg), done);
    RNN_TRY_GOTO(st, find_files(content, cfg), done);
    RNN_TRY_GOTO(st, read_all(content, cfg), done);
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        RNN_TRY_GOTO(st, count_samples(content, cfg, (rnn_split)split), done);
        impute(content, &content->parts[split], cfg->missing);
        content->has_targets = content->has_targets || has_targets(content, &content->parts[split]);
    }
    RNN_TRY_GOTO(st, fill_info(info, content), done);
    *out = content;
    content = NULL;
done:
    destroy(content);
    return st;
}

static const uint32_t *lengths(const void *handle, rnn_split split)
{
    const csv_series *content = handle;

    return content->window == 0 ? &content->parts[split].length : NULL;
}

static const char *token_text(const void *handle, size_t token)
{
    return ((const csv_series *)handle)->classes.texts[token];
}

/* -- Rows of a slice ----------------------------------------------------------------------------*/

/* The features of the step whose oldest row is `row` of the table. */
static void write_features(const csv_series *content, const part *p, size_t row, float *into)
{
    const rnn_csv_columns *columns = &content->columns;

    for (size_t back = 0; back < content->look_back; back++) {
        const float *values = p->table->values + (row + back) * columns->n_stored;

        for (size_t i = 0; i < columns->n_inputs; i++)
            *into++ = values[columns->input[i]];
    }
}

/* The target of the step whose newest row is `newest` of the table; NAN behind the part's rows. */
static void write_values(const csv_series *content, const part *p, size_t newest, float *into)
{
    const rnn_csv_columns *columns = &content->columns;
    size_t n_ahead = content->horizon > 0 ? content->horizon : 1;
    size_t first = newest + (content->horizon > 0);

    for (size_t row = first; row < first + n_ahead; row++) {
        bool is_known = p->table->has_targets && row < p->first + p->n_rows;
        size_t start = row * columns->n_stored;

        for (size_t i = 0; i < columns->n_targets; i++)
            *into++ = is_known ? p->table->values[start + columns->target[i]] : NAN;
    }
}

static int32_t label_of(const csv_series *content, const part *p, size_t newest)
{
    size_t row = newest + content->horizon;

    return row < p->first + p->n_rows ? p->table->labels[row] : -1;
}

/* `place` is that of the target in the slice: row, or t * rows + row. */
static void write_target(const csv_series *content, const part *p, size_t newest, size_t place,
                         const rnn_dataset_slice *into)
{
    size_t n_ahead = content->horizon > 0 ? content->horizon : 1;

    if (rnn_target_is_label(content->target))
        into->label[place] = label_of(content, p, newest);
    else
        write_values(content, p, newest,
                     into->target + place * n_ahead * content->columns.n_targets);
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const csv_series *content = handle;
    const part *p = &content->parts[split];
    size_t n_features = content->look_back * content->columns.n_inputs;
    size_t first = p->first + sample * content->stride, newest = first + content->look_back - 1;

    for (size_t t = 0; t < p->length; t++)
        write_features(content, p, first + t, into->x + (t * rows + row) * n_features);
    if (!content->has_targets)
        return RNN_OK;
    if (!rnn_target_is_per_step(content->target))
        write_target(content, p, newest + p->length - 1, row, into);
    for (size_t t = 0; rnn_target_is_per_step(content->target) && t < p->length; t++)
        write_target(content, p, newest + t, t * rows + row, into);
    return RNN_OK;
}

/* -- The reader ---------------------------------------------------------------------------------*/

static bool recognizes(const unsigned char *bytes, size_t n, const char *path)
{
    const char *end = strrchr(path, '.');

    if (end == NULL || (strcasecmp(end, ".csv") != 0 && strcasecmp(end, ".tsv") != 0))
        return false;
    for (size_t i = 0; i < n; i++)
        if (iscntrl(bytes[i]) && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n')
            return false;
    return n > 0;
}

static const char *const keys[] = {"search",        "train_file",
                                   "valid_file",    "test_file",
                                   "columns",       "target_columns",
                                   "look_back",     "window",
                                   "stride",        "horizon",
                                   "target",        "missing",
                                   "mean",          "std",
                                   "standardize",   "standardize_targets",
                                   "validation",    "test",
                                   "train_samples", "valid_samples",
                                   "test_samples",  NULL};

const rnn_reader rnn_table_reader = {.name = "csv",
                                     .keys = keys,
                                     .splits_itself = true,
                                     .recognizes = recognizes,
                                     .open = open_csv,
                                     .destroy = destroy,
                                     .lengths = lengths,
                                     .token_text = token_text,
                                     .read_row = read_row};
