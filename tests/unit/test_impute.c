#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/reader.h"

#define GAP NAN

enum { MAX_STEPS = 8 };

typedef struct example {
    rnn_missing missing;
    size_t n_steps;
    float given[MAX_STEPS], expected[MAX_STEPS];
} example;

/* Worked out by hand. */
static const example examples[] = {
    {RNN_MISSING_ZERO, 4, {GAP, 1, GAP, 3}, {0, 1, 0, 3}},
    {RNN_MISSING_MEAN, 5, {GAP, 1, GAP, 3, 8}, {4, 1, 4, 3, 8}},
    {RNN_MISSING_PREVIOUS, 7, {GAP, GAP, 1, GAP, GAP, 3, GAP}, {1, 1, 1, 1, 1, 3, 3}},
    {RNN_MISSING_LINEAR, 8, {GAP, GAP, 1, GAP, GAP, GAP, 3, GAP}, {1, 1, 1, 1.5f, 2, 2.5f, 3, 3}},
    {RNN_MISSING_LINEAR, 5, {4, GAP, -2, GAP, 0}, {4, 1, -2, -1, 0}},
    {RNN_MISSING_LINEAR, 3, {GAP, 5, GAP}, {5, 5, 5}},
    {RNN_MISSING_PREVIOUS, 3, {7, 8, 9}, {7, 8, 9}},
    {RNN_MISSING_ZERO, 2, {GAP, GAP}, {0, 0}},
    {RNN_MISSING_MEAN, 2, {GAP, GAP}, {0, 0}},
    {RNN_MISSING_PREVIOUS, 2, {GAP, GAP}, {0, 0}},
    {RNN_MISSING_LINEAR, 1, {GAP}, {0}},
    {RNN_MISSING_MEAN, 1, {6}, {6}},
};

static void gaps_are_filled_as_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const example *e = &examples[i];
        float values[MAX_STEPS];

        memcpy(values, e->given, sizeof values);
        rnn_reader_impute(e->missing, values, e->n_steps, 1);
        for (size_t t = 0; t < e->n_steps; t++)
            if (values[t] != e->expected[t])
                fail_msg("example %zu, step %zu: expected %g, found %g", i, t,
                         (double)e->expected[t], (double)values[t]);
    }
}

/* Value t of the sequence is every third one; what lies between is left alone, gaps included. */
static void only_its_own_values_are_looked_at(void **state)
{
    float values[3][3] = {{2, GAP, 70}, {GAP, GAP, 80}, {4, GAP, 90}};

    (void)state;
    rnn_reader_impute(RNN_MISSING_LINEAR, values[0], 3, 3);
    for (size_t t = 0; t < 3; t++) {
        assert_true(values[t][0] == 2 + (float)t);
        assert_true(isnan(values[t][1]));
        assert_true(values[t][2] == 70 + 10 * (float)t);
    }
}

/* Nothing is there to be filled in, and nothing behind the end is touched. */
static void an_empty_sequence_is_left_alone(void **state)
{
    float value = GAP;

    (void)state;
    for (int missing = RNN_MISSING_ZERO; missing <= RNN_MISSING_LINEAR; missing++) {
        rnn_reader_impute((rnn_missing)missing, &value, 0, 1);
        assert_true(isnan(value));
    }
}

/* The difference of its neighbours would not fit a float. */
static void a_gap_between_extremes_is_finite(void **state)
{
    float values[] = {-3e38f, GAP, 3e38f};

    (void)state;
    rnn_reader_impute(RNN_MISSING_LINEAR, values, 3, 1);
    assert_true(values[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_filled_as_asked),
        cmocka_unit_test(only_its_own_values_are_looked_at),
        cmocka_unit_test(an_empty_sequence_is_left_alone),
        cmocka_unit_test(a_gap_between_extremes_is_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
