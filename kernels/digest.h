/*
 * 64-bit digests (XXH3) for parameters, data, configurations and files. They find accidents, not
 * forgery. Not sensitive to alignment; the same on every machine of the same byte order.
 */
#ifndef RNN_KERNELS_DIGEST_H
#define RNN_KERNELS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

uint64_t rnn_digest(const void *bytes, size_t n_bytes);

/* "xxHash 0.8.1"; lives as long as the program. */
const char *rnn_digest_library(void);

#endif
