#include "framework/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/file_io.h"
#include "framework/fit_file.h"
#include "framework/plateau.h"
#include "framework/predictions.h"
#include "framework/report.h"
#include "framework/signals.h"
#include "framework/state_dict.h"
#include "kernels/digest.h"
#include "kernels/clock.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"

enum { MAX_FAILED_CHECKPOINTS = 3 };

/* One column of the history, by the split that is evaluated: "valid" or "test". */
typedef struct column {
    const char *name[RNN_N_SPLITS];
    size_t offset; /* in rnn_epoch_summary */
} column;

#define COLUMN(text, member)                                                                       \
    {                                                                                              \
        {[RNN_SPLIT_VALID] = text, [RNN_SPLIT_TEST] = text}, offsetof(rnn_epoch_summary, member)   \
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

typedef struct trainer {
    rnn_run *run;
    rnn_report *report;
    rnn_progress progress;
    rnn_history history;
    size_t history_room;    /* rows */
    float *carried;         /* states of all rows, as of the last checkpoint; else NULL */
    double last_checkpoint; /* monotonic seconds; rank 0's clock decides */
    int failed_checkpoints; /* in a row */
    double waited;          /* for data, before this epoch; seconds */
    double clock;           /* when progress.epoch_seconds was last brought up to date */
} trainer;

/* Adds the time since the last call to the epoch's. */
static void advance_clock(trainer *t)
{
    double now = rnn_clock_seconds();

    t->progress.epoch_seconds += now - t->clock;
    t->clock = now;
}

static bool is_first(const trainer *t)
{
    return rnn_comm_rank(t->run->comm) == 0;
}

/* -- History --------------------------------------------------------------------------------- */

static const column *history_columns(const rnn_run *run)
{
    return run->task == RNN_TASK_VALUES ? value_columns : answer_columns;
}

static rnn_status append_history(trainer *t, const rnn_epoch_summary *s)
{
    const column *columns = history_columns(t->run);
    double row[N_HISTORY];

    for (size_t i = 0; i < N_HISTORY; i++)
        row[i] = *(const double *)((const char *)s + columns[i].offset);
    if (t->history.n_rows >= t->history_room) {
        size_t room = 2 * t->history.n_rows + 16;
        double *values;

        RNN_TRY(RNN_ALLOC(&values, room * N_HISTORY, "the history"));
        if (t->history.n_rows > 0)
            memcpy(values, t->history.values, t->history.n_rows * N_HISTORY * sizeof *values);
        rnn_free(t->history.values);
        t->history.values = values;
        t->history_room = room;
    }
    memcpy(t->history.values + t->history.n_rows * N_HISTORY, row, sizeof row);
    t->history.n_rows++;
    return RNN_OK;
}

/* -- Checkpoints ----------------------------------------------------------------------------- */

static rnn_checkpoint describe_state(trainer *t)
{
    return (rnn_checkpoint){.model = t->run->model,
                            .params = t->run->params,
                            .optimizer = t->run->optimizer,
                            .progress = &t->progress,
                            .history = &t->history,
                            .config = t->run->config_text};
}

/* The carried states of all rows as blocks; their values are t->carried. */
static size_t describe_carried(const trainer *t, rnn_block *blocks)
{
    const rnn_carry *carry = rnn_executor_carry(t->run->executor);
    size_t n = carry != NULL ? rnn_carry_n_arrays(carry) : 0;

    for (size_t i = 0; i < n; i++) {
        const rnn_carry_array *a = rnn_carry_get_array(carry, i);

        blocks[i] = (rnn_block){.type = RNN_BLOCK_FLOAT32,
                                .n_dims = 3,
                                .shape = {a->shape[0], a->shape[1], a->shape[2]},
                                .values = t->carried != NULL ? t->carried + a->offset : NULL};
        snprintf(blocks[i].path, sizeof blocks[i].path, "state/%s/%s", a->group, a->name);
    }
    return n;
}

/* Collective. Brings the states that all ranks carry together, for the next checkpoint. */
static rnn_status gather_carried(trainer *t)
{
    const rnn_carry *carry = rnn_executor_carry(t->run->executor);
    size_t size = carry != NULL ? rnn_carry_size(carry) : 0;
    double *values = NULL;
    rnn_status st;

    if (carry == NULL)
        return RNN_OK;
    st = RNN_ALLOC(&values, size, "carried states");
    if (st == RNN_OK && t->carried == NULL)
        st = RNN_ALLOC(&t->carried, size, "carried states");
    RNN_TRY_GOTO(st, rnn_comm_agree(t->run->comm, st), done);
    rnn_carry_save(carry, values);
    RNN_TRY_GOTO(st, rnn_comm_sum_exact(t->run->comm, values, size), done);
    for (size_t i = 0; i < size; i++)
        t->carried[i] = (float)values[i];
done:
    rnn_free(values);
    return st;
}

/* Beside the model: what the data was fitted with, and carried states. */
static rnn_status write_with_blocks(const trainer *t, rnn_checkpoint *checkpoint,
                                    const char *folder, char **path)
{
    rnn_block blocks[RNN_FIT_MAX_BLOCKS + 2 * RNN_MODEL_MAX_LAYERS];
    char *texts;
    rnn_status st;

    checkpoint->blocks = blocks;
    st = rnn_fit_to_blocks(rnn_dataset_get_fit(t->run->dataset), blocks, &checkpoint->n_blocks,
                           &texts);
    if (st == RNN_OK) {
        if (t->carried != NULL)
            checkpoint->n_blocks += describe_carried(t, blocks + checkpoint->n_blocks);
        st = rnn_checkpoint_write(checkpoint, folder, path);
    }
    rnn_free(texts);
    return st;
}

static rnn_status write_files(trainer *t, bool is_best, char **path)
{
    const rnn_run *run = t->run;
    const char *folder = run->config->run.output_dir;
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    rnn_checkpoint checkpoint = describe_state(t);
    char host[256] = "unknown", ranks[32], threads[32], digest[32];
    const rnn_fact facts[] = {{"rnntrain", RNN_VERSION},
                              {"kernels", rnn_kernel_library()},
                              {"cpu_isa", rnn_kernel_isa()},
                              {"hdf5", rnn_checkpoint_library()},
                              {"mpi", rnn_comm_library(run->comm)},
                              {"host", host},
                              {"ranks", ranks},
                              {"threads_per_rank", threads},
                              {"dataset", info->name},
                              {"dataset_expected", run->config->dataset.name},
                              {"dataset_folder", info->folder},
                              {"dataset_digest", digest}};

    gethostname(host, sizeof host - 1);
    snprintf(ranks, sizeof ranks, "%d", rnn_comm_size(run->comm));
    snprintf(threads, sizeof threads, "%d", run->affinity.threads);
    snprintf(digest, sizeof digest, "%016" PRIx64, info->digest);
    checkpoint.environment = facts;
    checkpoint.n_environment = sizeof facts / sizeof facts[0];
    RNN_TRY(write_with_blocks(t, &checkpoint, folder, path));
    if (is_best)
        RNN_TRY(rnn_checkpoint_mark_best(folder, t->progress.step));
    return rnn_checkpoint_prune(folder, (size_t)run->config->checkpoint.keep);
}

/*
 * Collective. Rank 0 writes, all learn the outcome. A failed write of a run that goes on is only
 * warned about, a few times in a row; *path may be NULL.
 */
static rnn_status save(trainer *t, bool is_best, bool is_final, char **path)
{
    rnn_status st;

    advance_clock(t);
    RNN_TRY(gather_carried(t));
    st = is_first(t) ? write_files(t, is_best, path) : RNN_OK;
    st = rnn_comm_agree(t->run->comm, st);
    t->last_checkpoint = rnn_clock_seconds();
    if (st == RNN_OK) {
        t->failed_checkpoints = 0;
        return RNN_OK;
    }
    if (st != RNN_ERR_IO || is_final || ++t->failed_checkpoints >= MAX_FAILED_CHECKPOINTS)
        return st;
    rnn_report_line(t->report, "WARNING", "%s; training goes on, failed checkpoint %d of %d",
                    rnn_error_message(), t->failed_checkpoints, MAX_FAILED_CHECKPOINTS);
    return RNN_OK;
}

/* -- Resume ---------------------------------------------------------------------------------- */

/* checkpoint.best as this run's task understands it. */
static rnn_best chosen_best(const rnn_run *run, const rnn_config *config)
{
    rnn_best best = (rnn_best)config->checkpoint.best;

    if (best == RNN_BEST_AUTO)
        return run->task == RNN_TASK_CLASSES ? RNN_BEST_ACCURACY : RNN_BEST_LOSS;
    return best;
}

/* What was best in one metric says nothing about another. */
static void forget_best(rnn_progress *p)
{
    p->best_metric = p->plateau_best = (double)NAN;
    p->best_step = p->stale_epochs = p->plateau_bad_epochs = 0;
}

static void report_skipped(const char *text, void *context)
{
    rnn_report_line(((trainer *)context)->report, "WARNING", "skipped %s", text);
}

static rnn_status check_data(const trainer *t, const rnn_progress *then, const char *path)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(t->run->dataset);

    if (then->dataset_digest == info->digest)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s was trained on other data: digest %016" PRIx64
                    ", while %s in %s has %016" PRIx64
                    ". Restore that data, or start anew with another run.output_dir or "
                    "run.resume = \"never\"",
                    path, then->dataset_digest, info->name, info->folder, info->digest);
}

