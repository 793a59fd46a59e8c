/*
 * A checkpoint into the bytes of an HDF5 file.
 */
#include "framework/checkpoint_image.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "framework/checkpoint_layout.h"
#include "framework/hdf5_image.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct writer {
    const rnn_checkpoint *from;
    rnn_h5_writer file;
} writer;

static hid_t text_type(size_t length)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, length + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static rnn_status write_attribute(hid_t object, const char *name, hid_t file_type, hid_t type,
                                  const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t result = H5Awrite(attribute, type, value);

    rnn_hdf5_release(attribute);
    rnn_hdf5_release(space);
    return result < 0 ? rnn_h5_cannot_write(name) : RNN_OK;
}

static rnn_status write_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text));
    rnn_status st = write_attribute(object, name, type, type, text);

    rnn_hdf5_release(type);
    return st;
}

static rnn_status write_integer(hid_t object, const char *name, int64_t value)
{
    return write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

static rnn_status write_field(hid_t object, const rnn_ckpt_field *f, const void *base)
{
    const void *at = (const char *)base + f->offset;
    char hex[17];

    switch (f->kind) {
    case RNN_CKPT_DIGEST:
        snprintf(hex, sizeof hex, "%016" PRIx64, *(const uint64_t *)at);
        return write_text(object, f->name, hex);
    case RNN_CKPT_COUNT:
        if (*(const uint64_t *)at > rnn_ckpt_count_limit)
            return RNN_FAIL(RNN_ERR_INTERNAL, "%s is %" PRIu64 ", at most %" PRIu64 " is allowed",
                            f->name, *(const uint64_t *)at, rnn_ckpt_count_limit);
        return write_integer(object, f->name, (int64_t) * (const uint64_t *)at);
    case RNN_CKPT_INTEGER:
        return write_integer(object, f->name, *(const int64_t *)at);
    case RNN_CKPT_FLAG:
        return write_integer(object, f->name, *(const bool *)at);
    case RNN_CKPT_FINITE:
        if (!isfinite(*(const double *)at))
            return RNN_FAIL(RNN_ERR_NONFINITE, "%s is not finite", f->name);
        break;
    case RNN_CKPT_REAL:
        break;
    case RNN_CKPT_CHOICE:
        return write_text(object, f->name, f->choices[*(const int *)at]);
    }
    return write_attribute(object, f->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, at);
}

static rnn_status write_fields(hid_t object, const rnn_ckpt_field *fields, size_t n_fields,
                               const void *base)
{
    for (size_t i = 0; i < n_fields; i++)
        RNN_TRY(write_field(object, &fields[i], base));
    return RNN_OK;
}

/* An arena as parent/LAYER/PARAM. */
static rnn_status write_arena(const writer *w, hid_t parent, const float *arena)
{
    const rnn_model *model = w->from->model;
    rnn_status st = RNN_OK;

    for (size_t i = 0; i < rnn_model_n_layers(model) && st == RNN_OK; i++) {
        rnn_ckpt_param_range range = rnn_ckpt_layer_params(model, i);
        char name[RNN_CKPT_NAME_LENGTH];
        hid_t group;

        RNN_TRY(rnn_h5_write_group(&w->file, parent, rnn_ckpt_layer_name(model, i, name), &group));
        for (size_t k = 0; k < range.count && st == RNN_OK; k++) {
            const rnn_param *p = rnn_model_param(model, range.first + k);

            st = rnn_h5_write_param(&w->file, group, p->name, p, arena);
        }
        rnn_hdf5_release(group);
    }
    return st;
}

/* The arguments of a layer, with the sizes that were inferred filled in. */
static rnn_layer_cfg complete_layer(const rnn_model *model, size_t layer)
{
    rnn_layer_cfg cfg = *rnn_model_layer(model, layer);

    const rnn_stage *stage;
    size_t first = 0;

    while (rnn_model_stage(model, first)->layer < layer)
        first++;
    stage = rnn_model_stage(model, first);
    cfg.input_size = cfg.in_features = (int64_t)stage->in.n_features;
    if (cfg.type == RNN_LAYER_LINEAR)
        cfg.out_features = (int64_t)stage->out.n_features;
    if (cfg.num_embeddings == 0)
        cfg.num_embeddings = (int64_t)stage->in.n_tokens;
    if (cfg.num_classes == 0)
        cfg.num_classes = (int64_t)stage->in.n_tokens;
    return cfg;
}

static rnn_status describe_layer(const rnn_model *model, size_t layer, hid_t models)
{
    rnn_status st;
    rnn_layer_cfg cfg = complete_layer(model, layer);
    char name[RNN_CKPT_NAME_LENGTH];
    hid_t group = H5Gopen2(models, rnn_ckpt_layer_name(model, layer, name), H5P_DEFAULT);

    RNN_TRY_GOTO(st, write_text(group, "type", rnn_layer_type_name(cfg.type)), done);
    for (size_t i = 0; i < rnn_layer_n_args; i++) {
        rnn_ckpt_field field = rnn_ckpt_layer_field(&rnn_layer_args[i]);

        if (rnn_layer_arg_applies(&rnn_layer_args[i], cfg.type))
            RNN_TRY_GOTO(st, write_field(group, &field, &cfg), done);
    }
done:
    rnn_hdf5_release(group);
    return st;
}

static rnn_status write_model(const writer *w, hid_t group)
{
    const rnn_model *model = w->from->model;

    RNN_TRY(rnn_ckpt_check_finite(model, w->from->params, RNN_ERR_NONFINITE, "/model"));
    RNN_TRY(write_arena(w, group, w->from->params));
    for (size_t i = 0; i < rnn_model_n_layers(model); i++)
        RNN_TRY(describe_layer(model, i, group));
    return RNN_OK;
}

static rnn_status write_state(const writer *w, hid_t parent, size_t i)
{
    rnn_status st;
    const char *name = rnn_optimizer_state_name(w->from->optimizer, i);
    const float *values = rnn_optimizer_state(w->from->optimizer, i);
    char path[RNN_CKPT_NAME_LENGTH];
    hid_t group;

    snprintf(path, sizeof path, "/optimizer/%s", name);
    RNN_TRY(rnn_ckpt_check_finite(w->from->model, values, RNN_ERR_NONFINITE, path));
    RNN_TRY(rnn_h5_write_group(&w->file, parent, name, &group));
    st = write_arena(w, group, values);
    rnn_hdf5_release(group);
    return st;
}

static rnn_status write_optimizer(const writer *w, hid_t group)
{
    const rnn_optimizer *optimizer = w->from->optimizer;
    const rnn_optimizer_cfg *cfg = rnn_optimizer_get_cfg(optimizer);
    rnn_ckpt_scalars scalars = {.step = rnn_optimizer_get_step(optimizer),
                                .scalar = rnn_optimizer_get_scalar(optimizer)};

    RNN_TRY(write_text(group, "type", rnn_optimizer_type_name(cfg->type)));
    RNN_TRY(write_fields(group, rnn_ckpt_scalar_fields, rnn_ckpt_n_scalar_fields, &scalars));
    RNN_TRY(write_fields(group, rnn_ckpt_optimizer_fields, rnn_ckpt_n_optimizer_fields, cfg));
    for (size_t i = 0; i < rnn_optimizer_n_states(optimizer); i++)
        RNN_TRY(write_state(w, group, i));
    return RNN_OK;
}

static rnn_status write_progress(const writer *w, hid_t group)
{
    RNN_TRY(write_fields(group, rnn_ckpt_progress_fields, rnn_ckpt_n_progress_fields,
                         w->from->progress));
    return write_fields(group, rnn_ckpt_later_fields, rnn_ckpt_n_later_fields, w->from->progress);
}

static rnn_status write_metric(const writer *w, hid_t group, size_t i)
{
    const rnn_history *history = w->from->history;
    static const double nothing;
    hsize_t n_rows = history->n_rows;
    hid_t space = H5Screate_simple(1, &n_rows, NULL);
    hid_t memory =
        n_rows == 0 ? H5Scopy(space) : rnn_ckpt_column_space(n_rows, history->n_metrics, i);
    rnn_status st =
        rnn_h5_write_dataset(&w->file, group, history->names[i], H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                             space, memory, n_rows == 0 ? &nothing : history->values);

    rnn_hdf5_release(memory);
    rnn_hdf5_release(space);
    return st;
}

static rnn_status write_history(const writer *w, hid_t group)
{
    for (size_t i = 0; i < w->from->history->n_metrics; i++)
        RNN_TRY(write_metric(w, group, i));
    return RNN_OK;
}

static rnn_status write_environment(const writer *w, hid_t group)
{
    for (size_t i = 0; i < w->from->n_environment; i++)
        RNN_TRY(write_text(group, w->from->environment[i].name, w->from->environment[i].text));
    return RNN_OK;
}

static rnn_status write_root(const writer *w, const char *created_at)
{
    const rnn_checkpoint *from = w->from;
    char digest[17];

    snprintf(digest, sizeof digest, "%016" PRIx64,
             rnn_digest(from->params, rnn_model_size(from->model) * sizeof *from->params));
    RNN_TRY(write_text(w->file.root, "format", rnn_ckpt_format));
    RNN_TRY(write_integer(w->file.root, "format_version", RNN_CKPT_FORMAT_VERSION));
    RNN_TRY(write_text(w->file.root, "created_by", "rnntrain " RNN_VERSION));
    RNN_TRY(write_text(w->file.root, "created_at", created_at));
    return write_text(w->file.root, "digest", digest);
}

static rnn_status write_config(const writer *w)
{
    const char *text = w->from->config != NULL ? w->from->config : "";
    hid_t space = H5Screate(H5S_SCALAR), type = text_type(strlen(text));
    rnn_status st =
        rnn_h5_write_dataset(&w->file, w->file.root, "config", type, type, space, H5S_ALL, text);

    rnn_hdf5_release(type);
    rnn_hdf5_release(space);
    return st;
}

static const struct {
    const char *name;
    rnn_status (*write)(const writer *w, hid_t group);
} sections[] = {
    {"model", write_model},     {"optimizer", write_optimizer},     {"progress", write_progress},
    {"history", write_history}, {"environment", write_environment},
};

/* The group that a block's path leads to, made if need be; *name is what remains of the path. */
static rnn_status open_block_group(const writer *w, const rnn_block *block, hid_t *group,
                                   const char **name)
{
    *group = H5Gopen2(w->file.root, "/", H5P_DEFAULT);
    *name = block->path;
    for (const char *slash; slash = strchr(*name, '/'), slash != NULL; *name = slash + 1) {
        char step[RNN_BLOCK_MAX_PATH];
        hid_t parent = *group;
        rnn_status st = RNN_OK;

        snprintf(step, sizeof step, "%.*s", (int)(slash - *name), *name);
        if (H5Lexists(parent, step, H5P_DEFAULT) > 0)
            *group = H5Gopen2(parent, step, H5P_DEFAULT);
        else
            st = rnn_h5_write_group(&w->file, parent, step, group);
        rnn_hdf5_release(parent);
        RNN_TRY(st);
    }
    return RNN_OK;
}

static rnn_status check_block(const rnn_block *block)
{
    size_t count = 1;

    for (int d = 0; d < block->n_dims; d++)
        count *= block->shape[d];
    for (size_t i = 0; i < count && block->type != RNN_BLOCK_TEXTS; i++) {
        double value = block->type == RNN_BLOCK_FLOAT32 ? (double)((float *)block->values)[i]
                                                        : ((double *)block->values)[i];

        if (!isfinite(value))
            return RNN_FAIL(RNN_ERR_NONFINITE, "/%s is not finite: value %zu of %zu is %g",
                            block->path, i, count, value);
    }
    return RNN_OK;
}

static rnn_status write_block(const writer *w, const rnn_block *block)
{
    bool has_texts = block->type == RNN_BLOCK_TEXTS;
    hid_t file_type = rnn_ckpt_block_type(block->type, has_texts ? block->shape[1] : 0, true);
    hid_t type = rnn_ckpt_block_type(block->type, has_texts ? block->shape[1] : 0, false);
    hsize_t dims[RNN_BLOCK_MAX_DIMS];
    hid_t group, space;
    const char *name;
    rnn_status st = check_block(block);

    for (int d = 0; d < block->n_dims; d++)
        dims[d] = block->shape[d];
    space = H5Screate_simple(has_texts ? 1 : block->n_dims, dims, NULL);
    if (st == RNN_OK)
        st = open_block_group(w, block, &group, &name);
    if (st == RNN_OK) {
        st = rnn_h5_write_dataset(&w->file, group, name, file_type, type, space, H5S_ALL,
                                  block->values);
        rnn_hdf5_release(group);
    }
    rnn_hdf5_release(space);
    rnn_hdf5_release(file_type);
    rnn_hdf5_release(type);
    return st;
}

static rnn_status write_all(const writer *w, const char *created_at)
{
    RNN_TRY(write_root(w, created_at));
    RNN_TRY(write_config(w));
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        rnn_status st;
        hid_t group;

        RNN_TRY(rnn_h5_write_group(&w->file, w->file.root, sections[i].name, &group));
        st = sections[i].write(w, group);
        rnn_hdf5_release(group);
        RNN_TRY(st);
    }
    for (size_t i = 0; i < w->from->n_blocks; i++)
        RNN_TRY(write_block(w, &w->from->blocks[i]));
    return RNN_OK;
}

rnn_status rnn_checkpoint_image_write(const rnn_checkpoint *checkpoint, const char *created_at,
                                      size_t room, void **image, size_t *n_bytes)
{
    rnn_status st;
    writer w = {.from = checkpoint};

    *image = NULL;
    *n_bytes = 0;
    rnn_h5_writer_open(&w.file);
    st = write_all(&w, created_at);
    if (st == RNN_OK)
        st = rnn_h5_writer_take(&w.file, room, image, n_bytes);
    rnn_h5_writer_close(&w.file);
    return st;
}
