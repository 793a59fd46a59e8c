/*
 * Modules from outside: every case of recurrent.h5 and projection.h5 against torch, gradients
 * against finite differences, and the contracts of rnn/module.h.
 */
#include "api.h"

#include <omp.h>

#include "golden.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* -- Against torch --------------------------------------------------------------------------- */

/* float32 sums in another order than torch's, on values of order 1 to 30. */
static const double tolerance = 1e-5;

/* One golden case, and what a module makes of it. */
typedef struct golden_case {
    hid_t group;
    rnn_layer_cfg layer;
    size_t T, N, I, F, S, C, H; /* S rows of states */
    int64_t *lengths;           /* NULL: all T */
    bool is_lstm, gives_states;
    rnn_module *module;
    double worst; /* absolute, or relative where values exceed 1 */
} golden_case;

static void read_layer(golden_case *c)
{
    char *kind = golden_text(c->group, "kind");

    c->layer = rnn_layer_defaults(strcmp(kind, "lstm") == 0  ? RNN_LAYER_LSTM
                                  : strcmp(kind, "gru") == 0 ? RNN_LAYER_GRU
                                                             : RNN_LAYER_RNN);
    if (strcmp(kind, "rnn_relu") == 0)
        c->layer.nonlinearity = RNN_NONLINEARITY_RELU;
    free(kind);
    c->layer.hidden_size = (int64_t)golden_size(c->group, "hidden_size");
    c->layer.num_layers = (int64_t)golden_size(c->group, "num_layers");
    c->layer.bidirectional = golden_size(c->group, "bidirectional") != 0;
    c->layer.bias = golden_size(c->group, "bias") != 0;
    if (H5Aexists(c->group, "proj_size") > 0)
        c->layer.proj_size = (int64_t)golden_size(c->group, "proj_size");
}

static void load_params(const golden_case *c)
{
    rnn_module_info info = api_info(c->module);

    for (size_t i = 0; i < info.n_parameters; i++) {
        rnn_parameter p;
        char path[64];
        float *values;
        size_t count;

        OK(rnn_module_get_parameter(c->module, i, &p));
        snprintf(path, sizeof path, "param/%s", p.name);
        values = golden_read(c->group, path, H5T_NATIVE_FLOAT, &count);
        OK(rnn_module_write_parameter(c->module, p.name, values, count));
        free(values);
    }
}

static void load_case(golden_case *c, hid_t group)
{
    rnn_module_info info;

    memset(c, 0, sizeof *c);
    c->group = group;
    read_layer(c);
    c->T = golden_size(group, "T");
    c->N = golden_size(group, "N");
    c->I = golden_size(group, "input_size");
    c->is_lstm = c->layer.type == RNN_LAYER_LSTM;
    c->gives_states =
        H5Aexists(group, "custom_state") <= 0 || golden_size(group, "custom_state") != 0;
    if (golden_size(group, "variable_length"))
        c->lengths = golden_read(group, "lengths", H5T_NATIVE_INT64, NULL);
    OK(rnn_module_create(&c->module, &c->layer, 1, c->I));
    load_params(c);
    info = api_info(c->module);
    c->S = info.n_state_rows;
    c->C = info.h_size;
    c->H = info.c_size;
    c->F = info.n_outputs;
}

static void compare(golden_case *c, const char *name, float *ours, size_t count)
{
    size_t n;
    float *torch = golden_read(c->group, name, H5T_NATIVE_FLOAT, &n);
    double scale = 1.0, worst;

    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)torch[i]));
    worst = golden_worst(ours, torch, n) / scale;
    c->worst = fmax(c->worst, isnan(worst) ? (double)INFINITY : worst);
    free(torch);
    free(ours);
}

