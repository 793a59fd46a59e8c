/*
 * IDX files for tests: whole ones, written into a folder of their own, plain or gzip. Helpers fail
 * the running test when something cannot be written.
 */
#ifndef RNN_TESTS_UNIT_IDX_FILES_H
#define RNN_TESTS_UNIT_IDX_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "datasets/dataset.h"

enum { IDX_IMAGES = 0x00000803, IDX_LABELS = 0x00000801, IDX_CLASSES = 10 };

/* The bytes of a file; idx_free them. */
typedef struct idx_file {
    uint8_t *bytes;
    size_t n_bytes;
} idx_file;

/* Value i of every file: neighbouring images, rows and columns all differ. */
static inline uint8_t idx_pixel(size_t i)
{
    return (uint8_t)(i * 37 % 251);
}

static inline uint8_t idx_label(size_t i)
{
    return (uint8_t)(i * 7 % IDX_CLASSES);
}

/* A header of `magic` and its dimensions (by the last byte of magic), then n_values values. */
static inline idx_file idx_make(uint32_t magic, const uint32_t *dimensions, size_t n_values)
{
    size_t n_words = 1 + (magic & 0xFF), n_header = 4 * n_words;
    idx_file file = {test_malloc(n_header + n_values), n_header + n_values};

    for (size_t i = 0; i < n_words; i++) {
        uint32_t word = i == 0 ? magic : dimensions[i - 1];

        for (size_t b = 0; b < 4; b++)
            file.bytes[4 * i + b] = (uint8_t)(word >> (24 - 8 * b));
    }
    for (size_t i = 0; i < n_values; i++)
        file.bytes[n_header + i] = magic == IDX_LABELS ? idx_label(i) : idx_pixel(i);
    return file;
}

static inline idx_file idx_make_images(uint32_t count, uint32_t rows, uint32_t cols)
{
    return idx_make(IDX_IMAGES, (uint32_t[]){count, rows, cols}, (size_t)count * rows * cols);
}

static inline idx_file idx_make_labels(uint32_t count)
{
    return idx_make(IDX_LABELS, &count, count);
}

static inline void idx_free(idx_file *file)
{
    test_free(file->bytes);
    *file = (idx_file){0};
}

/* folder/name in a buffer that the next call but three uses again. */
static inline const char *idx_path(const char *folder, const char *name)
{
    static char paths[4][512];
    static size_t turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Writes bytes as they are, or as one gzip stream. */
static inline void idx_write(const char *path, const uint8_t *bytes, size_t n_bytes, bool gzip)
{
    gzFile file = gzopen(path, gzip ? "wb" : "wbT");

    assert_non_null(file);
    assert_int_equal(n_bytes > 0 ? gzwrite(file, bytes, (unsigned)n_bytes) : 0, (int)n_bytes);
    assert_int_equal(gzclose(file), Z_OK);
}

/* The bytes of a file as it is on the disk. */
static inline idx_file idx_load(const char *path)
{
    FILE *stream = fopen(path, "rb");
    idx_file file = {0};

    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    file.n_bytes = (size_t)ftell(stream);
    file.bytes = test_malloc(file.n_bytes + 1);
    rewind(stream);
    assert_int_equal(fread(file.bytes, 1, file.n_bytes, stream), file.n_bytes);
    fclose(stream);
    return file;
}

/* The four files of a dataset: training files plain, test files with gzip. */
static inline void idx_write_dataset(const char *folder, uint32_t n_train, uint32_t n_test,
                                     uint32_t rows, uint32_t cols)
{
    static const char *const names[2][2] = {{"train-images", "train-labels"},
                                            {"test-images.gz", "test-labels.gz"}};
    uint32_t counts[2] = {n_train, n_test};

    for (size_t split = 0; split < 2; split++) {
        idx_file images = idx_make_images(counts[split], rows, cols);
        idx_file labels = idx_make_labels(counts[split]);

        idx_write(idx_path(folder, names[split][0]), images.bytes, images.n_bytes, split == 1);
        idx_write(idx_path(folder, names[split][1]), labels.bytes, labels.n_bytes, split == 1);
        idx_free(&images);
        idx_free(&labels);
    }
}

/* The settings that fit idx_write_dataset. `search` is borrowed. */
static inline rnn_dataset_cfg idx_dataset_cfg(const char *const *search, size_t n_search)
{
    return (rnn_dataset_cfg){
        .format = "idx",
        .name = "",
        .search = search,
        .n_search = n_search,
        .file = {"train-images", "", "test-images"},
        .target_file = {"train-labels", "", "test-labels"},
        .sequence = RNN_SEQUENCE_ROWS,
        .mean = 0,
        .std = 1,
        .n_classes = IDX_CLASSES,
    };
}

/* A new folder of our own. */
static inline void idx_folder_create(char folder[64])
{
    snprintf(folder, 64, "/tmp/rnntrain-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static inline int idx_remove_entry(const char *path, const struct stat *info, int type,
                                   struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void idx_folder_remove(const char *folder)
{
    nftw(folder, idx_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
