#include "kernels/recurrent.h"

#include <string.h>

#include "kernels/memory.h"
#include "kernels/onednn.h"

enum { MAX_GATES = 4, TILE = 8, ALIGN_FLOATS = 16 };

/* The library's gate block that holds torch's gate g: the same, but r and z swapped for gru. */
static const size_t gate_place[][MAX_GATES] = {
    [RNN_CELL_TANH] = {0},
    [RNN_CELL_RELU] = {0},
    [RNN_CELL_LSTM] = {0, 1, 2, 3},
    [RNN_CELL_GRU] = {1, 0, 2},
};

/* A weight matrix in the library's two layouts. */
typedef struct packed_weights {
    float *forward;  /* [n_columns][forward_pitch] */
    float *backward; /* [G*H][backward_pitch] */
    size_t n_columns;
    size_t forward_pitch, backward_pitch, grad_pitch;
    size_t grad_offset; /* of [n_columns][grad_pitch] in the packed gradient */
} packed_weights;

struct rnn_recurrent {
    rnn_recurrent_cfg cfg;
    rnn_onednn_pair *pair;
    packed_weights ih, hh;
    float *bias;             /* [G, gru: 4][H] */
    size_t grad_bias_offset; /* of the same in the packed gradient */
    size_t grad_size;
};

/* -- Shared part ----------------------------------------------------------------------------- */

static size_t align_floats(size_t count)
{
    return (count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static size_t floats_of(const rnn_recurrent *r, rnn_onednn_arg arg)
{
    return rnn_onednn_pair_bytes(r->pair, arg) / sizeof(float);
}

static rnn_status create_weights(rnn_recurrent *r, packed_weights *w, size_t n_columns,
                                 rnn_onednn_arg forward, rnn_onednn_arg backward,
                                 rnn_onednn_arg grad)
{
    w->n_columns = n_columns;
    w->forward_pitch = rnn_onednn_pair_pitch(r->pair, forward);
    w->backward_pitch = rnn_onednn_pair_pitch(r->pair, backward);
    w->grad_pitch = rnn_onednn_pair_pitch(r->pair, grad);
    w->grad_offset = r->grad_size;
    /* Rows are padded, so the whole last row is counted in. */
    r->grad_size += align_floats(n_columns * w->grad_pitch);
    RNN_TRY(RNN_ALLOC(&w->forward, n_columns * w->forward_pitch, "packed weights"));
    return RNN_ALLOC(&w->backward, rnn_cell_gates(r->cfg.cell) * r->cfg.n_hid * w->backward_pitch,
                     "packed weights");
}

static rnn_status create_shared(rnn_recurrent *r)
{
    const rnn_onednn_shape shape = {.cell = r->cfg.cell,
                                    .seq_len = r->cfg.seq_len,
                                    .rows = r->cfg.rows,
                                    .n_in = r->cfg.n_in,
                                    .n_hid = r->cfg.n_hid};

    RNN_TRY(rnn_onednn_pair_create(&r->pair, &shape));
    RNN_TRY(create_weights(r, &r->ih, r->cfg.n_in, RNN_ARG_WEIGHTS_LAYER, RNN_ARG_BWD_WEIGHTS_LAYER,
                           RNN_ARG_DIFF_WEIGHTS_LAYER));
    RNN_TRY(create_weights(r, &r->hh, r->cfg.n_hid, RNN_ARG_WEIGHTS_ITER, RNN_ARG_BWD_WEIGHTS_ITER,
                           RNN_ARG_DIFF_WEIGHTS_ITER));
    r->grad_bias_offset = r->grad_size;
    r->grad_size += align_floats(floats_of(r, RNN_ARG_DIFF_BIAS));
    return RNN_ALLOC(&r->bias, floats_of(r, RNN_ARG_BIAS), "packed biases");
}

rnn_status rnn_recurrent_create(rnn_recurrent **out, const rnn_recurrent_cfg *cfg)
{
    rnn_recurrent *r;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&r, 1, "a recurrent layer"));
    r->cfg = *cfg;
    st = create_shared(r);
    if (st == RNN_OK)
        *out = r;
    else
        rnn_recurrent_destroy(&r);
    return st;
}

