/*
 * Standardisation by the training samples' own mean and deviation, of inputs and of targets.
 *
 * Sums of one sample are joined to those before it by the formula of Chan, Golub and LeVeque
 * (Updating formulae and a pairwise algorithm for computing sample variances, 1979), which stays
 * exact for means that are large beside the deviation.
 */
#include <math.h>
#include <string.h>

#include "datasets/dataset_parts.h"
#include "kernels/memory.h"

/* Moments of each of `n` features over `count` vectors. */
typedef struct moments {
    size_t n;
    double count;
    double *mean, *square; /* [n]; square: sum of squared distances from the mean */
} moments;

static rnn_status create_moments(moments *m, size_t n)
{
    m->n = n;
    RNN_TRY(RNN_ALLOC(&m->mean, n, "the standardisation"));
    return RNN_ALLOC(&m->square, n, "the standardisation");
}

/* Joins vectors values[count][n]. */
static void add_vectors(moments *m, const float *values, size_t count)
{
    double all = m->count + (double)count;

    for (size_t i = 0; i < m->n && count > 0; i++) {
        double mean = 0.0, square = 0.0, apart;

        for (size_t t = 0; t < count; t++)
            mean += (double)values[t * m->n + i];
        mean /= (double)count;
        for (size_t t = 0; t < count; t++) {
            double distance = (double)values[t * m->n + i] - mean;

            square += distance * distance;
        }
        apart = mean - m->mean[i];
        m->mean[i] += apart * (double)count / all;
        m->square[i] += square + apart * apart * m->count * (double)count / all;
    }
    m->count = all;
}

/* Makes `square` the deviation, and hands both over. */
static void finish(moments *m, double **mean, double **std, size_t *n)
{
    for (size_t i = 0; i < m->n; i++) {
        double deviation = sqrt(m->square[i] / m->count);

        m->square[i] = deviation > 0.0 ? deviation : 1.0;
    }
    *mean = m->mean;
    *std = m->square;
    *n = m->n;
    *m = (moments){.n = 0};
}

static void free_moments(moments *m)
{
    rnn_free(m->mean);
    rnn_free(m->square);
}

/* -- Fitting ----------------------------------------------------------------------------------- */

/* One sample at a time, as a slice of one row; nothing has been fitted yet, so it is as read. */
static rnn_status add_samples(const rnn_dataset *dataset, const rnn_dataset_slice *one, moments *x,
                              moments *target)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    bool per_step = info->target == RNN_TARGET_STEP_VALUES;

    for (uint64_t i = 0; i < info->n_samples[RNN_SPLIT_TRAIN]; i++) {
        size_t length = rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, i);

        RNN_TRY(rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, &i, 1, 1, length, one));
        if (x->n > 0)
            add_vectors(x, one->x, length);
        if (target->n > 0)
            add_vectors(target, one->target, per_step ? length : 1);
    }
    return RNN_OK;
}

static rnn_status allocate_sample(rnn_dataset_slice *one, const rnn_dataset_info *info)
{
    size_t n_steps = info->seq_len, n_x, n_target;

    RNN_TRY(rnn_size_multiply(&n_x, n_steps, info->n_features, "a sample"));
    RNN_TRY(rnn_size_multiply(&n_target, rnn_target_is_per_step(info->target) ? n_steps : 1,
                              info->n_target_values, "the target of a sample"));
    RNN_TRY(RNN_ALLOC(&one->x, n_x, "a sample"));
    RNN_TRY(RNN_ALLOC(&one->token, n_steps, "a sample"));
    RNN_TRY(RNN_ALLOC(&one->label, n_steps, "a sample"));
    RNN_TRY(RNN_ALLOC(&one->length, 1, "a sample"));
    return RNN_ALLOC(&one->target, n_target, "a sample");
}

static void free_sample(rnn_dataset_slice *one)
{
    rnn_free(one->x);
    rnn_free(one->token);
    rnn_free(one->label);
    rnn_free(one->length);
    rnn_free(one->target);
}

