#include "framework/forecast.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/memory_estimate.h"
#include "kernels/clock.h"
#include "kernels/recurrent.h"
#include "kernels/vector.h"

enum { SEGMENT = 256 * RNN_BLOCK, MAX_TIMES = 256, MIN_TIMES = 5 };

/* Fitted to the simulation: latencies of a message that partners exchange and wait for, and of one
 * among those that all ranks send each other; the part of the bandwidth that is usable, both
 * directions at once. */
static const double WAITED_FOR = 1.25, AMONG_MANY = 1.15, GOODPUT = 0.9;

/* Folding: what the ranks on the longest way send besides their nodes, in arrays. */
static const double FOLDED = 5.0;

/* Seconds that each thing is measured for. */
static const double PATIENCE = 0.25;

/* -- The network ----------------------------------------------------------------------------------
 */

typedef struct unit {
    const char *name;
    double factor;
} unit;

static const unit latency_units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}};
static const unit bandwidth_units[] = {
    {"kbit", 125.0}, {"Mbit", 125e3}, {"Gbit", 125e6}, {"MB", 1e6}, {"GB", 1e9}};

/* A number with one of the units, up to `end`. */
static bool parse_quantity(double *out, const char *text, const char *end, const unit *units,
                           size_t n_units)
{
    char *after;

    *out = strtod(text, &after);
    if (after == text || after > end || text[0] < '0' || text[0] > '9' || !isfinite(*out))
        return false;
    for (size_t i = 0; i < n_units; i++) {
        size_t length = strlen(units[i].name);

        if ((size_t)(end - after) == length && strncmp(after, units[i].name, length) == 0) {
            *out *= units[i].factor;
            return true;
        }
    }
    return false;
}

rnn_status rnn_network_parse(rnn_network *out, const char *text)
{
    const char *comma = strchr(text, ',');

    if (comma != NULL &&
        parse_quantity(&out->latency, text, comma, latency_units,
                       sizeof latency_units / sizeof *latency_units) &&
        parse_quantity(&out->bandwidth, comma + 1, comma + strlen(comma), bandwidth_units,
                       sizeof bandwidth_units / sizeof *bandwidth_units) &&
        out->bandwidth > 0.0)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_USAGE,
                    "--network: expected latency (ns, us, ms, s) and bandwidth (kbit, Mbit, Gbit, "
                    "MB, GB a second), such as 24us,10Gbit; found \"%.60s\"",
                    text);
}

/* -- The model of sums ----------------------------------------------------------------------------
 */

static bool is_power_of_two(size_t n)
{
    return (n & (n - 1)) == 0;
}

static double floor_log2(size_t n)
{
    double log = 0.0;

    for (; n > 1; n /= 2)
        log += 1.0;
    return log;
}

static double seconds_of(const rnn_network *network, double n_latencies, double n_bytes)
{
    return n_latencies * network->latency + n_bytes / (GOODPUT * network->bandwidth);
}

static double n_segments(size_t n_values)
{
    const size_t count = (n_values + SEGMENT - 1) / SEGMENT;

    return (double)count;
}

/* In turns of every piece, one per node, and once more all chunks at a time. */
static double forecast_exchange(const rnn_network *network, double p, double n_turns,
                                size_t n_values)
{
    return seconds_of(network, AMONG_MANY * (n_turns * n_segments(n_values) + 1) * (p - 1),
                      (n_turns + 1) * (p - 1) / p * (double)(n_values * sizeof(float)));
}

double rnn_forecast_tree(const rnn_network *network, size_t n_ranks, size_t n_shards,
                         size_t n_values)
{
    const rnn_reducer_cfg cfg = {.n_values = n_values, .n_shards = n_shards};
    double p = (double)n_ranks, bytes = (double)(n_values * sizeof(float));
    double n_messages = 2 * floor_log2(n_ranks), n_turns;

    if (n_ranks == 1)
        return 0.0;
    if (is_power_of_two(n_ranks))
        return seconds_of(network, WAITED_FOR * n_messages, 2 * (p - 1) / p * bytes);
    n_turns = (double)rnn_tree_most_nodes((int)n_ranks, n_shards);
    if (rnn_tree_choose((int)n_ranks, &cfg) == RNN_TREE_EXCHANGE)
        return forecast_exchange(network, p, n_turns, n_values);
    return seconds_of(network, WAITED_FOR * (n_messages + 2), (n_turns + FOLDED) * bytes);
}

