/*
 * The trailer of a checkpoint, with this in place of all that libhdf5 would do: the image is only
 * asked for once the digest is right. The first byte, if odd, has the digest put right before.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "framework/checkpoint.h"
#include "framework/checkpoint_image.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { TRAILER = 32, DIGEST = 8 };

static struct {
    bool may_read; /* the digest is right */
    size_t n_file;
} now;

/* Instead of libhdf5: reads every byte that it may. */
static rnn_status read_bytes(const void *image, size_t n_bytes)
{
    FUZZ_CHECK(now.may_read);
    FUZZ_CHECK(n_bytes + TRAILER == now.n_file);
    return rnn_digest(image, n_bytes) != 0 ? RNN_FAIL(RNN_ERR_DATA, "read") : RNN_OK;
}

rnn_status __wrap_rnn_checkpoint_image_read_config(const void *image, size_t n_bytes,
                                                   const char *source, char **config);
rnn_status __wrap_rnn_checkpoint_image_read_layers(const void *image, size_t n_bytes,
                                                   const char *source, rnn_layer_cfg *layers,
                                                   size_t *n_layers);

rnn_status __wrap_rnn_checkpoint_image_read_config(const void *image, size_t n_bytes,
                                                   const char *source, char **config)
{
    (void)source;
    *config = NULL;
    return read_bytes(image, n_bytes);
}

rnn_status __wrap_rnn_checkpoint_image_read_layers(const void *image, size_t n_bytes,
                                                   const char *source, rnn_layer_cfg *layers,
                                                   size_t *n_layers)
{
    (void)source;
    (void)layers;
    *n_layers = 0;
    return read_bytes(image, n_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    bool is_mended = fuzz_byte(&in) % 2 == 1, is_hdf5;
    uint8_t *file = (uint8_t *)fuzz_text(in);
    uint64_t digest = 0, written = 0;
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    const char *path;
    char *config;
    size_t n_layers;

    now.n_file = in.n_left;
    if (in.n_left >= TRAILER) {
        digest = rnn_digest(file, in.n_left - DIGEST);
        if (is_mended)
            memcpy(file + in.n_left - DIGEST, &digest, sizeof digest);
        memcpy(&written, file + in.n_left - DIGEST, sizeof written);
    }
    now.may_read = in.n_left >= TRAILER && written == digest;
    path = fuzz_path(0, (fuzz_input){file, in.n_left});
    FUZZ_CHECK(rnn_checkpoint_recognize(path, &is_hdf5) == RNN_OK);
    rnn_checkpoint_read_config(path, &config);
    FUZZ_CHECK(config == NULL);
    rnn_checkpoint_read_layers(path, layers, &n_layers);
    free(file);
    return 0;
}
