#include "framework/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/memory.h"

struct rnn_line_file {
    int fd;
    char *path;
    FILE *printer; /* into text, while a line is printed */
    char *text;
    size_t n_bytes;
};

rnn_status rnn_line_file_open(rnn_line_file **out, const char *path)
{
    rnn_line_file *file;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&file, 1, "a file of lines"));
    file->fd = -1;
    RNN_TRY_GOTO(st, rnn_string_copy(&file->path, path), done);
    /* Without O_NONBLOCK, opening a FIFO would wait for a reader. */
    file->fd = (int)TEMP_FAILURE_RETRY(
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666));
    if (file->fd < 0)
        st = RNN_FAIL(RNN_ERR_IO, "cannot open '%s' for appending: %s", path, strerror(errno));
done:
    if (st != RNN_OK)
        rnn_line_file_close(&file);
    *out = file;
    return st;
}

void rnn_line_file_close(rnn_line_file **file)
{
    rnn_line_file *f = *file;

    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    rnn_free(f->path);
    rnn_free(f);
    *file = NULL;
}

FILE *rnn_line_file_begin(rnn_line_file *file)
{
    file->printer = open_memstream(&file->text, &file->n_bytes);
    return file->printer;
}

static rnn_status append(const rnn_line_file *file)
{
    struct stat before;
    bool is_regular = fstat(file->fd, &before) == 0 && S_ISREG(before.st_mode);
    size_t done = 0;
    int reason;

    while (done < file->n_bytes) {
        ssize_t written =
            TEMP_FAILURE_RETRY(write(file->fd, file->text + done, file->n_bytes - done));

        if (written <= 0)
            break;
        done += (size_t)written;
    }
    if (done == file->n_bytes)
        return RNN_OK;
    reason = errno;
    if (is_regular && done > 0 && TEMP_FAILURE_RETRY(ftruncate(file->fd, before.st_size)) != 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot write '%s': %s; half a line stays in it: %s",
                        file->path, strerror(reason), strerror(errno));
    return RNN_FAIL(RNN_ERR_IO, "cannot write '%s': %s", file->path, strerror(reason));
}

rnn_status rnn_line_file_end(rnn_line_file *file)
{
    rnn_status st;

    if (file->printer == NULL || fclose(file->printer) != 0)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot print a line of '%s': %s", file->path,
                      strerror(errno));
    else
        st = append(file);
    free(file->text);
    file->text = NULL;
    file->printer = NULL;
    return st;
}
