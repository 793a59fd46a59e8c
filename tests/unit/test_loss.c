/*
 * Cross entropy against torch (losses.h5) and against cases with a closed form.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "kernels/loss.h"

/* One expf and one rounding of each probability, at most 1. */
static const double tolerance = 1e-6;

/* torch's three ways to sum up; ours is its "sum". */
typedef enum divisor { DIVIDE_NOT, DIVIDE_BY_ROWS, DIVIDE_BY_COUNTED_ROWS } divisor;

static double divide_by(divisor d, const int32_t *label, size_t rows)
{
    size_t counted = 0;

    for (size_t r = 0; r < rows; r++)
        counted += label[r] >= 0;
    return d == DIVIDE_NOT ? 1.0 : d == DIVIDE_BY_ROWS ? (double)rows : (double)counted;
}

static void check_case(hid_t file, const char *name, divisor d)
{
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
    size_t rows, count;
    int32_t *label = golden_read(group, "target", H5T_NATIVE_INT32, &rows);
    float *logits = golden_read(group, "input", H5T_NATIVE_FLOAT, &count);
    double *value = golden_read(group, "value", H5T_NATIVE_DOUBLE, NULL);
    float *torch = golden_floats(group, "grad_input"), *ours = calloc(count, sizeof(float));
    double scale = 1.0 / divide_by(d, label, rows), worst;
    rnn_loss_sums sums = rnn_loss_cross_entropy(rows, count / rows, logits, label, ours);

    for (size_t i = 0; i < count; i++)
        ours[i] = (float)((double)ours[i] * scale);
    worst = golden_worst(ours, torch, count);
    print_message("  %-30s loss %.2e, gradient %.2e from torch's\n", name,
                  fabs(sums.loss * scale - *value), worst);
    assert_true(fabs(sums.loss * scale - *value) <= tolerance * fmax(1.0, fabs(*value)));
    assert_true(worst <= tolerance);
    free(label);
    free(logits);
    free(value);
    free(torch);
    free(ours);
    H5Gclose(group);
}

static void loss_and_gradient_equal_torchs(void **state)
{
    hid_t file = golden_open("losses.h5");

    (void)state;
    check_case(file, "cross_entropy_sum", DIVIDE_NOT);
    check_case(file, "cross_entropy_mean", DIVIDE_BY_ROWS);
    check_case(file, "cross_entropy_ignore_minus100", DIVIDE_BY_COUNTED_ROWS);
    H5Fclose(file);
}

static void equal_scores_cost_the_logarithm_of_their_number(void **state)
{
    const float logits[4] = {3.0f, 3.0f, 3.0f, 3.0f};
    const int32_t label = 2;
    float gradient[4];
    rnn_loss_sums sums = rnn_loss_cross_entropy(1, 4, logits, &label, gradient);

    (void)state;
    assert_true(fabs(sums.loss - log(4.0)) < 1e-12);
    for (int j = 0; j < 4; j++)
        assert_true(gradient[j] == (j == label ? -0.75f : 0.25f));
}

static void of_equal_best_scores_only_the_first_is_correct(void **state)
{
    const float logits[] = {0.0f, 5.0f, 5.0f, 0.0f, 5.0f, 5.0f};
    const int32_t first[] = {1, 1}, second[] = {2, 2};

    (void)state;
    assert_int_equal(rnn_loss_cross_entropy(2, 3, logits, first, NULL).n_correct, 2);
    assert_int_equal(rnn_loss_cross_entropy(2, 3, logits, second, NULL).n_correct, 0);
}

static void ignored_rows_count_nothing_and_get_a_zero_gradient(void **state)
{
    const float logits[] = {1.0f, 2.0f, 1e30f, -1e30f, 2.0f, 1.0f};
    const int32_t label[] = {1, -1, 0};
    float gradient[] = {9.0f, 9.0f, 9.0f, 9.0f, 9.0f, 9.0f};
    rnn_loss_sums sums = rnn_loss_cross_entropy(3, 2, logits, label, gradient);

    (void)state;
    assert_true(fabs(sums.loss - 2.0 * log1p(exp(-1.0))) < tolerance);
    assert_int_equal(sums.n_correct, 2);
    assert_true(gradient[2] == 0.0f && gradient[3] == 0.0f);
    assert_true(gradient[0] > 0.0f && gradient[5] > 0.0f);
}

/* exp(1e4) would overflow; the largest score is subtracted first. */
static void large_scores_do_not_overflow(void **state)
{
    const float logits[] = {1e4f, 0.0f, -1e4f};
    const int32_t best = 0, worst = 2;
    float gradient[3];
    rnn_loss_sums right = rnn_loss_cross_entropy(1, 3, logits, &best, gradient), wrong;

    (void)state;
    assert_true(right.loss == 0.0 && right.n_correct == 1);
    assert_true(gradient[0] == 0.0f && gradient[1] == 0.0f && gradient[2] == 0.0f);
    wrong = rnn_loss_cross_entropy(1, 3, logits, &worst, gradient);
    assert_true(wrong.loss == 2e4 && wrong.n_correct == 0);
    assert_true(gradient[0] == 1.0f && gradient[1] == 0.0f && gradient[2] == -1.0f);
}

static void a_score_that_is_not_finite_shows_in_the_loss(void **state)
{
    const float with_nan[] = {0.0f, NAN}, with_infinity[] = {0.0f, INFINITY};
    const int32_t label = 0;

    (void)state;
    assert_true(!isfinite(rnn_loss_cross_entropy(1, 2, with_nan, &label, NULL).loss));
    assert_true(!isfinite(rnn_loss_cross_entropy(1, 2, with_infinity, &label, NULL).loss));
}

static void the_gradient_may_replace_the_scores(void **state)
{
    float in_place[] = {0.5f, -1.0f, 2.0f, 0.1f, 0.2f, 0.3f}, apart[6];
    const int32_t label[] = {2, 0};
    rnn_loss_sums a = rnn_loss_cross_entropy(2, 3, in_place, label, apart);
    rnn_loss_sums b = rnn_loss_cross_entropy(2, 3, in_place, label, NULL);
    rnn_loss_sums c = rnn_loss_cross_entropy(2, 3, in_place, label, in_place);

    (void)state;
    assert_memory_equal(in_place, apart, sizeof apart);
    assert_true(a.loss == b.loss && b.loss == c.loss);
    assert_true(a.n_correct == 1 && b.n_correct == 1 && c.n_correct == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_equal_torchs),
        cmocka_unit_test(equal_scores_cost_the_logarithm_of_their_number),
        cmocka_unit_test(of_equal_best_scores_only_the_first_is_correct),
        cmocka_unit_test(ignored_rows_count_nothing_and_get_a_zero_gradient),
        cmocka_unit_test(large_scores_do_not_overflow),
        cmocka_unit_test(a_score_that_is_not_finite_shows_in_the_loss),
        cmocka_unit_test(the_gradient_may_replace_the_scores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
