/* A module's forward and backward pass: from the caller's arrays to a slice and back. */
#include "framework/module_parts.h"

#include <string.h>

#include "framework/arguments.h"
#include "kernels/memory.h"

static const char FORWARD[] = "rnn_module_forward", BACKWARD[] = "rnn_module_backward";

/* An array's expected dimensions. */
typedef struct dims {
    size_t shape[RNN_MAX_DIMS];
} dims;

/* -- Shapes ---------------------------------------------------------------------------------- */

/* Of x, tokens and out; n_features 0 for tokens. */
static dims sequence_dims(const rnn_module *m, const rnn_module_pass *p, size_t n_features)
{
    if (m->batch_first)
        return (dims){{p->rows, p->seq_len, n_features}};
    return (dims){{p->seq_len, p->rows, n_features}};
}

static dims x_dims(const rnn_module *m, const rnn_module_pass *p)
{
    return sequence_dims(m, p, rnn_model_input(m->model).n_features);
}

static dims out_dims(const rnn_module *m, const rnn_module_pass *p)
{
    rnn_shape output = rnn_model_output(m->model);

    return output.is_single ? (dims){{p->rows, output.n_features, 0}}
                            : sequence_dims(m, p, output.n_features);
}

/* A state of the module, or its gradient. */
static rnn_status check_state(const rnn_module *m, const rnn_module_pass *p, const char *call,
                              const char *name, bool is_cell, rnn_const_tensor state)
{
    const dims expected = {{m->n_state_rows, p->rows, is_cell ? m->c_size : m->h_size}};

    if (m->n_recurrent != 1)
        return rnn_check_not_given(call, name, state.data,
                                   m->n_recurrent == 0 ? "the module has no recurrent layer"
                                                       : "the module has several recurrent layers");
    if (is_cell && m->c_size == 0)
        return rnn_check_not_given(call, name, state.data, "only lstm has a cell state");
    return rnn_check_tensor(call, name, state, expected.shape, false);
}

static rnn_status refuse_input(const rnn_module *m, const char *name, const size_t *found,
                               size_t n_dims)
{
    const char *order = m->batch_first ? "rows, steps" : "steps, rows";
    char text[RNN_SHAPE_TEXT_SIZE];
    size_t n_features = rnn_model_input(m->model).n_features;

    rnn_shape_print(text, found, n_dims);
    if (n_dims == RNN_MAX_DIMS)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected an array of [%s, %zu], found %s", FORWARD,
                        name, order, n_features, text);
    return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected an array of [%s], found %s", FORWARD, name,
                    order, text);
}

/* Steps and rows are what the input has. */
static rnn_status find_extent(const rnn_module *m, const rnn_forward_args *args, rnn_module_pass *p)
{
    bool takes_tokens = rnn_model_input(m->model).n_tokens > 0;
    const char *name = takes_tokens ? "tokens" : "x";
    const size_t *shape = takes_tokens ? args->tokens.shape : args->x.shape;
    size_t n_dims = takes_tokens ? 2 : RNN_MAX_DIMS;

    if (takes_tokens)
        RNN_TRY(rnn_check_not_given(FORWARD, "x", args->x.data, "the module takes tokens"));
    else
        RNN_TRY(rnn_check_not_given(FORWARD, "tokens", args->tokens.data, "the module takes x"));
    RNN_TRY(rnn_check_given(FORWARD, name,
                            takes_tokens ? (const void *)args->tokens.data : args->x.data));
    if (shape[0] == 0 || shape[1] == 0 ||
        (!takes_tokens && shape[2] != rnn_model_input(m->model).n_features))
        return refuse_input(m, name, shape, n_dims);
    p->seq_len = shape[m->batch_first ? 1 : 0];
    p->rows = shape[m->batch_first ? 0 : 1];
    if (p->seq_len > INT32_MAX || p->rows > INT32_MAX)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected at most %d steps and rows, found %zu, %zu",
                        FORWARD, name, INT32_MAX, p->seq_len, p->rows);
    return RNN_OK;
}

