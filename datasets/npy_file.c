#include "datasets/npy_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/files.h"
#include "datasets/npy_header.h"
#include "kernels/memory.h"

/* Bytes: of the magic and version, of the longest header that NumPy's own reader trusts, and of a
   piece of the array. */
enum { N_MAGIC = 6, N_FIXED = 8, MAX_HEADER = 10000, PIECE = 8192 };

/* -- Bytes --------------------------------------------------------------------------------------*/

/* All of n_bytes, or *n_read of them up to the end of the file. */
static rnn_status read_bytes(const rnn_npy_file *file, void *into, size_t offset, size_t n_bytes,
                             size_t *n_read)
{
    for (*n_read = 0; *n_read < n_bytes;) {
        ssize_t n =
            pread(file->fd, (char *)into + *n_read, n_bytes - *n_read, (off_t)(offset + *n_read));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return RNN_FAIL(RNN_ERR_IO, "%s: cannot read at byte %zu: %s", file->path,
                            offset + *n_read, strerror(errno));
        if (n == 0)
            break;
        *n_read += (size_t)n;
    }
    return RNN_OK;
}

/* A part of the header. */
static rnn_status read_header_bytes(const rnn_npy_file *file, void *into, size_t offset,
                                    size_t n_bytes, const char *what)
{
    size_t n_read;

    RNN_TRY(read_bytes(file, into, offset, n_bytes, &n_read));
    if (n_read < n_bytes)
        return RNN_FAIL(RNN_ERR_DATA, "%s: byte %zu: expected %zu bytes of %s, found %zu",
                        file->path, offset, n_bytes, what, n_read);
    return RNN_OK;
}

/* -- Header -------------------------------------------------------------------------------------*/

