#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "datasets/dataset.h"
#include "tests/unit/gathered_sample.h"
#include "tests/unit/temporary_folder.h"

enum { DIMS = 3, MAX_LEN = 11, MAX_SAMPLES = 64 };

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

/* What stands in a file: [samples][steps][dimensions]. */
typedef struct series {
    size_t n;
    uint32_t length[MAX_SAMPLES];
    float x[MAX_SAMPLES][MAX_LEN][DIMS];
} series;

static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0 - 0.5;
}

/* Samples of 1 to MAX_LEN steps about `mean` and `spread`, other ones in each dimension. */
static void make_series(series *s, size_t n, double mean, double spread)
{
    uint32_t state = (uint32_t)n;

    s->n = n;
    for (size_t i = 0; i < n; i++) {
        s->length[i] = (uint32_t)(i * 7 % MAX_LEN + 1);
        for (size_t t = 0; t < s->length[i]; t++)
            for (size_t d = 0; d < DIMS; d++)
                s->x[i][t][d] =
                    (float)(mean * (double)(d + 1) + spread * (double)(d + 1) * draw(&state));
    }
}

static void write_series(const char *name, const series *s)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs("@classLabel true a b\n@data\n", file);
    for (size_t i = 0; i < s->n; i++) {
        for (size_t d = 0; d < DIMS; d++)
            for (size_t t = 0; t < s->length[i]; t++)
                fprintf(file, "%.9g%c", (double)s->x[i][t][d], t + 1 < s->length[i] ? ',' : ':');
        fputs("b\n", file);
    }
    assert_int_equal(fclose(file), 0);
}

static rnn_dataset_cfg make_cfg(void)
{
    return (rnn_dataset_cfg){.format = "ts",
                             .search = search,
                             .n_search = 1,
                             .file = {"t.ts"},
                             .std = 1,
                             .standardize = true};
}

/* Mean and deviation of a dimension over samples for which `in_use` is true, in two passes. */
static void compute(const series *s, size_t d, bool (*in_use)(size_t), double *mean, double *std)
{
    double n = 0, sum = 0, square = 0;

    for (size_t i = 0; i < s->n; i++)
        for (size_t t = 0; in_use(i) && t < s->length[i]; t++, n++)
            sum += (double)s->x[i][t][d];
    *mean = sum / n;
    for (size_t i = 0; i < s->n; i++)
        for (size_t t = 0; in_use(i) && t < s->length[i]; t++)
            square += ((double)s->x[i][t][d] - *mean) * ((double)s->x[i][t][d] - *mean);
    *std = sqrt(square / n);
}

static bool all(size_t i)
{
    (void)i;
    return true;
}

static bool first_half(size_t i)
{
    return i < MAX_SAMPLES / 2;
}

static void assert_near(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("expected %.17g, found %.17g", expected, found);
}

static void assert_fitted(const rnn_dataset *dataset, const series *s, bool (*in_use)(size_t),
                          double relative)
{
    const rnn_dataset_fit *fit = rnn_dataset_get_fit(dataset);

    assert_int_equal(fit->n_features, DIMS);
    assert_non_null(fit->mean);
    assert_null(fit->target_mean);
    for (size_t d = 0; d < DIMS; d++) {
        double mean, std;

        compute(s, d, in_use, &mean, &std);
        assert_near(fit->mean[d], mean, 1e-13);
        assert_near(fit->std[d], std, relative);
    }
}

/* Gathers all samples of a split at once, and compares with what the file and the fit say. */
static void assert_scaled(const rnn_dataset *dataset, rnn_split split, const series *s,
                          size_t first)
{
    enum { ROWS = MAX_SAMPLES + 1, STEPS = MAX_LEN + 2 };
    static float x[STEPS][ROWS][DIMS];
    int32_t label[ROWS], length[ROWS];
    const rnn_dataset_slice slice = {.x = **x, .length = length, .label = label};
    const rnn_dataset_fit *fit = rnn_dataset_get_fit(dataset);
    size_t n = rnn_dataset_get_info(dataset)->n_samples[split];
    uint64_t index[MAX_SAMPLES];

    for (size_t i = 0; i < n; i++)
        index[i] = n - 1 - i;
    memset(x, 0xFF, sizeof x);
    assert_int_equal(rnn_dataset_gather(dataset, split, index, n, ROWS, STEPS, &slice), RNN_OK);
    for (size_t t = 0; t < STEPS; t++)
        for (size_t row = 0; row < ROWS; row++)
            for (size_t d = 0; d < DIMS; d++) {
                size_t i = row < n ? first + index[row] : 0;
                float expected = 0;

                if (row < n && t < s->length[i])
                    expected = (float)(((double)s->x[i][t][d] - fit->mean[d]) / fit->std[d]);
                if (!(x[t][row][d] == expected))
                    fail_msg("step %zu, row %zu, dimension %zu: expected %.9g, found %.9g", t, row,
                             d, (double)expected, (double)x[t][row][d]);
            }
}

