#include "framework/checkpoint_items.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/checkpoint.h"
#include "framework/checkpoint_image.h"
#include "framework/config_keys.h"
#include "framework/file_io.h"
#include "framework/hdf5_image.h"
#include "kernels/memory.h"

enum { MAX_ATTRIBUTE = 4096, MAX_LINE = 256 };

static const size_t MAX_ITEMS = 1 << 18; /* hard links can make a file endless */

/* A group whose links or attributes are being listed. */
typedef struct visit {
    rnn_items *items;
    const rnn_h5_place *place;
    rnn_status st;
} visit;

/* -- The list ---------------------------------------------------------------------------------- */

void rnn_items_free(rnn_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        rnn_free(items->items[i].name);
        rnn_free(items->items[i].text);
        rnn_free(items->items[i].values);
    }
    rnn_free(items->items);
    *items = (rnn_items){.count = 0};
}

/* An item without content, which takes over the name. */
static rnn_status add_item(rnn_items *items, char *name, rnn_item **out)
{
    rnn_status st = items->count < MAX_ITEMS
                        ? RNN_GROW(&items->items, &items->room, items->count, items->count + 1,
                                   "what is in a checkpoint")
                        : RNN_FAIL(RNN_ERR_DATA, "%s: a checkpoint with more than %zu objects",
                                   name, MAX_ITEMS);

    if (st != RNN_OK) {
        rnn_free(name);
        return st;
    }
    *out = &items->items[items->count++];
    **out = (rnn_item){.name = name};
    return RNN_OK;
}

static rnn_status add_text(rnn_items *items, const char *place, const char *name, const char *text)
{
    rnn_item *item;
    char *whole;

    RNN_TRY(rnn_path_print(&whole, "%s: %s", place, name));
    RNN_TRY(add_item(items, whole, &item));
    return rnn_string_copy(&item->text, text);
}

/* -- Attributes -------------------------------------------------------------------------------- */

static bool print_attribute(hid_t attribute, hid_t type, char text[MAX_ATTRIBUTE])
{
    int64_t integer;
    double real;

    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        if (H5Aread(attribute, H5T_NATIVE_INT64, &integer) < 0)
            return false;
        snprintf(text, MAX_ATTRIBUTE, "%" PRId64, integer);
        return true;
    case H5T_FLOAT:
        if (H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) < 0)
            return false;
        snprintf(text, MAX_ATTRIBUTE, "%.17g", real);
        return true;
    default:
        memset(text, 0, MAX_ATTRIBUTE);
        if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
            H5Tget_size(type) >= MAX_ATTRIBUTE || H5Aread(attribute, type, text) < 0)
            return false;
        rnn_h5_make_printable(text);
        return true;
    }
}

static rnn_status take_attribute(const visit *group, const char *name)
{
    hid_t attribute = H5Aopen(group->place->id, name, H5P_DEFAULT);
    hid_t space = H5Aget_space(attribute), type = H5Aget_type(attribute);
    bool is_scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    char text[MAX_ATTRIBUTE];
    rnn_status st;

    if (is_scalar && print_attribute(attribute, type, text))
        st = add_text(group->items, group->place->path, name, text);
    else
        st = rnn_h5_refuse(group->place, "has an attribute %.40s that cannot be read", name);
    rnn_hdf5_release(type);
    rnn_hdf5_release(space);
    rnn_hdf5_release(attribute);
    return st;
}

static herr_t visit_attribute(hid_t id, const char *name, const H5A_info_t *info, void *context)
{
    visit *group = context;

    (void)id;
    (void)info;
    group->st = take_attribute(group, name);
    return group->st == RNN_OK ? 0 : -1;
}

static rnn_status take_attributes(rnn_items *items, const rnn_h5_place *place)
{
    visit group = {items, place, RNN_OK};

    if (H5Aiterate2(place->id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &group) >= 0)
        return RNN_OK;
    return group.st != RNN_OK ? group.st
                              : rnn_h5_refuse(place, "has attributes that cannot be read");
}

/* -- Datasets ---------------------------------------------------------------------------------- */

static rnn_status load_numbers(const rnn_h5_place *dataset, rnn_item *item)
{
    RNN_TRY(RNN_ALLOC(&item->values, item->count, "an array of a checkpoint"));
    return rnn_h5_load(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, item->values);
}

/* Names of one width each, or one text; as one text in which zeros are line ends. */
static rnn_status load_texts(const rnn_h5_place *dataset, hid_t type, size_t width, rnn_item *item)
{
    RNN_TRY(RNN_ALLOC(&item->text, item->count * width + 1, "a text of a checkpoint"));
    RNN_TRY(rnn_h5_load(dataset, type, H5S_ALL, item->text));
    for (size_t i = 0; i < item->count * width; i++)
        if (item->text[i] == '\0')
            item->text[i] = '\n';
    return RNN_OK;
}

