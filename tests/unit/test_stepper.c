/*
 * Steppers: torch's cells step by step, the same numbers as whole sequences, forward and backward,
 * and a training run through a loop of steps.
 */
#include "api.h"

#include "golden.h"

enum { MAX_ROWS = 8 };

static const rnn_const_tensor none = {NULL, {0}};
static const rnn_tensor unwanted = {NULL, {0}};

static rnn_tensor matrix(float *data, size_t rows, size_t columns)
{
    return tensor3(data, rows, columns, 0);
}

static rnn_const_tensor const_matrix(const float *data, size_t rows, size_t columns)
{
    return const3(data, rows, columns, 0);
}

/* Writes all parameters from group/folder/PREFIX.name. */
static void load_params(rnn_module *module, hid_t group, const char *folder, const char *prefix)
{
    for (size_t i = 0; i < api_info(module).n_parameters; i++) {
        rnn_parameter p;
        char path[96];
        size_t count;
        float *values;

        OK(rnn_module_get_parameter(module, i, &p));
        snprintf(path, sizeof path, "%s/%s%s", folder, prefix, p.name);
        values = golden_read(group, path, H5T_NATIVE_FLOAT, &count);
        OK(rnn_module_write_parameter(module, p.name, values, count));
        free(values);
    }
}

/* -- Against torch's cells ------------------------------------------------------------------- */

static rnn_module *make_cell(hid_t group)
{
    char *kind = golden_text(group, "kind");
    rnn_layer_cfg cell = rnn_layer_defaults(strcmp(kind, "lstm") == 0  ? RNN_LAYER_LSTMCELL
                                            : strcmp(kind, "gru") == 0 ? RNN_LAYER_GRUCELL
                                                                       : RNN_LAYER_RNNCELL);
    rnn_module *module;

    if (strcmp(kind, "rnn_relu") == 0)
        cell.nonlinearity = RNN_NONLINEARITY_RELU;
    free(kind);
    cell.hidden_size = (int64_t)golden_size(group, "hidden_size");
    cell.bias = golden_size(group, "bias") != 0;
    OK(rnn_module_create(&module, &cell, 1, golden_size(group, "input_size")));
    load_params(module, group, "param", "");
    return module;
}

/* Overwrites one state step after step, as loops do. */
static double check_cell(hid_t group)
{
    size_t n_steps = golden_size(group, "steps"), N = golden_size(group, "N");
    size_t I = golden_size(group, "input_size"), H = golden_size(group, "hidden_size");
    rnn_module *module = make_cell(group);
    int is_lstm = golden_has(group, "c");
    float *x = golden_floats(group, "x"), *h = golden_floats(group, "h0");
    float *c = is_lstm ? golden_floats(group, "c0") : NULL;
    float *torch_h = golden_floats(group, "h"),
          *torch_c = is_lstm ? golden_floats(group, "c") : NULL;
    rnn_tensor state = matrix(h, N, H), cell_state = matrix(c, N, H);
    rnn_stepper *stepper;
    double worst = 0.0;

    OK(rnn_stepper_create(&stepper, module, 0, false));
    for (size_t t = 0; t < n_steps; t++) {
        OK(rnn_stepper_step(stepper, const_matrix(x + t * N * I, N, I), rnn_as_const(state),
                            rnn_as_const(cell_state), state, cell_state));
        worst = fmax(worst, golden_worst(h, torch_h + t * N * H, N * H));
        if (is_lstm)
            worst = fmax(worst, golden_worst(c, torch_c + t * N * H, N * H));
    }
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
    free(x);
    free(h);
    free(c);
    free(torch_h);
    free(torch_c);
    return worst;
}

static void cells_equal_torch(void **state)
{
    hid_t file = golden_open("cells.h5");
    H5G_info_t info;

    (void)state;
    assert_true(H5Gget_info(file, &info) >= 0);
    assert_true(info.nlinks >= 8);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[64];
        double worst;
        hid_t group;

        H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
        group = H5Gopen2(file, name, H5P_DEFAULT);
        worst = check_cell(group);
        print_message("  %-16s worst difference %.2e\n", name, worst);
        assert_true(worst <= 1e-6);
        H5Gclose(group);
    }
    H5Fclose(file);
}

