#include "fuzz.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/memory.h"

void fuzz_check(bool is_true, const char *text, const char *file, int line)
{
    if (is_true)
        return;
    fprintf(stderr, "%s:%d: broken promise: %s; the last message: %s\n", file, line, text,
            rnn_error_message());
    abort();
}

/* -- Taking an input apart ----------------------------------------------------------------------*/

uint8_t fuzz_byte(fuzz_input *in)
{
    if (in->n_left == 0)
        return 0;
    in->n_left--;
    return *in->at++;
}

size_t fuzz_below(fuzz_input *in, size_t n)
{
    return fuzz_byte(in) % n;
}

fuzz_input fuzz_part(fuzz_input *in)
{
    size_t low = fuzz_byte(in), n = low + ((size_t)fuzz_byte(in) << 8);
    fuzz_input part = {in->at, n < in->n_left ? n : in->n_left};

    in->at += part.n_left;
    in->n_left -= part.n_left;
    return part;
}

char *fuzz_text(fuzz_input in)
{
    char *text = malloc(in.n_left + 1);

    FUZZ_CHECK(text != NULL);
    if (in.n_left > 0)
        memcpy(text, in.at, in.n_left);
    text[in.n_left] = '\0';
    return text;
}

/* -- Files in memory ----------------------------------------------------------------------------*/

const char *const fuzz_folder[1] = {"/proc/self/fd"};

const char *fuzz_file(size_t i, fuzz_input content)
{
    static struct {
        int fd;
        bool is_open;
        char name[16];
    } files[FUZZ_MAX_FILES];

    FUZZ_CHECK(i < FUZZ_MAX_FILES);
    if (!files[i].is_open) {
        files[i].fd = memfd_create("fuzz", MFD_CLOEXEC);
        files[i].is_open = true;
        snprintf(files[i].name, sizeof files[i].name, "%d", files[i].fd);
    }
    FUZZ_CHECK(ftruncate(files[i].fd, (off_t)content.n_left) == 0);
    FUZZ_CHECK(content.n_left == 0 ||
               pwrite(files[i].fd, content.at, content.n_left, 0) == (ssize_t)content.n_left);
    return files[i].name;
}

const char *fuzz_path(size_t i, fuzz_input content)
{
    static char paths[FUZZ_MAX_FILES][32];

    snprintf(paths[i], sizeof paths[i], "%s/%s", fuzz_folder[0], fuzz_file(i, content));
    return paths[i];
}

static char named_file[4096];

static void remove_named_file(void)
{
    unlink(named_file);
}

const char *fuzz_named_file(fuzz_input content)
{
    static int fd = -1;
    const char *folder = getenv("TMPDIR");

    if (fd < 0) {
        snprintf(named_file, sizeof named_file, "%s/rnntrain-fuzz-%ld.h5",
                 folder != NULL ? folder : "/dev/shm", (long)getpid());
        fd = open(named_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        FUZZ_CHECK(fd >= 0);
        atexit(remove_named_file);
    }
    FUZZ_CHECK(ftruncate(fd, (off_t)content.n_left) == 0);
    FUZZ_CHECK(content.n_left == 0 ||
               pwrite(fd, content.at, content.n_left, 0) == (ssize_t)content.n_left);
    return named_file;
}

/* libhdf5 forgets some memory where it finds damage. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* Whether fuzz_dataset does; of the settings. */
static bool is_used_again;

/* -- Using a dataset ----------------------------------------------------------------------------*/

enum { MAX_ROWS = 3, MAX_SAMPLES = 48, MAX_VALUES = 1 << 18 };

/* A slice as the loader makes one: exactly as large as it must be. */
static bool create_slice(rnn_dataset_slice *s, const rnn_dataset_info *info, size_t rows,
                         size_t n_steps)
{
    size_t n_all = rows * n_steps;
    size_t n_targets = rnn_target_is_per_step(info->target) ? n_all : rows;
    double width = (double)info->n_features + (double)info->n_target_values;

    *s = (rnn_dataset_slice){.x = NULL};
    if ((double)n_all * width > MAX_VALUES)
        return false;
    FUZZ_CHECK(RNN_ALLOC(&s->length, rows, "a slice") == RNN_OK);
    if (info->n_tokens > 0)
        FUZZ_CHECK(RNN_ALLOC(&s->token, n_all, "a slice") == RNN_OK);
    else
        FUZZ_CHECK(RNN_ALLOC(&s->x, n_all * info->n_features, "a slice") == RNN_OK);
    if (rnn_target_is_label(info->target))
        FUZZ_CHECK(RNN_ALLOC(&s->label, n_targets, "a slice") == RNN_OK);
    else
        FUZZ_CHECK(RNN_ALLOC(&s->target, n_targets * info->n_target_values, "a slice") == RNN_OK);
    return true;
}

static void free_slice(rnn_dataset_slice *s)
{
    rnn_free(s->x);
    rnn_free(s->token);
    rnn_free(s->length);
    rnn_free(s->label);
    rnn_free(s->target);
}

/* What is promised of values and numbers. */
static void check_slice(const rnn_dataset *dataset, const rnn_dataset_slice *s, size_t rows,
                        size_t n_steps)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    const rnn_dataset_fit *fit = rnn_dataset_get_fit(dataset);
    size_t n_labels = rnn_target_is_per_step(info->target) ? rows * n_steps : rows;

    for (size_t i = 0; s->token != NULL && i < rows * n_steps; i++)
        FUZZ_CHECK(s->token[i] >= -1 && s->token[i] < (int64_t)info->n_tokens);
    for (size_t i = 0; s->label != NULL && i < n_labels; i++)
        FUZZ_CHECK(s->label[i] >= -1 && (s->label[i] < 0 || !info->has_targets ||
                                         (size_t)s->label[i] < info->n_classes));
    for (size_t i = 0; s->x != NULL && fit->mean == NULL && i < rows * n_steps * info->n_features;
         i++)
        FUZZ_CHECK(isfinite(s->x[i]));
}

