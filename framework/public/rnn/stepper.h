/*
 * Steppers: a recurrent layer step by step, as torch's RNNCell, LSTMCell and GRUCell. A stepper
 * has no parameters of its own: it computes with the module's and adds to the module's gradients.
 *
 *   rnn_stepper_create(&stepper, module, 0, false);
 *   for (t = 0; t < T; t++)
 *       rnn_stepper_step(stepper, x[t], h[t], c[t], h[t + 1], c[t + 1]);
 *   for (t = T; t-- > 0;)
 *       rnn_stepper_backward(stepper, grad_h, grad_c, grad_x, grad_h, grad_c);
 *
 * In the shapes below: N rows, I features, H hidden_size, C features of the hidden state (H, or
 * proj_size). Cell states are of lstm only: {0} otherwise.
 */
#ifndef RNN_STEPPER_H
#define RNN_STEPPER_H

#include <stdbool.h>
#include <stddef.h>

#include <rnn/module.h>
#include <rnn/status.h>
#include <rnn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rnn_stepper rnn_stepper;

/*
 * A stepper of one layer of the module's rnn, lstm or gru, or of its cell.
 *   layer    k of the parameters' names "weight_ih_lk"; 0 for a cell. If the module has several
 *            recurrent layers, theirs are counted on
 *   reverse  the parameters of the other direction, "_reverse"
 * RNN_ERR_USAGE if the module has no such layer.
 */
RNN_API rnn_status rnn_stepper_create(rnn_stepper **out, rnn_module *module, size_t layer,
                                      bool reverse);

/* Accepts NULL and leaves NULL. */
RNN_API void rnn_stepper_destroy(rnn_stepper **stepper);

/*
 * One step. If the module is training, what backward needs is kept, in addition to earlier steps';
 * steps from before a change of the parameters are forgotten then.
 *   x       [N][I]
 *   h       [N][C]        not given: every value the layer's h0
 *   c       [N][H]        not given: every value the layer's c0
 *   h_next  [N][C] (out)  may be h
 *   c_next  [N][H] (out)  may be c; needed for lstm
 */
RNN_API rnn_status rnn_stepper_step(rnn_stepper *stepper, rnn_const_tensor x, rnn_const_tensor h,
                                    rnn_const_tensor c, rnn_tensor h_next, rnn_tensor c_next);

/*
 * Goes back over the newest step that is kept, and forgets it. Gradients of the parameters are
 * added to the module's. At least one of the first two is given, the others count as zero.
 *   grad_h       [N][C]        of h_next
 *   grad_c       [N][H]        of c_next
 *   grad_x       [N][I] (out)  not needed
 *   grad_h_prev  [N][C] (out)  of h; not needed; may be grad_h
 *   grad_c_prev  [N][H] (out)  of c; not needed; may be grad_c
 * RNN_ERR_USAGE if no step is left, or the parameters have changed since.
 */
RNN_API rnn_status rnn_stepper_backward(rnn_stepper *stepper, rnn_const_tensor grad_h,
                                        rnn_const_tensor grad_c, rnn_tensor grad_x,
                                        rnn_tensor grad_h_prev, rnn_tensor grad_c_prev);

/* Forgets all steps. */
RNN_API rnn_status rnn_stepper_clear(rnn_stepper *stepper);

#ifdef __cplusplus
}
#endif

#endif
