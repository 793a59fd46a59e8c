#include <math.h>
#include <omp.h>

#include "framework/bench_parts.h"
#include "kernels/clock.h"
#include "kernels/cpu.h"
#include "kernels/linear.h"
#include "kernels/memory.h"

enum { SIZE = 1024, N_PRODUCTS = 4, N_TRIES = 5 };

/* A thread's own matrices, in the order x, w, y. */
static rnn_status make_matrices(float **out)
{
    RNN_TRY(RNN_ALLOC(out, 3 * (size_t)SIZE * SIZE, "matrices to multiply"));
    for (size_t i = 0; i < 2 * (size_t)SIZE * SIZE; i++)
        (*out)[i] = 0.01f * (float)(i % 97) - 0.5f;
    return RNN_OK;
}

static rnn_status multiply(float *matrices)
{
    const size_t n = (size_t)SIZE * SIZE;

    for (int i = 0; i < N_PRODUCTS; i++)
        RNN_TRY(
            rnn_linear_forward(SIZE, SIZE, SIZE, matrices, matrices + n, NULL, matrices + 2 * n));
    return RNN_OK;
}

/* Every thread does `work` on its own matrices. */
static rnn_status in_threads(int n_threads, float **matrices, bool is_preparation)
{
    rnn_status st = RNN_OK;

#pragma omp parallel num_threads(n_threads)
    {
        rnn_status mine;

        rnn_cpu_flush_denormals();
        omp_set_num_threads(1);
        mine = is_preparation ? make_matrices(&matrices[omp_get_thread_num()])
                              : multiply(matrices[omp_get_thread_num()]);
        if (mine != RNN_OK)
#pragma omp critical
            st = mine;
    }
    return st == RNN_OK ? RNN_OK
                        : RNN_FAIL(st, "cannot multiply matrices in %d threads", n_threads);
}

/* Collective. The fastest of several tries: what disturbs can only slow down. */
static rnn_status time_products(double *rate, rnn_comm *comm, int n_threads, float **matrices)
{
    const size_t of_a_thread = (size_t)2 * SIZE * SIZE * SIZE * N_PRODUCTS;
    double flop = (double)of_a_thread * n_threads * rnn_comm_size(comm);

    *rate = 0.0;
    for (int i = 0; i < N_TRIES; i++) {
        rnn_status st;
        double start, seconds;

        RNN_TRY(rnn_comm_barrier(comm));
        start = rnn_clock_seconds();
        st = in_threads(n_threads, matrices, false);
        RNN_TRY(rnn_comm_agree(comm, st)); /* all are done */
        seconds = rnn_clock_seconds() - start;
        *rate = fmax(*rate, flop / seconds);
    }
    return RNN_OK;
}

rnn_status rnn_bench_measure_peak(rnn_bench_peak *out, rnn_comm *comm, int n_threads)
{
    float **matrices;
    rnn_status st;

    RNN_TRY(rnn_comm_agree(comm, RNN_ALLOC(&matrices, (size_t)n_threads, "matrices to multiply")));
    st = rnn_comm_agree(comm, in_threads(n_threads, matrices, true));
    if (st == RNN_OK)
        st = time_products(&out->one_thread, comm, 1, matrices);
    if (st == RNN_OK)
        st = time_products(&out->all_threads, comm, n_threads, matrices);
    for (int i = 0; i < n_threads; i++)
        rnn_free(matrices[i]);
    rnn_free(matrices);
    return st;
}
