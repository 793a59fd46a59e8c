#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datasets/dataset.h"
#include "tests/unit/gathered_sample.h"

enum { T = 7, N_FEATURES = 3, N_CLASSES = 4, N_TRAIN = 400, SEED = 5 };

static rnn_dataset_cfg make_cfg(void)
{
    return (rnn_dataset_cfg){.format = "noise",
                             .std = 1,
                             .seed = SEED,
                             .seq_len = T,
                             .n_features = N_FEATURES,
                             .n_classes = N_CLASSES,
                             .limit = {N_TRAIN, 20, 30}};
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
    assert_string_equal(info->name, "noise");
    assert_string_equal(info->folder, "");
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], N_TRAIN);
    assert_int_equal(info->n_samples[RNN_SPLIT_VALID], 20);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 30);
    assert_int_equal(info->seq_len, T);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, N_FEATURES);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_LABEL);
    assert_int_equal(info->n_classes, N_CLASSES);
    assert_true(info->bytes_in_memory >= (N_TRAIN + 50.0) * T * N_FEATURES * sizeof(float));
    rnn_dataset_destroy(&dataset);
}

/* 8400 uniform numbers from -1 to 1: their mean is 0 +- 0.0063, their mean square 1/3 +- 0.0033;
 * 100 +- 8.7 samples of each of the 4 classes. Bounds are 5 deviations. */
static void values_and_classes_are_spread_evenly(void **state)
{
    rnn_dataset *dataset = open_default();
    const double n = N_TRAIN * T * N_FEATURES;
    double sum = 0, sum_of_squares = 0;
    int n_of_class[N_CLASSES] = {0};

    (void)state;
    for (size_t i = 0; i < N_TRAIN; i++) {
        gathered_sample s = gather(dataset, RNN_SPLIT_TRAIN, i);

        for (size_t k = 0; k < T * N_FEATURES; k++) {
            assert_true(s.x[k] >= -1 && s.x[k] < 1);
            sum += s.x[k];
            sum_of_squares += s.x[k] * s.x[k];
        }
        assert_true(s.label[0] >= 0 && s.label[0] < N_CLASSES);
        n_of_class[s.label[0]]++;
    }
    assert_true(fabs(sum / n) < 0.032);
    assert_true(fabs(sum_of_squares / n - 1.0 / 3) < 0.017);
    for (int k = 0; k < N_CLASSES; k++)
        assert_true(n_of_class[k] >= 56 && n_of_class[k] <= 144);
    rnn_dataset_destroy(&dataset);
}

static bool is_equal(const gathered_sample *a, const gathered_sample *b)
{
    return memcmp(a->x, b->x, T * N_FEATURES * sizeof(float)) == 0 && a->label[0] == b->label[0];
}

static void a_sample_follows_from_seed_split_and_number(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset = open_default(), *again = open_default(), *other;
    gathered_sample s = gather(dataset, RNN_SPLIT_TRAIN, 3), same, different;

    (void)state;
    same = gather(again, RNN_SPLIT_TRAIN, 3);
    assert_true(is_equal(&s, &same));
    different = gather(dataset, RNN_SPLIT_TRAIN, 4);
    assert_false(is_equal(&s, &different));
    different = gather(dataset, RNN_SPLIT_TEST, 3);
    assert_false(is_equal(&s, &different));
    cfg.seed++;
    other = open_dataset(&cfg);
    different = gather(other, RNN_SPLIT_TRAIN, 3);
    assert_false(is_equal(&s, &different));
    assert_true(rnn_dataset_get_info(other)->digest != rnn_dataset_get_info(dataset)->digest);
    rnn_dataset_destroy(&dataset);
    rnn_dataset_destroy(&again);
    rnn_dataset_destroy(&other);
}

static void what_cannot_be_made_is_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    cfg.limit[RNN_SPLIT_TRAIN] = 0;
    assert_int_equal(rnn_dataset_open(&dataset, &cfg), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "dataset.train_samples is 0"));
    cfg = make_cfg();
    cfg.seq_len = SIZE_MAX / 2;
    assert_int_equal(rnn_dataset_open(&dataset, &cfg), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "the values of a sample"));
    cfg = make_cfg();
    cfg.limit[RNN_SPLIT_VALID] = SIZE_MAX / 8;
    assert_int_equal(rnn_dataset_open(&dataset, &cfg), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "the samples to make"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_describes_the_settings),
        cmocka_unit_test(values_and_classes_are_spread_evenly),
        cmocka_unit_test(a_sample_follows_from_seed_split_and_number),
        cmocka_unit_test(what_cannot_be_made_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
