/*
 * Reads the reference numbers of tests/golden/NAME.h5, made with PyTorch by make_golden.py and
 * make_more_golden.py; RNNTRAIN_GOLDEN names another folder, say of another seed. A missing file or
 * name ends the test program: without its numbers a golden test means nothing.
 */
#ifndef RNN_TESTS_GOLDEN_H
#define RNN_TESTS_GOLDEN_H

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static inline hid_t golden_open(const char *name)
{
    const char *folder = getenv("RNNTRAIN_GOLDEN");
    char path[1024];
    hid_t file;

    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : RNN_TEST_DIR "/golden", name);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    return file;
}

static inline int golden_has(hid_t group, const char *name)
{
    return H5Lexists(group, name, H5P_DEFAULT) > 0;
}

/* Reads a dataset as the given memory type; *count gets its elements (may be NULL). Free it. */
static inline void *golden_read(hid_t group, const char *name, hid_t type, size_t *count)
{
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space;
    size_t n;
    void *values;

    if (set < 0) {
        fprintf(stderr, "no dataset %s\n", name);
        exit(1);
    }
    space = H5Dget_space(set);
    n = (size_t)H5Sget_simple_extent_npoints(space);
    values = calloc(n > 0 ? n : 1, H5Tget_size(type));
    if (values == NULL || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        fprintf(stderr, "cannot read %s\n", name);
        exit(1);
    }
    H5Sclose(space);
    H5Dclose(set);
    if (count != NULL)
        *count = n;
    return values;
}

static inline float *golden_floats(hid_t group, const char *name)
{
    return golden_read(group, name, H5T_NATIVE_FLOAT, NULL);
}

/* An integer attribute. */
static inline size_t golden_size(hid_t group, const char *name)
{
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT);
    long value = 0;

    if (attribute < 0 || H5Aread(attribute, H5T_NATIVE_LONG, &value) < 0) {
        fprintf(stderr, "no attribute %s\n", name);
        exit(1);
    }
    H5Aclose(attribute);
    return (size_t)value;
}

/* A text attribute, variable length as h5py writes it. Free it. */
static inline char *golden_text(hid_t group, const char *name)
{
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT), type;
    char *text = NULL;

    type = attribute < 0 ? -1 : H5Aget_type(attribute);
    if (type < 0 || H5Tis_variable_str(type) <= 0 || H5Aread(attribute, type, &text) < 0) {
        fprintf(stderr, "no text attribute %s\n", name);
        exit(1);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return text;
}

/* max |a - b|; NAN if any difference is. */
static inline double golden_worst(const float *a, const float *b, size_t count)
{
    double worst = 0.0;

    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);

        if (!(difference <= worst))
            worst = difference;
        if (isnan(difference))
            return difference;
    }
    return worst;
}

#endif
