/*
 * torch.nn.Dropout, and the variational dropout of Gal and Ghahramani (2016). What is dropped is a
 * function of the key and of the element's place in the whole batch alone, so nothing has to be
 * kept for the backward pass and the cut of the batch into slices does not matter. The bits are the
 * same on every CPU.
 */
#ifndef RNN_KERNELS_DROPOUT_H
#define RNN_KERNELS_DROPOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rnn_dropout_args {
    double p;            /* probability of being dropped, 0 to 1 */
    uint64_t key;        /* a new one for every layer and step */
    uint64_t first_row;  /* place of row 0 in the whole batch; all places are below 2^32 */
    bool is_variational; /* what is dropped at step 0 of a row is dropped at all of its steps */
} rnn_dropout_args;

/*
 * y = x / (1 - p) where the element is kept, 0 * x where it is dropped, so that a NaN still shows.
 * The same call with dy for x gives dx.
 *
 * Element (t, r, f) is dropped if its number is below p * 2^32: number f % 4 of Philox4x32-10 with
 * args->key at the counter {f / 4, t, first_row + r, RNN_RANDOM_DROPOUT}, where t is 0 for all
 * steps if args->is_variational.
 *   x  [seq_len][rows][n_features]
 *   y  [seq_len][rows][n_features] (out); may be x
 */
void rnn_dropout(const rnn_dropout_args *args, size_t seq_len, size_t rows, size_t n_features,
                 const float *x, float *y);

#endif
