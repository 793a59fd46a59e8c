#include "dist/reduce_parts.h"

#include <limits.h>
#include <stdbool.h>

#include "kernels/memory.h"

static rnn_status check_shards(int n_ranks, size_t n_shards)
{
    const bool is_power = n_shards > 0 && (n_shards & (n_shards - 1)) == 0;

    if (is_power && n_shards >= (size_t)n_ranks)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_USAGE,
                    "cannot share %zu shard%s among %d ranks: the number of shards must be a power "
                    "of two and at least the number of ranks (parallel.shards, train.batch_size)",
                    n_shards, n_shards == 1 ? "" : "s", n_ranks);
}

rnn_status rnn_reducer_create(rnn_reducer **out, rnn_comm *comm, const rnn_reducer_cfg *cfg)
{
    rnn_status st;

    *out = NULL;
    RNN_TRY(check_shards(comm->size, cfg->n_shards));
    st = RNN_ALLOC(out, 1, "the gradient reducer");
    if (st == RNN_OK) {
        (*out)->comm = comm;
        (*out)->cfg = *cfg;
        st = rnn_tree_prepare(*out);
    }
    st = rnn_comm_agree(comm, st); /* memory may be short on one node only */
    if (st != RNN_OK)
        rnn_reducer_destroy(out);
    return st;
}

void rnn_reducer_destroy(rnn_reducer **reducer)
{
    if (*reducer == NULL)
        return;
    (void)rnn_reducer_wait(*reducer); /* buckets belong to MPI; there is nobody left to tell */
    rnn_tree_release(*reducer);
    rnn_free(*reducer);
    *reducer = NULL;
}

/* MPI moves messages only while it is called. */
static rnn_status make_progress(rnn_reducer *reducer)
{
    int all_done;

    RNN_MPI(MPI_Testall(reducer->n_buckets, reducer->buckets, &all_done, MPI_STATUSES_IGNORE),
            "progress of sums");
    if (all_done)
        reducer->n_buckets = 0;
    return RNN_OK;
}

/* Waits for all buckets. Progress is up to chance, so ranks may differ in whether there are any. */
static rnn_status finish_buckets(rnn_reducer *reducer)
{
    const int n_buckets = reducer->n_buckets;

    if (n_buckets == 0)
        return RNN_OK;
    reducer->n_buckets = 0;
    RNN_MPI(MPI_Waitall(n_buckets, reducer->buckets, MPI_STATUSES_IGNORE), "finishing sums");
    return RNN_OK;
}

/* Collective. The same in the midst of a sum. */
static rnn_status make_room(rnn_reducer *reducer)
{
    rnn_status st;

    if (reducer->n_buckets < RNN_REDUCER_MAX_BUCKETS)
        return RNN_OK;
    rnn_collective_enter(&reducer->comm->here, RNN_SUM_OF_GRADIENTS);
    st = finish_buckets(reducer);
    rnn_collective_postpone(&reducer->comm->here);
    return st;
}

rnn_status rnn_reducer_start(rnn_reducer *reducer, float *values, size_t first, size_t count)
{
    if (first > reducer->cfg.n_values || count > reducer->cfg.n_values - first || count > INT_MAX)
        return RNN_FAIL(RNN_ERR_INTERNAL, "bucket of %zu values from %zu on, among %zu values",
                        count, first, reducer->cfg.n_values);
    if (reducer->comm->size == 1)
        return RNN_OK;
    RNN_TRY(make_progress(reducer));
    RNN_TRY(make_room(reducer));
    RNN_MPI(MPI_Iallreduce(MPI_IN_PLACE, values + first, (int)count, MPI_FLOAT, MPI_SUM,
                           reducer->comm->world, &reducer->buckets[reducer->n_buckets]),
            "starting a sum");
    reducer->n_buckets++;
    return RNN_OK;
}

rnn_status rnn_reducer_wait(rnn_reducer *reducer)
{
    rnn_status st;

    rnn_collective_enter(&reducer->comm->here, RNN_SUM_OF_GRADIENTS);
    st = finish_buckets(reducer);
    rnn_collective_leave(&reducer->comm->here);
    return st;
}
