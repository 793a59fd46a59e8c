#include "kernels/exact.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/lanes.h"
#include "kernels/target.h"

_Static_assert(FLT_EVAL_METHOD == 0, "double must be computed as double");

/* -- Functions ------------------------------------------------------------------------------- */

/* e^x = scale * (1 + rest), where scale is a power of 2. */
typedef struct power {
    double scale, rest;
} power;

static double power_of_2(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/*
 * x = k log 2 + r with |r| <= log 2 / 2, log 2 being split so that k times its first part is exact
 * (Cody and Waite, 1980); then Taylor's series of e^r - 1, whose first term left out is below
 * 2^-57. For x from -708 to 709.
 */
static power split(double x)
{
    static const double log_2_high = 0x1.62e42feep-1, log_2_low = 0x1.a39ef35793c76p-33;
    static const double inverse_log_2 = 0x1.71547652b82fep+0;
    static const double inverse_factorials[] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0,
        1.0 / 362880.0,     1.0 / 40320.0,     1.0 / 5040.0,     1.0 / 720.0,
        1.0 / 120.0,        1.0 / 24.0,        1.0 / 6.0,        1.0 / 2.0};
    int k = (int)(x * inverse_log_2 + (x < 0.0 ? -0.5 : 0.5));
    double r = (x - k * log_2_high) - k * log_2_low, series = 0.0;

    for (size_t i = 0; i < sizeof inverse_factorials / sizeof *inverse_factorials; i++)
        series = series * r + inverse_factorials[i];
    return (power){power_of_2(k), r + r * r * series};
}

double rnn_exact_exp(double x)
{
    power p;

    if (isnan(x))
        return x;
    if (x > 709.0)
        return INFINITY;
    if (x < -708.0)
        return 0.0;
    p = split(x);
    return p.scale + p.scale * p.rest;
}

/* By e^(-2|x|) - 1, which is exact where x is small too. */
double rnn_exact_tanh(double x)
{
    double twice = -2.0 * fabs(x), less_1 = -1.0;

    if (isnan(x))
        return x;
    if (twice >= -708.0) {
        power p = split(twice);

        less_1 = p.scale * p.rest + (p.scale - 1.0);
    }
    return copysign(less_1 / (2.0 + less_1), x);
}

double rnn_exact_sigmoid(double x)
{
    double e = rnn_exact_exp(-fabs(x));

    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

/* As torch, lets a NaN through. */
static double relu(double x)
{
    return x < 0.0 ? 0.0 : x;
}

/* -- Layers ---------------------------------------------------------------------------------- */

RNN_INLINE double product(const float *a, const double *b, size_t n)
{
    double lanes[RNN_LANES] = {0};
    size_t whole = n - n % RNN_LANES;

    for (size_t i = 0; i < whole; i += RNN_LANES) {
#pragma omp simd
        for (size_t k = 0; k < RNN_LANES; k++)
            lanes[k] += (double)a[i + k] * b[i + k];
    }
    for (size_t k = 0; k < n - whole; k++)
        lanes[k] += (double)a[whole + k] * b[whole + k];
    return rnn_lanes_total(lanes);
}

RNN_TARGET_CLONES
void rnn_exact_linear(size_t n_in, size_t n_out, const double *x, const float *weight,
                      const float *bias, double *y)
{
    for (size_t j = 0; j < n_out; j++, weight += n_in)
        y[j] = product(weight, x, n_in) + (bias != NULL ? (double)bias[j] : 0.0);
}

void rnn_exact_activation(rnn_activation function, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = function == RNN_ACTIVATION_TANH   ? rnn_exact_tanh(x[i])
               : function == RNN_ACTIVATION_RELU ? relu(x[i])
                                                 : rnn_exact_sigmoid(x[i]);
}

void rnn_exact_layernorm(size_t n, double eps, const double *x, const float *weight,
                         const float *bias, double *y)
{
    double mean = 0.0, variance = 0.0, scale;

    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    variance /= (double)n;
    /* Equal values without an eps: 0, as the float kernel has it. */
    scale = variance + eps > 0.0 ? 1.0 / sqrt(variance + eps) : 0.0;
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) * scale;
        if (weight != NULL)
            y[i] *= (double)weight[i];
        if (bias != NULL)
            y[i] += (double)bias[i];
    }
}

/* -- Recurrent steps ------------------------------------------------------------------------- */

/* What the gates get from x and from h. */
static size_t gate_rows(const rnn_recurrent_cfg *cfg)
{
    return rnn_cell_gates(cfg->cell) * cfg->n_hid;
}

size_t rnn_exact_step_scratch(const rnn_recurrent_cfg *cfg)
{
    return 2 * gate_rows(cfg);
}

/* `out` may be of_h. */
static void lstm_step(size_t n, const double *of_x, const double *of_h, double *c, double *out)
{
    for (size_t j = 0; j < n; j++) {
        double i = rnn_exact_sigmoid(of_x[j] + of_h[j]);
        double f = rnn_exact_sigmoid(of_x[n + j] + of_h[n + j]);
        double g = rnn_exact_tanh(of_x[2 * n + j] + of_h[2 * n + j]);
        double o = rnn_exact_sigmoid(of_x[3 * n + j] + of_h[3 * n + j]);

        c[j] = f * c[j] + i * g;
        out[j] = o * rnn_exact_tanh(c[j]);
    }
}

static void gru_step(size_t n, const double *of_x, const double *of_h, double *h)
{
    for (size_t j = 0; j < n; j++) {
        double r = rnn_exact_sigmoid(of_x[j] + of_h[j]);
        double z = rnn_exact_sigmoid(of_x[n + j] + of_h[n + j]);
        double candidate = rnn_exact_tanh(of_x[2 * n + j] + r * of_h[2 * n + j]);

        h[j] = (1.0 - z) * candidate + z * h[j];
    }
}

void rnn_exact_step(const rnn_recurrent_cfg *cfg, const rnn_recurrent_params *params,
                    const double *x, double *h, double *c, double *scratch)
{
    size_t n = cfg->n_hid, n_rows = gate_rows(cfg), n_out = rnn_recurrent_n_out(cfg);
    double *of_x = scratch, *of_h = scratch + n_rows;

    rnn_exact_linear(cfg->n_in, n_rows, x, params->weight_ih, params->bias_ih, of_x);
    rnn_exact_linear(n_out, n_rows, h, params->weight_hh, params->bias_hh, of_h);
    switch (cfg->cell) {
    case RNN_CELL_TANH:
        for (size_t j = 0; j < n; j++)
            h[j] = rnn_exact_tanh(of_x[j] + of_h[j]);
        break;
    case RNN_CELL_RELU:
        for (size_t j = 0; j < n; j++)
            h[j] = relu(of_x[j] + of_h[j]);
        break;
    case RNN_CELL_LSTM:
        lstm_step(n, of_x, of_h, c, cfg->n_proj > 0 ? of_h : h);
        if (cfg->n_proj > 0)
            rnn_exact_linear(n, n_out, of_h, params->weight_hr, NULL, h);
        break;
    case RNN_CELL_GRU:
        gru_step(n, of_x, of_h, h);
        break;
    }
}
