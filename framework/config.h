/*
 * The configuration of a run: a plain struct, filled from TOML through one table of keys
 * (framework/config_keys.c) that also makes --help-config, the checks, and the canonical text.
 */
#ifndef RNN_FRAMEWORK_CONFIG_H
#define RNN_FRAMEWORK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rnn/layer.h>
#include <rnn/loss.h>

#include "framework/model.h"
#include "kernels/status.h"

enum { RNN_CONFIG_MAX_LAYERS = RNN_MODEL_MAX_LAYERS, RNN_CONFIG_MAX_LIST = 64 };

typedef struct rnn_string_list {
    char *items[RNN_CONFIG_MAX_LIST];
    int64_t count;
} rnn_string_list;

/* Field names are the TOML keys: [run] seed is run.seed. Strings belong to the config. */
typedef struct rnn_config {
    struct {
        char *name;       /* "run" */
        int64_t seed;     /* 1 */
        int64_t epochs;   /* 1 */
        int64_t steps;    /* 0 = by epochs; else stop after so many */
        char *output_dir; /* "" = "runs/" + name */
        char *resume;     /* "auto" | "never" | path */
        double timeout;   /* seconds a rank waits for another; 300; 0 = for ever */
    } run;
    struct {                    /* which format has which: the readers in datasets/ */
        int format;             /* index into rnn_dataset_formats; idx */
        char *name;             /* "" */
        rnn_string_list search; /* required, at least one */
        char *train_images, *train_labels, *test_images, *test_labels; /* MNIST's file names */
        int sequence;                                                  /* rnn_sequence; rows */
        char *train_file, *valid_file, *test_file; /* "" = none; the first is required */
        char *train_targets, *valid_targets, *test_targets;
        double validation, test; /* fractions of the training samples; 0 */
        int split;               /* rnn_split_by; random */
        char *x, *y, *lengths;   /* names in a file; "x", "y", "" */
        int target;              /* rnn_target_choice; auto */
        rnn_string_list columns, target_columns;
        int64_t look_back, window, stride, horizon; /* 1, 0, 1, 1 */
        int unit;                                   /* rnn_unit; characters */
        int64_t max_words, min_count;               /* 0, 1 */
        int64_t seq_len;
        int64_t features;
        int missing;                     /* rnn_missing; refuse */
        rnn_string_list inputs, targets; /* strings: required */
        char *alphabet;                  /* strings: "" = the characters in use */
        double mean, std;                /* 0, 1 */
        bool standardize, standardize_targets;
        int64_t train_samples, valid_samples, test_samples; /* 0 = all */
        int64_t classes;                                    /* idx; 256: labels must be below */
        bool shuffle;                                       /* true */
    } dataset;
    rnn_layer_cfg layer[RNN_CONFIG_MAX_LAYERS];
    size_t n_layers;
    struct {
        int type;               /* rnn_loss_type; cross_entropy */
        int reduction;          /* rnn_loss_reduction; mean */
        int steps;              /* rnn_loss_steps; all */
        double label_smoothing; /* cross_entropy; 0 */
        int64_t ignore_index;   /* cross_entropy; -100 */
        double beta;            /* smooth_l1; 1 */
    } loss;
    struct {
        int type; /* rnn_optimizer_type; required */
        /* NAN / -1 = torch's default of the type, filled in when loading */
        double lr, weight_decay, momentum, dampening;
        bool nesterov;
        double beta1, beta2, eps;
        bool amsgrad;
        double rho, alpha;
        bool centered;
        double lr_decay, initial_accumulator_value, momentum_decay;
        double clip_norm, clip_value; /* 0 = off */
    } optimizer;
    struct {
        int type; /* rnn_schedule_type; constant */
        int64_t warmup_steps, step_size;
        double gamma, min_lr;
        double pct_start, div_factor, final_div_factor; /* one_cycle; 0.3, 25, 10000 */
        int64_t patience;                               /* plateau; 10 */
        double threshold;                               /* plateau; 1e-4 */
        int anneal;                                     /* one_cycle: rnn_anneal; cos */
    } schedule;
    struct {
        int64_t batch_size; /* global; 64 */
        int64_t accumulate; /* batches of an optimizer step; 1 */
        bool carry_state;   /* false */
        int64_t patience;   /* 0 = off; epochs without a better metric before the run ends */
        int on_nonfinite;   /* rnn_on_nonfinite; stop */
    } train;
    struct {
        int64_t shards;        /* power of two; 0 = chosen from batch size and widths */
        int64_t threads;       /* per rank; 0 = cores of the node / ranks on it */
        int reduction;         /* rnn_reduction; reproducible */
        int binding;           /* 0 = "auto", 1 = "keep" */
        bool shard_optimizer;  /* false */
        int gradients;         /* rnn_gradients; float32 */
        int64_t compare_every; /* steps; 100, 0 = only where there is a checkpoint */
    } parallel;
    struct {
        int64_t every_epochs, every_steps; /* 1, 0 (0 = off) */
        double every_minutes;              /* 0 = off */
        int64_t keep;                      /* 3 */
        int best;                          /* rnn_best; auto */
    } checkpoint;
    struct {
        double interval;  /* seconds between progress lines when not on a terminal; 10 */
        bool jsonl;       /* true: metrics.jsonl in the output folder */
        bool tensorboard; /* false: an event file there */
        int progress;     /* 0 = "auto", 1 = "bar", 2 = "lines", 3 = "none" */
    } log;
} rnn_config;

