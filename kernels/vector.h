/*
 * Loops over long float arrays. Each works on [first, first + count) of the arrays so that callers
 * can share them out between threads. Results do not depend on how a range is cut: element-wise
 * operations use no fused multiply-add, and sums are over fixed blocks.
 */
#ifndef RNN_KERNELS_VECTOR_H
#define RNN_KERNELS_VECTOR_H

#include <stddef.h>

/* Sums of squares are taken per block of this many values, then over blocks in order. */
enum { RNN_BLOCK = 4096 };

/* into[i] += from[i]. */
void rnn_vector_add(float *into, const float *from, size_t count);

/* into[i] += from[i]; from[i] = 0. */
void rnn_vector_move(float *into, float *from, size_t count);

/* sum[i] = a[i] + b[i]; `sum` may be `a`. */
void rnn_vector_add_to(float *sum, const float *a, const float *b, size_t count);

/*
 * Sum of squares of values[0 .. count) in double: RNN_BLOCK values at a time, block sums added in
 * index order; the same for any number of threads. Uses an OpenMP parallel region.
 */
double rnn_vector_square_sum(const float *values, size_t count);

/* Blocks of an array, the last of which may be short. */
size_t rnn_vector_n_blocks(size_t count);

/* Sums of squares of each block, sums[rnn_vector_n_blocks(count)]: what rnn_vector_square_sum adds
 * up in index order, from 0 on. */
void rnn_vector_block_square_sums(const float *values, size_t count, double *sums);

/* The index of the first value that is not finite, or `count`. */
size_t rnn_vector_find_nonfinite(const float *values, size_t count);

/* Part `part` of `n_parts` of `count` floats, [first, last): whole cache lines, so that parts
 * written by different threads share none. May be empty, with first > last. */
void rnn_vector_part(size_t count, size_t part, size_t n_parts, size_t *first, size_t *last);

#endif
