#include "kernels/onednn.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <oneapi/dnnl/dnnl.h>

#include "kernels/memory.h"

#define TRY_DNNL(call, what)                                                                       \
    do {                                                                                           \
        dnnl_status_t dnnl_status_ = (call);                                                       \
        if (dnnl_status_ != dnnl_success)                                                          \
            return fail_dnnl(dnnl_status_, (what));                                                \
    } while (0)

static rnn_status fail_dnnl(dnnl_status_t status, const char *what)
{
    static const char *const names[] = {"success",       "out of memory", "invalid arguments",
                                        "unimplemented", "last reached",  "runtime error",
                                        "not required"};
    const char *name = (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";

    return RNN_FAIL(status == dnnl_out_of_memory ? RNN_ERR_MEMORY : RNN_ERR_UNAVAILABLE,
                    "%s cannot %s: %s", rnn_onednn_version(), what, name);
}

/* -- What differs between the two API generations -------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t md_owned;
typedef const_dnnl_memory_desc_t md_lent;
#define MD_EMPTY    NULL
#define MD_LEND(md) (md)

static dnnl_status_t md_create(md_owned *md, int n_dims, const dnnl_dims_t dims,
                               dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(md, n_dims, dims, dnnl_f32, tag);
}

static dnnl_status_t md_create_strided(md_owned *md, int n_dims, const dnnl_dims_t dims,
                                       const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(md, n_dims, dims, dnnl_f32, strides);
}

static void md_destroy(md_owned *md)
{
    if (*md != NULL)
        dnnl_memory_desc_destroy(*md);
    *md = NULL;
}

/* Strides of a layout without blocks; false if it has blocks. */
static bool md_strides(md_lent md, const dnnl_dims_t **strides)
{
    int32_t n_blocks = 0;

    return dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &n_blocks) == dnnl_success &&
           n_blocks == 0 && dnnl_memory_desc_query(md, dnnl_query_strides, strides) == dnnl_success;
}

#else

typedef dnnl_memory_desc_t md_owned;
typedef const dnnl_memory_desc_t *md_lent;
#define MD_EMPTY    ((dnnl_memory_desc_t){.ndims = 0})
#define MD_LEND(md) ((md).ndims > 0 ? &(md) : NULL)

static dnnl_status_t md_create(md_owned *md, int n_dims, const dnnl_dims_t dims,
                               dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(md, n_dims, dims, dnnl_f32, tag);
}

static dnnl_status_t md_create_strided(md_owned *md, int n_dims, const dnnl_dims_t dims,
                                       const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(md, n_dims, dims, dnnl_f32, strides);
}

static void md_destroy(md_owned *md)
{
    *md = MD_EMPTY;
}

static bool md_strides(md_lent md, const dnnl_dims_t **strides)
{
    *strides = &md->format_desc.blocking.strides;
    return md->format_kind == dnnl_blocked && md->format_desc.blocking.inner_nblks == 0;
}

#endif

/* Descriptors of every argument but workspace and scratchpad, as the primitives are asked for. */
typedef struct descriptors {
    md_owned md[RNN_ARG_COUNT];
} descriptors;

static dnnl_alg_kind_t activation(rnn_cell cell)
{
    return cell == RNN_CELL_RELU ? dnnl_eltwise_relu : dnnl_eltwise_tanh;
}

static dnnl_rnn_direction_t direction(const rnn_onednn_shape *shape)
{
    return shape->reverse ? dnnl_unidirectional_right2left : dnnl_unidirectional_left2right;
}

