/*
 * Reading what a run has written: lines that are torn, written again, not finite, or not ours.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "framework/file_io.h"
#include "framework/json_line.h"
#include "framework/metrics_file.h"
#include "kernels/memory.h"

/* -- A line of JSON ---------------------------------------------------------------------------- */

typedef struct members {
    rnn_json_member list[8];
    size_t count;
} members;

static void keep(void *context, const rnn_json_member *member)
{
    members *m = context;

    assert_true(m->count < sizeof m->list / sizeof *m->list);
    m->list[m->count++] = *member;
}

static rnn_status parse(const char *line, members *m)
{
    m->count = 0;
    return rnn_json_line_parse(line, strlen(line), keep, m);
}

static void every_kind_of_value_is_read(void **state)
{
    members m;

    (void)state;
    OK(parse("{\"a\": -1.5e-3, \"b\":\"x\\\"\\\\\\u00e9\\n\" , \"c\": null,\"d\":true, "
             "\"e\": {\"f\": [1, \"}\"], \"g\": {}}, \"h\": [], \"i\": 0}",
             &m));
    assert_int_equal(m.count, 7);
    assert_string_equal(m.list[0].name, "a");
    assert_true(m.list[0].kind == RNN_JSON_NUMBER && m.list[0].number == -1.5e-3);
    assert_true(m.list[1].kind == RNN_JSON_TEXT && isnan(m.list[1].number));
    assert_string_equal(m.list[1].text, "x\"\\\xc3\xa9\n");
    assert_true(m.list[2].kind == RNN_JSON_NULL && isnan(m.list[2].number));
    assert_true(m.list[3].kind == RNN_JSON_OTHER);
    assert_true(m.list[4].kind == RNN_JSON_OTHER);
    assert_string_equal(m.list[6].name, "i");
    assert_true(m.list[6].number == 0.0);
    OK(parse(" { } ", &m));
    assert_int_equal(m.count, 0);
}

static void what_is_no_object_is_refused(void **state)
{
    static const struct {
        const char *line, *message;
    } bad[] = {
        {"", "column 1: expected an object, found the end of the line"},
        {"[1]", "column 1: expected an object, found byte 0x5b"},
        {"{\"a\": 1", "column 8: expected a comma or the end of the object"},
        {"{\"a\": 1,", "column 9: expected a quote"},
        {"{\"a\" 1}", "column 6: expected a colon"},
        {"{\"a\": nan}", "column 7: expected a number"},
        {"{\"a\": 0x10}", "column 8: expected a comma"},
        {"{\"a\": 1-}", "column 7: expected a number"},
        {"{\"a\": +1}", "column 7: expected a number"},
        {"{\"a\": \"x}", "column 10: expected a quote"},
        {"{\"a\": \"\\x\"}", "column 9: expected one of"},
        {"{\"a\": \"\\u12g4\"}", "column 12: expected a hexadecimal digit"},
        {"{\"a\": [1, 2", "column 12: expected the end of an object or array"},
        {"{\"a\": 1} 2", "column 10: expected the end of the line"},
    };
    members m;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(RNN_ERR_DATA, parse(bad[i].line, &m), bad[i].message);
}

static void a_line_is_read_up_to_its_length(void **state)
{
    static const char line[] = "{\"a\": 12345}";
    members m = {.count = 0};

    (void)state;
    for (size_t n = 0; n + 1 < sizeof line; n++)
        assert_int_equal(rnn_json_line_parse(line, n, keep, &m), RNN_ERR_DATA);
    assert_int_equal(rnn_json_line_parse("{\"a\": 1\0}", 9, keep, &m), RNN_ERR_DATA);
}

static void what_is_printed_can_be_read(void **state)
{
    static const char text[] = "a \"b\" \\c\n\x01 \xc3\xa9";
    char line[128] = "";
    members m;
    FILE *out = fmemopen(line, sizeof line, "w");

    (void)state;
    assert_non_null(out);
    fputs("{\"t\": ", out);
    rnn_json_print_text(out, text);
    fputs("}", out);
    assert_int_equal(fclose(out), 0);
    OK(parse(line, &m));
    assert_string_equal(m.list[0].text, text);
}

/* -- A line of a run --------------------------------------------------------------------------- */

static rnn_status parse_line(rnn_metrics_line *line, const char *text)
{
    return rnn_metrics_line_parse(line, text, strlen(text));
}

/* A metric of the part whose fields begin there. */
static rnn_field field(rnn_field first, rnn_metric metric)
{
    return (rnn_field)((int)first + (int)metric);
}

