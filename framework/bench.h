/*
 * How close a training step comes to the primitives it is made of, and these to what the machine
 * can multiply.
 */
#ifndef RNN_FRAMEWORK_BENCH_H
#define RNN_FRAMEWORK_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/run.h"
#include "kernels/status.h"

/* T steps, B samples, I inputs, H units, L stacked layers. */
typedef struct rnn_bench_shape {
    size_t seq_len, batch_size, n_in, n_hid, n_layers;
} rnn_bench_shape;

typedef struct rnn_bench_cfg {
    bool json;             /* a line for each measured shape, in place of text */
    size_t n_rounds;       /* medians are of so many */
    const char *cell;      /* sweep: "lstm", "gru" or "rnn" alone; NULL: all three */
    rnn_bench_shape shape; /* sweep: this one alone; zeros: those that are built in */
} rnn_bench_cfg;

/*
 * Collective. Times, in turn and in one process, the run's training step on its own data, and the
 * bare recurrent primitives (forward and backward of every recurrent layer, nothing else) at the
 * same shapes on the same threads; prints medians and their ratio to the standard output. The bare
 * primitives are timed in several ways: in the run's shards, in fewer and larger slices down to one
 * for each thread, and whole with the library's own threads. The fastest one counts.
 */
rnn_status rnn_bench(rnn_run *run, const rnn_bench_cfg *cfg);

/*
 * Collective. The same, in a row of a table each, for stacked recurrent layers with a linear layer
 * on their last step, trained on made-up data. `overrides` as for rnn_config_load: they go on top
 * of the configurations of the sweep.
 */
rnn_status rnn_bench_sweep(const rnn_bench_cfg *cfg, const char *const *overrides,
                           size_t n_overrides, rnn_comm *comm);

#endif
