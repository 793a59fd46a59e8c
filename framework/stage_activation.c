/* An activation function on every value. */
#include "framework/stage.h"
#include "kernels/activation.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_activation function;
    size_t n_features;
} plan;

typedef struct worker {
    const plan *plan;
    const float *y;
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "an activation stage"));
    *p = (plan){.function = (rnn_activation)stage->cfg->function,
                .n_features = stage->in.n_features};
    *out = p;
    return RNN_OK;
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "an activation worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;
    const plan *p = w->plan;

    w->y = y;
    rnn_activation_forward(p->function, rnn_slice_positions(slice) * p->n_features, x, y);
    rnn_slice_clear_past_ends(slice, p->n_features, y); /* sigmoid(0) is not 0 */
    return RNN_OK;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    const worker *w = self;
    const plan *p = w->plan;

    (void)packed;
    if (dx != NULL)
        rnn_activation_backward(p->function, rnn_slice_positions(slice) * p->n_features, w->y, dy,
                                dx);
    return RNN_OK;
}

const rnn_stage_class rnn_stage_activation = {.plan_create = plan_create,
                                              .plan_destroy = rnn_free,
                                              .worker_create = worker_create,
                                              .worker_destroy = rnn_free,
                                              .forward = forward,
                                              .backward = backward};
