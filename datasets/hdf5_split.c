#include "datasets/hdf5_split.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

/* Values read at a time while an array is scanned; samples of the inputs in the digest. */
enum { BLOCK_VALUES = 1 << 18, N_DIGEST_SAMPLES = 256 };

static const int64_t MAX_LABEL = INT32_MAX - 1, MAX_STEPS = INT32_MAX;

static const rnn_hdf5_array_info *info_of(const rnn_hdf5_array *array)
{
    return rnn_hdf5_array_get_info(array);
}

static void mix(uint64_t *digest, const void *bytes, size_t n_bytes)
{
    const uint64_t both[] = {*digest, rnn_digest(bytes, n_bytes)};

    *digest = rnn_digest(both, sizeof both);
}

/* Type and shape; the content is added where it is read. */
static void mix_array(uint64_t *digest, const rnn_hdf5_array *array)
{
    const rnn_hdf5_array_info *info = info_of(array);
    const uint64_t facts[] = {info->is_integer, info->value_size, info->n_dims,
                              info->dims[0],    info->dims[1],    info->dims[2]};

    mix(digest, facts, sizeof facts);
}

/* Rows to read at a time, at least one. */
static size_t block_rows(const rnn_hdf5_array *array)
{
    size_t row_size = rnn_hdf5_array_row_size(array);

    return row_size < BLOCK_VALUES ? BLOCK_VALUES / row_size : 1;
}

static rnn_hdf5_part rows_of(const rnn_hdf5_array *array, size_t first, size_t max_count)
{
    size_t left = info_of(array)->dims[0] - first;

    return (rnn_hdf5_part){first, left < max_count ? left : max_count, info_of(array)->dims[1]};
}

/* -- Inputs and lengths -------------------------------------------------------------------------*/

/* x is [samples][steps] or [samples][steps][features]. */
static rnn_status settle_padded(rnn_hdf5_split *s)
{
    const rnn_hdf5_array_info *x = info_of(s->x);

    if (x->n_dims < 2)
        return rnn_hdf5_refuse(
            s->x, "is %s, expected [samples][steps][features] or [samples][steps]", x->shape);
    s->n_samples = x->dims[0];
    s->n_steps = x->dims[1];
    s->n_features = x->dims[2];
    if (s->n_steps > (size_t)MAX_STEPS)
        return rnn_hdf5_refuse(s->x, "has %zu steps in a sample, expected at most %" PRId64,
                               s->n_steps, MAX_STEPS);
    return RNN_OK;
}

/* x is [all steps] or [all steps][features]; n_samples is known. */
static rnn_status settle_flat(rnn_hdf5_split *s, const rnn_hdf5_array *lengths)
{
    const rnn_hdf5_array_info *x = info_of(s->x);

    if (x->n_dims > 2)
        return rnn_hdf5_refuse(lengths, "is %s, but x is %s: expected one for each sample",
                               info_of(lengths)->shape, x->shape);
    s->is_flat = true;
    s->n_features = x->dims[1];
    return RNN_ALLOC(&s->start, s->n_samples, "the places of samples");
}

/* Takes the length of a sample; *end is where in x the one before it ends. */
static rnn_status take_length(rnn_hdf5_split *s, const rnn_hdf5_array *lengths, size_t sample,
                              int64_t length, size_t *end)
{
    int64_t room = (int64_t)(s->is_flat ? info_of(s->x)->dims[0] : s->n_steps);

    if (room > MAX_STEPS)
        room = MAX_STEPS;
    if (length < 1 || length > room)
        return rnn_hdf5_refuse(lengths,
                               "has %" PRId64 " for sample %zu, expected 1 to %" PRId64 ": x is %s",
                               length, sample, room, info_of(s->x)->shape);
    s->length[sample] = (uint32_t)length;
    if (s->is_flat)
        s->start[sample] = *end;
    *end += (size_t)length;
    if (s->is_flat && s->n_steps < (size_t)length)
        s->n_steps = (size_t)length;
    return RNN_OK;
}