#define D(arg)              MD_LEND(d->md[RNN_ARG_##arg])
#define LAYER_AND_ITER      D(SRC_LAYER), D(SRC_ITER)
#define DIFF_LAYER_AND_ITER D(DIFF_SRC_LAYER), D(DIFF_SRC_ITER)
#define FORWARD_WEIGHTS     D(WEIGHTS_LAYER), D(WEIGHTS_ITER)
#define BACKWARD_WEIGHTS    D(BWD_WEIGHTS_LAYER), D(BWD_WEIGHTS_ITER)
#define DIFF_WEIGHTS        D(DIFF_WEIGHTS_LAYER), D(DIFF_WEIGHTS_ITER)
#define RESULT              D(BIAS), D(DST_LAYER), D(DST_ITER)
#define DIFF_RESULT         D(DIFF_BIAS), D(DIFF_DST_LAYER), D(DIFF_DST_ITER)
#define NO_PEEPHOLE         NULL

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t create_forward(dnnl_primitive_desc_t *pd, const rnn_onednn_shape *shape,
                                    const descriptors *d, dnnl_engine_t engine,
                                    const_dnnl_primitive_attr_t attr)
{
    switch (shape->cell) {
    case RNN_CELL_LSTM:
        return dnnl_lstm_forward_primitive_desc_create(
            pd, engine, dnnl_forward_training, direction(shape), LAYER_AND_ITER, D(SRC_ITER_C),
            FORWARD_WEIGHTS, NO_PEEPHOLE, D(WEIGHTS_PROJECTION), RESULT, D(DST_ITER_C), 0, attr);
    case RNN_CELL_GRU:
        return dnnl_lbr_gru_forward_primitive_desc_create(pd, engine, dnnl_forward_training,
                                                          direction(shape), LAYER_AND_ITER,
                                                          FORWARD_WEIGHTS, RESULT, 0, attr);
    default:
        return dnnl_vanilla_rnn_forward_primitive_desc_create(
            pd, engine, dnnl_forward_training, activation(shape->cell), direction(shape),
            LAYER_AND_ITER, FORWARD_WEIGHTS, RESULT, 0, 0, 0, attr);
    }
}

static dnnl_status_t create_backward(dnnl_primitive_desc_t *pd, const rnn_onednn_shape *shape,
                                     const descriptors *d, dnnl_engine_t engine,
                                     const_dnnl_primitive_desc_t hint,
                                     const_dnnl_primitive_attr_t attr)
{
    switch (shape->cell) {
    case RNN_CELL_LSTM:
        return dnnl_lstm_backward_primitive_desc_create(
            pd, engine, dnnl_backward, direction(shape), LAYER_AND_ITER, D(SRC_ITER_C),
            BACKWARD_WEIGHTS, NO_PEEPHOLE, D(BWD_WEIGHTS_PROJECTION), RESULT, D(DST_ITER_C),
            DIFF_LAYER_AND_ITER, D(DIFF_SRC_ITER_C), DIFF_WEIGHTS, NO_PEEPHOLE,
            D(DIFF_WEIGHTS_PROJECTION), DIFF_RESULT, D(DIFF_DST_ITER_C), 0, hint, attr);
    case RNN_CELL_GRU:
        return dnnl_lbr_gru_backward_primitive_desc_create(
            pd, engine, dnnl_backward, direction(shape), LAYER_AND_ITER, BACKWARD_WEIGHTS, RESULT,
            DIFF_LAYER_AND_ITER, DIFF_WEIGHTS, DIFF_RESULT, 0, hint, attr);
    default:
        return dnnl_vanilla_rnn_backward_primitive_desc_create(
            pd, engine, dnnl_backward, activation(shape->cell), direction(shape), LAYER_AND_ITER,
            BACKWARD_WEIGHTS, RESULT, DIFF_LAYER_AND_ITER, DIFF_WEIGHTS, DIFF_RESULT, 0, 0, 0, hint,
            attr);
    }
}

#else

static dnnl_status_t create_forward(dnnl_primitive_desc_t *pd, const rnn_onednn_shape *shape,
                                    const descriptors *d, dnnl_engine_t engine,
                                    const_dnnl_primitive_attr_t attr)
{
    dnnl_rnn_desc_t op;
    dnnl_status_t status;

    switch (shape->cell) {
    case RNN_CELL_LSTM:
        status = dnnl_lstm_forward_desc_init_v3(
            &op, dnnl_forward_training, direction(shape), LAYER_AND_ITER, D(SRC_ITER_C),
            FORWARD_WEIGHTS, NO_PEEPHOLE, D(WEIGHTS_PROJECTION), RESULT, D(DST_ITER_C), 0);
        break;
    case RNN_CELL_GRU:
        status = dnnl_lbr_gru_forward_desc_init(&op, dnnl_forward_training, direction(shape),
                                                LAYER_AND_ITER, FORWARD_WEIGHTS, RESULT, 0);
        break;
    default:
        status = dnnl_vanilla_rnn_forward_desc_init(
            &op, dnnl_forward_training, activation(shape->cell), direction(shape), LAYER_AND_ITER,
            FORWARD_WEIGHTS, RESULT, 0, 0, 0);
        break;
    }
    return status != dnnl_success ? status
                                  : dnnl_primitive_desc_create(pd, &op, attr, engine, NULL);
}

