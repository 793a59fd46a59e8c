/*
 * Sums of gradients among simulated ranks, for tests/bench/scaling-study: smpicc compiles this with
 * the sources of dist/ as they are, and smpirun runs it.
 *
 *     scaling-driver time VALUES SHARDS     prints for every rank seconds of: the tree in the way
 *                                           that is chosen, MPI's own sum, the tree by halving and
 *                                           by exchange (0: not simulated), the small sum
 *     scaling-driver digest VALUES SHARDS   prints the digest of the tree's sum
 *
 * Times are by messages without content: with scaling-stubs.c in place of kernels/memory.c and
 * kernels/vector.c this takes a hundredth of the time and memory.
 */
#include <inttypes.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/comm_mpi.h"
#include "dist/reduce_parts.h"
#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

enum {
    SLOTS = 8, /* counts and flags of the small sum: RNN_STEP_SLOTS of framework/run.h */
    LONG_ARRAY = 100000,
    MOST_MESSAGES = 1600000 /* of an exchange that the reducer does not choose: some minutes */
};

typedef struct study {
    rnn_comm comm;
    size_t n_values, n_shards;
    float *nodes[RNN_TREE_MAX_NODES];
    size_t n_nodes;
    float *sum;
    double *news;
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
    return rnn_comm_sum_exact(&s->comm, s->news, SLOTS + s->n_shards);
}

/* Collective. This rank's simulated seconds; no noise, so once is enough. */
static rnn_status time_sum(study *s, rnn_status (*sum)(study *s), double *seconds)
{
    double start;

    RNN_TRY(rnn_comm_barrier(&s->comm));
    start = MPI_Wtime();
    RNN_TRY(sum(s));
    *seconds = MPI_Wtime() - start;
    return RNN_OK;
}

static rnn_status time_tree(study *s, rnn_reducer *reducer, double *seconds)
{
    s->reducer = reducer;
    return time_sum(s, sum_by_tree, seconds);
}

/* Of all ranks, to each other: in every turn of every piece of their chunks. */
static double n_messages(const rnn_reducer *reducer)
{
    const double p = (double)reducer->comm->size;
    const size_t stride = reducer->exchange.stride;
    const size_t n_pieces = rnn_round_up(reducer->mine.count, stride) / stride;

    return p * p * (double)(reducer->exchange.most_nodes * n_pieces + 1);
}

static rnn_status create(study *s, rnn_tree_way way, rnn_reducer **reducer)
{
    const rnn_reducer_cfg cfg = {.n_values = s->n_values, .n_shards = s->n_shards, .way = way};

    return rnn_reducer_create(reducer, &s->comm, &cfg);
}

/*
 * From here on messages have their length and no content, as SimGrid has it for traces that it
 * replays. Not for short arrays: it frees what it must not in its Allgatherv for these, and there
 * is nothing to gain.
 */
static void empty_messages(const study *s)
{
    if (s->n_values >= LONG_ARRAY)
        smpi_replay_init("study", s->comm.rank, 0.0);
}

typedef struct ways {
    rnn_reducer *chosen, *halving, *exchange; /* no exchange for a power of two of ranks */
} ways;

static rnn_status create_ways(study *s, ways *w)
{
    *w = (ways){.chosen = NULL};
    RNN_TRY(create(s, RNN_TREE_AUTO, &w->chosen));
    RNN_TRY(create(s, RNN_TREE_HALVING, &w->halving));
    if ((s->comm.size & (s->comm.size - 1)) != 0)
        RNN_TRY(create(s, RNN_TREE_EXCHANGE, &w->exchange));
    return RNN_OK;
}

static rnn_status time_ways(study *s, const ways *w, double *tree, double *halving,
                            double *exchange)
{
    *exchange = 0.0;
    RNN_TRY(time_tree(s, w->halving, halving));
    if (w->exchange != NULL && (!w->chosen->halves || n_messages(w->exchange) <= MOST_MESSAGES))
        RNN_TRY(time_tree(s, w->exchange, exchange));
    *tree = w->chosen->halves ? *halving : *exchange;
    return RNN_OK;
}

static rnn_status print_times(study *s)
{
    double tree, library, halving, exchange, news;
    ways w;

    RNN_TRY(RNN_ALLOC(&s->sum, s->n_values, "the sum"));
    for (size_t i = 0; i < s->n_nodes; i++)
        RNN_TRY(RNN_ALLOC(&s->nodes[i], s->n_values, "a node"));
    RNN_TRY(RNN_ALLOC(&s->news, SLOTS + s->n_shards, "the small sum"));
    RNN_TRY(create_ways(s, &w));
    empty_messages(s);
    RNN_TRY(time_ways(s, &w, &tree, &halving, &exchange));
    RNN_TRY(time_sum(s, sum_by_library, &library));
    RNN_TRY(time_sum(s, sum_news, &news));
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
    rnn_vector_add_to(sum, sum, upper, count);
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
