/*
 * What ran when: spans of named phases, in tracks of their own for threads that work side by side.
 * Recording is a clock before and one after; with a NULL timeline nothing is done.
 */
#ifndef RNN_KERNELS_TIMELINE_H
#define RNN_KERNELS_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/clock.h"
#include "kernels/status.h"

typedef enum rnn_phase {
    /* In every thread. */
    RNN_PHASE_GATHER,   /* samples in memory into a shard */
    RNN_PHASE_PACK,     /* parameters into the kernels' layouts */
    RNN_PHASE_FORWARD,  /* of one stage */
    RNN_PHASE_LOSS,     /* and its gradient */
    RNN_PHASE_BACKWARD, /* of one stage */
    RNN_PHASE_ADD,      /* gradients of shards and threads, up to this rank's sum */
    RNN_PHASE_UPDATE,   /* the optimizer's step */
    /* In the main thread, whichever threads help it. */
    RNN_PHASE_DATA,     /* waiting for a batch */
    RNN_PHASE_NEWS,     /* what ranks tell each other once per batch */
    RNN_PHASE_REDUCE,   /* gradients over ranks */
    RNN_PHASE_NORM,     /* of the gradient */
    RNN_PHASE_SHARE,    /* norm, update and exchange of an optimizer that ranks share */
    RNN_PHASE_COMPARE,  /* the ranks' parameters */
    RNN_PHASE_EVALUATE, /* a whole split */
    RNN_PHASE_CHECKPOINT,
    RNN_PHASE_STEP, /* all of a training step */
    RNN_N_PHASES
} rnn_phase;

/* "forward", ...; whether every thread has a part in it. */
const char *rnn_phase_name(rnn_phase phase);
bool rnn_phase_is_shared(rnn_phase phase);

/* Times of rnn_clock_seconds. */
typedef struct rnn_span {
    double begin, end;
    int32_t phase;
    int32_t number; /* of the model's stage, or of the step from 1 on; -1 where there is none */
} rnn_span;

typedef struct rnn_timeline rnn_timeline;

/* Keeps the first max_spans of every track, and the sums of all. RNN_ERR_MEMORY. */
rnn_status rnn_timeline_create(rnn_timeline **out, size_t n_tracks, size_t max_spans);
void rnn_timeline_destroy(rnn_timeline **timeline);

size_t rnn_timeline_n_tracks(const rnn_timeline *timeline);

/* Adds a span that ends now. One thread at a time may write to a track. */
void rnn_timeline_add(rnn_timeline *timeline, size_t track, rnn_phase phase, int number,
                      double begin);

/* Seconds in a phase: summed over a track, with track < n_tracks. */
double rnn_timeline_seconds(const rnn_timeline *timeline, size_t track, rnn_phase phase);

/* The spans of a track that were kept, in order of their ends; how many were not. Lent. */
const rnn_span *rnn_timeline_spans(const rnn_timeline *timeline, size_t track, size_t *n_spans,
                                   size_t *n_dropped);

/* Forgets spans and sums. */
void rnn_timeline_clear(rnn_timeline *timeline);

/* Around what is to be recorded:
 *     double begin = rnn_timeline_begin(timeline);
 *     ...
 *     rnn_timeline_end(timeline, track, RNN_PHASE_LOSS, -1, begin);
 */
static inline double rnn_timeline_begin(const rnn_timeline *timeline)
{
    return timeline != NULL ? rnn_clock_seconds() : 0.0;
}

static inline void rnn_timeline_end(rnn_timeline *timeline, size_t track, rnn_phase phase,
                                    int number, double begin)
{
    if (timeline != NULL)
        rnn_timeline_add(timeline, track, phase, number, begin);
}

#endif
