#include "framework/carry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernels/memory.h"
#include "kernels/vector.h"

enum { BEFORE, AFTER, N_SIDES };

/* One kind of state of one layer: [n_own_shards][n_sublayers][rows][width] on each side. */
typedef struct state {
    size_t layer, n_sublayers, width;
    float constant;
    bool is_cell;
    float *values[N_SIDES];
} state;

struct rnn_carry {
    rnn_carry_cfg cfg;
    state *states;
    rnn_carry_array *arrays; /* [n_states] */
    size_t n_states, size;
    rnn_layer_states *views; /* [n_own_shards][n_layers] */
};

static size_t shard_size(const rnn_carry *c, const state *s)
{
    return s->n_sublayers * c->cfg.rows * s->width;
}

/* -- Creation ---------------------------------------------------------------------------------- */

static rnn_status add_state(rnn_carry *c, size_t layer, bool is_cell, size_t width)
{
    const rnn_layer_cfg *cfg = rnn_model_layer(c->cfg.model, layer);
    state *s = &c->states[c->n_states];
    rnn_carry_array *a = &c->arrays[c->n_states];
    size_t count;

    c->n_states++;
    *s = (state){.layer = layer,
                 .n_sublayers = (size_t)cfg->num_layers,
                 .width = width,
                 .constant = (float)(is_cell ? cfg->c0 : cfg->h0),
                 .is_cell = is_cell};
    *a = (rnn_carry_array){.name = is_cell ? "c" : "h",
                           .shape = {s->n_sublayers, c->cfg.rows * c->cfg.n_shards, width},
                           .offset = c->size};
    snprintf(a->group, sizeof a->group, "%zu_%s", layer, rnn_layer_type_name(cfg->type));
    c->size += a->shape[0] * a->shape[1] * a->shape[2];
    RNN_TRY(rnn_size_multiply(&count, shard_size(c, s), c->cfg.n_own_shards, "carried states"));
    RNN_TRY(RNN_ALLOC(&s->values[BEFORE], count, "carried states"));
    return RNN_ALLOC(&s->values[AFTER], count, "carried states");
}

static rnn_status add_layer(rnn_carry *c, size_t layer)
{
    const rnn_layer_cfg *cfg = rnn_model_layer(c->cfg.model, layer);
    size_t n_hid = (size_t)cfg->hidden_size;

    if (!rnn_layer_is_recurrent(cfg->type))
        return RNN_OK;
    if (cfg->bidirectional)
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (%s): train.carry_state needs layers that go from the first "
                        "step to the last only, found bidirectional = true",
                        layer, rnn_layer_type_name(cfg->type));
    RNN_TRY(add_state(c, layer, false, cfg->proj_size > 0 ? (size_t)cfg->proj_size : n_hid));
    return rnn_layer_cell(cfg) == RNN_CELL_LSTM ? add_state(c, layer, true, n_hid) : RNN_OK;
}

static rnn_status create_arrays(rnn_carry *c)
{
    size_t n_layers = rnn_model_n_layers(c->cfg.model);

    RNN_TRY(RNN_ALLOC(&c->states, 2 * n_layers, "carried states"));
    RNN_TRY(RNN_ALLOC(&c->arrays, 2 * n_layers, "carried states"));
    RNN_TRY(RNN_ALLOC(&c->views, n_layers * c->cfg.n_own_shards, "carried states"));
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY(add_layer(c, i));
    return RNN_OK;
}

rnn_status rnn_carry_create(rnn_carry **out, const rnn_carry_cfg *cfg)
{
    rnn_carry *c;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&c, 1, "carried states"));
    c->cfg = *cfg;
    st = create_arrays(c);
    if (st == RNN_OK) {
        rnn_carry_reset(c);
        *out = c;
    } else {
        rnn_carry_destroy(&c);
    }
    return st;
}

void rnn_carry_destroy(rnn_carry **carry)
{
    rnn_carry *c = *carry;

    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_states; i++) {
        rnn_free(c->states[i].values[BEFORE]);
        rnn_free(c->states[i].values[AFTER]);
    }
    rnn_free(c->states);
    rnn_free(c->arrays);
    rnn_free(c->views);
    rnn_free(c);
    *carry = NULL;
}

/* -- From batch to batch ----------------------------------------------------------------------- */

void rnn_carry_reset(rnn_carry *carry)
{
    for (size_t i = 0; i < carry->n_states; i++) {
        const state *s = &carry->states[i];
        size_t count = shard_size(carry, s) * carry->cfg.n_own_shards;

        for (size_t k = 0; k < count; k++)
            s->values[AFTER][k] = s->constant;
    }
}

