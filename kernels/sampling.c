#include "kernels/sampling.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/random.h"

/*
 * Weights are rounded to whole multiples of 2^-39 of the largest. So sums of them are exact in any
 * order, and even an exp that came to differ in its last bit would hardly ever change a choice:
 * almost always it would be rounded away. The sum of 2^24 weights fits in 64 bits.
 */
static const double unit = 0x1p39;

static rnn_status check(const double *scores, size_t n, const rnn_sampling_cfg *cfg)
{
    if (!isfinite(cfg->temperature) || cfg->temperature < 0.0)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "temperature: expected a finite number of at least 0, found %g",
                        cfg->temperature);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(scores[i]))
            return RNN_FAIL(RNN_ERR_NONFINITE,
                            "choosing a token: expected finite scores, found %g for token %zu",
                            scores[i], i);
    return RNN_OK;
}

static size_t find_largest(const double *scores, size_t n)
{
    size_t largest = 0;

    for (size_t i = 1; i < n; i++)
        if (scores[i] > scores[largest])
            largest = i;
    return largest;
}

/* The k-th largest of values [n], 1 <= k <= n; reorders them (Hoare: Find, 1961). */
static double find_kth_largest(double *values, size_t n, size_t k)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, wanted = (ptrdiff_t)k - 1;

    while (low < high) {
        double pivot = values[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (values[i] > pivot)
                i++;
            while (values[j] < pivot)
                j--;
            if (i <= j) {
                double value = values[i];

                values[i++] = values[j];
                values[j--] = value;
            }
        }
        if (wanted <= j)
            high = j;
        else if (wanted >= i)
            low = i;
        else
            break;
    }
    return values[wanted];
}

/* The lowest score that counts, and how many of just this score do. Overwrites scratch. */
static double find_threshold(const double *scores, size_t n, size_t top_k, double *scratch,
                             size_t *n_equal)
{
    double threshold;

    memcpy(scratch, scores, n * sizeof *scratch);
    threshold = find_kth_largest(scratch, n, top_k);
    *n_equal = top_k;
    for (size_t i = 0; i < n; i++)
        *n_equal -= scores[i] > threshold;
    return threshold;
}

static uint64_t weigh(double exponent)
{
    return (uint64_t)(rnn_exact_exp(exponent) * unit + 0.5);
}

/* Whole numbers from 0 to `unit` into weights [n]; returns their sum. */
static uint64_t make_weights(const double *scores, size_t n, const rnn_sampling_cfg *cfg,
                             double *weights)
{
    double largest = scores[find_largest(scores, n)], threshold = -INFINITY;
    size_t n_equal = 0;
    uint64_t total = 0;

    if (cfg->top_k > 0 && cfg->top_k < n)
        threshold = find_threshold(scores, n, cfg->top_k, weights, &n_equal);
    for (size_t i = 0; i < n; i++) {
        bool counts = scores[i] > threshold;
        uint64_t weight = 0;

        if (scores[i] == threshold && n_equal > 0) {
            counts = true;
            n_equal--;
        }
        if (counts)
            weight = weigh((scores[i] - largest) / cfg->temperature);
        weights[i] = (double)weight;
        total += weight;
    }
    return total;
}

rnn_status rnn_sample_token(const double *scores, size_t n, const rnn_sampling_cfg *cfg,
                            uint64_t position, double *scratch, size_t *token)
{
    uint64_t left;

    RNN_TRY(check(scores, n, cfg));
    *token = find_largest(scores, n);
    if (cfg->temperature == 0.0)
        return RNN_OK;
    left = make_weights(scores, n, cfg, scratch);
    left = rnn_random_below(left, cfg->seed, RNN_RANDOM_SAMPLE, 0, position);
    for (*token = 0; left >= (uint64_t)scratch[*token]; ++*token)
        left -= (uint64_t)scratch[*token];
    return RNN_OK;
}
