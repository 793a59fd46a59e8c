#include "framework/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "framework/file_io.h"
#include "framework/predictions.h"
#include "framework/signals.h"
#include "framework/trainer_parts.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

/* -- Epochs ---------------------------------------------------------------------------------- */

static bool checkpoint_due_by_time(const rnn_trainer *t)
{
    double minutes = t->run->config->checkpoint.every_minutes;

    return rnn_trainer_is_first(t) && minutes > 0 &&
           rnn_clock_seconds() - t->last_checkpoint >= 60.0 * minutes;
}

static double epoch_loss(const rnn_trainer *t)
{
    return rnn_objective_mean(&t->run->objective, t->progress.epoch_loss_sum,
                              (double)t->progress.epoch_targets, (double)t->progress.epoch_samples);
}

static double epoch_accuracy(const rnn_trainer *t)
{
    return t->run->task == RNN_TASK_CLASSES || t->run->task == RNN_TASK_LANGUAGE
               ? (double)t->progress.epoch_correct / (double)t->progress.epoch_targets
               : (double)NAN;
}

enum { MAX_SKIPPED_IN_ROW = 100, MAX_SKIPPED_SHOWN = 10 };

/* A step that was left out is told; a run in which nothing else happens has failed. */
static rnn_status watch_skipped(rnn_trainer *t, const rnn_step_result *result)
{
    if (!result->is_skipped) {
        t->n_skipped_in_row = 0;
        return RNN_OK;
    }
    t->n_skipped++;
    rnn_report_event(t->report, "skipped", t->progress.epoch, t->progress.step);
    if (t->n_skipped <= MAX_SKIPPED_SHOWN)
        rnn_report_line(t->report, "WARNING", "step skipped%s: %s",
                        t->n_skipped == MAX_SKIPPED_SHOWN ? " (the last one that is told)" : "",
                        rnn_error_message());
    if (++t->n_skipped_in_row < MAX_SKIPPED_IN_ROW)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_NONFINITE, "%d steps in a row were skipped; the last: %s",
                    MAX_SKIPPED_IN_ROW, rnn_error_message());
}

static void report_place(const rnn_trainer *t)
{
    const rnn_progress *p = &t->progress;
    rnn_run *run = t->run;
    const rnn_report_place place = {
        .epoch = p->epoch + 1,
        .batch = p->batch_in_epoch,
        .n_batches = rnn_loader_n_batches(run->loader[RNN_SPLIT_TRAIN]),
        .step = p->step,
        .loss = epoch_loss(t),
        .accuracy = epoch_accuracy(t),
        .samples_per_second = (double)p->epoch_samples / p->epoch_seconds,
        .epoch_seconds = p->epoch_seconds,
        .lr = rnn_schedule_lr(&run->schedule, run->lr, p->epoch, p->step - 1, run->total_steps)};

    rnn_report_progress(t->report, &place);
}

static void count_step(rnn_trainer *t, const rnn_step_result *result)
{
    t->progress.step++;
    t->progress.batch_in_epoch += result->n_batches;
    t->progress.samples_seen += result->n_samples;
    t->progress.epoch_loss_sum += result->loss_sum;
    t->progress.epoch_correct += result->n_correct;
    t->progress.epoch_samples += result->is_skipped ? 0 : result->n_samples;
    t->progress.epoch_targets += result->n_targets;
    rnn_trainer_advance_clock(t);
    report_place(t);
}

