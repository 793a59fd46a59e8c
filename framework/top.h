/*
 * rnntrain top: follows a run while it trains, by the files that it writes.
 */
#ifndef RNN_FRAMEWORK_TOP_H
#define RNN_FRAMEWORK_TOP_H

#include <stdbool.h>
#include <stdio.h>

#include "kernels/status.h"

/*
 * Shows the run in a folder, or of a metrics.jsonl. On a terminal it is a screen that changes every
 * second, until the run ends or q or Ctrl-C is pressed; elsewhere a line for every line that the
 * run writes from the beginning on, until it ends. `once`: one screen, wherever. RNN_ERR_NOINPUT if
 * there is no such run.
 */
rnn_status rnn_top(const char *run, bool once, FILE *out);

#endif
