/*
 * The tree itself: who has which node, what is added to what, and which way the ranks take.
 */
#include "dist/reduce_parts.h"

#include <limits.h>
#include <string.h>

#include "kernels/bfloat16.h"
#include "kernels/memory.h"

/* Less is added sooner by one thread than by waking others. */
enum { PARALLEL_FROM = 64 * RNN_BLOCK };

/* -- Shards and nodes -------------------------------------------------------------------------- */

void rnn_shard_range(size_t n_shards, size_t part, size_t n_parts, size_t *first, size_t *count)
{
    const size_t base = n_shards / n_parts, extra = n_shards % n_parts;

    *first = part * base + rnn_smaller(part, extra);
    *count = base + (part < extra);
}

size_t rnn_tree_decompose(size_t first, size_t count, rnn_tree_node nodes[RNN_TREE_MAX_NODES])
{
    size_t n_nodes = 0;

    while (count > 0) {
        size_t size = 1;

        while (size <= count / 2 && first % (2 * size) == 0)
            size *= 2;
        nodes[n_nodes++] = (rnn_tree_node){first, size};
        first += size;
        count -= size;
    }
    return n_nodes;
}

size_t rnn_tree_nodes_of_rank(const rnn_reducer *reducer, int rank,
                              rnn_tree_node nodes[RNN_TREE_MAX_NODES])
{
    size_t first, count;

    rnn_shard_range(reducer->cfg.n_shards, (size_t)rank, (size_t)reducer->comm->size, &first,
                    &count);
    return rnn_tree_decompose(first, count, nodes);
}

size_t rnn_tree_most_nodes(int n_ranks, size_t n_shards)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t most = 0;

    for (int rank = 0; rank < n_ranks; rank++) {
        size_t first, count, n_nodes;

        rnn_shard_range(n_shards, (size_t)rank, (size_t)n_ranks, &first, &count);
        n_nodes = rnn_tree_decompose(first, count, nodes);
        most = n_nodes > most ? n_nodes : most;
    }
    return most;
}

bool rnn_tree_are_siblings(rnn_tree_node lower, rnn_tree_node upper)
{
    return lower.size == upper.size && lower.offset % (2 * lower.size) == 0;
}

/* A stack of the nodes so far, whose top two are added as soon as they are siblings. */
rnn_status rnn_tree_plan(rnn_tree_node *nodes, size_t n_nodes, rnn_tree_pair *pairs)
{
    size_t depth = 0, n_pairs = 0, *slots;

    RNN_TRY(RNN_ALLOC(&slots, n_nodes, "tree nodes"));
    for (size_t i = 0; i < n_nodes; i++) {
        nodes[depth] = nodes[i];
        slots[depth++] = i;
        while (depth > 1 && rnn_tree_are_siblings(nodes[depth - 2], nodes[depth - 1])) {
            depth--;
            nodes[depth - 1].size *= 2;
            pairs[n_pairs++] = (rnn_tree_pair){slots[depth - 1], slots[depth]};
        }
    }
    rnn_free(slots);
    return RNN_OK;
}

/* -- Additions --------------------------------------------------------------------------------- */

void rnn_tree_add(const rnn_reducer *reducer, float *sum, const float *a, const float *b,
                  size_t count)
{
#pragma omp parallel for schedule(static) if (count >= PARALLEL_FROM)
    for (size_t first = 0; first < count; first += RNN_BLOCK) {
        const size_t n = rnn_smaller(count - first, RNN_BLOCK);

        if (reducer->cfg.bfloat16)
            rnn_bfloat16_add_to(sum + first, a + first, b + first, n);
        else
            rnn_vector_add_to(sum + first, a + first, b + first, n);
    }
}

void rnn_tree_add_packed(float *sum, const float *a, const uint16_t *b, size_t count)
{
#pragma omp parallel for schedule(static) if (count >= PARALLEL_FROM)
    for (size_t first = 0; first < count; first += RNN_BLOCK)
        rnn_bfloat16_add_packed_to(sum + first, a + first, b + first,
                                   rnn_smaller(count - first, RNN_BLOCK));
}

/* -- The way ----------------------------------------------------------------------------------- */

/* Messages between two of any ranks that are no power of two are as good as so many bytes: what a
 * link carries in the time of one, 10 Gbit/s and 24 us, or 100 Gbit/s and 1.5 us. */
static const double bytes_of_a_message = 24e3;

