/*
 * Choosing tokens: as often as softmax says, and always the same.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/random.h"
#include "kernels/sampling.h"

enum { DRAWS = 20000, MAX_N = 8 };

static size_t choose(const double *scores, size_t n, rnn_sampling_cfg cfg, uint64_t position)
{
    double scratch[MAX_N];
    size_t token;

    if (rnn_sample_token(scores, n, &cfg, position, scratch, &token) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_true(token < n);
    return token;
}

static void count(const double *scores, size_t n, rnn_sampling_cfg cfg, size_t counts[MAX_N])
{
    memset(counts, 0, MAX_N * sizeof *counts);
    for (uint64_t i = 0; i < DRAWS; i++)
        counts[choose(scores, n, cfg, i)]++;
}

/* Within four standard deviations; none where the probability is 0. */
static void assert_share(size_t found, double probability)
{
    double deviation = sqrt(DRAWS * probability * (1.0 - probability));

    if (!(fabs((double)found - DRAWS * probability) <= 4.0 * deviation))
        fail_msg("%zu of %d draws, expected %.1f +- %.1f", found, DRAWS, DRAWS * probability,
                 deviation);
}

static const double some[] = {0.3, -1.0, 2.0, 1.5, 0.0, 2.0};

enum { N = sizeof some / sizeof *some };

static void tokens_are_as_frequent_as_softmax_says(void **state)
{
    static const double temperatures[] = {0.5, 1.0, 3.0};

    (void)state;
    for (size_t t = 0; t < 3; t++) {
        size_t counts[MAX_N];
        double total = 0.0;

        for (size_t i = 0; i < N; i++)
            total += exp(some[i] / temperatures[t]);
        count(some, N, (rnn_sampling_cfg){.temperature = temperatures[t], .seed = 1 + t}, counts);
        for (size_t i = 0; i < N; i++)
            assert_share(counts[i], exp(some[i] / temperatures[t]) / total);
    }
}

static void a_shift_of_all_scores_changes_nothing(void **state)
{
    double shifted[N];

    (void)state;
    for (size_t i = 0; i < N; i++)
        shifted[i] = some[i] + 1024.0; /* rounds scores, but not by what the draws below notice */
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(choose(some, N, (rnn_sampling_cfg){.temperature = 1.0}, i),
                         choose(shifted, N, (rnn_sampling_cfg){.temperature = 1.0}, i));
}

static void temperature_0_and_top_1_take_the_first_largest_score(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(choose(some, N, (rnn_sampling_cfg){.temperature = 0.0}, i), 2);
        assert_int_equal(choose(some, N, (rnn_sampling_cfg){.temperature = 0.0, .top_k = 3}, i), 2);
        assert_int_equal(choose(some, N, (rnn_sampling_cfg){.temperature = 5.0, .top_k = 1}, i), 2);
    }
}

static void top_2_gives_two_tokens_in_their_ratio(void **state)
{
    const double scores[] = {0.0, 1.0, -2.0, 0.5};
    size_t counts[MAX_N];

    (void)state;
    count(scores, 4, (rnn_sampling_cfg){.temperature = 1.0, .top_k = 2, .seed = 7}, counts);
    assert_share(counts[1], 1.0 / (1.0 + exp(-0.5)));
    assert_share(counts[3], 1.0 / (1.0 + exp(0.5)));
    assert_int_equal(counts[0] + counts[2], 0);
}

/* Of the three equal scores around the cut, those with the lower numbers. */
static void ties_at_the_cut_go_to_the_first(void **state)
{
    const double scores[] = {1.0, 3.0, 1.0, 0.0, 1.0};
    size_t counts[MAX_N];

    (void)state;
    count(scores, 5, (rnn_sampling_cfg){.temperature = 4.0, .top_k = 3, .seed = 8}, counts);
    assert_true(counts[0] > 0 && counts[1] > 0 && counts[2] > 0);
    assert_int_equal(counts[3] + counts[4], 0);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* At a high temperature all that counts comes up; scores repeat, so that there are ties. */
static void top_k_keeps_the_k_largest_whatever_their_order(void **state)
{
    enum { CASES = 300 };

    (void)state;
    for (uint64_t c = 0; c < CASES; c++) {
        size_t n = 1 + (size_t)rnn_random_below(MAX_N, 1, RNN_RANDOM_SPLIT, 0, c);
        size_t k = 1 + (size_t)rnn_random_below(n, 2, RNN_RANDOM_SPLIT, 0, c), n_seen = 0, token;
        double scores[MAX_N], sorted[MAX_N];
        int seen[MAX_N] = {0};

        for (size_t i = 0; i < n; i++)
            scores[i] = sorted[i] = (double)rnn_random_below(5, c, RNN_RANDOM_SPLIT, 1, i);
        qsort(sorted, n, sizeof *sorted, descending);
        for (uint64_t i = 0; i < 300; i++) {
            token = choose(scores, n, (rnn_sampling_cfg){1e6, k, c}, i);
            n_seen += !seen[token];
            seen[token] = 1;
            assert_true(scores[token] >= sorted[k - 1]);
        }
        assert_int_equal(n_seen, k);
    }
}

static void the_choice_is_a_function_of_seed_and_position(void **state)
{
    const rnn_sampling_cfg one = {.temperature = 1.0, .seed = 1}, two = {1.0, 0, 2};
    size_t by_seed = 0, by_position = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(choose(some, N, one, i), choose(some, N, one, i));
        by_seed += choose(some, N, one, i) != choose(some, N, two, i);
        by_position += choose(some, N, one, i) != choose(some, N, one, i + 1);
    }
    assert_true(by_seed > 500 && by_position > 500);
}

