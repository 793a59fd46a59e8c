/*
 * One sublayer of torch.nn.RNN, LSTM or GRU, or a cell over all steps: from the arena's tensors to
 * kernels/recurrent.h, once for each direction.
 */
#include "framework/stage.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"
#include "kernels/vector.h"

enum { MAX_DIRECTIONS = 2, MAX_TENSORS = 5 };

typedef struct plan {
    size_t n_directions;
    rnn_recurrent *kernel[MAX_DIRECTIONS];
    size_t offset[MAX_DIRECTIONS][MAX_TENSORS]; /* weight_ih, weight_hh, biases, weight_hr */
    bool has_bias, has_projection;
    size_t layer, first_state; /* of this sublayer in the states of its [[layer]] */
    size_t n_in, n_hid, n_out; /* of one direction */
    float h0, c0;
    size_t n_gates;
    bool is_lstm;
} plan;

typedef struct worker {
    const plan *plan;
    rnn_recurrent_task *task[MAX_DIRECTIONS];
    rnn_buffer dx_reverse; /* joins dx after the other direction's */
    rnn_buffer h0, c0;     /* of constants other than zero */
} worker;

/* -- Plan ------------------------------------------------------------------------------------ */

static void plan_destroy(void *self)
{
    plan *p = self;

    for (size_t d = 0; d < MAX_DIRECTIONS; d++)
        rnn_recurrent_destroy(&p->kernel[d]);
    rnn_free(p);
}

static void place_tensors(plan *p, const rnn_model *model, const rnn_stage *stage)
{
    size_t n_tensors = stage->n_params / p->n_directions;

    for (size_t d = 0; d < p->n_directions; d++) {
        const rnn_param *first = rnn_model_param(model, stage->first_param + d * n_tensors);

        for (size_t i = 0; i < (p->has_bias ? 4u : 2u); i++)
            p->offset[d][i] = first[i].offset;
        if (p->has_projection)
            p->offset[d][MAX_TENSORS - 1] = first[n_tensors - 1].offset;
    }
}

static rnn_status plan_create(void **out, const rnn_model *model, size_t index)
{
    const rnn_stage *stage = rnn_model_stage(model, index);
    rnn_recurrent_cfg cfg = {.cell = rnn_layer_cell(stage->cfg),
                             .n_in = stage->in.n_features,
                             .n_hid = (size_t)stage->cfg->hidden_size,
                             .n_proj = (size_t)stage->cfg->proj_size};
    rnn_status st = RNN_OK;
    plan *p;

    RNN_TRY(RNN_ALLOC(&p, 1, "a recurrent stage"));
    *p = (plan){.n_directions = stage->n_directions,
                .has_bias = stage->cfg->bias,
                .has_projection = stage->cfg->proj_size > 0,
                .layer = stage->layer,
                .first_state = stage->sublayer * stage->n_directions,
                .n_in = cfg.n_in,
                .n_hid = cfg.n_hid,
                .n_out = rnn_recurrent_n_out(&cfg),
                .h0 = (float)stage->cfg->h0,
                .c0 = (float)stage->cfg->c0,
                .n_gates = rnn_cell_gates(cfg.cell),
                .is_lstm = cfg.cell == RNN_CELL_LSTM};
    place_tensors(p, model, stage);
    for (size_t d = 0; d < p->n_directions && st == RNN_OK; d++) {
        cfg.reverse = d == 1;
        st = rnn_recurrent_create(&p->kernel[d], &cfg);
    }
    if (st == RNN_OK)
        *out = p;
    else
        plan_destroy(p);
    return st;
}

const rnn_recurrent *rnn_stage_recurrent_kernel(const void *self, size_t direction)
{
    return ((const plan *)self)->kernel[direction];
}

/* Both directions' kernels have the same size. */
static size_t grad_size(const void *self)
{
    const plan *p = self;

    return p->n_directions * rnn_recurrent_grad_size(p->kernel[0]);
}

