/*
 * Exported models: a file is decoded, its graph computed in double by an interpreter of its own
 * (onnx_interpreter.c), and every output compared with what the float kernels make of the same
 * parameters, inputs and states.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <stdbool.h>

#include "framework/checkpoint.h"
#include "framework/exchange.h"
#include "framework/file_io.h"
#include "framework/model.h"
#include "framework/onnx.h"
#include "framework/optimizer.h"
#include "framework/runner.h"
#include "kernels/memory.h"
#include "tests/unit/onnx_interpreter.h"

enum { MAX_LAYERS = 5, N_FEATURES = 3, N_TOKENS = 5, MAX_VALUES = 4096 };

static const char FILE_NAME[] = "model.onnx";
static const double TOLERANCE = 1e-5;

/* -- Models ------------------------------------------------------------------------------------ */

typedef struct named_model {
    const char *name;
    rnn_layer_cfg layers[MAX_LAYERS];
    size_t n_layers;
} named_model;

#define STACK(kind, size, levels)                                                                  \
    .type = (kind), .hidden_size = (size), .num_layers = (levels), .bias = true
#define CELL(kind, size)                                                                           \
    {                                                                                              \
        .type = (kind), .hidden_size = (size), .num_layers = 1, .bias = true                       \
    }
#define SELECT(which)                                                                              \
    {                                                                                              \
        .type = RNN_LAYER_SELECT, .step = (which)                                                  \
    }
#define LINEAR(size)                                                                               \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = (size), .bias = true                             \
    }
#define EMBEDDING(size)                                                                            \
    {                                                                                              \
        .type = RNN_LAYER_EMBEDDING, .embedding_dim = (size), .padding_idx = -1                    \
    }

static const named_model models[] = {
    {"rnn of tanh", {{STACK(RNN_LAYER_RNN, 4, 1)}}, 1},
    {"rnn of relu, two sublayers, bidirectional",
     {{STACK(RNN_LAYER_RNN, 4, 2), .nonlinearity = RNN_NONLINEARITY_RELU, .bidirectional = true,
       .dropout = 0.3}},
     1},
    {"lstm, last step, linear",
     {{STACK(RNN_LAYER_LSTM, 4, 1), .c0 = 0.5}, SELECT(RNN_SELECT_LAST), LINEAR(2)},
     3},
    {"lstm, three sublayers, bidirectional, mean",
     {{STACK(RNN_LAYER_LSTM, 4, 3), .bidirectional = true}, SELECT(RNN_SELECT_MEAN), LINEAR(2)},
     3},
    {"gru, two sublayers, maximum",
     {{STACK(RNN_LAYER_GRU, 4, 2)}, LINEAR(3), SELECT(RNN_SELECT_MAX)},
     3},
    {"gru, bidirectional, first step",
     {{STACK(RNN_LAYER_GRU, 4, 1), .bidirectional = true}, SELECT(RNN_SELECT_FIRST)},
     2},
    {"gru without a bias, batch first",
     {{.type = RNN_LAYER_GRU, .hidden_size = 4, .num_layers = 1, .batch_first = true}, LINEAR(2)},
     2},
    {"cells",
     {CELL(RNN_LAYER_RNNCELL, 4), CELL(RNN_LAYER_LSTMCELL, 3), CELL(RNN_LAYER_GRUCELL, 2)},
     3},
    {"layernorm, activations, dropout",
     {{.type = RNN_LAYER_LAYERNORM, .eps = 1e-3, .elementwise_affine = true, .bias = true},
      {STACK(RNN_LAYER_LSTM, 4, 1)},
      {.type = RNN_LAYER_ACTIVATION, .function = RNN_ACTIVATION_SIGMOID},
      {.type = RNN_LAYER_DROPOUT, .p = 0.5},
      {.type = RNN_LAYER_LAYERNORM, .eps = 1e-5}},
     5},
    {"linear, tanh, relu, two stacks",
     {LINEAR(6),
      {.type = RNN_LAYER_ACTIVATION, .function = RNN_ACTIVATION_TANH},
      {STACK(RNN_LAYER_LSTM, 4, 2)},
      {.type = RNN_LAYER_ACTIVATION, .function = RNN_ACTIVATION_RELU},
      {STACK(RNN_LAYER_GRU, 3, 1)}},
     5},
    {"layernorm without a bias",
     {{.type = RNN_LAYER_LAYERNORM, .eps = 1e-5, .elementwise_affine = true}, LINEAR(2)},
     2},
    {"embedding, lstm, tied linear",
     {EMBEDDING(4),
      {STACK(RNN_LAYER_LSTM, 4, 1)},
      {.type = RNN_LAYER_LINEAR, .tied = true, .bias = true}},
     3},
    {"onehot, gru, linear",
     {{.type = RNN_LAYER_ONEHOT}, {STACK(RNN_LAYER_GRU, 4, 1)}, LINEAR(5)},
     3},
};