static void check_forward(golden_case *c)
{
    size_t n_h = c->S * c->N * c->C, n_c = c->S * c->N * c->H, n_out = c->T * c->N * c->F;
    float *x = golden_floats(c->group, "x");
    float *h0 = c->gives_states ? golden_floats(c->group, "h0") : NULL;
    float *c0 = c->gives_states && c->is_lstm ? golden_floats(c->group, "c0") : NULL;
    float *out = api_empty(n_out), *h_n = api_empty(n_h);
    float *c_n = c->is_lstm ? api_empty(n_c) : NULL;

    OK(rnn_module_forward(c->module, &(rnn_forward_args){.x = const3(x, c->T, c->N, c->I),
                                                         .lengths = c->lengths,
                                                         .n_lengths = c->lengths != NULL ? c->N : 0,
                                                         .h0 = const3(h0, c->S, c->N, c->C),
                                                         .c0 = const3(c0, c->S, c->N, c->H),
                                                         .out = tensor3(out, c->T, c->N, c->F),
                                                         .h_n = tensor3(h_n, c->S, c->N, c->C),
                                                         .c_n = tensor3(c_n, c->S, c->N, c->H)}));
    compare(c, "out", out, n_out);
    compare(c, "h_n", h_n, n_h);
    if (c->is_lstm)
        compare(c, "c_n", c_n, n_c);
    free(x);
    free(h0);
    free(c0);
}

static void check_param_grads(golden_case *c)
{
    rnn_module_info info = api_info(c->module);

    for (size_t i = 0; i < info.n_parameters; i++) {
        rnn_parameter p;
        char path[64];
        float *values;

        OK(rnn_module_get_parameter(c->module, i, &p));
        values = api_empty(p.count);
        snprintf(path, sizeof path, "grad/%s", p.name);
        OK(rnn_module_read_gradient(c->module, p.name, values, p.count));
        compare(c, path, values, p.count);
    }
}

static void check_backward(golden_case *c)
{
    size_t n_h = c->S * c->N * c->C, n_c = c->S * c->N * c->H, n_x = c->T * c->N * c->I;
    float *grad_out = golden_floats(c->group, "grad_out");
    float *grad_h_n = golden_floats(c->group, "grad_h_n");
    float *grad_c_n = c->is_lstm ? golden_floats(c->group, "grad_c_n") : NULL;
    float *grad_x = api_empty(n_x), *grad_h0 = api_empty(n_h);
    float *grad_c0 = c->is_lstm ? api_empty(n_c) : NULL;

    OK(rnn_module_backward(c->module,
                           &(rnn_backward_args){.grad_out = const3(grad_out, c->T, c->N, c->F),
                                                .grad_h_n = const3(grad_h_n, c->S, c->N, c->C),
                                                .grad_c_n = const3(grad_c_n, c->S, c->N, c->H),
                                                .grad_x = tensor3(grad_x, c->T, c->N, c->I),
                                                .grad_h0 = tensor3(grad_h0, c->S, c->N, c->C),
                                                .grad_c0 = tensor3(grad_c0, c->S, c->N, c->H)}));
    compare(c, "grad_x", grad_x, n_x);
    compare(c, "grad_h0", grad_h0, n_h);
    if (c->is_lstm)
        compare(c, "grad_c0", grad_c0, n_c);
    check_param_grads(c);
    free(grad_out);
    free(grad_h_n);
    free(grad_c_n);
}

static void check_file(const char *file_name, size_t n_expected)
{
    hid_t file = golden_open(file_name);
    size_t n_cases = 0;
    double worst = 0.0;
    H5G_info_t info;

    assert_true(H5Gget_info(file, &info) >= 0);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[128];
        golden_case c;

        H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
        load_case(&c, H5Gopen2(file, name, H5P_DEFAULT));
        check_forward(&c);
        check_backward(&c);
        if (!(c.worst <= tolerance))
            fail_msg("%s: worst difference %.2e", name, c.worst);
        worst = fmax(worst, c.worst);
        n_cases++;
        rnn_module_destroy(&c.module);
        free(c.lengths);
        H5Gclose(c.group);
    }
    H5Fclose(file);
    print_message("  %s: %zu cases, worst difference %.2e, allowed %.0e\n", file_name, n_cases,
                  worst, tolerance);
    assert_true(n_cases >= n_expected);
}

static void every_recurrent_case_equals_torch(void **state)
{
    (void)state;
    check_file("recurrent.h5", 82);
    check_file("projection.h5", 1);
}

/* -- A stack of layers ----------------------------------------------------------------------- */

enum { T = 5, N = 3, TOKENS = 7, E = 4, H = 6, F = 3, L = 2 };

