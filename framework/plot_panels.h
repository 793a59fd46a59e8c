/*
 * What there is to draw of some runs, whoever draws it: panels of curves over epochs, and where
 * the time went.
 */
#ifndef RNN_FRAMEWORK_PLOT_PANELS_H
#define RNN_FRAMEWORK_PLOT_PANELS_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/metrics_file.h"
#include "framework/time_split.h"
#include "kernels/status.h"

enum { RNN_PLOT_MAX_RUNS = 32, RNN_PLOT_MAX_PANELS = 10, RNN_PLOT_NAME_SIZE = 128 };

/* A run to be drawn. */
typedef struct rnn_plot_run {
    char name[RNN_PLOT_NAME_SIZE]; /* tells it from the others; printable UTF-8 */
    char *folder, *file;           /* rnn_free memory */
    rnn_metrics_log log;           /* at least one epoch */
} rnn_plot_run;

/* How a curve was come by. */
typedef enum rnn_plot_kind {
    RNN_PLOT_TRAIN,
    RNN_PLOT_VALID,
    RNN_PLOT_TEST,
    RNN_PLOT_FINAL, /* one point: the samples for testing, at the end of the run */
    RNN_PLOT_ONLY,  /* a quantity of the run itself */
    RNN_PLOT_N_KINDS
} rnn_plot_kind;

/* "train", "valid", "test", "test at the end", ""; static. */
const char *rnn_plot_kind_name(rnn_plot_kind kind);

/* One curve: a field of a run. */
typedef struct rnn_plot_curve {
    const rnn_plot_run *run;
    size_t run_number;
    rnn_plot_kind kind;
    rnn_field field;
} rnn_plot_curve;

size_t rnn_plot_n_points(const rnn_plot_curve *curve);

/* A point; its y is NAN where the file has no finite number. */
void rnn_plot_point(const rnn_plot_curve *curve, size_t i, double *x, double *y);

typedef struct rnn_plot_panel {
    char title[64];
    rnn_plot_curve curves[4 * RNN_PLOT_MAX_RUNS];
    size_t n_curves;
    double low, high; /* of the axis, a little beyond the points */
    bool is_log;
} rnn_plot_panel;

/* All that is drawn. */
typedef struct rnn_plot {
    rnn_plot_run *runs; /* lent */
    size_t n_runs;
    rnn_plot_panel *panels; /* [RNN_PLOT_MAX_PANELS] */
    size_t n_panels;
    double last_epoch;            /* of any run */
    bool kinds[RNN_PLOT_N_KINDS]; /* which there are */
    bool has_time;                /* of any run */
} rnn_plot;

/* Only panels that have points. RNN_ERR_DATA if there is none; RNN_ERR_MEMORY. */
rnn_status rnn_plot_create(rnn_plot *out, rnn_plot_run *runs, size_t n_runs);
void rnn_plot_free(rnn_plot *plot);

/* Seconds of the epochs first .. last - 1, in their sum; false if none of them has a split. */
bool rnn_plot_time(const rnn_plot_run *run, size_t first, size_t last, rnn_time_split *split);

/*
 * Reads runs, each named by its folder or its metrics.jsonl, and names them by as much of their
 * paths' ends as tells them apart. RNN_ERR_NOINPUT; RNN_ERR_DATA if one has no epoch. Lines that
 * cannot be read are told on standard error. To be freed also after a failure.
 */
rnn_status rnn_plot_read_runs(rnn_plot_run *runs, const char *const *paths, size_t n_runs);
void rnn_plot_free_runs(rnn_plot_run *runs, size_t n_runs);

#endif
