#include "dist/reduce_parts.h"

#include <string.h>

#include "kernels/memory.h"
#include "kernels/vector.h"

/*
 * Arrays are summed one segment after the other: buffers stay small and in the cache, and every
 * count fits MPI's int. Within a segment ranges are cut at cache lines.
 */
enum {
    SEGMENT = 256 * RNN_BLOCK,
    LINE = 16,
    PARALLEL_FROM = 64 * RNN_BLOCK, /* less is added sooner by one thread than by waking others */
    MAX_LEVELS = 32,                /* ranks are an int */
    TAG = 1
};

typedef struct span {
    size_t first, count;
} span;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* -- Shards and nodes -------------------------------------------------------------------------- */

void rnn_shard_range(size_t n_shards, size_t part, size_t n_parts, size_t *first, size_t *count)
{
    const size_t base = n_shards / n_parts, extra = n_shards % n_parts;

    *first = part * base + smaller(part, extra);
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

static size_t nodes_of_rank(const rnn_reducer *reducer, int rank,
                            rnn_tree_node nodes[RNN_TREE_MAX_NODES])
{
    size_t first, count;

    rnn_shard_range(reducer->n_shards, (size_t)rank, (size_t)reducer->comm->size, &first, &count);
    return rnn_tree_decompose(first, count, nodes);
}

static bool are_siblings(rnn_tree_node lower, rnn_tree_node upper)
{
    return lower.size == upper.size && lower.offset % (2 * lower.size) == 0;
}

/*
 * The additions that join n_nodes nodes, in order of offset, to the root: a stack of the nodes so
 * far, whose top two are added as soon as they are siblings. `nodes` is used up as the stack.
 */
static void plan_additions(rnn_tree_node *nodes, size_t *slots, size_t n_nodes,
                           rnn_tree_pair *pairs)
{
    size_t depth = 0, n_pairs = 0;

    for (size_t i = 0; i < n_nodes; i++) {
        nodes[depth] = nodes[i];
        slots[depth++] = i;
        while (depth > 1 && are_siblings(nodes[depth - 2], nodes[depth - 1])) {
            depth--;
            nodes[depth - 1].size *= 2;
            pairs[n_pairs++] = (rnn_tree_pair){slots[depth - 1], slots[depth]};
        }
    }
}

/* -- Buffers ----------------------------------------------------------------------------------- */

static bool is_power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

static rnn_status plan_exchange(rnn_exchange *exchange, const rnn_reducer *reducer)
{
    rnn_tree_node own[RNN_TREE_MAX_NODES], *nodes = NULL;
    size_t *slots = NULL;
    rnn_status st;

    RNN_TRY_GOTO(st, RNN_ALLOC(&nodes, exchange->n_nodes, "tree nodes"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&slots, exchange->n_nodes, "tree nodes"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&exchange->pairs, exchange->n_nodes, "tree additions"), done);
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        size_t n_own = nodes_of_rank(reducer, rank, own);

        memcpy(nodes + exchange->first_node[rank], own, n_own * sizeof own[0]);
    }
    plan_additions(nodes, slots, exchange->n_nodes, exchange->pairs);
done:
    rnn_free(nodes);
    rnn_free(slots);
    return st;
}

static rnn_status prepare_exchange(rnn_reducer *reducer)
{
    rnn_exchange *exchange = &reducer->exchange;
    const size_t n_ranks = (size_t)reducer->comm->size;
    const size_t segment = smaller(reducer->n_values, SEGMENT);
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    RNN_TRY(RNN_ALLOC(&exchange->first_node, n_ranks + 1, "tree nodes"));
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        size_t n_nodes = nodes_of_rank(reducer, rank, nodes);

        exchange->n_nodes += n_nodes;
        exchange->first_node[rank + 1] = exchange->n_nodes;
        exchange->most_nodes = n_nodes > exchange->most_nodes ? n_nodes : exchange->most_nodes;
    }
    exchange->stride = round_up(segment / n_ranks + 1, LINE);
    RNN_TRY(RNN_ALLOC(&exchange->chunks, exchange->n_nodes * exchange->stride, "gradient chunks"));
    RNN_TRY(RNN_ALLOC(&exchange->send_counts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->send_starts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->recv_counts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->recv_starts, n_ranks, "message sizes"));
    return plan_exchange(exchange, reducer);
}

