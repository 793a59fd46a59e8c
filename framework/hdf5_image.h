/*
 * HDF5 files as bytes in memory, written and read with the core driver: what checkpoints,
 * state_dicts and predictions share. Private to checkpoint*.c, state_dict.c and predict.c, the only
 * callers of libhdf5 here.
 *
 * libhdf5 refuses an invalid handle wherever one is passed, so of a chain of calls the last result
 * tells whether all went well. Nothing in an image that is read is believed. From opening to
 * closing it is inside (kernels/hdf5_library.h): one image at a time.
 */
#ifndef RNN_FRAMEWORK_HDF5_IMAGE_H
#define RNN_FRAMEWORK_HDF5_IMAGE_H

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>

#include "framework/model.h"
#include "kernels/hdf5_library.h"
#include "kernels/status.h"

enum { RNN_H5_PATH_LENGTH = 256 }; /* of an object in a message */

/* Whether bytes begin as an HDF5 file does, or end before that can be told. */
bool rnn_h5_has_signature(const void *bytes, size_t n_bytes);

/* -- Writing ----------------------------------------------------------------------------------- */

/* A file that takes shape in memory, in the oldest format; no object in it carries a time. */
typedef struct rnn_h5_writer {
    hid_t root;
    hid_t file, group_list, dataset_list;
} rnn_h5_writer;

void rnn_h5_writer_open(rnn_h5_writer *writer);
void rnn_h5_writer_close(rnn_h5_writer *writer);

/* RNN_ERR_INTERNAL about the object `name`. */
rnn_status rnn_h5_cannot_write(const char *name);

/* *group is to be released. */
rnn_status rnn_h5_write_group(const rnn_h5_writer *writer, hid_t parent, const char *name,
                              hid_t *group);

/* `memory` selects the values in memory, H5S_ALL for an array as it is. */
rnn_status rnn_h5_write_dataset(const rnn_h5_writer *writer, hid_t parent, const char *name,
                                hid_t file_type, hid_t type, hid_t space, hid_t memory,
                                const void *values);

/* A parameter of an arena as the float32 dataset `name`. */
rnn_status rnn_h5_write_param(const rnn_h5_writer *writer, hid_t parent, const char *name,
                              const rnn_param *p, const float *arena);

/* The finished bytes: *n_bytes of them, rnn_free memory, and `room` zero bytes after them. */
rnn_status rnn_h5_writer_take(const rnn_h5_writer *writer, size_t room, void **image,
                              size_t *n_bytes);

/* -- Reading ----------------------------------------------------------------------------------- */

/* An open object and how to call it. */
typedef struct rnn_h5_place {
    hid_t id;
    const char *source; /* file */
    size_t n_image;     /* bytes of the file */
    char path[RNN_H5_PATH_LENGTH];
} rnn_h5_place;

/*
 * Opens a copy of the image; `source` names the file in messages. False, with nothing to close, if
 * libhdf5 cannot open it. No file makes libhdf5 load code.
 */
bool rnn_h5_open(rnn_h5_place *root, hid_t *file, const void *image, size_t n_bytes,
                 const char *source);
void rnn_h5_close(rnn_h5_place *root, hid_t file);

/* RNN_ERR_DATA: file, path of the object, and this text, which goes on from there. */
rnn_status rnn_h5_refuse(const rnn_h5_place *at, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

/* Text from a file may go to a terminal: control characters become '?'. */
void rnn_h5_make_printable(char *text);

/* Appends to a list of names, as far as there is room. */
void rnn_h5_append_name(char *list, size_t size, const char *name);

/* The i-th name in a group; "?" if libhdf5 does not tell. */
void rnn_h5_link_name(const rnn_h5_place *group, hsize_t i, char name[RNN_H5_PATH_LENGTH]);

/*
 * Opens a child that must be linked directly, not through a name that leads elsewhere, and have all
 * of its values in this file.
 */
rnn_status rnn_h5_open_any_child(const rnn_h5_place *parent, const char *name, rnn_h5_place *child);

/* The same, and it must be of this type: a group or a dataset. */
rnn_status rnn_h5_open_child(const rnn_h5_place *parent, const char *name, H5I_type_t type,
                             rnn_h5_place *child);

/* Rank and sizes of a dataset; an empty ("null") dataspace has rank -1. */
int rnn_h5_get_shape(const rnn_h5_place *dataset, hsize_t dims[H5S_MAX_RANK]);

/* "[400][28]", "a single value", "empty". */
void rnn_h5_print_shape(char *text, size_t size, int n_dims, const hsize_t *dims);

/* Whether this is the shape of a parameter; that shape in text. */
bool rnn_h5_is_shape_of(const rnn_param *p, int n_dims, const hsize_t *dims);
void rnn_h5_print_param_shape(char *text, size_t size, const rnn_param *p);

/* The bytes of a dataset must lie in this image, as they are, and be as many as its shape says. */
rnn_status rnn_h5_check_storage(const rnn_h5_place *dataset, hsize_t n_bytes);

/* Reads what `memory` selects, or all, as `type`. */
rnn_status rnn_h5_load(const rnn_h5_place *dataset, hid_t type, hid_t memory, void *values);

#endif