static void pack(void *self, const float *params, size_t part, size_t n_parts)
{
    plan *p = self;

    for (size_t d = 0; d < p->n_directions; d++) {
        const size_t *offset = p->offset[d];
        const rnn_recurrent_params tensors = {.weight_ih = params + offset[0],
                                              .weight_hh = params + offset[1],
                                              .bias_ih = p->has_bias ? params + offset[2] : NULL,
                                              .bias_hh = p->has_bias ? params + offset[3] : NULL,
                                              .weight_hr =
                                                  p->has_projection ? params + offset[4] : NULL};

        rnn_recurrent_pack(p->kernel[d], &tensors, part, n_parts);
    }
}

static void unpack(const void *self, const float *packed, float *grads, size_t part, size_t n_parts)
{
    const plan *p = self;

    for (size_t d = 0; d < p->n_directions; d++) {
        const size_t *offset = p->offset[d];
        const rnn_recurrent_grads tensors = {.weight_ih = grads + offset[0],
                                             .weight_hh = grads + offset[1],
                                             .bias_ih = p->has_bias ? grads + offset[2] : NULL,
                                             .bias_hh = p->has_bias ? grads + offset[3] : NULL,
                                             .weight_hr =
                                                 p->has_projection ? grads + offset[4] : NULL};

        rnn_recurrent_unpack(p->kernel[d], packed + d * rnn_recurrent_grad_size(p->kernel[d]),
                             &tensors, part, n_parts);
    }
}

typedef struct visitor {
    rnn_stretch_function function;
    void *context;
} visitor;

/* Rows [first, last) of every gate of a tensor. */
static void visit_rows(const plan *p, size_t tensor, size_t width, size_t first, size_t last,
                       const visitor *v)
{
    for (size_t g = 0; g < p->n_gates; g++)
        v->function(v->context, tensor + (g * p->n_hid + first) * width, (last - first) * width);
}

static void visit_direction(const plan *p, const size_t *offset, size_t part, size_t n_parts,
                            const visitor *v)
{
    const size_t widths[] = {p->n_in, p->n_out, 1, 1};
    size_t first, last;

    rnn_vector_part(p->n_hid, part, n_parts, &first, &last);
    for (size_t i = 0; first < last && i < (p->has_bias ? 4u : 2u); i++)
        visit_rows(p, offset[i], widths[i], first, last, v);
    if (!p->has_projection)
        return;
    rnn_vector_part(p->n_out, part, n_parts, &first, &last);
    if (first < last)
        v->function(v->context, offset[MAX_TENSORS - 1] + first * p->n_hid,
                    (last - first) * p->n_hid);
}

static void visit(const void *self, size_t part, size_t n_parts, rnn_stretch_function function,
                  void *context)
{
    const plan *p = self;
    const visitor v = {function, context};

    for (size_t d = 0; d < p->n_directions; d++)
        visit_direction(p, p->offset[d], part, n_parts, &v);
}

/* -- Worker ---------------------------------------------------------------------------------- */

static void worker_destroy(void *self)
{
    worker *w = self;

    for (size_t d = 0; d < MAX_DIRECTIONS; d++)
        rnn_recurrent_task_destroy(&w->task[d]);
    rnn_buffer_release(&w->dx_reverse);
    rnn_buffer_release(&w->h0);
    rnn_buffer_release(&w->c0);
    rnn_free(w);
}

static rnn_status worker_create(void **out, const void *self)
{
    const plan *p = self;
    rnn_status st = RNN_OK;
    worker *w;

    RNN_TRY(RNN_ALLOC(&w, 1, "a recurrent worker"));
    w->plan = p;
    for (size_t d = 0; d < p->n_directions && st == RNN_OK; d++)
        st = rnn_recurrent_task_create(&w->task[d], p->kernel[d]);
    if (st == RNN_OK)
        *out = w;
    else
        worker_destroy(w);
    return st;
}

static rnn_status grow(rnn_buffer *b, size_t rows, size_t width)
{
    return rnn_buffer_reserve_floats(b, rows, width, "a recurrent layer's slice");
}

static rnn_status worker_reserve(void *self, size_t seq_len, size_t rows)
{
    worker *w = self;
    size_t positions;

    RNN_TRY(rnn_size_multiply(&positions, seq_len, rows, "a recurrent layer's slice"));
    for (size_t d = 0; d < w->plan->n_directions; d++)
        RNN_TRY(rnn_recurrent_task_reserve(w->task[d], seq_len, rows));
    return w->plan->n_directions > 1 ? grow(&w->dx_reverse, positions, w->plan->n_in) : RNN_OK;
}

