/*
 * How parameters start: torch's defaults to the bit, the closed forms of torch.nn.init, and what is
 * refused. Bounds of statistics are five standard deviations of what is measured.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/model.h"
#include "kernels/random.h"

enum { SEED = 7 };

static const rnn_shape input = {.seq_len = 5, .n_features = 60};
static const rnn_shape tokens = {.seq_len = 5, .n_features = 1, .n_tokens = 50};

/* A model with its initial values. */
typedef struct fixture {
    rnn_model *model;
    float *params;
} fixture;

static fixture start_from(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape shape,
                          uint64_t seed)
{
    fixture f;

    if (rnn_model_create(&f.model, layers, n_layers, shape) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    f.params = calloc(rnn_model_size(f.model), sizeof(float));
    assert_non_null(f.params);
    if (rnn_model_init(f.model, seed, f.params) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return f;
}

static fixture start(const rnn_layer_cfg *layer)
{
    return start_from(layer, 1, layer->type == RNN_LAYER_EMBEDDING ? tokens : input, SEED);
}

static void finish(fixture *f)
{
    free(f->params);
    rnn_model_destroy(&f->model);
}

static const rnn_param *find(const fixture *f, const char *name)
{
    for (size_t i = 0; i < rnn_model_n_params(f->model); i++)
        if (strcmp(rnn_model_param(f->model, i)->name, name) == 0)
            return rnn_model_param(f->model, i);
    fail_msg("there is no %s", name);
    return NULL;
}

static const float *values_of(const fixture *f, const char *name)
{
    return f->params + find(f, name)->offset;
}

static rnn_layer_cfg recurrent(rnn_layer_type type, int64_t hidden_size)
{
    rnn_layer_cfg cfg = rnn_layer_defaults(type);

    cfg.hidden_size = hidden_size;
    return cfg;
}

static rnn_layer_cfg linear(int64_t out_features)
{
    rnn_layer_cfg cfg = rnn_layer_defaults(RNN_LAYER_LINEAR);

    cfg.out_features = out_features;
    return cfg;
}

static rnn_layer_cfg embedding(int64_t embedding_dim)
{
    rnn_layer_cfg cfg = rnn_layer_defaults(RNN_LAYER_EMBEDDING);

    cfg.embedding_dim = embedding_dim;
    return cfg;
}

/* -- What is measured -------------------------------------------------------------------------- */

static double mean_of(const float *values, size_t count)
{
    double sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    return sum / (double)count;
}

static double std_of(const float *values, size_t count)
{
    double mean = mean_of(values, count), sum = 0.0;

    for (size_t i = 0; i < count; i++)
        sum += ((double)values[i] - mean) * ((double)values[i] - mean);
    return sqrt(sum / (double)count);
}

/* `kurtosis` is that of the distribution: 1.8 uniform, 3 normal. */
static void assert_moments(const float *values, size_t count, double mean, double std,
                           double kurtosis)
{
    double n = (double)count, found_mean = mean_of(values, count),
           found_std = std_of(values, count);

    if (fabs(found_mean - mean) > 5.0 * std / sqrt(n))
        fail_msg("the mean is %g, expected %g", found_mean, mean);
    if (fabs(found_std - std) > 5.0 * std * sqrt((kurtosis - 1.0) / (4.0 * n)))
        fail_msg("the standard deviation is %g, expected %g", found_std, std);
}

static void assert_uniform(const float *values, size_t count, double low, double high)
{
    double least = high, most = low;

    for (size_t i = 0; i < count; i++) {
        least = fmin(least, (double)values[i]);
        most = fmax(most, (double)values[i]);
    }
    /* As float the ends may be off by a rounding. */
    assert_true(least >= low - 1e-6 * fabs(low) && most <= high + 1e-6 * fabs(high));
    assert_true(most - least > 0.95 * (high - low));
    assert_moments(values, count, 0.5 * (low + high), (high - low) / sqrt(12.0), 1.8);
}

/* Some values lie where no uniform distribution with these moments has any. */
static void assert_normal(const float *values, size_t count, double mean, double std)
{
    size_t n_far = 0;

    for (size_t i = 0; i < count; i++)
        n_far += fabs((double)values[i] - mean) > 2.0 * std;
    assert_true((double)n_far > 0.02 * (double)count && (double)n_far < 0.08 * (double)count);
    assert_moments(values, count, mean, std, 3.0);
}

static void assert_all(const float *values, size_t count, float expected)
{
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == expected);
}

/* -- Defaults ---------------------------------------------------------------------------------- */

/* torch: uniform within 1/sqrt(hidden_size), for linear within 1/sqrt(in_features). */
static void linear_starts_within_the_root_of_its_inputs(void **state)
{
    const rnn_layer_cfg layers[] = {recurrent(RNN_LAYER_RNN, 4), linear(25), linear(2)};
    fixture f = start_from(layers, 3, (rnn_shape){.seq_len = 5, .n_features = 9}, SEED);

    (void)state;
    assert_true(rnn_model_param(f.model, 0)->init_bound == 0.5f); /* hidden, not input size */
    assert_true(rnn_model_param(f.model, 4)->init_bound == 0.5f);
    assert_true(rnn_model_param(f.model, 5)->init_bound == 0.5f); /* the bias too */
    assert_true(rnn_model_param(f.model, 6)->init_bound == 0.2f);
    finish(&f);
}

static void default_values_fill_torchs_bounds(void **state)
{
    rnn_layer_cfg layer = recurrent(RNN_LAYER_LSTM, 25);
    fixture f = start(&layer);

    (void)state;
    assert_uniform(values_of(&f, "weight_ih_l0"), 6000, -0.2, 0.2);
    assert_uniform(values_of(&f, "weight_hh_l0"), 2500, -0.2, 0.2);
    assert_moments(values_of(&f, "bias_hh_l0"), 100, 0.0, 0.2 / sqrt(3.0), 1.8);
    finish(&f);
}

/* Every parameter is a piece of one run of numbers that only the seed decides about. */
static void default_values_depend_on_seed_and_index_alone(void **state)
{
    rnn_layer_cfg layers[] = {recurrent(RNN_LAYER_LSTM, 12),        recurrent(RNN_LAYER_GRU, 10),
                              recurrent(RNN_LAYER_RNN, 9),          recurrent(RNN_LAYER_GRUCELL, 5),
                              rnn_layer_defaults(RNN_LAYER_SELECT), linear(4)};
    enum { N = sizeof layers / sizeof *layers };
    fixture f, other;

    (void)state;
    layers[0].num_layers = 2;
    layers[0].proj_size = 7;
    layers[1].bidirectional = true;
    f = start_from(layers, N, input, SEED);
    other = start_from(layers, N, input, SEED + 1);
    for (size_t i = 0; i < rnn_model_n_params(f.model); i++) {
        const rnn_param *p = rnn_model_param(f.model, i);
        float *expected = malloc(p->count * sizeof *expected);

        rnn_random_uniform(expected, p->count, -p->init_bound, p->init_bound, SEED, RNN_RANDOM_INIT,
                           0, p->offset);
        assert_memory_equal(f.params + p->offset, expected, p->count * sizeof *expected);
        assert_memory_not_equal(f.params + p->offset, other.params + p->offset,
                                p->count * sizeof *expected);
        free(expected);
    }
    finish(&f);
    finish(&other);
}

static void an_embedding_starts_standard_normal(void **state)
{
    rnn_layer_cfg layer = embedding(80);
    fixture f = start(&layer);

    (void)state;
    assert_normal(f.params, 4000, 0.0, 1.0);
    finish(&f);
}

static void the_padding_row_is_zero_whatever_the_function(void **state)
{
    static const rnn_init functions[] = {{RNN_INIT_DEFAULT, 0.0, 0.0},
                                         {RNN_INIT_CONSTANT, 3.0, 0.0},
                                         {RNN_INIT_ORTHOGONAL, 1.0, 0.0}};

    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        rnn_layer_cfg layer = embedding(80);
        fixture f, without;

        layer.init = functions[i];
        without = start(&layer);
        layer.padding_idx = 49;
        f = start(&layer);
        assert_memory_equal(f.params, without.params, 49 * 80 * sizeof(float));
        assert_all(f.params + 49 * 80, 80, 0.0f);
        finish(&f);
        finish(&without);
    }
}

