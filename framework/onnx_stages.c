#include "framework/onnx_stages.h"

#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "framework/layer_args.h"
#include "kernels/memory.h"

const char rnn_onnx_lengths[] = "lengths";

/* -- Shapes and types -------------------------------------------------------------------------- */

const char *rnn_onnx_apply_on_axis(rnn_onnx_graph *g, const char *op, const char *value,
                                   int64_t axis)
{
    const char *name = rnn_onnx_text(g, "%s_axis", value);

    return rnn_onnx_apply(g, op, value, rnn_onnx_integers(g, name, &axis, 1));
}

const char *rnn_onnx_swap_first(rnn_onnx_graph *g, const char *value, size_t n_dims)
{
    const int64_t order[] = {1, 0, 2};
    const char *swapped = rnn_onnx_apply(g, "Transpose", value, NULL);

    rnn_onnx_set_integers(g, rnn_onnx_last_node(g), "perm", order, n_dims);
    return swapped;
}

const char *rnn_onnx_cast(rnn_onnx_graph *g, const char *value, Onnx__TensorProto__DataType type)
{
    const char *cast = rnn_onnx_apply(g, "Cast", value, NULL);

    rnn_onnx_set_integer(g, rnn_onnx_last_node(g), "to", (int64_t)type);
    return cast;
}

static const char *lengths_as(rnn_onnx_graph *g, Onnx__TensorProto__DataType type)
{
    return rnn_onnx_cast(g, rnn_onnx_lengths, type);
}

/* -- The ends of sequences --------------------------------------------------------------------- */

/* Step t of row n is valid if t < lengths[n]. */
static const char *make_mask(const rnn_onnx_flow *flow)
{
    rnn_onnx_graph *g = flow->graph;
    const char *first = rnn_onnx_integer(g, "first_step", 0);
    const char *one = rnn_onnx_integer(g, "one_step", 1);
    const char *shape = rnn_onnx_apply(g, "Shape", flow->value, NULL);
    const char *inputs[] = {first, rnn_onnx_apply(g, "Gather", shape, first), one, NULL};
    const char *lengths, *valid;

    rnn_onnx_add_node(g, "Range", "steps", inputs);
    lengths = rnn_onnx_apply_on_axis(g, "Unsqueeze",
                                     lengths_as(g, ONNX__TENSOR_PROTO__DATA_TYPE__INT64), 0);
    valid = rnn_onnx_apply(g, "Less", rnn_onnx_apply_on_axis(g, "Unsqueeze", "steps", 1), lengths);
    return rnn_onnx_apply_on_axis(g, "Unsqueeze", valid, 2);
}

const char *rnn_onnx_fill_past_ends(rnn_onnx_flow *flow, const char *value, const char *name,
                                    float other)
{
    const char *inputs[] = {NULL, value, NULL, NULL};

    if (flow->mask == NULL)
        flow->mask = make_mask(flow);
    inputs[0] = flow->mask;
    inputs[2] =
        rnn_onnx_float(flow->graph, rnn_onnx_text(flow->graph, "%s_past_ends", name), other);
    if (inputs[0] == NULL || inputs[2] == NULL)
        return NULL;
    name = rnn_onnx_text(flow->graph, "%s_masked", name);
    rnn_onnx_add_node(flow->graph, "Where", name, inputs);
    return name;
}

/* -- Select ------------------------------------------------------------------------------------ */

static const char *select_step(rnn_onnx_flow *flow, int64_t step)
{
    rnn_onnx_graph *g = flow->graph;

    return rnn_onnx_apply(g, "Gather", flow->value, rnn_onnx_integer(g, "selected_step", step));
}

