/*
 * How much memory a rank takes, from configuration and model alone: the formula that --check and
 * `rnntrain plan` print.
 */
#ifndef RNN_FRAMEWORK_MEMORY_ESTIMATE_H
#define RNN_FRAMEWORK_MEMORY_ESTIMATE_H

#include <stddef.h>

#include "framework/run.h"
#include "kernels/status.h"

typedef enum rnn_memory_part {
    RNN_MEMORY_PROGRAM,    /* code, libraries and their tables: a constant */
    RNN_MEMORY_DATA,       /* samples that are kept, and batches being assembled */
    RNN_MEMORY_PARAMETERS, /* as torch has them, and packed for the primitives */
    RNN_MEMORY_GRADIENTS,  /* of a step, of the rank's tree nodes, of each thread's */
    RNN_MEMORY_OPTIMIZER,  /* its states */
    RNN_MEMORY_SUMS,       /* what is exchanged between ranks */
    RNN_MEMORY_THREADS,    /* activations and the primitives' own memory, of all threads */
    RNN_MEMORY_CHECKPOINT, /* rank 0's, while it writes one */
    RNN_MEMORY_N_PARTS
} rnn_memory_part;

typedef struct rnn_memory_estimate {
    double bytes[RNN_MEMORY_N_PARTS];
    double total; /* of rank 0, at the peak */
} rnn_memory_estimate;

/*
 * Resident memory of a rank among n_ranks, each with this run's threads. With n parameters, w of
 * them in recurrent layers, S shards per rank and C per thread, in floats:
 *
 *     parameters   n + 2 w
 *     gradients    n (twice if batches are accumulated) + n for each tree node of the rank's run
 *                  + per thread (1 + log2 C) n
 *     optimizer    n for each state: 1 of sgd with momentum, 2 of adam; divided by n_ranks with
 *                  parallel.shard_optimizer
 *     sums         half a segment of 2^20 values; if n_ranks is no power of two, a segment for the
 *                  tree nodes of all ranks together, divided by n_ranks
 *     threads      per thread, per stage: 2 x steps x rows x features, and what oneDNN asks for
 *     checkpoint   2 x (n + states): HDF5's image, and the copy that is digested and written;
 *                  with parallel.shard_optimizer the states once more, gathered
 *
 * Nodes, and the arrays of a thread, are counted where C and S are no powers of two. n_ranks is at
 * most run->n_shards. RNN_ERR_MEMORY or RNN_ERR_UNAVAILABLE if the primitives cannot be asked.
 */
rnn_status rnn_estimate_memory(const rnn_run *run, size_t n_ranks, rnn_memory_estimate *out);

/* "parameters", ... */
const char *rnn_memory_part_name(rnn_memory_part part);

#endif
