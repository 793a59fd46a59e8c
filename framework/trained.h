/*
 * A trained model as it is used: a checkpoint, and the run that its configuration makes of other
 * data or of its own.
 */
#ifndef RNN_FRAMEWORK_TRAINED_H
#define RNN_FRAMEWORK_TRAINED_H

#include <stdbool.h>
#include <stddef.h>

#include "dist/comm.h"
#include "framework/run.h"
#include "kernels/status.h"

typedef struct rnn_trained_cfg {
    const char *checkpoint;
    const char *data; /* as rnn_data_override.path */
    const char *const *overrides;
    size_t n_overrides;
    bool needs_no_targets, with_confusion;
} rnn_trained_cfg;

/* All are owned. */
typedef struct rnn_trained {
    rnn_config config;
    rnn_dataset_fit fit;
    rnn_run *run; /* with the checkpoint's parameters */
    uint64_t epoch, step;
} rnn_trained;

/*
 * Collective. Every rank reads the checkpoint; errors as of rnn_checkpoint_read and rnn_run_create.
 * On failure there is nothing to close.
 */
rnn_status rnn_trained_open(rnn_trained *out, const rnn_trained_cfg *cfg, rnn_comm *comm);
void rnn_trained_close(rnn_trained *trained);

/* The split to use where one is asked for: test if there are samples, else validation. */
rnn_split rnn_trained_split(const rnn_trained *trained);

#endif
