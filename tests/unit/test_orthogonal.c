/*
 * Orthogonal matrices: orthonormal, and the factor of the QR decomposition that torch takes.
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

#include "kernels/orthogonal.h"

/* Q is rounded to float32 from double. */
static const double tolerance = 1e-6;

static const struct {
    size_t rows, columns;
} shapes[] = {{1, 1}, {40, 7}, {7, 40}, {33, 33}, {1, 9}, {9, 1}, {128, 32}};

enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static float *make(size_t shape, double gain)
{
    size_t rows = shapes[shape].rows, columns = shapes[shape].columns;
    float *q = malloc(rows * columns * sizeof(float));

    assert_int_equal(rnn_orthogonal(q, rows, columns, gain, 7, RNN_RANDOM_INIT, 0, 50), RNN_OK);
    return q;
}

/* A tall view of a matrix: element i of its vector j, which is a column, or a row if it is wide. */
static double at(const float *matrix, size_t shape, size_t i, size_t j)
{
    bool is_wide = shapes[shape].rows < shapes[shape].columns;
    size_t row = is_wide ? j : i, column = is_wide ? i : j;

    return (double)matrix[row * shapes[shape].columns + column];
}

static size_t n_vectors(size_t shape)
{
    return shapes[shape].rows < shapes[shape].columns ? shapes[shape].rows : shapes[shape].columns;
}

/* Product of vector j of one matrix and vector k of another. */
static double product(const float *a, size_t j, const float *b, size_t k, size_t shape)
{
    size_t length = shapes[shape].rows * shapes[shape].columns / n_vectors(shape);
    double sum = 0.0;

    for (size_t i = 0; i < length; i++)
        sum += at(a, shape, i, j) * at(b, shape, i, k);
    return sum;
}

static void the_shorter_side_is_orthonormal(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        float *q = make(shape, 1.0);

        for (size_t j = 0; j < n_vectors(shape); j++)
            for (size_t k = 0; k <= j; k++)
                if (!(fabs(product(q, j, q, k, shape) - (j == k ? 1.0 : 0.0)) <= tolerance))
                    fail_msg("%zu x %zu: product of %zu and %zu is %.9g", shapes[shape].rows,
                             shapes[shape].columns, j, k, product(q, j, q, k, shape));
        free(q);
    }
}

/* Q^T A = R: above the diagonal anything, on it positive, below it 0. That makes Q unique. */
static void it_is_the_qr_factor_of_the_normal_numbers(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        size_t count = shapes[shape].rows * shapes[shape].columns;
        float *q = make(shape, 1.0), *a = malloc(count * sizeof(float));

        rnn_random_normal(a, count, 0.0, 1.0, 7, RNN_RANDOM_INIT, 0, 50);
        for (size_t j = 0; j < n_vectors(shape); j++) {
            assert_true(product(q, j, a, j, shape) > 1e-3);
            for (size_t k = 0; k < j; k++)
                assert_true(fabs(product(q, j, a, k, shape)) <= 10.0 * tolerance);
        }
        free(q);
        free(a);
    }
}

static void the_gain_scales_it(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < N_SHAPES; shape++) {
        size_t count = shapes[shape].rows * shapes[shape].columns;
        float *q = make(shape, 1.0), *scaled = make(shape, 3.0);

        for (size_t i = 0; i < count; i++)
            assert_true(fabs((double)scaled[i] - 3.0 * (double)q[i]) <= 3e-7);
        free(q);
        free(scaled);
    }
}

static void other_places_give_another_matrix(void **state)
{
    float a[16], b[16], c[16];

    (void)state;
    assert_int_equal(rnn_orthogonal(a, 4, 4, 1.0, 1, RNN_RANDOM_INIT, 0, 0), RNN_OK);
    assert_int_equal(rnn_orthogonal(b, 4, 4, 1.0, 1, RNN_RANDOM_INIT, 0, 16), RNN_OK);
    assert_int_equal(rnn_orthogonal(c, 4, 4, 1.0, 2, RNN_RANDOM_INIT, 0, 0), RNN_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shorter_side_is_orthonormal),
        cmocka_unit_test(it_is_the_qr_factor_of_the_normal_numbers),
        cmocka_unit_test(the_gain_scales_it),
        cmocka_unit_test(other_places_give_another_matrix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
