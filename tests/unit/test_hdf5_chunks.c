/*
 * Chunks that have gone through filters, decoded by us: the same values as libhdf5 reads, and
 * errors with a reason for those that are damaged.
 */
#include "tests/unit/hdf5_files.h"
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "datasets/hdf5_array.h"
#include "datasets/hdf5_chunk.h"
#include "kernels/memory.h"

enum { MAX_VALUES = 4096 };

static const char FILE_NAME[] = "chunks.h5";

/* -- The same as libhdf5 ----------------------------------------------------------------------- */

static double value_at(size_t i)
{
    return (double)((i * 37) % 101) - 20;
}

static void write_values(hid_t type, int n_dims, const hsize_t *dims, const h5_storage *storage)
{
    static double values[MAX_VALUES];
    hid_t file = h5_create(FILE_NAME);

    for (size_t i = 0; i < MAX_VALUES; i++)
        values[i] = value_at(i);
    h5_write(file, "x", type, n_dims, dims, storage, H5T_NATIVE_DOUBLE, values);
    h5_close(file);
}

/* The whole array as libhdf5 reads it. */
static void read_by_library(float *floats, int64_t *integers)
{
    hid_t file = H5Fopen(FILE_NAME, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "x", H5P_DEFAULT);

    assert_true(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, floats) >= 0);
    assert_true(H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, integers) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
}

static void assert_part_is(const rnn_hdf5_array *array, rnn_hdf5_part part, const float *all_floats,
                           const int64_t *all_integers)
{
    static float floats[MAX_VALUES];
    static int64_t integers[MAX_VALUES];
    const rnn_hdf5_array_info *info = rnn_hdf5_array_get_info(array);
    size_t first = part.first * info->dims[1] * info->dims[2];
    size_t n = part.count * part.n_second * info->dims[2];

    if (info->is_integer) {
        assert_int_equal(rnn_hdf5_read_integers(array, part, integers), RNN_OK);
        assert_memory_equal(integers, all_integers + first, n * sizeof *integers);
    }
    assert_int_equal(rnn_hdf5_read_floats(array, part, 0, 1, floats), RNN_OK);
    assert_memory_equal(floats, all_floats + first, n * sizeof *floats);
}

static void assert_all_is_the_same(void)
{
    static float floats[MAX_VALUES];
    static int64_t integers[MAX_VALUES];
    rnn_hdf5_file *file;
    rnn_hdf5_array *array;
    const rnn_hdf5_array_info *info;

    read_by_library(floats, integers);
    assert_int_equal(rnn_hdf5_file_open(&file, FILE_NAME, "/"), RNN_OK);
    if (rnn_hdf5_array_open(&array, file, "x", false) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    info = rnn_hdf5_array_get_info(array);
    for (size_t first = 0; first < info->dims[0]; first++) {
        for (size_t count = 1; count <= info->dims[0] - first; count++)
            assert_part_is(array, (rnn_hdf5_part){first, count, info->dims[1]}, floats, integers);
        for (size_t n = 1; n < info->dims[1]; n++) /* of one row */
            assert_part_is(array, (rnn_hdf5_part){first, 1, n}, floats, integers);
    }
    rnn_hdf5_array_close(&array);
    rnn_hdf5_file_close(&file);
}

/* Chunks that divide the array and others that do not, with every set of filters. */
static void every_part_is_the_same_as_libhdf5_reads(void **state)
{
    static const struct {
        int n_dims;
        hsize_t dims[3], chunk[3];
    } shapes[] = {{1, {13}, {5}},
                  {1, {6}, {6}},
                  {2, {7, 5}, {2, 5}},
                  {2, {5, 7}, {5, 3}},
                  {3, {5, 4, 3}, {2, 3, 2}},
                  {3, {4, 4, 2}, {2, 4, 2}},
                  {3, {3, 2, 5}, {1, 1, 1}}};
    hid_t half = h5_half();
    const hid_t types[] = {H5T_IEEE_F32LE, H5T_IEEE_F64BE, half,
                           H5T_STD_U8LE,   H5T_STD_I16BE,  H5T_STD_I64LE};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int filters = 1; filters < 8; filters++) {
            h5_storage storage = {
                .deflate = filters & 1, .shuffle = filters & 2, .fletcher32 = filters & 4};
            hid_t type = types[((size_t)filters + s) % (sizeof types / sizeof *types)];

            memcpy(storage.chunk, shapes[s].chunk, sizeof shapes[s].chunk);
            write_values(type, shapes[s].n_dims, shapes[s].dims, &storage);
            assert_all_is_the_same();
        }
    H5Tclose(half);
}

