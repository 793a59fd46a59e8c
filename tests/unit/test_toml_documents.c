/*
 * The documents of toml-test (tests/fuzz/toml-test): every invalid one is refused with its place,
 * every valid one is read, but for those that need TOML 1.1 or have a zero byte in a string.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/config.h"
#include "framework/file_io.h"
#include "framework/toml_reader.h"
#include "kernels/memory.h"

static const char ROOT[] = RNN_TEST_DIR "/fuzz/toml-test";

enum { MAX_PATH = 4096, MAX_BYTES = 1 << 20 };

/* Valid, but not supported; what messages say of them. */
static const struct {
    const char *name, *reason;
} not_supported[] = {
    {"datetime/no-seconds.toml", "2:26: Error while parsing time: expected ':'"},
    {"inline-table/newline-comment.toml", "4:21: Error while parsing inline table: "},
    {"inline-table/newline.toml", "3:21: Error while parsing inline table: "},
    {"key/empty-05.toml", "1:14: Error while parsing inline table: "},
    {"spec-1.1.0/common-12.toml", "1:54: Error while parsing string: escape sequence '\\x'"},
    {"spec-1.1.0/common-29.toml", "1:24: Error while parsing time: expected ':'"},
    {"spec-1.1.0/common-31.toml", "1:24: Error while parsing time: expected ':'"},
    {"spec-1.1.0/common-34.toml", "1:12: Error while parsing time: expected ':'"},
    {"spec-1.1.0/common-47.toml", "4:12: Error while parsing inline table: "},
    {"string/escape-esc.toml", "1:9: Error while parsing string: escape sequence '\\e'"},
    {"string/hex-escape.toml", "3:21: Error while parsing string: escape sequence '\\x'"},
    {"string/quoted-unicode.toml", "2:1: string with a zero byte"},
    {"string/unicode-escape.toml", "6:1: string with a zero byte"},
};

/* NULL: it is supported. */
static const char *reason_for(const char *name)
{
    for (size_t i = 0; i < sizeof not_supported / sizeof *not_supported; i++)
        if (strcmp(not_supported[i].name, name) == 0)
            return not_supported[i].reason;
    return NULL;
}

/* -- Walking through them ---------------------------------------------------------------------- */

typedef struct counts {
    size_t n_documents, n_refused;
} counts;

typedef void (*check)(const char *name, const char *text, size_t length, counts *c);

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void check_document(const char *name, const char *path, check what, counts *c)
{
    void *text;
    size_t length;

    if (strcmp(path + strlen(path) - 5, ".toml") != 0)
        return;
    if (rnn_file_read(path, MAX_BYTES, &text, &length) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    c->n_documents++;
    what(name, text, length, c);
    rnn_free(text);
}

/* Documents in `folder` and below; n_root bytes of the paths are not part of their names. */
static void walk(const char *folder, size_t n_root, check what, counts *c)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort);

    if (n < 0)
        fail_msg("cannot list %s", folder);
    for (int i = 0; i < n; i++) {
        char path[MAX_PATH];

        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_type == DT_DIR)
            walk(path, n_root, what, c);
        else
            check_document(path + n_root, path, what, c);
        free(entries[i]);
    }
    free(entries);
}

static counts check_all(const char *kind, check what)
{
    counts c = {0};
    char folder[MAX_PATH];

    snprintf(folder, sizeof folder, "%s/%s", ROOT, kind);
    walk(folder, strlen(folder) + 1, what, &c);
    return c;
}

/* "NAME:line:column: reason". */
static void assert_has_place(const char *name)
{
    const char *message = rnn_error_message();
    int line = 0, column = 0, used = 0;

    if (strncmp(message, name, strlen(name)) != 0 ||
        sscanf(message + strlen(name), ":%d:%d: %n", &line, &column, &used) != 2 || line < 1 ||
        column < 1 || used == 0 || message[strlen(name) + (size_t)used] == '\0')
        fail_msg("%s: no place and reason in \"%s\"", name, message);
}

/* -- The tests --------------------------------------------------------------------------------- */

static void assert_invalid(const char *name, const char *text, size_t length, counts *c)
{
    rnn_toml toml;

    if (rnn_toml_parse(&toml, text, length, name) != RNN_ERR_DATA)
        fail_msg("%s: is not refused", name);
    assert_has_place(name);
    assert_null(toml.values);
    c->n_refused++;
}

static void every_invalid_document_is_refused_with_its_place(void **state)
{
    counts c = check_all("invalid", assert_invalid);

    (void)state;
    assert_int_equal(c.n_documents, 509);
    assert_int_equal(c.n_refused, 509);
}

static void assert_valid(const char *name, const char *text, size_t length, counts *c)
{
    const char *reason = reason_for(name);
    rnn_toml toml;
    rnn_status st = rnn_toml_parse(&toml, text, length, name);

    if ((st == RNN_OK) != (reason == NULL))
        fail_msg("%s: %s", name, st == RNN_OK ? "is read" : rnn_error_message());
    if (st != RNN_OK) {
        assert_int_equal(st, RNN_ERR_DATA);
        assert_has_place(name);
        if (strstr(rnn_error_message(), reason) == NULL)
            fail_msg("%s: '%s' is not in \"%s\"", name, reason, rnn_error_message());
        c->n_refused++;
    }
    rnn_toml_free(&toml);
}

static void every_valid_document_is_read_or_not_supported(void **state)
{
    counts c = check_all("valid", assert_valid);

    (void)state;
    assert_int_equal(c.n_documents, 268);
    assert_int_equal(c.n_refused, sizeof not_supported / sizeof *not_supported);
}

/* None of them is a configuration; an unknown key, or a missing one, is the least that is wrong. */
static void assert_no_config(const char *name, const char *text, size_t length, counts *c)
{
    rnn_config config;

    assert_int_equal(rnn_config_parse(&config, text, length, name, NULL, 0), RNN_ERR_DATA);
    if (strncmp(rnn_error_message(), name, strlen(name)) != 0)
        fail_msg("%s is not named in \"%s\"", name, rnn_error_message());
    rnn_config_free(&config);
    c->n_refused++;
}

static void none_is_taken_for_a_configuration(void **state)
{
    (void)state;
    assert_int_equal(check_all("invalid", assert_no_config).n_refused, 509);
    assert_int_equal(check_all("valid", assert_no_config).n_refused, 268);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_invalid_document_is_refused_with_its_place),
        cmocka_unit_test(every_valid_document_is_read_or_not_supported),
        cmocka_unit_test(none_is_taken_for_a_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
