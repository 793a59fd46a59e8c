/*
 * Whole models of every kind of layer, over sequences of different lengths: a slice of several
 * sequences must give what each of them gives alone, and gradients must be slopes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/executor.h"
#include "framework/stage.h"
#include "golden.h"
#include "kernels/random.h"

enum { T = 7, ROWS = 4, N_SAMPLES = 3, I = 3, TOKENS = 5, MAX_LAYERS = 6, SEED = 3, STEP = 11 };

static const int32_t lengths[ROWS] = {T, 2, 5, 0}; /* the last row has no sample */

#define LAYER(t) .type = (t), .bias = true, .eps = 1e-5
#define LINEAR(n)                                                                                  \
    {                                                                                              \
        LAYER(RNN_LAYER_LINEAR), .out_features = (n)                                               \
    }
#define EMBEDDING(padding)                                                                         \
    {                                                                                              \
        LAYER(RNN_LAYER_EMBEDDING), .num_embeddings = TOKENS, .embedding_dim = 4,                  \
                                    .padding_idx = (padding)                                       \
    }
#define TIED(with_bias)                                                                            \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .bias = (with_bias), .tied = true                                \
    }
#define SELECT(which)                                                                              \
    {                                                                                              \
        LAYER(RNN_LAYER_SELECT), .step = (which)                                                   \
    }

typedef struct named_model {
    const char *name;
    rnn_layer_cfg layers[MAX_LAYERS];
    size_t n_layers;
    bool has_tokens;
    rnn_objective objective;
} named_model;

#define CROSS_ENTROPY .type = RNN_LOSS_CROSS_ENTROPY, .cross_entropy = {.ignore_index = -100}

static const named_model models[] = {
    {"bidirectional lstm of two layers, last",
     {{LAYER(RNN_LAYER_LSTM), .hidden_size = 5, .num_layers = 2, .bidirectional = true},
      SELECT(RNN_SELECT_LAST),
      LINEAR(4)},
     3,
     false,
     {CROSS_ENTROPY}},
    {"projected lstm, a label for every step",
     {{LAYER(RNN_LAYER_LSTM), .hidden_size = 5, .num_layers = 1, .proj_size = 4,
       .bidirectional = true},
      LINEAR(4)},
     2,
     false,
     {CROSS_ENTROPY, .targets_per_step = true}},
    {"embedding, gru, layernorm, first",
     {{LAYER(RNN_LAYER_EMBEDDING), .num_embeddings = TOKENS, .embedding_dim = 4, .padding_idx = 2},
      {LAYER(RNN_LAYER_GRU), .hidden_size = 6, .num_layers = 1},
      {LAYER(RNN_LAYER_LAYERNORM), .elementwise_affine = true},
      SELECT(RNN_SELECT_FIRST),
      LINEAR(4)},
     5,
     true,
     {CROSS_ENTROPY}},
    {"onehot, rnn with constant initial states, sigmoid, mean",
     {{LAYER(RNN_LAYER_ONEHOT), .num_classes = TOKENS},
      {LAYER(RNN_LAYER_RNN), .hidden_size = 6, .num_layers = 1, .h0 = 0.5},
      {LAYER(RNN_LAYER_ACTIVATION), .function = RNN_ACTIVATION_SIGMOID},
      SELECT(RNN_SELECT_MEAN),
      {LAYER(RNN_LAYER_ACTIVATION), .function = RNN_ACTIVATION_TANH},
      LINEAR(4)},
     6,
     true,
     {CROSS_ENTROPY}},
    {"linear, lstm with constant states, max, values",
     {LINEAR(4),
      {LAYER(RNN_LAYER_LSTM), .hidden_size = 6, .num_layers = 1, .h0 = 0.3, .c0 = -0.4},
      SELECT(RNN_SELECT_MAX),
      {LAYER(RNN_LAYER_LAYERNORM), .elementwise_affine = true},
      LINEAR(2)},
     5,
     false,
     {.type = RNN_LOSS_MSE}},
    {"gru cell, no head, the last step's label",
     {{LAYER(RNN_LAYER_GRUCELL), .hidden_size = 4, .num_layers = 1}},
     1,
     false,
     {CROSS_ENTROPY, .last_only = true, .targets_per_step = true}},
    {"embedding, gru, tied linear, a label for every step",
     {EMBEDDING(-1), {LAYER(RNN_LAYER_GRU), .hidden_size = 4, .num_layers = 1}, TIED(true)},
     3,
     true,
     {CROSS_ENTROPY, .targets_per_step = true}},
    {"relu rnn of two layers, values for every step",
     {{LAYER(RNN_LAYER_RNN), .hidden_size = 5, .num_layers = 2,
       .nonlinearity = RNN_NONLINEARITY_RELU},
      LINEAR(2)},
     2,
     false,
     {.type = RNN_LOSS_SMOOTH_L1, .beta = 1.0, .targets_per_step = true}},
};

