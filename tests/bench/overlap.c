/*
 * overlap: how much of a sum over ranks hides behind computing, in four ways of helping MPI along.
 * Run by tests/bench/overlap.
 *
 *     mpirun -n 2 overlap PARAMETERS COMPUTE_MS BUCKETS
 *
 * Every rank computes for so long and has a bucket of gradients ready after each equal part of it,
 * as a backward pass has.
 */
#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/clock.h"

enum { MAX_BUCKETS = 64, ROUNDS = 15, WARM_UP = 2, N_VALUES = 1024, PART_US = 200 };

typedef enum progress_way {
    NOTHING_TO_SUM,
    AFTERWARDS,
    STARTED,
    TESTED,
    BY_THREAD,
    N_WAYS
} progress_way;

static const char *const names[N_WAYS] = {
    "computing alone", "summed afterwards", "started early, waited for",
    "started early, MPI_Test every 0.2 ms", "started early, tested by a thread"};

typedef struct work {
    float *grads;
    int bucket, n_buckets; /* values in one; buckets */
    int n_parts;           /* of computing, per bucket */
    progress_way way;
    MPI_Request requests[MAX_BUCKETS];
    atomic_int n_started;
    atomic_bool is_over;  /* for the thread */
    pthread_mutex_t lock; /* of the requests, for the thread */
} work;

/* About PART_US microseconds on one core once calibrated. */
static volatile float sink;
static size_t loops = 1;

static void compute_part(void)
{
    static float values[N_VALUES];

    for (size_t i = 0; i < loops; i++)
        for (size_t k = 0; k < N_VALUES; k++)
            values[k] = values[k] * 0.999f + 0.5f;
    sink = values[loops % N_VALUES];
}

static void calibrate(void)
{
    double start, seconds = 0.0;

    for (loops = 64; seconds < 0.05; loops *= 2) {
        start = MPI_Wtime();
        compute_part();
        seconds = MPI_Wtime() - start;
    }
    loops = (size_t)((double)(loops / 2) * 1e-6 * PART_US / seconds) + 1;
}

/* Lets MPI work on what has been started; whether all of it is done. */
static bool test_all(work *w)
{
    int is_done;

    (void)pthread_mutex_lock(&w->lock);
    MPI_Testall(atomic_load(&w->n_started), w->requests, &is_done, MPI_STATUSES_IGNORE);
    (void)pthread_mutex_unlock(&w->lock);
    return is_done != 0;
}

static void start_bucket(work *w, int bucket)
{
    (void)pthread_mutex_lock(&w->lock);
    MPI_Iallreduce(MPI_IN_PLACE, w->grads + (size_t)bucket * (size_t)w->bucket, w->bucket,
                   MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &w->requests[bucket]);
    atomic_store(&w->n_started, bucket + 1);
    (void)pthread_mutex_unlock(&w->lock);
}

static void *progress(void *argument)
{
    const struct timespec pause = {.tv_nsec = 1000L * PART_US};
    work *w = argument;

    while (!atomic_load(&w->is_over)) {
        (void)test_all(w);
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

static void compute_bucket(work *w)
{
    for (int i = 0; i < w->n_parts; i++) {
        compute_part();
        if (w->way == TESTED)
            (void)test_all(w);
    }
}

static void sum_afterwards(work *w)
{
    for (int b = 0; b < w->n_buckets; b++)
        MPI_Allreduce(MPI_IN_PLACE, w->grads + (size_t)b * (size_t)w->bucket, w->bucket, MPI_FLOAT,
                      MPI_SUM, MPI_COMM_WORLD);
}

static double step(work *w)
{
    pthread_t thread;
    double start;

    atomic_store(&w->n_started, 0);
    atomic_store(&w->is_over, false);
    if (w->way == BY_THREAD && pthread_create(&thread, NULL, progress, w) != 0)
        MPI_Abort(MPI_COMM_WORLD, 71);
    MPI_Barrier(MPI_COMM_WORLD);
    start = MPI_Wtime();
    for (int b = 0; b < w->n_buckets; b++) {
        compute_bucket(w);
        if (w->way >= STARTED)
            start_bucket(w, b);
    }
    if (w->way == AFTERWARDS)
        sum_afterwards(w);
    else if (w->way == BY_THREAD)
        while (!test_all(w)) {
        }
    else if (w->way >= STARTED)
        MPI_Waitall(w->n_buckets, w->requests, MPI_STATUSES_IGNORE);
    start = MPI_Wtime() - start;
    if (w->way == BY_THREAD) {
        atomic_store(&w->is_over, true);
        (void)pthread_join(thread, NULL);
    }
    return start;
}

static double median_step(work *w, progress_way way)
{
    double seconds[ROUNDS];

    w->way = way;
    for (int i = -WARM_UP; i < ROUNDS; i++)
        seconds[i < 0 ? 0 : i] = step(w);
    rnn_clock_sort(seconds, ROUNDS);
    return seconds[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    work w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    double ms[N_WAYS];
    int provided, rank;

    if (argc != 4 || (w.n_buckets = atoi(argv[3])) < 1 || w.n_buckets > MAX_BUCKETS ||
        (w.bucket = atoi(argv[1]) / w.n_buckets) < 1) {
        fprintf(stderr, "usage: overlap PARAMETERS COMPUTE_MS BUCKETS\n");
        return 64;
    }
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    w.n_parts = (int)(atof(argv[2]) * 1e3 / PART_US / w.n_buckets + 0.5);
    w.grads = calloc((size_t)w.bucket * (size_t)w.n_buckets, sizeof *w.grads);
    if (w.grads == NULL)
        MPI_Abort(MPI_COMM_WORLD, 71);
    calibrate();
    for (progress_way way = 0; way < N_WAYS; way++) {
        if (way == BY_THREAD && provided < MPI_THREAD_MULTIPLE)
            break;
        ms[way] = 1e3 * median_step(&w, way);
        if (rank != 0)
            continue;
        printf("    %-38s %8.2f ms", names[way], ms[way]);
        if (way > AFTERWARDS)
            printf("   hides %3.0f %% of the sum",
                   100.0 * (ms[AFTERWARDS] - ms[way]) / (ms[AFTERWARDS] - ms[NOTHING_TO_SUM]));
        printf("\n");
    }
    free(w.grads);
    MPI_Finalize();
    return 0;
}
