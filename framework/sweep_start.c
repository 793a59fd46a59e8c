/* The processes of a sweep. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "framework/sweep_parts.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

/* The share of the cores that a slot has; where there are more slots than cores, they take turns.
 */
static void choose_cores(cpu_set_t *out, size_t slot, size_t n_slots)
{
    cpu_set_t all;
    size_t n_cores, first, last, seen = 0;

    CPU_ZERO(out);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    n_cores = (size_t)CPU_COUNT(&all);
    first = slot * n_cores / n_slots;
    last = (slot + 1) * n_cores / n_slots;
    if (first == last) {
        first = slot % n_cores;
        last = first + 1;
    }
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &all))
            continue;
        if (seen >= first && seen < last)
            CPU_SET(core, out);
        seen++;
    }
}

/* argv of the program: its configuration, and every override after a --set. */
static rnn_status make_arguments(const rnn_sweep_data *sweep, const rnn_sweep_run *run,
                                 char ***arguments)
{
    size_t n = 0;
    char **words;

    RNN_TRY(RNN_ALLOC(arguments, 2 * sweep->n_overrides + 3, "a command line"));
    words = *arguments;
    words[n++] = (char *)(uintptr_t) "rnntrain"; /* which nobody writes to */
    words[n++] = (char *)(uintptr_t)sweep->cfg->config;
    for (size_t i = 0; i < sweep->n_overrides; i++) {
        words[n++] = (char *)(uintptr_t) "--set";
        words[n++] = run->overrides[i];
    }
    words[n] = NULL;
    return RNN_OK;
}

/* In the child: only what may be called between fork and exec. In a group of its own Ctrl-C does
 * not reach it, but through the sweep; it does not outlive the sweep either. */
_Noreturn static void become(char **arguments, int log, int null, const cpu_set_t *cores)
{
    sigset_t none;

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (CPU_COUNT(cores) > 0)
        (void)sched_setaffinity(0, sizeof *cores, cores);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

static rnn_status open_files(const rnn_sweep_run *run, int *log, int *null)
{
    char *path;
    rnn_status st = RNN_OK;

    RNN_TRY(rnn_path_print(&path, "%s/log", run->folder));
    *log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    *null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (*log < 0 || *null < 0)
        st = RNN_FAIL(RNN_ERR_IO, "cannot open %s: %s", *log < 0 ? path : "/dev/null",
                      strerror(errno));
    rnn_free(path);
    return st;
}

rnn_status rnn_sweep_start(rnn_sweep_data *sweep, rnn_sweep_run *run)
{
    char **arguments = NULL;
    int log = -1, null = -1;
    cpu_set_t cores;
    rnn_status st;

    choose_cores(&cores, run->slot, sweep->cfg->parallel);
    RNN_TRY(rnn_folder_create(run->folder));
    RNN_TRY_GOTO(st, make_arguments(sweep, run, &arguments), done);
    RNN_TRY_GOTO(st, open_files(run, &log, &null), done);
    (void)fflush(NULL);
    run->process = fork();
    if (run->process == 0)
        become(arguments, log, null, &cores);
    if (run->process < 0)
        st = RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot start a process for %s: %s", run->name,
                      strerror(errno));
    else
        run->state = RNN_SWEEP_RUNNING;
    run->seconds = rnn_clock_seconds();
done:
    if (log >= 0)
        (void)close(log);
    if (null >= 0)
        (void)close(null);
    rnn_free(arguments);
    return st;
}
