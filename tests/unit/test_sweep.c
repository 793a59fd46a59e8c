/*
 * The grid of a sweep, and what it reads from the metrics of its runs.
 */
#include <math.h>

#include "framework/sweep_grid.h"
#include "framework/sweep_result.h"
#include "kernels/memory.h"
#include "temporary_folder.h"

#define PARSE(grid, ...)                                                                           \
    rnn_grid_parse((grid), (const char *const[]){__VA_ARGS__},                                     \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void all_combinations_are_points(void **state)
{
    static const char *const expected[] = {
        "optimizer.lr=0.1,run.seed=1",  "optimizer.lr=0.1,run.seed=2",
        "optimizer.lr=0.1,run.seed=3",  "optimizer.lr=1e-2,run.seed=1",
        "optimizer.lr=1e-2,run.seed=2", "optimizer.lr=1e-2,run.seed=3"};
    rnn_grid grid;

    (void)state;
    assert_int_equal(PARSE(&grid, "optimizer.lr=0.1,1e-2", "run.seed=1,2,3"), RNN_OK);
    assert_int_equal(grid.n_points, 6);
    for (size_t i = 0; i < 6; i++) {
        char *name;

        assert_int_equal(rnn_grid_name(&grid, i, &name), RNN_OK);
        assert_string_equal(name, expected[i]);
        rnn_free(name);
    }
    rnn_grid_free(&grid);
}

static void commas_in_brackets_and_quotes_belong_to_values(void **state)
{
    rnn_grid grid;
    char *text;

    (void)state;
    assert_int_equal(PARSE(&grid, "dataset.columns=[\"a,]\",'b'],[\"c\"],\"d\\\",e\"", "a=x=y"),
                     RNN_OK);
    assert_int_equal(grid.axes[0].n_values, 3);
    assert_string_equal(grid.axes[0].values[0], "[\"a,]\",'b']");
    assert_string_equal(grid.axes[0].values[1], "[\"c\"]");
    assert_string_equal(grid.axes[0].values[2], "\"d\\\",e\"");
    assert_int_equal(rnn_grid_override(&grid, 1, 1, &text), RNN_OK);
    assert_string_equal(text, "a=x=y");
    rnn_free(text);
    rnn_grid_free(&grid);
}

/* Where values have characters that the names of folders do without. */
static void names_differ_where_values_do(void **state)
{
    char *a, *b;
    rnn_grid grid;

    (void)state;
    assert_int_equal(PARSE(&grid, "layer.0.init=a/b,a b"), RNN_OK);
    assert_int_equal(rnn_grid_name(&grid, 0, &a), RNN_OK);
    assert_int_equal(rnn_grid_name(&grid, 1, &b), RNN_OK);
    assert_null(strchr(a, '/'));
    assert_null(strchr(b, ' '));
    assert_string_not_equal(a, b);
    assert_int_equal(strncmp(a, "layer.0.init=a_b-", 17), 0);
    rnn_free(a);
    rnn_free(b);
    rnn_grid_free(&grid);
}

static void long_names_are_cut(void **state)
{
    char text[600] = "run.name=", *name;
    rnn_grid grid;

    (void)state;
    memset(text + strlen(text), 'x', 500);
    assert_int_equal(PARSE(&grid, text), RNN_OK);
    assert_int_equal(rnn_grid_name(&grid, 0, &name), RNN_OK);
    assert_true(strlen(name) >= 100 && strlen(name) <= 200);
    rnn_free(name);
    rnn_grid_free(&grid);
}

static void other_forms_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {{"optimizer.lr", "--grid optimizer.lr: expected KEY=VALUE,VALUE"},
                 {"=1,2", "--grid =1,2: expected KEY=VALUE,VALUE"},
                 {"run.seed=", "--grid run.seed: a value is empty"},
                 {"run.seed=1,,2", "--grid run.seed: a value is empty"},
                 {"run.seed=1,2,1", "--grid run.seed: the value 1 is there twice"}};
    rnn_grid grid;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(PARSE(&grid, cases[i].text), RNN_ERR_USAGE);
        assert_non_null(strstr(rnn_error_message(), cases[i].message));
        rnn_grid_free(&grid);
    }
    assert_int_equal(PARSE(&grid, "run.seed=1", "run.seed=2"), RNN_ERR_USAGE);
    assert_non_null(strstr(rnn_error_message(), "the key is there twice"));
    rnn_grid_free(&grid);
}

/* -- Metrics ------------------------------------------------------------------------------------
 */

