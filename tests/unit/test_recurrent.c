/*
 * The recurrent kernel against torch.nn: every unidirectional fixed-length case of recurrent.h5,
 * forward and all gradients, and the contracts of kernels/recurrent.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "kernels/recurrent.h"

enum { MAX_LAYERS = 4 };

/* float32 sums in another order than torch's, on values of order 1 to 30. */
static const double tolerance = 1e-5;

/* One golden case, and what our kernel makes of it. */
typedef struct golden_case {
    hid_t group;
    rnn_cell cell;
    size_t T, N, I, H, L, bias;
    rnn_recurrent *layer[MAX_LAYERS];
    rnn_recurrent_task *task[MAX_LAYERS];
    float *params[MAX_LAYERS][4];
    float *y[MAX_LAYERS + 1]; /* y[0] is x */
    float *h0, *c0;           /* [L][N][H]; c0 is NULL unless lstm */
    double worst;             /* absolute, or relative where values exceed 1 */
} golden_case;

static const char *const tensor_names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

static rnn_cell parse_cell(const char *kind)
{
    return strcmp(kind, "lstm") == 0       ? RNN_CELL_LSTM
           : strcmp(kind, "gru") == 0      ? RNN_CELL_GRU
           : strcmp(kind, "rnn_relu") == 0 ? RNN_CELL_RELU
                                           : RNN_CELL_TANH;
}

static void compare(golden_case *c, const char *name, const float *ours, size_t count)
{
    size_t n;
    float *torch = golden_read(c->group, name, H5T_NATIVE_FLOAT, &n);
    double scale = 1.0, worst;

    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)torch[i]));
    worst = golden_worst(ours, torch, n) / scale;
    c->worst = fmax(c->worst, isnan(worst) ? INFINITY : worst);
    free(torch);
}

static size_t inputs_of(const golden_case *c, size_t k)
{
    return k == 0 ? c->I : c->H;
}

static void load_case(golden_case *c, hid_t file, const char *name)
{
    char *kind;

    memset(c, 0, sizeof *c);
    c->group = H5Gopen2(file, name, H5P_DEFAULT);
    assert_true(c->group >= 0);
    kind = golden_text(c->group, "kind");
    c->cell = parse_cell(kind);
    free(kind);
    c->T = golden_size(c->group, "T");
    c->N = golden_size(c->group, "N");
    c->I = golden_size(c->group, "input_size");
    c->H = golden_size(c->group, "hidden_size");
    c->L = golden_size(c->group, "num_layers");
    c->bias = golden_size(c->group, "bias");
    c->y[0] = golden_floats(c->group, "x");
    c->h0 = golden_floats(c->group, "h0");
    c->c0 = c->cell == RNN_CELL_LSTM ? golden_floats(c->group, "c0") : NULL;
    for (size_t k = 0; k < c->L; k++) {
        const rnn_recurrent_cfg cfg = {c->cell, c->T, c->N, inputs_of(c, k), c->H};

        for (size_t i = 0; i < (c->bias ? 4u : 2u); i++) {
            char path[64];

            snprintf(path, sizeof path, "param/%s_l%zu", tensor_names[i], k);
            c->params[k][i] = golden_floats(c->group, path);
        }
        c->y[k + 1] = calloc(c->T * c->N * c->H, sizeof(float));
        assert_int_equal(rnn_recurrent_create(&c->layer[k], &cfg), RNN_OK);
        assert_int_equal(rnn_recurrent_task_create(&c->task[k], c->layer[k]), RNN_OK);
        for (size_t part = 0; part < 3; part++) /* in parts, as threads do it */
            rnn_recurrent_pack(c->layer[k],
                               &(rnn_recurrent_params){c->params[k][0], c->params[k][1],
                                                       c->params[k][2], c->params[k][3]},
                               part, 3);
    }
}

static void free_case(golden_case *c)
{
    for (size_t k = 0; k < c->L; k++) {
        rnn_recurrent_task_destroy(&c->task[k]);
        rnn_recurrent_destroy(&c->layer[k]);
        for (int i = 0; i < 4; i++)
            free(c->params[k][i]);
        free(c->y[k + 1]);
    }
    free(c->y[0]);
    free(c->h0);
    free(c->c0);
    H5Gclose(c->group);
}

/* The part of layer k of a [L][N][H] array; NULL stays NULL. */
static float *layer_state(const golden_case *c, float *states, size_t k)
{
    return states != NULL ? states + k * c->N * c->H : NULL;
}

