/*
 * Undoes what filters have made of a chunk of an HDF5 file: fletcher32, shuffle and deflate, which
 * every libhdf5 has. Not left to libhdf5, since 1.10 believes that a chunk decompresses to as many
 * bytes as it should, and reads on behind those that a damaged one has. Knows nothing of libhdf5.
 */
#ifndef RNN_DATASETS_HDF5_CHUNK_H
#define RNN_DATASETS_HDF5_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/memory.h"
#include "kernels/status.h"

/* By the numbers that they have in files. */
typedef enum rnn_hdf5_filter {
    RNN_HDF5_DEFLATE = 1,
    RNN_HDF5_SHUFFLE = 2,
    RNN_HDF5_FLETCHER32 = 3
} rnn_hdf5_filter;

enum { RNN_HDF5_MAX_FILTERS = 3 };

typedef struct rnn_hdf5_pipeline {
    rnn_hdf5_filter filter[RNN_HDF5_MAX_FILTERS]; /* as applied when writing; each at most once */
    size_t n_filters;
    size_t value_size; /* bytes, by which shuffle goes */
    size_t n_bytes;    /* of the values of a chunk; below 2^31 */
} rnn_hdf5_pipeline;

/* Memory that is used again for the next chunk. Empty as {0}. */
typedef struct rnn_hdf5_chunk_work {
    rnn_buffer buffer[2];
} rnn_hdf5_chunk_work;

/*
 * Decodes the n_stored bytes of a chunk into values [n_bytes]. Bit i of `skipped` says that filter
 * i was not applied. RNN_ERR_DATA, with a reason that goes on from the name of the chunk ("has a
 * wrong checksum ..."), unless that gives exactly n_bytes; RNN_ERR_MEMORY.
 */
rnn_status rnn_hdf5_chunk_decode(const rnn_hdf5_pipeline *pipeline, uint32_t skipped,
                                 const uint8_t *stored, size_t n_stored, rnn_hdf5_chunk_work *work,
                                 uint8_t *values);

void rnn_hdf5_chunk_work_free(rnn_hdf5_chunk_work *work);

#endif
