#include "framework/progress_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "framework/json_line.h"
#include "kernels/memory.h"

enum { MAX_BYTES = 4096 };

struct rnn_progress_file {
    int fd;
    char *path;
    int64_t started;
    size_t n_bytes; /* of the longest line so far, which shorter ones are padded to */
};

static const char *const states[RNN_RUN_N_STATES] = {"training", "done", "stopped", "failed"};

const char *rnn_run_state_name(rnn_run_state state)
{
    return states[state];
}

/* The whole of the file, whatever its length is. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* -- Writing ----------------------------------------------------------------------------------- */

static rnn_status open_locked(rnn_progress_file *f, bool *is_shared)
{
    struct flock lock = whole_file();
    struct stat info;

    f->fd = (int)TEMP_FAILURE_RETRY(
        open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0666));
    if (f->fd < 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot open '%s' for writing: %s", f->path, strerror(errno));
    if (fstat(f->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return RNN_FAIL(RNN_ERR_IO, "cannot write '%s': expected a regular file", f->path);
    f->n_bytes = info.st_size < MAX_BYTES ? (size_t)info.st_size : 0;
    if (info.st_size >= MAX_BYTES && ftruncate(f->fd, 0) != 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot empty '%s': %s", f->path, strerror(errno));
    *is_shared = fcntl(f->fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES);
    return RNN_OK;
}

rnn_status rnn_progress_open(rnn_progress_file **out, const char *folder, bool *is_shared)
{
    rnn_progress_file *file;
    rnn_status st;

    *out = NULL;
    *is_shared = false;
    RNN_TRY(RNN_ALLOC(&file, 1, "the progress file"));
    file->fd = -1;
    file->started = (int64_t)time(NULL);
    st = rnn_path_print(&file->path, "%s/" RNN_PROGRESS_FILE, folder);
    if (st == RNN_OK)
        st = open_locked(file, is_shared);
    if (st != RNN_OK)
        rnn_progress_close(&file);
    *out = file;
    return st;
}

void rnn_progress_close(rnn_progress_file **file)
{
    if (*file == NULL)
        return;
    if ((*file)->fd >= 0)
        close((*file)->fd);
    rnn_free((*file)->path);
    rnn_free(*file);
    *file = NULL;
}

/* The numbers, for writing and reading alike. */
static const struct {
    const char *name;
    size_t offset;
    enum { SIGNED, COUNT, NUMBER } type;
} members[] = {
    {"pid", offsetof(rnn_progress_now, pid), SIGNED},
    {"started", offsetof(rnn_progress_now, started), SIGNED},
    {"updated", offsetof(rnn_progress_now, updated), SIGNED},
    {"epoch", offsetof(rnn_progress_now, epoch), COUNT},
    {"epochs", offsetof(rnn_progress_now, n_epochs), COUNT},
    {"batch", offsetof(rnn_progress_now, batch), COUNT},
    {"batches", offsetof(rnn_progress_now, n_batches), COUNT},
    {"step", offsetof(rnn_progress_now, step), COUNT},
    {"total_steps", offsetof(rnn_progress_now, total_steps), COUNT},
    {"train_loss", offsetof(rnn_progress_now, train_loss), NUMBER},
    {"train_accuracy", offsetof(rnn_progress_now, train_accuracy), NUMBER},
    {"samples_per_second", offsetof(rnn_progress_now, samples_per_second), NUMBER},
    {"epoch_seconds", offsetof(rnn_progress_now, epoch_seconds), NUMBER},
    {"lr", offsetof(rnn_progress_now, lr), NUMBER},
};

static void print_member(FILE *out, const rnn_progress_now *now, size_t i)
{
    const void *value = (const char *)now + members[i].offset;

    fprintf(out, ", \"%s\": ", members[i].name);
    if (members[i].type == SIGNED)
        fprintf(out, "%" PRId64, *(const int64_t *)value);
    else if (members[i].type == COUNT)
        fprintf(out, "%" PRIu64, *(const uint64_t *)value);
    else if (isfinite(*(const double *)value))
        fprintf(out, "%.9g", *(const double *)value);
    else
        fputs("null", out);
}

static rnn_status print_now(const rnn_progress_now *now, size_t width, char text[MAX_BYTES + 1])
{
    FILE *out = fmemopen(text, MAX_BYTES, "w");
    size_t length;

    if (out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot print a run's progress: %s", strerror(errno));
    fprintf(out, "{\"state\": \"%s\", \"message\": ", states[now->state]);
    rnn_json_print_text(out, now->message);
    fputs(", \"host\": ", out);
    rnn_json_print_text(out, now->host);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        print_member(out, now, i);
    fputs("}", out);
    (void)fclose(out); /* memory, and large enough for all of it */
    length = strlen(text);
    if (length + 1 < width) {
        memset(text + length, ' ', width - 1 - length);
        length = width - 1;
    }
    text[length] = '\n';
    text[length + 1] = '\0';
    return RNN_OK;
}

rnn_status rnn_progress_write(rnn_progress_file *file, const rnn_progress_now *now)
{
    char text[MAX_BYTES + 1] = "";
    rnn_progress_now mine = *now;
    ssize_t written;

    mine.pid = getpid();
    mine.started = file->started;
    mine.updated = (int64_t)time(NULL);
    if (gethostname(mine.host, sizeof mine.host - 1) != 0)
        mine.host[0] = '\0';
    RNN_TRY(print_now(&mine, file->n_bytes, text));
    file->n_bytes = strlen(text);
    /* By one call over the old line: a reader sees one of them. */
    written = TEMP_FAILURE_RETRY(pwrite(file->fd, text, file->n_bytes, 0));
    if (written != (ssize_t)file->n_bytes)
        return RNN_FAIL(RNN_ERR_IO, "cannot write '%s': %s", file->path,
                        written < 0 ? strerror(errno) : "it is not taken whole");
    return RNN_OK;
}

/* -- Reading ----------------------------------------------------------------------------------- */

typedef struct reading {
    rnn_progress_now *now;
    bool has_state;
} reading;

static void take_number(rnn_progress_now *now, size_t i, double number)
{
    void *value = (char *)now + members[i].offset;
    double count = number >= 0 && number < 9e15 ? number : 0.0;

    if (members[i].type == SIGNED)
        *(int64_t *)value = (int64_t)count;
    else if (members[i].type == COUNT)
        *(uint64_t *)value = (uint64_t)count;
    else
        *(double *)value = number;
}

static void take_member(void *context, const rnn_json_member *member)
{
    reading *r = context;

    if (strcmp(member->name, "state") == 0) {
        for (int s = 0; s < RNN_RUN_N_STATES; s++) {
            if (strcmp(member->text, states[s]) == 0) {
                r->now->state = (rnn_run_state)s;
                r->has_state = true;
            }
        }
    } else if (strcmp(member->name, "message") == 0) {
        snprintf(r->now->message, sizeof r->now->message, "%.255s", member->text);
    } else if (strcmp(member->name, "host") == 0) {
        snprintf(r->now->host, sizeof r->now->host, "%.64s", member->text);
    }
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(member->name, members[i].name) == 0)
            take_number(r->now, i, member->number);
}

static rnn_life ask_for_lock(int fd)
{
    struct flock lock = whole_file();

    if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
        return RNN_LIFE_UNKNOWN;
    return lock.l_type == F_UNLCK ? RNN_LIFE_ENDED : RNN_LIFE_LIVES;
}

static rnn_status read_open(rnn_progress_now *now, int fd, const char *path, rnn_life *life)
{
    char text[MAX_BYTES];
    struct stat info;
    reading r = {now, false};
    ssize_t n_bytes;
    rnn_status st;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot read '%s': expected a regular file", path);
    *life = ask_for_lock(fd); /* before the state: what is ended then changes no more */
    n_bytes = TEMP_FAILURE_RETRY(pread(fd, text, sizeof text, 0));
    if (n_bytes < 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
    st = rnn_json_line_parse(text, (size_t)n_bytes, take_member, &r);
    if (st == RNN_OK && r.has_state)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_DATA, "'%s' is not what a run writes of its progress: %s", path,
                    st == RNN_OK ? "it has no state" : rnn_error_message());
}

rnn_status rnn_progress_read(rnn_progress_now *now, const char *folder, rnn_life *life)
{
    rnn_status st;
    char *path;
    int fd;

    *now = (rnn_progress_now){0};
    *life = RNN_LIFE_UNKNOWN;
    RNN_TRY(rnn_path_print(&path, "%s/" RNN_PROGRESS_FILE, folder));
    fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd >= 0) {
        st = read_open(now, fd, path, life);
        close(fd);
    } else {
        st = RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    }
    rnn_free(path);
    return st;
}
