#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/file_digest.h"
#include "tests/unit/gathered_sample.h"

/* -- Writing ------------------------------------------------------------------------------------*/

enum { MAX_FILE = 1 << 16 };

typedef struct bytes {
    unsigned char at[MAX_FILE];
    size_t n;
} bytes;

static void append(bytes *to, const void *from, size_t n)
{
    assert_true(to->n + n <= MAX_FILE);
    memcpy(to->at + to->n, from, n);
    to->n += n;
}

/* Magic, version 1.0, and a dictionary padded so that the array begins at a multiple of 64. */
static void begin(bytes *to, const char *dictionary)
{
    size_t length = strlen(dictionary), padded = (10 + length + 64) / 64 * 64 - 10;
    const unsigned char size[2] = {(unsigned char)padded, (unsigned char)(padded >> 8)};

    to->n = 0;
    append(to, "\x93NUMPY\x01\x00", 8);
    append(to, size, 2);
    append(to, dictionary, length);
    for (size_t i = length; i + 1 < padded; i++)
        append(to, " ", 1);
    append(to, "\n", 1);
}

/* As NumPy writes it: an array of `type` and `shape`, "(2, 3)", in the order of C. */
static void begin_array(bytes *to, const char *type, const char *shape)
{
    char dictionary[256];

    snprintf(dictionary, sizeof dictionary,
             "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    begin(to, dictionary);
}

static void write_array(const char *name, const char *type, const char *shape, const void *data,
                        size_t n_bytes)
{
    bytes file;

    begin_array(&file, type, shape);
    append(&file, data, n_bytes);
    write_bytes(name, file.at, file.n);
}

#define WRITE(name, type, shape, element, ...)                                                     \
    do {                                                                                           \
        const element data_[] = {__VA_ARGS__};                                                     \
        write_array((name), (type), (shape), data_, sizeof data_);                                 \
    } while (0)

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

static rnn_dataset_cfg make_cfg(void)
{
    return (rnn_dataset_cfg){.format = "npy",
                             .search = search,
                             .n_search = 1,
                             .file = {"x.npy"},
                             .target_file = {"y.npy"},
                             .std = 1};
}

/* Two samples of three steps with two features, and a class for each. */
static void write_small(void)
{
    WRITE("x.npy", "<f4", "(2, 3, 2)", float, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    WRITE("y.npy", "<i8", "(2,)", int64_t, 3, 0);
}

static const rnn_dataset_info *info_of(const rnn_dataset *dataset)
{
    return rnn_dataset_get_info(dataset);
}

/* -- Inputs -------------------------------------------------------------------------------------*/

static void info_describes_the_files(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    const rnn_dataset_info *info;

    (void)state;
    write_small();
    dataset = open_dataset(&cfg);
    info = info_of(dataset);
    assert_string_equal(info->folder, ".");
    assert_string_equal(info->name, "unknown");
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_int_equal(info->n_samples[RNN_SPLIT_VALID], 0);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 0);
    assert_int_equal(info->seq_len, 3);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, 2);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_LABEL);
    assert_int_equal(info->n_classes, 4);
    assert_int_equal(info->n_target_values, 0);
    assert_true(info->has_targets);
    assert_null(rnn_dataset_token_text(dataset, 0));
    rnn_dataset_destroy(&dataset);
}

static void samples_are_read_with_their_labels(void **state)
{
    enum { ROWS = 3, T = 4 };
    static const uint64_t index[] = {1, 0};
    float x[T * ROWS * 2];
    int32_t length[ROWS], label[ROWS];
    const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    write_small();
    dataset = open_dataset(&cfg);
    assert_int_equal(rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, index, 2, ROWS, T, &slice),
                     RNN_OK);
    assert_floats(x, 7, 8, 1, 2, 0, 0, 9, 10, 3, 4, 0, 0, 11, 12, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0);
    assert_labels(label, 0, 3, -1);
    assert_labels(length, 3, 3, 0);
    rnn_dataset_destroy(&dataset);
}

