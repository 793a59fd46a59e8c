/*
 * Checkpoints with a valid digest whose content no run has written.
 */
#ifndef RNN_TESTS_UNIT_CRAFTED_CHECKPOINT_H
#define RNN_TESTS_UNIT_CRAFTED_CHECKPOINT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>
#include <string.h>
#include <sys/types.h>

#include "framework/file_io.h"
#include "kernels/digest.h"

enum { TRAILER_SIZE = 32 };

/* Puts a trailer behind an image, as someone would who knows how. */
static inline void write_sealed(const char *path, const char *image, size_t n_image,
                                uint64_t version, uint64_t length)
{
    char *file = test_malloc(n_image + TRAILER_SIZE);
    uint64_t fields[2] = {version, length}, digest;

    memcpy(file, image, n_image);
    memcpy(file + n_image, "RNNTRAIL", 8);
    memcpy(file + n_image + 8, fields, 16);
    digest = rnn_digest(file, n_image + 24);
    memcpy(file + n_image + 24, &digest, 8);
    assert_int_equal(rnn_file_write(path, file, n_image + TRAILER_SIZE), RNN_OK);
    test_free(file);
}

/* Changes an image with libhdf5 and seals it again. */
static inline void craft(const char *path, const char *image, size_t n_image,
                         void (*change)(hid_t file))
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file;
    ssize_t size;
    char *changed;

    assert_true(H5Pset_fapl_core(access, 4096, 0) >= 0);
    assert_true(H5Pset_file_image(access, (void *)(uintptr_t)image, n_image) >= 0);
    file = H5Fopen("crafted", H5F_ACC_RDWR, access);
    assert_true(file >= 0);
    change(file);
    assert_true(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0);
    size = H5Fget_file_image(file, NULL, 0);
    assert_true(size > 0);
    changed = test_malloc((size_t)size);
    assert_int_equal(H5Fget_file_image(file, changed, (size_t)size), size);
    H5Fclose(file);
    H5Pclose(access);
    write_sealed(path, changed, (size_t)size, 1, (uint64_t)size);
    test_free(changed);
}

static inline void drop(hid_t file, const char *path)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
}

/* Puts a dataset where another was; `list` is closed. Values are written unless `values` is NULL.
 */
static inline void put_dataset(hid_t file, const char *path, hid_t type, hid_t space, hid_t list,
                               const void *values)
{
    hid_t dataset;

    if (H5Lexists(file, path, H5P_DEFAULT) > 0)
        drop(file, path);
    dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    if (list != H5P_DEFAULT)
        H5Pclose(list);
}

static inline hid_t space_of(int n_dims, hsize_t a, hsize_t b)
{
    return H5Screate_simple(n_dims, (hsize_t[]){a, b, 1}, NULL);
}

#endif
