#include "kernels/loss.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* -- Cross entropy --------------------------------------------------------------------------- */

/* Selects instead of branching: which score is the largest cannot be predicted. */
static size_t largest(const float *z, size_t n)
{
    size_t best = 0;
    float top = z[0];

    for (size_t j = 1; j < n; j++) {
        best = z[j] > top ? j : best;
        top = z[j] > top ? z[j] : top;
    }
    return best;
}

/* Sum of exp(z - top). `terms`, if not NULL, gets what is summed; it may be z. */
static double sum_exp(const float *z, size_t n, float top, float *terms)
{
    double total = 0.0;

    for (size_t j = 0; j < n; j++) {
        float e = expf(z[j] - top);

        total += (double)e;
        if (terms != NULL)
            terms[j] = e;
    }
    return total;
}

static double mean_below(const float *z, size_t n, float top)
{
    double total = 0.0;

    for (size_t j = 0; j < n; j++)
        total += (double)(z[j] - top);
    return total / (double)n;
}

/* Loss of one row; `dz`, if not NULL, gets the gradient and may be z. */
static double row_loss(double smoothing, size_t n, const float *z, float top, size_t target,
                       float *dz)
{
    const float z_target = z[target]; /* read before dz replaces it, as all of z is */
    const double z_mean = smoothing > 0.0 ? mean_below(z, n, top) : 0.0;
    const double total = sum_exp(z, n, top, dz);
    const double nll = log(total) - (double)(z_target - top);

    if (dz != NULL) {
        for (size_t j = 0; j < n; j++)
            dz[j] = dz[j] * (float)(1.0 / total) - (float)(smoothing / (double)n);
        dz[target] -= (float)(1.0 - smoothing);
    }
    /* Not by a factor of 0: z_mean is infinite if a score is -inf. */
    return smoothing > 0.0 ? (1.0 - smoothing) * nll + smoothing * (log(total) - z_mean) : nll;
}

rnn_loss_sums rnn_loss_cross_entropy(const rnn_cross_entropy_args *args, size_t rows,
                                     size_t n_classes, const float *logits, const int32_t *label,
                                     float *dlogits, int32_t *predicted)
{
    rnn_loss_sums sums = {0};

    for (size_t r = 0; r < rows; r++) {
        const float *z = logits + r * n_classes;
        float *dz = dlogits != NULL ? dlogits + r * n_classes : NULL;
        size_t best = largest(z, n_classes), target = (size_t)label[r];

        if (predicted != NULL)
            predicted[r] = (int32_t)best;
        if (label[r] < 0 || label[r] == args->ignore_index) {
            if (dz != NULL)
                memset(dz, 0, n_classes * sizeof *dz);
            continue;
        }
        sums.n_targets++;
        sums.n_correct += best == target;
        sums.loss += row_loss(args->label_smoothing, n_classes, z, z[best], target, dz);
    }
    return sums;
}

/* -- Element by element ---------------------------------------------------------------------- */

/* One element's loss and its derivative by x. */
typedef struct term {
    double loss;
    float slope;
} term;

static term mse(float x, float y)
{
    float d = x - y;

    return (term){(double)d * (double)d, 2.0f * d};
}

static term smooth_l1(float x, float y, float beta)
{
    float d = x - y, size = fabsf(d);

    if (size < beta)
        return (term){0.5 * (double)d * (double)d / (double)beta, d / beta};
    return (term){(double)size - 0.5 * (double)beta, (float)(d > 0.0f) - (float)(d < 0.0f)};
}

/*
 * With e = exp(-|x|), which cannot overflow: -log(sigmoid(x)) = max(-x, 0) + log(1 + e), and
 * -log(1 - sigmoid(x)) = x more than that.
 */
static term bce_with_logits(float x, float y)
{
    float e = expf(-fabsf(x));
    float sigmoid = (x >= 0.0f ? 1.0f : e) / (1.0f + e);
    double above = x > 0.0f ? (double)x : 0.0;

    return (term){above - (double)x * (double)y + (double)log1pf(e), sigmoid - y};
}

static term element(rnn_loss_type type, float beta, float x, float y)
{
    switch (type) {
    case RNN_LOSS_MSE:
        return mse(x, y);
    case RNN_LOSS_L1:
        return smooth_l1(x, y, 0.0f);
    case RNN_LOSS_SMOOTH_L1:
        return smooth_l1(x, y, beta);
    case RNN_LOSS_BCE_WITH_LOGITS:
        return bce_with_logits(x, y);
    case RNN_LOSS_CROSS_ENTROPY: /* not a loss of elements */
        break;
    }
    return (term){NAN, NAN};
}

rnn_loss_sums rnn_loss_elementwise(rnn_loss_type type, double beta, size_t count,
                                   const float *input, const float *target, float *dinput)
{
    rnn_loss_sums sums = {.n_targets = count};

    for (size_t i = 0; i < count; i++) {
        term t = element(type, (float)beta, input[i], target[i]);

        sums.loss += t.loss;
        if (dinput != NULL)
            dinput[i] = t.slope;
    }
    return sums;
}