static rnn_status fit_moments(rnn_dataset_fit *fit, const rnn_dataset *dataset, bool of_inputs,
                              bool of_targets)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    rnn_dataset_slice one = {.x = NULL};
    moments x = {.n = 0}, target = {.n = 0};
    rnn_status st;

    RNN_TRY_GOTO(st, allocate_sample(&one, info), done);
    if (of_inputs)
        RNN_TRY_GOTO(st, create_moments(&x, info->n_features), done);
    if (of_targets)
        RNN_TRY_GOTO(st, create_moments(&target, info->n_target_values), done);
    RNN_TRY_GOTO(st, add_samples(dataset, &one, &x, &target), done);
    if (of_inputs)
        finish(&x, &fit->mean, &fit->std, &fit->n_features);
    if (of_targets)
        finish(&target, &fit->target_mean, &fit->target_std, &fit->n_target_values);
done:
    free_moments(&x);
    free_moments(&target);
    free_sample(&one);
    return st;
}

static rnn_status copy_numbers(double **to, const double *from, size_t n)
{
    RNN_TRY(RNN_ALLOC(to, n, "the standardisation"));
    memcpy(*to, from, n * sizeof **to);
    return RNN_OK;
}

/* The numbers a model was trained with must be for data of this shape. */
static rnn_status take_fit(rnn_dataset_fit *fit, const rnn_dataset_fit *given,
                           const rnn_dataset_info *info)
{
    if (given->mean != NULL) {
        if (info->n_tokens > 0)
            return RNN_FAIL(RNN_ERR_DATA,
                            "the model was trained on standardised features, this data has tokens");
        if (given->n_features != info->n_features)
            return RNN_FAIL(RNN_ERR_DATA,
                            "the model was trained on %zu features a step, this data has %zu",
                            given->n_features, info->n_features);
        fit->n_features = given->n_features;
        RNN_TRY(copy_numbers(&fit->mean, given->mean, given->n_features));
        RNN_TRY(copy_numbers(&fit->std, given->std, given->n_features));
    }
    if (given->target_mean != NULL) {
        if (given->n_target_values != info->n_target_values)
            return RNN_FAIL(RNN_ERR_DATA,
                            "the model was trained on targets of %zu values, this data has %zu",
                            given->n_target_values, info->n_target_values);
        fit->n_target_values = given->n_target_values;
        RNN_TRY(copy_numbers(&fit->target_mean, given->target_mean, given->n_target_values));
        RNN_TRY(copy_numbers(&fit->target_std, given->target_std, given->n_target_values));
    }
    return RNN_OK;
}

rnn_status rnn_dataset_standardize(rnn_dataset_fit *fit, const rnn_dataset *dataset,
                                   const rnn_dataset_cfg *cfg)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    if (cfg->fit != NULL)
        return take_fit(fit, cfg->fit, info);
    if (cfg->standardize && info->n_tokens > 0)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.standardize: the inputs of this data are tokens");
    if (cfg->standardize_targets && info->n_target_values == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.standardize_targets: the targets of this data are classes");
    if (!cfg->standardize && !cfg->standardize_targets)
        return RNN_OK;
    return fit_moments(fit, dataset, cfg->standardize, cfg->standardize_targets);
}

/* -- Applying ---------------------------------------------------------------------------------- */

/* n_steps vectors of n values, `pitch` floats apart. */
static void scale(float *values, size_t n_steps, size_t pitch, size_t n, const double *mean,
                  const double *std)
{
    for (size_t t = 0; t < n_steps; t++)
        for (size_t i = 0; i < n; i++)
            values[t * pitch + i] = (float)(((double)values[t * pitch + i] - mean[i]) / std[i]);
}

void rnn_dataset_scale_row(const rnn_dataset_fit *fit, const rnn_dataset_info *info, size_t length,
                           size_t row, size_t rows, const rnn_dataset_slice *into)
{
    size_t n_x = info->n_features, n_target = info->n_target_values;

    if (fit->mean != NULL)
        scale(into->x + row * n_x, length, rows * n_x, n_x, fit->mean, fit->std);
    if (fit->target_mean != NULL)
        scale(into->target + row * n_target, info->target == RNN_TARGET_STEP_VALUES ? length : 1,
              rows * n_target, n_target, fit->target_mean, fit->target_std);
}

void rnn_dataset_target_units(const rnn_dataset *dataset, size_t i, double *scale, double *offset)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    const rnn_dataset_fit *fit = rnn_dataset_get_fit(dataset);

    *scale = info->target_scale;
    *offset = info->target_offset;
    if (fit->target_mean == NULL)
        return;
    *offset += fit->target_mean[i] * info->target_scale;
    *scale *= fit->target_std[i];
}
