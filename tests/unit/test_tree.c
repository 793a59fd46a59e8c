#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dist/reduce.h"

/* -- Shard ranges ------------------------------------------------------------------------------ */

static void ranges_follow_each_other_to_the_end(void **state)
{
    (void)state;
    for (size_t n_shards = 0; n_shards <= 70; n_shards++)
        for (size_t n_parts = 1; n_parts <= 20; n_parts++) {
            size_t next = 0, first, count;

            for (size_t part = 0; part < n_parts; part++) {
                rnn_shard_range(n_shards, part, n_parts, &first, &count);
                assert_int_equal(first, next);
                next = first + count;
            }
            assert_int_equal(next, n_shards);
        }
}

static void ranges_differ_by_one_shard_at_most(void **state)
{
    (void)state;
    for (size_t n_shards = 0; n_shards <= 70; n_shards++)
        for (size_t n_parts = 1; n_parts <= 20; n_parts++)
            for (size_t part = 0; part < n_parts; part++) {
                size_t first, count;

                rnn_shard_range(n_shards, part, n_parts, &first, &count);
                assert_true(count == n_shards / n_parts ||
                            count == (n_shards + n_parts - 1) / n_parts);
            }
}

static void eight_shards_on_three_parts_are_three_three_two(void **state)
{
    static const size_t firsts[] = {0, 3, 6}, counts[] = {3, 3, 2};
    (void)state;

    for (size_t part = 0; part < 3; part++) {
        size_t first, count;

        rnn_shard_range(8, part, 3, &first, &count);
        assert_int_equal(first, firsts[part]);
        assert_int_equal(count, counts[part]);
    }
}

/* -- Nodes ------------------------------------------------------------------------------------- */

static bool is_node(size_t offset, size_t size)
{
    return size > 0 && (size & (size - 1)) == 0 && offset % size == 0;
}

/* A node is maximal if its parent is not wholly in the run. */
static bool is_maximal(rnn_tree_node node, size_t first, size_t end)
{
    const size_t parent = node.offset - node.offset % (2 * node.size);

    return parent < first || parent + 2 * node.size > end;
}

static void nodes_are_aligned_maximal_and_cover_the_run(void **state)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    (void)state;

    for (size_t first = 0; first <= 64; first++)
        for (size_t end = first; end <= 64; end++) {
            const size_t n_nodes = rnn_tree_decompose(first, end - first, nodes);
            size_t next = first;

            for (size_t i = 0; i < n_nodes; i++) {
                assert_int_equal(nodes[i].offset, next);
                assert_true(is_node(nodes[i].offset, nodes[i].size));
                assert_true(is_maximal(nodes[i], first, end));
                next += nodes[i].size;
            }
            assert_int_equal(next, end);
        }
}

static void an_aligned_run_is_one_node(void **state)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    (void)state;

    for (size_t size = 1; size <= 1024; size *= 2) {
        assert_int_equal(rnn_tree_decompose(3 * size, size, nodes), 1);
        assert_int_equal(nodes[0].offset, 3 * size);
        assert_int_equal(nodes[0].size, size);
    }
}

static void no_shards_are_no_nodes(void **state)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    (void)state;

    assert_int_equal(rnn_tree_decompose(5, 0, nodes), 0);
}

/* From 1 to 2^64 - 2: one node of every size going up, one of every size going down. */
static void the_longest_list_of_nodes_fits(void **state)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];
    (void)state;

    assert_int_equal(rnn_tree_decompose(1, SIZE_MAX - 1, nodes), 2 * 63);
    assert_int_equal(nodes[0].size, 1);
    assert_int_equal(nodes[62].size, (size_t)1 << 62);
    assert_int_equal(nodes[63].size, (size_t)1 << 62);
    assert_int_equal(nodes[125].size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_each_other_to_the_end),
        cmocka_unit_test(ranges_differ_by_one_shard_at_most),
        cmocka_unit_test(eight_shards_on_three_parts_are_three_three_two),
        cmocka_unit_test(nodes_are_aligned_maximal_and_cover_the_run),
        cmocka_unit_test(an_aligned_run_is_one_node),
        cmocka_unit_test(no_shards_are_no_nodes),
        cmocka_unit_test(the_longest_list_of_nodes_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