static rnn_status check_lengths(const rnn_forward_args *args, rnn_module_pass *p)
{
    if (args->lengths == NULL && args->n_lengths == 0)
        return RNN_OK;
    if (args->lengths == NULL || args->n_lengths != p->rows)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: lengths: expected %zu, found %zu%s", FORWARD, p->rows,
                        args->n_lengths, args->lengths == NULL ? " and NULL" : "");
    for (size_t row = 0; row < p->rows; row++) {
        int64_t length = args->lengths[row];

        if (length < 1 || length > (int64_t)p->seq_len)
            return RNN_FAIL(RNN_ERR_USAGE, "%s: lengths[%zu]: expected 1..%zu, found %lld", FORWARD,
                            row, p->seq_len, (long long)length);
        p->is_ragged |= length < (int64_t)p->seq_len;
    }
    return RNN_OK;
}

/* -- Between the caller's order and ours ------------------------------------------------------- */

static size_t length_of(const rnn_module_pass *p, const int64_t *lengths, size_t row)
{
    return p->is_ragged ? (size_t)lengths[row] : p->seq_len;
}

/* Where step t of a row lies in the caller's arrays. */
static size_t their_place(const rnn_module *m, const rnn_module_pass *p, size_t t, size_t row)
{
    return m->batch_first ? row * p->seq_len + t : t * p->rows + row;
}

/* Theirs to ours [seq_len][rows][width], zero past the ends that m->lengths has. */
static void copy_in(const rnn_module *m, size_t width, const float *theirs, float *ours)
{
    const rnn_module_pass *p = &m->pass;

    for (size_t t = 0; t < p->seq_len; t++)
        for (size_t row = 0; row < p->rows; row++, ours += width) {
            if (t < (size_t)m->lengths[row])
                memcpy(ours, theirs + their_place(m, p, t, row) * width, width * sizeof *ours);
            else
                memset(ours, 0, width * sizeof *ours);
        }
}

static void copy_out(const rnn_module *m, size_t width, const float *ours, float *theirs)
{
    const rnn_module_pass *p = &m->pass;

    for (size_t t = 0; t < p->seq_len; t++)
        for (size_t row = 0; row < p->rows; row++, ours += width)
            memcpy(theirs + their_place(m, p, t, row) * width, ours, width * sizeof *ours);
}

/* -- Forward --------------------------------------------------------------------------------- */

static rnn_status check_tokens(const rnn_module *m, const rnn_forward_args *args,
                               const rnn_module_pass *p)
{
    size_t n_tokens = rnn_model_input(m->model).n_tokens;

    for (size_t row = 0; n_tokens > 0 && row < p->rows; row++)
        for (size_t t = 0; t < length_of(p, args->lengths, row); t++) {
            int64_t token = args->tokens.data[their_place(m, p, t, row)];

            if (token < 0 || token >= (int64_t)n_tokens)
                return RNN_FAIL(RNN_ERR_USAGE,
                                "%s: tokens: step %zu of row %zu: expected 0..%zu, found %lld",
                                FORWARD, t, row, n_tokens - 1, (long long)token);
        }
    return RNN_OK;
}

static rnn_status check_forward(const rnn_module *m, const rnn_forward_args *args,
                                rnn_module_pass *p)
{
    RNN_TRY(rnn_check_given(FORWARD, "module", m));
    RNN_TRY(rnn_check_given(FORWARD, "args", args));
    RNN_TRY(find_extent(m, args, p));
    RNN_TRY(check_lengths(args, p));
    RNN_TRY(check_tokens(m, args, p));
    RNN_TRY(check_state(m, p, FORWARD, "h0", false, args->h0));
    RNN_TRY(check_state(m, p, FORWARD, "c0", true, args->c0));
    RNN_TRY(check_state(m, p, FORWARD, "h_n", false, rnn_as_const(args->h_n)));
    RNN_TRY(check_state(m, p, FORWARD, "c_n", true, rnn_as_const(args->c_n)));
    RNN_TRY(rnn_check_tensor(FORWARD, "out", rnn_as_const(args->out), out_dims(m, p).shape, true));
    p->has_c_n = args->c_n.data != NULL;
    p->version = m->version;
    return RNN_OK;
}

static rnn_status reserve_integers(int32_t **integers, size_t *count, size_t wanted)
{
    if (wanted <= *count)
        return RNN_OK;
    rnn_free(*integers);
    *integers = NULL;
    *count = 0;
    RNN_TRY(RNN_ALLOC(integers, wanted, "a module's arrays"));
    *count = wanted;
    return RNN_OK;
}

