/*
 * A text as a language to be learned: every token is a step, and its label the token that follows.
 *
 * The tokens of a part are either cut into samples of seq_len steps that have nothing to do with
 * each other, or read by n_streams readers side by side: reader r has the r-th of n_streams equal
 * runs of the text, and sample k * n_streams + r is its k-th piece of seq_len steps, so that batch
 * k goes on where batch k - 1 ended. The last piece may be shorter; up to n_streams tokens at the
 * end that make no step for every reader are left out.
 *
 * Without files of their own, validation and test have the end of the training text. Characters are
 * those of all parts, words those of the training part.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/files.h"
#include "datasets/reader.h"
#include "datasets/vocabulary.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

/* A part of the text: tokens [first, first + count) of a file. */
typedef struct part {
    const uint32_t *tokens; /* in the file's array, from `first` on */
    size_t n_tokens;
    size_t n_samples, run; /* of samples; tokens that a reader goes through, 0 without streams */
    uint32_t *length;      /* [n_samples] */
} part;

typedef struct text {
    char *folder;
    char *paths[RNN_N_SPLITS];
    size_t seq_len, n_streams;
    rnn_vocabulary *vocabulary;
    uint32_t *tokens[RNN_N_SPLITS]; /* of each file */
    size_t n_tokens[RNN_N_SPLITS];
    part parts[RNN_N_SPLITS];
    uint64_t digest;
    double bytes_in_memory;
} text;

/* A file in memory while it is translated. */
typedef struct source {
    char *bytes; /* [n_bytes], and a zero byte */
    size_t n_bytes;
} source;

/* -- Files ------------------------------------------------------------------------------------- */

static rnn_status read_bytes(int fd, const char *path, source *out)
{
    size_t n = 0;
    struct stat info;

    if (fstat(fd, &info) != 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
    RNN_TRY(RNN_ALLOC(&out->bytes, (size_t)info.st_size + 1, "the text"));
    while (n < (size_t)info.st_size) {
        ssize_t got = read(fd, out->bytes + n, (size_t)info.st_size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RNN_FAIL(RNN_ERR_IO, "cannot read '%s': %s", path, strerror(errno));
        if (got == 0)
            break;
        n += (size_t)got;
    }
    out->n_bytes = n;
    return RNN_OK;
}

static rnn_status read_file(const char *path, source *out)
{
    rnn_status st;
    int fd;

    RNN_TRY(rnn_files_open(&fd, path));
    st = read_bytes(fd, path, out);
    close(fd);
    return st;
}

/* -- Tokens ------------------------------------------------------------------------------------ */

/* One call of rnn_vocabulary_add or _encode. */
static rnn_status translate(text *content, bool is_trained, const rnn_text *from, uint32_t *numbers,
                            size_t room, size_t *n)
{
    if (is_trained)
        return rnn_vocabulary_encode(content->vocabulary, from, numbers, room, n);
    return rnn_vocabulary_add(content->vocabulary, from, numbers, room, n);
}

/* The tokens of a file, by provisional number unless the model is trained. */
static rnn_status take_file(text *content, bool is_trained, rnn_split split, const source *s)
{
    const rnn_text from = {content->paths[split], s->bytes, s->n_bytes};
    size_t n;

    RNN_TRY(translate(content, is_trained, &from, NULL, 0, &n));
    RNN_TRY(RNN_ALLOC(&content->tokens[split], n, "the tokens of a text"));
    content->n_tokens[split] = n;
    content->bytes_in_memory += (double)(n * sizeof(uint32_t));
    return translate(content, is_trained, &from, content->tokens[split], n, &n);
}

static rnn_status read_files(text *content, const rnn_dataset_cfg *cfg)
{
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        source s = {.bytes = NULL};
        uint64_t digests[3] = {content->digest, (uint64_t)split, 0};
        rnn_status st;

        if (content->paths[split] == NULL)
            continue;
        st = read_file(content->paths[split], &s);
        if (st == RNN_OK)
            st = take_file(content, cfg->fit != NULL, (rnn_split)split, &s);
        digests[2] = st == RNN_OK ? rnn_digest(s.bytes, s.n_bytes) : 0;
        content->digest = rnn_digest(digests, sizeof digests);
        rnn_free(s.bytes);
        RNN_TRY(st);
    }
    return RNN_OK;
}

/* -- Parts ------------------------------------------------------------------------------------- */

/* Which tokens each split has; a training text may hold them all. */
static rnn_status divide(text *content, const rnn_dataset_cfg *cfg)
{
    size_t share[RNN_N_SPLITS] = {0}, first = 0;
    const uint32_t *train = content->tokens[RNN_SPLIT_TRAIN];

    if (train != NULL)
        RNN_TRY(rnn_reader_divide(cfg, content->paths[RNN_SPLIT_TRAIN],
                                  content->n_tokens[RNN_SPLIT_TRAIN], share));
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        part *p = &content->parts[split];

        if (split != RNN_SPLIT_TRAIN && content->tokens[split] != NULL)
            *p = (part){.tokens = content->tokens[split], .n_tokens = content->n_tokens[split]};
        else if (share[split] > 0)
            *p = (part){.tokens = train + first, .n_tokens = share[split]};
        first += share[split];
    }
    return RNN_OK;
}

