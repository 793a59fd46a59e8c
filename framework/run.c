#include "framework/run.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "framework/data.h"
#include "framework/file_io.h"
#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"
#include "kernels/vector.h"

size_t rnn_run_default_shards(size_t batch_size, size_t widest)
{
    const size_t few = widest <= 256 ? 8 : 2; /* for as many workers slices may be small */
    size_t n_shards = 1;

    while (batch_size / (2 * n_shards) >= (2 * n_shards <= few ? 8 : 16))
        n_shards *= 2;
    return n_shards;
}

uint64_t rnn_run_digest(const rnn_run *run)
{
    return rnn_digest(run->params, rnn_model_size(run->model) * sizeof *run->params);
}

/* -- Agreement before anything costs time ---------------------------------------------------- */

/* Digest of the running executable. */
static rnn_status program_digest(uint64_t *digest)
{
    enum { MAX_BYTES = 1 << 30 };
    void *bytes;
    size_t n_bytes;

    RNN_TRY(rnn_file_read("/proc/self/exe", MAX_BYTES, &bytes, &n_bytes));
    *digest = rnn_digest(bytes, n_bytes);
    rnn_free(bytes);
    return RNN_OK;
}

/* Other kernels give other bits, but no wrong ones: that is told, not refused. */
static rnn_status compare_kernels(rnn_run *run)
{
    char text[256];
    int n_odd;

    snprintf(text, sizeof text, "%s %s", rnn_kernel_library(), rnn_kernel_isa());
    return rnn_comm_find_odd(run->comm, rnn_digest(text, strlen(text)), &run->odd_kernels, &n_odd);
}

static rnn_status compare_ranks(rnn_run *run)
{
    uint64_t program = 0;

    RNN_TRY(rnn_comm_agree(run->comm, rnn_config_print(run->config, &run->config_text)));
    RNN_TRY(rnn_comm_compare_text(run->comm, run->config_text, "configuration"));
    RNN_TRY(rnn_comm_agree(run->comm, program_digest(&program)));
    RNN_TRY(rnn_comm_compare(run->comm, program, "program"));
    return compare_kernels(run);
}

/* -- Data ------------------------------------------------------------------------------------ */

/* Whether states that are to be carried have something to be carried to. */
static rnn_status check_streams(const rnn_run *run)
{
    if (run->config->train.carry_state && rnn_dataset_get_info(run->dataset)->n_streams == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "train.carry_state: samples of format '%s' do not go on from one another; "
                        "expected format 'text'",
                        rnn_dataset_formats[run->config->dataset.format]);
    return RNN_OK;
}

static rnn_status open_dataset(rnn_run *run)
{
    rnn_comm_note_activity(run->comm, "reading data");
    RNN_TRY(rnn_comm_agree(run->comm, rnn_data_open(&run->dataset, run->config,
                                                    run->use != NULL ? &run->use->data : NULL)));
    RNN_TRY(rnn_comm_agree(run->comm, check_streams(run)));
    return rnn_comm_compare(run->comm, rnn_dataset_get_info(run->dataset)->digest, "data");
}

/* The last one has the batches that are left. */
static uint64_t steps_of_epoch(const rnn_run *run)
{
    uint64_t n_batches = rnn_loader_n_batches(run->loader[RNN_SPLIT_TRAIN]);
    uint64_t accumulate = (uint64_t)run->config->train.accumulate;

    return (n_batches + accumulate - 1) / accumulate;
}

