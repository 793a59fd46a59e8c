/*
 * An open HDF5 file and the names in it. Private to hdf5_file.c and hdf5_array.c.
 */
#ifndef RNN_DATASETS_HDF5_FILE_H
#define RNN_DATASETS_HDF5_FILE_H

#include <hdf5.h>

#include "datasets/hdf5_array.h"
#include "kernels/hdf5_library.h"

struct rnn_hdf5_file {
    char *path;       /* of the file */
    char *group_path; /* "" for the root, else beginning with "/" */
    hid_t file, group;
    int fd;         /* libhdf5's own, to read from beside it */
    size_t n_bytes; /* of the file */
};

/*
 * Opens what `name`, which may have several parts, names in the group; if that is a dataset, with
 * this access list. Soft links are followed, others are not. If it may be missing and is, *id is
 * invalid.
 */
rnn_status rnn_hdf5_open_object(const rnn_hdf5_file *file, const char *name, hid_t access,
                                bool may_be_missing, hid_t *id);

#endif
