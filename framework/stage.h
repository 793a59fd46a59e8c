/*
 * How a stage of the model is run: one table of functions per kind of stage, so that a new kind is
 * one new file and one line in rnn_stage_get_class.
 *
 * A plan is what threads share (packed weights). A worker is one thread's buffers. Parameter
 * gradients are accumulated in the stage's part of a packed array, in whatever order suits the
 * kernel; it must be summable element by element.
 */
#ifndef RNN_FRAMEWORK_STAGE_H
#define RNN_FRAMEWORK_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framework/model.h"
#include "kernels/recurrent.h"
#include "kernels/status.h"

/*
 * States of a recurrent [[layer]] with L sublayers and D directions: [L*D][rows][..], in torch's
 * order l0, l0_reverse, l1, ... All may be NULL; cell states are of lstm only.
 */
typedef struct rnn_layer_states {
    const float *h0, *c0;     /* NULL: the layer's constant */
    float *h_n, *c_n;         /* (out) at each sequence's own end */
    const float *dh_n, *dc_n; /* gradients of h_n, c_n; dc_n needs a c_n */
    float *dh0, *dc0;         /* (out) */
} rnn_layer_states;

/* What one forward and backward pass works on. */
typedef struct rnn_slice {
    size_t seq_len, rows;
    const int32_t *length;          /* [rows] valid steps, 0 in a row without a sample */
    bool is_ragged;                 /* a sample is shorter than seq_len */
    const int32_t *token;           /* [seq_len][rows], -1 past the ends; NULL: not tokens */
    bool is_training;               /* dropout drops */
    uint64_t seed;                  /* of the run */
    uint32_t step;                  /* training batches before this one */
    uint64_t first_row;             /* number of row 0 in the global batch */
    const rnn_layer_states *states; /* by [[layer]]; NULL: none are given or wanted */
} rnn_slice;

/* Told of `count` parameters, or their gradients, from `first` on in the model's arena. */
typedef void (*rnn_stretch_function)(void *context, size_t first, size_t count);

typedef struct rnn_stage_class {
    /* `index` is the stage's number in the model. */
    rnn_status (*plan_create)(void **plan, const rnn_model *model, size_t index);
    void (*plan_destroy)(void *plan);

    /* The next four are NULL for a kind that has no parameters. */

    /* Floats of the packed gradient, a multiple of 16. */
    size_t (*grad_size)(const void *plan);

    /* Once per step, from the model's whole arena: part `part` of `n_parts`, one per thread. */
    void (*pack)(void *plan, const float *params, size_t part, size_t n_parts);

    /* Packed gradient of the stage to its place in an arena of gradients; parts as for pack. */
    void (*unpack)(const void *plan, const float *packed, float *grads, size_t part,
                   size_t n_parts);

    /* Visits what a part packs and unpacks, in stretches of the arena; all parts together visit
     * every parameter of the stage once. */
    void (*visit)(const void *plan, size_t part, size_t n_parts, rnn_stretch_function function,
                  void *context);

    /* In the thread that will use it. */
    rnn_status (*worker_create)(void **worker, const void *plan);
    void (*worker_destroy)(void *worker);

    /* Takes memory for slices of up to this size; NULL: needs none. */
    rnn_status (*worker_reserve)(void *worker, size_t seq_len, size_t rows);

    /*
     * x [seq_len][rows][n_features] and y stay in use until the backward pass is done. Past a
     * sequence's end x is zero, and so must y be; for tokens x is NULL.
     */
    rnn_status (*forward)(void *worker, const rnn_slice *slice, const float *x, float *y);

    /*
     * dy is zero past the ends, and so must dx be; dx is NULL where nobody wants it. Packed
     * gradients are added to.
     */
    rnn_status (*backward)(void *worker, const rnn_slice *slice, const float *dy, float *dx,
                           float *packed);

    /*
     * In place of backward, for a kind that also uses the weight of stage 0: its gradient is added
     * to `packed_first`, the packed gradient of that stage, before that stage adds its own. It must
     * not be kept apart until gradients are unpacked: sums in the tree are of whole gradients.
     */
    rnn_status (*backward_tied)(void *worker, const rnn_slice *slice, const float *dy, float *dx,
                                float *packed, float *packed_first);
} rnn_stage_class;

extern const rnn_stage_class rnn_stage_recurrent, rnn_stage_linear, rnn_stage_tied,
    rnn_stage_select, rnn_stage_dropout, rnn_stage_embedding, rnn_stage_onehot,
    rnn_stage_activation, rnn_stage_layernorm;

const rnn_stage_class *rnn_stage_get_class(rnn_stage_kind kind);

/* The kernel of one direction of a recurrent stage, for whoever goes step by step. Lent. Its packed
 * gradient follows those of the directions before it. */
const rnn_recurrent *rnn_stage_recurrent_kernel(const void *plan, size_t direction);

/* Rows of a slice that a step-by-step stage goes through: seq_len * rows. */
static inline size_t rnn_slice_positions(const rnn_slice *slice)
{
    return slice->seq_len * slice->rows;
}

/* Sets [seq_len][rows][n_features] to zero past the ends of a ragged slice. */
void rnn_slice_clear_past_ends(const rnn_slice *slice, size_t n_features, float *values);

/*
 * For kinds whose parameters are used as they lie in the arena: a plan may begin with this, and its
 * class have these functions. The packed gradient is the parameters' part of the arena.
 */
typedef struct rnn_plain_params {
    const float *params;  /* of the stage; set by pack */
    size_t offset, count; /* in the arena */
    size_t n_params;
    size_t start[4], size[4]; /* of each parameter, from `params` */
} rnn_plain_params;

void rnn_plain_params_init(rnn_plain_params *plain, const rnn_model *model, const rnn_stage *stage);
size_t rnn_plain_params_grad_size(const void *plan);
void rnn_plain_params_pack(void *plan, const float *params, size_t part, size_t n_parts);
void rnn_plain_params_unpack(const void *plan, const float *packed, float *grads, size_t part,
                             size_t n_parts);
void rnn_plain_params_visit(const void *plan, size_t part, size_t n_parts,
                            rnn_stretch_function function, void *context);

/* Parameter i of the stage, or its gradient; NULL if the stage has fewer. */
const float *rnn_plain_param(const rnn_plain_params *plain, size_t i);
float *rnn_plain_grad(const rnn_plain_params *plain, float *packed, size_t i);

/* For kinds whose worker is nothing but a pointer to the plan. */
rnn_status rnn_plain_worker_create(void **worker, const void *plan);

#endif
