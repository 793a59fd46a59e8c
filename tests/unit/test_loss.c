/*
 * The losses against torch (losses.h5), against cases with a closed form and against slopes.
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

static const rnn_cross_entropy_args plain = {.ignore_index = -100};

static rnn_loss_sums cross_entropy(size_t rows, size_t n_classes, const float *logits,
                                   const int32_t *label, float *dlogits)
{
    return rnn_loss_cross_entropy(&plain, rows, n_classes, logits, label, dlogits, NULL);
}

/* -- As in torch ----------------------------------------------------------------------------- */

/* torch's reductions: "mean" divides by the number of targets, "sum" by nothing. */
typedef enum reduction { MEAN, SUM } reduction;

/* Compares sums and their gradient [count] with what the group has; consumes the gradient. */
static void check_against(hid_t group, const char *name, reduction r, rnn_loss_sums sums,
                          float *gradient, size_t count)
{
    double *value = golden_read(group, "value", H5T_NATIVE_DOUBLE, NULL);
    float *torch = golden_floats(group, "grad_input");
    double scale = r == MEAN ? 1.0 / (double)sums.n_targets : 1.0, worst;

    for (size_t i = 0; i < count; i++)
        gradient[i] = (float)((double)gradient[i] * scale);
    worst = golden_worst(gradient, torch, count);
    print_message("  %-30s loss %.2e, gradient %.2e from torch's\n", name,
                  fabs(sums.loss * scale - *value), worst);
    assert_true(fabs(sums.loss * scale - *value) <= tolerance * fmax(1.0, fabs(*value)));
    assert_true(worst <= tolerance);
    free(value);
    free(torch);
    free(gradient);
}

static void check_classes(hid_t file, const char *name, reduction r,
                          const rnn_cross_entropy_args *args)
{
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
    size_t rows, count;
    int32_t *label = golden_read(group, "target", H5T_NATIVE_INT32, &rows);
    float *logits = golden_read(group, "input", H5T_NATIVE_FLOAT, &count);
    float *gradient = calloc(count, sizeof(float));
    rnn_loss_sums sums =
        rnn_loss_cross_entropy(args, rows, count / rows, logits, label, gradient, NULL);

    check_against(group, name, r, sums, gradient, count);
    free(label);
    free(logits);
    H5Gclose(group);
}

static void cross_entropy_equals_torchs(void **state)
{
    const rnn_cross_entropy_args smooth = {.ignore_index = -100, .label_smoothing = 0.1};
    hid_t file = golden_open("losses.h5");

    (void)state;
    check_classes(file, "cross_entropy_sum", SUM, &plain);
    check_classes(file, "cross_entropy_mean", MEAN, &plain);
    check_classes(file, "cross_entropy_ignore_minus100", MEAN, &plain);
    check_classes(file, "cross_entropy_smooth_0p1", MEAN, &smooth);
    H5Fclose(file);
}

static void check_elements(hid_t file, const char *name, rnn_loss_type type)
{
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
    size_t count;
    float *input = golden_read(group, "input", H5T_NATIVE_FLOAT, &count);
    float *target = golden_floats(group, "target"), *gradient = calloc(count, sizeof(float));
    rnn_loss_sums sums = rnn_loss_elementwise(type, 1.0, count, input, target, gradient);

    assert_true(sums.n_targets == count && sums.n_correct == 0);
    check_against(group, name, MEAN, sums, gradient, count);
    free(input);
    free(target);
    H5Gclose(group);
}

static void losses_of_elements_equal_torchs(void **state)
{
    hid_t file = golden_open("losses.h5");

    (void)state;
    check_elements(file, "mse_mean", RNN_LOSS_MSE);
    check_elements(file, "l1_mean", RNN_LOSS_L1);
    check_elements(file, "smooth_l1_mean", RNN_LOSS_SMOOTH_L1);
    check_elements(file, "bce_with_logits_mean", RNN_LOSS_BCE_WITH_LOGITS);
    H5Fclose(file);
}

/* -- Cross entropy --------------------------------------------------------------------------- */

