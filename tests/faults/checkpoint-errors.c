/*
 * checkpoint-errors: every system call in the writing of one checkpoint fails in every way, once
 * and lastingly, and the writer is killed before and after every one of them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "kernels/memory.h"
#include "tests/faults/checkpoint_writer.h"

static const struct {
    const char *name;
    int number; /* 0: the writer goes on and all is well */
} ERRORS[] = {{"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", 0},
              {"EROFS", EROFS}, {"ESTALE", ESTALE}, {"SHORT", 0}};

enum { N_ERRORS = sizeof ERRORS / sizeof *ERRORS };

typedef struct trial {
    const call_log *log; /* of the undisturbed writing */
    size_t at;           /* in the log: which call is spoilt */
    const char *error;
    bool lasting;
    char name[512];
} trial;

static rnn_status write_new(const char *folder)
{
    return write_checkpoint(folder, NEW);
}

static trial begin_trial(const call_log *log, size_t at, const char *error, bool lasting)
{
    trial t = {.log = log, .at = at, .error = error, .lasting = lasting};

    snprintf(t.name, sizeof t.name, "%s%s at call %zu, %s %s", error, lasting ? ", lasting," : "",
             at + 1, log->calls[at].name, log->calls[at].path);
    copy_folder(path_of("start"), path_of("trial"));
    unlink(path_of("log"));
    return t;
}

/* The variables of a trial, for run_spoilt; valid until the next call. */
static const char *const *variables_of(const trial *t)
{
    static char at[32];
    static const char *variables[9] = {"INJECT_AT",      at,   "INJECT_ERROR", NULL,
                                       "INJECT_LASTING", NULL, "INJECT_LOG"};

    snprintf(at, sizeof at, "%zu", t->at + 1);
    variables[3] = t->error;
    variables[5] = t->lasting ? "1" : "0";
    variables[7] = path_of("log");
    return variables;
}

/* -- After errors ------------------------------------------------------------------------------ */

static bool is_temporary(const call *c)
{
    return strstr(c->path, ".tmp-") != NULL;
}

static bool is_on_folder(const call *c)
{
    return strcmp(c->path, path_of("trial")) == 0 ||
           strncmp(c->path, path_of("trial/"), strlen(path_of("trial/")) + 1) == 0;
}

/* Removing what is not there, and closing a folder that is synced: nothing depends on it. */
static bool is_harmless(const call *c)
{
    return (strcmp(c->name, "unlink") == 0 && is_temporary(c)) ||
           (strcmp(c->name, "close") == 0 && is_on_folder(c));
}

/* What the message calls it. */
static const char *operation(const call *c)
{
    static const struct {
        const char *call, *on_file, *on_folder;
    } operations[] = {
        {"open", "create", "open the folder"},
        {"write", "write", ""},
        {"fsync", "sync", "sync the folder"},
        {"close", "close", ""},
        {"rename", "rename", ""},
        {"symlink", "create the link", ""},
        {"unlink", "remove", ""},
    };

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].call, c->name) == 0)
            return is_on_folder(c) ? operations[i].on_folder : operations[i].on_file;
    return "a call that this test does not know";
}

/* A name in the message without the number of the process, which differs. */
static bool names_path(const char *message, const call *c)
{
    char path[512], *mark;

    snprintf(path, sizeof path, "%s", c->path);
    mark = strstr(path, ".tmp-");
    if (mark != NULL)
        *mark = '\0';
    return strstr(message, path) != NULL;
}

static void check_message(const trial *t, const outcome *result, int number)
{
    const call *c = &t->log->calls[t->at];
    char expected[64];

    while (is_harmless(c)) /* the next one failed too; the last call of all is not harmless */
        c++;
    snprintf(expected, sizeof expected, "cannot %s '", operation(c));
    if (result->st != RNN_ERR_IO)
        complain("%s: status %d", t->name, (int)result->st);
    if (strncmp(result->message, expected, strlen(expected)) != 0 ||
        !names_path(result->message, c) || strstr(result->message, strerror(number)) == NULL ||
        strchr(result->message, '\n') != NULL)
        complain("%s: the message is '%s'", t->name, result->message);
}

/* Checkpoints that were there before, as they were; those to prune may be gone at the end. */
static void check_older(const trial *t)
{
    const call *c = &t->log->calls[t->at];
    bool pruning = strcmp(c->name, "unlink") == 0 && !is_temporary(c);

    for (uint64_t step = 1; step <= N_OLDER; step++) {
        char path[64];

        snprintf(path, sizeof path, "trial/step-%010d.h5", (int)step);
        if (pruning && step <= NEW - KEEP && access(path_of(path), F_OK) != 0)
            continue;
        if (!is_step(path_of(path), step))
            complain("%s: the checkpoint of step %d is not as it was", t->name, (int)step);
    }
}

