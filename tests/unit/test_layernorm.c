/*
 * Layer normalisation against its definition and against slopes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/layernorm.h"

/* Values of order 1 in float32, with a few roundings each. */
static const double tolerance = 2e-6;
static const double eps = 1e-5;

/* 300 features: two blocks of 128 and a rest; 17: one vector and a rest. */
static const struct {
    size_t rows, n;
} shapes[] = {{1, 1}, {3, 5}, {4, 17}, {2, 64}, {5, 300}};

enum { N_SHAPES = sizeof shapes / sizeof *shapes };

typedef struct fixture {
    size_t rows, n;
    float *x, *weight, *bias, *y, *mean, *rstd, *dy, *dx, *dweight, *dbias;
} fixture;

static float *numbers(size_t count, double scale, double offset)
{
    float *values = malloc(count * sizeof(float));

    for (size_t i = 0; i < count; i++)
        values[i] = (float)(offset + scale * sin(0.7 * (double)i + 0.1 * (double)(i % 11)));
    return values;
}

static void make(fixture *f, size_t shape)
{
    size_t rows = shapes[shape].rows, n = shapes[shape].n;

    *f = (fixture){.rows = rows, .n = n};
    f->x = numbers(rows * n, 1.5, 0.5);
    f->weight = numbers(n, 0.5, 1.0);
    f->bias = numbers(n, 1.0, 0.0);
    f->y = numbers(rows * n, NAN, 0.0);
    f->mean = numbers(rows, NAN, 0.0);
    f->rstd = numbers(rows, NAN, 0.0);
    f->dy = numbers(rows * n, -0.8, 0.1);
    f->dx = numbers(rows * n, NAN, 0.0);
    f->dweight = numbers(n, 0.25, 0.0);
    f->dbias = numbers(n, 0.25, 0.0);
}

static void drop(fixture *f)
{
    float *all[] = {f->x,    f->weight, f->bias, f->y,       f->mean,
                    f->rstd, f->dy,     f->dx,   f->dweight, f->dbias};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void forward(const fixture *f)
{
    rnn_layernorm_forward(f->rows, f->n, eps, f->x, f->weight, f->bias, f->y, f->mean, f->rstd);
}

static void backward(const fixture *f)
{
    rnn_layernorm_backward(f->rows, f->n, f->x, f->mean, f->rstd, f->weight, f->dy, f->dx,
                           f->dweight, f->dbias);
}

static void assert_close(const fixture *f, const char *what, double found, double expected,
                         double bound)
{
    if (!(fabs(found - expected) <= bound * fmax(1.0, fabs(expected))))
        fail_msg("%s of %zu x %zu: %.9g, expected %.9g", what, f->rows, f->n, found, expected);
}

/* The row's mean and 1 / sqrt(variance + eps), in double. */
static void moments(const fixture *f, size_t r, double *mean, double *rstd)
{
    const float *x = f->x + r * f->n;
    double sum = 0.0, squares = 0.0;

    for (size_t i = 0; i < f->n; i++)
        sum += (double)x[i];
    *mean = sum / (double)f->n;
    for (size_t i = 0; i < f->n; i++)
        squares += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    *rstd = 1.0 / sqrt(squares / (double)f->n + eps);
}

static double normalised(const fixture *f, size_t r, size_t i)
{
    double mean, rstd;

    moments(f, r, &mean, &rstd);
    return ((double)f->x[r * f->n + i] - mean) * rstd;
}

/* The weight and bias pointers of the forward pass may be NULL. */
static void check_forward(const fixture *f)
{
    for (size_t r = 0; r < f->rows; r++) {
        double mean, rstd;

        moments(f, r, &mean, &rstd);
        assert_close(f, "mean", (double)f->mean[r], mean, tolerance);
        assert_close(f, "rstd", (double)f->rstd[r], rstd, tolerance);
        for (size_t i = 0; i < f->n; i++) {
            double weight = f->weight != NULL ? (double)f->weight[i] : 1.0;
            double bias = f->bias != NULL ? (double)f->bias[i] : 0.0;

            assert_close(f, "y", (double)f->y[r * f->n + i], normalised(f, r, i) * weight + bias,
                         tolerance);
        }
    }
}

static void rows_get_mean_0_and_variance_1_then_weight_and_bias(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        fixture f, bare;

        make(&f, shape);
        forward(&f);
        check_forward(&f);
        bare = f;
        bare.weight = NULL;
        bare.bias = NULL;
        forward(&bare);
        check_forward(&bare);
        drop(&f);
    }
}

/* Rows (1, 3): mean 2, biased variance 1. */
static void the_variance_is_the_biased_one(void **state)
{
    const float x[] = {1.0f, 3.0f};
    float y[2], mean, rstd;

    (void)state;
    rnn_layernorm_forward(1, 2, 0.0, x, NULL, NULL, y, &mean, &rstd);
    assert_true(mean == 2.0f && rstd == 1.0f);
    assert_true(y[0] == -1.0f && y[1] == 1.0f);
    rnn_layernorm_forward(1, 2, 3.0, x, NULL, NULL, y, &mean, &rstd);
    assert_true(rstd == 0.5f && y[1] == 0.5f);
}

/* In float32, squares of 1e4 would hide a variance of 1. */
static void a_large_offset_does_not_spoil_the_variance(void **state)
{
    const float x[] = {9999.0f, 10001.0f, 9999.0f, 10001.0f};
    float y[4], mean, rstd;

    (void)state;
    rnn_layernorm_forward(1, 4, 0.0, x, NULL, NULL, y, &mean, &rstd);
    assert_true(mean == 10000.0f && rstd == 1.0f && y[0] == -1.0f && y[3] == 1.0f);
}