static dnnl_status_t create_backward(dnnl_primitive_desc_t *pd, const rnn_onednn_shape *shape,
                                     const descriptors *d, dnnl_engine_t engine,
                                     const_dnnl_primitive_desc_t hint,
                                     const_dnnl_primitive_attr_t attr)
{
    dnnl_rnn_desc_t op;
    dnnl_status_t status;

    switch (shape->cell) {
    case RNN_CELL_LSTM:
        status = dnnl_lstm_backward_desc_init_v3(
            &op, dnnl_backward, direction(shape), LAYER_AND_ITER, D(SRC_ITER_C), BACKWARD_WEIGHTS,
            NO_PEEPHOLE, D(BWD_WEIGHTS_PROJECTION), RESULT, D(DST_ITER_C), DIFF_LAYER_AND_ITER,
            D(DIFF_SRC_ITER_C), DIFF_WEIGHTS, NO_PEEPHOLE, D(DIFF_WEIGHTS_PROJECTION), DIFF_RESULT,
            D(DIFF_DST_ITER_C), 0);
        break;
    case RNN_CELL_GRU:
        status = dnnl_lbr_gru_backward_desc_init(&op, dnnl_backward, direction(shape),
                                                 LAYER_AND_ITER, BACKWARD_WEIGHTS, RESULT,
                                                 DIFF_LAYER_AND_ITER, DIFF_WEIGHTS, DIFF_RESULT, 0);
        break;
    default:
        status = dnnl_vanilla_rnn_backward_desc_init(
            &op, dnnl_backward, activation(shape->cell), direction(shape), LAYER_AND_ITER,
            BACKWARD_WEIGHTS, RESULT, DIFF_LAYER_AND_ITER, DIFF_WEIGHTS, DIFF_RESULT, 0, 0, 0);
        break;
    }
    return status != dnnl_success ? status
                                  : dnnl_primitive_desc_create(pd, &op, attr, engine, hint);
}

#endif

/* -- The argument table ---------------------------------------------------------------------- */

/* Which dimensions a tensor has; C outputs: the projected units if there is a projection. */
typedef enum arg_shape {
    SHAPE_SEQUENCE_IN,  /* T, N, I */
    SHAPE_SEQUENCE_OUT, /* T, N, C */
    SHAPE_STATE,        /* 1, 1, N, C */
    SHAPE_CELL_STATE,   /* 1, 1, N, H */
    SHAPE_WEIGHTS_IN,   /* 1, 1, I, G, H */
    SHAPE_WEIGHTS_OUT,  /* 1, 1, C, G, H */
    SHAPE_PROJECTION,   /* 1, 1, H, C */
    SHAPE_BIAS,         /* 1, 1, G or 4, H */
    SHAPE_OPAQUE        /* asked from the primitives */
} arg_shape;

typedef enum arg_owner { FOR_ALL, FOR_LSTM, FOR_PROJECTION } arg_owner;

typedef struct arg_entry {
    arg_shape shape;
    int forward_id, backward_id; /* DNNL_ARG_*; 0 = not an argument of that primitive */
    arg_owner owner;
} arg_entry;

#define BOTH(name)     DNNL_ARG_##name, DNNL_ARG_##name
#define FORWARD(name)  DNNL_ARG_##name, 0
#define BACKWARD(name) 0, DNNL_ARG_##name

