#include "framework/file_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kernels/memory.h"

static const char TEMPORARY_MARK[] = ".tmp-";

/* What is to appear under a temporary name: bytes of a file, or the target of a link. */
typedef struct content {
    const void *bytes;
    size_t n_bytes;
    const char *target;
} content;

static rnn_status io_error(const char *operation, const char *path)
{
    return RNN_FAIL(RNN_ERR_IO, "cannot %s '%s': %s", operation, path, strerror(errno));
}

rnn_status rnn_path_print(char **out, const char *format, ...)
{
    va_list args;
    int length;

    *out = NULL;
    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return RNN_FAIL(RNN_ERR_INTERNAL, "cannot print a path with '%s'", format);
    RNN_TRY(RNN_ALLOC(out, (size_t)length + 1, "a path"));
    va_start(args, format);
    vsnprintf(*out, (size_t)length + 1, format, args);
    va_end(args);
    return RNN_OK;
}

bool rnn_path_has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), n_ending = strlen(ending);

    return n > n_ending && strcmp(path + n - n_ending, ending) == 0;
}

/* Bytes of `path` before the last component, its slash included. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : (int)(slash + 1 - path);
}

static rnn_status write_all(int fd, const void *bytes, size_t n_bytes, const char *path)
{
    const char *next = bytes;

    while (n_bytes > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(write(fd, next, n_bytes));

        if (written <= 0)
            return io_error("write", path);
        next += written;
        n_bytes -= (size_t)written;
    }
    return RNN_OK;
}

static rnn_status create_file(const char *path, const content *what)
{
    rnn_status st;
    int fd = (int)TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));

    if (fd < 0)
        return io_error("create", path);
    st = write_all(fd, what->bytes, what->n_bytes, path);
    if (st == RNN_OK && TEMP_FAILURE_RETRY(fsync(fd)) != 0)
        st = io_error("sync", path);
    /* Linux has closed the file even when close is interrupted, and the data are synced. */
    if (close(fd) != 0 && errno != EINTR && st == RNN_OK)
        st = io_error("close", path);
    return st;
}

static rnn_status create_link(const char *path, const content *what)
{
    if (TEMP_FAILURE_RETRY(symlink(what->target, path)) != 0)
        return io_error("create the link", path);
    return RNN_OK;
}

static rnn_status sync_opened_folder(int fd, const char *path)
{
    rnn_status st = RNN_OK;

    /* EINVAL: a file system without sync for folders; there is nothing better to do there. */
    if (TEMP_FAILURE_RETRY(fsync(fd)) != 0 && errno != EINVAL)
        st = io_error("sync the folder", path);
    close(fd);
    return st;
}

rnn_status rnn_folder_sync(const char *path)
{
    int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    return fd < 0 ? io_error("open the folder", path) : sync_opened_folder(fd, path);
}

/* The folder that `path` is in. */
static rnn_status print_folder(char **out, const char *path)
{
    int length = folder_length(path);

    return rnn_path_print(out, "%.*s", length > 0 ? length : 1, length > 0 ? path : ".");
}

/* The name beside `path` under which a file takes shape. */
static rnn_status print_temporary(char **out, const char *path)
{
    int length = folder_length(path);

    return rnn_path_print(out, "%.*s.%s%s%ld", length, path, path + length, TEMPORARY_MARK,
                          (long)getpid());
}

static rnn_status replace(const char *path, const content *what,
                          rnn_status (*create)(const char *, const content *))
{
    rnn_status st;
    char *folder = NULL, *temporary = NULL;

    RNN_TRY_GOTO(st, print_folder(&folder, path), done);
    RNN_TRY_GOTO(st, print_temporary(&temporary, path), done);
    TEMP_FAILURE_RETRY(unlink(temporary)); /* of a dead process that had our number */
    st = create(temporary, what);
    if (st == RNN_OK && TEMP_FAILURE_RETRY(rename(temporary, path)) != 0)
        st = RNN_FAIL(RNN_ERR_IO, "cannot rename '%s' to '%s': %s", temporary, path,
                      strerror(errno));
    if (st != RNN_OK) {
        TEMP_FAILURE_RETRY(unlink(temporary));
        goto done;
    }
    st = rnn_folder_sync(folder);
done:
    rnn_free(temporary);
    rnn_free(folder);
    return st;
}

