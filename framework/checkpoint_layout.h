/*
 * What writing and reading a checkpoint share: the attributes and names in the file, its limits,
 * and a few calls of libhdf5. Private to checkpoint_layout.c, checkpoint_write.c and
 * checkpoint_read.c; the layout as a whole is in checkpoint_image.h.
 */
#ifndef RNN_FRAMEWORK_CHECKPOINT_LAYOUT_H
#define RNN_FRAMEWORK_CHECKPOINT_LAYOUT_H

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framework/checkpoint.h"
#include "framework/layer_args.h"
#include "framework/model.h"
#include "kernels/status.h"

enum {
    RNN_CKPT_FORMAT_VERSION = 1,
    RNN_CKPT_NAME_LENGTH = 64 /* of an object that we write */
};

extern const char rnn_ckpt_format[];

/* Counts up to here are exact in a double and far from overflowing where they are multiplied. */
extern const uint64_t rnn_ckpt_count_limit;

/* -- What is stored as attributes ------------------------------------------------------------- */

typedef enum rnn_ckpt_kind {
    RNN_CKPT_COUNT,   /* uint64_t */
    RNN_CKPT_INTEGER, /* int64_t */
    RNN_CKPT_FLAG,    /* bool */
    RNN_CKPT_REAL,    /* double */
    RNN_CKPT_FINITE,  /* double that must be finite */
    RNN_CKPT_DIGEST,  /* uint64_t, as 16 hexadecimal digits */
    RNN_CKPT_CHOICE   /* int, an index into choices */
} rnn_ckpt_kind;

typedef struct rnn_ckpt_field {
    const char *name;
    rnn_ckpt_kind kind;
    size_t offset;
    const char *const *choices;
} rnn_ckpt_field;

/* Of rnn_progress. */
extern const rnn_ckpt_field rnn_ckpt_progress_fields[];
extern const size_t rnn_ckpt_n_progress_fields;

/* More of them, which older files do not have: they are as at the start then, and the targets as
 * many as the samples. */
extern const rnn_ckpt_field rnn_ckpt_later_fields[];
extern const size_t rnn_ckpt_n_later_fields;

/* The part of an optimizer that is not an array. */
typedef struct rnn_ckpt_scalars {
    uint64_t step;
    double scalar;
} rnn_ckpt_scalars;

extern const rnn_ckpt_field rnn_ckpt_scalar_fields[];
extern const size_t rnn_ckpt_n_scalar_fields;

/* Of rnn_optimizer_cfg. */
extern const rnn_ckpt_field rnn_ckpt_optimizer_fields[];
extern const size_t rnn_ckpt_n_optimizer_fields;

/* An argument of a layer, a row of framework/layer_args.h. */
rnn_ckpt_field rnn_ckpt_layer_field(const rnn_layer_arg *arg);

/* -- How the groups of the layers are called, and what is in them ------------------------------ */

/* Prints the name of the group of layer i into `buffer` and returns it. `context` is an rnn_model,
 * without its type because reading asks for all kinds of names in this way. */
const char *rnn_ckpt_layer_name(const void *context, size_t i, char buffer[RNN_CKPT_NAME_LENGTH]);

/* The parameters of one layer, of all its stages. */
typedef struct rnn_ckpt_param_range {
    const rnn_model *model;
    size_t first, count;
} rnn_ckpt_param_range;

rnn_ckpt_param_range rnn_ckpt_layer_params(const rnn_model *model, size_t layer);

/* -- libhdf5 ---------------------------------------------------------------------------------- */

/* Memory space of one column of values[n_rows][n_columns]. To be released. */
hid_t rnn_ckpt_column_space(size_t n_rows, size_t n_columns, size_t column);

/* The type of a block's values in the file or in memory; texts are `width` bytes each. To be
 * released. */
hid_t rnn_ckpt_block_type(rnn_block_type type, size_t width, bool in_file);

/* Fails with `code`, naming group/LAYER/PARAM and the value, if an arena is not finite. */
rnn_status rnn_ckpt_check_finite(const rnn_model *model, const float *arena, rnn_status code,
                                 const char *group);

#endif
