/*
 * The model: which parameters it has, where they lie, and what it refuses.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/model.h"

#define RECURRENT(kind, hidden, layers)                                                            \
    {                                                                                              \
        .type = (kind), .hidden_size = (hidden), .num_layers = (layers), .bias = true              \
    }
#define LINEAR(features)                                                                           \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = (features), .bias = true                         \
    }
#define SELECT                                                                                     \
    {                                                                                              \
        .type = RNN_LAYER_SELECT                                                                   \
    }

/* The MNIST recipe: 28 columns of 28 pixels. */
static const rnn_layer_cfg mnist[] = {RECURRENT(RNN_LAYER_LSTM, 100, 2), SELECT, LINEAR(10)};
static const rnn_shape mnist_input = {.seq_len = 28, .n_features = 28};

static const rnn_shape tokens = {.seq_len = 5, .n_features = 1, .n_tokens = 9};

static rnn_model *make(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input)
{
    rnn_model *model;

    if (rnn_model_create(&model, layers, n_layers, input) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return model;
}

/* A parameter that a model must have; columns 0 = a vector. */
typedef struct expectation {
    const char *group, *name;
    size_t rows, columns;
} expectation;

/* Exactly these, in this order and one after another in the arena. */
static void assert_params(const rnn_model *model, const expectation *expected, size_t n)
{
    size_t offset = 0;

    assert_int_equal(rnn_model_n_params(model), n);
    for (size_t i = 0; i < n; i++) {
        const rnn_param *p = rnn_model_param(model, i);

        assert_string_equal(p->group, expected[i].group);
        assert_string_equal(p->name, expected[i].name);
        assert_int_equal(p->n_dims, expected[i].columns > 0 ? 2 : 1);
        assert_int_equal(p->shape[0], expected[i].rows);
        assert_int_equal(p->shape[1], expected[i].columns);
        assert_int_equal(p->offset, offset);
        assert_int_equal(p->count,
                         expected[i].rows * (expected[i].columns > 0 ? expected[i].columns : 1));
        offset += p->count;
    }
    assert_int_equal(offset, rnn_model_size(model));
}

static void parameters_have_torchs_names_shapes_and_order(void **state)
{
    static const expectation expected[] = {
        {"0_lstm", "weight_ih_l0", 400, 28},  {"0_lstm", "weight_hh_l0", 400, 100},
        {"0_lstm", "bias_ih_l0", 400, 0},     {"0_lstm", "bias_hh_l0", 400, 0},
        {"0_lstm", "weight_ih_l1", 400, 100}, {"0_lstm", "weight_hh_l1", 400, 100},
        {"0_lstm", "bias_ih_l1", 400, 0},     {"0_lstm", "bias_hh_l1", 400, 0},
        {"2_linear", "weight", 10, 100},      {"2_linear", "bias", 10, 0},
    };
    rnn_model *model = make(mnist, 3, mnist_input);

    (void)state;
    assert_int_equal(rnn_model_size(model), 133810);
    assert_params(model, expected, sizeof expected / sizeof *expected);
    rnn_model_destroy(&model);
    assert_null(model);
}

static void both_directions_lie_together(void **state)
{
    static const expectation expected[] = {
        {"0_gru", "weight_ih_l0", 12, 3},         {"0_gru", "weight_hh_l0", 12, 4},
        {"0_gru", "bias_ih_l0", 12, 0},           {"0_gru", "bias_hh_l0", 12, 0},
        {"0_gru", "weight_ih_l0_reverse", 12, 3}, {"0_gru", "weight_hh_l0_reverse", 12, 4},
        {"0_gru", "bias_ih_l0_reverse", 12, 0},   {"0_gru", "bias_hh_l0_reverse", 12, 0},
        {"0_gru", "weight_ih_l1", 12, 8},         {"0_gru", "weight_hh_l1", 12, 4},
        {"0_gru", "bias_ih_l1", 12, 0},           {"0_gru", "bias_hh_l1", 12, 0},
        {"0_gru", "weight_ih_l1_reverse", 12, 8}, {"0_gru", "weight_hh_l1_reverse", 12, 4},
        {"0_gru", "bias_ih_l1_reverse", 12, 0},   {"0_gru", "bias_hh_l1_reverse", 12, 0},
    };
    rnn_layer_cfg layer = RECURRENT(RNN_LAYER_GRU, 4, 2);
    rnn_model *model;

    (void)state;
    layer.bidirectional = true;
    model = make(&layer, 1, (rnn_shape){.seq_len = 5, .n_features = 3});
    assert_params(model, expected, sizeof expected / sizeof *expected);
    assert_int_equal(rnn_model_n_stages(model), 2);
    assert_int_equal(rnn_model_stage(model, 1)->n_directions, 2);
    assert_int_equal(rnn_model_stage(model, 1)->in.n_features, 8);
    assert_int_equal(rnn_model_output(model).n_features, 8);
    rnn_model_destroy(&model);
}

static void a_projection_narrows_the_hidden_state(void **state)
{
    static const expectation expected[] = {
        {"0_lstm", "weight_ih_l0", 16, 5},         {"0_lstm", "weight_hh_l0", 16, 3},
        {"0_lstm", "bias_ih_l0", 16, 0},           {"0_lstm", "bias_hh_l0", 16, 0},
        {"0_lstm", "weight_hr_l0", 3, 4},          {"0_lstm", "weight_ih_l0_reverse", 16, 5},
        {"0_lstm", "weight_hh_l0_reverse", 16, 3}, {"0_lstm", "bias_ih_l0_reverse", 16, 0},
        {"0_lstm", "bias_hh_l0_reverse", 16, 0},   {"0_lstm", "weight_hr_l0_reverse", 3, 4},
        {"0_lstm", "weight_ih_l1", 16, 6},         {"0_lstm", "weight_hh_l1", 16, 3},
        {"0_lstm", "bias_ih_l1", 16, 0},           {"0_lstm", "bias_hh_l1", 16, 0},
        {"0_lstm", "weight_hr_l1", 3, 4},          {"0_lstm", "weight_ih_l1_reverse", 16, 6},
        {"0_lstm", "weight_hh_l1_reverse", 16, 3}, {"0_lstm", "bias_ih_l1_reverse", 16, 0},
        {"0_lstm", "bias_hh_l1_reverse", 16, 0},   {"0_lstm", "weight_hr_l1_reverse", 3, 4},
    };
    rnn_layer_cfg layer = RECURRENT(RNN_LAYER_LSTM, 4, 2);
    rnn_model *model;

    (void)state;
    layer.bidirectional = true;
    layer.proj_size = 3;
    model = make(&layer, 1, (rnn_shape){.seq_len = 5, .n_features = 5});
    assert_params(model, expected, sizeof expected / sizeof *expected);
    assert_true(rnn_model_param(model, 4)->init_bound == 0.5f); /* hidden_size here too */
    assert_int_equal(rnn_model_output(model).n_features, 6);
    rnn_model_destroy(&model);
}

static void names_of_deep_stacks_are_whole(void **state)
{
    rnn_layer_cfg layer = RECURRENT(RNN_LAYER_RNN, 1, 1024);
    rnn_model *model;

    (void)state;
    layer.bidirectional = true;
    model = make(&layer, 1, mnist_input);
    assert_string_equal(rnn_model_param(model, rnn_model_n_params(model) - 3)->name,
                        "weight_hh_l1023_reverse");
    rnn_model_destroy(&model);
}

static void cells_are_one_layer_without_a_number(void **state)
{
    static const expectation expected[] = {
        {"0_lstmcell", "weight_ih", 16, 3}, {"0_lstmcell", "weight_hh", 16, 4},
        {"0_lstmcell", "bias_ih", 16, 0},   {"0_lstmcell", "bias_hh", 16, 0},
        {"1_grucell", "weight_ih", 6, 4},   {"1_grucell", "weight_hh", 6, 2},
        {"1_grucell", "bias_ih", 6, 0},     {"1_grucell", "bias_hh", 6, 0},
    };
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_LSTMCELL, 4, 7),
                              RECURRENT(RNN_LAYER_GRUCELL, 2, 7)};
    rnn_model *model;

    (void)state;
    /* What a cell does not have is ignored. */
    layers[0].bidirectional = true;
    layers[0].dropout = 0.5;
    layers[0].proj_size = 2;
    model = make(layers, 2, (rnn_shape){.seq_len = 5, .n_features = 3});
    assert_params(model, expected, sizeof expected / sizeof *expected);
    assert_int_equal(rnn_model_n_stages(model), 2);
    assert_int_equal(rnn_model_stage(model, 0)->kind, RNN_STAGE_RECURRENT);
    assert_int_equal(rnn_model_stage(model, 0)->n_directions, 1);
    assert_int_equal(rnn_model_layer(model, 0)->num_layers, 1);
    assert_int_equal(rnn_model_layer(model, 0)->proj_size, 0);
    rnn_model_destroy(&model);
}

