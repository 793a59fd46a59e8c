#include "kernels/activation.h"

#include <math.h>

void rnn_activation_forward(rnn_activation function, size_t count, const float *x, float *y)
{
    switch (function) {
    case RNN_ACTIVATION_TANH:
        for (size_t i = 0; i < count; i++)
            y[i] = tanhf(x[i]);
        break;
    case RNN_ACTIVATION_RELU:
        for (size_t i = 0; i < count; i++)
            y[i] = x[i] < 0.0f ? 0.0f : x[i]; /* lets a NaN through, as torch does */
        break;
    case RNN_ACTIVATION_SIGMOID:
        for (size_t i = 0; i < count; i++)
            y[i] = 1.0f / (1.0f + expf(-x[i])); /* exp may overflow: 1 / inf is right */
        break;
    }
}

void rnn_activation_backward(rnn_activation function, size_t count, const float *y, const float *dy,
                             float *dx)
{
    switch (function) {
    case RNN_ACTIVATION_TANH:
        for (size_t i = 0; i < count; i++)
            dx[i] = dy[i] * (1.0f - y[i] * y[i]);
        break;
    case RNN_ACTIVATION_RELU:
        for (size_t i = 0; i < count; i++)
            dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
        break;
    case RNN_ACTIVATION_SIGMOID:
        for (size_t i = 0; i < count; i++)
            dx[i] = dy[i] * (y[i] * (1.0f - y[i]));
        break;
    }
}
