/*
 * What the sources of kernels/recurrent.h and recurrent_step.h share. Private to them.
 */
#ifndef RNN_KERNELS_RECURRENT_PARTS_H
#define RNN_KERNELS_RECURRENT_PARTS_H

#include "kernels/onednn.h"
#include "kernels/recurrent.h"

/* A weight matrix of torch's [rows][n_columns] in the library's two layouts. */
typedef struct rnn_packed_weights {
    float *forward;     /* [n_columns][forward_pitch] */
    float *backward;    /* [rows][backward_pitch]; NULL if torch's own tensor is as good */
    const float *torch; /* in that case, set by pack */
    size_t n_columns;
    size_t forward_pitch, backward_pitch, grad_pitch;
    size_t grad_offset; /* of [n_columns][grad_pitch] in the packed gradient */
} rnn_packed_weights;

struct rnn_recurrent {
    rnn_recurrent_cfg cfg;
    rnn_packed_weights ih, hh, hr; /* hr is empty without a projection */
    float *bias;                   /* [G, gru: 4][H] */
    size_t grad_bias_offset;       /* of the same in the packed gradient */
    size_t grad_size;
};

/* Forward, backward and gradient argument of ih, hh and hr. */
extern const rnn_onednn_arg rnn_recurrent_weight_args[3][3];

/* The shape of a slice, forwards and with a dense y. */
rnn_onednn_shape rnn_recurrent_shape(const rnn_recurrent_cfg *cfg, size_t seq_len, size_t rows);

/* Packed weights and gradients serve all shapes only as long as these choose the same layouts:
 * RNN_ERR_UNAVAILABLE if the primitives of a shape do not. */
rnn_status rnn_recurrent_check_pitches(const rnn_recurrent *recurrent, const rnn_onednn_pair *pair);

/* Binds the packed weights and biases; and their gradients. */
void rnn_recurrent_bind_weights(const rnn_recurrent *recurrent, rnn_onednn_call *call);
void rnn_recurrent_bind_grads(const rnn_recurrent *recurrent, rnn_onednn_call *call, float *packed);

#endif
