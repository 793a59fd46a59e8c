#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/vocabulary.h"

enum { MAX_TOKENS = 64 };

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_text text_of(const char *bytes)
{
    return (rnn_text){"t.txt", bytes, strlen(bytes)};
}

static void assert_failed(rnn_status found, const char *part)
{
    assert_int_equal(found, RNN_ERR_DATA);
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("'%s' is not in \"%s\"", part, rnn_error_message());
}

/* A vocabulary of what `train` has, and of what `other` has beside it. */
static rnn_vocabulary *learn_both(rnn_unit unit, const char *train, const char *other,
                                  size_t max_words, size_t min_count, uint32_t final[MAX_TOKENS])
{
    const rnn_text texts[2] = {text_of(train), text_of(other)};
    uint32_t numbers[MAX_TOKENS];
    size_t n, count[MAX_TOKENS] = {0};
    rnn_vocabulary *v;

    assert_int_equal(rnn_vocabulary_create(&v, unit), RNN_OK);
    assert_int_equal(rnn_vocabulary_add(v, &texts[0], numbers, MAX_TOKENS, &n), RNN_OK);
    assert_true(n <= MAX_TOKENS);
    for (size_t i = 0; i < n; i++)
        count[numbers[i]]++;
    assert_int_equal(rnn_vocabulary_add(v, &texts[1], numbers, MAX_TOKENS, &n), RNN_OK);
    assert_true(rnn_vocabulary_n_added(v) <= MAX_TOKENS);
    assert_int_equal(rnn_vocabulary_settle(v, count, max_words, min_count, final), RNN_OK);
    return v;
}

static rnn_vocabulary *learn(rnn_unit unit, const char *train)
{
    uint32_t final[MAX_TOKENS];

    return learn_both(unit, train, "", 0, 0, final);
}

/* The names in their order, each behind a "|". */
static void assert_names(const rnn_vocabulary *v, const char *expected)
{
    char found[1024] = "";

    for (size_t i = 0; i < rnn_vocabulary_size(v); i++) {
        size_t used = strlen(found);

        snprintf(found + used, sizeof found - used, "|%s", rnn_vocabulary_name(v, i));
    }
    assert_string_equal(found, expected);
}

static void assert_learned(rnn_unit unit, const char *train, const char *names)
{
    rnn_vocabulary *v = learn(unit, train);

    assert_names(v, names);
    rnn_vocabulary_destroy(&v);
    assert_null(v);
}

/* The names of a text's tokens, each behind a "|". */
static void assert_encoded(const rnn_vocabulary *v, const char *bytes, const char *expected)
{
    const rnn_text text = text_of(bytes);
    uint32_t numbers[MAX_TOKENS];
    char found[1024] = "";
    size_t n;

    assert_int_equal(rnn_vocabulary_encode(v, &text, numbers, MAX_TOKENS, &n), RNN_OK);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(found);

        snprintf(found + used, sizeof found - used, "|%s", rnn_vocabulary_name(v, numbers[i]));
    }
    assert_string_equal(found, expected);
}

static void assert_not_encoded(const rnn_vocabulary *v, const char *bytes, const char *part)
{
    const rnn_text text = text_of(bytes);
    uint32_t numbers[MAX_TOKENS];
    size_t n;

    assert_failed(rnn_vocabulary_encode(v, &text, numbers, MAX_TOKENS, &n), part);
}

static void assert_not_added(rnn_unit unit, const char *bytes, size_t n_bytes, const char *part)
{
    const rnn_text text = {"t.txt", bytes, n_bytes};
    rnn_vocabulary *v;
    size_t n;

    assert_int_equal(rnn_vocabulary_create(&v, unit), RNN_OK);
    assert_failed(rnn_vocabulary_add(v, &text, NULL, 0, &n), part);
    rnn_vocabulary_destroy(&v);
}

