#include "framework/top_screen.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framework/chart_text.h"
#include "framework/file_io.h"
#include "framework/plot_text.h"
#include "kernels/memory.h"

enum { BAR_WIDTH = 30, MIN_CHART = 5, MAX_CHART = 16, CHART_EXTRA = 4, N_LINES = 11 };

static const rnn_metrics_line *last_epoch(const rnn_top_view *view)
{
    const rnn_metrics_log *log = &view->run.log;

    return log->n_epochs > 0 ? &log->epochs[log->n_epochs - 1] : NULL;
}

/* -- Time -------------------------------------------------------------------------------------- */

/* Of an epoch with its evaluation, as the last one took; else as the batches so far promise. */
static double epoch_seconds(const rnn_top_view *view)
{
    const rnn_metrics_line *last = last_epoch(view);
    const rnn_progress_now *now = &view->now;

    if (last != NULL && last->values[RNN_FIELD_SECONDS] > 0)
        return last->values[RNN_FIELD_SECONDS];
    return now->batch > 0 ? now->epoch_seconds * (double)now->n_batches / (double)now->batch
                          : (double)NAN;
}

double rnn_top_seconds_left(const rnn_top_view *view)
{
    const rnn_progress_now *now = &view->now;
    const rnn_metrics_line *last = last_epoch(view);
    double per_epoch = epoch_seconds(view), epochs_left, steps_left;

    if (!view->has_now || now->total_steps == 0 || now->n_batches == 0 || now->step == 0)
        return (double)NAN;
    steps_left = fmax(0.0, (double)now->total_steps - (double)now->step);
    if (now->epoch > 0 && last != NULL && last->step > 0) /* steps may be of several batches */
        epochs_left = steps_left / (last->step / last->epoch);
    else
        epochs_left =
            steps_left * (double)now->batch / ((double)now->step * (double)now->n_batches);
    return epochs_left * per_epoch;
}

/* -- Lines ------------------------------------------------------------------------------------- */

static const char *state_of(const rnn_top_view *view)
{
    if (!view->has_now)
        return "no " RNN_PROGRESS_FILE " that can be read, so only its epochs are known";
    if (view->now.state == RNN_RUN_TRAINS && view->life == RNN_LIFE_ENDED)
        return "ended without a word: killed?";
    return rnn_run_state_name(view->now.state);
}

static void print_state(const rnn_top_view *view, FILE *out)
{
    const rnn_progress_now *now = &view->now;
    char duration[RNN_DURATION_SIZE], host[sizeof now->host];

    fprintf(out, "%-10s %s: %s", "run", view->run.name, state_of(view));
    if (view->has_now && now->state == RNN_RUN_TRAINS && view->life != RNN_LIFE_ENDED) {
        rnn_text_make_printable(host, sizeof host, now->host);
        fprintf(out, " on %s (process %" PRId64 ") for %s", host, now->pid,
                rnn_duration_print(duration, (double)(view->time - now->started)));
    }
    fputc('\n', out);
}

static void print_bar(const rnn_progress_now *now, FILE *out)
{
    size_t full = now->total_steps > 0
                      ? (size_t)((double)BAR_WIDTH * (double)now->step / (double)now->total_steps)
                      : 0;
    char bar[BAR_WIDTH + 1];

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '=', full < BAR_WIDTH ? full : BAR_WIDTH);
    bar[BAR_WIDTH] = '\0';
    fprintf(out, "%-10s %" PRIu64 " of %" PRIu64 " [%s]", "step", now->step, now->total_steps, bar);
    if (now->total_steps > 0)
        fprintf(out, " %.1f %%", 100.0 * (double)now->step / (double)now->total_steps);
}

