#include "framework/checkpoint_image.h"

#include <hdf5.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/digest.h"
#include "kernels/memory.h"

enum {
    FORMAT_VERSION = 1,
    NAME_LENGTH = 64,   /* of an object that we write */
    PATH_LENGTH = 256,  /* of an object in a message */
    LIST_LENGTH = 320,  /* of a list of names in a message */
    TEXT_LENGTH = 1024, /* of a text attribute that we read */
    IMAGE_INCREMENT = 1 << 16
};

static const char FORMAT[] = "rnntrain-checkpoint";

/* Counts up to here are exact in a double and far from overflowing where they are multiplied. */
static const uint64_t COUNT_LIMIT = (uint64_t)1 << 53;

static size_t n_reads;

/* -- What is stored as attributes ------------------------------------------------------------- */

typedef enum field_kind {
    FIELD_COUNT,   /* uint64_t */
    FIELD_INTEGER, /* int64_t */
    FIELD_FLAG,    /* bool */
    FIELD_REAL,    /* double */
    FIELD_FINITE,  /* double that must be finite */
    FIELD_DIGEST,  /* uint64_t, as 16 hexadecimal digits */
    FIELD_CHOICE   /* int, an index into choices */
} field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset;
    const char *const *choices;
} field;

#define FIELD(type, kind, member)                                                                  \
    {                                                                                              \
#member, FIELD_##kind, offsetof(type, member), NULL                                        \
    }
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const field progress_fields[] = {
    FIELD(rnn_progress, COUNT, epoch),           FIELD(rnn_progress, COUNT, step),
    FIELD(rnn_progress, COUNT, samples_seen),    FIELD(rnn_progress, COUNT, batch_in_epoch),
    FIELD(rnn_progress, FINITE, epoch_loss_sum), FIELD(rnn_progress, COUNT, epoch_correct),
    FIELD(rnn_progress, FINITE, epoch_seconds),  FIELD(rnn_progress, REAL, best_metric),
    FIELD(rnn_progress, COUNT, best_step),       FIELD(rnn_progress, COUNT, epoch_samples),
    FIELD(rnn_progress, DIGEST, dataset_digest),
};

/* The part of an optimizer that is not an array. */
typedef struct optimizer_scalars {
    uint64_t step;
    double scalar;
} optimizer_scalars;

static const field scalar_fields[] = {
    FIELD(optimizer_scalars, COUNT, step),
    FIELD(optimizer_scalars, FINITE, scalar),
};