static void equal_scores_cost_the_logarithm_of_their_number(void **state)
{
    const float logits[4] = {3.0f, 3.0f, 3.0f, 3.0f};
    const int32_t label = 2;
    float gradient[4];
    rnn_loss_sums sums = cross_entropy(1, 4, logits, &label, gradient);

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
    assert_int_equal(cross_entropy(2, 3, logits, first, NULL).n_correct, 2);
    assert_int_equal(cross_entropy(2, 3, logits, second, NULL).n_correct, 0);
}

static void ignored_rows_count_nothing_and_get_a_zero_gradient(void **state)
{
    const float logits[] = {1.0f, 2.0f, 1e30f, -1e30f, 2.0f, 1.0f};
    const int32_t label[] = {1, -1, 0};
    float gradient[] = {9.0f, 9.0f, 9.0f, 9.0f, 9.0f, 9.0f};
    rnn_loss_sums sums = cross_entropy(3, 2, logits, label, gradient);

    (void)state;
    assert_true(fabs(sums.loss - 2.0 * log1p(exp(-1.0))) < tolerance);
    assert_int_equal(sums.n_targets, 2);
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
    rnn_loss_sums right = cross_entropy(1, 3, logits, &best, gradient), wrong;

    (void)state;
    assert_true(right.loss == 0.0 && right.n_correct == 1);
    assert_true(gradient[0] == 0.0f && gradient[1] == 0.0f && gradient[2] == 0.0f);
    wrong = cross_entropy(1, 3, logits, &worst, gradient);
    assert_true(wrong.loss == 2e4 && wrong.n_correct == 0);
    assert_true(gradient[0] == 1.0f && gradient[1] == 0.0f && gradient[2] == -1.0f);
}

static void a_score_that_is_not_finite_shows_in_the_loss(void **state)
{
    const float with_nan[] = {0.0f, NAN}, with_infinity[] = {0.0f, INFINITY};
    const int32_t label = 0;

    (void)state;
    assert_true(!isfinite(cross_entropy(1, 2, with_nan, &label, NULL).loss));
    assert_true(!isfinite(cross_entropy(1, 2, with_infinity, &label, NULL).loss));
}

static void the_gradient_may_replace_the_scores(void **state)
{
    float in_place[] = {0.5f, -1.0f, 2.0f, 0.1f, 0.2f, 0.3f}, apart[6];
    const int32_t label[] = {2, 0};
    rnn_loss_sums a = cross_entropy(2, 3, in_place, label, apart);
    rnn_loss_sums b = cross_entropy(2, 3, in_place, label, NULL);
    rnn_loss_sums c = cross_entropy(2, 3, in_place, label, in_place);

    (void)state;
    assert_memory_equal(in_place, apart, sizeof apart);
    assert_true(a.loss == b.loss && b.loss == c.loss);
    assert_true(a.n_correct == 1 && b.n_correct == 1 && c.n_correct == 1);
}

static void a_class_may_be_the_ignored_one(void **state)
{
    const rnn_cross_entropy_args args = {.ignore_index = 1};
    const float logits[] = {1.0f, 1.0f, 0.0f, 5.0f};
    const int32_t label[] = {0, 1};
    float gradient[] = {9.0f, 9.0f, 9.0f, 9.0f};
    rnn_loss_sums sums = rnn_loss_cross_entropy(&args, 2, 2, logits, label, gradient, NULL);

    (void)state;
    assert_true(fabs(sums.loss - log(2.0)) < 1e-12);
    assert_true(sums.n_targets == 1 && sums.n_correct == 1);
    assert_true(gradient[0] == -0.5f && gradient[1] == 0.5f);
    assert_true(gradient[2] == 0.0f && gradient[3] == 0.0f);
}

static void every_row_gets_its_prediction_ignored_or_not(void **state)
{
    float scores[] = {0.0f, 1.0f, 0.0f, 2.0f, 1.0f, 2.0f, -3.0f, -2.0f, -1.0f};
    const int32_t label[] = {0, -1, -100}, expected[] = {1, 0, 2};
    int32_t predicted[] = {9, 9, 9};

    (void)state;
    rnn_loss_cross_entropy(&plain, 3, 3, scores, label, scores, predicted);
    assert_memory_equal(predicted, expected, sizeof expected);
}

