/*
 * Transposition of a matrix of floats.
 */
#ifndef RNN_KERNELS_TRANSPOSE_H
#define RNN_KERNELS_TRANSPOSE_H

#include <stddef.h>

/*
 * out[j][i] = in[i][j] for i < n_rows and j < n_columns. A row of `in` begins in_pitch floats after
 * the one before, a row of `out` out_pitch floats. The arrays do not overlap.
 */
void rnn_transpose(float *out, size_t out_pitch, const float *in, size_t in_pitch, size_t n_rows,
                   size_t n_columns);

#endif