rnn_status rnn_tree_prepare(rnn_reducer *reducer)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    reducer->n_own_nodes = nodes_of_rank(reducer, reducer->comm->rank, nodes);
    if (!is_power_of_two(reducer->comm->size))
        return prepare_exchange(reducer);
    if (reducer->comm->size == 1)
        return RNN_OK;
    return RNN_ALLOC(&reducer->received, smaller(reducer->n_values, SEGMENT) / 2 + LINE,
                     "gradient halves");
}

void rnn_tree_release(rnn_reducer *reducer)
{
    rnn_exchange *exchange = &reducer->exchange;

    rnn_free(reducer->received);
    rnn_free(exchange->chunks);
    rnn_free(exchange->pairs);
    rnn_free(exchange->first_node);
    rnn_free(exchange->send_counts);
    rnn_free(exchange->send_starts);
    rnn_free(exchange->recv_counts);
    rnn_free(exchange->recv_starts);
}

/* -- Powers of two: halving and doubling ------------------------------------------------------- */

static void add(float *into, const float *from, size_t count)
{
#pragma omp parallel for schedule(static) if (count >= PARALLEL_FROM)
    for (size_t first = 0; first < count; first += RNN_BLOCK)
        rnn_vector_add(into + first, from + first, smaller(count - first, RNN_BLOCK));
}

static rnn_status swap(rnn_reducer *reducer, int partner, const float *give, size_t n_give,
                       float *take, size_t n_take)
{
    RNN_MPI(MPI_Sendrecv(give, (int)n_give, MPI_FLOAT, partner, TAG, take, (int)n_take, MPI_FLOAT,
                         partner, TAG, reducer->comm->world, MPI_STATUS_IGNORE),
            "exchanging halves");
    return RNN_OK;
}

/* The half of `whole` that a rank keeps: the lower one if its bit for this level is 0. */
static span half(span whole, bool upper)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): halved before */
    const size_t middle = smaller(round_up(whole.count / 2, LINE), whole.count);

    return upper ? (span){whole.first + middle, whole.count - middle} : (span){whole.first, middle};
}

/*
 * Every rank holds one node of the tree. Level by level, partners at distance 1, 2, 4, .. hold
 * siblings: each keeps one half of the range, so that both nodes' sum is spread over the two.
 * Back in reverse to gather. Lower + higher is what the tree says; a + b has the bits of b + a.
 */
static rnn_status halve_and_double(rnn_reducer *reducer, float *values, float *sum, size_t count)
{
    const int rank = reducer->comm->rank, n_ranks = reducer->comm->size;
    span mine = {0, count}, before[MAX_LEVELS];
    int level = 0;

    for (int distance = 1; distance < n_ranks; distance *= 2) {
        const bool upper = (rank & distance) != 0;
        const span keep = half(mine, upper), give = half(mine, !upper);

        RNN_TRY(swap(reducer, rank ^ distance, values + give.first, give.count, reducer->received,
                     keep.count));
        add(values + keep.first, reducer->received, keep.count);
        before[level++] = mine;
        mine = keep;
    }
    if (sum != values)
        memcpy(sum + mine.first, values + mine.first, mine.count * sizeof *sum);
    for (int distance = n_ranks / 2; distance > 0; distance /= 2) {
        const span whole = before[--level];
        const span other = half(whole, (rank & distance) == 0);

        RNN_TRY(swap(reducer, rank ^ distance, sum + mine.first, mine.count, sum + other.first,
                     other.count));
        mine = whole;
    }
    return RNN_OK;
}

/* -- Any number of ranks: exchange of chunks --------------------------------------------------- */

static span chunk_of(size_t count, int rank, int n_ranks)
{
    span lines, chunk;

    rnn_shard_range(round_up(count, LINE) / LINE, (size_t)rank, (size_t)n_ranks, &lines.first,
                    &lines.count);
    chunk.first = smaller(lines.first * LINE, count);
    chunk.count = smaller(lines.count * LINE, count - chunk.first);
    return chunk;
}