/* *same_metric: whether bests of then can be compared with those of now. */
static rnn_status check_config(const trainer *t, const char *path, bool *same_metric)
{
    rnn_config then = {0};
    char *text;
    rnn_status st;

    RNN_TRY(rnn_checkpoint_read_config(path, &text));
    st = rnn_config_parse(&then, text, strlen(text), path, NULL, 0);
    if (st == RNN_OK)
        st = rnn_config_check_resume(&then, t->run->config);
    if (st == RNN_OK)
        *same_metric = chosen_best(t->run, &then) == chosen_best(t->run, t->run->config);
    else
        st = RNN_FAIL(st,
                      "cannot resume from %s: %s (another run.output_dir, or run.resume = "
                      "\"never\", starts anew)",
                      path, rnn_error_message());
    rnn_config_free(&then);
    rnn_free(text);
    return st;
}

static rnn_status set_aside(trainer *t)
{
    char *moved_to;

    RNN_TRY(rnn_checkpoint_set_aside(t->run->config->run.output_dir, &moved_to));
    if (moved_to != NULL)
        rnn_report_line(t->report, "note", "moved an earlier run's files to %s", moved_to);
    rnn_free(moved_to);
    return RNN_OK;
}

/* Rank 0: the states that an interrupted epoch goes on with. */
static rnn_status read_carried(trainer *t, const char *path)
{
    rnn_carry *carry = rnn_executor_carry(t->run->executor);
    rnn_block blocks[2 * RNN_MODEL_MAX_LAYERS];
    size_t n;
    rnn_status st;

    if (carry == NULL || t->progress.batch_in_epoch == 0)
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&t->carried, rnn_carry_size(carry), "carried states"));
    n = describe_carried(t, blocks);
    st = rnn_checkpoint_read_blocks(path, blocks, n);
    for (size_t i = 0; i < n && st == RNN_OK; i++) {
        const rnn_carry_array *a = rnn_carry_get_array(carry, i);

        if (blocks[i].values == NULL || blocks[i].n_dims != 3 ||
            memcmp(blocks[i].shape, a->shape, sizeof a->shape) != 0)
            st = RNN_FAIL(RNN_ERR_DATA,
                          "%s: /%s: expected the carried states of an epoch that was interrupted, "
                          "float32 [%zu][%zu][%zu]",
                          path, blocks[i].path, a->shape[0], a->shape[1], a->shape[2]);
        else
            memcpy(t->carried + a->offset, blocks[i].values,
                   a->shape[0] * a->shape[1] * a->shape[2] * sizeof *t->carried);
    }
    for (size_t i = 0; i < n; i++)
        rnn_free(blocks[i].values);
    return st;
}

