/*
 * Sums of gradients among simulated ranks, for tests/bench/scaling-study: smpicc compiles this with
 * the sources of dist/ as they are, and smpirun runs it.
 *
 *     scaling-driver time VALUES SHARDS     prints seconds: tree, allreduce, the tree by
 *                                           halving and by exchange, small sum
 *     scaling-driver digest VALUES SHARDS   prints the digest of the tree's sum
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/comm_mpi.h"
#include "dist/reduce.h"
#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

enum {
    SLOTS = 8, /* counts and flags of the small sum: RNN_STEP_SLOTS of framework/run.h */
    MAX_EXCHANGE = 256
};

typedef struct study {
    rnn_comm comm;
    size_t n_values, n_shards;
    float *nodes[RNN_TREE_MAX_NODES];
    size_t n_nodes;
    float *sum;
    rnn_reducer *reducer;
} study;

/* A communicator without a watchdog: it would go by the real clock, and needs more of MPI's threads
 * than the simulator grants. */
static rnn_status join(rnn_comm *comm)
{
    *comm = (rnn_comm){.world = MPI_COMM_WORLD, .node = MPI_COMM_NULL, .mpi_version = "SMPI"};
    RNN_MPI(MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN), "error codes");
    RNN_MPI(MPI_Comm_rank(comm->world, &comm->rank), "finding the rank");
    RNN_MPI(MPI_Comm_size(comm->world, &comm->size), "finding the number of ranks");
    comm->node_size = 1;
    comm->n_nodes = comm->size;
    return RNN_OK;
}

/* -- Times ------------------------------------------------------------------------------------- */

/* Long arrays are the same memory for all ranks: what is timed does not look at values. */
static rnn_status share_array(float **out, size_t count)
{
    *out = SMPI_SHARED_MALLOC(count * sizeof **out);
    if (*out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "no shared memory for %zu values", count);
    return RNN_OK;
}

static rnn_status sum_by_tree(study *s)
{
    return rnn_reducer_tree(s->reducer, s->nodes, s->n_nodes, s->sum);
}

static rnn_status sum_by_library(study *s)
{
    RNN_MPI(MPI_Allreduce(s->nodes[0], s->sum, (int)s->n_values, MPI_FLOAT, MPI_SUM, s->comm.world),
            "MPI's own sum");
    return RNN_OK;
}

static rnn_status sum_news(study *s)
{
    double *news;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&news, SLOTS + s->n_shards, "the small sum"));
    st = rnn_comm_sum_exact(&s->comm, news, SLOTS + s->n_shards);
    rnn_free(news);
    return st;
}

/* Collective. The simulated seconds until the last rank has it; no noise, so once is enough. */
static rnn_status time_sum(study *s, rnn_status (*sum)(study *s), double *seconds)
{
    double start, mine;

    RNN_TRY(rnn_comm_barrier(&s->comm));
    start = MPI_Wtime();
    RNN_TRY(sum(s));
    mine = MPI_Wtime() - start;
    RNN_MPI(MPI_Allreduce(&mine, seconds, 1, MPI_DOUBLE, MPI_MAX, s->comm.world), "last rank");
    return RNN_OK;
}

/* Collective. With a reducer of its own. */
static rnn_status time_tree(study *s, rnn_tree_way way, double *seconds)
{
    const rnn_reducer_cfg cfg = {.n_values = s->n_values, .n_shards = s->n_shards, .way = way};

    RNN_TRY(rnn_reducer_create(&s->reducer, &s->comm, &cfg));
    RNN_TRY(time_sum(s, sum_by_tree, seconds));
    rnn_reducer_destroy(&s->reducer);
    return RNN_OK;
}

