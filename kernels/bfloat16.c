#include "kernels/bfloat16.h"

#include <string.h>

#include "kernels/target.h"

RNN_INLINE uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

RNN_INLINE float value_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The bits of a float32 whose lower half is zero. A NaN is cut off and made quiet: rounding might
 * carry it into infinity. */
RNN_INLINE uint32_t rounded(uint32_t bits)
{
    const uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    const uint32_t nan = bits | 0x00400000u;

    return ((bits & 0x7fffffffu) > 0x7f800000u ? nan : nearest) & 0xffff0000u;
}

RNN_TARGET_CLONES
void rnn_bfloat16_pack(uint16_t *packed, const float *values, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        packed[i] = (uint16_t)(rounded(bits_of(values[i])) >> 16);
}

RNN_TARGET_CLONES
void rnn_bfloat16_unpack(float *values, const uint16_t *packed, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        values[i] = value_of((uint32_t)packed[i] << 16);
}

RNN_TARGET_CLONES
void rnn_bfloat16_round(float *values, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        values[i] = value_of(rounded(bits_of(values[i])));
}

RNN_TARGET_CLONES
void rnn_bfloat16_add_to(float *sum, const float *a, const float *b, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        sum[i] = value_of(rounded(bits_of(a[i]))) + value_of(rounded(bits_of(b[i])));
}

RNN_TARGET_CLONES
void rnn_bfloat16_add_packed_to(float *sum, const float *a, const uint16_t *b, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        sum[i] = value_of(rounded(bits_of(a[i]))) + value_of((uint32_t)b[i] << 16);
}
