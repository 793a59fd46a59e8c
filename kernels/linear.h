/*
 * y = x W^T + b, as torch.nn.Linear. Single-threaded inside a parallel region.
 */
#ifndef RNN_KERNELS_LINEAR_H
#define RNN_KERNELS_LINEAR_H

#include <stddef.h>

#include "kernels/status.h"

/*
 *   x       [rows][n_in]
 *   weight  [n_out][n_in]
 *   bias    [n_out], NULL = none
 *   y       [rows][n_out] (out)
 */
rnn_status rnn_linear_forward(size_t rows, size_t n_in, size_t n_out, const float *x,
                              const float *weight, const float *bias, float *y);

/*
 *   dy       [rows][n_out]
 *   dx       [rows][n_in] (out), NULL if not needed
 *   dweight  [n_out][n_in] += dy^T x
 *   dbias    [n_out] += sum of dy over rows; NULL = none
 */
rnn_status rnn_linear_backward(size_t rows, size_t n_in, size_t n_out, const float *x,
                               const float *weight, const float *dy, float *dx, float *dweight,
                               float *dbias);

#endif
