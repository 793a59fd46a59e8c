/*
 * Configurations that must be refused: every key of the table with a wrong type, out of its bounds
 * and in the wrong place, made from the table, and many by hand. Each is refused with the exit
 * status 64 or 65, its place (file:line:column, or --set KEY) and a reason.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <stdbool.h>

#include "framework/config.h"
#include "framework/config_keys.h"
#include "framework/layer_args.h"
#include "framework/model.h"
#include "kernels/memory.h"

enum { MAX_TEXT = 4096 };

#define DATASET   "[dataset]\nsearch = [\"data\"]\n"
#define LAYERS    "[[layer]]\ntype = \"lstm\"\nhidden_size = 8\n[[layer]]\ntype = \"select\"\n"
#define OPTIMIZER "[optimizer]\ntype = \"sgd\"\n"
#define MINIMAL   DATASET LAYERS OPTIMIZER /* 9 lines */

static size_t n_refused;

static bool has_place_in_file(const char *message)
{
    int line = 0, column = 0, used = 0;

    return sscanf(message, "bad.toml:%d:%d: %n", &line, &column, &used) == 2 && line >= 1 &&
           column >= 1 && used > 0 && message[used] != '\0';
}

/* Refused, with a place; all of the message that is expected, or NULL. */
static void assert_bad(const char *text, size_t length, const char *override, const char *expected)
{
    rnn_config config;
    rnn_status st =
        rnn_config_parse(&config, text, length, "bad.toml", &override, override != NULL);
    const char *message = rnn_error_message();

    if (st != RNN_ERR_DATA && st != RNN_ERR_USAGE)
        fail_msg("%s\n--set %s: %s", text, override != NULL ? override : "",
                 st == RNN_OK ? "is accepted" : message);
    if (override != NULL ? strncmp(message, "--set ", 6) != 0 : !has_place_in_file(message))
        fail_msg("no place in \"%s\"", message);
    if (expected != NULL)
        assert_string_equal(message, expected);
    rnn_config_free(&config);
    n_refused++;
}

/* -- Made from the table of keys --------------------------------------------------------------- */

/* A configuration in which the key is asked for: with the right type in its table. */
static void print_base(const rnn_config_key *key, const char *value, char text[MAX_TEXT])
{
    const rnn_config_key *decider = rnn_config_key_decider(key);
    unsigned types = rnn_config_key_types(key);
    const char *type = "";
    int n_table = (int)rnn_config_key_table_length(key);
    bool is_layer = rnn_config_key_is_layer(key), decides = decider == key;

    for (unsigned t = 0; !decides && types != 0 && type[0] == '\0'; t++)
        if ((types >> t & 1u) != 0)
            type = decider->choices[t];
    if (is_layer)
        snprintf(text, MAX_TEXT, "[[layer]]\n%s%s%s%s = %s\n", type[0] != '\0' ? "type = \"" : "",
                 type, type[0] != '\0' ? "\"\n" : "", rnn_config_key_name(key), value);
    else
        snprintf(text, MAX_TEXT, "[%.*s]\n%s%s%s%s%s = %s\n", n_table, key->path,
                 type[0] != '\0' ? rnn_config_key_name(decider) : "",
                 type[0] != '\0' ? " = \"" : "", type, type[0] != '\0' ? "\"\n" : "",
                 rnn_config_key_name(key), value);
}

/* The key with this value: the reason must name it and begin with what was expected. */
static void assert_key_refuses(const rnn_config_key *key, const char *value)
{
    char text[MAX_TEXT], path[128], wanted[64];
    const char *brackets = strstr(key->path, "[]");

    print_base(key, value, text);
    assert_bad(text, strlen(text), NULL, NULL);
    snprintf(path, sizeof path, "%.*s%s%s",
             (int)(brackets != NULL ? (size_t)(brackets - key->path) : strlen(key->path)),
             key->path, brackets != NULL ? "[0]" : "", brackets != NULL ? brackets + 2 : "");
    snprintf(wanted, sizeof wanted, "%s", "expected ");
    if (strstr(rnn_error_message(), path) == NULL || strstr(rnn_error_message(), wanted) == NULL)
        fail_msg("%s\nno %s or no '%s' in \"%s\"", text, path, wanted, rnn_error_message());
}

