#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "datasets/sampler.h"

enum { MAX_SAMPLES = 300 };

/* Sizes that divide each other and sizes that do not, down to one of everything. */
static const rnn_sampler_cfg cfgs[] = {
    {.n_samples = 1, .batch_size = 1, .n_shards = 1, .shuffle = true, .seed = 1},
    {.n_samples = 3, .batch_size = 64, .n_shards = 16, .shuffle = true, .seed = 2},
    {.n_samples = 64, .batch_size = 16, .n_shards = 4, .shuffle = true, .seed = 3},
    {.n_samples = 65, .batch_size = 16, .n_shards = 4, .shuffle = true, .seed = 4},
    {.n_samples = 100, .batch_size = 7, .n_shards = 8, .shuffle = true, .seed = 5},
    {.n_samples = 100, .batch_size = 10, .n_shards = 4, .shuffle = false, .seed = 6},
    {.n_samples = 300, .batch_size = 128, .n_shards = 64, .shuffle = true, .seed = 1ull << 40},
    {.n_samples = 299, .batch_size = 100, .n_shards = 2, .shuffle = true, .seed = 7},
    {.n_samples = 13, .batch_size = 5, .n_shards = 1, .shuffle = false, .seed = 8},
};

enum { N_CFGS = sizeof cfgs / sizeof *cfgs };

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_sampler *create(const rnn_sampler_cfg *cfg)
{
    rnn_sampler *sampler;

    assert_int_equal(rnn_sampler_create(&sampler, cfg), RNN_OK);
    return sampler;
}

/* Appends the samples of shards [first, end) of a batch; returns their number. */
static size_t collect(uint64_t *into, const rnn_sampler *sampler, size_t batch, size_t first,
                      size_t end)
{
    size_t total = 0;

    for (size_t shard = first; shard < end; shard++) {
        const uint64_t *index;
        size_t n = rnn_sampler_shard(sampler, batch, shard, &index);

        memcpy(into + total, index, n * sizeof *index);
        total += n;
    }
    return total;
}

/* The order of an epoch, read through all shards of all batches. */
static void read_epoch(uint64_t order[MAX_SAMPLES], const rnn_sampler_cfg *cfg, uint32_t epoch)
{
    rnn_sampler *sampler = create(cfg);
    size_t total = 0;

    rnn_sampler_set_epoch(sampler, epoch);
    for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++)
        total += collect(order + total, sampler, batch, 0, cfg->n_shards);
    assert_int_equal(total, cfg->n_samples);
    rnn_sampler_destroy(&sampler);
}

/* -- Shards -------------------------------------------------------------------------------------*/

/* Rank r of R has shards [V r / R, V (r + 1) / R). */
static void ranks_together_see_every_sample_once(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler *sampler = create(&cfgs[c]);
        size_t n_shards = cfgs[c].n_shards;

        for (size_t size = 1; size <= n_shards && size <= 9; size++) {
            unsigned seen[MAX_SAMPLES] = {0};

            for (size_t rank = 0; rank < size; rank++) {
                size_t first = n_shards * rank / size, end = n_shards * (rank + 1) / size;

                for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++) {
                    uint64_t mine[MAX_SAMPLES];
                    size_t n = collect(mine, sampler, batch, first, end);

                    for (size_t i = 0; i < n; i++)
                        seen[mine[i]]++;
                }
            }
            for (size_t i = 0; i < cfgs[c].n_samples; i++)
                if (seen[i] != 1)
                    fail_msg("configuration %zu, %zu ranks: sample %zu seen %u times", c, size, i,
                             seen[i]);
        }
        rnn_sampler_destroy(&sampler);
    }
}

static void batches_are_full_but_for_a_short_last_one(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler *sampler = create(&cfgs[c]);
        size_t n_batches = rnn_sampler_n_batches(sampler), left = cfgs[c].n_samples;

        for (size_t batch = 0; batch < n_batches; batch++) {
            uint64_t samples[MAX_SAMPLES];
            size_t n = rnn_sampler_batch_samples(sampler, batch);

            assert_int_equal(n, left < cfgs[c].batch_size ? left : cfgs[c].batch_size);
            assert_int_equal(collect(samples, sampler, batch, 0, cfgs[c].n_shards), n);
            left -= n;
        }
        assert_int_equal(left, 0);
        rnn_sampler_destroy(&sampler);
    }
}

