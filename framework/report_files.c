/* What programs see of a run: metrics.jsonl, progress.json, TensorBoard's events. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "framework/file_io.h"
#include "framework/report_parts.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

/* -- progress.json ----------------------------------------------------------------------------- */

/* It is for those who watch: a run does not end for want of it. */
static void give_up_progress(rnn_report *report)
{
    rnn_progress_close(&report->progress_file);
    rnn_report_line(report, "WARNING", "%s; training goes on, and rnntrain top sees epochs only",
                    rnn_error_message());
}

static void write_progress(rnn_report *report)
{
    if (report->progress_file == NULL)
        return;
    report->last_written = rnn_clock_seconds();
    if (rnn_progress_write(report->progress_file, &report->now) != RNN_OK)
        give_up_progress(report);
}

static void open_progress(rnn_report *report, const rnn_progress *at)
{
    const rnn_run *run = report->run;
    const rnn_loader *loader = run->loader[RNN_SPLIT_TRAIN];
    bool is_shared;

    report->now = (rnn_progress_now){.epoch = at->epoch,
                                     .batch = at->batch_in_epoch,
                                     .step = at->step,
                                     .n_epochs = (uint64_t)run->config->run.epochs,
                                     .n_batches = rnn_loader_n_batches(loader),
                                     .total_steps = run->total_steps,
                                     .train_loss = (double)NAN,
                                     .train_accuracy = (double)NAN,
                                     .samples_per_second = (double)NAN,
                                     .epoch_seconds = (double)NAN,
                                     .lr = (double)NAN};
    if (rnn_progress_open(&report->progress_file, run->config->run.output_dir, &is_shared) !=
        RNN_OK) {
        give_up_progress(report);
        return;
    }
    if (is_shared)
        rnn_report_line(report, "WARNING",
                        "another process trains into %s at the same time, and each will take the "
                        "other's files for its own",
                        run->config->run.output_dir);
    write_progress(report);
}

void rnn_report_write_place(rnn_report *report, const rnn_report_place *place)
{
    rnn_progress_now *now = &report->now;

    now->epoch = place->epoch - (place->batch < place->n_batches);
    now->batch = place->batch;
    now->n_batches = place->n_batches;
    now->step = place->step;
    now->train_loss = place->loss;
    now->train_accuracy = place->accuracy;
    now->samples_per_second = place->samples_per_second;
    now->epoch_seconds = place->epoch_seconds;
    now->lr = place->lr;
    if (report->progress_file != NULL && rnn_clock_seconds() - report->last_written >= 1.0)
        write_progress(report);
}

void rnn_report_end(rnn_report *report, rnn_status outcome)
{
    if (report == NULL)
        return;
    report->now.state = outcome == RNN_OK        ? RNN_RUN_DONE
                        : outcome == RNN_STOPPED ? RNN_RUN_STOPPED
                                                 : RNN_RUN_FAILED;
    if (outcome != RNN_OK)
        snprintf(report->now.message, sizeof report->now.message, "%.250s", rnn_error_message());
    write_progress(report);
}

/* -- metrics.jsonl ----------------------------------------------------------------------------- */

/* JSON has no NaN and no infinity. */
static void write_number(FILE *file, const char *name, double value)
{
    if (isfinite(value))
        fprintf(file, ", \"%s\": %.9g", name, value);
    else
        fprintf(file, ", \"%s\": null", name);
}

/* The scores, as programs and as people call them. */
static const struct {
    const char *key, *name;
    size_t offset; /* in rnn_scores */
} score_names[] = {{"loss", "loss", offsetof(rnn_scores, loss)},
                   {"accuracy", "accuracy", offsetof(rnn_scores, accuracy)},
                   {"f1", "F1", offsetof(rnn_scores, f1)},
                   {"perplexity", "perplexity", offsetof(rnn_scores, perplexity)},
                   {"bits", "bits per character", offsetof(rnn_scores, bits)},
                   {"mse", "MSE", offsetof(rnn_scores, mse)},
                   {"rmse", "RMSE", offsetof(rnn_scores, rmse)},
                   {"mae", "MAE", offsetof(rnn_scores, mae)}};

enum { N_SCORES = sizeof score_names / sizeof *score_names };

static double get_score(const rnn_scores *scores, size_t i)
{
    return *(const double *)((const char *)scores + score_names[i].offset);
}

void rnn_scores_print(const rnn_scores *scores, bool has_characters, FILE *out)
{
    const char *separator = "";

    for (size_t i = 0; i < N_SCORES; i++) {
        bool is_of_characters = score_names[i].offset == offsetof(rnn_scores, bits);

        if (isnan(get_score(scores, i)) || (is_of_characters && !has_characters))
            continue;
        fprintf(out, "%s%s %.6g", separator, score_names[i].name, get_score(scores, i));
        separator = ", ";
    }
}

/* Every score that there is, under the name of its split; loss and accuracy in any case. */
static void write_scores(FILE *file, const char *split, const rnn_scores *scores)
{
    char name[64];

    for (size_t i = 0; i < N_SCORES; i++) {
        double value = get_score(scores, i);

        if (i > 1 && isnan(value))
            continue;
        snprintf(name, sizeof name, "%s_%s", split, score_names[i].key);
        write_number(file, name, value);
    }
}

/* A run does not end because a line of its log is lost; the first one is told. */
static void end_line(rnn_report *report)
{
    if (rnn_line_file_end(report->jsonl) == RNN_OK || report->jsonl_failed)
        return;
    report->jsonl_failed = true;
    rnn_report_line(report, "WARNING", "%s; training goes on", rnn_error_message());
}