static const int64_t lengths[N] = {5, 2, 4};
static const int64_t tokens[T][N] = {{1, 0, 6}, {3, 2, 2}, {5, -9, 4}, {0, 99, 1}, {6, 7, -1}};

/* A module, and arrays for a pass over the tokens above. */
typedef struct stack {
    rnn_module *module;
    float *h0, *c0; /* [L][N][H] */
    float *weight;  /* [T][N][F]: the loss is sum(weight * out) */
    float out[T * N * F];
} stack;

static void make_stack(stack *s)
{
    rnn_layer_cfg layers[] = {
        rnn_layer_defaults(RNN_LAYER_EMBEDDING), rnn_layer_defaults(RNN_LAYER_LSTM),
        rnn_layer_defaults(RNN_LAYER_DROPOUT), rnn_layer_defaults(RNN_LAYER_LAYERNORM),
        rnn_layer_defaults(RNN_LAYER_LINEAR)};

    layers[0].num_embeddings = TOKENS;
    layers[0].embedding_dim = E;
    layers[1].hidden_size = H;
    layers[1].num_layers = L;
    layers[1].dropout = 0.3;
    layers[4].out_features = F;
    OK(rnn_module_create(&s->module, layers, 5, 0));
    s->h0 = api_numbers(L * N * H, 0.5f);
    s->c0 = api_numbers(L * N * H, 0.7f);
    s->weight = api_numbers(T * N * F, 1.0f);
}

static void drop_stack(stack *s)
{
    rnn_module_destroy(&s->module);
    free(s->h0);
    free(s->c0);
    free(s->weight);
}

static void stack_forward(stack *s)
{
    OK(rnn_module_forward(s->module, &(rnn_forward_args){.tokens = {*tokens, {T, N}},
                                                         .lengths = lengths,
                                                         .n_lengths = N,
                                                         .h0 = const3(s->h0, L, N, H),
                                                         .c0 = const3(s->c0, L, N, H),
                                                         .out = tensor3(s->out, T, N, F)}));
}

static void stack_backward(stack *s, float *grad_h0, float *grad_c0)
{
    OK(rnn_module_backward(s->module, &(rnn_backward_args){.grad_out = const3(s->weight, T, N, F),
                                                           .grad_h0 = tensor3(grad_h0, L, N, H),
                                                           .grad_c0 = tensor3(grad_c0, L, N, H)}));
}

static double stack_loss(stack *s)
{
    double loss = 0.0;

    stack_forward(s);
    for (size_t i = 0; i < T * N * F; i++)
        loss += (double)s->weight[i] * (double)s->out[i];
    return loss;
}

/* Central differences in values[0 .. count), of which `apply` makes the module's own. */
static double worst_slope(stack *s, float *values, size_t count, const float *gradient,
                          void (*apply)(stack *s, const float *values))
{
    const float eps = 1e-2f;
    double worst = 0.0;

    for (size_t i = 0; i < count; i++) {
        float before = values[i], above = before + eps, below = before - eps;
        double slope;

        values[i] = above;
        apply(s, values);
        slope = stack_loss(s);
        values[i] = below;
        apply(s, values);
        slope = (slope - stack_loss(s)) / ((double)above - (double)below);
        values[i] = before;
        worst = fmax(worst, fabs(slope - (double)gradient[i]) / fmax(1.0, fabs(slope)));
    }
    apply(s, values);
    return worst;
}

static void apply_params(stack *s, const float *values)
{
    api_write_all(s->module, values);
}

static void apply_nothing(stack *s, const float *values)
{
    (void)s;
    (void)values;
}

/*
 * The loss is a sum of 33 terms of order 1: rounding costs about 1e-6 / eps, the third derivative
 * about eps^2, which layernorm makes several times larger.
 */
