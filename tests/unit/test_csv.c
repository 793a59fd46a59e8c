#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include <math.h>

#include "datasets/dataset.h"
#include "datasets/excerpt.h"
#include "tests/unit/gathered_sample.h"

/* Monthly airline passengers in thousands, 1949 to 1960 (Box and Jenkins, 1970, series G). */
static const float airline[144] = {
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149,
    170, 170, 158, 133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243,
    264, 272, 237, 211, 180, 201, 204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278, 284, 277, 317, 313, 318, 374,
    413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
    548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432};

/* Six rows of three columns, with a header. */
#define SIX                                                                                        \
    "day,a,b\n"                                                                                    \
    "mon,1,10\n"                                                                                   \
    "tue,2,20\n"                                                                                   \
    "wed,3,30\n"                                                                                   \
    "thu,4,40\n"                                                                                   \
    "fri,5,50\n"                                                                                   \
    "sat,6,60\n"

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* One sample per row, of the file t.csv. */
static rnn_dataset_cfg make_cfg(void)
{
    return (rnn_dataset_cfg){.format = "csv",
                             .search = search,
                             .n_search = 1,
                             .file = {"t.csv"},
                             .std = 1,
                             .look_back = 1,
                             .window = 1,
                             .stride = 1};
}

/* Names of columns for a cfg: COLUMNS(cfg.columns, cfg.n_columns, "a", "b") */
#define COLUMNS(list, n, ...)                                                                      \
    do {                                                                                           \
        static const char *const names_[] = {__VA_ARGS__};                                         \
        (list) = names_;                                                                           \
        (n) = sizeof names_ / sizeof *names_;                                                      \
    } while (0)

static const rnn_dataset_info *info_of(const rnn_dataset *dataset)
{
    return rnn_dataset_get_info(dataset);
}

/* All inputs of the only sample, one feature. */
static gathered_sample read_column(const char *text)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    write_text("t.csv", text);
    cfg.window = 0;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    rnn_dataset_destroy(&dataset);
    return s;
}

/* -- Steps and samples --------------------------------------------------------------------------*/

static void write_airline(void)
{
    FILE *file = fopen("t.csv", "wb");

    assert_non_null(file);
    fprintf(file, "\"Month\",\"Passengers\"\n");
    for (int i = 0; i < 144; i++)
        fprintf(file, "\"%d-%02d\",%d\n", 1949 + i / 12, 1 + i % 12, (int)airline[i]);
    assert_int_equal(fclose(file), 0);
}

/* Pairs (y[i], y[i + 1]) and y[i + 2], 99 of them for training, as in the well-known example. */
static void the_airline_series_is_one_sample(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_airline();
    COLUMNS(cfg.columns, cfg.n_columns, "Passengers");
    cfg.look_back = 2;
    cfg.window = 0;
    cfg.horizon = 1;
    cfg.test = 0.3;
    cfg.std = 518;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 1);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_VALID], 0);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 1);
    assert_int_equal(info_of(dataset)->n_features, 2);
    assert_int_equal(info_of(dataset)->n_target_values, 1);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_STEP_VALUES);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 0), 99);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TEST, 0), 41);
    for (int split = RNN_SPLIT_TRAIN; split <= RNN_SPLIT_TEST; split += 2) {
        size_t first = split == RNN_SPLIT_TRAIN ? 0 : 101;

        s = gather(dataset, (rnn_split)split, 0);
        for (size_t t = 0; t < (size_t)s.length; t++) {
            assert_true(s.x[2 * t] == (float)((double)airline[first + t] / 518));
            assert_true(s.x[2 * t + 1] == (float)((double)airline[first + t + 1] / 518));
            assert_true(s.target[t] == (float)((double)airline[first + t + 2] / 518));
        }
    }
    assert_true(s.x[2 * 41] == 0 && s.target[41] == 0); /* behind the end of the test part */
    rnn_dataset_destroy(&dataset);
}

static void windows_slide_over_the_rows(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", SIX);
    cfg.look_back = 2;
    cfg.window = 2;
    cfg.horizon = 2;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 2); /* 5 rows each */
    assert_int_equal(info_of(dataset)->seq_len, 2);
    assert_false(info_of(dataset)->is_ragged);
    assert_int_equal(info_of(dataset)->n_features, 4);
    assert_int_equal(info_of(dataset)->n_target_values, 4);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_VALUES);
    assert_string_equal(info_of(dataset)->folder, ".");
    assert_string_equal(info_of(dataset)->name, "unknown");
    assert_true(info_of(dataset)->bytes_in_memory >= 12 * sizeof(float));
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 1, 10, 2, 20, 2, 20, 3, 30);
    assert_floats(s.target, 4, 40, 5, 50);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.x, 2, 20, 3, 30, 3, 30, 4, 40);
    assert_floats(s.target, 5, 50, 6, 60);
    rnn_dataset_destroy(&dataset);
}

