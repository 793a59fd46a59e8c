#include "tests/unit/idx_files.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/idx.h"
#include "kernels/digest.h"

enum { COUNT = 5, ROWS = 3, COLS = 2, N_VALUES = COUNT * ROWS * COLS, N_HEADER = 16 };

static char folder[64];

static int create_folder(void **state)
{
    (void)state;
    idx_folder_create(folder);
    alarm(60); /* a reader that blocks fails the test */
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    alarm(0);
    idx_folder_remove(folder);
    return 0;
}

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_status read_bytes(rnn_idx *out, const uint8_t *bytes, size_t n_bytes, bool gzip,
                             rnn_idx_kind kind)
{
    const char *path = idx_path(folder, "file");

    idx_write(path, bytes, n_bytes, gzip);
    return rnn_idx_read(out, path, kind);
}

/* Reading `path` fails with `code` and a message that contains `part`; nothing is left behind. */
static void assert_path_refused(const char *path, rnn_idx_kind kind, rnn_status code,
                                const char *part)
{
    rnn_idx idx = {.count = 1};

    assert_int_equal(rnn_idx_read(&idx, path, kind), code);
    assert_null(idx.bytes);
    assert_int_equal(idx.count, 0);
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, rnn_error_message());
}

/* As above for these bytes, plain and with gzip. */
static void assert_refused(const uint8_t *bytes, size_t n_bytes, rnn_idx_kind kind,
                           const char *part)
{
    const char *path = idx_path(folder, "file");

    for (int gzip = 0; gzip < 2; gzip++) {
        idx_write(path, bytes, n_bytes, gzip);
        assert_path_refused(path, kind, RNN_ERR_DATA, part);
    }
}

static void assert_header_refused(uint32_t magic, const uint32_t *dimensions, const char *part)
{
    idx_file file = idx_make(magic, dimensions, 64);

    assert_refused(file.bytes, file.n_bytes, RNN_IDX_IMAGES, part);
    idx_free(&file);
}

/* -- What is read -------------------------------------------------------------------------------*/

static void images_are_read_alike_plain_and_gzip(void **state)
{
    idx_file file = idx_make_images(COUNT, ROWS, COLS);

    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        rnn_idx idx;

        assert_int_equal(read_bytes(&idx, file.bytes, file.n_bytes, gzip, RNN_IDX_IMAGES), RNN_OK);
        assert_int_equal(idx.count, COUNT);
        assert_int_equal(idx.rows, ROWS);
        assert_int_equal(idx.cols, COLS);
        assert_int_equal(idx.n_bytes, file.n_bytes);
        assert_memory_equal(idx.values, file.bytes + N_HEADER, N_VALUES);
        assert_true(idx.digest == rnn_digest(file.bytes, file.n_bytes));
        rnn_idx_release(&idx);
        assert_null(idx.bytes);
    }
    idx_free(&file);
}

static void labels_have_one_row_and_column(void **state)
{
    idx_file file = idx_make_labels(7);
    rnn_idx idx;

    (void)state;
    assert_int_equal(read_bytes(&idx, file.bytes, file.n_bytes, false, RNN_IDX_LABELS), RNN_OK);
    assert_int_equal(idx.count, 7);
    assert_int_equal(idx.rows, 1);
    assert_int_equal(idx.cols, 1);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(idx.values[i], idx_label(i));
    rnn_idx_release(&idx);
    idx_free(&file);
}

/* 23 MB: memory is taken in several steps. */
static void long_content_survives_the_growth_of_memory(void **state)
{
    idx_file file = idx_make_images(30000, 28, 28);

    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        rnn_idx idx;

        assert_int_equal(read_bytes(&idx, file.bytes, file.n_bytes, gzip, RNN_IDX_IMAGES), RNN_OK);
        assert_int_equal(idx.n_bytes, file.n_bytes);
        assert_memory_equal(idx.bytes, file.bytes, file.n_bytes);
        rnn_idx_release(&idx);
    }
    idx_free(&file);
}