/* Row n of [N][T][..] at lengths[n] - 1. */
static const char *select_last_valid(const rnn_onnx_flow *flow)
{
    rnn_onnx_graph *g = flow->graph;
    const char *lengths = lengths_as(g, ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    const char *last = rnn_onnx_apply(g, "Sub", lengths, rnn_onnx_integer(g, "selected_step", 1));
    const char *rows = rnn_onnx_swap_first(g, flow->value, 3);
    const char *selected =
        rnn_onnx_apply(g, "GatherND", rows, rnn_onnx_apply_on_axis(g, "Unsqueeze", last, 1));

    rnn_onnx_set_integer(g, rnn_onnx_last_node(g), "batch_dims", 1);
    return selected;
}

static const char *reduce_steps(rnn_onnx_graph *g, const char *op, const char *value)
{
    const int64_t steps = 0;
    const char *reduced = rnn_onnx_apply(g, op, value, NULL);

    rnn_onnx_set_integers(g, rnn_onnx_last_node(g), "axes", &steps, 1);
    rnn_onnx_set_integer(g, rnn_onnx_last_node(g), "keepdims", 0);
    return reduced;
}

static const char *select_mean(rnn_onnx_flow *flow)
{
    rnn_onnx_graph *g = flow->graph;
    const char *sum, *count;

    if (!flow->has_lengths)
        return reduce_steps(g, "ReduceMean", flow->value);
    sum = rnn_onnx_apply_on_axis(g, "ReduceSum",
                                 rnn_onnx_fill_past_ends(flow, flow->value, "mean", 0.0f), 0);
    rnn_onnx_set_integer(g, rnn_onnx_last_node(g), "keepdims", 0);
    count = rnn_onnx_apply_on_axis(g, "Unsqueeze",
                                   lengths_as(g, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT), 1);
    return rnn_onnx_apply(g, "Div", sum, count);
}

static const char *select_max(rnn_onnx_flow *flow)
{
    const char *values = flow->has_lengths
                             ? rnn_onnx_fill_past_ends(flow, flow->value, "max", -FLT_MAX)
                             : flow->value;

    return reduce_steps(flow->graph, "ReduceMax", values);
}

void rnn_onnx_add_select(rnn_onnx_flow *flow, rnn_select step)
{
    switch (step) {
    case RNN_SELECT_LAST:
        flow->value = flow->has_lengths ? select_last_valid(flow) : select_step(flow, -1);
        break;
    case RNN_SELECT_FIRST:
        flow->value = select_step(flow, 0);
        break;
    case RNN_SELECT_MEAN:
        flow->value = select_mean(flow);
        break;
    case RNN_SELECT_MAX:
        flow->value = select_max(flow);
        break;
    }
}

/* -- Parameters as they are -------------------------------------------------------------------- */

static const char *param_name(rnn_onnx_graph *g, const rnn_param *p)
{
    return rnn_onnx_text(g, "%s.%s", p->group, p->name);
}

static const char *add_param(const rnn_onnx_flow *flow, const rnn_param *p)
{
    return rnn_onnx_floats(flow->graph, param_name(flow->graph, p), flow->params + p->offset,
                           p->shape, (size_t)p->n_dims);
}

/* Parameter i of a stage, which must have it. */
static const char *add_stage_param(const rnn_onnx_flow *flow, const rnn_stage *stage, size_t i)
{
    return add_param(flow, rnn_model_param(flow->model, stage->first_param + i));
}

static void add_embedding(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    flow->value =
        rnn_onnx_apply(flow->graph, "Gather", add_stage_param(flow, stage, 0), flow->value);
}

/* Tokens that are none of its classes give zeros, as past the ends. */
static void add_onehot(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    static const float off_on[] = {0.0f, 1.0f};
    rnn_onnx_graph *g = flow->graph;
    const size_t two = 2;
    const char *inputs[] = {flow->value,
                            rnn_onnx_integer(g, "onehot_classes", (int64_t)stage->out.n_features),
                            rnn_onnx_floats(g, "onehot_values", off_on, &two, 1), NULL};

    rnn_onnx_add_node(g, "OneHot", "onehot", inputs);
    flow->value = "onehot";
}

static void add_linear(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    rnn_onnx_graph *g = flow->graph;
    bool is_tied = stage->kind == RNN_STAGE_TIED;
    const char *weight =
        is_tied ? param_name(g, rnn_model_param(flow->model, 0)) : add_stage_param(flow, stage, 0);

    flow->value =
        rnn_onnx_apply(g, "MatMul", flow->value, rnn_onnx_apply(g, "Transpose", weight, NULL));
    if (stage->cfg->bias)
        flow->value =
            rnn_onnx_apply(g, "Add", flow->value, add_stage_param(flow, stage, is_tied ? 0 : 1));
}

static void add_layernorm(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    rnn_onnx_graph *g = flow->graph;
    const char *output = rnn_onnx_text(g, "%zu_layernorm", stage->layer);
    const char *inputs[] = {flow->value, NULL, NULL, NULL};
    Onnx__NodeProto *node;

    if (stage->n_params > 0) {
        inputs[1] = add_stage_param(flow, stage, 0);
        inputs[2] = stage->n_params > 1 ? add_stage_param(flow, stage, 1) : NULL;
    } else {
        float *ones = rnn_onnx_memory(g, stage->in.n_features, sizeof *ones);

        for (size_t i = 0; ones != NULL && i < stage->in.n_features; i++)
            ones[i] = 1.0f;
        inputs[1] =
            rnn_onnx_floats(g, rnn_onnx_text(g, "%s.ones", output), ones, &stage->in.n_features, 1);
    }
    node = rnn_onnx_add_node(g, "LayerNormalization", output, inputs);
    rnn_onnx_set_integer(g, node, "axis", -1);
    rnn_onnx_set_float(g, node, "epsilon", (float)stage->cfg->eps);
    flow->value = output;
}

static void add_activation(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    static const char *const ops[] = {[RNN_ACTIVATION_TANH] = "Tanh",
                                      [RNN_ACTIVATION_RELU] = "Relu",
                                      [RNN_ACTIVATION_SIGMOID] = "Sigmoid"};

    flow->value = rnn_onnx_apply(flow->graph, ops[stage->cfg->function], flow->value, NULL);
}

/* -- Recurrent: parameters --------------------------------------------------------------------- */

/* How ONNX has one of our cells. */
typedef struct cell_form {
    const char *op;
    size_t gates[4]; /* torch's number of each gate of ONNX */
    const char *activation;
} cell_form;

static const cell_form *form_of(rnn_cell cell)
{
    static const cell_form lstm = {"LSTM", {0, 3, 1, 2}, NULL}; /* i o f c from i f g o */
    static const cell_form gru = {"GRU", {1, 0, 2}, NULL};      /* z r h from r z n */
    static const cell_form tanh = {"RNN", {0}, "Tanh"};
    static const cell_form relu = {"RNN", {0}, "Relu"};

    switch (cell) {
    case RNN_CELL_LSTM:
        return &lstm;
    case RNN_CELL_GRU:
        return &gru;
    case RNN_CELL_RELU:
        return &relu;
    default:
        return &tanh;
    }
}

/* A recurrent stage on its way into a node. */
typedef struct recurrent {
    rnn_onnx_flow *flow;
    const rnn_stage *stage;
    const cell_form *form;
    size_t n_gates, n_hid;
    const char *name; /* "0_lstm.l0" */
} recurrent;

/* Tensor i of a direction: weight_ih, weight_hh, bias_ih, bias_hh. */
static const float *tensor_of(const recurrent *r, size_t direction, size_t i)
{
    size_t n_tensors = r->stage->n_params / r->stage->n_directions;

    return r->flow->params +
           rnn_model_param(r->flow->model, r->stage->first_param + direction * n_tensors + i)
               ->offset;
}

/* Rows of a tensor with the gates in the order of ONNX. */
static void copy_gates(const recurrent *r, const float *from, size_t columns, float *to)
{
    size_t block = r->n_hid * columns;

    for (size_t g = 0; g < r->n_gates; g++)
        memcpy(to + g * block, from + r->form->gates[g] * block, block * sizeof *to);
}

/* W or R: [directions][gates * hidden][columns]. */
static const char *add_weight(const recurrent *r, const char *letter, size_t tensor, size_t columns)
{
    rnn_onnx_graph *g = r->flow->graph;
    size_t rows = r->n_gates * r->n_hid, n = r->stage->n_directions;
    const size_t dims[] = {n, rows, columns};
    float *values = rnn_onnx_memory(g, n * rows * columns, sizeof *values);

    for (size_t d = 0; values != NULL && d < n; d++)
        copy_gates(r, tensor_of(r, d, tensor), columns, values + d * rows * columns);
    return rnn_onnx_floats(g, rnn_onnx_text(g, "%s.%s", r->name, letter), values, dims, 3);
}

/* B: [directions][those of the input, then those of the state]; "" if there are none. */
static const char *add_bias(const recurrent *r)
{
    rnn_onnx_graph *g = r->flow->graph;
    size_t rows = r->n_gates * r->n_hid, n = r->stage->n_directions;
    const size_t dims[] = {n, 2 * rows};
    float *values;

    if (!r->stage->cfg->bias)
        return "";
    values = rnn_onnx_memory(g, n * 2 * rows, sizeof *values);
    for (size_t d = 0; values != NULL && d < n; d++) {
        copy_gates(r, tensor_of(r, d, 2), 1, values + 2 * d * rows);
        copy_gates(r, tensor_of(r, d, 3), 1, values + (2 * d + 1) * rows);
    }
    return rnn_onnx_floats(g, rnn_onnx_text(g, "%s.B", r->name), values, dims, 2);
}

/* -- Recurrent: states ------------------------------------------------------------------------- */

static bool is_cell(const rnn_stage *stage)
{
    return (RNN_LAYER_CELLS & RNN_LAYER_BIT(stage->cfg->type)) != 0;
}

/* "h0_2" of layer 2, as it goes in or comes out. Those of cells are [N][H], as in torch. */
static rnn_onnx_value state_value(const recurrent *r, const char *base, const char *doc)
{
    const rnn_stage *stage = r->stage;
    size_t n_states = (size_t)stage->cfg->num_layers * stage->n_directions;
    rnn_onnx_value value = {.name = rnn_onnx_text(r->flow->graph, "%s_%zu", base, stage->layer),
                            .doc = doc,
                            .type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                            .dims = {{NULL, n_states}, {"N", 0}, {NULL, r->n_hid}},
                            .n_dims = 3};

    if (is_cell(stage)) {
        memmove(value.dims, value.dims + 1, 2 * sizeof value.dims[0]);
        value.n_dims = 2;
    }
    return value;
}

/* The initial state of the sublayer out of that of its layer, an input of the graph. */
static const char *take_state(const recurrent *r, const char *base, double otherwise)
{
    rnn_onnx_graph *g = r->flow->graph;
    const char *doc = rnn_onnx_text(g, "initial state of layer %zu; it was trained from %g",
                                    r->stage->layer, otherwise);
    const rnn_onnx_value whole = state_value(r, base, doc);
    const int64_t axis = 0, first = (int64_t)(r->stage->sublayer * r->stage->n_directions);
    const int64_t end = first + (int64_t)r->stage->n_directions;
    const char *part;

    if (r->stage->sublayer == 0)
        rnn_onnx_add_input(g, &whole);
    if (is_cell(r->stage))
        return rnn_onnx_apply_on_axis(g, "Unsqueeze", whole.name, 0);
    if (r->stage->cfg->num_layers == 1)
        return whole.name;
    part = rnn_onnx_text(g, "%s.%s", r->name, base);
    rnn_onnx_add_node(g, "Slice", part,
                      (const char *const[]){
                          whole.name,
                          rnn_onnx_integers(g, rnn_onnx_text(g, "%s_first", part), &first, 1),
                          rnn_onnx_integers(g, rnn_onnx_text(g, "%s_end", part), &end, 1),
                          rnn_onnx_integers(g, rnn_onnx_text(g, "%s_axis", part), &axis, 1), NULL});
    return part;
}

/* What a sublayer calls its final state: that of its layer if it is the only one. */
static const char *sublayer_state(rnn_onnx_graph *g, const rnn_stage *stage, const char *base,
                                  size_t sublayer)
{
    if (stage->cfg->num_layers == 1 && !is_cell(stage))
        return rnn_onnx_text(g, "%s_%zu", base, stage->layer);
    return rnn_onnx_text(g, "%zu_%s.l%zu.%s", stage->layer, rnn_layer_type_name(stage->cfg->type),
                         sublayer, base);
}

/* After the last sublayer: the final states of all of them, an output of the graph. */
static void give_state(const recurrent *r, const char *base)
{
    rnn_onnx_graph *g = r->flow->graph;
    size_t n = (size_t)r->stage->cfg->num_layers;
    const rnn_onnx_value whole = state_value(r, base, "state at the end of each sequence");
    const char **parts;

    if (r->stage->sublayer + 1 < n)
        return;
    rnn_onnx_add_output(g, &whole);
    if (n == 1 && !is_cell(r->stage))
        return;
    parts = rnn_onnx_memory(g, n + 1, sizeof *parts);
    for (size_t k = 0; parts != NULL && k < n; k++)
        parts[k] = sublayer_state(g, r->stage, base, k);
    if (parts == NULL)
        return;
    if (is_cell(r->stage)) {
        const int64_t axis = 0;
        const char *name = rnn_onnx_text(g, "%s_axis", whole.name);

        rnn_onnx_add_node(
            g, "Squeeze", whole.name,
            (const char *const[]){parts[0], rnn_onnx_integers(g, name, &axis, 1), NULL});
        return;
    }
    rnn_onnx_set_integer(g, rnn_onnx_add_node(g, "Concat", whole.name, parts), "axis", 0);
}

/* -- Recurrent: the node ----------------------------------------------------------------------- */

static Onnx__NodeProto *add_recurrent_node(const recurrent *r, bool is_lstm, const char *output)
{
    rnn_onnx_graph *g = r->flow->graph;
    const rnn_layer_cfg *cfg = r->stage->cfg;
    const char *inputs[9] = {r->flow->value};
    Onnx__NodeProto *node;

    inputs[1] = add_weight(r, "W", 0, r->stage->in.n_features);
    inputs[2] = add_weight(r, "R", 1, r->n_hid);
    inputs[3] = add_bias(r);
    inputs[4] = r->flow->has_lengths ? rnn_onnx_lengths : "";
    inputs[5] = take_state(r, "h0", cfg->h0);
    inputs[6] = is_lstm ? take_state(r, "c0", cfg->c0) : NULL;
    node = rnn_onnx_add_node(g, r->form->op, output, inputs);
    rnn_onnx_add_node_output(g, node, sublayer_state(g, r->stage, "h_n", r->stage->sublayer));
    if (is_lstm)
        rnn_onnx_add_node_output(g, node, sublayer_state(g, r->stage, "c_n", r->stage->sublayer));
    return node;
}

/* From [T][directions][N][H] to [T][N][directions * H]. */
static const char *join_directions(const recurrent *r, const char *output)
{
    rnn_onnx_graph *g = r->flow->graph;
    const int64_t order[] = {0, 2, 1, 3}, sizes[] = {0, 0, -1}; /* 0: as it is */
    const char *side_by_side;

    if (r->stage->n_directions == 1)
        return rnn_onnx_apply_on_axis(g, "Squeeze", output, 1);
    side_by_side = rnn_onnx_apply(g, "Transpose", output, NULL);
    rnn_onnx_set_integers(g, rnn_onnx_last_node(g), "perm", order, 4);
    return rnn_onnx_apply(g, "Reshape", side_by_side,
                          rnn_onnx_integers(g, rnn_onnx_text(g, "%s.sizes", r->name), sizes, 3));
}

static void set_attributes(const recurrent *r, Onnx__NodeProto *node)
{
    rnn_onnx_graph *g = r->flow->graph;
    const char *const activations[] = {r->form->activation, r->form->activation};

    rnn_onnx_set_integer(g, node, "hidden_size", (int64_t)r->n_hid);
    rnn_onnx_set_text(g, node, "direction",
                      r->stage->n_directions > 1 ? "bidirectional" : "forward");
    if (r->form->activation != NULL)
        rnn_onnx_set_texts(g, node, "activations", activations, r->stage->n_directions);
    if (rnn_layer_cell(r->stage->cfg) == RNN_CELL_GRU) /* torch: the reset gate acts on W h + b */
        rnn_onnx_set_integer(g, node, "linear_before_reset", 1);
}

static rnn_status add_recurrent(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    const rnn_layer_cfg *cfg = stage->cfg;
    rnn_cell cell = rnn_layer_cell(cfg);
    recurrent r = {.flow = flow,
                   .stage = stage,
                   .form = form_of(cell),
                   .n_gates = rnn_cell_gates(cell),
                   .n_hid = (size_t)cfg->hidden_size};
    const char *output;

    if (cfg->proj_size > 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "layer %zu (%s): proj_size is %" PRId64
                        ", but the LSTM of ONNX has no projection",
                        stage->layer, rnn_layer_type_name(cfg->type), cfg->proj_size);
    r.name = rnn_onnx_text(flow->graph, "%zu_%s.l%zu", stage->layer, rnn_layer_type_name(cfg->type),
                           stage->sublayer);
    output = rnn_onnx_text(flow->graph, "%s.Y", r.name);
    set_attributes(&r, add_recurrent_node(&r, cell == RNN_CELL_LSTM, output));
    give_state(&r, "h_n");
    if (cell == RNN_CELL_LSTM)
        give_state(&r, "c_n");
    flow->value = join_directions(&r, output);
    return RNN_OK;
}

/* -- Any stage --------------------------------------------------------------------------------- */

rnn_status rnn_onnx_add_stage(rnn_onnx_flow *flow, const rnn_stage *stage)
{
    switch (stage->kind) {
    case RNN_STAGE_RECURRENT:
        return add_recurrent(flow, stage);
    case RNN_STAGE_LINEAR:
    case RNN_STAGE_TIED:
        add_linear(flow, stage);
        break;
    case RNN_STAGE_SELECT:
        rnn_onnx_add_select(flow, (rnn_select)stage->cfg->step);
        break;
    case RNN_STAGE_EMBEDDING:
        add_embedding(flow, stage);
        break;
    case RNN_STAGE_ONEHOT:
        add_onehot(flow, stage);
        break;
    case RNN_STAGE_ACTIVATION:
        add_activation(flow, stage);
        break;
    case RNN_STAGE_LAYERNORM:
        add_layernorm(flow, stage);
        break;
    case RNN_STAGE_DROPOUT: /* nothing, but in training */
        break;
    }
    return RNN_OK;
}
