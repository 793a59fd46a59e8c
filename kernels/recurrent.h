/*
 * One direction of one recurrent layer over whole sequences, forward and backward, with torch.nn's
 * meaning, on oneDNN's primitives.
 *
 * rnn_recurrent holds what threads share: the packed weights. rnn_recurrent_task is one thread's
 * part: the primitives of the shapes it has met (a bounded number of them), workspaces and states.
 * Gradients of the parameters are accumulated in a "packed" array in the library's layout, which
 * may be summed element by element over slices and is translated to torch's layout once at the end.
 *
 * T steps, N rows, I inputs, H units, C outputs: H, or the size of an lstm's projection.
 */
#ifndef RNN_KERNELS_RECURRENT_H
#define RNN_KERNELS_RECURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cell.h"
#include "kernels/status.h"

typedef struct rnn_recurrent_cfg {
    rnn_cell cell;
    size_t n_in, n_hid; /* I, H */
    size_t n_proj;      /* lstm: size of the projection of the hidden state; 0 = none */
    bool reverse;       /* from each sequence's last step to its first; y in the order of x */
} rnn_recurrent_cfg;

/* torch's tensors; G gate blocks in torch's order. Biases may be NULL: none. */
typedef struct rnn_recurrent_params {
    const float *weight_ih; /* [G*H][I] */
    const float *weight_hh; /* [G*H][C] */
    const float *bias_ih;   /* [G*H] */
    const float *bias_hh;   /* [G*H] */
    const float *weight_hr; /* [C][H], with a projection only */
} rnn_recurrent_params;

typedef struct rnn_recurrent_grads {
    float *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr;
} rnn_recurrent_grads;

typedef struct rnn_recurrent rnn_recurrent;
typedef struct rnn_recurrent_task rnn_recurrent_task;

/* RNN_ERR_UNAVAILABLE if the library has no such primitive, RNN_ERR_MEMORY. */
rnn_status rnn_recurrent_create(rnn_recurrent **out, const rnn_recurrent_cfg *cfg);
void rnn_recurrent_destroy(rnn_recurrent **recurrent);

/* C. */
size_t rnn_recurrent_n_out(const rnn_recurrent_cfg *cfg);

/* Floats of a packed gradient, a multiple of 16. */
size_t rnn_recurrent_grad_size(const rnn_recurrent *recurrent);

/*
 * Brings the parameters into the library's layouts. Part `part` of `n_parts` of the work (the rows
 * of these units of every gate, or outputs of a projection, by rnn_vector_part), which
 * different threads may do at once; all parts must be done before the next forward. The tensors
 * are lent until the next pack: where they lie as the library wants them, they are used in place.
 */
void rnn_recurrent_pack(rnn_recurrent *recurrent, const rnn_recurrent_params *params, size_t part,
                        size_t n_parts);

/* Writes a packed gradient to torch's tensors (bias pointers may be NULL); parts as for pack. */
void rnn_recurrent_unpack(const rnn_recurrent *recurrent, const float *packed,
                          const rnn_recurrent_grads *grads, size_t part, size_t n_parts);

/* Call it in the thread that will use it: memory is placed by first touch. */
rnn_status rnn_recurrent_task_create(rnn_recurrent_task **out, const rnn_recurrent *recurrent);
void rnn_recurrent_task_destroy(rnn_recurrent_task **task);

/* Takes the memory for slices of up to this size now rather than when one comes. */
rnn_status rnn_recurrent_task_reserve(rnn_recurrent_task *task, size_t seq_len, size_t rows);

/* What one call works on. */
typedef struct rnn_recurrent_slice {
    size_t seq_len, rows;  /* T, N */
    const int32_t *length; /* [N] valid steps, 0 to T; NULL: all T. Kept until after backward */
    size_t y_pitch;        /* floats from one row of y and dy to the next; 0 = C */
} rnn_recurrent_slice;

/* All may be NULL: initial states zero, final states not wanted. c0 and c_n: lstm only. */
typedef struct rnn_recurrent_states {
    const float *h0, *c0; /* [N][C], [N][H]; in use until after backward */
    float *h_n, *c_n;     /* (out) [N][C], [N][H]: at each sequence's own end */
} rnn_recurrent_states;

/*
 * Forward pass of one slice.
 *   x  [T][N][I]              in use until the backward pass is done, as y; finite past the ends
 * too y  [T][N][y_pitch] (out)  C of them written; zero past a sequence's end; must not alias x
 * With lengths, c_n costs extra: the steps are cut where a sequence ends. Leave it out if it is not
 * needed.
 */
rnn_status rnn_recurrent_forward(rnn_recurrent_task *task, const rnn_recurrent_slice *slice,
                                 const float *x, const rnn_recurrent_states *states, float *y);

/* All may be NULL: no gradient comes in, or none is wanted. dc_n needs a c_n of the forward pass.
 */
typedef struct rnn_recurrent_state_grads {
    const float *dh_n, *dc_n; /* [N][C], [N][H] */
    float *dh0, *dc0;         /* (out) [N][C], [N][H] */
} rnn_recurrent_state_grads;

/*
 * Backward pass of the last forward; once per forward.
 *   dy      [T][N][y_pitch]  must be zero past a sequence's end
 *   dx      [T][N][I] (out)  zero past a sequence's end; NULL if it is not needed
 *   packed  [grad_size]      parameter gradients are added to it
 */
rnn_status rnn_recurrent_backward(rnn_recurrent_task *task, const float *dy,
                                  const rnn_recurrent_state_grads *grads, float *dx, float *packed);

/* The library behind the kernels, "oneDNN 2.6.3", and its instruction set, "avx2". Static. */
const char *rnn_kernel_library(void);
const char *rnn_kernel_isa(void);

#endif
