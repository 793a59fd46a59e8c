#include "tests/unit/idx_files.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "datasets/loader.h"

enum { N_TRAIN = 101, N_TEST = 1000, ROWS = 4, COLS = 3, IMAGE = ROWS * COLS };
enum { BATCH = 16, N_SHARDS = 4, N_BATCHES = 7, LAST_BATCH = N_TRAIN - 6 * BATCH };
enum { MAX_ROWS = 256 };

static rnn_dataset *dataset;

/* One dataset for all tests. A loader that hangs ends the program by SIGALRM. */
static int open_dataset(void **state)
{
    char folder[64];
    const char *const search[] = {folder};
    rnn_dataset_cfg cfg = idx_dataset_cfg(search, 1);
    rnn_status st;

    (void)state;
    alarm(100);
    idx_folder_create(folder);
    idx_write_dataset(folder, N_TRAIN, N_TEST, ROWS, COLS);
    st = rnn_dataset_open(&dataset, &cfg);
    idx_folder_remove(folder);
    return st == RNN_OK ? 0 : -1;
}

static int close_dataset(void **state)
{
    (void)state;
    rnn_dataset_destroy(&dataset);
    return 0;
}

/* -- Samples that cannot be read ---------------------------------------------------------------*/

/*
 * The linker puts this between loader and dataset, since no format that is read ahead fails later.
 * Reading fails from this call on, counted down; 0 = never.
 */
static atomic_uint fails_after;

rnn_status __real_rnn_dataset_gather(const rnn_dataset *from, rnn_split split,
                                     const uint64_t *index, size_t n_valid, size_t rows,
                                     size_t seq_len, const rnn_dataset_slice *into);
rnn_status __wrap_rnn_dataset_gather(const rnn_dataset *from, rnn_split split,
                                     const uint64_t *index, size_t n_valid, size_t rows,
                                     size_t seq_len, const rnn_dataset_slice *into);

rnn_status __wrap_rnn_dataset_gather(const rnn_dataset *from, rnn_split split,
                                     const uint64_t *index, size_t n_valid, size_t rows,
                                     size_t seq_len, const rnn_dataset_slice *into)
{
    if (fails_after == 1)
        return RNN_FAIL(RNN_ERR_IO, "data.h5: cannot read %zu samples", n_valid);
    if (fails_after > 1)
        fails_after--;
    return __real_rnn_dataset_gather(from, split, index, n_valid, rows, seq_len, into);
}

/* -- Helpers ------------------------------------------------------------------------------------*/

static rnn_loader_cfg default_cfg(void)
{
    return (rnn_loader_cfg){
        .dataset = dataset,
        .split = RNN_SPLIT_TRAIN,
        .sampler = {.n_samples = N_TRAIN,
                    .batch_size = BATCH,
                    .n_shards = N_SHARDS,
                    .shuffle = true,
                    .seed = 3},
        .first_shard = 0,
        .n_shards = N_SHARDS,
    };
}