/* -- Fitting ------------------------------------------------------------------------------------*/

static void only_steps_of_samples_count(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;

    (void)state;
    make_series(&s, MAX_SAMPLES, 0.7, 3);
    write_series("t.ts", &s);
    dataset = open_dataset(&cfg);
    assert_true(rnn_dataset_get_info(dataset)->is_ragged);
    assert_fitted(dataset, &s, all, 1e-13);
    assert_scaled(dataset, RNN_SPLIT_TRAIN, &s, 0);
    rnn_dataset_destroy(&dataset);
}

/* Worked by hand: 1 2 3 | 6 has mean 3 and variance (4 + 1 + 0 + 9) / 4. */
static void deviations_are_those_of_the_population(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    const rnn_dataset_fit *fit;
    rnn_dataset *dataset;
    FILE *file = fopen("t.ts", "w");

    (void)state;
    assert_non_null(file);
    fputs("@classLabel true a\n@data\n1,2,3:a\n6:a\n", file);
    assert_int_equal(fclose(file), 0);
    dataset = open_dataset(&cfg);
    fit = rnn_dataset_get_fit(dataset);
    assert_true(fit->mean[0] == 3);
    assert_near(fit->std[0], sqrt(3.5), 1e-15);
    rnn_dataset_destroy(&dataset);
}

static void other_splits_are_scaled_but_not_learned_from(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    static series train, test;
    rnn_dataset *dataset;

    (void)state;
    make_series(&train, MAX_SAMPLES, 2, 1);
    make_series(&test, 9, -50, 80);
    write_series("t.ts", &train);
    write_series("e.ts", &test);
    cfg.file[RNN_SPLIT_TEST] = "e.ts";
    dataset = open_dataset(&cfg);
    assert_fitted(dataset, &train, all, 1e-13);
    assert_scaled(dataset, RNN_SPLIT_TRAIN, &train, 0);
    assert_scaled(dataset, RNN_SPLIT_TEST, &test, 0);
    rnn_dataset_destroy(&dataset);
    cfg.file[RNN_SPLIT_TEST] = "";
    cfg.split_by = RNN_SPLIT_BY_ORDER;
    cfg.validation = 0.5;
    dataset = open_dataset(&cfg);
    assert_fitted(dataset, &train, first_half, 1e-13);
    assert_scaled(dataset, RNN_SPLIT_TRAIN, &train, 0);
    assert_scaled(dataset, RNN_SPLIT_VALID, &train, MAX_SAMPLES / 2);
    rnn_dataset_destroy(&dataset);
}

/* Sums of squares would lose all digits here: 1e14 beside 1e-2. */
static void a_small_deviation_beside_a_large_mean_is_kept(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;

    (void)state;
    make_series(&s, MAX_SAMPLES, 1e7, 8); /* floats are 1 apart there */
    write_series("t.ts", &s);
    dataset = open_dataset(&cfg);
    assert_fitted(dataset, &s, all, 1e-9);
    rnn_dataset_destroy(&dataset);
    make_series(&s, MAX_SAMPLES, 1, 1e-6);
    write_series("t.ts", &s);
    dataset = open_dataset(&cfg);
    assert_fitted(dataset, &s, all, 1e-9);
    rnn_dataset_destroy(&dataset);
}

static void constant_features_become_zero(void **state)
{
    static const float constants[] = {0.1f, -3e7f, 1e-30f, 0};
    rnn_dataset_cfg cfg = make_cfg();
    static series s;

    (void)state;
    for (size_t c = 0; c < sizeof constants / sizeof *constants; c++) {
        rnn_dataset *dataset;

        make_series(&s, MAX_SAMPLES, 2, 1);
        for (size_t i = 0; i < s.n; i++)
            for (size_t t = 0; t < s.length[i]; t++)
                s.x[i][t][1] = constants[c];
        write_series("t.ts", &s);
        dataset = open_dataset(&cfg);
        assert_true(rnn_dataset_get_fit(dataset)->std[1] == 1);
        assert_true(rnn_dataset_get_fit(dataset)->mean[1] == (double)constants[c]);
        assert_scaled(dataset, RNN_SPLIT_TRAIN, &s, 0);
        rnn_dataset_destroy(&dataset);
    }
}

