#include "kernels/random.h"

#include <math.h>

#include <Random123/philox.h>

uint64_t rnn_random_bits(uint64_t seed, rnn_random_purpose purpose, uint32_t when, uint64_t which)
{
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {
        {(uint32_t)which, (uint32_t)(which >> 32), when, (uint32_t)purpose}};
    philox4x32_ctr_t bits = philox4x32(counter, key);

    return (uint64_t)bits.v[1] << 32 | bits.v[0];
}

uint64_t rnn_random_below(uint64_t n, uint64_t seed, rnn_random_purpose purpose, uint32_t when,
                          uint64_t which)
{
    /* Lemire's multiply-and-shift, without the rejection step. */
    unsigned __int128 product = (unsigned __int128)rnn_random_bits(seed, purpose, when, which) * n;

    return (uint64_t)(product >> 64);
}

void rnn_random_uniform(float *values, size_t count, float low, float high, uint64_t seed,
                        rnn_random_purpose purpose, uint32_t when, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = rnn_random_bits(seed, purpose, when, first + i);
        float unit = (float)(bits >> 40) * 0x1p-24f; /* 24 bits are exact in a float */

        values[i] = low + (high - low) * unit;
    }
}

/* z = sqrt(-2 log u) cos(2 pi v) of two uniform numbers, each 32 bits and in the middle of its
   cell: u is never 0. Box and Muller's second number, with sin, is left: one number per index. */
static double normal(uint64_t bits)
{
    const double two_pi = 6.283185307179586;
    double u = ((double)(bits >> 32) + 0.5) * 0x1p-32;
    double v = ((double)(uint32_t)bits + 0.5) * 0x1p-32;

    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

void rnn_random_normal(float *values, size_t count, double mean, double std, uint64_t seed,
                       rnn_random_purpose purpose, uint32_t when, uint64_t first)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(mean + std * normal(rnn_random_bits(seed, purpose, when, first + i)));
}