enum { N_MODELS = sizeof models / sizeof *models };

/* Every array that any of the models needs, for sequences as columns [T][ROWS]. */
typedef struct data {
    float x[T * ROWS * I], target[T * ROWS * 2];
    int32_t token[T * ROWS], step_label[T * ROWS], label[ROWS];
} data;

static void make_data(data *d)
{
    rnn_random_uniform(d->x, T * ROWS * I, -1.5f, 1.5f, SEED, RNN_RANDOM_SPLIT, 0, 0);
    rnn_random_uniform(d->target, T * ROWS * 2, -1.0f, 1.0f, SEED, RNN_RANDOM_SPLIT, 1, 0);
    for (size_t i = 0; i < T * ROWS; i++) {
        bool is_valid = (int32_t)(i / ROWS) < lengths[i % ROWS];

        d->token[i] = (int32_t)rnn_random_below(TOKENS, SEED, RNN_RANDOM_SPLIT, 2, i);
        d->step_label[i] = (int32_t)rnn_random_below(4, SEED, RNN_RANDOM_SPLIT, 3, i);
        d->label[i % ROWS] = lengths[i % ROWS] > 0 ? (int32_t)(i % ROWS) : -1;
        if (is_valid)
            continue;
        d->token[i] = d->step_label[i] = -1;
        memset(d->x + i * I, 0, I * sizeof(float));
        memset(d->target + i * 2, 0, 2 * sizeof(float));
    }
}

/* Column `row` of [T][ROWS][width] as [length][1][width]. */
static void take_column(void *into, const void *from, size_t row, size_t length, size_t bytes)
{
    for (size_t t = 0; t < length; t++)
        memcpy((char *)into + t * bytes, (const char *)from + (t * ROWS + row) * bytes, bytes);
}

static rnn_batch_shard shard_of(const named_model *named, const data *d, const int32_t *length,
                                size_t seq_len, bool is_ragged, size_t n_valid)
{
    bool per_step = named->objective.targets_per_step;
    bool is_label = named->objective.type == RNN_LOSS_CROSS_ENTROPY;

    return (rnn_batch_shard){.n_valid = n_valid,
                             .seq_len = seq_len,
                             .x = named->has_tokens ? NULL : d->x,
                             .token = named->has_tokens ? d->token : NULL,
                             .length = length,
                             .is_ragged = is_ragged,
                             .label = !is_label  ? NULL
                                      : per_step ? d->step_label
                                                 : d->label,
                             .target = is_label ? NULL : d->target};
}

static rnn_model *make_model(const named_model *named, float **params)
{
    const rnn_shape input = named->has_tokens
                                ? (rnn_shape){.seq_len = T, .n_features = 1, .n_tokens = TOKENS}
                                : (rnn_shape){.seq_len = T, .n_features = I};
    rnn_model *model;

    if (rnn_model_create(&model, named->layers, named->n_layers, input) != RNN_OK)
        fail_msg("%s: %s", named->name, rnn_error_message());
    *params = calloc(rnn_model_size(model), sizeof(float));
    assert_int_equal(rnn_model_init(model, SEED, *params), RNN_OK);
    return model;
}

