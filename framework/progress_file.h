/*
 * progress.json: where a run is right now, in one line that it writes over once a second, for
 * those who watch. The process that trains holds a lock on the file, so that a run which was killed
 * can be told from one that is busy.
 */
#ifndef RNN_FRAMEWORK_PROGRESS_FILE_H
#define RNN_FRAMEWORK_PROGRESS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#define RNN_PROGRESS_FILE "progress.json"

typedef enum rnn_run_state {
    RNN_RUN_TRAINS,
    RNN_RUN_DONE,
    RNN_RUN_STOPPED, /* as asked, resumable */
    RNN_RUN_FAILED,
    RNN_RUN_N_STATES
} rnn_run_state;

/* Numbers are NAN where there is none. */
typedef struct rnn_progress_now {
    rnn_run_state state;
    char message[256]; /* why it stopped or failed; else "" */
    char host[65];
    int64_t pid, started, updated;            /* seconds since 1970 */
    uint64_t epoch, n_epochs;                 /* finished; in all, 0 if steps limit the run */
    uint64_t batch, n_batches;                /* of the running epoch */
    uint64_t step, total_steps;               /* finished; in all */
    double train_loss, train_accuracy;        /* of the running epoch so far */
    double samples_per_second, epoch_seconds; /* likewise */
    double lr;
} rnn_progress_now;

typedef struct rnn_progress_file rnn_progress_file;

/*
 * Opens folder/progress.json, creating it if need be, and locks it as far as the file system can;
 * *is_shared: another process holds the lock. RNN_ERR_IO.
 */
rnn_status rnn_progress_open(rnn_progress_file **out, const char *folder, bool *is_shared);
void rnn_progress_close(rnn_progress_file **file);

/* Writes it with this process, this host and this time. RNN_ERR_IO, RNN_ERR_MEMORY. */
rnn_status rnn_progress_write(rnn_progress_file *file, const rnn_progress_now *now);

/* Who holds the lock. */
typedef enum rnn_life { RNN_LIFE_UNKNOWN, RNN_LIFE_LIVES, RNN_LIFE_ENDED } rnn_life;

/*
 * Reads folder/progress.json; *life tells whether its writer still runs, UNKNOWN if the file system
 * has no locks. RNN_ERR_NOINPUT if there is none, RNN_ERR_DATA if it is no such file.
 */
rnn_status rnn_progress_read(rnn_progress_now *now, const char *folder, rnn_life *life);

/* "training", "done", "stopped", "failed"; static. */
const char *rnn_run_state_name(rnn_run_state state);

#endif
