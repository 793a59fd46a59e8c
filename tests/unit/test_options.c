/*
 * The command line: what is understood, what is refused, and where a configuration is looked for.
 */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/memory.h"
#include "launch/help.h"
#include "launch/options.h"
#include "temporary_folder.h"

enum { MAX_WORDS = 80 };

/* Parses "rnntrain" and the words, a list that ends with NULL. */
static rnn_status parse(rnn_options *out, const char *const *words)
{
    static char storage[MAX_WORDS][64]; /* options are lent by argv */
    char *argv[MAX_WORDS + 1] = {storage[0]};
    int argc = 1;

    snprintf(storage[0], sizeof *storage, "rnntrain");
    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < MAX_WORDS);
        snprintf(storage[argc], sizeof *storage, "%s", words[argc - 1]);
        argv[argc] = storage[argc];
    }
    optind = 0; /* getopt starts anew */
    return rnn_options_parse(out, argc, argv);
}

#define PARSE(out, ...) parse((out), (const char *const[]){__VA_ARGS__, NULL})

static void a_configuration_alone_means_train(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "mnist.toml"), RNN_OK);
    assert_int_equal(options.command, RNN_COMMAND_TRAIN);
    assert_string_equal(options.config, "mnist.toml");
    assert_int_equal(options.n_overrides, 0);
}

static void a_plan_has_ranks_and_a_network(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "plan", "a.toml", "--ranks", "12", "--network", "2us,4GB"),
                     RNN_OK);
    assert_int_equal(options.n_ranks, 12);
    assert_true(options.network.latency == 2e-6 && options.network.bandwidth == 4e9);
}

static void each_command_is_understood(void **state)
{
    static const struct {
        const char *words[6];
        rnn_command command;
    } lines[] = {
        {{"--check", "a.toml"}, RNN_COMMAND_CHECK},
        {{"a.toml", "--check"}, RNN_COMMAND_CHECK},
        {{"bench", "a.toml"}, RNN_COMMAND_BENCH},
        {{"plan", "a.toml", "--ranks=4", "--network=24us,10Gbit"}, RNN_COMMAND_PLAN},
        {{"show", "a.toml"}, RNN_COMMAND_SHOW},
        {{"a.toml", "--check"}, RNN_COMMAND_CHECK},
        {{"export", "a.toml", "--output=w.h5"}, RNN_COMMAND_EXPORT},
        {{"export", "-ow.h5", "a.toml"}, RNN_COMMAND_EXPORT},
        {{"diff", "a.toml", "b.h5", "--tolerance", "1e-6"}, RNN_COMMAND_DIFF},
        {{"verify", "a.toml", "b.h5", "c"}, RNN_COMMAND_VERIFY},
        {{"import", "a.toml", "--from=w.h5"}, RNN_COMMAND_IMPORT},
        {{"eval", "a.toml"}, RNN_COMMAND_EVAL},
        {{"a.toml", "--set", "run.seed=2"}, RNN_COMMAND_TRAIN},
        {{"predict", "a.toml", "-op.csv"}, RNN_COMMAND_PREDICT},
        {{"sample", "a.toml"}, RNN_COMMAND_SAMPLE},
        {{"plot", "a.toml"}, RNN_COMMAND_PLOT},
        {{"top", "a.toml", "--once"}, RNN_COMMAND_TOP},
        {{"--help"}, RNN_COMMAND_HELP},
        {{"-h"}, RNN_COMMAND_HELP},
        {{"--help", "--nonsense"}, RNN_COMMAND_HELP},
        {{"--help-config"}, RNN_COMMAND_HELP_CONFIG},
        {{"sweep", "a.toml", "--grid=run.seed=1,2"}, RNN_COMMAND_SWEEP},
        {{"--keys"}, RNN_COMMAND_KEYS},
        {{"--version"}, RNN_COMMAND_VERSION},
    };
    rnn_options options;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(parse(&options, lines[i].words), RNN_OK);
        assert_int_equal(options.command, lines[i].command);
        if (options.command < RNN_COMMAND_HELP)
            assert_string_equal(options.config, "a.toml");
    }
}

static void help_is_asked_for_about_a_command(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "--help"), RNN_OK);
    assert_null(options.about);
    assert_int_equal(PARSE(&options, "plot", "--help"), RNN_OK);
    assert_string_equal(options.about, "plot");
    assert_int_equal(PARSE(&options, "top", "--once", "a", "-h"), RNN_OK);
    assert_string_equal(options.about, "top");
    assert_int_equal(PARSE(&options, "a.toml", "--help"), RNN_OK);
    assert_null(options.about);
}