/* NULL if no line is wanted, or there is no memory for one. */
static FILE *begin_line(rnn_report *report)
{
    FILE *file = report->jsonl != NULL ? rnn_line_file_begin(report->jsonl) : NULL;

    if (report->jsonl != NULL && file == NULL)
        end_line(report); /* says so */
    return file;
}

static void write_split(FILE *file, const rnn_time_split *split)
{
    char name[64];

    for (rnn_time_part part = 0; part < RNN_TIME_N_PARTS; part++) {
        snprintf(name, sizeof name, "time_%s", rnn_time_part_name(part));
        write_number(file, name, split->seconds[part]);
    }
}

static void write_epoch_line(rnn_report *report, const rnn_epoch_summary *s)
{
    FILE *file = begin_line(report);

    if (file == NULL)
        return;
    fprintf(file, "{\"event\": \"epoch\", \"epoch\": %" PRIu64 ", \"step\": %" PRIu64, s->epoch,
            s->step);
    write_number(file, "train_loss", s->train_loss);
    write_number(file, "train_accuracy", s->train_accuracy);
    write_scores(file, rnn_split_name(report->run->monitor), &s->scores);
    write_number(file, "lr", s->lr);
    write_number(file, "seconds", s->seconds);
    write_number(file, "samples_per_second", s->samples_per_second);
    write_number(file, "data_wait", s->data_wait);
    if (s->has_split)
        write_split(file, &s->split);
    fprintf(file, ", \"digest\": \"%016" PRIx64 "\"}\n", s->digest);
    end_line(report);
}

void rnn_report_event(rnn_report *report, const char *name, uint64_t epoch, uint64_t step)
{
    FILE *line = begin_line(report);

    if (line == NULL)
        return;
    fprintf(line, "{\"event\": \"%s\", \"epoch\": %" PRIu64 ", \"step\": %" PRIu64 "}\n", name,
            epoch, step);
    end_line(report);
}

/* -- TensorBoard ----------------------------------------------------------------------------- */

typedef struct scalars {
    rnn_scalar list[RNN_EVENT_MAX_SCALARS];
    size_t count;
} scalars;

/* "loss/train": TensorBoard draws those of one name before the slash side by side. */
static void add_scalar(scalars *s, const char *name, const char *split, double value)
{
    rnn_scalar *next = &s->list[s->count++];

    snprintf(next->tag, sizeof next->tag, "%s%s%s", name, split[0] != '\0' ? "/" : "", split);
    next->value = value;
}

static void add_scores(scalars *s, const char *split, const rnn_scores *scores)
{
    for (size_t i = 0; i < N_SCORES; i++)
        add_scalar(s, score_names[i].key, split, get_score(scores, i));
}

/* As a lost line of metrics.jsonl, a lost event does not end a run. */
static void write_event(rnn_report *report, const scalars *s)
{
    if (report->events == NULL ||
        rnn_event_file_write(report->events, report->last_step, s->list, s->count) == RNN_OK ||
        report->events_failed)
        return;
    report->events_failed = true;
    rnn_report_line(report, "WARNING", "%s; training goes on", rnn_error_message());
}

static void write_epoch_event(rnn_report *report, const rnn_epoch_summary *e)
{
    scalars s = {.count = 0};

    add_scalar(&s, "loss", "train", e->train_loss);
    add_scalar(&s, "accuracy", "train", e->train_accuracy);
    add_scores(&s, rnn_split_name(report->run->monitor), &e->scores);
    add_scalar(&s, "lr", "", e->lr);
    add_scalar(&s, "epoch", "", (double)e->epoch);
    add_scalar(&s, "time", "seconds", e->seconds);
    add_scalar(&s, "time", "samples_per_second", e->samples_per_second);
    add_scalar(&s, "time", "data_wait", e->data_wait);
    write_event(report, &s);
}

/* -- All of them ------------------------------------------------------------------------------- */

void rnn_report_write_epoch(rnn_report *report, const rnn_epoch_summary *summary)
{
    report->last_step = summary->step;
    write_epoch_line(report, summary);
    write_progress(report);
    write_epoch_event(report, summary);
}

void rnn_report_write_scores(rnn_report *report, const char *split, const rnn_scores *scores)
{
    scalars s = {.count = 0};
    FILE *line;

    add_scores(&s, split, scores);
    write_event(report, &s);
    line = begin_line(report);
    if (line == NULL)
        return;
    fprintf(line, "{\"event\": \"%s\"", split);
    write_scores(line, split, scores);
    fprintf(line, "}\n");
    end_line(report);
}

static rnn_status open_lines(rnn_report *report)
{
    rnn_status st;
    char *path;

    RNN_TRY(rnn_path_print(&path, "%s/metrics.jsonl", report->run->config->run.output_dir));
    st = rnn_line_file_open(&report->jsonl, path);
    rnn_free(path);
    return st;
}

rnn_status rnn_report_open_metrics(rnn_report *report, const rnn_progress *at)
{
    const rnn_config *c = report->run->config;

    report->last_step = at->step;
    if (report->prints && c->log.jsonl) {
        RNN_TRY(open_lines(report));
        open_progress(report, at);
    }
    if (report->prints && c->log.tensorboard)
        RNN_TRY(rnn_event_file_create(&report->events, c->run.output_dir, at->step));
    return RNN_OK;
}

void rnn_report_close_files(rnn_report *report)
{
    rnn_line_file_close(&report->jsonl);
    rnn_progress_close(&report->progress_file);
    rnn_event_file_close(&report->events);
}
