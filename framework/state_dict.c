#include "framework/state_dict.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "framework/checkpoint.h"
#include "framework/file_io.h"
#include "framework/hdf5_image.h"
#include "framework/state_dict_match.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

static const uint64_t MAX_FILE_SIZE = (uint64_t)64 << 30;

/* -- Writing ----------------------------------------------------------------------------------- */

enum { KEY_SIZE = 64 };

static void print_key(const rnn_model *model, size_t layer, const rnn_param *p, char key[KEY_SIZE])
{
    if (rnn_model_n_layers(model) > 1)
        snprintf(key, KEY_SIZE, "%zu.%s", layer, p->name);
    else
        snprintf(key, KEY_SIZE, "%s", p->name);
}

static rnn_status write_param(const rnn_h5_writer *writer, const rnn_model *model, size_t layer,
                              const rnn_param *p, const float *params)
{
    char key[KEY_SIZE];
    size_t k = rnn_vector_find_nonfinite(params + p->offset, p->count);

    print_key(model, layer, p, key);
    if (k < p->count)
        return RNN_FAIL(RNN_ERR_NONFINITE, "%s is not finite: value %zu of %zu is %g", key, k,
                        p->count, (double)params[p->offset + k]);
    return rnn_h5_write_param(writer, writer->root, key, p, params);
}

static rnn_status write_params(const rnn_h5_writer *writer, const rnn_model *model,
                               const float *params)
{
    for (size_t i = 0; i < rnn_model_n_layers(model); i++) {
        size_t first, count;

        rnn_model_layer_params(model, i, &first, &count);
        for (size_t k = first; k < first + count; k++)
            RNN_TRY(write_param(writer, model, i, rnn_model_param(model, k), params));
    }
    return RNN_OK;
}

rnn_status rnn_state_dict_write(const char *path, const rnn_model *model, const float *params)
{
    rnn_status st;
    rnn_h5_writer writer;
    void *image = NULL;
    size_t n_bytes = 0;

    rnn_h5_writer_open(&writer);
    st = write_params(&writer, model, params);
    if (st == RNN_OK)
        st = rnn_h5_writer_take(&writer, 0, &image, &n_bytes);
    rnn_h5_writer_close(&writer);
    if (st == RNN_OK)
        st = rnn_file_write(path, image, n_bytes);
    rnn_free(image);
    return st;
}

/* -- Reading: what is in the file -------------------------------------------------------------- */

typedef struct listing {
    rnn_dict_entry *entries;
    size_t count, room;
    size_t n_links, max_links; /* hard links can make a file endless */
    rnn_status st;
} listing;

/* A group whose links are being listed. */
typedef struct visited_group {
    listing *list;
    const rnn_h5_place *place;
    const char *path; /* from the root, "" there */
} visited_group;

static rnn_status add_entry(listing *list, const rnn_h5_place *dataset, const char *path)
{
    rnn_dict_entry *entry;

    RNN_TRY(RNN_GROW(&list->entries, &list->room, list->count, list->count + 1,
                     "the names in a state_dict"));
    entry = &list->entries[list->count++];
    rnn_dict_set_path(entry, path);
    entry->n_dims = rnn_h5_get_shape(dataset, entry->dims);
    return RNN_OK;
}

static rnn_status list_group(listing *list, const rnn_h5_place *place, const char *path);

static rnn_status list_link(const visited_group *group, const char *name)
{
    rnn_status st;
    rnn_h5_place child;
    char path[RNN_H5_PATH_LENGTH];
    int length =
        snprintf(path, sizeof path, "%s%s%s", group->path, group->path[0] != '\0' ? "/" : "", name);

    if (++group->list->n_links > group->list->max_links)
        return rnn_h5_refuse(group->place, "is part of a file with more than %zu objects",
                             group->list->max_links);
    RNN_TRY(rnn_h5_open_any_child(group->place, name, &child));
    if (length >= RNN_H5_PATH_LENGTH)
        st = rnn_h5_refuse(&child, "has a name of %d bytes; at most %d are read", length,
                           RNN_H5_PATH_LENGTH - 1);
    else if (H5Iget_type(child.id) == H5I_GROUP)
        st = list_group(group->list, &child, path);
    else if (H5Iget_type(child.id) == H5I_DATASET)
        st = add_entry(group->list, &child, path);
    else
        st = rnn_h5_refuse(&child, "is neither a group nor a dataset");
    rnn_hdf5_release(child.id);
    return st;
}

static herr_t visit(hid_t id, const char *name, const H5L_info_t *info, void *context)
{
    const visited_group *group = context;

    (void)id;
    (void)info;
    group->list->st = list_link(group, name);
    return group->list->st == RNN_OK ? 0 : -1;
}

static rnn_status list_group(listing *list, const rnn_h5_place *place, const char *path)
{
    visited_group group = {list, place, path};

    if (H5Literate(place->id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, &group) >= 0)
        return RNN_OK;
    return list->st != RNN_OK ? list->st : rnn_h5_refuse(place, "cannot be listed");
}

/* -- Reading: values --------------------------------------------------------------------------- */