/* Scores (0, a) and label 0: -log p = log(1 + exp(a)) and that minus a. */
static void smoothing_moves_part_of_the_target_to_all_classes(void **state)
{
    const rnn_cross_entropy_args args = {.ignore_index = -100, .label_smoothing = 0.3};
    const double a = -1.5, at_label = log1p(exp(a)), p = exp(a) / (1.0 + exp(a));
    const float logits[] = {0.0f, (float)a};
    const int32_t label = 0;
    float gradient[2];
    rnn_loss_sums sums = rnn_loss_cross_entropy(&args, 1, 2, logits, &label, gradient, NULL);

    (void)state;
    assert_true(fabs(sums.loss - (0.85 * at_label + 0.15 * (at_label - a))) < tolerance);
    assert_true(fabs((double)gradient[0] - (1.0 - p - 0.85)) < tolerance);
    assert_true(fabs((double)gradient[1] - (p - 0.15)) < tolerance);
}

static void the_smoothed_gradient_may_replace_the_scores(void **state)
{
    const rnn_cross_entropy_args args = {.ignore_index = -100, .label_smoothing = 0.2};
    float in_place[] = {0.5f, -1.0f, 2.0f, 0.1f, 0.2f, 0.3f}, apart[6];
    const int32_t label[] = {2, 0};
    rnn_loss_sums a = rnn_loss_cross_entropy(&args, 2, 3, in_place, label, apart, NULL);
    rnn_loss_sums b = rnn_loss_cross_entropy(&args, 2, 3, in_place, label, in_place, NULL);

    (void)state;
    assert_memory_equal(in_place, apart, sizeof apart);
    assert_true(a.loss == b.loss);
}

/* -- Element by element ---------------------------------------------------------------------- */

static double element_loss(rnn_loss_type type, double beta, float x, float y, float *slope)
{
    return rnn_loss_elementwise(type, beta, 1, &x, &y, slope).loss;
}

static void gradients_of_elements_are_slopes(void **state)
{
    static const struct {
        rnn_loss_type type;
        double beta;
    } losses[] = {{RNN_LOSS_MSE, 1.0},
                  {RNN_LOSS_L1, 1.0},
                  {RNN_LOSS_SMOOTH_L1, 0.25},
                  {RNN_LOSS_SMOOTH_L1, 3.0},
                  {RNN_LOSS_BCE_WITH_LOGITS, 1.0}};
    const float eps = 0x1p-8f; /* third derivatives of order 1, and float32 inside the bce */
    const float y = 0.375f;

    (void)state;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        for (float x = -4.0f; x <= 4.0f; x += 0.1875f) {
            rnn_loss_type type = losses[i].type;
            double beta = losses[i].beta, above, below;
            float slope;

            if (fabs(fabs((double)(x - y)) - beta) < 0.01 || fabsf(x - y) < 0.01f)
                continue; /* the slope jumps, or bends */
            element_loss(type, beta, x, y, &slope);
            above = element_loss(type, beta, x + eps, y, NULL);
            below = element_loss(type, beta, x - eps, y, NULL);
            if (fabs((above - below) / (2.0 * (double)eps) - (double)slope) > 1e-4)
                fail_msg("loss %d, beta %g at %g: gradient %g, slope %g", (int)type, beta,
                         (double)x, (double)slope, (above - below) / (2.0 * (double)eps));
        }
}

static void squares_and_distances_have_their_closed_forms(void **state)
{
    const float x[] = {3.0f, -1.0f, 2.0f}, y[] = {1.0f, 0.0f, 2.0f};
    const float of_mse[] = {4.0f, -2.0f, 0.0f}, of_l1[] = {1.0f, -1.0f, 0.0f};
    float gradient[3];

    (void)state;
    assert_true(rnn_loss_elementwise(RNN_LOSS_MSE, 1.0, 3, x, y, gradient).loss == 5.0);
    assert_memory_equal(gradient, of_mse, sizeof gradient);
    assert_true(rnn_loss_elementwise(RNN_LOSS_L1, 1.0, 3, x, y, gradient).loss == 3.0);
    assert_memory_equal(gradient, of_l1, sizeof gradient);
}

