/*
 * TOML text as a flat list of values with their places. toml++ does the parsing, behind this C
 * interface, in the one C++ file of the program.
 */
#ifndef RNN_FRAMEWORK_TOML_READER_H
#define RNN_FRAMEWORK_TOML_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rnn_toml_type {
    RNN_TOML_STRING,
    RNN_TOML_INTEGER,
    RNN_TOML_FLOAT,
    RNN_TOML_BOOLEAN,
    RNN_TOML_DATETIME, /* no value kept */
    RNN_TOML_TABLE,    /* no value; present so that empty and unknown tables can be seen */
    RNN_TOML_ARRAY     /* no value; elements follow as path[0], path[1], ... */
} rnn_toml_type;

enum {
    RNN_TOML_MAX_BYTES = 1 << 20, /* of a text */
    RNN_TOML_MAX_DEPTH = 64,      /* of brackets and dotted keys together */
    RNN_TOML_MAX_PATH = 256,      /* bytes of a path, with the zero at its end */
    RNN_TOML_NUMBER_SIZE = 32     /* bytes of a printed number, with the zero at its end */
};

typedef struct rnn_toml_value {
    /* "optimizer.lr", "layer[0].type", "dataset.search[1]"; a key that is more than letters,
     * digits, "_" and "-" keeps its quotes, so no two keys share a path */
    char *path;
    rnn_toml_type type;
    char *string; /* STRING only */
    int64_t integer;
    double number; /* FLOAT; also set for INTEGER */
    bool boolean;
    int line, column; /* 1-based, of the key; of the value for array elements */
} rnn_toml_value;

typedef struct rnn_toml {
    rnn_toml_value *values;
    size_t count;
} rnn_toml;

/*
 * Parses `text` (length bytes, UTF-8). `source` names it in messages. Errors: RNN_ERR_DATA
 * "source:line:column: what"; also for a text that is too large or nested too deep, which is
 * refused before parsing, and for two things TOML allows: a path that is too long, and a string
 * with a zero byte. Values come in document order, an array or table before what it contains.
 * Free with rnn_toml_free, also after failure.
 */
rnn_status rnn_toml_parse(rnn_toml *out, const char *text, size_t length, const char *source);
void rnn_toml_free(rnn_toml *toml);

/* `text` as a TOML string on one line, with its quotes; *out is rnn_alloc memory. */
rnn_status rnn_toml_quote(char **out, const char *text);

/* The shortest TOML float that reads back as `value`, whatever the locale. */
void rnn_toml_print_number(char out[RNN_TOML_NUMBER_SIZE], double value);

/* "toml++ 3.3.0"; lives as long as the program. */
const char *rnn_toml_library(void);

#ifdef __cplusplus
}
#endif

#endif
