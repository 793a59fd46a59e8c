/* What a person sees of a run. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "framework/report_parts.h"
#include "kernels/clock.h"
#include "kernels/hdf5_library.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"

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

rnn_status rnn_report_create(rnn_report **out, const rnn_run *run)
{
    rnn_report *report;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&report, 1, "the report"));
    report->run = run;
    report->prints = rnn_comm_rank(run->comm) == 0;
    report->style = (rnn_progress_style)run->config->log.progress;
    if (run->config->log.progress == 0)
        report->style = is_terminal() ? RNN_PROGRESS_BAR : RNN_PROGRESS_LINES;
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
    rnn_report_close_files(*report);
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

/* By its own name or, if it has none, by that of the file with the training samples. */
static const char *name_dataset(const rnn_report *report)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(report->run->dataset);
    const char *file = report->run->config->dataset.train_file;

    return strcmp(info->name, "unknown") == 0 && file != NULL && file[0] != '\0' ? file
                                                                                 : info->name;
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
    rnn_report_line(report, "data", "%s%s%s: %zu train, %s%zu test; %s", name_dataset(report),
                    has_folder ? " in " : "", info->folder, info->n_samples[RNN_SPLIT_TRAIN], valid,
                    info->n_samples[RNN_SPLIT_TEST], samples);
    if (info->is_ragged && info->n_streams == 0)
        print_padding(report);
    if (!info->is_expected)
        rnn_report_line(report, "NOTE",
                        "this is not %s but %s: results are not comparable with %s's%s", expected,
                        name_dataset(report), expected,
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
                    rnn_kernel_library(), rnn_kernel_isa(), rnn_hdf5_version(),
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

    rnn_report_write_place(report, place);
    if (!report->prints || report->style == RNN_PROGRESS_NONE)
        return;
    now = rnn_clock_seconds();
    interval = report->style == RNN_PROGRESS_BAR ? 0.1 : report->run->config->log.interval;
    if (now - report->last_progress < interval)
        return;
    report->last_progress = now;
    if (report->style == RNN_PROGRESS_BAR)
        draw_bar(report, place);
    else
        print_progress(report, place);
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

void rnn_report_scores(rnn_report *report, const char *split, const rnn_scores *scores)
{
    char text[256] = "";
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
    rnn_report_write_scores(report, split, scores);
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
    rnn_report_write_epoch(report, s);
}
