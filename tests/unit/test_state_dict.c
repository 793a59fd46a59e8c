/*
 * A flat state_dict: the same bits after a round trip, the rules that match names to layers, and
 * everything that must not be read, which leaves the parameters as they were.
 */
#include "tests/unit/temporary_folder.h"

#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "framework/file_io.h"
#include "framework/model.h"
#include "framework/state_dict.h"
#include "kernels/memory.h"

enum { MAX_VALUES = 4096, N_FEATURES = 3 };

static const char FILE_NAME[] = "weights.h5";
static const float SENTINEL = 0.125f;

/* -- Models ------------------------------------------------------------------------------------ */

#define LSTM(size)                                                                                 \
    {                                                                                              \
        .type = RNN_LAYER_LSTM, .hidden_size = (size), .num_layers = 1, .bias = true               \
    }
#define LINEAR(size)                                                                               \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = (size), .bias = true                             \
    }
#define SELECT                                                                                     \
    {                                                                                              \
        .type = RNN_LAYER_SELECT                                                                   \
    }

/* A model with its parameters, and what they were filled with. */
typedef struct net {
    rnn_model *model;
    float *params;
} net;

static net make_net(const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input)
{
    net n;

    assert_int_equal(rnn_model_create(&n.model, layers, n_layers, input), RNN_OK);
    assert_int_equal(RNN_ALLOC(&n.params, rnn_model_size(n.model), "parameters"), RNN_OK);
    for (size_t i = 0; i < rnn_model_size(n.model); i++)
        n.params[i] = SENTINEL;
    return n;
}

static void free_net(net *n)
{
    rnn_free(n->params);
    rnn_model_destroy(&n->model);
}

static const rnn_shape FEATURES = {.seq_len = 4, .n_features = N_FEATURES};

#define NET(...)                                                                                   \
    make_net((const rnn_layer_cfg[]){__VA_ARGS__},                                                 \
             sizeof((const rnn_layer_cfg[]){__VA_ARGS__}) / sizeof(rnn_layer_cfg), FEATURES)

static net make_classifier(void)
{
    return NET(LSTM(2), SELECT, LINEAR(5));
}

/* Finite values with all kinds of bits: signs, a negative zero, a subnormal. */
static void fill(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)sin((double)(i + 1)) * ldexpf(1.0f, (int)(i % 40) - 20);
    values[0] = -0.0f;
    values[count - 1] = 1e-42f;
}

static void assert_untouched(const net *n)
{
    for (size_t i = 0; i < rnn_model_size(n->model); i++)
        assert_true(n->params[i] == SENTINEL);
}

static void assert_read_refused(net *n, const char *word)
{
    assert_refused(RNN_ERR_DATA, rnn_state_dict_read(FILE_NAME, n->model, n->params), word);
    assert_non_null(strstr(rnn_error_message(), FILE_NAME));
    assert_untouched(n);
}

/* -- Files of other writers -------------------------------------------------------------------- */

/* Values of every tensor: 1/3, 2/3, 3/3, ... which float64 and float32 round differently. */
static double value_at(size_t i)
{
    return (double)(i + 1) / 3.0;
}

typedef struct spec {
    hid_t type, list;
    const char *spoilt_by; /* "nan": in the last value */
    double spoiler;
} spec;

