#include "tests/unit/hdf5_files.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "framework/hdf5_image.h"
#include "kernels/memory.h"
#include "tests/unit/temporary_folder.h"

enum { N = 6, T = 5, F = 3, N_VALUES = N * T * F, N_RAGGED = 13 };

static const char *const search[] = {"."};

#ifdef RNN_SANITIZED
/* libhdf5 forgets some memory where it finds damage. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}
#endif
static const int labels[N] = {2, 0, 1, 3, 0, 2};
static const int lengths[N] = {2, 5, 1, 4, 3, 5};
static const int flat_lengths[] = {4, 1, 6, 2}; /* together N_RAGGED */

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_dataset_cfg make_cfg(const char *train)
{
    return (rnn_dataset_cfg){.format = "hdf5",
                             .name = "",
                             .search = search,
                             .n_search = 1,
                             .file = {train, "", ""},
                             .std = 1,
                             .x = "x",
                             .y = "y",
                             .lengths = ""};
}

static rnn_dataset *open_cfg(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;

    if (rnn_dataset_open(&dataset, cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static rnn_dataset *open_file(const char *train)
{
    rnn_dataset_cfg cfg = make_cfg(train);

    return open_cfg(&cfg);
}

/* What feature f of step t of sample i is: whole numbers that fit 8 bits with a sign. */
static float value_at(size_t i, size_t t, size_t f)
{
    return (float)((i * T + t) * F + f);
}

static void fill_values(double *values, size_t count)
{
    for (size_t k = 0; k < count; k++)
        values[k] = (double)k;
}

/* x of N samples in this type and storage. */
static void write_x(hid_t file, hid_t type, const h5_storage *storage)
{
    double values[N_VALUES];

    fill_values(values, N_VALUES);
    h5_write(file, "x", type, 3, DIMS(N, T, F), storage, H5T_NATIVE_DOUBLE, values);
}

/* One sample of a split, alone: the caller's arrays are large enough. */
typedef struct one_sample {
    float x[64], target[64];
    int32_t label[16], length;
} one_sample;

static rnn_status read_one(one_sample *one, const rnn_dataset *dataset, rnn_split split, size_t i)
{
    const rnn_dataset_slice slice = {
        .x = one->x, .length = &one->length, .label = one->label, .target = one->target};
    uint64_t index = i;

    memset(one, 0x55, sizeof *one);
    return rnn_dataset_gather(dataset, split, &index, 1, 1, rnn_dataset_length(dataset, split, i),
                              &slice);
}

static one_sample sample_of(const rnn_dataset *dataset, rnn_split split, size_t i)
{
    one_sample one;

    if (read_one(&one, dataset, split, i) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return one;
}

static void assert_x(const rnn_dataset *dataset, rnn_split split, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        one_sample one = sample_of(dataset, split, i);

        for (size_t t = 0; t < (size_t)one.length; t++)
            for (size_t f = 0; f < F; f++)
                assert_true(one.x[t * F + f] == value_at(first + i, t, f));
    }
}

static void write_small(const char *path)
{
    hid_t file = h5_create(path);

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", labels, N);
    h5_close(file);
}

/* -- Inputs -------------------------------------------------------------------------------------*/

static void assert_type_is_read(hid_t type)
{
    hid_t file = h5_create("t.h5");
    rnn_dataset *dataset;

    write_x(file, type, NULL);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    dataset = open_file("t.h5");
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    rnn_dataset_destroy(&dataset);
}

static void inputs_of_every_type_are_read(void **state)
{
    const hid_t types[] = {H5T_STD_I8LE,      H5T_STD_U8LE,   H5T_STD_I16LE,  H5T_STD_I16BE,
                           H5T_STD_U16BE,     H5T_STD_I32LE,  H5T_STD_I32BE,  H5T_STD_U32BE,
                           H5T_STD_I64LE,     H5T_STD_I64BE,  H5T_STD_U64LE,  H5T_STD_U64BE,
                           H5T_IEEE_F32LE,    H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE,
                           H5T_NATIVE_LDOUBLE};
    hid_t half = h5_half();

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        assert_type_is_read(types[i]);
    assert_type_is_read(half);
    H5Tset_order(half, H5T_ORDER_BE);
    assert_type_is_read(half);
    H5Tclose(half);
}

/* Doubles round to the nearest float, whatever their byte order; half floats keep their digits. */
static void fractions_are_rounded_once(void **state)
{
    const double values[] = {0.1, -1.0 / 3.0, 1e-3, 16777217.0, 2.0000001192092896, 1e-40};
    const hid_t types[] = {H5T_IEEE_F64LE, H5T_IEEE_F64BE};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        hid_t file = h5_create("t.h5");
        rnn_dataset *dataset;
        one_sample one;

        h5_write(file, "x", types[k], 3, DIMS(1, 2, 3), NULL, H5T_NATIVE_DOUBLE, values);
        h5_ints(file, "y", labels, 1);
        h5_close(file);
        dataset = open_file("t.h5");
        one = sample_of(dataset, RNN_SPLIT_TRAIN, 0);
        for (size_t i = 0; i < 6; i++)
            assert_true(one.x[i] == (float)values[i]);
        rnn_dataset_destroy(&dataset);
    }
}

static void half_floats_keep_their_digits(void **state)
{
    /* 1.5, -0.0999755859375, 6.103515625e-05, 5.960464477539063e-08 (subnormal), 65504, 0 */
    const uint16_t bits[] = {0x3E00, 0xAE66, 0x0400, 0x0001, 0x7BFF, 0x0000};
    const double values[] = {1.5, -0.0999755859375, 0x1p-14, 0x1p-24, 65504, 0};
    hid_t half = h5_half(), file = h5_create("t.h5");
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    h5_write(file, "x", half, 3, DIMS(1, 2, 3), NULL, half, bits);
    h5_ints(file, "y", labels, 1);
    h5_close(file);
    H5Tclose(half);
    dataset = open_file("t.h5");
    one = sample_of(dataset, RNN_SPLIT_TRAIN, 0);
    for (size_t i = 0; i < 6; i++)
        assert_true((double)one.x[i] == values[i]);
    rnn_dataset_destroy(&dataset);
}

static void inputs_in_every_storage_are_read(void **state)
{
    static const h5_storage storages[] = {
        {{0}, 0, 0, 0},       {{1, T, F}, 0, 0, 0}, {{4, 2, 2}, 0, 0, 0}, {{1, T, F}, 6, 0, 0},
        {{4, 2, 2}, 9, 1, 0}, {{N, T, F}, 1, 1, 1}, {{2, 5, 1}, 0, 0, 1},
    };

    (void)state;
    for (size_t k = 0; k < sizeof storages / sizeof *storages; k++) {
        for (size_t limit = 0; limit <= 4; limit += 4) {
            rnn_dataset_cfg cfg = make_cfg("s.h5");
            hid_t file = h5_create("s.h5");
            rnn_dataset *dataset;

            cfg.limit[RNN_SPLIT_TRAIN] = limit;
            write_x(file, k % 2 == 0 ? H5T_IEEE_F32LE : H5T_IEEE_F64BE, &storages[k]);
            h5_ints(file, "y", labels, N);
            h5_close(file);
            dataset = open_cfg(&cfg);
            assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[0], limit > 0 ? limit : N);
            assert_x(dataset, RNN_SPLIT_TRAIN, 0, limit > 0 ? limit : N);
            rnn_dataset_destroy(&dataset);
        }
    }
}

static void inputs_in_the_header_are_read(void **state)
{
    hid_t file = h5_create("c.h5"), list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(3, DIMS(N, T, F), NULL), x;
    double values[N_VALUES];
    rnn_dataset *dataset;

    (void)state;
    fill_values(values, N_VALUES);
    H5Pset_layout(list, H5D_COMPACT);
    x = H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(H5Dwrite(x, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(x);
    H5Sclose(space);
    H5Pclose(list);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    dataset = open_file("c.h5");
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    rnn_dataset_destroy(&dataset);
}

static void info_describes_the_file(void **state)
{
    const rnn_dataset_info *info;
    rnn_dataset *dataset;

    (void)state;
    write_small("d.h5");
    dataset = open_file("d.h5");
    info = rnn_dataset_get_info(dataset);
    assert_string_equal(info->folder, ".");
    assert_string_equal(info->name, "unknown");
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], N);
    assert_int_equal(info->n_samples[RNN_SPLIT_VALID], 0);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 0);
    assert_int_equal(info->seq_len, T);
    assert_int_equal(info->min_len, T);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, F);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_LABEL);
    assert_true(info->has_targets);
    assert_int_equal(info->n_classes, 4);
    assert_int_equal(info->n_target_values, 0);
    assert_true(info->bytes_in_memory < 4096); /* the inputs are not in memory */
    rnn_dataset_destroy(&dataset);
}

