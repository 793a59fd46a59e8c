/*
 * Steps of several batches: what one large batch gives, for both reductions and any number of
 * threads, and the same bits after an interruption.
 */
#include "tests/unit/small_texts.h"
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "dist/comm.h"
#include "framework/config.h"
#include "framework/run.h"
#include "framework/trainer.h"
#include "kernels/digest.h"

enum { N_SAMPLES = 14, EPOCHS = 3, MAX_OVERRIDES = 12 };

/* 14 texts; some labels do not count, so batches have different numbers of targets. */
static const char base[] = "[run]\n"
                           "epochs = 3\n"
                           "output_dir = 'out'\n" SMALL_TEXTS "[[layer]]\n"
                           "type = 'embedding'\n"
                           "embedding_dim = 5\n"
                           "[[layer]]\n"
                           "type = 'gru'\n"
                           "hidden_size = 6\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 3\n"
                           "[loss]\n"
                           "ignore_index = 2\n"
                           "[optimizer]\n"
                           "type = 'sgd'\n"
                           "lr = 0.05\n"
                           "[train]\n"
                           "batch_size = 3\n"
                           "[parallel]\n"
                           "shards = 2\n"
                           "threads = 1\n"
                           "binding = 'keep'\n"
                           "[log]\n"
                           "progress = 'none'\n"
                           "[checkpoint]\n"
                           "keep = 0\n";

/* Settings on top of these, NULL-ended. */
typedef struct settings {
    const char *overrides[MAX_OVERRIDES];
} settings;

typedef struct fixture {
    rnn_config config;
    rnn_comm *comm;
    rnn_run *run;
    size_t size;
} fixture;

static void start(fixture *f, settings with)
{
    size_t n = 0;

    while (with.overrides[n] != NULL)
        n++;
    OK(rnn_config_parse(&f->config, base, strlen(base), "t.toml", with.overrides, n));
    OK(rnn_comm_create(&f->comm));
    OK(rnn_run_create(&f->run, &f->config, NULL, f->comm));
    f->size = rnn_model_size(f->run->model);
}

static void finish(fixture *f)
{
    rnn_run_destroy(&f->run);
    rnn_comm_destroy(&f->comm);
    rnn_config_free(&f->config);
}

static rnn_step_result take_step(fixture *f, uint64_t epoch, uint64_t step)
{
    rnn_step_result result;

    OK(rnn_train_step(f->run, epoch, step, false, &result));
    return result;
}

static void seek(fixture *f, uint32_t epoch)
{
    OK(rnn_loader_seek(f->run->loader[RNN_SPLIT_TRAIN], epoch, 0));
}

static double worst_difference(const fixture *a, const fixture *b)
{
    double worst = 0.0;

    assert_int_equal(a->size, b->size);
    for (size_t i = 0; i < a->size; i++)
        worst = fmax(worst, fabs((double)a->run->params[i] - (double)b->run->params[i]));
    return worst;
}

/* -- What a step is -------------------------------------------------------------------------- */

/* Batches of 3, 3, 3, 3 and 2 samples, two in a step, are batches of 6, 6 and 2. */
static void assert_same_as_one_batch(settings with)
{
    static const size_t n_batches[] = {2, 2, 1}, n_samples[] = {6, 6, 2};
    settings large = with;
    size_t n = 0;
    fixture small, whole;
    double moved = 0.0;

    while (with.overrides[n] != NULL)
        n++;
    with.overrides[n] = "train.accumulate=2";
    large.overrides[n] = "train.batch_size=6";
    start(&small, with);
    start(&whole, large);
    assert_true(worst_difference(&small, &whole) == 0.0);
    assert_int_equal(small.run->total_steps, 3 * EPOCHS);
    assert_int_equal(whole.run->total_steps, 3 * EPOCHS);
    for (uint64_t step = 0; step < 3 * EPOCHS; step++) {
        rnn_step_result a, b;
        float before = small.run->params[0];

        if (step % 3 == 0) {
            seek(&small, (uint32_t)(step / 3));
            seek(&whole, (uint32_t)(step / 3));
        }
        a = take_step(&small, step / 3, step);
        b = take_step(&whole, step / 3, step);
        assert_int_equal(a.n_batches, n_batches[step % 3]);
        assert_int_equal(b.n_batches, 1);
        assert_int_equal(a.n_samples, n_samples[step % 3]);
        assert_int_equal(a.n_samples, b.n_samples);
        assert_int_equal(a.n_targets, b.n_targets);
        assert_int_equal(a.n_correct, b.n_correct);
        assert_true(fabs(a.loss_sum - b.loss_sum) <= 1e-5 * b.loss_sum);
        assert_true(worst_difference(&small, &whole) <= 1e-6);
        moved = fmax(moved, fabs((double)(small.run->params[0] - before)));
    }
    assert_true(moved > 1e-4);
    finish(&small);
    finish(&whole);
}