static rnn_loader *create(const rnn_loader_cfg *cfg)
{
    rnn_loader *loader;
    rnn_status st = rnn_loader_create(&loader, cfg);

    if (st != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return loader;
}

static const rnn_batch *next(rnn_loader *loader)
{
    const rnn_batch *batch;

    assert_int_equal(rnn_loader_next(loader, &batch), RNN_OK);
    return batch;
}

static void seek(rnn_loader *loader, uint32_t epoch, size_t batch)
{
    assert_int_equal(rnn_loader_seek(loader, epoch, batch), RNN_OK);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Compares a batch with sampler and gather used directly, bit by bit. */
static void assert_batch(const rnn_batch *batch, const rnn_loader_cfg *cfg, uint32_t epoch,
                         size_t number)
{
    rnn_sampler *sampler;
    size_t rows;

    assert_non_null(batch);
    assert_int_equal(batch->epoch, epoch);
    assert_int_equal(batch->number, number);
    assert_int_equal(batch->first_shard, cfg->first_shard);
    assert_int_equal(batch->n_shards, cfg->n_shards);
    assert_int_equal(rnn_sampler_create(&sampler, &cfg->sampler), RNN_OK);
    rnn_sampler_set_epoch(sampler, epoch);
    rows = rnn_sampler_rows(sampler);
    assert_true(rows >= 1 && rows <= MAX_ROWS);
    assert_int_equal(batch->rows, rows);
    assert_int_equal(batch->n_samples, rnn_sampler_batch_samples(sampler, number));
    for (size_t i = 0; i < cfg->n_shards; i++) {
        static float x[MAX_ROWS * IMAGE];
        int32_t label[MAX_ROWS], length[MAX_ROWS];
        const rnn_dataset_slice slice = {.x = x, .length = length, .label = label};
        const rnn_batch_shard *shard = &batch->shard[i];
        const uint64_t *index;
        size_t n = rnn_sampler_shard(sampler, number, cfg->first_shard + i, &index);

        assert_int_equal(rnn_batch_fill(batch, i), RNN_OK);
        rnn_dataset_gather(dataset, cfg->split, index, n, rows, ROWS, &slice);
        assert_int_equal(shard->n_valid, n);
        assert_int_equal(shard->seq_len, ROWS);
        assert_false(shard->is_ragged);
        assert_null(shard->token);
        assert_null(shard->target);
        assert_memory_equal(shard->sample_id, index, n * sizeof *index);
        assert_memory_equal(shard->label, label, rows * sizeof *label);
        assert_memory_equal(shard->length, length, rows * sizeof *length);
        assert_memory_equal(shard->x, x, rows * IMAGE * sizeof *x);
    }
    rnn_sampler_destroy(&sampler);
}

/* The loader gives batches first .. last of an epoch and then, however often asked, none. */
static void assert_epoch(rnn_loader *loader, const rnn_loader_cfg *cfg, uint32_t epoch,
                         size_t first)
{
    for (size_t number = first; number < rnn_loader_n_batches(loader); number++)
        assert_batch(next(loader), cfg, epoch, number);
    assert_null(next(loader));
    assert_null(next(loader));
}

/* -- Batches ------------------------------------------------------------------------------------*/

static void batches_are_those_of_sampler_and_gather(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    assert_int_equal(rnn_loader_n_batches(loader), N_BATCHES);
    for (uint32_t epoch = 0; epoch < 5; epoch++) {
        seek(loader, epoch, 0);
        assert_epoch(loader, &cfg, epoch, 0);
    }
    rnn_loader_destroy(&loader);
    assert_null(loader);
    rnn_loader_destroy(&loader);
}

/* How many threads the process has. */
static size_t n_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t n = 0;

    assert_non_null(tasks);
    for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        n += entry->d_name[0] != '.';
    assert_int_equal(closedir(tasks), 0);
    return n;
}

static void batches_filled_by_their_user_are_the_same(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    size_t before = n_threads();
    const rnn_batch *batch;
    rnn_loader *loader;

    (void)state;
    cfg.is_filled_later = true;
    loader = create(&cfg);
    assert_int_equal(n_threads(), before);
    assert_int_equal(rnn_loader_n_batches(loader), N_BATCHES);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        seek(loader, epoch, 0);
        assert_epoch(loader, &cfg, epoch, 0);
    }
    seek(loader, 7, N_BATCHES - 1);
    assert_epoch(loader, &cfg, 7, N_BATCHES - 1);
    seek(loader, 2, 1);
    assert_batch(next(loader), &cfg, 2, 1);
    seek(loader, 1, 0); /* in the midst of an epoch */
    batch = next(loader);
    assert_int_equal(rnn_batch_fill(batch, 0), RNN_OK);
    assert_batch(batch, &cfg, 1, 0); /* once more does no harm */
    assert_true(rnn_loader_wait_seconds(loader) == 0);
    rnn_loader_destroy(&loader);
    cfg.is_filled_later = false;
    loader = create(&cfg);
    assert_int_equal(n_threads(), before + 1);
    rnn_loader_destroy(&loader);
}

