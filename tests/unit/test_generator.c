/*
 * Reading token by token: the scores of the float kernels over whole sequences, and the same text
 * on every machine.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/generator.h"
#include "framework/runner.h"
#include "kernels/digest.h"
#include "kernels/random.h"
#include "kernels/sampling.h"

enum { T = 20, TOKENS = 11, MAX_LAYERS = 8, SEED = 5 };

#define OK(expr)                                                                                   \
    do {                                                                                           \
        if ((expr) != RNN_OK)                                                                      \
            fail_msg("%s: %s", #expr, rnn_error_message());                                        \
    } while (0)

#define BARE(t)  .type = (t), .eps = 1e-5, .padding_idx = -1
#define LAYER(t) BARE(t), .bias = true, .elementwise_affine = true
#define EMBEDDING(n)                                                                               \
    {                                                                                              \
        LAYER(RNN_LAYER_EMBEDDING), .embedding_dim = (n)                                           \
    }
#define ONEHOT                                                                                     \
    {                                                                                              \
        LAYER(RNN_LAYER_ONEHOT)                                                                    \
    }
#define LINEAR(n)                                                                                  \
    {                                                                                              \
        LAYER(RNN_LAYER_LINEAR), .out_features = (n)                                               \
    }
#define ACTIVATION(f)                                                                              \
    {                                                                                              \
        LAYER(RNN_LAYER_ACTIVATION), .function = (f)                                               \
    }

typedef struct named_model {
    const char *name;
    rnn_layer_cfg layers[MAX_LAYERS];
    size_t n_layers;
} named_model;

static const named_model models[] = {
    {"embedding, rnn",
     {EMBEDDING(5), {LAYER(RNN_LAYER_RNN), .hidden_size = 7, .num_layers = 1}, LINEAR(TOKENS)},
     3},
    {"onehot, relu rnn of two layers with a constant h0",
     {ONEHOT,
      {LAYER(RNN_LAYER_RNN), .hidden_size = 6, .num_layers = 2, .h0 = 0.7,
       .nonlinearity = RNN_NONLINEARITY_RELU},
      LINEAR(TOKENS)},
     3},
    {"embedding, lstm of three layers with dropout and constant states",
     {EMBEDDING(5),
      {LAYER(RNN_LAYER_LSTM), .hidden_size = 6, .num_layers = 3, .dropout = 0.4, .h0 = 0.3,
       .c0 = -0.8, .forget_bias = 1.0},
      {LAYER(RNN_LAYER_DROPOUT), .p = 0.5},
      LINEAR(TOKENS)},
     4},
    {"onehot, projected lstm of two layers with constant states",
     {ONEHOT,
      {LAYER(RNN_LAYER_LSTM), .hidden_size = 9, .num_layers = 2, .proj_size = 4, .h0 = -0.3,
       .c0 = 0.6},
      LINEAR(TOKENS)},
     3},
    {"onehot, projected lstm and linear without biases",
     {ONEHOT,
      {BARE(RNN_LAYER_LSTM), .hidden_size = 9, .num_layers = 2, .proj_size = 4},
      {BARE(RNN_LAYER_LINEAR), .out_features = TOKENS}},
     3},
    {"onehot, gru of two layers with a constant h0",
     {ONEHOT, {LAYER(RNN_LAYER_GRU), .hidden_size = 20, .num_layers = 2, .h0 = 0.5}},
     2},
    {"embedding, gru without biases",
     {EMBEDDING(18), {BARE(RNN_LAYER_GRU), .hidden_size = 7, .num_layers = 1}, LINEAR(TOKENS)},
     3},
    {"the three cells",
     {EMBEDDING(4),
      {LAYER(RNN_LAYER_RNNCELL), .hidden_size = 6, .h0 = 0.1},
      {LAYER(RNN_LAYER_LSTMCELL), .hidden_size = 7, .h0 = 0.2, .c0 = 0.3},
      {LAYER(RNN_LAYER_GRUCELL), .hidden_size = 5, .h0 = -0.4},
      {LAYER(RNN_LAYER_RNNCELL), .hidden_size = 6, .nonlinearity = RNN_NONLINEARITY_RELU}},
     5},
    {"layernorm and activations around a gru",
     {EMBEDDING(6),
      {BARE(RNN_LAYER_LAYERNORM)},
      {LAYER(RNN_LAYER_GRU), .hidden_size = 8, .num_layers = 1},
      {LAYER(RNN_LAYER_LAYERNORM)},
      ACTIVATION(RNN_ACTIVATION_TANH),
      LINEAR(10),
      ACTIVATION(RNN_ACTIVATION_SIGMOID),
      LINEAR(TOKENS)},
     8},
    {"embedding, gru, tied linear",
     {EMBEDDING(6),
      {LAYER(RNN_LAYER_GRU), .hidden_size = 6, .num_layers = 1},
      {LAYER(RNN_LAYER_LINEAR), .tied = true}},
     3},
    {"embedding, gru, tied linear without a bias",
     {EMBEDDING(6),
      {LAYER(RNN_LAYER_GRU), .hidden_size = 6, .num_layers = 1},
      {BARE(RNN_LAYER_LINEAR), .tied = true}},
     3},
    {"layernorm without a bias, relu, no recurrent layer",
     {EMBEDDING(6),
      {BARE(RNN_LAYER_LAYERNORM), .elementwise_affine = true},
      ACTIVATION(RNN_ACTIVATION_RELU),
      LINEAR(TOKENS)},
     4},
};

enum { N_MODELS = sizeof models / sizeof *models };

/* -- Models ---------------------------------------------------------------------------------- */

