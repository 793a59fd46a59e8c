/*
 * What a person and a script see of a run: banner, progress, one line per epoch, metrics.jsonl,
 * TensorBoard's events.
 * Only rank 0 has a report that prints; on other ranks every call does nothing.
 */
#ifndef RNN_FRAMEWORK_REPORT_H
#define RNN_FRAMEWORK_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "framework/checkpoint.h"
#include "framework/run.h"
#include "framework/time_split.h"
#include "kernels/status.h"

/* One epoch, as printed and kept in the history. */
typedef struct rnn_epoch_summary {
    uint64_t epoch; /* 1-based */
    uint64_t step;
    double train_loss, train_accuracy; /* NAN: there is none */
    rnn_scores scores;                 /* of run->monitor */
    double lr, seconds, samples_per_second;
    double data_wait;     /* share of the time of training steps in which they waited for data */
    rnn_time_split split; /* of rank 0 since this start of the run, if has_split */
    bool has_split;
    uint64_t digest; /* of the parameters */
    uint64_t n_epochs;
    char *predicted; /* what a model of texts answered, rnn_alloc memory; else NULL */
} rnn_epoch_summary;

typedef struct rnn_report rnn_report;

rnn_status rnn_report_create(rnn_report **out, const rnn_run *run);
void rnn_report_destroy(rnn_report **report);

/*
 * Opens output_dir/metrics.jsonl for appending, progress.json beside it, and an event file, as far
 * as the configuration wants them. Without progress.json a run goes on, with a warning. `at` is
 * where the run begins.
 */
rnn_status rnn_report_open_metrics(rnn_report *report, const rnn_progress *at);

/* Versions, ranks x threads, data, parameter table, optimizer. */
void rnn_report_banner(rnn_report *report);

/* One line of prose, under the name in the left column ("resume", "note", "saved"). */
void rnn_report_line(rnn_report *report, const char *name, const char *format, ...)
    RNN_PRINTF_FORMAT(3, 4);

/* Where a run is inside an epoch. */
typedef struct rnn_report_place {
    uint64_t epoch; /* 1-based */
    uint64_t batch, n_batches, step;
    double loss, accuracy, samples_per_second, epoch_seconds; /* of the epoch so far */
    double lr;
} rnn_report_place;

/*
 * Progress inside an epoch: a bar on a terminal, else a line every log.interval seconds; and once a
 * second progress.json.
 */
void rnn_report_progress(rnn_report *report, const rnn_report_place *place);

/* How the run ended, for progress.json: its last word. */
void rnn_report_end(rnn_report *report, rnn_status outcome);

/* The line of a finished epoch; also a line in metrics.jsonl and an event. */
void rnn_report_epoch(rnn_report *report, const rnn_epoch_summary *summary);

/* One line, one in metrics.jsonl and an event, of the last epoch's step: what an evaluation of a
 * split gave. */
void rnn_report_scores(rnn_report *report, const char *split, const rnn_scores *scores);

/* The scores that a task has as text: "loss 0.0782, accuracy 0.9778, F1 0.9776". */
void rnn_scores_print(const rnn_scores *scores, bool has_characters, FILE *out);

/* A line in metrics.jsonl, once it is open: {"event": name, "epoch": .., "step": ..}. */
void rnn_report_event(rnn_report *report, const char *name, uint64_t epoch, uint64_t step);

#endif
