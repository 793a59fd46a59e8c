/*
 * For tests of the library from outside: they include nothing of ours but rnn/rnn.h.
 */
#ifndef RNN_TESTS_API_H
#define RNN_TESTS_API_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rnn/rnn.h>

/* Fails with the library's message. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != RNN_OK)                                                                      \
            fail_msg("%s", rnn_error_message());                                                   \
    } while (0)

static inline rnn_tensor tensor3(float *data, size_t a, size_t b, size_t c)
{
    return (rnn_tensor){data, {a, b, c}};
}

static inline rnn_const_tensor const3(const float *data, size_t a, size_t b, size_t c)
{
    return (rnn_const_tensor){data, {a, b, c}};
}

/* Reproducible numbers of about the given size. Free them. */
static inline float *api_numbers(size_t count, float scale)
{
    float *values = malloc((count + 1) * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = scale * sinf(1.3f * (float)i + 0.2f * (float)(i % 13));
    return values;
}

/* NANs: every value must be written. */
static inline float *api_empty(size_t count)
{
    float *values = malloc((count + 1) * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
    return values;
}

static inline rnn_module_info api_info(const rnn_module *module)
{
    rnn_module_info info;

    OK(rnn_module_get_info(module, &info));
    return info;
}

/* All parameters, or their gradients, one after another in torch's order. Free them. */
static inline float *api_read_all(rnn_module *module, int gradients)
{
    rnn_module_info info = api_info(module);
    float *all = api_empty(info.n_values), *at = all;

    for (size_t i = 0; i < info.n_parameters; i++) {
        rnn_parameter p;

        OK(rnn_module_get_parameter(module, i, &p));
        OK(gradients ? rnn_module_read_gradient(module, p.name, at, p.count)
                     : rnn_module_read_parameter(module, p.name, at, p.count));
        at += p.count;
    }
    return all;
}

static inline void api_write_all(rnn_module *module, const float *all)
{
    rnn_module_info info = api_info(module);

    for (size_t i = 0; i < info.n_parameters; i++) {
        rnn_parameter p;

        OK(rnn_module_get_parameter(module, i, &p));
        OK(rnn_module_write_parameter(module, p.name, all, p.count));
        all += p.count;
    }
}

#endif
