#include "framework/layer_args.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "framework/init.h"

/* -- The table --------------------------------------------------------------------------------- */

const char *const rnn_layer_type_names[] = {[RNN_LAYER_RNN] = "rnn",
                                            [RNN_LAYER_LSTM] = "lstm",
                                            [RNN_LAYER_GRU] = "gru",
                                            [RNN_LAYER_LINEAR] = "linear",
                                            [RNN_LAYER_SELECT] = "select",
                                            [RNN_LAYER_RNNCELL] = "rnncell",
                                            [RNN_LAYER_LSTMCELL] = "lstmcell",
                                            [RNN_LAYER_GRUCELL] = "grucell",
                                            [RNN_LAYER_EMBEDDING] = "embedding",
                                            [RNN_LAYER_ONEHOT] = "onehot",
                                            [RNN_LAYER_DROPOUT] = "dropout",
                                            [RNN_LAYER_ACTIVATION] = "activation",
                                            [RNN_LAYER_LAYERNORM] = "layernorm",
                                            NULL};
const char *const rnn_nonlinearity_names[] = {
    [RNN_NONLINEARITY_TANH] = "tanh", [RNN_NONLINEARITY_RELU] = "relu", NULL};
const char *const rnn_select_names[] = {[RNN_SELECT_LAST] = "last",
                                        [RNN_SELECT_FIRST] = "first",
                                        [RNN_SELECT_MEAN] = "mean",
                                        [RNN_SELECT_MAX] = "max",
                                        NULL};
const char *const rnn_activation_names[] = {[RNN_ACTIVATION_TANH] = "tanh",
                                            [RNN_ACTIVATION_RELU] = "relu",
                                            [RNN_ACTIVATION_SIGMOID] = "sigmoid",
                                            NULL};

#define ARG(member, which, of)                                                                     \
    .name = #member, .kind = RNN_ARG_##which, .offset = offsetof(rnn_layer_cfg, member),           \
    .types = (of)
#define ONLY(type)       RNN_LAYER_BIT(RNN_LAYER_##type)
#define RANGE(low, high) .min = (low), .max = (high)
#define ANY              .min = -(double)INFINITY, .max = (double)INFINITY
#define BELOW_ONE        .min = 0, .max = 1, .below_max = true

const rnn_layer_arg rnn_layer_args[] = {
    {ARG(input_size, INTEGER, RNN_LAYER_RECURRENT), RANGE(0, RNN_LAYER_MAX_SIZE), .inferred = true},
    {ARG(hidden_size, INTEGER, RNN_LAYER_RECURRENT), RANGE(1, RNN_LAYER_MAX_SIZE)},
    {ARG(num_layers, INTEGER, RNN_LAYER_STACKED), RANGE(1, RNN_LAYER_MAX_SUBLAYERS)},
    {ARG(nonlinearity, CHOICE, RNN_LAYER_PLAIN), .choices = rnn_nonlinearity_names},
    {ARG(bias, FLAG, RNN_LAYER_WITH_BIAS)},
    {ARG(batch_first, FLAG, RNN_LAYER_STACKED)},
    {ARG(dropout, NUMBER, RNN_LAYER_STACKED), BELOW_ONE},
    {ARG(variational, FLAG, RNN_LAYER_WITH_DROPOUT)},
    {ARG(bidirectional, FLAG, RNN_LAYER_STACKED)},
    {ARG(proj_size, INTEGER, ONLY(LSTM)), RANGE(0, RNN_LAYER_MAX_SIZE)},
    {ARG(h0, NUMBER, RNN_LAYER_RECURRENT), ANY},
    {ARG(c0, NUMBER, RNN_LAYER_LONG_SHORT), ANY},
    {ARG(in_features, INTEGER, ONLY(LINEAR)), RANGE(0, RNN_LAYER_MAX_SIZE), .inferred = true},
    {ARG(out_features, INTEGER, ONLY(LINEAR)), RANGE(0, RNN_LAYER_MAX_SIZE), .inferred = true},
    {ARG(tied, FLAG, ONLY(LINEAR))},
    {ARG(step, CHOICE, ONLY(SELECT)), .choices = rnn_select_names},
    {ARG(num_embeddings, INTEGER, ONLY(EMBEDDING)), RANGE(0, RNN_LAYER_MAX_SIZE), .inferred = true},
    {ARG(embedding_dim, INTEGER, ONLY(EMBEDDING)), RANGE(1, RNN_LAYER_MAX_SIZE)},
    {ARG(padding_idx, INTEGER, ONLY(EMBEDDING)), RANGE(-1, RNN_LAYER_MAX_SIZE - 1)},
    {ARG(num_classes, INTEGER, ONLY(ONEHOT)), RANGE(0, RNN_LAYER_MAX_SIZE), .inferred = true},
    {ARG(p, NUMBER, ONLY(DROPOUT)), BELOW_ONE},
    {ARG(function, CHOICE, ONLY(ACTIVATION)), .choices = rnn_activation_names},
    {ARG(eps, NUMBER, ONLY(LAYERNORM)), .min = 0, .max = (double)INFINITY},
    {ARG(elementwise_affine, FLAG, ONLY(LAYERNORM))},
};
const size_t rnn_layer_n_args = sizeof rnn_layer_args / sizeof *rnn_layer_args;

