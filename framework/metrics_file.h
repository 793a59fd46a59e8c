/*
 * A run's metrics.jsonl, read back: the numbers of every epoch, as they count.
 *
 * A run that was resumed goes on from its last checkpoint and writes epochs a second time; what it
 * writes later stands. A line without its end is still being written, or was when the run was
 * killed; it does not count, and what follows it does.
 */
#ifndef RNN_FRAMEWORK_METRICS_FILE_H
#define RNN_FRAMEWORK_METRICS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

/* What an evaluation can give, in the order of the fields of a split. */
typedef enum rnn_metric {
    RNN_METRIC_LOSS,
    RNN_METRIC_ACCURACY,
    RNN_METRIC_F1,
    RNN_METRIC_PERPLEXITY,
    RNN_METRIC_BITS,
    RNN_METRIC_MSE,
    RNN_METRIC_RMSE,
    RNN_METRIC_MAE,
    RNN_N_METRICS
} rnn_metric;

/* Where time goes, as in framework/time_split.h. */
enum { RNN_METRICS_N_TIMES = 8 };

/* The numbers of a line. */
typedef enum rnn_field {
    RNN_FIELD_TRAIN, /* of the training samples, while they train; _LOSS and _ACCURACY only */
    RNN_FIELD_VALID = RNN_FIELD_TRAIN + RNN_N_METRICS,
    RNN_FIELD_TEST = RNN_FIELD_VALID + RNN_N_METRICS,
    RNN_FIELD_LR = RNN_FIELD_TEST + RNN_N_METRICS,
    RNN_FIELD_SECONDS,
    RNN_FIELD_RATE,
    RNN_FIELD_DATA_WAIT,
    RNN_FIELD_TIME,
    RNN_N_FIELDS = RNN_FIELD_TIME + RNN_METRICS_N_TIMES
} rnn_field;

/* Its name in the file, such as "valid_f1", "lr" or "time_forward"; static. */
const char *rnn_field_name(rnn_field field);

/* Words for people: "accuracy"; "bits per character". Static. */
const char *rnn_metric_name(rnn_metric metric);

/* Whether more is better; of a field, that of its metric. */
bool rnn_metric_rises(rnn_metric metric);
bool rnn_field_rises(rnn_field field);

enum { RNN_EVENT_SIZE = 16, RNN_DIGEST_SIZE = 17 };

/* A line. */
typedef struct rnn_metrics_line {
    char event[RNN_EVENT_SIZE];   /* "epoch", "resume", "stopped", "skipped", "valid", "test" */
    double epoch, step;           /* NAN: not in it */
    double values[RNN_N_FIELDS];  /* NAN: not in it, or null */
    char digest[RNN_DIGEST_SIZE]; /* "" if there is none */
} rnn_metrics_line;

/* What a file says. Empty as {0}. */
typedef struct rnn_metrics_log {
    rnn_metrics_line *epochs; /* those that count, in rising order of epochs */
    size_t n_epochs, room;
    rnn_metrics_line last; /* the last line, whatever it is about, if n_lines > 0 */
    rnn_metrics_line test; /* the samples for testing at the end of the run, if has_test */
    bool has_test;
    size_t n_lines, n_resumed, n_skipped; /* lines; resumptions; steps left out */
    size_t n_bad;                         /* lines that are none, or cannot be read */
    char first_bad[200];                  /* which, and why; if n_bad > 0 */
} rnn_metrics_log;

/*
 * One line, without its end. Fields of unknown names are fine. RNN_ERR_DATA with the column and
 * what is wrong there.
 */
rnn_status rnn_metrics_line_parse(rnn_metrics_line *out, const char *line, size_t n_bytes);

/*
 * Takes up all whole lines of a text that follows those before, and says how many bytes they were.
 * Bad ones are counted and left out; only memory can fail. A line with another line's beginning in
 * front of it, which a killed run has left, is taken for what it ends with.
 */
rnn_status rnn_metrics_log_add(rnn_metrics_log *log, const char *text, size_t n_bytes,
                               size_t *n_taken);

/* A whole file. RNN_ERR_NOINPUT, RNN_ERR_IO, RNN_ERR_DATA if it is larger than 1 GB. */
rnn_status rnn_metrics_log_read(rnn_metrics_log *log, const char *path);

void rnn_metrics_log_free(rnn_metrics_log *log);

/* Whether any epoch has a finite number for it. */
bool rnn_metrics_log_has(const rnn_metrics_log *log, rnn_field field);

/* The epoch that is best in a field of a metric, NULL if none is finite. */
const rnn_metrics_line *rnn_metrics_log_best(const rnn_metrics_log *log, rnn_field field);

/*
 * The files of a run that was named by its folder or by its metrics.jsonl; rnn_free memory.
 * RNN_ERR_NOINPUT if there is no such folder or file.
 */
rnn_status rnn_metrics_find(const char *run, char **folder, char **file);

#endif
