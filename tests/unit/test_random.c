/*
 * Random numbers: the published answers of Philox4x32-10, and what the program relies on.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/random.h"

/* kat_vectors of the Random123 distribution: counter, key, and the first 64 bits of the answer. */
static void bits_are_those_of_philox4x32_10(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], answer[2];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t *c = known[i].counter, *k = known[i].key, *a = known[i].answer;

        assert_true(rnn_random_bits((uint64_t)k[1] << 32 | k[0], (rnn_random_purpose)c[3], c[2],
                                    (uint64_t)c[1] << 32 | c[0]) == ((uint64_t)a[1] << 32 | a[0]));
    }
}

static void every_argument_matters_and_nothing_else_does(void **state)
{
    const uint64_t bits = rnn_random_bits(1, RNN_RANDOM_INIT, 2, 3);

    (void)state;
    assert_true(bits != rnn_random_bits(2, RNN_RANDOM_INIT, 2, 3));
    assert_true(bits != rnn_random_bits(1 + (UINT64_C(1) << 32), RNN_RANDOM_INIT, 2, 3));
    assert_true(bits != rnn_random_bits(1, RNN_RANDOM_SHUFFLE, 2, 3));
    assert_true(bits != rnn_random_bits(1, RNN_RANDOM_INIT, 3, 3));
    assert_true(bits != rnn_random_bits(1, RNN_RANDOM_INIT, 2, 4));
    assert_true(bits != rnn_random_bits(1, RNN_RANDOM_INIT, 2, 3 + (UINT64_C(1) << 32)));
    assert_true(bits == rnn_random_bits(1, RNN_RANDOM_INIT, 2, 3)); /* after all these draws */
}

static void uniform_numbers_do_not_depend_on_the_cut(void **state)
{
    enum { COUNT = 100, CUT = 37 };
    float whole[COUNT], parts[COUNT];

    (void)state;
    rnn_random_uniform(whole, COUNT, -1.0f, 1.0f, 5, RNN_RANDOM_INIT, 0, 1000);
    rnn_random_uniform(parts + CUT, COUNT - CUT, -1.0f, 1.0f, 5, RNN_RANDOM_INIT, 0, 1000 + CUT);
    rnn_random_uniform(parts, CUT, -1.0f, 1.0f, 5, RNN_RANDOM_INIT, 0, 1000);
    assert_memory_equal(whole, parts, sizeof whole);
}

/* Fixed draws, so nothing here is left to chance; the bounds are five standard deviations. */
static void uniform_numbers_fill_their_range_evenly(void **state)
{
    enum { COUNT = 100000 };
    static float values[COUNT];
    const float low = -0.1f, high = 0.1f;
    double sum = 0.0, squares = 0.0, smallest = 1.0, largest = -1.0;

    (void)state;
    rnn_random_uniform(values, COUNT, low, high, 1, RNN_RANDOM_INIT, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        double unit = ((double)values[i] - (double)low) / ((double)high - (double)low);

        assert_true(values[i] >= low && values[i] < high);
        smallest = unit < smallest ? unit : smallest;
        largest = unit > largest ? unit : largest;
        sum += unit;
        squares += unit * unit;
    }
    assert_true((uint64_t)(1e4 * sum / COUNT) >= 4954 &&
                (uint64_t)(1e4 * sum / COUNT) <= 5046); /* 1/2, deviation 0.00091 */
    assert_true((uint64_t)(1e4 * squares / COUNT) >= 3286 &&
                (uint64_t)(1e4 * squares / COUNT) <= 3380); /* 1/3, deviation 0.00094 */
    assert_true(smallest < 1e-3 && largest > 1.0 - 1e-3);
}

static void below_gives_every_value_equally_often(void **state)
{
    enum { N = 7, DRAWS = 70000 };
    int counts[N] = {0};
    double chi_square = 0.0;

    (void)state;
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint64_t value = rnn_random_below(N, 3, RNN_RANDOM_SHUFFLE, 1, i);

        assert_true(value < N);
        counts[value]++;
    }
    for (int v = 0; v < N; v++) {
        double excess = (double)counts[v] - DRAWS / N;

        chi_square += excess * excess / (DRAWS / N);
    }
    assert_true(chi_square < 22.5); /* 6 degrees of freedom: exceeded once in 1000 seeds */
}

