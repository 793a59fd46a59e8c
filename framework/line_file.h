/*
 * A file that grows by lines, metrics.jsonl. A line is there whole or not at all: it is written by
 * one call, and what a full disk leaves of it is taken back, so that the next one does not follow
 * half a line.
 */
#ifndef RNN_FRAMEWORK_LINE_FILE_H
#define RNN_FRAMEWORK_LINE_FILE_H

#include <stdio.h>

#include "kernels/status.h"

typedef struct rnn_line_file rnn_line_file;

/* Opens a file for appending and creates it if need be. RNN_ERR_IO, also for a FIFO nobody reads.
 */
rnn_status rnn_line_file_open(rnn_line_file **out, const char *path);
void rnn_line_file_close(rnn_line_file **file);

/* Where the next line is to be printed, its newline included; NULL if there is no memory for it. */
FILE *rnn_line_file_begin(rnn_line_file *file);

/* Writes the line. RNN_ERR_IO with the file and the reason, RNN_ERR_MEMORY. */
rnn_status rnn_line_file_end(rnn_line_file *file);

#endif