/* The same numbers as NumPy stores them in each of its types. */
static void every_type_of_number_is_read(void **state)
{
    static const struct {
        const char *type;
        unsigned char data[16];
        float expected[2];
    } types[] = {
        {"<f4", {0, 0, 0xC0, 0x3F, 0, 0, 0x20, 0xC0}, {1.5f, -2.5f}},
        {">f4", {0x3F, 0xC0, 0, 0, 0xC0, 0x20, 0, 0}, {1.5f, -2.5f}},
        {"<f8", {0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0, 0, 0, 0, 0, 0, 4, 0xC0}, {1.5f, -2.5f}},
        {">f8", {0x3F, 0xF8, 0, 0, 0, 0, 0, 0, 0xC0, 4, 0, 0, 0, 0, 0, 0}, {1.5f, -2.5f}},
        {"<f2", {0x00, 0x3E, 0x00, 0xC1}, {1.5f, -2.5f}},
        {">f2", {0x3E, 0x00, 0xC1, 0x00}, {1.5f, -2.5f}},
        {"<f2", {0x01, 0x00, 0xFF, 0x83}, {0x1p-24f, -1023 * 0x1p-24f}}, /* without leading 1 */
        {"<f2", {0xFF, 0x7B, 0x00, 0x80}, {65504, 0}},
        {"|i1", {0x7F, 0x80}, {127, -128}},
        {"<i1", {0x7F, 0x80}, {127, -128}},
        {"|u1", {0x7F, 0x80}, {127, 128}},
        {"<i2", {0x01, 0x02, 0xFE, 0xFF}, {513, -2}},
        {">i2", {0x01, 0x02, 0xFF, 0xFE}, {258, -2}},
        {"<u2", {0x01, 0x02, 0xFE, 0xFF}, {513, 65534}},
        {"<i4", {0x01, 0, 0x01, 0, 0xFF, 0xFF, 0xFF, 0xFF}, {65537, -1}},
        {">i4", {0, 0x01, 0, 0x01, 0x80, 0, 0, 0}, {65537, -0x1p31f}},
        {"<u4", {0, 0, 0, 0x80, 0x05, 0, 0, 0}, {0x1p31f, 5}},
        {">u4", {0x80, 0, 0, 0, 0, 0, 0, 5}, {0x1p31f, 5}},
        {"<i8",
         {0, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
         {-0x1p63f, -1}},
        {">i8", {0, 0, 0, 0, 0, 0, 0, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD}, {9, -3}},
        {"<u8", {0, 0, 0, 0, 0, 0, 0, 0x80, 3, 0, 0, 0, 0, 0, 0, 0}, {0x1p63f, 3}},
        {"|b1", {0, 1}, {0, 1}},
    };
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("y.npy", "|u1", "(1,)", uint8_t, 0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t item = (size_t)(types[i].type[2] - '0');
        rnn_dataset *dataset;
        gathered_sample s;

        write_array("x.npy", types[i].type, "(1, 2)", types[i].data, 2 * item);
        dataset = open_dataset(&cfg);
        assert_int_equal(info_of(dataset)->n_features, 1);
        s = gather(dataset, RNN_SPLIT_TRAIN, 0);
        if (s.x[0] != types[i].expected[0] || s.x[1] != types[i].expected[1])
            fail_msg("%s (%zu): found %g and %g, expected %g and %g", types[i].type, i,
                     (double)s.x[0], (double)s.x[1], (double)types[i].expected[0],
                     (double)types[i].expected[1]);
        rnn_dataset_destroy(&dataset);
    }
}

static void inputs_are_normalised_and_targets_are_not(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    WRITE("x.npy", "|u1", "(1, 2)", uint8_t, 5, 9);
    WRITE("y.npy", "<f4", "(1,)", float, 5);
    cfg.mean = 5;
    cfg.std = 8;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 0, 0.5f);
    assert_floats(s.target, 5);
    rnn_dataset_destroy(&dataset);
}

/* Larger than what is read at once. */
static void long_samples_are_read_in_pieces(void **state)
{
    enum { T = 1500, F = 2, N = 2 };
    static float values[N * T * F];
    static int16_t labels[N * T];
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    for (int i = 0; i < N * T * F; i++)
        values[i] = (float)i;
    for (int i = 0; i < N * T; i++)
        labels[i] = (int16_t)(i % 2999);
    write_array("x.npy", "<f4", "(2, 1500, 2)", values, sizeof values);
    write_array("y.npy", "<i2", "(2, 1500)", labels, sizeof labels);
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_classes, 2999);
    assert_true(info_of(dataset)->bytes_in_memory < 4096);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_memory_equal(s.x, values + T * F, T * F * sizeof(float));
    for (int t = 0; t < T; t++)
        assert_int_equal(s.label[t], (T + t) % 2999);
    rnn_dataset_destroy(&dataset);
}

static void all_versions_and_spellings_of_the_header_are_read(void **state)
{
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }           \n",
        "{\"shape\":(1,2,),\"descr\":\"<f4\",\"fortran_order\":False}\n",
        "{ 'fortran_order' : False , 'descr':'<f4', 'shape': ( 1 ,2 )} \n",
    };
    static const float values[] = {7, 8};
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("y.npy", "|u1", "(1,)", uint8_t, 0);
    for (unsigned char version = 1; version <= 3; version++) {
        const char *header = headers[version - 1];
        const unsigned char length[4] = {(unsigned char)strlen(header)};
        rnn_dataset *dataset;
        gathered_sample s;
        bytes file = {.n = 0};

        append(&file, "\x93NUMPY", 6);
        append(&file, (const unsigned char[]){version, 0}, 2);
        append(&file, length, version == 1 ? 2 : 4);
        append(&file, header, strlen(header));
        append(&file, values, sizeof values);
        write_bytes("x.npy", file.at, file.n);
        dataset = open_dataset(&cfg);
        s = gather(dataset, RNN_SPLIT_TRAIN, 0);
        assert_floats(s.x, 7, 8);
        rnn_dataset_destroy(&dataset);
    }
}

/* -- Targets ------------------------------------------------------------------------------------*/