static const char *const values_of_all_types[] = {"\"no such thing\"", "7",      "0.5",    "true",
                                                  "2000-01-02",        "[1, 2]", "{a = 1}"};

/* Whether a value of this index is of a type that the key might take. */
static bool may_fit(const rnn_config_key *key, size_t i)
{
    enum { STRING, INTEGER, FLOAT, BOOLEAN };

    switch (key->type) {
    case RNN_KEY_INTEGER:
        return i == INTEGER;
    case RNN_KEY_NUMBER:
        return i == INTEGER || i == FLOAT;
    case RNN_KEY_BOOLEAN:
        return i == BOOLEAN;
    case RNN_KEY_STRING:
        return i == STRING;
    case RNN_KEY_CHOICE: /* but none of them is "no such thing" */
    case RNN_KEY_INIT:
    case RNN_KEY_LIST:
        break;
    }
    return false;
}

static void every_key_refuses_every_wrong_type(void **state)
{
    size_t before = n_refused;

    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++)
        for (size_t i = 0; i < sizeof values_of_all_types / sizeof *values_of_all_types; i++)
            if (!may_fit(&rnn_config_keys[k], i))
                assert_key_refuses(&rnn_config_keys[k], values_of_all_types[i]);
    print_message("%zu configurations\n", n_refused - before);
    assert_true(n_refused - before > 600);
}

static void every_number_refuses_what_is_out_of_bounds(void **state)
{
    char value[64];
    size_t before = n_refused;

    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        bool is_integer = key->type == RNN_KEY_INTEGER;

        if (!is_integer && key->type != RNN_KEY_NUMBER)
            continue;
        if (isfinite(key->min) && key->min > -9e18) {
            snprintf(value, sizeof value, is_integer ? "%.0f" : "%.6f", key->min - 1);
            assert_key_refuses(key, value);
        }
        if (isfinite(key->max)) {
            snprintf(value, sizeof value, is_integer ? "%.0f" : "%.6f", key->max + 1);
            assert_key_refuses(key, value);
        }
        if (key->below_max) {
            snprintf(value, sizeof value, "%.1f", key->max);
            assert_key_refuses(key, value);
        }
        if (!is_integer) {
            assert_key_refuses(key, "nan");
            assert_key_refuses(key, "inf");
            assert_key_refuses(key, "-inf");
        }
    }
    print_message("%zu configurations\n", n_refused - before);
    assert_true(n_refused - before > 100);
}

static void strings_and_lists_refuse_what_is_too_short(void **state)
{
    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];

        if (key->type == RNN_KEY_STRING && key->min >= 1)
            assert_key_refuses(key, "\"\"");
        if (key->type == RNN_KEY_LIST && key->min >= 1)
            assert_key_refuses(key, "[]");
        if (key->type == RNN_KEY_LIST) {
            assert_key_refuses(key, "[\"a\", \"\"]");
            assert_key_refuses(key, "[[\"a\"]]");
        }
    }
}

/* The same through --set, where a wrong place is a wrong key. */
static void every_key_refuses_wrong_values_of_overrides(void **state)
{
    char override[256], name[128];
    rnn_config config;

    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        const char *rest = rnn_config_key_is_layer(key) ? strchr(key->path, '.') : NULL;

        if (rest != NULL)
            snprintf(name, sizeof name, "layer.0%s", rest);
        else
            snprintf(name, sizeof name, "%s", key->path);
        snprintf(override, sizeof override, "%s={a = 1}", name);
        assert_bad(MINIMAL, strlen(MINIMAL), override, NULL);
        assert_non_null(strstr(rnn_error_message(), name));
        snprintf(override, sizeof override, "%sx=1", name);
        assert_bad(MINIMAL, strlen(MINIMAL), override, NULL);
        assert_non_null(strstr(rnn_error_message(), "unknown key"));
    }
    for (size_t i = 0; i < 2; i++) { /* and nothing of it is left over */
        assert_int_equal(rnn_config_parse(&config, MINIMAL, strlen(MINIMAL), "good.toml", NULL, 0),
                         RNN_OK);
        rnn_config_free(&config);
    }
}