/* Sends chunk r of this rank's node number `turn`, if it has so many, to rank r. */
static rnn_status send_chunks(rnn_reducer *reducer, const float *node, size_t turn, size_t count)
{
    rnn_exchange *exchange = &reducer->exchange;
    const int n_ranks = reducer->comm->size;
    const span mine = chunk_of(count, reducer->comm->rank, n_ranks);

    for (int rank = 0; rank < n_ranks; rank++) {
        const span chunk = chunk_of(count, rank, n_ranks);
        const size_t slot = exchange->first_node[rank] + turn;
        const bool sends = slot < exchange->first_node[rank + 1];

        exchange->send_counts[rank] = node != NULL ? (int)chunk.count : 0;
        exchange->send_starts[rank] = (int)chunk.first;
        exchange->recv_counts[rank] = sends ? (int)mine.count : 0;
        exchange->recv_starts[rank] = sends ? (int)(slot * exchange->stride) : 0;
    }
    RNN_MPI(MPI_Alltoallv(node, exchange->send_counts, exchange->send_starts, MPI_FLOAT,
                          exchange->chunks, exchange->recv_counts, exchange->recv_starts, MPI_FLOAT,
                          reducer->comm->world),
            "exchanging chunks");
    return RNN_OK;
}

/* All additions of the tree on one block of values before the next block: it stays in the cache. */
static void add_chunks(const rnn_exchange *exchange, size_t count)
{
#pragma omp parallel for schedule(static) if (count >= PARALLEL_FROM)
    for (size_t first = 0; first < count; first += RNN_BLOCK)
        for (size_t i = 0; i + 1 < exchange->n_nodes; i++)
            rnn_vector_add(exchange->chunks + exchange->pairs[i].into * exchange->stride + first,
                           exchange->chunks + exchange->pairs[i].from * exchange->stride + first,
                           smaller(count - first, RNN_BLOCK));
}

static rnn_status gather_chunks(rnn_reducer *reducer, float *sum, size_t count)
{
    rnn_exchange *exchange = &reducer->exchange;
    const int rank = reducer->comm->rank, n_ranks = reducer->comm->size;

    for (int i = 0; i < n_ranks; i++) {
        exchange->recv_counts[i] = (int)chunk_of(count, i, n_ranks).count;
        exchange->recv_starts[i] = (int)chunk_of(count, i, n_ranks).first;
    }
    RNN_MPI(MPI_Allgatherv(exchange->chunks, exchange->recv_counts[rank], MPI_FLOAT, sum,
                           exchange->recv_counts, exchange->recv_starts, MPI_FLOAT,
                           reducer->comm->world),
            "gathering chunks");
    return RNN_OK;
}

/*
 * Runs that are no single node: rank r gets chunk r of every node of every rank, adds them all up
 * the tree, and the chunks of the root are gathered. One turn per node spares packing them.
 */
static rnn_status exchange_chunks(rnn_reducer *reducer, float *const *nodes, size_t first,
                                  float *sum, size_t count)
{
    const rnn_exchange *exchange = &reducer->exchange;

    for (size_t turn = 0; turn < exchange->most_nodes; turn++) {
        const float *node = turn < reducer->n_own_nodes ? nodes[turn] + first : NULL;

        RNN_TRY(send_chunks(reducer, node, turn, count));
    }
    add_chunks(exchange, chunk_of(count, reducer->comm->rank, reducer->comm->size).count);
    return gather_chunks(reducer, sum, count);
}

/* Collective. One of the segments, with all its messages, is one collective to the watchdog. */
static rnn_status sum_segment(rnn_reducer *reducer, float *const *nodes, size_t first, float *sum)
{
    const size_t count = smaller(reducer->n_values - first, SEGMENT);
    rnn_status st;

    rnn_collective_enter(&reducer->comm->here, RNN_SUM_OF_GRADIENTS);
    if (is_power_of_two(reducer->comm->size))
        st = halve_and_double(reducer, nodes[0] + first, sum + first, count);
    else
        st = exchange_chunks(reducer, nodes, first, sum + first, count);
    rnn_collective_leave(&reducer->comm->here);
    return st;
}

rnn_status rnn_reducer_tree(rnn_reducer *reducer, float *const *nodes, size_t n_nodes, float *sum)
{
    if (n_nodes != reducer->n_own_nodes)
        return RNN_FAIL(RNN_ERR_INTERNAL,
                        "gradient tree: rank %d brings %zu nodes, its run has %zu",
                        reducer->comm->rank, n_nodes, reducer->n_own_nodes);
    for (size_t first = 0; first < reducer->n_values; first += SEGMENT)
        RNN_TRY(sum_segment(reducer, nodes, first, sum));
    return RNN_OK;
}