static void every_step_may_have_its_target(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", SIX);
    COLUMNS(cfg.columns, cfg.n_columns, "b", "a");
    COLUMNS(cfg.target_columns, cfg.n_target_columns, "a");
    cfg.window = 2;
    cfg.stride = 3;
    cfg.horizon = 1;
    cfg.target = RNN_TARGET_CHOICE_STEP_VALUES;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_STEP_VALUES);
    assert_int_equal(info_of(dataset)->n_target_values, 1);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.x, 40, 4, 50, 5);
    assert_floats(s.target, 5, 6);
    rnn_dataset_destroy(&dataset);
}

/* The step's own row: what is the target is no input unless that is asked for. */
static void a_horizon_of_0_is_the_newest_row(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", SIX);
    COLUMNS(cfg.target_columns, cfg.n_target_columns, "b");
    cfg.look_back = 2;
    cfg.window = 0;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_int_equal(info_of(dataset)->n_features, 2);
    assert_int_equal(s.length, 5);
    assert_floats(s.x, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6);
    assert_floats(s.target, 20, 30, 40, 50, 60);
    rnn_dataset_destroy(&dataset);
    COLUMNS(cfg.columns, cfg.n_columns, "3");
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 10, 20);
    rnn_dataset_destroy(&dataset);
}

static void one_target_for_all_rows_is_the_last(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", SIX);
    cfg.window = 0;
    cfg.horizon = 1;
    cfg.target = RNN_TARGET_CHOICE_VALUES;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_int_equal(s.length, 5);
    assert_floats(s.target, 6, 60);
    rnn_dataset_destroy(&dataset);
}

static void values_are_normalised_like_targets(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "x\n1\n3\n-5\n");
    cfg.mean = 1;
    cfg.std = 4;
    cfg.window = 2;
    cfg.horizon = 1;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 0, 0.5f);
    assert_floats(s.target, -1.5f);
    rnn_dataset_destroy(&dataset);
}

static void rows_of_a_slice_are_independent(void **state)
{
    static const uint64_t index[] = {3, 0};
    float x[2 * 3], target[3];
    int32_t length[3];
    const rnn_dataset_slice slice = {.x = x, .length = length, .target = target};
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    write_text("t.csv", SIX);
    COLUMNS(cfg.columns, cfg.n_columns, "a");
    cfg.window = 2;
    cfg.horizon = 1;
    dataset = open_dataset(&cfg);
    assert_int_equal(rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, index, 2, 3, 2, &slice), RNN_OK);
    assert_floats(x, 4, 1, 0, 5, 2, 0);
    assert_floats(target, 6, 3, 0);
    rnn_dataset_destroy(&dataset);
}

/* -- Parts --------------------------------------------------------------------------------------*/

static void fractions_are_rows_at_the_end(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    cfg.horizon = 1;
    cfg.validation = 0.3;
    cfg.test = 0.2;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 4); /* rows 1 to 5 */
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_VALID], 2); /* 6 to 8 */
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 1);  /* 9 and 10 */
    s = gather(dataset, RNN_SPLIT_TRAIN, 3);
    assert_floats(s.x, 4);
    assert_floats(s.target, 5);
    s = gather(dataset, RNN_SPLIT_VALID, 0);
    assert_floats(s.x, 6);
    assert_floats(s.target, 7);
    s = gather(dataset, RNN_SPLIT_TEST, 0);
    assert_floats(s.x, 9);
    assert_floats(s.target, 10);
    rnn_dataset_destroy(&dataset);
    cfg.limit[RNN_SPLIT_TRAIN] = 3;
    cfg.limit[RNN_SPLIT_VALID] = 1;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 3);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_VALID], 1);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 1);
    rnn_dataset_destroy(&dataset);
}

/* Columns are found by their names, wherever they are. */
static void other_files_may_order_columns_differently(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", SIX);
    write_text("v.csv", "b;extra;a\n11;x;1.5\n12;y;2.5\n");
    write_text("e.csv", "b\ta\n21\t7\n22\t8\n23\t9\n");
    cfg.file[RNN_SPLIT_VALID] = "v.csv";
    cfg.file[RNN_SPLIT_TEST] = "e.csv";
    COLUMNS(cfg.columns, cfg.n_columns, "a");
    COLUMNS(cfg.target_columns, cfg.n_target_columns, "3");
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 6);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_VALID], 2);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TEST], 3);
    s = gather(dataset, RNN_SPLIT_VALID, 1);
    assert_floats(s.x, 2.5f);
    assert_floats(s.target, 12);
    s = gather(dataset, RNN_SPLIT_TEST, 2);
    assert_floats(s.x, 9);
    assert_floats(s.target, 23);
    rnn_dataset_destroy(&dataset);
}

static void the_whole_of_each_part_has_its_own_length(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    write_text("t.csv", "1\n2\n3\n4\n5\n");
    write_text("v.csv", "1\n2\n3\n");
    cfg.file[RNN_SPLIT_VALID] = "v.csv";
    cfg.window = 0;
    cfg.horizon = 1;
    dataset = open_dataset(&cfg);
    assert_true(info_of(dataset)->is_ragged);
    assert_int_equal(info_of(dataset)->seq_len, 4);
    assert_int_equal(info_of(dataset)->min_len, 2);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_VALID, 0), 2);
    rnn_dataset_destroy(&dataset);
}