enum { N_MODELS = sizeof models / sizeof *models };

static bool has_tokens(const named_model *named)
{
    return rnn_layer_takes_tokens(named->layers[0].type);
}

/* Parameters that are all different, biases and scales too. */
static rnn_model *make_model(const named_model *named, float **params)
{
    const rnn_shape features = {.seq_len = 1, .n_features = N_FEATURES};
    const rnn_shape tokens = {.seq_len = 1, .n_features = 1, .n_tokens = N_TOKENS};
    rnn_model *model;

    OK(rnn_model_create(&model, named->layers, named->n_layers,
                        has_tokens(named) ? tokens : features));
    OK(RNN_ALLOC(params, rnn_model_size(model), "parameters"));
    for (size_t i = 0; i < rnn_model_size(model); i++)
        (*params)[i] = 0.8f * sinf(1.7f * (float)i + 0.3f);
    return model;
}

/* -- What goes in and comes out ---------------------------------------------------------------- */

/* The states of a layer as the kernels take and give them. */
typedef struct layer_states {
    float h0[MAX_VALUES], c0[MAX_VALUES], h_n[MAX_VALUES], c_n[MAX_VALUES];
} layer_states;

typedef struct trial {
    const named_model *named;
    const rnn_model *model;
    const float *params;
    size_t seq_len, rows;
    bool has_lengths;
    int32_t length[8], token[64];
    float x[MAX_VALUES], y[MAX_VALUES];
    layer_states states[MAX_LAYERS];
} trial;

static void fill_trial(trial *t)
{
    for (size_t n = 0; n < t->rows; n++)
        t->length[n] = (int32_t)(t->has_lengths ? 1 + (n * 3 + 2) % t->seq_len : t->seq_len);
    for (size_t i = 0; i < t->seq_len * t->rows; i++) {
        bool is_valid = (int32_t)(i / t->rows) < t->length[i % t->rows];

        t->token[i] = is_valid ? (int32_t)(i * 7 % N_TOKENS) : -1;
        for (size_t f = 0; f < N_FEATURES; f++)
            t->x[i * N_FEATURES + f] = is_valid ? cosf(0.9f * (float)(i * N_FEATURES + f)) : 0.0f;
    }
    for (size_t k = 0; k < MAX_LAYERS; k++)
        for (size_t i = 0; i < MAX_VALUES; i++) {
            t->states[k].h0[i] = 0.5f * sinf((float)(i + k));
            t->states[k].c0[i] = 0.7f * cosf((float)(i + 3 * k));
        }
}

static size_t count_outputs(const trial *t)
{
    rnn_shape output = rnn_model_output(t->model);

    return (output.is_single ? 1 : t->seq_len) * t->rows * output.n_features;
}

static void run_kernels(trial *t)
{
    rnn_layer_states states[MAX_LAYERS] = {{0}};
    rnn_slice slice = {.seq_len = t->seq_len,
                       .rows = t->rows,
                       .length = t->length,
                       .is_ragged = t->has_lengths,
                       .states = states};
    rnn_runner *runner;
    rnn_plan *plan;
    const float *y;

    for (size_t k = 0; k < t->named->n_layers; k++) {
        rnn_layer_type type = t->named->layers[k].type;
        bool is_lstm = type == RNN_LAYER_LSTM || type == RNN_LAYER_LSTMCELL;

        if (!rnn_layer_is_recurrent(type))
            continue;
        states[k].h0 = t->states[k].h0;
        states[k].h_n = t->states[k].h_n;
        states[k].c0 = is_lstm ? t->states[k].c0 : NULL;
        states[k].c_n = is_lstm ? t->states[k].c_n : NULL;
    }
    slice.token = has_tokens(t->named) ? t->token : NULL;
    OK(rnn_plan_create(&plan, t->model));
    rnn_plan_load(plan, t->params, 0, 1);
    OK(rnn_runner_create(&runner, plan, false));
    OK(rnn_runner_forward(runner, &slice, has_tokens(t->named) ? NULL : t->x, &y));
    memcpy(t->y, y, count_outputs(t) * sizeof *y);
    rnn_runner_destroy(&runner);
    rnn_plan_destroy(&plan);
}

