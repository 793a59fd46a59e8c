#include "framework/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/event_file.h"
#include "framework/file_io.h"
#include "framework/line_file.h"
#include "framework/progress_file.h"
#include "kernels/clock.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"

typedef enum progress_style { PROGRESS_BAR = 1, PROGRESS_LINES, PROGRESS_NONE } progress_style;

struct rnn_report {
    const rnn_run *run;
    bool prints;
    progress_style style;
    bool bar_shown, header_shown, wait_shown;
    double last_progress; /* monotonic seconds */
    rnn_line_file *jsonl;
    bool jsonl_failed;                /* and that was told */
    rnn_progress_file *progress_file; /* NULL also after it could not be written */
    rnn_progress_now now;
    double last_written; /* monotonic seconds */
    rnn_event_file *events;
    bool events_failed;
    uint64_t last_step; /* of an epoch that was reported, or where the run goes on */
};

/* -- Where the output goes ------------------------------------------------------------------- */

/*
 * mpirun gives its ranks a terminal even when its own output is a file, so under a launcher the
 * parent's standard output is what counts.
 */
static bool is_terminal(void)
{
    char path[64], target[256];
    ssize_t length;

    if (!isatty(STDOUT_FILENO))
        return false;
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL && getenv("PMIX_RANK") == NULL &&
        getenv("PMI_RANK") == NULL)
        return true;
    snprintf(path, sizeof path, "/proc/%ld/fd/1", (long)getppid());
    length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

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

static void note_place(rnn_report *report, const rnn_report_place *place)
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

rnn_status rnn_report_create(rnn_report **out, const rnn_run *run)
{
    rnn_report *report;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&report, 1, "the report"));
    report->run = run;
    report->prints = rnn_comm_rank(run->comm) == 0;
    report->style = (progress_style)run->config->log.progress;
    if (run->config->log.progress == 0)
        report->style = is_terminal() ? PROGRESS_BAR : PROGRESS_LINES;
    report->last_progress = rnn_clock_seconds();
    *out = report;
    return RNN_OK;
}

void rnn_report_destroy(rnn_report **report)
{
    if (*report == NULL)
        return;
    if ((*report)->bar_shown)
        printf("\n");
    rnn_line_file_close(&(*report)->jsonl);
    rnn_progress_close(&(*report)->progress_file);
    rnn_event_file_close(&(*report)->events);
    rnn_free(*report);
    *report = NULL;
}

/* -- Banner ---------------------------------------------------------------------------------- */

void rnn_report_line(rnn_report *report, const char *name, const char *format, ...)
{
    va_list args;

    if (!report->prints)
        return;
    if (report->bar_shown)
        printf("\r\033[K");
    report->bar_shown = false;
    printf("%-10s ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    (void)fflush(stdout);
}

/* "28 steps x 28 features", "7 to 29 steps x 12 features", "5 steps of 4 tokens" */
static void describe_samples(const rnn_dataset_info *info, char *out, size_t size)
{
    char steps[64];

    if (info->is_ragged)
        snprintf(steps, sizeof steps, "%zu to %zu steps", info->min_len, info->seq_len);
    else
        snprintf(steps, sizeof steps, "%zu steps", info->seq_len);
    if (info->n_tokens > 0)
        snprintf(out, size, "%s of %zu tokens", steps, info->n_tokens);
    else
        snprintf(out, size, "%s x %zu features", steps, info->n_features);
}

static void print_padding(rnn_report *report)
{
    double share, ungrouped;

    rnn_loader_padding(report->run->loader[RNN_SPLIT_TRAIN], &share, &ungrouped);
    rnn_report_line(report, "padding",
                    "%.1f %% of the steps computed in epoch 1 (%.1f %% without grouping by length)",
                    100 * share, 100 * ungrouped);
}

static void print_dataset(rnn_report *report)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(report->run->dataset);
    const char *expected = report->run->config->dataset.name;
    bool has_folder = info->folder[0] != '\0';
    char samples[128], valid[48] = "";

    describe_samples(info, samples, sizeof samples);
    if (info->n_samples[RNN_SPLIT_VALID] > 0)
        snprintf(valid, sizeof valid, "%zu valid, ", info->n_samples[RNN_SPLIT_VALID]);
    rnn_report_line(report, "data", "%s%s%s: %zu train, %s%zu test; %s", info->name,
                    has_folder ? " in " : "", info->folder, info->n_samples[RNN_SPLIT_TRAIN], valid,
                    info->n_samples[RNN_SPLIT_TEST], samples);
    if (info->is_ragged && info->n_streams == 0)
        print_padding(report);
    if (!info->is_expected)
        rnn_report_line(report, "NOTE",
                        "this is not %s but %s: results are not comparable with %s's%s", expected,
                        info->name, expected,
                        strcmp(expected, "MNIST") == 0
                            ? " (launch/fetch mnist downloads MNIST to where it is looked for)"
                            : "");
}

