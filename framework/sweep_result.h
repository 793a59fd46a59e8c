/*
 * What a run of a sweep came to, from its metrics.jsonl.
 */
#ifndef RNN_FRAMEWORK_SWEEP_RESULT_H
#define RNN_FRAMEWORK_SWEEP_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framework/config.h"
#include "kernels/status.h"

enum { RNN_SWEEP_METRIC_SIZE = 48 };

/* A metric as metrics.jsonl has it. */
typedef struct rnn_sweep_metric {
    char name[RNN_SWEEP_METRIC_SIZE]; /* "valid_loss"; without a split, "loss", of the one that runs
                                         are compared by; "" = as best.h5 */
    bool more_is_better;
} rnn_sweep_metric;

typedef struct rnn_sweep_result {
    double value;   /* the best of all epochs; NAN: there is none */
    uint64_t epoch; /* in which it was reached */
    uint64_t n_epochs;
    char metric[RNN_SWEEP_METRIC_SIZE]; /* its name in the file */
} rnn_sweep_result;

/*
 * `by` as a user writes it, "valid.loss" or "loss"; NULL: what checkpoint.best says. RNN_ERR_USAGE
 * for a metric or a split that there is not.
 */
rnn_status rnn_sweep_metric_choose(rnn_sweep_metric *out, const char *by, const rnn_config *config);

/*
 * Reads the epochs of a run that count, see framework/metrics_file.h; without the file, or without
 * an epoch in it, value is NAN. RNN_ERR_DATA if it is too large, RNN_ERR_IO, RNN_ERR_MEMORY.
 */
rnn_status rnn_sweep_result_read(rnn_sweep_result *out, const char *path, rnn_sweep_metric *metric);

#endif