/* An initial state: what the caller gave for this direction, else the layer's constant. */
static rnn_status initial_state(const float *given, float constant, rnn_buffer *own, size_t rows,
                                size_t width, const float **state)
{
    float *values;

    *state = given;
    if (given != NULL || constant == 0.0f) /* the kernel's own default */
        return RNN_OK;
    RNN_TRY(grow(own, rows, width));
    values = own->bytes;
    for (size_t i = 0; i < rows * width; i++)
        values[i] = constant;
    *state = values;
    return RNN_OK;
}

/* The part of direction d in an array of [L*D][rows][width]. */
static float *part_of(const plan *p, const float *states, size_t d, size_t rows, size_t width)
{
    return states != NULL ? (float *)(uintptr_t)states + (p->first_state + d) * rows * width : NULL;
}

static rnn_layer_states states_of(const plan *p, const rnn_slice *slice)
{
    return slice->states != NULL ? slice->states[p->layer] : (rnn_layer_states){.h0 = NULL};
}

static rnn_status forward_direction(worker *w, const rnn_slice *slice, size_t d, const float *x,
                                    float *y)
{
    const plan *p = w->plan;
    const rnn_layer_states all = states_of(p, slice);
    size_t rows = slice->rows;
    const rnn_recurrent_slice kernel_slice = {.seq_len = slice->seq_len,
                                              .rows = rows,
                                              .length = slice->is_ragged ? slice->length : NULL,
                                              .y_pitch = p->n_directions * p->n_out};
    rnn_recurrent_states own = {.h_n = part_of(p, all.h_n, d, rows, p->n_out)};

    RNN_TRY(initial_state(part_of(p, all.h0, d, rows, p->n_out), p->h0, &w->h0, rows, p->n_out,
                          &own.h0));
    if (p->is_lstm) {
        RNN_TRY(initial_state(part_of(p, all.c0, d, rows, p->n_hid), p->c0, &w->c0, rows, p->n_hid,
                              &own.c0));
        own.c_n = part_of(p, all.c_n, d, rows, p->n_hid);
    }
    return rnn_recurrent_forward(w->task[d], &kernel_slice, x, &own, y + d * p->n_out);
}

static rnn_status forward(void *self, const rnn_slice *slice, const float *x, float *y)
{
    worker *w = self;

    for (size_t d = 0; d < w->plan->n_directions; d++)
        RNN_TRY(forward_direction(w, slice, d, x, y));
    return RNN_OK;
}

static rnn_status backward(void *self, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed)
{
    worker *w = self;
    const plan *p = w->plan;
    const rnn_layer_states all = states_of(p, slice);
    size_t rows = slice->rows, n_dx = rnn_slice_positions(slice) * p->n_in;

    for (size_t d = 0; d < p->n_directions; d++) {
        const rnn_recurrent_state_grads own = {.dh_n = part_of(p, all.dh_n, d, rows, p->n_out),
                                               .dc_n = part_of(p, all.dc_n, d, rows, p->n_hid),
                                               .dh0 = part_of(p, all.dh0, d, rows, p->n_out),
                                               .dc0 = part_of(p, all.dc0, d, rows, p->n_hid)};
        float *own_dx = dx;

        if (d > 0 && dx != NULL) {
            RNN_TRY(grow(&w->dx_reverse, rnn_slice_positions(slice), p->n_in));
            own_dx = w->dx_reverse.bytes;
        }
        RNN_TRY(rnn_recurrent_backward(w->task[d], dy + d * p->n_out, &own, own_dx,
                                       packed + d * rnn_recurrent_grad_size(p->kernel[d])));
        if (own_dx != dx)
            rnn_vector_add(dx, own_dx, n_dx);
    }
    return RNN_OK;
}

const rnn_stage_class rnn_stage_recurrent = {.plan_create = plan_create,
                                             .plan_destroy = plan_destroy,
                                             .grad_size = grad_size,
                                             .pack = pack,
                                             .unpack = unpack,
                                             .visit = visit,
                                             .worker_create = worker_create,
                                             .worker_destroy = worker_destroy,
                                             .worker_reserve = worker_reserve,
                                             .forward = forward,
                                             .backward = backward};
