/*
 * Cores for a rank's threads (hwloc). mpirun of Open MPI binds each of one or two ranks to a single
 * core, where all threads of the rank would share it.
 */
#ifndef RNN_DIST_AFFINITY_H
#define RNN_DIST_AFFINITY_H

#include <stdbool.h>

#include "dist/comm.h"

typedef struct rnn_affinity {
    int node_cores; /* cores this job may use on the node: in any rank's mask, after any change */
    int allowed_cores;   /* cores in this rank's mask, after any change */
    bool was_bound;      /* the mask was narrower than this rank's share of the whole node */
    bool rebound;        /* this call widened the mask to the rank's share of the node */
    int threads;         /* threads this rank should use: its request, or its share, at least 1 */
    bool oversubscribed; /* ranks x threads on this node, or threads in this mask, exceed cores */
} rnn_affinity;

/*
 * Collective. `requested_threads` 0 = choose: the node's cores divided among its ranks, within this
 * rank's mask. With `may_rebind`, a rank that Open MPI bound by default (not by the user's
 * --bind-to) to fewer cores than its threads is moved to its contiguous share of the node's cores;
 * a mask set in any other way (taskset, Slurm, explicit binding) is respected. From version 5 on
 * Open MPI does not tell its ranks who asked for the binding: there a single core with at most two
 * ranks counts as the default.
 *
 * Call it before OpenMP starts threads, which inherit the mask. Cannot fail: without topology it
 * falls back to the affinity mask.
 */
void rnn_affinity_setup(rnn_affinity *out, rnn_comm *comm, int requested_threads, bool may_rebind);

/* "hwloc 2.9.0"; lives as long as the program. */
const char *rnn_affinity_library(void);

#endif
