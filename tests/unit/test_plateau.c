/*
 * Falls of the learning rate on a plateau, against torch's ReduceLROnPlateau.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "framework/plateau.h"
#include "kernels/random.h"

/* -- The algorithm that torch documents, with its names ------------------------------------------
 */

typedef struct reference {
    double factor, threshold, min_lr;
    uint64_t patience;
    int is_max;
    double lr, best;
    uint64_t num_bad_epochs;
} reference;

static reference make_reference(const rnn_plateau_cfg *cfg)
{
    return (reference){.factor = cfg->factor,
                       .threshold = cfg->threshold,
                       .min_lr = cfg->min_lr,
                       .patience = cfg->patience,
                       .is_max = cfg->more_is_better,
                       .lr = cfg->lr,
                       .best = cfg->more_is_better ? -(double)INFINITY : (double)INFINITY};
}

static int reference_is_better(const reference *r, double a)
{
    if (r->is_max)
        return a > r->best * (r->threshold + 1.0);
    return a < r->best * (1.0 - r->threshold);
}

static void reference_step(reference *r, double metric)
{
    if (reference_is_better(r, metric)) {
        r->best = metric;
        r->num_bad_epochs = 0;
    } else {
        r->num_bad_epochs++;
    }
    if (r->num_bad_epochs > r->patience) {
        double new_lr = fmax(r->lr * r->factor, r->min_lr);

        if (r->lr - new_lr > 1e-8)
            r->lr = new_lr;
        r->num_bad_epochs = 0;
    }
}

/* Goes through metrics by both. */
static void assert_as_reference(const rnn_plateau_cfg *cfg, const double *metric, size_t n)
{
    rnn_plateau plateau = rnn_plateau_start;
    reference r = make_reference(cfg);

    for (size_t i = 0; i < n; i++) {
        double before = r.lr, lr;
        bool fell = rnn_plateau_watch(&plateau, cfg, metric[i]);

        reference_step(&r, metric[i]);
        lr = cfg->lr * plateau.scale;
        if (fell != (r.lr < before) || fabs(lr - r.lr) > 4e-16 * r.lr ||
            plateau.bad_epochs != r.num_bad_epochs)
            fail_msg("epoch %zu, metric %g: rate %.17g and %llu bad epochs, expected %.17g and "
                     "%llu",
                     i + 1, metric[i], lr, (unsigned long long)plateau.bad_epochs, r.lr,
                     (unsigned long long)r.num_bad_epochs);
    }
}

/* -- By hand ------------------------------------------------------------------------------------
 */

/* What the rate is after each epoch. */
static void assert_rates(const rnn_plateau_cfg *cfg, const double (*epoch)[2], size_t n)
{
    rnn_plateau plateau = rnn_plateau_start;

    for (size_t i = 0; i < n; i++) {
        double before = cfg->lr * plateau.scale, lr;
        bool fell = rnn_plateau_watch(&plateau, cfg, epoch[i][0]);

        lr = cfg->lr * plateau.scale;
        if (fabs(lr - epoch[i][1]) > 1e-15)
            fail_msg("after epoch %zu the rate is %.17g, expected %.17g", i + 1, lr, epoch[i][1]);
        assert_int_equal(fell, lr < before);
    }
}

#define N_OF(array) (sizeof(array) / sizeof *(array))

static void the_rate_falls_after_patience_bad_epochs_and_one(void **state)
{
    static const rnn_plateau_cfg cfg = {
        .factor = 0.1, .threshold = 1e-4, .patience = 2, .lr = 1.0, .min_lr = 0.005};
    static const double epochs[][2] = {
        {1.0, 1.0},                                /* the best */
        {0.9, 1.0},                                /* better */
        {0.9, 1.0},                                /* bad 1 */
        {0.89995, 1.0},                            /* bad 2: better by less than a ten-thousandth */
        {0.95, 0.1},                               /* bad 3: falls, counts from 0 */
        {0.9, 0.1},                                /* bad 1 */
        {0.8, 0.1},                                /* better */
        {0.8, 0.1},     {0.8, 0.1},   {0.8, 0.01}, /* falls */
        {0.8, 0.01},    {0.8, 0.01},  {0.8, 0.005}, /* to min_lr, not below */
        {0.8, 0.005},   {0.8, 0.005}, {0.8, 0.005}, /* nowhere to go */
    };

    (void)state;
    assert_rates(&cfg, epochs, N_OF(epochs));
}

static void more_may_be_better(void **state)
{
    static const rnn_plateau_cfg cfg = {
        .factor = 0.5, .threshold = 0.1, .patience = 0, .lr = 8.0, .more_is_better = true};
    static const double epochs[][2] = {
        {0.50, 8.0}, {0.56, 8.0}, {0.60, 4.0}, /* 0.56 is better by 12 %, 0.60 by 7 % */
        {0.61, 2.0}, {0.62, 2.0},              /* 0.62 > 1.1 * 0.56 */
    };

    (void)state;
    assert_rates(&cfg, epochs, N_OF(epochs));
}

