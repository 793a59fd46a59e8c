/*
 * Sequences in HDF5 files, as h5py writes them: an array of inputs, one of targets, and for
 * sequences of different lengths one of lengths. A split is a file, or a group of one that other
 * splits share: "data.h5:/test". N samples of at most T steps with F features:
 *
 *     x        [N][T][F], or [N][T] of one feature
 *     lengths  [N] integers from 1 to T; without them, all samples have T steps
 *     y        integers: [N] a label for each sample, [N][T] for each step; below 0 is none
 *              floats:   [N] or [N][K] K values for each sample, [N][T][K] for each step
 *
 * If lengths has another number of samples than x, x holds the samples one after another without
 * padding: [sum of lengths][F], or [sum of lengths], and what is said of steps in y has one row for
 * each step of x: [sum] integers, [sum][K] floats. An array named "lengths" is used without being
 * asked for. What y is taken for can be chosen where its shape allows both: floats [N][T] as one
 * value for each step, integers as values.
 *
 * Numbers may be of any size and byte order. Inputs are read while they are used: only labels and
 * lengths of samples stay in memory. Data in one piece, or in chunks of a few whole samples, suit
 * that best: a compressed chunk is decompressed as a whole for any part of it.
 *
 * Everything that can be known of a file before its values are read is checked, and chunks that
 * went through filters are decoded here, not by libhdf5.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "datasets/hdf5_split.h"
#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct hdf5_data {
    char *folder;
    rnn_hdf5_split splits[RNN_N_SPLITS];
    double mean, std;
    rnn_target_kind target;
    bool has_targets, is_ragged;
    uint32_t *length[RNN_N_SPLITS]; /* of splits that lack lengths beside others that do not */
} hdf5_data;

/* -- Files --------------------------------------------------------------------------------------*/

/* "FILE:/GROUP" taken apart; rnn_alloc memory, NULL for a split without a file. */
typedef struct places {
    char *file[RNN_N_SPLITS], *path[RNN_N_SPLITS];
    const char *group[RNN_N_SPLITS]; /* in `file` */
} places;

static rnn_status take_apart(places *p, rnn_split split, const char *name)
{
    char *colon = NULL;

    RNN_TRY(rnn_string_copy(&p->file[split], name));
    for (char *c = p->file[split]; c = strstr(c, ":/"), c != NULL; c++)
        colon = c;
    p->group[split] = "/";
    if (colon != NULL) {
        *colon = '\0';
        p->group[split] = colon + 1;
    }
    return RNN_OK;
}

static rnn_status find_files(hdf5_data *d, places *p, const rnn_dataset_cfg *cfg)
{
    rnn_dataset_cfg plain = *cfg;

    for (int i = 0; i < RNN_N_SPLITS; i++) {
        if (cfg->file[i][0] == '\0')
            continue;
        RNN_TRY(take_apart(p, (rnn_split)i, cfg->file[i]));
        plain.file[i] = p->file[i];
    }
    return rnn_reader_find_files(&rnn_hdf5_reader, &plain, &d->folder, p->path);
}

static rnn_status open_files(hdf5_data *d, const rnn_dataset_cfg *cfg)
{
    places p = {.path = {NULL}};
    rnn_status st;
    size_t n_files = 0;

    for (int i = 0; i < RNN_N_SPLITS; i++)
        n_files += cfg->file[i][0] != '\0';
    if (n_files == 0 || (cfg->file[RNN_SPLIT_TRAIN][0] == '\0' && cfg->fit == NULL))
        return RNN_FAIL(RNN_ERR_DATA, "dataset.train_file: expected the name of an HDF5 file");
    RNN_TRY_GOTO(st, find_files(d, &p, cfg), done);
    for (int i = 0; i < RNN_N_SPLITS; i++)
        if (p.path[i] != NULL)
            RNN_TRY_GOTO(st, rnn_hdf5_split_open(&d->splits[i], p.path[i], p.group[i], cfg), done);
done:
    for (int i = 0; i < RNN_N_SPLITS; i++) {
        rnn_free(p.file[i]);
        rnn_free(p.path[i]);
    }
    return st;
}

/* -- What the splits have in common -------------------------------------------------------------*/

static const char *where(const rnn_hdf5_split *s)
{
    return rnn_hdf5_array_get_info(s->x)->where;
}