/* Loss and gradient of one batch of one shard. */
static double compute(const named_model *named, const rnn_model *model, const float *params,
                      size_t rows, const rnn_batch_shard *shards, size_t n_shards, float *gradient)
{
    const rnn_executor_cfg cfg = {.model = model,
                                  .objective = named->objective,
                                  .seed = SEED,
                                  .rows = rows,
                                  .n_shards = n_shards,
                                  .n_threads = 1};
    const rnn_batch batch = {.n_shards = n_shards, .rows = rows, .shard = shards};
    rnn_executor *executor;
    float *const *nodes;
    size_t n_nodes;
    double loss = 0.0;

    assert_int_equal(rnn_executor_create(&executor, &cfg), RNN_OK);
    rnn_executor_load(executor, params);
    if (rnn_executor_gradients(executor, &batch, STEP, NULL, &nodes, &n_nodes) != RNN_OK)
        fail_msg("%s: %s", named->name, rnn_error_message());
    assert_int_equal(n_nodes, 1);
    memcpy(gradient, nodes[0], rnn_model_size(model) * sizeof(float));
    for (size_t i = 0; i < n_shards; i++)
        loss += rnn_executor_results(executor)[i].loss;
    rnn_executor_destroy(&executor);
    return loss;
}

static double compute_together(const named_model *named, const rnn_model *model,
                               const float *params, const data *d, float *gradient)
{
    const rnn_batch_shard shard = shard_of(named, d, lengths, T, true, N_SAMPLES);

    return compute(named, model, params, ROWS, &shard, 1, gradient);
}

static double compute_alone(const named_model *named, const rnn_model *model, const float *params,
                            const data *d, size_t row, float *gradient)
{
    size_t length = (size_t)lengths[row];
    data own;
    rnn_batch_shard shard;

    take_column(own.x, d->x, row, length, I * sizeof(float));
    take_column(own.token, d->token, row, length, sizeof(int32_t));
    take_column(own.step_label, d->step_label, row, length, sizeof(int32_t));
    take_column(own.target, d->target, row, length, 2 * sizeof(float));
    own.label[0] = d->label[row];
    if (!named->objective.targets_per_step) /* one target for each sequence, in order of rows */
        memcpy(own.target, d->target + row * 2, 2 * sizeof(float));
    shard = shard_of(named, &own, &lengths[row], length, false, 1);
    return compute(named, model, params, 1, &shard, 1, gradient);
}

static void sequences_of_different_lengths_give_what_each_gives_alone(void **state)
{
    data d;

    (void)state;
    make_data(&d);
    for (size_t i = 0; i < N_MODELS; i++) {
        float *params, *together, *alone, *sum;
        rnn_model *model = make_model(&models[i], &params);
        size_t size = rnn_model_size(model);
        double loss, sum_loss = 0.0, worst;

        together = calloc(size, sizeof(float));
        alone = calloc(size, sizeof(float));
        sum = calloc(size, sizeof(float));
        loss = compute_together(&models[i], model, params, &d, together);
        for (size_t row = 0; row < N_SAMPLES; row++) {
            sum_loss += compute_alone(&models[i], model, params, &d, row, alone);
            for (size_t k = 0; k < size; k++)
                sum[k] += alone[k];
        }
        worst = golden_worst(together, sum, size);
        print_message("  %s: loss %.6f, %.1e and gradient %.1e from the sequences alone\n",
                      models[i].name, loss, fabs(loss - sum_loss), worst);
        assert_true(loss > 0.1);
        assert_true(fabs(loss - sum_loss) <= 2e-6 * loss);
        assert_true(worst <= 5e-6);
        free(together);
        free(alone);
        free(sum);
        free(params);
        rnn_model_destroy(&model);
    }
}

