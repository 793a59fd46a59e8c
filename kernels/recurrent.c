/* The shared part of a recurrent layer: its parameters in the library's layouts. */
#include "kernels/recurrent_parts.h"

#include <string.h>

#include "kernels/memory.h"
#include "kernels/transpose.h"
#include "kernels/vector.h"

enum { MAX_GATES = 4, ALIGN_FLOATS = 16 };

/* The library's gate block that holds torch's gate g: the same, but r and z swapped for gru. */
static const size_t gate_place[][MAX_GATES] = {
    [RNN_CELL_TANH] = {0},
    [RNN_CELL_RELU] = {0},
    [RNN_CELL_LSTM] = {0, 1, 2, 3},
    [RNN_CELL_GRU] = {1, 0, 2},
};

/* -- Shared part ----------------------------------------------------------------------------- */

static size_t align_floats(size_t count)
{
    return (count + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static size_t floats_of(const rnn_onednn_pair *pair, rnn_onednn_arg arg)
{
    return rnn_onednn_pair_bytes(pair, arg) / sizeof(float);
}

static bool is_torch_as_good(rnn_cell cell, const rnn_packed_weights *w)
{
    return w->backward_pitch == w->n_columns && cell != RNN_CELL_GRU;
}

/* `rows` is the number of torch's rows: the columns of the library's forward layout. */
static rnn_status create_weights(rnn_recurrent *r, rnn_packed_weights *w,
                                 const rnn_onednn_pair *pair, size_t rows, size_t columns,
                                 const rnn_onednn_arg args[3])
{
    w->n_columns = columns;
    w->forward_pitch = rnn_onednn_pair_pitch(pair, args[0]);
    w->backward_pitch = rnn_onednn_pair_pitch(pair, args[1]);
    w->grad_pitch = rnn_onednn_pair_pitch(pair, args[2]);
    w->grad_offset = r->grad_size;
    /* Rows are padded, so the whole last row is counted in. */
    r->grad_size += align_floats(columns * w->grad_pitch);
    RNN_TRY(RNN_ALLOC(&w->forward, columns * w->forward_pitch, "packed weights"));
    if (is_torch_as_good(r->cfg.cell, w))
        return RNN_OK;
    return RNN_ALLOC(&w->backward, rows * w->backward_pitch, "packed weights");
}

const rnn_onednn_arg rnn_recurrent_weight_args[3][3] = {
    {RNN_ARG_WEIGHTS_LAYER, RNN_ARG_BWD_WEIGHTS_LAYER, RNN_ARG_DIFF_WEIGHTS_LAYER},
    {RNN_ARG_WEIGHTS_ITER, RNN_ARG_BWD_WEIGHTS_ITER, RNN_ARG_DIFF_WEIGHTS_ITER},
    {RNN_ARG_WEIGHTS_PROJECTION, RNN_ARG_BWD_WEIGHTS_PROJECTION, RNN_ARG_DIFF_WEIGHTS_PROJECTION}};

/* The layouts do not depend on steps and rows, so the smallest shape tells them. */
static rnn_status create_shared(rnn_recurrent *r, const rnn_onednn_pair *pair)
{
    size_t n_hid = r->cfg.n_hid, n_out = rnn_recurrent_n_out(&r->cfg);
    size_t rows = rnn_cell_gates(r->cfg.cell) * n_hid;

    RNN_TRY(create_weights(r, &r->ih, pair, rows, r->cfg.n_in, rnn_recurrent_weight_args[0]));
    RNN_TRY(create_weights(r, &r->hh, pair, rows, n_out, rnn_recurrent_weight_args[1]));
    if (r->cfg.n_proj > 0)
        RNN_TRY(create_weights(r, &r->hr, pair, n_out, n_hid, rnn_recurrent_weight_args[2]));
    r->grad_bias_offset = r->grad_size;
    r->grad_size += align_floats(floats_of(pair, RNN_ARG_DIFF_BIAS));
    return RNN_ALLOC(&r->bias, floats_of(pair, RNN_ARG_BIAS), "packed biases");
}

rnn_onednn_shape rnn_recurrent_shape(const rnn_recurrent_cfg *cfg, size_t seq_len, size_t rows)
{
    return (rnn_onednn_shape){.cell = cfg->cell,
                              .seq_len = seq_len,
                              .rows = rows,
                              .n_in = cfg->n_in,
                              .n_hid = cfg->n_hid,
                              .n_proj = cfg->n_proj};
}

rnn_status rnn_recurrent_create(rnn_recurrent **out, const rnn_recurrent_cfg *cfg)
{
    const rnn_onednn_shape smallest = rnn_recurrent_shape(cfg, 1, 1);
    rnn_onednn_pair *pair = NULL;
    rnn_recurrent *r;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&r, 1, "a recurrent layer"));
    r->cfg = *cfg;
    st = rnn_onednn_pair_create(&pair, &smallest);
    if (st == RNN_OK)
        st = create_shared(r, pair);
    rnn_onednn_pair_destroy(&pair);
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
    rnn_free(r->ih.forward);
    rnn_free(r->ih.backward);
    rnn_free(r->hh.forward);
    rnn_free(r->hh.backward);
    rnn_free(r->hr.forward);
    rnn_free(r->hr.backward);
    rnn_free(r->bias);
    rnn_free(r);
    *recurrent = NULL;
}

