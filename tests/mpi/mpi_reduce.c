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

/* What the definition does to a node before it is added. */
typedef float node_rounding(float value);

static float as_it_is(float value)
{
    return value;
}

/* To the nearer of the two bfloat16 around a finite value, of equally near ones to that whose last
 * bit is 0: by distances, not bits. */
static float to_bfloat16(float value)
{
    uint32_t bits;
    float below, above;
    double to_below, to_above;

    memcpy(&bits, &value, sizeof bits);
    bits &= 0xffff0000u;
    memcpy(&below, &bits, sizeof below);
    bits += 0x10000u;
    memcpy(&above, &bits, sizeof above);
    to_below = fabs((double)value - (double)below);
    to_above = fabs((double)above - (double)value);
    if (to_below == to_above)
        return (bits & 0x10000u) == 0 ? above : below;
    return to_below < to_above ? below : above;
}

/* sum = node(offset, n_shards); `spare` has room for one array per level. */
static void add_shards(float *sum, size_t count, size_t offset, size_t n_shards, shard_maker *make,
                       node_rounding *rounding, float *spare)
{
    if (n_shards == 1) {
        make(sum, count, offset);
        return;
    }
    add_shards(sum, count, offset, n_shards / 2, make, rounding, spare + count);
    add_shards(spare, count, offset + n_shards / 2, n_shards / 2, make, rounding, spare + count);
    for (size_t i = 0; i < count; i++)
        sum[i] = rounding(sum[i]) + rounding(spare[i]);
}

enum { MAX_LEVELS = 8, MAX_SHARDS = 64 };

typedef struct arrays {
    float *memory;
    float *expected, *sum;
    float *spare;             /* MAX_LEVELS arrays */
    float *nodes[MAX_SHARDS]; /* one after the other */
    float *made;              /* the nodes again, as they were made */
    size_t n_nodes, count;
} arrays;

/* The nodes as they were before a sum. */
static void arrays_restore(arrays *all)
{
    memcpy(all->nodes[0], all->made, all->n_nodes * all->count * sizeof *all->made);
}

/* All that one test case needs; the rank's own nodes hold their sums. */
static rnn_status arrays_create(arrays *all, const rnn_reducer_cfg *cfg, shard_maker *make)
{
    const size_t count = cfg->n_values, n_shards = cfg->n_shards;
    node_rounding *rounding = cfg->bfloat16 ? to_bfloat16 : as_it_is;
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    size_t first, n;

    rnn_shard_range(n_shards, (size_t)rnn_comm_rank(comm), (size_t)rnn_comm_size(comm), &first, &n);
    all->count = count;
    all->n_nodes = rnn_tree_decompose(first, n, nodes);
    RNN_TRY(RNN_ALLOC(&all->memory, (2 + MAX_LEVELS + 2 * all->n_nodes) * count, "test arrays"));
    all->expected = all->memory;
    all->sum = all->expected + count;
    all->spare = all->sum + count;
    all->made = all->spare + (MAX_LEVELS + all->n_nodes) * count;
    add_shards(all->expected, count, 0, n_shards, make, rounding, all->spare);
    for (size_t i = 0; i < count; i++)
        all->expected[i] = rounding(all->expected[i]);
    for (size_t i = 0; i < all->n_nodes; i++) {
        all->nodes[i] = all->spare + (MAX_LEVELS + i) * count;
        add_shards(all->made + i * count, count, nodes[i].offset, nodes[i].size, make, rounding,
                   all->spare);
    }
    arrays_restore(all);
    return RNN_OK;
}

/* -- The tree ---------------------------------------------------------------------------------- */