/* NAN is no better than anything, and nothing is compared with it. */
static void what_is_not_a_number_is_a_bad_epoch(void **state)
{
    static const rnn_plateau_cfg cfg = {
        .factor = 0.5, .threshold = 1e-4, .patience = 1, .lr = 4.0, .min_lr = 0.0};
    static const double epochs[][2] = {
        {NAN, 4.0}, {NAN, 2.0}, {3.0, 2.0}, {NAN, 2.0}, {2.9, 2.0}, {NAN, 2.0}, {NAN, 1.0},
    };

    (void)state;
    assert_rates(&cfg, epochs, N_OF(epochs));
}

/* In torch a first metric that is infinite in the wrong direction is not better than none. */
static void an_infinite_first_metric_is_a_bad_epoch(void **state)
{
    static const rnn_plateau_cfg cfg = {.factor = 0.5, .threshold = 1e-4, .lr = 4.0};
    static const rnn_plateau_cfg max = {
        .factor = 0.5, .threshold = 1e-4, .lr = 4.0, .more_is_better = true};
    static const double low[][2] = {{INFINITY, 2.0}, {5.0, 2.0}, {5.0, 1.0}};
    static const double high[][2] = {{-INFINITY, 2.0}, {5.0, 2.0}, {5.0, 1.0}};

    (void)state;
    assert_rates(&cfg, low, N_OF(low));
    assert_rates(&max, high, N_OF(high));
}

/* torch's eps. */
static void a_fall_of_less_than_eps_is_none(void **state)
{
    static const rnn_plateau_cfg cfg = {.factor = 0.5, .threshold = 1e-4, .lr = 1.5e-8};
    rnn_plateau plateau = rnn_plateau_start;

    (void)state;
    assert_false(rnn_plateau_watch(&plateau, &cfg, 1.0));
    for (int i = 0; i < 3; i++) {
        assert_false(rnn_plateau_watch(&plateau, &cfg, 1.0));
        assert_true(plateau.scale == 1.0 && plateau.bad_epochs == 0);
    }
}

static void a_rate_below_the_lowest_stays(void **state)
{
    static const rnn_plateau_cfg cfg = {
        .factor = 0.5, .threshold = 1e-4, .lr = 0.001, .min_lr = 0.01};
    static const double epochs[][2] = {{1.0, 0.001}, {1.0, 0.001}, {1.0, 0.001}};

    (void)state;
    assert_rates(&cfg, epochs, N_OF(epochs));
}

/* -- By the reference ---------------------------------------------------------------------------
 */

/* Metrics that get better, worse, stay, and are not finite now and then. */
static void make_metrics(double *metric, size_t n, uint64_t seed)
{
    double level = 1.0;

    for (size_t i = 0; i < n; i++) {
        uint64_t kind = rnn_random_below(12, seed, RNN_RANDOM_SPLIT, 0, i);
        uint64_t size = rnn_random_below(1000, seed, RNN_RANDOM_SPLIT, 1, i);

        if (kind < 5)
            level *= 1.0 - 1e-3 * (double)size / (kind < 3 ? 1.0 : 1000.0);
        else if (kind < 8)
            level *= 1.0 + 1e-3 * (double)size / (kind < 7 ? 1.0 : 1000.0);
        metric[i] = kind == 10 ? (double)NAN : kind == 11 ? (double)INFINITY : level;
        if (seed % 5 == 4) /* torch's relative threshold is odd below 0 */
            metric[i] = -metric[i];
    }
}

static void any_sequence_does_what_torch_does(void **state)
{
    enum { N = 200, N_SEEDS = 200 };
    static const double factors[] = {0.1, 0.5, 0.9}, thresholds[] = {0.0, 1e-4, 0.05};
    static const double lowest[] = {0.0, 1e-3};
    double metric[N];

    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        const rnn_plateau_cfg cfg = {.factor = factors[seed % 3],
                                     .threshold = thresholds[seed / 3 % 3],
                                     .patience = seed / 9 % 4,
                                     .lr = 0.1,
                                     .min_lr = lowest[seed / 36 % 2],
                                     .more_is_better = seed / 72 % 2 == 1};

        make_metrics(metric, N, seed);
        assert_as_reference(&cfg, metric, N);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_falls_after_patience_bad_epochs_and_one),
        cmocka_unit_test(more_may_be_better),
        cmocka_unit_test(what_is_not_a_number_is_a_bad_epoch),
        cmocka_unit_test(an_infinite_first_metric_is_a_bad_epoch),
        cmocka_unit_test(a_fall_of_less_than_eps_is_none),
        cmocka_unit_test(a_rate_below_the_lowest_stays),
        cmocka_unit_test(any_sequence_does_what_torch_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