static void a_step_of_two_batches_is_one_of_twice_the_size(void **state)
{
    static const char *const reductions[] = {"parallel.reduction=reproducible",
                                             "parallel.reduction=allreduce"};
    static const char *const sums[] = {"loss.reduction=mean", "loss.reduction=sum"};
    static const char *const threads[] = {"parallel.threads=1", "parallel.threads=2"};

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_same_as_one_batch(
            (settings){{reductions[i & 1], sums[i >> 1 & 1], threads[i >> 2 & 1]}});
}

/* All batches of an epoch in a step: there need not be as many as are asked for. */
static void a_step_ends_with_the_epoch(void **state)
{
    fixture f;
    rnn_step_result result;

    (void)state;
    start(&f, (settings){{"train.accumulate=100", "run.epochs=2"}});
    assert_int_equal(f.run->total_steps, 2);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        seek(&f, epoch);
        result = take_step(&f, epoch, epoch);
        assert_int_equal(result.n_batches, 5);
        assert_int_equal(result.n_samples, N_SAMPLES);
    }
    finish(&f);
}

/* The default of one batch must not pay for it. */
static void a_step_of_one_batch_has_no_second_gradient(void **state)
{
    fixture f;

    (void)state;
    start(&f, (settings){{NULL}});
    assert_null(f.run->batch_grads);
    assert_int_equal(f.run->total_steps, 5 * EPOCHS);
    finish(&f);
}

/*
 * Batches of one and the same sample differ in what is dropped alone. The learning rate is 0, so
 * that steps of one batch give the losses of batches 0, 1, 2, 3, whatever step they belong to.
 */
static void every_batch_of_a_step_drops_anew(void **state)
{
    static const char *const same[] = {"dataset.inputs=['abca', 'abca', 'abca', 'abca']",
                                       "dataset.targets=['bcab', 'bcab', 'bcab', 'bcab']"};
    double loss[4], pairs[2];
    fixture f;

    (void)state;
    for (int accumulate = 1; accumulate <= 2; accumulate++) {
        start(&f, (settings){{same[0], same[1], "train.batch_size=1", "optimizer.lr=0",
                              "parallel.shards=1", "loss.ignore_index=-100", "layer.1.num_layers=2",
                              "layer.1.dropout=0.5",
                              accumulate == 1 ? "train.accumulate=1" : "train.accumulate=2"}});
        seek(&f, 0);
        for (int step = 0; step < 4 / accumulate; step++) {
            double found = take_step(&f, 0, (uint64_t)step).loss_sum;

            *(accumulate == 1 ? &loss[step] : &pairs[step]) = found;
        }
        finish(&f);
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_true(fabs(loss[i] - loss[k]) > 1e-6);
    assert_true(pairs[0] == loss[0] + loss[1]);
    assert_true(pairs[1] == loss[2] + loss[3]);
}

/* -- The same bits --------------------------------------------------------------------------- */

/* Trains up to a step, 0 = to the end, from where the folder stands; the parameters' digest. */
static uint64_t train(const char *threads, const char *steps)
{
    uint64_t digest;
    fixture f;

    start(&f, (settings){{"train.accumulate=2", "layer.1.num_layers=2", "layer.1.dropout=0.3",
                          "optimizer.type=adam", threads, steps}});
    OK(rnn_train(f.run));
    digest = rnn_digest(f.run->params, f.size * sizeof *f.run->params);
    finish(&f);
    return digest;
}

/* Five batches an epoch, so three steps: inside the first, inside the second, at the end of it. */
static void interruptions_and_threads_change_no_bit(void **state)
{
    static const char *const steps[] = {"run.steps=2", "run.steps=4", "run.steps=6", "run.steps=0"};
    static const char *const threads[] = {"parallel.threads=2", "parallel.threads=1"};
    uint64_t expected, found = 0, before = 0;

    (void)state;
    expected = train(threads[1], "run.steps=0");
    assert_int_equal(access("out/step-0000000009.h5", F_OK), 0);
    assert_int_equal(access("out/step-0000000010.h5", F_OK), -1);
    assert_int_equal(rename("out", "first"), 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++, before = found) {
        found = train(threads[i % 2], steps[i]);
        assert_true(found != before);
    }
    assert_true(found == expected);
    assert_int_equal(rename("out", "second"), 0);
    assert_true(train(threads[0], "run.steps=0") == expected);
}

static void another_number_of_batches_cannot_be_resumed(void **state)
{
    fixture f;

    (void)state;
    train("parallel.threads=1", "run.steps=2");
    start(&f, (settings){{"train.accumulate=3", "layer.1.num_layers=2", "layer.1.dropout=0.3",
                          "optimizer.type=adam"}});
    assert_refused(RNN_ERR_DATA, rnn_train(f.run), "train.accumulate");
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_step_of_two_batches_is_one_of_twice_the_size),
        IN_FOLDER(a_step_ends_with_the_epoch),
        IN_FOLDER(a_step_of_one_batch_has_no_second_gradient),
        IN_FOLDER(every_batch_of_a_step_drops_anew),
        IN_FOLDER(interruptions_and_threads_change_no_bit),
        IN_FOLDER(another_number_of_batches_cannot_be_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