/* -- What a file may look like ------------------------------------------------------------------*/

static void cells_are_read_by_the_rules_of_csv(void **state)
{
    static const char *const texts[] = {
        "1,2\n3,4\n5,6\n",
        "1,2\r\n3,4\r\n5,6\r\n",
        "\xEF\xBB\xBF 1,2\n3,4\n5,6",
        "\xEF\xBB\xBF\"1\",2\n3,4\n5,6",
        "\n1,2\n\n3,4\n  \n5,6\n\n",
        "\"1\",\"2\"\n\"3\",4\n5, \"6\" \n",
        " 1 , 2\n3\t,4\n5,6 \n",
        "1;2\n3;4\n5;6\n",
        "1\t2\n3\t 4 \n5\t\"6\"\n",
        "a,b\n1,2\n3,4\n5,6\n",
        "\"a\n\nb\",\"c,\"\"d\"\"\"\n1,2\n3,4\n5,6\n",
        "x;y\n1.0e0;+2\n3.;4\n0.5e1;6\n",
        "a,\n1,2\n3,4\n5,6\n",
        "2019,x\n1,2\n3,4\n5,6\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        gathered_sample s = read_column(texts[i]);

        assert_int_equal(s.length, 3);
        assert_floats(s.x, 1, 2, 3, 4, 5, 6);
    }
}

/* Texts beside numbers are no names unless they stand above numbers. */
static void the_first_row_has_names_if_it_looks_like_that(void **state)
{
    gathered_sample s;

    (void)state;
    s = read_column("\"1949-01\",112\n\"1949-02\",118\n");
    assert_int_equal(s.length, 2);
    assert_floats(s.x, 112, 118);
    s = read_column("1.5,walk\n2.5,sit\n");
    assert_int_equal(s.length, 2);
    assert_floats(s.x, 1.5f, 2.5f);
    s = read_column("7\n8\n");
    assert_floats(s.x, 7, 8);
    s = read_column("7\n");
    assert_int_equal(s.length, 1);
    s = read_column("id,2019\n1,5\n2,6\n");
    assert_int_equal(s.length, 2);
    assert_floats(s.x, 1, 5, 2, 6);
}

static void columns_of_numbers_may_begin_with_gaps(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "a,b,c,d\n1,NA,x,\n2,?,y,NaN\n3,30,z,null\n");
    cfg.missing = RNN_MISSING_PREVIOUS;
    cfg.window = 0;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_features, 2);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 1, 30, 2, 30, 3, 30);
    rnn_dataset_destroy(&dataset);
}

/* A name of digits is a name first, and others are numbers from 1. */
static void columns_go_by_name_then_by_number(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "x,3,z\n1,2,30\n4,5,60\n");
    COLUMNS(cfg.columns, cfg.n_columns, "3", "1", "z");
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.x, 5, 4, 60);
    rnn_dataset_destroy(&dataset);
}

/* The name is the same, but which one is meant goes by the number in every file. */
static void one_of_two_columns_with_a_name_goes_by_number(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "x,x\n1,2\n3,4\n");
    write_text("v.csv", "x,x\n5,6\n");
    cfg.file[RNN_SPLIT_VALID] = "v.csv";
    COLUMNS(cfg.columns, cfg.n_columns, "2");
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_VALID, 0);
    assert_floats(s.x, 6);
    rnn_dataset_destroy(&dataset);
}

static void lines_may_be_long(void **state)
{
    enum { N = 3000 };
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;
    FILE *file = fopen("t.csv", "wb");

    (void)state;
    assert_non_null(file);
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < N; i++)
            fprintf(file, "\"%d\"%s", row * N + i, i + 1 < N ? "," : "\n");
    assert_int_equal(fclose(file), 0);
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_features, N);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_true(s.x[0] == N && s.x[N - 1] == 2 * N - 1);
    rnn_dataset_destroy(&dataset);
}

static void the_digest_depends_on_the_rows(void **state)
{
    static const char *const texts[] = {"1\n2\n", "1\r\n2\r\n", "1\n3\n", "1\n2\n2\n"};
    uint64_t digest[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const rnn_dataset_cfg cfg = make_cfg();
        rnn_dataset *dataset;

        write_text("t.csv", texts[i]);
        dataset = open_dataset(&cfg);
        digest[i] = info_of(dataset)->digest;
        rnn_dataset_destroy(&dataset);
    }
    assert_true(digest[0] == digest[1]);
    assert_true(digest[0] != digest[2] && digest[0] != digest[3] && digest[2] != digest[3]);
}

/* -- Missing values -----------------------------------------------------------------------------*/

/* Rows 1 to 6 for training and 7 to 10 for test: what is known in one part is not used in the
 * other. */
