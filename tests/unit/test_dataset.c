#include "tests/unit/idx_files.h"

#include <math.h>
#include <unistd.h>

/* Images higher than wide, so that rows and columns cannot be mistaken for each other. */
enum { N_TRAIN = 13, N_TEST = 6, ROWS = 4, COLS = 3, IMAGE = ROWS * COLS };

static char folder[64];
static const char *search[] = {folder};

static int create_dataset(void **state)
{
    (void)state;
    idx_folder_create(folder);
    idx_write_dataset(folder, N_TRAIN, N_TEST, ROWS, COLS);
    return 0;
}

static int remove_dataset(void **state)
{
    (void)state;
    idx_folder_remove(folder);
    return 0;
}

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_dataset_cfg default_cfg(void)
{
    return idx_dataset_cfg(search, 1);
}

static rnn_dataset *open_dataset(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;
    rnn_status st = rnn_dataset_open(&dataset, cfg);

    if (st != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static void assert_message_has(const char *part)
{
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, rnn_error_message());
}

static void assert_refused(const rnn_dataset_cfg *cfg, rnn_status code, const char *part)
{
    rnn_dataset *dataset;

    assert_int_equal(rnn_dataset_open(&dataset, cfg), code);
    assert_null(dataset);
    assert_message_has(part);
}

/* Puts other files in place of the default ones. */
static void replace(const char *name, idx_file file)
{
    idx_write(idx_path(folder, name), file.bytes, file.n_bytes, false);
    idx_free(&file);
}

static uint64_t digest_of_folder(void)
{
    rnn_dataset_cfg cfg = default_cfg();
    rnn_dataset *dataset = open_dataset(&cfg);
    uint64_t digest = rnn_dataset_get_info(dataset)->digest;

    rnn_dataset_destroy(&dataset);
    return digest;
}

/* -- What is found ------------------------------------------------------------------------------*/

static void info_describes_the_files(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();
    rnn_dataset *dataset = open_dataset(&cfg);
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    (void)state;
    assert_string_equal(info->folder, folder);
    assert_string_equal(info->name, "unknown");
    assert_true(info->is_expected);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], N_TRAIN);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], N_TEST);
    assert_int_equal(info->seq_len, ROWS);
    assert_int_equal(info->min_len, ROWS);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, COLS);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_LABEL);
    assert_int_equal(info->n_target_values, 0);
    assert_int_equal(info->n_classes, IDX_CLASSES);
    assert_true(info->bytes_in_memory >= (N_TRAIN + N_TEST) * (IMAGE + 1));
    assert_null(rnn_dataset_lengths(dataset, RNN_SPLIT_TRAIN));
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TEST, N_TEST - 1), ROWS);
    assert_null(rnn_dataset_token_text(dataset, 0));
    rnn_dataset_destroy(&dataset);
    assert_null(dataset);
    rnn_dataset_destroy(&dataset);
}

static void another_name_than_the_recipe_expects_is_noticed(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();
    rnn_dataset *dataset;

    (void)state;
    cfg.name = "MNIST";
    dataset = open_dataset(&cfg);
    assert_false(rnn_dataset_get_info(dataset)->is_expected);
    rnn_dataset_destroy(&dataset);
}

static void fashion_mnist_is_recognised_by_content(void **state)
{
    static const char *const debian[] = {"/usr/share/datasets/fashion-mnist"};
    rnn_dataset_cfg cfg = idx_dataset_cfg(debian, 1);
    rnn_dataset *dataset;
    const rnn_dataset_info *info;

    (void)state;
    if (access(debian[0], R_OK) != 0) {
        print_message("skipped: no %s (Debian package dataset-fashion-mnist)\n", debian[0]);
        skip();
    }
    cfg.name = "Fashion-MNIST";
    cfg.file[RNN_SPLIT_TRAIN] = "train-images-idx3-ubyte";
    cfg.target_file[RNN_SPLIT_TRAIN] = "train-labels-idx1-ubyte";
    cfg.file[RNN_SPLIT_TEST] = "t10k-images-idx3-ubyte";
    cfg.target_file[RNN_SPLIT_TEST] = "t10k-labels-idx1-ubyte";
    dataset = open_dataset(&cfg);
    info = rnn_dataset_get_info(dataset);
    assert_string_equal(info->name, "Fashion-MNIST");
    assert_true(info->is_expected);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 60000);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 10000);
    assert_int_equal(info->seq_len, 28);
    assert_int_equal(info->n_features, 28);
    assert_int_equal(info->n_classes, 10);
    rnn_dataset_destroy(&dataset);
}

