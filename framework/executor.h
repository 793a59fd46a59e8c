/*
 * Runs a model on this rank's shards of a batch with OpenMP threads.
 *
 * A worker is a thread with its own buffers; it computes whole shards, alone, through
 * single-threaded primitives of the shard's shape, so a shard's gradient does not depend on who
 * computes it. Shard gradients are added in the fixed tree of dist/reduce.h: each worker adds up
 * its contiguous run as a carry chain, then the workers' nodes are joined. What is left are the
 * maximal nodes of this rank's run, ready for the ranks' part of the tree.
 */
#ifndef RNN_FRAMEWORK_EXECUTOR_H
#define RNN_FRAMEWORK_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/loader.h"
#include "framework/carry.h"
#include "framework/model.h"
#include "framework/objective.h"
#include "framework/optimizer.h"
#include "kernels/loss.h"
#include "kernels/status.h"
#include "kernels/timeline.h"

typedef struct rnn_executor rnn_executor;

typedef struct rnn_executor_cfg {
    const rnn_model *model;       /* borrowed */
    rnn_objective objective;      /* fits the model's output and the batches' targets */
    uint64_t seed;                /* of the run, for dropout */
    size_t rows;                  /* of every slice */
    size_t first_shard, n_shards; /* this rank's run */
    int n_threads;
    size_t n_all_shards;    /* of the global batch */
    bool carries_state;     /* batches go on where the one before ended; batch 0 begins anew */
    bool rounds_nodes;      /* to bfloat16 before they are added; see dist/reduce.h */
    bool keeps_predictions; /* also while training; see rnn_executor_predicted */
} rnn_executor_cfg;

/* Creates each worker and its buffers in its own thread. */
rnn_status rnn_executor_create(rnn_executor **out, const rnn_executor_cfg *cfg);
void rnn_executor_destroy(rnn_executor **executor);

/* From now on records what its workers do, each in the track of its number; NULL ends that. The
 * timeline, of at least n_threads tracks, is borrowed. */
void rnn_executor_record(rnn_executor *executor, rnn_timeline *timeline);

/* Brings the parameters [model size] into the kernels' layouts; before use and after each update.
 * The array must stay unchanged while the executor computes with it. */
void rnn_executor_load(rnn_executor *executor, const float *params);

/* The optimizer's step that rnn_optimizer_begin began, and the new parameters into the kernels'
 * layouts: what a thread has updated, it packs while its cache still has it. */
void rnn_executor_update(rnn_executor *executor, const rnn_optimizer *optimizer,
                         const rnn_optimizer_pass *pass);

/*
 * Forward, loss, backward on every shard; then the tree inside this rank.
 *   batch   this rank's part; n_shards and rows as configured
 *   step    which training batch this is, for dropout: another number for every one
 *   first   where the first of the nodes goes, [model size]; NULL: to an array of the executor
 *   nodes   (out) arrays [model size] of gradient sums in the order of rnn_tree_decompose; lent
 *           until the next call, may be overwritten
 */
rnn_status rnn_executor_gradients(rnn_executor *executor, const rnn_batch *batch, uint64_t step,
                                  float *first, float *const **nodes, size_t *n_nodes);

/*
 * The same without the tree, for sums that need no fixed order and may leave early: begin does all
 * but the last backward pass of every worker; then finish(stage), called from the last stage to
 * the first, completes that stage and writes its gradient to grads [model size].
 */
rnn_status rnn_executor_begin(rnn_executor *executor, const rnn_batch *batch, uint64_t step);
rnn_status rnn_executor_finish(rnn_executor *executor, size_t stage, float *grads);

/* Who looks at the answers while they are there: called for each shard that has samples, with its
 * number among the rank's own, in the thread of `worker`. */
typedef struct rnn_observer {
    void (*see)(void *context, int worker, size_t shard, const rnn_answers *answers);
    void *context;
} rnn_observer;

/* Forward and loss only, without dropout. `observer` may be NULL. */
rnn_status rnn_executor_evaluate(rnn_executor *executor, const rnn_batch *batch,
                                 const rnn_observer *observer);

/* The states that the last training batch left; NULL unless they are carried. Lent. */
rnn_carry *rnn_executor_carry(rnn_executor *executor);

/* Loss, targets and correct answers of each of this rank's shards in the last batch; lent. */
const rnn_loss_sums *rnn_executor_results(const rnn_executor *executor);

/* Of cross entropy, after a batch of training if configured, and after one of evaluation: the
 * predicted classes [seq_len or 1][rows] of a shard; lent. */
const int32_t *rnn_executor_predicted(const rnn_executor *executor, size_t shard);

#endif