/* A key twice, and one letter of it wrong. */
static void every_key_is_refused_twice_and_misspelt(void **state)
{
    char text[MAX_TEXT], again[2 * MAX_TEXT];

    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        const char *value = key->fallback != NULL ? key->fallback : "1";

        print_base(key, value, text);
        snprintf(again, sizeof again, "%s%s = %s\n", text, rnn_config_key_name(key), value);
        assert_bad(again, strlen(again), NULL, NULL);
        snprintf(again, sizeof again, "%.*s[%.*s]\n%sq = %s\n", 0, "",
                 rnn_config_key_is_layer(key) ? 3 : (int)rnn_config_key_table_length(key),
                 rnn_config_key_is_layer(key) ? "run" : key->path, rnn_config_key_name(key), value);
        assert_bad(again, strlen(again), NULL, NULL);
        assert_non_null(strstr(rnn_error_message(), "unknown key"));
    }
}

/* -- By hand ----------------------------------------------------------------------------------- */

#define AT(place)    "bad.toml:" place
#define PLACE(place) AT(place) ": "

static void wrong_texts_are_refused(void **state)
{
    static const struct {
        const char *text, *message; /* the beginning */
    } cases[] = {
        {"", "bad.toml:"},
        {"\n\n", "bad.toml:"},
        {"# nothing\n", "bad.toml:"},
        {DATASET LAYERS, "bad.toml:"},
        {DATASET OPTIMIZER, "bad.toml:"},
        {LAYERS OPTIMIZER, "bad.toml:"},
        {MINIMAL "[run]\nname = \"a/b\"\n", PLACE("11:1") "run.name: "},
        {MINIMAL "[run]\nname = \"..\"\n", PLACE("11:1") "run.name: "},
        {MINIMAL "[run]\nseed = -1\n",
         PLACE("11:1") "run.seed: expected an integer (0..), found -1"},
        {MINIMAL "[run]\nseed = 9223372036854775808\n", AT("11:")},
        {MINIMAL "[run]\nepochs = 1e999\n", PLACE("11:15") "Error while parsing floating-point"},
        {MINIMAL "[run]\nepochs = 4294967296\n", PLACE("11:1") "run.epochs: expected an integer"},
        {MINIMAL "lr = 1e999\n", PLACE("10:11") "Error while parsing floating-point"},
        {MINIMAL "lr = nan\n", PLACE("10:1") "optimizer.lr: expected a number"},
        {MINIMAL "lr = -0.1\n", PLACE("10:1") "optimizer.lr: expected a number"},
        {MINIMAL "beta1 = 0.5\n", PLACE("10:1") "optimizer.beta1: "},
        {MINIMAL "[run]\nsead = 1\n",
         PLACE("11:1") "run.sead: unknown key; did you mean run.seed?"},
        {MINIMAL "[rnu]\nseed = 1\n", PLACE("10:2") "rnu: unknown key; did you mean run?"},
        {MINIMAL "[dataset]\n", AT("10:")},
        {MINIMAL "[run]\nseed = 1\nseed = 2\n", AT("12:")},
        {MINIMAL "[run\n", AT("10:")},
        {MINIMAL "[run]\nseed = \n", AT("11:")},
        {MINIMAL "[run]\nseed\n", AT("11:")},
        {MINIMAL "[run]\n= 1\n", AT("11:")},
        {MINIMAL "[run]\nname = \"x\n", AT("11:")},
        {MINIMAL "[run]\nname = 'x", AT("11:")},
        {MINIMAL "[run]\nname = \"\"\"x\n\n", AT("1")},
        {MINIMAL "[run]\nname = \"\\q\"\n", AT("11:")},
        {MINIMAL "[run]\nname = \"\\u0000\"\n", PLACE("11:1") "string with a zero byte"},
        {MINIMAL "[run]\nseed = 01\n", AT("11:")},
        {MINIMAL "[run]\nseed = 1_\n", AT("11:")},
        {MINIMAL "[run]\nseed = 0x\n", AT("11:")},
        {MINIMAL "[run]\nseed = 1.\n", AT("11:")},
        {MINIMAL "[run]\nseed = .5\n", AT("11:")},
        {MINIMAL "[run]\nseed = True\n", AT("11:")},
        {MINIMAL "[run]\nseed = 1 2\n", AT("11:")},
        {MINIMAL "[run]\nseed = 1979-13-01\n", AT("11:")},
        {MINIMAL "[run]\nseed = [1\n", AT("1")},
        {MINIMAL "[run]\nseed = {a = 1\n", AT("11:")},
        {MINIMAL "[run]\rseed = 1\n", AT("10:")},
        {MINIMAL "run = 1\n", PLACE("10:1") "optimizer.run: unknown key"},
        {"run = 1\n" MINIMAL, PLACE("1:1") "run: expected a table, found 1"},
        {"layer = 1\n", PLACE("1:1") "layer: expected [[layer]] tables, found 1"},
        {"[layer]\ntype = \"lstm\"\n",
         PLACE("1:2") "layer: expected [[layer]] tables, found a table"},
        {"layer = [1]\n", AT("1:")},
        {"layer = [[]]\n", AT("1:")},
        {"[[run]]\nseed = 1\n", PLACE("1:3") "run: expected a table, found an array"},
        {"[run.seed]\na = 1\n", AT("1:")},
        {"[run.seed.deep]\n", AT("1:")},
        {"\"run\".\"se ed\" = 1\n", AT("1:")},
        {"'' = 1\n", PLACE("1:1") "\"\": unknown key"},
        {"\"run.seed\" = 1\n", PLACE("1:1") "\"run.seed\": unknown key"},
        {MINIMAL "[[layer]]\n", PLACE("10:1") "layer[2]: type is missing, expected one of"},
        {MINIMAL "[[layer]]\ntype = \"lstn\"\n", PLACE("11:1") "layer[2].type: expected one of"},
        {MINIMAL "[[layer]]\ntype = \"gru\"\n", PLACE("10:1") "layer[2]: hidden_size is missing"},
        {MINIMAL "[[layer]]\ntype = \"gru\"\nhidden_size = 0\n",
         PLACE("12:1") "layer[2].hidden_size"},
        {MINIMAL "[[layer]]\ntype = \"gru\"\nhidden_size = 16777217\n",
         PLACE("12:1") "layer[2].hidden_size: expected an integer (1..16777216), found 16777217"},
        {MINIMAL "[[layer]]\ntype = \"linear\"\n",
         PLACE("10:1") "layer[2]: out_features is missing"},
        {MINIMAL "[[layer]]\ntype = \"linear\"\nout_features = 0\n",
         PLACE("12:1") "layer[2].out_features: expected"},
        {MINIMAL "[[layer]]\ntype = \"dropout\"\np = 1.0\n", PLACE("12:1") "layer[2].p: expected"},
        {MINIMAL "[[layer]]\ntype = \"select\"\nhidden_size = 3\n", PLACE("12:1")},
        {MINIMAL "[parallel]\nshards = 3\n", PLACE("11:1") "parallel.shards: "},
        {MINIMAL "[train]\nbatch_size = 0\n", PLACE("11:1") "train.batch_size: expected"},
        {MINIMAL "[train]\nbatch_size = 9223372036854775807\n", PLACE("11:1") "train.batch_size: "},
        {MINIMAL "[loss]\ntype = \"mse\"\n[checkpoint]\nbest = \"accuracy\"\n", PLACE("13:1")},
        {MINIMAL "[loss]\nbeta = 0.5\n", PLACE("11:1") "loss.beta: "},
        {MINIMAL "[schedule]\ngamma = 0.5\n", PLACE("11:1") "schedule.gamma: "},
        {"[dataset]\nsearch = []\n", PLACE("2:1") "dataset.search: expected"},
        {"[dataset]\nsearch = [1]\n",
         PLACE("2:1") "dataset.search: expected a list of 1 to 64 strings"},
        {"[dataset]\nformat = \"mnist\"\n", PLACE("2:1") "dataset.format: expected one of"},
        {"[dataset]\nformat = \"csv\"\ntrain_images = \"x\"\n", "bad.toml:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_config config;

        assert_int_equal(
            rnn_config_parse(&config, cases[i].text, strlen(cases[i].text), "bad.toml", NULL, 0),
            RNN_ERR_DATA);
        if (strncmp(rnn_error_message(), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s\n\"%s\" does not begin with \"%s\"", cases[i].text, rnn_error_message(),
                     cases[i].message);
        rnn_config_free(&config);
    }
}

static void the_last_line_need_not_end(void **state)
{
    static const char text[] = MINIMAL "[run]\nseed = 7";
    rnn_config config;

    (void)state;
    assert_int_equal(rnn_config_parse(&config, text, strlen(text), "t", NULL, 0), RNN_OK);
    assert_int_equal(config.run.seed, 7);
    rnn_config_free(&config);
}

static void wrong_bytes_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *message;
    } cases[] = {
        {"a = 'x\xFF'\n", 9, AT("1:")},
        {"a = '\xC0\x80'\n", 9, AT("1:")},
        {"a = '\xED\xA0\x80'\n", 10, AT("1:")},
        {"a = '\xF4\x90\x80\x80'\n", 11, AT("1:")},
        {"a = 1\0\n", 7, AT("1:")},
        {"\0", 1, AT("1:")},
        {"a = 'x\0y'\n", 10, AT("1:")},
        {"# \0\n", 4, AT("1:")},
        {"a = '\x07'\n", 8, AT("1:")},
        {"a = '\x7F'\n", 8, AT("1:")},
        {"\xFF\xFE[\0r\0", 6, PLACE("1:1")},
        {"\xFE\xFF\0[", 4, PLACE("1:1")},
        {"a = 1\n\xEF\xBB\xBF"
         "b = 1\n",
         15, PLACE("2:1")},
        {"\xEF\xBB\xBF[run]\nseed = 'x'\n", 20, PLACE("2:1") "run.seed: "},
        {"[run]\r\nseed = 'x'\r\n", 19, PLACE("2:1") "run.seed: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_bad(cases[i].text, cases[i].length, NULL, NULL);
        if (strncmp(rnn_error_message(), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("case %zu: \"%s\" does not begin with \"%s\"", i, rnn_error_message(),
                     cases[i].message);
    }
}

static void wrong_overrides_are_refused(void **state)
{
    static const struct {
        const char *override;
        rnn_status status;
    } cases[] = {
        {"run.seed", RNN_ERR_USAGE},
        {"", RNN_ERR_USAGE},
        {"=1", RNN_ERR_USAGE},
        {"run.seed=", RNN_ERR_DATA},
        {"run=1", RNN_ERR_DATA},
        {"layer=1", RNN_ERR_DATA},
        {"layer.0=1", RNN_ERR_DATA},
        {"layer.2.bias=true", RNN_ERR_DATA},
        {"layer.x.bias=true", RNN_ERR_DATA},
        {"layer.99999999999999999999.bias=true", RNN_ERR_DATA},
        {"layer[0.bias=true", RNN_ERR_DATA},
        {"layer.-1.bias=true", RNN_ERR_DATA},
        {"run.seed=1e3", RNN_ERR_DATA},
        {"run.seed=99999999999999999999", RNN_ERR_DATA},
        {"run.seed=-1", RNN_ERR_DATA},
        {"run.seed.x=1", RNN_ERR_DATA},
        {"dataset.search=x]", RNN_ERR_DATA},
        {"dataset.search=[1]", RNN_ERR_DATA},
        {"optimizer.lr=nan", RNN_ERR_DATA},
        {"optimizer.lr=1e999", RNN_ERR_DATA},
        {"optimizer.type=x", RNN_ERR_DATA},
        {"run.name=\xFF", RNN_ERR_DATA},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *override = cases[i].override;
        rnn_config config;
        rnn_status st = rnn_config_parse(&config, MINIMAL, strlen(MINIMAL), "t", &override, 1);

        if ((st != RNN_ERR_DATA && st != RNN_ERR_USAGE) ||
            strncmp(rnn_error_message(), "--set ", 6) != 0)
            fail_msg("--set %s: %d, %s", override, (int)st, rnn_error_message());
        if (st != cases[i].status)
            fail_msg("--set %s: status %d, \"%s\"", override, (int)st, rnn_error_message());
        rnn_config_free(&config);
    }
}

/* -- Large ------------------------------------------------------------------------------------- */

/* `n` times what is in the middle. */
static char *repeat(const char *begin, const char *middle, size_t n, const char *end)
{
    size_t width = strlen(middle);
    char *text = test_malloc(strlen(begin) + n * width + strlen(end) + 1), *at = text;

    at = stpcpy(at, begin);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, middle);
    stpcpy(at, end);
    return text;
}

static void assert_repeated_is_bad(const char *begin, const char *middle, size_t n, const char *end,
                                   const char *reason)
{
    char *text = repeat(begin, middle, n, end);

    assert_bad(text, strlen(text), NULL, NULL);
    if (strstr(rnn_error_message(), reason) == NULL)
        fail_msg("no '%s' in \"%s\"", reason, rnn_error_message());
    test_free(text);
}

static void what_nests_too_deep_is_refused_before_it_is_parsed(void **state)
{
    (void)state;
    assert_repeated_is_bad("a = ", "[", 100000, "", "nested deeper than 64");
    assert_repeated_is_bad("a = ", "{b=", 100000, "", "nested deeper than 64");
    assert_repeated_is_bad("", "[", 100000, "", "nested deeper than 64");
    assert_repeated_is_bad("a", ".a", 100000, " = 1\n", "nested deeper than 64");
    assert_repeated_is_bad("a = ", "[ # [\n", 100000, "", "nested deeper than 64");
    assert_repeated_is_bad("a = ", "[\n'[',", 100000, "", "nested deeper than 64");
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    assert_repeated_is_bad("# ", "x", 1 << 20, "\n", "bytes, at most 1048576 are read");
    assert_repeated_is_bad("", "k", 300, " = 1\n", "key is longer than 255 bytes");
    assert_repeated_is_bad("", "[[layer]]\ntype = \"select\"\n", 1000, "", "more than ");
    assert_repeated_is_bad("[dataset]\nsearch = [", "\"x\",", 1000, "]\n", "more than 64 items");
}

/* One that is only a hole in the disk: not even its bytes are asked for. */
static void a_huge_file_is_refused_by_its_size(void **state)
{
    FILE *file = fopen("huge.toml", "w");
    rnn_config config;

    (void)state;
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)1 << 30), 0);
    fclose(file);
    assert_refused(RNN_ERR_DATA, rnn_config_load(&config, "huge.toml", NULL, 0), "huge.toml");
    rnn_config_free(&config);
    assert_refused(RNN_ERR_NOINPUT, rnn_config_load(&config, "none.toml", NULL, 0), "none.toml");
    rnn_config_free(&config);
}