static void gradients_are_the_slopes_of_the_loss(void **state)
{
    const double allowed = 2e-3;
    float grad_h0[L * N * H], grad_c0[L * N * H], *params, *gradient;
    double worst[3];
    stack s;

    (void)state;
    make_stack(&s);
    OK(rnn_module_train(s.module, false));
    stack_forward(&s);
    stack_backward(&s, grad_h0, grad_c0);
    params = api_read_all(s.module, 0);
    gradient = api_read_all(s.module, 1);
    worst[0] = worst_slope(&s, params, api_info(s.module).n_values, gradient, apply_params);
    worst[1] = worst_slope(&s, s.h0, L * N * H, grad_h0, apply_nothing);
    worst[2] = worst_slope(&s, s.c0, L * N * H, grad_c0, apply_nothing);
    print_message("  parameters %.2e, h0 %.2e, c0 %.2e\n", worst[0], worst[1], worst[2]);
    for (int i = 0; i < 3; i++)
        assert_true(worst[i] <= allowed);
    free(params);
    free(gradient);
    drop_stack(&s);
}

static void names_are_those_of_torch(void **state)
{
    static const char *const expected[] = {
        "0.weight",       "1.weight_ih_l0", "1.weight_hh_l0", "1.bias_ih_l0", "1.bias_hh_l0",
        "1.weight_ih_l1", "1.weight_hh_l1", "1.bias_ih_l1",   "1.bias_hh_l1", "3.weight",
        "3.bias",         "4.weight",       "4.bias"};
    rnn_parameter p;
    stack s;

    (void)state;
    make_stack(&s);
    assert_int_equal(api_info(s.module).n_parameters, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        OK(rnn_module_get_parameter(s.module, i, &p));
        assert_string_equal(p.name, expected[i]);
    }
    OK(rnn_module_get_parameter(s.module, 1, &p));
    assert_true(p.n_dims == 2 && p.shape[0] == 4 * H && p.shape[1] == E && p.count == 4 * H * E);
    OK(rnn_module_get_parameter(s.module, 3, &p));
    assert_true(p.n_dims == 1 && p.shape[0] == 4 * H && p.shape[1] == 0 && p.count == 4 * H);
    drop_stack(&s);
}

static void info_tells_the_sizes(void **state)
{
    rnn_module_info info;
    stack s;

    (void)state;
    make_stack(&s);
    info = api_info(s.module);
    assert_true(info.n_layers == 5 && info.n_inputs == TOKENS && info.n_outputs == F);
    assert_true(info.takes_tokens && info.gives_sequence && !info.batch_first && info.is_training);
    assert_true(info.n_state_rows == L && info.h_size == H && info.c_size == H);
    drop_stack(&s);
}

static void gradients_add_up_until_zero_grad(void **state)
{
    float *once, *twice, *none;
    stack s;

    (void)state;
    make_stack(&s);
    OK(rnn_module_train(s.module, false));
    stack_forward(&s);
    stack_backward(&s, NULL, NULL);
    once = api_read_all(s.module, 1);
    stack_forward(&s);
    stack_backward(&s, NULL, NULL);
    twice = api_read_all(s.module, 1);
    OK(rnn_module_zero_grad(s.module));
    none = api_read_all(s.module, 1);
    for (size_t i = 0; i < api_info(s.module).n_values; i++) {
        assert_true(fabsf(twice[i] - 2.0f * once[i]) <= 1e-5f * fmaxf(1.0f, fabsf(once[i])));
        assert_true(none[i] == 0.0f);
    }
    free(once);
    free(twice);
    free(none);
    drop_stack(&s);
}

