/*
 * Scores of answers, against numbers worked out by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/metrics.h"
#include "kernels/random.h"

enum { IGNORED = -100 };

static rnn_comm *comm;

static int start_comm(void **state)
{
    (void)state;
    return rnn_comm_create(&comm) == RNN_OK ? 0 : -1;
}

static int stop_comm(void **state)
{
    (void)state;
    rnn_comm_destroy(&comm);
    return 0;
}

/* -- One slice ----------------------------------------------------------------------------------
 */

/* A slice and what a model answered on it, as the tests write it down. */
typedef struct answered {
    size_t seq_len, rows;
    const int32_t *length;
    const float *y;
    const int32_t *predicted, *label;
    const float *target;
} answered;

static void see(rnn_metrics *metrics, int worker, size_t shard, const answered *a)
{
    const rnn_slice slice = {.seq_len = a->seq_len, .rows = a->rows, .length = a->length};
    const rnn_batch_shard targets = {.label = a->label, .target = a->target};
    const rnn_answers answers = {&slice, a->y, a->predicted, &targets};

    rnn_metrics_see(metrics, worker, shard, &answers);
}

static rnn_metrics_cfg cfg_of(rnn_task task, size_t n_features, bool per_step)
{
    return (rnn_metrics_cfg){
        .objective = {.type = task == RNN_TASK_VALUES  ? RNN_LOSS_MSE
                              : task == RNN_TASK_MARKS ? RNN_LOSS_BCE_WITH_LOGITS
                                                       : RNN_LOSS_CROSS_ENTROPY,
                      .cross_entropy = {.ignore_index = IGNORED},
                      .targets_per_step = per_step},
        .task = task,
        .output = {.seq_len = 8, .n_features = n_features, .is_single = !per_step},
        .n_shards = 1,
        .n_own_shards = 1,
        .n_threads = 1};
}

static rnn_metrics *create(const rnn_metrics_cfg *cfg)
{
    rnn_metrics *metrics;

    assert_int_equal(rnn_metrics_create(&metrics, cfg), RNN_OK);
    rnn_metrics_clear(metrics);
    return metrics;
}

static rnn_scores finish(rnn_metrics *metrics, double loss)
{
    rnn_scores scores;

    assert_int_equal(rnn_metrics_finish(metrics, comm, loss, &scores), RNN_OK);
    return scores;
}

/* Of one slice, with a loss of 0.5. */
static rnn_scores scores_of(const rnn_metrics_cfg *cfg, const answered *a)
{
    rnn_metrics *metrics = create(cfg);
    rnn_scores scores;

    see(metrics, 0, 0, a);
    scores = finish(metrics, 0.5);
    rnn_metrics_destroy(&metrics);
    assert_null(metrics);
    return scores;
}

static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12 * fmax(1.0, fabs(expected))))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

/* -- Tasks --------------------------------------------------------------------------------------
 */

static void the_task_follows_from_loss_and_data(void **state)
{
    const rnn_dataset_info plain = {.n_classes = 3}, text = {.is_language = true};
    rnn_objective objective = {.type = RNN_LOSS_CROSS_ENTROPY};

    (void)state;
    assert_int_equal(rnn_task_of(&objective, &plain), RNN_TASK_CLASSES);
    assert_int_equal(rnn_task_of(&objective, &text), RNN_TASK_LANGUAGE);
    objective.type = RNN_LOSS_BCE_WITH_LOGITS;
    assert_int_equal(rnn_task_of(&objective, &plain), RNN_TASK_MARKS);
    objective.type = RNN_LOSS_L1;
    assert_int_equal(rnn_task_of(&objective, &plain), RNN_TASK_VALUES);
}

/* -- Classes ------------------------------------------------------------------------------------
 */

/*
 * Ten sequences, five classes, of which 3 is only answered and 4 does neither:
 *
 *     class   TP  label  answer   F1
 *     0        3      4       4   6/8
 *     1        2      4       3   4/7
 *     2        1      2       2   2/4
 *     3        0      0       1   0
 */
static const int32_t ten_ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const int32_t ten_labels[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2};
static const int32_t ten_answers[] = {0, 0, 0, 1, 1, 1, 2, 3, 2, 0};
static const answered ten = {
    .seq_len = 1, .rows = 10, .length = ten_ones, .predicted = ten_answers, .label = ten_labels};

