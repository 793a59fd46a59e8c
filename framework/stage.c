#include "framework/stage.h"

#include <string.h>

#include "kernels/memory.h"
#include "kernels/vector.h"

const rnn_stage_class *rnn_stage_get_class(rnn_stage_kind kind)
{
    static const rnn_stage_class *const classes[RNN_STAGE_N_KINDS] = {
        [RNN_STAGE_RECURRENT] = &rnn_stage_recurrent,
        [RNN_STAGE_LINEAR] = &rnn_stage_linear,
        [RNN_STAGE_TIED] = &rnn_stage_tied,
        [RNN_STAGE_SELECT] = &rnn_stage_select,
        [RNN_STAGE_DROPOUT] = &rnn_stage_dropout,
        [RNN_STAGE_EMBEDDING] = &rnn_stage_embedding,
        [RNN_STAGE_ONEHOT] = &rnn_stage_onehot,
        [RNN_STAGE_ACTIVATION] = &rnn_stage_activation,
        [RNN_STAGE_LAYERNORM] = &rnn_stage_layernorm,
    };

    return classes[kind];
}

void rnn_slice_clear_past_ends(const rnn_slice *slice, size_t n_features, float *values)
{
    if (!slice->is_ragged)
        return;
    for (size_t row = 0; row < slice->rows; row++)
        for (size_t t = (size_t)slice->length[row]; t < slice->seq_len; t++)
            memset(values + (t * slice->rows + row) * n_features, 0, n_features * sizeof *values);
}

/* -- Parameters as they lie in the arena ----------------------------------------------------- */

void rnn_plain_params_init(rnn_plain_params *plain, const rnn_model *model, const rnn_stage *stage)
{
    plain->offset = stage->offset;
    plain->count = stage->count;
    plain->n_params = stage->n_params;
    for (size_t i = 0; i < stage->n_params; i++) {
        const rnn_param *p = rnn_model_param(model, stage->first_param + i);

        plain->start[i] = p->offset - stage->offset;
        plain->size[i] = p->count;
    }
}

size_t rnn_plain_params_grad_size(const void *plan)
{
    const rnn_plain_params *plain = plan;

    return (plain->count + 15) / 16 * 16;
}

void rnn_plain_params_pack(void *plan, const float *params, size_t part, size_t n_parts)
{
    rnn_plain_params *plain = plan;

    (void)n_parts;
    if (part == 0)
        plain->params = params + plain->offset;
}

void rnn_plain_params_unpack(const void *plan, const float *packed, float *grads, size_t part,
                             size_t n_parts)
{
    const rnn_plain_params *plain = plan;
    size_t first, last;

    rnn_vector_part(plain->count, part, n_parts, &first, &last);
    if (first < last)
        memcpy(grads + plain->offset + first, packed + first, (last - first) * sizeof *grads);
}

void rnn_plain_params_visit(const void *plan, size_t part, size_t n_parts,
                            rnn_stretch_function function, void *context)
{
    const rnn_plain_params *plain = plan;
    size_t first, last;

    rnn_vector_part(plain->count, part, n_parts, &first, &last);
    if (first < last)
        function(context, plain->offset + first, last - first);
}

const float *rnn_plain_param(const rnn_plain_params *plain, size_t i)
{
    return i < plain->n_params ? plain->params + plain->start[i] : NULL;
}

float *rnn_plain_grad(const rnn_plain_params *plain, float *packed, size_t i)
{
    return i < plain->n_params ? packed + plain->start[i] : NULL;
}

rnn_status rnn_plain_worker_create(void **worker, const void *plan)
{
    const void **pointer;

    RNN_TRY(RNN_ALLOC(&pointer, 1, "a stage's worker"));
    *pointer = plan;
    *worker = pointer;
    return RNN_OK;
}
