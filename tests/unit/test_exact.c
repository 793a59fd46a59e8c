/*
 * The machine-independent arithmetic against the C library's long double, and against a digest of
 * its bits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/digest.h"
#include "kernels/exact.h"

enum { COUNT = 20001 };

/* -limit to limit, dense around 0. */
static double point(int i, double limit)
{
    double unit = (double)(i - COUNT / 2) / (COUNT / 2);

    return limit * unit * unit * unit;
}

/* Distance in units of 2^-52 of the true value. */
static double error_of(double value, long double truth)
{
    return fabs((double)(((long double)value - truth) / truth)) * 0x1p52;
}

static void functions_are_those_of_the_c_library(void **state)
{
    double worst_exp = 0.0, worst_tanh = 0.0, worst_sigmoid = 0.0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        double x = point(i, 707.9), y = point(i, 40.0);

        worst_exp = fmax(worst_exp, error_of(rnn_exact_exp(x), expl((long double)x)));
        worst_sigmoid = fmax(worst_sigmoid,
                             error_of(rnn_exact_sigmoid(y), 1.0L / (1.0L + expl(-(long double)y))));
        if (y != 0.0)
            worst_tanh = fmax(worst_tanh, error_of(rnn_exact_tanh(y), tanhl((long double)y)));
    }
    print_message("  worst error in units of 2^-52: exp %.2f, tanh %.2f, sigmoid %.2f\n", worst_exp,
                  worst_tanh, worst_sigmoid);
    assert_true(worst_exp <= 2.0);
    assert_true(worst_tanh <= 4.0);
    assert_true(worst_sigmoid <= 4.0);
}

static void functions_hold_at_their_ends(void **state)
{
    (void)state;
    assert_true(rnn_exact_exp(0.0) == 1.0);
    assert_true(rnn_exact_exp(-709.0) == 0.0 && rnn_exact_exp(-INFINITY) == 0.0);
    assert_true(isinf(rnn_exact_exp(709.1)) && isinf(rnn_exact_exp(INFINITY)));
    assert_true(isfinite(rnn_exact_exp(709.0)) && rnn_exact_exp(-708.0) > 0.0);
    assert_true(rnn_exact_tanh(1e4) == 1.0 && rnn_exact_tanh(-INFINITY) == -1.0);
    assert_true(rnn_exact_tanh(0.0) == 0.0 && rnn_exact_tanh(1e-300) == 1e-300);
    assert_true(rnn_exact_sigmoid(0.0) == 0.5);
    assert_true(rnn_exact_sigmoid(1e4) == 1.0 && rnn_exact_sigmoid(-INFINITY) == 0.0);
    assert_true(isnan(rnn_exact_exp(NAN)) && isnan(rnn_exact_tanh(NAN)) &&
                isnan(rnn_exact_sigmoid(NAN)));
}

/* Bytes of a double, the same on machines of either byte order. */
static void put(unsigned char bytes[8], double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
}

/* A change here changes the texts that models write: not without need. */
static void functions_have_the_same_bits_on_every_machine(void **state)
{
    static unsigned char bytes[COUNT][3][8];
    uint64_t digest;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        put(bytes[i][0], rnn_exact_exp(point(i, 700.0)));
        put(bytes[i][1], rnn_exact_tanh(point(i, 20.0)));
        put(bytes[i][2], rnn_exact_sigmoid(point(i, 40.0)));
    }
    digest = rnn_digest(bytes, sizeof bytes);
    if (digest != UINT64_C(0x8a0ae0ce00ad8796))
        fail_msg("digest 0x%016llx", (unsigned long long)digest);
}

/* Long enough for every lane and a rest; the terms are whole numbers, so that every sum is exact.
 */
static void a_linear_layer_is_a_sum_of_products(void **state)
{
    enum { IN = 39, OUT = 3 };
    float weight[OUT * IN], bias[OUT] = {0.5f, -1.0f, 2.0f};
    double x[IN], y[OUT], without[OUT];

    (void)state;
    for (int i = 0; i < OUT * IN; i++)
        weight[i] = (float)(i % 7 - 3);
    for (int i = 0; i < IN; i++)
        x[i] = i - 11;
    rnn_exact_linear(IN, OUT, x, weight, bias, y);
    rnn_exact_linear(IN, OUT, x, weight, NULL, without);
    for (int j = 0; j < OUT; j++) {
        double sum = 0.0;

        for (int i = 0; i < IN; i++)
            sum += (double)weight[j * IN + i] * x[i];
        assert_true(without[j] == sum);
        assert_true(y[j] == sum + (double)bias[j]);
    }
}

/* Mean 2.5, variance 1.25. */
static void a_layernorm_has_the_moments_of_its_row(void **state)
{
    const double x[] = {1.0, 2.0, 3.0, 4.0}, equal[] = {3.0, 3.0};
    const float weight[] = {1.0f, 2.0f, 1.0f, -1.0f}, bias[] = {0.0f, 0.0f, 0.25f, 0.0f};
    const double scale = 1.0 / sqrt(1.25 + 0.0025);
    double y[4];

    (void)state;
    rnn_exact_layernorm(4, 0.0025, x, weight, bias, y);
    assert_true(y[0] == -1.5 * scale && y[1] == 2.0 * (-0.5 * scale));
    assert_true(y[2] == 0.5 * scale + 0.25 && y[3] == -1.5 * scale);
    rnn_exact_layernorm(2, 0.0, equal, NULL, NULL, y);
    assert_true(y[0] == 0.0 && y[1] == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_those_of_the_c_library),
        cmocka_unit_test(functions_hold_at_their_ends),
        cmocka_unit_test(functions_have_the_same_bits_on_every_machine),
        cmocka_unit_test(a_linear_layer_is_a_sum_of_products),
        cmocka_unit_test(a_layernorm_has_the_moments_of_its_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