bool rnn_layer_arg_applies(const rnn_layer_arg *arg, rnn_layer_type type)
{
    return (arg->types & RNN_LAYER_BIT(type)) != 0;
}

/* -- Defaults ---------------------------------------------------------------------------------- */

rnn_layer_cfg rnn_layer_defaults(rnn_layer_type type)
{
    return (rnn_layer_cfg){.type = type,
                           .num_layers = 1,
                           .bias = true,
                           .padding_idx = -1,
                           .p = 0.5,
                           .eps = 1e-5,
                           .elementwise_affine = true};
}

static size_t size_of(rnn_arg_kind kind)
{
    static const size_t sizes[] = {[RNN_ARG_INTEGER] = sizeof(int64_t),
                                   [RNN_ARG_NUMBER] = sizeof(double),
                                   [RNN_ARG_FLAG] = sizeof(bool),
                                   [RNN_ARG_CHOICE] = sizeof(int)};

    return sizes[kind];
}

rnn_layer_cfg rnn_layer_normalize(const rnn_layer_cfg *cfg)
{
    rnn_layer_cfg clean = rnn_layer_defaults(cfg->type);

    for (size_t i = 0; i < rnn_layer_n_args; i++) {
        const rnn_layer_arg *arg = &rnn_layer_args[i];

        if (rnn_layer_arg_applies(arg, cfg->type))
            memcpy((char *)&clean + arg->offset, (const char *)cfg + arg->offset,
                   size_of(arg->kind));
    }
    if (RNN_LAYER_WITH_INIT & RNN_LAYER_BIT(cfg->type))
        clean.init = cfg->init;
    if (RNN_LAYER_WITH_BIAS & RNN_LAYER_BIT(cfg->type))
        clean.init_bias = cfg->init_bias;
    if (RNN_LAYER_LONG_SHORT & RNN_LAYER_BIT(cfg->type))
        clean.forget_bias = cfg->forget_bias;
    return clean;
}

/* -- Checks ------------------------------------------------------------------------------------ */

static bool is_in_range(const rnn_layer_arg *arg, double value)
{
    return value >= arg->min && (arg->below_max ? value < arg->max : value <= arg->max);
}

static void print_bounds(const rnn_layer_arg *arg, char *text, size_t size)
{
    if (isinf(arg->min) && isinf(arg->max))
        snprintf(text, size, "finite");
    else if (isinf(arg->max))
        snprintf(text, size, "%.0f..", arg->min);
    else
        snprintf(text, size, "%.0f..%s%.0f", arg->min, arg->below_max ? "below " : "", arg->max);
}

