#include "kernels/recurrent_step.h"

#include <string.h>

#include "kernels/memory.h"
#include "kernels/recurrent_parts.h"

enum { X, H, C, Y, H_NEXT, C_NEXT, WORKSPACE, N_KEPT }; /* y is h_next again */
enum { DH_NEXT, DC_NEXT, DX, DH, DC, ZERO, SCRATCHPAD, N_PASSING };

/* A step's arrays, in use until it has been gone back over. */
typedef struct step {
    size_t rows;
    rnn_buffer kept[N_KEPT];
} step;

struct rnn_recurrent_steps {
    const rnn_recurrent *shared;
    size_t n_out;
    size_t rows; /* that the primitives are for */
    rnn_onednn_pair *pair;
    rnn_onednn_call *call;
    step *steps; /* [room]; the one at `count` is that of a step that is not kept */
    size_t count, room;
    rnn_buffer passing[N_PASSING];
};

/* -- Memory ---------------------------------------------------------------------------------- */

rnn_status rnn_recurrent_steps_create(rnn_recurrent_steps **out, const rnn_recurrent *recurrent)
{
    RNN_TRY(RNN_ALLOC(out, 1, "a recurrent layer's steps"));
    (*out)->shared = recurrent;
    (*out)->n_out = rnn_recurrent_n_out(&recurrent->cfg);
    return RNN_OK;
}

static void forget_primitives(rnn_recurrent_steps *s)
{
    rnn_onednn_call_destroy(&s->call);
    rnn_onednn_pair_destroy(&s->pair);
    s->rows = 0;
}

void rnn_recurrent_steps_destroy(rnn_recurrent_steps **steps)
{
    rnn_recurrent_steps *s = *steps;

    if (s == NULL)
        return;
    forget_primitives(s);
    for (size_t i = 0; i < s->room; i++)
        for (size_t k = 0; k < N_KEPT; k++)
            rnn_buffer_release(&s->steps[i].kept[k]);
    for (size_t k = 0; k < N_PASSING; k++)
        rnn_buffer_release(&s->passing[k]);
    rnn_free(s->steps);
    rnn_free(s);
    *steps = NULL;
}

size_t rnn_recurrent_steps_count(const rnn_recurrent_steps *steps)
{
    return steps->count;
}

void rnn_recurrent_steps_clear(rnn_recurrent_steps *steps)
{
    steps->count = 0;
}

size_t rnn_recurrent_step_rows(const rnn_recurrent_steps *steps)
{
    return steps->steps[steps->count - 1].rows;
}

static rnn_status grow(rnn_buffer *b, size_t n_bytes)
{
    return rnn_buffer_reserve(b, n_bytes, "a recurrent layer's step");
}

/* Steps behind the last one have buffers from before, which move along. */
static rnn_status make_room(rnn_recurrent_steps *s)
{
    return RNN_GROW(&s->steps, &s->room, s->room, s->count + 1, "a recurrent layer's steps");
}

/* Bytes of an array of a step, by the primitives' own reckoning. */
static rnn_status grow_kept(const rnn_recurrent_steps *s, step *current)
{
    static const rnn_onednn_arg args[N_KEPT] = {
        [X] = RNN_ARG_SRC_LAYER,         [H] = RNN_ARG_SRC_ITER,      [C] = RNN_ARG_SRC_ITER_C,
        [Y] = RNN_ARG_DST_LAYER,         [H_NEXT] = RNN_ARG_DST_ITER, [C_NEXT] = RNN_ARG_DST_ITER_C,
        [WORKSPACE] = RNN_ARG_WORKSPACE,
    };

    for (size_t k = 0; k < N_KEPT; k++)
        RNN_TRY(grow(&current->kept[k], rnn_onednn_pair_bytes(s->pair, args[k])));
    return RNN_OK;
}

static rnn_status grow_passing(rnn_recurrent_steps *s)
{
    static const rnn_onednn_arg args[N_PASSING] = {
        [DH_NEXT] = RNN_ARG_DIFF_DST_LAYER, [DC_NEXT] = RNN_ARG_DIFF_DST_ITER_C,
        [DX] = RNN_ARG_DIFF_SRC_LAYER,      [DH] = RNN_ARG_DIFF_SRC_ITER,
        [DC] = RNN_ARG_DIFF_SRC_ITER_C,     [ZERO] = RNN_ARG_DIFF_DST_ITER,
        [SCRATCHPAD] = RNN_ARG_SCRATCHPAD,
    };

    for (size_t k = 0; k < N_PASSING; k++)
        RNN_TRY(grow(&s->passing[k], rnn_onednn_pair_bytes(s->pair, args[k])));
    return RNN_OK;
}

