/*
 * This rank's shards of each batch. They are assembled in a thread of its own while the batch
 * before computes; or, from samples that lie in memory, by the threads that compute them, just
 * before they do: with all cores at work a further thread only gets in their way.
 */
#ifndef RNN_DATASETS_LOADER_H
#define RNN_DATASETS_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "datasets/sampler.h"

/* One slice of a batch: what one worker computes at a time. */
typedef struct rnn_batch_shard {
    size_t n_valid; /* rows past these are padding */
    size_t seq_len; /* steps to compute; may be 0 if n_valid is 0 */
    /* The inputs, one of them NULL */
    const float *x;        /* [seq_len][rows][n_features], 0 in padding */
    const int32_t *token;  /* [seq_len][rows], -1 in padding */
    const int32_t *length; /* [rows] steps of each sample, 0 in padding */
    bool is_ragged;        /* a sample among the n_valid is shorter than seq_len */
    /* What is to be learned, one of them NULL; the steps only if there is one for each */
    const int32_t *label;      /* [seq_len][rows], -1 in padding */
    const float *target;       /* [seq_len][rows][n_target_values], 0 in padding */
    const uint64_t *sample_id; /* [rows] sample numbers, meaningless in padding */
} rnn_batch_shard;

/* One rank's part of one global batch; lent until the next rnn_loader_next or _seek. */
typedef struct rnn_batch {
    uint32_t epoch;
    size_t number;                /* batch in the epoch */
    size_t n_samples;             /* of the global batch, over all ranks */
    size_t first_shard;           /* this rank has first_shard .. first_shard + n_shards - 1 */
    size_t n_shards;              /* of this rank */
    size_t rows;                  /* of every slice */
    const rnn_batch_shard *shard; /* [n_shards] */
    struct rnn_loader *filler;    /* for rnn_batch_fill; NULL: nothing is left to be done */
} rnn_batch;

typedef struct rnn_loader rnn_loader;

typedef struct rnn_loader_cfg {
    const rnn_dataset *dataset; /* borrowed; outlives the loader */
    rnn_split split;
    rnn_sampler_cfg sampler;      /* seq_len is the dataset's, whatever stands here */
    size_t first_shard, n_shards; /* this rank's run of shards */
    bool is_filled_later;         /* no thread: whoever uses a shard calls rnn_batch_fill first */
} rnn_loader_cfg;

/* Starts the thread, if there is one. Nothing is assembled before the first rnn_loader_seek. */
rnn_status rnn_loader_create(rnn_loader **out, const rnn_loader_cfg *cfg);

/* Stops and joins the thread. */
void rnn_loader_destroy(rnn_loader **loader);

size_t rnn_loader_n_batches(const rnn_loader *loader);

/*
 * The following calls give batch `batch` of `epoch` and then the rest of that epoch, none if
 * `batch` is rnn_loader_n_batches; beyond that is RNN_ERR_DATA. Batches prepared for another place
 * are dropped.
 */
rnn_status rnn_loader_seek(rnn_loader *loader, uint32_t epoch, size_t batch);

/*
 * Waits for the next batch. *out is NULL after the last batch of the epoch; seek then starts
 * another. If samples could not be read, their error, and again on every further call. Calling it
 * before the first seek is RNN_ERR_INTERNAL. Not thread-safe: one consumer.
 */
rnn_status rnn_loader_next(rnn_loader *loader, const rnn_batch **out);

/*
 * Puts the values of a shard in their place where that was left to its user; before, only n_valid,
 * seq_len and sample_id say something. Different shards may be filled by different threads at once.
 * Errors are those of reading.
 */
rnn_status rnn_batch_fill(const rnn_batch *batch, size_t shard);

/* See rnn_sampler_padding, of the first epoch and all ranks' shards. */
void rnn_loader_padding(const rnn_loader *loader, double *share, double *share_ungrouped);

/* Seconds the consumer has waited in rnn_loader_next so far. */
double rnn_loader_wait_seconds(const rnn_loader *loader);

#endif
