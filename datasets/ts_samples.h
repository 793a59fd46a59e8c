/*
 * The samples of a time series file: every line behind "@data". Private to ts.c.
 */
#ifndef RNN_DATASETS_TS_SAMPLES_H
#define RNN_DATASETS_TS_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "datasets/lines.h"
#include "datasets/ts_header.h"
#include "kernels/status.h"

typedef struct rnn_ts_sample {
    size_t start; /* among the values */
    uint32_t length;
    int32_t label; /* -1: none */
    float value;   /* the target; NAN: none */
} rnn_ts_sample;

/* Arrays have room for more, so that they grow with what arrives. Empty as {0}. */
typedef struct rnn_ts_set {
    float *values; /* [sum of lengths][n_dims] */
    size_t n_values, values_room;
    rnn_ts_sample *samples; /* [n_samples] in use */
    size_t n_samples, samples_room;
    uint32_t *length; /* [n_samples] */
    uint64_t digest;  /* of the file */
} rnn_ts_set;

/* How a file is to be read. */
typedef struct rnn_ts_task {
    const rnn_dataset_cfg *cfg;
    rnn_split split;
    const rnn_ts_header *header;
    const int32_t *number; /* [header->n_classes] of each class */
    size_t *n_dims;        /* of all files; 0 = by the first sample, which sets it */
} rnn_ts_task;

/*
 * Reads the samples up to the end of the file. Values are normalised and then, if cfg says so,
 * missing ones are filled in. RNN_ERR_DATA with file:line; else as rnn_lines_next.
 */
rnn_status rnn_ts_set_read(rnn_ts_set *set, rnn_lines *lines, const rnn_ts_task *task);
void rnn_ts_set_free(rnn_ts_set *set);

/* The header or a sample says how many dimensions there are: the same everywhere. */
rnn_status rnn_ts_settle_dimensions(size_t *n_dims, size_t found, const rnn_lines *lines);

#endif
