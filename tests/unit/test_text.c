#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "datasets/dataset.h"
#include "tests/unit/temporary_folder.h"

enum { MAX_STEPS = 64 };

static const char letters[] = "the quick brown fox jumps over the lazy dog, and then it sleeps.";

enum { N_LETTERS = sizeof letters - 1 };

/* -- Helpers ------------------------------------------------------------------------------------*/

static const char *const search[] = {"."};

static void write_bytes(const char *name, const char *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static rnn_dataset_cfg make_cfg(size_t seq_len, size_t n_streams)
{
    return (rnn_dataset_cfg){.format = "text",
                             .search = search,
                             .n_search = 1,
                             .file = {"t.txt"},
                             .seq_len = seq_len,
                             .n_streams = n_streams};
}

static rnn_dataset *open_cfg(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;

    if (rnn_dataset_open(&dataset, cfg) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return dataset;
}

static rnn_dataset *open_letters(size_t seq_len, size_t n_streams)
{
    rnn_dataset_cfg cfg = make_cfg(seq_len, n_streams);

    write_text("t.txt", letters);
    return open_cfg(&cfg);
}

static void assert_cfg_refused(const rnn_dataset_cfg *cfg, rnn_status status, const char *part)
{
    rnn_dataset *dataset;

    assert_refused(status, rnn_dataset_open(&dataset, cfg), part);
    assert_null(dataset);
}

/* A sample as text, its tokens one after the other; `targets` likewise, or NULL. */
static void read_sample(const rnn_dataset *dataset, rnn_split split, uint64_t sample,
                        char tokens[512], char *targets)
{
    size_t n = rnn_dataset_length(dataset, split, sample);
    int32_t token[MAX_STEPS], label[MAX_STEPS], length;
    const rnn_dataset_slice slice = {.token = token, .label = label, .length = &length};

    assert_true(n <= MAX_STEPS);
    assert_int_equal(rnn_dataset_gather(dataset, split, &sample, 1, 1, n, &slice), RNN_OK);
    assert_int_equal(length, n);
    tokens[0] = '\0';
    if (targets != NULL)
        targets[0] = '\0';
    for (size_t t = 0; t < n; t++) {
        strcat(tokens, rnn_dataset_token_text(dataset, (size_t)token[t]));
        if (targets != NULL)
            strcat(targets, rnn_dataset_token_text(dataset, (size_t)label[t]));
    }
}

static void assert_sample(const rnn_dataset *dataset, rnn_split split, uint64_t sample,
                          const char *tokens, const char *targets)
{
    char found[512], found_targets[512];

    read_sample(dataset, split, sample, found, found_targets);
    assert_string_equal(found, tokens);
    assert_string_equal(found_targets, targets);
}

static size_t count_samples(const rnn_dataset *dataset, rnn_split split)
{
    return rnn_dataset_get_info(dataset)->n_samples[split];
}

static uint64_t digest_of(const rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset = open_cfg(cfg);
    uint64_t digest = rnn_dataset_get_info(dataset)->digest;

    rnn_dataset_destroy(&dataset);
    return digest;
}

/* -- Samples ------------------------------------------------------------------------------------*/

static void info_describes_the_text(void **state)
{
    rnn_dataset *dataset = open_letters(10, 0);
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    (void)state;
    assert_string_equal(info->name, "t.txt");
    assert_string_equal(info->folder, ".");
    assert_true(info->is_expected);
    assert_true(info->is_language);
    assert_false(info->is_strings);
    assert_true(info->has_targets);
    assert_int_equal(info->unit, RNN_UNIT_CHARACTERS);
    assert_int_equal(info->target, RNN_TARGET_STEP_LABEL);
    assert_int_equal(info->n_features, 1);
    assert_int_equal(info->n_tokens, 29); /* all letters, " ", "," and "." */
    assert_int_equal(info->n_classes, 29);
    assert_int_equal(info->n_target_values, 0);
    assert_int_equal(info->n_streams, 0);
    assert_int_equal(info->seq_len, 10);
    assert_int_equal(info->min_len, (N_LETTERS - 1) % 10);
    assert_true(info->is_ragged);
    assert_true(info->bytes_in_memory >= N_LETTERS * sizeof(uint32_t));
    assert_string_equal(rnn_dataset_token_text(dataset, 0), " ");
    assert_string_equal(rnn_dataset_token_text(dataset, 28), "z");
    assert_null(rnn_dataset_token_text(dataset, 29));
    assert_int_equal(rnn_dataset_get_fit(dataset)->n_texts, 29);
    rnn_dataset_destroy(&dataset);
}

/* Together they are the text, the targets the same one token later. */
static void independent_samples_cover_the_text(void **state)
{
    (void)state;
    for (size_t seq_len = 1; seq_len <= MAX_STEPS; seq_len++) {
        rnn_dataset *dataset = open_letters(seq_len, 0);
        size_t n = count_samples(dataset, RNN_SPLIT_TRAIN);
        char all[512] = "", all_targets[512] = "", tokens[512], targets[512];

        assert_int_equal(n, (N_LETTERS - 1 + seq_len - 1) / seq_len);
        for (uint64_t i = 0; i < n; i++) {
            size_t expected = i + 1 < n ? seq_len : N_LETTERS - 1 - i * seq_len;

            assert_int_equal(rnn_dataset_length(dataset, RNN_SPLIT_TRAIN, i), expected);
            read_sample(dataset, RNN_SPLIT_TRAIN, i, tokens, targets);
            strcat(all, tokens);
            strcat(all_targets, targets);
        }
        assert_int_equal(strlen(all), N_LETTERS - 1);
        assert_memory_equal(all, letters, N_LETTERS - 1);
        assert_string_equal(all_targets, letters + 1);
        rnn_dataset_destroy(&dataset);
    }
}

/* Sample k * S + r goes on where sample (k - 1) * S + r ended; together they are S equal runs. */
static void streams_go_on_from_batch_to_batch(void **state)
{
    (void)state;
    for (size_t n_streams = 1; n_streams < N_LETTERS; n_streams++)
        for (size_t seq_len = 1; seq_len <= 9; seq_len += 4) {
            rnn_dataset *dataset = open_letters(seq_len, n_streams);
            size_t run = (N_LETTERS - 1) / n_streams, n_batches = (run + seq_len - 1) / seq_len;

            assert_int_equal(rnn_dataset_get_info(dataset)->n_streams, n_streams);
            assert_int_equal(count_samples(dataset, RNN_SPLIT_TRAIN), n_streams * n_batches);
            for (size_t r = 0; r < n_streams; r++) {
                char all[512] = "", all_targets[512] = "", tokens[512], targets[512];

                for (size_t k = 0; k < n_batches; k++) {
                    read_sample(dataset, RNN_SPLIT_TRAIN, k * n_streams + r, tokens, targets);
                    assert_int_equal(strlen(tokens),
                                     k + 1 < n_batches ? seq_len : run - k * seq_len);
                    strcat(all, tokens);
                    strcat(all_targets, targets);
                }
                assert_int_equal(strlen(all), run);
                assert_memory_equal(all, letters + r * run, run);
                assert_memory_equal(all_targets, letters + r * run + 1, run);
            }
            rnn_dataset_destroy(&dataset);
        }
}

static void samples_beside_each_other_have_padding_behind(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(4, 0);
    int32_t token[5][3], label[5][3], length[3];
    const rnn_dataset_slice slice = {.token = *token, .label = *label, .length = length};
    static const int32_t tokens[5][3] = {
        {0, 0, -1}, {1, 1, -1}, {-1, 2, -1}, {-1, 0, -1}, {-1, -1, -1}};
    static const int32_t labels[5][3] = {
        {1, 1, -1}, {2, 2, -1}, {-1, 0, -1}, {-1, 0, -1}, {-1, -1, -1}};
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "abcaabc");
    dataset = open_cfg(&cfg);
    memset(token, 0x55, sizeof token);
    memset(label, 0x55, sizeof label);
    assert_int_equal(
        rnn_dataset_gather(dataset, RNN_SPLIT_TRAIN, (uint64_t[]){1, 0}, 2, 3, 5, &slice), RNN_OK);
    assert_memory_equal(token, tokens, sizeof tokens);
    assert_memory_equal(label, labels, sizeof labels);
    assert_int_equal(length[0], 2);
    assert_int_equal(length[1], 4);
    assert_int_equal(length[2], 0);
    rnn_dataset_destroy(&dataset);
}

static void characters_may_have_several_bytes(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(3, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "\xEF\xBB\xBF\xC3\xA9\xE2\x82\xAC\r\nx"); /* a mark, e acute, euro sign */
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 5);
    assert_int_equal(count_samples(dataset, RNN_SPLIT_TRAIN), 2);
    assert_sample(dataset, RNN_SPLIT_TRAIN, 0, "\xC3\xA9\xE2\x82\xAC\r", "\xE2\x82\xAC\r\n");
    assert_sample(dataset, RNN_SPLIT_TRAIN, 1, "\n", "x");
    rnn_dataset_destroy(&dataset);
}