static void cells_have_the_cell_of_their_name(void **state)
{
    rnn_layer_cfg relu = rnn_layer_defaults(RNN_LAYER_RNNCELL);

    (void)state;
    relu.nonlinearity = RNN_NONLINEARITY_RELU;
    assert_int_equal(rnn_layer_cell(&(rnn_layer_cfg){.type = RNN_LAYER_RNNCELL}), RNN_CELL_TANH);
    assert_int_equal(rnn_layer_cell(&relu), RNN_CELL_RELU);
    assert_int_equal(rnn_layer_cell(&(rnn_layer_cfg){.type = RNN_LAYER_LSTMCELL}), RNN_CELL_LSTM);
    assert_int_equal(rnn_layer_cell(&(rnn_layer_cfg){.type = RNN_LAYER_GRUCELL}), RNN_CELL_GRU);
    for (int t = 0; t <= RNN_LAYER_LAYERNORM; t++)
        assert_int_equal(rnn_layer_is_recurrent((rnn_layer_type)t),
                         t == RNN_LAYER_RNN || t == RNN_LAYER_LSTM || t == RNN_LAYER_GRU ||
                             t == RNN_LAYER_RNNCELL || t == RNN_LAYER_LSTMCELL ||
                             t == RNN_LAYER_GRUCELL);
}

