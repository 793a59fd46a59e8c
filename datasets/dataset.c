#include "datasets/dataset.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/idx.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { N_SPLITS = 2, N_FILES = 2 * N_SPLITS, N_PIXEL_VALUES = 256 };

struct rnn_dataset {
    rnn_dataset_info info;
    char *folder;
    rnn_idx images[N_SPLITS], labels[N_SPLITS];
    size_t step_stride, feature_stride; /* in pixels of an image */
    float value[N_PIXEL_VALUES];        /* of a pixel */
};

/*
 * Digests of the decompressed training labels:
 *     zcat train-labels-idx1-ubyte.gz | xxhsum -H3
 */
static const struct {
    uint64_t digest;
    const char *name;
} known_datasets[] = {
    {0x8839fd1c4bb36825, "MNIST"},
    {0x775518db990ebf87, "Fashion-MNIST"},
};

/* -- Text of bounded size -----------------------------------------------------------------------*/

typedef struct text {
    char bytes[PATH_MAX];
    size_t length;
    bool is_full; /* something did not fit */
} text;

static void append(text *into, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

static void append(text *into, const char *format, ...)
{
    size_t space = sizeof into->bytes - into->length;
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(into->bytes + into->length, space, format, args);
    va_end(args);
    into->is_full = into->is_full || wanted < 0 || (size_t)wanted >= space;
    into->length = strlen(into->bytes);
}

/* -- Finding the folder -------------------------------------------------------------------------*/

/* Appends the value of the variable NAME that `name` begins with; returns what follows NAME. */
static const char *append_variable(text *into, const char *name, text *unset)
{
    size_t length = 0;
    char *value;
    text variable = {0};

    while (isalnum((unsigned char)name[length]) || name[length] == '_')
        length++;
    append(&variable, "%.*s", (int)length, name);
    value = getenv(variable.bytes);
    if (value != NULL && value[0] != '\0')
        append(into, "%s", value);
    else
        *unset = variable;
    return name + length;
}

/* Expands "~" and "$NAME". `unset` gets the name of a variable that has no value, else "". */
static text expand(const char *pattern, text *unset)
{
    text folder = {0};

    *unset = (text){0};
    if (pattern[0] == '~' && (pattern[1] == '/' || pattern[1] == '\0')) {
        append_variable(&folder, "HOME", unset);
        pattern++;
    }
    while (*pattern != '\0') {
        if (pattern[0] == '$' && (isalpha((unsigned char)pattern[1]) || pattern[1] == '_'))
            pattern = append_variable(&folder, pattern + 1, unset);
        else
            append(&folder, "%c", *pattern++);
    }
    return folder;
}

/* Finds folder/name or folder/name.gz. */
static bool find_file(text *path, const char *folder, const char *name)
{
    static const char *const suffixes[] = {"", ".gz"};
    struct stat info;

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        *path = (text){0};
        append(path, "%s/%s%s", folder, name, suffixes[i]);
        if (!path->is_full && stat(path->bytes, &info) == 0)
            return true;
    }
    return false;
}

/* Whether `folder` holds all files; some but not all is an error. */
static rnn_status has_files(bool *all, const char *folder, const rnn_dataset_cfg *cfg)
{
    const char *names[N_FILES] = {cfg->images[RNN_SPLIT_TRAIN], cfg->labels[RNN_SPLIT_TRAIN],
                                  cfg->images[RNN_SPLIT_TEST], cfg->labels[RNN_SPLIT_TEST]};
    text missing = {0}, path;
    size_t n_found = 0;

    for (size_t i = 0; i < N_FILES; i++) {
        if (find_file(&path, folder, names[i]))
            n_found++;
        else
            append(&missing, " %s", names[i]);
    }
    *all = n_found == N_FILES;
    if (n_found > 0 && !*all)
        return RNN_FAIL(RNN_ERR_NOINPUT,
                        "dataset folder '%s' is incomplete: found %zu of %d files, "
                        "missing (with or without .gz):%s",
                        folder, n_found, N_FILES, missing.bytes);
    return RNN_OK;
}

