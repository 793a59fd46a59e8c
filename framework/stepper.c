/* A recurrent layer of a module step by step. */
#include <rnn/stepper.h>

#include "framework/arguments.h"
#include "framework/module_parts.h"
#include "kernels/memory.h"
#include "kernels/recurrent_step.h"

static const char CREATE[] = "rnn_stepper_create", STEP[] = "rnn_stepper_step",
                  BACKWARD[] = "rnn_stepper_backward";

struct rnn_stepper {
    rnn_module *module;
    const rnn_layer_cfg *cfg;
    size_t n_in, n_hid, n_out;
    bool is_lstm;
    size_t grad_offset; /* in the module's packed gradients */
    rnn_recurrent_steps *steps;
    uint64_t version; /* of the parameters that the recorded steps were taken with */
    rnn_buffer h0, c0;
};

/* -- Life ------------------------------------------------------------------------------------ */

/* Stage number `layer` of the recurrent ones. */
static rnn_status find_stage(const rnn_module *m, size_t layer, bool reverse, size_t *found)
{
    size_t n_recurrent = 0;

    for (size_t s = 0; s < rnn_model_n_stages(m->model); s++) {
        const rnn_stage *stage = rnn_model_stage(m->model, s);

        if (stage->kind != RNN_STAGE_RECURRENT || n_recurrent++ < layer)
            continue;
        if (reverse && stage->n_directions == 1)
            return RNN_FAIL(RNN_ERR_USAGE,
                            "%s: reverse: expected false, found true: layer %zu is not "
                            "bidirectional",
                            CREATE, layer);
        *found = s;
        return RNN_OK;
    }
    if (n_recurrent == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: module: expected a recurrent layer, found none",
                        CREATE);
    return RNN_FAIL(RNN_ERR_USAGE, "%s: layer: expected 0..%zu, found %zu", CREATE, n_recurrent - 1,
                    layer);
}

static rnn_status set_up(rnn_stepper *s, size_t index, size_t direction)
{
    const rnn_stage *stage = rnn_model_stage(s->module->model, index);
    const void *plan = rnn_plan_stage(s->module->plan, index);
    const rnn_recurrent *kernel = rnn_stage_recurrent_kernel(plan, direction);

    s->cfg = stage->cfg;
    s->n_in = stage->in.n_features;
    s->n_hid = (size_t)stage->cfg->hidden_size;
    s->n_out = stage->out.n_features / stage->n_directions;
    s->is_lstm = rnn_layer_cell(stage->cfg) == RNN_CELL_LSTM;
    s->grad_offset = rnn_plan_stage_part(s->module->plan, index).offset +
                     direction * rnn_recurrent_grad_size(kernel);
    return rnn_recurrent_steps_create(&s->steps, kernel);
}

rnn_status rnn_stepper_create(rnn_stepper **out, rnn_module *module, size_t layer, bool reverse)
{
    rnn_stepper *s;
    rnn_status st;
    size_t index = 0;

    RNN_TRY(rnn_check_given(CREATE, "out", out));
    *out = NULL;
    RNN_TRY(rnn_check_given(CREATE, "module", module));
    RNN_TRY(find_stage(module, layer, reverse, &index));
    RNN_TRY(RNN_ALLOC(&s, 1, "a stepper"));
    s->module = module;
    rnn_module_retain(module);
    st = set_up(s, index, reverse ? 1 : 0);
    if (st == RNN_OK)
        *out = s;
    else
        rnn_stepper_destroy(&s);
    return st;
}

void rnn_stepper_destroy(rnn_stepper **stepper)
{
    rnn_stepper *s = stepper != NULL ? *stepper : NULL;

    if (s == NULL)
        return;
    rnn_recurrent_steps_destroy(&s->steps);
    rnn_module_release(s->module);
    rnn_buffer_release(&s->h0);
    rnn_buffer_release(&s->c0);
    rnn_free(s);
    *stepper = NULL;
}

rnn_status rnn_stepper_clear(rnn_stepper *stepper)
{
    RNN_TRY(rnn_check_given("rnn_stepper_clear", "stepper", stepper));
    rnn_recurrent_steps_clear(stepper->steps);
    return RNN_OK;
}

/* -- Arguments ------------------------------------------------------------------------------- */

/* A matrix of `rows` rows. */
static rnn_status check_matrix(const char *call, const char *name, rnn_const_tensor matrix,
                               size_t rows, size_t columns, bool needed)
{
    const size_t expected[RNN_MAX_DIMS] = {rows, columns};

    return rnn_check_tensor(call, name, matrix, expected, needed);
}

static rnn_status check_cell(const rnn_stepper *s, const char *call, const char *name,
                             rnn_const_tensor state, size_t rows, bool needed)
{
    if (!s->is_lstm)
        return rnn_check_not_given(call, name, state.data, "only lstm has a cell state");
    return check_matrix(call, name, state, rows, s->n_hid, needed);
}

