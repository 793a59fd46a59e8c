/*
 * The idx reader: settings, then images and labels for training and for testing, plain or
 * compressed.
 */
#include "fuzz.h"

#include <zlib.h>

/* Buffers of the reader's size would take most of the time. */
int __wrap_gzbuffer(gzFile stream, unsigned size);
int __real_gzbuffer(gzFile stream, unsigned size);

int __wrap_gzbuffer(gzFile stream, unsigned size)
{
    return __real_gzbuffer(stream, size < 4096 ? size : 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    rnn_dataset_cfg cfg = {.format = "idx"};

    fuzz_common_settings(&cfg, &in);
    cfg.sequence = (rnn_sequence)fuzz_below(&in, RNN_SEQUENCE_PIXELS + 1);
    cfg.n_classes = fuzz_byte(&in);
    cfg.target_file[RNN_SPLIT_TRAIN] = fuzz_file(1, fuzz_part(&in));
    fuzz_take_pairs(&cfg, in);
    fuzz_dataset(&cfg);
    return 0;
}
