#include "framework/bench.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/trainer.h"
#include "kernels/cpu.h"
#include "kernels/clock.h"
#include "kernels/memory.h"
#include "kernels/recurrent.h"

enum { ROUNDS = 15, MIN_REPEATS = 4 };

/* One direction of one recurrent layer as a bare primitive: each thread its own task and arrays. */
typedef struct bare_layer {
    rnn_recurrent *kernel;
    rnn_recurrent_slice slice;
    rnn_recurrent_task **tasks;       /* [n_threads] */
    float **x, **y, **dy, **dx, **dw; /* [n_threads] */
} bare_layer;

/* All recurrent layers of the model for one way to slice the rank's rows. */
typedef struct bare_model {
    const char *name;
    size_t seq_len;        /* of every sequence */
    size_t rows, n_slices; /* of the rank; threads take contiguous runs */
    int n_threads;
    bare_layer *layers; /* [n_layers] */
    size_t n_layers;
    double median; /* seconds for all slices */
} bare_model;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

/* -- The bare primitives --------------------------------------------------------------------- */

static void fill(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = 0.01f * (float)(i % 97) - 0.5f;
}

static rnn_status make_array(float **out, size_t count, bool filled)
{
    RNN_TRY(RNN_ALLOC(out, count, "benchmark arrays"));
    if (filled)
        fill(*out, count);
    return RNN_OK;
}

static rnn_status make_thread_part(bare_layer *layer, const rnn_recurrent_cfg *cfg, int thread)
{
    size_t positions = layer->slice.seq_len * layer->slice.rows;
    size_t in = positions * cfg->n_in, out = positions * rnn_recurrent_n_out(cfg);

    RNN_TRY(rnn_recurrent_task_create(&layer->tasks[thread], layer->kernel));
    RNN_TRY(make_array(&layer->x[thread], in, true));
    RNN_TRY(make_array(&layer->dx[thread], in, false));
    RNN_TRY(make_array(&layer->y[thread], out, false));
    RNN_TRY(make_array(&layer->dy[thread], out, true));
    return make_array(&layer->dw[thread], rnn_recurrent_grad_size(layer->kernel), false);
}

/* The parameters of one direction of a stage; `first` is its weight_ih. */
static rnn_recurrent_params get_tensors(const rnn_run *run, const rnn_stage *stage, size_t first)
{
    const rnn_param *p = rnn_model_param(run->model, first);
    bool has_bias = stage->cfg->bias, is_projected = stage->cfg->proj_size > 0;

    return (rnn_recurrent_params){
        .weight_ih = run->params + p[0].offset,
        .weight_hh = run->params + p[1].offset,
        .bias_ih = has_bias ? run->params + p[2].offset : NULL,
        .bias_hh = has_bias ? run->params + p[3].offset : NULL,
        .weight_hr = is_projected ? run->params + p[has_bias ? 4 : 2].offset : NULL};
}

static rnn_status make_arrays(bare_layer *layer, const rnn_recurrent_cfg *cfg, int n_threads)
{
    size_t n = (size_t)n_threads;
    rnn_status st = RNN_OK;

    RNN_TRY(RNN_ALLOC(&layer->tasks, n, "benchmark arrays"));
    RNN_TRY(RNN_ALLOC(&layer->x, n, "benchmark arrays"));
    RNN_TRY(RNN_ALLOC(&layer->y, n, "benchmark arrays"));
    RNN_TRY(RNN_ALLOC(&layer->dy, n, "benchmark arrays"));
    RNN_TRY(RNN_ALLOC(&layer->dx, n, "benchmark arrays"));
    RNN_TRY(RNN_ALLOC(&layer->dw, n, "benchmark arrays"));
    /* Each thread touches its own memory first, as the executor's workers do. */
#pragma omp parallel for schedule(static, 1) num_threads(n_threads)
    for (int i = 0; i < n_threads; i++) {
        rnn_status mine = make_thread_part(layer, cfg, i);

        if (mine != RNN_OK)
#pragma omp critical
            st = mine;
    }
    return st == RNN_OK ? RNN_OK : RNN_FAIL(st, "cannot set up the bare primitives");
}

static rnn_status make_layer(bare_model *bare, const rnn_run *run, const rnn_stage *stage, size_t d)
{
    bare_layer *layer = &bare->layers[bare->n_layers++];
    const rnn_recurrent_cfg cfg = {.cell = rnn_layer_cell(stage->cfg),
                                   .n_in = stage->in.n_features,
                                   .n_hid = (size_t)stage->cfg->hidden_size,
                                   .n_proj = (size_t)stage->cfg->proj_size,
                                   .reverse = d == 1};
    const rnn_recurrent_params tensors =
        get_tensors(run, stage, stage->first_param + d * (stage->n_params / stage->n_directions));

    layer->slice = (rnn_recurrent_slice){.seq_len = bare->seq_len, .rows = bare->rows};
    RNN_TRY(rnn_recurrent_create(&layer->kernel, &cfg));
    rnn_recurrent_pack(layer->kernel, &tensors, 0, 1);
    return make_arrays(layer, &cfg, bare->n_threads);
}

