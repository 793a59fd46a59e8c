#include "framework/onnx_graph.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/file_io.h"
#include "kernels/memory.h"

enum { MAX_METADATA = 16 };

struct rnn_onnx_graph {
    rnn_status st;
    void **blocks; /* of memory that everything below points to */
    size_t n_blocks, max_blocks;
    Onnx__GraphProto graph;
    size_t max_nodes, max_initializers, max_inputs, max_outputs;
    Onnx__StringStringEntryProto *metadata[MAX_METADATA];
    size_t n_metadata;
};

rnn_status rnn_onnx_graph_create(rnn_onnx_graph **out)
{
    RNN_TRY(RNN_ALLOC(out, 1, "an ONNX model"));
    onnx__graph_proto__init(&(*out)->graph);
    return RNN_OK;
}

void rnn_onnx_graph_destroy(rnn_onnx_graph **graph)
{
    rnn_onnx_graph *g = *graph;

    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_blocks; i++)
        rnn_free(g->blocks[i]);
    rnn_free(g->blocks);
    rnn_free(g->graph.node);
    rnn_free(g->graph.initializer);
    rnn_free(g->graph.input);
    rnn_free(g->graph.output);
    rnn_free(g);
    *graph = NULL;
}

/* -- Memory ------------------------------------------------------------------------------------ */

/* Whether all is well so far; notes it if `st` is the first failure. */
static bool go_on(rnn_onnx_graph *g, rnn_status st)
{
    if (g->st == RNN_OK)
        g->st = st;
    return g->st == RNN_OK;
}

void *rnn_onnx_memory(rnn_onnx_graph *g, size_t count, size_t size)
{
    static const char what[] = "an ONNX model";

    if (!go_on(g, RNN_OK) ||
        !go_on(g, RNN_GROW(&g->blocks, &g->max_blocks, g->n_blocks, g->n_blocks + 1, what)) ||
        !go_on(g, rnn_alloc(&g->blocks[g->n_blocks], count, size, what)))
        return NULL;
    return g->blocks[g->n_blocks++];
}

/* Room for one more in an array of pointers. */
static bool make_room(rnn_onnx_graph *g, void *array, size_t *room, size_t used)
{
    return go_on(g, RNN_OK) &&
           go_on(g, rnn_grow(array, room, used, used + 1, sizeof(void *), "an ONNX model"));
}

