/*
 * Time for measuring durations.
 */
#ifndef RNN_KERNELS_CLOCK_H
#define RNN_KERNELS_CLOCK_H

/* Seconds since some fixed moment; never goes backwards, whatever the date is set to. */
double rnn_clock_seconds(void);

#endif
