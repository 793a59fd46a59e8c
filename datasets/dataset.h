/*
 * A dataset: numbered samples of one shape, each with a label, held by every rank alike.
 *
 * One reader per format fills this interface (datasets/idx.c is the first). Readers trust nothing:
 * every size in a file is checked against the file before memory is taken. No MPI here; nothing in
 * this folder knows about ranks except as plain integers.
 */
#ifndef RNN_DATASETS_DATASET_H
#define RNN_DATASETS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef enum rnn_split { RNN_SPLIT_TRAIN, RNN_SPLIT_TEST } rnn_split;

/* Which side of an image becomes the steps of the sequence. */
typedef enum rnn_sequence {
    RNN_SEQUENCE_ROWS,   /* step t is row t, features are its columns */
    RNN_SEQUENCE_COLUMNS /* step t is column t, features are its rows */
} rnn_sequence;

/* Plain settings; strings are borrowed for the duration of rnn_dataset_open. */
typedef struct rnn_dataset_cfg {
    const char *format;        /* "idx" */
    const char *name;          /* the dataset the recipe is written for, e.g. "MNIST"; "" = any */
    const char *const *search; /* folders in order; "~" and "$NAME" are expanded */
    size_t n_search;
    const char *images[2]; /* file names by rnn_split, without ".gz" */
    const char *labels[2];
    rnn_sequence sequence;
    double mean, std; /* a pixel v in 0..255 becomes (v / 255 - mean) / std */
    size_t limit[2];  /* by rnn_split: use only the first samples; 0 = all */
    size_t n_classes; /* labels must be below this */
} rnn_dataset_cfg;

typedef struct rnn_dataset rnn_dataset;

/* What a dataset is; lent, valid until rnn_dataset_destroy. */
typedef struct rnn_dataset_info {
    const char *folder;     /* where it was found, expanded */
    const char *name;       /* recognised by content ("MNIST", "Fashion-MNIST"), else "unknown" */
    bool is_expected;       /* cfg.name is "" or equals name */
    size_t n_samples[2];    /* by rnn_split, after the limit */
    size_t seq_len;         /* steps of a sample */
    size_t n_features;      /* values of a step */
    size_t n_classes;       /* largest label of both splits + 1, found in the data */
    uint64_t digest;        /* of all files' decompressed content in use */
    double bytes_in_memory; /* resident size */
} rnn_dataset_info;

/*
 * Opens the first folder of cfg->search that holds all four files (plain or with ".gz" added),
 * reads and checks them. Errors: RNN_ERR_NOINPUT if no folder has them (the message lists every
 * folder as expanded), RNN_ERR_DATA for a bad magic, a header that does not match the file's size,
 * an image and label count that differ, a label >= cfg->n_classes, no samples; the message names
 * file, what was expected and found. A folder that holds some but not all files is an error that
 * names what is missing, not skipped. An unset or empty "$NAME" skips that folder.
 */
rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg);
void rnn_dataset_destroy(rnn_dataset **dataset);

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset);

/*
 * Assembles samples as one slice. Thread-safe; cannot fail.
 *   index   [n_valid]                          sample numbers in the split
 *   x       [seq_len][rows][n_features] (out)  rows n_valid..rows-1 are zeroed
 *   label   [rows] (out)                       rows n_valid.. get -1
 */
void rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                        size_t n_valid, size_t rows, float *x, int32_t *label);

#endif
