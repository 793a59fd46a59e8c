/*
 * Ranks beyond a power of two: before halving they give their nodes to members, after doubling they
 * are given the result.
 *
 * A member stands for V / members shards from the first of them on, which it has; the rest of them
 * are the first ones of up to two ranks after it. Those may be members in turn, for later shards.
 */
#include "dist/reduce_parts.h"

#include <string.h>

#include "kernels/bfloat16.h"
#include "kernels/memory.h"

/* -- Plan -------------------------------------------------------------------------------------- */

static size_t shards_of_member(const rnn_reducer *reducer)
{
    return reducer->cfg.n_shards / (size_t)reducer->halving.n_members;
}

/* The nodes of a rank that lie before the first shard of a member of its own; *member is whose
 * shards they are among. */
static size_t count_sent(const rnn_reducer *reducer, int rank, size_t *member,
                         rnn_tree_node nodes[RNN_TREE_MAX_NODES])
{
    const size_t n_nodes = rnn_tree_nodes_of_rank(reducer, rank, nodes);
    const size_t size = shards_of_member(reducer);
    size_t n_sent = 0;

    *member = nodes[0].offset / size;
    if (nodes[0].offset % size == 0)
        return 0;
    while (n_sent < n_nodes && nodes[n_sent].offset / size == *member)
        n_sent++;
    return n_sent;
}

static void append(rnn_tree_node *all, size_t *n_all, const rnn_tree_node *nodes, size_t n_nodes)
{
    memcpy(all + *n_all, nodes, n_nodes * sizeof nodes[0]);
    *n_all += n_nodes;
}

/* Lists what becomes this member's node: its own nodes, and those of the ranks that follow it. */
static void find_followers(rnn_reducer *reducer, rnn_tree_node *all)
{
    rnn_fold *fold = &reducer->halving.fold;
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t n_own = rnn_tree_nodes_of_rank(reducer, reducer->comm->rank, nodes);

    append(all, &fold->n_nodes, nodes + fold->n_sent, n_own - fold->n_sent);
    for (int rank = reducer->comm->rank + 1; rank < reducer->comm->size; rank++) {
        size_t member, n_sent = count_sent(reducer, rank, &member, nodes);

        if (n_sent == 0 || (int)member != reducer->halving.member)
            break;
        fold->n_received[fold->n_followers++] = n_sent;
        append(all, &fold->n_nodes, nodes, n_sent);
    }
}

static size_t total_received(const rnn_fold *fold)
{
    size_t n = 0;

    for (int i = 0; i < fold->n_followers; i++)
        n += fold->n_received[i];
    return n;
}

static rnn_status take_buffers(rnn_reducer *reducer)
{
    rnn_fold *fold = &reducer->halving.fold;
    const size_t n = total_received(fold);
    const size_t piece = rnn_smaller(reducer->cfg.n_values, RNN_FOLD_PIECE);

    RNN_TRY(RNN_ALLOC(&fold->nodes, fold->n_nodes, "tree nodes"));
    RNN_TRY(RNN_ALLOC(&fold->values, n * piece, "gradients of other ranks"));
    if (!reducer->cfg.bfloat16)
        return RNN_OK;
    return RNN_ALLOC(&fold->packed, (n + fold->n_sent) * piece, "gradients of other ranks");
}

rnn_status rnn_fold_prepare(rnn_reducer *reducer)
{
    rnn_fold *fold = &reducer->halving.fold;
    rnn_tree_node all[(1 + RNN_MAX_FOLLOWERS) * RNN_TREE_MAX_NODES], nodes[RNN_TREE_MAX_NODES];
    size_t member;

    fold->n_sent = count_sent(reducer, reducer->comm->rank, &member, nodes);
    fold->leader = fold->n_sent > 0 ? reducer->halving.rank_of[member] : -1;
    if (reducer->halving.member >= 0)
        find_followers(reducer, all);
    RNN_TRY(take_buffers(reducer));
    RNN_TRY(RNN_ALLOC(&fold->pairs, fold->n_nodes, "tree additions"));
    return fold->n_nodes > 0 ? rnn_tree_plan(all, fold->n_nodes, fold->pairs) : RNN_OK;
}

void rnn_fold_release(rnn_fold *fold)
{
    rnn_free(fold->pairs);
    rnn_free(fold->nodes);
    rnn_free(fold->values);
    rnn_free(fold->packed);
}

/* -- In ---------------------------------------------------------------------------------------- */

enum { MAX_REQUESTS = (1 + RNN_MAX_FOLLOWERS) * RNN_TREE_MAX_NODES };

typedef struct requests {
    MPI_Request all[MAX_REQUESTS];
    int count;
} requests;

static rnn_status finish(requests *r)
{
    RNN_MPI(MPI_Waitall(r->count, r->all, MPI_STATUSES_IGNORE), "folding nodes");
    return RNN_OK;
}

