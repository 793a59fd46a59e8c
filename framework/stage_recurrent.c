/* One layer of torch.nn.RNN, LSTM or GRU: from the arena's tensors to kernels/recurrent.h. */
#include "framework/stage.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"

typedef struct plan {
    rnn_recurrent *kernel;
    size_t offset[4]; /* weight_ih, weight_hh, bias_ih, bias_hh in the arena */
    bool bias;
} plan;

static void plan_destroy(void *self)
{
    plan *p = self;

    rnn_recurrent_destroy(&p->kernel);
    rnn_free(p);
}

static rnn_status plan_create(void **out, const rnn_model *model, const rnn_stage *stage,
                              size_t rows)
{
    plan *p;
    rnn_status st;
    const rnn_recurrent_cfg cfg = {.cell = rnn_layer_cell(stage->cfg),
                                   .seq_len = stage->in.seq_len,
                                   .rows = rows,
                                   .n_in = stage->in.n_features,
                                   .n_hid = stage->out.n_features};

    RNN_TRY(RNN_ALLOC(&p, 1, "a recurrent stage"));
    p->bias = stage->cfg->bias;
    for (size_t i = 0; i < stage->n_params; i++)
        p->offset[i] = rnn_model_param(model, stage->first_param + i)->offset;
    st = rnn_recurrent_create(&p->kernel, &cfg);
    if (st == RNN_OK)
        *out = p;
    else
        plan_destroy(p);
    return st;
}

static size_t grad_size(const void *self)
{
    return rnn_recurrent_grad_size(((const plan *)self)->kernel);
}

static void pack(void *self, const float *params, size_t part, size_t n_parts)
{
    plan *p = self;
    const rnn_recurrent_params tensors = {.weight_ih = params + p->offset[0],
                                          .weight_hh = params + p->offset[1],
                                          .bias_ih = p->bias ? params + p->offset[2] : NULL,
                                          .bias_hh = p->bias ? params + p->offset[3] : NULL};

    rnn_recurrent_pack(p->kernel, &tensors, part, n_parts);
}

static void unpack(const void *self, const float *packed, float *grads, size_t part, size_t n_parts)
{
    const plan *p = self;
    const rnn_recurrent_grads tensors = {.weight_ih = grads + p->offset[0],
                                         .weight_hh = grads + p->offset[1],
                                         .bias_ih = p->bias ? grads + p->offset[2] : NULL,
                                         .bias_hh = p->bias ? grads + p->offset[3] : NULL};

    rnn_recurrent_unpack(p->kernel, packed, &tensors, part, n_parts);
}

static rnn_status worker_create(void **out, const void *self)
{
    rnn_recurrent_task *task;

    RNN_TRY(rnn_recurrent_task_create(&task, ((const plan *)self)->kernel));
    *out = task;
    return RNN_OK;
}

static void worker_destroy(void *worker)
{
    rnn_recurrent_task *task = worker;

    rnn_recurrent_task_destroy(&task);
}

static rnn_status forward(void *worker, const float *x, float *y)
{
    return rnn_recurrent_forward(worker, x, NULL, NULL, y);
}

static rnn_status backward(void *worker, const float *dy, float *dx, float *packed)
{
    return rnn_recurrent_backward(worker, dy, NULL, NULL, dx, packed);
}

const rnn_stage_class rnn_stage_recurrent = {plan_create,    plan_destroy, grad_size,
                                             pack,           unpack,       worker_create,
                                             worker_destroy, forward,      backward};
