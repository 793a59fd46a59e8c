#include "framework/sweep_result.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- Names ------------------------------------------------------------------------------------- */

static const char *const splits[] = {"valid", "test", "train"}; /* in the order of preference */
static const struct {
    const char *name;
    bool more_is_better;
} metrics[] = {{"loss", false}, {"accuracy", true}, {"f1", true},    {"perplexity", false},
               {"bits", false}, {"mse", false},     {"rmse", false}, {"mae", false}};

enum {
    N_SPLITS = sizeof splits / sizeof *splits,
    N_METRICS = sizeof metrics / sizeof *metrics,
};

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

static bool is_split(const char *name, size_t length)
{
    for (size_t i = 0; i < N_SPLITS; i++)
        if (strlen(splits[i]) == length && strncmp(splits[i], name, length) == 0)
            return true;
    return false;
}

rnn_status rnn_sweep_metric_choose(rnn_sweep_metric *out, const char *by, const rnn_config *config)
{
    const char *name = by != NULL ? by : best_of_config(config);
    const char *dot = strchr(name, '.');

    *out = (rnn_sweep_metric){.name = ""};
    if (name[0] == '\0' && by == NULL)
        return RNN_OK;
    for (size_t i = 0; i < N_METRICS; i++) {
        if (strcmp(metrics[i].name, dot != NULL ? dot + 1 : name) != 0)
            continue;
        if (dot != NULL && !is_split(name, (size_t)(dot - name)))
            break;
        out->more_is_better = metrics[i].more_is_better;
        snprintf(out->name, sizeof out->name, "%.*s%s%s", dot != NULL ? (int)(dot - name) : 0, name,
                 dot != NULL ? "_" : "", metrics[i].name);
        return RNN_OK;
    }
    return RNN_FAIL(RNN_ERR_USAGE,
                    "--by: expected loss, accuracy, f1, perplexity, bits, mse, rmse or mae, or one "
                    "of them with valid., test. or train. before it, found \"%.40s\"",
                    by);
}

/* -- Lines ------------------------------------------------------------------------------------- */

/* The number of that name in a line as rnn_report writes it; NAN if there is none, or null. */
static double find_number(const char *line, const char *name)
{
    char pattern[RNN_SWEEP_METRIC_SIZE + 8];
    const char *found;
    char *end;
    double value;

    snprintf(pattern, sizeof pattern, "\"%s\": ", name);
    found = strstr(line, pattern);
    if (found == NULL)
        return (double)NAN;
    found += strlen(pattern);
    value = strtod(found, &end);
    return end == found ? (double)NAN : value;
}

/* Of the first split that has it. */
static double find_metric(const char *line, const char *metric, char name[RNN_SWEEP_METRIC_SIZE])
{
    double value = (double)NAN;

    if (strchr(metric, '_') != NULL) {
        snprintf(name, RNN_SWEEP_METRIC_SIZE, "%s", metric);
        return find_number(line, metric);
    }
    for (size_t i = 0; i < N_SPLITS && isnan(value); i++) {
        snprintf(name, RNN_SWEEP_METRIC_SIZE, "%s_%.16s", splits[i], metric);
        value = find_number(line, name);
    }
    return value;
}

/* Only languages have a perplexity. */
static void decide(rnn_sweep_metric *metric, const char *line)
{
    char name[RNN_SWEEP_METRIC_SIZE];
    bool is_language = !isnan(find_metric(line, "perplexity", name));

    metric->more_is_better = !is_language && !isnan(find_metric(line, "accuracy", name));
    snprintf(metric->name, sizeof metric->name, "%s", metric->more_is_better ? "accuracy" : "loss");
}

static void take_epoch(rnn_sweep_result *out, rnn_sweep_metric *metric, const char *line)
{
    double epoch = find_number(line, "epoch"), value;
    char name[RNN_SWEEP_METRIC_SIZE];

    if (isnan(epoch))
        return;
    if (metric->name[0] == '\0')
        decide(metric, line);
    value = find_metric(line, metric->name, name);
    out->n_epochs = (uint64_t)epoch > out->n_epochs ? (uint64_t)epoch : out->n_epochs;
    if (isnan(value) || (!isnan(out->value) &&
                         (metric->more_is_better ? value <= out->value : value >= out->value)))
        return;
    out->value = value;
    out->epoch = (uint64_t)epoch;
    memcpy(out->metric, name, sizeof name);
}

rnn_status rnn_sweep_result_read(rnn_sweep_result *out, const char *path, rnn_sweep_metric *metric)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool failed;

    *out = (rnn_sweep_result){.value = (double)NAN};
    if (file == NULL && errno == ENOENT)
        return RNN_OK;
    if (file == NULL)
        return RNN_FAIL(RNN_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    while ((length = getline(&line, &room, file)) > 0)
        if (line[length - 1] == '\n' && strstr(line, "\"event\": \"epoch\"") != NULL)
            take_epoch(out, metric, line);
    failed = ferror(file) != 0;
    free(line);
    (void)fclose(file); /* read only */
    return failed ? RNN_FAIL(RNN_ERR_IO, "cannot read %s: %s", path, strerror(errno)) : RNN_OK;
}