static void print_model(rnn_report *report)
{
    const rnn_model *model = report->run->model;
    const char *group = "";

    for (size_t i = 0; i < rnn_model_n_params(model); i++) {
        const rnn_param *p = rnn_model_param(model, i);
        char shape[64];

        if (p->n_dims == 2)
            snprintf(shape, sizeof shape, "%zu x %zu", p->shape[0], p->shape[1]);
        else
            snprintf(shape, sizeof shape, "%zu", p->shape[0]);
        rnn_report_line(report, i == 0 ? "model" : "", "%-12s %-22s %-12s %10zu",
                        strcmp(group, p->group) != 0 ? p->group : "", p->name, shape, p->count);
        group = p->group;
    }
    rnn_report_line(report, "", "%-12s %-22s %-12s %10zu", "total", "", "parameters",
                    rnn_model_size(model));
}

static void print_parallel(rnn_report *report)
{
    const rnn_run *run = report->run;
    const rnn_affinity *a = &run->affinity;
    int size = rnn_comm_size(run->comm);

    rnn_report_line(
        report, "parallel",
        "%d rank%s x %d thread%s on %d node%s; batch %lld in %zu shard%s of %zu; %s sums", size,
        size == 1 ? "" : "s", a->threads, a->threads == 1 ? "" : "s", rnn_comm_n_nodes(run->comm),
        rnn_comm_n_nodes(run->comm) == 1 ? "" : "s", (long long)run->config->train.batch_size,
        run->n_shards, run->n_shards == 1 ? "" : "s", run->rows,
        run->config->parallel.reduction == RNN_REDUCTION_REPRODUCIBLE ? "reproducible"
                                                                      : "allreduce");
    if (a->rebound)
        rnn_report_line(report, "",
                        "mpirun had bound each rank to fewer cores than it has "
                        "threads; moved to %d cores",
                        a->allowed_cores);
    else if (a->was_bound && a->threads > a->allowed_cores)
        rnn_report_line(report, "NOTE",
                        "%d threads share the %d cores this rank is bound to (--bind-to none "
                        "frees them)",
                        a->threads, a->allowed_cores);
    if (a->oversubscribed)
        rnn_report_line(report, "NOTE",
                        "ranks x threads on this node exceed its %d cores: correct, but slower "
                        "than one thread per core",
                        a->node_cores);
    if (run->n_own_shards < (size_t)a->threads)
        rnn_report_line(report, "NOTE",
                        "a rank has %zu shard%s for %d threads: some threads have nothing to do "
                        "(parallel.shards, train.batch_size)",
                        run->n_own_shards, run->n_own_shards == 1 ? "" : "s", a->threads);
}

/* torch warns of the same. */
static void print_idle_dropout(rnn_report *report)
{
    for (size_t i = 0; i < rnn_model_n_layers(report->run->model); i++) {
        const rnn_layer_cfg *cfg = rnn_model_layer(report->run->model, i);

        if (cfg->dropout > 0.0 && cfg->num_layers == 1)
            rnn_report_line(report, "NOTE",
                            "layer %zu (%s): dropout = %g has no effect: it is between layers, and "
                            "num_layers is 1",
                            i, rnn_layer_type_name(cfg->type), cfg->dropout);
    }
}

