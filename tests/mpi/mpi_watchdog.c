/*
 * The watchdog lets ranks be late, and counts collectives alike on all ranks. How it ends a job is
 * for other entries of this program, one for each way not to come.
 */
#include "mpi_test.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dist/comm_mpi.h"
#include "dist/reduce.h"
#include "kernels/memory.h"

static int size(void)
{
    return rnn_comm_size(comm);
}

static bool is_last(void)
{
    return rnn_comm_rank(comm) == size() - 1;
}

static void sleep_for(double seconds)
{
    const struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(long)seconds))};

    nanosleep(&time, NULL);
}

/* -- Being late -------------------------------------------------------------------------------- */

/* The last rank comes so late to a barrier; everybody is still there after it. */
static void check_late(double timeout, double late)
{
    bool came;

    if (size() == 1)
        skip();
    rnn_comm_set_timeout(comm, timeout);
    if (is_last())
        sleep_for(late);
    came = rnn_comm_barrier(comm) == RNN_OK;
    rnn_comm_set_timeout(comm, RNN_WATCHDOG_TIMEOUT);
    ASSERT_ON_ALL(came, "%g s late, timeout %g s", late, timeout);
}

static void a_rank_may_be_late_below_the_timeout(void **state)
{
    (void)state;
    check_late(20.0, 1.0);
}

/* The others have begun to ask for it, which takes longer. */
static void a_rank_may_come_while_the_others_ask(void **state)
{
    (void)state;
    check_late(0.5, 1.0);
}

static void a_timeout_of_zero_is_for_ever(void **state)
{
    (void)state;
    check_late(0.0, 2.5);
}

/* Each wait has the whole time. */
static void waits_do_not_add_up(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        check_late(2.0, 1.0);
}

/* -- Numbers of collectives -------------------------------------------------------------------- */

static void check_numbers(const char *after)
{
    uint64_t mine = comm->here.position, highest = mine, lowest = mine;

    if (mpi_runs()) {
        MPI_Allreduce(MPI_IN_PLACE, &highest, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
        MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
    }
    ASSERT_ON_ALL(highest == lowest && !rnn_position_is_inside(mine), "%s: %llu", after,
                  (unsigned long long)mine);
}

static void use_everything_of_the_communicator(void)
{
    double values[3] = {0};
    unsigned long words[2] = {0};
    char bytes[5] = "";

    rnn_comm_agree(comm, is_last() ? RNN_FAIL(RNN_ERR_DATA, "on purpose") : RNN_OK);
    rnn_comm_broadcast(comm, bytes, sizeof bytes, size() - 1);
    rnn_comm_sum_exact(comm, values, 3);
    rnn_comm_compare(comm, (uint64_t)is_last(), "numbers");
    rnn_comm_compare_text(comm, is_last() ? "a" : "b", "texts");
    rnn_comm_node_or(comm, words, 2);
    rnn_comm_barrier(comm);
}

/* Whether buckets are done before there are too many is up to chance, and differs among ranks. */
static void sum_in_buckets(rnn_reducer *reducer, float *values, size_t count)
{
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < count; i++)
            rnn_reducer_start(reducer, values, i, 1);
        rnn_reducer_wait(reducer);
    }
}

static void all_ranks_count_alike(void **state)
{
    enum { COUNT = 2 * RNN_REDUCER_MAX_BUCKETS + 7, N_SHARDS = 8 };
    rnn_tree_node runs[RNN_TREE_MAX_NODES];
    size_t first, n, n_nodes;
    float *values, *nodes[N_SHARDS];
    rnn_reducer *reducer;
    (void)state;

    use_everything_of_the_communicator();
    check_numbers("communicator");
    assert_int_equal(RNN_ALLOC(&values, COUNT * (N_SHARDS + 1), "values"), RNN_OK);
    assert_int_equal(
        rnn_reducer_create(&reducer, comm,
                           &(rnn_reducer_cfg){.n_values = COUNT, .n_shards = N_SHARDS}),
        RNN_OK);
    sum_in_buckets(reducer, values, COUNT);
    check_numbers("buckets");
    rnn_shard_range(N_SHARDS, (size_t)rnn_comm_rank(comm), (size_t)size(), &first, &n);
    n_nodes = rnn_tree_decompose(first, n, runs);
    for (size_t i = 0; i < n_nodes; i++)
        nodes[i] = values + i * COUNT;
    ASSERT_ON_ALL(rnn_reducer_tree(reducer, nodes, n_nodes, values + N_SHARDS * (size_t)COUNT) ==
                      RNN_OK,
                  "tree");
    rnn_reducer_destroy(&reducer);
    check_numbers("tree");
    rnn_free(values);
}

/* A watchdog costs a process that has nobody to wait for nothing. */
static void one_rank_has_no_watchdog(void **state)
{
    (void)state;
    assert_int_equal(comm->watchdog != NULL, size() > 1);
}

static void destroy_ends_the_watchdog(void **state)
{
    (void)state;
    rnn_comm_destroy(&comm);
    assert_null(comm);
}

/* -- Ways not to come, of the last rank: none returns while the watchdogs are awake --------------
 */

static void be_busy(void)
{
    rnn_comm_note_activity(comm, "sleeping");
    for (;;)
        pause();
}

static void stop_oneself(void)
{
    raise(SIGSTOP);
}

static void take_another_way(void)
{
    rnn_comm_agree(comm, RNN_OK);
}

/* It says that it waits, as if its messages got lost. */
static void pretend_to_wait(void)
{
    rnn_collective_enter(&comm->here, "barrier");
    for (;;)
        pause();
}

static const struct {
    const char *name;
    void (*stay_away)(void);
    bool others_leave;
} ways[] = {{"busy", be_busy, false},
            {"stopped", stop_oneself, false},
            {"elsewhere", take_another_way, false},
            {"lost", pretend_to_wait, false},
            {"busy-at-the-end", be_busy, true}};

static int stall(const char *name)
{
    rnn_comm_set_timeout(comm, 2.0);
    rnn_comm_note_step(comm, 7);
    rnn_comm_note_activity(comm, "training");
    rnn_comm_barrier(comm);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].name, name) != 0)
            continue;
        if (is_last())
            ways[i].stay_away();
        else if (!ways[i].others_leave)
            rnn_comm_barrier(comm);
    }
    rnn_comm_destroy(&comm);
    return 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_rank_has_no_watchdog),
        cmocka_unit_test(a_rank_may_be_late_below_the_timeout),
        cmocka_unit_test(a_rank_may_come_while_the_others_ask),
        cmocka_unit_test(a_timeout_of_zero_is_for_ever),
        cmocka_unit_test(waits_do_not_add_up),
        cmocka_unit_test(all_ranks_count_alike),
        cmocka_unit_test(destroy_ends_the_watchdog),
    };
    rnn_status st = start_ranks(argc, argv);

    if (st != RNN_OK)
        return (int)st;
    return argc > 2 ? stall(argv[2]) : cmocka_run_group_tests(tests, NULL, NULL);
}