static const arg_entry arg_table[RNN_ARG_COUNT] = {
    [RNN_ARG_SRC_LAYER] = {SHAPE_SEQUENCE_IN, BOTH(SRC_LAYER), FOR_ALL},
    [RNN_ARG_SRC_ITER] = {SHAPE_STATE, BOTH(SRC_ITER), FOR_ALL},
    [RNN_ARG_SRC_ITER_C] = {SHAPE_CELL_STATE, BOTH(SRC_ITER_C), FOR_LSTM},
    [RNN_ARG_WEIGHTS_LAYER] = {SHAPE_WEIGHTS_IN, FORWARD(WEIGHTS_LAYER), FOR_ALL},
    [RNN_ARG_WEIGHTS_ITER] = {SHAPE_WEIGHTS_OUT, FORWARD(WEIGHTS_ITER), FOR_ALL},
    [RNN_ARG_WEIGHTS_PROJECTION] = {SHAPE_PROJECTION, FORWARD(WEIGHTS_PROJECTION), FOR_PROJECTION},
    [RNN_ARG_BIAS] = {SHAPE_BIAS, BOTH(BIAS), FOR_ALL},
    [RNN_ARG_DST_LAYER] = {SHAPE_SEQUENCE_OUT, BOTH(DST_LAYER), FOR_ALL},
    [RNN_ARG_DST_ITER] = {SHAPE_STATE, BOTH(DST_ITER), FOR_ALL},
    [RNN_ARG_DST_ITER_C] = {SHAPE_CELL_STATE, BOTH(DST_ITER_C), FOR_LSTM},
    [RNN_ARG_WORKSPACE] = {SHAPE_OPAQUE, BOTH(WORKSPACE), FOR_ALL},
    [RNN_ARG_SCRATCHPAD] = {SHAPE_OPAQUE, BOTH(SCRATCHPAD), FOR_ALL},
    [RNN_ARG_BWD_WEIGHTS_LAYER] = {SHAPE_WEIGHTS_IN, BACKWARD(WEIGHTS_LAYER), FOR_ALL},
    [RNN_ARG_BWD_WEIGHTS_ITER] = {SHAPE_WEIGHTS_OUT, BACKWARD(WEIGHTS_ITER), FOR_ALL},
    [RNN_ARG_BWD_WEIGHTS_PROJECTION] = {SHAPE_PROJECTION, BACKWARD(WEIGHTS_PROJECTION),
                                        FOR_PROJECTION},
    [RNN_ARG_DIFF_SRC_LAYER] = {SHAPE_SEQUENCE_IN, BACKWARD(DIFF_SRC_LAYER), FOR_ALL},
    [RNN_ARG_DIFF_SRC_ITER] = {SHAPE_STATE, BACKWARD(DIFF_SRC_ITER), FOR_ALL},
    [RNN_ARG_DIFF_SRC_ITER_C] = {SHAPE_CELL_STATE, BACKWARD(DIFF_SRC_ITER_C), FOR_LSTM},
    [RNN_ARG_DIFF_WEIGHTS_LAYER] = {SHAPE_WEIGHTS_IN, BACKWARD(DIFF_WEIGHTS_LAYER), FOR_ALL},
    [RNN_ARG_DIFF_WEIGHTS_ITER] = {SHAPE_WEIGHTS_OUT, BACKWARD(DIFF_WEIGHTS_ITER), FOR_ALL},
    [RNN_ARG_DIFF_WEIGHTS_PROJECTION] = {SHAPE_PROJECTION, BACKWARD(DIFF_WEIGHTS_PROJECTION),
                                         FOR_PROJECTION},
    [RNN_ARG_DIFF_BIAS] = {SHAPE_BIAS, BACKWARD(DIFF_BIAS), FOR_ALL},
    [RNN_ARG_DIFF_DST_LAYER] = {SHAPE_SEQUENCE_OUT, BACKWARD(DIFF_DST_LAYER), FOR_ALL},
    [RNN_ARG_DIFF_DST_ITER] = {SHAPE_STATE, BACKWARD(DIFF_DST_ITER), FOR_ALL},
    [RNN_ARG_DIFF_DST_ITER_C] = {SHAPE_CELL_STATE, BACKWARD(DIFF_DST_ITER_C), FOR_LSTM},
};

static bool has_arg(const rnn_onednn_shape *shape, rnn_onednn_arg arg)
{
    switch (arg_table[arg].owner) {
    case FOR_LSTM:
        return shape->cell == RNN_CELL_LSTM;
    case FOR_PROJECTION:
        return shape->n_proj > 0;
    case FOR_ALL:
        break;
    }
    return true;
}

