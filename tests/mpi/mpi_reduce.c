/* The two ways to sum gradients over ranks. */
#include "mpi_test.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "dist/reduce.h"
#include "kernels/memory.h"
#include "kernels/random.h"
#include "kernels/vector.h"

static const uint64_t SEED = 2718;

/* -- The reference: the tree as its definition says, from shards that any rank can make -------- */

typedef void shard_maker(float *values, size_t count, size_t shard);

static void random_shard(float *values, size_t count, size_t shard)
{
    rnn_random_uniform(values, count, -1.0f, 1.0f, SEED, RNN_RANDOM_INIT, (uint32_t)shard, 0);
}

/* Zeros of both signs, infinities, denormals and values that overflow when added. */
static void special_shard(float *values, size_t count, size_t shard)
{
    static const float specials[] = {-0.0f,  0.0f,    INFINITY, 1.0f,  FLT_MAX, -FLT_MAX,
                                     1e-41f, -1e-41f, -FLT_MIN, 1e30f, -1e30f,  0x1p-24f};
    const size_t n = sizeof specials / sizeof specials[0];

    for (size_t i = 0; i < count; i++) /* value 0 is -0.0 in every shard: so is its sum */
        values[i] = i == 0 ? -0.0f : specials[(i * 7 + i / n * shard + shard * 5) % n];
}

/* sum = node(offset, n_shards); `spare` has room for one array per level. */
static void add_shards(float *sum, size_t count, size_t offset, size_t n_shards, shard_maker *make,
                       float *spare)
{
    if (n_shards == 1) {
        make(sum, count, offset);
        return;
    }
    add_shards(sum, count, offset, n_shards / 2, make, spare + count);
    add_shards(spare, count, offset + n_shards / 2, n_shards / 2, make, spare + count);
    for (size_t i = 0; i < count; i++)
        sum[i] = sum[i] + spare[i];
}

enum { MAX_LEVELS = 8, MAX_SHARDS = 64 };

typedef struct arrays {
    float *memory;
    float *expected, *sum;
    float *spare; /* MAX_LEVELS arrays */
    float *nodes[MAX_SHARDS];
    size_t n_nodes;
} arrays;

/* All that one test case needs; the rank's own nodes hold their sums. */
static rnn_status arrays_create(arrays *all, size_t count, size_t n_shards, shard_maker *make)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t first, n;

    rnn_shard_range(n_shards, (size_t)rnn_comm_rank(comm), (size_t)rnn_comm_size(comm), &first, &n);
    all->n_nodes = rnn_tree_decompose(first, n, nodes);
    RNN_TRY(RNN_ALLOC(&all->memory, (2 + MAX_LEVELS + all->n_nodes) * count, "test arrays"));
    all->expected = all->memory;
    all->sum = all->expected + count;
    all->spare = all->sum + count;
    add_shards(all->expected, count, 0, n_shards, make, all->spare);
    for (size_t i = 0; i < all->n_nodes; i++) {
        all->nodes[i] = all->spare + (MAX_LEVELS + i) * count;
        add_shards(all->nodes[i], count, nodes[i].offset, nodes[i].size, make, all->spare);
    }
    return RNN_OK;
}

/* -- The tree ---------------------------------------------------------------------------------- */

/* Sums once, with the result in an array of its own or in the first node. Bits, not values. */
static bool tree_gives_the_bits(size_t count, size_t n_shards, bool in_place, shard_maker *make)
{
    arrays all = {.memory = NULL};
    rnn_reducer *reducer = NULL;
    float *sum;
    bool same = false;
    rnn_status st;

    RNN_TRY_GOTO(st, arrays_create(&all, count, n_shards, make), done);
    sum = in_place ? all.nodes[0] : all.sum;
    RNN_TRY_GOTO(st, rnn_reducer_create(&reducer, comm, count, n_shards), done);
    RNN_TRY_GOTO(st, rnn_reducer_tree(reducer, all.nodes, all.n_nodes, sum), done);
    same = memcmp(sum, all.expected, count * sizeof *sum) == 0;
done:
    if (st != RNN_OK)
        fprintf(stderr, "%s\n", rnn_error_message());
    rnn_reducer_destroy(&reducer);
    rnn_free(all.memory);
    return same;
}

static void tree_has_the_bits_of_its_definition(void **state)
{
    static const size_t counts[] = {1, 5, 4096, 4097, 100000};
    (void)state;

    for (size_t n_shards = 1; n_shards <= MAX_SHARDS; n_shards *= 2) {
        if (n_shards < (size_t)rnn_comm_size(comm))
            continue;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            ASSERT_ON_ALL(tree_gives_the_bits(counts[i], n_shards, i % 2 == 0, random_shard),
                          "%zu values, %zu shards", counts[i], n_shards);
    }
}

