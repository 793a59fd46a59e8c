/*
 * The bytes of an HDF5 file into a checkpoint: nothing in the image is believed, and nothing is
 * changed before all of it is known to be right.
 */
#include "framework/checkpoint_image.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/checkpoint_layout.h"
#include "framework/hdf5_image.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum {
    LIST_LENGTH = 320, /* of a list of names in a message */
    TEXT_LENGTH = 1024 /* of a text attribute that we read */
};

static size_t n_reads;

/* -- Which names are in which group ----------------------------------------------------------- */

/* Names that belong into one group. get returns the i-th, printed into `buffer` if need be. */
typedef struct name_set {
    size_t count;
    const char *(*get)(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH]);
    const void *context;
} name_set;

static const char *param_name(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH])
{
    const rnn_ckpt_param_range *range = context;

    (void)buffer;
    return rnn_model_param(range->model, range->first + i)->name;
}

static const char *state_name(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH])
{
    (void)buffer;
    return rnn_optimizer_state_name(context, i);
}

static const char *metric_name(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH])
{
    const rnn_history *history = context;

    (void)buffer;
    return history->names[i];
}

static bool contains(const name_set *set, const char *name)
{
    char buffer[RNN_CKPT_NAME_LENGTH];

    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->get(set->context, i, buffer), name) == 0)
            return true;
    return false;
}

static rnn_status refuse_names(const rnn_h5_place *group, const name_set *set, hsize_t n_links,
                               const char *name, const char *problem)
{
    char found[LIST_LENGTH] = "", needed[LIST_LENGTH] = "", shown[RNN_H5_PATH_LENGTH] = "";
    char link[RNN_H5_PATH_LENGTH], buffer[RNN_CKPT_NAME_LENGTH];

    for (hsize_t i = 0; i < n_links && strlen(found) < LIST_LENGTH - 1; i++) {
        rnn_h5_link_name(group, i, link);
        rnn_h5_append_name(found, sizeof found, link);
    }
    for (size_t i = 0; i < set->count && strlen(needed) < LIST_LENGTH - 1; i++)
        rnn_h5_append_name(needed, sizeof needed, set->get(set->context, i, buffer));
    rnn_h5_append_name(shown, sizeof shown, name);
    return rnn_h5_refuse(group, "%s %s (the checkpoint has %s; the run needs %s)", problem, shown,
                         n_links > 0 ? found : "nothing", set->count > 0 ? needed : "nothing");
}

/* A group must have exactly the names of the set. */
static rnn_status check_names(const rnn_h5_place *group, name_set set)
{
    H5G_info_t info;
    char name[RNN_H5_PATH_LENGTH], buffer[RNN_CKPT_NAME_LENGTH];

    if (H5Gget_info(group->id, &info) < 0)
        return rnn_h5_refuse(group, "cannot be listed");
    for (size_t i = 0; i < set.count; i++) {
        const char *needed = set.get(set.context, i, buffer);

        if (H5Lexists(group->id, needed, H5P_DEFAULT) <= 0)
            return refuse_names(group, &set, info.nlinks, needed, "lacks");
    }
    for (hsize_t i = 0; i < info.nlinks; i++) {
        rnn_h5_link_name(group, i, name);
        if (!contains(&set, name))
            return refuse_names(group, &set, info.nlinks, name, "has the unexpected");
    }
    return RNN_OK;
}

/* -- Attributes -------------------------------------------------------------------------------- */

static bool is_scalar(hid_t space)
{
    return H5Sget_simple_extent_type(space) == H5S_SCALAR;
}

/* A scalar number of exactly this type. */
static rnn_status read_number(const rnn_h5_place *at, const char *name, hid_t file_type, hid_t type,
                              void *value)
{
    hid_t attribute = H5Aopen(at->id, name, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), found = H5Aget_type(attribute);
    rnn_status st = RNN_OK;

    if (attribute < 0)
        st = rnn_h5_refuse(at, "has no attribute %s", name);
    else if (H5Tequal(found, file_type) <= 0 || !is_scalar(space))
        st = rnn_h5_refuse(at, "has an attribute %s that is not a 64-bit little-endian %s", name,
                           H5Tget_class(file_type) == H5T_FLOAT ? "float" : "integer");
    else if (H5Aread(attribute, type, value) < 0)
        st = rnn_h5_refuse(at, "has an attribute %s that cannot be read", name);
    rnn_hdf5_release(found);
    rnn_hdf5_release(space);
    rnn_hdf5_release(attribute);
    return st;
}

