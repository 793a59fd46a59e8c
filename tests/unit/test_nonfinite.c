/*
 * Losses and gradients that are not finite: found before the update, with tensor, step and sample;
 * and steps that are skipped.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "dist/comm.h"
#include "framework/config.h"
#include "framework/run.h"
#include "framework/trainer.h"

enum { N_SAMPLES = 6, BAD = 3, MAX_OVERRIDES = 8 };

/* Two linear layers of one unit, y = 1e30 (0.001 x + b1) + b2, on samples of one value. */
static const char base[] = "[run]\n"
                           "output_dir = 'out'\n"
                           "[dataset]\n"
                           "format = 'npy'\n"
                           "search = ['.']\n"
                           "train_file = 'x.npy'\n"
                           "train_targets = 'y.npy'\n"
                           "shuffle = false\n"
                           "[[layer]]\n"
                           "type = 'select'\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 1\n"
                           "init = 'constant(0.001)'\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 1\n"
                           "init = 'constant(1e30)'\n"
                           "[loss]\n"
                           "type = 'l1'\n"
                           "[optimizer]\n"
                           "type = 'sgd'\n"
                           "lr = 1e-36\n"
                           "[train]\n"
                           "batch_size = 2\n"
                           "[parallel]\n"
                           "shards = 2\n"
                           "threads = 1\n"
                           "binding = 'keep'\n"
                           "[log]\n"
                           "progress = 'none'\n";

static void write_array(const char *name, const char *shape, const float *values, size_t count)
{
    char header[128];
    int used = 10 + snprintf(header + 10, sizeof header - 10,
                             "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    FILE *file = fopen(name, "wb");

    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* a dictionary of 118 bytes follows */
    memset(header + used, ' ', sizeof header - (size_t)used);
    header[127] = '\n';
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, sizeof header, file), sizeof header);
    assert_int_equal(fwrite(values, sizeof *values, count, file), count);
    assert_int_equal(fclose(file), 0);
}

typedef struct fixture {
    rnn_config config;
    rnn_comm *comm;
    rnn_run *run;
    float before[4]; /* parameters */
} fixture;

/* All samples are 1, but for one. `overrides` is NULL-ended. */
static void start(fixture *f, float bad_value, const char *const *overrides)
{
    float x[N_SAMPLES] = {1, 1, 1, 1, 1, 1}, y[N_SAMPLES] = {0};
    size_t n = 0;

    x[BAD] = bad_value;
    write_array("x.npy", "(6, 1, 1)", x, N_SAMPLES);
    write_array("y.npy", "(6, 1)", y, N_SAMPLES);
    while (overrides[n] != NULL)
        n++;
    OK(rnn_config_parse(&f->config, base, strlen(base), "t.toml", overrides, n));
    OK(rnn_comm_create(&f->comm));
    OK(rnn_run_create(&f->run, &f->config, NULL, f->comm));
    assert_int_equal(rnn_model_size(f->run->model), 4);
    OK(rnn_loader_seek(f->run->loader[RNN_SPLIT_TRAIN], 0, 0));
}

static void finish(fixture *f)
{
    rnn_run_destroy(&f->run);
    rnn_comm_destroy(&f->comm);
    rnn_config_free(&f->config);
}

/* Batches are samples 0 and 1, 2 and 3, 4 and 5. */
static rnn_status take_step(fixture *f, uint64_t step, rnn_step_result *result)
{
    memcpy(f->before, f->run->params, sizeof f->before);
    return rnn_train_step(f->run, 0, step, false, result);
}

static bool has_moved(const fixture *f)
{
    return memcmp(f->before, f->run->params, sizeof f->before) != 0;
}

/* -- What is said ------------------------------------------------------------------------------ */

/* The second step fails, having changed nothing, with this message. */
static void assert_second_step_fails(float bad_value, const char *const *overrides,
                                     const char *message)
{
    fixture f;
    rnn_step_result result;

    start(&f, bad_value, overrides);
    OK(take_step(&f, 0, &result));
    assert_true(has_moved(&f));
    assert_false(result.is_skipped);
    assert_refused(RNN_ERR_NONFINITE, take_step(&f, 1, &result), message);
    assert_false(has_moved(&f));
    assert_int_equal(rnn_optimizer_get_step(f.run->optimizer), 1);
    finish(&f);
}

static void an_output_that_overflows_names_its_sample(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    assert_second_step_fails(1e20f, none,
                             "the loss is not finite at step 2 (epoch 1, batch 2): the model's "
                             "output of sample 3 is not; nothing was updated");
}

