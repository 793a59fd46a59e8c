/*
 * How the executor runs a stage of the model: one table of functions per kind of stage, so that a
 * new kind is one new file and one line in rnn_stage_get_class.
 *
 * A plan is what threads share for one slice shape (primitives, packed weights). A worker is one
 * thread's buffers. Parameter gradients are accumulated in the stage's part of a packed array, in
 * whatever order suits the kernel; it must be summable element by element.
 */
#ifndef RNN_FRAMEWORK_STAGE_H
#define RNN_FRAMEWORK_STAGE_H

#include <stddef.h>

#include "framework/model.h"
#include "kernels/status.h"

typedef struct rnn_stage_class {
    /* For slices [seq_len][rows][n_features]. */
    rnn_status (*plan_create)(void **plan, const rnn_model *model, const rnn_stage *stage,
                              size_t rows);
    void (*plan_destroy)(void *plan);

    /* Floats of the packed gradient, a multiple of 16; 0 without parameters. */
    size_t (*grad_size)(const void *plan);

    /* Once per step, from the model's whole arena: part `part` of `n_parts`, one per thread. */
    void (*pack)(void *plan, const float *params, size_t part, size_t n_parts);

    /* Packed gradient of the stage to its place in an arena of gradients; parts as for pack. */
    void (*unpack)(const void *plan, const float *packed, float *grads, size_t part,
                   size_t n_parts);

    /* In the thread that will use it. */
    rnn_status (*worker_create)(void **worker, const void *plan);
    void (*worker_destroy)(void *worker);

    /* x and y stay in use until the backward pass is done. */
    rnn_status (*forward)(void *worker, const float *x, float *y);

    /* dx is NULL for the first stage; packed gradients are added to. */
    rnn_status (*backward)(void *worker, const float *dy, float *dx, float *packed);
} rnn_stage_class;

extern const rnn_stage_class rnn_stage_recurrent, rnn_stage_linear, rnn_stage_select;

/* NULL if there is none for the kind. */
const rnn_stage_class *rnn_stage_get_class(rnn_stage_kind kind);

#endif