/* Arrays [2][3] of inputs, and of 12 bytes of 0 and 1 as targets of this type and shape. */
static const struct {
    const char *type, *shape;
    size_t n;
    rnn_target_choice choice;
    rnn_target_kind target;
    size_t n_values;
} kinds[] = {
    {"|u1", "(2,)", 2, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_LABEL, 0},
    {"|b1", "(2,)", 2, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_LABEL, 0},
    {"|i1", "(2, 3)", 6, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_STEP_LABEL, 0},
    {"|i1", "(2, 3, 2)", 12, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_STEP_VALUES, 2},
    {"<f2", "(2,)", 4, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_VALUES, 1},
    {"<f2", "(2, 3)", 12, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_VALUES, 3},
    {"<f2", "(2, 3, 1)", 12, RNN_TARGET_CHOICE_AUTO, RNN_TARGET_STEP_VALUES, 1},
    {"|u1", "(2,)", 2, RNN_TARGET_CHOICE_LABEL, RNN_TARGET_LABEL, 0},
    {"|u1", "(2, 3)", 6, RNN_TARGET_CHOICE_STEP_LABEL, RNN_TARGET_STEP_LABEL, 0},
    {"|u1", "(2,)", 2, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, 1},
    {"|u1", "(2, 5)", 10, RNN_TARGET_CHOICE_VALUES, RNN_TARGET_VALUES, 5},
    {"<f2", "(2, 3)", 12, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 1},
    {"|b1", "(2, 3, 2)", 12, RNN_TARGET_CHOICE_STEP_VALUES, RNN_TARGET_STEP_VALUES, 2},
};

static void targets_go_by_type_and_shape_unless_told_otherwise(void **state)
{
    static const unsigned char data[12] = {0, 1, 1};

    (void)state;
    WRITE("x.npy", "|u1", "(2, 3)", uint8_t, 1, 2, 3, 4, 5, 6);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        rnn_dataset_cfg cfg = make_cfg();
        rnn_dataset *dataset;

        cfg.target = kinds[i].choice;
        write_array("y.npy", kinds[i].type, kinds[i].shape, data, kinds[i].n);
        dataset = open_dataset(&cfg);
        assert_int_equal(info_of(dataset)->target, kinds[i].target);
        assert_int_equal(info_of(dataset)->n_target_values, kinds[i].n_values);
        assert_int_equal(info_of(dataset)->n_classes, kinds[i].n_values == 0 ? 2 : 0);
        gather(dataset, RNN_SPLIT_TRAIN, 1);
        rnn_dataset_destroy(&dataset);
    }
}

static void values_of_steps_are_in_their_places(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    WRITE("x.npy", "|u1", "(2, 2)", uint8_t, 1, 2, 3, 4);
    WRITE("y.npy", "<f4", "(2, 2, 3)", float, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.x, 3, 4);
    assert_floats(s.target, 7, 8, 9, 10, 11, 12);
    rnn_dataset_destroy(&dataset);
    WRITE("y.npy", "<f4", "(2, 3)", float, 1, 2, 3, 4, 5, 6);
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.target, 4, 5, 6);
    rnn_dataset_destroy(&dataset);
}

static void labels_may_be_ignored(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    WRITE("x.npy", "|u1", "(2, 2)", uint8_t, 1, 2, 3, 4);
    WRITE("y.npy", "<i4", "(2, 2)", int32_t, 5, -100, -1, 2);
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_classes, 6);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_labels(s.label, 5, -1);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_labels(s.label, -1, 2);
    rnn_dataset_destroy(&dataset);
}

/* -- Splits -------------------------------------------------------------------------------------*/

static void every_split_may_have_its_files(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_small();
    WRITE("vx.npy", "<i2", "(1, 3, 2)", int16_t, 1, 2, 3, 4, 5, 6);
    WRITE("vy.npy", "|u1", "(1,)", uint8_t, 9);
    WRITE("ex.npy", "<f4", "(2, 3, 2)", float, 21, 22, 23, 24, 25, 26, 7, 8, 9, 10, 11, 12);
    WRITE("ey.npy", "|u1", "(2,)", uint8_t, 1, 200);
    cfg.file[RNN_SPLIT_VALID] = "vx.npy";
    cfg.target_file[RNN_SPLIT_VALID] = "vy.npy";
    cfg.file[RNN_SPLIT_TEST] = "ex.npy";
    cfg.target_file[RNN_SPLIT_TEST] = "ey.npy";
    cfg.limit[RNN_SPLIT_TEST] = 1; /* label 200 is not in use */
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_VALID], 1);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 1);
    assert_int_equal(info_of(dataset)->n_classes, 10);
    s = gather(dataset, RNN_SPLIT_TEST, 0);
    assert_floats(s.x, 21, 22, 23, 24, 25, 26);
    assert_labels(s.label, 1);
    s = gather(dataset, RNN_SPLIT_VALID, 0);
    assert_floats(s.x, 1, 2, 3, 4, 5, 6);
    assert_labels(s.label, 9);
    rnn_dataset_destroy(&dataset);
}