static void digest_depends_on_every_file_and_not_on_compression(void **state)
{
    static const char *const names[] = {"train-images", "train-labels", "test-images",
                                        "test-labels"};
    uint64_t original = digest_of_folder();

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint32_t count = i < 2 ? N_TRAIN : N_TEST;
        idx_file file = i % 2 == 0 ? idx_make_images(count, ROWS, COLS) : idx_make_labels(count);
        const char *path = idx_path(folder, names[i]);

        idx_write(path, file.bytes, file.n_bytes, true);
        assert_true(digest_of_folder() == original);
        file.bytes[file.n_bytes - 1] ^= 1;
        idx_write(path, file.bytes, file.n_bytes, false);
        assert_true(digest_of_folder() != original);
        file.bytes[file.n_bytes - 1] ^= 1;
        idx_write(path, file.bytes, file.n_bytes, false);
        idx_free(&file);
    }
}

static void limits_shorten_the_splits_but_not_the_checks(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();
    rnn_dataset *dataset;
    idx_file labels = idx_make_labels(N_TRAIN);

    (void)state;
    cfg.limit[RNN_SPLIT_TRAIN] = 4;
    cfg.limit[RNN_SPLIT_TEST] = N_TEST + 1;
    dataset = open_dataset(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 4);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TEST], N_TEST);
    rnn_dataset_destroy(&dataset);
    labels.bytes[labels.n_bytes - 1] = IDX_CLASSES;
    replace("train-labels", labels);
    assert_refused(&cfg, RNN_ERR_DATA, "train-labels: label 12 is 10, expected less than 10");
}

/* -- The search path ----------------------------------------------------------------------------*/

static void variables_and_the_home_folder_are_expanded(void **state)
{
    const char *tail = strrchr(folder, '/') + 1;
    char *home = getenv("HOME") != NULL ? strdup(getenv("HOME")) : NULL;
    const char *const patterns[] = {"~/$RNN_TEST_TAIL", "$HOME/$RNN_TEST_TAIL", "$RNN_TEST_FOLDER",
                                    "~/./$RNN_TEST_TAIL"};

    (void)state;
    setenv("HOME", "/tmp", 1);
    setenv("RNN_TEST_TAIL", tail, 1);
    setenv("RNN_TEST_FOLDER", folder, 1);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        rnn_dataset_cfg cfg = idx_dataset_cfg(&patterns[i], 1);
        rnn_dataset *dataset = open_dataset(&cfg);

        assert_string_equal(rnn_dataset_get_info(dataset)->folder,
                            i < 3 ? folder : idx_path("/tmp/.", tail));
        rnn_dataset_destroy(&dataset);
    }
    if (home != NULL)
        setenv("HOME", home, 1);
    free(home);
}

static void folders_without_the_files_are_passed_over(void **state)
{
    const char *const several[] = {"$RNN_TEST_UNSET/mnist", "/nonexistent/mnist", "/usr", folder};
    rnn_dataset_cfg cfg = idx_dataset_cfg(several, 4);
    rnn_dataset *dataset = open_dataset(&cfg);

    (void)state;
    assert_string_equal(rnn_dataset_get_info(dataset)->folder, folder);
    rnn_dataset_destroy(&dataset);
}