static void embedding_and_layernorm_have_torchs_parameters(void **state)
{
    static const expectation expected[] = {
        {"0_embedding", "weight", 9, 4},
        {"1_layernorm", "weight", 4, 0},
        {"1_layernorm", "bias", 4, 0},
        {"2_layernorm", "weight", 4, 0},
    };
    rnn_layer_cfg layers[] = {
        rnn_layer_defaults(RNN_LAYER_EMBEDDING), rnn_layer_defaults(RNN_LAYER_LAYERNORM),
        rnn_layer_defaults(RNN_LAYER_LAYERNORM), rnn_layer_defaults(RNN_LAYER_LAYERNORM)};
    rnn_model *model;

    (void)state;
    layers[0].embedding_dim = 4;
    layers[2].bias = false;
    layers[3].elementwise_affine = false;
    model = make(layers, 4, tokens);
    assert_params(model, expected, sizeof expected / sizeof *expected);
    rnn_model_destroy(&model);
    layers[0].num_embeddings = 12;
    model = make(layers, 1, tokens);
    assert_int_equal(rnn_model_param(model, 0)->shape[0], 12);
    rnn_model_destroy(&model);
}

/* Totals as torch counts them. */
static void parameters_are_as_many_as_in_torch(void **state)
{
    static const struct {
        rnn_layer_type type;
        size_t input, hidden, layers, total;
    } cases[] = {
        {RNN_LAYER_RNN, 100, 200, 1, 60400},   {RNN_LAYER_RNN, 100, 200, 3, 221200},
        {RNN_LAYER_LSTM, 100, 200, 2, 563200}, {RNN_LAYER_LSTM, 50, 100, 2, 141600},
        {RNN_LAYER_GRU, 10, 20, 1, 1920},      {RNN_LAYER_RNN, 3, 5, 2, 110},
        {RNN_LAYER_LSTM, 3, 5, 2, 440},        {RNN_LAYER_GRU, 3, 5, 2, 330},
        {RNN_LAYER_RNNCELL, 4, 2, 1, 16},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_layer_cfg layer = rnn_layer_defaults(cases[i].type);
        rnn_model *model;

        layer.hidden_size = (int64_t)cases[i].hidden;
        layer.num_layers = (int64_t)cases[i].layers;
        model = make(&layer, 1, (rnn_shape){.seq_len = 5, .n_features = cases[i].input});
        assert_int_equal(rnn_model_size(model), cases[i].total);
        rnn_model_destroy(&model);
    }
}

