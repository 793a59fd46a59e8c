/*
 * A dataset: numbered sequences, each with a target, held by every rank alike.
 *
 * One reader per format stands behind this interface (datasets/reader.h). Readers trust nothing:
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

/* What is to be learned about a sequence. */
typedef enum rnn_target_kind {
    RNN_TARGET_LABEL,      /* one class */
    RNN_TARGET_STEP_LABEL, /* one class per step */
    RNN_TARGET_VALUES,     /* one vector of floats */
    RNN_TARGET_STEP_VALUES /* one vector of floats per step */
} rnn_target_kind;

/* Plain settings; strings are borrowed for the duration of rnn_dataset_open. */
typedef struct rnn_dataset_cfg {
    const char *format; /* "idx", "ts" or "strings" */
    const char *name;   /* the dataset the recipe is written for, e.g. "MNIST"; "" = any */
    size_t limit[2];    /* by rnn_split: use only the first samples; 0 = all */

    /* idx and ts */
    const char *const *search; /* folders in order; "~" and "$NAME" are expanded */
    size_t n_search;
    double mean, std; /* a value v becomes (v - mean) / std; of idx, v is a pixel / 255 */

    /* idx: images and their labels */
    const char *images[2]; /* file names by rnn_split, without ".gz" */
    const char *labels[2];
    rnn_sequence sequence;
    size_t n_classes; /* labels must be below this */

    /* ts: time series of the UCR and UEA archives */
    const char *series[2]; /* file names by rnn_split; the test file may be "" = none */

    /* strings: characters in, characters out */
    const char *const *inputs, *const *targets; /* [n_inputs], [n_targets] UTF-8 */
    size_t n_inputs, n_targets;
    const char *alphabet; /* the characters in the order of their numbers; "" = those in use */
} rnn_dataset_cfg;

typedef struct rnn_dataset rnn_dataset;

/* What a dataset is; lent, valid until rnn_dataset_destroy. */
typedef struct rnn_dataset_info {
    const char *folder;      /* where it was found, expanded; "" if it is in no files */
    const char *name;        /* its own if it has one, or by content ("MNIST"), else "unknown" */
    bool is_expected;        /* cfg.name is "" or equals name */
    size_t n_samples[2];     /* by rnn_split, after the limit; of RNN_SPLIT_TEST it may be 0 */
    size_t seq_len, min_len; /* steps of the longest and of the shortest sample in use */
    bool is_ragged;          /* they differ */
    size_t n_features;       /* values of a step; 1 for tokens */
    size_t n_tokens;         /* 0: inputs are features; else they are token numbers below this */
    rnn_target_kind target;
    size_t n_classes;       /* labels are below this; 0 without labels. Of idx, the largest + 1 */
    size_t n_target_values; /* floats of a target; 0 with labels */
    uint64_t digest;        /* of all content in use: files, decompressed, or strings */
    double bytes_in_memory; /* resident size */
} rnn_dataset_info;

/*
 * Reads and checks a dataset. Errors: RNN_ERR_DATA for an unknown format, settings without meaning
 * or content that breaks the format's rules; the message names file (of text, file:line), what was
 * expected and found.
 *
 * Files: the first folder of cfg->search that holds all of them is used. RNN_ERR_NOINPUT if none
 * does (the message lists every folder as expanded) or one holds only some. An unset or empty
 * "$NAME" skips that folder.
 *   idx      images and labels of both splits, plain or with ".gz" added. Refused: a bad magic, a
 *            header that does not match the file's size, an image and label count that differ, a
 *            label >= cfg->n_classes, no samples.
 *   ts       the archives' text format, see datasets/ts.c.
 *   strings  pairs of an input and a target with the same number of characters (code points), at
 *            least one. An input becomes tokens, its target a label per step, both numbered by
 *            their place in the alphabet; characters outside it are refused. No test samples.
 */
rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg);
void rnn_dataset_destroy(rnn_dataset **dataset);

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset);

/* Steps of a sample. */
size_t rnn_dataset_length(const rnn_dataset *dataset, rnn_split split, size_t sample);

/* Steps of each sample [n_samples of the split]; lent. NULL unless the dataset is ragged. */
const uint32_t *rnn_dataset_lengths(const rnn_dataset *dataset, rnn_split split);

/*
 * The name of a token or class in UTF-8, for printing; lent. NULL if it has none or is out of
 * range. Where inputs and targets are of one kind, tokens and classes share their numbers.
 */
const char *rnn_dataset_token_text(const rnn_dataset *dataset, size_t token);

/* Where gathered samples go; the arrays that the dataset's inputs and targets do not use are NULL.
 */
typedef struct rnn_dataset_slice {
    float *x;        /* [seq_len][rows][n_features], or */
    int32_t *token;  /* [seq_len][rows] */
    int32_t *length; /* [rows] */
    int32_t *label;  /* [rows] or [seq_len][rows], or */
    float *target;   /* [rows][n_target_values] or [seq_len][rows][n_target_values] */
} rnn_dataset_slice;

/*
 * Assembles samples as one slice. Thread-safe; cannot fail. Beyond the end of a sample and in rows
 * n_valid .. rows - 1: x and target are 0, token and label -1; the length of those rows is 0.
 *   index    [n_valid]  sample numbers in the split
 *   seq_len  steps of the slice, at least those of the longest of these samples
 */
void rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                        size_t n_valid, size_t rows, size_t seq_len, const rnn_dataset_slice *into);

#endif
