/*
 * Batches without a dataset: samples cut into shards as the loader does it.
 */
#ifndef RNN_TESTS_UNIT_HAND_MADE_BATCH_H
#define RNN_TESTS_UNIT_HAND_MADE_BATCH_H

#include <stdlib.h>
#include <string.h>

#include "datasets/loader.h"

/* All samples of a global batch; x is [seq_len][n_samples][n_features]. */
typedef struct samples {
    size_t seq_len, n_samples, n_features;
    const float *x;
    const int32_t *label; /* [n_samples] */
} samples;

/* A batch that owns its arrays. */
typedef struct hand_made_batch {
    rnn_batch view;
    rnn_batch_shard *shard;
    float *x;
    int32_t *label, *length;
} hand_made_batch;

static inline void fill_row(hand_made_batch *b, const samples *s, size_t shard, size_t row,
                            size_t sample)
{
    for (size_t t = 0; t < s->seq_len; t++)
        memcpy(b->x + ((shard * s->seq_len + t) * b->view.rows + row) * s->n_features,
               s->x + (t * s->n_samples + sample) * s->n_features, s->n_features * sizeof(float));
    b->label[shard * b->view.rows + row] = s->label[sample];
    b->length[shard * b->view.rows + row] = (int32_t)s->seq_len;
    b->shard[shard].n_valid++;
}

/* Shards first_shard .. first_shard + n_shards - 1 of `rows` rows each; the rest is padding. */
static inline void make_batch(hand_made_batch *b, const samples *s, size_t rows, size_t first_shard,
                              size_t n_shards)
{
    size_t n_rows = n_shards * rows;

    b->shard = calloc(n_shards, sizeof *b->shard);
    b->x = calloc(n_rows * s->seq_len * s->n_features, sizeof *b->x);
    b->label = malloc(n_rows * sizeof *b->label);
    b->length = calloc(n_rows, sizeof *b->length);
    b->view = (rnn_batch){.n_samples = s->n_samples,
                          .first_shard = first_shard,
                          .n_shards = n_shards,
                          .rows = rows,
                          .shard = b->shard};
    for (size_t i = 0; i < n_shards; i++)
        b->shard[i] = (rnn_batch_shard){.seq_len = s->seq_len,
                                        .x = b->x + i * s->seq_len * rows * s->n_features,
                                        .length = b->length + i * rows,
                                        .label = b->label + i * rows};
    for (size_t i = 0; i < n_rows; i++) {
        b->label[i] = -1;
        if (first_shard * rows + i < s->n_samples)
            fill_row(b, s, i / rows, i % rows, first_shard * rows + i);
    }
}

static inline void drop_batch(hand_made_batch *b)
{
    free(b->shard);
    free(b->x);
    free(b->label);
    free(b->length);
}

#endif
