/*
 * What kernels/onednn.h promises beside the recurrent layers (test_recurrent.c): matrix products,
 * and the sizes of a primitive pair's arguments.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/onednn.h"

/* -- Matrix products ------------------------------------------------------------------------- */

/* A row-major matrix in rows longer than it needs. */
typedef struct matrix {
    size_t rows, columns, pitch;
    float *values;
} matrix;

static matrix make_matrix(size_t rows, size_t columns, float scale)
{
    matrix m = {rows, columns, columns + 3, malloc(rows * (columns + 3) * sizeof(float))};

    for (size_t i = 0; i < rows * m.pitch; i++)
        m.values[i] = scale * cosf(0.3f * (float)i + 0.1f * (float)(i % 7));
    return m;
}

/* op(A), stored as it is or transposed. */
static matrix make_operand(char op, size_t rows, size_t columns)
{
    return op == 'N' ? make_matrix(rows, columns, 1.0f) : make_matrix(columns, rows, 1.0f);
}

static double at(const matrix *m, char op, size_t row, size_t column)
{
    return (double)(op == 'N' ? m->values[row * m->pitch + column]
                              : m->values[column * m->pitch + row]);
}

/* Every value of c against the product in double, its padding against what was there. */
static void check_product(char op_a, char op_b, const matrix *a, const matrix *b, size_t k,
                          float beta, const matrix *before, const matrix *c)
{
    for (size_t i = 0; i < c->rows; i++)
        for (size_t j = 0; j < c->pitch; j++) {
            size_t place = i * c->pitch + j;
            double sum = beta != 0.0f ? (double)beta * (double)before->values[place] : 0.0;

            if (j >= c->columns) {
                assert_memory_equal(&c->values[place], &before->values[place], sizeof(float));
                continue;
            }
            for (size_t l = 0; l < k; l++)
                sum += at(a, op_a, i, l) * at(b, op_b, l, j);
            /* float32 sums of up to 70 products of order 1 */
            if (!(fabs((double)c->values[place] - sum) <= 2e-5))
                fail_msg("%c%c %zu x %zu x %zu, beta %g: [%zu][%zu] is %.9g, expected %.9g", op_a,
                         op_b, c->rows, c->columns, k, (double)beta, i, j, (double)c->values[place],
                         sum);
        }
}

static void check_sgemm(char op_a, char op_b, size_t m, size_t n, size_t k, float beta)
{
    matrix a = make_operand(op_a, m, k), b = make_operand(op_b, k, n);
    matrix before = make_matrix(m, n, beta == 0.0f ? NAN : 0.5f);
    matrix c = make_matrix(m, n, beta == 0.0f ? NAN : 0.5f);

    assert_int_equal(rnn_onednn_sgemm(op_a, op_b, m, n, k, a.values, a.pitch, b.values, b.pitch,
                                      beta, c.values, c.pitch),
                     RNN_OK);
    check_product(op_a, op_b, &a, &b, k, beta, &before, &c);
    free(a.values);
    free(b.values);
    free(before.values);
    free(c.values);
}

/* With beta = 0 the old content, here NaN, must not matter. */
static void sgemm_equals_the_plain_product(void **state)
{
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 4, 5}, {16, 10, 8}, {33, 7, 70}};
    static const float betas[] = {0.0f, 1.0f, 0.5f};
    static const char ops[] = "NT";

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t b = 0; b < sizeof betas / sizeof *betas; b++)
            for (int ops_of = 0; ops_of < 4; ops_of++)
                check_sgemm(ops[ops_of / 2], ops[ops_of % 2], shapes[s][0], shapes[s][1],
                            shapes[s][2], betas[b]);
}

static void sgemm_refuses_a_pitch_that_is_too_short(void **state)
{
    float a[4] = {0}, b[4] = {0}, c[4] = {0};

    (void)state;
    assert_int_equal(rnn_onednn_sgemm('N', 'N', 2, 2, 2, a, 1, b, 2, 0.0f, c, 2),
                     RNN_ERR_UNAVAILABLE);
    assert_non_null(strstr(rnn_error_message(), "multiply matrices"));
}

/* -- Primitive pairs ------------------------------------------------------------------------- */

enum { T = 5, N = 3, I = 7, H = 11 };