void rnn_report_banner(rnn_report *report)
{
    const rnn_run *run = report->run;
    const rnn_config *c = run->config;
    char clip[64] = "";

    if (!report->prints)
        return;
    rnn_report_line(report, "rnntrain", "%s; %s (%s), %s, MPI: %s", RNN_VERSION,
                    rnn_kernel_library(), rnn_kernel_isa(), rnn_checkpoint_library(),
                    rnn_comm_library(run->comm));
    rnn_report_line(report, "run", "%s, seed %lld, into %s", c->run.name, (long long)c->run.seed,
                    c->run.output_dir);
    print_parallel(report);
    if (run->odd_kernels < rnn_comm_size(run->comm))
        rnn_report_line(report, "WARNING",
                        "rank %d has another instruction set or version of oneDNN than most: the "
                        "same bits cannot be promised on other ranks",
                        run->odd_kernels);
    print_dataset(report);
    print_model(report);
    print_idle_dropout(report);
    if (c->optimizer.clip_norm > 0)
        snprintf(clip, sizeof clip, ", gradient norm clipped to %g", c->optimizer.clip_norm);
    rnn_report_line(report, "optimizer", "%s, lr %g%s",
                    rnn_optimizer_type_name((rnn_optimizer_type)c->optimizer.type), c->optimizer.lr,
                    clip);
}

/* -- While it runs --------------------------------------------------------------------------- */

static void draw_bar(rnn_report *report, const rnn_report_place *p)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    size_t full = (size_t)(p->batch * WIDTH / p->n_batches);
    double rate = p->samples_per_second;
    double left = rate > 0 ? (double)(p->n_batches - p->batch) *
                                 (double)report->run->config->train.batch_size / rate
                           : 0.0;

    memset(bar, '.', WIDTH);
    memset(bar, '=', full);
    bar[WIDTH] = '\0';
    printf("\r\033[Kepoch %" PRIu64 " [%s] %" PRIu64 "/%" PRIu64 "  loss %.4f", p->epoch, bar,
           p->batch, p->n_batches, p->loss);
    if (!isnan(p->accuracy))
        printf("  accuracy %.4f", p->accuracy);
    printf("  %.0f samples/s  %.0f s left", rate, left);
    (void)fflush(stdout);
    report->bar_shown = true;
}

static void print_progress(rnn_report *report, const rnn_report_place *p)
{
    char accuracy[48] = "";

    if (!isnan(p->accuracy))
        snprintf(accuracy, sizeof accuracy, ", accuracy %.4f", p->accuracy);
    rnn_report_line(report, "",
                    "epoch %" PRIu64 ", batch %" PRIu64 " of %" PRIu64
                    ": loss %.4f%s, %.0f samples/s",
                    p->epoch, p->batch, p->n_batches, p->loss, accuracy, p->samples_per_second);
}

void rnn_report_progress(rnn_report *report, const rnn_report_place *place)
{
    double now, interval;

    note_place(report, place);
    if (!report->prints || report->style == PROGRESS_NONE)
        return;
    now = rnn_clock_seconds();
    interval = report->style == PROGRESS_BAR ? 0.1 : report->run->config->log.interval;
    if (now - report->last_progress < interval)
        return;
    report->last_progress = now;
    if (report->style == PROGRESS_BAR)
        draw_bar(report, place);
    else
        print_progress(report, place);
}

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

static void write_epoch(rnn_report *report, const rnn_epoch_summary *s)
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

/* -- The table ------------------------------------------------------------------------------- */

/* A column of numbers between the epoch and the rate; its title begins with the split if it is of
 * one that was evaluated. */
typedef struct column {
    const char *title;
    bool is_of_split;
    double value;
} column;

enum { N_COLUMNS = 4, WIDTH_OF_COLUMN = 11 };

static void fill_columns(const rnn_report *report, const rnn_epoch_summary *s,
                         column columns[N_COLUMNS])
{
    const rnn_scores *scores = &s->scores;
    bool characters = rnn_dataset_get_info(report->run->dataset)->unit == RNN_UNIT_CHARACTERS;

    columns[0] = (column){"train loss", false, s->train_loss};
    columns[1] = (column){"loss", true, scores->loss};
    columns[2] = columns[1];
    switch (report->run->task) {
    case RNN_TASK_CLASSES:
    case RNN_TASK_MARKS:
        columns[1] = (column){"accuracy", false, s->train_accuracy};
        columns[3] = (column){"accuracy", false, scores->accuracy};
        break;
    case RNN_TASK_LANGUAGE:
        columns[2] = (column){"perplexity", false, scores->perplexity};
        columns[3] = characters ? (column){"bits/char", false, scores->bits}
                                : (column){"accuracy", false, scores->accuracy};
        break;
    case RNN_TASK_VALUES:
        columns[2] = (column){"RMSE", false, scores->rmse};
        columns[3] = (column){"MAE", false, scores->mae};
        break;
    }
}

