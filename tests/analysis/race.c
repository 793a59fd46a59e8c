/*
 * What tests/analysis/threads must be able to see: with "unguarded" OpenMP threads and a thread of
 * our own write what others write; with "guarded" they do not, which only a tool that knows
 * OpenMP's barriers and pthread's mutexes can tell.
 */
#include <omp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { N = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool is_guarded;
static int total;
static int shared[N];

static void add(int amount)
{
    if (is_guarded)
        pthread_mutex_lock(&mutex);
    total += amount;
    if (is_guarded)
        pthread_mutex_unlock(&mutex);
}

static void *add_all(void *unused)
{
    (void)unused;
    for (int i = 0; i < N; i++)
        add(1);
    return NULL;
}

/* Each thread writes its part, then reads its neighbour's; it has to wait in between. */
static void pass_on(void)
{
#pragma omp parallel num_threads(3)
    {
        int me = omp_get_thread_num(), next = (me + 1) % omp_get_num_threads();

        shared[me] = me;
        if (is_guarded) {
#pragma omp barrier
        }
        add(shared[next]);
    }
}

int main(int argc, char **argv)
{
    pthread_t thread;

    is_guarded = argc < 2 || strcmp(argv[1], "unguarded") != 0;
    if (pthread_create(&thread, NULL, add_all, NULL) != 0)
        return 1;
    pass_on();
    pthread_join(thread, NULL);
    printf("%s: %d\n", is_guarded ? "guarded" : "unguarded", total);
    return 0;
}
