/*
 * Settings of the running thread's floating-point unit.
 */
#ifndef RNN_KERNELS_CPU_H
#define RNN_KERNELS_CPU_H

#include <stdint.h>

/*
 * Treats denormal numbers as zero in the calling thread. States that fade to denormals would make
 * a recurrent network up to 20 times slower. Every thread that computes must call it.
 */
void rnn_cpu_flush_denormals(void);

/* The calling thread's settings, and back to them. */
uint64_t rnn_cpu_get_settings(void);
void rnn_cpu_set_settings(uint64_t settings);

#endif