static void accuracy_and_f1_of_classes(void **state)
{
    const rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 5, false);
    rnn_scores s = scores_of(&cfg, &ten);

    (void)state;
    assert_close(s.n_targets, 10.0);
    assert_close(s.accuracy, 0.6);
    assert_close(s.f1, (6.0 / 8.0 + 4.0 / 7.0 + 2.0 / 4.0 + 0.0) / 4.0);
    assert_close(s.loss, 0.5);
    assert_true(isnan(s.perplexity) && isnan(s.bits));
    assert_true(isnan(s.mse) && isnan(s.mae) && isnan(s.rmse));
}

static void a_confusion_matrix_has_labels_as_rows(void **state)
{
    static const double expected[5][5] = {
        {3, 1, 0, 0, 0}, {0, 2, 1, 1, 0}, {1, 0, 1, 0, 0}, {0}, {0}};
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 5, false);
    rnn_metrics *metrics;
    const double *found;
    size_t n;

    (void)state;
    cfg.with_confusion = true;
    metrics = create(&cfg);
    see(metrics, 0, 0, &ten);
    finish(metrics, 0.5);
    found = rnn_metrics_confusion(metrics, &n);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < 25; i++)
        assert_true(found[i] == expected[i / 5][i % 5]);
    rnn_metrics_destroy(&metrics);
}

static void there_is_no_confusion_matrix_unasked_or_too_large(void **state)
{
    static const struct {
        rnn_task task;
        size_t n_features;
        bool asked, is_there;
    } cases[] = {{RNN_TASK_CLASSES, 5, false, false},
                 {RNN_TASK_CLASSES, RNN_MAX_CONFUSION, true, true},
                 {RNN_TASK_CLASSES, RNN_MAX_CONFUSION + 1, true, false},
                 {RNN_TASK_LANGUAGE, 5, true, false},
                 {RNN_TASK_MARKS, 5, true, false},
                 {RNN_TASK_VALUES, 5, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_metrics_cfg cfg = cfg_of(cases[i].task, cases[i].n_features, false);
        rnn_metrics *metrics;
        size_t n;

        cfg.with_confusion = cases[i].asked;
        metrics = create(&cfg);
        finish(metrics, 0.5);
        assert_int_equal(rnn_metrics_confusion(metrics, &n) != NULL, cases[i].is_there);
        rnn_metrics_destroy(&metrics);
    }
}

/* Labels that are negative or ignored take part in nothing, and their answers neither. */
static void labels_that_do_not_count(void **state)
{
    static const int32_t label[] = {0, IGNORED, 1, -1, 2, 1};
    static const int32_t predicted[] = {0, 2, 1, 2, 1, 1};
    const answered a = {
        .seq_len = 1, .rows = 6, .length = ten_ones, .predicted = predicted, .label = label};
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 3, false);
    rnn_scores s = scores_of(&cfg, &a);

    (void)state;
    assert_close(s.n_targets, 4.0);
    assert_close(s.accuracy, 0.75);
    assert_close(s.f1, (1.0 + 4.0 / 5.0 + 0.0) / 3.0);
    cfg.objective.cross_entropy.ignore_index = 1; /* a class: labels 0 and 2 are left */
    s = scores_of(&cfg, &a);
    assert_close(s.n_targets, 2.0);
    assert_close(s.accuracy, 0.5);
    assert_close(s.f1, 1.0 / 3.0); /* classes 0, 1 (answered for 2), 2 */
}

static void nothing_seen_has_no_scores(void **state)
{
    static const rnn_task tasks[] = {RNN_TASK_CLASSES, RNN_TASK_VALUES, RNN_TASK_MARKS};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const rnn_metrics_cfg cfg = cfg_of(tasks[i], 3, false);
        rnn_metrics *metrics = create(&cfg);
        rnn_scores s = finish(metrics, (double)NAN);

        assert_true(s.n_targets == 0.0);
        assert_true(isnan(s.accuracy) && isnan(s.f1) && isnan(s.mse) && isnan(s.mae));
        rnn_metrics_destroy(&metrics);
    }
    assert_true(isnan(rnn_no_scores.loss) && isnan(rnn_no_scores.n_targets) &&
                isnan(rnn_no_scores.accuracy) && isnan(rnn_no_scores.f1) &&
                isnan(rnn_no_scores.perplexity) && isnan(rnn_no_scores.bits) &&
                isnan(rnn_no_scores.mse) && isnan(rnn_no_scores.mae) && isnan(rnn_no_scores.rmse));
}

