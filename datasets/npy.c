/*
 * Arrays in NumPy's .npy files as a dataset: inputs [samples][steps][features], or
 * [samples][steps] with one feature, and targets that are
 *
 *     integers or booleans [samples]                  a class
 *     integers or booleans [samples][steps]           a class per step
 *     floats [samples] or [samples][values]           values
 *     floats or integers [samples][steps][values]     values per step, as 0 and 1 for several
 * labels
 *
 * unless cfg.target says otherwise. Labels -1 and -100 stand for steps or samples without one. Only
 * headers and labels are read at the start, everything else when a sample is asked for, so that
 * files may be larger than memory.
 *
 * Where targets need not be there (cfg.needs_no_targets) and one split's are not, none are used.
 * Without any file of targets their kind is cfg.target; AUTO is values if a fit has means of
 * targets, else a label, and the number of classes is unknown, 0.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "datasets/file_digest.h"
#include "datasets/files.h"
#include "datasets/npy_file.h"
#include "datasets/reader.h"
#include "kernels/memory.h"

enum { N_FILES = 2 * RNN_N_SPLITS, PIECE = 1024 };

_Static_assert((int)N_FILES <= (int)RNN_FILES_MAX, "all files can be looked for");

typedef struct arrays {
    char *folder;
    char *paths[N_FILES]; /* of each split the inputs, then the targets; NULL: none */
    rnn_npy_file inputs[RNN_N_SPLITS], targets[RNN_N_SPLITS];
    size_t seq_len, n_features;
    double mean, std;
    rnn_target_kind target;
    bool has_targets;
    size_t n_classes, n_target_values;
} arrays;

static bool has_inputs(const arrays *content, size_t split)
{
    return content->inputs[split].fd >= 0;
}

static bool has_file_of_targets(const arrays *content, size_t split)
{
    return content->targets[split].fd >= 0;
}

/* -- Files --------------------------------------------------------------------------------------*/

static rnn_status check_names(const rnn_dataset_cfg *cfg)
{
    if (cfg->file[RNN_SPLIT_TRAIN][0] == '\0' && cfg->fit == NULL)
        return RNN_FAIL(RNN_ERR_DATA, "dataset.train_file: expected a file's name, found none");
    for (int i = 0; i < RNN_N_SPLITS; i++) {
        const char *split = rnn_split_name((rnn_split)i);
        bool has_file = cfg->file[i][0] != '\0', has_target = cfg->target_file[i][0] != '\0';

        if (has_target && !has_file)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.%s_targets is '%s': expected dataset.%s_file for its inputs, "
                            "found none",
                            split, cfg->target_file[i], split);
        if (has_file && !has_target && !cfg->needs_no_targets)
            return RNN_FAIL(RNN_ERR_DATA,
                            "dataset.%s_targets: expected a file's name, to go with '%s', found "
                            "none",
                            split, cfg->file[i]);
    }
    return RNN_OK;
}

static rnn_status find_files(arrays *content, const rnn_dataset_cfg *cfg)
{
    rnn_files files = {.search = cfg->search, .n_search = cfg->n_search};
    size_t place[N_FILES];

    RNN_TRY(check_names(cfg));
    for (size_t i = 0; i < N_FILES; i++) {
        const char *name = i % 2 == 0 ? cfg->file[i / 2] : cfg->target_file[i / 2];

        if (name[0] == '\0')
            continue;
        place[files.n_names] = i;
        files.names[files.n_names++] = name;
    }
    if (files.n_names == 0)
        return RNN_FAIL(RNN_ERR_DATA, "dataset files: expected one at least, found none");
    RNN_TRY(rnn_files_find(&content->folder, &files));
    for (size_t i = 0; i < files.n_names; i++)
        RNN_TRY(rnn_files_locate(&content->paths[place[i]], &files, content->folder, i));
    return RNN_OK;
}

static rnn_status open_files(arrays *content)
{
    for (size_t i = 0; i < N_FILES; i++) {
        rnn_npy_file *file = i % 2 == 0 ? &content->inputs[i / 2] : &content->targets[i / 2];

        if (content->paths[i] == NULL)
            continue;
        RNN_TRY(rnn_reader_check_format(&rnn_npy_reader, content->paths[i]));
        RNN_TRY(rnn_npy_file_open(file, content->paths[i]));
    }
    return RNN_OK;
}

/* -- Inputs -------------------------------------------------------------------------------------*/

