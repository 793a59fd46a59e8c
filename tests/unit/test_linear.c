/*
 * The linear kernel against plain loops in double.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/linear.h"

/* float32 sums of at most 130 products of order 1. */
static const double tolerance = 1e-5;

static const struct {
    size_t rows, n_in, n_out;
} shapes[] = {{1, 1, 1}, {3, 5, 2}, {8, 100, 10}, {7, 17, 33}, {130, 4, 3}};

enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* One shape's arrays, and what the loops make of them. */
typedef struct fixture {
    size_t rows, n_in, n_out;
    float *x, *weight, *bias, *dy, *y, *dx, *dweight, *dbias;
} fixture;

static float *numbers(size_t count, float scale)
{
    float *values = malloc(count * sizeof(float));

    for (size_t i = 0; i < count; i++)
        values[i] = scale * sinf(0.7f * (float)i + 0.1f * (float)(i % 11));
    return values;
}

static void make(fixture *f, size_t shape)
{
    f->rows = shapes[shape].rows;
    f->n_in = shapes[shape].n_in;
    f->n_out = shapes[shape].n_out;
    f->x = numbers(f->rows * f->n_in, 1.0f);
    f->weight = numbers(f->n_out * f->n_in, 0.5f);
    f->bias = numbers(f->n_out, 2.0f);
    f->dy = numbers(f->rows * f->n_out, -0.8f);
    f->y = numbers(f->rows * f->n_out, NAN);
    f->dx = numbers(f->rows * f->n_in, NAN);
    f->dweight = numbers(f->n_out * f->n_in, 0.25f);
    f->dbias = numbers(f->n_out, 0.25f);
}

static void drop(fixture *f)
{
    float *all[] = {f->x, f->weight, f->bias, f->dy, f->y, f->dx, f->dweight, f->dbias};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void assert_close(const fixture *f, const char *what, float found, double expected)
{
    if (!(fabs((double)found - expected) <= tolerance * fmax(1.0, fabs(expected))))
        fail_msg("%s of %zu x %zu -> %zu: %.9g, expected %.9g", what, f->rows, f->n_in, f->n_out,
                 (double)found, expected);
}

static void check_forward(const fixture *f, const float *bias)
{
    for (size_t r = 0; r < f->rows; r++)
        for (size_t o = 0; o < f->n_out; o++) {
            double sum = bias != NULL ? (double)bias[o] : 0.0;

            for (size_t i = 0; i < f->n_in; i++)
                sum += (double)f->x[r * f->n_in + i] * (double)f->weight[o * f->n_in + i];
            assert_close(f, "y", f->y[r * f->n_out + o], sum);
        }
}

static void forward_is_x_times_weight_transposed_plus_bias(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        fixture f;

        make(&f, shape);
        assert_int_equal(rnn_linear_forward(f.rows, f.n_in, f.n_out, f.x, f.weight, f.bias, f.y),
                         RNN_OK);
        check_forward(&f, f.bias);
        assert_int_equal(rnn_linear_forward(f.rows, f.n_in, f.n_out, f.x, f.weight, NULL, f.y),
                         RNN_OK);
        check_forward(&f, NULL);
        drop(&f);
    }
}

static void check_dx(const fixture *f)
{
    for (size_t r = 0; r < f->rows; r++)
        for (size_t i = 0; i < f->n_in; i++) {
            double sum = 0.0;

            for (size_t o = 0; o < f->n_out; o++)
                sum += (double)f->dy[r * f->n_out + o] * (double)f->weight[o * f->n_in + i];
            assert_close(f, "dx", f->dx[r * f->n_in + i], sum);
        }
}

/* dweight and dbias must be what they were before (0.25 * numbers) plus the gradient. */
static void check_sums(const fixture *f)
{
    float *weight_before = numbers(f->n_out * f->n_in, 0.25f);
    float *bias_before = numbers(f->n_out, 0.25f);

    for (size_t o = 0; o < f->n_out; o++) {
        double of_bias = (double)bias_before[o];

        for (size_t r = 0; r < f->rows; r++)
            of_bias += (double)f->dy[r * f->n_out + o];
        assert_close(f, "dbias", f->dbias[o], of_bias);
        for (size_t i = 0; i < f->n_in; i++) {
            double of_weight = (double)weight_before[o * f->n_in + i];

            for (size_t r = 0; r < f->rows; r++)
                of_weight += (double)f->dy[r * f->n_out + o] * (double)f->x[r * f->n_in + i];
            assert_close(f, "dweight", f->dweight[o * f->n_in + i], of_weight);
        }
    }
    free(weight_before);
    free(bias_before);
}

static void backward_gives_dx_and_adds_to_the_parameters_gradients(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        fixture f;

        make(&f, shape);
        assert_int_equal(rnn_linear_backward(f.rows, f.n_in, f.n_out, f.x, f.weight, f.dy, f.dx,
                                             f.dweight, f.dbias),
                         RNN_OK);
        check_dx(&f);
        check_sums(&f);
        drop(&f);
    }
}

static void what_is_not_wanted_changes_nothing_else(void **state)
{
    fixture f, g;

    (void)state;
    make(&f, 1);
    make(&g, 1);
    assert_int_equal(
        rnn_linear_backward(f.rows, f.n_in, f.n_out, f.x, f.weight, f.dy, f.dx, f.dweight, f.dbias),
        RNN_OK);
    assert_int_equal(
        rnn_linear_backward(g.rows, g.n_in, g.n_out, g.x, g.weight, g.dy, NULL, g.dweight, NULL),
        RNN_OK);
    assert_memory_equal(f.dweight, g.dweight, f.n_out * f.n_in * sizeof(float));
    drop(&f);
    drop(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_x_times_weight_transposed_plus_bias),
        cmocka_unit_test(backward_gives_dx_and_adds_to_the_parameters_gradients),
        cmocka_unit_test(what_is_not_wanted_changes_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