/* What --help prints about a command, to be freed. */
static char *help_about(const char *command)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    rnn_help_print(out, command);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void help_about_a_command_is_its_usage_and_its_options(void **state)
{
    char *text = help_about("top");

    (void)state;
    assert_string_equal(text, "usage: rnntrain top RUN                    follow a run while it "
                              "trains\n"
                              "\n"
                              "  --once            top: print one screen and exit\n"
                              "\n"
                              "rnntrain --help has all commands and the exit statuses, "
                              "rnntrain(1) more.\n");
    free(text);
    text = help_about("plot");
    assert_non_null(strstr(text, "\n  -o, --output FILE export, predict, plot, sweep: "));
    assert_non_null(
        strstr(text, "\n                    with tables, by gnuplot, default plot.svg"));
    assert_non_null(strstr(text, "\n  --ascii "));
    assert_null(strstr(text, "--set"));
    free(text);
    text = help_about("bench");
    assert_non_null(strstr(text, "\n  --cell CELL       bench without CONFIG: "));
    assert_non_null(strstr(text, "\n  --set KEY=VALUE "));
    assert_null(strstr(text, "plan --ranks"));
    free(text);
}

static void weights_are_taken_by_export_and_import(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "export", "a.h5", "-o", "w.h5"), RNN_OK);
    assert_string_equal(options.config, "a.h5");
    assert_string_equal(options.weights, "w.h5");
    assert_int_equal(PARSE(&options, "import", "--set", "run.seed=2", "--from", "w.h5", "a.toml"),
                     RNN_OK);
    assert_string_equal(options.config, "a.toml");
    assert_string_equal(options.weights, "w.h5");
    assert_int_equal(options.n_overrides, 1);
    assert_int_equal(PARSE(&options, "show", "a.toml"), RNN_OK);
    assert_null(options.weights);
}

static void runs_are_drawn_and_followed(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "plot", "a", "b", "-o", "x.png", "c"), RNN_OK);
    assert_int_equal(options.plot.n_runs, 3);
    assert_string_equal(options.plot.runs[0], "a");
    assert_string_equal(options.plot.runs[2], "c");
    assert_string_equal(options.plot.output, "x.png");
    assert_false(options.plot.is_ascii || options.once);
    assert_int_equal(PARSE(&options, "plot", "--ascii", "a"), RNN_OK);
    assert_null(options.plot.output);
    assert_true(options.plot.is_ascii);
    assert_int_equal(PARSE(&options, "top", "a"), RNN_OK);
    assert_string_equal(options.config, "a");
    assert_false(options.once);
    assert_int_equal(PARSE(&options, "top", "--once", "a"), RNN_OK);
    assert_true(options.once);
}

static void diff_takes_two_and_verify_takes_many(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "diff", "--tolerance=0.5", "a.h5", "b.h5"), RNN_OK);
    assert_string_equal(options.data, "b.h5");
    assert_true(options.tolerance == 0.5);
    assert_int_equal(PARSE(&options, "verify", "a", "b.h5", "c"), RNN_OK);
    assert_int_equal(options.n_words, 3);
    assert_string_equal(options.words[0], "a");
    assert_string_equal(options.words[2], "c");
    assert_null(options.data);
}

static void trained_models_take_data(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "eval", "a.h5"), RNN_OK);
    assert_string_equal(options.config, "a.h5");
    assert_null(options.data);
    assert_null(options.output);
    assert_int_equal(PARSE(&options, "eval", "--set", "train.batch_size=2", "a.h5", "b.ts"),
                     RNN_OK);
    assert_string_equal(options.config, "a.h5");
    assert_string_equal(options.data, "b.ts");
    assert_int_equal(options.n_overrides, 1);
    assert_int_equal(PARSE(&options, "predict", "a.h5", "-o", "p.h5", "b.ts"), RNN_OK);
    assert_string_equal(options.data, "b.ts");
    assert_string_equal(options.output, "p.h5");
    assert_null(options.weights);
    assert_int_equal(PARSE(&options, "predict", "--output=p.csv", "a.h5"), RNN_OK);
    assert_string_equal(options.output, "p.csv");
    assert_null(options.data);
}

