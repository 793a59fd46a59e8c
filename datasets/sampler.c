#include "datasets/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/memory.h"
#include "kernels/random.h"

/* A sample of a batch while that is being sorted. */
typedef struct item {
    uint32_t length;
    size_t position; /* before sorting */
    uint64_t sample;
} item;

struct rnn_sampler {
    rnn_sampler_cfg cfg;
    size_t n_batches, rows;
    uint32_t epoch;  /* whose order this is: */
    uint64_t *order; /* [n_samples] */

    /* Only with lengths: */
    size_t *slice; /* [n_shards] of a batch, by shard */
    item *items;   /* [samples of a batch] */
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

/* -- Grouping by length -------------------------------------------------------------------------*/

/* The longer first; equal ones stay as they are. */
static int compare_items(const void *left, const void *right)
{
    const item *a = left, *b = right;

    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

static void sort_batch(const rnn_sampler *sampler, uint64_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sampler->items[i] = (item){sampler->cfg.length[order[i]], i, order[i]};
    qsort(sampler->items, n, sizeof *sampler->items, compare_items);
    for (size_t i = 0; i < n; i++)
        order[i] = sampler->items[i].sample;
}

/*
 * Deals slices, sorted by length, to shards: 0 3 4 7 ... to the left half, 1 2 5 6 ... to the
 * right one, then each half alike. Between the halves the differences of neighbours alternate in
 * sign and nearly cancel. `spare` has room for n.
 */
static void deal(size_t *slice, size_t n, size_t *spare)
{
    size_t n_left = 0, n_right = 0;

    if (n < 2)
        return;
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0 || i % 4 == 3)
            slice[n_left++] = slice[i];
        else
            spare[n_right++] = slice[i];
    }
    memcpy(slice + n_left, spare, n_right * sizeof *slice);
    deal(slice, n_left, spare);
    deal(slice + n_left, n_right, spare);
}

static rnn_status check_lengths(const rnn_sampler_cfg *cfg)
{
    for (size_t i = 0; i < cfg->n_samples; i++)
        if (cfg->length[i] == 0 || cfg->length[i] > cfg->seq_len)
            return RNN_FAIL(RNN_ERR_DATA, "sampler: sample %zu has %u steps, expected 1 to %zu", i,
                            (unsigned)cfg->length[i], cfg->seq_len);
    return RNN_OK;
}

static rnn_status prepare_grouping(rnn_sampler *sampler)
{
    const rnn_sampler_cfg *cfg = &sampler->cfg;
    size_t *spare;

    if (cfg->length == NULL)
        return RNN_OK;
    RNN_TRY(check_lengths(cfg));
    if (cfg->is_stream)
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&sampler->items, minimum(cfg->batch_size, cfg->n_samples),
                      "the lengths of a batch"));
    RNN_TRY(RNN_ALLOC(&sampler->slice, cfg->n_shards, "the order of slices"));
    RNN_TRY(RNN_ALLOC(&spare, cfg->n_shards, "the order of slices"));
    for (size_t i = 0; i < cfg->n_shards; i++)
        sampler->slice[i] = i;
    deal(sampler->slice, cfg->n_shards, spare);
    rnn_free(spare);
    return RNN_OK;
}

/* -- Order --------------------------------------------------------------------------------------*/

/* From the identity, so that no earlier epoch enters. */
static void make_order(rnn_sampler *sampler)
{
    const rnn_sampler_cfg *cfg = &sampler->cfg;

    for (size_t i = 0; i < cfg->n_samples; i++)
        sampler->order[i] = i;
    if (cfg->shuffle)
        shuffle(sampler->order, cfg->n_samples, cfg->seed, sampler->epoch);
    for (size_t batch = 0; sampler->items != NULL && batch < sampler->n_batches; batch++)
        sort_batch(sampler, sampler->order + batch * cfg->batch_size,
                   rnn_sampler_batch_samples(sampler, batch));
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
    if (cfg->is_stream && cfg->shuffle)
        return RNN_FAIL(RNN_ERR_INTERNAL, "sampler: streams cannot be shuffled");
    RNN_TRY_GOTO(st, RNN_ALLOC(&sampler, 1, "a sampler"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&sampler->order, cfg->n_samples, "the order of samples"), done);
    sampler->cfg = *cfg;
    sampler->n_batches = divide_up(cfg->n_samples, cfg->batch_size);
    sampler->rows = divide_up(cfg->batch_size, cfg->n_shards);
    RNN_TRY_GOTO(st, prepare_grouping(sampler), done);
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
    rnn_free((*sampler)->slice);
    rnn_free((*sampler)->items);
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

/* -- Shards -------------------------------------------------------------------------------------*/

size_t rnn_sampler_shard(const rnn_sampler *sampler, size_t batch, size_t shard,
                         const uint64_t **index)
{
    size_t n = rnn_sampler_batch_samples(sampler, batch);
    size_t slice = sampler->slice != NULL ? sampler->slice[shard] : shard;
    size_t first = minimum(slice * sampler->rows, n);

    *index = sampler->order + batch * sampler->cfg.batch_size + first;
    return minimum(sampler->rows, n - first);
}

/* Lengths with the same five leading bits, rounded up, share a shape. */
static size_t round_steps(size_t length)
{
    size_t unit = 1;

    while (length / unit >= 32)
        unit *= 2;
    return divide_up(length, unit) * unit;
}

size_t rnn_sampler_shard_steps(const rnn_sampler *sampler, size_t batch, size_t shard)
{
    const rnn_sampler_cfg *cfg = &sampler->cfg;
    size_t n, longest = 0;
    const uint64_t *index;

    if (cfg->length == NULL)
        return cfg->seq_len;
    n = rnn_sampler_shard(sampler, batch, shard, &index);
    for (size_t i = 0; i < n; i++)
        longest = cfg->length[index[i]] > longest ? cfg->length[index[i]] : longest;
    return n > 0 ? minimum(round_steps(longest), cfg->seq_len) : 0;
}

void rnn_sampler_padding(const rnn_sampler *sampler, double *share, double *share_ungrouped)
{
    const rnn_sampler_cfg *cfg = &sampler->cfg;
    double used = 0, computed = 0, ungrouped = 0, rows = (double)sampler->rows;

    for (size_t i = 0; i < cfg->n_samples; i++)
        used += (double)(cfg->length != NULL ? cfg->length[i] : cfg->seq_len);
    for (size_t batch = 0; batch < sampler->n_batches; batch++)
        for (size_t shard = 0; shard < cfg->n_shards; shard++) {
            const uint64_t *index;

            if (rnn_sampler_shard(sampler, batch, shard, &index) == 0)
                continue;
            computed += rows * (double)rnn_sampler_shard_steps(sampler, batch, shard);
            ungrouped += rows * (double)cfg->seq_len;
        }
    *share = computed > 0 ? 1 - used / computed : 0;
    *share_ungrouped = ungrouped > 0 ? 1 - used / ungrouped : 0;
}
