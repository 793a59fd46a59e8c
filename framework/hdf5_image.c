#include "framework/hdf5_image.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernels/hdf5_library.h"
#include "kernels/memory.h"

enum { IMAGE_INCREMENT = 1 << 16 };

bool rnn_h5_has_signature(const void *bytes, size_t n_bytes)
{
    size_t length = n_bytes < RNN_HDF5_SIGNATURE_LENGTH ? n_bytes : RNN_HDF5_SIGNATURE_LENGTH;

    return memcmp(bytes, rnn_hdf5_signature, length) == 0;
}

/* -- Writing ----------------------------------------------------------------------------------- */

void rnn_h5_writer_open(rnn_h5_writer *writer)
{
    hid_t access, creation;

    rnn_hdf5_enter();
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_INCREMENT, 0);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    creation = H5Pcreate(H5P_FILE_CREATE);
    writer->group_list = H5Pcreate(H5P_GROUP_CREATE);
    writer->dataset_list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_obj_track_times(writer->group_list, 0);
    H5Pset_obj_track_times(writer->dataset_list, 0);
    writer->file = H5Fcreate("image", H5F_ACC_TRUNC, creation, access);
    writer->root = H5Gopen2(writer->file, "/", H5P_DEFAULT);
    rnn_hdf5_release(creation);
    rnn_hdf5_release(access);
}

void rnn_h5_writer_close(rnn_h5_writer *writer)
{
    rnn_hdf5_release(writer->root);
    rnn_hdf5_release(writer->file);
    rnn_hdf5_release(writer->dataset_list);
    rnn_hdf5_release(writer->group_list);
    rnn_hdf5_leave();
}

rnn_status rnn_h5_cannot_write(const char *name)
{
    return RNN_FAIL(RNN_ERR_INTERNAL, "libhdf5 cannot add '%s' to a file in memory", name);
}

rnn_status rnn_h5_write_group(const rnn_h5_writer *writer, hid_t parent, const char *name,
                              hid_t *group)
{
    *group = H5Gcreate2(parent, name, H5P_DEFAULT, writer->group_list, H5P_DEFAULT);
    return *group < 0 ? rnn_h5_cannot_write(name) : RNN_OK;
}

rnn_status rnn_h5_write_dataset(const rnn_h5_writer *writer, hid_t parent, const char *name,
                                hid_t file_type, hid_t type, hid_t space, hid_t memory,
                                const void *values)
{
    hid_t dataset =
        H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, writer->dataset_list, H5P_DEFAULT);
    herr_t result = H5Dwrite(dataset, type, memory, H5S_ALL, H5P_DEFAULT, values);

    rnn_hdf5_release(dataset);
    return result < 0 ? rnn_h5_cannot_write(name) : RNN_OK;
}

rnn_status rnn_h5_write_param(const rnn_h5_writer *writer, hid_t parent, const char *name,
                              const rnn_param *p, const float *arena)
{
    hsize_t dims[] = {p->shape[0], p->shape[1]};
    hid_t space = H5Screate_simple(p->n_dims, dims, NULL);
    rnn_status st = rnn_h5_write_dataset(writer, parent, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                                         space, H5S_ALL, arena + p->offset);

    rnn_hdf5_release(space);
    return st;
}

/* The oldest format has no checksum in the superblock for libhdf5 to forget. */
rnn_status rnn_h5_writer_take(const rnn_h5_writer *writer, size_t room, void **image,
                              size_t *n_bytes)
{
    ssize_t size;
    char *bytes;

    *image = NULL;
    *n_bytes = 0;
    if (H5Fflush(writer->file, H5F_SCOPE_GLOBAL) < 0 ||
        (size = H5Fget_file_image(writer->file, NULL, 0)) < 0)
        return rnn_h5_cannot_write("the end");
    RNN_TRY(RNN_ALLOC(&bytes, (size_t)size + room, "the image of an HDF5 file"));
    if (H5Fget_file_image(writer->file, bytes, (size_t)size) != size) {
        rnn_free(bytes);
        return rnn_h5_cannot_write("the end");
    }
    *image = bytes;
    *n_bytes = (size_t)size;
    return RNN_OK;
}

/* -- Reading: objects and their names ---------------------------------------------------------- */

bool rnn_h5_open(rnn_h5_place *root, hid_t *file, const void *image, size_t n_bytes,
                 const char *source)
{
    hid_t access;

    *root = (rnn_h5_place){.source = source, .n_image = n_bytes, .path = "/"};
    rnn_hdf5_enter();
    access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_INCREMENT, 0);
    H5Pset_file_image(access, (void *)(uintptr_t)image, n_bytes); /* libhdf5 takes a copy */
    *file = H5Fopen("image", H5F_ACC_RDONLY, access);
    root->id = H5Gopen2(*file, "/", H5P_DEFAULT);
    rnn_hdf5_release(access);
    if (root->id >= 0)
        return true;
    rnn_hdf5_release(*file);
    *file = H5I_INVALID_HID;
    rnn_hdf5_leave();
    return false;
}

void rnn_h5_close(rnn_h5_place *root, hid_t file)
{
    rnn_hdf5_release(root->id);
    rnn_hdf5_release(file);
    rnn_hdf5_leave();
}

rnn_status rnn_h5_refuse(const rnn_h5_place *at, const char *format, ...)
{
    char text[900];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s: %s %s", at->source, at->path, text);
}

void rnn_h5_make_printable(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

void rnn_h5_append_name(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);

    snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
    rnn_h5_make_printable(list + used);
}

