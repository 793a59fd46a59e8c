#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hdf5.h>

#include "framework/optimizer.h"
#include "kernels/memory.h"
#include "kernels/random.h"
#include "kernels/vector.h"

/* -- The cases of golden/optimizers.h5, as changes to the defaults --------------------------------
 */

typedef struct golden_case {
    const char *name;
    rnn_optimizer_type type;
    double lr, weight_decay, momentum;
    double rho; /* 0 = the default */
    bool nesterov, amsgrad, centered;
} golden_case;

static const golden_case golden[] = {
    {"sgd", RNN_OPTIMIZER_SGD, .lr = 0.1},
    {"sgd_momentum", RNN_OPTIMIZER_SGD, .lr = 0.1, .momentum = 0.9},
    {"sgd_nesterov_wd", RNN_OPTIMIZER_SGD, .lr = 0.1, .momentum = 0.9, .nesterov = true,
     .weight_decay = 0.01},
    {"adam", RNN_OPTIMIZER_ADAM, .lr = 0.01},
    {"adam_wd_amsgrad", RNN_OPTIMIZER_ADAM, .lr = 0.01, .weight_decay = 0.1, .amsgrad = true},
    {"adamw", RNN_OPTIMIZER_ADAMW, .lr = 0.01, .weight_decay = 0.1},
    {"adadelta", RNN_OPTIMIZER_ADADELTA, .lr = 0.1},
    {"adadelta_wd", RNN_OPTIMIZER_ADADELTA, .lr = 1.0, .rho = 0.95, .weight_decay = 0.01},
    {"adagrad", RNN_OPTIMIZER_ADAGRAD, .lr = 0.1},
    {"rmsprop", RNN_OPTIMIZER_RMSPROP, .lr = 0.01},
    {"rmsprop_centered_momentum", RNN_OPTIMIZER_RMSPROP, .lr = 0.01, .centered = true,
     .momentum = 0.9},
    {"adamax", RNN_OPTIMIZER_ADAMAX, .lr = 0.01},
    {"nadam", RNN_OPTIMIZER_NADAM, .lr = 0.01},
};

enum { N_GOLDEN = sizeof golden / sizeof *golden, N_TYPES = RNN_OPTIMIZER_NADAM + 1 };

static rnn_optimizer_cfg cfg_of(const golden_case *c)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(c->type);

    cfg.lr = c->lr;
    cfg.weight_decay = c->weight_decay;
    cfg.momentum = c->momentum;
    cfg.rho = c->rho > 0.0 ? c->rho : cfg.rho;
    cfg.nesterov = c->nesterov;
    cfg.amsgrad = c->amsgrad;
    cfg.centered = c->centered;
    return cfg;
}

static rnn_optimizer *make(const rnn_optimizer_cfg *cfg, size_t n_params)
{
    rnn_optimizer *optimizer;

    assert_int_equal(rnn_optimizer_create(&optimizer, cfg, n_params), RNN_OK);
    return optimizer;
}

/* One step at the configured learning rate, without asking for the norm. */
static void step(rnn_optimizer *optimizer, float *params, const float *grads)
{
    double lr = rnn_optimizer_get_cfg(optimizer)->lr;

    assert_int_equal(rnn_optimizer_step(optimizer, params, grads, 1.0f, lr, NULL), RNN_OK);
}

/* -- Against torch --------------------------------------------------------------------------------
 */

enum { N_STEPS = 25, N_VALUES = 37 };