static void dropout_drops_anew_in_training_only(void **state)
{
    float first[T * N * F], second[T * N * F];
    stack s;

    (void)state;
    make_stack(&s);
    OK(rnn_module_reset(s.module, 11));
    stack_forward(&s);
    memcpy(first, s.out, sizeof first);
    stack_forward(&s);
    memcpy(second, s.out, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    OK(rnn_module_reset(s.module, 11)); /* the same numbers from the start */
    stack_forward(&s);
    assert_memory_equal(first, s.out, sizeof first);
    stack_forward(&s);
    assert_memory_equal(second, s.out, sizeof second);
    OK(rnn_module_train(s.module, false));
    stack_forward(&s);
    memcpy(first, s.out, sizeof first);
    assert_memory_not_equal(first, second, sizeof first);
    stack_forward(&s);
    assert_memory_equal(first, s.out, sizeof first);
    drop_stack(&s);
}

static void parameters_are_a_function_of_the_seed(void **state)
{
    float *zero, *one;
    stack s;

    (void)state;
    make_stack(&s);
    zero = api_read_all(s.module, 0);
    OK(rnn_module_reset(s.module, 1));
    one = api_read_all(s.module, 0);
    assert_memory_not_equal(zero, one, api_info(s.module).n_values * sizeof(float));
    free(one);
    OK(rnn_module_reset(s.module, 0));
    one = api_read_all(s.module, 0);
    assert_memory_equal(zero, one, api_info(s.module).n_values * sizeof(float));
    free(zero);
    free(one);
    drop_stack(&s);
}

/* -- The caller's arrays --------------------------------------------------------------------- */

enum { I = 4, D = 2, Y = D * H };

static rnn_module *make_gru(bool batch_first)
{
    rnn_layer_cfg gru = rnn_layer_defaults(RNN_LAYER_GRU);
    rnn_module *module;

    gru.hidden_size = H;
    gru.bidirectional = true;
    gru.batch_first = batch_first;
    OK(rnn_module_create(&module, &gru, 1, I));
    return module;
}

/* [T][N][width] to [N][T][width], or back. */
static float *turned(const float *from, size_t n_outer, size_t n_inner, size_t width)
{
    float *to = api_empty(n_outer * n_inner * width);

    for (size_t a = 0; a < n_outer; a++)
        for (size_t b = 0; b < n_inner; b++)
            memcpy(to + (b * n_outer + a) * width, from + (a * n_inner + b) * width,
                   width * sizeof(float));
    return to;
}

/* One pass over x with the lengths above; out and grad_x in the module's order, gradients. */
typedef struct pass {
    float *out, *grad_x, *grads;
    float h_n[D * N * H], grad_h0[D * N * H];
} pass;

static void run_pass(rnn_module *module, const float *x, const float *grad_out, pass *p)
{
    bool batch_first = api_info(module).batch_first;
    size_t a = batch_first ? N : T, b = batch_first ? T : N;

    p->out = api_empty(T * N * Y);
    p->grad_x = api_empty(T * N * I);
    OK(rnn_module_forward(module, &(rnn_forward_args){.x = const3(x, a, b, I),
                                                      .lengths = lengths,
                                                      .n_lengths = N,
                                                      .out = tensor3(p->out, a, b, Y),
                                                      .h_n = tensor3(p->h_n, D, N, H)}));
    OK(rnn_module_backward(module, &(rnn_backward_args){.grad_out = const3(grad_out, a, b, Y),
                                                        .grad_x = tensor3(p->grad_x, a, b, I),
                                                        .grad_h0 = tensor3(p->grad_h0, D, N, H)}));
    p->grads = api_read_all(module, 1);
}

static void drop_pass(pass *p)
{
    free(p->out);
    free(p->grad_x);
    free(p->grads);
}

static void assert_same_pass(const pass *a, const pass *b, size_t n_values)
{
    assert_memory_equal(a->out, b->out, T * N * Y * sizeof(float));
    assert_memory_equal(a->grad_x, b->grad_x, T * N * I * sizeof(float));
    assert_memory_equal(a->h_n, b->h_n, sizeof a->h_n);
    assert_memory_equal(a->grad_h0, b->grad_h0, sizeof a->grad_h0);
    assert_memory_equal(a->grads, b->grads, n_values * sizeof(float));
}

static void batch_first_is_the_same_in_another_order(void **state)
{
    rnn_module *steps = make_gru(false), *rows = make_gru(true);
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    float *turned_x = turned(x, T, N, I), *turned_grad = turned(grad_out, T, N, Y), *back;
    pass expected, found;

    (void)state;
    run_pass(steps, x, grad_out, &expected);
    run_pass(rows, turned_x, turned_grad, &found);
    back = turned(found.out, N, T, Y);
    free(found.out);
    found.out = back;
    back = turned(found.grad_x, N, T, I);
    free(found.grad_x);
    found.grad_x = back;
    assert_same_pass(&expected, &found, api_info(steps).n_values);
    drop_pass(&expected);
    drop_pass(&found);
    free(x);
    free(grad_out);
    free(turned_x);
    free(turned_grad);
    rnn_module_destroy(&steps);
    rnn_module_destroy(&rows);
}

static void what_lies_past_the_ends_does_not_matter(void **state)
{
    rnn_module *module = make_gru(false);
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    size_t n_values = api_info(module).n_values;
    pass expected, found;

    (void)state;
    run_pass(module, x, grad_out, &expected);
    for (size_t i = 0; i < T * N; i++)
        if ((int64_t)(i / N) >= lengths[i % N]) {
            for (size_t f = 0; f < Y; f++)
                assert_true(expected.out[i * Y + f] == 0.0f);
            for (size_t f = 0; f < I; f++) {
                assert_true(expected.grad_x[i * I + f] == 0.0f);
                x[i * I + f] = NAN;
            }
            grad_out[i * Y] = INFINITY;
        }
    OK(rnn_module_zero_grad(module));
    run_pass(module, x, grad_out, &found);
    assert_same_pass(&expected, &found, n_values);
    drop_pass(&expected);
    drop_pass(&found);
    free(x);
    free(grad_out);
    rnn_module_destroy(&module);
}

static void arrays_are_free_again_when_forward_returns(void **state)
{
    rnn_module *module = make_gru(false);
    float *x = api_numbers(T * N * I, 1.0f), *h0 = api_numbers(D * N * H, 0.5f);
    float *grad_out = api_numbers(T * N * Y, 1.0f), out[T * N * Y], *grads[2];

    (void)state;
    for (int round = 0; round < 2; round++) {
        OK(rnn_module_zero_grad(module));
        OK(rnn_module_forward(module, &(rnn_forward_args){.x = const3(x, T, N, I),
                                                          .h0 = const3(h0, D, N, H),
                                                          .out = tensor3(out, T, N, Y)}));
        if (round == 1) {
            memset(x, 0, T * N * I * sizeof(float));
            memset(h0, 0, D * N * H * sizeof(float));
            memset(out, 0, sizeof out);
        }
        OK(rnn_module_backward(module,
                               &(rnn_backward_args){.grad_out = const3(grad_out, T, N, Y)}));
        grads[round] = api_read_all(module, 1);
    }
    assert_memory_equal(grads[0], grads[1], api_info(module).n_values * sizeof(float));
    free(grads[0]);
    free(grads[1]);
    free(x);
    free(h0);
    free(grad_out);
    rnn_module_destroy(&module);
}

/* A select in front: one step is left, the second row's is its own last. */
static void after_a_select_there_is_one_step(void **state)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_SELECT),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};
    float *x = api_numbers(T * N * I, 1.0f), out[N * F], weight[F * I], bias[F];
    float *grad_out = api_numbers(N * F, 1.0f), grad_x[T * N * I];
    rnn_module *module;

    (void)state;
    layers[1].out_features = F;
    OK(rnn_module_create(&module, layers, 2, I));
    assert_false(api_info(module).gives_sequence);
    assert_int_equal(api_info(module).n_state_rows, 0);
    OK(rnn_module_forward(module, &(rnn_forward_args){.x = const3(x, T, N, I),
                                                      .lengths = lengths,
                                                      .n_lengths = N,
                                                      .out = tensor3(out, N, F, 0)}));
    OK(rnn_module_read_parameter(module, "1.weight", weight, F * I));
    OK(rnn_module_read_parameter(module, "1.bias", bias, F));
    for (size_t row = 0; row < N; row++)
        for (size_t f = 0; f < F; f++) {
            const float *step = x + ((size_t)(lengths[row] - 1) * N + row) * I;
            float sum = bias[f];

            for (size_t i = 0; i < I; i++)
                sum += weight[f * I + i] * step[i];
            assert_true(fabsf(sum - out[row * F + f]) <= 1e-5f);
        }
    OK(rnn_module_backward(module, &(rnn_backward_args){.grad_out = const3(grad_out, N, F, 0),
                                                        .grad_x = tensor3(grad_x, T, N, I)}));
    for (size_t i = 0; i < T * N * I; i++)
        assert_true((grad_x[i] != 0.0f) == ((int64_t)(i / (N * I)) == lengths[i / I % N] - 1));
    free(x);
    free(grad_out);
    rnn_module_destroy(&module);
}

