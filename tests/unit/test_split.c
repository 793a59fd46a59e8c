#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "datasets/dataset.h"
#include "tests/unit/gathered_sample.h"
#include "tests/unit/temporary_folder.h"

enum { MAX_SAMPLES = 256, N = 101 };

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

/* Sample i is as long as i % max_len says, its first value is i, its class i % n_classes. */
static void write_series(const char *name, size_t n, size_t n_classes, size_t max_len)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs("@classLabel true", file);
    for (size_t i = 0; i < n_classes; i++)
        fprintf(file, " c%zu", i);
    fputs("\n@data\n", file);
    for (size_t i = 0; i < n; i++) {
        fprintf(file, "%zu", i);
        for (size_t t = 0; t < i % max_len; t++)
            fputs(",0", file);
        fprintf(file, ":c%zu\n", i % n_classes);
    }
    assert_int_equal(fclose(file), 0);
}

static rnn_dataset_cfg make_cfg(rnn_split_by split_by, double validation, double test)
{
    return (rnn_dataset_cfg){.format = "ts",
                             .search = search,
                             .n_search = 1,
                             .file = {"t.ts"},
                             .std = 1,
                             .split_by = split_by,
                             .validation = validation,
                             .test = test,
                             .seed = 3};
}

/* The numbers that a split's samples have in their file. */
typedef struct members {
    size_t n[RNN_N_SPLITS];
    size_t number[RNN_N_SPLITS][MAX_SAMPLES];
    int32_t label[RNN_N_SPLITS][MAX_SAMPLES];
} members;

static members list(const rnn_dataset *dataset)
{
    members m = {.n = {0}};

    for (int split = 0; split < RNN_N_SPLITS; split++) {
        m.n[split] = rnn_dataset_get_info(dataset)->n_samples[split];
        assert_true(m.n[split] <= MAX_SAMPLES);
        for (uint64_t i = 0; i < m.n[split]; i++) {
            float x[MAX_SAMPLES];
            int32_t length;
            const rnn_dataset_slice slice = {
                .x = x, .length = &length, .label = &m.label[split][i]};

            assert_int_equal(
                rnn_dataset_gather(dataset, (rnn_split)split, &i, 1, 1, MAX_SAMPLES, &slice),
                RNN_OK);
            assert_int_equal(length, rnn_dataset_length(dataset, (rnn_split)split, i));
            m.number[split][i] = (size_t)x[0];
        }
    }
    return m;
}

static members list_cfg(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset = open_dataset(cfg);
    members m = list(dataset);

    rnn_dataset_destroy(&dataset);
    return m;
}

/* Every one of the file's n samples is in one split, and each split in the order of the file. */
static void assert_divided(const members *m, size_t n)
{
    unsigned seen[MAX_SAMPLES] = {0};

    assert_int_equal(m->n[0] + m->n[1] + m->n[2], n);
    for (int split = 0; split < RNN_N_SPLITS; split++)
        for (size_t i = 0; i < m->n[split]; i++) {
            assert_true(m->number[split][i] < n);
            seen[m->number[split][i]]++;
            if (i > 0)
                assert_true(m->number[split][i] > m->number[split][i - 1]);
        }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(seen[i], 1);
}

static bool are_equal(const members *a, const members *b)
{
    for (int split = 0; split < RNN_N_SPLITS; split++)
        if (a->n[split] != b->n[split] ||
            memcmp(a->number[split], b->number[split], a->n[split] * sizeof *a->number[split]) != 0)
            return false;
    return true;
}

/* -- At random ----------------------------------------------------------------------------------*/

static void random_parts_have_the_rounded_share(void **state)
{
    static const double fractions[] = {0, 0.005, 0.1, 0.25, 1.0 / 3, 0.5, 0.745};

    (void)state;
    write_series("t.ts", N, 3, 1);
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 4; b++) {
            rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, fractions[a], fractions[b]);
            members m = list_cfg(&cfg);

            assert_divided(&m, N);
            assert_int_equal(m.n[RNN_SPLIT_VALID], (size_t)round(fractions[a] * N));
            assert_int_equal(m.n[RNN_SPLIT_TEST], (size_t)round(fractions[b] * N));
        }
}

static void random_parts_follow_from_seed_and_count_alone(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0.3, 0.2);
    members first, m;

    (void)state;
    write_series("t.ts", N, 3, 1);
    first = list_cfg(&cfg);
    m = list_cfg(&cfg);
    assert_true(are_equal(&first, &m));
    write_series("t.ts", N, 7, 5); /* other classes and lengths */
    m = list_cfg(&cfg);
    assert_true(are_equal(&first, &m));
    cfg.seed = 4;
    m = list_cfg(&cfg);
    assert_divided(&m, N);
    assert_false(are_equal(&first, &m));
    cfg.seed = 3 + (1ull << 32);
    m = list_cfg(&cfg);
    assert_false(are_equal(&first, &m));
}

