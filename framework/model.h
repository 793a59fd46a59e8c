/*
 * A model: a sequence of stages over one flat parameter arena.
 *
 * A [[layer]] table becomes one stage, or num_layers stages for a stacked recurrent layer, so that
 * a stage is the unit of forward, backward and of a gradient bucket. Parameters have state_dict
 * names and torch shapes and lie in the arena in torch's order; a stage's are contiguous.
 */
#ifndef RNN_FRAMEWORK_MODEL_H
#define RNN_FRAMEWORK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framework/config.h"
#include "kernels/cell.h"
#include "kernels/status.h"

/* A named view into the arena. */
typedef struct rnn_param {
    char group[32]; /* "0_lstm": index and type of the [[layer]] */
    char name[32];  /* "weight_ih_l0" */
    size_t shape[2];
    int n_dims;
    size_t offset, count; /* floats */
    float init_bound;     /* initial values are uniform in [-bound, bound) */
} rnn_param;

/* What flows between stages: [seq_len][rows][n_features]; seq_len is 1 after select. */
typedef struct rnn_shape {
    size_t seq_len, n_features;
} rnn_shape;

/* One stage; `cfg` points into the model. */
typedef struct rnn_stage {
    const rnn_layer_cfg *cfg;
    size_t layer;    /* index of its [[layer]] */
    size_t sublayer; /* k of a stacked recurrent layer, else 0 */
    rnn_shape in, out;
    size_t first_param, n_params; /* range in the model's params */
    size_t offset, count;         /* range in the arena, floats */
} rnn_stage;

typedef struct rnn_model rnn_model;

/*
 * Builds the model for inputs of the given shape; infers and checks sizes. RNN_ERR_DATA names the
 * layer and both sizes. The layer settings are copied.
 */
rnn_status rnn_model_create(rnn_model **out, const rnn_layer_cfg *layers, size_t n_layers,
                            rnn_shape input);
void rnn_model_destroy(rnn_model **model);

rnn_shape rnn_model_input(const rnn_model *model);
rnn_shape rnn_model_output(const rnn_model *model);
size_t rnn_model_n_stages(const rnn_model *model);
const rnn_stage *rnn_model_stage(const rnn_model *model, size_t i);

/* Floats in the arena = trainable parameters. */
size_t rnn_model_size(const rnn_model *model);

size_t rnn_model_n_params(const rnn_model *model);
const rnn_param *rnn_model_param(const rnn_model *model, size_t i);

/* The [[layer]] settings, for checkpoints and tables. */
size_t rnn_model_n_layers(const rnn_model *model);
const rnn_layer_cfg *rnn_model_layer(const rnn_model *model, size_t i);

/* Whether a type is one of the recurrent ones, and the cell of such a layer. */
bool rnn_layer_is_recurrent(rnn_layer_type type);
rnn_cell rnn_layer_cell(const rnn_layer_cfg *cfg);

/* "lstm", ... */
const char *rnn_layer_type_name(rnn_layer_type type);

/* torch's default initial values into params [size], a function of the seed and the index. */
void rnn_model_init(const rnn_model *model, uint64_t seed, float *params);

#endif
