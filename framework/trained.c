#include "framework/trained.h"

#include <string.h>

#include "framework/checkpoint.h"
#include "framework/data.h"
#include "framework/exchange.h"
#include "framework/fit_file.h"
#include "kernels/memory.h"

static rnn_status read_config(rnn_trained *t, const rnn_trained_cfg *cfg)
{
    char *text;
    rnn_status st;

    RNN_TRY(rnn_checkpoint_read_config(cfg->checkpoint, &text));
    st = rnn_config_parse(&t->config, text, strlen(text), cfg->checkpoint, cfg->overrides,
                          cfg->n_overrides);
    rnn_free(text);
    return st == RNN_OK ? rnn_fit_read(cfg->checkpoint, &t->fit) : st;
}

/* What the model answers: its layers and its loss tell. */
static rnn_status read_answer(const rnn_trained *t, const char *checkpoint,
                              rnn_dataset_answer *answer)
{
    bool has_classes = t->config.loss.type == RNN_LOSS_CROSS_ENTROPY, is_single;
    rnn_model *model;

    RNN_TRY(rnn_stored_model_create(&model, checkpoint));
    is_single = rnn_model_output(model).is_single || t->config.loss.steps == RNN_LOSS_STEPS_LAST;
    answer->n_values = rnn_model_output(model).n_features;
    answer->kind = has_classes ? (is_single ? RNN_TARGET_LABEL : RNN_TARGET_STEP_LABEL)
                               : (is_single ? RNN_TARGET_VALUES : RNN_TARGET_STEP_VALUES);
    rnn_model_destroy(&model);
    return RNN_OK;
}

static rnn_status read_params(rnn_trained *t, const char *checkpoint)
{
    rnn_progress progress = {0};
    rnn_checkpoint into = {.model = t->run->model, .params = t->run->params, .progress = &progress};

    RNN_TRY(rnn_checkpoint_read(checkpoint, &into));
    t->epoch = progress.epoch;
    t->step = progress.step;
    rnn_executor_load(t->run->executor, t->run->params);
    return RNN_OK;
}

static rnn_status open_all(rnn_trained *t, const rnn_trained_cfg *cfg, rnn_comm *comm)
{
    rnn_dataset_answer answer;
    const rnn_run_use use = {.data = {.fit = &t->fit,
                                      .path = cfg->data,
                                      .answer = &answer,
                                      .needs_no_targets = cfg->needs_no_targets},
                             .with_confusion = cfg->with_confusion};

    RNN_TRY(rnn_comm_agree(comm, read_config(t, cfg)));
    RNN_TRY(rnn_comm_agree(comm, read_answer(t, cfg->checkpoint, &answer)));
    RNN_TRY(rnn_run_create(&t->run, &t->config, &use, comm));
    RNN_TRY(rnn_comm_agree(comm, read_params(t, cfg->checkpoint)));
    return rnn_comm_compare(comm, rnn_run_digest(t->run), "checkpoint");
}

rnn_status rnn_trained_open(rnn_trained *out, const rnn_trained_cfg *cfg, rnn_comm *comm)
{
    rnn_status st;

    memset(out, 0, sizeof *out);
    st = open_all(out, cfg, comm);
    if (st != RNN_OK)
        rnn_trained_close(out);
    return st;
}

void rnn_trained_close(rnn_trained *trained)
{
    rnn_run_destroy(&trained->run);
    rnn_dataset_fit_free(&trained->fit);
    rnn_config_free(&trained->config);
}

rnn_split rnn_trained_split(const rnn_trained *trained)
{
    return trained->run->loader[RNN_SPLIT_TEST] != NULL ? RNN_SPLIT_TEST : RNN_SPLIT_VALID;
}