static void what_was_seen_is_forgotten(void **state)
{
    const rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 5, false);
    rnn_metrics *metrics = create(&cfg);

    (void)state;
    for (int round = 0; round < 2; round++) {
        see(metrics, 0, 0, &ten);
        assert_close(finish(metrics, 0.5).n_targets, 10.0);
        rnn_metrics_clear(metrics);
    }
    rnn_metrics_destroy(&metrics);
}

/* -- Steps --------------------------------------------------------------------------------------
 */

/*
 * Three steps of three rows with 3, 1 and 0 steps; what stands past the ends would be right.
 *
 *     label      0 1 .    answer     0 2 .
 *                2 1 .               1 1 .
 *                1 1 .               1 1 .
 */
static const int32_t ragged_length[] = {3, 1, 0};
static const int32_t ragged_label[] = {0, 1, 2, 2, 1, 2, 1, 1, 2};
static const int32_t ragged_answer[] = {0, 2, 2, 1, 1, 2, 1, 1, 2};
static const answered ragged = {.seq_len = 3,
                                .rows = 3,
                                .length = ragged_length,
                                .predicted = ragged_answer,
                                .label = ragged_label};

static void steps_past_the_end_of_a_sequence_are_not_there(void **state)
{
    const rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 3, true);
    rnn_scores s = scores_of(&cfg, &ragged);

    (void)state;
    assert_close(s.n_targets, 4.0);
    assert_close(s.accuracy, 0.5);
    assert_close(s.f1, (1.0 + 2.0 / 4.0 + 0.0) / 3.0);
}

static void only_the_last_step_may_count(void **state)
{
    static const int32_t one_each[] = {2, 2, 0}; /* of a sequence */
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 3, true);
    answered a = ragged;
    rnn_scores s;

    (void)state;
    cfg.objective.last_only = true;
    s = scores_of(&cfg, &a); /* labels 1 and 1, answers 1 and 2 */
    assert_close(s.n_targets, 2.0);
    assert_close(s.accuracy, 0.5);
    cfg.objective.targets_per_step = false;
    a.label = one_each;
    s = scores_of(&cfg, &a); /* labels 2 and 2, answers 1 and 2 */
    assert_close(s.n_targets, 2.0);
    assert_close(s.accuracy, 0.5);
    assert_close(s.f1, (0.0 + 2.0 / 3.0) / 2.0);
}

/* After a select the output has one step, however long the sequence was. */
static void one_answer_for_a_sequence(void **state)
{
    static const int32_t length[] = {7, 2, 0, 8}, label[] = {1, 0, 1, 2};
    static const int32_t predicted[] = {1, 0, 1, 0};
    const answered a = {
        .seq_len = 8, .rows = 4, .length = length, .predicted = predicted, .label = label};
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_CLASSES, 3, false);

    (void)state;
    for (int last_only = 0; last_only < 2; last_only++) {
        rnn_scores s;

        cfg.objective.last_only = last_only;
        s = scores_of(&cfg, &a);
        assert_close(s.n_targets, 3.0);
        assert_close(s.accuracy, 2.0 / 3.0);
    }
}

/* -- Language -----------------------------------------------------------------------------------
 */

static void perplexity_and_bits_come_from_the_loss(void **state)
{
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_LANGUAGE, 3, true);
    rnn_metrics *metrics = create(&cfg);
    rnn_scores s;

    (void)state;
    see(metrics, 0, 0, &ragged);
    s = finish(metrics, log(8.0));
    assert_close(s.perplexity, 8.0);
    assert_close(s.bits, 3.0);
    assert_close(s.accuracy, 0.5);
    rnn_metrics_destroy(&metrics);
    cfg.objective.is_sum = true; /* a sum over the steps of a sequence tells neither */
    s = scores_of(&cfg, &ragged);
    assert_true(isnan(s.perplexity) && isnan(s.bits));
    assert_close(s.accuracy, 0.5);
}

/* -- Values -------------------------------------------------------------------------------------
 */