static void words_are_tokens(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(3, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "b a b\na b c\n");
    write_text("v.txt", "b d  c");
    cfg.file[RNN_SPLIT_VALID] = "v.txt";
    cfg.unit = RNN_UNIT_WORDS;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->unit, RNN_UNIT_WORDS);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 5);
    assert_string_equal(rnn_dataset_token_text(dataset, 0), "b");
    assert_string_equal(rnn_dataset_token_text(dataset, 4), "<unk>");
    assert_sample(dataset, RNN_SPLIT_TRAIN, 0, "bab", "ab<eos>");
    assert_sample(dataset, RNN_SPLIT_TRAIN, 1, "<eos>ab", "abc");
    assert_sample(dataset, RNN_SPLIT_TRAIN, 2, "c", "<eos>");
    assert_sample(dataset, RNN_SPLIT_VALID, 0, "b<unk>", "<unk>c");
    rnn_dataset_destroy(&dataset);
    cfg.max_words = 1;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 3);
    assert_sample(dataset, RNN_SPLIT_TRAIN, 1, "<eos><unk>b", "<unk>b<unk>");
    rnn_dataset_destroy(&dataset);
    cfg.max_words = 0;
    cfg.min_count = 2;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 4); /* b, a, <eos>, <unk> */
    rnn_dataset_destroy(&dataset);
}

