/*
 * The model: which parameters it has, where they lie, how they start, and what it refuses.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/model.h"
#include "kernels/random.h"

#define RECURRENT(kind, hidden, layers)                                                            \
    {                                                                                              \
        .type = (kind), .hidden_size = (hidden), .num_layers = (layers), .bias = true              \
    }
#define LINEAR(features)                                                                           \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = (features), .bias = true                         \
    }
#define SELECT                                                                                     \
    {                                                                                              \
        .type = RNN_LAYER_SELECT                                                                   \
    }

/* The MNIST recipe: 28 columns of 28 pixels. */
static const rnn_layer_cfg mnist[] = {RECURRENT(RNN_LAYER_LSTM, 100, 2), SELECT, LINEAR(10)};
static const rnn_shape mnist_input = {.seq_len = 28, .n_features = 28};

static rnn_model *make(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input)
{
    rnn_model *model;

    if (rnn_model_create(&model, layers, n_layers, input) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return model;
}

static void parameters_have_torchs_names_shapes_and_order(void **state)
{
    static const struct {
        const char *group, *name;
        size_t rows, columns; /* columns 0 = a vector */
    } expected[] = {
        {"0_lstm", "weight_ih_l0", 400, 28},  {"0_lstm", "weight_hh_l0", 400, 100},
        {"0_lstm", "bias_ih_l0", 400, 0},     {"0_lstm", "bias_hh_l0", 400, 0},
        {"0_lstm", "weight_ih_l1", 400, 100}, {"0_lstm", "weight_hh_l1", 400, 100},
        {"0_lstm", "bias_ih_l1", 400, 0},     {"0_lstm", "bias_hh_l1", 400, 0},
        {"2_linear", "weight", 10, 100},      {"2_linear", "bias", 10, 0},
    };
    rnn_model *model = make(mnist, 3, mnist_input);
    size_t offset = 0;

    (void)state;
    assert_int_equal(rnn_model_size(model), 133810);
    assert_int_equal(rnn_model_n_params(model), sizeof expected / sizeof *expected);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const rnn_param *p = rnn_model_param(model, i);

        assert_string_equal(p->group, expected[i].group);
        assert_string_equal(p->name, expected[i].name);
        assert_int_equal(p->n_dims, expected[i].columns > 0 ? 2 : 1);
        assert_int_equal(p->shape[0], expected[i].rows);
        assert_int_equal(p->shape[1], expected[i].columns);
        assert_int_equal(p->offset, offset);
        assert_int_equal(p->count,
                         expected[i].rows * (expected[i].columns > 0 ? expected[i].columns : 1));
        offset += p->count;
    }
    assert_int_equal(offset, rnn_model_size(model));
    rnn_model_destroy(&model);
    assert_null(model);
}

static void gates_multiply_the_rows(void **state)
{
    static const struct {
        rnn_layer_type type;
        const char *name;
        size_t gates;
    } kinds[] = {{RNN_LAYER_RNN, "rnn", 1}, {RNN_LAYER_LSTM, "lstm", 4}, {RNN_LAYER_GRU, "gru", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const rnn_layer_cfg layer = RECURRENT(kinds[i].type, 7, 1);
        rnn_model *model = make(&layer, 1, (rnn_shape){.seq_len = 5, .n_features = 3});

        assert_string_equal(rnn_layer_type_name(kinds[i].type), kinds[i].name);
        assert_int_equal(rnn_model_param(model, 0)->shape[0], kinds[i].gates * 7);
        assert_int_equal(rnn_model_size(model), kinds[i].gates * 7 * (3 + 7 + 2));
        rnn_model_destroy(&model);
    }
}

static void without_bias_only_weights_are_left(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_GRU, 6, 2), LINEAR(4)};
    rnn_model *model;

    (void)state;
    layers[0].bias = layers[1].bias = false;
    model = make(layers, 2, (rnn_shape){.seq_len = 5, .n_features = 3});
    assert_int_equal(rnn_model_n_params(model), 5);
    assert_string_equal(rnn_model_param(model, 2)->name, "weight_ih_l1");
    assert_string_equal(rnn_model_param(model, 4)->name, "weight");
    assert_int_equal(rnn_model_size(model), 18 * (3 + 6) + 18 * (6 + 6) + 4 * 6);
    rnn_model_destroy(&model);
}