static void arrays_of_several_segments_have_the_same_bits(void **state)
{
    const size_t count = 256 * RNN_BLOCK + 17;
    (void)state;

    ASSERT_ON_ALL(tree_gives_the_bits(count, 8, false, random_shard), "%zu values", count);
}

static void an_empty_array_has_an_empty_sum(void **state)
{
    (void)state;
    ASSERT_ON_ALL(tree_gives_the_bits(0, 8, false, random_shard), "no values");
}

static void zeros_and_infinities_follow_ieee(void **state)
{
    (void)state;
    for (size_t n_shards = 8; n_shards <= MAX_SHARDS; n_shards *= 2)
        ASSERT_ON_ALL(tree_gives_the_bits(1000, n_shards, true, special_shard), "%zu shards",
                      n_shards);
}

/* One NaN among all shards; the others are random. */
static void one_nan_shard(float *values, size_t count, size_t shard)
{
    random_shard(values, count, shard);
    if (shard == 5)
        values[count / 2] = NAN;
}

static void one_nan_reaches_every_rank(void **state)
{
    (void)state;
    ASSERT_ON_ALL(tree_gives_the_bits(5001, 8, true, one_nan_shard), "NaN in shard 5 of 8");
}

static void a_reducer_sums_again_and_again(void **state)
{
    enum { COUNT = 3000, STEPS = 20 };
    arrays all = {.memory = NULL};
    rnn_reducer *reducer = NULL;
    int wrong = 0;
    (void)state;

    ASSERT_ON_ALL(arrays_create(&all, COUNT, 16, random_shard) == RNN_OK, "arrays");
    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, COUNT, 16) == RNN_OK, "reducer");
    rnn_free(all.memory);
    for (int step = 0; step < STEPS; step++) {
        wrong += arrays_create(&all, COUNT, 16, random_shard) != RNN_OK;
        wrong += rnn_reducer_tree(reducer, all.nodes, all.n_nodes, all.sum) != RNN_OK;
        wrong += memcmp(all.sum, all.expected, COUNT * sizeof *all.sum) != 0;
        rnn_free(all.memory);
    }
    rnn_reducer_destroy(&reducer);
    ASSERT_ON_ALL(wrong == 0, "%d faults in %d steps", wrong, STEPS);
}

static void wrong_number_of_nodes_is_refused(void **state)
{
    rnn_reducer *reducer = NULL;
    float value = 0.0f;
    float *nodes[1] = {&value};
    rnn_status st;
    (void)state;

    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, 1, 8) == RNN_OK, "reducer");
    st = rnn_reducer_tree(reducer, nodes, 0, &value);
    rnn_reducer_destroy(&reducer);
    ASSERT_ON_ALL(st == RNN_ERR_INTERNAL, "status %d", (int)st);
}

/* -- Buckets ----------------------------------------------------------------------------------- */

/* What rank `rank` brings at place i. */
static float brought(size_t i, int rank)
{
    return sinf((float)i * 0.01f + (float)rank);
}

/* Sum in double: ranks' floats in any order differ from it by less than size * epsilon * size. */
static size_t count_wrong_sums(const float *values, size_t count)
{
    const int size = rnn_comm_size(comm);
    const double tolerance = (double)size * (double)size * (double)FLT_EPSILON;
    size_t wrong = 0;

    for (size_t i = 0; i < count; i++) {
        double expected = 0.0;

        for (int rank = 0; rank < size; rank++)
            expected += (double)brought(i, rank);
        wrong += !(fabs((double)values[i] - expected) <= tolerance);
    }
    return wrong;
}

static volatile double sink; /* keeps the compiler from dropping the work */

static void work(void)
{
    for (int i = 0; i < 2000; i++)
        sink = sqrt((double)i);
}

/* Last bucket first, as a backward pass has them, with work between. */
static rnn_status start_buckets(rnn_reducer *reducer, float *values, size_t count, size_t bucket)
{
    for (size_t end = count; end > 0;) {
        const size_t n = end < bucket ? end : bucket;

        end -= n;
        RNN_TRY(rnn_reducer_start(reducer, values, end, n));
        work();
    }
    return RNN_OK;
}

