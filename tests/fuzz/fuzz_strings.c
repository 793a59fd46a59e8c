/*
 * The strings reader: settings, the alphabet, and pairs of strings.
 */
#include "fuzz.h"

#include <stdlib.h>

enum { MAX_PAIRS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "strings"};
    char *alphabet, *texts[2 * MAX_PAIRS];
    const char *inputs[MAX_PAIRS], *targets[MAX_PAIRS];
    size_t n_pairs;

    fuzz_common_settings(&cfg, &in);
    cfg.standardize = cfg.standardize_targets = false;
    n_pairs = fuzz_below(&in, MAX_PAIRS + 1);
    cfg.alphabet = alphabet = fuzz_text(fuzz_part(&in));
    for (size_t i = 0; i < n_pairs; i++) {
        inputs[i] = texts[2 * i] = fuzz_text(fuzz_part(&in));
        targets[i] = texts[2 * i + 1] = fuzz_text(fuzz_part(&in));
    }
    cfg.inputs = inputs;
    cfg.targets = targets;
    cfg.n_inputs = cfg.n_targets = n_pairs;
    fuzz_dataset(&cfg);
    for (size_t i = 0; i < 2 * n_pairs; i++)
        free(texts[i]);
    free(alphabet);
    return 0;
}
