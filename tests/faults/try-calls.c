/*
 * try-calls: makes in the current folder, which must be empty, one call after the other of those
 * that libinject.so can spoil, and prints a line for each: its name and what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { N_BYTES = 100 };

static void report(const char *name, long result)
{
    if (result < 0)
        printf("%s %s\n", name, strerrorname_np(errno));
    else
        printf("%s %ld\n", name, result);
}

/* Results that are 0 or a descriptor. */
static int report_ok(const char *name, int result)
{
    report(name, result < 0 ? -1 : 0);
    return result;
}

static void report_memory(const char *name, void *pointer)
{
    report(name, pointer == NULL ? -1 : 0);
    free(pointer);
}

static void write_file(void)
{
    char bytes[N_BYTES] = "";
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    int fd = report_ok("open", open("file", O_WRONLY | O_CREAT | O_EXCL, 0666));

    report("write", write(fd, bytes, sizeof bytes));
    report("pwrite", pwrite(fd, bytes, sizeof bytes, sizeof bytes));
    report("writev", writev(fd, &part, 1));
    report_ok("ftruncate", ftruncate(fd, 2 * N_BYTES));
    report_ok("fallocate", fallocate(fd, 0, 0, 3 * N_BYTES));
    errno = posix_fallocate(fd, 0, 4 * N_BYTES);
    report_ok("posix_fallocate", errno == 0 ? 0 : -1);
    report_ok("fsync", fsync(fd));
    report_ok("fdatasync", fdatasync(fd));
    report_ok("close", close(fd));
}

static void read_file(void)
{
    char bytes[N_BYTES];
    int fd = report_ok("openat", openat(AT_FDCWD, "file", O_RDONLY));

    report("read", read(fd, bytes, sizeof bytes));
    report("pread", pread(fd, bytes, sizeof bytes, 1));
    report_ok("close", close(fd));
}

static void change_names(void)
{
    report_ok("mkdir", mkdir("folder", 0777));
    report_ok("symlink", symlink("nowhere", "link"));
    report_ok("symlinkat", symlinkat("nowhere", AT_FDCWD, "link2"));
    report_ok("rename", rename("file", "file2"));
    report_ok("renameat", renameat(AT_FDCWD, "file2", AT_FDCWD, "file3"));
    report_ok("unlink", unlink("link"));
    report_ok("unlinkat", unlinkat(AT_FDCWD, "link2", 0));
}

static void allocate(void)
{
    void *(*volatile get)(size_t) = malloc; /* compilers know what malloc and free come to */
    void *(*volatile get_zeros)(size_t, size_t) = calloc;
    void *(*volatile change)(void *, size_t) = realloc;
    void *(*volatile get_aligned)(size_t, size_t) = aligned_alloc;

    report_memory("aligned_alloc", get_aligned(64, 64));
    report_memory("aligned_alloc", get_aligned(64, 64));
    report_memory("malloc", get(N_BYTES));
    report_memory("calloc", get_zeros(1, N_BYTES));
    report_memory("realloc", change(NULL, N_BYTES));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0); /* a killed program has said what it had done */
    write_file();
    read_file();
    change_names();
    allocate();
    return EXIT_SUCCESS;
}
