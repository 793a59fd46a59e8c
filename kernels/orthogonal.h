/*
 * Orthogonal initial weights: torch.nn.init.orthogonal_ (Saxe, McClelland and Ganguli, 2014).
 */
#ifndef RNN_KERNELS_ORTHOGONAL_H
#define RNN_KERNELS_ORTHOGONAL_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/random.h"
#include "kernels/status.h"

/*
 * values = gain * Q, where Q is that of A = Q R with a positive diagonal of R, and A is
 * [rows][columns] of standard normal numbers drawn at which = first + i. With fewer rows than
 * columns it is that of A's transpose, transposed: then the rows of Q are orthonormal instead of
 * its columns. Needs scratch memory; RNN_ERR_MEMORY.
 *   values  [rows][columns] (out)
 */
rnn_status rnn_orthogonal(float *values, size_t rows, size_t columns, double gain, uint64_t seed,
                          rnn_random_purpose purpose, uint32_t when, uint64_t first);

#endif
