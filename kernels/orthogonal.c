#include "kernels/orthogonal.h"

#include <math.h>
#include <stdbool.h>

#include "kernels/lanes.h"
#include "kernels/memory.h"
#include "kernels/target.h"

/* -- Vectors of doubles ---------------------------------------------------------------------- */

RNN_TARGET_CLONES
static double dot(const double *a, const double *b, size_t n)
{
    double lanes[RNN_LANES] = {0};
    size_t whole = n - n % RNN_LANES;

    for (size_t i = 0; i < whole; i += RNN_LANES) {
#pragma omp simd
        for (size_t k = 0; k < RNN_LANES; k++)
            lanes[k] += a[i + k] * b[i + k];
    }
    for (size_t k = 0; k < n - whole; k++)
        lanes[k] += a[whole + k] * b[whole + k];
    return rnn_lanes_total(lanes);
}

/* a -= factor * b */
RNN_TARGET_CLONES
static void subtract(double *restrict a, double factor, const double *restrict b, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        a[i] -= factor * b[i];
}

/* -- Gram-Schmidt ---------------------------------------------------------------------------- */

/*
 * Makes the rows of v [n_vectors][length] orthonormal, n_vectors <= length. The modified form, done
 * twice: once is exact only as far as the vectors are independent, twice to rounding (Giraud,
 * Langou and Rozloznik, 2005). Vectors are scaled by positive numbers only, which is R's diagonal.
 */
static void orthonormalise(double *v, size_t n_vectors, size_t length)
{
    for (size_t j = 0; j < n_vectors; j++) {
        double *vj = v + j * length, scale;

        for (int round = 0; round < 2; round++)
            for (size_t i = 0; i < j; i++)
                subtract(vj, dot(v + i * length, vj, length), v + i * length, length);
        scale = 1.0 / sqrt(dot(vj, vj, length));
        for (size_t k = 0; k < length; k++)
            vj[k] *= scale;
    }
}

/* Where element (vector, k) of the vectors is in the matrix: they are its rows or its columns. */
static size_t index_of(size_t vector, size_t k, size_t columns, bool are_rows)
{
    return are_rows ? vector * columns + k : k * columns + vector;
}

rnn_status rnn_orthogonal(float *values, size_t rows, size_t columns, double gain, uint64_t seed,
                          rnn_random_purpose purpose, uint32_t when, uint64_t first)
{
    const bool are_rows = rows < columns;
    const size_t n_vectors = are_rows ? rows : columns, length = are_rows ? columns : rows;
    double *v;

    RNN_TRY(RNN_ALLOC(&v, rows * columns, "an orthogonal matrix"));
    rnn_random_normal(values, rows * columns, 0.0, 1.0, seed, purpose, when, first);
    for (size_t j = 0; j < n_vectors; j++)
        for (size_t k = 0; k < length; k++)
            v[j * length + k] = (double)values[index_of(j, k, columns, are_rows)];
    orthonormalise(v, n_vectors, length);
    for (size_t j = 0; j < n_vectors; j++)
        for (size_t k = 0; k < length; k++)
            values[index_of(j, k, columns, are_rows)] = (float)(gain * v[j * length + k]);
    rnn_free(v);
    return RNN_OK;
}
