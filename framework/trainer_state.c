/* A run's checkpoints: what is in them, and taking one up again. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "framework/fit_file.h"
#include "framework/optimizer_share.h"
#include "framework/replicas.h"
#include "framework/trainer_parts.h"
#include "kernels/clock.h"
#include "kernels/hdf5_library.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"
#include "kernels/vector.h"

enum { MAX_FAILED_CHECKPOINTS = 3 };

/* -- Checkpoints ----------------------------------------------------------------------------- */

static rnn_checkpoint describe_state(rnn_trainer *t)
{
    return (rnn_checkpoint){.model = t->run->model,
                            .params = t->run->params,
                            .optimizer = t->whole != NULL ? t->whole : t->run->optimizer,
                            .progress = &t->progress,
                            .history = &t->history,
                            .config = t->run->config_text};
}

/* The carried states of all rows as blocks; their values are t->carried. */
static size_t describe_carried(const rnn_trainer *t, rnn_block *blocks)
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

/* Room for the states of all rows, if there is none yet. */
static rnn_status reserve_carried(rnn_trainer *t, const rnn_carry *carry)
{
    return t->carried != NULL ? RNN_OK
                              : RNN_ALLOC(&t->carried, rnn_carry_size(carry), "carried states");
}

/* Collective. Brings the states that all ranks carry together, for the next checkpoint. */
static rnn_status gather_carried(rnn_trainer *t)
{
    const rnn_carry *carry = rnn_executor_carry(t->run->executor);
    size_t size = carry != NULL ? rnn_carry_size(carry) : 0;
    double *values = NULL;
    rnn_status st;

    if (carry == NULL)
        return RNN_OK;
    st = RNN_ALLOC(&values, size, "carried states");
    if (st == RNN_OK)
        st = reserve_carried(t, carry);
    RNN_TRY_GOTO(st, rnn_comm_agree(t->run->comm, st), done);
    rnn_carry_save(carry, values);
    RNN_TRY_GOTO(st, rnn_comm_sum_exact(t->run->comm, values, size), done);
    for (size_t i = 0; i < size; i++)
        t->carried[i] = (float)values[i];
done:
    rnn_free(values);
    return st;
}

typedef rnn_status (*checkpoint_use)(const rnn_checkpoint *checkpoint, const char *folder,
                                     void *result);

/* Beside the model: what the data was fitted with, and carried states. */
static rnn_status add_blocks(const rnn_trainer *t, rnn_checkpoint *checkpoint, checkpoint_use use,
                             void *result)
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
        st = use(checkpoint, t->run->config->run.output_dir, result);
    }
    rnn_free(texts);
    return st;
}