static void a_layernorm_starts_as_identity(void **state)
{
    rnn_layer_cfg layer = rnn_layer_defaults(RNN_LAYER_LAYERNORM);
    fixture f = start(&layer);

    (void)state;
    assert_all(values_of(&f, "weight"), 60, 1.0f);
    assert_all(values_of(&f, "bias"), 60, 0.0f);
    finish(&f);
    layer.init_bias = (rnn_init){RNN_INIT_CONSTANT, 0.5, 0.0};
    f = start(&layer);
    assert_all(values_of(&f, "weight"), 60, 1.0f);
    assert_all(values_of(&f, "bias"), 60, 0.5f);
    finish(&f);
}

/* -- Functions --------------------------------------------------------------------------------- */

/* A weight of 40 rows and 60 columns: fan_out 40, fan_in 60. */
static fixture start_weight(rnn_init_type type, double a, double b)
{
    rnn_layer_cfg layer = linear(40);

    layer.init = (rnn_init){type, a, b};
    return start(&layer);
}

static void uniform_fills_its_bounds(void **state)
{
    fixture f = start_weight(RNN_INIT_UNIFORM, -0.5, 1.5);

    (void)state;
    assert_uniform(f.params, 2400, -0.5, 1.5);
    finish(&f);
}

static void normal_has_mean_and_standard_deviation(void **state)
{
    fixture f = start_weight(RNN_INIT_NORMAL, 2.0, 0.25);
    float expected[2400];

    (void)state;
    assert_normal(f.params, 2400, 2.0, 0.25);
    rnn_random_normal(expected, 2400, 2.0, 0.25, SEED, RNN_RANDOM_INIT, 0, 0);
    assert_memory_equal(f.params, expected, sizeof expected);
    finish(&f);
}

