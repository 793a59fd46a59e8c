/*
 * The recurrent kernel against torch.nn: every case of recurrent.h5, sizes.h5 and projection.h5,
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

enum { MAX_LAYERS = 4, MAX_DIRECTIONS = 2, N_TENSORS = 5 };

/* float32 sums in another order than torch's, on values of order 1 to 30. */
static const double tolerance = 1e-5;

/* One direction of one layer of a golden case. */
typedef struct unit {
    rnn_recurrent *layer;
    rnn_recurrent_task *task;
    char suffix[32]; /* "l0_reverse" */
    float *params[N_TENSORS];
} unit;

/* One golden case, and what our kernel makes of it. */
typedef struct golden_case {
    hid_t group;
    rnn_cell cell;
    size_t T, N, I, H, C, L, D, bias;
    int32_t *length; /* NULL: all T */
    bool wants_c_n;  /* lstm, and not left out on purpose */
    unit units[MAX_LAYERS][MAX_DIRECTIONS];
    float *y[MAX_LAYERS + 1]; /* y[0] is x */
    float *h0, *c0;           /* [L*D][N][C], [L*D][N][H]; c0 is NULL unless lstm */
    double worst;             /* absolute, or relative where values exceed 1 */
} golden_case;

static const char *const tensor_names[N_TENSORS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh",
                                                    "weight_hr"};

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
    return k == 0 ? c->I : c->D * c->C;
}

static bool has_tensor(const golden_case *c, size_t i)
{
    return i < 2 || (i < 4 && c->bias) || (i == 4 && c->C != c->H);
}

static void load_unit(golden_case *c, size_t k, size_t d)
{
    unit *u = &c->units[k][d];
    const rnn_recurrent_cfg cfg = {.cell = c->cell,
                                   .n_in = inputs_of(c, k),
                                   .n_hid = c->H,
                                   .n_proj = c->C != c->H ? c->C : 0,
                                   .reverse = d == 1};

    snprintf(u->suffix, sizeof u->suffix, "l%zu%s", k, d == 1 ? "_reverse" : "");
    for (size_t i = 0; i < N_TENSORS; i++) {
        char path[64];

        snprintf(path, sizeof path, "param/%s_%s", tensor_names[i], u->suffix);
        if (has_tensor(c, i))
            u->params[i] = golden_floats(c->group, path);
    }
    assert_int_equal(rnn_recurrent_create(&u->layer, &cfg), RNN_OK);
    assert_int_equal(rnn_recurrent_task_create(&u->task, u->layer), RNN_OK);
    for (size_t part = 0; part < 3; part++) /* in parts, as threads do it */
        rnn_recurrent_pack(u->layer,
                           &(rnn_recurrent_params){u->params[0], u->params[1], u->params[2],
                                                   u->params[3], u->params[4]},
                           part, 3);
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
    c->C = H5Aexists(c->group, "proj_size") > 0 ? golden_size(c->group, "proj_size") : 0;
    c->C = c->C > 0 ? c->C : c->H;
    c->L = golden_size(c->group, "num_layers");
    c->D = golden_size(c->group, "bidirectional") + 1;
    c->bias = golden_size(c->group, "bias");
    if (golden_size(c->group, "variable_length"))
        c->length = golden_read(c->group, "lengths", H5T_NATIVE_INT32, NULL);
    c->y[0] = golden_floats(c->group, "x");
    c->h0 = golden_floats(c->group, "h0");
    c->c0 = c->cell == RNN_CELL_LSTM ? golden_floats(c->group, "c0") : NULL;
    c->wants_c_n = c->c0 != NULL;
    for (size_t k = 0; k < c->L; k++) {
        for (size_t d = 0; d < c->D; d++)
            load_unit(c, k, d);
        c->y[k + 1] = malloc(c->T * c->N * c->D * c->C * sizeof(float));
        for (size_t i = 0; i < c->T * c->N * c->D * c->C; i++)
            c->y[k + 1][i] = NAN; /* every value must be written */
    }
}

static void free_case(golden_case *c)
{
    for (size_t k = 0; k < c->L; k++) {
        for (size_t d = 0; d < c->D; d++) {
            rnn_recurrent_task_destroy(&c->units[k][d].task);
            rnn_recurrent_destroy(&c->units[k][d].layer);
            for (int i = 0; i < N_TENSORS; i++)
                free(c->units[k][d].params[i]);
        }
        free(c->y[k + 1]);
    }
    free(c->length);
    free(c->y[0]);
    free(c->h0);
    free(c->c0);
    H5Gclose(c->group);
}