static void every_rank_gets_its_own_shards(void **state)
{
    rnn_loader_cfg cfg = default_cfg();

    (void)state;
    for (size_t size = 1; size <= N_SHARDS; size++)
        for (size_t rank = 0; rank < size; rank++) {
            rnn_loader *loader;

            cfg.first_shard = N_SHARDS * rank / size;
            cfg.n_shards = N_SHARDS * (rank + 1) / size - cfg.first_shard;
            loader = create(&cfg);
            seek(loader, 1, 0);
            assert_epoch(loader, &cfg, 1, 0);
            rnn_loader_destroy(&loader);
        }
}

static void the_short_last_batch_is_kept(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);
    const rnn_batch *batch;

    (void)state;
    seek(loader, 0, N_BATCHES - 1);
    batch = next(loader);
    assert_int_equal(batch->n_samples, LAST_BATCH);
    assert_int_equal(batch->shard[0].n_valid, 4);
    assert_int_equal(batch->shard[1].n_valid, LAST_BATCH - 4);
    assert_int_equal(batch->shard[2].n_valid, 0);
    assert_int_equal(batch->shard[1].label[LAST_BATCH - 4], -1);
    assert_null(next(loader));
    rnn_loader_destroy(&loader);
}

static void a_rank_without_shards_sees_empty_batches(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader;

    (void)state;
    cfg.first_shard = N_SHARDS;
    cfg.n_shards = 0;
    loader = create(&cfg);
    seek(loader, 0, 0);
    assert_epoch(loader, &cfg, 0, 0);
    rnn_loader_destroy(&loader);
}

/* 50 ms are ample for the thread to fill all it may fill. */
static void a_lent_batch_stays_while_others_are_prepared(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    seek(loader, 0, 0);
    for (size_t number = 0; number < N_BATCHES; number++) {
        const rnn_batch *batch = next(loader);

        pause_ms(50);
        assert_batch(batch, &cfg, 0, number);
    }
    rnn_loader_destroy(&loader);
}

/* -- Sequences of different lengths, tokens, labels per step
 * -------------------------------------*/

enum { N_RAGGED = 37, RAGGED_BATCH = 16, LONGEST = 40, DIMS = 2 };

/* A dataset in a file: sample i has 1 + i * 7 % LONGEST steps. */
static rnn_dataset *open_series(void)
{
    char folder[64];
    const char *const search[] = {folder};
    const rnn_dataset_cfg cfg = {
        .format = "ts", .name = "", .search = search, .n_search = 1, .std = 1, .file = {"t.ts"}};
    rnn_dataset *out;
    rnn_status st;
    FILE *file;

    idx_folder_create(folder);
    file = fopen(idx_path(folder, "t.ts"), "w");
    assert_non_null(file);
    fputs("@classLabel true a b\n@data\n", file);
    for (size_t i = 0; i < N_RAGGED; i++) {
        size_t length = 1 + i * 7 % LONGEST;

        for (size_t v = 0; v < DIMS * length; v++)
            fprintf(file, "%zu%c", 1000 * i + v + 1, (v + 1) % length == 0 ? ':' : ',');
        fprintf(file, "%c\n", i % 2 == 0 ? 'a' : 'b');
    }
    assert_int_equal(fclose(file), 0);
    st = rnn_dataset_open(&out, &cfg);
    idx_folder_remove(folder);
    if (st != RNN_OK)
        fail_msg("%s", rnn_error_message());
    return out;
}

/* Pairs of strings of 1 to 7 characters. */
static rnn_dataset *open_strings(void)
{
    static const char *const inputs[] = {"ab", "abcdefg", "c", "gfe", "dd"};
    static const char *const targets[] = {"ba", "gfedcba", "c", "abc", "ef"};
    const rnn_dataset_cfg cfg = {.format = "strings",
                                 .name = "",
                                 .inputs = inputs,
                                 .targets = targets,
                                 .n_inputs = 5,
                                 .n_targets = 5,
                                 .alphabet = ""};
    rnn_dataset *out;

    assert_int_equal(rnn_dataset_open(&out, &cfg), RNN_OK);
    return out;
}