static void check_buckets(size_t count, size_t bucket)
{
    rnn_reducer *reducer = NULL;
    float *values = NULL;
    rnn_status started, waited;
    size_t wrong;

    ASSERT_ON_ALL(RNN_ALLOC(&values, count, "values") == RNN_OK, "%zu values", count);
    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, count, 8) == RNN_OK, "reducer");
    for (size_t i = 0; i < count; i++)
        values[i] = brought(i, rnn_comm_rank(comm));
    started = start_buckets(reducer, values, count, bucket);
    waited = rnn_reducer_wait(reducer);
    wrong = count_wrong_sums(values, count);
    rnn_reducer_destroy(&reducer);
    rnn_free(values);
    ASSERT_ON_ALL(started == RNN_OK && waited == RNN_OK, "%s", rnn_error_message());
    ASSERT_ON_ALL(wrong == 0, "%zu values in buckets of %zu: %zu wrong", count, bucket, wrong);
}

static void buckets_add_up_over_ranks(void **state)
{
    (void)state;
    check_buckets(1, 1);
    check_buckets(10000, 10000);
    check_buckets(100000, 30000);
}

static void more_buckets_than_fit_are_waited_for(void **state)
{
    (void)state;
    check_buckets(RNN_REDUCER_MAX_BUCKETS * 5 / 2, 1);
}

static void buckets_outside_the_array_are_refused(void **state)
{
    rnn_reducer *reducer = NULL;
    float values[4] = {0};
    rnn_status past_the_end, far_away;
    (void)state;

    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, 4, 8) == RNN_OK, "reducer");
    past_the_end = rnn_reducer_start(reducer, values, 2, 3);
    far_away = rnn_reducer_start(reducer, values, 5, SIZE_MAX);
    rnn_reducer_destroy(&reducer);
    ASSERT_ON_ALL(past_the_end == RNN_ERR_INTERNAL, "status %d", (int)past_the_end);
    ASSERT_ON_ALL(far_away == RNN_ERR_INTERNAL, "status %d", (int)far_away);
}

static void destroy_waits_for_buckets(void **state)
{
    enum { COUNT = 50000 };
    rnn_reducer *reducer = NULL;
    float *values = NULL;
    size_t wrong;
    (void)state;

    ASSERT_ON_ALL(RNN_ALLOC(&values, COUNT, "values") == RNN_OK, "values");
    for (size_t i = 0; i < COUNT; i++)
        values[i] = brought(i, rnn_comm_rank(comm));
    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, COUNT, 8) == RNN_OK, "reducer");
    ASSERT_ON_ALL(rnn_reducer_start(reducer, values, 0, COUNT) == RNN_OK, "start");
    rnn_reducer_destroy(&reducer);
    wrong = count_wrong_sums(values, COUNT);
    rnn_free(values);
    ASSERT_ON_ALL(wrong == 0 && reducer == NULL, "%zu wrong", wrong);
}

/* -- What cannot be ---------------------------------------------------------------------------- */

static void check_refused(size_t n_shards)
{
    rnn_reducer *reducer = NULL;
    rnn_status st = rnn_reducer_create(&reducer, comm, 10, n_shards);
    char expected[64];

    snprintf(expected, sizeof expected, "share %zu shard%s among %d ranks", n_shards,
             n_shards == 1 ? "" : "s", rnn_comm_size(comm));
    ASSERT_ON_ALL(st == RNN_ERR_USAGE && reducer == NULL, "%zu shards: %d", n_shards, (int)st);
    ASSERT_ON_ALL(strstr(rnn_error_message(), expected) != NULL, "'%s'", rnn_error_message());
}

static void fewer_shards_than_ranks_are_refused(void **state)
{
    (void)state;
    for (size_t n_shards = 1; n_shards < (size_t)rnn_comm_size(comm); n_shards *= 2)
        check_refused(n_shards);
}

static void shards_that_are_no_power_of_two_are_refused(void **state)
{
    (void)state;
    check_refused(0);
    check_refused(24);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_has_the_bits_of_its_definition),
        cmocka_unit_test(arrays_of_several_segments_have_the_same_bits),
        cmocka_unit_test(an_empty_array_has_an_empty_sum),
        cmocka_unit_test(zeros_and_infinities_follow_ieee),
        cmocka_unit_test(one_nan_reaches_every_rank),
        cmocka_unit_test(a_reducer_sums_again_and_again),
        cmocka_unit_test(wrong_number_of_nodes_is_refused),
        cmocka_unit_test(buckets_add_up_over_ranks),
        cmocka_unit_test(more_buckets_than_fit_are_waited_for),
        cmocka_unit_test(buckets_outside_the_array_are_refused),
        cmocka_unit_test(destroy_waits_for_buckets),
        cmocka_unit_test(fewer_shards_than_ranks_are_refused),
        cmocka_unit_test(shards_that_are_no_power_of_two_are_refused),
    };
    rnn_status st = start_ranks(argc, argv);
    int n_failed;

    if (st != RNN_OK)
        return (int)st;
    n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    rnn_comm_destroy(&comm);
    return n_failed;
}
