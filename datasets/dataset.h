/*
 * A dataset: numbered sequences, each with a target, in up to three splits.
 *
 * One reader per format stands behind this interface (datasets/reader.h). Readers trust nothing:
 * every size in a file is checked against the file before memory is taken. No MPI here; nothing in
 * this folder knows about ranks except as plain integers.
 *
 * On top of every reader: splits by fractions of the training samples, and standardisation, fitted
 * on the training samples alone.
 */
#ifndef RNN_DATASETS_DATASET_H
#define RNN_DATASETS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef enum rnn_split { RNN_SPLIT_TRAIN, RNN_SPLIT_VALID, RNN_SPLIT_TEST } rnn_split;

enum { RNN_N_SPLITS = RNN_SPLIT_TEST + 1 };

/* "train", "valid", "test"; static. */
const char *rnn_split_name(rnn_split split);

/* Which side of an image becomes the steps of the sequence. */
typedef enum rnn_sequence {
    RNN_SEQUENCE_ROWS,    /* step t is row t, features are its columns */
    RNN_SEQUENCE_COLUMNS, /* step t is column t, features are its rows */
    RNN_SEQUENCE_PIXELS   /* step t is pixel t, row by row, one feature */
} rnn_sequence;

/* What is to be learned about a sequence. */
typedef enum rnn_target_kind {
    RNN_TARGET_LABEL,      /* one class */
    RNN_TARGET_STEP_LABEL, /* one class per step */
    RNN_TARGET_VALUES,     /* one vector of floats */
    RNN_TARGET_STEP_VALUES /* one vector of floats per step */
} rnn_target_kind;

static inline bool rnn_target_is_label(rnn_target_kind kind)
{
    return kind == RNN_TARGET_LABEL || kind == RNN_TARGET_STEP_LABEL;
}

static inline bool rnn_target_is_per_step(rnn_target_kind kind)
{
    return kind == RNN_TARGET_STEP_LABEL || kind == RNN_TARGET_STEP_VALUES;
}

/* What an array or a column of targets means; AUTO goes by its type and shape. */
typedef enum rnn_target_choice {
    RNN_TARGET_CHOICE_AUTO,
    RNN_TARGET_CHOICE_LABEL, /* the kinds above, in their order */
    RNN_TARGET_CHOICE_STEP_LABEL,
    RNN_TARGET_CHOICE_VALUES,
    RNN_TARGET_CHOICE_STEP_VALUES
} rnn_target_choice;

/* How samples of the training file get into other splits. */
typedef enum rnn_split_by {
    RNN_SPLIT_BY_RANDOM,     /* drawn by the seed */
    RNN_SPLIT_BY_STRATIFIED, /* the same share of every class */
    RNN_SPLIT_BY_ORDER       /* the last ones in the file: validation, then test */
} rnn_split_by;

/* What stands in for a missing value. */
typedef enum rnn_missing {
    RNN_MISSING_REFUSE,
    RNN_MISSING_ZERO,
    RNN_MISSING_MEAN,     /* of the values of this feature in this sequence */
    RNN_MISSING_PREVIOUS, /* the last one before; at the start, the first one there is */
    RNN_MISSING_LINEAR    /* between its neighbours; at the ends, the nearest */
} rnn_missing;

/* What becomes the token of a step. */
typedef enum rnn_unit { RNN_UNIT_CHARACTERS, RNN_UNIT_WORDS } rnn_unit;

/*
 * What has been learned from the training samples and must go with the model: names of tokens or
 * classes in the order of their numbers, and the standardisation. Empty as {0}.
 */
typedef struct rnn_dataset_fit {
    char **texts; /* [n_texts] UTF-8 */
    size_t n_texts;
    double *mean, *std; /* [n_features]; NULL: inputs are not standardised */
    size_t n_features;
    double *target_mean, *target_std; /* [n_target_values]; NULL: targets are not standardised */
    size_t n_target_values;
} rnn_dataset_fit;

void rnn_dataset_fit_free(rnn_dataset_fit *fit);

/* What a trained model answers, for data that has no targets to tell. */
typedef struct rnn_dataset_answer {
    rnn_target_kind kind;
    size_t n_values; /* classes, or floats */
} rnn_dataset_answer;