static void the_first_folder_with_the_files_wins(void **state)
{
    char other[64];
    const char *const both[] = {other, folder};
    rnn_dataset_cfg cfg = idx_dataset_cfg(both, 2);
    rnn_dataset *dataset;

    (void)state;
    idx_folder_create(other);
    idx_write_dataset(other, 2, 1, ROWS, COLS);
    dataset = open_dataset(&cfg);
    assert_string_equal(rnn_dataset_get_info(dataset)->folder, other);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 2);
    rnn_dataset_destroy(&dataset);
    idx_folder_remove(other);
}

static void a_vain_search_lists_every_folder(void **state)
{
    const char *const vain[] = {"$RNN_TEST_UNSET/mnist", "$RNN_TEST_A/a$b/$", "~nobody"};
    rnn_dataset_cfg cfg = idx_dataset_cfg(vain, 3);

    (void)state;
    setenv("RNN_TEST_A", "/nonexistent", 1);
    setenv("b", "c", 1);
    assert_refused(&cfg, RNN_ERR_NOINPUT,
                   "'$RNN_TEST_UNSET/mnist' ($RNN_TEST_UNSET is not set); '/nonexistent/ac/$'; "
                   "'~nobody'");
    assert_message_has("train-images");
    cfg.n_search = 0;
    assert_refused(&cfg, RNN_ERR_NOINPUT, "no folder at all");
}

static void an_endless_folder_name_is_not_found(void **state)
{
    static char name[6000] = "/tmp";
    const char *const endless[] = {name};
    rnn_dataset_cfg cfg = idx_dataset_cfg(endless, 1);

    (void)state;
    for (size_t i = 4; i < sizeof name - 1; i++)
        name[i] = i % 2 == 0 ? '/' : '.';
    assert_refused(&cfg, RNN_ERR_NOINPUT, "no folder has the dataset's files");
}

static void an_incomplete_folder_is_named_with_what_is_missing(void **state)
{
    const char *const both[] = {folder, folder};
    rnn_dataset_cfg cfg = idx_dataset_cfg(both, 2);

    (void)state;
    assert_int_equal(remove(idx_path(folder, "test-labels.gz")), 0);
    assert_int_equal(remove(idx_path(folder, "train-images")), 0);
    assert_refused(&cfg, RNN_ERR_NOINPUT, "found 2 of 4 files");
    assert_message_has("train-images test-labels");
    assert_message_has(folder);
}

/* -- Files that do not fit together -------------------------------------------------------------*/

static void counts_of_images_and_labels_must_agree(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();

    (void)state;
    replace("train-labels", idx_make_labels(N_TRAIN + 1));
    assert_refused(&cfg, RNN_ERR_DATA,
                   "train-images has 13 images, but train-labels has 14 labels");
}

static void labels_must_be_below_the_number_of_classes(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();

    (void)state;
    cfg.n_classes = 7;
    assert_refused(&cfg, RNN_ERR_DATA, "train-labels: label 1 is 7, expected less than 7");
}

static void both_splits_must_have_the_same_image_size(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();

    (void)state;
    replace("test-images", idx_make_images(N_TEST, COLS, ROWS));
    assert_refused(&cfg, RNN_ERR_DATA, "training images are 4x3, but test images 3x4");
}

static void a_damaged_file_is_refused(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();

    (void)state;
    replace("test-images", idx_make_labels(N_TEST));
    assert_refused(&cfg, RNN_ERR_DATA, "/test-images': expected IDX images");
}

static void settings_without_meaning_are_refused(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();

    (void)state;
    cfg.format = "parquet";
    assert_refused(&cfg, RNN_ERR_DATA, "'parquet' is not known, expected 'idx'");
    cfg = default_cfg();
    cfg.std = 0;
    assert_refused(&cfg, RNN_ERR_DATA, "std > 0");
    cfg.std = 1;
    cfg.mean = NAN;
    assert_refused(&cfg, RNN_ERR_DATA, "finite");
}

/* -- Gathering ----------------------------------------------------------------------------------*/

