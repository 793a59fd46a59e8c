/*
 * rnntrain plot: draws what runs have written of their epochs.
 */
#ifndef RNN_FRAMEWORK_PLOT_H
#define RNN_FRAMEWORK_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "framework/plot_panels.h"

typedef struct rnn_plot_cfg {
    const char *const *runs; /* folders, or their metrics.jsonl; lent */
    size_t n_runs;           /* 1 .. RNN_PLOT_MAX_RUNS */
    const char *output;      /* .svg, .png or .html; NULL: plot.svg in the first run's folder */
    bool is_ascii;           /* to the standard output, and no file unless output is given */
} rnn_plot_cfg;

/*
 * Draws to the file, whose name it prints to `out`, or characters to `out`. RNN_ERR_USAGE for a
 * file of another kind, RNN_ERR_NOINPUT, RNN_ERR_DATA if a run has no epoch, RNN_ERR_UNAVAILABLE
 * without gnuplot, RNN_ERR_IO.
 */
rnn_status rnn_plot_draw(const rnn_plot_cfg *cfg, FILE *out);

#endif