static void two_dimensions_are_one_feature(void **state)
{
    hid_t file = h5_create("d.h5");
    double values[N * T];
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    fill_values(values, N * T);
    h5_write(file, "x", H5T_STD_U8LE, 2, DIMS(N, T), NULL, H5T_NATIVE_DOUBLE, values);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_features, 1);
    assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, T);
    one = sample_of(dataset, RNN_SPLIT_TRAIN, 4);
    for (size_t t = 0; t < T; t++)
        assert_true(one.x[t] == (float)(4 * T + t));
    assert_int_equal(one.label[0], labels[4]);
    rnn_dataset_destroy(&dataset);
}

static void inputs_are_scaled(void **state)
{
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_STD_U8LE};
    rnn_dataset_cfg cfg = make_cfg("d.h5");

    (void)state;
    cfg.mean = 7;
    cfg.std = 3;
    for (size_t k = 0; k < 2; k++) {
        hid_t file = h5_create("d.h5");
        rnn_dataset *dataset;
        one_sample one;

        write_x(file, types[k], NULL);
        h5_ints(file, "y", labels, N);
        h5_close(file);
        dataset = open_cfg(&cfg);
        one = sample_of(dataset, RNN_SPLIT_TRAIN, 2);
        for (size_t i = 0; i < T * F; i++)
            assert_true(one.x[i] == (float)(((double)(2 * T * F + i) - 7) / 3));
        rnn_dataset_destroy(&dataset);
    }
}

/* A slice of several rows with padding behind: every step is in its place. */
static void rows_of_a_slice_are_in_their_places(void **state)
{
    enum { ROWS = 3 };
    float x[T * ROWS * F];
    int32_t length[ROWS], label[ROWS];
    const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};
    const uint64_t index[] = {4, 1};
    rnn_dataset *dataset;

    (void)state;
    write_small("d.h5");
    dataset = open_file("d.h5");
    memset(x, 0x55, sizeof x);
    assert_int_equal(rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, index, 2, ROWS, T, &slice),
                     RNN_OK);
    for (size_t t = 0; t < T; t++)
        for (size_t row = 0; row < ROWS; row++)
            for (size_t f = 0; f < F; f++)
                assert_true(x[(t * ROWS + row) * F + f] ==
                            (row < 2 ? value_at((size_t)index[row], t, f) : 0));
    assert_int_equal(label[0], labels[4]);
    assert_int_equal(label[1], labels[1]);
    assert_int_equal(label[2], -1);
    rnn_dataset_destroy(&dataset);
}

/* -- Targets ------------------------------------------------------------------------------------*/

typedef struct target_case {
    bool is_integer;
    int n_dims;
    hsize_t dims[3];
    rnn_target_choice choice;
    rnn_target_kind kind;
    size_t n_values;
} target_case;

#define AUTO RNN_TARGET_CHOICE_AUTO
static const target_case target_cases[] = {
    {true, 1, {N}, AUTO, RNN_TARGET_LABEL, 0},
    {true, 1, {N}, RNN_TARGET_CHOICE_LABEL, RNN_TARGET_LABEL, 0},
    {true, 1, {N}, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, 1},
    {true, 2, {N, T}, AUTO, RNN_TARGET_STEP_LABEL, 0},
    {true, 2, {N, T}, RNN_TARGET_CHOICE_STEP_LABEL, RNN_TARGET_STEP_LABEL, 0},
    {true, 2, {N, T}, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, T},
    {true, 2, {N, T}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 1},
    {true, 2, {N, 4}, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, 4},
    {true, 3, {N, T, 2}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 2},
    {false, 1, {N}, AUTO, RNN_TARGET_VALUES, 1},
    {false, 2, {N, 4}, AUTO, RNN_TARGET_VALUES, 4},
    {false, 2, {N, T}, AUTO, RNN_TARGET_VALUES, T},
    {false, 2, {N, T}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 1},
    {false, 3, {N, T, 2}, AUTO, RNN_TARGET_STEP_VALUES, 2},
    {false, 3, {N, T, 1}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 1},
};

/* y is 0, 1, 2 ...; of sample 3 all, from the first on. */
static void assert_target(const rnn_dataset *dataset, const target_case *c)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    one_sample one = sample_of(dataset, RNN_SPLIT_TRAIN, 3);
    size_t row_size = 1, count = 0;

    for (int d = 1; d < c->n_dims; d++)
        row_size *= (size_t)c->dims[d];
    assert_int_equal(info->target, c->kind);
    assert_int_equal(info->n_target_values, c->n_values);
    assert_int_equal(info->n_classes, c->n_values > 0 ? 0 : N * row_size);
    for (; count < row_size; count++) {
        if (c->n_values > 0)
            assert_true(one.target[count] == (float)(3 * row_size + count));
        else
            assert_int_equal(one.label[count], 3 * row_size + count);
    }
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
}

static void targets_go_by_type_and_shape(void **state)
{
    double values[N_VALUES];

    (void)state;
    fill_values(values, N_VALUES);
    for (size_t k = 0; k < sizeof target_cases / sizeof *target_cases; k++) {
        const target_case *c = &target_cases[k];
        rnn_dataset_cfg cfg = make_cfg("d.h5");
        hid_t file = h5_create("d.h5");
        rnn_dataset *dataset;

        cfg.target = c->choice;
        write_x(file, H5T_IEEE_F32LE, NULL);
        h5_write(file, "y", c->is_integer ? H5T_STD_I16BE : H5T_IEEE_F64LE, c->n_dims, c->dims,
                 NULL, H5T_NATIVE_DOUBLE, values);
        h5_close(file);
        dataset = open_cfg(&cfg);
        assert_target(dataset, c);
        rnn_dataset_destroy(&dataset);
    }
}

