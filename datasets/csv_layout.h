/*
 * What the columns of a CSV file are: their names, if its first record has them, and which of them
 * are numbers.
 *
 * The first record has names if one of its cells is a text and either none is a number or one
 * stands above numbers; cells that are missing say nothing. A column is of numbers if the first of
 * its values that is there is one.
 */
#ifndef RNN_DATASETS_CSV_LAYOUT_H
#define RNN_DATASETS_CSV_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "datasets/number.h"
#include "kernels/status.h"

typedef enum rnn_csv_kind { RNN_CSV_MISSING, RNN_CSV_NUMBER, RNN_CSV_TEXT } rnn_csv_kind;

/* Empty as {0}. */
typedef struct rnn_csv_layout {
    const char *path; /* borrowed */
    bool has_names;
    size_t n_columns;
    char **names;        /* [n_columns] if it has names */
    rnn_csv_kind *kinds; /* [n_columns] */
    size_t first_line;   /* of the first record */
    char separator;      /* of cells */
} rnn_csv_layout;

/* Reads as much of a file as it takes. RNN_ERR_DATA, also for a file without values. */
rnn_status rnn_csv_layout_read(rnn_csv_layout *layout, const char *path);
void rnn_csv_layout_free(rnn_csv_layout *layout);

/* Whether a cell has nothing in it: it is empty or one of NA, NaN, nan, null and "?". */
bool rnn_csv_is_missing(const char *cell);

/*
 * The column of this name, or number from 1: a name of digits is a name first. *column is n_columns
 * if there is none. RNN_ERR_DATA for a name that several have.
 */
rnn_status rnn_csv_layout_find(size_t *column, const rnn_csv_layout *layout, const char *name);

/* RNN_ERR_DATA that names what `key` asked for and what there is. */
rnn_status rnn_csv_layout_lacks(const rnn_csv_layout *layout, const char *key, const char *name);

#endif