/* A stage is the unit of a gradient bucket: its parameters must be one piece of the arena. */
static void stages_cover_the_arena_one_after_another(void **state)
{
    const rnn_layer_cfg layers[] = {LINEAR(9), RECURRENT(RNN_LAYER_LSTM, 8, 3), SELECT, LINEAR(4)};
    rnn_model *model = make(layers, 4, (rnn_shape){.seq_len = 5, .n_features = 3});
    size_t offset = 0, param = 0;

    (void)state;
    assert_int_equal(rnn_model_n_stages(model), 6);
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);
        size_t count = 0;

        assert_int_equal(stage->offset, offset);
        assert_int_equal(stage->first_param, param);
        for (size_t i = 0; i < stage->n_params; i++)
            count += rnn_model_param(model, param + i)->count;
        assert_int_equal(stage->count, count);
        offset += count;
        param += stage->n_params;
    }
    assert_int_equal(offset, rnn_model_size(model));
    assert_int_equal(param, rnn_model_n_params(model));
    rnn_model_destroy(&model);
}

static void assert_shape(rnn_shape found, rnn_shape expected)
{
    assert_int_equal(found.seq_len, expected.seq_len);
    assert_int_equal(found.n_features, expected.n_features);
    assert_int_equal(found.n_tokens, expected.n_tokens);
    assert_int_equal(found.is_single, expected.is_single);
}

static void shapes_flow_from_stage_to_stage(void **state)
{
    static const rnn_shape flow[] = {{28, 28, 0, false},
                                     {28, 100, 0, false},
                                     {28, 100, 0, false},
                                     {1, 100, 0, true},
                                     {1, 10, 0, true}};
    rnn_model *model = make(mnist, 3, mnist_input);

    (void)state;
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);

        assert_shape(stage->in, flow[s]);
        assert_shape(stage->out, flow[s + 1]);
    }
    assert_int_equal(rnn_model_stage(model, 1)->sublayer, 1);
    assert_int_equal(rnn_model_stage(model, 3)->layer, 2);
    assert_int_equal(rnn_model_input(model).n_features, 28);
    assert_int_equal(rnn_model_output(model).seq_len, 1);
    assert_int_equal(rnn_model_output(model).n_features, 10);
    rnn_model_destroy(&model);
}

static void layer_settings_are_copied(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_LSTM, 8, 1), LINEAR(4)};
    rnn_model *model = make(layers, 2, (rnn_shape){.seq_len = 5, .n_features = 3});

    (void)state;
    memset(layers, 0xff, sizeof layers);
    assert_int_equal(rnn_model_n_layers(model), 2);
    assert_int_equal(rnn_model_layer(model, 0)->hidden_size, 8);
    assert_ptr_equal(rnn_model_stage(model, 1)->cfg, rnn_model_layer(model, 1));
    rnn_model_destroy(&model);
}

/* -- Refusals -------------------------------------------------------------------------------- */

static void refuse(const rnn_layer_cfg *layers, size_t n_layers, const char *message)
{
    rnn_model *model = (rnn_model *)&model;

    assert_int_equal(rnn_model_create(&model, layers, n_layers, mnist_input), RNN_ERR_DATA);
    assert_null(model);
    assert_string_equal(rnn_error_message(), message);
}

static void a_wrong_input_size_is_refused_with_layer_and_both_sizes(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_LSTM, 100, 2), SELECT, LINEAR(10)};

    (void)state;
    layers[0].input_size = 27;
    refuse(layers, 3, "layer 0 (lstm): input_size is 27, but its input has 28 features");
    layers[0].input_size = 28;
    layers[2].in_features = 99;
    refuse(layers, 3, "layer 2 (linear): in_features is 99, but its input has 100 features");
    layers[2].in_features = 100;
    rnn_model_destroy(&(rnn_model *){make(layers, 3, mnist_input)});
}

