#include "datasets/dataset.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/reader.h"
#include "kernels/memory.h"

static const struct {
    const char *name;
    const rnn_reader *reader;
} formats[] = {
    {"idx", &rnn_images_reader},
    {"ts", &rnn_series_reader},
    {"strings", &rnn_strings_reader},
};

enum { N_FORMATS = sizeof formats / sizeof *formats };

struct rnn_dataset {
    rnn_dataset_info info;
    const rnn_reader *reader;
    void *content;
};

/* -- For readers --------------------------------------------------------------------------------*/

rnn_status rnn_reader_check_scale(const rnn_dataset_cfg *cfg)
{
    if (!isfinite(cfg->mean) || !isfinite(cfg->std) || cfg->std <= 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset mean %g and std %g: expected finite numbers and std > 0",
                        cfg->mean, cfg->std);
    return RNN_OK;
}

size_t rnn_reader_limit(const rnn_dataset_cfg *cfg, rnn_split split, size_t count)
{
    size_t limit = cfg->limit[split];

    return limit > 0 && limit < count ? limit : count;
}

/* -- Opening ------------------------------------------------------------------------------------*/

static rnn_status find_reader(const rnn_reader **out, const char *format)
{
    char known[128] = "";

    for (size_t i = 0; i < N_FORMATS; i++) {
        size_t used = strlen(known);

        snprintf(known + used, sizeof known - used, "%s'%s'", i > 0 ? " or " : "", formats[i].name);
        *out = formats[i].reader;
        if (strcmp(formats[i].name, format) == 0)
            return RNN_OK;
    }
    return RNN_FAIL(RNN_ERR_DATA, "dataset format '%s' is not known, expected %s", format, known);
}

static const uint32_t *lengths_of(const rnn_dataset *dataset, rnn_split split)
{
    const rnn_reader *reader = dataset->reader;

    return reader->lengths != NULL ? reader->lengths(dataset->content, split) : NULL;
}

/* The longest and the shortest sample of both splits. */
static void measure(rnn_dataset *dataset)
{
    rnn_dataset_info *info = &dataset->info;

    info->min_len = dataset->reader->lengths != NULL ? SIZE_MAX : info->seq_len;
    for (int split = RNN_SPLIT_TRAIN; split <= RNN_SPLIT_TEST; split++) {
        const uint32_t *length = lengths_of(dataset, (rnn_split)split);

        for (size_t i = 0; length != NULL && i < info->n_samples[split]; i++) {
            if (length[i] > info->seq_len)
                info->seq_len = length[i];
            if (length[i] < info->min_len)
                info->min_len = length[i];
        }
    }
    info->is_ragged = info->min_len < info->seq_len;
}

rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset = NULL;
    rnn_dataset_info *info;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&dataset, 1, "a dataset"));
    info = &dataset->info;
    RNN_TRY_GOTO(st, find_reader(&dataset->reader, cfg->format), done);
    RNN_TRY_GOTO(st, dataset->reader->open(&dataset->content, info, cfg), done);
    measure(dataset);
    info->is_expected = cfg->name[0] == '\0' || strcmp(cfg->name, info->name) == 0;
    *out = dataset;
    dataset = NULL;
done:
    rnn_dataset_destroy(&dataset);
    return st;
}

void rnn_dataset_destroy(rnn_dataset **dataset)
{
    if (*dataset == NULL)
        return;
    if ((*dataset)->content != NULL)
        (*dataset)->reader->destroy((*dataset)->content);
    rnn_free(*dataset);
    *dataset = NULL;
}

/* -- Asking -------------------------------------------------------------------------------------*/

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset)
{
    return &dataset->info;
}

const uint32_t *rnn_dataset_lengths(const rnn_dataset *dataset, rnn_split split)
{
    return dataset->info.is_ragged ? lengths_of(dataset, split) : NULL;
}

size_t rnn_dataset_length(const rnn_dataset *dataset, rnn_split split, size_t sample)
{
    const uint32_t *length = rnn_dataset_lengths(dataset, split);

    assert(sample < dataset->info.n_samples[split]);
    return length != NULL ? length[sample] : dataset->info.seq_len;
}

const char *rnn_dataset_token_text(const rnn_dataset *dataset, size_t token)
{
    const rnn_dataset_info *info = &dataset->info;

    if (dataset->reader->token_text == NULL ||
        (token >= info->n_tokens && token >= info->n_classes))
        return NULL;
    return dataset->reader->token_text(dataset->content, token);
}

/* -- Assembling ---------------------------------------------------------------------------------*/

/* Puts -1 into steps first .. seq_len - 1 of a row: [seq_len][rows]. */
static void fill_steps(int32_t *array, size_t first, size_t seq_len, size_t row, size_t rows)
{
    for (size_t t = first; t < seq_len; t++)
        array[t * rows + row] = -1;
}

/* Likewise with zeros: [seq_len][rows][n]. */
static void clear_steps(float *array, size_t first, size_t seq_len, size_t row, size_t rows,
                        size_t n)
{
    for (size_t t = first; t < seq_len; t++)
        memset(array + (t * rows + row) * n, 0, n * sizeof *array);
}

/* What a row holds behind the `length` steps of its sample; all of it if that is 0. */
static void pad_row(const rnn_dataset_info *info, size_t length, size_t seq_len, size_t row,
                    size_t rows, const rnn_dataset_slice *into)
{
    size_t first = length > 0, end = 1; /* of a target that is one for the sequence */

    if (info->n_tokens > 0)
        fill_steps(into->token, length, seq_len, row, rows);
    else
        clear_steps(into->x, length, seq_len, row, rows, info->n_features);
    if (info->target == RNN_TARGET_STEP_LABEL || info->target == RNN_TARGET_STEP_VALUES) {
        first = length;
        end = seq_len;
    }
    if (info->target == RNN_TARGET_LABEL || info->target == RNN_TARGET_STEP_LABEL)
        fill_steps(into->label, first, end, row, rows);
    else
        clear_steps(into->target, first, end, row, rows, info->n_target_values);
}

void rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                        size_t n_valid, size_t rows, size_t seq_len, const rnn_dataset_slice *into)
{
    for (size_t row = 0; row < rows; row++) {
        size_t length = row < n_valid ? rnn_dataset_length(dataset, split, index[row]) : 0;

        assert(length <= seq_len);
        into->length[row] = (int32_t)length;
        if (row < n_valid)
            dataset->reader->write_row(dataset->content, split, index[row], row, rows, into);
        pad_row(&dataset->info, length, seq_len, row, rows, into);
    }
}