/*
 * Plain settings; strings are borrowed for the duration of rnn_dataset_open. Names are those of the
 * configuration's [dataset] table; which format uses which is in its reader.
 */
typedef struct rnn_dataset_cfg {
    const char *format;         /* one of rnn_dataset_formats */
    const char *name;           /* the dataset the recipe is written for, e.g. "MNIST"; "" = any */
    size_t limit[RNN_N_SPLITS]; /* use only the first samples; 0 = all */

    /* Files: folders in order, "~" and "$NAME" are expanded; names in them, "" = none */
    const char *const *search;
    size_t n_search;
    const char *file[RNN_N_SPLITS];        /* idx: images; npy: inputs */
    const char *target_file[RNN_N_SPLITS]; /* idx: labels; npy: targets */

    /* Samples of the training file for other splits, where those have no file */
    double validation, test; /* fractions; 0 = none */
    rnn_split_by split_by;
    uint64_t seed; /* of the run */

    /* Values */
    double mean, std; /* a value v becomes (v - mean) / std; of idx, v is a pixel / 255 */
    bool standardize, standardize_targets; /* by the training samples' own mean and std */
    rnn_missing missing;

    rnn_sequence sequence; /* idx */
    size_t n_classes;      /* idx: labels must be below this */

    /* strings: characters in, characters out */
    const char *const *inputs, *const *targets; /* [n_inputs], [n_targets] UTF-8 */
    size_t n_inputs, n_targets;
    const char *alphabet; /* the characters in the order of their numbers; "" = those in use */

    /* text */
    rnn_unit unit;
    size_t max_words, min_count; /* of the vocabulary of words; 0 = no limit */

    size_t seq_len;    /* text, adding, noise: steps of a sample */
    size_t n_features; /* noise: values of a step */
    size_t n_streams; /* text: so many readers side by side, each going on where it was; 0 = samples
                         that have nothing to do with each other */

    /* csv */
    const char *const *columns, *const *target_columns; /* names, or numbers from 1 */
    size_t n_columns, n_target_columns;                 /* 0 = all that are numbers; the same */
    size_t look_back; /* rows that are the features of a step, oldest first; >= 1 */
    size_t window;    /* steps of a sample; 0 = the whole part is one sample */
    size_t stride;    /* rows from one sample to the next; >= 1 */
    size_t horizon;   /* rows ahead that are the target, all of them; 0 = the step's own row */

    /* hdf5: names in the file */
    const char *x, *y, *lengths; /* lengths "" = all alike */

    rnn_target_choice target; /* csv, hdf5, npy */

    const rnn_dataset_fit *fit;       /* of a trained model, to be used as it is; NULL: fit anew */
    const rnn_dataset_answer *answer; /* taken for the targets where there are none; or NULL */
    bool needs_no_targets;            /* missing targets are no error: labels are -1, values NAN */
} rnn_dataset_cfg;

typedef struct rnn_dataset rnn_dataset;

/* What a dataset is; lent, valid until rnn_dataset_destroy. */
typedef struct rnn_dataset_info {
    const char *folder;             /* where it was found, expanded; "" if it is in no files */
    const char *name;               /* its own if it has one, or by content, else "unknown" */
    bool is_expected;               /* cfg.name is "" or equals name */
    size_t n_samples[RNN_N_SPLITS]; /* after the limit; all but training may be 0 */
    size_t seq_len, min_len;        /* steps of the longest and of the shortest sample in use */
    bool is_ragged;                 /* they differ */
    size_t n_features;              /* values of a step; 1 for tokens */
    size_t n_tokens;                /* 0: inputs are features; else token numbers below this */
    rnn_target_kind target;
    bool has_targets;       /* else none of the samples has one */
    size_t n_classes;       /* labels are below this; 0 without labels. Of idx, the largest + 1 */
    size_t n_target_values; /* floats of a target; 0 with labels */
    double target_scale, target_offset; /* what a reader did to targets: (value - offset) / scale */
    bool is_language;                   /* labels are the next tokens of a text */
    bool is_strings;                    /* short enough to print all that is predicted */
    rnn_unit unit;                      /* of tokens */
    size_t n_streams;                   /* > 0: sample i goes on where sample i - n_streams ended */
    uint64_t digest;        /* of all content in use: files, decompressed, or strings; of data that
                               is read while it is used, of a part of it */
    double bytes_in_memory; /* resident size */
} rnn_dataset_info;