/*
 * Weights of the backward pass lie as torch's tensors do, if the gates' order is the same, so that
 * nobody has to copy them. But rows a multiple of 1 KiB apart would fall on the same few sets of a
 * cache: such ones are better padded.
 */
static bool lies_like_torch(rnn_onednn_arg arg, dnnl_dim_t n_columns, const rnn_onednn_shape *s)
{
    bool is_backward = arg == RNN_ARG_BWD_WEIGHTS_LAYER || arg == RNN_ARG_BWD_WEIGHTS_ITER;

    return is_backward && s->cell != RNN_CELL_GRU && n_columns % 256 != 0;
}

/* 1, 1, n_columns, G, H. */
static dnnl_status_t describe_weights(md_owned *md, rnn_onednn_arg arg, dnnl_dim_t n_columns,
                                      const rnn_onednn_shape *s)
{
    const dnnl_dim_t H = (dnnl_dim_t)s->n_hid, G = (dnnl_dim_t)rnn_cell_gates(s->cell);
    const dnnl_dim_t all = n_columns * G * H;
    const dnnl_dims_t dims = {1, 1, n_columns, G, H};

    if (lies_like_torch(arg, n_columns, s))
        return md_create_strided(md, 5, dims, (dnnl_dims_t){all, all, 1, H * n_columns, n_columns});
    /* `any`: the library pads rows to keep them apart in its caches */
    return md_create(md, 5, dims, dnnl_format_tag_any);
}

static dnnl_status_t describe(md_owned *md, rnn_onednn_arg arg, const rnn_onednn_shape *s)
{
    dnnl_dim_t T = (dnnl_dim_t)s->seq_len, N = (dnnl_dim_t)s->rows, I = (dnnl_dim_t)s->n_in;
    dnnl_dim_t H = (dnnl_dim_t)s->n_hid, G = (dnnl_dim_t)rnn_cell_gates(s->cell);
    dnnl_dim_t C = s->n_proj > 0 ? (dnnl_dim_t)s->n_proj : H, pitch = (dnnl_dim_t)s->out_pitch;

    switch (arg_table[arg].shape) {
    case SHAPE_SEQUENCE_IN:
        return md_create(md, 3, (dnnl_dims_t){T, N, I}, dnnl_tnc);
    case SHAPE_SEQUENCE_OUT:
        if (pitch == 0 || pitch == C)
            return md_create(md, 3, (dnnl_dims_t){T, N, C}, dnnl_tnc);
        return md_create_strided(md, 3, (dnnl_dims_t){T, N, C}, (dnnl_dims_t){N * pitch, pitch, 1});
    case SHAPE_STATE:
        return md_create(md, 4, (dnnl_dims_t){1, 1, N, C}, dnnl_ldnc);
    case SHAPE_CELL_STATE:
        return md_create(md, 4, (dnnl_dims_t){1, 1, N, H}, dnnl_ldnc);
    case SHAPE_WEIGHTS_IN:
        return describe_weights(md, arg, I, s);
    case SHAPE_WEIGHTS_OUT:
        return describe_weights(md, arg, C, s);
    case SHAPE_PROJECTION:
        return md_create(md, 4, (dnnl_dims_t){1, 1, H, C}, dnnl_format_tag_any);
    case SHAPE_BIAS:
        return md_create(md, 4, (dnnl_dims_t){1, 1, s->cell == RNN_CELL_GRU ? 4 : G, H}, dnnl_ldgo);
    case SHAPE_OPAQUE:
        break;
    }
    *md = MD_EMPTY;
    return dnnl_success;
}

/* -- Primitive pairs ------------------------------------------------------------------------- */

struct rnn_onednn_pair {
    rnn_onednn_shape shape;
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t forward_pd, backward_pd;
    dnnl_primitive_t forward, backward;
};

