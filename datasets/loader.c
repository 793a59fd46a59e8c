#include "datasets/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernels/clock.h"
#include "kernels/memory.h"

/* A ring: batches the consumer has not asked for yet, and the one it holds. */
enum { N_AHEAD = 2, N_SLOTS = N_AHEAD + 1 };

/* Which batch of which epoch. */
typedef struct place {
    uint32_t epoch;
    size_t batch;
} place;

/* Shard i's part of an array begins at i times what the longest sequence takes. */
typedef struct slot {
    rnn_batch batch;        /* the consumer's view of the arrays below */
    rnn_batch_shard *shard; /* [n_shards] */
    float *x, *target;      /* NULL as in a shard: */
    int32_t *token, *label;
    int32_t *length;
    uint64_t *sample_id;
} slot;

/* Elements of a shard's part of each array; 0 if the dataset does not use it. */
typedef struct shard_sizes {
    size_t x, token, label, target;
} shard_sizes;

struct rnn_loader {
    rnn_loader_cfg cfg;
    size_t n_batches;
    shard_sizes sizes;
    slot slots[N_SLOTS];

    rnn_sampler *sampler; /* the thread's own, if there is one */
    double padding, padding_ungrouped;

    pthread_t thread;
    bool has_thread, has_place; /* the consumer's own, as is: */
    double wait_seconds;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    place wanted;           /* the next one to prepare; batch n_batches = none */
    size_t prepared, taken; /* counts of batches since the start; batch i is in slot i % N_SLOTS */
    bool stop;
    rnn_status failure; /* of assembling; no batch comes after it */
    char message[1024];
};

/* -- Assembling ---------------------------------------------------------------------------------*/

/* Where shard i of this rank is put together. */
static rnn_dataset_slice slice_at(const rnn_loader *loader, const slot *in, size_t i)
{
    const shard_sizes *sizes = &loader->sizes;

    return (rnn_dataset_slice){
        .x = sizes->x > 0 ? in->x + i * sizes->x : NULL,
        .token = sizes->token > 0 ? in->token + i * sizes->token : NULL,
        .length = in->length + i * in->batch.rows,
        .label = sizes->label > 0 ? in->label + i * sizes->label : NULL,
        .target = sizes->target > 0 ? in->target + i * sizes->target : NULL,
    };
}

static bool is_ragged(const rnn_batch_shard *shard)
{
    for (size_t row = 0; row < shard->n_valid; row++)
        if ((size_t)shard->length[row] < shard->seq_len)
            return true;
    return false;
}

/* All but the values. */
static void begin_shard(const rnn_loader *loader, slot *into, size_t i)
{
    size_t rows = into->batch.rows, number = into->batch.number;
    size_t global = loader->cfg.first_shard + i; /* number of the shard */
    rnn_dataset_slice slice = slice_at(loader, into, i);
    rnn_batch_shard *shard = &into->shard[i];
    const uint64_t *index;

    *shard = (rnn_batch_shard){
        .n_valid = rnn_sampler_shard(loader->sampler, number, global, &index),
        .seq_len = rnn_sampler_shard_steps(loader->sampler, number, global),
        .x = slice.x,
        .token = slice.token,
        .length = slice.length,
        .label = slice.label,
        .target = slice.target,
        .sample_id = into->sample_id + i * rows,
    };
    memcpy(into->sample_id + i * rows, index, shard->n_valid * sizeof *index);
}

static rnn_status fill_shard(const rnn_loader *loader, const slot *into, size_t i)
{
    const rnn_loader_cfg *cfg = &loader->cfg;
    rnn_dataset_slice slice = slice_at(loader, into, i);
    rnn_batch_shard *shard = &into->shard[i];

    RNN_TRY(rnn_dataset_gather(cfg->dataset, cfg->split, shard->sample_id, shard->n_valid,
                               into->batch.rows, shard->seq_len, &slice));
    shard->is_ragged = is_ragged(shard);
    return RNN_OK;
}

static void begin_batch(const rnn_loader *loader, slot *into, place at)
{
    rnn_sampler_set_epoch(loader->sampler, at.epoch);
    into->batch.epoch = at.epoch;
    into->batch.number = at.batch;
    into->batch.n_samples = rnn_sampler_batch_samples(loader->sampler, at.batch);
    for (size_t i = 0; i < loader->cfg.n_shards; i++)
        begin_shard(loader, into, i);
}

static rnn_status assemble(const rnn_loader *loader, slot *into, place at)
{
    begin_batch(loader, into, at);
    for (size_t i = 0; i < loader->cfg.n_shards; i++)
        RNN_TRY(fill_shard(loader, into, i));
    return RNN_OK;
}

/* -- The thread ---------------------------------------------------------------------------------*/

static bool has_work(const rnn_loader *loader)
{
    return loader->failure == RNN_OK && loader->wanted.batch < loader->n_batches &&
           loader->prepared - loader->taken < N_AHEAD;
}

