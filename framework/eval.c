#include "framework/eval.h"

#include <inttypes.h>
#include <string.h>

#include "framework/report.h"
#include "framework/trainer.h"
#include "kernels/digest.h"

enum { MAX_SHOWN_CLASSES = 40, MAX_NAME = 12 };

/* A class by its name, or its number, cut to the width of a column. */
static void name_class(const rnn_run *run, size_t class, char name[MAX_NAME + 1])
{
    const char *text = rnn_dataset_token_text(run->dataset, class);

    if (text != NULL)
        snprintf(name, MAX_NAME + 1, "%s", text);
    else
        snprintf(name, MAX_NAME + 1, "%u", (unsigned)class & 0xFFFFFFu);
}

/* Wide enough for every name and every count. */
static int column_width(const rnn_run *run, const double *counts, size_t n)
{
    int width = 1;
    char text[32];

    for (size_t i = 0; i < n; i++) {
        name_class(run, i, text);
        width = (int)strlen(text) > width ? (int)strlen(text) : width;
    }
    for (size_t i = 0; i < n * n; i++) {
        int digits = snprintf(text, sizeof text, "%.0f", counts[i]);

        width = digits > width ? digits : width;
    }
    return width;
}

static void print_confusion(const rnn_run *run, FILE *out)
{
    char name[MAX_NAME + 1];
    size_t n;
    const double *counts = rnn_metrics_confusion(run->metrics, &n);
    int width;

    if (counts == NULL || n > MAX_SHOWN_CLASSES || run->task != RNN_TASK_CLASSES)
        return;
    width = column_width(run, counts, n);
    fprintf(out, "           answers to the right of labels:\n%11s%*s", "", width, "");
    for (size_t i = 0; i < n; i++) {
        name_class(run, i, name);
        fprintf(out, " %*s", width, name);
    }
    fputs("\n", out);
    for (size_t i = 0; i < n; i++) {
        name_class(run, i, name);
        fprintf(out, "%11s%*s", "", width, name);
        for (size_t k = 0; k < n; k++)
            fprintf(out, " %*.0f", width, counts[i * n + k]);
        fputs("\n", out);
    }
}

static rnn_status eval_split(rnn_run *run, rnn_split split, bool prints, FILE *out)
{
    rnn_scores scores;

    RNN_TRY(rnn_evaluate(run, split, &scores));
    if (!prints)
        return RNN_OK;
    fprintf(out, "%-10s %zu samples: ", rnn_split_name(split),
            rnn_dataset_get_info(run->dataset)->n_samples[split]);
    rnn_scores_print(&scores, rnn_dataset_get_info(run->dataset)->unit == RNN_UNIT_CHARACTERS, out);
    fputs("\n", out);
    print_confusion(run, out);
    return RNN_OK;
}

rnn_status rnn_eval(rnn_trained *trained, FILE *out)
{
    rnn_run *run = trained->run;
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    bool prints = rnn_comm_rank(run->comm) == 0;

    if (run->loader[rnn_trained_split(trained)] == NULL)
        return RNN_FAIL(RNN_ERR_DATA, "the configuration has no validation or test samples; "
                                      "expected data to evaluate: rnntrain eval CHECKPOINT DATA");
    if (!info->has_targets)
        return RNN_FAIL(RNN_ERR_DATA, "the data has no targets to compare answers with; rnntrain "
                                      "predict does without");
    if (prints)
        fprintf(out, "%-10s epoch %" PRIu64 ", step %" PRIu64 ", digest %016" PRIx64 "\n", "model",
                trained->epoch, trained->step,
                rnn_digest(run->params, rnn_model_size(run->model) * sizeof *run->params));
    for (int split = RNN_SPLIT_VALID; split < RNN_N_SPLITS; split++)
        if (run->loader[split] != NULL)
            RNN_TRY(eval_split(run, (rnn_split)split, prints, out));
    return RNN_OK;
}
