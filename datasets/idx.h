/*
 * Reader of IDX files (http://yann.lecun.com/exdb/mnist), the format of MNIST and its descendants:
 * a big-endian magic number and dimensions, then the values. Plain or gzip, told apart by content.
 * Only unsigned bytes, as images (three dimensions) or labels (one), are accepted.
 */
#ifndef RNN_DATASETS_IDX_H
#define RNN_DATASETS_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef enum rnn_idx_kind { RNN_IDX_IMAGES, RNN_IDX_LABELS } rnn_idx_kind;

/* A whole file. Empty (all zero) before reading and after release. */
typedef struct rnn_idx {
    uint8_t *bytes; /* [n_bytes] decompressed, header included; owned */
    size_t n_bytes;
    const uint8_t *values;    /* [count][rows][cols], within bytes */
    size_t count, rows, cols; /* all > 0; rows and cols of labels are 1 */
    uint64_t digest;          /* of bytes */
} rnn_idx;

/*
 * Reads and checks one file. The file must hold exactly the values its header announces; memory
 * grows with the bytes that arrive, not with what the header claims. Errors: RNN_ERR_NOINPUT if it
 * cannot be opened or is not a regular file, RNN_ERR_DATA for another magic, an empty dimension, a
 * size that does not match, or a damaged gzip stream, RNN_ERR_IO if reading fails, RNN_ERR_MEMORY.
 * On failure *out is empty.
 */
rnn_status rnn_idx_read(rnn_idx *out, const char *path, rnn_idx_kind kind);

/* Frees the content; accepts an empty one. */
void rnn_idx_release(rnn_idx *idx);

/* "zlib 1.2.13"; lives as long as the program. */
const char *rnn_idx_library(void);

#endif