static void text_is_written_as_asked(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "sample", "a.h5"), RNN_OK);
    assert_string_equal(options.write.prompt, "");
    assert_int_equal(options.write.length, 500);
    assert_true(options.write.sampling.temperature == 1.0);
    assert_int_equal(options.write.sampling.top_k, 0);
    assert_int_equal(options.write.sampling.seed, 1);
    assert_int_equal(PARSE(&options, "sample", "--prompt", "a b\n", "--length=0", "a.h5",
                           "--temperature", "0.75", "--top-k", "40", "--seed",
                           "9223372036854775807"),
                     RNN_OK);
    assert_string_equal(options.config, "a.h5");
    assert_string_equal(options.write.prompt, "a b\n");
    assert_int_equal(options.write.length, 0);
    assert_true(options.write.sampling.temperature == 0.75);
    assert_int_equal(options.write.sampling.top_k, 40);
    assert_true(options.write.sampling.seed == INT64_MAX);
    assert_int_equal(PARSE(&options, "sample", "--temperature=0", "--prompt=", "a.h5"), RNN_OK);
    assert_true(options.write.sampling.temperature == 0.0);
    assert_string_equal(options.write.prompt, "");
}

static void what_is_measured_is_taken(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "bench"), RNN_OK);
    assert_int_equal(options.command, RNN_COMMAND_BENCH);
    assert_null(options.config);
    assert_null(options.bench.cell);
    assert_int_equal(options.bench.shape.seq_len, 0);
    assert_int_equal(options.bench.n_rounds, 15);
    assert_false(options.bench.json);
    assert_int_equal(PARSE(&options, "bench", "--shape", "28,64,30,100,2", "--cell=gru", "--json",
                           "--rounds", "3"),
                     RNN_OK);
    assert_string_equal(options.bench.cell, "gru");
    assert_int_equal(options.bench.shape.seq_len, 28);
    assert_int_equal(options.bench.shape.batch_size, 64);
    assert_int_equal(options.bench.shape.n_in, 30);
    assert_int_equal(options.bench.shape.n_hid, 100);
    assert_int_equal(options.bench.shape.n_layers, 2);
    assert_int_equal(options.bench.n_rounds, 3);
    assert_true(options.bench.json);
    assert_int_equal(PARSE(&options, "bench", "a.toml", "--json", "--rounds=7"), RNN_OK);
    assert_string_equal(options.config, "a.toml");
    assert_int_equal(options.bench.n_rounds, 7);
}

