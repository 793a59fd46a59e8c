#include <math.h>
#include <stdio.h>

#include "framework/bench_parts.h"
#include "framework/optimizer.h"
#include "kernels/recurrent.h"

enum { NAME_SIZE = 64 };

/* -- What follows from the measurements -------------------------------------------------------- */

static const rnn_bench_way *fastest(const rnn_bench_result *result)
{
    const rnn_bench_way *best = &result->ways[0];

    for (size_t i = 1; i < result->n_ways; i++)
        if (result->ways[i].time.median < best->time.median)
            best = &result->ways[i];
    return best;
}

static double ratio(const rnn_bench_result *result)
{
    return fastest(result)->time.median / result->step.median;
}

static double ratio_of_least(const rnn_bench_result *result)
{
    double least = result->ways[0].time.least;

    for (size_t i = 1; i < result->n_ways; i++)
        least = fmin(least, result->ways[i].time.least);
    return least / result->step.least;
}

/* Of one row of one step of one direction; multiply-adds count two, backward twice the forward. */
static double flop_of_position(const rnn_stage *stage)
{
    double n_in = (double)stage->in.n_features, n_hid = (double)stage->cfg->hidden_size;
    double n_proj = (double)stage->cfg->proj_size, n_out = n_proj > 0 ? n_proj : n_hid;
    double gates = (double)rnn_cell_gates(rnn_layer_cell(stage->cfg));

    return 6.0 * n_hid * (gates * (n_in + n_out) + n_proj);
}

/* Of the recurrent layers, for a batch. */
static double flop_of_batch(const rnn_run *run)
{
    double flop = 0.0;

    for (size_t s = 0; s < rnn_model_n_stages(run->model); s++) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);

        if (stage->kind == RNN_STAGE_RECURRENT)
            flop += (double)stage->n_directions * flop_of_position(stage);
    }
    return flop * rnn_bench_mean_length(run) * (double)run->config->train.batch_size;
}

static double share_of_peak(const rnn_bench_result *result)
{
    return flop_of_batch(result->run) / result->step.median / result->peak.all_threads;
}

static double samples_a_second(const rnn_run *run, double seconds)
{
    return (double)run->config->train.batch_size / seconds;
}

static const char *plural(long long count)
{
    return count == 1 ? "" : "s";
}

/* "8 slices of 8", or "1 slice of 64, threads inside". */
static const char *name_way(char text[NAME_SIZE], const rnn_bench_way *way)
{
    snprintf(text, NAME_SIZE, "%zu slice%s of %zu%s", way->n_slices,
             plural((long long)way->n_slices), way->rows,
             way->is_internal ? ", threads inside" : "");
    return text;
}

static double percent(const rnn_bench_result *result, double seconds)
{
    return 100.0 * seconds / result->split.phases[RNN_PHASE_STEP];
}

/* -- Text -------------------------------------------------------------------------------------- */

static void print_machine(const rnn_bench_result *result)
{
    const rnn_run *run = result->run;
    int n_ranks = rnn_comm_size(run->comm), n_threads = run->affinity.threads;

    printf("%d rank%s x %d thread%s, %s, %s; sgemm of %s %.1f GFLOP/s, with one thread each %.1f\n",
           n_ranks, plural(n_ranks), n_threads, plural(n_threads), rnn_kernel_library(),
           rnn_kernel_isa(), n_ranks * n_threads == 1 ? "it" : "all",
           1e-9 * result->peak.all_threads, 1e-9 * result->peak.one_thread);
}

static void print_times(const rnn_run *run, const char *name, double seconds)
{
    double samples = samples_a_second(run, seconds);

    printf("%-44s %10.3f ms %10.0f samples/s %10.0f steps/s %8.1f GFLOP/s\n", name, 1e3 * seconds,
           samples, samples * rnn_bench_mean_length(run), 1e-9 * flop_of_batch(run) / seconds);
}

