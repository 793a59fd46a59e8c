#include "framework/plot_html.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/checkpoint.h"
#include "framework/config_text.h"
#include "framework/file_io.h"
#include "framework/plot_text.h"
#include "kernels/memory.h"

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1240px;margin:2em auto;"
    "padding:0 20px}h1{font-size:1.6em;margin:0}h2{font-size:1.2em;margin:2em 0 .5em}"
    "svg{max-width:100%;height:auto;display:block}.wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5em 0}"
    "th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "th{background:#f3f3f3;font-weight:600}.t{text-align:left}"
    "code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f7f7f7;padding:1em;"
    "overflow-x:auto}summary{cursor:pointer;margin:.4em 0}.note{color:#666}";

typedef struct page {
    FILE *out;
    const rnn_plot *plot;
    char **configs; /* [runs] texts of configurations; NULL where there is none */
    char **reasons; /* [runs] why not */
} page;

static void cell(const page *p, const char *text)
{
    fputs("<td class=t>", p->out);
    rnn_text_print_html(text, p->out);
    fputs("</td>", p->out);
}

/* As metrics.jsonl has it. */
static void number(const page *p, double value)
{
    if (isnan(value))
        fputs("<td>–</td>", p->out);
    else
        fprintf(p->out, "<td>%.9g</td>", value);
}

/* A head that begins with '<' is over texts. */
static void begin_table(const page *p, const char *const *heads, size_t n_heads)
{
    fputs("<div class=wide><table>\n<tr>", p->out);
    for (size_t i = 0; i < n_heads; i++)
        fprintf(p->out, heads[i][0] == '<' ? "<th class=t>%s</th>" : "<th>%s</th>",
                heads[i] + (heads[i][0] == '<'));
    fputs("</tr>\n", p->out);
}

static void end_table(const page *p)
{
    fputs("</table></div>\n", p->out);
}

/* -- Runs -------------------------------------------------------------------------------------- */

static double sum_of(const rnn_metrics_log *log, rnn_field field)
{
    double sum = 0.0;

    for (size_t i = 0; i < log->n_epochs; i++)
        if (!isnan(log->epochs[i].values[field]))
            sum += log->epochs[i].values[field];
    return sum;
}

static void total_row(const page *p, const rnn_plot_run *run)
{
    const rnn_metrics_log *log = &run->log;
    const rnn_metrics_line *last = &log->epochs[log->n_epochs - 1];
    char time[RNN_DURATION_SIZE];

    fputs("<tr>", p->out);
    cell(p, run->name);
    number(p, last->epoch);
    number(p, last->step);
    fprintf(p->out, "<td>%s</td>", rnn_duration_print(time, sum_of(log, RNN_FIELD_SECONDS)));
    number(p, round(sum_of(log, RNN_FIELD_RATE) / (double)log->n_epochs));
    number(p, (double)log->n_resumed);
    number(p, (double)log->n_skipped);
    fputs("<td class=t><code>", p->out);
    rnn_text_print_html(last->digest[0] != '\0' ? last->digest : "–", p->out);
    fputs("</code></td>", p->out);
    cell(p, run->folder);
    fputs("</tr>\n", p->out);
}

static void print_totals(const page *p)
{
    static const char *const heads[] = {"<run",          "epochs",           "steps",
                                        "time",          "samples/s (mean)", "resumed",
                                        "steps skipped", "<digest",          "<folder"};

    fputs("<h2>Runs</h2>\n", p->out);
    begin_table(p, heads, sizeof heads / sizeof *heads);
    for (size_t r = 0; r < p->plot->n_runs; r++)
        total_row(p, &p->plot->runs[r]);
    end_table(p);
}

/* -- Best and last ----------------------------------------------------------------------------- */

static void best_row(const page *p, const rnn_plot_run *run, rnn_field field)
{
    const rnn_metrics_line *best = rnn_metrics_log_best(&run->log, field);

    if (best == NULL)
        return;
    fputs("<tr>", p->out);
    cell(p, run->name);
    cell(p, rnn_field_name(field));
    number(p, best->values[field]);
    number(p, best->epoch);
    number(p, run->log.epochs[run->log.n_epochs - 1].values[field]);
    fputs("</tr>\n", p->out);
}

static void final_row(const page *p, const rnn_plot_run *run, rnn_field field)
{
    if (!run->log.has_test || isnan(run->log.test.values[field]))
        return;
    fputs("<tr>", p->out);
    cell(p, run->name);
    fprintf(p->out, "<td class=t>%s at the end</td><td>–</td><td>–</td>", rnn_field_name(field));
    number(p, run->log.test.values[field]);
    fputs("</tr>\n", p->out);
}

static void print_best(const page *p)
{
    static const char *const heads[] = {"<run", "<quantity", "best", "in epoch", "last"};

    fputs("<h2>Best and last</h2>\n", p->out);
    begin_table(p, heads, sizeof heads / sizeof *heads);
    for (int field = RNN_FIELD_TRAIN; field < RNN_FIELD_LR; field++) {
        for (size_t r = 0; r < p->plot->n_runs; r++) {
            best_row(p, &p->plot->runs[r], (rnn_field)field);
            final_row(p, &p->plot->runs[r], (rnn_field)field);
        }
    }
    end_table(p);
}

/* -- Epochs ------------------------------------------------------------------------------------ */

static void print_epochs_of(const page *p, const rnn_plot_run *run)
{
    const char *heads[2 + RNN_N_FIELDS] = {"epoch", "step"};
    rnn_field fields[RNN_N_FIELDS];
    size_t n_fields = 0;

    for (int field = 0; field < RNN_N_FIELDS; field++) {
        if (!rnn_metrics_log_has(&run->log, (rnn_field)field))
            continue;
        heads[2 + n_fields] = rnn_field_name((rnn_field)field);
        fields[n_fields++] = (rnn_field)field;
    }
    begin_table(p, heads, 2 + n_fields);
    for (size_t i = 0; i < run->log.n_epochs; i++) {
        const rnn_metrics_line *line = &run->log.epochs[i];

        fputs("<tr>", p->out);
        number(p, line->epoch);
        number(p, line->step);
        for (size_t k = 0; k < n_fields; k++)
            number(p, line->values[fields[k]]);
        fputs("</tr>\n", p->out);
    }
    end_table(p);
}

static void print_epochs(const page *p)
{
    fputs("<h2>Epochs</h2>\n", p->out);
    for (size_t r = 0; r < p->plot->n_runs; r++) {
        fputs("<details><summary>", p->out);
        rnn_text_print_html(p->plot->runs[r].file, p->out);
        fputs("</summary>\n", p->out);
        print_epochs_of(p, &p->plot->runs[r]);
        fputs("</details>\n", p->out);
    }
}

/* -- Configurations ---------------------------------------------------------------------------- */

static void difference_row(const page *p, const rnn_config_text_table *table, size_t row)
{
    fputs("<tr>", p->out);
    cell(p, table->keys[row]);
    for (size_t r = 0; r < table->n_texts; r++) {
        const char *value = table->values[row * table->n_texts + r];

        cell(p, value != NULL ? value : "–");
    }
    fputs("</tr>\n", p->out);
}

/* Keys that have another value in some run, or that some run has not. */
static void print_differences(const page *p, const rnn_config_text_table *table)
{
    fputs("<p>Keys in which they differ:</p>\n<div class=wide><table>\n<tr><th class=t>key",
          p->out);
    for (size_t r = 0; r < table->n_texts; r++) {
        fputs("</th><th class=t>", p->out);
        rnn_text_print_html(p->plot->runs[r].name, p->out);
    }
    fputs("</th></tr>\n", p->out);
    for (size_t row = 0; row < table->n_keys; row++)
        difference_row(p, table, row);
    end_table(p);
}

static rnn_status compare_configs(const page *p)
{
    rnn_config_text_table table;
    rnn_status st =
        rnn_config_text_compare(&table, (const char *const *)p->configs, p->plot->n_runs);

    if (st == RNN_OK)
        print_differences(p, &table);
    rnn_config_text_free(&table);
    return st;
}

static void print_config(const page *p, size_t run)
{
    bool is_there = p->configs[run] != NULL;

    fprintf(p->out, "<details%s><summary>", p->plot->n_runs == 1 ? " open" : "");
    rnn_text_print_html(p->plot->runs[run].name, p->out);
    fputs(is_there ? "</summary>\n<pre>" : "</summary>\n<p class=note>None: ", p->out);
    rnn_text_print_html(is_there ? p->configs[run] : p->reasons[run], p->out);
    fputs(is_there ? "</pre></details>\n" : "</p></details>\n", p->out);
}

static rnn_status print_configs(const page *p)
{
    fputs("<h2>Configuration</h2>\n", p->out);
    if (p->plot->n_runs > 1)
        RNN_TRY(compare_configs(p));
    for (size_t r = 0; r < p->plot->n_runs; r++)
        print_config(p, r);
    return RNN_OK;
}

/* From the newest checkpoint. A run without one has a picture all the same, and the page says why
 * there is no configuration. */
static rnn_status read_config(const rnn_plot_run *run, char **config, char **reason)
{
    char *path;
    rnn_status st;

    RNN_TRY(rnn_path_print(&path, "%s/latest.h5", run->folder));
    st = rnn_checkpoint_read_config(path, config);
    rnn_free(path);
    if (st == RNN_OK || st == RNN_ERR_MEMORY)
        return st;
    return rnn_string_copy(reason, rnn_error_message());
}

/* -- The page ---------------------------------------------------------------------------------- */

static void print_head(const page *p)
{
    const char *title = p->plot->n_runs == 1 ? p->plot->runs[0].name : "rnntrain plot";

    fputs("<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
          "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n"
          "<meta name=viewport content=\"width=device-width\">\n<title>",
          p->out);
    rnn_text_print_html(title, p->out);
    fprintf(p->out, "</title>\n<style>%s</style>\n</head>\n<body>\n", style);
}

static rnn_status print_page(const page *p, const char *svg)
{
    const char *begin = strstr(svg, "<svg");

    if (begin == NULL)
        return RNN_FAIL(RNN_ERR_INTERNAL, "expected a picture in SVG, found none");
    print_head(p);
    fputs(begin, p->out); /* without the prologue of a file of its own */
    print_totals(p);
    print_best(p);
    RNN_TRY(print_configs(p));
    print_epochs(p);
    fprintf(p->out, "<p class=note>rnntrain %s</p>\n</body>\n</html>\n", RNN_VERSION);
    return RNN_OK;
}

static rnn_status make_page(page *p, const char *svg, char **text, size_t *n_bytes)
{
    char *printed = NULL;
    rnn_status st;

    p->out = open_memstream(&printed, n_bytes);
    if (p->out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot make a page: %s", strerror(errno));
    st = print_page(p, svg);
    if (fclose(p->out) != 0 && st == RNN_OK)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot make a page: %s", strerror(errno));
    if (st == RNN_OK)
        st = rnn_string_copy(text, printed);
    free(printed);
    return st;
}

rnn_status rnn_plot_html(const rnn_plot *plot, const char *svg, char **text, size_t *n_bytes)
{
    char *texts[2 * RNN_PLOT_MAX_RUNS] = {NULL};
    page p = {.plot = plot, .configs = texts, .reasons = texts + RNN_PLOT_MAX_RUNS};
    rnn_status st = RNN_OK;

    *text = NULL;
    for (size_t r = 0; r < plot->n_runs && st == RNN_OK; r++)
        st = read_config(&plot->runs[r], &p.configs[r], &p.reasons[r]);
    if (st == RNN_OK)
        st = make_page(&p, svg, text, n_bytes);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        rnn_free(texts[i]);
    return st;
}
