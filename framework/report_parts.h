/*
 * What the files of the report share: framework/report.c prints, framework/report_files.c writes
 * what programs read.
 */
#ifndef RNN_FRAMEWORK_REPORT_PARTS_H
#define RNN_FRAMEWORK_REPORT_PARTS_H

#include "framework/event_file.h"
#include "framework/line_file.h"
#include "framework/progress_file.h"
#include "framework/report.h"

typedef enum rnn_progress_style {
    RNN_PROGRESS_BAR = 1,
    RNN_PROGRESS_LINES,
    RNN_PROGRESS_NONE
} rnn_progress_style;

struct rnn_report {
    const rnn_run *run;
    bool prints;
    rnn_progress_style style;
    bool bar_shown, header_shown, wait_shown;
    double last_progress; /* monotonic seconds */
    rnn_line_file *jsonl;
    bool jsonl_failed;                /* and that was told */
    rnn_progress_file *progress_file; /* NULL also after it could not be written */
    rnn_progress_now now;
    double last_written; /* monotonic seconds */
    rnn_event_file *events;
    bool events_failed;
    uint64_t last_step; /* of an epoch that was reported, or where the run goes on */
};

/* Into progress.json, once a second. */
void rnn_report_write_place(rnn_report *report, const rnn_report_place *place);

/* A line in metrics.jsonl and an event; progress.json. Only where the report prints. */
void rnn_report_write_epoch(rnn_report *report, const rnn_epoch_summary *summary);

/* A line in metrics.jsonl and an event. Likewise. */
void rnn_report_write_scores(rnn_report *report, const char *split, const rnn_scores *scores);

void rnn_report_close_files(rnn_report *report);

#endif