static void fields_go_by_their_names(void **state)
{
    rnn_metrics_line line;

    (void)state;
    OK(parse_line(&line, "{\"event\": \"epoch\", \"epoch\": 3, \"step\": 12, \"train_loss\": 0.5, "
                         "\"valid_f1\": 0.25, \"test_mae\": 7, \"lr\": 0.001, \"time_other\": 2, "
                         "\"time_data\": 3, \"from_tomorrow\": 1, \"valid_loss\": null, "
                         "\"samples_per_second\": 1e999, \"digest\": \"0123456789abcdef\"}"));
    assert_string_equal(line.event, "epoch");
    assert_true(line.epoch == 3 && line.step == 12);
    assert_true(line.values[field(RNN_FIELD_TRAIN, RNN_METRIC_LOSS)] == 0.5);
    assert_true(line.values[field(RNN_FIELD_VALID, RNN_METRIC_F1)] == 0.25);
    assert_true(line.values[field(RNN_FIELD_TEST, RNN_METRIC_MAE)] == 7);
    assert_true(line.values[RNN_FIELD_LR] == 0.001);
    assert_true(line.values[RNN_FIELD_TIME] == 3);
    assert_true(line.values[RNN_N_FIELDS - 1] == 2);
    assert_true(isnan(line.values[field(RNN_FIELD_VALID, RNN_METRIC_LOSS)])); /* null */
    assert_true(isnan(line.values[RNN_FIELD_RATE]));                          /* overflows */
    assert_true(isnan(line.values[RNN_FIELD_SECONDS]));                       /* absent */
    assert_string_equal(line.digest, "0123456789abcdef");
}

static void an_epoch_has_a_number_and_steps(void **state)
{
    static const char *const bad[] = {"{\"event\": \"epoch\", \"step\": 1}",
                                      "{\"event\": \"epoch\", \"epoch\": 0, \"step\": 1}",
                                      "{\"event\": \"epoch\", \"epoch\": 1.5, \"step\": 1}",
                                      "{\"event\": \"epoch\", \"epoch\": -1, \"step\": 1}",
                                      "{\"event\": \"epoch\", \"epoch\": 1, \"step\": null}"};
    rnn_metrics_line line;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(RNN_ERR_DATA, parse_line(&line, bad[i]), "whole numbers");
    assert_refused(RNN_ERR_DATA, parse_line(&line, "{\"epoch\": 1}"), "\"event\"");
}

/* -- A file ------------------------------------------------------------------------------------ */

#define EPOCH(n, loss)                                                                             \
    "{\"event\": \"epoch\", \"epoch\": " #n ", \"step\": " #n "0, \"train_loss\": " #loss "}\n"
#define RESUME(n) "{\"event\": \"resume\", \"epoch\": " #n ", \"step\": " #n "0}\n"

static rnn_metrics_log read_text(const char *text)
{
    rnn_metrics_log log;

    OK(rnn_file_write("metrics.jsonl", text, strlen(text)));
    OK(rnn_metrics_log_read(&log, "metrics.jsonl"));
    return log;
}

/* The losses of epochs 1, 2, ..., and that there are no more. */
static void assert_losses(const rnn_metrics_log *log, const double *losses, size_t count)
{
    assert_int_equal(log->n_epochs, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(log->epochs[i].epoch == (double)(i + 1));
        assert_true(log->epochs[i].values[field(RNN_FIELD_TRAIN, RNN_METRIC_LOSS)] == losses[i]);
    }
}

static void a_torn_last_line_does_not_count(void **state)
{
    static const char text[] = EPOCH(1, 3) EPOCH(2, 2) EPOCH(3, 1);
    size_t n_lines = 0;

    (void)state;
    /* Cut anywhere, there are the epochs whose lines have their ends. */
    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = strndup(text, n);
        rnn_metrics_log log = read_text(copy);

        n_lines = 0;
        for (size_t i = 0; i < n; i++)
            n_lines += text[i] == '\n';
        assert_losses(&log, (const double[]){3, 2, 1}, n_lines);
        assert_int_equal(log.n_bad, 0);
        rnn_metrics_log_free(&log);
        free(copy);
    }
    assert_int_equal(n_lines, 3);
}

static void a_line_after_a_torn_one_counts(void **state)
{
    rnn_metrics_log log =
        read_text(EPOCH(1, 3) "{\"event\": \"epoch\", \"ep" EPOCH(2, 2) "\n"
                                                                        "nonsense\n" EPOCH(3, 1));

    (void)state;
    assert_losses(&log, (const double[]){3, 2, 1}, 3);
    assert_int_equal(log.n_bad, 3);
    assert_non_null(strstr(log.first_bad, "line 2: column "));
    rnn_metrics_log_free(&log);
}