/* Each sample is in validation for about 0.3 of the seeds: 4.4 standard deviations of room. */
static void every_sample_has_the_same_chance(void **state)
{
    enum { N_SEEDS = 400, FEW = 20 };
    unsigned count[FEW] = {0};

    (void)state;
    write_series("t.ts", FEW, 1, 1);
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0.3, 0);
        members m;

        cfg.seed = seed;
        m = list_cfg(&cfg);
        for (size_t i = 0; i < m.n[RNN_SPLIT_VALID]; i++)
            count[m.number[RNN_SPLIT_VALID][i]]++;
    }
    for (size_t i = 0; i < FEW; i++)
        assert_true(count[i] >= 0.3 * N_SEEDS - 40 && count[i] <= 0.3 * N_SEEDS + 40);
}

/* -- Of every class -----------------------------------------------------------------------------*/

static void stratified_parts_have_the_same_share_of_every_class(void **state)
{
    static const double fractions[][2] = {{0.2, 0}, {0, 0.2}, {0.25, 0.3}, {0.5, 0.1}};
    enum { CLASSES = 7 };

    (void)state;
    write_series("t.ts", N, CLASSES, 3);
    for (size_t f = 0; f < 4; f++) {
        rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_STRATIFIED, fractions[f][0], fractions[f][1]);
        const double share[] = {1 - fractions[f][0] - fractions[f][1], fractions[f][0],
                                fractions[f][1]};
        members m = list_cfg(&cfg), other;

        assert_divided(&m, N);
        for (int32_t label = 0; label < CLASSES; label++) {
            size_t in_file = (N + CLASSES - 1 - (size_t)label) / CLASSES;

            for (int split = 0; split < RNN_N_SPLITS; split++) {
                size_t count = 0;

                for (size_t i = 0; i < m.n[split]; i++)
                    count += m.label[split][i] == label;
                assert_true(fabs((double)count - share[split] * (double)in_file) <= 1);
            }
        }
        cfg.seed++;
        other = list_cfg(&cfg);
        assert_false(are_equal(&m, &other));
    }
}

/* -- In order -----------------------------------------------------------------------------------*/

static void parts_in_order_are_the_last_ones(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.2, 0.3);
    members m, other;

    (void)state;
    write_series("t.ts", 20, 3, 2);
    m = list_cfg(&cfg);
    assert_divided(&m, 20);
    assert_int_equal(m.n[RNN_SPLIT_TRAIN], 10);
    assert_int_equal(m.n[RNN_SPLIT_VALID], 4);
    assert_int_equal(m.number[RNN_SPLIT_VALID][0], 10);
    assert_int_equal(m.n[RNN_SPLIT_TEST], 6);
    assert_int_equal(m.number[RNN_SPLIT_TEST][0], 14);
    cfg.seed = 99;
    other = list_cfg(&cfg);
    assert_true(are_equal(&m, &other));
}

/* -- Beside it ----------------------------------------------------------------------------------*/

static void lengths_and_classes_follow_the_samples(void **state)
{
    (void)state;
    write_series("t.ts", N, 5, 9);
    for (int by = RNN_SPLIT_BY_RANDOM; by <= RNN_SPLIT_BY_ORDER; by++) {
        rnn_dataset_cfg cfg = make_cfg((rnn_split_by)by, 0.2, 0.2);
        rnn_dataset *dataset = open_dataset(&cfg);
        members m = list(dataset);

        for (int split = 0; split < RNN_N_SPLITS; split++) {
            const uint32_t *length = rnn_dataset_lengths(dataset, (rnn_split)split);

            assert_non_null(length);
            for (size_t i = 0; i < m.n[split]; i++) {
                assert_int_equal(length[i], m.number[split][i] % 9 + 1);
                assert_int_equal(m.label[split][i], m.number[split][i] % 5);
            }
        }
        rnn_dataset_destroy(&dataset);
    }
}

/* Of three samples in use the last one is for validation; the fourth, which is longer, does not
 * count. */
static void lengths_are_those_of_the_samples_in_use(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.25, 0);
    rnn_dataset *dataset;

    (void)state;
    write_series("t.ts", 4, 2, 9); /* lengths 1 2 3 4 */
    cfg.limit[RNN_SPLIT_TRAIN] = 3;
    dataset = open_dataset(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, 3);
    assert_int_equal(rnn_dataset_get_info(dataset)->min_len, 1);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_VALID, 0), 3);
    rnn_dataset_destroy(&dataset);
}

static void a_file_stays_a_split_of_its_own(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0.1, 0);
    members m;

    (void)state;
    write_series("t.ts", 50, 2, 1);
    write_series("e.ts", 7, 2, 1);
    cfg.file[RNN_SPLIT_TEST] = "e.ts";
    m = list_cfg(&cfg);
    assert_int_equal(m.n[RNN_SPLIT_TRAIN], 45);
    assert_int_equal(m.n[RNN_SPLIT_VALID], 5);
    assert_int_equal(m.n[RNN_SPLIT_TEST], 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(m.number[RNN_SPLIT_TEST][i], i);
}

