#include "launch/help.h"

#include <stdbool.h>
#include <string.h>

static const char help_text[] =
    "usage: rnntrain [OPTION...] CONFIG         train the network CONFIG describes\n"
    "       rnntrain bench [OPTION...] [CONFIG] time its step against the bare oneDNN primitives,\n"
    "                                           or steps of many shapes on made-up data\n"
    "       rnntrain plan --ranks R --network LATENCY,BANDWIDTH [OPTION...] CONFIG\n"
    "                                           predict its step on so many nodes\n"
    "       rnntrain show [OPTION...] CONFIG    print parameters and shapes of its model\n"
    "       rnntrain show CHECKPOINT            the same of the model in a checkpoint\n"
    "       rnntrain export CHECKPOINT -o FILE  write its weights as a state_dict in HDF5, or the\n"
    "                                           model as ONNX if FILE ends in .onnx\n"
    "       rnntrain diff CHECKPOINT CHECKPOINT how the second differs from the first\n"
    "       rnntrain verify RUN|CHECKPOINT...   whether every byte and digest is as it was "
    "written\n"
    "       rnntrain import --from FILE CONFIG  begin the run of CONFIG with such weights\n"
    "       rnntrain eval CHECKPOINT [DATA]     how good a trained model is, on DATA or its own "
    "data\n"
    "       rnntrain predict CHECKPOINT [DATA] -o FILE  what it answers, as a .csv or .h5 file\n"
    "       rnntrain sample CHECKPOINT          let a model of texts write\n"
    "       rnntrain plot RUN... [-o FILE]      draw loss, metrics, speed and time of runs\n"
    "       rnntrain top RUN                    follow a run while it trains\n"
    "       rnntrain sweep --grid KEY=VALUE,VALUE [OPTION...] CONFIG\n"
    "                                           train with every combination of these values\n"
    "\n"
    "CONFIG is a TOML file, or the name of an installed recipe such as mnist.toml.\n"
    "RUN is the folder of a run, such as runs/mnist, or the metrics.jsonl in it.\n"
    "Run it under mpirun for several ranks: mpirun -n 4 rnntrain mnist.toml\n"
    "\n"
    "  --set KEY=VALUE   train, bench, plan, show, import, eval, predict, sweep: override a key,\n"
    "                    e.g. --set optimizer.lr=0.01; may be repeated; layers by number:\n"
    "                    layer.0.hidden_size=64\n"
    "  --from FILE       import: the weights, as h5py writes a PyTorch state_dict; matched to the\n"
    "                    layers by names and shapes. The next rnntrain CONFIG trains on from them\n"
    "  --cell CELL       bench without CONFIG: lstm, gru or rnn alone\n"
    "  --shape T,B,I,H,L bench without CONFIG: so many steps, samples in a batch, inputs, units "
    "and\n"
    "                    layers, in place of the shapes that are built in\n"
    "  --rounds N        bench: rounds of which it prints medians; default 15\n"
    "  --json            bench: a line of JSON for every shape\n"
    "  -o, --output FILE export, predict, plot, sweep: the file to write. export: .onnx, or\n"
    "                    .h5 for a state_dict; predict: .csv or .h5; plot: .svg, .png, or .html\n"
    "                    with tables, by gnuplot, default plot.svg in the folder of the first\n"
    "                    RUN; sweep: its folder, default runs/NAME-sweep\n"
    "  --ascii           plot: to the standard output, as wide as the terminal, without gnuplot\n"
    "  --once            top: print one screen and exit\n"
    "  --tolerance X     diff: numbers up to X apart count as equal; default 0\n"
    "  --ranks R         plan: ranks, each a node with the threads that this one has\n"
    "  --network L,B     plan: latency and bandwidth between them, such as 24us,10Gbit; units ns, "
    "us,\n"
    "                    ms, s and kbit, Mbit, Gbit, MB, GB a second\n"
    "  --prompt TEXT     sample: what the text begins with; default \"\"\n"
    "  --length N        sample: characters or words to write; default 500\n"
    "  --temperature T   sample: below 1 likelier, above 1 freer, 0 always the likeliest; default "
    "1\n"
    "  --top-k K         sample: choose among the K likeliest; default 0 = all\n"
    "  --seed S          sample: another one, another text; default 1\n"
    "  --grid KEY=V1,V2  sweep: values that a key takes; may be repeated. Commas in brackets or\n"
    "                    quotes belong to a value\n"
    "  --parallel N      sweep: runs at a time, between which the cores are divided; default 1\n"
    "  --by METRIC       sweep: what makes a run the best, such as valid.loss; default as\n"
    "                    checkpoint.best\n"
    "  --trace FILE      train: also write what every thread of every rank did when, for\n"
    "                    ui.perfetto.dev or chrome://tracing\n"
    "  --check           train: check configuration, data and model, print what would run and the\n"
    "                    memory it takes, and exit\n"
    "  --help            this text; after a command, what is about it\n"
    "  --help-config     every key of the configuration with bounds and default\n"
    "  --keys            the keys alone, a line each with the words that it takes\n"
    "  --version         versions of the program and of its libraries\n"
    "\n"
    "Exit status: 0 done, 1 diff: they differ, 64 command line, 65 bad content of configuration, "
    "data\n"
    "or checkpoint, 66 missing input, 69 unusable environment, 70 internal fault, 71 out of "
    "memory,\n"
    "74 I/O error, 75 stopped early and resumable, 76 ranks disagree, 77 numbers not finite.\n";

enum { ABOUT = 20 }; /* where an option's explanation begins: with the commands it is for */

/* Whether an explanation begins with a list such as "export, plot: " that has the command. */
static bool is_for(const char *about, const char *command)
{
    while (true) {
        size_t length = strspn(about, "abcdefghijklmnopqrstuvwxyz");
        bool is_end = about[length] == ':' || strncmp(about + length, " without ", 9) == 0;

        if (length == 0 || (about[length] != ',' && !is_end))
            return false;
        if (length == strlen(command) && memcmp(about, command, length) == 0)
            return true;
        if (is_end)
            return false;
        about += length + strlen(", ");
    }
}

/* Whether a line of usage, after "usage: " or as much space, is the command's. */
static bool is_usage(const char *line, const char *command)
{
    static const char program[] = "rnntrain ";
    size_t length = strlen(command);

    return strncmp(line, program, strlen(program)) == 0 &&
           strncmp(line + strlen(program), command, length) == 0 &&
           line[strlen(program) + length] == ' ';
}

/* Its lines of usage and its options, each with the lines that go on with it. */
static void print_command(FILE *out, const char *command)
{
    static const char usage[] = "usage: ";
    size_t n_usage = 0, n_options = 0;
    bool is_shown = false;

    for (const char *line = help_text; *line != '\0'; line = strchr(line, '\n') + 1) {
        int length = (int)(strchr(line, '\n') - line), skip = 0;

        if (strncmp(line, "  -", 3) == 0) {
            is_shown = is_for(line + ABOUT, command);
            if (is_shown && n_options++ == 0)
                fputc('\n', out);
        } else if (strncmp(line, "          ", 10) != 0) {
            skip = (int)strlen(usage);
            is_shown = length > skip && is_usage(line + skip, command);
            if (is_shown)
                fputs(n_usage++ == 0 ? usage : "       ", out);
        }
        if (is_shown)
            fprintf(out, "%.*s\n", length - skip, line + skip);
    }
    fputs("\nrnntrain --help has all commands and the exit statuses, rnntrain(1) more.\n", out);
}

void rnn_help_print(FILE *out, const char *command)
{
    if (command == NULL)
        fputs(help_text, out);
    else
        print_command(out, command);
}