static void xavier_takes_both_fans(void **state)
{
    double bound = 1.5 * sqrt(6.0 / (60.0 + 40.0)), std = 1.5 * sqrt(2.0 / (60.0 + 40.0));
    fixture uniform = start_weight(RNN_INIT_XAVIER_UNIFORM, 1.5, 0.0);
    fixture normal = start_weight(RNN_INIT_XAVIER_NORMAL, 1.5, 0.0);

    (void)state;
    assert_uniform(uniform.params, 2400, -bound, bound);
    assert_normal(normal.params, 2400, 0.0, std);
    finish(&uniform);
    finish(&normal);
}

static void kaiming_takes_the_columns_and_the_slope(void **state)
{
    double gain = sqrt(2.0 / (1.0 + 0.5 * 0.5));
    double bound = gain * sqrt(3.0 / 60.0), std = gain / sqrt(60.0);
    fixture uniform = start_weight(RNN_INIT_KAIMING_UNIFORM, 0.5, 0.0);
    fixture normal = start_weight(RNN_INIT_KAIMING_NORMAL, 0.5, 0.0);

    (void)state;
    assert_uniform(uniform.params, 2400, -bound, bound);
    assert_normal(normal.params, 2400, 0.0, std);
    finish(&uniform);
    finish(&normal);
}

/* torch.nn.Linear's own start is kaiming_uniform with this slope. */
static void kaiming_of_the_root_of_five_is_linears_default(void **state)
{
    fixture f = start_weight(RNN_INIT_KAIMING_UNIFORM, sqrt(5.0), 0.0);
    fixture by_default = start_weight(RNN_INIT_DEFAULT, 0.0, 0.0);

    (void)state;
    for (size_t i = 0; i < 2400; i++) /* the bounds may differ in their last bit */
        assert_float_equal(f.params[i], by_default.params[i], 1e-7);
    finish(&f);
    finish(&by_default);
}

/* The shorter of rows and columns are orthogonal to each other and gain long. */
static void assert_orthogonal(const float *w, size_t rows, size_t columns, double gain)
{
    bool by_rows = rows <= columns;
    size_t n = by_rows ? rows : columns, length = by_rows ? columns : rows;
    size_t step = by_rows ? 1 : columns, stride = by_rows ? columns : 1;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double dot = 0.0;

            for (size_t k = 0; k < length; k++)
                dot += (double)w[i * stride + k * step] * (double)w[j * stride + k * step];
            assert_true(fabs(dot - (i == j ? gain * gain : 0.0)) < 1e-5 * gain * gain);
        }
}

