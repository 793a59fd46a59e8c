/* Runs gnuplot. Script and picture go through memory: no file to clean up, no pipe to fill up. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/plot_gnuplot.h"
#include "kernels/memory.h"

typedef struct streams {
    int descriptors[3]; /* as the program's standard input, output and error output */
} streams;

static rnn_status fail_to_run(const char *what, int reason)
{
    return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot run gnuplot: %s: %s", what, strerror(reason));
}

static rnn_status open_streams(streams *s)
{
    static const char *const names[] = {"gnuplot-script", "gnuplot-picture", "gnuplot-messages"};

    *s = (streams){{-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        s->descriptors[i] = memfd_create(names[i], MFD_CLOEXEC);
        if (s->descriptors[i] < 0)
            return fail_to_run("memfd_create", errno);
    }
    return RNN_OK;
}

static void close_streams(streams *s)
{
    for (int i = 0; i < 3; i++)
        if (s->descriptors[i] >= 0)
            close(s->descriptors[i]);
}

static rnn_status write_script(int fd, const rnn_plot *plot, rnn_picture format)
{
    int copy = dup(fd);
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    bool failed;

    if (out == NULL)
        return fail_to_run("its script", errno);
    rnn_gnuplot_script(plot, format, out);
    failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (failed || lseek(fd, 0, SEEK_SET) != 0)
        return fail_to_run("its script", errno);
    return RNN_OK;
}

/* -d: without what users have in .gnuplot, where "set output" would be enough to break this. */
static rnn_status spawn(const streams *s, int *ended_with)
{
    static char name[] = "gnuplot", defaults[] = "-d";
    char *const arguments[] = {name, defaults, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int failed;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return fail_to_run("posix_spawn", ENOMEM);
    failed = 0;
    for (int i = 0; i < 3 && failed == 0; i++)
        failed = posix_spawn_file_actions_adddup2(&actions, s->descriptors[i], i);
    if (failed == 0)
        failed = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT || failed == EACCES)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                        "no program gnuplot in PATH, which draws .svg, .png and .html: apt-get "
                        "install gnuplot-nox, or take --ascii");
    if (failed != 0)
        return fail_to_run("posix_spawn", failed);
    if (TEMP_FAILURE_RETRY(waitpid(child, ended_with, 0)) != child)
        return fail_to_run("waitpid", errno);
    return RNN_OK;
}

/* The whole of a stream, with one zero byte after it. */
static rnn_status read_stream(int fd, void **bytes, size_t *n_bytes)
{
    struct stat info;
    size_t done = 0;

    *bytes = NULL;
    if (fstat(fd, &info) != 0)
        return fail_to_run("its output", errno);
    *n_bytes = (size_t)info.st_size;
    RNN_TRY(rnn_alloc(bytes, *n_bytes + 1, 1, "gnuplot's output"));
    while (done < *n_bytes) {
        ssize_t n =
            TEMP_FAILURE_RETRY(pread(fd, (char *)*bytes + done, *n_bytes - done, (off_t)done));

        if (n <= 0) {
            rnn_free(*bytes);
            *bytes = NULL;
            return fail_to_run("its output", n < 0 ? errno : EIO);
        }
        done += (size_t)n;
    }
    return RNN_OK;
}

/* gnuplot points at a place with lines of its own; the sentence is the one that names the line. */
static rnn_status tell_failure(int messages, int ended_with)
{
    void *bytes;
    size_t n_bytes;
    const char *text, *end;

    RNN_TRY(read_stream(messages, &bytes, &n_bytes));
    text = strstr(bytes, "line ");
    if (text == NULL)
        text = bytes;
    text += strspn(text, " \n");
    end = strchrnul(text, '\n');
    if (end == text) {
        text = "it says nothing";
        end = text + strlen(text);
    }
    if (WIFSIGNALED(ended_with))
        (void)RNN_FAIL(RNN_ERR_UNAVAILABLE, "gnuplot was ended by signal %d", WTERMSIG(ended_with));
    else
        (void)RNN_FAIL(RNN_ERR_UNAVAILABLE, "gnuplot failed with status %d: %.*s",
                       WEXITSTATUS(ended_with), end - text < 300 ? (int)(end - text) : 300, text);
    rnn_free(bytes);
    return RNN_ERR_UNAVAILABLE;
}

static bool is_picture(rnn_picture format, const void *bytes, size_t n_bytes)
{
    static const char png[] = "\x89PNG\r\n\x1a\n";

    return format == RNN_PICTURE_PNG ? n_bytes > 8 && memcmp(bytes, png, 8) == 0
                                     : memmem(bytes, n_bytes, "</svg>", 6) != NULL;
}

static rnn_status draw(const streams *s, const rnn_plot *plot, rnn_picture format, void **picture,
                       size_t *n_bytes)
{
    int ended_with;

    RNN_TRY(write_script(s->descriptors[0], plot, format));
    RNN_TRY(spawn(s, &ended_with));
    if (ended_with != 0)
        return tell_failure(s->descriptors[2], ended_with);
    RNN_TRY(read_stream(s->descriptors[1], picture, n_bytes));
    if (is_picture(format, *picture, *n_bytes))
        return RNN_OK;
    rnn_free(*picture);
    *picture = NULL;
    return tell_failure(s->descriptors[2], ended_with);
}

rnn_status rnn_gnuplot_draw(const rnn_plot *plot, rnn_picture format, void **picture,
                            size_t *n_bytes)
{
    streams s;
    rnn_status st;

    *picture = NULL;
    st = open_streams(&s);
    if (st == RNN_OK)
        st = draw(&s, plot, format, picture, n_bytes);
    close_streams(&s);
    return st;
}