/* Provisional numbers become final ones, made by the training part. */
static rnn_status renumber(text *content, const rnn_dataset_cfg *cfg)
{
    const part *train = &content->parts[RNN_SPLIT_TRAIN];
    size_t n_added = rnn_vocabulary_n_added(content->vocabulary), *count = NULL;
    uint32_t *final = NULL;
    rnn_status st;

    RNN_TRY_GOTO(st, RNN_ALLOC(&count, n_added, "the vocabulary"), done);
    RNN_TRY_GOTO(st, RNN_ALLOC(&final, n_added, "the vocabulary"), done);
    for (size_t i = 0; i < train->n_tokens; i++)
        count[train->tokens[i]]++;
    RNN_TRY_GOTO(
        st,
        rnn_vocabulary_settle(content->vocabulary, count, cfg->max_words, cfg->min_count, final),
        done);
    for (int split = 0; split < RNN_N_SPLITS; split++)
        for (size_t i = 0; i < content->n_tokens[split]; i++)
            content->tokens[split][i] = final[content->tokens[split][i]];
done:
    rnn_free(final);
    rnn_free(count);
    return st;
}

static rnn_status fail_short(const text *content, rnn_split split, size_t readers)
{
    const char *path = content->paths[content->tokens[split] != NULL ? split : RNN_SPLIT_TRAIN];
    size_t n = content->parts[split].n_tokens;

    if (content->n_streams == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: the %s part has %zu tokens: expected at least 2, for a step and what "
                        "follows it",
                        path, rnn_split_name(split), n);
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: the %s part has %zu tokens: expected at least %zu, for a step of each of "
                    "%zu sequences read side by side (train.batch_size)",
                    path, rnn_split_name(split), n, readers + 1, readers);
}

/* Cuts a part into samples. */
static rnn_status cut(text *content, rnn_split split)
{
    part *p = &content->parts[split];
    size_t seq_len = content->seq_len, n_streams = content->n_streams;
    size_t readers = n_streams > 0 ? n_streams : 1, steps, per_reader;

    if (p->tokens == NULL)
        return RNN_OK;
    if (p->n_tokens <= readers)
        return fail_short(content, split, readers);
    steps = (p->n_tokens - 1) / readers;
    per_reader = (steps - 1) / seq_len + 1;
    p->run = steps;
    p->n_samples = readers * per_reader;
    RNN_TRY(RNN_ALLOC(&p->length, p->n_samples, "the lengths of samples"));
    for (size_t i = 0; i < p->n_samples; i++) {
        size_t done = i / readers * seq_len;

        p->length[i] = (uint32_t)(steps - done < seq_len ? steps - done : seq_len);
    }
    return RNN_OK;
}

/* -- As a dataset ------------------------------------------------------------------------------ */