static rnn_status compare(const rnn_hdf5_split *a, const rnn_hdf5_split *b, bool has_targets)
{
    if (a->n_features != b->n_features)
        return rnn_hdf5_refuse(b->x, "has %zu features, but %s has %zu", b->n_features, where(a),
                               a->n_features);
    if (!has_targets)
        return RNN_OK;
    if (a->target != b->target || a->n_target_values != b->n_target_values)
        return rnn_hdf5_refuse(b->y, "is %s, another kind of target than %s of %s",
                               rnn_hdf5_array_get_info(b->y)->shape,
                               rnn_hdf5_array_get_info(a->y)->where,
                               rnn_hdf5_array_get_info(a->y)->shape);
    return RNN_OK;
}

/* Lengths for a split that has none. */
static rnn_status make_lengths(hdf5_data *d, rnn_split split)
{
    const rnn_hdf5_split *s = &d->splits[split];

    RNN_TRY(RNN_ALLOC(&d->length[split], s->n_samples, "the lengths of samples"));
    for (size_t i = 0; i < s->n_samples; i++)
        d->length[split][i] = (uint32_t)s->n_steps;
    return RNN_OK;
}

/* There are targets if all splits have them. */
static void settle_target(hdf5_data *d)
{
    d->has_targets = true;
    for (int i = 0; i < RNN_N_SPLITS; i++) {
        const rnn_hdf5_split *s = &d->splits[i];

        if (s->x == NULL || !d->has_targets)
            continue;
        d->has_targets = s->y != NULL;
        d->target = s->target;
    }
}

/* Also sees to it that, if samples differ in length, all splits have lengths. */
static rnn_status compare_splits(hdf5_data *d, const rnn_hdf5_split **first)
{
    *first = NULL;
    settle_target(d);
    for (int i = 0; i < RNN_N_SPLITS; i++) {
        const rnn_hdf5_split *s = &d->splits[i];

        if (s->x == NULL)
            continue;
        *first = *first != NULL ? *first : s;
        d->is_ragged = d->is_ragged || s->length != NULL || s->n_steps != (*first)->n_steps;
        RNN_TRY(compare(*first, s, d->has_targets));
    }
    for (int i = 0; i < RNN_N_SPLITS; i++)
        if (d->is_ragged && d->splits[i].x != NULL && d->splits[i].length == NULL)
            RNN_TRY(make_lengths(d, (rnn_split)i));
    return RNN_OK;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static double bytes_in_memory(const hdf5_data *d, rnn_split split)
{
    const rnn_hdf5_split *s = &d->splits[split];
    size_t each = (s->length != NULL || d->length[split] != NULL ? sizeof *s->length : 0) +
                  (s->start != NULL ? sizeof *s->start : 0) +
                  (s->label != NULL ? sizeof *s->label : 0);
    double caches = (double)rnn_hdf5_array_get_info(s->x)->n_cache;

    if (s->y != NULL)
        caches += (double)rnn_hdf5_array_get_info(s->y)->n_cache;
    return caches + (double)each * (double)s->n_samples;
}

static rnn_status add_split(rnn_dataset_info *info, hdf5_data *d, rnn_split split,
                            const rnn_dataset_cfg *cfg)
{
    rnn_hdf5_split *s = &d->splits[split];
    uint64_t both[2];

    info->n_samples[split] = rnn_reader_limit(cfg, split, s->n_samples);
    RNN_TRY(rnn_hdf5_split_sample_inputs(s, info->n_samples[split]));
    if (d->has_targets && s->n_classes > info->n_classes)
        info->n_classes = s->n_classes;
    if (!d->is_ragged)
        info->seq_len = s->n_steps;
    info->bytes_in_memory += bytes_in_memory(d, split);
    both[0] = info->digest;
    both[1] = s->digest;
    info->digest = rnn_digest(both, sizeof both);
    return RNN_OK;
}

static rnn_status fill_info(rnn_dataset_info *info, hdf5_data *d, const rnn_dataset_cfg *cfg)
{
    const rnn_hdf5_split *first;

    RNN_TRY(compare_splits(d, &first));
    info->folder = d->folder;
    info->name = "unknown";
    info->n_features = first->n_features;
    info->target = d->target;
    info->has_targets = d->has_targets;
    info->n_target_values = d->has_targets ? first->n_target_values : 0;
    for (int i = 0; i < RNN_N_SPLITS; i++)
        if (d->splits[i].x != NULL)
            RNN_TRY(add_split(info, d, (rnn_split)i, cfg));
    if (d->has_targets && info->n_classes == 0 && info->n_target_values == 0)
        return rnn_hdf5_refuse(first->y, "has no label that is not below 0");
    return RNN_OK;
}

static void destroy(void *handle)
{
    hdf5_data *d = handle;

    if (d == NULL)
        return;
    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        rnn_hdf5_split_close(&d->splits[i]);
        rnn_free(d->length[i]);
    }
    rnn_free(d->folder);
    rnn_free(d);
}

