#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datasets/dataset.h"
#include "kernels/random.h"
#include "tests/unit/gathered_sample.h"

enum { T = 11, N_TRAIN = 200, SEED = 5 };

static rnn_dataset_cfg make_cfg(void)
{
    return (rnn_dataset_cfg){
        .format = "adding", .std = 1, .seed = SEED, .seq_len = T, .limit = {N_TRAIN, 20, 30}};
}

static rnn_dataset *open_default(void)
{
    const rnn_dataset_cfg cfg = make_cfg();

    return open_dataset(&cfg);
}

static void info_describes_the_settings(void **state)
{
    rnn_dataset *dataset = open_default();
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    (void)state;
    assert_string_equal(info->name, "adding");
    assert_string_equal(info->folder, "");
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], N_TRAIN);
    assert_int_equal(info->n_samples[RNN_SPLIT_VALID], 20);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 30);
    assert_int_equal(info->seq_len, T);
    assert_int_equal(info->min_len, T);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, 2);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_VALUES);
    assert_int_equal(info->n_target_values, 1);
    assert_int_equal(info->n_classes, 0);
    assert_true(info->has_targets);
    assert_true(info->bytes_in_memory < 1000);
    rnn_dataset_destroy(&dataset);
}

/* The step of a half that is marked; the others must not be. */
static size_t marked(const gathered_sample *s, size_t first, size_t end)
{
    size_t found = end;

    for (size_t t = first; t < end; t++) {
        float mark = s->x[2 * t + 1];

        assert_true(mark == 0 || mark == 1);
        if (mark == 1) {
            assert_int_equal(found, end);
            found = t;
        }
    }
    assert_true(found < end);
    return found;
}

static void two_marked_numbers_make_the_target(void **state)
{
    rnn_dataset *dataset = open_default();
    size_t n_at[T] = {0};
    double sum = 0;

    (void)state;
    for (size_t i = 0; i < N_TRAIN; i++) {
        gathered_sample s = gather(dataset, RNN_SPLIT_TRAIN, i);
        size_t early = marked(&s, 0, T / 2), late = marked(&s, T / 2, T);

        n_at[early]++;
        n_at[late]++;
        assert_true(s.target[0] == s.x[2 * early] + s.x[2 * late]);
        for (size_t t = 0; t < T; t++) {
            assert_true(s.x[2 * t] >= 0 && s.x[2 * t] < 1);
            sum += (double)s.x[2 * t];
        }
    }
    for (size_t t = 0; t < T; t++) /* 40 or 33.3 are expected */
        assert_true(n_at[t] >= 15 && n_at[t] <= 70);
    assert_true(sum > 0.48 * N_TRAIN * T && sum < 0.52 * N_TRAIN * T);
    rnn_dataset_destroy(&dataset);
}

/* Drawn here once more, by the numbers that the reader's comment promises. */
static void a_sample_is_a_function_of_seed_split_and_number(void **state)
{
    enum { SAMPLE = 7, SPLIT = RNN_SPLIT_TEST, BASE = SAMPLE * (T + 2) };
    rnn_dataset *dataset = open_default();
    gathered_sample s = gather(dataset, RNN_SPLIT_TEST, SAMPLE);
    float numbers[T];

    (void)state;
    rnn_random_uniform(numbers, T, 0, 1, SEED, RNN_RANDOM_DATA, SPLIT, BASE);
    for (size_t t = 0; t < T; t++)
        assert_true(s.x[2 * t] == numbers[t]);
    assert_int_equal(marked(&s, 0, T / 2),
                     rnn_random_below(T / 2, SEED, RNN_RANDOM_DATA, SPLIT, BASE + T));
    assert_int_equal(marked(&s, T / 2, T),
                     T / 2 +
                         rnn_random_below(T - T / 2, SEED, RNN_RANDOM_DATA, SPLIT, BASE + T + 1));
    assert_int_equal(RNN_RANDOM_DATA, 6);
    rnn_dataset_destroy(&dataset);
}

static bool are_equal(const gathered_sample *a, const gathered_sample *b)
{
    return memcmp(a->x, b->x, 2 * T * sizeof *a->x) == 0;
}

static void samples_differ_by_number_split_and_seed(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset = open_dataset(&cfg), *other;
    gathered_sample first = gather(dataset, RNN_SPLIT_TRAIN, 0);
    gathered_sample again = gather(dataset, RNN_SPLIT_TRAIN, 0);
    gathered_sample second = gather(dataset, RNN_SPLIT_TRAIN, 1);
    gathered_sample valid = gather(dataset, RNN_SPLIT_VALID, 0);
    gathered_sample seeded;

    (void)state;
    cfg.seed++;
    other = open_dataset(&cfg);
    seeded = gather(other, RNN_SPLIT_TRAIN, 0);
    assert_true(are_equal(&first, &again));
    assert_false(are_equal(&first, &second));
    assert_false(are_equal(&first, &valid));
    assert_false(are_equal(&first, &seeded));
    assert_true(rnn_dataset_get_info(dataset)->digest != rnn_dataset_get_info(other)->digest);
    rnn_dataset_destroy(&dataset);
    rnn_dataset_destroy(&other);
}

static void a_slice_of_many_rows_has_each_in_its_place(void **state)
{
    enum { ROWS = 3 };
    static const uint64_t index[] = {4, 9};
    float x[T][ROWS][2], target[ROWS];
    int32_t length[ROWS];
    const rnn_dataset_slice slice = {.x = **x, .length = length, .target = target};
    rnn_dataset *dataset = open_default();
    gathered_sample s = gather(dataset, RNN_SPLIT_TRAIN, 9);

    (void)state;
    assert_int_equal(rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, index, 2, ROWS, T, &slice),
                     RNN_OK);
    for (size_t t = 0; t < T; t++)
        assert_memory_equal(x[t][1], s.x + 2 * t, sizeof x[t][1]);
    assert_true(target[1] == s.target[0]);
    assert_true(target[2] == 0);
    rnn_dataset_destroy(&dataset);
}

static void two_steps_are_enough(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    cfg.seq_len = 2;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 3);
    assert_true(s.x[1] == 1 && s.x[3] == 1);
    assert_true(s.target[0] == s.x[0] + s.x[2]);
    rnn_dataset_destroy(&dataset);
}

static void settings_without_meaning_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    cfg.seq_len = 1;
    assert_dataset_refused(&cfg, "dataset.seq_len is 1: expected 2 to 2147483647 steps");
    cfg.seq_len = (size_t)INT32_MAX + 1;
    assert_dataset_refused(&cfg, "dataset.seq_len is 2147483648");
    cfg = make_cfg();
    cfg.limit[RNN_SPLIT_TRAIN] = 0;
    assert_dataset_refused(&cfg, "dataset.train_samples is 0: expected a number");
    cfg = make_cfg();
    cfg.limit[RNN_SPLIT_TEST] = SIZE_MAX / 4;
    assert_dataset_refused(&cfg, "the samples to add");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_describes_the_settings),
        cmocka_unit_test(two_marked_numbers_make_the_target),
        cmocka_unit_test(a_sample_is_a_function_of_seed_split_and_number),
        cmocka_unit_test(samples_differ_by_number_split_and_seed),
        cmocka_unit_test(a_slice_of_many_rows_has_each_in_its_place),
        cmocka_unit_test(two_steps_are_enough),
        cmocka_unit_test(settings_without_meaning_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