/* Cells over whole sequences: what the layer of the same weights gives. */
static void a_cell_is_a_layer_of_its_own(void **state)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_LSTM),
                              rnn_layer_defaults(RNN_LAYER_LSTMCELL)};
    float *x = api_numbers(T * N * I, 1.0f), out[2][T * N * H], c_n[2][N * H];

    (void)state;
    for (int i = 0; i < 2; i++) {
        rnn_module *module;

        layers[i].hidden_size = H;
        OK(rnn_module_create(&module, &layers[i], 1, I));
        OK(rnn_module_forward(module, &(rnn_forward_args){.x = const3(x, T, N, I),
                                                          .out = tensor3(out[i], T, N, H),
                                                          .c_n = tensor3(c_n[i], 1, N, H)}));
        rnn_module_destroy(&module);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(c_n[0], c_n[1], sizeof c_n[0]);
    free(x);
}

/* A tied module has one weight and one gradient of it, the sum of both uses. */
static void a_tied_module_has_one_weight(void **state)
{
    enum { V = 6, N_WEIGHT = V * H };
    const int64_t own[T * N] = {0, 1, 2, 3, 4, 5, 5, 3, 1};
    float *grad_out = api_numbers(T * N * V, 1.0f), out[2][T * N * V], *gradient[2];
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_EMBEDDING),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};
    float *weight = api_numbers(N_WEIGHT, 1.0f);

    (void)state;
    layers[0].num_embeddings = V;
    layers[0].embedding_dim = H;
    layers[1].bias = false;
    layers[1].out_features = V;
    for (int i = 0; i < 2; i++) {
        rnn_module *module;

        layers[1].tied = i == 1;
        OK(rnn_module_create(&module, layers, 2, 0));
        assert_int_equal(api_info(module).n_parameters, 2 - i);
        OK(rnn_module_write_parameter(module, "0.weight", weight, N_WEIGHT));
        if (i == 0)
            OK(rnn_module_write_parameter(module, "1.weight", weight, N_WEIGHT));
        for (int round = 0; round < 2; round++) { /* gradients of both are added up */
            OK(rnn_module_forward(module, &(rnn_forward_args){.tokens = {own, {T, N}},
                                                              .out = tensor3(out[i], T, N, V)}));
            OK(rnn_module_backward(module,
                                   &(rnn_backward_args){.grad_out = const3(grad_out, T, N, V)}));
        }
        gradient[i] = api_read_all(module, 1);
        rnn_module_destroy(&module);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    for (size_t k = 0; k < N_WEIGHT; k++) {
        float expected = gradient[0][k] + gradient[0][N_WEIGHT + k];

        assert_true(fabsf(gradient[1][k] - expected) <= 1e-5f * fmaxf(1.0f, fabsf(expected)));
    }
    free(gradient[0]);
    free(gradient[1]);
    free(grad_out);
    free(weight);
}