static void overrides_keep_their_order(void **state)
{
    rnn_options options;

    (void)state;
    assert_int_equal(PARSE(&options, "--set", "run.seed=2", "a.toml", "--set=run.seed=3", "--set",
                           "run.name=a b"),
                     RNN_OK);
    assert_string_equal(options.config, "a.toml");
    assert_int_equal(options.n_overrides, 3);
    assert_string_equal(options.overrides[0], "run.seed=2");
    assert_string_equal(options.overrides[1], "run.seed=3");
    assert_string_equal(options.overrides[2], "run.name=a b");
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
    static const struct {
        const char *words[6], *message;
    } lines[] = {
        {{NULL}, "no configuration given"},
        {{"a.toml", "b.toml"}, "\"b.toml\""},
        {{"train", "a.toml"}, "unknown command \"train\""},
        {{"plott", "runs/a"}, "unknown command \"plott\""},
        {{"bench", "--cell", "lstn"}, "--cell: expected lstm, gru or rnn, found \"lstn\""},
        {{"bench", "--shape", "28,64,28,100"}, "--shape: expected five numbers"},
        {{"bench", "--shape", "28,64,28,100,2,1"}, "found \"28,64,28,100,2,1\""},
        {{"bench", "--shape", "28,0,28,100,2"}, "--shape: expected five numbers"},
        {{"bench", "--shape", "28;64,28,100,2"}, "--shape: expected five numbers"},
        {{"bench", "--shape", "28,64,28,100,99999999"}, "--shape: expected five numbers"},
        {{"bench", "--rounds", "0"}, "--rounds: expected a number from 1"},
        {{"bench", "--rounds", "3x"}, "--rounds: expected a number from 1"},
        {{"bench", "--cell", "rnn", "a.toml"}, "--cell and a configuration do not go together"},
        {{"a.toml", "--json"}, "--json is only for rnntrain bench"},
        {{"bench", "a.toml", "b.toml"}, "\"b.toml\""},
        {{"--nonsense", "a.toml"}, "--nonsense"},
        {{"a.toml", "-x"}, "-x"},
        {{"a.toml", "--set"}, "--set wants a value"},
        {{"show"}, "no configuration or checkpoint given"},
        {{"show", "a.toml", "--check"}, "show and --check do not go together"},
        {{"show", "a.toml", "-o", "w.h5"}, "-o is only for rnntrain export"},
        {{"a.toml", "--from", "w.h5"}, "--from is only for rnntrain import"},
        {{"export", "-o", "w.h5"}, "no checkpoint given"},
        {{"diff"}, "no checkpoint given"},
        {{"diff", "a.h5"}, "diff: expected two checkpoints, found only \"a.h5\""},
        {{"diff", "a.h5", "b.h5", "c.h5"}, "two checkpoints at a time: \"c.h5\" is too much"},
        {{"diff", "a.h5", "b.h5", "--tolerance=-1"}, "--tolerance: expected a number from 0 on"},
        {{"diff", "a.h5", "b.h5", "--set=run.seed=2"}, "diff and --set"},
        {{"verify"}, "no run or checkpoint given"},
        {{"verify", "a", "--set=run.seed=2"}, "verify and --set"},
        {{"show", "a.toml", "--tolerance=1"}, "--tolerance is only for rnntrain diff"},
        {{"export", "a.h5"}, "no file to write given (-o FILE)"},
        {{"export", "a.h5", "-o"}, "-o wants a value"},
        {{"export", "a.h5", "-o", "w.h5", "--set=run.seed=2"}, "export and --set"},
        {{"export", "a.h5", "--from", "w.h5"}, "--from is only for"},
        {{"import", "a.toml"}, "no weights given (--from FILE)"},
        {{"import", "a.toml", "b.toml", "--from", "w.h5"}, "\"b.toml\""},
        {{"import", "--from", "w.h5", "--check", "a.toml"}, "import and --check"},
        {{"plan", "a.toml", "--network=1us,1MB"}, "plan: no ranks given (--ranks R)"},
        {{"plan", "a.toml", "--ranks=0", "--network=1us,1MB"}, "plan: no ranks given"},
        {{"plan", "a.toml", "--ranks=4"}, "plan: no network given (--network 24us,10Gbit)"},
        {{"plan", "a.toml", "--ranks=4", "--network=fast"}, "found \"fast\""},
        {{"plan", "a.toml", "--ranks=x"}, "--ranks: expected a whole number"},
        {{"plan", "--ranks=4", "--network=1us,1MB"}, "no configuration given"},
        {{"a.toml", "--ranks=4"}, "--ranks is only for rnntrain plan"},
        {{"bench", "a.toml", "--network=1us,1MB"}, "--network is only for rnntrain plan"},
        {{"a.toml", "-o", "w.h5"}, "-o is only for rnntrain export, predict, plot and sweep"},
        {{"plot"}, "no run given"},
        {{"plot", "a", "--set", "run.seed=2"}, "plot and --set do not go together"},
        {{"plot", "a", "--once"}, "--once is only for rnntrain top"},
        {{"plot", "a", "--check"}, "plot and --check do not go together"},
        {{"top"}, "no run given"},
        {{"top", "a", "b"}, "one run at a time: \"b\" is too much"},
        {{"top", "a", "--ascii"}, "--ascii is only for rnntrain plot"},
        {{"top", "a", "-o", "x.png"}, "-o is only for"},
        {{"eval"}, "no checkpoint given"},
        {{"eval", "a.h5", "b.ts", "c.ts"}, "one data set at a time: \"c.ts\""},
        {{"eval", "a.h5", "--check"}, "eval and --check do not go together"},
        {{"eval", "a.h5", "-o", "p.csv"}, "-o is only for"},
        {{"eval", "a.h5", "--seed", "2"}, "--seed is only for rnntrain sample"},
        {{"predict", "-o", "p.csv"}, "no checkpoint given"},
        {{"predict", "a.h5", "b.ts"}, "predict: no file to write given (-o FILE)"},
        {{"predict", "a.h5", "-o"}, "-o wants a value"},
        {{"predict", "a.h5", "-o", "p.csv", "--check"}, "predict and --check"},
        {{"predict", "a.h5", "-op.csv", "--from", "w.h5"}, "--from is only for"},
        {{"predict", "a.h5", "-op.csv", "--prompt=x"}, "--prompt is only for rnntrain sample"},
        {{"a.toml", "--length", "3"}, "--length is only for rnntrain sample"},
        {{"bench", "a.toml", "--top-k=3"}, "--top-k is only for rnntrain sample"},
        {{"show", "a.h5", "--temperature=1"}, "--temperature is only for rnntrain sample"},
        {{"sample"}, "no checkpoint given"},
        {{"sample", "a.h5", "b.txt"}, "\"b.txt\" is too much"},
        {{"sample", "a.h5", "--set", "run.seed=2"}, "sample and --set do not go together"},
        {{"sample", "a.h5", "-o", "t.txt"}, "-o is only for"},
        {{"sample", "a.h5", "--check"}, "sample and --check"},
        {{"sample", "a.h5", "--prompt"}, "--prompt wants a value"},
        {{"sample", "a.h5", "--length", "-1"}, "--length: expected a whole number from 0"},
        {{"sample", "a.h5", "--length="}, "--length: expected a whole number"},
        {{"sample", "a.h5", "--length=1.5"}, "found \"1.5\""},
        {{"sample", "a.h5", "--length= 1"}, "found \" 1\""},
        {{"sample", "a.h5", "--length=2147483648"}, "from 0 to 2147483647"},
        {{"sample", "a.h5", "--top-k", "many"}, "--top-k: expected a whole number"},
        {{"sample", "a.h5", "--seed=0x10"}, "found \"0x10\""},
        {{"sample", "a.h5", "--seed=9223372036854775808"}, "--seed: expected a whole number"},
        {{"sample", "a.h5", "--seed=99999999999999999999999"}, "--seed: expected a whole number"},
        {{"sample", "a.h5", "--temperature=-0.1"}, "--temperature: expected a number from 0 on"},
        {{"sample", "a.h5", "--temperature=nan"}, "found \"nan\""},
        {{"sample", "a.h5", "--temperature=inf"}, "found \"inf\""},
        {{"sample", "a.h5", "--temperature="}, "--temperature: expected a number"},
        {{"sample", "a.h5", "--temperature=1x"}, "found \"1x\""},
    };
    rnn_options options;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_refused(RNN_ERR_USAGE, parse(&options, lines[i].words), lines[i].message);
}