/* -- Splits -------------------------------------------------------------------------------------*/

static void files_are_splits(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(2, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "abab");
    write_text("v.txt", "bac");
    write_text("e.txt", "dd");
    cfg.file[RNN_SPLIT_VALID] = "v.txt";
    cfg.file[RNN_SPLIT_TEST] = "e.txt";
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 4); /* characters of all files */
    assert_int_equal(count_samples(dataset, RNN_SPLIT_TRAIN), 2);
    assert_sample(dataset, RNN_SPLIT_TRAIN, 1, "a", "b");
    assert_int_equal(count_samples(dataset, RNN_SPLIT_VALID), 1);
    assert_sample(dataset, RNN_SPLIT_VALID, 0, "ba", "ac");
    assert_int_equal(count_samples(dataset, RNN_SPLIT_TEST), 1);
    assert_sample(dataset, RNN_SPLIT_TEST, 0, "d", "d");
    rnn_dataset_destroy(&dataset);
}

/* Of 20 tokens 3 are for validation, then 5 for test; no target reaches into another part. */
static void fractions_are_the_end_of_the_text(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(32, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "abcdefghijklmnopqrst");
    cfg.validation = 0.15;
    cfg.test = 0.25;
    dataset = open_cfg(&cfg);
    assert_sample(dataset, RNN_SPLIT_TRAIN, 0, "abcdefghijk", "bcdefghijkl");
    assert_sample(dataset, RNN_SPLIT_VALID, 0, "mn", "no");
    assert_sample(dataset, RNN_SPLIT_TEST, 0, "pqrs", "qrst");
    rnn_dataset_destroy(&dataset);
    cfg.validation = 0;
    cfg.file[RNN_SPLIT_VALID] = "v.txt";
    write_text("v.txt", "xyz");
    dataset = open_cfg(&cfg);
    assert_sample(dataset, RNN_SPLIT_TRAIN, 0, "abcdefghijklmn", "bcdefghijklmno");
    assert_sample(dataset, RNN_SPLIT_VALID, 0, "xy", "yz");
    assert_sample(dataset, RNN_SPLIT_TEST, 0, "pqrs", "qrst");
    rnn_dataset_destroy(&dataset);
}

