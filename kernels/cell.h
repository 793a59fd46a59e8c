/*
 * The recurrent cells, with torch.nn's equations and gate order.
 *   rnn   h = act(W_ih x + b_ih + W_hh h + b_hh), act = tanh or relu
 *   lstm  gates i, f, g, o        (Hochreiter and Schmidhuber, 1997, with a forget gate)
 *   gru   gates r, z, n; n = tanh(W_in x + b_in + r * (W_hn h + b_hn)), h = (1 - z) * n + z * h
 */
#ifndef RNN_KERNELS_CELL_H
#define RNN_KERNELS_CELL_H

#include <stddef.h>

typedef enum rnn_cell { RNN_CELL_TANH, RNN_CELL_RELU, RNN_CELL_LSTM, RNN_CELL_GRU } rnn_cell;

/* Blocks of n_hid rows in weight_ih, weight_hh and the biases: 1, 4 (lstm) or 3 (gru). */
static inline size_t rnn_cell_gates(rnn_cell cell)
{
    return cell == RNN_CELL_LSTM ? 4 : cell == RNN_CELL_GRU ? 3 : 1;
}

#endif