static rnn_status refuse(const rnn_layer_cfg *cfg, size_t layer, const rnn_layer_arg *arg,
                         const char *found)
{
    char bounds[64];

    print_bounds(arg, bounds, sizeof bounds);
    return RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): %s: expected %s (%s), found %s", layer,
                    rnn_layer_type_names[cfg->type], arg->name,
                    arg->kind == RNN_ARG_INTEGER ? "an integer" : "a number", bounds, found);
}

static rnn_status check_integer(const rnn_layer_cfg *cfg, size_t layer, const rnn_layer_arg *arg,
                                int64_t value)
{
    char found[32];

    if (is_in_range(arg, (double)value))
        return RNN_OK;
    snprintf(found, sizeof found, "%" PRId64, value);
    return refuse(cfg, layer, arg, found);
}

static rnn_status check_number(const rnn_layer_cfg *cfg, size_t layer, const rnn_layer_arg *arg,
                               double value)
{
    char found[32];

    if (isfinite(value) && is_in_range(arg, value))
        return RNN_OK;
    snprintf(found, sizeof found, "%g", value);
    return refuse(cfg, layer, arg, found);
}

static rnn_status check_choice(const rnn_layer_cfg *cfg, size_t layer, const rnn_layer_arg *arg,
                               int value)
{
    int n_choices = 0;

    while (arg->choices[n_choices] != NULL)
        n_choices++;
    if (value >= 0 && value < n_choices)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): %s: expected 0..%d, found %d", layer,
                    rnn_layer_type_names[cfg->type], arg->name, n_choices - 1, value);
}

static rnn_status check_arg(const rnn_layer_cfg *cfg, size_t layer, const rnn_layer_arg *arg)
{
    const void *field = (const char *)cfg + arg->offset;

    switch (arg->kind) {
    case RNN_ARG_INTEGER:
        return check_integer(cfg, layer, arg, *(const int64_t *)field);
    case RNN_ARG_NUMBER:
        return check_number(cfg, layer, arg, *(const double *)field);
    case RNN_ARG_CHOICE:
        return check_choice(cfg, layer, arg, *(const int *)field);
    case RNN_ARG_FLAG:
        break;
    }
    return RNN_OK;
}

/* The weight of a tied one is the embedding's: what its size is, and how it starts. */
static rnn_status check_linear(const rnn_layer_cfg *cfg, size_t layer)
{
    if (!cfg->tied && cfg->out_features == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (linear): out_features: expected an integer (1..%d), found 0",
                        layer, RNN_LAYER_MAX_SIZE);
    if (cfg->tied && cfg->init.type != RNN_INIT_DEFAULT)
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (linear): init is given, but the weight of a tied layer is the "
                        "embedding's and starts as that layer's init says",
                        layer);
    return RNN_OK;
}

static rnn_status check_combination(const rnn_layer_cfg *cfg, size_t layer)
{
    const char *type = rnn_layer_type_names[cfg->type];

    if (cfg->type == RNN_LAYER_LINEAR)
        return check_linear(cfg, layer);
    if ((cfg->type == RNN_LAYER_RNN || cfg->type == RNN_LAYER_GRU) && cfg->proj_size != 0)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu (%s): proj_size is only for lstm", layer, type);
    if (cfg->type == RNN_LAYER_LSTM && cfg->proj_size >= cfg->hidden_size)
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (%s): proj_size is %lld, but must be less than hidden_size, "
                        "%lld",
                        layer, type, (long long)cfg->proj_size, (long long)cfg->hidden_size);
    return RNN_OK;
}

rnn_status rnn_layer_check(const rnn_layer_cfg *cfg, size_t layer)
{
    int type = (int)cfg->type;

    if (type < 0 || type >= RNN_LAYER_N_TYPES)
        return RNN_FAIL(RNN_ERR_DATA, "layer %zu: there is no layer type %d", layer, type);
    for (size_t i = 0; i < rnn_layer_n_args; i++)
        if (rnn_layer_arg_applies(&rnn_layer_args[i], cfg->type))
            RNN_TRY(check_arg(cfg, layer, &rnn_layer_args[i]));
    RNN_TRY(check_combination(cfg, layer));
    return rnn_init_check(cfg, layer);
}
