/*
 * The training step and evaluation: what every rank computes, and how the ranks put it together.
 */
#include <math.h>
#include <string.h>

#include "framework/nonfinite.h"
#include "framework/optimizer_share.h"
#include "framework/predictions.h"
#include "framework/signals.h"
#include "framework/trainer.h"
#include "kernels/vector.h"

/*
 * What ranks tell each other once per batch (run->news), in one small exact sum: counts, flags, and
 * each shard's loss, which is zero on all ranks but its owner.
 */
enum { SLOT_TARGETS, SLOT_CORRECT, SLOT_FAILED, SLOT_STOP, SLOT_CHECKPOINT };

static void clear_news(rnn_run *run)
{
    memset(run->news, 0, (RNN_STEP_SLOTS + run->n_shards) * sizeof *run->news);
}

static void add_results(rnn_run *run)
{
    const rnn_loss_sums *results = rnn_executor_results(run->executor);

    for (size_t i = 0; i < run->n_own_shards; i++) {
        run->news[RNN_STEP_SLOTS + run->first_shard + i] += results[i].loss;
        run->news[SLOT_TARGETS] += (double)results[i].n_targets;
        run->news[SLOT_CORRECT] += (double)results[i].n_correct;
    }
}

/* The shards' losses in the order of the gradient tree, so ranks do not matter. */
static double fold(const double *values, size_t count)
{
    if (count == 1)
        return values[0];
    return fold(values, count / 2) + fold(values + count / 2, count / 2);
}

/* Collective. Sums the news over ranks; if any rank failed, all return its status and message. */
static rnn_status exchange(rnn_run *run, rnn_status mine)
{
    double begin = rnn_run_begin(run);

    run->news[SLOT_FAILED] = mine != RNN_OK;
    RNN_TRY(rnn_comm_sum_exact(run->comm, run->news, RNN_STEP_SLOTS + run->n_shards));
    rnn_run_end(run, RNN_PHASE_NEWS, begin);
    return run->news[SLOT_FAILED] > 0 ? rnn_comm_agree(run->comm, mine) : RNN_OK;
}

static double total_loss(const rnn_run *run)
{
    return fold(run->news + RNN_STEP_SLOTS, run->n_shards);
}

/* What is left to do after something was not finite: nothing, if such a step may be left out. */
static rnn_status tolerate(const rnn_run *run, rnn_status st, rnn_step_result *result)
{
    if (st != RNN_ERR_NONFINITE || run->config->train.on_nonfinite == RNN_NONFINITE_STOP)
        return st;
    result->is_skipped = true;
    return RNN_OK;
}

/* Where a batch stands among those of a step, whose gradients are added up in run->grads. */
typedef struct place_in_step {
    bool is_first, is_last;
} place_in_step;

/* What a rank brings to a batch. */
typedef struct own_part {
    place_in_step place;
    float *sum;          /* of the batch over ranks: run->grads or, to be added, another */
    float *const *nodes; /* [n_nodes] of the tree; NULL if another way is taken */
    size_t n_nodes;
} own_part;

static place_in_step place_of(const rnn_run *run, const rnn_batch *batch, size_t n_before)
{
    size_t n_in_epoch = rnn_loader_n_batches(run->loader[RNN_SPLIT_TRAIN]);

    return (place_in_step){.is_first = n_before == 0,
                           .is_last = n_before + 1 == (size_t)run->config->train.accumulate ||
                                      batch->number + 1 == n_in_epoch};
}

/* Collective. The batch's sum over ranks in the fixed tree, then batch by batch: the same bits for
 * any number of ranks. Only of this rank's chunk if the optimizer is shared out. */
static rnn_status add_tree(rnn_run *run, const own_part *part)
{
    double begin = rnn_run_begin(run);

    if (run->is_shared_out)
        RNN_TRY(rnn_reducer_scatter(run->reducer, part->nodes, part->n_nodes, part->sum));
    else
        RNN_TRY(rnn_reducer_tree(run->reducer, part->nodes, part->n_nodes, part->sum));
    rnn_run_end(run, RNN_PHASE_REDUCE, begin);
    if (!part->place.is_first)
        rnn_vector_add(run->grads + run->chunk_first, part->sum + run->chunk_first,
                       run->chunk_count);
    return RNN_OK;
}

/* Collective. Batches are added up in each rank; in the last, stages leave for the other ranks as
 * soon as their backward pass is done, last stage first. */
