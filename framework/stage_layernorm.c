/* torch.nn.LayerNorm over the features of every step. */
#include "framework/stage.h"
#include "kernels/layernorm.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_plain_params plain; /* weight, bias */
    size_t n_features;
    double eps;
} plan;

typedef struct worker {
    const plan *plan;
    const float *x;
    float *mean, *rstd; /* [n_positions] */
    size_t n_positions;
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a layernorm stage"));
    rnn_plain_params_init(&p->plain, model, stage);
    p->n_features = stage->in.n_features;
    p->eps = stage->cfg->eps;
    *out = p;
    return RNN_OK;
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a layernorm worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static void worker_destroy(void *self)
{
    worker *w = self;

    rnn_free(w->mean);
    rnn_free(w->rstd);
    rnn_free(w);
}

static rnn_status worker_reserve(void *self, size_t seq_len, size_t rows)
{
    worker *w = self;
    size_t wanted = seq_len * rows;

    if (wanted <= w->n_positions)
        return RNN_OK;
    rnn_free(w->mean);
    rnn_free(w->rstd);
    w->mean = w->rstd = NULL;
    w->n_positions = 0;
    RNN_TRY(RNN_ALLOC(&w->mean, wanted, "a layernorm worker"));
    RNN_TRY(RNN_ALLOC(&w->rstd, wanted, "a layernorm worker"));
    w->n_positions = wanted;
    return RNN_OK;
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;
    const plan *p = w->plan;

    RNN_TRY(worker_reserve(w, slice->seq_len, slice->rows));
    w->x = x;
    rnn_layernorm_forward(rnn_slice_positions(slice), p->n_features, p->eps, x,
                          rnn_plain_param(&p->plain, 0), rnn_plain_param(&p->plain, 1), y, w->mean,
                          w->rstd);
    rnn_slice_clear_past_ends(slice, p->n_features, y); /* of the bias */
    return RNN_OK;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    worker *w = self;
    const plan *p = w->plan;

    rnn_layernorm_backward(rnn_slice_positions(slice), p->n_features, w->x, w->mean, w->rstd,
                           rnn_plain_param(&p->plain, 0), dy, dx,
                           rnn_plain_grad(&p->plain, packed, 0),
                           rnn_plain_grad(&p->plain, packed, 1));
    return RNN_OK;
}

const rnn_stage_class rnn_stage_layernorm = {.plan_create = plan_create,
                                             .plan_destroy = rnn_free,
                                             .grad_size = rnn_plain_params_grad_size,
                                             .pack = rnn_plain_params_pack,
                                             .unpack = rnn_plain_params_unpack,
                                             .visit = rnn_plain_params_visit,
                                             .worker_create = worker_create,
                                             .worker_destroy = worker_destroy,
                                             .worker_reserve = worker_reserve,
                                             .forward = forward,
                                             .backward = backward};
