#include "framework/optimizer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "kernels/memory.h"
#include "kernels/update.h"
#include "kernels/vector.h"

enum { MAX_STATES = 3 };

/* A range of the arena as the update functions want it. */
typedef struct range {
    float *p;
    float *state[MAX_STATES]; /* in the algorithm's order, NULL where the settings need none */
    rnn_update_gradient g;
    size_t count;
} range;

struct rnn_optimizer {
    rnn_optimizer_cfg cfg;
    size_t n_params;
    uint64_t step;
    double mu_product;        /* nadam */
    float *state[MAX_STATES]; /* as in range, over the whole arena */
};

/* -- One adapter per update function ----------------------------------------------------------- */

static void update_sgd(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_sgd_args args = {.lr = lr,
                         .momentum = o->cfg.momentum,
                         .dampening = o->cfg.dampening,
                         .nesterov = o->cfg.nesterov,
                         .step = (double)o->step};

    rnn_update_sgd(r->p, r->state[0], r->g, r->count, &args);
}

static void update_adam(const rnn_optimizer *o, const range *r, double lr)
{
    bool decoupled = o->cfg.type == RNN_OPTIMIZER_ADAMW;
    rnn_adam_args args = {.lr = lr,
                          .beta1 = o->cfg.beta1,
                          .beta2 = o->cfg.beta2,
                          .eps = o->cfg.eps,
                          .decoupled_decay = decoupled ? o->cfg.weight_decay : 0.0,
                          .step = (double)o->step};

    rnn_update_adam(r->p, r->state[0], r->state[1], r->state[2], r->g, r->count, &args);
}

static void update_adadelta(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_adadelta_args args = {.lr = lr, .rho = o->cfg.rho, .eps = o->cfg.eps};

    rnn_update_adadelta(r->p, r->state[0], r->state[1], r->g, r->count, &args);
}

static void update_adagrad(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_adagrad_args args = {
        .lr = lr, .lr_decay = o->cfg.lr_decay, .eps = o->cfg.eps, .step = (double)o->step};

    rnn_update_adagrad(r->p, r->state[0], r->g, r->count, &args);
}

static void update_rmsprop(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_rmsprop_args args = {
        .lr = lr, .alpha = o->cfg.alpha, .eps = o->cfg.eps, .momentum = o->cfg.momentum};

    rnn_update_rmsprop(r->p, r->state[0], r->state[1], r->state[2], r->g, r->count, &args);
}

static void update_adamax(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_adamax_args args = {.lr = lr,
                            .beta1 = o->cfg.beta1,
                            .beta2 = o->cfg.beta2,
                            .eps = o->cfg.eps,
                            .step = (double)o->step};

    rnn_update_adamax(r->p, r->state[0], r->state[1], r->g, r->count, &args);
}

static double nadam_mu(const rnn_optimizer *o, uint64_t step)
{
    return rnn_nadam_mu(o->cfg.beta1, o->cfg.momentum_decay, (double)step);
}

static void update_nadam(const rnn_optimizer *o, const range *r, double lr)
{
    rnn_nadam_args args = {.lr = lr,
                           .beta1 = o->cfg.beta1,
                           .beta2 = o->cfg.beta2,
                           .eps = o->cfg.eps,
                           .mu = nadam_mu(o, o->step),
                           .mu_next = nadam_mu(o, o->step + 1),
                           .mu_product = o->mu_product,
                           .step = (double)o->step};

    rnn_update_nadam(r->p, r->state[0], r->state[1], r->g, r->count, &args);
}

/* -- The table of algorithms ------------------------------------------------------------------- */

/* Which settings make a state array necessary. */
typedef enum need { ALWAYS, WITH_MOMENTUM, WITH_AMSGRAD, WITH_CENTERED } need;

static bool is_needed(const rnn_optimizer_cfg *cfg, need condition)
{
    const bool answers[] = {[ALWAYS] = true,
                            [WITH_MOMENTUM] = cfg->momentum > 0.0,
                            [WITH_AMSGRAD] = cfg->amsgrad,
                            [WITH_CENTERED] = cfg->centered};

    return answers[condition];
}

typedef struct algorithm {
    const char *name;
    void (*update)(const rnn_optimizer *o, const range *r, double lr);
    struct {
        const char *name;
        need need;
    } state[MAX_STATES];
    rnn_optimizer_cfg defaults;
} algorithm;

#define ADAM_DEFAULTS .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8

