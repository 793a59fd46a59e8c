/* torch.nn.Linear on every step of a slice, with a weight of its own or that of the embedding. */
#include "framework/stage.h"
#include "kernels/linear.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_plain_params plain;    /* weight, bias; of a tied one bias alone */
    const float *first_weight; /* of a tied one: the weight of stage 0; set by pack */
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

static rnn_status apply(worker *w, const rnn_slice *slice, const float *x, const float *weight,
                        const float *bias, float *y)
{
    const plan *p = w->plan;

    w->x = x;
    RNN_TRY(rnn_linear_forward(rnn_slice_positions(slice), p->n_in, p->n_out, x, weight, bias, y));
    rnn_slice_clear_past_ends(slice, p->n_out, y); /* of the bias */
    return RNN_OK;
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;
    const rnn_plain_params *plain = &w->plan->plain;

    return apply(w, slice, x, rnn_plain_param(plain, 0), rnn_plain_param(plain, 1), y);
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
                                          .visit = rnn_plain_params_visit,
                                          .worker_create = worker_create,
                                          .worker_destroy = rnn_free,
                                          .forward = forward,
                                          .backward = backward};

/* -- With the weight of the embedding -------------------------------------------------------- */

/* Stage 0 is the first in the arena, and its weight the first of it. */
static void pack_tied(void *self, const float *params, size_t part, size_t n_parts)
{
    if (part == 0)
        ((plan *)self)->first_weight = params;
    rnn_plain_params_pack(self, params, part, n_parts);
}

static rnn_status forward_tied(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;

    return apply(w, slice, x, w->plan->first_weight, rnn_plain_param(&w->plan->plain, 0), y);
}

/* The embedding's packed gradient is its part of the arena: the weight. */
static rnn_status backward_tied(void *self, const rnn_slice *slice, const float *dy, float *dx,
                                float *packed, float *packed_first)
{
    worker *w = self;
    const plan *p = w->plan;

    return rnn_linear_backward(rnn_slice_positions(slice), p->n_in, p->n_out, w->x, p->first_weight,
                               dy, dx, packed_first, rnn_plain_grad(&p->plain, packed, 0));
}

const rnn_stage_class rnn_stage_tied = {.plan_create = plan_create,
                                        .plan_destroy = rnn_free,
                                        .grad_size = rnn_plain_params_grad_size,
                                        .pack = pack_tied,
                                        .unpack = rnn_plain_params_unpack,
                                        .visit = rnn_plain_params_visit,
                                        .worker_create = worker_create,
                                        .worker_destroy = rnn_free,
                                        .forward = forward_tied,
                                        .backward_tied = backward_tied};
