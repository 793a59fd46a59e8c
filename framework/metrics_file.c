#include "framework/metrics_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "framework/json_line.h"
#include "kernels/memory.h"

static const size_t MAX_FILE = (size_t)1 << 30;

/* -- Names ------------------------------------------------------------------------------------- */

#define SPLIT(name)                                                                                \
    name "_loss", name "_accuracy", name "_f1", name "_perplexity", name "_bits", name "_mse",     \
        name "_rmse", name "_mae"

static const char *const field_names[RNN_N_FIELDS] = {SPLIT("train"),
                                                      SPLIT("valid"),
                                                      SPLIT("test"),
                                                      [RNN_FIELD_LR] = "lr",
                                                      [RNN_FIELD_SECONDS] = "seconds",
                                                      [RNN_FIELD_RATE] = "samples_per_second",
                                                      [RNN_FIELD_DATA_WAIT] = "data_wait",
                                                      [RNN_FIELD_TIME] = "time_data",
                                                      "time_pack",
                                                      "time_forward",
                                                      "time_backward",
                                                      "time_reduce",
                                                      "time_update",
                                                      "time_evaluate",
                                                      "time_other"};

static const struct {
    const char *name;
    bool rises;
} metrics[RNN_N_METRICS] = {{"loss", false},
                            {"accuracy", true},
                            {"F1", true},
                            {"perplexity", false},
                            {"bits per character", false},
                            {"MSE", false},
                            {"RMSE", false},
                            {"MAE", false}};

const char *rnn_field_name(rnn_field field)
{
    return field_names[field];
}

const char *rnn_metric_name(rnn_metric metric)
{
    return metrics[metric].name;
}

bool rnn_metric_rises(rnn_metric metric)
{
    return metrics[metric].rises;
}

bool rnn_field_rises(rnn_field field)
{
    return field < RNN_FIELD_LR && metrics[(size_t)field % RNN_N_METRICS].rises;
}

/* -- A line ------------------------------------------------------------------------------------ */

static void take_member(void *context, const rnn_json_member *member)
{
    rnn_metrics_line *line = context;

    if (strcmp(member->name, "event") == 0)
        snprintf(line->event, sizeof line->event, "%.*s", RNN_EVENT_SIZE - 1, member->text);
    else if (strcmp(member->name, "digest") == 0)
        snprintf(line->digest, sizeof line->digest, "%.*s", RNN_DIGEST_SIZE - 1, member->text);
    else if (strcmp(member->name, "epoch") == 0)
        line->epoch = member->number;
    else if (strcmp(member->name, "step") == 0)
        line->step = member->number;
    for (size_t i = 0; i < RNN_N_FIELDS; i++)
        if (strcmp(member->name, field_names[i]) == 0 && isfinite(member->number))
            line->values[i] = member->number;
}

static bool is_count(double number)
{
    return number >= 0 && number < 9e15 && number == floor(number);
}

rnn_status rnn_metrics_line_parse(rnn_metrics_line *out, const char *line, size_t n_bytes)
{
    *out = (rnn_metrics_line){.epoch = (double)NAN, .step = (double)NAN};
    for (size_t i = 0; i < RNN_N_FIELDS; i++)
        out->values[i] = (double)NAN;
    RNN_TRY(rnn_json_line_parse(line, n_bytes, take_member, out));
    if (out->event[0] == '\0')
        return RNN_FAIL(RNN_ERR_DATA, "expected an object with an \"event\", found none");
    if (strcmp(out->event, "epoch") == 0 &&
        (!is_count(out->epoch) || out->epoch < 1 || !is_count(out->step)))
        return RNN_FAIL(
            RNN_ERR_DATA,
            "expected the event \"epoch\" to have whole numbers \"epoch\" and \"step\"");
    return RNN_OK;
}

/* -- The file ---------------------------------------------------------------------------------- */

/* Epochs from this one on will be, or have been, done again. */
static void forget_from(rnn_metrics_log *log, double epoch)
{
    while (log->n_epochs > 0 && log->epochs[log->n_epochs - 1].epoch >= epoch)
        log->n_epochs--;
    log->has_test = false;
}

static rnn_status add_line(rnn_metrics_log *log, const rnn_metrics_line *line)
{
    log->last = *line;
    log->n_lines++;
    if (strcmp(line->event, "epoch") == 0) {
        forget_from(log, line->epoch);
        RNN_TRY(RNN_GROW(&log->epochs, &log->room, log->n_epochs, log->n_epochs + 1, "epochs"));
        log->epochs[log->n_epochs++] = *line;
    } else if (strcmp(line->event, "resume") == 0 && is_count(line->epoch)) {
        forget_from(log, line->epoch + 1);
        log->n_resumed++;
    } else if (strcmp(line->event, "skipped") == 0) {
        log->n_skipped++;
    } else if (strcmp(line->event, "test") == 0) {
        log->test = *line;
        log->has_test = true;
    }
    return RNN_OK;
}

