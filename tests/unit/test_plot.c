/*
 * What is drawn of runs: names that tell them apart, panels and their axes, texts that cannot do
 * harm, charts of characters, times.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "framework/chart_text.h"
#include "framework/config_text.h"
#include "framework/file_io.h"
#include "framework/plot.h"
#include "framework/plot_gnuplot.h"
#include "framework/plot_html.h"
#include "framework/plot_text.h"
#include "framework/top_screen.h"
#include "kernels/memory.h"

enum { MAX_RUNS = 4 };

static rnn_plot_run runs[MAX_RUNS];

static void write_run(const char *folder, const char *text)
{
    char *path;

    OK(rnn_folder_create(folder));
    OK(rnn_path_print(&path, "%s/metrics.jsonl", folder));
    OK(rnn_file_write(path, text, strlen(text)));
    rnn_free(path);
}

#define EPOCH(n, fields) "{\"event\": \"epoch\", \"epoch\": " #n ", \"step\": " #n ", " fields "}\n"

static const char two_epochs[] =
    EPOCH(1, "\"train_loss\": 4, \"valid_loss\": 3, \"lr\": 0.5, \"samples_per_second\": 90")
        EPOCH(2, "\"train_loss\": 2, \"valid_loss\": null, \"lr\": 0.5, "
                 "\"samples_per_second\": 100");

static rnn_plot make_plot(const char *const *paths, size_t n_runs)
{
    rnn_plot plot;

    OK(rnn_plot_read_runs(runs, paths, n_runs));
    OK(rnn_plot_create(&plot, runs, n_runs));
    return plot;
}

static void free_plot(rnn_plot *plot, size_t n_runs)
{
    rnn_plot_free(plot);
    rnn_plot_free_runs(runs, n_runs);
}

static void names_tell_runs_apart(void **state)
{
    static const char *const paths[] = {"a/one", "b/one", "b/two/", "./b/one"};

    (void)state;
    write_run("a/one", two_epochs);
    write_run("b/one", two_epochs);
    write_run("b/two", two_epochs);
    OK(rnn_plot_read_runs(runs, paths + 1, 2));
    assert_string_equal(runs[0].name, "one");
    assert_string_equal(runs[1].name, "two");
    rnn_plot_free_runs(runs, 2);
    OK(rnn_plot_read_runs(runs, paths, 4));
    assert_string_equal(runs[0].name, "a/one");
    assert_string_equal(runs[1].name, "b/one");
    assert_string_equal(runs[2].name, "b/two");
    assert_string_equal(runs[3].name, "b/one (2)");
    rnn_plot_free_runs(runs, 4);
}

static void runs_without_epochs_are_refused(void **state)
{
    static const char *const path[] = {"a"};

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_plot_read_runs(runs, path, 1), "no run 'a'");
    rnn_plot_free_runs(runs, 1);
    write_run("a", "");
    assert_refused(RNN_ERR_DATA, rnn_plot_read_runs(runs, path, 1), "no whole line");
    rnn_plot_free_runs(runs, 1);
    write_run("a", "{\"event\": \"stopped\", \"epoch\": 0, \"step\": 3}\n");
    assert_refused(RNN_ERR_DATA, rnn_plot_read_runs(runs, path, 1), "other events only");
    rnn_plot_free_runs(runs, 1);
    write_run("a", "epoch,loss\n");
    assert_refused(RNN_ERR_DATA, rnn_plot_read_runs(runs, path, 1), "line 1: column 1");
    rnn_plot_free_runs(runs, 1);
}

static void panels_are_those_that_have_points(void **state)
{
    static const char *const path[] = {"a"};
    rnn_plot plot;
    double x, y;

    (void)state;
    write_run("a", two_epochs);
    plot = make_plot(path, 1);
    assert_int_equal(plot.n_panels, 3);
    assert_string_equal(plot.panels[0].title, "loss");
    assert_string_equal(plot.panels[1].title, "learning rate");
    assert_string_equal(plot.panels[2].title, "samples/s");
    assert_int_equal(plot.panels[0].n_curves, 2);
    assert_true(plot.kinds[RNN_PLOT_TRAIN] && plot.kinds[RNN_PLOT_VALID]);
    assert_false(plot.kinds[RNN_PLOT_TEST] || plot.kinds[RNN_PLOT_FINAL] || plot.has_time);
    assert_true(fabs(plot.panels[0].low - 1.9) < 1e-9 && fabs(plot.panels[0].high - 4.1) < 1e-9);
    assert_true(plot.panels[1].low == 0.25 && plot.panels[1].high == 0.75); /* flat */
    assert_true(plot.panels[2].low == 0.0 && plot.panels[2].high == 100.5);
    rnn_plot_point(&plot.panels[0].curves[1], 1, &x, &y);
    assert_true(x == 2 && isnan(y));
    free_plot(&plot, 1);
    write_run("a", EPOCH(1, "\"train_loss\": null"));
    OK(rnn_plot_read_runs(runs, path, 1));
    assert_refused(RNN_ERR_DATA, rnn_plot_create(&plot, runs, 1), "nothing to draw");
    rnn_plot_free_runs(runs, 1);
}

