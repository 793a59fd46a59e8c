/* What a sweep prints and writes. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "framework/file_io.h"
#include "framework/json_line.h"
#include "framework/sweep_parts.h"
#include "kernels/memory.h"

const char *rnn_sweep_state_name(rnn_sweep_state state)
{
    static const char *const names[] = {[RNN_SWEEP_WAITING] = "waiting",
                                        [RNN_SWEEP_RUNNING] = "running",
                                        [RNN_SWEEP_FINISHED] = "finished",
                                        [RNN_SWEEP_STOPPED] = "stopped",
                                        [RNN_SWEEP_FAILED] = "failed"};

    return names[state];
}

static const char *metric_name(const rnn_sweep_data *sweep)
{
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        if (!isnan(sweep->runs[i].result.value))
            return sweep->runs[i].result.metric;
    return sweep->metric.name[0] != '\0' ? sweep->metric.name : "metric";
}

/* -- On the terminal --------------------------------------------------------------------------- */

/* The last message of the program in the run's log, with its end of line; false if there is none.
 */
static bool find_message(const rnn_sweep_run *run, char *message, size_t size)
{
    char path[4096], line[1024];
    FILE *file;

    message[0] = '\0';
    snprintf(path, sizeof path, "%s/log", run->folder);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "rnntrain: ", strlen("rnntrain: ")) == 0)
            snprintf(message, size, "%s", line);
    (void)fclose(file); /* read only */
    message[strcspn(message, "\n")] = '\0';
    return message[0] != '\0';
}

void rnn_sweep_print_run(const rnn_sweep_data *sweep, const rnn_sweep_run *run)
{
    char message[1024];

    fprintf(sweep->out, "%4zu of %zu  %-8s  %s", sweep->n_ended, sweep->grid.n_points,
            rnn_sweep_state_name(run->state), run->name);
    if (!isnan(run->result.value))
        fprintf(sweep->out, "  %s %.6g in epoch %" PRIu64 " of %" PRIu64, run->result.metric,
                run->result.value, run->result.epoch, run->result.n_epochs);
    if (!isnan(run->seconds))
        fprintf(sweep->out, "  %.1f s", run->seconds);
    fprintf(sweep->out, "\n");
    if (run->state == RNN_SWEEP_FAILED)
        fprintf(sweep->out, "             status %d: %s\n", run->status,
                find_message(run, message, sizeof message) ? message : "see its log");
    (void)fflush(sweep->out);
}

static const rnn_sweep_data *sorted; /* what compare_runs is about: qsort passes nothing on */

static int compare_runs(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    double x = sorted->runs[a].result.value, y = sorted->runs[b].result.value;

    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    if (!isnan(x) && x != y)
        return (x < y) == sorted->metric.more_is_better ? 1 : -1;
    return a < b ? -1 : 1;
}

static int column_width(const rnn_grid_axis *axis)
{
    size_t width = strlen(axis->key);

    for (size_t i = 0; i < axis->n_values; i++)
        width = strlen(axis->values[i]) > width ? strlen(axis->values[i]) : width;
    return width < 40 ? (int)width : 40;
}

static void print_row(const rnn_sweep_data *sweep, size_t point, bool is_best)
{
    const rnn_sweep_run *run = &sweep->runs[point];

    if (isnan(run->result.value))
        fprintf(sweep->out, "%-4s  %16s  %5s", "", "-", "-");
    else
        fprintf(sweep->out, "%-4s  %16.6g  %5" PRIu64, is_best ? "best" : "", run->result.value,
                run->result.epoch);
    if (isnan(run->seconds))
        fprintf(sweep->out, "  %8s", "-");
    else
        fprintf(sweep->out, "  %8.1f", run->seconds);
    fprintf(sweep->out, "  %-8s", rnn_sweep_state_name(run->state));
    for (size_t a = 0; a < sweep->grid.n_axes; a++)
        fprintf(sweep->out, "  %-*s", column_width(&sweep->grid.axes[a]),
                rnn_grid_value(&sweep->grid, point, a));
    fprintf(sweep->out, "\n");
}

