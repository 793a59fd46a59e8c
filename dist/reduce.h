/*
 * Gradient sums over ranks, in two ways.
 *
 * Tree: one fixed binary tree over the V shards (V a power of two),
 *     node(off, size) = node(off, size / 2) + node(off + size / 2, size / 2),
 * so the bits of the sum do not depend on how many ranks share the shards. A rank owns a contiguous
 * run of shards, brings the sums of the maximal aligned nodes in it, and the ranks finish the tree
 * together. Allreduce: the MPI library's own non-blocking sum, in buckets, free to reorder.
 *
 * The tree is finished in one of three ways, all with the same bits:
 * - halving and doubling, where ranks are a power of two: partners at distance 1, 2, 4, ..., so
 *   2 log2(P) messages and 2 (P - 1) / P of the array each way;
 * - exchange of chunks, for other numbers of ranks: each sends chunk r of its nodes to rank r. Up
 *   to (k + 1) / 2 times the bytes of halving, k nodes in the run of a rank, in 2 P messages;
 * - folding, for many ranks that are no power of two and arrays so short that messages count: nodes
 *   of surplus ranks go to others, a power of two of these halve and double, and the surplus ranks
 *   are sent the result.
 *
 * Place ranks in blocks (mpirun --map-by slot, srun --distribution=block): neighbours, who exchange
 * the large halves, then share a node. With c = P / N ranks on each of N nodes, powers of two,
 * every node sends (N - 1) / N of the array in each direction, as little as any algorithm can, so
 * there is no need for a hierarchy of its own. Placed in turn (cyclic), each sends c times as much.
 */
#ifndef RNN_DIST_REDUCE_H
#define RNN_DIST_REDUCE_H

#include <stdbool.h>
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

/* The most nodes of one rank's run. */
size_t rnn_tree_most_nodes(int n_ranks, size_t n_shards);

/* Whether neighbours, `lower` just before `upper`, are the two halves of a node. */
bool rnn_tree_are_siblings(rnn_tree_node lower, rnn_tree_node upper);

/* How the ranks finish the tree; AUTO chooses, never by anything that differs between ranks. */
typedef enum rnn_tree_way {
    RNN_TREE_AUTO,
    RNN_TREE_HALVING, /* ranks beyond a power of two are folded */
    RNN_TREE_EXCHANGE
} rnn_tree_way;

typedef struct rnn_reducer_cfg {
    size_t n_values;   /* of an array */
    size_t n_shards;   /* a power of two, at least the number of ranks */
    bool whole_blocks; /* chunks are whole blocks of RNN_BLOCK values (kernels/vector.h) */
    /*
     * Nodes are bfloat16 wherever they come from: every addition of the tree rounds both nodes
     * before it adds them in float32, also those that a rank does by itself, and the sum is rounded
     * (kernels/bfloat16.h). So the bits still do not depend on the number of ranks. The tree's
     * only.
     */
    bool bfloat16;
    rnn_tree_way way; /* AUTO, but to compare the ways */
} rnn_reducer_cfg;

/* The way that so many ranks take with cfg, never AUTO. */
rnn_tree_way rnn_tree_choose(int n_ranks, const rnn_reducer_cfg *cfg);

typedef struct rnn_reducer rnn_reducer;

/*
 * Collective. Takes its communication buffers now. RNN_ERR_USAGE with both numbers if there are
 * fewer shards than ranks, or not a power of two. `comm` is lent until rnn_reducer_destroy.
 */
rnn_status rnn_reducer_create(rnn_reducer **out, rnn_comm *comm, const rnn_reducer_cfg *cfg);
void rnn_reducer_destroy(rnn_reducer **reducer);

/*
 * Collective. Finishes the tree.
 *   nodes  n_nodes pointers to [n_values], in the order of rnn_tree_decompose for this rank's run;
 *          contents may be overwritten
 *   sum    [n_values] (out) the root's sum, the same bits on every rank; may be nodes[0]
 * Of a NaN: some NaN on every rank, the same on all.
 */
rnn_status rnn_reducer_tree(rnn_reducer *reducer, float *const *nodes, size_t n_nodes, float *sum);

/*
 * Collective. The same in two steps: after rnn_reducer_scatter only this rank's chunk of `sum` is
 * the sum, the rest of it is anything. rnn_reducer_gather then brings the chunks of all ranks, of
 * any array, together on all of them: values[n_values], in float32.
 */
rnn_status rnn_reducer_scatter(rnn_reducer *reducer, float *const *nodes, size_t n_nodes,
                               float *sum);
rnn_status rnn_reducer_gather(rnn_reducer *reducer, float *values);

/* This rank's chunk, [*first, *first + *count); chunks of all ranks make up the array. May be
 * empty. */
void rnn_reducer_chunk(const rnn_reducer *reducer, size_t *first, size_t *count);

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
