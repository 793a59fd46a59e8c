#include "dist/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dist/whereabouts.h"

/* Text that grows up to the end of its room, where it is cut. */
typedef struct text {
    char *bytes;
    size_t size, used;
} text;

static void append(text *t, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

static void append(text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->bytes + t->used, t->size - t->used, format, args);
    va_end(args);
    if (n > 0)
        t->used += (size_t)n < t->size - t->used ? (size_t)n : t->size - t->used - 1;
}

/* A rank that has come to another collective of the same number than this one. */
static bool is_elsewhere(const rnn_hearing *h, const rnn_note *note)
{
    return note->position == h->self->position &&
           strncmp(note->collective, h->self->collective, RNN_NOTE_TEXT) != 0;
}

bool rnn_verdict_clears(const rnn_hearing *h, int rank)
{
    const rnn_note *note = &h->answers[rank].note;

    if (!h->answers[rank].has_come || is_elsewhere(h, note))
        return false;
    return rnn_position_is_inside(note->position) ||
           rnn_position_number(note->position) >= rnn_position_number(h->self->position);
}

static void append_step(text *t, const rnn_note *note)
{
    if (note->step > 0)
        append(t, " step %" PRIu64, note->step);
    else
        append(t, " the start");
}

/* What there is to say about a rank that is not cleared. */
static void append_finding(text *t, const rnn_hearing *h, int rank)
{
    const rnn_note *note = &h->answers[rank].note;

    append(t, "rank %d (host %s): ", rank, h->contacts[rank].host);
    if (!h->contacts[rank].is_open) {
        append(t, "cannot be asked");
    } else if (!h->answers[rank].has_come) {
        append(t, "does not answer");
    } else if (is_elsewhere(h, note)) {
        append(t, "waits in \"%s\" at", note->collective);
        append_step(t, note);
    } else {
        append(t, "is still at");
        append_step(t, note);
        append(t, "%s%s", note->activity[0] != '\0' ? ": " : "", note->activity);
    }
}

static void append_missing(text *t, const rnn_hearing *h)
{
    int n_missing = 0;

    for (int rank = 0; rank < h->n_ranks; rank++) {
        if (rank == (int)h->self->rank || rnn_verdict_clears(h, rank))
            continue;
        if (++n_missing > RNN_VERDICT_NAMES)
            continue;
        append(t, n_missing == 1 ? " for " : "; ");
        append_finding(t, h, rank);
    }
    if (n_missing > RNN_VERDICT_NAMES)
        append(t, " and %d more", n_missing - RNN_VERDICT_NAMES);
    if (n_missing == 0)
        append(t, "; all ranks answer and none is behind: the network between them seems broken");
}

void rnn_verdict_write(const rnn_hearing *h, char *line, size_t size)
{
    const rnn_note *self = h->self;
    text t = {.bytes = line, .size = size - 1}; /* the newline always fits */

    append(&t, "rnntrain: ");
    if (self->rank == UINT32_MAX)
        append(&t, "a rank");
    else
        append(&t, "rank %" PRIu32, self->rank);
    append(&t, " has waited %.0f s in \"%s\"", h->waited, self->collective);
    if (self->step > 0)
        append(&t, " of step %" PRIu64, self->step);
    if (self->activity[0] != '\0')
        append(&t, " (%s)", self->activity);
    if (h->contacts != NULL)
        append_missing(&t, h);
    else
        append(&t, "; for whom is unknown, there was no way to ask");
    append(&t, "; ended%s", self->step > 0 ? ", resumable from the last checkpoint" : "");
    memcpy(line + t.used, "\n", sizeof "\n");
}