static void negative_labels_are_none(void **state)
{
    const int some[N] = {-7, 0, 1, -1, 4, -100}, steps[2][T] = {{3, -9, 0, 1, 2}, {0, 0, -1, 5, 1}};
    hid_t file = h5_create("d.h5");
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", some, N);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, 5);
    for (size_t i = 0; i < N; i++) {
        one = sample_of(dataset, RNN_SPLIT_TRAIN, i);
        assert_int_equal(one.label[0], some[i] < 0 ? -1 : some[i]);
    }
    rnn_dataset_destroy(&dataset);
    file = h5_create("d.h5");
    h5_write(file, "x", H5T_STD_U8LE, 2, DIMS(2, T), NULL, H5T_NATIVE_INT, steps);
    h5_ints(file, "y", steps, 2, T);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, 6);
    one = sample_of(dataset, RNN_SPLIT_TRAIN, 0);
    for (size_t t = 0; t < T; t++)
        assert_int_equal(one.label[t], steps[0][t] < 0 ? -1 : steps[0][t]);
    rnn_dataset_destroy(&dataset);
}

/* A short run has the same classes as a long one. */
static void classes_do_not_depend_on_the_limit(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    rnn_dataset *dataset;

    (void)state;
    write_small("d.h5");
    cfg.limit[RNN_SPLIT_TRAIN] = 1;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, 4);
    rnn_dataset_destroy(&dataset);
}

static void missing_targets_are_no_error_where_none_are_needed(void **state)
{
    static const struct {
        rnn_target_choice choice;
        rnn_target_kind kind;
    } cases[] = {{AUTO, RNN_TARGET_LABEL},
                 {RNN_TARGET_CHOICE_LABEL, RNN_TARGET_LABEL},
                 {RNN_TARGET_CHOICE_STEP_LABEL, RNN_TARGET_STEP_LABEL},
                 {RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES},
                 {RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES}};
    hid_t file = h5_create("d.h5");

    (void)state;
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_close(file);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        rnn_dataset_cfg cfg = make_cfg("d.h5");
        rnn_dataset *dataset;
        one_sample one;

        cfg.target = cases[k].choice;
        assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg), "d.h5: /y is missing");
        cfg.needs_no_targets = true;
        dataset = open_cfg(&cfg);
        assert_false(rnn_dataset_get_info(dataset)->has_targets);
        assert_int_equal(rnn_dataset_get_info(dataset)->target, cases[k].kind);
        assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, 0);
        one = sample_of(dataset, RNN_SPLIT_TRAIN, 1);
        assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
        if (cases[k].kind == RNN_TARGET_LABEL || cases[k].kind == RNN_TARGET_STEP_LABEL)
            assert_int_equal(one.label[cases[k].kind == RNN_TARGET_LABEL ? 0 : T - 1], -1);
        rnn_dataset_destroy(&dataset);
    }
}

static void targets_that_are_there_are_read_where_none_are_needed(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    rnn_dataset *dataset;

    (void)state;
    write_small("d.h5");
    cfg.needs_no_targets = true;
    dataset = open_cfg(&cfg);
    assert_true(rnn_dataset_get_info(dataset)->has_targets);
    assert_int_equal(sample_of(dataset, RNN_SPLIT_TRAIN, 3).label[0], labels[3]);
    rnn_dataset_destroy(&dataset);
}

/* -- Different lengths --------------------------------------------------------------------------*/

static void assert_lengths(const rnn_dataset *dataset, const int *expected, size_t n,
                           size_t longest)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    assert_true(info->is_ragged);
    assert_int_equal(info->seq_len, longest);
    assert_int_equal(info->min_len, 1);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, i), expected[i]);
        assert_int_equal(sample_of(dataset, RNN_SPLIT_TRAIN, i).length, expected[i]);
    }
}

static void lengths_make_it_ragged(void **state)
{
    static const char *const names[] = {"lengths", "steps"};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        rnn_dataset_cfg cfg = make_cfg("d.h5");
        hid_t file = h5_create("d.h5");
        rnn_dataset *dataset;

        cfg.lengths = k == 0 ? "" : names[k];
        write_x(file, H5T_IEEE_F32LE, NULL);
        h5_ints(file, "y", labels, N);
        h5_write(file, names[k], H5T_STD_U16LE, 1, DIMS(N), NULL, H5T_NATIVE_INT, lengths);
        h5_close(file);
        dataset = open_cfg(&cfg);
        assert_lengths(dataset, lengths, N, T);
        assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
        rnn_dataset_destroy(&dataset);
        cfg.limit[RNN_SPLIT_TRAIN] = 1;
        dataset = open_cfg(&cfg);
        assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, 2);
        rnn_dataset_destroy(&dataset);
    }
}

/* What stands behind the end of a sample is not looked at. */
static void what_is_behind_the_end_does_not_matter(void **state)
{
    hid_t file = h5_create("d.h5");
    float x[N][T][F];
    int y[N][T];
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    for (size_t i = 0; i < N; i++)
        for (size_t t = 0; t < T; t++) {
            y[i][t] = (int)t < lengths[i] ? (int)t : 999;
            for (size_t f = 0; f < F; f++)
                x[i][t][f] = (int)t < lengths[i] ? value_at(i, t, f) : NAN;
        }
    h5_floats(file, "x", x, N, T, F);
    h5_ints(file, "y", y, N, T);
    h5_ints(file, "lengths", lengths, N);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, T);
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    one = sample_of(dataset, RNN_SPLIT_TRAIN, 3);
    for (int t = 0; t < lengths[3]; t++)
        assert_int_equal(one.label[t], t);
    rnn_dataset_destroy(&dataset);
}

/* -- Samples one after another ------------------------------------------------------------------*/

static const target_case flat_cases[] = {
    {true, 1, {4}, AUTO, RNN_TARGET_LABEL, 0},
    {true, 1, {4}, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, 1},
    {false, 1, {4}, AUTO, RNN_TARGET_VALUES, 1},
    {false, 2, {4, 2}, AUTO, RNN_TARGET_VALUES, 2},
    {true, 1, {N_RAGGED}, AUTO, RNN_TARGET_STEP_LABEL, 0},
    {true, 1, {N_RAGGED}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 1},
    {false, 1, {N_RAGGED}, AUTO, RNN_TARGET_STEP_VALUES, 1},
    {false, 2, {N_RAGGED, 2}, AUTO, RNN_TARGET_STEP_VALUES, 2},
    {true, 2, {N_RAGGED, 2}, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 2},
};

static void assert_flat(const rnn_dataset *dataset, const target_case *c)
{
    size_t n = c->n_values > 0 ? c->n_values : 1;
    bool per_step = c->dims[0] == N_RAGGED;

    assert_lengths(dataset, flat_lengths, 4, 6);
    assert_int_equal(rnn_dataset_get_info(dataset)->target, c->kind);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_target_values, c->n_values);
    for (size_t i = 0, start = 0; i < 4; start += (size_t)flat_lengths[i++]) {
        one_sample one = sample_of(dataset, RNN_SPLIT_TRAIN, i);
        size_t n_rows = per_step ? (size_t)flat_lengths[i] : 1, first = per_step ? start : i;

        for (size_t k = 0; k < (size_t)flat_lengths[i] * F; k++)
            assert_true(one.x[k] == (float)(start * F + k));
        for (size_t k = 0; k < n_rows * n; k++) {
            if (c->n_values > 0)
                assert_true(one.target[k] == (float)(first * n + k));
            else
                assert_int_equal(one.label[k], first + k);
        }
    }
}

