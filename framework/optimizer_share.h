/*
 * The optimizer shared out among ranks (parallel.shard_optimizer): each has the states of its chunk
 * of the parameters only, updates these, and then all parameters are gathered. Chunks are whole
 * blocks, of which norms are made up, so nothing has other bits than without.
 */
#ifndef RNN_FRAMEWORK_OPTIMIZER_SHARE_H
#define RNN_FRAMEWORK_OPTIMIZER_SHARE_H

#include "framework/run.h"
#include "kernels/status.h"

/*
 * Collective. One step of this rank's chunk of run->params, then of all: as rnn_optimizer_step,
 * with run->grads of this chunk. On RNN_ERR_NONFINITE, which all ranks return, run->grads is whole.
 */
rnn_status rnn_share_step(rnn_run *run, float grad_scale, double lr);

/*
 * Collective. On rank 0, *whole becomes an optimizer with the states of all ranks, to be destroyed
 * by the caller; NULL on the others, and on all if nothing is shared out. Uses up run->grads.
 */
rnn_status rnn_share_gather(rnn_run *run, rnn_optimizer **whole);

/* Collective. Rank 0's `whole`, NULL on the others, becomes the state of all. Uses up run->grads.
 */
rnn_status rnn_share_scatter(rnn_run *run, rnn_optimizer *whole);

#endif