static bool is_fixed_text(hid_t type, size_t max_size)
{
    size_t size = H5Tget_size(type);

    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && size > 0 &&
           size <= max_size;
}

static rnn_status read_text(const rnn_h5_place *at, const char *name, char text[TEXT_LENGTH])
{
    hid_t attribute = H5Aopen(at->id, name, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    rnn_status st = RNN_OK;

    memset(text, 0, TEXT_LENGTH);
    if (attribute < 0)
        st = rnn_h5_refuse(at, "has no attribute %s", name);
    else if (!is_fixed_text(type, TEXT_LENGTH - 1) || !is_scalar(space))
        st =
            rnn_h5_refuse(at, "has an attribute %s that is not a short text of fixed length", name);
    else if (H5Aread(attribute, type, text) < 0)
        st = rnn_h5_refuse(at, "has an attribute %s that cannot be read", name);
    rnn_h5_make_printable(text);
    rnn_hdf5_release(type);
    rnn_hdf5_release(space);
    rnn_hdf5_release(attribute);
    return st;
}

static rnn_status read_hex(const rnn_h5_place *at, const char *name, uint64_t *value)
{
    char text[TEXT_LENGTH];

    RNN_TRY(read_text(at, name, text));
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return rnn_h5_refuse(at, "has the attribute %s = \"%.40s\", not 16 hexadecimal digits",
                             name, text);
    *value = strtoull(text, NULL, 16);
    return RNN_OK;
}

static rnn_status read_integer(const rnn_h5_place *at, const char *name, int64_t *value)
{
    return read_number(at, name, H5T_STD_I64LE, H5T_NATIVE_INT64, value);
}

static rnn_status read_count(const rnn_h5_place *at, const char *name, uint64_t *value)
{
    int64_t integer = 0;

    RNN_TRY(read_integer(at, name, &integer));
    if (integer < 0 || (uint64_t)integer > rnn_ckpt_count_limit)
        return rnn_h5_refuse(at, "has the attribute %s = %" PRId64 ", outside 0 ... %" PRIu64, name,
                             integer, rnn_ckpt_count_limit);
    *value = (uint64_t)integer;
    return RNN_OK;
}

static rnn_status read_flag(const rnn_h5_place *at, const char *name, bool *value)
{
    int64_t integer = 0;

    RNN_TRY(read_integer(at, name, &integer));
    if (integer != 0 && integer != 1)
        return rnn_h5_refuse(at, "has the attribute %s = %" PRId64 ", not 0 or 1", name, integer);
    *value = integer == 1;
    return RNN_OK;
}

static rnn_status read_real(const rnn_h5_place *at, const char *name, bool must_be_finite,
                            double *value)
{
    double real = 0.0;

    RNN_TRY(read_number(at, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &real));
    if (must_be_finite && !isfinite(real))
        return rnn_h5_refuse(at, "has an attribute %s that is not finite: %g", name, real);
    *value = real;
    return RNN_OK;
}

static rnn_status read_choice(const rnn_h5_place *at, const rnn_ckpt_field *f, int *value)
{
    char text[TEXT_LENGTH], known[LIST_LENGTH] = "";

    RNN_TRY(read_text(at, f->name, text));
    for (int i = 0; f->choices[i] != NULL; i++) {
        if (strcmp(f->choices[i], text) == 0) {
            *value = i;
            return RNN_OK;
        }
        rnn_h5_append_name(known, sizeof known, f->choices[i]);
    }
    return rnn_h5_refuse(at, "has the attribute %s = \"%.40s\", expected one of %s", f->name, text,
                         known);
}

static rnn_status read_field(const rnn_h5_place *at, const rnn_ckpt_field *f, void *base)
{
    void *to = (char *)base + f->offset;

    switch (f->kind) {
    case RNN_CKPT_DIGEST:
        return read_hex(at, f->name, to);
    case RNN_CKPT_COUNT:
        return read_count(at, f->name, to);
    case RNN_CKPT_INTEGER:
        return read_integer(at, f->name, to);
    case RNN_CKPT_FLAG:
        return read_flag(at, f->name, to);
    case RNN_CKPT_CHOICE:
        return read_choice(at, f, to);
    case RNN_CKPT_REAL:
    case RNN_CKPT_FINITE:
        break;
    }
    return read_real(at, f->name, f->kind == RNN_CKPT_FINITE, to);
}

static rnn_status read_fields(const rnn_h5_place *at, const rnn_ckpt_field *fields, size_t n_fields,
                              void *base)
{
    for (size_t i = 0; i < n_fields; i++)
        RNN_TRY(read_field(at, &fields[i], base));
    return RNN_OK;
}

/* -- Datasets ---------------------------------------------------------------------------------- */

static rnn_status check_type(const rnn_h5_place *dataset, hid_t type, const char *name)
{
    hid_t found = H5Dget_type(dataset->id);
    bool equal = H5Tequal(found, type) > 0;

    rnn_hdf5_release(found);
    return equal ? RNN_OK : rnn_h5_refuse(dataset, "is not of type little-endian %s", name);
}

static rnn_status check_shape(const rnn_h5_place *dataset, const rnn_param *p)
{
    hsize_t dims[H5S_MAX_RANK];
    int n_dims = rnn_h5_get_shape(dataset, dims);
    char needed[64], found[256];

    if (rnn_h5_is_shape_of(p, n_dims, dims))
        return RNN_OK;
    rnn_h5_print_param_shape(needed, sizeof needed, p);
    rnn_h5_print_shape(found, sizeof found, n_dims, dims);
    return rnn_h5_refuse(dataset, "is %s in the model but %s in the checkpoint", needed, found);
}

/* -- Parameters, optimizer, progress and history ----------------------------------------------- */

static rnn_status read_param(const rnn_h5_place *layer, const rnn_param *p, float *arena)
{
    rnn_status st;
    rnn_h5_place dataset;

    RNN_TRY(rnn_h5_open_child(layer, p->name, H5I_DATASET, &dataset));
    RNN_TRY_GOTO(st, check_type(&dataset, H5T_IEEE_F32LE, "float32"), done);
    RNN_TRY_GOTO(st, check_shape(&dataset, p), done);
    RNN_TRY_GOTO(st, rnn_h5_check_storage(&dataset, p->count * sizeof *arena), done);
    st = rnn_h5_load(&dataset, H5T_NATIVE_FLOAT, H5S_ALL, arena + p->offset);
done:
    rnn_hdf5_release(dataset.id);
    return st;
}

static rnn_status read_layer(const rnn_h5_place *parent, const rnn_model *model, size_t i,
                             float *arena)
{
    rnn_status st;
    rnn_h5_place layer;
    char name[RNN_CKPT_NAME_LENGTH];
    rnn_ckpt_param_range range = rnn_ckpt_layer_params(model, i);

    RNN_TRY(rnn_h5_open_child(parent, rnn_ckpt_layer_name(model, i, name), H5I_GROUP, &layer));
    RNN_TRY_GOTO(st, check_names(&layer, (name_set){range.count, param_name, &range}), done);
    for (size_t k = 0; k < range.count; k++)
        RNN_TRY_GOTO(st, read_param(&layer, rnn_model_param(model, range.first + k), arena), done);
done:
    rnn_hdf5_release(layer.id);
    return st;
}

/* parent/LAYER/PARAM into an arena. */
static rnn_status read_arena(const rnn_h5_place *parent, const rnn_model *model, float *arena)
{
    char where[RNN_H5_PATH_LENGTH + TEXT_LENGTH];
    size_t n_layers = rnn_model_n_layers(model);

    RNN_TRY(check_names(parent, (name_set){n_layers, rnn_ckpt_layer_name, model}));
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY(read_layer(parent, model, i, arena));
    snprintf(where, sizeof where, "%.1000s: %s", parent->source, parent->path);
    return rnn_ckpt_check_finite(model, arena, RNN_ERR_DATA, where);
}

/* What has been read, until all of it is known to be right. */
typedef struct staging {
    const rnn_checkpoint *into;
    float *params;
    float *states; /* [n_states][n_params] */
    rnn_ckpt_scalars scalars;
    rnn_progress progress;
    double *history; /* [n_rows][n_metrics] */
    size_t n_rows;
} staging;

static rnn_status read_model(const rnn_h5_place *group, staging *s)
{
    const rnn_model *model = s->into->model;

    RNN_TRY(RNN_ALLOC(&s->params, rnn_model_size(model), "the parameters of a checkpoint"));
    return read_arena(group, model, s->params);
}

static rnn_status read_state(const rnn_h5_place *optimizer, const char *name,
                             const rnn_model *model, float *arena)
{
    rnn_status st;
    rnn_h5_place group;

    RNN_TRY(rnn_h5_open_child(optimizer, name, H5I_GROUP, &group));
    st = read_arena(&group, model, arena);
    rnn_hdf5_release(group.id);
    return st;
}

static rnn_status read_optimizer(const rnn_h5_place *group, staging *s)
{
    const rnn_optimizer *optimizer = s->into->optimizer;
    const char *needed = rnn_optimizer_type_name(rnn_optimizer_get_cfg(optimizer)->type);
    size_t n_states = rnn_optimizer_n_states(optimizer), size = rnn_model_size(s->into->model);
    char type[TEXT_LENGTH];

    RNN_TRY(read_text(group, "type", type));
    if (strcmp(type, needed) != 0)
        return rnn_h5_refuse(group, "is of type %.40s, the run needs %s", type, needed);
    RNN_TRY(read_fields(group, rnn_ckpt_scalar_fields, rnn_ckpt_n_scalar_fields, &s->scalars));
    RNN_TRY(check_names(group, (name_set){n_states, state_name, optimizer}));
    RNN_TRY(rnn_alloc((void **)&s->states, n_states, size * sizeof *s->states,
                      "the optimizer state of a checkpoint"));
    for (size_t i = 0; i < n_states; i++)
        RNN_TRY(read_state(group, rnn_optimizer_state_name(optimizer, i), s->into->model,
                           s->states + i * size));
    return RNN_OK;
}

static rnn_status read_progress(const rnn_h5_place *group, staging *s)
{
    RNN_TRY(read_fields(group, rnn_ckpt_progress_fields, rnn_ckpt_n_progress_fields, &s->progress));
    s->progress.epoch_targets = s->progress.epoch_samples;
    s->progress.plateau_scale = 1.0;
    s->progress.plateau_best = (double)NAN;
    for (size_t i = 0; i < rnn_ckpt_n_later_fields; i++)
        if (H5Aexists(group->id, rnn_ckpt_later_fields[i].name) > 0)
            RNN_TRY(read_field(group, &rnn_ckpt_later_fields[i], &s->progress));
    return RNN_OK;
}

/* The first metric decides how many rows all have. */
static rnn_status get_n_rows(const rnn_h5_place *dataset, staging *s, size_t metric)
{
    hsize_t dims[H5S_MAX_RANK];
    int n_dims = rnn_h5_get_shape(dataset, dims);

    if (n_dims != 1 || dims[0] > dataset->n_image / sizeof *s->history)
        return rnn_h5_refuse(dataset, "is not one column that fits into the file");
    if (metric > 0 && dims[0] != s->n_rows)
        return rnn_h5_refuse(dataset, "has %" PRIu64 " rows, the other metrics have %zu",
                             (uint64_t)dims[0], s->n_rows);
    s->n_rows = (size_t)dims[0];
    return rnn_h5_check_storage(dataset, dims[0] * sizeof *s->history);
}

static rnn_status read_metric(const rnn_h5_place *group, staging *s, size_t i)
{
    rnn_status st;
    rnn_h5_place dataset;
    hid_t memory = H5I_INVALID_HID;
    size_t n_metrics = s->into->history->n_metrics;

    RNN_TRY(rnn_h5_open_child(group, s->into->history->names[i], H5I_DATASET, &dataset));
    RNN_TRY_GOTO(st, check_type(&dataset, H5T_IEEE_F64LE, "float64"), done);
    RNN_TRY_GOTO(st, get_n_rows(&dataset, s, i), done);
    if (s->n_rows == 0)
        goto done;
    if (i == 0)
        RNN_TRY_GOTO(st,
                     rnn_alloc((void **)&s->history, s->n_rows, n_metrics * sizeof *s->history,
                               "the history of a checkpoint"),
                     done);
    memory = rnn_ckpt_column_space(s->n_rows, n_metrics, i);
    st = rnn_h5_load(&dataset, H5T_NATIVE_DOUBLE, memory, s->history);
done:
    rnn_hdf5_release(memory);
    rnn_hdf5_release(dataset.id);
    return st;
}

static rnn_status read_history(const rnn_h5_place *group, staging *s)
{
    const rnn_history *history = s->into->history;

    RNN_TRY(check_names(group, (name_set){history->n_metrics, metric_name, history}));
    for (size_t i = 0; i < history->n_metrics; i++)
        RNN_TRY(read_metric(group, s, i));
    return RNN_OK;
}

static rnn_status read_section(const rnn_h5_place *root, const char *name, staging *s,
                               rnn_status (*read)(const rnn_h5_place *, staging *))
{
    rnn_status st;
    rnn_h5_place group;

    RNN_TRY(rnn_h5_open_child(root, name, H5I_GROUP, &group));
    st = read(&group, s);
    rnn_hdf5_release(group.id);
    return st;
}

static rnn_status check_digest(const rnn_h5_place *root, const staging *s)
{
    char written[TEXT_LENGTH], found[17];

    snprintf(found, sizeof found, "%016" PRIx64,
             rnn_digest(s->params, rnn_model_size(s->into->model) * sizeof *s->params));
    RNN_TRY(read_text(root, "digest", written));
    if (strcmp(written, found) != 0)
        return rnn_h5_refuse(root, "has the digest %.16s, but its parameters have %s", written,
                             found);
    return RNN_OK;
}

static void commit(const staging *s, rnn_checkpoint *into)
{
    size_t size = rnn_model_size(into->model);

    memcpy(into->params, s->params, size * sizeof *s->params);
    if (into->optimizer != NULL) {
        for (size_t i = 0; i < rnn_optimizer_n_states(into->optimizer); i++)
            memcpy(rnn_optimizer_state(into->optimizer, i), s->states + i * size,
                   size * sizeof *s->states);
        rnn_optimizer_set_step(into->optimizer, s->scalars.step);
        rnn_optimizer_set_scalar(into->optimizer, s->scalars.scalar);
    }
    if (into->progress != NULL)
        *into->progress = s->progress;
    if (into->history != NULL) {
        rnn_free(into->history->values);
        into->history->values = s->history;
        into->history->n_rows = s->n_rows;
    }
}

static rnn_status read_sections(const rnn_h5_place *root, void *out)
{
    rnn_status st;
    rnn_checkpoint *into = out;
    staging s = {.into = into};

    RNN_TRY_GOTO(st, read_section(root, "model", &s, read_model), done);
    RNN_TRY_GOTO(st, check_digest(root, &s), done);
    if (into->optimizer != NULL)
        RNN_TRY_GOTO(st, read_section(root, "optimizer", &s, read_optimizer), done);
    if (into->progress != NULL)
        RNN_TRY_GOTO(st, read_section(root, "progress", &s, read_progress), done);
    if (into->history != NULL)
        RNN_TRY_GOTO(st, read_section(root, "history", &s, read_history), done);
    commit(&s, into);
    s.history = NULL; /* now of into */
done:
    rnn_free(s.history);
    rnn_free(s.states);
    rnn_free(s.params);
    return st;
}

/* -- Layers ------------------------------------------------------------------------------------ */

typedef struct layer_list {
    rnn_layer_cfg *layers; /* [RNN_MODEL_MAX_LAYERS] */
    size_t count;
} layer_list;

/* Without these there is no layer; the others have a default that older files rely on. */
static bool is_needed(const rnn_layer_arg *arg, const rnn_layer_cfg *defaults)
{
    const void *field = (const char *)defaults + arg->offset;

    return arg->inferred ||
           (arg->kind == RNN_ARG_INTEGER && (double)*(const int64_t *)field < arg->min);
}

/* `cfg` has the defaults of its type. */
static rnn_status read_arg(const rnn_h5_place *group, const rnn_layer_arg *arg, rnn_layer_cfg *cfg)
{
    rnn_ckpt_field field = rnn_ckpt_layer_field(arg);
    const int64_t *size = (const int64_t *)((const char *)cfg + arg->offset);

    if (!is_needed(arg, cfg) && H5Aexists(group->id, arg->name) == 0)
        return RNN_OK;
    RNN_TRY(read_field(group, &field, cfg));
    if (arg->inferred && *size == 0)
        return rnn_h5_refuse(group, "has the attribute %s = 0, which must be above 0", arg->name);
    return RNN_OK;
}

static rnn_status read_args(const rnn_h5_place *group, rnn_layer_type type, size_t i,
                            rnn_layer_cfg *cfg)
{
    char written[TEXT_LENGTH];

    RNN_TRY(read_text(group, "type", written));
    if (strcmp(written, rnn_layer_type_name(type)) != 0)
        return rnn_h5_refuse(group, "has the attribute type = \"%.40s\", which is not in its name",
                             written);
    *cfg = rnn_layer_defaults(type);
    for (size_t k = 0; k < rnn_layer_n_args; k++)
        if (rnn_layer_arg_applies(&rnn_layer_args[k], type))
            RNN_TRY(read_arg(group, &rnn_layer_args[k], cfg));
    if (rnn_layer_check(cfg, i) != RNN_OK)
        return rnn_h5_refuse(group, "is no layer: %s", rnn_error_message());
    return RNN_OK;
}

/* The name of layer i is its number and one of the types. */
static bool find_layer(const rnn_h5_place *parent, size_t i, rnn_layer_type *type,
                       char name[RNN_CKPT_NAME_LENGTH])
{
    for (int t = 0; t < RNN_LAYER_N_TYPES; t++) {
        *type = (rnn_layer_type)t;
        snprintf(name, RNN_CKPT_NAME_LENGTH, "%zu_%s", i, rnn_layer_type_name(*type));
        if (H5Lexists(parent->id, name, H5P_DEFAULT) > 0)
            return true;
    }
    return false;
}

static rnn_status read_described_layer(const rnn_h5_place *parent, size_t i, rnn_layer_cfg *cfg)
{
    rnn_status st;
    rnn_layer_type type;
    char name[RNN_CKPT_NAME_LENGTH];
    rnn_h5_place group;

    if (!find_layer(parent, i, &type, name))
        return rnn_h5_refuse(parent, "has no layer %zu of a known type", i);
    RNN_TRY(rnn_h5_open_child(parent, name, H5I_GROUP, &group));
    st = read_args(&group, type, i, cfg);
    rnn_hdf5_release(group.id);
    return st;
}

/* Every one of n links is layer 0 .. n - 1: each is found, so nothing else can be there. */
static rnn_status read_described_layers(const rnn_h5_place *parent, layer_list *list)
{
    H5G_info_t info;

    if (H5Gget_info(parent->id, &info) < 0)
        return rnn_h5_refuse(parent, "cannot be listed");
    if (info.nlinks == 0 || info.nlinks > RNN_MODEL_MAX_LAYERS)
        return rnn_h5_refuse(parent, "has %" PRIu64 " layers, expected 1 to %d",
                             (uint64_t)info.nlinks, RNN_MODEL_MAX_LAYERS);
    for (size_t i = 0; i < info.nlinks; i++)
        RNN_TRY(read_described_layer(parent, i, &list->layers[i]));
    list->count = (size_t)info.nlinks;
    return RNN_OK;
}

static rnn_status read_layers(const rnn_h5_place *root, void *list)
{
    rnn_status st;
    rnn_h5_place group;

    RNN_TRY(rnn_h5_open_child(root, "model", H5I_GROUP, &group));
    st = read_described_layers(&group, list);
    rnn_hdf5_release(group.id);
    return st;
}

/* -- Blocks ------------------------------------------------------------------------------------ */

typedef struct block_list {
    rnn_block *blocks;
    size_t count;
} block_list;

/* A link to elsewhere, which libhdf5 would follow on the way to what is behind it. */
static bool is_link(const rnn_h5_place *root, const char *path)
{
    H5L_info_t info;

    return H5Lget_info(root->id, path, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD;
}

/* Whether there is one, every group on the way and the dataset itself, or a link to be refused. */
static bool has_block(const rnn_h5_place *root, const rnn_block *block)
{
    char path[RNN_BLOCK_MAX_PATH];

    for (size_t n = 0; n <= strlen(block->path); n++) {
        if (block->path[n] != '/' && block->path[n] != '\0')
            continue;
        memcpy(path, block->path, n);
        path[n] = '\0';
        if (H5Lexists(root->id, path, H5P_DEFAULT) <= 0)
            return false;
        if (is_link(root, path))
            return true;
    }
    return true;
}

/* Opens what the path leads to, one directly linked object after the other. */
static rnn_status open_block(const rnn_h5_place *root, const char *path, rnn_h5_place *out)
{
    const char *slash = strchr(path, '/');
    char name[RNN_BLOCK_MAX_PATH];
    rnn_h5_place group;
    rnn_status st;

    if (slash == NULL)
        return rnn_h5_open_child(root, path, H5I_DATASET, out);
    snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
    RNN_TRY(rnn_h5_open_child(root, name, H5I_GROUP, &group));
    st = open_block(&group, slash + 1, out);
    rnn_hdf5_release(group.id);
    return st;
}

/* Takes type and shape from the file; *width is the size of a value. */
static rnn_status measure_block(const rnn_h5_place *dataset, rnn_block *block, size_t *width)
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t found = H5Dget_type(dataset->id), expected;
    bool has_texts = block->type == RNN_BLOCK_TEXTS, fits;

    *width = H5Tget_size(found);
    expected = rnn_ckpt_block_type(block->type, *width, true);
    fits = *width > 0 && H5Tequal(found, expected) > 0;
    rnn_hdf5_release(expected);
    rnn_hdf5_release(found);
    if (!fits)
        return rnn_h5_refuse(dataset, "is not of type %s",
                             has_texts ? "text of fixed length" : "little-endian float");
    block->n_dims = rnn_h5_get_shape(dataset, dims);
    if (block->n_dims < 1 || block->n_dims > RNN_BLOCK_MAX_DIMS ||
        (has_texts && block->n_dims != 1))
        return rnn_h5_refuse(dataset, "has %d dimensions, expected 1%s", block->n_dims,
                             has_texts ? "" : " to 3");
    for (int d = 0; d < block->n_dims; d++)
        block->shape[d] = (size_t)dims[d];
    if (has_texts)
        block->shape[block->n_dims++] = *width;
    return RNN_OK;
}

static rnn_status load_block(const rnn_h5_place *dataset, rnn_block *block)
{
    size_t width = 0, n_bytes;
    hid_t type;
    rnn_status st;

    RNN_TRY(measure_block(dataset, block, &width));
    n_bytes = width;
    for (int d = 0; d < block->n_dims - (block->type == RNN_BLOCK_TEXTS); d++)
        if (rnn_size_multiply(&n_bytes, n_bytes, block->shape[d], "a block") != RNN_OK)
            return rnn_h5_refuse(dataset, "is larger than the file");
    RNN_TRY(rnn_h5_check_storage(dataset, n_bytes));
    RNN_TRY(rnn_alloc(&block->values, n_bytes, 1, "a block of a checkpoint"));
    type = rnn_ckpt_block_type(block->type, width, false);
    st = rnn_h5_load(dataset, type, H5S_ALL, block->values);
    rnn_hdf5_release(type);
    return st;
}

static rnn_status read_block(const rnn_h5_place *root, rnn_block *block)
{
    rnn_h5_place dataset;
    rnn_status st;

    if (!has_block(root, block))
        return RNN_OK;
    RNN_TRY(open_block(root, block->path, &dataset));
    st = load_block(&dataset, block);
    rnn_hdf5_release(dataset.id);
    return st;
}

static rnn_status read_blocks(const rnn_h5_place *root, void *out)
{
    const block_list *list = out;
    rnn_status st = RNN_OK;

    for (size_t i = 0; i < list->count && st == RNN_OK; i++)
        st = read_block(root, &list->blocks[i]);
    for (size_t i = 0; i < list->count && st != RNN_OK; i++) {
        rnn_free(list->blocks[i].values);
        list->blocks[i].values = NULL;
    }
    return st;
}

/* -- The whole image --------------------------------------------------------------------------- */

static rnn_status read_config(const rnn_h5_place *root, void *out)
{
    char **config = out;
    rnn_status st;
    rnn_h5_place dataset;
    char *text = NULL;
    hsize_t dims[H5S_MAX_RANK];
    hid_t type = H5I_INVALID_HID;

    RNN_TRY(rnn_h5_open_child(root, "config", H5I_DATASET, &dataset));
    type = H5Dget_type(dataset.id);
    if (!is_fixed_text(type, root->n_image) || rnn_h5_get_shape(&dataset, dims) != 0) {
        st = rnn_h5_refuse(&dataset, "is not a text of fixed length");
        goto done;
    }
    RNN_TRY_GOTO(st, rnn_h5_check_storage(&dataset, H5Tget_size(type)), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&text, H5Tget_size(type) + 1, "the configuration of a checkpoint"),
                 done);
    RNN_TRY_GOTO(st, rnn_h5_load(&dataset, type, H5S_ALL, text), done);
    *config = text;
    text = NULL;
done:
    rnn_free(text);
    rnn_hdf5_release(type);
    rnn_hdf5_release(dataset.id);
    return st;
}