void rnn_recurrent_destroy(rnn_recurrent **recurrent)
{
    rnn_recurrent *r = *recurrent;

    if (r == NULL)
        return;
    rnn_onednn_pair_destroy(&r->pair);
    rnn_free(r->ih.forward);
    rnn_free(r->ih.backward);
    rnn_free(r->hh.forward);
    rnn_free(r->hh.backward);
    rnn_free(r->bias);
    rnn_free(r);
    *recurrent = NULL;
}

size_t rnn_recurrent_grad_size(const rnn_recurrent *recurrent)
{
    return recurrent->grad_size;
}

/* -- Layouts --------------------------------------------------------------------------------- */

/* The units of every gate that `part` works on, whole tiles of TILE. */
static void part_range(size_t n_hid, size_t part, size_t n_parts, size_t *first, size_t *last)
{
    size_t tiles = (n_hid + TILE - 1) / TILE;
    size_t end = tiles * (part + 1) / n_parts * TILE;

    *first = tiles * part / n_parts * TILE;
    *last = end < n_hid ? end : n_hid;
}

/* columns[i][o] = rows[o][i] for o in [first, last), tile by tile. */
static void transpose_to_columns(float *columns, size_t column_pitch, const float *rows,
                                 size_t n_columns, size_t first, size_t last)
{
    for (size_t o = first; o < last; o += TILE) {
        size_t n = last - o < TILE ? last - o : TILE;

        for (size_t i = 0; i < n_columns; i++)
            for (size_t k = 0; k < n; k++)
                columns[i * column_pitch + o + k] = rows[(o + k) * n_columns + i];
    }
}

/* rows[o][i] = columns[i][o]: the way back. */
static void transpose_to_rows(float *rows, size_t n_columns, const float *columns,
                              size_t column_pitch, size_t first, size_t last)
{
    for (size_t o = first; o < last; o += TILE) {
        size_t n = last - o < TILE ? last - o : TILE;

        for (size_t i = 0; i < n_columns; i++)
            for (size_t k = 0; k < n; k++)
                rows[(o + k) * n_columns + i] = columns[i * column_pitch + o + k];
    }
}

static void pack_weights(const rnn_recurrent *r, packed_weights *w, const float *torch,
                         size_t first, size_t last)
{
    size_t n_hid = r->cfg.n_hid;

    for (size_t g = 0; g < rnn_cell_gates(r->cfg.cell); g++) {
        size_t place = gate_place[r->cfg.cell][g];
        const float *gate = torch + g * n_hid * w->n_columns;

        transpose_to_columns(w->forward + place * n_hid, w->forward_pitch, gate, w->n_columns,
                             first, last);
        for (size_t o = first; o < last; o++)
            memcpy(w->backward + (place * n_hid + o) * w->backward_pitch, gate + o * w->n_columns,
                   w->n_columns * sizeof(float));
    }
}

/* The library adds one bias per gate; for gru the n gate's two stay apart, r scales only b_hn. */
static void pack_bias(rnn_recurrent *r, const float *bias_ih, const float *bias_hh, size_t first,
                      size_t last)
{
    size_t n_hid = r->cfg.n_hid;

    for (size_t g = 0; g < rnn_cell_gates(r->cfg.cell); g++) {
        float *bias = r->bias + gate_place[r->cfg.cell][g] * n_hid;
        bool apart = r->cfg.cell == RNN_CELL_GRU && g == 2;

        for (size_t o = first; o < last; o++) {
            bias[o] = bias_ih[g * n_hid + o] + (apart ? 0.0f : bias_hh[g * n_hid + o]);
            if (apart)
                bias[n_hid + o] = bias_hh[g * n_hid + o];
        }
    }
}

