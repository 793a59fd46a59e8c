/*
 * Wrong calls of the library: each is a status and a message that names the argument, what was
 * expected and what was found, and changes nothing.
 */
#include "api.h"

#include <stdio.h>

enum { T = 4, N = 3, I = 2, H = 5 };

static float x[T * N * I], out[T * N * H], state[N * H], grad[T * N * H];

#define X                                                                                          \
    {                                                                                              \
        x,                                                                                         \
        {                                                                                          \
            T, N, I                                                                                \
        }                                                                                          \
    }
#define OUT                                                                                        \
    {                                                                                              \
        out,                                                                                       \
        {                                                                                          \
            T, N, H                                                                                \
        }                                                                                          \
    }
#define STATE                                                                                      \
    {                                                                                              \
        state,                                                                                     \
        {                                                                                          \
            1, N, H                                                                                \
        }                                                                                          \
    }
#define G_OUT                                                                                      \
    {                                                                                              \
        grad,                                                                                      \
        {                                                                                          \
            T, N, H                                                                                \
        }                                                                                          \
    }
#define REFUSED(call, part) refused((call), RNN_ERR_USAGE, (part), #call)

static void refused(rnn_status found, rnn_status expected, const char *part, const char *call)
{
    if (found != expected)
        fail_msg("%s: status %d, expected %d", call, found, expected);
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("%s: '%s' is not in '%s'", call, part, rnn_error_message());
}

static rnn_module *make(rnn_layer_type type)
{
    rnn_layer_cfg layer = rnn_layer_defaults(type);
    rnn_module *module;

    layer.input_size = layer.in_features = I;
    layer.hidden_size = layer.out_features = H;
    OK(rnn_module_create(&module, &layer, 1, 0));
    return module;
}

static rnn_module *make_embedding(void)
{
    rnn_layer_cfg layer = rnn_layer_defaults(RNN_LAYER_EMBEDDING);
    rnn_module *module;

    layer.num_embeddings = 4;
    layer.embedding_dim = H;
    OK(rnn_module_create(&module, &layer, 1, 0));
    return module;
}

/* -- Modules --------------------------------------------------------------------------------- */

static void modules_that_cannot_be_are_refused(void **test_state)
{
    rnn_layer_cfg lstm = rnn_layer_defaults(RNN_LAYER_LSTM), many[65], bad;
    rnn_module *module = (rnn_module *)&module;

    (void)test_state;
    lstm.hidden_size = H;
    REFUSED(rnn_module_create(NULL, &lstm, 1, I), "out");
    REFUSED(rnn_module_create(&module, NULL, 1, I), "layers");
    assert_null(module);
    REFUSED(rnn_module_create(&module, &lstm, 0, I), "0");
    REFUSED(rnn_module_create(&module, &lstm, 1, 0), "input");
    bad = lstm;
    bad.input_size = I + 1;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "input_size is 3");
    bad = lstm;
    bad.hidden_size = 0;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "hidden_size");
    bad = lstm;
    bad.hidden_size = -1;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "hidden_size");
    bad = lstm;
    bad.dropout = 1.5;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "dropout");
    bad = lstm;
    bad.proj_size = H;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "proj_size");
    bad = lstm;
    bad.type = (rnn_layer_type)99;
    REFUSED(rnn_module_create(&module, &bad, 1, I), "type");
    for (size_t i = 0; i < 65; i++)
        many[i] = lstm;
    REFUSED(rnn_module_create(&module, many, 65, I), "65");
    rnn_module_destroy(NULL);
    module = NULL;
    rnn_module_destroy(&module);
}

static void calls_without_a_module_are_refused(void **test_state)
{
    const rnn_forward_args forward = {.x = X, .out = OUT};
    const rnn_backward_args backward = {.grad_out = G_OUT};
    rnn_module_info info;
    rnn_parameter parameter;
    rnn_stepper *stepper = (rnn_stepper *)&stepper;
    float values[1];

    (void)test_state;
    REFUSED(rnn_module_get_info(NULL, &info), "module");
    REFUSED(rnn_module_reset(NULL, 1), "module");
    REFUSED(rnn_module_train(NULL, true), "module");
    REFUSED(rnn_module_get_parameter(NULL, 0, &parameter), "module");
    REFUSED(rnn_module_read_parameter(NULL, "weight", values, 1), "module");
    REFUSED(rnn_module_write_parameter(NULL, "weight", values, 1), "module");
    REFUSED(rnn_module_read_gradient(NULL, "weight", values, 1), "module");
    REFUSED(rnn_module_zero_grad(NULL), "module");
    REFUSED(rnn_module_save(NULL, "x.h5"), "module");
    REFUSED(rnn_module_load(NULL, "x.h5"), "module");
    REFUSED(rnn_module_forward(NULL, &forward), "module");
    REFUSED(rnn_module_backward(NULL, &backward), "module");
    REFUSED(rnn_stepper_create(&stepper, NULL, 0, false), "module");
    assert_null(stepper);
}

