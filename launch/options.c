#include "launch/options.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/memory.h"
#include "launch/bench_options.h"

enum { PATH_SIZE = 4096 };

static rnn_status add_override(rnn_options *out, const char *text)
{
    if (out->n_overrides == RNN_OPTIONS_MAX_OVERRIDES)
        return RNN_FAIL(RNN_ERR_USAGE, "more than %d --set options", RNN_OPTIONS_MAX_OVERRIDES);
    out->overrides[out->n_overrides++] = text;
    return RNN_OK;
}

/* What was given beside the words and --set. */
typedef struct extras {
    bool check;
    const char *from, *output, *trace;
    const char *sampling; /* the last option of sample */
    const char *benching; /* the last option of bench */
    const char *picking;  /* the last one that picks what it goes through */
    const char *network;  /* of plan */
    bool has_tolerance;   /* of diff */
    bool has_ranks;
    bool is_ascii;        /* plot */
    bool once;            /* top */
    const char *sweeping; /* the last option of sweep */
} extras;

/* Words that come before what they are about; without one, the command is to train. */
typedef struct subcommand {
    const char *name, *object;
    rnn_command command;
    bool takes_data;   /* a second word; of diff it has to be there */
    bool may_be_alone; /* without its object */
    bool takes_many;   /* of its objects */
} subcommand;

static const subcommand subcommands[] = {
    {"bench", "configuration", RNN_COMMAND_BENCH, false, true, false},
    {"plan", "configuration", RNN_COMMAND_PLAN, false, false, false},
    {"show", "configuration or checkpoint", RNN_COMMAND_SHOW, false, false, false},
    {"export", "checkpoint", RNN_COMMAND_EXPORT, false, false, false},
    {"diff", "checkpoint", RNN_COMMAND_DIFF, true, false, false},
    {"verify", "run or checkpoint", RNN_COMMAND_VERIFY, false, false, true},
    {"import", "configuration", RNN_COMMAND_IMPORT, false, false, false},
    {"eval", "checkpoint", RNN_COMMAND_EVAL, true, false, false},
    {"predict", "checkpoint", RNN_COMMAND_PREDICT, true, false, false},
    {"sample", "checkpoint", RNN_COMMAND_SAMPLE, false, false, false},
    {"plot", "run", RNN_COMMAND_PLOT, false, false, true},
    {"top", "run", RNN_COMMAND_TOP, false, false, false},
    {"sweep", "configuration", RNN_COMMAND_SWEEP, false, false, false},
};
static const subcommand training = {NULL, "configuration", RNN_COMMAND_TRAIN, false, false, false};

static const subcommand *find_subcommand(const char *word)
{
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        if (strcmp(subcommands[i].name, word) == 0)
            return &subcommands[i];
    return NULL;
}

/* --from, --trace and -o belong to some commands; --from and -o have to be there. */
static rnn_status take_files(rnn_options *out, const extras *given)
{
    bool is_import = out->command == RNN_COMMAND_IMPORT;
    bool is_export = out->command == RNN_COMMAND_EXPORT;
    bool is_predict = out->command == RNN_COMMAND_PREDICT;
    bool is_plot = out->command == RNN_COMMAND_PLOT, is_sweep = out->command == RNN_COMMAND_SWEEP;

    if (given->from != NULL && !is_import)
        return RNN_FAIL(RNN_ERR_USAGE, "--from is only for rnntrain import");
    if (given->output != NULL && !is_export && !is_predict && !is_plot && !is_sweep)
        return RNN_FAIL(RNN_ERR_USAGE, "-o is only for rnntrain export, predict, plot and sweep");
    if (given->trace != NULL && out->command != RNN_COMMAND_TRAIN)
        return RNN_FAIL(RNN_ERR_USAGE, "--trace is only for training");
    if (is_import && given->from == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "import: no weights given (--from FILE)");
    if ((is_export || is_predict) && given->output == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: no file to write given (-o FILE)",
                        is_export ? "export" : "predict");
    if (is_export && out->n_overrides > 0)
        return RNN_FAIL(RNN_ERR_USAGE, "export and --set do not go together");
    out->weights = is_import ? given->from : is_export ? given->output : NULL;
    out->output = is_predict || is_sweep ? given->output : NULL;
    out->trace = given->trace;
    return RNN_OK;
}