/* -- Headers ------------------------------------------------------------------------------------*/

static void other_element_types_are_refused_by_name(void **state)
{
    const uint32_t dimensions[] = {2, 2, 2};

    (void)state;
    assert_header_refused(0x00000903, dimensions, "found magic 0x00000903: signed bytes, 3 dim");
    assert_header_refused(0x00000D03, dimensions, "found magic 0x00000d03: 32-bit floats, 3 dim");
}

static void other_numbers_of_dimensions_are_refused(void **state)
{
    const uint32_t dimensions[] = {2, 2, 2, 2};
    idx_file images = idx_make_images(COUNT, ROWS, COLS);

    (void)state;
    assert_header_refused(IDX_LABELS, dimensions, "unsigned bytes, 1 dimension");
    assert_header_refused(0x00000804, dimensions, "unsigned bytes, 4 dimensions");
    assert_refused(images.bytes, images.n_bytes, RNN_IDX_LABELS, "expected IDX labels");
    idx_free(&images);
}

static void what_is_not_idx_is_refused(void **state)
{
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n and so on, long enough for a header";

    (void)state;
    assert_refused(png, sizeof png, RNN_IDX_IMAGES, "found magic 0x89504e47: not an IDX file");
}

static void empty_dimensions_are_refused(void **state)
{
    (void)state;
    assert_header_refused(IDX_IMAGES, (uint32_t[]){0, 3, 2}, "empty: header says 0 images of 3x2");
    assert_header_refused(IDX_IMAGES, (uint32_t[]){5, 0, 2}, "empty: header says 5 images of 0x2");
    assert_header_refused(IDX_IMAGES, (uint32_t[]){5, 3, 0}, "empty: header says 5 images of 3x0");
}

static void dimensions_whose_product_overflows_are_refused(void **state)
{
    const uint32_t most = UINT32_MAX;

    (void)state;
    assert_header_refused(IDX_IMAGES, (uint32_t[]){most, most, most}, "does not fit in memory");
    /* 2^64 - 1 values: they fit, but not behind a header. */
    assert_header_refused(IDX_IMAGES, (uint32_t[]){most, 641, 6700417}, "does not fit in memory");
    /* 2^64 - 2^32. */
    assert_header_refused(IDX_IMAGES, (uint32_t[]){most, 65536, 65536}, "truncated");
}

/* 2^42 bytes cannot be had at all; 2^30 could, and would show. */
static void memory_does_not_follow_the_claims_of_a_header(void **state)
{
    struct rusage before, after;

    (void)state;
    getrusage(RUSAGE_SELF, &before);
    assert_header_refused(IDX_IMAGES, (uint32_t[]){1u << 22, 1024, 1024},
                          "header says 4194304 images of 1024x1024 = 4398046511104 bytes, "
                          "file has 64");
    assert_header_refused(IDX_IMAGES, (uint32_t[]){1u << 20, 32, 32},
                          "header says 1048576 images of 32x32 = 1073741824 bytes, file has 64");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss <= 100 << 10); /* kB; sanitizers keep some */
}

/* -- Sizes --------------------------------------------------------------------------------------*/

static void every_shortened_file_is_refused(void **state)
{
    idx_file file = idx_make_images(COUNT, ROWS, COLS);

    (void)state;
    for (size_t n = 0; n < file.n_bytes; n++)
        assert_refused(file.bytes, n, RNN_IDX_IMAGES, "truncated");
    assert_refused(file.bytes, file.n_bytes - 1, RNN_IDX_IMAGES,
                   "truncated: header says 5 images of 3x2 = 30 bytes, file has 29");
    assert_refused(file.bytes, 9, RNN_IDX_IMAGES,
                   "truncated: expected an IDX header of 16 bytes, file has 9");
    idx_free(&file);
}

static void trailing_bytes_are_refused(void **state)
{
    idx_file file = idx_make_labels(COUNT + 1);

    (void)state;
    file.bytes[7] = COUNT;
    assert_refused(file.bytes, file.n_bytes, RNN_IDX_LABELS,
                   "trailing bytes: header says 5 labels = 5 bytes, file has more");
    idx_free(&file);
}

