#include "kernels/bare.h"

#include <math.h>

#include "kernels/memory.h"
#include "kernels/onednn.h"
#include "kernels/recurrent_parts.h"

typedef struct bare_part {
    rnn_onednn_call *call;
    void *memory[RNN_ARG_COUNT]; /* NULL where it is the layer's */
} bare_part;

struct rnn_bare {
    rnn_onednn_pair *pair;
    float weight_bound;
    void *shared[RNN_ARG_COUNT]; /* weights and biases */
    bare_part *parts;            /* [n_parts] */
    size_t n_parts;
};

static bool is_shared(rnn_onednn_arg arg)
{
    switch (arg) {
    case RNN_ARG_WEIGHTS_LAYER:
    case RNN_ARG_WEIGHTS_ITER:
    case RNN_ARG_WEIGHTS_PROJECTION:
    case RNN_ARG_BWD_WEIGHTS_LAYER:
    case RNN_ARG_BWD_WEIGHTS_ITER:
    case RNN_ARG_BWD_WEIGHTS_PROJECTION:
    case RNN_ARG_BIAS:
        return true;
    default:
        return false;
    }
}

/* Values as a network has them that begins to learn: none grows or fades over the steps. */
static void fill(float *values, size_t count, float bound)
{
    for (size_t i = 0; i < count; i++)
        values[i] = bound * ((float)(i * 7919 % 199) / 99.0f - 1.0f);
}

static rnn_status make_argument(void **memory, const rnn_bare *bare, rnn_onednn_arg arg)
{
    size_t n_bytes = rnn_onednn_pair_bytes(bare->pair, arg);
    float *values;

    RNN_TRY(rnn_alloc(memory, n_bytes, 1, "the arguments of a bare primitive"));
    values = *memory;
    if (is_shared(arg))
        fill(values, n_bytes / sizeof *values, bare->weight_bound);
    else if (arg == RNN_ARG_SRC_LAYER)
        fill(values, n_bytes / sizeof *values, 1.0f);
    else if (arg == RNN_ARG_DIFF_DST_LAYER)
        fill(values, n_bytes / sizeof *values, 0.01f);
    return RNN_OK;
}

rnn_status rnn_bare_create(rnn_bare **out, const rnn_recurrent_cfg *cfg,
                           const rnn_recurrent_slice *slice, size_t n_parts)
{
    rnn_onednn_shape shape = rnn_recurrent_shape(cfg, slice->seq_len, slice->rows);
    rnn_bare *bare;
    rnn_status st;

    *out = NULL;
    shape.reverse = cfg->reverse;
    shape.out_pitch = slice->y_pitch;
    RNN_TRY(RNN_ALLOC(&bare, 1, "a bare primitive"));
    bare->weight_bound = 1.0f / sqrtf((float)cfg->n_hid);
    RNN_TRY_GOTO(st, RNN_ALLOC(&bare->parts, n_parts, "a bare primitive"), done);
    bare->n_parts = n_parts;
    RNN_TRY_GOTO(st, rnn_onednn_pair_create(&bare->pair, &shape), done);
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        if (is_shared((rnn_onednn_arg)i))
            RNN_TRY_GOTO(st, make_argument(&bare->shared[i], bare, (rnn_onednn_arg)i), done);
    *out = bare;
    return RNN_OK;
done:
    rnn_bare_destroy(&bare);
    return st;
}

void rnn_bare_destroy(rnn_bare **bare)
{
    rnn_bare *b = *bare;

    if (b == NULL)
        return;
    for (size_t p = 0; p < b->n_parts; p++) {
        rnn_onednn_call_destroy(&b->parts[p].call);
        for (int i = 0; i < RNN_ARG_COUNT; i++)
            rnn_free(b->parts[p].memory[i]);
    }
    for (int i = 0; i < RNN_ARG_COUNT; i++)
        rnn_free(b->shared[i]);
    rnn_free(b->parts);
    rnn_onednn_pair_destroy(&b->pair);
    rnn_free(b);
    *bare = NULL;
}

rnn_status rnn_bare_prepare(rnn_bare *bare, size_t part)
{
    bare_part *p = &bare->parts[part];

    RNN_TRY(rnn_onednn_call_create(&p->call, bare->pair));
    for (int i = 0; i < RNN_ARG_COUNT; i++) {
        rnn_onednn_arg arg = (rnn_onednn_arg)i;

        if (!is_shared(arg))
            RNN_TRY(make_argument(&p->memory[i], bare, arg));
        rnn_onednn_call_bind(p->call, arg, is_shared(arg) ? bare->shared[i] : p->memory[i]);
    }
    return RNN_OK;
}

rnn_status rnn_bare_forward(const rnn_bare *bare, size_t part)
{
    return rnn_onednn_forward(bare->parts[part].call);
}

rnn_status rnn_bare_backward(const rnn_bare *bare, size_t part)
{
    return rnn_onednn_backward(bare->parts[part].call);
}
