#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "framework/schedule.h"

#define PI 3.14159265358979323846

/* A few roundings in double. */
static void assert_close(double found, double expected)
{
    assert_true(fabs(found - expected) <= 1e-14 * fabs(expected));
}

static void constant_stays(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_CONSTANT};

    (void)unused;
    for (uint64_t step = 0; step < 10; step++)
        assert_true(rnn_schedule_lr(&cfg, 0.3, step / 2, step, 10) == 0.3);
}

static void step_multiplies_by_gamma_every_step_size_epochs(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_STEP, .step_size = 3, .gamma = 0.1};
    const double expected[] = {2.0, 2.0, 2.0, 0.2, 0.2, 0.2, 0.02, 0.02, 0.02, 0.002};

    (void)unused;
    for (uint64_t epoch = 0; epoch < 10; epoch++)
        assert_close(rnn_schedule_lr(&cfg, 2.0, epoch, epoch * 7, 70), expected[epoch]);
}

static void cosine_passes_the_start_the_middle_and_the_end(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_COSINE, .min_lr = 0.1};

    (void)unused;
    assert_close(rnn_schedule_lr(&cfg, 0.9, 0, 0, 100), 0.9);
    assert_close(rnn_schedule_lr(&cfg, 0.9, 0, 50, 100), 0.5);
    assert_close(rnn_schedule_lr(&cfg, 0.9, 0, 100, 100), 0.1);
}

static void cosine_stays_at_min_lr_after_the_end(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_COSINE, .min_lr = 0.1, .warmup_steps = 5};

    (void)unused;
    assert_close(rnn_schedule_lr(&cfg, 0.9, 0, 101, 100), 0.1);
    assert_close(rnn_schedule_lr(&cfg, 0.9, 0, UINT64_MAX, 100), 0.1);
}

/*
 * torch steps CosineAnnealingLR from one rate to the next; the value of a step asked for out of the
 * blue, as after resuming, must be the one that stepping reaches. 1e-12: a hundred roundings.
 */
static void cosine_asked_for_directly_equals_stepping(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_COSINE, .min_lr = 1e-4, .warmup_steps = 20};
    double lr = 0.5;

    (void)unused;
    for (uint64_t t = 0; t < 99; t++) {
        double direct = rnn_schedule_lr(&cfg, 0.5, 0, 20 + t, 120);

        assert_true(fabs(direct - lr) <= 1e-12 * lr);
        lr = (1.0 + cos(PI * (double)(t + 1) / 100.0)) / (1.0 + cos(PI * (double)t / 100.0)) *
                 (lr - 1e-4) +
             1e-4;
    }
}

static void step_asked_for_directly_equals_stepping(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_STEP, .step_size = 4, .gamma = 0.7};
    double lr = 0.5;

    (void)unused;
    for (uint64_t epoch = 0; epoch < 40; epoch++) {
        if (epoch > 0 && epoch % 4 == 0)
            lr *= 0.7;
        assert_close(rnn_schedule_lr(&cfg, 0.5, epoch, 0, 0), lr);
    }
}

static void warmup_rises_linearly_to_the_scheduled_rate(void **unused)
{
    const rnn_schedule_type types[] = {RNN_SCHEDULE_CONSTANT, RNN_SCHEDULE_STEP,
                                       RNN_SCHEDULE_COSINE};

    (void)unused;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        const rnn_schedule_cfg cfg = {
            .type = types[k], .warmup_steps = 4, .step_size = 1, .gamma = 0.5, .min_lr = 0.01};

        for (uint64_t step = 0; step <= 4; step++)
            assert_close(rnn_schedule_lr(&cfg, 1.0, 0, step, 50), 0.2 * (double)(step + 1));
    }
}

static void warmup_may_outlast_the_training(void **unused)
{
    const rnn_schedule_cfg cfg = {.type = RNN_SCHEDULE_COSINE, .warmup_steps = 9, .min_lr = 0.01};

    (void)unused;
    for (uint64_t step = 0; step < 9; step++)
        assert_close(rnn_schedule_lr(&cfg, 1.0, 0, step, 5), 0.1 * (double)(step + 1));
}

/* -- one_cycle --------------------------------------------------------------------------------- */

/* torch's text of OneCycleLR.get_lr, with its list of phases, for max_lr 1. */
static double one_cycle_of_torch(const rnn_schedule_cfg *cfg, double step_num, double total_steps)
{
    const double initial_lr = 1.0 / cfg->div_factor, min_lr = initial_lr / cfg->final_div_factor;
    const struct {
        double end_step, start_lr, end_lr;
    } phases[] = {{cfg->pct_start * total_steps - 1.0, initial_lr, 1.0},
                  {total_steps - 1.0, 1.0, min_lr}};
    double start_step = 0.0, pct;
    int i = 0;

    if (step_num > phases[0].end_step) {
        start_step = phases[0].end_step;
        i = 1;
    }
    pct = (step_num - start_step) / (phases[i].end_step - start_step);
    if (cfg->anneal == RNN_ANNEAL_LINEAR)
        return (phases[i].end_lr - phases[i].start_lr) * pct + phases[i].start_lr;
    return phases[i].end_lr + (phases[i].start_lr - phases[i].end_lr) / 2.0 * (cos(PI * pct) + 1.0);
}