static void parameters_are_asked_for_by_their_names_and_sizes(void **test_state)
{
    rnn_module *gru = make(RNN_LAYER_GRU);
    rnn_module_info info = api_info(gru);
    float values[3 * H * H], *before = api_read_all(gru, 0), *after;
    rnn_parameter parameter;

    (void)test_state;
    REFUSED(rnn_module_get_info(gru, NULL), "info");
    REFUSED(rnn_module_get_parameter(gru, info.n_parameters, &parameter), "4");
    REFUSED(rnn_module_get_parameter(gru, 0, NULL), "parameter");
    REFUSED(rnn_module_read_parameter(gru, "weight_hh", values, 75), "weight_hh_l0");
    REFUSED(rnn_module_read_parameter(gru, NULL, values, 75), "name");
    REFUSED(rnn_module_read_parameter(gru, "weight_hh_l0", NULL, 75), "values");
    REFUSED(rnn_module_read_parameter(gru, "weight_hh_l0", values, 74), "75");
    REFUSED(rnn_module_write_parameter(gru, "weight_hh_l0", values, 76), "76");
    REFUSED(rnn_module_read_gradient(gru, "weight_hh_l0", values, 1), "75");
    after = api_read_all(gru, 0);
    assert_memory_equal(before, after, info.n_values * sizeof(float));
    free(before);
    free(after);
    rnn_module_destroy(&gru);
}

/* -- Forward and backward -------------------------------------------------------------------- */

#define FORWARD(module, part, ...)                                                                 \
    REFUSED(rnn_module_forward((module), &(rnn_forward_args){__VA_ARGS__}), part)
#define BACKWARD(module, part, ...)                                                                \
    REFUSED(rnn_module_backward((module), &(rnn_backward_args){__VA_ARGS__}), part)

static void wrong_inputs_are_named(void **test_state)
{
    static const int64_t tokens[T * N] = {0, 1, 2, 3, 0, 1, 2, 4}, lengths[N] = {T, 0, T + 1};
    rnn_module *lstm = make(RNN_LAYER_LSTM), *gru = make(RNN_LAYER_GRU);
    rnn_module *linear = make(RNN_LAYER_LINEAR), *embedding = make_embedding();

    (void)test_state;
    REFUSED(rnn_module_forward(lstm, NULL), "args");
    FORWARD(lstm, "x", .out = OUT);
    FORWARD(lstm, "[steps, rows, 2], found [4, 3, 3]", .x = {x, {T, N, I + 1}}, .out = OUT);
    FORWARD(lstm, "found [0, 3, 2]", .x = {x, {0, N, I}}, .out = OUT);
    FORWARD(lstm, "out: expected an array of [4, 3, 5], found [3, 4, 5]", .x = X,
            .out = {out, {N, T, H}});
    FORWARD(lstm, "out", .x = X);
    FORWARD(lstm, "h0: expected an array of [1, 3, 5], found [3, 5]", .x = X, .h0 = {state, {N, H}},
            .out = OUT);
    FORWARD(lstm, "c_n", .x = X, .out = OUT, .c_n = {state, {2, N, H}});
    FORWARD(lstm, "tokens", .x = X, .tokens = {tokens, {T, N}}, .out = OUT);
    FORWARD(lstm, "lengths[1]: expected 1..4, found 0", .x = X, .lengths = lengths, .n_lengths = N,
            .out = OUT);
    FORWARD(lstm, "lengths: expected 3, found 2", .x = X, .lengths = lengths, .n_lengths = N - 1,
            .out = OUT);
    FORWARD(gru, "c0", .x = X, .c0 = STATE, .out = OUT);
    FORWARD(gru, "c_n", .x = X, .out = OUT, .c_n = STATE);
    FORWARD(linear, "no recurrent layer", .x = X, .h0 = STATE, .out = OUT);
    FORWARD(embedding, "tokens", .x = X, .out = OUT);
    FORWARD(embedding, "4", .tokens = {tokens, {T, N}}, .out = OUT);
    rnn_module_destroy(&lstm);
    rnn_module_destroy(&gru);
    rnn_module_destroy(&linear);
    rnn_module_destroy(&embedding);
}

