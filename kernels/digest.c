#include "kernels/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t rnn_digest(const void *bytes, size_t n_bytes)
{
    return XXH3_64bits(bytes, n_bytes);
}

uint64_t rnn_digest_chain(uint64_t before, const void *bytes, size_t n_bytes)
{
    return XXH3_64bits_withSeed(bytes, n_bytes, before);
}