/* All splits have the same steps and features. */
static rnn_status settle_inputs(arrays *content, const rnn_npy_file *file)
{
    size_t n_features = file->n_dims == 3 ? file->shape[2] : 1;

    if (file->n_dims < 2 || file->shape[1] > INT32_MAX)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected inputs [samples][steps] or [samples][steps][features], of at "
                        "most %d steps, found %s",
                        file->path, INT32_MAX, rnn_npy_file_shape(file).text);
    if (content->seq_len == 0) {
        content->seq_len = file->shape[1];
        content->n_features = n_features;
    }
    if (content->seq_len != file->shape[1] || content->n_features != n_features)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected inputs of %zu steps and %zu features, as in the dataset's "
                        "first file, found %s",
                        file->path, content->seq_len, content->n_features,
                        rnn_npy_file_shape(file).text);
    return RNN_OK;
}

/* -- Targets ------------------------------------------------------------------------------------*/

static rnn_target_kind kind_of(rnn_target_choice choice, const rnn_npy_file *file)
{
    /* By dimensions, of integers and of floats. */
    static const rnn_target_kind usual[RNN_NPY_MAX_DIMS][2] = {
        {RNN_TARGET_LABEL, RNN_TARGET_VALUES},
        {RNN_TARGET_STEP_LABEL, RNN_TARGET_VALUES},
        {RNN_TARGET_STEP_VALUES, RNN_TARGET_STEP_VALUES}};

    if (choice != RNN_TARGET_CHOICE_AUTO)
        return (rnn_target_kind)(choice - RNN_TARGET_CHOICE_LABEL);
    return usual[file->n_dims - 1][file->kind == 'f'];
}

/* Whether an array can be of this kind; *n_values are those of a target. */
static bool fits(rnn_target_kind target, const rnn_npy_file *file, size_t seq_len, size_t *n_values)
{
    size_t n_before = rnn_target_is_per_step(target) ? 2 : 1; /* dimensions before the values */

    *n_values = file->n_dims == n_before + 1 ? file->shape[n_before] : 1;
    if (rnn_target_is_per_step(target) && (file->n_dims < 2 || file->shape[1] != seq_len))
        return false;
    if (rnn_target_is_label(target))
        return file->kind != 'f' && file->n_dims == n_before;
    return file->n_dims == n_before || file->n_dims == n_before + 1;
}

static rnn_status fail_target(rnn_target_kind target, const rnn_npy_file *file,
                              const rnn_npy_file *inputs)
{
    static const char *const names[] = {"label", "step_label", "values", "step_values"};
    const char *type = rnn_target_is_label(target) ? "integers" : "numbers";
    char shape[64];

    if (rnn_target_is_per_step(target))
        snprintf(shape, sizeof shape, "[%zu][%zu]", inputs->shape[0], inputs->shape[1]);
    else
        snprintf(shape, sizeof shape, "[%zu]", inputs->shape[0]);
    return RNN_FAIL(
        RNN_ERR_DATA, "%s: expected %s %s%s, for dataset.target '%s' of '%s', found %s %s",
        file->path, type, shape, rnn_target_is_label(target) ? "" : " or with [values] behind",
        names[target], inputs->path, rnn_npy_file_type(file).text, rnn_npy_file_shape(file).text);
}

/* The same kind and number of values in all splits. */
static rnn_status settle_targets(arrays *content, const rnn_dataset_cfg *cfg, size_t split,
                                 bool is_first)
{
    const rnn_npy_file *file = &content->targets[split], *inputs = &content->inputs[split];
    rnn_target_kind target = is_first ? kind_of(cfg->target, file) : content->target;
    size_t n_values;

    if (file->shape[0] != inputs->shape[0] || !fits(target, file, content->seq_len, &n_values))
        return fail_target(target, file, inputs);
    if (is_first) {
        content->target = target;
        content->n_target_values = rnn_target_is_label(target) ? 0 : n_values;
    }
    if (!rnn_target_is_label(target) && n_values != content->n_target_values)
        return RNN_FAIL(
            RNN_ERR_DATA,
            "%s: expected %zu values in a target, as in the dataset's first file, found "
            "%zu",
            file->path, content->n_target_values, n_values);
    return RNN_OK;
}

/* What targets would be if there were any. */
static void assume_targets(arrays *content, const rnn_dataset_cfg *cfg)
{
    size_t n_values = cfg->fit != NULL ? cfg->fit->n_target_values : 0;

    content->target = n_values > 0 ? RNN_TARGET_VALUES : RNN_TARGET_LABEL;
    if (cfg->target != RNN_TARGET_CHOICE_AUTO)
        content->target = (rnn_target_kind)(cfg->target - RNN_TARGET_CHOICE_LABEL);
    if (!rnn_target_is_label(content->target))
        content->n_target_values = n_values > 0 ? n_values : 1;
}

