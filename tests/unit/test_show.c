/*
 * The table of a model: the numbers that torch.nn's modules have, the shapes around them, and what
 * a configuration or a checkpoint must have for it.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <stdbool.h>

#include "framework/checkpoint.h"
#include "framework/exchange.h"
#include "framework/file_io.h"
#include "framework/optimizer.h"
#include "framework/show.h"
#include "framework/state_dict.h"
#include "kernels/memory.h"

/* -- Showing into a string --------------------------------------------------------------------- */

static char *shown;

static void assert_shown(const char *text)
{
    if (strstr(shown, text) == NULL)
        fail_msg("'%s' is not in\n%s", text, shown);
}

/* What is written there is in `shown` after fclose. */
static FILE *open_shown(void)
{
    static size_t size;
    FILE *out;

    free(shown);
    out = open_memstream(&shown, &size);
    assert_non_null(out);
    return out;
}

static rnn_status show_config(const char *toml)
{
    FILE *out = open_shown();
    rnn_status st;

    assert_int_equal(rnn_file_write("model.toml", toml, strlen(toml)), RNN_OK);
    st = rnn_show_config("model.toml", NULL, 0, out);
    fclose(out);
    return st;
}

static void assert_shows(const char *toml)
{
    if (show_config(toml) != RNN_OK)
        fail_msg("%s", rnn_error_message());
}

/* -- Numbers of parameters --------------------------------------------------------------------- */

static void totals_are_those_of_torch(void **state)
{
    static const struct {
        const char *layer, *total;
    } models[] = {
        {"type='rnn'\ninput_size=100\nhidden_size=200", "60,400"},
        {"type='rnn'\ninput_size=100\nhidden_size=200\nnum_layers=3", "221,200"},
        {"type='lstm'\ninput_size=100\nhidden_size=200\nnum_layers=2", "563,200"},
        {"type='lstm'\ninput_size=50\nhidden_size=100\nnum_layers=2", "141,600"},
        {"type='gru'\ninput_size=10\nhidden_size=20", "1,920"},
        {"type='rnn'\ninput_size=3\nhidden_size=5\nnum_layers=2", "110"},
        {"type='lstm'\ninput_size=3\nhidden_size=5\nnum_layers=2", "440"},
        {"type='gru'\ninput_size=3\nhidden_size=5\nnum_layers=2", "330"},
        {"type='rnncell'\ninput_size=4\nhidden_size=2", "16"},
        {"type='lstm'\ninput_size=3\nhidden_size=5\nbidirectional=true", "400"},
        {"type='lstm'\ninput_size=3\nhidden_size=5\nproj_size=2", "150"},
        {"type='linear'\nin_features=999\nout_features=1000\nbias=true", "1,000,000"},
        {"type='linear'\nin_features=3\nout_features=5\nbias=false", "15"},
        {"type='embedding'\nnum_embeddings=7\nembedding_dim=3", "21"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char toml[256], *line;

        snprintf(toml, sizeof toml, "[[layer]]\n%s\n", models[i].layer);
        assert_shows(toml);
        line = strstr(shown, "\ntotal ");
        assert_non_null(line);
        line = strtok(line + strlen("\ntotal "), " \n");
        if (line == NULL || strcmp(line, models[i].total) != 0)
            fail_msg("%s: %s, expected %s", models[i].layer, line, models[i].total);
    }
}

static void the_table_has_names_shapes_and_counts(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='lstm'\ninput_size=28\nhidden_size=100\n"
                 "[[layer]]\ntype='select'\n"
                 "[[layer]]\ntype='linear'\nout_features=10\n");
    assert_string_equal(shown, "parameter            shape        count\n"
                               "0_lstm.weight_ih_l0  [400, 28]   11,200\n"
                               "0_lstm.weight_hh_l0  [400, 100]  40,000\n"
                               "0_lstm.bias_ih_l0    [400]          400\n"
                               "0_lstm.bias_hh_l0    [400]          400\n"
                               "2_linear.weight      [10, 100]    1,000\n"
                               "2_linear.bias        [10]            10\n"
                               "total                            53,010\n"
                               "\n"
                               "input   x        [T, N, 28]\n"
                               "output           [N, 10]\n"
                               "state   h0, h_n  [1, N, 100]  of 0_lstm\n"
                               "state   c0, c_n  [1, N, 100]  of 0_lstm\n");
}

static void a_tied_weight_is_counted_once(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='embedding'\nnum_embeddings=10\nembedding_dim=4\n"
                 "[[layer]]\ntype='rnn'\nhidden_size=4\n"
                 "[[layer]]\ntype='linear'\ntied=true\n");
    assert_string_equal(shown, "parameter           shape    count\n"
                               "0_embedding.weight  [10, 4]     40\n"
                               "1_rnn.weight_ih_l0  [4, 4]      16\n"
                               "1_rnn.weight_hh_l0  [4, 4]      16\n"
                               "1_rnn.bias_ih_l0    [4]          4\n"
                               "1_rnn.bias_hh_l0    [4]          4\n"
                               "2_linear.bias       [10]        10\n"
                               "total                           90\n"
                               "\n"
                               "input   x        [T, N]  tokens below 10\n"
                               "output           [T, N, 10]\n"
                               "state   h0, h_n  [1, N, 4]  of 1_rnn\n"
                               "tied    weight   [10, 4]  of 2_linear is that of 0_embedding\n");
}

