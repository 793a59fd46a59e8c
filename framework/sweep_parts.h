/*
 * What the files of rnntrain sweep share.
 */
#ifndef RNN_FRAMEWORK_SWEEP_PARTS_H
#define RNN_FRAMEWORK_SWEEP_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "framework/sweep.h"
#include "framework/sweep_result.h"

typedef enum rnn_sweep_state {
    RNN_SWEEP_WAITING,
    RNN_SWEEP_RUNNING,
    RNN_SWEEP_FINISHED,
    RNN_SWEEP_STOPPED, /* resumable */
    RNN_SWEEP_FAILED
} rnn_sweep_state;

/* One point of the grid. Strings are rnn_alloc memory. */
typedef struct rnn_sweep_run {
    char *name, *folder;
    char **overrides; /* [n_overrides of the sweep], all of them */
    uint64_t digest;  /* of its configuration */
    rnn_sweep_state state;
    int status; /* exit status; 128 and more: by a signal */
    pid_t process;
    size_t slot;    /* of the cores, while it runs */
    double seconds; /* begun at; when it has ended, how long it took; NAN: not known */
    rnn_sweep_result result;
} rnn_sweep_run;

typedef struct rnn_sweep_data {
    const rnn_sweep_cfg *cfg;
    rnn_grid grid;
    char *folder;
    rnn_sweep_run *runs; /* [grid.n_points] */
    size_t n_overrides;
    size_t n_ended; /* of the runs, also those of an earlier sweep */
    rnn_sweep_metric metric;
    int n_signals; /* that asked to stop */
    FILE *out;
} rnn_sweep_data;

/* Starts the run on the cores of its slot. RNN_ERR_IO, RNN_ERR_UNAVAILABLE. */
rnn_status rnn_sweep_start(rnn_sweep_data *sweep, rnn_sweep_run *run);

/* One line about a run that has ended, and why it has failed. */
void rnn_sweep_print_run(const rnn_sweep_data *sweep, const rnn_sweep_run *run);

/* All runs, the best first. RNN_ERR_MEMORY. */
rnn_status rnn_sweep_print_table(const rnn_sweep_data *sweep);

/* sweep.tsv and sweep.jsonl in the order of the grid. RNN_ERR_IO, RNN_ERR_MEMORY. */
rnn_status rnn_sweep_write_tables(const rnn_sweep_data *sweep);

const char *rnn_sweep_state_name(rnn_sweep_state state);

#endif
