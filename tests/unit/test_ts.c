#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <unistd.h>

#include "datasets/dataset.h"
#include "datasets/lines.h"
#include "tests/unit/temporary_folder.h"

/* The shortest utterances of JapaneseVowels, and two days of ItalyPowerDemand. */
static const char vowels_header[] = "#A UCI Archive dataset.\n"
                                    "#\n"
                                    "@problemName JapaneseVowels\n"
                                    "@timeStamps false\n"
                                    "@missing false\n"
                                    "@univariate false\n"
                                    "@dimensions 12\n"
                                    "@equalLength false\n"
                                    "@classLabel true 1 2 3 4 5 6 7 8 9\n"
                                    "@data\n";
static const char vowels_7[] =
    "0.486189,0.514255,0.450274,0.365411,0.304147,0.21893,0.086433:-0.135315,-0.161761,-0.119"
    "937,-0.139214,-0.206522,-0.192665,-0.176224:-0.13684,-0.136399,-0.153601,-0.185432,-0.13"
    "6432,-0.075176,-0.001702:-0.570488,-0.515083,-0.439828,-0.358531,-0.310749,-0.269058,-0."
    "173613:-0.014225,0.020651,0.090489,0.139577,0.154518,0.194808,0.269605:-0.492548,-0.4701"
    "81,-0.429767,-0.411964,-0.384026,-0.403788,-0.444665:0.092761,0.089084,0.091283,0.112044"
    ",0.115462,0.102441,0.049941:0.044687,-0.004674,-0.075372,-0.137075,-0.20109,-0.223194,-0"
    ".242259:-0.055169,-0.078032,-0.127058,-0.208909,-0.264311,-0.312897,-0.313674:-0.298104,"
    "-0.306676,-0.304168,-0.316665,-0.300501,-0.2756,-0.228104:0.015013,0.013071,0.022246,0.0"
    "36996,0.035749,0.07003,0.106538:0.204852,0.245437,0.257791,0.257605,0.270907,0.264162,0."
    "193699:3\n";
static const char vowels_9[] =
    "0.669088,0.529058,0.382011,0.310671,0.254614,0.194193,0.093067,-0.017902,-0.108101:0.126"
    "628,0.096727,0.075963,0.023286,-0.019488,-0.048452,-0.08352,-0.162331,-0.203899:-0.05133"
    "7,-0.130877,-0.210633,-0.206869,-0.208555,-0.210458,-0.052691,0.105145,0.259374:-0.60038"
    "3,-0.452151,-0.340154,-0.200237,-0.021787,0.166705,0.289829,0.347589,0.411004:0.207266,0"
    ".241046,0.31964,0.358973,0.367799,0.357258,0.354872,0.383446,0.396202:-0.585189,-0.54219"
    "8,-0.544194,-0.503066,-0.450671,-0.401071,-0.408888,-0.416598,-0.415471:0.19334,0.211184"
    ",0.20932,0.179464,0.20079,0.205151,0.13728,0.108847,0.081257:0.077718,-0.042704,-0.14871"
    "6,-0.266421,-0.357711,-0.421536,-0.45358,-0.441228,-0.39322:-0.293915,-0.315373,-0.34888"
    "6,-0.360328,-0.351669,-0.327852,-0.289297,-0.23886,-0.156109:-0.232029,-0.26223,-0.22745"
    "5,-0.181605,-0.155568,-0.122568,-0.064256,-0.016848,0.003534:-0.102734,-0.033259,-0.0200"
    "26,0.01785,0.048436,0.049241,0.041212,8.9E-4,-0.042396:0.220207,0.25177,0.229554,0.16571"
    "6,0.085422,-0.010235,-0.111333,-0.177227,-0.227776:3\n";
static const char italy_header[] = "#days from Oct to March (inclusive) from April to September.\n"
                                   "@problemName ItalyPowerDemand\n"
                                   "@timeStamps false\n"
                                   "@missing false\n"
                                   "@univariate true\n"
                                   "@equalLength true\n"
                                   "@seriesLength 24\n"
                                   "@classLabel true 1 2\n"
                                   "@data\n";
static const char italy_1[] =
    "-1.146064,-1.4167468,-1.5833208,-1.5833208,-1.6249643,-1.4583903,-0.87538126,-8.6758111E"
    "-4,0.39474574,1.0193983,0.97775486,0.83200259,0.62378504,0.37392399,0.43638925,0.5404980"
    "3,0.56131978,0.6446068,1.2900811,1.3525464,0.72789382,0.47803276,-0.021689336,-0.5422331"
    "8:1\n";
static const char italy_2[] =
    "0.47297301,-0.39603003,-0.72190616,-1.1564077,-1.2107204,-1.0477823,-0.77621885,-1.31934"
    "58,-0.83053154,0.25572225,0.96178719,1.1247253,0.58159839,0.20140956,-0.23309196,-0.3417"
    "1734,-0.66759347,-0.72190616,-0.45034272,-0.015841201,0.79884913,2.2652918,1.9394156,1.2"
    "876634:2\n";

