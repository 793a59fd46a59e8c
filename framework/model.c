#include "framework/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/memory.h"
#include "kernels/random.h"

struct rnn_model {
    rnn_layer_cfg layers[RNN_CONFIG_MAX_LAYERS];
    size_t n_layers;
    rnn_shape input;
    rnn_stage *stages;
    size_t n_stages, max_stages;
    rnn_param *params;
    size_t n_params, max_params;
    size_t size;
};

static const char *const type_names[] = {
    [RNN_LAYER_RNN] = "rnn",       [RNN_LAYER_LSTM] = "lstm",     [RNN_LAYER_GRU] = "gru",
    [RNN_LAYER_LINEAR] = "linear", [RNN_LAYER_SELECT] = "select",
};

const char *rnn_layer_type_name(rnn_layer_type type)
{
    return type_names[type];
}

bool rnn_layer_is_recurrent(rnn_layer_type type)
{
    return type == RNN_LAYER_RNN || type == RNN_LAYER_LSTM || type == RNN_LAYER_GRU;
}

rnn_cell rnn_layer_cell(const rnn_layer_cfg *cfg)
{
    if (cfg->type == RNN_LAYER_LSTM)
        return RNN_CELL_LSTM;
    if (cfg->type == RNN_LAYER_GRU)
        return RNN_CELL_GRU;
    return cfg->nonlinearity == RNN_NONLINEARITY_RELU ? RNN_CELL_RELU : RNN_CELL_TANH;
}

/* -- Building -------------------------------------------------------------------------------- */

/* Appends a parameter of rows x columns (columns 0 = a vector) to the running stage. */
static rnn_status declare(rnn_model *model, rnn_stage *stage, const char *base, size_t rows,
                          size_t columns, double bound)
{
    rnn_param *p = &model->params[model->n_params];

    *p = (rnn_param){.shape = {rows, columns},
                     .n_dims = columns > 0 ? 2 : 1,
                     .offset = model->size,
                     .init_bound = (float)bound};
    RNN_TRY(rnn_size_multiply(&p->count, rows, columns > 0 ? columns : 1, base));
    if (p->count > SIZE_MAX / sizeof(float) - model->size)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu: the model does not fit in memory", stage->layer);
    snprintf(p->group, sizeof p->group, "%zu_%s", stage->layer, type_names[stage->cfg->type]);
    snprintf(p->name, sizeof p->name, "%s", base);
    model->n_params++;
    model->size += p->count;
    stage->n_params++;
    stage->count += p->count;
    return RNN_OK;
}

/* torch.nn.RNN, LSTM, GRU: G*H rows, both biases, all uniform within 1/sqrt(H). */
static rnn_status declare_recurrent(rnn_model *model, rnn_stage *stage)
{
    size_t n_gates = rnn_cell_gates(rnn_layer_cell(stage->cfg));
    size_t n_hid = stage->out.n_features, rows;
    double bound = 1.0 / sqrt((double)n_hid);
    const struct {
        const char *base;
        size_t columns;
    } tensors[] = {
        {"weight_ih", stage->in.n_features}, {"weight_hh", n_hid}, {"bias_ih", 0}, {"bias_hh", 0}};

    RNN_TRY(rnn_size_multiply(&rows, n_gates, n_hid, "hidden_size"));
    for (size_t i = 0; i < (stage->cfg->bias ? 4u : 2u); i++) {
        char name[32];

        snprintf(name, sizeof name, "%s_l%zu", tensors[i].base, stage->sublayer);
        RNN_TRY(declare(model, stage, name, rows, tensors[i].columns, bound));
    }
    return RNN_OK;
}

/* torch.nn.Linear: kaiming_uniform(sqrt(5)) on the weight is uniform within 1/sqrt(fan_in) too. */
static rnn_status declare_linear(rnn_model *model, rnn_stage *stage)
{
    double bound = 1.0 / sqrt((double)stage->in.n_features);

    RNN_TRY(declare(model, stage, "weight", stage->out.n_features, stage->in.n_features, bound));
    if (stage->cfg->bias)
        RNN_TRY(declare(model, stage, "bias", stage->out.n_features, 0, bound));
    return RNN_OK;
}

