/*
 * A model's parameters as PyTorch users exchange them: a flat state_dict in an HDF5 file, one
 * dataset for each tensor, as three lines of Python write it:
 *
 *     with h5py.File("weights.h5", "w") as f:
 *         for k, v in model.state_dict().items():
 *             f[k] = v.numpy()
 *
 * libhdf5 has global state: call these from one thread at a time.
 */
#ifndef RNN_FRAMEWORK_STATE_DICT_H
#define RNN_FRAMEWORK_STATE_DICT_H

#include "framework/model.h"
#include "kernels/status.h"

/*
 * Writes params [model size] to `path`, whole or not at all: float32, named "<i>.<param>" with i
 * the number of the [[layer]], as nn.Sequential does, or just "<param>" if the model has one layer.
 * RNN_ERR_NONFINITE (nothing written) naming the tensor, RNN_ERR_IO naming file and operation.
 */
rnn_status rnn_state_dict_write(const char *path, const rnn_model *model, const float *params);

/*
 * Reads `path` into params [model size]; on failure nothing is changed. Every parameter must be
 * there once and nothing else, of exactly its shape, finite, float32 or float64 (rounded) of either
 * byte order, stored in one piece without a filter. The file has no digest: one that was damaged
 * may read as other numbers.
 *
 * Names are PREFIX.PARAM, also PREFIX/PARAM, or PARAM alone for a model with one layer that has
 * parameters. The prefixes "<i>" and "<i>_<type>" say which layer is meant. Any other one, such as
 * "encoder.rnn", stands for the layer that has exactly its parameters in names and shapes; if there
 * are two such layers, that is an error. A cell and a layer of one direction and one sublayer are
 * the same to this: weight_ih is weight_ih_l0.
 *
 * RNN_ERR_NOINPUT if there is no such file, RNN_ERR_DATA naming the tensor, what the model needs
 * and what the file has, RNN_ERR_IO.
 */
rnn_status rnn_state_dict_read(const char *path, const rnn_model *model, float *params);

#endif