/* Rank 0: finds and reads the checkpoint to resume from; *path is NULL for a fresh start. */
static rnn_status read_state(trainer *t, char **path)
{
    const rnn_config *c = t->run->config;
    rnn_checkpoint checkpoint = describe_state(t);
    bool same_metric = true;

    *path = NULL;
    if (strcmp(c->run.resume, "never") == 0)
        return set_aside(t);
    if (strcmp(c->run.resume, "auto") == 0)
        RNN_TRY(rnn_checkpoint_find(c->run.output_dir, path, report_skipped, t));
    else
        RNN_TRY(rnn_string_copy(path, c->run.resume));
    if (*path == NULL)
        return RNN_OK;
    RNN_TRY(check_config(t, *path, &same_metric));
    RNN_TRY(rnn_checkpoint_read(*path, &checkpoint));
    t->history_room = t->history.n_rows;
    if (!same_metric)
        forget_best(&t->progress);
    RNN_TRY(check_data(t, &t->progress, *path));
    return read_carried(t, *path);
}

/* Collective. Carried states, if an epoch was interrupted. */
static rnn_status share_carried(trainer *t)
{
    rnn_carry *carry = rnn_executor_carry(t->run->executor);
    rnn_status st = RNN_OK;

    if (carry == NULL || t->progress.batch_in_epoch == 0)
        return RNN_OK;
    if (t->carried == NULL)
        st = RNN_ALLOC(&t->carried, rnn_carry_size(carry), "carried states");
    RNN_TRY(rnn_comm_agree(t->run->comm, st));
    RNN_TRY(rnn_comm_broadcast(t->run->comm, t->carried, rnn_carry_size(carry) * sizeof *t->carried,
                               0));
    rnn_carry_load(carry, t->carried);
    return RNN_OK;
}

