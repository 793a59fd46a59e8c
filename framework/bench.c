#include "framework/bench.h"

#include <inttypes.h>
#include <string.h>

#include "framework/bench_parts.h"
#include "framework/trainer.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

enum { WARM_UP = 4, MIN_ROWS = 8 };

/* Sorts the values. */
static rnn_bench_time summarize(double *values, size_t count)
{
    rnn_clock_sort(values, count);
    return (rnn_bench_time){.median = values[count / 2], .least = values[0]};
}

double rnn_bench_mean_length(const rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    size_t n_samples = info->n_samples[RNN_SPLIT_TRAIN];
    double sum = 0.0;

    for (size_t i = 0; i < n_samples; i++)
        sum += (double)rnn_dataset_length(run->dataset, RNN_SPLIT_TRAIN, i);
    return sum / (double)n_samples;
}

/* -- What is timed ----------------------------------------------------------------------------- */

/* The training step and each way of the bare primitives, with the seconds of every round. */
typedef struct contest {
    rnn_run *run;
    uint64_t step;
    size_t n_full;  /* steps of an epoch with full batches */
    size_t repeats; /* in a round */
    rnn_bench_bare *bare[RNN_BENCH_MAX_WAYS];
    double *seconds[1 + RNN_BENCH_MAX_WAYS]; /* [n_rounds] of a batch; the step first */
} contest;

/* Full batches only. */
static rnn_status count_steps(contest *c)
{
    size_t n_samples = rnn_dataset_get_info(c->run->dataset)->n_samples[RNN_SPLIT_TRAIN];
    uint64_t batch_size = (uint64_t)c->run->config->train.batch_size;
    uint64_t accumulate = (uint64_t)c->run->config->train.accumulate;

    c->n_full = n_samples / batch_size / accumulate;
    if (c->n_full == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "the benchmark wants at least one step of full batches: train.batch_size "
                        "is %" PRIu64 ", train.accumulate %" PRIu64
                        ", the data has %zu training samples",
                        batch_size, accumulate, n_samples);
    return RNN_OK;
}

/* Collective. Training steps on the loader's batches; the seconds of a batch. */
static rnn_status time_steps(contest *c, size_t n_steps, double *seconds)
{
    rnn_run *run = c->run;
    double start;

    RNN_TRY(rnn_comm_barrier(run->comm));
    start = rnn_clock_seconds();
    for (size_t i = 0; i < n_steps; i++, c->step++) {
        uint64_t epoch = c->step / c->n_full;
        rnn_step_result result;

        if (c->step % c->n_full == 0)
            RNN_TRY(rnn_comm_agree(
                run->comm, rnn_loader_seek(run->loader[RNN_SPLIT_TRAIN], (uint32_t)epoch, 0)));
        RNN_TRY(rnn_train_step(run, epoch, c->step, false, &result));
    }
    *seconds =
        (rnn_clock_seconds() - start) / (double)n_steps / (double)run->config->train.accumulate;
    return RNN_OK;
}

/* Collective. */
static rnn_status time_bare(const contest *c, const rnn_bench_bare *bare, double *seconds)
{
    rnn_status st = RNN_OK;
    double start;

    RNN_TRY(rnn_comm_barrier(c->run->comm));
    start = rnn_clock_seconds();
    for (size_t i = 0; i < c->repeats && st == RNN_OK; i++)
        st = rnn_bench_bare_run(bare);
    *seconds = (rnn_clock_seconds() - start) / (double)c->repeats * rnn_bench_bare_scale(bare);
    return rnn_comm_agree(c->run->comm, st);
}

/* -- Ways -------------------------------------------------------------------------------------- */

static void add_way(rnn_bench_result *result, size_t n_slices, size_t rows, bool is_internal)
{
    for (size_t i = 0; i < result->n_ways; i++)
        if (result->ways[i].rows == rows && result->ways[i].is_internal == is_internal)
            return;
    if (result->n_ways < RNN_BENCH_MAX_WAYS)
        result->ways[result->n_ways++] =
            (rnn_bench_way){.n_slices = n_slices, .rows = rows, .is_internal = is_internal};
}

/* All rows in slices of the same size, the last one perhaps with a little more to do than there is.
 */
static void add_slices(rnn_bench_result *result, size_t own_rows, size_t rows)
{
    add_way(result, (own_rows + rows - 1) / rows, rows, false);
}

