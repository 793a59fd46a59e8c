/*
 * Samples of the training file for validation and test: drawn by the seed, the same share of every
 * class, or the last ones. A function of (seed, number of samples, classes) alone.
 */
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset_parts.h"
#include "kernels/memory.h"
#include "kernels/random.h"

/* A sample and what it is sorted by. */
typedef struct ticket {
    int32_t label;
    uint64_t draw;
    uint64_t sample;
} ticket;

static int compare_tickets(const void *left, const void *right)
{
    const ticket *a = left, *b = right;

    if (a->label != b->label)
        return a->label < b->label ? -1 : 1;
    if (a->draw != b->draw)
        return a->draw < b->draw ? -1 : 1;
    return a->sample < b->sample ? -1 : a->sample > b->sample;
}

static size_t share(double fraction, size_t count)
{
    return (size_t)(fraction * (double)count + 0.5);
}

/* -- How many ---------------------------------------------------------------------------------- */

static rnn_status check_fractions(const rnn_dataset_cfg *cfg)
{
    const double fraction[RNN_N_SPLITS] = {0, cfg->validation, cfg->test};

    for (int split = RNN_SPLIT_VALID; split < RNN_N_SPLITS; split++) {
        bool has_file = cfg->file[split][0] != '\0';

        if (!(fraction[split] >= 0.0 && fraction[split] < 1.0))
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.%s: expected a fraction from 0 to below 1, found %g",
                            split == RNN_SPLIT_VALID ? "validation" : "test", fraction[split]);
        if (has_file && fraction[split] > 0.0)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.%s = %g asks for a part of the training samples, but there is "
                            "a file for it, '%s': expected one of the two",
                            split == RNN_SPLIT_VALID ? "validation" : "test", fraction[split],
                            cfg->file[split]);
    }
    return RNN_OK;
}

/* Whether any samples of the training file are for another split. */
static bool divides(const rnn_dataset_cfg *cfg)
{
    return cfg->validation > 0.0 || cfg->test > 0.0;
}

static rnn_status check_part(const rnn_dataset_cfg *cfg, const size_t part[RNN_N_SPLITS],
                             const char *what, const char *path)
{
    const double fraction[RNN_N_SPLITS] = {1, cfg->validation, cfg->test};

    for (int split = 0; split < RNN_N_SPLITS; split++)
        if (fraction[split] > 0.0 && part[split] == 0)
            return RNN_FAIL(
                RNN_ERR_DATA,
                "%s%sdataset.validation = %g and dataset.test = %g of %zu %s leave none "
                "for '%s'",
                path, path[0] != '\0' ? ": " : "", cfg->validation, cfg->test,
                part[0] + part[1] + part[2], what, rnn_split_name((rnn_split)split));
    return RNN_OK;
}

/* The parts of `count`; training has what the others leave. */
static void divide(const rnn_dataset_cfg *cfg, size_t count, size_t part[RNN_N_SPLITS])
{
    size_t rest = count;

    for (int split = RNN_SPLIT_TEST; split > RNN_SPLIT_TRAIN; split--) {
        part[split] = share(split == RNN_SPLIT_TEST ? cfg->test : cfg->validation, count);
        part[split] = part[split] < rest ? part[split] : rest;
        rest -= part[split];
    }
    part[RNN_SPLIT_TRAIN] = rest;
}

rnn_status rnn_reader_divide(const rnn_dataset_cfg *cfg, const char *path, size_t count,
                             size_t part[RNN_N_SPLITS])
{
    RNN_TRY(check_fractions(cfg));
    divide(cfg, count, part);
    return check_part(cfg, part, "steps", path);
}

/* -- Which ones -------------------------------------------------------------------------------- */

/* The class of a training sample, as the reader gives it. */
static rnn_status read_label(const rnn_samples *samples, size_t sample, rnn_dataset_slice *one,
                             int32_t *label)
{
    RNN_TRY(samples->reader->read_row(samples->content, RNN_SPLIT_TRAIN, sample, 0, 1, one));
    *label = one->label[0];
    return RNN_OK;
}

static rnn_status read_labels(const rnn_samples *samples, ticket *tickets, size_t n)
{
    const rnn_dataset_info *info = samples->info;
    const uint32_t *length = samples->reader->lengths != NULL
                                 ? samples->reader->lengths(samples->content, RNN_SPLIT_TRAIN)
                                 : NULL;
    size_t longest = info->seq_len, n_values;
    int32_t label = -1; /* of data without targets */
    rnn_dataset_slice one = {.label = &label};
    rnn_status st;

    if (info->target != RNN_TARGET_LABEL)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset.split = \"stratified\" needs one class for every sequence, which "
                        "this data does not have");
    for (size_t i = 0; length != NULL && i < n; i++)
        longest = length[i] > longest ? length[i] : longest;
    RNN_TRY_GOTO(st, rnn_size_multiply(&n_values, longest, info->n_features, "a sample"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&one.x, n_values, "a sample"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&one.token, longest, "a sample"), done);
    for (size_t i = 0; i < n; i++)
        RNN_TRY_GOTO(st, read_label(samples, i, &one, &tickets[i].label), done);
done:
    rnn_free(one.x);
    rnn_free(one.token);
    return st;
}

