#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/toml_reader.h"
#include "kernels/memory.h"

static rnn_toml parse(const char *text)
{
    rnn_toml toml;
    rnn_status st = rnn_toml_parse(&toml, text, strlen(text), "t");

    if (st != RNN_OK)
        fail_msg("%s\nis refused: %s", text, rnn_error_message());
    return toml;
}

static const rnn_toml_value *find(const rnn_toml *toml, const char *path)
{
    for (size_t i = 0; i < toml->count; i++) {
        if (strcmp(toml->values[i].path, path) == 0)
            return &toml->values[i];
    }
    fail_msg("no value %s", path);
    return NULL;
}

static void assert_refused(const char *text, size_t length, const char *message)
{
    rnn_toml toml;
    rnn_status st = rnn_toml_parse(&toml, text, length, "t");

    assert_int_equal(st, RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), message);
    rnn_toml_free(&toml);
    assert_null(toml.values);
}

/* -- Values ------------------------------------------------------------------------------------ */

static void every_type_keeps_its_value(void **state)
{
    rnn_toml t = parse("s = 'a\\b'\ni = -3\nf = 2.5\nb = true\nd = 2000-01-02\na = []\n[t]\n");

    (void)state;
    assert_int_equal(t.count, 7);
    assert_int_equal(find(&t, "s")->type, RNN_TOML_STRING);
    assert_string_equal(find(&t, "s")->string, "a\\b");
    assert_int_equal(find(&t, "i")->type, RNN_TOML_INTEGER);
    assert_int_equal(find(&t, "i")->integer, -3);
    assert_true(find(&t, "i")->number == -3.0);
    assert_int_equal(find(&t, "f")->type, RNN_TOML_FLOAT);
    assert_true(find(&t, "f")->number == 2.5);
    assert_int_equal(find(&t, "b")->type, RNN_TOML_BOOLEAN);
    assert_true(find(&t, "b")->boolean);
    assert_int_equal(find(&t, "d")->type, RNN_TOML_DATETIME);
    assert_int_equal(find(&t, "a")->type, RNN_TOML_ARRAY);
    assert_int_equal(find(&t, "t")->type, RNN_TOML_TABLE);
    rnn_toml_free(&t);
}

static void values_come_in_document_order_with_their_places(void **state)
{
    static const struct {
        const char *path;
        int line, column;
    } expected[] = {{"z", 1, 1},        {"l", 2, 3},    {"l[0]", 2, 3},   {"l[0].k", 3, 2},
                    {"b", 4, 2},        {"b.c", 4, 4},  {"b.c.y", 5, 1},  {"b.c.y[0]", 5, 6},
                    {"b.c.y[1]", 6, 2}, {"l[1]", 7, 1}, {"l[1].a", 8, 1}, {"l[1].a.b", 8, 3}};
    rnn_toml t = parse("z = 1\n[[l]]\n k = 2\n[b.c]\ny = [1,\n 'é']\n[[l]]\na.b = 3\n");

    (void)state;
    assert_int_equal(t.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < t.count; i++) {
        assert_string_equal(t.values[i].path, expected[i].path);
        assert_int_equal(t.values[i].line, expected[i].line);
        assert_int_equal(t.values[i].column, expected[i].column);
    }
    rnn_toml_free(&t);
}

static void quoted_keys_cannot_pass_for_paths(void **state)
{
    rnn_toml t = parse("'a.b' = 1\n'' = 2\n\"x\\ny\" = 3\n'plain' = 4\n'c[0]' = 5\n");

    (void)state;
    assert_int_equal(find(&t, "\"a.b\"")->integer, 1);
    assert_int_equal(find(&t, "\"\"")->integer, 2);
    assert_int_equal(find(&t, "\"x\\u000Ay\"")->integer, 3);
    assert_int_equal(find(&t, "plain")->integer, 4);
    assert_int_equal(find(&t, "\"c[0]\"")->integer, 5);
    rnn_toml_free(&t);
}

static void an_empty_text_has_no_values(void **state)
{
    rnn_toml t = parse("");

    (void)state;
    assert_int_equal(t.count, 0);
    rnn_toml_free(&t);
}

static void byte_order_mark_and_carriage_returns_are_accepted(void **state)
{
    rnn_toml t = parse("\xEF\xBB\xBF"
                       "a = 1\r\nb = 2");

    (void)state;
    assert_int_equal(find(&t, "a")->line, 1);
    assert_int_equal(find(&t, "b")->line, 2);
    rnn_toml_free(&t);
}

