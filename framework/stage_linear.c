/* torch.nn.Linear on every step of a slice. */
#include "framework/stage.h"
#include "kernels/linear.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_plain_params plain; /* weight, bias */
    size_t n_in, n_out;
} plan;

typedef struct worker {
    const plan *plan;
    const float *x;
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a linear stage"));
    rnn_plain_params_init(&p->plain, model, stage);
    p->n_in = stage->in.n_features;
    p->n_out = stage->out.n_features;
    *out = p;
    return RNN_OK;
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a linear worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;
    const plan *p = w->plan;

    w->x = x;
    RNN_TRY(rnn_linear_forward(rnn_slice_positions(slice), p->n_in, p->n_out, x,
                               rnn_plain_param(&p->plain, 0), rnn_plain_param(&p->plain, 1), y));
    rnn_slice_clear_past_ends(slice, p->n_out, y); /* of the bias */
    return RNN_OK;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    worker *w = self;
    const plan *p = w->plan;

    return rnn_linear_backward(
        rnn_slice_positions(slice), p->n_in, p->n_out, w->x, rnn_plain_param(&p->plain, 0), dy, dx,
        rnn_plain_grad(&p->plain, packed, 0), rnn_plain_grad(&p->plain, packed, 1));
}

const rnn_stage_class rnn_stage_linear = {.plan_create = plan_create,
                                          .plan_destroy = rnn_free,
                                          .grad_size = rnn_plain_params_grad_size,
                                          .pack = rnn_plain_params_pack,
                                          .unpack = rnn_plain_params_unpack,
                                          .worker_create = worker_create,
                                          .worker_destroy = rnn_free,
                                          .forward = forward,
                                          .backward = backward};