static void destroy(void *handle)
{
    text *content = handle;

    if (content == NULL)
        return;
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        rnn_free(content->paths[split]);
        rnn_free(content->tokens[split]);
        rnn_free(content->parts[split].length);
    }
    rnn_vocabulary_destroy(&content->vocabulary);
    rnn_free(content->folder);
    rnn_free(content);
}

/* The name of the file, for a dataset that has no name of its own. */
static const char *name_of(const text *content)
{
    const char *path = content->paths[RNN_SPLIT_TRAIN];
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;

    return slash != NULL ? slash + 1 : path != NULL ? path : "text";
}

static void fill_info(rnn_dataset_info *info, const text *content, const rnn_dataset_cfg *cfg)
{
    const uint64_t digests[] = {content->digest, (uint64_t)cfg->unit, cfg->max_words,
                                cfg->min_count};

    for (int split = 0; split < RNN_N_SPLITS; split++)
        info->n_samples[split] = content->parts[split].n_samples;
    info->folder = content->folder;
    info->name = name_of(content);
    info->seq_len = 0; /* by the samples' lengths */
    info->n_features = 1;
    info->n_tokens = info->n_classes = rnn_vocabulary_size(content->vocabulary);
    info->target = RNN_TARGET_STEP_LABEL;
    info->is_language = true;
    info->unit = cfg->unit;
    info->n_streams = cfg->n_streams;
    info->digest = rnn_digest(digests, sizeof digests);
    info->bytes_in_memory = content->bytes_in_memory;
}

static rnn_status create_vocabulary(text *content, const rnn_dataset_cfg *cfg)
{
    if (cfg->fit == NULL)
        return rnn_vocabulary_create(&content->vocabulary, cfg->unit);
    return rnn_vocabulary_create_from(&content->vocabulary, cfg->unit, cfg->fit->texts,
                                      cfg->fit->n_texts);
}

static rnn_status read_all(text *content, const rnn_dataset_cfg *cfg)
{
    if (cfg->seq_len == 0)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.seq_len: expected the steps of a sample, found 0");
    content->seq_len = cfg->seq_len;
    content->n_streams = cfg->n_streams;
    RNN_TRY(rnn_reader_find_files(&rnn_text_reader, cfg, &content->folder, content->paths));
    RNN_TRY(create_vocabulary(content, cfg));
    RNN_TRY(read_files(content, cfg));
    RNN_TRY(divide(content, cfg));
    if (cfg->fit == NULL)
        RNN_TRY(renumber(content, cfg));
    for (int split = 0; split < RNN_N_SPLITS; split++)
        RNN_TRY(cut(content, (rnn_split)split));
    return RNN_OK;
}

static rnn_status open_text(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    text *content;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    st = read_all(content, cfg);
    if (st == RNN_OK) {
        fill_info(info, content, cfg);
        *out = content;
    } else {
        destroy(content);
    }
    return st;
}

static const uint32_t *lengths(const void *handle, rnn_split split)
{
    return ((const text *)handle)->parts[split].length;
}

static const char *token_text(const void *handle, size_t token)
{
    return rnn_vocabulary_name(((const text *)handle)->vocabulary, token);
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const text *content = handle;
    const part *p = &content->parts[split];
    size_t readers = content->n_streams > 0 ? content->n_streams : 1;
    const uint32_t *from =
        p->tokens + sample % readers * p->run + sample / readers * content->seq_len;

    for (size_t t = 0; t < p->length[sample]; t++) {
        into->token[t * rows + row] = (int32_t)from[t];
        into->label[t * rows + row] = (int32_t)from[t + 1];
    }
    return RNN_OK;
}

static const char *const keys[] = {"search",     "train_file", "valid_file", "test_file",
                                   "validation", "test",       "unit",       "max_words",
                                   "min_count",  "seq_len",    NULL};

const rnn_reader rnn_text_reader = {.name = "text",
                                    .keys = keys,
                                    .splits_itself = true,
                                    .open = open_text,
                                    .destroy = destroy,
                                    .lengths = lengths,
                                    .token_text = token_text,
                                    .read_row = read_row};
