/*
 * How good a model's answers are, beside the loss: accuracy, F1, confusion matrix, MSE, MAE, RMSE,
 * perplexity, bits per character. Counts are exact and sums are added shard by shard in a fixed
 * order, so that every number is the same for any number of ranks and threads.
 */
#ifndef RNN_FRAMEWORK_METRICS_H
#define RNN_FRAMEWORK_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/dataset.h"
#include "datasets/loader.h"
#include "dist/comm.h"
#include "framework/objective.h"
#include "framework/stage.h"
#include "kernels/status.h"

/* What kind of answers a model gives, which decides what is said about them. */
typedef enum rnn_task {
    RNN_TASK_CLASSES,  /* one of several, for a sequence or a step */
    RNN_TASK_LANGUAGE, /* the next token */
    RNN_TASK_VALUES,   /* numbers */
    RNN_TASK_MARKS     /* yes or no for each of several marks (bce_with_logits) */
} rnn_task;

rnn_task rnn_task_of(const rnn_objective *objective, const rnn_dataset_info *data);

/* NAN where a number has no meaning for the task, or nothing was counted. */
typedef struct rnn_scores {
    double n_targets; /* what the means are over: labels, or values */
    double loss;      /* as training minimises it; of standardised targets, in their units */
    double accuracy;  /* classes: of labels; marks: of all marks */
    double f1;        /* macro: the mean over classes, or marks, of 2 TP / (2 TP + FP + FN); classes
                         that neither occur nor are answered do not count */
    double perplexity;     /* exp(loss) */
    double bits;           /* loss / log 2: of characters, bits per character */
    double mse, mae, rmse; /* in the data's own units */
} rnn_scores;

extern const rnn_scores rnn_no_scores; /* of nothing: all NAN */

/* A confusion matrix of more would not be read by anybody. */
enum { RNN_MAX_CONFUSION = 40 };

typedef struct rnn_metrics rnn_metrics;

typedef struct rnn_metrics_cfg {
    rnn_objective objective;
    rnn_task task;
    rnn_shape output;         /* of the model */
    const double *target_std; /* [n_features of the output], lent; NULL: not standardised */
    size_t n_shards;          /* of the global batch */
    size_t first_shard, n_own_shards;
    int n_threads;
    bool with_confusion; /* if there are up to RNN_MAX_CONFUSION classes */
} rnn_metrics_cfg;

rnn_status rnn_metrics_create(rnn_metrics **out, const rnn_metrics_cfg *cfg);
void rnn_metrics_destroy(rnn_metrics **metrics);

/* Forgets all that was seen. */
void rnn_metrics_clear(rnn_metrics *metrics);

/* One shard of a batch, by its number among the rank's own, in the thread of `worker`. */
void rnn_metrics_see(rnn_metrics *metrics, int worker, size_t shard, const rnn_answers *answers);

/*
 * Collective. Sums over ranks what was seen, and works out the scores; of the loss, see
 * rnn_objective_mean.
 */
rnn_status rnn_metrics_finish(rnn_metrics *metrics, rnn_comm *comm, double loss,
                              rnn_scores *scores);

/* After that: how often label [row] got the answer [column], [n_classes][n_classes]; lent. NULL if
 * it was not asked for, or there are no classes or too many. */
const double *rnn_metrics_confusion(const rnn_metrics *metrics, size_t *n_classes);

#endif