/* Collective. What rank 0 has read becomes the state of all. */
static rnn_status share_state(trainer *t)
{
    rnn_comm *comm = t->run->comm;
    size_t n_bytes = rnn_model_size(t->run->model) * sizeof(float);
    uint64_t step = rnn_optimizer_get_step(t->run->optimizer);
    double scalar = rnn_optimizer_get_scalar(t->run->optimizer);

    RNN_TRY(rnn_comm_broadcast(comm, &t->progress, sizeof t->progress, 0));
    RNN_TRY(rnn_comm_broadcast(comm, t->run->params, n_bytes, 0));
    for (size_t i = 0; i < rnn_optimizer_n_states(t->run->optimizer); i++)
        RNN_TRY(rnn_comm_broadcast(comm, rnn_optimizer_state(t->run->optimizer, i), n_bytes, 0));
    RNN_TRY(rnn_comm_broadcast(comm, &step, sizeof step, 0));
    RNN_TRY(rnn_comm_broadcast(comm, &scalar, sizeof scalar, 0));
    rnn_optimizer_set_step(t->run->optimizer, step);
    rnn_optimizer_set_scalar(t->run->optimizer, scalar);
    rnn_executor_load(t->run->executor, t->run->params);
    t->run->lr = t->run->config->optimizer.lr * t->progress.plateau_scale;
    return share_carried(t);
}

static rnn_status resume(trainer *t)
{
    char *path = NULL;
    rnn_status st = is_first(t) ? read_state(t, &path) : RNN_OK;

    st = rnn_comm_agree(t->run->comm, st);
    if (st == RNN_OK)
        st = share_state(t);
    if (st == RNN_OK && path != NULL)
        rnn_report_line(t->report, "resume",
                        "from %s: epoch %" PRIu64 ", step %" PRIu64 " of %" PRIu64, path,
                        t->progress.epoch + (t->progress.batch_in_epoch > 0), t->progress.step,
                        t->run->total_steps);
    rnn_free(path);
    return st;
}

