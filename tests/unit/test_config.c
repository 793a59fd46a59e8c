#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "framework/config.h"
#include "framework/config_keys.h"
#include "framework/layer_args.h"
#include "framework/model.h"
#include "framework/optimizer.h"
#include "framework/schedule.h"
#include "kernels/loss.h"
#include "kernels/memory.h"

/* The least that is a configuration; lines 1 to 8. */
#define DATASET     "[dataset]\nsearch = [\"data\"]\n"
#define LAYERS      "[[layer]]\ntype = \"lstm\"\nhidden_size = 8\n[[layer]]\ntype = \"select\"\n"
#define MODEL       DATASET LAYERS
#define MINIMAL     MODEL "[optimizer]\ntype = \"sgd\"\n"
#define N_OF(array) (sizeof(array) / sizeof *(array))

static rnn_status parse(rnn_config *config, const char *text, const char *override)
{
    return rnn_config_parse(config, text, strlen(text), "t.toml", &override, override != NULL);
}

/* Like parse, for what must be fine. */
static rnn_config configure(const char *text, const char *override)
{
    rnn_config config;

    if (parse(&config, text, override) != RNN_OK)
        fail_msg("%s\nis refused: %s", text, rnn_error_message());
    return config;
}

static void assert_refused(const char *text, const char *override, const char *message)
{
    rnn_config config;

    assert_int_equal(parse(&config, text, override), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), message);
    rnn_config_free(&config);
}

static char *print(const rnn_config *config)
{
    char *text;

    assert_int_equal(rnn_config_print(config, &text), RNN_OK);
    return text;
}

/* -- What is read ------------------------------------------------------------------------------ */

static void defaults_are_the_documented_ones(void **state)
{
    rnn_config c = configure(MINIMAL, NULL);

    (void)state;
    assert_string_equal(c.run.name, "run");
    assert_string_equal(c.run.output_dir, "runs/run");
    assert_string_equal(c.run.resume, "auto");
    assert_true(c.run.timeout == 300.0);
    assert_int_equal(c.run.seed, 1);
    assert_int_equal(c.run.epochs, 1);
    assert_int_equal(c.dataset.search.count, 1);
    assert_string_equal(c.dataset.search.items[0], "data");
    assert_string_equal(c.dataset.test_labels, "t10k-labels-idx1-ubyte");
    assert_int_equal(c.dataset.sequence, RNN_SEQUENCE_ROWS);
    assert_true(c.dataset.std == 1.0);
    assert_int_equal(c.dataset.classes, 256);
    assert_true(c.dataset.shuffle);
    assert_int_equal(c.n_layers, 2);
    assert_int_equal(c.layer[0].type, RNN_LAYER_LSTM);
    assert_int_equal(c.layer[0].hidden_size, 8);
    assert_int_equal(c.layer[0].num_layers, 1);
    assert_true(c.layer[0].bias);
    assert_int_equal(c.layer[1].type, RNN_LAYER_SELECT);
    assert_int_equal(c.train.batch_size, 64);
    assert_int_equal(c.parallel.reduction, RNN_REDUCTION_REPRODUCIBLE);
    assert_int_equal(c.parallel.gradients, RNN_GRADIENTS_FLOAT32);
    assert_false(c.parallel.shard_optimizer);
    assert_int_equal(c.loss.type, RNN_LOSS_CROSS_ENTROPY);
    assert_int_equal(c.loss.reduction, RNN_LOSS_REDUCTION_MEAN);
    assert_int_equal(c.loss.steps, RNN_LOSS_STEPS_ALL);
    assert_int_equal(c.loss.ignore_index, -100);
    assert_int_equal(c.checkpoint.keep, 3);
    assert_int_equal(c.checkpoint.best, RNN_BEST_AUTO);
    assert_true(c.log.interval == 10.0);
    assert_true(c.log.jsonl);
    assert_false(c.log.tensorboard);
    rnn_config_free(&c);
    assert_null(c.run.name);
}

static void optimizer_defaults_follow_the_type(void **state)
{
    const rnn_config_key *types = rnn_config_key_find("optimizer.type");

    (void)state;
    for (int t = 0; types->choices[t] != NULL; t++) {
        rnn_optimizer_cfg expected = rnn_optimizer_defaults((rnn_optimizer_type)t);
        char override[64];
        rnn_config c;

        snprintf(override, sizeof override, "optimizer.type=%s", types->choices[t]);
        c = configure(MINIMAL, override);
        assert_int_equal(c.optimizer.type, t);
        assert_true(c.optimizer.lr == expected.lr);
        assert_true(c.optimizer.weight_decay == expected.weight_decay);
        assert_true(c.optimizer.eps == expected.eps);
        assert_true(c.optimizer.beta1 == expected.beta1);
        assert_true(c.optimizer.rho == expected.rho);
        assert_true(c.optimizer.alpha == expected.alpha);
        assert_true(c.optimizer.momentum_decay == expected.momentum_decay);
        rnn_config_free(&c);
    }
}

static void choices_are_in_the_order_of_their_enums(void **state)
{
    const rnn_config_key *layers = rnn_config_key_find("layer[].type");
    const rnn_config_key *optimizers = rnn_config_key_find("optimizer.type");
    const rnn_config_key *losses = rnn_config_key_find("loss.type");
    rnn_config c = configure(MINIMAL "[schedule]\ntype = \"cosine\"\n", "dataset.sequence=columns");

    (void)state;
    for (int t = 0; layers->choices[t] != NULL; t++)
        assert_string_equal(layers->choices[t], rnn_layer_type_name((rnn_layer_type)t));
    for (int t = 0; optimizers->choices[t] != NULL; t++)
        assert_string_equal(optimizers->choices[t], rnn_optimizer_type_name((rnn_optimizer_type)t));
    assert_string_equal(losses->choices[RNN_LOSS_CROSS_ENTROPY], "cross_entropy");
    assert_string_equal(losses->choices[RNN_LOSS_MSE], "mse");
    assert_string_equal(losses->choices[RNN_LOSS_L1], "l1");
    assert_string_equal(losses->choices[RNN_LOSS_SMOOTH_L1], "smooth_l1");
    assert_string_equal(losses->choices[RNN_LOSS_BCE_WITH_LOGITS], "bce_with_logits");
    assert_null(losses->choices[RNN_LOSS_BCE_WITH_LOGITS + 1]);
    assert_int_equal(c.dataset.sequence, RNN_SEQUENCE_COLUMNS);
    assert_int_equal(c.schedule.type, RNN_SCHEDULE_COSINE);
    rnn_config_free(&c);
}