static void put_as(hid_t file, const char *name, int n_dims, hsize_t rows, hsize_t columns,
                   const spec *how)
{
    static double values[MAX_VALUES];
    hsize_t dims[] = {rows, columns}, count = n_dims == 0 ? 1 : rows * (n_dims > 1 ? columns : 1);
    hid_t space = n_dims < 0 ? H5Screate(H5S_NULL) : H5Screate_simple(n_dims, dims, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE), dataset;

    H5Pset_create_intermediate_group(links, 1);
    assert_true(count <= MAX_VALUES);
    for (size_t i = 0; i < count; i++)
        values[i] = value_at(i);
    if (how->spoilt_by != NULL)
        values[count - 1] = how->spoiler;
    dataset = H5Dcreate2(file, name, how->type, space, links, how->list, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (n_dims >= 0)
        assert_true(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >=
                    0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(links);
}

static spec plain_spec(void)
{
    return (spec){.type = H5T_IEEE_F32LE, .list = H5P_DEFAULT};
}

static void put2(hid_t file, const char *name, hsize_t rows, hsize_t columns)
{
    spec how = plain_spec();

    put_as(file, name, 2, rows, columns, &how);
}

static void put1(hid_t file, const char *name, hsize_t rows)
{
    spec how = plain_spec();

    put_as(file, name, 1, rows, 0, &how);
}

static hid_t create_file(void)
{
    hid_t file = H5Fcreate(FILE_NAME, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(file >= 0);
    return file;
}

/* An lstm of the given size under PREFIX, with or without "_l0". */
static void put_lstm(hid_t file, const char *prefix, const char *suffix, hsize_t n_in, hsize_t size)
{
    static const char *const names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

    for (int i = 0; i < 4; i++) {
        char name[128];

        snprintf(name, sizeof name, "%s%s%s", prefix, names[i], suffix);
        if (i < 2)
            put2(file, name, 4 * size, i == 0 ? n_in : size);
        else
            put1(file, name, 4 * size);
    }
}

static void put_linear(hid_t file, const char *prefix, hsize_t n_in, hsize_t size)
{
    char name[128];

    snprintf(name, sizeof name, "%sweight", prefix);
    put2(file, name, size, n_in);
    snprintf(name, sizeof name, "%sbias", prefix);
    put1(file, name, size);
}

/* The parameters of make_classifier() under these prefixes. */
static void write_classifier(const char *lstm, const char *linear)
{
    hid_t file = create_file();

    put_lstm(file, lstm, "_l0", N_FEATURES, 2);
    put_linear(file, linear, 2, 5);
    H5Fclose(file);
}

static void assert_read(net *n)
{
    if (rnn_state_dict_read(FILE_NAME, n->model, n->params) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    for (size_t i = 0; i < rnn_model_n_params(n->model); i++) {
        const rnn_param *p = rnn_model_param(n->model, i);

        for (size_t k = 0; k < p->count; k++)
            assert_true(n->params[p->offset + k] == (float)value_at(k));
    }
}

/* -- Round trips ------------------------------------------------------------------------------- */

static void assert_round_trip(net written, net read)
{
    fill(written.params, rnn_model_size(written.model));
    assert_int_equal(rnn_state_dict_write(FILE_NAME, written.model, written.params), RNN_OK);
    assert_int_equal(count_entries("."), 1);
    if (rnn_state_dict_read(FILE_NAME, read.model, read.params) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_memory_equal(written.params, read.params,
                        rnn_model_size(read.model) * sizeof *read.params);
    free_net(&written);
    free_net(&read);
}

static const rnn_layer_cfg TALL = {.type = RNN_LAYER_LSTM,
                                   .hidden_size = 4,
                                   .num_layers = 3,
                                   .bias = true,
                                   .bidirectional = true,
                                   .proj_size = 2,
                                   .dropout = 0.5};
static const rnn_layer_cfg NORM = {
    .type = RNN_LAYER_LAYERNORM, .elementwise_affine = true, .bias = true, .eps = 1e-5};

static void bits_survive_a_round_trip(void **state)
{
    (void)state;
    assert_round_trip(make_classifier(), make_classifier());
    assert_round_trip(NET(LSTM(2)), NET(LSTM(2)));
    assert_round_trip(NET(TALL, NORM, SELECT, LINEAR(5), NORM),
                      NET(TALL, NORM, SELECT, LINEAR(5), NORM));
}

static void assert_has(const char *name, bool expected)
{
    hid_t file = H5Fopen(FILE_NAME, H5F_ACC_RDONLY, H5P_DEFAULT);

    assert_true(file >= 0);
    if ((H5Lexists(file, name, H5P_DEFAULT) > 0) != expected)
        fail_msg("%s %s", name, expected ? "is missing" : "is there");
    H5Fclose(file);
}

static void names_have_the_number_of_the_layer(void **state)
{
    net n = make_classifier();

    (void)state;
    assert_int_equal(rnn_state_dict_write(FILE_NAME, n.model, n.params), RNN_OK);
    assert_has("0.weight_ih_l0", true);
    assert_has("2.bias", true);
    free_net(&n);
}

static void names_of_a_single_layer_are_bare(void **state)
{
    net n = NET(LSTM(2));

    (void)state;
    assert_int_equal(rnn_state_dict_write(FILE_NAME, n.model, n.params), RNN_OK);
    assert_has("weight_ih_l0", true);
    assert_has("0.weight_ih_l0", false);
    free_net(&n);
}

/* -- Tied weights ------------------------------------------------------------------------------ */

/* word_language_model of torch's examples: 6 tokens of 2 features, and both weights the same. */
static net make_tied(bool with_bias)
{
    const rnn_layer_cfg layers[] = {
        {.type = RNN_LAYER_EMBEDDING, .embedding_dim = 2, .padding_idx = -1},
        LSTM(2),
        {.type = RNN_LAYER_LINEAR, .tied = true, .bias = with_bias}};

    return make_net(layers, 3, (rnn_shape){.seq_len = 4, .n_features = 1, .n_tokens = 6});
}

static void put_tied(const char *encoder, const char *decoder, const spec *how)
{
    hid_t file = create_file();

    put2(file, encoder, 6, 2);
    put_lstm(file, "rnn.", "_l0", 2, 2);
    put_as(file, decoder, 2, 6, 2, how);
    put1(file, "decoder.bias", 6);
    H5Fclose(file);
}

static void a_tied_weight_is_written_once(void **state)
{
    net n = make_tied(true);

    (void)state;
    assert_int_equal(rnn_state_dict_write(FILE_NAME, n.model, n.params), RNN_OK);
    assert_has("0.weight", true);
    assert_has("2.bias", true);
    assert_has("2.weight", false);
    free_net(&n);
    assert_round_trip(make_tied(true), make_tied(true));
    assert_round_trip(make_tied(false), make_tied(false));
}

static void a_tied_weight_may_be_there_twice_if_equal(void **state)
{
    spec how = plain_spec();
    net n = make_tied(true), bare = make_tied(false);
    hid_t file;

    (void)state;
    put_tied("encoder.weight", "decoder.weight", &how);
    assert_read(&n);
    how.type = H5T_IEEE_F64BE; /* the same after rounding */
    put_tied("encoder.weight", "decoder.weight", &how);
    assert_read(&n);
    put_tied("0.weight", "decoder.weight", &how);
    assert_read(&n);
    free_net(&n);
    file = create_file();
    put2(file, "encoder.weight", 6, 2);
    put_lstm(file, "rnn.", "_l0", 2, 2);
    put2(file, "2.weight", 6, 2);
    H5Fclose(file);
    assert_read(&bare);
    free_net(&bare);
}

static void a_tied_weight_that_differs_is_refused(void **state)
{
    spec how = plain_spec();
    net n = make_tied(true);
    hid_t file;

    (void)state;
    how.spoilt_by = "another value";
    how.spoiler = 0.5;
    put_tied("encoder.weight", "decoder.weight", &how);
    assert_read_refused(&n, "decoder.weight is not equal to the weight of layer 0 (embedding)");
    file = create_file();
    put_lstm(file, "rnn.", "_l0", 2, 2);
    put_linear(file, "decoder.", 2, 6); /* and no embedding */
    H5Fclose(file);
    assert_read_refused(&n, "lacks the parameters of layer 0 (embedding)");
    file = create_file();
    put2(file, "encoder.weight", 6, 2);
    put_lstm(file, "rnn.", "_l0", 2, 2);
    put_linear(file, "decoder.", 3, 6);
    H5Fclose(file);
    assert_read_refused(&n, "decoder.weight is left over: layer 2 (linear) has only bias");
    free_net(&n);
}

static void equal_parameters_give_equal_files(void **state)
{
    net n = make_classifier();
    void *bytes[2];
    size_t n_bytes[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rnn_state_dict_write(FILE_NAME, n.model, n.params), RNN_OK);
        assert_int_equal(rnn_file_read(FILE_NAME, 1 << 20, &bytes[i], &n_bytes[i]), RNN_OK);
    }
    assert_int_equal(n_bytes[0], n_bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], n_bytes[0]);
    rnn_free(bytes[0]);
    rnn_free(bytes[1]);
    free_net(&n);
}

/* -- Which names are which layers -------------------------------------------------------------- */

static void assert_classifier_reads(const char *lstm, const char *linear)
{
    net n = make_classifier();

    write_classifier(lstm, linear);
    assert_read(&n);
    free_net(&n);
}

static void prefixes_of_all_kinds_are_understood(void **state)
{
    (void)state;
    assert_classifier_reads("0.", "2.");
    assert_classifier_reads("0_lstm.", "2_linear.");
    assert_classifier_reads("0/", "2_linear/");
    assert_classifier_reads("rnn.", "fc.");
    assert_classifier_reads("encoder.rnn.", "head/out/");
    assert_classifier_reads("model/encoder.rnn/", "2.");
    assert_classifier_reads("model.0.", "model.1."); /* not a number alone: by its shapes */
    assert_classifier_reads("z.", "a.");
    assert_classifier_reads("00.", "2x.");
}

static void bare_names_are_for_one_layer(void **state)
{
    net alone = NET(LSTM(2)), with_select = NET(LSTM(2), SELECT), two = make_classifier();
    hid_t file = create_file();

    (void)state;
    put_lstm(file, "", "_l0", N_FEATURES, 2);
    H5Fclose(file);
    assert_read(&alone);
    assert_read(&with_select);
    assert_read_refused(&two, "bias_hh_l0 has no prefix, but the model has 2 layers with");
    free_net(&alone);
    free_net(&with_select);
    free_net(&two);
    write_classifier("", "fc.");
    two = make_classifier();
    assert_read_refused(&two, "rename it to \"<i>.");
    free_net(&two);
}

static void a_single_layer_may_have_a_prefix(void **state)
{
    static const char *const prefixes[] = {"0.", "0_lstm.", "lstm.", "a.b."};

    (void)state;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        net n = NET(LSTM(2));
        hid_t file = create_file();

        put_lstm(file, prefixes[i], "_l0", N_FEATURES, 2);
        H5Fclose(file);
        assert_read(&n);
        free_net(&n);
    }
}

static void cells_and_single_layers_are_interchangeable(void **state)
{
    const rnn_layer_cfg cell = {.type = RNN_LAYER_LSTMCELL, .hidden_size = 2, .bias = true};
    const rnn_layer_cfg two_way = {.type = RNN_LAYER_LSTM,
                                   .hidden_size = 2,
                                   .num_layers = 1,
                                   .bias = true,
                                   .bidirectional = true};
    net as_cell = NET(cell), as_layer = NET(LSTM(2)), other = NET(two_way);
    hid_t file = create_file();

    (void)state;
    put_lstm(file, "cell.", "", N_FEATURES, 2);
    H5Fclose(file);
    assert_read(&as_cell);
    assert_read(&as_layer);
    assert_read_refused(&other, "lacks weight_ih_l0 [8][3] of layer 0 (lstm)");
    free_net(&as_cell);
    as_cell = NET(cell);
    file = create_file();
    put_lstm(file, "", "_l0", N_FEATURES, 2);
    H5Fclose(file);
    assert_read(&as_cell);
    free_net(&as_cell);
    free_net(&as_layer);
    free_net(&other);
}

static void layers_that_are_alike_need_numbers(void **state)
{
    net n = NET(LINEAR(3), LINEAR(3), LINEAR(5));
    hid_t file = create_file();

    (void)state;
    put_linear(file, "a.", 3, 3);
    put_linear(file, "b.", 3, 3);
    put_linear(file, "c.", 3, 5);
    H5Fclose(file);
    assert_read_refused(&n, "\"a\" can be any of the layers 0 (linear), 1 (linear), which are "
                            "alike: rename its entries to \"<i>.bias\"");
    file = create_file();
    put_linear(file, "a.", 3, 3);
    put_linear(file, "0.", 3, 3); /* leaves one for a */
    put_linear(file, "c.", 3, 5);
    H5Fclose(file);
    assert_read(&n);
    free_net(&n);
}

/* A wrapper's own numbers need not be those of the layers. */
static void a_number_is_that_of_the_layer(void **state)
{
    net n = make_classifier();

    (void)state;
    write_classifier("0.", "1.");
    assert_read_refused(&n, "1.bias is for layer 1 (select), which has no parameters");
    write_classifier("0.", "3.");
    assert_read_refused(&n, "3.bias is for layer 3, but the model has 3 layers");
    write_classifier("2.", "0.");
    assert_read_refused(&n, "lacks weight_ih_l0 [8][3] of layer 0 (lstm); it has 0.bias [5]");
    write_classifier("0_gru.", "2.");
    assert_read_refused(&n, "is for a layer of type gru, but it is layer 0 (lstm)");
    free_net(&n);
}

static void two_prefixes_for_one_layer_are_refused(void **state)
{
    net n = make_classifier();
    hid_t file = create_file();

    (void)state;
    put_lstm(file, "0.", "_l0", N_FEATURES, 2);
    put_lstm(file, "0_lstm.", "_l0", N_FEATURES, 2);
    H5Fclose(file);
    assert_read_refused(&n, "is for layer 0 (lstm), which another prefix is for too");
    file = create_file();
    put_lstm(file, "0.", "_l0", N_FEATURES, 2);
    put1(file, "0/bias_ih_l0", 8);
    put_linear(file, "2.", 2, 5);
    H5Fclose(file);
    assert_read_refused(&n, "has bias_ih_l0 of layer 0 (lstm) 2 times, once as 0.bias_ih_l0");
    file = create_file();
    put_lstm(file, "0.", "_l0", N_FEATURES, 2);
    put1(file, "0.bias_ih", 8);
    put_linear(file, "2.", 2, 5);
    H5Fclose(file);
    assert_read_refused(&n, "has bias_ih_l0 of layer 0 (lstm) 2 times");
    free_net(&n);
}

/* -- Too little, too much, something else ------------------------------------------------------ */

static void what_is_missing_is_named(void **state)
{
    net n = make_classifier();
    hid_t file = create_file();

    (void)state;
    put_lstm(file, "rnn.", "_l0", N_FEATURES, 2);
    H5Fclose(file);
    assert_read_refused(&n, "lacks the parameters of layer 2 (linear): weight [5][2], bias [5]");
    file = create_file();
    put_lstm(file, "0.", "_l0", N_FEATURES, 2);
    put2(file, "fc.weight", 5, 2);
    H5Fclose(file);
    assert_read_refused(&n, "lacks bias [5] of layer 2 (linear); it has fc.weight [5][2]");
    H5Fclose(create_file());
    assert_read_refused(&n, "has no tensors");
    free_net(&n);
}

static void what_is_left_over_is_named(void **state)
{
    net n = make_classifier();
    hid_t file;

    (void)state;
    write_classifier("0.", "2.");
    file = H5Fopen(FILE_NAME, H5F_ACC_RDWR, H5P_DEFAULT);
    put1(file, "norm.weight", 5);
    put1(file, "norm/bias", 6);
    H5Fclose(file);
    assert_read_refused(&n, "left over, since all layers of the model have theirs: norm.bias [6], "
                            "norm.weight [5]");
    write_classifier("0.", "2.");
    file = H5Fopen(FILE_NAME, H5F_ACC_RDWR, H5P_DEFAULT);
    put1(file, "2.gain", 5);
    H5Fclose(file);
    assert_read_refused(&n, "2.gain is left over: layer 2 (linear) has only weight [5][2], bias");
    write_classifier("0.", "2.");
    file = H5Fopen(FILE_NAME, H5F_ACC_RDWR, H5P_DEFAULT);
    put1(file, "3\033[2J.gain", 5);
    H5Fclose(file);
    assert_read_refused(&n, "3?[2J.gain [5]");
    free_net(&n);
}

static void another_shape_is_refused_with_both(void **state)
{
    net n = make_classifier();
    hid_t file = create_file();

    (void)state;
    put_lstm(file, "rnn.", "_l0", N_FEATURES, 3);
    put_linear(file, "fc.", 2, 5);
    H5Fclose(file);
    assert_read_refused(
        &n, "rnn.weight_ih_l0 is [12][3], but weight_ih_l0 of layer 0 (lstm) is [8][3]");
    file = create_file();
    put_lstm(file, "rnn.", "_l0", N_FEATURES, 3);
    put_linear(file, "fc.", 3, 5);
    H5Fclose(file);
    assert_read_refused(&n, "is none of the model's layers: it has");
    free_net(&n);
}

/* A file for make_net(LINEAR(2)): weight [2][3] as it should be, and bias as `how` says. */
static void write_linear(int n_dims, hsize_t rows, hsize_t columns, const spec *how)
{
    hid_t file = create_file();

    put2(file, "weight", 2, 3);
    put_as(file, "bias", n_dims, rows, columns, how);
    H5Fclose(file);
}

static void odd_shapes_are_refused(void **state)
{
    static const struct {
        int n_dims;
        hsize_t rows, columns;
        const char *found;
    } cases[] = {{-1, 0, 0, "bias is empty"},
                 {0, 0, 0, "bias is a single value"},
                 {1, 3, 0, "bias is [3], but bias of layer 0 (linear) is [2]"},
                 {1, 0, 0, "bias is [0]"},
                 {2, 2, 1, "bias is [2][1]"}};
    net n = NET(LINEAR(2));
    const spec how = plain_spec();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_linear(cases[i].n_dims, cases[i].rows, cases[i].columns, &how);
        assert_read_refused(&n, cases[i].found);
    }
    free_net(&n);
}

static void other_types_are_converted_or_refused(void **state)
{
    const hid_t good[] = {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    const hid_t bad[] = {H5T_STD_I32LE, H5T_STD_I64LE, H5T_STD_U8LE};
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        net n = NET(LINEAR(2));

        write_linear(1, 2, 0, &(spec){.type = good[i], .list = H5P_DEFAULT});
        assert_read(&n);
        free_net(&n);
    }
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        net n = NET(LINEAR(2));

        write_linear(
            1, 2, 0,
            &(spec){.type = i < sizeof bad / sizeof *bad ? bad[i] : half, .list = H5P_DEFAULT});
        assert_read_refused(&n, "/bias is not of type float32 or float64");
        free_net(&n);
    }
    H5Tclose(half);
}