/* Four decimals, and more for numbers so small that these would tell little; "-" for none. */
static const char *cell(char *text, size_t size, double value)
{
    if (isnan(value))
        snprintf(text, size, "-");
    else if (fabs(value) >= 0.01 || value == 0.0)
        snprintf(text, size, "%.4f", value);
    else
        snprintf(text, size, "%.3g", value);
    return text;
}

static void print_header(rnn_report *report, const column columns[N_COLUMNS])
{
    char line[128] = "", title[32];

    for (size_t i = 0; i < N_COLUMNS; i++) {
        size_t used = strlen(line);

        snprintf(title, sizeof title, "%s%s%s",
                 columns[i].is_of_split ? rnn_split_name(report->run->monitor) : "",
                 columns[i].is_of_split ? " " : "", columns[i].title);
        snprintf(line + used, sizeof line - used, " %*s", WIDTH_OF_COLUMN - 1, title);
    }
    rnn_report_line(report, "epoch", "%s %10s %8s  %s", line + 1, "samples/s", "seconds", "digest");
}

static void print_row(rnn_report *report, const rnn_epoch_summary *s)
{
    char epoch[24], line[128] = "", number[32];
    column columns[N_COLUMNS];

    fill_columns(report, s, columns);
    if (!report->header_shown)
        print_header(report, columns);
    report->header_shown = true;
    for (size_t i = 0; i < N_COLUMNS; i++) {
        size_t used = strlen(line);

        snprintf(line + used, sizeof line - used, " %*s", WIDTH_OF_COLUMN - 1,
                 cell(number, sizeof number, columns[i].value));
    }
    snprintf(epoch, sizeof epoch, "%" PRIu64, s->epoch);
    rnn_report_line(report, epoch, "%s %10.0f %8.1f  %016" PRIx64, line + 1, s->samples_per_second,
                    s->seconds, s->digest);
    if (s->data_wait > 0.05 && s->seconds > 1.0 && !report->wait_shown) {
        report->wait_shown = true; /* once is enough; metrics.jsonl has it of every epoch */
        rnn_report_line(report, "NOTE", "%.0f %% of this epoch's time went into waiting for data",
                        100 * s->data_wait);
    }
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

void rnn_report_scores(rnn_report *report, const char *split, const rnn_scores *scores)
{
    char text[256] = "";
    scalars s = {.count = 0};
    FILE *out;

    if (!report->prints)
        return;
    out = fmemopen(text, sizeof text, "w");
    if (out != NULL) {
        rnn_scores_print(
            scores, rnn_dataset_get_info(report->run->dataset)->unit == RNN_UNIT_CHARACTERS, out);
        (void)fclose(out); /* memory */
    }
    rnn_report_line(report, split, "%s", text);
    add_scores(&s, split, scores);
    write_event(report, &s);
    out = begin_line(report);
    if (out == NULL)
        return;
    fprintf(out, "{\"event\": \"%s\"", split);
    write_scores(out, split, scores);
    fprintf(out, "}\n");
    end_line(report);
}

void rnn_report_epoch(rnn_report *report, const rnn_epoch_summary *s)
{
    if (!report->prints)
        return;
    if (s->predicted != NULL) {
        printf("Predicted string: %s, Epoch [%" PRIu64 "/%" PRIu64 "] loss = %.3f\n", s->predicted,
               s->epoch, s->n_epochs, s->train_loss);
        (void)fflush(stdout);
    } else {
        print_row(report, s);
    }
    report->last_progress = rnn_clock_seconds();
    report->last_step = s->step;
    write_epoch(report, s);
    write_progress(report);
    write_epoch_event(report, s);
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
