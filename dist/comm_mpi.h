/*
 * For the sources of dist/ only: the communicator's inside, and how a return code of MPI becomes
 * an rnn_status.
 */
#ifndef RNN_DIST_COMM_MPI_H
#define RNN_DIST_COMM_MPI_H

#include <mpi.h>
#include <stdbool.h>

#include "dist/comm.h"
#include "dist/watchdog.h"
#include "dist/whereabouts.h"

struct rnn_comm {
    MPI_Comm world; /* our own duplicate, which returns error codes; MPI_COMM_NULL without MPI */
    MPI_Comm node;  /* the ranks of `world` that share memory with this one */
    int rank, size;
    int node_rank, node_size;
    int n_nodes;
    bool started; /* rnn_comm_create called MPI_Init_thread */
    char mpi_version[256];
    rnn_whereabouts here;
    rnn_watchdog *watchdog; /* NULL with one rank */
};

/* RNN_OK, or RNN_ERR_UNAVAILABLE with what was tried and MPI's own text for `code`. */
rnn_status rnn_mpi_check(int code, const char *tried);

/* Returns from the calling function if the MPI call fails. */
#define RNN_MPI(call, tried) RNN_TRY(rnn_mpi_check((call), (tried)))

/*
 * The same for a call that waits for other ranks, under the watchdog's eyes; `tried` is a literal.
 * All ranks must come by, in the same order: see dist/whereabouts.h.
 */
#define RNN_MPI_COLLECTIVE(comm, call, tried)                                                      \
    do {                                                                                           \
        int rnn_mpi_code_;                                                                         \
                                                                                                   \
        rnn_collective_enter(&(comm)->here, "" tried);                                             \
        rnn_mpi_code_ = (call);                                                                    \
        rnn_collective_leave(&(comm)->here);                                                       \
        RNN_MPI(rnn_mpi_code_, tried);                                                             \
    } while (0)

/* Collective. all[r] of n_bytes, on every rank, becomes what rank r has at `mine`. */
rnn_status rnn_comm_gather(rnn_comm *comm, const void *mine, size_t n_bytes, void *all);

/* Collective over the ranks of a node: words[i] becomes the bitwise or of theirs. */
rnn_status rnn_comm_node_or(rnn_comm *comm, unsigned long *words, int n_words);

#endif