/* Which valid steps of a sequence have a part in the loss. */
typedef enum rnn_loss_steps { RNN_LOSS_STEPS_ALL, RNN_LOSS_STEPS_LAST } rnn_loss_steps;

/*
 * What the best checkpoint is best in, after each epoch and on the samples for validation (those
 * for testing if there are none); auto: accuracy for cross_entropy but of a language, else loss.
 */
typedef enum rnn_best {
    RNN_BEST_AUTO,
    RNN_BEST_ACCURACY,
    RNN_BEST_LOSS,
    RNN_BEST_F1,
    RNN_BEST_MAE,
    RNN_BEST_RMSE,
    RNN_BEST_NONE
} rnn_best;

/* What happens to a step whose loss or gradient is not finite. */
typedef enum rnn_on_nonfinite { RNN_NONFINITE_STOP, RNN_NONFINITE_SKIP } rnn_on_nonfinite;

typedef enum rnn_reduction { RNN_REDUCTION_REPRODUCIBLE, RNN_REDUCTION_ALLREDUCE } rnn_reduction;

/* What gradients are rounded to before each addition of the reproducible reduction. */
typedef enum rnn_gradients { RNN_GRADIENTS_FLOAT32, RNN_GRADIENTS_BFLOAT16 } rnn_gradients;

/*
 * Reads a configuration file and applies `overrides` ("key=value", from --set, in order; list
 * elements of [[layer]] as layer.0.hidden_size). Resolves defaults (the optimizer's by type,
 * output_dir). Errors: RNN_ERR_NOINPUT for a missing file, RNN_ERR_DATA with "file:line:column:
 * key: problem", for an unknown key also the nearest known one, RNN_ERR_USAGE for a malformed
 * override. Free with rnn_config_free, also after failure.
 */
rnn_status rnn_config_load(rnn_config *out, const char *path, const char *const *overrides,
                           size_t n_overrides);

/*
 * As rnn_config_load for those who want the layers and nothing else: keys of other tables may be
 * missing even if they are required, and are zero or empty then.
 */
rnn_status rnn_config_load_layers(rnn_config *out, const char *path, const char *const *overrides,
                                  size_t n_overrides);

/* As rnn_config_load from a text in memory; `source` names it in messages. */
rnn_status rnn_config_parse(rnn_config *out, const char *text, size_t length, const char *source,
                            const char *const *overrides, size_t n_overrides);

void rnn_config_free(rnn_config *config);

/*
 * The canonical text: every key that applies, in table order, one "key = value" a line under its
 * table; parses back to the same configuration. Equal configurations give equal bytes. Free with
 * rnn_free.
 */
rnn_status rnn_config_print(const rnn_config *config, char **out);

/*
 * Whether a run with `now` may continue one with `then`: keys that only steer the running (paths,
 * threads, epochs, checkpoint and log settings) may differ; for any other the result is
 * RNN_ERR_DATA naming the key and both values.
 */
rnn_status rnn_config_check_resume(const rnn_config *then, const rnn_config *now);

/* The keys with types, bounds, defaults and help as text, for --help-config. */
void rnn_config_print_help(FILE *out);

/*
 * One line for every key as --set takes it, a tab, and the words it may be, with blanks between
 * them, if there are only some: for completion in a shell. The number of a layer is N.
 */
void rnn_config_print_keys(FILE *out);

#endif