void rnn_recurrent_pack(rnn_recurrent *recurrent, const rnn_recurrent_params *params, size_t part,
                        size_t n_parts)
{
    size_t first, last;

    part_range(recurrent->cfg.n_hid, part, n_parts, &first, &last);
    pack_weights(recurrent, &recurrent->ih, params->weight_ih, first, last);
    pack_weights(recurrent, &recurrent->hh, params->weight_hh, first, last);
    if (params->bias_ih != NULL) /* otherwise the biases stay the zeros they were made as */
        pack_bias(recurrent, params->bias_ih, params->bias_hh, first, last);
}

static void unpack_weights(const rnn_recurrent *r, const packed_weights *w, const float *packed,
                           float *torch, size_t first, size_t last)
{
    size_t n_hid = r->cfg.n_hid;

    for (size_t g = 0; g < rnn_cell_gates(r->cfg.cell); g++)
        transpose_to_rows(torch + g * n_hid * w->n_columns, w->n_columns,
                          packed + w->grad_offset + gate_place[r->cfg.cell][g] * n_hid,
                          w->grad_pitch, first, last);
}

static void unpack_bias(const rnn_recurrent *r, const float *packed, float *bias_ih, float *bias_hh,
                        size_t first, size_t last)
{
    size_t n_hid = r->cfg.n_hid, n_bytes = (last - first) * sizeof(float);

    for (size_t g = 0; g < rnn_cell_gates(r->cfg.cell); g++) {
        const float *row =
            packed + r->grad_bias_offset + gate_place[r->cfg.cell][g] * n_hid + first;
        bool apart = r->cfg.cell == RNN_CELL_GRU && g == 2;

        memcpy(bias_ih + g * n_hid + first, row, n_bytes);
        memcpy(bias_hh + g * n_hid + first, apart ? row + n_hid : row, n_bytes);
    }
}

void rnn_recurrent_unpack(const rnn_recurrent *recurrent, const float *packed,
                          const rnn_recurrent_grads *grads, size_t part, size_t n_parts)
{
    size_t first, last;

    part_range(recurrent->cfg.n_hid, part, n_parts, &first, &last);
    if (first >= last)
        return;
    unpack_weights(recurrent, &recurrent->ih, packed, grads->weight_ih, first, last);
    unpack_weights(recurrent, &recurrent->hh, packed, grads->weight_hh, first, last);
    if (grads->bias_ih != NULL)
        unpack_bias(recurrent, packed, grads->bias_ih, grads->bias_hh, first, last);
}

/* -- One thread's part ----------------------------------------------------------------------- */

struct rnn_recurrent_task {
    const rnn_recurrent *shared;
    rnn_onednn_call *call;
    float *zero_state; /* [N][H], stays zero */
    /* Memory behind the arguments that belong to the task; NULL for the others. */
    void *own[RNN_ARG_COUNT];
};

/*
 * States are always passed: without a src_iter the library's backward pairs each step's gates with
 * the wrong hidden state in the gradient of weight_hh.
 */
static const rnn_onednn_arg own_args[] = {
    RNN_ARG_WORKSPACE,      RNN_ARG_SCRATCHPAD,    RNN_ARG_DST_ITER,       RNN_ARG_DST_ITER_C,
    RNN_ARG_DIFF_SRC_LAYER, RNN_ARG_DIFF_SRC_ITER, RNN_ARG_DIFF_SRC_ITER_C};

