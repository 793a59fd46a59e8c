/*
 * The ts reader: settings, what stands for missing values, a training and a test file.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "ts"};

    fuzz_common_settings(&cfg, &in);
    cfg.missing = (rnn_missing)fuzz_below(&in, RNN_MISSING_LINEAR + 1);
    fuzz_take_files(&cfg, in);
    fuzz_dataset(&cfg);
    return 0;
}
