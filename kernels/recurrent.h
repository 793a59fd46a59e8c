/*
 * One recurrent layer over whole sequences, forward and backward, with torch.nn's meaning, on
 * oneDNN's primitives.
 *
 * rnn_recurrent holds what threads share for one slice shape: the primitives and the packed
 * weights. rnn_recurrent_task is one thread's part: its workspace, states and input gradient.
 * Gradients of the parameters are accumulated in a "packed" array in the library's layout, which
 * may be summed element by element over slices and is translated to torch's layout once at the end.
 */
#ifndef RNN_KERNELS_RECURRENT_H
#define RNN_KERNELS_RECURRENT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cell.h"
#include "kernels/status.h"

typedef struct rnn_recurrent_cfg {
    rnn_cell cell;
    size_t seq_len, rows; /* T, N: shape of one slice */
    size_t n_in, n_hid;   /* I, H */
} rnn_recurrent_cfg;

/* torch's tensors; G gate blocks in torch's order. Biases may be NULL: none. */
typedef struct rnn_recurrent_params {
    const float *weight_ih; /* [G*H][I] */
    const float *weight_hh; /* [G*H][H] */
    const float *bias_ih;   /* [G*H] */
    const float *bias_hh;   /* [G*H] */
} rnn_recurrent_params;

typedef struct rnn_recurrent_grads {
    float *weight_ih, *weight_hh, *bias_ih, *bias_hh;
} rnn_recurrent_grads;

typedef struct rnn_recurrent rnn_recurrent;
typedef struct rnn_recurrent_task rnn_recurrent_task;

/* RNN_ERR_UNAVAILABLE if the library has no such primitive, RNN_ERR_MEMORY. */
rnn_status rnn_recurrent_create(rnn_recurrent **out, const rnn_recurrent_cfg *cfg);
void rnn_recurrent_destroy(rnn_recurrent **recurrent);

/* Floats of a packed gradient, a multiple of 16. */
size_t rnn_recurrent_grad_size(const rnn_recurrent *recurrent);

/*
 * Brings the parameters into the library's layouts. Part `part` of `n_parts` of the work, which
 * different threads may do at once; all parts must be done before the next forward.
 */
void rnn_recurrent_pack(rnn_recurrent *recurrent, const rnn_recurrent_params *params, size_t part,
                        size_t n_parts);

/* Writes a packed gradient to torch's tensors (bias pointers may be NULL); parts as for pack. */
void rnn_recurrent_unpack(const rnn_recurrent *recurrent, const float *packed,
                          const rnn_recurrent_grads *grads, size_t part, size_t n_parts);

/* Call it in the thread that will use it: memory is placed by first touch. */
rnn_status rnn_recurrent_task_create(rnn_recurrent_task **out, const rnn_recurrent *recurrent);
void rnn_recurrent_task_destroy(rnn_recurrent_task **task);

/*
 * Forward pass of one slice.
 *   x       [T][N][I]        kept in use until the backward pass is done, as h0, c0 and y
 *   h0, c0  [N][H]           initial states; NULL = zeros (c0: lstm only)
 *   y       [T][N][H] (out)  must not alias x
 */
rnn_status rnn_recurrent_forward(rnn_recurrent_task *task, const float *x, const float *h0,
                                 const float *c0, float *y);

/* Final states [N][H] of the last forward, lent; c_n is NULL unless lstm. */
const float *rnn_recurrent_h_n(const rnn_recurrent_task *task);
const float *rnn_recurrent_c_n(const rnn_recurrent_task *task);

/*
 * Backward pass of the last forward; once per forward.
 *   dy         [T][N][H]
 *   dh_n, dc_n [N][H]           gradients of the final states; NULL = zeros
 *   dx         [T][N][I] (out)  NULL if it is not needed
 *   packed     [grad_size]      parameter gradients are added to it
 */
rnn_status rnn_recurrent_backward(rnn_recurrent_task *task, const float *dy, const float *dh_n,
                                  const float *dc_n, float *dx, float *packed);

/* Gradients [N][H] of the initial states after a backward pass, lent; dc0 is NULL unless lstm. */
const float *rnn_recurrent_dh0(const rnn_recurrent_task *task);
const float *rnn_recurrent_dc0(const rnn_recurrent_task *task);

/* The library behind the kernels, "oneDNN 2.6.3", and its instruction set, "avx2". Static. */
const char *rnn_kernel_library(void);
const char *rnn_kernel_isa(void);

#endif