static const algorithm algorithms[] = {
    [RNN_OPTIMIZER_SGD] = {"sgd", update_sgd, {{"momentum_buffer", WITH_MOMENTUM}}, {.lr = 1e-3}},
    [RNN_OPTIMIZER_ADAM] = {"adam",
                            update_adam,
                            {{"exp_avg", ALWAYS},
                             {"exp_avg_sq", ALWAYS},
                             {"max_exp_avg_sq", WITH_AMSGRAD}},
                            {.lr = 1e-3, ADAM_DEFAULTS}},
    [RNN_OPTIMIZER_ADAMW] = {"adamw",
                             update_adam,
                             {{"exp_avg", ALWAYS},
                              {"exp_avg_sq", ALWAYS},
                              {"max_exp_avg_sq", WITH_AMSGRAD}},
                             {.lr = 1e-3, .weight_decay = 1e-2, ADAM_DEFAULTS}},
    [RNN_OPTIMIZER_ADADELTA] = {"adadelta",
                                update_adadelta,
                                {{"square_avg", ALWAYS}, {"acc_delta", ALWAYS}},
                                {.lr = 1.0, .rho = 0.9, .eps = 1e-6}},
    [RNN_OPTIMIZER_ADAGRAD] = {"adagrad",
                               update_adagrad,
                               {{"sum", ALWAYS}},
                               {.lr = 1e-2, .eps = 1e-10}},
    [RNN_OPTIMIZER_RMSPROP] = {"rmsprop",
                               update_rmsprop,
                               {{"square_avg", ALWAYS},
                                {"momentum_buffer", WITH_MOMENTUM},
                                {"grad_avg", WITH_CENTERED}},
                               {.lr = 1e-2, .alpha = 0.99, .eps = 1e-8}},
    [RNN_OPTIMIZER_ADAMAX] = {"adamax",
                              update_adamax,
                              {{"exp_avg", ALWAYS}, {"exp_inf", ALWAYS}},
                              {.lr = 2e-3, ADAM_DEFAULTS}},
    [RNN_OPTIMIZER_NADAM] = {"nadam",
                             update_nadam,
                             {{"exp_avg", ALWAYS}, {"exp_avg_sq", ALWAYS}},
                             {.lr = 2e-3, .momentum_decay = 4e-3, ADAM_DEFAULTS}},
};

enum { N_ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static bool is_type(rnn_optimizer_type type)
{
    return (int)type >= 0 && (int)type < (int)N_ALGORITHMS;
}

rnn_optimizer_cfg rnn_optimizer_defaults(rnn_optimizer_type type)
{
    rnn_optimizer_cfg cfg = {.type = type};

    if (is_type(type))
        cfg = algorithms[type].defaults;
    cfg.type = type;
    return cfg;
}

const char *rnn_optimizer_type_name(rnn_optimizer_type type)
{
    return algorithms[type].name;
}

bool rnn_optimizer_type_parse(const char *name, rnn_optimizer_type *out)
{
    for (int type = 0; type < N_ALGORITHMS; type++) {
        if (strcmp(name, algorithms[type].name) == 0) {
            *out = (rnn_optimizer_type)type;
            return true;
        }
    }
    return false;
}

/* -- Checking the settings --------------------------------------------------------------------- */

#define ONLY(TYPE)     (1u << RNN_OPTIMIZER_##TYPE)
#define ALL_TYPES      ((1u << N_ALGORITHMS) - 1)
#define ADAM_FAMILY    (ONLY(ADAM) | ONLY(ADAMW) | ONLY(ADAMAX) | ONLY(NADAM))
#define WITH_EPS       (ADAM_FAMILY | ONLY(ADADELTA) | ONLY(ADAGRAD) | ONLY(RMSPROP))
#define NOT_NEGATIVE   0.0, (double)INFINITY, "at least 0"
#define ANY_NUMBER     -(double)INFINITY, (double)INFINITY, "a number"
#define BELOW_ONE      0.0, 0x1.fffffffffffffp-1, "at least 0 and below 1"
#define UP_TO_ONE      0.0, 1.0, "from 0 to 1"
#define SETTING(field) #field, offsetof(rnn_optimizer_cfg, field)

/* torch's checks; NaN fails all of them. */
static const struct {
    const char *name;
    size_t offset;
    unsigned types;
    double low, high;
    const char *expected;
} settings[] = {
    {SETTING(lr), ALL_TYPES, NOT_NEGATIVE},
    {SETTING(weight_decay), ALL_TYPES, NOT_NEGATIVE},
    {SETTING(momentum), ONLY(SGD) | ONLY(RMSPROP), NOT_NEGATIVE},
    {SETTING(dampening), ONLY(SGD), ANY_NUMBER},
    {SETTING(beta1), ADAM_FAMILY, BELOW_ONE},
    {SETTING(beta2), ADAM_FAMILY, BELOW_ONE},
    {SETTING(eps), WITH_EPS, NOT_NEGATIVE},
    {SETTING(rho), ONLY(ADADELTA), UP_TO_ONE},
    {SETTING(alpha), ONLY(RMSPROP), NOT_NEGATIVE},
    {SETTING(lr_decay), ONLY(ADAGRAD), NOT_NEGATIVE},
    {SETTING(initial_accumulator_value), ONLY(ADAGRAD), NOT_NEGATIVE},
    {SETTING(momentum_decay), ONLY(NADAM), NOT_NEGATIVE},
    {SETTING(clip_norm), ALL_TYPES, NOT_NEGATIVE},
    {SETTING(clip_value), ALL_TYPES, NOT_NEGATIVE},
};

rnn_status rnn_optimizer_check(const rnn_optimizer_cfg *cfg)
{
    const char *type;

    if (!is_type(cfg->type))
        return RNN_FAIL(RNN_ERR_DATA, "there is no optimizer type %d", (int)cfg->type);
    type = algorithms[cfg->type].name;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        double value;

        if ((settings[i].types & 1u << cfg->type) == 0)
            continue;
        memcpy(&value, (const char *)cfg + settings[i].offset, sizeof value);
        if (!(value >= settings[i].low && value <= settings[i].high))
            return RNN_FAIL(RNN_ERR_DATA, "optimizer %s: %s must be %s, found %g", type,
                            settings[i].name, settings[i].expected, value);
    }
    if (cfg->type == RNN_OPTIMIZER_SGD && cfg->nesterov &&
        !(cfg->momentum > 0.0 && cfg->dampening == 0.0))
        return RNN_FAIL(RNN_ERR_DATA,
                        "optimizer %s: nesterov needs momentum above 0 and dampening 0, found "
                        "momentum %g and dampening %g",
                        type, cfg->momentum, cfg->dampening);
    return RNN_OK;
}