static rnn_loader_cfg grouped_cfg(const rnn_dataset *of, size_t batch_size)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(of);

    return (rnn_loader_cfg){
        .dataset = of,
        .split = RNN_SPLIT_TRAIN,
        .sampler = {.n_samples = info->n_samples[RNN_SPLIT_TRAIN],
                    .batch_size = batch_size,
                    .n_shards = N_SHARDS,
                    .shuffle = true,
                    .seed = 3,
                    .length = rnn_dataset_lengths(of, RNN_SPLIT_TRAIN),
                    .seq_len = info->seq_len},
        .n_shards = N_SHARDS,
    };
}

/* An array of a shard against what gather puts there; both are NULL where they are not used. */
static void assert_array(const void *found, const void *expected, size_t n_bytes)
{
    assert_int_equal(found == NULL, expected == NULL);
    if (found != NULL && n_bytes > 0)
        assert_memory_equal(found, expected, n_bytes);
}

/* A shard is what sampler and gather say, and ragged if it has a sample that ends early. */
static void assert_shard(const rnn_batch *batch, const rnn_loader_cfg *cfg,
                         const rnn_sampler *sampler, size_t i)
{
    static float x[MAX_ROWS * LONGEST * DIMS];
    static int32_t token[MAX_ROWS * LONGEST], label[MAX_ROWS * LONGEST], length[MAX_ROWS];
    const rnn_batch_shard *shard = &batch->shard[i];
    bool has_tokens = rnn_dataset_get_info(cfg->dataset)->n_tokens > 0, is_ragged = false;
    const rnn_dataset_slice slice = {.x = has_tokens ? NULL : x,
                                     .token = has_tokens ? token : NULL,
                                     .length = length,
                                     .label = label};
    const uint64_t *index;
    size_t n = rnn_sampler_shard(sampler, batch->number, i, &index);
    size_t steps = rnn_sampler_shard_steps(sampler, batch->number, i), rows = batch->rows;

    rnn_dataset_gather(cfg->dataset, cfg->split, index, n, rows, steps, &slice);
    assert_int_equal(shard->n_valid, n);
    assert_int_equal(shard->seq_len, steps);
    assert_memory_equal(shard->sample_id, index, n * sizeof *index);
    assert_array(shard->x, slice.x, steps * rows * DIMS * sizeof *x);
    assert_array(shard->token, slice.token, steps * rows * sizeof *token);
    assert_array(shard->label, slice.label, (has_tokens ? steps : 1) * rows * sizeof *label);
    assert_array(shard->length, slice.length, rows * sizeof *length);
    assert_null(shard->target);
    for (size_t row = 0; row < n; row++)
        is_ragged = is_ragged || (size_t)length[row] < steps;
    assert_int_equal(shard->is_ragged, is_ragged);
}

static void assert_grouped(const rnn_loader_cfg *cfg)
{
    rnn_loader *loader = create(cfg);
    rnn_sampler *sampler;
    double share, ungrouped, expected[2];

    assert_int_equal(rnn_sampler_create(&sampler, &cfg->sampler), RNN_OK);
    rnn_sampler_padding(sampler, &expected[0], &expected[1]);
    rnn_loader_padding(loader, &share, &ungrouped);
    assert_true(share == expected[0] && ungrouped == expected[1]);
    for (uint32_t epoch = 0; epoch < 4; epoch++) {
        const rnn_batch *batch;

        seek(loader, epoch, 0);
        rnn_sampler_set_epoch(sampler, epoch);
        while ((batch = next(loader)) != NULL)
            for (size_t i = 0; i < batch->n_shards; i++)
                assert_shard(batch, cfg, sampler, i);
    }
    rnn_sampler_destroy(&sampler);
    rnn_loader_destroy(&loader);
}