static void read_floats(hid_t file, const char *group, const char *name, float *out, size_t count)
{
    char path[128];
    hid_t dataset, space;

    snprintf(path, sizeof path, "/%s/%s", group, name);
    dataset = H5Dopen2(file, path, H5P_DEFAULT);
    assert_true(dataset >= 0);
    space = H5Dget_space(dataset);
    assert_int_equal(H5Sget_simple_extent_npoints(space), count);
    assert_true(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
}

/* Largest |found - expected|, relative to the largest value that parameter has had so far. */
static double worst_difference(const float *found, const float *expected, float *largest)
{
    double worst = 0.0;

    for (size_t i = 0; i < N_VALUES; i++) {
        double difference = fabs((double)found[i] - (double)expected[i]);

        largest[i] = fmaxf(largest[i], fabsf(expected[i]));
        difference /= (double)largest[i];
        worst = difference <= worst ? worst : difference; /* a NaN is worst */
    }
    return worst;
}

/*
 * 1e-6 is 8 units in the last place after 25 steps: torch's vector loops fuse some multiplications
 * with additions, ours do not. Relative to the largest value passed, since a parameter that comes
 * back to 0 keeps the roundings of where it was.
 */
static void parameters_follow_torch_step_by_step(void **unused)
{
    static float grads[N_STEPS][N_VALUES], trail[N_STEPS][N_VALUES];
    float params[N_VALUES], largest[N_VALUES];
    hid_t file = H5Fopen(RNN_TEST_DIR "/golden/optimizers.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
    H5G_info_t root;

    (void)unused;
    assert_true(file >= 0 && H5Gget_info(file, &root) >= 0);
    assert_int_equal(root.nlinks, N_GOLDEN);
    for (size_t c = 0; c < N_GOLDEN; c++) {
        rnn_optimizer_cfg cfg = cfg_of(&golden[c]);
        rnn_optimizer *optimizer = make(&cfg, N_VALUES);
        double worst = 0.0;

        read_floats(file, golden[c].name, "start", params, N_VALUES);
        read_floats(file, golden[c].name, "grads", grads[0], N_STEPS * N_VALUES);
        read_floats(file, golden[c].name, "trail", trail[0], N_STEPS * N_VALUES);
        for (size_t i = 0; i < N_VALUES; i++)
            largest[i] = fabsf(params[i]);
        for (size_t s = 0; s < N_STEPS; s++) {
            double difference;

            step(optimizer, params, grads[s]);
            difference = worst_difference(params, trail[s], largest);
            worst = difference <= worst ? worst : difference;
        }
        print_message("    %-26s worst relative difference %.2e\n", golden[c].name, worst);
        assert_true(worst <= 1e-6);
        rnn_optimizer_destroy(&optimizer);
    }
    H5Fclose(file);
}

static void defaults_are_those_of_torch(void **unused)
{
    const rnn_optimizer_cfg expected[] = {
        {.type = RNN_OPTIMIZER_SGD, .lr = 1e-3},
        {.type = RNN_OPTIMIZER_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
        {.type = RNN_OPTIMIZER_ADAMW,
         .lr = 1e-3,
         .beta1 = 0.9,
         .beta2 = 0.999,
         .eps = 1e-8,
         .weight_decay = 1e-2},
        {.type = RNN_OPTIMIZER_ADADELTA, .lr = 1.0, .rho = 0.9, .eps = 1e-6},
        {.type = RNN_OPTIMIZER_ADAGRAD, .lr = 1e-2, .eps = 1e-10},
        {.type = RNN_OPTIMIZER_RMSPROP, .lr = 1e-2, .alpha = 0.99, .eps = 1e-8},
        {.type = RNN_OPTIMIZER_ADAMAX, .lr = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
        {.type = RNN_OPTIMIZER_NADAM,
         .lr = 2e-3,
         .beta1 = 0.9,
         .beta2 = 0.999,
         .eps = 1e-8,
         .momentum_decay = 4e-3},
    };

    (void)unused;
    for (int type = 0; type < N_TYPES; type++) {
        rnn_optimizer_cfg cfg = rnn_optimizer_defaults((rnn_optimizer_type)type);
        const rnn_optimizer_cfg *e = &expected[type];

        assert_int_equal(cfg.type, type);
        assert_true(cfg.lr == e->lr && cfg.weight_decay == e->weight_decay);
        assert_true(cfg.momentum == 0.0 && cfg.dampening == 0.0 && !cfg.nesterov);
        assert_true(cfg.beta1 == e->beta1 && cfg.beta2 == e->beta2 && cfg.eps == e->eps);
        assert_true(cfg.rho == e->rho && cfg.alpha == e->alpha);
        assert_true(!cfg.amsgrad && !cfg.centered);
        assert_true(cfg.lr_decay == 0.0 && cfg.initial_accumulator_value == 0.0);
        assert_true(cfg.momentum_decay == e->momentum_decay);
        assert_true(cfg.clip_norm == 0.0 && cfg.clip_value == 0.0);
    }
}

/* -- What the golden file does not cover, in closed form ----------------------------------------
 */

/* The only parameter, 0 at first, after steps with these gradients. */
static double after(const rnn_optimizer_cfg *cfg, const float *grads, size_t n_steps)
{
    rnn_optimizer *optimizer = make(cfg, 1);
    float param = 0.0f;

    for (size_t s = 0; s < n_steps; s++)
        step(optimizer, &param, &grads[s]);
    rnn_optimizer_destroy(&optimizer);
    return (double)param;
}

/* A few float roundings. */
static void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6 * fabs(expected)))
        fail_msg("found %.9g, expected %.9g", found, expected);
}

static void dampening_spares_the_first_step(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    const float grads[] = {2.0f, 4.0f};

    (void)unused;
    cfg.lr = 0.5;
    cfg.momentum = 0.75;
    cfg.dampening = 0.25;
    assert_close(after(&cfg, grads, 1), -0.5 * 2.0);
    assert_close(after(&cfg, grads, 2), -0.5 * (2.0 + (0.75 * 2.0 + 0.75 * 4.0)));
}

static void adagrad_decays_its_rate_from_the_second_step(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAGRAD);
    const float grads[] = {3.0f, 12.0f};

    (void)unused;
    cfg.lr = 1.0;
    cfg.lr_decay = 0.25;
    cfg.initial_accumulator_value = 16.0; /* sqrt(16 + 9) = 5, sqrt(25 + 144) = 13 */
    assert_close(after(&cfg, grads, 1), -3.0 / 5.0);
    assert_close(after(&cfg, grads, 2), -3.0 / 5.0 - 0.8 * 12.0 / 13.0);
}

