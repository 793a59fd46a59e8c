#include "framework/nonfinite.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "kernels/memory.h"
#include "kernels/vector.h"

enum { MAX_LISTED = 8 };

#define ADVICE "nothing was updated. A smaller optimizer.lr or optimizer.clip_norm may help"

/* -- Samples by number ------------------------------------------------------------------------- */

typedef struct sample_list {
    uint64_t id[MAX_LISTED];
    size_t count;
} sample_list;

static void add_sample(sample_list *list, uint64_t id)
{
    if (list->count < MAX_LISTED)
        list->id[list->count] = id;
    list->count++;
}

/* "sample 7", "samples 7, 12, 40 and 61 more" */
static void print_samples(const sample_list *list, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, list->count == 1 ? "sample" : "samples");

    for (size_t i = 0; i < list->count && i < MAX_LISTED; i++)
        used +=
            (size_t)snprintf(out + used, size - used, "%s %" PRIu64, i > 0 ? "," : "", list->id[i]);
    if (list->count > MAX_LISTED)
        snprintf(out + used, size - used, " and %zu more", list->count - MAX_LISTED);
}

enum { SAMPLES_LENGTH = 40 + 22 * MAX_LISTED };

static void add_shard(sample_list *list, const rnn_batch_shard *shard)
{
    for (size_t row = 0; row < shard->n_valid; row++)
        add_sample(list, shard->sample_id[row]);
}

/* -- Parameters -------------------------------------------------------------------------------- */

rnn_status rnn_nonfinite_check_params(const rnn_run *run, uint64_t step)
{
    size_t k;
    const rnn_param *p = rnn_model_find_nonfinite(run->model, run->params, &k);

    if (p == NULL)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_NONFINITE,
                    "the parameter /model/%s/%s is not finite at step %" PRIu64
                    ": value %zu of %zu is %g; " ADVICE,
                    p->group, p->name, step + 1, k, p->count, (double)run->params[p->offset + k]);
}

/* -- Loss -------------------------------------------------------------------------------------- */

/* What is known of the rows of one of this rank's shards. */
typedef struct row_search {
    size_t shard;
    rnn_shape output;
    bool *is_bad; /* [rows] */
} row_search;

static void look_at_rows(void *context, int worker, size_t shard, const rnn_answers *answers)
{
    row_search *search = context;
    size_t rows = answers->slice->rows, width = search->output.n_features;
    size_t n_steps = search->output.is_single ? 1 : answers->slice->seq_len;

    (void)worker;
    for (size_t i = 0; shard == search->shard && i < n_steps * rows; i++)
        if (rnn_vector_find_nonfinite(answers->y + i * width, width) < width)
            search->is_bad[i % rows] = true;
}

/* The samples of a shard whose output is not finite. */
static rnn_status find_samples(rnn_run *run, const rnn_batch *batch, size_t shard,
                               sample_list *found)
{
    row_search search = {.shard = shard, .output = rnn_model_output(run->model)};
    const rnn_observer observer = {look_at_rows, &search};
    const rnn_batch_shard *s = &batch->shard[shard];
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&search.is_bad, batch->rows, "a search for samples"));
    st = rnn_executor_evaluate(run->executor, batch, &observer);
    for (size_t row = 0; st == RNN_OK && row < s->n_valid; row++)
        if (search.is_bad[row])
            add_sample(found, s->sample_id[row]);
    rnn_free(search.is_bad);
    return st;
}

static rnn_status explain_loss(rnn_run *run, const rnn_nonfinite_place *at, size_t shard)
{
    char text[SAMPLES_LENGTH];
    sample_list samples = {.count = 0};
    bool by_output;

    RNN_TRY(rnn_nonfinite_check_params(run, at->step));
    RNN_TRY(find_samples(run, at->batch, shard, &samples));
    by_output = samples.count > 0;
    if (!by_output) /* it was by dropout or carried states, which evaluation does not have */
        add_shard(&samples, &at->batch->shard[shard]);
    print_samples(&samples, text, sizeof text);
    return RNN_FAIL(RNN_ERR_NONFINITE,
                    "the loss is not finite at step %" PRIu64 " (epoch %" PRIu32
                    ", batch %zu): %s of %s is not; " ADVICE,
                    at->step + 1, at->batch->epoch + 1, at->batch->number + 1,
                    by_output ? "the model's output" : "that", text);
}

