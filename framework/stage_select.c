/* One step out of a sequence: its last or first valid one, or their mean or maximum. */
#include <string.h>

#include "framework/stage.h"
#include "kernels/memory.h"

typedef struct plan {
    rnn_select step;
    size_t n_features;
} plan;

typedef struct worker {
    const plan *plan;
    uint32_t *chosen; /* [rows][n_features] the steps that were largest */
    size_t n_chosen;
} worker;

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a select stage"));
    *p = (plan){.step = (rnn_select)stage->cfg->step, .n_features = stage->in.n_features};
    *out = p;
    return RNN_OK;
}

static rnn_status worker_create(void **out, const void *self)
{
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a select worker"));
    w->plan = self;
    *out = w;
    return RNN_OK;
}

static void worker_destroy(void *self)
{
    worker *w = self;

    rnn_free(w->chosen);
    rnn_free(w);
}

static rnn_status worker_reserve(void *self, size_t seq_len, size_t rows)
{
    worker *w = self;
    size_t wanted = rows * w->plan->n_features;

    (void)seq_len;
    if (w->plan->step != RNN_SELECT_MAX || wanted <= w->n_chosen)
        return RNN_OK;
    rnn_free(w->chosen);
    w->n_chosen = 0;
    RNN_TRY(RNN_ALLOC(&w->chosen, wanted, "a select worker"));
    w->n_chosen = wanted;
    return RNN_OK;
}

/* Rows of x at step t of a row of the slice. */
static size_t place(const rnn_slice *slice, size_t t, size_t row)
{
    return t * slice->rows + row;
}

static void forward_mean(const rnn_slice *slice, size_t row, size_t n, const float *x, float *y)
{
    size_t length = (size_t)slice->length[row];
    float scale = 1.0f / (float)length;

    memset(y, 0, n * sizeof *y);
    for (size_t t = 0; t < length; t++)
        for (size_t f = 0; f < n; f++)
            y[f] += x[place(slice, t, row) * n + f];
    for (size_t f = 0; f < n; f++)
        y[f] *= scale;
}

static void forward_max(const rnn_slice *slice, size_t row, size_t n, const float *x, float *y,
                        uint32_t *chosen)
{
    memcpy(y, x + row * n, n * sizeof *y);
    memset(chosen, 0, n * sizeof *chosen);
    for (size_t t = 1; t < (size_t)slice->length[row]; t++)
        for (size_t f = 0; f < n; f++) {
            float value = x[place(slice, t, row) * n + f];

            if (value > y[f]) {
                y[f] = value;
                chosen[f] = (uint32_t)t;
            }
        }
}

/* The step of a row that last or first mean. */
static size_t single_step(const plan *p, const rnn_slice *slice, size_t row)
{
    return p->step == RNN_SELECT_LAST ? (size_t)slice->length[row] - 1 : 0;
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;
    const plan *p = w->plan;
    size_t n = p->n_features;

    RNN_TRY(worker_reserve(w, slice->seq_len, slice->rows));
    for (size_t row = 0; row < slice->rows; row++) {
        float *into = y + row * n;

        if (slice->length[row] == 0)
            memset(into, 0, n * sizeof *into);
        else if (p->step == RNN_SELECT_MEAN)
            forward_mean(slice, row, n, x, into);
        else if (p->step == RNN_SELECT_MAX)
            forward_max(slice, row, n, x, into, w->chosen + row * n);
        else
            memcpy(into, x + place(slice, single_step(p, slice, row), row) * n, n * sizeof *into);
    }
    return RNN_OK;
}

static void backward_mean(const rnn_slice *slice, size_t row, size_t n, const float *dy, float *dx)
{
    size_t length = (size_t)slice->length[row];
    float scale = 1.0f / (float)length;

    for (size_t t = 0; t < length; t++)
        for (size_t f = 0; f < n; f++)
            dx[place(slice, t, row) * n + f] = dy[f] * scale;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    worker *w = self;
    const plan *p = w->plan;
    size_t n = p->n_features;

    (void)packed;
    if (dx == NULL)
        return RNN_OK;
    memset(dx, 0, rnn_slice_positions(slice) * n * sizeof *dx);
    for (size_t row = 0; row < slice->rows; row++) {
        const float *from = dy + row * n;

        if (slice->length[row] == 0)
            continue;
        if (p->step == RNN_SELECT_MEAN)
            backward_mean(slice, row, n, from, dx);
        else if (p->step == RNN_SELECT_MAX)
            for (size_t f = 0; f < n; f++)
                dx[place(slice, w->chosen[row * n + f], row) * n + f] = from[f];
        else
            memcpy(dx + place(slice, single_step(p, slice, row), row) * n, from, n * sizeof *dx);
    }
    return RNN_OK;
}

const rnn_stage_class rnn_stage_select = {.plan_create = plan_create,
                                          .plan_destroy = rnn_free,
                                          .worker_create = worker_create,
                                          .worker_destroy = worker_destroy,
                                          .worker_reserve = worker_reserve,
                                          .forward = forward,
                                          .backward = backward};