/* -- A loop of steps is a sequence ----------------------------------------------------------- */

enum { T = 7, N = 3, I = 4, H = 6, MAX_L = 2, MAX_D = 2, MAX_WIDTH = MAX_D * H };

/* The same sums in another order. */
static const double tolerance = 1e-6;

typedef struct layer_case {
    const char *name;
    rnn_layer_type type;
    int nonlinearity;
    int64_t num_layers, proj_size;
    bool bidirectional;
} layer_case;

static const layer_case layer_cases[] = {
    {"rnn", RNN_LAYER_RNN, RNN_NONLINEARITY_TANH, 1, 0, false},
    {"rnn relu, 2 layers", RNN_LAYER_RNN, RNN_NONLINEARITY_RELU, 2, 0, false},
    {"lstm, both ways", RNN_LAYER_LSTM, 0, 1, 0, true},
    {"lstm, 2 layers, both ways", RNN_LAYER_LSTM, 0, 2, 0, true},
    {"lstm, projected, 2 layers, both ways", RNN_LAYER_LSTM, 0, 2, 5, true},
    {"gru, 2 layers, both ways", RNN_LAYER_GRU, 0, 2, 0, true},
    {"grucell", RNN_LAYER_GRUCELL, 0, 1, 0, false},
};

/* Everything a pass takes and gives; both ways fill one. */
typedef struct pass {
    float out[T * N * MAX_WIDTH], h_n[MAX_L * MAX_D * N * H], c_n[MAX_L * MAX_D * N * H];
    float grad_x[T * N * I], grad_h0[MAX_L * MAX_D * N * H], grad_c0[MAX_L * MAX_D * N * H];
    float *grads;
} pass;

typedef struct fixture {
    rnn_module *module;
    bool is_lstm;
    size_t L, D, C, n_states;
    float *x, *h0, *c0, *grad_out, *grad_h_n, *grad_c_n;
} fixture;

static void make(fixture *f, const layer_case *c)
{
    rnn_layer_cfg layer = rnn_layer_defaults(c->type);
    rnn_module_info info;

    layer.nonlinearity = c->nonlinearity;
    layer.hidden_size = H;
    layer.num_layers = c->num_layers;
    layer.proj_size = c->proj_size;
    layer.bidirectional = c->bidirectional;
    OK(rnn_module_create(&f->module, &layer, 1, I));
    info = api_info(f->module);
    f->is_lstm = info.c_size > 0;
    f->L = (size_t)c->num_layers;
    f->D = c->bidirectional ? 2 : 1;
    f->C = info.h_size;
    f->n_states = info.n_state_rows;
    f->x = api_numbers(T * N * I, 1.0f);
    f->h0 = api_numbers(f->n_states * N * f->C, 0.5f);
    f->c0 = api_numbers(f->n_states * N * H, 0.7f);
    f->grad_out = api_numbers(T * N * f->D * f->C, 1.0f);
    f->grad_h_n = api_numbers(f->n_states * N * f->C, 0.8f);
    f->grad_c_n = api_numbers(f->n_states * N * H, 0.6f);
}

static void drop(fixture *f)
{
    rnn_module_destroy(&f->module);
    free(f->x);
    free(f->h0);
    free(f->c0);
    free(f->grad_out);
    free(f->grad_h_n);
    free(f->grad_c_n);
}

/* An array of cell states; none if there are none. */
static rnn_tensor cells(const fixture *f, float *data, size_t rows)
{
    return f->is_lstm ? tensor3(data, rows, N, H) : unwanted;
}

