#include "framework/predictions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/memory.h"

/* Stored as the class + 1: a sum over ranks has it from the one that has the sample, else zeros. */
static double *place_of(const rnn_run *run, uint64_t sample)
{
    return run->predicted + sample * rnn_dataset_get_info(run->dataset)->seq_len;
}

void rnn_predictions_keep(rnn_run *run, const rnn_batch *batch)
{
    for (size_t i = 0; run->predicted != NULL && i < batch->n_shards; i++) {
        const rnn_batch_shard *shard = &batch->shard[i];
        const int32_t *predicted = rnn_executor_predicted(run->executor, i);

        for (size_t row = 0; row < shard->n_valid; row++)
            for (size_t t = 0; t < (size_t)shard->length[row]; t++)
                place_of(run, shard->sample_id[row])[t] =
                    1.0 + (double)predicted[t * batch->rows + row];
    }
}

static void print_sample(const rnn_run *run, uint64_t sample, FILE *out)
{
    const double *classes = place_of(run, sample);
    size_t length = rnn_dataset_length(run->dataset, RNN_SPLIT_TRAIN, sample);

    for (size_t t = 0; t < length; t++) {
        const char *text;

        if (classes[t] <= 0.0) /* where the loss does not look, or before an interruption */
            continue;
        text = rnn_dataset_token_text(run->dataset, (size_t)classes[t] - 1);
        fputs(text != NULL ? text : "?", out); /* a model may have scores beyond the alphabet */
    }
}

static rnn_status print_all(const rnn_run *run, char **text)
{
    size_t n_samples = rnn_dataset_get_info(run->dataset)->n_samples[RNN_SPLIT_TRAIN], size;
    char *buffer = NULL;
    FILE *out = open_memstream(&buffer, &size);
    rnn_status st = RNN_OK;

    if (out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the predicted text");
    for (uint64_t i = 0; i < n_samples; i++) {
        fputs(i > 0 ? ", " : "", out);
        print_sample(run, i, out);
    }
    if (fclose(out) != 0)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the predicted text");
    if (st == RNN_OK)
        st = rnn_string_copy(text, buffer);
    free(buffer);
    return st;
}

rnn_status rnn_predictions_take(rnn_run *run, char **text)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    size_t count = info->n_samples[RNN_SPLIT_TRAIN] * info->seq_len;
    rnn_status st;

    *text = NULL;
    if (run->predicted == NULL)
        return RNN_OK;
    RNN_TRY(rnn_comm_sum_exact(run->comm, run->predicted, count));
    st = print_all(run, text);
    memset(run->predicted, 0, count * sizeof *run->predicted);
    return rnn_comm_agree(run->comm, st);
}
