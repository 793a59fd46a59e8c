#include "kernels/update.h"

#include <math.h>

#include "kernels/target.h"

/*
 * Scalars are made in double and rounded once to float, as torch does before its loops. Variants
 * are compiled from one inlined loop with constant flags, so that no branch is left inside it.
 */

/* -- Pieces ---------------------------------------------------------------------------------- */

/* The comparisons let a NaN through, as torch.clamp does. */
RNN_INLINE float gradient_at(const rnn_update_gradient *g, size_t i, float p)
{
    float x = g->values[i] * g->scale;

    x = x > g->limit ? g->limit : x;
    x = x < -g->limit ? -g->limit : x;
    return x + g->weight_decay * p;
}

/*
 * torch.lerp, from a to b by weight, counted from the nearer end: a + weight * (b - a), or
 * b - (1 - weight) * (b - a). Which one is told by factors of 0 and 1: the loops stay branchless.
 */
typedef struct lerp_factors {
    float of_a, of_b, of_difference;
} lerp_factors;

static lerp_factors lerp_by(double exact_weight)
{
    float weight = (float)exact_weight;

    if (weight < 0.5f)
        return (lerp_factors){1.0f, 0.0f, weight};
    return (lerp_factors){0.0f, 1.0f, weight - 1.0f};
}

RNN_INLINE float lerp(float a, float b, lerp_factors by)
{
    return (a * by.of_a + b * by.of_b) + by.of_difference * (b - a);
}

/* keep * average + weight * x^2 */
RNN_INLINE float square_average(float average, float x, float keep, float weight)
{
    return average * keep + weight * x * x;
}

/* A NaN in b, the new value, wins, as in torch.maximum. */
RNN_INLINE float maximum(float a, float b)
{
    return a >= b ? a : b;
}

/* -- SGD ------------------------------------------------------------------------------------- */

RNN_TARGET_CLONES
static void sgd_plain(float *restrict p, rnn_update_gradient g, size_t count, float lr)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        p[i] -= lr * gradient_at(&g, i, p[i]);
}

RNN_TARGET_CLONES
static void sgd_momentum(float *restrict p, float *restrict buffer, rnn_update_gradient g,
                         size_t count, const rnn_sgd_args *args)
{
    const float lr = (float)args->lr, momentum = (float)args->momentum;
    const float weight = args->step > 1.0 ? (float)(1.0 - args->dampening) : 1.0f;
    const float of_x = args->nesterov ? 1.0f : 0.0f; /* factors, to have no branch in the loop */
    const float of_velocity = args->nesterov ? momentum : 1.0f;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);
        float velocity = buffer[i] * momentum + weight * x; /* the buffer is 0 at first */

        buffer[i] = velocity;
        p[i] -= lr * (of_x * x + of_velocity * velocity);
    }
}

void rnn_update_sgd(float *p, float *momentum_buffer, rnn_update_gradient g, size_t count,
                    const rnn_sgd_args *args)
{
    if (momentum_buffer == NULL)
        sgd_plain(p, g, count, (float)args->lr);
    else
        sgd_momentum(p, momentum_buffer, g, count, args);
}

/* -- Adam, AdamW ----------------------------------------------------------------------------- */

RNN_INLINE void adam(float *restrict p, float *restrict exp_avg, float *restrict exp_avg_sq,
                     float *restrict max_exp_avg_sq, rnn_update_gradient g, size_t count,
                     const rnn_adam_args *args, bool amsgrad)
{
    const lerp_factors to_mean = lerp_by(1.0 - args->beta1);
    const float beta2 = (float)args->beta2, weight2 = (float)(1.0 - args->beta2);
    const float shrink = (float)(1.0 - args->lr * args->decoupled_decay);
    const float step_size = (float)(args->lr / (1.0 - pow(args->beta1, args->step)));
    const float root_bias = (float)sqrt(1.0 - pow(args->beta2, args->step));
    const float eps = (float)args->eps;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);
        float m = lerp(exp_avg[i], x, to_mean);
        float v = square_average(exp_avg_sq[i], x, beta2, weight2);

        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        if (amsgrad) {
            v = maximum(max_exp_avg_sq[i], v);
            max_exp_avg_sq[i] = v;
        }
        p[i] = p[i] * shrink - step_size * m / (sqrtf(v) / root_bias + eps);
    }
}

RNN_TARGET_CLONES
void rnn_update_adam(float *p, float *exp_avg, float *exp_avg_sq, float *max_exp_avg_sq,
                     rnn_update_gradient g, size_t count, const rnn_adam_args *args)
{
    if (max_exp_avg_sq == NULL)
        adam(p, exp_avg, exp_avg_sq, NULL, g, count, args, false);
    else
        adam(p, exp_avg, exp_avg_sq, max_exp_avg_sq, g, count, args, true);
}

/* -- Adadelta -------------------------------------------------------------------------------- */

