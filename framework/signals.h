/*
 * Requests to stop. SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 only set a flag, which the training loop
 * agrees on once per step. Another signal more than a second later ends the process at once, with
 * the same exit status; within that second it belongs to the first (mpirun sends several).
 */
#ifndef RNN_FRAMEWORK_SIGNALS_H
#define RNN_FRAMEWORK_SIGNALS_H

#include "kernels/status.h"

/*
 * To be called before there is any other thread, since threads inherit the mask: from then on one
 * thread of its own waits for the signals. No handler may run in a thread that computes: oneDNN's
 * matrix kernels let the stack pointer point into the heap (before 3.12; its issue 4845), and the
 * handler's frame would overwrite what lies there.
 */
rnn_status rnn_signals_hold(void);

/* From here on the signals ask to stop; before, they end the process. */
rnn_status rnn_signals_install(void);

/* The first signal that asked to stop; 0 = none so far. */
int rnn_signals_pending(void);

#endif
