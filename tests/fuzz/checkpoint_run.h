/*
 * A small run whose checkpoints are fuzzed, with something in every corner.
 */
#ifndef RNN_TESTS_FUZZ_CHECKPOINT_RUN_H
#define RNN_TESTS_FUZZ_CHECKPOINT_RUN_H

#include <math.h>
#include <stdlib.h>

#include "framework/checkpoint.h"
#include "framework/model.h"
#include "framework/optimizer.h"
#include "kernels/memory.h"

typedef struct checkpoint_run {
    rnn_model *model;
    rnn_optimizer *optimizer;
    float *params;
    rnn_progress progress;
    rnn_history history;
    rnn_checkpoint checkpoint; /* of all these */
} checkpoint_run;

static inline void checkpoint_run_check(rnn_status st)
{
    if (st != RNN_OK)
        abort();
}

/* A GRU and what picks a class from its last step, for steps of three features. */
static inline rnn_model *checkpoint_run_model(void)
{
    const rnn_layer_cfg layers[] = {
        {.type = RNN_LAYER_GRU, .hidden_size = 2, .num_layers = 1, .bias = true},
        {.type = RNN_LAYER_SELECT},
        {.type = RNN_LAYER_LINEAR, .out_features = 2, .bias = true}};
    const rnn_shape input = {.seq_len = 4, .n_features = 3};
    rnn_model *model;

    checkpoint_run_check(rnn_model_create(&model, layers, 3, input));
    return model;
}

static inline void checkpoint_run_create(checkpoint_run *r)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);

    *r = (checkpoint_run){.progress = {.best_metric = (double)NAN},
                          .history = {.names = {"train.loss", "test.accuracy"}, .n_metrics = 2}};
    r->model = checkpoint_run_model();
    checkpoint_run_check(rnn_optimizer_create(&r->optimizer, &cfg, rnn_model_size(r->model)));
    checkpoint_run_check(RNN_ALLOC(&r->params, rnn_model_size(r->model), "parameters"));
    r->checkpoint = (rnn_checkpoint){.model = r->model,
                                     .params = r->params,
                                     .optimizer = r->optimizer,
                                     .progress = &r->progress,
                                     .history = &r->history};
}

static inline void checkpoint_run_free(checkpoint_run *r)
{
    rnn_free(r->history.values);
    rnn_free(r->params);
    rnn_optimizer_destroy(&r->optimizer);
    rnn_model_destroy(&r->model);
}

#endif
