/*
 * The hdf5 reader: settings, then one file for all splits. libhdf5 reads its structure, so crashes
 * in there are counted and no findings.
 */
#include "fuzz.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const groups[] = {"", ":/a", ":/b"};
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "hdf5", .x = "x", .y = "y"};
    char train[32], test[32];
    const char *name;
    size_t first, second;

    fuzz_common_settings(&cfg, &in);
    cfg.target = (rnn_target_choice)fuzz_below(&in, RNN_TARGET_CHOICE_STEP_VALUES + 1);
    first = fuzz_below(&in, 3);
    second = fuzz_below(&in, 3);
    name = fuzz_file(0, in);
    snprintf(train, sizeof train, "%s%s", name, groups[first]);
    snprintf(test, sizeof test, "%s%s", name, groups[second]);
    cfg.file[RNN_SPLIT_TRAIN] = train;
    if (second > 0)
        cfg.file[RNN_SPLIT_TEST] = test;
    fuzz_dataset(&cfg);
    return 0;
}
