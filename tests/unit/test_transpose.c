#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kernels/transpose.h"

enum { MOST = 37, PITCH = MOST + 5 };

static float in[MOST * PITCH], out[MOST * PITCH];

/* Every value once and at its place, and nothing beside it is touched. */
static void check(size_t n_rows, size_t n_columns)
{
    for (size_t k = 0; k < MOST * PITCH; k++) {
        in[k] = (float)k;
        out[k] = -1.0f;
    }
    rnn_transpose(out, PITCH, in, PITCH, n_rows, n_columns);
    for (size_t j = 0; j < MOST; j++)
        for (size_t i = 0; i < PITCH; i++) {
            float expected = j < n_columns && i < n_rows ? (float)(i * PITCH + j) : -1.0f;

            assert_true(out[j * PITCH + i] == expected);
        }
}

static void all_sizes_are_transposed(void **unused)
{
    (void)unused;
    for (size_t n_rows = 0; n_rows <= MOST; n_rows++)
        for (size_t n_columns = 0; n_columns <= MOST; n_columns++)
            check(n_rows, n_columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sizes_are_transposed)};

    return cmocka_run_group_tests_name("transpose", tests, NULL, NULL);
}