/* Past the ends the graph gets what nobody may look at. */
static void give_input(const trial *t, onnx_run *run)
{
    bool is_tokens = has_tokens(t->named), swap = rnn_model_is_batch_first(t->model, false);
    const size_t dims[] = {swap ? t->rows : t->seq_len, swap ? t->seq_len : t->rows, N_FEATURES};
    double *x = onnx_give(run, "x", dims, is_tokens ? 2 : 3), *lengths;

    for (size_t i = 0; i < t->seq_len * t->rows; i++) {
        size_t row = i % t->rows, step = i / t->rows;
        size_t place = swap ? row * t->seq_len + step : i;
        bool is_valid = (int32_t)step < t->length[row];

        for (size_t f = 0; f < N_FEATURES && !is_tokens; f++)
            x[place * N_FEATURES + f] = is_valid ? (double)t->x[i * N_FEATURES + f] : 99.0;
        if (is_tokens)
            x[place] = is_valid ? (double)t->token[i] : 1.0;
    }
    if (!t->has_lengths)
        return;
    lengths = onnx_give(run, "lengths", &t->rows, 1);
    for (size_t n = 0; n < t->rows; n++)
        lengths[n] = (double)t->length[n];
}

/* Shape of the state `base` of layer k, and its name. */
static size_t describe_state(const trial *t, size_t k, const char *base, char name[16],
                             size_t dims[3])
{
    const rnn_layer_cfg *cfg = &t->named->layers[k];
    bool is_cell = cfg->type >= RNN_LAYER_RNNCELL && cfg->type <= RNN_LAYER_GRUCELL;
    size_t n = 0;

    snprintf(name, 16, "%s_%zu", base, k);
    if (!is_cell)
        dims[n++] = (size_t)cfg->num_layers * (cfg->bidirectional ? 2 : 1);
    dims[n++] = t->rows;
    dims[n++] = (size_t)cfg->hidden_size;
    return n;
}

static void give_state(const trial *t, onnx_run *run, size_t k, const char *base,
                       const float *values)
{
    char name[16];
    size_t dims[3], n = describe_state(t, k, base, name, dims);
    double *to = onnx_give(run, name, dims, n);

    for (size_t i = 0; i < dims[0] * dims[1] * (n > 2 ? dims[2] : 1); i++)
        to[i] = (double)values[i];
}

static void compare(const trial *t, const char *name, const onnx_value *found,
                    const float *expected, size_t count)
{
    size_t n = 1;
    double spread = 0.0;

    for (size_t i = 0; i < found->n_dims; i++)
        n *= found->dims[i];
    assert_int_equal(n, count);
    for (size_t i = 0; i < count; i++) {
        spread = fmax(spread, fabs((double)expected[i]));
        if (!(fabs(found->values[i] - (double)expected[i]) <= TOLERANCE))
            fail_msg("%s, %zu steps of %zu, %s: value %zu is %.9g, expected %.9g", t->named->name,
                     t->seq_len, t->rows, name, i, found->values[i], (double)expected[i]);
    }
    assert_true(spread > 0.05); /* else there was nothing to compare */
}

static void compare_state(const trial *t, const onnx_run *run, size_t k, const char *base,
                          const float *expected)
{
    char name[16];
    size_t dims[3], n = describe_state(t, k, base, name, dims);

    compare(t, name, onnx_find(run, name), expected, dims[0] * dims[1] * (n > 2 ? dims[2] : 1));
}

static void compare_output(trial *t, const onnx_run *run)
{
    rnn_shape output = rnn_model_output(t->model);
    size_t n = output.n_features;
    float *ordered = calloc(MAX_VALUES, sizeof *ordered);

    for (size_t i = 0; i < count_outputs(t); i++) {
        size_t row = i / n % t->rows, step = i / n / t->rows;
        bool swap = !output.is_single && rnn_model_is_batch_first(t->model, true);

        ordered[swap ? (row * t->seq_len + step) * n + i % n : i] = t->y[i];
    }
    compare(t, "y", onnx_find(run, "y"), ordered, count_outputs(t));
    free(ordered);
}

