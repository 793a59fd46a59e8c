#include "framework/top.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "framework/chart_text.h"
#include "framework/file_io.h"
#include "framework/plot_text.h"
#include "framework/top_screen.h"
#include "kernels/memory.h"

enum { REFRESH_MS = 1000 };

/* -- Reading ----------------------------------------------------------------------------------- */

/* Both files from their beginning: they are small, and may be others than a second ago. */
static rnn_status look(rnn_top_view *view)
{
    rnn_status st;

    rnn_metrics_log_free(&view->run.log);
    view->time = (int64_t)time(NULL);
    st = rnn_progress_read(&view->now, view->run.folder, &view->life);
    view->has_now = st == RNN_OK;
    if (st != RNN_OK && st != RNN_ERR_NOINPUT && st != RNN_ERR_DATA)
        return st;
    st = rnn_metrics_log_read(&view->run.log, view->run.file);
    view->has_log = st == RNN_OK;
    if (st == RNN_OK || (st == RNN_ERR_NOINPUT && view->has_now))
        return RNN_OK;
    return st;
}

static bool has_ended(const rnn_top_view *view)
{
    if (view->has_now)
        return view->now.state != RNN_RUN_TRAINS || view->life == RNN_LIFE_ENDED;
    return true; /* written by a version that tells nothing of its progress: nothing to wait for */
}

static rnn_status open_view(rnn_top_view *view, const char *run)
{
    char *real;

    *view = (rnn_top_view){.has_log = false};
    RNN_TRY(rnn_metrics_find(run, &view->run.folder, &view->run.file));
    real = realpath(view->run.folder, NULL);
    rnn_text_make_printable(view->run.name, sizeof view->run.name / 2, real != NULL ? real : run);
    free(real);
    return look(view);
}

/* -- The terminal ------------------------------------------------------------------------------ */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
    (void)number;
    is_interrupted = 1;
}

/* Keys come one by one and unseen; the screen that was there before comes back. */
static bool take_keys(struct termios *before)
{
    struct termios keys;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before) != 0)
        return false;
    keys = *before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

static void catch_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt}; /* without SA_RESTART: poll returns */

    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)sigaction(numbers[i], &action, NULL);
}

/* Waits for a second, or for a key; whether to go on. */
static bool wait_for_key(bool has_keys)
{
    struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;

    if (poll(&keys, 1, REFRESH_MS) > 0) {
        if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
            return false;
    }
    return !is_interrupted;
}

/* Through memory, so that the terminal gets a whole screen at once. */
static rnn_status draw(const rnn_top_view *view, FILE *out)
{
    size_t height, width = rnn_chart_terminal_width(fileno(out), &height), n_bytes;
    char *text = NULL;
    FILE *page = open_memstream(&text, &n_bytes);
    rnn_status st;

    if (page == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot make a screen: %s", strerror(errno));
    st = rnn_top_print(view, width, height - 1, page);
    if (fclose(page) != 0 && st == RNN_OK)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot make a screen: %s", strerror(errno));
    if (st == RNN_OK) {
        fputs("\033[H", out);
        for (const char *line = text; *line != '\0';) {
            size_t length = strcspn(line, "\n"), shown = length < width ? length : width;

            while (shown > 0 && shown < length && (line[shown] & 0xC0) == 0x80)
                shown--; /* not in the middle of a character */
            fprintf(out, "%.*s\033[K\n", (int)shown, line);
            line += length + 1;
        }
        fputs("\033[J", out);
        (void)fflush(out);
    }
    free(text);
    return st;
}

static rnn_status follow_on_terminal(rnn_top_view *view, FILE *out)
{
    struct termios before;
    bool has_keys = take_keys(&before);
    rnn_status st;

    catch_signals();
    fputs("\033[?1049h\033[?25l", out); /* another screen, no cursor */
    do {
        st = look(view);
        if (st == RNN_OK)
            st = draw(view, out);
    } while (st == RNN_OK && !has_ended(view) && wait_for_key(has_keys));
    fputs("\033[?25h\033[?1049l", out);
    (void)fflush(out);
    if (has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return st;
}

/* -- Lines ------------------------------------------------------------------------------------- */

/* How far a file has been printed. */
typedef struct tail {
    ino_t file; /* which it was: a run that begins anew has another */
    size_t offset;
} tail;

static void print_lines(const char *text, size_t n_bytes, tail *t, FILE *out)
{
    const char *end;

    while ((end = memchr(text + t->offset, '\n', n_bytes - t->offset)) != NULL) {
        const char *begin = text + t->offset;
        rnn_metrics_line line;

        if (rnn_metrics_line_parse(&line, begin, (size_t)(end - begin)) == RNN_OK)
            rnn_top_print_line(&line, out);
        else
            fprintf(out, "(cannot be read: %s)\n", rnn_error_message());
        t->offset += (size_t)(end - begin) + 1;
    }
}

static rnn_status print_new(const rnn_top_view *view, tail *t, FILE *out)
{
    struct stat info;
    size_t n_bytes;
    void *text;

    if (!view->has_log || stat(view->run.file, &info) != 0)
        return RNN_OK;
    if (info.st_ino != t->file || (size_t)info.st_size < t->offset)
        *t = (tail){info.st_ino, 0};
    if ((size_t)info.st_size == t->offset)
        return RNN_OK;
    RNN_TRY(rnn_file_read(view->run.file, SIZE_MAX / 2, &text, &n_bytes));
    if (n_bytes > t->offset)
        print_lines(text, n_bytes, t, out);
    rnn_free(text);
    return RNN_OK;
}

static rnn_status follow_in_lines(rnn_top_view *view, FILE *out)
{
    const struct timespec pause = {.tv_sec = REFRESH_MS / 1000};
    tail t = {0};

    for (;;) {
        RNN_TRY(look(view));
        RNN_TRY(print_new(view, &t, out));
        if (has_ended(view))
            break;
        if (fflush(out) != 0)
            return RNN_FAIL(RNN_ERR_IO, "cannot write the output: %s", strerror(errno));
        (void)nanosleep(&pause, NULL);
    }
    rnn_top_print_end(view, out);
    return RNN_OK;
}

static rnn_status print_once(const rnn_top_view *view, FILE *out)
{
    size_t height, width = rnn_chart_terminal_width(fileno(out), &height);

    return rnn_top_print(view, width, height, out);
}

rnn_status rnn_top(const char *run, bool once, FILE *out)
{
    rnn_top_view view;
    rnn_status st = open_view(&view, run);

    if (st == RNN_OK && !once && isatty(fileno(out))) {
        st = follow_on_terminal(&view, out);
        once = st == RNN_OK; /* what was seen last stays on the terminal */
    } else if (st == RNN_OK && !once) {
        st = follow_in_lines(&view, out);
    }
    if (st == RNN_OK && once)
        st = print_once(&view, out);
    rnn_plot_free_runs(&view.run, 1);
    return st;
}