/* The layout a primitive chose for an argument; lent by the pair. */
static md_lent chosen(const rnn_onednn_pair *pair, rnn_onednn_arg arg)
{
    const arg_entry *entry = &arg_table[arg];
    dnnl_primitive_desc_t pd = entry->forward_id != 0 ? pair->forward_pd : pair->backward_pd;
    int id = entry->forward_id != 0 ? entry->forward_id : entry->backward_id;

    if (!has_arg(&pair->shape, arg))
        return NULL;
    return dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, id);
}

static size_t opaque_bytes(const rnn_onednn_pair *pair, dnnl_query_t query)
{
    size_t forward =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pair->forward_pd, query, 0));
    size_t backward =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pair->backward_pd, query, 0));

    return forward > backward ? forward : backward;
}

size_t rnn_onednn_pair_bytes(const rnn_onednn_pair *pair, rnn_onednn_arg arg)
{
    md_lent md;

    if (arg == RNN_ARG_SCRATCHPAD)
        return opaque_bytes(pair, dnnl_query_scratchpad_md);
    if (arg == RNN_ARG_WORKSPACE)
        return opaque_bytes(pair, dnnl_query_workspace_md);
    md = chosen(pair, arg);
    return md == NULL ? 0 : dnnl_memory_desc_get_size(md);
}

/*
 * In ldigo a row is one input or unit, in ldgoi one gate and unit; a projection's forward rows are
 * units (ldio), its backward rows outputs (ldoi).
 */
static bool weight_pitch(const rnn_onednn_pair *pair, rnn_onednn_arg arg, size_t *pitch)
{
    bool is_backward = arg <= RNN_ARG_BWD_WEIGHTS_PROJECTION && arg_table[arg].forward_id == 0;
    bool has_gates = arg_table[arg].shape != SHAPE_PROJECTION;
    int last = has_gates ? 4 : 3; /* the dimension o */
    dnnl_dim_t n_hid = (dnnl_dim_t)pair->shape.n_hid;
    const dnnl_dims_t *strides;

    if (!md_strides(chosen(pair, arg), &strides))
        return false;
    *pitch = (size_t)(*strides)[is_backward ? last : 2];
    if ((*strides)[is_backward ? 2 : last] != 1)
        return false;
    return !has_gates || (*strides)[3] == n_hid * (*strides)[4];
}

size_t rnn_onednn_pair_pitch(const rnn_onednn_pair *pair, rnn_onednn_arg arg)
{
    size_t pitch = 0;

    return has_arg(&pair->shape, arg) && weight_pitch(pair, arg, &pitch) ? pitch : 0;
}

static bool is_weight(rnn_onednn_arg arg)
{
    arg_shape shape = arg_table[arg].shape;

    return shape == SHAPE_WEIGHTS_IN || shape == SHAPE_WEIGHTS_OUT || shape == SHAPE_PROJECTION;
}

static rnn_status check_layouts(const rnn_onednn_pair *pair)
{
    for (int i = 0; i < RNN_ARG_COUNT; i++) {
        rnn_onednn_arg arg = (rnn_onednn_arg)i;
        size_t pitch;

        if (is_weight(arg) && has_arg(&pair->shape, arg) && !weight_pitch(pair, arg, &pitch))
            return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                            "%s chose a weight layout that is not rows with a pitch",
                            rnn_onednn_version());
    }
    return RNN_OK;
}

static rnn_status create_primitives(rnn_onednn_pair *pair, const descriptors *d)
{
    TRY_DNNL(dnnl_engine_create(&pair->engine, dnnl_cpu, 0), "create a CPU engine");
    TRY_DNNL(dnnl_primitive_attr_create(&pair->attr), "create attributes");
    /* The library's own scratchpad belongs to the creating thread; ours travels with the call. */
    TRY_DNNL(dnnl_primitive_attr_set_scratchpad_mode(pair->attr, dnnl_scratchpad_mode_user),
             "use scratchpads of the caller");
    TRY_DNNL(create_forward(&pair->forward_pd, &pair->shape, d, pair->engine, pair->attr),
             "describe the forward pass of a recurrent layer");
    TRY_DNNL(create_backward(&pair->backward_pd, &pair->shape, d, pair->engine, pair->forward_pd,
                             pair->attr),
             "describe the backward pass of a recurrent layer");
    TRY_DNNL(dnnl_primitive_create(&pair->forward, pair->forward_pd),
             "create the forward pass of a recurrent layer");
    TRY_DNNL(dnnl_primitive_create(&pair->backward, pair->backward_pd),
             "create the backward pass of a recurrent layer");
    return check_layouts(pair);
}