static void wide_ranges_are_logarithmic(void **state)
{
    static const char *const path[] = {"a"};
    rnn_plot plot;

    (void)state;
    write_run("a", EPOCH(1, "\"train_loss\": 100") EPOCH(2, "\"train_loss\": 1"));
    plot = make_plot(path, 1);
    assert_true(plot.panels[0].is_log);
    assert_string_equal(plot.panels[0].title, "loss (log scale)");
    assert_true(plot.panels[0].low > 0.7 && plot.panels[0].low < 1);
    free_plot(&plot, 1);
    write_run("a", EPOCH(1, "\"train_loss\": 100") EPOCH(2, "\"train_loss\": 0"));
    plot = make_plot(path, 1);
    assert_false(plot.panels[0].is_log); /* zero has no logarithm */
    free_plot(&plot, 1);
}

static void axes_end_where_numbers_do(void **state)
{
    static const char *const path[] = {"a"};
    rnn_time_split split;
    rnn_plot plot;

    (void)state;
    write_run("a",
              EPOCH(1, "\"train_loss\": 1.7e308, \"train_accuracy\": 1, \"time_data\": 1e308, "
                       "\"lr\": 1e308")
                  EPOCH(2, "\"train_loss\": -1.7e308, \"train_accuracy\": 1, \"time_data\": 2, "
                           "\"lr\": 1e-300"));
    plot = make_plot(path, 1);
    assert_int_equal(plot.n_panels, 3); /* loss, accuracy, learning rate */
    for (size_t i = 0; i < plot.n_panels; i++) {
        assert_true(isfinite(plot.panels[i].high - plot.panels[i].low));
        assert_true(plot.panels[i].low < plot.panels[i].high);
        assert_false(plot.panels[i].is_log); /* the ratio of the rates is no number */
    }
    assert_true(rnn_plot_time(&runs[0], 0, 2, &split));
    assert_true(split.seconds[RNN_TIME_DATA] == 2.0);
    free_plot(&plot, 1);
}

/* -- Texts ------------------------------------------------------------------------------------- */

static void names_cannot_do_harm(void **state)
{
    char name[16], *page, *script = NULL;
    static const char *const path[] = {"x'`touch y`<b>\"\n&\xff"};
    size_t n_bytes;
    FILE *out = open_memstream(&script, &n_bytes);
    rnn_plot plot;

    (void)state;
    rnn_text_make_printable(name, sizeof name, "a\x1b[2J\xff\xc3\xa9\xc2\x85");
    assert_string_equal(name, "a?[2J?\xc3\xa9??");
    rnn_text_make_printable(name, sizeof name, "0123456789abcdef\xc3\xa9");
    assert_string_equal(name, "...6789abcdef\xc3\xa9");
    write_run(path[0], two_epochs);
    plot = make_plot(path, 1);
    rnn_gnuplot_script(&plot, RNN_PICTURE_SVG, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(script, "set title 'x''`touch y`<b>\"?&?'"));
    OK(rnn_plot_html(&plot, "<svg></svg>", &page, &n_bytes));
    assert_int_equal(n_bytes, strlen(page));
    assert_non_null(strstr(page, "<title>x&#39;`touch y`&lt;b&gt;&quot;?&amp;?</title>"));
    assert_null(strstr(page, "<b>"));
    assert_non_null(strstr(page, "None: ")); /* no checkpoint, no configuration */
    rnn_free(page);
    free(script);
    free_plot(&plot, 1);
}

