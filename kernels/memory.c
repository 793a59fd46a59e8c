#include "kernels/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 * 1024 * 1024 };

/*
 * Arrays of several huge pages are asked to lie in such: MPI libraries that copy from process to
 * process look up every page of a message, which is most of the time for small ones. What the
 * system does not grant makes no difference but that.
 */
static void *take(size_t n_bytes)
{
    void *memory;

    if (n_bytes < 2 * (size_t)HUGE_PAGE)
        return aligned_alloc(ALIGNMENT, n_bytes);
    if (posix_memalign(&memory, HUGE_PAGE, n_bytes) != 0)
        return NULL;
    (void)madvise(memory, n_bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return memory;
}

rnn_status rnn_alloc(void **out, size_t count, size_t size, const char *what)
{
    size_t bytes, rounded;

    *out = NULL;
    if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate %s: %zu x %zu bytes overflow", what, count,
                        size);
    bytes = count * size;
    rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *out = take(rounded > 0 ? rounded : ALIGNMENT);
    if (*out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate %s: %zu bytes", what, bytes);
    memset(*out, 0, rounded > 0 ? rounded : ALIGNMENT);
    return RNN_OK;
}

void rnn_free(void *pointer)
{
    free(pointer);
}

rnn_status rnn_size_multiply(size_t *out, size_t a, size_t b, const char *what)
{
    *out = 0;
    if (a != 0 && b > SIZE_MAX / a)
        return RNN_FAIL(RNN_ERR_DATA, "%s: %zu x %zu does not fit in memory", what, a, b);
    *out = a * b;
    return RNN_OK;
}

rnn_status rnn_grow(void **array, size_t *room, size_t used, size_t needed, size_t element_size,
                    const char *what)
{
    size_t larger = 2 * *room > needed ? 2 * *room : needed;
    void *moved;

    if (needed <= *room)
        return RNN_OK;
    RNN_TRY(rnn_alloc(&moved, larger, element_size, what));
    if (used > 0)
        memcpy(moved, *array, used * element_size);
    rnn_free(*array);
    *array = moved;
    *room = larger;
    return RNN_OK;
}

rnn_status rnn_buffer_reserve(rnn_buffer *buffer, size_t n_bytes, const char *what)
{
    if (n_bytes <= buffer->n_bytes && buffer->bytes != NULL)
        return RNN_OK;
    rnn_buffer_release(buffer);
    RNN_TRY(rnn_alloc(&buffer->bytes, n_bytes, 1, what));
    buffer->n_bytes = n_bytes;
    return RNN_OK;
}

rnn_status rnn_buffer_reserve_floats(rnn_buffer *buffer, size_t rows, size_t columns,
                                     const char *what)
{
    size_t n;

    RNN_TRY(rnn_size_multiply(&n, rows, columns, what));
    RNN_TRY(rnn_size_multiply(&n, n, sizeof(float), what));
    return rnn_buffer_reserve(buffer, n, what);
}

void rnn_buffer_release(rnn_buffer *buffer)
{
    rnn_free(buffer->bytes);
    *buffer = (rnn_buffer){.bytes = NULL};
}

rnn_status rnn_string_copy(char **out, const char *text)
{
    size_t length = strlen(text);

    RNN_TRY(RNN_ALLOC(out, length + 1, "a string"));
    memcpy(*out, text, length + 1);
    return RNN_OK;
}
