/* rnn/loss.h: the kernels of kernels/loss.h on arrays with shapes, as sums or means. */
#include <rnn/loss.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "framework/arguments.h"
#include "kernels/loss.h"

/* Rows whose labels are brought into the kernel's form at a time. */
enum { CHUNK = 256 };

static const char LABELS[] = "rnn_loss_labels", VALUES[] = "rnn_loss_values";

rnn_loss_args rnn_loss_defaults(rnn_loss_type type)
{
    return (rnn_loss_args){
        .type = type, .reduction = RNN_LOSS_REDUCTION_MEAN, .ignore_index = -100, .beta = 1.0};
}

/* -- Checks ---------------------------------------------------------------------------------- */

static rnn_status check_number(const char *call, const char *name, double value, double max)
{
    if (!(value >= 0.0 && value <= max)) /* NAN fails, too */
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected 0..%g, found %g", call, name, max, value);
    return RNN_OK;
}

static rnn_status check_args(const char *call, const rnn_loss_args *args, bool wants_labels)
{
    int type, reduction;

    RNN_TRY(rnn_check_given(call, "args", args));
    type = (int)args->type;
    reduction = (int)args->reduction;
    if (type < 0 || type > RNN_LOSS_BCE_WITH_LOGITS ||
        (type == RNN_LOSS_CROSS_ENTROPY) != wants_labels)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: type: expected %s, found %d", call,
                        wants_labels ? "0, a cross entropy" : "1..4, a loss of values", type);
    if (reduction != RNN_LOSS_REDUCTION_MEAN && reduction != RNN_LOSS_REDUCTION_SUM)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: reduction: expected 0 (mean) or 1 (sum), found %d",
                        call, reduction);
    if (wants_labels)
        RNN_TRY(check_number(call, "label_smoothing", args->label_smoothing, 1.0));
    if (type == RNN_LOSS_SMOOTH_L1)
        RNN_TRY(check_number(call, "beta", args->beta, (double)INFINITY));
    return RNN_OK;
}

/* The dimensions that an array has, at least `min`, and the number of its values. */
static rnn_status count_values(const char *call, const char *name, rnn_const_tensor tensor,
                               size_t min, size_t *n_dims, size_t *count)
{
    const size_t *shape = tensor.shape;
    char text[RNN_SHAPE_TEXT_SIZE];
    size_t n = RNN_MAX_DIMS, total = 1;
    bool is_sound;

    RNN_TRY(rnn_check_given(call, name, tensor.data));
    while (n > 0 && shape[n - 1] == 0)
        n--;
    is_sound = n >= min;
    for (size_t i = 0; i < n && is_sound; i++) {
        is_sound = shape[i] > 0 && shape[i] <= SIZE_MAX / sizeof(float) / total;
        total *= shape[i];
    }
    if (!is_sound)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "%s: %s: expected an array of %zu to 3 dimensions that fits in memory, "
                        "found %s",
                        call, name, min, rnn_shape_print(text, shape, RNN_MAX_DIMS));
    *n_dims = n;
    *count = total;
    return RNN_OK;
}

static rnn_status check_labels(const rnn_loss_args *args, rnn_const_tensor input, size_t n_dims,
                               size_t n_classes, rnn_indices labels)
{
    const size_t expected[2] = {input.shape[0], n_dims == 3 ? input.shape[1] : 0};
    size_t count = expected[0] * (expected[1] > 0 ? expected[1] : 1);
    char wanted[RNN_SHAPE_TEXT_SIZE], found[RNN_SHAPE_TEXT_SIZE];

    RNN_TRY(rnn_check_given(LABELS, "labels", labels.data));
    if (memcmp(labels.shape, expected, sizeof expected) != 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: labels: expected an array of %s, found %s", LABELS,
                        rnn_shape_print(wanted, expected, 2),
                        rnn_shape_print(found, labels.shape, 2));
    for (size_t i = 0; i < count; i++) {
        int64_t label = labels.data[i];

        if (label != args->ignore_index && (label < 0 || label >= (int64_t)n_classes))
            return RNN_FAIL(RNN_ERR_USAGE,
                            "%s: label number %zu: expected 0..%zu, or %lld, which is ignored; "
                            "found %lld",
                            LABELS, i, n_classes - 1, (long long)args->ignore_index,
                            (long long)label);
    }
    return RNN_OK;
}

