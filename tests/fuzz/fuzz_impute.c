/*
 * Filling in of missing values: a kind, a pitch, then values; afterwards none may be missing, and
 * those that were there are as before.
 */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_missing missing = (rnn_missing)(1 + fuzz_below(&in, RNN_MISSING_LINEAR));
    size_t pitch = 1 + fuzz_below(&in, 4), n = in.n_left / sizeof(float);
    size_t n_steps = (n + pitch - 1) / pitch;
    float *before = malloc(n * sizeof *before + 1), *values = malloc(n * sizeof *values + 1);

    FUZZ_CHECK(before != NULL && values != NULL);
    if (n > 0)
        memcpy(before, in.at, n * sizeof *before);
    for (size_t i = 0; i < n; i++)
        if (isinf(before[i])) /* readers let none in */
            before[i] = NAN;
    memcpy(values, before, n * sizeof *values);
    if (n > 0)
        rnn_reader_impute(missing, values, n_steps, pitch);
    for (size_t i = 0; i < n; i++) {
        if (i % pitch != 0 || !isnan(before[i]))
            FUZZ_CHECK(memcmp(&before[i], &values[i], sizeof *values) == 0);
        else
            FUZZ_CHECK(isfinite(values[i]));
    }
    free(before);
    free(values);
    return 0;
}
