/*
 * libinject.so: a library for LD_PRELOAD that spoils a chosen system call or allocation of a
 * program (Linux, glibc). All is set by the environment:
 *
 *     INJECT_CALLS=NAME,...   which calls count: open (openat and creat included), write, pwrite,
 *                             writev, fsync, fdatasync, close, rename, unlink, ftruncate, symlink,
 *                             mkdir (each with its -at form), fallocate (posix_fallocate included),
 *                             read, pread. Default: all but read and pread
 *     INJECT_PATH=TEXT        of these, only calls on paths, or on descriptors of files with paths,
 *                             that contain TEXT. A call's own path is taken as it is given
 *     INJECT_AT=N             the Nth call that counts, from 1, is spoilt. Default 0: none
 *     INJECT_LASTING=1        and all that count after it; with EINTR every other one, so that a
 *                             repeated call succeeds, as in life
 *     INJECT_ERROR=NAME       how: EIO (the default), ENOSPC, EDQUOT, EINTR, EROFS, ESTALE; SHORT:
 *                             half is written or read (other calls are as ever); KILL: SIGKILL
 *                             instead of the call; KILL_AFTER: SIGKILL after it
 *     INJECT_DELAY_US=N       so many microseconds pass before every call that counts
 *     INJECT_COUNT=FILE       gets the number of calls that counted, when the program ends by
 * itself INJECT_LOG=FILE         gets one line for each call that counts, before it is made: NUMBER
 * NAME PATH [PATH2 or BYTES]
 *
 *     INJECT_ALLOC_AT=N       the Nth aligned_alloc fails, which is all the memory that is ours
 *     INJECT_MALLOC_AT=N      the Nth malloc, calloc or realloc of anybody fails
 *                             (both: with INJECT_LASTING=1 all after it too)
 *     INJECT_ALLOC_COUNT=FILE, INJECT_MALLOC_COUNT=FILE   as INJECT_COUNT
 *
 * A call that fails is not made, only close frees its descriptor all the same, as Linux does.
 * Children have the environment too, and each process counts for itself. What the C library calls
 * inside itself, as fopen and printf do, is not seen.
 */
#undef _FORTIFY_SOURCE /* its open() is a macro of sorts */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
    OPEN = 1 << 0,
    WRITE = 1 << 1,
    PWRITE = 1 << 2,
    WRITEV = 1 << 3,
    FSYNC = 1 << 4,
    FDATASYNC = 1 << 5,
    CLOSE = 1 << 6,
    RENAME = 1 << 7,
    UNLINK = 1 << 8,
    FTRUNCATE = 1 << 9,
    SYMLINK = 1 << 10,
    MKDIR = 1 << 11,
    FALLOCATE = 1 << 12,
    READ = 1 << 13,
    PREAD = 1 << 14,
};

static const struct {
    const char *name;
    int kind;
} KINDS[] = {
    {"open", OPEN},           {"openat", OPEN},
    {"creat", OPEN},          {"write", WRITE},
    {"pwrite", PWRITE},       {"writev", WRITEV},
    {"fsync", FSYNC},         {"fdatasync", FDATASYNC},
    {"close", CLOSE},         {"rename", RENAME},
    {"renameat", RENAME},     {"unlink", UNLINK},
    {"unlinkat", UNLINK},     {"ftruncate", FTRUNCATE},
    {"symlink", SYMLINK},     {"symlinkat", SYMLINK},
    {"mkdir", MKDIR},         {"mkdirat", MKDIR},
    {"fallocate", FALLOCATE}, {"posix_fallocate", FALLOCATE},
    {"read", READ},           {"pread", PREAD},
};

enum { SHORT = -1, KILL = -2, KILL_AFTER = -3 };