static void check_arguments(const rnn_onednn_pair *pair, rnn_cell cell)
{
    const size_t gates = rnn_cell_gates(cell), size = sizeof(float);
    const size_t biases = cell == RNN_CELL_GRU ? 4 : gates;
    const struct {
        rnn_onednn_arg arg;
        size_t bytes;
    } plain[] = {{RNN_ARG_SRC_LAYER, T * N * I * size}, {RNN_ARG_DIFF_SRC_LAYER, T * N * I * size},
                 {RNN_ARG_DST_LAYER, T * N * H * size}, {RNN_ARG_DIFF_DST_LAYER, T * N * H * size},
                 {RNN_ARG_SRC_ITER, N * H * size},      {RNN_ARG_DIFF_SRC_ITER, N * H * size},
                 {RNN_ARG_DST_ITER, N * H * size},      {RNN_ARG_DIFF_DST_ITER, N * H * size},
                 {RNN_ARG_BIAS, biases * H * size},     {RNN_ARG_DIFF_BIAS, biases * H * size}};
    const struct {
        rnn_onednn_arg arg;
        size_t used;
    } weights[] = {{RNN_ARG_WEIGHTS_LAYER, gates * H},      {RNN_ARG_WEIGHTS_ITER, gates * H},
                   {RNN_ARG_DIFF_WEIGHTS_LAYER, gates * H}, {RNN_ARG_DIFF_WEIGHTS_ITER, gates * H},
                   {RNN_ARG_BWD_WEIGHTS_LAYER, I},          {RNN_ARG_BWD_WEIGHTS_ITER, H}};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_int_equal(rnn_onednn_pair_bytes(pair, plain[i].arg), plain[i].bytes);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        assert_true(rnn_onednn_pair_pitch(pair, weights[i].arg) >= weights[i].used);
    assert_true(rnn_onednn_pair_bytes(pair, RNN_ARG_WORKSPACE) > 0);
}

static void arguments_have_the_documented_sizes(void **state)
{
    (void)state;
    for (int cell = RNN_CELL_TANH; cell <= RNN_CELL_GRU; cell++) {
        const rnn_onednn_shape shape = {
            .cell = (rnn_cell)cell, .seq_len = T, .rows = N, .n_in = I, .n_hid = H};
        rnn_onednn_pair *pair;

        assert_int_equal(rnn_onednn_pair_create(&pair, &shape), RNN_OK);
        check_arguments(pair, shape.cell);
        rnn_onednn_pair_destroy(&pair);
        assert_null(pair);
    }
}

static void only_lstm_has_cell_states(void **state)
{
    static const rnn_onednn_arg cell_states[] = {RNN_ARG_SRC_ITER_C, RNN_ARG_DST_ITER_C,
                                                 RNN_ARG_DIFF_SRC_ITER_C, RNN_ARG_DIFF_DST_ITER_C};

    (void)state;
    for (int cell = RNN_CELL_TANH; cell <= RNN_CELL_GRU; cell++) {
        const rnn_onednn_shape shape = {
            .cell = (rnn_cell)cell, .seq_len = T, .rows = N, .n_in = I, .n_hid = H};
        size_t expected = cell == RNN_CELL_LSTM ? N * H * sizeof(float) : 0;
        rnn_onednn_pair *pair;

        assert_int_equal(rnn_onednn_pair_create(&pair, &shape), RNN_OK);
        for (size_t i = 0; i < sizeof cell_states / sizeof *cell_states; i++)
            assert_int_equal(rnn_onednn_pair_bytes(pair, cell_states[i]), expected);
        rnn_onednn_pair_destroy(&pair);
    }
}

static void a_shape_without_units_or_beyond_2_31_is_refused(void **state)
{
    static const struct {
        rnn_onednn_shape shape;
        rnn_status status;
        const char *word;
    } refused[] = {
        {{.cell = RNN_CELL_GRU, .seq_len = T, .rows = N, .n_in = I, .n_hid = 0},
         RNN_ERR_INTERNAL,
         "must not be 0"},
        {{.cell = RNN_CELL_GRU, .seq_len = T, .rows = N, .n_in = I, .n_hid = 40000},
         RNN_ERR_UNAVAILABLE,
         "40000 units"},
        {{.cell = RNN_CELL_GRU, .seq_len = 65536, .rows = 65536, .n_in = I, .n_hid = H},
         RNN_ERR_UNAVAILABLE,
         "65536 steps x 65536 rows"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        rnn_onednn_pair *pair = (rnn_onednn_pair *)&pair;

        assert_int_equal(rnn_onednn_pair_create(&pair, &refused[i].shape), refused[i].status);
        assert_null(pair);
        assert_non_null(strstr(rnn_error_message(), refused[i].word));
    }
}

static void the_library_says_who_it_is(void **state)
{
    (void)state;
    assert_true(strncmp(rnn_onednn_version(), "oneDNN ", 7) == 0);
    assert_true(strlen(rnn_onednn_version()) > 10);
    assert_true(strlen(rnn_onednn_isa()) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgemm_equals_the_plain_product),
        cmocka_unit_test(sgemm_refuses_a_pitch_that_is_too_short),
        cmocka_unit_test(arguments_have_the_documented_sizes),
        cmocka_unit_test(only_lstm_has_cell_states),
        cmocka_unit_test(a_shape_without_units_or_beyond_2_31_is_refused),
        cmocka_unit_test(the_library_says_who_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
