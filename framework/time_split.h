/*
 * Where the time of an epoch went on rank 0: sums of what its threads record (kernels/timeline.h),
 * by the few names that metrics.jsonl has for them.
 */
#ifndef RNN_FRAMEWORK_TIME_SPLIT_H
#define RNN_FRAMEWORK_TIME_SPLIT_H

#include "kernels/timeline.h"

typedef enum rnn_time_part {
    RNN_TIME_DATA,     /* waiting for a batch, and gathering it */
    RNN_TIME_PACK,     /* parameters into the kernels' layouts */
    RNN_TIME_FORWARD,  /* with the loss */
    RNN_TIME_BACKWARD, /* of all stages */
    RNN_TIME_REDUCE,   /* sums over shards, threads and ranks */
    RNN_TIME_UPDATE,   /* the gradient's norm and the optimizer's step */
    RNN_TIME_EVALUATE, /* after the epoch */
    RNN_TIME_OTHER,    /* all else: checkpoints, threads that wait for others */
    RNN_TIME_N_PARTS
} rnn_time_part;

/* "forward"; static. */
const char *rnn_time_part_name(rnn_time_part part);

typedef struct rnn_time_split {
    double seconds[RNN_TIME_N_PARTS];
} rnn_time_split;

/*
 * What a timeline has summed up so far, as the mean over its threads; without evaluation and other.
 * A difference of two is the time between them.
 */
rnn_time_split rnn_time_split_take(const rnn_timeline *timeline);

/* The time from `before` to `after`, which was `seconds`: what is in no part becomes other. */
rnn_time_split rnn_time_split_between(const rnn_time_split *before, const rnn_time_split *after,
                                      double seconds);

#endif
