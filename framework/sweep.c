#include "framework/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "framework/config.h"
#include "framework/file_io.h"
#include "framework/sweep_parts.h"
#include "framework/toml_reader.h"
#include "kernels/clock.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

/* -- What is to be run ------------------------------------------------------------------------- */

/* These the sweep sets itself, or they would make runs meet in one folder. */
static rnn_status check_keys(const rnn_grid *grid)
{
    static const char *const own[] = {"run.output_dir", "run.resume", "log.jsonl"};

    for (size_t a = 0; a < grid->n_axes; a++)
        for (size_t i = 0; i < sizeof own / sizeof *own; i++)
            if (strcmp(grid->axes[a].key, own[i]) == 0)
                return RNN_FAIL(RNN_ERR_USAGE, "--grid %s: a sweep sets this key itself", own[i]);
    return RNN_OK;
}

static rnn_status find_folder(rnn_sweep_data *sweep)
{
    rnn_config config;
    rnn_status st = rnn_config_load(&config, sweep->cfg->config, sweep->cfg->overrides,
                                    sweep->cfg->n_overrides);

    if (st == RNN_OK)
        st = rnn_sweep_metric_choose(&sweep->metric, sweep->cfg->by, &config);
    if (st == RNN_OK && sweep->cfg->folder != NULL)
        st = rnn_string_copy(&sweep->folder, sweep->cfg->folder);
    else if (st == RNN_OK)
        st = rnn_path_print(&sweep->folder, "runs/%s-sweep", config.run.name);
    rnn_config_free(&config);
    return st;
}

/* Those of the user, those of the grid, the folder, and the file that results are read from. */
static rnn_status fill_overrides(rnn_sweep_data *sweep, size_t point)
{
    rnn_sweep_run *run = &sweep->runs[point];
    size_t n = 0;
    char *quoted;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&run->overrides, sweep->n_overrides, "the options of a run"));
    for (; n < sweep->cfg->n_overrides; n++)
        RNN_TRY(rnn_string_copy(&run->overrides[n], sweep->cfg->overrides[n]));
    for (size_t a = 0; a < sweep->grid.n_axes; a++)
        RNN_TRY(rnn_grid_override(&sweep->grid, point, a, &run->overrides[n++]));
    RNN_TRY(rnn_toml_quote(&quoted, run->folder));
    st = rnn_path_print(&run->overrides[n++], "run.output_dir=%s", quoted);
    rnn_free(quoted);
    RNN_TRY(st);
    return rnn_string_copy(&run->overrides[n], "log.jsonl=true");
}

/* Checks the point's configuration. */
static rnn_status prepare_run(rnn_sweep_data *sweep, size_t point)
{
    rnn_sweep_run *run = &sweep->runs[point];
    rnn_config config = {0};
    char *text = NULL;
    rnn_status st;

    run->seconds = (double)NAN;
    run->result = (rnn_sweep_result){.value = (double)NAN};
    RNN_TRY(rnn_grid_name(&sweep->grid, point, &run->name));
    RNN_TRY(rnn_path_print(&run->folder, "%s/%s", sweep->folder, run->name));
    RNN_TRY(fill_overrides(sweep, point));
    st = rnn_config_load(&config, sweep->cfg->config, (const char *const *)run->overrides,
                         sweep->n_overrides);
    if (st == RNN_OK)
        st = rnn_config_print(&config, &text);
    if (st == RNN_OK)
        run->digest = rnn_digest(text, strlen(text));
    rnn_free(text);
    rnn_config_free(&config);
    return st;
}

static rnn_status prepare(rnn_sweep_data *sweep)
{
    RNN_TRY(rnn_grid_parse(&sweep->grid, sweep->cfg->grid, sweep->cfg->n_axes));
    RNN_TRY(check_keys(&sweep->grid));
    RNN_TRY(find_folder(sweep));
    sweep->n_overrides = sweep->cfg->n_overrides + sweep->grid.n_axes + 2;
    RNN_TRY(RNN_ALLOC(&sweep->runs, sweep->grid.n_points, "the runs of a sweep"));
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        RNN_TRY(prepare_run(sweep, i));
    return rnn_folder_create(sweep->folder);
}

