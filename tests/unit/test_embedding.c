/*
 * Embeddings and one-hot rows on small tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/embedding.h"

enum { ROWS = 5, DIM = 3, N_TOKENS = 4 };

static const int32_t token[ROWS] = {2, 0, -1, 2, 3};

static const float table[N_TOKENS][DIM] = {
    {1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}, {7.0f, 8.0f, 9.0f}, {10.0f, 11.0f, 12.0f}};

static const float dy[ROWS][DIM] = {
    {1.0f, 2.0f, 4.0f}, {8.0f, 16.0f, 32.0f}, {9.0f, 9.0f, 9.0f}, {0.5f, 0.25f, 0.125f}, {3.0f}};

static void rows_are_those_of_the_table_and_padding_is_zero(void **state)
{
    const float expected[ROWS][DIM] = {
        {7.0f, 8.0f, 9.0f}, {1.0f, 2.0f, 3.0f}, {0.0f}, {7.0f, 8.0f, 9.0f}, {10.0f, 11.0f, 12.0f}};
    float y[ROWS][DIM];

    (void)state;
    memset(y, 0xff, sizeof y);
    rnn_embedding_forward(ROWS, DIM, token, table[0], y[0]);
    assert_memory_equal(y, expected, sizeof y);
}

static void rows_of_the_same_token_add_up(void **state)
{
    const float expected[N_TOKENS][DIM] = {
        {9.0f, 17.0f, 33.0f}, {1.0f, 1.0f, 1.0f}, {2.5f, 3.25f, 5.125f}, {4.0f, 1.0f, 1.0f}};
    float dweight[N_TOKENS][DIM] = {
        {1.0f, 1.0f, 1.0f}, {1.0f, 1.0f, 1.0f}, {1.0f, 1.0f, 1.0f}, {1.0f, 1.0f, 1.0f}};

    (void)state;
    rnn_embedding_backward(ROWS, DIM, token, -1, dy[0], dweight[0]);
    assert_memory_equal(dweight, expected, sizeof expected);
}

static void the_padding_token_gets_no_gradient(void **state)
{
    const float expected[N_TOKENS][DIM] = {{8.0f, 16.0f, 32.0f}, {0.0f}, {0.0f}, {3.0f}};
    float dweight[N_TOKENS][DIM] = {{0.0f}};

    (void)state;
    rnn_embedding_backward(ROWS, DIM, token, 2, dy[0], dweight[0]);
    assert_memory_equal(dweight, expected, sizeof expected);
}

/* 2^24 + 1 + 1 is 2^24 in float32 from the left, and 2^24 + 2 from the right. */
static void gradients_are_added_in_the_order_of_rows(void **state)
{
    const int32_t same[] = {0, 0, 0};
    const float left[] = {0x1p24f, 1.0f, 1.0f}, right[] = {1.0f, 1.0f, 0x1p24f};
    float from_left = 0.0f, from_right = 0.0f;

    (void)state;
    rnn_embedding_backward(3, 1, same, -1, left, &from_left);
    rnn_embedding_backward(3, 1, same, -1, right, &from_right);
    assert_true(from_left == 0x1p24f);
    assert_true(from_right == 0x1p24f + 2.0f);
}

static void one_hot_rows_are_one_at_the_token(void **state)
{
    const float expected[ROWS][N_TOKENS] = {{0.0f, 0.0f, 1.0f, 0.0f},
                                            {1.0f, 0.0f, 0.0f, 0.0f},
                                            {0.0f, 0.0f, 0.0f, 0.0f},
                                            {0.0f, 0.0f, 1.0f, 0.0f},
                                            {0.0f, 0.0f, 0.0f, 1.0f}};
    float y[ROWS][N_TOKENS];

    (void)state;
    memset(y, 0xff, sizeof y);
    rnn_onehot_forward(ROWS, N_TOKENS, token, y[0]);
    assert_memory_equal(y, expected, sizeof y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_table_and_padding_is_zero),
        cmocka_unit_test(rows_of_the_same_token_add_up),
        cmocka_unit_test(the_padding_token_gets_no_gradient),
        cmocka_unit_test(gradients_are_added_in_the_order_of_rows),
        cmocka_unit_test(one_hot_rows_are_one_at_the_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
