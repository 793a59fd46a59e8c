/*
 * Whole training runs against torch (trajectories.h5): the loss of every step and the parameters
 * after the last one, from the same start, on the same batches, with the same optimizer.
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
#include "framework/optimizer.h"
#include "framework/run.h"
#include "golden.h"
#include "hand_made_batch.h"

/* Float32 rounding grows from step to step; over these 40 it came to 5e-7. */
static const double loss_tolerance = 1e-5, params_tolerance = 1e-5;

static hid_t open_group(hid_t file, const char *name)
{
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);

    assert_true(group >= 0);
    return group;
}

/* -- The classifier: recurrent layers, last step, linear ------------------------------------- */

typedef struct classifier_case {
    const char *name;
    rnn_layer_type layer;
    rnn_optimizer_type optimizer;
    double lr, momentum, clip_norm;
} classifier_case;

static const classifier_case classifiers[] = {
    {"lstm_adadelta", RNN_LAYER_LSTM, RNN_OPTIMIZER_ADADELTA, 0.1, 0.0, 0.0},
    {"gru_adam_clip", RNN_LAYER_GRU, RNN_OPTIMIZER_ADAM, 0.01, 0.0, 0.5},
    {"rnn_bi_sgd", RNN_LAYER_RNN, RNN_OPTIMIZER_SGD, 0.05, 0.9, 0.0},
};

/* One run in progress. */
typedef struct run {
    hid_t group;
    rnn_model *model;
    rnn_executor *executor;
    rnn_optimizer *optimizer;
    float *params, *xs; /* xs [steps][T][N][I] */
    int32_t *ys;        /* [steps][N] */
    double *losses;     /* torch's, [steps] */
    size_t T, N, I, n_steps, n_shards;
} run;

/* Reads folder/rnn.weight_ih_l0 ... linear.bias into an arena. */
static void read_params(const run *r, const char *folder, float *params)
{
    for (size_t i = 0; i < rnn_model_n_params(r->model); i++) {
        const rnn_param *p = rnn_model_param(r->model, i);
        const char *module = strstr(p->group, "linear") != NULL ? "linear" : "rnn";
        char path[96];
        size_t count;
        float *values;

        snprintf(path, sizeof path, "%s/%s.%s", folder, module, p->name);
        values = golden_read(r->group, path, H5T_NATIVE_FLOAT, &count);
        assert_int_equal(count, p->count);
        memcpy(params + p->offset, values, count * sizeof(float));
        free(values);
    }
}

static void start(run *r, hid_t file, const classifier_case *c, size_t n_shards, int n_threads)
{
    hid_t group = open_group(file, c->name);
    rnn_layer_cfg layers[] = {rnn_layer_defaults(c->layer), rnn_layer_defaults(RNN_LAYER_SELECT),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};
    rnn_optimizer_cfg optimizer = rnn_optimizer_defaults(c->optimizer);

    *r = (run){.group = group,
               .T = golden_size(group, "T"),
               .N = golden_size(group, "N"),
               .I = golden_size(group, "input_size"),
               .n_shards = n_shards};
    layers[0].hidden_size = (int64_t)golden_size(group, "hidden_size");
    layers[0].num_layers = (int64_t)golden_size(group, "num_layers");
    layers[0].bidirectional = golden_size(group, "bidirectional") != 0;
    layers[2].out_features = (int64_t)golden_size(group, "classes");
    assert_int_equal(
        rnn_model_create(&r->model, layers, 3, (rnn_shape){.seq_len = r->T, .n_features = r->I}),
        RNN_OK);
    r->params = calloc(rnn_model_size(r->model), sizeof(float));
    r->xs = golden_floats(group, "x");
    r->ys = golden_read(group, "y", H5T_NATIVE_INT32, NULL);
    r->losses = golden_read(group, "loss", H5T_NATIVE_DOUBLE, &r->n_steps);
    read_params(r, "start", r->params);
    optimizer.lr = c->lr;
    optimizer.momentum = c->momentum;
    optimizer.clip_norm = c->clip_norm;
    assert_int_equal(rnn_optimizer_create(&r->optimizer, &optimizer, rnn_model_size(r->model)),
                     RNN_OK);
    assert_int_equal(
        rnn_executor_create(&r->executor,
                            &(rnn_executor_cfg){.model = r->model,
                                                .objective = {.cross_entropy = {-100, 0.0}},
                                                .rows = r->N / n_shards,
                                                .n_shards = n_shards,
                                                .n_threads = n_threads}),
        RNN_OK);
    rnn_executor_load(r->executor, r->params);
}