static void shards_are_filled_from_the_front(void **state)
{
    const rnn_sampler_cfg cfg = {.n_samples = 17, .batch_size = 10, .n_shards = 4};
    static const size_t expected[2][4] = {{3, 3, 3, 1}, {3, 3, 1, 0}};
    rnn_sampler *sampler = create(&cfg);

    (void)state;
    assert_int_equal(rnn_sampler_rows(sampler), 3);
    assert_int_equal(rnn_sampler_n_batches(sampler), 2);
    for (size_t batch = 0; batch < 2; batch++)
        for (size_t shard = 0; shard < 4; shard++) {
            const uint64_t *index;

            assert_int_equal(rnn_sampler_shard(sampler, batch, shard, &index),
                             expected[batch][shard]);
            if (expected[batch][shard] > 0)
                assert_int_equal(index[0], 10 * batch + 3 * shard);
        }
    rnn_sampler_destroy(&sampler);
}

/* -- Order --------------------------------------------------------------------------------------*/

static void order_is_the_identity_without_shuffling(void **state)
{
    const rnn_sampler_cfg cfg = {.n_samples = 50, .batch_size = 8, .n_shards = 2, .seed = 9};
    uint64_t order[MAX_SAMPLES];

    (void)state;
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        read_epoch(order, &cfg, epoch);
        for (size_t i = 0; i < cfg.n_samples; i++)
            assert_int_equal(order[i], i);
    }
}

static void order_depends_on_neither_batches_nor_shards(void **state)
{
    rnn_sampler_cfg cfg = {.n_samples = 200, .batch_size = 1, .n_shards = 1, .shuffle = true};
    uint64_t expected[MAX_SAMPLES], order[MAX_SAMPLES];

    (void)state;
    read_epoch(expected, &cfg, 5);
    for (cfg.batch_size = 1; cfg.batch_size <= 256; cfg.batch_size += 15)
        for (cfg.n_shards = 1; cfg.n_shards <= 64; cfg.n_shards *= 2) {
            read_epoch(order, &cfg, 5);
            assert_memory_equal(order, expected, cfg.n_samples * sizeof *order);
        }
}

static void order_depends_on_seed_and_epoch(void **state)
{
    rnn_sampler_cfg cfg = {.n_samples = 200, .batch_size = 16, .n_shards = 4, .shuffle = true};
    uint64_t order[4][MAX_SAMPLES];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        cfg.seed = i / 2;
        read_epoch(order[i], &cfg, (uint32_t)(i % 2));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(order[i], order[j], cfg.n_samples * sizeof **order);
    }
}

static void order_does_not_depend_on_the_epochs_before(void **state)
{
    static const uint32_t epochs[] = {7, 0, UINT32_MAX, 3, 3, 0, 7};
    const rnn_sampler_cfg cfg = {
        .n_samples = 100, .batch_size = 100, .n_shards = 1, .shuffle = true, .seed = 11};
    rnn_sampler *sampler = create(&cfg);

    (void)state;
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++) {
        uint64_t expected[MAX_SAMPLES];
        const uint64_t *order;

        read_epoch(expected, &cfg, epochs[i]);
        rnn_sampler_set_epoch(sampler, epochs[i]);
        assert_int_equal(rnn_sampler_shard(sampler, 0, 0, &order), cfg.n_samples);
        assert_memory_equal(order, expected, sizeof *order * cfg.n_samples);
    }
    rnn_sampler_destroy(&sampler);
}

/* Part of the reproducibility promise: the same order in every version of the program. */
static void order_is_the_one_it_has_always_been(void **state)
{
    static const uint64_t expected[2][8] = {{1, 2, 7, 4, 5, 3, 0, 6}, {7, 6, 2, 0, 4, 3, 1, 5}};
    const rnn_sampler_cfg cfg = {
        .n_samples = 8, .batch_size = 8, .n_shards = 1, .shuffle = true, .seed = 1};
    uint64_t order[MAX_SAMPLES];

    (void)state;
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        read_epoch(order, &cfg, epoch);
        assert_memory_equal(order, expected[epoch], sizeof expected[epoch]);
    }
}

/*
 * 24,000 epochs of 4 samples: 1,000 expected of each of the 24 orders. With standard deviation 31,
 * the bound of 160 is five of them; the draws are fixed, so that the test cannot fail by chance.
 */
