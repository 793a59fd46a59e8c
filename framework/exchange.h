/*
 * A checkpoint without its run: the model it holds, and the same as a file for others.
 */
#ifndef RNN_FRAMEWORK_EXCHANGE_H
#define RNN_FRAMEWORK_EXCHANGE_H

#include "framework/checkpoint.h"
#include "framework/model.h"
#include "kernels/status.h"

/* A model out of a checkpoint, with its parameters and how far it was trained. */
typedef struct rnn_stored_model {
    rnn_model *model; /* for sequences of one step: the checkpoint does not know their length */
    float *params;    /* [model size] */
    rnn_progress progress;
} rnn_stored_model;

/*
 * The model that the layers in a checkpoint make, without its parameters, for sequences of one
 * step. Errors as of rnn_checkpoint_read_layers.
 */
rnn_status rnn_stored_model_create(rnn_model **out, const char *path);

/*
 * Reads a checkpoint as rnn_checkpoint_read does, with the same errors, but without configuration
 * or data. On failure there is nothing to free; rnn_stored_model_free accepts that.
 */
rnn_status rnn_stored_model_read(rnn_stored_model *out, const char *path);
void rnn_stored_model_free(rnn_stored_model *stored);

/* Writes the model in `checkpoint` to `weights`: if that ends in ".onnx", as rnn_onnx_export does, if
 * in ".h5" or ".hdf5" its parameters, as rnn_state_dict_write does; else RNN_ERR_USAGE. */
rnn_status rnn_export(const char *checkpoint, const char *weights);

#endif
