/*
 * Dropout: the numbers are Random123's, and nothing but the place of an element decides about it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <Random123/philox.h>

#include "kernels/dropout.h"
#include "kernels/random.h"

enum { T = 3, ROWS = 6, MAX_FEATURES = 300 };

static float *ones(size_t count)
{
    float *x = malloc(count * sizeof(float));

    for (size_t i = 0; i < count; i++)
        x[i] = 1.0f;
    return x;
}

/* What is kept of [seq_len][rows][n_features] ones. Free it. */
static float *mask(const rnn_dropout_args *args, size_t seq_len, size_t rows, size_t n_features)
{
    float *y = ones(seq_len * rows * n_features);

    rnn_dropout(args, seq_len, rows, n_features, y, y);
    return y;
}

/* The definition in the header, with Random123's generator. */
static bool is_kept(const rnn_dropout_args *args, size_t t, size_t row, size_t f)
{
    philox4x32_key_t key = {{(uint32_t)args->key, (uint32_t)(args->key >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)(f / 4), args->is_variational ? 0 : (uint32_t)t,
                                 (uint32_t)(args->first_row + row), RNN_RANDOM_DROPOUT}};
    philox4x32_ctr_t numbers = philox4x32(counter, key);

    return !((double)numbers.v[f % 4] < args->p * 0x1p32);
}

/* Sizes around a vector, a block and several blocks; keys and rows that use their upper bits. */
static void elements_are_kept_by_random123s_numbers(void **state)
{
    static const size_t n_features[] = {1, 3, 4, 5, 16, 17, 127, 128, 129, MAX_FEATURES};
    static const rnn_dropout_args args[] = {{0.5, 0, 0, false},
                                            {0.1, UINT64_C(0x123456789abcdef0), 7, false},
                                            {0.9, UINT64_MAX, UINT32_MAX - ROWS, false},
                                            {0.4, 12, 3, true}};

    (void)state;
    for (size_t a = 0; a < sizeof args / sizeof *args; a++)
        for (size_t n = 0; n < sizeof n_features / sizeof *n_features; n++) {
            float *y = mask(&args[a], T, ROWS, n_features[n]), *place = y;

            for (size_t t = 0; t < T; t++)
                for (size_t r = 0; r < ROWS; r++)
                    for (size_t f = 0; f < n_features[n]; f++, place++)
                        if ((*place != 0.0f) != is_kept(&args[a], t, r, f))
                            fail_msg("p %g, %zu features: (%zu, %zu, %zu) is %g", args[a].p,
                                     n_features[n], t, r, f, (double)*place);
            free(y);
        }
}

static void what_is_kept_is_divided_by_its_probability(void **state)
{
    enum { N = 200 };
    const rnn_dropout_args args = {0.2, 5, 0, false};
    float x[N], y[N];

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = (float)(i - 50);
    rnn_dropout(&args, 1, 1, N, x, y);
    for (size_t i = 0; i < N; i++)
        assert_true(y[i] == (is_kept(&args, 0, 0, i) ? x[i] * 1.25f : 0.0f));
}

static void assert_cut_does_not_matter(rnn_dropout_args args)
{
    enum { N = 37, CUT = 2, REST = ROWS - CUT };
    rnn_dropout_args second = args;
    float *whole = mask(&args, T, ROWS, N), *left = mask(&args, T, CUT, N), *right;

    second.first_row += CUT;
    right = mask(&second, T, REST, N);
    for (size_t t = 0; t < T; t++) {
        assert_memory_equal(whole + t * ROWS * N, left + t * CUT * N, CUT * N * sizeof(float));
        assert_memory_equal(whole + (t * ROWS + CUT) * N, right + t * REST * N,
                            REST * N * sizeof(float));
    }
    free(whole);
    free(left);
    free(right);
}

static void the_cut_into_slices_does_not_matter(void **state)
{
    (void)state;
    assert_cut_does_not_matter((rnn_dropout_args){0.4, 99, 10, false});
    assert_cut_does_not_matter((rnn_dropout_args){0.4, 99, 10, true});
}

/* An element keeps its number whatever else there is: longer sequences, more features. */
static void the_shape_around_an_element_does_not_matter(void **state)
{
    const rnn_dropout_args args = {0.5, 3, 0, false};
    float *small = mask(&args, 1, 1, 30), *large = mask(&args, 2, 1, 200);

    (void)state;
    assert_memory_equal(small, large, 30 * sizeof(float));
    free(small);
    free(large);
}

/* Fixed keys, so nothing here is left to chance; the bounds are five standard deviations. */
static void about_one_in_one_minus_p_is_kept(void **state)
{
    static const double ps[] = {0.01, 0.25, 0.5, 0.9};
    const size_t seq_len = 20, rows = 50, n = 100, count = seq_len * rows * n;

    (void)state;
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
        rnn_dropout_args args = {ps[i], 1234, 0, false};
        float *y = mask(&args, seq_len, rows, n);
        double kept = 0.0, expected = (1.0 - ps[i]) * (double)count;

        for (size_t k = 0; k < count; k++)
            kept += y[k] != 0.0f;
        print_message("  p %.2f: kept %.4f\n", ps[i], kept / (double)count);
        assert_true(fabs(kept - expected) <= 5.0 * sqrt(expected * ps[i]));
        free(y);
    }
}

/* Two independent masks of p = 1/2 agree in half of their elements. */
static double agreement(const float *a, const float *b, size_t count)
{
    size_t n_equal = 0;

    for (size_t i = 0; i < count; i++)
        n_equal += a[i] == b[i];
    return (double)n_equal / (double)count;
}