/* -- Primitives ------------------------------------------------------------------------------ */

/* For steps of so many rows; those for another number are given up. */
static rnn_status prepare(rnn_recurrent_steps *s, size_t rows)
{
    const rnn_onednn_shape shape = rnn_recurrent_shape(&s->shared->cfg, 1, rows);

    if (rows == s->rows)
        return RNN_OK;
    forget_primitives(s);
    RNN_TRY(rnn_onednn_pair_create(&s->pair, &shape));
    RNN_TRY(rnn_recurrent_check_pitches(s->shared, s->pair));
    RNN_TRY(rnn_onednn_call_create(&s->call, s->pair));
    RNN_TRY(grow_passing(s));
    s->rows = rows;
    return RNN_OK;
}

static void bind_values(const rnn_recurrent_steps *s, const step *current)
{
    const rnn_buffer *kept = current->kept;

    rnn_recurrent_bind_weights(s->shared, s->call);
    rnn_onednn_call_bind(s->call, RNN_ARG_SRC_LAYER, kept[X].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_SRC_ITER, kept[H].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_SRC_ITER_C, kept[C].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DST_LAYER, kept[Y].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DST_ITER, kept[H_NEXT].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DST_ITER_C, kept[C_NEXT].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_WORKSPACE, kept[WORKSPACE].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_SCRATCHPAD, s->passing[SCRATCHPAD].bytes);
}

/* -- Forward --------------------------------------------------------------------------------- */

static void copy_in(rnn_buffer *to, const float *from, size_t count)
{
    if (count == 0)
        return;
    if (from != NULL)
        memcpy(to->bytes, from, count * sizeof *from);
    else
        memset(to->bytes, 0, count * sizeof *from);
}

static void copy_out(float *to, const rnn_buffer *from, size_t count)
{
    if (to != NULL)
        memcpy(to, from->bytes, count * sizeof *to);
}

/* Values of a cell state, if there is one. */
static size_t n_cell(const rnn_recurrent_steps *s, size_t rows)
{
    return s->shared->cfg.cell == RNN_CELL_LSTM ? rows * s->shared->cfg.n_hid : 0;
}

rnn_status rnn_recurrent_step_forward(rnn_recurrent_steps *steps, size_t rows,
                                      const rnn_recurrent_step_args *args, bool keeps)
{
    rnn_recurrent_steps *s = steps;
    step *current;

    RNN_TRY(make_room(s));
    RNN_TRY(prepare(s, rows));
    current = &s->steps[s->count];
    current->rows = rows;
    RNN_TRY(grow_kept(s, current));
    copy_in(&current->kept[X], args->x, rows * s->shared->cfg.n_in);
    copy_in(&current->kept[H], args->h, rows * s->n_out);
    copy_in(&current->kept[C], args->c, n_cell(s, rows));
    bind_values(s, current);
    RNN_TRY(rnn_onednn_forward(s->call));
    copy_out(args->h_next, &current->kept[H_NEXT], rows * s->n_out);
    copy_out(args->c_next, &current->kept[C_NEXT], n_cell(s, rows));
    if (keeps)
        s->count++;
    return RNN_OK;
}

/* -- Backward -------------------------------------------------------------------------------- */

rnn_status rnn_recurrent_step_backward(rnn_recurrent_steps *steps,
                                       const rnn_recurrent_step_grads *grads, float *packed)
{
    rnn_recurrent_steps *s = steps;
    const step *current = &s->steps[--s->count]; /* its workspace is destroyed in any case */
    size_t rows = current->rows;
    rnn_buffer *passing = s->passing;

    RNN_TRY(prepare(s, rows));
    copy_in(&passing[DH_NEXT], grads->dh_next, rows * s->n_out);
    copy_in(&passing[DC_NEXT], grads->dc_next, n_cell(s, rows));
    bind_values(s, current);
    rnn_recurrent_bind_grads(s->shared, s->call, packed);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_DST_LAYER, passing[DH_NEXT].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_DST_ITER, passing[ZERO].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_DST_ITER_C, passing[DC_NEXT].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_SRC_LAYER, passing[DX].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_SRC_ITER, passing[DH].bytes);
    rnn_onednn_call_bind(s->call, RNN_ARG_DIFF_SRC_ITER_C, passing[DC].bytes);
    RNN_TRY(rnn_onednn_backward(s->call));
    copy_out(grads->dx, &passing[DX], rows * s->shared->cfg.n_in);
    copy_out(grads->dh, &passing[DH], rows * s->n_out);
    copy_out(grads->dc, &passing[DC], n_cell(s, rows));
    return RNN_OK;
}
