/*
 * What a dataset was fitted with, into a checkpoint and out again.
 */
#include "tests/unit/crafted_checkpoint.h"
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "framework/checkpoint_image.h"
#include "framework/fit_file.h"
#include "kernels/memory.h"

static const char CONFIG[] = "[run]\n";

/* -- Checkpoints with blocks --------------------------------------------------------------------
 */

typedef struct run {
    rnn_model *model;
    rnn_optimizer *optimizer;
    float params[64];
    rnn_progress progress;
    rnn_history history;
    rnn_checkpoint checkpoint;
} run;

static void create_run(run *r, const rnn_block *blocks, size_t n_blocks)
{
    static const rnn_layer_cfg layer = {.type = RNN_LAYER_LINEAR, .out_features = 2};
    const rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);

    *r = (run){.progress = {.best_metric = NAN, .plateau_scale = 1.0, .plateau_best = NAN}};
    assert_int_equal(
        rnn_model_create(&r->model, &layer, 1, (rnn_shape){.seq_len = 2, .n_features = 3}), RNN_OK);
    assert_true(rnn_model_size(r->model) <= 64);
    assert_int_equal(rnn_optimizer_create(&r->optimizer, &cfg, rnn_model_size(r->model)), RNN_OK);
    r->checkpoint = (rnn_checkpoint){.model = r->model,
                                     .params = r->params,
                                     .optimizer = r->optimizer,
                                     .progress = &r->progress,
                                     .history = &r->history,
                                     .config = CONFIG,
                                     .blocks = blocks,
                                     .n_blocks = n_blocks};
}

static void destroy_run(run *r)
{
    rnn_optimizer_destroy(&r->optimizer);
    rnn_model_destroy(&r->model);
}

