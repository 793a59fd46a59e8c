/*
 * How close a training step comes to the primitives it is made of.
 */
#ifndef RNN_FRAMEWORK_BENCH_H
#define RNN_FRAMEWORK_BENCH_H

#include "framework/run.h"
#include "kernels/status.h"

/*
 * Collective. Times, in turn and in one process, the run's training step on its own data, and the
 * bare recurrent primitives (forward and backward of every recurrent layer, nothing else) at the
 * same shapes on the same threads; prints both medians and their ratio. The bare primitives are
 * timed in two ways, in the run's shards and in one slice per thread, and the faster one counts.
 */
rnn_status rnn_bench(rnn_run *run);

#endif
