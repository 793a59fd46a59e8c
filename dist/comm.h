/*
 * How ranks agree. The only folder that knows MPI; the rest of the program sees rnn_comm.
 *
 * Without a launcher (no mpirun, no srun) the communicator has one rank and MPI is never started.
 * Every function marked collective must be called by all ranks in the same order. MPI is called
 * from the main thread only (MPI_THREAD_FUNNELED), outside parallel regions.
 */
#ifndef RNN_DIST_COMM_H
#define RNN_DIST_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

typedef struct rnn_comm rnn_comm;

/*
 * Collective. Starts MPI if the environment shows a launcher (Open MPI, MPICH/Hydra, PMIx, Slurm
 * step with more than one task), else makes a one-rank communicator. Errors: RNN_ERR_UNAVAILABLE if
 * MPI cannot give MPI_THREAD_FUNNELED, or if Slurm started several tasks and MPI sees only one. Of
 * errors that all ranks know of, only rank 0 has the message; that of the others is empty.
 */
rnn_status rnn_comm_create(rnn_comm **out);

/* Collective. Shuts MPI down if rnn_comm_create started it. */
void rnn_comm_destroy(rnn_comm **comm);

int rnn_comm_rank(const rnn_comm *comm);
int rnn_comm_size(const rnn_comm *comm);

/* Ranks on this rank's node, and this rank's number among them. */
int rnn_comm_node_rank(const rnn_comm *comm);
int rnn_comm_node_size(const rnn_comm *comm);

/* Number of nodes over all ranks. */
int rnn_comm_n_nodes(const rnn_comm *comm);

/* Version text of the MPI library, one line; "none" without MPI. Lent. */
const char *rnn_comm_library(const rnn_comm *comm);

/*
 * Collective. Every rank brings its status and returns the same one: RNN_OK if all are, else that
 * of the lowest failing rank, whose message (its number in front when there are several ranks and
 * it does not begin with a rank yet) becomes the message of every rank.
 */
rnn_status rnn_comm_agree(rnn_comm *comm, rnn_status mine);

/* Collective. Copies bytes of rank `root` to all. Any size. */
rnn_status rnn_comm_broadcast(rnn_comm *comm, void *bytes, size_t n_bytes, int root);

/*
 * Collective. values[i] becomes the sum over ranks. Exact, and so independent of the order, when
 * for every i at most one rank brings a value other than zero: that is what it is for (loss of
 * shard i), and small counts.
 */
rnn_status rnn_comm_sum_exact(rnn_comm *comm, double *values, size_t count);

/*
 * Collective. RNN_ERR_DISAGREE on all ranks unless every rank brings the same digest of `what`;
 * the message names the first rank that differs from rank 0, and both digests.
 */
rnn_status rnn_comm_compare(rnn_comm *comm, uint64_t digest, const char *what);

/*
 * Collective. *odd = the lowest rank whose digest is not the one that most ranks bring (of equally
 * many: rank 0's side is right), *n_odd how many such ranks there are; if all bring the same one,
 * the number of ranks and 0.
 */
rnn_status rnn_comm_find_odd(rnn_comm *comm, uint64_t digest, int *odd, int *n_odd);

/*
 * Collective. As rnn_comm_compare for a text of lines ("key = value"): the message names the first
 * line that differs, on which rank, and both versions.
 */
rnn_status rnn_comm_compare_text(rnn_comm *comm, const char *text, const char *what);

/* Collective. */
rnn_status rnn_comm_barrier(rnn_comm *comm);

/* -- Ranks that wait in vain --------------------------------------------------------------------
 */

/*
 * When a rank has waited for others for so many seconds in one collective, the job ends: by
 * _exit(RNN_STOPPED) on every rank that is alive, whatever it does, with one line on stderr that
 * names the collective, the step and the ranks that are missing. 0 = never; 300 until this is
 * called. The same on all ranks. See dist/watchdog.h.
 */
void rnn_comm_set_timeout(rnn_comm *comm, double seconds);

/* What this rank is at, for the messages of others that wait for it. Cheap, no MPI. Steps count
 * from 1; `what` is a text that lives as long as the program, "reading data". */
void rnn_comm_note_step(rnn_comm *comm, uint64_t step);
void rnn_comm_note_activity(rnn_comm *comm, const char *what);

/*
 * Whether an MPI call has failed in this process. The other ranks may then wait in a collective
 * that never ends: report, and call rnn_comm_abort.
 */
bool rnn_comm_is_broken(void);

/* Whether mpirun, srun or the like has started this process as one of several; MPI may be asleep.
 */
bool rnn_comm_is_launched(void);

/* The MPI library in one line, into `out`; MPI need not have been started. RNN_ERR_UNAVAILABLE. */
rnn_status rnn_mpi_library(char *out, size_t size);

/* Ends all ranks at once with `code` as the exit status; for states that cannot be agreed on. */
_Noreturn void rnn_comm_abort(rnn_comm *comm, rnn_status code);

#endif
