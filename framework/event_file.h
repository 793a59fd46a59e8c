/*
 * An event file, as TensorBoard reads it: numbers with a name and a step.
 *
 * Records are framed as in TFRecord files: uint64 length, uint32 check, the bytes, uint32 check,
 * all little-endian; a check is the masked CRC-32C of length or bytes. A record is in the file
 * whole or not at all, as a line of framework/line_file.h.
 */
#ifndef RNN_FRAMEWORK_EVENT_FILE_H
#define RNN_FRAMEWORK_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef struct rnn_event_file rnn_event_file;

/* A number and its name, such as "loss/train". */
typedef struct rnn_scalar {
    char tag[48];
    double value;
} rnn_scalar;

enum { RNN_EVENT_MAX_SCALARS = 24 };

/*
 * Creates folder/events.out.tfevents.TIME.HOST.PID, which no other process does. `step` is the last
 * that has been done: TensorBoard forgets later ones, which an earlier start may have written.
 * RNN_ERR_IO, RNN_ERR_MEMORY.
 */
rnn_status rnn_event_file_create(rnn_event_file **out, const char *folder, uint64_t step);
void rnn_event_file_close(rnn_event_file **file);

/* Writes numbers of a step; those that are not finite are left out. RNN_ERR_IO, RNN_ERR_MEMORY. */
rnn_status rnn_event_file_write(rnn_event_file *file, uint64_t step, const rnn_scalar *scalars,
                                size_t n_scalars);

/* CRC-32C (Castagnoli), and as TFRecord files store it. */
uint32_t rnn_crc32c(const void *bytes, size_t n_bytes);
uint32_t rnn_crc32c_mask(uint32_t crc);

#endif