static void gaps_are_filled_within_their_part(void **state)
{
    static const float train[][6] = {[RNN_MISSING_ZERO] = {0, 2, 0, 0, 8, 0},
                                     [RNN_MISSING_MEAN] = {5, 2, 5, 5, 8, 5},
                                     [RNN_MISSING_PREVIOUS] = {2, 2, 2, 2, 8, 8},
                                     [RNN_MISSING_LINEAR] = {2, 2, 4, 6, 8, 8}};
    static const float test[][4] = {[RNN_MISSING_ZERO] = {0, 100, 0, 104},
                                    [RNN_MISSING_MEAN] = {102, 100, 102, 104},
                                    [RNN_MISSING_PREVIOUS] = {100, 100, 100, 104},
                                    [RNN_MISSING_LINEAR] = {100, 100, 102, 104}};

    (void)state;
    write_text("t.csv", "v,w\n,1\n2,1\nNA,1\n?,1\n8,1\nNaN,1\nnan,1\n100,1\nnull,1\n104,1\n");
    for (int missing = RNN_MISSING_ZERO; missing <= RNN_MISSING_LINEAR; missing++) {
        rnn_dataset_cfg cfg = make_cfg();
        rnn_dataset *dataset;
        gathered_sample s;

        cfg.window = 0;
        cfg.test = 0.4;
        cfg.missing = (rnn_missing)missing;
        dataset = open_dataset(&cfg);
        s = gather(dataset, RNN_SPLIT_TRAIN, 0);
        for (size_t t = 0; t < 6; t++)
            assert_true(s.x[2 * t] == train[missing][t] && s.x[2 * t + 1] == 1);
        s = gather(dataset, RNN_SPLIT_TEST, 0);
        for (size_t t = 0; t < 4; t++)
            assert_true(s.x[2 * t] == test[missing][t] && s.x[2 * t + 1] == 1);
        rnn_dataset_destroy(&dataset);
    }
}

/* -- Classes ------------------------------------------------------------------------------------*/

static rnn_dataset_cfg make_label_cfg(rnn_target_choice target)
{
    rnn_dataset_cfg cfg = make_cfg();

    COLUMNS(cfg.target_columns, cfg.n_target_columns, "class");
    cfg.target = target;
    return cfg;
}

static void classes_are_numbered_in_their_order(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_STEP_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,walk\n2,sit\n3,\"lie, down\"\n4,sit\n");
    cfg.window = 0;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->target, RNN_TARGET_STEP_LABEL);
    assert_int_equal(info_of(dataset)->n_classes, 3);
    assert_int_equal(info_of(dataset)->n_target_values, 0);
    assert_int_equal(info_of(dataset)->n_features, 1);
    assert_string_equal(rnn_dataset_token_text(dataset, 0), "lie, down");
    assert_string_equal(rnn_dataset_token_text(dataset, 1), "sit");
    assert_string_equal(rnn_dataset_token_text(dataset, 2), "walk");
    assert_null(rnn_dataset_token_text(dataset, 3));
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.x, 1, 2, 3, 4);
    assert_labels(s.label, 2, 1, 0, 1);
    rnn_dataset_destroy(&dataset);
}

static void integers_are_classes_in_numeric_order(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_STEP_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,10\n2,9\n3,-1\n4,10\n5,100\n");
    cfg.window = 0;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_labels(s.label, 2, 1, 0, 2, 3);
    assert_string_equal(rnn_dataset_token_text(dataset, 0), "-1");
    rnn_dataset_destroy(&dataset);
    write_text("t.csv", "v,class\n1,10\n2,9\n3,-1\n4,10\n5,1x\n"); /* now in that of texts */
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_labels(s.label, 1, 3, 0, 1, 2);
    rnn_dataset_destroy(&dataset);
}

/* The class of the row behind the window's last, or of that row itself. */
static void a_sample_has_the_class_of_its_last_step(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,a\n2,b\n3,c\n4,d\n5,e\n");
    cfg.look_back = 2;
    cfg.window = 2;
    for (cfg.horizon = 0; cfg.horizon < 2; cfg.horizon++) {
        dataset = open_dataset(&cfg);
        assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 3 - cfg.horizon);
        assert_int_equal(info_of(dataset)->target, RNN_TARGET_LABEL);
        for (size_t i = 0; i < info_of(dataset)->n_samples[RNN_SPLIT_TRAIN]; i++) {
            s = gather(dataset, RNN_SPLIT_TRAIN, i);
            assert_labels(s.label, (int32_t)(2 + i + cfg.horizon));
        }
        rnn_dataset_destroy(&dataset);
    }
}

static void missing_classes_are_no_labels(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_STEP_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,b\n2,?\n3,a\n4,\n");
    cfg.window = 0;
    cfg.missing = RNN_MISSING_LINEAR;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_classes, 2);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_labels(s.label, 1, -1, 0, -1);
    rnn_dataset_destroy(&dataset);
}

static void other_files_have_the_same_classes(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,b\n2,c\n3,a\n");
    write_text("v.csv", "class,v\nc,1\na,2\n");
    cfg.file[RNN_SPLIT_VALID] = "v.csv";
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_VALID, 0);
    assert_labels(s.label, 2);
    rnn_dataset_destroy(&dataset);
    write_text("v.csv", "class,v\nc,1\nd,2\n");
    assert_dataset_refused(&cfg, "v.csv:3: column 'class': expected a class that the training part "
                                 "has, found 'd'");
}