rnn_status rnn_sweep_print_table(const rnn_sweep_data *sweep)
{
    size_t *order;

    RNN_TRY(RNN_ALLOC(&order, sweep->grid.n_points, "the order of runs"));
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        order[i] = i;
    sorted = sweep;
    qsort(order, sweep->grid.n_points, sizeof *order, compare_runs);
    fprintf(sweep->out, "\n%-4s  %16s  %5s  %8s  %-8s", "", metric_name(sweep), "epoch", "seconds",
            "state");
    for (size_t a = 0; a < sweep->grid.n_axes; a++)
        fprintf(sweep->out, "  %-*s", column_width(&sweep->grid.axes[a]), sweep->grid.axes[a].key);
    fprintf(sweep->out, "\n");
    for (size_t i = 0; i < sweep->grid.n_points; i++)
        print_row(sweep, order[i], i == 0);
    if (!isnan(sweep->runs[order[0]].result.value))
        fprintf(sweep->out, "best: %s\n", sweep->runs[order[0]].folder);
    else if (sweep->n_ended > 0)
        fprintf(sweep->out, "best: none, since no run has %s\n", metric_name(sweep));
    rnn_free(order);
    return RNN_OK;
}

/* -- In files ---------------------------------------------------------------------------------- */

static void write_number(FILE *file, const char *format, double value, const char *none)
{
    if (isnan(value))
        fputs(none, file);
    else
        fprintf(file, format, value);
}

static void write_tsv(const rnn_sweep_data *sweep, FILE *file)
{
    fprintf(file, "folder\tstate\tstatus\t%s\tepoch\tepochs\tseconds", metric_name(sweep));
    for (size_t a = 0; a < sweep->grid.n_axes; a++)
        fprintf(file, "\t%s", sweep->grid.axes[a].key);
    fputc('\n', file);
    for (size_t i = 0; i < sweep->grid.n_points; i++) {
        const rnn_sweep_run *run = &sweep->runs[i];

        fprintf(file, "%s\t%s\t%d\t", run->folder, rnn_sweep_state_name(run->state), run->status);
        write_number(file, "%.9g", run->result.value, "");
        fprintf(file, "\t%" PRIu64 "\t%" PRIu64 "\t", run->result.epoch, run->result.n_epochs);
        write_number(file, "%.1f", run->seconds, "");
        for (size_t a = 0; a < sweep->grid.n_axes; a++)
            fprintf(file, "\t%s", rnn_grid_value(&sweep->grid, i, a));
        fputc('\n', file);
    }
}

static void write_jsonl(const rnn_sweep_data *sweep, FILE *file)
{
    for (size_t i = 0; i < sweep->grid.n_points; i++) {
        const rnn_sweep_run *run = &sweep->runs[i];

        fputs("{\"folder\": ", file);
        rnn_json_print_text(file, run->folder);
        fprintf(file, ", \"state\": \"%s\", \"status\": %d, \"metric\": \"%s\", \"value\": ",
                rnn_sweep_state_name(run->state), run->status, metric_name(sweep));
        write_number(file, "%.9g", run->result.value, "null");
        fprintf(file, ", \"epoch\": %" PRIu64 ", \"epochs\": %" PRIu64 ", \"seconds\": ",
                run->result.epoch, run->result.n_epochs);
        write_number(file, "%.1f", run->seconds, "null");
        fputs(", \"set\": {", file);
        for (size_t a = 0; a < sweep->grid.n_axes; a++) {
            fputs(a > 0 ? ", " : "", file);
            rnn_json_print_text(file, sweep->grid.axes[a].key);
            fputs(": ", file);
            rnn_json_print_text(file, rnn_grid_value(&sweep->grid, i, a));
        }
        fputs("}}\n", file);
    }
}

static rnn_status write_table(const rnn_sweep_data *sweep, const char *name,
                              void (*write)(const rnn_sweep_data *, FILE *))
{
    char *path = NULL, *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    rnn_status st;

    if (file == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate %s", name);
    write(sweep, file);
    if (fclose(file) != 0)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate %s", name);
    else
        st = rnn_path_print(&path, "%s/%s", sweep->folder, name);
    if (st == RNN_OK)
        st = rnn_file_write(path, text, size);
    rnn_free(path);
    free(text);
    return st;
}

rnn_status rnn_sweep_write_tables(const rnn_sweep_data *sweep)
{
    RNN_TRY(write_table(sweep, "sweep.tsv", write_tsv));
    return write_table(sweep, "sweep.jsonl", write_jsonl);
}
