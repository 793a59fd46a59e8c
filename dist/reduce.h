/*
 * Gradient sums over ranks, in two ways.
 *
 * Tree: one fixed binary tree over the V shards (V a power of two),
 *     node(off, size) = node(off, size / 2) + node(off + size / 2, size / 2),
 * so the bits of the sum do not depend on how many ranks share the shards. A rank owns a contiguous
 * run of shards, brings the sums of the maximal aligned nodes in it, and the ranks finish the tree
 * together. Allreduce: the MPI library's own non-blocking sum, in buckets, free to reorder.
 */
#ifndef RNN_DIST_REDUCE_H
#define RNN_DIST_REDUCE_H

#include <stddef.h>

#include "dist/comm.h"

/* Aligned node of the tree: shards offset .. offset + size - 1; size, a power of two, divides
 * offset. */
typedef struct rnn_tree_node {
    size_t offset, size;
} rnn_tree_node;

enum { RNN_TREE_MAX_NODES = 128 }; /* a run has fewer than 2 * 64 maximal nodes */

/* The run of shards of `part` out of `n_parts`: [*first, *first + *count), contiguous, balanced. */
void rnn_shard_range(size_t n_shards, size_t part, size_t n_parts, size_t *first, size_t *count);

/* Maximal aligned nodes of a run, in order of offset; returns their number. */
size_t rnn_tree_decompose(size_t first, size_t count, rnn_tree_node nodes[RNN_TREE_MAX_NODES]);

typedef struct rnn_reducer rnn_reducer;

/*
 * Collective. For arrays of n_values floats, n_shards a power of two >= the number of ranks (else
 * RNN_ERR_USAGE with both numbers). Takes its communication buffers now. `comm` is lent until
 * rnn_reducer_destroy.
 */
rnn_status rnn_reducer_create(rnn_reducer **out, rnn_comm *comm, size_t n_values, size_t n_shards);
void rnn_reducer_destroy(rnn_reducer **reducer);

/*
 * Collective. Finishes the tree.
 *   nodes  n_nodes pointers to [n_values], in the order of rnn_tree_decompose for this rank's run;
 *          contents may be overwritten
 *   sum    [n_values] (out) the root's sum, the same bits on every rank; may be nodes[0]
 * Halving and doubling when ranks are a power of two, else exchange of chunks; same bits (of a NaN:
 * some NaN on every rank, the same on all).
 */
rnn_status rnn_reducer_tree(rnn_reducer *reducer, float *const *nodes, size_t n_nodes, float *sum);

/*
 * Collective. Starts the sum of values[first .. first + count) in place over all ranks and returns;
 * the range, of at most INT_MAX values, belongs to MPI until rnn_reducer_wait. Every call also
 * gives the buckets already started a chance to move on, and waits for them when there are
 * RNN_REDUCER_MAX_BUCKETS.
 */
enum { RNN_REDUCER_MAX_BUCKETS = 256 };
rnn_status rnn_reducer_start(rnn_reducer *reducer, float *values, size_t first, size_t count);

/* Collective. Waits for every bucket started. */
rnn_status rnn_reducer_wait(rnn_reducer *reducer);

#endif
