#include "datasets/dataset.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/dataset_parts.h"
#include "datasets/files.h"
#include "datasets/reader.h"
#include "kernels/memory.h"

static const rnn_reader *const readers[] = {
    &rnn_images_reader, &rnn_series_reader, &rnn_strings_reader,
    &rnn_text_reader,   &rnn_table_reader,  &rnn_hdf5_reader,
    &rnn_npy_reader,    &rnn_adding_reader, &rnn_noise_reader,
};

/* In the order of `readers`. */
const char *const rnn_dataset_formats[] = {"idx",  "ts",  "strings", "text",  "csv",
                                           "hdf5", "npy", "adding",  "noise", NULL};

enum { N_FORMATS = sizeof readers / sizeof *readers };

_Static_assert(sizeof rnn_dataset_formats / sizeof *rnn_dataset_formats == N_FORMATS + 1,
               "every format has a name");

struct rnn_dataset {
    rnn_dataset_info info;
    const rnn_reader *reader;
    void *content;
    rnn_dataset_parts parts; /* which samples of the reader's splits are in which of ours */
    rnn_dataset_fit fit;
};

const char *rnn_split_name(rnn_split split)
{
    static const char *const names[] = {"train", "valid", "test"};

    return names[split];
}

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

/* -- Formats ------------------------------------------------------------------------------------*/

bool rnn_dataset_format_uses(size_t format, const char *key)
{
    static const char *const common[] = {"format", "name", "shuffle", NULL};
    const char *const *lists[] = {common, readers[format]->keys};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t k = 0; lists[i][k] != NULL; k++)
            if (strcmp(lists[i][k], key) == 0)
                return true;
    return false;
}

static rnn_status find_reader(const rnn_reader **out, const char *format)
{
    char known[128] = "";

    for (size_t i = 0; i < N_FORMATS; i++) {
        size_t used = strlen(known);

        snprintf(known + used, sizeof known - used, "%s'%s'", i > 0 ? " or " : "",
                 readers[i]->name);
        *out = readers[i];
        if (strcmp(readers[i]->name, format) == 0)
            return RNN_OK;
    }
    return RNN_FAIL(RNN_ERR_DATA, "dataset format '%s' is not known, expected %s", format, known);
}

/* -- Files --------------------------------------------------------------------------------------*/

rnn_status rnn_reader_check_format(const rnn_reader *reader, const char *path)
{
    unsigned char bytes[1024];
    FILE *file;
    size_t n;
    int fd;

    if (reader->recognizes == NULL)
        return RNN_OK;
    RNN_TRY(rnn_files_open(&fd, path));
    file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of '%s'", path);
    }
    n = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file); /* read only */
    for (size_t i = 0; i < N_FORMATS && !reader->recognizes(bytes, n, path); i++)
        if (readers[i]->recognizes != NULL && readers[i]->recognizes(bytes, n, path))
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s: expected the format '%s', found a file of format '%s'", path,
                            reader->name, readers[i]->name);
    if (n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected the format '%s', found a file compressed by gzip: unpack it "
                        "first",
                        path, reader->name);
    return RNN_OK;
}

rnn_status rnn_reader_find_files(const rnn_reader *reader, const rnn_dataset_cfg *cfg,
                                 char **folder, char *paths[RNN_N_SPLITS])
{
    rnn_files files = {.search = cfg->search, .n_search = cfg->n_search};
    size_t i = 0;

    *folder = NULL;
    memset(paths, 0, RNN_N_SPLITS * sizeof *paths);
    for (int split = 0; split < RNN_N_SPLITS; split++)
        if (cfg->file[split][0] != '\0')
            files.names[files.n_names++] = cfg->file[split];
    RNN_TRY(rnn_files_find(folder, &files));
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        if (cfg->file[split][0] == '\0')
            continue;
        RNN_TRY(rnn_files_locate(&paths[split], &files, *folder, i++));
        RNN_TRY(rnn_reader_check_format(reader, paths[split]));
    }
    return RNN_OK;
}

