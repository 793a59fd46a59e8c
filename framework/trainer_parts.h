/*
 * What training consists of, for those who share the work: trainer.c goes through the epochs,
 * trainer_state.c writes and takes up checkpoints, trainer_history.c keeps the epochs' numbers,
 * trainer_watch.c judges what an epoch gave. Private to them and import.c.
 */
#ifndef RNN_FRAMEWORK_TRAINER_PARTS_H
#define RNN_FRAMEWORK_TRAINER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/checkpoint.h"
#include "framework/config.h"
#include "framework/report.h"
#include "framework/run.h"
#include "kernels/status.h"

typedef struct rnn_trainer {
    rnn_run *run;
    rnn_report *report;
    rnn_progress progress;
    rnn_history history;
    size_t history_room;       /* rows */
    float *carried;            /* states of all rows, as of the last checkpoint; else NULL */
    rnn_optimizer *whole;      /* rank 0's while a checkpoint is written or read, if states are
                                  shared out; else NULL */
    double last_checkpoint;    /* monotonic seconds; rank 0's clock decides */
    int failed_checkpoints;    /* in a row */
    uint64_t compared_step;    /* after which the ranks had the same bits; 0 = not yet */
    double checkpoint_seconds; /* that the rehearsal of one took */
    bool bound_is_shown;       /* how long a stop may take */
    uint64_t n_skipped, n_skipped_in_row; /* steps, since this start */
    double waited;                        /* for data, before this epoch; seconds */
    rnn_timeline *timeline;               /* of the time split, unless the run is traced */
    rnn_time_split split_begin;           /* as of the begin of this epoch, at: */
    double split_clock;                   /* monotonic seconds */
    double clock; /* when progress.epoch_seconds was last brought up to date */
} rnn_trainer;

/* A training of `run` that has not begun. */
rnn_trainer rnn_trainer_begin(rnn_run *run);

/* Whether this is the rank that reads and writes files. */
bool rnn_trainer_is_first(const rnn_trainer *t);

/* Adds the time since the last call to the epoch's. */
void rnn_trainer_advance_clock(rnn_trainer *t);

/* Rank 0 records where its time goes, if metrics.jsonl is written: its sums alone, no spans. */
rnn_status rnn_trainer_begin_clocks(rnn_trainer *t);
void rnn_trainer_end_clocks(rnn_trainer *t);

/* Around the batches of an epoch; what they took, nothing if no time is recorded. */
void rnn_trainer_start_clocks(rnn_trainer *t);
rnn_time_split rnn_trainer_split_clocks(const rnn_trainer *t);

bool rnn_trainer_epoch_is_complete(const rnn_trainer *t);

/* Adds a finished epoch to the history. */
rnn_status rnn_trainer_append_history(rnn_trainer *t, const rnn_epoch_summary *summary);

/* -- trainer_state.c --------------------------------------------------------------------------- */

/*
 * Collective. Rank 0 writes, all learn the outcome. A failed write of a run that goes on is only
 * warned about, a few times in a row; *path may be NULL.
 */
rnn_status rnn_trainer_save(rnn_trainer *t, bool is_best, bool is_final, char **path);

/*
 * Collective. Before training: rank 0 writes a whole checkpoint and removes it, so that a full disk
 * is known now and not after hours. RNN_ERR_IO.
 */
rnn_status rnn_trainer_rehearse(rnn_trainer *t);

/* Collective. Compares the ranks' replicas, unless this step's are compared already. */
rnn_status rnn_trainer_compare_replicas(rnn_trainer *t);

/* Rank 0: writes a checkpoint, marks and removes others as configured. */
rnn_status rnn_trainer_write_files(rnn_trainer *t, bool is_best, char **path);

/* Rank 0: moves an earlier run's files out of the way. */
rnn_status rnn_trainer_set_aside(rnn_trainer *t);

/* Collective. Takes up the checkpoint that the configuration asks for, if there is one. */
rnn_status rnn_trainer_resume(rnn_trainer *t);

/* -- trainer_watch.c --------------------------------------------------------------------------- */

/* checkpoint.best as this run's task understands it. */
rnn_best rnn_trainer_best(const rnn_run *run, const rnn_config *config);

/* Whether there is a metric of every epoch, if something goes by it; RNN_ERR_DATA if not. */
rnn_status rnn_trainer_check_metric(const rnn_trainer *t);

/*
 * What the metric of an epoch, or of a part of one at the run's end, leads to; true if it is the
 * best so far.
 */
bool rnn_trainer_judge(rnn_trainer *t, const rnn_epoch_summary *summary);

/* Early stopping. */
bool rnn_trainer_has_lost_patience(const rnn_trainer *t);

#endif
