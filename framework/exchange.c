#include "framework/exchange.h"

#include "framework/file_io.h"
#include "framework/onnx_export.h"
#include "framework/state_dict.h"
#include "kernels/memory.h"

rnn_status rnn_stored_model_create(rnn_model **out, const char *path)
{
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    size_t n_layers;
    rnn_shape input;

    RNN_TRY(rnn_checkpoint_read_layers(path, layers, &n_layers));
    if (!rnn_layers_input(layers, n_layers, &input))
        return RNN_FAIL(RNN_ERR_DATA, "%s: none of its layers tells the size of its input", path);
    return rnn_model_create(out, layers, n_layers, input);
}

rnn_status rnn_stored_model_read(rnn_stored_model *out, const char *path)
{
    rnn_status st;
    rnn_checkpoint checkpoint;

    *out = (rnn_stored_model){.model = NULL};
    RNN_TRY(rnn_stored_model_create(&out->model, path));
    RNN_TRY_GOTO(st, RNN_ALLOC(&out->params, rnn_model_size(out->model), "parameters"), failed);
    checkpoint =
        (rnn_checkpoint){.model = out->model, .params = out->params, .progress = &out->progress};
    RNN_TRY_GOTO(st, rnn_checkpoint_read(path, &checkpoint), failed);
    return RNN_OK;
failed:
    rnn_stored_model_free(out);
    return st;
}

void rnn_stored_model_free(rnn_stored_model *stored)
{
    rnn_free(stored->params);
    rnn_model_destroy(&stored->model);
    *stored = (rnn_stored_model){.model = NULL};
}

rnn_status rnn_export(const char *checkpoint, const char *weights)
{
    rnn_status st;
    rnn_stored_model stored;

    if (rnn_path_has_ending(weights, ".onnx"))
        return rnn_onnx_export(checkpoint, weights);
    if (!rnn_path_has_ending(weights, ".h5") && !rnn_path_has_ending(weights, ".hdf5"))
        return RNN_FAIL(RNN_ERR_USAGE,
                        "cannot export to '%s': expected a name that ends in .h5 or .hdf5 for "
                        "weights, .onnx for a model",
                        weights);
    RNN_TRY(rnn_stored_model_read(&stored, checkpoint));
    st = rnn_state_dict_write(weights, stored.model, stored.params);
    rnn_stored_model_free(&stored);
    return st;
}
