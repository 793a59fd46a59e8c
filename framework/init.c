#include "framework/init.h"

#include <math.h>
#include <stdio.h>

#include "framework/layer_args.h"
#include "kernels/orthogonal.h"
#include "kernels/random.h"

const rnn_init_function rnn_init_functions[] = {
    [RNN_INIT_DEFAULT] = {"default", 0, 0, {NULL}, {0.0}},
    [RNN_INIT_UNIFORM] = {"uniform", 2, 0, {"a", "b"}, {0.0, 1.0}},
    [RNN_INIT_NORMAL] = {"normal", 2, 0, {"mean", "std"}, {0.0, 1.0}},
    [RNN_INIT_XAVIER_UNIFORM] = {"xavier_uniform", 1, 0, {"gain"}, {1.0}},
    [RNN_INIT_XAVIER_NORMAL] = {"xavier_normal", 1, 0, {"gain"}, {1.0}},
    [RNN_INIT_KAIMING_UNIFORM] = {"kaiming_uniform", 1, 0, {"a"}, {0.0}},
    [RNN_INIT_KAIMING_NORMAL] = {"kaiming_normal", 1, 0, {"a"}, {0.0}},
    [RNN_INIT_ORTHOGONAL] = {"orthogonal", 1, 0, {"gain"}, {1.0}},
    [RNN_INIT_CONSTANT] = {"constant", 1, 1, {"val"}, {0.0}},
};

/* Larger arguments could make values that are not finite as float. */
static const double max_argument = 1e30;

/* -- Checks ------------------------------------------------------------------------------------ */

static bool has_gain(rnn_init_type type)
{
    return type == RNN_INIT_XAVIER_UNIFORM || type == RNN_INIT_XAVIER_NORMAL ||
           type == RNN_INIT_ORTHOGONAL;
}

/* Where every value would be the same, arguments were more likely left out than meant. */
static rnn_status check_values(const rnn_init *init, const char *where)
{
    const rnn_init_function *f = &rnn_init_functions[init->type];
    const double args[RNN_INIT_MAX_ARGS] = {init->a, init->b};

    for (int i = 0; i < f->n_args; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): no function has more */
        if (!(fabs(args[i]) <= max_argument))
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s: %s: expected %s of at most %g in magnitude, found %g", where,
                            f->name, f->args[i], max_argument, args[i]);
    if (init->type == RNN_INIT_UNIFORM && !(init->a < init->b))
        return RNN_FAIL(RNN_ERR_DATA, "%s: uniform: expected a below b, found a = %g and b = %g",
                        where, init->a, init->b);
    if (init->type == RNN_INIT_NORMAL && !(init->b > 0.0))
        return RNN_FAIL(RNN_ERR_DATA, "%s: normal: expected a std above 0, found %g", where,
                        init->b);
    if (has_gain(init->type) && !(init->a > 0.0))
        return RNN_FAIL(RNN_ERR_DATA, "%s: %s: expected a gain above 0, found %g", where, f->name,
                        init->a);
    return RNN_OK;
}

static rnn_status check_one(const rnn_init *init, bool of_bias, const char *where)
{
    int type = (int)init->type;

    if (type < 0 || type >= RNN_INIT_N_TYPES)
        return RNN_FAIL(RNN_ERR_DATA, "%s: there is no function %d", where, type);
    if (of_bias && init->type != RNN_INIT_DEFAULT && init->type != RNN_INIT_UNIFORM &&
        init->type != RNN_INIT_NORMAL && init->type != RNN_INIT_CONSTANT)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected default, uniform, normal or constant, found %s, which needs "
                        "two dimensions",
                        where, rnn_init_functions[type].name);
    return check_values(init, where);
}

rnn_status rnn_init_check(const rnn_layer_cfg *cfg, size_t layer)
{
    unsigned bit = RNN_LAYER_BIT(cfg->type);
    const char *type = rnn_layer_type_name(cfg->type);
    char where[64];

    snprintf(where, sizeof where, "layer %zu (%s): init", layer, type);
    if (RNN_LAYER_WITH_INIT & bit)
        RNN_TRY(check_one(&cfg->init, false, where));
    snprintf(where, sizeof where, "layer %zu (%s): init_bias", layer, type);
    if (RNN_LAYER_WITH_BIAS & bit)
        RNN_TRY(check_one(&cfg->init_bias, true, where));
    if ((RNN_LAYER_LONG_SHORT & bit) == 0)
        return RNN_OK;
    if (!(fabs(cfg->forget_bias) <= max_argument))
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (%s): forget_bias: expected at most %g in magnitude, found %g",
                        layer, type, max_argument, cfg->forget_bias);
    if (cfg->forget_bias != 0.0 && !cfg->bias)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): forget_bias is %g, but needs bias = true",
                        layer, type, cfg->forget_bias);
    return RNN_OK;
}

/* -- What is drawn ----------------------------------------------------------------------------- */

