/*
 * Any number of ranks: rank r gets chunk r of every node of every rank, adds them all up the tree,
 * and the chunks of the root are gathered. All in pieces of each chunk.
 */
#include "dist/reduce_parts.h"

#include <string.h>

#include "kernels/bfloat16.h"
#include "kernels/memory.h"

/* -- Plan -------------------------------------------------------------------------------------- */

static rnn_span chunk_of(const rnn_reducer *reducer, int rank)
{
    const size_t unit = reducer->unit, count = reducer->cfg.n_values;
    rnn_span units, chunk;

    rnn_shard_range(rnn_round_up(count, unit) / unit, (size_t)rank, (size_t)reducer->comm->size,
                    &units.first, &units.count);
    chunk.first = rnn_smaller(units.first * unit, count);
    chunk.count = rnn_smaller(units.count * unit, count - chunk.first);
    return chunk;
}

/* Rank 0's is the longest. */
static size_t longest_chunk(const rnn_reducer *reducer)
{
    return chunk_of(reducer, 0).count;
}

static rnn_status plan_additions(rnn_exchange *exchange, const rnn_reducer *reducer)
{
    rnn_tree_node own[RNN_TREE_MAX_NODES], *nodes;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&exchange->pairs, exchange->n_nodes, "tree additions"));
    RNN_TRY(RNN_ALLOC(&nodes, exchange->n_nodes, "tree nodes"));
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        size_t n_own = rnn_tree_nodes_of_rank(reducer, rank, own);

        memcpy(nodes + exchange->first_node[rank], own, n_own * sizeof own[0]);
    }
    st = rnn_tree_plan(nodes, exchange->n_nodes, exchange->pairs);
    rnn_free(nodes);
    return st;
}

static rnn_status count_nodes(rnn_exchange *exchange, const rnn_reducer *reducer)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    RNN_TRY(RNN_ALLOC(&exchange->first_node, (size_t)reducer->comm->size + 1, "tree nodes"));
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        size_t n_nodes = rnn_tree_nodes_of_rank(reducer, rank, nodes);

        exchange->n_nodes += n_nodes;
        exchange->first_node[rank + 1] = exchange->n_nodes;
        exchange->most_nodes = n_nodes > exchange->most_nodes ? n_nodes : exchange->most_nodes;
    }
    return RNN_OK;
}

rnn_status rnn_exchange_prepare(rnn_reducer *reducer)
{
    rnn_exchange *exchange = &reducer->exchange;
    const size_t n_ranks = (size_t)reducer->comm->size;

    reducer->mine = chunk_of(reducer, reducer->comm->rank);
    RNN_TRY(count_nodes(exchange, reducer));
    exchange->stride =
        rnn_smaller(rnn_round_up(longest_chunk(reducer), RNN_REDUCE_LINE),
                    rnn_round_up((size_t)2 * RNN_REDUCE_PIECE / n_ranks, RNN_REDUCE_LINE));
    RNN_TRY(RNN_ALLOC(&exchange->pieces, exchange->n_nodes * exchange->stride, "gradient chunks"));
    if (reducer->cfg.bfloat16) {
        RNN_TRY(
            RNN_ALLOC(&exchange->packed, exchange->n_nodes * exchange->stride, "gradient chunks"));
        RNN_TRY(RNN_ALLOC(&exchange->packed_all, n_ranks * exchange->stride, "gradient chunks"));
    }
    RNN_TRY(RNN_ALLOC(&exchange->send_counts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->send_starts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->recv_counts, n_ranks, "message sizes"));
    RNN_TRY(RNN_ALLOC(&exchange->recv_starts, n_ranks, "message sizes"));
    return plan_additions(exchange, reducer);
}

void rnn_exchange_release(rnn_exchange *exchange)
{
    rnn_free(exchange->pieces);
    rnn_free(exchange->packed);
    rnn_free(exchange->packed_all);
    rnn_free(exchange->pairs);
    rnn_free(exchange->first_node);
    rnn_free(exchange->send_counts);
    rnn_free(exchange->send_starts);
    rnn_free(exchange->recv_counts);
    rnn_free(exchange->recv_starts);
}

/* -- There ------------------------------------------------------------------------------------- */

/* What is sent of a node, a piece of each rank's chunk: from where it lies, or packed one after
 * another. NULL if there is no such node. */
static const void *prepare_sending(rnn_reducer *reducer, const float *node, size_t done)
{
    rnn_exchange *exchange = &reducer->exchange;

    for (int rank = 0; rank < reducer->comm->size; rank++) {
        const rnn_span piece = rnn_piece(chunk_of(reducer, rank), done, exchange->stride);
        const size_t start = reducer->cfg.bfloat16 ? (size_t)rank * exchange->stride : piece.first;

        exchange->send_counts[rank] = node != NULL ? (int)piece.count : 0;
        exchange->send_starts[rank] = (int)start;
        if (reducer->cfg.bfloat16 && node != NULL)
            rnn_bfloat16_pack(exchange->packed_all + start, node + piece.first, piece.count);
    }
    return reducer->cfg.bfloat16 ? (const void *)exchange->packed_all : node;
}

/* Sends pieces of this rank's node number `turn`, if it has so many, to those whose chunks they
 * are. */
