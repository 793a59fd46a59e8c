/*
 * Images and labels in IDX files as a dataset: the lines of an image are the steps of a sequence.
 */
#include <string.h>

#include "datasets/files.h"
#include "datasets/idx.h"
#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { N_SPLITS = 2, N_FILES = 2 * N_SPLITS, N_PIXEL_VALUES = 256 };

typedef struct images {
    char *folder;
    rnn_idx images[N_SPLITS], labels[N_SPLITS];
    size_t seq_len, n_features;
    size_t step_stride, feature_stride; /* in pixels of an image */
    float value[N_PIXEL_VALUES];        /* of a pixel */
} images;

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

/* -- Reading ------------------------------------------------------------------------------------*/

static rnn_status read_file(rnn_idx *out, const images *content, const rnn_files *files, size_t i)
{
    char *path;
    rnn_status st;

    RNN_TRY(rnn_files_locate(&path, files, content->folder, i));
    st = rnn_idx_read(out, path, i % 2 == 0 ? RNN_IDX_IMAGES : RNN_IDX_LABELS);
    rnn_free(path);
    return st;
}

static rnn_status read_all(images *content, const rnn_dataset_cfg *cfg)
{
    const rnn_files files = {.search = cfg->search,
                             .n_search = cfg->n_search,
                             .names = {cfg->images[RNN_SPLIT_TRAIN], cfg->labels[RNN_SPLIT_TRAIN],
                                       cfg->images[RNN_SPLIT_TEST], cfg->labels[RNN_SPLIT_TEST]},
                             .n_names = N_FILES,
                             .may_be_gzip = true};

    RNN_TRY(rnn_files_find(&content->folder, &files));
    for (size_t i = 0; i < N_FILES; i++)
        RNN_TRY(read_file(i % 2 == 0 ? &content->images[i / 2] : &content->labels[i / 2], content,
                          &files, i));
    return RNN_OK;
}

static rnn_status check_split(const images *content, rnn_dataset_info *info,
                              const rnn_dataset_cfg *cfg, rnn_split split)
{
    const rnn_idx *labels = &content->labels[split];

    if (content->images[split].count != labels->count)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset folder '%s': %s has %zu images, but %s has %zu labels",
                        content->folder, cfg->images[split], content->images[split].count,
                        cfg->labels[split], labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        size_t label = labels->values[i];

        if (label >= cfg->n_classes)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset folder '%s': %s: label %zu is %zu, expected less than %zu",
                            content->folder, cfg->labels[split], i, label, cfg->n_classes);
        if (label >= info->n_classes)
            info->n_classes = label + 1;
    }
    return RNN_OK;
}

static rnn_status check_splits(const images *content, rnn_dataset_info *info,
                               const rnn_dataset_cfg *cfg)
{
    const rnn_idx *train = &content->images[RNN_SPLIT_TRAIN];
    const rnn_idx *test = &content->images[RNN_SPLIT_TEST];

    RNN_TRY(check_split(content, info, cfg, RNN_SPLIT_TRAIN));
    RNN_TRY(check_split(content, info, cfg, RNN_SPLIT_TEST));
    if (train->rows != test->rows || train->cols != test->cols)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset folder '%s': training images are %zux%zu, but test images %zux%zu",
                        content->folder, train->rows, train->cols, test->rows, test->cols);
    return RNN_OK;
}

/* -- What it is ---------------------------------------------------------------------------------*/

static const char *recognise(uint64_t digest)
{
    for (size_t i = 0; i < sizeof known_datasets / sizeof *known_datasets; i++)
        if (known_datasets[i].digest == digest)
            return known_datasets[i].name;
    return "unknown";
}

static void set_sequence(images *content, rnn_sequence sequence)
{
    size_t rows = content->images[RNN_SPLIT_TRAIN].rows;
    size_t cols = content->images[RNN_SPLIT_TRAIN].cols;
    bool by_rows = sequence == RNN_SEQUENCE_ROWS;

    content->seq_len = by_rows ? rows : cols;
    content->n_features = by_rows ? cols : rows;
    content->step_stride = by_rows ? cols : 1;
    content->feature_stride = by_rows ? 1 : cols;
}

static void fill_info(rnn_dataset_info *info, const images *content, const rnn_dataset_cfg *cfg)
{
    uint64_t digests[N_FILES];

    for (int split = RNN_SPLIT_TRAIN; split <= RNN_SPLIT_TEST; split++) {
        const rnn_idx *image = &content->images[split], *label = &content->labels[split];

        info->n_samples[split] = rnn_reader_limit(cfg, (rnn_split)split, image->count);
        info->bytes_in_memory += (double)(image->n_bytes + label->n_bytes);
        digests[2 * split] = image->digest;
        digests[2 * split + 1] = label->digest;
    }
    info->folder = content->folder;
    info->name = recognise(content->labels[RNN_SPLIT_TRAIN].digest);
    info->digest = rnn_digest(digests, sizeof digests);
    info->seq_len = content->seq_len;
    info->n_features = content->n_features;
    info->target = RNN_TARGET_LABEL;
}

static void destroy(void *handle)
{
    images *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < N_SPLITS; split++) {
        rnn_idx_release(&content->images[split]);
        rnn_idx_release(&content->labels[split]);
    }
    rnn_free(content->folder);
    rnn_free(content);
}

static rnn_status open_images(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    images *content = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY_GOTO(st, rnn_reader_check_scale(cfg), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&content, 1, "a dataset"), done);
    RNN_TRY_GOTO(st, read_all(content, cfg), done);
    RNN_TRY_GOTO(st, check_splits(content, info, cfg), done);
    set_sequence(content, cfg->sequence);
    fill_info(info, content, cfg);
    for (size_t v = 0; v < N_PIXEL_VALUES; v++)
        content->value[v] = (float)(((double)v / 255 - cfg->mean) / cfg->std);
    *out = content;
    content = NULL;
done:
    destroy(content);
    return st;
}

/* -- Assembling ---------------------------------------------------------------------------------*/

static void write_row(const void *handle, rnn_split split, size_t sample, size_t row, size_t rows,
                      const rnn_dataset_slice *into)
{
    const images *content = handle;
    size_t n_features = content->n_features, feature_stride = content->feature_stride;
    size_t image_size = content->seq_len * n_features;
    const uint8_t *image = content->images[split].values + sample * image_size;

    into->label[row] = content->labels[split].values[sample];
    for (size_t t = 0; t < content->seq_len; t++) {
        const uint8_t *pixel = image + t * content->step_stride;
        float *step = into->x + (t * rows + row) * n_features;

        for (size_t f = 0; f < n_features; f++)
            step[f] = content->value[pixel[f * feature_stride]];
    }
}

const rnn_reader rnn_images_reader = {
    .open = open_images, .destroy = destroy, .write_row = write_row};