/* The draw itself, by hand: the number of the position against the cumulative probabilities. */
static void the_draw_is_philox_against_the_cumulative_probabilities(void **state)
{
    double total = 0.0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        total += exp(some[i]);
    for (uint64_t p = 0; p < 1000; p++) {
        double left = (double)rnn_random_bits(9, RNN_RANDOM_SAMPLE, 0, p) * 0x1p-64 * total;
        size_t expected = 0;

        while (left >= exp(some[expected]))
            left -= exp(some[expected++]);
        assert_int_equal(choose(some, N, (rnn_sampling_cfg){.temperature = 1.0, .seed = 9}, p),
                         expected);
    }
    assert_int_equal(RNN_RANDOM_SAMPLE, 5);
}

static void extreme_scores_are_fine(void **state)
{
    const double far[] = {-1e4, 1e4, -1e4}, farther[] = {-1.7e308, 1.7e308};
    const double equal[] = {-1e4, -1e4, -1e4, -1e4};
    size_t counts[MAX_N];

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(choose(far, 3, (rnn_sampling_cfg){.temperature = 1.0}, i), 1);
        assert_int_equal(choose(farther, 2, (rnn_sampling_cfg){.temperature = 1.0}, i), 1);
        assert_int_equal(choose(some + 1, 2, (rnn_sampling_cfg){.temperature = 1e-320}, i), 1);
        assert_int_equal(choose(some, 1, (rnn_sampling_cfg){.temperature = 1.0}, i), 0);
    }
    count(equal, 4, (rnn_sampling_cfg){.temperature = 1.0, .seed = 3}, counts);
    for (size_t i = 0; i < 4; i++)
        assert_share(counts[i], 0.25);
    count(far, 3, (rnn_sampling_cfg){.temperature = 1e9, .seed = 4, .top_k = 3}, counts);
    for (size_t i = 0; i < 3; i++)
        assert_share(counts[i], exp(far[i] / 1e9) / 3.0);
}

static void assert_refused(const double *scores, size_t n, double temperature, rnn_status status,
                           const char *message)
{
    const rnn_sampling_cfg cfg = {.temperature = temperature};
    double scratch[MAX_N];
    size_t token;

    assert_int_equal(rnn_sample_token(scores, n, &cfg, 0, scratch, &token), status);
    assert_string_equal(rnn_error_message(), message);
}

static void what_cannot_be_chosen_from_is_refused(void **state)
{
    const double with_nan[] = {0.0, NAN}, with_infinity[] = {0.0, 1.0, -INFINITY};

    (void)state;
    assert_refused(with_nan, 2, 1.0, RNN_ERR_NONFINITE,
                   "choosing a token: expected finite scores, found nan for token 1");
    assert_refused(with_infinity, 3, 0.0, RNN_ERR_NONFINITE,
                   "choosing a token: expected finite scores, found -inf for token 2");
    assert_refused(some, N, -0.5, RNN_ERR_USAGE,
                   "temperature: expected a finite number of at least 0, found -0.5");
    assert_refused(some, N, INFINITY, RNN_ERR_USAGE,
                   "temperature: expected a finite number of at least 0, found inf");
    assert_refused(some, N, NAN, RNN_ERR_USAGE,
                   "temperature: expected a finite number of at least 0, found nan");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_as_frequent_as_softmax_says),
        cmocka_unit_test(a_shift_of_all_scores_changes_nothing),
        cmocka_unit_test(temperature_0_and_top_1_take_the_first_largest_score),
        cmocka_unit_test(top_2_gives_two_tokens_in_their_ratio),
        cmocka_unit_test(ties_at_the_cut_go_to_the_first),
        cmocka_unit_test(top_k_keeps_the_k_largest_whatever_their_order),
        cmocka_unit_test(the_choice_is_a_function_of_seed_and_position),
        cmocka_unit_test(the_draw_is_philox_against_the_cumulative_probabilities),
        cmocka_unit_test(extreme_scores_are_fine),
        cmocka_unit_test(what_cannot_be_chosen_from_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
