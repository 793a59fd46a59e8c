#include "kernels/layernorm.h"

#include <math.h>

#include "kernels/lanes.h"
#include "kernels/target.h"

enum { FEATURES_AT_ONCE = 128 }; /* of sums over rows: what fits in the first cache */

/* -- Sums over a row ------------------------------------------------------------------------- */

RNN_TARGET_CLONES
static double sum(const float *a, size_t n)
{
    double lanes[RNN_LANES] = {0};
    size_t whole = n - n % RNN_LANES;

    for (size_t i = 0; i < whole; i += RNN_LANES) {
#pragma omp simd
        for (size_t k = 0; k < RNN_LANES; k++)
            lanes[k] += (double)a[i + k];
    }
    for (size_t k = 0; k < n - whole; k++)
        lanes[k] += (double)a[whole + k];
    return rnn_lanes_total(lanes);
}

/* Sum of (a - from_a) * (b - from_b). */
RNN_TARGET_CLONES
static double sum_products(const float *a, double from_a, const float *b, double from_b, size_t n)
{
    double lanes[RNN_LANES] = {0};
    size_t whole = n - n % RNN_LANES;

    for (size_t i = 0; i < whole; i += RNN_LANES) {
#pragma omp simd
        for (size_t k = 0; k < RNN_LANES; k++)
            lanes[k] += ((double)a[i + k] - from_a) * ((double)b[i + k] - from_b);
    }
    for (size_t k = 0; k < n - whole; k++)
        lanes[k] += ((double)a[whole + k] - from_a) * ((double)b[whole + k] - from_b);
    return rnn_lanes_total(lanes);
}

/* -- Forward --------------------------------------------------------------------------------- */

RNN_TARGET_CLONES
static void normalise(const float *x, size_t n, float mean, float rstd, float *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * rstd;
}

void rnn_layernorm_forward(size_t rows, size_t n, double eps, const float *x, const float *weight,
                           const float *bias, float *y, float *mean, float *rstd)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        double centre = sum(x, n) / (double)n;
        double variance = sum_products(x, centre, x, centre, n) / (double)n;

        mean[r] = (float)centre;
        /* A row of equal values without an eps, such as padding, would spread 0 * infinity. */
        rstd[r] = variance + eps > 0.0 ? (float)(1.0 / sqrt(variance + eps)) : 0.0f;
        normalise(x, n, mean[r], rstd[r], y);
        for (size_t i = 0; weight != NULL && i < n; i++)
            y[i] *= weight[i];
        for (size_t i = 0; bias != NULL && i < n; i++)
            y[i] += bias[i];
    }
}

/* -- Backward -------------------------------------------------------------------------------- */

/* Of `count` features, at most FEATURES_AT_ONCE; all pointers are to the first of them. */
RNN_TARGET_CLONES
static void add_params(size_t rows, size_t n, size_t count, const float *x, const float *mean,
                       const float *rstd, const float *dy, float *dweight, float *dbias)
{
    double of_weight[FEATURES_AT_ONCE] = {0}, of_bias[FEATURES_AT_ONCE] = {0};

    for (size_t r = 0; r < rows; r++, x += n, dy += n) {
        const float centre = mean[r], scale = rstd[r];

#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            of_weight[i] += (double)dy[i] * (double)((x[i] - centre) * scale);
            of_bias[i] += (double)dy[i];
        }
    }
    for (size_t i = 0; dweight != NULL && i < count; i++)
        dweight[i] += (float)of_weight[i];
    for (size_t i = 0; dbias != NULL && i < count; i++)
        dbias[i] += (float)of_bias[i];
}

static void add_all_params(size_t rows, size_t n, const float *x, const float *mean,
                           const float *rstd, const float *dy, float *dweight, float *dbias)
{
    for (size_t i = 0; i < n; i += FEATURES_AT_ONCE) {
        size_t count = n - i < FEATURES_AT_ONCE ? n - i : FEATURES_AT_ONCE;

        add_params(rows, n, count, x + i, mean, rstd, dy + i, dweight != NULL ? dweight + i : NULL,
                   dbias != NULL ? dbias + i : NULL);
    }
}

/*
 * g[i] = rstd * (g[i] - mean(g) - normalised[i] * mean(g * normalised)): g, the gradient of the
 * normalised row, becomes that of x.
 */
RNN_TARGET_CLONES
static void through_moments(const float *x, size_t n, float mean, float rstd, float *g)
{
    const float g_mean = (float)(sum(g, n) / (double)n);
    const float product_mean =
        (float)(sum_products(g, 0.0, x, (double)mean, n) * (double)rstd / (double)n);

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        g[i] = rstd * (g[i] - g_mean - (x[i] - mean) * rstd * product_mean);
}

void rnn_layernorm_backward(size_t rows, size_t n, const float *x, const float *mean,
                            const float *rstd, const float *weight, const float *dy, float *dx,
                            float *dweight, float *dbias)
{
    if (dweight != NULL || dbias != NULL)
        add_all_params(rows, n, x, mean, rstd, dy, dweight, dbias);
    for (size_t r = 0; dx != NULL && r < rows; r++, x += n, dy += n, dx += n) {
        for (size_t i = 0; i < n; i++)
            dx[i] = weight != NULL ? dy[i] * weight[i] : dy[i];
        through_moments(x, n, mean[r], rstd[r], dx);
    }
}