/* -- Damaged gzip streams -----------------------------------------------------------------------*/

static void every_shortened_gzip_stream_is_refused(void **state)
{
    idx_file file = idx_make_images(COUNT, ROWS, COLS), packed;
    const char *path = idx_path(folder, "file");

    (void)state;
    idx_write(path, file.bytes, file.n_bytes, true);
    packed = idx_load(path);
    for (size_t n = 0; n < packed.n_bytes; n++) {
        idx_write(path, packed.bytes, n, false);
        assert_path_refused(path, RNN_IDX_IMAGES, RNN_ERR_DATA, path);
    }
    assert_path_refused(path, RNN_IDX_IMAGES, RNN_ERR_DATA, "damaged gzip stream after 46 bytes");
    idx_free(&packed);
    idx_free(&file);
}

/* Some bits of a gzip header mean nothing (the time, the system); all others must be noticed. */
static void a_flipped_bit_never_gives_other_content(void **state)
{
    idx_file file = idx_make_images(COUNT, ROWS, COLS), packed;
    const char *path = idx_path(folder, "file");
    size_t n_refused = 0;

    (void)state;
    idx_write(path, file.bytes, file.n_bytes, true);
    packed = idx_load(path);
    for (size_t bit = 0; bit < 8 * packed.n_bytes; bit++) {
        rnn_idx idx;

        packed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (read_bytes(&idx, packed.bytes, packed.n_bytes, false, RNN_IDX_IMAGES) == RNN_OK)
            assert_memory_equal(idx.bytes, file.bytes, file.n_bytes);
        else
            n_refused++;
        rnn_idx_release(&idx);
        packed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(n_refused >= 8 * (packed.n_bytes - 10)); /* all behind the header */
    idx_free(&packed);
    idx_free(&file);
}

/* -- What is not a readable file ----------------------------------------------------------------*/

static void only_regular_files_are_opened(void **state)
{
    const char *pipe = idx_path(folder, "pipe");

    (void)state;
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_path_refused(pipe, RNN_IDX_IMAGES, RNN_ERR_NOINPUT, "found a device, pipe or socket");
    assert_path_refused("/dev/zero", RNN_IDX_IMAGES, RNN_ERR_NOINPUT, "'/dev/zero'");
    assert_path_refused(folder, RNN_IDX_IMAGES, RNN_ERR_NOINPUT, "found a folder");
}

static void missing_files_are_named(void **state)
{
    const char *path = idx_path(folder, "absent");

    (void)state;
    assert_path_refused(path, RNN_IDX_IMAGES, RNN_ERR_NOINPUT, path);
    assert_path_refused(path, RNN_IDX_IMAGES, RNN_ERR_NOINPUT, strerror(ENOENT));
}

/* The memory of a process is a regular file whose first page cannot be read. */
static void failing_reads_are_errors_of_the_system(void **state)
{
    (void)state;
    assert_path_refused("/proc/self/mem", RNN_IDX_IMAGES, RNN_ERR_IO, "cannot read");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it looks at the peak of memory, which other tests raise. */
        TEST(memory_does_not_follow_the_claims_of_a_header),
        TEST(images_are_read_alike_plain_and_gzip),
        TEST(labels_have_one_row_and_column),
        TEST(long_content_survives_the_growth_of_memory),
        TEST(other_element_types_are_refused_by_name),
        TEST(other_numbers_of_dimensions_are_refused),
        TEST(what_is_not_idx_is_refused),
        TEST(empty_dimensions_are_refused),
        TEST(dimensions_whose_product_overflows_are_refused),
        TEST(every_shortened_file_is_refused),
        TEST(trailing_bytes_are_refused),
        TEST(every_shortened_gzip_stream_is_refused),
        TEST(a_flipped_bit_never_gives_other_content),
        TEST(only_regular_files_are_opened),
        TEST(missing_files_are_named),
        TEST(failing_reads_are_errors_of_the_system),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
