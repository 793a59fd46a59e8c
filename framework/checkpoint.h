/*
 * Checkpoints: one HDF5 file each, whole or absent.
 *
 * libhdf5 never touches the disk. The image is built in memory (core driver, oldest format), a
 * 32-byte trailer with a digest of every byte follows it, and framework/file_io.c writes it under a
 * temporary name, syncs, renames and syncs the folder. Reading goes the other way: whole file,
 * digest, and only then libhdf5 on the bytes, trusting nothing in them.
 */
#ifndef RNN_FRAMEWORK_CHECKPOINT_H
#define RNN_FRAMEWORK_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framework/model.h"
#include "framework/optimizer.h"
#include "kernels/status.h"

enum { RNN_CHECKPOINT_MAX_METRICS = 16 };

/* One row per finished epoch of each metric. */
typedef struct rnn_history {
    const char *names[RNN_CHECKPOINT_MAX_METRICS]; /* static strings */
    size_t n_metrics;
    size_t n_rows;
    double *values; /* [n_rows][n_metrics], rnn_alloc memory, owned; NULL when empty */
} rnn_history;

/* Where training stands. */
typedef struct rnn_progress {
    uint64_t epoch;          /* epochs finished */
    uint64_t step;           /* optimizer steps finished */
    uint64_t samples_seen;   /* over all epochs */
    uint64_t batch_in_epoch; /* batches of the running epoch that are done */
    double epoch_loss_sum;   /* over the samples of those batches */
    uint64_t epoch_correct;
    uint64_t epoch_samples;
    uint64_t epoch_targets; /* that the loss counted in these samples */
    double epoch_seconds;
    double best_metric; /* NAN before the first evaluation */
    uint64_t best_step;
    uint64_t stale_epochs; /* in a row without a better one */
    double plateau_scale;  /* rnn_plateau; 1, NAN, 0 at first */
    double plateau_best;
    uint64_t plateau_bad_epochs;
    uint64_t dataset_digest; /* of the data trained on */
} rnn_progress;

/* Free-form facts for /environment: name, text. Borrowed. */
typedef struct rnn_fact {
    const char *name, *text;
} rnn_fact;

/* An array beside the model's own, under a name of the owner's choice. */
typedef enum rnn_block_type {
    RNN_BLOCK_FLOAT32,
    RNN_BLOCK_FLOAT64,
    RNN_BLOCK_TEXTS /* char [n][width], each text ended or filled up by zero bytes */
} rnn_block_type;

enum { RNN_BLOCK_MAX_DIMS = 3, RNN_BLOCK_MAX_PATH = 64 };

typedef struct rnn_block {
    char path[RNN_BLOCK_MAX_PATH]; /* in the file, without "/" in front: "data/mean" */
    rnn_block_type type;
    int n_dims;
    size_t shape[RNN_BLOCK_MAX_DIMS]; /* of texts: their number and their width */
    void *values;                     /* finite, if they are numbers */
} rnn_block;

/*
 * Everything a checkpoint holds. Pointers are borrowed; reading fills what they point to. For
 * writing all but config and environment are needed. For reading, optimizer, progress and history
 * may be NULL and are then left out; the names in history are set by the caller, and the file must
 * have exactly these metrics.
 */
typedef struct rnn_checkpoint {
    const rnn_model *model;
    float *params;            /* the model's arena */
    rnn_optimizer *optimizer; /* state and step */
    rnn_progress *progress;
    rnn_history *history;
    const rnn_block *blocks; /* written only; see rnn_checkpoint_read_blocks */
    size_t n_blocks;
    const char *config;          /* canonical text; written only */
    const rnn_fact *environment; /* written only */
    size_t n_environment;
} rnn_checkpoint;

/*
 * Writes folder/step-NNNNNNNNNN.h5 and points folder/latest.h5 at it. Local to one rank. Errors:
 * RNN_ERR_NONFINITE (nothing written) if a parameter or state is not finite, naming the tensor;
 * RNN_ERR_IO naming file, operation and reason; then no temporary file remains, an older checkpoint
 * is untouched, and there is no new one, unless only the link or the sync of the folder failed.
 * *path (may be NULL) gets the file's path, rnn_free memory; NULL on failure.
 */