static void by_sequence(const fixture *f, pass *p)
{
    size_t S = f->n_states, Y = f->D * f->C;

    OK(rnn_module_zero_grad(f->module));
    OK(rnn_module_forward(f->module, &(rnn_forward_args){.x = const3(f->x, T, N, I),
                                                         .h0 = const3(f->h0, S, N, f->C),
                                                         .c0 = rnn_as_const(cells(f, f->c0, S)),
                                                         .out = tensor3(p->out, T, N, Y),
                                                         .h_n = tensor3(p->h_n, S, N, f->C),
                                                         .c_n = cells(f, p->c_n, S)}));
    OK(rnn_module_backward(f->module,
                           &(rnn_backward_args){.grad_out = const3(f->grad_out, T, N, Y),
                                                .grad_h_n = const3(f->grad_h_n, S, N, f->C),
                                                .grad_c_n = rnn_as_const(cells(f, f->grad_c_n, S)),
                                                .grad_x = tensor3(p->grad_x, T, N, I),
                                                .grad_h0 = tensor3(p->grad_h0, S, N, f->C),
                                                .grad_c0 = cells(f, p->grad_c0, S)}));
    p->grads = api_read_all(f->module, 1);
}

/* One direction of one layer in the loop. */
typedef struct unit {
    rnn_stepper *stepper;
    size_t row, n_in; /* of states; features of its input */
    bool reverse;
    float h[N * H], c[N * H];
} unit;

static rnn_tensor own_cells(const fixture *f, float *data)
{
    return f->is_lstm ? matrix(data, N, H) : unwanted;
}

static size_t step_number(const unit *u, size_t i)
{
    return u->reverse ? T - 1 - i : i;
}

/* x [T][N][n_in] to its columns of y [T][N][D*C]. */
static void loop_forward(const fixture *f, unit *u, const float *x, float *y, size_t column)
{
    rnn_tensor h = matrix(u->h, N, f->C), c = own_cells(f, u->c);

    memcpy(u->h, f->h0 + u->row * N * f->C, N * f->C * sizeof(float));
    memcpy(u->c, f->c0 + u->row * N * H, N * H * sizeof(float));
    for (size_t i = 0; i < T; i++) {
        size_t t = step_number(u, i);

        OK(rnn_stepper_step(u->stepper, const_matrix(x + t * N * u->n_in, N, u->n_in),
                            rnn_as_const(h), rnn_as_const(c), h, c));
        for (size_t row = 0; row < N; row++)
            memcpy(y + (t * N + row) * f->D * f->C + column, u->h + row * f->C,
                   f->C * sizeof(float));
    }
}

/* Adds to dx [T][N][n_in]; leaves the gradients of the initial states in u->h and u->c. */
static void loop_backward(const fixture *f, unit *u, const float *dy, float *dx, size_t column)
{
    rnn_tensor h = matrix(u->h, N, f->C), c = own_cells(f, u->c);
    float step_dx[N * MAX_WIDTH];

    memcpy(u->h, f->grad_h_n + u->row * N * f->C, N * f->C * sizeof(float));
    memcpy(u->c, f->grad_c_n + u->row * N * H, N * H * sizeof(float));
    for (size_t i = T; i-- > 0;) {
        size_t t = step_number(u, i);

        for (size_t k = 0; k < N * f->C; k++)
            u->h[k] += dy[(t * N + k / f->C) * f->D * f->C + column + k % f->C];
        OK(rnn_stepper_backward(u->stepper, rnn_as_const(h), rnn_as_const(c),
                                matrix(step_dx, N, u->n_in), h, c));
        for (size_t k = 0; k < N * u->n_in; k++)
            dx[t * N * u->n_in + k] += step_dx[k];
    }
}

