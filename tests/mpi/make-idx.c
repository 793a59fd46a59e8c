/*
 * make-idx FOLDER TRAIN TEST ROWS COLS CLASSES: a small dataset in MNIST's format and under its
 * file names. An image is noise with one brighter band of rows, and its label is the band's number.
 * Equal arguments make equal files.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { IMAGES = 0x00000803, LABELS = 0x00000801 };
enum { NOISE = 160, BRIGHTER = 60 };

typedef struct split {
    const char *name;
    uint32_t n_images, seed;
} split;

typedef struct shape {
    uint32_t rows, cols, n_classes;
} shape;

/* The finalizer of a well-known 32-bit hash: noise as a function of its place. */
static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6B;
    x = (x ^ x >> 13) * 0xC2B2AE35;
    return x ^ x >> 16;
}

static uint32_t label_of(const split *s, const shape *size, uint32_t image)
{
    return mix(s->seed + image) % size->n_classes;
}

static int pixel_of(const split *s, const shape *size, uint32_t image, uint32_t row, uint32_t col)
{
    uint32_t place = (image * size->rows + row) * size->cols + col;
    uint32_t band = row * size->n_classes / size->rows;
    int noise = (int)(mix(mix(s->seed) + place) % NOISE);

    return band == label_of(s, size, image) ? noise + BRIGHTER : noise;
}

static void put_word(FILE *file, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        putc((int)(word >> shift & 0xFF), file);
}

static void put_images(FILE *file, const split *s, const shape *size)
{
    put_word(file, IMAGES);
    put_word(file, s->n_images);
    put_word(file, size->rows);
    put_word(file, size->cols);
    for (uint32_t i = 0; i < s->n_images; i++)
        for (uint32_t row = 0; row < size->rows; row++)
            for (uint32_t col = 0; col < size->cols; col++)
                putc(pixel_of(s, size, i, row, col), file);
}

static void put_labels(FILE *file, const split *s, const shape *size)
{
    put_word(file, LABELS);
    put_word(file, s->n_images);
    for (uint32_t i = 0; i < s->n_images; i++)
        putc((int)label_of(s, size, i), file);
}

static int write_file(const char *folder, const char *kind, const split *s, const shape *size,
                      void (*put)(FILE *, const split *, const shape *))
{
    char path[4096];
    FILE *file;
    int failed;

    snprintf(path, sizeof path, "%s/%s-%s", folder, s->name, kind);
    file = fopen(path, "wb");
    if (file != NULL)
        put(file, s, size);
    failed = file == NULL || ferror(file) != 0;
    if (file != NULL)
        failed |= fclose(file) != 0;
    if (failed)
        perror(path);
    return failed;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: make-idx FOLDER TRAIN TEST ROWS COLS CLASSES\n");
        return EXIT_FAILURE;
    }

    const split splits[] = {{"train", number(argv[2]), 1}, {"t10k", number(argv[3]), 2}};
    const shape size = {number(argv[4]), number(argv[5]), number(argv[6])};
    int failed = 0;

    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        failed |= write_file(argv[1], "images-idx3-ubyte", &splits[i], &size, put_images);
        failed |= write_file(argv[1], "labels-idx1-ubyte", &splits[i], &size, put_labels);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
