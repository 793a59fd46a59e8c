/*
 * What is in a checkpoint, for writing and reading alike: which attributes, under which names, with
 * which limits; and the calls of libhdf5 that both make.
 */
#include "framework/checkpoint_layout.h"

#include <stdio.h>

#include "framework/checkpoint.h"
#include "framework/hdf5_image.h"
#include "kernels/vector.h"

const char rnn_ckpt_format[] = "rnntrain-checkpoint";
const uint64_t rnn_ckpt_count_limit = (uint64_t)1 << 53;

/* -- What is stored as attributes ------------------------------------------------------------- */

#define FIELD(type, kind, member)                                                                  \
    {                                                                                              \
#member, RNN_CKPT_##kind, offsetof(type, member), NULL                                     \
    }
#define LENGTH(array) (sizeof(array) / sizeof *(array))

const rnn_ckpt_field rnn_ckpt_progress_fields[] = {
    FIELD(rnn_progress, COUNT, epoch),           FIELD(rnn_progress, COUNT, step),
    FIELD(rnn_progress, COUNT, samples_seen),    FIELD(rnn_progress, COUNT, batch_in_epoch),
    FIELD(rnn_progress, FINITE, epoch_loss_sum), FIELD(rnn_progress, COUNT, epoch_correct),
    FIELD(rnn_progress, FINITE, epoch_seconds),  FIELD(rnn_progress, REAL, best_metric),
    FIELD(rnn_progress, COUNT, best_step),       FIELD(rnn_progress, COUNT, epoch_samples),
    FIELD(rnn_progress, DIGEST, dataset_digest),
};
const size_t rnn_ckpt_n_progress_fields = LENGTH(rnn_ckpt_progress_fields);

const rnn_ckpt_field rnn_ckpt_later_fields[] = {
    FIELD(rnn_progress, COUNT, epoch_targets),      FIELD(rnn_progress, COUNT, stale_epochs),
    FIELD(rnn_progress, FINITE, plateau_scale),     FIELD(rnn_progress, REAL, plateau_best),
    FIELD(rnn_progress, COUNT, plateau_bad_epochs),
};
const size_t rnn_ckpt_n_later_fields = LENGTH(rnn_ckpt_later_fields);

const rnn_ckpt_field rnn_ckpt_scalar_fields[] = {
    FIELD(rnn_ckpt_scalars, COUNT, step),
    FIELD(rnn_ckpt_scalars, FINITE, scalar),
};
const size_t rnn_ckpt_n_scalar_fields = LENGTH(rnn_ckpt_scalar_fields);

const rnn_ckpt_field rnn_ckpt_optimizer_fields[] = {
    FIELD(rnn_optimizer_cfg, REAL, lr),
    FIELD(rnn_optimizer_cfg, REAL, weight_decay),
    FIELD(rnn_optimizer_cfg, REAL, momentum),
    FIELD(rnn_optimizer_cfg, REAL, dampening),
    FIELD(rnn_optimizer_cfg, FLAG, nesterov),
    FIELD(rnn_optimizer_cfg, REAL, beta1),
    FIELD(rnn_optimizer_cfg, REAL, beta2),
    FIELD(rnn_optimizer_cfg, REAL, eps),
    FIELD(rnn_optimizer_cfg, FLAG, amsgrad),
    FIELD(rnn_optimizer_cfg, REAL, rho),
    FIELD(rnn_optimizer_cfg, REAL, alpha),
    FIELD(rnn_optimizer_cfg, FLAG, centered),
    FIELD(rnn_optimizer_cfg, REAL, lr_decay),
    FIELD(rnn_optimizer_cfg, REAL, initial_accumulator_value),
    FIELD(rnn_optimizer_cfg, REAL, momentum_decay),
    FIELD(rnn_optimizer_cfg, REAL, clip_norm),
    FIELD(rnn_optimizer_cfg, REAL, clip_value),
};
const size_t rnn_ckpt_n_optimizer_fields = LENGTH(rnn_ckpt_optimizer_fields);

rnn_ckpt_field rnn_ckpt_layer_field(const rnn_layer_arg *arg)
{
    static const rnn_ckpt_kind kinds[] = {[RNN_ARG_INTEGER] = RNN_CKPT_INTEGER,
                                          [RNN_ARG_NUMBER] = RNN_CKPT_FINITE,
                                          [RNN_ARG_FLAG] = RNN_CKPT_FLAG,
                                          [RNN_ARG_CHOICE] = RNN_CKPT_CHOICE};

    return (rnn_ckpt_field){arg->name, kinds[arg->kind], arg->offset, arg->choices};
}

/* -- How the groups of the layers are called, and what is in them ------------------------------ */

const char *rnn_ckpt_layer_name(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH])
{
    const rnn_model *model = context;

    snprintf(buffer, RNN_CKPT_NAME_LENGTH, "%zu_%s", i,
             rnn_layer_type_name(rnn_model_layer(model, i)->type));
    return buffer;
}

rnn_ckpt_param_range rnn_ckpt_layer_params(const rnn_model *model, size_t layer)
{
    rnn_ckpt_param_range range = {.model = model};

    rnn_model_layer_params(model, layer, &range.first, &range.count);
    return range;
}

/* -- libhdf5 ---------------------------------------------------------------------------------- */

hid_t rnn_ckpt_column_space(size_t n_rows, size_t n_columns, size_t column)
{
    hsize_t size = (hsize_t)n_rows * n_columns;
    hsize_t start = column, stride = n_columns, count = n_rows;
    hid_t space = H5Screate_simple(1, &size, NULL);

    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, &stride, &count, NULL);
    return space;
}

hid_t rnn_ckpt_block_type(rnn_block_type type, size_t width, bool in_file)
{
    hid_t text;

    if (type == RNN_BLOCK_FLOAT32)
        return H5Tcopy(in_file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT);
    if (type == RNN_BLOCK_FLOAT64)
        return H5Tcopy(in_file ? H5T_IEEE_F64LE : H5T_NATIVE_DOUBLE);
    text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, width);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    H5Tset_cset(text, H5T_CSET_UTF8);
    return text;
}

rnn_status rnn_ckpt_check_finite(const rnn_model *model, const float *arena, rnn_status code,
                                 const char *group)
{
    size_t k;
    const rnn_param *p = rnn_model_find_nonfinite(model, arena, &k);

    if (p == NULL)
        return RNN_OK;
    return RNN_FAIL(code, "%s/%s/%s is not finite: value %zu of %zu is %g", group, p->group,
                    p->name, k, p->count, (double)arena[p->offset + k]);
}
