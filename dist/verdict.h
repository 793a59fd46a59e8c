/*
 * For the sources of dist/ only: what the answers of the other ranks say about who keeps this one
 * waiting, in one line.
 */
#ifndef RNN_DIST_VERDICT_H
#define RNN_DIST_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "dist/inquiry.h"

enum { RNN_VERDICT_SIZE = 2048, RNN_VERDICT_NAMES = 8 };

typedef struct rnn_answer {
    bool has_come;
    rnn_note note; /* the last one */
} rnn_answer;

typedef struct rnn_hearing {
    const rnn_note *self; /* where this rank waits; note.rank is its number; -1 = unknown */
    double waited;        /* seconds */
    int n_ranks;
    const rnn_contact *contacts; /* [n_ranks]; NULL: there was nobody to ask */
    const rnn_answer *answers;   /* [n_ranks]; that of this rank is not looked at */
} rnn_hearing;

/* Whether the answer of a rank says that it waits, too, or did its part and has gone on. */
bool rnn_verdict_clears(const rnn_hearing *hearing, int rank);

/*
 * The line for people, with its newline, cut to `size`: who waits, how long, for what, in which
 * step, for whom (at most RNN_VERDICT_NAMES ranks, with their hosts).
 */
void rnn_verdict_write(const rnn_hearing *hearing, char *line, size_t size);

#endif