static void words_of_parts_for_validation_are_not_learned(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(8, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "a b a c d d d d");
    cfg.unit = RNN_UNIT_WORDS;
    cfg.validation = 0.5;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 5);
    assert_sample(dataset, RNN_SPLIT_VALID, 0, "<unk><unk><unk>", "<unk><unk><unk>");
    rnn_dataset_destroy(&dataset);
}

static void the_digest_depends_on_all_that_is_in_use(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(2, 0);
    uint64_t digests[8];
    size_t n = 0;

    (void)state;
    write_text("t.txt", "abc abc");
    write_text("u.txt", "abc acb");
    digests[n++] = digest_of(&cfg);
    assert_true(digest_of(&cfg) == digests[0]);
    cfg.file[RNN_SPLIT_VALID] = "u.txt";
    digests[n++] = digest_of(&cfg);
    cfg.file[RNN_SPLIT_VALID] = "";
    cfg.file[RNN_SPLIT_TEST] = "u.txt";
    digests[n++] = digest_of(&cfg);
    cfg.file[RNN_SPLIT_TRAIN] = "u.txt";
    digests[n++] = digest_of(&cfg);
    cfg.unit = RNN_UNIT_WORDS;
    digests[n++] = digest_of(&cfg);
    cfg.max_words = 1;
    digests[n++] = digest_of(&cfg);
    cfg.max_words = 0;
    cfg.min_count = 1;
    digests[n++] = digest_of(&cfg);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(digests[i] != digests[k]);
}

/* -- A trained model's vocabulary ---------------------------------------------------------------*/

static void a_trained_model_keeps_its_numbers(void **state)
{
    char *names[] = {"b", "a", "c"};
    const rnn_dataset_fit fit = {.texts = names, .n_texts = 3};
    rnn_dataset_cfg cfg = make_cfg(8, 0);
    rnn_dataset *dataset;

    (void)state;
    write_text("t.txt", "abba");
    cfg.fit = &fit;
    dataset = open_cfg(&cfg);
    assert_int_equal(rnn_dataset_get_info(dataset)->n_tokens, 3);
    assert_string_equal(rnn_dataset_token_text(dataset, 0), "b");
    assert_sample(dataset, RNN_SPLIT_TRAIN, 0, "abb", "bba");
    rnn_dataset_destroy(&dataset);
    cfg.file[RNN_SPLIT_TRAIN] = ""; /* new text alone */
    cfg.file[RNN_SPLIT_TEST] = "t.txt";
    dataset = open_cfg(&cfg);
    assert_int_equal(count_samples(dataset, RNN_SPLIT_TRAIN), 0);
    assert_sample(dataset, RNN_SPLIT_TEST, 0, "abb", "bba");
    rnn_dataset_destroy(&dataset);
}

static void a_dataset_opens_again_with_its_own_fit(void **state)
{
    rnn_dataset *first = open_letters(10, 3), *again;
    rnn_dataset_cfg cfg = make_cfg(10, 3);

    (void)state;
    cfg.fit = rnn_dataset_get_fit(first);
    again = open_cfg(&cfg);
    assert_true(rnn_dataset_get_info(first)->digest == rnn_dataset_get_info(again)->digest);
    for (uint64_t i = 0; i < count_samples(first, RNN_SPLIT_TRAIN); i++) {
        char tokens[512], targets[512];

        read_sample(first, RNN_SPLIT_TRAIN, i, tokens, targets);
        assert_sample(again, RNN_SPLIT_TRAIN, i, tokens, targets);
    }
    rnn_dataset_destroy(&first);
    rnn_dataset_destroy(&again);
}