static const struct {
    const char *name;
    int value; /* of errno, or one of the above */
} ERRORS[] = {
    {"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
    {"EINTR", EINTR}, {"EROFS", EROFS},   {"ESTALE", ESTALE},
    {"SHORT", SHORT}, {"KILL", KILL},     {"KILL_AFTER", KILL_AFTER},
};

/* -- What is asked for ------------------------------------------------------------------------- */

static struct {
    int kinds, error, log;
    const char *path;
    long at, alloc_at, malloc_at, delay_us;
    bool lasting, is_known;
} asked;

static atomic_long n_calls, n_allocs, n_mallocs;

static struct {
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*pread)(int, void *, size_t, off_t);
    int (*fsync)(int);
    int (*fdatasync)(int);
    int (*close)(int);
    int (*renameat)(int, const char *, int, const char *);
    int (*unlinkat)(int, const char *, int);
    int (*ftruncate)(int, off_t);
    int (*symlinkat)(const char *, int, const char *);
    int (*mkdirat)(int, const char *, mode_t);
    int (*fallocate)(int, int, off_t, off_t);
    int (*posix_fallocate)(int, off_t, off_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
} real;

#define SLOT(name)                                                                                 \
    {                                                                                              \
#name, offsetof(__typeof__(real), name)                                                    \
    }

static const struct {
    const char *name;
    size_t offset;
} SLOTS[] = {
    /* first, because looking up the rest may allocate */
    SLOT(malloc),          SLOT(calloc),    SLOT(realloc),   SLOT(aligned_alloc), SLOT(open),
    SLOT(openat),          SLOT(write),     SLOT(pwrite),    SLOT(writev),        SLOT(read),
    SLOT(pread),           SLOT(fsync),     SLOT(fdatasync), SLOT(close),         SLOT(renameat),
    SLOT(unlinkat),        SLOT(ftruncate), SLOT(symlinkat), SLOT(mkdirat),       SLOT(fallocate),
    SLOT(posix_fallocate),
};

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* A test that asks for what does not exist must not pass. */
static void refuse(const char *variable, const char *value)
{
    char line[256];
    int length = snprintf(line, sizeof line, "libinject: %s: '%s' is unknown\n", variable, value);

    if (real.write(STDERR_FILENO, line, (size_t)length) < 0)
        _exit(63);
    _exit(64);
}

static long read_number(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    long n;

    if (text == NULL || *text == '\0')
        return 0;
    n = strtol(text, &end, 10);
    if (*end != '\0' || n < 0)
        refuse(variable, text);
    return n;
}

static int read_kinds(void)
{
    const char *text = getenv("INJECT_CALLS");
    int kinds = 0;

    if (text == NULL || *text == '\0')
        return ~(READ | PREAD);
    while (*text != '\0') {
        size_t length = strcspn(text, ","), i = 0;

        while (i < N_OF(KINDS) &&
               (strncmp(KINDS[i].name, text, length) != 0 || KINDS[i].name[length] != '\0'))
            i++;
        if (i == N_OF(KINDS))
            refuse("INJECT_CALLS", text);
        kinds |= KINDS[i].kind;
        text += length + (text[length] == ',');
    }
    return kinds;
}

static int read_error(void)
{
    const char *text = getenv("INJECT_ERROR");

    if (text == NULL || *text == '\0')
        return EIO;
    for (size_t i = 0; i < N_OF(ERRORS); i++)
        if (strcmp(ERRORS[i].name, text) == 0)
            return ERRORS[i].value;
    refuse("INJECT_ERROR", text);
    return 0;
}

static int open_log(void)
{
    const char *path = getenv("INJECT_LOG");
    int fd;

    if (path == NULL || *path == '\0')
        return -1;
    fd = real.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        refuse("INJECT_LOG", path);
    return fd;
}

/*
 * Others may call before the constructor has run, even before the C library knows the environment;
 * and looking up symbols may allocate.
 */
static bool find_real(void)
{
    static enum { NOT_YET, AT_IT, DONE } state;

    if (state != NOT_YET)
        return state == DONE;
    state = AT_IT;
    for (size_t i = 0; i < N_OF(SLOTS); i++) {
        void *found = dlsym(RTLD_NEXT, SLOTS[i].name);

        memcpy((char *)&real + SLOTS[i].offset, &found, sizeof found);
    }
    state = DONE;
    return true;
}

/* For programs that this file is linked into: reads the environment anew and counts from 0. */
void inject_restart(void);

void inject_restart(void)
{
    find_real();
    asked.is_known = false;
    if (asked.log > 0)
        real.close(asked.log);
    atomic_store(&n_calls, 0);
    atomic_store(&n_allocs, 0);
    atomic_store(&n_mallocs, 0);
    asked.error = read_error();
    asked.path = getenv("INJECT_PATH");
    asked.at = read_number("INJECT_AT");
    asked.alloc_at = read_number("INJECT_ALLOC_AT");
    asked.malloc_at = read_number("INJECT_MALLOC_AT");
    asked.delay_us = read_number("INJECT_DELAY_US");
    asked.lasting = read_number("INJECT_LASTING") != 0;
    asked.kinds = read_kinds();
    asked.log = open_log();
    asked.is_known = true;
}

/* From here on calls count. */
static void __attribute__((constructor)) begin(void)
{
    inject_restart();
}

static void write_count(const char *variable, long n)
{
    const char *path = getenv(variable);
    char line[32];
    int fd, length = snprintf(line, sizeof line, "%ld\n", n);

    if (path == NULL || *path == '\0')
        return;
    fd = real.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || real.write(fd, line, (size_t)length) != length)
        refuse(variable, path);
    real.close(fd);
}

