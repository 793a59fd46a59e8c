/*
 * Checks of what callers of the library pass. The message of RNN_ERR_USAGE begins with the name of
 * the called function, then names the argument, what was expected, and what was found.
 */
#ifndef RNN_FRAMEWORK_ARGUMENTS_H
#define RNN_FRAMEWORK_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <rnn/tensor.h>

#include "kernels/status.h"

enum { RNN_SHAPE_TEXT_SIZE = 80, RNN_MAX_DIMS = 3 };

/* Puts "[5, 3, 4]" into text[RNN_SHAPE_TEXT_SIZE]; dimensions of 0 at the end are left out. */
const char *rnn_shape_print(char *text, const size_t *shape, size_t n_dims);

/* The array must be given. */
rnn_status rnn_check_given(const char *call, const char *name, const void *pointer);

/* An array that is given must have this shape, one that is needed must be given. */
rnn_status rnn_check_tensor(const char *call, const char *name, rnn_const_tensor tensor,
                            const size_t expected[RNN_MAX_DIMS], bool needed);

/* Refuses an array that is given; `why` completes "h0: ". */
rnn_status rnn_check_not_given(const char *call, const char *name, const void *data,
                               const char *why);

/* Wrong settings are a wrong configuration to the program, wrong arguments to a caller. */
rnn_status rnn_as_usage(rnn_status status);

#endif
