/* torch.nn.Dropout, as a layer or between the sublayers of a recurrent one. */
#include <string.h>

#include "framework/stage.h"
#include "kernels/dropout.h"
#include "kernels/memory.h"
#include "kernels/random.h"

typedef struct plan {
    double p;
    bool is_variational;
    size_t n_features;
    uint64_t index; /* of the stage: each drops by numbers of its own */
} plan;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a dropout stage"));
    *p = (plan){.p = stage->dropout,
                .is_variational = stage->cfg->variational,
                .n_features = stage->in.n_features,
                .index = index};
    *out = p;
    return RNN_OK;
}

/* Forward and backward are the same: what is dropped, and the factor of the rest. */
static void apply(const plan *p, const rnn_slice *slice, const float *from, float *to)
{
    const rnn_dropout_args args = {
        .p = p->p,
        .key = rnn_random_bits(slice->seed, RNN_RANDOM_DROPOUT, slice->step, p->index),
        .first_row = slice->first_row,
        .is_variational = p->is_variational};

    if (slice->is_training && p->p > 0.0)
        rnn_dropout(&args, slice->seq_len, slice->rows, p->n_features, from, to);
    else
        memcpy(to, from, rnn_slice_positions(slice) * p->n_features * sizeof *to);
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    apply(*(const plan **)self, slice, x, y);
    return RNN_OK;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    (void)packed;
    if (dx != NULL)
        apply(*(const plan **)self, slice, dy, dx);
    return RNN_OK;
}

const rnn_stage_class rnn_stage_dropout = {.plan_create = plan_create,
                                           .plan_destroy = rnn_free,
                                           .worker_create = rnn_plain_worker_create,
                                           .worker_destroy = rnn_free,
                                           .forward = forward,
                                           .backward = backward};
