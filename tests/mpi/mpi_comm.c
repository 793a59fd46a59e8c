/* The communicator, with any number of ranks and without MPI. */
#include "mpi_test.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/memory.h"

static int size(void)
{
    return rnn_comm_size(comm);
}

static int rank(void)
{
    return rnn_comm_rank(comm);
}

/* -- Who is there ------------------------------------------------------------------------------ */

static void mpi_runs_only_under_a_launcher(void **state)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    bool launched = false;
    (void)state;

    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        launched |= getenv(signs[i]) != NULL;
    assert_int_equal(mpi_runs(), launched);
    assert_int_equal(strcmp(rnn_comm_library(comm), "none") == 0, !launched);
    assert_null(strchr(rnn_comm_library(comm), '\n'));
}

static void every_rank_has_a_number_of_its_own(void **state)
{
    double *seen = NULL;
    bool once = true;
    (void)state;

    assert_int_equal(RNN_ALLOC(&seen, (size_t)size(), "marks"), RNN_OK);
    seen[rank()] = 1.0;
    ASSERT_ON_ALL(rnn_comm_sum_exact(comm, seen, (size_t)size()) == RNN_OK, "sum");
    for (int i = 0; i < size(); i++)
        once &= seen[i] == 1.0;
    rnn_free(seen);
    ASSERT_ON_ALL(once, "%d ranks", size());
}

static void every_node_has_one_first_rank(void **state)
{
    const int node_rank = rnn_comm_node_rank(comm), node_size = rnn_comm_node_size(comm);
    double leaders = node_rank == 0, ranks = node_rank == 0 ? node_size : 0;
    (void)state;

    ASSERT_ON_ALL(0 <= node_rank && node_rank < node_size, "%d of %d", node_rank, node_size);
    ASSERT_ON_ALL(rnn_comm_sum_exact(comm, &leaders, 1) == RNN_OK, "sum");
    ASSERT_ON_ALL(rnn_comm_sum_exact(comm, &ranks, 1) == RNN_OK, "sum");
    ASSERT_ON_ALL(leaders == rnn_comm_n_nodes(comm), "%g leaders", leaders);
    ASSERT_ON_ALL(ranks == size(), "%g ranks on all nodes", ranks);
}

/* -- Agreement --------------------------------------------------------------------------------- */

static void agreement_on_success_is_success(void **state)
{
    (void)state;
    ASSERT_ON_ALL(rnn_comm_agree(comm, RNN_OK) == RNN_OK, "all ok");
}

/* Ranks from `first` on fail, each with its own sentence; everybody gets that of `first`. */
static void check_failure(int first)
{
    rnn_status mine = RNN_OK, agreed;
    char expected[64];

    if (rank() >= first)
        mine = RNN_FAIL(RNN_ERR_DATA, "fault number %d", rank());
    agreed = rnn_comm_agree(comm, mine);
    if (size() > 1)
        snprintf(expected, sizeof expected, "rank %d: fault number %d", first, first);
    else
        snprintf(expected, sizeof expected, "fault number 0");
    ASSERT_ON_ALL(agreed == RNN_ERR_DATA, "rank %d failed, status %d", first, (int)agreed);
    ASSERT_ON_ALL(strcmp(rnn_error_message(), expected) == 0, "'%s'", rnn_error_message());
}

static void the_lowest_failing_rank_speaks_for_all(void **state)
{
    (void)state;
    for (int first = 0; first < size(); first++)
        check_failure(first);
}

static void agreeing_twice_keeps_the_culprit(void **state)
{
    const int last = size() - 1;
    char once[1024];
    rnn_status st = RNN_OK;
    (void)state;

    if (rank() == last)
        st = RNN_FAIL(RNN_ERR_IO, "disk full");
    st = rnn_comm_agree(comm, st);
    snprintf(once, sizeof once, "%s", rnn_error_message());
    ASSERT_ON_ALL(rnn_comm_agree(comm, st) == RNN_ERR_IO, "agreed again");
    ASSERT_ON_ALL(strcmp(rnn_error_message(), once) == 0, "'%s'", rnn_error_message());
}

/* -- Moving bytes ------------------------------------------------------------------------------ */

/* Byte i of what rank `root` sends. */
static unsigned char pattern(size_t i, int root)
{
    return (unsigned char)(i * 31 + i / 251 + (size_t)root);
}

static void check_broadcast(size_t n_bytes, int root)
{
    unsigned char *bytes = NULL;
    size_t wrong = 0;
    rnn_status st;

    ASSERT_ON_ALL(RNN_ALLOC(&bytes, n_bytes, "bytes") == RNN_OK, "%zu bytes", n_bytes);
    for (size_t i = 0; i < n_bytes && rank() == root; i++)
        bytes[i] = pattern(i, root);
    st = rnn_comm_broadcast(comm, bytes, n_bytes, root);
    for (size_t i = 0; i < n_bytes; i++)
        wrong += bytes[i] != pattern(i, root);
    rnn_free(bytes);
    ASSERT_ON_ALL(st == RNN_OK && wrong == 0, "%zu bytes of rank %d: %zu wrong", n_bytes, root,
                  wrong);
}

