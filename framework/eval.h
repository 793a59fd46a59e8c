/*
 * rnntrain eval: how good a trained model is.
 */
#ifndef RNN_FRAMEWORK_EVAL_H
#define RNN_FRAMEWORK_EVAL_H

#include <stdio.h>

#include "framework/trained.h"
#include "kernels/status.h"

/*
 * Collective. Prints the scores of the validation and test samples to `out` on rank 0, and for up
 * to RNN_MAX_CONFUSION classes the confusion matrix of each. RNN_ERR_DATA if there are no such
 * samples, or they have no targets.
 */
rnn_status rnn_eval(rnn_trained *trained, FILE *out);

#endif