static void beta_is_where_smooth_l1_becomes_straight(void **state)
{
    float slope;

    (void)state;
    assert_true(element_loss(RNN_LOSS_SMOOTH_L1, 2.0, 1.0f, 0.0f, &slope) == 0.25);
    assert_true(slope == 0.5f);
    assert_true(element_loss(RNN_LOSS_SMOOTH_L1, 2.0, -2.0f, 0.0f, &slope) == 1.0);
    assert_true(slope == -1.0f);
    assert_true(element_loss(RNN_LOSS_SMOOTH_L1, 2.0, 5.0f, 0.0f, &slope) == 4.0);
    assert_true(slope == 1.0f);
}

static void smooth_l1_without_beta_is_l1(void **state)
{
    const float x[] = {3.0f, -1.0f, 2.0f}, y[] = {1.0f, 0.0f, 2.0f};
    float smooth[3], plain_l1[3];

    (void)state;
    assert_true(rnn_loss_elementwise(RNN_LOSS_SMOOTH_L1, 0.0, 3, x, y, smooth).loss ==
                rnn_loss_elementwise(RNN_LOSS_L1, 1.0, 3, x, y, plain_l1).loss);
    assert_memory_equal(smooth, plain_l1, sizeof smooth);
}

/* log(sigmoid(-200)) is not finite in float32 if taken in two steps. */
static void bce_does_not_overflow(void **state)
{
    float slope;

    (void)state;
    assert_true(element_loss(RNN_LOSS_BCE_WITH_LOGITS, 0.0, 200.0f, 0.0f, &slope) == 200.0);
    assert_true(slope == 1.0f);
    assert_true(element_loss(RNN_LOSS_BCE_WITH_LOGITS, 0.0, -200.0f, 1.0f, &slope) == 200.0);
    assert_true(slope == -1.0f);
    assert_true(element_loss(RNN_LOSS_BCE_WITH_LOGITS, 0.0, 200.0f, 1.0f, &slope) < 1e-30);
    assert_true(fabsf(slope) < 1e-30f);
}

static void a_gradient_may_replace_the_input(void **state)
{
    float in_place[] = {0.5f, -1.0f, 2.0f}, apart[3];
    const float y[] = {0.0f, 1.0f, 0.25f};
    rnn_loss_sums a = rnn_loss_elementwise(RNN_LOSS_BCE_WITH_LOGITS, 0.0, 3, in_place, y, apart);
    rnn_loss_sums b = rnn_loss_elementwise(RNN_LOSS_BCE_WITH_LOGITS, 0.0, 3, in_place, y, in_place);

    (void)state;
    assert_memory_equal(in_place, apart, sizeof apart);
    assert_true(a.loss == b.loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_equals_torchs),
        cmocka_unit_test(losses_of_elements_equal_torchs),
        cmocka_unit_test(equal_scores_cost_the_logarithm_of_their_number),
        cmocka_unit_test(of_equal_best_scores_only_the_first_is_correct),
        cmocka_unit_test(ignored_rows_count_nothing_and_get_a_zero_gradient),
        cmocka_unit_test(large_scores_do_not_overflow),
        cmocka_unit_test(a_score_that_is_not_finite_shows_in_the_loss),
        cmocka_unit_test(the_gradient_may_replace_the_scores),
        cmocka_unit_test(a_class_may_be_the_ignored_one),
        cmocka_unit_test(every_row_gets_its_prediction_ignored_or_not),
        cmocka_unit_test(smoothing_moves_part_of_the_target_to_all_classes),
        cmocka_unit_test(the_smoothed_gradient_may_replace_the_scores),
        cmocka_unit_test(gradients_of_elements_are_slopes),
        cmocka_unit_test(squares_and_distances_have_their_closed_forms),
        cmocka_unit_test(beta_is_where_smooth_l1_becomes_straight),
        cmocka_unit_test(smooth_l1_without_beta_is_l1),
        cmocka_unit_test(bce_does_not_overflow),
        cmocka_unit_test(a_gradient_may_replace_the_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
