#include "dist/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dist/verdict.h"
#include "kernels/clock.h"
#include "kernels/memory.h"

/* Seconds. */
#define TICK       0.25
#define LONGEST    1.0 /* that counts between two looks at the clock: more was sleep */
#define ASK_EVERY  0.3 /* datagrams get lost */
#define ASK_FOR    1.5
#define HEED_FOR   (ASK_FOR + 1.0) /* after the last question of the rank that prevails */
#define LEAVE_IN   0.5             /* so that the line is out before a launcher sees us end */
#define UNASKED_IN 1.0             /* likewise where nobody can tell us */

enum { END_NOTES = 3, WRITE_PATIENCE_MS = 1000 };

typedef enum watch_state {
    WATCHING, /* the main thread works, or does not wait for long yet */
    ASKING,   /* the time is over: where are the others? */
    HEEDING,  /* a lower rank asks */
    LEAVING
} watch_state;

struct rnn_watchdog {
    const rnn_whereabouts *here; /* lent */
    atomic_int rank;             /* -1: not known yet */
    pthread_t thread;
    int wake; /* eventfd: stop, or look at what is new */
    atomic_bool is_stopping;
    _Atomic(double) timeout;
    _Atomic(rnn_inquiry *) inquiry; /* NULL: not connected */
    rnn_answer *answers;            /* [ranks], set before the inquiry is */

    /* The thread's own. */
    watch_state state;
    double now, clock; /* what it has lived through, and the clock at that time */
    uint64_t position; /* where the main thread was last seen */
    double since;      /* when it was first seen there */
    double waited;     /* there, when the time was over */
    double until, next_question;
    uint64_t question;
};

/* -- What is seen of the main thread ----------------------------------------------------------- */

static void copy_text(char to[RNN_NOTE_TEXT], const char *from)
{
    size_t length = from != NULL ? strnlen(from, RNN_NOTE_TEXT - 1) : 0;

    memset(to, 0, RNN_NOTE_TEXT);
    if (length > 0)
        memcpy(to, from, length);
}

static rnn_note describe(const rnn_watchdog *w, rnn_note_kind kind)
{
    const rnn_whereabouts *here = w->here;
    rnn_note note = {.kind = kind, .rank = (uint32_t)w->rank, .question = w->question};
    const char *collective;

    do {
        note.position = atomic_load_explicit(&here->position, memory_order_acquire);
        collective = atomic_load_explicit(&here->collective, memory_order_acquire);
    } while (note.position != atomic_load_explicit(&here->position, memory_order_relaxed));
    note.step = atomic_load_explicit(&here->step, memory_order_relaxed);
    copy_text(note.collective, collective);
    copy_text(note.activity, atomic_load_explicit(&here->activity, memory_order_relaxed));
    return note;
}

/* Once the main thread moves, all that was about to happen is off; but an end is an end. */
static void observe(rnn_watchdog *w)
{
    const double clock = rnn_clock_seconds(), passed = clock - w->clock;
    const uint64_t position = atomic_load_explicit(&w->here->position, memory_order_acquire);

    w->clock = clock;
    w->now += passed < LONGEST ? passed : LONGEST;
    if (position == w->position)
        return;
    w->position = position;
    w->since = w->now;
    if (w->state != LEAVING)
        w->state = WATCHING;
}

static bool waits(const rnn_watchdog *w)
{
    return rnn_position_is_inside(w->position);
}

static bool waits_too_long(const rnn_watchdog *w)
{
    const double timeout = atomic_load(&w->timeout);

    return waits(w) && timeout > 0 && w->now - w->since >= timeout;
}

/* -- The end ----------------------------------------------------------------------------------- */

/* A full pipe that nobody reads must not keep us. */
static void print_line(const char *line)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&out, 1, WRITE_PATIENCE_MS) == 1 && write(STDERR_FILENO, line, strlen(line)) < 0)
        return; /* there is no other place to tell it */
}

static rnn_hearing hearing_of(const rnn_watchdog *w, const rnn_inquiry *inquiry,
                              const rnn_note *self)
{
    rnn_hearing hearing = {.self = self, .waited = w->waited};

    if (inquiry != NULL) {
        hearing.n_ranks = rnn_inquiry_n_ranks(inquiry);
        hearing.contacts = rnn_inquiry_contacts(inquiry);
        hearing.answers = w->answers;
    }
    return hearing;
}

static void tell_all(const rnn_inquiry *inquiry, const rnn_note *note)
{
    for (int rank = 0; rank < rnn_inquiry_n_ranks(inquiry); rank++)
        if (rank != (int)note->rank)
            rnn_inquiry_send(inquiry, rank, note);
}

/* Unless the main thread has moved at the last moment. */
static void end_job(rnn_watchdog *w, const rnn_inquiry *inquiry)
{
    const rnn_note self = describe(w, RNN_NOTE_END);
    const rnn_hearing hearing = hearing_of(w, inquiry, &self);
    char line[RNN_VERDICT_SIZE];

    if (self.position != w->position)
        return;
    rnn_verdict_write(&hearing, line, sizeof line);
    print_line(line);
    for (int i = 0; inquiry != NULL && i < END_NOTES; i++)
        tell_all(inquiry, &self);
    _exit(RNN_STOPPED);
}

/* -- Asking ------------------------------------------------------------------------------------ */

static void begin_asking(rnn_watchdog *w, const rnn_inquiry *inquiry)
{
    w->state = ASKING;
    w->waited = w->now - w->since;
    w->question++;
    w->next_question = w->now;
    w->until = w->now + (inquiry != NULL ? ASK_FOR : w->rank != 0 ? UNASKED_IN : 0.0);
    for (int rank = 0; inquiry != NULL && rank < rnn_inquiry_n_ranks(inquiry); rank++)
        w->answers[rank].has_come = false;
}

