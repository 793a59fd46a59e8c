/*
 * Modules saved, loaded and opened: what is written is what is read, and files of the wrong kind
 * change nothing.
 */
#include "temporary_folder.h"

#include "api.h"
#include "framework/checkpoint.h"
#include "kernels/memory.h"

enum { T = 4, N = 2, TOKENS = 5, H = 6, F = 3 };

static const int64_t tokens[T][N] = {{0, 4}, {1, 3}, {2, 2}, {4, 0}};

static void describe(rnn_layer_cfg layers[3], rnn_layer_type type)
{
    layers[0] = rnn_layer_defaults(RNN_LAYER_EMBEDDING);
    layers[0].num_embeddings = TOKENS;
    layers[0].embedding_dim = 4;
    layers[1] = rnn_layer_defaults(type);
    layers[1].hidden_size = H;
    layers[1].bidirectional = true;
    layers[2] = rnn_layer_defaults(RNN_LAYER_LINEAR);
    layers[2].out_features = F;
}

static rnn_module *make(rnn_layer_type type, uint64_t seed)
{
    rnn_layer_cfg layers[3];
    rnn_module *module;

    describe(layers, type);
    OK(rnn_module_create(&module, layers, 3, 0));
    OK(rnn_module_reset(module, seed));
    return module;
}

static void compute(rnn_module *module, float out[T * N * F])
{
    OK(rnn_module_forward(
        module, &(rnn_forward_args){.tokens = {*tokens, {T, N}}, .out = tensor3(out, T, N, F)}));
}

static void assert_same_outputs(rnn_module *a, rnn_module *b)
{
    float out_a[T * N * F], out_b[T * N * F];

    compute(a, out_a);
    compute(b, out_b);
    assert_memory_equal(out_a, out_b, sizeof out_a);
}

static void load_brings_back_what_save_wrote(void **state)
{
    rnn_module *saved = make(RNN_LAYER_LSTM, 1), *loaded = make(RNN_LAYER_LSTM, 2);
    float out[T * N * F];

    (void)state;
    compute(loaded, out); /* with other parameters: those packed for it must not stay */
    OK(rnn_module_save(saved, "weights.h5"));
    OK(rnn_module_load(loaded, "weights.h5"));
    assert_same_outputs(saved, loaded);
    rnn_module_destroy(&saved);
    rnn_module_destroy(&loaded);
}

static void files_that_do_not_fit_change_nothing(void **state)
{
    rnn_module *lstm = make(RNN_LAYER_LSTM, 1), *gru = make(RNN_LAYER_GRU, 1);
    rnn_module *same = make(RNN_LAYER_GRU, 1), *opened = gru;

    (void)state;
    OK(rnn_module_save(lstm, "weights.h5"));
    assert_int_equal(rnn_module_load(gru, "weights.h5"), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "weight_ih_l0"));
    assert_int_equal(rnn_module_load(gru, "missing.h5"), RNN_ERR_NOINPUT);
    assert_int_equal(rnn_module_open(&opened, "weights.h5"), RNN_ERR_DATA);
    assert_null(opened);
    assert_int_equal(rnn_module_open(&opened, "missing.h5"), RNN_ERR_NOINPUT);
    assert_int_equal(rnn_module_save(lstm, "missing/weights.h5"), RNN_ERR_IO);
    assert_same_outputs(gru, same);
    rnn_module_destroy(&lstm);
    rnn_module_destroy(&gru);
    rnn_module_destroy(&same);
}

/* Writes what a run of the program would have; rnn_free the path. */
static char *write_checkpoint(rnn_module *module)
{
    const rnn_optimizer_cfg sgd = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_progress progress = {.best_metric = (double)NAN};
    rnn_history history = {.n_metrics = 0};
    rnn_checkpoint checkpoint = {.progress = &progress, .history = &history, .config = ""};
    rnn_layer_cfg layers[3];
    rnn_model *model;
    char *path;

    describe(layers, RNN_LAYER_LSTM);
    OK(rnn_model_create(&model, layers, 3,
                        (rnn_shape){.seq_len = T, .n_features = 1, .n_tokens = TOKENS}));
    checkpoint.model = model;
    checkpoint.params = api_read_all(module, 0);
    OK(rnn_optimizer_create(&checkpoint.optimizer, &sgd, rnn_model_size(model)));
    OK(rnn_checkpoint_write(&checkpoint, ".", &path));
    rnn_optimizer_destroy(&checkpoint.optimizer);
    free(checkpoint.params);
    rnn_model_destroy(&model);
    return path;
}

static void open_makes_the_module_of_a_checkpoint(void **state)
{
    rnn_module *trained = make(RNN_LAYER_LSTM, 3), *opened;
    char *path = write_checkpoint(trained);

    (void)state;
    OK(rnn_module_open(&opened, path));
    assert_int_equal(api_info(opened).n_inputs, TOKENS);
    assert_same_outputs(trained, opened);
    rnn_free(path);
    rnn_module_destroy(&trained);
    rnn_module_destroy(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(load_brings_back_what_save_wrote),
        IN_FOLDER(files_that_do_not_fit_change_nothing),
        IN_FOLDER(open_makes_the_module_of_a_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