static void gates_multiply_the_rows(void **state)
{
    static const struct {
        rnn_layer_type type;
        const char *name;
        size_t gates;
    } kinds[] = {{RNN_LAYER_RNN, "rnn", 1}, {RNN_LAYER_LSTM, "lstm", 4}, {RNN_LAYER_GRU, "gru", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const rnn_layer_cfg layer = RECURRENT(kinds[i].type, 7, 1);
        rnn_model *model = make(&layer, 1, (rnn_shape){.seq_len = 5, .n_features = 3});

        assert_string_equal(rnn_layer_type_name(kinds[i].type), kinds[i].name);
        assert_int_equal(rnn_model_param(model, 0)->shape[0], kinds[i].gates * 7);
        assert_int_equal(rnn_model_size(model), kinds[i].gates * 7 * (3 + 7 + 2));
        rnn_model_destroy(&model);
    }
}

static void without_bias_only_weights_are_left(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_GRU, 6, 2), LINEAR(4)};
    rnn_model *model;

    (void)state;
    layers[0].bias = layers[1].bias = false;
    model = make(layers, 2, (rnn_shape){.seq_len = 5, .n_features = 3});
    assert_int_equal(rnn_model_n_params(model), 5);
    assert_string_equal(rnn_model_param(model, 2)->name, "weight_ih_l1");
    assert_string_equal(rnn_model_param(model, 4)->name, "weight");
    assert_int_equal(rnn_model_size(model), 18 * (3 + 6) + 18 * (6 + 6) + 4 * 6);
    rnn_model_destroy(&model);
}

/* A stage is the unit of a gradient bucket: its parameters must be one piece of the arena. */
static void stages_cover_the_arena_one_after_another(void **state)
{
    const rnn_layer_cfg layers[] = {LINEAR(9), RECURRENT(RNN_LAYER_LSTM, 8, 3), SELECT, LINEAR(4)};
    rnn_model *model = make(layers, 4, (rnn_shape){.seq_len = 5, .n_features = 3});
    size_t offset = 0, param = 0;

    (void)state;
    assert_int_equal(rnn_model_n_stages(model), 6);
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);
        size_t count = 0;

        assert_int_equal(stage->offset, offset);
        assert_int_equal(stage->first_param, param);
        for (size_t i = 0; i < stage->n_params; i++)
            count += rnn_model_param(model, param + i)->count;
        assert_int_equal(stage->count, count);
        offset += count;
        param += stage->n_params;
    }
    assert_int_equal(offset, rnn_model_size(model));
    assert_int_equal(param, rnn_model_n_params(model));
    rnn_model_destroy(&model);
}

static void assert_shape(rnn_shape found, rnn_shape expected)
{
    assert_int_equal(found.seq_len, expected.seq_len);
    assert_int_equal(found.n_features, expected.n_features);
    assert_int_equal(found.n_tokens, expected.n_tokens);
    assert_int_equal(found.is_single, expected.is_single);
}

static void shapes_flow_from_stage_to_stage(void **state)
{
    static const rnn_shape flow[] = {{28, 28, 0, false},
                                     {28, 100, 0, false},
                                     {28, 100, 0, false},
                                     {1, 100, 0, true},
                                     {1, 10, 0, true}};
    rnn_model *model = make(mnist, 3, mnist_input);

    (void)state;
    for (size_t s = 0; s < rnn_model_n_stages(model); s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);

        assert_shape(stage->in, flow[s]);
        assert_shape(stage->out, flow[s + 1]);
    }
    assert_int_equal(rnn_model_stage(model, 1)->sublayer, 1);
    assert_int_equal(rnn_model_stage(model, 3)->layer, 2);
    assert_int_equal(rnn_model_input(model).n_features, 28);
    assert_int_equal(rnn_model_output(model).seq_len, 1);
    assert_int_equal(rnn_model_output(model).n_features, 10);
    rnn_model_destroy(&model);
}