/* Makes the whole checkpoint and hands it to `use`. */
static rnn_status with_checkpoint(rnn_trainer *t, checkpoint_use use, void *result)
{
    const rnn_run *run = t->run;
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    rnn_checkpoint checkpoint = describe_state(t);
    char host[256] = "unknown", ranks[32], threads[32], digest[32];
    const rnn_fact facts[] = {{"rnntrain", RNN_VERSION},
                              {"kernels", rnn_kernel_library()},
                              {"cpu_isa", rnn_kernel_isa()},
                              {"hdf5", rnn_hdf5_version()},
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
    return add_blocks(t, &checkpoint, use, result);
}

static rnn_status write_it(const rnn_checkpoint *checkpoint, const char *folder, void *path)
{
    return rnn_checkpoint_write(checkpoint, folder, path);
}

rnn_status rnn_trainer_write_files(rnn_trainer *t, bool is_best, char **path)
{
    const char *folder = t->run->config->run.output_dir;

    RNN_TRY(with_checkpoint(t, write_it, path));
    if (is_best)
        RNN_TRY(rnn_checkpoint_mark_best(folder, t->progress.step));
    return rnn_checkpoint_prune(folder, (size_t)t->run->config->checkpoint.keep);
}

rnn_status rnn_trainer_compare_replicas(rnn_trainer *t)
{
    double begin;

    if (t->progress.step > 0 && t->compared_step == t->progress.step)
        return RNN_OK;
    begin = rnn_run_begin(t->run);
    RNN_TRY(rnn_replicas_compare(t->run, t->progress.step));
    rnn_run_end(t->run, RNN_PHASE_COMPARE, begin);
    t->compared_step = t->progress.step;
    return RNN_OK;
}

/*
 * Collective. Rank 0 writes, all learn the outcome. A failed write of a run that goes on is only
 * warned about, a few times in a row; *path may be NULL.
 */
rnn_status rnn_trainer_save(rnn_trainer *t, bool is_best, bool is_final, char **path)
{
    rnn_status st;
    double begin;

    rnn_trainer_advance_clock(t);
    RNN_TRY(rnn_trainer_compare_replicas(t));
    begin = rnn_run_begin(t->run);
    rnn_comm_note_activity(t->run->comm, "writing a checkpoint");
    RNN_TRY(gather_carried(t));
    RNN_TRY(rnn_share_gather(t->run, &t->whole));
    st = rnn_trainer_is_first(t) ? rnn_trainer_write_files(t, is_best, path) : RNN_OK;
    rnn_optimizer_destroy(&t->whole);
    st = rnn_comm_agree(t->run->comm, st);
    t->last_checkpoint = rnn_clock_seconds();
    rnn_run_end(t->run, RNN_PHASE_CHECKPOINT, begin);
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

/* -- Before training ----------------------------------------------------------------------------
 */

static rnn_status rehearse_it(const rnn_checkpoint *checkpoint, const char *folder, void *n_bytes)
{
    return rnn_checkpoint_rehearse(checkpoint, folder, n_bytes);
}

/* More than one checkpoint will be there; what others write meanwhile nobody knows. */
static void warn_about_room(const rnn_trainer *t, size_t n_bytes)
{
    const rnn_config *c = t->run->config;
    size_t room = rnn_folder_free_bytes(c->run.output_dir) / n_bytes;
    size_t needed = (size_t)c->checkpoint.keep + 1; /* the oldest goes when the newest is there */

    if (c->checkpoint.keep > 0 && room < needed)
        rnn_report_line(
            t->report, "WARNING",
            "%s has room for %zu more checkpoints of %.1f MB; checkpoint.keep = %" PRId64
            " may need %zu",
            c->run.output_dir, room, 1e-6 * (double)n_bytes, c->checkpoint.keep, needed);
}

/* Rank 0. */
static rnn_status rehearse(rnn_trainer *t)
{
    double begun = rnn_clock_seconds();
    size_t n_bytes = 0;
    rnn_status st = with_checkpoint(t, rehearse_it, &n_bytes);

    t->checkpoint_seconds = rnn_clock_seconds() - begun;
    if (st == RNN_ERR_IO)
        return RNN_FAIL(st, "no checkpoint could be written, so nothing was trained: %s (%.1f MB)",
                        rnn_error_message(), 1e-6 * (double)n_bytes);
    RNN_TRY(st);
    warn_about_room(t, n_bytes);
    return RNN_OK;
}

rnn_status rnn_trainer_rehearse(rnn_trainer *t)
{
    rnn_status st;

    rnn_comm_note_activity(t->run->comm, "writing a checkpoint");
    RNN_TRY(gather_carried(t));
    RNN_TRY(rnn_share_gather(t->run, &t->whole));
    st = rnn_trainer_is_first(t) ? rehearse(t) : RNN_OK;
    rnn_optimizer_destroy(&t->whole);
    return rnn_comm_agree(t->run->comm, st);
}

/* -- Resume ---------------------------------------------------------------------------------- */

/* What was best in one metric says nothing about another. */
static void forget_best(rnn_progress *p)
{
    p->best_metric = p->plateau_best = (double)NAN;
    p->best_step = p->stale_epochs = p->plateau_bad_epochs = 0;
}

static void report_skipped(const char *text, void *context)
{
    rnn_report_line(((rnn_trainer *)context)->report, "WARNING", "skipped %s", text);
}

static rnn_status check_data(const rnn_trainer *t, const rnn_progress *then, const char *path)
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
static rnn_status check_config(const rnn_trainer *t, const char *path, bool *same_metric)
{
    rnn_config then = {0};
    char *text;
    rnn_status st;

    RNN_TRY(rnn_checkpoint_read_config(path, &text));
    st = rnn_config_parse(&then, text, strlen(text), path, NULL, 0);
    if (st == RNN_OK)
        st = rnn_config_check_resume(&then, t->run->config);
    if (st == RNN_OK)
        *same_metric = rnn_trainer_best(t->run, &then) == rnn_trainer_best(t->run, t->run->config);
    else if (st != RNN_ERR_MEMORY) /* which says nothing about the file */
        st = RNN_FAIL(st,
                      "cannot resume from %s: %s (another run.output_dir, or run.resume = "
                      "\"never\", starts anew)",
                      path, rnn_error_message());
    rnn_config_free(&then);
    rnn_free(text);
    return st;
}

rnn_status rnn_trainer_set_aside(rnn_trainer *t)
{
    char *moved_to;

    RNN_TRY(rnn_checkpoint_set_aside(t->run->config->run.output_dir, &moved_to));
    if (moved_to != NULL)
        rnn_report_line(t->report, "note", "moved an earlier run's files to %s", moved_to);
    rnn_free(moved_to);
    return RNN_OK;
}

/* Rank 0: the states that an interrupted epoch goes on with. */
static rnn_status read_carried(rnn_trainer *t, const char *path)
{
    rnn_carry *carry = rnn_executor_carry(t->run->executor);
    rnn_block blocks[2 * RNN_MODEL_MAX_LAYERS];
    size_t n;
    rnn_status st;

    if (carry == NULL || t->progress.batch_in_epoch == 0)
        return RNN_OK;
    RNN_TRY(reserve_carried(t, carry));
    n = describe_carried(t, blocks);
    st = rnn_checkpoint_read_blocks(path, blocks, n);
    for (size_t i = 0; i < n && st == RNN_OK; i++) {
        const rnn_carry_array *a = rnn_carry_get_array(carry, i);
        size_t n_values = a->shape[0] * a->shape[1] * a->shape[2];

        if (blocks[i].values == NULL || blocks[i].n_dims != 3 ||
            memcmp(blocks[i].shape, a->shape, sizeof a->shape) != 0)
            st = RNN_FAIL(RNN_ERR_DATA,
                          "%s: /%s: expected the carried states of an epoch that was interrupted, "
                          "float32 [%zu][%zu][%zu]",
                          path, blocks[i].path, a->shape[0], a->shape[1], a->shape[2]);
        else if (rnn_vector_find_nonfinite(blocks[i].values, n_values) < n_values)
            st = RNN_FAIL(RNN_ERR_DATA, "%s: /%s is not finite", path, blocks[i].path);
        else
            memcpy(t->carried + a->offset, blocks[i].values, n_values * sizeof *t->carried);
    }
    for (size_t i = 0; i < n; i++)
        rnn_free(blocks[i].values);
    return st;
}

/* Rank 0: finds and reads the checkpoint to resume from; *path is NULL for a fresh start. */
static rnn_status read_state(rnn_trainer *t, char **path)
{
    const rnn_config *c = t->run->config;
    rnn_checkpoint checkpoint = describe_state(t);
    bool same_metric = true;

    *path = NULL;
    if (strcmp(c->run.resume, "never") == 0)
        return rnn_trainer_set_aside(t);
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
static rnn_status share_carried(rnn_trainer *t)
{
    rnn_carry *carry = rnn_executor_carry(t->run->executor);

    if (carry == NULL || t->progress.batch_in_epoch == 0)
        return RNN_OK;
    RNN_TRY(rnn_comm_agree(t->run->comm, reserve_carried(t, carry)));
    RNN_TRY(rnn_comm_broadcast(t->run->comm, t->carried, rnn_carry_size(carry) * sizeof *t->carried,
                               0));
    rnn_carry_load(carry, t->carried);
    return RNN_OK;
}

/* Collective. */
static rnn_status share_optimizer(rnn_trainer *t)
{
    rnn_optimizer *optimizer = t->run->optimizer;
    size_t n_bytes = rnn_model_size(t->run->model) * sizeof(float);
    uint64_t step = rnn_optimizer_get_step(optimizer);
    double scalar = rnn_optimizer_get_scalar(optimizer);

    if (t->run->is_shared_out)
        return rnn_share_scatter(t->run, t->whole);
    for (size_t i = 0; i < rnn_optimizer_n_states(optimizer); i++)
        RNN_TRY(rnn_comm_broadcast(t->run->comm, rnn_optimizer_state(optimizer, i), n_bytes, 0));
    RNN_TRY(rnn_comm_broadcast(t->run->comm, &step, sizeof step, 0));
    RNN_TRY(rnn_comm_broadcast(t->run->comm, &scalar, sizeof scalar, 0));
    rnn_optimizer_set_step(optimizer, step);
    rnn_optimizer_set_scalar(optimizer, scalar);
    return RNN_OK;
}

/* Collective. What rank 0 has read becomes the state of all. */
static rnn_status share_state(rnn_trainer *t)
{
    rnn_comm *comm = t->run->comm;
    size_t n_bytes = rnn_model_size(t->run->model) * sizeof(float);

    RNN_TRY(rnn_comm_broadcast(comm, &t->progress, sizeof t->progress, 0));
    RNN_TRY(rnn_comm_broadcast(comm, t->run->params, n_bytes, 0));
    RNN_TRY(share_optimizer(t));
    rnn_executor_load(t->run->executor, t->run->params);
    t->run->lr = t->run->config->optimizer.lr * t->progress.plateau_scale;
    return share_carried(t);
}

rnn_status rnn_trainer_resume(rnn_trainer *t)
{
    char *path = NULL;
    rnn_status st;

    rnn_comm_note_activity(t->run->comm, "reading a checkpoint");
    RNN_TRY(rnn_share_gather(t->run, &t->whole)); /* to have one that can be read into */
    st = rnn_trainer_is_first(t) ? read_state(t, &path) : RNN_OK;
    st = rnn_comm_agree(t->run->comm, st);
    if (st == RNN_OK)
        st = share_state(t);
    rnn_optimizer_destroy(&t->whole);
    if (st == RNN_OK && path != NULL)
        rnn_report_line(t->report, "resume",
                        "from %s: epoch %" PRIu64 ", step %" PRIu64 " of %" PRIu64, path,
                        t->progress.epoch + (t->progress.batch_in_epoch > 0), t->progress.step,
                        t->run->total_steps);
    rnn_free(path);
    return st;
}
