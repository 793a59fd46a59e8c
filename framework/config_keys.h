/*
 * The table of configuration keys, and what can be said and done about one key. A new key is one
 * field in rnn_config and one row here; parsing, checks, the canonical text, the comparison on
 * resume and --help-config follow from the row. For framework/config.c and tests.
 */
#ifndef RNN_FRAMEWORK_CONFIG_KEYS_H
#define RNN_FRAMEWORK_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "framework/config.h"
#include "framework/toml_reader.h"
#include "kernels/status.h"

typedef enum rnn_key_type {
    RNN_KEY_INTEGER, /* int64_t */
    RNN_KEY_NUMBER,  /* double */
    RNN_KEY_BOOLEAN, /* bool */
    RNN_KEY_STRING,  /* char *, owned by the config */
    RNN_KEY_CHOICE,  /* int: index into choices */
    RNN_KEY_LIST,    /* rnn_string_list */
    RNN_KEY_INIT     /* rnn_init, as a string */
} rnn_key_type;

typedef struct rnn_config_key {
    const char *path; /* "optimizer.lr"; "layer[].bias" is a key of every [[layer]] */
    size_t offset;    /* of the field in rnn_config, for layer[] in rnn_layer_cfg */
    rnn_key_type type;
    double min, max;            /* of the number, of a string's bytes, of a list's items */
    bool below_max;             /* max itself is excluded */
    const char *const *choices; /* NULL-ended, in the order of the enum */
    const char *fallback;       /* the default as TOML; NULL: required, or by optimizer */
    size_t optimizer_offset;    /* else 0; in rnn_optimizer_cfg, whose defaults go by type */
    unsigned types;             /* bit t: the key belongs to type t of its table; 0: to all */
    bool by_format;             /* of [dataset]: the formats' readers say which have it */
    bool may_change;            /* on resume */
    const char *help;
} rnn_config_key;

extern const rnn_config_key rnn_config_keys[];
extern const size_t rnn_config_n_keys;

/* The row of a path as written in the table; NULL if there is none. */
const rnn_config_key *rnn_config_key_find(const char *path);

/* The last part of the path, and the length of what stands before its dot. */
const char *rnn_config_key_name(const rnn_config_key *key);
size_t rnn_config_key_table_length(const rnn_config_key *key);
bool rnn_config_key_is_layer(const rnn_config_key *key);
bool rnn_config_key_is_required(const rnn_config_key *key);

/* The row that decides about key->types: the first of its table, `type` or `format`. */
const rnn_config_key *rnn_config_key_decider(const rnn_config_key *key);

/* Bit t: the key belongs to type t of its table; 0: to all. */
unsigned rnn_config_key_types(const rnn_config_key *key);

/* Whether the key belongs to the type that its table has. `layer` is ignored but for layer[]. */
bool rnn_config_key_applies(const rnn_config_key *key, const rnn_config *config, size_t layer);

/* The field; as with strchr, it may be written if `config` may. */
void *rnn_config_key_field(const rnn_config_key *key, const rnn_config *config, size_t layer);

/*
 * Stores values[0] in the field; list elements are looked for in values[1] .. values[n_values - 1].
 * RNN_ERR_DATA "expected an integer (1..), found ..." without the place.
 */
rnn_status rnn_config_key_assign(const rnn_config_key *key, void *field,
                                 const rnn_toml_value *values, size_t n_values);

/* Stores the default of a key that has one. The `type` of its table must be in place. */
rnn_status rnn_config_key_assign_default(const rnn_config_key *key, rnn_config *config,
                                         size_t layer);

/* Writes the field as TOML. */
rnn_status rnn_config_key_print(const rnn_config_key *key, const void *field, FILE *out);

/* The same as text in rnn_alloc memory. */
rnn_status rnn_config_key_text(const rnn_config_key *key, const void *field, char **text);

/* Empties the field of a string or a list. */
void rnn_config_key_clear(const rnn_config_key *key, void *field);

/* "an integer (1..)", "one of "tanh", "relu"", ... */
void rnn_config_key_print_expected(const rnn_config_key *key, FILE *out);

/* "rnn, lstm, gru": the types the key belongs to, if not to all. */
void rnn_config_key_print_types(const rnn_config_key *key, FILE *out);

/* "expected <expected>, found <the value>" as RNN_ERR_DATA. */
rnn_status rnn_config_mismatch(const char *expected, const rnn_toml_value *value);

/* The known path or table that `path` is most likely meant to be; false if none is near. */
bool rnn_config_nearest(const char *path, char *out, size_t size);

#endif
