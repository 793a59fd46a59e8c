#include "datasets/hdf5_chunk.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

enum { N_CHECKSUM = 4 };

/* What there is between two filters. */
typedef struct stage {
    const uint8_t *bytes;
    size_t n_bytes;
} stage;

/* -- fletcher32 ---------------------------------------------------------------------------------*/

static uint32_t fold(uint32_t sum)
{
    return (sum & 0xFFFF) + (sum >> 16);
}

/* Fletcher's checksum of words with the high byte first; an odd byte at the end is a high one. */
static uint32_t checksum(const uint8_t *bytes, size_t n_bytes)
{
    enum { MOST = 360 }; /* words until a sum might overflow */
    uint32_t low = 0, high = 0;

    for (size_t i = 0, n_words = 0; i < n_bytes; i += 2) {
        low += (uint32_t)bytes[i] << 8 | (i + 1 < n_bytes ? bytes[i + 1] : 0u);
        high += low;
        if (++n_words == MOST) {
            low = fold(low);
            high = fold(high);
            n_words = 0;
        }
    }
    low = fold(fold(low));
    high = fold(fold(high));
    return high << 16 | low;
}

/* Versions of libhdf5 before 1.6.3 swapped the bytes of each half on some machines. */
static uint32_t swap_halves(uint32_t sum)
{
    return (sum & 0x00FF00FF) << 8 | (sum >> 8 & 0x00FF00FF);
}

static rnn_status check_sum(stage *s)
{
    const uint8_t *end;
    uint32_t written, found;

    if (s->n_bytes < N_CHECKSUM)
        return RNN_FAIL(RNN_ERR_DATA, "has %zu bytes, which are too few for its checksum",
                        s->n_bytes);
    s->n_bytes -= N_CHECKSUM;
    end = s->bytes + s->n_bytes;
    written = end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24;
    found = checksum(s->bytes, s->n_bytes);
    if (written != found && written != swap_halves(found))
        return RNN_FAIL(RNN_ERR_DATA,
                        "has the checksum %08" PRIx32 " (fletcher32), but %08" PRIx32
                        " was written: it is damaged",
                        found, written);
    return RNN_OK;
}

/* -- shuffle ------------------------------------------------------------------------------------*/

/* The first bytes of all values, then their second ones ... become values again. */
static rnn_status unshuffle(stage *s, size_t value_size, rnn_buffer *room)
{
    size_t n_values = s->n_bytes / value_size, n_whole = n_values * value_size;
    const uint8_t *from = s->bytes;
    uint8_t *to;

    RNN_TRY(rnn_buffer_reserve(room, s->n_bytes, "a chunk of an HDF5 file"));
    to = room->bytes;
    for (size_t k = 0; k < value_size; k++)
        for (size_t i = 0; i < n_values; i++)
            to[i * value_size + k] = *from++;
    if (s->n_bytes > n_whole)
        memcpy(to + n_whole, from, s->n_bytes - n_whole);
    s->bytes = to;
    return RNN_OK;
}

/* -- deflate ------------------------------------------------------------------------------------*/

static rnn_status inflate_all(z_stream *stream, size_t n_expected)
{
    int code = inflate(stream, Z_FINISH);

    if (code == Z_STREAM_END && stream->avail_out == 0)
        return RNN_OK;
    if (code == Z_MEM_ERROR)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate what decompressing needs");
    if (code == Z_STREAM_END)
        return RNN_FAIL(RNN_ERR_DATA, "decompresses to %lu bytes, expected %zu: it is damaged",
                        stream->total_out, n_expected);
    if (code == Z_BUF_ERROR && stream->avail_out == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "decompresses to more than the expected %zu bytes: it is "
                        "damaged",
                        n_expected);
    return RNN_FAIL(RNN_ERR_DATA, "cannot be decompressed: %s",
                    stream->msg != NULL ? stream->msg : "it ends too early");
}

static rnn_status decompress(stage *s, size_t n_expected, rnn_buffer *room)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)s->bytes, .avail_in = (uInt)s->n_bytes};
    rnn_status st;

    if (s->n_bytes > INT_MAX || n_expected > INT_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "has %zu bytes, expected at most %d", s->n_bytes, INT_MAX);
    RNN_TRY(rnn_buffer_reserve(room, n_expected, "a chunk of an HDF5 file"));
    stream.next_out = room->bytes;
    stream.avail_out = (uInt)n_expected;
    if (inflateInit(&stream) != Z_OK)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate what decompressing needs");
    st = inflate_all(&stream, n_expected);
    inflateEnd(&stream);
    s->bytes = room->bytes;
    s->n_bytes = n_expected;
    return st;
}

/* -- The pipeline -------------------------------------------------------------------------------*/

/* Bytes of the values and the checksums that the first n filters add. */
static size_t size_after(const rnn_hdf5_pipeline *p, uint32_t skipped, size_t n)
{
    size_t size = p->n_bytes;

    for (size_t i = 0; i < n; i++)
        if (p->filter[i] == RNN_HDF5_FLETCHER32 && (skipped >> i & 1) == 0)
            size += N_CHECKSUM;
    return size;
}

rnn_status rnn_hdf5_chunk_decode(const rnn_hdf5_pipeline *p, uint32_t skipped,
                                 const uint8_t *stored, size_t n_stored, rnn_hdf5_chunk_work *work,
                                 uint8_t *values)
{
    stage s = {stored, n_stored};
    rnn_buffer *room = &work->buffer[0], *other = &work->buffer[1], *filled;

    for (size_t i = p->n_filters; i-- > 0;) {
        if ((skipped >> i & 1) != 0)
            continue;
        switch (p->filter[i]) {
        case RNN_HDF5_FLETCHER32:
            RNN_TRY(check_sum(&s));
            break;
        case RNN_HDF5_SHUFFLE:
            RNN_TRY(unshuffle(&s, p->value_size, room));
            break;
        case RNN_HDF5_DEFLATE:
            RNN_TRY(decompress(&s, size_after(p, skipped, i), room));
            break;
        }
        if (s.bytes == room->bytes) { /* the next one reads there and writes elsewhere */
            filled = room;
            room = other;
            other = filled;
        }
    }
    if (s.n_bytes != p->n_bytes)
        return RNN_FAIL(RNN_ERR_DATA, "has %zu bytes, expected %zu: it is damaged", s.n_bytes,
                        p->n_bytes);
    memcpy(values, s.bytes, p->n_bytes);
    return RNN_OK;
}

void rnn_hdf5_chunk_work_free(rnn_hdf5_chunk_work *work)
{
    for (size_t i = 0; i < 2; i++)
        rnn_buffer_release(&work->buffer[i]);
}