/* The last rows are not for training, so their classes cannot be learned. */
static void classes_of_other_parts_must_be_in_training(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);

    (void)state;
    write_text("t.csv", "v,class\n1,b\n2,c\n\n3,a\n4,d\n");
    cfg.test = 0.25;
    assert_dataset_refused(&cfg, "t.csv:6: column 'class': expected a class that the training part "
                                 "has, its first 3 rows, found 'd'");
}

/* -- Predictions --------------------------------------------------------------------------------*/

static void a_fit_has_the_numbers_of_classes(void **state)
{
    char *texts[] = {"walk", "run", "sit"};
    const rnn_dataset_fit fit = {.texts = texts, .n_texts = 3};
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_STEP_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,run\n2,walk\n");
    cfg.file[RNN_SPLIT_TRAIN] = "";
    cfg.file[RNN_SPLIT_TEST] = "t.csv";
    cfg.window = 0;
    cfg.fit = &fit;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 0);
    assert_int_equal(info_of(dataset)->n_classes, 3);
    assert_string_equal(rnn_dataset_token_text(dataset, 2), "sit");
    s = gather(dataset, RNN_SPLIT_TEST, 0);
    assert_labels(s.label, 1, 0);
    rnn_dataset_destroy(&dataset);
    write_text("t.csv", "v,class\n1,run\n2,fly\n");
    assert_dataset_refused(&cfg, "t.csv:3: column 'class': expected a class that the training part "
                                 "has, found 'fly'");
    texts[2] = "run";
    assert_dataset_refused(&cfg, "expected each once, found 'run' as number 1 and as number 2");
}

/* Samples go on to the last row; what is not known is NAN. */
static void predictions_reach_behind_the_last_row(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "1\n2\n3\n4\n");
    cfg.window = 2;
    cfg.horizon = 2;
    cfg.needs_no_targets = true;
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 3);
    assert_true(info_of(dataset)->has_targets);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.target, 3, 4);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.target, 4, NAN);
    s = gather(dataset, RNN_SPLIT_TRAIN, 2);
    assert_floats(s.x, 3, 4);
    assert_floats(s.target, NAN, NAN);
    rnn_dataset_destroy(&dataset);
    write_text("t.csv", "1\n2\n3\n"); /* not one has its whole target */
    dataset = open_dataset(&cfg);
    assert_int_equal(info_of(dataset)->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_false(info_of(dataset)->has_targets);
    rnn_dataset_destroy(&dataset);
}

static void whole_parts_reach_behind_the_last_row(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "1\n2\n3\n");
    cfg.window = 0;
    cfg.horizon = 1;
    cfg.needs_no_targets = true;
    dataset = open_dataset(&cfg);
    assert_true(info_of(dataset)->has_targets);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_int_equal(s.length, 3);
    assert_floats(s.x, 1, 2, 3);
    assert_floats(s.target, 2, 3, NAN);
    rnn_dataset_destroy(&dataset);
}

static void columns_of_targets_need_not_be_there(void **state)
{
    char *texts[] = {"a", "b"};
    const rnn_dataset_fit fit = {.texts = texts, .n_texts = 2};
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,w\n1,2\n3,4\n");
    COLUMNS(cfg.columns, cfg.n_columns, "v");
    cfg.fit = &fit;
    cfg.needs_no_targets = true;
    dataset = open_dataset(&cfg);
    assert_false(info_of(dataset)->has_targets);
    assert_int_equal(info_of(dataset)->n_classes, 2);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.x, 3);
    assert_labels(s.label, -1);
    rnn_dataset_destroy(&dataset);
    cfg.target = RNN_TARGET_CHOICE_VALUES;
    dataset = open_dataset(&cfg);
    assert_false(info_of(dataset)->has_targets);
    assert_int_equal(info_of(dataset)->n_target_values, 1);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.target, NAN);
    rnn_dataset_destroy(&dataset);
    cfg.needs_no_targets = false;
    assert_dataset_refused(
        &cfg, "t.csv:1: dataset.target_columns: expected a column out of 'v', 'w', found 'class'");
}

/* They are there, but nobody has filled them in. */
static void cells_of_targets_may_be_missing(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_VALUES);
    rnn_dataset *dataset;
    gathered_sample s;

    (void)state;
    write_text("t.csv", "v,class\n1,\n3,5\n");
    COLUMNS(cfg.columns, cfg.n_columns, "v");
    assert_dataset_refused(&cfg, "t.csv:2: column 'class': expected a value, found ''");
    cfg.needs_no_targets = true;
    dataset = open_dataset(&cfg);
    s = gather(dataset, RNN_SPLIT_TRAIN, 0);
    assert_floats(s.target, 0);
    s = gather(dataset, RNN_SPLIT_TRAIN, 1);
    assert_floats(s.target, 5);
    rnn_dataset_destroy(&dataset);
    write_text("t.csv", "v,class\n,1\n3,5\n"); /* inputs may not be */
    assert_dataset_refused(&cfg, "t.csv:2: column 'v': expected a value, found ''");
}

