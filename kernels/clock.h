/*
 * Time for measuring durations.
 */
#ifndef RNN_KERNELS_CLOCK_H
#define RNN_KERNELS_CLOCK_H

#include <stddef.h>

/* Seconds since some fixed moment; never goes backwards, whatever the date is set to. */
double rnn_clock_seconds(void);

/* Sorts measured durations, the shortest first. */
void rnn_clock_sort(double *seconds, size_t count);

#endif