static void values_that_are_not_finite_are_refused(void **state)
{
    const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    net n = NET(LINEAR(2));

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int wide = 0; wide < 2; wide++) {
            write_linear(1, 2, 0,
                         &(spec){.type = wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE,
                                 .list = H5P_DEFAULT,
                                 .spoilt_by = "value",
                                 .spoiler = values[i]});
            assert_read_refused(&n, "/bias is not finite in float32: value 1 of 2 is ");
        }
    write_linear(
        1, 2, 0,
        &(spec){
            .type = H5T_IEEE_F64LE, .list = H5P_DEFAULT, .spoilt_by = "range", .spoiler = 1e300});
    assert_read_refused(&n, "/bias is not finite in float32: value 1 of 2 is 1e+300");
    free_net(&n);
}

/* -- What libhdf5 would do, and must not ------------------------------------------------------- */

static void assert_list_refused(hid_t list, const char *word)
{
    net n = NET(LINEAR(2));

    write_linear(1, 2, 0, &(spec){.type = H5T_IEEE_F32LE, .list = list});
    assert_read_refused(&n, word);
    free_net(&n);
    H5Pclose(list);
}

static hid_t make_list(void)
{
    return H5Pcreate(H5P_DATASET_CREATE);
}

static void only_plain_storage_is_read(void **state)
{
    const hsize_t chunk = 1, two = 2;
    hid_t list = make_list(), space = H5Screate_simple(1, &two, NULL);

    (void)state;
    H5Pset_chunk(list, 1, &chunk);
    assert_list_refused(list, "/bias is not stored in one piece, but in chunks");
    list = make_list();
    H5Pset_chunk(list, 1, &two);
    H5Pset_fletcher32(list);
    assert_list_refused(list, "/bias goes through a filter (is compressed, say)");
    list = make_list();
    H5Pset_external(list, "outside.bin", 0, 2 * sizeof(float));
    assert_list_refused(list, "/bias has external storage");
    list = make_list();
    H5Pset_layout(list, H5D_COMPACT);
    {
        net n = NET(LINEAR(2));

        write_linear(1, 2, 0, &(spec){.type = H5T_IEEE_F32LE, .list = list});
        assert_read(&n);
        free_net(&n);
    }
    H5Pclose(list);
    H5Sclose(space);
}