/* -- What is refused ----------------------------------------------------------------------------*/

/* A text and settings that it does not go with. */
typedef struct refusal {
    const char *bytes;
    size_t n_bytes; /* 0: up to the first zero */
    size_t seq_len, n_streams;
    double validation, test;
    rnn_unit unit;
    char *const *names; /* of a trained model */
    const char *part;
} refusal;

static char *const ab[] = {"a", "b", NULL}, *const twice[] = {"a", "b", "a", NULL},
                   *const word[] = {"ab", NULL}, *const lines[] = {"a", "b", "\n", NULL};

static const refusal refusals[] = {
    {"abc", .seq_len = 0, .part = "dataset.seq_len: expected the steps of a sample, found 0"},
    {"", .seq_len = 4, .part = "t.txt: dataset.validation = 0 and dataset.test = 0 of 0 steps"},
    {"\xEF\xBB\xBF", .seq_len = 4, .part = "of 0 steps leave none for 'train'"},
    {"a", .seq_len = 4,
     .part = "t.txt: the train part has 1 tokens: expected at least 2, for a step and what "
             "follows it"},
    {"abc", .seq_len = 4, .n_streams = 3,
     .part = "t.txt: the train part has 3 tokens: expected at least 4, for a step of each of 3 "
             "sequences read side by side (train.batch_size)"},
    {"ab cd", .seq_len = 4, .n_streams = 2, .unit = RNN_UNIT_WORDS,
     .part = "the train part has 2 tokens: expected at least 3"},
    {"abcdefghij", .seq_len = 4, .validation = 0.1, .part = "t.txt: the valid part has 1 tokens"},
    {"abcdefghij", .seq_len = 4, .test = 0.1, .part = "t.txt: the test part has 1 tokens"},
    {"abcdefghij", .seq_len = 4, .test = 0.9, .part = "t.txt: the train part has 1 tokens"},
    {"abcdefghij", .seq_len = 4, .validation = 0.04,
     .part = "t.txt: dataset.validation = 0.04 and dataset.test = 0 of 10 steps leave none for "
             "'valid'"},
    {"abcdefghij", .seq_len = 4, .test = 0.04, .part = "of 10 steps leave none for 'test'"},
    {"abcdefghij", .seq_len = 4, .validation = 0.5, .test = 0.5, .part = "none for 'train'"},
    {"abcdefghij", .seq_len = 4, .validation = 0.9, .test = 0.9, .part = "none for 'train'"},
    {"abcdefghij", .seq_len = 4, .validation = 1.0,
     .part = "dataset.validation: expected a fraction from 0 to below 1, found 1"},
    {"abcdefghij", .seq_len = 4, .test = -0.5, .part = "dataset.test: expected a fraction"},
    {"ab\ncd\n\xC3", .seq_len = 4, .part = "t.txt:3: expected UTF-8, found byte 0xc3 at byte 6"},
    {"ab\n\xE9t\xE9", .seq_len = 4, .unit = RNN_UNIT_WORDS, /* Latin-1 */
     .part = "t.txt:2: expected UTF-8, found byte 0xe9 at byte 3"},
    {"ab\r\nc\0d", .n_bytes = 7, .seq_len = 4,
     .part = "t.txt:2: expected UTF-8, found byte 0x00 at byte 5"},
    {"a\0b\0", .n_bytes = 4, .seq_len = 4, .part = "t.txt:1: expected UTF-8, found byte 0x00"},
    {"ab\nabc", .seq_len = 4, .names = lines,
     .part = "t.txt:2: the character 'c' (U+0063) at byte 5 is not in the model's vocabulary of 3"},
    {"ab\n", .seq_len = 4, .names = ab, .part = "t.txt:1: the character '?' (U+000A) at byte 2"},
    {"ab ab\n", .seq_len = 4, .names = word, .unit = RNN_UNIT_WORDS,
     .part = "t.txt:1: the word '<eos>' at byte 5 is not in the model's vocabulary of 1"},
    {"ab", .seq_len = 4, .names = twice, .part = "the model's vocabulary has 'a' twice"},
    {"ab", .seq_len = 4, .names = word,
     .part = "the model's vocabulary: expected one character, found 'ab'"},
    {"ab", .seq_len = 4, .names = ab, .n_streams = 2, .part = "the train part has 2 tokens"},
};

