/*
 * Arrays of the caller's, passed with their shapes so that a wrong one is found. Row-major, without
 * gaps, borrowed for the call only.
 *
 * Dimensions that an array does not have are 0: {h, {1, 8}} is a matrix of one row. An array that
 * is not given, or not wanted, is {0}: its data is NULL.
 */
#ifndef RNN_TENSOR_H
#define RNN_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rnn_tensor {
    float *data;
    size_t shape[3];
} rnn_tensor;

typedef struct rnn_const_tensor {
    const float *data;
    size_t shape[3];
} rnn_const_tensor;

/* Tokens, or labels. */
typedef struct rnn_indices {
    const int64_t *data;
    size_t shape[2];
} rnn_indices;

/* What one call wrote, for the next one to read. */
static inline rnn_const_tensor rnn_as_const(rnn_tensor tensor)
{
    rnn_const_tensor view;

    view.data = tensor.data;
    view.shape[0] = tensor.shape[0];
    view.shape[1] = tensor.shape[1];
    view.shape[2] = tensor.shape[2];
    return view;
}

#ifdef __cplusplus
}
#endif

#endif
