/*
 * Reads one flat JSON object, as lines of metrics.jsonl are: names with numbers, texts, null, true
 * and false. Objects and arrays inside are stepped over.
 */
#ifndef RNN_FRAMEWORK_JSON_LINE_H
#define RNN_FRAMEWORK_JSON_LINE_H

#include <stddef.h>
#include <stdio.h>

#include "kernels/status.h"

typedef enum rnn_json_kind {
    RNN_JSON_NUMBER,
    RNN_JSON_TEXT,
    RNN_JSON_NULL,
    RNN_JSON_OTHER /* true, false, an object, an array */
} rnn_json_kind;

enum { RNN_JSON_NAME_SIZE = 64, RNN_JSON_TEXT_SIZE = 1024 };

/* A member of the object. What does not fit into name or text is cut off. */
typedef struct rnn_json_member {
    rnn_json_kind kind;
    char name[RNN_JSON_NAME_SIZE];
    double number;                 /* NAN for any other kind */
    char text[RNN_JSON_TEXT_SIZE]; /* UTF-8; "" for any other kind */
} rnn_json_member;

typedef void (*rnn_json_take)(void *context, const rnn_json_member *member);

/*
 * Hands the members over in their order. RNN_ERR_DATA with "column C: expected X, found Y" if the
 * line is anything but one object, after the members before that place.
 */
rnn_status rnn_json_line_parse(const char *line, size_t n_bytes, rnn_json_take take, void *context);

/* Prints a text as a JSON string, with its quotes; bytes from 128 on as they are. */
void rnn_json_print_text(FILE *out, const char *text);

#endif
