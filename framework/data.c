#include "framework/data.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/memory.h"

static const char *or_empty(const char *text)
{
    return text != NULL ? text : ""; /* a key that the format does not have */
}

static rnn_dataset_cfg from_config(const rnn_config *c)
{
    return (rnn_dataset_cfg){
        .format = rnn_dataset_formats[c->dataset.format],
        .name = c->dataset.name,
        .limit = {(size_t)c->dataset.train_samples, (size_t)c->dataset.valid_samples,
                  (size_t)c->dataset.test_samples},
        .search = (const char *const *)c->dataset.search.items,
        .n_search = (size_t)c->dataset.search.count,
        .file = {or_empty(c->dataset.train_file), or_empty(c->dataset.valid_file),
                 or_empty(c->dataset.test_file)},
        .target_file = {or_empty(c->dataset.train_targets), or_empty(c->dataset.valid_targets),
                        or_empty(c->dataset.test_targets)},
        .validation = c->dataset.validation,
        .test = c->dataset.test,
        .split_by = (rnn_split_by)c->dataset.split,
        .seed = (uint64_t)c->run.seed,
        .mean = c->dataset.mean,
        .std = c->dataset.std,
        .standardize = c->dataset.standardize,
        .standardize_targets = c->dataset.standardize_targets,
        .missing = (rnn_missing)c->dataset.missing,
        .sequence = (rnn_sequence)c->dataset.sequence,
        .n_classes = (size_t)c->dataset.classes,
        .inputs = (const char *const *)c->dataset.inputs.items,
        .n_inputs = (size_t)c->dataset.inputs.count,
        .targets = (const char *const *)c->dataset.targets.items,
        .n_targets = (size_t)c->dataset.targets.count,
        .alphabet = or_empty(c->dataset.alphabet),
        .unit = (rnn_unit)c->dataset.unit,
        .max_words = (size_t)c->dataset.max_words,
        .min_count = (size_t)c->dataset.min_count,
        .seq_len = (size_t)c->dataset.seq_len,
        .n_features = (size_t)c->dataset.features,
        .n_streams = c->train.carry_state ? (size_t)c->train.batch_size : 0,
        .columns = (const char *const *)c->dataset.columns.items,
        .n_columns = (size_t)c->dataset.columns.count,
        .target_columns = (const char *const *)c->dataset.target_columns.items,
        .n_target_columns = (size_t)c->dataset.target_columns.count,
        .look_back = (size_t)c->dataset.look_back,
        .window = (size_t)c->dataset.window,
        .stride = (size_t)c->dataset.stride,
        .horizon = (size_t)c->dataset.horizon,
        .x = or_empty(c->dataset.x),
        .y = or_empty(c->dataset.y),
        .lengths = or_empty(c->dataset.lengths),
        .target = (rnn_target_choice)c->dataset.target,
    };
}

/* Images have keys of their own, in MNIST's words. */
static void take_images(rnn_dataset_cfg *cfg, const rnn_config *c)
{
    if (c->dataset.train_images == NULL)
        return;
    cfg->file[RNN_SPLIT_TRAIN] = c->dataset.train_images;
    cfg->file[RNN_SPLIT_TEST] = c->dataset.test_images;
    cfg->target_file[RNN_SPLIT_TRAIN] = c->dataset.train_labels;
    cfg->target_file[RNN_SPLIT_TEST] = c->dataset.test_labels;
}

/* -- Other data -------------------------------------------------------------------------------- */

/* A path as a folder to search and, if it is a file, its name in there. */
typedef struct location {
    char *folder; /* rnn_alloc memory */
    const char *file;
} location;

/* Looks for `path`, or for the file in "FILE:/GROUP"; *n is how much of the path that is. */
static bool is_there(const char *path, size_t *n, struct stat *info)
{
    const char *group = strstr(path, ":/");
    char file[PATH_MAX];
    int error;

    *n = strlen(path);
    if (stat(path, info) == 0)
        return true;
    error = errno;
    if (group != NULL &&
        snprintf(file, sizeof file, "%.*s", (int)(group - path), path) < (int)sizeof file) {
        *n = (size_t)(group - path);
        if (stat(file, info) == 0 && S_ISREG(info->st_mode))
            return true;
    }
    errno = error;
    return false;
}

static rnn_status locate(location *out, const char *path)
{
    struct stat info;
    const char *slash;
    size_t n;

    *out = (location){.file = NULL};
    if (!is_there(path, &n, &info))
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    slash = memrchr(path, '/', n);
    if (S_ISDIR(info.st_mode))
        return rnn_string_copy(&out->folder, path);
    out->file = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        return rnn_string_copy(&out->folder, ".");
    RNN_TRY(rnn_string_copy(&out->folder, path));
    out->folder[slash == path ? 1 : slash - path] = '\0';
    return RNN_OK;
}

/* The file is all there is. */
static rnn_status take_file(rnn_dataset_cfg *cfg, const char *file)
{
    if (cfg->target_file[RNN_SPLIT_TRAIN][0] != '\0')
        return RNN_FAIL(RNN_ERR_USAGE,
                        "data of format '%s' are several files: expected the folder they are in, "
                        "found the file '%s'",
                        cfg->format, file);
    for (int split = 0; split < RNN_N_SPLITS; split++) {
        cfg->file[split] = "";
        cfg->limit[split] = 0; /* those were of the training's data */
    }
    cfg->file[RNN_SPLIT_TEST] = file;
    cfg->validation = cfg->test = 0.0;
    return RNN_OK;
}

/* -- Opening ----------------------------------------------------------------------------------- */

rnn_status rnn_data_open(rnn_dataset **out, const rnn_config *config,
                         const rnn_data_override *other)
{
    rnn_dataset_cfg cfg = from_config(config);
    location at = {.folder = NULL};
    rnn_status st = RNN_OK;

    *out = NULL;
    take_images(&cfg, config);
    if (other != NULL && other->path != NULL &&
        !rnn_dataset_format_uses((size_t)config->dataset.format, "search"))
        return RNN_FAIL(RNN_ERR_USAGE,
                        "data of format '%s' is in no files: expected no data, found '%s'",
                        cfg.format, other->path);
    if (other != NULL) {
        cfg.fit = other->fit;
        cfg.answer = other->answer;
        cfg.needs_no_targets = other->needs_no_targets;
        if (other->path != NULL) {
            RNN_TRY_GOTO(st, locate(&at, other->path), done);
            cfg.search = (const char *const *)&at.folder;
            cfg.n_search = 1;
        }
        if (at.file != NULL)
            RNN_TRY_GOTO(st, take_file(&cfg, at.file), done);
    }
    st = rnn_dataset_open(out, &cfg);
done:
    rnn_free(at.folder);
    return st;
}

rnn_shape rnn_data_input(const rnn_dataset *dataset)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(dataset);

    return (rnn_shape){
        .seq_len = info->seq_len, .n_features = info->n_features, .n_tokens = info->n_tokens};
}
