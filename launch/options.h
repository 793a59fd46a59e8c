/*
 * The command line.
 */
#ifndef RNN_LAUNCH_OPTIONS_H
#define RNN_LAUNCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/bench.h"
#include "framework/forecast.h"
#include "framework/plot.h"
#include "framework/sweep.h"
#include "framework/write_text.h"
#include "kernels/status.h"

typedef enum rnn_command {
    RNN_COMMAND_TRAIN,
    RNN_COMMAND_CHECK,
    RNN_COMMAND_BENCH,
    RNN_COMMAND_PLAN,
    RNN_COMMAND_IMPORT,
    RNN_COMMAND_EVAL,
    RNN_COMMAND_PREDICT,
    RNN_COMMAND_SAMPLE,
    RNN_COMMAND_SHOW, /* from here on: without MPI */
    RNN_COMMAND_EXPORT,
    RNN_COMMAND_PLOT,
    RNN_COMMAND_TOP,
    RNN_COMMAND_SWEEP,
    RNN_COMMAND_DIFF,
    RNN_COMMAND_VERIFY,
    RNN_COMMAND_HELP, /* from here on: without a configuration */
    RNN_COMMAND_HELP_CONFIG,
    RNN_COMMAND_KEYS,
    RNN_COMMAND_VERSION
} rnn_command;

enum { RNN_OPTIONS_MAX_OVERRIDES = 64 };

/* Strings are lent by argv. */
typedef struct rnn_options {
    rnn_command command;
    const char *about;  /* --help: the command it stands with; NULL: all */
    const char *config; /* file or recipe name; for show also, for export and what uses a trained
                           model only a checkpoint; for plot and top the (first) run; NULL:
                           bench goes through shapes */
    const char *data;   /* eval, predict: other data than the configuration's; diff: the second
                           checkpoint; else NULL */
    const char *const *words; /* [n_words] all of them, config the first; lent by argv too */
    size_t n_words;
    const char *weights; /* import: --from, export: -o; else NULL */
    const char *output;  /* predict, sweep: -o; else NULL */
    const char *trace;   /* training: --trace; else NULL */
    rnn_plot_cfg plot;   /* plot; its runs are words of argv */
    bool once;           /* top: --once */
    double tolerance;    /* diff */
    rnn_write_cfg write; /* sample */
    rnn_sweep_cfg sweep; /* sweep: what its own options say */
    rnn_bench_cfg bench;
    size_t n_ranks;      /* plan */
    rnn_network network; /* plan */
    const char *overrides[RNN_OPTIONS_MAX_OVERRIDES];
    size_t n_overrides;
} rnn_options;

/* RNN_ERR_USAGE with a sentence for anything not understood. */
rnn_status rnn_options_parse(rnn_options *out, int argc, char **argv);

/*
 * The file behind the configuration's name: the name itself if there is such a file, else, for a
 * name without a slash, the recipe installed beside the program or kept in its source tree.
 * RNN_ERR_NOINPUT names every place. rnn_free memory.
 */
rnn_status rnn_options_find_config(const char *name, char **path);

#endif