static rnn_status take_tokens(rnn_module *m, rnn_indices tokens)
{
    const rnn_module_pass *p = &m->pass;
    size_t count, place = 0;

    RNN_TRY(rnn_size_multiply(&count, p->seq_len, p->rows, "tokens"));
    RNN_TRY(reserve_integers(&m->tokens, &m->n_tokens, count));
    for (size_t t = 0; t < p->seq_len; t++)
        for (size_t row = 0; row < p->rows; row++, place++)
            m->tokens[place] =
                t < (size_t)m->lengths[row] ? (int32_t)tokens.data[their_place(m, p, t, row)] : -1;
    return RNN_OK;
}

static rnn_status take_x(rnn_module *m, const float *x)
{
    size_t n_features = rnn_model_input(m->model).n_features, positions;

    RNN_TRY(rnn_size_multiply(&positions, m->pass.seq_len, m->pass.rows, "x"));
    RNN_TRY(rnn_buffer_reserve_floats(&m->x, positions, n_features, "a module's arrays"));
    copy_in(m, n_features, x, m->x.bytes);
    return RNN_OK;
}

/* A copy of an initial state; NULL if there is none. */
static rnn_status take_state(const rnn_module *m, rnn_const_tensor state, size_t width,
                             rnn_buffer *own, const float **taken)
{
    *taken = NULL;
    if (state.data == NULL)
        return RNN_OK;
    RNN_TRY(
        rnn_buffer_reserve_floats(own, m->n_state_rows * m->pass.rows, width, "a module's arrays"));
    memcpy(own->bytes, state.data, m->n_state_rows * m->pass.rows * width * sizeof(float));
    *taken = own->bytes;
    return RNN_OK;
}

/* Copies what is in use until the backward pass, so that the caller's arrays are not. */
static rnn_status take_arguments(rnn_module *m, const rnn_forward_args *args)
{
    rnn_layer_states *states = &m->states[m->state_layer];
    const rnn_module_pass *p = &m->pass;

    RNN_TRY(reserve_integers(&m->lengths, &m->n_lengths, p->rows));
    for (size_t row = 0; row < p->rows; row++)
        m->lengths[row] = (int32_t)length_of(p, args->lengths, row);
    if (args->tokens.data != NULL)
        RNN_TRY(take_tokens(m, args->tokens));
    else
        RNN_TRY(take_x(m, args->x.data));
    *states = (rnn_layer_states){.h_n = args->h_n.data, .c_n = args->c_n.data};
    RNN_TRY(take_state(m, args->h0, m->h_size, &m->h0, &states->h0));
    return take_state(m, args->c0, m->c_size, &m->c0, &states->c0);
}

static rnn_status run_forward(rnn_module *m, float *out)
{
    rnn_shape output = rnn_model_output(m->model);
    bool takes_tokens = rnn_model_input(m->model).n_tokens > 0;
    const rnn_slice slice = {.seq_len = m->pass.seq_len,
                             .rows = m->pass.rows,
                             .length = m->lengths,
                             .is_ragged = m->pass.is_ragged,
                             .token = takes_tokens ? m->tokens : NULL,
                             .is_training = m->is_training,
                             .seed = m->seed,
                             .step = m->n_training_passes,
                             .states = m->states};
    const float *y;

    rnn_module_refresh(m);
    RNN_TRY(rnn_runner_forward(m->runner, &slice, takes_tokens ? NULL : m->x.bytes, &y));
    if (output.is_single)
        memcpy(out, y, m->pass.rows * output.n_features * sizeof *out);
    else
        copy_out(m, output.n_features, y, out);
    return RNN_OK;
}

rnn_status rnn_module_forward(rnn_module *module, const rnn_forward_args *args)
{
    rnn_module *m = module;
    rnn_module_pass pass = {.seq_len = 0};
    rnn_module_scope scope;
    rnn_status st;

    RNN_TRY(check_forward(m, args, &pass));
    m->can_go_back = false;
    m->pass = pass;
    RNN_TRY(take_arguments(m, args));
    scope = rnn_module_begin(m);
    st = run_forward(m, args->out.data);
    rnn_module_end(scope);
    m->states[m->state_layer].h_n = m->states[m->state_layer].c_n = NULL; /* the caller's */
    RNN_TRY(st);
    m->can_go_back = true;
    m->n_training_passes += m->is_training;
    return RNN_OK;
}