static rnn_status check_format(const rnn_h5_place *root)
{
    char format[TEXT_LENGTH];
    int64_t version = 0;

    if (read_text(root, "format", format) != RNN_OK || strcmp(format, rnn_ckpt_format) != 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: not an rnntrain checkpoint: its attribute format is not '%s'",
                        root->source, rnn_ckpt_format);
    RNN_TRY(read_integer(root, "format_version", &version));
    if (version < 1 || version > RNN_CKPT_FORMAT_VERSION)
        return rnn_h5_refuse(root, "has format_version %" PRId64 ", this program reads 1 to %d",
                             version, RNN_CKPT_FORMAT_VERSION);
    return RNN_OK;
}

/* Opens the image, checks the format, and has read() take from it what is asked for. */
static rnn_status read_image(const void *image, size_t n_bytes, const char *source,
                             rnn_status (*read)(const rnn_h5_place *root, void *out), void *out)
{
    rnn_status st;
    rnn_h5_place root;
    hid_t file;

    n_reads++;
    if (!rnn_h5_open(&root, &file, image, n_bytes, source))
        return RNN_FAIL(RNN_ERR_DATA, "%s: not an rnntrain checkpoint: libhdf5 cannot open it",
                        source);
    st = check_format(&root);
    if (st == RNN_OK)
        st = read(&root, out);
    rnn_h5_close(&root, file);
    return st;
}