double rnn_forecast_allreduce(const rnn_network *network, size_t n_ranks, size_t n_values)
{
    double log = floor_log2(n_ranks), p = exp2(log), bytes = (double)(n_values * sizeof(float));
    double folded = is_power_of_two(n_ranks) ? 0.0 : 2.0;

    if (n_ranks == 1)
        return 0.0;
    return seconds_of(network, WAITED_FOR * (2 * log + folded), (2 * (p - 1) / p + folded) * bytes);
}

double rnn_forecast_small_sum(const rnn_network *network, size_t n_ranks, size_t n_bytes)
{
    double n_messages = floor_log2(n_ranks) + (is_power_of_two(n_ranks) ? 0.0 : 2.0);

    return n_ranks == 1
               ? 0.0
               : seconds_of(network, WAITED_FOR * n_messages, n_messages * (double)n_bytes);
}

/* -- Measuring ------------------------------------------------------------------------------------
 */

/* What is measured: one rank's share of a batch, and what follows it. */
typedef struct measurement {
    rnn_run *run;
    rnn_executor *executor;
    size_t n_full; /* batches of an epoch that are full */
    uint64_t number;
} measurement;

static rnn_status count_batches(measurement *m)
{
    size_t n_samples = rnn_dataset_get_info(m->run->dataset)->n_samples[RNN_SPLIT_TRAIN];
    size_t batch_size = (size_t)m->run->config->train.batch_size;

    m->n_full = n_samples / batch_size;
    if (m->n_full == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "plan: expected at least one full batch to measure with: train.batch_size "
                        "is %zu, the data has %zu training samples",
                        batch_size, n_samples);
    return RNN_OK;
}

/* Forward and backward passes of the share, and its part of the tree. Data is not waited for: what
 * is read while training is assembled by another thread meanwhile. */
static rnn_status time_gradients(measurement *m, double *seconds)
{
    rnn_loader *loader = m->run->loader[RNN_SPLIT_TRAIN];
    const rnn_batch *batch;
    float *const *nodes;
    size_t n_nodes;
    double start;

    if (m->number % m->n_full == 0)
        RNN_TRY(rnn_loader_seek(loader, (uint32_t)(m->number / m->n_full), 0));
    RNN_TRY(rnn_loader_next(loader, &batch));
    start = rnn_clock_seconds();
    RNN_TRY(rnn_executor_gradients(m->executor, batch, m->number, m->run->grads, &nodes, &n_nodes));
    *seconds = rnn_clock_seconds() - start;
    m->number++;
    return RNN_OK;
}

/* The update of all parameters, and their way into the kernels' layouts. */
static rnn_status time_update(measurement *m, double *seconds)
{
    rnn_run *run = m->run;
    float scale = 1.0f / (float)run->config->train.batch_size;
    rnn_optimizer_pass pass = {run->params, run->grads, (double)scale, run->lr};
    double norm, start = rnn_clock_seconds();

    RNN_TRY(rnn_optimizer_begin(run->optimizer, &pass, &norm));
    rnn_executor_update(m->executor, run->optimizer, &pass);
    *seconds = rnn_clock_seconds() - start;
    return RNN_OK;
}

/* The additions of a sum over ranks, if one rank did them all. */
static rnn_status time_additions(measurement *m, double *seconds)
{
    double start = rnn_clock_seconds();

    rnn_vector_add(m->run->grads, m->run->params, rnn_model_size(m->run->model));
    *seconds = rnn_clock_seconds() - start;
    return RNN_OK;
}

/* The lower quartile of as many times as PATIENCE allows, after one to warm up: other work on the
 * machine only adds. */
static rnn_status measure(measurement *m, rnn_status (*time)(measurement *m, double *seconds),
                          double *quartile)
{
    double times[MAX_TIMES], end;
    size_t n = 0;

    RNN_TRY(time(m, &times[0]));
    end = rnn_clock_seconds() + PATIENCE;
    while (n < MIN_TIMES || (n < MAX_TIMES && rnn_clock_seconds() < end))
        RNN_TRY(time(m, &times[n++]));
    rnn_clock_sort(times, n);
    *quartile = times[n / 4];
    return RNN_OK;
}

/* Seconds of a step that one rank of n_ranks computes. */
static rnn_status measure_compute(rnn_run *run, size_t n_ranks, double *seconds)
{
    measurement m = {.run = run};
    double p = (double)n_ranks, gradients, update, additions;
    size_t first, count;
    rnn_status st;

    RNN_TRY(count_batches(&m));
    rnn_shard_range(run->n_shards, 0, n_ranks, &first, &count);
    RNN_TRY(rnn_run_create_executor(run, first, count, &m.executor));
    RNN_TRY_GOTO(st, measure(&m, time_gradients, &gradients), done);
    RNN_TRY_GOTO(st, measure(&m, time_update, &update), done);
    RNN_TRY_GOTO(st, measure(&m, time_additions, &additions), done);
    *seconds =
        (double)run->config->train.accumulate * (gradients + (p - 1) / p * additions) + update;
done:
    rnn_executor_destroy(&m.executor);
    return st;
}