static void limits_shorten_the_file_before_and_other_parts_after(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.2, 0.3);
    members m, all;

    (void)state;
    write_series("t.ts", N, 2, 1);
    cfg.limit[RNN_SPLIT_TRAIN] = 20;
    m = list_cfg(&cfg);
    assert_divided(&m, 20);
    assert_int_equal(m.n[RNN_SPLIT_TRAIN], 10);
    cfg.split_by = RNN_SPLIT_BY_RANDOM;
    m = list_cfg(&cfg);
    write_series("t.ts", 20, 2, 1);
    cfg.limit[RNN_SPLIT_TRAIN] = 0;
    all = list_cfg(&cfg);
    assert_true(are_equal(&m, &all)); /* as if the file had no more */
    cfg.limit[RNN_SPLIT_VALID] = 1;
    cfg.limit[RNN_SPLIT_TEST] = 5;
    m = list_cfg(&cfg);
    assert_int_equal(m.n[RNN_SPLIT_TRAIN], 10);
    assert_int_equal(m.n[RNN_SPLIT_VALID], 1);
    assert_int_equal(m.n[RNN_SPLIT_TEST], 5);
    assert_memory_equal(m.number[1], all.number[1], 1 * sizeof *m.number[1]);
    assert_memory_equal(m.number[2], all.number[2], 5 * sizeof *m.number[2]);
}

/* -- What is refused ----------------------------------------------------------------------------*/

static void fractions_must_be_below_one(void **state)
{
    static const double wrong[] = {1, 1.5, -0.1, NAN, INFINITY};

    (void)state;
    write_series("t.ts", 10, 2, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, wrong[i], 0);

        assert_dataset_refused(&cfg, "dataset.validation: expected a fraction from 0 to below 1");
        cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0, wrong[i]);
        assert_dataset_refused(&cfg, "dataset.test: expected a fraction from 0 to below 1, found ");
    }
}

static void fractions_must_leave_samples_for_every_split(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0.04, 0);

    (void)state;
    write_series("t.ts", 10, 5, 1);
    assert_dataset_refused(&cfg,
                           "dataset.validation = 0.04 and dataset.test = 0 of 10 samples leave "
                           "none for 'valid'");
    cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.3, 0.04);
    assert_dataset_refused(&cfg, "of 10 samples leave none for 'test'");
    cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.5, 0.5);
    assert_dataset_refused(&cfg, "of 10 samples leave none for 'train'");
    cfg = make_cfg(RNN_SPLIT_BY_ORDER, 0.9, 0.9);
    assert_dataset_refused(&cfg, "of 10 samples leave none for 'train'");
    cfg = make_cfg(RNN_SPLIT_BY_STRATIFIED, 0.2, 0); /* of two in a class */
    assert_dataset_refused(&cfg, "of 10 samples leave none for 'valid'");
    cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0.4, 0);
    cfg.limit[RNN_SPLIT_TRAIN] = 1;
    assert_dataset_refused(&cfg, "of 1 samples leave none for 'valid'");
}

static void a_split_has_a_file_or_a_fraction(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(RNN_SPLIT_BY_RANDOM, 0, 0.2);

    (void)state;
    write_series("t.ts", 10, 2, 1);
    cfg.file[RNN_SPLIT_TEST] = "t.ts";
    assert_dataset_refused(&cfg, "dataset.test = 0.2 asks for a part of the training samples, but "
                                 "there is a file for it, 't.ts': expected one of the two");
    cfg.test = 0;
    cfg.validation = 0.25;
    cfg.file[RNN_SPLIT_VALID] = "t.ts";
    assert_dataset_refused(&cfg, "dataset.validation = 0.25 asks for a part");
}

static void stratified_parts_need_one_class_a_sequence(void **state)
{
    static const char *const texts[] = {"ab", "ba", "aa", "bb"};
    rnn_dataset_cfg cfg = {.format = "strings",
                           .inputs = texts,
                           .n_inputs = 4,
                           .targets = texts,
                           .n_targets = 4,
                           .std = 1,
                           .validation = 0.5,
                           .split_by = RNN_SPLIT_BY_STRATIFIED};
    rnn_dataset *dataset;

    (void)state;
    assert_dataset_refused(&cfg,
                           "dataset.split = \"stratified\" needs one class for every sequence");
    cfg.split_by = RNN_SPLIT_BY_RANDOM;
    dataset = open_dataset(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_VALID], 2);
    rnn_dataset_destroy(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(random_parts_have_the_rounded_share),
        IN_FOLDER(random_parts_follow_from_seed_and_count_alone),
        IN_FOLDER(every_sample_has_the_same_chance),
        IN_FOLDER(stratified_parts_have_the_same_share_of_every_class),
        IN_FOLDER(parts_in_order_are_the_last_ones),
        IN_FOLDER(lengths_and_classes_follow_the_samples),
        IN_FOLDER(lengths_are_those_of_the_samples_in_use),
        IN_FOLDER(a_file_stays_a_split_of_its_own),
        IN_FOLDER(limits_shorten_the_file_before_and_other_parts_after),
        IN_FOLDER(fractions_must_be_below_one),
        IN_FOLDER(fractions_must_leave_samples_for_every_split),
        IN_FOLDER(a_split_has_a_file_or_a_fraction),
        IN_FOLDER(stratified_parts_need_one_class_a_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
