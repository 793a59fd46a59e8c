/*
 * The hdf5 reader: settings, then one file for all splits. libhdf5 reads its structure, so crashes
 * in there are counted and no findings.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const groups[] = {"", ":/a", ":/b"};
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "hdf5", .x = "x", .y = "y"};
    static char folder[4096], train[4096], test[4096];
    const char *const search[] = {folder};
    const char *name;
    size_t first, second;

    fuzz_common_settings(&cfg, &in);
    cfg.target = (rnn_target_choice)fuzz_below(&in, RNN_TARGET_CHOICE_STEP_VALUES + 1);
    first = fuzz_below(&in, 3);
    second = fuzz_below(&in, 3);
    snprintf(folder, sizeof folder, "%s", fuzz_named_file(in));
    name = strrchr(folder, '/') + 1;
    snprintf(train, sizeof train, "%s%s", name, groups[first]);
    snprintf(test, sizeof test, "%s%s", name, groups[second]);
    folder[name - 1 - folder] = '\0';
    cfg.search = search;
    cfg.n_search = 1;
    cfg.file[RNN_SPLIT_TRAIN] = train;
    if (second > 0)
        cfg.file[RNN_SPLIT_TEST] = test;
    fuzz_dataset(&cfg);
    return 0;
}