static void integers_are_accepted_where_numbers_are_expected(void **state)
{
    rnn_config c = configure(MINIMAL "lr = 1\n", NULL);

    (void)state;
    assert_true(c.optimizer.lr == 1.0);
    rnn_config_free(&c);
}

static void layers_may_be_an_array_of_inline_tables(void **state)
{
    rnn_config c = configure("layer = [{type = \"gru\", hidden_size = 4, bias = false}]\n" DATASET
                             "[optimizer]\ntype = \"adam\"\n",
                             NULL);

    (void)state;
    assert_int_equal(c.n_layers, 1);
    assert_int_equal(c.layer[0].type, RNN_LAYER_GRU);
    assert_false(c.layer[0].bias);
    rnn_config_free(&c);
}

/* -- What is refused --------------------------------------------------------------------------- */

typedef struct refusal {
    const char *line; /* added to MINIMAL as lines 10 and following, in [optimizer] */
    const char *message;
} refusal;

static void assert_all_refused(const refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[1024];

        snprintf(text, sizeof text, "%s%s\n", MINIMAL, cases[i].line);
        assert_refused(text, NULL, cases[i].message);
    }
}

static void wrong_types_are_refused(void **state)
{
    static const refusal cases[] = {
        {"lr = \"abc\"",
         "t.toml:10:1: optimizer.lr: expected a number (0..), found a string \"abc\""},
        {"lr = true", "t.toml:10:1: optimizer.lr: expected a number (0..), found true"},
        {"lr = [1, 2]", "t.toml:10:1: optimizer.lr: expected a number (0..), found an array"},
        {"lr = {a = 1}", "t.toml:10:1: optimizer.lr: expected a number (0..), found a table"},
        {"lr = 2000-01-01",
         "t.toml:10:1: optimizer.lr: expected a number (0..), found a date or time"},
        {"nesterov = 1", "t.toml:10:1: optimizer.nesterov: expected true or false, found 1"},
        {"[run]\nseed = 1.0", "t.toml:11:1: run.seed: expected an integer (0..), found 1.0"},
        {"[run]\nname = 1", "t.toml:11:1: run.name: expected a string, not empty, found 1"},
        {"[loss]\ntype = 1", "t.toml:11:1: loss.type: expected one of \"cross_entropy\", \"mse\", "
                             "\"l1\", \"smooth_l1\", "
                             "\"bce_with_logits\", found 1"},
        {"[schedule]\ntype = \"cos\"",
         "t.toml:11:1: schedule.type: expected one of \"constant\", \"step\", \"cosine\", "
         "\"one_cycle\", \"plateau\", found a string \"cos\""},
    };

    (void)state;
    assert_all_refused(cases, N_OF(cases));
}

static void values_out_of_bounds_are_refused(void **state)
{
    static const refusal cases[] = {
        {"lr = -0.5", "t.toml:10:1: optimizer.lr: expected a number (0..), found -0.5"},
        {"lr = nan", "t.toml:10:1: optimizer.lr: expected a number (0..), found nan"},
        {"lr = inf", "t.toml:10:1: optimizer.lr: expected a number (0..), found inf"},
        {"[train]\nbatch_size = 0",
         "t.toml:11:1: train.batch_size: expected an integer (1..16777216), found 0"},
        {"[train]\nbatch_size = 9223372036854775807",
         "t.toml:11:1: train.batch_size: expected an integer (1..16777216), "
         "found 9223372036854775807"},
        {"[run]\nresume = \"\"",
         "t.toml:11:1: run.resume: expected a string, not empty, found a string \"\""},
    };

    (void)state;
    assert_all_refused(cases, N_OF(cases));
    assert_refused(MODEL "[optimizer]\ntype = \"adam\"\nbeta1 = 1.0\n", NULL,
                   "t.toml:10:1: optimizer.beta1: expected a number (0..below 1), found 1.0");
}

static void unknown_keys_are_refused_with_the_nearest_known(void **state)
{
    static const refusal cases[] = {
        {"momentun = 1", "t.toml:10:1: optimizer.momentun: unknown key; "
                         "did you mean optimizer.momentum?"},
        {"ls = 1", "t.toml:10:1: optimizer.ls: unknown key; did you mean optimizer.lr?"},
        {"[schedul]", "t.toml:10:2: schedul: unknown key; did you mean schedule?"},
        {"[train]\nlr = 1", "t.toml:11:1: train.lr: unknown key; did you mean optimizer.lr?"},
        {"[train]\nbtach_size = 1",
         "t.toml:11:1: train.btach_size: unknown key; did you mean train.batch_size?"},
        {"[[layer]]\nhiden_size = 1",
         "t.toml:11:1: layer[2].hiden_size: unknown key; did you mean layer[2].hidden_size?"},
        {"[quantum]", "t.toml:10:2: quantum: unknown key; "
                      "rnntrain --help-config lists the known ones"},
        {"'optimizer.lr' = 1", "t.toml:10:1: optimizer.\"optimizer.lr\": unknown key; "
                               "did you mean optimizer.lr?"},
    };

    (void)state;
    assert_all_refused(cases, N_OF(cases));
}

static void tables_must_be_tables(void **state)
{
    (void)state;
    assert_refused("run = 3\n" MINIMAL, NULL, "t.toml:1:1: run: expected a table, found 3");
    assert_refused("[[run]]\n" MINIMAL, NULL, "t.toml:1:3: run: expected a table, found an array");
    assert_refused("[layer]\ntype = \"lstm\"\n", NULL,
                   "t.toml:1:2: layer: expected [[layer]] tables, found a table");
    assert_refused("layer = [1]\n", NULL, "t.toml:1:10: layer[0]: expected a table, found 1");
}

static void missing_keys_name_their_table(void **state)
{
    (void)state;
    assert_refused(LAYERS "[optimizer]\ntype = \"sgd\"\n", NULL,
                   "t.toml: dataset: search is missing, "
                   "expected a list of 1 to 64 strings, not empty");
    assert_refused(MODEL "[optimizer]\n", NULL,
                   "t.toml:8:2: optimizer: type is missing, expected one of \"sgd\", \"adam\", "
                   "\"adamw\", \"adadelta\", \"adagrad\", \"rmsprop\", \"adamax\", \"nadam\"");
    assert_refused(DATASET "[[layer]]\ntype = \"lstm\"\n[optimizer]\ntype = \"sgd\"\n", NULL,
                   "t.toml:3:3: layer[0]: hidden_size is missing, "
                   "expected an integer (1..16777216)");
    assert_refused(MINIMAL "[schedule]\ntype = \"step\"\n", NULL,
                   "t.toml:10:2: schedule: step_size is missing, expected an integer (1..)");
}

