/*
 * What every thread of every rank did when, in Chrome's trace event format ("JSON Array Format" of
 * the Trace Event Format document), which ui.perfetto.dev and chrome://tracing show.
 */
#ifndef RNN_FRAMEWORK_TRACE_H
#define RNN_FRAMEWORK_TRACE_H

#include "framework/run.h"
#include "kernels/status.h"

typedef struct rnn_trace rnn_trace;

/* Of each thread: about a thousand steps. What comes after is left out, and said so. */
enum { RNN_TRACE_MAX_SPANS = 1 << 16 };

/*
 * Collective. From now on records what `run` does, which must outlive the trace. Rank 0 makes the
 * file now, so that a path that cannot be written is known before training: RNN_ERR_IO.
 */
rnn_status rnn_trace_begin(rnn_trace **out, rnn_run *run, const char *path);

/* Collective. Writes what was recorded since, of all ranks. RNN_ERR_IO, RNN_ERR_MEMORY. */
rnn_status rnn_trace_write(rnn_trace *trace);

/* Ends the recording. */
void rnn_trace_end(rnn_trace **trace);

#endif