static rnn_schedule_cfg one_cycle_defaults(void)
{
    return (rnn_schedule_cfg){.type = RNN_SCHEDULE_ONE_CYCLE,
                              .pct_start = 0.3,
                              .div_factor = 25.0,
                              .final_div_factor = 1e4};
}

/* 1e-13 of max_lr: near the end the rates are small differences of large ones. */
static void one_cycle_is_torchs(void **unused)
{
    static const double pct_starts[] = {0.3, 0.25, 0.0, 0.9, 1.0, 0.07};
    static const uint64_t totals[] = {2, 7, 10, 101, 1000};

    (void)unused;
    for (size_t p = 0; p < sizeof pct_starts / sizeof *pct_starts; p++)
        for (size_t n = 0; n < sizeof totals / sizeof *totals; n++)
            for (int how = RNN_ANNEAL_COS; how <= RNN_ANNEAL_LINEAR; how++) {
                rnn_schedule_cfg cfg = one_cycle_defaults();

                cfg.pct_start = pct_starts[p];
                cfg.anneal = (rnn_anneal)how;
                for (uint64_t step = 0; step < totals[n]; step++) {
                    double found = rnn_schedule_lr(&cfg, 0.1, 0, step, totals[n]);
                    double expected =
                        0.1 * one_cycle_of_torch(&cfg, (double)step, (double)totals[n]);

                    if (!(fabs(found - expected) <= 1e-14))
                        fail_msg("pct_start %g, step %d of %d: found %.17g, expected %.17g",
                                 cfg.pct_start, (int)step, (int)totals[n], found, expected);
                }
            }
}

/* 11 steps: from 0.05 up to 1.25 in steps 0 to 3, then down to 0.0005 in step 10. */
static void one_cycle_by_hand(void **unused)
{
    const rnn_schedule_cfg linear = {.type = RNN_SCHEDULE_ONE_CYCLE,
                                     .pct_start = 4.0 / 11.0,
                                     .div_factor = 25.0,
                                     .final_div_factor = 100.0,
                                     .anneal = RNN_ANNEAL_LINEAR};
    rnn_schedule_cfg cosine = linear;

    (void)unused;
    cosine.anneal = RNN_ANNEAL_COS;
    assert_close(rnn_schedule_lr(&linear, 1.25, 0, 0, 11), 0.05);
    assert_close(rnn_schedule_lr(&linear, 1.25, 0, 1, 11), 0.45);
    assert_close(rnn_schedule_lr(&linear, 1.25, 0, 2, 11), 0.85);
    assert_close(rnn_schedule_lr(&linear, 1.25, 0, 3, 11), 1.25);
    assert_true(fabs(rnn_schedule_lr(&linear, 1.25, 0, 10, 11) - 0.0005) < 1e-15);
    assert_close(rnn_schedule_lr(&cosine, 1.25, 0, 0, 11), 0.05);
    assert_close(rnn_schedule_lr(&cosine, 1.25, 0, 1, 11), 0.35); /* a quarter: cos 60 degrees */
    assert_close(rnn_schedule_lr(&cosine, 1.25, 0, 2, 11), 0.95);
    assert_close(rnn_schedule_lr(&cosine, 1.25, 0, 3, 11), 1.25);
    assert_true(fabs(rnn_schedule_lr(&cosine, 1.25, 0, 10, 11) - 0.0005) < 1e-15);
}

/* Where pct_start of the steps is one step, torch divides 0 by 0; it is the top. After the end: the
 * last rate. */
static void one_cycle_has_a_value_everywhere(void **unused)
{
    rnn_schedule_cfg cfg = one_cycle_defaults();

    (void)unused;
    cfg.pct_start = 0.25;
    assert_true(rnn_schedule_lr(&cfg, 0.5, 0, 0, 4) == 0.5);
    assert_true(fabs(rnn_schedule_lr(&cfg, 0.5, 0, 4, 4) - 0.5 / 25e4) < 1e-15);
    assert_true(fabs(rnn_schedule_lr(&cfg, 0.5, 0, UINT64_MAX, 4) - 0.5 / 25e4) < 1e-15);
    cfg.pct_start = 1.0;
    assert_true(rnn_schedule_lr(&cfg, 0.5, 0, 0, 1) == 0.5);
    cfg.pct_start = 0.3;
    assert_true(fabs(rnn_schedule_lr(&cfg, 0.5, 0, 0, 1) - 0.5 / 25e4) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_stays),
        cmocka_unit_test(step_multiplies_by_gamma_every_step_size_epochs),
        cmocka_unit_test(cosine_passes_the_start_the_middle_and_the_end),
        cmocka_unit_test(cosine_stays_at_min_lr_after_the_end),
        cmocka_unit_test(cosine_asked_for_directly_equals_stepping),
        cmocka_unit_test(step_asked_for_directly_equals_stepping),
        cmocka_unit_test(warmup_rises_linearly_to_the_scheduled_rate),
        cmocka_unit_test(warmup_may_outlast_the_training),
        cmocka_unit_test(one_cycle_is_torchs),
        cmocka_unit_test(one_cycle_by_hand),
        cmocka_unit_test(one_cycle_has_a_value_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
