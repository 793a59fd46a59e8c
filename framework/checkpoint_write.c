/*
 * A checkpoint into the bytes of an HDF5 file. libhdf5 refuses an invalid handle wherever one is
 * passed, so of a chain of calls the last result tells whether all went well.
 */
#include "framework/checkpoint_image.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "framework/checkpoint_layout.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct writer {
    const rnn_checkpoint *from;
    hid_t root;
    hid_t group_list, dataset_list; /* creation properties: no times */
} writer;

static rnn_status cannot_write(const char *what)
{
    return RNN_FAIL(RNN_ERR_INTERNAL, "libhdf5 cannot add '%s' to a checkpoint in memory", what);
}

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

    rnn_ckpt_release(attribute);
    rnn_ckpt_release(space);
    return result < 0 ? cannot_write(name) : RNN_OK;
}

static rnn_status write_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text));
    rnn_status st = write_attribute(object, name, type, type, text);

    rnn_ckpt_release(type);
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

static rnn_status create_group(const writer *w, hid_t parent, const char *name, hid_t *group)
{
    *group = H5Gcreate2(parent, name, H5P_DEFAULT, w->group_list, H5P_DEFAULT);
    return *group < 0 ? cannot_write(name) : RNN_OK;
}

/* `memory` selects the values in memory, H5S_ALL for an array as it is. */
static rnn_status write_dataset(const writer *w, hid_t parent, const char *name, hid_t file_type,
                                hid_t type, hid_t space, hid_t memory, const void *values)
{
    hid_t dataset =
        H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, w->dataset_list, H5P_DEFAULT);
    herr_t result = H5Dwrite(dataset, type, memory, H5S_ALL, H5P_DEFAULT, values);

    rnn_ckpt_release(dataset);
    return result < 0 ? cannot_write(name) : RNN_OK;
}

static rnn_status write_param(const writer *w, hid_t parent, const rnn_param *p, const float *arena)
{
    hsize_t dims[] = {p->shape[0], p->shape[1]};
    hid_t space = H5Screate_simple(p->n_dims, dims, NULL);
    rnn_status st = write_dataset(w, parent, p->name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, space,
                                  H5S_ALL, arena + p->offset);

    rnn_ckpt_release(space);
    return st;
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

        RNN_TRY(create_group(w, parent, rnn_ckpt_layer_name(model, i, name), &group));
        for (size_t k = 0; k < range.count && st == RNN_OK; k++)
            st = write_param(w, group, rnn_model_param(model, range.first + k), arena);
        rnn_ckpt_release(group);
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
    rnn_ckpt_release(group);
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
    RNN_TRY(create_group(w, parent, name, &group));
    st = write_arena(w, group, values);
    rnn_ckpt_release(group);
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
    return write_fields(group, rnn_ckpt_progress_fields, rnn_ckpt_n_progress_fields,
                        w->from->progress);
}

static rnn_status write_metric(const writer *w, hid_t group, size_t i)
{
    const rnn_history *history = w->from->history;
    static const double nothing;
    hsize_t n_rows = history->n_rows;
    hid_t space = H5Screate_simple(1, &n_rows, NULL);
    hid_t memory =
        n_rows == 0 ? H5Scopy(space) : rnn_ckpt_column_space(n_rows, history->n_metrics, i);
    rnn_status st = write_dataset(w, group, history->names[i], H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                                  space, memory, n_rows == 0 ? &nothing : history->values);

    rnn_ckpt_release(memory);
    rnn_ckpt_release(space);
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
    RNN_TRY(write_text(w->root, "format", rnn_ckpt_format));
    RNN_TRY(write_integer(w->root, "format_version", RNN_CKPT_FORMAT_VERSION));
    RNN_TRY(write_text(w->root, "created_by", "rnntrain " RNN_VERSION));
    RNN_TRY(write_text(w->root, "created_at", created_at));
    return write_text(w->root, "digest", digest);
}

static rnn_status write_config(const writer *w)
{
    const char *text = w->from->config != NULL ? w->from->config : "";
    hid_t space = H5Screate(H5S_SCALAR), type = text_type(strlen(text));
    rnn_status st = write_dataset(w, w->root, "config", type, type, space, H5S_ALL, text);

    rnn_ckpt_release(type);
    rnn_ckpt_release(space);
    return st;
}

static const struct {
    const char *name;
    rnn_status (*write)(const writer *w, hid_t group);
} sections[] = {
    {"model", write_model},     {"optimizer", write_optimizer},     {"progress", write_progress},
    {"history", write_history}, {"environment", write_environment},
};

static rnn_status write_all(const writer *w, const char *created_at)
{
    RNN_TRY(write_root(w, created_at));
    RNN_TRY(write_config(w));
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        rnn_status st;
        hid_t group;

        RNN_TRY(create_group(w, w->root, sections[i].name, &group));
        st = sections[i].write(w, group);
        rnn_ckpt_release(group);
        RNN_TRY(st);
    }
    return RNN_OK;
}

/* The finished bytes. The oldest format has no checksum in the superblock for libhdf5 to forget. */
static rnn_status take_image(hid_t file, size_t room, void **image, size_t *n_bytes)
{
    ssize_t size;
    char *bytes;

    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || (size = H5Fget_file_image(file, NULL, 0)) < 0)
        return cannot_write("the end");
    RNN_TRY(RNN_ALLOC(&bytes, (size_t)size + room, "the image of a checkpoint"));
    if (H5Fget_file_image(file, bytes, (size_t)size) != size) {
        rnn_free(bytes);
        return cannot_write("the end");
    }
    *image = bytes;
    *n_bytes = (size_t)size;
    return RNN_OK;
}

rnn_status rnn_checkpoint_image_write(const rnn_checkpoint *checkpoint, const char *created_at,
                                      size_t room, void **image, size_t *n_bytes)
{
    rnn_status st;
    hid_t access, creation, file;
    writer w = {.from = checkpoint};

    *image = NULL;
    *n_bytes = 0;
    rnn_ckpt_tame_library();
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, RNN_CKPT_IMAGE_INCREMENT, 0);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    creation = H5Pcreate(H5P_FILE_CREATE);
    w.group_list = H5Pcreate(H5P_GROUP_CREATE);
    w.dataset_list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_obj_track_times(w.group_list, 0);
    H5Pset_obj_track_times(w.dataset_list, 0);
    file = H5Fcreate("checkpoint", H5F_ACC_TRUNC, creation, access);
    w.root = H5Gopen2(file, "/", H5P_DEFAULT);
    RNN_TRY_GOTO(st, write_all(&w, created_at), done);
    st = take_image(file, room, image, n_bytes);
done:
    rnn_ckpt_release(w.root);
    rnn_ckpt_release(file);
    rnn_ckpt_release(w.dataset_list);
    rnn_ckpt_release(w.group_list);
    rnn_ckpt_release(creation);
    rnn_ckpt_release(access);
    return st;
}
