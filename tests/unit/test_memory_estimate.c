/* The formula of a rank's memory, worked by hand in its parts and against what a process has. */
#include "tests/unit/small_texts.h"
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dist/comm.h"
#include "framework/config.h"
#include "framework/memory_estimate.h"
#include "framework/trainer.h"

enum { MAX_OVERRIDES = 8 };

static const char text[] = "[run]\n"
                           "epochs = 1\n"
                           "output_dir = 'out'\n" SMALL_TEXTS "[[layer]]\n"
                           "type = 'embedding'\n"
                           "embedding_dim = 5\n"
                           "[[layer]]\n"
                           "type = 'lstm'\n"
                           "hidden_size = 6\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 3\n"
                           "[loss]\n"
                           "ignore_index = 2\n"
                           "[optimizer]\n"
                           "type = 'adam'\n"
                           "[train]\n"
                           "batch_size = 8\n"
                           "[parallel]\n"
                           "shards = 8\n"
                           "threads = 1\n"
                           "binding = 'keep'\n"
                           "[log]\n"
                           "progress = 'none'\n";

typedef struct fixture {
    rnn_config config;
    rnn_comm *comm;
    rnn_run *run;
} fixture;

static void start(fixture *f, const char *const overrides[MAX_OVERRIDES])
{
    size_t n = 0;

    while (overrides[n] != NULL)
        n++;
    OK(rnn_config_parse(&f->config, text, strlen(text), "t.toml", overrides, n));
    OK(rnn_comm_create(&f->comm));
    OK(rnn_run_create(&f->run, &f->config, NULL, f->comm));
}

static void finish(fixture *f)
{
    rnn_run_destroy(&f->run);
    rnn_comm_destroy(&f->comm);
    rnn_config_free(&f->config);
}

/* How many arrays as long as the parameters a part has. */
static void assert_arrays(const rnn_run *run, size_t n_ranks, rnn_memory_part part, double expected)
{
    rnn_memory_estimate memory;
    double array = 4.0 * (double)rnn_model_size(run->model), found;

    OK(rnn_estimate_memory(run, n_ranks, &memory));
    found = memory.bytes[part] / array;
    if (fabs(found - expected) > 1e-9)
        fail_msg("%s of %zu ranks: expected %g arrays, found %g", rnn_memory_part_name(part),
                 n_ranks, expected, found);
}

static void arrays_are_counted(void **state)
{
    fixture f;
    (void)state;

    start(&f, (const char *[MAX_OVERRIDES]){NULL});
    /* the step's, the root, and a carry chain over 8 shards: 4 + 2 + 1 and the one in work */
    assert_arrays(f.run, 1, RNN_MEMORY_GRADIENTS, 1 + 1 + 4);
    /* 2 shards: one node, one and one in work */
    assert_arrays(f.run, 4, RNN_MEMORY_GRADIENTS, 1 + 1 + 2);
    /* 3 shards are two nodes; 2 summed and one in work */
    assert_arrays(f.run, 3, RNN_MEMORY_GRADIENTS, 1 + 2 + 2);
    assert_arrays(f.run, 1, RNN_MEMORY_OPTIMIZER, 2);
    assert_arrays(f.run, 1, RNN_MEMORY_CHECKPOINT, 6);
    assert_arrays(f.run, 1, RNN_MEMORY_SUMS, 0);
    assert_arrays(f.run, 4, RNN_MEMORY_SUMS, 0.5);
    /* 3 + 3 + 2 shards are 2 + 2 + 1 nodes, a third of each */
    assert_arrays(f.run, 3, RNN_MEMORY_SUMS, 5.0 / 3.0);
    finish(&f);
}

static void other_settings_take_other_arrays(void **state)
{
    fixture f;
    (void)state;

    start(&f, (const char *[MAX_OVERRIDES]){"optimizer.type='sgd'", "train.accumulate=2",
                                            "parallel.threads=2", NULL});
    /* two of the step, the root, and per thread a chain over 4 shards */
    assert_arrays(f.run, 1, RNN_MEMORY_GRADIENTS, 2 + 1 + 2 * 3);
    assert_arrays(f.run, 1, RNN_MEMORY_OPTIMIZER, 0);
    finish(&f);
    start(&f, (const char *[MAX_OVERRIDES]){"parallel.reduction='allreduce'", NULL});
    assert_arrays(f.run, 8, RNN_MEMORY_GRADIENTS, 1 + 1); /* no nodes */
    finish(&f);
}

static void the_total_is_the_sum_of_the_parts(void **state)
{
    rnn_memory_estimate memory;
    fixture f;
    double sum = 0.0;
    (void)state;

    start(&f, (const char *[MAX_OVERRIDES]){NULL});
    OK(rnn_estimate_memory(f.run, 2, &memory));
    for (int i = 0; i < RNN_MEMORY_N_PARTS; i++) {
        assert_true(memory.bytes[i] > 0.0);
        sum += memory.bytes[i];
    }
    assert_true(fabs(sum - memory.total) <= 1e-9 * sum);
    finish(&f);
}

/* -- A process --------------------------------------------------------------------------------- */

static double peak_bytes(void)
{
    char line[256];
    double kib = 0.0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    return 1024.0 * kib;
}

/* In a process of its own, which begins with what this one has: trains, and writes the growth of
 * the peak and the estimate without program. */
static void train_apart(const char *const overrides[MAX_OVERRIDES], int to)
{
    double before = peak_bytes(), result[2];
    rnn_memory_estimate memory;
    fixture f;

    start(&f, overrides);
    OK(rnn_estimate_memory(f.run, 1, &memory));
    OK(rnn_train(f.run));
    result[0] = peak_bytes() - before;
    result[1] = memory.total - memory.bytes[RNN_MEMORY_PROGRAM];
    assert_int_equal(write(to, result, sizeof result), sizeof result);
    _exit(0);
}

/* Peak of a training with checkpoints: within `tolerance` of the estimate, and `spare` bytes for
 * what the libraries take when they are first used. */
static void assert_estimated(const char *const overrides[MAX_OVERRIDES], double tolerance,
                             double spare)
{
    double result[2];
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        train_apart(overrides, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], result, sizeof result), sizeof result);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    print_message("peak %.1f MB, estimate %.1f MB\n", 1e-6 * result[0], 1e-6 * result[1]);
    if (result[0] > (1 + tolerance) * result[1] + spare || result[0] < (1 - tolerance) * result[1])
        fail_msg("a peak of %.0f bytes, estimated %.0f", result[0], result[1]);
}

/* An embedding and an LSTM of H units: 4 H (5 + H) + 11 H + ..; one step. */
static void a_process_has_what_was_estimated(void **state)
{
    (void)state;
#ifdef RNN_SANITIZED
    skip(); /* sanitizers keep freed memory, and shadows of all of it */
#endif

    assert_estimated((const char *[MAX_OVERRIDES]){"layer.1.hidden_size=800", "run.steps=1",
                                                   "parallel.shards=2", NULL},
                     0.15, 20e6);
    assert_estimated((const char *[MAX_OVERRIDES]){"layer.1.hidden_size=1580", "run.steps=1",
                                                   "parallel.shards=2", "run.resume='never'", NULL},
                     0.15, 20e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_process_has_what_was_estimated), /* before there are threads: it forks */
        cmocka_unit_test(arrays_are_counted),
        cmocka_unit_test(other_settings_take_other_arrays),
        cmocka_unit_test(the_total_is_the_sum_of_the_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