static rnn_status make_bare(bare_model *bare, const rnn_run *run)
{
    size_t n_stages = rnn_model_n_stages(run->model);

    RNN_TRY(RNN_ALLOC(&bare->layers, 2 * n_stages, "benchmark layers"));
    for (size_t s = 0; s < n_stages; s++) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);

        for (size_t d = 0; stage->kind == RNN_STAGE_RECURRENT && d < stage->n_directions; d++)
            RNN_TRY(make_layer(bare, run, stage, d));
    }
    return RNN_OK;
}

static void free_bare(bare_model *bare)
{
    for (size_t k = 0; k < bare->n_layers; k++) {
        bare_layer *layer = &bare->layers[k];
        float **arrays[] = {layer->x, layer->y, layer->dy, layer->dx, layer->dw};

        for (size_t a = 0; a < sizeof arrays / sizeof arrays[0]; a++) {
            for (int i = 0; arrays[a] != NULL && i < bare->n_threads; i++)
                rnn_free(arrays[a][i]);
            rnn_free(arrays[a]);
        }
        for (int i = 0; layer->tasks != NULL && i < bare->n_threads; i++)
            rnn_recurrent_task_destroy(&layer->tasks[i]);
        rnn_free(layer->tasks);
        rnn_recurrent_destroy(&layer->kernel);
    }
    rnn_free(bare->layers);
}

/* Forward through all layers, backward through all layers; layers have inputs of their own. */
static rnn_status run_slice(const bare_model *bare, int thread)
{
    for (size_t k = 0; k < bare->n_layers; k++) {
        bare_layer *l = &bare->layers[k];

        RNN_TRY(rnn_recurrent_forward(l->tasks[thread], &l->slice, l->x[thread],
                                      &(rnn_recurrent_states){.h0 = NULL}, l->y[thread]));
    }
    for (size_t k = bare->n_layers; k-- > 0;) {
        bare_layer *l = &bare->layers[k];

        RNN_TRY(rnn_recurrent_backward(l->tasks[thread], l->dy[thread],
                                       &(rnn_recurrent_state_grads){.dh_n = NULL}, l->dx[thread],
                                       l->dw[thread]));
    }
    return RNN_OK;
}

static rnn_status run_bare(const bare_model *bare)
{
    rnn_status st = RNN_OK;

#pragma omp parallel num_threads(bare->n_threads)
    {
        rnn_status mine = RNN_OK;

        rnn_cpu_flush_denormals();
        omp_set_num_threads(1);
        for (int i = omp_get_thread_num(); i < bare->n_threads; i += omp_get_num_threads()) {
            size_t first, count;

            rnn_shard_range(bare->n_slices, (size_t)i, (size_t)bare->n_threads, &first, &count);
            for (size_t k = 0; k < count && mine == RNN_OK; k++)
                mine = run_slice(bare, i);
        }
        if (mine != RNN_OK)
#pragma omp critical
            st = mine;
    }
    return st == RNN_OK ? RNN_OK : RNN_FAIL(st, "a bare primitive failed");
}

/* -- Timing ---------------------------------------------------------------------------------- */

/* Collective. Training steps on the loader's batches, full ones only; the seconds of a batch. */
static rnn_status run_steps(rnn_run *run, size_t n_steps, uint64_t *step, double *seconds)
{
    rnn_loader *loader = run->loader[RNN_SPLIT_TRAIN];
    size_t n_samples = rnn_dataset_get_info(run->dataset)->n_samples[RNN_SPLIT_TRAIN];
    uint64_t batch_size = (uint64_t)run->config->train.batch_size;
    uint64_t accumulate = (uint64_t)run->config->train.accumulate;
    uint64_t n_full = n_samples / batch_size / accumulate; /* steps of an epoch */
    double start;

    if (n_full == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "the benchmark wants at least one step of full batches: train.batch_size "
                        "is %" PRIu64 ", train.accumulate %" PRIu64
                        ", the data has %zu training samples",
                        batch_size, accumulate, n_samples);
    RNN_TRY(rnn_comm_barrier(run->comm));
    start = rnn_clock_seconds();
    for (size_t i = 0; i < n_steps; i++, ++*step) {
        rnn_step_result result;

        if (*step % n_full == 0)
            RNN_TRY(
                rnn_comm_agree(run->comm, rnn_loader_seek(loader, (uint32_t)(*step / n_full), 0)));
        RNN_TRY(rnn_train_step(run, *step / n_full, *step, false, &result));
    }
    *seconds = (rnn_clock_seconds() - start) / (double)n_steps / (double)accumulate;
    return RNN_OK;
}

static rnn_status time_bare(rnn_run *run, const bare_model *bare, size_t repeats, double *seconds)
{
    double start;
    rnn_status st = RNN_OK;

    RNN_TRY(rnn_comm_barrier(run->comm));
    start = rnn_clock_seconds();
    for (size_t i = 0; i < repeats && st == RNN_OK; i++)
        st = run_bare(bare);
    *seconds = (rnn_clock_seconds() - start) / (double)repeats;
    return rnn_comm_agree(run->comm, st);
}