static void broadcast_copies_the_bytes_of_any_rank(void **state)
{
    (void)state;
    for (int root = 0; root < size(); root++)
        for (size_t n_bytes = 0; n_bytes < 100000; n_bytes = n_bytes * 9 + 1)
            check_broadcast(n_bytes, root);
}

static void broadcast_of_several_pieces_is_whole(void **state)
{
    (void)state;
    check_broadcast(2 * 16 * 1024 * 1024 + 3, size() - 1);
}

static double value_of(size_t i)
{
    return 1.0 / (double)(i + 3);
}

/* Value i comes from rank i % size; no tolerance: adding zeros is exact. */
static void check_sum(size_t count)
{
    double *values = NULL;
    size_t wrong = 0;
    rnn_status st;

    ASSERT_ON_ALL(RNN_ALLOC(&values, count, "values") == RNN_OK, "%zu values", count);
    for (size_t i = 0; i < count; i++)
        values[i] = i % (size_t)size() == (size_t)rank() ? value_of(i) : 0.0;
    st = rnn_comm_sum_exact(comm, values, count);
    for (size_t i = 0; i < count; i++)
        wrong += values[i] != value_of(i);
    rnn_free(values);
    ASSERT_ON_ALL(st == RNN_OK && wrong == 0, "%zu values: %zu wrong", count, wrong);
}