static void choose_ways(rnn_bench_result *result)
{
    const rnn_run *run = result->run;
    size_t n_threads = (size_t)run->affinity.threads, own_rows = run->n_own_shards * run->rows;

    add_way(result, run->n_own_shards, run->rows, false);
    if (n_threads > 1)
        add_way(result, 1, own_rows, true);
    for (size_t n = n_threads; n == n_threads || own_rows / n >= MIN_ROWS; n *= 2)
        add_slices(result, own_rows, (own_rows + n - 1) / n);
}

/* -- Measuring --------------------------------------------------------------------------------- */

static rnn_status prepare(contest *c, const rnn_bench_result *result)
{
    RNN_TRY(count_steps(c));
    for (size_t i = 0; i < result->n_ways; i++)
        RNN_TRY(rnn_bench_bare_create(&c->bare[i], c->run, &result->ways[i]));
    for (size_t i = 0; i <= result->n_ways; i++)
        RNN_TRY(RNN_ALLOC(&c->seconds[i], result->n_rounds, "the times of rounds"));
    return RNN_OK;
}

static void clean_up(contest *c)
{
    for (size_t i = 0; i < RNN_BENCH_MAX_WAYS; i++)
        rnn_bench_bare_destroy(&c->bare[i]);
    for (size_t i = 0; i <= RNN_BENCH_MAX_WAYS; i++)
        rnn_free(c->seconds[i]);
}

/* Collective. Also a first estimate: a round of each is to take 0.2 seconds, or a few runs. */
static rnn_status warm_up(contest *c, const rnn_bench_result *result)
{
    RNN_TRY(time_steps(c, WARM_UP, &c->seconds[0][0]));
    c->repeats = 1 + (size_t)(0.2 / c->seconds[0][0]);
    RNN_TRY(rnn_comm_broadcast(c->run->comm, &c->repeats, sizeof c->repeats, 0));
    for (size_t i = 0; i < result->n_ways; i++)
        RNN_TRY(time_bare(c, c->bare[i], &c->seconds[1 + i][0]));
    return RNN_OK;
}

/* Collective. */
static rnn_status run_rounds(contest *c, rnn_bench_result *result)
{
    RNN_TRY(warm_up(c, result));
    for (size_t round = 0; round < result->n_rounds; round++) {
        RNN_TRY(time_steps(c, c->repeats, &c->seconds[0][round]));
        for (size_t i = 0; i < result->n_ways; i++)
            RNN_TRY(time_bare(c, c->bare[i], &c->seconds[1 + i][round]));
    }
    result->step = summarize(c->seconds[0], result->n_rounds);
    for (size_t i = 0; i < result->n_ways; i++)
        result->ways[i].time = summarize(c->seconds[1 + i], result->n_rounds);
    return RNN_OK;
}

static void split_time(rnn_bench_split *split, const rnn_timeline *timeline, size_t n_steps)
{
    size_t n_tracks = rnn_timeline_n_tracks(timeline);

    for (rnn_phase phase = 0; phase < RNN_N_PHASES; phase++) {
        size_t n_threads = rnn_phase_is_shared(phase) ? n_tracks : 1;

        for (size_t track = 0; track < n_threads; track++)
            split->phases[phase] +=
                rnn_timeline_seconds(timeline, track, phase) / (double)n_threads / (double)n_steps;
    }
    split->other = split->phases[RNN_PHASE_STEP];
    for (rnn_phase phase = 0; phase < RNN_PHASE_STEP; phase++)
        split->other -= split->phases[phase];
}

/* Collective. Rounds of their own, so that the clocks are in no other figure. */
static rnn_status record_rounds(contest *c, rnn_bench_result *result)
{
    rnn_run *run = c->run;
    size_t n_rounds = (result->n_rounds + 2) / 3;
    rnn_timeline *timeline;
    rnn_status st = rnn_timeline_create(&timeline, (size_t)run->affinity.threads, 0);
    double seconds;

    RNN_TRY(rnn_comm_agree(run->comm, st));
    rnn_run_record(run, timeline);
    for (size_t round = 0; round < n_rounds && st == RNN_OK; round++)
        st = time_steps(c, c->repeats, &seconds);
    rnn_run_record(run, NULL);
    if (st == RNN_OK)
        split_time(&result->split, timeline, n_rounds * c->repeats);
    rnn_timeline_destroy(&timeline);
    return st;
}