static const rnn_shape tokens = {.seq_len = T, .n_features = 1, .n_tokens = TOKENS};

/*
 * Parameters uniform in [-bound, bound), biases and embeddings too: these are drawn without the C
 * library. Only scales of layernorms are not drawn; they start as ones, which would not show.
 */
static rnn_model *make_model(const named_model *named, double bound, float **params)
{
    const rnn_init uniform = {RNN_INIT_UNIFORM, -bound, bound};
    rnn_layer_cfg layers[MAX_LAYERS];
    rnn_model *model;

    memcpy(layers, named->layers, sizeof layers);
    for (size_t i = 0; i < named->n_layers; i++)
        layers[i].init_bias = uniform;
    for (size_t i = 0; i < named->n_layers; i++)
        if (!layers[i].tied)
            layers[i].init = uniform;
    if (rnn_model_create(&model, layers, named->n_layers, tokens) != RNN_OK)
        fail_msg("%s: %s", named->name, rnn_error_message());
    *params = calloc(rnn_model_size(model), sizeof(float));
    OK(rnn_model_init(model, SEED, *params));
    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);

        for (size_t k = 0; p->role == RNN_PARAM_SCALE && k < p->count; k++)
            (*params)[p->offset + k] = 0.5f + 0.25f * (float)k;
    }
    return model;
}

static size_t token_at(size_t t)
{
    return (size_t)rnn_random_below(TOKENS, SEED, RNN_RANDOM_SPLIT, 0, t);
}

/* The scores of all steps [T][n] by the float kernels. Free them. */
static float *run_floats(const rnn_model *model, const float *params)
{
    size_t n = rnn_model_output(model).n_features;
    const int32_t length = T;
    int32_t token[T];
    const rnn_slice slice = {.seq_len = T, .rows = 1, .length = &length, .token = token};
    float *copy = calloc(T * n, sizeof *copy);
    rnn_runner *runner;
    rnn_plan *plan;
    const float *y;

    for (size_t t = 0; t < T; t++)
        token[t] = (int32_t)token_at(t);
    OK(rnn_plan_create(&plan, model));
    rnn_plan_load(plan, params, 0, 1);
    OK(rnn_runner_create(&runner, plan, false));
    OK(rnn_runner_forward(runner, &slice, NULL, &y));
    memcpy(copy, y, T * n * sizeof *copy);
    rnn_runner_destroy(&runner);
    rnn_plan_destroy(&plan);
    return copy;
}

/* The same [T][n], token by token. */
static double *run_steps(rnn_generator *generator, size_t n)
{
    double *copy = calloc(T * n, sizeof *copy);

    for (size_t t = 0; t < T; t++) {
        const double *scores;
        size_t found;

        OK(rnn_generator_feed(generator, token_at(t), &scores, &found));
        assert_int_equal(found, n);
        memcpy(copy + t * n, scores, n * sizeof *copy);
    }
    return copy;
}

/* -- Scores ---------------------------------------------------------------------------------- */