static void __attribute__((destructor)) end(void)
{
    write_count("INJECT_COUNT", atomic_load(&n_calls));
    write_count("INJECT_ALLOC_COUNT", atomic_load(&n_allocs));
    write_count("INJECT_MALLOC_COUNT", atomic_load(&n_mallocs));
}

/* -- Counting and deciding --------------------------------------------------------------------- */

typedef struct call {
    int kind;
    const char *name;
    const char *path, *path2; /* NULL: it has a descriptor, or no second path */
    int fd;
    size_t n_bytes;
} call;

enum verdict { PASS, FAIL, HALVE, DIE_AFTER };

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void find_path(int fd, char path[PATH_MAX])
{
    char link[64];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static void write_log(const call *c, const char *path, long n)
{
    char line[2 * PATH_MAX + 128];
    int length;

    if (c->path2 != NULL)
        length = snprintf(line, sizeof line, "%ld %s %s %s\n", n, c->name, path, c->path2);
    else
        length = snprintf(line, sizeof line, "%ld %s %s %zu\n", n, c->name, path, c->n_bytes);
    if (real.write(asked.log, line, (size_t)length) != length)
        refuse("INJECT_LOG", line);
}

/* Whether a call counts, and as which. */
static long count(const call *c)
{
    char of_fd[PATH_MAX];
    const char *path = c->path;
    long n;

    if (!asked.is_known || (c->kind & asked.kinds) == 0)
        return 0;
    if (path == NULL && (asked.path != NULL || asked.log >= 0)) {
        find_path(c->fd, of_fd);
        path = of_fd;
    }
    if (asked.path != NULL && strstr(path, asked.path) == NULL &&
        (c->path2 == NULL || strstr(c->path2, asked.path) == NULL))
        return 0;
    n = atomic_fetch_add(&n_calls, 1) + 1;
    if (asked.log >= 0)
        write_log(c, path, n);
    return n;
}

static bool is_spoilt(long n, long at)
{
    return at > 0 && (n == at || (asked.lasting && n > at));
}

static enum verdict judge(long n)
{
    if (!is_spoilt(n, asked.at))
        return PASS;
    switch (asked.error) {
    case SHORT:
        return HALVE;
    case KILL:
        die();
        return FAIL;
    case KILL_AFTER:
        return DIE_AFTER;
    case EINTR:
        if ((n - asked.at) % 2 == 1)
            return PASS;
        break;
    default:
        break;
    }
    errno = asked.error;
    return FAIL;
}

/* Before a call: leaves errno alone unless the call is to fail. */
static enum verdict enter(const call *c)
{
    int old_errno = errno;
    long n;

    find_real();
    n = count(c);
    errno = old_errno;
    if (n == 0)
        return PASS;
    if (asked.delay_us > 0)
        nanosleep(&(struct timespec){.tv_sec = asked.delay_us / 1000000,
                                     .tv_nsec = asked.delay_us % 1000000 * 1000},
                  NULL);
    errno = old_errno;
    return judge(n);
}

static ssize_t leave(enum verdict verdict, ssize_t result)
{
    if (verdict == DIE_AFTER)
        die();
    return result;
}

static size_t half_of(size_t n)
{
    return n / 2 + n % 2;
}

#define ENTER_PATH(kind_, path_)                                                                   \
    enter(&(call){.kind = (kind_), .name = __func__, .path = (path_), .fd = -1})
#define ENTER_OPEN(path_, flags_)                                                                  \
    enter(&(call){                                                                                 \
        .kind = OPEN, .name = __func__, .path = (path_), .fd = -1, .n_bytes = (size_t)(flags_)})
#define ENTER_PATHS(kind_, path_, path2_)                                                          \
    enter(&(call){.kind = (kind_), .name = __func__, .path = (path_), .path2 = (path2_), .fd = -1})
#define ENTER_FD(kind_, fd_, n_bytes_)                                                             \
    enter(&(call){.kind = (kind_), .name = __func__, .fd = (fd_), .n_bytes = (size_t)(n_bytes_)})

/* -- Calls on paths ---------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        enum verdict verdict = ENTER_OPEN(path, flags);                                            \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return verdict == FAIL ? -1 : (int)leave(verdict, real.open(path, flags, mode));           \
    }

#define DEFINE_OPENAT(name)                                                                        \
    int name(int folder, const char *path, int flags, ...)                                         \
    {                                                                                              \
        enum verdict verdict = ENTER_OPEN(path, flags);                                            \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return verdict == FAIL ? -1 : (int)leave(verdict, real.openat(folder, path, flags, mode)); \
    }

#define DEFINE_CREAT(name)                                                                         \
    int name(const char *path, mode_t mode)                                                        \
    {                                                                                              \
        enum verdict verdict = ENTER_OPEN(path, O_CREAT | O_WRONLY | O_TRUNC);                     \
                                                                                                   \
        return verdict == FAIL                                                                     \
                   ? -1                                                                            \
                   : (int)leave(verdict, real.open(path, O_CREAT | O_WRONLY | O_TRUNC, mode));     \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)
DEFINE_CREAT(creat)
DEFINE_CREAT(creat64)

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    enum verdict verdict = ENTER_PATHS(RENAME, from, to);

    return verdict == FAIL ? -1
                           : (int)leave(verdict, real.renameat(from_folder, from, to_folder, to));
}

int rename(const char *from, const char *to)
{
    enum verdict verdict = ENTER_PATHS(RENAME, from, to);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.renameat(AT_FDCWD, from, AT_FDCWD, to));
}

int unlinkat(int folder, const char *path, int flags)
{
    enum verdict verdict = ENTER_PATH(UNLINK, path);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.unlinkat(folder, path, flags));
}

int unlink(const char *path)
{
    enum verdict verdict = ENTER_PATH(UNLINK, path);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.unlinkat(AT_FDCWD, path, 0));
}

int symlinkat(const char *target, int folder, const char *path)
{
    enum verdict verdict = ENTER_PATHS(SYMLINK, path, target);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.symlinkat(target, folder, path));
}

int symlink(const char *target, const char *path)
{
    enum verdict verdict = ENTER_PATHS(SYMLINK, path, target);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.symlinkat(target, AT_FDCWD, path));
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    enum verdict verdict = ENTER_PATH(MKDIR, path);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.mkdirat(folder, path, mode));
}

int mkdir(const char *path, mode_t mode)
{
    enum verdict verdict = ENTER_PATH(MKDIR, path);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.mkdirat(AT_FDCWD, path, mode));
}

/* -- Calls on descriptors ---------------------------------------------------------------------- */

ssize_t write(int fd, const void *bytes, size_t n)
{
    enum verdict verdict = ENTER_FD(WRITE, fd, n);

    if (verdict == FAIL)
        return -1;
    return leave(verdict, real.write(fd, bytes, verdict == HALVE ? half_of(n) : n));
}

ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
    enum verdict verdict = ENTER_FD(WRITEV, fd, n_parts);

    if (verdict == FAIL)
        return -1;
    if (verdict == HALVE && n_parts > 0)
        return real.write(fd, parts[0].iov_base, half_of(parts[0].iov_len));
    return leave(verdict, real.writev(fd, parts, n_parts));
}