static rnn_status read_lengths(rnn_hdf5_split *s, const rnn_hdf5_array *lengths, int64_t *block)
{
    size_t n_rows = block_rows(lengths), n_all = info_of(s->x)->dims[0], end = 0;

    for (size_t first = 0; first < s->n_samples; first += n_rows) {
        rnn_hdf5_part part = rows_of(lengths, first, n_rows);

        RNN_TRY(rnn_hdf5_read_integers(lengths, part, block));
        mix(&s->digest, block, part.count * sizeof *block);
        for (size_t i = 0; i < part.count; i++)
            RNN_TRY(take_length(s, lengths, first + i, block[i], &end));
        if (s->is_flat && end > n_all)
            break;
    }
    if (s->is_flat && end != n_all)
        return rnn_hdf5_refuse(lengths,
                               "is %s and comes to %s%zu steps, but x is %s: its first dimension "
                               "must be the number of lengths or their sum",
                               info_of(lengths)->shape, end > n_all ? "more than " : "",
                               end > n_all ? n_all : end, info_of(s->x)->shape);
    return RNN_OK;
}

static rnn_status settle_lengths(rnn_hdf5_split *s, const rnn_hdf5_array *lengths)
{
    const rnn_hdf5_array_info *info = info_of(lengths);
    int64_t *block;
    rnn_status st;

    if (!info->is_integer || info->n_dims != 1)
        return rnn_hdf5_refuse(lengths, "is %s of %s, expected [samples] of integers", info->shape,
                               info->is_integer ? "integers" : "floats");
    s->n_samples = info->dims[0];
    if (s->n_samples == info_of(s->x)->dims[0])
        RNN_TRY(settle_padded(s));
    else
        RNN_TRY(settle_flat(s, lengths));
    mix_array(&s->digest, lengths);
    RNN_TRY(RNN_ALLOC(&s->length, s->n_samples, "the lengths of samples"));
    RNN_TRY(RNN_ALLOC(&block, block_rows(lengths), "lengths of samples"));
    st = read_lengths(s, lengths, block);
    rnn_free(block);
    return st;
}

static rnn_status open_inputs(rnn_hdf5_split *s, const rnn_dataset_cfg *cfg)
{
    rnn_hdf5_array *lengths;
    rnn_status st;
    bool is_asked_for = cfg->lengths[0] != '\0';

    RNN_TRY(rnn_hdf5_array_open(&s->x, s->file, cfg->x, false));
    mix_array(&s->digest, s->x);
    RNN_TRY(rnn_hdf5_array_open(&lengths, s->file, is_asked_for ? cfg->lengths : "lengths",
                                !is_asked_for));
    st = lengths != NULL ? settle_lengths(s, lengths) : settle_padded(s);
    rnn_hdf5_array_close(&lengths);
    return st;
}

/* -- The kind of target -------------------------------------------------------------------------*/

static const char *const kind_names[] = {
    [RNN_TARGET_LABEL] = "a label for each sample",
    [RNN_TARGET_STEP_LABEL] = "a label for each step",
    [RNN_TARGET_VALUES] = "values for each sample",
    [RNN_TARGET_STEP_VALUES] = "values for each step",
};

/* Which kinds y can be, and how many values it has then for a sample or a step. */
typedef struct target_options {
    bool can_be[RNN_TARGET_STEP_VALUES + 1];
    size_t n_values[RNN_TARGET_STEP_VALUES + 1];
} target_options;

static target_options get_options(const rnn_hdf5_split *s)
{
    const rnn_hdf5_array_info *y = info_of(s->y);
    target_options o = {.n_values = {[RNN_TARGET_VALUES] = y->dims[1],
                                     [RNN_TARGET_STEP_VALUES] = y->dims[s->is_flat ? 1 : 2]}};
    bool per_sample = y->dims[0] == s->n_samples && y->n_dims <= 2, per_step;

    if (s->is_flat)
        per_step = y->dims[0] == info_of(s->x)->dims[0] && y->n_dims <= 2;
    else
        per_step = y->dims[0] == s->n_samples && y->n_dims >= 2 && y->dims[1] == s->n_steps;
    o.can_be[RNN_TARGET_LABEL] = y->is_integer && per_sample && y->n_dims == 1;
    o.can_be[RNN_TARGET_STEP_LABEL] =
        y->is_integer && per_step && y->n_dims == (s->is_flat ? 1 : 2);
    o.can_be[RNN_TARGET_VALUES] = per_sample;
    o.can_be[RNN_TARGET_STEP_VALUES] = per_step;
    return o;
}