static void run_trial(trial *t)
{
    const rnn_onnx_cfg cfg = {
        .model = t->model, .params = t->params, .has_lengths = t->has_lengths};
    onnx_run run;

    fill_trial(t);
    run_kernels(t);
    OK(rnn_onnx_write(FILE_NAME, &cfg));
    onnx_open(&run, FILE_NAME);
    give_input(t, &run);
    for (size_t k = 0; k < t->named->n_layers; k++) {
        rnn_layer_type type = t->named->layers[k].type;

        if (rnn_layer_is_recurrent(type))
            give_state(t, &run, k, "h0", t->states[k].h0);
        if (type == RNN_LAYER_LSTM || type == RNN_LAYER_LSTMCELL)
            give_state(t, &run, k, "c0", t->states[k].c0);
    }
    onnx_compute(&run);
    compare_output(t, &run);
    for (size_t k = 0; k < t->named->n_layers; k++) {
        rnn_layer_type type = t->named->layers[k].type;

        if (rnn_layer_is_recurrent(type))
            compare_state(t, &run, k, "h_n", t->states[k].h_n);
        if (type == RNN_LAYER_LSTM || type == RNN_LAYER_LSTMCELL)
            compare_state(t, &run, k, "c_n", t->states[k].c_n);
    }
    onnx_close(&run);
}

static void graphs_give_what_the_kernels_give(void **state)
{
    static const size_t sizes[][2] = {{6, 3}, {1, 1}, {11, 4}};

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        float *params;
        rnn_model *model = make_model(&models[i], &params);

        for (size_t k = 0; k < 6; k++) {
            trial *t = calloc(1, sizeof *t);

            *t = (trial){.named = &models[i],
                         .model = model,
                         .params = params,
                         .seq_len = sizes[k / 2][0],
                         .rows = sizes[k / 2][1],
                         .has_lengths = k % 2 == 1};
            run_trial(t);
            free(t);
        }
        rnn_free(params);
        rnn_model_destroy(&model);
    }
}

/* -- Units ------------------------------------------------------------------------------------- */

static const named_model plain = {"linear", {LINEAR(2)}, 1};

/* The output y and, if there is one, the probability of a linear model at x = 1, 2, 3 and twice
 * that. */
static void run_plain(rnn_onnx_cfg *cfg, onnx_run *run)
{
    static const float values[] = {0.5f, -1.0f, 0.25f, 1.0f, 0.5f, -0.5f, 0.125f, -0.25f};
    const size_t dims[] = {2, 1, N_FEATURES};
    float *params;
    rnn_model *model = make_model(&plain, &params);
    double *x;

    assert_int_equal(rnn_model_size(model), sizeof values / sizeof *values);
    cfg->model = model;
    cfg->params = values;
    OK(rnn_onnx_write(FILE_NAME, cfg));
    onnx_open(run, FILE_NAME);
    x = onnx_give(run, "x", dims, 3);
    for (size_t i = 0; i < 6; i++)
        x[i] = (double)((i % 3 + 1) * (i / 3 + 1));
    onnx_compute(run);
    rnn_free(params);
    rnn_model_destroy(&model);
}

static void assert_values(const onnx_run *run, const char *name, const double *expected,
                          size_t count)
{
    const onnx_value *v = onnx_find(run, name);

    for (size_t i = 0; i < count; i++)
        if (!(fabs(v->values[i] - expected[i]) < 1e-9))
            fail_msg("%s: value %zu is %.12g, expected %.12g", name, i, v->values[i], expected[i]);
}

/* By hand: (x - offset) / scale is 1 1 1 and 3 2 2; 0.5 - 1 + 0.25 + 0.125 is -0.125, ... */
static void inputs_and_answers_are_in_the_units_of_the_data(void **state)
{
    static const double offset[] = {0.5, 0.0, 0.0}, scale[] = {0.5, 2.0, 3.0};
    static const double y_offset[] = {100.0, 0.0}, y_scale[] = {2.0, 10.0};
    static const double expected[] = {99.75, 7.5, 100.25, 27.5};
    rnn_onnx_cfg cfg = {
        .x_offset = offset, .x_scale = scale, .y_offset = y_offset, .y_scale = y_scale};
    onnx_run run;

    (void)state;
    run_plain(&cfg, &run);
    assert_values(&run, "y", expected, 4);
    onnx_close(&run);
}