static const field optimizer_fields[] = {
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

static const char *const nonlinearities[] = {
    [RNN_NONLINEARITY_TANH] = "tanh", [RNN_NONLINEARITY_RELU] = "relu"};
static const char *const selections[] = {[RNN_SELECT_LAST] = "last"};

enum {
    PLAIN = 1 << RNN_LAYER_RNN,
    LINEAR = 1 << RNN_LAYER_LINEAR,
    SELECT = 1 << RNN_LAYER_SELECT,
    RECURRENT = PLAIN | 1 << RNN_LAYER_LSTM | 1 << RNN_LAYER_GRU
};

static const struct {
    int types; /* layers that have this argument, as bits */
    field field;
} layer_fields[] = {
    {RECURRENT, FIELD(rnn_layer_cfg, INTEGER, input_size)},
    {RECURRENT, FIELD(rnn_layer_cfg, INTEGER, hidden_size)},
    {RECURRENT, FIELD(rnn_layer_cfg, INTEGER, num_layers)},
    {PLAIN, {"nonlinearity", FIELD_CHOICE, offsetof(rnn_layer_cfg, nonlinearity), nonlinearities}},
    {LINEAR, FIELD(rnn_layer_cfg, INTEGER, in_features)},
    {LINEAR, FIELD(rnn_layer_cfg, INTEGER, out_features)},
    {RECURRENT | LINEAR, FIELD(rnn_layer_cfg, FLAG, bias)},
    {SELECT, {"step", FIELD_CHOICE, offsetof(rnn_layer_cfg, step), selections}},
};

/* -- Which names are in which group ----------------------------------------------------------- */

/* Names that belong into one group. get returns the i-th, printed into `buffer` if need be. */
typedef struct name_set {
    size_t count;
    const char *(*get)(const void *context, size_t i, char buffer[NAME_LENGTH]);
    const void *context;
} name_set;

static const char *layer_name(const void *context, size_t i, char buffer[NAME_LENGTH])
{
    const rnn_model *model = context;

    snprintf(buffer, NAME_LENGTH, "%zu_%s", i,
             rnn_layer_type_name(rnn_model_layer(model, i)->type));
    return buffer;
}

/* The parameters of one layer, of all its stages. */
typedef struct param_range {
    const rnn_model *model;
    size_t first, count;
} param_range;

static param_range layer_params(const rnn_model *model, size_t layer)
{
    param_range range = {.model = model};

    for (size_t i = 0; i < rnn_model_n_stages(model); i++) {
        const rnn_stage *stage = rnn_model_stage(model, i);

        if (stage->layer != layer)
            continue;
        if (range.count == 0)
            range.first = stage->first_param;
        range.count += stage->n_params;
    }
    return range;
}

static const char *param_name(const void *context, size_t i, char buffer[NAME_LENGTH])
{
    const param_range *range = context;

    (void)buffer;
    return rnn_model_param(range->model, range->first + i)->name;
}

static const char *state_name(const void *context, size_t i, char buffer[NAME_LENGTH])
{
    (void)buffer;
    return rnn_optimizer_state_name(context, i);
}

static const char *metric_name(const void *context, size_t i, char buffer[NAME_LENGTH])
{
    const rnn_history *history = context;

    (void)buffer;
    return history->names[i];
}

/* -- libhdf5 ---------------------------------------------------------------------------------- */

const char *rnn_checkpoint_library(void)
{
    static char text[32];
    unsigned major, minor, release_number;

    H5get_libversion(&major, &minor, &release_number);
    snprintf(text, sizeof text, "HDF5 %u.%u.%u", major, minor, release_number);
    return text;
}

/* Errors are ours to word, and no file may make libhdf5 load code. */
static void tame_library(void)
{
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
}

static void release(hid_t id)
{
    if (id >= 0)
        H5Idec_ref(id);
}

static hid_t text_type(size_t length)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, length + 1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* Memory space of one column of values[n_rows][n_columns]. */
static hid_t column_space(size_t n_rows, size_t n_columns, size_t column)
{
    hsize_t size = (hsize_t)n_rows * n_columns;
    hsize_t start = column, stride = n_columns, count = n_rows;
    hid_t space = H5Screate_simple(1, &size, NULL);

    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, &stride, &count, NULL);
    return space;
}

/* Fails with `code`, naming group/LAYER/PARAM and the value, if an arena is not finite. */
static rnn_status check_finite(const rnn_model *model, const float *arena, rnn_status code,
                               const char *group)
{
    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);

        for (size_t k = 0; k < p->count; k++)
            if (!isfinite(arena[p->offset + k]))
                return RNN_FAIL(code, "%s/%s/%s is not finite: value %zu of %zu is %g", group,
                                p->group, p->name, k, p->count, (double)arena[p->offset + k]);
    }
    return RNN_OK;
}

/* -- Writing ---------------------------------------------------------------------------------- */
/* libhdf5 refuses an invalid handle wherever one is passed, so of a chain of calls the last result
 * tells whether all went well. */

typedef struct writer {
    const rnn_checkpoint *from;
    hid_t root;
    hid_t group_list, dataset_list; /* creation properties: no times */
} writer;

static rnn_status cannot_write(const char *what)
{
    return RNN_FAIL(RNN_ERR_INTERNAL, "libhdf5 cannot add '%s' to a checkpoint in memory", what);
}

static rnn_status write_attribute(hid_t object, const char *name, hid_t file_type, hid_t type,
                                  const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t result = H5Awrite(attribute, type, value);

    release(attribute);
    release(space);
    return result < 0 ? cannot_write(name) : RNN_OK;
}

static rnn_status write_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text));
    rnn_status st = write_attribute(object, name, type, type, text);

    release(type);
    return st;
}

static rnn_status write_integer(hid_t object, const char *name, int64_t value)
{
    return write_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

static rnn_status write_field(hid_t object, const field *f, const void *base)
{
    const void *at = (const char *)base + f->offset;
    char hex[17];

    switch (f->kind) {
    case FIELD_DIGEST:
        snprintf(hex, sizeof hex, "%016" PRIx64, *(const uint64_t *)at);
        return write_text(object, f->name, hex);
    case FIELD_COUNT:
        if (*(const uint64_t *)at > COUNT_LIMIT)
            return RNN_FAIL(RNN_ERR_INTERNAL, "%s is %" PRIu64 ", at most %" PRIu64 " is allowed",
                            f->name, *(const uint64_t *)at, COUNT_LIMIT);
        return write_integer(object, f->name, (int64_t) * (const uint64_t *)at);
    case FIELD_INTEGER:
        return write_integer(object, f->name, *(const int64_t *)at);
    case FIELD_FLAG:
        return write_integer(object, f->name, *(const bool *)at);
    case FIELD_FINITE:
        if (!isfinite(*(const double *)at))
            return RNN_FAIL(RNN_ERR_NONFINITE, "%s is not finite", f->name);
        break;
    case FIELD_REAL:
        break;
    case FIELD_CHOICE:
        return write_text(object, f->name, f->choices[*(const int *)at]);
    }
    return write_attribute(object, f->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, at);
}

static rnn_status write_fields(hid_t object, const field *fields, size_t n_fields, const void *base)
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

    release(dataset);
    return result < 0 ? cannot_write(name) : RNN_OK;
}