static void ragged_shards_have_their_own_steps(void **state)
{
    rnn_dataset *series = open_series();
    rnn_loader_cfg cfg = grouped_cfg(series, RAGGED_BATCH);

    (void)state;
    assert_non_null(cfg.sampler.length);
    assert_grouped(&cfg);
    cfg.sampler.length = NULL; /* not grouped: all steps, and ragged all the same */
    assert_grouped(&cfg);
    rnn_dataset_destroy(&series);
}

static void tokens_come_with_a_label_for_each_step(void **state)
{
    rnn_dataset *strings = open_strings();
    rnn_loader_cfg cfg = grouped_cfg(strings, 3);

    (void)state;
    assert_grouped(&cfg);
    cfg.sampler.batch_size = 8;
    assert_grouped(&cfg);
    rnn_dataset_destroy(&strings);
}

static void a_shard_without_samples_has_no_steps(void **state)
{
    rnn_dataset *strings = open_strings();
    rnn_loader_cfg cfg = grouped_cfg(strings, 3); /* rows of 1, so shard 3 of 4 stays empty */
    rnn_loader *loader = create(&cfg);
    const rnn_batch *batch;
    size_t n_empty = 0;

    (void)state;
    seek(loader, 0, 0);
    batch = next(loader);
    for (size_t i = 0; i < N_SHARDS; i++) {
        assert_int_equal(batch->shard[i].n_valid > 0, batch->shard[i].seq_len > 0);
        assert_int_equal(batch->shard[i].length[0] > 0, batch->shard[i].seq_len > 0);
        n_empty += batch->shard[i].n_valid == 0;
    }
    assert_int_equal(n_empty, 1);
    rnn_loader_destroy(&loader);
    rnn_dataset_destroy(&strings);
}

/* -- Seeking ------------------------------------------------------------------------------------*/

static void seeking_into_an_epoch_gives_its_tail(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    for (size_t first = 0; first <= N_BATCHES; first++) {
        seek(loader, 2, first);
        assert_epoch(loader, &cfg, 2, first);
    }
    rnn_loader_destroy(&loader);
}

/* Seeks at every state of the ring, repeated ones included: 0 to 3 batches taken in between. */
static void seeking_drops_what_was_prepared(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    for (size_t round = 0; round < 2000; round++) {
        uint32_t epoch = (uint32_t)(round / 3 % 4);
        size_t first = round / 2 * 5 % N_BATCHES;

        seek(loader, epoch, first);
        for (size_t i = first; i < N_BATCHES && i < first + round % 4; i++)
            assert_batch(next(loader), &cfg, epoch, i);
        if (round % 100 == 0)
            pause_ms(1);
    }
    rnn_loader_destroy(&loader);
}

static void seeking_beyond_the_epoch_is_refused(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    seek(loader, 4, 1);
    assert_int_equal(rnn_loader_seek(loader, 0, N_BATCHES + 1), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "batch 8: an epoch has 7 batches"));
    assert_epoch(loader, &cfg, 4, 1);
    rnn_loader_destroy(&loader);
}

static void nothing_comes_before_the_first_seek(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);
    const rnn_batch *batch;

    (void)state;
    assert_int_equal(rnn_loader_next(loader, &batch), RNN_ERR_INTERNAL);
    assert_null(batch);
    seek(loader, 0, 0);
    assert_epoch(loader, &cfg, 0, 0);
    rnn_loader_destroy(&loader);
}

/* -- The thread ---------------------------------------------------------------------------------*/