static rnn_status check_x(const rnn_stepper *s, rnn_const_tensor x)
{
    char found[RNN_SHAPE_TEXT_SIZE];

    RNN_TRY(rnn_check_given(STEP, "x", x.data));
    if (x.shape[0] == 0 || x.shape[0] > INT32_MAX || x.shape[1] != s->n_in || x.shape[2] != 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: x: expected an array of [rows, %zu], found %s", STEP,
                        s->n_in, rnn_shape_print(found, x.shape, RNN_MAX_DIMS));
    return RNN_OK;
}

/* -- Forward --------------------------------------------------------------------------------- */

/* What was not given is the layer's constant; NULL is the kernel's zeros. */
static rnn_status or_constant(const float **state, double constant, rnn_buffer *own, size_t rows,
                              size_t columns)
{
    float *values;

    if (*state != NULL || constant == 0.0)
        return RNN_OK;
    RNN_TRY(rnn_buffer_reserve_floats(own, rows, columns, "a stepper's states"));
    values = own->bytes;
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = (float)constant;
    *state = values;
    return RNN_OK;
}

static rnn_status run_forward(rnn_stepper *s, size_t rows, rnn_recurrent_step_args *args)
{
    rnn_module *m = s->module;
    bool keeps = m->is_training;

    RNN_TRY(or_constant(&args->h, s->cfg->h0, &s->h0, rows, s->n_out));
    if (s->is_lstm)
        RNN_TRY(or_constant(&args->c, s->cfg->c0, &s->c0, rows, s->n_hid));
    rnn_module_refresh(m);
    if (keeps && s->version != m->version)
        rnn_recurrent_steps_clear(s->steps);
    RNN_TRY(rnn_recurrent_step_forward(s->steps, rows, args, keeps));
    if (keeps)
        s->version = m->version;
    return RNN_OK;
}

rnn_status rnn_stepper_step(rnn_stepper *stepper, rnn_const_tensor x, rnn_const_tensor h,
                            rnn_const_tensor c, rnn_tensor h_next, rnn_tensor c_next)
{
    rnn_recurrent_step_args args = {x.data, h.data, c.data, h_next.data, c_next.data};
    rnn_stepper *s = stepper;
    size_t rows = x.shape[0];
    rnn_module_scope scope;
    rnn_status st;

    RNN_TRY(rnn_check_given(STEP, "stepper", stepper));
    RNN_TRY(check_x(s, x));
    RNN_TRY(check_matrix(STEP, "h", h, rows, s->n_out, false));
    RNN_TRY(check_cell(s, STEP, "c", c, rows, false));
    RNN_TRY(check_matrix(STEP, "h_next", rnn_as_const(h_next), rows, s->n_out, true));
    RNN_TRY(check_cell(s, STEP, "c_next", rnn_as_const(c_next), rows, true));
    scope = rnn_module_begin(s->module);
    st = run_forward(s, rows, &args);
    rnn_module_end(scope);
    return st;
}

/* -- Backward -------------------------------------------------------------------------------- */

static rnn_status check_backward(const rnn_stepper *s, rnn_const_tensor grad_h,
                                 rnn_const_tensor grad_c)
{
    RNN_TRY(rnn_check_given(BACKWARD, "stepper", s));
    if (rnn_recurrent_steps_count(s->steps) == 0)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: expected a step to go back over, found none: each is gone back over "
                        "once, and only a module that is training records them",
                        BACKWARD);
    if (s->version != s->module->version)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: expected the parameters of the step, found others: they were changed "
                        "in between",
                        BACKWARD);
    if (grad_h.data == NULL && grad_c.data == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: expected grad_h or grad_c, found none", BACKWARD);
    return RNN_OK;
}

rnn_status rnn_stepper_backward(rnn_stepper *stepper, rnn_const_tensor grad_h,
                                rnn_const_tensor grad_c, rnn_tensor grad_x, rnn_tensor grad_h_prev,
                                rnn_tensor grad_c_prev)
{
    const rnn_recurrent_step_grads grads = {grad_h.data, grad_c.data, grad_x.data, grad_h_prev.data,
                                            grad_c_prev.data};
    rnn_stepper *s = stepper;
    rnn_module_scope scope;
    rnn_status st;
    size_t rows;

    RNN_TRY(check_backward(s, grad_h, grad_c));
    rows = rnn_recurrent_step_rows(s->steps);
    RNN_TRY(check_matrix(BACKWARD, "grad_h", grad_h, rows, s->n_out, false));
    RNN_TRY(check_cell(s, BACKWARD, "grad_c", grad_c, rows, false));
    RNN_TRY(check_matrix(BACKWARD, "grad_x", rnn_as_const(grad_x), rows, s->n_in, false));
    RNN_TRY(
        check_matrix(BACKWARD, "grad_h_prev", rnn_as_const(grad_h_prev), rows, s->n_out, false));
    RNN_TRY(check_cell(s, BACKWARD, "grad_c_prev", rnn_as_const(grad_c_prev), rows, false));
    s->module->grads_are_stale = true;
    scope = rnn_module_begin(s->module);
    st = rnn_recurrent_step_backward(s->steps, &grads, s->module->packed + s->grad_offset);
    rnn_module_end(scope);
    return st;
}
