/* rnn/optimizer.h: an optimizer of framework/optimizer.h for each module, clipped together. */
#include <rnn/optimizer.h>

#include <math.h>

#include "framework/arguments.h"
#include "framework/module_parts.h"
#include "framework/optimizer.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

static const char CREATE[] = "rnn_optim_create";

struct rnn_optim {
    double lr, clip_norm;
    size_t n_modules;
    rnn_module **modules;       /* [n_modules] */
    rnn_optimizer **optimizers; /* [n_modules] */
};

/* -- Life ------------------------------------------------------------------------------------ */

static rnn_status check_modules(rnn_module *const *modules, size_t n_modules)
{
    RNN_TRY(rnn_check_given(CREATE, "modules", modules));
    if (n_modules == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: n_modules: expected at least 1, found 0", CREATE);
    for (size_t i = 0; i < n_modules; i++) {
        RNN_TRY(rnn_check_given(CREATE, "a module", modules[i]));
        for (size_t k = 0; k < i; k++)
            if (modules[k] == modules[i])
                return RNN_FAIL(RNN_ERR_USAGE,
                                "%s: modules: expected different ones, found the same as number "
                                "%zu and %zu",
                                CREATE, k, i);
    }
    return RNN_OK;
}

static rnn_status set_up(rnn_optim *o, const rnn_optimizer_cfg *cfg, rnn_module *const *modules,
                         size_t n_modules)
{
    rnn_optimizer_cfg own = *cfg;

    own.clip_norm = 0.0; /* that is about all modules together */
    o->lr = cfg->lr;
    o->clip_norm = cfg->clip_norm;
    RNN_TRY(RNN_ALLOC(&o->modules, n_modules, "an optimizer"));
    RNN_TRY(RNN_ALLOC(&o->optimizers, n_modules, "an optimizer"));
    for (size_t i = 0; i < n_modules; i++) {
        o->modules[i] = modules[i];
        rnn_module_retain(modules[i]);
        o->n_modules++;
        RNN_TRY(rnn_optimizer_create(&o->optimizers[i], &own, rnn_model_size(modules[i]->model)));
    }
    return RNN_OK;
}

rnn_status rnn_optim_create(rnn_optim **out, const rnn_optimizer_cfg *cfg,
                            rnn_module *const *modules, size_t n_modules)
{
    rnn_optim *o;
    rnn_status st;

    RNN_TRY(rnn_check_given(CREATE, "out", out));
    *out = NULL;
    RNN_TRY(rnn_check_given(CREATE, "cfg", cfg));
    RNN_TRY(rnn_as_usage(rnn_optimizer_check(cfg)));
    RNN_TRY(check_modules(modules, n_modules));
    RNN_TRY(RNN_ALLOC(&o, 1, "an optimizer"));
    st = set_up(o, cfg, modules, n_modules);
    if (st == RNN_OK)
        *out = o;
    else
        rnn_optim_destroy(&o);
    return st;
}

void rnn_optim_destroy(rnn_optim **optim)
{
    rnn_optim *o = optim != NULL ? *optim : NULL;

    if (o == NULL)
        return;
    for (size_t i = 0; i < o->n_modules; i++) {
        rnn_optimizer_destroy(&o->optimizers[i]);
        rnn_module_release(o->modules[i]);
    }
    rnn_free(o->modules);
    rnn_free(o->optimizers);
    rnn_free(o);
    *optim = NULL;
}

/* -- The step -------------------------------------------------------------------------------- */

/* What the gradients are multiplied with so that their norm is at most clip_norm. */
static rnn_status clip_factor(const rnn_optim *o, float *factor)
{
    double squares = 0.0, norm, limit;

    *factor = 1.0f;
    if (o->clip_norm == 0.0)
        return RNN_OK;
    for (size_t i = 0; i < o->n_modules; i++)
        squares += rnn_vector_square_sum(rnn_module_grads(o->modules[i]),
                                         rnn_model_size(o->modules[i]->model));
    norm = sqrt(squares);
    if (!isfinite(norm))
        return RNN_FAIL(RNN_ERR_NONFINITE,
                        "rnn_optim_step: expected a finite gradient norm, found %g", norm);
    limit = o->clip_norm / (norm + 1e-6); /* as torch.nn.utils.clip_grad_norm_ */
    *factor = limit < 1.0 ? (float)limit : 1.0f;
    return RNN_OK;
}

static rnn_status update(const rnn_optim *o, size_t i, float factor)
{
    rnn_module *m = o->modules[i];
    const float *grads = rnn_module_grads(m);
    rnn_module_scope scope = rnn_module_begin(m);
    rnn_status st = rnn_optimizer_step(o->optimizers[i], m->params, grads, factor, o->lr, NULL);

    rnn_module_end(scope);
    rnn_module_touch(m);
    return st;
}

rnn_status rnn_optim_step(rnn_optim *optim)
{
    float factor;

    RNN_TRY(rnn_check_given("rnn_optim_step", "optim", optim));
    RNN_TRY(clip_factor(optim, &factor));
    for (size_t i = 0; i < optim->n_modules; i++)
        RNN_TRY(update(optim, i, factor));
    return RNN_OK;
}

rnn_status rnn_optim_zero_grad(rnn_optim *optim)
{
    RNN_TRY(rnn_check_given("rnn_optim_zero_grad", "optim", optim));
    for (size_t i = 0; i < optim->n_modules; i++)
        RNN_TRY(rnn_module_zero_grad(optim->modules[i]));
    return RNN_OK;
}

rnn_status rnn_optim_set_lr(rnn_optim *optim, double lr)
{
    RNN_TRY(rnn_check_given("rnn_optim_set_lr", "optim", optim));
    if (!(lr >= 0.0) || isinf(lr))
        return RNN_FAIL(RNN_ERR_USAGE, "rnn_optim_set_lr: lr: expected at least 0, found %g", lr);
    optim->lr = lr;
    return RNN_OK;
}