/* Fixed mean and deviation come first, the fitted ones are those of what they give. */
static void fixed_numbers_come_first(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;

    (void)state;
    make_series(&s, 20, 2, 1);
    for (size_t i = 0; i < s.n; i++) /* the same in decimal and binary */
        for (size_t t = 0; t < s.length[i]; t++)
            for (size_t d = 0; d < DIMS; d++)
                s.x[i][t][d] = roundf(s.x[i][t][d] * 64) / 64;
    write_series("t.ts", &s);
    cfg.mean = 5;
    cfg.std = 0.5;
    for (size_t i = 0; i < s.n; i++)
        for (size_t t = 0; t < s.length[i]; t++)
            for (size_t d = 0; d < DIMS; d++)
                s.x[i][t][d] = (float)(((double)s.x[i][t][d] - 5) / 0.5);
    dataset = open_dataset(&cfg);
    assert_fitted(dataset, &s, all, 1e-13);
    assert_scaled(dataset, RNN_SPLIT_TRAIN, &s, 0);
    rnn_dataset_destroy(&dataset);
}

static void nothing_is_fitted_unless_asked_for(void **state)
{
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;
    double scale, offset;

    (void)state;
    make_series(&s, 20, 2, 1);
    write_series("t.ts", &s);
    cfg.standardize = false;
    dataset = open_dataset(&cfg);
    assert_null(rnn_dataset_get_fit(dataset)->mean);
    assert_null(rnn_dataset_get_fit(dataset)->target_mean);
    assert_int_equal(rnn_dataset_get_fit(dataset)->n_features, 0);
    rnn_dataset_target_units(dataset, 0, &scale, &offset);
    assert_true(scale == 1 && offset == 0);
    rnn_dataset_destroy(&dataset);
}

/* -- Targets ------------------------------------------------------------------------------------*/

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* By hand: 1, 3 and 8 have mean 4 and variance (9 + 1 + 16) / 3; 5, 5 and 5 have none. */
static void targets_of_steps_are_standardised(void **state)
{
    static const char *const x_column[] = {"x"}, *const target_columns[] = {"a", "b"};
    enum { STEPS = 4, ROWS = 2 };
    const double std = sqrt(26.0 / 3);
    const float expected[STEPS][2] = {
        {(float)(-3 / std), 0}, {(float)(-1 / std), 0}, {(float)(4 / std), 0}};
    const float other[STEPS][2] = {{(float)(-14 / std), 1}};
    rnn_dataset_cfg cfg = {.format = "csv",
                           .search = search,
                           .n_search = 1,
                           .file = {"t.csv", "", "e.csv"},
                           .std = 1,
                           .columns = x_column,
                           .n_columns = 1,
                           .target_columns = target_columns,
                           .n_target_columns = 2,
                           .look_back = 1,
                           .stride = 1,
                           .target = RNN_TARGET_CHOICE_STEP_VALUES,
                           .standardize_targets = true};
    float x[STEPS][ROWS], target[STEPS][ROWS][2];
    double scale, offset;
    int32_t length[ROWS];
    const rnn_dataset_slice slice = {.x = *x, .length = length, .target = **target};
    rnn_dataset *dataset;

    (void)state;
    write_text("t.csv", "x,a,b\n1,1,5\n2,3,5\n3,8,5\n");
    write_text("e.csv", "x,a,b\n7,-10,6\n");
    dataset = open_dataset(&cfg);
    assert_null(rnn_dataset_get_fit(dataset)->mean);
    assert_int_equal(rnn_dataset_get_fit(dataset)->n_target_values, 2);
    assert_true(rnn_dataset_get_fit(dataset)->target_mean[1] == 5);
    assert_true(rnn_dataset_get_fit(dataset)->target_std[1] == 1);
    for (int split = RNN_SPLIT_TRAIN; split <= RNN_SPLIT_TEST; split += 2) {
        memset(target, 0xFF, sizeof target);
        assert_int_equal(
            rnn_dataset_gather(dataset, (rnn_split)split, (uint64_t[]){0}, 1, ROWS, STEPS, &slice),
            RNN_OK);
        for (size_t t = 0; t < STEPS; t++)
            for (size_t i = 0; i < 2; i++) {
                assert_true(target[t][0][i] == (split == 0 ? expected : other)[t][i]);
                assert_true(target[t][1][i] == 0);
            }
        assert_true(x[0][0] == (split == 0 ? 1 : 7)); /* not the inputs */
    }
    rnn_dataset_target_units(dataset, 0, &scale, &offset);
    assert_true(offset == 4 && fabs(scale - sqrt(26.0 / 3)) < 1e-15);
    rnn_dataset_target_units(dataset, 1, &scale, &offset);
    assert_true(offset == 5 && scale == 1);
    rnn_dataset_destroy(&dataset);
}

