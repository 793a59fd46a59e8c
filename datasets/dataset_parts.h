/*
 * What a dataset makes of a reader's samples: splits, and standardised values. Private to
 * dataset.c, split.c and standardize.c.
 */
#ifndef RNN_DATASETS_DATASET_PARTS_H
#define RNN_DATASETS_DATASET_PARTS_H

#include "datasets/dataset.h"
#include "datasets/reader.h"

/* An opened reader; info.n_samples are the files' until the samples are divided. */
typedef struct rnn_samples {
    const rnn_reader *reader;
    const void *content;
    rnn_dataset_info *info;
} rnn_samples;

/* Which samples of a reader are in a split. */
typedef struct rnn_dataset_parts {
    uint64_t *index[RNN_N_SPLITS];  /* [n_samples] numbers in the training file; NULL: the split is
                                       the reader's own */
    uint32_t *length[RNN_N_SPLITS]; /* [n_samples]; NULL: all have info.seq_len */
} rnn_dataset_parts;

typedef struct rnn_dataset_origin {
    rnn_split split;
    size_t sample;
} rnn_dataset_origin;

/*
 * Gives validation and test the samples of the training file that cfg's fractions say, and sets
 * info.n_samples to what each split has then. RNN_ERR_DATA if a fraction asks for a split that has
 * a file, or leaves a split without samples.
 */
rnn_status rnn_dataset_divide(rnn_dataset_parts *parts, const rnn_samples *samples,
                              const rnn_dataset_cfg *cfg);
void rnn_dataset_parts_free(rnn_dataset_parts *parts);

/* Where the reader has a sample of a split. */
rnn_dataset_origin rnn_dataset_parts_at(const rnn_dataset_parts *parts, rnn_split split,
                                        size_t sample);

/*
 * Puts mean and standard deviation of the training samples into `fit` as cfg asks, or takes those
 * of cfg->fit. They are the population's, over all valid steps; 1 stands for a deviation of 0.
 */
rnn_status rnn_dataset_standardize(rnn_dataset_fit *fit, const rnn_dataset *dataset,
                                   const rnn_dataset_cfg *cfg);

/* Applies them to a row that has just been read. */
void rnn_dataset_scale_row(const rnn_dataset_fit *fit, const rnn_dataset_info *info, size_t length,
                           size_t row, size_t rows, const rnn_dataset_slice *into);

#endif