static void samples_may_follow_each_other_without_padding(void **state)
{
    double values[N_RAGGED * F];

    (void)state;
    fill_values(values, N_RAGGED * F);
    for (size_t k = 0; k < sizeof flat_cases / sizeof *flat_cases; k++) {
        const target_case *c = &flat_cases[k];
        rnn_dataset_cfg cfg = make_cfg("d.h5");
        hid_t file = h5_create("d.h5");
        const h5_storage chunks = {{5, 2}, 3, 1, 0};
        rnn_dataset *dataset;

        cfg.target = c->choice;
        h5_write(file, "x", H5T_IEEE_F32LE, 2, DIMS(N_RAGGED, F), k % 2 == 0 ? NULL : &chunks,
                 H5T_NATIVE_DOUBLE, values);
        h5_write(file, "y", c->is_integer ? H5T_STD_I8LE : H5T_IEEE_F32BE, c->n_dims, c->dims, NULL,
                 H5T_NATIVE_DOUBLE, values);
        h5_ints(file, "lengths", flat_lengths, 4);
        h5_close(file);
        dataset = open_cfg(&cfg);
        assert_flat(dataset, c);
        rnn_dataset_destroy(&dataset);
    }
}

static void one_feature_may_lack_its_dimension(void **state)
{
    const float x[N_RAGGED] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    hid_t file = h5_create("d.h5");
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    h5_floats(file, "x", x, N_RAGGED);
    h5_ints(file, "y", labels, 4);
    h5_ints(file, "lengths", flat_lengths, 4);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_features, 1);
    one = sample_of(dataset, RNN_SPLIT_TRAIN, 3);
    assert_int_equal(one.length, 2);
    assert_true(one.x[0] == 11 && one.x[1] == 12);
    rnn_dataset_destroy(&dataset);
}

/* -- Splits, groups and links -------------------------------------------------------------------*/

static void write_group(hid_t file, const char *name, double first, hsize_t n, hsize_t n_steps)
{
    hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    double x[N_VALUES];

    for (size_t k = 0; k < N_VALUES; k++)
        x[k] = first + (double)k;
    h5_write(group, "x", H5T_IEEE_F32LE, 3, DIMS(n, n_steps, F), NULL, H5T_NATIVE_DOUBLE, x);
    h5_ints(group, "y", labels, n);
    H5Gclose(group);
}

static void splits_may_be_groups_of_one_file(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5:/fit");
    hid_t file = h5_create("d.h5"), all;
    rnn_dataset *dataset;
    const rnn_dataset_info *info;

    (void)state;
    write_group(file, "fit", 0, 6, T);
    write_group(file, "check", 1000, 4, T);
    all = H5Gcreate2(file, "more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    write_group(all, "test", 2000, 3, T);
    H5Gclose(all);
    h5_close(file);
    cfg.file[RNN_SPLIT_VALID] = "d.h5:/check";
    cfg.file[RNN_SPLIT_TEST] = "d.h5:/more/test";
    dataset = open_cfg(&cfg);
    info = rnn_dataset_get_info(dataset);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 6);
    assert_int_equal(info->n_samples[RNN_SPLIT_VALID], 4);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 3);
    assert_int_equal(info->n_classes, 4);
    assert_false(info->is_ragged);
    assert_true(sample_of(dataset, RNN_SPLIT_TRAIN, 1).x[0] == 15);
    assert_true(sample_of(dataset, RNN_SPLIT_VALID, 1).x[0] == 1015);
    assert_true(sample_of(dataset, RNN_SPLIT_TEST, 2).x[1] == 2031);
    rnn_dataset_destroy(&dataset);
}

static void splits_of_different_steps_are_ragged(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5:/a");
    hid_t file = h5_create("d.h5");
    rnn_dataset *dataset;

    (void)state;
    write_group(file, "a", 0, 5, 4);
    write_group(file, "b", 0, 4, 2);
    h5_close(file);
    cfg.file[RNN_SPLIT_TEST] = "d.h5:/b";
    dataset = open_cfg(&cfg);
    assert_true(rnn_dataset_get_info(dataset)->is_ragged);
    assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, 4);
    assert_int_equal(rnn_dataset_get_info(dataset)->min_len, 2);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 4), 4);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TEST, 3), 2);
    assert_true(sample_of(dataset, RNN_SPLIT_TEST, 3).x[0] == 3 * 2 * F);
    rnn_dataset_destroy(&dataset);
}

static void a_part_of_the_training_samples_may_be_for_validation(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    rnn_dataset *dataset;

    (void)state;
    write_small("d.h5");
    cfg.validation = 0.34;
    cfg.split_by = RNN_SPLIT_BY_ORDER;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 4);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_VALID], 2);
    assert_x(dataset, RNN_SPLIT_VALID, 4, 2);
    rnn_dataset_destroy(&dataset);
}

static void links_within_the_file_are_followed(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5:/here/there");
    hid_t file = h5_create("d.h5"), group;
    rnn_dataset *dataset;

    (void)state;
    write_group(file, "real", 0, N, T);
    group = H5Gcreate2(file, "here", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/real", group, "there", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    group = H5Gopen2(file, "real", H5P_DEFAULT);
    H5Lcreate_soft("x", group, "inputs", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(group, "y", group, "classes", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    h5_close(file);
    cfg.x = "inputs";
    cfg.y = "classes";
    dataset = open_cfg(&cfg);
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    rnn_dataset_destroy(&dataset);
    cfg.file[RNN_SPLIT_TRAIN] = "d.h5";
    cfg.x = "/here/there/x";
    cfg.y = "real/y";
    dataset = open_cfg(&cfg);
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    rnn_dataset_destroy(&dataset);
}

static void a_block_of_the_user_may_be_in_front(void **state)
{
    hid_t list = H5Pcreate(H5P_FILE_CREATE), file;
    rnn_dataset *dataset;

    (void)state;
    H5Pset_userblock(list, 2048);
    file = H5Fcreate("d.h5", H5F_ACC_TRUNC, list, H5P_DEFAULT);
    H5Pclose(list);
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    dataset = open_file("d.h5");
    assert_x(dataset, RNN_SPLIT_TRAIN, 0, N);
    rnn_dataset_destroy(&dataset);
}

/* -- Digest -------------------------------------------------------------------------------------*/

static uint64_t digest_of(size_t changed, float x_value, int y_value)
{
    float x[N][T][F];
    int y[N];
    hid_t file = h5_create("d.h5");
    rnn_dataset *dataset;
    uint64_t digest;

    for (size_t i = 0; i < N_VALUES; i++)
        ((float *)x)[i] = i == changed ? x_value : 1;
    for (size_t i = 0; i < N; i++)
        y[i] = i == changed ? y_value : 0;
    h5_floats(file, "x", x, N, T, F);
    h5_ints(file, "y", y, N);
    h5_close(file);
    dataset = open_file("d.h5");
    digest = rnn_dataset_get_info(dataset)->digest;
    rnn_dataset_destroy(&dataset);
    return digest;
}

static void digest_depends_on_every_value_of_a_small_file(void **state)
{
    uint64_t plain = digest_of(0, 1, 0);

    (void)state;
    assert_true(digest_of(0, 1, 0) == plain);
    for (size_t i = 0; i < N; i++)
        assert_true(digest_of(i, 1, 1) != plain);
    for (size_t i = 0; i < N_VALUES; i++)
        assert_true(digest_of(i, 2, 0) != plain);
}

/* -- While it is used ---------------------------------------------------------------------------*/

enum { N_MANY = 600 };

/* [N_MANY][2][2] zeros with one other value; sample 1 is not among the 256 of the digest. */
static void write_many(hid_t type, double odd)
{
    static double x[N_MANY][2][2];
    static int y[N_MANY];
    hid_t file = h5_create("d.h5");

    memset(x, 0, sizeof x);
    x[1][1][0] = odd;
    h5_write(file, "x", type, 3, DIMS(N_MANY, 2, 2), NULL, H5T_NATIVE_DOUBLE, x);
    h5_ints(file, "y", y, N_MANY);
    h5_close(file);
}

static void values_must_be_finite(void **state)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300};
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};

    (void)state;
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        rnn_dataset *dataset;
        one_sample one;

        write_many(types[k], odd[k]);
        dataset = open_file("d.h5");
        assert_int_equal(read_one(&one, dataset, RNN_SPLIT_TRAIN, 0), RNN_OK);
        assert_refused(RNN_ERR_DATA, read_one(&one, dataset, RNN_SPLIT_TRAIN, 1),
                       "d.h5: /x is not finite as a float: sample 1, step 1, feature 0 is ");
        rnn_dataset_destroy(&dataset);
    }
}