/* The remainder of a division would give the lowest third half of all draws. */
static void below_is_even_for_a_huge_range_too(void **state)
{
    enum { DRAWS = 30000 };
    const uint64_t third = UINT64_C(1) << 62;
    int counts[3] = {0};

    (void)state;
    for (uint64_t i = 0; i < DRAWS; i++)
        counts[rnn_random_below(3 * third, 4, RNN_RANDOM_SHUFFLE, 0, i) / third]++;
    for (int v = 0; v < 3; v++)
        assert_true(counts[v] >= 9592 && counts[v] <= 10408); /* 5 standard deviations of 81.6 */
}

static void below_one_is_zero(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        assert_true(rnn_random_below(1, 9, RNN_RANDOM_SPLIT, 0, i) == 0);
}

static void normal_numbers_do_not_depend_on_the_cut(void **state)
{
    enum { COUNT = 100, CUT = 37 };
    float whole[COUNT], parts[COUNT];

    (void)state;
    rnn_random_normal(whole, COUNT, 1.0, 2.0, 5, RNN_RANDOM_INIT, 0, 1000);
    rnn_random_normal(parts + CUT, COUNT - CUT, 1.0, 2.0, 5, RNN_RANDOM_INIT, 0, 1000 + CUT);
    rnn_random_normal(parts, CUT, 1.0, 2.0, 5, RNN_RANDOM_INIT, 0, 1000);
    assert_memory_equal(whole, parts, sizeof whole);
}

/* Part of the normal distribution below x, times COUNT draws; five standard deviations around. */
static void assert_part_below(const float *values, size_t count, double x)
{
    double expected = 0.5 * erfc(-x / sqrt(2.0)), found = 0.0;

    for (size_t i = 0; i < count; i++)
        found += (double)values[i] < x;
    found /= (double)count;
    if (!(fabs(found - expected) <= 5.0 * sqrt(expected * (1.0 - expected) / (double)count)))
        fail_msg("%.5f are below %g, expected %.5f", found, x, expected);
}

static void normal_numbers_are_distributed_normally(void **state)
{
    enum { COUNT = 100000 };
    static float values[COUNT];

    (void)state;
    rnn_random_normal(values, COUNT, 0.0, 1.0, 1, RNN_RANDOM_INIT, 0, 0);
    for (double x = -3.5; x <= 3.5; x += 0.25)
        assert_part_below(values, COUNT, x);
}

static void normal_numbers_are_scaled_then_shifted(void **state)
{
    enum { COUNT = 100 };
    float unit[COUNT], values[COUNT];

    (void)state;
    rnn_random_normal(unit, COUNT, 0.0, 1.0, 1, RNN_RANDOM_INIT, 0, 0);
    rnn_random_normal(values, COUNT, 5.0, 0.5, 1, RNN_RANDOM_INIT, 0, 0);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabs((double)values[i] - (5.0 + 0.5 * (double)unit[i])) <= 1e-6);
}

/* Neighbours are products of independent numbers: mean 0, deviation 1 / sqrt(COUNT). */
static void neighbouring_normal_numbers_are_not_correlated(void **state)
{
    enum { COUNT = 100000 };
    static float values[COUNT];
    double sum = 0.0;

    (void)state;
    rnn_random_normal(values, COUNT, 0.0, 1.0, 2, RNN_RANDOM_INIT, 0, 0);
    for (int i = 1; i < COUNT; i++)
        sum += (double)values[i] * (double)values[i - 1];
    assert_true(fabs(sum / COUNT) <= 5.0 / sqrt((double)COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_those_of_philox4x32_10),
        cmocka_unit_test(every_argument_matters_and_nothing_else_does),
        cmocka_unit_test(uniform_numbers_do_not_depend_on_the_cut),
        cmocka_unit_test(uniform_numbers_fill_their_range_evenly),
        cmocka_unit_test(below_gives_every_value_equally_often),
        cmocka_unit_test(below_is_even_for_a_huge_range_too),
        cmocka_unit_test(below_one_is_zero),
        cmocka_unit_test(normal_numbers_do_not_depend_on_the_cut),
        cmocka_unit_test(normal_numbers_are_distributed_normally),
        cmocka_unit_test(normal_numbers_are_scaled_then_shifted),
        cmocka_unit_test(neighbouring_normal_numbers_are_not_correlated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