/* Renaming would put a file in the place of /dev/null. */
static rnn_status check_replaceable(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0 &&
        (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode) || S_ISSOCK(info.st_mode)))
        return RNN_FAIL(RNN_ERR_IO, "cannot write '%s': expected a file, found a device or socket",
                        path);
    return RNN_OK;
}

rnn_status rnn_file_write(const char *path, const void *bytes, size_t n_bytes)
{
    RNN_TRY(check_replaceable(path));
    return replace(path, &(content){.bytes = bytes, .n_bytes = n_bytes}, create_file);
}

rnn_status rnn_file_rehearse(const char *path, const void *bytes, size_t n_bytes)
{
    rnn_status st;
    char *temporary;

    RNN_TRY(print_temporary(&temporary, path));
    TEMP_FAILURE_RETRY(unlink(temporary));
    st = create_file(temporary, &(content){.bytes = bytes, .n_bytes = n_bytes});
    TEMP_FAILURE_RETRY(unlink(temporary));
    rnn_free(temporary);
    return st;
}

size_t rnn_folder_free_bytes(const char *folder)
{
    struct statvfs info;
    size_t n_bytes;

    if (statvfs(folder, &info) != 0 ||
        __builtin_mul_overflow((size_t)info.f_bavail, (size_t)info.f_frsize, &n_bytes))
        return SIZE_MAX;
    return n_bytes;
}

rnn_status rnn_file_link(const char *path, const char *target)
{
    return replace(path, &(content){.target = target}, create_link);
}

static rnn_status check_readable(int fd, const char *path, size_t max_bytes, size_t *n_bytes)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return io_error("inspect", path);
    if (!S_ISREG(info.st_mode))
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot read '%s': not a regular file", path);
    if ((uintmax_t)info.st_size > max_bytes)
        return RNN_FAIL(RNN_ERR_DATA, "cannot read '%s': %jd bytes, at most %zu are allowed", path,
                        (intmax_t)info.st_size, max_bytes);
    *n_bytes = (size_t)info.st_size;
    return RNN_OK;
}

static rnn_status read_all(int fd, char *bytes, size_t n_bytes, const char *path)
{
    size_t done = 0;

    while (done < n_bytes) {
        ssize_t count = TEMP_FAILURE_RETRY(read(fd, bytes + done, n_bytes - done));

        if (count < 0)
            return io_error("read", path);
        if (count == 0)
            return RNN_FAIL(RNN_ERR_IO, "cannot read '%s': it shrank from %zu to %zu bytes", path,
                            n_bytes, done);
        done += (size_t)count;
    }
    return RNN_OK;
}

static rnn_status open_to_read(const char *path, int *fd)
{
    /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
    *fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (*fd < 0)
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    return RNN_OK;
}

rnn_status rnn_file_read(const char *path, size_t max_bytes, void **bytes, size_t *n_bytes)
{
    rnn_status st;
    char *content_read = NULL;
    size_t length = 0;
    int fd;

    *bytes = NULL;
    *n_bytes = 0;
    RNN_TRY(open_to_read(path, &fd));
    RNN_TRY_GOTO(st, check_readable(fd, path, max_bytes, &length), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&content_read, length + 1, path), done);
    RNN_TRY_GOTO(st, read_all(fd, content_read, length, path), done);
    *bytes = content_read;
    *n_bytes = length;
    content_read = NULL;
done:
    rnn_free(content_read);
    close(fd);
    return st;
}