static void keys_of_other_types_are_refused(void **state)
{
    (void)state;
    assert_refused(MINIMAL "rho = 0.9\n", NULL,
                   "t.toml:10:1: optimizer.rho: rho is for type adadelta, not for sgd");
    assert_refused(MINIMAL "[[layer]]\ntype = \"linear\"\nout_features = 2\nhidden_size = 3\n",
                   NULL,
                   "t.toml:13:1: layer[2].hidden_size: hidden_size is for type rnn, lstm, gru, "
                   "rnncell, lstmcell, grucell, not for linear");
    assert_refused(MINIMAL "[[layer]]\ntype = \"gru\"\nhidden_size = 3\nproj_size = 2\n", NULL,
                   "t.toml:13:1: layer[2].proj_size: proj_size is for type lstm, not for gru");
    assert_refused(MINIMAL "[[layer]]\ntype = \"grucell\"\nhidden_size = 3\nnum_layers = 2\n", NULL,
                   "t.toml:13:1: layer[2].num_layers: num_layers is for type rnn, lstm, gru, "
                   "not for grucell");
    assert_refused(MINIMAL "[loss]\ntype = \"mse\"\nlabel_smoothing = 0.1\n", NULL,
                   "t.toml:12:1: loss.label_smoothing: label_smoothing is for type cross_entropy, "
                   "not for mse");
    assert_refused(
        MINIMAL "[schedule]\ngamma = 0.5\n", NULL,
        "t.toml:11:1: schedule.gamma: gamma is for type step, plateau, not for constant");
    assert_refused(MINIMAL "[schedule]\ntype = \"one_cycle\"\nwarmup_steps = 5\n", NULL,
                   "t.toml:12:1: schedule.warmup_steps: warmup_steps is for type constant, step, "
                   "cosine, not for one_cycle");
}

static void only_a_tied_linear_can_do_without_out_features(void **state)
{
    rnn_config c = configure(MINIMAL "[[layer]]\ntype = \"linear\"\ntied = true\n", NULL);

    (void)state;
    assert_true(c.layer[2].tied);
    assert_int_equal(c.layer[2].out_features, 0);
    rnn_config_free(&c);
    assert_refused(MINIMAL "[[layer]]\ntype = \"linear\"\n", NULL,
                   "t.toml:10:1: layer[2]: out_features is missing, "
                   "expected an integer (1..16777216)");
    assert_refused(
        MINIMAL "[[layer]]\ntype = \"linear\"\nout_features = 0\n", NULL,
        "t.toml:12:1: layer[2].out_features: expected an integer (1..16777216), found 0");
    assert_refused(MINIMAL "[[layer]]\ntype = \"gru\"\nhidden_size = 3\ntied = true\n", NULL,
                   "t.toml:13:1: layer[2].tied: tied is for type linear, not for gru");
}

static void one_cycle_has_torchs_defaults(void **state)
{
    rnn_config c = configure(MINIMAL "[schedule]\ntype = \"one_cycle\"\n", NULL);

    (void)state;
    assert_int_equal(c.schedule.type, RNN_SCHEDULE_ONE_CYCLE);
    assert_true(c.schedule.pct_start == 0.3);
    assert_true(c.schedule.div_factor == 25.0);
    assert_true(c.schedule.final_div_factor == 1e4);
    assert_int_equal(c.schedule.anneal, RNN_ANNEAL_COS);
    rnn_config_free(&c);
    c = configure(MINIMAL "[schedule]\ntype = \"one_cycle\"\nanneal = \"linear\"\n", NULL);
    assert_int_equal(c.schedule.anneal, RNN_ANNEAL_LINEAR);
    rnn_config_free(&c);
    assert_refused(MINIMAL "[schedule]\ntype = \"one_cycle\"\ndiv_factor = 0\n", NULL,
                   "t.toml:12:1: schedule.div_factor: expected a number above 0, found 0");
    assert_refused(MINIMAL "[schedule]\ntype = \"one_cycle\"\nfinal_div_factor = 0.0\n", NULL,
                   "t.toml:12:1: schedule.final_div_factor: expected a number above 0, found 0");
    assert_refused(MINIMAL "[schedule]\ntype = \"one_cycle\"\npct_start = 1.5\n", NULL,
                   "t.toml:12:1: schedule.pct_start: expected a number (0..1), found 1.5");
}

static void every_format_has_its_own_keys(void **state)
{
    static const char rest[] = LAYERS "[optimizer]\ntype = \"sgd\"\n";
    static const char series[] = "[dataset]\nformat = \"ts\"\nsearch = [\"d\"]\n";
    static const char strings[] = "[dataset]\nformat = \"strings\"\ninputs = [\"ab\"]\n";
    char text[512];
    rnn_config c;

    (void)state;
    snprintf(text, sizeof text, "%strain_file = \"a.ts\"\n%s", series, rest);
    c = configure(text, NULL);
    assert_string_equal(c.dataset.train_file, "a.ts");
    assert_string_equal(c.dataset.test_file, "");
    assert_true(c.dataset.std == 1.0);
    rnn_config_free(&c);
    assert_refused(text, "dataset.sequence=rows",
                   "--set dataset.sequence=rows: sequence is for format idx, not for ts");
    assert_refused(text, "dataset.std=0",
                   "--set dataset.std=0: expected a number other than 0, found 0");

    snprintf(text, sizeof text, "%stargets = [\"ba\", \"c\"]\n%s", strings, rest);
    c = configure(text, NULL);
    assert_int_equal(c.dataset.inputs.count, 1);
    assert_int_equal(c.dataset.targets.count, 2);
    assert_string_equal(c.dataset.targets.items[1], "c");
    assert_string_equal(c.dataset.alphabet, "");
    assert_int_equal(c.dataset.search.count, 0);
    rnn_config_free(&c);
    assert_refused(text, "dataset.search=['d']",
                   "--set dataset.search=['d']: search is for format idx, ts, text, csv, hdf5, "
                   "npy, not for strings");

    snprintf(text, sizeof text, "%s%s", series, rest);
    assert_refused(text, NULL,
                   "t.toml:1:2: dataset: train_file is missing, expected a string, not empty");
    snprintf(text, sizeof text, "%s%s", strings, rest);
    assert_refused(text, NULL,
                   "t.toml:1:2: dataset: targets is missing, expected a list of 1 to 64 strings, "
                   "not empty");
    assert_refused(MINIMAL, "dataset.inputs=['a']",
                   "--set dataset.inputs=['a']: inputs is for format strings, not for idx");
}

