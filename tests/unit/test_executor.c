/*
 * The executor: its gradients are the loss's, whoever computes which shard.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "dist/reduce.h"
#include "framework/executor.h"
#include "golden.h"
#include "hand_made_batch.h"
#include "kernels/random.h"

/* -- Models and samples ---------------------------------------------------------------------- */

enum { T = 4, I = 3, CLASSES = 3, MAX_LAYERS = 4, SEED = 11, STEP = 7 };

/* Eleven samples in shards of two: the sixth shard is short, the last two are empty. */
enum { N_SAMPLES = 11, N_SHARDS = 8, ROWS = 2 };

#define RECURRENT(kind, layers, with_bias)                                                         \
    {                                                                                              \
        .type = (kind), .hidden_size = 5, .num_layers = (layers), .bias = (with_bias)              \
    }
#define LINEAR(features)                                                                           \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = (features), .bias = true                         \
    }
#define SELECT                                                                                     \
    {                                                                                              \
        .type = RNN_LAYER_SELECT                                                                   \
    }

typedef struct named_model {
    const char *name;
    rnn_layer_cfg layers[MAX_LAYERS];
    size_t n_layers;
} named_model;

static const named_model models[] = {
    {"rnn", {RECURRENT(RNN_LAYER_RNN, 1, true), SELECT, LINEAR(CLASSES)}, 3},
    {"lstm", {RECURRENT(RNN_LAYER_LSTM, 1, true), SELECT, LINEAR(CLASSES)}, 3},
    {"gru", {RECURRENT(RNN_LAYER_GRU, 1, true), SELECT, LINEAR(CLASSES)}, 3},
    {"2 lstm", {RECURRENT(RNN_LAYER_LSTM, 2, true), SELECT, LINEAR(CLASSES)}, 3},
    {"2 gru, no bias", {RECURRENT(RNN_LAYER_GRU, 2, false), SELECT, LINEAR(CLASSES)}, 3},
    {"linear, rnn", {LINEAR(4), RECURRENT(RNN_LAYER_RNN, 1, true), SELECT, LINEAR(CLASSES)}, 4},
    {"select first", {SELECT, LINEAR(4), LINEAR(CLASSES)}, 3},
};

enum { N_MODELS = sizeof models / sizeof *models, MIXED = 3 /* for tests that need one model */ };

typedef struct fixture {
    rnn_model *model;
    rnn_objective objective;
    size_t size;
    float *params;
    samples samples;
    float *x;
    int32_t *label;
} fixture;

static void make(fixture *f, const named_model *named, size_t n_samples)
{
    size_t n_values = T * n_samples * I;

    assert_int_equal(rnn_model_create(&f->model, named->layers, named->n_layers,
                                      (rnn_shape){.seq_len = T, .n_features = I}),
                     RNN_OK);
    f->objective = (rnn_objective){.cross_entropy = {.ignore_index = -100}};
    f->size = rnn_model_size(f->model);
    f->params = calloc(f->size, sizeof(float));
    f->x = calloc(n_values, sizeof(float));
    f->label = calloc(n_samples, sizeof *f->label);
    assert_int_equal(rnn_model_init(f->model, SEED, f->params), RNN_OK);
    rnn_random_uniform(f->x, n_values, -1.5f, 1.5f, SEED, RNN_RANDOM_SPLIT, 0, 0);
    for (size_t i = 0; i < n_samples; i++)
        f->label[i] = (int32_t)rnn_random_below(CLASSES, SEED, RNN_RANDOM_SPLIT, 1, i);
    f->samples = (samples){T, n_samples, I, f->x, f->label};
}

static void drop(fixture *f)
{
    rnn_model_destroy(&f->model);
    free(f->params);
    free(f->x);
    free(f->label);
}

