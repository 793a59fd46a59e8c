#include "framework/memory_estimate.h"

#include <omp.h>

#include "kernels/onednn.h"

/* Code and tables of the program with oneDNN and HDF5, and what a started MPI adds. */
static const double PROGRAM_BYTES = 34e6, MPI_BYTES = 16e6, UNIT = sizeof(float);

enum {
    SEGMENT = 256 * 4096, /* the reducer sums so many values at a time */
    BATCHES_AHEAD = 3     /* slots of a loader that reads ahead */
};

const char *rnn_memory_part_name(rnn_memory_part part)
{
    static const char *const names[] = {"program",   "data", "parameters", "gradients",
                                        "optimizer", "sums", "threads",    "checkpoint"};

    return names[part];
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* -- Arrays as long as the parameters ------------------------------------------------------------
 */

/* Parameters that are packed once for the forward and, at most, once for the backward pass. */
static double recurrent_values(const rnn_model *model)
{
    double count = 0.0;

    for (size_t s = 0; s < rnn_model_n_stages(model); s++)
        if (rnn_model_stage(model, s)->kind == RNN_STAGE_RECURRENT)
            count += (double)rnn_model_stage(model, s)->count;
    return count;
}

/* The gradients that a thread holds at the same time on its way through a run of shards: the carry
 * chain's nodes and the one it computes. */
static size_t chain_length(size_t first, size_t count)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        size_t length = rnn_tree_decompose(first, i, nodes) + 1;

        longest = length > longest ? length : longest;
    }
    return longest;
}

/* Of the first rank, which has no fewer shards than any other. */
static double gradient_arrays(const rnn_run *run, size_t n_ranks)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t first, count, n_arrays = 1 + (run->config->train.accumulate > 1);

    rnn_shard_range(run->n_shards, 0, n_ranks, &first, &count);
    for (int i = 0; i < run->affinity.threads; i++) {
        size_t own, n_own;

        rnn_shard_range(count, (size_t)i, (size_t)run->affinity.threads, &own, &n_own);
        n_arrays += chain_length(first + own, n_own);
    }
    if (run->config->parallel.reduction == RNN_REDUCTION_REPRODUCIBLE)
        n_arrays += rnn_tree_decompose(first, count, nodes);
    return (double)n_arrays;
}

/* Floats that the reducer keeps. */
static double sum_values(const rnn_run *run, size_t n_ranks)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    double segment = (double)smaller(rnn_model_size(run->model), SEGMENT);
    size_t n_nodes = 0;

    if (n_ranks == 1)
        return 0.0;
    if ((n_ranks & (n_ranks - 1)) == 0)
        return segment / 2;
    for (size_t rank = 0; rank < n_ranks; rank++) {
        size_t first, count;

        rnn_shard_range(run->n_shards, rank, n_ranks, &first, &count);
        n_nodes += rnn_tree_decompose(first, count, nodes);
    }
    return segment / (double)n_ranks * (double)n_nodes;
}

/* -- What a thread works on -----------------------------------------------------------------------
 */

static double values_of(rnn_shape shape, size_t rows)
{
    return (double)(shape.is_single ? 1 : shape.seq_len) * (double)rows * (double)shape.n_features;
}

/* What the primitives of one direction want, and what goes in and out beside y. */
static rnn_status direction_bytes(const rnn_stage *stage, size_t rows, double *bytes)
{
    const rnn_onednn_shape shape = {.cell = rnn_layer_cell(stage->cfg),
                                    .seq_len = stage->in.is_single ? 1 : stage->in.seq_len,
                                    .rows = rows,
                                    .n_in = stage->in.n_features,
                                    .n_hid = (size_t)stage->cfg->hidden_size,
                                    .n_proj = (size_t)stage->cfg->proj_size};
    const int n_threads = omp_get_max_threads();
    rnn_onednn_pair *pair = NULL;
    rnn_status st;

    omp_set_num_threads(1); /* as in the threads of the executor */
    st = rnn_onednn_pair_create(&pair, &shape);
    omp_set_num_threads(n_threads);
    RNN_TRY(st);
    *bytes = (double)rnn_onednn_pair_bytes(pair, RNN_ARG_WORKSPACE) +
             (double)rnn_onednn_pair_bytes(pair, RNN_ARG_SCRATCHPAD) +
             UNIT * values_of(stage->in, rows);
    rnn_onednn_pair_destroy(&pair);
    return RNN_OK;
}

static rnn_status thread_bytes(const rnn_run *run, double *bytes)
{
    *bytes = 0.0;
    for (size_t s = 0; s < rnn_model_n_stages(run->model); s++) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);
        double of_direction = 0.0;

        *bytes += UNIT * 2 * values_of(stage->out, run->rows);
        if (stage->kind == RNN_STAGE_RECURRENT)
            RNN_TRY(direction_bytes(stage, run->rows, &of_direction));
        *bytes += (double)stage->n_directions * of_direction;
    }
    return RNN_OK;
}

/* -- Data -----------------------------------------------------------------------------------------
 */

/* Inputs of a rank's share, in every slot of the loaders of training and of evaluation. */
static double data_bytes(const rnn_run *run, size_t n_own_shards)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    double n_slots = rnn_dataset_is_in_memory(run->dataset) ? 1 : BATCHES_AHEAD, n_loaders = 0.0;

    for (int split = 0; split < RNN_N_SPLITS; split++)
        n_loaders += run->loader[split] != NULL;
    return info->bytes_in_memory + n_loaders * n_slots * (double)n_own_shards * UNIT *
                                       values_of(rnn_model_input(run->model), run->rows);
}

/* -------------------------------------------------------------------------------------------------
 */

rnn_status rnn_estimate_memory(const rnn_run *run, size_t n_ranks, rnn_memory_estimate *out)
{
    const double array = UNIT * (double)rnn_model_size(run->model);
    const double n_states = (double)rnn_optimizer_n_states(run->optimizer);
    const bool is_shared_out = run->config->parallel.shard_optimizer && n_ranks > 1;
    size_t first, count;
    double of_thread;

    RNN_TRY(thread_bytes(run, &of_thread));
    rnn_shard_range(run->n_shards, 0, n_ranks, &first, &count);
    *out = (rnn_memory_estimate){
        .bytes = {[RNN_MEMORY_PROGRAM] = PROGRAM_BYTES + (n_ranks > 1 ? MPI_BYTES : 0.0),
                  [RNN_MEMORY_DATA] = data_bytes(run, count),
                  [RNN_MEMORY_PARAMETERS] = array + UNIT * 2 * recurrent_values(run->model),
                  [RNN_MEMORY_GRADIENTS] = array * gradient_arrays(run, n_ranks),
                  [RNN_MEMORY_OPTIMIZER] =
                      array * n_states / (is_shared_out ? (double)n_ranks : 1.0),
                  [RNN_MEMORY_SUMS] = UNIT * sum_values(run, n_ranks),
                  [RNN_MEMORY_THREADS] = of_thread * run->affinity.threads,
                  [RNN_MEMORY_CHECKPOINT] =
                      array * (2 * (1 + n_states) + (is_shared_out ? n_states : 0.0))}};
    for (int i = 0; i < RNN_MEMORY_N_PARTS; i++)
        out->total += out->bytes[i];
    return RNN_OK;
}