static void rmsprop_has_all_four_variants(void **unused)
{
    const float grads[] = {2.0f, -1.0f, 3.0f};

    (void)unused;
    for (int variant = 0; variant < 4; variant++) {
        rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_RMSPROP);
        double v = 0.0, mean = 0.0, velocity = 0.0, p = 0.0;

        cfg.momentum = (variant & 1) != 0 ? 0.5 : 0.0;
        cfg.centered = (variant & 2) != 0;
        for (size_t s = 0; s < 3; s++) {
            double g = (double)grads[s];

            v = 0.99 * v + 0.01 * g * g;
            mean = 0.99 * mean + 0.01 * g;
            velocity = cfg.momentum * velocity +
                       g / (sqrt(v - (cfg.centered ? mean * mean : 0.0)) + cfg.eps);
            p -= cfg.lr * velocity;
        }
        assert_close(after(&cfg, grads, 3), p);
    }
}

/* A weighted mean counted from the past would leave a rounding error of the past's size. */
static void small_beta1_forgets_a_large_past_exactly(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    const float grads[] = {1e9f, 3.0f};
    rnn_optimizer *optimizer;
    float param = 0.0f;

    (void)unused;
    cfg.beta1 = 0.0;
    optimizer = make(&cfg, 1);
    step(optimizer, &param, &grads[0]);
    step(optimizer, &param, &grads[1]);
    assert_string_equal(rnn_optimizer_state_name(optimizer, 0), "exp_avg");
    assert_true(rnn_optimizer_state(optimizer, 0)[0] == 3.0f);
    rnn_optimizer_destroy(&optimizer);
}

/* -- Clipping and scaling ------------------------------------------------------------------------
 */

/* Plain SGD with rate 1 from 0: the parameters are minus the gradient that was used. */
static void use_gradient(double clip_norm, double clip_value, float grad_scale, float x, float y,
                         float used[2], double *norm)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    const float grads[2] = {x, y};
    float params[2] = {0.0f, 0.0f};
    rnn_optimizer *optimizer;

    cfg.clip_norm = clip_norm;
    cfg.clip_value = clip_value;
    optimizer = make(&cfg, 2);
    assert_int_equal(rnn_optimizer_step(optimizer, params, grads, grad_scale, 1.0, norm), RNN_OK);
    used[0] = -params[0];
    used[1] = -params[1];
    rnn_optimizer_destroy(&optimizer);
}