static void durations_are_short(void **state)
{
    char text[RNN_DURATION_SIZE];

    (void)state;
    assert_string_equal(rnn_duration_print(text, 4.25), "4.2 s");
    assert_string_equal(rnn_duration_print(text, 59.94), "59.9 s");
    assert_string_equal(rnn_duration_print(text, 59.96), "1:00");
    assert_string_equal(rnn_duration_print(text, 187), "3:07");
    assert_string_equal(rnn_duration_print(text, 3599.6), "1:00:00");
    assert_string_equal(rnn_duration_print(text, 93787), "26:03:07");
    assert_string_equal(rnn_duration_print(text, (double)NAN), "?");
    assert_string_equal(rnn_duration_print(text, 1e300), "?");
}

static void configurations_are_compared_by_keys(void **state)
{
    static const char *const texts[] = {
        "[run]\nseed = 1\n\n[[layer]]\ntype = \"lstm\"\n\n[[layer]]\ntype = \"linear\"\nbias = "
        "true\n",
        NULL, "[run]\nseed = 1\n\n[[layer]]\ntype = \"gru\"\n\n[[layer]]\ntype = \"linear\"\n"};
    rnn_config_text_table table;

    (void)state;
    OK(rnn_config_text_compare(&table, texts, 3));
    assert_int_equal(table.n_keys, 2);
    assert_string_equal(table.keys[0], "layer.0.type");
    assert_string_equal(table.values[0], "\"lstm\"");
    assert_null(table.values[1]);
    assert_string_equal(table.values[2], "\"gru\"");
    assert_string_equal(table.keys[1], "layer.1.bias");
    assert_string_equal(table.values[3], "true");
    assert_null(table.values[5]);
    rnn_config_text_free(&table);
}

/* -- Charts ------------------------------------------------------------------------------------ */

static void a_chart_is_as_wide_as_asked(void **state)
{
    static const char *const path[] = {"a"};
    /* Of 27 columns, the line from 4 to 2 is in the upper row down to 3.73, so in 3.6 of them. */
    static const char expected[] = "            loss\n"
                                   "       4.1 |....\n"
                                   "           |o   ..........\n"
                                   "           |             ..........\n"
                                   "       1.9 |                       ....\n"
                                   "           +---------------------------\n"
                                   "            1                   epoch 2\n"
                                   "   . train   o valid\n";
    char *text = NULL;
    size_t n_bytes;
    FILE *out = open_memstream(&text, &n_bytes);
    rnn_plot plot;

    (void)state;
    write_run("a", two_epochs);
    plot = make_plot(path, 1);
    OK(rnn_chart_print(&plot, &plot.panels[0], RNN_CHART_MIN_WIDTH, 4, out));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
    free_plot(&plot, 1);
}

static void time_is_added_up(void **state)
{
    static const char *const path[] = {"a"};
    rnn_time_split split;
    rnn_plot plot;
    char *text = NULL;
    size_t n_bytes;
    FILE *out = open_memstream(&text, &n_bytes);

    (void)state;
    write_run("a", EPOCH(1, "\"time_forward\": 1, \"time_other\": null")
                       EPOCH(2, "\"time_forward\": 2, \"time_backward\": 9"));
    plot = make_plot(path, 1);
    assert_true(plot.has_time);
    assert_true(rnn_plot_time(&runs[0], 0, 2, &split));
    assert_true(split.seconds[RNN_TIME_FORWARD] == 3 && split.seconds[RNN_TIME_BACKWARD] == 9);
    assert_true(split.seconds[RNN_TIME_OTHER] == 0);
    rnn_chart_print_time(&plot, 40, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "  forward    25.0% #####\n"));
    assert_non_null(strstr(text, "  backward   75.0% ###############\n"));
    free(text);
    free_plot(&plot, 1);
}