static void scores_are_those_of_the_float_kernels(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        float *params, *expected;
        rnn_model *model = make_model(&models[i], 0.8, &params);
        size_t n = rnn_model_output(model).n_features;
        double *found, worst = 0.0, spread = 0.0;
        rnn_generator *generator;

        expected = run_floats(model, params);
        OK(rnn_generator_create(&generator, model, params));
        found = run_steps(generator, n);
        for (size_t k = 0; k < T * n; k++) {
            double difference = fabs(found[k] - (double)expected[k]);

            worst = difference <= worst ? worst : difference; /* keeps a NaN */
            spread = fmax(spread, fabs(found[k] - found[0]));
        }
        print_message("  %s: %.1e\n", models[i].name, worst);
        assert_true(worst <= 1e-5);
        assert_true(spread > 0.1); /* not all the same */
        rnn_generator_destroy(&generator);
        rnn_model_destroy(&model);
        free(found);
        free(expected);
        free(params);
    }
}

static void reset_gives_the_same_bits_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        float *params;
        rnn_model *model = make_model(&models[i], 0.8, &params);
        size_t n = rnn_model_output(model).n_features;
        double *first, *again, *other;
        rnn_generator *generator, *second;

        OK(rnn_generator_create(&generator, model, params));
        OK(rnn_generator_create(&second, model, params));
        first = run_steps(generator, n);
        rnn_generator_reset(generator);
        again = run_steps(generator, n);
        other = run_steps(second, n);
        assert_memory_equal(first, again, T * n * sizeof *first);
        assert_memory_equal(first, other, T * n * sizeof *first);
        rnn_generator_destroy(&generator);
        rnn_generator_destroy(&second);
        rnn_model_destroy(&model);
        free(first);
        free(again);
        free(other);
        free(params);
    }
}

/* A text that goes on is not one that begins. */
static void states_are_kept_from_token_to_token(void **state)
{
    float *params;
    rnn_model *model = make_model(&models[0], 0.8, &params);
    const double *scores;
    rnn_generator *generator;
    double first;
    size_t n;

    (void)state;
    OK(rnn_generator_create(&generator, model, params));
    OK(rnn_generator_feed(generator, 3, &scores, &n));
    first = scores[0];
    OK(rnn_generator_feed(generator, 3, &scores, &n));
    assert_true(fabs(scores[0] - first) > 1e-3);
    rnn_generator_destroy(&generator);
    rnn_model_destroy(&model);
    free(params);
}

/* -- Refusals -------------------------------------------------------------------------------- */

static void assert_refused(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input,
                           const char *message)
{
    rnn_generator *generator;
    rnn_model *model;
    float *params;

    OK(rnn_model_create(&model, layers, n_layers, input));
    params = calloc(rnn_model_size(model), sizeof(float));
    assert_int_equal(rnn_generator_create(&generator, model, params), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), message);
    assert_null(generator);
    rnn_model_destroy(&model);
    free(params);
}

static void models_that_cannot_go_step_by_step_are_refused(void **state)
{
    const rnn_layer_cfg both_ways[] = {
        ONEHOT,
        {LAYER(RNN_LAYER_GRU), .hidden_size = 3, .num_layers = 1, .bidirectional = true},
        LINEAR(TOKENS)};
    const rnn_layer_cfg selecting[] = {ONEHOT,
                                       {LAYER(RNN_LAYER_LSTM), .hidden_size = 3, .num_layers = 1},
                                       {LAYER(RNN_LAYER_SELECT)},
                                       LINEAR(2)};
    const rnn_layer_cfg of_features[] = {{LAYER(RNN_LAYER_LSTM), .hidden_size = 3, .num_layers = 1},
                                         LINEAR(2)};

    (void)state;
    assert_refused(both_ways, 3, tokens,
                   "writing text: layer 1 (gru): expected bidirectional = false, found true: the "
                   "other direction needs the text to come");
    assert_refused(selecting, 4, tokens,
                   "writing text: layer 2 (select): expected layers that give something at every "
                   "step, found one that needs the whole sequence");
    assert_refused(of_features, 2, (rnn_shape){.seq_len = T, .n_features = 4},
                   "writing text: expected a model of tokens, whose first layer is embedding or "
                   "onehot, found one whose input has 4 features");
}

static void a_token_that_the_model_does_not_have_is_refused_and_not_read(void **state)
{
    float *params;
    rnn_model *model = make_model(&models[2], 0.8, &params);
    size_t n = rnn_model_output(model).n_features;
    double *first, *again;
    const double *scores;
    rnn_generator *generator;

    (void)state;
    OK(rnn_generator_create(&generator, model, params));
    first = run_steps(generator, n);
    rnn_generator_reset(generator);
    assert_int_equal(rnn_generator_feed(generator, TOKENS, &scores, &n), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), "writing text: expected tokens below 11, found 11");
    again = run_steps(generator, n);
    assert_memory_equal(first, again, T * n * sizeof *first);
    rnn_generator_destroy(&generator);
    rnn_model_destroy(&model);
    free(first);
    free(again);
    free(params);
}

