#include "framework/generator.h"

#include <string.h>

#include "kernels/exact.h"
#include "kernels/memory.h"

enum { MAX_TENSORS = 5 };

/* One stage of the model. */
typedef struct unit {
    const rnn_stage *stage;
    const float *tensors[MAX_TENSORS]; /* in the model's order; NULL past the last. A tied linear
                                        * begins with the embedding's weight */
    /* recurrent */
    rnn_recurrent_cfg cfg;
    rnn_recurrent_params params;
    double *h, *c, *scratch;
} unit;

/* From x [in.n_features] to y [out.n_features]; only a first stage looks at the token. */
typedef void step(const unit *u, size_t token, const double *x, double *y);

struct rnn_generator {
    size_t n_tokens, n_units, n_scores;
    unit *units;       /* [n_units] */
    double *values[2]; /* what goes from stage to stage, each as large as the largest */
};

/* -- Steps ----------------------------------------------------------------------------------- */

static void embedding_step(const unit *u, size_t token, const double *x, double *y)
{
    size_t n = u->stage->out.n_features;

    (void)x;
    for (size_t i = 0; i < n; i++)
        y[i] = (double)u->tensors[0][token * n + i];
}

static void onehot_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)x;
    for (size_t i = 0; i < u->stage->out.n_features; i++)
        y[i] = i == token ? 1.0 : 0.0;
}

static void recurrent_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)token;
    rnn_exact_step(&u->cfg, &u->params, x, u->h, u->c, u->scratch);
    memcpy(y, u->h, u->stage->out.n_features * sizeof *y);
}

static void linear_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)token;
    rnn_exact_linear(u->stage->in.n_features, u->stage->out.n_features, x, u->tensors[0],
                     u->tensors[1], y);
}

static void layernorm_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)token;
    rnn_exact_layernorm(u->stage->in.n_features, u->stage->cfg->eps, x, u->tensors[0],
                        u->tensors[1], y);
}

static void activation_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)token;
    rnn_exact_activation((rnn_activation)u->stage->cfg->function, u->stage->in.n_features, x, y);
}

static void dropout_step(const unit *u, size_t token, const double *x, double *y)
{
    (void)token;
    memcpy(y, x, u->stage->in.n_features * sizeof *y);
}

/* NULL: cannot be gone through step by step. */
static step *step_of(rnn_stage_kind kind)
{
    static step *const steps[RNN_STAGE_N_KINDS] = {
        [RNN_STAGE_RECURRENT] = recurrent_step, [RNN_STAGE_LINEAR] = linear_step,
        [RNN_STAGE_DROPOUT] = dropout_step,     [RNN_STAGE_EMBEDDING] = embedding_step,
        [RNN_STAGE_ONEHOT] = onehot_step,       [RNN_STAGE_ACTIVATION] = activation_step,
        [RNN_STAGE_LAYERNORM] = layernorm_step, [RNN_STAGE_TIED] = linear_step,
    };

    return steps[kind];
}

/* -- Life ------------------------------------------------------------------------------------ */

static rnn_status check_model(const rnn_model *model)
{
    rnn_shape input = rnn_model_input(model);

    if (input.n_tokens == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "writing text: expected a model of tokens, whose first layer is embedding "
                        "or onehot, found one whose input has %zu features",
                        input.n_features);
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);
        const char *type = rnn_layer_type_name(stage->cfg->type);

        if (step_of(stage->kind) == NULL)
            return RNN_FAIL(RNN_ERR_DATA,
                            "writing text: layer %zu (%s): expected layers that give something at "
                            "every step, found one that needs the whole sequence",
                            stage->layer, type);
        if (stage->kind == RNN_STAGE_RECURRENT && stage->n_directions > 1)
            return RNN_FAIL(RNN_ERR_DATA,
                            "writing text: layer %zu (%s): expected bidirectional = false, found "
                            "true: the other direction needs the text to come",
                            stage->layer, type);
    }
    return RNN_OK;
}