/* -- Life -------------------------------------------------------------------------------------- */

static rnn_status take_states(rnn_optimizer *o)
{
    const algorithm *a = &algorithms[o->cfg.type];

    for (size_t k = 0; k < MAX_STATES; k++) {
        if (a->state[k].name != NULL && is_needed(&o->cfg, a->state[k].need))
            RNN_TRY(RNN_ALLOC(&o->state[k], o->n_params, a->state[k].name));
    }
    if (o->cfg.type == RNN_OPTIMIZER_ADAGRAD) {
        for (size_t i = 0; i < o->n_params; i++)
            o->state[0][i] = (float)o->cfg.initial_accumulator_value;
    }
    return RNN_OK;
}

rnn_status rnn_optimizer_create(rnn_optimizer **out, const rnn_optimizer_cfg *cfg, size_t n_params)
{
    rnn_status st = RNN_OK;
    rnn_optimizer *o = NULL;

    *out = NULL;
    RNN_TRY(rnn_optimizer_check(cfg));
    RNN_TRY(RNN_ALLOC(&o, 1, "the optimizer"));
    o->cfg = *cfg;
    o->n_params = n_params;
    o->mu_product = 1.0;
    RNN_TRY_GOTO(st, take_states(o), done);
    *out = o;
    o = NULL;
done:
    rnn_optimizer_destroy(&o);
    return st;
}

void rnn_optimizer_destroy(rnn_optimizer **optimizer)
{
    if (*optimizer == NULL)
        return;
    for (size_t k = 0; k < MAX_STATES; k++)
        rnn_free((*optimizer)->state[k]);
    rnn_free(*optimizer);
    *optimizer = NULL;
}

/* -- The step ---------------------------------------------------------------------------------- */

/* torch.nn.utils.clip_grad_norm_ */
static double clip_factor(double norm, double clip_norm)
{
    double factor = clip_norm / (norm + 1e-6);

    return factor < 1.0 ? factor : 1.0;
}

void rnn_optimizer_update(const rnn_optimizer *optimizer, const rnn_optimizer_pass *pass,
                          size_t first, size_t count)
{
    const rnn_optimizer *o = optimizer;
    const bool coupled = o->cfg.type != RNN_OPTIMIZER_ADAMW;
    range r = {.p = pass->params + first,
               .g = {.values = pass->grads + first,
                     .scale = (float)pass->scale,
                     .limit = o->cfg.clip_value > 0.0 ? (float)o->cfg.clip_value : INFINITY,
                     .weight_decay = coupled ? (float)o->cfg.weight_decay : 0.0f},
               .count = count};

    for (size_t k = 0; k < MAX_STATES; k++)
        r.state[k] = o->state[k] != NULL ? o->state[k] + first : NULL;
    algorithms[o->cfg.type].update(o, &r, pass->lr);
}