/* Between the sublayers only, and of the same [[layer]]. */
static void stacks_drop_out_between_their_layers(void **state)
{
    static const struct {
        rnn_stage_kind kind;
        size_t sublayer, n_params;
    } expected[] = {{RNN_STAGE_RECURRENT, 0, 4}, {RNN_STAGE_DROPOUT, 0, 0},
                    {RNN_STAGE_RECURRENT, 1, 4}, {RNN_STAGE_DROPOUT, 1, 0},
                    {RNN_STAGE_RECURRENT, 2, 4}, {RNN_STAGE_LINEAR, 0, 2}};
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_GRU, 6, 3), LINEAR(4)};
    rnn_model *model;

    (void)state;
    layers[0].dropout = 0.25;
    model = make(layers, 2, mnist_input);
    assert_int_equal(rnn_model_n_stages(model), 6);
    for (size_t s = 0; s < 6; s++) {
        const rnn_stage *stage = rnn_model_stage(model, s);

        assert_int_equal(stage->kind, expected[s].kind);
        assert_int_equal(stage->sublayer, expected[s].sublayer);
        assert_int_equal(stage->n_params, expected[s].n_params);
        assert_int_equal(stage->layer, s < 5 ? 0 : 1);
        assert_true(stage->dropout == (stage->kind == RNN_STAGE_DROPOUT ? 0.25 : 0.0));
        assert_shape(stage->in, s == 0 ? mnist_input : rnn_model_stage(model, s - 1)->out);
    }
    rnn_model_destroy(&model);
    layers[0].num_layers = 1;
    model = make(layers, 2, mnist_input);
    assert_int_equal(rnn_model_n_stages(model), 2);
    rnn_model_destroy(&model);
}

static void every_layer_becomes_a_stage_of_its_kind(void **state)
{
    static const struct {
        rnn_layer_type type;
        rnn_stage_kind kind;
        rnn_shape out;
    } expected[] = {
        {RNN_LAYER_ONEHOT, RNN_STAGE_ONEHOT, {5, 9, 0, false}},
        {RNN_LAYER_DROPOUT, RNN_STAGE_DROPOUT, {5, 9, 0, false}},
        {RNN_LAYER_RNNCELL, RNN_STAGE_RECURRENT, {5, 3, 0, false}},
        {RNN_LAYER_LAYERNORM, RNN_STAGE_LAYERNORM, {5, 3, 0, false}},
        {RNN_LAYER_SELECT, RNN_STAGE_SELECT, {1, 3, 0, true}},
        {RNN_LAYER_ACTIVATION, RNN_STAGE_ACTIVATION, {1, 3, 0, true}},
        {RNN_LAYER_DROPOUT, RNN_STAGE_DROPOUT, {1, 3, 0, true}},
        {RNN_LAYER_LINEAR, RNN_STAGE_LINEAR, {1, 2, 0, true}},
    };
    enum { N = sizeof expected / sizeof *expected };
    rnn_layer_cfg layers[N];
    rnn_model *model;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        layers[i] = rnn_layer_defaults(expected[i].type);
        layers[i].hidden_size = 3;
        layers[i].out_features = 2;
    }
    model = make(layers, N, tokens);
    assert_int_equal(rnn_model_n_stages(model), N);
    assert_shape(rnn_model_input(model), tokens);
    assert_shape(rnn_model_stage(model, 0)->in, tokens);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(rnn_model_stage(model, i)->kind, expected[i].kind);
        assert_shape(rnn_model_stage(model, i)->out, expected[i].out);
    }
    assert_true(rnn_model_stage(model, 1)->dropout == 0.5);
    rnn_model_destroy(&model);
}

static void tokens_may_be_fewer_than_the_rows_for_them(void **state)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_ONEHOT), LINEAR(2)};
    rnn_model *model;

    (void)state;
    layers[0].num_classes = 20;
    model = make(layers, 2, tokens);
    assert_int_equal(rnn_model_stage(model, 0)->out.n_features, 20);
    rnn_model_destroy(&model);
}

static void layer_settings_are_copied(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_LSTM, 8, 1), LINEAR(4)};
    rnn_model *model = make(layers, 2, (rnn_shape){.seq_len = 5, .n_features = 3});

    (void)state;
    memset(layers, 0xff, sizeof layers);
    assert_int_equal(rnn_model_n_layers(model), 2);
    assert_int_equal(rnn_model_layer(model, 0)->hidden_size, 8);
    assert_ptr_equal(rnn_model_stage(model, 1)->cfg, rnn_model_layer(model, 1));
    rnn_model_destroy(&model);
}

/* -- Refusals -------------------------------------------------------------------------------- */

static void refuse_input(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input,
                         const char *message)
{
    rnn_model *model = (rnn_model *)&model;

    assert_int_equal(rnn_model_create(&model, layers, n_layers, input), RNN_ERR_DATA);
    assert_null(model);
    assert_string_equal(rnn_error_message(), message);
}