static rnn_status write_param(const writer *w, hid_t parent, const rnn_param *p, const float *arena)
{
    hsize_t dims[] = {p->shape[0], p->shape[1]};
    hid_t space = H5Screate_simple(p->n_dims, dims, NULL);
    rnn_status st = write_dataset(w, parent, p->name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, space,
                                  H5S_ALL, arena + p->offset);

    release(space);
    return st;
}

/* An arena as parent/LAYER/PARAM. */
static rnn_status write_arena(const writer *w, hid_t parent, const float *arena)
{
    const rnn_model *model = w->from->model;
    rnn_status st = RNN_OK;

    for (size_t i = 0; i < rnn_model_n_layers(model) && st == RNN_OK; i++) {
        param_range range = layer_params(model, i);
        char name[NAME_LENGTH];
        hid_t group;

        RNN_TRY(create_group(w, parent, layer_name(model, i, name), &group));
        for (size_t k = 0; k < range.count && st == RNN_OK; k++)
            st = write_param(w, group, rnn_model_param(model, range.first + k), arena);
        release(group);
    }
    return st;
}

/* The arguments of a layer, with the sizes that were inferred filled in. */
static rnn_layer_cfg complete_layer(const rnn_model *model, size_t layer)
{
    rnn_layer_cfg cfg = *rnn_model_layer(model, layer);

    for (size_t i = 0; i < rnn_model_n_stages(model); i++) {
        const rnn_stage *stage = rnn_model_stage(model, i);

        if (stage->layer == layer && stage->sublayer == 0)
            cfg.input_size = cfg.in_features = (int64_t)stage->in.n_features;
    }
    return cfg;
}

static rnn_status describe_layer(const rnn_model *model, size_t layer, hid_t models)
{
    rnn_status st;
    rnn_layer_cfg cfg = complete_layer(model, layer);
    char name[NAME_LENGTH];
    hid_t group = H5Gopen2(models, layer_name(model, layer, name), H5P_DEFAULT);

    RNN_TRY_GOTO(st, write_text(group, "type", rnn_layer_type_name(cfg.type)), done);
    for (size_t i = 0; i < LENGTH(layer_fields); i++)
        if (layer_fields[i].types & 1 << cfg.type)
            RNN_TRY_GOTO(st, write_field(group, &layer_fields[i].field, &cfg), done);
done:
    release(group);
    return st;
}

static rnn_status write_model(const writer *w, hid_t group)
{
    const rnn_model *model = w->from->model;

    RNN_TRY(check_finite(model, w->from->params, RNN_ERR_NONFINITE, "/model"));
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
    char path[NAME_LENGTH];
    hid_t group;

    snprintf(path, sizeof path, "/optimizer/%s", name);
    RNN_TRY(check_finite(w->from->model, values, RNN_ERR_NONFINITE, path));
    RNN_TRY(create_group(w, parent, name, &group));
    st = write_arena(w, group, values);
    release(group);
    return st;
}

static rnn_status write_optimizer(const writer *w, hid_t group)
{
    const rnn_optimizer *optimizer = w->from->optimizer;
    const rnn_optimizer_cfg *cfg = rnn_optimizer_get_cfg(optimizer);
    optimizer_scalars scalars = {.step = rnn_optimizer_get_step(optimizer),
                                 .scalar = rnn_optimizer_get_scalar(optimizer)};

    RNN_TRY(write_text(group, "type", rnn_optimizer_type_name(cfg->type)));
    RNN_TRY(write_fields(group, scalar_fields, LENGTH(scalar_fields), &scalars));
    RNN_TRY(write_fields(group, optimizer_fields, LENGTH(optimizer_fields), cfg));
    for (size_t i = 0; i < rnn_optimizer_n_states(optimizer); i++)
        RNN_TRY(write_state(w, group, i));
    return RNN_OK;
}

static rnn_status write_progress(const writer *w, hid_t group)
{
    return write_fields(group, progress_fields, LENGTH(progress_fields), w->from->progress);
}