static rnn_status print_times(study *s)
{
    double tree, library, halving, exchange, news;

    RNN_TRY(share_array(&s->sum, s->n_values));
    for (size_t i = 0; i < s->n_nodes; i++)
        RNN_TRY(share_array(&s->nodes[i], s->n_values));
    RNN_TRY(time_tree(s, RNN_TREE_AUTO, &tree));
    RNN_TRY(time_sum(s, sum_by_library, &library));
    RNN_TRY(time_tree(s, RNN_TREE_HALVING, &halving));
    exchange = 0.0; /* not simulated: messages from all to all */
    if (s->comm.size <= MAX_EXCHANGE)
        RNN_TRY(time_tree(s, RNN_TREE_EXCHANGE, &exchange));
    RNN_TRY(time_sum(s, sum_news, &news));
    if (s->comm.rank == 0)
        printf("%.9f %.9f %.9f %.9f %.9f\n", tree, library, halving, exchange, news);
    return RNN_OK;
}

/* -- Bits -------------------------------------------------------------------------------------- */

/* Values of very different size, so that another order of summation has other bits. */
static void fill_shard(float *values, size_t count, size_t shard)
{
    uint32_t state = (uint32_t)shard * 2654435761u + 12345u;

    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = ((float)(state >> 8) - 8388608.0f) / (float)(1u << (state >> 4) % 24);
    }
}

/* sum = node(offset, n_shards) of the tree. */
static rnn_status fill_node(float *sum, size_t count, size_t offset, size_t n_shards)
{
    float *upper;
    rnn_status st;

    if (n_shards == 1) {
        fill_shard(sum, count, offset);
        return RNN_OK;
    }
    RNN_TRY(RNN_ALLOC(&upper, count, "half of a node"));
    RNN_TRY_GOTO(st, fill_node(sum, count, offset, n_shards / 2), done);
    RNN_TRY_GOTO(st, fill_node(upper, count, offset + n_shards / 2, n_shards / 2), done);
    rnn_vector_add(sum, upper, count);
done:
    rnn_free(upper);
    return st;
}

static rnn_status print_digest(study *s, const rnn_tree_node *nodes)
{
    const rnn_reducer_cfg cfg = {.n_values = s->n_values, .n_shards = s->n_shards};
    uint64_t digest;

    RNN_TRY(rnn_reducer_create(&s->reducer, &s->comm, &cfg));
    RNN_TRY(RNN_ALLOC(&s->sum, s->n_values, "the sum"));
    for (size_t i = 0; i < s->n_nodes; i++) {
        RNN_TRY(RNN_ALLOC(&s->nodes[i], s->n_values, "a node"));
        RNN_TRY(fill_node(s->nodes[i], s->n_values, nodes[i].offset, nodes[i].size));
    }
    RNN_TRY(sum_by_tree(s));
    digest = rnn_digest(s->sum, s->n_values * sizeof *s->sum);
    RNN_TRY(rnn_comm_compare(&s->comm, digest, "sum"));
    if (s->comm.rank == 0)
        printf("%016" PRIx64 "\n", digest);
    return RNN_OK;
}

/* ---------------------------------------------------------------------------------------------- */

static rnn_status run(study *s, bool wants_times)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t first, count;

    RNN_TRY(join(&s->comm));
    rnn_shard_range(s->n_shards, (size_t)s->comm.rank, (size_t)s->comm.size, &first, &count);
    s->n_nodes = rnn_tree_decompose(first, count, nodes);
    return wants_times ? print_times(s) : print_digest(s, nodes);
}

int main(int argc, char **argv)
{
    static study s; /* what it holds is needed until the simulation ends */
    rnn_status st;

    if (argc != 4 || (strcmp(argv[1], "time") != 0 && strcmp(argv[1], "digest") != 0)) {
        fprintf(stderr, "usage: scaling-driver time|digest VALUES SHARDS\n");
        return RNN_ERR_USAGE;
    }
    s.n_values = strtoull(argv[2], NULL, 10);
    s.n_shards = strtoull(argv[3], NULL, 10);
    MPI_Init(&argc, &argv);
    st = run(&s, strcmp(argv[1], "time") == 0);
    if (st != RNN_OK) {
        fprintf(stderr, "scaling-driver: rank %d: %s\n", s.comm.rank, rnn_error_message());
        MPI_Abort(MPI_COMM_WORLD, (int)st);
    }
    MPI_Finalize();
    return RNN_OK;
}
