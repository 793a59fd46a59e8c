/*
 * Losses from outside: torch's values and gradients (losses.h5, layers.h5), and what is a mean.
 */
#include "api.h"

#include "golden.h"

static const double tolerance = 1e-6;

/* -- Against torch --------------------------------------------------------------------------- */

typedef struct loss_case {
    const char *file, *name;
    rnn_loss_type type;
    rnn_loss_reduction reduction;
    double label_smoothing;
} loss_case;

static const loss_case cases[] = {
    {"losses.h5", "cross_entropy_mean", RNN_LOSS_CROSS_ENTROPY, RNN_LOSS_REDUCTION_MEAN, 0.0},
    {"losses.h5", "cross_entropy_sum", RNN_LOSS_CROSS_ENTROPY, RNN_LOSS_REDUCTION_SUM, 0.0},
    {"losses.h5", "cross_entropy_smooth_0p1", RNN_LOSS_CROSS_ENTROPY, RNN_LOSS_REDUCTION_MEAN, 0.1},
    {"losses.h5", "cross_entropy_ignore_minus100", RNN_LOSS_CROSS_ENTROPY, RNN_LOSS_REDUCTION_MEAN,
     0.0},
    {"layers.h5", "cross_entropy_smooth_0p1_ignore_mean", RNN_LOSS_CROSS_ENTROPY,
     RNN_LOSS_REDUCTION_MEAN, 0.1},
    {"layers.h5", "cross_entropy_smooth_0p1_ignore_sum", RNN_LOSS_CROSS_ENTROPY,
     RNN_LOSS_REDUCTION_SUM, 0.1},
    {"losses.h5", "mse_mean", RNN_LOSS_MSE, RNN_LOSS_REDUCTION_MEAN, 0.0},
    {"losses.h5", "l1_mean", RNN_LOSS_L1, RNN_LOSS_REDUCTION_MEAN, 0.0},
    {"losses.h5", "smooth_l1_mean", RNN_LOSS_SMOOTH_L1, RNN_LOSS_REDUCTION_MEAN, 0.0},
    {"losses.h5", "bce_with_logits_mean", RNN_LOSS_BCE_WITH_LOGITS, RNN_LOSS_REDUCTION_MEAN, 0.0},
    {"layers.h5", "bce_with_logits_sum", RNN_LOSS_BCE_WITH_LOGITS, RNN_LOSS_REDUCTION_SUM, 0.0},
};

/* Rows and classes of every case in the files. */
static void apply(const loss_case *c, hid_t group, rnn_const_tensor input, double *value,
                  rnn_tensor grad)
{
    rnn_loss_args args = rnn_loss_defaults(c->type);

    args.reduction = c->reduction;
    args.label_smoothing = c->label_smoothing;
    if (c->type == RNN_LOSS_CROSS_ENTROPY) {
        int64_t *labels = golden_read(group, "target", H5T_NATIVE_INT64, NULL);

        OK(rnn_loss_labels(&args, input, (rnn_indices){labels, {input.shape[0]}}, value, grad));
        free(labels);
    } else {
        float *target = golden_floats(group, "target");

        OK(rnn_loss_values(&args, input, const3(target, input.shape[0], input.shape[1], 0), value,
                           grad));
        free(target);
    }
}

static void losses_equal_torch(void **state)
{
    enum { CLASSES = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = golden_open(cases[i].file);
        hid_t group = H5Gopen2(file, cases[i].name, H5P_DEFAULT);
        size_t count;
        float *input = golden_read(group, "input", H5T_NATIVE_FLOAT, &count);
        float *torch = golden_floats(group, "grad_input"), *grad = api_empty(count);
        double *torch_value = golden_read(group, "value", H5T_NATIVE_DOUBLE, NULL), value, worst;

        apply(&cases[i], group, const3(input, count / CLASSES, CLASSES, 0), &value,
              tensor3(grad, count / CLASSES, CLASSES, 0));
        worst = fmax(golden_worst(grad, torch, count),
                     fabs(value - *torch_value) / fmax(1.0, fabs(value)));
        print_message("  %-38s worst difference %.2e\n", cases[i].name, worst);
        assert_true(worst <= tolerance);
        free(input);
        free(torch);
        free(grad);
        free(torch_value);
        H5Gclose(group);
        H5Fclose(file);
    }
}

/* -- Shapes and means ------------------------------------------------------------------------ */

enum { T = 40, N = 9, CLASSES = 3, COUNT = T * N * CLASSES };

/* More rows than are worked on at a time, as three dimensions and as two, in place. */
static void three_dimensions_are_rows_of_scores(void **state)
{
    rnn_loss_args args = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    float *input = api_numbers(COUNT, 2.0f), grad[COUNT];
    int64_t labels[T * N];
    double apart, joined;

    (void)state;
    for (size_t i = 0; i < T * N; i++)
        labels[i] = i % 5 == 0 ? -100 : (int64_t)(i % CLASSES);
    OK(rnn_loss_labels(&args, const3(input, T, N, CLASSES), (rnn_indices){labels, {T, N}}, &apart,
                       tensor3(grad, T, N, CLASSES)));
    OK(rnn_loss_labels(&args, const3(input, T * N, CLASSES, 0), (rnn_indices){labels, {T * N}},
                       &joined, tensor3(input, T * N, CLASSES, 0)));
    assert_true(apart == joined);
    assert_memory_equal(grad, input, sizeof grad);
    free(input);
}

static void a_mean_over_nothing_is_nan_without_a_gradient(void **state)
{
    rnn_loss_args args = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    const float input[2][CLASSES] = {{1.0f, 2.0f, 3.0f}, {0.0f, -1.0f, 5.0f}};
    const int64_t labels[2] = {1, 1};
    float grad[2 * CLASSES] = {9.0f};
    double value;

    (void)state;
    args.ignore_index = 1;
    OK(rnn_loss_labels(&args, const3(*input, 2, CLASSES, 0), (rnn_indices){labels, {2}}, &value,
                       tensor3(grad, 2, CLASSES, 0)));
    assert_true(isnan(value));
    for (size_t i = 0; i < 2 * CLASSES; i++)
        assert_true(grad[i] == 0.0f);
    args.reduction = RNN_LOSS_REDUCTION_SUM;
    OK(rnn_loss_labels(&args, const3(*input, 2, CLASSES, 0), (rnn_indices){labels, {2}}, &value,
                       (rnn_tensor){NULL, {0}}));
    assert_true(value == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_equal_torch),
        cmocka_unit_test(three_dimensions_are_rows_of_scores),
        cmocka_unit_test(a_mean_over_nothing_is_nan_without_a_gradient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