/* What most tests change something in: two dimensions, classes "a" and "b". */
#define HEADER "@problemName small\n@dimensions 2\n@classLabel true a b\n"
#define SMALL  HEADER "@data\n1,2,3:4,5,6:a\n7,8:9,10:b\n"

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void write_texts(const char *name, const char *const *texts, size_t n)
{
    FILE *file = fopen(name, "wb");

    assert_non_null(file);
    for (size_t i = 0; i < n; i++)
        assert_true(fputs(texts[i], file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static rnn_dataset_cfg make_cfg(const char *train, const char *test)
{
    return (rnn_dataset_cfg){.format = "ts",
                             .name = "",
                             .search = search,
                             .n_search = 1,
                             .mean = 0,
                             .std = 1,
                             .file = {train, "", test}};
}

static rnn_dataset *open_cfg(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;

    if (rnn_dataset_open(&dataset, cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static rnn_dataset *open_files(const char *train, const char *test)
{
    rnn_dataset_cfg cfg = make_cfg(train, test);

    return open_cfg(&cfg);
}

/* A dataset of one file with this text. */
static rnn_dataset *open_text(const char *text)
{
    write_text("t.ts", text);
    return open_files("t.ts", "");
}

static uint64_t digest_of(const char *train, const char *test)
{
    rnn_dataset *dataset = open_files(train, test);
    uint64_t digest = rnn_dataset_get_info(dataset)->digest;

    rnn_dataset_destroy(&dataset);
    return digest;
}

static void assert_files_refused(const char *train, const char *test, const char *part)
{
    rnn_dataset_cfg cfg = make_cfg(train, test);
    rnn_dataset *dataset;

    assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg), part);
    assert_null(dataset);
}

/* A training file that is refused with "t.ts:<part>". */
static void assert_text_refused(const char *text, const char *part)
{
    char message[320];

    write_text("t.ts", text);
    snprintf(message, sizeof message, "t.ts:%s", part);
    assert_files_refused("t.ts", "", message);
}

/* A sample behind HEADER and "@data", on line 5. */
static void assert_sample_refused(const char *sample, const char *part)
{
    char text[1024], message[256];

    snprintf(text, sizeof text, HEADER "@data\n%s\n", sample);
    snprintf(message, sizeof message, "5: %s", part);
    assert_text_refused(text, message);
}

/* -- What is read -------------------------------------------------------------------------------*/

static void write_vowels(void)
{
    write_texts("train.ts", (const char *const[]){vowels_header, vowels_9, vowels_7}, 3);
    write_texts("test.ts", (const char *const[]){vowels_header, vowels_7}, 2);
}

static void info_describes_the_files(void **state)
{
    rnn_dataset *dataset;
    const rnn_dataset_info *info;

    (void)state;
    write_vowels();
    dataset = open_files("train.ts", "test.ts");
    info = rnn_dataset_get_info(dataset);
    assert_string_equal(info->name, "JapaneseVowels");
    assert_string_equal(info->folder, ".");
    assert_true(info->is_expected);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 1);
    assert_int_equal(info->seq_len, 9);
    assert_int_equal(info->min_len, 7);
    assert_true(info->is_ragged);
    assert_int_equal(info->n_features, 12);
    assert_int_equal(info->n_tokens, 0);
    assert_int_equal(info->target, RNN_TARGET_LABEL);
    assert_int_equal(info->n_classes, 9);
    assert_int_equal(info->n_target_values, 0);
    assert_true(info->bytes_in_memory >= (9 + 7 + 7) * 12 * sizeof(float));
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 0), 9);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 1), 7);
    assert_int_equal(rnn_dataset_lengths(dataset, RNN_SPLIT_TEST)[0], 7);
    assert_string_equal(rnn_dataset_token_text(dataset, 8), "9");
    assert_null(rnn_dataset_token_text(dataset, 9));
    rnn_dataset_destroy(&dataset);
}

static void samples_become_steps_with_padding_behind(void **state)
{
    enum { ROWS = 3, SEQ_LEN = 10, DIMS = 12 };
    static float x[SEQ_LEN][ROWS][DIMS];
    int32_t label[ROWS], length[ROWS];
    const rnn_dataset_slice slice = {.x = **x, .length = length, .label = label};
    rnn_dataset *dataset;

    (void)state;
    write_vowels();
    dataset = open_files("train.ts", "test.ts");
    memset(x, 0xFF, sizeof x);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){1, 0}, 2, ROWS, SEQ_LEN, &slice);
    assert_true(x[0][0][0] == 0.486189f);
    assert_true(x[6][0][0] == 0.086433f);
    assert_true(x[0][0][1] == -0.135315f);
    assert_true(x[6][0][11] == 0.193699f);
    assert_true(x[8][1][0] == -0.108101f);
    assert_true(x[7][1][10] == 8.9E-4f);
    for (size_t t = 0; t < SEQ_LEN; t++)
        for (size_t row = 0; row < ROWS; row++)
            for (size_t d = 0; d < DIMS; d++)
                assert_true((x[t][row][d] != 0) == (t < (row == 0 ? 7 : row == 1 ? 9 : 0)));
    assert_int_equal(length[0], 7);
    assert_int_equal(length[1], 9);
    assert_int_equal(length[2], 0);
    assert_int_equal(label[0], 2);
    assert_int_equal(label[1], 2);
    assert_int_equal(label[2], -1);
    rnn_dataset_destroy(&dataset);
}

static void univariate_series_of_equal_length_are_not_ragged(void **state)
{
    float x[24][2];
    int32_t label[2], length[2];
    const rnn_dataset_slice slice = {.x = *x, .length = length, .label = label};
    rnn_dataset *dataset;
    const rnn_dataset_info *info;

    (void)state;
    write_texts("italy.ts", (const char *const[]){italy_header, italy_1, italy_2}, 3);
    dataset = open_files("italy.ts", "");
    info = rnn_dataset_get_info(dataset);
    assert_string_equal(info->name, "ItalyPowerDemand");
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 2);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 0);
    assert_int_equal(info->seq_len, 24);
    assert_int_equal(info->min_len, 24);
    assert_false(info->is_ragged);
    assert_null(rnn_dataset_lengths(dataset, RNN_SPLIT_TRAIN));
    assert_int_equal(info->n_features, 1);
    assert_int_equal(info->n_classes, 2);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0, 1}, 2, 2, 24, &slice);
    assert_true(x[0][0] == -1.146064f);
    assert_true(x[7][0] == -8.6758111E-4f);
    assert_true(x[23][0] == -0.54223318f);
    assert_int_equal(label[0], 0);
    assert_int_equal(label[1], 1);
    rnn_dataset_destroy(&dataset);
}

