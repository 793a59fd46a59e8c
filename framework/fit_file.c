#include "framework/fit_file.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernels/memory.h"

enum { TEXTS, MEAN, STD, TARGET_MEAN, TARGET_STD, MAX_TEXT = 1 << 12 };

static const char *const paths[RNN_FIT_MAX_BLOCKS] = {"data/texts", "data/mean", "data/std",
                                                      "data/target_mean", "data/target_std"};

static rnn_block named_block(int i)
{
    rnn_block block = {.type = i == TEXTS ? RNN_BLOCK_TEXTS : RNN_BLOCK_FLOAT64};

    snprintf(block.path, sizeof block.path, "%s", paths[i]);
    return block;
}

/* -- Writing ----------------------------------------------------------------------------------- */

/* Texts of different lengths as rows of one width. */
static rnn_status make_texts(const rnn_dataset_fit *fit, rnn_block *block, char **texts)
{
    size_t width = 1, size;

    for (size_t i = 0; i < fit->n_texts; i++) {
        size_t n = strlen(fit->texts[i]);

        if (n > MAX_TEXT)
            return RNN_FAIL(RNN_ERR_DATA,
                            "the name of class or token %zu has %zu bytes, expected "
                            "at most %d: '%.40s...'",
                            i, n, MAX_TEXT, fit->texts[i]);
        width = n > width ? n : width;
    }
    RNN_TRY(rnn_size_multiply(&size, fit->n_texts, width, "the names of tokens"));
    RNN_TRY(RNN_ALLOC(texts, size, "the names of tokens"));
    for (size_t i = 0; i < fit->n_texts; i++)
        memcpy(*texts + i * width, fit->texts[i], strlen(fit->texts[i]));
    *block = named_block(TEXTS);
    block->n_dims = 2;
    block->shape[0] = fit->n_texts;
    block->shape[1] = width;
    block->values = *texts;
    return RNN_OK;
}

rnn_status rnn_fit_to_blocks(const rnn_dataset_fit *fit, rnn_block blocks[RNN_FIT_MAX_BLOCKS],
                             size_t *n_blocks, char **texts)
{
    double *const numbers[] = {NULL, fit->mean, fit->std, fit->target_mean, fit->target_std};

    *n_blocks = 0;
    *texts = NULL;
    if (fit->n_texts > 0)
        RNN_TRY(make_texts(fit, &blocks[(*n_blocks)++], texts));
    for (int i = MEAN; i < RNN_FIT_MAX_BLOCKS; i++) {
        rnn_block *block = &blocks[*n_blocks];

        if (numbers[i] == NULL)
            continue;
        *block = named_block(i);
        block->n_dims = 1;
        block->shape[0] = i < TARGET_MEAN ? fit->n_features : fit->n_target_values;
        block->values = numbers[i];
        ++*n_blocks;
    }
    return RNN_OK;
}

/* -- Reading ----------------------------------------------------------------------------------- */

static rnn_status take_texts(rnn_dataset_fit *fit, const rnn_block *block)
{
    const char *rows = block->values;
    size_t width;

    if (rows == NULL)
        return RNN_OK;
    width = block->shape[1];
    RNN_TRY(RNN_ALLOC(&fit->texts, block->shape[0], "the names of tokens"));
    for (; fit->n_texts < block->shape[0]; fit->n_texts++) {
        const char *row = rows + fit->n_texts * width;
        char **text = &fit->texts[fit->n_texts];

        RNN_TRY(RNN_ALLOC(text, width + 1, "the name of a token"));
        memcpy(*text, row, strnlen(row, width));
    }
    return RNN_OK;
}

/* Mean and deviation belong together: the same number of finite values, deviations above 0. */
static rnn_status take_numbers(const char *path, rnn_block *mean, rnn_block *std, double **to_mean,
                               double **to_std, size_t *n)
{
    const double *m = mean->values, *s = std->values;

    if (m == NULL && s == NULL)
        return RNN_OK;
    if (m == NULL || s == NULL || mean->n_dims != 1 || std->n_dims != 1 ||
        mean->shape[0] != std->shape[0])
        return RNN_FAIL(RNN_ERR_DATA, "%s: /%s and /%s do not belong together", path, mean->path,
                        std->path);
    for (size_t i = 0; i < mean->shape[0]; i++)
        if (!isfinite(m[i]) || !isfinite(s[i]) || s[i] <= 0.0)
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s: value %zu of /%s and /%s: expected finite numbers and a deviation "
                            "above 0, found %g and %g",
                            path, i, mean->path, std->path, m[i], s[i]);
    *n = mean->shape[0];
    *to_mean = mean->values;
    *to_std = std->values;
    mean->values = std->values = NULL;
    return RNN_OK;
}

rnn_status rnn_fit_read(const char *path, rnn_dataset_fit *fit)
{
    rnn_block blocks[RNN_FIT_MAX_BLOCKS];
    rnn_status st;

    *fit = (rnn_dataset_fit){.texts = NULL};
    for (int i = 0; i < RNN_FIT_MAX_BLOCKS; i++)
        blocks[i] = named_block(i);
    RNN_TRY_GOTO(st, rnn_checkpoint_read_blocks(path, blocks, RNN_FIT_MAX_BLOCKS), done);
    RNN_TRY_GOTO(st, take_texts(fit, &blocks[TEXTS]), done);
    RNN_TRY_GOTO(
        st,
        take_numbers(path, &blocks[MEAN], &blocks[STD], &fit->mean, &fit->std, &fit->n_features),
        done);
    st = take_numbers(path, &blocks[TARGET_MEAN], &blocks[TARGET_STD], &fit->target_mean,
                      &fit->target_std, &fit->n_target_values);
done:
    for (int i = 0; i < RNN_FIT_MAX_BLOCKS; i++)
        rnn_free(blocks[i].values);
    return st;
}