static rnn_status check_sampling(const rnn_options *out, const extras *given)
{
    bool is_sample = out->command == RNN_COMMAND_SAMPLE;

    if (given->sampling != NULL && !is_sample)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s is only for rnntrain sample", given->sampling);
    if (is_sample && out->n_overrides > 0)
        return RNN_FAIL(RNN_ERR_USAGE, "sample and --set do not go together");
    return RNN_OK;
}

static rnn_status check_benching(const rnn_options *out, const extras *given)
{
    if (given->benching != NULL && out->command != RNN_COMMAND_BENCH)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s is only for rnntrain bench", given->benching);
    if (given->picking != NULL && out->config != NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s and a configuration do not go together: \"%s\"",
                        given->picking, out->config);
    return RNN_OK;
}

/* A whole number from 0 to `max`. */
static rnn_status take_count(uint64_t *out, const char *option, const char *text, uint64_t max)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *out > max)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "--%s: expected a whole number from 0 to %" PRIu64 ", found \"%.40s\"",
                        option, max, text);
    return RNN_OK;
}

/* A finite number from 0 on. */
static rnn_status take_positive(double *out, const char *option, const char *text)
{
    char *end;

    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*out) || *out < 0.0)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s: expected a number from 0 on, found \"%.40s\"", option,
                        text);
    return RNN_OK;
}

/* --ranks and --network belong to plan, which cannot do without. */
static rnn_status take_plan(rnn_options *out, const extras *given)
{
    if (out->command != RNN_COMMAND_PLAN && (given->has_ranks || given->network != NULL))
        return RNN_FAIL(RNN_ERR_USAGE, "--%s is only for rnntrain plan",
                        given->has_ranks ? "ranks" : "network");
    if (out->command != RNN_COMMAND_PLAN)
        return RNN_OK;
    if (out->n_ranks == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "plan: no ranks given (--ranks R)");
    if (given->network == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "plan: no network given (--network 24us,10Gbit)");
    return rnn_network_parse(&out->network, given->network);
}