static void all_orders_are_equally_likely(void **state)
{
    const rnn_sampler_cfg cfg = {
        .n_samples = 4, .batch_size = 4, .n_shards = 1, .shuffle = true, .seed = 12};
    rnn_sampler *sampler = create(&cfg);
    int count[256] = {0};
    size_t n_orders = 0;

    (void)state;
    for (uint32_t epoch = 0; epoch < 24000; epoch++) {
        const uint64_t *order;

        rnn_sampler_set_epoch(sampler, epoch);
        rnn_sampler_shard(sampler, 0, 0, &order);
        count[order[0] << 6 | order[1] << 4 | order[2] << 2 | order[3]]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (count[i] > 0) {
            n_orders++;
            assert_true(count[i] >= 1000 - 160 && count[i] <= 1000 + 160);
        }
    assert_int_equal(n_orders, 24);
    rnn_sampler_destroy(&sampler);
}

/* -- Lengths ------------------------------------------------------------------------------------*/

enum { LONGEST = 250 };

/* As in speech: many short sequences, few long ones, most lengths several times. */
static const uint32_t *make_lengths(void)
{
    static uint32_t length[MAX_SAMPLES];

    for (size_t i = 0; i < MAX_SAMPLES; i++) {
        size_t u = i * 7919 % 1009;

        length[i] = (uint32_t)(1 + u * u * (LONGEST - 1) / (1008 * 1008));
    }
    return length;
}

static rnn_sampler_cfg with_lengths(size_t c)
{
    rnn_sampler_cfg cfg = cfgs[c];

    cfg.length = make_lengths();
    cfg.seq_len = LONGEST + 3;
    return cfg;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void lengths_leave_every_batch_its_samples(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler_cfg cfg = with_lengths(c);
        rnn_sampler *plain = create(&cfgs[c]), *grouped = create(&cfg);

        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            rnn_sampler_set_epoch(plain, epoch);
            rnn_sampler_set_epoch(grouped, epoch);
            for (size_t batch = 0; batch < rnn_sampler_n_batches(plain); batch++) {
                uint64_t expected[MAX_SAMPLES], found[MAX_SAMPLES];
                size_t n = collect(expected, plain, batch, 0, cfg.n_shards);

                assert_int_equal(collect(found, grouped, batch, 0, cfg.n_shards), n);
                qsort(expected, n, sizeof *expected, compare_numbers);
                qsort(found, n, sizeof *found, compare_numbers);
                assert_memory_equal(found, expected, n * sizeof *found);
            }
        }
        rnn_sampler_destroy(&plain);
        rnn_sampler_destroy(&grouped);
    }
}

static void a_slice_holds_neighbours_in_length(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler_cfg cfg = with_lengths(c);
        rnn_sampler *sampler = create(&cfg);

        for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++)
            for (size_t s = 0; s < cfg.n_shards * cfg.n_shards; s++) {
                const uint64_t *a, *b;
                size_t n_a = rnn_sampler_shard(sampler, batch, s / cfg.n_shards, &a);
                size_t n_b = rnn_sampler_shard(sampler, batch, s % cfg.n_shards, &b);

                for (size_t i = 1; i < n_a; i++)
                    assert_true(cfg.length[a[i]] <= cfg.length[a[i - 1]]);
                if (n_a > 0 && n_b > 0) /* one slice ends before the other begins */
                    assert_true(a == b || cfg.length[a[n_a - 1]] >= cfg.length[b[0]] ||
                                cfg.length[b[n_b - 1]] >= cfg.length[a[0]]);
            }
        rnn_sampler_destroy(&sampler);
    }
}

static void samples_of_equal_length_stay_in_order(void **state)
{
    static const uint32_t length[8] = {3, 5, 3, 5, 3, 5, 3, 3};
    static const uint64_t expected[8] = {1, 3, 5, 0, 2, 4, 6, 7};
    const rnn_sampler_cfg cfg = {
        .n_samples = 8, .batch_size = 8, .n_shards = 1, .length = length, .seq_len = 5};
    uint64_t order[MAX_SAMPLES];

    (void)state;
    read_epoch(order, &cfg, 0);
    assert_memory_equal(order, expected, sizeof expected);
}

static void slices_are_dealt_to_the_shards_like_cards(void **state)
{
    static const uint32_t length[8] = {8, 7, 6, 5, 4, 3, 2, 1};
    static const uint64_t expected[8] = {0, 7, 3, 4, 1, 6, 2, 5};
    const rnn_sampler_cfg cfg = {
        .n_samples = 8, .batch_size = 8, .n_shards = 8, .length = length, .seq_len = 8};
    uint64_t order[MAX_SAMPLES];

    (void)state;
    read_epoch(order, &cfg, 0);
    assert_memory_equal(order, expected, sizeof expected);
}