/* An executor for a run of shards, ready to compute. */
static rnn_executor *make_executor(const fixture *f, size_t rows, size_t first, size_t count,
                                   int n_threads)
{
    const rnn_executor_cfg cfg = {.model = f->model,
                                  .objective = f->objective,
                                  .seed = SEED,
                                  .rows = rows,
                                  .first_shard = first,
                                  .n_shards = count,
                                  .n_threads = n_threads};
    rnn_executor *executor;

    if (rnn_executor_create(&executor, &cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    rnn_executor_load(executor, f->params);
    return executor;
}

/* -- The whole gradient, by several ranks ---------------------------------------------------- */

enum { MAX_NODES = 1024 };

/* The nodes that ranks bring, copied; place[i] belongs to values[i]. */
typedef struct forest {
    rnn_tree_node place[MAX_NODES];
    float *values[MAX_NODES];
    size_t n_nodes;
} forest;

static void add_rank(forest *all, const fixture *f, size_t rows, size_t first, size_t count,
                     int n_threads, rnn_loss_sums *results)
{
    rnn_executor *executor = make_executor(f, rows, first, count, n_threads);
    hand_made_batch batch;
    float *const *nodes;
    size_t n_nodes;

    make_batch(&batch, &f->samples, rows, first, count);
    assert_int_equal(rnn_executor_gradients(executor, &batch.view, STEP, NULL, &nodes, &n_nodes),
                     RNN_OK);
    assert_int_equal(n_nodes, rnn_tree_decompose(first, count, all->place + all->n_nodes));
    for (size_t i = 0; i < n_nodes; i++) {
        float *copy = malloc(f->size * sizeof(float));

        memcpy(copy, nodes[i], f->size * sizeof(float));
        all->values[all->n_nodes++] = copy;
    }
    memcpy(results + first, rnn_executor_results(executor), count * sizeof *results);
    rnn_executor_destroy(&executor);
    drop_batch(&batch);
}

/* The definition of the tree: a node is one of the ranks', or the sum of its halves. */
static void sum_tree(const forest *all, size_t offset, size_t size, size_t n_values, float *sum)
{
    float *right;

    for (size_t i = 0; i < all->n_nodes; i++)
        if (all->place[i].offset == offset && all->place[i].size == size) {
            memcpy(sum, all->values[i], n_values * sizeof(float));
            return;
        }
    assert_true(size > 1);
    right = malloc(n_values * sizeof(float));
    sum_tree(all, offset, size / 2, n_values, sum);
    sum_tree(all, offset + size / 2, size / 2, n_values, right);
    for (size_t i = 0; i < n_values; i++)
        sum[i] += right[i];
    free(right);
}

/* Gradient [model size] and results [n_shards] of the batch; free the gradient. */
static float *compute(const fixture *f, size_t n_shards, size_t rows, size_t n_ranks, int n_threads,
                      rnn_loss_sums *results)
{
    forest *all = calloc(1, sizeof *all);
    float *sum = malloc(f->size * sizeof(float));

    for (size_t rank = 0; rank < n_ranks; rank++) {
        size_t first, count;

        rnn_shard_range(n_shards, rank, n_ranks, &first, &count);
        add_rank(all, f, rows, first, count, n_threads, results);
    }
    sum_tree(all, 0, n_shards, f->size, sum);
    for (size_t i = 0; i < all->n_nodes; i++)
        free(all->values[i]);
    free(all);
    return sum;
}

static double total_loss(const rnn_loss_sums *results, size_t n_shards)
{
    double sum = 0.0;

    for (size_t i = 0; i < n_shards; i++)
        sum += results[i].loss;
    return sum;
}

/* -- Gradients are right --------------------------------------------------------------------- */

static double loss_at(rnn_executor *executor, const fixture *f, const hand_made_batch *batch,
                      size_t i, float value)
{
    float before = f->params[i];

    f->params[i] = value;
    rnn_executor_load(executor, f->params);
    assert_int_equal(rnn_executor_evaluate(executor, &batch->view, NULL), RNN_OK);
    f->params[i] = before;
    return total_loss(rnn_executor_results(executor), N_SHARDS);
}

/*
 * Central differences in every parameter. The loss is a sum over 11 samples of order 1: rounding
 * its float32 scores costs about 1e-6 / eps, the third derivative about eps^2; eps = 1e-2 makes
 * both about 1e-4.
 */
static double worst_difference(const named_model *named)
{
    const float eps = 1e-2f;
    double worst = 0.0;
    rnn_loss_sums results[N_SHARDS];
    hand_made_batch batch;
    rnn_executor *executor;
    fixture f;
    float *gradient;

    make(&f, named, N_SAMPLES);
    gradient = compute(&f, N_SHARDS, ROWS, 1, 2, results);
    executor = make_executor(&f, ROWS, 0, N_SHARDS, 1);
    make_batch(&batch, &f.samples, ROWS, 0, N_SHARDS);
    for (size_t i = 0; i < f.size; i++) {
        float above = f.params[i] + eps, below = f.params[i] - eps;
        double slope =
            (loss_at(executor, &f, &batch, i, above) - loss_at(executor, &f, &batch, i, below)) /
            ((double)above - (double)below);

        worst = fmax(worst, fabs(slope - (double)gradient[i]) / fmax(1.0, fabs(slope)));
    }
    drop_batch(&batch);
    rnn_executor_destroy(&executor);
    free(gradient);
    drop(&f);
    return worst;
}

static void gradients_are_the_slopes_of_the_loss(void **state)
{
    const double tolerance = 3e-4;

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        double worst = worst_difference(&models[i]);

        print_message("  %-16s worst difference %.2e\n", models[i].name, worst);
        assert_true(worst <= tolerance);
    }
}

static void gradients_and_evaluate_agree_on_the_loss(void **state)
{
    rnn_loss_sums results[N_SHARDS] = {{0}};
    hand_made_batch batch;
    rnn_executor *executor;
    uint64_t n_correct = 0;
    fixture f;

    (void)state;
    make(&f, &models[MIXED], N_SAMPLES);
    free(compute(&f, N_SHARDS, ROWS, 1, 1, results));
    executor = make_executor(&f, ROWS, 0, N_SHARDS, 2);
    make_batch(&batch, &f.samples, ROWS, 0, N_SHARDS);
    assert_int_equal(rnn_executor_evaluate(executor, &batch.view, NULL), RNN_OK);
    for (size_t i = 0; i < N_SHARDS; i++) {
        const rnn_loss_sums *r = &rnn_executor_results(executor)[i];

        assert_true(r->loss == results[i].loss && r->n_correct == results[i].n_correct);
        assert_true(i < 6 ? r->loss > 0.0 : r->loss == 0.0 && r->n_correct == 0);
        n_correct += r->n_correct;
    }
    assert_true(n_correct <= N_SAMPLES);
    drop_batch(&batch);
    rnn_executor_destroy(&executor);
    drop(&f);
}

/* -- Gradients are the same for everyone ----------------------------------------------------- */

static void assert_same_bits(const fixture *f, size_t n_shards, size_t rows, size_t n_ranks,
                             int n_threads, const float *expected)
{
    rnn_loss_sums *results = calloc(n_shards, sizeof *results);
    float *found = compute(f, n_shards, rows, n_ranks, n_threads, results);

    if (memcmp(found, expected, f->size * sizeof(float)) != 0)
        fail_msg("%zu shards, %zu ranks x %d threads: other bits, worst difference %.2e", n_shards,
                 n_ranks, n_threads, golden_worst(found, expected, f->size));
    free(found);
    free(results);
}

static void neither_threads_nor_ranks_change_a_bit(void **state)
{
    static const size_t rank_counts[] = {1, 2, 3, 5, 8};
    rnn_loss_sums results[N_SHARDS];

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        fixture f;
        float *expected;

        make(&f, &models[i], N_SAMPLES);
        expected = compute(&f, N_SHARDS, ROWS, 1, 1, results);
        for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++)
            for (int n_threads = 1; n_threads <= 4; n_threads++)
                assert_same_bits(&f, N_SHARDS, ROWS, rank_counts[r], n_threads, expected);
        free(expected);
        drop(&f);
    }
}

