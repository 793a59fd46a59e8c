#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/bare.h"

/* What it computes is test_recurrent.c's business; that it can be run and repeated, ours. */
static void every_kind_of_layer_runs(void **state)
{
    static const rnn_recurrent_cfg kinds[] = {
        {RNN_CELL_TANH, 3, 5, 0, false}, {RNN_CELL_RELU, 3, 5, 0, true},
        {RNN_CELL_GRU, 3, 5, 0, false},  {RNN_CELL_LSTM, 3, 5, 0, false},
        {RNN_CELL_LSTM, 3, 5, 2, true},
    };
    static const rnn_recurrent_slice slices[] = {{.seq_len = 1, .rows = 1},
                                                 {.seq_len = 4, .rows = 6, .y_pitch = 11}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t k = 0; k < 2; k++) {
            rnn_bare *bare;

            assert_int_equal(rnn_bare_create(&bare, &kinds[i], &slices[k], 2), RNN_OK);
            for (size_t part = 0; part < 2; part++)
                assert_int_equal(rnn_bare_prepare(bare, part), RNN_OK);
            for (size_t part = 0; part < 4; part++) {
                assert_int_equal(rnn_bare_forward(bare, part % 2), RNN_OK);
                assert_int_equal(rnn_bare_backward(bare, part % 2), RNN_OK);
            }
            rnn_bare_destroy(&bare);
            assert_null(bare);
        }
}

static void a_slice_without_rows_is_refused(void **state)
{
    const rnn_recurrent_cfg cfg = {RNN_CELL_GRU, 3, 5, 0, false};
    rnn_bare *bare;

    (void)state;
    assert_int_equal(
        rnn_bare_create(&bare, &cfg, &(rnn_recurrent_slice){.seq_len = 4, .rows = 0}, 1),
        RNN_ERR_INTERNAL);
    assert_null(bare);
    assert_non_null(strstr(rnn_error_message(), "sizes must not be 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_layer_runs),
        cmocka_unit_test(a_slice_without_rows_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
