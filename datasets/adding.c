/*
 * The adding problem (Hochreiter and Schmidhuber: Long short-term memory, 1997), in the form of Le,
 * Jaitly and Hinton (A simple way to initialize recurrent networks of rectified linear units,
 * 2015): a step has a number from 0 to 1 and a mark, which is 1 at one step of the first half and
 * at one of the second, else 0. The target is the sum of the two marked numbers.
 *
 * Samples are drawn when they are asked for, each a function of the seed, its split and its number.
 */
#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/random.h"

enum { N_FEATURES = 2, N_MARKS = 2 };

typedef struct adding {
    uint64_t seed;
    size_t seq_len;
} adding;

/* -- Drawing ------------------------------------------------------------------------------------*/

/* The random number i of a sample: the numbers of its steps, then the places of its marks. */
static uint64_t which(const adding *content, size_t sample, size_t i)
{
    return (uint64_t)sample * (content->seq_len + N_MARKS) + i;
}

static float number_at(const adding *content, rnn_split split, size_t sample, size_t t)
{
    float number;

    rnn_random_uniform(&number, 1, 0, 1, content->seed, RNN_RANDOM_DATA, (uint32_t)split,
                       which(content, sample, t));
    return number;
}

/* A step among the `n` from `first` on. */
static size_t draw_mark(const adding *content, rnn_split split, size_t sample, size_t mark,
                        size_t first, size_t n)
{
    return first + rnn_random_below(n, content->seed, RNN_RANDOM_DATA, (uint32_t)split,
                                    which(content, sample, content->seq_len + mark));
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const adding *content = handle;
    size_t half = content->seq_len / 2;
    size_t early = draw_mark(content, split, sample, 0, 0, half);
    size_t late = draw_mark(content, split, sample, 1, half, content->seq_len - half);

    into->target[row] = 0;
    for (size_t t = 0; t < content->seq_len; t++) {
        float *x = into->x + (t * rows + row) * N_FEATURES;

        x[0] = number_at(content, split, sample, t);
        x[1] = t == early || t == late ? 1.0f : 0.0f;
        if (x[1] > 0)
            into->target[row] += x[0];
    }
    return RNN_OK;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static rnn_status check(const rnn_dataset_cfg *cfg)
{
    size_t ignored;

    if (cfg->seq_len < 2 || cfg->seq_len > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.seq_len is %zu: expected 2 to %d steps to add in",
                        cfg->seq_len, INT32_MAX);
    if (cfg->limit[RNN_SPLIT_TRAIN] == 0 && cfg->fit == NULL)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.train_samples is 0: expected a number, since samples "
                        "of format 'adding' are made, and there is no end of them");
    for (int split = 0; split < RNN_N_SPLITS; split++)
        RNN_TRY(rnn_size_multiply(&ignored, cfg->limit[split], cfg->seq_len + N_MARKS,
                                  "the samples to add"));
    return RNN_OK;
}

static void fill_info(rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    const uint64_t settings[] = {cfg->seed, cfg->seq_len, cfg->limit[RNN_SPLIT_TRAIN],
                                 cfg->limit[RNN_SPLIT_VALID], cfg->limit[RNN_SPLIT_TEST]};

    info->folder = "";
    info->name = "adding";
    for (int split = 0; split < RNN_N_SPLITS; split++)
        info->n_samples[split] = cfg->limit[split];
    info->seq_len = cfg->seq_len;
    info->n_features = N_FEATURES;
    info->target = RNN_TARGET_VALUES;
    info->n_target_values = 1;
    info->digest = rnn_digest(settings, sizeof settings);
    info->bytes_in_memory = sizeof(adding);
}

static rnn_status open_adding(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    adding *content;

    *out = NULL;
    RNN_TRY(check(cfg));
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    *content = (adding){cfg->seed, cfg->seq_len};
    fill_info(info, cfg);
    *out = content;
    return RNN_OK;
}

static const char *const keys[] = {"seq_len", "train_samples", "valid_samples", "test_samples",
                                   NULL};

const rnn_reader rnn_adding_reader = {
    .name = "adding", .keys = keys, .open = open_adding, .destroy = rnn_free, .read_row = read_row};
