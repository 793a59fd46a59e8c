/*
 * Decoding of chunks: filters, which of them were skipped, sizes, and the bytes of a chunk. With
 * the highest bit of the first byte, they are compressed before, so that deflate is got through.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "datasets/hdf5_chunk.h"

static rnn_hdf5_pipeline take_pipeline(fuzz_input *in, uint8_t bits)
{
    static const rnn_hdf5_filter orders[][RNN_HDF5_MAX_FILTERS] = {
        {RNN_HDF5_SHUFFLE, RNN_HDF5_DEFLATE, RNN_HDF5_FLETCHER32},
        {RNN_HDF5_FLETCHER32, RNN_HDF5_SHUFFLE, RNN_HDF5_DEFLATE},
        {RNN_HDF5_DEFLATE, RNN_HDF5_FLETCHER32, RNN_HDF5_SHUFFLE},
        {RNN_HDF5_SHUFFLE, RNN_HDF5_FLETCHER32, RNN_HDF5_DEFLATE}};
    rnn_hdf5_pipeline p = {.n_filters = 1 + (bits >> 2) % RNN_HDF5_MAX_FILTERS};

    memcpy(p.filter, orders[bits & 3], sizeof p.filter);
    p.value_size = 1 + fuzz_below(in, 16);
    p.n_bytes = p.value_size * (1 + fuzz_byte(in));
    return p;
}

static void decode(const rnn_hdf5_pipeline *p, uint32_t skipped, const uint8_t *stored, size_t n)
{
    rnn_hdf5_chunk_work work = {0};
    uint8_t *values = malloc(p->n_bytes), *copy = malloc(n + 1);
    rnn_status st;

    FUZZ_CHECK(values != NULL && copy != NULL);
    for (int i = 0; i < 2; i++) { /* again in the same memory */
        if (n > 0)
            memcpy(copy, stored, n);
        st = rnn_hdf5_chunk_decode(p, skipped, copy, n, &work, values);
        FUZZ_CHECK(st == RNN_OK || st == RNN_ERR_DATA);
    }
    rnn_hdf5_chunk_work_free(&work);
    free(copy);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    uint8_t bits = fuzz_byte(&in);
    rnn_hdf5_pipeline p = take_pipeline(&in, bits);
    uint32_t skipped = fuzz_byte(&in);
    uLongf n = compressBound(in.n_left);
    uint8_t *compressed;

    if (bits >> 7 == 0) {
        decode(&p, skipped, in.at, in.n_left);
        return 0;
    }
    compressed = malloc(n);
    FUZZ_CHECK(compressed != NULL && compress2(compressed, &n, in.at, in.n_left, 1) == Z_OK);
    decode(&p, skipped, compressed, n);
    free(compressed);
    return 0;
}
