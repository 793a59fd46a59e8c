/*
 * What training minimises: a loss, and which steps of a sequence it looks at.
 */
#ifndef RNN_FRAMEWORK_OBJECTIVE_H
#define RNN_FRAMEWORK_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "framework/model.h"
#include "framework/stage.h"
#include "kernels/loss.h"
#include "kernels/status.h"

typedef struct rnn_objective {
    rnn_loss_type type;
    bool is_sum;    /* torch's reduction: "sum", else "mean" */
    bool last_only; /* only each sequence's last step counts */
    rnn_cross_entropy_args cross_entropy;
    double beta;           /* smooth_l1 */
    bool targets_per_step; /* the data's targets: of every step, else of a sequence */
} rnn_objective;

/*
 * Sets the objective up for the data's targets, if the loss can compare the model's output with
 * them; RNN_ERR_DATA says what to do if not.
 */
rnn_status rnn_objective_fit(rnn_objective *objective, rnn_shape output,
                             const rnn_dataset_info *data);

/*
 * Loss of one slice, summed over its targets.
 *   y          [seq_len or 1][rows][n_features], the model's output
 *   targets    of the same slice
 *   dy         (out) gradient of the sum, shape of y, zero where nothing counts; NULL: not wanted
 *   predicted  (out) [seq_len or 1][rows] the class of the largest score; with last_only -1 at the
 *              other steps; NULL: not wanted. Cross entropy only
 */
rnn_loss_sums rnn_objective_apply(const rnn_objective *objective, const rnn_slice *slice,
                                  rnn_shape output, const float *y, const rnn_batch_shard *targets,
                                  float *dy, int32_t *predicted);

/* What a model answered on a slice; all lent. */
typedef struct rnn_answers {
    const rnn_slice *slice;
    const float *y;                 /* [seq_len or 1][rows][n_features] */
    const int32_t *predicted;       /* as of rnn_objective_apply; NULL but for cross entropy */
    const rnn_batch_shard *targets; /* of the same slice */
} rnn_answers;

/* Goes through the answers of a slice that count. Begins as {0}. */
typedef struct rnn_answer_cursor {
    size_t row, step; /* of the next one */
    size_t place;     /* t * rows + row of this one in the output; of a single step, row */
    size_t target;    /* its place among the targets */
} rnn_answer_cursor;

/* Goes to the next answer, sequence by sequence; false after the last one. */
bool rnn_objective_next_answer(const rnn_objective *objective, rnn_shape output,
                               const rnn_slice *slice, rnn_answer_cursor *cursor);

/* What sums of gradients over a whole batch are multiplied with; 0 if nothing counts. */
float rnn_objective_gradient_scale(const rnn_objective *objective, double n_targets);

/*
 * The loss to show for sums over any number of batches: the mean over targets, or, for a loss that
 * sums, the sum of a sequence, averaged over sequences.
 */
double rnn_objective_mean(const rnn_objective *objective, double loss, double n_targets,
                          double n_sequences);

/* Whether there are right and wrong answers to count. */
bool rnn_objective_has_accuracy(const rnn_objective *objective);

#endif