static rnn_vocabulary *restore(rnn_unit unit, char *const *names, size_t n)
{
    rnn_vocabulary *v;

    if (rnn_vocabulary_create_from(&v, unit, names, n) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return v;
}

/* -- Characters ---------------------------------------------------------------------------------*/

static void characters_are_code_points_in_order_of_their_codes(void **state)
{
    (void)state;
    /* U+0062, U+00E9, U+20AC, U+10348: one to four bytes */
    assert_learned(RNN_UNIT_CHARACTERS,
                   "\xF0\x90\x8D\x88\xE2\x82\xAC\xC3\xA9"
                   "ba\xC3\xA9",
                   "|a|b|\xC3\xA9|\xE2\x82\xAC|\xF0\x90\x8D\x88");
}

static void line_ends_and_control_characters_are_characters(void **state)
{
    (void)state;
    assert_learned(RNN_UNIT_CHARACTERS, "b\r\na\t\x01\r\n", "|\x01|\t|\n|\r|a|b");
}

static void a_byte_order_mark_is_one_only_at_the_start(void **state)
{
    rnn_vocabulary *v = learn(RNN_UNIT_CHARACTERS, "\xEF\xBB\xBF"
                                                   "ab\xEF\xBB\xBF");

    (void)state;
    assert_names(v, "|a|b|\xEF\xBB\xBF");
    assert_encoded(v,
                   "\xEF\xBB\xBF"
                   "ba",
                   "|b|a");
    assert_encoded(v, "b\xEF\xBB\xBF", "|b|\xEF\xBB\xBF");
    rnn_vocabulary_destroy(&v);
    assert_learned(RNN_UNIT_WORDS, "\xEF\xBB\xBFx y", "|x|y|<eos>|<unk>");
}

static void characters_of_other_parts_are_in_the_vocabulary(void **state)
{
    uint32_t final[MAX_TOKENS];
    rnn_vocabulary *v = learn_both(RNN_UNIT_CHARACTERS, "db", "cda", 1, 5, final);

    (void)state;
    assert_names(v, "|a|b|c|d"); /* the limits are for words */
    assert_int_equal(final[0], 3);
    assert_int_equal(final[1], 1);
    assert_int_equal(final[2], 2);
    assert_int_equal(final[3], 0);
    rnn_vocabulary_destroy(&v);
}

static void what_is_not_utf8_is_named_with_its_place(void **state)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
        const char *part;
    } cases[] = {
        {"ab\nc\xFFx", 6, "t.txt:2: expected UTF-8, found byte 0xff at byte 4"},
        {"\n\n\x80", 3, "t.txt:3: expected UTF-8, found byte 0x80 at byte 2"},
        {"a\xC3", 2, "t.txt:1: expected UTF-8, found byte 0xc3 at byte 1"}, /* cut off */
        {"a\xE2\x82", 3, "t.txt:1: expected UTF-8, found byte 0xe2 at byte 1"},
        {"\xC0\xAF", 2, "t.txt:1: expected UTF-8, found byte 0xc0 at byte 0"},     /* too long */
        {"\xED\xA0\x80", 3, "t.txt:1: expected UTF-8, found byte 0xed at byte 0"}, /* surrogate */
        {"\xF4\x90\x80\x80", 4, "t.txt:1: expected UTF-8, found byte 0xf4 at byte 0"},
        {"a\nb\0c", 5, "t.txt:2: expected UTF-8, found byte 0x00 at byte 3"},
        {"\xFF\xFE"
         "a",
         4, "t.txt:1: expected UTF-8, found byte 0xff at byte 0"}, /* UTF-16 */
        {"a\r\n\r\n\xC3(", 7, "t.txt:3: expected UTF-8, found byte 0xc3 at byte 5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_not_added(RNN_UNIT_CHARACTERS, cases[i].bytes, cases[i].n_bytes, cases[i].part);
        assert_not_added(RNN_UNIT_WORDS, cases[i].bytes, cases[i].n_bytes, cases[i].part);
    }
}

