#include "datasets/grow.h"

#include <string.h>

#include "kernels/memory.h"

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