/* Central differences of a float32 loss: a step of 2e-3 leaves some 1e-4 of error. */
static void gradients_are_slopes(void **state)
{
    const float h = 2e-3f;
    data d;

    (void)state;
    make_data(&d);
    for (size_t i = 0; i < N_MODELS; i++) {
        float *params, *gradient, *unused;
        rnn_model *model = make_model(&models[i], &params);
        size_t size = rnn_model_size(model), n_far = 0;

        gradient = calloc(size, sizeof(float));
        unused = calloc(size, sizeof(float));
        compute_together(&models[i], model, params, &d, gradient);
        for (size_t k = 0; k < size; k++) {
            float before = params[k];
            double up, down, slope;

            params[k] = before + h;
            up = compute_together(&models[i], model, params, &d, unused);
            params[k] = before - h;
            down = compute_together(&models[i], model, params, &d, unused);
            params[k] = before;
            slope = (up - down) / (2.0 * (double)h);
            n_far += fabs(slope - (double)gradient[k]) > 2e-3 * fmax(1.0, fabs(slope));
        }
        /* relu and max have kinks that a step may cross; a padding row has a slope but no gradient
         */
        print_message("  %s: %zu of %zu parameters differ\n", models[i].name, n_far, size);
        assert_true(n_far <= size / 20);
        free(gradient);
        free(unused);
        free(params);
        rnn_model_destroy(&model);
    }
}

/* -- Tied weights ---------------------------------------------------------------------------- */

#define TIED_MODEL(padding, with_bias)                                                             \
    {                                                                                              \
        "tied",                                                                                    \
            {EMBEDDING(padding),                                                                   \
             {LAYER(RNN_LAYER_GRU), .hidden_size = 4, .num_layers = 1},                            \
             TIED(with_bias)},                                                                     \
            3, true,                                                                               \
        {                                                                                          \
            CROSS_ENTROPY, .targets_per_step = true                                                \
        }                                                                                          \
    }

static const named_model tied_models[] = {TIED_MODEL(-1, true), TIED_MODEL(2, true),
                                          TIED_MODEL(-1, false)};
enum { N_TIED = sizeof tied_models / sizeof *tied_models };

/* The same with a weight of its own, which gets the embedding's values. */
static rnn_model *make_untied(const named_model *named, const rnn_model *tied, const float *values,
                              float **params)
{
    named_model untied = *named;
    size_t n_weight = rnn_model_param(tied, 0)->count, n_bias = named->layers[2].bias ? TOKENS : 0;
    size_t n_before = rnn_model_size(tied) - n_bias;
    rnn_model *model;

    untied.layers[2].tied = false;
    untied.layers[2].out_features = TOKENS;
    model = make_model(&untied, params);
    assert_int_equal(rnn_model_size(model), rnn_model_size(tied) + n_weight);
    memcpy(*params, values, n_before * sizeof(float));
    memcpy(*params + n_before, values, n_weight * sizeof(float));
    memcpy(*params + n_before + n_weight, values + n_before, n_bias * sizeof(float));
    return model;
}

/* The one gradient is the sum of those of both uses; a padding row has only the one as output. */
static void a_tied_weight_gets_the_gradients_of_both_uses(void **state)
{
    data d;

    (void)state;
    make_data(&d);
    for (size_t i = 0; i < N_TIED; i++) {
        const named_model *named = &tied_models[i];
        float *params, *untied_params, *found, *expected;
        rnn_model *model = make_model(named, &params);
        rnn_model *untied = make_untied(named, model, params, &untied_params);
        size_t size = rnn_model_size(model), n_bias = named->layers[2].bias ? TOKENS : 0;
        size_t n_weight = TOKENS * 4, n_before = size - n_bias;
        double loss;

        found = calloc(size, sizeof(float));
        expected = calloc(size + n_weight, sizeof(float));
        loss = compute_together(named, model, params, &d, found);
        assert_true(fabs(compute_together(named, untied, untied_params, &d, expected) - loss) <=
                    1e-6 * loss);
        for (size_t k = 0; k < n_weight; k++) {
            if (named->layers[0].padding_idx == (int64_t)(k / 4)) {
                assert_true(expected[k] == 0.0f);
                assert_true(fabsf(expected[n_before + k]) > 1e-4f);
            }
            expected[k] += expected[n_before + k];
        }
        memmove(expected + n_before, expected + n_before + n_weight, n_bias * sizeof(float));
        assert_true(golden_worst(found, expected, size) <= 1e-6);
        free(found);
        free(expected);
        free(params);
        free(untied_params);
        rnn_model_destroy(&model);
        rnn_model_destroy(&untied);
    }
}

