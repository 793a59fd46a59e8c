/*
 * Training: epochs of steps, evaluation, checkpoints, resume, and an orderly stop on request.
 */
#ifndef RNN_FRAMEWORK_TRAINER_H
#define RNN_FRAMEWORK_TRAINER_H

#include "framework/run.h"
#include "kernels/status.h"

/*
 * Collective. Trains `run` to its end, resuming first as run.resume says. Returns RNN_STOPPED, with
 * a message and after a checkpoint, if a signal asked to stop; RNN_ERR_NONFINITE if the loss or the
 * gradient norm is not finite (before the update); other failures as they come, the same on every
 * rank.
 */
rnn_status rnn_train(rnn_run *run);

/*
 * Collective. Makes the parameters in `weights` (framework/state_dict.h) those that training `run`
 * starts from: rank 0 writes them as the checkpoint of step 0. Refuses (RNN_ERR_DATA) if the output
 * folder has a checkpoint, unless run.resume is "never", which sets that one aside; on failure
 * nothing has changed there, except for what had to be set aside.
 */
rnn_status rnn_import(rnn_run *run, const char *weights);

/* What all ranks know after a step. */
typedef struct rnn_step_result {
    size_t n_batches;    /* train.accumulate; fewer if the epoch had no more */
    size_t n_samples;    /* in these global batches */
    double loss_sum;     /* over them */
    uint64_t n_targets;  /* that the loss counts */
    uint64_t n_correct;  /* of them */
    bool stop_requested; /* by a signal on any rank */
    bool checkpoint_due; /* as rank 0 said */
    bool is_skipped; /* nothing was updated, nor is it in the sums; rnn_error_message() is why */
} rnn_step_result;

/*
 * Collective. One optimizer step on the next batch of the training loader, or on the next
 * train.accumulate batches, up to the end of the epoch. `epoch` and `step` are 0-based;
 * `checkpoint_due` is passed on to all ranks. A loss or gradient norm that is not finite is found
 * before the update, on all ranks: RNN_ERR_NONFINITE naming tensor and samples, or a step that is
 * skipped, as train.on_nonfinite says.
 */
rnn_status rnn_train_step(rnn_run *run, uint64_t epoch, uint64_t step, bool checkpoint_due,
                          rnn_step_result *result);

/*
 * Collective. Loss and metrics over a whole split, the same for any number of ranks; rnn_no_scores
 * where the split is empty. RNN_STOPPED, without scores, if a signal asks to stop meanwhile and
 * `may_stop`.
 */
rnn_status rnn_evaluate(rnn_run *run, rnn_split split, bool may_stop, rnn_scores *scores);

#endif