static void print_progress(const rnn_top_view *view, FILE *out)
{
    const rnn_progress_now *now = &view->now;
    char duration[RNN_DURATION_SIZE];
    double left = rnn_top_seconds_left(view);
    bool is_within = now->batch > 0 && now->batch < now->n_batches;

    fprintf(out, "%-10s %" PRIu64, "epoch", now->epoch + is_within);
    if (now->n_epochs > 0)
        fprintf(out, " of %" PRIu64, now->n_epochs);
    if (is_within)
        fprintf(out, ", batch %" PRIu64 " of %" PRIu64, now->batch, now->n_batches);
    fputc('\n', out);
    print_bar(now, out);
    if (now->state == RNN_RUN_TRAINS && view->life != RNN_LIFE_ENDED && !isnan(left))
        fprintf(out, ", about %s left", rnn_duration_print(duration, left));
    fputc('\n', out);
}

/* Each value of a metric that the last epoch has, with the best one beside it. */
static void print_metric(const rnn_top_view *view, rnn_metric metric, FILE *out)
{
    static const rnn_field splits[] = {RNN_FIELD_TRAIN, RNN_FIELD_VALID, RNN_FIELD_TEST};
    const rnn_metrics_line *last = last_epoch(view);
    const char *separator = "";

    fprintf(out, "%-10s ", rnn_metric_name(metric));
    for (rnn_plot_kind kind = RNN_PLOT_TRAIN; kind <= RNN_PLOT_TEST; kind++) {
        rnn_field field = (rnn_field)((int)splits[kind] + (int)metric);
        const rnn_metrics_line *best = rnn_metrics_log_best(&view->run.log, field);

        if (best == NULL)
            continue;
        fprintf(out, "%s%s %.5g", separator, rnn_plot_kind_name(kind), last->values[field]);
        separator = ", ";
        if (kind != RNN_PLOT_TRAIN)
            fprintf(out, " (best %.5g in epoch %.0f)", best->values[field], best->epoch);
    }
    fputc('\n', out);
}

static bool has_metric(const rnn_top_view *view, rnn_metric metric)
{
    return rnn_metrics_log_has(&view->run.log, (rnn_field)(RNN_FIELD_TRAIN + (int)metric)) ||
           rnn_metrics_log_has(&view->run.log, (rnn_field)(RNN_FIELD_VALID + (int)metric)) ||
           rnn_metrics_log_has(&view->run.log, (rnn_field)(RNN_FIELD_TEST + (int)metric));
}

/* What goes on in the running epoch. */
static void print_running(const rnn_top_view *view, FILE *out)
{
    const rnn_progress_now *now = &view->now;

    fprintf(out, "%-10s loss %.5g", "this epoch", now->train_loss);
    if (!isnan(now->train_accuracy))
        fprintf(out, ", accuracy %.5g", now->train_accuracy);
    fputc('\n', out);
}

static void print_speed(const rnn_top_view *view, FILE *out)
{
    const rnn_metrics_line *last = last_epoch(view);
    double rate = last != NULL ? last->values[RNN_FIELD_RATE] : (double)NAN;
    double lr = last != NULL ? last->values[RNN_FIELD_LR] : (double)NAN;

    if (view->has_now && !isnan(view->now.samples_per_second))
        rate = view->now.samples_per_second;
    if (view->has_now && !isnan(view->now.lr))
        lr = view->now.lr;
    fprintf(out, "%-10s ", "speed");
    if (!isnan(rate))
        fprintf(out, "%.0f samples/s", rate);
    if (!isnan(lr))
        fprintf(out, "%slearning rate %.4g", isnan(rate) ? "" : ", ", lr);
    fputc('\n', out);
}

static void print_checkpoint(const rnn_top_view *view, FILE *out)
{
    char *path, target[64], name[64], duration[RNN_DURATION_SIZE];
    struct stat info;
    ssize_t length;

    fprintf(out, "%-10s ", "checkpoint");
    if (rnn_path_print(&path, "%s/latest.h5", view->run.folder) != RNN_OK)
        return;
    length = readlink(path, target, sizeof target - 1);
    if (length > 0 && stat(path, &info) == 0) {
        target[length] = '\0';
        rnn_text_make_printable(name, sizeof name, target);
        fprintf(out, "%s, %s ago", name,
                rnn_duration_print(duration, fmax(0.0, (double)(view->time - info.st_mtime))));
    } else {
        fputs("none yet", out);
    }
    rnn_free(path);
    fputc('\n', out);
}