#define TEN "'0','1','2','3','4','5','6','7','8','9',"

static void lists_hold_a_bounded_number_of_strings(void **state)
{
    static const char expected[] = "expected a list of 1 to 64 strings, not empty";
    char message[256];

    (void)state;
    snprintf(message, sizeof message, "t.toml:2:1: dataset.search: %s, found an array", expected);
    assert_refused("[dataset]\nsearch = []\n", NULL, message);
    snprintf(message, sizeof message, "t.toml:2:1: dataset.search: %s, found 3", expected);
    assert_refused("[dataset]\nsearch = [\"a\", 3]\n", NULL, message);
    snprintf(message, sizeof message, "t.toml:2:1: dataset.search: %s, found a string \"a\"",
             expected);
    assert_refused("[dataset]\nsearch = \"a\"\n", NULL, message);
    snprintf(message, sizeof message, "t.toml:2:1: dataset.search: %s, found an array", expected);
    assert_refused("[dataset]\nsearch = [[\"a\"]]\n", NULL, message);
    assert_refused("[dataset]\nsearch = ['', 'a']\n", NULL,
                   "t.toml:2:1: dataset.search: expected a list of 1 to 64 strings, not empty, "
                   "found a string \"\"");
    assert_refused("[dataset]\nsearch = [" TEN TEN TEN TEN TEN TEN "'1','2','3','4','5']\n", NULL,
                   "t.toml:2:1: dataset.search: more than 64 items");
}

static void keys_are_checked_together(void **state)
{
    static const refusal cases[] = {
        {"nesterov = true", "t.toml:10:1: optimizer.nesterov: needs momentum above 0 and "
                            "dampening 0, found momentum 0 and dampening 0"},
        {"momentum = 0.5\ndampening = 1\nnesterov = true",
         "t.toml:12:1: optimizer.nesterov: needs momentum above 0 and dampening 0, "
         "found momentum 0.5 and dampening 1"},
        {"[parallel]\nreduction = 'allreduce'\ngradients = 'bfloat16'",
         "t.toml:12:1: parallel.gradients: \"bfloat16\" needs parallel.reduction \"reproducible\", "
         "found \"allreduce\""},
        {"[parallel]\nshards = 6",
         "t.toml:11:1: parallel.shards: expected 0 or a power of two, found 6"},
        {"[parallel]\nshards = 128", "t.toml:11:1: parallel.shards: expected at most "
                                     "train.batch_size, 64, found 128"},
        {"[loss]\ntype = \"mse\"\n[checkpoint]\nbest = \"accuracy\"",
         "t.toml:13:1: checkpoint.best: accuracy needs loss.type \"cross_entropy\" or "
         "\"bce_with_logits\", found \"mse\""},
        {"[loss]\ntype = \"l1\"\n[checkpoint]\nbest = \"f1\"",
         "t.toml:13:1: checkpoint.best: f1 needs loss.type \"cross_entropy\" or "
         "\"bce_with_logits\", found \"l1\""},
        {"[checkpoint]\nbest = \"rmse\"",
         "t.toml:11:1: checkpoint.best: rmse needs loss.type \"mse\", \"l1\" or \"smooth_l1\", "
         "found \"cross_entropy\""},
        {"[loss]\ntype = \"bce_with_logits\"\n[checkpoint]\nbest = \"mae\"",
         "t.toml:13:1: checkpoint.best: mae needs loss.type \"mse\", \"l1\" or \"smooth_l1\", "
         "found \"bce_with_logits\""},
        {"[run]\nname = \"a/b\"",
         "t.toml:11:1: run.name: expected letters, digits, \".\", \"_\" and \"-\", "
         "the first not \".\", found \"a/b\""},
        {"[run]\nname = \"..\"",
         "t.toml:11:1: run.name: expected letters, digits, \".\", \"_\" and \"-\", "
         "the first not \".\", found \"..\""},
    };

    (void)state;
    assert_all_refused(cases, N_OF(cases));
    assert_refused(MINIMAL, "dataset.std=0",
                   "--set dataset.std=0: expected a number other than 0, "
                   "found 0");
}

static void at_least_one_and_at_most_64_layers(void **state)
{
    char text[64 * 32] = "";
    char *end = text;

    (void)state;
    assert_refused(DATASET "[optimizer]\ntype = \"sgd\"\n", NULL,
                   "t.toml: layer: expected at least one [[layer]] table, found none");
    for (int i = 0; i <= RNN_CONFIG_MAX_LAYERS; i++)
        end = stpcpy(end, "[[layer]]\ntype = 'select'\n");
    assert_refused(text, NULL, "t.toml:129:1: layer[64]: more than 64 layers");
}

static void long_strings_are_shortened_in_messages(void **state)
{
    /* The cut would fall into a two-byte letter. */
    assert_refused(MINIMAL
                   "lr = \"0123456789012345678901234567890123456789012345678901234567\xC3\xA9"
                   "0123456789\"\n",
                   NULL,
                   "t.toml:10:1: optimizer.lr: expected a number (0..), found a string "
                   "\"0123456789012345678901234567890123456789012345678901234567...\"");
    (void)state;
}

static void syntax_errors_keep_their_place(void **state)
{
    (void)state;
    assert_refused("[run]\nseed = 1\nseed = 2\n", NULL,
                   "t.toml:3:8: Error while parsing key-value pair: "
                   "cannot redefine existing integer 'seed'");
}

static void a_missing_file_is_a_missing_input(void **state)
{
    rnn_config c;

    (void)state;
    assert_int_equal(rnn_config_load(&c, RNN_TEST_DIR "/unit/no-such.toml", NULL, 0),
                     RNN_ERR_NOINPUT);
    assert_non_null(strstr(rnn_error_message(), "no-such.toml"));
    rnn_config_free(&c);
}

/* -- Layers --------------------------------------------------------------------------------------
 */

static const char *const required_sizes[] = {[RNN_LAYER_RNN] = "hidden_size = 4\n",
                                             [RNN_LAYER_LSTM] = "hidden_size = 4\n",
                                             [RNN_LAYER_GRU] = "hidden_size = 4\n",
                                             [RNN_LAYER_LINEAR] = "out_features = 4\n",
                                             [RNN_LAYER_SELECT] = "",
                                             [RNN_LAYER_RNNCELL] = "hidden_size = 4\n",
                                             [RNN_LAYER_LSTMCELL] = "hidden_size = 4\n",
                                             [RNN_LAYER_GRUCELL] = "hidden_size = 4\n",
                                             [RNN_LAYER_EMBEDDING] = "embedding_dim = 4\n",
                                             [RNN_LAYER_ONEHOT] = "",
                                             [RNN_LAYER_DROPOUT] = "",
                                             [RNN_LAYER_ACTIVATION] = "",
                                             [RNN_LAYER_LAYERNORM] = ""};