static rnn_status write_metric(const writer *w, hid_t group, size_t i)
{
    const rnn_history *history = w->from->history;
    static const double nothing;
    hsize_t n_rows = history->n_rows;
    hid_t space = H5Screate_simple(1, &n_rows, NULL);
    hid_t memory = n_rows == 0 ? H5Scopy(space) : column_space(n_rows, history->n_metrics, i);
    rnn_status st = write_dataset(w, group, history->names[i], H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                                  space, memory, n_rows == 0 ? &nothing : history->values);

    release(memory);
    release(space);
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
    RNN_TRY(write_text(w->root, "format", FORMAT));
    RNN_TRY(write_integer(w->root, "format_version", FORMAT_VERSION));
    RNN_TRY(write_text(w->root, "created_by", "rnntrain " RNN_VERSION));
    RNN_TRY(write_text(w->root, "created_at", created_at));
    return write_text(w->root, "digest", digest);
}

static rnn_status write_config(const writer *w)
{
    const char *text = w->from->config != NULL ? w->from->config : "";
    hid_t space = H5Screate(H5S_SCALAR), type = text_type(strlen(text));
    rnn_status st = write_dataset(w, w->root, "config", type, type, space, H5S_ALL, text);

    release(type);
    release(space);
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
    for (size_t i = 0; i < LENGTH(sections); i++) {
        rnn_status st;
        hid_t group;

        RNN_TRY(create_group(w, w->root, sections[i].name, &group));
        st = sections[i].write(w, group);
        release(group);
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
    tame_library();
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_INCREMENT, 0);
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
    release(w.root);
    release(file);
    release(w.dataset_list);
    release(w.group_list);
    release(creation);
    release(access);
    return st;
}

/* -- Reading: nothing in the image is believed ------------------------------------------------- */

/* An open object and how to call it. */
typedef struct place {
    hid_t id;
    const char *source; /* file */
    size_t n_image;     /* bytes of the file */
    char path[PATH_LENGTH];
} place;

static rnn_status refuse(const place *at, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

static rnn_status refuse(const place *at, const char *format, ...)
{
    char text[900];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s: %s %s", at->source, at->path, text);
}

/* Text from the file may go to a terminal: control characters become '?'. */
static void make_printable(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

static void append_name(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);

    snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
    make_printable(list + used);
}

/* The i-th name in a group; "?" if libhdf5 does not tell. */
static void get_link_name(const place *group, hsize_t i, char name[PATH_LENGTH])
{
    ssize_t length = H5Lget_name_by_idx(group->id, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                        PATH_LENGTH, H5P_DEFAULT);

    if (length < 0)
        snprintf(name, PATH_LENGTH, "?");
}

static bool contains(const name_set *set, const char *name)
{
    char buffer[NAME_LENGTH];

    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->get(set->context, i, buffer), name) == 0)
            return true;
    return false;
}

static rnn_status refuse_names(const place *group, const name_set *set, hsize_t n_links,
                               const char *name, const char *problem)
{
    char found[LIST_LENGTH] = "", needed[LIST_LENGTH] = "", shown[PATH_LENGTH] = "";
    char link[PATH_LENGTH], buffer[NAME_LENGTH];

    for (hsize_t i = 0; i < n_links && strlen(found) < LIST_LENGTH - 1; i++) {
        get_link_name(group, i, link);
        append_name(found, sizeof found, link);
    }
    for (size_t i = 0; i < set->count && strlen(needed) < LIST_LENGTH - 1; i++)
        append_name(needed, sizeof needed, set->get(set->context, i, buffer));
    append_name(shown, sizeof shown, name);
    return refuse(group, "%s %s (the checkpoint has %s; the run needs %s)", problem, shown,
                  n_links > 0 ? found : "nothing", set->count > 0 ? needed : "nothing");
}

/* A group must have exactly the names of the set. */
static rnn_status check_names(const place *group, name_set set)
{
    H5G_info_t info;
    char name[PATH_LENGTH], buffer[NAME_LENGTH];

    if (H5Gget_info(group->id, &info) < 0)
        return refuse(group, "cannot be listed");
    for (size_t i = 0; i < set.count; i++) {
        const char *needed = set.get(set.context, i, buffer);

        if (H5Lexists(group->id, needed, H5P_DEFAULT) <= 0)
            return refuse_names(group, &set, info.nlinks, needed, "lacks");
    }
    for (hsize_t i = 0; i < info.nlinks; i++) {
        get_link_name(group, i, name);
        if (!contains(&set, name))
            return refuse_names(group, &set, info.nlinks, name, "has the unexpected");
    }
    return RNN_OK;
}

