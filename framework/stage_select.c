/* One step of a sequence: the last one. */
#include <string.h>

#include "framework/stage.h"
#include "kernels/memory.h"

typedef struct plan {
    size_t before; /* floats of the steps before the last: stay zero in the gradient */
    size_t step;   /* floats of one step */
} plan;

typedef struct worker {
    const plan *plan;
    const float *zeroed; /* gradient buffer whose earlier steps are zero already */
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, const rnn_stage *stage,
                              size_t rows)
{
    plan *p;

    (void)model;
    RNN_TRY(RNN_ALLOC(&p, 1, "a select stage"));
    p->step = rows * stage->in.n_features;
    p->before = (stage->in.seq_len - 1) * p->step;
    *out = p;
    return RNN_OK;
}

static size_t grad_size(const void *self)
{
    (void)self;
    return 0;
}

static void pack(void *self, const float *params, size_t part, size_t n_parts)
{
    (void)self, (void)params, (void)part, (void)n_parts;
}

static void unpack(const void *self, const float *packed, float *grads, size_t part, size_t n_parts)
{
    (void)self, (void)packed, (void)grads, (void)part, (void)n_parts;
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a select worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static rnn_status forward(void *self, const float *x, float *y)
{
    const plan *p = ((worker *)self)->plan;

    memcpy(y, x + p->before, p->step * sizeof(float));
    return RNN_OK;
}

static rnn_status backward(void *self, const float *dy, float *dx, float *packed)
{
    worker *w = self;

    (void)packed;
    if (dx == NULL)
        return RNN_OK;
    /* Nobody else writes to this buffer, so its other steps need zeroing only once. */
    if (w->zeroed != dx)
        memset(dx, 0, w->plan->before * sizeof(float));
    w->zeroed = dx;
    memcpy(dx + w->plan->before, dy, w->plan->step * sizeof(float));
    return RNN_OK;
}

const rnn_stage_class rnn_stage_select = {plan_create,   rnn_free, grad_size, pack,    unpack,
                                          worker_create, rnn_free, forward,   backward};