static void a_file_that_shrinks_is_noticed(void **state)
{
    rnn_dataset *dataset;
    one_sample one;

    (void)state;
    write_many(H5T_IEEE_F32LE, 0);
    dataset = open_file("d.h5");
    assert_int_equal(truncate("d.h5", 3000), 0);
    assert_refused(RNN_ERR_DATA, read_one(&one, dataset, RNN_SPLIT_TRAIN, N_MANY - 1),
                   "d.h5: /x cannot be read: the file has become shorter");
    rnn_dataset_destroy(&dataset);
}

typedef struct reading_thread {
    pthread_t id;
    const rnn_dataset *dataset;
    size_t n_wrong;
} reading_thread;

static void *read_often(void *argument)
{
    reading_thread *thread = argument;

    for (size_t k = 0; k < 300; k++) {
        size_t i = k % N;
        one_sample one;

        if (read_one(&one, thread->dataset, RNN_SPLIT_TRAIN, i) != RNN_OK ||
            one.x[7] != (float)(i * T * F + 7) || one.target[1] != (float)(i * 2 + 1))
            thread->n_wrong++;
    }
    return NULL;
}

static void write_images(size_t count)
{
    for (size_t k = 0; k < count; k++) {
        rnn_h5_writer writer;
        hid_t group = H5I_INVALID_HID;
        void *image = NULL;
        size_t n_bytes;

        rnn_h5_writer_open(&writer);
        assert_int_equal(rnn_h5_write_group(&writer, writer.root, "group", &group), RNN_OK);
        rnn_hdf5_release(group);
        assert_int_equal(rnn_h5_writer_take(&writer, 0, &image, &n_bytes), RNN_OK);
        rnn_h5_writer_close(&writer);
        rnn_free(image);
    }
}

/* As the loader reads while a checkpoint is written. */
static void threads_may_read_while_files_are_written(void **state)
{
    enum { N_THREADS = 3 };
    static const h5_storage chunks = {{1, 3, 2}, 1, 1, 1};
    reading_thread threads[N_THREADS];
    hid_t file = h5_create("d.h5");
    double y[N * 2];
    rnn_dataset *dataset;

    (void)state;
    fill_values(y, N * 2);
    write_x(file, H5T_IEEE_F32BE, &chunks);
    h5_write(file, "y", H5T_IEEE_F32LE, 2, DIMS(N, 2), NULL, H5T_NATIVE_DOUBLE, y);
    h5_close(file);
    dataset = open_file("d.h5");
    for (size_t i = 0; i < N_THREADS; i++) {
        threads[i] = (reading_thread){.dataset = dataset};
        assert_int_equal(pthread_create(&threads[i].id, NULL, read_often, &threads[i]), 0);
    }
    write_images(100);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
        assert_int_equal(threads[i].n_wrong, 0);
    }
    rnn_dataset_destroy(&dataset);
}

/* -- What is refused ----------------------------------------------------------------------------*/

static void make_good(hid_t file)
{
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", labels, N);
}

static void make_empty(hid_t file)
{
    (void)file;
}

static void make_x_rank_1(hid_t file)
{
    h5_ints(file, "x", labels, N);
    h5_ints(file, "y", labels, N);
}

static void make_x_rank_4(hid_t file)
{
    const float x[16] = {0};

    h5_floats(file, "x", x, 2, 2, 2, 2);
    h5_ints(file, "y", labels, 2);
}

/* x of one type whose values do not matter. */
static void make_x_of(hid_t file, hid_t type, size_t size)
{
    char zeros[64] = {0};

    assert_true(4 * size <= sizeof zeros);
    h5_write(file, "x", type, 2, DIMS(2, 2), NULL, type, zeros);
    h5_ints(file, "y", labels, 2);
}

static void make_x_text(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, 8);
    make_x_of(file, type, 8);
    H5Tclose(type);
}

static void make_x_variable_text(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(2, DIMS(2, 2), NULL), x;

    H5Tset_size(type, H5T_VARIABLE);
    x = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(x);
    H5Sclose(space);
    H5Tclose(type);
    h5_ints(file, "y", labels, 2);
}

static void make_x_compound(hid_t file)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 8);

    H5Tinsert(type, "a", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(type, "b", 4, H5T_NATIVE_FLOAT);
    make_x_of(file, type, 8);
    H5Tclose(type);
}

static void make_x_enum(hid_t file)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    signed char value = 0;

    H5Tenum_insert(type, "FALSE", &value);
    value = 1;
    H5Tenum_insert(type, "TRUE", &value);
    make_x_of(file, type, 1);
    H5Tclose(type);
}

static void make_x_bits(hid_t file)
{
    make_x_of(file, H5T_STD_B32LE, 4);
}

static void make_x_wide(hid_t file)
{
    hid_t type = H5Tcopy(H5T_STD_I64LE);

    H5Tset_precision(type, 128);
    make_x_of(file, type, 16);
    H5Tclose(type);
}

static void make_x_never_written(hid_t file)
{
    h5_write(file, "x", H5T_IEEE_F32LE, 3, DIMS(N, T, F), NULL, -1, NULL);
    h5_ints(file, "y", labels, N);
}

