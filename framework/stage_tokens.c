/* What a model of tokens begins with: torch.nn.Embedding, or one-hot vectors. */
#include "framework/stage.h"
#include "kernels/embedding.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_plain_params plain; /* weight, of an embedding */
    size_t n_out;
    int64_t padding_idx;
} plan;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a stage of tokens"));
    rnn_plain_params_init(&p->plain, model, stage);
    p->n_out = stage->out.n_features;
    p->padding_idx = stage->cfg->padding_idx;
    *out = p;
    return RNN_OK;
}

static rnn_status embedding_forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    const plan *p = *(const plan **)self;

    (void)x;
    rnn_embedding_forward(rnn_slice_positions(slice), p->n_out, slice->token,
                          rnn_plain_param(&p->plain, 0), y);
    return RNN_OK;
}

static rnn_status embedding_backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                                     float *packed)
{
    const plan *p = *(const plan **)self;

    (void)dx;
    rnn_embedding_backward(rnn_slice_positions(slice), p->n_out, slice->token, p->padding_idx, dy,
                           packed);
    return RNN_OK;
}

const rnn_stage_class rnn_stage_embedding = {.plan_create = plan_create,
                                             .plan_destroy = rnn_free,
                                             .grad_size = rnn_plain_params_grad_size,
                                             .pack = rnn_plain_params_pack,
                                             .unpack = rnn_plain_params_unpack,
                                             .visit = rnn_plain_params_visit,
                                             .worker_create = rnn_plain_worker_create,
                                             .worker_destroy = rnn_free,
                                             .forward = embedding_forward,
                                             .backward = embedding_backward};

static rnn_status onehot_forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    const plan *p = *(const plan **)self;

    (void)x;
    rnn_onehot_forward(rnn_slice_positions(slice), p->n_out, slice->token, y);
    return RNN_OK;
}

static rnn_status onehot_backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                                  float *packed)
{
    (void)self, (void)slice, (void)dy, (void)dx, (void)packed;
    return RNN_OK;
}

const rnn_stage_class rnn_stage_onehot = {.plan_create = plan_create,
                                          .plan_destroy = rnn_free,
                                          .worker_create = rnn_plain_worker_create,
                                          .worker_destroy = rnn_free,
                                          .forward = onehot_forward,
                                          .backward = onehot_backward};
