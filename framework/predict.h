/*
 * rnntrain predict: what a trained model answers, sample by sample, as a CSV or HDF5 file.
 *
 * One row for every answer, samples in their order: its sample and step (from 0), the targets where
 * the data has them, and what was predicted. Of classes that is the class (by name if it has one)
 * and its probability; of marks the probability of each; of values the values, in the data's own
 * units. Where a label does not count (loss.ignore_index) there is none: nothing in CSV, -1 in
 * HDF5.
 */
#ifndef RNN_FRAMEWORK_PREDICT_H
#define RNN_FRAMEWORK_PREDICT_H

#include "framework/trained.h"
#include "kernels/status.h"

/*
 * Collective. Writes the answers for the test samples (validation, if there are none) to `path`,
 * which must end in ".csv" (RFC 4180) or ".h5" (one dataset a column). The file is whole or absent.
 * RNN_ERR_USAGE for another name, RNN_ERR_IO.
 */
rnn_status rnn_predict(rnn_trained *trained, const char *path);

/* Whether `path` has one of the endings; RNN_ERR_USAGE if not. */
rnn_status rnn_predict_check_path(const char *path);

#endif