/* Where a sublayer's state of a row is; rows are counted over this rank's shards. */
static float *state_of_row(const rnn_carry *c, const state *s, size_t row, size_t sublayer)
{
    size_t shard = row / c->cfg.rows;

    return s->values[AFTER] + shard * shard_size(c, s) +
           (sublayer * c->cfg.rows + row % c->cfg.rows) * s->width;
}

static bool is_row_finite(const rnn_carry *c, size_t row)
{
    for (size_t i = 0; i < c->n_states; i++) {
        const state *s = &c->states[i];

        for (size_t k = 0; k < s->n_sublayers; k++)
            if (rnn_vector_find_nonfinite(state_of_row(c, s, row, k), s->width) < s->width)
                return false;
    }
    return true;
}

static void reset_row(rnn_carry *c, size_t row)
{
    for (size_t i = 0; i < c->n_states; i++) {
        const state *s = &c->states[i];

        for (size_t k = 0; k < s->n_sublayers * s->width; k++)
            state_of_row(c, s, row, k / s->width)[k % s->width] = s->constant;
    }
}

void rnn_carry_mend(rnn_carry *carry)
{
    for (size_t row = 0; row < carry->cfg.n_own_shards * carry->cfg.rows; row++)
        if (!is_row_finite(carry, row))
            reset_row(carry, row);
}

static void set_view(rnn_layer_states *view, const state *s, size_t at)
{
    if (s->is_cell) {
        view->c0 = s->values[BEFORE] + at;
        view->c_n = s->values[AFTER] + at;
    } else {
        view->h0 = s->values[BEFORE] + at;
        view->h_n = s->values[AFTER] + at;
    }
}

void rnn_carry_advance(rnn_carry *carry)
{
    size_t n_layers = rnn_model_n_layers(carry->cfg.model);

    for (size_t i = 0; i < carry->n_states; i++) {
        state *s = &carry->states[i];
        float *left = s->values[AFTER];

        s->values[AFTER] = s->values[BEFORE];
        s->values[BEFORE] = left;
        for (size_t shard = 0; shard < carry->cfg.n_own_shards; shard++)
            set_view(&carry->views[shard * n_layers + s->layer], s, shard * shard_size(carry, s));
    }
}

const rnn_layer_states *rnn_carry_states(const rnn_carry *carry, size_t shard)
{
    return carry->views + shard * rnn_model_n_layers(carry->cfg.model);
}

/* -- In and out -------------------------------------------------------------------------------- */

size_t rnn_carry_n_arrays(const rnn_carry *carry)
{
    return carry->n_states;
}

const rnn_carry_array *rnn_carry_get_array(const rnn_carry *carry, size_t i)
{
    return &carry->arrays[i];
}

size_t rnn_carry_size(const rnn_carry *carry)
{
    return carry->size;
}

/* Where a sublayer's rows of one of this rank's shards are in the array of all. */
static size_t place_in_all(const rnn_carry *c, size_t i, size_t shard, size_t sublayer)
{
    const rnn_carry_array *a = &c->arrays[i];
    size_t first_row = (c->cfg.first_shard + shard) * c->cfg.rows;

    return a->offset + (sublayer * a->shape[1] + first_row) * a->shape[2];
}

void rnn_carry_save(const rnn_carry *carry, double *values)
{
    for (size_t i = 0; i < carry->n_states; i++) {
        const state *s = &carry->states[i];
        const float *from = s->values[AFTER];
        size_t count = carry->cfg.rows * s->width;

        for (size_t shard = 0; shard < carry->cfg.n_own_shards; shard++)
            for (size_t sublayer = 0; sublayer < s->n_sublayers; sublayer++, from += count)
                for (size_t k = 0; k < count; k++)
                    values[place_in_all(carry, i, shard, sublayer) + k] = (double)from[k];
    }
}

void rnn_carry_load(rnn_carry *carry, const float *values)
{
    for (size_t i = 0; i < carry->n_states; i++) {
        const state *s = &carry->states[i];
        float *to = s->values[AFTER];
        size_t count = carry->cfg.rows * s->width;

        for (size_t shard = 0; shard < carry->cfg.n_own_shards; shard++)
            for (size_t sublayer = 0; sublayer < s->n_sublayers; sublayer++, to += count)
                memcpy(to, values + place_in_all(carry, i, shard, sublayer), count * sizeof *to);
    }
}