static void epochs_that_come_again_replace_the_first(void **state)
{
    rnn_metrics_log log;

    (void)state;
    log = read_text(EPOCH(1, 9) EPOCH(2, 8) EPOCH(3, 7) EPOCH(2, 6));
    assert_losses(&log, (const double[]){9, 6}, 2); /* that 3 followed the other 2 */
    rnn_metrics_log_free(&log);
    log = read_text(EPOCH(1, 9) EPOCH(2, 8) EPOCH(3, 7) RESUME(1));
    assert_losses(&log, (const double[]){9}, 1);
    assert_int_equal(log.n_resumed, 1);
    rnn_metrics_log_free(&log);
    log = read_text(EPOCH(1, 9) EPOCH(2, 8) RESUME(2) EPOCH(3, 7));
    assert_losses(&log, (const double[]){9, 8, 7}, 3);
    rnn_metrics_log_free(&log);
    log = read_text(EPOCH(1, 9) EPOCH(2, 8) EPOCH(1, 5)); /* begun anew */
    assert_losses(&log, (const double[]){5}, 1);
    rnn_metrics_log_free(&log);
}

static void the_test_at_the_end_is_that_of_the_last_epoch(void **state)
{
    rnn_metrics_log log = read_text(EPOCH(1, 9) "{\"event\": \"test\", \"test_loss\": 4}\n");

    (void)state;
    assert_true(log.has_test && log.test.values[field(RNN_FIELD_TEST, RNN_METRIC_LOSS)] == 4);
    rnn_metrics_log_free(&log);
    log = read_text(EPOCH(1, 9) "{\"event\": \"test\", \"test_loss\": 4}\n" EPOCH(2, 8));
    assert_false(log.has_test);
    assert_string_equal(log.last.event, "epoch");
    rnn_metrics_log_free(&log);
}

static void the_best_is_finite_and_the_first_of_equals(void **state)
{
    rnn_metrics_log log =
        read_text(EPOCH(1, null) EPOCH(2, 5) EPOCH(3, 4) EPOCH(4, 4) EPOCH(5, null));
    const rnn_field loss = field(RNN_FIELD_TRAIN, RNN_METRIC_LOSS);
    const rnn_field accuracy = field(RNN_FIELD_TRAIN, RNN_METRIC_ACCURACY);

    (void)state;
    assert_true(rnn_metrics_log_best(&log, loss)->epoch == 3);
    assert_null(rnn_metrics_log_best(&log, accuracy));
    assert_true(rnn_metrics_log_has(&log, loss));
    assert_false(rnn_metrics_log_has(&log, accuracy));
    for (size_t i = 0; i < 5; i++)
        log.epochs[i].values[accuracy] = (double)i;
    assert_true(rnn_metrics_log_best(&log, accuracy)->epoch == 5); /* of which more is better */
    rnn_metrics_log_free(&log);
}

static void a_run_is_a_folder_or_its_file(void **state)
{
    char *folder, *file;

    (void)state;
    OK(rnn_folder_create("runs/a"));
    OK(rnn_file_write("runs/a/metrics.jsonl", "", 0));
    OK(rnn_metrics_find("runs/a", &folder, &file));
    assert_string_equal(folder, "runs/a");
    assert_string_equal(file, "runs/a/metrics.jsonl");
    rnn_free(folder);
    rnn_free(file);
    OK(rnn_folder_create("runs/of-a-sweep"));
    OK(rnn_file_write("runs/of-a-sweep/sweep.jsonl", "", 0));
    assert_int_equal(rnn_metrics_find("runs/of-a-sweep/", &folder, &file), RNN_ERR_NOINPUT);
    assert_string_equal(rnn_error_message(), "'runs/of-a-sweep' is a sweep: expected a run of it, "
                                             "such as runs/of-a-sweep/*/");
    assert_null(folder);
    assert_null(file);
    OK(rnn_metrics_find("runs/a//", &folder, &file));
    assert_string_equal(folder, "runs/a");
    assert_string_equal(file, "runs/a/metrics.jsonl");
    rnn_free(folder);
    rnn_free(file);
    OK(rnn_metrics_find("runs/a/metrics.jsonl", &folder, &file));
    assert_string_equal(folder, "runs/a");
    assert_string_equal(file, "runs/a/metrics.jsonl");
    rnn_free(folder);
    rnn_free(file);
    assert_int_equal(chdir("runs/a"), 0);
    OK(rnn_metrics_find("metrics.jsonl", &folder, &file));
    assert_string_equal(folder, ".");
    rnn_free(folder);
    rnn_free(file);
    assert_refused(RNN_ERR_NOINPUT, rnn_metrics_find("b", &folder, &file), "no run 'b'");
    assert_null(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_line_is_read_up_to_its_length),
        cmocka_unit_test(what_is_printed_can_be_read),
        cmocka_unit_test(fields_go_by_their_names),
        cmocka_unit_test(an_epoch_has_a_number_and_steps),
        IN_FOLDER(a_torn_last_line_does_not_count),
        IN_FOLDER(a_line_after_a_torn_one_counts),
        IN_FOLDER(epochs_that_come_again_replace_the_first),
        IN_FOLDER(the_test_at_the_end_is_that_of_the_last_epoch),
        IN_FOLDER(the_best_is_finite_and_the_first_of_equals),
        IN_FOLDER(a_run_is_a_folder_or_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