/* -- Refusals ---------------------------------------------------------------------------------- */

static void wrong_texts_are_refused_with_line_and_column(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"a = ", "t:1:5: "},
        {"a = 1\na = 2\n", "t:2:"},
        {"[a]\n[a]\n", "t:2:"},
        {"a = 1\nb = \"x\n", "t:2:"},
        {"a = [1,\n2", "t:2:"},
        {"a = 99999999999999999999", "t:1:"},
        {"a = 1\nb = 'x\xFF'\n", "t:2:6: "},
        {"\xFF\xFE"
         "a",
         "t:1:1: "},
        {"a = 1\rb = 2\n", "t:1:7: "},
        {"a = 'x\x01'", "t:1:7: "},
        {"[", "t:1:"},
        {"[.]", "t:1:"},
        {"[a..b]", "t:1:"},
        {"\xCE\xBC = 1", "t:1:1: "},
        {"a = {b = 1\n", "t:1:"},
        {"a = 'x", "t:1:"},
        {"a = \"\"\"x\"\"", "t:1:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_toml toml;

        assert_int_equal(rnn_toml_parse(&toml, cases[i].text, strlen(cases[i].text), "t"),
                         RNN_ERR_DATA);
        if (strncmp(rnn_error_message(), cases[i].place, strlen(cases[i].place)) != 0)
            fail_msg("%s\ngives: %s", cases[i].text, rnn_error_message());
        rnn_toml_free(&toml);
    }
}

static void zero_bytes_are_refused(void **state)
{
    static const char raw[] = "a = 1\nb = 'x\0y'\n";
    static const char escaped[] = "a = 1\nb = \"x\\u0000y\"\n";
    rnn_toml toml;

    (void)state;
    assert_int_equal(rnn_toml_parse(&toml, raw, sizeof raw - 1, "t"), RNN_ERR_DATA);
    assert_memory_equal(rnn_error_message(), "t:2:7: ", 7);
    rnn_toml_free(&toml);
    assert_refused(escaped, sizeof escaped - 1, "t:2:1: string with a zero byte");
}

static void texts_over_a_mebibyte_are_refused(void **state)
{
    char *text = malloc(RNN_TOML_MAX_BYTES + 1);
    rnn_toml toml;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', RNN_TOML_MAX_BYTES + 1);
    assert_int_equal(rnn_toml_parse(&toml, text, RNN_TOML_MAX_BYTES, "t"), RNN_OK);
    rnn_toml_free(&toml);
    assert_refused(text, RNN_TOML_MAX_BYTES + 1, "t:1:1: 1048577 bytes, at most 1048576 are read");
    free(text);
}

/* `head`, then `unit` n times, then `middle`, then `tail` n times. */
static char *repeat(const char *head, const char *unit, const char *middle, const char *tail,
                    size_t n)
{
    char *text = calloc(1, strlen(head) + n * (strlen(unit) + strlen(tail)) + strlen(middle) + 1);
    char *end = text;

    assert_non_null(text);
    end = stpcpy(end, head);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, unit);
    end = stpcpy(end, middle);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, tail);
    return text;
}

static void nesting_is_allowed_up_to_the_limit(void **state)
{
    static const struct {
        const char *head, *unit, *middle, *tail;
        int column; /* of the 65th level, in line 2 */
    } kinds[] = {
        {"\na=", "[", "", "]", 67},
        {"\na=", "{b=", "1", "}", 3 + 3 * 64},
        {"\n", "a.", "a=1", "", 2 + 2 * 64},
        {"\n[", "a.", "a]", "", 1 + 2 * 64},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t limit = i == 3 ? 63 : 64; /* the brackets of a table header count too */
        char expected[64];
        char *fits = repeat(kinds[i].head, kinds[i].unit, kinds[i].middle, kinds[i].tail, limit);
        char *deep = repeat(kinds[i].head, kinds[i].unit, kinds[i].middle, kinds[i].tail, 100000);
        rnn_toml toml = parse(fits);

        rnn_toml_free(&toml);
        snprintf(expected, sizeof expected, "t:2:%d: nested deeper than 64", kinds[i].column);
        assert_refused(deep, strlen(deep), expected);
        free(fits);
        free(deep);
    }
}

