/*
 * Samples without meaning, of any size, to measure with: steps of uniform numbers from -1 to 1, and
 * a class drawn for each sequence. All are drawn when the dataset is opened, each a function of the
 * seed, its split and its number, and stay in memory as real ones would.
 */
#include <string.h>

#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"
#include "kernels/random.h"

typedef struct noise {
    size_t seq_len, n_features, n_classes;
    uint64_t seed;
    float *x[RNN_N_SPLITS]; /* [n_samples][seq_len][n_features] */
} noise;

static size_t sample_size(const noise *content)
{
    return content->seq_len * content->n_features;
}

/* A sample's random numbers: those of its steps, then its class. */
static uint64_t which(const noise *content, size_t sample, size_t i)
{
    return (uint64_t)sample * (sample_size(content) + 1) + i;
}

static void destroy(void *handle)
{
    noise *content = handle;

    if (content == NULL)
        return;
    for (int split = 0; split < RNN_N_SPLITS; split++)
        rnn_free(content->x[split]);
    rnn_free(content);
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const noise *content = handle;
    size_t n = content->n_features;
    const float *x = content->x[split] + sample * sample_size(content);

    for (size_t t = 0; t < content->seq_len; t++)
        memcpy(into->x + (t * rows + row) * n, x + t * n, n * sizeof *x);
    into->label[row] =
        (int32_t)rnn_random_below(content->n_classes, content->seed, RNN_RANDOM_DATA,
                                  (uint32_t)split, which(content, sample, sample_size(content)));
    return RNN_OK;
}

/* -- Opening ------------------------------------------------------------------------------------*/

static rnn_status check(const rnn_dataset_cfg *cfg)
{
    size_t size, ignored;

    if (cfg->limit[RNN_SPLIT_TRAIN] == 0 && cfg->fit == NULL)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.train_samples is 0: expected a number, since samples "
                        "of format 'noise' are made, and there is no end of them");
    RNN_TRY(rnn_size_multiply(&size, cfg->seq_len, cfg->n_features, "the values of a sample"));
    for (int split = 0; split < RNN_N_SPLITS; split++)
        RNN_TRY(rnn_size_multiply(&ignored, cfg->limit[split], size + 1, "the samples to make"));
    return RNN_OK;
}

static void fill_info(rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    const uint64_t settings[] = {cfg->seed,
                                 cfg->seq_len,
                                 cfg->n_features,
                                 cfg->n_classes,
                                 cfg->limit[RNN_SPLIT_TRAIN],
                                 cfg->limit[RNN_SPLIT_VALID],
                                 cfg->limit[RNN_SPLIT_TEST]};

    info->folder = "";
    info->name = "noise";
    info->seq_len = cfg->seq_len;
    info->n_features = cfg->n_features;
    info->target = RNN_TARGET_LABEL;
    info->n_classes = cfg->n_classes;
    info->digest = rnn_digest(settings, sizeof settings);
    info->bytes_in_memory = sizeof(noise);
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        info->n_samples[split] = cfg->limit[split];
        info->bytes_in_memory +=
            (double)(cfg->limit[split] * cfg->seq_len * cfg->n_features * sizeof(float));
    }
}

static rnn_status draw(noise *content, rnn_split split, size_t n_samples)
{
    size_t size = sample_size(content);

    if (n_samples == 0)
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&content->x[split], n_samples * size, "the samples of a dataset"));
    for (size_t i = 0; i < n_samples; i++)
        rnn_random_uniform(content->x[split] + i * size, size, -1.0f, 1.0f, content->seed,
                           RNN_RANDOM_DATA, (uint32_t)split, which(content, i, 0));
    return RNN_OK;
}

static rnn_status open_noise(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    noise *content;
    rnn_status st;

    *out = NULL;
    RNN_TRY(check(cfg));
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    *content = (noise){.seq_len = cfg->seq_len,
                       .n_features = cfg->n_features,
                       .n_classes = cfg->n_classes,
                       .seed = cfg->seed};
    for (int split = 0; split < RNN_N_SPLITS; split++)
        RNN_TRY_GOTO(st, draw(content, (rnn_split)split, cfg->limit[split]), done);
    fill_info(info, cfg);
    *out = content;
    return RNN_OK;
done:
    destroy(content);
    return st;
}

static const char *const keys[] = {"seq_len",       "features",     "classes", "train_samples",
                                   "valid_samples", "test_samples", NULL};

const rnn_reader rnn_noise_reader = {
    .name = "noise", .keys = keys, .open = open_noise, .destroy = destroy, .read_row = read_row};