/* -- Epochs ---------------------------------------------------------------------------------- */

static bool checkpoint_due_by_time(const trainer *t)
{
    double minutes = t->run->config->checkpoint.every_minutes;

    return is_first(t) && minutes > 0 && rnn_clock_seconds() - t->last_checkpoint >= 60.0 * minutes;
}

static bool epoch_is_complete(const trainer *t)
{
    return t->progress.batch_in_epoch == rnn_loader_n_batches(t->run->loader[RNN_SPLIT_TRAIN]);
}

static double epoch_loss(const trainer *t)
{
    return rnn_objective_mean(&t->run->objective, t->progress.epoch_loss_sum,
                              (double)t->progress.epoch_targets, (double)t->progress.epoch_samples);
}

static double epoch_accuracy(const trainer *t)
{
    return t->run->task == RNN_TASK_CLASSES || t->run->task == RNN_TASK_LANGUAGE
               ? (double)t->progress.epoch_correct / (double)t->progress.epoch_targets
               : (double)NAN;
}

static void count_step(trainer *t, const rnn_step_result *result)
{
    t->progress.step++;
    t->progress.batch_in_epoch += result->n_batches;
    t->progress.samples_seen += result->n_samples;
    t->progress.epoch_loss_sum += result->loss_sum;
    t->progress.epoch_correct += result->n_correct;
    t->progress.epoch_samples += result->n_samples;
    t->progress.epoch_targets += result->n_targets;
    advance_clock(t);
    rnn_report_progress(t->report, t->progress.epoch + 1, t->progress.batch_in_epoch,
                        rnn_loader_n_batches(t->run->loader[RNN_SPLIT_TRAIN]), epoch_loss(t),
                        epoch_accuracy(t),
                        (double)t->progress.epoch_samples / t->progress.epoch_seconds);
}

/* Collective. Checkpoints, then ends the run with RNN_STOPPED. */
static rnn_status stop(trainer *t)
{
    char *path = NULL;
    rnn_status st;

    st = save(t, false, true, &path);
    if (st == RNN_OK) {
        rnn_report_event(t->report, "stopped", t->progress.epoch, t->progress.step);
        st = RNN_FAIL(RNN_STOPPED,
                      "stopped as asked after step %" PRIu64 " of %" PRIu64
                      "; the same command goes on from %s",
                      t->progress.step, t->run->total_steps, path != NULL ? path : "there");
    }
    rnn_free(path);
    return st;
}

/* Collective. Runs the batches of the current epoch that are left, up to the run's last step. */
static rnn_status train_batches(trainer *t)
{
    rnn_run *run = t->run;
    rnn_loader *loader = run->loader[RNN_SPLIT_TRAIN];
    uint64_t every_steps = (uint64_t)run->config->checkpoint.every_steps;

    RNN_TRY(rnn_comm_agree(run->comm, rnn_loader_seek(loader, (uint32_t)t->progress.epoch,
                                                      t->progress.batch_in_epoch)));
    while (t->progress.step < run->total_steps && !epoch_is_complete(t)) {
        rnn_step_result result;

        RNN_TRY(rnn_train_step(run, t->progress.epoch, t->progress.step, checkpoint_due_by_time(t),
                               &result));
        count_step(t, &result);
        if (result.stop_requested)
            return stop(t);
        if (result.checkpoint_due || (every_steps > 0 && t->progress.step % every_steps == 0))
            RNN_TRY(save(t, false, false, NULL));
    }
    return RNN_OK;
}

/* What best.h5 is best in; NAN if there is nothing to compare. */
static double best_metric(const trainer *t, const rnn_scores *s, bool *more_is_better)
{
    rnn_best best = chosen_best(t->run, t->run->config);

    *more_is_better = best == RNN_BEST_ACCURACY || best == RNN_BEST_F1;
    switch (best) {
    case RNN_BEST_ACCURACY:
        return s->accuracy;
    case RNN_BEST_F1:
        return s->f1;
    case RNN_BEST_MAE:
        return s->mae;
    case RNN_BEST_RMSE:
        return s->rmse;
    case RNN_BEST_LOSS:
        return s->loss;
    default:
        return (double)NAN;
    }
}

