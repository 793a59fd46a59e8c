#include "datasets/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "datasets/files.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { FIRST_CAPACITY = 1 << 12, GROWTH = 4 };

rnn_status rnn_lines_open(rnn_lines *lines, const char *path)
{
    int fd;

    *lines = (rnn_lines){.path = path};
    RNN_TRY(rnn_files_open(&fd, path));
    lines->stream = fdopen(fd, "rb");
    if (lines->stream == NULL) {
        close(fd);
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of '%s'", path);
    }
    return RNN_OK;
}

void rnn_lines_close(rnn_lines *lines)
{
    if (lines->stream != NULL)
        (void)fclose(lines->stream); /* read only */
    rnn_free(lines->text);
    *lines = (rnn_lines){0};
}

/* Room for one byte more and the zero at the end. */
static rnn_status grow(rnn_lines *lines)
{
    size_t larger = lines->capacity > 0 ? GROWTH * lines->capacity : FIRST_CAPACITY;
    char *moved;

    if (lines->n_bytes + 1 < lines->capacity)
        return RNN_OK;
    if (lines->n_bytes >= RNN_LINES_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: expected a line of at most %d bytes, found more",
                        lines->path, lines->number, RNN_LINES_MAX);
    if (larger > RNN_LINES_MAX)
        larger = (size_t)RNN_LINES_MAX + 1;
    RNN_TRY(RNN_ALLOC(&moved, larger, "a line of a dataset file"));
    if (lines->n_bytes > 0)
        memcpy(moved, lines->text, lines->n_bytes);
    rnn_free(lines->text);
    lines->text = moved;
    lines->capacity = larger;
    return RNN_OK;
}

/* Reads up to and without the line feed; *end is that or EOF. */
static rnn_status read_line(rnn_lines *lines, int *end)
{
    int byte;

    RNN_TRY(grow(lines));
    while (byte = getc_unlocked(lines->stream), byte != '\n' && byte != EOF) {
        RNN_TRY(grow(lines));
        lines->text[lines->n_bytes++] = (char)byte;
    }
    if (ferror(lines->stream))
        return RNN_FAIL(RNN_ERR_IO, "%s:%zu: cannot read: %s", lines->path, lines->number,
                        strerror(errno));
    *end = byte;
    return RNN_OK;
}

rnn_status rnn_lines_next(rnn_lines *lines, bool *is_there)
{
    uint64_t digests[2] = {lines->digest, 0};
    int end = EOF;

    *is_there = false;
    lines->n_bytes = 0;
    lines->number++;
    RNN_TRY(read_line(lines, &end));
    if (end == EOF && lines->n_bytes == 0)
        return RNN_OK;
    if (memchr(lines->text, '\0', lines->n_bytes) != NULL)
        return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: expected text, found a zero byte", lines->path,
                        lines->number);
    if (lines->n_bytes > 0 && lines->text[lines->n_bytes - 1] == '\r')
        lines->n_bytes--;
    lines->text[lines->n_bytes] = '\0';
    digests[1] = rnn_digest(lines->text, lines->n_bytes);
    lines->digest = rnn_digest(digests, sizeof digests);
    *is_there = true;
    return RNN_OK;
}