static void one_override_too_many_is_refused(void **state)
{
    const char *words[RNN_OPTIONS_MAX_OVERRIDES + 3] = {"a.toml"};
    rnn_options options;

    (void)state;
    for (int i = 0; i < RNN_OPTIONS_MAX_OVERRIDES; i++)
        words[1 + i] = "--set=run.seed=2";
    assert_int_equal(parse(&options, words), RNN_OK);
    assert_int_equal(options.n_overrides, RNN_OPTIONS_MAX_OVERRIDES);
    words[1 + RNN_OPTIONS_MAX_OVERRIDES] = "--set=run.seed=3";
    assert_refused(RNN_ERR_USAGE, parse(&options, words), "more than 64");
}

/* -- The configuration's file ---------------------------------------------------------------- */

static void assert_found(const char *name, const char *expected)
{
    char *path;

    assert_int_equal(rnn_options_find_config(name, &path), RNN_OK);
    assert_string_equal(path, expected);
    rnn_free(path);
}

static void a_file_comes_before_a_recipe_of_its_name(void **state)
{
    FILE *file = fopen("mnist.toml", "w");

    (void)state;
    assert_non_null(file);
    fclose(file);
    assert_found("mnist.toml", "mnist.toml");
}

static void a_recipe_is_found_from_any_folder(void **state)
{
    (void)state;
    assert_found("mnist.toml", RNN_SOURCE_DIR "/launch/recipes/mnist.toml");
}

/* The reader of configurations will say that it is missing. */
static void a_name_with_a_slash_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_found("./mnist.toml", "./mnist.toml");
}

static void an_unknown_name_is_refused_with_every_place(void **state)
{
    char *path;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_options_find_config("no-such.toml", &path),
                   "no-such.toml: looked in the current folder");
    assert_non_null(strstr(rnn_error_message(), "share/rnntrain/recipes"));
    assert_non_null(strstr(rnn_error_message(), RNN_SOURCE_DIR "/launch/recipes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_alone_means_train),
        cmocka_unit_test(each_command_is_understood),
        cmocka_unit_test(a_plan_has_ranks_and_a_network),
        cmocka_unit_test(help_is_asked_for_about_a_command),
        cmocka_unit_test(help_about_a_command_is_its_usage_and_its_options),
        cmocka_unit_test(weights_are_taken_by_export_and_import),
        cmocka_unit_test(runs_are_drawn_and_followed),
        cmocka_unit_test(diff_takes_two_and_verify_takes_many),
        cmocka_unit_test(trained_models_take_data),
        cmocka_unit_test(text_is_written_as_asked),
        cmocka_unit_test(what_is_measured_is_taken),
        cmocka_unit_test(overrides_keep_their_order),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(one_override_too_many_is_refused),
        IN_FOLDER(a_file_comes_before_a_recipe_of_its_name),
        IN_FOLDER(a_recipe_is_found_from_any_folder),
        IN_FOLDER(a_name_with_a_slash_is_taken_as_it_is),
        IN_FOLDER(an_unknown_name_is_refused_with_every_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