/* Both interfaces must agree on what a layer is that says nothing but its type and sizes. */
static void layer_defaults_are_those_of_the_library(void **state)
{
    (void)state;
    for (int t = 0; t < RNN_LAYER_N_TYPES; t++) {
        rnn_layer_cfg expected = rnn_layer_defaults((rnn_layer_type)t), found;
        char text[1024];
        rnn_config c;

        snprintf(text, sizeof text, "%s[[layer]]\ntype = \"%s\"\n%s", MINIMAL,
                 rnn_layer_type_names[t], required_sizes[t]);
        c = configure(text, NULL);
        expected.hidden_size = c.layer[2].hidden_size;
        expected.out_features = c.layer[2].out_features;
        expected.embedding_dim = c.layer[2].embedding_dim;
        found = rnn_layer_normalize(&c.layer[2]);
        assert_int_equal(found.type, t);
        assert_int_equal(found.init.type, RNN_INIT_DEFAULT);
        assert_int_equal(found.init_bias.type, RNN_INIT_DEFAULT);
        assert_true(found.forget_bias == 0.0);
        for (size_t i = 0; i < rnn_layer_n_args; i++) {
            const rnn_layer_arg *arg = &rnn_layer_args[i];
            size_t size = arg->kind == RNN_ARG_FLAG     ? sizeof(bool)
                          : arg->kind == RNN_ARG_CHOICE ? sizeof(int)
                                                        : sizeof(int64_t);

            if (memcmp((char *)&found + arg->offset, (char *)&expected + arg->offset, size) != 0)
                fail_msg("%s of %s differs", arg->name, rnn_layer_type_names[t]);
        }
        rnn_config_free(&c);
    }
}

static void layer_keys_have_the_types_and_bounds_of_the_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < rnn_layer_n_args; i++) {
        const rnn_layer_arg *arg = &rnn_layer_args[i];
        const rnn_config_key *key;
        char path[64];

        snprintf(path, sizeof path, "layer[].%s", arg->name);
        key = rnn_config_key_find(path);
        if (key == NULL)
            fail_msg("there is no key %s", path);
        assert_int_equal(key->offset, arg->offset);
        assert_int_equal(key->types, arg->types);
        assert_ptr_equal(key->choices, arg->choices);
        assert_true(key->min == arg->min && key->max == arg->max);
        assert_int_equal(key->below_max, arg->below_max);
    }
}

static void layer_values_are_bounded(void **state)
{
    static const struct {
        const char *override, *message;
    } cases[] = {
        {"layer.0.dropout=1", "--set layer.0.dropout=1: expected a number (0..below 1), found 1"},
        {"layer.0.h0=inf", "--set layer.0.h0=inf: expected a number, found inf"},
        {"layer.0.proj_size=-1",
         "--set layer.0.proj_size=-1: expected an integer (0..16777216), found -1"},
        {"layer.1.step=middle", "--set layer.1.step=middle: expected one of \"last\", \"first\", "
                                "\"mean\", \"max\", found a string \"middle\""},
        {"loss.label_smoothing=1.5",
         "--set loss.label_smoothing=1.5: expected a number (0..1), found 1.5"},
        {"loss.ignore_index=2147483648",
         "--set loss.ignore_index=2147483648: expected an integer (-2147483648..2147483647), "
         "found 2147483648"},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_refused(MINIMAL, cases[i].override, cases[i].message);
    assert_refused(MINIMAL "[loss]\ntype = \"smooth_l1\"\nbeta = -1\n", NULL,
                   "t.toml:12:1: loss.beta: expected a number (0..), found -1");
}

/* -- Initialisers --------------------------------------------------------------------------------
 */

static void initialisers_are_read_with_torchs_defaults(void **state)
{
    static const struct {
        const char *text, *printed;
        rnn_init init;
    } cases[] = {
        {"default", "default", {RNN_INIT_DEFAULT, 0.0, 0.0}},
        {"default()", "default", {RNN_INIT_DEFAULT, 0.0, 0.0}},
        {"uniform", "uniform(0.0, 1.0)", {RNN_INIT_UNIFORM, 0.0, 1.0}},
        {"uniform(-0.1, 0.1)", "uniform(-0.1, 0.1)", {RNN_INIT_UNIFORM, -0.1, 0.1}},
        {"uniform(-1)", "uniform(-1.0, 1.0)", {RNN_INIT_UNIFORM, -1.0, 1.0}},
        {"normal", "normal(0.0, 1.0)", {RNN_INIT_NORMAL, 0.0, 1.0}},
        {"normal( 0 ,2e-2 )", "normal(0.0, 0.02)", {RNN_INIT_NORMAL, 0.0, 0.02}},
        {"xavier_uniform", "xavier_uniform(1.0)", {RNN_INIT_XAVIER_UNIFORM, 1.0, 0.0}},
        {"xavier_uniform(1.5)", "xavier_uniform(1.5)", {RNN_INIT_XAVIER_UNIFORM, 1.5, 0.0}},
        {"xavier_normal()", "xavier_normal(1.0)", {RNN_INIT_XAVIER_NORMAL, 1.0, 0.0}},
        {"kaiming_uniform", "kaiming_uniform(0.0)", {RNN_INIT_KAIMING_UNIFORM, 0.0, 0.0}},
        {"kaiming_normal(0.2)", "kaiming_normal(0.2)", {RNN_INIT_KAIMING_NORMAL, 0.2, 0.0}},
        {"orthogonal", "orthogonal(1.0)", {RNN_INIT_ORTHOGONAL, 1.0, 0.0}},
        {"constant(0.5)", "constant(0.5)", {RNN_INIT_CONSTANT, 0.5, 0.0}},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char text[512], line[128];
        rnn_config c;
        char *printed;

        snprintf(text, sizeof text,
                 "%s[[layer]]\ntype = \"linear\"\nout_features = 2\ninit = \"%s\"\n", MINIMAL,
                 cases[i].text);
        c = configure(text, NULL);
        printed = print(&c);
        assert_int_equal(c.layer[2].init.type, cases[i].init.type);
        assert_true(c.layer[2].init.a == cases[i].init.a && c.layer[2].init.b == cases[i].init.b);
        snprintf(line, sizeof line, "\ninit = \"%s\"\n", cases[i].printed);
        assert_non_null(strstr(printed, line));
        rnn_free(printed);
        rnn_config_free(&c);
    }
}

static void malformed_initialisers_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "uniform(",
                                        "uniform)",
                                        "uniform(0, 1",
                                        "uniform(0, 1))",
                                        "uniform(0, 1) ",
                                        " uniform",
                                        "Uniform",
                                        "uniform (0, 1)",
                                        "uniform(0, 1, 2)",
                                        "uniform(a, b)",
                                        "uniform(inf)",
                                        "uniform(nan)",
                                        "uniform(1e999)",
                                        "uniform(0; 1)",
                                        "uniform(0,, 1)",
                                        "uniform(0 1)",
                                        "uniform([0], 1)",
                                        "uniform(2000-01-01)",
                                        "default(1)",
                                        "xavier_uniform(1, 2)",
                                        "kaiming",
                                        "constant",
                                        "constant()",
                                        "constant(1, 2)",
                                        "constant(\\u000A1)",
                                        "zeros"};

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++) {
        char text[512], message[512];

        snprintf(text, sizeof text,
                 "%s[[layer]]\ntype = \"linear\"\nout_features = 2\ninit = \"%s\"\n", MINIMAL,
                 texts[i]);
        snprintf(message, sizeof message,
                 "t.toml:13:1: layer[2].init: expected one of \"default\", \"uniform(a, b)\", "
                 "\"normal(mean, std)\", \"xavier_uniform(gain)\", \"xavier_normal(gain)\", "
                 "\"kaiming_uniform(a)\", \"kaiming_normal(a)\", \"orthogonal(gain)\", "
                 "\"constant(val)\", found a string \"%s\"",
                 texts[i]);
        assert_refused(text, NULL, message);
    }
    assert_refused(MINIMAL, "layer.0.init=3",
                   "--set layer.0.init=3: expected one of \"default\", \"uniform(a, b)\", "
                   "\"normal(mean, std)\", \"xavier_uniform(gain)\", \"xavier_normal(gain)\", "
                   "\"kaiming_uniform(a)\", \"kaiming_normal(a)\", \"orthogonal(gain)\", "
                   "\"constant(val)\", found 3");
}

