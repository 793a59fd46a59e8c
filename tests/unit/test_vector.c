#include <float.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/memory.h"
#include "kernels/random.h"
#include "kernels/vector.h"

/* Lengths around the widths of a vector register, the lanes of a sum and a block. */
static const size_t lengths[] = {
    0, 1, 3, 7, 8, 15, 16, 17, 31, 33, RNN_BLOCK - 1, RNN_BLOCK, RNN_BLOCK + 1, 3 * RNN_BLOCK + 37};

enum { N_LENGTHS = sizeof lengths / sizeof *lengths, LONGEST = 3 * RNN_BLOCK + 37 };

static float *random_values(size_t count, uint64_t seed)
{
    float *values;

    assert_int_equal(RNN_ALLOC(&values, count, "values"), RNN_OK);
    rnn_random_uniform(values, count, -3.0f, 2.0f, seed, RNN_RANDOM_INIT, 0, 0);
    return values;
}

static void add_adds_each_value_once(void **unused)
{
    float *from = random_values(LONGEST, 1), *into = random_values(LONGEST + 1, 2);
    float *before = random_values(LONGEST + 1, 2);

    (void)unused;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        memcpy(into, before, (LONGEST + 1) * sizeof *into);
        rnn_vector_add(into, from, lengths[l]);
        for (size_t i = 0; i < lengths[l]; i++)
            assert_true(into[i] == before[i] + from[i]);
        assert_true(into[lengths[l]] == before[lengths[l]]);
    }
    rnn_free(from);
    rnn_free(into);
    rnn_free(before);
}

static void move_adds_and_leaves_zeros(void **unused)
{
    float *source = random_values(LONGEST, 6), *from = random_values(LONGEST + 1, 6);
    float *into = random_values(LONGEST + 1, 7), *before = random_values(LONGEST + 1, 7);

    (void)unused;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        memcpy(into, before, (LONGEST + 1) * sizeof *into);
        memcpy(from, source, LONGEST * sizeof *from);
        from[LONGEST] = 1.0f;
        rnn_vector_move(into, from, lengths[l]);
        for (size_t i = 0; i < lengths[l]; i++) {
            assert_true(into[i] == before[i] + source[i]);
            assert_true(from[i] == 0.0f);
        }
        assert_true(into[lengths[l]] == before[lengths[l]]);
        assert_true(from[lengths[l]] != 0.0f);
    }
    rnn_free(source);
    rnn_free(from);
    rnn_free(into);
    rnn_free(before);
}

static void add_to_leaves_its_inputs_alone(void **unused)
{
    float *a = random_values(LONGEST, 3), *b = random_values(LONGEST, 4);
    float *same_a = random_values(LONGEST, 3), *same_b = random_values(LONGEST, 4);
    float *sum = random_values(LONGEST, 5);

    (void)unused;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        rnn_vector_add_to(sum, a, b, lengths[l]);
        for (size_t i = 0; i < lengths[l]; i++)
            assert_true(sum[i] == a[i] + b[i]);
    }
    assert_memory_equal(a, same_a, LONGEST * sizeof *a);
    assert_memory_equal(b, same_b, LONGEST * sizeof *b);
    rnn_free(a);
    rnn_free(b);
    rnn_free(same_a);
    rnn_free(same_b);
    rnn_free(sum);
}

/* Small integers: every partial sum is exact, in any order. */
static void square_sum_counts_each_value_once(void **unused)
{
    float *values = random_values(LONGEST + 1, 6);

    (void)unused;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        double expected = 0.0;

        for (size_t i = 0; i <= lengths[l]; i++)
            values[i] = (float)(i % 11) - 5.0f;
        for (size_t i = 0; i < lengths[l]; i++)
            expected += (double)values[i] * (double)values[i];
        values[lengths[l]] = 1e10f; /* just outside */
        assert_true(rnn_vector_square_sum(values, lengths[l]) == expected);
    }
    rnn_free(values);
}

static void square_sum_has_the_same_bits_for_any_number_of_threads(void **unused)
{
    const size_t count = 1300 * (size_t)RNN_BLOCK + 5; /* more than one round of blocks */
    float *values = random_values(count, 7);
    double block_by_block = 0.0;

    (void)unused;
    for (size_t i = 0; i < count; i += RNN_BLOCK)
        block_by_block +=
            rnn_vector_square_sum(values + i, count - i < RNN_BLOCK ? count - i : RNN_BLOCK);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        omp_set_num_threads(n_threads);
        assert_true(rnn_vector_square_sum(values, count) == block_by_block);
    }
    rnn_free(values);
}

static void square_sum_does_not_overflow(void **unused)
{
    const float values[] = {FLT_MAX, -FLT_MAX, FLT_MAX};
    double square = (double)FLT_MAX * (double)FLT_MAX;

    (void)unused;
    assert_true(rnn_vector_square_sum(values, 3) == 3.0 * square);
}

static void square_sum_of_a_nonfinite_value_is_not_finite(void **unused)
{
    const float culprits[] = {NAN, INFINITY, -INFINITY};
    float *values = random_values(LONGEST, 8);

    (void)unused;
    for (size_t c = 0; c < 3; c++) {
        values[LONGEST - 1] = culprits[c];
        assert_true(!isfinite(rnn_vector_square_sum(values, LONGEST)));
    }
    rnn_free(values);
}

static void find_nonfinite_finds_the_first_anywhere(void **unused)
{
    const float culprits[] = {NAN, INFINITY, -INFINITY};
    float *values = random_values(LONGEST, 9);

    (void)unused;
    values[LONGEST - 1] = NAN;
    for (size_t l = 0; l < N_LENGTHS; l++) {
        float kept = values[lengths[l] < LONGEST ? lengths[l] : 0];

        if (lengths[l] >= LONGEST - 1)
            continue;
        for (size_t c = 0; c < 3; c++) {
            values[lengths[l]] = culprits[c];
            assert_int_equal(rnn_vector_find_nonfinite(values, LONGEST), lengths[l]);
        }
        values[lengths[l]] = kept;
    }
    assert_int_equal(rnn_vector_find_nonfinite(values, LONGEST), LONGEST - 1);
    rnn_free(values);
}

static void find_nonfinite_gives_count_if_all_are_finite(void **unused)
{
    float *values = random_values(LONGEST, 10);

    (void)unused;
    values[0] = FLT_MAX;
    values[1] = -FLT_MAX;
    values[2] = FLT_TRUE_MIN;
    for (size_t l = 0; l < N_LENGTHS; l++)
        assert_int_equal(rnn_vector_find_nonfinite(values, lengths[l]), lengths[l]);
    rnn_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_adds_each_value_once),
        cmocka_unit_test(move_adds_and_leaves_zeros),
        cmocka_unit_test(add_to_leaves_its_inputs_alone),
        cmocka_unit_test(square_sum_counts_each_value_once),
        cmocka_unit_test(square_sum_has_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(square_sum_does_not_overflow),
        cmocka_unit_test(square_sum_of_a_nonfinite_value_is_not_finite),
        cmocka_unit_test(find_nonfinite_finds_the_first_anywhere),
        cmocka_unit_test(find_nonfinite_gives_count_if_all_are_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
