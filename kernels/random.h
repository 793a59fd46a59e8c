/*
 * Random numbers without state: every number is a function of (seed, purpose, when, which), so the
 * result does not depend on who draws it or in which order. Philox4x32-10 (Salmon, Moraes, Dror,
 * Shaw: Parallel random numbers: as easy as 1, 2, 3, SC11) from the Random123 library.
 */
#ifndef RNN_KERNELS_RANDOM_H
#define RNN_KERNELS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a number is for. Values are part of the reproducibility promise: never renumber. */
typedef enum rnn_random_purpose {
    RNN_RANDOM_INIT = 1,    /* when = 0, which = index in the parameter arena */
    RNN_RANDOM_SHUFFLE = 2, /* when = epoch, which = position */
    RNN_RANDOM_DROPOUT = 3, /* when = step, which = global sample and unit */
    RNN_RANDOM_SPLIT = 4,   /* when = 0, which = sample */
    RNN_RANDOM_SAMPLE = 5,  /* when = 0, which = position in the text */
    RNN_RANDOM_DATA = 6     /* when = split, which = sample and number in it */
} rnn_random_purpose;

/* 64 random bits. */
uint64_t rnn_random_bits(uint64_t seed, rnn_random_purpose purpose, uint32_t when, uint64_t which);

/* Unbiased for our sizes (bias below n / 2^64): an integer in [0, n), n > 0. */
uint64_t rnn_random_below(uint64_t n, uint64_t seed, rnn_random_purpose purpose, uint32_t when,
                          uint64_t which);

/* Fills values[i] with uniform numbers from low to high drawn at which = first + i. */
void rnn_random_uniform(float *values, size_t count, float low, float high, uint64_t seed,
                        rnn_random_purpose purpose, uint32_t when, uint64_t first);

/*
 * The same with normal numbers (Box and Muller, 1958), never farther than 6.8 * std from the mean.
 * Rounded from double: that another C library's log and cos give another float is unlikely.
 */
void rnn_random_normal(float *values, size_t count, double mean, double std, uint64_t seed,
                       rnn_random_purpose purpose, uint32_t when, uint64_t first);

#endif