/* -- Backward -------------------------------------------------------------------------------- */

static rnn_status check_pass(const rnn_module *m, const rnn_backward_args *args)
{
    if (!m->can_go_back)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: expected a forward pass before it, found none that has not been gone "
                        "back over",
                        BACKWARD);
    if (m->pass.version != m->version)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: expected the parameters of the forward pass, found others: they were "
                        "changed in between",
                        BACKWARD);
    if (args->grad_out.data == NULL && args->grad_h_n.data == NULL && args->grad_c_n.data == NULL)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: expected at least one of grad_out, grad_h_n, grad_c_n, found none",
                        BACKWARD);
    return RNN_OK;
}

static rnn_status check_backward(const rnn_module *m, const rnn_backward_args *args)
{
    const rnn_module_pass *p;

    RNN_TRY(rnn_check_given(BACKWARD, "module", m));
    RNN_TRY(rnn_check_given(BACKWARD, "args", args));
    p = &m->pass;
    RNN_TRY(check_pass(m, args));
    RNN_TRY(rnn_check_tensor(BACKWARD, "grad_out", args->grad_out, out_dims(m, p).shape, false));
    RNN_TRY(check_state(m, p, BACKWARD, "grad_h_n", false, args->grad_h_n));
    RNN_TRY(check_state(m, p, BACKWARD, "grad_c_n", true, args->grad_c_n));
    if (args->grad_c_n.data != NULL && m->pass.is_ragged && !m->pass.has_c_n)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: grad_c_n: expected a forward pass that was asked for c_n, found one "
                        "with lengths that was not",
                        BACKWARD);
    RNN_TRY(check_state(m, p, BACKWARD, "grad_h0", false, rnn_as_const(args->grad_h0)));
    RNN_TRY(check_state(m, p, BACKWARD, "grad_c0", true, rnn_as_const(args->grad_c0)));
    if (rnn_model_input(m->model).n_tokens > 0)
        return rnn_check_not_given(BACKWARD, "grad_x", args->grad_x.data,
                                   "the module takes tokens, which have no gradient");
    return rnn_check_tensor(BACKWARD, "grad_x", rnn_as_const(args->grad_x), x_dims(m, p).shape,
                            false);
}

static void take_grad_out(const rnn_module *m, const float *grad_out)
{
    rnn_shape output = rnn_model_output(m->model);
    float *dy = rnn_runner_dy(m->runner);
    size_t positions = output.is_single ? m->pass.rows : m->pass.rows * m->pass.seq_len;

    if (grad_out == NULL)
        memset(dy, 0, positions * output.n_features * sizeof *dy);
    else if (output.is_single)
        memcpy(dy, grad_out, positions * output.n_features * sizeof *dy);
    else
        copy_in(m, output.n_features, grad_out, dy);
}

static rnn_status run_backward(rnn_module *m, const rnn_backward_args *args)
{
    rnn_layer_states *states = &m->states[m->state_layer];
    rnn_status st;

    take_grad_out(m, args->grad_out.data);
    states->dh_n = args->grad_h_n.data;
    states->dc_n = args->grad_c_n.data;
    states->dh0 = args->grad_h0.data;
    states->dc0 = args->grad_c0.data;
    st = rnn_runner_backward(m->runner, m->packed);
    *states = (rnn_layer_states){.h0 = NULL};
    RNN_TRY(st);
    if (args->grad_x.data != NULL)
        copy_out(m, rnn_model_input(m->model).n_features, rnn_runner_dx(m->runner),
                 args->grad_x.data);
    return RNN_OK;
}

rnn_status rnn_module_backward(rnn_module *module, const rnn_backward_args *args)
{
    rnn_module *m = module;
    rnn_module_scope scope;
    rnn_status st;

    RNN_TRY(check_backward(m, args));
    m->can_go_back = false;
    m->grads_are_stale = true;
    scope = rnn_module_begin(m);
    st = run_backward(m, args);
    rnn_module_end(scope);
    return st;
}
