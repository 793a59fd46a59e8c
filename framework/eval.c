#include "framework/eval.h"

#include <inttypes.h>
#include <string.h>

#include "datasets/utf8.h"
#include "framework/report.h"
#include "framework/trainer.h"

/* What stands in a column, and how many characters it has. */
enum { MAX_NAME = 12 };
typedef struct cell {
    char text[MAX_NAME * RNN_UTF8_MAX + 1];
    int width;
} cell;

/* The beginning of a text; '?' for what is not UTF-8. */
static cell shorten(const char *text)
{
    cell out = {.width = 0};
    size_t used = 0;

    for (; *text != '\0' && out.width < MAX_NAME; out.width++) {
        uint32_t code;
        size_t n = rnn_utf8_decode(text, &code);

        if (n > 0)
            memcpy(out.text + used, text, n);
        else
            out.text[used] = '?';
        n = n > 0 ? n : 1;
        used += n;
        text += n;
    }
    return out;
}

static cell count_cell(double count)
{
    cell out;

    out.width = snprintf(out.text, sizeof out.text, "%.0f", count);
    return out;
}

/* A class by its name, else by its number. */
static cell class_cell(const rnn_run *run, size_t class)
{
    const char *text = rnn_dataset_token_text(run->dataset, class);

    return text != NULL ? shorten(text) : count_cell((double)class);
}

static void print_cell(cell c, int width, FILE *out)
{
    fprintf(out, " %*s%s", width - c.width, "", c.text);
}

/* Wide enough for every name and every count. */
static int column_width(const rnn_run *run, const double *counts, size_t n)
{
    int width = 1;

    for (size_t i = 0; i < n; i++) {
        int needed = class_cell(run, i).width;

        width = needed > width ? needed : width;
    }
    for (size_t i = 0; i < n * n; i++) {
        int needed = count_cell(counts[i]).width;

        width = needed > width ? needed : width;
    }
    return width;
}

static void print_confusion(const rnn_run *run, FILE *out)
{
    size_t n;
    const double *counts = rnn_metrics_confusion(run->metrics, &n);
    int width;

    if (counts == NULL)
        return;
    width = column_width(run, counts, n);
    fprintf(out, "           answers to the right of labels:\n%10s %*s", "", width, "");
    for (size_t i = 0; i < n; i++)
        print_cell(class_cell(run, i), width, out);
    fputs("\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%10s", "");
        print_cell(class_cell(run, i), width, out);
        for (size_t k = 0; k < n; k++)
            print_cell(count_cell(counts[i * n + k]), width, out);
        fputs("\n", out);
    }
}

static rnn_status eval_split(rnn_run *run, rnn_split split, bool prints, FILE *out)
{
    rnn_scores scores;

    RNN_TRY(rnn_evaluate(run, split, false, &scores));
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
                trained->epoch, trained->step, rnn_run_digest(run));
    for (int split = RNN_SPLIT_VALID; split < RNN_N_SPLITS; split++)
        if (run->loader[split] != NULL)
            RNN_TRY(eval_split(run, (rnn_split)split, prints, out));
    return RNN_OK;
}