ssize_t read(int fd, void *bytes, size_t n)
{
    enum verdict verdict = ENTER_FD(READ, fd, n);

    if (verdict == FAIL)
        return -1;
    return leave(verdict, real.read(fd, bytes, verdict == HALVE ? half_of(n) : n));
}

#define DEFINE_PWRITE(name, off_type)                                                              \
    ssize_t name(int fd, const void *bytes, size_t n, off_type at)                                 \
    {                                                                                              \
        enum verdict verdict = ENTER_FD(PWRITE, fd, n);                                            \
                                                                                                   \
        if (verdict == FAIL)                                                                       \
            return -1;                                                                             \
        return leave(verdict, real.pwrite(fd, bytes, verdict == HALVE ? half_of(n) : n, at));      \
    }

#define DEFINE_PREAD(name, off_type)                                                               \
    ssize_t name(int fd, void *bytes, size_t n, off_type at)                                       \
    {                                                                                              \
        enum verdict verdict = ENTER_FD(PREAD, fd, n);                                             \
                                                                                                   \
        if (verdict == FAIL)                                                                       \
            return -1;                                                                             \
        return leave(verdict, real.pread(fd, bytes, verdict == HALVE ? half_of(n) : n, at));       \
    }

#define DEFINE_FTRUNCATE(name, off_type)                                                           \
    int name(int fd, off_type n)                                                                   \
    {                                                                                              \
        enum verdict verdict = ENTER_FD(FTRUNCATE, fd, n);                                         \
                                                                                                   \
        return verdict == FAIL ? -1 : (int)leave(verdict, real.ftruncate(fd, n));                  \
    }

