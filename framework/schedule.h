/*
 * Learning rate as a function of progress alone, so a resumed run continues it exactly.
 */
#ifndef RNN_FRAMEWORK_SCHEDULE_H
#define RNN_FRAMEWORK_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

typedef enum rnn_schedule_type {
    RNN_SCHEDULE_CONSTANT,
    RNN_SCHEDULE_STEP,   /* torch StepLR: lr * gamma^(epoch / step_size) */
    RNN_SCHEDULE_COSINE, /* torch CosineAnnealingLR over total_steps, per step, from lr to min_lr */
    RNN_SCHEDULE_ONE_CYCLE, /* torch OneCycleLR over total_steps, in two phases; lr is its max_lr */
    RNN_SCHEDULE_PLATEAU    /* constant, but for the factor of framework/plateau.h */
} rnn_schedule_type;

/* How one_cycle goes from one rate to another. */
typedef enum rnn_anneal { RNN_ANNEAL_COS, RNN_ANNEAL_LINEAR } rnn_anneal;

typedef struct rnn_schedule_cfg {
    rnn_schedule_type type;
    uint64_t warmup_steps; /* linear: step s (0-based) gets lr * (s + 1) / (warmup_steps + 1) */
    uint64_t step_size;    /* epochs, > 0, for STEP */
    double gamma;          /* for STEP */
    double min_lr;         /* for COSINE */

    /* For ONE_CYCLE, which wants no warm-up: up from lr / div_factor to lr in the first pct_start
     * of the steps, then down to lr / div_factor / final_div_factor. */
    double pct_start;                    /* 0 to 1 */
    double div_factor, final_div_factor; /* > 0 */
    rnn_anneal anneal;
} rnn_schedule_cfg;

/*
 * Learning rate of step `step` (0-based, of total_steps) in `epoch` (0-based). Cosine anneals over
 * the steps after warm-up. Cannot fail.
 */
double rnn_schedule_lr(const rnn_schedule_cfg *cfg, double base_lr, uint64_t epoch, uint64_t step,
                       uint64_t total_steps);

#endif