static void fractions_come_from_the_training_file(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    WRITE("x.npy", "|u1", "(4, 1)", uint8_t, 1, 2, 3, 4);
    WRITE("y.npy", "|u1", "(4,)", uint8_t, 0, 1, 2, 3);
    cfg.test = 0.25;
    cfg.split_by = RNN_SPLIT_BY_ORDER;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 3);
    s = gather(dataset, RNN_SPLIT_TEST, 0);
    assert_floats(s.x, 4);
    assert_labels(s.label, 3);
    rnn_dataset_destroy(&dataset);
}

static void files_must_fit_together(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_small();
    WRITE("vx.npy", "<f4", "(1, 3)", float, 1, 2, 3);
    WRITE("vy.npy", "|u1", "(1,)", uint8_t, 0);
    cfg.file[RNN_SPLIT_VALID] = "vx.npy";
    cfg.target_file[RNN_SPLIT_VALID] = "vy.npy";
    assert_dataset_refused(&cfg, "./vx.npy: expected inputs of 3 steps and 2 features, as in the "
                                 "dataset's first file, found [1][3]");
    WRITE("vx.npy", "<f4", "(1, 3, 2)", float, 1, 2, 3, 4, 5, 6);
    WRITE("vy.npy", "<f4", "(1, 2)", float, 0, 1);
    assert_dataset_refused(&cfg, "./vy.npy: expected integers [1], for dataset.target 'label' of "
                                 "'./vx.npy', found floats of 4 bytes [1][2]");
    WRITE("y.npy", "<f8", "(2,)", double, 0, 1);
    assert_dataset_refused(&cfg, "./vy.npy: expected 1 values in a target, as in the dataset's "
                                 "first file, found 2");
    cfg.target_file[RNN_SPLIT_VALID] = "";
    assert_dataset_refused(&cfg, "dataset.valid_targets: expected a file's name, to go with "
                                 "'vx.npy', found none");
    cfg.file[RNN_SPLIT_VALID] = "";
    cfg.target_file[RNN_SPLIT_VALID] = "vy.npy";
    assert_dataset_refused(&cfg, "dataset.valid_targets is 'vy.npy': expected dataset.valid_file "
                                 "for its inputs, found none");
    cfg = make_cfg();
    cfg.file[RNN_SPLIT_TRAIN] = cfg.target_file[RNN_SPLIT_TRAIN] = "";
    assert_dataset_refused(&cfg, "dataset.train_file: expected a file's name, found none");
}

/* -- Without targets ----------------------------------------------------------------------------*/

static void targets_need_not_be_there(void **state)
{
    static double mean[] = {0, 0}, std[] = {1, 1};
    rnn_dataset_fit fit = {.n_texts = 0};
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_small();
    cfg.file[RNN_SPLIT_TEST] = "x.npy";
    cfg.file[RNN_SPLIT_TRAIN] = cfg.target_file[RNN_SPLIT_TRAIN] = "";
    cfg.needs_no_targets = true;
    cfg.fit = &fit;
    dataset = open_dataset(&cfg);
    assert_false(info_of(dataset)->has_targets);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 0);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 2);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_LABEL);
    s = gather(dataset, RNN_SPLIT_TEST, 1);
    assert_floats(s.x, 7, 8, 9, 10, 11, 12);
    assert_labels(s.label, -1);
    rnn_dataset_destroy(&dataset);
    fit.target_mean = mean;
    fit.target_std = std;
    fit.n_target_values = 2;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_VALUES);
    assert_int_equal(info_of(dataset)->n_target_values, 2);
    s = gather(dataset, RNN_SPLIT_TEST, 1);
    assert_floats(s.target, NAN, NAN);
    rnn_dataset_destroy(&dataset);
    cfg.needs_no_targets = false;
    assert_dataset_refused(&cfg, "dataset.test_targets: expected a file's name");
}

static void targets_of_some_splits_are_none(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_small();
    cfg.file[RNN_SPLIT_TEST] = "x.npy";
    cfg.target = RNN_TARGET_CHOICE_VALUES;
    cfg.needs_no_targets = true;
    dataset = open_dataset(&cfg);
    assert_false(info_of(dataset)->has_targets);
    assert_int_equal(info_of(dataset)->n_target_values, 1);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.target, NAN);
    rnn_dataset_destroy(&dataset);
}

/* -- What is refused in a header ----------------------------------------------------------------*/

#define REST "'fortran_order': False, 'shape': (1, 2), }"

