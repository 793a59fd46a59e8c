/*
 * Activation functions, element by element.
 */
#ifndef RNN_KERNELS_ACTIVATION_H
#define RNN_KERNELS_ACTIVATION_H

#include <stddef.h>

#include <rnn/layer.h>

/*
 * y = f(x)
 *   x  [count]
 *   y  [count] (out); may be x
 */
void rnn_activation_forward(rnn_activation function, size_t count, const float *x, float *y);

/*
 * dx = dy * f'(x), with f'(x) taken from y, so that x is not needed any more. The slope of relu at
 * 0 is 0. y, dy  [count] dx     [count] (out); may be dy
 */
void rnn_activation_backward(rnn_activation function, size_t count, const float *y, const float *dy,
                             float *dx);

#endif