static void refuse(const rnn_layer_cfg *layers, size_t n_layers, const char *message)
{
    refuse_input(layers, n_layers, mnist_input, message);
}

static void a_wrong_input_size_is_refused_with_layer_and_both_sizes(void **state)
{
    rnn_layer_cfg layers[] = {RECURRENT(RNN_LAYER_LSTM, 100, 2), SELECT, LINEAR(10)};

    (void)state;
    layers[0].input_size = 27;
    refuse(layers, 3, "layer 0 (lstm): input_size is 27, but its input has 28 features");
    layers[0].input_size = 28;
    layers[2].in_features = 99;
    refuse(layers, 3, "layer 2 (linear): in_features is 99, but its input has 100 features");
    layers[2].in_features = 100;
    rnn_model_destroy(&(rnn_model *){make(layers, 3, mnist_input)});
}

static void tokens_need_a_layer_that_takes_them(void **state)
{
    const rnn_layer_cfg lstm = RECURRENT(RNN_LAYER_LSTM, 8, 1), select = SELECT;
    rnn_layer_cfg layers[] = {LINEAR(4), rnn_layer_defaults(RNN_LAYER_EMBEDDING)};

    (void)state;
    refuse_input(&lstm, 1, tokens,
                 "layer 0 (lstm): takes features, but its input is 9 different tokens: put a layer "
                 "of type \"embedding\" or \"onehot\" first");
    refuse_input(&select, 1, tokens,
                 "layer 0 (select): takes features, but its input is 9 different tokens: put a "
                 "layer of type \"embedding\" or \"onehot\" first");
    layers[1].embedding_dim = 3;
    refuse(&layers[1], 1, "layer 0 (embedding): takes tokens, but its input has 28 features");
    refuse(layers, 2,
           "layer 1 (embedding): takes tokens, so it can only be the first layer, not layer 1");
    layers[1].type = RNN_LAYER_ONEHOT;
    refuse(&layers[1], 1, "layer 0 (onehot): takes tokens, but its input has 28 features");
}

static void tables_of_tokens_must_be_large_enough(void **state)
{
    rnn_layer_cfg embedding = rnn_layer_defaults(RNN_LAYER_EMBEDDING);
    rnn_layer_cfg onehot = rnn_layer_defaults(RNN_LAYER_ONEHOT);

    (void)state;
    embedding.embedding_dim = 3;
    embedding.num_embeddings = 8;
    refuse_input(&embedding, 1, tokens,
                 "layer 0 (embedding): num_embeddings is 8, but its input has 9 different tokens");
    embedding.num_embeddings = 0;
    embedding.padding_idx = 9;
    refuse_input(&embedding, 1, tokens,
                 "layer 0 (embedding): padding_idx is 9, but must be below 9, the number of "
                 "embeddings");
    embedding.num_embeddings = 10;
    rnn_model_destroy(&(rnn_model *){make(&embedding, 1, tokens)});
    onehot.num_classes = 8;
    refuse_input(&onehot, 1, tokens,
                 "layer 0 (onehot): num_classes is 8, but its input has 9 different tokens");
}

static void a_single_step_is_no_sequence(void **state)
{
    const rnn_layer_cfg lstm[] = {SELECT, RECURRENT(RNN_LAYER_LSTM, 8, 1)};
    const rnn_layer_cfg cell[] = {SELECT, RECURRENT(RNN_LAYER_GRUCELL, 8, 1)};
    const rnn_layer_cfg select[] = {SELECT, LINEAR(3), SELECT};
    const rnn_shape single = {.seq_len = 1, .n_features = 3, .is_single = true};

    (void)state;
    refuse(lstm, 2,
           "layer 1 (lstm): takes a sequence, but its input is a single step: it cannot "
           "come after a layer of type \"select\"");
    refuse(cell, 2,
           "layer 1 (grucell): takes a sequence, but its input is a single step: it "
           "cannot come after a layer of type \"select\"");
    refuse(select, 3,
           "layer 2 (select): takes a sequence, but its input is a single step: it "
           "cannot come after a layer of type \"select\"");
    refuse_input(select, 3, single,
                 "layer 0 (select): takes a sequence, but its input is a single step");
    /* One step long is still a sequence. */
    rnn_model_destroy(
        &(rnn_model *){make(&lstm[1], 1, (rnn_shape){.seq_len = 1, .n_features = 3})});
}

