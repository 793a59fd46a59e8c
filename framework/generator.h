/*
 * A model that reads tokens one by one and gives the scores of the next: what writing text needs.
 *
 * The same scores, to the bit, on every machine, which the float kernels cannot promise: it
 * computes with kernels/exact.h. So its scores are close to those of training (some 1e-6), not
 * equal.
 */
#ifndef RNN_FRAMEWORK_GENERATOR_H
#define RNN_FRAMEWORK_GENERATOR_H

#include <stddef.h>

#include "framework/model.h"
#include "kernels/status.h"

typedef struct rnn_generator rnn_generator;

/*
 * A generator at the start of a text. The model and its parameters [model size] are borrowed and
 * outlive it. RNN_ERR_DATA, naming the layer, for a model that cannot go on from step to step: its
 * input is features, it is bidirectional, or it selects a step.
 */
rnn_status rnn_generator_create(rnn_generator **out, const rnn_model *model, const float *params);
void rnn_generator_destroy(rnn_generator **generator);

/* Back to the start of a text, where recurrent layers are in their h0 and c0. */
void rnn_generator_reset(rnn_generator *generator);

/*
 * Reads one token; as dropout does in evaluation, nothing is dropped.
 *   scores  (out) [n] the last layer's output; lent until the next call
 *   n       (out) features of the model's output, in every call
 * RNN_ERR_DATA for a token that the model does not have, which is then not read.
 */
rnn_status rnn_generator_feed(rnn_generator *generator, size_t token, const double **scores,
                              size_t *n);

#endif
