/*
 * The arguments of the layers as one table: which types have which, and within which bounds. What
 * checks, stores or reads back a layer goes by it, so that a new argument is one field in
 * rnn_layer_cfg and one row here (and one in the table of configuration keys).
 *
 * How parameters start (init, init_bias) is not in it: it is not part of a trained layer.
 */
#ifndef RNN_FRAMEWORK_LAYER_ARGS_H
#define RNN_FRAMEWORK_LAYER_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include <rnn/layer.h>

#include "kernels/status.h"

enum {
    RNN_LAYER_N_TYPES = RNN_LAYER_LAYERNORM + 1,
    RNN_LAYER_MAX_SIZE = 1 << 24, /* of one dimension of a layer */
    RNN_LAYER_MAX_SUBLAYERS = 1024
};

/* Sets of types, bit t for type t. */
#define RNN_LAYER_BIT(type) (1u << (type))
#define RNN_LAYER_STACKED                                                                          \
    (RNN_LAYER_BIT(RNN_LAYER_RNN) | RNN_LAYER_BIT(RNN_LAYER_LSTM) | RNN_LAYER_BIT(RNN_LAYER_GRU))
#define RNN_LAYER_CELLS                                                                            \
    (RNN_LAYER_BIT(RNN_LAYER_RNNCELL) | RNN_LAYER_BIT(RNN_LAYER_LSTMCELL) |                        \
     RNN_LAYER_BIT(RNN_LAYER_GRUCELL))
#define RNN_LAYER_RECURRENT    (RNN_LAYER_STACKED | RNN_LAYER_CELLS)
#define RNN_LAYER_PLAIN        (RNN_LAYER_BIT(RNN_LAYER_RNN) | RNN_LAYER_BIT(RNN_LAYER_RNNCELL))
#define RNN_LAYER_LONG_SHORT   (RNN_LAYER_BIT(RNN_LAYER_LSTM) | RNN_LAYER_BIT(RNN_LAYER_LSTMCELL))
#define RNN_LAYER_WITH_DROPOUT (RNN_LAYER_STACKED | RNN_LAYER_BIT(RNN_LAYER_DROPOUT))
#define RNN_LAYER_WITH_INIT                                                                        \
    (RNN_LAYER_RECURRENT | RNN_LAYER_BIT(RNN_LAYER_LINEAR) | RNN_LAYER_BIT(RNN_LAYER_EMBEDDING))
#define RNN_LAYER_WITH_BIAS                                                                        \
    (RNN_LAYER_RECURRENT | RNN_LAYER_BIT(RNN_LAYER_LINEAR) | RNN_LAYER_BIT(RNN_LAYER_LAYERNORM))

/* Names of what an int stands for, in the order of the enum, NULL-ended. */
extern const char *const rnn_layer_type_names[];
extern const char *const rnn_nonlinearity_names[];
extern const char *const rnn_select_names[];
extern const char *const rnn_activation_names[];

typedef enum rnn_arg_kind {
    RNN_ARG_INTEGER, /* int64_t */
    RNN_ARG_NUMBER,  /* double, finite */
    RNN_ARG_FLAG,    /* bool */
    RNN_ARG_CHOICE   /* int: index into choices */
} rnn_arg_kind;

typedef struct rnn_layer_arg {
    const char *name; /* that of the field in rnn_layer_cfg */
    rnn_arg_kind kind;
    size_t offset;
    unsigned types;  /* that have it */
    double min, max; /* of integers and numbers */
    bool below_max;  /* max itself is excluded */
    bool inferred;   /* 0 = from the input; a checkpoint has the size that was found */
    const char *const *choices;
} rnn_layer_arg;

extern const rnn_layer_arg rnn_layer_args[];
extern const size_t rnn_layer_n_args;

bool rnn_layer_arg_applies(const rnn_layer_arg *arg, rnn_layer_type type);

/*
 * Checks a layer as far as it can be done without knowing its input: bounds, and what arguments
 * demand of each other. RNN_ERR_DATA "layer 2 (lstm): hidden_size: expected ..., found ...".
 */
rnn_status rnn_layer_check(const rnn_layer_cfg *cfg, size_t layer);

/* `cfg` with torch.nn's defaults in place of every argument that its type does not have. */
rnn_layer_cfg rnn_layer_normalize(const rnn_layer_cfg *cfg);

#endif