static void texts_that_do_not_go_with_the_settings_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        rnn_dataset_cfg cfg = make_cfg(r->seq_len, r->n_streams);
        rnn_dataset_fit fit = {.texts = (char **)r->names};

        while (r->names != NULL && r->names[fit.n_texts] != NULL)
            fit.n_texts++;
        cfg.validation = r->validation;
        cfg.test = r->test;
        cfg.unit = r->unit;
        cfg.fit = r->names != NULL ? &fit : NULL;
        write_bytes("t.txt", r->bytes, r->n_bytes > 0 ? r->n_bytes : strlen(r->bytes));
        assert_cfg_refused(&cfg, RNN_ERR_DATA, r->part);
    }
}

static void files_that_do_not_fit_the_settings_are_refused(void **state)
{
    rnn_dataset_cfg cfg = make_cfg(4, 0);

    (void)state;
    assert_cfg_refused(&cfg, RNN_ERR_NOINPUT, "t.txt");
    write_text("t.txt", "abcdef");
    write_text("v.txt", "");
    cfg.file[RNN_SPLIT_VALID] = "v.txt";
    assert_cfg_refused(&cfg, RNN_ERR_DATA, "v.txt: the valid part has 0 tokens");
    write_text("v.txt", "\n\xFF");
    assert_cfg_refused(&cfg, RNN_ERR_DATA, "v.txt:2: expected UTF-8, found byte 0xff at byte 1");
    write_text("v.txt", "abc");
    cfg.n_streams = 3;
    assert_cfg_refused(&cfg, RNN_ERR_DATA, "v.txt: the valid part has 3 tokens: expected at least");
    cfg.n_streams = 0;
    cfg.validation = 0.25;
    assert_cfg_refused(&cfg, RNN_ERR_DATA,
                       "dataset.validation = 0.25 asks for a part of the training samples, but "
                       "there is a file for it, 'v.txt': expected one of the two");
    cfg.validation = 0;
    assert_int_equal(mkdir("e.txt", 0700), 0);
    cfg.file[RNN_SPLIT_TEST] = "e.txt";
    assert_cfg_refused(&cfg, RNN_ERR_NOINPUT, "e.txt': expected a regular file, found a folder");
    cfg.file[RNN_SPLIT_TEST] = "v.txt";
    cfg.file[RNN_SPLIT_VALID] = cfg.file[RNN_SPLIT_TRAIN] = "";
    assert_cfg_refused(&cfg, RNN_ERR_DATA, "expected samples for training, found none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(info_describes_the_text),
        IN_FOLDER(independent_samples_cover_the_text),
        IN_FOLDER(streams_go_on_from_batch_to_batch),
        IN_FOLDER(samples_beside_each_other_have_padding_behind),
        IN_FOLDER(characters_may_have_several_bytes),
        IN_FOLDER(words_are_tokens),
        IN_FOLDER(files_are_splits),
        IN_FOLDER(fractions_are_the_end_of_the_text),
        IN_FOLDER(words_of_parts_for_validation_are_not_learned),
        IN_FOLDER(the_digest_depends_on_all_that_is_in_use),
        IN_FOLDER(a_trained_model_keeps_its_numbers),
        IN_FOLDER(a_dataset_opens_again_with_its_own_fit),
        IN_FOLDER(texts_that_do_not_go_with_the_settings_are_refused),
        IN_FOLDER(files_that_do_not_fit_the_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