/* Without test samples there is no loader for them. */
static rnn_status create_loaders(rnn_run *run)
{
    const rnn_config *c = run->config;
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);

    for (int split = 0; split < RNN_N_SPLITS; split++) {
        const rnn_loader_cfg cfg = {
            .dataset = run->dataset,
            .split = (rnn_split)split,
            .sampler = {.n_samples = info->n_samples[split],
                        .batch_size = (size_t)c->train.batch_size,
                        .n_shards = run->n_shards,
                        .shuffle =
                            split == RNN_SPLIT_TRAIN && c->dataset.shuffle && info->n_streams == 0,
                        .is_stream = info->n_streams > 0,
                        .seed = (uint64_t)c->run.seed,
                        .length = rnn_dataset_lengths(run->dataset, (rnn_split)split)},
            .is_filled_later = rnn_dataset_is_in_memory(run->dataset),
            .first_shard = run->first_shard,
            .n_shards = run->n_own_shards};

        if (info->n_samples[split] > 0)
            RNN_TRY(rnn_loader_create(&run->loader[split], &cfg));
    }
    if (run->loader[RNN_SPLIT_TRAIN] == NULL)
        return run->use != NULL ? RNN_OK : RNN_FAIL(RNN_ERR_DATA, "there are no training samples");
    run->total_steps = (uint64_t)c->run.epochs * steps_of_epoch(run);
    if (c->run.steps > 0 && (uint64_t)c->run.steps < run->total_steps)
        run->total_steps = (uint64_t)c->run.steps;
    return RNN_OK;
}

/* -- Model ----------------------------------------------------------------------------------- */

/* Marks are 0 and 1; a scale for the inputs may be one for targets, too. */
static rnn_status check_marks(const rnn_run *run)
{
    size_t n = rnn_dataset_get_info(run->dataset)->n_target_values;
    double scale, offset;

    for (size_t i = 0; run->task == RNN_TASK_MARKS && i < n; i++) {
        rnn_dataset_target_units(run->dataset, i, &scale, &offset);
        if (scale != 1.0 || offset != 0.0)
            return RNN_FAIL(RNN_ERR_DATA,
                            "loss.type \"bce_with_logits\": expected targets as they are in the "
                            "data, found them normalised by mean %g and deviation %g",
                            offset, scale);
    }
    return RNN_OK;
}

static rnn_status create_model(rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    const rnn_config *c = run->config;

    RNN_TRY(rnn_model_create(&run->model, c->layer, c->n_layers, rnn_data_input(run->dataset)));
    run->objective = (rnn_objective){
        .type = (rnn_loss_type)c->loss.type,
        .is_sum = c->loss.reduction == RNN_LOSS_REDUCTION_SUM,
        .last_only = c->loss.steps == RNN_LOSS_STEPS_LAST,
        .cross_entropy = {.ignore_index = c->loss.ignore_index,
                          .label_smoothing = c->loss.label_smoothing},
        .beta = c->loss.beta,
    };
    RNN_TRY(rnn_objective_fit(&run->objective, rnn_model_output(run->model), info));
    run->task = rnn_task_of(&run->objective, info);
    RNN_TRY(check_marks(run));
    RNN_TRY(RNN_ALLOC(&run->params, rnn_model_size(run->model), "parameters"));
    RNN_TRY(RNN_ALLOC(&run->grads, rnn_model_size(run->model), "gradients"));
    if (c->train.accumulate > 1)
        RNN_TRY(RNN_ALLOC(&run->batch_grads, rnn_model_size(run->model), "gradients"));
    return rnn_model_init(run->model, (uint64_t)run->config->run.seed, run->params);
}

static rnn_status create_optimizer(rnn_run *run)
{
    const rnn_config *c = run->config;
    const rnn_optimizer_cfg cfg = {
        .type = (rnn_optimizer_type)c->optimizer.type,
        .lr = c->optimizer.lr,
        .weight_decay = c->optimizer.weight_decay,
        .momentum = c->optimizer.momentum,
        .dampening = c->optimizer.dampening,
        .nesterov = c->optimizer.nesterov,
        .beta1 = c->optimizer.beta1,
        .beta2 = c->optimizer.beta2,
        .eps = c->optimizer.eps,
        .amsgrad = c->optimizer.amsgrad,
        .rho = c->optimizer.rho,
        .alpha = c->optimizer.alpha,
        .centered = c->optimizer.centered,
        .lr_decay = c->optimizer.lr_decay,
        .initial_accumulator_value = c->optimizer.initial_accumulator_value,
        .momentum_decay = c->optimizer.momentum_decay,
        .clip_norm = c->optimizer.clip_norm,
        .clip_value = c->optimizer.clip_value,
    };

    run->lr = c->optimizer.lr;
    run->schedule = (rnn_schedule_cfg){.type = (rnn_schedule_type)c->schedule.type,
                                       .warmup_steps = (uint64_t)c->schedule.warmup_steps,
                                       .step_size = (uint64_t)c->schedule.step_size,
                                       .gamma = c->schedule.gamma,
                                       .min_lr = c->schedule.min_lr,
                                       .pct_start = c->schedule.pct_start,
                                       .div_factor = c->schedule.div_factor,
                                       .final_div_factor = c->schedule.final_div_factor,
                                       .anneal = (rnn_anneal)c->schedule.anneal};
    return rnn_optimizer_create(&run->optimizer, &cfg, run->chunk_count);
}