/* A dictionary in place of a good one, which begins at byte 10, and a part of the message. */
static const struct {
    const char *dictionary, *part;
} headers[] = {
    {"", "byte 10: expected '{' to begin the header, found ''"},
    {"[1, 2]", "byte 10: expected '{' to begin the header, found '[1, 2]"},
    {"{", "expected a key in quotes, found ''"},
    {"{}", "byte 12: the header has no 'descr'"},
    {"{'descr': '<f4'}", "the header has no 'fortran_order'"},
    {"{'descr': '<f4', 'fortran_order': False}", "the header has no 'shape'"},
    {"{'fortran_order': False, 'shape': (1, 2)}", "the header has no 'descr'"},
    {"{'descr': '<f4' 'shape': (1, 2)}", "byte 26: expected ',' or '}', found ''shape'"},
    {"{'descr' '<f4'}", "byte 19: expected ':' behind a key, found ''<f4'}'"},
    {"{descr: '<f4'}", "byte 11: expected a key in quotes, found 'descr"},
    {"{'descr: <f4}", "byte 11: expected a key in quotes"},
    {"{'type': '<f4'}", "expected 'descr', 'fortran_order' or 'shape', found 'type'"},
    {"{'descr': '<f4', 'descr': '<f4', " REST, "'descr' for the second time"},
    {"{'descr': '<f4', " REST " x", "expected nothing behind '}', found 'x"},
    {"{'descr': '<f4', " REST "{}", "expected nothing behind '}', found '{}"},
    {"{'descr': '|O', " REST, "'descr': expected floats (f2, f4, f8), integers (i1 to i8, u1 to "
                              "u8) or booleans (b1) behind '<' or '>', found '|O'"},
    {"{'descr': '<c8', " REST, "behind '<' or '>', found '<c8'"},
    {"{'descr': '<U5', " REST, "found '<U5'"},
    {"{'descr': '|S5', " REST, "found '|S5'"},
    {"{'descr': '<M8[ns]', " REST, "found '<M8[ns]'"},
    {"{'descr': '<f16', " REST, "found '<f16'"},
    {"{'descr': '<f3', " REST, "found '<f3'"},
    {"{'descr': '|f4', " REST, "found '|f4'"},
    {"{'descr': '=f4', " REST, "found '=f4'"},
    {"{'descr': 'f4', " REST, "found 'f4'"},
    {"{'descr': '', " REST, "found ''"},
    {"{'descr': 4, " REST, "byte 20: expected the type of the elements in quotes, found '4, "},
    {"{'descr': '<f4444444444444444444444444444444444444444', " REST,
     "expected the type of the elements, found"},
    {"{'descr': [('a', '<f4'), ('b', '<i8')], " REST,
     "byte 20: 'descr': records of named fields are not supported, expected numbers, as '<f4'"},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}",
     "'fortran_order' is True: expected the order of C, as of numpy.save(file, "
     "numpy.ascontiguousarray(array))"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2)}",
     "byte 44: 'fortran_order': expected True or False, found '0, "},
    {"{'descr': '<f4', 'fortran_order': Falsely, 'shape': (1, 2)}",
     "'fortran_order': expected True or False, found 'Falsely"},
    {"{'descr': '<f4', 'fortran_order': 'False', 'shape': (1, 2)}", "expected True or False"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': [1, 2]}",
     "expected '(' to begin 'shape', found '[1, 2]}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}", "expected '(' to begin 'shape'"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
     "'shape': expected 1 to 3 dimensions, found none"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
     "'shape': expected ',' behind a single size"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
     "'shape': expected a size from 1 to 18 digits, found ',)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
     "'shape': expected ',' or ')', found '2)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, -2)}",
     "'shape': expected a size from 1 to 18 digits, found '-2)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2.0)}", "found '.0)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L)}", "found 'L, 2L)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}",
     "'shape': expected elements, found a size of 0"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 1)}",
     "'shape': expected at most 3 dimensions, found more"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2",
     "'shape': expected ',' or ')', found ''"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999, 2)}",
     "'shape': expected a size from 1 to 18 digits, found '9999999999999999999, 2)}"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999999999, 2)}",
     "'shape': an array of [999999999999][999999999999][2] is too large"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3)}",
     "expected 12 bytes for [1][3] floats of 4 bytes, found 8"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}",
     "expected 4 bytes for [1][1] floats of 4 bytes, found 8"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2)}",
     "byte 128: expected 2 bytes for [1][2] unsigned integers of 1 byte, found 8"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
     "expected inputs [samples][steps] or [samples][steps][features], of at most 2147483647 steps, "
     "found [2]"},
};

static void malformed_headers_are_refused_with_their_place(void **state)
{
    static const float values[] = {1, 2};
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("y.npy", "|u1", "(1,)", uint8_t, 0);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char part[256];
        bytes file;

        begin(&file, headers[i].dictionary);
        append(&file, values, sizeof values);
        write_bytes("x.npy", file.at, file.n);
        assert_dataset_refused(&cfg, "./x.npy: ");
        snprintf(part, sizeof part, "%s", headers[i].part);
        assert_dataset_refused(&cfg, part);
    }
}