static void sum_over_ranks_is_exact(void **state)
{
    static const size_t counts[] = {0, 1, 7, 5000, 2 * 1024 * 1024 + 3};
    (void)state;

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_sum(counts[i]);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void barrier_waits_for_the_last_rank(void **state)
{
    double arrived = 0.0, left;
    rnn_status st;
    (void)state;

    if (rnn_comm_n_nodes(comm) > 1)
        skip(); /* clocks of several nodes do not compare */
    if (rank() == size() - 1) {
        usleep(30000);
        arrived = now();
    }
    st = rnn_comm_barrier(comm);
    left = now();
    ASSERT_ON_ALL(st == RNN_OK, "barrier");
    ASSERT_ON_ALL(rnn_comm_sum_exact(comm, &arrived, 1) == RNN_OK, "sum");
    ASSERT_ON_ALL(left >= arrived, "left %g s too early", arrived - left);
}

/* -- Comparing --------------------------------------------------------------------------------- */

static void equal_digests_compare_equal(void **state)
{
    static const uint64_t digests[] = {0, 1, UINT64_MAX, 0x8000000000000000u};
    (void)state;

    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        ASSERT_ON_ALL(rnn_comm_compare(comm, digests[i], "data") == RNN_OK, "digest %zu", i);
}

static void comparing_names_the_first_rank_that_differs(void **state)
{
    (void)state;
    for (int odd = 1; odd < size(); odd++) {
        const uint64_t digest = rank() < odd ? 0xabcu : UINT64_MAX - (uint64_t)rank();
        rnn_status st = rnn_comm_compare(comm, digest, "parameters");
        char expected[200];

        snprintf(expected, sizeof expected,
                 "ranks have different parameters: rank 0 has 0000000000000abc, "
                 "rank %d has ffffffffffffff%02x",
                 odd, 255u - (unsigned)odd);
        ASSERT_ON_ALL(st == RNN_ERR_DISAGREE, "rank %d differs", odd);
        ASSERT_ON_ALL(strcmp(rnn_error_message(), expected) == 0, "'%s'", rnn_error_message());
    }
}

static void equal_digests_have_no_odd_one(void **state)
{
    int odd = -1, n_odd = -1;
    (void)state;

    ASSERT_ON_ALL(rnn_comm_find_odd(comm, UINT64_MAX, &odd, &n_odd) == RNN_OK, "equal");
    ASSERT_ON_ALL(odd == size() && n_odd == 0, "%d, %d of them", odd, n_odd);
}

/* Whichever rank is the only one with another digest: it is named, rank 0 too if there are three.
 */
static void the_odd_one_is_named(void **state)
{
    (void)state;
    for (int other = 0; size() > 1 && other < size(); other++) {
        uint64_t digest = rank() == other ? 7 : 8;
        int odd = -1, n_odd = -1;

        ASSERT_ON_ALL(rnn_comm_find_odd(comm, digest, &odd, &n_odd) == RNN_OK, "%d", other);
        ASSERT_ON_ALL(odd == (size() == 2 ? 1 : other) && n_odd == 1, "%d, found %d, %d of them",
                      other, odd, n_odd);
    }
}

static void the_larger_party_is_right(void **state)
{
    int odd = -1, n_odd = -1;
    (void)state;

    if (size() < 4)
        skip();
    ASSERT_ON_ALL(rnn_comm_find_odd(comm, rank() < 2 ? (uint64_t)rank() : 9, &odd, &n_odd) ==
                      RNN_OK,
                  "two odd ones");
    ASSERT_ON_ALL(odd == 0 && n_odd == 2, "%d, %d of them", odd, n_odd);
}

static void equal_texts_compare_equal(void **state)
{
    (void)state;
    ASSERT_ON_ALL(rnn_comm_compare_text(comm, "", "configuration") == RNN_OK, "no text");
    ASSERT_ON_ALL(rnn_comm_compare_text(comm, "a = 1\nb = 2\n", "configuration") == RNN_OK, "text");
}

/* Rank 0 brings `first`, the last rank `last`, the others as rank 0. */
static void check_texts(const char *first, const char *last, const char *expected)
{
    const bool is_last = rank() == size() - 1;
    rnn_status st = rnn_comm_compare_text(comm, is_last ? last : first, "configuration");
    char message[300];

    snprintf(message, sizeof message, expected, size() - 1);
    ASSERT_ON_ALL(st == RNN_ERR_DISAGREE, "status %d", (int)st);
    ASSERT_ON_ALL(strcmp(rnn_error_message(), message) == 0, "'%s'", rnn_error_message());
}

static void comparing_texts_names_the_first_line_that_differs(void **state)
{
    (void)state;
    if (size() == 1)
        skip();
    check_texts("a = 1\nlr = 0.1\nz = 0\n", "a = 1\nlr = 0.25\nz = 9\n",
                "ranks have different configuration in line 2: rank 0 has 'lr = 0.1', "
                "rank %d has 'lr = 0.25'");
    check_texts("a = 1\n", "a = 1\nb = 2",
                "ranks have different configuration in line 2: rank 0 has '', "
                "rank %d has 'b = 2'");
    check_texts("a = 1\nb", "",
                "ranks have different configuration in line 1: rank 0 has 'a = 1', "
                "rank %d has ''");
}

static void long_lines_leave_room_for_both_versions(void **state)
{
    char text[5000];
    (void)state;

    if (size() == 1)
        skip();
    memset(text, rank() == 0 ? 'x' : 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ASSERT_ON_ALL(rnn_comm_compare_text(comm, text, "text") == RNN_ERR_DISAGREE, "differ");
    ASSERT_ON_ALL(strstr(rnn_error_message(), "rank 1 has 'yyyy") != NULL, "'%s'",
                  rnn_error_message());
}

/* -- The end ----------------------------------------------------------------------------------- */

static void destroy_leaves_no_handle(void **state)
{
    rnn_comm *none = NULL;
    (void)state;

    rnn_comm_destroy(&none);
    rnn_comm_destroy(&comm);
    assert_null(comm);
}

/* For the test that looks at mpirun's exit status: one rank gives up, the others wait. */
static int give_up(void)
{
    if (rank() == size() - 1)
        rnn_comm_abort(comm, RNN_ERR_DISAGREE);
    return rnn_comm_barrier(comm) == RNN_OK;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mpi_runs_only_under_a_launcher),
        cmocka_unit_test(every_rank_has_a_number_of_its_own),
        cmocka_unit_test(every_node_has_one_first_rank),
        cmocka_unit_test(agreement_on_success_is_success),
        cmocka_unit_test(the_lowest_failing_rank_speaks_for_all),
        cmocka_unit_test(agreeing_twice_keeps_the_culprit),
        cmocka_unit_test(broadcast_copies_the_bytes_of_any_rank),
        cmocka_unit_test(broadcast_of_several_pieces_is_whole),
        cmocka_unit_test(sum_over_ranks_is_exact),
        cmocka_unit_test(barrier_waits_for_the_last_rank),
        cmocka_unit_test(equal_digests_compare_equal),
        cmocka_unit_test(equal_digests_have_no_odd_one),
        cmocka_unit_test(the_odd_one_is_named),
        cmocka_unit_test(the_larger_party_is_right),
        cmocka_unit_test(comparing_names_the_first_rank_that_differs),
        cmocka_unit_test(equal_texts_compare_equal),
        cmocka_unit_test(comparing_texts_names_the_first_line_that_differs),
        cmocka_unit_test(long_lines_leave_room_for_both_versions),
        cmocka_unit_test(destroy_leaves_no_handle),
    };
    rnn_status st = start_ranks(argc, argv);

    if (st != RNN_OK)
        return (int)st;
    if (argc > 2 && strcmp(argv[2], "give-up") == 0)
        return give_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
