#include "kernels/dropout.h"

#include <math.h>
#include <string.h>

#include "kernels/random.h"

/* Counters worked on together, one per vector lane; each gives four numbers. */
enum {
    MAX_COUNTERS = 32,
    MAX_NUMBERS = 4 * MAX_COUNTERS,
    ROUNDS = 10,
    LANES = 4,
    PER_LANES = 4 * LANES
};

/* Which numbers: those of `n_counters` counters that follow each other in their first word. */
typedef struct block {
    uint64_t key;
    uint32_t first, t, row;
    uint32_t n_counters;
} block;

/*
 * Philox4x32-10. Random123 has it for one counter at a time, which compilers do not vectorise. Not
 * with RNN_TARGET_CLONES: in wider registers, products of 32 by 32 bits need so much shuffling that
 * nothing is won.
 *   numbers  (out) 4 * k + w is word w of counter k
 */
static void philox(block b, uint32_t numbers[MAX_NUMBERS])
{
    const uint32_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
    const uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
    uint32_t key0 = (uint32_t)b.key, key1 = (uint32_t)(b.key >> 32);
    uint32_t c0[MAX_COUNTERS], c1[MAX_COUNTERS], c2[MAX_COUNTERS], c3[MAX_COUNTERS];

    for (uint32_t k = 0; k < b.n_counters; k++) {
        c0[k] = b.first + k;
        c1[k] = b.t;
        c2[k] = b.row;
        c3[k] = RNN_RANDOM_DROPOUT;
    }
    for (int round = 0; round < ROUNDS; round++, key0 += weyl0, key1 += weyl1) {
#pragma omp simd
        for (uint32_t k = 0; k < b.n_counters; k++) {
            uint64_t product0 = (uint64_t)multiplier0 * c0[k];
            uint64_t product1 = (uint64_t)multiplier1 * c2[k];

            c0[k] = (uint32_t)(product1 >> 32) ^ c1[k] ^ key0;
            c1[k] = (uint32_t)product1;
            c2[k] = (uint32_t)(product0 >> 32) ^ c3[k] ^ key1;
            c3[k] = (uint32_t)product0;
        }
    }
#pragma omp simd
    for (size_t k = 0; k < b.n_counters; k++) {
        numbers[4 * k] = c0[k];
        numbers[4 * k + 1] = c1[k];
        numbers[4 * k + 2] = c2[k];
        numbers[4 * k + 3] = c3[k];
    }
}

/* Steps that drop alike: so many, so far apart. */
typedef struct steps {
    size_t count, stride;
} steps;

/* One row at these steps. `last` is the largest number that drops. */
static void drop_row(block b, uint32_t last, float scale, steps alike, size_t n_features,
                     const float *x, float *y)
{
    for (size_t f = 0; f < n_features; f += MAX_NUMBERS) {
        size_t count = n_features - f < MAX_NUMBERS ? n_features - f : MAX_NUMBERS;
        uint32_t numbers[MAX_NUMBERS];

        b.first = (uint32_t)(f / 4);
        b.n_counters = (uint32_t)((count + PER_LANES - 1) / PER_LANES * LANES); /* no remainder */
        philox(b, numbers);
        for (size_t t = 0; t < alike.count; t++) {
            const float *from = x + t * alike.stride + f;
            float *to = y + t * alike.stride + f;

#pragma omp simd
            for (size_t i = 0; i < count; i++)
                to[i] = from[i] * (numbers[i] > last ? scale : 0.0f); /* nothing to mispredict */
        }
    }
}

void rnn_dropout(const rnn_dropout_args *args, size_t seq_len, size_t rows, size_t n_features,
                 const float *x, float *y)
{
    float scale = args->p < 1.0 ? (float)(1.0 / (1.0 - args->p)) : 0.0f;
    steps alike = {.count = args->is_variational ? seq_len : 1, .stride = rows * n_features};
    uint32_t last;

    if (args->p <= 0.0) {
        memmove(y, x, seq_len * rows * n_features * sizeof *y);
        return;
    }
    last = (uint32_t)(ceil(args->p * 0x1p32) - 1.0); /* the first that stays may be 2^32 */
    for (size_t t = 0; t < seq_len; t += alike.count)
        for (size_t r = 0; r < rows; r++, x += n_features, y += n_features) {
            block b = {.key = args->key, .t = (uint32_t)t, .row = (uint32_t)(args->first_row + r)};

            drop_row(b, last, scale, alike, n_features, x, y);
        }
}
