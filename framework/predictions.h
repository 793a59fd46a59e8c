/*
 * What a model of texts answered in an epoch, as text.
 */
#ifndef RNN_FRAMEWORK_PREDICTIONS_H
#define RNN_FRAMEWORK_PREDICTIONS_H

#include <stddef.h>

#include "framework/run.h"
#include "kernels/status.h"

/* Remembers what this rank's shards of the last batch predicted, at the samples' own places. */
void rnn_predictions_keep(rnn_run *run, const rnn_batch *batch);

/*
 * Collective. The predictions of the epoch's training samples, in their order and separated by
 * ", ", in rnn_alloc memory; then forgets them. NULL if the data is not text.
 */
rnn_status rnn_predictions_take(rnn_run *run, char **text);

#endif
