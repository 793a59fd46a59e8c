/*
 * A trained model as an ONNX file: one RNN, LSTM or GRU node for each sublayer, both directions in
 * it, and a node or a few for every other layer. Sizes of batch and sequence are free.
 *
 * The graph takes and gives what data files have: it scales its inputs as training did, and its
 * answers back to their own units.
 *
 *   x        [T][N][features] float, or [T][N] int64 tokens
 *   lengths  [N] int32, 1 to T, if sequences may have lengths of their own
 *   h0_I     [L*D][N][H] of the recurrent [[layer]] I, in torch's order; of cells [N][H]; c0_I too
 *   y        (out) what the last layer gives, zero past the ends; values in the data's units
 *   probability  (out) of classes or marks
 *   h_n_I    (out) as h0_I, at the end of each sequence; c_n_I too
 *
 * With batch_first x and y begin [N][T], as in rnntrain show.
 */
#ifndef RNN_FRAMEWORK_ONNX_H
#define RNN_FRAMEWORK_ONNX_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/model.h"
#include "kernels/status.h"

/* What answers are beside the last layer's output. */
typedef enum rnn_onnx_answer {
    RNN_ONNX_VALUES,
    RNN_ONNX_CLASSES, /* probabilities by softmax */
    RNN_ONNX_MARKS    /* by sigmoid */
} rnn_onnx_answer;

/* A free-form text beside the graph. */
typedef struct rnn_onnx_property {
    const char *key, *value;
} rnn_onnx_property;

typedef struct rnn_onnx_cfg {
    const rnn_model *model;
    const float *params; /* [model size] */
    bool has_lengths;
    bool only_last_step; /* of the output, where it is a sequence */
    rnn_onnx_answer answer;
    const double *x_offset, *x_scale; /* [features]: the model gets (x - offset) / scale; or NULL */
    const double *y_offset, *y_scale; /* [outputs]: y is output * scale + offset; or NULL */
    const char *x_doc;                /* what x has, for people; may be NULL */
    const char *doc;
    const rnn_onnx_property *properties;
    size_t n_properties;
} rnn_onnx_cfg;

/*
 * Writes the file, whole or not at all. RNN_ERR_DATA, naming the layer and the reason, for what the
 * operators of ONNX cannot express; or if the file would be larger than the format's 2 GiB.
 * RNN_ERR_IO, RNN_ERR_MEMORY.
 */
rnn_status rnn_onnx_write(const char *path, const rnn_onnx_cfg *cfg);

#endif
