/*
 * The npy reader: settings, then inputs and targets for training and for testing.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes}, targets;
    rnn_dataset_cfg cfg = {.format = "npy"};

    fuzz_common_settings(&cfg, &in);
    cfg.target = (rnn_target_choice)fuzz_below(&in, RNN_TARGET_CHOICE_STEP_VALUES + 1);
    targets = fuzz_part(&in);
    if (targets.n_left > 0)
        cfg.target_file[RNN_SPLIT_TRAIN] = fuzz_file(1, targets);
    fuzz_take_pairs(&cfg, in);
    fuzz_dataset(&cfg);
    return 0;
}
