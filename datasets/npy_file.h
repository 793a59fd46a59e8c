/*
 * Arrays of numbers in NumPy's .npy files (format versions 1.0 to 3.0), read in pieces: an array
 * may be larger than memory.
 *
 *     "\x93NUMPY", version, length of the header, {'descr': '<f4', 'fortran_order': False,
 *     'shape': (60, 28), }, blanks and a line feed, then the elements
 *
 * Elements: floats of 2, 4 or 8 bytes, integers of 1 to 8 bytes with or without sign, booleans; in
 * either byte order.
 */
#ifndef RNN_DATASETS_NPY_FILE_H
#define RNN_DATASETS_NPY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

enum { RNN_NPY_MAX_DIMS = 3 };

/* Closed as {.fd = -1}. */
typedef struct rnn_npy_file {
    int fd;
    const char *path; /* borrowed */
    char kind;        /* 'f', 'i', 'u' or 'b' */
    size_t item;      /* bytes of an element */
    bool is_big;      /* the first byte of an element is its highest */
    size_t n_dims;    /* 1 to RNN_NPY_MAX_DIMS */
    size_t shape[RNN_NPY_MAX_DIMS];
    size_t start; /* byte of the first element */
} rnn_npy_file;

/*
 * Opens a file and checks all of its header. RNN_ERR_NOINPUT if there is none; RNN_ERR_DATA, with
 * file and byte, for what is not as NumPy writes it, other elements or dimensions, no elements, the
 * order of Fortran with more than one dimension, and a size that is not that of the array.
 */
rnn_status rnn_npy_file_open(rnn_npy_file *file, const char *path);

/* Accepts a closed one. */
void rnn_npy_file_close(rnn_npy_file *file);

/*
 * Reads elements first .. first + count - 1, in the order of the file. Thread-safe. RNN_ERR_IO,
 * also if the file has become shorter.
 */
rnn_status rnn_npy_file_read(const rnn_npy_file *file, size_t first, size_t count, double *values);

/* "floats of 4 bytes", for messages. */
typedef struct rnn_npy_type {
    char text[32];
} rnn_npy_type;
rnn_npy_type rnn_npy_file_type(const rnn_npy_file *file);

/* "[60][28]", for messages. */
typedef struct rnn_npy_shape {
    char text[80];
} rnn_npy_shape;
rnn_npy_shape rnn_npy_file_shape(const rnn_npy_file *file);

#endif
