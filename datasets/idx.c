#include "datasets/idx.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "datasets/files.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { WORD = 4, MAX_DIMENSIONS = 3 };
enum { MAGIC_IMAGES = 0x00000803, MAGIC_LABELS = 0x00000801 };
enum { FIRST_CAPACITY = 1 << 16, GROWTH = 4, MAX_READ = 1 << 30, GZIP_BUFFER = 1 << 18 };

static const struct {
    const char *plural;
    uint32_t magic;
    size_t n_dimensions;
} kinds[] = {
    [RNN_IDX_IMAGES] = {"images", MAGIC_IMAGES, 3},
    [RNN_IDX_LABELS] = {"labels", MAGIC_LABELS, 1},
};

/* The third byte of the magic number. */
static const char *const element_types[256] = {
    [0x08] = "unsigned bytes",  [0x09] = "signed bytes",  [0x0B] = "16-bit integers",
    [0x0C] = "32-bit integers", [0x0D] = "32-bit floats", [0x0E] = "64-bit floats",
};

/* A file being read. */
typedef struct input {
    const char *path;
    rnn_idx_kind kind;
    gzFile stream;
    size_t n_content; /* bytes of content read so far */
    bool is_cut_off;  /* zlib has seen the end of the file inside the stream */
    uint8_t header[WORD * (1 + MAX_DIMENSIONS)];
    size_t n_header; /* bytes of it that this kind has */
} input;

/* -- Bytes --------------------------------------------------------------------------------------*/

static rnn_status open_input(input *in)
{
    int fd;

    RNN_TRY(rnn_files_open(&fd, in->path));
    in->stream = gzdopen(fd, "rb");
    if (in->stream == NULL) {
        close(fd);
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of '%s'", in->path);
    }
    gzbuffer(in->stream, GZIP_BUFFER);
    return RNN_OK;
}

static rnn_status check_stream(const input *in)
{
    int code;
    const char *reason = gzerror(in->stream, &code);

    if (in->is_cut_off) {
        code = Z_BUF_ERROR;
        reason = "unexpected end of file";
    }
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return RNN_OK;
    case Z_ERRNO:
        return RNN_FAIL(RNN_ERR_IO, "cannot read '%s' after %zu bytes: %s", in->path, in->n_content,
                        strerror(errno));
    case Z_MEM_ERROR:
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of '%s'", in->path);
    default:
        return RNN_FAIL(RNN_ERR_DATA, "'%s': damaged gzip stream after %zu bytes of content: %s",
                        in->path, in->n_content, reason);
    }
}

/* zlib 1.3.2 forgets with the next read that the stream ended too early. */
static void note_end(input *in)
{
    int code;

    gzerror(in->stream, &code);
    in->is_cut_off = in->is_cut_off || code == Z_BUF_ERROR;
}

/* Reads `n_bytes`, or all there are: *n_read is smaller only at the end of the file. */
static rnn_status read_bytes(input *in, uint8_t *bytes, size_t n_bytes, size_t *n_read)
{
    *n_read = 0;
    while (*n_read < n_bytes) {
        size_t left = n_bytes - *n_read;
        unsigned chunk = left < MAX_READ ? (unsigned)left : MAX_READ;
        int got = gzread(in->stream, bytes + *n_read, chunk);

        note_end(in);
        if (got <= 0)
            return check_stream(in);
        in->n_content += (size_t)got;
        *n_read += (size_t)got;
    }
    return RNN_OK;
}

/* -- Header -------------------------------------------------------------------------------------*/

