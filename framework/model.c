#include "framework/model.h"

#include <math.h>
#include <stdio.h>

#include "framework/layer_args.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

enum { MAX_STAGE_PARAMS = 10 }; /* five of a projected lstm, in two directions */

struct rnn_model {
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    size_t n_layers;
    rnn_shape input;
    rnn_stage *stages;
    size_t n_stages, max_stages;
    rnn_param *params;
    size_t n_params, max_params;
    size_t size;
};

const char *rnn_layer_type_name(rnn_layer_type type)
{
    return rnn_layer_type_names[type];
}

bool rnn_layer_is_recurrent(rnn_layer_type type)
{
    return (RNN_LAYER_RECURRENT & RNN_LAYER_BIT(type)) != 0;
}

rnn_cell rnn_layer_cell(const rnn_layer_cfg *cfg)
{
    if (cfg->type == RNN_LAYER_LSTM || cfg->type == RNN_LAYER_LSTMCELL)
        return RNN_CELL_LSTM;
    if (cfg->type == RNN_LAYER_GRU || cfg->type == RNN_LAYER_GRUCELL)
        return RNN_CELL_GRU;
    return cfg->nonlinearity == RNN_NONLINEARITY_RELU ? RNN_CELL_RELU : RNN_CELL_TANH;
}

/* A size that is the input's if it was left out. */
static size_t resolve(int64_t given, size_t found)
{
    return given != 0 ? (size_t)given : found;
}

/* -- Parameters of a stage --------------------------------------------------------------------- */

/* A parameter of rows x columns; columns 0 = a vector. */
typedef struct tensor {
    const char *name;
    rnn_param_role role;
    size_t rows, columns;
    double bound;
} tensor;

/* Appends a parameter to the running stage. */
static rnn_status declare(rnn_model *model, rnn_stage *stage, const tensor *t)
{
    rnn_param *p = &model->params[model->n_params];

    *p = (rnn_param){.shape = {t->rows, t->columns},
                     .n_dims = t->columns > 0 ? 2 : 1,
                     .offset = model->size,
                     .role = t->role,
                     .init_bound = (float)t->bound};
    RNN_TRY(rnn_size_multiply(&p->count, t->rows, t->columns > 0 ? t->columns : 1, t->name));
    if (p->count > SIZE_MAX / sizeof(float) - model->size)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu: the model does not fit in memory", stage->layer);
    snprintf(p->group, sizeof p->group, "%zu_%s", stage->layer,
             rnn_layer_type_name(stage->cfg->type));
    snprintf(p->name, sizeof p->name, "%s", t->name);
    model->n_params++;
    model->size += p->count;
    stage->n_params++;
    stage->count += p->count;
    return RNN_OK;
}

/* As torch calls a tensor of a recurrent layer; those of the cells have no number. */
static void name_tensor(const rnn_stage *stage, const char *base, size_t direction, char *name,
                        size_t size)
{
    if (RNN_LAYER_CELLS & RNN_LAYER_BIT(stage->cfg->type))
        snprintf(name, size, "%s", base);
    else
        snprintf(name, size, "%s_l%zu%s", base, stage->sublayer, direction > 0 ? "_reverse" : "");
}

/* torch.nn.RNN, LSTM, GRU: G*H rows, both biases, all uniform within 1/sqrt(H). */
static rnn_status declare_direction(rnn_model *model, rnn_stage *stage, size_t direction)
{
    const rnn_layer_cfg *cfg = stage->cfg;
    size_t n_hid = (size_t)cfg->hidden_size, n_proj = (size_t)cfg->proj_size, rows;
    size_t n_out = n_proj > 0 ? n_proj : n_hid;
    double bound = 1.0 / sqrt((double)n_hid);

    RNN_TRY(rnn_size_multiply(&rows, rnn_cell_gates(rnn_layer_cell(cfg)), n_hid, "hidden_size"));
    const struct {
        bool exists;
        tensor tensor;
    } all[] = {
        {true, {"weight_ih", RNN_PARAM_WEIGHT, rows, stage->in.n_features, bound}},
        {true, {"weight_hh", RNN_PARAM_WEIGHT, rows, n_out, bound}},
        {cfg->bias, {"bias_ih", RNN_PARAM_GATE_BIAS, rows, 0, bound}},
        {cfg->bias, {"bias_hh", RNN_PARAM_BIAS, rows, 0, bound}},
        {n_proj > 0, {"weight_hr", RNN_PARAM_WEIGHT, n_proj, n_hid, bound}},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tensor t = all[i].tensor;
        char name[32];

        name_tensor(stage, t.name, direction, name, sizeof name);
        t.name = name;
        if (all[i].exists)
            RNN_TRY(declare(model, stage, &t));
    }
    return RNN_OK;
}

