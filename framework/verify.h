/*
 * Whether checkpoints are what was written: every byte of each, and the digests of the parameters
 * that metrics.jsonl noted.
 */
#ifndef RNN_FRAMEWORK_VERIFY_H
#define RNN_FRAMEWORK_VERIFY_H

#include <stddef.h>
#include <stdio.h>

#include "kernels/status.h"

/*
 * Prints one line for each checkpoint: those named, and for a folder all that it has, from the
 * oldest on, and its links latest.h5 and best.h5. A checkpoint is valid if its digest fits, all of
 * its model can be read, and the digest of its parameters is the one in its file and, if
 * metrics.jsonl beside it has an epoch that ended with its step, the one there.
 *
 * Goes on after one that is not. At the end the first failure's status, with how many there were:
 * RNN_ERR_DATA, RNN_ERR_NOINPUT for what does not exist or a folder without checkpoints.
 */
rnn_status rnn_verify(const char *const *paths, size_t n_paths, FILE *out);

#endif