static void by_steps(const fixture *f, pass *p)
{
    float values[MAX_L + 1][T * N * MAX_WIDTH] = {{0.0f}},
                                    grads[MAX_L + 1][T * N * MAX_WIDTH] = {{0.0f}};
    size_t Y = f->D * f->C;
    unit units[MAX_L][MAX_D];

    OK(rnn_module_zero_grad(f->module));
    memcpy(values[0], f->x, T * N * I * sizeof(float));
    for (size_t k = 0; k < f->L; k++)
        for (size_t d = 0; d < f->D; d++) {
            unit *u = &units[k][d];

            *u = (unit){.row = k * f->D + d, .n_in = k == 0 ? I : Y, .reverse = d == 1};
            OK(rnn_stepper_create(&u->stepper, f->module, k, u->reverse));
            loop_forward(f, u, values[k], values[k + 1], d * f->C);
            memcpy(p->h_n + u->row * N * f->C, u->h, N * f->C * sizeof(float));
            memcpy(p->c_n + u->row * N * H, u->c, N * H * sizeof(float));
        }
    memcpy(p->out, values[f->L], T * N * Y * sizeof(float));
    memcpy(grads[f->L], f->grad_out, T * N * Y * sizeof(float));
    for (size_t k = f->L; k-- > 0;)
        for (size_t d = 0; d < f->D; d++) {
            unit *u = &units[k][d];

            loop_backward(f, u, grads[k + 1], grads[k], d * f->C);
            memcpy(p->grad_h0 + u->row * N * f->C, u->h, N * f->C * sizeof(float));
            memcpy(p->grad_c0 + u->row * N * H, u->c, N * H * sizeof(float));
            rnn_stepper_destroy(&u->stepper);
        }
    memcpy(p->grad_x, grads[0], T * N * I * sizeof(float));
    p->grads = api_read_all(f->module, 1);
}

static double difference(const fixture *f, const pass *a, const pass *b)
{
    size_t n_h = f->n_states * N * f->C, n_c = f->is_lstm ? f->n_states * N * H : 0;
    const struct {
        const float *a, *b;
        size_t count;
    } all[] = {{a->out, b->out, T * N * f->D * f->C},
               {a->h_n, b->h_n, n_h},
               {a->c_n, b->c_n, n_c},
               {a->grad_x, b->grad_x, T * N * I},
               {a->grad_h0, b->grad_h0, n_h},
               {a->grad_c0, b->grad_c0, n_c},
               {a->grads, b->grads, api_info(f->module).n_values}};
    double worst = 0.0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double scale = 1.0;

        for (size_t k = 0; k < all[i].count; k++)
            scale = fmax(scale, fabs((double)all[i].a[k]));
        worst = fmax(worst, golden_worst(all[i].a, all[i].b, all[i].count) / scale);
    }
    return worst;
}

static void a_loop_of_steps_is_a_sequence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof layer_cases / sizeof *layer_cases; i++) {
        pass sequence, steps;
        double worst;
        fixture f;

        make(&f, &layer_cases[i]);
        by_sequence(&f, &sequence);
        by_steps(&f, &steps);
        worst = difference(&f, &sequence, &steps);
        print_message("  %-38s worst difference %.2e\n", layer_cases[i].name, worst);
        assert_true(worst <= tolerance);
        free(sequence.grads);
        free(steps.grads);
        drop(&f);
    }
}

/* -- hello -> ohlol through a loop of RNNCell ---------------------------------------------------
 */

enum { LETTERS = 4, STEPS = 5 };

/* One epoch: forward over the letters, and back; the sum of the steps' losses. */
static double hello_epoch(rnn_stepper *stepper, const int64_t *x, const int64_t *y)
{
    const rnn_loss_args loss_args = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    float h[STEPS + 1][LETTERS] = {{0.0f}}, dh[STEPS][LETTERS], carry[LETTERS] = {0.0f};
    double loss, sum = 0.0;

    for (int t = 0; t < STEPS; t++) {
        float onehot[LETTERS] = {0.0f};

        onehot[x[t]] = 1.0f;
        OK(rnn_stepper_step(stepper, const_matrix(onehot, 1, LETTERS),
                            const_matrix(h[t], 1, LETTERS), none, matrix(h[t + 1], 1, LETTERS),
                            unwanted));
        OK(rnn_loss_labels(&loss_args, const_matrix(h[t + 1], 1, LETTERS),
                           (rnn_indices){&y[t], {1}}, &loss, matrix(dh[t], 1, LETTERS)));
        sum += loss;
    }
    for (int t = STEPS; t-- > 0;) {
        for (int k = 0; k < LETTERS; k++)
            carry[k] += dh[t][k];
        OK(rnn_stepper_backward(stepper, const_matrix(carry, 1, LETTERS), none, unwanted,
                                matrix(carry, 1, LETTERS), unwanted));
    }
    return sum;
}

