/*
 * Memory: zeroed, 64-byte aligned, with overflow-checked sizes and one message when there is none.
 */
#ifndef RNN_KERNELS_MEMORY_H
#define RNN_KERNELS_MEMORY_H

#include <stddef.h>

#include "kernels/status.h"

/*
 * Allocates `count` elements of `size` bytes, zero-filled, 64-byte aligned. A count of 0 gives a
 * valid pointer. `what` names the thing in the error message. On failure (RNN_ERR_MEMORY) *out is
 * NULL. Free with rnn_free.
 */
rnn_status rnn_alloc(void **out, size_t count, size_t size, const char *what);

/* Typed form: float *x; RNN_ALLOC(&x, n, "activations") */
#define RNN_ALLOC(pointer, count, what)                                                            \
    rnn_alloc((void **)(pointer), (count), sizeof **(pointer), (what))

/* Frees what rnn_alloc gave; accepts NULL. */
void rnn_free(void *pointer);

/* *out = a * b, or RNN_ERR_DATA naming `what` if that does not fit. */
rnn_status rnn_size_multiply(size_t *out, size_t a, size_t b, const char *what);

/* Memory that only grows, for work of different sizes one after another. Empty as {NULL, 0}. */
typedef struct rnn_buffer {
    void *bytes;
    size_t n_bytes;
} rnn_buffer;

/*
 * Room for at least n_bytes, a valid pointer even for 0. If that takes new memory, it is zeroed,
 * and the old content is lost. On failure the buffer is empty. `what` as for rnn_alloc.
 */
rnn_status rnn_buffer_reserve(rnn_buffer *buffer, size_t n_bytes, const char *what);

/* The same for rows * columns floats; also RNN_ERR_DATA if that does not fit. */
rnn_status rnn_buffer_reserve_floats(rnn_buffer *buffer, size_t rows, size_t columns,
                                     const char *what);

/* Frees the memory; the buffer is empty then. */
void rnn_buffer_release(rnn_buffer *buffer);

/*
 * Makes room for at least `needed` elements in an array of rnn_alloc memory that has room for
 * *room, keeping the first `used`; what is new is zeroed. `what` as for rnn_alloc. On failure the
 * array is as before.
 */
rnn_status rnn_grow(void **array, size_t *room, size_t used, size_t needed, size_t element_size,
                    const char *what);

/* Typed form: RNN_GROW(&values, &room, n_values, n_values + 1, "values") */
#define RNN_GROW(array, room, used, needed, what)                                                  \
    rnn_grow((void **)(array), (room), (used), (needed), sizeof **(array), (what))

/* A copy of `text` in rnn_alloc memory. */
rnn_status rnn_string_copy(char **out, const char *text);

#endif