static rnn_status prepare_task(rnn_recurrent_task *task)
{
    const rnn_recurrent *r = task->shared;

    RNN_TRY(rnn_onednn_call_create(&task->call, r->pair));
    for (size_t i = 0; i < sizeof own_args / sizeof own_args[0]; i++) {
        size_t bytes = rnn_onednn_pair_bytes(r->pair, own_args[i]);
        char *memory;

        if (bytes == 0)
            continue;
        RNN_TRY(RNN_ALLOC(&memory, bytes, "a recurrent layer's workspace"));
        task->own[own_args[i]] = memory;
        rnn_onednn_call_bind(task->call, own_args[i], memory);
    }
    RNN_TRY(RNN_ALLOC(&task->zero_state, r->cfg.rows * r->cfg.n_hid, "initial states"));
    rnn_onednn_call_bind(task->call, RNN_ARG_WEIGHTS_LAYER, r->ih.forward);
    rnn_onednn_call_bind(task->call, RNN_ARG_WEIGHTS_ITER, r->hh.forward);
    rnn_onednn_call_bind(task->call, RNN_ARG_BWD_WEIGHTS_LAYER, r->ih.backward);
    rnn_onednn_call_bind(task->call, RNN_ARG_BWD_WEIGHTS_ITER, r->hh.backward);
    rnn_onednn_call_bind(task->call, RNN_ARG_BIAS, r->bias);
    return RNN_OK;
}

rnn_status rnn_recurrent_task_create(rnn_recurrent_task **out, const rnn_recurrent *recurrent)
{
    rnn_recurrent_task *task;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&task, 1, "a recurrent task"));
    task->shared = recurrent;
    st = prepare_task(task);
    if (st == RNN_OK)
        *out = task;
    else
        rnn_recurrent_task_destroy(&task);
    return st;
}

void rnn_recurrent_task_destroy(rnn_recurrent_task **task)
{
    if (*task == NULL)
        return;
    rnn_onednn_call_destroy(&(*task)->call);
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        rnn_free((*task)->own[i]);
    rnn_free((*task)->zero_state);
    rnn_free(*task);
    *task = NULL;
}

static const float *or_zero(const rnn_recurrent_task *task, const float *state)
{
    return state != NULL ? state : task->zero_state;
}

rnn_status rnn_recurrent_forward(rnn_recurrent_task *task, const float *x, const float *h0,
                                 const float *c0, float *y)
{
    rnn_onednn_call_bind(task->call, RNN_ARG_SRC_LAYER, x);
    rnn_onednn_call_bind(task->call, RNN_ARG_SRC_ITER, or_zero(task, h0));
    rnn_onednn_call_bind(task->call, RNN_ARG_SRC_ITER_C, or_zero(task, c0));
    rnn_onednn_call_bind(task->call, RNN_ARG_DST_LAYER, y);
    return rnn_onednn_forward(task->call);
}

rnn_status rnn_recurrent_backward(rnn_recurrent_task *task, const float *dy, const float *dh_n,
                                  const float *dc_n, float *dx, float *packed)
{
    const rnn_recurrent *r = task->shared;

    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_DST_LAYER, dy);
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_DST_ITER, or_zero(task, dh_n));
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_DST_ITER_C, or_zero(task, dc_n));
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_SRC_LAYER,
                         dx != NULL ? dx : task->own[RNN_ARG_DIFF_SRC_LAYER]);
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_WEIGHTS_LAYER, packed + r->ih.grad_offset);
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_WEIGHTS_ITER, packed + r->hh.grad_offset);
    rnn_onednn_call_bind(task->call, RNN_ARG_DIFF_BIAS, packed + r->grad_bias_offset);
    return rnn_onednn_backward(task->call);
}

const float *rnn_recurrent_h_n(const rnn_recurrent_task *task)
{
    return task->own[RNN_ARG_DST_ITER];
}

const float *rnn_recurrent_c_n(const rnn_recurrent_task *task)
{
    return task->own[RNN_ARG_DST_ITER_C];
}

const float *rnn_recurrent_dh0(const rnn_recurrent_task *task)
{
    return task->own[RNN_ARG_DIFF_SRC_ITER];
}

const float *rnn_recurrent_dc0(const rnn_recurrent_task *task)
{
    return task->own[RNN_ARG_DIFF_SRC_ITER_C];
}

const char *rnn_kernel_library(void)
{
    return rnn_onednn_version();
}

const char *rnn_kernel_isa(void)
{
    return rnn_onednn_isa();
}
