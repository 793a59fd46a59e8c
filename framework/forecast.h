/*
 * What training would cost on more ranks than there are: computing is measured here, in a second or
 * two, and sums over ranks follow a model that was fitted to tests/bench/scaling-study.
 */
#ifndef RNN_FRAMEWORK_FORECAST_H
#define RNN_FRAMEWORK_FORECAST_H

#include <stddef.h>

#include "framework/run.h"
#include "kernels/status.h"

typedef struct rnn_network {
    double latency;   /* seconds from rank to rank, of a message without content */
    double bandwidth; /* bytes per second that a rank can send while it receives as many */
} rnn_network;

/* "24us,10Gbit": latency in ns, us, ms or s, bandwidth in kbit, Mbit, Gbit, MB or GB, per second.
 * RNN_ERR_USAGE with what was expected. */
rnn_status rnn_network_parse(rnn_network *out, const char *text);

/*
 * Seconds for the sum of n_values gradients over ranks that are a node each, without the additions:
 * messages that follow each other, at 1.25 latencies each (at 1.15 those of the chunk exchange,
 * which overlap), and bytes that each rank sends, at 0.9 of the bandwidth. By algorithm
 * (dist/reduce.h, which chooses), with P ranks, n values, and k the most tree nodes of one rank's
 * run:
 *
 *     halving, doubling    2 log2 P messages, 2 (P - 1) / P n values
 *     chunk exchange       k + 1 times (P - 1) / P n values; P - 1 messages k times for every 2^20
 *                          values, and once more
 *     folding              as the first, on the largest power of two below P, two messages more;
 *                          (k + 5) n values
 *     allreduce            as the first, on the largest power of two below P; if that is not P, two
 *                          messages of n values more
 */
double rnn_forecast_tree(const rnn_network *network, size_t n_ranks, size_t n_shards,
                         size_t n_values);
double rnn_forecast_allreduce(const rnn_network *network, size_t n_ranks, size_t n_values);

/* Seconds for a small sum, such as that of losses and flags in every step: log2 P messages with all
 * of it, two more if P is not a power of two. */
double rnn_forecast_small_sum(const rnn_network *network, size_t n_ranks, size_t n_bytes);

/* One row of the table: a step on n_ranks ranks. */
typedef struct rnn_forecast {
    size_t n_ranks;
    double compute; /* seconds of the rank with most shards, with its update */
    double sums;    /* seconds of sums over ranks */
    double memory;  /* bytes of rank 0 */
} rnn_forecast;

/* Measures and models; n_ranks is at most run->n_shards. `run` is one of training, alone. */
rnn_status rnn_forecast_make(rnn_run *run, const rnn_network *network, size_t n_ranks,
                             rnn_forecast *out);

/*
 * Prints forecasts for 1, 2, 4, .. and n_ranks ranks, with samples per second and efficiency (of
 * one rank's throughput per rank), and the parts of the memory. RNN_ERR_USAGE if the run has more
 * ranks than one already, or n_ranks more than shards.
 */
rnn_status rnn_forecast_print(rnn_run *run, const rnn_network *network, size_t n_ranks);

#endif