/* Steps of shards [first, first + n) of a batch. */
static size_t work(const rnn_sampler *sampler, size_t batch, size_t first, size_t n)
{
    size_t sum = 0;

    for (size_t shard = first; shard < first + n; shard++)
        sum += rnn_sampler_shard_steps(sampler, batch, shard);
    return sum;
}

/*
 * The two halves of an aligned run get slices whose differences alternate in sign, so their work
 * differs by no more than the steps of the longest slice do from those of the shortest.
 */
static void both_halves_of_a_run_of_shards_have_like_work(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler_cfg cfg = with_lengths(c);
        rnn_sampler *sampler = create(&cfg);

        for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++)
            for (size_t n = 1; 2 * n <= cfg.n_shards; n *= 2)
                for (size_t first = 0; first < cfg.n_shards; first += 2 * n) {
                    size_t left = work(sampler, batch, first, n), largest = 0, least = SIZE_MAX;
                    size_t right = work(sampler, batch, first + n, n);

                    for (size_t shard = first; shard < first + 2 * n; shard++) {
                        size_t steps = rnn_sampler_shard_steps(sampler, batch, shard);

                        largest = steps > largest ? steps : largest;
                        least = steps < least ? steps : least;
                    }
                    if ((left > right ? left - right : right - left) > largest - least)
                        fail_msg("configuration %zu, batch %zu: shards %zu..%zu have %zu steps, "
                                 "the next %zu",
                                 c, batch, first, first + n - 1, left, right);
                }
        rnn_sampler_destroy(&sampler);
    }
}

static void any_number_of_shards_gets_every_slice(void **state)
{
    rnn_sampler_cfg cfg = with_lengths(6);

    (void)state;
    cfg.batch_size = cfg.n_samples;
    for (cfg.n_shards = 1; cfg.n_shards < 70; cfg.n_shards++) {
        rnn_sampler *sampler = create(&cfg);
        unsigned seen[MAX_SAMPLES] = {0};
        uint64_t samples[MAX_SAMPLES];

        assert_int_equal(collect(samples, sampler, 0, 0, cfg.n_shards), cfg.n_samples);
        for (size_t i = 0; i < cfg.n_samples; i++)
            assert_int_equal(seen[samples[i]]++, 0);
        rnn_sampler_destroy(&sampler);
    }
}

static void grouping_is_a_function_of_seed_and_epoch(void **state)
{
    static const uint32_t epochs[] = {7, 0, UINT32_MAX, 3, 3, 0, 7};
    rnn_sampler_cfg cfg = with_lengths(6);
    rnn_sampler *sampler = create(&cfg);

    (void)state;
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++) {
        uint64_t expected[MAX_SAMPLES], order[MAX_SAMPLES];
        size_t total = 0;

        read_epoch(expected, &cfg, epochs[i]);
        rnn_sampler_set_epoch(sampler, epochs[i]);
        for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++)
            total += collect(order + total, sampler, batch, 0, cfg.n_shards);
        assert_memory_equal(order, expected, total * sizeof *order);
    }
    rnn_sampler_destroy(&sampler);
}

/* -- Steps --------------------------------------------------------------------------------------*/

/* Of a shard with one sample. */
static size_t steps_for(uint32_t length, size_t seq_len)
{
    const rnn_sampler_cfg cfg = {
        .n_samples = 1, .batch_size = 1, .n_shards = 1, .length = &length, .seq_len = seq_len};
    rnn_sampler *sampler = create(&cfg);
    size_t steps = rnn_sampler_shard_steps(sampler, 0, 0);

    rnn_sampler_destroy(&sampler);
    return steps;
}

static void steps_are_rounded_up_to_few_values(void **state)
{
    static const size_t expected[][2] = {{1, 1},     {31, 31},   {32, 32},   {33, 34},
                                         {34, 34},   {63, 64},   {64, 64},   {65, 68},
                                         {127, 128}, {129, 136}, {255, 256}, {1000, 1024}};
    size_t n_values = 0, last = 0;

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(steps_for((uint32_t)expected[i][0], 1 << 20), expected[i][1]);
    for (uint32_t length = 1; length <= 4096; length++) {
        size_t steps = steps_for(length, 1 << 20);

        assert_true(steps >= length && 16 * (steps - length) < length);
        n_values += steps != last;
        last = steps;
    }
    assert_int_equal(n_values, 32 + 7 * 16);
}