RNN_TARGET_CLONES
void rnn_update_adadelta(float *restrict p, float *restrict square_avg, float *restrict acc_delta,
                         rnn_update_gradient g, size_t count, const rnn_adadelta_args *args)
{
    const float rho = (float)args->rho, weight = (float)(1.0 - args->rho);
    const float lr = (float)args->lr, eps = (float)args->eps;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);
        float v = square_average(square_avg[i], x, rho, weight);
        float delta = sqrtf(acc_delta[i] + eps) / sqrtf(v + eps) * x;

        square_avg[i] = v;
        acc_delta[i] = square_average(acc_delta[i], delta, rho, weight);
        p[i] -= lr * delta;
    }
}

/* -- Adagrad --------------------------------------------------------------------------------- */

RNN_TARGET_CLONES
void rnn_update_adagrad(float *restrict p, float *restrict sum, rnn_update_gradient g, size_t count,
                        const rnn_adagrad_args *args)
{
    const float step_size = (float)(args->lr / (1.0 + (args->step - 1.0) * args->lr_decay));
    const float eps = (float)args->eps;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);

        sum[i] += x * x;
        p[i] -= step_size * x / (sqrtf(sum[i]) + eps);
    }
}

/* -- RMSprop --------------------------------------------------------------------------------- */

RNN_INLINE void rmsprop(float *restrict p, float *restrict square_avg,
                        float *restrict momentum_buffer, float *restrict grad_avg,
                        rnn_update_gradient g, size_t count, const rnn_rmsprop_args *args,
                        bool moving, bool centered)
{
    const lerp_factors to_mean = lerp_by(1.0 - args->alpha);
    const float alpha = (float)args->alpha, weight = (float)(1.0 - args->alpha);
    const float lr = (float)args->lr, eps = (float)args->eps, momentum = (float)args->momentum;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);
        float v = square_average(square_avg[i], x, alpha, weight);

        square_avg[i] = v;
        if (centered) {
            grad_avg[i] = lerp(grad_avg[i], x, to_mean);
            v -= grad_avg[i] * grad_avg[i];
        }
        if (moving) {
            momentum_buffer[i] = momentum_buffer[i] * momentum + x / (sqrtf(v) + eps);
            p[i] -= lr * momentum_buffer[i];
        } else {
            p[i] -= lr * x / (sqrtf(v) + eps);
        }
    }
}

RNN_TARGET_CLONES
void rnn_update_rmsprop(float *p, float *square_avg, float *momentum_buffer, float *grad_avg,
                        rnn_update_gradient g, size_t count, const rnn_rmsprop_args *args)
{
    if (momentum_buffer == NULL && grad_avg == NULL)
        rmsprop(p, square_avg, NULL, NULL, g, count, args, false, false);
    else if (grad_avg == NULL)
        rmsprop(p, square_avg, momentum_buffer, NULL, g, count, args, true, false);
    else if (momentum_buffer == NULL)
        rmsprop(p, square_avg, NULL, grad_avg, g, count, args, false, true);
    else
        rmsprop(p, square_avg, momentum_buffer, grad_avg, g, count, args, true, true);
}

/* -- Adamax ---------------------------------------------------------------------------------- */

RNN_TARGET_CLONES
void rnn_update_adamax(float *restrict p, float *restrict exp_avg, float *restrict exp_inf,
                       rnn_update_gradient g, size_t count, const rnn_adamax_args *args)
{
    const lerp_factors to_mean = lerp_by(1.0 - args->beta1);
    const float beta2 = (float)args->beta2, eps = (float)args->eps;
    const float step_size = (float)(args->lr / (1.0 - pow(args->beta1, args->step)));

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);

        exp_avg[i] = lerp(exp_avg[i], x, to_mean);
        exp_inf[i] = maximum(exp_inf[i] * beta2, fabsf(x) + eps);
        p[i] -= step_size * exp_avg[i] / exp_inf[i];
    }
}

/* -- NAdam ----------------------------------------------------------------------------------- */

double rnn_nadam_mu(double beta1, double momentum_decay, double step)
{
    return beta1 * (1.0 - 0.5 * pow(0.96, step * momentum_decay));
}

RNN_TARGET_CLONES
void rnn_update_nadam(float *restrict p, float *restrict exp_avg, float *restrict exp_avg_sq,
                      rnn_update_gradient g, size_t count, const rnn_nadam_args *args)
{
    const lerp_factors to_mean = lerp_by(1.0 - args->beta1);
    const float beta2 = (float)args->beta2, weight2 = (float)(1.0 - args->beta2);
    const float bias2 = (float)(1.0 - pow(args->beta2, args->step));
    const float size_now = (float)(args->lr * (1.0 - args->mu) / (1.0 - args->mu_product));
    const float size_next =
        (float)(args->lr * args->mu_next / (1.0 - args->mu_product * args->mu_next));
    const float eps = (float)args->eps;

#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float x = gradient_at(&g, i, p[i]);
        float m = lerp(exp_avg[i], x, to_mean);
        float v = square_average(exp_avg_sq[i], x, beta2, weight2);
        float root = sqrtf(v / bias2) + eps;

        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        p[i] = p[i] - size_now * x / root - size_next * m / root;
    }
}
