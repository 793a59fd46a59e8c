/*
 * Losses with their gradients, in one pass. Everything is summed over the targets (torch's
 * reduction="sum"); divide by n_targets for torch's "mean".
 */
#ifndef RNN_KERNELS_LOSS_H
#define RNN_KERNELS_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include <rnn/loss.h>

typedef struct rnn_loss_sums {
    double loss;        /* sum over targets */
    uint64_t n_targets; /* cross entropy: rows that are not ignored; others: elements */
    uint64_t n_correct; /* cross entropy only: targets whose largest score is the label's; the first
                           one if several are */
} rnn_loss_sums;

/* Arguments of torch.nn.CrossEntropyLoss; its defaults are -100 and 0. */
typedef struct rnn_cross_entropy_args {
    int64_t ignore_index;
    double label_smoothing; /* e: the target is 1 - e at the label, and e / n_classes everywhere */
} rnn_cross_entropy_args;

/*
 * Cross entropy of softmax(logits) and labels: with p = softmax(z) and e = label_smoothing,
 * loss = (1 - e) * -log(p[label]) + e / n_classes * sum(-log(p)), gradient p minus the target. The
 * largest logit is subtracted first. Rows whose label is negative or ignore_index count nothing and
 * get a zero gradient.
 *   logits     [rows][n_classes]
 *   label      [rows], below n_classes
 *   dlogits    [rows][n_classes] (out); NULL if not needed; may be logits
 *   predicted  [rows] (out) class of the largest score of every row, of ignored ones too; NULL if
 *              not needed
 */
rnn_loss_sums rnn_loss_cross_entropy(const rnn_cross_entropy_args *args, size_t rows,
                                     size_t n_classes, const float *logits, const int32_t *label,
                                     float *dlogits, int32_t *predicted);

/*
 * Losses that compare element by element, x = input, y = target:
 *   MSE              (x - y)^2
 *   L1               |x - y|, gradient 0 where they are equal
 *   SMOOTH_L1        (x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2;
 *                    beta = 0 is L1, the other types do not read it
 *   BCE_WITH_LOGITS  -y log(s) - (1 - y) log(1 - s), s = sigmoid(x); without overflow for any x
 *   type           not RNN_LOSS_CROSS_ENTROPY
 *   input, target  [count]
 *   dinput         [count] (out); NULL if not needed; may be input
 */
rnn_loss_sums rnn_loss_elementwise(rnn_loss_type type, double beta, size_t count,
                                   const float *input, const float *target, float *dinput);

#endif
