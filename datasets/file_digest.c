#include "datasets/file_digest.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/files.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { BLOCK = 64 << 10 };

/* What is digested, and the memory to read it into. */
typedef struct reading {
    unsigned char *block; /* [BLOCK] */
    uint64_t digest;
    uint64_t total; /* bytes of all files */
    uint64_t most;
} reading;

static void add(reading *r, uint64_t next)
{
    const uint64_t both[2] = {r->digest, next};

    r->digest = rnn_digest(both, sizeof both);
}

static rnn_status size_of(uint64_t *size, const char *path)
{
    struct stat info;

    *size = 0;
    if (stat(path, &info) != 0)
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    *size = (uint64_t)info.st_size;
    return RNN_OK;
}

static rnn_status add_block(reading *r, int fd, const char *path, uint64_t offset, size_t n_bytes)
{
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = pread(fd, r->block + done, n_bytes - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RNN_FAIL(RNN_ERR_IO, "cannot read '%s' at byte %llu: %s", path,
                            (unsigned long long)(offset + done),
                            n == 0 ? "it has become shorter" : strerror(errno));
        done += (size_t)n;
    }
    add(r, rnn_digest(r->block, n_bytes));
    return RNN_OK;
}

/* The blocks of a file that are read: all of them, or its share of `most`. */
static rnn_status add_blocks(reading *r, int fd, const char *path, uint64_t size)
{
    double share = r->total > r->most ? (double)r->most / (double)r->total : 1;
    uint64_t n_all = (size + BLOCK - 1) / BLOCK;
    uint64_t n = (uint64_t)(share * (double)n_all);

    if (r->total <= r->most || n_all <= 2)
        n = n_all;
    else if (n < 2)
        n = 2;
    for (uint64_t i = 0; i < n; i++) {
        unsigned __int128 place = (unsigned __int128)i * (n_all - 1);
        uint64_t offset = n > 1 ? (uint64_t)(place / (n - 1)) * BLOCK : 0;
        uint64_t n_bytes = size - offset < BLOCK ? size - offset : BLOCK;

        RNN_TRY(add_block(r, fd, path, offset, (size_t)n_bytes));
    }
    return RNN_OK;
}

static rnn_status add_file(reading *r, const char *path)
{
    uint64_t size;
    rnn_status st;
    int fd;

    RNN_TRY(size_of(&size, path));
    add(r, size);
    RNN_TRY(rnn_files_open(&fd, path));
    st = add_blocks(r, fd, path, size);
    close(fd);
    return st;
}

rnn_status rnn_file_digest(uint64_t *out, const char *const *paths, size_t n_paths, uint64_t most)
{
    reading r = {.most = most};
    rnn_status st = RNN_OK;

    *out = 0;
    for (size_t i = 0; i < n_paths; i++) {
        uint64_t size;

        RNN_TRY(size_of(&size, paths[i]));
        r.total += size;
    }
    RNN_TRY(RNN_ALLOC(&r.block, BLOCK, "a block of a file"));
    for (size_t i = 0; st == RNN_OK && i < n_paths; i++)
        st = add_file(&r, paths[i]);
    rnn_free(r.block);
    *out = r.digest;
    return st;
}
