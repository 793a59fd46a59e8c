/*
 * Records of a CSV file (RFC 4180), one after another in bounded memory: cells separated by a
 * comma, a semicolon or a tab, whichever the first line has most of. A cell in quotes may have
 * separators, line ends and, doubled, quotes in it. Blanks around a cell are not part of it; lines
 * without anything are skipped, and a byte order mark.
 */
#ifndef RNN_DATASETS_CSV_FILE_H
#define RNN_DATASETS_CSV_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "datasets/lines.h"
#include "kernels/status.h"

/* Empty (all zero) before opening and after closing. */
typedef struct rnn_csv_file {
    rnn_lines lines;
    char separator;    /* '\0' before the first record */
    size_t n_columns;  /* cells of every record */
    size_t line;       /* where the current record begins, from 1 */
    size_t first_line; /* the first record's */
    char **cells;      /* [n_columns] of the current record; may be changed */
    size_t cells_room;
    char *joined; /* the lines of a record that has several, as one text */
    size_t joined_room;
} rnn_csv_file;

/* RNN_ERR_NOINPUT if it cannot be opened or is not a regular file. */
rnn_status rnn_csv_file_open(rnn_csv_file *file, const char *path);

/*
 * Goes to the next record; *is_there is false at the end of the file. RNN_ERR_DATA with file:line
 * for quotes at places where none may be, and for more or less cells than the first record has.
 */
rnn_status rnn_csv_file_next(rnn_csv_file *file, bool *is_there);

/* Accepts an empty one. */
void rnn_csv_file_close(rnn_csv_file *file);

/* "','", "';'" or "a tab"; static. */
const char *rnn_csv_separator_name(char separator);

/* RNN_ERR_DATA for the current record: file:line and the problem. */
rnn_status rnn_csv_file_fail(const rnn_csv_file *file, const char *format, ...)
    RNN_PRINTF_FORMAT(2, 3);

#endif