static void release(rnn_sweep_data *sweep)
{
    for (size_t i = 0; sweep->runs != NULL && i < sweep->grid.n_points; i++) {
        rnn_sweep_run *run = &sweep->runs[i];

        for (size_t k = 0; run->overrides != NULL && k < sweep->n_overrides; k++)
            rnn_free(run->overrides[k]);
        rnn_free(run->overrides);
        rnn_free(run->name);
        rnn_free(run->folder);
    }
    rnn_free(sweep->runs);
    rnn_free(sweep->folder);
    rnn_grid_free(&sweep->grid);
}

/* -- What is finished already ------------------------------------------------------------------ */

static rnn_status read_result(rnn_sweep_data *sweep, rnn_sweep_run *run)
{
    char *path;
    rnn_status st;

    RNN_TRY(rnn_path_print(&path, "%s/metrics.jsonl", run->folder));
    st = rnn_sweep_result_read(&run->result, path, &sweep->metric);
    rnn_free(path);
    return st;
}

/* The file says with which configuration the run has come to its end, and how long it took. */
static rnn_status note_finished(const rnn_sweep_run *run)
{
    char *path, text[64];
    int length = snprintf(text, sizeof text, "%016" PRIx64 " %.1f\n", run->digest, run->seconds);
    rnn_status st;

    RNN_TRY(rnn_path_print(&path, "%s/finished", run->folder));
    st = rnn_file_write(path, text, (size_t)length);
    rnn_free(path);
    return st;
}

/* Without the file, or with another configuration, the run itself finds out what is left to do. */
static rnn_status recall_finished(rnn_sweep_data *sweep, rnn_sweep_run *run)
{
    char *path, text[64] = "", *end;
    uint64_t digest;
    double seconds;
    FILE *file;

    RNN_TRY(rnn_path_print(&path, "%s/finished", run->folder));
    file = fopen(path, "re");
    rnn_free(path);
    if (file == NULL)
        return RNN_OK;
    (void)fgets(text, sizeof text, file); /* "" is no such line */
    (void)fclose(file);                   /* read only */
    digest = strtoull(text, &end, 16);
    seconds = strtod(end, &end);
    if (*end != '\n' || digest != run->digest)
        return RNN_OK;
    run->state = RNN_SWEEP_FINISHED;
    run->seconds = seconds;
    sweep->n_ended++;
    RNN_TRY(read_result(sweep, run));
    rnn_sweep_print_run(sweep, run);
    return RNN_OK;
}

/* -- Running ----------------------------------------------------------------------------------- */

static void hold_signals(sigset_t *held, sigset_t *before)
{
    static const int signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

    sigemptyset(held);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(held, signals[i]);
    (void)sigprocmask(SIG_BLOCK, held, before);
}

static size_t count_running(const rnn_sweep_data *sweep)
{
    size_t n = 0;

    for (size_t i = 0; i < sweep->grid.n_points; i++)
        n += sweep->runs[i].state == RNN_SWEEP_RUNNING;
    return n;
}

static bool is_taken(const rnn_sweep_data *sweep, size_t slot)
{
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        if (sweep->runs[i].state == RNN_SWEEP_RUNNING && sweep->runs[i].slot == slot)
            return true;
    return false;
}

static rnn_status start_runs(rnn_sweep_data *sweep)
{
    size_t n_running = count_running(sweep);

    for (size_t i = 0; i < sweep->grid.n_points && n_running < sweep->cfg->parallel; i++) {
        rnn_sweep_run *run = &sweep->runs[i];

        if (run->state != RNN_SWEEP_WAITING)
            continue;
        run->slot = 0;
        while (is_taken(sweep, run->slot))
            run->slot++;
        RNN_TRY(rnn_sweep_start(sweep, run));
        n_running++;
    }
    return RNN_OK;
}

static rnn_status take_end(rnn_sweep_data *sweep, rnn_sweep_run *run, int status)
{
    run->seconds = rnn_clock_seconds() - run->seconds;
    run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    run->state = run->status == RNN_OK        ? RNN_SWEEP_FINISHED
                 : run->status == RNN_STOPPED ? RNN_SWEEP_STOPPED
                                              : RNN_SWEEP_FAILED;
    sweep->n_ended++;
    RNN_TRY(read_result(sweep, run));
    rnn_sweep_print_run(sweep, run);
    if (run->state == RNN_SWEEP_FINISHED)
        RNN_TRY(note_finished(run));
    return rnn_sweep_write_tables(sweep);
}