/* 2^60 samples that would be there if they had been written. */
static void make_x_boundless(hid_t file)
{
    const h5_storage chunks = {{1, T, F}, 1, 0, 0};
    hid_t x, part, space;
    const float values[T * F] = {0};

    h5_write(file, "x", H5T_IEEE_F32LE, 3, DIMS((hsize_t)1 << 55, T, F), &chunks, -1, NULL);
    x = H5Dopen2(file, "x", H5P_DEFAULT);
    space = H5Dget_space(x);
    part = H5Screate_simple(3, DIMS(1, T, F), NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, DIMS(7, 0, 0), NULL, DIMS(1, T, F), NULL);
    assert_true(H5Dwrite(x, H5T_NATIVE_FLOAT, part, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(part);
    H5Sclose(space);
    H5Dclose(x);
    h5_ints(file, "y", labels, N);
}

static void make_x_overflowing(hid_t file)
{
    const h5_storage chunks = {{1, 1, 1}, 0, 0, 0};

    h5_write(file, "x", H5T_IEEE_F32LE, 3,
             DIMS((hsize_t)1 << 40, (hsize_t)1 << 15, (hsize_t)1 << 15), &chunks, -1, NULL);
    h5_ints(file, "y", labels, N);
}

static void make_chunk_huge(hid_t file)
{
    const h5_storage chunks = {{1 << 20, 10, 10}, 1, 0, 0};

    h5_write(file, "x", H5T_IEEE_F32LE, 3, DIMS(1 << 20, 10, 10), &chunks, -1, NULL);
    h5_ints(file, "y", labels, N);
}

static void make_no_samples(hid_t file)
{
    h5_write(file, "x", H5T_IEEE_F32LE, 3, DIMS(0, T, F), NULL, -1, NULL);
    h5_write(file, "y", H5T_STD_I32LE, 1, DIMS(0), NULL, -1, NULL);
}

static void make_no_steps(hid_t file)
{
    h5_write(file, "x", H5T_IEEE_F32LE, 3, DIMS(N, 0, F), NULL, -1, NULL);
    h5_ints(file, "y", labels, N);
}

static void make_x_scalar(hid_t file)
{
    hid_t space = H5Screate(H5S_SCALAR);

    H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void make_x_null(hid_t file)
{
    hid_t space = H5Screate(H5S_NULL);

    H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void make_x_group(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    h5_ints(file, "y", labels, N);
}

static void make_x_with(hid_t file, hid_t list)
{
    hid_t space = H5Screate_simple(3, DIMS(N, T, F), NULL);
    hid_t x = H5Dcreate2(file, "x", H5T_STD_I32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    const int values[N_VALUES] = {0};

    assert_true(x >= 0);
    if (H5Pget_layout(list) == H5D_CHUNKED)
        assert_true(H5Dwrite(x, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(x);
    H5Sclose(space);
    H5Pclose(list);
    h5_ints(file, "y", labels, N);
}

static void make_x_external(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_external(list, "secret.bin", 0, H5F_UNLIMITED);
    make_x_with(file, list);
}

static void make_x_virtual(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, DIMS(N, T, F), NULL);

    assert_true(H5Pset_virtual(list, space, "other.h5", "x", space) >= 0);
    H5Sclose(space);
    make_x_with(file, list);
}

static void make_filter_of_others(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 3, DIMS(1, T, F));
    assert_true(H5Pset_filter(list, 32001, H5Z_FLAG_OPTIONAL, 0, NULL) >= 0);
    make_x_with(file, list);
}

static void make_filter_scaleoffset(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 3, DIMS(1, T, F));
    assert_true(H5Pset_scaleoffset(list, H5Z_SO_INT, 8) >= 0);
    make_x_with(file, list);
}

static void make_link_external(hid_t file)
{
    H5Lcreate_external("other.h5", "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT);
    h5_ints(file, "y", labels, N);
}

static void make_link_circular(hid_t file)
{
    H5Lcreate_soft("/z", file, "x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("x", file, "z", H5P_DEFAULT, H5P_DEFAULT);
    h5_ints(file, "y", labels, N);
}

static void make_link_dangling(hid_t file)
{
    H5Lcreate_soft("/nothing", file, "x", H5P_DEFAULT, H5P_DEFAULT);
    h5_ints(file, "y", labels, N);
}

static void make_y_short(hid_t file)
{
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", labels, N - 1);
}

static void make_y_wide(hid_t file)
{
    const int y[N * 4] = {0};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", y, N, 4);
}

static void make_y_deep(hid_t file)
{
    const float y[N * 4 * 2] = {0};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_floats(file, "y", y, N, 4, 2);
}

static void make_y_steps_of_values(hid_t file)
{
    const int y[N * T * 2] = {0};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", y, N, T, 2);
}

static void make_y_floats(hid_t file)
{
    const float y[N] = {0};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_floats(file, "y", y, N);
}

static void make_y_not_finite(hid_t file)
{
    const float y[N][2] = {{0, 0}, {0, 0}, {0, NAN}};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_floats(file, "y", y, N, 2);
}

static void make_y_all_negative(hid_t file)
{
    const int y[N] = {-1, -1, -2, -3, -1, -1};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_ints(file, "y", y, N);
}

static void make_y_large(hid_t file)
{
    const uint64_t y[N] = {0, 1, UINT64_MAX, 0, 0, 0};

    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_write(file, "y", H5T_STD_U64LE, 1, DIMS(N), NULL, H5T_NATIVE_UINT64, y);
}

static void make_x_nan(hid_t file)
{
    float x[N][T][F] = {{{0}}};

    x[4][2][1] = NAN;
    h5_floats(file, "x", x, N, T, F);
    h5_ints(file, "y", labels, N);
}

static void make_x_infinite(hid_t file)
{
    double x[N][T][F] = {{{0}}};

    x[5][4][2] = -1e39;
    h5_write(file, "x", H5T_IEEE_F64BE, 3, DIMS(N, T, F), NULL, H5T_NATIVE_DOUBLE, x);
    h5_ints(file, "y", labels, N);
}

static void make_lengths(hid_t file, const int *values, hsize_t count)
{
    make_good(file);
    h5_ints(file, "lengths", values, count);
}

static void make_length_0(hid_t file)
{
    make_lengths(file, (const int[]){1, 2, 3, 0, 5, 5}, N);
}

static void make_length_negative(hid_t file)
{
    make_lengths(file, (const int[]){1, -2, 3, 1, 5, 5}, N);
}

static void make_length_long(hid_t file)
{
    make_lengths(file, (const int[]){1, 2, 3, 4, T + 1, 5}, N);
}

static void make_lengths_few(hid_t file)
{
    make_lengths(file, lengths, N - 1);
}

static void make_lengths_floats(hid_t file)
{
    const float values[N] = {1, 2, 3, 4, 5, 5};

    make_good(file);
    h5_floats(file, "lengths", values, N);
}

static void make_lengths_of_two_dimensions(hid_t file)
{
    make_good(file);
    h5_ints(file, "lengths", lengths, N, 1);
}

/* Samples one after another; together 13 steps. */
static void make_flat(hid_t file, const int *values, hsize_t count, hsize_t n_targets)
{
    const float x[N_RAGGED * F] = {0};
    const int y[N_RAGGED] = {0};

    h5_floats(file, "x", x, N_RAGGED, F);
    h5_ints(file, "y", y, n_targets);
    h5_ints(file, "lengths", values, count);
}

static void make_sum_small(hid_t file)
{
    make_flat(file, (const int[]){4, 1, 6, 1}, 4, 4);
}

static void make_sum_large(hid_t file)
{
    make_flat(file, (const int[]){4, 1, 6, 3}, 4, 4);
}

static void make_flat_y_wrong(hid_t file)
{
    make_flat(file, flat_lengths, 4, 5);
}

typedef struct bad_case {
    void (*make)(hid_t file);
    const char *part; /* of the message, behind the file's name */
    const char *x, *lengths, *file;
    rnn_target_choice target;
} bad_case;

static const bad_case bad_cases[] = {
    {make_empty, "/x is missing; there is nothing", NULL, NULL, NULL, AUTO},
    {make_good, "/inputs is missing; there is x, y", "inputs", NULL, NULL, AUTO},
    {make_good, "/steps is missing; there is x, y", NULL, "steps", NULL, AUTO},
    {make_good, "/test is missing; there is x, y", NULL, NULL, "d.h5:/test", AUTO},
    {make_good, "/x is not a group", NULL, NULL, "d.h5:/x", AUTO},
    {make_good, "/x/x cannot be there: a part of the name is no group", "x/x", NULL, NULL, AUTO},
    {make_x_group, "/x is not a dataset", NULL, NULL, NULL, AUTO},
    {make_x_rank_1, "/x is [6], expected [samples][steps][features] or [samples][steps]", NULL,
     NULL, NULL, AUTO},
    {make_x_rank_4, "/x has 4 dimensions, expected 1 to 3", NULL, NULL, NULL, AUTO},
    {make_x_scalar, "/x is not an array but a single value or nothing", NULL, NULL, NULL, AUTO},
    {make_x_null, "/x is not an array but a single value or nothing", NULL, NULL, NULL, AUTO},
    {make_x_text, "/x is of text, expected integers or floats", NULL, NULL, NULL, AUTO},
    {make_x_variable_text, "/x is of text, expected integers or floats", NULL, NULL, NULL, AUTO},
    {make_x_compound, "/x is of records (compound), expected integers or floats", NULL, NULL, NULL,
     AUTO},
    {make_x_enum, "/x is of an enumeration (h5py stores truth values so), expected", NULL, NULL,
     NULL, AUTO},
    {make_x_bits, "/x is of bit fields, expected integers or floats", NULL, NULL, NULL, AUTO},
    {make_x_wide, "/x has numbers of 16 bytes, which are too large", NULL, NULL, NULL, AUTO},
    {make_x_never_written, "/x has no values: [6][5][3] was never written", NULL, NULL, NULL, AUTO},
    {make_x_boundless, "bytes in the file, its shape [36028797018963968][5][3] needs", NULL, NULL,
     NULL, AUTO},
    {make_x_overflowing, "/x", NULL, NULL, NULL, AUTO},
    {make_chunk_huge, "/x has chunks of more than 256 MiB", NULL, NULL, NULL, AUTO},
    {make_no_samples, "/x is empty: its shape is [0][5][3]", NULL, NULL, NULL, AUTO},
    {make_no_steps, "/x is empty: its shape is [6][0][3]", NULL, NULL, NULL, AUTO},
    {make_x_external, "/x has external storage: its values are in another file", NULL, NULL, NULL,
     AUTO},
    {make_x_virtual, "/x is a virtual dataset: its values are elsewhere", NULL, NULL, NULL, AUTO},
    {make_filter_of_others, "/x goes through filter 32001, expected none but deflate", NULL, NULL,
     NULL, AUTO},
    {make_filter_scaleoffset, "/x goes through filter 6, expected none but deflate", NULL, NULL,
     NULL, AUTO},
    {make_link_external, "/x is behind a link to elsewhere, which is not followed", NULL, NULL,
     NULL, AUTO},
    {make_link_circular, "/x is behind a link that is too long, or behind too many", NULL, NULL,
     NULL, AUTO},
    {make_link_dangling, "/x is missing", NULL, NULL, NULL, AUTO},
    {make_y_short, "/y is [5], but x is [6][5][3]: expected [6], [6][values], [6][5] or", NULL,
     NULL, NULL, AUTO},
    {make_y_wide, "/y is [6][4] of integers, which are no labels for x of [6][5][3]", NULL, NULL,
     NULL, AUTO},
    {make_y_wide, "if they are values, dataset.target must say so", NULL, NULL, NULL, AUTO},
    {make_y_deep, "/y is [6][4][2], but x is [6][5][3]: expected", NULL, NULL, NULL, AUTO},
    {make_y_steps_of_values, "/y is [6][5][2] of integers, which are no labels", NULL, NULL, NULL,
     AUTO},
    {make_y_steps_of_values, "/y is [6][5][2] of integers, which cannot be values for each sample",
     NULL, NULL, NULL, RNN_TARGET_CHOICE_VALUES},
    {make_y_floats, "/y is [6] of floats, which cannot be a label for each sample", NULL, NULL,
     NULL, RNN_TARGET_CHOICE_LABEL},
    {make_y_floats, "/y is [6] of floats, which cannot be values for each step", NULL, NULL, NULL,
     RNN_TARGET_CHOICE_STEP_VALUES},
    {make_good, "/y is [6] of integers, which cannot be a label for each step", NULL, NULL, NULL,
     RNN_TARGET_CHOICE_STEP_LABEL},
    {make_y_not_finite, "/y is not finite as a float: sample 2, value 1 is nan", NULL, NULL, NULL,
     AUTO},
    {make_y_all_negative, "/y has no label that is not below 0", NULL, NULL, NULL, AUTO},
    {make_y_large, "/y has the label 9223372036854775807 at [2][0], expected at most 2147483646",
     NULL, NULL, NULL, AUTO},
    {make_x_nan, "/x is not finite as a float: sample 4, step 2, feature 1 is nan", NULL, NULL,
     NULL, AUTO},
    {make_x_infinite, "/x is not finite as a float: sample 5, step 4, feature 2 is -inf", NULL,
     NULL, NULL, AUTO},
    {make_length_0, "/lengths has 0 for sample 3, expected 1 to 5: x is [6][5][3]", NULL, NULL,
     NULL, AUTO},
    {make_length_negative, "/lengths has -2 for sample 1, expected 1 to 5", NULL, NULL, NULL, AUTO},
    {make_length_long, "/lengths has 6 for sample 4, expected 1 to 5", NULL, NULL, NULL, AUTO},
    {make_lengths_few, "/lengths is [5], but x is [6][5][3]: expected one for each sample", NULL,
     NULL, NULL, AUTO},
    {make_lengths_floats, "/lengths is [6] of floats, expected [samples] of integers", NULL, NULL,
     NULL, AUTO},
    {make_lengths_of_two_dimensions, "/lengths is [6][1] of integers, expected [samples] of", NULL,
     NULL, NULL, AUTO},
    {make_sum_small, "/lengths is [4] and comes to 12 steps, but x is [13][3]: its first", NULL,
     NULL, NULL, AUTO},
    {make_sum_large, "/lengths is [4] and comes to more than 13 steps, but x is [13][3]", NULL,
     NULL, NULL, AUTO},
    {make_flat_y_wrong, "/y is [5], but x is [13][3] with 4 lengths: expected [4], [4][values],",
     NULL, NULL, NULL, AUTO},
};

/* One line that begins with the file's name. */
static void assert_message(const char *part)
{
    const char *message = rnn_error_message();

    if (strncmp(message, "./d.h5: ", 8) != 0 || strchr(message, '\n') != NULL ||
        strstr(message, part) == NULL)
        fail_msg("expected '%s', found \"%s\"", part, message);
}

static void malformed_files_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof bad_cases / sizeof *bad_cases; k++) {
        const bad_case *c = &bad_cases[k];
        rnn_dataset_cfg cfg = make_cfg(c->file != NULL ? c->file : "d.h5");
        hid_t file = h5_create("d.h5");
        rnn_dataset *dataset;

        c->make(file);
        h5_close(file);
        cfg.x = c->x != NULL ? c->x : "x";
        cfg.lengths = c->lengths != NULL ? c->lengths : "";
        cfg.target = c->target;
        if (rnn_dataset_open(&dataset, &cfg) != RNN_ERR_DATA)
            fail_msg("'%s' is accepted", c->part);
        assert_null(dataset);
        assert_message(c->part);
        assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0); /* none left open */
    }
}

static void assert_open_refused(const rnn_dataset_cfg *cfg, rnn_status status, const char *part)
{
    rnn_dataset *dataset;

    assert_refused(status, rnn_dataset_open(&dataset, cfg), part);
    assert_null(dataset);
}

static void what_is_no_hdf5_file_is_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    FILE *file = fopen("d.h5", "wb");

    (void)state;
    assert_true(fputs("not of this kind", file) > 0);
    fclose(file);
    assert_open_refused(&cfg, RNN_ERR_DATA, "d.h5: not an HDF5 file: it lacks the signature");
    assert_int_equal(truncate("d.h5", 0), 0);
    assert_open_refused(&cfg, RNN_ERR_DATA, "d.h5: not an HDF5 file: it lacks the signature");
    cfg.file[RNN_SPLIT_TRAIN] = "missing.h5:/train";
    assert_open_refused(&cfg, RNN_ERR_NOINPUT, "missing.h5");
    cfg.file[RNN_SPLIT_TRAIN] = "";
    assert_open_refused(&cfg, RNN_ERR_DATA, "train_file");
    assert_int_equal(mkdir("folder", 0700), 0);
    cfg.file[RNN_SPLIT_TRAIN] = "folder";
    assert_open_refused(&cfg, RNN_ERR_NOINPUT, "expected a regular file, found a folder");
}

static void truncated_files_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    struct stat info;

    (void)state;
    write_small("d.h5");
    assert_int_equal(stat("d.h5", &info), 0);
    for (off_t size = info.st_size - 1; size > 8; size -= size > 2048 ? 101 : 13) {
        assert_int_equal(truncate("d.h5", size), 0);
        assert_open_refused(&cfg, RNN_ERR_DATA, "d.h5: libhdf5 cannot open it: truncated");
    }
}

/*
 * Whatever byte is changed, the file is read or refused. Not so of compressed chunks: libhdf5 1.10
 * reads behind the end of what a damaged one decompresses to.
 */
static void damaged_files_are_read_or_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    hid_t file = h5_create("d.h5");
    unsigned char bytes[16384];
    size_t n, n_refused = 0;
    FILE *stream;

    (void)state;
    write_x(file, H5T_IEEE_F32BE, NULL);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    stream = fopen("d.h5", "rb");
    n = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    assert_true(n > 2048 && n < sizeof bytes);
    for (size_t i = 0; i < n; i += 3) {
        rnn_dataset *dataset;

        bytes[i] ^= 0xFF;
        stream = fopen("d.h5", "wb");
        assert_int_equal(fwrite(bytes, 1, n, stream), n);
        fclose(stream);
        bytes[i] ^= 0xFF;
        if (rnn_dataset_open(&dataset, &cfg) != RNN_OK)
            n_refused++;
        rnn_dataset_destroy(&dataset);
    }
    assert_true(n_refused > 100);
}