static rnn_status load_dataset(const rnn_h5_place *dataset, hid_t type, rnn_item *item)
{
    hsize_t dims[H5S_MAX_RANK];
    size_t width = H5Tget_size(type), n_bytes;

    item->n_dims = rnn_h5_get_shape(dataset, dims);
    item->count = 1;
    if (item->n_dims < 0 || item->n_dims > RNN_ITEM_MAX_DIMS)
        return rnn_h5_refuse(dataset, "has %d dimensions, expected up to %d", item->n_dims,
                             RNN_ITEM_MAX_DIMS);
    for (int i = 0; i < item->n_dims; i++) {
        item->dims[i] = (size_t)dims[i];
        RNN_TRY(rnn_size_multiply(&item->count, item->count, item->dims[i], item->name));
    }
    RNN_TRY(rnn_size_multiply(&n_bytes, item->count, width, item->name));
    RNN_TRY(rnn_h5_check_storage(dataset, n_bytes));
    if (H5Tget_class(type) == H5T_FLOAT)
        return load_numbers(dataset, item);
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0)
        return load_texts(dataset, type, width, item);
    return rnn_h5_refuse(dataset, "is neither floats nor texts of fixed length");
}

static rnn_status take_dataset(rnn_items *items, const rnn_h5_place *dataset)
{
    hid_t type;
    rnn_item *item;
    char *name;
    rnn_status st;

    if (strcmp(dataset->path, "/config") == 0)
        return RNN_OK; /* key by key instead */
    RNN_TRY(rnn_string_copy(&name, dataset->path));
    RNN_TRY(add_item(items, name, &item));
    type = H5Dget_type(dataset->id);
    st = load_dataset(dataset, type, item);
    rnn_hdf5_release(type);
    return st;
}

/* -- Groups ------------------------------------------------------------------------------------ */

static rnn_status take_group(rnn_items *items, const rnn_h5_place *place);

static rnn_status take_link(const visit *group, const char *name)
{
    rnn_h5_place child;
    rnn_status st;

    RNN_TRY(rnn_h5_open_any_child(group->place, name, &child));
    if (group->items->count >= MAX_ITEMS || strlen(child.path) + 1 >= RNN_H5_PATH_LENGTH)
        st = rnn_h5_refuse(&child, "is too deep in a file, or one object too many");
    else if (H5Iget_type(child.id) == H5I_GROUP)
        st = take_group(group->items, &child);
    else if (H5Iget_type(child.id) == H5I_DATASET)
        st = take_dataset(group->items, &child);
    else
        st = rnn_h5_refuse(&child, "is neither a group nor a dataset");
    rnn_hdf5_release(child.id);
    return st;
}

static herr_t visit_link(hid_t id, const char *name, const H5L_info_t *info, void *context)
{
    visit *group = context;

    (void)id;
    (void)info;
    group->st = take_link(group, name);
    return group->st == RNN_OK ? 0 : -1;
}

static rnn_status take_group(rnn_items *items, const rnn_h5_place *place)
{
    visit group = {items, place, RNN_OK};

    RNN_TRY(take_attributes(items, place));
    if (H5Literate(place->id, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, &group) >= 0)
        return RNN_OK;
    return group.st != RNN_OK ? group.st : rnn_h5_refuse(place, "cannot be listed");
}

/* -- The configuration ------------------------------------------------------------------------- */

/* A key that only steers the running, of which the result does not depend. */
static bool is_steering(const char *table, const char *line, int length)
{
    const rnn_config_key *key;
    char path[2 * MAX_LINE];
    bool is_layer = strncmp(table, "layer.", strlen("layer.")) == 0;

    snprintf(path, sizeof path, "%s.%.*s", is_layer ? "layer[]" : table, length, line);
    key = rnn_config_key_find(path);
    return key != NULL && key->may_change;
}

/* Its text is canonical: tables, and "key = value" under each. Layers go by number. */
static rnn_status take_config(rnn_items *items, char *text)
{
    char table[MAX_LINE] = "", name[2 * MAX_LINE], *rest = text, *line;
    size_t layer = 0;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *equals = strstr(line, " = ");

        if (strcmp(line, "[[layer]]") == 0) {
            snprintf(table, sizeof table, "layer.%zu", layer++);
        } else if (line[0] == '[') {
            snprintf(table, sizeof table, "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        } else if (equals != NULL && !is_steering(table, line, (int)(equals - line))) {
            snprintf(name, sizeof name, "%s.%.*s", table, (int)(equals - line), line);
            RNN_TRY(add_text(items, "config", name, equals + strlen(" = ")));
        }
    }
    return RNN_OK;
}

/* -- The whole --------------------------------------------------------------------------------- */

static rnn_status take_root(const rnn_h5_place *root, void *items)
{
    return take_group(items, root);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rnn_item *)a)->name, ((const rnn_item *)b)->name);
}

rnn_status rnn_items_read(const char *path, rnn_items *items)
{
    char *config;
    rnn_status st;

    *items = (rnn_items){.count = 0};
    RNN_TRY(rnn_checkpoint_read_config(path, &config));
    st = take_config(items, config);
    rnn_free(config);
    RNN_TRY(st);
    RNN_TRY(rnn_checkpoint_read_root(path, take_root, items));
    if (items->count > 0)
        qsort(items->items, items->count, sizeof *items->items, by_name);
    return RNN_OK;
}