/* Bytes of a file in place of a good one. */
static const struct {
    const char *text;
    size_t n;
    const char *part;
} beginnings[] = {
    {"", 0, "./x.npy: byte 0: expected 8 bytes of magic and version, found 0"},
    {"\x93NUMPY\x01", 7, "./x.npy: byte 0: expected 8 bytes of magic and version, found 7"},
    {"\x93NUMPX\x01\x00", 8,
     "./x.npy: byte 0: expected the magic 93 4e 55 4d 50 59 of a .npy file, found 93 4e 55 4d 50 "
     "58"},
    {"1,2,3,4\n5,6,7,8\n", 16, "byte 0: expected the magic"},
    {"\x93NUMPY\x00\x00\x00\x00", 10, "byte 6: expected version 1.0, 2.0 or 3.0, found 0.0"},
    {"\x93NUMPY\x09\x00\x00\x00", 10, "byte 6: expected version 1.0, 2.0 or 3.0, found 9.0"},
    {"\x93NUMPY\x01\x01\x00\x00", 10, "byte 6: expected version 1.0, 2.0 or 3.0, found 1.1"},
    {"\x93NUMPY\x01\x00\x05", 9, "byte 8: expected 2 bytes of the header's length, found 1"},
    {"\x93NUMPY\x02\x00\x05\x00\x00", 11,
     "byte 8: expected 4 bytes of the header's length, found 3"},
    {"\x93NUMPY\x01\x00\x00\x00", 10, "byte 8: expected a header of 1 to 10000 bytes, found 0"},
    {"\x93NUMPY\x01\x00\xFF\xFF", 10, "byte 8: expected a header of 1 to 10000 bytes, found 65535"},
    {"\x93NUMPY\x03\x00\xFF\xFF\xFF\xFF", 12,
     "byte 8: expected a header of 1 to 10000 bytes, found 4294967295"},
    {"\x93NUMPY\x01\x00\x05\x00{}  ", 14, "byte 10: expected 5 bytes of the header, found 4"},
    {"\x93NUMPY\x02\x00\x05\x00\x00\x00{}  ", 16,
     "byte 12: expected 5 bytes of the header, found 4"},
    {"\x93NUMPY\x01\x00\x05\x00{}   ", 15,
     "byte 14: expected a line feed at the end of the header, found 0x20"},
    {"\x93NUMPY\x01\x00\x05\x00{\0}\n\n", 15, "byte 11: expected text, found a zero byte"},
};

static void malformed_beginnings_are_refused_with_their_place(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("y.npy", "|u1", "(1,)", uint8_t, 0);
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        write_bytes("x.npy", beginnings[i].text, beginnings[i].n);
        assert_dataset_refused(&cfg, beginnings[i].part);
    }
}

static void every_truncated_file_is_refused(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    bytes file;

    (void)state;
    WRITE("y.npy", "|u1", "(1,)", uint8_t, 0);
    begin_array(&file, "<f4", "(1, 2)");
    append(&file, (const float[]){1, 2}, 8);
    for (size_t n = 0; n < file.n; n++) {
        write_bytes("x.npy", file.at, n);
        assert_dataset_refused(&cfg, "./x.npy: byte ");
    }
    append(&file, "", 1);
    write_bytes("x.npy", file.at, file.n);
    assert_dataset_refused(&cfg, "expected 8 bytes for [1][2] floats of 4 bytes, found 9");
}

/* -- What is refused in arrays ------------------------------------------------------------------*/

/* Targets of inputs [2][3]. */
static const struct {
    const char *type, *shape;
    size_t n;
    rnn_target_choice choice;
    const char *part;
} mismatches[] = {
    {"|u1", "(3,)", 3, RNN_TARGET_CHOICE_AUTO,
     "./y.npy: expected integers [2], for dataset.target 'label' of './x.npy', found unsigned "
     "integers of 1 byte [3]"},
    {"|b1", "(2, 4)", 8, RNN_TARGET_CHOICE_AUTO,
     "expected integers [2][3], for dataset.target 'step_label' of './x.npy', found booleans of 1 "
     "byte [2][4]"},
    {"<f2", "(2, 4, 1)", 16, RNN_TARGET_CHOICE_AUTO,
     "expected numbers [2][3] or with [values] behind, for dataset.target 'step_values' of "
     "'./x.npy', found floats of 2 bytes [2][4][1]"},
    {"<f2", "(1, 3)", 6, RNN_TARGET_CHOICE_AUTO,
     "expected numbers [2] or with [values] behind, for dataset.target 'values'"},
    {"<f2", "(2,)", 4, RNN_TARGET_CHOICE_LABEL,
     "expected integers [2], for dataset.target 'label'"},
    {"<f2", "(2, 3)", 12, RNN_TARGET_CHOICE_STEP_LABEL, "expected integers [2][3]"},
    {"|u1", "(2, 3)", 6, RNN_TARGET_CHOICE_LABEL, "expected integers [2]"},
    {"|u1", "(2,)", 2, RNN_TARGET_CHOICE_STEP_LABEL, "expected integers [2][3]"},
    {"|u1", "(2, 3, 1)", 6, RNN_TARGET_CHOICE_VALUES, "expected numbers [2] or with [values]"},
    {"|u1", "(2,)", 2, RNN_TARGET_CHOICE_STEP_VALUES, "expected numbers [2][3] or with [values]"},
};