static void print_time(const rnn_top_view *view, FILE *out)
{
    size_t n = view->run.log.n_epochs;
    rnn_time_split split;
    double total = 0.0;
    const char *separator = "";

    if (n == 0 || !rnn_plot_time(&view->run, n - 1, n, &split))
        return;
    for (int part = 0; part < RNN_TIME_N_PARTS; part++)
        total += split.seconds[part];
    fprintf(out, "%-10s ", "time");
    for (rnn_time_part part = 0; part < RNN_TIME_N_PARTS; part++) {
        double share = 100.0 * split.seconds[part] / total;

        if (share < 0.5)
            continue;
        fprintf(out, "%s%s %.0f%%", separator, rnn_time_part_name(part), share);
        separator = ", ";
    }
    fputc('\n', out);
}

/* -- The screen -------------------------------------------------------------------------------- */

static rnn_status print_chart(const rnn_top_view *view, size_t width, size_t height, FILE *out)
{
    rnn_plot_run run = view->run;
    rnn_plot plot;
    rnn_status st;

    if (run.log.n_epochs < 2 || rnn_plot_create(&plot, &run, 1) != RNN_OK)
        return RNN_OK; /* nothing that is finite to draw */
    st = RNN_OK;
    if (plot.n_panels > 0) {
        fputc('\n', out);
        st = rnn_chart_print(&plot, &plot.panels[0], width, height, out);
    }
    rnn_plot_free(&plot);
    return st;
}

static void print_facts(const rnn_top_view *view, FILE *out)
{
    static const rnn_metric shown[] = {RNN_METRIC_LOSS, RNN_METRIC_ACCURACY, RNN_METRIC_PERPLEXITY,
                                       RNN_METRIC_RMSE};
    bool is_within = view->now.batch > 0 && view->now.batch < view->now.n_batches;

    print_state(view, out);
    if (view->has_now && view->now.message[0] != '\0') {
        char message[sizeof view->now.message];

        rnn_text_make_printable(message, sizeof message, view->now.message);
        fprintf(out, "%-10s %s\n", "", message);
    }
    if (view->has_now)
        print_progress(view, out);
    if (view->has_now && is_within)
        print_running(view, out);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (has_metric(view, shown[i]))
            print_metric(view, shown[i], out);
    if (view->run.log.n_bad > 0)
        fprintf(out, "%-10s %zu of %zu lines of metrics.jsonl left out; %s\n", "NOTE",
                view->run.log.n_bad, view->run.log.n_lines + view->run.log.n_bad,
                view->run.log.first_bad);
    print_speed(view, out);
    print_checkpoint(view, out);
    print_time(view, out);
}

rnn_status rnn_top_print(const rnn_top_view *view, size_t width, size_t height, FILE *out)
{
    size_t room;

    print_facts(view, out);
    room = height > N_LINES + CHART_EXTRA ? height - N_LINES - CHART_EXTRA : 0;
    if (room < MIN_CHART)
        return RNN_OK;
    return print_chart(view, width, room < MAX_CHART ? room : MAX_CHART, out);
}

void rnn_top_print_line(const rnn_metrics_line *line, FILE *out)
{
    char event[sizeof line->event];

    rnn_text_make_printable(event, sizeof event, line->event);
    fprintf(out, "%-8s", event);
    if (!isnan(line->epoch))
        fprintf(out, " epoch %.0f", line->epoch);
    if (!isnan(line->step))
        fprintf(out, " step %.0f", line->step);
    for (int field = 0; field < RNN_FIELD_DATA_WAIT; field++)
        if (!isnan(line->values[field]))
            fprintf(out, " %s %.5g", rnn_field_name((rnn_field)field), line->values[field]);
    fputc('\n', out);
}

void rnn_top_print_end(const rnn_top_view *view, FILE *out)
{
    char message[sizeof view->now.message];

    rnn_text_make_printable(message, sizeof message, view->now.message);
    fprintf(out, "%s%s%s\n", state_of(view), message[0] != '\0' ? ": " : "", message);
}