/* More than the reader of arguments has room for. */
static void overlong_initialisers_are_refused(void **state)
{
    char text[2048], digits[1001];
    rnn_config c;

    (void)state;
    memset(digits, '1', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    snprintf(text, sizeof text,
             "%s[[layer]]\ntype = \"linear\"\nout_features = 2\ninit = \"uniform(%s)\"\n", MINIMAL,
             digits);
    assert_int_equal(parse(&c, text, NULL), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "layer[2].init: expected one of"));
    rnn_config_free(&c);
}

/* -- Overrides --------------------------------------------------------------------------------- */

static void overrides_replace_values(void **state)
{
    static const char *const overrides[] = {"optimizer.lr=0.25",
                                            "layer.0.hidden_size=20",
                                            "layer[0].num_layers = 3",
                                            "run.name=test",
                                            "run.output_dir=/tmp/a b#c",
                                            "run.resume=\"never\"",
                                            "dataset.search=[\"x\", \"y\"]",
                                            "dataset.shuffle=false",
                                            "run.seed=2",
                                            "run.seed=3"};
    rnn_config c;

    (void)state;
    assert_int_equal(
        rnn_config_parse(&c, MINIMAL, strlen(MINIMAL), "t.toml", overrides, N_OF(overrides)),
        RNN_OK);
    assert_true(c.optimizer.lr == 0.25);
    assert_int_equal(c.layer[0].hidden_size, 20);
    assert_int_equal(c.layer[0].num_layers, 3);
    assert_string_equal(c.run.name, "test");
    assert_string_equal(c.run.output_dir, "/tmp/a b#c");
    assert_string_equal(c.run.resume, "never");
    assert_int_equal(c.dataset.search.count, 2);
    assert_string_equal(c.dataset.search.items[1], "y");
    assert_false(c.dataset.shuffle);
    assert_int_equal(c.run.seed, 3);
    rnn_config_free(&c);
}

static void wrong_overrides_are_refused(void **state)
{
    static const struct {
        const char *override, *message;
    } cases[] = {
        {"optimizer.lr=abc",
         "--set optimizer.lr=abc: expected a number (0..), found a string \"abc\""},
        {"optimizer.rl=1", "--set optimizer.rl=1: unknown key; did you mean optimizer.lr?"},
        {"optimizer={}", "--set optimizer={}: optimizer is a table; set one of its keys"},
        {"layer.0=1", "--set layer.0=1: layer[0] is a table; set one of its keys"},
        {"layer.2.bias=true",
         "--set layer.2.bias=true: there is no layer 2, t.toml has 2, counted from 0"},
        {"layer[99999999999999999999].bias=true",
         "--set layer[99999999999999999999].bias=true: there is no layer 18446744073709551615, "
         "t.toml has 2, counted from 0"},
        {"layer[].bias=true",
         "--set layer[].bias=true: unknown key; rnntrain --help-config lists the known ones"},
        {"dataset.search[0]=x",
         "--set dataset.search[0]=x: unknown key; did you mean dataset.search?"},
        {"optimizer.rho=1", "--set optimizer.rho=1: rho is for type adadelta, not for sgd"},
        {"run.seed=2\nrun.epochs=3", "--set run.seed=2?run.epochs=3: expected an integer (0..), "
                                     "found a string \"2\\u000Arun.epochs=3\""},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_refused(MINIMAL, cases[i].override, cases[i].message);
}

static void overrides_without_key_or_value_are_usage_errors(void **state)
{
    static const char *const overrides[] = {"run.seed", "", "=1"};

    (void)state;
    for (size_t i = 0; i < N_OF(overrides); i++) {
        rnn_config c;

        assert_int_equal(parse(&c, MINIMAL, overrides[i]), RNN_ERR_USAGE);
        rnn_config_free(&c);
    }
    assert_string_equal(rnn_error_message(),
                        "--set =1: expected KEY=VALUE, as in optimizer.lr=0.01");
}

static void overlong_keys_are_unknown(void **state)
{
    char override[2 * RNN_TOML_MAX_PATH];
    rnn_config c;

    (void)state;
    memset(override, 'k', sizeof override);
    memcpy(override + sizeof override - 3, "=1", 3);
    assert_int_equal(parse(&c, MINIMAL, override), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "unknown key"));
    assert_false(rnn_config_nearest(override, override, sizeof override));
    rnn_config_free(&c);
}

static void overrides_must_be_utf8(void **state)
{
    rnn_config c;

    (void)state;
    assert_int_equal(parse(&c, MINIMAL, "run.output_dir=\xFF"), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "utf-8"));
    rnn_config_free(&c);
}