/* Two sequences of two and one steps with two values; errors 1, -2, 0, 3, 0.5, 0. */
static const int32_t two_lengths[] = {2, 1};
static const float two_y[] = {1.0f, 0.0f, 0.5f, 1.0f, 2.0f, 4.0f, 99.0f, 99.0f};
static const float two_targets[] = {0.0f, 2.0f, 0.0f, 1.0f, 2.0f, 1.0f, 0.0f, 0.0f};
static const answered two = {
    .seq_len = 2, .rows = 2, .length = two_lengths, .y = two_y, .target = two_targets};

static void errors_of_values(void **state)
{
    const rnn_metrics_cfg cfg = cfg_of(RNN_TASK_VALUES, 2, true);
    rnn_scores s = scores_of(&cfg, &two);

    (void)state;
    assert_close(s.n_targets, 6.0);
    assert_close(s.mse, (1.0 + 4.0 + 9.0 + 0.25) / 6.0);
    assert_close(s.rmse, sqrt(14.25 / 6.0));
    assert_close(s.mae, 6.5 / 6.0);
    assert_true(isnan(s.accuracy) && isnan(s.f1) && isnan(s.perplexity) && isnan(s.bits));
}

/* The first value has a deviation of 10, the second one of 0.5. */
static void errors_are_in_the_units_of_the_data(void **state)
{
    static const double std[] = {10.0, 0.5};
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_VALUES, 2, true);
    rnn_scores s;

    (void)state;
    cfg.target_std = std; /* errors 10, -1, 0, 1.5, 5, 0 */
    s = scores_of(&cfg, &two);
    assert_close(s.mse, (100.0 + 1.0 + 2.25 + 25.0) / 6.0);
    assert_close(s.mae, 17.5 / 6.0);
    assert_close(s.loss, 0.5);
    cfg.objective.last_only = true; /* errors 0, 1.5, 5, 0 */
    s = scores_of(&cfg, &two);
    assert_close(s.n_targets, 4.0);
    assert_close(s.mse, (2.25 + 25.0) / 4.0);
    assert_close(s.rmse, sqrt(27.25 / 4.0));
}

/* -- Marks --------------------------------------------------------------------------------------
 */

/*
 * Three sequences, three marks; a score of 0 is no.
 *
 *     there    1 0 0   1 1 0   0 1 0
 *     answer   1 0 0   0 1 0   1 1 0     4 TN, 3 TP, 1 FP, 1 FN
 *     F1       2/4     1       neither
 */
static void marks_are_counted_one_by_one(void **state)
{
    static const float y[] = {0.1f, -1.0f, 0.0f, -0.1f, 2.0f, -3.0f, 5.0f, 0.5f, 0.0f};
    static const float target[] = {1, 0, 0, 1, 1, 0, 0, 1, 0};
    const answered a = {.seq_len = 1, .rows = 3, .length = ten_ones, .y = y, .target = target};
    const rnn_metrics_cfg cfg = cfg_of(RNN_TASK_MARKS, 3, false);
    rnn_scores s = scores_of(&cfg, &a);

    (void)state;
    assert_close(s.n_targets, 9.0);
    assert_close(s.accuracy, 7.0 / 9.0);
    assert_close(s.f1, (0.5 + 1.0) / 2.0);
    assert_true(isnan(s.mse) && isnan(s.perplexity));
}

/* -- Whoever computes a shard -------------------------------------------------------------------
 */

enum { N_SHARDS = 8, ROWS = 3, STEPS = 4, N_VALUES = 2, N_BATCHES = 3 };

enum { PLACES = STEPS * ROWS }; /* of a shard */

typedef struct random_batch {
    int32_t length[N_SHARDS * ROWS];
    float y[N_SHARDS * PLACES * N_VALUES], target[N_SHARDS * PLACES * N_VALUES];
    int32_t label[N_SHARDS * PLACES], predicted[N_SHARDS * PLACES];
} random_batch;

static void fill(random_batch *b, uint64_t number)
{
    size_t n = N_SHARDS * PLACES;

    for (size_t i = 0; i < N_SHARDS * ROWS; i++)
        b->length[i] = (int32_t)rnn_random_below(STEPS + 1, number, RNN_RANDOM_SPLIT, 0, i);
    rnn_random_uniform(b->y, n * N_VALUES, -1e3f, 1e3f, number, RNN_RANDOM_SPLIT, 1, 0);
    rnn_random_uniform(b->target, n * N_VALUES, -1.0f, 1.0f, number, RNN_RANDOM_SPLIT, 2, 0);
    for (size_t i = 0; i < n; i++) {
        b->label[i] = (int32_t)rnn_random_below(N_VALUES, number, RNN_RANDOM_SPLIT, 3, i);
        b->predicted[i] = (int32_t)rnn_random_below(N_VALUES, number, RNN_RANDOM_SPLIT, 4, i);
    }
}