static void write_lines(const char *text)
{
    FILE *file = fopen("metrics.jsonl", "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static const char lines[] =
    "{\"event\": \"epoch\", \"epoch\": 1, \"step\": 1, \"train_loss\": 3, \"valid_loss\": 2, "
    "\"valid_accuracy\": 0.5}\n"
    "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 2, \"train_loss\": 2, \"valid_loss\": 1, "
    "\"valid_accuracy\": 0.75}\n"
    "{\"event\": \"stopped\", \"epoch\": 2, \"step\": 2, \"valid_loss\": 0}\n"
    "{\"event\": \"epoch\", \"epoch\": 3, \"step\": 3, \"train_loss\": 1, \"valid_loss\": 1.5, "
    "\"valid_accuracy\": 0.75}\n"
    "{\"event\": \"epoch\", \"epoch\": 4, \"step\": 4, \"train_loss\": 0.1, \"valid_loss\": 0.1";

static void check_result(const char *by, rnn_config *config, double value, uint64_t epoch,
                         const char *name)
{
    rnn_sweep_metric metric;
    rnn_sweep_result result;

    assert_int_equal(rnn_sweep_metric_choose(&metric, by, config), RNN_OK);
    assert_int_equal(rnn_sweep_result_read(&result, "metrics.jsonl", &metric), RNN_OK);
    assert_true(result.value == value);
    assert_int_equal(result.epoch, epoch);
    assert_int_equal(result.n_epochs, 3);
    assert_string_equal(result.metric, name);
}

static void the_best_epoch_is_found(void **state)
{
    rnn_config config = {.loss.type = RNN_LOSS_CROSS_ENTROPY, .checkpoint.best = RNN_BEST_AUTO};

    (void)state;
    write_lines(lines);
    check_result(NULL, &config, 0.75, 2, "valid_accuracy");
    check_result("loss", &config, 1.0, 2, "valid_loss");
    check_result("valid.loss", &config, 1.0, 2, "valid_loss");
    check_result("train.loss", &config, 1.0, 3, "train_loss");
    config.checkpoint.best = RNN_BEST_LOSS;
    check_result(NULL, &config, 1.0, 2, "valid_loss");
}

/* A language is measured by its loss. */
static void languages_go_by_loss(void **state)
{
    rnn_config config = {.loss.type = RNN_LOSS_CROSS_ENTROPY, .checkpoint.best = RNN_BEST_AUTO};

    (void)state;
    write_lines(
        "{\"event\": \"epoch\", \"epoch\": 3, \"step\": 3, \"train_loss\": 2, \"test_loss\": 1.25, "
        "\"test_accuracy\": 0.5, \"test_perplexity\": 3.5}\n");
    check_result(NULL, &config, 1.25, 3, "test_loss");
}

/* What a resumed run does again stands in place of what it did at first. */
static void epochs_that_do_not_count_are_left_out(void **state)
{
    rnn_config config = {.loss.type = RNN_LOSS_MSE};

    (void)state;
    write_lines("{\"event\": \"epoch\", \"epoch\": 1, \"step\": 1, \"test_loss\": 4}\n"
                "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 2, \"test_loss\": 1}\n"
                "{\"event\": \"epoch\", \"epoch\": 1e300, \"step\": 2, \"test_loss\": 0}\n"
                "{\"event\": \"resume\", \"epoch\": 1, \"step\": 1}\n"
                "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 2, \"test_loss\": 3}\n"
                "{\"event\": \"epoch\", \"epoch\": 3, \"step\": 3, \"test_loss\": 2}\n");
    check_result(NULL, &config, 2.0, 3, "test_loss");
}

static void no_file_is_no_result(void **state)
{
    rnn_config config = {.loss.type = RNN_LOSS_MSE};
    rnn_sweep_metric metric;
    rnn_sweep_result result;

    (void)state;
    assert_int_equal(rnn_sweep_metric_choose(&metric, NULL, &config), RNN_OK);
    assert_int_equal(rnn_sweep_result_read(&result, "nowhere", &metric), RNN_OK);
    assert_true(isnan(result.value));
    assert_int_equal(result.n_epochs, 0);
}

static void unknown_metrics_are_refused(void **state)
{
    static const char *const names[] = {"", "lr", "valid.", "valid.lr", "best.loss", "valid_loss"};
    rnn_config config = {.loss.type = RNN_LOSS_MSE};
    rnn_sweep_metric metric;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(rnn_sweep_metric_choose(&metric, names[i], &config), RNN_ERR_USAGE);
        assert_non_null(strstr(rnn_error_message(), "--by: expected loss, accuracy"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_combinations_are_points),
        cmocka_unit_test(commas_in_brackets_and_quotes_belong_to_values),
        cmocka_unit_test(names_differ_where_values_do),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test_setup_teardown(the_best_epoch_is_found, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(languages_go_by_loss, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(epochs_that_do_not_count_are_left_out, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(no_file_is_no_result, enter_folder, leave_folder),
        cmocka_unit_test(unknown_metrics_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