/* 96 threads share 256 shards unevenly and bring 160 nodes: more than a run ever has. */
static void many_threads_with_uneven_runs_change_no_bit(void **state)
{
    enum { MANY_SHARDS = 256 };
    rnn_loss_sums results[MANY_SHARDS];
    fixture f;
    float *expected;

    (void)state;
    make(&f, &models[0], MANY_SHARDS);
    expected = compute(&f, MANY_SHARDS, 1, 1, 1, results);
    assert_same_bits(&f, MANY_SHARDS, 1, 1, 96, expected);
    free(expected);
    drop(&f);
}

/* Buffers go from step to step: what one leaves behind must not show in the next. */
static void a_second_batch_sees_nothing_of_the_first(void **state)
{
    hand_made_batch batch;
    rnn_executor *executor;
    float *const *nodes, *first;
    size_t n_nodes;
    fixture f;

    (void)state;
    make(&f, &models[MIXED], N_SAMPLES);
    executor = make_executor(&f, ROWS, 0, N_SHARDS, 3);
    make_batch(&batch, &f.samples, ROWS, 0, N_SHARDS);
    first = malloc(f.size * sizeof(float));
    for (int round = 0; round < 3; round++) {
        assert_int_equal(
            rnn_executor_gradients(executor, &batch.view, STEP, NULL, &nodes, &n_nodes), RNN_OK);
        assert_int_equal(n_nodes, 1);
        if (round == 0)
            memcpy(first, nodes[0], f.size * sizeof(float));
        else
            assert_memory_equal(first, nodes[0], f.size * sizeof(float));
        memset(nodes[0], 0x7f, f.size * sizeof(float)); /* nodes may be overwritten */
        assert_int_equal(rnn_executor_begin(executor, &batch.view, STEP),
                         RNN_OK); /* and left off */
    }
    free(first);
    drop_batch(&batch);
    rnn_executor_destroy(&executor);
    drop(&f);
}