static void brackets_in_strings_and_comments_do_not_nest(void **state)
{
    static const char *const kinds[][2] = {
        {"a = \"", "\""},
        {"a = '", "'"},
        {"a = \"\\\"", "\""},
        {"# \"", "\n"},
        {"a = \"\"\"x\"\n", "\"\"\"\"\""},
        {"a = '''\n", "'''"},
        {"a = \"\"\"\"\"", "\"\"\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *text = repeat(kinds[i][0], "[.{", kinds[i][1], "", 70);
        rnn_toml toml = parse(text);

        rnn_toml_free(&toml);
        free(text);
    }
}

/* A string that ends in more than three quotes must not be taken for the start of another. */
static void nesting_is_seen_behind_any_string(void **state)
{
    static const char *const heads[] = {"a = \"\"\"x\"\"\"\"\"\nb = ", "a = '''x'''''\nb = ",
                                        "a = \"\\\\\" # '\nb = ", "a = '\\'\nb = "};

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char *text = repeat(heads[i], "[", "", "]", 65);

        assert_refused(text, strlen(text), "t:2:69: nested deeper than 64");
        free(text);
    }
}

static void overlong_keys_are_refused(void **state)
{
    char *fits = repeat("\n", "k", " = 1", "", RNN_TOML_MAX_PATH - 1);
    char *deep = repeat("\n", "k", " = 1", "", RNN_TOML_MAX_PATH);
    rnn_toml toml = parse(fits);

    (void)state;
    rnn_toml_free(&toml);
    assert_refused(deep, strlen(deep), "t:2:1: key is longer than 255 bytes");
    free(fits);
    free(deep);
}

/* -- Writing ----------------------------------------------------------------------------------- */

static void quoted_strings_read_back(void **state)
{
    static const char *const texts[] = {"",
                                        "plain",
                                        "a \"b\" \\c",
                                        "line\nbreak\ttab\r",
                                        "\x01\x1F\x7F",
                                        "h\xC3\xA9 \xF0\x9F\x98\x80",
                                        "'''"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char line[128];
        char *quoted;
        rnn_toml toml;

        assert_int_equal(rnn_toml_quote(&quoted, texts[i]), RNN_OK);
        snprintf(line, sizeof line, "v = %s\nend = 1", quoted);
        toml = parse(line);
        assert_string_equal(find(&toml, "v")->string, texts[i]);
        assert_int_equal(find(&toml, "end")->line, 2);
        rnn_toml_free(&toml);
        rnn_free(quoted);
    }
}

static void numbers_are_printed_shortest_and_read_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {0.1, "0.1"},
                 {-2.5, "-2.5"},
                 {1e-6, "1e-06"},
                 {1e22, "1e+22"},
                 {1.0 / 3.0, "0.3333333333333333"},
                 {DBL_MAX, "1.7976931348623157e+308"},
                 {-DBL_TRUE_MIN, "-5e-324"},
                 {(double)INFINITY, "inf"},
                 {(double)NAN, "nan"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char number[RNN_TOML_NUMBER_SIZE], line[64];
        rnn_toml toml;

        rnn_toml_print_number(number, cases[i].value);
        assert_string_equal(number, cases[i].text);
        snprintf(line, sizeof line, "v = %s", number);
        toml = parse(line);
        assert_int_equal(find(&toml, "v")->type, RNN_TOML_FLOAT);
        if (!isnan(cases[i].value))
            assert_memory_equal(&find(&toml, "v")->number, &cases[i].value, sizeof(double));
        rnn_toml_free(&toml);
    }
}

static void numbers_keep_their_point_in_any_locale(void **state)
{
    char number[RNN_TOML_NUMBER_SIZE];
    rnn_toml toml;

    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL &&
        setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        skip();
    toml = parse("v = 2.5");
    rnn_toml_print_number(number, toml.values[0].number);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(number, "2.5");
    rnn_toml_free(&toml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_keeps_its_value),
        cmocka_unit_test(values_come_in_document_order_with_their_places),
        cmocka_unit_test(quoted_keys_cannot_pass_for_paths),
        cmocka_unit_test(an_empty_text_has_no_values),
        cmocka_unit_test(byte_order_mark_and_carriage_returns_are_accepted),
        cmocka_unit_test(wrong_texts_are_refused_with_line_and_column),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(texts_over_a_mebibyte_are_refused),
        cmocka_unit_test(nesting_is_allowed_up_to_the_limit),
        cmocka_unit_test(brackets_in_strings_and_comments_do_not_nest),
        cmocka_unit_test(nesting_is_seen_behind_any_string),
        cmocka_unit_test(overlong_keys_are_refused),
        cmocka_unit_test(quoted_strings_read_back),
        cmocka_unit_test(numbers_are_printed_shortest_and_read_back),
        cmocka_unit_test(numbers_keep_their_point_in_any_locale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