rnn_status rnn_checkpoint_image_visit(const void *image, size_t n_bytes, const char *source,
                                      rnn_checkpoint_visitor *read, void *context)
{
    return read_image(image, n_bytes, source, read, context);
}

rnn_status rnn_checkpoint_image_read_config(const void *image, size_t n_bytes, const char *source,
                                            char **config)
{
    *config = NULL;
    return read_image(image, n_bytes, source, read_config, config);
}

rnn_status rnn_checkpoint_image_read(const void *image, size_t n_bytes, const char *source,
                                     rnn_checkpoint *into)
{
    return read_image(image, n_bytes, source, read_sections, into);
}

rnn_status rnn_checkpoint_image_read_layers(const void *image, size_t n_bytes, const char *source,
                                            rnn_layer_cfg *layers, size_t *n_layers)
{
    layer_list list = {.layers = layers};
    rnn_status st = read_image(image, n_bytes, source, read_layers, &list);

    *n_layers = st == RNN_OK ? list.count : 0;
    return st;
}

rnn_status rnn_checkpoint_image_read_blocks(const void *image, size_t n_bytes, const char *source,
                                            rnn_block *blocks, size_t n_blocks)
{
    block_list list = {blocks, n_blocks};

    return read_image(image, n_bytes, source, read_blocks, &list);
}

size_t rnn_checkpoint_image_reads(void)
{
    return n_reads;
}
