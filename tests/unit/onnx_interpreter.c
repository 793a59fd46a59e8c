#include "tests/unit/onnx_interpreter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/file_io.h"
#include "kernels/memory.h"

/* -- Values ------------------------------------------------------------------------------------ */

static size_t count_of(const onnx_value *v)
{
    size_t count = 1;

    for (size_t i = 0; i < v->n_dims; i++)
        count *= v->dims[i];
    return count;
}

static onnx_value *add(onnx_run *run, const char *name, const size_t *dims, size_t n_dims)
{
    onnx_value *v = &run->values[run->n_values++];

    assert_true(run->n_values <= ONNX_MAX_VALUES && n_dims <= ONNX_MAX_DIMS);
    for (size_t i = 0; i + 1 < run->n_values; i++)
        if (strcmp(run->values[i].name, name) == 0)
            fail_msg("%s is given twice", name);
    v->name = name;
    v->n_dims = n_dims;
    for (size_t i = 0; i < n_dims; i++)
        v->dims[i] = dims[i];
    v->values = calloc(count_of(v) + 1, sizeof *v->values);
    return v;
}

const onnx_value *onnx_find(const onnx_run *run, const char *name)
{
    for (size_t i = 0; i < run->n_values; i++)
        if (strcmp(run->values[i].name, name) == 0)
            return &run->values[i];
    fail_msg("no value %s has been computed", name);
    return NULL;
}

static void add_initializer(onnx_run *run, const Onnx__TensorProto *t)
{
    size_t dims[ONNX_MAX_DIMS];
    onnx_value *v;

    for (size_t i = 0; i < t->n_dims; i++)
        dims[i] = (size_t)t->dims[i];
    v = add(run, t->name, dims, t->n_dims);
    assert_int_equal(count_of(v), t->n_float_data + t->n_double_data + t->n_int64_data);
    for (size_t i = 0; i < t->n_float_data; i++)
        v->values[i] = (double)t->float_data[i];
    for (size_t i = 0; i < t->n_double_data; i++)
        v->values[i] = t->double_data[i];
    for (size_t i = 0; i < t->n_int64_data; i++)
        v->values[i] = (double)t->int64_data[i];
}

void onnx_open(onnx_run *run, const char *path)
{
    void *bytes;
    size_t n_bytes;

    *run = (onnx_run){.n_values = 0};
    assert_int_equal(rnn_file_read(path, 1 << 24, &bytes, &n_bytes), RNN_OK);
    run->model = onnx__model_proto__unpack(NULL, n_bytes, bytes);
    rnn_free(bytes);
    assert_non_null(run->model);
    for (size_t i = 0; i < run->model->graph->n_initializer; i++)
        add_initializer(run, run->model->graph->initializer[i]);
}

void onnx_close(onnx_run *run)
{
    for (size_t i = 0; i < run->n_values; i++)
        free(run->values[i].values);
    onnx__model_proto__free_unpacked(run->model, NULL);
}

double *onnx_give(onnx_run *run, const char *name, const size_t *dims, size_t n_dims)
{
    const Onnx__GraphProto *graph = run->model->graph;

    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TensorShapeProto *shape = graph->input[i]->type->tensor_type->shape;

        if (strcmp(graph->input[i]->name, name) != 0)
            continue;
        assert_int_equal(shape->n_dim, n_dims);
        for (size_t d = 0; d < n_dims; d++)
            if (shape->dim[d]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
                assert_int_equal(shape->dim[d]->dim_value, dims[d]);
        return add(run, graph->input[i]->name, dims, n_dims)->values;
    }
    fail_msg("the graph has no input %s", name);
    return NULL;
}

const char *onnx_property(const onnx_run *run, const char *key)
{
    for (size_t i = 0; i < run->model->n_metadata_props; i++)
        if (strcmp(run->model->metadata_props[i]->key, key) == 0)
            return run->model->metadata_props[i]->value;
    fail_msg("the file has no property %s", key);
    return NULL;
}

/* -- Nodes ------------------------------------------------------------------------------------- */

/* A node with its inputs; those left out are NULL. */
typedef struct call {
    onnx_run *run;
    const Onnx__NodeProto *node;
    const onnx_value *in[8];
} call;