const char *rnn_onnx_text(rnn_onnx_graph *g, const char *format, ...)
{
    va_list args;
    int length;
    char *text;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = rnn_onnx_memory(g, (size_t)length + 1, 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

/* The generated structs have plain char pointers. */
static char *copy_text(rnn_onnx_graph *g, const char *text)
{
    char *copy = text != NULL ? rnn_onnx_memory(g, strlen(text) + 1, 1) : NULL;

    if (copy != NULL)
        memcpy(copy, text, strlen(text) + 1);
    return copy;
}

/* -- Values ------------------------------------------------------------------------------------ */

static bool set_dim(rnn_onnx_graph *g, Onnx__TensorShapeProto *shape, const rnn_onnx_dim *dim)
{
    Onnx__TensorShapeProto__Dimension *d = rnn_onnx_memory(g, 1, sizeof *d);

    if (d == NULL)
        return false;
    onnx__tensor_shape_proto__dimension__init(d);
    if (dim->name != NULL) {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = copy_text(g, dim->name);
    } else {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = (int64_t)dim->size;
    }
    shape->dim[shape->n_dim++] = d;
    return true;
}

static Onnx__TypeProto *make_type(rnn_onnx_graph *g, const rnn_onnx_value *value)
{
    Onnx__TypeProto *type = rnn_onnx_memory(g, 1, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = rnn_onnx_memory(g, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = rnn_onnx_memory(g, 1, sizeof *shape);
    void *dims = rnn_onnx_memory(g, RNN_ONNX_MAX_DIMS, sizeof *shape->dim);

    if (dims == NULL)
        return NULL;
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)value->type;
    tensor->shape = shape;
    shape->dim = dims;
    for (size_t i = 0; i < value->n_dims; i++)
        if (!set_dim(g, shape, &value->dims[i]))
            return NULL;
    return type;
}

static Onnx__ValueInfoProto *make_value(rnn_onnx_graph *g, const rnn_onnx_value *value)
{
    Onnx__ValueInfoProto *info = rnn_onnx_memory(g, 1, sizeof *info);

    if (info == NULL)
        return NULL;
    onnx__value_info_proto__init(info);
    info->name = copy_text(g, value->name);
    info->doc_string = copy_text(g, value->doc);
    info->type = make_type(g, value);
    return info;
}

void rnn_onnx_add_input(rnn_onnx_graph *g, const rnn_onnx_value *value)
{
    if (make_room(g, &g->graph.input, &g->max_inputs, g->graph.n_input))
        g->graph.input[g->graph.n_input++] = make_value(g, value);
}

void rnn_onnx_add_output(rnn_onnx_graph *g, const rnn_onnx_value *value)
{
    if (make_room(g, &g->graph.output, &g->max_outputs, g->graph.n_output))
        g->graph.output[g->graph.n_output++] = make_value(g, value);
}

/* A constant without values yet. */
static Onnx__TensorProto *add_tensor(rnn_onnx_graph *g, const char *name,
                                     Onnx__TensorProto__DataType type, const size_t *dims,
                                     size_t n_dims)
{
    Onnx__TensorProto *tensor = rnn_onnx_memory(g, 1, sizeof *tensor);
    int64_t *sizes = rnn_onnx_memory(g, RNN_ONNX_MAX_DIMS, sizeof *sizes);

    if (sizes == NULL ||
        !make_room(g, &g->graph.initializer, &g->max_initializers, g->graph.n_initializer))
        return NULL;
    onnx__tensor_proto__init(tensor);
    tensor->name = copy_text(g, name);
    tensor->has_data_type = true;
    tensor->data_type = (int32_t)type;
    tensor->dims = sizes;
    tensor->n_dims = n_dims;
    for (size_t i = 0; i < n_dims; i++)
        sizes[i] = (int64_t)dims[i];
    g->graph.initializer[g->graph.n_initializer++] = tensor;
    return tensor;
}

const char *rnn_onnx_floats(rnn_onnx_graph *g, const char *name, const float *values,
                            const size_t *dims, size_t n_dims)
{
    Onnx__TensorProto *tensor =
        add_tensor(g, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, dims, n_dims);

    if (tensor == NULL)
        return NULL;
    tensor->n_float_data = 1;
    for (size_t i = 0; i < n_dims; i++)
        tensor->n_float_data *= dims[i];
    tensor->float_data = (float *)values; /* packing only reads it */
    return tensor->name;
}

const char *rnn_onnx_doubles(rnn_onnx_graph *g, const char *name, const double *values,
                             size_t count)
{
    Onnx__TensorProto *tensor =
        add_tensor(g, name, ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, &count, 1);

    if (tensor == NULL)
        return NULL;
    tensor->n_double_data = count;
    tensor->double_data = (double *)values; /* packing only reads it */
    return tensor->name;
}

static const char *add_integers(rnn_onnx_graph *g, const char *name, const int64_t *values,
                                size_t count, size_t n_dims)
{
    Onnx__TensorProto *tensor =
        add_tensor(g, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, &count, n_dims);
    int64_t *copy = rnn_onnx_memory(g, count, sizeof *copy);

    if (copy == NULL)
        return NULL;
    memcpy(copy, values, count * sizeof *copy);
    tensor->n_int64_data = count;
    tensor->int64_data = copy;
    return tensor->name;
}

const char *rnn_onnx_integers(rnn_onnx_graph *g, const char *name, const int64_t *values,
                              size_t count)
{
    return add_integers(g, name, values, count, 1);
}

const char *rnn_onnx_integer(rnn_onnx_graph *g, const char *name, int64_t value)
{
    return add_integers(g, name, &value, 1, 0);
}

const char *rnn_onnx_float(rnn_onnx_graph *g, const char *name, float value)
{
    float *copy = rnn_onnx_memory(g, 1, sizeof *copy);

    if (copy == NULL)
        return NULL;
    *copy = value;
    return rnn_onnx_floats(g, name, copy, NULL, 0);
}

/* -- Nodes ------------------------------------------------------------------------------------- */

static size_t count_texts(const char *const *texts)
{
    size_t n = 0;

    while (texts[n] != NULL)
        n++;
    return n;
}

Onnx__NodeProto *rnn_onnx_add_node(rnn_onnx_graph *g, const char *op, const char *output,
                                   const char *const *inputs)
{
    Onnx__NodeProto *node = rnn_onnx_memory(g, 1, sizeof *node);
    size_t n_inputs = count_texts(inputs);
    void *in = rnn_onnx_memory(g, n_inputs, sizeof *node->input);
    void *out = rnn_onnx_memory(g, RNN_ONNX_MAX_OUTPUTS, sizeof *node->output);
    void *attributes = rnn_onnx_memory(g, RNN_ONNX_MAX_ATTRIBUTES, sizeof *node->attribute);

    if (attributes == NULL || !make_room(g, &g->graph.node, &g->max_nodes, g->graph.n_node))
        return NULL;
    onnx__node_proto__init(node);
    node->input = in;
    node->output = out;
    node->attribute = attributes;
    node->op_type = copy_text(g, op);
    node->name = copy_text(g, output);
    for (; node->n_input < n_inputs; node->n_input++)
        node->input[node->n_input] = copy_text(g, inputs[node->n_input]);
    rnn_onnx_add_node_output(g, node, output);
    g->graph.node[g->graph.n_node++] = node;
    return node;
}

void rnn_onnx_add_node_output(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *output)
{
    if (node != NULL)
        node->output[node->n_output++] = copy_text(g, output);
}

Onnx__NodeProto *rnn_onnx_last_node(rnn_onnx_graph *g)
{
    return go_on(g, RNN_OK) ? g->graph.node[g->graph.n_node - 1] : NULL;
}

const char *rnn_onnx_apply(rnn_onnx_graph *g, const char *op, const char *a, const char *b)
{
    const char *const inputs[] = {a, b, NULL};
    const char *output = rnn_onnx_text(g, "%s_%zu", op, g->graph.n_node);

    rnn_onnx_add_node(g, op, output, inputs);
    return output;
}

static Onnx__AttributeProto *add_attribute(rnn_onnx_graph *g, Onnx__NodeProto *node,
                                           const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute =
        node != NULL ? rnn_onnx_memory(g, 1, sizeof *attribute) : NULL;

    if (attribute == NULL)
        return NULL;
    onnx__attribute_proto__init(attribute);
    attribute->name = copy_text(g, name);
    attribute->has_type = true;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

void rnn_onnx_set_integer(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a =
        add_attribute(g, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (a == NULL)
        return;
    a->has_i = true;
    a->i = value;
}

void rnn_onnx_set_float(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *a =
        add_attribute(g, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    if (a == NULL)
        return;
    a->has_f = true;
    a->f = value;
}

static ProtobufCBinaryData to_bytes(rnn_onnx_graph *g, const char *text)
{
    char *copy = copy_text(g, text);

    return (ProtobufCBinaryData){.len = copy != NULL ? strlen(text) : 0, .data = (uint8_t *)copy};
}

void rnn_onnx_set_text(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *name, const char *text)
{
    Onnx__AttributeProto *a =
        add_attribute(g, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    if (a == NULL)
        return;
    a->has_s = true;
    a->s = to_bytes(g, text);
}

void rnn_onnx_set_integers(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *name,
                           const int64_t *values, size_t count)
{
    Onnx__AttributeProto *a =
        add_attribute(g, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *copy = rnn_onnx_memory(g, count, sizeof *copy);

    if (a == NULL || copy == NULL)
        return;
    memcpy(copy, values, count * sizeof *copy);
    a->ints = copy;
    a->n_ints = count;
}

void rnn_onnx_set_texts(rnn_onnx_graph *g, Onnx__NodeProto *node, const char *name,
                        const char *const *texts, size_t count)
{
    Onnx__AttributeProto *a =
        add_attribute(g, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    ProtobufCBinaryData *copies = rnn_onnx_memory(g, count, sizeof *copies);

    if (a == NULL || copies == NULL)
        return;
    a->strings = copies;
    for (; a->n_strings < count; a->n_strings++)
        copies[a->n_strings] = to_bytes(g, texts[a->n_strings]);
}

/* -- The whole --------------------------------------------------------------------------------- */

void rnn_onnx_add_metadata(rnn_onnx_graph *g, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = rnn_onnx_memory(g, 1, sizeof *entry);

    if (entry == NULL)
        return;
    if (g->n_metadata == MAX_METADATA) {
        (void)go_on(g, RNN_FAIL(RNN_ERR_INTERNAL, "an ONNX model has more than %d properties",
                                MAX_METADATA));
        return;
    }
    onnx__string_string_entry_proto__init(entry);
    entry->key = copy_text(g, key);
    entry->value = copy_text(g, value);
    g->metadata[g->n_metadata++] = entry;
}

static rnn_status write_model(const Onnx__ModelProto *model, const char *path)
{
    size_t n_bytes = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes;
    rnn_status st;

    if (n_bytes > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: the model would have %zu bytes; an ONNX file has at most %d", path,
                        n_bytes, INT32_MAX);
    RNN_TRY(RNN_ALLOC(&bytes, n_bytes, "an ONNX file"));
    onnx__model_proto__pack(model, bytes);
    st = rnn_file_write(path, bytes, n_bytes);
    rnn_free(bytes);
    return st;
}

rnn_status rnn_onnx_graph_write(rnn_onnx_graph *g, const char *name, const char *doc,
                                const char *path)
{
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};

    g->graph.name = copy_text(g, name);
    model.doc_string = copy_text(g, doc);
    model.producer_name = copy_text(g, "rnntrain");
    model.producer_version = copy_text(g, RNN_VERSION);
    opset.domain = copy_text(g, "");
    RNN_TRY(g->st);
    opset.has_version = model.has_ir_version = true;
    opset.version = RNN_ONNX_OPSET;
    model.ir_version = RNN_ONNX_IR_VERSION;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.graph = &g->graph;
    model.n_metadata_props = g->n_metadata;
    model.metadata_props = g->metadata;
    return write_model(&model, path);
}