/* Shards of different tokens, as many as the tests below need. */
enum { N_SHARDS = 4 };

static void make_shards(const named_model *named, data d[N_SHARDS],
                        rnn_batch_shard shards[N_SHARDS])
{
    for (size_t s = 0; s < N_SHARDS; s++) {
        make_data(&d[s]);
        for (size_t i = 0; i < T * ROWS; i++)
            if (d[s].token[i] >= 0)
                d[s].token[i] = (int32_t)(((size_t)d[s].token[i] + s * (i + 1)) % TOKENS);
        shards[s] = shard_of(named, &d[s], lengths, T, true, N_SAMPLES);
    }
}

static rnn_executor *make_executor(const named_model *named, const rnn_model *model,
                                   const float *params, size_t first, size_t count, int n_threads)
{
    const rnn_executor_cfg cfg = {.model = model,
                                  .objective = named->objective,
                                  .seed = SEED,
                                  .rows = ROWS,
                                  .first_shard = first,
                                  .n_shards = count,
                                  .n_threads = n_threads};
    rnn_executor *executor;

    assert_int_equal(rnn_executor_create(&executor, &cfg), RNN_OK);
    rnn_executor_load(executor, params);
    return executor;
}

/* Adds the tree's node over `count` shards from `first` on. */
static void add_node(const named_model *named, const rnn_model *model, const float *params,
                     const rnn_batch_shard *shards, size_t first, size_t count, int n_threads,
                     float *sum)
{
    rnn_executor *executor = make_executor(named, model, params, first, count, n_threads);
    const rnn_batch batch = {
        .first_shard = first, .n_shards = count, .rows = ROWS, .shard = shards + first};
    float *const *nodes;
    size_t n_nodes;

    assert_int_equal(rnn_executor_gradients(executor, &batch, STEP, NULL, &nodes, &n_nodes),
                     RNN_OK);
    assert_int_equal(n_nodes, 1);
    for (size_t k = 0; k < rnn_model_size(model); k++)
        sum[k] += nodes[0][k];
    rnn_executor_destroy(&executor);
}

/* Wide enough that every thread has units of its own. */
static const named_model wide_models[] = {
    {"projected lstm in two directions",
     {{LAYER(RNN_LAYER_LSTM), .hidden_size = 70, .num_layers = 2, .proj_size = 37,
       .bidirectional = true},
      LINEAR(4)},
     2,
     false,
     {CROSS_ENTROPY, .targets_per_step = true}},
    {"gru, layernorm",
     {{LAYER(RNN_LAYER_GRU), .hidden_size = 49, .num_layers = 2},
      {LAYER(RNN_LAYER_LAYERNORM), .elementwise_affine = true},
      LINEAR(4)},
     3,
     false,
     {CROSS_ENTROPY, .targets_per_step = true}},
};

/* Three steps of adam, with the executor's own update or in two passes over everything. */
static void train(const named_model *named, const rnn_model *model, const rnn_batch_shard *shards,
                  float *params, int n_threads, bool together)
{
    rnn_executor *executor = make_executor(named, model, params, 0, N_SHARDS, n_threads);
    const rnn_batch batch = {.n_shards = N_SHARDS, .rows = ROWS, .shard = shards};
    const rnn_optimizer_cfg cfg = {.type = RNN_OPTIMIZER_ADAM,
                                   .beta1 = 0.9,
                                   .beta2 = 0.99,
                                   .eps = 1e-8,
                                   .weight_decay = 0.01,
                                   .clip_norm = 0.5};
    float *own = calloc(rnn_model_size(model), sizeof(float));
    float *const *nodes;
    rnn_optimizer *optimizer;
    size_t n_nodes;

    assert_int_equal(rnn_optimizer_create(&optimizer, &cfg, rnn_model_size(model)), RNN_OK);
    for (uint64_t step = 0; step < 3; step++) {
        assert_int_equal(
            rnn_executor_gradients(executor, &batch, step, together ? own : NULL, &nodes, &n_nodes),
            RNN_OK);
        assert_int_equal(n_nodes, 1);
        assert_true((nodes[0] == own) == together);
        if (together) {
            rnn_optimizer_pass pass = {params, own, 0.5, 0.01};

            assert_int_equal(rnn_optimizer_begin(optimizer, &pass, NULL), RNN_OK);
            rnn_executor_update(executor, optimizer, &pass);
        } else {
            assert_int_equal(rnn_optimizer_step(optimizer, params, nodes[0], 0.5f, 0.01, NULL),
                             RNN_OK);
            rnn_executor_load(executor, params);
        }
    }
    rnn_optimizer_destroy(&optimizer);
    rnn_executor_destroy(&executor);
    free(own);
}