static void values_are_normalised(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("t.ts", "");
    float x[3][2];
    int32_t label[1], length[1];
    const rnn_dataset_slice slice = {.x = *x, .length = length, .label = label};
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", SMALL);
    cfg.mean = 0.1307;
    cfg.std = 0.3081;
    dataset = open_cfg(&cfg);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0}, 1, 1, 3, &slice);
    for (size_t t = 0; t < 3; t++)
        for (size_t d = 0; d < 2; d++)
            assert_true(x[t][d] == (float)(((double)(1 + 3 * d + t) - cfg.mean) / cfg.std));
    rnn_dataset_destroy(&dataset);
}

static void limits_shorten_the_splits_but_not_the_checks(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("t.ts", "");
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", SMALL);
    cfg.limit[RNN_SPLIT_TRAIN] = 1;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 1);
    assert_int_equal(rnn_dataset_get_info(dataset)->min_len, 3);
    assert_false(rnn_dataset_get_info(dataset)->is_ragged);
    rnn_dataset_destroy(&dataset);
    write_text("t.ts", SMALL "1:1:c\n");
    assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg), "t.ts:7: expected a class");
}

/* The same content, written in another way. */
static void the_form_of_a_file_is_free_where_it_may_be(void **state)
{
    static const char *const forms[] = {
        "@PROBLEMNAME small\r\n@Dimensions 2\r\n@classlabel TRUE a b\r\n@DATA\r\n"
        "1,2,3:4,5,6:a\r\n7,8:9,10:b\r\n",                                        /* case, CRLF */
        "# c\n\n  \t\n" HEADER "#@data\n@data\n# c\n1,2,3:4,5,6:a\n\n7,8:9,10:b", /* no end */
        "@problemName small\n@dimension  2 \n@classLabel  true  a\tb \n@data\n"
        " 1 , 2,\t3 : 4,5,6 : a \n+7.,80e-1:.9E+1,10:b\n", /* blanks, spellings of numbers */
        "@problemName small\n@univariate false\n@missing true\n@equalLength false\n"
        "@targetLabel false\n@timeStamps false\n@seriesLength 3\n@classLabel true a b\n@data\n"
        "1,2,3:4,5,6:a\n7,8:9,10:b\n", /* dimensions by the first sample */
        "@problemName small\n@author of nothing\n@dimensions 2\n@\n@classLabel true a b\n@data \t\n"
        "1,2,3\t:\t4,5,6:\ta\t\n\t7,\t8:9,10:b\n", /* other keys, tabs */
    };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        static const float expected[3][2][2] = {{{1, 4}, {7, 9}}, {{2, 5}, {8, 10}}, {{3, 6}}};
        float x[3][2][2];
        int32_t label[2], length[2];
        const rnn_dataset_slice slice = {.x = **x, .length = length, .label = label};
        rnn_dataset *dataset = open_text(forms[i]);

        assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 2);
        assert_string_equal(rnn_dataset_get_info(dataset)->name, "small");
        rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0, 1}, 2, 2, 3, &slice);
        assert_memory_equal(x, expected, sizeof x);
        assert_int_equal(label[0], 0);
        assert_int_equal(label[1], 1);
        rnn_dataset_destroy(&dataset);
    }
}

static void a_file_without_a_name_is_of_unknown_data(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("t.ts", "");
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", "@classLabel true a\n@data\n1:a\n");
    cfg.name = "small";
    dataset = open_cfg(&cfg);
    assert_string_equal(rnn_dataset_get_info(dataset)->name, "unknown");
    assert_false(rnn_dataset_get_info(dataset)->is_expected);
    rnn_dataset_destroy(&dataset);
}

/* Both splits of one length each, but not of the same. */
static void splits_of_different_length_are_ragged(void **state)
{
    rnn_dataset *dataset;

    (void)state;
    write_text("a.ts", "@classLabel true a\n@equalLength true\n@data\n1,2:a\n3,4:a\n");
    write_text("b.ts", "@classLabel true a\n@equalLength true\n@seriesLength 3\n@data\n1,2,3:a\n");
    dataset = open_files("a.ts", "b.ts");
    assert_true(rnn_dataset_get_info(dataset)->is_ragged);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 1), 2);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TEST, 0), 3);
    rnn_dataset_destroy(&dataset);
}

static void numbers_are_read_the_same_in_every_locale(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    bool has_comma = false;
    float x[1];
    int32_t label[1], length[1];
    const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};
    rnn_dataset *dataset;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names && !has_comma; i++)
        has_comma = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!has_comma)
        print_message("no locale with a decimal comma here\n");
    dataset = open_text("@classLabel true a\n@data\n1.5:a\n");
    setlocale(LC_NUMERIC, "C");
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0}, 1, 1, 1, &slice);
    assert_true(x[0] == 1.5f);
    rnn_dataset_destroy(&dataset);
}