/* "time in: gather 0.4 %, ..., other 1.2 %" */
static void print_split(const rnn_bench_result *result)
{
    const rnn_bench_split *split = &result->split;

    printf("time in: ");
    for (rnn_phase phase = 0; phase < RNN_PHASE_STEP; phase++)
        if (split->phases[phase] > 0.0)
            printf("%s %.1f %%, ", rnn_phase_name(phase), percent(result, split->phases[phase]));
    printf("other %.1f %%\n", percent(result, split->other));
}

void rnn_bench_print_text(const rnn_bench_result *result)
{
    const rnn_run *run = result->run;

    print_machine(result);
    printf("batch %lld in %zu shard%s of %zu; medians of %zu rounds\n",
           (long long)run->config->train.batch_size, run->n_shards,
           plural((long long)run->n_shards), run->rows, result->n_rounds);
    print_times(run, "training step", result->step.median);
    for (size_t i = 0; i < result->n_ways; i++) {
        char way[NAME_SIZE], name[2 * NAME_SIZE];

        snprintf(name, sizeof name, "bare primitives, %s", name_way(way, &result->ways[i]));
        print_times(run, name, result->ways[i].time.median);
    }
    print_split(result);
    printf("share of sgemm's rate: %.3f\n", share_of_peak(result));
    printf("ratio, best bare primitives / training step: %.3f\n", ratio(result));
}

void rnn_bench_print_head(const rnn_bench_result *result)
{
    print_machine(result);
    printf("medians of %zu rounds; of sgemm: share of its rate; ratio: bare primitives / step\n\n",
           result->n_rounds);
    printf("%-5s %4s %5s %5s %5s %2s %9s %10s %8s %8s %9s  %-28s %s\n", "cell", "T", "B", "I", "H",
           "L", "step ms", "samples/s", "GFLOP/s", "of sgemm", "bare ms", "best way", "ratio");
    (void)fflush(stdout);
}

static const char *cell_name(rnn_cell cell)
{
    static const char *const names[] = {[RNN_CELL_TANH] = "rnn",
                                        [RNN_CELL_RELU] = "rnn-relu",
                                        [RNN_CELL_LSTM] = "lstm",
                                        [RNN_CELL_GRU] = "gru"};

    return names[cell];
}

/* The first recurrent stage, and how many there are. */
static const rnn_stage *first_recurrent(const rnn_run *run, size_t *count)
{
    const rnn_stage *first = NULL;

    *count = 0;
    for (size_t s = rnn_model_n_stages(run->model); s-- > 0;) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);

        if (stage->kind == RNN_STAGE_RECURRENT) {
            first = stage;
            ++*count;
        }
    }
    return first;
}

void rnn_bench_print_row(const rnn_bench_result *result)
{
    const rnn_run *run = result->run;
    const rnn_bench_way *best = fastest(result);
    size_t n_layers;
    const rnn_stage *first = first_recurrent(run, &n_layers);
    char way[NAME_SIZE];

    printf("%-5s %4zu %5lld %5zu %5lld %2zu %9.3f %10.0f %8.1f %8.3f %9.3f  %-28s %.3f\n",
           cell_name(rnn_layer_cell(first->cfg)), first->in.seq_len,
           (long long)run->config->train.batch_size, first->in.n_features,
           (long long)first->cfg->hidden_size, n_layers, 1e3 * result->step.median,
           samples_a_second(run, result->step.median),
           1e-9 * flop_of_batch(run) / result->step.median, share_of_peak(result),
           1e3 * best->time.median, name_way(way, best), ratio(result));
    (void)fflush(stdout);
}

/* -- JSON -------------------------------------------------------------------------------------- */

static bool is_plain_layer(const rnn_stage *stage)
{
    const rnn_layer_cfg *c = stage->cfg;

    return stage->n_directions == 1 && c->proj_size == 0 && c->bias && c->h0 == 0.0 && c->c0 == 0.0;
}

/*
 * Whether it is stacked recurrent layers of one kind, and a linear layer on their last step gives
 * a class: what others can be told to train in a line.
 */
