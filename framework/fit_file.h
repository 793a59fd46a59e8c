/*
 * What a dataset was fitted with, in a checkpoint: names of tokens or classes as /data/texts, and
 * the standardisation as /data/mean, std, target_mean and target_std.
 */
#ifndef RNN_FRAMEWORK_FIT_FILE_H
#define RNN_FRAMEWORK_FIT_FILE_H

#include <stddef.h>

#include "datasets/dataset.h"
#include "framework/checkpoint.h"
#include "kernels/status.h"

enum { RNN_FIT_MAX_BLOCKS = 5 };

/*
 * The blocks of a fit: *n_blocks of them, only those it has. Numbers are lent by the fit, texts are
 * rnn_alloc memory in *texts, to be freed after use. RNN_ERR_DATA for a text that is too long.
 */
rnn_status rnn_fit_to_blocks(const rnn_dataset_fit *fit, rnn_block blocks[RNN_FIT_MAX_BLOCKS],
                             size_t *n_blocks, char **texts);

/* The fit in a checkpoint, to be freed by rnn_dataset_fit_free, also after a failure. */
rnn_status rnn_fit_read(const char *path, rnn_dataset_fit *fit);

#endif
