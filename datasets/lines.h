/*
 * Reads a text file line by line in bounded memory. For readers of text formats.
 */
#ifndef RNN_DATASETS_LINES_H
#define RNN_DATASETS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/status.h"

enum { RNN_LINES_MAX = 64 << 20 }; /* bytes of a line */

/* Empty (all zero) before opening and after closing. */
typedef struct rnn_lines {
    const char *path; /* borrowed */
    FILE *stream;
    char *text;      /* the current line without its end, "\n" or "\r\n"; may be changed */
    size_t n_bytes;  /* of it, without the zero byte behind it */
    size_t capacity; /* of text */
    size_t number;   /* of the current line, from 1; 0 before the first */
    uint64_t digest; /* of all lines so far */
} rnn_lines;

/* RNN_ERR_NOINPUT if it cannot be opened or is not a regular file. */
rnn_status rnn_lines_open(rnn_lines *lines, const char *path);

/*
 * Goes to the next line; *is_there is false at the end of the file. Errors, with file:line:
 * RNN_ERR_DATA for a line that is too long or has a zero byte; RNN_ERR_IO, RNN_ERR_MEMORY.
 */
rnn_status rnn_lines_next(rnn_lines *lines, bool *is_there);

/* Accepts an empty one. */
void rnn_lines_close(rnn_lines *lines);

#endif