static rnn_status add_buckets(rnn_run *run, const own_part *part)
{
    rnn_status st = RNN_OK;
    double begin;

    for (size_t s = rnn_model_n_stages(run->model); s-- > 0;) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);
        rnn_status finished = rnn_executor_finish(run->executor, s, part->sum);

        /* Ranks must start the same buckets, so a failure is kept until all have. */
        if (st == RNN_OK)
            st = finished;
        if (!part->place.is_first)
            rnn_vector_add(run->grads + stage->offset, part->sum + stage->offset, stage->count);
        if (part->place.is_last && stage->count > 0)
            RNN_TRY(rnn_reducer_start(run->reducer, run->grads, stage->offset, stage->count));
    }
    begin = rnn_run_begin(run);
    RNN_TRY(rnn_reducer_wait(run->reducer));
    rnn_run_end(run, RNN_PHASE_REDUCE, begin);
    return rnn_comm_agree(run->comm, st);
}

/* Gradients of this rank's samples as nodes of the tree. Without other ranks, the one node is the
 * sum, and goes where add_tree wants it. */
static rnn_status make_nodes(rnn_run *run, const rnn_nonfinite_place *at, own_part *part)
{
    float *first = rnn_comm_size(run->comm) == 1 ? part->sum : NULL;

    return rnn_executor_gradients(run->executor, at->batch, at->number, first, &part->nodes,
                                  &part->n_nodes);
}

/* This rank's part: next batch, forward, loss, backward; the tree's nodes if that is the way. */
static rnn_status forward_backward(rnn_run *run, size_t n_before, rnn_nonfinite_place *at,
                                   own_part *part)
{
    double begin = rnn_run_begin(run);

    rnn_comm_note_activity(run->comm, "reading data");
    RNN_TRY(rnn_loader_next(run->loader[RNN_SPLIT_TRAIN], &at->batch));
    rnn_run_end(run, RNN_PHASE_DATA, begin);
    rnn_comm_note_activity(run->comm, "training");
    if (at->batch == NULL)
        return RNN_FAIL(RNN_ERR_INTERNAL, "the loader has no batch left in this epoch");
    part->place = place_of(run, at->batch, n_before);
    part->sum = part->place.is_first ? run->grads : run->batch_grads;
    if (run->config->parallel.reduction == RNN_REDUCTION_REPRODUCIBLE)
        RNN_TRY(make_nodes(run, at, part));
    else
        RNN_TRY(rnn_executor_begin(run->executor, at->batch, at->number));
    add_results(run);
    rnn_predictions_keep(run, at->batch);
    return RNN_OK;
}

/* What all ranks know of the batch, added to what they know of those before it. */
static void count_batch(const rnn_run *run, const rnn_batch *batch, double loss,
                        rnn_step_result *result)
{
    result->n_batches++;
    result->n_samples += batch->n_samples;
    result->loss_sum += loss;
    result->n_targets += (uint64_t)run->news[SLOT_TARGETS];
    result->n_correct += (uint64_t)run->news[SLOT_CORRECT];
    result->stop_requested |= run->news[SLOT_STOP] > 0;
    result->checkpoint_due |= run->news[SLOT_CHECKPOINT] > 0;
}

/* Collective. The next batch of a step. */
static rnn_status take_batch(rnn_run *run, bool checkpoint_due, rnn_nonfinite_place *at,
                             rnn_step_result *result, bool *is_last)
{
    own_part part = {.nodes = NULL};
    double loss;

    at->number = at->step * (uint64_t)run->config->train.accumulate + result->n_batches;
    clear_news(run);
    run->news[SLOT_STOP] = rnn_signals_pending() != 0;
    run->news[SLOT_CHECKPOINT] = checkpoint_due;
    RNN_TRY(exchange(run, forward_backward(run, result->n_batches, at, &part)));
    loss = total_loss(run);
    *is_last = part.place.is_last;
    count_batch(run, at->batch, loss, result);
    if (!isfinite(loss))
        return tolerate(run, rnn_nonfinite_loss(run, at), result);
    return part.nodes != NULL ? add_tree(run, &part) : add_buckets(run, &part);
}

/* The norm is asked for so that a gradient that is not finite changes nothing. */
static rnn_status update_all(rnn_run *run, float scale, double lr)
{
    rnn_optimizer_pass pass = {run->params, run->grads, (double)scale, lr};
    double norm, begin = rnn_run_begin(run);
    rnn_status st = rnn_optimizer_begin(run->optimizer, &pass, &norm);

    rnn_run_end(run, RNN_PHASE_NORM, begin);
    if (st == RNN_OK)
        rnn_executor_update(run->executor, run->optimizer, &pass);
    return st;
}