rnn_status rnn_nonfinite_loss(rnn_run *run, const rnn_nonfinite_place *at)
{
    const double *loss = run->news + RNN_STEP_SLOTS;
    rnn_status st = RNN_OK;
    size_t shard = 0;

    while (shard + 1 < run->n_shards && isfinite(loss[shard]))
        shard++;
    if (shard >= run->first_shard && shard - run->first_shard < run->n_own_shards)
        st = explain_loss(run, at, shard - run->first_shard);
    return rnn_comm_agree(run->comm, st);
}

/* -- Gradients --------------------------------------------------------------------------------- */

/* Whether the gradient of one of this rank's shards alone is finite. */
static rnn_status is_shard_finite(rnn_run *run, const rnn_nonfinite_place *at,
                                  rnn_batch_shard *shards, size_t shard, bool *is_finite)
{
    rnn_batch alone = *at->batch;
    float *const *nodes;
    size_t n_nodes, size = rnn_model_size(run->model);

    for (size_t i = 0; i < alone.n_shards; i++) {
        shards[i] = at->batch->shard[i];
        if (i != shard)
            shards[i].n_valid = 0;
    }
    alone.shard = shards;
    alone.filler = NULL; /* the values are there */
    RNN_TRY(rnn_executor_gradients(run->executor, &alone, at->number, NULL, &nodes, &n_nodes));
    *is_finite = true;
    for (size_t i = 0; i < n_nodes; i++)
        *is_finite = *is_finite && rnn_vector_find_nonfinite(nodes[i], size) == size;
    return RNN_OK;
}

static rnn_status find_shards(rnn_run *run, const rnn_nonfinite_place *at, sample_list *found)
{
    rnn_batch_shard *shards;
    rnn_status st = RNN_OK;

    RNN_TRY(RNN_ALLOC(&shards, at->batch->n_shards, "a search for samples"));
    for (size_t i = 0; i < at->batch->n_shards && st == RNN_OK; i++) {
        bool is_finite;

        st = is_shard_finite(run, at, shards, i, &is_finite);
        if (st == RNN_OK && !is_finite)
            add_shard(found, &at->batch->shard[i]);
    }
    rnn_free(shards);
    return st;
}

static rnn_status blame(const rnn_run *run, const rnn_nonfinite_place *at, const rnn_param *p,
                        size_t k, const sample_list *samples)
{
    char text[SAMPLES_LENGTH] = "a batch before it in this step";

    if (samples->count > 0)
        print_samples(samples, text, sizeof text);
    return RNN_FAIL(RNN_ERR_NONFINITE,
                    "the gradient of /model/%s/%s is not finite at step %" PRIu64 " (epoch %" PRIu32
                    ", batch %zu): value %zu of %zu is %g, from %s; " ADVICE,
                    p->group, p->name, at->step + 1, at->batch->epoch + 1, at->batch->number + 1, k,
                    p->count, (double)run->grads[p->offset + k], text);
}

rnn_status rnn_nonfinite_gradient(rnn_run *run, const rnn_nonfinite_place *at)
{
    sample_list samples = {.count = 0}, none = {.count = 0};
    rnn_status st = RNN_OK;
    size_t k;
    const rnn_param *p = rnn_model_find_nonfinite(run->model, run->grads, &k);

    if (p == NULL)
        return RNN_FAIL(RNN_ERR_INTERNAL, "gradients are finite, but their norm was not");
    if (rnn_executor_carry(run->executor) == NULL)
        st = find_shards(run, at, &samples);
    else /* to compute it again would take the states with it */
        for (size_t i = 0; i < at->batch->n_shards; i++)
            add_shard(&samples, &at->batch->shard[i]);
    if (st == RNN_OK && samples.count > 0)
        st = blame(run, at, p, k, &samples);
    RNN_TRY(rnn_comm_agree(run->comm, st));
    return blame(run, at, p, k, &none);
}
