/*
 * One thread's part of a recurrent layer: cuts a slice into segments that the primitives can
 * compute, and brings values there and back.
 *
 * The primitives know no lengths. Outputs before a sequence's end do not depend on what follows, so
 * one segment over all steps is exact for y and h_n, and rows that end early only cost time; the
 * reverse direction then works on a gathered copy in which each sequence starts at its own end. c_n
 * is what the primitive gives only for its last step: whoever wants it gets the rows sorted by
 * length and a segment that ends wherever a sequence does.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/memory.h"
#include "kernels/recurrent_parts.h"
#include "kernels/vector.h"

/* Shapes kept ready; about 0.2 MB each. One more, and the one unused for longest goes. */
enum { MAX_SHAPES = 128 };

typedef struct prepared_shape {
    size_t seq_len, rows, y_pitch;
    bool reverse;
    rnn_onednn_pair *pair;
    rnn_onednn_call *call;
    uint64_t last_use;
} prepared_shape;

/* Steps that the same rows take part in: [n_steps][rows]. */
typedef struct segment {
    size_t n_steps, rows;
    size_t first_step;
    size_t first; /* rows of all steps of the segments before: place in the gathered arrays */
    rnn_buffer workspace, h_n, c_n, dh0, dc0;
} segment;

struct rnn_recurrent_task {
    const rnn_recurrent *shared;
    size_t n_out;
    prepared_shape shapes[MAX_SHAPES];
    size_t n_shapes;
    uint64_t n_uses;
    rnn_buffer scratchpad, zero_state, unwanted_dx;
    /* Of the slice in work. */
    rnn_recurrent_slice slice;
    const float *x;
    float *y;
    const float *h0, *c0;
    bool is_gathered, has_c_n;
    segment *segments;
    size_t n_segments, room;
    rnn_buffer order; /* size_t [N]: the row of the slice that is row i of the segments */
    rnn_buffer gathered_x, gathered_y, gathered_dy, gathered_dx, start_h, start_c, end_dh, end_dc;
};

/* -- Memory ---------------------------------------------------------------------------------- */

static rnn_status grow(rnn_buffer *b, size_t n_bytes)
{
    return rnn_buffer_reserve(b, n_bytes, "a recurrent layer's workspace");
}

static rnn_status grow_floats(rnn_buffer *b, size_t rows, size_t columns)
{
    return rnn_buffer_reserve_floats(b, rows, columns, "a recurrent layer's slice");
}

rnn_status rnn_recurrent_task_create(rnn_recurrent_task **out, const rnn_recurrent *recurrent)
{
    RNN_TRY(RNN_ALLOC(out, 1, "a recurrent task"));
    (*out)->shared = recurrent;
    (*out)->n_out = rnn_recurrent_n_out(&recurrent->cfg);
    return RNN_OK;
}

static void forget_shape(prepared_shape *shape)
{
    rnn_onednn_call_destroy(&shape->call);
    rnn_onednn_pair_destroy(&shape->pair);
}

void rnn_recurrent_task_destroy(rnn_recurrent_task **task)
{
    rnn_recurrent_task *t = *task;

    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n_shapes; i++)
        forget_shape(&t->shapes[i]);
    for (size_t i = 0; i < t->room; i++) {
        rnn_buffer *own[] = {&t->segments[i].workspace, &t->segments[i].h_n, &t->segments[i].c_n,
                             &t->segments[i].dh0, &t->segments[i].dc0};

        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
            rnn_buffer_release(own[k]);
    }
    {
        rnn_buffer *own[] = {&t->scratchpad, &t->zero_state, &t->unwanted_dx, &t->order,
                             &t->gathered_x, &t->gathered_y, &t->gathered_dy, &t->gathered_dx,
                             &t->start_h,    &t->start_c,    &t->end_dh,      &t->end_dc};

        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
            rnn_buffer_release(own[k]);
    }
    rnn_free(t->segments);
    rnn_free(t);
    *task = NULL;
}