static rnn_status declare_recurrent(rnn_model *model, rnn_stage *stage)
{
    for (size_t d = 0; d < stage->n_directions; d++)
        RNN_TRY(declare_direction(model, stage, d));
    return RNN_OK;
}

/* torch.nn.Linear: kaiming_uniform(sqrt(5)) on the weight is uniform within 1/sqrt(fan_in) too. */
static rnn_status declare_linear(rnn_model *model, rnn_stage *stage)
{
    size_t n_in = stage->in.n_features, n_out = stage->out.n_features;
    double bound = 1.0 / sqrt((double)n_in);

    if (stage->kind != RNN_STAGE_TIED)
        RNN_TRY(declare(model, stage, &(tensor){"weight", RNN_PARAM_WEIGHT, n_out, n_in, bound}));
    if (stage->cfg->bias)
        RNN_TRY(declare(model, stage, &(tensor){"bias", RNN_PARAM_BIAS, n_out, 0, bound}));
    return RNN_OK;
}

static rnn_status declare_embedding(rnn_model *model, rnn_stage *stage)
{
    size_t n_rows = resolve(stage->cfg->num_embeddings, stage->in.n_tokens);
    tensor weight = {"weight", RNN_PARAM_EMBEDDING, n_rows, stage->out.n_features, 0.0};

    return declare(model, stage, &weight);
}

static rnn_status declare_layernorm(rnn_model *model, rnn_stage *stage)
{
    size_t n = stage->in.n_features;

    if (!stage->cfg->elementwise_affine)
        return RNN_OK;
    RNN_TRY(declare(model, stage, &(tensor){"weight", RNN_PARAM_SCALE, n, 0, 0.0}));
    if (stage->cfg->bias)
        RNN_TRY(declare(model, stage, &(tensor){"bias", RNN_PARAM_BIAS, n, 0, 0.0}));
    return RNN_OK;
}

/* -- What a layer demands of its input --------------------------------------------------------- */

/* A message about a layer: "layer 2 (lstm): ...". */
#define REFUSE(stage, format, ...)                                                                 \
    RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): " format, (stage)->layer,                              \
             rnn_layer_type_name((stage)->cfg->type), __VA_ARGS__)

/* A size given in the configuration must be what flows in; 0 means it was left out. */
static rnn_status check_features(const rnn_stage *stage, const char *key, int64_t given)
{
    if (given != 0 && (size_t)given != stage->in.n_features)
        return REFUSE(stage, "%s is %lld, but its input has %zu features", key, (long long)given,
                      stage->in.n_features);
    return RNN_OK;
}

/* A table with a row for each token: `given` rows, or as many as there are tokens if that is 0. */
static rnn_status check_tokens(const rnn_stage *stage, const char *key, int64_t given)
{
    if (given != 0 && (size_t)given < stage->in.n_tokens)
        return REFUSE(stage, "%s is %lld, but its input has %zu different tokens", key,
                      (long long)given, stage->in.n_tokens);
    return RNN_OK;
}

bool rnn_layer_takes_tokens(rnn_layer_type type)
{
    return type == RNN_LAYER_EMBEDDING || type == RNN_LAYER_ONEHOT;
}

static bool takes_sequence(rnn_layer_type type)
{
    return rnn_layer_is_recurrent(type) || type == RNN_LAYER_SELECT;
}