/* Expands the first folder of the search path that has the files into dataset->folder. */
static rnn_status find_folder(rnn_dataset *dataset, const rnn_dataset_cfg *cfg)
{
    text tried = {0}, folder, unset;
    bool found;

    for (size_t i = 0; i < cfg->n_search; i++) {
        folder = expand(cfg->search[i], &unset);
        if (unset.length > 0) {
            append(&tried, "; '%s' ($%s is not set)", cfg->search[i], unset.bytes);
            continue;
        }
        RNN_TRY(has_files(&found, folder.bytes, cfg));
        if (found)
            return rnn_string_copy(&dataset->folder, folder.bytes);
        append(&tried, "; '%s'", folder.bytes);
    }
    return RNN_FAIL(RNN_ERR_NOINPUT,
                    "no folder has the dataset's files (%s ..., with or without .gz); "
                    "looked in: %s",
                    cfg->images[RNN_SPLIT_TRAIN],
                    tried.length > 0 ? tried.bytes + 2 : "no folder at all");
}

/* -- Reading ------------------------------------------------------------------------------------*/

static rnn_status read_file(rnn_idx *out, const rnn_dataset *dataset, const char *name,
                            rnn_idx_kind kind)
{
    text path;

    if (!find_file(&path, dataset->folder, name))
        return RNN_FAIL(RNN_ERR_NOINPUT, "'%s' has vanished from '%s'", name, dataset->folder);
    return rnn_idx_read(out, path.bytes, kind);
}

static rnn_status read_split(rnn_dataset *dataset, const rnn_dataset_cfg *cfg, rnn_split split)
{
    rnn_idx *images = &dataset->images[split], *labels = &dataset->labels[split];
    rnn_dataset_info *info = &dataset->info;
    size_t limit = cfg->limit[split];

    RNN_TRY(read_file(images, dataset, cfg->images[split], RNN_IDX_IMAGES));
    RNN_TRY(read_file(labels, dataset, cfg->labels[split], RNN_IDX_LABELS));
    if (images->count != labels->count)
        return RNN_FAIL(
            RNN_ERR_DATA, "dataset folder '%s': %s has %zu images, but %s has %zu labels",
            dataset->folder, cfg->images[split], images->count, cfg->labels[split], labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        size_t label = labels->values[i];

        if (label >= cfg->n_classes)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset folder '%s': %s: label %zu is %zu, expected less than %zu",
                            dataset->folder, cfg->labels[split], i, label, cfg->n_classes);
        if (label >= info->n_classes)
            info->n_classes = label + 1;
    }
    info->n_samples[split] = limit > 0 && limit < images->count ? limit : images->count;
    info->bytes_in_memory += (double)(images->n_bytes + labels->n_bytes);
    return RNN_OK;
}

static const char *recognise(uint64_t digest)
{
    for (size_t i = 0; i < sizeof known_datasets / sizeof *known_datasets; i++)
        if (known_datasets[i].digest == digest)
            return known_datasets[i].name;
    return "unknown";
}

static rnn_status check_cfg(const rnn_dataset_cfg *cfg)
{
    if (strcmp(cfg->format, "idx") != 0)
        return RNN_FAIL(RNN_ERR_DATA, "dataset format '%s' is not known, expected 'idx'",
                        cfg->format);
    if (!isfinite(cfg->mean) || !isfinite(cfg->std) || cfg->std <= 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset mean %g and std %g: expected finite numbers and std > 0",
                        cfg->mean, cfg->std);
    return RNN_OK;
}

static rnn_status read_splits(rnn_dataset *dataset, const rnn_dataset_cfg *cfg)
{
    const rnn_idx *train = &dataset->images[RNN_SPLIT_TRAIN];
    const rnn_idx *test = &dataset->images[RNN_SPLIT_TEST];

    RNN_TRY(read_split(dataset, cfg, RNN_SPLIT_TRAIN));
    RNN_TRY(read_split(dataset, cfg, RNN_SPLIT_TEST));
    if (train->rows != test->rows || train->cols != test->cols)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset folder '%s': training images are %zux%zu, but test images %zux%zu",
                        dataset->folder, train->rows, train->cols, test->rows, test->cols);
    return RNN_OK;
}