static rnn_status make_room(rnn_recurrent_task *t)
{
    size_t room = 2 * t->room + 1;
    segment *more;

    RNN_TRY(RNN_ALLOC(&more, room, "a recurrent layer's segments"));
    if (t->room > 0)
        memcpy(more, t->segments, t->room * sizeof *more);
    rnn_free(t->segments);
    t->segments = more;
    t->room = room;
    return RNN_OK;
}

/* -- Primitives ------------------------------------------------------------------------------ */

static rnn_status prepare(const rnn_recurrent_task *t, prepared_shape *shape)
{
    rnn_onednn_shape wanted = rnn_recurrent_shape(&t->shared->cfg, shape->seq_len, shape->rows);

    wanted.reverse = shape->reverse;
    wanted.out_pitch = shape->y_pitch;
    RNN_TRY(rnn_onednn_pair_create(&shape->pair, &wanted));
    RNN_TRY(rnn_recurrent_check_pitches(t->shared, shape->pair));
    return rnn_onednn_call_create(&shape->call, shape->pair);
}

static bool is_same(const prepared_shape *a, const prepared_shape *b)
{
    return a->seq_len == b->seq_len && a->rows == b->rows && a->y_pitch == b->y_pitch &&
           a->reverse == b->reverse;
}

static prepared_shape *find_shape(rnn_recurrent_task *t, const prepared_shape *wanted)
{
    for (size_t i = 0; i < t->n_shapes; i++)
        if (is_same(&t->shapes[i], wanted))
            return &t->shapes[i];
    return NULL;
}

/* The place of the shape unused for longest. */
static prepared_shape *oldest_shape(rnn_recurrent_task *t)
{
    prepared_shape *oldest = &t->shapes[0];

    for (size_t i = 1; i < t->n_shapes; i++)
        if (t->shapes[i].last_use < oldest->last_use)
            oldest = &t->shapes[i];
    return oldest;
}

/* The primitives for [n_steps][rows], lent until the next call. */
static rnn_status get_shape(rnn_recurrent_task *t, size_t n_steps, size_t rows,
                            const prepared_shape **out)
{
    prepared_shape wanted = {.seq_len = n_steps,
                             .rows = rows,
                             .y_pitch = t->is_gathered ? t->n_out : t->slice.y_pitch,
                             .reverse = t->shared->cfg.reverse && !t->is_gathered};
    prepared_shape *place = find_shape(t, &wanted);

    if (place == NULL) {
        rnn_status st = prepare(t, &wanted);

        if (st != RNN_OK) {
            forget_shape(&wanted);
            return st;
        }
        place = t->n_shapes < MAX_SHAPES ? &t->shapes[t->n_shapes++] : oldest_shape(t);
        forget_shape(place);
        *place = wanted;
    }
    place->last_use = ++t->n_uses;
    *out = place;
    return RNN_OK;
}

static rnn_status grow_states(const rnn_recurrent_task *t, size_t rows, rnn_buffer *h,
                              rnn_buffer *c)
{
    RNN_TRY(grow_floats(h, rows, t->n_out));
    return t->shared->cfg.cell == RNN_CELL_LSTM ? grow_floats(c, rows, t->shared->cfg.n_hid)
                                                : RNN_OK;
}

static rnn_status grow_segment(rnn_recurrent_task *t, segment *s, const rnn_onednn_pair *pair)
{
    size_t n_hid = t->shared->cfg.n_hid, widest = n_hid > t->n_out ? n_hid : t->n_out;

    RNN_TRY(grow(&t->scratchpad, rnn_onednn_pair_bytes(pair, RNN_ARG_SCRATCHPAD)));
    RNN_TRY(grow(&s->workspace, rnn_onednn_pair_bytes(pair, RNN_ARG_WORKSPACE)));
    RNN_TRY(grow_floats(&t->zero_state, s->rows, widest));
    RNN_TRY(grow_states(t, s->rows, &s->h_n, &s->c_n));
    return grow_states(t, s->rows, &s->dh0, &s->dc0);
}

