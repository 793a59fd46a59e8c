/*
 * rnntrain sweep: runs for every combination of some keys' values, several beside each other, and a
 * table of what they came to.
 */
#ifndef RNN_FRAMEWORK_SWEEP_H
#define RNN_FRAMEWORK_SWEEP_H

#include <stddef.h>
#include <stdio.h>

#include "framework/sweep_grid.h"
#include "kernels/status.h"

enum { RNN_SWEEP_MAX_PARALLEL = 1024 };

typedef struct rnn_sweep_cfg {
    const char *config; /* a file */
    const char *const *overrides;
    size_t n_overrides;
    const char *grid[RNN_GRID_MAX_AXES]; /* KEY=VALUE,VALUE */
    size_t n_axes;
    size_t parallel;    /* runs at a time; the cores are divided between them */
    const char *by;     /* the metric, NULL: as checkpoint.best */
    const char *folder; /* NULL: runs/ and the run's name and "-sweep" */
} rnn_sweep_cfg;

/*
 * Checks all combinations, then starts this program for each of them, in a folder below `folder`
 * that is named by its values; standard output and error go into the file "log" there. Runs that
 * are finished already are not started, others resume. Prints to `out` as runs end, and all of them
 * at the end, sorted by the metric; sweep.tsv and sweep.jsonl in `folder` have the same.
 *
 * SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 ask the runs for a checkpoint and the end; another
 * one, a second later or more, ends them at once.
 *
 * RNN_ERR_USAGE and RNN_ERR_DATA for what does not fit, before anything is started; RNN_STOPPED
 * after a signal; if runs have failed, the status of the first of them, in the order of the grid.
 */
rnn_status rnn_sweep(const rnn_sweep_cfg *cfg, FILE *out);

#endif
