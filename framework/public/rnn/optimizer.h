/*
 * Optimizers of modules' parameters, with torch.optim's names, defaults and definitions.
 *
 *   rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
 *
 *   rnn_optim_create(&optim, &cfg, &module, 1);
 *   for (;;) {
 *       rnn_optim_zero_grad(optim);
 *       ... rnn_module_forward, rnn_loss_labels, rnn_module_backward ...
 *       rnn_optim_step(optim);
 *   }
 */
#ifndef RNN_OPTIMIZER_H
#define RNN_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>

#include <rnn/module.h>
#include <rnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rnn_optimizer_type {
    RNN_OPTIMIZER_SGD,
    RNN_OPTIMIZER_ADAM,
    RNN_OPTIMIZER_ADAMW,
    RNN_OPTIMIZER_ADADELTA,
    RNN_OPTIMIZER_ADAGRAD,
    RNN_OPTIMIZER_RMSPROP,
    RNN_OPTIMIZER_ADAMAX,
    RNN_OPTIMIZER_NADAM
} rnn_optimizer_type;

/* Plain settings. A type uses those that torch's class of the same name has. */
typedef struct rnn_optimizer_cfg {
    rnn_optimizer_type type;
    double lr, weight_decay;
    double momentum, dampening;                 /* sgd, rmsprop (momentum) */
    bool nesterov;                              /* sgd */
    double beta1, beta2, eps;                   /* adam family */
    bool amsgrad;                               /* adam, adamw */
    double rho;                                 /* adadelta */
    double alpha;                               /* rmsprop */
    bool centered;                              /* rmsprop */
    double lr_decay, initial_accumulator_value; /* adagrad */
    double momentum_decay;                      /* nadam */
    double clip_norm, clip_value;               /* 0 = off; norm first, as torch's two functions */
} rnn_optimizer_cfg;

/* torch's default settings of a type, clipping off. */
RNN_API rnn_optimizer_cfg rnn_optimizer_defaults(rnn_optimizer_type type);

typedef struct rnn_optim rnn_optim;

/*
 * An optimizer of all parameters of the given modules, which may be destroyed before it.
 * RNN_ERR_USAGE for settings that torch refuses too, for no module, and for one given twice.
 */
RNN_API rnn_status rnn_optim_create(rnn_optim **out, const rnn_optimizer_cfg *cfg,
                                    rnn_module *const *modules, size_t n_modules);

/* Accepts NULL and leaves NULL. */
RNN_API void rnn_optim_destroy(rnn_optim **optim);

/*
 * Updates the parameters from the gradients, which stay as they are. clip_norm is about the norm of
 * the gradients of all modules together, as torch.nn.utils.clip_grad_norm_; if it is on and that
 * norm is not finite, the result is RNN_ERR_NONFINITE and nothing has changed.
 */
RNN_API rnn_status rnn_optim_step(rnn_optim *optim);

/* Sets the gradients of all its modules to zero. */
RNN_API rnn_status rnn_optim_zero_grad(rnn_optim *optim);

/* The learning rate from the next step on; at least 0, finite. */
RNN_API rnn_status rnn_optim_set_lr(rnn_optim *optim, double lr);

#ifdef __cplusplus
}
#endif

#endif