static void what_stands_in_padding_rows_does_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rnn_loss_sums results[N_SHARDS];
        hand_made_batch batch;
        rnn_executor *executor;
        float *const *nodes, *expected;
        size_t n_nodes, short_shard = N_SAMPLES / ROWS;
        fixture f;

        make(&f, &models[i], N_SAMPLES);
        expected = compute(&f, N_SHARDS, ROWS, 1, 1, results);
        executor = make_executor(&f, ROWS, 0, N_SHARDS, 1);
        make_batch(&batch, &f.samples, ROWS, 0, N_SHARDS);
        for (size_t t = 0; t < T; t++) {
            size_t row = (short_shard * T + t) * ROWS + N_SAMPLES % ROWS;

            for (size_t k = 0; k < (ROWS - N_SAMPLES % ROWS) * I; k++)
                batch.x[row * I + k] = 3.0f + (float)k;
        }
        assert_int_equal(
            rnn_executor_gradients(executor, &batch.view, STEP, NULL, &nodes, &n_nodes), RNN_OK);
        assert_true(golden_worst(nodes[0], expected, f.size) == 0.0);
        assert_true(rnn_executor_results(executor)[short_shard].loss == results[short_shard].loss);
        free(expected);
        drop_batch(&batch);
        rnn_executor_destroy(&executor);
        drop(&f);
    }
}

static void an_empty_batch_has_a_zero_gradient(void **state)
{
    rnn_loss_sums results[N_SHARDS];
    fixture f;
    float *gradient;

    (void)state;
    make(&f, &models[MIXED], N_SAMPLES);
    f.samples.n_samples = 0;
    gradient = compute(&f, N_SHARDS, ROWS, 1, 2, results);
    for (size_t i = 0; i < f.size; i++)
        assert_true(gradient[i] == 0.0f);
    assert_true(total_loss(results, N_SHARDS) == 0.0);
    free(gradient);
    drop(&f);
}