static rnn_status settle_all(arrays *content, const rnn_dataset_cfg *cfg)
{
    bool is_first = true;

    content->has_targets = true;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        if (!has_inputs(content, split))
            continue;
        RNN_TRY(settle_inputs(content, &content->inputs[split]));
        if (!has_file_of_targets(content, split)) {
            content->has_targets = false;
            continue;
        }
        RNN_TRY(settle_targets(content, cfg, split, is_first));
        is_first = false;
    }
    if (is_first)
        assume_targets(content, cfg);
    return RNN_OK;
}

/* -- Labels -------------------------------------------------------------------------------------*/

/* Label number `i` of a file; -1 is none. */
static rnn_status take_label(int32_t *label, const arrays *content, const rnn_npy_file *file,
                             size_t i, double value)
{
    bool is_step = content->target == RNN_TARGET_STEP_LABEL;
    char step[40] = "";

    *label = -1;
    if (value == -1 || value == -100)
        return RNN_OK;
    *label = value >= 0 && value < INT32_MAX ? (int32_t)value : -1;
    if (*label >= 0)
        return RNN_OK;
    if (is_step)
        snprintf(step, sizeof step, ", step %zu", i % content->seq_len);
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: sample %zu%s: expected a label of 0 to %d, or -1 or -100 for none, found "
                    "%.20g",
                    file->path, is_step ? i / content->seq_len : i, step, INT32_MAX - 1, value);
}

/* The largest label of the samples in use. */
static rnn_status find_classes(arrays *content, const rnn_npy_file *file, size_t n_samples)
{
    size_t count = n_samples * (content->target == RNN_TARGET_STEP_LABEL ? content->seq_len : 1);
    double piece[PIECE];

    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        RNN_TRY(rnn_npy_file_read(file, done, n, piece));
        for (size_t i = 0; i < n; i++) {
            int32_t label;

            RNN_TRY(take_label(&label, content, file, done + i, piece[i]));
            if (label >= 0 && (size_t)label >= content->n_classes)
                content->n_classes = (size_t)label + 1;
        }
    }
    return RNN_OK;
}

static rnn_status find_all_classes(arrays *content, const rnn_dataset_cfg *cfg)
{
    if (!content->has_targets || !rnn_target_is_label(content->target))
        return RNN_OK;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        const rnn_npy_file *file = &content->targets[split];

        if (has_file_of_targets(content, split))
            RNN_TRY(find_classes(content, file,
                                 rnn_reader_limit(cfg, (rnn_split)split, file->shape[0])));
    }
    if (content->n_classes == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "dataset folder '%s': expected labels, found none but -1 and "
                        "-100",
                        content->folder);
    return RNN_OK;
}

/* -- As a dataset -------------------------------------------------------------------------------*/

static rnn_status fill_info(rnn_dataset_info *info, const arrays *content,
                            const rnn_dataset_cfg *cfg)
{
    const char *paths[N_FILES];
    size_t n_paths = 0;

    info->folder = content->folder;
    info->name = "unknown";
    for (size_t split = 0; split < RNN_N_SPLITS; split++)
        if (has_inputs(content, split))
            info->n_samples[split] =
                rnn_reader_limit(cfg, (rnn_split)split, content->inputs[split].shape[0]);
    info->seq_len = content->seq_len;
    info->n_features = content->n_features;
    info->target = content->target;
    info->has_targets = content->has_targets;
    info->n_classes = content->n_classes;
    info->n_target_values = content->n_target_values;
    info->bytes_in_memory = sizeof *content;
    for (size_t i = 0; i < N_FILES; i++)
        if (content->paths[i] != NULL)
            paths[n_paths++] = content->paths[i];
    return rnn_file_digest(&info->digest, paths, n_paths, RNN_FILE_DIGEST_MOST);
}

static void destroy(void *handle)
{
    arrays *content = handle;

    if (content == NULL)
        return;
    for (size_t split = 0; split < RNN_N_SPLITS; split++) {
        rnn_npy_file_close(&content->inputs[split]);
        rnn_npy_file_close(&content->targets[split]);
    }
    for (size_t i = 0; i < N_FILES; i++)
        rnn_free(content->paths[i]);
    rnn_free(content->folder);
    rnn_free(content);
}

static rnn_status open_npy(void **out, rnn_dataset_info *info, const rnn_dataset_cfg *cfg)
{
    arrays *content;
    rnn_status st;

    *out = NULL;
    RNN_TRY(rnn_reader_check_scale(cfg));
    RNN_TRY(RNN_ALLOC(&content, 1, "a dataset"));
    for (size_t split = 0; split < RNN_N_SPLITS; split++)
        content->inputs[split].fd = content->targets[split].fd = -1;
    content->mean = cfg->mean;
    content->std = cfg->std;
    RNN_TRY_GOTO(st, find_files(content, cfg), done);
    RNN_TRY_GOTO(st, open_files(content), done);
    RNN_TRY_GOTO(st, settle_all(content, cfg), done);
    RNN_TRY_GOTO(st, find_all_classes(content, cfg), done);
    RNN_TRY_GOTO(st, fill_info(info, content, cfg), done);
    *out = content;
    content = NULL;
done:
    destroy(content);
    return st;
}