/* A million steps and a million target values: together, not times each other. */
static void memory_goes_by_what_the_file_has(void **state)
{
    enum { MANY = 1 << 20 };
    static float values[MANY];
    hid_t file = h5_create("wide.h5");
    rnn_dataset_cfg cfg = make_cfg("wide.h5");
    rnn_dataset *dataset;

    (void)state;
    h5_floats(file, "x", values, 1, MANY);
    h5_floats(file, "y", values, 1, MANY);
    h5_close(file);
    cfg.target = RNN_TARGET_CHOICE_VALUES;
    cfg.standardize_targets = true;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, MANY);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_target_values, MANY);
    rnn_dataset_destroy(&dataset);
}

static void splits_must_agree(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");
    const float x[N * T * 2] = {0}, y[N] = {0};
    hid_t file = h5_create("wide.h5");

    (void)state;
    write_small("d.h5");
    h5_floats(file, "x", x, N, T, 2);
    h5_ints(file, "y", labels, N);
    h5_close(file);
    file = h5_create("values.h5");
    write_x(file, H5T_IEEE_F32LE, NULL);
    h5_floats(file, "y", y, N);
    h5_close(file);
    cfg.file[RNN_SPLIT_TEST] = "wide.h5";
    assert_open_refused(&cfg, RNN_ERR_DATA, "wide.h5: /x has 2 features, but ./d.h5: /x has 3");
    cfg.file[RNN_SPLIT_TEST] = "values.h5";
    assert_open_refused(&cfg, RNN_ERR_DATA,
                        "values.h5: /y is [6], another kind of target than ./d.h5: /y of [6]");
}

