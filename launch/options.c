#include "launch/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/memory.h"

enum { PATH_SIZE = 4096 };

static const char help_text[] =
    "usage: rnntrain [OPTION...] CONFIG         train the network CONFIG describes\n"
    "       rnntrain bench [OPTION...] CONFIG   time its step against the bare oneDNN primitives\n"
    "\n"
    "CONFIG is a TOML file, or the name of an installed recipe such as mnist.toml.\n"
    "Run it under mpirun for several ranks: mpirun -n 4 rnntrain mnist.toml\n"
    "\n"
    "  --set KEY=VALUE   override a key of the configuration, e.g. --set optimizer.lr=0.01;\n"
    "                    may be repeated; layers by number: layer.0.hidden_size=64\n"
    "  --check           check configuration, data and model, print what would run, and exit\n"
    "  --help            this text\n"
    "  --help-config     every key of the configuration with bounds and default\n"
    "  --version         version of the program\n"
    "\n"
    "Exit status: 0 done, 64 command line, 65 bad content of configuration, data or checkpoint,\n"
    "66 missing input, 69 unusable environment, 70 internal fault, 71 out of memory, 74 I/O "
    "error,\n"
    "75 stopped on request and resumable, 76 ranks disagree, 77 numbers not finite.\n";

void rnn_options_print_help(void)
{
    fputs(help_text, stdout);
}

static rnn_status add_override(rnn_options *out, const char *text)
{
    if (out->n_overrides == RNN_OPTIONS_MAX_OVERRIDES)
        return RNN_FAIL(RNN_ERR_USAGE, "more than %d --set options", RNN_OPTIONS_MAX_OVERRIDES);
    out->overrides[out->n_overrides++] = text;
    return RNN_OK;
}

static rnn_status take_words(rnn_options *out, int n_words, char **words)
{
    if (n_words > 0 && strcmp(words[0], "bench") == 0) {
        if (out->command == RNN_COMMAND_CHECK)
            return RNN_FAIL(RNN_ERR_USAGE, "bench and --check do not go together");
        out->command = RNN_COMMAND_BENCH;
        n_words--;
        words++;
    }
    if (n_words == 0)
        return RNN_FAIL(RNN_ERR_USAGE, "no configuration given (try rnntrain --help)");
    if (n_words > 1)
        return RNN_FAIL(RNN_ERR_USAGE, "one configuration at a time: \"%s\" is too much", words[1]);
    out->config = words[0];
    return RNN_OK;
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
    enum { SET = 1, CHECK, HELP, HELP_CONFIG, VERSION };
    static const struct option known[] = {
        {"set", required_argument, NULL, SET},   {"check", no_argument, NULL, CHECK},
        {"help", no_argument, NULL, HELP},       {"help-config", no_argument, NULL, HELP_CONFIG},
        {"version", no_argument, NULL, VERSION}, {NULL, 0, NULL, 0}};
    int option;

    *out = (rnn_options){.command = RNN_COMMAND_TRAIN};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case SET:
            RNN_TRY(add_override(out, optarg));
            break;
        case CHECK:
            out->command = RNN_COMMAND_CHECK;
            break;
        case HELP:
        case 'h':
            out->command = RNN_COMMAND_HELP;
            return RNN_OK;
        case HELP_CONFIG:
            out->command = RNN_COMMAND_HELP_CONFIG;
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
    return take_words(out, argc - optind, argv + optind);
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

rnn_status rnn_options_find_config(const char *name, char **path)
{
    char beside[PATH_SIZE], candidate[2 * PATH_SIZE], tried[3 * PATH_SIZE] = "";
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
    return RNN_FAIL(RNN_ERR_NOINPUT, "no configuration %s: looked in the current folder%s", name,
                    tried);
}
