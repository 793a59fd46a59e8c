#include "framework/onnx.h"

#include "framework/onnx_graph.h"
#include "framework/onnx_stages.h"

/* [T][N][n], [N][T][n] or [N][n]; without the last where n is 0. */
static void set_dims(rnn_onnx_value *value, bool is_single, bool batch_first, size_t n)
{
    value->n_dims = 0;
    if (!is_single && !batch_first)
        value->dims[value->n_dims++].name = "T";
    value->dims[value->n_dims++].name = "N";
    if (!is_single && batch_first)
        value->dims[value->n_dims++].name = "T";
    if (n > 0)
        value->dims[value->n_dims++] = (rnn_onnx_dim){NULL, n};
}

/* One operation with a number for each feature. */
typedef struct scaling_step {
    const char *operation, *name;
    const double *numbers; /* [n] */
} scaling_step;

/* Computes in double, as the readers of data do, so that a large mean costs no digits. */
static const char *scale(rnn_onnx_graph *g, const char *value, size_t n, scaling_step first,
                         scaling_step second)
{
    value = rnn_onnx_cast(g, value, ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE);
    value = rnn_onnx_apply(g, first.operation, value,
                           rnn_onnx_doubles(g, first.name, first.numbers, n));
    value = rnn_onnx_apply(g, second.operation, value,
                           rnn_onnx_doubles(g, second.name, second.numbers, n));
    return rnn_onnx_cast(g, value, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
}

/* -- Input ------------------------------------------------------------------------------------- */

static void add_inputs(rnn_onnx_flow *flow, const rnn_onnx_cfg *cfg)
{
    rnn_onnx_graph *g = flow->graph;
    rnn_shape input = rnn_model_input(cfg->model);
    bool batch_first = rnn_model_is_batch_first(cfg->model, false), is_tokens = input.n_tokens > 0;
    rnn_onnx_value x = {.name = "x",
                        .doc = cfg->x_doc,
                        .type = is_tokens ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64
                                          : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT};
    const rnn_onnx_value lengths = {.name = rnn_onnx_lengths,
                                    .doc = "steps of each sequence, 1 to T",
                                    .type = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
                                    .dims = {{"N", 0}},
                                    .n_dims = 1};

    set_dims(&x, input.is_single, batch_first, is_tokens ? 0 : input.n_features);
    rnn_onnx_add_input(g, &x);
    if (cfg->has_lengths)
        rnn_onnx_add_input(g, &lengths);
    flow->value = x.name;
    if (cfg->x_offset != NULL)
        flow->value = scale(g, flow->value, input.n_features,
                            (scaling_step){"Sub", "x_offset", cfg->x_offset},
                            (scaling_step){"Div", "x_scale", cfg->x_scale});
    if (batch_first)
        flow->value = rnn_onnx_swap_first(g, flow->value, x.n_dims);
}

/* -- Output ------------------------------------------------------------------------------------ */

/* An output of the graph from a value in our order. */
static void add_output(rnn_onnx_flow *flow, const char *from, const char *name, const char *doc,
                       bool is_single)
{
    bool batch_first = rnn_model_is_batch_first(flow->model, true);
    rnn_onnx_value value = {.name = name, .doc = doc, .type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT};

    set_dims(&value, is_single, batch_first, rnn_model_output(flow->model).n_features);
    if (!is_single && flow->has_lengths)
        from = rnn_onnx_fill_past_ends(flow, from, name, 0.0f);
    if (!is_single && batch_first)
        from = rnn_onnx_swap_first(flow->graph, from, 3);
    rnn_onnx_add_node(flow->graph, "Identity", name, (const char *const[]){from, NULL});
    rnn_onnx_add_output(flow->graph, &value);
}

static void add_probability(rnn_onnx_flow *flow, const rnn_onnx_cfg *cfg, bool is_single)
{
    rnn_onnx_graph *g = flow->graph;
    bool is_classes = cfg->answer == RNN_ONNX_CLASSES;
    const char *p = rnn_onnx_apply(g, is_classes ? "Softmax" : "Sigmoid", flow->value, NULL);

    if (is_classes)
        rnn_onnx_set_integer(g, rnn_onnx_last_node(g), "axis", -1);
    add_output(flow, p, "probability", is_classes ? "of each class" : "of each mark", is_single);
}

static void add_outputs(rnn_onnx_flow *flow, const rnn_onnx_cfg *cfg)
{
    bool is_single = rnn_model_output(cfg->model).is_single;
    const char *y;

    if (!is_single && cfg->only_last_step) {
        rnn_onnx_add_select(flow, RNN_SELECT_LAST);
        is_single = true;
    }
    y = flow->value;
    if (cfg->y_offset != NULL)
        y = scale(flow->graph, y, rnn_model_output(cfg->model).n_features,
                  (scaling_step){"Mul", "y_scale", cfg->y_scale},
                  (scaling_step){"Add", "y_offset", cfg->y_offset});
    add_output(flow, y, "y",
               cfg->answer == RNN_ONNX_VALUES ? "answers, in the data's units"
                                              : "scores before softmax or sigmoid",
               is_single);
    if (cfg->answer != RNN_ONNX_VALUES)
        add_probability(flow, cfg, is_single);
}

/* -- The whole --------------------------------------------------------------------------------- */

static rnn_status fill(rnn_onnx_graph *g, const rnn_onnx_cfg *cfg)
{
    rnn_onnx_flow flow = {
        .graph = g, .model = cfg->model, .params = cfg->params, .has_lengths = cfg->has_lengths};

    add_inputs(&flow, cfg);
    for (size_t i = 0; i < rnn_model_n_stages(cfg->model); i++)
        RNN_TRY(rnn_onnx_add_stage(&flow, rnn_model_stage(cfg->model, i)));
    add_outputs(&flow, cfg);
    for (size_t i = 0; i < cfg->n_properties; i++)
        rnn_onnx_add_metadata(g, cfg->properties[i].key, cfg->properties[i].value);
    return RNN_OK;
}

rnn_status rnn_onnx_write(const char *path, const rnn_onnx_cfg *cfg)
{
    rnn_onnx_graph *graph;
    rnn_status st;

    RNN_TRY(rnn_onnx_graph_create(&graph));
    st = fill(graph, cfg);
    if (st == RNN_OK)
        st = rnn_onnx_graph_write(graph, "rnntrain", cfg->doc, path);
    rnn_onnx_graph_destroy(&graph);
    return st;
}
