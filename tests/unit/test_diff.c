/*
 * Checkpoints compared with each other and with what metrics.jsonl noted: numbers that were worked
 * out by hand, and every kind of difference and damage.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "framework/checkpoint.h"
#include "framework/diff.h"
#include "framework/file_io.h"
#include "framework/optimizer.h"
#include "framework/verify.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

static const char CONFIG[] = "[run]\nseed = 1\noutput_dir = \"runs/a\"\n\n[[layer]]\n"
                             "type = \"linear\"\n";

/* What a checkpoint of a linear layer of 2 x 2 has. */
typedef struct content {
    const char *folder, *config;
    float weights[4];
    uint64_t step;
    size_t n_outputs;
    double seconds;
} content;

static const content first = {"a", CONFIG, {1.0f, -2.0f, 4.0f, 8.0f}, 7, 2, 1.0};

static void write_checkpoint(const content *c)
{
    const rnn_layer_cfg layer = {.type = RNN_LAYER_LINEAR, .out_features = (int64_t)c->n_outputs};
    rnn_optimizer_cfg sgd = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_progress progress = {.epoch = 3, .step = c->step, .best_metric = (double)NAN};
    rnn_history history = {.names = {"seconds"}, .n_metrics = 1, .n_rows = 1};
    float params[8] = {0};
    double seconds = c->seconds;
    rnn_checkpoint checkpoint = {
        .params = params, .progress = &progress, .history = &history, .config = c->config};
    rnn_model *model;

    memcpy(params, c->weights, sizeof c->weights);
    progress.epoch_seconds = c->seconds;
    history.values = &seconds;
    OK(rnn_folder_create(c->folder));
    OK(rnn_model_create(&model, &layer, 1, (rnn_shape){.seq_len = 1, .n_features = 2}));
    OK(rnn_optimizer_create(&checkpoint.optimizer, &sgd, rnn_model_size(model)));
    checkpoint.model = model;
    OK(rnn_checkpoint_write(&checkpoint, c->folder, NULL));
    rnn_optimizer_destroy(&checkpoint.optimizer);
    rnn_model_destroy(&model);
}

/* -- What is printed --------------------------------------------------------------------------- */

static char *printed;

static FILE *open_printed(void)
{
    static size_t size;

    free(printed);
    return open_memstream(&printed, &size);
}

static void assert_printed(const char *text)
{
    if (strstr(printed, text) == NULL)
        fail_msg("'%s' is not in\n%s", text, printed);
}

/* Whether a/latest.h5 and b/latest.h5 differ. */
static bool differ(double tolerance)
{
    FILE *out = open_printed();
    bool found;

    OK(rnn_diff_checkpoints("a/latest.h5", "b/latest.h5", tolerance, out, &found));
    fclose(out);
    return found;
}

static bool differ_from_first(const content *second)
{
    content b = *second;

    b.folder = "b";
    write_checkpoint(&first);
    write_checkpoint(&b);
    return differ(0.0);
}

/* -- Differences ------------------------------------------------------------------------------- */

static void equal_ones_are_the_same_wherever_they_were_made(void **state)
{
    content b = first;

    (void)state;
    b.seconds = 2.0;
    b.config = "[run]\nseed = 1\noutput_dir = \"runs/b\"\n\n[[layer]]\ntype = \"linear\"\n";
    assert_false(differ_from_first(&b));
    assert_printed("the same: 1 arrays of 4 numbers, ");
}

/* 1 and -2 move by 0.5 and 0.25: relative to the larger 1.5 and 2.25, 1/3 and 1/9; of four numbers
 * the root mean square is sqrt(0.3125 / 4) = 0.2795. */
static void distances_are_those_worked_out_by_hand(void **state)
{
    content b = first;

    (void)state;
    b.weights[0] = 1.5f;
    b.weights[1] = -2.25f;
    assert_true(differ_from_first(&b));
    assert_printed(
        "/model/0_linear/weight          4          2        0.5      0.333       0.28\n");
    assert_printed("1 of 1 arrays and 0 of ");
    assert_true(differ(0.25));
    assert_printed(
        "/model/0_linear/weight          4          1        0.5      0.333       0.28\n");
    assert_false(differ(0.5));
}

static void settings_and_states_are_named_with_both_values(void **state)
{
    content b = first;

    (void)state;
    b.step = 8;
    b.config =
        "[run]\nseed = 2\noutput_dir = \"runs/a\"\n\n[[layer]]\ntype = \"gru\"\nbias = true\n";
    assert_true(differ_from_first(&b));
    assert_printed("/progress: step        7 and 8\n");
    assert_printed("config: run.seed       1 and 2\n");
    assert_printed("config: layer.0.type   \"linear\" and \"gru\"\n");
    assert_printed("config: layer.0.bias   nothing and true\n");
    assert_printed("\n0 of 1 arrays and 4 of ");
}

