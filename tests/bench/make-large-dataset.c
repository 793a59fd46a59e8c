/*
 * Writes an HDF5 file of sequences that is larger than memory, but takes hardly any disk: only one
 * sample in a thousand is written, the others are holes in the file and read as zeros.
 *
 *     make-large-dataset FILE GIGABYTES [dense]
 *
 * "dense" writes all of it, and leaves none in the system's cache.
 */
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_STEPS = 100, N_FEATURES = 50, N_CLASSES = 10, BLOCK = 100, STRIDE = 1000 };

typedef float sample[N_STEPS][N_FEATURES];

/* A wave whose frequency is the class, and some noise. */
static void fill_sample(sample out, size_t i)
{
    uint32_t noise = (uint32_t)i * 2654435761U + 1;
    double pitch = 0.05 * (double)(1 + i % N_CLASSES);

    for (size_t t = 0; t < N_STEPS; t++)
        for (size_t f = 0; f < N_FEATURES; f++) {
            noise = noise * 1664525U + 1013904223U;
            out[t][f] = (float)(sin(pitch * (double)(t + f)) + (noise >> 8) * 0x1p-24);
        }
}

static void check(int is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "make-large-dataset: cannot %s\n", what);
        exit(74);
    }
}

/* Writes samples first .. first + count - 1 of x. */
static void write_samples(hid_t x, sample *block, size_t first, size_t count)
{
    const hsize_t start[] = {first, 0, 0}, size[] = {count, N_STEPS, N_FEATURES};
    hid_t file = H5Dget_space(x), memory = H5Screate_simple(3, size, NULL);

    for (size_t i = 0; i < count; i++)
        fill_sample(block[i], first + i);
    H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, size, NULL);
    check(H5Dwrite(x, H5T_NATIVE_FLOAT, memory, file, H5P_DEFAULT, block) >= 0, "write x");
    H5Sclose(memory);
    H5Sclose(file);
}

static void write_x(hid_t file, size_t n, int is_dense)
{
    const hsize_t dims[] = {n, N_STEPS, N_FEATURES};
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, dims, NULL), x;
    size_t count = is_dense ? BLOCK : 1, stride = is_dense ? BLOCK : STRIDE;
    sample *block = malloc(BLOCK * sizeof *block);

    check(block != NULL, "allocate a block");
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
    x = H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    check(x >= 0, "create x");
    for (size_t first = 0; first < n; first += stride)
        write_samples(x, block, first, n - first < count ? n - first : count);
    free(block);
    H5Dclose(x);
    H5Sclose(space);
    H5Pclose(list);
}

static void write_y(hid_t file, size_t n)
{
    const hsize_t dims[] = {n};
    hid_t space = H5Screate_simple(1, dims, NULL), y;
    int *label = malloc(n * sizeof *label);

    check(label != NULL, "allocate the labels");
    for (size_t i = 0; i < n; i++)
        label[i] = (int)(i % N_CLASSES);
    y = H5Dcreate2(file, "y", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Dwrite(y, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, label) >= 0, "write y");
    free(label);
    H5Dclose(y);
    H5Sclose(space);
}

static void drop_from_cache(const char *path)
{
    int fd = open(path, O_RDONLY);

    check(fd >= 0 && fdatasync(fd) == 0, "write it to the disk");
    check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "drop it from the cache");
    close(fd);
}

int main(int argc, char **argv)
{
    int is_dense = argc == 4 && strcmp(argv[3], "dense") == 0;
    double gigabytes = argc >= 3 ? atof(argv[2]) : 0;
    size_t n = (size_t)(gigabytes * 1e9 / sizeof(sample));
    hid_t file;

    if (n == 0 || argc > 4 || (argc == 4 && !is_dense)) {
        fprintf(stderr, "usage: make-large-dataset FILE GIGABYTES [dense]\n");
        return 64;
    }
    file = H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    check(file >= 0, "create the file");
    write_x(file, n, is_dense);
    write_y(file, n);
    check(H5Fclose(file) >= 0, "close the file");
    if (is_dense)
        drop_from_cache(argv[1]);
    printf("%zu samples\n", n);
    return 0;
}