static void finish(run *r)
{
    rnn_executor_destroy(&r->executor);
    rnn_optimizer_destroy(&r->optimizer);
    rnn_model_destroy(&r->model);
    free(r->params);
    free(r->xs);
    free(r->ys);
    free(r->losses);
    H5Gclose(r->group);
}

/* One optimizer step; the mean loss before it. */
static double take_step(run *r, size_t step, double lr)
{
    const samples s = {r->T, r->N, r->I, r->xs + step * r->T * r->N * r->I, r->ys + step * r->N};
    hand_made_batch batch;
    float *const *nodes;
    size_t n_nodes;
    double loss = 0.0;

    make_batch(&batch, &s, r->N / r->n_shards, 0, r->n_shards);
    assert_int_equal(rnn_executor_gradients(r->executor, &batch.view, step, NULL, &nodes, &n_nodes),
                     RNN_OK);
    assert_int_equal(n_nodes, 1);
    for (size_t i = 0; i < r->n_shards; i++)
        loss += rnn_executor_results(r->executor)[i].loss;
    assert_int_equal(
        rnn_optimizer_step(r->optimizer, r->params, nodes[0], 1.0f / (float)r->N, lr, NULL),
        RNN_OK);
    rnn_executor_load(r->executor, r->params);
    drop_batch(&batch);
    return loss / (double)r->N;
}

static void check_classifier(hid_t file, const classifier_case *c, size_t n_shards, int n_threads)
{
    double worst_loss = 0.0, worst_params;
    float *end;
    run r;

    start(&r, file, c, n_shards, n_threads);
    for (size_t step = 0; step < r.n_steps; step++) {
        double difference = fabs(take_step(&r, step, c->lr) - r.losses[step]);

        if (!(difference <= loss_tolerance))
            fail_msg("%s, %zu shards: loss of step %zu is %.2e from torch's", c->name, n_shards,
                     step, difference);
        worst_loss = fmax(worst_loss, difference);
    }
    end = calloc(rnn_model_size(r.model), sizeof(float));
    read_params(&r, "end", end);
    worst_params = golden_worst(r.params, end, rnn_model_size(r.model));
    print_message("  %s, %zu steps, %zu shards, %d threads: loss %.2e, parameters %.2e\n", c->name,
                  r.n_steps, n_shards, n_threads, worst_loss, worst_params);
    assert_true(worst_params <= params_tolerance);
    free(end);
    finish(&r);
}

static void classifiers_learn_as_in_torch_however_the_batch_is_cut(void **state)
{
    hid_t file = golden_open("trajectories.h5");

    (void)state;
    for (size_t i = 0; i < sizeof classifiers / sizeof *classifiers; i++) {
        check_classifier(file, &classifiers[i], 1, 1);
        check_classifier(file, &classifiers[i], 4, 1);
        check_classifier(file, &classifiers[i], 4, 2);
    }
    H5Fclose(file);
}

/* -- hello -> ohlol, as the recipes have it -------------------------------------------------- */

enum { STEPS = 5 };

typedef struct hello_case {
    const char *name, *modules[3]; /* torch's names of the layers */
    rnn_layer_cfg layers[3];
    size_t n_layers;
    double lr;
    bool is_sum; /* of the steps' losses, else their mean */
} hello_case;

#define DEFAULTS .num_layers = 1, .bias = true, .padding_idx = -1

static const hello_case hellos[] = {
    {"hello_rnn",
     {NULL, "rnn"},
     {{.type = RNN_LAYER_ONEHOT}, {.type = RNN_LAYER_RNN, .hidden_size = 4, DEFAULTS}},
     2,
     0.05,
     false},
    {"hello_rnncell",
     {NULL, "cell"},
     {{.type = RNN_LAYER_ONEHOT}, {.type = RNN_LAYER_RNNCELL, .hidden_size = 4, DEFAULTS}},
     2,
     0.1,
     true},
    {"hello_embedding",
     {"embedding", "rnn", "linear"},
     {{.type = RNN_LAYER_EMBEDDING, .embedding_dim = 10, .padding_idx = -1},
      {.type = RNN_LAYER_RNN, .hidden_size = 8, .bias = true, .num_layers = 2},
      {.type = RNN_LAYER_LINEAR, .out_features = 4, .bias = true}},
     3,
     0.05,
     false},
};

static void read_hello(hid_t group, const hello_case *c, const rnn_model *model, const char *folder,
                       float *params)
{
    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);
        char path[96];
        size_t count;
        float *values;

        snprintf(path, sizeof path, "%s/%s.%s", folder, c->modules[p->group[0] - '0'], p->name);
        values = golden_read(group, path, H5T_NATIVE_FLOAT, &count);
        assert_int_equal(count, p->count);
        memcpy(params + p->offset, values, count * sizeof(float));
        free(values);
    }
}