static void shapes_and_missing_arrays_are_told(void **state)
{
    content b = first;

    (void)state;
    b.n_outputs = 3;
    assert_true(differ_from_first(&b));
    assert_printed("/model/0_linear/weight [2, 2] and [3, 2]\n");
    assert_printed("/model/0_linear: out_features 2 and 3\n");
}

static void what_cannot_be_read_is_told(void **state)
{
    bool found;

    (void)state;
    write_checkpoint(&first);
    OK(rnn_file_write("text", "no checkpoint", 13));
    assert_refused(RNN_ERR_NOINPUT,
                   rnn_diff_checkpoints("a/latest.h5", "absent", 0.0, stdout, &found), "absent");
    assert_refused(RNN_ERR_DATA, rnn_diff_checkpoints("text", "a/latest.h5", 0.0, stdout, &found),
                   "text: not an rnntrain checkpoint");
}

/* -- Verification ------------------------------------------------------------------------------ */

static rnn_status verify(const char *path)
{
    FILE *out = open_printed();
    rnn_status st = rnn_verify(&path, 1, out);

    fclose(out);
    return st;
}

static void write_metrics(uint64_t step, uint64_t digest)
{
    char line[200];

    snprintf(line, sizeof line,
             "{\"event\": \"epoch\", \"epoch\": 3, \"step\": %llu, \"digest\": \"%016llx\"}\n",
             (unsigned long long)step, (unsigned long long)digest);
    OK(rnn_file_write("a/metrics.jsonl", line, strlen(line)));
}

static void a_good_run_is_valid_and_said_to_be(void **state)
{
    content b = first;
    char line[120];
    uint64_t digest = rnn_digest(first.weights, sizeof first.weights);

    (void)state;
    write_checkpoint(&first);
    b.step = 9;
    write_checkpoint(&b);
    write_metrics(9, digest);
    OK(verify("a"));
    snprintf(line, sizeof line,
             "a/step-0000000007.h5: valid: epoch 3, step 7, parameters %016llx\n",
             (unsigned long long)digest);
    assert_printed(line);
    assert_printed("a/step-0000000009.h5: valid: epoch 3, step 9, ");
    assert_printed(", as in metrics.jsonl\n");
}

static void parameters_other_than_those_noted_are_found(void **state)
{
    (void)state;
    write_checkpoint(&first);
    write_metrics(7, 0x1234);
    assert_refused(RNN_ERR_DATA, verify("a"), "1 of 1 checkpoints is not valid");
    assert_printed("metrics.jsonl has 0000000000001234 for step 7");
    write_metrics(6, 0x1234);
    OK(verify("a"));
}

/* One byte in the middle, and all after it: the rest of the run is still looked at. */
static void damage_is_told_and_the_others_go_on(void **state)
{
    content b = first;
    void *bytes;
    size_t n_bytes;

    (void)state;
    write_checkpoint(&first);
    b.step = 9;
    write_checkpoint(&b);
    OK(rnn_file_read("a/step-0000000007.h5", 1 << 20, &bytes, &n_bytes));
    ((char *)bytes)[n_bytes / 2] ^= 1;
    OK(rnn_file_write("a/step-0000000007.h5", bytes, n_bytes));
    assert_refused(RNN_ERR_DATA, verify("a"), "1 of 2 checkpoints is not valid");
    assert_printed("a/step-0000000007.h5: digest mismatch");
    assert_printed("a/step-0000000009.h5: valid");
    OK(rnn_file_write("a/step-0000000007.h5", bytes, n_bytes / 2));
    assert_refused(RNN_ERR_DATA, verify("a/step-0000000007.h5"), "1 of 1 checkpoints");
    assert_printed("a/step-0000000007.h5: truncated");
    rnn_free(bytes);
}

static void missing_files_links_and_folders_are_told(void **state)
{
    (void)state;
    assert_refused(RNN_ERR_NOINPUT, verify("absent.h5"), "1 of 1 checkpoints");
    assert_printed("absent.h5");
    OK(rnn_folder_create("empty"));
    assert_refused(RNN_ERR_NOINPUT, verify("empty"), "empty: expected checkpoints");
    write_checkpoint(&first);
    assert_int_equal(symlink("step-0000000001.h5", "a/best.h5"), 0);
    assert_refused(RNN_ERR_DATA, verify("a"), "1 of 2 checkpoints is not valid");
    assert_printed("a/best.h5: what it points to cannot be opened: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(equal_ones_are_the_same_wherever_they_were_made),
        IN_FOLDER(distances_are_those_worked_out_by_hand),
        IN_FOLDER(settings_and_states_are_named_with_both_values),
        IN_FOLDER(shapes_and_missing_arrays_are_told),
        IN_FOLDER(what_cannot_be_read_is_told),
        IN_FOLDER(a_good_run_is_valid_and_said_to_be),
        IN_FOLDER(parameters_other_than_those_noted_are_found),
        IN_FOLDER(damage_is_told_and_the_others_go_on),
        IN_FOLDER(missing_files_links_and_folders_are_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(printed);
    return failed;
}
