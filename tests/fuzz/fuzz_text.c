/*
 * The text reader and its vocabularies: settings, a text for testing, one for training.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "text"};

    fuzz_common_settings(&cfg, &in);
    cfg.standardize = cfg.standardize_targets = false;
    cfg.unit = (rnn_unit)fuzz_below(&in, RNN_UNIT_WORDS + 1);
    cfg.max_words = fuzz_below(&in, 8);
    cfg.min_count = fuzz_below(&in, 4);
    cfg.seq_len = fuzz_below(&in, 16);
    cfg.n_streams = fuzz_below(&in, 5);
    fuzz_take_files(&cfg, in);
    fuzz_dataset(&cfg);
    return 0;
}