static const Onnx__AttributeProto *attribute(const call *c, const char *name)
{
    for (size_t i = 0; i < c->node->n_attribute; i++)
        if (strcmp(c->node->attribute[i]->name, name) == 0)
            return c->node->attribute[i];
    return NULL;
}

static int64_t integer(const call *c, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *a = attribute(c, name);

    assert_true(a == NULL || (a->has_i && a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT));
    return a != NULL ? a->i : otherwise;
}

static onnx_value *give(const call *c, const size_t *dims, size_t n_dims)
{
    return add(c->run, c->node->output[0], dims, n_dims);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* -- Element by element, with NumPy's rules for shapes ----------------------------------------- */

static void widen(onnx_value *shape, const onnx_value *v)
{
    size_t n = v->n_dims > shape->n_dims ? v->n_dims : shape->n_dims;
    onnx_value wide = {.n_dims = n};

    for (size_t i = 0; i < n; i++) {
        size_t a = i < n - shape->n_dims ? 1 : shape->dims[i - (n - shape->n_dims)];
        size_t b = i < n - v->n_dims ? 1 : v->dims[i - (n - v->n_dims)];

        assert_true(a == b || a == 1 || b == 1);
        wide.dims[i] = a == 1 ? b : a;
    }
    *shape = wide;
}

/* Element i of `shape`, out of a value with fewer. */
static double element(const onnx_value *v, const onnx_value *shape, size_t i)
{
    size_t place = 0, stride = 1;

    for (size_t d = 0; d < shape->n_dims; d++) {
        size_t axis = shape->n_dims - 1 - d, at = i % shape->dims[axis];

        i /= shape->dims[axis];
        if (d >= v->n_dims)
            continue;
        place += v->dims[v->n_dims - 1 - d] > 1 ? at * stride : 0;
        stride *= v->dims[v->n_dims - 1 - d];
    }
    return v->values[place];
}

static bool compute_elements(const call *c)
{
    const char *op = c->node->op_type;
    onnx_value shape = {.n_dims = 0}, *y;
    bool is_where = strcmp(op, "Where") == 0;

    for (size_t i = 0; i < c->node->n_input; i++)
        widen(&shape, c->in[i]);
    y = give(c, shape.dims, shape.n_dims);
    for (size_t i = 0; i < count_of(y); i++) {
        double a = element(c->in[0], &shape, i);
        double b = c->node->n_input > 1 ? element(c->in[1], &shape, i) : 0.0;

        if (is_where)
            y->values[i] = a != 0.0 ? b : element(c->in[2], &shape, i);
        else if (strcmp(op, "Add") == 0)
            y->values[i] = a + b;
        else if (strcmp(op, "Sub") == 0)
            y->values[i] = a - b;
        else if (strcmp(op, "Mul") == 0)
            y->values[i] = a * b;
        else if (strcmp(op, "Div") == 0)
            y->values[i] = a / b;
        else if (strcmp(op, "Less") == 0)
            y->values[i] = a < b;
        else if (strcmp(op, "Tanh") == 0)
            y->values[i] = tanh(a);
        else if (strcmp(op, "Relu") == 0)
            y->values[i] = a > 0.0 ? a : 0.0;
        else if (strcmp(op, "Sigmoid") == 0)
            y->values[i] = sigmoid(a);
        else if (strcmp(op, "Cast") == 0 || strcmp(op, "Identity") == 0)
            y->values[i] = a;
        else
            return false;
    }
    return true;
}

/* -- Shapes ------------------------------------------------------------------------------------ */

static void copy_as(const call *c, const size_t *dims, size_t n_dims)
{
    onnx_value *y = give(c, dims, n_dims);

    assert_int_equal(count_of(y), count_of(c->in[0]));
    memcpy(y->values, c->in[0]->values, count_of(y) * sizeof *y->values);
}

/* One axis, which the graph gives as a vector of one. */
static size_t axis_in(const onnx_value *axes, size_t n_dims)
{
    assert_int_equal(count_of(axes), 1);
    assert_int_equal(axes->n_dims, 1);
    assert_true(axes->values[0] >= 0.0 && axes->values[0] < (double)n_dims);
    return (size_t)axes->values[0];
}

static void squeeze(const call *c)
{
    size_t axis = axis_in(c->in[1], c->in[0]->n_dims), dims[ONNX_MAX_DIMS], n = 0;

    assert_int_equal(c->in[0]->dims[axis], 1);
    for (size_t i = 0; i < c->in[0]->n_dims; i++)
        if (i != axis)
            dims[n++] = c->in[0]->dims[i];
    copy_as(c, dims, n);
}

static void unsqueeze(const call *c)
{
    size_t n = c->in[0]->n_dims + 1, axis = axis_in(c->in[1], n), dims[ONNX_MAX_DIMS];

    for (size_t i = 0; i < n; i++)
        dims[i] = i == axis ? 1 : c->in[0]->dims[i < axis ? i : i - 1];
    copy_as(c, dims, n);
}

static void reshape(const call *c)
{
    size_t n = count_of(c->in[1]), dims[ONNX_MAX_DIMS], known = 1, open = n;

    for (size_t i = 0; i < n; i++) {
        double size = c->in[1]->values[i];

        dims[i] = size == 0.0 ? c->in[0]->dims[i] : (size_t)size;
        if (size < 0.0)
            open = i;
        else
            known *= dims[i];
    }
    if (open < n)
        dims[open] = count_of(c->in[0]) / known;
    copy_as(c, dims, n);
}

static void transpose(const call *c)
{
    const Onnx__AttributeProto *perm = attribute(c, "perm");
    const onnx_value *x = c->in[0];
    size_t n = x->n_dims, from[ONNX_MAX_DIMS] = {0}, dims[ONNX_MAX_DIMS] = {0};
    onnx_value *y;

    for (size_t i = 0; i < n; i++) {
        from[i] = perm != NULL ? (size_t)perm->ints[i] : n - 1 - i;
        dims[i] = x->dims[from[i]];
    }
    y = give(c, dims, n);
    for (size_t i = 0; i < count_of(y); i++) {
        size_t at[ONNX_MAX_DIMS] = {0}, rest = i, place = 0;

        for (size_t d = n; d-- > 0; rest /= dims[d])
            at[from[d]] = rest % dims[d];
        for (size_t d = 0; d < n; d++)
            place = place * x->dims[d] + at[d];
        y->values[i] = x->values[place];
    }
}

static void shape(const call *c)
{
    onnx_value *y = give(c, &c->in[0]->n_dims, 1);

    for (size_t i = 0; i < c->in[0]->n_dims; i++)
        y->values[i] = (double)c->in[0]->dims[i];
}

static void range(const call *c)
{
    size_t n = (size_t)((c->in[1]->values[0] - c->in[0]->values[0]) / c->in[2]->values[0]);
    onnx_value *y = give(c, &n, 1);

    assert_int_equal(c->in[0]->n_dims + c->in[1]->n_dims + c->in[2]->n_dims, 0);
    for (size_t i = 0; i < n; i++)
        y->values[i] = c->in[0]->values[0] + (double)i * c->in[2]->values[0];
}

/* Values of one index on the first axis. */
static size_t row_size(const onnx_value *v)
{
    return count_of(v) / v->dims[0];
}

/* On the first axis. */
static void gather(const call *c)
{
    const onnx_value *x = c->in[0], *index = c->in[1];
    size_t dims[ONNX_MAX_DIMS], n = 0, row = row_size(x);
    onnx_value *y;

    assert_int_equal(integer(c, "axis", 0), 0);
    for (size_t i = 0; i < index->n_dims; i++)
        dims[n++] = index->dims[i];
    for (size_t i = 1; i < x->n_dims; i++)
        dims[n++] = x->dims[i];
    y = give(c, dims, n);
    for (size_t i = 0; i < count_of(index); i++) {
        double at = index->values[i] + (index->values[i] < 0.0 ? (double)x->dims[0] : 0.0);

        assert_true(at >= 0.0 && at < (double)x->dims[0]);
        memcpy(y->values + i * row, x->values + (size_t)at * row, row * sizeof *y->values);
    }
}

/* x [N][T][F] at indices [N][1], batch_dims 1: [N][F]. */
static void gather_nd(const call *c)
{
    const onnx_value *x = c->in[0], *index = c->in[1];
    const size_t dims[] = {x->dims[0], x->dims[2]};
    onnx_value *y = give(c, dims, 2);

    assert_int_equal(integer(c, "batch_dims", 0), 1);
    assert_true(x->n_dims == 3 && index->n_dims == 2 && index->dims[1] == 1);
    for (size_t n = 0; n < dims[0]; n++) {
        assert_true(index->values[n] >= 0.0 && index->values[n] < (double)x->dims[1]);
        for (size_t f = 0; f < dims[1]; f++)
            y->values[n * dims[1] + f] =
                x->values[(n * x->dims[1] + (size_t)index->values[n]) * dims[1] + f];
    }
}

static void slice(const call *c)
{
    const onnx_value *x = c->in[0];
    size_t first = (size_t)c->in[1]->values[0], end = (size_t)c->in[2]->values[0];
    size_t dims[ONNX_MAX_DIMS], row = row_size(x);

    assert_int_equal(axis_in(c->in[3], x->n_dims), 0);
    assert_true(first < end && end <= x->dims[0]);
    memcpy(dims, x->dims, sizeof dims);
    dims[0] = end - first;
    memcpy(give(c, dims, x->n_dims)->values, x->values + first * row,
           dims[0] * row * sizeof *x->values);
}

static void concat(const call *c)
{
    size_t dims[ONNX_MAX_DIMS], done = 0;
    onnx_value *y;

    assert_int_equal(integer(c, "axis", 99), 0);
    memcpy(dims, c->in[0]->dims, sizeof dims);
    for (size_t i = 1; i < c->node->n_input; i++)
        dims[0] += c->in[i]->dims[0];
    y = give(c, dims, c->in[0]->n_dims);
    for (size_t i = 0; i < c->node->n_input; i++) {
        memcpy(y->values + done, c->in[i]->values, count_of(c->in[i]) * sizeof *y->values);
        done += count_of(c->in[i]);
    }
    assert_int_equal(done, count_of(y));
}

/* -- Sums and the like ------------------------------------------------------------------------- */

/* Over the first axis, which goes. */
static void reduce(const call *c)
{
    const Onnx__AttributeProto *axes = attribute(c, "axes");
    const char *op = c->node->op_type;
    const onnx_value *x = c->in[0];
    size_t row = row_size(x);
    onnx_value *y = give(c, x->dims + 1, x->n_dims - 1);

    assert_int_equal(integer(c, "keepdims", 1), 0);
    assert_int_equal(axes != NULL ? (size_t)axes->ints[0] : axis_in(c->in[1], x->n_dims), 0);
    for (size_t i = 0; i < row; i++) {
        double sum = 0.0, largest = -INFINITY;

        for (size_t t = 0; t < x->dims[0]; t++) {
            sum += x->values[t * row + i];
            largest = fmax(largest, x->values[t * row + i]);
        }
        y->values[i] = strcmp(op, "ReduceMax") == 0    ? largest
                       : strcmp(op, "ReduceMean") == 0 ? sum / (double)x->dims[0]
                                                       : sum;
    }
}

static void one_hot(const call *c)
{
    size_t depth = (size_t)c->in[1]->values[0], n = count_of(c->in[0]), dims[ONNX_MAX_DIMS];
    onnx_value *y;

    memcpy(dims, c->in[0]->dims, sizeof dims);
    dims[c->in[0]->n_dims] = depth;
    y = give(c, dims, c->in[0]->n_dims + 1);
    for (size_t i = 0; i < n * depth; i++)
        y->values[i] = c->in[2]->values[c->in[0]->values[i / depth] == (double)(i % depth)];
}

/* x [..][K] by w [K][M]. */
static void mat_mul(const call *c)
{
    const onnx_value *x = c->in[0], *w = c->in[1];
    size_t n_in = w->dims[0], n_out = w->dims[1], dims[ONNX_MAX_DIMS];
    onnx_value *y;

    assert_true(w->n_dims == 2 && x->dims[x->n_dims - 1] == n_in);
    memcpy(dims, x->dims, sizeof dims);
    dims[x->n_dims - 1] = n_out;
    y = give(c, dims, x->n_dims);
    for (size_t i = 0; i < count_of(y); i++)
        for (size_t k = 0; k < n_in; k++)
            y->values[i] += x->values[i / n_out * n_in + k] * w->values[k * n_out + i % n_out];
}

static void softmax(const call *c)
{
    const onnx_value *x = c->in[0];
    size_t n = x->dims[x->n_dims - 1];
    onnx_value *y = give(c, x->dims, x->n_dims);

    assert_int_equal(integer(c, "axis", 99), -1);
    for (size_t i = 0; i < count_of(y); i++) {
        double sum = 0.0;

        for (size_t k = 0; k < n; k++)
            sum += exp(x->values[i / n * n + k]);
        y->values[i] = exp(x->values[i]) / sum;
    }
}

static void layer_normalization(const call *c)
{
    const onnx_value *x = c->in[0];
    size_t n = x->dims[x->n_dims - 1];
    onnx_value *y = give(c, x->dims, x->n_dims);

    assert_int_equal(integer(c, "axis", 99), -1);
    for (size_t i = 0; i < count_of(y); i++) {
        const double *row = x->values + i / n * n;
        double mean = 0.0, variance = 0.0;

        for (size_t k = 0; k < n; k++)
            mean += row[k] / (double)n;
        for (size_t k = 0; k < n; k++)
            variance += (row[k] - mean) * (row[k] - mean) / (double)n;
        y->values[i] = (x->values[i] - mean) / sqrt(variance + (double)attribute(c, "epsilon")->f) *
                           c->in[1]->values[i % n] +
                       (c->node->n_input > 2 ? c->in[2]->values[i % n] : 0.0);
    }
}

/* -- RNN, LSTM, GRU ---------------------------------------------------------------------------- */

/* One direction of a node. */
typedef struct direction {
    const double *w, *r, *wb,
        *rb; /* [gates][hidden][in], [gates][hidden][hidden], [gates][hidden] */
    size_t n_in, n_hid;
    const char *op, *activation;
} direction;

static double row_times(const double *row, const double *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += row[i] * x[i];
    return sum;
}

/* Xt W^T + Wb of unit j of a gate, and Ht-1 R^T + Rb. */
static double from_input(const direction *d, size_t gate, size_t j, const double *x)
{
    size_t row = gate * d->n_hid + j;

    return row_times(d->w + row * d->n_in, x, d->n_in) + (d->wb != NULL ? d->wb[row] : 0.0);
}

static double from_state(const direction *d, size_t gate, size_t j, const double *h)
{
    size_t row = gate * d->n_hid + j;

    return row_times(d->r + row * d->n_hid, h, d->n_hid) + (d->rb != NULL ? d->rb[row] : 0.0);
}

static double gate_sum(const direction *d, size_t gate, size_t j, const double *x, const double *h)
{
    return from_input(d, gate, j, x) + from_state(d, gate, j, h);
}

/* h and c become those of the next step. */
static void step(const direction *d, const double *x, double *h, double *c)
{
    double next[64] = {0};

    assert_true(d->n_hid <= 64);
    for (size_t j = 0; j < d->n_hid; j++) {
        if (strcmp(d->op, "LSTM") == 0) { /* i o f c */
            double i = sigmoid(gate_sum(d, 0, j, x, h)), o = sigmoid(gate_sum(d, 1, j, x, h));
            double f = sigmoid(gate_sum(d, 2, j, x, h)), g = tanh(gate_sum(d, 3, j, x, h));

            c[j] = f * c[j] + i * g;
            next[j] = o * tanh(c[j]);
        } else if (strcmp(d->op, "GRU") == 0) { /* z r h, linear_before_reset */
            double z = sigmoid(gate_sum(d, 0, j, x, h)), r = sigmoid(gate_sum(d, 1, j, x, h));
            double n = tanh(from_input(d, 2, j, x) + r * from_state(d, 2, j, h));

            next[j] = (1.0 - z) * n + z * h[j];
        } else {
            double sum = gate_sum(d, 0, j, x, h);

            next[j] = strcmp(d->activation, "Relu") == 0 ? fmax(sum, 0.0) : tanh(sum);
        }
    }
    memcpy(h, next, d->n_hid * sizeof *h);
}

static direction direction_of(const call *c, size_t i)
{
    const onnx_value *w = c->in[1], *r = c->in[2], *b = c->in[3];
    size_t n_rows = w->dims[1], n_hid = r->dims[2];
    const Onnx__AttributeProto *activations = attribute(c, "activations");
    direction d = {.w = w->values + i * n_rows * w->dims[2],
                   .r = r->values + i * n_rows * n_hid,
                   .n_in = w->dims[2],
                   .n_hid = n_hid,
                   .op = c->node->op_type};

    assert_int_equal(integer(c, "hidden_size", 0), n_hid);
    if (strcmp(d.op, "GRU") == 0)
        assert_int_equal(integer(c, "linear_before_reset", 0), 1);
    if (b != NULL) {
        d.wb = b->values + i * 2 * n_rows;
        d.rb = d.wb + n_rows;
    }
    if (strcmp(d.op, "RNN") == 0) {
        assert_true(activations->strings[i].len == 4);
        d.activation = memcmp(activations->strings[i].data, "Relu", 4) == 0 ? "Relu" : "Tanh";
    }
    return d;
}

static void recurrent(const call *c)
{
    const onnx_value *x = c->in[0], *lengths = c->in[4];
    const size_t seq_len = x->dims[0], rows = x->dims[1], n_dirs = c->in[1]->dims[0];
    const size_t n_hid = c->in[2]->dims[2], dims[] = {seq_len, n_dirs, rows, n_hid};
    bool is_lstm = strcmp(c->node->op_type, "LSTM") == 0;
    onnx_value *y = give(c, dims, 4), *h_n = add(c->run, c->node->output[1], dims + 1, 3), *c_n;
    double cells[64] = {0};

    c_n = is_lstm ? add(c->run, c->node->output[2], dims + 1, 3) : NULL;
    assert_int_equal(attribute(c, "direction")->s.len,
                     strlen(n_dirs > 1 ? "bidirectional" : "forward"));
    for (size_t i = 0; i < n_dirs * rows; i++) {
        direction d = direction_of(c, i / rows);
        size_t length = lengths != NULL ? (size_t)lengths->values[i % rows] : seq_len;
        double *h = h_n->values + i * n_hid, *cell = is_lstm ? c_n->values + i * n_hid : cells;

        assert_true(length >= 1 && length <= seq_len);
        memcpy(h, c->in[5]->values + i * n_hid, n_hid * sizeof *h);
        if (is_lstm)
            memcpy(cell, c->in[6]->values + i * n_hid, n_hid * sizeof *h);
        for (size_t k = 0; k < length; k++) {
            size_t t = i / rows > 0 ? length - 1 - k : k;

            step(&d, x->values + (t * rows + i % rows) * d.n_in, h, cell);
            memcpy(y->values + (t * n_dirs * rows + i) * n_hid, h, n_hid * sizeof *h);
        }
    }
}

/* -- The whole --------------------------------------------------------------------------------- */

static const struct {
    const char *op;
    void (*compute)(const call *c);
} operators[] = {
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Reshape", reshape},
    {"Transpose", transpose},
    {"Shape", shape},
    {"Range", range},
    {"Gather", gather},
    {"GatherND", gather_nd},
    {"Slice", slice},
    {"Concat", concat},
    {"ReduceMean", reduce},
    {"ReduceSum", reduce},
    {"ReduceMax", reduce},
    {"OneHot", one_hot},
    {"MatMul", mat_mul},
    {"Softmax", softmax},
    {"LayerNormalization", layer_normalization},
    {"RNN", recurrent},
    {"LSTM", recurrent},
    {"GRU", recurrent},
};

static void compute_node(onnx_run *run, const Onnx__NodeProto *node)
{
    call c = {.run = run, .node = node};

    assert_true(node->n_input <= 8);
    for (size_t i = 0; i < node->n_input; i++)
        c.in[i] = node->input[i][0] != '\0' ? onnx_find(run, node->input[i]) : NULL;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].op, node->op_type) == 0) {
            operators[i].compute(&c);
            return;
        }
    if (!compute_elements(&c))
        fail_msg("the interpreter has no operator %s", node->op_type);
}

void onnx_compute(onnx_run *run)
{
    const Onnx__GraphProto *graph = run->model->graph;

    for (size_t i = 0; i < graph->n_input; i++)
        (void)onnx_find(run, graph->input[i]->name);
    for (size_t i = 0; i < graph->n_node; i++)
        compute_node(run, graph->node[i]);
    for (size_t i = 0; i < graph->n_output; i++)
        assert_int_equal(onnx_find(run, graph->output[i]->name)->n_dims,
                         graph->output[i]->type->tensor_type->shape->n_dim);
}