static void clip_rescales_to_the_threshold(void **unused)
{
    float used[2];
    double norm;

    (void)unused;
    use_gradient(10.0, 0.0, 1.0f, 30.0f, 40.0f, used, &norm);
    assert_close((double)used[0], 6.0);
    assert_close((double)used[1], 8.0);
    assert_true(norm == 50.0);
    use_gradient(10.0, 0.0, 1.0f, 30.0f, 40.0f, used, NULL);
    assert_close((double)used[0], 6.0);
}

static void clip_leaves_a_short_gradient_as_it_is(void **unused)
{
    float used[2];
    double norm;

    (void)unused;
    use_gradient(51.0, 0.0, 1.0f, 30.0f, -40.0f, used, &norm);
    assert_true(used[0] == 30.0f && used[1] == -40.0f && norm == 50.0);
}

static void clip_sees_the_scaled_gradient(void **unused)
{
    float used[2];
    double norm;

    (void)unused;
    use_gradient(10.0, 0.0, 0.125f, 30.0f, 40.0f, used, &norm);
    assert_true(used[0] == 3.75f && used[1] == 5.0f && norm == 6.25);
    use_gradient(10.0, 0.0, 2.0f, 30.0f, 40.0f, used, &norm);
    assert_close((double)used[0], 6.0);
    assert_true(norm == 100.0);
}

static void clip_value_limits_each_value_on_both_sides(void **unused)
{
    float used[2];

    (void)unused;
    use_gradient(0.0, 5.0, 0.5f, 30.0f, -40.0f, used, NULL);
    assert_true(used[0] == 5.0f && used[1] == -5.0f);
    use_gradient(0.0, 5.0, 0.5f, 9.0f, -8.0f, used, NULL);
    assert_true(used[0] == 4.5f && used[1] == -4.0f);
}

/* (30, 40) -> (6, 8) -> (6, 7); the other order would give (7.07, 7.07). */
static void clip_norm_comes_before_clip_value(void **unused)
{
    float used[2];

    (void)unused;
    use_gradient(10.0, 7.0, 1.0f, 30.0f, 40.0f, used, NULL);
    assert_close((double)used[0], 6.0);
    assert_true(used[1] == 7.0f);
}

/* The decay is no part of the gradient that is clipped. */
static void weight_decay_comes_after_clipping(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    const float grad = 30.0f;
    float param = 100.0f;
    rnn_optimizer *optimizer;

    (void)unused;
    cfg.lr = 1.0;
    cfg.clip_value = 2.0;
    cfg.weight_decay = 0.25;
    optimizer = make(&cfg, 1);
    step(optimizer, &param, &grad);
    assert_true(param == 100.0f - (2.0f + 25.0f));
    rnn_optimizer_destroy(&optimizer);
}

static void nonfinite_norm_changes_nothing(void **unused)
{
    const float culprits[] = {NAN, INFINITY, -INFINITY};

    (void)unused;
    for (size_t c = 0; c < 3; c++) {
        rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_NADAM);
        const float good[] = {1.0f, 2.0f}, bad[] = {1.0f, culprits[c]};
        float params[] = {3.0f, 4.0f}, params_before[2], state_before[2];
        double norm, scalar_before;
        rnn_optimizer *optimizer = make(&cfg, 2);

        step(optimizer, params, good);
        memcpy(params_before, params, sizeof params);
        memcpy(state_before, rnn_optimizer_state(optimizer, 0), sizeof state_before);
        scalar_before = rnn_optimizer_get_scalar(optimizer);
        assert_int_equal(rnn_optimizer_step(optimizer, params, bad, 1.0f, 0.1, &norm),
                         RNN_ERR_NONFINITE);
        assert_non_null(strstr(rnn_error_message(), "step 2"));
        assert_non_null(strstr(rnn_error_message(), isnan(norm) ? "nan" : "inf"));
        assert_memory_equal(params, params_before, sizeof params);
        assert_memory_equal(rnn_optimizer_state(optimizer, 0), state_before, sizeof state_before);
        assert_int_equal(rnn_optimizer_get_step(optimizer), 1);
        assert_true(rnn_optimizer_get_scalar(optimizer) == scalar_before);
        rnn_optimizer_destroy(&optimizer);
    }
}