static void neighbouring_keys_rows_and_steps_are_independent(void **state)
{
    enum { N = 10000 };
    const double bound = 5.0 * 0.5 / sqrt((double)N);
    const rnn_dropout_args args = {0.5, 1000, 0, false}, next_key = {0.5, 1001, 0, false};
    const rnn_dropout_args upper_key = {0.5, 1000 + (UINT64_C(1) << 32), 0, false};
    float *a = mask(&args, 2, 2, N); /* (t, row): (0, 0), (0, 1), (1, 0), (1, 1) */
    float *b = mask(&next_key, 1, 1, N), *c = mask(&upper_key, 1, 1, N);
    const float *others[] = {b, c, a + N, a + 2 * N, a + 1};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(fabs(agreement(a, others[i], N) - 0.5) <= bound);
    assert_true(fabs(agreement(a + N, a + 2 * N, N) - 0.5) <= bound);
    free(a);
    free(b);
    free(c);
}

static void without_dropout_everything_is_copied(void **state)
{
    const rnn_dropout_args args = {0.0, 1, 0, false};
    float x[T * ROWS * 5], y[T * ROWS * 5];

    (void)state;
    for (int i = 0; i < T * ROWS * 5; i++)
        x[i] = sinf((float)i);
    rnn_dropout(&args, T, ROWS, 5, x, y);
    assert_memory_equal(x, y, sizeof x);
    rnn_dropout(&args, T, ROWS, 5, x, x);
    assert_memory_equal(x, y, sizeof x);
}

static void with_p_of_one_everything_is_zero(void **state)
{
    const rnn_dropout_args args = {1.0, 1, 0, false};
    float *y = mask(&args, T, ROWS, MAX_FEATURES);

    (void)state;
    for (size_t i = 0; i < T * ROWS * MAX_FEATURES; i++)
        assert_true(y[i] == 0.0f);
    free(y);
}

static void the_same_call_gives_the_input_gradient(void **state)
{
    enum { N = 50 };
    const rnn_dropout_args args = {0.3, 8, 4, false};
    float x[N], y[N], dy[N], dx[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = (float)(1 + i);
        dy[i] = 0.5f * (float)(1 + i);
    }
    rnn_dropout(&args, 1, 1, N, x, y);
    rnn_dropout(&args, 1, 1, N, dy, dx);
    for (int i = 0; i < N; i++)
        assert_true(dx[i] == 0.5f * y[i]);
}

/* -- Variational ------------------------------------------------------------------------------- */

static void variational_dropout_drops_alike_at_all_steps(void **state)
{
    enum { STEPS = 40, N = MAX_FEATURES };
    const rnn_dropout_args args = {0.25, 77, 5, true};
    float *y = mask(&args, STEPS, ROWS, N);
    double kept = 0.0, expected = 0.75 * ROWS * N;

    (void)state;
    for (size_t t = 1; t < STEPS; t++)
        assert_memory_equal(y + t * ROWS * N, y, ROWS * N * sizeof(float));
    for (size_t i = 0; i < ROWS * N; i++) {
        assert_true(y[i] == 0.0f || y[i] == (float)(1.0 / 0.75));
        kept += y[i] != 0.0f;
    }
    assert_true(fabs(kept - expected) <= 5.0 * sqrt(expected * 0.25));
    free(y);
}

static void variational_masks_of_rows_and_keys_are_independent(void **state)
{
    enum { N = 10000 };
    const double bound = 5.0 * 0.5 / sqrt((double)N);
    const rnn_dropout_args args = {0.5, 1000, 0, true}, next_key = {0.5, 1001, 0, true};
    float *a = mask(&args, 1, 2, N), *b = mask(&next_key, 1, 1, N);
    const float *others[] = {b, a + N, a + 1};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(fabs(agreement(a, others[i], N) - 0.5) <= bound);
    free(a);
    free(b);
}

static void variational_values_keep_their_places(void **state)
{
    enum { N = 37 };
    const rnn_dropout_args args = {0.4, 99, 10, true};
    float x[T * ROWS * N], y[T * ROWS * N];
    float *kept = mask(&args, T, ROWS, N);

    (void)state;
    for (int i = 0; i < T * ROWS * N; i++)
        x[i] = (float)(1 + i);
    rnn_dropout(&args, T, ROWS, N, x, y);
    for (size_t i = 0; i < T * ROWS * N; i++)
        assert_true(y[i] == x[i] * kept[i]);
    rnn_dropout(&args, T, ROWS, N, x, x); /* in place */
    assert_memory_equal(x, y, sizeof x);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_kept_by_random123s_numbers),
        cmocka_unit_test(what_is_kept_is_divided_by_its_probability),
        cmocka_unit_test(the_cut_into_slices_does_not_matter),
        cmocka_unit_test(the_shape_around_an_element_does_not_matter),
        cmocka_unit_test(about_one_in_one_minus_p_is_kept),
        cmocka_unit_test(neighbouring_keys_rows_and_steps_are_independent),
        cmocka_unit_test(without_dropout_everything_is_copied),
        cmocka_unit_test(with_p_of_one_everything_is_zero),
        cmocka_unit_test(the_same_call_gives_the_input_gradient),
        cmocka_unit_test(variational_dropout_drops_alike_at_all_steps),
        cmocka_unit_test(variational_masks_of_rows_and_keys_are_independent),
        cmocka_unit_test(variational_values_keep_their_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