/* Each class, or everything that has label 0, is cut into its parts; ends are validation and test.
 */
static void deal(const rnn_dataset_cfg *cfg, const ticket *tickets, size_t n,
                 unsigned char *split_of)
{
    for (size_t first = 0, end; first < n; first = end) {
        size_t part[RNN_N_SPLITS];

        for (end = first; end < n && tickets[end].label == tickets[first].label;)
            end++;
        divide(cfg, end - first, part);
        for (size_t i = first; i < end; i++) {
            size_t k = i - first;

            split_of[tickets[i].sample] = k < part[0]             ? RNN_SPLIT_TRAIN
                                          : k < part[0] + part[1] ? RNN_SPLIT_VALID
                                                                  : RNN_SPLIT_TEST;
        }
    }
}

static rnn_status assign(const rnn_samples *samples, const rnn_dataset_cfg *cfg, size_t n,
                         unsigned char *split_of)
{
    rnn_status st = RNN_OK;
    ticket *tickets;

    RNN_TRY(RNN_ALLOC(&tickets, n, "the division of samples"));
    for (size_t i = 0; i < n; i++) {
        tickets[i].sample = i;
        if (cfg->split_by != RNN_SPLIT_BY_ORDER)
            tickets[i].draw = rnn_random_bits(cfg->seed, RNN_RANDOM_SPLIT, 0, i);
    }
    if (cfg->split_by == RNN_SPLIT_BY_STRATIFIED)
        st = read_labels(samples, tickets, n);
    if (st == RNN_OK) {
        qsort(tickets, n, sizeof *tickets, compare_tickets);
        deal(cfg, tickets, n, split_of);
    }
    rnn_free(tickets);
    return st;
}

/* Lists the samples of each split in their order in the file. */
static rnn_status list_parts(rnn_dataset_parts *parts, const rnn_dataset_cfg *cfg,
                             const unsigned char *split_of, size_t n,
                             size_t n_samples[RNN_N_SPLITS])
{
    size_t part[RNN_N_SPLITS] = {0}, used[RNN_N_SPLITS] = {0};

    for (size_t i = 0; i < n; i++)
        part[split_of[i]]++;
    RNN_TRY(check_part(cfg, part, "samples", ""));
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        if (part[split] == 0)
            continue;
        RNN_TRY(RNN_ALLOC(&parts->index[split], part[split], "the division of samples"));
        n_samples[split] = split == RNN_SPLIT_TRAIN
                               ? part[split] /* its limit is that of the file */
                               : rnn_reader_limit(cfg, (rnn_split)split, part[split]);
    }
    for (size_t i = 0; i < n; i++)
        parts->index[split_of[i]][used[split_of[i]]++] = i;
    return RNN_OK;
}

static rnn_status divide_samples(rnn_dataset_parts *parts, const rnn_samples *samples,
                                 const rnn_dataset_cfg *cfg)
{
    size_t n = samples->info->n_samples[RNN_SPLIT_TRAIN];
    unsigned char *split_of;
    rnn_status st;

    if (n == 0) /* a trained model's data: there is nothing to divide */
        return RNN_OK;
    RNN_TRY(RNN_ALLOC(&split_of, n, "the division of samples"));
    st = assign(samples, cfg, n, split_of);
    if (st == RNN_OK)
        st = list_parts(parts, cfg, split_of, n, samples->info->n_samples);
    rnn_free(split_of);
    return st;
}

/* Lengths split by split, as the sampler wants them. */
static rnn_status list_lengths(rnn_dataset_parts *parts, const rnn_samples *samples)
{
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        size_t n = samples->info->n_samples[split];
        rnn_dataset_origin from;
        const uint32_t *length;

        if (n == 0 || samples->reader->lengths == NULL)
            continue;
        from = rnn_dataset_parts_at(parts, (rnn_split)split, 0);
        length = samples->reader->lengths(samples->content, from.split);
        if (length == NULL)
            continue;
        RNN_TRY(RNN_ALLOC(&parts->length[split], n, "the lengths of samples"));
        for (size_t i = 0; i < n; i++)
            parts->length[split][i] =
                length[rnn_dataset_parts_at(parts, (rnn_split)split, i).sample];
    }
    return RNN_OK;
}

rnn_status rnn_dataset_divide(rnn_dataset_parts *parts, const rnn_samples *samples,
                              const rnn_dataset_cfg *cfg)
{
    RNN_TRY(check_fractions(cfg));
    if (divides(cfg) && !samples->reader->splits_itself)
        RNN_TRY(divide_samples(parts, samples, cfg));
    return list_lengths(parts, samples);
}

void rnn_dataset_parts_free(rnn_dataset_parts *parts)
{
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        rnn_free(parts->index[split]);
        rnn_free(parts->length[split]);
    }
}

rnn_dataset_origin rnn_dataset_parts_at(const rnn_dataset_parts *parts, rnn_split split,
                                        size_t sample)
{
    const uint64_t *index = parts->index[split];

    if (index == NULL)
        return (rnn_dataset_origin){split, sample};
    return (rnn_dataset_origin){RNN_SPLIT_TRAIN, (size_t)index[sample]};
}