/* -- The canonical text ------------------------------------------------------------------------ */

static void assert_prints_the_same_again(const char *text, const char *override)
{
    rnn_config first = configure(text, override), second;
    char *printed = print(&first), *again;

    second = configure(printed, NULL);
    again = print(&second);
    assert_string_equal(printed, again);
    assert_int_equal(rnn_config_check_resume(&first, &second), RNN_OK);
    rnn_free(printed);
    rnn_free(again);
    rnn_config_free(&first);
    rnn_config_free(&second);
}

static void the_canonical_text_reads_back_to_itself(void **state)
{
    static const char *const overrides[] = {
        "optimizer.type=sgd",
        "optimizer.type=adam",
        "optimizer.type=adamw",
        "optimizer.type=adadelta",
        "optimizer.type=adagrad",
        "optimizer.type=rmsprop",
        "optimizer.type=adamax",
        "optimizer.type=nadam",
        "schedule.type=cosine",
        "schedule.type=one_cycle",
        "layer.0.type=rnn",
        "layer.0.type=gru",
        "layer.0.type=rnncell",
        "layer.0.type=lstmcell",
        "layer.0.type=grucell",
        "layer.0.dropout=0.1",
        "layer.0.variational=true",
        "layer.0.bidirectional=true",
        "layer.0.proj_size=3",
        "layer.0.h0=-0.25",
        "layer.0.init=normal(0, 0.02)",
        "layer.0.init=kaiming_uniform",
        "layer.0.init_bias=uniform(-1e-7, 0.30000000000000004)",
        "layer.0.forget_bias=1",
        "layer.1.type=onehot",
        "layer.1.type=dropout",
        "layer.1.type=activation",
        "layer.1.type=layernorm",
        "layer.1.step=mean",
        "loss.type=mse",
        "loss.type=smooth_l1",
        "loss.reduction=sum",
        "loss.ignore_index=-2147483648",
        "optimizer.lr=0.30000000000000004",
        "run.output_dir=a \"b\"\\\t\n\x7F\xC3\xA9",
        "dataset.search=['a', 'b\"']",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(overrides); i++)
        assert_prints_the_same_again(MINIMAL, overrides[i]);
    assert_prints_the_same_again(MINIMAL "[schedule]\ntype = \"step\"\nstep_size = 2\n", NULL);
    assert_prints_the_same_again(MINIMAL "[[layer]]\ntype = \"linear\"\ntied = true\n", NULL);
    assert_prints_the_same_again(
        "[dataset]\nformat = 'ts'\nsearch = ['d']\ntrain_file = 'a'\n" LAYERS
        "[optimizer]\ntype = \"sgd\"\n",
        NULL);
    assert_prints_the_same_again("[dataset]\nformat = 'strings'\ninputs = ['a\"', '\u20ac']\n"
                                 "targets = ['b\\', 'c']\n" LAYERS "[optimizer]\ntype = \"sgd\"\n",
                                 NULL);
}

static void the_canonical_text_has_every_key_that_applies(void **state)
{
    static const char layers_on[] = "[[layer]]\n"
                                    "type = \"lstm\"\n"
                                    "input_size = 0\n"
                                    "hidden_size = 8\n"
                                    "num_layers = 1\n"
                                    "bias = true\n"
                                    "batch_first = false\n"
                                    "dropout = 0.0\n"
                                    "variational = false\n"
                                    "bidirectional = false\n"
                                    "proj_size = 0\n"
                                    "h0 = 0.0\n"
                                    "c0 = 0.0\n"
                                    "init = \"default\"\n"
                                    "init_bias = \"default\"\n"
                                    "forget_bias = 0.0\n"
                                    "\n"
                                    "[[layer]]\n"
                                    "type = \"select\"\n"
                                    "step = \"last\"\n"
                                    "\n"
                                    "[loss]\n"
                                    "type = \"cross_entropy\"\n"
                                    "reduction = \"mean\"\n"
                                    "steps = \"all\"\n"
                                    "label_smoothing = 0.0\n"
                                    "ignore_index = -100\n"
                                    "\n"
                                    "[optimizer]\n"
                                    "type = \"sgd\"\n"
                                    "lr = 0.001\n"
                                    "weight_decay = 0.0\n"
                                    "momentum = 0.0\n"
                                    "dampening = 0.0\n"
                                    "nesterov = false\n"
                                    "clip_norm = 0.0\n"
                                    "clip_value = 0.0\n"
                                    "\n"
                                    "[schedule]\n"
                                    "type = \"constant\"\n"
                                    "warmup_steps = 0\n"
                                    "\n"
                                    "[train]\n"
                                    "batch_size = 64\n"
                                    "accumulate = 1\n"
                                    "patience = 0\n"
                                    "carry_state = false\n"
                                    "on_nonfinite = \"stop\"\n"
                                    "\n"
                                    "[parallel]\n";
    rnn_config c = configure(MINIMAL, NULL);
    char *text = print(&c);

    (void)state;
    assert_memory_equal(text, "[run]\nname = \"run\"\nseed = 1\n", 28);
    assert_non_null(strstr(text, layers_on));
    rnn_free(text);
    rnn_config_free(&c);
}

static void equal_configurations_print_equal_bytes(void **state)
{
    rnn_config a = configure(MINIMAL "lr = 1\n[run]\nseed = 0x10\n", NULL);
    rnn_config b =
        configure("run = {seed = 16}\noptimizer = {lr = 1.0, type = 'sgd'}\n" MODEL, NULL);
    char *text_a = print(&a), *text_b = print(&b);

    (void)state;
    assert_string_equal(text_a, text_b);
    rnn_free(text_a);
    rnn_free(text_b);
    rnn_config_free(&a);
    rnn_config_free(&b);
}

/* -- Resuming ---------------------------------------------------------------------------------- */