/* Opens a child that must be linked directly, not through a name that leads elsewhere. */
static rnn_status open_child(const place *parent, const char *name, H5I_type_t type, place *child)
{
    const char *slash = parent->path[1] == '\0' ? "" : "/";
    H5L_info_t info;

    *child = (place){.id = H5I_INVALID_HID, .source = parent->source, .n_image = parent->n_image};
    snprintf(child->path, sizeof child->path, "%.180s%s%.64s", parent->path, slash, name);
    if (H5Lexists(parent->id, name, H5P_DEFAULT) <= 0)
        return refuse(child, "is missing");
    if (H5Lget_info(parent->id, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
        return refuse(child, "is a link to elsewhere, which a checkpoint never has");
    child->id = H5Oopen(parent->id, name, H5P_DEFAULT);
    if (child->id < 0)
        return refuse(child, "cannot be opened");
    if (H5Iget_type(child->id) == type)
        return RNN_OK;
    release(child->id);
    child->id = H5I_INVALID_HID;
    return refuse(child, "is not a %s", type == H5I_GROUP ? "group" : "dataset");
}

static bool is_scalar(hid_t space)
{
    return H5Sget_simple_extent_type(space) == H5S_SCALAR;
}

/* A scalar number of exactly this type. */
static rnn_status read_number(const place *at, const char *name, hid_t file_type, hid_t type,
                              void *value)
{
    hid_t attribute = H5Aopen(at->id, name, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), found = H5Aget_type(attribute);
    rnn_status st = RNN_OK;

    if (attribute < 0)
        st = refuse(at, "has no attribute %s", name);
    else if (H5Tequal(found, file_type) <= 0 || !is_scalar(space))
        st = refuse(at, "has an attribute %s that is not a 64-bit little-endian %s", name,
                    H5Tget_class(file_type) == H5T_FLOAT ? "float" : "integer");
    else if (H5Aread(attribute, type, value) < 0)
        st = refuse(at, "has an attribute %s that cannot be read", name);
    release(found);
    release(space);
    release(attribute);
    return st;
}

static bool is_fixed_text(hid_t type, size_t max_size)
{
    size_t size = H5Tget_size(type);

    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && size > 0 &&
           size <= max_size;
}

static rnn_status read_text(const place *at, const char *name, char text[TEXT_LENGTH])
{
    hid_t attribute = H5Aopen(at->id, name, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    rnn_status st = RNN_OK;

    memset(text, 0, TEXT_LENGTH);
    if (attribute < 0)
        st = refuse(at, "has no attribute %s", name);
    else if (!is_fixed_text(type, TEXT_LENGTH - 1) || !is_scalar(space))
        st = refuse(at, "has an attribute %s that is not a short text of fixed length", name);
    else if (H5Aread(attribute, type, text) < 0)
        st = refuse(at, "has an attribute %s that cannot be read", name);
    make_printable(text);
    release(type);
    release(space);
    release(attribute);
    return st;
}

static rnn_status read_hex(const place *at, const char *name, uint64_t *value)
{
    char text[TEXT_LENGTH];

    RNN_TRY(read_text(at, name, text));
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return refuse(at, "has the attribute %s = \"%.40s\", not 16 hexadecimal digits", name,
                      text);
    *value = strtoull(text, NULL, 16);
    return RNN_OK;
}

static rnn_status read_integer(const place *at, const char *name, int64_t *value)
{
    return read_number(at, name, H5T_STD_I64LE, H5T_NATIVE_INT64, value);
}

/* Counts, reals and digests only: nothing else is read back. */
static rnn_status read_field(const place *at, const field *f, void *base)
{
    void *to = (char *)base + f->offset;
    int64_t integer = 0;
    double real = 0.0;

    if (f->kind == FIELD_DIGEST)
        return read_hex(at, f->name, to);
    if (f->kind != FIELD_COUNT) {
        RNN_TRY(read_number(at, f->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &real));
        if (f->kind == FIELD_FINITE && !isfinite(real))
            return refuse(at, "has an attribute %s that is not finite: %g", f->name, real);
        *(double *)to = real;
        return RNN_OK;
    }
    RNN_TRY(read_integer(at, f->name, &integer));
    if (integer < 0 || (uint64_t)integer > COUNT_LIMIT)
        return refuse(at, "has the attribute %s = %" PRId64 ", outside 0 ... %" PRIu64, f->name,
                      integer, COUNT_LIMIT);
    *(uint64_t *)to = (uint64_t)integer;
    return RNN_OK;
}

static rnn_status read_fields(const place *at, const field *fields, size_t n_fields, void *base)
{
    for (size_t i = 0; i < n_fields; i++)
        RNN_TRY(read_field(at, &fields[i], base));
    return RNN_OK;
}

/* The bytes of a dataset must lie in this image, as they are, and be as many as its shape says. */
static rnn_status check_storage(const place *at, hsize_t n_bytes)
{
    hid_t list = H5Dget_create_plist(at->id);
    H5D_layout_t layout = H5Pget_layout(list);
    int n_external = H5Pget_external_count(list), n_filters = H5Pget_nfilters(list);
    haddr_t offset = H5Dget_offset(at->id);
    hsize_t stored = H5Dget_storage_size(at->id);

    release(list);
    if (layout == H5D_VIRTUAL)
        return refuse(at, "is a virtual dataset: its values are elsewhere");
    if (n_external != 0)
        return refuse(at, "has external storage: its values are in another file");
    if (n_filters != 0)
        return refuse(at, "goes through a filter, which a checkpoint never does");
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT)
        return refuse(at, "is not stored in one piece");
    if (stored != n_bytes || n_bytes > at->n_image)
        return refuse(at, "has %" PRIu64 " bytes stored, its shape needs %" PRIu64,
                      (uint64_t)stored, (uint64_t)n_bytes);
    if (layout == H5D_CONTIGUOUS && n_bytes > 0 && offset > at->n_image - n_bytes)
        return refuse(at, "lies beyond the end of the file");
    return RNN_OK;
}

static void print_shape(char *text, size_t size, int n_dims, const hsize_t *dims)
{
    size_t used = 0;

    snprintf(text, size, n_dims == 0 ? "a single value" : "");
    for (int i = 0; i < n_dims && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "[%" PRIu64 "]", (uint64_t)dims[i]);
}

/* Rank and sizes of a dataset; an empty ("null") dataspace has rank -1. */
static int get_shape(const place *dataset, hsize_t dims[H5S_MAX_RANK])
{
    hid_t space = H5Dget_space(dataset->id);
    int n_dims = -1;

    if (H5Sget_simple_extent_type(space) != H5S_NULL)
        n_dims = H5Sget_simple_extent_dims(space, dims, NULL);
    release(space);
    return n_dims;
}

static rnn_status check_type(const place *dataset, hid_t type, const char *name)
{
    hid_t found = H5Dget_type(dataset->id);
    bool equal = H5Tequal(found, type) > 0;

    release(found);
    return equal ? RNN_OK : refuse(dataset, "is not of type little-endian %s", name);
}

static rnn_status check_shape(const place *dataset, const rnn_param *p)
{
    hsize_t needed[] = {p->shape[0], p->shape[1]}, found[H5S_MAX_RANK];
    int n_dims = get_shape(dataset, found);
    char needed_text[64], found_text[256];

    if (n_dims == p->n_dims && memcmp(needed, found, (size_t)n_dims * sizeof *found) == 0)
        return RNN_OK;
    print_shape(needed_text, sizeof needed_text, p->n_dims, needed);
    print_shape(found_text, sizeof found_text, n_dims, found);
    return refuse(dataset, "is %s in the model but %s in the checkpoint", needed_text,
                  n_dims < 0 ? "empty" : found_text);
}

static rnn_status load(const place *dataset, hid_t type, hid_t memory, void *values)
{
    if (H5Dread(dataset->id, type, memory, H5S_ALL, H5P_DEFAULT, values) < 0)
        return refuse(dataset, "cannot be read");
    return RNN_OK;
}

static rnn_status read_param(const place *layer, const rnn_param *p, float *arena)
{
    rnn_status st;
    place dataset;

    RNN_TRY(open_child(layer, p->name, H5I_DATASET, &dataset));
    RNN_TRY_GOTO(st, check_type(&dataset, H5T_IEEE_F32LE, "float32"), done);
    RNN_TRY_GOTO(st, check_shape(&dataset, p), done);
    RNN_TRY_GOTO(st, check_storage(&dataset, p->count * sizeof *arena), done);
    st = load(&dataset, H5T_NATIVE_FLOAT, H5S_ALL, arena + p->offset);
done:
    release(dataset.id);
    return st;
}

static rnn_status read_layer(const place *parent, const rnn_model *model, size_t i, float *arena)
{
    rnn_status st;
    place layer;
    char name[NAME_LENGTH];
    param_range range = layer_params(model, i);

    RNN_TRY(open_child(parent, layer_name(model, i, name), H5I_GROUP, &layer));
    RNN_TRY_GOTO(st, check_names(&layer, (name_set){range.count, param_name, &range}), done);
    for (size_t k = 0; k < range.count; k++)
        RNN_TRY_GOTO(st, read_param(&layer, rnn_model_param(model, range.first + k), arena), done);
done:
    release(layer.id);
    return st;
}

/* parent/LAYER/PARAM into an arena. */
static rnn_status read_arena(const place *parent, const rnn_model *model, float *arena)
{
    char where[PATH_LENGTH + TEXT_LENGTH];
    size_t n_layers = rnn_model_n_layers(model);

    RNN_TRY(check_names(parent, (name_set){n_layers, layer_name, model}));
    for (size_t i = 0; i < n_layers; i++)
        RNN_TRY(read_layer(parent, model, i, arena));
    snprintf(where, sizeof where, "%.1000s: %s", parent->source, parent->path);
    return check_finite(model, arena, RNN_ERR_DATA, where);
}

/* What has been read, until all of it is known to be right. */
typedef struct staging {
    const rnn_checkpoint *into;
    float *params;
    float *states; /* [n_states][n_params] */
    optimizer_scalars scalars;
    rnn_progress progress;
    double *history; /* [n_rows][n_metrics] */
    size_t n_rows;
} staging;

static rnn_status read_model(const place *group, staging *s)
{
    const rnn_model *model = s->into->model;

    RNN_TRY(RNN_ALLOC(&s->params, rnn_model_size(model), "the parameters of a checkpoint"));
    return read_arena(group, model, s->params);
}

static rnn_status read_state(const place *optimizer, const char *name, const rnn_model *model,
                             float *arena)
{
    rnn_status st;
    place group;

    RNN_TRY(open_child(optimizer, name, H5I_GROUP, &group));
    st = read_arena(&group, model, arena);
    release(group.id);
    return st;
}

static rnn_status read_optimizer(const place *group, staging *s)
{
    const rnn_optimizer *optimizer = s->into->optimizer;
    const char *needed = rnn_optimizer_type_name(rnn_optimizer_get_cfg(optimizer)->type);
    size_t n_states = rnn_optimizer_n_states(optimizer), size = rnn_model_size(s->into->model);
    char type[TEXT_LENGTH];

    RNN_TRY(read_text(group, "type", type));
    if (strcmp(type, needed) != 0)
        return refuse(group, "is of type %.40s, the run needs %s", type, needed);
    RNN_TRY(read_fields(group, scalar_fields, LENGTH(scalar_fields), &s->scalars));
    RNN_TRY(check_names(group, (name_set){n_states, state_name, optimizer}));
    RNN_TRY(rnn_alloc((void **)&s->states, n_states, size * sizeof *s->states,
                      "the optimizer state of a checkpoint"));
    for (size_t i = 0; i < n_states; i++)
        RNN_TRY(read_state(group, rnn_optimizer_state_name(optimizer, i), s->into->model,
                           s->states + i * size));
    return RNN_OK;
}

static rnn_status read_progress(const place *group, staging *s)
{
    return read_fields(group, progress_fields, LENGTH(progress_fields), &s->progress);
}

/* The first metric decides how many rows all have. */
static rnn_status get_n_rows(const place *dataset, staging *s, size_t metric)
{
    hsize_t dims[H5S_MAX_RANK];
    int n_dims = get_shape(dataset, dims);

    if (n_dims != 1 || dims[0] > dataset->n_image / sizeof *s->history)
        return refuse(dataset, "is not one column that fits into the file");
    if (metric > 0 && dims[0] != s->n_rows)
        return refuse(dataset, "has %" PRIu64 " rows, the other metrics have %zu",
                      (uint64_t)dims[0], s->n_rows);
    s->n_rows = (size_t)dims[0];
    return check_storage(dataset, dims[0] * sizeof *s->history);
}

static rnn_status read_metric(const place *group, staging *s, size_t i)
{
    rnn_status st;
    place dataset;
    hid_t memory = H5I_INVALID_HID;
    size_t n_metrics = s->into->history->n_metrics;

    RNN_TRY(open_child(group, s->into->history->names[i], H5I_DATASET, &dataset));
    RNN_TRY_GOTO(st, check_type(&dataset, H5T_IEEE_F64LE, "float64"), done);
    RNN_TRY_GOTO(st, get_n_rows(&dataset, s, i), done);
    if (s->n_rows == 0)
        goto done;
    if (i == 0)
        RNN_TRY_GOTO(st,
                     rnn_alloc((void **)&s->history, s->n_rows, n_metrics * sizeof *s->history,
                               "the history of a checkpoint"),
                     done);
    memory = column_space(s->n_rows, n_metrics, i);
    st = load(&dataset, H5T_NATIVE_DOUBLE, memory, s->history);
done:
    release(memory);
    release(dataset.id);
    return st;
}

static rnn_status read_history(const place *group, staging *s)
{
    const rnn_history *history = s->into->history;

    RNN_TRY(check_names(group, (name_set){history->n_metrics, metric_name, history}));
    for (size_t i = 0; i < history->n_metrics; i++)
        RNN_TRY(read_metric(group, s, i));
    return RNN_OK;
}

static rnn_status read_section(const place *root, const char *name, staging *s,
                               rnn_status (*read)(const place *, staging *))
{
    rnn_status st;
    place group;

    RNN_TRY(open_child(root, name, H5I_GROUP, &group));
    st = read(&group, s);
    release(group.id);
    return st;
}

static rnn_status check_digest(const place *root, const staging *s)
{
    char written[TEXT_LENGTH], found[17];

    snprintf(found, sizeof found, "%016" PRIx64,
             rnn_digest(s->params, rnn_model_size(s->into->model) * sizeof *s->params));
    RNN_TRY(read_text(root, "digest", written));
    if (strcmp(written, found) != 0)
        return refuse(root, "has the digest %.16s, but its parameters have %s", written, found);
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

static rnn_status read_sections(const place *root, rnn_checkpoint *into)
{
    rnn_status st;
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

static rnn_status read_config(const place *root, char **config)
{
    rnn_status st;
    place dataset;
    char *text = NULL;
    hsize_t dims[H5S_MAX_RANK];
    hid_t type = H5I_INVALID_HID;

    RNN_TRY(open_child(root, "config", H5I_DATASET, &dataset));
    type = H5Dget_type(dataset.id);
    if (!is_fixed_text(type, root->n_image) || get_shape(&dataset, dims) != 0) {
        st = refuse(&dataset, "is not a text of fixed length");
        goto done;
    }
    RNN_TRY_GOTO(st, check_storage(&dataset, H5Tget_size(type)), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&text, H5Tget_size(type) + 1, "the configuration of a checkpoint"),
                 done);
    RNN_TRY_GOTO(st, load(&dataset, type, H5S_ALL, text), done);
    *config = text;
    text = NULL;
done:
    rnn_free(text);
    release(type);
    release(dataset.id);
    return st;
}

static rnn_status check_format(const place *root)
{
    char format[TEXT_LENGTH];
    int64_t version = 0;

    if (read_text(root, "format", format) != RNN_OK || strcmp(format, FORMAT) != 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: not an rnntrain checkpoint: its attribute format is not '%s'",
                        root->source, FORMAT);
    RNN_TRY(read_integer(root, "format_version", &version));
    if (version < 1 || version > FORMAT_VERSION)
        return refuse(root, "has format_version %" PRId64 ", this program reads 1 to %d", version,
                      FORMAT_VERSION);
    return RNN_OK;
}

/* Opens the image, checks the format, and reads the text or the state, whichever is asked for. */
static rnn_status read_image(const void *image, size_t n_bytes, const char *source, char **config,
                             rnn_checkpoint *into)
{
    rnn_status st;
    place root = {.source = source, .n_image = n_bytes, .path = "/"};
    hid_t access, file;

    n_reads++;
    tame_library();
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_INCREMENT, 0);
    H5Pset_file_image(access, (void *)(uintptr_t)image, n_bytes); /* libhdf5 takes a copy */
    file = H5Fopen("checkpoint", H5F_ACC_RDONLY, access);
    root.id = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root.id < 0) {
        st = RNN_FAIL(RNN_ERR_DATA, "%s: not an rnntrain checkpoint: libhdf5 cannot open it",
                      source);
        goto done;
    }
    RNN_TRY_GOTO(st, check_format(&root), done);
    st = config != NULL ? read_config(&root, config) : read_sections(&root, into);
done:
    release(root.id);
    release(file);
    release(access);
    return st;
}

rnn_status rnn_checkpoint_image_read_config(const void *image, size_t n_bytes, const char *source,
                                            char **config)
{
    *config = NULL;
    return read_image(image, n_bytes, source, config, NULL);
}

rnn_status rnn_checkpoint_image_read(const void *image, size_t n_bytes, const char *source,
                                     rnn_checkpoint *into)
{
    return read_image(image, n_bytes, source, NULL, into);
}

size_t rnn_checkpoint_image_reads(void)
{
    return n_reads;
}
