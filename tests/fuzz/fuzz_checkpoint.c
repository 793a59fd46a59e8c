/*
 * Checkpoints of which the digest is right and the rest is anything: libhdf5 reads them, so crashes
 * in there are counted and no findings. The input is the image; the trailer is put behind it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint_run.h"
#include "kernels/digest.h"

enum { TRAILER = 32, DIGEST = 8 };

/* The image with its trailer. */
static const char *seal(fuzz_input image)
{
    uint8_t *file = (uint8_t *)malloc(image.n_left + TRAILER), *end = file + image.n_left;
    const uint64_t version = 1, length = image.n_left;
    uint64_t digest;
    const char *path;

    FUZZ_CHECK(file != NULL);
    if (image.n_left > 0)
        memcpy(file, image.at, image.n_left);
    memcpy(end, "RNNTRAIL", 8);
    memcpy(end + 8, &version, sizeof version);
    memcpy(end + 16, &length, sizeof length);
    digest = rnn_digest(file, image.n_left + TRAILER - DIGEST);
    memcpy(end + 24, &digest, sizeof digest);
    path = fuzz_path(0, (fuzz_input){file, image.n_left + TRAILER});
    free(file);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const char *path = seal((fuzz_input){bytes, n_bytes});
    rnn_block blocks[] = {{.path = "data/mean", .type = RNN_BLOCK_FLOAT64},
                          {.path = "data/texts", .type = RNN_BLOCK_TEXTS}};
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    checkpoint_run run;
    size_t n_layers;
    char *config;

    if (rnn_checkpoint_read_config(path, &config) == RNN_OK)
        FUZZ_CHECK(strlen(config) < n_bytes);
    rnn_free(config);
    if (rnn_checkpoint_read_layers(path, layers, &n_layers) == RNN_OK)
        FUZZ_CHECK(n_layers >= 1 && n_layers <= RNN_MODEL_MAX_LAYERS);
    rnn_checkpoint_read_blocks(path, blocks, 2);
    for (size_t i = 0; i < 2; i++)
        rnn_free(blocks[i].values);
    checkpoint_run_create(&run);
    rnn_checkpoint_read(path, &run.checkpoint);
    checkpoint_run_free(&run);
    return 0;
}
