/*
 * Losses with their gradients, in one pass.
 */
#ifndef RNN_KERNELS_LOSS_H
#define RNN_KERNELS_LOSS_H

#include <stddef.h>
#include <stdint.h>

typedef struct rnn_loss_sums {
    double loss;        /* sum over rows */
    uint64_t n_correct; /* rows whose largest score is the label's; the first one if several are */
} rnn_loss_sums;

/*
 * Cross entropy of softmax(logits) and labels, summed over rows (torch's reduction="sum"):
 * loss = log(sum(exp(z))) - z[label], gradient softmax(z) - onehot(label). The largest logit is
 * subtracted first. Rows with label < 0 count nothing and get a zero gradient.
 *   logits   [rows][n_classes]
 *   label    [rows], below n_classes
 *   dlogits  [rows][n_classes] (out); NULL if not needed; may be logits
 */
rnn_loss_sums rnn_loss_cross_entropy(size_t rows, size_t n_classes, const float *logits,
                                     const int32_t *label, float *dlogits);

#endif