static void the_digest_depends_on_both_files_but_not_on_line_ends(void **state)
{
    uint64_t original;

    (void)state;
    write_text("a.ts", "@classLabel true a\n@data\n1,2:a\n");
    write_text("crlf.ts", "@classLabel true a\r\n@data\r\n1,2:a\r\n");
    write_text("b.ts", "@classLabel true a\n@data\n1,3:a\n");
    original = digest_of("a.ts", "a.ts");
    assert_true(digest_of("a.ts", "a.ts") == original);
    assert_true(digest_of("crlf.ts", "a.ts") == original);
    assert_true(digest_of("b.ts", "a.ts") != original);
    assert_true(digest_of("a.ts", "b.ts") != original);
    assert_true(digest_of("a.ts", "") != original);
}

/* -- What is missing ----------------------------------------------------------------------------*/

/* Each dimension of a sample by itself, behind normalisation by mean 1 and deviation 2. */
static void missing_values_are_filled_in(void **state)
{
    static const struct {
        rnn_missing missing;
        float expected[6][2];
    } cases[] = {
        {RNN_MISSING_ZERO, {{0, -5}, {1, 0}, {0, 0}, {0, 0}, {4, 0}, {0, 0}}},
        {RNN_MISSING_MEAN, {{2.5f, -5}, {1, -5}, {2.5f, -5}, {2.5f, -5}, {4, -5}, {2.5f, -5}}},
        {RNN_MISSING_PREVIOUS, {{1, -5}, {1, -5}, {1, -5}, {1, -5}, {4, -5}, {4, -5}}},
        {RNN_MISSING_LINEAR, {{1, -5}, {1, -5}, {2, -5}, {3, -5}, {4, -5}, {4, -5}}},
    };

    (void)state;
    write_text("t.ts", HEADER "@data\n1,2:3,4:a\n?,3,NaN, nan ,9,?:-9,NAN,?,?,?,nan:b\n"
                              "NaN:?:a\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_dataset_cfg cfg = make_cfg("t.ts", "");
        float x[6][2][2];
        int32_t label[2], length[2];
        const rnn_dataset_slice slice = {.x = **x, .length = length, .label = label};
        rnn_dataset *dataset;

        cfg.mean = 1;
        cfg.std = 2;
        cfg.missing = cases[i].missing;
        dataset = open_cfg(&cfg);
        rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){1, 2}, 2, 2, 6, &slice);
        for (size_t t = 0; t < 6; t++)
            assert_memory_equal(x[t][0], cases[i].expected[t], sizeof x[t][0]);
        assert_true(x[0][1][0] == 0 && x[0][1][1] == 0); /* nothing to go by */
        assert_int_equal(length[1], 1);
        rnn_dataset_destroy(&dataset);
    }
}

/* -- Values as targets --------------------------------------------------------------------------*/

#define VALUES "@problemName floods\n@missing true\n@targetLabel true\n@data\n"

static void assert_targets(const rnn_dataset *dataset, rnn_split split, const float *expected)
{
    size_t n = rnn_dataset_get_info(dataset)->n_samples[split];

    for (uint64_t i = 0; i < n; i++) {
        float x[16], target;
        int32_t length;
        const rnn_dataset_slice slice = {.x = x, .length = &length, .target = &target};

        rnn_dataset_gather(dataset, split, &i, 1, 1, 8, &slice);
        if (!(target == expected[i] || (isnan(target) && isnan(expected[i]))))
            fail_msg("sample %d: expected %g, found %g", (int)i, (double)expected[i],
                     (double)target);
    }
}

static void targets_may_be_values(void **state)
{
    static const float train[] = {0.25f, -1e3f, 7}, test[] = {3};
    const rnn_dataset_info *info;
    rnn_dataset *dataset;

    (void)state;
    write_text("a.ts", VALUES "1,2:0.25\n3:-1E3\n4,5: +7. \n");
    write_text("b.ts", "@classLabel false\n@targetlabel TRUE\n@univariate true\n@data\n9:3\n");
    dataset = open_files("a.ts", "b.ts");
    info = rnn_dataset_get_info(dataset);
    assert_string_equal(info->name, "floods");
    assert_int_equal(info->target, RNN_TARGET_VALUES);
    assert_int_equal(info->n_target_values, 1);
    assert_int_equal(info->n_classes, 0);
    assert_int_equal(info->n_features, 1);
    assert_true(info->has_targets);
    assert_null(rnn_dataset_token_text(dataset, 0));
    assert_int_equal(rnn_dataset_get_fit(dataset)->n_texts, 0);
    assert_targets(dataset, RNN_SPLIT_TRAIN, train);
    assert_targets(dataset, RNN_SPLIT_TEST, test);
    rnn_dataset_destroy(&dataset);
}

/* By hand: 1, 3 and 8 have mean 4 and variance (9 + 1 + 16) / 3. */
static void values_as_targets_are_standardised(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("a.ts", "b.ts");
    const double std = sqrt(26.0 / 3);
    const float train[] = {(float)(-3 / std), (float)(-1 / std), (float)(4 / std)};
    const float test[] = {(float)(-14 / std)};
    const rnn_dataset_fit *fit;
    rnn_dataset *dataset, *again;
    double scale, offset;

    (void)state;
    write_text("a.ts", VALUES "1,2:1\n3:3\n4,5:8\n");
    write_text("b.ts", VALUES "1:-10\n");
    cfg.standardize_targets = true;
    dataset = open_cfg(&cfg);
    fit = rnn_dataset_get_fit(dataset);
    assert_null(fit->mean);
    assert_int_equal(fit->n_target_values, 1);
    assert_true(fit->target_mean[0] == 4);
    assert_true(fabs(fit->target_std[0] - std) < 1e-15);
    assert_targets(dataset, RNN_SPLIT_TRAIN, train);
    assert_targets(dataset, RNN_SPLIT_TEST, test);
    rnn_dataset_target_units(dataset, 0, &scale, &offset);
    assert_true(offset == 4 && fabs(scale - std) < 1e-15);
    cfg = make_cfg("", "a.ts"); /* a trained model's, on the training file as new data */
    cfg.fit = fit;
    again = open_cfg(&cfg);
    assert_targets(again, RNN_SPLIT_TEST, train);
    rnn_dataset_destroy(&again);
    rnn_dataset_destroy(&dataset);
}

