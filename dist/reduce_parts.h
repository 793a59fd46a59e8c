/*
 * For the sources of dist/ only: the reducer's inside, shared by the two ways of summing.
 */
#ifndef RNN_DIST_REDUCE_PARTS_H
#define RNN_DIST_REDUCE_PARTS_H

#include <mpi.h>

#include "dist/comm_mpi.h"
#include "dist/reduce.h"

/* What the watchdog calls either way: a segment of the tree, or the first to the last bucket. */
#define RNN_SUM_OF_GRADIENTS "sum of gradients over ranks"

/* One addition of the tree: node `into` += node `from`, both numbers in a list of nodes. */
typedef struct rnn_tree_pair {
    size_t into, from;
} rnn_tree_pair;

/* What the ranks need to finish the tree when their number is not a power of two. */
typedef struct rnn_exchange {
    size_t n_nodes;       /* of all ranks' runs together, in order of offset */
    size_t most_nodes;    /* of one rank's run */
    size_t stride;        /* floats from one node's chunk to the next in `chunks` */
    float *chunks;        /* [n_nodes][stride]: this rank's chunk of every node */
    rnn_tree_pair *pairs; /* [n_nodes - 1] additions; the sum ends in node 0 */
    size_t *first_node;   /* [ranks + 1] where each rank's nodes start among all */
    int *send_counts, *send_starts, *recv_counts, *recv_starts; /* [ranks] for MPI_Alltoallv */
} rnn_exchange;

struct rnn_reducer {
    rnn_comm *comm; /* lent */
    size_t n_values;
    size_t n_shards;
    size_t n_own_nodes; /* of this rank's run */
    float *received;    /* halving: what the partner sent */
    rnn_exchange exchange;
    MPI_Request buckets[RNN_REDUCER_MAX_BUCKETS];
    int n_buckets;
};

/* Takes the buffers for rnn_reducer_tree. Local; leaves what it took to rnn_tree_release. */
rnn_status rnn_tree_prepare(rnn_reducer *reducer);
void rnn_tree_release(rnn_reducer *reducer);

#endif