/* -- Without the tree ------------------------------------------------------------------------ */

/* The same sum in another order: float32 sums of 11 samples' gradients. */
static void begin_and_finish_give_the_same_gradient(void **state)
{
    const double tolerance = 1e-5;

    (void)state;
    for (size_t i = 0; i < N_MODELS * 4; i++) {
        rnn_loss_sums results[N_SHARDS];
        hand_made_batch batch;
        rnn_executor *executor;
        float *expected, *found;
        fixture f;

        make(&f, &models[i / 4], N_SAMPLES);
        expected = compute(&f, N_SHARDS, ROWS, 1, 1, results);
        found = calloc(f.size, sizeof(float));
        executor = make_executor(&f, ROWS, 0, N_SHARDS, 1 + (int)(i % 4));
        make_batch(&batch, &f.samples, ROWS, 0, N_SHARDS);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(rnn_executor_begin(executor, &batch.view, STEP), RNN_OK);
            for (size_t s = rnn_model_n_stages(f.model); s-- > 0;)
                assert_int_equal(rnn_executor_finish(executor, s, found), RNN_OK);
            assert_true(golden_worst(found, expected, f.size) <= tolerance);
        }
        for (size_t s = 0; s < N_SHARDS; s++)
            assert_true(rnn_executor_results(executor)[s].loss == results[s].loss);
        free(expected);
        free(found);
        drop_batch(&batch);
        rnn_executor_destroy(&executor);
        drop(&f);
    }
}

/* -- Manners --------------------------------------------------------------------------------- */

static void the_callers_number_of_threads_is_left_alone(void **state)
{
    rnn_loss_sums results[N_SHARDS];
    int before = omp_get_max_threads();
    fixture f;

    (void)state;
    make(&f, &models[MIXED], N_SAMPLES);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        omp_set_num_threads(5);
        free(compute(&f, N_SHARDS, ROWS, 1, n_threads, results));
        assert_int_equal(omp_get_max_threads(), 5);
    }
    omp_set_num_threads(before);
    drop(&f);
}

static void slices_that_cannot_exist_are_refused_with_a_message(void **state)
{
    static const size_t rows[] = {(size_t)1 << 40, SIZE_MAX / 2};

    (void)state;
    for (size_t i = 0; i < N_MODELS * 2; i++) {
        rnn_executor *executor = (rnn_executor *)&executor;
        rnn_executor_cfg cfg = {.rows = rows[i % 2], .n_shards = N_SHARDS, .n_threads = 2};
        fixture f;

        make(&f, &models[i / 2], N_SAMPLES);
        cfg.model = f.model;
        rnn_error_adopt(RNN_OK, "");
        assert_int_not_equal(rnn_executor_create(&executor, &cfg), RNN_OK);
        assert_null(executor);
        assert_true(strlen(rnn_error_message()) > 10);
        rnn_executor_destroy(&executor);
        drop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_the_slopes_of_the_loss),
        cmocka_unit_test(gradients_and_evaluate_agree_on_the_loss),
        cmocka_unit_test(neither_threads_nor_ranks_change_a_bit),
        cmocka_unit_test(many_threads_with_uneven_runs_change_no_bit),
        cmocka_unit_test(a_second_batch_sees_nothing_of_the_first),
        cmocka_unit_test(what_stands_in_padding_rows_does_not_matter),
        cmocka_unit_test(an_empty_batch_has_a_zero_gradient),
        cmocka_unit_test(begin_and_finish_give_the_same_gradient),
        cmocka_unit_test(the_callers_number_of_threads_is_left_alone),
        cmocka_unit_test(slices_that_cannot_exist_are_refused_with_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