static void hello_is_learnt_as_in_torch(void **state)
{
    hid_t file = golden_open("trajectories.h5");
    hid_t group = H5Gopen2(file, "hello_rnncell", H5P_DEFAULT);
    rnn_layer_cfg cell = rnn_layer_defaults(RNN_LAYER_RNNCELL);
    rnn_optimizer_cfg adam = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    int64_t *x = golden_read(group, "x", H5T_NATIVE_INT64, NULL);
    int64_t *y = golden_read(group, "y", H5T_NATIVE_INT64, NULL);
    size_t n_epochs;
    double *losses = golden_read(group, "loss", H5T_NATIVE_DOUBLE, &n_epochs), worst = 0.0;
    float *found, *torch;
    rnn_module *module;
    rnn_stepper *stepper;
    rnn_optim *optim;

    (void)state;
    cell.hidden_size = LETTERS;
    adam.lr = 0.1;
    OK(rnn_module_create(&module, &cell, 1, LETTERS));
    load_params(module, group, "start", "cell.");
    OK(rnn_stepper_create(&stepper, module, 0, false));
    OK(rnn_optim_create(&optim, &adam, &module, 1));
    for (size_t epoch = 0; epoch < n_epochs; epoch++) {
        OK(rnn_optim_zero_grad(optim));
        worst = fmax(worst, fabs(hello_epoch(stepper, x, y) - losses[epoch]));
        OK(rnn_optim_step(optim));
    }
    found = api_read_all(module, 0);
    load_params(module, group, "end", "cell.");
    torch = api_read_all(module, 0);
    print_message("  %zu epochs: loss %.2e, parameters %.2e\n", n_epochs, worst,
                  golden_worst(found, torch, api_info(module).n_values));
    assert_true(worst <= 1e-5);
    assert_true(golden_worst(found, torch, api_info(module).n_values) <= 1e-5);
    rnn_optim_destroy(&optim);
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
    free(found);
    free(torch);
    free(losses);
    free(x);
    free(y);
    H5Gclose(group);
    H5Fclose(file);
}

/* -- What is recorded ------------------------------------------------------------------------ */

static rnn_stepper *make_stepper(rnn_module **module)
{
    rnn_layer_cfg cell = rnn_layer_defaults(RNN_LAYER_GRUCELL);
    rnn_stepper *stepper;

    cell.hidden_size = H;
    OK(rnn_module_create(module, &cell, 1, I));
    OK(rnn_stepper_create(&stepper, *module, 0, false));
    return stepper;
}

static rnn_status one_step(rnn_stepper *stepper, size_t rows)
{
    float x[MAX_ROWS * I], h[MAX_ROWS * H];

    for (size_t i = 0; i < rows * I; i++)
        x[i] = 0.1f * (float)(i % 7);
    return rnn_stepper_step(stepper, const_matrix(x, rows, I), none, none, matrix(h, rows, H),
                            unwanted);
}

static rnn_status one_step_back(rnn_stepper *stepper, size_t rows)
{
    float grad[(MAX_ROWS + 1) * H];

    for (size_t i = 0; i < rows * H; i++)
        grad[i] = 1.0f;
    return rnn_stepper_backward(stepper, const_matrix(grad, rows, H), none, unwanted, unwanted,
                                unwanted);
}

static void steps_are_recorded_in_training_only(void **state)
{
    rnn_module *module;
    rnn_stepper *stepper = make_stepper(&module);

    (void)state;
    OK(rnn_module_train(module, false));
    OK(one_step(stepper, N));
    assert_int_equal(one_step_back(stepper, N), RNN_ERR_USAGE);
    OK(rnn_module_train(module, true));
    OK(one_step(stepper, N));
    OK(one_step(stepper, N));
    OK(one_step_back(stepper, N));
    OK(one_step_back(stepper, N));
    assert_int_equal(one_step_back(stepper, N), RNN_ERR_USAGE);
    OK(one_step(stepper, N));
    OK(rnn_stepper_clear(stepper));
    assert_int_equal(one_step_back(stepper, N), RNN_ERR_USAGE);
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
}

