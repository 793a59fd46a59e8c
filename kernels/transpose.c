#include "kernels/transpose.h"

#include <string.h>

/* Four floats in a register, of every CPU that the compilers know. */
typedef float quad __attribute__((vector_size(16)));

enum { SIDE = 4, BAND = 16 };

static inline quad load(const float *from)
{
    quad q;

    memcpy(&q, from, sizeof q);
    return q;
}

static inline void store(float *to, quad q)
{
    memcpy(to, &q, sizeof q);
}

/* SIDE x SIDE values: pairs of rows are interleaved, then the pairs' halves put together. */
static inline void transpose_block(float *out, size_t out_pitch, const float *in, size_t in_pitch)
{
    const quad a = load(in), b = load(in + in_pitch);
    const quad c = load(in + 2 * in_pitch), d = load(in + 3 * in_pitch);
    const quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);

    store(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(out + out_pitch, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(out + 2 * out_pitch, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(out + 3 * out_pitch, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

static void transpose_slowly(float *out, size_t out_pitch, const float *in, size_t in_pitch,
                             size_t n_rows, size_t n_columns)
{
    for (size_t j = 0; j < n_columns; j++)
        for (size_t i = 0; i < n_rows; i++)
            out[j * out_pitch + i] = in[i * in_pitch + j];
}

void rnn_transpose(float *out, size_t out_pitch, const float *in, size_t in_pitch, size_t n_rows,
                   size_t n_columns)
{
    size_t whole_rows = n_rows - n_rows % SIDE, whole_columns = n_columns - n_columns % SIDE;

    /* Bands of rows, so that lines of `out` are filled while the cache has them. */
    for (size_t band = 0; band < whole_rows; band += BAND) {
        size_t end = band + BAND < whole_rows ? band + BAND : whole_rows;

        for (size_t j = 0; j < whole_columns; j += SIDE)
            for (size_t i = band; i < end; i += SIDE)
                transpose_block(out + j * out_pitch + i, out_pitch, in + i * in_pitch + j,
                                in_pitch);
    }
    transpose_slowly(out + whole_columns * out_pitch, out_pitch, in + whole_columns, in_pitch,
                     whole_rows, n_columns - whole_columns);
    transpose_slowly(out + whole_rows, out_pitch, in + whole_rows * in_pitch, in_pitch,
                     n_rows - whole_rows, n_columns);
}