/* A parameter that is not finite is noticed where a token is chosen. */
static void scores_that_are_not_finite_are_noticed(void **state)
{
    const rnn_sampling_cfg cfg = {.temperature = 1.0};
    double scratch[TOKENS];
    const double *scores;
    rnn_generator *generator;
    size_t n, token;
    float *params;
    rnn_model *model;

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        model = make_model(&models[i], 0.8, &params);
        if (rnn_model_output(model).n_features == TOKENS) {
            for (size_t k = 0; k < rnn_model_param(model, 0)->count; k++)
                params[k] = NAN;
            OK(rnn_generator_create(&generator, model, params));
            OK(rnn_generator_feed(generator, 0, &scores, &n));
            assert_int_equal(rnn_sample_token(scores, n, &cfg, 0, scratch, &token),
                             RNN_ERR_NONFINITE);
            rnn_generator_destroy(&generator);
        }
        rnn_model_destroy(&model);
        free(params);
    }
}

/* -- The same text everywhere ---------------------------------------------------------------- */

/* Every kind of layer and cell but dropout, which does nothing. */
static const named_model writer = {"writer",
                                   {{LAYER(RNN_LAYER_EMBEDDING), .embedding_dim = 19},
                                    {LAYER(RNN_LAYER_LSTM), .hidden_size = 24, .num_layers = 2,
                                     .proj_size = 17, .h0 = 0.1, .c0 = -0.2},
                                    {LAYER(RNN_LAYER_GRU), .hidden_size = 21, .num_layers = 1},
                                    {LAYER(RNN_LAYER_LAYERNORM)},
                                    {LAYER(RNN_LAYER_RNNCELL), .hidden_size = 18},
                                    ACTIVATION(RNN_ACTIVATION_SIGMOID),
                                    {LAYER(RNN_LAYER_LINEAR), .out_features = TOKENS}},
                                   7};

/* Bits of a double as bytes, the same on machines of either byte order. */
static void put(unsigned char bytes[8], double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
}

/*
 * A change of these constants is a change of what every checkpoint writes: not without need. The
 * scores of the last step notice what the text may still hide, a single last bit.
 */
static void a_text_is_the_same_on_every_machine(void **state)
{
    enum { LENGTH = 200 };
    const rnn_sampling_cfg cfg = {.temperature = 3.0, .top_k = 8, .seed = 42};
    unsigned char text[LENGTH], last[TOKENS][8];
    size_t n, token = 0, counts[TOKENS] = {0}, n_kinds = 0;
    double scratch[TOKENS];
    const double *scores;
    rnn_generator *generator;
    uint64_t text_digest, last_digest;
    float *params;
    rnn_model *model = make_model(&writer, 2.5, &params);

    (void)state;
    OK(rnn_generator_create(&generator, model, params));
    for (size_t i = 0; i < LENGTH; i++) {
        OK(rnn_generator_feed(generator, token, &scores, &n));
        assert_int_equal(n, TOKENS);
        OK(rnn_sample_token(scores, n, &cfg, i, scratch, &token));
        text[i] = (unsigned char)token;
        n_kinds += counts[token]++ == 0;
    }
    for (size_t i = 0; i < TOKENS; i++)
        put(last[i], scores[i]);
    assert_true(n_kinds >= 8); /* a text, not one token over and over */
    text_digest = rnn_digest(text, sizeof text);
    last_digest = rnn_digest(last, sizeof last);
    print_message("  text 0x%016llx, last scores 0x%016llx\n", (unsigned long long)text_digest,
                  (unsigned long long)last_digest);
    assert_true(text_digest == UINT64_C(0x1eece3a446306e4b));
    assert_true(last_digest == UINT64_C(0x88a441d144f09e61));
    rnn_generator_destroy(&generator);
    rnn_model_destroy(&model);
    free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_float_kernels),
        cmocka_unit_test(reset_gives_the_same_bits_again),
        cmocka_unit_test(states_are_kept_from_token_to_token),
        cmocka_unit_test(models_that_cannot_go_step_by_step_are_refused),
        cmocka_unit_test(a_token_that_the_model_does_not_have_is_refused_and_not_read),
        cmocka_unit_test(scores_that_are_not_finite_are_noticed),
        cmocka_unit_test(a_text_is_the_same_on_every_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