static void a_model_that_has_nothing_to_train_is_refused(void **state)
{
    const rnn_layer_cfg only_select[] = {SELECT};

    (void)state;
    refuse(only_select, 1, "the model has no parameters to train");
    refuse(only_select, 0, "a model has 1 to 64 layers, this one 0");
    refuse(only_select, 65, "a model has 1 to 64 layers, this one 65");
}

/* Every size is within its bounds; the sum is not. */
static void a_model_beyond_the_address_space_is_refused(void **state)
{
    enum { N = 16 };
    rnn_layer_cfg layers[N];
    rnn_model *model;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        layers[i] = rnn_layer_defaults(RNN_LAYER_LSTM);
        layers[i].hidden_size = 1 << 24;
        layers[i].num_layers = 1024;
    }
    assert_int_equal(rnn_model_create(&model, layers, N, mnist_input), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "does not fit in memory"));
}

/* -- Initial values -------------------------------------------------------------------------- */

/* torch: uniform within 1/sqrt(hidden_size), for linear within 1/sqrt(in_features). */
static void initial_values_fill_torchs_bounds(void **state)
{
    rnn_model *model = make(mnist, 3, mnist_input);
    float *params = calloc(rnn_model_size(model), sizeof(float));

    (void)state;
    rnn_model_init(model, 1, params);
    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);
        double largest = 0.0, sum = 0.0;

        assert_true(p->init_bound == 0.1f);
        for (size_t k = 0; k < p->count; k++) {
            largest = fmax(largest, fabs((double)params[p->offset + k]));
            sum += (double)params[p->offset + k];
        }
        assert_true(largest <= 0.1);
        if (p->count >= 100) {
            assert_true(largest > 0.095);
            /* five standard deviations of the mean */
            assert_true(fabs(sum) <= 5.0 * 0.1 * sqrt((double)p->count / 3.0));
        }
    }
    free(params);
    rnn_model_destroy(&model);
}

static void linear_starts_within_the_root_of_its_inputs(void **state)
{
    const rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_RNN, 4, 1), LINEAR(25), LINEAR(2)};
    rnn_model *model = make(layers, 3, (rnn_shape){.seq_len = 5, .n_features = 9});

    (void)state;
    assert_true(rnn_model_param(model, 0)->init_bound == 0.5f); /* hidden_size, not input_size */
    assert_true(rnn_model_param(model, 4)->init_bound == 0.5f);
    assert_true(rnn_model_param(model, 5)->init_bound == 0.5f); /* the bias too */
    assert_true(rnn_model_param(model, 6)->init_bound == 0.2f);
    rnn_model_destroy(&model);
}

/* All bounds of this model are the same, so its arena is one run of numbers. */
static void initial_values_depend_on_seed_and_index_alone(void **state)
{
    rnn_model *model = make(mnist, 3, mnist_input);
    size_t size = rnn_model_size(model), n_bytes = size * sizeof(float);
    float *found = malloc(n_bytes), *expected = malloc(n_bytes), *other = malloc(n_bytes);

    (void)state;
    rnn_model_init(model, 8, other);
    rnn_model_init(model, 7, found);
    rnn_random_uniform(expected, size, -0.1f, 0.1f, 7, RNN_RANDOM_INIT, 0, 0);
    assert_memory_equal(found, expected, n_bytes);
    assert_memory_not_equal(found, other, n_bytes);
    free(found);
    free(expected);
    free(other);
    rnn_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_have_torchs_names_shapes_and_order),
        cmocka_unit_test(gates_multiply_the_rows),
        cmocka_unit_test(without_bias_only_weights_are_left),
        cmocka_unit_test(stages_cover_the_arena_one_after_another),
        cmocka_unit_test(shapes_flow_from_stage_to_stage),
        cmocka_unit_test(layer_settings_are_copied),
        cmocka_unit_test(a_wrong_input_size_is_refused_with_layer_and_both_sizes),
        cmocka_unit_test(a_model_that_has_nothing_to_train_is_refused),
        cmocka_unit_test(a_model_beyond_the_address_space_is_refused),
        cmocka_unit_test(initial_values_fill_torchs_bounds),
        cmocka_unit_test(linear_starts_within_the_root_of_its_inputs),
        cmocka_unit_test(initial_values_depend_on_seed_and_index_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
