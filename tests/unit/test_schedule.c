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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