/* --ascii belongs to plot, --once to top; neither knows a configuration to change. */
static rnn_status take_watching(rnn_options *out, const extras *given, size_t n_runs, char **runs)
{
    bool is_plot = out->command == RNN_COMMAND_PLOT, is_top = out->command == RNN_COMMAND_TOP;

    if (given->is_ascii && !is_plot)
        return RNN_FAIL(RNN_ERR_USAGE, "--ascii is only for rnntrain plot");
    if (given->once && !is_top)
        return RNN_FAIL(RNN_ERR_USAGE, "--once is only for rnntrain top");
    if ((is_plot || is_top) && out->n_overrides > 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s and --set do not go together", is_plot ? "plot" : "top");
    if (is_plot && n_runs > RNN_PLOT_MAX_RUNS)
        return RNN_FAIL(RNN_ERR_USAGE, "plot: expected at most %d runs, found %zu",
                        RNN_PLOT_MAX_RUNS, n_runs);
    out->once = given->once;
    if (is_plot)
        out->plot = (rnn_plot_cfg){.runs = (const char *const *)runs,
                                   .n_runs = n_runs,
                                   .output = given->output,
                                   .is_ascii = given->is_ascii};
    return RNN_OK;
}

/* --grid, --parallel and --by belong to sweep, which cannot do without the first. */
static rnn_status check_sweep(const rnn_options *out, const extras *given)
{
    if (given->sweeping != NULL && out->command != RNN_COMMAND_SWEEP)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s is only for rnntrain sweep", given->sweeping);
    if (out->command == RNN_COMMAND_SWEEP && out->sweep.n_axes == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "sweep: no values given (--grid optimizer.lr=0.1,0.01)");
    return RNN_OK;
}

/* An option of sweep. */
static rnn_status take_sweep(rnn_sweep_cfg *out, const char *option, const char *text)
{
    uint64_t count;

    if (strcmp(option, "by") == 0) {
        out->by = text;
        return RNN_OK;
    }
    if (strcmp(option, "grid") == 0) {
        if (out->n_axes == RNN_GRID_MAX_AXES)
            return RNN_FAIL(RNN_ERR_USAGE, "more than %d --grid options", RNN_GRID_MAX_AXES);
        out->grid[out->n_axes++] = text;
        return RNN_OK;
    }
    RNN_TRY(take_count(&count, option, text, RNN_SWEEP_MAX_PARALLEL));
    if (count == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "--%s: expected at least 1, found 0", option);
    out->parallel = (size_t)count;
    return RNN_OK;
}

static rnn_status check_comparing(const rnn_options *out, const extras *given)
{
    bool is_diff = out->command == RNN_COMMAND_DIFF, is_verify = out->command == RNN_COMMAND_VERIFY;

    if (given->has_tolerance && !is_diff)
        return RNN_FAIL(RNN_ERR_USAGE, "--tolerance is only for rnntrain diff");
    if (is_diff && out->data == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "diff: expected two checkpoints, found only \"%s\"",
                        out->config);
    if ((is_diff || is_verify) && out->n_overrides > 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s and --set do not go together",
                        is_diff ? "diff" : "verify");
    return RNN_OK;
}

/* Too many words. A first one that is like no file was meant as a command. */
static rnn_status refuse_words(const subcommand *sub, char **words)
{
    bool is_diff = sub->command == RNN_COMMAND_DIFF;

    if (sub == &training && strpbrk(words[0], "./") == NULL)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "unknown command \"%s\": expected a configuration to train, or a command "
                        "(try rnntrain --help)",
                        words[0]);
    return RNN_FAIL(RNN_ERR_USAGE, "%s %s at a time: \"%s\" is too much", is_diff ? "two" : "one",
                    is_diff           ? "checkpoints"
                    : sub->takes_data ? "data set"
                                      : sub->object,
                    words[1 + sub->takes_data]);
}

static rnn_status take_words(rnn_options *out, const extras *given, int n_words, char **words)
{
    const subcommand *sub = n_words > 0 ? find_subcommand(words[0]) : NULL;

    if (sub != NULL) {
        if (given->check)
            return RNN_FAIL(RNN_ERR_USAGE, "%s and --check do not go together", sub->name);
        n_words--;
        words++;
    } else {
        sub = &training;
    }
    out->command = given->check ? RNN_COMMAND_CHECK : sub->command;
    if (n_words == 0 && !sub->may_be_alone)
        return RNN_FAIL(RNN_ERR_USAGE, "no %s given (try rnntrain --help)", sub->object);
    if (n_words > 1 + sub->takes_data && !sub->takes_many)
        return refuse_words(sub, words);
    out->config = n_words > 0 ? words[0] : NULL;
    out->data = n_words > 1 && sub->takes_data ? words[1] : NULL;
    out->words = (const char *const *)words;
    out->n_words = (size_t)n_words;
    RNN_TRY(take_files(out, given));
    RNN_TRY(check_benching(out, given));
    RNN_TRY(take_plan(out, given));
    RNN_TRY(take_watching(out, given, (size_t)n_words, words));
    RNN_TRY(check_sweep(out, given));
    RNN_TRY(check_comparing(out, given));
    return check_sampling(out, given);
}

/* The first word that is one; NULL if there is none. */
static const char *first_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (find_subcommand(argv[i]) != NULL)
            return argv[i];
    return NULL;
}