/* A parameter that is updated twice or never, or packed before it is updated, is seen here. */
static void update_and_packing_in_one_pass_change_no_bit(void **state)
{
    data d[N_SHARDS];
    rnn_batch_shard shards[N_SHARDS];

    (void)state;
    for (size_t i = 0; i < N_MODELS + sizeof wide_models / sizeof *wide_models; i++) {
        const named_model *named = i < N_MODELS ? &models[i] : &wide_models[i - N_MODELS];
        float *start, *expected, *found;
        rnn_model *model = make_model(named, &start);
        size_t n_bytes = rnn_model_size(model) * sizeof(float);

        make_shards(named, d, shards);
        expected = malloc(n_bytes);
        found = malloc(n_bytes);
        memcpy(expected, start, n_bytes);
        train(named, model, shards, expected, 1, false);
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            memcpy(found, start, n_bytes);
            train(named, model, shards, found, n_threads, true);
            if (memcmp(found, expected, n_bytes) != 0)
                fail_msg("%s: %d threads", named->name, n_threads);
        }
        assert_memory_not_equal(found, start, n_bytes);
        free(found);
        free(expected);
        free(start);
        rnn_model_destroy(&model);
    }
}

/* Both uses must be one sum before the tree begins: added up after it, bits depend on its cut. */
static void neither_threads_nor_ranks_change_a_bit_of_a_tied_weight(void **state)
{
    data d[N_SHARDS];
    rnn_batch_shard shards[N_SHARDS];

    (void)state;
    for (size_t i = 0; i < N_TIED; i++) {
        const named_model *named = &tied_models[i];
        float *params, *whole, *parts;
        rnn_model *model = make_model(named, &params);
        size_t size = rnn_model_size(model);

        make_shards(named, d, shards);
        whole = calloc(size, sizeof(float));
        add_node(named, model, params, shards, 0, N_SHARDS, 1, whole);
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            parts = calloc(size, sizeof(float));
            add_node(named, model, params, shards, 0, N_SHARDS, n_threads, parts);
            assert_memory_equal(parts, whole, size * sizeof(float));
            memset(parts, 0, size * sizeof(float));
            add_node(named, model, params, shards, 0, N_SHARDS / 2, n_threads, parts);
            add_node(named, model, params, shards, N_SHARDS / 2, N_SHARDS / 2, n_threads, parts);
            assert_memory_equal(parts, whole, size * sizeof(float));
            free(parts);
        }
        free(whole);
        free(params);
        rnn_model_destroy(&model);
    }
}