static rnn_status start_sending(const rnn_reducer *reducer, float *const *nodes, rnn_span piece,
                                requests *r)
{
    const rnn_fold *fold = &reducer->halving.fold;
    const bool packs = reducer->cfg.bfloat16;
    uint16_t *packed = fold->packed;

    for (size_t i = 0; i < fold->n_sent; i++, packed += packs ? piece.count : 0) {
        if (packs)
            rnn_bfloat16_pack(packed, nodes[i] + piece.first, piece.count);
        RNN_MPI(MPI_Isend(packs ? (const void *)packed : nodes[i] + piece.first, (int)piece.count,
                          packs ? MPI_UINT16_T : MPI_FLOAT, fold->leader, RNN_REDUCE_TAG,
                          reducer->comm->world, &r->all[r->count++]),
                "folding nodes");
    }
    return RNN_OK;
}

/* Node after node to where values, or else packed, have room for all. */
static rnn_status start_receiving(const rnn_reducer *reducer, size_t count, requests *r)
{
    const rnn_fold *fold = &reducer->halving.fold;
    const bool packs = reducer->cfg.bfloat16;
    size_t done = 0;

    for (int i = 0; i < fold->n_followers; i++)
        for (size_t k = 0; k < fold->n_received[i]; k++, done += count) {
            uint16_t *packed = packs ? fold->packed + fold->n_sent * count + done : NULL;

            RNN_MPI(MPI_Irecv(packs ? (void *)packed : fold->values + done, (int)count,
                              packs ? MPI_UINT16_T : MPI_FLOAT, reducer->comm->rank + 1 + i,
                              RNN_REDUCE_TAG, reducer->comm->world, &r->all[r->count++]),
                    "folding nodes");
        }
    return RNN_OK;
}

/* Adds up what is there to the member's node, in place of the first of its own. */
static void add_piece(rnn_reducer *reducer, float *const *nodes, rnn_span piece)
{
    rnn_fold *fold = &reducer->halving.fold;
    const size_t n_received = total_received(fold), n_own = fold->n_nodes - n_received;

    if (reducer->cfg.bfloat16)
        rnn_bfloat16_unpack(fold->values, fold->packed + fold->n_sent * piece.count,
                            n_received * piece.count);
    for (size_t i = 0; i < fold->n_nodes; i++)
        fold->nodes[i] = i < n_own ? nodes[fold->n_sent + i] + piece.first
                                   : fold->values + (i - n_own) * piece.count;
    for (size_t i = 0; i + 1 < fold->n_nodes; i++)
        rnn_tree_add(reducer, fold->nodes[fold->pairs[i].into], fold->nodes[fold->pairs[i].into],
                     fold->nodes[fold->pairs[i].from], piece.count);
}

rnn_status rnn_fold_in(rnn_reducer *reducer, float *const *nodes)
{
    const rnn_span whole = {0, reducer->cfg.n_values};

    if (reducer->comm->size == reducer->halving.n_members)
        return RNN_OK;
    for (size_t done = 0; done < whole.count; done += RNN_FOLD_PIECE) {
        const rnn_span piece = rnn_piece(whole, done, RNN_FOLD_PIECE);
        requests r = {.count = 0};

        RNN_TRY(start_receiving(reducer, piece.count, &r));
        RNN_TRY(start_sending(reducer, nodes, piece, &r));
        RNN_TRY(finish(&r));
        add_piece(reducer, nodes, piece);
    }
    return RNN_OK;
}

/* -- Out --------------------------------------------------------------------------------------- */

/* The follower that is no member, -1 if both or none are: a run within a member's shards. */
static int find_outsider(const rnn_reducer *reducer)
{
    const rnn_halving *halving = &reducer->halving;

    for (int i = 0; i < halving->fold.n_followers; i++) {
        const int rank = reducer->comm->rank + 1 + i, next = halving->member + 1;

        if (next == halving->n_members || halving->rank_of[next] != rank)
            return rank;
    }
    return -1;
}

static rnn_status receive_sum(const rnn_reducer *reducer, float *values, size_t count)
{
    RNN_MPI(MPI_Recv(values, (int)count, MPI_FLOAT, reducer->halving.fold.leader, RNN_REDUCE_TAG,
                     reducer->comm->world, MPI_STATUS_IGNORE),
            "receiving the sum");
    return RNN_OK;
}

static rnn_status send_sum(const rnn_reducer *reducer, const float *values, size_t count, int rank)
{
    RNN_MPI(MPI_Send(values, (int)count, MPI_FLOAT, rank, RNN_REDUCE_TAG, reducer->comm->world),
            "sending the sum");
    return RNN_OK;
}

rnn_status rnn_fold_out(rnn_reducer *reducer, float *values)
{
    const rnn_span whole = {0, reducer->cfg.n_values};
    const bool is_member = reducer->halving.member >= 0;
    const int outsider = is_member ? find_outsider(reducer) : -1;

    for (size_t done = 0; done < whole.count; done += RNN_REDUCE_PIECE) {
        const rnn_span piece = rnn_piece(whole, done, RNN_REDUCE_PIECE);

        if (!is_member)
            RNN_TRY(receive_sum(reducer, values + piece.first, piece.count));
        else if (outsider >= 0)
            RNN_TRY(send_sum(reducer, values + piece.first, piece.count, outsider));
    }
    return RNN_OK;
}