/* -- Results --------------------------------------------------------------------------------- */

/* From sums to what was asked for; a mean over nothing is NAN, as torch's, but has no gradient. */
static void reduce(const rnn_loss_args *args, double loss, uint64_t n_targets, size_t count,
                   double *value, float *grad)
{
    bool is_mean = args->reduction == RNN_LOSS_REDUCTION_MEAN;
    float scale = n_targets > 0 ? 1.0f / (float)n_targets : 0.0f;

    if (value != NULL)
        *value = is_mean ? loss / (double)n_targets : loss;
    for (size_t i = 0; is_mean && grad != NULL && i < count; i++)
        grad[i] *= scale;
}

static void narrow(int32_t *narrow, const int64_t *labels, size_t count, int64_t ignore_index)
{
    for (size_t i = 0; i < count; i++)
        narrow[i] = labels[i] == ignore_index ? -1 : (int32_t)labels[i];
}

rnn_status rnn_loss_labels(const rnn_loss_args *args, rnn_const_tensor input, rnn_indices labels,
                           double *value, rnn_tensor grad)
{
    size_t n_dims, count, n_classes, rows, n_rows;
    rnn_cross_entropy_args kernel_args = {.ignore_index = -1};
    uint64_t n_targets = 0;
    double loss = 0.0;

    RNN_TRY(check_args(LABELS, args, true));
    RNN_TRY(count_values(LABELS, "input", input, 2, &n_dims, &count));
    n_classes = input.shape[n_dims - 1];
    n_rows = count / n_classes;
    if (n_classes > INT32_MAX)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: input: expected at most %d classes, found %zu", LABELS,
                        INT32_MAX, n_classes);
    RNN_TRY(check_labels(args, input, n_dims, n_classes, labels));
    RNN_TRY(rnn_check_tensor(LABELS, "grad", rnn_as_const(grad), input.shape, false));
    kernel_args.label_smoothing = args->label_smoothing;
    for (size_t first = 0; first < n_rows; first += rows) {
        size_t offset = first * n_classes;
        int32_t narrowed[CHUNK];
        rnn_loss_sums sums;

        rows = n_rows - first < CHUNK ? n_rows - first : CHUNK;
        narrow(narrowed, labels.data + first, rows, args->ignore_index);
        sums = rnn_loss_cross_entropy(&kernel_args, rows, n_classes, input.data + offset, narrowed,
                                      grad.data != NULL ? grad.data + offset : NULL, NULL);
        loss += sums.loss;
        n_targets += sums.n_targets;
    }
    reduce(args, loss, n_targets, count, value, grad.data);
    return RNN_OK;
}

rnn_status rnn_loss_values(const rnn_loss_args *args, rnn_const_tensor input,
                           rnn_const_tensor target, double *value, rnn_tensor grad)
{
    size_t n_dims, count;
    rnn_loss_sums sums;

    RNN_TRY(check_args(VALUES, args, false));
    RNN_TRY(count_values(VALUES, "input", input, 1, &n_dims, &count));
    RNN_TRY(rnn_check_tensor(VALUES, "target", target, input.shape, true));
    RNN_TRY(rnn_check_tensor(VALUES, "grad", rnn_as_const(grad), input.shape, false));
    sums = rnn_loss_elementwise(args->type, args->beta, count, input.data, target.data, grad.data);
    reduce(args, sums.loss, sums.n_targets, count, value, grad.data);
    return RNN_OK;
}
