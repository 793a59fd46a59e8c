/*
 * Text from files in messages, fit for a terminal.
 */
#ifndef RNN_DATASETS_EXCERPT_H
#define RNN_DATASETS_EXCERPT_H

#include <stdbool.h>

typedef struct rnn_excerpt {
    char text[64];
} rnn_excerpt;

/* The beginning of a text in quotes: 'text' or 'long te...'; "?" is what cannot be printed. */
rnn_excerpt rnn_excerpt_of(const char *text);

/* Whether a text can be printed: valid UTF-8 without control characters. */
bool rnn_is_printable(const char *text);

#endif
