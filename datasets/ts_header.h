/*
 * The header of a time series file: lines "@key value" up to "@data". Private to ts.c and
 * ts_samples.c.
 */
#ifndef RNN_DATASETS_TS_HEADER_H
#define RNN_DATASETS_TS_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "datasets/lines.h"
#include "kernels/status.h"

/* What stands behind the dimensions of a sample. */
typedef enum rnn_ts_target { RNN_TS_NOTHING, RNN_TS_CLASS, RNN_TS_VALUE } rnn_ts_target;

/* Empty as {0}, which is also what a file says that says nothing. */
typedef struct rnn_ts_header {
    char *name; /* NULL if it has none */
    bool is_univariate, is_equal_length;
    size_t n_dims, seq_len;
    rnn_ts_target target;
    char *class_text;     /* the names, each with a zero byte behind it */
    const char **classes; /* [n_classes] in there */
    size_t n_classes;
    size_t class_line; /* where they stand */
} rnn_ts_header;

/* Reads up to and with the line "@data". RNN_ERR_DATA with file:line; else as rnn_lines_next. */
rnn_status rnn_ts_header_read(rnn_ts_header *header, rnn_lines *lines);
void rnn_ts_header_free(rnn_ts_header *header);

/* The number of a class; n_classes if there is none of that name. */
size_t rnn_ts_find_class(const char *const *classes, size_t n_classes, const char *name);

/* Goes to the next line that is neither empty nor a comment; *line is NULL at the end. */
rnn_status rnn_ts_next_line(rnn_lines *lines, char **line);

/* The text without blanks at both ends; it is changed. */
char *rnn_ts_trim(char *text);

/* RNN_ERR_DATA with the current line in front. */
rnn_status rnn_ts_fail(const rnn_lines *lines, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

#endif