/* A stage's part of the gradient has to be whole as soon as the stage is finished. */
static void a_tied_gradient_is_whole_when_its_stage_is_finished(void **state)
{
    data d[N_SHARDS];
    rnn_batch_shard shards[N_SHARDS];

    (void)state;
    for (size_t i = 0; i < N_TIED * 3; i++) {
        const named_model *named = &tied_models[i / 3];
        float *params, *whole, *found, *sent;
        rnn_model *model = make_model(named, &params);
        size_t size = rnn_model_size(model);
        rnn_executor *executor = make_executor(named, model, params, 0, N_SHARDS, 1 + (int)(i % 3));
        const rnn_batch batch = {.n_shards = N_SHARDS, .rows = ROWS, .shard = shards};

        make_shards(named, d, shards);
        whole = calloc(size, sizeof(float));
        found = calloc(size, sizeof(float));
        sent = calloc(size, sizeof(float));
        add_node(named, model, params, shards, 0, N_SHARDS, 1, whole);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(rnn_executor_begin(executor, &batch, STEP), RNN_OK);
            for (size_t s = rnn_model_n_stages(model); s-- > 0;) {
                const rnn_stage *stage = rnn_model_stage(model, s);

                assert_int_equal(rnn_executor_finish(executor, s, found), RNN_OK);
                memcpy(sent + stage->offset, found + stage->offset, stage->count * sizeof(float));
                memset(found + stage->offset, 0x7f, stage->count * sizeof(float));
            }
            assert_true(golden_worst(sent, whole, size) <= 1e-5);
        }
        rnn_executor_destroy(&executor);
        free(whole);
        free(found);
        free(sent);
        free(params);
        rnn_model_destroy(&model);
    }
}

/* -- Dropout --------------------------------------------------------------------------------- */

static const named_model dropping = {
    "dropout between layers and after them",
    {{LAYER(RNN_LAYER_LSTM), .hidden_size = 8, .num_layers = 3, .dropout = 0.4},
     {LAYER(RNN_LAYER_DROPOUT), .p = 0.3},
     SELECT(RNN_SELECT_MEAN),
     LINEAR(4)},
    4,
    false,
    {CROSS_ENTROPY}};

static const named_model dropping_alike = {
    "variational dropout between layers and after them",
    {{LAYER(RNN_LAYER_LSTM), .hidden_size = 8, .num_layers = 3, .dropout = 0.4,
      .variational = true},
     {LAYER(RNN_LAYER_DROPOUT), .p = 0.3, .variational = true},
     SELECT(RNN_SELECT_MEAN),
     LINEAR(4)},
    4,
    false,
    {CROSS_ENTROPY}};

static void assert_cut_does_not_matter(const named_model *named)
{
    static const int32_t full[ROWS] = {T, T, T, T};
    float *params, *whole, *halves;
    rnn_model *model = make_model(named, &params);
    size_t size = rnn_model_size(model);
    data d, half[2];
    rnn_batch_shard shards[2];
    double loss;

    make_data(&d);
    whole = calloc(size, sizeof(float));
    halves = calloc(size, sizeof(float));
    d.label[ROWS - 1] = 1;
    shards[0] = shard_of(named, &d, full, T, false, ROWS);
    loss = compute(named, model, params, ROWS, shards, 1, whole);
    for (size_t s = 0; s < 2; s++) {
        for (size_t t = 0; t < T; t++)
            memcpy(half[s].x + t * 2 * I, d.x + (t * ROWS + 2 * s) * I, 2 * I * sizeof(float));
        memcpy(half[s].label, d.label + 2 * s, 2 * sizeof(int32_t));
        shards[s] = shard_of(named, &half[s], full, T, false, 2);
    }
    assert_true(fabs(compute(named, model, params, 2, shards, 2, halves) - loss) < 1e-5);
    assert_true(golden_worst(whole, halves, size) < 1e-5);
    free(whole);
    free(halves);
    free(params);
    rnn_model_destroy(&model);
}

static void what_dropout_drops_does_not_depend_on_the_cut_of_the_batch(void **state)
{
    (void)state;
    assert_cut_does_not_matter(&dropping);
    assert_cut_does_not_matter(&dropping_alike);
}