/* Exact: both sides round the same double expression once. Steps behind the image are padding. */
static void check_gather(rnn_sequence sequence)
{
    enum { SLOTS = 5, VALID = 3, EXTRA = 2, MAX_VALUES = (ROWS + EXTRA) * (COLS + EXTRA) * SLOTS };
    static const uint64_t index[VALID] = {5, 0, 3};
    rnn_dataset_cfg cfg = default_cfg();
    float x[MAX_VALUES];
    int32_t label[SLOTS], length[SLOTS];
    const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};
    rnn_dataset *dataset;
    size_t seq_len = sequence == RNN_SEQUENCE_ROWS ? ROWS : COLS;
    size_t n_features = IMAGE / seq_len;

    cfg.sequence = sequence;
    cfg.mean = 0.1307;
    cfg.std = 0.3081;
    dataset = open_dataset(&cfg);
    memset(x, 0xFF, sizeof x);
    memset(label, 0x55, sizeof label);
    rnn_dataset_gather(dataset, RNN_SPLIT_TEST, index, VALID, SLOTS, seq_len + EXTRA, &slice);
    for (size_t i = 0; i < (seq_len + EXTRA) * n_features * SLOTS; i++) {
        size_t t = i / n_features / SLOTS, slot = i / n_features % SLOTS, f = i % n_features;
        size_t pixel = sequence == RNN_SEQUENCE_ROWS ? t * COLS + f : f * COLS + t;
        float expected = 0;

        if (slot < VALID && t < seq_len)
            expected =
                (float)((idx_pixel(index[slot] * IMAGE + pixel) / 255.0 - cfg.mean) / cfg.std);
        if (x[i] != expected)
            fail_msg("step %zu, slot %zu, feature %zu: expected %g, found %g", t, slot, f,
                     (double)expected, (double)x[i]);
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        assert_int_equal(label[slot], slot < VALID ? idx_label(index[slot]) : -1);
        assert_int_equal(length[slot], slot < VALID ? seq_len : 0);
    }
    rnn_dataset_destroy(&dataset);
}

static void gather_puts_rows_into_steps_and_clears_the_padding(void **state)
{
    (void)state;
    check_gather(RNN_SEQUENCE_ROWS);
}

static void gather_puts_columns_into_steps_and_clears_the_padding(void **state)
{
    (void)state;
    check_gather(RNN_SEQUENCE_COLUMNS);
}

static void gathering_nothing_gives_padding_alone(void **state)
{
    rnn_dataset_cfg cfg = default_cfg();
    rnn_dataset *dataset = open_dataset(&cfg);
    float x[2 * IMAGE];
    int32_t label[2] = {7, 7}, length[2] = {7, 7};
    const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};

    (void)state;
    memset(x, 0xFF, sizeof x);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, NULL, 0, 2, ROWS, &slice);
    for (size_t i = 0; i < 2 * IMAGE; i++)
        assert_true(x[i] == 0);
    assert_int_equal(label[0], -1);
    assert_int_equal(label[1], -1);
    assert_int_equal(length[0], 0);
    assert_int_equal(length[1], 0);
    rnn_dataset_destroy(&dataset);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create_dataset, remove_dataset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(info_describes_the_files),
        TEST(another_name_than_the_recipe_expects_is_noticed),
        TEST(fashion_mnist_is_recognised_by_content),
        TEST(digest_depends_on_every_file_and_not_on_compression),
        TEST(limits_shorten_the_splits_but_not_the_checks),
        TEST(variables_and_the_home_folder_are_expanded),
        TEST(folders_without_the_files_are_passed_over),
        TEST(the_first_folder_with_the_files_wins),
        TEST(a_vain_search_lists_every_folder),
        TEST(an_endless_folder_name_is_not_found),
        TEST(an_incomplete_folder_is_named_with_what_is_missing),
        TEST(counts_of_images_and_labels_must_agree),
        TEST(labels_must_be_below_the_number_of_classes),
        TEST(both_splits_must_have_the_same_image_size),
        TEST(a_damaged_file_is_refused),
        TEST(settings_without_meaning_are_refused),
        TEST(gather_puts_rows_into_steps_and_clears_the_padding),
        TEST(gather_puts_columns_into_steps_and_clears_the_padding),
        TEST(gathering_nothing_gives_padding_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