static rnn_status gather(const rnn_dataset *dataset, rnn_split split, uint64_t first)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);
    size_t n_left = info->n_samples[split] - (size_t)first, n_steps = 0;
    size_t n_valid = n_left < MAX_ROWS ? n_left : MAX_ROWS, rows = n_valid + 1;
    uint64_t index[MAX_ROWS];
    rnn_dataset_slice slice;
    rnn_status st = RNN_OK;

    for (size_t i = 0; i < n_valid; i++) {
        size_t length = rnn_dataset_length(dataset, split, (size_t)first + i);

        index[i] = first + i;
        FUZZ_CHECK(length >= info->min_len && length <= info->seq_len);
        n_steps = length > n_steps ? length : n_steps;
    }
    if (create_slice(&slice, info, rows, n_steps)) {
        st = rnn_dataset_gather(dataset, split, index, n_valid, rows, n_steps, &slice);
        if (st == RNN_OK)
            check_slice(dataset, &slice, rows, n_steps);
    }
    free_slice(&slice);
    return st;
}

static void use(const rnn_dataset *dataset)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    for (int split = 0; split < RNN_N_SPLITS; split++) {
        size_t n = info->n_samples[split], step = n > MAX_SAMPLES ? n / MAX_SAMPLES : 1;

        for (size_t i = 0; i<n; i += step> MAX_ROWS ? step : MAX_ROWS)
            if (gather(dataset, (rnn_split)split, i) != RNN_OK)
                break;
    }
    for (size_t i = 0; i < MAX_SAMPLES; i++) {
        const char *text = rnn_dataset_token_text(dataset, i);

        FUZZ_CHECK(text == NULL || strlen(text) < SIZE_MAX);
    }
    for (size_t i = 0; i < info->n_target_values && i < MAX_SAMPLES; i++) {
        double scale, offset;

        rnn_dataset_target_units(dataset, i, &scale, &offset);
    }
}

/* The same files for a trained model, which need not have targets. */
static void use_again(const rnn_dataset_cfg *cfg, const rnn_dataset *trained)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(trained);
    rnn_dataset_answer answer = {info->target, info->n_classes + info->n_target_values};
    rnn_dataset_cfg again = *cfg;
    rnn_dataset *dataset;

    again.fit = rnn_dataset_get_fit(trained);
    again.answer = &answer;
    again.needs_no_targets = true;
    again.validation = again.test = 0;
    if (rnn_dataset_open(&dataset, &again) == RNN_OK)
        use(dataset);
    rnn_dataset_destroy(&dataset);
}

void fuzz_dataset(rnn_dataset_cfg *cfg)
{
    rnn_dataset *dataset;
    rnn_status st;

    if (cfg->n_search == 0) {
        cfg->search = fuzz_folder;
        cfg->n_search = 1;
    }
    st = rnn_dataset_open(&dataset, cfg);
    FUZZ_CHECK((st == RNN_OK) == (dataset != NULL));
    FUZZ_CHECK(st == RNN_OK || (st != RNN_ERR_INTERNAL && rnn_error_message()[0] != '\0'));
    if (st == RNN_OK) {
        use(dataset);
        if (is_used_again)
            use_again(cfg, dataset);
    }
    rnn_dataset_destroy(&dataset);
}

void fuzz_common_settings(rnn_dataset_cfg *cfg, fuzz_input *in)
{
    uint8_t bits = fuzz_byte(in);

    cfg->std = 1;
    cfg->stride = cfg->look_back = 1;
    cfg->seed = 1;
    cfg->validation = (bits & 1) != 0 ? 0.25 : 0;
    cfg->test = (bits & 2) != 0 ? 0.25 : 0;
    cfg->standardize = (bits & 4) != 0;
    cfg->standardize_targets = (bits & 8) != 0;
    cfg->limit[RNN_SPLIT_TRAIN] = (bits & 16) != 0 ? 3 : 0;
    cfg->needs_no_targets = (bits & 32) != 0;
    cfg->split_by = (rnn_split_by)((bits >> 6) % 3);
    is_used_again = bits >> 6 == 3;
}

void fuzz_take_files(rnn_dataset_cfg *cfg, fuzz_input in)
{
    fuzz_input test = fuzz_part(&in);

    if (test.n_left > 0)
        cfg->file[RNN_SPLIT_TEST] = fuzz_file(1, test);
    cfg->file[RNN_SPLIT_TRAIN] = fuzz_file(0, in);
}

void fuzz_take_pairs(rnn_dataset_cfg *cfg, fuzz_input in)
{
    fuzz_input test = fuzz_part(&in);

    if (test.n_left > 0) {
        cfg->target_file[RNN_SPLIT_TEST] = fuzz_file(2, fuzz_part(&in));
        cfg->file[RNN_SPLIT_TEST] = fuzz_file(3, test);
    }
    cfg->file[RNN_SPLIT_TRAIN] = fuzz_file(0, in);
}
