/*
 * Tokens as features: rows of a trained table (torch.nn.Embedding), or one-hot rows. A negative
 * token is padding of a slice, not a token: it gives zeros and gets no gradient.
 */
#ifndef RNN_KERNELS_EMBEDDING_H
#define RNN_KERNELS_EMBEDDING_H

#include <stddef.h>
#include <stdint.h>

/*
 * y[r] = weight[token[r]]
 *   token   [rows], below n_tokens
 *   weight  [n_tokens][dim]
 *   y       [rows][dim] (out)
 */
void rnn_embedding_forward(size_t rows, size_t dim, const int32_t *token, const float *weight,
                           float *y);

/*
 * dweight[token[r]] += dy[r], row after row.
 *   padding_idx  rows with this token are left out; -1 = none
 *   dy           [rows][dim]
 *   dweight      [n_tokens][dim]
 */
void rnn_embedding_backward(size_t rows, size_t dim, const int32_t *token, int64_t padding_idx,
                            const float *dy, float *dweight);

/*
 * y[r] is 1 at token[r] and 0 elsewhere.
 *   token  [rows], below n_classes
 *   y      [rows][n_classes] (out)
 */
void rnn_onehot_forward(size_t rows, size_t n_classes, const int32_t *token, float *y);

#endif