static void scales_without_meaning_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("d.h5");

    (void)state;
    write_small("d.h5");
    cfg.std = 0;
    assert_open_refused(&cfg, RNN_ERR_DATA, "std");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(inputs_of_every_type_are_read),
        IN_FOLDER(fractions_are_rounded_once),
        IN_FOLDER(half_floats_keep_their_digits),
        IN_FOLDER(inputs_in_every_storage_are_read),
        IN_FOLDER(inputs_in_the_header_are_read),
        IN_FOLDER(info_describes_the_file),
        IN_FOLDER(two_dimensions_are_one_feature),
        IN_FOLDER(inputs_are_scaled),
        IN_FOLDER(rows_of_a_slice_are_in_their_places),
        IN_FOLDER(targets_go_by_type_and_shape),
        IN_FOLDER(negative_labels_are_none),
        IN_FOLDER(classes_do_not_depend_on_the_limit),
        IN_FOLDER(missing_targets_are_no_error_where_none_are_needed),
        IN_FOLDER(targets_that_are_there_are_read_where_none_are_needed),
        IN_FOLDER(lengths_make_it_ragged),
        IN_FOLDER(what_is_behind_the_end_does_not_matter),
        IN_FOLDER(samples_may_follow_each_other_without_padding),
        IN_FOLDER(one_feature_may_lack_its_dimension),
        IN_FOLDER(splits_may_be_groups_of_one_file),
        IN_FOLDER(splits_of_different_steps_are_ragged),
        IN_FOLDER(a_part_of_the_training_samples_may_be_for_validation),
        IN_FOLDER(links_within_the_file_are_followed),
        IN_FOLDER(a_block_of_the_user_may_be_in_front),
        IN_FOLDER(digest_depends_on_every_value_of_a_small_file),
        IN_FOLDER(values_must_be_finite),
        IN_FOLDER(a_file_that_shrinks_is_noticed),
        IN_FOLDER(threads_may_read_while_files_are_written),
        IN_FOLDER(malformed_files_are_refused),
        IN_FOLDER(what_is_no_hdf5_file_is_refused),
        IN_FOLDER(truncated_files_are_refused),
        IN_FOLDER(damaged_files_are_read_or_refused),
        IN_FOLDER(memory_goes_by_what_the_file_has),
        IN_FOLDER(splits_must_agree),
        IN_FOLDER(scales_without_meaning_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