static rnn_status check_kind_of_input(const rnn_stage *stage)
{
    rnn_layer_type type = stage->cfg->type;

    if (rnn_layer_takes_tokens(type) && stage->layer > 0)
        return REFUSE(stage, "takes tokens, so it can only be the first layer, not layer %zu",
                      stage->layer);
    if (rnn_layer_takes_tokens(type) && stage->in.n_tokens == 0)
        return REFUSE(stage, "takes tokens, but its input has %zu features", stage->in.n_features);
    if (!rnn_layer_takes_tokens(type) && stage->in.n_tokens > 0)
        return REFUSE(stage,
                      "takes features, but its input is %zu different tokens: put a layer of type "
                      "\"embedding\" or \"onehot\" first",
                      stage->in.n_tokens);
    if (takes_sequence(type) && stage->in.is_single)
        return REFUSE(stage, "takes a sequence, but its input is a single step%s",
                      stage->layer > 0 ? ": it cannot come after a layer of type \"select\"" : "");
    return RNN_OK;
}

static rnn_status check_input(const rnn_stage *stage)
{
    const rnn_layer_cfg *cfg = stage->cfg;
    size_t n_rows = resolve(cfg->num_embeddings, stage->in.n_tokens);

    RNN_TRY(check_kind_of_input(stage));
    RNN_TRY(check_features(stage, "input_size", cfg->input_size));
    RNN_TRY(check_features(stage, "in_features", cfg->in_features));
    RNN_TRY(check_tokens(stage, "num_embeddings", cfg->num_embeddings));
    RNN_TRY(check_tokens(stage, "num_classes", cfg->num_classes));
    if (cfg->type == RNN_LAYER_EMBEDDING && cfg->padding_idx >= (int64_t)n_rows)
        return REFUSE(stage, "padding_idx is %lld, but must be below %zu, the number of embeddings",
                      (long long)cfg->padding_idx, n_rows);
    return RNN_OK;
}

/* The weight [num_embeddings][embedding_dim] of stage 0 must be one that the layer can use. */
static rnn_status check_tied(const rnn_model *model, const rnn_stage *stage)
{
    const rnn_stage *first = &model->stages[0];
    const size_t *shape = model->params[0].shape;

    if (first->kind != RNN_STAGE_EMBEDDING)
        return REFUSE(
            stage,
            "is tied, which needs a layer of type \"embedding\" as the first, but layer 0 "
            "is of type \"%s\"",
            rnn_layer_type_name(first->cfg->type));
    if (stage->in.n_features != shape[1])
        return REFUSE(stage,
                      "is tied to layer 0 (embedding), whose embedding_dim is %zu, but its "
                      "in_features is %zu: they must be equal",
                      shape[1], stage->in.n_features);
    if (stage->cfg->out_features != 0 && (size_t)stage->cfg->out_features != shape[0])
        return REFUSE(stage,
                      "is tied to layer 0 (embedding), whose num_embeddings is %zu, but its "
                      "out_features is %lld: they must be equal",
                      shape[0], (long long)stage->cfg->out_features);
    return RNN_OK;
}

/* Whether a step goes out of the layer with the features it came in with. */
static bool keeps_features(rnn_layer_type type)
{
    return type == RNN_LAYER_DROPOUT || type == RNN_LAYER_ACTIVATION ||
           type == RNN_LAYER_LAYERNORM || type == RNN_LAYER_SELECT;
}

static int64_t given_input(const rnn_layer_cfg *cfg)
{
    if (rnn_layer_is_recurrent(cfg->type))
        return cfg->input_size;
    if (cfg->type == RNN_LAYER_EMBEDDING)
        return cfg->num_embeddings;
    return cfg->type == RNN_LAYER_ONEHOT ? cfg->num_classes : cfg->in_features;
}

bool rnn_layers_input(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape *input)
{
    size_t first = 0, size;

    while (first < n_layers && keeps_features(layers[first].type))
        first++;
    size = first < n_layers ? (size_t)given_input(&layers[first]) : 0;
    *input = (rnn_shape){.seq_len = 1, .n_features = size};
    if (size > 0 && rnn_layer_takes_tokens(layers[first].type))
        *input = (rnn_shape){.seq_len = 1, .n_features = 1, .n_tokens = size};
    return size > 0;
}

/* -- Building ---------------------------------------------------------------------------------- */

/* The next stage, with what flows in; its output is the same until said otherwise. */
static rnn_stage *begin_stage(rnn_model *model, rnn_stage_kind kind, size_t layer, size_t sublayer,
                              rnn_shape flow)
{
    rnn_stage *stage = &model->stages[model->n_stages++];

    *stage = (rnn_stage){.kind = kind,
                         .cfg = &model->layers[layer],
                         .layer = layer,
                         .sublayer = sublayer,
                         .in = flow,
                         .out = flow,
                         .first_param = model->n_params,
                         .offset = model->size};
    return stage;
}