static void backward_belongs_to_one_forward(void **test_state)
{
    rnn_module *lstm = make(RNN_LAYER_LSTM);
    float *before, *after, weight[4 * H * I] = {0};
    size_t n_values = api_info(lstm).n_values;

    (void)test_state;
    BACKWARD(lstm, "forward", .grad_out = G_OUT);
    OK(rnn_module_forward(lstm, &(rnn_forward_args){.x = X, .out = OUT}));
    before = api_read_all(lstm, 1);
    REFUSED(rnn_module_backward(lstm, NULL), "args");
    BACKWARD(lstm, "grad", .grad_x = {x, {T, N, I}});
    BACKWARD(lstm, "grad_out: expected an array of [4, 3, 5], found [4, 3, 2]",
             .grad_out = {grad, {T, N, I}});
    BACKWARD(lstm, "grad_h_n", .grad_h_n = {state, {N, H}});
    BACKWARD(lstm, "grad_x", .grad_out = G_OUT, .grad_x = {x, {N, T, I}});
    after = api_read_all(lstm, 1);
    assert_memory_equal(before, after, n_values * sizeof(float));
    OK(rnn_module_backward(lstm, &(rnn_backward_args){.grad_out = G_OUT}));
    BACKWARD(lstm, "forward", .grad_out = G_OUT);
    OK(rnn_module_forward(lstm, &(rnn_forward_args){.x = X, .out = OUT}));
    OK(rnn_module_write_parameter(lstm, "weight_ih_l0", weight, 4 * H * I));
    BACKWARD(lstm, "parameters", .grad_out = G_OUT);
    free(before);
    free(after);
    rnn_module_destroy(&lstm);
}

/* A call that was refused must not count as a forward pass, nor spoil the module. */
static void a_module_can_be_used_after_a_refusal(void **test_state)
{
    rnn_module *lstm = make(RNN_LAYER_LSTM);
    float again[T * N * H];

    (void)test_state;
    for (size_t i = 0; i < T * N * I; i++)
        x[i] = 0.1f * (float)i;
    OK(rnn_module_forward(lstm, &(rnn_forward_args){.x = X, .out = OUT}));
    FORWARD(lstm, "x", .x = {x, {T, N, 7}}, .out = OUT);
    OK(rnn_module_forward(lstm, &(rnn_forward_args){.x = X, .out = {again, {T, N, H}}}));
    assert_memory_equal(out, again, sizeof out);
    OK(rnn_module_backward(lstm, &(rnn_backward_args){.grad_out = G_OUT}));
    rnn_module_destroy(&lstm);
}

static void gradients_of_cell_states_need_the_cell_states(void **test_state)
{
    static const int64_t lengths[N] = {T, 1, 2};
    rnn_module *lstm = make(RNN_LAYER_LSTM);

    (void)test_state;
    OK(rnn_module_forward(
        lstm, &(rnn_forward_args){.x = X, .lengths = lengths, .n_lengths = N, .out = OUT}));
    BACKWARD(lstm, "c_n", .grad_c_n = STATE);
    rnn_module_destroy(&lstm);
}

/* -- Steppers -------------------------------------------------------------------------------- */