/* -- The same bits --------------------------------------------------------------------------------
 */

/* Several blocks and a rest, so that threads get different shares and loops have tails. */
enum { N_LARGE = 5 * RNN_BLOCK + 37, LARGE_STEPS = 6 };

static float *random_values(uint64_t seed)
{
    float *values;

    assert_int_equal(RNN_ALLOC(&values, N_LARGE, "values"), RNN_OK);
    rnn_random_uniform(values, N_LARGE, -1.0f, 1.0f, seed, RNN_RANDOM_INIT, 0, 0);
    return values;
}

static void steps(rnn_optimizer *optimizer, float *params, int from, int to)
{
    for (int s = from; s < to; s++) {
        float *grads = random_values(100 + (uint64_t)s);

        step(optimizer, params, grads);
        rnn_free(grads);
    }
}

/* With every setting in play: clipping bites, coupled or decoupled decay. */
static rnn_optimizer_cfg busy_cfg(const golden_case *c)
{
    rnn_optimizer_cfg cfg = cfg_of(c);

    cfg.weight_decay = 0.01;
    cfg.clip_norm = 10.0;
    cfg.clip_value = 0.05;
    return cfg;
}

static void any_number_of_threads_gives_the_same_bits(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < N_GOLDEN; c++) {
        rnn_optimizer_cfg cfg = busy_cfg(&golden[c]);
        float *expected = random_values(1);

        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            rnn_optimizer *optimizer = make(&cfg, N_LARGE);
            float *params = random_values(1);

            omp_set_num_threads(n_threads);
            steps(optimizer, params, 0, LARGE_STEPS);
            if (n_threads == 1)
                memcpy(expected, params, N_LARGE * sizeof *params);
            assert_memory_equal(params, expected, N_LARGE * sizeof *params);
            rnn_free(params);
            rnn_optimizer_destroy(&optimizer);
        }
        rnn_free(expected);
    }
}

/* Runs one value at a time, which never fills a vector register. */
static void wide_loops_have_the_bits_of_single_values(void **unused)
{
    enum { EVERY = 293 }; /* in all blocks, at many places of a vector register */

    (void)unused;
    for (size_t c = 0; c < N_GOLDEN; c++) {
        rnn_optimizer_cfg cfg = busy_cfg(&golden[c]);
        rnn_optimizer *together;
        float *params = random_values(1), *start = random_values(1);

        cfg.clip_norm = 0.0; /* the norm would tie the values together */
        together = make(&cfg, N_LARGE);
        steps(together, params, 0, LARGE_STEPS);
        for (size_t i = 0; i < N_LARGE; i += EVERY) {
            rnn_optimizer *alone = make(&cfg, 1);

            for (int s = 0; s < LARGE_STEPS; s++) {
                float grad;

                rnn_random_uniform(&grad, 1, -1.0f, 1.0f, 100 + (uint64_t)s, RNN_RANDOM_INIT, 0, i);
                step(alone, &start[i], &grad);
            }
            assert_memory_equal(&start[i], &params[i], sizeof *params);
            rnn_optimizer_destroy(&alone);
        }
        rnn_free(params);
        rnn_free(start);
        rnn_optimizer_destroy(&together);
    }
}

static void copy_state(rnn_optimizer *to, rnn_optimizer *from)
{
    assert_int_equal(rnn_optimizer_n_states(to), rnn_optimizer_n_states(from));
    for (size_t i = 0; i < rnn_optimizer_n_states(from); i++)
        memcpy(rnn_optimizer_state(to, i), rnn_optimizer_state(from, i), N_LARGE * sizeof(float));
    rnn_optimizer_set_step(to, rnn_optimizer_get_step(from));
    rnn_optimizer_set_scalar(to, rnn_optimizer_get_scalar(from));
}

