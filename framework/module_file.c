/* Modules and files: state_dicts, and checkpoints of the program. */
#include "framework/module_parts.h"

#include "framework/arguments.h"
#include "framework/checkpoint.h"
#include "framework/state_dict.h"

rnn_status rnn_module_save(const rnn_module *module, const char *path)
{
    RNN_TRY(rnn_check_given("rnn_module_save", "module", module));
    RNN_TRY(rnn_check_given("rnn_module_save", "path", path));
    return rnn_state_dict_write(path, module->model, module->params);
}

rnn_status rnn_module_load(rnn_module *module, const char *path)
{
    RNN_TRY(rnn_check_given("rnn_module_load", "module", module));
    RNN_TRY(rnn_check_given("rnn_module_load", "path", path));
    RNN_TRY(rnn_state_dict_read(path, module->model, module->params));
    rnn_module_touch(module);
    return RNN_OK;
}

static rnn_status read_checkpoint(rnn_module *m, const char *path)
{
    rnn_checkpoint into = {.model = m->model, .params = m->params};

    RNN_TRY(rnn_checkpoint_read(path, &into));
    rnn_module_touch(m);
    return RNN_OK;
}

rnn_status rnn_module_open(rnn_module **out, const char *path)
{
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    size_t n_layers;
    rnn_status st;

    RNN_TRY(rnn_check_given("rnn_module_open", "out", out));
    *out = NULL;
    RNN_TRY(rnn_check_given("rnn_module_open", "path", path));
    RNN_TRY(rnn_checkpoint_read_layers(path, layers, &n_layers));
    st = rnn_module_create(out, layers, n_layers, 0);
    if (st == RNN_ERR_USAGE) /* the file's fault, not the caller's */
        st = RNN_FAIL(RNN_ERR_DATA, "%s: %s", path, rnn_error_message());
    if (st == RNN_OK)
        st = read_checkpoint(*out, path);
    if (st != RNN_OK)
        rnn_module_destroy(out);
    return st;
}
