/*
 * Activation functions against their formulas in double.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/activation.h"

enum { COUNT = 401 };

/* Values of at most 1 (relu: exact) in float32, one library call each. */
static const double tolerance = 3e-7;

/* -10 to 10, 0 among them. */
static void make_x(float x[COUNT])
{
    for (int i = 0; i < COUNT; i++)
        x[i] = 0.05f * (float)(i - COUNT / 2);
}

static double value(rnn_activation function, double x)
{
    return function == RNN_ACTIVATION_TANH   ? tanh(x)
           : function == RNN_ACTIVATION_RELU ? fmax(x, 0.0)
                                             : 1.0 / (1.0 + exp(-x));
}

static double slope(rnn_activation function, double x)
{
    return function == RNN_ACTIVATION_TANH   ? 1.0 / (cosh(x) * cosh(x))
           : function == RNN_ACTIVATION_RELU ? (x > 0.0 ? 1.0 : 0.0)
                                             : value(function, x) * value(function, -x);
}

static const rnn_activation functions[] = {RNN_ACTIVATION_TANH, RNN_ACTIVATION_RELU,
                                           RNN_ACTIVATION_SIGMOID};

enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

static void forward_is_the_function(void **state)
{
    float x[COUNT], y[COUNT];

    (void)state;
    make_x(x);
    for (int f = 0; f < N_FUNCTIONS; f++) {
        rnn_activation_forward(functions[f], COUNT, x, y);
        for (int i = 0; i < COUNT; i++)
            if (!(fabs((double)y[i] - value(functions[f], (double)x[i])) <= tolerance))
                fail_msg("function %d at %g: %.9g", f, (double)x[i], (double)y[i]);
    }
}

static void backward_is_dy_times_the_slope(void **state)
{
    float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT];

    (void)state;
    make_x(x);
    for (int i = 0; i < COUNT; i++)
        dy[i] = cosf((float)i);
    for (int f = 0; f < N_FUNCTIONS; f++) {
        rnn_activation_forward(functions[f], COUNT, x, y);
        rnn_activation_backward(functions[f], COUNT, y, dy, dx);
        for (int i = 0; i < COUNT; i++) {
            double expected = (double)dy[i] * slope(functions[f], (double)x[i]);

            if (!(fabs((double)dx[i] - expected) <= tolerance))
                fail_msg("function %d at %g: %.9g, expected %.9g", f, (double)x[i], (double)dx[i],
                         expected);
        }
    }
}

static void far_values_saturate(void **state)
{
    const float x[] = {-1000.0f, 1000.0f};
    float y[2];

    (void)state;
    rnn_activation_forward(RNN_ACTIVATION_SIGMOID, 2, x, y);
    assert_true(y[0] == 0.0f && y[1] == 1.0f);
    rnn_activation_forward(RNN_ACTIVATION_TANH, 2, x, y);
    assert_true(y[0] == -1.0f && y[1] == 1.0f);
}

static void a_nan_stays_one(void **state)
{
    const float x = NAN;

    (void)state;
    for (int f = 0; f < N_FUNCTIONS; f++) {
        float y = 0.0f;

        rnn_activation_forward(functions[f], 1, &x, &y);
        assert_true(isnan(y));
    }
}

static void results_may_replace_arguments(void **state)
{
    float x[COUNT], y[COUNT], in_place[COUNT], dx[COUNT];

    (void)state;
    make_x(x);
    for (int f = 0; f < N_FUNCTIONS; f++) {
        memcpy(in_place, x, sizeof x);
        rnn_activation_forward(functions[f], COUNT, x, y);
        rnn_activation_forward(functions[f], COUNT, in_place, in_place);
        assert_memory_equal(y, in_place, sizeof y);
        memcpy(in_place, x, sizeof x);
        rnn_activation_backward(functions[f], COUNT, y, x, dx);
        rnn_activation_backward(functions[f], COUNT, y, in_place, in_place);
        assert_memory_equal(dx, in_place, sizeof dx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_function),
        cmocka_unit_test(backward_is_dy_times_the_slope),
        cmocka_unit_test(far_values_saturate),
        cmocka_unit_test(a_nan_stays_one),
        cmocka_unit_test(results_may_replace_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
