/*
 * Arrays of numbers in an HDF5 file, of which a few rows are read at a time. For the hdf5 reader;
 * hdf5_array.c, hdf5_chunks.c and hdf5_file.c are the sources of this folder that use libhdf5.
 *
 * Nothing in the file is believed: names lead nowhere outside of it, only filters that every
 * libhdf5 has are used, and an array's shape must agree with the bytes that the file has for it.
 * Reading is thread-safe.
 */
#ifndef RNN_DATASETS_HDF5_ARRAY_H
#define RNN_DATASETS_HDF5_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

enum { RNN_HDF5_MAX_DIMS = 3, RNN_HDF5_SHAPE_LENGTH = 80 };

typedef struct rnn_hdf5_file rnn_hdf5_file;
typedef struct rnn_hdf5_array rnn_hdf5_array;

typedef struct rnn_hdf5_array_info {
    const char *where;                 /* file and object, to begin a message with */
    bool is_integer;                   /* else of floats */
    size_t value_size;                 /* bytes in the file */
    size_t n_dims;                     /* 1 .. RNN_HDF5_MAX_DIMS */
    size_t dims[RNN_HDF5_MAX_DIMS];    /* all > 0; 1 beyond n_dims */
    char shape[RNN_HDF5_SHAPE_LENGTH]; /* "[60000][28][28]" */
    size_t n_cache;                    /* bytes that decoded chunks may take */
} rnn_hdf5_array_info;

/* Rows of the first dimension; of a single one perhaps only the first places of the second. */
typedef struct rnn_hdf5_part {
    size_t first, count;
    size_t n_second; /* dims[1] unless count is 1 */
} rnn_hdf5_part;

/* Whether bytes from the start of a file have the signature of HDF5 where it may be. */
bool rnn_hdf5_has_signature(const unsigned char *bytes, size_t n);

/*
 * Opens a file to look for arrays in a group, "/" for all of it. RNN_ERR_NOINPUT if there is no
 * regular file, RNN_ERR_DATA if it is not of HDF5, truncated, or lacks the group.
 */
rnn_status rnn_hdf5_file_open(rnn_hdf5_file **out, const char *path, const char *group);

/* After its arrays. */
void rnn_hdf5_file_close(rnn_hdf5_file **file);

/*
 * Opens an array of the group. If it may be missing and is, *out is NULL. RNN_ERR_DATA for anything
 * but integers or floats in 1 to RNN_HDF5_MAX_DIMS dimensions that are stored in the file.
 */
rnn_status rnn_hdf5_array_open(rnn_hdf5_array **out, const rnn_hdf5_file *file, const char *name,
                               bool may_be_missing);
void rnn_hdf5_array_close(rnn_hdf5_array **array);

const rnn_hdf5_array_info *rnn_hdf5_array_get_info(const rnn_hdf5_array *array);

/* Values in a row of which all places of the second dimension are read. */
size_t rnn_hdf5_array_row_size(const rnn_hdf5_array *array);

/* RNN_ERR_DATA: file, object, and this text, which goes on from there. */
rnn_status rnn_hdf5_refuse(const rnn_hdf5_array *array, const char *format, ...)
    RNN_PRINTF_FORMAT(2, 3);

/*
 * Reads a part as (value - mean) / std, computed in double; what does not fit a float becomes
 * infinite. RNN_ERR_IO, RNN_ERR_DATA.
 */
rnn_status rnn_hdf5_read_floats(const rnn_hdf5_array *array, rnn_hdf5_part part, double mean,
                                double std, float *values);

/* Reads a part of an array of integers; what does not fit becomes the nearest that does. */
rnn_status rnn_hdf5_read_integers(const rnn_hdf5_array *array, rnn_hdf5_part part, int64_t *values);

#endif
