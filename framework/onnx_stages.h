/*
 * The stages of a model as nodes of an ONNX graph. Private to onnx.c and onnx_stages.c.
 */
#ifndef RNN_FRAMEWORK_ONNX_STAGES_H
#define RNN_FRAMEWORK_ONNX_STAGES_H

#include <stdbool.h>

#include "framework/model.h"
#include "framework/onnx_graph.h"
#include "kernels/status.h"

extern const char rnn_onnx_lengths[]; /* the name of the graph's input */

/* What flows from node to node. */
typedef struct rnn_onnx_flow {
    rnn_onnx_graph *graph;
    const rnn_model *model;
    const float *params;
    bool has_lengths;
    const char *value; /* [T][N][n_features], [N][n_features] once a step was selected */
    const char *mask;  /* [T][N][1] whether a step is valid; NULL: not needed so far */
} rnn_onnx_flow;

/* Adds what a stage does to the value. RNN_ERR_DATA, naming the layer, if ONNX has no operator for
 * it; other failures stick to the graph. */
rnn_status rnn_onnx_add_stage(rnn_onnx_flow *flow, const rnn_stage *stage);

/* The same for a select layer alone. */
void rnn_onnx_add_select(rnn_onnx_flow *flow, rnn_select step);

/* `value` with `other`, a single float, in place of steps past the ends; the value must still be a
 * sequence. */
const char *rnn_onnx_fill_past_ends(rnn_onnx_flow *flow, const char *value, const char *name,
                                    float other);

/* A node of `op` on the axis `axis`, as a second input: Squeeze, Unsqueeze and such. */
const char *rnn_onnx_apply_on_axis(rnn_onnx_graph *graph, const char *op, const char *value,
                                   int64_t axis);

/* The value with T and N changed places. */
const char *rnn_onnx_swap_first(rnn_onnx_graph *graph, const char *value, size_t n_dims);

/* The value in another type. */
const char *rnn_onnx_cast(rnn_onnx_graph *graph, const char *value,
                          Onnx__TensorProto__DataType type);

#endif