size_t rnn_recurrent_n_out(const rnn_recurrent_cfg *cfg)
{
    return cfg->n_proj > 0 ? cfg->n_proj : cfg->n_hid;
}

size_t rnn_recurrent_grad_size(const rnn_recurrent *recurrent)
{
    return recurrent->grad_size;
}

/* -- Layouts --------------------------------------------------------------------------------- */

/* columns[i][o] = rows[o][i] for o in [first, last). */
static void transpose_to_columns(float *columns, size_t column_pitch, const float *rows,
                                 size_t n_columns, size_t first, size_t last)
{
    rnn_transpose(columns + first, column_pitch, rows + first * n_columns, n_columns, last - first,
                  n_columns);
}

/* rows[o][i] = columns[i][o]: the way back. */
static void transpose_to_rows(float *rows, size_t n_columns, const float *columns,
                              size_t column_pitch, size_t first, size_t last)
{
    rnn_transpose(rows + first * n_columns, n_columns, columns + first, column_pitch, n_columns,
                  last - first);
}

/* Rows [first, last) of a gate for the backward pass, where its gate begins with `row`. */
static void copy_rows(rnn_packed_weights *w, size_t row, const float *gate, size_t first,
                      size_t last)
{
    if (w->backward == NULL)
        return;
    for (size_t o = first; o < last; o++)
        memcpy(w->backward + (row + o) * w->backward_pitch, gate + o * w->n_columns,
               w->n_columns * sizeof(float));
}

static void pack_weights(const rnn_recurrent *r, rnn_packed_weights *w, const float *torch,
                         size_t first, size_t last)
{
    size_t n_hid = r->cfg.n_hid;

    for (size_t g = 0; g < rnn_cell_gates(r->cfg.cell); g++) {
        size_t place = gate_place[r->cfg.cell][g];
        const float *gate = torch + g * n_hid * w->n_columns;

        transpose_to_columns(w->forward + place * n_hid, w->forward_pitch, gate, w->n_columns,
                             first, last);
        copy_rows(w, place * n_hid, gate, first, last);
    }
}

/* weight_hr has no gates: rows are outputs, columns units. */
static void pack_projection(rnn_recurrent *r, const float *torch, size_t first, size_t last)
{
    rnn_packed_weights *w = &r->hr;

    transpose_to_columns(w->forward, w->forward_pitch, torch, w->n_columns, first, last);
    copy_rows(w, 0, torch, first, last);
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

    if (part == 0) {
        recurrent->ih.torch = params->weight_ih;
        recurrent->hh.torch = params->weight_hh;
        recurrent->hr.torch = params->weight_hr;
    }
    rnn_vector_part(recurrent->cfg.n_hid, part, n_parts, &first, &last);
    pack_weights(recurrent, &recurrent->ih, params->weight_ih, first, last);
    pack_weights(recurrent, &recurrent->hh, params->weight_hh, first, last);
    if (params->bias_ih != NULL) /* otherwise the biases stay the zeros they were made as */
        pack_bias(recurrent, params->bias_ih, params->bias_hh, first, last);
    if (recurrent->cfg.n_proj == 0)
        return;
    rnn_vector_part(recurrent->cfg.n_proj, part, n_parts, &first, &last);
    pack_projection(recurrent, params->weight_hr, first, last);
}

