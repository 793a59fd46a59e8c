#include "framework/sweep_result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "framework/metrics_file.h"

/* -- Names ------------------------------------------------------------------------------------- */

static const char *const splits[] = {"valid", "test", "train"}; /* in the order of preference */

enum { N_SPLITS = sizeof splits / sizeof *splits };

/* The field "valid_loss" of "valid" and "loss"; false if there is none. */
static bool find_field(const char *split, size_t split_length, const char *metric, rnn_field *out)
{
    char name[RNN_SWEEP_METRIC_SIZE];

    snprintf(name, sizeof name, "%.*s_%s", (int)split_length, split, metric);
    for (int field = RNN_FIELD_TRAIN; field < RNN_FIELD_LR; field++) {
        *out = (rnn_field)field;
        if (strcmp(rnn_field_name(*out), name) == 0)
            return true;
    }
    return false;
}

static const char *best_of_config(const rnn_config *config)
{
    switch ((rnn_best)config->checkpoint.best) {
    case RNN_BEST_ACCURACY:
        return "accuracy";
    case RNN_BEST_F1:
        return "f1";
    case RNN_BEST_MAE:
        return "mae";
    case RNN_BEST_RMSE:
        return "rmse";
    case RNN_BEST_AUTO:
        if (config->loss.type == RNN_LOSS_CROSS_ENTROPY)
            return ""; /* the loss of a language, else the accuracy: its lines say which */
        break;
    default:
        break;
    }
    return "loss";
}

rnn_status rnn_sweep_metric_choose(rnn_sweep_metric *out, const char *by, const rnn_config *config)
{
    const char *name = by != NULL ? by : best_of_config(config);
    const char *dot = strchr(name, '.');
    rnn_field field;

    *out = (rnn_sweep_metric){.name = ""};
    if (name[0] == '\0' && by == NULL)
        return RNN_OK;
    if (dot != NULL ? find_field(name, (size_t)(dot - name), dot + 1, &field)
                    : find_field(splits[0], strlen(splits[0]), name, &field)) {
        out->more_is_better = rnn_field_rises(field);
        snprintf(out->name, sizeof out->name, "%s", dot != NULL ? rnn_field_name(field) : name);
        return RNN_OK;
    }
    return RNN_FAIL(RNN_ERR_USAGE,
                    "--by: expected loss, accuracy, f1, perplexity, bits, mse, rmse or mae, or one "
                    "of them with valid., test. or train. before it, found \"%.40s\"",
                    by);
}

/* -- A run ------------------------------------------------------------------------------------- */

/* Of the first split in which the run has that metric; false if it has none. */
static bool choose_field(const rnn_metrics_log *log, const char *metric, rnn_field *out)
{
    const char *end = strchr(metric, '_');

    if (end != NULL)
        return find_field(metric, (size_t)(end - metric), end + 1, out);
    for (size_t i = 0; i < N_SPLITS; i++)
        if (find_field(splits[i], strlen(splits[i]), metric, out) && rnn_metrics_log_has(log, *out))
            return true;
    return false;
}

/* Only languages have a perplexity. */
static void decide(rnn_sweep_metric *metric, const rnn_metrics_log *log)
{
    rnn_field field;
    bool is_language = choose_field(log, "perplexity", &field);

    metric->more_is_better = !is_language && choose_field(log, "accuracy", &field);
    snprintf(metric->name, sizeof metric->name, "%s", metric->more_is_better ? "accuracy" : "loss");
}

static void take_best(rnn_sweep_result *out, rnn_sweep_metric *metric, const rnn_metrics_log *log)
{
    const rnn_metrics_line *best;
    rnn_field field;

    if (log->n_epochs == 0)
        return;
    out->n_epochs = (uint64_t)log->epochs[log->n_epochs - 1].epoch;
    if (metric->name[0] == '\0')
        decide(metric, log);
    best = choose_field(log, metric->name, &field) ? rnn_metrics_log_best(log, field) : NULL;
    if (best == NULL)
        return;
    out->value = best->values[field];
    out->epoch = (uint64_t)best->epoch;
    snprintf(out->metric, sizeof out->metric, "%s", rnn_field_name(field));
}

rnn_status rnn_sweep_result_read(rnn_sweep_result *out, const char *path, rnn_sweep_metric *metric)
{
    rnn_metrics_log log;
    rnn_status st = rnn_metrics_log_read(&log, path);

    *out = (rnn_sweep_result){.value = (double)NAN};
    if (st == RNN_OK)
        take_best(out, metric, &log);
    rnn_metrics_log_free(&log);
    return st == RNN_ERR_NOINPUT ? RNN_OK : st; /* it has not come so far as to write one */
}