/* The library counts some of these products in int. */
static rnn_status check_shape(const rnn_onednn_shape *s)
{
    const size_t limit = INT32_MAX, gates = rnn_cell_gates(s->cell);

    if (s->seq_len == 0 || s->rows == 0 || s->n_in == 0 || s->n_hid == 0)
        return RNN_FAIL(RNN_ERR_INTERNAL, "a recurrent layer's sizes must not be 0");
    if (s->rows > limit / s->seq_len || s->n_in > limit / gates / s->n_hid ||
        s->n_hid > limit / gates / s->n_hid)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                        "a recurrent layer of %zu steps x %zu rows, %zu inputs, %zu units is too "
                        "large: steps x rows and each weight matrix must stay below 2^31",
                        s->seq_len, s->rows, s->n_in, s->n_hid);
    return RNN_OK;
}

rnn_status rnn_onednn_pair_create(rnn_onednn_pair **out, const rnn_onednn_shape *shape)
{
    rnn_status st;
    rnn_onednn_pair *pair;
    descriptors d = {.md = {MD_EMPTY}};

    *out = NULL;
    RNN_TRY(check_shape(shape));
    RNN_TRY(RNN_ALLOC(&pair, 1, "a primitive pair"));
    pair->shape = *shape;
    for (int i = 0; i < RNN_ARG_COUNT; i++) {
        dnnl_status_t status = dnnl_success;

        if (has_arg(shape, (rnn_onednn_arg)i))
            status = describe(&d.md[i], (rnn_onednn_arg)i, shape);
        if (status != dnnl_success) {
            st = fail_dnnl(status, "describe the tensors of a recurrent layer");
            goto done;
        }
    }
    st = create_primitives(pair, &d);
done:
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        md_destroy(&d.md[i]);
    if (st == RNN_OK)
        *out = pair;
    else
        rnn_onednn_pair_destroy(&pair);
    return st;
}

void rnn_onednn_pair_destroy(rnn_onednn_pair **pair)
{
    rnn_onednn_pair *p = *pair;

    if (p == NULL)
        return;
    if (p->forward != NULL)
        dnnl_primitive_destroy(p->forward);
    if (p->backward != NULL)
        dnnl_primitive_destroy(p->backward);
    if (p->backward_pd != NULL)
        dnnl_primitive_desc_destroy(p->backward_pd);
    if (p->forward_pd != NULL)
        dnnl_primitive_desc_destroy(p->forward_pd);
    if (p->attr != NULL)
        dnnl_primitive_attr_destroy(p->attr);
    if (p->engine != NULL)
        dnnl_engine_destroy(p->engine);
    rnn_free(p);
    *pair = NULL;
}

/* -- Calls ----------------------------------------------------------------------------------- */

struct rnn_onednn_call {
    const rnn_onednn_pair *pair;
    dnnl_stream_t stream;
    dnnl_memory_t memory[RNN_ARG_COUNT];
    dnnl_memory_t backward_workspace, backward_scratchpad; /* may differ in size from forward's */
    dnnl_exec_arg_t forward[RNN_ARG_COUNT], backward[RNN_ARG_COUNT];
    int n_forward, n_backward;
};

static rnn_status add_memory(rnn_onednn_call *call, dnnl_primitive_desc_t pd, int id,
                             dnnl_memory_t *memory)
{
    md_lent md = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, id);

    if (*memory == NULL)
        TRY_DNNL(dnnl_memory_create(memory, md, call->pair->engine, DNNL_MEMORY_NONE),
                 "describe an argument");
    return RNN_OK;
}

