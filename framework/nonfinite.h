/*
 * Numbers that are not finite: which tensor has them, and which samples they come from. All of this
 * looks only after something was found, so it may take its time.
 */
#ifndef RNN_FRAMEWORK_NONFINITE_H
#define RNN_FRAMEWORK_NONFINITE_H

#include <stdint.h>

#include "datasets/loader.h"
#include "framework/run.h"
#include "kernels/status.h"

/* A training batch of which something is not finite. */
typedef struct rnn_nonfinite_place {
    const rnn_batch *batch; /* this rank's part, the last of its step */
    uint64_t number;        /* among the run's training batches, as the executor was told */
    uint64_t step;          /* 0-based */
} rnn_nonfinite_place;

/*
 * Collective. RNN_ERR_NONFINITE on all ranks, with one message about the losses in run->news: the
 * parameter that is not finite, or else the samples whose output is not. Evaluates the batch.
 */
rnn_status rnn_nonfinite_loss(rnn_run *run, const rnn_nonfinite_place *at);

/*
 * Collective. The same about the sum of gradients in run->grads: the first tensor, and the samples
 * of the slices that gave it. Computes the batch's gradients again, unless states are carried.
 */
rnn_status rnn_nonfinite_gradient(rnn_run *run, const rnn_nonfinite_place *at);

/* RNN_ERR_NONFINITE naming the parameter, if one is not finite. */
rnn_status rnn_nonfinite_check_params(const rnn_run *run, uint64_t step);

#endif
