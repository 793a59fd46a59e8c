/*
 * The objective: which losses fit which data and models, what counts, and what sums become.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/objective.h"

static const rnn_shape sequence = {.seq_len = 7, .n_features = 4};
static const rnn_shape single = {.seq_len = 1, .n_features = 4, .is_single = true};

static rnn_dataset_info data_of(rnn_target_kind kind)
{
    bool is_label = kind == RNN_TARGET_LABEL || kind == RNN_TARGET_STEP_LABEL;

    return (rnn_dataset_info){
        .target = kind, .n_classes = is_label ? 4 : 0, .n_target_values = is_label ? 0 : 4};
}

static void losses_fit_outputs_that_have_what_the_data_has(void **state)
{
    static const struct {
        rnn_loss_type type;
        bool last_only;
        const rnn_shape *output;
        rnn_target_kind target;
        const char *refusal; /* NULL: fits */
    } cases[] = {
        {RNN_LOSS_CROSS_ENTROPY, false, &single, RNN_TARGET_LABEL, NULL},
        {RNN_LOSS_CROSS_ENTROPY, false, &sequence, RNN_TARGET_STEP_LABEL, NULL},
        {RNN_LOSS_CROSS_ENTROPY, true, &sequence, RNN_TARGET_LABEL, NULL},
        {RNN_LOSS_CROSS_ENTROPY, true, &sequence, RNN_TARGET_STEP_LABEL, NULL},
        {RNN_LOSS_MSE, false, &single, RNN_TARGET_VALUES, NULL},
        {RNN_LOSS_BCE_WITH_LOGITS, false, &sequence, RNN_TARGET_STEP_VALUES, NULL},
        {RNN_LOSS_CROSS_ENTROPY, false, &sequence, RNN_TARGET_LABEL,
         "add a layer of type \"select\""},
        {RNN_LOSS_CROSS_ENTROPY, false, &single, RNN_TARGET_STEP_LABEL, "leave the select out"},
        {RNN_LOSS_CROSS_ENTROPY, false, &single, RNN_TARGET_VALUES, "has values as targets"},
        {RNN_LOSS_L1, false, &single, RNN_TARGET_LABEL, "has classes as targets"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_objective objective = {.type = cases[i].type, .last_only = cases[i].last_only};
        rnn_dataset_info data = data_of(cases[i].target);
        rnn_status st = rnn_objective_fit(&objective, *cases[i].output, &data);

        if (cases[i].refusal == NULL) {
            assert_int_equal(st, RNN_OK);
            assert_int_equal(objective.targets_per_step,
                             cases[i].target == RNN_TARGET_STEP_LABEL ||
                                 cases[i].target == RNN_TARGET_STEP_VALUES);
            continue;
        }
        assert_int_equal(st, RNN_ERR_DATA);
        if (strstr(rnn_error_message(), cases[i].refusal) == NULL)
            fail_msg("'%s' is not in '%s'", cases[i].refusal, rnn_error_message());
    }
}

static void too_few_outputs_are_refused_with_both_numbers(void **state)
{
    rnn_objective objective = {.type = RNN_LOSS_CROSS_ENTROPY};
    rnn_dataset_info data = data_of(RNN_TARGET_LABEL);

    (void)state;
    data.n_classes = 5;
    assert_int_equal(rnn_objective_fit(&objective, single, &data), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(),
                        "the model gives 4 scores, the data has labels up to 4");
    data = data_of(RNN_TARGET_VALUES);
    data.n_target_values = 3;
    objective.type = RNN_LOSS_MSE;
    assert_int_equal(rnn_objective_fit(&objective, single, &data), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), "the model gives 4 values, the data has targets of 3");
}

/* -- What counts ----------------------------------------------------------------------------- */

enum { T = 3, ROWS = 2, K = 2 };

static const int32_t length[ROWS] = {3, 2};
static const rnn_slice slice = {.seq_len = T, .rows = ROWS, .length = length, .is_ragged = true};
static const rnn_shape scores = {.seq_len = T, .n_features = K};