/* Scores of x = 1 2 3: 0.5 - 2 + 0.75 + 0.125 and 1 + 1 - 1.5 - 0.25. */
static void classes_and_marks_have_probabilities(void **state)
{
    static const double scores[] = {-0.625, 0.25};
    const double sum = exp(-0.625) + exp(0.25);
    const double softmax[] = {exp(-0.625) / sum, exp(0.25) / sum};
    const double sigmoid[] = {1.0 / (1.0 + exp(0.625)), 1.0 / (1.0 + exp(-0.25))};
    rnn_onnx_cfg cfg = {.answer = RNN_ONNX_CLASSES};
    onnx_run run;

    (void)state;
    run_plain(&cfg, &run);
    assert_values(&run, "y", scores, 2);
    assert_values(&run, "probability", softmax, 2);
    onnx_close(&run);
    cfg.answer = RNN_ONNX_MARKS;
    run_plain(&cfg, &run);
    assert_values(&run, "probability", sigmoid, 2);
    onnx_close(&run);
}

/* Of x = 2 4 6 alone: 1 - 4 + 1.5 + 0.125 and 2 + 2 - 3 - 0.25. */
static void only_the_last_step_is_given_if_only_that_was_learned(void **state)
{
    static const double expected[] = {-1.375, 0.75};
    rnn_onnx_cfg cfg = {.only_last_step = true};
    onnx_run run;

    (void)state;
    run_plain(&cfg, &run);
    assert_int_equal(onnx_find(&run, "y")->n_dims, 2);
    assert_values(&run, "y", expected, 2);
    onnx_close(&run);
}

/* -- What cannot be exported ------------------------------------------------------------------- */

static void projections_are_refused(void **state)
{
    const named_model projected = {
        "projected", {LINEAR(2), {STACK(RNN_LAYER_LSTM, 4, 1), .proj_size = 2}}, 2};
    rnn_onnx_cfg cfg = {.has_lengths = false};
    float *params;
    rnn_model *model = make_model(&projected, &params);

    (void)state;
    cfg.model = model;
    cfg.params = params;
    assert_refused(RNN_ERR_DATA, rnn_onnx_write(FILE_NAME, &cfg),
                   "layer 1 (lstm): proj_size is 2, but the LSTM of ONNX has no projection");
    assert_int_equal(count_entries("."), 0);
    rnn_free(params);
    rnn_model_destroy(&model);
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
    rnn_onnx_cfg cfg = {.has_lengths = false};
    float *params;
    rnn_model *model = make_model(&plain, &params);

    (void)state;
    cfg.model = model;
    cfg.params = params;
    assert_refused(RNN_ERR_IO, rnn_onnx_write("missing/model.onnx", &cfg), "missing/");
    rnn_free(params);
    rnn_model_destroy(&model);
}

/* -- Checkpoints ------------------------------------------------------------------------------- */

/* A table of two columns, of which one is forecast, with a fit; the weight adds up what comes in.
 */
static void write_checkpoint(const char *config)
{
    static const rnn_layer_cfg layers[] = {{.type = RNN_LAYER_LINEAR, .out_features = 1}};
    static double mean[] = {10.0, 0.0}, std[] = {2.0, 1.0}, target_mean[] = {7.0},
                  target_std[] = {3.0};
    static char texts[] = {'u', 'p', 'a', '"'};
    const rnn_block blocks[] = {{"data/mean", RNN_BLOCK_FLOAT64, 1, {2}, mean},
                                {"data/std", RNN_BLOCK_FLOAT64, 1, {2}, std},
                                {"data/target_mean", RNN_BLOCK_FLOAT64, 1, {1}, target_mean},
                                {"data/target_std", RNN_BLOCK_FLOAT64, 1, {1}, target_std},
                                {"data/texts", RNN_BLOCK_TEXTS, 2, {2, 2}, texts}};
    rnn_optimizer_cfg sgd = rnn_optimizer_defaults(RNN_OPTIMIZER_SGD);
    rnn_progress progress = {.epoch = 3, .step = 7, .best_metric = (double)NAN};
    rnn_history history = {.n_metrics = 0};
    rnn_checkpoint checkpoint = {.progress = &progress,
                                 .history = &history,
                                 .blocks = blocks,
                                 .n_blocks = 5,
                                 .config = config};
    float weights[] = {1.0f, 1.0f};
    rnn_model *model;

    OK(rnn_model_create(&model, layers, 1, (rnn_shape){.seq_len = 1, .n_features = 2}));
    OK(rnn_optimizer_create(&checkpoint.optimizer, &sgd, 2));
    checkpoint.model = model;
    checkpoint.params = weights;
    OK(rnn_checkpoint_write(&checkpoint, ".", NULL));
    rnn_optimizer_destroy(&checkpoint.optimizer);
    rnn_model_destroy(&model);
}

