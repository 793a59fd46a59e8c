/*
 * One direction of one recurrent layer step by step, as torch.nn's cells, with a memory of the
 * steps for the way back. It shares the packed weights of kernels/recurrent.h with whoever computes
 * whole sequences, and its packed gradients have the same layout.
 *
 * N rows, I inputs, H units, C outputs: H, or the size of an lstm's projection.
 */
#ifndef RNN_KERNELS_RECURRENT_STEP_H
#define RNN_KERNELS_RECURRENT_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/recurrent.h"
#include "kernels/status.h"

typedef struct rnn_recurrent_steps rnn_recurrent_steps;

/* The layer is borrowed. RNN_ERR_MEMORY. */
rnn_status rnn_recurrent_steps_create(rnn_recurrent_steps **out, const rnn_recurrent *recurrent);
void rnn_recurrent_steps_destroy(rnn_recurrent_steps **steps);

/* Steps that are kept. */
size_t rnn_recurrent_steps_count(const rnn_recurrent_steps *steps);
void rnn_recurrent_steps_clear(rnn_recurrent_steps *steps);

typedef struct rnn_recurrent_step_args {
    const float *x;         /* [N][I] */
    const float *h, *c;     /* [N][C], [N][H]; NULL: zeros. c and c_next: lstm only */
    float *h_next, *c_next; /* (out) [N][C], [N][H]; NULL: not wanted; may be h and c */
} rnn_recurrent_step_args;

/* One step of `rows` rows; keeps it if asked to. Nothing of the arguments stays in use. */
rnn_status rnn_recurrent_step_forward(rnn_recurrent_steps *steps, size_t rows,
                                      const rnn_recurrent_step_args *args, bool keeps);

/* All may be NULL: no gradient comes in, or none is wanted. */
typedef struct rnn_recurrent_step_grads {
    const float *dh_next, *dc_next; /* [N][C], [N][H] */
    float *dx;                      /* (out) [N][I] */
    float *dh, *dc;                 /* (out) [N][C], [N][H]; may be dh_next and dc_next */
} rnn_recurrent_step_grads;

/* Rows of the newest step that is kept, of which there must be one, as for backward. */
size_t rnn_recurrent_step_rows(const rnn_recurrent_steps *steps);

/* Goes back over the newest step and forgets it; parameter gradients are added to `packed`. */
rnn_status rnn_recurrent_step_backward(rnn_recurrent_steps *steps,
                                       const rnn_recurrent_step_grads *grads, float *packed);

#endif