static void steps_stay_below_the_longest_sequence(void **state)
{
    (void)state;
    assert_int_equal(steps_for(65, 66), 66);
    assert_int_equal(steps_for(65, 65), 65);
    assert_int_equal(steps_for(65, 68), 68);
}

static void steps_reach_every_sample_of_the_shard(void **state)
{
    (void)state;
    for (size_t c = 0; c < N_CFGS; c++) {
        rnn_sampler_cfg cfg = with_lengths(c);
        rnn_sampler *sampler = create(&cfg);

        for (size_t batch = 0; batch < rnn_sampler_n_batches(sampler); batch++)
            for (size_t shard = 0; shard < cfg.n_shards; shard++) {
                const uint64_t *index;
                size_t n = rnn_sampler_shard(sampler, batch, shard, &index);
                size_t steps = rnn_sampler_shard_steps(sampler, batch, shard);

                for (size_t i = 0; i < n; i++)
                    assert_true(cfg.length[index[i]] <= steps);
                assert_true(n > 0 ? steps <= cfg.seq_len : steps == 0);
            }
        rnn_sampler_destroy(&sampler);
    }
}

static void without_lengths_all_shards_have_the_full_steps(void **state)
{
    const rnn_sampler_cfg cfg = {.n_samples = 3, .batch_size = 4, .n_shards = 4, .seq_len = 28};
    rnn_sampler *sampler = create(&cfg);
    double share, ungrouped;

    (void)state;
    for (size_t shard = 0; shard < 4; shard++)
        assert_int_equal(rnn_sampler_shard_steps(sampler, 0, shard), 28);
    rnn_sampler_padding(sampler, &share, &ungrouped);
    assert_true(share == 0 && ungrouped == 0);
    rnn_sampler_destroy(&sampler);
}

/*
 * Batch 0: slices 8 8 | 4 2, padding 2 of 24 steps; batch 1, with one row missing: 3 -, padding 3
 * of 6. Sums of lengths: 22 + 3. Ungrouped, each of the three slices has 2 x 10 steps.
 */
static void padding_is_the_share_of_steps_of_no_sample(void **state)
{
    static const uint32_t length[5] = {2, 8, 4, 8, 3};
    const rnn_sampler_cfg cfg = {
        .n_samples = 5, .batch_size = 4, .n_shards = 2, .length = length, .seq_len = 10};
    rnn_sampler *sampler = create(&cfg);
    double share, ungrouped;

    (void)state;
    rnn_sampler_padding(sampler, &share, &ungrouped);
    assert_true(share == 1 - 25.0 / 30.0);
    assert_true(ungrouped == 1 - 25.0 / 60.0);
    rnn_sampler_destroy(&sampler);
}

/* -- Streams ------------------------------------------------------------------------------------*/

/* Row r of every batch is stream r, though lengths differ within a batch and between batches. */
static void streams_stay_in_their_rows(void **state)
{
    static const uint32_t length[12] = {3, 9, 1, 7, 9, 3, 2, 8, 1, 1, 4, 6};
    rnn_sampler_cfg cfg = {.n_samples = 12,
                           .batch_size = 4,
                           .is_stream = true,
                           .length = length,
                           .seq_len = 9,
                           .seed = 5};

    (void)state;
    for (cfg.n_shards = 1; cfg.n_shards <= 4; cfg.n_shards++) {
        rnn_sampler *sampler = create(&cfg);
        size_t rows = rnn_sampler_rows(sampler);

        for (uint32_t epoch = 0; epoch < 2; epoch++) {
            rnn_sampler_set_epoch(sampler, epoch);
            for (size_t batch = 0; batch < 3; batch++)
                for (size_t shard = 0; shard < cfg.n_shards; shard++) {
                    const uint64_t *index;
                    size_t n = rnn_sampler_shard(sampler, batch, shard, &index), longest = 0;

                    for (size_t i = 0; i < n; i++) {
                        size_t sample = 4 * batch + rows * shard + i;

                        assert_int_equal(index[i], sample);
                        longest = length[sample] > longest ? length[sample] : longest;
                    }
                    assert_int_equal(rnn_sampler_shard_steps(sampler, batch, shard), longest);
                }
        }
        rnn_sampler_destroy(&sampler);
    }
}

