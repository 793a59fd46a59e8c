/*
 * Optimizers over the flat parameter arena, with torch.optim's names, defaults and definitions.
 */
#ifndef RNN_FRAMEWORK_OPTIMIZER_H
#define RNN_FRAMEWORK_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rnn/optimizer.h>

#include "kernels/status.h"

typedef struct rnn_optimizer rnn_optimizer;

/* "sgd", "adam", ...; and back (false if there is no such type). */
const char *rnn_optimizer_type_name(rnn_optimizer_type type);
bool rnn_optimizer_type_parse(const char *name, rnn_optimizer_type *out);

/* RNN_ERR_DATA for a type that does not exist, and for settings torch refuses too. */
rnn_status rnn_optimizer_check(const rnn_optimizer_cfg *cfg);

/* Takes state arrays for n_params values; checks the settings. */
rnn_status rnn_optimizer_create(rnn_optimizer **out, const rnn_optimizer_cfg *cfg, size_t n_params);
void rnn_optimizer_destroy(rnn_optimizer **optimizer);

/*
 * One step: params -= update(grads * grad_scale).
 *   grads       [n_params] sums over samples; grad_scale is 1 / number of samples
 *   lr          learning rate of this step (from the schedule)
 *   grad_norm   (out, may be NULL) L2 norm of grads * grad_scale before clipping; computed only
 *               when asked for or when clip_norm is on, else NAN
 * Parallel over OpenMP threads; the same bits for any number. Returns RNN_ERR_NONFINITE, having
 * changed nothing, if the norm was computed and is not finite.
 */
rnn_status rnn_optimizer_step(rnn_optimizer *optimizer, float *params, const float *grads,
                              float grad_scale, double lr, double *grad_norm);

/* A step in parts: what all of them need. */
typedef struct rnn_optimizer_pass {
    float *params;      /* [n_params] */
    const float *grads; /* [n_params] sums over samples */
    double scale;       /* of the gradients; rnn_optimizer_begin makes clipping a part of it */
    double lr;
} rnn_optimizer_pass;

/* The same step in two: begin takes the norm, checks it and counts the step; then every parameter
 * has to be updated once, in stretches that different threads may take. */
rnn_status rnn_optimizer_begin(rnn_optimizer *optimizer, rnn_optimizer_pass *pass,
                               double *grad_norm);
void rnn_optimizer_update(const rnn_optimizer *optimizer, const rnn_optimizer_pass *pass,
                          size_t first, size_t count);

/*
 * rnn_optimizer_step with `square_sum`, of all gradients, when grads and params are a part of these
 * that this optimizer was made for. The norm is always checked.
 */
rnn_status rnn_optimizer_step_measured(rnn_optimizer *optimizer, float *params, const float *grads,
                                       float grad_scale, double lr, double square_sum);

/* For checkpoints: the step count and the state arrays with torch's state_dict names. */
uint64_t rnn_optimizer_get_step(const rnn_optimizer *optimizer);
void rnn_optimizer_set_step(rnn_optimizer *optimizer, uint64_t step);
size_t rnn_optimizer_n_states(const rnn_optimizer *optimizer);
const char *rnn_optimizer_state_name(const rnn_optimizer *optimizer, size_t i);
float *rnn_optimizer_state(rnn_optimizer *optimizer, size_t i); /* [n_params], lent */

/* Scalar state beside the step (nadam's mu_product); 1 where a type has none. */
double rnn_optimizer_get_scalar(const rnn_optimizer *optimizer);
void rnn_optimizer_set_scalar(rnn_optimizer *optimizer, double value);

const rnn_optimizer_cfg *rnn_optimizer_get_cfg(const rnn_optimizer *optimizer);

#endif
