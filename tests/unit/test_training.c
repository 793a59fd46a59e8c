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
#include "golden.h"
#include "hand_made_batch.h"
#include "kernels/loss.h"
#include "kernels/recurrent.h"

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
    double lr, clip_norm;
} classifier_case;

static const classifier_case classifiers[] = {
    {"lstm_adadelta", RNN_LAYER_LSTM, RNN_OPTIMIZER_ADADELTA, 0.1, 0.0},
    {"gru_adam_clip", RNN_LAYER_GRU, RNN_OPTIMIZER_ADAM, 0.01, 0.5},
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
    const rnn_layer_cfg layers[] = {{.type = c->layer,
                                     .hidden_size = (int64_t)golden_size(group, "hidden_size"),
                                     .num_layers = (int64_t)golden_size(group, "num_layers"),
                                     .bias = true},
                                    {.type = RNN_LAYER_SELECT},
                                    {.type = RNN_LAYER_LINEAR,
                                     .out_features = (int64_t)golden_size(group, "classes"),
                                     .bias = true}};
    rnn_optimizer_cfg optimizer = rnn_optimizer_defaults(c->optimizer);

    *r = (run){.group = group,
               .T = golden_size(group, "T"),
               .N = golden_size(group, "N"),
               .I = golden_size(group, "input_size"),
               .n_shards = n_shards};
    assert_int_equal(
        rnn_model_create(&r->model, layers, 3, (rnn_shape){.seq_len = r->T, .n_features = r->I}),
        RNN_OK);
    r->params = calloc(rnn_model_size(r->model), sizeof(float));
    r->xs = golden_floats(group, "x");
    r->ys = golden_read(group, "y", H5T_NATIVE_INT32, NULL);
    r->losses = golden_read(group, "loss", H5T_NATIVE_DOUBLE, &r->n_steps);
    read_params(r, "start", r->params);
    optimizer.lr = c->lr;
    optimizer.clip_norm = c->clip_norm;
    assert_int_equal(rnn_optimizer_create(&r->optimizer, &optimizer, rnn_model_size(r->model)),
                     RNN_OK);
    assert_int_equal(
        rnn_executor_create(&r->executor,
                            &(rnn_executor_cfg){r->model, r->N / n_shards, 0, n_shards, n_threads}),
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
    assert_int_equal(rnn_executor_gradients(r->executor, &batch.view, &nodes, &n_nodes), RNN_OK);
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

/* -- hello -> ohlol: RNN(4, 4) whose states are the scores, on the kernels directly ---------- */

enum { H = 4, STEPS = 5, N_WEIGHTS = H * H, SIZE = 2 * N_WEIGHTS + 2 * H };

typedef struct hello_case {
    const char *name, *names[4]; /* of the parameters */
    double lr;
    float grad_scale; /* 1 / STEPS where torch took the mean */
} hello_case;

static const hello_case hellos[] = {
    {"hello_rnn",
     {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0"},
     0.05,
     1.0f / STEPS},
    {"hello_rnncell",
     {"cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh"},
     0.1,
     1.0f},
};

/* Where weight_ih, weight_hh, bias_ih and bias_hh lie in an array of all parameters. */
static const size_t places[] = {0, N_WEIGHTS, 2 * N_WEIGHTS, 2 * N_WEIGHTS + H, SIZE};

static void read_hello(hid_t group, const hello_case *c, const char *folder, float params[SIZE])
{
    for (int i = 0; i < 4; i++) {
        char path[64];
        size_t count;
        float *values;

        snprintf(path, sizeof path, "%s/%s", folder, c->names[i]);
        values = golden_read(group, path, H5T_NATIVE_FLOAT, &count);
        assert_int_equal(count, places[i + 1] - places[i]);
        memcpy(params + places[i], values, count * sizeof(float));
        free(values);
    }
}

/* Loss and gradients, both summed over the steps. */
static double hello_gradients(rnn_recurrent *layer, rnn_recurrent_task *task, const float *params,
                              const float *x, const int32_t *label, float grads[SIZE])
{
    float scores[STEPS * H], dscores[STEPS * H];
    float *packed = calloc(rnn_recurrent_grad_size(layer), sizeof(float));
    const rnn_cross_entropy_args plain = {.ignore_index = -100};
    rnn_loss_sums sums;

    rnn_recurrent_pack(layer,
                       &(rnn_recurrent_params){params + places[0], params + places[1],
                                               params + places[2], params + places[3]},
                       0, 1);
    assert_int_equal(rnn_recurrent_forward(task, x, NULL, NULL, scores), RNN_OK);
    sums = rnn_loss_cross_entropy(&plain, STEPS, H, scores, label, dscores, NULL);
    assert_int_equal(rnn_recurrent_backward(task, dscores, NULL, NULL, NULL, packed), RNN_OK);
    rnn_recurrent_unpack(layer, packed,
                         &(rnn_recurrent_grads){grads + places[0], grads + places[1],
                                                grads + places[2], grads + places[3]},
                         0, 1);
    free(packed);
    return sums.loss;
}

static void check_hello(hid_t file, const hello_case *c)
{
    const rnn_recurrent_cfg cfg = {RNN_CELL_TANH, STEPS, 1, H, H};
    rnn_optimizer_cfg adam = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    hid_t group = open_group(file, c->name);
    size_t n_losses;
    double *losses = golden_read(group, "loss", H5T_NATIVE_DOUBLE, &n_losses);
    int32_t *letters = golden_read(group, "x", H5T_NATIVE_INT32, NULL);
    int32_t *label = golden_read(group, "y", H5T_NATIVE_INT32, NULL);
    float x[STEPS * H] = {0.0f}, params[SIZE], end[SIZE], grads[SIZE];
    double worst_loss = 0.0, worst_params;
    rnn_recurrent *layer;
    rnn_recurrent_task *task;
    rnn_optimizer *optimizer;

    for (int t = 0; t < STEPS; t++)
        x[t * H + letters[t]] = 1.0f;
    read_hello(group, c, "start", params);
    read_hello(group, c, "end", end);
    adam.lr = c->lr;
    assert_int_equal(rnn_recurrent_create(&layer, &cfg), RNN_OK);
    assert_int_equal(rnn_recurrent_task_create(&task, layer), RNN_OK);
    assert_int_equal(rnn_optimizer_create(&optimizer, &adam, SIZE), RNN_OK);
    for (size_t i = 0; i < n_losses; i++) {
        double sum = hello_gradients(layer, task, params, x, label, grads);

        worst_loss = fmax(worst_loss, fabs(sum * (double)c->grad_scale - losses[i]));
        assert_int_equal(rnn_optimizer_step(optimizer, params, grads, c->grad_scale, c->lr, NULL),
                         RNN_OK);
    }
    worst_params = golden_worst(params, end, SIZE);
    print_message("  %s, %zu steps: loss %.2e, parameters %.2e\n", c->name, n_losses, worst_loss,
                  worst_params);
    assert_true(losses[n_losses - 1] < 0.9 * losses[0]);
    assert_true(worst_loss <= loss_tolerance);
    assert_true(worst_params <= params_tolerance);
    rnn_optimizer_destroy(&optimizer);
    rnn_recurrent_task_destroy(&task);
    rnn_recurrent_destroy(&layer);
    free(losses);
    free(letters);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classifiers_learn_as_in_torch_however_the_batch_is_cut),
        cmocka_unit_test(hello_is_learnt_as_in_torch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
