/* What a training begins with, and what it keeps of every epoch. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "framework/trainer_parts.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

/* One column of the history, by the split that is evaluated: "valid" or "test". */
typedef struct column {
    const char *name[RNN_N_SPLITS];
    size_t offset; /* in rnn_epoch_summary */
} column;

#define COLUMN(text, member)                                                                       \
    {                                                                                              \
        {[RNN_SPLIT_VALID] = (text), [RNN_SPLIT_TEST] = (text)},                                   \
            offsetof(rnn_epoch_summary, member)                                                    \
    }
#define SCORE(text, member)                                                                        \
    {                                                                                              \
        {[RNN_SPLIT_VALID] = "valid_" text, [RNN_SPLIT_TEST] = "test_" text},                      \
            offsetof(rnn_epoch_summary, scores.member)                                             \
    }

static const column answer_columns[] = {COLUMN("train_loss", train_loss),
                                        COLUMN("train_accuracy", train_accuracy),
                                        SCORE("loss", loss),
                                        SCORE("accuracy", accuracy),
                                        COLUMN("lr", lr),
                                        COLUMN("seconds", seconds),
                                        COLUMN("samples_per_second", samples_per_second)};
static const column value_columns[] = {COLUMN("train_loss", train_loss),
                                       SCORE("loss", loss),
                                       SCORE("rmse", rmse),
                                       SCORE("mae", mae),
                                       COLUMN("lr", lr),
                                       COLUMN("seconds", seconds),
                                       COLUMN("samples_per_second", samples_per_second)};
enum { N_HISTORY = sizeof answer_columns / sizeof *answer_columns };
_Static_assert(N_HISTORY == sizeof value_columns / sizeof *value_columns,
               "both kinds of history have the same number of columns");

static const column *history_columns(const rnn_run *run)
{
    return run->task == RNN_TASK_VALUES ? value_columns : answer_columns;
}

rnn_trainer rnn_trainer_begin(rnn_run *run)
{
    rnn_trainer t = {
        .run = run,
        .progress = {.best_metric = (double)NAN, .plateau_scale = 1.0, .plateau_best = (double)NAN},
        .history = {.n_metrics = N_HISTORY}};

    for (size_t i = 0; i < N_HISTORY; i++)
        t.history.names[i] = history_columns(run)[i].name[run->monitor];
    t.progress.dataset_digest = rnn_dataset_get_info(run->dataset)->digest;
    return t;
}

/* Adds the time since the last call to the epoch's. */
void rnn_trainer_advance_clock(rnn_trainer *t)
{
    double now = rnn_clock_seconds();

    t->progress.epoch_seconds += now - t->clock;
    t->clock = now;
}

rnn_status rnn_trainer_begin_clocks(rnn_trainer *t)
{
    const rnn_run *run = t->run;

    if (!rnn_trainer_is_first(t) || !run->config->log.jsonl || run->timeline != NULL)
        return RNN_OK;
    RNN_TRY(rnn_timeline_create(&t->timeline, (size_t)run->affinity.threads, 0));
    rnn_run_record(t->run, t->timeline);
    return RNN_OK;
}

void rnn_trainer_end_clocks(rnn_trainer *t)
{
    if (t->timeline == NULL)
        return;
    rnn_run_record(t->run, NULL);
    rnn_timeline_destroy(&t->timeline);
}

void rnn_trainer_start_clocks(rnn_trainer *t)
{
    if (t->run->timeline == NULL)
        return;
    t->split_begin = rnn_time_split_take(t->run->timeline);
    t->split_clock = rnn_clock_seconds();
}

rnn_time_split rnn_trainer_split_clocks(const rnn_trainer *t)
{
    rnn_time_split end;

    if (t->run->timeline == NULL)
        return (rnn_time_split){{0}};
    end = rnn_time_split_take(t->run->timeline);
    return rnn_time_split_between(&t->split_begin, &end, rnn_clock_seconds() - t->split_clock);
}

bool rnn_trainer_is_first(const rnn_trainer *t)
{
    return rnn_comm_rank(t->run->comm) == 0;
}

bool rnn_trainer_epoch_is_complete(const rnn_trainer *t)
{
    return t->progress.batch_in_epoch == rnn_loader_n_batches(t->run->loader[RNN_SPLIT_TRAIN]);
}

rnn_status rnn_trainer_append_history(rnn_trainer *t, const rnn_epoch_summary *s)
{
    const column *columns = history_columns(t->run);
    double row[N_HISTORY];

    for (size_t i = 0; i < N_HISTORY; i++)
        row[i] = *(const double *)((const char *)s + columns[i].offset);
    RNN_TRY(rnn_grow((void **)&t->history.values, &t->history_room, t->history.n_rows,
                     t->history.n_rows + 1, sizeof row, "the history"));
    memcpy(t->history.values + t->history.n_rows * N_HISTORY, row, sizeof row);
    t->history.n_rows++;
    return RNN_OK;
}
