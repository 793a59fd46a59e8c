#include "datasets/sampler.h"

#include "kernels/memory.h"
#include "kernels/random.h"

struct rnn_sampler {
    rnn_sampler_cfg cfg;
    size_t n_batches, rows;
    uint32_t epoch;  /* whose order this is: */
    uint64_t *order; /* [n_samples] */
};

static size_t minimum(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ceil(a / b) for a > 0, without overflow. */
static size_t divide_up(size_t a, size_t b)
{
    return (a - 1) / b + 1;
}

/* Fisher and Yates, in Durstenfeld's form. */
static void shuffle(uint64_t *order, size_t n, uint64_t seed, uint32_t epoch)
{
    for (size_t i = n - 1; i > 0; i--) {
        uint64_t j = rnn_random_below(i + 1, seed, RNN_RANDOM_SHUFFLE, epoch, i);
        uint64_t moved = order[i];

        order[i] = order[j];
        order[j] = moved;
    }
}

/* From the identity, so that no earlier epoch enters. */
static void make_order(rnn_sampler *sampler)
{
    for (size_t i = 0; i < sampler->cfg.n_samples; i++)
        sampler->order[i] = i;
    if (sampler->cfg.shuffle)
        shuffle(sampler->order, sampler->cfg.n_samples, sampler->cfg.seed, sampler->epoch);
}

rnn_status rnn_sampler_create(rnn_sampler **out, const rnn_sampler_cfg *cfg)
{
    rnn_sampler *sampler = NULL;
    rnn_status st;

    *out = NULL;
    if (cfg->n_samples == 0 || cfg->batch_size == 0 || cfg->n_shards == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "sampler: %zu samples in batches of %zu in %zu shards: expected all > 0",
                        cfg->n_samples, cfg->batch_size, cfg->n_shards);
    RNN_TRY_GOTO(st, RNN_ALLOC(&sampler, 1, "a sampler"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&sampler->order, cfg->n_samples, "the order of samples"), done);
    sampler->cfg = *cfg;
    sampler->n_batches = divide_up(cfg->n_samples, cfg->batch_size);
    sampler->rows = divide_up(cfg->batch_size, cfg->n_shards);
    make_order(sampler);
    *out = sampler;
    sampler = NULL;
done:
    rnn_sampler_destroy(&sampler);
    return st;
}

void rnn_sampler_destroy(rnn_sampler **sampler)
{
    if (*sampler == NULL)
        return;
    rnn_free((*sampler)->order);
    rnn_free(*sampler);
    *sampler = NULL;
}

void rnn_sampler_set_epoch(rnn_sampler *sampler, uint32_t epoch)
{
    if (epoch == sampler->epoch)
        return;
    sampler->epoch = epoch;
    if (sampler->cfg.shuffle)
        make_order(sampler);
}

size_t rnn_sampler_n_batches(const rnn_sampler *sampler)
{
    return sampler->n_batches;
}

size_t rnn_sampler_rows(const rnn_sampler *sampler)
{
    return sampler->rows;
}

size_t rnn_sampler_batch_samples(const rnn_sampler *sampler, size_t batch)
{
    return minimum(sampler->cfg.batch_size,
                   sampler->cfg.n_samples - batch * sampler->cfg.batch_size);
}

size_t rnn_sampler_shard(const rnn_sampler *sampler, size_t batch, size_t shard,
                         const uint64_t **index)
{
    size_t n = rnn_sampler_batch_samples(sampler, batch);
    size_t first = minimum(shard * sampler->rows, n);

    *index = sampler->order + batch * sampler->cfg.batch_size + first;
    return minimum(sampler->rows, n - first);
}