/* Whether chunks are whole blocks, in the order of ranks or not, and all values have one owner. */
static bool chunks_make_up_the_array(const rnn_reducer *reducer, const rnn_reducer_cfg *cfg)
{
    double *owners = NULL;
    size_t first, count, wrong = 0;

    rnn_reducer_chunk(reducer, &first, &count);
    if (RNN_ALLOC(&owners, cfg->n_values + 1, "owners") != RNN_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        owners[first + i] = 1.0;
    if (rnn_comm_sum_exact(comm, owners, cfg->n_values) != RNN_OK)
        wrong++;
    for (size_t i = 0; i < cfg->n_values; i++)
        wrong += owners[i] != 1.0;
    rnn_free(owners);
    if (cfg->whole_blocks && count > 0)
        wrong +=
            first % RNN_BLOCK != 0 || (count % RNN_BLOCK != 0 && first + count != cfg->n_values);
    return wrong == 0;
}

/* In two steps; between them all that is not this rank's chunk is spoilt. */
static rnn_status sum_by_chunks(rnn_reducer *reducer, arrays *all, size_t n_values, float *sum)
{
    size_t first, count;

    rnn_reducer_chunk(reducer, &first, &count);
    RNN_TRY(rnn_reducer_scatter(reducer, all->nodes, all->n_nodes, sum));
    for (size_t i = 0; i < n_values; i++)
        if (i < first || i >= first + count)
            sum[i] = 12345.0f;
    return rnn_reducer_gather(reducer, sum);
}

/* Sums once, in one step or, if chunks are whole blocks, in two. Bits, not values. */
static bool sum_has_the_bits(const rnn_reducer_cfg *cfg, arrays *all, float *sum)
{
    rnn_reducer *reducer = NULL;
    bool same = false;
    rnn_status st;

    arrays_restore(all);
    RNN_TRY_GOTO(st, rnn_reducer_create(&reducer, comm, cfg), done);
    same = chunks_make_up_the_array(reducer, cfg);
    st = cfg->whole_blocks ? sum_by_chunks(reducer, all, cfg->n_values, sum)
                           : rnn_reducer_tree(reducer, all->nodes, all->n_nodes, sum);
    same &= memcmp(sum, all->expected, cfg->n_values * sizeof *sum) == 0;
done:
    if (st != RNN_OK)
        fprintf(stderr, "%s\n", rnn_error_message());
    rnn_reducer_destroy(&reducer);
    return same && st == RNN_OK;
}

static bool is_power_of_two(int n)
{
    return (n & (n - 1)) == 0;
}

/* The same each way there is for so many ranks, in chunks of any size and of whole blocks, with the
 * result in an array of its own or in the first node. */
static bool all_ways_give_the_bits(const rnn_reducer_cfg *base, bool in_place, shard_maker *make)
{
    const int last = is_power_of_two(rnn_comm_size(comm)) ? RNN_TREE_HALVING : RNN_TREE_EXCHANGE;
    arrays all = {.memory = NULL};
    bool same = arrays_create(&all, base, make) == RNN_OK;

    for (int way = RNN_TREE_HALVING; way <= last && same; way++)
        for (int blocks = 0; blocks < 2; blocks++) {
            rnn_reducer_cfg cfg = *base;

            cfg.way = (rnn_tree_way)way;
            cfg.whole_blocks = blocks;
            if (sum_has_the_bits(&cfg, &all, in_place ? all.nodes[0] : all.sum))
                continue;
            fprintf(stderr, "way %d, whole blocks %d\n", way, blocks);
            same = false;
        }
    rnn_free(all.memory);
    return same;
}

static bool tree_gives_the_bits(size_t count, size_t n_shards, bool in_place, shard_maker *make)
{
    return all_ways_give_the_bits(&(rnn_reducer_cfg){.n_values = count, .n_shards = n_shards},
                                  in_place, make);
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

/* Pieces are 128 blocks, a half of this has two, and three are folded. */
static void arrays_of_several_pieces_have_the_same_bits(void **state)
{
    const size_t count = 258 * RNN_BLOCK + 17;
    (void)state;

    ASSERT_ON_ALL(tree_gives_the_bits(count, 8, false, random_shard), "%zu values", count);
}

static void bfloat16_has_the_bits_of_its_definition(void **state)
{
    static const size_t counts[] = {1, 4097, 20000};
    (void)state;

    for (size_t n_shards = 8; n_shards <= MAX_SHARDS; n_shards *= 2)
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            const rnn_reducer_cfg cfg = {
                .n_values = counts[i], .n_shards = n_shards, .bfloat16 = true};

            ASSERT_ON_ALL(all_ways_give_the_bits(&cfg, i % 2 == 0, random_shard),
                          "%zu values, %zu shards", counts[i], n_shards);
        }
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
    const rnn_reducer_cfg cfg = {.n_values = COUNT, .n_shards = 16};
    arrays all = {.memory = NULL};
    rnn_reducer *reducer = NULL;
    int wrong = 0;
    (void)state;

    ASSERT_ON_ALL(arrays_create(&all, &cfg, random_shard) == RNN_OK, "arrays");
    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm, &cfg) == RNN_OK, "reducer");
    rnn_free(all.memory);
    for (int step = 0; step < STEPS; step++) {
        wrong += arrays_create(&all, &cfg, random_shard) != RNN_OK;
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

    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm,
                                     &(rnn_reducer_cfg){.n_values = 1, .n_shards = 8}) == RNN_OK,
                  "reducer");
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
    ASSERT_ON_ALL(
        rnn_reducer_create(&reducer, comm, &(rnn_reducer_cfg){.n_values = count, .n_shards = 8}) ==
            RNN_OK,
        "reducer");
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

    ASSERT_ON_ALL(rnn_reducer_create(&reducer, comm,
                                     &(rnn_reducer_cfg){.n_values = 4, .n_shards = 8}) == RNN_OK,
                  "reducer");
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
    ASSERT_ON_ALL(
        rnn_reducer_create(&reducer, comm, &(rnn_reducer_cfg){.n_values = COUNT, .n_shards = 8}) ==
            RNN_OK,
        "reducer");
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
    rnn_status st = rnn_reducer_create(&reducer, comm,
                                       &(rnn_reducer_cfg){.n_values = 10, .n_shards = n_shards});
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
        cmocka_unit_test(arrays_of_several_pieces_have_the_same_bits),
        cmocka_unit_test(bfloat16_has_the_bits_of_its_definition),
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