/* Passes of other sizes before it leave no trace in a pass. */
static void sizes_may_change_from_pass_to_pass(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {9, 2}, {2, 9}, {T, N}};
    rnn_module *fresh = make_gru(false), *used = make_gru(false);
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    pass expected, found;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t t = sizes[i][0], n = sizes[i][1];
        float *own_x = api_numbers(t * n * I, 2.0f), *out = api_empty(t * n * Y);

        OK(rnn_module_forward(
            used, &(rnn_forward_args){.x = const3(own_x, t, n, I), .out = tensor3(out, t, n, Y)}));
        free(own_x);
        free(out);
    }
    run_pass(fresh, x, grad_out, &expected);
    run_pass(used, x, grad_out, &found);
    assert_same_pass(&expected, &found, api_info(fresh).n_values);
    drop_pass(&expected);
    drop_pass(&found);
    free(x);
    free(grad_out);
    rnn_module_destroy(&fresh);
    rnn_module_destroy(&used);
}

/* -- Manners --------------------------------------------------------------------------------- */

static void the_number_of_threads_hardly_matters(void **state)
{
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    int before = omp_get_max_threads();
    pass p[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        rnn_module *module;

        omp_set_num_threads(1 + 2 * i);
        module = make_gru(false);
        omp_set_num_threads(2);
        run_pass(module, x, grad_out, &p[i]);
        assert_int_equal(omp_get_max_threads(), 2);
        rnn_module_destroy(&module);
    }
    omp_set_num_threads(before);
    assert_true(golden_worst(p[0].out, p[1].out, T * N * Y) <= tolerance);
    assert_true(golden_worst(p[0].grad_x, p[1].grad_x, T * N * I) <= tolerance);
    drop_pass(&p[0]);
    drop_pass(&p[1]);
    free(x);
    free(grad_out);
}

