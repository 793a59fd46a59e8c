/*
 * What a format has to provide. A new format is one file with such a table and one row in
 * datasets/dataset.c.
 */
#ifndef RNN_DATASETS_READER_H
#define RNN_DATASETS_READER_H

#include "datasets/dataset.h"

typedef struct rnn_reader {
    /*
     * Reads and checks. *content is the reader's own, NULL on failure. `info` is filled in but for
     * is_expected, is_ragged and min_len; its strings belong to the content. seq_len may be left
     * to `lengths`.
     */
    rnn_status (*open)(void **content, rnn_dataset_info *info, const rnn_dataset_cfg *cfg);
    void (*destroy)(void *content); /* accepts NULL */

    /* Steps of each sample, all > 0. NULL: all samples have info.seq_len. */
    const uint32_t *(*lengths)(const void *content, rnn_split split);

    /* See rnn_dataset_token_text; asked only below n_tokens or n_classes. NULL: none has one. */
    const char *(*token_text)(const void *content, size_t token);

    /* Writes the steps that a sample has, and its target, into row `row` of a slice. */
    void (*write_row)(const void *content, rnn_split split, size_t sample, size_t row, size_t rows,
                      const rnn_dataset_slice *into);
} rnn_reader;

extern const rnn_reader rnn_images_reader, rnn_series_reader, rnn_strings_reader;

/* For readers that normalise values: cfg.mean and cfg.std must be finite, cfg.std > 0. */
rnn_status rnn_reader_check_scale(const rnn_dataset_cfg *cfg);

/* How many of `count` samples of a split are in use. */
size_t rnn_reader_limit(const rnn_dataset_cfg *cfg, rnn_split split, size_t count);

#endif