static rnn_status open_data(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    hdf5_data *d = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY(rnn_reader_check_scale(cfg));
    RNN_TRY(RNN_ALLOC(&d, 1, "a dataset"));
    d->mean = cfg->mean;
    d->std = cfg->std;
    RNN_TRY_GOTO(st, open_files(d, cfg), done);
    RNN_TRY_GOTO(st, fill_info(info, d, cfg), done);
    *out = d;
    d = NULL;
done:
    destroy(d);
    return st;
}

static const uint32_t *lengths(const void *handle, rnn_split split)
{
    const hdf5_data *d = handle;

    return d->length[split] != NULL ? d->length[split] : d->splits[split].length;
}

static bool recognizes(const unsigned char *bytes, size_t n, const char *path)
{
    (void)path;
    return rnn_hdf5_has_signature(bytes, n);
}

/* -- Assembling ---------------------------------------------------------------------------------*/

/* from [n_steps][size] to [n_steps][rows][size], row `row` of each. */
static void spread(const float *from, size_t n_steps, size_t size, size_t row, size_t rows,
                   float *to)
{
    for (size_t t = 0; t < n_steps; t++)
        memcpy(to + (t * rows + row) * size, from + t * size, size * sizeof *to);
}

static void spread_labels(const int32_t *from, size_t n_steps, size_t row, size_t rows, int32_t *to)
{
    for (size_t t = 0; t < n_steps; t++)
        to[t * rows + row] = from[t];
}

static rnn_status read_step_labels(const rnn_hdf5_split *s, size_t sample, size_t row, size_t rows,
                                   int32_t *to)
{
    size_t length = rnn_hdf5_split_length(s, sample);
    int32_t *labels;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&labels, length, "the labels of a sample"));
    st = rnn_hdf5_split_read_labels(s, sample, labels);
    if (st == RNN_OK)
        spread_labels(labels, length, row, rows, to);
    rnn_free(labels);
    return st;
}

/* `scratch` has room for the values of a target. */
static rnn_status read_target(const hdf5_data *d, const rnn_hdf5_split *s, size_t sample,
                              size_t row, size_t rows, float *scratch,
                              const rnn_dataset_slice *into)
{
    size_t length = rnn_hdf5_split_length(s, sample), n = s->n_target_values;
    size_t n_steps = rnn_target_is_per_step(d->target) ? length : 1;

    if (!d->has_targets)
        return RNN_OK;
    if (d->target == RNN_TARGET_LABEL) {
        into->label[row] = s->label[sample];
        return RNN_OK;
    }
    if (d->target == RNN_TARGET_STEP_LABEL)
        return read_step_labels(s, sample, row, rows, into->label);
    RNN_TRY(rnn_hdf5_split_read_values(s, sample, scratch));
    spread(scratch, n_steps, n, row, rows, into->target);
    return RNN_OK;
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const hdf5_data *d = handle;
    const rnn_hdf5_split *s = &d->splits[split];
    size_t length = rnn_hdf5_split_length(s, sample);
    float *scratch;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&scratch, rnn_hdf5_split_room(s, length), "a sample"));
    RNN_TRY_GOTO(st, rnn_hdf5_split_read_x(s, sample, d->mean, d->std, scratch), done);
    spread(scratch, length, s->n_features, row, rows, into->x);
    st = read_target(d, s, sample, row, rows, scratch, into);
done:
    rnn_free(scratch);
    return st;
}

static const char *const keys[] = {
    "search",
    "train_file",
    "valid_file",
    "test_file",
    "x",
    "y",
    "lengths",
    "target",
    "mean",
    "std",
    "standardize",
    "standardize_targets",
    "validation",
    "test",
    "split",
    "train_samples",
    "valid_samples",
    "test_samples",
    NULL,
};

const rnn_reader rnn_hdf5_reader = {
    .reads_late = true,
    .name = "hdf5",
    .keys = keys,
    .recognizes = recognizes,
    .open = open_data,
    .destroy = destroy,
    .lengths = lengths,
    .read_row = read_row,
};