/* A module made outside and one made inside, in each of the caller's threads. */
static void threads_may_use_different_modules_at_once(void **state)
{
    enum { THREADS = 3 };
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    rnn_module *alone = make_gru(false), *modules[THREADS][2];
    pass expected, found[THREADS][2];
    size_t n_values = api_info(alone).n_values;

    (void)state;
    run_pass(alone, x, grad_out, &expected);
    for (int i = 0; i < THREADS; i++)
        modules[i][0] = make_gru(false);
#pragma omp parallel for num_threads(THREADS) schedule(static, 1)
    for (int i = 0; i < THREADS; i++) {
        modules[i][1] = make_gru(false);
        run_pass(modules[i][0], x, grad_out, &found[i][0]);
        run_pass(modules[i][1], x, grad_out, &found[i][1]);
    }
    for (int i = 0; i < 2 * THREADS; i++) {
        pass *p = &found[i / 2][i % 2];

        assert_true(golden_worst(p->out, expected.out, T * N * Y) <= tolerance);
        assert_true(golden_worst(p->grad_x, expected.grad_x, T * N * I) <= tolerance);
        assert_true(golden_worst(p->grads, expected.grads, n_values) <= tolerance);
        drop_pass(p);
        rnn_module_destroy(&modules[i / 2][i % 2]);
    }
    drop_pass(&expected);
    rnn_module_destroy(&alone);
    free(x);
    free(grad_out);
}

/* Every thread of the caller's sees denormal numbers as before. */
static void floating_point_settings_are_left_alone(void **state)
{
    rnn_module *module = make_gru(false);
    float *x = api_numbers(T * N * I, 1.0f), *grad_out = api_numbers(T * N * Y, 1.0f);
    int n_flushing = 0;
    pass p;

    (void)state;
    run_pass(module, x, grad_out, &p);
#pragma omp parallel reduction(+ : n_flushing)
    {
        volatile float smallest = 1.1754944e-38f, half = 0.5f;

        n_flushing += smallest * half == 0.0f;
    }
    assert_int_equal(n_flushing, 0);
#if defined(__SSE__)
    {
        unsigned own = _mm_getcsr() & ~0x3fu; /* without the flags that say what happened */

        drop_pass(&p);
        _mm_setcsr(own | 0x8040);
        run_pass(module, x, grad_out, &p);
        assert_int_equal(_mm_getcsr() & ~0x3fu, own | 0x8040);
        _mm_setcsr(own);
    }
#endif
    drop_pass(&p);
    free(x);
    free(grad_out);
    rnn_module_destroy(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recurrent_case_equals_torch),
        cmocka_unit_test(gradients_are_the_slopes_of_the_loss),
        cmocka_unit_test(names_are_those_of_torch),
        cmocka_unit_test(info_tells_the_sizes),
        cmocka_unit_test(gradients_add_up_until_zero_grad),
        cmocka_unit_test(dropout_drops_anew_in_training_only),
        cmocka_unit_test(parameters_are_a_function_of_the_seed),
        cmocka_unit_test(batch_first_is_the_same_in_another_order),
        cmocka_unit_test(what_lies_past_the_ends_does_not_matter),
        cmocka_unit_test(arrays_are_free_again_when_forward_returns),
        cmocka_unit_test(after_a_select_there_is_one_step),
        cmocka_unit_test(a_cell_is_a_layer_of_its_own),
        cmocka_unit_test(a_tied_module_has_one_weight),
        cmocka_unit_test(sizes_may_change_from_pass_to_pass),
        cmocka_unit_test(the_number_of_threads_hardly_matters),
        cmocka_unit_test(threads_may_use_different_modules_at_once),
        cmocka_unit_test(floating_point_settings_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
