/*
 * For the sources of dist/ only: where the main thread of this rank is, for its watchdog to read
 * and other ranks to ask.
 *
 * The main thread brackets what waits for other ranks with rnn_collective_enter and
 * rnn_collective_leave. All ranks bracket the same collectives in the same order, so a number means
 * the same collective on every rank. Costs a few plain stores: no lock, no clock.
 */
#ifndef RNN_DIST_WHEREABOUTS_H
#define RNN_DIST_WHEREABOUTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rnn_whereabouts {
    _Atomic(uint64_t) position; /* 2 * collectives entered so far, + 1 while inside the last one */
    _Atomic(const char *) collective; /* name of the last one; texts live as long as the program */
    _Atomic(uint64_t) step;           /* from 1; 0 = not in training */
    _Atomic(const char *) activity;   /* "" = unknown */
} rnn_whereabouts;

/*
 * `name` is a text that lives as long as the program, the same on all ranks. Collectives do not
 * nest. Both stores release: who sees the name of a collective also sees that the one before ended.
 */
static inline void rnn_collective_enter(rnn_whereabouts *here, const char *name)
{
    const uint64_t position = atomic_load_explicit(&here->position, memory_order_relaxed);

    atomic_store_explicit(&here->collective, name, memory_order_release);
    atomic_store_explicit(&here->position, position + 3, memory_order_release);
}

static inline void rnn_collective_leave(rnn_whereabouts *here)
{
    const uint64_t position = atomic_load_explicit(&here->position, memory_order_relaxed);

    atomic_store_explicit(&here->position, position - 1, memory_order_release);
}

/* Instead of leave: waiting was not the same on every rank, so the collective is still to come. */
static inline void rnn_collective_postpone(rnn_whereabouts *here)
{
    const uint64_t position = atomic_load_explicit(&here->position, memory_order_relaxed);

    atomic_store_explicit(&here->position, position - 3, memory_order_release);
}

static inline bool rnn_position_is_inside(uint64_t position)
{
    return (position & 1) != 0;
}

/* Which collective: the last one entered. */
static inline uint64_t rnn_position_number(uint64_t position)
{
    return position / 2;
}

#endif