static bool is_improvement(const trainer *t, double metric, bool more_is_better)
{
    double before = t->progress.best_metric;

    if (isnan(metric))
        return false;
    return isnan(before) || (more_is_better ? metric > before : metric < before);
}

/* Whether the learning rate falls after a finished epoch with this metric. */
static void watch_plateau(trainer *t, double metric, bool more_is_better)
{
    const rnn_config *c = t->run->config;
    const rnn_plateau_cfg cfg = {.factor = c->schedule.gamma,
                                 .threshold = c->schedule.threshold,
                                 .patience = (uint64_t)c->schedule.patience,
                                 .lr = c->optimizer.lr,
                                 .min_lr = c->schedule.min_lr,
                                 .more_is_better = more_is_better};
    rnn_progress *p = &t->progress;
    rnn_plateau plateau = {p->plateau_scale, p->plateau_best, p->plateau_bad_epochs};

    if (c->schedule.type != RNN_SCHEDULE_PLATEAU || c->optimizer.lr <= 0.0)
        return;
    if (rnn_plateau_watch(&plateau, &cfg, metric))
        rnn_report_line(t->report, "plateau", "learning rate %g from epoch %" PRIu64 " on",
                        c->optimizer.lr * plateau.scale, p->epoch + 2);
    p->plateau_scale = plateau.scale;
    p->plateau_best = plateau.best;
    p->plateau_bad_epochs = plateau.bad_epochs;
    t->run->lr = c->optimizer.lr * plateau.scale;
}

/* What the metric of an epoch, or of a part of one at the run's end, leads to; true if it is the
 * best so far. */
static bool judge(trainer *t, const rnn_epoch_summary *s)
{
    rnn_progress *p = &t->progress;
    bool more_is_better;
    double metric = best_metric(t, &s->scores, &more_is_better);
    bool is_best = is_improvement(t, metric, more_is_better);

    if (is_best) {
        p->best_metric = metric;
        p->best_step = p->step;
    }
    if (epoch_is_complete(t)) {
        p->stale_epochs = is_best ? 0 : p->stale_epochs + 1;
        watch_plateau(t, metric, more_is_better);
    }
    return is_best;
}

/* Early stopping. */
static bool has_lost_patience(const trainer *t)
{
    uint64_t patience = (uint64_t)t->run->config->train.patience;

    return patience > 0 && t->progress.stale_epochs >= patience;
}

/* Both need a metric of every epoch. */
static rnn_status check_metric(const trainer *t)
{
    const rnn_run *run = t->run;
    bool more_is_better;
    rnn_scores all = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const char *key = run->config->train.patience > 0 ? "train.patience" : "schedule.type";

    if (run->config->train.patience == 0 && run->config->schedule.type != RNN_SCHEDULE_PLATEAU)
        return RNN_OK;
    if (run->loader[run->monitor] == NULL)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s watches a metric of every epoch: expected validation or "
                        "test samples, found none",
                        key);
    if (isnan(best_metric(t, &all, &more_is_better)))
        return RNN_FAIL(RNN_ERR_DATA, "%s watches the metric of checkpoint.best, which is \"none\"",
                        key);
    return RNN_OK;
}

