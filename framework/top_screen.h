/*
 * What rnntrain top shows: a screen of a run's state, and lines of its events.
 */
#ifndef RNN_FRAMEWORK_TOP_SCREEN_H
#define RNN_FRAMEWORK_TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "framework/metrics_file.h"
#include "framework/plot_panels.h"
#include "framework/progress_file.h"

/* All that the files of a run tell at one time. */
typedef struct rnn_top_view {
    rnn_plot_run run;     /* its log may be empty */
    bool has_log;         /* metrics.jsonl */
    rnn_progress_now now; /* progress.json, if has_now */
    bool has_now;
    rnn_life life;
    int64_t time; /* seconds since 1970 */
} rnn_top_view;

/*
 * Prints lines of at most `width` columns, at most `height` of them.
 */
rnn_status rnn_top_print(const rnn_top_view *view, size_t width, size_t height, FILE *out);

/* A line about a line of metrics.jsonl. */
void rnn_top_print_line(const rnn_metrics_line *line, FILE *out);

/* A line about how the run ended. */
void rnn_top_print_end(const rnn_top_view *view, FILE *out);

/*
 * Seconds to the end of the run by the rate so far; NAN if that cannot be told. Early stopping may
 * end it before.
 */
double rnn_top_seconds_left(const rnn_top_view *view);

#endif