static void check_hello(hid_t file, const hello_case *c)
{
    const rnn_objective objective = {.cross_entropy = {-100, 0.0}, .is_sum = c->is_sum};
    rnn_optimizer_cfg adam = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    hid_t group = open_group(file, c->name);
    size_t n_losses, size, n_nodes;
    double *losses = golden_read(group, "loss", H5T_NATIVE_DOUBLE, &n_losses);
    int32_t *token = golden_read(group, "x", H5T_NATIVE_INT32, NULL);
    int32_t *label = golden_read(group, "y", H5T_NATIVE_INT32, NULL), length = STEPS;
    rnn_batch_shard shard = {
        .n_valid = 1, .seq_len = STEPS, .token = token, .length = &length, .label = label};
    const rnn_batch batch = {.n_samples = 1, .n_shards = 1, .rows = 1, .shard = &shard};
    float *params, *end, *const *nodes;
    double worst_loss = 0.0, worst_params;
    rnn_model *model;
    rnn_executor *executor;
    rnn_optimizer *optimizer;

    assert_int_equal(
        rnn_model_create(&model, c->layers, c->n_layers,
                         (rnn_shape){.seq_len = STEPS, .n_features = 1, .n_tokens = 4}),
        RNN_OK);
    size = rnn_model_size(model);
    params = calloc(size, sizeof *params);
    end = calloc(size, sizeof *end);
    read_hello(group, c, model, "start", params);
    read_hello(group, c, model, "end", end);
    adam.lr = c->lr;
    assert_int_equal(rnn_executor_create(&executor, &(rnn_executor_cfg){.model = model,
                                                                        .objective = objective,
                                                                        .rows = 1,
                                                                        .n_shards = 1,
                                                                        .n_threads = 1}),
                     RNN_OK);
    assert_int_equal(rnn_optimizer_create(&optimizer, &adam, size), RNN_OK);
    for (size_t i = 0; i < n_losses; i++) {
        rnn_loss_sums sums;

        rnn_executor_load(executor, params);
        assert_int_equal(rnn_executor_gradients(executor, &batch, i, NULL, &nodes, &n_nodes),
                         RNN_OK);
        sums = rnn_executor_results(executor)[0];
        worst_loss = fmax(
            worst_loss,
            fabs(rnn_objective_mean(&objective, sums.loss, (double)sums.n_targets, 1) - losses[i]));
        assert_int_equal(
            rnn_optimizer_step(optimizer, params, nodes[0],
                               rnn_objective_gradient_scale(&objective, (double)sums.n_targets),
                               c->lr, NULL),
            RNN_OK);
    }
    worst_params = golden_worst(params, end, size);
    print_message("  %s, %zu steps: loss %.2e, parameters %.2e\n", c->name, n_losses, worst_loss,
                  worst_params);
    assert_true(losses[n_losses - 1] < 0.9 * losses[0]);
    assert_true(worst_loss <= loss_tolerance);
    assert_true(worst_params <= params_tolerance);
    rnn_optimizer_destroy(&optimizer);
    rnn_executor_destroy(&executor);
    rnn_model_destroy(&model);
    free(params);
    free(end);
    free(losses);
    free(token);
    free(label);
    H5Gclose(group);
}

static void hello_is_learnt_as_in_torch(void **state)
{
    hid_t file = golden_open("trajectories.h5");

    (void)state;
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++)
        check_hello(file, &hellos[i]);
    H5Fclose(file);
}

/* Slices keep 16 rows, or 8 while there are few of them. */
static void batches_are_cut_by_their_size_and_width(void **state)
{
    static const struct {
        size_t batch_size, widest, n_shards;
    } cases[] = {{1, 100, 1},     {15, 100, 1},   {16, 100, 2},  {20, 100, 2},   {50, 128, 4},
                 {64, 100, 8},    {127, 100, 8},  {128, 100, 8}, {255, 256, 8},  {256, 256, 16},
                 {1000, 100, 32}, {1024, 32, 64}, {15, 650, 1},  {16, 650, 2},   {20, 650, 2},
                 {63, 257, 2},    {64, 1024, 4},  {128, 512, 8}, {256, 1024, 16}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rnn_run_default_shards(cases[i].batch_size, cases[i].widest),
                         cases[i].n_shards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_cut_by_their_size_and_width),
        cmocka_unit_test(classifiers_learn_as_in_torch_however_the_batch_is_cut),
        cmocka_unit_test(hello_is_learnt_as_in_torch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
