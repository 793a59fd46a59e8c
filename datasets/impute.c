#include <math.h>

#include "datasets/reader.h"

/* A sequence: value t is at values[t * pitch]. */
typedef struct sequence {
    float *values;
    size_t n_steps, pitch;
} sequence;

static float *at(const sequence *s, size_t t)
{
    return &s->values[t * s->pitch];
}

/* The first step from t on that is, or is not, missing; n_steps if there is none. */
static size_t find(const sequence *s, size_t t, bool is_missing)
{
    while (t < s->n_steps && isnan(*at(s, t)) != is_missing)
        t++;
    return t;
}

static double mean_of(const sequence *s)
{
    double sum = 0;
    size_t n = 0;

    for (size_t t = find(s, 0, false); t < s->n_steps; t = find(s, t + 1, false), n++)
        sum += *at(s, t);
    return n > 0 ? sum / (double)n : 0;
}

static void fill_all(const sequence *s, float value)
{
    for (size_t t = find(s, 0, true); t < s->n_steps; t = find(s, t + 1, true))
        *at(s, t) = value;
}

/* Fills the gap first .. end - 1, which has a known value at one side or both. */
static void fill_gap(rnn_missing missing, const sequence *s, size_t first, size_t end)
{
    double before = first > 0 ? *at(s, first - 1) : *at(s, end);
    double behind = end < s->n_steps && missing == RNN_MISSING_LINEAR ? *at(s, end) : before;
    double slope = (behind - before) / (double)(end - first + 1);

    for (size_t t = first; t < end; t++)
        *at(s, t) = (float)(before + slope * (double)(t - first + 1));
}

void rnn_reader_impute(rnn_missing missing, float *values, size_t n_steps, size_t pitch)
{
    const sequence s = {values, n_steps, pitch};
    size_t end;

    if (missing == RNN_MISSING_ZERO || find(&s, 0, false) == n_steps) {
        fill_all(&s, 0);
    } else if (missing == RNN_MISSING_MEAN) {
        fill_all(&s, (float)mean_of(&s));
    } else {
        for (size_t t = find(&s, 0, true); t < n_steps; t = find(&s, end, true)) {
            end = find(&s, t, false);
            fill_gap(missing, &s, t, end);
        }
    }
}