static rnn_status refuse_shape(const rnn_hdf5_split *s)
{
    const char *shape = info_of(s->y)->shape, *inputs = info_of(s->x)->shape;
    size_t n = s->n_samples, n_rows = info_of(s->x)->dims[0];

    if (s->is_flat)
        return rnn_hdf5_refuse(s->y,
                               "is %s, but x is %s with %zu lengths: expected [%zu], "
                               "[%zu][values], [%zu] or [%zu][values]",
                               shape, inputs, n, n, n, n_rows, n_rows);
    return rnn_hdf5_refuse(s->y,
                           "is %s, but x is %s: expected [%zu], [%zu][values], [%zu][%zu] or "
                           "[%zu][%zu][values]",
                           shape, inputs, n, n, n, s->n_steps, n, s->n_steps);
}

static rnn_status settle_target(rnn_hdf5_split *s, rnn_target_choice choice)
{
    const rnn_hdf5_array_info *y = info_of(s->y);
    target_options o = get_options(s);
    rnn_target_kind first = y->is_integer ? RNN_TARGET_LABEL : RNN_TARGET_VALUES;
    rnn_target_kind second = y->is_integer ? RNN_TARGET_STEP_LABEL : RNN_TARGET_STEP_VALUES;

    if (!o.can_be[RNN_TARGET_VALUES] && !o.can_be[RNN_TARGET_STEP_VALUES])
        return refuse_shape(s);
    if (choice != RNN_TARGET_CHOICE_AUTO)
        s->target = (rnn_target_kind)(choice - RNN_TARGET_CHOICE_LABEL);
    else
        s->target = o.can_be[first] ? first : second;
    if (!o.can_be[s->target] && choice == RNN_TARGET_CHOICE_AUTO)
        return rnn_hdf5_refuse(s->y,
                               "is %s of integers, which are no labels for x of %s; if they are "
                               "values, dataset.target must say so: \"values\" or \"step_values\"",
                               y->shape, info_of(s->x)->shape);
    if (!o.can_be[s->target])
        return rnn_hdf5_refuse(s->y, "is %s of %s, which cannot be %s of x of %s", y->shape,
                               y->is_integer ? "integers" : "floats", kind_names[s->target],
                               info_of(s->x)->shape);
    s->n_target_values = o.n_values[s->target];
    return RNN_OK;
}

/* -- Targets ------------------------------------------------------------------------------------*/

/* Negative labels are all "none". */
static rnn_status take_label(rnn_hdf5_split *s, size_t row, size_t column, int64_t label)
{
    if (label > MAX_LABEL)
        return rnn_hdf5_refuse(s->y,
                               "has the label %" PRId64 " at [%zu][%zu], expected at most %" PRId64,
                               label, row, column, MAX_LABEL);
    if (label >= (int64_t)s->n_classes)
        s->n_classes = (size_t)label + 1;
    if (s->label != NULL)
        s->label[row] = label < 0 ? -1 : (int32_t)label;
    return RNN_OK;
}

/* Places in a row of y that are in use: not what stands behind the end of a sample. */
static size_t used_columns(const rnn_hdf5_split *s, size_t row)
{
    if (s->target == RNN_TARGET_STEP_LABEL && !s->is_flat)
        return rnn_hdf5_split_length(s, row);
    return rnn_hdf5_array_row_size(s->y);
}

static rnn_status scan_labels(rnn_hdf5_split *s, int64_t *block)
{
    size_t n_rows = block_rows(s->y), row_size = rnn_hdf5_array_row_size(s->y);

    for (size_t first = 0; first < info_of(s->y)->dims[0]; first += n_rows) {
        rnn_hdf5_part part = rows_of(s->y, first, n_rows);

        RNN_TRY(rnn_hdf5_read_integers(s->y, part, block));
        mix(&s->digest, block, part.count * row_size * sizeof *block);
        for (size_t i = 0; i < part.count; i++)
            for (size_t k = 0, end = used_columns(s, first + i); k < end; k++)
                RNN_TRY(take_label(s, first + i, k, block[i * row_size + k]));
    }
    return RNN_OK;
}

