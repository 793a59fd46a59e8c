/*
 * The names of classes, for readers that meet them as texts.
 */
#ifndef RNN_DATASETS_CLASS_NAMES_H
#define RNN_DATASETS_CLASS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

enum { RNN_CLASS_NAMES_MAX = 1 << 16 };

typedef struct rnn_class_name {
    char *text;
    int32_t number;
    size_t first, line; /* what it was added with */
} rnn_class_name;

/* Empty as {0}. */
typedef struct rnn_class_names {
    rnn_class_name *names; /* [n] in the order of their texts' bytes */
    size_t n, room;
    bool are_complete;  /* none are added any more */
    const char **texts; /* [n] by number, once they are complete */
} rnn_class_names;

/*
 * The number of a name, *number; -1 if it is none. As long as they are not complete, a new one is
 * added with the next number, and it is remembered where that was. RNN_ERR_DATA, without a place,
 * for a name that cannot be printed or is one too many.
 */
rnn_status rnn_class_names_number(rnn_class_names *names, const char *text, size_t first,
                                  size_t line, int32_t *number);

/* Takes names that have numbers already, [n] in their order, each once; complete then. */
rnn_status rnn_class_names_take(rnn_class_names *names, char *const *texts, size_t n);

/*
 * Completes: numbers them anew, in the order of their texts, or of their numbers if all are
 * integers. Of the `count` labels, those >= 0 become the new numbers.
 */
rnn_status rnn_class_names_complete(rnn_class_names *names, int32_t *labels, size_t count);

void rnn_class_names_free(rnn_class_names *names);

#endif