/* A list for chunks [2][3] that are compressed. */
static hid_t deflate_list(void)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 2, (const hsize_t[]){2, 3});
    H5Pset_deflate(list, 6);
    return list;
}

/* Creates x [5][4] and writes the first two rows. */
static void write_some(hid_t list, hid_t access, bool all)
{
    hid_t file = H5Fcreate(FILE_NAME, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t space = H5Screate_simple(2, (const hsize_t[]){5, 4}, NULL);
    hid_t memory = H5Screate_simple(2, (const hsize_t[]){all ? 5 : 2, 4}, NULL);
    hid_t dataset = H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    double values[20];

    for (size_t i = 0; i < 20; i++)
        values[i] = value_at(i);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (const hsize_t[]){0, 0}, NULL,
                        (const hsize_t[]){all ? 5 : 2, 4}, NULL);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(memory);
    H5Sclose(space);
    H5Pclose(list);
    assert_true(H5Fclose(file) >= 0);
}

static void chunks_that_were_never_written_have_the_fill_value(void **state)
{
    hid_t list = deflate_list();
    const double fill = 2.5;

    (void)state;
    write_some(deflate_list(), H5P_DEFAULT, false);
    assert_all_is_the_same();
    H5Pset_fill_value(list, H5T_NATIVE_DOUBLE, &fill);
    write_some(list, H5P_DEFAULT, false);
    assert_all_is_the_same();
}

static void chunks_at_the_edge_may_be_stored_as_they_are(void **state)
{
    hid_t list = deflate_list(), access = H5Pcreate(H5P_FILE_ACCESS);

    (void)state;
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    assert_true(H5Pset_chunk_opts(list, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) >= 0);
    write_some(list, access, true);
    assert_all_is_the_same();
    write_some(deflate_list(), access, true); /* other kinds of index than in the old format */
    assert_all_is_the_same();
    H5Pclose(access);
}

/* -- Damaged ----------------------------------------------------------------------------------- */

/* A file of x [2][3] floats in one chunk, which has these bytes. */
static void write_chunk(const h5_storage *storage, uint32_t skipped, const void *bytes, size_t n)
{
    hid_t file = h5_create(FILE_NAME), dataset;

    h5_write(file, "x", H5T_IEEE_F32LE, 2, (const hsize_t[]){2, 3}, storage, 0, NULL);
    dataset = H5Dopen2(file, "x", H5P_DEFAULT);
    assert_true(H5Dwrite_chunk(dataset, H5P_DEFAULT, skipped, (const hsize_t[]){0, 0}, n, bytes) >=
                0);
    H5Dclose(dataset);
    h5_close(file);
}

static rnn_status read_chunk(float values[6])
{
    rnn_hdf5_file *file;
    rnn_hdf5_array *array;
    rnn_status st;

    assert_int_equal(rnn_hdf5_file_open(&file, FILE_NAME, "/"), RNN_OK);
    assert_int_equal(rnn_hdf5_array_open(&array, file, "x", false), RNN_OK);
    st = rnn_hdf5_read_floats(array, (rnn_hdf5_part){0, 2, 3}, 0, 1, values);
    if (st != RNN_OK) /* nor is there anything half read afterwards */
        assert_int_equal(rnn_hdf5_read_floats(array, (rnn_hdf5_part){0, 2, 3}, 0, 1, values), st);
    rnn_hdf5_array_close(&array);
    rnn_hdf5_file_close(&file);
    return st;
}

static void assert_chunk_refused(const h5_storage *storage, const void *bytes, size_t n,
                                 const char *reason)
{
    float values[6];
    char message[256];

    write_chunk(storage, 0, bytes, n);
    snprintf(message, sizeof message, "%s: /x cannot be read: its chunk at [0][0] %s", FILE_NAME,
             reason);
    assert_int_equal(read_chunk(values), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), message);
}