static void steps_from_before_a_change_are_not_gone_back_over(void **state)
{
    float bias[3 * H] = {0.0f};
    rnn_module *module;
    rnn_stepper *stepper = make_stepper(&module);

    (void)state;
    OK(one_step(stepper, N));
    OK(rnn_module_write_parameter(module, "bias_ih", bias, 3 * H));
    assert_int_equal(one_step_back(stepper, N), RNN_ERR_USAGE);
    assert_non_null(strstr(rnn_error_message(), "changed"));
    OK(one_step(stepper, N)); /* forgets the first */
    OK(one_step_back(stepper, N));
    assert_int_equal(one_step_back(stepper, N), RNN_ERR_USAGE);
    assert_non_null(strstr(rnn_error_message(), "found none"));
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
}

/* The gradients are those of the three steps, each with its own number of rows. */
static void the_number_of_rows_may_change(void **state)
{
    static const size_t rows[] = {2, MAX_ROWS, 1};
    rnn_module *module;
    rnn_stepper *stepper = make_stepper(&module);
    float *together, *apart;

    (void)state;
    for (int i = 0; i < 3; i++)
        OK(one_step(stepper, rows[i]));
    for (int i = 3; i-- > 0;)
        OK(one_step_back(stepper, rows[i]));
    together = api_read_all(module, 1);
    OK(rnn_module_zero_grad(module));
    for (int i = 3; i-- > 0;) {
        OK(one_step(stepper, rows[i]));
        assert_int_equal(one_step_back(stepper, rows[i] + 1), RNN_ERR_USAGE);
        OK(one_step_back(stepper, rows[i]));
    }
    apart = api_read_all(module, 1);
    assert_memory_equal(together, apart, api_info(module).n_values * sizeof(float));
    free(together);
    free(apart);
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
}

static void a_stepper_outlives_the_callers_module(void **state)
{
    rnn_module *module;
    rnn_stepper *stepper = make_stepper(&module);

    (void)state;
    rnn_module_destroy(&module);
    assert_null(module);
    OK(one_step(stepper, N));
    OK(one_step_back(stepper, N));
    rnn_stepper_destroy(&stepper);
    assert_null(stepper);
    rnn_stepper_destroy(&stepper);
}

/* As a sequence without states begins: with the layer's constants. */
static void states_not_given_are_the_layers(void **state)
{
    rnn_layer_cfg lstm = rnn_layer_defaults(RNN_LAYER_LSTM);
    float *x = api_numbers(N * I, 1.0f), out[N * H], h[N * H], c[N * H], c_n[N * H];
    rnn_module *module;
    rnn_stepper *stepper;

    (void)state;
    lstm.hidden_size = H;
    lstm.h0 = 0.25;
    lstm.c0 = -0.5;
    OK(rnn_module_create(&module, &lstm, 1, I));
    OK(rnn_stepper_create(&stepper, module, 0, false));
    OK(rnn_module_forward(module, &(rnn_forward_args){.x = const3(x, 1, N, I),
                                                      .out = tensor3(out, 1, N, H),
                                                      .c_n = tensor3(c_n, 1, N, H)}));
    OK(rnn_stepper_step(stepper, const_matrix(x, N, I), none, none, matrix(h, N, H),
                        matrix(c, N, H)));
    assert_true(golden_worst(out, h, N * H) <= tolerance);
    assert_true(golden_worst(c_n, c, N * H) <= tolerance);
    free(x);
    rnn_stepper_destroy(&stepper);
    rnn_module_destroy(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_equal_torch),
        cmocka_unit_test(a_loop_of_steps_is_a_sequence),
        cmocka_unit_test(hello_is_learnt_as_in_torch),
        cmocka_unit_test(steps_are_recorded_in_training_only),
        cmocka_unit_test(steps_from_before_a_change_are_not_gone_back_over),
        cmocka_unit_test(the_number_of_rows_may_change),
        cmocka_unit_test(a_stepper_outlives_the_callers_module),
        cmocka_unit_test(states_not_given_are_the_layers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
