/*
 * HDF5 files for tests, written with libhdf5 itself.
 */
#ifndef RNN_TESTS_UNIT_HDF5_FILES_H
#define RNN_TESTS_UNIT_HDF5_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>

/* How an array is stored; {0} is in one piece. */
typedef struct h5_storage {
    hsize_t chunk[4]; /* 0 = not in chunks */
    int deflate;      /* level; 0 = none */
    int shuffle, fletcher32;
} h5_storage;

static inline hid_t h5_create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(file >= 0);
    return file;
}

static inline void h5_close(hid_t file)
{
    assert_true(H5Fclose(file) >= 0);
}

static inline hid_t h5_creation_list(const h5_storage *storage, int n_dims)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    if (storage == NULL || storage->chunk[0] == 0)
        return list;
    assert_true(H5Pset_chunk(list, n_dims, storage->chunk) >= 0);
    if (storage->shuffle)
        assert_true(H5Pset_shuffle(list) >= 0);
    if (storage->deflate > 0)
        assert_true(H5Pset_deflate(list, (unsigned)storage->deflate) >= 0);
    if (storage->fletcher32)
        assert_true(H5Pset_fletcher32(list) >= 0);
    return list;
}

/* An array of `file_type`; values are of the type `type`, none if NULL. */
static inline void h5_write(hid_t parent, const char *name, hid_t file_type, int n_dims,
                            const hsize_t *dims, const h5_storage *storage, hid_t type,
                            const void *values)
{
    hid_t space = H5Screate_simple(n_dims, dims, NULL);
    hid_t list = h5_creation_list(storage, n_dims);
    hid_t dataset = H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, list, H5P_DEFAULT);

    assert_true(dataset >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Pclose(list);
    H5Sclose(space);
}

/* float16 as h5py and numpy have it. */
static inline hid_t h5_half(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

#define DIMS(...)   ((const hsize_t[]){__VA_ARGS__})
#define N_DIMS(...) ((int)(sizeof(DIMS(__VA_ARGS__)) / sizeof(hsize_t)))

/* Shapes last: h5_floats(file, "x", values, 10, 5, 3) */
#define h5_floats(parent, name, values, ...)                                                       \
    h5_write(parent, name, H5T_IEEE_F32LE, N_DIMS(__VA_ARGS__), DIMS(__VA_ARGS__), NULL,           \
             H5T_NATIVE_FLOAT, values)
#define h5_ints(parent, name, values, ...)                                                         \
    h5_write(parent, name, H5T_STD_I32LE, N_DIMS(__VA_ARGS__), DIMS(__VA_ARGS__), NULL,            \
             H5T_NATIVE_INT, values)

#endif