/* Valid steps of a training sample, on average. */
static double mean_length(const rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    size_t n_samples = info->n_samples[RNN_SPLIT_TRAIN];
    double sum = 0.0;

    for (size_t i = 0; i < n_samples; i++)
        sum += (double)rnn_dataset_length(run->dataset, RNN_SPLIT_TRAIN, i);
    return sum / (double)n_samples;
}

/* Of one row of one step of one direction; multiply-adds count two, backward twice the forward. */
static double flop_of_position(const rnn_stage *stage)
{
    double n_in = (double)stage->in.n_features, n_hid = (double)stage->cfg->hidden_size;
    double n_proj = (double)stage->cfg->proj_size, n_out = n_proj > 0 ? n_proj : n_hid;
    double gates = (double)rnn_cell_gates(rnn_layer_cell(stage->cfg));

    return 6.0 * n_hid * (gates * (n_in + n_out) + n_proj);
}

static double flop_of_step(const rnn_run *run)
{
    double flop = 0.0;

    for (size_t s = 0; s < rnn_model_n_stages(run->model); s++) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);

        if (stage->kind == RNN_STAGE_RECURRENT)
            flop += mean_length(run) * (double)run->config->train.batch_size *
                    (double)stage->n_directions * flop_of_position(stage);
    }
    return flop;
}

static void print_row(const rnn_run *run, const char *name, double seconds)
{
    double samples = (double)run->config->train.batch_size / seconds;

    printf("%-34s %10.3f ms %10.0f samples/s %10.0f steps/s %8.1f GFLOP/s\n", name, 1e3 * seconds,
           samples, samples * mean_length(run), 1e-9 * flop_of_step(run) / seconds);
}

static void print_result(const rnn_run *run, double step, const bare_model bare[2])
{
    const bare_model *best = bare[0].median <= bare[1].median ? &bare[0] : &bare[1];

    if (rnn_comm_rank(run->comm) != 0)
        return;
    printf("%d rank%s x %d thread%s, batch %lld in %zu shard%s of %zu, %s, %s; medians of "
           "%d rounds\n",
           rnn_comm_size(run->comm), rnn_comm_size(run->comm) == 1 ? "" : "s",
           run->affinity.threads, run->affinity.threads == 1 ? "" : "s",
           (long long)run->config->train.batch_size, run->n_shards, run->n_shards == 1 ? "" : "s",
           run->rows, rnn_kernel_library(), rnn_kernel_isa(), ROUNDS);
    print_row(run, "training step", step);
    for (int i = 0; i < 2; i++)
        print_row(run, bare[i].name, bare[i].median);
    printf("ratio, best bare primitives / training step: %.3f\n", best->median / step);
}

/* Collective. */
static rnn_status time_all(rnn_run *run, bare_model bare[2])
{
    double steps[ROUNDS], slices[2][ROUNDS];
    uint64_t step = 0;
    size_t repeats;

    RNN_TRY(run_steps(run, MIN_REPEATS, &step, &steps[0])); /* warm-up, and a first estimate */
    repeats = (size_t)(0.2 / steps[0]) + MIN_REPEATS;
    RNN_TRY(rnn_comm_broadcast(run->comm, &repeats, sizeof repeats, 0));
    for (int i = 0; i < 2; i++)
        RNN_TRY(time_bare(run, &bare[i], MIN_REPEATS, &slices[i][0]));
    for (int round = 0; round < ROUNDS; round++) {
        RNN_TRY(run_steps(run, repeats, &step, &steps[round]));
        for (int i = 0; i < 2; i++)
            RNN_TRY(time_bare(run, &bare[i], repeats, &slices[i][round]));
    }
    for (int i = 0; i < 2; i++) /* of sequences that have, on average, the data's length */
        bare[i].median = median(slices[i], ROUNDS) * mean_length(run) / (double)bare[i].seq_len;
    print_result(run, median(steps, ROUNDS), bare);
    return RNN_OK;
}

rnn_status rnn_bench(rnn_run *run)
{
    int n_threads = run->affinity.threads;
    size_t own_rows = run->n_own_shards * run->rows;
    bare_model bare[2] = {{.name = "bare primitives, in shards",
                           .rows = run->rows,
                           .n_slices = run->n_own_shards,
                           .n_threads = n_threads},
                          {.name = "bare primitives, slice per thread",
                           .rows = (own_rows + (size_t)n_threads - 1) / (size_t)n_threads,
                           .n_slices = (size_t)n_threads,
                           .n_threads = n_threads}};
    rnn_status st = RNN_OK;

    for (int i = 0; i < 2 && st == RNN_OK; i++) {
        bare[i].seq_len = (size_t)lround(mean_length(run));
        st = make_bare(&bare[i], run);
    }
    st = rnn_comm_agree(run->comm, st);
    if (st == RNN_OK && bare[0].n_layers == 0)
        st = RNN_FAIL(RNN_ERR_DATA, "the model has no recurrent layer to compare with");
    if (st == RNN_OK)
        st = time_all(run, bare);
    for (int i = 0; i < 2; i++)
        free_bare(&bare[i]);
    return st;
}