static void update_all(const rnn_optimizer *o, const rnn_optimizer_pass *pass)
{
    const size_t n_blocks = rnn_vector_n_blocks(o->n_params);

#pragma omp parallel for schedule(static) if (n_blocks > 1)
    for (size_t b = 0; b < n_blocks; b++) {
        const size_t left = o->n_params - b * RNN_BLOCK;

        rnn_optimizer_update(o, pass, b * RNN_BLOCK, left < RNN_BLOCK ? left : RNN_BLOCK);
    }
}

static rnn_status check_norm(const rnn_optimizer *o, double norm)
{
    if (isfinite(norm))
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_NONFINITE,
                    "optimizer step %" PRIu64 ": expected a finite gradient norm, found %g",
                    o->step + 1, norm);
}

/* `norm` counts only if it is clipped. */
static void advance(rnn_optimizer *o, rnn_optimizer_pass *pass, double norm)
{
    if (o->cfg.clip_norm > 0.0)
        pass->scale *= clip_factor(norm, o->cfg.clip_norm);
    o->step++;
    if (o->cfg.type == RNN_OPTIMIZER_NADAM)
        o->mu_product *= nadam_mu(o, o->step);
}

static double norm_of(double square_sum, double scale)
{
    return sqrt(square_sum) * fabs(scale);
}

rnn_status rnn_optimizer_begin(rnn_optimizer *optimizer, rnn_optimizer_pass *pass,
                               double *grad_norm)
{
    const bool measures = optimizer->cfg.clip_norm > 0.0 || grad_norm != NULL;
    double norm = NAN;

    if (measures)
        norm = norm_of(rnn_vector_square_sum(pass->grads, optimizer->n_params), pass->scale);
    if (grad_norm != NULL)
        *grad_norm = norm;
    if (measures)
        RNN_TRY(check_norm(optimizer, norm));
    advance(optimizer, pass, norm);
    return RNN_OK;
}

rnn_status rnn_optimizer_step_measured(rnn_optimizer *optimizer, float *params, const float *grads,
                                       float grad_scale, double lr, double square_sum)
{
    rnn_optimizer_pass pass = {params, grads, (double)grad_scale, lr};
    const double norm = norm_of(square_sum, pass.scale);

    RNN_TRY(check_norm(optimizer, norm));
    advance(optimizer, &pass, norm);
    update_all(optimizer, &pass);
    return RNN_OK;
}

rnn_status rnn_optimizer_step(rnn_optimizer *optimizer, float *params, const float *grads,
                              float grad_scale, double lr, double *grad_norm)
{
    rnn_optimizer_pass pass = {params, grads, (double)grad_scale, lr};

    RNN_TRY(rnn_optimizer_begin(optimizer, &pass, grad_norm));
    update_all(optimizer, &pass);
    return RNN_OK;
}

/* -- For checkpoints --------------------------------------------------------------------------- */

uint64_t rnn_optimizer_get_step(const rnn_optimizer *optimizer)
{
    return optimizer->step;
}

void rnn_optimizer_set_step(rnn_optimizer *optimizer, uint64_t step)
{
    optimizer->step = step;
}

size_t rnn_optimizer_n_states(const rnn_optimizer *optimizer)
{
    size_t n = 0;

    for (size_t k = 0; k < MAX_STATES; k++)
        n += optimizer->state[k] != NULL;
    return n;
}

/* The place of the i-th state that is there. */
static size_t place_of(const rnn_optimizer *o, size_t i)
{
    size_t k = 0;

    while (o->state[k] == NULL || i-- > 0)
        k++;
    return k;
}

const char *rnn_optimizer_state_name(const rnn_optimizer *optimizer, size_t i)
{
    return algorithms[optimizer->cfg.type].state[place_of(optimizer, i)].name;
}

float *rnn_optimizer_state(rnn_optimizer *optimizer, size_t i)
{
    return optimizer->state[place_of(optimizer, i)];
}

double rnn_optimizer_get_scalar(const rnn_optimizer *optimizer)
{
    return optimizer->mu_product;
}

void rnn_optimizer_set_scalar(rnn_optimizer *optimizer, double value)
{
    optimizer->mu_product = value;
}

const rnn_optimizer_cfg *rnn_optimizer_get_cfg(const rnn_optimizer *optimizer)
{
    return &optimizer->cfg;
}