rnn_status rnn_recurrent_task_reserve(rnn_recurrent_task *task, size_t seq_len, size_t rows)
{
    rnn_onednn_shape shape = rnn_recurrent_shape(&task->shared->cfg, seq_len, rows);
    rnn_onednn_pair *pair;
    rnn_status st;

    if (task->room == 0)
        RNN_TRY(make_room(task));
    RNN_TRY(rnn_onednn_pair_create(&pair, &shape));
    task->segments[0].rows = rows;
    st = grow_segment(task, &task->segments[0], pair);
    rnn_onednn_pair_destroy(&pair);
    if (st == RNN_OK)
        st = grow_floats(&task->unwanted_dx, seq_len * rows, task->shared->cfg.n_in);
    return st;
}

/* -- Cutting a slice into segments ----------------------------------------------------------- */

static size_t length_of(const rnn_recurrent_task *t, size_t row)
{
    return t->slice.length == NULL ? t->slice.seq_len : (size_t)t->slice.length[row];
}

static rnn_status add_segment(rnn_recurrent_task *t, size_t end, size_t rows)
{
    segment *s;

    if (t->n_segments == t->room)
        RNN_TRY(make_room(t));
    s = &t->segments[t->n_segments];
    s->first = s->first_step = 0;
    if (t->n_segments > 0) {
        s->first_step = s[-1].first_step + s[-1].n_steps;
        s->first = s[-1].first + s[-1].n_steps * s[-1].rows;
    }
    s->n_steps = end - s->first_step;
    s->rows = rows;
    t->n_segments++;
    return RNN_OK;
}