static rnn_status read_all_labels(rnn_hdf5_split *s)
{
    int64_t *block;
    rnn_status st;

    if (s->target == RNN_TARGET_LABEL)
        RNN_TRY(RNN_ALLOC(&s->label, s->n_samples, "the labels of samples"));
    RNN_TRY(rnn_alloc((void **)&block, block_rows(s->y) * rnn_hdf5_array_row_size(s->y),
                      sizeof *block, "labels of samples"));
    st = scan_labels(s, block);
    rnn_free(block);
    return st;
}

/* `values` are `size` of each step of a sample, or of each sample. */
static rnn_status check_finite(const rnn_hdf5_array *array, const float *values, size_t count,
                               size_t size, size_t sample, const char *places)
{
    size_t k = rnn_vector_find_nonfinite(values, count);

    if (k == count)
        return RNN_OK;
    if (places == NULL)
        return rnn_hdf5_refuse(array, "is not finite as a float: sample %zu, value %zu is %g",
                               sample + k / size, k % size, (double)values[k]);
    return rnn_hdf5_refuse(array, "is not finite as a float: sample %zu, step %zu, %s %zu is %g",
                           sample, k / size, places, k % size, (double)values[k]);
}

static rnn_status scan_values(rnn_hdf5_split *s, float *block)
{
    size_t n_rows = block_rows(s->y), row_size = rnn_hdf5_array_row_size(s->y);

    for (size_t first = 0; first < s->n_samples; first += n_rows) {
        rnn_hdf5_part part = rows_of(s->y, first, n_rows);
        size_t count = part.count * row_size;

        RNN_TRY(rnn_hdf5_read_floats(s->y, part, 0, 1, block));
        RNN_TRY(check_finite(s->y, block, count, row_size, first, NULL));
        mix(&s->digest, block, count * sizeof *block);
    }
    return RNN_OK;
}

static rnn_status read_all_values(rnn_hdf5_split *s)
{
    float *block;
    rnn_status st;

    RNN_TRY(rnn_alloc((void **)&block, block_rows(s->y) * rnn_hdf5_array_row_size(s->y),
                      sizeof *block, "targets of samples"));
    st = scan_values(s, block);
    rnn_free(block);
    return st;
}

static rnn_status open_targets(rnn_hdf5_split *s, const rnn_dataset_cfg *cfg)
{
    RNN_TRY(rnn_hdf5_array_open(&s->y, s->file, cfg->y, cfg->needs_no_targets));
    s->target = cfg->target == RNN_TARGET_CHOICE_AUTO
                    ? RNN_TARGET_LABEL
                    : (rnn_target_kind)(cfg->target - RNN_TARGET_CHOICE_LABEL);
    if (s->y == NULL)
        return RNN_OK;
    mix_array(&s->digest, s->y);
    RNN_TRY(settle_target(s, cfg->target));
    if (rnn_target_is_label(s->target))
        return read_all_labels(s);
    return s->target == RNN_TARGET_VALUES ? read_all_values(s) : RNN_OK;
}

/* -- The whole split ----------------------------------------------------------------------------*/

rnn_status rnn_hdf5_split_open(rnn_hdf5_split *out, const char *path, const char *group,
                               const rnn_dataset_cfg *cfg)
{
    *out = (rnn_hdf5_split){0};
    RNN_TRY(rnn_hdf5_file_open(&out->file, path, group));
    RNN_TRY(open_inputs(out, cfg));
    return open_targets(out, cfg);
}

void rnn_hdf5_split_close(rnn_hdf5_split *s)
{
    rnn_hdf5_array_close(&s->x);
    rnn_hdf5_array_close(&s->y);
    rnn_hdf5_file_close(&s->file);
    rnn_free(s->length);
    rnn_free(s->start);
    rnn_free(s->label);
    *s = (rnn_hdf5_split){0};
}

size_t rnn_hdf5_split_length(const rnn_hdf5_split *s, size_t sample)
{
    return s->length != NULL ? s->length[sample] : s->n_steps;
}

