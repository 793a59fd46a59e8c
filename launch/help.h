/*
 * What --help prints.
 */
#ifndef RNN_LAUNCH_HELP_H
#define RNN_LAUNCH_HELP_H

#include <stdio.h>

/* All of it or, for the name of a command, what is about that; NULL: all. */
void rnn_help_print(FILE *out, const char *command);

#endif