/* Row numbers, longest sequence first, equal ones in order: an insertion sort, few rows move. */
static void sort_by_length(rnn_recurrent_task *t, size_t *order)
{
    for (size_t i = 0; i < t->slice.rows; i++) {
        size_t k = i;

        for (; k > 0 && length_of(t, order[k - 1]) < length_of(t, i); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

static rnn_status cut_at_ends(rnn_recurrent_task *t, const size_t *order)
{
    size_t done = 0;

    for (size_t rows = t->slice.rows; rows > 0; rows--) {
        size_t end = length_of(t, order[rows - 1]);

        if (end > done)
            RNN_TRY(add_segment(t, end, rows));
        done = end > done ? end : done;
    }
    return RNN_OK;
}

static rnn_status plan(rnn_recurrent_task *t, const rnn_recurrent_slice *slice, bool wants_c_n)
{
    bool has_lengths = slice->length != NULL;
    size_t *order;

    t->slice = *slice;
    if (slice->y_pitch == 0)
        t->slice.y_pitch = t->n_out;
    t->has_c_n = wants_c_n;
    t->is_gathered = has_lengths && (wants_c_n || t->shared->cfg.reverse);
    t->n_segments = 0;
    if (t->room == 0)
        RNN_TRY(make_room(t));
    if (!t->is_gathered)
        return add_segment(t, slice->seq_len, slice->rows);
    RNN_TRY(grow(&t->order, slice->rows * sizeof(size_t)));
    order = t->order.bytes;
    if (wants_c_n) {
        sort_by_length(t, order);
        return cut_at_ends(t, order);
    }
    for (size_t i = 0; i < slice->rows; i++)
        order[i] = i;
    return add_segment(t, slice->seq_len, slice->rows);
}

/* -- There and back -------------------------------------------------------------------------- */

/* Where the value of row i of the segments at their step lies in the slice; false past the end. */
static bool find_place(const rnn_recurrent_task *t, size_t i, size_t step, size_t *place)
{
    size_t row = ((const size_t *)t->order.bytes)[i], length = length_of(t, row);

    if (step >= length)
        return false;
    *place = (t->shared->cfg.reverse ? length - 1 - step : step) * t->slice.rows + row;
    return true;
}

/* [T][N][pitch] into the segments' order, zero past the ends. */
static void gather(const rnn_recurrent_task *t, float *into, const float *from, size_t width,
                   size_t pitch)
{
    for (size_t k = 0; k < t->n_segments; k++) {
        const segment *s = &t->segments[k];

        for (size_t j = 0; j < s->n_steps * s->rows; j++) {
            float *to = into + (s->first + j) * width;
            size_t place;

            if (find_place(t, j % s->rows, s->first_step + j / s->rows, &place))
                memcpy(to, from + place * pitch, width * sizeof(float));
            else
                memset(to, 0, width * sizeof(float));
        }
    }
}

/* The way back; what is past the ends stays as it is. */
static void scatter(const rnn_recurrent_task *t, float *into, const float *from, size_t width,
                    size_t pitch)
{
    for (size_t k = 0; k < t->n_segments; k++) {
        const segment *s = &t->segments[k];

        for (size_t j = 0; j < s->n_steps * s->rows; j++) {
            size_t place;

            if (find_place(t, j % s->rows, s->first_step + j / s->rows, &place))
                memcpy(into + place * pitch, from + (s->first + j) * width, width * sizeof(float));
        }
    }
}

static void clear_past_ends(const rnn_recurrent_task *t, float *values, size_t width, size_t pitch)
{
    for (size_t row = 0; row < t->slice.rows; row++)
        for (size_t step = length_of(t, row); step < t->slice.seq_len; step++)
            memset(values + (step * t->slice.rows + row) * pitch, 0, width * sizeof(float));
}

/* Rows of states into the segments' order; zeros if there are none. */
static const float *gather_state(const rnn_recurrent_task *t, rnn_buffer *into, const float *from,
                                 size_t width)
{
    const size_t *order = t->order.bytes;

    if (from == NULL)
        return NULL;
    for (size_t i = 0; i < t->slice.rows; i++)
        memcpy((float *)into->bytes + i * width, from + order[i] * width, width * sizeof(float));
    return into->bytes;
}

/* -- Forward --------------------------------------------------------------------------------- */

static void bind_shared(const rnn_recurrent_task *t, const segment *s, rnn_onednn_call *call)
{
    rnn_recurrent_bind_weights(t->shared, call);
    rnn_onednn_call_bind(call, RNN_ARG_SCRATCHPAD, t->scratchpad.bytes);
    rnn_onednn_call_bind(call, RNN_ARG_WORKSPACE, s->workspace.bytes);
    rnn_onednn_call_bind(call, RNN_ARG_DST_ITER, s->h_n.bytes);
    rnn_onednn_call_bind(call, RNN_ARG_DST_ITER_C, s->c_n.bytes);
}

static const float *or_zero(const rnn_recurrent_task *t, const float *state)
{
    return state != NULL ? state : t->zero_state.bytes;
}

/*
 * What backward reads again. States are always passed: without a src_iter the library's backward
 * pairs each step's gates with the wrong hidden state in the gradient of weight_hh.
 */
static void bind_values(const rnn_recurrent_task *t, const segment *s, rnn_onednn_call *call)
{
    const float *x = t->x, *h0 = t->h0, *c0 = t->c0;
    float *y = t->y;

    if (t->is_gathered) {
        x = (float *)t->gathered_x.bytes + s->first * t->shared->cfg.n_in;
        y = (float *)t->gathered_y.bytes + s->first * t->n_out;
    }
    if (s > t->segments) {
        h0 = s[-1].h_n.bytes;
        c0 = s[-1].c_n.bytes;
    }
    rnn_onednn_call_bind(call, RNN_ARG_SRC_LAYER, x);
    rnn_onednn_call_bind(call, RNN_ARG_DST_LAYER, y);
    rnn_onednn_call_bind(call, RNN_ARG_SRC_ITER, or_zero(t, h0));
    rnn_onednn_call_bind(call, RNN_ARG_SRC_ITER_C, or_zero(t, c0));
}

static rnn_status run_forward(rnn_recurrent_task *t, segment *s)
{
    const prepared_shape *shape;

    RNN_TRY(get_shape(t, s->n_steps, s->rows, &shape));
    RNN_TRY(grow_segment(t, s, shape->pair));
    bind_shared(t, s, shape->call);
    bind_values(t, s, shape->call);
    return rnn_onednn_forward(shape->call);
}

static rnn_status gather_input(rnn_recurrent_task *t, const rnn_recurrent_states *states)
{
    size_t n_rows = t->slice.seq_len * t->slice.rows, n_in = t->shared->cfg.n_in;

    RNN_TRY(grow_floats(&t->gathered_x, n_rows, n_in));
    RNN_TRY(grow_floats(&t->gathered_y, n_rows, t->n_out));
    RNN_TRY(grow_states(t, t->slice.rows, &t->start_h, &t->start_c));
    gather(t, t->gathered_x.bytes, t->x, n_in, n_in);
    t->h0 = gather_state(t, &t->start_h, states->h0, t->n_out);
    t->c0 = gather_state(t, &t->start_c, states->c0, t->shared->cfg.n_hid);
    return RNN_OK;
}

/* The segment in which row i of the segments ends; NULL for a sequence without steps. */
static const segment *last_segment(const rnn_recurrent_task *t, size_t i)
{
    const segment *last = NULL;

    for (size_t k = 0; k < t->n_segments && t->segments[k].rows > i; k++)
        last = &t->segments[k];
    return last;
}

/* One row of a state: from where it lies, or from the initial state, or zero. */
static void copy_row(float *into, const float *from, const float *initial, size_t width)
{
    if (from == NULL)
        from = initial;
    if (from != NULL)
        memcpy(into, from, width * sizeof(float));
    else
        memset(into, 0, width * sizeof(float));
}

/* Final states by the segments that rows end in. */
static void collect_from_segments(const rnn_recurrent_task *t, const rnn_recurrent_states *states)
{
    const size_t *order = t->order.bytes;
    size_t n_out = t->n_out, n_hid = t->shared->cfg.n_hid;

    for (size_t i = 0; i < t->slice.rows; i++) {
        const segment *s = last_segment(t, i);
        const float *h = s != NULL ? (const float *)s->h_n.bytes + i * n_out : NULL;
        const float *c = s != NULL ? (const float *)s->c_n.bytes + i * n_hid : NULL;

        if (states->h_n != NULL)
            copy_row(states->h_n + order[i] * n_out, h, t->h0 != NULL ? t->h0 + i * n_out : NULL,
                     n_out);
        copy_row(states->c_n + order[i] * n_hid, c, t->c0 != NULL ? t->c0 + i * n_hid : NULL,
                 n_hid);
    }
}

/* With lengths, h_n is y at the last step that the direction takes. */
static void collect_from_y(const rnn_recurrent_task *t, const rnn_recurrent_states *states)
{
    size_t n_out = t->n_out, rows = t->slice.rows, pitch = t->slice.y_pitch;

    for (size_t row = 0; row < rows; row++) {
        size_t length = length_of(t, row), last = t->shared->cfg.reverse ? 0 : length - 1;

        copy_row(states->h_n + row * n_out, length > 0 ? t->y + (last * rows + row) * pitch : NULL,
                 states->h0 != NULL ? states->h0 + row * n_out : NULL, n_out);
    }
}

static void collect_states(const rnn_recurrent_task *t, const rnn_recurrent_states *states)
{
    const segment *s = &t->segments[0];

    if (t->is_gathered && t->has_c_n)
        collect_from_segments(t, states);
    else if (t->slice.length != NULL && states->h_n != NULL)
        collect_from_y(t, states);
    if (t->slice.length != NULL)
        return;
    if (states->h_n != NULL)
        memcpy(states->h_n, s->h_n.bytes, s->rows * t->n_out * sizeof(float));
    if (states->c_n != NULL)
        memcpy(states->c_n, s->c_n.bytes, s->rows * t->shared->cfg.n_hid * sizeof(float));
}

rnn_status rnn_recurrent_forward(rnn_recurrent_task *task, const rnn_recurrent_slice *slice,
                                 const float *x, const rnn_recurrent_states *states, float *y)
{
    rnn_recurrent_task *t = task;

    RNN_TRY(plan(t, slice, states->c_n != NULL));
    t->x = x;
    t->y = y;
    t->h0 = states->h0;
    t->c0 = states->c0;
    if (t->is_gathered)
        RNN_TRY(gather_input(t, states));
    for (size_t k = 0; k < t->n_segments; k++)
        RNN_TRY(run_forward(t, &t->segments[k]));
    if (t->is_gathered)
        scatter(t, y, t->gathered_y.bytes, t->n_out, t->slice.y_pitch);
    if (slice->length != NULL)
        clear_past_ends(t, y, t->n_out, t->slice.y_pitch);
    collect_states(t, states);
    return RNN_OK;
}

/* -- Backward -------------------------------------------------------------------------------- */

/* dy with the final states' gradients added where a sequence ends, [T][N][pitch]. */
static void add_to_ends(const rnn_recurrent_task *t, float *dy, const float *dh_n, bool is_reversed,
                        size_t pitch)
{
    size_t n_out = t->n_out, rows = t->slice.rows;

    for (size_t row = 0; row < rows; row++) {
        size_t length = length_of(t, row), last = is_reversed ? 0 : length - 1;

        if (length > 0)
            rnn_vector_add(dy + (last * rows + row) * pitch, dh_n + row * n_out, n_out);
    }
}

/* What the primitives get as dy: dy itself, a copy with dh_n added, or the gathered form. */
static rnn_status prepare_dy(rnn_recurrent_task *t, const float **dy, const float *dh_n)
{
    size_t n_rows = t->slice.seq_len * t->slice.rows, pitch = t->slice.y_pitch;
    float *own;

    if (!t->is_gathered && (t->slice.length == NULL || dh_n == NULL))
        return RNN_OK;
    RNN_TRY(grow_floats(&t->gathered_dy, n_rows, t->is_gathered ? t->n_out : pitch));
    own = t->gathered_dy.bytes;
    if (!t->is_gathered) {
        /* Only C of each row: what lies between them is another direction's. */
        for (size_t i = 0; i < n_rows; i++)
            memcpy(own + i * pitch, *dy + i * pitch, t->n_out * sizeof(float));
        add_to_ends(t, own, dh_n, t->shared->cfg.reverse, pitch);
    } else {
        gather(t, own, *dy, t->n_out, pitch);
        if (dh_n != NULL && !t->has_c_n) /* one segment, rows in order */
            add_to_ends(t, own, dh_n, false, t->n_out);
    }
    *dy = own;
    return RNN_OK;
}

/* Gradients of a segment's final states: from the segment after it, and of rows that end here. */
static const float *join_ends(const rnn_recurrent_task *t, const segment *s, const float *d_n,
                              const rnn_buffer *next, size_t n_go_on, size_t width,
                              rnn_buffer *into)
{
    const size_t *order = t->order.bytes;
    float *to = into->bytes;

    if (n_go_on > 0)
        memcpy(to, next->bytes, n_go_on * width * sizeof(float));
    for (size_t i = n_go_on; i < s->rows; i++)
        copy_row(to + i * width, d_n != NULL ? d_n + order[i] * width : NULL, NULL, width);
    return to;
}

/* Binds the gradients of the final states of a segment. */
static rnn_status bind_ends(rnn_recurrent_task *t, const segment *s, rnn_onednn_call *call,
                            const rnn_recurrent_state_grads *grads)
{
    const segment *next = s + 1 < t->segments + t->n_segments ? s + 1 : NULL;
    size_t n_go_on = next != NULL ? next->rows : 0;
    const float *dh_n = t->slice.length == NULL ? grads->dh_n : NULL, *dc_n = grads->dc_n;

    if (t->is_gathered && t->has_c_n) {
        RNN_TRY(grow_states(t, s->rows, &t->end_dh, &t->end_dc));
        dh_n = join_ends(t, s, grads->dh_n, next != NULL ? &next->dh0 : NULL, n_go_on, t->n_out,
                         &t->end_dh);
        dc_n = join_ends(t, s, grads->dc_n, next != NULL ? &next->dc0 : NULL, n_go_on,
                         t->shared->cfg.n_hid, &t->end_dc);
    }
    rnn_onednn_call_bind(call, RNN_ARG_DIFF_DST_ITER, or_zero(t, dh_n));
    rnn_onednn_call_bind(call, RNN_ARG_DIFF_DST_ITER_C, or_zero(t, dc_n));
    return RNN_OK;
}

static rnn_status run_backward(rnn_recurrent_task *t, segment *s, const float *dy,
                               const rnn_recurrent_state_grads *grads, float *dx, float *packed)
{
    const prepared_shape *shape;

    RNN_TRY(get_shape(t, s->n_steps, s->rows, &shape));
    bind_shared(t, s, shape->call);
    bind_values(t, s, shape->call);
    RNN_TRY(bind_ends(t, s, shape->call, grads));
    rnn_recurrent_bind_grads(t->shared, shape->call, packed);
    rnn_onednn_call_bind(shape->call, RNN_ARG_DIFF_DST_LAYER, dy + s->first * t->n_out);
    rnn_onednn_call_bind(shape->call, RNN_ARG_DIFF_SRC_LAYER, dx + s->first * t->shared->cfg.n_in);
    rnn_onednn_call_bind(shape->call, RNN_ARG_DIFF_SRC_ITER, s->dh0.bytes);
    rnn_onednn_call_bind(shape->call, RNN_ARG_DIFF_SRC_ITER_C, s->dc0.bytes);
    return rnn_onednn_backward(shape->call);
}

/* d0 of the rows: of the first segment; for a sequence without steps, its final state's. */
static void collect_start(const rnn_recurrent_task *t, const float *first, const float *d_n,
                          size_t width, float *d0)
{
    const size_t *order = t->is_gathered ? t->order.bytes : NULL;

    if (d0 == NULL)
        return;
    for (size_t i = 0; i < t->slice.rows; i++) {
        size_t row = order != NULL ? order[i] : i;
        bool has_steps = length_of(t, row) > 0;

        copy_row(d0 + row * width, has_steps ? first + i * width : NULL,
                 d_n != NULL ? d_n + row * width : NULL, width);
    }
}

rnn_status rnn_recurrent_backward(rnn_recurrent_task *task, const float *dy,
                                  const rnn_recurrent_state_grads *grads, float *dx, float *packed)
{
    rnn_recurrent_task *t = task;
    size_t n_in = t->shared->cfg.n_in, n_rows = t->slice.seq_len * t->slice.rows;
    rnn_buffer *own_dx = t->is_gathered ? &t->gathered_dx : &t->unwanted_dx;
    bool in_place = dx != NULL && !t->is_gathered;

    if (grads->dc_n != NULL && t->slice.length != NULL && !t->has_c_n)
        return RNN_FAIL(RNN_ERR_INTERNAL, "gradients of c_n without a c_n in the forward pass");
    RNN_TRY(prepare_dy(t, &dy, grads->dh_n));
    if (!in_place)
        RNN_TRY(grow_floats(own_dx, n_rows, n_in));
    for (size_t k = t->n_segments; k-- > 0;)
        RNN_TRY(run_backward(t, &t->segments[k], dy, grads, in_place ? dx : own_dx->bytes, packed));
    if (t->is_gathered && dx != NULL) {
        scatter(t, dx, t->gathered_dx.bytes, n_in, n_in);
        clear_past_ends(t, dx, n_in, n_in);
    }
    /* A slice without any step has no segment, and nothing of it is asked for here. */
    collect_start(t, t->segments[0].dh0.bytes, grads->dh_n, t->n_out, grads->dh0);
    collect_start(t, t->segments[0].dc0.bytes, grads->dc_n, t->shared->cfg.n_hid, grads->dc0);
    return RNN_OK;
}
