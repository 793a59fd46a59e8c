#include "kernels/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

uint64_t rnn_digest(const void *bytes, size_t n_bytes)
{
    return XXH3_64bits(bytes, n_bytes);
}

const char *rnn_digest_library(void)
{
    return "xxHash " TEXT(XXH_VERSION_MAJOR) "." TEXT(XXH_VERSION_MINOR) "." TEXT(
        XXH_VERSION_RELEASE);
}
