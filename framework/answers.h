/*
 * The answers of a model over a whole split as one table, in the order of the samples, on rank 0.
 */
#ifndef RNN_FRAMEWORK_ANSWERS_H
#define RNN_FRAMEWORK_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/run.h"
#include "kernels/status.h"

/*
 * A row is one answer: its sample and step, then
 *   classes, language   label (-1: none that counts), predicted class, its probability
 *   marks               n targets, n probabilities
 *   values              n targets, n predicted values, both in the data's own units
 */
typedef struct rnn_answer_table {
    rnn_task task;
    bool has_steps;   /* a sample may have several answers */
    bool has_targets; /* the columns of targets mean something */
    size_t n_values;  /* n above */
    size_t width;     /* of a row */
    size_t n_rows, room;
    double *rows; /* [n_rows][width], rnn_alloc memory */
} rnn_answer_table;

enum { RNN_ANSWER_SAMPLE, RNN_ANSWER_STEP, RNN_ANSWER_FIRST };

/* Collective. Only rank 0 has rows afterwards. Free with rnn_answer_table_free, also after failure.
 */
rnn_status rnn_answers_collect(rnn_run *run, rnn_split split, rnn_answer_table *table);
void rnn_answer_table_free(rnn_answer_table *table);

#endif