/* -- A trained model's --------------------------------------------------------------------------*/

static void given_numbers_are_used_as_they_are(void **state)
{
    double mean[DIMS] = {1, -2, 0.1}, std[DIMS] = {2, 1, 0.3};
    char *names[] = {"a", "b"};
    const rnn_dataset_fit given = {
        .texts = names, .n_texts = 2, .mean = mean, .std = std, .n_features = DIMS};
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;

    (void)state;
    make_series(&s, 20, 2, 1);
    write_series("t.ts", &s);
    cfg.fit = &given;
    for (int i = 0; i < 2; i++) {
        cfg.standardize = i == 0; /* no matter what */
        dataset = open_dataset(&cfg);
        assert_memory_equal(rnn_dataset_get_fit(dataset)->mean, mean, sizeof mean);
        assert_memory_equal(rnn_dataset_get_fit(dataset)->std, std, sizeof std);
        assert_scaled(dataset, RNN_SPLIT_TRAIN, &s, 0);
        rnn_dataset_destroy(&dataset);
    }
}

static void a_model_without_numbers_stays_without(void **state)
{
    char *names[] = {"a", "b"};
    const rnn_dataset_fit given = {.texts = names, .n_texts = 2};
    rnn_dataset_cfg cfg = make_cfg();
    static series s;
    rnn_dataset *dataset;

    (void)state;
    make_series(&s, 20, 2, 1);
    write_series("t.ts", &s);
    cfg.fit = &given;
    dataset = open_dataset(&cfg);
    assert_null(rnn_dataset_get_fit(dataset)->mean);
    rnn_dataset_destroy(&dataset);
}

static void numbers_for_other_data_are_refused(void **state)
{
    double numbers[4] = {1, 1, 1, 1};
    char *names[] = {"a", "b"};
    rnn_dataset_fit given = {
        .texts = names, .n_texts = 2, .mean = numbers, .std = numbers, .n_features = 4};
    rnn_dataset_cfg cfg = make_cfg();
    static series s;

    (void)state;
    make_series(&s, 20, 2, 1);
    write_series("t.ts", &s);
    cfg.fit = &given;
    assert_dataset_refused(&cfg, "the model was trained on 4 features a step, this data has 3");
    given.n_features = DIMS;
    given.target_mean = given.target_std = numbers;
    given.n_target_values = 2;
    assert_dataset_refused(&cfg, "the model was trained on targets of 2 values, this data has 0");
    given.target_mean = NULL;
    given.n_features = 1;
    cfg.format = "text";
    cfg.seq_len = 4;
    cfg.file[RNN_SPLIT_TRAIN] = "t.txt";
    write_text("t.txt", "abab");
    assert_dataset_refused(&cfg, "trained on standardised features, this data has tokens");
}

static void only_numbers_can_be_standardised(void **state)
{
    static const char *const texts[] = {"ab"};
    rnn_dataset_cfg cfg = make_cfg();
    static series s;

    (void)state;
    make_series(&s, 20, 2, 1);
    write_series("t.ts", &s);
    cfg.standardize_targets = true;
    assert_dataset_refused(&cfg,
                           "dataset.standardize_targets: the targets of this data are classes");
    cfg = (rnn_dataset_cfg){.format = "strings",
                            .inputs = texts,
                            .n_inputs = 1,
                            .targets = texts,
                            .n_targets = 1,
                            .standardize = true};
    assert_dataset_refused(&cfg, "dataset.standardize: the inputs of this data are tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(only_steps_of_samples_count),
        IN_FOLDER(deviations_are_those_of_the_population),
        IN_FOLDER(other_splits_are_scaled_but_not_learned_from),
        IN_FOLDER(a_small_deviation_beside_a_large_mean_is_kept),
        IN_FOLDER(constant_features_become_zero),
        IN_FOLDER(fixed_numbers_come_first),
        IN_FOLDER(nothing_is_fitted_unless_asked_for),
        IN_FOLDER(targets_of_steps_are_standardised),
        IN_FOLDER(given_numbers_are_used_as_they_are),
        IN_FOLDER(a_model_without_numbers_stays_without),
        IN_FOLDER(numbers_for_other_data_are_refused),
        IN_FOLDER(only_numbers_can_be_standardised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
