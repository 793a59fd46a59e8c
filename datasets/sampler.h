/*
 * Which samples form which global batch. A function of (seed, epoch, batch size) alone: neither
 * ranks nor threads nor interruptions enter.
 *
 * Batch k of an epoch is order[k * batch_size ...]; the last one may be short and is kept. It is
 * cut into n_shards slices of `rows` = ceil(batch_size / n_shards) samples; the last slices of a
 * batch may be short or empty. Ranks own contiguous runs of shards.
 */
#ifndef RNN_DATASETS_SAMPLER_H
#define RNN_DATASETS_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef struct rnn_sampler_cfg {
    size_t n_samples;  /* > 0 */
    size_t batch_size; /* global, > 0 */
    size_t n_shards;   /* > 0 */
    bool shuffle;
    uint64_t seed;
} rnn_sampler_cfg;

typedef struct rnn_sampler rnn_sampler;

rnn_status rnn_sampler_create(rnn_sampler **out, const rnn_sampler_cfg *cfg);
void rnn_sampler_destroy(rnn_sampler **sampler);

/* Puts the order of `epoch` (0, 1, ...) in place: O(n_samples) when it changes, else nothing. */
void rnn_sampler_set_epoch(rnn_sampler *sampler, uint32_t epoch);

size_t rnn_sampler_n_batches(const rnn_sampler *sampler);

/* Rows of a full shard: ceil(batch_size / n_shards). */
size_t rnn_sampler_rows(const rnn_sampler *sampler);

/* Samples in global batch `batch` (less than batch_size only in the last one). */
size_t rnn_sampler_batch_samples(const rnn_sampler *sampler, size_t batch);

/*
 * The samples of one shard of one batch of the current epoch: *index (lent until the next
 * set_epoch) and their number, 0 to rows.
 */
size_t rnn_sampler_shard(const rnn_sampler *sampler, size_t batch, size_t shard,
                         const uint64_t **index);

#endif
