/*
 * measure-network: what rnntrain plan wants to know of the network, measured between two ranks as
 * the reducer uses it, both ways at once; prints "LATENCYus,BANDWIDTHMbit" for --network.
 *
 *     mpirun -n 2 --map-by node measure-network
 */
#include <mpi.h>
#include <stdio.h>

#include "kernels/clock.h"

enum { SMALL = 8, LARGE = 256 * 1024, ROUNDS = 41, WARM_UP = 5 };

/* Collective. Seconds in which two ranks exchange so many bytes: the lower quartile, other work on
 * the machine only adds. */
static double exchange(int rank, int n_bytes)
{
    static char give[LARGE], take[LARGE];
    double seconds[ROUNDS];

    for (int i = -WARM_UP; i < ROUNDS; i++) {
        double start;

        MPI_Barrier(MPI_COMM_WORLD);
        start = MPI_Wtime();
        MPI_Sendrecv(give, n_bytes, MPI_CHAR, 1 - rank, 0, take, n_bytes, MPI_CHAR, 1 - rank, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        seconds[i < 0 ? 0 : i] = MPI_Wtime() - start;
    }
    rnn_clock_sort(seconds, ROUNDS);
    return seconds[ROUNDS / 4];
}

int main(int argc, char **argv)
{
    int rank, size;
    double small, large;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size != 2) {
        fprintf(stderr, "measure-network: expected 2 ranks, found %d\n", size);
        MPI_Abort(MPI_COMM_WORLD, 64);
    }
    small = exchange(rank, SMALL);
    large = exchange(rank, LARGE);
    /* The plan takes a message for 1.25 latencies and 0.94 of the bandwidth for usable. */
    if (rank == 0 && large > small)
        printf("%.1fus,%.1fMbit\n", 1e6 * small / 1.25,
               1e-6 * 8 * (LARGE - SMALL) / (large - small) / 0.94);
    MPI_Finalize();
    return 0;
}
