/*
 * Every rank keeps the parameters and optimizer states of its own, and updates them with the same
 * gradients; so they are the same bits, unless memory or a network card has spoilt some.
 */
#ifndef RNN_FRAMEWORK_REPLICAS_H
#define RNN_FRAMEWORK_REPLICAS_H

#include <stdint.h>

#include "framework/run.h"
#include "kernels/status.h"

/*
 * Collective. RNN_ERR_DISAGREE on all ranks unless all have the same parameters and optimizer
 * states after `step` steps; the message names the first tensor that differs and the rank that has
 * other values than most, with two ranks both. One pass over the memory and a reduction of two
 * numbers.
 */
rnn_status rnn_replicas_compare(const rnn_run *run, uint64_t step);

#endif
