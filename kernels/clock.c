#include "kernels/clock.h"

#include <stdlib.h>
#include <time.h>

double rnn_clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void rnn_clock_sort(double *seconds, size_t count)
{
    qsort(seconds, count, sizeof *seconds, compare_doubles);
}