static void resuming_gives_the_bits_of_never_stopping(void **unused)
{
    (void)unused;
    for (size_t c = 0; c < N_GOLDEN; c++) {
        rnn_optimizer_cfg cfg = busy_cfg(&golden[c]);
        rnn_optimizer *whole = make(&cfg, N_LARGE), *first = make(&cfg, N_LARGE),
                      *second = make(&cfg, N_LARGE);
        float *expected = random_values(1), *params = random_values(1);

        steps(whole, expected, 0, LARGE_STEPS);
        steps(first, params, 0, 2);
        copy_state(second, first);
        steps(second, params, 2, LARGE_STEPS);
        assert_memory_equal(params, expected, N_LARGE * sizeof *params);
        assert_int_equal(rnn_optimizer_get_step(second), LARGE_STEPS);
        rnn_free(expected);
        rnn_free(params);
        rnn_optimizer_destroy(&whole);
        rnn_optimizer_destroy(&first);
        rnn_optimizer_destroy(&second);
    }
}

/* -- Names, states, settings ---------------------------------------------------------------------
 */

static void type_names_parse_back(void **unused)
{
    rnn_optimizer_type parsed = RNN_OPTIMIZER_SGD;

    (void)unused;
    for (int type = 0; type < N_TYPES; type++) {
        const char *name = rnn_optimizer_type_name((rnn_optimizer_type)type);

        assert_true(rnn_optimizer_type_parse(name, &parsed));
        assert_int_equal(parsed, type);
    }
    assert_false(rnn_optimizer_type_parse("Adam", &parsed));
    assert_false(rnn_optimizer_type_parse("", &parsed));
    assert_int_equal(parsed, N_TYPES - 1);
}

static void states_are_those_the_settings_need(void **unused)
{
    const struct {
        const char *name; /* of the golden case */
        const char *states[4];
    } expected[] = {
        {"sgd", {NULL}},
        {"sgd_momentum", {"momentum_buffer"}},
        {"adam", {"exp_avg", "exp_avg_sq"}},
        {"adam_wd_amsgrad", {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}},
        {"adamw", {"exp_avg", "exp_avg_sq"}},
        {"adadelta", {"square_avg", "acc_delta"}},
        {"adagrad", {"sum"}},
        {"rmsprop", {"square_avg"}},
        {"rmsprop_centered_momentum", {"square_avg", "momentum_buffer", "grad_avg"}},
        {"adamax", {"exp_avg", "exp_inf"}},
        {"nadam", {"exp_avg", "exp_avg_sq"}},
    };
    size_t n_found = 0;

    (void)unused;
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        for (size_t c = 0; c < N_GOLDEN; c++) {
            rnn_optimizer_cfg cfg = cfg_of(&golden[c]);
            rnn_optimizer *optimizer;
            size_t n = 0;

            if (strcmp(golden[c].name, expected[e].name) != 0)
                continue;
            optimizer = make(&cfg, 3);
            for (; expected[e].states[n] != NULL; n++)
                assert_string_equal(rnn_optimizer_state_name(optimizer, n), expected[e].states[n]);
            assert_int_equal(rnn_optimizer_n_states(optimizer), n);
            assert_true(rnn_optimizer_get_scalar(optimizer) == 1.0);
            rnn_optimizer_destroy(&optimizer);
            n_found++;
        }
    }
    assert_int_equal(n_found, sizeof expected / sizeof *expected);
}

