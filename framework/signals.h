/*
 * Requests to stop: SIGTERM, SIGINT, SIGUSR1 and SIGUSR2.
 *
 * While a run trains they only set a flag, which the ranks agree on once per step. Another signal
 * more than a second later ends the process at once, touching no file; within that second it
 * belongs to the first (mpirun sends several). Before that, while a run that can be taken up again
 * makes itself ready, one signal is enough for that. Either way the exit status is that of
 * RNN_STOPPED. In any other command a signal has its default effect.
 */
#ifndef RNN_FRAMEWORK_SIGNALS_H
#define RNN_FRAMEWORK_SIGNALS_H

#include <stdbool.h>

#include "kernels/status.h"

/*
 * To be called before there is any other thread, since threads inherit the mask: from then on one
 * thread of its own waits for the signals. No handler may run in a thread that computes: oneDNN's
 * matrix kernels let the stack pointer point into the heap (before 3.12; its issue 4845), and the
 * handler's frame would overwrite what lies there.
 */
rnn_status rnn_signals_hold(void);

/* A run begins, of which there is nothing to save yet: a signal ends the process as stopped, and
 * says so if `speaks` (one rank of all). */
void rnn_signals_expect(bool speaks);

/* From here on the signals ask to stop. */
void rnn_signals_install(void);

/* The run has failed, and has said so: a signal, as mpirun sends it to ranks that are slower to end
 * than others, ends the process with this status and without a word. */
void rnn_signals_fail(rnn_status status);

/* The first signal that asked to stop; 0 = none so far. */
int rnn_signals_pending(void);

#endif