static void values_as_targets_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {"", "x", "?", "nan", "inf", "1e39", "1 2", "0x1", "1,2"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[128];

        snprintf(text, sizeof text, VALUES "1,2:1\n1,2:%s\n", wrong[i]);
        assert_text_refused(text,
                            "6: expected a number in the range of a float as target, found '");
    }
    assert_text_refused(VALUES "1,2\n", "5: expected values, ':' and a target, found no ':'");
    assert_text_refused(VALUES "1,2:1\n1:2:1\n", "6: expected 1 dimension, found 2");
}

static void stratified_parts_need_classes(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("t.ts", "");
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", VALUES "1:1\n2:2\n");
    cfg.validation = 0.5;
    cfg.split_by = RNN_SPLIT_BY_STRATIFIED;
    assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg),
                   "dataset.split = \"stratified\" needs one class for every sequence");
}

/* -- A trained model's data ---------------------------------------------------------------------*/

static void classes_are_found_by_name(void **state)
{
    static const int32_t expected[] = {1, 0, 1};
    rnn_dataset *dataset;

    (void)state;
    write_text("a.ts", SMALL);
    write_text("b.ts", "@classLabel true b a\n@data\n1:1:b\n1:1:a\n1:1:b\n");
    dataset = open_files("a.ts", "b.ts");
    for (uint64_t i = 0; i < 3; i++) {
        float x[2];
        int32_t label, length;
        const rnn_dataset_slice slice = {.x = x, .length = &length, .label = &label};

        rnn_dataset_gather(dataset, RNN_SPLIT_TEST, &i, 1, 1, 1, &slice);
        assert_int_equal(label, expected[i]);
    }
    assert_string_equal(rnn_dataset_token_text(dataset, 0), "a");
    rnn_dataset_destroy(&dataset);
    write_text("b.ts", "@classLabel true b\n@data\n1:1:b\n"); /* not all need occur */
    dataset = open_files("a.ts", "b.ts");
    assert_int_equal(rnn_dataset_get_info(dataset)->n_classes, 2);
    rnn_dataset_destroy(&dataset);
}

/* Opens a text as new data for a model of these classes; n_names = 0: of values. */
static rnn_dataset *open_new_data(const char *text, size_t n_names)
{
    char *names[] = {"b", "a", "c"};
    const rnn_dataset_fit fit = {.texts = names, .n_texts = n_names};
    rnn_dataset_cfg cfg = make_cfg("", "t.ts");

    write_text("t.ts", text);
    cfg.fit = &fit;
    cfg.needs_no_targets = true;
    return open_cfg(&cfg);
}

static void targets_may_be_missing_where_they_are_not_needed(void **state)
{
    static const struct {
        const char *text;
        bool has_targets;
        int32_t label[2];
    } cases[] = {
        {HEADER "@data\n1:2:a\n3:4:b\n", true, {1, 0}},
        {HEADER "@data\n1:2:?\n3:4:b\n", true, {-1, 0}},
        {HEADER "@data\n1:2:\n3:4: a\n", true, {-1, 1}},
        {HEADER "@data\n1:2: ? \n3:4:NaN\n", false, {-1, -1}},
        {HEADER "@data\n1:2\n3:4:a\n", true, {-1, 1}}, /* fields say which is which */
        {HEADER "@data\n1:2\n3:4\n", false, {-1, -1}},
        {"@classLabel false\n@data\n1:2\n3:4\n", false, {-1, -1}},
        {"@data\n1:2\n3:4\n", false, {-1, -1}},
        {"@dimensions 2\n@targetLabel false\n@data\n1:2\n3:4\n", false, {-1, -1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_dataset *dataset = open_new_data(cases[i].text, 3);
        const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
        float x[1][2][2];
        int32_t label[2], length[2];
        const rnn_dataset_slice slice = {.x = **x, .length = length, .label = label};

        assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 0);
        assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 2);
        assert_int_equal(info->n_features, 2);
        assert_int_equal(info->target, RNN_TARGET_LABEL);
        assert_int_equal(info->n_classes, 3);
        assert_int_equal(info->has_targets, cases[i].has_targets);
        assert_string_equal(rnn_dataset_token_text(dataset, 2), "c");
        rnn_dataset_gather(dataset, RNN_SPLIT_TEST, (uint64_t[]){0, 1}, 2, 2, 1, &slice);
        assert_memory_equal(label, cases[i].label, sizeof label);
        assert_true(x[0][0][0] == 1 && x[0][0][1] == 2 && x[0][1][0] == 3 && x[0][1][1] == 4);
        rnn_dataset_destroy(&dataset);
    }
}

