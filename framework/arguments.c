#include "framework/arguments.h"

#include <stdio.h>
#include <string.h>

const char *rnn_shape_print(char *text, const size_t *shape, size_t n_dims)
{
    size_t used = 1;

    while (n_dims > 0 && shape[n_dims - 1] == 0)
        n_dims--;
    snprintf(text, RNN_SHAPE_TEXT_SIZE, "[");
    for (size_t i = 0; i < n_dims && used < RNN_SHAPE_TEXT_SIZE; i++)
        used += (size_t)snprintf(text + used, RNN_SHAPE_TEXT_SIZE - used, "%s%zu",
                                 i > 0 ? ", " : "", shape[i]);
    if (used < RNN_SHAPE_TEXT_SIZE)
        snprintf(text + used, RNN_SHAPE_TEXT_SIZE - used, "]");
    return text;
}

rnn_status rnn_check_given(const char *call, const char *name, const void *pointer)
{
    if (pointer == NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected a pointer, found NULL", call, name);
    return RNN_OK;
}

rnn_status rnn_check_tensor(const char *call, const char *name, rnn_const_tensor tensor,
                            const size_t expected[RNN_MAX_DIMS], bool needed)
{
    char wanted[RNN_SHAPE_TEXT_SIZE], found[RNN_SHAPE_TEXT_SIZE];

    rnn_shape_print(wanted, expected, RNN_MAX_DIMS);
    if (tensor.data == NULL) {
        if (needed)
            return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected an array of %s, found NULL", call,
                            name, wanted);
        return RNN_OK;
    }
    if (memcmp(tensor.shape, expected, sizeof tensor.shape) != 0)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected an array of %s, found %s", call, name,
                        wanted, rnn_shape_print(found, tensor.shape, RNN_MAX_DIMS));
    return RNN_OK;
}

rnn_status rnn_check_not_given(const char *call, const char *name, const void *data,
                               const char *why)
{
    if (data != NULL)
        return RNN_FAIL(RNN_ERR_USAGE, "%s: %s: expected none, found an array: %s", call, name,
                        why);
    return RNN_OK;
}

rnn_status rnn_as_usage(rnn_status status)
{
    return status == RNN_ERR_DATA ? RNN_ERR_USAGE : status;
}