static void virtual_datasets_are_refused(void **state)
{
    const hsize_t two = 2;
    net n = NET(LINEAR(2));
    hid_t list = make_list(), space = H5Screate_simple(1, &two, NULL), file = create_file();

    (void)state;
    H5Pset_virtual(list, space, "other.h5", "bias", space);
    put2(file, "weight", 2, 3);
    H5Dclose(H5Dcreate2(file, "bias", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Fclose(file);
    assert_read_refused(&n, "/bias is a virtual dataset");
    H5Sclose(space);
    H5Pclose(list);
    free_net(&n);
}

static void links_are_not_followed(void **state)
{
    net n = NET(LINEAR(2));
    hid_t file = create_file();

    (void)state;
    put2(file, "weight", 2, 3);
    put1(file, "other", 2);
    H5Lcreate_soft("/other", file, "bias", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_read_refused(&n, "/bias is a link to elsewhere");
    file = create_file();
    put2(file, "weight", 2, 3);
    H5Lcreate_external("other.h5", "/bias", file, "bias", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_read_refused(&n, "/bias is a link to elsewhere");
    free_net(&n);
}

/* Groups linked into each other have no end. */
static void an_endless_file_is_refused(void **state)
{
    net n = NET(LINEAR(2));
    hid_t file = create_file();

    (void)state;
    put_linear(file, "a/", 3, 2);
    for (int i = 0; i < 20; i++) {
        char name[8];

        snprintf(name, sizeof name, "a/%d", i);
        H5Lcreate_hard(file, "/a", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    H5Fclose(file);
    assert_read_refused(&n, "/a");
    free_net(&n);
}

static void a_name_beyond_bounds_is_refused(void **state)
{
    char name[400];
    net n = NET(LINEAR(2));
    hid_t file = create_file();

    (void)state;
    put_linear(file, "", 3, 2);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    put1(file, name, 2);
    H5Fclose(file);
    assert_read_refused(&n, "has a name of 399 bytes");
    free_net(&n);
}

static void a_named_type_is_refused(void **state)
{
    net n = NET(LINEAR(2));
    hid_t file = create_file(), type = H5Tcopy(H5T_IEEE_F32LE);

    (void)state;
    H5Tcommit2(file, "bias", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
    put2(file, "weight", 2, 3);
    H5Fclose(file);
    assert_read_refused(&n, "/bias is neither a group nor a dataset");
    free_net(&n);
}

/* -- Files ------------------------------------------------------------------------------------- */

static void files_that_cannot_be_read_are_named(void **state)
{
    net n = make_classifier();

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_state_dict_read("none.h5", n.model, n.params), "none.h5");
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_refused(RNN_ERR_NOINPUT, rnn_state_dict_read("folder", n.model, n.params), "folder");
    assert_int_equal(rnn_file_write(FILE_NAME, "", 0), RNN_OK);
    assert_read_refused(&n, "not an HDF5 file");
    assert_int_equal(rnn_file_write(FILE_NAME, "a text", 6), RNN_OK);
    assert_read_refused(&n, "not an HDF5 file");
    free_net(&n);
}

/* Without a digest not every damage is noticed; but none may crash, and none is half read. */
static void a_file_cut_anywhere_is_refused(void **state)
{
    net n = make_classifier();
    void *bytes;
    size_t n_bytes;

    (void)state;
    write_classifier("0.", "2.");
    assert_int_equal(rnn_file_read(FILE_NAME, 1 << 20, &bytes, &n_bytes), RNN_OK);
    for (size_t length = 0; length < n_bytes; length += 41) {
        assert_int_equal(rnn_file_write(FILE_NAME, bytes, length), RNN_OK);
        assert_int_equal(rnn_state_dict_read(FILE_NAME, n.model, n.params), RNN_ERR_DATA);
        assert_untouched(&n);
    }
    rnn_free(bytes);
    free_net(&n);
}

static void nothing_is_written_that_is_not_finite(void **state)
{
    net n = make_classifier();

    (void)state;
    n.params[rnn_model_size(n.model) - 1] = NAN;
    assert_refused(RNN_ERR_NONFINITE, rnn_state_dict_write(FILE_NAME, n.model, n.params),
                   "2.bias is not finite: value 4 of 5 is ");
    assert_int_equal(count_entries("."), 0);
    free_net(&n);
}

static void a_place_that_takes_no_files_is_named(void **state)
{
    net n = make_classifier();

    (void)state;
    assert_refused(RNN_ERR_IO, rnn_state_dict_write("none/weights.h5", n.model, n.params), "none/");
    assert_int_equal(mkdir(FILE_NAME, 0777), 0);
    assert_refused(RNN_ERR_IO, rnn_state_dict_write(FILE_NAME, n.model, n.params), FILE_NAME);
    assert_int_equal(count_entries("."), 1);
    free_net(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(bits_survive_a_round_trip),
        IN_FOLDER(names_have_the_number_of_the_layer),
        IN_FOLDER(names_of_a_single_layer_are_bare),
        IN_FOLDER(equal_parameters_give_equal_files),
        IN_FOLDER(a_tied_weight_is_written_once),
        IN_FOLDER(a_tied_weight_may_be_there_twice_if_equal),
        IN_FOLDER(a_tied_weight_that_differs_is_refused),
        IN_FOLDER(prefixes_of_all_kinds_are_understood),
        IN_FOLDER(bare_names_are_for_one_layer),
        IN_FOLDER(a_single_layer_may_have_a_prefix),
        IN_FOLDER(cells_and_single_layers_are_interchangeable),
        IN_FOLDER(layers_that_are_alike_need_numbers),
        IN_FOLDER(a_number_is_that_of_the_layer),
        IN_FOLDER(two_prefixes_for_one_layer_are_refused),
        IN_FOLDER(what_is_missing_is_named),
        IN_FOLDER(what_is_left_over_is_named),
        IN_FOLDER(another_shape_is_refused_with_both),
        IN_FOLDER(odd_shapes_are_refused),
        IN_FOLDER(other_types_are_converted_or_refused),
        IN_FOLDER(values_that_are_not_finite_are_refused),
        IN_FOLDER(only_plain_storage_is_read),
        IN_FOLDER(virtual_datasets_are_refused),
        IN_FOLDER(links_are_not_followed),
        IN_FOLDER(an_endless_file_is_refused),
        IN_FOLDER(a_name_beyond_bounds_is_refused),
        IN_FOLDER(a_named_type_is_refused),
        IN_FOLDER(files_that_cannot_be_read_are_named),
        IN_FOLDER(a_file_cut_anywhere_is_refused),
        IN_FOLDER(nothing_is_written_that_is_not_finite),
        IN_FOLDER(a_place_that_takes_no_files_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