/* The tensors' order is that of declare_direction in framework/model.c. */
static rnn_status set_up_recurrent(unit *u)
{
    const rnn_layer_cfg *cfg = u->stage->cfg;
    size_t n_biases = cfg->bias ? 2 : 0;

    u->cfg = (rnn_recurrent_cfg){.cell = rnn_layer_cell(cfg),
                                 .n_in = u->stage->in.n_features,
                                 .n_hid = (size_t)cfg->hidden_size,
                                 .n_proj = (size_t)cfg->proj_size};
    u->params = (rnn_recurrent_params){.weight_ih = u->tensors[0], .weight_hh = u->tensors[1]};
    if (cfg->bias) {
        u->params.bias_ih = u->tensors[2];
        u->params.bias_hh = u->tensors[3];
    }
    if (u->cfg.n_proj > 0)
        u->params.weight_hr = u->tensors[2 + n_biases];
    RNN_TRY(RNN_ALLOC(&u->h, u->stage->out.n_features, "a generator"));
    RNN_TRY(RNN_ALLOC(&u->c, u->cfg.n_hid, "a generator"));
    return RNN_ALLOC(&u->scratch, rnn_exact_step_scratch(&u->cfg), "a generator");
}

static rnn_status set_up(rnn_generator *g, const rnn_model *model, const float *params)
{
    size_t largest = 0;

    RNN_TRY(RNN_ALLOC(&g->units, rnn_model_n_stages(model), "a generator"));
    g->n_tokens = rnn_model_input(model).n_tokens;
    g->n_scores = rnn_model_output(model).n_features;
    for (; g->n_units < rnn_model_n_stages(model); g->n_units++) {
        unit *u = &g->units[g->n_units];
        size_t n = 0;

        u->stage = rnn_model_stage(model, g->n_units);
        if (u->stage->kind == RNN_STAGE_TIED)
            u->tensors[n++] = params + rnn_model_param(model, 0)->offset;
        for (size_t i = 0; i < u->stage->n_params; i++)
            u->tensors[n++] = params + rnn_model_param(model, u->stage->first_param + i)->offset;
        if (u->stage->out.n_features > largest)
            largest = u->stage->out.n_features;
    }
    for (size_t i = 0; i < g->n_units; i++)
        if (g->units[i].stage->kind == RNN_STAGE_RECURRENT)
            RNN_TRY(set_up_recurrent(&g->units[i]));
    for (size_t i = 0; i < 2; i++)
        RNN_TRY(RNN_ALLOC(&g->values[i], largest, "a generator"));
    return RNN_OK;
}

rnn_status rnn_generator_create(rnn_generator **out, const rnn_model *model, const float *params)
{
    rnn_generator *g;
    rnn_status st;

    *out = NULL;
    RNN_TRY(check_model(model));
    RNN_TRY(RNN_ALLOC(&g, 1, "a generator"));
    st = set_up(g, model, params);
    if (st != RNN_OK) {
        rnn_generator_destroy(&g);
        return st;
    }
    rnn_generator_reset(g);
    *out = g;
    return RNN_OK;
}

void rnn_generator_destroy(rnn_generator **generator)
{
    rnn_generator *g = *generator;

    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_units; i++) {
        rnn_free(g->units[i].h);
        rnn_free(g->units[i].c);
        rnn_free(g->units[i].scratch);
    }
    rnn_free(g->units);
    rnn_free(g->values[0]);
    rnn_free(g->values[1]);
    rnn_free(g);
    *generator = NULL;
}

/* -- Use ------------------------------------------------------------------------------------- */

void rnn_generator_reset(rnn_generator *generator)
{
    for (size_t i = 0; i < generator->n_units; i++) {
        const unit *u = &generator->units[i];

        if (u->stage->kind != RNN_STAGE_RECURRENT)
            continue;
        /* As floats, which is what training starts from. */
        for (size_t j = 0; j < u->stage->out.n_features; j++)
            u->h[j] = (double)(float)u->stage->cfg->h0;
        for (size_t j = 0; j < u->cfg.n_hid; j++)
            u->c[j] = (double)(float)u->stage->cfg->c0;
    }
}

rnn_status rnn_generator_feed(rnn_generator *generator, size_t token, const double **scores,
                              size_t *n)
{
    rnn_generator *g = generator;

    if (token >= g->n_tokens)
        return RNN_FAIL(RNN_ERR_DATA, "writing text: expected tokens below %zu, found %zu",
                        g->n_tokens, token);
    for (size_t i = 0; i < g->n_units; i++) {
        const unit *u = &g->units[i];

        step_of(u->stage->kind)(u, token, g->values[(i + 1) % 2], g->values[i % 2]);
    }
    *scores = g->values[(g->n_units - 1) % 2];
    *n = g->n_scores;
    return RNN_OK;
}
