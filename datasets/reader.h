/*
 * What a format has to provide. A new format is one file with such a table and one row in
 * datasets/dataset.c.
 */
#ifndef RNN_DATASETS_READER_H
#define RNN_DATASETS_READER_H

#include "datasets/dataset.h"

typedef struct rnn_reader {
    const char *name; /* of the format in a configuration */

    /* Keys of [dataset] that it uses beside format, name and shuffle; NULL-ended. */
    const char *const *keys;

    /* Samples belong together in the order of the file, so that it makes validation and test parts
     * of fractions itself, at the end of the training file. */
    bool splits_itself;

    /* read_row reads a file, which may take its time or fail; the others' samples are in memory. */
    bool reads_late;

    /*
     * Whether a file is of this format, by its first n bytes and its path, so that a file given to
     * another reader can be named for what it is. NULL: cannot tell.
     */
    bool (*recognizes)(const unsigned char *bytes, size_t n, const char *path);

    /*
     * Reads and checks. *content is the reader's own, NULL on failure. `info` is filled in but for
     * is_expected, is_ragged and min_len; its strings belong to the content. seq_len may be left
     * to `lengths`. has_targets is true before, and target_scale 1. n_samples are those of the
     * files, limits applied by rnn_reader_limit. With cfg.fit, names have the numbers that they
     * have there, and there need be no training file: n_samples[RNN_SPLIT_TRAIN] may be 0 then.
     */
    rnn_status (*open)(void **content, rnn_dataset_info *info, const rnn_dataset_cfg *cfg);
    void (*destroy)(void *content); /* accepts NULL */

    /* Steps of each sample, all > 0. NULL, or giving NULL: all samples have info.seq_len. */
    const uint32_t *(*lengths)(const void *content, rnn_split split);

    /* See rnn_dataset_token_text; asked only below n_tokens or n_classes. NULL: none has one. */
    const char *(*token_text)(const void *content, size_t token);

    /*
     * Writes the steps that a sample has, and its target, into row `row` of a slice; no target if
     * info.has_targets is false: its array may be of another kind. Called from several threads at
     * once.
     */
    rnn_status (*read_row)(const void *content, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into);
} rnn_reader;

extern const rnn_reader rnn_images_reader, rnn_series_reader, rnn_strings_reader, rnn_text_reader,
    rnn_table_reader, rnn_hdf5_reader, rnn_npy_reader, rnn_adding_reader, rnn_noise_reader;

/* For readers that normalise values: cfg.mean and cfg.std must be finite, cfg.std > 0. */
rnn_status rnn_reader_check_scale(const rnn_dataset_cfg *cfg);

/*
 * Finds the files of all splits in one folder of the search path; paths[split] is NULL for a split
 * without a file. All rnn_alloc memory, also after a failure. RNN_ERR_DATA if one is of a format
 * that another reader recognizes and this one does not.
 */
rnn_status rnn_reader_find_files(const rnn_reader *reader, const rnn_dataset_cfg *cfg,
                                 char **folder, char *paths[RNN_N_SPLITS]);

/* RNN_ERR_DATA if a file is of a format that another reader recognizes and this one does not, or
 * compressed: for readers that do not unpack. */
rnn_status rnn_reader_check_format(const rnn_reader *reader, const char *path);

/* How many of `count` samples of a split are in use. */
size_t rnn_reader_limit(const rnn_dataset_cfg *cfg, rnn_split split, size_t count);

/*
 * For readers that split themselves: of `count` rows or characters in a training file, the first
 * `part[RNN_SPLIT_TRAIN]` are for training, then come validation and test. RNN_ERR_DATA if one that
 * was asked for would be empty.
 */
rnn_status rnn_reader_divide(const rnn_dataset_cfg *cfg, const char *path, size_t count,
                             size_t part[RNN_N_SPLITS]);

/*
 * Fills in what is missing (NAN) in a sequence: values[t * pitch] for t < n_steps, as `missing`
 * says. A sequence in which all are missing becomes 0. Not for RNN_MISSING_REFUSE.
 */
void rnn_reader_impute(rnn_missing missing, float *values, size_t n_steps, size_t pitch);

#endif