/* Bytes of a float32 or float64 of either byte order; 0 for any other type. */
static size_t get_value_size(const rnn_h5_place *dataset)
{
    const hid_t known[] = {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    hid_t type = H5Dget_type(dataset->id);
    size_t size = 0;

    for (size_t i = 0; i < sizeof known / sizeof *known && size == 0; i++)
        if (H5Tequal(type, known[i]) > 0)
            size = H5Tget_size(type);
    rnn_hdf5_release(type);
    return size;
}

static rnn_status refuse_value(const rnn_h5_place *dataset, size_t k, size_t count, double value)
{
    return rnn_h5_refuse(dataset, "is not finite in float32: value %zu of %zu is %g", k, count,
                         value);
}

static rnn_status load_floats(const rnn_h5_place *dataset, float *values, size_t count)
{
    size_t k;

    RNN_TRY(rnn_h5_load(dataset, H5T_NATIVE_FLOAT, H5S_ALL, values));
    k = rnn_vector_find_nonfinite(values, count);
    return k == count ? RNN_OK : refuse_value(dataset, k, count, (double)values[k]);
}

static rnn_status round_doubles(const rnn_h5_place *dataset, const double *doubles, float *values,
                                size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (!(fabs(doubles[k]) <= (double)FLT_MAX))
            return refuse_value(dataset, k, count, doubles[k]);
        values[k] = (float)doubles[k];
    }
    return RNN_OK;
}

/* Rounds here: libhdf5 has its own arithmetic for doubles of the other byte order. */
static rnn_status load_doubles(const rnn_h5_place *dataset, float *values, size_t count)
{
    rnn_status st;
    double *doubles;

    RNN_TRY(RNN_ALLOC(&doubles, count, "a tensor of a state_dict"));
    st = rnn_h5_load(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, doubles);
    if (st == RNN_OK)
        st = round_doubles(dataset, doubles, values, count);
    rnn_free(doubles);
    return st;
}

static rnn_status load_param(const rnn_h5_place *dataset, const rnn_param *p, float *params)
{
    size_t size = get_value_size(dataset);

    if (size == 0)
        return rnn_h5_refuse(dataset, "is not of type float32 or float64");
    RNN_TRY(rnn_h5_check_storage(dataset, (hsize_t)p->count * size));
    return size == sizeof(float) ? load_floats(dataset, params + p->offset, p->count)
                                 : load_doubles(dataset, params + p->offset, p->count);
}

static rnn_status load_entry(const rnn_h5_place *root, const rnn_dict_entry *entry,
                             const rnn_param *p, float *params)
{
    rnn_status st;
    rnn_h5_place dataset;

    RNN_TRY(rnn_h5_open_child(root, entry->path, H5I_DATASET, &dataset));
    st = load_param(&dataset, p, params);
    rnn_hdf5_release(dataset.id);
    return st;
}

/* Weights that the model has once but the file twice must not have gone different ways. */
static rnn_status check_copy(const rnn_h5_place *root, const rnn_dict_entry *entry,
                             const rnn_param *p, const float *params)
{
    rnn_status st;
    rnn_param alone = *p;
    float *copy;

    alone.offset = 0;
    RNN_TRY(RNN_ALLOC(&copy, p->count, "a tensor of a state_dict"));
    st = load_entry(root, entry, &alone, copy);
    if (st == RNN_OK && memcmp(copy, params + p->offset, p->count * sizeof *copy) != 0)
        st = RNN_FAIL(RNN_ERR_DATA,
                      "%s: %s is not equal to the %s of layer 0 (embedding), but its layer is tied "
                      "to that",
                      root->source, entry->key, p->name);
    rnn_free(copy);
    return st;
}

static rnn_status load_entries(const rnn_h5_place *root, const listing *list,
                               const rnn_model *model, float *params)
{
    for (size_t i = 0; i < list->count; i++)
        if (!list->entries[i].is_copy)
            RNN_TRY(load_entry(root, &list->entries[i],
                               rnn_model_param(model, list->entries[i].param), params));
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].is_copy)
            RNN_TRY(check_copy(root, &list->entries[i],
                               rnn_model_param(model, list->entries[i].param), params));
    return RNN_OK;
}

/* -- Reading: the whole file ------------------------------------------------------------------- */

static rnn_status read_all(const rnn_h5_place *root, const rnn_model *model, float *params)
{
    rnn_status st;
    listing list = {.max_links = 16 * rnn_model_n_params(model) + 1024};

    RNN_TRY_GOTO(st, list_group(&list, root, ""), done);
    RNN_TRY_GOTO(st, rnn_dict_match(list.entries, list.count, model, root->source), done);
    st = load_entries(root, &list, model, params);
done:
    rnn_free(list.entries);
    return st;
}

static rnn_status read_image(const void *image, size_t n_bytes, const char *source,
                             const rnn_model *model, float *params)
{
    rnn_status st;
    rnn_h5_place root;
    hid_t file;

    if (n_bytes == 0 || !rnn_h5_has_signature(image, n_bytes))
        return RNN_FAIL(RNN_ERR_DATA, "%s: not an HDF5 file", source);
    if (rnn_checkpoint_has_trailer(image, n_bytes))
        return RNN_FAIL(
            RNN_ERR_DATA,
            "%s: expected weights, found a checkpoint; rnntrain export writes those in it", source);
    if (!rnn_h5_open(&root, &file, image, n_bytes, source))
        return RNN_FAIL(RNN_ERR_DATA, "%s: libhdf5 cannot open it: truncated or damaged", source);
    st = read_all(&root, model, params);
    rnn_h5_close(&root, file);
    return st;
}

rnn_status rnn_state_dict_read(const char *path, const rnn_model *model, float *params)
{
    rnn_status st;
    void *image;
    size_t n_bytes, size = rnn_model_size(model);
    float *staging = NULL;

    RNN_TRY(rnn_file_read(path, MAX_FILE_SIZE, &image, &n_bytes));
    RNN_TRY_GOTO(st, RNN_ALLOC(&staging, size, "the parameters of a state_dict"), done);
    RNN_TRY_GOTO(st, read_image(image, n_bytes, path, model, staging), done);
    memcpy(params, staging, size * sizeof *params);
done:
    rnn_free(staging);
    rnn_free(image);
    return st;
}
