/* torch.nn.Linear on every step of a slice. */
#include <string.h>

#include "framework/stage.h"
#include "kernels/linear.h"
#include "kernels/memory.h"

typedef struct plan {
    size_t rows, n_in, n_out; /* rows = steps x rows of the slice */
    size_t weight, bias;      /* offsets in the arena */
    bool has_bias;
    const float *params; /* the arena of the last pack; torch's layout is the kernel's too */
} plan;

typedef struct worker {
    const plan *plan;
    const float *x;
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, const rnn_stage *stage,
                              size_t rows)
{
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a linear stage"));
    *p = (plan){.rows = stage->in.seq_len * rows,
                .n_in = stage->in.n_features,
                .n_out = stage->out.n_features,
                .weight = rnn_model_param(model, stage->first_param)->offset,
                .has_bias = stage->cfg->bias};
    if (p->has_bias)
        p->bias = rnn_model_param(model, stage->first_param + 1)->offset;
    *out = p;
    return RNN_OK;
}

/* The packed gradient: weight [n_out][n_in], then bias [n_out]. */
static size_t grad_size(const void *self)
{
    const plan *p = self;

    return (p->n_out * (p->n_in + 1) + 15) / 16 * 16;
}

static void pack(void *self, const float *params, size_t part, size_t n_parts)
{
    plan *p = self;

    (void)n_parts;
    if (part == 0)
        p->params = params;
}

static void unpack(const void *self, const float *packed, float *grads, size_t part, size_t n_parts)
{
    const plan *p = self;

    (void)n_parts;
    if (part != 0)
        return;
    memcpy(grads + p->weight, packed, p->n_out * p->n_in * sizeof(float));
    if (p->has_bias)
        memcpy(grads + p->bias, packed + p->n_out * p->n_in, p->n_out * sizeof(float));
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a linear worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static rnn_status forward(void *self, const float *x, float *y)
{
    worker *w = self;
    const plan *p = w->plan;

    w->x = x;
    return rnn_linear_forward(p->rows, p->n_in, p->n_out, x, p->params + p->weight,
                              p->has_bias ? p->params + p->bias : NULL, y);
}

static rnn_status backward(void *self, const float *dy, float *dx, float *packed)
{
    worker *w = self;
    const plan *p = w->plan;

    return rnn_linear_backward(p->rows, p->n_in, p->n_out, w->x, p->params + p->weight, dy, dx,
                               packed, p->has_bias ? packed + p->n_out * p->n_in : NULL);
}

const rnn_stage_class rnn_stage_linear = {plan_create,   rnn_free, grad_size, pack,    unpack,
                                          worker_create, rnn_free, forward,   backward};