static void damaged_chunks_are_refused_with_their_place(void **state)
{
    const h5_storage deflate = {.chunk = {2, 3}, .deflate = 1};
    const h5_storage sum = {.chunk = {2, 3}, .fletcher32 = 1};
    const h5_storage packed_sum = {.chunk = {2, 3}, .deflate = 1, .fletcher32 = 1};
    const h5_storage shuffle = {.chunk = {2, 3}, .shuffle = 1};
    unsigned char values[100] = {1, 2, 3}, packed[200];
    uLongf n;

    (void)state;
    n = sizeof packed;
    compress(packed, &n, values, 20);
    assert_chunk_refused(&deflate, packed, n,
                         "decompresses to 20 bytes, expected 24: it is damaged");
    n = sizeof packed;
    compress(packed, &n, values, 100);
    assert_chunk_refused(&deflate, packed, n,
                         "decompresses to more than the expected 24 bytes: it is damaged");
    n = sizeof packed;
    compress(packed, &n, values, 24);
    assert_chunk_refused(&deflate, packed, n - 5, "cannot be decompressed: it ends too early");
    packed[n - 1] ^= 1;
    assert_chunk_refused(&deflate, packed, n, "cannot be decompressed: incorrect data check");
    assert_chunk_refused(&sum, values, 28,
                         "has the checksum 2d180402 (fletcher32), but 00000000 was written: it is "
                         "damaged");
    assert_chunk_refused(&packed_sum, values, 3, "has 3 bytes, which are too few for its checksum");
    assert_chunk_refused(&shuffle, values, 100, "has 100 bytes, expected 24: it is damaged");
}

static void filters_can_be_skipped_for_a_chunk(void **state)
{
    const h5_storage both = {.chunk = {2, 3}, .deflate = 1, .shuffle = 1};
    const float expected[6] = {1, -2, 3.5F, 0, 5, 6};
    float values[6];

    (void)state;
    write_chunk(&both, 3, expected, sizeof expected);
    assert_int_equal(read_chunk(values), RNN_OK);
    assert_memory_equal(values, expected, sizeof expected);
}

/* -- Decoding alone ---------------------------------------------------------------------------- */

/* By hand: the words 0102, 0304, 0500 sum to 0906, and their sums 0102, 0406, 0906 to 0E0E. */
static void a_checksum_is_that_of_fletcher(void **state)
{
    const rnn_hdf5_pipeline p = {.filter = {RNN_HDF5_FLETCHER32}, .n_filters = 1, .n_bytes = 5};
    const uint8_t stored[] = {1, 2, 3, 4, 5, 0x06, 0x09, 0x0E, 0x0E};
    const uint8_t swapped[] = {1, 2, 3, 4, 5, 0x09, 0x06, 0x0E, 0x0E};
    rnn_hdf5_chunk_work work = {0};
    uint8_t values[5];

    (void)state;
    assert_int_equal(rnn_hdf5_chunk_decode(&p, 0, stored, 9, &work, values), RNN_OK);
    assert_memory_equal(values, stored, 5);
    assert_int_equal(rnn_hdf5_chunk_decode(&p, 0, swapped, 9, &work, values), RNN_OK);
    rnn_hdf5_chunk_work_free(&work);
}

/* Three filters take turns in two pieces of memory. */
static void any_order_of_filters_is_undone(void **state)
{
    const rnn_hdf5_pipeline p = {
        .filter = {RNN_HDF5_SHUFFLE, RNN_HDF5_FLETCHER32, RNN_HDF5_DEFLATE},
        .n_filters = 3,
        .value_size = 2,
        .n_bytes = 5};
    /* 11 21 12 22 13 23 by twos is 11 12 13 ..., of five bytes the last one stays where it is. */
    const uint8_t inner[] = {0x11, 0x21, 0x12, 0x22, 0x13, 0x43, 0x36, 0xA7, 0x6A};
    const uint8_t expected[] = {0x11, 0x12, 0x21, 0x22, 0x13};
    rnn_hdf5_chunk_work work = {0};
    uint8_t values[5], packed[64];
    uLongf n = sizeof packed;

    (void)state;
    compress(packed, &n, inner, sizeof inner);
    if (rnn_hdf5_chunk_decode(&p, 0, packed, n, &work, values) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_memory_equal(values, expected, 5);
    rnn_hdf5_chunk_work_free(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_the_same_as_libhdf5_reads),
        cmocka_unit_test(chunks_that_were_never_written_have_the_fill_value),
        cmocka_unit_test(chunks_at_the_edge_may_be_stored_as_they_are),
        cmocka_unit_test(damaged_chunks_are_refused_with_their_place),
        cmocka_unit_test(filters_can_be_skipped_for_a_chunk),
        cmocka_unit_test(a_checksum_is_that_of_fletcher),
        cmocka_unit_test(any_order_of_filters_is_undone),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