rnn_status rnn_checkpoint_write(const rnn_checkpoint *checkpoint, const char *folder, char **path);

/*
 * Whether rnn_checkpoint_write could do that: writes and syncs the file under its temporary name,
 * and removes it. *n_bytes is its size. Errors: RNN_ERR_NONFINITE, RNN_ERR_IO.
 */
rnn_status rnn_checkpoint_rehearse(const rnn_checkpoint *checkpoint, const char *folder,
                                   size_t *n_bytes);

/* Points folder/best.h5 at the checkpoint of `step`; RNN_ERR_IO if there is none. */
rnn_status rnn_checkpoint_mark_best(const char *folder, uint64_t step);

/*
 * Removes all but the newest `keep` checkpoints and those that latest.h5 (the last one written,
 * which need not have the highest step after going back) and best.h5 point to. keep 0 = keep all.
 */
rnn_status rnn_checkpoint_prune(const char *folder, size_t keep);

/* Whether `path` is an HDF5 file, which only looks at how it begins. RNN_ERR_NOINPUT, RNN_ERR_IO.
 */
rnn_status rnn_checkpoint_recognize(const char *path, bool *is_hdf5);

/* Whether these bytes end as those of a checkpoint do. */
bool rnn_checkpoint_has_trailer(const char *file, size_t n_bytes);

/*
 * Opens `path` and returns the configuration text it was written with (rnn_free memory): whole
 * file, digest, format and version are checked, the tensors are not. RNN_ERR_NOINPUT if it does not
 * exist, RNN_ERR_DATA with the reason ("truncated: ...", "digest mismatch: ...", "not an rnntrain
 * checkpoint").
 */
rnn_status rnn_checkpoint_read_config(const char *path, char **config);

/*
 * Reads `path` into what `into` points to: parameters, optimizer state, progress, history. Every
 * dataset's name, type and shape is checked against the model before anything is changed; on
 * failure nothing is. RNN_ERR_DATA names the tensor, what the model needs and what the file has.
 */
rnn_status rnn_checkpoint_read(const char *path, rnn_checkpoint *into);

/*
 * The layers of the model in `path`, into layers[RNN_MODEL_MAX_LAYERS]; *n_layers tells how many,
 * 0 on failure. All sizes are filled in, also those that had been left out; how parameters start is
 * not stored and is the default. An argument that the file is too old to have is torch.nn's
 * default. The file is checked as by rnn_checkpoint_read_config, every argument against the bounds
 * that a configuration has; the tensors are not: rnn_model_create and rnn_checkpoint_read do that.
 * RNN_ERR_NOINPUT, or RNN_ERR_DATA naming the layer and its attribute.
 */
rnn_status rnn_checkpoint_read_layers(const char *path, rnn_layer_cfg *layers, size_t *n_layers);

/*
 * Reads the blocks of these paths and types; shape and values are filled in, the values in
 * rnn_alloc memory, NULL if the file has none of that path. After a failure all are NULL. Errors as
 * of rnn_checkpoint_read.
 */
rnn_status rnn_checkpoint_read_blocks(const char *path, rnn_block *blocks, size_t n_blocks);

/* Reports one skipped file: "path: reason". */
typedef void (*rnn_skip_report)(const char *text, void *context);

/*
 * The newest valid checkpoint of a folder (by step), *path in rnn_free memory; NULL if the folder
 * has none or does not exist. Damaged ones are skipped and reported; if all are damaged that is
 * RNN_ERR_DATA, since starting anew in silence would lose the run. Also removes leftover temporary
 * files of earlier runs.
 */
rnn_status rnn_checkpoint_find(const char *folder, char **path, rnn_skip_report report,
                               void *context);

/*
 * The names of the checkpoints in a folder, step-*.h5, from the oldest on: *n of them, each and the
 * array in rnn_alloc memory. None if the folder does not exist. RNN_ERR_IO.
 */
rnn_status rnn_checkpoint_list(const char *folder, char ***names, size_t *n);

/* Moves checkpoints, metrics.jsonl and event files of an earlier run into folder/previous-N;
 * *moved_to (rnn_free memory) is NULL if there was nothing to move. */
rnn_status rnn_checkpoint_set_aside(const char *folder, char **moved_to);

#endif