static void the_same_samples_without_streams_are_sorted(void **state)
{
    static const uint32_t length[4] = {3, 9, 1, 7};
    const rnn_sampler_cfg cfg = {
        .n_samples = 4, .batch_size = 4, .n_shards = 1, .length = length, .seq_len = 9};
    static const uint64_t expected[4] = {1, 3, 0, 2};
    rnn_sampler *sampler = create(&cfg);
    const uint64_t *index;

    (void)state;
    assert_int_equal(rnn_sampler_shard(sampler, 0, 0, &index), 4);
    assert_memory_equal(index, expected, sizeof expected);
    rnn_sampler_destroy(&sampler);
}

/* -- Failures -----------------------------------------------------------------------------------*/

static void streams_are_not_shuffled(void **state)
{
    const rnn_sampler_cfg cfg = {
        .n_samples = 4, .batch_size = 2, .n_shards = 1, .shuffle = true, .is_stream = true};
    rnn_sampler *sampler;

    (void)state;
    assert_int_equal(rnn_sampler_create(&sampler, &cfg), RNN_ERR_INTERNAL);
    assert_null(sampler);
    assert_non_null(strstr(rnn_error_message(), "streams cannot be shuffled"));
}

static void sizes_of_zero_are_refused(void **state)
{
    (void)state;
    for (size_t zero = 0; zero < 3; zero++) {
        const rnn_sampler_cfg cfg = {
            .n_samples = zero != 0, .batch_size = zero != 1, .n_shards = zero != 2};
        rnn_sampler *sampler;

        assert_int_equal(rnn_sampler_create(&sampler, &cfg), RNN_ERR_DATA);
        assert_null(sampler);
        rnn_sampler_destroy(&sampler);
    }
}

static void more_samples_than_memory_are_refused(void **state)
{
    const rnn_sampler_cfg cfg = {.n_samples = SIZE_MAX / 2, .batch_size = 1, .n_shards = 1};
    rnn_sampler *sampler;

    (void)state;
    assert_int_equal(rnn_sampler_create(&sampler, &cfg), RNN_ERR_MEMORY);
    assert_null(sampler);
}

static void lengths_beyond_the_bounds_are_refused(void **state)
{
    static const uint32_t length[2][3] = {{1, 0, 2}, {1, 2, 3}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const rnn_sampler_cfg cfg = {
            .n_samples = 3, .batch_size = 2, .n_shards = 1, .length = length[i], .seq_len = 2};
        rnn_sampler *sampler;

        assert_int_equal(rnn_sampler_create(&sampler, &cfg), RNN_ERR_DATA);
        assert_null(sampler);
        assert_non_null(strstr(rnn_error_message(), "expected 1 to 2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_together_see_every_sample_once),
        cmocka_unit_test(batches_are_full_but_for_a_short_last_one),
        cmocka_unit_test(shards_are_filled_from_the_front),
        cmocka_unit_test(order_is_the_identity_without_shuffling),
        cmocka_unit_test(order_depends_on_neither_batches_nor_shards),
        cmocka_unit_test(order_depends_on_seed_and_epoch),
        cmocka_unit_test(order_does_not_depend_on_the_epochs_before),
        cmocka_unit_test(order_is_the_one_it_has_always_been),
        cmocka_unit_test(all_orders_are_equally_likely),
        cmocka_unit_test(lengths_leave_every_batch_its_samples),
        cmocka_unit_test(a_slice_holds_neighbours_in_length),
        cmocka_unit_test(samples_of_equal_length_stay_in_order),
        cmocka_unit_test(slices_are_dealt_to_the_shards_like_cards),
        cmocka_unit_test(both_halves_of_a_run_of_shards_have_like_work),
        cmocka_unit_test(any_number_of_shards_gets_every_slice),
        cmocka_unit_test(grouping_is_a_function_of_seed_and_epoch),
        cmocka_unit_test(steps_are_rounded_up_to_few_values),
        cmocka_unit_test(steps_stay_below_the_longest_sequence),
        cmocka_unit_test(steps_reach_every_sample_of_the_shard),
        cmocka_unit_test(without_lengths_all_shards_have_the_full_steps),
        cmocka_unit_test(padding_is_the_share_of_steps_of_no_sample),
        cmocka_unit_test(streams_stay_in_their_rows),
        cmocka_unit_test(the_same_samples_without_streams_are_sorted),
        cmocka_unit_test(streams_are_not_shuffled),
        cmocka_unit_test(sizes_of_zero_are_refused),
        cmocka_unit_test(more_samples_than_memory_are_refused),
        cmocka_unit_test(lengths_beyond_the_bounds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