static void assert_drops_anew_in_every_step(const named_model *named)
{
    static const int32_t full[ROWS] = {T, T, T, T};
    float *params, *const *nodes;
    rnn_model *model = make_model(named, &params);
    const rnn_executor_cfg cfg = {.model = model,
                                  .objective = named->objective,
                                  .seed = SEED,
                                  .rows = ROWS,
                                  .n_shards = 1,
                                  .n_threads = 1};
    rnn_executor *executor;
    rnn_batch_shard shard;
    rnn_batch batch = {.n_shards = 1, .rows = ROWS, .shard = &shard};
    double evaluated[2], trained[3];
    size_t n_nodes;
    data d;

    make_data(&d);
    d.label[ROWS - 1] = 1;
    shard = shard_of(named, &d, full, T, false, ROWS);
    assert_int_equal(rnn_executor_create(&executor, &cfg), RNN_OK);
    rnn_executor_load(executor, params);
    for (int i = 0; i < 3; i++) { /* steps 0, 1, 0 */
        assert_int_equal(
            rnn_executor_gradients(executor, &batch, (uint64_t)(i % 2), NULL, &nodes, &n_nodes),
            RNN_OK);
        trained[i] = rnn_executor_results(executor)[0].loss;
        if (i == 2)
            break;
        assert_int_equal(rnn_executor_evaluate(executor, &batch, NULL), RNN_OK);
        evaluated[i] = rnn_executor_results(executor)[0].loss;
    }
    assert_true(evaluated[0] == evaluated[1]);
    assert_true(trained[0] == trained[2]);
    assert_true(fabs(trained[0] - trained[1]) > 1e-4);
    assert_true(fabs(trained[0] - evaluated[0]) > 1e-4);
    rnn_executor_destroy(&executor);
    free(params);
    rnn_model_destroy(&model);
}

static void dropout_drops_in_training_only_and_anew_in_every_step(void **state)
{
    (void)state;
    assert_drops_anew_in_every_step(&dropping);
    assert_drops_anew_in_every_step(&dropping_alike);
}

/*
 * A dropout layer on its own, on ones: y is its mask, and dx for a dy of ones has to be it too.
 * What a step drops must be what all others drop.
 */
static void variational_layers_drop_alike_at_all_steps_forward_and_back(void **state)
{
    static const int32_t full[ROWS] = {T, T, T, T};
    const rnn_layer_cfg layers[] = {{LAYER(RNN_LAYER_DROPOUT), .p = 0.5, .variational = true},
                                    LINEAR(1)};
    const rnn_stage_class *class = rnn_stage_get_class(RNN_STAGE_DROPOUT);
    rnn_slice slice = {.seq_len = T, .rows = ROWS, .length = full, .is_training = true, .seed = 1};
    enum { N = 64 };
    float x[T * ROWS * N], y[T * ROWS * N], dx[T * ROWS * N];
    rnn_model *model;
    void *plan, *worker;

    (void)state;
    assert_int_equal(
        rnn_model_create(&model, layers, 2, (rnn_shape){.seq_len = T, .n_features = N}), RNN_OK);
    assert_int_equal(class->plan_create(&plan, model, 0), RNN_OK);
    assert_int_equal(class->worker_create(&worker, plan), RNN_OK);
    for (size_t i = 0; i < T * ROWS * N; i++)
        x[i] = 1.0f;
    assert_int_equal(class->forward(worker, &slice, x, y), RNN_OK);
    assert_int_equal(class->backward(worker, &slice, x, dx, NULL), RNN_OK);
    assert_memory_equal(y, dx, sizeof y);
    for (size_t t = 1; t < T; t++)
        assert_memory_equal(y + t * ROWS * N, y, ROWS * N * sizeof *y);
    assert_memory_not_equal(y, y + N, N * sizeof *y);
    slice.step = 1;
    assert_int_equal(class->forward(worker, &slice, x, y), RNN_OK);
    assert_memory_not_equal(y, dx, ROWS * N * sizeof *y);
    class->worker_destroy(worker);
    class->plan_destroy(plan);
    rnn_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_of_different_lengths_give_what_each_gives_alone),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(a_tied_weight_gets_the_gradients_of_both_uses),
        cmocka_unit_test(neither_threads_nor_ranks_change_a_bit_of_a_tied_weight),
        cmocka_unit_test(update_and_packing_in_one_pass_change_no_bit),
        cmocka_unit_test(a_tied_gradient_is_whole_when_its_stage_is_finished),
        cmocka_unit_test(what_dropout_drops_does_not_depend_on_the_cut_of_the_batch),
        cmocka_unit_test(dropout_drops_in_training_only_and_anew_in_every_step),
        cmocka_unit_test(variational_layers_drop_alike_at_all_steps_forward_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
