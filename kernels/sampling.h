/*
 * Choosing a token by its score, with the same choice on every machine (kernels/exact.h).
 */
#ifndef RNN_KERNELS_SAMPLING_H
#define RNN_KERNELS_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

enum { RNN_SAMPLING_MAX_TOKENS = 1 << 24 };

typedef struct rnn_sampling_cfg {
    double temperature; /* scores are divided by it; 0 = always the largest score */
    size_t top_k;       /* only the k largest scores count; 0 = all. Equal ones: the first */
    uint64_t seed;
} rnn_sampling_cfg;

/*
 * Draws a token with the probabilities softmax(scores / temperature); a function of its arguments
 * alone. A token less probable than 2^-40 times the most probable one is never drawn.
 *   scores    [n], n from 1 to RNN_SAMPLING_MAX_TOKENS
 *   position  of the token in the text: each draws with a random number of its own
 *   scratch   [n] doubles to work in
 *   token     (out) below n
 * RNN_ERR_NONFINITE if a score is not finite; RNN_ERR_USAGE for a temperature below 0 or not
 * finite.
 */
rnn_status rnn_sample_token(const double *scores, size_t n, const rnn_sampling_cfg *cfg,
                            uint64_t position, double *scratch, size_t *token);

#endif