static void projections_are_narrower_and_for_lstm(void **state)
{
    rnn_layer_cfg layer = RECURRENT(RNN_LAYER_LSTM, 8, 1);

    (void)state;
    layer.proj_size = 8;
    refuse(&layer, 1, "layer 0 (lstm): proj_size is 8, but must be less than hidden_size, 8");
    layer.proj_size = 4;
    layer.type = RNN_LAYER_GRU;
    refuse(&layer, 1, "layer 0 (gru): proj_size is only for lstm");
}

/* An embedding of 9 tokens, a gru of `n_hid` units, and a linear with the embedding's weight. */
static void make_tied(rnn_layer_cfg layers[3], int64_t n_hid)
{
    layers[0] = rnn_layer_defaults(RNN_LAYER_EMBEDDING);
    layers[0].num_embeddings = 9;
    layers[0].embedding_dim = 4;
    layers[1] = (rnn_layer_cfg)RECURRENT(RNN_LAYER_GRU, n_hid, 1);
    layers[2] = rnn_layer_defaults(RNN_LAYER_LINEAR);
    layers[2].tied = true;
}

static void a_tied_linear_has_nothing_but_its_bias(void **state)
{
    rnn_layer_cfg layers[3];
    rnn_model *model;
    size_t first, count;

    (void)state;
    make_tied(layers, 4);
    model = make(layers, 3, tokens);
    rnn_model_layer_params(model, 2, &first, &count);
    assert_int_equal(count, 1);
    assert_string_equal(rnn_model_param(model, first)->group, "2_linear");
    assert_string_equal(rnn_model_param(model, first)->name, "bias");
    assert_int_equal(rnn_model_param(model, first)->count, 9);
    assert_true(rnn_model_param(model, first)->init_bound == 0.5f); /* 1 / sqrt(4) */
    assert_int_equal(rnn_model_stage(model, 2)->kind, RNN_STAGE_TIED);
    assert_int_equal(rnn_model_output(model).n_features, 9);
    assert_int_equal(rnn_model_size(model), 9 * 4 + 2 * 12 * 4 + 2 * 12 + 9);
    rnn_model_destroy(&model);
    layers[2].bias = false;
    layers[2].out_features = 9;
    model = make(layers, 3, tokens);
    rnn_model_layer_params(model, 2, &first, &count);
    assert_int_equal(count, 0);
    assert_int_equal(rnn_model_size(model), 9 * 4 + 2 * 12 * 4 + 2 * 12);
    rnn_model_destroy(&model);
}

static void a_linear_is_tied_to_an_embedding_of_its_sizes(void **state)
{
    rnn_layer_cfg layers[3];

    (void)state;
    make_tied(layers, 5);
    refuse_input(layers, 3, tokens,
                 "layer 2 (linear): is tied to layer 0 (embedding), whose embedding_dim is 4, but "
                 "its in_features is 5: they must be equal");
    make_tied(layers, 4);
    layers[2].out_features = 7;
    refuse_input(layers, 3, tokens,
                 "layer 2 (linear): is tied to layer 0 (embedding), whose num_embeddings is 9, but "
                 "its out_features is 7: they must be equal");
    refuse(layers + 1, 2,
           "layer 1 (linear): is tied, which needs a layer of type \"embedding\" as the first, but "
           "layer 0 is of type \"gru\"");
    refuse(layers + 2, 1,
           "layer 0 (linear): is tied, which needs a layer of type \"embedding\" as the first, but "
           "layer 0 is of type \"linear\"");
    layers[2].init.type = RNN_INIT_ORTHOGONAL;
    layers[2].init.a = 1.0;
    refuse_input(layers, 3, tokens,
                 "layer 2 (linear): init is given, but the weight of a tied layer is the "
                 "embedding's and starts as that layer's init says");
}