static double log2_of(int n)
{
    double levels = 0.0;

    for (; n > 1; n /= 2)
        levels += 1.0;
    return levels;
}

/* What a rank of many nodes sends in the exchange, in turns of every piece, and once more all
 * chunks at a time; and what a member receives and sends, as far as that is not at the same time:
 * by simulation. */
static bool is_folding_cheaper(int n_ranks, const rnn_reducer_cfg *cfg)
{
    const double n_bytes = (double)cfg->n_values * (cfg->bfloat16 ? 2.0 : 4.0);
    const double messages = (double)n_ranks * bytes_of_a_message;
    const size_t piece = 2 * (size_t)RNN_REDUCE_PIECE;
    const size_t n_pieces = rnn_round_up(cfg->n_values, piece) / piece;
    const double n_turns = (double)rnn_tree_most_nodes(n_ranks, cfg->n_shards);
    const double exchange = n_turns * (n_bytes + (double)n_pieces * messages) + n_bytes + messages;
    const double folding =
        (n_turns + 5.0) * n_bytes + (2.0 * log2_of(n_ranks) + 2.0) * bytes_of_a_message;

    return folding < exchange;
}

rnn_tree_way rnn_tree_choose(int n_ranks, const rnn_reducer_cfg *cfg)
{
    if ((n_ranks & (n_ranks - 1)) == 0)
        return RNN_TREE_HALVING;
    if (cfg->way != RNN_TREE_AUTO)
        return cfg->way;
    /* Displacements of an exchange are ints. */
    return cfg->n_values > INT_MAX || is_folding_cheaper(n_ranks, cfg) ? RNN_TREE_HALVING
                                                                       : RNN_TREE_EXCHANGE;
}

rnn_status rnn_tree_prepare(rnn_reducer *reducer)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    reducer->unit = reducer->cfg.whole_blocks ? RNN_BLOCK : RNN_REDUCE_LINE;
    reducer->n_own_nodes = rnn_tree_nodes_of_rank(reducer, reducer->comm->rank, nodes);
    reducer->halves = rnn_tree_choose(reducer->comm->size, &reducer->cfg) == RNN_TREE_HALVING;
    return reducer->halves ? rnn_halving_prepare(reducer) : rnn_exchange_prepare(reducer);
}

void rnn_tree_release(rnn_reducer *reducer)
{
    rnn_halving_release(&reducer->halving);
    rnn_exchange_release(&reducer->exchange);
}

/* -- Sums -------------------------------------------------------------------------------------- */

void rnn_reducer_chunk(const rnn_reducer *reducer, size_t *first, size_t *count)
{
    *first = reducer->mine.first;
    *count = reducer->mine.count;
}

rnn_status rnn_reducer_scatter(rnn_reducer *reducer, float *const *nodes, size_t n_nodes,
                               float *sum)
{
    rnn_status st;

    if (n_nodes != reducer->n_own_nodes)
        return RNN_FAIL(RNN_ERR_INTERNAL,
                        "gradient tree: rank %d brings %zu nodes, its run has %zu",
                        reducer->comm->rank, n_nodes, reducer->n_own_nodes);
    rnn_collective_enter(&reducer->comm->here, RNN_SUM_OF_GRADIENTS);
    st = reducer->halves ? rnn_halving_scatter(reducer, nodes, sum)
                         : rnn_exchange_scatter(reducer, nodes, sum);
    rnn_collective_leave(&reducer->comm->here);
    if (st == RNN_OK && reducer->cfg.bfloat16)
        rnn_bfloat16_round(sum + reducer->mine.first, reducer->mine.count);
    return st;
}

static rnn_status gather(rnn_reducer *reducer, float *values, bool packed)
{
    rnn_status st;

    if (reducer->comm->size == 1)
        return RNN_OK;
    rnn_collective_enter(&reducer->comm->here, "gathering chunks of all ranks");
    st = reducer->halves ? rnn_halving_gather(reducer, values, packed)
                         : rnn_exchange_gather(reducer, values, packed);
    rnn_collective_leave(&reducer->comm->here);
    return st;
}

rnn_status rnn_reducer_gather(rnn_reducer *reducer, float *values)
{
    return gather(reducer, values, false);
}

rnn_status rnn_reducer_tree(rnn_reducer *reducer, float *const *nodes, size_t n_nodes, float *sum)
{
    RNN_TRY(rnn_reducer_scatter(reducer, nodes, n_nodes, sum));
    return gather(reducer, sum, reducer->cfg.bfloat16);
}