rnn_status rnn_file_begins_with(const char *path, const void *bytes, size_t n_bytes, bool *begins)
{
    rnn_status st;
    char *start = NULL;
    size_t length;
    int fd;

    *begins = false;
    RNN_TRY(open_to_read(path, &fd));
    RNN_TRY_GOTO(st, check_readable(fd, path, SIZE_MAX, &length), done);
    if (length < n_bytes)
        goto done;
    RNN_TRY_GOTO(st, RNN_ALLOC(&start, n_bytes, path), done);
    RNN_TRY_GOTO(st, read_all(fd, start, n_bytes, path), done);
    *begins = memcmp(start, bytes, n_bytes) == 0;
done:
    rnn_free(start);
    close(fd);
    return st;
}

/* A folder whose name is not on the disk takes all that is in it along. */
static rnn_status sync_parent(const char *path)
{
    rnn_status st;
    char *parent;
    int fd;

    RNN_TRY(print_folder(&parent, path));
    fd = (int)TEMP_FAILURE_RETRY(open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd >= 0)
        st = sync_opened_folder(fd, parent);
    else /* one may be allowed to create folders in what one cannot read */
        st = errno == EACCES ? RNN_OK : io_error("open the folder", parent);
    rnn_free(parent);
    return st;
}

static rnn_status make_folder(const char *path)
{
    struct stat info;
    int reason;

    if (TEMP_FAILURE_RETRY(mkdir(path, 0777)) == 0)
        return sync_parent(path);
    reason = errno; /* read-only and automounted folders have other reasons than "exists" */
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return RNN_OK;
    errno = reason;
    return io_error("create the folder", path);
}

/* The only sure way to know that a folder takes files is to put one there. */
static rnn_status try_folder(const char *path)
{
    rnn_status st;
    char *probe;
    int fd;

    RNN_TRY(rnn_path_print(&probe, "%s/.probe%s%ld", path, TEMPORARY_MARK, (long)getpid()));
    TEMP_FAILURE_RETRY(unlink(probe));
    fd = (int)TEMP_FAILURE_RETRY(open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    st = fd < 0 ? io_error("create files in the folder", path) : RNN_OK;
    if (fd >= 0) {
        close(fd);
        TEMP_FAILURE_RETRY(unlink(probe));
    }
    rnn_free(probe);
    return st;
}

rnn_status rnn_folder_create(const char *path)
{
    rnn_status st = RNN_OK;
    char *partial;

    RNN_TRY(rnn_string_copy(&partial, path));
    for (char *slash = strchr(partial, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (slash == partial || slash[-1] == '/')
            continue;
        *slash = '\0';
        RNN_TRY_GOTO(st, make_folder(partial), done);
        *slash = '/';
    }
    RNN_TRY_GOTO(st, make_folder(path), done);
    st = try_folder(path);
done:
    rnn_free(partial);
    return st;
}

/* Whether no such process runs; one that has ended and waits for its parent to notice does not. */
static int is_gone(long pid)
{
    char path[32], text[512], *state;
    ssize_t length;
    int fd;

    if (kill((pid_t)pid, 0) != 0)
        return errno == ESRCH;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return 0;
    length = TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    state = strrchr(text, ')'); /* "PID (NAME) STATE ..", and a name may have anything in it */
    return state != NULL && (strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0);
}

/* Whether the entry is ".NAME.tmp-PID" and no other process PID runs. */
static int is_leftover(const struct dirent *entry)
{
    const char *name = entry->d_name, *mark = NULL;
    char *end;
    long pid;

    for (const char *at = name; (at = strstr(at, TEMPORARY_MARK)) != NULL; at++)
        mark = at;
    if (name[0] != '.' || mark == NULL || mark < name + 2)
        return 0;
    mark += strlen(TEMPORARY_MARK);
    errno = 0;
    pid = strtol(mark, &end, 10);
    if (*mark < '1' || *mark > '9' || *end != '\0' || errno != 0 || pid > INT32_MAX)
        return 0;
    return pid == (long)getpid() || is_gone(pid);
}

void rnn_folder_remove_leftovers(const char *folder)
{
    struct dirent *entry;
    DIR *listing = opendir(folder);

    if (listing == NULL)
        return;
    while ((entry = readdir(listing)) != NULL)
        if (is_leftover(entry))
            TEMP_FAILURE_RETRY(unlinkat(dirfd(listing), entry->d_name, 0));
    closedir(listing);
}
