#include "framework/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/clock.h"
#include "kernels/memory.h"

struct rnn_trace {
    rnn_run *run;
    rnn_timeline *timeline;
    const char *path;
    FILE *file;   /* rank 0's */
    double start; /* when all ranks had come together; the zero of the file */
    bool has_events;
};

static rnn_status fail_to_write(const rnn_trace *t)
{
    return RNN_FAIL(RNN_ERR_IO, "cannot write the trace %s: %s", t->path, strerror(errno));
}

static rnn_status prepare(rnn_trace *t)
{
    RNN_TRY(
        rnn_timeline_create(&t->timeline, (size_t)t->run->affinity.threads, RNN_TRACE_MAX_SPANS));
    if (rnn_comm_rank(t->run->comm) != 0)
        return RNN_OK;
    t->file = fopen(t->path, "w");
    return t->file != NULL ? RNN_OK : fail_to_write(t);
}

rnn_status rnn_trace_begin(rnn_trace **out, rnn_run *run, const char *path)
{
    rnn_trace *t;
    rnn_status st;

    *out = NULL;
    RNN_TRY(rnn_comm_agree(run->comm, RNN_ALLOC(&t, 1, "a trace")));
    t->run = run;
    t->path = path;
    RNN_TRY_GOTO(st, rnn_comm_agree(run->comm, prepare(t)), failed);
    RNN_TRY_GOTO(st, rnn_comm_barrier(run->comm), failed);
    t->start = rnn_clock_seconds();
    rnn_run_record(run, t->timeline);
    *out = t;
    return RNN_OK;
failed:
    rnn_trace_end(&t);
    return st;
}

void rnn_trace_end(rnn_trace **trace)
{
    rnn_trace *t = *trace;

    if (t == NULL)
        return;
    rnn_run_record(t->run, NULL);
    if (t->file != NULL)
        (void)fclose(t->file); /* rnn_trace_write has looked at it */
    rnn_timeline_destroy(&t->timeline);
    rnn_free(t);
    *trace = NULL;
}

/* -- Events ------------------------------------------------------------------------------------ */

static void begin_event(rnn_trace *t)
{
    fputs(t->has_events ? ",\n" : "[\n", t->file);
    t->has_events = true;
}

static void write_names(rnn_trace *t, int rank, size_t n_tracks)
{
    begin_event(t);
    fprintf(t->file,
            "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"args\":{\"name\":\"rank %d\"}}",
            rank, rank);
    for (size_t i = 0; i < n_tracks; i++) {
        begin_event(t);
        fprintf(t->file,
                "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%zu,"
                "\"args\":{\"name\":\"thread %zu\"}}",
                rank, i, i);
    }
}

/* "forward 1 lstm": the stage's number in `rnntrain show`, and its type; or "step 7". */
static void write_name(const rnn_trace *t, const rnn_span *span)
{
    const char *phase = rnn_phase_name((rnn_phase)span->phase);

    if (span->number < 0)
        fprintf(t->file, "%s", phase);
    else if (span->phase == RNN_PHASE_STEP)
        fprintf(t->file, "%s %d", phase, (int)span->number);
    else
        fprintf(
            t->file, "%s %d %s", phase, (int)span->number,
            rnn_layer_type_name(rnn_model_stage(t->run->model, (size_t)span->number)->cfg->type));
}

static void write_span(rnn_trace *t, int rank, size_t track, const rnn_span *span)
{
    begin_event(t);
    fputs("{\"name\":\"", t->file);
    write_name(t, span);
    fprintf(t->file,
            "\",\"cat\":\"%s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%zu,\"ts\":%.3f,\"dur\":%.3f}",
            rnn_phase_name((rnn_phase)span->phase), rank, track, 1e6 * span->begin,
            1e6 * (span->end - span->begin));
}

/* -- All ranks --------------------------------------------------------------------------------- */

/* One rank's track on its way to rank 0. */
typedef struct parcel {
    size_t n_tracks, n_spans, n_dropped;
} parcel;

static parcel own_parcel(const rnn_trace *t, size_t track, const rnn_span **spans)
{
    parcel p = {.n_tracks = rnn_timeline_n_tracks(t->timeline)};

    *spans = NULL;
    if (track < p.n_tracks)
        *spans = rnn_timeline_spans(t->timeline, track, &p.n_spans, &p.n_dropped);
    return p;
}

/* The sender's spans, NULL if it has none, from its own zero on. */
static void pack_spans(const rnn_trace *t, rnn_span *into, const rnn_span *spans, size_t count)
{
    for (size_t i = 0; spans != NULL && i < count; i++) {
        into[i] = spans[i];
        into[i].begin -= t->start;
        into[i].end -= t->start;
    }
}

/* Collective. Rank `from` shows a track of its own, which rank 0 writes. */
static rnn_status pass_track(rnn_trace *t, int from, size_t track, size_t *n_tracks,
                             size_t *n_dropped)
{
    rnn_comm *comm = t->run->comm;
    const rnn_span *own;
    parcel p = own_parcel(t, track, &own);
    rnn_span *spans = NULL;
    rnn_status st;

    RNN_TRY(rnn_comm_broadcast(comm, &p, sizeof p, from));
    *n_tracks = p.n_tracks;
    *n_dropped += p.n_dropped;
    RNN_TRY(rnn_comm_agree(comm, RNN_ALLOC(&spans, p.n_spans + 1, "spans of another rank")));
    if (rnn_comm_rank(comm) == from)
        pack_spans(t, spans, own, p.n_spans);
    st = rnn_comm_broadcast(comm, spans, p.n_spans * sizeof *spans, from);
    if (st == RNN_OK && t->file != NULL) {
        if (track == 0)
            write_names(t, from, p.n_tracks);
        for (size_t i = 0; i < p.n_spans; i++)
            write_span(t, from, track, &spans[i]);
    }
    rnn_free(spans);
    return st;
}

static rnn_status finish_file(rnn_trace *t)
{
    if (t->file == NULL)
        return RNN_OK;
    fputs("\n]\n", t->file);
    if (fflush(t->file) != 0 || ferror(t->file))
        return fail_to_write(t);
    return RNN_OK;
}

rnn_status rnn_trace_write(rnn_trace *trace)
{
    rnn_trace *t = trace;
    size_t n_dropped = 0;

    rnn_run_record(t->run, NULL);
    for (int rank = 0; rank < rnn_comm_size(t->run->comm); rank++) {
        size_t n_tracks = 1;

        for (size_t track = 0; track < n_tracks; track++)
            RNN_TRY(pass_track(t, rank, track, &n_tracks, &n_dropped));
    }
    RNN_TRY(rnn_comm_agree(t->run->comm, finish_file(t)));
    if (t->file != NULL)
        printf("trace      %s; open it at ui.perfetto.dev\n", t->path);
    if (t->file != NULL && n_dropped > 0)
        printf("trace      %zu spans of later steps were left out, %d are kept of each thread\n",
               n_dropped, RNN_TRACE_MAX_SPANS);
    return RNN_OK;
}