/* Collective. The epoch so far in numbers. */
static rnn_status summarize_epoch(trainer *t, rnn_epoch_summary *s)
{
    rnn_run *run = t->run;
    const rnn_progress *p = &t->progress;

    *s = (rnn_epoch_summary){
        .epoch = p->epoch + 1,
        .n_epochs = (uint64_t)run->config->run.epochs,
        .step = p->step,
        .train_loss = epoch_loss(t),
        .train_accuracy = epoch_accuracy(t),
        .lr = rnn_schedule_lr(&run->schedule, run->lr, p->epoch, p->step - 1, run->total_steps),
        .samples_per_second = (double)p->epoch_samples / p->epoch_seconds,
        .data_wait = rnn_loader_wait_seconds(run->loader[RNN_SPLIT_TRAIN]) - t->waited,
        .digest = rnn_digest(run->params, rnn_model_size(run->model) * sizeof(float))};
    RNN_TRY(rnn_comm_compare(run->comm, s->digest, "parameters"));
    RNN_TRY(rnn_evaluate(run, run->monitor, &s->scores));
    RNN_TRY(rnn_predictions_take(run, &s->predicted));
    s->data_wait /= p->epoch_seconds;
    advance_clock(t);
    s->seconds = p->epoch_seconds;
    return RNN_OK;
}

/* Makes the progress that of a finished epoch. */
static rnn_status close_epoch(trainer *t, const rnn_epoch_summary *s)
{
    rnn_progress *p = &t->progress;

    p->epoch++;
    p->batch_in_epoch = 0;
    p->epoch_loss_sum = p->epoch_seconds = 0.0;
    p->epoch_correct = p->epoch_samples = p->epoch_targets = 0;
    return append_history(t, s);
}

/* Steps to do, or an epoch that was interrupted between its last step and its evaluation. */
static bool has_work(const trainer *t)
{
    return (t->progress.step < t->run->total_steps && !has_lost_patience(t)) ||
           epoch_is_complete(t);
}

/* Collective. The rest of the running epoch, or what of it comes before the run's last step. */
static rnn_status train_epoch(trainer *t)
{
    const rnn_config *c = t->run->config;
    rnn_epoch_summary summary;
    bool is_best, is_final, is_periodic;

    t->clock = rnn_clock_seconds();
    t->waited = rnn_loader_wait_seconds(t->run->loader[RNN_SPLIT_TRAIN]);
    RNN_TRY(train_batches(t));
    RNN_TRY(summarize_epoch(t, &summary));
    rnn_report_epoch(t->report, &summary);
    rnn_free(summary.predicted);
    is_best = judge(t, &summary);
    if (epoch_is_complete(t))
        RNN_TRY(rnn_comm_agree(t->run->comm, close_epoch(t, &summary)));
    is_final = !has_work(t);
    is_periodic = c->checkpoint.every_epochs > 0 &&
                  t->progress.epoch % (uint64_t)c->checkpoint.every_epochs == 0;
    if (is_final || is_best || is_periodic)
        return save(t, is_best, is_final, NULL);
    return RNN_OK;
}

/* Collective. Where validation has watched the epochs, the test samples are for the end. */
static rnn_status test_at_end(trainer *t)
{
    rnn_run *run = t->run;
    rnn_scores scores;

    if (run->monitor == RNN_SPLIT_TEST || run->loader[RNN_SPLIT_TEST] == NULL)
        return RNN_OK;
    RNN_TRY(rnn_evaluate(run, RNN_SPLIT_TEST, &scores));
    rnn_report_scores(t->report, "test", &scores);
    return RNN_OK;
}