/* Of all that have ended, also after a failure: one SIGCHLD may stand for several of them. */
static rnn_status take_ends(rnn_sweep_data *sweep)
{
    rnn_status st = RNN_OK;
    int status;
    pid_t process;

    while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < sweep->grid.n_points; i++) {
            rnn_sweep_run *run = &sweep->runs[i];
            rnn_status taken = RNN_OK;

            if (run->state == RNN_SWEEP_RUNNING && run->process == process)
                taken = take_end(sweep, run, status);
            if (st == RNN_OK)
                st = taken;
        }
    }
    return st;
}

static void ask_to_stop(rnn_sweep_data *sweep)
{
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        if (sweep->runs[i].state == RNN_SWEEP_RUNNING)
            (void)kill(sweep->runs[i].process, SIGTERM);
}

/* Until no run is left, or none may be started and those that ran have ended. */
static rnn_status run_all(rnn_sweep_data *sweep, const sigset_t *held)
{
    rnn_status st = RNN_OK;

    while (true) {
        int signal_number;

        if (sweep->n_signals == 0 && st == RNN_OK) {
            st = start_runs(sweep);
            if (st != RNN_OK)
                ask_to_stop(sweep);
        }
        if (count_running(sweep) == 0)
            return st;
        signal_number = sigwaitinfo(held, NULL);
        if (signal_number < 0)
            continue; /* EINTR */
        if (signal_number != SIGCHLD) {
            fprintf(sweep->out, "%s: the runs write checkpoints and end\n",
                    strsignal(signal_number));
            (void)fflush(sweep->out);
            sweep->n_signals++;
            ask_to_stop(sweep);
        }
        if (st == RNN_OK)
            st = take_ends(sweep);
        else
            (void)take_ends(sweep); /* the first fault is the one to be told */
    }
}

/* -- The end ----------------------------------------------------------------------------------- */

static rnn_status conclude(const rnn_sweep_data *sweep)
{
    size_t n[RNN_SWEEP_FAILED + 1] = {0}, first = SIZE_MAX, n_points = sweep->grid.n_points;
    int status;

    for (size_t i = 0; i < n_points; i++) {
        n[sweep->runs[i].state]++;
        if (sweep->runs[i].state == RNN_SWEEP_FAILED && first == SIZE_MAX)
            first = i;
    }
    if (n[RNN_SWEEP_STOPPED] + n[RNN_SWEEP_WAITING] > 0)
        return RNN_FAIL(RNN_STOPPED,
                        "%zu of %zu runs are finished, %zu failed; the same command goes on",
                        n[RNN_SWEEP_FINISHED], n_points, n[RNN_SWEEP_FAILED]);
    if (first == SIZE_MAX)
        return RNN_OK;
    status = sweep->runs[first].status;
    return RNN_FAIL(status >= RNN_ERR_USAGE && status <= RNN_ERR_NONFINITE ? (rnn_status)status
                                                                           : RNN_ERR_INTERNAL,
                    "%zu of %zu runs failed, the first of them %s with status %d",
                    n[RNN_SWEEP_FAILED], n_points, sweep->runs[first].folder, status);
}

static rnn_status sweep_all(rnn_sweep_data *sweep, const sigset_t *held)
{
    fprintf(sweep->out, "%zu run%s in %s, %zu at a time\n", sweep->grid.n_points,
            sweep->grid.n_points == 1 ? "" : "s", sweep->folder, sweep->cfg->parallel);
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        RNN_TRY(recall_finished(sweep, &sweep->runs[i]));
    RNN_TRY(run_all(sweep, held));
    RNN_TRY(rnn_sweep_write_tables(sweep));
    RNN_TRY(rnn_sweep_print_table(sweep));
    return conclude(sweep);
}

rnn_status rnn_sweep(const rnn_sweep_cfg *cfg, FILE *out)
{
    rnn_sweep_data sweep = {.cfg = cfg, .out = out};
    sigset_t held, before;
    rnn_status st = prepare(&sweep);

    if (st == RNN_OK) {
        hold_signals(&held, &before);
        st = sweep_all(&sweep, &held);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    }
    release(&sweep);
    return st;
}