/* [T][ROWS][K]: row 0 says 0, 1, 1; row 1 says 1, 0 and has ended. */
static const float y[T * ROWS * K] = {2, 0, 0, 2, 0, 2, 2, 0, 0, 2, 9, 9};

static void only_valid_steps_count(void **state)
{
    static const int32_t label[T * ROWS] = {0, 1, 1, 1, 0, -1};
    const rnn_batch_shard targets = {.label = label};
    const rnn_objective objective = {.cross_entropy = {.ignore_index = -100},
                                     .targets_per_step = true};
    float dy[T * ROWS * K];
    int32_t predicted[T * ROWS];
    rnn_loss_sums sums =
        rnn_objective_apply(&objective, &slice, scores, y, &targets, dy, predicted);
    double right = log(1.0 + exp(-2.0)), wrong = log(1.0 + exp(2.0));

    (void)state;
    assert_int_equal(sums.n_targets, 5);
    assert_int_equal(sums.n_correct, 3);
    assert_true(fabs(sums.loss - (3.0 * right + 2.0 * wrong)) < 1e-6);
    assert_true(dy[10] == 0.0f && dy[11] == 0.0f);
    assert_int_equal(predicted[0], 0);
    assert_int_equal(predicted[4], 1);
}

static void the_last_step_of_each_sequence_is_its_own(void **state)
{
    static const int32_t label[ROWS] = {1, 1};
    const rnn_batch_shard targets = {.label = label};
    const rnn_objective objective = {.cross_entropy = {.ignore_index = -100}, .last_only = true};
    float dy[T * ROWS * K];
    int32_t predicted[T * ROWS];
    rnn_loss_sums sums =
        rnn_objective_apply(&objective, &slice, scores, y, &targets, dy, predicted);

    (void)state;
    assert_int_equal(sums.n_targets, 2);
    assert_int_equal(sums.n_correct, 1);
    for (size_t i = 0; i < T * ROWS; i++) {
        bool is_last = i == 4 || i == 3; /* step 2 of row 0, step 1 of row 1 */

        assert_int_equal(dy[i * K] != 0.0f, is_last);
        assert_int_equal(predicted[i] >= 0, is_last);
    }
}

static void values_are_compared_at_valid_steps(void **state)
{
    static const float target[T * ROWS * K] = {1, 0, 0, 2, 0, 2, 2, 0, 0, 0, 0, 0};
    const rnn_batch_shard targets = {.target = target};
    const rnn_objective objective = {.type = RNN_LOSS_MSE, .targets_per_step = true};
    float dy[T * ROWS * K];
    rnn_loss_sums sums = rnn_objective_apply(&objective, &slice, scores, y, &targets, dy, NULL);

    (void)state;
    assert_int_equal(sums.n_targets, 10);
    assert_true(fabs(sums.loss - 5.0) < 1e-6); /* (2 - 1)^2 + (2 - 0)^2 */
    assert_true(dy[0] == 2.0f && dy[9] == 4.0f && dy[10] == 0.0f);
}

/* -- Sums to means --------------------------------------------------------------------------- */

static void means_divide_by_targets_and_sums_by_sequences(void **state)
{
    const rnn_objective mean = {.is_sum = false}, sum = {.is_sum = true};

    (void)state;
    assert_true(rnn_objective_mean(&mean, 12.0, 6.0, 3.0) == 2.0);
    assert_true(rnn_objective_mean(&sum, 12.0, 6.0, 3.0) == 4.0);
    assert_true(rnn_objective_gradient_scale(&mean, 4.0) == 0.25f);
    assert_true(rnn_objective_gradient_scale(&sum, 4.0) == 1.0f);
    assert_true(rnn_objective_gradient_scale(&mean, 0.0) == 0.0f); /* all labels ignored */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_fit_outputs_that_have_what_the_data_has),
        cmocka_unit_test(too_few_outputs_are_refused_with_both_numbers),
        cmocka_unit_test(only_valid_steps_count),
        cmocka_unit_test(the_last_step_of_each_sequence_is_its_own),
        cmocka_unit_test(values_are_compared_at_valid_steps),
        cmocka_unit_test(means_divide_by_targets_and_sums_by_sequences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