/* -- What is refused ----------------------------------------------------------------------------*/

/* A file read with one sample per row and the part that its message has behind "t.csv". */
static const struct {
    const char *text, *part;
} malformed[] = {
    {"", ": expected rows of cells, found none"},
    {"\n\n  \n", ": expected rows of cells, found none"},
    {"\xEF\xBB\xBF", ": expected rows of cells, found none"},
    {"a,b\n", ":1: expected rows behind the names of columns, found the end of the file"},
    {"\n\na,b", ":3: expected rows behind the names of columns"},
    {"a,b\n1,2\n3\n", ":3: expected 2 cells separated by ',', as in line 1, found 1"},
    {"a,b\n1,2\n3,4,5\n", ":3: expected 2 cells separated by ',', as in line 1, found 3"},
    {"a,b\n1,2\n3,4,\n", ":3: expected 2 cells separated by ',', as in line 1, found 3"},
    {"\na;b\n1;2\n3;4;5\n", ":4: expected 2 cells separated by ';', as in line 2, found 3"},
    {"1\t2\n\t\t\n", ":2: expected 2 cells separated by a tab, as in line 1, found 3"},
    {"1\n2,3\n", ":2: expected 1 cell separated by ',', as in line 1, found 2"},
    {"a,b\n1,x\n2,3\n1,2,3\n", ":4: expected 2 cells"},
    {"a,b\n1,\"2\n3,4\n", ":2: a quote begins a cell, but none ends it up to the end of the file"},
    {"\"", ":1: a quote begins a cell, but none ends it"},
    {"a,b\n\"1\"x,2\n", ":2: cell 1: expected ',' behind the quotes, found 'x,2'"},
    {"a;b\n1;\"2\"\"\" 3\n", ":2: cell 2: expected ';' behind the quotes, found '3'"},
    {"1\t2\n\"3\" ,\t4\n", ":2: cell 1: expected a tab behind the quotes, found ',?4'"},
    {"a,b\n1\"2\",3\n", ":2: cell 1: a quote may only stand around a whole cell, found '1\"2\",3'"},
    {"1,2\n3,4\"\"\n", ":2: cell 2: a quote may only stand around a whole cell"},
    {"a,b\n\"1\n\",2\n3,4\"5\n6\"\n", ":4: cell 2: a quote may only stand around a whole cell"},
    {"a,b\n1,2\n,4\n",
     ":3: column 'a': expected a value, found '', a missing one: dataset.missing"},
    {"a,b\n1,2\n3,NA\n", ":3: column 'b': expected a value, found 'NA', a missing one"},
    {"a,b\n1,2\n3,NaN\n", ":3: column 'b': expected a value, found 'NaN'"},
    {"1,2\n3,?\n", ":2: column 2: expected a value, found '?'"},
    {"1,2\n\"null\",4\n", ":2: column 1: expected a value, found 'null'"},
    {"1,2\n3,x\n", ":2: column 2: expected a number, as 1.5 with a decimal point, found 'x'"},
    {"a;b\n1;2\n1,5;2\n", ":3: column 'a': expected a number, as 1.5 with a decimal point, found "
                          "'1,5' (cells are separated by ';')"},
    {"a\n1\n1.2.3\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\n1e\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\n0x10\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\ninf\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\n-\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\n1 2\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\nN/A\n", ":3: column 'a': expected a number, as 1.5"},
    {"a\n1\n1e39\n", ":3: column 'a': expected a number in the range of a float, found '1e39'"},
    {"a\n1\n-1e999\n", ":3: column 'a': expected a number in the range of a float, found '-1e999'"},
    {"a,b\nx,y\nz,w\n", ": expected columns of numbers, as 1.5 with a decimal point, found none to "
                        "be an input; its 2 columns are separated by ','"},
    {"a;b\n1,5;2,5\n", ": expected columns of numbers, as 1.5 with a decimal point, found none to "
                       "be an input; its 2 columns are separated by ';'"},
    {"a\n?\n", ": expected columns of numbers, as 1.5 with a decimal point, found none"},
    {"1\n2\n\x1b[31m3\n", ":3: column 1: expected a number, as 1.5 with a decimal point, found "
                          "'?[31m3'"},
};

static void malformed_files_are_refused_with_their_place(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    char part[256];

    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        write_text("t.csv", malformed[i].text);
        snprintf(part, sizeof part, "./t.csv%s", malformed[i].part);
        assert_dataset_refused(&cfg, part);
    }
}

static void zero_bytes_are_refused(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();
    static const char text[] = "1\n2\0003\n";

    (void)state;
    write_bytes("t.csv", text, sizeof text - 1);
    assert_dataset_refused(&cfg, "t.csv:2: expected text, found a zero byte");
}