static void orthogonal_weights_are_orthogonal(void **state)
{
    rnn_layer_cfg layer = recurrent(RNN_LAYER_LSTM, 20);
    fixture f;

    (void)state;
    layer.init = (rnn_init){RNN_INIT_ORTHOGONAL, 2.0, 0.0};
    f = start(&layer);
    assert_orthogonal(values_of(&f, "weight_ih_l0"), 80, 60, 2.0); /* stacked, one matrix */
    assert_orthogonal(values_of(&f, "weight_hh_l0"), 80, 20, 2.0);
    finish(&f);
    f = start_weight(RNN_INIT_ORTHOGONAL, 1.0, 0.0);
    assert_orthogonal(f.params, 40, 60, 1.0);
    finish(&f);
}

static void constant_is_constant(void **state)
{
    fixture f = start_weight(RNN_INIT_CONSTANT, 0.5, 0.0);

    (void)state;
    assert_all(f.params, 2400, 0.5f);
    finish(&f);
}

/* -- Which parameters -------------------------------------------------------------------------- */

static void weights_and_biases_start_on_their_own(void **state)
{
    static const char *const weights[] = {"weight_ih_l0", "weight_hh_l0", "weight_hr_l0",
                                          "weight_ih_l0_reverse", "weight_hr_l0_reverse"};
    static const char *const biases[] = {"bias_ih_l0", "bias_hh_l0", "bias_hh_l0_reverse"};
    rnn_layer_cfg layer = recurrent(RNN_LAYER_LSTM, 6);
    fixture by_default, f;

    (void)state;
    layer.proj_size = 3;
    layer.bidirectional = true;
    by_default = start(&layer);
    layer.init = (rnn_init){RNN_INIT_CONSTANT, 2.0, 0.0};
    f = start(&layer);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        assert_all(values_of(&f, weights[i]), find(&f, weights[i])->count, 2.0f);
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        assert_memory_equal(values_of(&f, biases[i]), values_of(&by_default, biases[i]),
                            24 * sizeof(float));
    finish(&f);
    layer.init = (rnn_init){RNN_INIT_DEFAULT, 0.0, 0.0};
    layer.init_bias = (rnn_init){RNN_INIT_CONSTANT, 3.0, 0.0};
    f = start(&layer);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        assert_memory_equal(values_of(&f, weights[i]), values_of(&by_default, weights[i]),
                            find(&f, weights[i])->count * sizeof(float));
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        assert_all(values_of(&f, biases[i]), 24, 3.0f);
    finish(&f);
    finish(&by_default);
}

static void forget_bias_is_added_to_the_forget_gate_once(void **state)
{
    rnn_layer_cfg layer = recurrent(RNN_LAYER_LSTM, 6);
    fixture before, after;

    (void)state;
    layer.num_layers = 2;
    layer.bidirectional = true;
    before = start(&layer);
    layer.forget_bias = 1.0;
    after = start(&layer);
    for (size_t i = 0; i < rnn_model_n_params(after.model); i++) {
        const rnn_param *p = rnn_model_param(after.model, i);
        bool is_gate = strncmp(p->name, "bias_ih", 7) == 0;

        for (size_t k = 0; k < p->count; k++) {
            float added = is_gate && k >= 6 && k < 12 ? 1.0f : 0.0f;

            assert_true(after.params[p->offset + k] == before.params[p->offset + k] + added);
        }
    }
    finish(&before);
    finish(&after);
}

static void forget_bias_is_for_the_long_short_ones(void **state)
{
    rnn_layer_cfg cell = recurrent(RNN_LAYER_LSTMCELL, 6), gru = recurrent(RNN_LAYER_GRU, 6);
    fixture f, other;

    (void)state;
    cell.forget_bias = gru.forget_bias = 2.0;
    cell.init_bias = (rnn_init){RNN_INIT_CONSTANT, 0.5, 0.0};
    f = start(&cell);
    assert_all(values_of(&f, "bias_ih"), 6, 0.5f);
    assert_all(values_of(&f, "bias_ih") + 6, 6, 2.5f);
    assert_all(values_of(&f, "bias_ih") + 12, 12, 0.5f);
    assert_all(values_of(&f, "bias_hh"), 24, 0.5f);
    finish(&f);
    f = start(&gru);
    gru.forget_bias = 0.0;
    other = start(&gru);
    assert_memory_equal(f.params, other.params, rnn_model_size(f.model) * sizeof(float));
    finish(&f);
    finish(&other);
}

/* -- Refusals ---------------------------------------------------------------------------------- */

static void refuse(const rnn_layer_cfg *layer, const char *message)
{
    rnn_model *model;

    assert_int_equal(rnn_model_create(&model, layer, 1, input), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), message);
}

