/*
 * For the sources of dist/ only: ends the job when ranks wait for others in vain.
 *
 * A thread in every rank looks a few times a second whether the main thread is in the same
 * collective as before, and adds up for how long. It counts what it has lived through itself: while
 * the process is stopped, or the machine sleeps, no time passes. When the timeout is over it asks
 * the watchdogs of the other ranks where they are, beside MPI (dist/inquiry.h). If this rank still
 * waits when the answers are in, it prints one line that says for whom, tells the others, and all
 * of them leave by _exit(RNN_STOPPED), without touching files.
 *
 * If several ranks ask, the lowest prevails: the others heed it, and wait for its end instead.
 */
#ifndef RNN_DIST_WATCHDOG_H
#define RNN_DIST_WATCHDOG_H

#include "dist/inquiry.h"
#include "dist/whereabouts.h"
#include "kernels/status.h"

#define RNN_WATCHDOG_TIMEOUT 300.0 /* seconds, until told otherwise */

typedef struct rnn_watchdog rnn_watchdog;

/*
 * Starts the thread, also before MPI. `here` is lent, and written by the main thread only. `rank`
 * is for messages; -1 = not known yet. Until rnn_watchdog_connect there is nobody to ask. Errors:
 * RNN_ERR_UNAVAILABLE, RNN_ERR_MEMORY.
 */
rnn_status rnn_watchdog_start(rnn_watchdog **out, const rnn_whereabouts *here, int rank);

/*
 * What it needs to ask others: an inquiry, and the contacts of all ranks. Both are the watchdog's
 * from now on, also on failure (RNN_ERR_MEMORY). Once.
 */
rnn_status rnn_watchdog_connect(rnn_watchdog *watchdog, rnn_inquiry *inquiry, rnn_contact *contacts,
                                int n_ranks, int rank);

/* Seconds in one collective after which the job ends; 0 = never. */
void rnn_watchdog_set_timeout(rnn_watchdog *watchdog, double seconds);

/* Ends the thread and waits for it. */
void rnn_watchdog_stop(rnn_watchdog **watchdog);

#endif