/* Large batches, so that most of the 300 ends find the thread at work. */
static void destroying_a_busy_loader_does_not_hang(void **state)
{
    rnn_loader_cfg cfg = default_cfg();

    (void)state;
    cfg.split = RNN_SPLIT_TEST;
    cfg.sampler.n_samples = N_TEST;
    cfg.sampler.batch_size = N_TEST / 2;
    for (size_t round = 0; round < 300; round++) {
        rnn_loader *loader = create(&cfg);

        if (round % 4 > 0)
            seek(loader, 0, 0);
        if (round % 4 > 1)
            assert_batch(next(loader), &cfg, 0, 0);
        if (round % 4 > 2)
            seek(loader, 1, 0);
        rnn_loader_destroy(&loader);
        assert_null(loader);
    }
}

static volatile sig_atomic_t n_signals;

static void count_signal(int number)
{
    (void)number;
    n_signals++;
}

/* The main thread blocks a signal to the process: any thread that does not would take it. */
static void signals_are_left_to_the_main_thread(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    seek(loader, 0, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction count = {.sa_handler = count_signal}, before;
        sigset_t one, mask;

        n_signals = 0;
        sigemptyset(&one);
        sigaddset(&one, numbers[i]);
        assert_int_equal(sigaction(numbers[i], &count, &before), 0);
        assert_int_equal(pthread_sigmask(SIG_BLOCK, &one, &mask), 0);
        assert_false(sigismember(&mask, numbers[i])); /* creating the loader left it as it was */
        assert_int_equal(kill(getpid(), numbers[i]), 0);
        pause_ms(20);
        assert_int_equal(n_signals, 0);
        assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
        assert_int_equal(n_signals, 1);
        assert_int_equal(sigaction(numbers[i], &before, NULL), 0);
    }
    assert_epoch(loader, &cfg, 0, 0);
    rnn_loader_destroy(&loader);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Asking at once after a seek nearly always waits; 100 times in a row it cannot all be ready. */
static void waiting_is_counted_and_never_exceeds_the_time_passed(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);
    double start = seconds_now(), waited;

    (void)state;
    assert_true(rnn_loader_wait_seconds(loader) == 0);
    for (uint32_t epoch = 0; epoch < 100; epoch++) {
        seek(loader, epoch, 0);
        assert_non_null(next(loader));
    }
    waited = rnn_loader_wait_seconds(loader);
    assert_true(waited > 0);
    assert_true(waited <= seconds_now() - start);
    rnn_loader_destroy(&loader);
}

static void the_end_of_an_epoch_costs_no_waiting(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);

    (void)state;
    seek(loader, 0, N_BATCHES);
    assert_null(next(loader));
    assert_true(rnn_loader_wait_seconds(loader) == 0);
    rnn_loader_destroy(&loader);
}

/* -- Failures -----------------------------------------------------------------------------------*/

