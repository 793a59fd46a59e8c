#include "kernels/vector.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "kernels/lanes.h"
#include "kernels/target.h"

enum { LINE = 16 };               /* floats in a cache line */
enum { BLOCKS_PER_ROUND = 1024 }; /* bounds the array of block sums, so nothing is allocated */

RNN_TARGET_CLONES
void rnn_vector_add(float *into, const float *from, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        into[i] += from[i];
}

RNN_TARGET_CLONES
void rnn_vector_move(float *restrict into, float *restrict from, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        into[i] += from[i];
        from[i] = 0.0f;
    }
}

RNN_TARGET_CLONES
void rnn_vector_add_to(float *sum, const float *a, const float *b, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        sum[i] = a[i] + b[i];
}

void rnn_vector_part(size_t count, size_t part, size_t n_parts, size_t *first, size_t *last)
{
    const size_t n_lines = (count + LINE - 1) / LINE, end = n_lines * (part + 1) / n_parts * LINE;

    *first = n_lines * part / n_parts * LINE;
    *last = end < count ? end : count;
}

/* -- Sum of squares -------------------------------------------------------------------------- */

RNN_TARGET_CLONES
static double block_square_sum(const float *values, size_t count)
{
    double lanes[RNN_LANES] = {0};
    size_t whole = count - count % RNN_LANES;

    for (size_t i = 0; i < whole; i += RNN_LANES) {
#pragma omp simd
        for (size_t k = 0; k < RNN_LANES; k++)
            lanes[k] += (double)values[i + k] * (double)values[i + k];
    }
    for (size_t k = 0; k < count - whole; k++)
        lanes[k] += (double)values[whole + k] * (double)values[whole + k];
    return rnn_lanes_total(lanes);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t rnn_vector_n_blocks(size_t count)
{
    return count / RNN_BLOCK + (count % RNN_BLOCK != 0);
}

void rnn_vector_block_square_sums(const float *values, size_t count, double *sums)
{
    const size_t n_blocks = rnn_vector_n_blocks(count);

#pragma omp parallel for schedule(static) if (n_blocks > 1)
    for (size_t b = 0; b < n_blocks; b++)
        sums[b] =
            block_square_sum(values + b * RNN_BLOCK, smaller(count - b * RNN_BLOCK, RNN_BLOCK));
}

double rnn_vector_square_sum(const float *values, size_t count)
{
    const size_t round = (size_t)BLOCKS_PER_ROUND * RNN_BLOCK;
    double sums[BLOCKS_PER_ROUND];
    double total = 0.0;

    for (size_t first = 0; first < count; first += round) {
        const size_t n = smaller(count - first, round);

        rnn_vector_block_square_sums(values + first, n, sums);
        for (size_t b = 0; b < rnn_vector_n_blocks(n); b++)
            total += sums[b];
    }
    return total;
}

/* -- Finding what is not finite -------------------------------------------------------------- */

RNN_TARGET_CLONES
static bool all_finite(const float *values, size_t count)
{
    unsigned n_bad = 0;

#pragma omp simd reduction(+ : n_bad)
    for (size_t i = 0; i < count; i++)
        n_bad += fabsf(values[i]) <= FLT_MAX ? 0 : 1;
    return n_bad == 0;
}

size_t rnn_vector_find_nonfinite(const float *values, size_t count)
{
    size_t i = 0;

    /* Whole blocks first, quickly; then value by value from the block that failed. */
    while (count - i >= RNN_BLOCK && all_finite(values + i, RNN_BLOCK))
        i += RNN_BLOCK;
    while (i < count && isfinite(values[i]))
        i++;
    return i;
}