/* NAN is one that is not there. */
static void values_that_are_not_needed_may_be_missing(void **state)
{
    static const struct {
        const char *text;
        bool has_targets;
        float target[2];
    } cases[] = {
        {VALUES "1:5\n3:6\n", true, {5, 6}},
        {VALUES "1:?\n3:6\n", true, {NAN, 6}},
        {VALUES "1:nan\n3:\n", false, {NAN, NAN}},
        {"@data\n1\n3\n", false, {NAN, NAN}},
        {"@univariate true\n" VALUES "1\n3\n", false, {NAN, NAN}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_dataset *dataset = open_new_data(cases[i].text, 0);

        assert_int_equal(rnn_dataset_get_info(dataset)->target, RNN_TARGET_VALUES);
        assert_int_equal(rnn_dataset_get_info(dataset)->n_target_values, 1);
        assert_int_equal(rnn_dataset_get_info(dataset)->n_features, 1);
        assert_int_equal(rnn_dataset_get_info(dataset)->has_targets, cases[i].has_targets);
        assert_targets(dataset, RNN_SPLIT_TEST, cases[i].target);
        rnn_dataset_destroy(&dataset);
    }
}

/* Beside others, which are standardised. */
static void targets_that_are_not_there_stay_nan(void **state)
{
    double mean = 4, std = 2;
    const rnn_dataset_fit fit = {.target_mean = &mean, .target_std = &std, .n_target_values = 1};
    static const float none[] = {NAN, 5};
    rnn_dataset_cfg cfg = make_cfg("", "t.ts");
    double scale, offset;
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", VALUES "1:?\n3:14\n");
    cfg.fit = &fit;
    cfg.needs_no_targets = true;
    dataset = open_cfg(&cfg);
    assert_targets(dataset, RNN_SPLIT_TEST, none);
    rnn_dataset_target_units(dataset, 0, &scale, &offset);
    assert_true(scale == 2 && offset == 4);
    rnn_dataset_destroy(&dataset);
}

/* A model of three values a step gets targets of its kind, all of them unknown. */
static void without_targets_they_are_of_the_kind_that_the_model_answers(void **state)
{
    const rnn_dataset_answer answer = {RNN_TARGET_STEP_VALUES, 3};
    const rnn_dataset_fit fit = {.texts = NULL};
    rnn_dataset_cfg cfg = make_cfg("", "t.ts");
    float x[2][2], target[2][2][3];
    int32_t length[2];
    const rnn_dataset_slice slice = {.x = *x, .length = length, .target = **target};
    const rnn_dataset_info *info;
    rnn_dataset *dataset;

    (void)state;
    write_text("t.ts", "@data\n1\n3,4\n");
    cfg.fit = &fit;
    cfg.needs_no_targets = true;
    cfg.answer = &answer;
    dataset = open_cfg(&cfg);
    info = rnn_dataset_get_info(dataset);
    assert_false(info->has_targets);
    assert_int_equal(info->target, RNN_TARGET_STEP_VALUES);
    assert_int_equal(info->n_target_values, 3);
    assert_int_equal(
        rnn_dataset_gather(dataset, RNN_SPLIT_TEST, (uint64_t[]){0, 1}, 2, 2, 2, &slice), RNN_OK);
    assert_true(x[0][0] == 1 && x[0][1] == 3 && x[1][1] == 4);
    for (size_t i = 0; i < 3; i++) {
        assert_true(isnan((double)target[0][0][i]) && isnan((double)target[0][1][i]));
        assert_true(isnan((double)target[1][1][i]));
        assert_true(target[1][0][i] == 0); /* behind the end */
    }
    rnn_dataset_destroy(&dataset);
}

static void new_data_must_fit_the_model(void **state)
{
    static const struct {
        const char *text;
        size_t n_names;
        const char *part;
    } cases[] = {
        {"@classLabel true a d\n@data\n1:a\n", 3,
         "t.ts:1: class 'd' is none that the model was trained on"},
        {VALUES "1:2\n", 3, "t.ts:4: expected classes as the model was trained on, found values"},
        {SMALL, 0, "t.ts:4: expected values as targets as the model was trained on, found classes"},
        {HEADER "@data\n1:2:d\n", 3, "t.ts:5: expected a class of @classLabel, found 'd'"},
        {HEADER "@data\n1:2:a:b\n", 3, "t.ts:5: dimension 3, value 1: expected a number"},
        {HEADER "@data\n1\n", 3, "t.ts:5: expected values, ':' and a class, found no ':'"},
        {HEADER "@data\n1:a\n", 3, "t.ts:5: dimension 2, value 1: expected a number, found 'a'"},
        {VALUES "1:2\n1:x\n", 0, "t.ts:6: expected a number in the range of a float as target"},
        {"@data\n1:2\n1:2:a\n", 3, "t.ts:3: dimension 3, value 1: expected a number"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *names[] = {"b", "a", "c"};
        const rnn_dataset_fit fit = {.texts = names, .n_texts = cases[i].n_names};
        rnn_dataset_cfg cfg = make_cfg("", "t.ts");
        rnn_dataset *dataset;

        write_text("t.ts", cases[i].text);
        cfg.fit = &fit;
        cfg.needs_no_targets = true;
        assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg), cases[i].part);
        assert_null(dataset);
    }
}

/* -- Files --------------------------------------------------------------------------------------*/

static void files_that_are_not_there_are_named(void **state)
{
    rnn_dataset_cfg cfg = make_cfg("a.ts", "b.ts");
    rnn_dataset *dataset;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg),
                   "no folder has the dataset's files (a.ts ...); looked in: '.'");
    write_text("a.ts", SMALL);
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg),
                   "found 1 of 2 files, missing: b.ts");
    assert_int_equal(mkdir("b.ts", 0700), 0);
    assert_refused(RNN_ERR_NOINPUT, rnn_dataset_open(&dataset, &cfg),
                   "b.ts': expected a regular file, found a folder");
    cfg.std = 0;
    assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg), "std > 0");
}

