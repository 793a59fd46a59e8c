/*
 * Requests to stop. SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 only set a flag, which the training loop
 * agrees on once per step. Another signal more than a second later ends the process at once, with
 * the same exit status; within that second it belongs to the first (mpirun sends several).
 */
#ifndef RNN_FRAMEWORK_SIGNALS_H
#define RNN_FRAMEWORK_SIGNALS_H

#include "kernels/status.h"

/* Installs the handlers. */
rnn_status rnn_signals_install(void);

/* The first signal that asked to stop; 0 = none so far. */
int rnn_signals_pending(void);

#endif
