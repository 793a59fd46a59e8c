/*
 * Arrays that grow with what arrives, for readers that learn only at its end how much a file has.
 */
#ifndef RNN_DATASETS_GROW_H
#define RNN_DATASETS_GROW_H

#include <stddef.h>

#include "kernels/status.h"

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

#endif