static const char table[] = "[dataset]\nformat='csv'\nsearch=['.']\ntrain_file='a.csv'\n"
                            "mean=1.0\nstd=4.0\n"
                            "[[layer]]\ntype='linear'\nout_features=1\nbias=false\n"
                            "[loss]\ntype='mse'\n[optimizer]\ntype='sgd'\nlr=0.1\n";

/* By hand: columns 49 and 5 become 12 and 1 in the reader, 1 and 1 by the fit; 2 goes out, is 13 by
 * the fit of the target, and 53 in the file. */
static void an_export_takes_and_gives_what_the_data_files_have(void **state)
{
    const size_t dims[] = {1, 1, 2};
    const double expected = 53.0;
    onnx_run run;
    double *x;

    (void)state;
    write_checkpoint(table);
    OK(rnn_export("latest.h5", FILE_NAME));
    onnx_open(&run, FILE_NAME);
    x = onnx_give(&run, "x", dims, 3);
    x[0] = 49.0;
    x[1] = 5.0;
    onnx_compute(&run);
    assert_values(&run, "y", &expected, 1);
    assert_string_equal(onnx_property(&run, "loss"), "mse");
    assert_string_equal(onnx_property(&run, "epoch"), "3");
    assert_string_equal(onnx_property(&run, "step"), "7");
    assert_string_equal(onnx_property(&run, "config"), table);
    assert_string_equal(run.model->producer_name, "rnntrain");
    assert_string_equal(run.model->producer_version, RNN_VERSION);
    assert_int_equal(run.model->opset_import[0]->version, 17);
    onnx_close(&run);
}

/* Pixels are 0 to 255: (255 / 255 - 0.5) / 0.25 = 2, then the fit: (2 - 10) / 2 and 2. */
static void images_go_in_as_pixels(void **state)
{
    static const char images[] = "[dataset]\nformat='idx'\nsearch=['.']\nmean=0.5\nstd=0.25\n"
                                 "[[layer]]\ntype='linear'\nout_features=1\nbias=false\n"
                                 "[optimizer]\ntype='sgd'\nlr=0.1\n";
    const size_t dims[] = {1, 1, 2};
    const double expected = -2.0;
    onnx_run run;
    double *x;

    (void)state;
    write_checkpoint(images);
    OK(rnn_export("latest.h5", FILE_NAME));
    onnx_open(&run, FILE_NAME);
    x = onnx_give(&run, "x", dims, 3);
    x[0] = x[1] = 255.0;
    onnx_compute(&run);
    assert_values(&run, "y", &expected, 1);
    assert_string_equal(onnx_property(&run, "classes"), "[\"up\", \"a\\\"\"]");
    onnx_close(&run);
}

static void lengths_go_in_where_data_may_have_them(void **state)
{
    static const char series[] = "[dataset]\nformat='ts'\nsearch=['.']\ntrain_file='a.ts'\n"
                                 "[[layer]]\ntype='linear'\nout_features=1\nbias=false\n"
                                 "[optimizer]\ntype='sgd'\nlr=0.1\n";
    onnx_run run;

    (void)state;
    write_checkpoint(table);
    OK(rnn_export("latest.h5", FILE_NAME));
    onnx_open(&run, FILE_NAME);
    assert_int_equal(run.model->graph->n_input, 1);
    onnx_close(&run);
    write_checkpoint(series);
    OK(rnn_export("latest.h5", FILE_NAME));
    onnx_open(&run, FILE_NAME);
    assert_int_equal(run.model->graph->n_input, 2);
    assert_string_equal(run.model->graph->input[1]->name, "lengths");
    onnx_close(&run);
}

static void checkpoints_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_export("absent.h5", FILE_NAME), "absent.h5");
    OK(rnn_file_write("text.h5", "not HDF5", 8));
    assert_refused(RNN_ERR_DATA, rnn_export("text.h5", FILE_NAME), "text.h5");
    assert_int_equal(count_entries("."), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(graphs_give_what_the_kernels_give),
        IN_FOLDER(inputs_and_answers_are_in_the_units_of_the_data),
        IN_FOLDER(classes_and_marks_have_probabilities),
        IN_FOLDER(only_the_last_step_is_given_if_only_that_was_learned),
        IN_FOLDER(projections_are_refused),
        IN_FOLDER(a_file_that_cannot_be_written_is_told),
        IN_FOLDER(an_export_takes_and_gives_what_the_data_files_have),
        IN_FOLDER(images_go_in_as_pixels),
        IN_FOLDER(lengths_go_in_where_data_may_have_them),
        IN_FOLDER(checkpoints_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