#define DEFINE_FALLOCATE(name, off_type)                                                           \
    int name(int fd, int mode, off_type at, off_type n)                                            \
    {                                                                                              \
        enum verdict verdict = ENTER_FD(FALLOCATE, fd, n);                                         \
                                                                                                   \
        return verdict == FAIL ? -1 : (int)leave(verdict, real.fallocate(fd, mode, at, n));        \
    }

/* This one returns the error and leaves errno alone. */
#define DEFINE_POSIX_FALLOCATE(name, off_type)                                                     \
    int name(int fd, off_type at, off_type n)                                                      \
    {                                                                                              \
        int old_errno = errno, error;                                                              \
        enum verdict verdict = ENTER_FD(FALLOCATE, fd, n);                                         \
                                                                                                   \
        if (verdict != FAIL)                                                                       \
            return (int)leave(verdict, real.posix_fallocate(fd, at, n));                           \
        error = errno;                                                                             \
        errno = old_errno;                                                                         \
        return error;                                                                              \
    }

_Static_assert(sizeof(off_t) == sizeof(off64_t), "one real function serves both variants");

DEFINE_PWRITE(pwrite, off_t)
DEFINE_PWRITE(pwrite64, off64_t)
DEFINE_PREAD(pread, off_t)
DEFINE_PREAD(pread64, off64_t)
DEFINE_FTRUNCATE(ftruncate, off_t)
DEFINE_FTRUNCATE(ftruncate64, off64_t)
DEFINE_FALLOCATE(fallocate, off_t)
DEFINE_FALLOCATE(fallocate64, off64_t)
DEFINE_POSIX_FALLOCATE(posix_fallocate, off_t)
DEFINE_POSIX_FALLOCATE(posix_fallocate64, off64_t)

int fsync(int fd)
{
    enum verdict verdict = ENTER_FD(FSYNC, fd, 0);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.fsync(fd));
}

int fdatasync(int fd)
{
    enum verdict verdict = ENTER_FD(FDATASYNC, fd, 0);

    return verdict == FAIL ? -1 : (int)leave(verdict, real.fdatasync(fd));
}

int close(int fd)
{
    enum verdict verdict = ENTER_FD(CLOSE, fd, 0);
    int error = errno;

    if (verdict != FAIL)
        return (int)leave(verdict, real.close(fd));
    real.close(fd);
    errno = error;
    return -1;
}

/* -- Memory ------------------------------------------------------------------------------------ */

#ifndef INJECT_NO_MALLOC

static bool fails(atomic_long *counter, const long *at)
{
    if (!find_real() || !asked.is_known || !is_spoilt(atomic_fetch_add(counter, 1) + 1, *at))
        return false;
    errno = ENOMEM;
    return true;
}

void *aligned_alloc(size_t alignment, size_t n)
{
    if (fails(&n_allocs, &asked.alloc_at) || real.aligned_alloc == NULL)
        return NULL;
    return real.aligned_alloc(alignment, n);
}

void *malloc(size_t n)
{
    if (fails(&n_mallocs, &asked.malloc_at) || real.malloc == NULL)
        return NULL;
    return real.malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (fails(&n_mallocs, &asked.malloc_at) || real.calloc == NULL)
        return NULL;
    return real.calloc(n, size);
}

void *realloc(void *pointer, size_t n)
{
    if (fails(&n_mallocs, &asked.malloc_at) || real.realloc == NULL)
        return NULL;
    return real.realloc(pointer, n);
}

#endif