/* -- Opening ------------------------------------------------------------------------------------*/

/* The longest and the shortest sample of all splits. */
static void measure(rnn_dataset *dataset)
{
    rnn_dataset_info *info = &dataset->info;
    bool is_measured = false;

    for (int split = 0; split < RNN_N_SPLITS; split++) {
        const uint32_t *length = dataset->parts.length[split];

        for (size_t i = 0; length != NULL && i < info->n_samples[split]; i++) {
            if (length[i] > info->seq_len)
                info->seq_len = length[i];
            if (!is_measured || length[i] < info->min_len)
                info->min_len = length[i];
            is_measured = true;
        }
    }
    if (!is_measured)
        info->min_len = info->seq_len;
    info->is_ragged = info->min_len < info->seq_len;
}

static rnn_status copy_texts(rnn_dataset *dataset)
{
    const rnn_reader *reader = dataset->reader;
    const rnn_dataset_info *info = &dataset->info;
    size_t n = info->n_tokens > info->n_classes ? info->n_tokens : info->n_classes;
    rnn_dataset_fit *fit = &dataset->fit;

    if (reader->token_text == NULL || n == 0 || reader->token_text(dataset->content, 0) == NULL)
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&fit->texts, n, "the names of tokens"));
    for (fit->n_texts = 0; fit->n_texts < n; fit->n_texts++)
        RNN_TRY(rnn_string_copy(&fit->texts[fit->n_texts],
                                reader->token_text(dataset->content, fit->n_texts)));
    return RNN_OK;
}

/* Where the data has no targets, they are of the kind that the model answers. */
static void assume_targets(rnn_dataset_info *info, const rnn_dataset_answer *answer)
{
    bool has_values;

    if (info->has_targets || answer == NULL)
        return;
    has_values = !rnn_target_is_label(answer->kind);
    info->target = answer->kind;
    info->n_target_values = has_values ? answer->n_values : 0;
    info->n_classes = has_values ? 0 : answer->n_values;
}

/* What the reader has found, and what is made of it here. */
static rnn_status open_content(rnn_dataset *dataset, const rnn_dataset_cfg *cfg)
{
    rnn_dataset_info *info = &dataset->info;
    const rnn_reader *reader = dataset->reader;
    rnn_samples samples = {.reader = reader, .info = info};

    info->has_targets = true;
    info->target_scale = 1.0;
    RNN_TRY(reader->open(&dataset->content, info, cfg));
    info->is_expected = cfg->name[0] == '\0' || strcmp(cfg->name, info->name) == 0;
    if (info->n_samples[RNN_SPLIT_TRAIN] == 0 && cfg->fit == NULL)
        return RNN_FAIL(RNN_ERR_DATA, "expected samples for training, found none");
    samples.content = dataset->content;
    assume_targets(info, cfg->answer);
    RNN_TRY(rnn_dataset_divide(&dataset->parts, &samples, cfg));
    measure(dataset);
    RNN_TRY(copy_texts(dataset));
    return rnn_dataset_standardize(&dataset->fit, dataset, cfg);
}

/* Names that were left out are "". */
static rnn_dataset_cfg without_nulls(const rnn_dataset_cfg *cfg)
{
    rnn_dataset_cfg clean = *cfg;
    const char **texts[] = {&clean.name, &clean.alphabet, &clean.x, &clean.y, &clean.lengths};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] == NULL)
            *texts[i] = "";
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        if (clean.file[split] == NULL)
            clean.file[split] = "";
        if (clean.target_file[split] == NULL)
            clean.target_file[split] = "";
    }
    return clean;
}

rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg)
{
    const rnn_dataset_cfg clean = without_nulls(cfg);
    rnn_dataset *dataset = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&dataset, 1, "a dataset"));
    RNN_TRY_GOTO(st, find_reader(&dataset->reader, cfg->format), done);
    RNN_TRY_GOTO(st, open_content(dataset, &clean), done);
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
    rnn_dataset_parts_free(&(*dataset)->parts);
    rnn_dataset_fit_free(&(*dataset)->fit);
    rnn_free(*dataset);
    *dataset = NULL;
}

void rnn_dataset_fit_free(rnn_dataset_fit *fit)
{
    for (size_t i = 0; fit->texts != NULL && i < fit->n_texts; i++)
        rnn_free(fit->texts[i]);
    rnn_free(fit->texts);
    rnn_free(fit->mean);
    rnn_free(fit->std);
    rnn_free(fit->target_mean);
    rnn_free(fit->target_std);
    *fit = (rnn_dataset_fit){.texts = NULL};
}

/* -- Asking -------------------------------------------------------------------------------------*/

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset)
{
    return &dataset->info;
}

const rnn_dataset_fit *rnn_dataset_get_fit(const rnn_dataset *dataset)
{
    return &dataset->fit;
}

const uint32_t *rnn_dataset_lengths(const rnn_dataset *dataset, rnn_split split)
{
    return dataset->info.is_ragged ? dataset->parts.length[split] : NULL;
}

size_t rnn_dataset_length(const rnn_dataset *dataset, rnn_split split, size_t sample)
{
    const uint32_t *length = rnn_dataset_lengths(dataset, split);

    assert(sample < dataset->info.n_samples[split]);
    return length != NULL ? length[sample] : dataset->info.seq_len;
}

const char *rnn_dataset_token_text(const rnn_dataset *dataset, size_t token)
{
    return token < dataset->fit.n_texts ? dataset->fit.texts[token] : NULL;
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
    if (rnn_target_is_per_step(info->target)) {
        first = length;
        end = seq_len;
    }
    if (rnn_target_is_label(info->target))
        fill_steps(into->label, first, end, row, rows);
    else
        clear_steps(into->target, first, end, row, rows, info->n_target_values);
}

/* Nothing, as targets of the `length` steps of a row. */
static void write_no_target(const rnn_dataset_info *info, size_t length, size_t row, size_t rows,
                            const rnn_dataset_slice *into)
{
    bool per_step = rnn_target_is_per_step(info->target);
    size_t n = info->n_target_values;

    for (size_t t = 0; t < (per_step ? length : 1); t++) {
        if (rnn_target_is_label(info->target))
            into->label[t * rows + row] = -1;
        for (size_t i = 0; i < n; i++)
            into->target[(t * rows + row) * n + i] = NAN;
    }
}

bool rnn_dataset_is_in_memory(const rnn_dataset *dataset)
{
    return !dataset->reader->reads_late;
}

static rnn_status gather_row(const rnn_dataset *dataset, rnn_dataset_origin from, size_t length,
                             size_t row, size_t rows, const rnn_dataset_slice *into)
{
    RNN_TRY(dataset->reader->read_row(dataset->content, from.split, from.sample, row, rows, into));
    if (!dataset->info.has_targets)
        write_no_target(&dataset->info, length, row, rows, into);
    rnn_dataset_scale_row(&dataset->fit, &dataset->info, length, row, rows, into);
    return RNN_OK;
}

rnn_status rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                              size_t n_valid, size_t rows, size_t seq_len,
                              const rnn_dataset_slice *into)
{
    for (size_t row = 0; row < rows; row++) {
        size_t length = row < n_valid ? rnn_dataset_length(dataset, split, index[row]) : 0;

        assert(length <= seq_len);
        into->length[row] = (int32_t)length;
        if (row < n_valid)
            RNN_TRY(gather_row(dataset, rnn_dataset_parts_at(&dataset->parts, split, index[row]),
                               length, row, rows, into));
        pad_row(&dataset->info, length, seq_len, row, rows, into);
    }
    return RNN_OK;
}