static void only_steering_keys_may_change_on_resume(void **state)
{
    static const struct {
        const char *override, *message; /* NULL: may change */
    } cases[] = {
        {"run.epochs=5", NULL},
        {"run.name=other", NULL},
        {"dataset.search=['elsewhere']", NULL},
        {"parallel.threads=7", NULL},
        {"checkpoint.keep=9", NULL},
        {"log.interval=1", NULL},
        {"run.timeout=5", NULL},
        {"run.seed=2", "run.seed was 1 and is now 2"},
        {"optimizer.lr=0.5", "optimizer.lr was 0.001 and is now 0.5"},
        {"optimizer.type=adam", "optimizer.type was \"sgd\" and is now \"adam\""},
        {"layer.0.hidden_size=9", "layer[0].hidden_size was 8 and is now 9"},
        {"layer.0.type=gru", "layer[0].type was \"lstm\" and is now \"gru\""},
        {"train.batch_size=32", "train.batch_size was 64 and is now 32"},
        {"parallel.shard_optimizer=true", NULL},
        {"parallel.gradients=bfloat16",
         "parallel.gradients was \"float32\" and is now \"bfloat16\""},
        {"parallel.shards=8", "parallel.shards was 0 and is now 8"},
        {"dataset.shuffle=false", "dataset.shuffle was true and is now false"},
    };
    rnn_config then = configure(MINIMAL, NULL);

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        rnn_config now = configure(MINIMAL, cases[i].override);
        rnn_status st = rnn_config_check_resume(&then, &now);

        if (cases[i].message == NULL) {
            assert_int_equal(st, RNN_OK);
        } else {
            assert_int_equal(st, RNN_ERR_DATA);
            assert_string_equal(rnn_error_message(), cases[i].message);
        }
        rnn_config_free(&now);
    }
    rnn_config_free(&then);
}

static void another_number_of_layers_cannot_be_resumed(void **state)
{
    rnn_config then = configure(MINIMAL, NULL);
    rnn_config now = configure(MINIMAL "[[layer]]\ntype = 'select'\n", NULL);

    (void)state;
    assert_int_equal(rnn_config_check_resume(&then, &now), RNN_ERR_DATA);
    assert_string_equal(rnn_error_message(), "there were 2 [[layer]] tables and are now 3");
    rnn_config_free(&then);
    rnn_config_free(&now);
}

/* -- The table and the recipes ----------------------------------------------------------------- */

static void the_help_names_every_key(void **state)
{
    char *text = NULL;
    const char *at;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    rnn_config_print_help(out);
    fclose(out);
    at = text;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        char wanted[64];

        snprintf(wanted, sizeof wanted, "\n  %s: ", rnn_config_key_name(&rnn_config_keys[k]));
        at = strstr(at, wanted);
        if (at == NULL)
            fail_msg("no help for %s", rnn_config_keys[k].path);
    }
    assert_non_null(strstr(text, "Default 0.001 for sgd, adam, adamw; 1.0 for adadelta; "
                                 "0.01 for adagrad, rmsprop; 0.002 for adamax, nadam\n"));
    assert_non_null(strstr(text, "      Default 0.9\n"));
    free(text);
}

static void deciders_come_before_the_keys_they_decide(void **state)
{
    (void)state;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];

        if (key->types != 0 || key->optimizer_offset != 0)
            assert_true(rnn_config_key_decider(key) < key);
    }
}

static void recipes_are_valid(void **state)
{
    static const struct {
        const char *name;
        rnn_layer_type type;
        double clip_norm;
    } recipes[] = {{"mnist", RNN_LAYER_LSTM, 0.0},
                   {"mnist-gru", RNN_LAYER_GRU, 0.0},
                   {"mnist-rnn", RNN_LAYER_RNN, 1.0}};

    (void)state;
    for (size_t i = 0; i < N_OF(recipes); i++) {
        char path[1024];
        rnn_config c;

        snprintf(path, sizeof path, RNN_SOURCE_DIR "/launch/recipes/%s.toml", recipes[i].name);
        if (rnn_config_load(&c, path, NULL, 0) != RNN_OK)
            fail_msg("%s", rnn_error_message());
        assert_string_equal(c.run.name, recipes[i].name);
        assert_int_equal(c.run.epochs, 10);
        assert_int_equal(c.dataset.search.count, 3);
        assert_int_equal(c.dataset.sequence, RNN_SEQUENCE_COLUMNS);
        assert_int_equal(c.n_layers, 3);
        assert_int_equal(c.layer[0].type, recipes[i].type);
        assert_int_equal(c.layer[0].hidden_size, 100);
        assert_int_equal(c.layer[0].num_layers, 2);
        assert_int_equal(c.layer[2].out_features, 10);
        assert_int_equal(c.optimizer.type, RNN_OPTIMIZER_ADADELTA);
        assert_true(c.optimizer.lr == 0.1);
        assert_true(c.optimizer.clip_norm == recipes[i].clip_norm);
        rnn_config_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(optimizer_defaults_follow_the_type),
        cmocka_unit_test(choices_are_in_the_order_of_their_enums),
        cmocka_unit_test(integers_are_accepted_where_numbers_are_expected),
        cmocka_unit_test(layers_may_be_an_array_of_inline_tables),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(values_out_of_bounds_are_refused),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest_known),
        cmocka_unit_test(tables_must_be_tables),
        cmocka_unit_test(missing_keys_name_their_table),
        cmocka_unit_test(keys_of_other_types_are_refused),
        cmocka_unit_test(only_a_tied_linear_can_do_without_out_features),
        cmocka_unit_test(one_cycle_has_torchs_defaults),
        cmocka_unit_test(every_format_has_its_own_keys),
        cmocka_unit_test(lists_hold_a_bounded_number_of_strings),
        cmocka_unit_test(keys_are_checked_together),
        cmocka_unit_test(at_least_one_and_at_most_64_layers),
        cmocka_unit_test(long_strings_are_shortened_in_messages),
        cmocka_unit_test(syntax_errors_keep_their_place),
        cmocka_unit_test(a_missing_file_is_a_missing_input),
        cmocka_unit_test(layer_defaults_are_those_of_the_library),
        cmocka_unit_test(layer_keys_have_the_types_and_bounds_of_the_arguments),
        cmocka_unit_test(layer_values_are_bounded),
        cmocka_unit_test(initialisers_are_read_with_torchs_defaults),
        cmocka_unit_test(malformed_initialisers_are_refused),
        cmocka_unit_test(overlong_initialisers_are_refused),
        cmocka_unit_test(overrides_replace_values),
        cmocka_unit_test(wrong_overrides_are_refused),
        cmocka_unit_test(overrides_without_key_or_value_are_usage_errors),
        cmocka_unit_test(overlong_keys_are_unknown),
        cmocka_unit_test(overrides_must_be_utf8),
        cmocka_unit_test(the_canonical_text_reads_back_to_itself),
        cmocka_unit_test(the_canonical_text_has_every_key_that_applies),
        cmocka_unit_test(equal_configurations_print_equal_bytes),
        cmocka_unit_test(only_steering_keys_may_change_on_resume),
        cmocka_unit_test(another_number_of_layers_cannot_be_resumed),
        cmocka_unit_test(the_help_names_every_key),
        cmocka_unit_test(deciders_come_before_the_keys_they_decide),
        cmocka_unit_test(recipes_are_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