/* Where getopt stopped; within a cluster of letters it has not gone on to the next word yet. */
static rnn_status refuse(const char *word)
{
    if (optopt >= ' ')
        return RNN_FAIL(RNN_ERR_USAGE, "unknown option -%c (try rnntrain --help)", optopt);
    if (optopt != 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: this option takes no value (try rnntrain --help)",
                        word);
    return RNN_FAIL(RNN_ERR_USAGE, "unknown option %s (try rnntrain --help)", word);
}

rnn_status rnn_options_parse(rnn_options *out, int argc, char **argv)
{
    enum {
        SET = 1,
        CHECK,
        FROM,
        OUTPUT,
        TRACE,
        ASCII,
        ONCE,
        PROMPT,
        LENGTH,
        TEMPERATURE,
        TOP_K,
        SEED,
        CELL,
        SHAPE,
        ROUNDS,
        JSON,
        RANKS,
        NETWORK,
        GRID,
        PARALLEL,
        BY,
        TOLERANCE,
        HELP,
        HELP_CONFIG,
        KEYS,
        VERSION
    };
    static const struct option known[] = {{"set", required_argument, NULL, SET},
                                          {"check", no_argument, NULL, CHECK},
                                          {"from", required_argument, NULL, FROM},
                                          {"output", required_argument, NULL, OUTPUT},
                                          {"trace", required_argument, NULL, TRACE},
                                          {"ascii", no_argument, NULL, ASCII},
                                          {"once", no_argument, NULL, ONCE},
                                          {"prompt", required_argument, NULL, PROMPT},
                                          {"length", required_argument, NULL, LENGTH},
                                          {"temperature", required_argument, NULL, TEMPERATURE},
                                          {"top-k", required_argument, NULL, TOP_K},
                                          {"seed", required_argument, NULL, SEED},
                                          {"cell", required_argument, NULL, CELL},
                                          {"shape", required_argument, NULL, SHAPE},
                                          {"rounds", required_argument, NULL, ROUNDS},
                                          {"json", no_argument, NULL, JSON},
                                          {"ranks", required_argument, NULL, RANKS},
                                          {"network", required_argument, NULL, NETWORK},
                                          {"grid", required_argument, NULL, GRID},
                                          {"parallel", required_argument, NULL, PARALLEL},
                                          {"by", required_argument, NULL, BY},
                                          {"tolerance", required_argument, NULL, TOLERANCE},
                                          {"help", no_argument, NULL, HELP},
                                          {"help-config", no_argument, NULL, HELP_CONFIG},
                                          {"keys", no_argument, NULL, KEYS},
                                          {"version", no_argument, NULL, VERSION},
                                          {NULL, 0, NULL, 0}};
    extras given = {0};
    uint64_t count;
    const char *about = first_command(argc, argv); /* before getopt has moved it */
    int option, index = 0;

    *out = (rnn_options){.command = RNN_COMMAND_TRAIN,
                         .bench = rnn_bench_options_default(),
                         .sweep = {.parallel = 1},
                         .write = {.prompt = "", .length = 500, .sampling = {1.0, 0, 1}}};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":ho:", known, &index)) != -1) {
        switch (option) {
        case SET:
            RNN_TRY(add_override(out, optarg));
            break;
        case CHECK:
            given.check = true;
            break;
        case FROM:
            given.from = optarg;
            break;
        case OUTPUT:
        case 'o':
            given.output = optarg;
            break;
        case TRACE:
            given.trace = optarg;
            break;
        case ASCII:
            given.is_ascii = true;
            break;
        case ONCE:
            given.once = true;
            break;
        case PROMPT:
            given.sampling = known[index].name;
            out->write.prompt = optarg;
            break;
        case LENGTH:
        case TOP_K:
        case SEED:
            given.sampling = known[index].name;
            RNN_TRY(take_count(&count, known[index].name, optarg,
                               option == SEED ? INT64_MAX : INT32_MAX));
            if (option == LENGTH)
                out->write.length = (size_t)count;
            else if (option == TOP_K)
                out->write.sampling.top_k = (size_t)count;
            else
                out->write.sampling.seed = count;
            break;
        case TEMPERATURE:
            given.sampling = known[index].name;
            RNN_TRY(take_positive(&out->write.sampling.temperature, "temperature", optarg));
            break;
        case CELL:
        case SHAPE:
        case ROUNDS:
        case JSON:
            given.benching = known[index].name;
            if (option == CELL || option == SHAPE)
                given.picking = known[index].name;
            RNN_TRY(rnn_bench_options_take(&out->bench, known[index].name, optarg));
            break;
        case RANKS:
            given.has_ranks = true;
            RNN_TRY(take_count(&count, known[index].name, optarg, INT32_MAX));
            out->n_ranks = (size_t)count;
            break;
        case NETWORK:
            given.network = optarg;
            break;
        case GRID:
        case PARALLEL:
        case BY:
            given.sweeping = known[index].name;
            RNN_TRY(take_sweep(&out->sweep, known[index].name, optarg));
            break;
        case TOLERANCE:
            given.has_tolerance = true;
            RNN_TRY(take_positive(&out->tolerance, "tolerance", optarg));
            break;
        case HELP:
        case 'h':
            out->command = RNN_COMMAND_HELP;
            out->about = about;
            return RNN_OK;
        case HELP_CONFIG:
            out->command = RNN_COMMAND_HELP_CONFIG;
            return RNN_OK;
        case KEYS:
            out->command = RNN_COMMAND_KEYS;
            return RNN_OK;
        case VERSION:
            out->command = RNN_COMMAND_VERSION;
            return RNN_OK;
        case ':':
            return RNN_FAIL(RNN_ERR_USAGE, "option %s wants a value (try rnntrain --help)",
                            argv[optind - 1]);
        default:
            return refuse(argv[optind - 1]);
        }
    }
    return take_words(out, &given, argc - optind, argv + optind);
}

