/*
 * An ONNX model while it is put together, and as the bytes of a file. What the operators mean is
 * for framework/onnx.c; this only knows how they are written down.
 *
 * A failure sticks: functions that find one give NULL or nothing, accept the NULL of others, and
 * rnn_onnx_graph_write tells. Texts are copied, arrays of weights are lent until then.
 */
#ifndef RNN_FRAMEWORK_ONNX_GRAPH_H
#define RNN_FRAMEWORK_ONNX_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"
#include "onnx.pb-c.h"

enum {
    /* The newest that onnx 1.12 knows, and the first with LayerNormalization. */
    RNN_ONNX_OPSET = 17,
    RNN_ONNX_IR_VERSION = 8,
    RNN_ONNX_MAX_DIMS = 3
};

typedef struct rnn_onnx_graph rnn_onnx_graph;

rnn_status rnn_onnx_graph_create(rnn_onnx_graph **out);
void rnn_onnx_graph_destroy(rnn_onnx_graph **graph);

/* A text in printf form, such as a value's name; lent as long as the graph lives. */
const char *rnn_onnx_text(rnn_onnx_graph *graph, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

/* -- Values ------------------------------------------------------------------------------------ */

/* One side of a tensor: its size, or the name of one that is free. */
typedef struct rnn_onnx_dim {
    const char *name; /* NULL: the size counts */
    size_t size;
} rnn_onnx_dim;

/* An input or output of the graph. */
typedef struct rnn_onnx_value {
    const char *name, *doc;
    Onnx__TensorProto__DataType type;
    rnn_onnx_dim dims[RNN_ONNX_MAX_DIMS];
    size_t n_dims;
} rnn_onnx_value;

void rnn_onnx_add_input(rnn_onnx_graph *graph, const rnn_onnx_value *value);
void rnn_onnx_add_output(rnn_onnx_graph *graph, const rnn_onnx_value *value);

/* Constants, called `name`; they give it back. Without dims it is a single value. */
const char *rnn_onnx_floats(rnn_onnx_graph *graph, const char *name, const float *values,
                            const size_t *dims, size_t n_dims);
const char *rnn_onnx_doubles(rnn_onnx_graph *graph, const char *name, const double *values,
                             size_t count);
const char *rnn_onnx_integers(rnn_onnx_graph *graph, const char *name, const int64_t *values,
                              size_t count);
const char *rnn_onnx_integer(rnn_onnx_graph *graph, const char *name, int64_t value);
const char *rnn_onnx_float(rnn_onnx_graph *graph, const char *name, float value);

/* Memory that lives as long as the graph, zeroed. */
void *rnn_onnx_memory(rnn_onnx_graph *graph, size_t count, size_t size);

/* -- Nodes ------------------------------------------------------------------------------------- */

enum { RNN_ONNX_MAX_OUTPUTS = 3, RNN_ONNX_MAX_ATTRIBUTES = 4 };

/* A node with one output, named after it. `inputs` end with NULL. */
Onnx__NodeProto *rnn_onnx_add_node(rnn_onnx_graph *graph, const char *op, const char *output,
                                   const char *const *inputs);

/* Further outputs; "" stands for one that nobody wants. */
void rnn_onnx_add_node_output(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *output);

/* The same as rnn_onnx_add_node with a name made up, which it returns; b may be NULL. */
const char *rnn_onnx_apply(rnn_onnx_graph *graph, const char *op, const char *a, const char *b);

/* The node added last. */
Onnx__NodeProto *rnn_onnx_last_node(rnn_onnx_graph *graph);

void rnn_onnx_set_integer(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *name,
                          int64_t value);
void rnn_onnx_set_float(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *name,
                        float value);
void rnn_onnx_set_text(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *name,
                       const char *text);
void rnn_onnx_set_integers(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *name,
                           const int64_t *values, size_t count);
void rnn_onnx_set_texts(rnn_onnx_graph *graph, Onnx__NodeProto *node, const char *name,
                        const char *const *texts, size_t count);

/* -- The whole --------------------------------------------------------------------------------- */

/* A pair of metadata_props. */
void rnn_onnx_add_metadata(rnn_onnx_graph *graph, const char *key, const char *value);

/*
 * Writes the model to `path`, whole or not at all. RNN_ERR_DATA if it is larger than the 2 GiB that
 * the format can have in one file, RNN_ERR_IO, RNN_ERR_MEMORY.
 */
rnn_status rnn_onnx_graph_write(rnn_onnx_graph *graph, const char *name, const char *doc,
                                const char *path);

#endif
