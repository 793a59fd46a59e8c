/*
 * Sums in double of long rows: the term at i goes to lane i % RNN_LANES, and the lanes are added in
 * pairs. The order, and so the bits, are the same at every vector width.
 */
#ifndef RNN_KERNELS_LANES_H
#define RNN_KERNELS_LANES_H

#include <stddef.h>

#include "kernels/target.h"

enum { RNN_LANES = 16 }; /* enough to hide the latency of an addition */

/* The sum of all lanes; destroys them. */
RNN_INLINE double rnn_lanes_total(double lanes[RNN_LANES])
{
    for (size_t half = RNN_LANES / 2; half > 0; half /= 2) {
        for (size_t k = 0; k < half; k++)
            lanes[k] += lanes[k + half];
    }
    return lanes[0];
}

#endif