/* The part of layer k and direction d of a [L*D][N][width] array; NULL stays NULL. */
static float *state_of(const golden_case *c, float *states, size_t k, size_t d, size_t width)
{
    return states != NULL ? states + (k * c->D + d) * c->N * width : NULL;
}

static void check_forward(golden_case *c)
{
    const rnn_recurrent_slice slice = {c->T, c->N, c->length, c->D * c->C};
    size_t n_states = c->L * c->D * c->N;
    float *h_n = calloc(n_states * c->C, sizeof(float));
    float *c_n = c->wants_c_n ? calloc(n_states * c->H, sizeof(float)) : NULL;

    for (size_t k = 0; k < c->L; k++)
        for (size_t d = 0; d < c->D; d++) {
            const rnn_recurrent_states states = {.h0 = state_of(c, c->h0, k, d, c->C),
                                                 .c0 = state_of(c, c->c0, k, d, c->H),
                                                 .h_n = state_of(c, h_n, k, d, c->C),
                                                 .c_n = state_of(c, c_n, k, d, c->H)};

            assert_int_equal(rnn_recurrent_forward(c->units[k][d].task, &slice, c->y[k], &states,
                                                   c->y[k + 1] + d * c->C),
                             RNN_OK);
        }
    compare(c, "out", c->y[c->L], c->T * c->N * c->D * c->C);
    compare(c, "h_n", h_n, n_states * c->C);
    if (c_n != NULL)
        compare(c, "c_n", c_n, n_states * c->H);
    free(h_n);
    free(c_n);
}

static void check_param_grads(golden_case *c, const unit *u, size_t k, const float *packed)
{
    size_t gates = rnn_cell_gates(c->cell) * c->H;
    const size_t counts[N_TENSORS] = {gates * inputs_of(c, k), gates * c->C, gates, gates,
                                      c->C * c->H};
    float *grads[N_TENSORS] = {NULL};

    for (size_t i = 0; i < N_TENSORS; i++)
        if (has_tensor(c, i))
            grads[i] = calloc(counts[i], sizeof(float));
    for (size_t part = 0; part < 2; part++)
        rnn_recurrent_unpack(
            u->layer, packed,
            &(rnn_recurrent_grads){grads[0], grads[1], grads[2], grads[3], grads[4]}, part, 2);
    for (size_t i = 0; i < N_TENSORS; i++) {
        char path[64];

        snprintf(path, sizeof path, "grad/%s_%s", tensor_names[i], u->suffix);
        if (has_tensor(c, i))
            compare(c, path, grads[i], counts[i]);
        free(grads[i]);
    }
}

/* What past the ends torch never sees must not come in here either. */
static void clear_past_ends(const golden_case *c, float *dy)
{
    size_t width = c->D * c->C;

    for (size_t i = 0; c->length != NULL && i < c->T * c->N; i++)
        if ((int32_t)(i / c->N) >= c->length[i % c->N])
            memset(dy + i * width, 0, width * sizeof(float));
}

/* One direction of one layer; its dx is added to `dx`. */
static void check_backward_unit(golden_case *c, size_t k, size_t d, const float *dy,
                                const rnn_recurrent_state_grads *grads, float *dx)
{
    unit *u = &c->units[k][d];
    size_t count = c->T * c->N * inputs_of(c, k);
    float *own_dx = malloc(count * sizeof(float));
    float *packed = calloc(rnn_recurrent_grad_size(u->layer), sizeof(float));

    assert_int_equal(rnn_recurrent_backward(u->task, dy + d * c->C, grads, own_dx, packed), RNN_OK);
    check_param_grads(c, u, k, packed);
    for (size_t i = 0; i < count; i++)
        dx[i] += own_dx[i];
    free(own_dx);
    free(packed);
}