static rnn_status send_pieces(rnn_reducer *reducer, const float *node, size_t turn, size_t done)
{
    rnn_exchange *exchange = &reducer->exchange;
    const bool packs = reducer->cfg.bfloat16;
    MPI_Datatype type = packs ? MPI_UINT16_T : MPI_FLOAT;
    const rnn_span mine = rnn_piece(reducer->mine, done, exchange->stride);
    const void *sent = prepare_sending(reducer, node, done);

    for (int rank = 0; rank < reducer->comm->size; rank++) {
        const size_t slot = exchange->first_node[rank] + turn;
        const bool sends = slot < exchange->first_node[rank + 1];

        exchange->recv_counts[rank] = sends ? (int)mine.count : 0;
        exchange->recv_starts[rank] = sends ? (int)(slot * exchange->stride) : 0;
    }
    RNN_MPI(MPI_Alltoallv(sent, exchange->send_counts, exchange->send_starts, type,
                          packs ? (void *)exchange->packed : exchange->pieces,
                          exchange->recv_counts, exchange->recv_starts, type, reducer->comm->world),
            "exchanging chunks");
    return RNN_OK;
}

static float *piece_of(const rnn_exchange *exchange, size_t node, size_t first)
{
    return exchange->pieces + node * exchange->stride + first;
}

static void unpack_pieces(const rnn_exchange *exchange, size_t count)
{
    for (size_t i = 0; i < exchange->n_nodes; i++)
        rnn_bfloat16_unpack(piece_of(exchange, i, 0), exchange->packed + i * exchange->stride,
                            count);
}

/* All additions of the tree on one block of values before the next block: it stays in the cache. */
static void add_pieces(const rnn_reducer *reducer, size_t count)
{
    const rnn_exchange *exchange = &reducer->exchange;

    if (reducer->cfg.bfloat16)
        unpack_pieces(exchange, count);
#pragma omp parallel for schedule(static) if (count >= (size_t)64 * RNN_BLOCK)
    for (size_t first = 0; first < count; first += RNN_BLOCK)
        for (size_t i = 0; i + 1 < exchange->n_nodes; i++) {
            float *into = piece_of(exchange, exchange->pairs[i].into, first);

            rnn_tree_add(reducer, into, into, piece_of(exchange, exchange->pairs[i].from, first),
                         rnn_smaller(count - first, RNN_BLOCK));
        }
}

/* One turn per node spares packing them into one message. */
rnn_status rnn_exchange_scatter(rnn_reducer *reducer, float *const *nodes, float *sum)
{
    const rnn_exchange *exchange = &reducer->exchange;

    for (size_t done = 0; done < longest_chunk(reducer); done += exchange->stride) {
        const rnn_span mine = rnn_piece(reducer->mine, done, exchange->stride);

        for (size_t turn = 0; turn < exchange->most_nodes; turn++)
            RNN_TRY(
                send_pieces(reducer, turn < reducer->n_own_nodes ? nodes[turn] : NULL, turn, done));
        add_pieces(reducer, mine.count);
        memcpy(sum + mine.first, exchange->pieces, mine.count * sizeof *sum);
    }
    return RNN_OK;
}

/* -- And back ---------------------------------------------------------------------------------- */

static rnn_status gather_floats(rnn_reducer *reducer, float *values)
{
    const rnn_exchange *exchange = &reducer->exchange;

    for (int rank = 0; rank < reducer->comm->size; rank++) {
        exchange->recv_counts[rank] = (int)chunk_of(reducer, rank).count;
        exchange->recv_starts[rank] = (int)chunk_of(reducer, rank).first;
    }
    RNN_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, exchange->recv_counts,
                           exchange->recv_starts, MPI_FLOAT, reducer->comm->world),
            "gathering chunks");
    return RNN_OK;
}

static rnn_status gather_packed(rnn_reducer *reducer, float *values, size_t done)
{
    const rnn_exchange *exchange = &reducer->exchange;
    const rnn_span mine = rnn_piece(reducer->mine, done, exchange->stride);

    for (int rank = 0; rank < reducer->comm->size; rank++) {
        const rnn_span piece = rnn_piece(chunk_of(reducer, rank), done, exchange->stride);

        exchange->recv_counts[rank] = (int)piece.count;
        exchange->recv_starts[rank] = (int)((size_t)rank * exchange->stride);
    }
    rnn_bfloat16_pack(exchange->packed_all + (size_t)reducer->comm->rank * exchange->stride,
                      values + mine.first, mine.count);
    RNN_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, exchange->packed_all,
                           exchange->recv_counts, exchange->recv_starts, MPI_UINT16_T,
                           reducer->comm->world),
            "gathering chunks");
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        const rnn_span piece = rnn_piece(chunk_of(reducer, rank), done, exchange->stride);

        rnn_bfloat16_unpack(values + piece.first,
                            exchange->packed_all + (size_t)rank * exchange->stride, piece.count);
    }
    return RNN_OK;
}

rnn_status rnn_exchange_gather(rnn_reducer *reducer, float *values, bool packed)
{
    if (!packed)
        return gather_floats(reducer, values);
    for (size_t done = 0; done < longest_chunk(reducer); done += reducer->exchange.stride)
        RNN_TRY(gather_packed(reducer, values, done));
    return RNN_OK;
}