static void check_forward(golden_case *c)
{
    size_t state = c->N * c->H;
    float *h_n = calloc(c->L * state, sizeof(float)), *c_n = calloc(c->L * state, sizeof(float));

    for (size_t k = 0; k < c->L; k++) {
        assert_int_equal(rnn_recurrent_forward(c->task[k], c->y[k], layer_state(c, c->h0, k),
                                               layer_state(c, c->c0, k), c->y[k + 1]),
                         RNN_OK);
        memcpy(h_n + k * state, rnn_recurrent_h_n(c->task[k]), state * sizeof(float));
        if (c->c0 != NULL)
            memcpy(c_n + k * state, rnn_recurrent_c_n(c->task[k]), state * sizeof(float));
    }
    compare(c, "out", c->y[c->L], c->T * state);
    compare(c, "h_n", h_n, c->L * state);
    if (c->c0 != NULL)
        compare(c, "c_n", c_n, c->L * state);
    free(h_n);
    free(c_n);
}

static void check_param_grads(golden_case *c, size_t k, const float *packed)
{
    size_t gates = rnn_cell_gates(c->cell) * c->H;
    const size_t counts[4] = {gates * inputs_of(c, k), gates * c->H, gates, gates};
    float *grads[4] = {NULL, NULL, NULL, NULL};

    for (size_t i = 0; i < (c->bias ? 4u : 2u); i++)
        grads[i] = calloc(counts[i], sizeof(float));
    for (size_t part = 0; part < 2; part++)
        rnn_recurrent_unpack(c->layer[k], packed,
                             &(rnn_recurrent_grads){grads[0], grads[1], grads[2], grads[3]}, part,
                             2);
    for (size_t i = 0; i < (c->bias ? 4u : 2u); i++) {
        char path[64];

        snprintf(path, sizeof path, "grad/%s_l%zu", tensor_names[i], k);
        compare(c, path, grads[i], counts[i]);
        free(grads[i]);
    }
}

static void check_backward(golden_case *c)
{
    size_t state = c->N * c->H;
    float *dh_n = golden_floats(c->group, "grad_h_n");
    float *dc_n = c->c0 != NULL ? golden_floats(c->group, "grad_c_n") : NULL;
    float *dh0 = calloc(c->L * state, sizeof(float)), *dc0 = calloc(c->L * state, sizeof(float));
    float *dy = golden_floats(c->group, "grad_out");

    for (size_t k = c->L; k-- > 0;) {
        float *dx = calloc(c->T * c->N * inputs_of(c, k), sizeof(float));
        float *packed = calloc(rnn_recurrent_grad_size(c->layer[k]), sizeof(float));

        assert_int_equal(rnn_recurrent_backward(c->task[k], dy, layer_state(c, dh_n, k),
                                                layer_state(c, dc_n, k), dx, packed),
                         RNN_OK);
        check_param_grads(c, k, packed);
        memcpy(dh0 + k * state, rnn_recurrent_dh0(c->task[k]), state * sizeof(float));
        if (dc_n != NULL)
            memcpy(dc0 + k * state, rnn_recurrent_dc0(c->task[k]), state * sizeof(float));
        free(packed);
        free(dy);
        dy = dx;
    }
    compare(c, "grad_x", dy, c->T * c->N * c->I);
    compare(c, "grad_h0", dh0, c->L * state);
    if (dc_n != NULL)
        compare(c, "grad_c0", dc0, c->L * state);
    free(dy);
    free(dh_n);
    free(dc_n);
    free(dh0);
    free(dc0);
}

static bool is_ours(hid_t file, const char *name)
{
    hid_t group = H5Gopen2(file, name, H5P_DEFAULT);
    bool ours =
        golden_size(group, "bidirectional") == 0 && golden_size(group, "variable_length") == 0;

    H5Gclose(group);
    return ours;
}

static void every_unidirectional_case_equals_torch(void **state)
{
    hid_t file = golden_open("recurrent.h5");
    H5G_info_t info;
    size_t n_cases = 0;
    double worst = 0.0;

    (void)state;
    assert_true(H5Gget_info(file, &info) >= 0);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[128];
        golden_case c;

        H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
        if (!is_ours(file, name))
            continue;
        load_case(&c, file, name);
        check_forward(&c);
        check_backward(&c);
        print_message("  %-28s worst difference %.2e\n", name, c.worst);
        worst = fmax(worst, c.worst);
        n_cases++;
        free_case(&c);
    }
    H5Fclose(file);
    print_message("%zu cases, worst difference %.2e, allowed %.0e\n", n_cases, worst, tolerance);
    assert_int_equal(n_cases, 4 * 8 + 4 + 2);
    assert_true(worst <= tolerance);
}

/* -- Contracts ------------------------------------------------------------------------------- */