static void check_backward(golden_case *c)
{
    size_t n_states = c->L * c->D * c->N;
    float *dh_n = golden_floats(c->group, "grad_h_n");
    float *dc_n = c->c0 != NULL ? golden_floats(c->group, "grad_c_n") : NULL;
    float *dh0 = calloc(n_states * c->C, sizeof(float));
    float *dc0 = dc_n != NULL ? calloc(n_states * c->H, sizeof(float)) : NULL;
    float *dy = golden_floats(c->group, "grad_out");

    clear_past_ends(c, dy);
    for (size_t k = c->L; k-- > 0;) {
        float *dx = calloc(c->T * c->N * inputs_of(c, k), sizeof(float));

        for (size_t d = 0; d < c->D; d++)
            check_backward_unit(c, k, d, dy,
                                &(rnn_recurrent_state_grads){
                                    state_of(c, dh_n, k, d, c->C), state_of(c, dc_n, k, d, c->H),
                                    state_of(c, dh0, k, d, c->C), state_of(c, dc0, k, d, c->H)},
                                dx);
        free(dy);
        dy = dx;
    }
    compare(c, "grad_x", dy, c->T * c->N * c->I);
    compare(c, "grad_h0", dh0, n_states * c->C);
    if (dc_n != NULL)
        compare(c, "grad_c0", dc0, n_states * c->H);
    free(dy);
    free(dh_n);
    free(dc_n);
    free(dh0);
    free(dc0);
}

static void check_file(const char *file_name, size_t n_expected)
{
    hid_t file = golden_open(file_name);
    H5G_info_t info;
    size_t n_cases = 0;
    double worst = 0.0;

    assert_true(H5Gget_info(file, &info) >= 0);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[128];
        golden_case c;

        H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                           H5P_DEFAULT);
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
    assert_int_equal(n_cases, n_expected);
    assert_true(worst <= tolerance);
}

/* Four kinds: 16 combinations, T = N = 1, an odd shape, two of variable length; two MNIST shapes.
 */
static void every_case_equals_torch(void **state)
{
    (void)state;
    check_file("recurrent.h5", 4 * (16 + 1 + 1 + 2) + 2);
}

/* 1, 13 and 100 units, two layers of them but for the last; ragged, and one step of one row. */
static void odd_sizes_equal_torch(void **state)
{
    (void)state;
    check_file("sizes.h5", 4 * (2 * 2 * 2 + 1));
}

static void projections_equal_torch(void **state)
{
    (void)state;
    check_file("projection.h5", 4);
}

/* -- Contracts ------------------------------------------------------------------------------- */

enum { T = 6, N = 3 };

static const rnn_recurrent_slice whole = {.seq_len = T, .rows = N};

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
    size_t I = 5, H = 9, G = rnn_cell_gates(cell) * H;

    f->cfg = (rnn_recurrent_cfg){.cell = cell, .n_in = I, .n_hid = H};
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
    rnn_recurrent_pack(f->layer, &(rnn_recurrent_params){f->w_ih, f->w_hh, f->b_ih, f->b_hh, NULL},
                       0, 1);
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
    const rnn_recurrent_states states = {.h0 = state, .c0 = state};
    const rnn_recurrent_state_grads grads = {.dh_n = state, .dc_n = state};

    assert_int_equal(rnn_recurrent_forward(f->task, &whole, f->x, &states, f->y), RNN_OK);
    assert_int_equal(rnn_recurrent_backward(f->task, f->dy, &grads, NULL, f->packed), RNN_OK);
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

/* Without a c_n the steps are not cut; what else comes out must be the same. */
static void leaving_out_c_n_changes_nothing_else(void **state)
{
    static const int32_t length[N] = {2, T, 5};
    const rnn_recurrent_slice slice = {.seq_len = T, .rows = N, .length = length};
    fixture f;
    float y[2][T * N * 9], h_n[2][N * 9], c_n[N * 9];

    (void)state;
    make(&f, RNN_CELL_LSTM);
    for (int with = 0; with < 2; with++) {
        const rnn_recurrent_states states = {.h_n = h_n[with], .c_n = with ? c_n : NULL};

        assert_int_equal(rnn_recurrent_forward(f.task, &slice, f.x, &states, y[with]), RNN_OK);
    }
    assert_true(golden_worst(y[0], y[1], T * N * 9) < 1e-6);
    assert_true(golden_worst(h_n[0], h_n[1], N * 9) < 1e-6);
    drop(&f);
}