/* -- This rank's share ----------------------------------------------------------------------- */

static void divide_batch(rnn_run *run)
{
    size_t batch_size = (size_t)run->config->train.batch_size, largest = 0;

    for (size_t s = 0; s < rnn_model_n_stages(run->model); s++) {
        size_t width = rnn_model_stage(run->model, s)->out.n_features;

        largest = width > largest ? width : largest;
    }
    run->n_shards = (size_t)run->config->parallel.shards;
    if (run->n_shards == 0)
        run->n_shards = rnn_run_default_shards(batch_size, largest);
    run->rows = (batch_size + run->n_shards - 1) / run->n_shards;
    rnn_shard_range(run->n_shards, (size_t)rnn_comm_rank(run->comm),
                    (size_t)rnn_comm_size(run->comm), &run->first_shard, &run->n_own_shards);
}

/* Collective. Also finds out what this rank updates. */
static rnn_status create_reducer(rnn_run *run)
{
    const rnn_config *c = run->config;
    const rnn_reducer_cfg cfg = {.n_values = rnn_model_size(run->model),
                                 .n_shards = run->n_shards,
                                 .whole_blocks = c->parallel.shard_optimizer,
                                 .bfloat16 = c->parallel.gradients == RNN_GRADIENTS_BFLOAT16};

    RNN_TRY(rnn_reducer_create(&run->reducer, run->comm, &cfg));
    run->is_shared_out = c->parallel.shard_optimizer && rnn_comm_size(run->comm) > 1;
    run->chunk_count = cfg.n_values;
    if (run->is_shared_out)
        rnn_reducer_chunk(run->reducer, &run->chunk_first, &run->chunk_count);
    return RNN_OK;
}

rnn_status rnn_run_create_executor(const rnn_run *run, size_t first_shard, size_t n_shards,
                                   rnn_executor **out)
{
    const rnn_executor_cfg cfg = {.model = run->model,
                                  .objective = run->objective,
                                  .seed = (uint64_t)run->config->run.seed,
                                  .rows = run->rows,
                                  .first_shard = first_shard,
                                  .n_shards = n_shards,
                                  .n_all_shards = run->n_shards,
                                  .n_threads = run->affinity.threads,
                                  .rounds_nodes =
                                      run->config->parallel.gradients == RNN_GRADIENTS_BFLOAT16,
                                  .carries_state = run->config->train.carry_state,
                                  .keeps_predictions = run->predicted != NULL};

    RNN_TRY(rnn_executor_create(out, &cfg));
    rnn_executor_load(*out, run->params);
    return RNN_OK;
}

/* Room for what a model of texts answers, to be shown in every epoch. */
static rnn_status prepare_predictions(rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);

    if (!info->is_strings || run->use != NULL)
        return RNN_OK;
    return RNN_ALLOC(&run->predicted, info->n_samples[RNN_SPLIT_TRAIN] * info->seq_len,
                     "predictions");
}

static rnn_status list_target_units(rnn_run *run)
{
    size_t n = rnn_dataset_get_info(run->dataset)->n_target_values;
    double offset;

    if (n == 0)
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&run->target_scale, n, "the units of targets"));
    for (size_t i = 0; i < n; i++)
        rnn_dataset_target_units(run->dataset, i, &run->target_scale[i], &offset);
    return RNN_OK;
}

