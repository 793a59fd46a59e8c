/*
 * torch.nn.LayerNorm over the last dimension: every row is shifted and scaled to mean 0 and
 * variance 1, then y = normalised * weight + bias. The variance is the biased one (divided by n).
 */
#ifndef RNN_KERNELS_LAYERNORM_H
#define RNN_KERNELS_LAYERNORM_H

#include <stddef.h>

/*
 *   eps         added to the variance
 *   x           [rows][n], n > 0
 *   weight      [n], NULL = ones
 *   bias        [n], NULL = zeros
 *   y           [rows][n] (out); may be x if there is no backward pass
 *   mean, rstd  [rows] (out) mean and 1 / sqrt(variance + eps) of each row, for the backward pass;
 *               0 where both are 0
 */
void rnn_layernorm_forward(size_t rows, size_t n, double eps, const float *x, const float *weight,
                           const float *bias, float *y, float *mean, float *rstd);

/*
 *   x, mean, rstd, weight  as in the forward pass
 *   dy                     [rows][n]
 *   dx                     [rows][n] (out), NULL if not needed; may be dy
 *   dweight                [n] += sum of dy * normalised over rows; NULL = none
 *   dbias                  [n] += sum of dy over rows; NULL = none
 */
void rnn_layernorm_backward(size_t rows, size_t n, const float *x, const float *mean,
                            const float *rstd, const float *weight, const float *dy, float *dx,
                            float *dweight, float *dbias);

#endif
