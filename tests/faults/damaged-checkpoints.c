/*
 * damaged-checkpoints CHECKPOINT BLOCKS SEED [FOLDER...]: damages a checkpoint in every way of a
 * kind, and in BLOCKS random ways; each must be refused as wrong data before libhdf5 reads a byte.
 * Files below the folders, of any program, must be refused likewise; with a valid trailer behind
 * them they do reach libhdf5, in a process of their own, and what becomes of it is only counted.
 * Prints lines "TABLE KIND | TRIALS | FAILURES | REMARK"; status 1 if there are failures.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/checkpoint_image.h"
#include "framework/file_io.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { TRAILER_SIZE = 32, MAX_BYTES = 1 << 28, MAX_SHOWN = 5 };

static const char REFUSED[] = "refused before libhdf5 reads a byte";

/* -- A file in memory -------------------------------------------------------------------------- */

static int victim;
static char victim_path[64];

/* What stands for a failing system call: the test cannot be made. */
static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "damaged-checkpoints: cannot %s\n", what);
    exit(70);
}

static void create_victim(void)
{
    victim = memfd_create("victim", MFD_CLOEXEC);
    require(victim >= 0, "create a file in memory");
    snprintf(victim_path, sizeof victim_path, "/proc/self/fd/%d", victim);
}

static void write_at(const char *bytes, size_t n_bytes, size_t at)
{
    require(pwrite(victim, bytes, n_bytes, (off_t)at) == (ssize_t)n_bytes, "write");
}

static void cut_to(size_t n_bytes)
{
    require(ftruncate(victim, (off_t)n_bytes) == 0, "cut a file");
}

static void write_whole(const char *bytes, size_t n_bytes)
{
    cut_to(n_bytes);
    write_at(bytes, n_bytes, 0);
}

/* -- Counting ---------------------------------------------------------------------------------- */

typedef struct tally {
    const char *kind;
    size_t n_trials, n_failures;
} tally;

static size_t n_all_failures;

static void print_tally(const tally *t, const char *remark)
{
    printf("TABLE %s | %zu | %zu | %s\n", t->kind, t->n_trials, t->n_failures, remark);
    fflush(stdout);
    n_all_failures += t->n_failures;
}

/* One more trial; `what` and `where` tell which if it has failed. */
static void count(tally *t, bool is_right, const char *what, size_t where)
{
    t->n_trials++;
    if (is_right)
        return;
    if (t->n_failures++ < MAX_SHOWN)
        printf("FAILED: %s: %s %zu: %s\n", t->kind, what, where, rnn_error_message());
}

/* Whether a file is called wrong data, in words with `expected`, and libhdf5 has not seen it. */
static bool is_refused_unread(const char *path, const char *expected)
{
    size_t before = rnn_checkpoint_image_reads();
    char *config;
    rnn_status st = rnn_checkpoint_read_config(path, &config);

    rnn_free(config);
    return st == RNN_ERR_DATA && rnn_checkpoint_image_reads() == before &&
           strstr(rnn_error_message(), expected) != NULL;
}

/* -- Every damage of a kind -------------------------------------------------------------------- */

static void cut_everywhere(const char *file, size_t n_bytes)
{
    tally t = {.kind = "checkpoint cut after every byte"};

    write_whole(file, n_bytes);
    for (size_t length = n_bytes; length-- > 0;) {
        cut_to(length);
        count(&t, is_refused_unread(victim_path, "truncated"), "length", length);
    }
    print_tally(&t, REFUSED);
}

static void flip_every_bit(const char *file, size_t n_bytes)
{
    tally t = {.kind = "checkpoint with every single bit flipped"};

    write_whole(file, n_bytes);
    for (size_t at = 0; at < n_bytes; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char flipped = (char)(file[at] ^ 1 << bit);

            write_at(&flipped, 1, at);
            count(&t, is_refused_unread(victim_path, ""), "byte", at);
        }
        write_at(file + at, 1, at);
    }
    print_tally(&t, REFUSED);
}

/* HDF5's own checksum, Fletcher32, takes 0xFFFF for 0x0000. */
static void put_ones_for_zeros(const char *file, size_t n_bytes)
{
    tally t = {.kind = "checkpoint with 0xFFFF for 0x0000, every word"};

    write_whole(file, n_bytes);
    for (size_t at = 0; at + 2 <= n_bytes; at += 2) {
        if (memcmp(file + at, "\0\0", 2) != 0)
            continue;
        write_at("\xFF\xFF", 2, at);
        count(&t, is_refused_unread(victim_path, "digest mismatch"), "byte", at);
        write_at(file + at, 2, at);
    }
    print_tally(&t, REFUSED);
}