/* A model need not come from a configuration file, which has the same bounds. */
static void arguments_out_of_bounds_are_refused(void **state)
{
    rnn_layer_cfg layer = rnn_layer_defaults(RNN_LAYER_RNN);

    (void)state;
    refuse(&layer, 1, "layer 0 (rnn): hidden_size: expected an integer (1..16777216), found 0");
    layer.hidden_size = -1;
    refuse(&layer, 1, "layer 0 (rnn): hidden_size: expected an integer (1..16777216), found -1");
    layer.hidden_size = 4;
    layer.num_layers = 0;
    refuse(&layer, 1, "layer 0 (rnn): num_layers: expected an integer (1..1024), found 0");
    layer.num_layers = 2;
    layer.dropout = 1.0;
    refuse(&layer, 1, "layer 0 (rnn): dropout: expected a number (0..below 1), found 1");
    layer.dropout = (double)NAN;
    refuse(&layer, 1, "layer 0 (rnn): dropout: expected a number (0..below 1), found nan");
    layer.dropout = 0.0;
    layer.nonlinearity = 2;
    refuse(&layer, 1, "layer 0 (rnn): nonlinearity: expected 0..1, found 2");
    layer.nonlinearity = 0;
    layer.h0 = (double)INFINITY;
    refuse(&layer, 1, "layer 0 (rnn): h0: expected a number (finite), found inf");
    layer.type = (rnn_layer_type)99;
    refuse(&layer, 1, "layer 0: there is no layer type 99");
    layer = rnn_layer_defaults(RNN_LAYER_LINEAR);
    refuse(&layer, 1, "layer 0 (linear): out_features: expected an integer (1..16777216), found 0");
    layer = rnn_layer_defaults(RNN_LAYER_DROPOUT);
    layer.p = 1.0;
    refuse(&layer, 1, "layer 0 (dropout): p: expected a number (0..below 1), found 1");
}

static void a_model_that_has_nothing_to_train_is_refused(void **state)
{
    const rnn_layer_cfg only_select[] = {SELECT};

    (void)state;
    refuse(only_select, 1, "the model has no parameters to train");
    refuse(only_select, 0, "a model has 1 to 64 layers, this one 0");
    refuse(only_select, 65, "a model has 1 to 64 layers, this one 65");
}

/* Every size is within its bounds; the sum is not. */
static void a_model_beyond_the_address_space_is_refused(void **state)
{
    enum { N = 16 };
    rnn_layer_cfg layers[N];
    rnn_model *model;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        layers[i] = rnn_layer_defaults(RNN_LAYER_LSTM);
        layers[i].hidden_size = 1 << 24;
        layers[i].num_layers = 1024;
    }
    assert_int_equal(rnn_model_create(&model, layers, N, mnist_input), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "does not fit in memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_have_torchs_names_shapes_and_order),
        cmocka_unit_test(both_directions_lie_together),
        cmocka_unit_test(a_projection_narrows_the_hidden_state),
        cmocka_unit_test(names_of_deep_stacks_are_whole),
        cmocka_unit_test(cells_are_one_layer_without_a_number),
        cmocka_unit_test(cells_have_the_cell_of_their_name),
        cmocka_unit_test(embedding_and_layernorm_have_torchs_parameters),
        cmocka_unit_test(parameters_are_as_many_as_in_torch),
        cmocka_unit_test(gates_multiply_the_rows),
        cmocka_unit_test(without_bias_only_weights_are_left),
        cmocka_unit_test(stages_cover_the_arena_one_after_another),
        cmocka_unit_test(shapes_flow_from_stage_to_stage),
        cmocka_unit_test(stacks_drop_out_between_their_layers),
        cmocka_unit_test(every_layer_becomes_a_stage_of_its_kind),
        cmocka_unit_test(tokens_may_be_fewer_than_the_rows_for_them),
        cmocka_unit_test(layer_settings_are_copied),
        cmocka_unit_test(a_wrong_input_size_is_refused_with_layer_and_both_sizes),
        cmocka_unit_test(tokens_need_a_layer_that_takes_them),
        cmocka_unit_test(tables_of_tokens_must_be_large_enough),
        cmocka_unit_test(a_single_step_is_no_sequence),
        cmocka_unit_test(projections_are_narrower_and_for_lstm),
        cmocka_unit_test(a_tied_linear_has_nothing_but_its_bias),
        cmocka_unit_test(a_linear_is_tied_to_an_embedding_of_its_sizes),
        cmocka_unit_test(arguments_out_of_bounds_are_refused),
        cmocka_unit_test(a_model_that_has_nothing_to_train_is_refused),
        cmocka_unit_test(a_model_beyond_the_address_space_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