/* Each size is within its bounds, but what follows from all of them is beyond any memory. */
static void shapes_that_overflow_are_refused(void **state)
{
    const rnn_layer_cfg large = {.type = RNN_LAYER_LSTM,
                                 .hidden_size = 1 << 24,
                                 .num_layers = RNN_LAYER_MAX_SUBLAYERS,
                                 .bias = true,
                                 .bidirectional = true};
    rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    const rnn_shape input = {.seq_len = INT32_MAX, .n_features = 1 << 24};
    rnn_model *model;
    rnn_status st;

    (void)state;
    for (size_t i = 0; i < RNN_MODEL_MAX_LAYERS; i++)
        layers[i] = large;
    st = rnn_model_create(&model, layers, RNN_MODEL_MAX_LAYERS, input);
    assert_int_equal(st, RNN_ERR_DATA);
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_refuses_every_wrong_type),
        cmocka_unit_test(every_number_refuses_what_is_out_of_bounds),
        cmocka_unit_test(strings_and_lists_refuse_what_is_too_short),
        cmocka_unit_test(every_key_refuses_wrong_values_of_overrides),
        cmocka_unit_test(every_key_is_refused_twice_and_misspelt),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(the_last_line_need_not_end),
        cmocka_unit_test(wrong_bytes_are_refused),
        cmocka_unit_test(wrong_overrides_are_refused),
        cmocka_unit_test(what_nests_too_deep_is_refused_before_it_is_parsed),
        cmocka_unit_test(what_is_too_large_is_refused),
        IN_FOLDER(a_huge_file_is_refused_by_its_size),
        cmocka_unit_test(shapes_that_overflow_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