/* The longest zeros of all, up to 1 KiB: a quarter of 1,000 fresh optimizer states become NaN. */
static void fill_the_region_of_zeros(const char *file, size_t n_bytes)
{
    tally t = {.kind = "checkpoint with 0xFF in its region of zeros"};
    size_t begin = 0, longest = 0, n_zeros = 0;
    char ones[1024];

    for (size_t at = 0; at < n_bytes; at++) {
        n_zeros = file[at] == 0 ? n_zeros + 1 : 0;
        if (n_zeros > longest) {
            longest = n_zeros;
            begin = at + 1 - n_zeros;
        }
    }
    memset(ones, 0xFF, sizeof ones);
    for (size_t n = 1; n <= longest && n <= sizeof ones; n++) {
        write_whole(file, n_bytes);
        write_at(ones, n, begin);
        count(&t, is_refused_unread(victim_path, ""), "bytes", n);
    }
    print_tally(&t, REFUSED);
}

static void append_bytes(const char *file, size_t n_bytes)
{
    tally t = {.kind = "checkpoint with bytes behind its end"};
    char zeros[4096] = "";

    for (size_t n = 1; n <= sizeof zeros; n += n < 64 ? 1 : 64) {
        write_whole(file, n_bytes);
        write_at(zeros, n, n_bytes);
        count(&t, is_refused_unread(victim_path, ""), "zeros", n);
    }
    write_whole(file, n_bytes);
    write_at(file + n_bytes - TRAILER_SIZE, TRAILER_SIZE, n_bytes);
    count(&t, is_refused_unread(victim_path, ""), "trailers", 2);
    print_tally(&t, REFUSED);
}

/* -- Random blocks, as disks and network file systems spoil them ------------------------------- */

static uint64_t random_state;

/* SplitMix64: the same numbers for a seed, everywhere. */
static uint64_t random_below(uint64_t limit)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % limit;
}

static void zero_block(char *file, size_t to, size_t from, size_t size)
{
    (void)from;
    memset(file + to, 0, size);
}

static void fill_block(char *file, size_t to, size_t from, size_t size)
{
    (void)from;
    memset(file + to, 0xFF, size);
}

static void swap_blocks(char *file, size_t to, size_t from, size_t size)
{
    char kept[4096];

    memcpy(kept, file + to, size);
    memmove(file + to, file + from, size);
    memcpy(file + from, kept, size);
}

static void repeat_block(char *file, size_t to, size_t from, size_t size)
{
    memmove(file + to, file + from, size);
}

/* A block of 4 KiB or less, at a multiple of its size, as large as fits. */
static size_t choose_block_size(size_t n_bytes)
{
    size_t size = (size_t)4096 >> random_below(9);

    while (size > n_bytes / 2)
        size /= 2;
    return size;
}

static void damage_blocks(const char *file, size_t n_bytes, size_t n_trials)
{
    static const struct {
        tally tally;
        void (*spoil)(char *file, size_t to, size_t from, size_t size);
    } kinds[] = {{{.kind = "checkpoint with a block of 16 to 4096 bytes zeroed"}, zero_block},
                 {{.kind = "checkpoint with such a block set to 0xFF"}, fill_block},
                 {{.kind = "checkpoint with two such blocks swapped"}, swap_blocks},
                 {{.kind = "checkpoint with such a block repeated over another"}, repeat_block}};
    enum { N_KINDS = sizeof kinds / sizeof *kinds };
    char *spoilt = malloc(n_bytes);

    require(spoilt != NULL, "allocate");
    for (int k = 0; k < N_KINDS; k++) {
        tally t = kinds[k].tally;

        while (t.n_trials < (n_trials + N_KINDS - 1) / N_KINDS) {
            size_t size = choose_block_size(n_bytes);
            size_t to = random_below(n_bytes / size) * size;

            memcpy(spoilt, file, n_bytes);
            kinds[k].spoil(spoilt, to, random_below(n_bytes / size) * size, size);
            if (memcmp(spoilt, file, n_bytes) == 0) /* zeros for zeros, say */
                continue;
            write_whole(spoilt, n_bytes);
            count(&t, is_refused_unread(victim_path, ""), "block at", to);
        }
        print_tally(&t, REFUSED);
    }
    free(spoilt);
}

/* -- Files of others --------------------------------------------------------------------------- */

static tally unsealed = {.kind = "other files, many of them HDF5"};
static struct {
    size_t n, n_refused, n_accepted, n_crashed, n_endless;
} sealed;

/* What `read_sealed_victim` does in a process of its own: everything that reads a checkpoint. */
static int read_everything(void)
{
    static rnn_layer_cfg layers[RNN_MODEL_MAX_LAYERS];
    rnn_block block = {.path = "data/mean", .type = RNN_BLOCK_FLOAT64};
    size_t n_layers;
    char *config;
    rnn_status st = rnn_checkpoint_read_config(victim_path, &config);

    if (st == RNN_OK)
        st = rnn_checkpoint_read_layers(victim_path, layers, &n_layers);
    if (st == RNN_OK)
        st = rnn_checkpoint_read_blocks(victim_path, &block, 1);
    return (int)st;
}