/* sum(dy * y) of one row in double, with x[i] replaced. */
static double row_loss(const fixture *f, size_t r, size_t i, float value)
{
    float before = f->x[r * f->n + i];
    double sum = 0.0, mean, rstd;

    f->x[r * f->n + i] = value;
    moments(f, r, &mean, &rstd);
    for (size_t k = 0; k < f->n; k++) {
        double weight = f->weight != NULL ? (double)f->weight[k] : 1.0;

        sum += (double)f->dy[r * f->n + k] * weight * ((double)f->x[r * f->n + k] - mean) * rstd;
    }
    f->x[r * f->n + i] = before;
    return sum;
}

/* Central differences of the definition in double: the third derivative times step^2 is left. */
static void check_dx(const fixture *f)
{
    const float step = 0x1p-9f;

    for (size_t r = 0; r < f->rows; r++)
        for (size_t i = 0; i < f->n; i++) {
            float x = f->x[r * f->n + i], above = x + step, below = x - step;
            double slope = (row_loss(f, r, i, above) - row_loss(f, r, i, below)) /
                           ((double)above - (double)below);

            if (f->n > 1) /* the only feature has no variance: eps is all, and 1 / eps^2 is left */
                assert_close(f, "dx", (double)f->dx[r * f->n + i], slope, 2e-5);
            else
                assert_close(f, "dx", (double)f->dx[r * f->n + i], 0.0, 1e-12);
        }
}

static void dx_is_the_slope_with_and_without_weights(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        fixture f, bare;

        make(&f, shape);
        forward(&f);
        backward(&f);
        check_dx(&f);
        bare = f;
        bare.weight = NULL;
        backward(&bare);
        check_dx(&bare);
        drop(&f);
    }
}

static void parameter_gradients_are_added_to_what_is_there(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        fixture f;
        float *before;

        make(&f, shape);
        before = numbers(f.n, 0.25, 0.0);
        forward(&f);
        backward(&f);
        for (size_t i = 0; i < f.n; i++) {
            double of_weight = (double)before[i], of_bias = (double)before[i];

            for (size_t r = 0; r < f.rows; r++) {
                of_weight += (double)f.dy[r * f.n + i] * normalised(&f, r, i);
                of_bias += (double)f.dy[r * f.n + i];
            }
            assert_close(&f, "dweight", (double)f.dweight[i], of_weight, tolerance);
            assert_close(&f, "dbias", (double)f.dbias[i], of_bias, tolerance);
        }
        free(before);
        drop(&f);
    }
}

static void what_is_not_wanted_changes_nothing_else(void **state)
{
    fixture f, g;

    (void)state;
    make(&f, N_SHAPES - 1);
    make(&g, N_SHAPES - 1);
    forward(&f);
    backward(&f);
    rnn_layernorm_backward(f.rows, f.n, f.x, f.mean, f.rstd, f.weight, f.dy, NULL, g.dweight, NULL);
    assert_memory_equal(f.dweight, g.dweight, f.n * sizeof(float));
    rnn_layernorm_backward(f.rows, f.n, f.x, f.mean, f.rstd, f.weight, f.dy, NULL, NULL, g.dbias);
    assert_memory_equal(f.dbias, g.dbias, f.n * sizeof(float));
    rnn_layernorm_backward(f.rows, f.n, f.x, f.mean, f.rstd, f.weight, f.dy, g.dx, NULL, NULL);
    assert_memory_equal(f.dx, g.dx, f.rows * f.n * sizeof(float));
    drop(&f);
    drop(&g);
}

static void dx_may_replace_dy(void **state)
{
    fixture f, g;

    (void)state;
    make(&f, 2);
    make(&g, 2);
    forward(&f);
    backward(&f);
    rnn_layernorm_backward(f.rows, f.n, f.x, f.mean, f.rstd, f.weight, g.dy, g.dy, g.dweight,
                           g.dbias);
    assert_memory_equal(f.dx, g.dy, f.rows * f.n * sizeof(float));
    assert_memory_equal(f.dweight, g.dweight, f.n * sizeof(float));
    drop(&f);
    drop(&g);
}

/* What stands past a sequence's end is zeros, and must not make a weight's gradient NAN. */
static void a_row_of_zeros_without_eps_stays_finite(void **state)
{
    const float x[3] = {0}, weight[3] = {1, 2, 3}, dy[3] = {0};
    float y[3], mean, rstd, dx[3], dweight[3] = {0}, dbias[3] = {0};

    (void)state;
    rnn_layernorm_forward(1, 3, 0.0, x, weight, NULL, y, &mean, &rstd);
    rnn_layernorm_backward(1, 3, x, &mean, &rstd, weight, dy, dx, dweight, dbias);
    for (size_t i = 0; i < 3; i++)
        assert_true(y[i] == 0.0f && dx[i] == 0.0f && dweight[i] == 0.0f && dbias[i] == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_get_mean_0_and_variance_1_then_weight_and_bias),
        cmocka_unit_test(the_variance_is_the_biased_one),
        cmocka_unit_test(a_large_offset_does_not_spoil_the_variance),
        cmocka_unit_test(dx_is_the_slope_with_and_without_weights),
        cmocka_unit_test(parameter_gradients_are_added_to_what_is_there),
        cmocka_unit_test(what_is_not_wanted_changes_nothing_else),
        cmocka_unit_test(dx_may_replace_dy),
        cmocka_unit_test(a_row_of_zeros_without_eps_stays_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