static void splits_are_differences_and_the_rest(void **state)
{
    const rnn_time_split before = {{1, 1, 1, 1, 1, 1, 0, 0}}, after = {{2, 3, 1, 1, 1, 1.5, 0, 0}};
    rnn_time_split split = rnn_time_split_between(&before, &after, 10);

    (void)state;
    assert_true(split.seconds[RNN_TIME_DATA] == 1 && split.seconds[RNN_TIME_PACK] == 2);
    assert_true(split.seconds[RNN_TIME_UPDATE] == 0.5 && split.seconds[RNN_TIME_FORWARD] == 0);
    assert_true(split.seconds[RNN_TIME_OTHER] == 6.5);
    split = rnn_time_split_between(&before, &after, 3); /* clocks of threads may be ahead */
    assert_true(split.seconds[RNN_TIME_OTHER] == 0);
    for (rnn_time_part part = 0; part < RNN_TIME_N_PARTS; part++)
        assert_string_equal(rnn_field_name((rnn_field)((int)RNN_FIELD_TIME + (int)part)) + 5,
                            rnn_time_part_name(part));
}

/* 10 epochs of 7 batches, of which 2 epochs and 3 batches are done. */
static void the_time_that_is_left_goes_by_epochs(void **state)
{
    rnn_metrics_line epoch = {.epoch = 2, .step = 14};
    rnn_top_view view = {.has_now = true,
                         .now = {.epoch = 0,
                                 .batch = 3,
                                 .n_batches = 7,
                                 .step = 3,
                                 .total_steps = 70,
                                 .epoch_seconds = 6}};

    (void)state;
    assert_true(fabs(rnn_top_seconds_left(&view) - 67 * 2.0) < 1e-9); /* 2 s a batch so far */
    view.now.epoch = 2;
    view.now.step = 17;
    epoch.values[RNN_FIELD_SECONDS] = 21; /* with its evaluation, 3 s a batch */
    view.run.log = (rnn_metrics_log){.epochs = &epoch, .n_epochs = 1};
    assert_true(fabs(rnn_top_seconds_left(&view) - 53 * 3.0) < 1e-9);
    view.now.step = 71; /* the run was made shorter */
    assert_true(rnn_top_seconds_left(&view) == 0.0);
    view.now.step = 0;
    assert_true(isnan(rnn_top_seconds_left(&view)));
}

/* What lines of metrics.jsonl have cannot steer a terminal, and those that are none are told. */
static void lines_are_shown_as_they_are(void **state)
{
    static const char good[] = "{\"event\": \"\\u001b[2J\"}\n", bad[] = "{\"event\"\n";
    rnn_top_view view = {.run = {.name = "a", .folder = (char[]){"."}}, .has_log = true};
    size_t n_taken, n_bytes;
    char *printed = NULL;
    FILE *out = open_memstream(&printed, &n_bytes);

    (void)state;
    OK(rnn_metrics_log_add(&view.run.log, good, strlen(good), &n_taken));
    OK(rnn_metrics_log_add(&view.run.log, bad, strlen(bad), &n_taken));
    rnn_top_print_line(&view.run.log.last, out);
    OK(rnn_top_print(&view, 80, 24, out));
    assert_int_equal(fclose(out), 0);
    assert_null(strchr(printed, '\x1b'));
    assert_non_null(strstr(printed, "?[2J"));
    assert_non_null(strstr(printed, "1 of 2 lines of metrics.jsonl left out; line 2: column 9: "));
    free(printed);
    rnn_metrics_log_free(&view.run.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(names_tell_runs_apart),
        IN_FOLDER(runs_without_epochs_are_refused),
        IN_FOLDER(panels_are_those_that_have_points),
        IN_FOLDER(wide_ranges_are_logarithmic),
        IN_FOLDER(axes_end_where_numbers_do),
        IN_FOLDER(names_cannot_do_harm),
        cmocka_unit_test(durations_are_short),
        cmocka_unit_test(configurations_are_compared_by_keys),
        IN_FOLDER(a_chart_is_as_wide_as_asked),
        IN_FOLDER(time_is_added_up),
        cmocka_unit_test(splits_are_differences_and_the_rest),
        cmocka_unit_test(the_time_that_is_left_goes_by_epochs),
        IN_FOLDER(lines_are_shown_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