/* Keeps this thread's message for the consumer. */
static void fail(rnn_loader *loader, rnn_status st)
{
    loader->failure = st;
    snprintf(loader->message, sizeof loader->message, "%s", rnn_error_message());
    pthread_cond_broadcast(&loader->changed);
}

static void *run(void *argument)
{
    rnn_loader *loader = argument;
    rnn_status st;

    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        place at = loader->wanted;
        slot *into = &loader->slots[loader->prepared % N_SLOTS];

        if (!has_work(loader)) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        pthread_mutex_unlock(&loader->mutex);
        st = assemble(loader, into, at);
        pthread_mutex_lock(&loader->mutex);
        if (st != RNN_OK)
            fail(loader, st);
        /* After a seek to elsewhere the slot is simply used again. */
        else if (at.epoch == loader->wanted.epoch && at.batch == loader->wanted.batch) {
            loader->wanted.batch++;
            loader->prepared++;
            pthread_cond_broadcast(&loader->changed);
        }
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

/* Signals are for the main thread: this one starts with all of them blocked. */
static rnn_status start_thread(rnn_loader *loader)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&loader->thread, NULL, run, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot start the thread that loads batches: %s",
                        strerror(error));
    loader->has_thread = true;
    return RNN_OK;
}

/* -- Creation -----------------------------------------------------------------------------------*/

static rnn_status check_cfg(const rnn_loader_cfg *cfg)
{
    size_t n_samples = rnn_dataset_get_info(cfg->dataset)->n_samples[cfg->split];
    size_t n_shards = cfg->sampler.n_shards;

    if (cfg->sampler.n_samples > n_samples)
        return RNN_FAIL(RNN_ERR_INTERNAL, "loader: sampler has %zu samples, dataset has %zu",
                        cfg->sampler.n_samples, n_samples);
    if (cfg->first_shard > n_shards || cfg->n_shards > n_shards - cfg->first_shard)
        return RNN_FAIL(RNN_ERR_INTERNAL, "loader: %zu shards from shard %zu on, sampler has %zu",
                        cfg->n_shards, cfg->first_shard, n_shards);
    return RNN_OK;
}

static rnn_status measure(rnn_loader *loader)
{
    static const char what[] = "the values of a batch";
    const rnn_dataset_info *info = rnn_dataset_get_info(loader->cfg.dataset);
    size_t rows = rnn_sampler_rows(loader->sampler), n_steps;
    bool per_step = rnn_target_is_per_step(info->target);
    bool has_label = rnn_target_is_label(info->target);
    shard_sizes *sizes = &loader->sizes;

    RNN_TRY(rnn_size_multiply(&n_steps, info->seq_len, rows, what));
    if (info->n_tokens > 0)
        sizes->token = n_steps;
    else
        RNN_TRY(rnn_size_multiply(&sizes->x, n_steps, info->n_features, what));
    if (has_label)
        sizes->label = per_step ? n_steps : rows;
    else
        RNN_TRY(rnn_size_multiply(&sizes->target, per_step ? n_steps : rows, info->n_target_values,
                                  what));
    return RNN_OK;
}

/* n_shards times `size` elements of `element_size` bytes; none if size is 0. */
static rnn_status allocate(void **out, size_t n_shards, size_t size, size_t element_size)
{
    static const char what[] = "the values of a batch";
    size_t count;

    if (size == 0)
        return RNN_OK;
    RNN_TRY(rnn_size_multiply(&count, n_shards, size, what));
    return rnn_alloc(out, count, element_size, what);
}

static rnn_status create_slot(slot *out, const rnn_loader *loader)
{
    const shard_sizes *sizes = &loader->sizes;
    size_t rows = rnn_sampler_rows(loader->sampler), n = loader->cfg.n_shards;

    RNN_TRY(allocate((void **)&out->x, n, sizes->x, sizeof *out->x));
    RNN_TRY(allocate((void **)&out->token, n, sizes->token, sizeof *out->token));
    RNN_TRY(allocate((void **)&out->label, n, sizes->label, sizeof *out->label));
    RNN_TRY(allocate((void **)&out->target, n, sizes->target, sizeof *out->target));
    RNN_TRY(allocate((void **)&out->length, n, rows, sizeof *out->length));
    RNN_TRY(allocate((void **)&out->sample_id, n, rows, sizeof *out->sample_id));
    RNN_TRY(RNN_ALLOC(&out->shard, n, "the shards of a batch"));
    out->batch = (rnn_batch){
        .first_shard = loader->cfg.first_shard, .n_shards = n, .rows = rows, .shard = out->shard};
    return RNN_OK;
}

static void destroy_slot(slot *old)
{
    rnn_free(old->shard);
    rnn_free(old->x);
    rnn_free(old->token);
    rnn_free(old->label);
    rnn_free(old->target);
    rnn_free(old->length);
    rnn_free(old->sample_id);
}