static rnn_status add_argument(rnn_onednn_call *call, rnn_onednn_arg arg)
{
    const arg_entry *entry = &arg_table[arg];
    const rnn_onednn_pair *pair = call->pair;
    dnnl_memory_t *backward = arg == RNN_ARG_WORKSPACE    ? &call->backward_workspace
                              : arg == RNN_ARG_SCRATCHPAD ? &call->backward_scratchpad
                                                          : &call->memory[arg];

    if (!has_arg(&pair->shape, arg))
        return RNN_OK;
    if (entry->forward_id != 0) {
        RNN_TRY(add_memory(call, pair->forward_pd, entry->forward_id, &call->memory[arg]));
        call->forward[call->n_forward++] = (dnnl_exec_arg_t){entry->forward_id, call->memory[arg]};
    }
    if (entry->backward_id != 0) {
        RNN_TRY(add_memory(call, pair->backward_pd, entry->backward_id, backward));
        call->backward[call->n_backward++] = (dnnl_exec_arg_t){entry->backward_id, *backward};
    }
    return RNN_OK;
}

static rnn_status prepare_call(rnn_onednn_call *call)
{
    TRY_DNNL(dnnl_stream_create(&call->stream, call->pair->engine, dnnl_stream_default_flags),
             "create a stream");
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        RNN_TRY(add_argument(call, (rnn_onednn_arg)i));
    return RNN_OK;
}

rnn_status rnn_onednn_call_create(rnn_onednn_call **out, const rnn_onednn_pair *pair)
{
    rnn_onednn_call *call;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&call, 1, "a primitive call"));
    call->pair = pair;
    st = prepare_call(call);
    if (st == RNN_OK)
        *out = call;
    else
        rnn_onednn_call_destroy(&call);
    return st;
}

void rnn_onednn_call_destroy(rnn_onednn_call **call)
{
    rnn_onednn_call *c = *call;

    if (c == NULL)
        return;
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        if (c->memory[i] != NULL)
            dnnl_memory_destroy(c->memory[i]);
    if (c->backward_workspace != NULL)
        dnnl_memory_destroy(c->backward_workspace);
    if (c->backward_scratchpad != NULL)
        dnnl_memory_destroy(c->backward_scratchpad);
    if (c->stream != NULL)
        dnnl_stream_destroy(c->stream);
    rnn_free(c);
    *call = NULL;
}

void rnn_onednn_call_bind(rnn_onednn_call *call, rnn_onednn_arg arg, const void *memory)
{
    void *writable = (void *)(uintptr_t)memory; /* the library has one handle type for both */

    if (call->memory[arg] != NULL)
        dnnl_memory_set_data_handle(call->memory[arg], writable);
    if (arg == RNN_ARG_WORKSPACE)
        dnnl_memory_set_data_handle(call->backward_workspace, writable);
    if (arg == RNN_ARG_SCRATCHPAD)
        dnnl_memory_set_data_handle(call->backward_scratchpad, writable);
}

rnn_status rnn_onednn_forward(rnn_onednn_call *call)
{
    TRY_DNNL(
        dnnl_primitive_execute(call->pair->forward, call->stream, call->n_forward, call->forward),
        "run the forward pass of a recurrent layer");
    return RNN_OK;
}

rnn_status rnn_onednn_backward(rnn_onednn_call *call)
{
    TRY_DNNL(dnnl_primitive_execute(call->pair->backward, call->stream, call->n_backward,
                                    call->backward),
             "run the backward pass of a recurrent layer");
    return RNN_OK;
}

/* -- The rest -------------------------------------------------------------------------------- */

rnn_status rnn_onednn_sgemm(char op_a, char op_b, size_t m, size_t n, size_t k, const float *a,
                            size_t lda, const float *b, size_t ldb, float beta, float *c,
                            size_t ldc)
{
    TRY_DNNL(dnnl_sgemm(op_a, op_b, (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1.0f, a,
                        (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc),
             "multiply matrices");
    return RNN_OK;
}

const char *rnn_onednn_version(void)
{
    static _Thread_local char text[48];
    const dnnl_version_t *v = dnnl_version();

    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

const char *rnn_onednn_isa(void)
{
    static const struct {
        unsigned bits;
        const char *name;
    } levels[] = {{0x27, "avx512_core"}, {0x7, "avx2"}, {0x3, "avx"}, {0x1, "sse41"}};
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();

    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if ((isa & levels[i].bits) == levels[i].bits)
            return levels[i].name;
    return "generic";
}
