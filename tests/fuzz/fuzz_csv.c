/*
 * The csv reader: settings, names of columns, a file for testing, one for training.
 */
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "csv"};
    char *column, *target;
    const char *columns[1], *targets[1];

    fuzz_common_settings(&cfg, &in);
    cfg.missing = (rnn_missing)fuzz_below(&in, RNN_MISSING_LINEAR + 1);
    cfg.target = (rnn_target_choice)fuzz_below(&in, RNN_TARGET_CHOICE_STEP_VALUES + 1);
    cfg.look_back = 1 + fuzz_below(&in, 4);
    cfg.window = fuzz_below(&in, 5);
    cfg.stride = 1 + fuzz_below(&in, 3);
    cfg.horizon = fuzz_below(&in, 4);
    columns[0] = column = fuzz_text(fuzz_part(&in));
    targets[0] = target = fuzz_text(fuzz_part(&in));
    cfg.columns = columns;
    cfg.n_columns = column[0] != '\0';
    cfg.target_columns = targets;
    cfg.n_target_columns = target[0] != '\0';
    fuzz_take_files(&cfg, in);
    fuzz_dataset(&cfg);
    free(column);
    free(target);
    return 0;
}