static void targets_of_another_shape_are_refused(void **state)
{
    static const unsigned char zeros[16];

    (void)state;
    WRITE("x.npy", "|u1", "(2, 3)", uint8_t, 1, 2, 3, 4, 5, 6);
    for (size_t i = 0; i < sizeof mismatches / sizeof *mismatches; i++) {
        rnn_dataset_cfg cfg = make_cfg();

        cfg.target = mismatches[i].choice;
        write_array("y.npy", mismatches[i].type, mismatches[i].shape, zeros, mismatches[i].n);
        assert_dataset_refused(&cfg, mismatches[i].part);
    }
}

static void labels_that_are_no_classes_are_refused(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("x.npy", "|u1", "(2, 2)", uint8_t, 1, 2, 3, 4);
    WRITE("y.npy", "|i1", "(2,)", int8_t, 0, -2);
    assert_dataset_refused(&cfg, "./y.npy: sample 1: expected a label of 0 to 2147483646, or -1 or "
                                 "-100 for none, found -2");
    WRITE("y.npy", "<i8", "(2, 2)", int64_t, 0, -1, 3, 2147483647);
    assert_dataset_refused(&cfg, "./y.npy: sample 1, step 1: expected a label of 0 to 2147483646, "
                                 "or -1 or -100 for none, found 2147483647");
    WRITE("y.npy", "<u8", "(2,)", uint64_t, UINT64_MAX, 0);
    assert_dataset_refused(&cfg, "./y.npy: sample 0: expected a label of 0 to 2147483646");
    WRITE("y.npy", "|i1", "(2,)", int8_t, -1, -100);
    assert_dataset_refused(&cfg, "dataset folder '.': expected labels, found none but -1 and -100");
}

static void assert_sample_refused(const rnn_dataset_cfg *cfg, rnn_status expected, const char *part)
{
    rnn_dataset *dataset = open_dataset(cfg);
    gathered_sample s;

    assert_refused(expected, try_gather(&s, dataset, RNN_SPLIT_TRAIN, 1), part);
    rnn_dataset_destroy(&dataset);
}

static void numbers_that_are_not_finite_are_refused_when_read(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    WRITE("x.npy", "<f4", "(2, 2, 2)", float, 0, 1, 2, 3, 4, 5, 6, NAN);
    WRITE("y.npy", "|u1", "(2,)", uint8_t, 0, 1);
    assert_sample_refused(&cfg, RNN_ERR_DATA,
                          "./x.npy: sample 1, step 1, feature 1: expected a finite number in the "
                          "range of a float, found nan");
    WRITE("x.npy", "<f4", "(2, 2, 2)", float, 0, 1, 2, 3, 4, 5, -INFINITY, 0);
    assert_sample_refused(&cfg, RNN_ERR_DATA,
                          "./x.npy: sample 1, step 1, feature 0: expected a "
                          "finite number in the range of a float, found -inf");
    WRITE("x.npy", "<f8", "(2, 2)", double, 0, 1, 1e39, 0);
    assert_sample_refused(&cfg, RNN_ERR_DATA,
                          "./x.npy: sample 1, step 0, feature 0: expected a "
                          "finite number in the range of a float, found 1e+39");
    write_array("x.npy", "<f2", "(2, 1)", "\x00\x3C\x00\x7C", 4);
    assert_sample_refused(&cfg, RNN_ERR_DATA,
                          "sample 1, step 0, feature 0: expected a finite "
                          "number in the range of a float, found inf");
    write_array("x.npy", "<f2", "(2, 1)", "\x00\x3C\x01\xFC", 4);
    assert_sample_refused(&cfg, RNN_ERR_DATA, "number in the range of a float, found");
    write_small();
    WRITE("y.npy", "<f4", "(2, 2)", float, 0, 1, 2, INFINITY);
    assert_sample_refused(&cfg, RNN_ERR_DATA,
                          "./y.npy: sample 1, step 0, target value 1: expected "
                          "a finite number in the range of a float, found inf");
    cfg.std = 0;
    assert_dataset_refused(&cfg, "std 0");
}

/* A file that is cut or overwritten while it is open. */
static void files_that_change_are_noticed(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_small();
    dataset = open_dataset(&cfg);
    assert_int_equal(truncate("x.npy", 128 + 32), 0);
    assert_refused(RNN_ERR_IO, try_gather(&s, dataset, RNN_SPLIT_TRAIN, 1),
                   "./x.npy: byte 160: the file has become shorter");
    gather(dataset, RNN_SPLIT_TRAIN, 0);
    write_small();
    WRITE("y.npy", "<i8", "(2,)", int64_t, 3, 4);
    assert_refused(RNN_ERR_DATA, try_gather(&s, dataset, RNN_SPLIT_TRAIN, 1),
                   "./y.npy: sample 1: expected a label below 4, found 4: the file has changed");
    rnn_dataset_destroy(&dataset);
}

static void files_that_are_not_there_are_no_input(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg), "x.npy");
    write_small();
    assert_int_equal(remove("y.npy"), 0);
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg), "y.npy");
}