/* Writes latest.h5. */
static void write_blocks(const rnn_block *blocks, size_t n_blocks)
{
    run r;

    create_run(&r, blocks, n_blocks);
    if (rnn_checkpoint_write(&r.checkpoint, ".", NULL) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    destroy_run(&r);
}

static void write_fit(const rnn_dataset_fit *fit, size_t expected_blocks)
{
    rnn_block blocks[RNN_FIT_MAX_BLOCKS];
    size_t n_blocks;
    char *texts;

    assert_int_equal(rnn_fit_to_blocks(fit, blocks, &n_blocks, &texts), RNN_OK);
    assert_int_equal(n_blocks, expected_blocks);
    write_blocks(blocks, n_blocks);
    rnn_free(texts);
}

static void assert_same_numbers(const double *found, const double *expected, size_t n)
{
    assert_int_equal(found != NULL, expected != NULL);
    if (found != NULL)
        assert_memory_equal(found, expected, n * sizeof *found);
}

static void assert_reads_back(const rnn_dataset_fit *expected)
{
    rnn_dataset_fit found;

    if (rnn_fit_read("latest.h5", &found) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_int_equal(found.n_texts, expected->n_texts);
    for (size_t i = 0; i < found.n_texts; i++)
        assert_string_equal(found.texts[i], expected->texts[i]);
    assert_int_equal(found.n_features, expected->n_features);
    assert_same_numbers(found.mean, expected->mean, found.n_features);
    assert_same_numbers(found.std, expected->std, found.n_features);
    assert_int_equal(found.n_target_values, expected->n_target_values);
    assert_same_numbers(found.target_mean, expected->target_mean, found.n_target_values);
    assert_same_numbers(found.target_std, expected->target_std, found.n_target_values);
    rnn_dataset_fit_free(&found);
    assert_null(found.texts);
}

/* -- Round trips --------------------------------------------------------------------------------
 */

static double mean[] = {0.1, -3e300, 0.0}, std[] = {1.0, 5e-324, 1e300};
static double target_mean[] = {-0.0}, target_std[] = {1.0 / 3.0};
static char *texts[] = {"\n",    " ", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\x9F",
                        "<eos>", ""};
enum { N_TEXTS = sizeof texts / sizeof *texts };

static void all_of_a_fit_survives(void **state)
{
    const rnn_dataset_fit fit = {texts, N_TEXTS, mean, std, 3, target_mean, target_std, 1};

    (void)state;
    write_fit(&fit, 5);
    assert_reads_back(&fit);
}

static void parts_that_are_not_there_stay_away(void **state)
{
    const struct {
        rnn_dataset_fit fit;
        size_t n_blocks;
    } cases[] = {
        {{.texts = NULL}, 0},
        {{.texts = texts, .n_texts = N_TEXTS}, 1},
        {{.texts = texts, .n_texts = 1}, 1},
        {{.mean = mean, .std = std, .n_features = 3}, 2},
        {{.target_mean = target_mean, .target_std = target_std, .n_target_values = 1}, 2},
        {{.texts = texts, .n_texts = 2, .mean = mean, .std = std, .n_features = 2}, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_fit(&cases[i].fit, cases[i].n_blocks);
        assert_reads_back(&cases[i].fit);
    }
}

static void texts_of_nothing_take_a_row_each(void **state)
{
    char *empty[] = {"", ""};
    const rnn_dataset_fit fit = {.texts = empty, .n_texts = 2};

    (void)state;
    write_fit(&fit, 1);
    assert_reads_back(&fit);
}

static void a_text_may_be_long_but_not_endless(void **state)
{
    enum { MOST = 1 << 12 };
    char *longest = calloc(MOST + 2, 1), *pair[] = {"a", longest};
    const rnn_dataset_fit fit = {.texts = pair, .n_texts = 2};
    rnn_block blocks[RNN_FIT_MAX_BLOCKS];
    size_t n_blocks;
    char *rows;

    (void)state;
    memset(longest, 'x', MOST);
    write_fit(&fit, 1);
    assert_reads_back(&fit);
    longest[MOST] = 'x';
    assert_refused(RNN_ERR_DATA, rnn_fit_to_blocks(&fit, blocks, &n_blocks, &rows),
                   "the name of class or token 1 has 4097 bytes, expected at most 4096");
    assert_null(rows);
    free(longest);
}

static void a_missing_checkpoint_has_no_fit(void **state)
{
    rnn_dataset_fit fit;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_fit_read("none.h5", &fit), "none.h5");
    rnn_dataset_fit_free(&fit);
}

/* -- Damage -------------------------------------------------------------------------------------
 */

static double three[] = {1.0, 2.0, 3.0}, with_zero[] = {1.0, 0.0, 1.0}, below[] = {1.0, 1.0, -2.0};
static float floats[] = {1.0f, 2.0f, 3.0f};

#define VECTOR(name, n, numbers)                                                                   \
    {                                                                                              \
        "data/" name, RNN_BLOCK_FLOAT64, 1, {n}, numbers                                           \
    }

static void what_does_not_belong_together_is_refused(void **state)
{
    static const struct {
        rnn_block blocks[3];
        size_t n_blocks;
        const char *expected;
    } cases[] = {
        {{VECTOR("mean", 3, three)}, 1, "/data/mean and /data/std do not belong together"},
        {{VECTOR("std", 3, three)}, 1, "/data/mean and /data/std do not belong together"},
        {{VECTOR("mean", 3, three), VECTOR("std", 2, three)}, 2, "do not belong together"},
        {{VECTOR("mean", 3, three), VECTOR("target_std", 3, three)}, 2, "do not belong together"},
        {{VECTOR("target_mean", 1, three)},
         1,
         "/data/target_mean and /data/target_std do not belong together"},
        {{VECTOR("mean", 3, three), VECTOR("std", 3, with_zero)},
         2,
         "value 1 of /data/mean and /data/std: expected finite numbers and a deviation above 0, "
         "found 2 and 0"},
        {{VECTOR("mean", 3, three), VECTOR("std", 3, below)}, 2, "found 3 and -2"},
        {{VECTOR("target_mean", 2, three), VECTOR("target_std", 2, with_zero)},
         2,
         "value 1 of /data/target_mean and /data/target_std"},
        {{VECTOR("mean", 3, three), {"data/std", RNN_BLOCK_FLOAT32, 1, {3}, floats}},
         2,
         "/data/std is not of type"},
        {{VECTOR("mean", 3, three), {"data/std", RNN_BLOCK_FLOAT64, 2, {3, 1}, three}},
         2,
         "do not belong together"},
        {{{"data/texts", RNN_BLOCK_FLOAT64, 1, {3}, three}}, 1, "/data/texts is not of type"},
        {{{"data/texts", RNN_BLOCK_TEXTS, 2, {2, 2}, "abcd"}, VECTOR("std", 3, three)},
         2,
         "do not belong together"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_dataset_fit fit;

        write_blocks(cases[i].blocks, cases[i].n_blocks);
        assert_refused(RNN_ERR_DATA, rnn_fit_read("latest.h5", &fit), cases[i].expected);
        assert_non_null(strstr(rnn_error_message(), "latest.h5: "));
        rnn_dataset_fit_free(&fit);
    }
}

static void poison(hid_t file, const char *path, double value)
{
    const double values[] = {1.0, value, 1.0};

    put_dataset(file, path, H5T_IEEE_F64LE, space_of(1, 3, 0), H5P_DEFAULT, values);
}

static void poison_a_mean(hid_t file)
{
    poison(file, "/data/mean", (double)NAN);
}

static void poison_a_deviation(hid_t file)
{
    poison(file, "/data/std", (double)NAN);
}

static void make_a_deviation_infinite(hid_t file)
{
    poison(file, "/data/std", (double)INFINITY);
}

static void make_the_deviation_a_scalar(hid_t file)
{
    put_dataset(file, "/data/std", H5T_IEEE_F64LE, H5Screate(H5S_SCALAR), H5P_DEFAULT, three);
}

static void cut_the_deviation(hid_t file)
{
    put_dataset(file, "/data/std", H5T_IEEE_F64LE, space_of(1, 3, 0), H5P_DEFAULT, NULL);
}

static void crafted_numbers_are_refused(void **state)
{
    static const rnn_block blocks[] = {VECTOR("mean", 3, three), VECTOR("std", 3, three)};
    static const struct {
        void (*change)(hid_t file);
        const char *expected;
    } cases[] = {
        {poison_a_mean, "value 1 of /data/mean and /data/std"},
        {poison_a_deviation, "value 1 of /data/mean and /data/std"},
        {make_a_deviation_infinite, "value 1 of /data/mean and /data/std"},
        {make_the_deviation_a_scalar, "/data/std has 0 dimensions"},
        {cut_the_deviation, "/data/std has 0 bytes stored, its shape needs 24"},
    };
    void *image;
    size_t n_image;
    run r;

    (void)state;
    create_run(&r, blocks, 2);
    assert_int_equal(
        rnn_checkpoint_image_write(&r.checkpoint, "2024-02-29T12:00:00Z", 0, &image, &n_image),
        RNN_OK);
    destroy_run(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_dataset_fit fit;

        craft("crafted.h5", image, n_image, cases[i].change);
        assert_refused(RNN_ERR_DATA, rnn_fit_read("crafted.h5", &fit), cases[i].expected);
        assert_null(fit.mean);
        rnn_dataset_fit_free(&fit);
    }
    rnn_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_of_a_fit_survives),
        IN_FOLDER(parts_that_are_not_there_stay_away),
        IN_FOLDER(texts_of_nothing_take_a_row_each),
        IN_FOLDER(a_text_may_be_long_but_not_endless),
        IN_FOLDER(a_missing_checkpoint_has_no_fit),
        IN_FOLDER(what_does_not_belong_together_is_refused),
        IN_FOLDER(crafted_numbers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