/* A size given in the configuration must be what flows in; 0 means it was left out. */
static rnn_status check_input(const rnn_stage *stage, const char *key, int64_t given)
{
    if (given != 0 && (size_t)given != stage->in.n_features)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): %s is %lld, but its input has %zu features",
                        stage->layer, type_names[stage->cfg->type], key, (long long)given,
                        stage->in.n_features);
    return RNN_OK;
}

static rnn_status add_stage(rnn_model *model, size_t layer, size_t sublayer, rnn_shape *flow)
{
    const rnn_layer_cfg *cfg = &model->layers[layer];
    rnn_stage *stage = &model->stages[model->n_stages];

    *stage = (rnn_stage){.cfg = cfg,
                         .layer = layer,
                         .sublayer = sublayer,
                         .in = *flow,
                         .out = *flow,
                         .first_param = model->n_params,
                         .offset = model->size};
    switch (cfg->type) {
    case RNN_LAYER_RNN:
    case RNN_LAYER_LSTM:
    case RNN_LAYER_GRU:
        if (sublayer == 0)
            RNN_TRY(check_input(stage, "input_size", cfg->input_size));
        stage->out.n_features = (size_t)cfg->hidden_size;
        RNN_TRY(declare_recurrent(model, stage));
        break;
    case RNN_LAYER_LINEAR:
        RNN_TRY(check_input(stage, "in_features", cfg->in_features));
        stage->out.n_features = (size_t)cfg->out_features;
        RNN_TRY(declare_linear(model, stage));
        break;
    case RNN_LAYER_SELECT:
        stage->out.seq_len = 1;
        break;
    }
    *flow = stage->out;
    model->n_stages++;
    return RNN_OK;
}

static size_t stages_of(const rnn_layer_cfg *cfg)
{
    return rnn_layer_is_recurrent(cfg->type) ? (size_t)cfg->num_layers : 1;
}

rnn_status rnn_model_create(rnn_model **out, const rnn_layer_cfg *layers, size_t n_layers,
                            rnn_shape input)
{
    rnn_status st;
    rnn_model *model;
    rnn_shape flow = input;

    *out = NULL;
    if (n_layers == 0 || n_layers > RNN_CONFIG_MAX_LAYERS)
        return RNN_FAIL(RNN_ERR_DATA, "a model has 1 to %d layers, this one %zu",
                        RNN_CONFIG_MAX_LAYERS, n_layers);
    RNN_TRY(RNN_ALLOC(&model, 1, "the model"));
    memcpy(model->layers, layers, n_layers * sizeof *layers);
    model->n_layers = n_layers;
    model->input = input;
    for (size_t i = 0; i < n_layers; i++)
        model->max_stages += stages_of(&layers[i]);
    model->max_params = 4 * model->max_stages;
    RNN_TRY_GOTO(st, RNN_ALLOC(&model->stages, model->max_stages, "the model's stages"), failed);
    RNN_TRY_GOTO(st, RNN_ALLOC(&model->params, model->max_params, "the model's names"), failed);
    for (size_t i = 0; i < n_layers; i++)
        for (size_t k = 0; k < stages_of(&layers[i]); k++)
            RNN_TRY_GOTO(st, add_stage(model, i, k, &flow), failed);
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

size_t rnn_model_n_layers(const rnn_model *model)
{
    return model->n_layers;
}

const rnn_layer_cfg *rnn_model_layer(const rnn_model *model, size_t i)
{
    return &model->layers[i];
}

void rnn_model_init(const rnn_model *model, uint64_t seed, float *params)
{
    for (size_t i = 0; i < model->n_params; i++) {
        const rnn_param *p = &model->params[i];

        rnn_random_uniform(params + p->offset, p->count, -p->init_bound, p->init_bound, seed,
                           RNN_RANDOM_INIT, 0, p->offset);
    }
}