static uint32_t big_endian(const uint8_t *word)
{
    return (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
}

static rnn_status check_magic(input *in, uint32_t found)
{
    const char *type = found >> 16 == 0 ? element_types[found >> 8 & 0xFF] : NULL;
    char meaning[64] = "not an IDX file";

    if (found == kinds[in->kind].magic)
        return RNN_OK;
    if (type != NULL)
        snprintf(meaning, sizeof meaning, "%s, %u dimensions", type, found & 0xFF);
    return RNN_FAIL(RNN_ERR_DATA,
                    "'%s': expected IDX %s (magic 0x%08x: unsigned bytes, %zu dimensions), "
                    "found magic 0x%08x: %s",
                    in->path, kinds[in->kind].plural, (unsigned)kinds[in->kind].magic,
                    kinds[in->kind].n_dimensions, (unsigned)found, meaning);
}

/* "60000 images of 28x28" or "60000 labels". */
static const char *describe(const rnn_idx *idx, rnn_idx_kind kind, char text[80])
{
    int used = snprintf(text, 80, "%zu %s", idx->count, kinds[kind].plural);

    if (kind == RNN_IDX_IMAGES)
        snprintf(text + used, 80 - (size_t)used, " of %zux%zu", idx->rows, idx->cols);
    return text;
}

/* Fills count, rows, cols and n_bytes. */
static rnn_status read_header(input *in, rnn_idx *idx)
{
    size_t *dimensions[MAX_DIMENSIONS] = {&idx->count, &idx->rows, &idx->cols};
    size_t image, n_values, n_read;
    char text[80];

    in->n_header = WORD * (1 + kinds[in->kind].n_dimensions);
    RNN_TRY(read_bytes(in, in->header, in->n_header, &n_read));
    if (n_read >= WORD)
        RNN_TRY(check_magic(in, big_endian(in->header)));
    if (n_read < in->n_header)
        return RNN_FAIL(RNN_ERR_DATA,
                        "'%s': truncated: expected an IDX header of %zu bytes, file has %zu",
                        in->path, in->n_header, n_read);
    idx->rows = idx->cols = 1;
    for (size_t i = 0; i < kinds[in->kind].n_dimensions; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are no more dimensions */
        *dimensions[i] = big_endian(in->header + WORD * (1 + i));
    if (idx->count == 0 || idx->rows == 0 || idx->cols == 0)
        return RNN_FAIL(RNN_ERR_DATA, "'%s': empty: header says %s", in->path,
                        describe(idx, in->kind, text));
    RNN_TRY(rnn_size_multiply(&image, idx->rows, idx->cols, in->path));
    RNN_TRY(rnn_size_multiply(&n_values, idx->count, image, in->path));
    if (n_values > SIZE_MAX - in->n_header)
        return RNN_FAIL(RNN_ERR_DATA, "'%s': header says %s: does not fit in memory", in->path,
                        describe(idx, in->kind, text));
    idx->n_bytes = in->n_header + n_values;
    return RNN_OK;
}

/* -- Content ------------------------------------------------------------------------------------*/

/* Moves the first `used` bytes to a larger array, of at most `limit`. */
static rnn_status grow(uint8_t **bytes, size_t *capacity, size_t used, size_t limit)
{
    size_t base = *capacity > 0 ? *capacity : FIRST_CAPACITY / GROWTH;
    size_t larger = base < limit / GROWTH ? base * GROWTH : limit;
    uint8_t *moved;

    RNN_TRY(RNN_ALLOC(&moved, larger, "the content of a dataset file"));
    if (used > 0)
        memcpy(moved, *bytes, used);
    rnn_free(*bytes);
    *bytes = moved;
    *capacity = larger;
    return RNN_OK;
}

/* Reads the values behind the header into idx->bytes. */
static rnn_status read_values(input *in, rnn_idx *idx)
{
    size_t n_values = idx->n_bytes - in->n_header, used = in->n_header, capacity = 0, n_read;
    uint8_t extra;
    char text[80];

    RNN_TRY(grow(&idx->bytes, &capacity, 0, idx->n_bytes));
    memcpy(idx->bytes, in->header, in->n_header);
    for (;;) {
        RNN_TRY(read_bytes(in, idx->bytes + used, capacity - used, &n_read));
        used += n_read;
        if (used < capacity)
            return RNN_FAIL(RNN_ERR_DATA,
                            "'%s': truncated: header says %s = %zu bytes, file has %zu", in->path,
                            describe(idx, in->kind, text), n_values, used - in->n_header);
        if (used == idx->n_bytes)
            break;
        RNN_TRY(grow(&idx->bytes, &capacity, used, idx->n_bytes));
    }
    /* Looking for the end also makes zlib compare the checksum. */
    RNN_TRY(read_bytes(in, &extra, 1, &n_read));
    if (n_read > 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "'%s': trailing bytes: header says %s = %zu bytes, file has more", in->path,
                        describe(idx, in->kind, text), n_values);
    idx->values = idx->bytes + in->n_header;
    return RNN_OK;
}

rnn_status rnn_idx_read(rnn_idx *out, const char *path, rnn_idx_kind kind)
{
    input in = {.path = path, .kind = kind};
    rnn_status st;

    *out = (rnn_idx){0};
    RNN_TRY_GOTO(st, open_input(&in), done);
    RNN_TRY_GOTO(st, read_header(&in, out), done);
    RNN_TRY_GOTO(st, read_values(&in, out), done);
    out->digest = rnn_digest(out->bytes, out->n_bytes);
done:
    if (in.stream != NULL)
        gzclose_r(in.stream);
    if (st != RNN_OK)
        rnn_idx_release(out);
    return st;
}

void rnn_idx_release(rnn_idx *idx)
{
    rnn_free(idx->bytes);
    *idx = (rnn_idx){0};
}

const char *rnn_idx_library(void)
{
    static char text[32];

    snprintf(text, sizeof text, "zlib %s", zlibVersion());
    return text;
}