static bool is_plain(const rnn_run *run)
{
    size_t n_stages = rnn_model_n_stages(run->model), n_recurrent;
    const rnn_stage *first = first_recurrent(run, &n_recurrent), *stage;
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);

    for (size_t s = 0; s < n_recurrent; s++) {
        stage = rnn_model_stage(run->model, s);
        if (stage->kind != RNN_STAGE_RECURRENT || stage->cfg->type != first->cfg->type ||
            stage->cfg->hidden_size != first->cfg->hidden_size || !is_plain_layer(stage))
            return false;
    }
    if (n_stages != n_recurrent + 2)
        return false;
    stage = rnn_model_stage(run->model, n_recurrent);
    if (stage->kind != RNN_STAGE_SELECT || stage->cfg->step != RNN_SELECT_LAST)
        return false;
    stage = rnn_model_stage(run->model, n_recurrent + 1);
    return stage->kind == RNN_STAGE_LINEAR && stage->cfg->bias && !info->is_ragged &&
           info->target == RNN_TARGET_LABEL && run->objective.type == RNN_LOSS_CROSS_ENTROPY &&
           run->config->optimizer.clip_value == 0.0 && run->config->train.accumulate == 1;
}

static void print_json_run(const rnn_run *run)
{
    const rnn_config *c = run->config;
    size_t n_layers;
    const rnn_stage *first = first_recurrent(run, &n_layers);

    printf("{\"ranks\": %d, \"threads\": %d, \"library\": \"%s\", \"isa\": \"%s\"",
           rnn_comm_size(run->comm), run->affinity.threads, rnn_kernel_library(), rnn_kernel_isa());
    printf(", \"is_plain\": %s, \"cell\": \"%s\", \"seq_len\": %zu, \"mean_length\": %.6g",
           is_plain(run) ? "true" : "false", cell_name(rnn_layer_cell(first->cfg)),
           first->in.seq_len, rnn_bench_mean_length(run));
    printf(", \"batch_size\": %lld, \"inputs\": %zu, \"hidden\": %lld, \"layers\": %zu"
           ", \"outputs\": %zu, \"parameters\": %zu",
           (long long)c->train.batch_size, first->in.n_features, (long long)first->cfg->hidden_size,
           n_layers, rnn_model_output(run->model).n_features, rnn_model_size(run->model));
    printf(", \"optimizer\": \"%s\", \"lr\": %g, \"clip_norm\": %g, \"shards\": %zu, \"rows\": %zu",
           rnn_optimizer_type_name((rnn_optimizer_type)c->optimizer.type), c->optimizer.lr,
           c->optimizer.clip_norm, run->n_shards, run->rows);
}

void rnn_bench_print_json(const rnn_bench_result *result)
{
    const rnn_run *run = result->run;

    print_json_run(run);
    printf(", \"rounds\": %zu, \"step_seconds\": %.6e, \"step_seconds_least\": %.6e, "
           "\"samples_per_second\": %.6g, "
           "\"flop_per_batch\": %.6e",
           result->n_rounds, result->step.median, result->step.least,
           samples_a_second(run, result->step.median), flop_of_batch(run));
    printf(", \"split_seconds\": {");
    for (rnn_phase phase = 0; phase <= RNN_PHASE_STEP; phase++)
        printf("\"%s\": %.6e, ", rnn_phase_name(phase), result->split.phases[phase]);
    printf("\"other\": %.6e}", result->split.other);
    printf(", \"sgemm_flop_per_second\": %.6e, \"sgemm_flop_per_second_one_thread\": %.6e, "
           "\"share_of_sgemm\": %.4f, \"bare\": [",
           result->peak.all_threads, result->peak.one_thread, share_of_peak(result));
    for (size_t i = 0; i < result->n_ways; i++) {
        const rnn_bench_way *way = &result->ways[i];

        printf("%s{\"slices\": %zu, \"rows\": %zu, \"threads_inside\": %s, \"seconds\": %.6e, "
               "\"seconds_least\": %.6e}",
               i == 0 ? "" : ", ", way->n_slices, way->rows, way->is_internal ? "true" : "false",
               way->time.median, way->time.least);
    }
    printf("], \"bare_seconds\": %.6e, \"ratio_of_least\": %.4f, \"ratio\": %.4f}\n",
           fastest(result)->time.median, ratio_of_least(result), ratio(result));
    (void)fflush(stdout);
}
