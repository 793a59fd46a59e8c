/*
 * What the sources of framework/bench.h share. Private to them.
 */
#ifndef RNN_FRAMEWORK_BENCH_PARTS_H
#define RNN_FRAMEWORK_BENCH_PARTS_H

#include "framework/bench.h"

enum { RNN_BENCH_MAX_WAYS = 16 };

/* Seconds of a batch, over the rounds. The least is what there is to hold on to on a busy machine.
 */
typedef struct rnn_bench_time {
    double median, least;
} rnn_bench_time;

/* A way to have the bare primitives compute a rank's rows. */
typedef struct rnn_bench_way {
    size_t n_slices, rows; /* of a slice; threads take contiguous runs of slices */
    bool is_internal;      /* one slice after another, each by all threads, inside the library */
    rnn_bench_time time;   /* for the rank's rows */
} rnn_bench_way;

/* What a machine can multiply: floating-point operations a second of all ranks. */
typedef struct rnn_bench_peak {
    double one_thread, all_threads; /* busy in each rank */
} rnn_bench_peak;

/* Where the time of steps goes, in seconds of a step; phases in all threads are their means. */
typedef struct rnn_bench_split {
    double phases[RNN_N_PHASES]; /* that of RNN_PHASE_STEP is all of it */
    double other;                /* in none of them: above all, threads that wait for others */
} rnn_bench_split;

typedef struct rnn_bench_result {
    const rnn_run *run;
    size_t n_rounds;
    rnn_bench_split split;
    rnn_bench_peak peak;
    rnn_bench_time step;
    rnn_bench_way ways[RNN_BENCH_MAX_WAYS]; /* the run's shards first */
    size_t n_ways;
} rnn_bench_result;

/* Steps of a training sample, on average. */
double rnn_bench_mean_length(const rnn_run *run);

/* -- The bare primitives (bench_bare.c) ------------------------------------------------------- */

/* Those of all recurrent layers, for one way. */
typedef struct rnn_bench_bare rnn_bench_bare;

rnn_status rnn_bench_bare_create(rnn_bench_bare **out, const rnn_run *run,
                                 const rnn_bench_way *way);
void rnn_bench_bare_destroy(rnn_bench_bare **bare);

/* Every slice once: forward through all layers, backward through all layers. */
rnn_status rnn_bench_bare_run(const rnn_bench_bare *bare);

/* What its time is to be multiplied with: sequences have the data's length on average. */
double rnn_bench_bare_scale(const rnn_bench_bare *bare);

/* -- The machine (bench_peak.c) --------------------------------------------------------------- */

/* Collective. By products of large square matrices, one of its own for each thread. */
rnn_status rnn_bench_measure_peak(rnn_bench_peak *out, rnn_comm *comm, int n_threads);

/* -- Configurations of the sweep (bench_shapes.c) --------------------------------------------- */

extern const rnn_bench_shape rnn_bench_shapes[];
extern const size_t rnn_bench_n_shapes;
extern const char *const rnn_bench_cells[]; /* NULL-ended */

/*
 * Shards are as few as keep `n_workers` threads of all ranks busy, which is the fastest there.
 * Free with rnn_config_free, also after failure.
 */
rnn_status rnn_bench_configure(rnn_config *out, const char *cell, const rnn_bench_shape *shape,
                               size_t n_workers, const char *const *overrides, size_t n_overrides);

/* -- Printing, on rank 0 (bench_report.c) ----------------------------------------------------- */

void rnn_bench_print_text(const rnn_bench_result *result);
void rnn_bench_print_json(const rnn_bench_result *result);

/* The sweep's table: what is the same in all of it, and a row. */
void rnn_bench_print_head(const rnn_bench_result *result);
void rnn_bench_print_row(const rnn_bench_result *result);

#endif
