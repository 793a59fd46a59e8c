/*
 * Which samples form which global batch. A function of (seed, epoch, batch size) and, where
 * sequences differ, their lengths alone: neither ranks nor threads nor interruptions enter.
 *
 * Batch k of an epoch is order[k * batch_size ...]; the last one may be short and is kept. It is
 * cut into n_shards slices of `rows` = ceil(batch_size / n_shards) samples; the last slices of a
 * batch may be short or empty. Ranks own contiguous runs of shards.
 *
 * Without lengths, slice i is shard i. With lengths, the samples of a batch are first sorted, the
 * longest in front, so that a slice holds samples of similar length and pads little. The slices
 * are then dealt to the shards such that every aligned run of 2, 4, 8, ... shards has nearly the
 * same work: ranks wait for each other after every batch. Which samples form a batch, and so the
 * gradient of a step up to rounding, does not depend on any of this.
 *
 * Streams are left as they are: row r of every batch goes on where row r of the one before ended.
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
    bool is_stream; /* samples stay in the rows they come in; needs shuffle = false */
    uint64_t seed;
    const uint32_t *length; /* [n_samples] steps of each, > 0, borrowed; NULL: all alike */
    size_t seq_len;         /* the longest sequence of the dataset, not only of these samples */
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

/*
 * Steps that a shard is computed with: those of its longest sample, above 32 rounded up by at most
 * 1/16 (to a multiple of 2^(floor(log2 length) - 4), never beyond seq_len), since every number of
 * steps costs the executor memory and preparation. 0 without samples. Without lengths seq_len.
 */
size_t rnn_sampler_shard_steps(const rnn_sampler *sampler, size_t batch, size_t shard);

/*
 * Padding in the current epoch: the share of the steps computed that belong to no sample, because
 * a sample is shorter than its slice or a slice shorter than `rows`; slices without samples are not
 * computed. `share_ungrouped` is the same if every slice had seq_len steps. O(n_samples).
 */
void rnn_sampler_padding(const rnn_sampler *sampler, double *share, double *share_ungrouped);

#endif