/* Any prefix of a good file is read or refused with one line that names it. */
static void truncated_files_do_no_harm(void **state)
{
    static const char text[] = "\xEF\xBB\xBF\"x \"\"1\"\"\",\"cl\nass\"\n1.5e1,a\n\"2\",\"b\nc\"\n";
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;
    size_t n_read = 0;

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        rnn_status st;

        write_bytes("t.csv", text, n);
        st = rnn_dataset_open(&dataset, &cfg);
        n_read += st == RNN_OK;
        if (st != RNN_OK)
            assert_refused(RNN_ERR_DATA, st, "./t.csv:");
        rnn_dataset_destroy(&dataset);
    }
    assert_int_equal(n_read, 6); /* behind a separator, "a", a line end, and so on */
}

/* A file and the column that is asked for. */
static const struct {
    const char *text, *column, *part;
} absent[] = {
    {SIX, "c", "./t.csv:1: dataset.columns: expected a column out of 'day', 'a', 'b', found 'c'"},
    {SIX, "A", "found 'A'"},
    {SIX, "", "found ''"},
    {SIX, "0", "found '0'"},
    {SIX, "4", "found '4'"},
    {SIX, "-1", "found '-1'"},
    {SIX, "99999999999999999999", "found '99999999999999999999'"},
    {"1,2\n", "3",
     "./t.csv: dataset.columns: expected the number of a column from 1 to 2, since the file has no "
     "names for them, found '3'"},
    {"1,2\n", "a", "since the file has no names for them, found 'a'"},
    {"\nx,y,x\n1,2,3\n", "x",
     "./t.csv:2: columns 1 and 3 are both named 'x': ask for one by its number"},
    {SIX, "day",
     "./t.csv:2: column 'day': expected a number, as 1.5 with a decimal point, found 'mon'"},
};

static void columns_that_are_not_there_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        rnn_dataset_cfg cfg = make_cfg();

        write_text("t.csv", absent[i].text);
        cfg.columns = &absent[i].column;
        cfg.n_columns = 1;
        assert_dataset_refused(&cfg, absent[i].part);
    }
}

static void other_files_must_have_the_columns(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_text("t.csv", SIX);
    cfg.file[RNN_SPLIT_VALID] = "v.csv";
    write_text("v.csv", "day,a,c\nmon,1,2\n");
    assert_dataset_refused(&cfg, "./v.csv:1: expected column 'b', as in the dataset's first file, "
                                 "found none");
    write_text("v.csv", "mon,1,2\ntue,3,4\n");
    assert_dataset_refused(&cfg, "./v.csv:1: expected the names of columns, as in the dataset's "
                                 "first file, found values");
    write_text("t.csv", "1,2\n3,4\n");
    write_text("v.csv", "a,b\n3,4\n");
    assert_dataset_refused(&cfg, "./v.csv:1: expected values, as in the dataset's first file, "
                                 "found the names of columns");
    write_text("v.csv", "3\n");
    assert_dataset_refused(&cfg, "./v.csv:1: expected column 2, as in the dataset's first file, "
                                 "found none");
}

static void parts_too_short_for_a_sample_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_text("t.csv", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    cfg.look_back = 3;
    cfg.window = 4;
    cfg.horizon = 5;
    assert_dataset_refused(&cfg, "./t.csv: the train part has 10 rows, but a sample takes at least "
                                 "11: 4 steps of look_back 3, and horizon 5");
    cfg.window = 0;
    cfg.test = 0.1;
    assert_dataset_refused(&cfg, "./t.csv: the test part has 1 row, but a sample takes at least 8: "
                                 "1 step of look_back 3, and horizon 5");
    cfg.test = 0.01;
    assert_dataset_refused(&cfg, "leave none for 'test'");
}

static void settings_without_meaning_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_text("t.csv", SIX);
    cfg.look_back = 0;
    assert_dataset_refused(&cfg, "dataset.look_back is 0: expected 1 to 2147483647 rows");
    cfg = make_cfg();
    cfg.stride = 0;
    assert_dataset_refused(&cfg, "dataset.stride is 0: expected 1 to 2147483647 rows");
    cfg = make_cfg();
    cfg.window = SIZE_MAX;
    assert_dataset_refused(&cfg, "dataset.window is 18446744073709551615");
    cfg = make_cfg();
    cfg.horizon = (size_t)1 << 40;
    assert_dataset_refused(&cfg, "dataset.horizon is 1099511627776");
    cfg = make_cfg();
    cfg.std = 0;
    assert_dataset_refused(&cfg, "std 0");
    cfg = make_cfg();
    cfg.file[RNN_SPLIT_TRAIN] = "";
    cfg.file[RNN_SPLIT_TEST] = "t.csv";
    assert_dataset_refused(&cfg, "dataset.train_file: expected a file's name, found none");
}