static void wrong_steps_are_named(void **test_state)
{
    const rnn_const_tensor none = {NULL, {0}}, in = {x, {N, I}}, h = {grad, {N, H}};
    const rnn_tensor unwanted = {NULL, {0}}, next = {out, {N, H}};
    rnn_module *lstm = make(RNN_LAYER_LSTM), *linear = make(RNN_LAYER_LINEAR);
    rnn_module *gru = make(RNN_LAYER_GRUCELL);
    rnn_stepper *s, *g, *other;

    (void)test_state;
    REFUSED(rnn_stepper_create(NULL, lstm, 0, false), "out");
    REFUSED(rnn_stepper_create(&other, lstm, 1, false), "1");
    REFUSED(rnn_stepper_create(&other, lstm, 0, true), "reverse");
    REFUSED(rnn_stepper_create(&other, linear, 0, false), "recurrent");
    OK(rnn_stepper_create(&s, lstm, 0, false));
    OK(rnn_stepper_create(&g, gru, 0, false));
    REFUSED(rnn_stepper_step(NULL, in, none, none, next, next), "stepper");
    REFUSED(rnn_stepper_step(s, none, none, none, next, next), "x");
    REFUSED(rnn_stepper_step(s, h, none, none, next, next), "x");
    REFUSED(rnn_stepper_step(s, in, in, none, next, next), "h");
    REFUSED(rnn_stepper_step(s, in, h, in, next, next), "c");
    REFUSED(rnn_stepper_step(s, in, h, none, next, unwanted), "c_next");
    REFUSED(rnn_stepper_step(g, in, h, h, next, unwanted), "c");
    REFUSED(rnn_stepper_backward(s, h, none, unwanted, unwanted, unwanted), "step");
    OK(rnn_stepper_step(s, in, none, none, next, (rnn_tensor){state, {N, H}}));
    REFUSED(rnn_stepper_backward(s, none, none, unwanted, unwanted, unwanted), "grad");
    REFUSED(rnn_stepper_backward(s, in, none, unwanted, unwanted, unwanted), "grad_h");
    REFUSED(rnn_stepper_backward(NULL, h, none, unwanted, unwanted, unwanted), "stepper");
    OK(rnn_stepper_backward(s, h, none, unwanted, unwanted, unwanted));
    REFUSED(rnn_stepper_backward(s, h, none, unwanted, unwanted, unwanted), "step");
    REFUSED(rnn_stepper_clear(NULL), "stepper");
    rnn_stepper_destroy(&s);
    rnn_stepper_destroy(&g);
    rnn_stepper_destroy(NULL);
    rnn_module_destroy(&lstm);
    rnn_module_destroy(&linear);
    rnn_module_destroy(&gru);
}

/* -- Losses and optimizers ------------------------------------------------------------------- */

static void wrong_losses_are_named(void **test_state)
{
    static const int64_t labels[N] = {0, 1, H}, negative[N] = {0, -1, 1}, good[N] = {0, -100, 1};
    const rnn_loss_args ce = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    const rnn_const_tensor scores = {x, {N, I}};
    const rnn_tensor unwanted = {NULL, {0}};
    rnn_loss_args mse = rnn_loss_defaults(RNN_LOSS_MSE), bad = ce;
    double value;

    (void)test_state;
    REFUSED(rnn_loss_labels(NULL, scores, (rnn_indices){good, {N}}, &value, unwanted), "args");
    REFUSED(rnn_loss_labels(&ce, (rnn_const_tensor){0}, (rnn_indices){good, {N}}, &value, unwanted),
            "input");
    REFUSED(rnn_loss_labels(&ce, scores, (rnn_indices){NULL, {N}}, &value, unwanted), "labels");
    REFUSED(rnn_loss_labels(&ce, scores, (rnn_indices){good, {N - 1}}, &value, unwanted), "labels");
    REFUSED(rnn_loss_labels(&ce, scores, (rnn_indices){labels, {N}}, &value, unwanted), "5");
    REFUSED(rnn_loss_labels(&ce, scores, (rnn_indices){negative, {N}}, &value, unwanted), "-1");
    REFUSED(
        rnn_loss_labels(&ce, scores, (rnn_indices){good, {N}}, &value, (rnn_tensor){grad, {N, H}}),
        "grad");
    REFUSED(rnn_loss_labels(&mse, scores, (rnn_indices){good, {N}}, &value, unwanted), "type");
    bad.label_smoothing = 1.5;
    REFUSED(rnn_loss_labels(&bad, scores, (rnn_indices){good, {N}}, &value, unwanted),
            "label_smoothing");
    OK(rnn_loss_labels(&ce, scores, (rnn_indices){good, {N}}, &value, unwanted));
    REFUSED(rnn_loss_values(&ce, scores, scores, &value, unwanted), "type");
    REFUSED(rnn_loss_values(&mse, scores, (rnn_const_tensor){x, {I, N}}, &value, unwanted),
            "target");
    REFUSED(rnn_loss_values(&mse, scores, (rnn_const_tensor){0}, &value, unwanted), "target");
}

