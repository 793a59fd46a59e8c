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

/* What a rank of many nodes sends in the exchange; and what a member receives and sends, as far as
 * that is not at the same time: by simulation. */
static bool is_folding_cheaper(const rnn_reducer *reducer)
{
    const double n_ranks = (double)reducer->comm->size;
    const double n_bytes = (double)reducer->cfg.n_values * (reducer->cfg.bfloat16 ? 2.0 : 4.0);
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t most_nodes = 0;
    double exchange, folding;

    for (int rank = 0; rank < reducer->comm->size; rank++) {
        const size_t n_nodes = rnn_tree_nodes_of_rank(reducer, rank, nodes);

        most_nodes = n_nodes > most_nodes ? n_nodes : most_nodes;
    }
    exchange = ((double)most_nodes + 1.0) * (n_bytes + n_ranks * bytes_of_a_message);
    folding = ((double)most_nodes + 5.0) * n_bytes +
              (2.0 * log2_of(reducer->comm->size) + 2.0) * bytes_of_a_message;
    return folding < exchange;
}

static bool takes_halving(const rnn_reducer *reducer)
{
    const int n_ranks = reducer->comm->size;

    if ((n_ranks & (n_ranks - 1)) == 0)
        return true;
    if (reducer->cfg.way != RNN_TREE_AUTO)
        return reducer->cfg.way == RNN_TREE_HALVING;
    /* Displacements of an exchange are ints. */
    return reducer->cfg.n_values > INT_MAX || is_folding_cheaper(reducer);
}

rnn_status rnn_tree_prepare(rnn_reducer *reducer)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    reducer->unit = reducer->cfg.whole_blocks ? RNN_BLOCK : RNN_REDUCE_LINE;
    reducer->n_own_nodes = rnn_tree_nodes_of_rank(reducer, reducer->comm->rank, nodes);
    reducer->halves = takes_halving(reducer);
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
