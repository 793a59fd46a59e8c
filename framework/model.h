/*
 * A model: a sequence of stages over one flat parameter arena.
 *
 * A [[layer]] becomes one stage; a stacked recurrent layer becomes one for each of its sublayers,
 * both directions in it, and one for the dropout between each two. So a stage is the unit of
 * forward, backward and of a gradient bucket. Parameters have state_dict names and torch shapes and
 * lie in the arena in torch's order; a stage's are contiguous.
 */
#ifndef RNN_FRAMEWORK_MODEL_H
#define RNN_FRAMEWORK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rnn/layer.h>

#include "kernels/cell.h"
#include "kernels/status.h"

enum { RNN_MODEL_MAX_LAYERS = 64 };

/* What a parameter does, which decides how it starts. */
typedef enum rnn_param_role {
    RNN_PARAM_WEIGHT, /* a matrix */
    RNN_PARAM_BIAS,
    RNN_PARAM_GATE_BIAS, /* bias_ih of a recurrent stage */
    RNN_PARAM_EMBEDDING, /* a row for each token */
    RNN_PARAM_SCALE      /* factors of a layernorm */
} rnn_param_role;

/* A named view into the arena. */
typedef struct rnn_param {
    char group[32]; /* "0_lstm": index and type of the [[layer]] */
    char name[32];  /* "weight_ih_l0", "bias_hh_l11_reverse" */
    size_t shape[2];
    int n_dims;
    size_t offset, count; /* floats */
    rnn_param_role role;
    float init_bound; /* torch's default: uniform in [-bound, bound); 0 if that is another one */
} rnn_param;

/* What flows between stages: [seq_len][rows][n_features]. */
typedef struct rnn_shape {
    size_t seq_len;    /* steps of the longest sequence; 1 where is_single */
    size_t n_features; /* of a step; 1 where a step is a token */
    size_t n_tokens;   /* > 0: a step is a token's number, below this */
    bool is_single;    /* no sequence: one step is all there is, as after select */
} rnn_shape;

typedef enum rnn_stage_kind {
    RNN_STAGE_RECURRENT, /* a sublayer of rnn, lstm, gru; a cell */
    RNN_STAGE_LINEAR,
    RNN_STAGE_TIED, /* a linear whose weight is that of stage 0, an embedding */
    RNN_STAGE_SELECT,
    RNN_STAGE_DROPOUT, /* a layer, or between two sublayers */
    RNN_STAGE_EMBEDDING,
    RNN_STAGE_ONEHOT,
    RNN_STAGE_ACTIVATION,
    RNN_STAGE_LAYERNORM
} rnn_stage_kind;

enum { RNN_STAGE_N_KINDS = RNN_STAGE_LAYERNORM + 1 };

/* One stage; `cfg` points into the model. */
typedef struct rnn_stage {
    rnn_stage_kind kind;
    const rnn_layer_cfg *cfg;
    size_t layer;        /* index of its [[layer]] */
    size_t sublayer;     /* k of a stacked recurrent layer, and of the dropout after it; else 0 */
    size_t n_directions; /* recurrent: 1 or 2 */
    double dropout;      /* dropout: the probability that a value is dropped */
    rnn_shape in, out;
    size_t first_param, n_params; /* range in the model's params */
    size_t offset, count;         /* range in the arena, floats */
} rnn_stage;

typedef struct rnn_model rnn_model;

/*
 * The input that the layers' own arguments ask for (input_size, in_features, num_embeddings,
 * num_classes), for sequences of one step. False if they leave it open.
 */
bool rnn_layers_input(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape *input);

/*
 * Builds the model for inputs of the given shape; infers and checks sizes. RNN_ERR_DATA names the
 * layer, what it needs and what it was given. The layer settings are copied; arguments that a type
 * does not have are torch.nn's defaults in the copy, whatever they were.
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

/* The first parameter with a value that is not finite in an arena, and which value of it; NULL if
 * there is none. */
const rnn_param *rnn_model_find_nonfinite(const rnn_model *model, const float *arena,
                                          size_t *value);

/* The parameters of a [[layer]], of all its stages: *count of them from *first on; maybe none. */
void rnn_model_layer_params(const rnn_model *model, size_t layer, size_t *first, size_t *count);

/* The [[layer]] settings, for checkpoints and tables. */
size_t rnn_model_n_layers(const rnn_model *model);
const rnn_layer_cfg *rnn_model_layer(const rnn_model *model, size_t i);

/* Whether arrays of the input, or with `last` of the output, begin [N][T]: as the first stacked
 * layer has it, or the last one; torch has that per layer. */
bool rnn_model_is_batch_first(const rnn_model *model, bool last);

/* Whether a type is one of the recurrent ones, cells included, and the cell of such a layer. */
bool rnn_layer_is_recurrent(rnn_layer_type type);
rnn_cell rnn_layer_cell(const rnn_layer_cfg *cfg);

/* Whether a type takes tokens, not features: embedding, onehot. */
bool rnn_layer_takes_tokens(rnn_layer_type type);

/* "lstm", ... */
const char *rnn_layer_type_name(rnn_layer_type type);

/*
 * Initial values into params [size]: what the layers' init and init_bias say, torch's defaults
 * without; a function of the seed and the index. The row of an embedding's padding_idx is 0 in any
 * case. Can fail only where init is orthogonal, with RNN_ERR_MEMORY.
 */
rnn_status rnn_model_init(const rnn_model *model, uint64_t seed, float *params);

#endif
