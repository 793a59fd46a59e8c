/*
 * What a model is made of, as a table: parameters with torch's names and shapes, their number, and
 * the shapes of input, output and states. In shapes, T is the number of steps and N of sequences.
 */
#ifndef RNN_FRAMEWORK_SHOW_H
#define RNN_FRAMEWORK_SHOW_H

#include <stddef.h>
#include <stdio.h>

#include "framework/model.h"
#include "kernels/status.h"

/*
 * Shows the model of a configuration. Tables other than [[layer]] may be missing, and no data is
 * opened, if the first layer has its input size; else it comes from the data, which is opened as
 * for training, with the same errors.
 */
rnn_status rnn_show_config(const char *path, const char *const *overrides, size_t n_overrides,
                           FILE *out);

/* Shows the model in a checkpoint, how far it was trained, and the digest of its parameters. */
rnn_status rnn_show_checkpoint(const char *path, FILE *out);

#endif