/* -- Shapes ------------------------------------------------------------------------------------ */

static void shapes_follow_the_arguments(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='lstm'\ninput_size=3\nhidden_size=5\nnum_layers=2\n"
                 "bidirectional=true\nproj_size=2\nbatch_first=true\n");
    assert_shown("0_lstm.weight_hr_l1_reverse  [2, 5]");
    assert_shown("input   x        [N, T, 3]\n");
    assert_shown("output           [N, T, 4]\n");
    assert_shown("state   h0, h_n  [4, N, 2]  of 0_lstm\n");
    assert_shown("state   c0, c_n  [4, N, 5]  of 0_lstm\n");
}

static void tokens_have_a_bound(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='onehot'\nnum_classes=4\n"
                 "[[layer]]\ntype='gru'\nhidden_size=6\n");
    assert_shown("1_gru.weight_ih_l0  [18, 4]");
    assert_shown("input   x        [T, N]  tokens below 4\n");
    assert_shown("output           [T, N, 6]\n");
    assert_null(strstr(shown, "c0"));
}

static void cells_have_states_of_two_dimensions(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='lstmcell'\ninput_size=4\nhidden_size=2\n");
    assert_shown("0_lstmcell.weight_ih  [8, 4]");
    assert_shown("state   h0, h_n  [N, 2]  of 0_lstmcell\n");
    assert_shown("state   c0, c_n  [N, 2]  of 0_lstmcell\n");
}

static void every_recurrent_layer_has_its_states(void **state)
{
    (void)state;
    assert_shows("[[layer]]\ntype='layernorm'\n"
                 "[[layer]]\ntype='rnn'\ninput_size=3\nhidden_size=2\n"
                 "[[layer]]\ntype='dropout'\n"
                 "[[layer]]\ntype='gru'\nhidden_size=7\nnum_layers=3\nbatch_first=true\n");
    assert_shown("0_layernorm.weight  [3]");
    assert_shown("input   x        [T, N, 3]\n");
    assert_shown("output           [N, T, 7]\n"); /* each layer as torch has it */
    assert_shown("state   h0, h_n  [1, N, 2]  of 1_rnn\n");
    assert_shown("state   h0, h_n  [3, N, 7]  of 3_gru\n");
}

/* -- Configurations ---------------------------------------------------------------------------- */

static void data_gives_the_input_that_layers_leave_open(void **state)
{
    (void)state;
    assert_shows("[dataset]\nformat='strings'\ninputs=['hello']\ntargets=['ohlol']\n"
                 "[optimizer]\ntype='sgd'\n"
                 "[[layer]]\ntype='onehot'\n[[layer]]\ntype='rnn'\nhidden_size=4\n");
    assert_shown("1_rnn.weight_ih_l0  [4, 4]");
    assert_shown("tokens below 4");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused(RNN_ERR_DATA, show_config("[[layer]]\ntype='lstm'\nhidden_size=4\n"),
                   "is missing");
    assert_non_null(strstr(rnn_error_message(), "no layer tells the size of its input"));
    assert_refused(RNN_ERR_NOINPUT,
                   show_config("[dataset]\nsearch=['nowhere']\n[optimizer]\ntype='sgd'\n"
                               "[[layer]]\ntype='lstm'\nhidden_size=4\n"),
                   "nowhere");
    assert_refused(RNN_ERR_DATA, show_config("[[layer]]\ntype='lstm'\ninput_size=4\n"),
                   "hidden_size is missing");
    assert_refused(RNN_ERR_DATA, show_config("[run]\nseed=1\n"), "at least one [[layer]]");
    assert_refused(RNN_ERR_DATA,
                   show_config("[[layer]]\ntype='lstm'\ninput_size=4\nhidden_size=3\n"
                               "[[layer]]\ntype='linear'\nin_features=4\nout_features=2\n"),
                   "in_features is 4, but its input has 3");
    assert_refused(RNN_ERR_DATA, show_config("[run]\nsede=1\n[[layer]]\ntype='dropout'\n"),
                   "did you mean run.seed?");
    assert_string_equal(shown, "");
}

static void overrides_apply(void **state)
{
    static const char toml[] = "[[layer]]\ntype='gru'\ninput_size=10\nhidden_size=2\n";
    const char *overrides[] = {"layer.0.hidden_size=20"};
    FILE *out = open_shown();

    (void)state;
    assert_int_equal(rnn_file_write("model.toml", toml, strlen(toml)), RNN_OK);
    assert_int_equal(rnn_show_config("model.toml", overrides, 1, out), RNN_OK);
    fclose(out);
    assert_shown("1,920\n");
}