/* Collective. Everything but the peak, which is the machine's. */
static rnn_status measure(rnn_bench_result *result, rnn_run *run)
{
    contest c = {.run = run};
    rnn_status st;

    result->run = run;
    choose_ways(result);
    st = rnn_comm_agree(run->comm, prepare(&c, result));
    if (st == RNN_OK)
        st = run_rounds(&c, result);
    if (st == RNN_OK)
        st = record_rounds(&c, result);
    clean_up(&c);
    return st;
}

/* -- One configuration, and the sweep ---------------------------------------------------------- */

rnn_status rnn_bench(rnn_run *run, const rnn_bench_cfg *cfg)
{
    rnn_bench_result result = {.n_rounds = cfg->n_rounds};

    RNN_TRY(rnn_comm_compare(run->comm, cfg->n_rounds, "number of rounds"));
    RNN_TRY(rnn_bench_measure_peak(&result.peak, run->comm, run->affinity.threads));
    RNN_TRY(measure(&result, run));
    if (rnn_comm_rank(run->comm) == 0)
        (cfg->json ? rnn_bench_print_json : rnn_bench_print_text)(&result);
    return RNN_OK;
}

/* The machine's peak, and what it is that is being measured, are found out with the first row. */
typedef struct sweep {
    const rnn_bench_cfg *cfg;
    const char *const *overrides;
    size_t n_overrides;
    rnn_comm *comm;
    size_t n_workers; /* threads of all ranks */
    rnn_bench_peak peak;
} sweep;

/* Collective. */
static rnn_status measure_row(sweep *s, rnn_run *run)
{
    rnn_bench_result result = {.run = run, .n_rounds = s->cfg->n_rounds};
    bool is_first = s->peak.all_threads == 0.0, prints = rnn_comm_rank(s->comm) == 0;

    if (is_first)
        RNN_TRY(rnn_bench_measure_peak(&s->peak, s->comm, run->affinity.threads));
    result.peak = s->peak;
    if (is_first && prints && !s->cfg->json)
        rnn_bench_print_head(&result);
    RNN_TRY(measure(&result, run));
    if (prints)
        (s->cfg->json ? rnn_bench_print_json : rnn_bench_print_row)(&result);
    return RNN_OK;
}

/* Collective. */
static rnn_status sweep_one(sweep *s, const char *cell, const rnn_bench_shape *shape)
{
    rnn_config config = {0};
    rnn_run *run;
    rnn_status st = rnn_comm_agree(s->comm, rnn_bench_configure(&config, cell, shape, s->n_workers,
                                                                s->overrides, s->n_overrides));

    if (st == RNN_OK)
        st = rnn_run_create(&run, &config, NULL, s->comm);
    if (st == RNN_OK) {
        st = measure_row(s, run);
        rnn_run_destroy(&run);
    }
    rnn_config_free(&config);
    return st;
}

rnn_status rnn_bench_sweep(const rnn_bench_cfg *cfg, const char *const *overrides,
                           size_t n_overrides, rnn_comm *comm)
{
    sweep s = {.cfg = cfg, .overrides = overrides, .n_overrides = n_overrides, .comm = comm};
    bool is_single = cfg->shape.seq_len > 0;
    rnn_affinity affinity;
    const rnn_bench_shape *shapes = is_single ? &cfg->shape : rnn_bench_shapes;

    RNN_TRY(rnn_comm_compare(comm, cfg->n_rounds, "number of rounds"));
    rnn_affinity_setup(&affinity, comm, 0, true);
    s.n_workers = (size_t)affinity.threads * (size_t)rnn_comm_size(comm);
    RNN_TRY(rnn_comm_broadcast(comm, &s.n_workers, sizeof s.n_workers, 0));
    for (size_t i = 0; i < (is_single ? 1 : rnn_bench_n_shapes); i++)
        for (size_t k = 0; rnn_bench_cells[k] != NULL; k++)
            if (cfg->cell == NULL || strcmp(cfg->cell, rnn_bench_cells[k]) == 0)
                RNN_TRY(sweep_one(&s, rnn_bench_cells[k], &shapes[i]));
    return RNN_OK;
}
