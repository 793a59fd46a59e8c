#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/utf8.h"

/* -- Helpers ------------------------------------------------------------------------------------*/

/* Borrowed lists, NULL behind the last string. */
static rnn_dataset_cfg make_cfg(const char *const *inputs, const char *const *targets,
                                const char *alphabet)
{
    rnn_dataset_cfg cfg = {.format = "strings",
                           .name = "",
                           .inputs = inputs,
                           .targets = targets,
                           .alphabet = alphabet};

    while (inputs[cfg.n_inputs] != NULL)
        cfg.n_inputs++;
    while (targets[cfg.n_targets] != NULL)
        cfg.n_targets++;
    return cfg;
}

static rnn_dataset *open_cfg(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;

    if (rnn_dataset_open(&dataset, cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static rnn_dataset *open_pair(const char *input, const char *target, const char *alphabet)
{
    const char *const inputs[] = {input, NULL}, *const targets[] = {target, NULL};
    rnn_dataset_cfg cfg = make_cfg(inputs, targets, alphabet);

    return open_cfg(&cfg);
}

static uint64_t digest_of(const char *input, const char *target, const char *alphabet)
{
    rnn_dataset *dataset = open_pair(input, target, alphabet);
    uint64_t digest = rnn_dataset_get_info(dataset)->digest;

    rnn_dataset_destroy(&dataset);
    return digest;
}

static void assert_cfg_refused(const rnn_dataset_cfg *cfg, const char *part)
{
    rnn_dataset *dataset;

    assert_int_equal(rnn_dataset_open(&dataset, cfg), RNN_ERR_DATA);
    assert_null(dataset);
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, rnn_error_message());
}

static void assert_refused(const char *input, const char *target, const char *alphabet,
                           const char *part)
{
    const char *const inputs[] = {input, NULL}, *const targets[] = {target, NULL};
    rnn_dataset_cfg cfg = make_cfg(inputs, targets, alphabet);

    assert_cfg_refused(&cfg, part);
}

/* -- What it is ---------------------------------------------------------------------------------*/

static void characters_become_tokens_and_labels(void **state)
{
    static const int32_t tokens[] = {1, 0, 2, 2, 3}, labels[] = {3, 1, 2, 3, 2};
    rnn_dataset *dataset = open_pair("hello", "ohlol", "");
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    int32_t token[5], label[5], length[1];
    const rnn_dataset_slice slice = {.token = token, .length = length, .label = label};

    (void)state;
    assert_string_equal(info->name, "strings");
    assert_string_equal(info->folder, "");
    assert_true(info->is_expected);
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 1);
    assert_int_equal(info->n_samples[RNN_SPLIT_TEST], 0);
    assert_int_equal(info->seq_len, 5);
    assert_int_equal(info->min_len, 5);
    assert_false(info->is_ragged);
    assert_int_equal(info->n_features, 1);
    assert_int_equal(info->n_tokens, 4);
    assert_int_equal(info->n_classes, 4);
    assert_int_equal(info->target, RNN_TARGET_STEP_LABEL);
    assert_true(info->bytes_in_memory > 0);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0}, 1, 1, 5, &slice);
    assert_memory_equal(token, tokens, sizeof tokens);
    assert_memory_equal(label, labels, sizeof labels);
    assert_int_equal(length[0], 5);
    rnn_dataset_destroy(&dataset);
}

static void assert_alphabet(const rnn_dataset *dataset, const char *const *expected, size_t n)
{
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(rnn_dataset_token_text(dataset, i), expected[i]);
    assert_null(rnn_dataset_token_text(dataset, n));
}

static void the_alphabet_is_in_order_of_code_points(void **state)
{
    static const char *const expected[] = {"A", "a", "\u00e9", "\u20ac", "\U0001F600"};
    rnn_dataset *dataset = open_pair("\U0001F600\u20aca", "\u00e9Aa", "");

    (void)state;
    assert_alphabet(dataset, expected, 5);
    rnn_dataset_destroy(&dataset);
}