/* -- Checkpoints ------------------------------------------------------------------------------- */

/* A checkpoint of a small classifier after step 7 in its second epoch, without configuration. */
static void write_checkpoint(float *first_value)
{
    static const rnn_layer_cfg layers[] = {
        {.type = RNN_LAYER_GRU, .hidden_size = 2, .num_layers = 1, .bias = true},
        {.type = RNN_LAYER_SELECT},
        {.type = RNN_LAYER_LINEAR, .out_features = 5, .bias = true}};
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_progress progress = {
        .epoch = 1, .step = 7, .batch_in_epoch = 3, .best_metric = (double)NAN};
    rnn_history history = {.n_metrics = 0};
    rnn_checkpoint checkpoint = {.progress = &progress, .history = &history};
    rnn_model *model;

    assert_int_equal(
        rnn_model_create(&model, layers, 3, (rnn_shape){.seq_len = 9, .n_features = 3}), RNN_OK);
    assert_int_equal(rnn_optimizer_create(&checkpoint.optimizer, &cfg, rnn_model_size(model)),
                     RNN_OK);
    assert_int_equal(RNN_ALLOC(&checkpoint.params, rnn_model_size(model), "parameters"), RNN_OK);
    checkpoint.params[0] = *first_value = 0.3f;
    checkpoint.model = model;
    assert_int_equal(rnn_checkpoint_write(&checkpoint, ".", NULL), RNN_OK);
    rnn_free(checkpoint.params);
    rnn_optimizer_destroy(&checkpoint.optimizer);
    rnn_model_destroy(&model);
}

static void a_checkpoint_tells_how_far_it_is(void **state)
{
    float first;
    FILE *out = open_shown();

    (void)state;
    write_checkpoint(&first);
    assert_int_equal(rnn_show_checkpoint("latest.h5", out), RNN_OK);
    fclose(out);
    assert_shown("latest.h5: epoch 2, step 7, parameters ");
    assert_shown("0_gru.weight_ih_l0  [6, 3]");
    assert_shown("input   x        [T, N, 3]\n");
    assert_shown("output           [N, 5]\n");
}

static void checkpoints_are_told_by_their_content(void **state)
{
    bool is_hdf5;
    float first;

    (void)state;
    write_checkpoint(&first);
    assert_int_equal(rename("step-0000000007.h5", "model.toml"), 0);
    assert_int_equal(rnn_checkpoint_recognize("model.toml", &is_hdf5), RNN_OK);
    assert_true(is_hdf5);
    assert_int_equal(rnn_file_write("weights.h5", "[run]\n", 6), RNN_OK);
    assert_int_equal(rnn_checkpoint_recognize("weights.h5", &is_hdf5), RNN_OK);
    assert_false(is_hdf5);
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_recognize("none", &is_hdf5), "none");
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_recognize(".", &is_hdf5), "not a regular file");
}

static void an_export_has_the_weights_of_the_checkpoint(void **state)
{
    rnn_stored_model stored;
    float first, *params;

    (void)state;
    write_checkpoint(&first);
    assert_int_equal(rnn_export("latest.h5", "weights.h5"), RNN_OK);
    assert_int_equal(rnn_stored_model_read(&stored, "latest.h5"), RNN_OK);
    assert_int_equal(RNN_ALLOC(&params, rnn_model_size(stored.model), "parameters"), RNN_OK);
    assert_int_equal(rnn_state_dict_read("weights.h5", stored.model, params), RNN_OK);
    assert_memory_equal(params, stored.params, rnn_model_size(stored.model) * sizeof *params);
    assert_true(params[0] == first);
    rnn_free(params);
    rnn_stored_model_free(&stored);
    assert_refused(RNN_ERR_DATA, rnn_export("weights.h5", "again.h5"), "weights.h5");
    assert_refused(RNN_ERR_NOINPUT, rnn_export("none.h5", "again.h5"), "none.h5");
    assert_refused(RNN_ERR_IO, rnn_export("latest.h5", "none/weights.h5"), "none/");
    assert_int_equal(count_entries("."), 3);
}

static int forget(void **state)
{
    (void)state;
    free(shown);
    shown = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(totals_are_those_of_torch),
        IN_FOLDER(the_table_has_names_shapes_and_counts),
        IN_FOLDER(a_tied_weight_is_counted_once),
        IN_FOLDER(shapes_follow_the_arguments),
        IN_FOLDER(tokens_have_a_bound),
        IN_FOLDER(cells_have_states_of_two_dimensions),
        IN_FOLDER(every_recurrent_layer_has_its_states),
        IN_FOLDER(data_gives_the_input_that_layers_leave_open),
        IN_FOLDER(what_is_missing_is_named),
        IN_FOLDER(overrides_apply),
        IN_FOLDER(a_checkpoint_tells_how_far_it_is),
        IN_FOLDER(checkpoints_are_told_by_their_content),
        IN_FOLDER(an_export_has_the_weights_of_the_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
