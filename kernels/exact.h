/*
 * Arithmetic that gives the same bits on every machine, for what must not depend on one: the text
 * that a model writes. Everything is in double, of the operations that IEEE 754 defines to the last
 * bit (+ - * / sqrt, conversions), in a fixed order. That leaves out the C library's exp and tanh,
 * which differ between libraries and, in one library, between CPUs; and oneDNN's sums.
 *
 * Slower than the float kernels, and forward only. Parameters are floats in torch's layouts. What
 * is not finite goes through as it does in torch.
 */
#ifndef RNN_KERNELS_EXACT_H
#define RNN_KERNELS_EXACT_H

#include <stddef.h>

#include <rnn/layer.h>

#include "kernels/recurrent.h"

/* e^x to 2^-51 of its value; infinity above 709, zero below -708. */
double rnn_exact_exp(double x);

/* To 2^-50 of their values. */
double rnn_exact_tanh(double x);
double rnn_exact_sigmoid(double x);

/*
 * y = W x + b
 *   x       [n_in]
 *   weight  [n_out][n_in]
 *   bias    [n_out], NULL = none
 *   y       [n_out] (out), must not alias x
 */
void rnn_exact_linear(size_t n_in, size_t n_out, const double *x, const float *weight,
                      const float *bias, double *y);

/* y may be x, [n]; as rnn_activation_forward. */
void rnn_exact_activation(rnn_activation function, size_t n, const double *x, double *y);

/* One row, y may be x, [n]; weight and bias [n], NULL = none; as rnn_layernorm_forward. */
void rnn_exact_layernorm(size_t n, double eps, const double *x, const float *weight,
                         const float *bias, double *y);

/* Doubles that a step needs to work in. */
size_t rnn_exact_step_scratch(const rnn_recurrent_cfg *cfg);

/*
 * One step of a recurrent layer, with the equations and gate order of kernels/cell.h; a projected
 * lstm gives W_hr (o * tanh(c)) (Sak, Senior, Beaufays, 2014). Sizes as in kernels/recurrent.h.
 *   x        [I]
 *   h        [C] (in and out)
 *   c        [H] (in and out), lstm only
 *   scratch  [rnn_exact_step_scratch]
 */
void rnn_exact_step(const rnn_recurrent_cfg *cfg, const rnn_recurrent_params *params,
                    const double *x, double *h, double *c, double *scratch);

#endif