static void a_given_alphabet_keeps_its_order_and_size(void **state)
{
    static const char *const expected[] = {"z", "\u00e9", "b", "a"};
    rnn_dataset *dataset = open_pair("ab", "ba",
                                     "z\u00e9"
                                     "ba");
    int32_t token[2], label[2], length[1];
    const rnn_dataset_slice slice = {.token = token, .length = length, .label = label};

    (void)state;
    assert_alphabet(dataset, expected, 4);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){0}, 1, 1, 2, &slice);
    assert_int_equal(token[0], 3);
    assert_int_equal(token[1], 2);
    assert_int_equal(label[0], 2);
    assert_int_equal(label[1], 3);
    rnn_dataset_destroy(&dataset);
}

static void pairs_may_differ_in_length(void **state)
{
    enum { ROWS = 4, SEQ_LEN = 4 };
    static const char *const inputs[] = {"ab", "b", "aba", NULL};
    static const char *const targets[] = {"ba", "b", "bbb", NULL};
    static const uint64_t index[] = {2, 0, 1};
    static const int32_t tokens[SEQ_LEN][ROWS] = {
        {0, 0, 1, -1}, {1, 1, -1, -1}, {0, -1, -1, -1}, {-1, -1, -1, -1}};
    static const int32_t labels[SEQ_LEN][ROWS] = {
        {1, 1, 1, -1}, {1, 0, -1, -1}, {1, -1, -1, -1}, {-1, -1, -1, -1}};
    static const int32_t lengths[ROWS] = {3, 2, 1, 0};
    rnn_dataset_cfg cfg = make_cfg(inputs, targets, "");
    rnn_dataset *dataset = open_cfg(&cfg);
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    int32_t token[SEQ_LEN][ROWS], label[SEQ_LEN][ROWS], length[ROWS];
    const rnn_dataset_slice slice = {.token = *token, .length = length, .label = *label};

    (void)state;
    assert_int_equal(info->n_samples[RNN_SPLIT_TRAIN], 3);
    assert_int_equal(info->seq_len, 3);
    assert_int_equal(info->min_len, 1);
    assert_true(info->is_ragged);
    assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, 0), 2);
    assert_int_equal(rnn_dataset_lengths(dataset, RNN_SPLIT_TRAIN)[2], 3);
    rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, index, 3, ROWS, SEQ_LEN, &slice);
    assert_memory_equal(token, tokens, sizeof tokens);
    assert_memory_equal(label, labels, sizeof labels);
    assert_memory_equal(length, lengths, sizeof lengths);
    rnn_dataset_destroy(&dataset);
}

static void a_limit_uses_the_first_pairs(void **state)
{
    static const char *const inputs[] = {"ab", "abc", NULL}, *const targets[] = {"ba", "cba", NULL};
    rnn_dataset_cfg cfg = make_cfg(inputs, targets, "");
    rnn_dataset *dataset;

    (void)state;
    cfg.limit[RNN_SPLIT_TRAIN] = 1;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_samples[RNN_SPLIT_TRAIN], 1);
    assert_int_equal(rnn_dataset_get_info(dataset)->seq_len, 2);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 3);
    rnn_dataset_destroy(&dataset);
}

static void the_digest_depends_on_everything(void **state)
{
    static const char *const ab_a[] = {"ab", "a", NULL}, *const a_ba[] = {"a", "ba", NULL};
    rnn_dataset_cfg cfgs[] = {make_cfg(ab_a, ab_a, ""), make_cfg(a_ba, a_ba, "")};
    uint64_t digests[6] = {digest_of("ab", "ba", ""), digest_of("ba", "ba", ""),
                           digest_of("ab", "ab", ""), digest_of("ab", "ba", "ba")};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        rnn_dataset *dataset = open_cfg(&cfgs[i]);

        digests[4 + i] = rnn_dataset_get_info(dataset)->digest;
        rnn_dataset_destroy(&dataset);
    }
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(digests[i] != digests[j]);
    assert_true(digests[0] == digest_of("ab", "ba", "ab"));
}