static void lines_without_end_are_refused(void **state)
{
    (void)state;
    write_text("t.ts", SMALL);
    assert_int_equal(truncate("t.ts", RNN_LINES_MAX + 4096), 0); /* zeros, not on the disk */
    assert_files_refused("t.ts", "", "t.ts:7: expected a line of at most");
    assert_int_equal(truncate("t.ts", sizeof SMALL + 10), 0);
    assert_files_refused("t.ts", "", "t.ts:7: expected text, found a zero byte");
}

/* -- Headers that are refused -------------------------------------------------------------------*/

static void what_is_not_supported_is_refused(void **state)
{
    (void)state;
    assert_text_refused("@timeStamps true\n", "1: series with time stamps are not supported");
    assert_text_refused("@TimeStamps\tTRUE\n", "1: series with time stamps are not supported");
}

static void headers_with_mistakes_are_refused(void **state)
{
    (void)state;
    assert_text_refused("@timeStamps\n", "1: expected true or false, found ''");
    assert_text_refused("@missing yes\n", "1: expected true or false, found 'yes'");
    assert_text_refused("@equalLength true 3\n", "1: expected true or false, found 'true 3'");
    assert_text_refused("@targetLabel 1\n", "1: expected true or false, found '1'");
    assert_text_refused("problemName small\n", "1: expected a header line, as @classLabel, or");
    assert_text_refused("1,2:a\n", "1: expected a header line, as @classLabel, or @data, found");
    assert_text_refused("@univariate maybe\n", "1: expected true or false, found 'maybe'");
    assert_text_refused("@classLabel a b\n", "1: expected true or false, found 'a'");
    assert_text_refused("@classLabel true \n", "1: expected the names of classes, found none");
    assert_text_refused("@classLabel true a b a\n", "1: expected every class once, found 'a'");
    assert_text_refused("@classLabel true a\x01 b\n", "1: expected class names in UTF-8");
    assert_text_refused("@classLabel true a\xFF b\n", "1: expected class names in UTF-8");
    assert_text_refused("@problemName\n", "1: expected a name, found ''");
    assert_text_refused("@problemName \x1b[2J\n", "1: expected a name, found '?[2J'");
    assert_text_refused("@dimensions 0\n", "1: expected a number from 1 to 999999999, found '0'");
    assert_text_refused("@dimensions -1\n", "1: expected a number from 1");
    assert_text_refused("@dimensions 12345678901234567890\n", "1: expected a number from 1");
    assert_text_refused("@seriesLength 1 2\n", "1: expected a number from 1");
    assert_text_refused("@missing false\n@missing false\n", "2: @missing for the second time");
    assert_text_refused("@dimensions 2\n@data\n",
                        "2: expected @classLabel or @targetLabel to be true before @data");
    assert_text_refused("@classLabel false\n@targetLabel false\n@data\n1:1\n",
                        "3: expected @classLabel or @targetLabel to be true before @data");
    assert_text_refused("@targetLabel true\n@classLabel true a\n@data\n",
                        "2: expected classes or values as targets, found @classLabel and");
    assert_text_refused("@classLabel true a\n@targetLabel true\n", "2: expected classes or values");
    assert_text_refused("@classLabel true a\n@data 1\n",
                        "2: expected nothing behind @data, found '1'");
    assert_text_refused("@classLable true a\n@data\n1:a\n", /* read over, and then missed */
                        "2: expected @classLabel or @targetLabel");
    assert_text_refused("@univariate true\n" HEADER "@data\n",
                        "5: @univariate is true, but @dimensions is 2");
    assert_text_refused(HEADER, "4: expected @data, found the end of the file");
    assert_text_refused("", "1: expected @data, found the end of the file");
    assert_text_refused(HEADER "@data\n# nothing\n",
                        "6: expected samples, found the end of the file");
}

static void too_many_classes_are_refused(void **state)
{
    FILE *file = fopen("t.ts", "w");

    (void)state;
    assert_non_null(file);
    fputs("@classLabel true", file);
    for (int i = 0; i <= 4096; i++)
        fprintf(file, " %d", i);
    assert_int_equal(fclose(file), 0);
    assert_files_refused("t.ts", "", "t.ts:1: expected at most 4096 classes");
}

static void the_test_file_must_fit_the_training_file(void **state)
{
    (void)state;
    write_text("a.ts", SMALL);
    write_text("b.ts", "\n@classLabel true a b c\n@data\n1:1:a\n");
    assert_files_refused("a.ts", "b.ts", "b.ts:2: class 'c' is none of the training file");
    write_text("b.ts", "@classLabel true A b\n@data\n1:1:b\n");
    assert_files_refused("a.ts", "b.ts", "b.ts:1: class 'A' is none of the training file");
    write_text("b.ts", "@classLabel true b\n@data\n1:1:b\n1:1:a\n"); /* not in its own list */
    assert_files_refused("a.ts", "b.ts", "b.ts:4: expected a class of @classLabel, found 'a'");
    write_text("b.ts", "@targetLabel true\n@data\n1:1:2\n");
    assert_files_refused("a.ts", "b.ts",
                         "b.ts:2: expected classes as in the training file, found "
                         "values as targets");
    assert_files_refused("b.ts", "a.ts",
                         "a.ts:4: expected values as targets as in the training "
                         "file, found classes");
    write_text("b.ts", "@dimensions 3\n@classLabel true a b\n@data\n1:1:1:a\n");
    assert_files_refused("a.ts", "b.ts", "b.ts:3: expected 2 dimensions, found 3");
    write_text("b.ts", "@univariate true\n@classLabel true a b\n@data\n1:a\n");
    assert_files_refused("a.ts", "b.ts", "b.ts:3: expected 2 dimensions, found 1");
    write_text("b.ts", "@classLabel true a b\n@data\n1:a\n");
    assert_files_refused("a.ts", "b.ts", "b.ts:3: expected 2 dimensions, found 1");
}