static rnn_status train_all(trainer *t)
{
    const rnn_config *c = t->run->config;
    rnn_status st = is_first(t) ? rnn_folder_create(c->run.output_dir) : RNN_OK;

    RNN_TRY(rnn_comm_agree(t->run->comm, st));
    RNN_TRY(rnn_comm_agree(t->run->comm, rnn_report_create(&t->report, t->run)));
    rnn_report_banner(t->report);
    RNN_TRY(check_metric(t));
    RNN_TRY(resume(t));
    RNN_TRY(rnn_comm_agree(t->run->comm, rnn_report_open_metrics(t->report)));
    if (t->progress.step > 0)
        rnn_report_event(t->report, "resume", t->progress.epoch, t->progress.step);
    if (!has_work(t))
        rnn_report_line(t->report, "done",
                        "this run is complete: %" PRIu64 " steps, %" PRIu64
                        " epochs. Raise %s to train on",
                        t->progress.step, t->progress.epoch,
                        has_lost_patience(t) ? "train.patience" : "run.epochs");
    t->last_checkpoint = rnn_clock_seconds();
    while (has_work(t))
        RNN_TRY(train_epoch(t));
    if (has_lost_patience(t))
        rnn_report_line(t->report, "patience",
                        "no better for %" PRIu64 " epochs; the best is that of step %" PRIu64,
                        t->progress.stale_epochs, t->progress.best_step);
    RNN_TRY(test_at_end(t));
    if (t->run->predicted != NULL) /* its epochs have no column for it */
        rnn_report_line(
            t->report, "digest", "%016" PRIx64,
            rnn_digest(t->run->params, rnn_model_size(t->run->model) * sizeof *t->run->params));
    rnn_report_line(t->report, "done", "%s/latest.h5", c->run.output_dir);
    return RNN_OK;
}

static trainer begin(rnn_run *run)
{
    trainer t = {
        .run = run,
        .progress = {.best_metric = (double)NAN, .plateau_scale = 1.0, .plateau_best = (double)NAN},
        .history = {.n_metrics = N_HISTORY}};

    for (size_t i = 0; i < N_HISTORY; i++)
        t.history.names[i] = history_columns(run)[i].name[run->monitor];
    t.progress.dataset_digest = rnn_dataset_get_info(run->dataset)->digest;
    return t;
}

rnn_status rnn_train(rnn_run *run)
{
    trainer t = begin(run);
    rnn_status st;

    st = rnn_comm_agree(run->comm, rnn_signals_install());
    if (st == RNN_OK)
        st = train_all(&t);
    rnn_report_destroy(&t.report);
    rnn_free(t.history.values);
    rnn_free(t.carried);
    return st;
}

/* -- Import ---------------------------------------------------------------------------------- */

/* The next start must take up the import, and must not lose a run by it. */
static rnn_status check_folder(const rnn_config *c)
{
    char *path;

    if (strcmp(c->run.resume, "never") == 0)
        return RNN_OK;
    if (strcmp(c->run.resume, "auto") != 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "cannot import: run.resume is \"%s\", so that the run would start from "
                        "there; expected \"auto\", or \"never\" for this once",
                        c->run.resume);
    RNN_TRY(rnn_checkpoint_find(c->run.output_dir, &path, NULL, NULL));
    if (path == NULL)
        return RNN_OK;
    rnn_free(path);
    return RNN_FAIL(RNN_ERR_DATA,
                    "cannot import: %s has checkpoints already (another run.output_dir avoids "
                    "them, run.resume = \"never\" sets them aside)",
                    c->run.output_dir);
}

/* Rank 0. */
static rnn_status write_import(trainer *t, const char *weights, char **path)
{
    const rnn_config *c = t->run->config;

    RNN_TRY(check_folder(c));
    RNN_TRY(rnn_state_dict_read(weights, t->run->model, t->run->params));
    RNN_TRY(rnn_folder_create(c->run.output_dir));
    if (strcmp(c->run.resume, "never") == 0)
        RNN_TRY(set_aside(t));
    return write_files(t, false, path);
}

rnn_status rnn_import(rnn_run *run, const char *weights)
{
    trainer t = begin(run);
    char *path = NULL;
    rnn_status st;

    RNN_TRY(rnn_comm_agree(run->comm, rnn_report_create(&t.report, run)));
    st = is_first(&t) ? write_import(&t, weights, &path) : RNN_OK;
    st = rnn_comm_agree(run->comm, st);
    if (st == RNN_OK) {
        rnn_report_line(t.report, "import", "%s as %s", weights, path != NULL ? path : "");
        rnn_report_line(t.report, "digest", "%016" PRIx64,
                        rnn_digest(run->params, rnn_model_size(run->model) * sizeof *run->params));
    }
    rnn_free(path);
    rnn_report_destroy(&t.report);
    return st;
}