/* The sublayers of a stack, with dropout after each but the last. */
static rnn_status add_recurrent(rnn_model *model, size_t layer, rnn_shape *flow)
{
    const rnn_layer_cfg *cfg = &model->layers[layer];
    size_t n_directions = cfg->bidirectional ? 2 : 1, n_sublayers = (size_t)cfg->num_layers;
    size_t n_out = (size_t)(cfg->proj_size > 0 ? cfg->proj_size : cfg->hidden_size);

    for (size_t k = 0; k < n_sublayers; k++) {
        rnn_stage *stage = begin_stage(model, RNN_STAGE_RECURRENT, layer, k, *flow);

        if (k == 0)
            RNN_TRY(check_input(stage));
        stage->n_directions = n_directions;
        stage->out.n_features = flow->n_features = n_directions * n_out;
        RNN_TRY(declare_recurrent(model, stage));
        if (cfg->dropout > 0.0 && k + 1 < n_sublayers)
            begin_stage(model, RNN_STAGE_DROPOUT, layer, k, *flow)->dropout = cfg->dropout;
    }
    return RNN_OK;
}

static rnn_stage_kind kind_of(const rnn_layer_cfg *cfg)
{
    static const rnn_stage_kind kinds[RNN_LAYER_N_TYPES] = {
        [RNN_LAYER_LINEAR] = RNN_STAGE_LINEAR,       [RNN_LAYER_SELECT] = RNN_STAGE_SELECT,
        [RNN_LAYER_EMBEDDING] = RNN_STAGE_EMBEDDING, [RNN_LAYER_ONEHOT] = RNN_STAGE_ONEHOT,
        [RNN_LAYER_DROPOUT] = RNN_STAGE_DROPOUT,     [RNN_LAYER_ACTIVATION] = RNN_STAGE_ACTIVATION,
        [RNN_LAYER_LAYERNORM] = RNN_STAGE_LAYERNORM,
    };

    if (cfg->tied)
        return RNN_STAGE_TIED;
    return kinds[cfg->type]; /* the others are recurrent, which is the first kind */
}

static rnn_status shape_stage(rnn_model *model, rnn_stage *stage)
{
    const rnn_layer_cfg *cfg = stage->cfg;

    switch (stage->kind) {
    case RNN_STAGE_LINEAR:
        stage->out.n_features = (size_t)cfg->out_features;
        return declare_linear(model, stage);
    case RNN_STAGE_TIED:
        RNN_TRY(check_tied(model, stage));
        stage->out.n_features = model->params[0].shape[0];
        return declare_linear(model, stage);
    case RNN_STAGE_SELECT:
        stage->out.seq_len = 1;
        stage->out.is_single = true;
        return RNN_OK;
    case RNN_STAGE_EMBEDDING:
        stage->out.n_tokens = 0;
        stage->out.n_features = (size_t)cfg->embedding_dim;
        return declare_embedding(model, stage);
    case RNN_STAGE_ONEHOT:
        stage->out.n_tokens = 0;
        stage->out.n_features = resolve(cfg->num_classes, stage->in.n_tokens);
        return RNN_OK;
    case RNN_STAGE_LAYERNORM:
        return declare_layernorm(model, stage);
    case RNN_STAGE_DROPOUT:
        stage->dropout = cfg->p;
        return RNN_OK;
    case RNN_STAGE_ACTIVATION:
    case RNN_STAGE_RECURRENT:
        break;
    }
    return RNN_OK;
}

static rnn_status add_layer(rnn_model *model, size_t layer, rnn_shape *flow)
{
    rnn_stage *stage;

    if (rnn_layer_is_recurrent(model->layers[layer].type))
        return add_recurrent(model, layer, flow);
    stage = begin_stage(model, kind_of(&model->layers[layer]), layer, 0, *flow);
    RNN_TRY(check_input(stage));
    RNN_TRY(shape_stage(model, stage));
    *flow = stage->out;
    return RNN_OK;
}