static void an_empty_text_has_no_tokens(void **state)
{
    static const char *const empty[] = {"", "\xEF\xBB\xBF"};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int unit = RNN_UNIT_CHARACTERS; unit <= RNN_UNIT_WORDS; unit++) {
            const rnn_text text = text_of(empty[i]);
            rnn_vocabulary *v;
            size_t n = 7;

            assert_int_equal(rnn_vocabulary_create(&v, (rnn_unit)unit), RNN_OK);
            assert_int_equal(rnn_vocabulary_add(v, &text, NULL, 0, &n), RNN_OK);
            assert_int_equal(n, 0);
            assert_int_equal(rnn_vocabulary_n_added(v), 0);
            rnn_vocabulary_destroy(&v);
        }
}

/* -- Words --------------------------------------------------------------------------------------*/

static void words_are_ordered_by_frequency_and_then_by_bytes(void **state)
{
    (void)state;
    /* 3 times b, 2 times a, c and the end of a line, once the others */
    assert_learned(RNN_UNIT_WORDS, "b c a \xC3\xA9 b\nB a\t\tc  b\r\n",
                   "|b|<eos>|a|c|B|\xC3\xA9|<unk>");
}

static void white_space_separates_words_and_lines_end_in_eos(void **state)
{
    rnn_vocabulary *v = learn(RNN_UNIT_WORDS, "x y");

    (void)state;
    assert_encoded(v, " x\ty\vx\fy\r\n\n  y", "|x|y|x|y|<eos>|<eos>|y");
    assert_encoded(v, "\n", "|<eos>");
    assert_encoded(v, "x\n", "|x|<eos>");
    assert_encoded(v, "  \t ", "");
    assert_encoded(v, "x,y x", "|<unk>|x");
    rnn_vocabulary_destroy(&v);
}

static void special_words_are_there_in_any_case(void **state)
{
    (void)state;
    assert_learned(RNN_UNIT_WORDS, "x", "|x|<eos>|<unk>");
    assert_learned(RNN_UNIT_WORDS, "<unk> <unk> x", "|<unk>|x|<eos>"); /* as in texts of others */
    assert_learned(RNN_UNIT_WORDS, "", "|<eos>|<unk>");
}

