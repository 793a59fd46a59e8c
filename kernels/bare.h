/*
 * The primitives that a training step is made of and nothing around them, to measure what a step
 * could reach at best: arguments are bound once and for all, values are made up, no result is used.
 */
#ifndef RNN_KERNELS_BARE_H
#define RNN_KERNELS_BARE_H

#include <stddef.h>

#include "kernels/recurrent.h"
#include "kernels/status.h"

/* One direction of a recurrent layer on slices of one shape. Weights are shared by its parts. */
typedef struct rnn_bare rnn_bare;

/*
 * `slice` without lengths. A part is what one thread computes with: `n_parts` slices at a time.
 * The library plans for the threads that OpenMP would start now: call omp_set_num_threads(1) where
 * parts are for threads that compute alone. RNN_ERR_UNAVAILABLE, RNN_ERR_MEMORY.
 */
rnn_status rnn_bare_create(rnn_bare **out, const rnn_recurrent_cfg *cfg,
                           const rnn_recurrent_slice *slice, size_t n_parts);
void rnn_bare_destroy(rnn_bare **bare);

/* Takes a part's memory. Call it in the thread that will use it. */
rnn_status rnn_bare_prepare(rnn_bare *bare, size_t part);

/* Different parts at once. Backward comes after forward, once. */
rnn_status rnn_bare_forward(const rnn_bare *bare, size_t part);
rnn_status rnn_bare_backward(const rnn_bare *bare, size_t part);

#endif
