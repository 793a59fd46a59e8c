/*
 * Losses with their gradients, with torch.nn's definitions.
 */
#ifndef RNN_LOSS_H
#define RNN_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include <rnn/status.h>
#include <rnn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rnn_loss_type {
    RNN_LOSS_CROSS_ENTROPY, /* of scores and labels; the others compare values */
    RNN_LOSS_MSE,
    RNN_LOSS_L1,
    RNN_LOSS_SMOOTH_L1,
    RNN_LOSS_BCE_WITH_LOGITS
} rnn_loss_type;

typedef enum rnn_loss_reduction {
    RNN_LOSS_REDUCTION_MEAN, /* over targets: labels that are not ignored; all values */
    RNN_LOSS_REDUCTION_SUM
} rnn_loss_reduction;

typedef struct rnn_loss_args {
    rnn_loss_type type;
    rnn_loss_reduction reduction; /* mean */
    double label_smoothing;       /* cross entropy: 0 to 1; 0 */
    int64_t ignore_index;         /* cross entropy: a label that does not count; -100 */
    double beta;                  /* smooth_l1: where it goes from quadratic to linear; 1 */
} rnn_loss_args;

/* torch.nn's defaults of a type. */
RNN_API rnn_loss_args rnn_loss_defaults(rnn_loss_type type);

/*
 * The cross entropy of scores and labels.
 *   input   [..][n_classes]        scores (logits), of two or three dimensions
 *   labels  [..]                   the dimensions of input without the last: 0 to n_classes - 1, or
 *                                  ignore_index
 *   value   (out)                  the loss; NULL: not wanted. NAN for a mean over no label
 *   grad    [..][n_classes] (out)  its gradient with respect to input; {0}: not wanted. Zero where
 *                                  a label is ignored. May be input
 */
RNN_API rnn_status rnn_loss_labels(const rnn_loss_args *args, rnn_const_tensor input,
                                   rnn_indices labels, double *value, rnn_tensor grad);

/*
 * The other losses: input and target have the same shape, of one to three dimensions. The rest as
 * above.
 */
RNN_API rnn_status rnn_loss_values(const rnn_loss_args *args, rnn_const_tensor input,
                                   rnn_const_tensor target, double *value, rnn_tensor grad);

#ifdef __cplusplus
}
#endif

#endif
