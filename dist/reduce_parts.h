/*
 * For the sources of dist/ only: the reducer's inside, shared by the ways of summing.
 */
#ifndef RNN_DIST_REDUCE_PARTS_H
#define RNN_DIST_REDUCE_PARTS_H

#include <mpi.h>
#include <stdint.h>

#include "dist/comm_mpi.h"
#include "dist/reduce.h"
#include "kernels/vector.h"

/* What the watchdog calls either way: the tree's way to the chunks, or the first to last bucket. */
#define RNN_SUM_OF_GRADIENTS "sum of gradients over ranks"

/* Arrays travel in pieces: buffers stay small and in the cache, and every count fits MPI's int. */
enum { RNN_REDUCE_PIECE = 128 * RNN_BLOCK, RNN_REDUCE_LINE = 16, RNN_REDUCE_TAG = 1 };

typedef struct rnn_span {
    size_t first, count;
} rnn_span;

/* One addition of the tree: node `into` += node `from`, both numbers in a list of nodes. */
typedef struct rnn_tree_pair {
    size_t into, from;
} rnn_tree_pair;

/* -- Halving and doubling among a power of two of members -------------------------------------- */

enum {
    RNN_MAX_LEVELS = 32,   /* ranks are an int */
    RNN_MAX_FOLLOWERS = 2, /* runs have at least half a member's shards, less one */
    RNN_FOLD_PIECE = 32 * RNN_BLOCK
};

/* What a member does with the nodes of the ranks after it, to have one node of V / members. */
typedef struct rnn_fold {
    int leader; /* whom this rank sends its first n_sent nodes, -1 if it keeps all */
    size_t n_sent;
    int n_followers; /* ranks after this one that send theirs */
    size_t n_received[RNN_MAX_FOLLOWERS];
    size_t n_nodes;       /* own and received */
    rnn_tree_pair *pairs; /* [n_nodes - 1] additions; the sum ends in node 0 */
    float **nodes;        /* [n_nodes], where they are */
    float *values;        /* [received][RNN_FOLD_PIECE], or room for nodes that are unpacked */
    uint16_t *packed;     /* [sent + received][RNN_FOLD_PIECE], with bfloat16 only */
} rnn_fold;

typedef struct rnn_halving {
    int n_members; /* the largest power of two that is not above the number of ranks */
    int member;    /* this rank's number among them, -1 if it is none */
    int *rank_of;  /* [n_members] */
    int n_levels;
    rnn_span kept[RNN_MAX_LEVELS + 1];      /* [n_levels + 1] what is left to this member */
    float *received[2];                     /* pieces, */
    uint16_t *packed_in[2], *packed_out[2]; /* or these with bfloat16 */
    rnn_fold fold;
} rnn_halving;

/* -- Exchange of chunks ------------------------------------------------------------------------ */

typedef struct rnn_exchange {
    size_t n_nodes;       /* of all ranks' runs together, in order of offset */
    size_t most_nodes;    /* of one rank's run */
    size_t stride;        /* floats from one node's piece to the next in `pieces` */
    float *pieces;        /* [n_nodes][stride]: of this rank's chunk of every node */
    uint16_t *packed;     /* [n_nodes][stride], with bfloat16 only */
    uint16_t *packed_all; /* [ranks][stride], likewise: of every rank's chunk of one array */
    rnn_tree_pair *pairs; /* [n_nodes - 1] additions; the sum ends in node 0 */
    size_t *first_node;   /* [ranks + 1] where each rank's nodes start among all */
    int *send_counts, *send_starts, *recv_counts, *recv_starts; /* [ranks] for MPI_Alltoallv */
} rnn_exchange;

struct rnn_reducer {
    rnn_comm *comm; /* lent */
    rnn_reducer_cfg cfg;
    size_t unit;        /* chunks are multiples of it, but the last */
    bool halves;        /* the way: halving, else exchange */
    size_t n_own_nodes; /* of this rank's run */
    rnn_span mine;      /* this rank's chunk */
    rnn_halving halving;
    rnn_exchange exchange;
    MPI_Request buckets[RNN_REDUCER_MAX_BUCKETS];
    int n_buckets;
};

/* Chooses the way and takes the buffers for it. Local; leaves what it took to rnn_tree_release. */
rnn_status rnn_tree_prepare(rnn_reducer *reducer);
void rnn_tree_release(rnn_reducer *reducer);

/* The nodes of a rank's run; returns their number. */
size_t rnn_tree_nodes_of_rank(const rnn_reducer *reducer, int rank,
                              rnn_tree_node nodes[RNN_TREE_MAX_NODES]);

/* The additions that join n_nodes nodes, in order of offset, to one. `nodes` is used up. */
rnn_status rnn_tree_plan(rnn_tree_node *nodes, size_t n_nodes, rnn_tree_pair *pairs);

/* sum = a + b over count values, by all threads if that is worth it, rounded before if the
 * configuration has it. `sum` may be `a`. */
void rnn_tree_add(const rnn_reducer *reducer, float *sum, const float *a, const float *b,
                  size_t count);
void rnn_tree_add_packed(float *sum, const float *a, const uint16_t *b, size_t count);

/*
 * One way each. prepare sets `mine`; scatter leaves the sum in sum[mine], rounded if need be;
 * gather is exact, or of values that are bfloat16 already if `packed`.
 */
rnn_status rnn_halving_prepare(rnn_reducer *reducer);
void rnn_halving_release(rnn_halving *halving);
rnn_status rnn_halving_scatter(rnn_reducer *reducer, float *const *nodes, float *sum);
rnn_status rnn_halving_gather(rnn_reducer *reducer, float *values, bool packed);

rnn_status rnn_fold_prepare(rnn_reducer *reducer);
void rnn_fold_release(rnn_fold *fold);
rnn_status rnn_fold_in(rnn_reducer *reducer, float *const *nodes);
rnn_status rnn_fold_out(rnn_reducer *reducer, float *values);

rnn_status rnn_exchange_prepare(rnn_reducer *reducer);
void rnn_exchange_release(rnn_exchange *exchange);
rnn_status rnn_exchange_scatter(rnn_reducer *reducer, float *const *nodes, float *sum);
rnn_status rnn_exchange_gather(rnn_reducer *reducer, float *values, bool packed);

static inline size_t rnn_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t rnn_round_up(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* The part of `whole` from `done` values on, at most `piece` of them; empty past the end. */
static inline rnn_span rnn_piece(rnn_span whole, size_t done, size_t piece)
{
    const size_t skipped = rnn_smaller(done, whole.count);

    return (rnn_span){whole.first + skipped, rnn_smaller(whole.count - skipped, piece)};
}

#endif