static void fill_info(rnn_dataset *dataset, const char *expected_name)
{
    rnn_dataset_info *info = &dataset->info;
    const rnn_idx *images = dataset->images, *labels = dataset->labels;
    uint64_t digests[N_FILES] = {images[RNN_SPLIT_TRAIN].digest, labels[RNN_SPLIT_TRAIN].digest,
                                 images[RNN_SPLIT_TEST].digest, labels[RNN_SPLIT_TEST].digest};

    info->digest = rnn_digest(digests, sizeof digests);
    info->folder = dataset->folder;
    info->name = recognise(labels[RNN_SPLIT_TRAIN].digest);
    info->is_expected = expected_name[0] == '\0' || strcmp(expected_name, info->name) == 0;
}

static void set_sequence(rnn_dataset *dataset, rnn_sequence sequence)
{
    size_t rows = dataset->images[RNN_SPLIT_TRAIN].rows;
    size_t cols = dataset->images[RNN_SPLIT_TRAIN].cols;
    bool by_rows = sequence == RNN_SEQUENCE_ROWS;

    dataset->info.seq_len = by_rows ? rows : cols;
    dataset->info.n_features = by_rows ? cols : rows;
    dataset->step_stride = by_rows ? cols : 1;
    dataset->feature_stride = by_rows ? 1 : cols;
}

rnn_status rnn_dataset_open(rnn_dataset **out, const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY_GOTO(st, check_cfg(cfg), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&dataset, 1, "a dataset"), done);
    RNN_TRY_GOTO(st, find_folder(dataset, cfg), done);
    RNN_TRY_GOTO(st, read_splits(dataset, cfg), done);
    fill_info(dataset, cfg->name);
    set_sequence(dataset, cfg->sequence);
    for (size_t v = 0; v < N_PIXEL_VALUES; v++)
        dataset->value[v] = (float)(((double)v / 255 - cfg->mean) / cfg->std);
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
    for (size_t split = 0; split < N_SPLITS; split++) {
        rnn_idx_release(&(*dataset)->images[split]);
        rnn_idx_release(&(*dataset)->labels[split]);
    }
    rnn_free((*dataset)->folder);
    rnn_free(*dataset);
    *dataset = NULL;
}

const rnn_dataset_info *rnn_dataset_get_info(const rnn_dataset *dataset)
{
    return &dataset->info;
}

/* -- Assembling ---------------------------------------------------------------------------------*/

void rnn_dataset_gather(const rnn_dataset *dataset, rnn_split split, const uint64_t *index,
                        size_t n_valid, size_t rows, float *x, int32_t *label)
{
    const rnn_idx *images = &dataset->images[split];
    size_t seq_len = dataset->info.seq_len, n_features = dataset->info.n_features;
    size_t feature_stride = dataset->feature_stride;

    for (size_t row = 0; row < n_valid; row++) {
        const uint8_t *image = images->values + index[row] * images->rows * images->cols;

        assert(index[row] < dataset->info.n_samples[split]);
        label[row] = dataset->labels[split].values[index[row]];
        for (size_t t = 0; t < seq_len; t++) {
            const uint8_t *pixel = image + t * dataset->step_stride;
            float *step = x + (t * rows + row) * n_features;

            for (size_t f = 0; f < n_features; f++)
                step[f] = dataset->value[pixel[f * feature_stride]];
        }
    }
    for (size_t row = n_valid; row < rows; row++)
        label[row] = -1;
    for (size_t t = 0; t < seq_len; t++)
        memset(x + (t * rows + n_valid) * n_features, 0, (rows - n_valid) * n_features * sizeof *x);
}