static void wrong_optimizers_are_named(void **test_state)
{
    rnn_optimizer_cfg sgd = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD), bad = sgd;
    rnn_module *lstm = make(RNN_LAYER_LSTM), *twice[2] = {lstm, lstm}, *none[1] = {NULL};
    rnn_optim *optim = (rnn_optim *)&optim;

    (void)test_state;
    REFUSED(rnn_optim_create(NULL, &sgd, &lstm, 1), "out");
    REFUSED(rnn_optim_create(&optim, NULL, &lstm, 1), "cfg");
    assert_null(optim);
    REFUSED(rnn_optim_create(&optim, &sgd, NULL, 1), "modules");
    REFUSED(rnn_optim_create(&optim, &sgd, &lstm, 0), "0");
    REFUSED(rnn_optim_create(&optim, &sgd, none, 1), "a module");
    REFUSED(rnn_optim_create(&optim, &sgd, twice, 2), "the same as number 0 and 1");
    bad.lr = -1.0;
    REFUSED(rnn_optim_create(&optim, &bad, &lstm, 1), "lr");
    bad = sgd;
    bad.nesterov = true;
    REFUSED(rnn_optim_create(&optim, &bad, &lstm, 1), "nesterov");
    REFUSED(rnn_optim_step(NULL), "optim");
    REFUSED(rnn_optim_zero_grad(NULL), "optim");
    REFUSED(rnn_optim_set_lr(NULL, 0.1), "optim");
    OK(rnn_optim_create(&optim, &sgd, &lstm, 1));
    REFUSED(rnn_optim_set_lr(optim, -0.1), "lr");
    REFUSED(rnn_optim_set_lr(optim, (double)NAN), "lr");
    rnn_optim_destroy(&optim);
    rnn_optim_destroy(NULL);
    rnn_module_destroy(&lstm);
}

/* -- Files ----------------------------------------------------------------------------------- */

static void files_come_back_bit_for_bit(void **test_state)
{
    static const char path[] = "test_misuse.h5";
    rnn_module *lstm = make(RNN_LAYER_LSTM), *other = make(RNN_LAYER_LSTM);
    rnn_module *gru = make(RNN_LAYER_GRU), *opened = (rnn_module *)&opened;
    size_t n_bytes = api_info(lstm).n_values * sizeof(float);
    float *saved, *loaded, *before, *after, nan[4 * H * I];

    (void)test_state;
    OK(rnn_module_reset(lstm, 1));
    OK(rnn_module_reset(other, 2));
    OK(rnn_module_save(lstm, path));
    OK(rnn_module_load(other, path));
    saved = api_read_all(lstm, 0);
    loaded = api_read_all(other, 0);
    assert_memory_equal(saved, loaded, n_bytes);
    before = api_read_all(gru, 0);
    refused(rnn_module_load(gru, path), RNN_ERR_DATA, "weight_ih_l0", "another layer's file");
    after = api_read_all(gru, 0);
    assert_memory_equal(before, after, api_info(gru).n_values * sizeof(float));
    refused(rnn_module_open(&opened, path), RNN_ERR_DATA, path, "a state_dict is no checkpoint");
    assert_null(opened);
    refused(rnn_module_load(lstm, "no-such-file.h5"), RNN_ERR_NOINPUT, "no-such-file.h5",
            "no file");
    refused(rnn_module_open(&opened, "no-such-file.h5"), RNN_ERR_NOINPUT, "no-such-file.h5",
            "none");
    REFUSED(rnn_module_open(NULL, path), "out");
    REFUSED(rnn_module_open(&opened, NULL), "path");
    refused(rnn_module_save(lstm, "no/such/folder.h5"), RNN_ERR_IO, "no/such", "no folder");
    for (size_t i = 0; i < 4 * H * I; i++)
        nan[i] = NAN;
    OK(rnn_module_write_parameter(lstm, "weight_ih_l0", nan, 4 * H * I));
    refused(rnn_module_save(lstm, path), RNN_ERR_NONFINITE, "weight_ih_l0", "not finite");
    OK(rnn_module_load(other, path)); /* the file is still the old one */
    remove(path);
    free(saved);
    free(loaded);
    free(before);
    free(after);
    rnn_module_destroy(&lstm);
    rnn_module_destroy(&other);
    rnn_module_destroy(&gru);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_that_cannot_be_are_refused),
        cmocka_unit_test(calls_without_a_module_are_refused),
        cmocka_unit_test(parameters_are_asked_for_by_their_names_and_sizes),
        cmocka_unit_test(wrong_inputs_are_named),
        cmocka_unit_test(backward_belongs_to_one_forward),
        cmocka_unit_test(a_module_can_be_used_after_a_refusal),
        cmocka_unit_test(gradients_of_cell_states_need_the_cell_states),
        cmocka_unit_test(wrong_steps_are_named),
        cmocka_unit_test(wrong_losses_are_named),
        cmocka_unit_test(wrong_optimizers_are_named),
        cmocka_unit_test(files_come_back_bit_for_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