/* -- What is refused ----------------------------------------------------------------------------*/

static void lists_must_pair_up(void **state)
{
    static const char *const none[] = {NULL}, *const one[] = {"a", NULL};
    rnn_dataset_cfg cfg = make_cfg(one, none, "");

    (void)state;
    assert_cfg_refused(&cfg, "dataset.inputs has 1 strings and dataset.targets 0");
    cfg = make_cfg(none, none, "");
    assert_cfg_refused(&cfg, "at least 1");
}

static void pairs_must_have_equal_numbers_of_characters(void **state)
{
    (void)state;
    assert_refused("abc", "ab", "",
                   "dataset.inputs[0] has 3 characters, but dataset.targets[0] has 2");
    assert_refused("\u00e9", "ab", "", "inputs[0] has 1 characters");
    assert_refused("", "", "", "dataset.inputs[0]: expected 1 to 2147483647 characters, found 0");
}

static void characters_outside_the_alphabet_are_named(void **state)
{
    (void)state;
    assert_refused("abx", "aba", "ab",
                   "dataset.inputs[0]: character 2, U+0078 'x', is not in dataset.alphabet");
    assert_refused("aba",
                   "a\u20ac"
                   "a",
                   "ab", "dataset.targets[0]: character 1, U+20AC '\u20ac', is not in");
    assert_refused("a\n", "aa", "a", "character 1, U+000A, is not in");
}

static void the_alphabet_has_every_character_once(void **state)
{
    (void)state;
    assert_refused("a", "a",
                   "ab\u00e9"
                   "b\u00e9",
                   "every character once, found U+0062 'b' at 1 and again at 3");
}

static void invalid_utf8_is_refused(void **state)
{
    static const char *const invalid[] = {
        "a\x80",             /* a continuation alone */
        "a\xC3",             /* cut off */
        "a\xC3z",            /* another byte in its place */
        "a\xE2\x82",         /* cut off later */
        "a\xC0\x80",         /* zero in two bytes */
        "a\xC1\xBF",         /* ASCII in two bytes */
        "a\xE0\x9F\xBF",     /* two bytes' worth in three */
        "a\xF0\x8F\xBF\xBF", /* three bytes' worth in four */
        "a\xED\xA0\x80",     /* a surrogate */
        "a\xF4\x90\x80\x80", /* beyond U+10FFFF */
        "a\xF5\x80\x80\x80",
        "a\xFF",
    };

    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        char part[64];

        snprintf(part, sizeof part, "expected UTF-8, found byte 0x%02x at 1",
                 (unsigned)(unsigned char)invalid[i][1]);
        assert_refused(invalid[i], "ab", "", part);
        assert_refused("ab", invalid[i], "", part);
        assert_refused("ab", "ab", invalid[i], part);
    }
}

/* -- UTF-8 --------------------------------------------------------------------------------------*/

static void every_character_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (uint32_t code = 1; code <= 0x10FFFF; code++) {
        char text[RNN_UTF8_MAX + 1];
        uint32_t decoded;

        if (code >= 0xD800 && code < 0xE000)
            continue;
        rnn_utf8_encode(code, text);
        if (rnn_utf8_decode(text, &decoded) != strlen(text) || decoded != code)
            fail_msg("U+%04X became U+%04X", (unsigned)code, (unsigned)decoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_become_tokens_and_labels),
        cmocka_unit_test(the_alphabet_is_in_order_of_code_points),
        cmocka_unit_test(a_given_alphabet_keeps_its_order_and_size),
        cmocka_unit_test(pairs_may_differ_in_length),
        cmocka_unit_test(a_limit_uses_the_first_pairs),
        cmocka_unit_test(the_digest_depends_on_everything),
        cmocka_unit_test(lists_must_pair_up),
        cmocka_unit_test(pairs_must_have_equal_numbers_of_characters),
        cmocka_unit_test(characters_outside_the_alphabet_are_named),
        cmocka_unit_test(the_alphabet_has_every_character_once),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(every_character_survives_encoding_and_decoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
