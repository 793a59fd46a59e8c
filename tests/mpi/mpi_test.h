/*
 * What the MPI tests share. Every rank runs the same cmocka tests. An assertion that fails on one
 * rank only would jump out and leave the others waiting, so ranks agree on the outcome first.
 */
#ifndef RNN_TESTS_MPI_TEST_H
#define RNN_TESTS_MPI_TEST_H

#include <mpi.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dist/comm.h"

static rnn_comm *comm; /* of all tests of a program */

static inline bool mpi_runs(void)
{
    int running = 0;

    MPI_Initialized(&running);
    return running;
}

/* Not by rnn_comm_agree: that is under test. */
static inline bool true_on_all(bool mine)
{
    int all = mine;

    if (mpi_runs())
        MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    return all;
}

/* Collective. The extra arguments, in printf form, say what was tried; the failing ranks print. */
#define ASSERT_ON_ALL(condition, ...)                                                              \
    do {                                                                                           \
        const bool holds_ = (condition);                                                           \
                                                                                                   \
        if (!holds_) {                                                                             \
            fprintf(stderr, "rank %d: not true: %s; ", rnn_comm_rank(comm), #condition);           \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
        }                                                                                          \
        assert_true(true_on_all(holds_));                                                          \
    } while (0)

/*
 * Starts `comm`; the first argument is the number of ranks the caller asked for. Prints the message
 * when there is no communicator of this size. Only rank 0 reports the tests that pass.
 */
static inline rnn_status start_ranks(int argc, char **argv)
{
    const int expected = argc > 1 ? atoi(argv[1]) : 1;
    rnn_status st = rnn_comm_create(&comm);

    if (st == RNN_OK && rnn_comm_size(comm) != expected)
        st = RNN_FAIL(RNN_ERR_UNAVAILABLE, "asked for %d ranks, found %d", expected,
                      rnn_comm_size(comm));
    if (st == RNN_OK && rnn_comm_rank(comm) > 0 && freopen("/dev/null", "w", stdout) == NULL)
        st = RNN_FAIL(RNN_ERR_IO, "cannot silence rank %d", rnn_comm_rank(comm));
    if (st != RNN_OK)
        fprintf(stderr, "%s\n", rnn_error_message());
    return st;
}

#endif