/* At most: a recurrent sublayer comes with a dropout. */
static size_t stages_of(const rnn_layer_cfg *cfg)
{
    return 2 * (size_t)cfg->num_layers;
}

rnn_status rnn_model_create(rnn_model **out, const rnn_layer_cfg *layers, size_t n_layers,
                            rnn_shape input)
{
    rnn_status st;
    rnn_model *model;
    rnn_shape flow = input;

    *out = NULL;
    if (n_layers == 0 || n_layers > RNN_MODEL_MAX_LAYERS)
        return RNN_FAIL(RNN_ERR_DATA, "a model has 1 to %d layers, this one %zu",
                        RNN_MODEL_MAX_LAYERS, n_layers);
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY(rnn_layer_check(&layers[i], i));
    RNN_TRY(RNN_ALLOC(&model, 1, "the model"));
    for (size_t i = 0; i < n_layers; i++)
        model->layers[i] = rnn_layer_normalize(&layers[i]);
    model->n_layers = n_layers;
    model->input = input;
    for (size_t i = 0; i < n_layers; i++)
        model->max_stages += stages_of(&model->layers[i]);
    model->max_params = MAX_STAGE_PARAMS * model->max_stages;
    RNN_TRY_GOTO(st, RNN_ALLOC(&model->stages, model->max_stages, "the model's stages"), failed);
    RNN_TRY_GOTO(st, RNN_ALLOC(&model->params, model->max_params, "the model's names"), failed);
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY_GOTO(st, add_layer(model, i, &flow), failed);
    if (model->size == 0) {
        st = RNN_FAIL(RNN_ERR_DATA, "the model has no parameters to train");
        goto failed;
    }
    *out = model;
    return RNN_OK;
failed:
    rnn_model_destroy(&model);
    return st;
}

void rnn_model_destroy(rnn_model **model)
{
    if (*model == NULL)
        return;
    rnn_free((*model)->stages);
    rnn_free((*model)->params);
    rnn_free(*model);
    *model = NULL;
}

/* -- Reading --------------------------------------------------------------------------------- */

rnn_shape rnn_model_input(const rnn_model *model)
{
    return model->input;
}

rnn_shape rnn_model_output(const rnn_model *model)
{
    return model->stages[model->n_stages - 1].out;
}

size_t rnn_model_n_stages(const rnn_model *model)
{
    return model->n_stages;
}

const rnn_stage *rnn_model_stage(const rnn_model *model, size_t i)
{
    return &model->stages[i];
}

size_t rnn_model_size(const rnn_model *model)
{
    return model->size;
}

size_t rnn_model_n_params(const rnn_model *model)
{
    return model->n_params;
}

const rnn_param *rnn_model_param(const rnn_model *model, size_t i)
{
    return &model->params[i];
}

const rnn_param *rnn_model_find_nonfinite(const rnn_model *model, const float *arena, size_t *value)
{
    for (size_t i = 0; i < model->n_params; i++) {
        const rnn_param *p = rnn_model_param(model, i);

        *value = rnn_vector_find_nonfinite(arena + p->offset, p->count);
        if (*value < p->count)
            return p;
    }
    return NULL;
}

void rnn_model_layer_params(const rnn_model *model, size_t layer, size_t *first, size_t *count)
{
    *first = *count = 0;
    for (size_t i = 0; i < model->n_stages; i++) {
        const rnn_stage *stage = &model->stages[i];

        if (stage->layer != layer)
            continue;
        if (*count == 0)
            *first = stage->first_param;
        *count += stage->n_params;
    }
}

size_t rnn_model_n_layers(const rnn_model *model)
{
    return model->n_layers;
}

const rnn_layer_cfg *rnn_model_layer(const rnn_model *model, size_t i)
{
    return &model->layers[i];
}

bool rnn_model_is_batch_first(const rnn_model *model, bool last)
{
    bool batch_first = false;

    for (size_t i = 0; i < rnn_model_n_layers(model); i++) {
        const rnn_layer_cfg *cfg = rnn_model_layer(model, i);

        if (!(RNN_LAYER_STACKED & RNN_LAYER_BIT(cfg->type)))
            continue;
        batch_first = cfg->batch_first;
        if (!last)
            break;
    }
    return batch_first;
}