static rnn_status read_length(const rnn_npy_file *file, size_t *length, size_t *start)
{
    unsigned char bytes[N_FIXED] = {0}, size[4] = {0};
    size_t n;

    RNN_TRY(read_header_bytes(file, bytes, 0, N_FIXED, "magic and version"));
    if (memcmp(bytes, "\x93NUMPY", N_MAGIC) != 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: byte 0: expected the magic 93 4e 55 4d 50 59 of a .npy file, found "
                        "%02x %02x %02x %02x %02x %02x",
                        file->path, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
    if (bytes[N_MAGIC] < 1 || bytes[N_MAGIC] > 3 || bytes[N_MAGIC + 1] != 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: byte %d: expected version 1.0, 2.0 or 3.0, found %d.%d",
                        file->path, N_MAGIC, bytes[N_MAGIC], bytes[N_MAGIC + 1]);
    n = bytes[N_MAGIC] == 1 ? 2 : 4;
    RNN_TRY(read_header_bytes(file, size, N_FIXED, n, "the header's length"));
    *length =
        (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    *start = N_FIXED + n;
    if (*length == 0 || *length > MAX_HEADER)
        return RNN_FAIL(RNN_ERR_DATA, "%s: byte %d: expected a header of 1 to %d bytes, found %zu",
                        file->path, N_FIXED, MAX_HEADER, *length);
    return RNN_OK;
}

static rnn_status read_header(rnn_npy_file *file)
{
    char text[MAX_HEADER + 1];
    size_t length = 0, start = 0;

    RNN_TRY(read_length(file, &length, &start));
    RNN_TRY(read_header_bytes(file, text, start, length, "the header"));
    text[length] = '\0';
    if (strlen(text) < length)
        return RNN_FAIL(RNN_ERR_DATA, "%s: byte %zu: expected text, found a zero byte", file->path,
                        start + strlen(text));
    if (text[length - 1] != '\n')
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: byte %zu: expected a line feed at the end of the header, found 0x%02x",
                        file->path, start + length - 1, (unsigned)(unsigned char)text[length - 1]);
    file->start = start + length;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0'; /* as messages do not show the filling */
    return rnn_npy_header_parse(file, text, start);
}

static rnn_status check_size(const rnn_npy_file *file)
{
    size_t expected = file->item;
    struct stat info;

    for (size_t i = 0; i < file->n_dims; i++)
        if (rnn_size_multiply(&expected, expected, file->shape[i], "the array") != RNN_OK)
            return RNN_FAIL(RNN_ERR_DATA, "%s: 'shape': an array of %s is too large", file->path,
                            rnn_npy_file_shape(file).text);
    if (fstat(file->fd, &info) != 0)
        return RNN_FAIL(RNN_ERR_IO, "%s: cannot ask for its size: %s", file->path, strerror(errno));
    if ((uint64_t)info.st_size - file->start != expected)
        return RNN_FAIL(RNN_ERR_DATA, "%s: byte %zu: expected %zu bytes for %s %s, found %llu",
                        file->path, file->start, expected, rnn_npy_file_shape(file).text,
                        rnn_npy_file_type(file).text,
                        (unsigned long long)((uint64_t)info.st_size - file->start));
    return RNN_OK;
}

rnn_status rnn_npy_file_open(rnn_npy_file *file, const char *path)
{
    rnn_status st;

    *file = (rnn_npy_file){.fd = -1, .path = path};
    RNN_TRY(rnn_files_open(&file->fd, path));
    RNN_TRY_GOTO(st, read_header(file), done);
    st = check_size(file);
done:
    if (st != RNN_OK)
        rnn_npy_file_close(file);
    return st;
}

void rnn_npy_file_close(rnn_npy_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* -- Elements -----------------------------------------------------------------------------------*/

/* A float of 2 bytes: sign, 5 bits of exponent, 10 of fraction. */
static double half(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1F;
    double fraction = (bits & 0x3FF) * 0x1p-10, value;

    if (exponent == 0x1F)
        value = fraction > 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = fraction * 0x1p-14;
    else
        value = ldexp(1 + fraction, exponent - 15);
    return bits >> 15 != 0 ? -value : value;
}

static double float_of(uint64_t bits, size_t item)
{
    uint32_t low = (uint32_t)bits;
    double value;
    float single;

    if (item == 2)
        return half((uint16_t)bits);
    if (item == 4) {
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The element that begins at `bytes`. */
static double element(const rnn_npy_file *file, const unsigned char *bytes)
{
    uint64_t bits = 0, sign = (uint64_t)1 << (8 * file->item - 1);

    for (size_t i = 0; i < file->item; i++) {
        size_t from = file->is_big ? i : file->item - 1 - i;

        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all were read */
        bits = bits << 8 | bytes[from];
    }
    if (file->kind == 'f')
        return float_of(bits, file->item);
    if (file->kind == 'b')
        return bits != 0;
    if (file->kind == 'i' && (bits & sign) != 0)
        return -(double)(sign - (bits - sign));
    return (double)bits;
}

rnn_status rnn_npy_file_read(const rnn_npy_file *file, size_t first, size_t count, double *values)
{
    unsigned char bytes[PIECE];
    size_t per_piece = PIECE / file->item;

    for (size_t done = 0; done < count;) {
        size_t n = count - done < per_piece ? count - done : per_piece;
        size_t offset = file->start + (first + done) * file->item, n_read;

        RNN_TRY(read_bytes(file, bytes, offset, n * file->item, &n_read));
        if (n_read < n * file->item)
            return RNN_FAIL(RNN_ERR_IO, "%s: byte %zu: the file has become shorter", file->path,
                            offset + n_read);
        for (size_t i = 0; i < n; i++)
            values[done + i] = element(file, bytes + i * file->item);
        done += n;
    }
    return RNN_OK;
}

/* -- For messages -------------------------------------------------------------------------------*/

rnn_npy_type rnn_npy_file_type(const rnn_npy_file *file)
{
    const char *kind = file->kind == 'f'   ? "floats"
                       : file->kind == 'i' ? "integers"
                       : file->kind == 'u' ? "unsigned integers"
                                           : "booleans";
    rnn_npy_type out;

    snprintf(out.text, sizeof out.text, "%s of %zu byte%s", kind, file->item,
             file->item == 1 ? "" : "s");
    return out;
}

rnn_npy_shape rnn_npy_file_shape(const rnn_npy_file *file)
{
    rnn_npy_shape out = {""};

    for (size_t i = 0; i < file->n_dims; i++) {
        size_t used = strlen(out.text);

        snprintf(out.text + used, sizeof out.text - used, "[%zu]", file->shape[i]);
    }
    return out;
}
