/*
 * librnn: recurrent networks with torch.nn's meaning, on CPUs.
 *
 *   rnn/layer.h      what a network is made of
 *   rnn/module.h     layers in sequence with parameters and gradients: forward, backward
 *   rnn/stepper.h    a recurrent layer step by step, as torch's RNNCell, LSTMCell, GRUCell
 *   rnn/loss.h       losses with their gradients
 *   rnn/optimizer.h  torch.optim's algorithms
 *   rnn/tensor.h     arrays with their shapes
 *   rnn/status.h     what calls return, and the message of the last failure
 *
 * A call whose arguments are wrong returns RNN_ERR_USAGE, names the argument, what was expected and
 * what was found in rnn_error_message, and has changed nothing. Objects are not shared: different
 * threads may use different modules at once, but one module, its steppers and its optimizer only
 * one after another.
 */
#ifndef RNN_RNN_H
#define RNN_RNN_H

#include <rnn/layer.h>
#include <rnn/loss.h>
#include <rnn/module.h>
#include <rnn/optimizer.h>
#include <rnn/status.h>
#include <rnn/stepper.h>
#include <rnn/tensor.h>

#endif
