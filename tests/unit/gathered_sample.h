/*
 * Datasets opened and one sample of them taken out, for tests of readers.
 */
#ifndef RNN_TESTS_UNIT_GATHERED_SAMPLE_H
#define RNN_TESTS_UNIT_GATHERED_SAMPLE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "datasets/dataset.h"
#include "tests/unit/temporary_folder.h"

enum { MAX_GATHERED = 4096 };

/* A sample as a slice of one row, so that [step][feature] and [step][value] lie as they are. */
typedef struct gathered_sample {
    float x[MAX_GATHERED], target[MAX_GATHERED];
    int32_t label[MAX_GATHERED], length;
} gathered_sample;

static inline rnn_status try_gather(gathered_sample *sample, const rnn_dataset *dataset,
                                    rnn_split split, uint64_t i)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    bool has_labels = info->n_target_values == 0;
    const rnn_dataset_slice slice = {.x = sample->x,
                                     .length = &sample->length,
                                     .label = has_labels ? sample->label : NULL,
                                     .target = has_labels ? NULL : sample->target};

    assert_true(info->seq_len * info->n_features <= MAX_GATHERED);
    assert_true(info->seq_len * info->n_target_values <= MAX_GATHERED);
    memset(sample, 0xEE, sizeof *sample);
    return rnn_dataset_gather(dataset, split, &i, 1, 1, info->seq_len, &slice);
}

static inline gathered_sample gather(const rnn_dataset *dataset, rnn_split split, uint64_t i)
{
    gathered_sample sample;

    if (try_gather(&sample, dataset, split, i) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return sample;
}

static inline rnn_dataset *open_dataset(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;

    if (rnn_dataset_open(&dataset, cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static inline void assert_dataset_refused(const rnn_dataset_cfg *cfg, const char *part)
{
    rnn_dataset *dataset;

    assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, cfg), part);
    assert_null(dataset);
    assert_null(strchr(rnn_error_message(), '\n'));
}

static inline void write_bytes(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Exactly these values; NAN is NAN. */
#define assert_floats(found, ...)                                                                  \
    do {                                                                                           \
        const float wanted_[] = {__VA_ARGS__};                                                     \
        for (size_t i_ = 0; i_ < sizeof wanted_ / sizeof *wanted_; i_++)                           \
            if ((found)[i_] != wanted_[i_] &&                                                      \
                !(isnan((double)(found)[i_]) && isnan((double)wanted_[i_])))                       \
                fail_msg("%s[%zu] is %g, expected %g", #found, i_, (double)(found)[i_],            \
                         (double)wanted_[i_]);                                                     \
    } while (0)

#define assert_labels(found, ...)                                                                  \
    do {                                                                                           \
        const int32_t wanted_[] = {__VA_ARGS__};                                                   \
        for (size_t i_ = 0; i_ < sizeof wanted_ / sizeof *wanted_; i_++)                           \
            if ((found)[i_] != wanted_[i_] &&                                                      \
                !(isnan((double)(found)[i_]) && isnan((double)wanted_[i_])))                       \
                fail_msg("%s[%zu] is %d, expected %d", #found, i_, (found)[i_], wanted_[i_]);      \
    } while (0)

#endif