static void a_gradient_that_overflows_names_tensor_and_sample(void **state)
{
    static const char *const none[] = {NULL}, *const other_way[] = {"parallel.reduction=allreduce",
                                                                    NULL};
    static const char message[] = "the gradient of /model/1_linear/weight is not finite at step 2 "
                                  "(epoch 1, batch 2): value 0 of 1 is inf, from sample 3; nothing "
                                  "was updated";

    (void)state;
    assert_second_step_fails(1e10f, none, message);
    assert_second_step_fails(1e10f, other_way, message);
}

/* Samples 2 and 3 are in the first of the two batches of that step. */
static void a_gradient_from_an_earlier_batch_says_so(void **state)
{
    static const char *const two[] = {"train.accumulate=2", NULL};
    fixture f;
    rnn_step_result result;

    (void)state;
    start(&f, 1e10f, two);
    OK(rnn_loader_seek(f.run->loader[RNN_SPLIT_TRAIN], 0, 1));
    assert_refused(RNN_ERR_NONFINITE, take_step(&f, 0, &result),
                   "value 0 of 1 is inf, from a batch before it in this step; nothing was updated");
    assert_false(has_moved(&f));
    finish(&f);
}

static void a_parameter_that_is_not_finite_is_named(void **state)
{
    static const char *const policies[] = {"train.on_nonfinite=stop", "train.on_nonfinite=skip"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *const with[] = {policies[i], NULL};
        fixture f;
        rnn_step_result result;

        start(&f, 1.0f, with);
        f.run->params[2] = (float)NAN; /* the second weight; skipping cannot help */
        rnn_executor_load(f.run->executor, f.run->params);
        assert_refused(RNN_ERR_NONFINITE, take_step(&f, 0, &result),
                       "the parameter /model/2_linear/weight is not finite at step 1: value 0 of 1 "
                       "is nan");
        finish(&f);
    }
}

/* -- Skipping ---------------------------------------------------------------------------------- */

static void assert_second_step_is_skipped(float bad_value, const char *message)
{
    static const char *const skip[] = {"train.on_nonfinite=skip", NULL};
    fixture f;
    rnn_step_result result;

    start(&f, bad_value, skip);
    OK(take_step(&f, 0, &result));
    assert_false(result.is_skipped);
    OK(take_step(&f, 1, &result));
    assert_true(result.is_skipped);
    assert_non_null(strstr(rnn_error_message(), message));
    assert_false(has_moved(&f));
    assert_int_equal(result.n_samples, 2); /* are used up, */
    assert_int_equal(result.n_targets, 0); /* but not in the means */
    assert_true(result.loss_sum == 0.0);
    OK(take_step(&f, 2, &result));
    assert_false(result.is_skipped);
    assert_true(has_moved(&f));
    assert_int_equal(rnn_optimizer_get_step(f.run->optimizer), 2);
    finish(&f);
}

static void a_skipped_step_changes_nothing_and_the_next_goes_on(void **state)
{
    (void)state;
    assert_second_step_is_skipped(1e20f, "the loss is not finite at step 2 ");
    assert_second_step_is_skipped(1e10f, "the gradient of /model/1_linear/weight is not finite");
}

/* A whole run: three epochs with a bad step each, and the means are those of the good ones. */
static void a_run_goes_on_over_skipped_steps(void **state)
{
    static const char *const skip[] = {"train.on_nonfinite=skip", "run.epochs=3", NULL};
    fixture f;

    (void)state;
    start(&f, 1e20f, skip);
    OK(rnn_train(f.run));
    assert_int_equal(rnn_optimizer_get_step(f.run->optimizer), 6);
    finish(&f);
}

/* Every sample is bad: nothing will ever be learned. */
static void a_run_of_skipped_steps_only_fails(void **state)
{
    static const char *const skip[] = {"train.on_nonfinite=skip", "run.epochs=1000",
                                       "layer.1.init=constant(1e30)", NULL};
    fixture f;

    (void)state;
    start(&f, 1.0f, skip);
    assert_refused(RNN_ERR_NONFINITE, rnn_train(f.run),
                   "100 steps in a row were skipped; the last: the loss is not finite at step 100 "
                   "(epoch 34, batch 1): the model's output of sample 0 is not");
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_output_that_overflows_names_its_sample),
        IN_FOLDER(a_gradient_that_overflows_names_tensor_and_sample),
        IN_FOLDER(a_gradient_from_an_earlier_batch_says_so),
        IN_FOLDER(a_parameter_that_is_not_finite_is_named),
        IN_FOLDER(a_skipped_step_changes_nothing_and_the_next_goes_on),
        IN_FOLDER(a_run_goes_on_over_skipped_steps),
        IN_FOLDER(a_run_of_skipped_steps_only_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
