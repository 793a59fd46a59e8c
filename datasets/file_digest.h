/*
 * Digests of whole files, bounded in time for files that are too large to be read just for that.
 */
#ifndef RNN_DATASETS_FILE_DIGEST_H
#define RNN_DATASETS_FILE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

enum { RNN_FILE_DIGEST_MOST = 256 << 20 }; /* bytes to read of a dataset */

/*
 * A digest of files in this order: of their sizes and their bytes. If they are larger than `most`
 * bytes together, of blocks evenly spread over them, the first and the last of each included.
 * RNN_ERR_NOINPUT, RNN_ERR_IO.
 */
rnn_status rnn_file_digest(uint64_t *out, const char *const *paths, size_t n_paths, uint64_t most);

#endif
