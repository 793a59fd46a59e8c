/*
 * Images and labels in IDX files as a dataset: the lines of an image are the steps of a sequence.
 */
#include <string.h>

#include "datasets/files.h"
#include "datasets/idx.h"
#include "datasets/reader.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { N_PIXEL_VALUES = 256 };

typedef struct images {
    char *folder;
    rnn_idx images[RNN_N_SPLITS], labels[RNN_N_SPLITS]; /* those without files are empty */
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

/* The splits in the order in which they enter the digest. */
static const rnn_split order[RNN_N_SPLITS] = {RNN_SPLIT_TRAIN, RNN_SPLIT_TEST, RNN_SPLIT_VALID};

static bool has_file(const rnn_dataset_cfg *cfg, rnn_split split)
{
    return cfg->file[split][0] != '\0';
}

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
    rnn_files files = {.search = cfg->search, .n_search = cfg->n_search, .may_be_gzip = true};
    size_t next = 0;

    for (size_t i = 0; i < RNN_N_SPLITS; i++)
        if (has_file(cfg, order[i])) {
            files.names[files.n_names++] = cfg->file[order[i]];
            files.names[files.n_names++] = cfg->target_file[order[i]];
        }
    RNN_TRY(rnn_files_find(&content->folder, &files));
    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        if (!has_file(cfg, order[i]))
            continue;
        RNN_TRY(read_file(&content->images[order[i]], content, &files, next++));
        RNN_TRY(read_file(&content->labels[order[i]], content, &files, next++));
    }
    return RNN_OK;
}

static rnn_status check_split(const images *content, rnn_dataset_info *info,
                              const rnn_dataset_cfg *cfg, rnn_split split)
{
    const rnn_idx *labels = &content->labels[split];

    if (content->images[split].count != labels->count)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset folder '%s': %s has %zu images, but %s has %zu labels",
                        content->folder, cfg->file[split], content->images[split].count,
                        cfg->target_file[split], labels->count);
    for (size_t i = 0; i < labels->count; i++) {
        size_t label = labels->values[i];

        if (label >= cfg->n_classes)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset folder '%s': %s: label %zu is %zu, expected less than %zu",
                            content->folder, cfg->target_file[split], i, label, cfg->n_classes);
        if (label >= info->n_classes)
            info->n_classes = label + 1;
    }
    return RNN_OK;
}

/* What the images of all splits are compared with. */
static const rnn_idx *first_images(const images *content, const rnn_dataset_cfg *cfg)
{
    size_t i = 0;

    while (i + 1 < RNN_N_SPLITS && !has_file(cfg, order[i]))
        i++;
    return &content->images[order[i]];
}

static rnn_status check_splits(const images *content, rnn_dataset_info *info,
                               const rnn_dataset_cfg *cfg)
{
    const rnn_idx *first = first_images(content, cfg);

    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        const rnn_idx *other = &content->images[order[i]];

        if (!has_file(cfg, order[i]))
            continue;
        RNN_TRY(check_split(content, info, cfg, order[i]));
        if (first->rows != other->rows || first->cols != other->cols)
            return RNN_FAIL(
                RNN_ERR_DATA,
                "dataset folder '%s': training images are %zux%zu, but %s images %zux%zu",
                content->folder, first->rows, first->cols, rnn_split_name(order[i]), other->rows,
                other->cols);
    }
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

static void set_sequence(images *content, rnn_sequence sequence, const rnn_idx *image)
{
    size_t rows = image->rows, cols = image->cols;

    if (sequence == RNN_SEQUENCE_PIXELS) {
        content->seq_len = rows * cols;
        content->n_features = content->step_stride = 1;
        return;
    }
    content->seq_len = sequence == RNN_SEQUENCE_ROWS ? rows : cols;
    content->n_features = sequence == RNN_SEQUENCE_ROWS ? cols : rows;
    content->step_stride = sequence == RNN_SEQUENCE_ROWS ? cols : 1;
    content->feature_stride = sequence == RNN_SEQUENCE_ROWS ? 1 : cols;
}

static void fill_info(rnn_dataset_info *info, const images *content, const rnn_dataset_cfg *cfg)
{
    uint64_t digests[2 * RNN_N_SPLITS];
    size_t n_digests = 0;

    for (size_t i = 0; i < RNN_N_SPLITS; i++) {
        const rnn_idx *image = &content->images[order[i]], *label = &content->labels[order[i]];

        if (!has_file(cfg, order[i]))
            continue;
        info->n_samples[order[i]] = rnn_reader_limit(cfg, order[i], image->count);
        info->bytes_in_memory += (double)(image->n_bytes + label->n_bytes);
        digests[n_digests++] = image->digest;
        digests[n_digests++] = label->digest;
    }
    info->folder = content->folder;
    info->name = recognise(content->labels[RNN_SPLIT_TRAIN].digest);
    info->digest = rnn_digest(digests, n_digests * sizeof *digests);
    info->seq_len = content->seq_len;
    info->n_features = content->n_features;
    info->target = RNN_TARGET_LABEL;
}

static void destroy(void *handle)
{
    images *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
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
    set_sequence(content, cfg->sequence, first_images(content, cfg));
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

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
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
    return RNN_OK;
}

static bool recognizes(const unsigned char *bytes, size_t n, const char *path)
{
    (void)path;
    return n >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 &&
           (bytes[3] == 1 || bytes[3] == 3);
}

static const char *const keys[] = {"search",        "train_images",  "train_labels", "test_images",
                                   "test_labels",   "sequence",      "mean",         "std",
                                   "standardize",   "validation",    "split",        "classes",
                                   "train_samples", "valid_samples", "test_samples", NULL};

const rnn_reader rnn_images_reader = {.name = "idx",
                                      .keys = keys,
                                      .recognizes = recognizes,
                                      .open = open_images,
                                      .destroy = destroy,
                                      .read_row = read_row};