/* After a failed fsync a second one says nothing: the file must not be kept. */
static void check_unsynced(const trial *t)
{
    call_log log;

    if (strcmp(t->log->calls[t->at].name, "fsync") != 0 || t->lasting)
        return;
    log = read_log(path_of("log"));
    for (size_t i = t->at + 1; i < log.n; i++)
        if (strcmp(log.calls[i].path, log.calls[t->at].path) == 0 &&
            (strcmp(log.calls[i].name, "fsync") == 0 || strcmp(log.calls[i].name, "rename") == 0))
            complain("%s: the file is used again: %s", t->name, log.calls[i].name);
    free_log(&log);
}

/* The newest checkpoint is whole, leftovers are removed with the next start, writing works again.
 */
static void check_next_start(const trial *t)
{
    const char *folder = path_of("trial");
    char *path;

    if (count_temporary(folder) > 1)
        complain("%s: %zu temporary files", t->name, count_temporary(folder));
    if (rnn_checkpoint_find(folder, &path, NULL, NULL) != RNN_OK || path == NULL)
        complain("%s: no checkpoint is found", t->name);
    else if (!is_step(path, NEW) && !is_step(path, N_OLDER))
        complain("%s: %s is neither the old nor the new checkpoint", t->name, path);
    rnn_free(path);
    if (count_temporary(folder) > 0)
        complain("%s: the next start leaves a temporary file", t->name);
    if (write_checkpoint(folder, NEW) != RNN_OK)
        complain("%s: the next checkpoint fails: %s", t->name, rnn_error_message());
    if (!same_folder(folder, path_of("expected")))
        complain("%s: the next checkpoint is not as it should be", t->name);
}

static void try_error(const call_log *log, size_t at, size_t error, bool lasting)
{
    trial t = begin_trial(log, at, ERRORS[error].name, lasting);
    bool succeeds = ERRORS[error].number == 0 || (!lasting && is_harmless(&log->calls[at]));
    outcome result = run_spoilt(write_new, variables_of(&t));

    if (succeeds && result.st != RNN_OK)
        complain("%s: %s", t.name, result.message);
    if (result.st == RNN_OK && !same_folder(path_of("trial"), path_of("expected")))
        complain("%s: succeeds, but the files are not as they should be", t.name);
    if (!succeeds)
        check_message(&t, &result, ERRORS[error].number);
    if (!lasting && count_temporary(path_of("trial")) > 0)
        complain("%s: a temporary file is left", t.name);
    if (result.st != RNN_OK)
        check_older(&t);
    if (ERRORS[error].number != 0)
        check_unsynced(&t);
    check_next_start(&t);
}

static void try_errors(const call_log *log)
{
    size_t before = n_complaints();

    for (size_t at = 0; at < log->n; at++)
        for (size_t error = 0; error < N_ERRORS; error++)
            for (int lasting = 0; lasting <= 1; lasting++)
                try_error(log, at, error, lasting == 1);
    printf("TABLE failing calls in one checkpoint | %zu | %zu | %zu calls, %d errors, once and "
           "lasting\n",
           log->n * N_ERRORS * 2, n_complaints() - before, log->n, N_ERRORS);
}

/* -- Kills ------------------------------------------------------------------------------------- */

static void try_kills(const call_log *log)
{
    static const char *const kills[] = {"KILL", "KILL_AFTER"};
    size_t before = n_complaints();

    for (size_t at = 0; at < log->n; at++)
        for (size_t i = 0; i < 2; i++) {
            trial t = begin_trial(log, at, kills[i], false);

            if (run_killed(write_new, variables_of(&t)) != SIGKILL)
                complain("%s: is not killed", t.name);
            check_older(&t);
            check_next_start(&t);
        }
    printf("TABLE kills before and after every call in one checkpoint | %zu | %zu | %zu calls\n",
           log->n * 2, n_complaints() - before, log->n);
}

int main(void)
{
    call_log log;
    size_t failures;

    set_up();
    copy_folder(path_of("start"), path_of("trial"));
    log = record_calls(write_new);
    copy_folder(path_of("trial"), path_of("expected"));
    try_errors(&log);
    try_kills(&log);
    free_log(&log);
    failures = n_complaints();
    clean_up(failures > 0);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
