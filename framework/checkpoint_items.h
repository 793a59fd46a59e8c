/*
 * Everything in a checkpoint as one flat list, without asking what it means: for comparing two.
 */
#ifndef RNN_FRAMEWORK_CHECKPOINT_ITEMS_H
#define RNN_FRAMEWORK_CHECKPOINT_ITEMS_H

#include <stddef.h>

#include "kernels/status.h"

enum { RNN_ITEM_MAX_DIMS = 3 };

/* A dataset of numbers, or a text: an attribute, a dataset of names, a key of the configuration. */
typedef struct rnn_item {
    char *name; /* "/model/0_lstm/bias_ih_l0", "/progress: step", "config: optimizer.lr" */
    char *text; /* NULL: numbers */
    double *values;
    size_t count, dims[RNN_ITEM_MAX_DIMS];
    int n_dims;
} rnn_item;

typedef struct rnn_items {
    rnn_item *items; /* by name, as strcmp has it */
    size_t count, room;
} rnn_items;

/*
 * Reads a checkpoint: whole file, digest, format, and then all there is, but for keys of the
 * configuration that only steer the running (those that may change on resume). Errors as of
 * rnn_checkpoint_read_config. Free with rnn_items_free, also after a failure.
 */
rnn_status rnn_items_read(const char *path, rnn_items *items);
void rnn_items_free(rnn_items *items);

#endif
