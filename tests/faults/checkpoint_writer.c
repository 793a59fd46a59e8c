#include "tests/faults/checkpoint_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/file_io.h"
#include "framework/layer_args.h"
#include "kernels/memory.h"

enum { PATIENCE = 20 /* seconds */, MAX_BYTES = 1 << 20 };

static char work[128];
static size_t complaints;

static struct {
    rnn_model *model;
    rnn_optimizer *optimizer;
    float *params;
    rnn_progress progress;
    rnn_history history;
    rnn_checkpoint checkpoint;
} run;

static struct {
    void *bytes;
    size_t n_bytes;
} files[NEW + 1]; /* by step */

/* Files are equal whenever they are written. */
time_t time(time_t *out)
{
    const time_t now = 1700000000;

    if (out != NULL)
        *out = now;
    return now;
}

static void need(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s: %s\n", what, rnn_error_message());
    exit(EXIT_FAILURE);
}

void complain(const char *format, ...)
{
    va_list args;

    complaints++;
    printf("FAILED: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

size_t n_complaints(void)
{
    return complaints;
}

/* -- Folders ----------------------------------------------------------------------------------- */

const char *path_of(const char *name)
{
    static char paths[8][256];
    static size_t next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", work, name);
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_plainly(const char *path, const void *bytes, size_t n_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    need(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes && close(fd) == 0, path);
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void copy_entry(const char *from, const char *to)
{
    char target[256];
    ssize_t length = readlink(from, target, sizeof target - 1);
    void *bytes;
    size_t n_bytes;

    if (length >= 0) {
        target[length] = '\0';
        need(symlink(target, to) == 0, to);
        return;
    }
    need(rnn_file_read(from, MAX_BYTES, &bytes, &n_bytes) == RNN_OK, from);
    write_plainly(to, bytes, n_bytes);
    rnn_free(bytes);
}

void copy_folder(const char *from, const char *to)
{
    struct dirent **entries;
    int n = scandir(from, &entries, is_entry, alphasort);

    remove_folder(to);
    need(n >= 0 && mkdir(to, 0777) == 0, to);
    for (int i = 0; i < n; i++) {
        char source[512], copy[512];

        snprintf(source, sizeof source, "%s/%s", from, entries[i]->d_name);
        snprintf(copy, sizeof copy, "%s/%s", to, entries[i]->d_name);
        copy_entry(source, copy);
        free(entries[i]);
    }
    free(entries);
}

static bool same_entry(const char *a, const char *b)
{
    char target_a[256] = "", target_b[256] = "";
    void *bytes_a, *bytes_b;
    size_t n_a, n_b;
    bool same;

    if (readlink(a, target_a, sizeof target_a - 1) != readlink(b, target_b, sizeof target_b - 1) ||
        strcmp(target_a, target_b) != 0)
        return false;
    if (target_a[0] != '\0')
        return true;
    same = rnn_file_read(a, MAX_BYTES, &bytes_a, &n_a) == RNN_OK;
    same = rnn_file_read(b, MAX_BYTES, &bytes_b, &n_b) == RNN_OK && same;
    same = same && n_a == n_b && memcmp(bytes_a, bytes_b, n_a) == 0;
    rnn_free(bytes_a);
    rnn_free(bytes_b);
    return same;
}

bool same_folder(const char *a, const char *b)
{
    struct dirent **of_a, **of_b;
    int n_a = scandir(a, &of_a, is_entry, alphasort), n_b = scandir(b, &of_b, is_entry, alphasort);
    bool same = n_a == n_b;

    need(n_a >= 0 && n_b >= 0, a);
    for (int i = 0; i < n_a && same; i++) {
        char path_a[512], path_b[512];

        snprintf(path_a, sizeof path_a, "%s/%s", a, of_a[i]->d_name);
        snprintf(path_b, sizeof path_b, "%s/%s", b, of_b[i]->d_name);
        same = strcmp(of_a[i]->d_name, of_b[i]->d_name) == 0 && same_entry(path_a, path_b);
    }
    for (int i = 0; i < n_a; i++)
        free(of_a[i]);
    for (int i = 0; i < n_b; i++)
        free(of_b[i]);
    free(of_a);
    free(of_b);
    return same;
}

static int is_temporary(const struct dirent *entry)
{
    return strstr(entry->d_name, ".tmp-") != NULL;
}

size_t count_temporary(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_temporary, alphasort);

    need(n >= 0, folder);
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return (size_t)n;
}

/* -- The run ----------------------------------------------------------------------------------- */

static void fill(uint64_t step)
{
    for (size_t i = 0; i < rnn_model_size(run.model); i++)
        run.params[i] = (float)sin((double)(i + 1) * (double)(step + 1));
    run.progress = (rnn_progress){.epoch = step, .step = step, .best_step = BEST};
}

static void create_run(void)
{
    static const rnn_layer_cfg layers[] = {
        {.type = RNN_LAYER_GRU, .hidden_size = 2, .num_layers = 1, .bias = true},
        {.type = RNN_LAYER_SELECT},
        {.type = RNN_LAYER_LINEAR, .out_features = 3, .bias = true}};
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);

    need(rnn_model_create(&run.model, layers, 3, (rnn_shape){.seq_len = 4, .n_features = 3}) ==
             RNN_OK,
         "model");
    need(rnn_optimizer_create(&run.optimizer, &cfg, rnn_model_size(run.model)) == RNN_OK,
         "optimizer");
    need(RNN_ALLOC(&run.params, rnn_model_size(run.model), "parameters") == RNN_OK, "parameters");
    run.checkpoint = (rnn_checkpoint){.model = run.model,
                                      .params = run.params,
                                      .optimizer = run.optimizer,
                                      .progress = &run.progress,
                                      .history = &run.history,
                                      .config = "[run]\n"};
}

rnn_status write_checkpoint(const char *folder, uint64_t step)
{
    fill(step);
    RNN_TRY(rnn_checkpoint_write(&run.checkpoint, folder, NULL));
    RNN_TRY(rnn_checkpoint_mark_best(folder, step));
    return rnn_checkpoint_prune(folder, KEEP);
}

/* Whether a checkpoint can be loaded and is wholly that of the step. */
static bool loads_as(const char *path, uint64_t step)
{
    const size_t n_bytes = rnn_model_size(run.model) * sizeof *run.params;
    float *expected;
    bool same;

    need(RNN_ALLOC(&expected, n_bytes / sizeof *expected, "expected") == RNN_OK, "expected");
    fill(step);
    memcpy(expected, run.params, n_bytes);
    memset(run.params, 0, n_bytes);
    run.progress = (rnn_progress){0};
    same = rnn_checkpoint_read(path, &run.checkpoint) == RNN_OK && run.progress.step == step &&
           memcmp(expected, run.params, n_bytes) == 0;
    rnn_free(expected);
    return same;
}

static void write_start(void)
{
    const char *start = path_of("start"), *aside = path_of("aside");

    need(mkdir(start, 0777) == 0 && mkdir(aside, 0777) == 0, start);
    for (uint64_t step = 1; step <= NEW; step++) {
        char *path;

        fill(step);
        need(rnn_checkpoint_write(&run.checkpoint, step < NEW ? start : aside, &path) == RNN_OK,
             "writing");
        need(rnn_file_read(path, MAX_BYTES, &files[step].bytes, &files[step].n_bytes) == RNN_OK,
             path);
        need(loads_as(path, step), path);
        rnn_free(path);
    }
    need(rnn_checkpoint_mark_best(start, BEST) == RNN_OK, "best");
}

const void *bytes_of_step(uint64_t step, size_t *n_bytes)
{
    *n_bytes = files[step].n_bytes;
    return files[step].bytes;
}

bool is_step(const char *path, uint64_t step)
{
    void *bytes;
    size_t n_bytes;
    bool same = rnn_file_read(path, MAX_BYTES, &bytes, &n_bytes) == RNN_OK;

    same = same && n_bytes == files[step].n_bytes && memcmp(bytes, files[step].bytes, n_bytes) == 0;
    rnn_free(bytes);
    return same;
}

void set_up(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(work, sizeof work, "%s/rnntrain-test-XXXXXX", base);
    need(mkdtemp(work) != NULL, work);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mallopt(M_TRIM_THRESHOLD, 1 << 28); /* giving memory back and taking it again costs most */
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    create_run();
    write_start();
}

void clean_up(bool keep_folder)
{
    if (keep_folder)
        printf("the files are in %s\n", work);
    else
        remove_folder(work);
    for (size_t i = 0; i <= NEW; i++)
        rnn_free(files[i].bytes);
    rnn_free(run.params);
    rnn_optimizer_destroy(&run.optimizer);
    rnn_model_destroy(&run.model);
}

/* -- Spoilt calls ------------------------------------------------------------------------------ */

static void spoil(const char *const *variables)
{
    setenv("INJECT_PATH", path_of("trial"), 1);
    for (size_t i = 0; variables[i] != NULL; i += 2)
        setenv(variables[i], variables[i + 1], 1);
    inject_restart();
}

static void spoil_no_more(const char *const *variables)
{
    for (size_t i = 0; variables[i] != NULL; i += 2)
        unsetenv(variables[i]);
    inject_restart();
}

outcome run_spoilt(rnn_status (*act)(const char *folder), const char *const *variables)
{
    outcome result = {0};

    alarm(PATIENCE); /* this is the end of a test that hangs */
    spoil(variables);
    result.st = act(path_of("trial"));
    spoil_no_more(variables);
    alarm(0);
    snprintf(result.message, sizeof result.message, "%s", rnn_error_message());
    return result;
}

int run_killed(rnn_status (*act)(const char *folder), const char *const *variables)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        run_spoilt(act, variables);
        _exit(0);
    }
    need(child > 0 && waitpid(child, &status, 0) == child, "fork");
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* -- Logs -------------------------------------------------------------------------------------- */

/* "NUMBER NAME PATH PATH2-or-number"; the paths of these tests have no spaces. */
static call parse_call(const char *line)
{
    call c = {0};
    char *last, *end;

    need(sscanf(line, "%*d %ms %ms %ms", &c.name, &c.path, &last) == 3, line);
    c.number = strtol(last, &end, 10);
    if (*end == '\0')
        free(last);
    else
        c.path2 = last;
    return c;
}

call_log read_log(const char *path)
{
    FILE *file = fopen(path, "r");
    call_log log = {0};
    char line[1024];

    need(file != NULL, path);
    while (fgets(line, sizeof line, file) != NULL) {
        log.calls = realloc(log.calls, (log.n + 1) * sizeof *log.calls);
        need(log.calls != NULL, path);
        log.calls[log.n++] = parse_call(line);
    }
    fclose(file);
    return log;
}

void free_log(call_log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        free(log->calls[i].name);
        free(log->calls[i].path);
        free(log->calls[i].path2);
    }
    free(log->calls);
    *log = (call_log){0};
}

call_log record_calls(rnn_status (*act)(const char *folder))
{
    const char *path = path_of("log");
    const char *const variables[] = {"INJECT_LOG", path, NULL};
    outcome result;

    unlink(path);
    result = run_spoilt(act, variables);
    if (result.st != RNN_OK)
        complain("the undisturbed writing: %s", result.message);
    return read_log(path);
}