/* -- Forecasts ------------------------------------------------------------------------------------
 */

rnn_status rnn_forecast_make(rnn_run *run, const rnn_network *network, size_t n_ranks,
                             rnn_forecast *out)
{
    size_t n_values = rnn_model_size(run->model);
    size_t n_news = (RNN_STEP_SLOTS + run->n_shards) * sizeof *run->news;
    rnn_memory_estimate memory;
    double sum;

    *out = (rnn_forecast){.n_ranks = n_ranks};
    RNN_TRY(rnn_estimate_memory(run, n_ranks, &memory));
    RNN_TRY(measure_compute(run, n_ranks, &out->compute));
    sum = run->config->parallel.reduction == RNN_REDUCTION_REPRODUCIBLE
              ? rnn_forecast_tree(network, n_ranks, run->n_shards, n_values)
              : rnn_forecast_allreduce(network, n_ranks, n_values);
    out->sums = (double)run->config->train.accumulate *
                (sum + rnn_forecast_small_sum(network, n_ranks, n_news));
    out->memory = memory.total;
    return RNN_OK;
}

static rnn_status check_ranks(const rnn_run *run, size_t n_ranks)
{
    if (rnn_comm_size(run->comm) > 1)
        return RNN_FAIL(RNN_ERR_USAGE, "plan wants to be alone: start it without mpirun");
    if (n_ranks <= run->n_shards)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_USAGE,
                    "--ranks: expected at most as many as there are shards, %zu; found %zu; raise "
                    "parallel.shards or train.batch_size",
                    run->n_shards, n_ranks);
}

static void print_head(const rnn_run *run)
{
    printf("%zu parameters; a step: batch %" PRId64 " in %zu shards of %zu rows%s; ranks are nodes "
           "with %d thread%s each\n"
           "compute: measured here, %s, %s; sums: by the model of the reducer on this network\n\n"
           "ranks  compute ms    sums ms    step ms    samples/s  efficiency   memory MB\n",
           rnn_model_size(run->model), run->config->train.batch_size, run->n_shards, run->rows,
           run->config->train.accumulate > 1 ? ", accumulated" : "", run->affinity.threads,
           run->affinity.threads == 1 ? "" : "s", rnn_kernel_library(), rnn_kernel_isa());
}

static void print_row(const rnn_run *run, const rnn_forecast *row, const rnn_forecast *alone)
{
    double step = row->compute + row->sums;
    double n_samples =
        (double)run->config->train.batch_size * (double)run->config->train.accumulate;

    printf("%5zu %11.3f %10.3f %10.3f %12.0f %11.3f %11.1f\n", row->n_ranks, 1e3 * row->compute,
           1e3 * row->sums, 1e3 * step, n_samples / step,
           alone->compute / (double)row->n_ranks / step, 1e-6 * row->memory);
}

static rnn_status print_memory(const rnn_run *run, size_t n_ranks)
{
    rnn_memory_estimate memory;

    RNN_TRY(rnn_estimate_memory(run, n_ranks, &memory));
    printf("\nmemory of rank 0 of %zu, MB:", n_ranks);
    for (int i = 0; i < RNN_MEMORY_N_PARTS; i++)
        printf("%s %s %.1f", i > 0 ? "," : "", rnn_memory_part_name((rnn_memory_part)i),
               1e-6 * memory.bytes[i]);
    printf("\n");
    return RNN_OK;
}

rnn_status rnn_forecast_print(rnn_run *run, const rnn_network *network, size_t n_ranks)
{
    rnn_forecast alone, row;

    RNN_TRY(check_ranks(run, n_ranks));
    RNN_TRY(rnn_forecast_make(run, network, 1, &alone));
    print_head(run);
    print_row(run, &alone, &alone);
    for (size_t ranks = 2; ranks < n_ranks; ranks *= 2) {
        RNN_TRY(rnn_forecast_make(run, network, ranks, &row));
        print_row(run, &row, &alone);
    }
    if (n_ranks > 1) {
        RNN_TRY(rnn_forecast_make(run, network, n_ranks, &row));
        print_row(run, &row, &alone);
    }
    return print_memory(run, n_ranks);
}