/* Collective. Every rank its chunk. */
static rnn_status update_chunk(rnn_run *run, float scale, double lr)
{
    double begin = rnn_run_begin(run);
    rnn_status st = rnn_share_step(run, scale, lr);

    rnn_run_end(run, RNN_PHASE_SHARE, begin);
    if (st == RNN_OK)
        rnn_executor_load(run->executor, run->params);
    return st;
}

/* Collective if the optimizer is shared out. */
static rnn_status update(rnn_run *run, uint64_t epoch, const rnn_nonfinite_place *at,
                         uint64_t n_targets)
{
    float scale = rnn_objective_gradient_scale(&run->objective, (double)n_targets);
    double lr = rnn_schedule_lr(&run->schedule, run->lr, epoch, at->step, run->total_steps);
    rnn_status st = run->is_shared_out ? update_chunk(run, scale, lr) : update_all(run, scale, lr);

    return st == RNN_ERR_NONFINITE ? rnn_nonfinite_gradient(run, at) : st;
}

/* Only from finite parameters can the next step be better. */
static rnn_status skip(rnn_run *run, uint64_t step, rnn_step_result *result)
{
    rnn_carry *carry = rnn_executor_carry(run->executor);

    result->loss_sum = 0.0;
    result->n_targets = result->n_correct = 0;
    if (carry != NULL)
        rnn_carry_mend(carry);
    return rnn_nonfinite_check_params(run, step);
}

/* Collective. */
static rnn_status take_step(rnn_run *run, uint64_t epoch, uint64_t step, bool checkpoint_due,
                            rnn_step_result *result)
{
    rnn_nonfinite_place at = {.step = step};
    bool is_last = false;

    *result = (rnn_step_result){0};
    while (!is_last)
        RNN_TRY(take_batch(run, checkpoint_due, &at, result, &is_last));
    if (!result->is_skipped)
        RNN_TRY(tolerate(run, update(run, epoch, &at, result->n_targets), result));
    return result->is_skipped ? skip(run, step, result) : RNN_OK;
}

rnn_status rnn_train_step(rnn_run *run, uint64_t epoch, uint64_t step, bool checkpoint_due,
                          rnn_step_result *result)
{
    double begin = rnn_timeline_begin(run->timeline);
    rnn_status st = take_step(run, epoch, step, checkpoint_due, result);

    rnn_timeline_end(run->timeline, 0, RNN_PHASE_STEP, (int)(step + 1), begin);
    return st;
}

/* -- Evaluation ------------------------------------------------------------------------------ */

static void see(void *context, int worker, size_t shard, const rnn_answers *answers)
{
    rnn_metrics_see(context, worker, shard, answers);
}

/* This rank's part; the losses of a shard add up over batches in their order. */
static rnn_status evaluate_own(rnn_run *run, rnn_split split, bool may_stop)
{
    const rnn_observer observer = {see, run->metrics};
    const rnn_batch *batch;

    RNN_TRY(rnn_loader_seek(run->loader[split], 0, 0));
    for (;;) {
        run->news[SLOT_STOP] = may_stop && rnn_signals_pending() != 0;
        if (run->news[SLOT_STOP] > 0)
            return RNN_OK;
        RNN_TRY(rnn_loader_next(run->loader[split], &batch));
        if (batch == NULL)
            return RNN_OK;
        RNN_TRY(rnn_executor_evaluate(run->executor, batch, &observer));
        add_results(run);
    }
}

rnn_status rnn_evaluate(rnn_run *run, rnn_split split, bool may_stop, rnn_scores *scores)
{
    double n_samples = (double)rnn_dataset_get_info(run->dataset)->n_samples[split], loss;
    double begin = rnn_run_begin(run);

    *scores = rnn_no_scores;
    if (run->loader[split] == NULL)
        return RNN_OK;
    rnn_comm_note_activity(run->comm, "evaluation");
    clear_news(run);
    rnn_metrics_clear(run->metrics);
    RNN_TRY(exchange(run, evaluate_own(run, split, may_stop)));
    if (run->news[SLOT_STOP] > 0)
        return RNN_FAIL(RNN_STOPPED, "stopped as asked during an evaluation, of which nothing is "
                                     "kept; the same command does it again");
    loss = rnn_objective_mean(&run->objective, total_loss(run), run->news[SLOT_TARGETS], n_samples);
    RNN_TRY(rnn_metrics_finish(run->metrics, run->comm, loss, scores));
    rnn_run_end(run, RNN_PHASE_EVALUATE, begin);
    return RNN_OK;
}
