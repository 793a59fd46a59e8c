#include "kernels/timeline.h"

#include <string.h>

#include "kernels/memory.h"

enum { CACHE_LINE = 64 };

typedef struct track {
    _Alignas(CACHE_LINE) double seconds[RNN_N_PHASES]; /* threads write side by side */
    rnn_span *spans;                                   /* [max_spans] */
    size_t n_spans, n_dropped;
} track;

struct rnn_timeline {
    track *tracks;
    size_t n_tracks, max_spans;
};

static const struct {
    const char *name;
    bool is_shared;
} phases[RNN_N_PHASES] = {
    [RNN_PHASE_GATHER] = {"gather", true},
    [RNN_PHASE_PACK] = {"pack", true},
    [RNN_PHASE_FORWARD] = {"forward", true},
    [RNN_PHASE_LOSS] = {"loss", true},
    [RNN_PHASE_BACKWARD] = {"backward", true},
    [RNN_PHASE_ADD] = {"add", true},
    [RNN_PHASE_UPDATE] = {"update", true},
    [RNN_PHASE_DATA] = {"data", false},
    [RNN_PHASE_NEWS] = {"news", false},
    [RNN_PHASE_REDUCE] = {"reduce", false},
    [RNN_PHASE_NORM] = {"norm", false},
    [RNN_PHASE_SHARE] = {"share", false},
    [RNN_PHASE_COMPARE] = {"compare", false},
    [RNN_PHASE_EVALUATE] = {"evaluate", false},
    [RNN_PHASE_CHECKPOINT] = {"checkpoint", false},
    [RNN_PHASE_STEP] = {"step", false},
};

const char *rnn_phase_name(rnn_phase phase)
{
    return phases[phase].name;
}

bool rnn_phase_is_shared(rnn_phase phase)
{
    return phases[phase].is_shared;
}

rnn_status rnn_timeline_create(rnn_timeline **out, size_t n_tracks, size_t max_spans)
{
    rnn_timeline *t;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&t, 1, "a timeline"));
    t->max_spans = max_spans;
    RNN_TRY_GOTO(st, RNN_ALLOC(&t->tracks, n_tracks, "a timeline"), failed);
    t->n_tracks = n_tracks;
    for (size_t i = 0; i < n_tracks; i++)
        RNN_TRY_GOTO(st, RNN_ALLOC(&t->tracks[i].spans, max_spans, "the spans of a timeline"),
                     failed);
    *out = t;
    return RNN_OK;
failed:
    rnn_timeline_destroy(&t);
    return st;
}

void rnn_timeline_destroy(rnn_timeline **timeline)
{
    rnn_timeline *t = *timeline;

    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n_tracks; i++)
        rnn_free(t->tracks[i].spans);
    rnn_free(t->tracks);
    rnn_free(t);
    *timeline = NULL;
}

size_t rnn_timeline_n_tracks(const rnn_timeline *timeline)
{
    return timeline->n_tracks;
}

void rnn_timeline_add(rnn_timeline *timeline, size_t track_number, rnn_phase phase, int number,
                      double begin)
{
    track *t = &timeline->tracks[track_number];
    double end = rnn_clock_seconds();

    t->seconds[phase] += end - begin;
    if (t->n_spans < timeline->max_spans)
        t->spans[t->n_spans++] = (rnn_span){begin, end, (int32_t)phase, (int32_t)number};
    else
        t->n_dropped++;
}

double rnn_timeline_seconds(const rnn_timeline *timeline, size_t track_number, rnn_phase phase)
{
    return timeline->tracks[track_number].seconds[phase];
}

const rnn_span *rnn_timeline_spans(const rnn_timeline *timeline, size_t track_number,
                                   size_t *n_spans, size_t *n_dropped)
{
    const track *t = &timeline->tracks[track_number];

    *n_spans = t->n_spans;
    *n_dropped = t->n_dropped;
    return t->spans;
}

void rnn_timeline_clear(rnn_timeline *timeline)
{
    for (size_t i = 0; i < timeline->n_tracks; i++) {
        track *t = &timeline->tracks[i];

        memset(t->seconds, 0, sizeof t->seconds);
        t->n_spans = t->n_dropped = 0;
    }
}
