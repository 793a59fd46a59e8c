/*
 * The samples of one split in an HDF5 file: three arrays, x, y and perhaps lengths, and what their
 * types and shapes say together. For the hdf5 reader, which has the rules.
 */
#ifndef RNN_DATASETS_HDF5_SPLIT_H
#define RNN_DATASETS_HDF5_SPLIT_H

#include "datasets/dataset.h"
#include "datasets/hdf5_array.h"

/* Empty as {0}. */
typedef struct rnn_hdf5_split {
    rnn_hdf5_file *file;
    rnn_hdf5_array *x;
    rnn_hdf5_array *y; /* NULL: there is none */
    size_t n_samples;  /* in the file */
    size_t n_steps;    /* that x has room for; of the flat form, of the longest sample */
    size_t n_features;
    uint32_t *length; /* [n_samples]; NULL: all have n_steps */
    bool is_flat;
    uint64_t *start; /* [n_samples] first row of a sample in the flat form, else NULL */

    rnn_target_kind target;
    size_t n_target_values; /* 0 with labels */
    size_t n_classes;       /* largest label + 1; 0 with values */
    int32_t *label;         /* [n_samples] of one label each, else NULL */
    uint64_t digest;
} rnn_hdf5_split;

/*
 * Opens the arrays and reads lengths and targets once, a bounded piece at a time. `out` is to be
 * closed, also on failure.
 */
rnn_status rnn_hdf5_split_open(rnn_hdf5_split *out, const char *path, const char *group,
                               const rnn_dataset_cfg *cfg);

/* Accepts an empty one. */
void rnn_hdf5_split_close(rnn_hdf5_split *split);

/* Adds a part of the inputs of the first n_used samples to the digest. */
rnn_status rnn_hdf5_split_sample_inputs(rnn_hdf5_split *split, size_t n_used);

/* Steps of a sample. */
size_t rnn_hdf5_split_length(const rnn_hdf5_split *split, size_t sample);

/*
 * Floats that the inputs, and the targets if they are values, of a sample of so many steps take:
 * no more than their arrays have.
 */
size_t rnn_hdf5_split_room(const rnn_hdf5_split *split, size_t n_steps);

/*
 * Reading a sample, thread-safe; RNN_ERR_IO, RNN_ERR_DATA, of floats also if one is not finite.
 *   x        [length][n_features], as (value - mean) / std
 *   values   [n_target_values] or, for each step, [length][n_target_values]
 *   labels   [length], for targets of that kind: -1 or below n_classes
 */
rnn_status rnn_hdf5_split_read_x(const rnn_hdf5_split *split, size_t sample, double mean,
                                 double std, float *x);
rnn_status rnn_hdf5_split_read_values(const rnn_hdf5_split *split, size_t sample, float *values);
rnn_status rnn_hdf5_split_read_labels(const rnn_hdf5_split *split, size_t sample, int32_t *labels);

#endif