size_t rnn_hdf5_split_room(const rnn_hdf5_split *s, size_t n_steps)
{
    size_t inputs = n_steps * s->n_features, targets = s->n_target_values;

    if (rnn_target_is_per_step(s->target))
        targets *= n_steps;
    return inputs > targets ? inputs : targets;
}

/* -- A sample -----------------------------------------------------------------------------------*/

/* Where the steps of a sample are in x or in a y that has some for each step. */
static rnn_hdf5_part steps_of(const rnn_hdf5_split *s, const rnn_hdf5_array *array, size_t sample)
{
    size_t length = rnn_hdf5_split_length(s, sample);

    if (s->is_flat)
        return (rnn_hdf5_part){(size_t)s->start[sample], length, info_of(array)->dims[1]};
    return (rnn_hdf5_part){sample, 1, length};
}

rnn_status rnn_hdf5_split_read_x(const rnn_hdf5_split *s, size_t sample, double mean, double std,
                                 float *x)
{
    size_t count = rnn_hdf5_split_length(s, sample) * s->n_features;

    RNN_TRY(rnn_hdf5_read_floats(s->x, steps_of(s, s->x, sample), mean, std, x));
    return check_finite(s->x, x, count, s->n_features, sample, "feature");
}

rnn_status rnn_hdf5_split_read_values(const rnn_hdf5_split *s, size_t sample, float *values)
{
    bool per_step = s->target == RNN_TARGET_STEP_VALUES;
    size_t n_steps = per_step ? rnn_hdf5_split_length(s, sample) : 1;
    rnn_hdf5_part part = per_step ? steps_of(s, s->y, sample) : rows_of(s->y, sample, 1);

    RNN_TRY(rnn_hdf5_read_floats(s->y, part, 0, 1, values));
    return check_finite(s->y, values, n_steps * s->n_target_values, s->n_target_values, sample,
                        per_step ? "value" : NULL);
}

/* They were all in range when the file was opened. */
static rnn_status narrow_labels(const rnn_hdf5_split *s, size_t sample, const int64_t *wide,
                                size_t count, int32_t *labels)
{
    for (size_t t = 0; t < count; t++) {
        if (wide[t] >= (int64_t)s->n_classes)
            return rnn_hdf5_refuse(s->y, "has changed: sample %zu has the label %" PRId64, sample,
                                   wide[t]);
        labels[t] = wide[t] < 0 ? -1 : (int32_t)wide[t];
    }
    return RNN_OK;
}

rnn_status rnn_hdf5_split_read_labels(const rnn_hdf5_split *s, size_t sample, int32_t *labels)
{
    size_t length = rnn_hdf5_split_length(s, sample);
    int64_t *wide;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&wide, length, "the labels of a sample"));
    st = rnn_hdf5_read_integers(s->y, steps_of(s, s->y, sample), wide);
    if (st == RNN_OK)
        st = narrow_labels(s, sample, wide, length, labels);
    rnn_free(wide);
    return st;
}

static rnn_status mix_sample(rnn_hdf5_split *s, size_t sample, float *scratch)
{
    size_t length = rnn_hdf5_split_length(s, sample);

    RNN_TRY(rnn_hdf5_split_read_x(s, sample, 0, 1, scratch));
    mix(&s->digest, scratch, length * s->n_features * sizeof *scratch);
    if (s->y == NULL || s->target != RNN_TARGET_STEP_VALUES)
        return RNN_OK;
    RNN_TRY(rnn_hdf5_split_read_values(s, sample, scratch));
    mix(&s->digest, scratch, length * s->n_target_values * sizeof *scratch);
    return RNN_OK;
}

rnn_status rnn_hdf5_split_sample_inputs(rnn_hdf5_split *s, size_t n_used)
{
    size_t count = n_used < N_DIGEST_SAMPLES ? n_used : N_DIGEST_SAMPLES;
    float *scratch;
    rnn_status st = RNN_OK;

    RNN_TRY(RNN_ALLOC(&scratch, rnn_hdf5_split_room(s, s->n_steps), "a sample"));
    for (size_t i = 0; i < count && st == RNN_OK; i++)
        st = mix_sample(s, i * n_used / count, scratch);
    rnn_free(scratch);
    return st;
}