/* Its magic tells what it is. */
static void an_array_given_as_something_else_is_recognized(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_small();
    cfg.format = "ts";
    assert_dataset_refused(&cfg, "expected the format 'ts', found a file of format 'npy'");
    cfg.format = "csv";
    cfg.look_back = cfg.stride = 1;
    assert_dataset_refused(&cfg, "expected the format 'csv', found a file of format 'npy'");
    cfg.format = "npy";
    write_bytes("x.csv", "1\n", 2);
    cfg.file[RNN_SPLIT_TRAIN] = "x.csv";
    assert_dataset_refused(&cfg,
                           "./x.csv: expected the format 'npy', found a file of format 'csv'");
}

/* -- Digests ------------------------------------------------------------------------------------*/

static uint64_t digest_of(const char *const *paths, size_t n, uint64_t most)
{
    uint64_t digest;

    if (rnn_file_digest(&digest, paths, n, most) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return digest;
}

static void digests_depend_on_every_byte(void **state)
{
    static const char *const both[] = {"a", "b"}, *const turned[] = {"b", "a"};
    uint64_t digest;

    (void)state;
    write_bytes("a", "123", 3);
    write_bytes("b", "45", 2);
    digest = digest_of(both, 2, 1000);
    assert_true(digest == digest_of(both, 2, 1000));
    assert_true(digest == digest_of(both, 2, 5)); /* all of them may be read */
    assert_true(digest != digest_of(turned, 2, 1000));
    assert_true(digest != digest_of(both, 1, 1000));
    write_bytes("a", "12", 2);
    write_bytes("b", "345", 3);
    assert_true(digest != digest_of(both, 2, 1000));
    write_bytes("a", "124", 3);
    write_bytes("b", "45", 2);
    assert_true(digest != digest_of(both, 2, 1000));
}

/* Of 16 blocks of 64 KiB, 4 are read: the first, the last, and two between. */
static void digests_of_large_files_read_some_blocks(void **state)
{
    enum { BLOCK = 1 << 16, N_BLOCKS = 16, MOST = 4 * BLOCK };
    static unsigned char content[N_BLOCKS * BLOCK];
    static const char *const path[] = {"large"};
    uint64_t digest;
    size_t n_seen = 0;

    (void)state;
    write_bytes("large", content, sizeof content);
    digest = digest_of(path, 1, MOST);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        bool is_seen;

        content[i * BLOCK + 9] = 1;
        write_bytes("large", content, sizeof content);
        is_seen = digest_of(path, 1, MOST) != digest;
        n_seen += is_seen;
        assert_true(is_seen || (i > 0 && i + 1 < N_BLOCKS));
        assert_true(digest_of(path, 1, sizeof content) != digest);
        content[i * BLOCK + 9] = 0;
    }
    assert_int_equal(n_seen, 4);
    write_bytes("large", content, sizeof content - 1); /* the size counts, too */
    assert_true(digest_of(path, 1, MOST) != digest);
}

static void digests_need_their_files(void **state)
{
    static const char *const path[] = {"missing"};
    uint64_t digest;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_file_digest(&digest, path, 1, 10), "missing");
}

static void the_dataset_s_digest_is_that_of_its_files(void **state)
{
    static const char *const paths[] = {"x.npy", "y.npy"};
    const rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    write_small();
    dataset = open_dataset(&cfg);
    assert_true(info_of(dataset)->digest == digest_of(paths, 2, RNN_FILE_DIGEST_MOST));
    rnn_dataset_destroy(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(info_describes_the_files),
        IN_FOLDER(samples_are_read_with_their_labels),
        IN_FOLDER(every_type_of_number_is_read),
        IN_FOLDER(inputs_are_normalised_and_targets_are_not),
        IN_FOLDER(long_samples_are_read_in_pieces),
        IN_FOLDER(all_versions_and_spellings_of_the_header_are_read),
        IN_FOLDER(targets_go_by_type_and_shape_unless_told_otherwise),
        IN_FOLDER(values_of_steps_are_in_their_places),
        IN_FOLDER(labels_may_be_ignored),
        IN_FOLDER(every_split_may_have_its_files),
        IN_FOLDER(fractions_come_from_the_training_file),
        IN_FOLDER(files_must_fit_together),
        IN_FOLDER(targets_need_not_be_there),
        IN_FOLDER(targets_of_some_splits_are_none),
        IN_FOLDER(malformed_headers_are_refused_with_their_place),
        IN_FOLDER(malformed_beginnings_are_refused_with_their_place),
        IN_FOLDER(every_truncated_file_is_refused),
        IN_FOLDER(targets_of_another_shape_are_refused),
        IN_FOLDER(labels_that_are_no_classes_are_refused),
        IN_FOLDER(numbers_that_are_not_finite_are_refused_when_read),
        IN_FOLDER(files_that_change_are_noticed),
        IN_FOLDER(files_that_are_not_there_are_no_input),
        IN_FOLDER(an_array_given_as_something_else_is_recognized),
        IN_FOLDER(digests_depend_on_every_byte),
        IN_FOLDER(digests_of_large_files_read_some_blocks),
        IN_FOLDER(digests_need_their_files),
        IN_FOLDER(the_dataset_s_digest_is_that_of_its_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