/* All batches, with shards dealt to `n_threads` workers in contiguous runs or in turn. */
static rnn_scores scores_by(rnn_task task, int n_threads, bool in_turn)
{
    rnn_metrics_cfg cfg = cfg_of(task, N_VALUES, true);
    random_batch *batch = malloc(sizeof *batch);
    rnn_metrics *metrics;
    rnn_scores scores;

    cfg.n_shards = cfg.n_own_shards = N_SHARDS;
    cfg.n_threads = n_threads;
    metrics = create(&cfg);
    for (uint64_t number = 0; number < N_BATCHES; number++) {
        fill(batch, number);
        for (size_t s = 0; s < N_SHARDS; s++) {
            const answered a = {.seq_len = STEPS,
                                .rows = ROWS,
                                .length = batch->length + s * ROWS,
                                .y = batch->y + s * PLACES * N_VALUES,
                                .predicted = batch->predicted + s * PLACES,
                                .label = batch->label + s * PLACES,
                                .target = batch->target + s * PLACES * N_VALUES};
            size_t worker =
                in_turn ? s % (size_t)n_threads : s * (size_t)n_threads / (size_t)N_SHARDS;

            see(metrics, (int)worker, s, &a);
        }
    }
    scores = finish(metrics, 0.25);
    rnn_metrics_destroy(&metrics);
    free(batch);
    return scores;
}

static void it_does_not_matter_which_worker_sees_a_shard(void **state)
{
    static const rnn_task tasks[] = {RNN_TASK_CLASSES, RNN_TASK_VALUES, RNN_TASK_MARKS};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        rnn_scores expected = scores_by(tasks[i], 1, false);

        assert_true(expected.n_targets > 50.0);
        for (int n_threads = 2; n_threads <= N_SHARDS; n_threads++)
            for (int in_turn = 0; in_turn < 2; in_turn++) {
                rnn_scores found = scores_by(tasks[i], n_threads, in_turn);

                assert_memory_equal(&found, &expected, sizeof found);
            }
    }
}

/* A rank's own shards are numbered from 0, their sums lie at first_shard. */
static void shards_of_another_rank_have_their_own_place(void **state)
{
    rnn_metrics_cfg cfg = cfg_of(RNN_TASK_VALUES, 2, true);
    rnn_metrics *metrics;
    rnn_scores s;

    (void)state;
    cfg.n_shards = 4;
    cfg.first_shard = 2;
    cfg.n_own_shards = 2;
    metrics = create(&cfg);
    see(metrics, 0, 0, &two);
    see(metrics, 0, 1, &two);
    s = finish(metrics, 0.5);
    assert_close(s.n_targets, 12.0);
    assert_close(s.mse, 14.25 / 6.0);
    rnn_metrics_destroy(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_task_follows_from_loss_and_data),
        cmocka_unit_test(accuracy_and_f1_of_classes),
        cmocka_unit_test(a_confusion_matrix_has_labels_as_rows),
        cmocka_unit_test(there_is_no_confusion_matrix_unasked_or_too_large),
        cmocka_unit_test(labels_that_do_not_count),
        cmocka_unit_test(nothing_seen_has_no_scores),
        cmocka_unit_test(what_was_seen_is_forgotten),
        cmocka_unit_test(steps_past_the_end_of_a_sequence_are_not_there),
        cmocka_unit_test(only_the_last_step_may_count),
        cmocka_unit_test(one_answer_for_a_sequence),
        cmocka_unit_test(perplexity_and_bits_come_from_the_loss),
        cmocka_unit_test(errors_of_values),
        cmocka_unit_test(errors_are_in_the_units_of_the_data),
        cmocka_unit_test(marks_are_counted_one_by_one),
        cmocka_unit_test(it_does_not_matter_which_worker_sees_a_shard),
        cmocka_unit_test(shards_of_another_rank_have_their_own_place),
    };

    return cmocka_run_group_tests(tests, start_comm, stop_comm);
}