/* The folder `relative` to the one this program lies in. */
static void beside_program(char *folder, const char *relative)
{
    char program[PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    program[length > 0 ? length : 0] = '\0';
    slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    if ((size_t)snprintf(folder, PATH_SIZE, "%s/%s", program, relative) >= PATH_SIZE)
        folder[0] = '\0';
}

static int is_recipe(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".toml") == 0;
}

/* Appends the names of the recipes in a folder, as many as fit. */
static void list_recipes(char *out, size_t size, const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_recipe, alphasort);

    for (int i = 0; i < n; i++) {
        size_t length = strlen(out);

        snprintf(out + length, size - length, "%s%s", i == 0 ? "; there are " : ", ",
                 entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

rnn_status rnn_options_find_config(const char *name, char **path)
{
    char beside[PATH_SIZE], candidate[2 * PATH_SIZE], tried[3 * PATH_SIZE] = "", recipes[1024] = "";
    const char *folders[] = {beside, RNN_RECIPE_DIR, RNN_SOURCE_RECIPE_DIR};

    if (access(name, F_OK) == 0 || strchr(name, '/') != NULL)
        return rnn_string_copy(path, name);
    beside_program(beside, "../share/rnntrain/recipes");
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(candidate, sizeof candidate, "%s/%s", folders[i], name);
        if (access(candidate, F_OK) == 0)
            return rnn_string_copy(path, candidate);
        snprintf(tried + strlen(tried), sizeof tried - strlen(tried), ", %s", folders[i]);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && recipes[0] == '\0'; i++)
        list_recipes(recipes, sizeof recipes, folders[i]);
    return RNN_FAIL(RNN_ERR_NOINPUT, "no configuration %s: looked in the current folder%s%s", name,
                    tried, recipes);
}