static rnn_status create_metrics(rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    const rnn_metrics_cfg cfg = {.objective = run->objective,
                                 .task = run->task,
                                 .output = rnn_model_output(run->model),
                                 .target_std = run->target_scale,
                                 .n_shards = run->n_shards,
                                 .first_shard = run->first_shard,
                                 .n_own_shards = run->n_own_shards,
                                 .n_threads = run->affinity.threads,
                                 .with_confusion = run->use != NULL && run->use->with_confusion};

    run->monitor = info->n_samples[RNN_SPLIT_VALID] > 0 ? RNN_SPLIT_VALID : RNN_SPLIT_TEST;
    return rnn_metrics_create(&run->metrics, &cfg);
}

/* What each rank makes for itself; the caller agrees on the outcome. */
static rnn_status create_local(rnn_run *run)
{
    RNN_TRY(RNN_ALLOC(&run->news, RNN_STEP_SLOTS + run->n_shards, "the shards' losses"));
    RNN_TRY(prepare_predictions(run));
    RNN_TRY(rnn_run_create_executor(run, run->first_shard, run->n_own_shards, &run->executor));
    RNN_TRY(list_target_units(run));
    RNN_TRY(create_metrics(run));
    RNN_TRY(create_optimizer(run));
    if (run->is_shared_out)
        RNN_TRY(RNN_ALLOC(&run->block_sums, rnn_vector_n_blocks(rnn_model_size(run->model)),
                          "sums of squares"));
    return create_loaders(run);
}

static rnn_status create_all(rnn_run *run)
{
    rnn_comm_set_timeout(run->comm, run->config->run.timeout);
    RNN_TRY(compare_ranks(run));
    rnn_affinity_setup(&run->affinity, run->comm, (int)run->config->parallel.threads,
                       run->config->parallel.binding == 0);
    omp_set_num_threads(run->affinity.threads);
    omp_set_max_active_levels(1);
    RNN_TRY(open_dataset(run));
    rnn_comm_note_activity(run->comm, "preparing the model");
    RNN_TRY(rnn_comm_agree(run->comm, create_model(run)));
    divide_batch(run);
    RNN_TRY(create_reducer(run));
    return rnn_comm_agree(run->comm, create_local(run));
}

rnn_status rnn_run_create(rnn_run **out, const rnn_config *config, const rnn_run_use *use,
                          rnn_comm *comm)
{
    rnn_run *run;
    rnn_status st;

    *out = NULL;
    RNN_TRY(rnn_comm_agree(comm, RNN_ALLOC(&run, 1, "the run")));
    run->config = config;
    run->comm = comm;
    run->use = use;
    st = create_all(run);
    run->use = NULL;
    if (st == RNN_OK)
        *out = run;
    else
        rnn_run_destroy(&run);
    return st;
}

void rnn_run_destroy(rnn_run **run)
{
    rnn_run *r = *run;

    if (r == NULL)
        return;
    for (int split = 0; split < RNN_N_SPLITS; split++)
        rnn_loader_destroy(&r->loader[split]);
    rnn_executor_destroy(&r->executor);
    rnn_metrics_destroy(&r->metrics);
    rnn_free(r->target_scale);
    rnn_reducer_destroy(&r->reducer);
    rnn_optimizer_destroy(&r->optimizer);
    rnn_free(r->block_sums);
    rnn_free(r->news);
    rnn_free(r->predicted);
    rnn_free(r->params);
    rnn_free(r->grads);
    rnn_free(r->batch_grads);
    rnn_model_destroy(&r->model);
    rnn_dataset_destroy(&r->dataset);
    rnn_free(r->config_text);
    rnn_free(r);
    *run = NULL;
}

double rnn_run_begin(const rnn_run *run)
{
    return rnn_timeline_begin(run->timeline);
}

void rnn_run_end(const rnn_run *run, rnn_phase phase, double begin)
{
    rnn_timeline_end(run->timeline, 0, phase, -1, begin);
}

void rnn_run_record(rnn_run *run, rnn_timeline *timeline)
{
    run->timeline = timeline;
    rnn_executor_record(run->executor, timeline);
}
