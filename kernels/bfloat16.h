/*
 * float32 and bfloat16, its upper half: sign, all 8 bits of exponent, 7 of 23 bits of fraction.
 * Rounding is to nearest, ties to even: a relative error of at most 2^-8, denormals included down
 * to where they have no bits left; what is past the largest bfloat16 becomes infinite, a NaN stays
 * a NaN. No result depends on how the processor treats denormals, but those of sums.
 */
#ifndef RNN_KERNELS_BFLOAT16_H
#define RNN_KERNELS_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>

/* packed[i] = values[i], rounded. */
void rnn_bfloat16_pack(uint16_t *packed, const float *values, size_t count);

/* values[i] = packed[i], exactly. */
void rnn_bfloat16_unpack(float *values, const uint16_t *packed, size_t count);

/* values[i] = values[i] rounded. */
void rnn_bfloat16_round(float *values, size_t count);

/* sum[i] = a[i] rounded + b[i] rounded, in float32. `sum` may be `a`. */
void rnn_bfloat16_add_to(float *sum, const float *a, const float *b, size_t count);

/* The same of an array that is packed already. */
void rnn_bfloat16_add_packed_to(float *sum, const float *a, const uint16_t *b, size_t count);

#endif