static void biases_have_no_fans(void **state)
{
    static const struct {
        rnn_init_type type;
        const char *name;
    } cases[] = {{RNN_INIT_XAVIER_UNIFORM, "xavier_uniform"},
                 {RNN_INIT_XAVIER_NORMAL, "xavier_normal"},
                 {RNN_INIT_KAIMING_UNIFORM, "kaiming_uniform"},
                 {RNN_INIT_KAIMING_NORMAL, "kaiming_normal"},
                 {RNN_INIT_ORTHOGONAL, "orthogonal"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_layer_cfg layer = linear(2);
        char message[256];

        layer.init_bias = (rnn_init){cases[i].type, 1.0, 0.0};
        snprintf(
            message, sizeof message,
            "layer 0 (linear): init_bias: expected default, uniform, normal or constant, found "
            "%s, which needs two dimensions",
            cases[i].name);
        refuse(&layer, message);
    }
}

static void arguments_that_say_nothing_are_refused(void **state)
{
    static const struct {
        rnn_init init;
        const char *message;
    } cases[] = {
        {{RNN_INIT_UNIFORM, 0.0, 0.0}, "uniform: expected a below b, found a = 0 and b = 0"},
        {{RNN_INIT_UNIFORM, 1.0, -1.0}, "uniform: expected a below b, found a = 1 and b = -1"},
        {{RNN_INIT_UNIFORM, 0.0, 1e31},
         "uniform: expected b of at most 1e+30 in magnitude, found 1e+31"},
        {{RNN_INIT_NORMAL, 0.0, 0.0}, "normal: expected a std above 0, found 0"},
        {{RNN_INIT_NORMAL, (double)NAN, 1.0},
         "normal: expected mean of at most 1e+30 in magnitude, found nan"},
        {{RNN_INIT_XAVIER_UNIFORM, 0.0, 0.0}, "xavier_uniform: expected a gain above 0, found 0"},
        {{RNN_INIT_ORTHOGONAL, -1.0, 0.0}, "orthogonal: expected a gain above 0, found -1"},
        {{RNN_INIT_CONSTANT, (double)INFINITY, 0.0},
         "constant: expected val of at most 1e+30 in magnitude, found inf"},
        {{(rnn_init_type)9, 0.0, 0.0}, "there is no function 9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_layer_cfg layer = linear(2);
        char message[256];

        layer.init = cases[i].init;
        snprintf(message, sizeof message, "layer 0 (linear): init: %s", cases[i].message);
        refuse(&layer, message);
    }
}

static void forget_bias_needs_a_bias(void **state)
{
    rnn_layer_cfg layer = recurrent(RNN_LAYER_LSTM, 6);

    (void)state;
    layer.bias = false;
    layer.forget_bias = 1.0;
    refuse(&layer, "layer 0 (lstm): forget_bias is 1, but needs bias = true");
    layer.bias = true;
    layer.forget_bias = (double)NAN;
    refuse(&layer, "layer 0 (lstm): forget_bias: expected at most 1e+30 in magnitude, found nan");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_starts_within_the_root_of_its_inputs),
        cmocka_unit_test(default_values_fill_torchs_bounds),
        cmocka_unit_test(default_values_depend_on_seed_and_index_alone),
        cmocka_unit_test(an_embedding_starts_standard_normal),
        cmocka_unit_test(the_padding_row_is_zero_whatever_the_function),
        cmocka_unit_test(a_layernorm_starts_as_identity),
        cmocka_unit_test(uniform_fills_its_bounds),
        cmocka_unit_test(normal_has_mean_and_standard_deviation),
        cmocka_unit_test(xavier_takes_both_fans),
        cmocka_unit_test(kaiming_takes_the_columns_and_the_slope),
        cmocka_unit_test(kaiming_of_the_root_of_five_is_linears_default),
        cmocka_unit_test(orthogonal_weights_are_orthogonal),
        cmocka_unit_test(constant_is_constant),
        cmocka_unit_test(weights_and_biases_start_on_their_own),
        cmocka_unit_test(forget_bias_is_added_to_the_forget_gate_once),
        cmocka_unit_test(forget_bias_is_for_the_long_short_ones),
        cmocka_unit_test(biases_have_no_fans),
        cmocka_unit_test(arguments_that_say_nothing_are_refused),
        cmocka_unit_test(forget_bias_needs_a_bias),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
