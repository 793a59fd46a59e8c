#include "kernels/linear.h"

#include "kernels/onednn.h"

rnn_status rnn_linear_forward(size_t rows, size_t n_in, size_t n_out, const float *x,
                              const float *weight, const float *bias, float *y)
{
    RNN_TRY(rnn_onednn_sgemm('N', 'T', rows, n_out, n_in, x, n_in, weight, n_in, 0.0f, y, n_out));
    if (bias != NULL)
        for (size_t r = 0; r < rows; r++)
            for (size_t o = 0; o < n_out; o++)
                y[r * n_out + o] += bias[o];
    return RNN_OK;
}

rnn_status rnn_linear_backward(size_t rows, size_t n_in, size_t n_out, const float *x,
                               const float *weight, const float *dy, float *dx, float *dweight,
                               float *dbias)
{
    if (dx != NULL)
        RNN_TRY(
            rnn_onednn_sgemm('N', 'N', rows, n_in, n_out, dy, n_out, weight, n_in, 0.0f, dx, n_in));
    RNN_TRY(rnn_onednn_sgemm('T', 'N', n_out, n_in, rows, dy, n_out, x, n_in, 1.0f, dweight, n_in));
    if (dbias != NULL)
        for (size_t r = 0; r < rows; r++)
            for (size_t o = 0; o < n_out; o++)
                dbias[o] += dy[r * n_out + o];
    return RNN_OK;
}