rnn_status rnn_loader_create(rnn_loader **out, const rnn_loader_cfg *cfg)
{
    rnn_loader *loader = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY(check_cfg(cfg));
    RNN_TRY(RNN_ALLOC(&loader, 1, "a loader"));
    loader->cfg = *cfg;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    loader->cfg.sampler.seq_len = rnn_dataset_get_info(cfg->dataset)->seq_len;
    RNN_TRY_GOTO(st, rnn_sampler_create(&loader->sampler, &loader->cfg.sampler), done);
    RNN_TRY_GOTO(st, measure(loader), done);
    rnn_sampler_padding(loader->sampler, &loader->padding, &loader->padding_ungrouped);
    loader->n_batches = rnn_sampler_n_batches(loader->sampler);
    loader->wanted.batch = loader->n_batches;
    for (size_t i = 0; i < (cfg->is_filled_later ? 1 : N_SLOTS); i++)
        RNN_TRY_GOTO(st, create_slot(&loader->slots[i], loader), done);
    if (cfg->is_filled_later)
        loader->slots[0].batch.filler = loader;
    else
        RNN_TRY_GOTO(st, start_thread(loader), done);
    *out = loader;
    loader = NULL;
done:
    rnn_loader_destroy(&loader);
    return st;
}

void rnn_loader_destroy(rnn_loader **handle)
{
    rnn_loader *loader = *handle;

    if (loader == NULL)
        return;
    if (loader->has_thread) {
        pthread_mutex_lock(&loader->mutex);
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->mutex);
        pthread_join(loader->thread, NULL);
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    for (size_t i = 0; i < N_SLOTS; i++)
        destroy_slot(&loader->slots[i]);
    rnn_sampler_destroy(&loader->sampler);
    rnn_free(loader);
    *handle = NULL;
}

/* -- The consumer -------------------------------------------------------------------------------*/

size_t rnn_loader_n_batches(const rnn_loader *loader)
{
    return loader->n_batches;
}

rnn_status rnn_loader_seek(rnn_loader *loader, uint32_t epoch, size_t batch)
{
    if (batch > loader->n_batches)
        return RNN_FAIL(RNN_ERR_DATA, "cannot continue at batch %zu: an epoch has %zu batches",
                        batch, loader->n_batches);
    pthread_mutex_lock(&loader->mutex);
    loader->wanted = (place){epoch, batch};
    /*
     * Taken, not un-prepared: the slot being filled stays the next one, so that what the thread is
     * at can still be used if this is the place it was asked for.
     */
    loader->taken = loader->prepared;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    loader->has_place = true;
    return RNN_OK;
}

/* Whether a batch is there or no more will come. */
static bool is_settled(const rnn_loader *loader)
{
    return loader->prepared > loader->taken || loader->wanted.batch == loader->n_batches ||
           loader->failure != RNN_OK;
}

/* Without a thread. */
static const rnn_batch *begin_next(rnn_loader *loader)
{
    if (loader->wanted.batch == loader->n_batches)
        return NULL;
    begin_batch(loader, &loader->slots[0], loader->wanted);
    loader->wanted.batch++;
    return &loader->slots[0].batch;
}

static rnn_status wait_for_next(rnn_loader *loader, const rnn_batch **out)
{
    rnn_status st = RNN_OK;

    pthread_mutex_lock(&loader->mutex);
    if (!is_settled(loader)) {
        double start = rnn_clock_seconds();

        while (!is_settled(loader))
            pthread_cond_wait(&loader->changed, &loader->mutex);
        loader->wait_seconds += rnn_clock_seconds() - start;
    }
    if (loader->prepared > loader->taken)
        *out = &loader->slots[loader->taken++ % N_SLOTS].batch;
    else if (loader->failure != RNN_OK)
        st = rnn_error_adopt(loader->failure, loader->message);
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    return st;
}

rnn_status rnn_loader_next(rnn_loader *loader, const rnn_batch **out)
{
    *out = NULL;
    if (!loader->has_place)
        return RNN_FAIL(RNN_ERR_INTERNAL, "the loader was asked for a batch before any seek");
    if (loader->has_thread)
        return wait_for_next(loader, out);
    *out = begin_next(loader);
    return RNN_OK;
}

rnn_status rnn_batch_fill(const rnn_batch *batch, size_t shard)
{
    if (batch->filler == NULL)
        return RNN_OK;
    return fill_shard(batch->filler, &batch->filler->slots[0], shard);
}

void rnn_loader_padding(const rnn_loader *loader, double *share, double *share_ungrouped)
{
    *share = loader->padding;
    *share_ungrouped = loader->padding_ungrouped;
}

double rnn_loader_wait_seconds(const rnn_loader *loader)
{
    return loader->wait_seconds;
}