static void unpack_weights(const rnn_recurrent *r, const rnn_packed_weights *w, const float *packed,
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

    rnn_vector_part(recurrent->cfg.n_hid, part, n_parts, &first, &last);
    if (first < last) {
        unpack_weights(recurrent, &recurrent->ih, packed, grads->weight_ih, first, last);
        unpack_weights(recurrent, &recurrent->hh, packed, grads->weight_hh, first, last);
        if (grads->bias_ih != NULL)
            unpack_bias(recurrent, packed, grads->bias_ih, grads->bias_hh, first, last);
    }
    if (recurrent->cfg.n_proj == 0)
        return;
    rnn_vector_part(recurrent->cfg.n_proj, part, n_parts, &first, &last);
    transpose_to_rows(grads->weight_hr, recurrent->hr.n_columns, packed + recurrent->hr.grad_offset,
                      recurrent->hr.grad_pitch, first, last);
}

/* -- For the sources that run the primitives -----------------------------------------------------
 */

rnn_status rnn_recurrent_check_pitches(const rnn_recurrent *recurrent, const rnn_onednn_pair *pair)
{
    const rnn_recurrent *r = recurrent;
    const rnn_packed_weights *weights[] = {&r->ih, &r->hh, &r->hr};

    for (int i = 0; i < (r->cfg.n_proj > 0 ? 3 : 2); i++) {
        const rnn_onednn_arg *args = rnn_recurrent_weight_args[i];

        if (rnn_onednn_pair_pitch(pair, args[0]) != weights[i]->forward_pitch ||
            rnn_onednn_pair_pitch(pair, args[1]) != weights[i]->backward_pitch ||
            rnn_onednn_pair_pitch(pair, args[2]) != weights[i]->grad_pitch)
            return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                            "%s chooses the layout of weights by the number of steps or rows",
                            rnn_onednn_version());
    }
    return RNN_OK;
}

void rnn_recurrent_bind_weights(const rnn_recurrent *recurrent, rnn_onednn_call *call)
{
    const rnn_recurrent *r = recurrent;
    const rnn_packed_weights *const weights[] = {&r->ih, &r->hh, &r->hr};

    for (int i = 0; i < (r->cfg.n_proj > 0 ? 3 : 2); i++) {
        const rnn_packed_weights *w = weights[i];

        rnn_onednn_call_bind(call, rnn_recurrent_weight_args[i][0], w->forward);
        rnn_onednn_call_bind(call, rnn_recurrent_weight_args[i][1],
                             w->backward != NULL ? w->backward : w->torch);
    }
    rnn_onednn_call_bind(call, RNN_ARG_BIAS, r->bias);
}

void rnn_recurrent_bind_grads(const rnn_recurrent *recurrent, rnn_onednn_call *call, float *packed)
{
    const rnn_recurrent *r = recurrent;
    const rnn_packed_weights *weights[] = {&r->ih, &r->hh, &r->hr};

    for (int i = 0; i < (r->cfg.n_proj > 0 ? 3 : 2); i++)
        rnn_onednn_call_bind(call, rnn_recurrent_weight_args[i][2],
                             packed + weights[i]->grad_offset);
    rnn_onednn_call_bind(call, RNN_ARG_DIFF_BIAS, packed + r->grad_bias_offset);
}

const char *rnn_kernel_library(void)
{
    return rnn_onednn_version();
}

const char *rnn_kernel_isa(void)
{
    return rnn_onednn_isa();
}
