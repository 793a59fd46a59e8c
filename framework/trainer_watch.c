/* What the metric of an epoch leads to: the best checkpoint, a lower rate, an early end. */
#include <inttypes.h>
#include <math.h>

#include "framework/plateau.h"
#include "framework/trainer_parts.h"

rnn_best rnn_trainer_best(const rnn_run *run, const rnn_config *config)
{
    rnn_best best = (rnn_best)config->checkpoint.best;

    if (best == RNN_BEST_AUTO)
        return run->task == RNN_TASK_CLASSES ? RNN_BEST_ACCURACY : RNN_BEST_LOSS;
    return best;
}

/* What best.h5 is best in; NAN if there is nothing to compare. */
static double best_metric(const rnn_trainer *t, const rnn_scores *s, bool *more_is_better)
{
    rnn_best best = rnn_trainer_best(t->run, t->run->config);

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

static bool is_improvement(const rnn_trainer *t, double metric, bool more_is_better)
{
    double before = t->progress.best_metric;

    if (isnan(metric))
        return false;
    return isnan(before) || (more_is_better ? metric > before : metric < before);
}

/* Whether the learning rate falls after a finished epoch with this metric. */
static void watch_plateau(rnn_trainer *t, double metric, bool more_is_better)
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
bool rnn_trainer_judge(rnn_trainer *t, const rnn_epoch_summary *s)
{
    rnn_progress *p = &t->progress;
    bool more_is_better;
    double metric = best_metric(t, &s->scores, &more_is_better);
    bool is_best = is_improvement(t, metric, more_is_better);

    if (is_best) {
        p->best_metric = metric;
        p->best_step = p->step;
    }
    if (rnn_trainer_epoch_is_complete(t)) {
        p->stale_epochs = is_best ? 0 : p->stale_epochs + 1;
        watch_plateau(t, metric, more_is_better);
    }
    return is_best;
}

/* Early stopping. */
bool rnn_trainer_has_lost_patience(const rnn_trainer *t)
{
    uint64_t patience = (uint64_t)t->run->config->train.patience;

    return patience > 0 && t->progress.stale_epochs >= patience;
}

/* Both need a metric of every epoch. */
rnn_status rnn_trainer_check_metric(const rnn_trainer *t)
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
