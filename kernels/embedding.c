#include "kernels/embedding.h"

#include <string.h>

#include "kernels/vector.h"

void rnn_embedding_forward(size_t rows, size_t dim, const int32_t *token, const float *weight,
                           float *y)
{
    for (size_t r = 0; r < rows; r++, y += dim) {
        if (token[r] < 0)
            memset(y, 0, dim * sizeof *y);
        else
            memcpy(y, weight + (size_t)token[r] * dim, dim * sizeof *y);
    }
}

void rnn_embedding_backward(size_t rows, size_t dim, const int32_t *token, int64_t padding_idx,
                            const float *dy, float *dweight)
{
    for (size_t r = 0; r < rows; r++)
        if (token[r] >= 0 && token[r] != padding_idx)
            rnn_vector_add(dweight + (size_t)token[r] * dim, dy + r * dim, dim);
}

void rnn_onehot_forward(size_t rows, size_t n_classes, const int32_t *token, float *y)
{
    memset(y, 0, rows * n_classes * sizeof *y);
    for (size_t r = 0; r < rows; r++)
        if (token[r] >= 0)
            y[r * n_classes + (size_t)token[r]] = 1.0f;
}
