/*
 * From a checkpoint of the program to an ONNX file: what its configuration and its data say about
 * the model's inputs and answers.
 */
#ifndef RNN_FRAMEWORK_ONNX_EXPORT_H
#define RNN_FRAMEWORK_ONNX_EXPORT_H

#include "kernels/status.h"

/*
 * Writes the model in `checkpoint` to `path`, see framework/onnx.h. Its inputs are as the data
 * files have them: pixels from 0 to 255, features before dataset.mean, dataset.std and
 * dataset.standardize; its answers are in the units of the targets. There is an input of lengths
 * where the format of the data has them (ts, hdf5, strings).
 *
 * metadata_props: "classes" and "tokens", the names in the order of the numbers as a JSON array, if
 * there are any; "loss"; "epoch", "step" and "digest" of the checkpoint; "config", its text.
 *
 * Errors as of rnn_checkpoint_read and rnn_onnx_write.
 */
rnn_status rnn_onnx_export(const char *checkpoint, const char *path);

#endif
