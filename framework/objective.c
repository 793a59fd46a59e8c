#include "framework/objective.h"

#include <math.h>
#include <string.h>

/* -- Does it fit? ---------------------------------------------------------------------------- */

static rnn_status check_steps(const rnn_objective *objective, rnn_shape output,
                              rnn_target_kind kind)
{
    if (rnn_target_is_per_step(kind) && output.is_single)
        return RNN_FAIL(
            RNN_ERR_DATA,
            "the data has a target for every step, the model's select leaves one step: "
            "leave the select out (loss.steps = \"last\" takes the last step's target)");
    if (!rnn_target_is_per_step(kind) && !output.is_single && !objective->last_only)
        return RNN_FAIL(RNN_ERR_DATA,
                        "the model gives %zu steps for one %s per sequence: add a layer of type "
                        "\"select\", or loss.steps = \"last\"",
                        output.seq_len, rnn_target_is_label(kind) ? "label" : "target");
    return RNN_OK;
}

rnn_status rnn_objective_fit(rnn_objective *objective, rnn_shape output,
                             const rnn_dataset_info *data)
{
    bool wants_label = objective->type == RNN_LOSS_CROSS_ENTROPY;

    if (wants_label != rnn_target_is_label(data->target))
        return RNN_FAIL(RNN_ERR_DATA,
                        "the data has %s as targets: loss.type \"cross_entropy\" is for classes, "
                        "the others are for values",
                        wants_label ? "values" : "classes");
    RNN_TRY(check_steps(objective, output, data->target));
    if (wants_label && output.n_features < data->n_classes)
        return RNN_FAIL(RNN_ERR_DATA, "the model gives %zu scores, the data has labels up to %zu",
                        output.n_features, data->n_classes - 1);
    if (!wants_label && output.n_features != data->n_target_values)
        return RNN_FAIL(RNN_ERR_DATA, "the model gives %zu values, the data has targets of %zu",
                        output.n_features, data->n_target_values);
    objective->targets_per_step = rnn_target_is_per_step(data->target);
    return RNN_OK;
}

/* -- Loss ------------------------------------------------------------------------------------ */

static void add(rnn_loss_sums *to, rnn_loss_sums sums)
{
    to->loss += sums.loss;
    to->n_targets += sums.n_targets;
    to->n_correct += sums.n_correct;
}

/* The loss at one place of the output, and of the targets. */
static rnn_loss_sums apply_at(const rnn_objective *objective, size_t n_features, size_t place,
                              size_t target, const float *y, const rnn_batch_shard *targets,
                              float *dy, int32_t *predicted)
{
    const float *from = y + place * n_features;
    float *into = dy != NULL ? dy + place * n_features : NULL;

    if (objective->type == RNN_LOSS_CROSS_ENTROPY)
        return rnn_loss_cross_entropy(&objective->cross_entropy, 1, n_features, from,
                                      targets->label + target, into,
                                      predicted != NULL ? predicted + place : NULL);
    return rnn_loss_elementwise(objective->type, objective->beta, n_features, from,
                                targets->target + target * n_features, into);
}

/* The last step of every sequence; targets are per step, or there is one for each row. */
static rnn_loss_sums apply_to_last(const rnn_objective *objective, const rnn_slice *slice,
                                   size_t n_features, const float *y,
                                   const rnn_batch_shard *targets, float *dy, int32_t *predicted)
{
    rnn_loss_sums sums = {0};

    for (size_t row = 0; row < slice->rows; row++) {
        size_t place = ((size_t)slice->length[row] - 1) * slice->rows + row;

        if (slice->length[row] > 0)
            add(&sums,
                apply_at(objective, n_features, place, objective->targets_per_step ? place : row, y,
                         targets, dy, predicted));
    }
    return sums;
}

/* Every valid step; targets have the shape of the output. */
static rnn_loss_sums apply_to_values(const rnn_objective *objective, const rnn_slice *slice,
                                     size_t n_steps, size_t n_features, const float *y,
                                     const rnn_batch_shard *targets, float *dy)
{
    rnn_loss_sums sums = {0};

    for (size_t t = 0; t < n_steps; t++)
        for (size_t row = 0; row < slice->rows; row++) {
            size_t place = t * slice->rows + row;

            if (t < (size_t)slice->length[row])
                add(&sums, apply_at(objective, n_features, place, place, y, targets, dy, NULL));
        }
    return sums;
}

rnn_loss_sums rnn_objective_apply(const rnn_objective *objective, const rnn_slice *slice,
                                  rnn_shape output, const float *y, const rnn_batch_shard *targets,
                                  float *dy, int32_t *predicted)
{
    size_t n_steps = output.is_single ? 1 : slice->seq_len, n_features = output.n_features;
    bool last_only = objective->last_only && !output.is_single;

    /* Labels past the ends are negative, which a cross entropy leaves out by itself. */
    if (objective->type == RNN_LOSS_CROSS_ENTROPY && !last_only)
        return rnn_loss_cross_entropy(&objective->cross_entropy, n_steps * slice->rows, n_features,
                                      y, targets->label, dy, predicted);
    if (dy != NULL)
        memset(dy, 0, n_steps * slice->rows * n_features * sizeof *dy);
    if (predicted != NULL)
        memset(predicted, 0xff, n_steps * slice->rows * sizeof *predicted); /* -1 */
    if (last_only)
        return apply_to_last(objective, slice, n_features, y, targets, dy, predicted);
    return apply_to_values(objective, slice, n_steps, n_features, y, targets, dy);
}

bool rnn_objective_next_answer(const rnn_objective *objective, rnn_shape output,
                               const rnn_slice *slice, rnn_answer_cursor *cursor)
{
    for (; cursor->row < slice->rows; cursor->row++, cursor->step = 0) {
        size_t length = (size_t)slice->length[cursor->row];
        size_t n_steps = output.is_single && length > 0 ? 1 : length;

        if (objective->last_only && cursor->step + 1 < n_steps)
            cursor->step = n_steps - 1;
        if (cursor->step >= n_steps)
            continue;
        cursor->place = cursor->step * slice->rows + cursor->row;
        cursor->target = objective->targets_per_step ? cursor->place : cursor->row;
        cursor->step++;
        return true;
    }
    return false;
}

/* -- Sums to means --------------------------------------------------------------------------- */

float rnn_objective_gradient_scale(const rnn_objective *objective, double n_targets)
{
    if (n_targets <= 0.0)
        return 0.0f;
    return objective->is_sum ? 1.0f : 1.0f / (float)n_targets;
}

double rnn_objective_mean(const rnn_objective *objective, double loss, double n_targets,
                          double n_sequences)
{
    return loss / (objective->is_sum ? n_sequences : n_targets);
}

bool rnn_objective_has_accuracy(const rnn_objective *objective)
{
    return objective->type == RNN_LOSS_CROSS_ENTROPY;
}