/* -- Samples that are refused -------------------------------------------------------------------*/

static void missing_values_are_refused(void **state)
{
    static const char *const missing[] = {"?", "NaN", "nan", " ? "};

    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        char sample[64];

        snprintf(sample, sizeof sample, "1,2:3,%s:a", missing[i]);
        assert_sample_refused(sample,
                              "dimension 2, value 2: expected a number, none may be missing "
                              "without dataset.missing, found '");
    }
}

static void what_looks_like_a_missing_value_is_refused(void **state)
{
    static const char *const values[] = {"??", "?1", "nan1", "na", "n/a", "null", "-nan", "nan(1)"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        rnn_dataset_cfg cfg = make_cfg("t.ts", "");
        rnn_dataset *dataset;
        char text[128];

        cfg.missing = RNN_MISSING_ZERO;
        snprintf(text, sizeof text, HEADER "@data\n1,2:3,%s:a\n", values[i]);
        write_text("t.ts", text);
        assert_refused(RNN_ERR_DATA, rnn_dataset_open(&dataset, &cfg),
                       "t.ts:5: dimension 2, value 2: expected a number, found '");
    }
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const values[] = {"x", "1x",  "0x10", "1 2", "--1",      "1e", "",
                                         " ", "inf", "(1",   "1;2", "infinity", ".",  "1.2.3"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char sample[64];

        snprintf(sample, sizeof sample, "1,%s,3:1,2,3:a", values[i]);
        assert_sample_refused(sample, "dimension 1, value 2: expected a number, found '");
    }
    assert_sample_refused("1,2,:1,2:a", "dimension 1, value 3: expected a number, found ''");
    assert_sample_refused("1,1e39:1,2:a",
                          "dimension 1, value 2: expected a number in the range of a float, found "
                          "'1e39'");
    assert_sample_refused("1,1e999:1,2:a", "dimension 1, value 2: expected a number in the range");
    assert_sample_refused("1,\x1b[2Jabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz:1,2:a",
                          "dimension 1, value 2: expected a number, found "
                          "'?[2Jabcdefghijklmnopqrstuvwxyzabcdefghij...'");
}

static void samples_of_another_shape_are_refused(void **state)
{
    (void)state;
    assert_sample_refused("1,2:a", "expected 2 dimensions, found 1");
    assert_sample_refused("1:2:3:a", "expected 2 dimensions, found 3");
    assert_sample_refused("1,2:3:a", "dimension 2 has 1 values, but the first one 2");
    assert_sample_refused(":1:a", "dimension 1 is empty");
    assert_sample_refused("1: :a", "dimension 2 is empty");
    assert_sample_refused("1,2", "expected values, ':' and a class, found no ':'");
    assert_text_refused("@equalLength true\n" SMALL,
                        "7: expected 3 values in a dimension, found 2");
    assert_text_refused("@equalLength true\n@seriesLength 4\n" SMALL,
                        "7: expected 4 values in a dimension, found 3");
    assert_text_refused("@classLabel true a\n@data\n1:a\n1:1:a\n",
                        "4: expected 1 dimension, found 2");
}

static void unknown_classes_are_refused(void **state)
{
    (void)state;
    assert_sample_refused("1:2:c", "expected a class of @classLabel, found 'c'");
    assert_sample_refused("1:2:", "expected a class of @classLabel, found ''");
    assert_sample_refused("1:2:A", "expected a class of @classLabel, found 'A'");
    assert_sample_refused("1:2:a b", "expected a class of @classLabel, found 'a b'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(info_describes_the_files),
        IN_FOLDER(samples_become_steps_with_padding_behind),
        IN_FOLDER(univariate_series_of_equal_length_are_not_ragged),
        IN_FOLDER(values_are_normalised),
        IN_FOLDER(limits_shorten_the_splits_but_not_the_checks),
        IN_FOLDER(the_form_of_a_file_is_free_where_it_may_be),
        IN_FOLDER(a_file_without_a_name_is_of_unknown_data),
        IN_FOLDER(splits_of_different_length_are_ragged),
        IN_FOLDER(numbers_are_read_the_same_in_every_locale),
        IN_FOLDER(the_digest_depends_on_both_files_but_not_on_line_ends),
        IN_FOLDER(missing_values_are_filled_in),
        IN_FOLDER(targets_may_be_values),
        IN_FOLDER(values_as_targets_are_standardised),
        IN_FOLDER(values_as_targets_that_are_none_are_refused),
        IN_FOLDER(stratified_parts_need_classes),
        IN_FOLDER(classes_are_found_by_name),
        IN_FOLDER(targets_may_be_missing_where_they_are_not_needed),
        IN_FOLDER(values_that_are_not_needed_may_be_missing),
        IN_FOLDER(targets_that_are_not_there_stay_nan),
        IN_FOLDER(without_targets_they_are_of_the_kind_that_the_model_answers),
        IN_FOLDER(new_data_must_fit_the_model),
        IN_FOLDER(files_that_are_not_there_are_named),
        IN_FOLDER(lines_without_end_are_refused),
        IN_FOLDER(what_is_not_supported_is_refused),
        IN_FOLDER(headers_with_mistakes_are_refused),
        IN_FOLDER(too_many_classes_are_refused),
        IN_FOLDER(the_test_file_must_fit_the_training_file),
        IN_FOLDER(missing_values_are_refused),
        IN_FOLDER(what_looks_like_a_missing_value_is_refused),
        IN_FOLDER(what_is_no_number_is_refused),
        IN_FOLDER(samples_of_another_shape_are_refused),
        IN_FOLDER(unknown_classes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