/* A row of a slice that no sample fills: its states pass through, and no gradient comes of it. */
static void a_sequence_without_steps_passes_its_state_on(void **state)
{
    static const int32_t length[N] = {0, 3, 0};

    (void)state;
    for (int reverse = 0; reverse < 2; reverse++)
        for (int cell = RNN_CELL_TANH; cell <= RNN_CELL_GRU; cell++) {
            const rnn_recurrent_slice slice = {.seq_len = T, .rows = N, .length = length};
            bool is_lstm = cell == RNN_CELL_LSTM;
            float h0[N * 9], h_n[N * 9], c_n[N * 9], dh0[N * 9], dc0[N * 9], *dy;
            fixture f;

            make(&f, (rnn_cell)cell);
            f.cfg.reverse = reverse;
            rnn_recurrent_task_destroy(&f.task);
            rnn_recurrent_destroy(&f.layer);
            assert_int_equal(rnn_recurrent_create(&f.layer, &f.cfg), RNN_OK);
            assert_int_equal(rnn_recurrent_task_create(&f.task, f.layer), RNN_OK);
            rnn_recurrent_pack(f.layer,
                               &(rnn_recurrent_params){f.w_ih, f.w_hh, f.b_ih, f.b_hh, NULL}, 0, 1);
            for (size_t i = 0; i < N * 9; i++)
                h0[i] = 0.01f * (float)i;
            assert_int_equal(
                rnn_recurrent_forward(
                    f.task, &slice, f.x,
                    &(rnn_recurrent_states){h0, is_lstm ? h0 : NULL, h_n, is_lstm ? c_n : NULL},
                    f.y),
                RNN_OK);
            assert_memory_equal(h_n, h0, 9 * sizeof(float));
            assert_memory_equal(h_n + 18, h0 + 18, 9 * sizeof(float));
            dy = calloc(T * N * 9, sizeof(float));
            assert_int_equal(
                rnn_recurrent_backward(f.task, dy,
                                       &(rnn_recurrent_state_grads){h0, is_lstm ? h0 : NULL, dh0,
                                                                    is_lstm ? dc0 : NULL},
                                       NULL, f.packed),
                RNN_OK);
            assert_memory_equal(dh0, h0, 9 * sizeof(float));
            if (is_lstm)
                assert_memory_equal(dc0 + 18, h0 + 18, 9 * sizeof(float));
            free(dy);
            drop(&f);
        }
}

/* More shapes than are kept: those that were dropped come back. */
static void any_number_of_shapes_can_be_met(void **state)
{
    enum { MANY = 200 };
    float *x = numbers(MANY * N * 5, 1.0f), *y = calloc(MANY * N * 9, sizeof(float));
    float first[T * N * 9];
    fixture f;

    (void)state;
    make(&f, RNN_CELL_GRU);
    assert_int_equal(
        rnn_recurrent_forward(f.task, &whole, x, &(rnn_recurrent_states){.h0 = NULL}, y), RNN_OK);
    memcpy(first, y, sizeof first);
    for (size_t steps = 1; steps <= MANY; steps++) {
        const rnn_recurrent_slice slice = {.seq_len = steps, .rows = N};

        assert_int_equal(
            rnn_recurrent_forward(f.task, &slice, x, &(rnn_recurrent_states){.h0 = NULL}, y),
            RNN_OK);
    }
    assert_int_equal(
        rnn_recurrent_forward(f.task, &whole, x, &(rnn_recurrent_states){.h0 = NULL}, y), RNN_OK);
    assert_memory_equal(first, y, sizeof first);
    free(x);
    free(y);
    drop(&f);
}

static void an_impossible_shape_is_refused_with_a_message(void **state)
{
    rnn_recurrent *layer;
    const rnn_recurrent_cfg cfg = {.cell = RNN_CELL_LSTM, .n_in = 1, .n_hid = (size_t)1 << 40};

    (void)state;
    assert_int_not_equal(rnn_recurrent_create(&layer, &cfg), RNN_OK);
    assert_null(layer);
    assert_true(strlen(rnn_error_message()) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_equals_torch),
        cmocka_unit_test(odd_sizes_equal_torch),
        cmocka_unit_test(projections_equal_torch),
        cmocka_unit_test(left_out_states_mean_zeros),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(leaving_out_c_n_changes_nothing_else),
        cmocka_unit_test(a_sequence_without_steps_passes_its_state_on),
        cmocka_unit_test(any_number_of_shapes_can_be_met),
        cmocka_unit_test(an_impossible_shape_is_refused_with_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