/* A small layer with reproducible numbers in all its arrays. */
typedef struct fixture {
    rnn_recurrent_cfg cfg;
    rnn_recurrent *layer;
    rnn_recurrent_task *task;
    float *w_ih, *w_hh, *b_ih, *b_hh, *x, *y, *dy, *zeros, *packed;
} fixture;

static float *numbers(size_t count, float scale)
{
    float *values = malloc(count * sizeof(float));

    for (size_t i = 0; i < count; i++)
        values[i] = scale * sinf(0.7f * (float)i + 0.1f * (float)(i % 11));
    return values;
}

static void make(fixture *f, rnn_cell cell)
{
    size_t T = 6, N = 3, I = 5, H = 9, G = rnn_cell_gates(cell) * H;

    f->cfg = (rnn_recurrent_cfg){cell, T, N, I, H};
    assert_int_equal(rnn_recurrent_create(&f->layer, &f->cfg), RNN_OK);
    assert_int_equal(rnn_recurrent_task_create(&f->task, f->layer), RNN_OK);
    f->w_ih = numbers(G * I, 0.4f);
    f->w_hh = numbers(G * H, 0.3f);
    f->b_ih = numbers(G, 0.2f);
    f->b_hh = numbers(G, -0.1f);
    f->x = numbers(T * N * I, 1.0f);
    f->dy = numbers(T * N * H, 0.5f);
    f->y = calloc(T * N * H, sizeof(float));
    f->zeros = calloc(N * H, sizeof(float));
    f->packed = calloc(rnn_recurrent_grad_size(f->layer), sizeof(float));
    rnn_recurrent_pack(f->layer, &(rnn_recurrent_params){f->w_ih, f->w_hh, f->b_ih, f->b_hh}, 0, 1);
}

static void drop(fixture *f)
{
    float *all[] = {f->w_ih, f->w_hh, f->b_ih, f->b_hh, f->x, f->y, f->dy, f->zeros, f->packed};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    rnn_recurrent_task_destroy(&f->task);
    rnn_recurrent_destroy(&f->layer);
}

static void run(fixture *f, const float *state)
{
    assert_int_equal(rnn_recurrent_forward(f->task, f->x, state, state, f->y), RNN_OK);
    assert_int_equal(rnn_recurrent_backward(f->task, f->dy, state, state, NULL, f->packed), RNN_OK);
}

/* With no src_iter at all, oneDNN's own gradient of weight_hh would be wrong (oneDNN #1436). */
static void left_out_states_mean_zeros(void **state)
{
    (void)state;
    for (int cell = RNN_CELL_TANH; cell <= RNN_CELL_GRU; cell++) {
        fixture f;
        size_t n;
        float *left_out;

        make(&f, (rnn_cell)cell);
        n = rnn_recurrent_grad_size(f.layer);
        run(&f, NULL);
        left_out = malloc(n * sizeof(float));
        memcpy(left_out, f.packed, n * sizeof(float));
        memset(f.packed, 0, n * sizeof(float));
        run(&f, f.zeros);
        assert_memory_equal(left_out, f.packed, n * sizeof(float));
        free(left_out);
        drop(&f);
    }
}

static void gradients_accumulate(void **state)
{
    (void)state;
    for (int cell = RNN_CELL_TANH; cell <= RNN_CELL_GRU; cell++) {
        fixture f;
        size_t n;
        float *once;
        double worst = 0.0, largest = 0.0;

        make(&f, (rnn_cell)cell);
        n = rnn_recurrent_grad_size(f.layer);
        run(&f, NULL);
        once = malloc(n * sizeof(float));
        memcpy(once, f.packed, n * sizeof(float));
        run(&f, NULL);
        for (size_t i = 0; i < n; i++) {
            largest = fmax(largest, fabs((double)once[i]));
            worst = fmax(worst, fabs((double)f.packed[i] - 2.0 * (double)once[i]));
        }
        assert_true(largest > 0.1);
        assert_true(worst < 1e-5 * fmax(1.0, largest));
        free(once);
        drop(&f);
    }
}

static void an_impossible_shape_is_refused_with_a_message(void **state)
{
    rnn_recurrent *layer;
    const rnn_recurrent_cfg cfg = {RNN_CELL_LSTM, (size_t)1 << 40, (size_t)1 << 40, 1, 1};

    (void)state;
    assert_int_not_equal(rnn_recurrent_create(&layer, &cfg), RNN_OK);
    assert_null(layer);
    assert_true(strlen(rnn_error_message()) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unidirectional_case_equals_torch),
        cmocka_unit_test(left_out_states_mean_zeros),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(an_impossible_shape_is_refused_with_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