/* Those again that may have come in the meantime. */
static void ask(rnn_watchdog *w, const rnn_inquiry *inquiry)
{
    const rnn_note note = describe(w, RNN_NOTE_ASK);
    const rnn_hearing hearing = hearing_of(w, inquiry, &note);

    for (int rank = 0; rank < hearing.n_ranks; rank++)
        if (rank != w->rank && !rnn_verdict_clears(&hearing, rank))
            rnn_inquiry_send(inquiry, rank, &note);
    w->next_question = w->now + ASK_EVERY;
}

static void act(rnn_watchdog *w, const rnn_inquiry *inquiry)
{
    const bool is_over = w->now >= w->until;

    if ((w->state == WATCHING || (w->state == HEEDING && is_over)) && waits_too_long(w))
        begin_asking(w, inquiry);
    else if (w->state == HEEDING && is_over)
        w->state = WATCHING;
    else if (w->state == ASKING && is_over)
        end_job(w, inquiry);
    else if (w->state == LEAVING && is_over)
        _exit(RNN_STOPPED);
    if (w->state == ASKING && inquiry != NULL && w->now >= w->next_question)
        ask(w, inquiry);
}

/* -- Listening --------------------------------------------------------------------------------- */

static void hear_question(rnn_watchdog *w, const rnn_inquiry *inquiry, const rnn_note *note,
                          const rnn_note_source *from)
{
    rnn_note answer = describe(w, RNN_NOTE_ANSWER);

    answer.question = note->question;
    rnn_inquiry_reply(inquiry, from, &answer);
    if (w->state != LEAVING && waits(w) && note->rank < (uint32_t)w->rank) {
        w->state = HEEDING;
        w->until = w->now + HEED_FOR;
    }
}

static void hear(rnn_watchdog *w, const rnn_inquiry *inquiry, const rnn_note *note,
                 const rnn_note_source *from)
{
    if (note->kind == RNN_NOTE_ASK) {
        hear_question(w, inquiry, note, from);
    } else if (note->kind == RNN_NOTE_ANSWER && w->state == ASKING &&
               note->question == w->question) {
        w->answers[note->rank] = (rnn_answer){.has_come = true, .note = *note};
    } else if (note->kind == RNN_NOTE_END && w->state != LEAVING) {
        w->state = LEAVING;
        w->until = w->now + LEAVE_IN;
    }
}

static void listen_for(rnn_watchdog *w, const rnn_inquiry *inquiry)
{
    struct pollfd sources[2] = {{.fd = w->wake, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    rnn_note note;
    rnn_note_source from;

    if (inquiry != NULL)
        sources[1].fd = rnn_inquiry_socket(inquiry);
    poll(sources, 2, (int)(1000 * TICK));
    if (sources[0].revents != 0) {
        uint64_t times;

        (void)!read(w->wake, &times, sizeof times);
    }
    observe(w);
    if (inquiry != NULL && sources[1].revents != 0)
        while (rnn_inquiry_receive(inquiry, &note, &from))
            hear(w, inquiry, &note, &from);
}

static void *watch(void *context)
{
    rnn_watchdog *w = context;

    w->clock = rnn_clock_seconds();
    while (!atomic_load(&w->is_stopping)) {
        const rnn_inquiry *inquiry = atomic_load(&w->inquiry);

        listen_for(w, inquiry);
        act(w, inquiry);
    }
    return NULL;
}

/* -- For the main thread ----------------------------------------------------------------------- */

/* Signals are for the other threads. */
static int start_thread(rnn_watchdog *w)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error != 0)
        return error;
    error = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

rnn_status rnn_watchdog_start(rnn_watchdog **out, const rnn_whereabouts *here, int rank)
{
    rnn_watchdog *w;
    int error = 0;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&w, 1, "the watchdog"));
    w->here = here;
    atomic_init(&w->rank, rank);
    atomic_init(&w->timeout, RNN_WATCHDOG_TIMEOUT);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0)
        error = errno;
    else
        error = start_thread(w);
    if (error == 0) {
        *out = w;
        return RNN_OK;
    }
    if (w->wake >= 0)
        close(w->wake);
    rnn_free(w);
    return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot start the watchdog: %s", strerror(error));
}

static void wake(rnn_watchdog *w)
{
    const uint64_t once = 1;

    (void)!write(w->wake, &once, sizeof once);
}

rnn_status rnn_watchdog_connect(rnn_watchdog *w, rnn_inquiry *inquiry, rnn_contact *contacts,
                                int n_ranks, int rank)
{
    rnn_status st = RNN_ALLOC(&w->answers, (size_t)n_ranks, "answers to the watchdog");

    if (st != RNN_OK) {
        rnn_inquiry_close(&inquiry);
        rnn_free(contacts);
        return st;
    }
    atomic_store(&w->rank, rank);
    rnn_inquiry_connect(inquiry, contacts, n_ranks, rank);
    atomic_store(&w->inquiry, inquiry);
    wake(w);
    return RNN_OK;
}

void rnn_watchdog_set_timeout(rnn_watchdog *w, double seconds)
{
    atomic_store(&w->timeout, seconds);
}

void rnn_watchdog_stop(rnn_watchdog **watchdog)
{
    rnn_watchdog *w = *watchdog;
    rnn_inquiry *inquiry;

    if (w == NULL)
        return;
    atomic_store(&w->is_stopping, true);
    wake(w);
    pthread_join(w->thread, NULL);
    inquiry = atomic_load(&w->inquiry);
    rnn_inquiry_close(&inquiry);
    close(w->wake);
    rnn_free(w->answers);
    rnn_free(w);
    *watchdog = NULL;
}
