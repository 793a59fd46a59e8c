/*
 * In place of kernels/memory.c and kernels/vector.c in tests/bench/scaling-driver.c when only times
 * are wanted: nothing is added up, and what is never written takes no memory (if the environment's
 * MALLOC_MMAP_THRESHOLD_ is small, so that long arrays are fresh pages, zero already).
 */
#include <stdlib.h>

#include "kernels/memory.h"
#include "kernels/vector.h"

rnn_status rnn_alloc(void **out, size_t count, size_t size, const char *what)
{
    *out = calloc(count > 0 ? count : 1, size);
    if (*out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate %s: %zu x %zu bytes", what, count, size);
    return RNN_OK;
}

void rnn_free(void *pointer)
{
    free(pointer);
}

void rnn_vector_add_to(float *sum, const float *a, const float *b, size_t count)
{
    (void)sum;
    (void)a;
    (void)b;
    (void)count;
}
