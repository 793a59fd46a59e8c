/*
 * The columns in use of CSV files, in memory: numbers as floats, one more as classes.
 */
#ifndef RNN_DATASETS_CSV_TABLE_H
#define RNN_DATASETS_CSV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/class_names.h"
#include "datasets/csv_layout.h"
#include "datasets/dataset.h"
#include "datasets/excerpt.h"
#include "kernels/status.h"

/* A column of the first file; in others it is the one of the same name, or number without names. */
typedef struct rnn_csv_column {
    char *name;    /* NULL if that file has no names */
    size_t number; /* from 0 */
    bool is_input; /* else it is a target only */
} rnn_csv_column;

/* Which columns a dataset uses. Empty as {0}. */
typedef struct rnn_csv_columns {
    bool has_labels;        /* the target is `label`, else `target` */
    rnn_csv_column *stored; /* [n_stored] as values, each once */
    size_t n_stored;
    size_t *input; /* [n_inputs] places among the stored ones */
    size_t n_inputs;
    size_t *target; /* [n_targets] likewise */
    size_t n_targets;
    rnn_csv_column label;
    bool lack_targets; /* the first file has not all of the target's columns */
} rnn_csv_columns;

/*
 * Finds cfg.columns and cfg.target_columns in the first file. Without cfg.columns these are all
 * columns of numbers; if a target is of its step's own row, all but cfg.target_columns.
 * RNN_ERR_DATA if one is not there; of targets, unless cfg.needs_no_targets.
 */
rnn_status rnn_csv_columns_choose(rnn_csv_columns *columns, const rnn_csv_layout *layout,
                                  const rnn_dataset_cfg *cfg, bool has_labels);
void rnn_csv_columns_free(rnn_csv_columns *columns);

/* A file. Empty as {0}. */
typedef struct rnn_csv_table {
    float *values;   /* [n_rows][n_stored]; normalised, NAN where they are missing */
    int32_t *labels; /* [n_rows] if there are labels; -1 where they are missing */
    size_t n_rows, n_columns, values_room, labels_room;
    bool has_targets; /* its columns are in this file; else labels are -1 and values NAN */
    uint64_t digest;  /* of the file */
} rnn_csv_table;

/*
 * Reads a file that has this layout. Names of classes are added unless they are complete; their
 * places are the row and the line. RNN_ERR_DATA with file:line for what is no number, missing when
 * it may not be, or a class of no known name. Targets may be missing if cfg.needs_no_targets.
 */
rnn_status rnn_csv_table_read(rnn_csv_table *table, rnn_class_names *classes,
                              const rnn_csv_columns *columns, const rnn_csv_layout *layout,
                              const rnn_dataset_cfg *cfg);
void rnn_csv_table_free(rnn_csv_table *table);

/* How messages call a column: its name in quotes, or its number from 1. */
rnn_excerpt rnn_csv_column_title(const rnn_csv_column *column);

#endif