static void assert_refused(const rnn_loader_cfg *cfg, rnn_status code, const char *part)
{
    rnn_loader *loader;

    assert_int_equal(rnn_loader_create(&loader, cfg), code);
    assert_null(loader);
    if (strstr(rnn_error_message(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, rnn_error_message());
}

/* Every further call gives the error, also after seeking; the batches before it are whole. */
static void an_error_of_reading_is_given_again_and_again(void **state)
{
    (void)state;
    for (unsigned good = 0; good <= N_BATCHES * N_SHARDS; good++) {
        rnn_loader_cfg cfg = default_cfg();
        rnn_loader *loader = create(&cfg);
        const rnn_batch *batch;

        fails_after = good + 1;
        seek(loader, 0, 0);
        for (size_t number = 0; number < good / N_SHARDS; number++) {
            assert_int_equal(rnn_loader_next(loader, &batch), RNN_OK);
            assert_int_equal(batch->number, number);
        }
        for (int again = 0; good < N_BATCHES * N_SHARDS && again < 4; again++) {
            batch = (const rnn_batch *)loader;
            assert_int_equal(rnn_loader_next(loader, &batch), RNN_ERR_IO);
            assert_null(batch);
            assert_non_null(strstr(rnn_error_message(), "data.h5: cannot read "));
            if (again > 0)
                seek(loader, (uint32_t)again, (size_t)again);
        }
        rnn_loader_destroy(&loader);
        fails_after = 0;
    }
}

/* A sample that could be read after all does not come as if nothing had been. */
static void an_error_of_reading_is_final(void **state)
{
    rnn_loader_cfg cfg = default_cfg();
    rnn_loader *loader = create(&cfg);
    const rnn_batch *batch;

    (void)state;
    fails_after = 1;
    seek(loader, 0, 0);
    assert_int_equal(rnn_loader_next(loader, &batch), RNN_ERR_IO);
    fails_after = 0;
    for (int again = 0; again < 3; again++) {
        pause_ms(5);
        assert_int_equal(rnn_loader_next(loader, &batch), RNN_ERR_IO);
        assert_null(batch);
        seek(loader, 0, N_BATCHES); /* the end of an epoch, too */
    }
    rnn_loader_destroy(&loader);
}

static void destroying_a_failed_loader_does_not_hang(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        rnn_loader_cfg cfg = default_cfg();
        rnn_loader *loader = create(&cfg);

        fails_after = 1 + (unsigned)i % 9;
        seek(loader, 0, 0);
        if (i % 3 == 0)
            pause_ms(1);
        rnn_loader_destroy(&loader);
        fails_after = 0;
    }
}

static void settings_that_do_not_fit_are_refused(void **state)
{
    rnn_loader_cfg cfg = default_cfg();

    (void)state;
    cfg.sampler.n_samples = N_TRAIN + 1;
    assert_refused(&cfg, RNN_ERR_INTERNAL, "sampler has 102 samples, dataset has 101");
    cfg = default_cfg();
    cfg.first_shard = 1;
    assert_refused(&cfg, RNN_ERR_INTERNAL, "4 shards from shard 1 on, sampler has 4");
    cfg = default_cfg();
    cfg.sampler.batch_size = 0;
    assert_refused(&cfg, RNN_ERR_DATA, "expected all > 0");
}

static void batches_larger_than_memory_are_refused(void **state)
{
    rnn_loader_cfg cfg = default_cfg();

    (void)state;
    cfg.sampler.batch_size = SIZE_MAX;
    assert_refused(&cfg, RNN_ERR_DATA, "the values of a batch");
    cfg.sampler.batch_size = SIZE_MAX / 16;
    assert_refused(&cfg, RNN_ERR_MEMORY, "the values of a batch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_those_of_sampler_and_gather),
        cmocka_unit_test(batches_filled_by_their_user_are_the_same),
        cmocka_unit_test(every_rank_gets_its_own_shards),
        cmocka_unit_test(the_short_last_batch_is_kept),
        cmocka_unit_test(a_rank_without_shards_sees_empty_batches),
        cmocka_unit_test(a_lent_batch_stays_while_others_are_prepared),
        cmocka_unit_test(ragged_shards_have_their_own_steps),
        cmocka_unit_test(tokens_come_with_a_label_for_each_step),
        cmocka_unit_test(a_shard_without_samples_has_no_steps),
        cmocka_unit_test(seeking_into_an_epoch_gives_its_tail),
        cmocka_unit_test(seeking_drops_what_was_prepared),
        cmocka_unit_test(seeking_beyond_the_epoch_is_refused),
        cmocka_unit_test(nothing_comes_before_the_first_seek),
        cmocka_unit_test(destroying_a_busy_loader_does_not_hang),
        cmocka_unit_test(signals_are_left_to_the_main_thread),
        cmocka_unit_test(waiting_is_counted_and_never_exceeds_the_time_passed),
        cmocka_unit_test(the_end_of_an_epoch_costs_no_waiting),
        cmocka_unit_test(an_error_of_reading_is_given_again_and_again),
        cmocka_unit_test(an_error_of_reading_is_final),
        cmocka_unit_test(destroying_a_failed_loader_does_not_hang),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(batches_larger_than_memory_are_refused),
    };

    return cmocka_run_group_tests(tests, open_dataset, close_dataset);
}