/* The names of all formats, NULL-ended, and whether one uses a key of [dataset]. */
extern const char *const rnn_dataset_formats[];
bool rnn_dataset_format_uses(size_t format, const char *key);

/*
 * Reads and checks a dataset. Errors: RNN_ERR_DATA for an unknown format, settings without meaning
 * or content that breaks the format's rules; the message names file (of text, file:line), what was
 * expected and found.
 *
 * Files: the first folder of cfg->search that holds all of them is used. RNN_ERR_NOINPUT if none
 * does (the message lists every folder as expanded) or one holds only some. An unset or empty
 * "$NAME" skips that folder. A file that looks like another format is said to.
 *   idx      images and labels, plain or with ".gz" added. Refused: a bad magic, a header that
 *            does not match the file's size, an image and label count that differ, a label >=
 *            cfg->n_classes, no samples.
 *   ts       the UCR and UEA archives' text format, with a class or a number as target; see
 *            datasets/ts.c.
 *   strings  pairs of an input and a target with the same number of characters (code points), at
 *            least one. An input becomes tokens, its target a label per step, both numbered by
 *            their place in the alphabet; characters outside it are refused. No test samples.
 *   text     a language: every token is a step, and its label the next one, see datasets/text.c.
 *   csv      series whose rows are points in time, cut into windows, see datasets/csv.c.
 *   hdf5     arrays in HDF5 files, read while they are used, see datasets/hdf5.c.
 *   npy      arrays in NumPy's files, read while they are used, see datasets/npy.c.
 *   adding   drawn as they are asked for, see datasets/adding.c.
 *   noise    drawn at once, without meaning, see datasets/noise.c.
 */
rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg);
void rnn_dataset_destroy(rnn_dataset **dataset);

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset);

/* What was fitted, or given; lent. */
const rnn_dataset_fit *rnn_dataset_get_fit(const rnn_dataset *dataset);

/* Steps of a sample. */
size_t rnn_dataset_length(const rnn_dataset *dataset, rnn_split split, size_t sample);

/* Steps of each sample [n_samples of the split]; lent. NULL unless the dataset is ragged. */
const uint32_t *rnn_dataset_lengths(const rnn_dataset *dataset, rnn_split split);

/*
 * The name of a token or class in UTF-8, for printing; lent. NULL if it has none or is out of
 * range. Where inputs and targets are of one kind, tokens and classes share their numbers.
 */
const char *rnn_dataset_token_text(const rnn_dataset *dataset, size_t token);

/*
 * The units of target value i in the data: a gathered target, or a model's answer for one, times
 * *scale, plus *offset.
 */
void rnn_dataset_target_units(const rnn_dataset *dataset, size_t i, double *scale, double *offset);

/* Where gathered samples go; the arrays that the dataset's inputs and targets do not use are NULL.
 */
typedef struct rnn_dataset_slice {
    float *x;        /* [seq_len][rows][n_features], or */
    int32_t *token;  /* [seq_len][rows] */
    int32_t *length; /* [rows] */
    int32_t *label;  /* [rows] or [seq_len][rows], or */
    float *target;   /* [rows][n_target_values] or [seq_len][rows][n_target_values] */
} rnn_dataset_slice;

/* Whether gathering samples reads no files: it takes little time then, and cannot fail. */
bool rnn_dataset_is_in_memory(const rnn_dataset *dataset);

/*
 * Assembles samples as one slice. Thread-safe; fails only where samples are read from files while
 * they are used: RNN_ERR_IO, RNN_ERR_DATA. Beyond the end of a sample and in rows
 * n_valid .. rows - 1: x and target are 0, token and label -1; the length of those rows is 0.
 *   index    [n_valid]  sample numbers in the split
 *   seq_len  steps of the slice, at least those of the longest of these samples
 */
rnn_status rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                              size_t n_valid, size_t rows, size_t seq_len,
                              const rnn_dataset_slice *into);

#endif
