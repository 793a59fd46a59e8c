/*
 * How two checkpoints differ: in which arrays and by how much, and in which settings.
 */
#ifndef RNN_FRAMEWORK_DIFF_H
#define RNN_FRAMEWORK_DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include "kernels/status.h"

/*
 * Prints a line for every array of numbers that differs: how many numbers it has, how many of them
 * are more than `tolerance` apart, the largest distance, the largest one relative to the larger of
 * both, and the root of the mean square distance, all over the whole array; then every setting,
 * state and name that differs, with both texts; and a summary. Whether anything did is *differ.
 *
 * Where and when they were made is not compared: the time of creation, /environment, the times that
 * epochs took, and keys of the configuration that may change when a run goes on, such as threads
 * and folders. Errors as of rnn_checkpoint_read_config.
 */
rnn_status rnn_diff_checkpoints(const char *a, const char *b, double tolerance, FILE *out,
                                bool *differ);

#endif