static rnn_init uniform_within(double bound)
{
    return (rnn_init){RNN_INIT_UNIFORM, -bound, bound};
}

/* What torch.nn does for such a parameter. */
static rnn_init default_of(const rnn_param *p)
{
    switch (p->role) {
    case RNN_PARAM_EMBEDDING:
        return (rnn_init){RNN_INIT_NORMAL, 0.0, 1.0};
    case RNN_PARAM_SCALE:
        return (rnn_init){RNN_INIT_CONSTANT, 1.0, 0.0};
    case RNN_PARAM_WEIGHT:
    case RNN_PARAM_BIAS:
    case RNN_PARAM_GATE_BIAS:
        break;
    }
    if (p->init_bound > 0.0f)
        return uniform_within((double)p->init_bound);
    return (rnn_init){RNN_INIT_CONSTANT, 0.0, 0.0}; /* bias of a layernorm */
}

static rnn_init setting_of(const rnn_param *p, const rnn_layer_cfg *cfg)
{
    switch (p->role) {
    case RNN_PARAM_WEIGHT:
    case RNN_PARAM_EMBEDDING:
        return cfg->init;
    case RNN_PARAM_BIAS:
    case RNN_PARAM_GATE_BIAS:
        return cfg->init_bias;
    case RNN_PARAM_SCALE:
        break;
    }
    return (rnn_init){.type = RNN_INIT_DEFAULT};
}

/*
 * torch.nn.init's functions reduced to the four that draw: uniform, normal, constant, orthogonal.
 *   xavier   variance gain^2 * 2 / (fan_in + fan_out)                  (Glorot and Bengio, 2010)
 *   kaiming  variance gain^2 / fan_in, gain = sqrt(2 / (1 + a^2))      (He et al., 2015)
 * A uniform distribution of variance v lies within sqrt(3 v).
 */
static rnn_init reduce(rnn_init init, const rnn_param *p)
{
    double fan_in = (double)p->shape[1], fan_out = (double)p->shape[0];
    double xavier = init.a * sqrt(2.0 / (fan_in + fan_out));
    double kaiming = sqrt(2.0 / (1.0 + init.a * init.a) / fan_in);

    switch (init.type) {
    case RNN_INIT_DEFAULT:
        return default_of(p);
    case RNN_INIT_XAVIER_UNIFORM:
        return uniform_within(sqrt(3.0) * xavier);
    case RNN_INIT_XAVIER_NORMAL:
        return (rnn_init){RNN_INIT_NORMAL, 0.0, xavier};
    case RNN_INIT_KAIMING_UNIFORM:
        return uniform_within(sqrt(3.0) * kaiming);
    case RNN_INIT_KAIMING_NORMAL:
        return (rnn_init){RNN_INIT_NORMAL, 0.0, kaiming};
    case RNN_INIT_UNIFORM:
    case RNN_INIT_NORMAL:
    case RNN_INIT_ORTHOGONAL:
    case RNN_INIT_CONSTANT:
        break;
    }
    return init;
}

static void fill(float *values, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)value;
}

static rnn_status draw(rnn_init init, const rnn_param *p, uint64_t seed, float *values)
{
    switch (init.type) {
    case RNN_INIT_UNIFORM:
        rnn_random_uniform(values, p->count, (float)init.a, (float)init.b, seed, RNN_RANDOM_INIT, 0,
                           p->offset);
        return RNN_OK;
    case RNN_INIT_NORMAL:
        rnn_random_normal(values, p->count, init.a, init.b, seed, RNN_RANDOM_INIT, 0, p->offset);
        return RNN_OK;
    case RNN_INIT_ORTHOGONAL:
        return rnn_orthogonal(values, p->shape[0], p->shape[1], init.a, seed, RNN_RANDOM_INIT, 0,
                              p->offset);
    default:
        fill(values, p->count, init.a);
        return RNN_OK;
    }
}

static rnn_status init_param(const rnn_param *p, const rnn_layer_cfg *cfg, uint64_t seed,
                             float *values)
{
    size_t n_hid = (size_t)cfg->hidden_size;

    RNN_TRY(draw(reduce(setting_of(p, cfg), p), p, seed, values));
    if (p->role == RNN_PARAM_EMBEDDING && cfg->padding_idx >= 0)
        fill(values + (size_t)cfg->padding_idx * p->shape[1], p->shape[1], 0.0);
    /* The gates lie in the order i, f, g, o. */
    if (p->role == RNN_PARAM_GATE_BIAS && cfg->forget_bias != 0.0)
        for (size_t i = n_hid; i < 2 * n_hid; i++)
            values[i] += (float)cfg->forget_bias;
    return RNN_OK;
}

rnn_status rnn_model_init(const rnn_model *model, uint64_t seed, float *params)
{
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);

        for (size_t i = 0; i < stage->n_params; i++) {
            const rnn_param *p = rnn_model_param(model, stage->first_param + i);

            RNN_TRY(init_param(p, stage->cfg, seed, params + p->offset));
        }
    }
    return RNN_OK;
}
