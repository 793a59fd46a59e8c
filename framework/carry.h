/*
 * Recurrent states that go on from batch to batch: row r of a batch begins where row r of the one
 * before ended. Each shard has its own part, so that it does not matter which rank or thread
 * computes it; gradients stay inside a batch (truncated back-propagation through time).
 */
#ifndef RNN_FRAMEWORK_CARRY_H
#define RNN_FRAMEWORK_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "framework/model.h"
#include "framework/stage.h"
#include "kernels/status.h"

typedef struct rnn_carry rnn_carry;

typedef struct rnn_carry_cfg {
    const rnn_model *model; /* borrowed */
    size_t rows;            /* of a shard */
    size_t n_shards;        /* of the global batch */
    size_t first_shard, n_own_shards;
} rnn_carry_cfg;

/* All states are the layers' constants. RNN_ERR_DATA for a layer in both directions. */
rnn_status rnn_carry_create(rnn_carry **out, const rnn_carry_cfg *cfg);
void rnn_carry_destroy(rnn_carry **carry);

/* Before the first batch of an epoch: the layers' constants again. */
void rnn_carry_reset(rnn_carry *carry);

/*
 * Before a batch: where its initial states are and its final ones go, those of the last batch
 * becoming the initial ones.
 */
void rnn_carry_advance(rnn_carry *carry);

/* Rows in which the last batch left a state that is not finite begin anew, with the layers'
 * constants. */
void rnn_carry_mend(rnn_carry *carry);

/* The states of one of this rank's shards, by [[layer]], for rnn_slice. Lent. */
const rnn_layer_states *rnn_carry_states(const rnn_carry *carry, size_t shard);

/* One state of all rows of a batch: values[first dimension][n_rows][width]. */
typedef struct rnn_carry_array {
    char group[32];   /* as rnn_param */
    const char *name; /* "h" or "c"; static */
    size_t shape[3];  /* sublayers, rows of the global batch, width */
    size_t offset;    /* among the floats of all arrays */
} rnn_carry_array;

/* The arrays that checkpoints have, and how many floats they are together. */
size_t rnn_carry_n_arrays(const rnn_carry *carry);
const rnn_carry_array *rnn_carry_get_array(const rnn_carry *carry, size_t i);
size_t rnn_carry_size(const rnn_carry *carry);

/* What the last batch left: writes this rank's rows into values [size], which are zero before. */
void rnn_carry_save(const rnn_carry *carry, double *values);

/* The opposite, as if a batch had left these states. */
void rnn_carry_load(rnn_carry *carry, const float *values);

#endif