/* Collective. Checkpoints, then ends the run with RNN_STOPPED. */
static rnn_status stop(rnn_trainer *t)
{
    char *path = NULL;
    rnn_status st;

    st = rnn_trainer_save(t, false, true, &path);
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

/* So that who asks a scheduler for a signal before the end of a job knows how long before. The
 * first step is one of the longest. */
static void show_bound(rnn_trainer *t, double step_seconds)
{
    if (t->bound_is_shown)
        return;
    t->bound_is_shown = true;
    rnn_report_line(t->report, "signals",
                    "SIGINT, SIGTERM, SIGUSR1, SIGUSR2 end the run within about %.2g s: "
                    "a step (%.2g s) and a checkpoint (%.2g s)",
                    step_seconds + t->checkpoint_seconds, step_seconds, t->checkpoint_seconds);
}

/* Collective. What is due after a step. */
static rnn_status follow_up(rnn_trainer *t, const rnn_step_result *result)
{
    const rnn_config *c = t->run->config;
    uint64_t every_steps = (uint64_t)c->checkpoint.every_steps;
    uint64_t compare_every = (uint64_t)c->parallel.compare_every;

    RNN_TRY(watch_skipped(t, result));
    if (result->stop_requested)
        return stop(t);
    if (compare_every > 0 && t->progress.step % compare_every == 0)
        RNN_TRY(rnn_trainer_compare_replicas(t));
    if (result->checkpoint_due || (every_steps > 0 && t->progress.step % every_steps == 0))
        return rnn_trainer_save(t, false, false, NULL);
    return RNN_OK;
}

/* Collective. Runs the batches of the current epoch that are left, up to the run's last step. */
static rnn_status train_batches(rnn_trainer *t)
{
    rnn_run *run = t->run;
    rnn_loader *loader = run->loader[RNN_SPLIT_TRAIN];

    RNN_TRY(rnn_comm_agree(run->comm, rnn_loader_seek(loader, (uint32_t)t->progress.epoch,
                                                      t->progress.batch_in_epoch)));
    while (t->progress.step < run->total_steps && !rnn_trainer_epoch_is_complete(t)) {
        double begun = rnn_clock_seconds();
        rnn_step_result result;

        rnn_comm_note_step(run->comm, t->progress.step + 1);
        RNN_TRY(rnn_train_step(run, t->progress.epoch, t->progress.step, checkpoint_due_by_time(t),
                               &result));
        show_bound(t, rnn_clock_seconds() - begun);
        count_step(t, &result);
        RNN_TRY(follow_up(t, &result));
    }
    return RNN_OK;
}

/* Collective. The epoch so far in numbers. */
static rnn_status summarize_epoch(rnn_trainer *t, rnn_epoch_summary *s)
{
    rnn_run *run = t->run;
    const rnn_progress *p = &t->progress;
    rnn_time_split split;
    double begun;

    *s = (rnn_epoch_summary){
        .epoch = p->epoch + 1,
        .n_epochs = (uint64_t)run->config->run.epochs,
        .step = p->step,
        .train_loss = epoch_loss(t),
        .train_accuracy = epoch_accuracy(t),
        .lr = rnn_schedule_lr(&run->schedule, run->lr, p->epoch, p->step - 1, run->total_steps),
        .samples_per_second = (double)p->epoch_samples / p->epoch_seconds,
        .data_wait = rnn_loader_wait_seconds(run->loader[RNN_SPLIT_TRAIN]) - t->waited,
        .digest = rnn_run_digest(run)};
    RNN_TRY(rnn_trainer_compare_replicas(t));
    split = rnn_trainer_split_clocks(t);
    begun = rnn_clock_seconds();
    /* After a part of an epoch, run.steps, there would be no second time for it. */
    RNN_TRY(rnn_evaluate(run, run->monitor, rnn_trainer_epoch_is_complete(t), &s->scores));
    split.seconds[RNN_TIME_EVALUATE] = rnn_clock_seconds() - begun;
    s->split = split;
    s->has_split = t->run->timeline != NULL;
    RNN_TRY(rnn_predictions_take(run, &s->predicted));
    s->data_wait /= p->epoch_seconds;
    rnn_trainer_advance_clock(t);
    s->seconds = p->epoch_seconds;
    return RNN_OK;
}

/* Makes the progress that of a finished epoch. */
static rnn_status close_epoch(rnn_trainer *t, const rnn_epoch_summary *s)
{
    rnn_progress *p = &t->progress;

    p->epoch++;
    p->batch_in_epoch = 0;
    p->epoch_loss_sum = p->epoch_seconds = 0.0;
    p->epoch_correct = p->epoch_samples = p->epoch_targets = 0;
    return rnn_trainer_append_history(t, s);
}

/* Steps to do, or an epoch that was interrupted between its last step and its evaluation. */
static bool has_work(const rnn_trainer *t)
{
    return (t->progress.step < t->run->total_steps && !rnn_trainer_has_lost_patience(t)) ||
           rnn_trainer_epoch_is_complete(t);
}

/* Collective. The rest of the running epoch, or what of it comes before the run's last step. */
static rnn_status train_epoch(rnn_trainer *t)
{
    const rnn_config *c = t->run->config;
    rnn_epoch_summary summary;
    bool is_best, is_final, is_periodic;
    rnn_status st;

    t->clock = rnn_clock_seconds();
    t->waited = rnn_loader_wait_seconds(t->run->loader[RNN_SPLIT_TRAIN]);
    rnn_trainer_start_clocks(t);
    RNN_TRY(train_batches(t));
    st = summarize_epoch(t, &summary);
    if (st != RNN_OK)
        return st == RNN_STOPPED ? stop(t) : st;
    rnn_report_epoch(t->report, &summary);
    rnn_free(summary.predicted);
    is_best = rnn_trainer_judge(t, &summary);
    if (rnn_trainer_epoch_is_complete(t))
        RNN_TRY(rnn_comm_agree(t->run->comm, close_epoch(t, &summary)));
    is_final = !has_work(t);
    is_periodic = c->checkpoint.every_epochs > 0 &&
                  t->progress.epoch % (uint64_t)c->checkpoint.every_epochs == 0;
    if (is_final || is_best || is_periodic)
        return rnn_trainer_save(t, is_best, is_final, NULL);
    return RNN_OK;
}

/* Collective. Where validation has watched the epochs, the test samples are for the end. */
static rnn_status test_at_end(rnn_trainer *t)
{
    rnn_run *run = t->run;
    rnn_scores scores;

    if (run->monitor == RNN_SPLIT_TEST || run->loader[RNN_SPLIT_TEST] == NULL)
        return RNN_OK;
    RNN_TRY(rnn_evaluate(run, RNN_SPLIT_TEST, true, &scores));
    rnn_report_scores(t->report, "test", &scores);
    return RNN_OK;
}

/* The key that ended a run. */
static const char *limit_of(const rnn_trainer *t)
{
    if (rnn_trainer_has_lost_patience(t))
        return "train.patience";
    return t->run->total_steps == (uint64_t)t->run->config->run.steps ? "run.steps" : "run.epochs";
}

static rnn_status train_all(rnn_trainer *t)
{
    const rnn_config *c = t->run->config;
    rnn_status st = rnn_trainer_is_first(t) ? rnn_folder_create(c->run.output_dir) : RNN_OK;

    RNN_TRY(rnn_comm_agree(t->run->comm, st));
    RNN_TRY(rnn_comm_agree(t->run->comm, rnn_report_create(&t->report, t->run)));
    rnn_report_banner(t->report);
    RNN_TRY(rnn_trainer_check_metric(t));
    RNN_TRY(rnn_trainer_resume(t));
    RNN_TRY(rnn_comm_agree(t->run->comm, rnn_report_open_metrics(t->report, &t->progress)));
    RNN_TRY(rnn_comm_agree(t->run->comm, rnn_trainer_begin_clocks(t)));
    if (t->progress.step > 0)
        rnn_report_event(t->report, "resume", t->progress.epoch, t->progress.step);
    if (!has_work(t))
        rnn_report_line(t->report, "done",
                        "this run is complete: %" PRIu64 " steps, %" PRIu64
                        " epochs. Raise %s to train on",
                        t->progress.step, t->progress.epoch, limit_of(t));
    if (has_work(t))
        RNN_TRY(rnn_trainer_rehearse(t));
    t->last_checkpoint = rnn_clock_seconds();
    while (has_work(t))
        RNN_TRY(train_epoch(t));
    if (rnn_trainer_has_lost_patience(t))
        rnn_report_line(t->report, "patience",
                        "no better for %" PRIu64 " epochs; the best is that of step %" PRIu64,
                        t->progress.stale_epochs, t->progress.best_step);
    RNN_TRY(test_at_end(t));
    if (t->run->predicted != NULL) /* its epochs have no column for it */
        rnn_report_line(t->report, "digest", "%016" PRIx64, rnn_run_digest(t->run));
    rnn_report_line(t->report, "done", "%s/latest.h5", c->run.output_dir);
    return RNN_OK;
}

rnn_status rnn_train(rnn_run *run)
{
    rnn_trainer t = rnn_trainer_begin(run);
    rnn_status st;

    rnn_signals_install();
    st = train_all(&t);
    rnn_report_end(t.report, st);
    rnn_report_destroy(&t.report);
    rnn_trainer_end_clocks(&t);
    rnn_free(t.history.values);
    rnn_free(t.carried);
    return st;
}