void rnn_h5_link_name(const rnn_h5_place *group, hsize_t i, char name[RNN_H5_PATH_LENGTH])
{
    ssize_t length = H5Lget_name_by_idx(group->id, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                        RNN_H5_PATH_LENGTH, H5P_DEFAULT);

    if (length < 0)
        snprintf(name, RNN_H5_PATH_LENGTH, "?");
}

/* Before anything else is asked about it: only its shape may make libhdf5 open other files. */
static rnn_status check_place(const rnn_h5_place *dataset)
{
    hid_t list = H5Dget_create_plist(dataset->id);
    bool is_virtual = H5Pget_layout(list) == H5D_VIRTUAL;
    bool is_external = H5Pget_external_count(list) != 0;

    rnn_hdf5_release(list);
    if (is_virtual)
        return rnn_h5_refuse(dataset, "is a virtual dataset: its values are elsewhere");
    if (is_external)
        return rnn_h5_refuse(dataset, "has external storage: its values are in another file");
    return RNN_OK;
}

static rnn_status check_object(const rnn_h5_place *object)
{
    if (object->id < 0)
        return rnn_h5_refuse(object, "cannot be opened");
    return H5Iget_type(object->id) == H5I_DATASET ? check_place(object) : RNN_OK;
}

rnn_status rnn_h5_open_any_child(const rnn_h5_place *parent, const char *name, rnn_h5_place *child)
{
    const char *slash = parent->path[1] == '\0' ? "" : "/";
    H5L_info_t info;
    rnn_status st;

    *child =
        (rnn_h5_place){.id = H5I_INVALID_HID, .source = parent->source, .n_image = parent->n_image};
    snprintf(child->path, sizeof child->path, "%.120s%s%.128s", parent->path, slash, name);
    rnn_h5_make_printable(child->path);
    if (H5Lexists(parent->id, name, H5P_DEFAULT) <= 0)
        return rnn_h5_refuse(child, "is missing");
    if (H5Lget_info(parent->id, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
        return rnn_h5_refuse(child, "is a link to elsewhere, which is not followed");
    child->id = H5Oopen(parent->id, name, H5P_DEFAULT);
    st = check_object(child);
    if (st != RNN_OK) {
        rnn_hdf5_release(child->id);
        child->id = H5I_INVALID_HID;
    }
    return st;
}

rnn_status rnn_h5_open_child(const rnn_h5_place *parent, const char *name, H5I_type_t type,
                             rnn_h5_place *child)
{
    RNN_TRY(rnn_h5_open_any_child(parent, name, child));
    if (H5Iget_type(child->id) == type)
        return RNN_OK;
    rnn_hdf5_release(child->id);
    child->id = H5I_INVALID_HID;
    return rnn_h5_refuse(child, "is not a %s", type == H5I_GROUP ? "group" : "dataset");
}

/* -- Reading: datasets ------------------------------------------------------------------------- */

int rnn_h5_get_shape(const rnn_h5_place *dataset, hsize_t dims[H5S_MAX_RANK])
{
    hid_t space = H5Dget_space(dataset->id);
    int n_dims = -1;

    if (H5Sget_simple_extent_type(space) != H5S_NULL)
        n_dims = H5Sget_simple_extent_dims(space, dims, NULL);
    rnn_hdf5_release(space);
    return n_dims;
}

void rnn_h5_print_shape(char *text, size_t size, int n_dims, const hsize_t *dims)
{
    size_t used = 0;

    snprintf(text, size, "%s", n_dims < 0 ? "empty" : n_dims == 0 ? "a single value" : "");
    for (int i = 0; i < n_dims && used < size; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are n_dims */
        used += (size_t)snprintf(text + used, size - used, "[%" PRIu64 "]", (uint64_t)dims[i]);
}

bool rnn_h5_is_shape_of(const rnn_param *p, int n_dims, const hsize_t *dims)
{
    bool is_same = n_dims == p->n_dims;

    for (int i = 0; i < n_dims && is_same; i++)
        is_same = dims[i] == p->shape[i];
    return is_same;
}

void rnn_h5_print_param_shape(char *text, size_t size, const rnn_param *p)
{
    rnn_h5_print_shape(text, size, p->n_dims, (const hsize_t[]){p->shape[0], p->shape[1]});
}

rnn_status rnn_h5_check_storage(const rnn_h5_place *dataset, hsize_t n_bytes)
{
    hid_t list = H5Dget_create_plist(dataset->id);
    H5D_layout_t layout = H5Pget_layout(list);
    int n_filters = H5Pget_nfilters(list);
    haddr_t offset = H5Dget_offset(dataset->id);
    hsize_t stored = H5Dget_storage_size(dataset->id);

    rnn_hdf5_release(list);
    if (n_filters != 0)
        return rnn_h5_refuse(dataset, "goes through a filter (is compressed, say): it must be "
                                      "stored as it is");
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT)
        return rnn_h5_refuse(dataset, "is not stored in one piece, but in chunks");
    if (stored != n_bytes || n_bytes > dataset->n_image)
        return rnn_h5_refuse(dataset, "has %" PRIu64 " bytes stored, its shape needs %" PRIu64,
                             (uint64_t)stored, (uint64_t)n_bytes);
    if (layout == H5D_CONTIGUOUS && n_bytes > 0 && offset > dataset->n_image - n_bytes)
        return rnn_h5_refuse(dataset, "lies beyond the end of the file");
    return RNN_OK;
}

rnn_status rnn_h5_load(const rnn_h5_place *dataset, hid_t type, hid_t memory, void *values)
{
    if (H5Dread(dataset->id, type, memory, H5S_ALL, H5P_DEFAULT, values) < 0)
        return rnn_h5_refuse(dataset, "cannot be read");
    return RNN_OK;
}