static void limit_process(void)
{
    const struct rlimit seconds = {10, 10}, no_core = {0, 0};

    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_CORE, &no_core);
#ifndef RNN_SANITIZED /* which reserves far more address space */
    setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)1 << 30, (rlim_t)1 << 30});
#endif
    alarm(60);
    require(freopen("/dev/null", "w", stderr) != NULL, "silence libhdf5");
}

static void read_sealed_victim(void)
{
    int outcome = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        limit_process();
        _exit(read_everything());
    }
    require(child > 0 && waitpid(child, &outcome, 0) == child, "start a process");
    sealed.n++;
    if (WIFSIGNALED(outcome) && (WTERMSIG(outcome) == SIGXCPU || WTERMSIG(outcome) == SIGKILL ||
                                 WTERMSIG(outcome) == SIGALRM))
        sealed.n_endless++;
    else if (WIFSIGNALED(outcome))
        sealed.n_crashed++;
    else if (WEXITSTATUS(outcome) == RNN_OK)
        sealed.n_accepted++;
    else
        sealed.n_refused++;
}

static void seal(const char *file, size_t n_bytes)
{
    uint64_t fields[2] = {1, n_bytes}, digest;
    char *copy = malloc(n_bytes + TRAILER_SIZE);

    require(copy != NULL, "allocate");
    memcpy(copy, file, n_bytes);
    memcpy(copy + n_bytes, "RNNTRAIL", 8);
    memcpy(copy + n_bytes + 8, fields, sizeof fields);
    digest = rnn_digest(copy, n_bytes + 24);
    memcpy(copy + n_bytes + 24, &digest, sizeof digest);
    write_whole(copy, n_bytes + TRAILER_SIZE);
    free(copy);
}

static int try_file(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    void *file;
    size_t n_bytes;

    (void)walk;
    if (type != FTW_F || !S_ISREG(info->st_mode) ||
        rnn_file_read(path, MAX_BYTES, &file, &n_bytes) != RNN_OK)
        return 0;
    if (!is_refused_unread(path, ""))
        printf("%s\n", path);
    count(&unsealed, is_refused_unread(path, ""), "file", unsealed.n_trials + 1);
    seal(file, n_bytes);
    read_sealed_victim();
    rnn_free(file);
    return 0;
}

static void try_folders(char **folders, int n_folders)
{
    for (int i = 0; i < n_folders; i++)
        require(nftw(folders[i], try_file, 16, FTW_PHYS) == 0, "list a folder of files to try");
    if (unsealed.n_trials == 0)
        return;
    print_tally(&unsealed, REFUSED);
    printf("TABLE the same files with a valid trailer behind them | %zu | 0 | counted only: %zu "
           "refused, %zu accepted, libhdf5 crashed on %zu and found no end in %zu\n",
           sealed.n, sealed.n_refused, sealed.n_accepted, sealed.n_crashed, sealed.n_endless);
}

/* -- All --------------------------------------------------------------------------------------- */

/* Else all that follows would also hold for a reader that refuses everything unread. */
static void expect_undamaged(const char *file, size_t n_bytes)
{
    size_t before = rnn_checkpoint_image_reads();
    char *config;

    write_whole(file, n_bytes);
    require(rnn_checkpoint_read_config(victim_path, &config) == RNN_OK,
            "read the undamaged checkpoint");
    rnn_free(config);
    require(rnn_checkpoint_image_reads() == before + 1, "count what libhdf5 reads");
}

int main(int argc, char **argv)
{
    void *file;
    size_t n_bytes;

    if (argc < 4) {
        fprintf(stderr, "usage: damaged-checkpoints CHECKPOINT BLOCKS SEED [FOLDER...]\n");
        return 64;
    }
    if (rnn_file_read(argv[1], MAX_BYTES, &file, &n_bytes) != RNN_OK) {
        fprintf(stderr, "damaged-checkpoints: %s\n", rnn_error_message());
        return 66;
    }
    random_state = strtoull(argv[3], NULL, 10);
    create_victim();
    expect_undamaged(file, n_bytes);
    cut_everywhere(file, n_bytes);
    flip_every_bit(file, n_bytes);
    put_ones_for_zeros(file, n_bytes);
    fill_the_region_of_zeros(file, n_bytes);
    append_bytes(file, n_bytes);
    damage_blocks(file, n_bytes, strtoull(argv[2], NULL, 10));
    expect_undamaged(file, n_bytes);
    try_folders(argv + 4, argc - 4);
    rnn_free(file);
    return n_all_failures > 0;
}