static void note_bad(rnn_metrics_log *log)
{
    if (log->n_bad++ == 0)
        snprintf(log->first_bad, sizeof log->first_bad, "line %zu: %.170s",
                 log->n_lines + log->n_bad, rnn_error_message());
}

static rnn_status take_line(rnn_metrics_log *log, const char *text, size_t n_bytes)
{
    static const char begin[] = "{\"event\"";
    rnn_metrics_line line;
    const char *again;
    rnn_status st = rnn_metrics_line_parse(&line, text, n_bytes);

    if (st != RNN_OK)
        note_bad(log);
    while (st != RNN_OK && n_bytes > 0 &&
           (again = memmem(text + 1, n_bytes - 1, begin, sizeof begin - 1)) != NULL) {
        n_bytes -= (size_t)(again - text);
        text = again;
        st = rnn_metrics_line_parse(&line, text, n_bytes);
    }
    return st == RNN_OK ? add_line(log, &line) : RNN_OK;
}

rnn_status rnn_metrics_log_add(rnn_metrics_log *log, const char *text, size_t n_bytes,
                               size_t *n_taken)
{
    const char *end;

    *n_taken = 0;
    while ((end = memchr(text + *n_taken, '\n', n_bytes - *n_taken)) != NULL) {
        const char *begin = text + *n_taken;

        RNN_TRY(take_line(log, begin, (size_t)(end - begin)));
        *n_taken += (size_t)(end - begin) + 1;
    }
    return RNN_OK;
}

rnn_status rnn_metrics_log_read(rnn_metrics_log *log, const char *path)
{
    void *bytes;
    size_t n_bytes, n_taken;
    rnn_status st;

    *log = (rnn_metrics_log){0};
    RNN_TRY(rnn_file_read(path, MAX_FILE, &bytes, &n_bytes));
    st = rnn_metrics_log_add(log, bytes, n_bytes, &n_taken);
    rnn_free(bytes);
    return st;
}

void rnn_metrics_log_free(rnn_metrics_log *log)
{
    rnn_free(log->epochs);
    *log = (rnn_metrics_log){0};
}

bool rnn_metrics_log_has(const rnn_metrics_log *log, rnn_field field)
{
    for (size_t i = 0; i < log->n_epochs; i++)
        if (!isnan(log->epochs[i].values[field]))
            return true;
    return false;
}

const rnn_metrics_line *rnn_metrics_log_best(const rnn_metrics_log *log, rnn_field field)
{
    double sign = rnn_field_rises(field) ? 1.0 : -1.0;
    const rnn_metrics_line *best = NULL;

    for (size_t i = 0; i < log->n_epochs; i++) {
        double value = log->epochs[i].values[field];

        if (!isnan(value) && (best == NULL || sign * value > sign * best->values[field]))
            best = &log->epochs[i];
    }
    return best;
}

static rnn_status split_path(const char *run, char **folder, char **file)
{
    const char *slash = strrchr(run, '/');

    RNN_TRY(rnn_string_copy(file, run));
    if (slash == NULL)
        return rnn_string_copy(folder, ".");
    return rnn_path_print(folder, "%.*s", slash == run ? 1 : (int)(slash - run), run);
}

/* The folder of a sweep has its runs below it, and is no run. */
static rnn_status refuse_sweep(const char *folder, const char *file)
{
    char *table;
    bool is_sweep;

    RNN_TRY(rnn_path_print(&table, "%s/sweep.jsonl", folder));
    is_sweep = access(file, F_OK) != 0 && access(table, F_OK) == 0;
    rnn_free(table);
    if (is_sweep)
        return RNN_FAIL(RNN_ERR_NOINPUT, "'%s' is a sweep: expected a run of it, such as %s/*/",
                        folder, folder);
    return RNN_OK;
}

rnn_status rnn_metrics_find(const char *run, char **folder, char **file)
{
    struct stat info;
    rnn_status st;

    *folder = *file = NULL;
    if (stat(run, &info) != 0)
        return RNN_FAIL(RNN_ERR_NOINPUT,
                        "no run '%s': expected a run's folder, such as runs/mnist, or its "
                        "metrics.jsonl: %s",
                        run, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        size_t length = strlen(run);

        while (length > 1 && run[length - 1] == '/') /* as completion of a shell leaves it */
            length--;
        st = rnn_path_print(folder, "%.*s", (int)length, run);
        if (st == RNN_OK)
            st = rnn_path_print(file, "%s/metrics.jsonl", *folder);
        if (st == RNN_OK)
            st = refuse_sweep(*folder, *file);
    } else {
        st = split_path(run, folder, file);
    }
    if (st != RNN_OK) {
        rnn_free(*folder);
        rnn_free(*file);
        *folder = *file = NULL;
    }
    return st;
}