/* -- Rows of a slice ----------------------------------------------------------------------------*/

/* A sample of an array and the row of the slice that it goes to. */
typedef struct transfer {
    const rnn_npy_file *file;
    size_t sample, n_steps, width; /* values of a step */
    size_t row, rows;
    const char *what; /* a value is */
} transfer;

/* Value number i of the sample; the others lie in a slice [n_steps][rows][width]. */
static rnn_status put(const transfer *t, size_t i, double value, float *into)
{
    size_t step = i / t->width, place = i % t->width;
    float narrow = (float)value;

    if (!isfinite(narrow))
        return RNN_FAIL(
            RNN_ERR_DATA,
            "%s: sample %zu, step %zu, %s %zu: expected a finite number in the range of "
            "a float, found %g",
            t->file->path, t->sample, step, t->what, place, value);
    into[(step * t->rows + t->row) * t->width + place] = narrow;
    return RNN_OK;
}

static rnn_status read_values(const transfer *t, double mean, double std, float *into)
{
    size_t count = t->n_steps * t->width;
    double piece[PIECE];

    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < PIECE ? count - done : PIECE;
        RNN_TRY(rnn_npy_file_read(t->file, t->sample * count + done, n, piece));
        for (size_t i = 0; i < n; i++)
            RNN_TRY(put(t, done + i, (piece[i] - mean) / std, into));
    }
    return RNN_OK;
}

/* Of a file that may have changed since its labels were seen. */
static rnn_status read_labels(const arrays *content, const transfer *t, int32_t *into)
{
    double piece[PIECE];

    for (size_t done = 0, n; done < t->n_steps; done += n) {
        size_t first = t->sample * t->n_steps + done;

        n = t->n_steps - done < PIECE ? t->n_steps - done : PIECE;
        RNN_TRY(rnn_npy_file_read(t->file, first, n, piece));
        for (size_t i = 0; i < n; i++) {
            int32_t *label = &into[(done + i) * t->rows + t->row];

            RNN_TRY(take_label(label, content, t->file, first + i, piece[i]));
            if (*label >= 0 && (size_t)*label >= content->n_classes)
                return RNN_FAIL(
                    RNN_ERR_DATA,
                    "%s: sample %zu: expected a label below %zu, found %d: the file has "
                    "changed",
                    t->file->path, t->sample, content->n_classes, *label);
        }
    }
    return RNN_OK;
}

static rnn_status read_row(const void *handle, rnn_split split, size_t sample, size_t row,
                           size_t rows, const rnn_dataset_slice *into)
{
    const arrays *content = handle;
    const transfer inputs = {.file = &content->inputs[split],
                             .sample = sample,
                             .n_steps = content->seq_len,
                             .width = content->n_features,
                             .row = row,
                             .rows = rows,
                             .what = "feature"};
    const transfer targets = {.file = &content->targets[split],
                              .sample = sample,
                              .n_steps =
                                  rnn_target_is_per_step(content->target) ? content->seq_len : 1,
                              .width = content->n_target_values,
                              .row = row,
                              .rows = rows,
                              .what = "target value"};

    RNN_TRY(read_values(&inputs, content->mean, content->std, into->x));
    if (!content->has_targets)
        return RNN_OK;
    return rnn_target_is_label(content->target) ? read_labels(content, &targets, into->label)
                                                : read_values(&targets, 0, 1, into->target);
}

/* -- The reader ---------------------------------------------------------------------------------*/

static bool recognizes(const unsigned char *bytes, size_t n, const char *path)
{
    static const char magic[] = "\x93NUMPY";

    (void)path;
    return n >= strlen(magic) && memcmp(bytes, magic, strlen(magic)) == 0;
}

static const char *const keys[] = {
    "search",        "train_file",          "valid_file",   "test_file", "train_targets",
    "valid_targets", "test_targets",        "target",       "mean",      "std",
    "standardize",   "standardize_targets", "validation",   "test",      "split",
    "train_samples", "valid_samples",       "test_samples", NULL};

const rnn_reader rnn_npy_reader = {.name = "npy",
                                   .reads_late = true,
                                   .keys = keys,
                                   .recognizes = recognizes,
                                   .open = open_npy,
                                   .destroy = destroy,
                                   .read_row = read_row};