static void settings_torch_refuses_are_refused(void **unused)
{
    const struct {
        rnn_optimizer_type type;
        const char *name;
        size_t offset;
        double value;
    } wrong[] = {
#define WRONG(type, field, value)                                                                  \
    {RNN_OPTIMIZER_##type, #field, offsetof(rnn_optimizer_cfg, field), value}
        WRONG(SGD, lr, -0.1),
        WRONG(SGD, lr, (double)NAN),
        WRONG(ADAM, weight_decay, -1.0),
        WRONG(SGD, momentum, -0.5),
        WRONG(RMSPROP, momentum, -0.5),
        WRONG(SGD, dampening, (double)NAN),
        WRONG(ADAM, beta1, 1.0),
        WRONG(ADAMW, beta2, -0.1),
        WRONG(NADAM, beta2, 1.0),
        WRONG(ADADELTA, eps, -1e-9),
        WRONG(ADADELTA, rho, 1.5),
        WRONG(RMSPROP, alpha, -0.1),
        WRONG(ADAGRAD, lr_decay, -0.1),
        WRONG(ADAGRAD, initial_accumulator_value, -0.1),
        WRONG(NADAM, momentum_decay, -0.1),
        WRONG(ADAMAX, clip_norm, -1.0),
        WRONG(ADAMAX, clip_value, (double)NAN),
    };

    (void)unused;
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        rnn_optimizer_cfg cfg = rnn_optimizer_defaults(wrong[w].type);
        rnn_optimizer *optimizer = (rnn_optimizer *)&cfg; /* anything but NULL */

        memcpy((char *)&cfg + wrong[w].offset, &wrong[w].value, sizeof(double));
        assert_int_equal(rnn_optimizer_create(&optimizer, &cfg, 3), RNN_ERR_DATA);
        assert_null(optimizer);
        assert_non_null(strstr(rnn_error_message(), wrong[w].name));
        assert_non_null(strstr(rnn_error_message(), rnn_optimizer_type_name(wrong[w].type)));
    }
}

static void settings_of_other_types_are_not_looked_at(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_optimizer *optimizer;

    (void)unused;
    cfg.beta1 = cfg.rho = cfg.alpha = (double)NAN;
    optimizer = make(&cfg, 3);
    rnn_optimizer_destroy(&optimizer);
    assert_null(optimizer);
    rnn_optimizer_destroy(&optimizer);
}

static void nesterov_needs_momentum_and_no_dampening(void **unused)
{
    const double wrong[][2] = {{0.0, 0.0}, {0.9, 0.1}};
    rnn_optimizer *optimizer;

    (void)unused;
    for (size_t w = 0; w < 2; w++) {
        rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);

        cfg.nesterov = true;
        cfg.momentum = wrong[w][0];
        cfg.dampening = wrong[w][1];
        assert_int_equal(rnn_optimizer_create(&optimizer, &cfg, 3), RNN_ERR_DATA);
        assert_non_null(strstr(rnn_error_message(), "nesterov"));
    }
}

static void impossible_sizes_are_a_memory_error(void **unused)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    rnn_optimizer *optimizer;

    (void)unused;
    assert_int_equal(rnn_optimizer_create(&optimizer, &cfg, SIZE_MAX / 2), RNN_ERR_MEMORY);
    assert_null(optimizer);
    assert_non_null(strstr(rnn_error_message(), "exp_avg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_follow_torch_step_by_step),
        cmocka_unit_test(defaults_are_those_of_torch),
        cmocka_unit_test(dampening_spares_the_first_step),
        cmocka_unit_test(adagrad_decays_its_rate_from_the_second_step),
        cmocka_unit_test(rmsprop_has_all_four_variants),
        cmocka_unit_test(small_beta1_forgets_a_large_past_exactly),
        cmocka_unit_test(clip_rescales_to_the_threshold),
        cmocka_unit_test(clip_leaves_a_short_gradient_as_it_is),
        cmocka_unit_test(clip_sees_the_scaled_gradient),
        cmocka_unit_test(clip_value_limits_each_value_on_both_sides),
        cmocka_unit_test(clip_norm_comes_before_clip_value),
        cmocka_unit_test(weight_decay_comes_after_clipping),
        cmocka_unit_test(nonfinite_norm_changes_nothing),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(wide_loops_have_the_bits_of_single_values),
        cmocka_unit_test(resuming_gives_the_bits_of_never_stopping),
        cmocka_unit_test(type_names_parse_back),
        cmocka_unit_test(states_are_those_the_settings_need),
        cmocka_unit_test(settings_torch_refuses_are_refused),
        cmocka_unit_test(settings_of_other_types_are_not_looked_at),
        cmocka_unit_test(nesterov_needs_momentum_and_no_dampening),
        cmocka_unit_test(impossible_sizes_are_a_memory_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