static void targets_without_meaning_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);

    (void)state;
    write_text("t.csv", "v,class\n1,a\n2,b\n");
    cfg.horizon = 2;
    assert_dataset_refused(&cfg, "dataset.horizon is 2: expected 0 or 1 for targets that are "
                                 "classes");
    cfg.horizon = 0;
    COLUMNS(cfg.target_columns, cfg.n_target_columns, "v", "class");
    COLUMNS(cfg.columns, cfg.n_columns, "v");
    assert_dataset_refused(&cfg, "./t.csv: expected one of dataset.target_columns to be the "
                                 "classes, found 2");
    cfg = make_label_cfg(RNN_TARGET_CHOICE_LABEL);
    write_text("t.csv", "v,class\n1,a\n2,\n");
    assert_dataset_refused(&cfg, "./t.csv:3: column 'class': expected a value, found ''");
    write_text("t.csv", "v,class\n1,a\n2,b\xFF\n");
    assert_dataset_refused(&cfg, "./t.csv:3: column 'class': expected the name of a class in "
                                 "UTF-8, found 'b?'");
    write_text("t.csv", "v,class\n1,?\n2,\n");
    cfg.missing = RNN_MISSING_ZERO;
    assert_dataset_refused(&cfg, "./t.csv: column 'class': expected classes, found none");
}

static void files_that_are_not_there_are_no_input(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    rnn_dataset *dataset;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg), "t.csv");
    write_text("t.csv", "1\n");
    cfg.file[RNN_SPLIT_TEST] = "e.csv";
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg), "e.csv");
}

static void compressed_files_are_refused(void **state)
{
    const rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_text("t.csv", "\x1f\x8b\x08");
    assert_dataset_refused(&cfg, "./t.csv: expected the format 'csv', found a file compressed by");
}

/* Its ending and its content tell what it is. */
static void a_table_given_as_something_else_is_recognized(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();

    (void)state;
    write_text("t.csv", SIX);
    cfg.format = "ts";
    assert_dataset_refused(&cfg, "expected the format 'ts', found a file of format 'csv'");
}

static void excerpts_fit_a_terminal(void **state)
{
    (void)state;
    assert_string_equal(rnn_excerpt_of("").text, "''");
    assert_string_equal(rnn_excerpt_of("a\tb\x7F\xC3\xA4\xFF").text, "'a?b?\xC3\xA4?'");
    assert_string_equal(rnn_excerpt_of("1234567890123456789012345678901234567890").text,
                        "'1234567890123456789012345678901234567890'");
    assert_string_equal(rnn_excerpt_of("12345678901234567890123456789012345678901").text,
                        "'1234567890123456789012345678901234567890...'");
    assert_string_equal(
        rnn_excerpt_of("123456789012345678901234567890123456789\xF0\x9F\x98\x80!").text,
        "'123456789012345678901234567890123456789\xF0\x9F\x98\x80...'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_airline_series_is_one_sample),
        IN_FOLDER(windows_slide_over_the_rows),
        IN_FOLDER(every_step_may_have_its_target),
        IN_FOLDER(a_horizon_of_0_is_the_newest_row),
        IN_FOLDER(one_target_for_all_rows_is_the_last),
        IN_FOLDER(values_are_normalised_like_targets),
        IN_FOLDER(rows_of_a_slice_are_independent),
        IN_FOLDER(fractions_are_rows_at_the_end),
        IN_FOLDER(other_files_may_order_columns_differently),
        IN_FOLDER(the_whole_of_each_part_has_its_own_length),
        IN_FOLDER(cells_are_read_by_the_rules_of_csv),
        IN_FOLDER(the_first_row_has_names_if_it_looks_like_that),
        IN_FOLDER(columns_of_numbers_may_begin_with_gaps),
        IN_FOLDER(columns_go_by_name_then_by_number),
        IN_FOLDER(one_of_two_columns_with_a_name_goes_by_number),
        IN_FOLDER(lines_may_be_long),
        IN_FOLDER(the_digest_depends_on_the_rows),
        IN_FOLDER(gaps_are_filled_within_their_part),
        IN_FOLDER(classes_are_numbered_in_their_order),
        IN_FOLDER(integers_are_classes_in_numeric_order),
        IN_FOLDER(a_sample_has_the_class_of_its_last_step),
        IN_FOLDER(missing_classes_are_no_labels),
        IN_FOLDER(other_files_have_the_same_classes),
        IN_FOLDER(classes_of_other_parts_must_be_in_training),
        IN_FOLDER(a_fit_has_the_numbers_of_classes),
        IN_FOLDER(predictions_reach_behind_the_last_row),
        IN_FOLDER(whole_parts_reach_behind_the_last_row),
        IN_FOLDER(columns_of_targets_need_not_be_there),
        IN_FOLDER(cells_of_targets_may_be_missing),
        IN_FOLDER(malformed_files_are_refused_with_their_place),
        IN_FOLDER(zero_bytes_are_refused),
        IN_FOLDER(truncated_files_do_no_harm),
        IN_FOLDER(columns_that_are_not_there_are_refused),
        IN_FOLDER(other_files_must_have_the_columns),
        IN_FOLDER(parts_too_short_for_a_sample_are_refused),
        IN_FOLDER(settings_without_meaning_are_refused),
        IN_FOLDER(targets_without_meaning_are_refused),
        IN_FOLDER(files_that_are_not_there_are_no_input),
        IN_FOLDER(compressed_files_are_refused),
        IN_FOLDER(a_table_given_as_something_else_is_recognized),
        cmocka_unit_test(excerpts_fit_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
