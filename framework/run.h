/*
 * Everything a run consists of, made from its configuration: data, model, optimizer, and this
 * rank's share of the work. Training, checking and benchmarking all start from here.
 */
#ifndef RNN_FRAMEWORK_RUN_H
#define RNN_FRAMEWORK_RUN_H

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "dist/affinity.h"
#include "dist/comm.h"
#include "dist/reduce.h"
#include "framework/config.h"
#include "framework/data.h"
#include "framework/executor.h"
#include "framework/metrics.h"
#include "framework/model.h"
#include "framework/objective.h"
#include "framework/optimizer.h"
#include "framework/schedule.h"

enum { RNN_STEP_SLOTS = 8 }; /* counts and flags in front of the shards' losses */

/* What a run is for, other than training. */
typedef struct rnn_run_use {
    rnn_data_override data;
    bool with_confusion; /* evaluation also counts a confusion matrix */
} rnn_run_use;

typedef struct rnn_run {
    const rnn_config *config; /* borrowed */
    rnn_comm *comm;           /* borrowed */
    const rnn_run_use *use;   /* while the run is made; NULL: to train */
    char *config_text;        /* canonical */
    int odd_kernels; /* a rank with other instructions or kernels than most; else their number */
    rnn_affinity affinity;
    rnn_dataset *dataset;
    rnn_model *model;
    rnn_objective objective;
    float *params, *grads; /* [model size] */
    float *batch_grads;    /* [model size] of a batch after the first of a step; NULL if none is */
    rnn_optimizer *optimizer;        /* of the chunk of parameters that this rank updates: */
    size_t chunk_first, chunk_count; /* all of them, unless they are shared out */
    bool is_shared_out;
    double *block_sums; /* [blocks of the model] squares of gradients, if it is */
    rnn_schedule_cfg schedule;
    double lr; /* what the schedule begins from: optimizer.lr, less after falls on a plateau */
    size_t n_shards, rows;            /* of the global batch; rows of a shard */
    size_t first_shard, n_own_shards; /* this rank's */
    rnn_executor *executor;
    rnn_reducer *reducer;
    rnn_task task;
    rnn_metrics *metrics;
    double *target_scale; /* [values of a target] from the training's units to the data's */
    rnn_split monitor;    /* the split that is evaluated after every epoch: validation, else test */
    rnn_loader *loader[RNN_N_SPLITS]; /* NULL for an empty split */
    double *news;      /* [RNN_STEP_SLOTS + n_shards], what ranks tell each other per step */
    double *predicted; /* [train samples][seq_len] class + 1, 0 = not this rank's; of texts only */
    uint64_t total_steps;   /* where the run ends */
    rnn_timeline *timeline; /* borrowed; NULL unless what runs when is recorded */
} rnn_run;

/*
 * Collective. Makes the run, with the model at its initial parameters, after comparing program,
 * configuration and data over ranks. `use` is NULL for training, which needs training samples. On
 * failure every rank returns the same status and message.
 */
rnn_status rnn_run_create(rnn_run **out, const rnn_config *config, const rnn_run_use *use,
                          rnn_comm *comm);
void rnn_run_destroy(rnn_run **run);

/* Around what is recorded in the main thread (kernels/timeline.h). */
double rnn_run_begin(const rnn_run *run);
void rnn_run_end(const rnn_run *run, rnn_phase phase, double begin);

/* From now on records what runs when; NULL ends that. A track for each thread; borrowed. */
void rnn_run_record(rnn_run *run, rnn_timeline *timeline);

/* An executor with the run's parameters for a run of its shards: this rank's, or another's. */
rnn_status rnn_run_create_executor(const rnn_run *run, size_t first_shard, size_t n_shards,
                                   rnn_executor **out);

/* The digest of the parameters, as it is printed and compared. */
uint64_t rnn_run_digest(const rnn_run *run);

/*
 * The number of shards of a global batch when the configuration leaves it open: a power of two,
 * from batch size and the widest layer's output alone, never from ranks or threads. Slices of 16
 * rows or more, since larger ones are faster; of 8 only where there would be fewer than 8 shards to
 * keep workers busy, or than 2 of layers wider than 256, which lose more by it.
 */
size_t rnn_run_default_shards(size_t batch_size, size_t widest);

#endif