static void only_frequent_words_get_a_number(void **state)
{
    static const char train[] = "a a a b b c c d\n\n\n\n";
    static const struct {
        size_t max_words, min_count;
        const char *names;
    } cases[] = {
        {0, 0, "|<eos>|a|b|c|d|<unk>"}, {2, 0, "|<eos>|a|b|<unk>"}, {0, 2, "|<eos>|a|b|c|<unk>"},
        {1, 3, "|<eos>|a|<unk>"},       {9, 4, "|<eos>|<unk>"},     {4, 1, "|<eos>|a|b|c|d|<unk>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t final[MAX_TOKENS];
        rnn_vocabulary *v =
            learn_both(RNN_UNIT_WORDS, train, "", cases[i].max_words, cases[i].min_count, final);

        assert_names(v, cases[i].names);
        assert_string_equal(rnn_vocabulary_name(v, final[0]), /* a, the first word */
                            cases[i].min_count > 3 ? "<unk>" : "a");
        assert_string_equal(rnn_vocabulary_name(v, final[4]), "<eos>");
        rnn_vocabulary_destroy(&v);
    }
}

static void words_of_other_parts_are_unknown(void **state)
{
    uint32_t final[MAX_TOKENS];
    rnn_vocabulary *v = learn_both(RNN_UNIT_WORDS, "b a", "c a\nc c", 0, 0, final);

    (void)state;
    assert_names(v, "|a|b|<eos>|<unk>");
    assert_int_equal(final[0], 1);
    assert_int_equal(final[1], 0);
    assert_int_equal(final[2], 3); /* c */
    assert_int_equal(final[3], 2); /* the end of the line, though only the other text has one */
    rnn_vocabulary_destroy(&v);
}

static void words_too_long_for_a_checkpoint_are_unknown(void **state)
{
    char train[2 * RNN_VOCABULARY_MAX_WORD + 8] = "";
    rnn_vocabulary *v;

    (void)state;
    memset(train, 'x', RNN_VOCABULARY_MAX_WORD);
    v = learn(RNN_UNIT_WORDS, train);
    assert_int_equal(rnn_vocabulary_size(v), 3);
    assert_string_equal(rnn_vocabulary_name(v, 0), train);
    rnn_vocabulary_destroy(&v);
    strcat(train, "x a a");
    v = learn(RNN_UNIT_WORDS, train);
    assert_names(v, "|a|<unk>|<eos>"); /* it occurs once */
    assert_encoded(v, train, "|<unk>|a|a");
    rnn_vocabulary_destroy(&v);
    /* 86 characters of 3 bytes are 258 bytes */
    train[0] = '\0';
    for (size_t i = 0; i < 86; i++)
        strcat(train, "\xE2\x82\xAC");
    assert_learned(RNN_UNIT_WORDS, train, "|<unk>|<eos>");
}

/* -- Room ---------------------------------------------------------------------------------------*/

static void tokens_beyond_the_room_are_counted_only(void **state)
{
    const rnn_text text = text_of("abcab");
    uint32_t numbers[4] = {9, 9, 9, 9};
    rnn_vocabulary *v;
    size_t n;

    (void)state;
    assert_int_equal(rnn_vocabulary_create(&v, RNN_UNIT_CHARACTERS), RNN_OK);
    assert_int_equal(rnn_vocabulary_add(v, &text, numbers, 3, &n), RNN_OK);
    assert_int_equal(n, 5);
    assert_int_equal(rnn_vocabulary_n_added(v), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(numbers[i], i); /* as they turned up */
    assert_int_equal(numbers[3], 9);
    rnn_vocabulary_destroy(&v);
    v = learn(RNN_UNIT_CHARACTERS, "cba");
    assert_int_equal(rnn_vocabulary_encode(v, &text, numbers, 2, &n), RNN_OK);
    assert_int_equal(n, 5);
    assert_int_equal(numbers[0], 0);
    assert_int_equal(numbers[1], 1);
    assert_int_equal(numbers[2], 2); /* from before */
    rnn_vocabulary_destroy(&v);
}

/* More than the first room of the list. */
static void many_words_are_all_found(void **state)
{
    enum { N = 5000 };
    char *bytes = malloc(N * 8), *at = bytes;
    uint32_t *numbers = calloc(N, sizeof *numbers), *final = calloc(N, sizeof *final);
    size_t *count = calloc(N, sizeof *count), n;
    rnn_vocabulary *v;

    (void)state;
    assert_true(bytes != NULL && numbers != NULL && final != NULL && count != NULL);
    for (int i = 0; i < N; i++) /* every number below N once: 7 and N have no common factor */
        at += sprintf(at, "w%04d ", i * 7 % N);
    const rnn_text text = {"t.txt", bytes, (size_t)(at - bytes)};
    assert_int_equal(rnn_vocabulary_create(&v, RNN_UNIT_WORDS), RNN_OK);
    assert_int_equal(rnn_vocabulary_add(v, &text, numbers, N, &n), RNN_OK);
    assert_int_equal(n, N);
    assert_int_equal(rnn_vocabulary_n_added(v), N);
    for (size_t i = 0; i < N; i++)
        count[numbers[i]]++;
    assert_int_equal(rnn_vocabulary_settle(v, count, 0, 0, final), RNN_OK);
    assert_int_equal(rnn_vocabulary_size(v), N + 2);
    for (uint32_t i = 0; i < N; i++) {
        char name[8];

        snprintf(name, sizeof name, "w%04d", (int)(i * 7 % N));
        assert_int_equal(final[numbers[i]], i * 7 % N);
        assert_string_equal(rnn_vocabulary_name(v, final[numbers[i]]), name);
    }
    rnn_vocabulary_destroy(&v);
    free(bytes);
    free(numbers);
    free(final);
    free(count);
}

/* -- A trained model's --------------------------------------------------------------------------*/

/* A vocabulary, made again of its names, gives every text the same numbers. */
static void assert_restored(rnn_unit unit, const char *train)
{
    const rnn_text text = text_of(train);
    rnn_vocabulary *v = learn(unit, train), *again;
    char *names[MAX_TOKENS];
    uint32_t numbers[MAX_TOKENS], others[MAX_TOKENS];
    size_t n, n_others;

    for (size_t i = 0; i < rnn_vocabulary_size(v); i++)
        names[i] = strdup(rnn_vocabulary_name(v, i));
    again = restore(unit, names, rnn_vocabulary_size(v));
    assert_int_equal(rnn_vocabulary_size(again), rnn_vocabulary_size(v));
    for (size_t i = 0; i < rnn_vocabulary_size(v); i++) {
        assert_string_equal(rnn_vocabulary_name(again, i), names[i]);
        free(names[i]);
    }
    assert_int_equal(rnn_vocabulary_encode(v, &text, numbers, MAX_TOKENS, &n), RNN_OK);
    assert_int_equal(rnn_vocabulary_encode(again, &text, others, MAX_TOKENS, &n_others), RNN_OK);
    assert_int_equal(n, n_others);
    assert_memory_equal(numbers, others, n * sizeof *numbers);
    rnn_vocabulary_destroy(&v);
    rnn_vocabulary_destroy(&again);
}

static void names_make_the_same_vocabulary_again(void **state)
{
    (void)state;
    assert_restored(RNN_UNIT_CHARACTERS, "to be\r\n\tor not \xE2\x82\xAC\x01 \xF0\x90\x8D\x88");
    assert_restored(RNN_UNIT_CHARACTERS, "a\xEF\xBB\xBF"); /* U+FEFF in the middle */
    assert_restored(RNN_UNIT_WORDS, "to be\nor not to be \xC3\xA9t\xC3\xA9\n");
    assert_restored(RNN_UNIT_WORDS, "a \xEF\xBB\xBF"
                                    "b \xEF\xBB\xBF");
    assert_restored(RNN_UNIT_WORDS, "");
}

static void names_keep_the_order_they_are_given_in(void **state)
{
    char *const names[] = {"b", "\xC3\xA9", "a"};
    rnn_vocabulary *v = restore(RNN_UNIT_CHARACTERS, names, 3);

    (void)state;
    assert_names(v, "|b|\xC3\xA9|a");
    assert_encoded(v,
                   "a\xC3\xA9"
                   "b",
                   "|a|\xC3\xA9|b");
    rnn_vocabulary_destroy(&v);
}

static void names_that_are_no_vocabulary_are_refused(void **state)
{
    static char long_word[RNN_VOCABULARY_MAX_WORD + 2];
    const struct {
        rnn_unit unit;
        char *names[3];
        size_t n;
        const char *part;
    } cases[] = {
        {RNN_UNIT_CHARACTERS, {"a", "b", "a"}, 3, "the model's vocabulary has 'a' twice"},
        {RNN_UNIT_CHARACTERS, {"\xC3\xA9", "\xC3\xA9"}, 2, "has '\xC3\xA9' twice"},
        {RNN_UNIT_CHARACTERS, {"a", "bc"}, 2, "expected one character, found 'bc'"},
        {RNN_UNIT_CHARACTERS, {"a", ""}, 2, "expected one character, found ''"},
        {RNN_UNIT_CHARACTERS, {"\x1b[2J"}, 1, "expected one character, found '?[2J'"},
        {RNN_UNIT_CHARACTERS, {"a", "\xFF"}, 2, "expected UTF-8, found byte 0xff"},
        {RNN_UNIT_WORDS, {"to", "be", "to"}, 3, "the model's vocabulary has 'to' twice"},
        {RNN_UNIT_WORDS, {"<unk>", "<unk>"}, 2, "has '<unk>' twice"},
        {RNN_UNIT_WORDS, {"to be"}, 1, "expected one word, found 'to be'"},
        {RNN_UNIT_WORDS, {"to", ""}, 2, "expected one word, found ''"},
        {RNN_UNIT_WORDS, {" to"}, 1, "expected one word, found ' to'"},
        {RNN_UNIT_WORDS, {"to "}, 1, "expected one word, found 'to '"},
        {RNN_UNIT_WORDS, {"\n"}, 1, "expected one word, found '?'"},
        {RNN_UNIT_WORDS, {"t\xC3"}, 1, "expected UTF-8, found byte 0xc3"},
        {RNN_UNIT_WORDS, {long_word}, 1, "expected one word, found 'xxx"},
    };

    (void)state;
    memset(long_word, 'x', sizeof long_word - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_vocabulary *v;

        assert_failed(rnn_vocabulary_create_from(&v, cases[i].unit, cases[i].names, cases[i].n),
                      cases[i].part);
        assert_null(v);
    }
}

static void unknown_characters_are_named_with_their_place(void **state)
{
    char *const names[] = {"a", "b", "\n"}, *const letters[] = {"a"};
    rnn_vocabulary *v = restore(RNN_UNIT_CHARACTERS, names, 3);

    (void)state;
    assert_not_encoded(v, "ab\nac",
                       "t.txt:2: the character 'c' (U+0063) at byte 4 is not in the model's "
                       "vocabulary of 3");
    assert_not_encoded(v, "\n\n\xE2\x82\xAC",
                       "t.txt:3: the character '\xE2\x82\xAC' (U+20AC) at byte 2 is not");
    assert_not_encoded(v, "\x1b", "t.txt:1: the character '?' (U+001B) at byte 0 is not");
    rnn_vocabulary_destroy(&v);
    v = restore(RNN_UNIT_CHARACTERS, letters, 1);
    assert_not_encoded(v, "aa\n", "t.txt:1: the character '?' (U+000A) at byte 2 is not");
    rnn_vocabulary_destroy(&v);
}

static void unknown_words_need_a_word_for_them(void **state)
{
    char *const names[] = {"to", "be"}, *const all[] = {"<unk>", "to"};
    rnn_vocabulary *v = restore(RNN_UNIT_WORDS, names, 2);
    char text[128] = "to\xC2\xA0";

    (void)state;
    assert_encoded(v, "to be be", "|to|be|be");
    assert_not_encoded(v, "to  or",
                       "t.txt:1: the word 'or' at byte 4 is not in the model's "
                       "vocabulary of 2");
    assert_not_encoded(v, "to\n", "t.txt:1: the word '<eos>' at byte 2 is not");
    memset(text + 4, 'x', 100);
    assert_not_encoded(v, text, "xxx...' at byte 0 is not");
    rnn_vocabulary_destroy(&v);
    v = restore(RNN_UNIT_WORDS, all, 2);
    assert_encoded(v, "to be\nto", "|to|<unk>|<unk>|to");
    rnn_vocabulary_destroy(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_code_points_in_order_of_their_codes),
        cmocka_unit_test(line_ends_and_control_characters_are_characters),
        cmocka_unit_test(a_byte_order_mark_is_one_only_at_the_start),
        cmocka_unit_test(characters_of_other_parts_are_in_the_vocabulary),
        cmocka_unit_test(what_is_not_utf8_is_named_with_its_place),
        cmocka_unit_test(an_empty_text_has_no_tokens),
        cmocka_unit_test(words_are_ordered_by_frequency_and_then_by_bytes),
        cmocka_unit_test(white_space_separates_words_and_lines_end_in_eos),
        cmocka_unit_test(special_words_are_there_in_any_case),
        cmocka_unit_test(only_frequent_words_get_a_number),
        cmocka_unit_test(words_of_other_parts_are_unknown),
        cmocka_unit_test(words_too_long_for_a_checkpoint_are_unknown),
        cmocka_unit_test(tokens_beyond_the_room_are_counted_only),
        cmocka_unit_test(many_words_are_all_found),
        cmocka_unit_test(names_make_the_same_vocabulary_again),
        cmocka_unit_test(names_keep_the_order_they_are_given_in),
        cmocka_unit_test(names_that_are_no_vocabulary_are_refused),
        cmocka_unit_test(unknown_characters_are_named_with_their_place),
        cmocka_unit_test(unknown_words_need_a_word_for_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
