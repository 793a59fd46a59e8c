#include "datasets/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
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

typedef struct slot {
    rnn_batch batch; /* the consumer's view of the arrays below */
    size_t *n_valid;
    float *x;
    int32_t *label;
    uint64_t *sample_id;
} slot;

struct rnn_loader {
    rnn_loader_cfg cfg;
    size_t n_batches;
    slot slots[N_SLOTS];

    rnn_sampler *sampler; /* the thread's own */

    pthread_t thread;
    bool has_thread, has_place; /* the consumer's own, as is: */
    double wait_seconds;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    place wanted;           /* the next one to prepare; batch n_batches = none */
    size_t prepared, taken; /* counts of batches since the start; batch i is in slot i % N_SLOTS */
    bool stop;
};

/* -- The thread ---------------------------------------------------------------------------------*/

static void assemble(const rnn_loader *loader, slot *into, place at)
{
    const rnn_loader_cfg *cfg = &loader->cfg;
    rnn_batch *batch = &into->batch;
    size_t rows = batch->rows, shard_values = batch->seq_len * rows * batch->n_features;

    rnn_sampler_set_epoch(loader->sampler, at.epoch);
    batch->epoch = at.epoch;
    batch->number = at.batch;
    batch->n_samples = rnn_sampler_batch_samples(loader->sampler, at.batch);
    for (size_t i = 0; i < cfg->n_shards; i++) {
        const uint64_t *index;
        size_t n = rnn_sampler_shard(loader->sampler, at.batch, cfg->first_shard + i, &index);

        into->n_valid[i] = n;
        memcpy(into->sample_id + i * rows, index, n * sizeof *index);
        rnn_dataset_gather(cfg->dataset, cfg->split, index, n, rows, into->x + i * shard_values,
                           into->label + i * rows);
    }
}

static bool has_work(const rnn_loader *loader)
{
    return loader->wanted.batch < loader->n_batches && loader->prepared - loader->taken < N_AHEAD;
}

static void *run(void *argument)
{
    rnn_loader *loader = argument;

    pthread_mutex_lock(&loader->mutex);
    while (!loader->stop) {
        place at = loader->wanted;
        slot *into = &loader->slots[loader->prepared % N_SLOTS];

        if (!has_work(loader)) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        pthread_mutex_unlock(&loader->mutex);
        assemble(loader, into, at);
        pthread_mutex_lock(&loader->mutex);
        /* After a seek to elsewhere the slot is simply used again. */
        if (at.epoch == loader->wanted.epoch && at.batch == loader->wanted.batch) {
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

static rnn_status create_slot(slot *out, const rnn_loader *loader)
{
    static const char what[] = "the values of a batch";
    const rnn_dataset_info *info = rnn_dataset_get_info(loader->cfg.dataset);
    size_t rows = rnn_sampler_rows(loader->sampler), n_shards = loader->cfg.n_shards;
    size_t n_rows, n_values;

    RNN_TRY(rnn_size_multiply(&n_rows, n_shards, rows, what));
    RNN_TRY(rnn_size_multiply(&n_values, n_rows, info->seq_len * info->n_features, what));
    RNN_TRY(RNN_ALLOC(&out->n_valid, n_shards, "the shard sizes of a batch"));
    RNN_TRY(RNN_ALLOC(&out->x, n_values, what));
    RNN_TRY(RNN_ALLOC(&out->label, n_rows, "the labels of a batch"));
    RNN_TRY(RNN_ALLOC(&out->sample_id, n_rows, "the sample numbers of a batch"));
    out->batch = (rnn_batch){
        .first_shard = loader->cfg.first_shard,
        .n_shards = n_shards,
        .rows = rows,
        .seq_len = info->seq_len,
        .n_features = info->n_features,
        .n_valid = out->n_valid,
        .x = out->x,
        .label = out->label,
        .sample_id = out->sample_id,
    };
    return RNN_OK;
}

static void destroy_slot(slot *old)
{
    rnn_free(old->n_valid);
    rnn_free(old->x);
    rnn_free(old->label);
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
    RNN_TRY_GOTO(st, rnn_sampler_create(&loader->sampler, &cfg->sampler), done);
    loader->n_batches = rnn_sampler_n_batches(loader->sampler);
    loader->wanted.batch = loader->n_batches;
    for (size_t i = 0; i < N_SLOTS; i++)
        RNN_TRY_GOTO(st, create_slot(&loader->slots[i], loader), done);
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
    return loader->prepared > loader->taken || loader->wanted.batch == loader->n_batches;
}

rnn_status rnn_loader_next(rnn_loader *loader, const rnn_batch **out)
{
    *out = NULL;
    if (!loader->has_place)
        return RNN_FAIL(RNN_ERR_INTERNAL, "the loader was asked for a batch before any seek");
    pthread_mutex_lock(&loader->mutex);
    if (!is_settled(loader)) {
        double start = rnn_clock_seconds();

        while (!is_settled(loader))
            pthread_cond_wait(&loader->changed, &loader->mutex);
        loader->wait_seconds += rnn_clock_seconds() - start;
    }
    if (loader->prepared > loader->taken)
        *out = &loader->slots[loader->taken++ % N_SLOTS].batch;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    return RNN_OK;
}

double rnn_loader_wait_seconds(const rnn_loader *loader)
{
    return loader->wait_seconds;
}
