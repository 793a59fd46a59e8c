/*
 * Inner loops of the optimizers: one pass over a range of parameters, with torch.optim's
 * definitions and order of operations (its single-tensor form). Element-wise: any cut of the arrays
 * gives the same bits. Arrays have `count` values and do not overlap; none of these can fail.
 *
 *   p        parameters, changed
 *   states   changed; named as in torch's state_dict. Where a setting makes one unnecessary, NULL
 *            is passed, and that is what switches the variant
 *   step     1 for the first update
 */
#ifndef RNN_KERNELS_UPDATE_H
#define RNN_KERNELS_UPDATE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where an update's gradient comes from:
 * g[i] = clamp(values[i] * scale, -limit, limit) + weight_decay * p[i].
 */
typedef struct rnn_update_gradient {
    const float *values;
    float scale;
    float limit;        /* INFINITY = none */
    float weight_decay; /* coupled, that is, an L2 penalty */
} rnn_update_gradient;

/* Momentum in torch's form: the first step starts the buffer with g, undamped. */
typedef struct rnn_sgd_args {
    double lr, momentum, dampening;
    bool nesterov;
    double step;
} rnn_sgd_args;

/* momentum_buffer: NULL without momentum. */
void rnn_update_sgd(float *p, float *momentum_buffer, rnn_update_gradient g, size_t count,
                    const rnn_sgd_args *args);

/*
 * Adam: Kingma and Ba, 2015. AdamW is Adam with decoupled_decay: Loshchilov and Hutter, 2019.
 * AMSGrad: Reddi, Kale and Kumar, 2018.
 */
typedef struct rnn_adam_args {
    double lr, beta1, beta2, eps;
    double decoupled_decay; /* first p *= 1 - lr * decoupled_decay */
    double step;
} rnn_adam_args;

/* max_exp_avg_sq: NULL without amsgrad. */
void rnn_update_adam(float *p, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq,
                     rnn_update_gradient g, size_t count, const rnn_adam_args *args);

/* Zeiler, 2012. */
typedef struct rnn_adadelta_args {
    double lr, rho, eps;
} rnn_adadelta_args;

void rnn_update_adadelta(float *p, float *square_avg, float *acc_delta, rnn_update_gradient g,
                         size_t count, const rnn_adadelta_args *args);

/* Duchi, Hazan and Singer, 2011. */
typedef struct rnn_adagrad_args {
    double lr, lr_decay, eps;
    double step;
} rnn_adagrad_args;

void rnn_update_adagrad(float *p, float *sum, rnn_update_gradient g, size_t count,
                        const rnn_adagrad_args *args);

/* Tieleman and Hinton, 2012; centered: Graves, 2013. */
typedef struct rnn_rmsprop_args {
    double lr, alpha, eps, momentum;
} rnn_rmsprop_args;

/* momentum_buffer: NULL without momentum. grad_avg: NULL if not centered. */
void rnn_update_rmsprop(float *p, float *square_avg, float *momentum_buffer, float *grad_avg,
                        rnn_update_gradient g, size_t count, const rnn_rmsprop_args *args);

/* Adam with the infinity norm, from the same paper. */
typedef struct rnn_adamax_args {
    double lr, beta1, beta2, eps;
    double step;
} rnn_adamax_args;

void rnn_update_adamax(float *p, float *exp_avg, float *exp_inf, rnn_update_gradient g,
                       size_t count, const rnn_adamax_args *args);

/* Adam with Nesterov momentum: Dozat, 2016. */
typedef struct rnn_nadam_args {
    double lr, beta1, beta2, eps;
    double mu, mu_next; /* momentum of this step and of the next, see rnn_nadam_mu */
    double mu_product;  /* of all steps up to this one */
    double step;
} rnn_nadam_args;

void rnn_update_nadam(float *p, float *exp_avg, float *exp_avg_sq, rnn_update_gradient g,
                      size_t count, const rnn_nadam_args *args);

/* mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2) */
double rnn_nadam_mu(double beta1, double momentum_decay, double step);

#endif
