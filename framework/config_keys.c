#include "framework/config_keys.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "framework/config_init.h"
#include "framework/layer_args.h"
#include "framework/optimizer.h"
#include "framework/schedule.h"
#include "kernels/loss.h"
#include "kernels/memory.h"

/* -- Choices, in the order of their enums ------------------------------------------------------ */

static const char *const sequences[] = {[RNN_SEQUENCE_ROWS] = "rows",
                                        [RNN_SEQUENCE_COLUMNS] = "columns",
                                        [RNN_SEQUENCE_PIXELS] = "pixels",
                                        NULL};
static const char *const splits[] = {[RNN_SPLIT_BY_RANDOM] = "random",
                                     [RNN_SPLIT_BY_STRATIFIED] = "stratified",
                                     [RNN_SPLIT_BY_ORDER] = "order",
                                     NULL};
static const char *const target_choices[] = {[RNN_TARGET_CHOICE_AUTO] = "auto",
                                             [RNN_TARGET_CHOICE_LABEL] = "label",
                                             [RNN_TARGET_CHOICE_STEP_LABEL] = "step_label",
                                             [RNN_TARGET_CHOICE_VALUES] = "values",
                                             [RNN_TARGET_CHOICE_STEP_VALUES] = "step_values",
                                             NULL};
static const char *const units[] = {
    [RNN_UNIT_CHARACTERS] = "characters", [RNN_UNIT_WORDS] = "words", NULL};
static const char *const missing_choices[] = {
    [RNN_MISSING_REFUSE] = "refuse", [RNN_MISSING_ZERO] = "zero",
    [RNN_MISSING_MEAN] = "mean",     [RNN_MISSING_PREVIOUS] = "previous",
    [RNN_MISSING_LINEAR] = "linear", NULL};
static const char *const losses[] = {"cross_entropy",   "mse", "l1", "smooth_l1",
                                     "bce_with_logits", NULL};
static const char *const loss_reductions[] = {
    [RNN_LOSS_REDUCTION_MEAN] = "mean", [RNN_LOSS_REDUCTION_SUM] = "sum", NULL};
static const char *const loss_steps[] = {
    [RNN_LOSS_STEPS_ALL] = "all", [RNN_LOSS_STEPS_LAST] = "last", NULL};
static const char *const optimizers[] = {[RNN_OPTIMIZER_SGD] = "sgd",
                                         [RNN_OPTIMIZER_ADAM] = "adam",
                                         [RNN_OPTIMIZER_ADAMW] = "adamw",
                                         [RNN_OPTIMIZER_ADADELTA] = "adadelta",
                                         [RNN_OPTIMIZER_ADAGRAD] = "adagrad",
                                         [RNN_OPTIMIZER_RMSPROP] = "rmsprop",
                                         [RNN_OPTIMIZER_ADAMAX] = "adamax",
                                         [RNN_OPTIMIZER_NADAM] = "nadam",
                                         NULL};
static const char *const schedules[] = {
    [RNN_SCHEDULE_CONSTANT] = "constant", [RNN_SCHEDULE_STEP] = "step",
    [RNN_SCHEDULE_COSINE] = "cosine",     [RNN_SCHEDULE_ONE_CYCLE] = "one_cycle",
    [RNN_SCHEDULE_PLATEAU] = "plateau",   NULL};
static const char *const anneals[] = {
    [RNN_ANNEAL_COS] = "cos", [RNN_ANNEAL_LINEAR] = "linear", NULL};
static const char *const reductions[] = {
    [RNN_REDUCTION_REPRODUCIBLE] = "reproducible", [RNN_REDUCTION_ALLREDUCE] = "allreduce", NULL};
static const char *const gradient_types[] = {
    [RNN_GRADIENTS_FLOAT32] = "float32", [RNN_GRADIENTS_BFLOAT16] = "bfloat16", NULL};
static const char *const bindings[] = {"auto", "keep", NULL};
static const char *const nonfinite_policies[] = {
    [RNN_NONFINITE_STOP] = "stop", [RNN_NONFINITE_SKIP] = "skip", NULL};
static const char *const best_metrics[] = {
    [RNN_BEST_AUTO] = "auto", [RNN_BEST_ACCURACY] = "accuracy",
    [RNN_BEST_LOSS] = "loss", [RNN_BEST_F1] = "f1",
    [RNN_BEST_MAE] = "mae",   [RNN_BEST_RMSE] = "rmse",
    [RNN_BEST_NONE] = "none", NULL};
static const char *const progress_styles[] = {"auto", "bar", "lines", "none", NULL};

/* Choices are read and written as int, whatever integer type an enum has. */
_Static_assert(sizeof(rnn_layer_type) == sizeof(int), "rnn_layer_type must have the size of int");

/* -- The table --------------------------------------------------------------------------------- */

/* The member of rnn_config is the key's path, so the two cannot drift apart. */
#define KEY(member)     .path = #member, .offset = offsetof(rnn_config, member)
#define LAYER(member)   .path = "layer[]." #member, .offset = offsetof(rnn_layer_cfg, member)
#define DATASET(member) KEY(dataset.member), .by_format = true
#define OPTIMIZER(member)                                                                          \
    KEY(optimizer.member), .optimizer_offset = offsetof(rnn_optimizer_cfg, member)

#define INTEGER      .type = RNN_KEY_INTEGER
#define NUMBER       .type = RNN_KEY_NUMBER
#define BOOLEAN      .type = RNN_KEY_BOOLEAN
#define STRING       .type = RNN_KEY_STRING
#define LIST         .type = RNN_KEY_LIST
#define INIT         .type = RNN_KEY_INIT
#define CHOICE(list) .type = RNN_KEY_CHOICE, .choices = (list)

#define FROM(low)        .min = (low), .max = (double)INFINITY
#define RANGE(low, high) .min = (low), .max = (high)
#define BELOW_ONE        .min = 0, .max = 1, .below_max = true
#define ANY              .min = -(double)INFINITY, .max = (double)INFINITY

#define ONLY(type)  (1u << (type))
#define PLATEAU     ONLY(RNN_SCHEDULE_PLATEAU)
#define WITH_FALLS  (ONLY(RNN_SCHEDULE_STEP) | PLATEAU)
#define WITH_MIN    (ONLY(RNN_SCHEDULE_COSINE) | PLATEAU)
#define SGD         ONLY(RNN_OPTIMIZER_SGD)
#define ADADELTA    ONLY(RNN_OPTIMIZER_ADADELTA)
#define ADAGRAD     ONLY(RNN_OPTIMIZER_ADAGRAD)
#define RMSPROP     ONLY(RNN_OPTIMIZER_RMSPROP)
#define NADAM       ONLY(RNN_OPTIMIZER_NADAM)
#define WITH_MAX    (ONLY(RNN_OPTIMIZER_ADAM) | ONLY(RNN_OPTIMIZER_ADAMW))
#define ADAM_FAMILY (WITH_MAX | ONLY(RNN_OPTIMIZER_ADAMAX) | NADAM)
#define ONE_CYCLE   ONLY(RNN_SCHEDULE_ONE_CYCLE)
#define WITH_WARMUP                                                                                \
    (ONLY(RNN_SCHEDULE_CONSTANT) | ONLY(RNN_SCHEDULE_STEP) | ONLY(RNN_SCHEDULE_COSINE))

enum { MAX_SIZE = RNN_LAYER_MAX_SIZE, MAX_THREADS = 1024 };

/* Keys of one table stand together; the one that decides about the others comes first. */
const rnn_config_key rnn_config_keys[] = {
    {KEY(run.name), STRING, FROM(1), .fallback = "\"run\"", .may_change = true,
     .help = "Names the run in messages and in output_dir: letters, digits, \".\", \"_\", \"-\"."},
    {KEY(run.seed), INTEGER, FROM(0), .fallback = "1",
     .help = "Initial parameters and the order of samples follow from it."},
    {KEY(run.epochs), INTEGER, RANGE(1, UINT32_MAX), .fallback = "1", .may_change = true,
     .help = "Passes over the training samples."},
    {KEY(run.steps), INTEGER, FROM(0), .fallback = "0", .may_change = true,
     .help = "Stop after so many optimizer steps, if the epochs have more; 0 = off."},
    {KEY(run.output_dir), STRING, FROM(0), .fallback = "\"\"", .may_change = true,
     .help = "Folder of checkpoints and metrics; \"\" = runs/ and the name."},
    {KEY(run.resume), STRING, FROM(1), .fallback = "\"auto\"", .may_change = true,
     .help = "\"auto\" = from output_dir if it has a checkpoint, \"never\", or a checkpoint."},
    {KEY(run.timeout), NUMBER, FROM(0), .fallback = "300.0", .may_change = true,
     .help = "Seconds after which ranks that wait in vain for another end the run; 0 = never."},

    {KEY(dataset.format), CHOICE(rnn_dataset_formats), .fallback = "\"idx\"",
     .help =
         "Images, series of the UCR and UEA archives, strings in here, a text, tables, arrays."},
    {KEY(dataset.name), STRING, FROM(0), .fallback = "\"\"",
     .help = "The dataset this is meant for, to warn about another; \"\" = any."},
    {DATASET(search), LIST, RANGE(1, RNN_CONFIG_MAX_LIST), .may_change = true,
     .help = "Folders to look in, in order; \"~\" and \"$NAME\" are expanded."},
    {DATASET(train_images), STRING, FROM(1), .fallback = "\"train-images-idx3-ubyte\"",
     .may_change = true, .help = "File name; \".gz\" is added if only that exists."},
    {DATASET(train_labels), STRING, FROM(1), .fallback = "\"train-labels-idx1-ubyte\"",
     .may_change = true, .help = "File name."},
    {DATASET(test_images), STRING, FROM(0), .fallback = "\"t10k-images-idx3-ubyte\"",
     .may_change = true, .help = "File name; \"\" = none."},
    {DATASET(test_labels), STRING, FROM(0), .fallback = "\"t10k-labels-idx1-ubyte\"",
     .may_change = true, .help = "File name; \"\" = none."},
    {DATASET(sequence), CHOICE(sequences), .fallback = "\"rows\"",
     .help = "Which lines of an image are the steps of the sequence, or every pixel."},
    {DATASET(train_file), STRING, FROM(1), .may_change = true,
     .help = "File name, as NAME_TRAIN.ts; of npy, the inputs."},
    {DATASET(valid_file), STRING, FROM(0), .fallback = "\"\"", .may_change = true,
     .help = "File name; \"\" = none."},
    {DATASET(test_file), STRING, FROM(0), .fallback = "\"\"", .may_change = true,
     .help = "File name; \"\" = none."},
    {DATASET(train_targets), STRING, FROM(1), .may_change = true, .help = "File name."},
    {DATASET(valid_targets), STRING, FROM(0), .fallback = "\"\"", .may_change = true,
     .help = "File name; \"\" = none."},
    {DATASET(test_targets), STRING, FROM(0), .fallback = "\"\"", .may_change = true,
     .help = "File name; \"\" = none."},
    {DATASET(validation), NUMBER, BELOW_ONE, .fallback = "0.0",
     .help = "This fraction of the training samples is for validation; series: the end."},
    {DATASET(test), NUMBER, BELOW_ONE, .fallback = "0.0",
     .help = "This fraction of the training samples is for testing; series: the end."},
    {DATASET(split), CHOICE(splits), .fallback = "\"random\"",
     .help = "How they are chosen: by the seed, so from every class, or the last ones."},
    {DATASET(x), STRING, FROM(1), .fallback = "\"x\"", .help = "Name of the inputs in the file."},
    {DATASET(y), STRING, FROM(1), .fallback = "\"y\"", .help = "Name of the targets in the file."},
    {DATASET(lengths), STRING, FROM(0), .fallback = "\"\"",
     .help = "Name of the sequences' lengths in the file; \"\" = \"lengths\" if there is one."},
    {DATASET(target), CHOICE(target_choices), .fallback = "\"auto\"",
     .help = "What is to be learned: a class or values, of a sequence or of every step."},
    {DATASET(columns), LIST, RANGE(0, RNN_CONFIG_MAX_LIST), .fallback = "[]",
     .help = "Names of the columns that are features, or their numbers from 1; [] = all numbers."},
    {DATASET(target_columns), LIST, RANGE(0, RNN_CONFIG_MAX_LIST), .fallback = "[]",
     .help = "Columns to learn; [] = those that are features."},
    {DATASET(look_back), INTEGER, RANGE(1, MAX_SIZE), .fallback = "1",
     .help = "Rows that are the features of a step."},
    {DATASET(window), INTEGER, RANGE(0, INT32_MAX), .fallback = "0",
     .help = "Steps of a sample; 0 = all rows are one sample."},
    {DATASET(stride), INTEGER, RANGE(1, INT32_MAX), .fallback = "1",
     .help = "Rows from one sample to the next."},
    {DATASET(horizon), INTEGER, RANGE(0, MAX_SIZE), .fallback = "1",
     .help = "Rows ahead that are to be learned; 0 = a step's own row."},
    {DATASET(unit), CHOICE(units), .fallback = "\"characters\"",
     .help = "What of a text is a step."},
    {DATASET(max_words), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .help = "Only the most frequent words get a number of their own; 0 = all."},
    {DATASET(min_count), INTEGER, RANGE(1, INT32_MAX), .fallback = "1",
     .help = "Only words that occur so often get a number of their own."},
    {DATASET(seq_len), INTEGER, RANGE(1, INT32_MAX), .help = "Steps of a sample."},
    {DATASET(features), INTEGER, RANGE(1, MAX_SIZE), .help = "Values of a step."},
    {DATASET(missing), CHOICE(missing_choices), .fallback = "\"refuse\"",
     .help = "What stands in for a missing value; \"linear\" = between its neighbours."},
    {DATASET(inputs), LIST, RANGE(1, RNN_CONFIG_MAX_LIST),
     .help = "Training samples: each character is the token of a step."},
    {DATASET(targets), LIST, RANGE(1, RNN_CONFIG_MAX_LIST),
     .help = "What each step of inputs is to give: as many strings, as long."},
    {DATASET(alphabet), STRING, FROM(0), .fallback = "\"\"",
     .help = "The characters in the order of their numbers; \"\" = those in use, sorted."},
    {DATASET(mean), NUMBER, ANY, .fallback = "0.0",
     .help = "A value v enters as (v - mean) / std; a pixel p of 0..255 has the value p / 255."},
    {DATASET(std), NUMBER, ANY, .fallback = "1.0", .help = "See mean; not 0."},
    {DATASET(standardize), BOOLEAN, .fallback = "false",
     .help = "Every feature gets mean 0 and deviation 1 over the training samples."},
    {DATASET(standardize_targets), BOOLEAN, .fallback = "false",
     .help = "So do targets that are values; metrics and predictions are in their own units."},
    {DATASET(train_samples), INTEGER, FROM(0), .fallback = "0",
     .help = "Use only the first so many; 0 = all."},
    {DATASET(valid_samples), INTEGER, FROM(0), .fallback = "0",
     .help = "Use only the first so many; 0 = all."},
    {DATASET(test_samples), INTEGER, FROM(0), .fallback = "0",
     .help = "Use only the first so many; 0 = all."},
    {DATASET(classes), INTEGER, RANGE(1, INT32_MAX), .fallback = "256",
     .help = "Labels must be below this."},
    {KEY(dataset.shuffle), BOOLEAN, .fallback = "true",
     .help = "Another order of the training samples in every epoch."},

    {LAYER(type), CHOICE(rnn_layer_type_names), .help = "What the layer is, as in torch.nn."},
    {LAYER(input_size), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0", .types = RNN_LAYER_RECURRENT,
     .help = "Features of a step; 0 = what the layer before gives."},
    {LAYER(hidden_size), INTEGER, RANGE(1, MAX_SIZE), .types = RNN_LAYER_RECURRENT,
     .help = "Features of the hidden state."},
    {LAYER(num_layers), INTEGER, RANGE(1, RNN_LAYER_MAX_SUBLAYERS), .fallback = "1",
     .types = RNN_LAYER_STACKED, .help = "Layers stacked on each other."},
    {LAYER(nonlinearity), CHOICE(rnn_nonlinearity_names), .fallback = "\"tanh\"",
     .types = RNN_LAYER_PLAIN, .help = "Of the hidden state."},
    {LAYER(bias), BOOLEAN, .fallback = "true", .types = RNN_LAYER_WITH_BIAS,
     .help = "Whether there are bias parameters."},
    {LAYER(batch_first), BOOLEAN, .fallback = "false", .types = RNN_LAYER_STACKED,
     .help = "Order of the dimensions in arrays given to librnn; training is the same."},
    {LAYER(dropout), NUMBER, BELOW_ONE, .fallback = "0.0", .types = RNN_LAYER_STACKED,
     .help = "Probability of dropping a value between stacked layers; not after the last."},
    {LAYER(variational), BOOLEAN, .fallback = "false", .types = RNN_LAYER_WITH_DROPOUT,
     .help = "Drop the same features at all steps of a sequence, anew for every sequence."},
    {LAYER(bidirectional), BOOLEAN, .fallback = "false", .types = RNN_LAYER_STACKED,
     .help = "Also run from the last step to the first; gives twice the features."},
    {LAYER(proj_size), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0", .types = ONLY(RNN_LAYER_LSTM),
     .help = "Features of the projected hidden state, below hidden_size; 0 = not projected."},
    {LAYER(h0), NUMBER, ANY, .fallback = "0.0", .types = RNN_LAYER_RECURRENT,
     .help = "Every value of the hidden state before the first step."},
    {LAYER(c0), NUMBER, ANY, .fallback = "0.0", .types = RNN_LAYER_LONG_SHORT,
     .help = "Every value of the cell state before the first step."},
    {LAYER(in_features), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .types = ONLY(RNN_LAYER_LINEAR), .help = "0 = what the layer before gives."},
    {LAYER(out_features), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .types = ONLY(RNN_LAYER_LINEAR),
     .help = "Outputs; in the last layer, classes. Required; if tied, 0 = num_embeddings."},
    {LAYER(tied), BOOLEAN, .fallback = "false", .types = ONLY(RNN_LAYER_LINEAR),
     .help = "Use the weight of the embedding, which is the first layer, for this one too."},
    {LAYER(step), CHOICE(rnn_select_names), .fallback = "\"last\"", .types = ONLY(RNN_LAYER_SELECT),
     .help = "What of the sequence to go on with: a step, or mean or max over the steps."},
    {LAYER(num_embeddings), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .types = ONLY(RNN_LAYER_EMBEDDING), .help = "0 = as many as the data has different tokens."},
    {LAYER(embedding_dim), INTEGER, RANGE(1, MAX_SIZE), .types = ONLY(RNN_LAYER_EMBEDDING),
     .help = "Features that a token becomes."},
    {LAYER(padding_idx), INTEGER, RANGE(-1, MAX_SIZE - 1), .fallback = "-1",
     .types = ONLY(RNN_LAYER_EMBEDDING),
     .help = "A token whose features are 0 and are not trained; -1 = none."},
    {LAYER(num_classes), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .types = ONLY(RNN_LAYER_ONEHOT), .help = "0 = as many as the data has different tokens."},
    {LAYER(p), NUMBER, BELOW_ONE, .fallback = "0.5", .types = ONLY(RNN_LAYER_DROPOUT),
     .help = "Probability of dropping a value while training."},
    {LAYER(function), CHOICE(rnn_activation_names), .fallback = "\"tanh\"",
     .types = ONLY(RNN_LAYER_ACTIVATION), .help = "Applied to every value."},
    {LAYER(eps), NUMBER, FROM(0), .fallback = "1e-05", .types = ONLY(RNN_LAYER_LAYERNORM),
     .help = "Added to the variance."},
    {LAYER(elementwise_affine), BOOLEAN, .fallback = "true", .types = ONLY(RNN_LAYER_LAYERNORM),
     .help = "Whether there are parameters: a factor, and with bias a term, for each feature."},
    {LAYER(init), INIT, .fallback = "\"default\"", .types = RNN_LAYER_WITH_INIT,
     .help = "How weights start: a function of torch.nn.init; \"default\" = as in torch.nn."},
    {LAYER(init_bias), INIT, .fallback = "\"default\"", .types = RNN_LAYER_WITH_BIAS,
     .help = "How biases start: \"default\", \"uniform\", \"normal\" or \"constant\"."},
    {LAYER(forget_bias), NUMBER, ANY, .fallback = "0.0", .types = RNN_LAYER_LONG_SHORT,
     .help = "Added at the start to the forget gate's part of bias_ih."},

    {KEY(loss.type), CHOICE(losses), .fallback = "\"cross_entropy\"",
     .help = "As in torch.nn; cross_entropy is for labels, the others for numbers."},
    {KEY(loss.reduction), CHOICE(loss_reductions), .fallback = "\"mean\"",
     .help = "Over the targets of a batch."},
    {KEY(loss.steps), CHOICE(loss_steps), .fallback = "\"all\"",
     .help = "\"last\": of a sequence only the last valid step counts."},
    {KEY(loss.label_smoothing), NUMBER, RANGE(0, 1), .fallback = "0.0",
     .types = ONLY(RNN_LOSS_CROSS_ENTROPY), .help = "Part of a target spread over all classes."},
    {KEY(loss.ignore_index), INTEGER, RANGE(INT32_MIN, INT32_MAX), .fallback = "-100",
     .types = ONLY(RNN_LOSS_CROSS_ENTROPY), .help = "Targets with this label do not count."},
    {KEY(loss.beta), NUMBER, FROM(0), .fallback = "1.0", .types = ONLY(RNN_LOSS_SMOOTH_L1),
     .help = "Errors below this count as squares."},

    {KEY(optimizer.type), CHOICE(optimizers), .help = "The algorithm, as in torch.optim."},
    {OPTIMIZER(lr), NUMBER, FROM(0), .help = "Learning rate."},
    {OPTIMIZER(weight_decay), NUMBER, FROM(0), .help = "L2 penalty; in adamw, decoupled."},
    {OPTIMIZER(momentum), NUMBER, FROM(0), .types = SGD | RMSPROP, .help = "0 = off."},
    {OPTIMIZER(dampening), NUMBER, ANY, .types = SGD, .help = "Of the momentum."},
    {OPTIMIZER(nesterov), BOOLEAN, .types = SGD, .help = "Needs momentum and no dampening."},
    {OPTIMIZER(beta1), NUMBER, BELOW_ONE, .types = ADAM_FAMILY, .help = "Decay of the mean."},
    {OPTIMIZER(beta2), NUMBER, BELOW_ONE, .types = ADAM_FAMILY,
     .help = "Decay of the mean square; in adamax, of the largest magnitude."},
    {OPTIMIZER(eps), NUMBER, FROM(0), .types = ADAM_FAMILY | ADADELTA | ADAGRAD | RMSPROP,
     .help = "Keeps denominators from 0."},
    {OPTIMIZER(amsgrad), BOOLEAN, .types = WITH_MAX, .help = "Divide by the largest mean square."},
    {OPTIMIZER(rho), NUMBER, RANGE(0, 1), .types = ADADELTA, .help = "Decay of the mean squares."},
    {OPTIMIZER(alpha), NUMBER, FROM(0), .types = RMSPROP, .help = "Decay of the mean square."},
    {OPTIMIZER(centered), BOOLEAN, .types = RMSPROP, .help = "Divide by the variance instead."},
    {OPTIMIZER(lr_decay), NUMBER, FROM(0), .types = ADAGRAD, .help = "lr / (1 + step * lr_decay)."},
    {OPTIMIZER(initial_accumulator_value), NUMBER, FROM(0), .types = ADAGRAD,
     .help = "Where the sum of squares starts."},
    {OPTIMIZER(momentum_decay), NUMBER, FROM(0), .types = NADAM, .help = "Of beta1's schedule."},
    {OPTIMIZER(clip_norm), NUMBER, FROM(0),
     .help = "Rescale gradients whose L2 norm is larger; 0 = off."},
    {OPTIMIZER(clip_value), NUMBER, FROM(0),
     .help = "Cut every gradient to -clip_value..clip_value; 0 = off."},

    {KEY(schedule.type), CHOICE(schedules), .fallback = "\"constant\"",
     .help = "How the learning rate moves."},
    {KEY(schedule.warmup_steps), INTEGER, FROM(0), .fallback = "0", .types = WITH_WARMUP,
     .help = "Steps over which it first rises to lr."},
    {KEY(schedule.step_size), INTEGER, FROM(1), .types = ONLY(RNN_SCHEDULE_STEP),
     .help = "Epochs between two falls."},
    {KEY(schedule.gamma), NUMBER, FROM(0), .fallback = "0.1", .types = WITH_FALLS,
     .help = "Factor of a fall."},
    {KEY(schedule.min_lr), NUMBER, FROM(0), .fallback = "0.0", .types = WITH_MIN,
     .help = "Learning rate at the end, or after all falls."},
    {KEY(schedule.patience), INTEGER, FROM(0), .fallback = "10", .types = PLATEAU,
     .help = "Epochs in a row in which checkpoint.best's metric may be no better before a fall."},
    {KEY(schedule.threshold), NUMBER, FROM(0), .fallback = "0.0001", .types = PLATEAU,
     .help = "Better is better by this share."},
    {KEY(schedule.pct_start), NUMBER, RANGE(0, 1), .fallback = "0.3", .types = ONE_CYCLE,
     .help = "Part of the run's steps in which the learning rate rises, to lr; then it falls."},
    {KEY(schedule.div_factor), NUMBER, FROM(0), .fallback = "25.0", .types = ONE_CYCLE,
     .help = "It starts from lr / div_factor; above 0."},
    {KEY(schedule.final_div_factor), NUMBER, FROM(0), .fallback = "10000.0", .types = ONE_CYCLE,
     .help = "It ends so many times lower than it started; above 0."},
    {KEY(schedule.anneal), CHOICE(anneals), .fallback = "\"cos\"", .types = ONE_CYCLE,
     .help = "The form of the rise and the fall."},

    {KEY(train.batch_size), INTEGER, RANGE(1, MAX_SIZE), .fallback = "64",
     .help = "Samples of a batch, over all ranks together."},
    {KEY(train.accumulate), INTEGER, RANGE(1, MAX_SIZE), .fallback = "1",
     .help = "Batches of an optimizer step: as one of so many times batch_size, in less memory."},
    {KEY(train.patience), INTEGER, FROM(0), .fallback = "0", .may_change = true,
     .help = "End after so many epochs in a row in which checkpoint.best's metric was no better; 0 "
             "= off."},
    {KEY(train.carry_state), BOOLEAN, .fallback = "false",
     .help = "Of a text: batches go on where the one before ended, states included."},
    {KEY(train.on_nonfinite), CHOICE(nonfinite_policies), .fallback = "\"stop\"",
     .may_change = true,
     .help = "A step whose loss or gradient is not finite ends the run, or is left out."},

    {KEY(parallel.shards), INTEGER, RANGE(0, MAX_SIZE), .fallback = "0",
     .help = "Slices of a batch: a power of two; 0 = from batch size and widths."},
    {KEY(parallel.threads), INTEGER, RANGE(0, MAX_THREADS), .fallback = "0", .may_change = true,
     .help = "Per rank; 0 = the cores of the node shared among its ranks."},
    {KEY(parallel.reduction), CHOICE(reductions), .fallback = "\"reproducible\"",
     .help = "\"reproducible\": the same bits for any number of ranks and threads."},
    {KEY(parallel.gradients), CHOICE(gradient_types), .fallback = "\"float32\"",
     .help = "\"bfloat16\": half as much to send, rounded before every addition of slices; the "
             "bits do not depend on the number of ranks."},
    {KEY(parallel.shard_optimizer), BOOLEAN, .fallback = "false", .may_change = true,
     .help = "Each rank keeps and updates only its share of the optimizer's states: less memory, "
             "the same bits."},
    {KEY(parallel.binding), CHOICE(bindings), .fallback = "\"auto\"", .may_change = true,
     .help = "\"keep\": leave the cores as the launcher gave them."},
    {KEY(parallel.compare_every), INTEGER, FROM(0), .fallback = "100", .may_change = true,
     .help = "Steps after which the ranks compare parameters and optimizer states, as before every "
             "checkpoint; 0 = only then."},

    {KEY(checkpoint.every_epochs), INTEGER, FROM(0), .fallback = "1", .may_change = true,
     .help = "0 = off."},
    {KEY(checkpoint.every_steps), INTEGER, FROM(0), .fallback = "0", .may_change = true,
     .help = "0 = off."},
    {KEY(checkpoint.every_minutes), NUMBER, FROM(0), .fallback = "0.0", .may_change = true,
     .help = "0 = off."},
    {KEY(checkpoint.keep), INTEGER, FROM(0), .fallback = "3", .may_change = true,
     .help = "The newest so many stay, and the best; 0 = all."},
    {KEY(checkpoint.best), CHOICE(best_metrics), .fallback = "\"auto\"", .may_change = true,
     .help =
         "What best.h5 is best in; \"auto\" = accuracy for classes, loss for texts and values; of "
         "validation if any."},

    {KEY(log.interval), NUMBER, FROM(0), .fallback = "10.0", .may_change = true,
     .help = "Seconds between progress lines away from a terminal."},
    {KEY(log.jsonl), BOOLEAN, .fallback = "true", .may_change = true,
     .help = "Write metrics.jsonl to output_dir."},
    {KEY(log.tensorboard), BOOLEAN, .fallback = "false", .may_change = true,
     .help = "Write events.out.tfevents.* to output_dir, which TensorBoard reads."},
    {KEY(log.progress), CHOICE(progress_styles), .fallback = "\"auto\"", .may_change = true,
     .help = "\"auto\" = a bar on a terminal, else lines."},
};

const size_t rnn_config_n_keys = sizeof rnn_config_keys / sizeof *rnn_config_keys;

/* -- About a row ------------------------------------------------------------------------------- */

const rnn_config_key *rnn_config_key_find(const char *path)
{
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        if (strcmp(rnn_config_keys[k].path, path) == 0)
            return &rnn_config_keys[k];
    }
    return NULL;
}

const char *rnn_config_key_name(const rnn_config_key *key)
{
    return strrchr(key->path, '.') + 1;
}

size_t rnn_config_key_table_length(const rnn_config_key *key)
{
    return (size_t)(strrchr(key->path, '.') - key->path);
}

bool rnn_config_key_is_layer(const rnn_config_key *key)
{
    return strncmp(key->path, "layer[]", strlen("layer[]")) == 0;
}

bool rnn_config_key_is_required(const rnn_config_key *key)
{
    return key->fallback == NULL && key->optimizer_offset == 0;
}

const rnn_config_key *rnn_config_key_decider(const rnn_config_key *key)
{
    size_t n = rnn_config_key_table_length(key) + 1, k = 0;

    /* By path, not by place: `key` may be a changed copy of a row. */
    while (strncmp(rnn_config_keys[k].path, key->path, n) != 0)
        k++;
    return &rnn_config_keys[k];
}

unsigned rnn_config_key_types(const rnn_config_key *key)
{
    unsigned types = 0;

    if (!key->by_format)
        return key->types;
    for (size_t f = 0; rnn_dataset_formats[f] != NULL; f++)
        if (rnn_dataset_format_uses(f, rnn_config_key_name(key)))
            types |= 1u << f;
    return types;
}

bool rnn_config_key_applies(const rnn_config_key *key, const rnn_config *config, size_t layer)
{
    unsigned types = rnn_config_key_types(key);
    const int *type;

    if (types == 0 && !key->by_format)
        return true;
    type = rnn_config_key_field(rnn_config_key_decider(key), config, layer);
    return (types >> *type & 1u) != 0;
}

void *rnn_config_key_field(const rnn_config_key *key, const rnn_config *config, size_t layer)
{
    if (rnn_config_key_is_layer(key))
        return (char *)&config->layer[layer] + key->offset;
    return (char *)config + key->offset;
}

/* -- What a row expects ------------------------------------------------------------------------ */

static void print_range(const rnn_config_key *key, FILE *out)
{
    if (isinf(key->min) && isinf(key->max))
        return;
    if (isinf(key->max))
        fprintf(out, " (%.0f..)", key->min);
    else
        fprintf(out, " (%.0f..%s%.0f)", key->min, key->below_max ? "below " : "", key->max);
}

static void print_choices(const char *const *choices, FILE *out)
{
    if (choices[1] != NULL)
        fputs("one of ", out);
    for (size_t i = 0; choices[i] != NULL; i++)
        fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", choices[i]);
}

void rnn_config_key_print_expected(const rnn_config_key *key, FILE *out)
{
    switch (key->type) {
    case RNN_KEY_INTEGER:
        fputs("an integer", out);
        print_range(key, out);
        break;
    case RNN_KEY_NUMBER:
        fputs("a number", out);
        print_range(key, out);
        break;
    case RNN_KEY_BOOLEAN:
        fputs("true or false", out);
        break;
    case RNN_KEY_STRING:
        fputs(key->min > 0 ? "a string, not empty" : "a string", out);
        break;
    case RNN_KEY_CHOICE:
        print_choices(key->choices, out);
        break;
    case RNN_KEY_LIST:
        fprintf(out, "a list of %.0f to %.0f strings, not empty", key->min, key->max);
        break;
    case RNN_KEY_INIT:
        rnn_config_init_print_expected(out);
        break;
    }
}

void rnn_config_key_print_types(const rnn_config_key *key, FILE *out)
{
    const char *const *choices = rnn_config_key_decider(key)->choices;
    const char *separator = "";

    for (unsigned t = 0; choices[t] != NULL; t++) {
        if ((rnn_config_key_types(key) >> t & 1u) != 0) {
            fprintf(out, "%s%s", separator, choices[t]);
            separator = ", ";
        }
    }
}

static bool is_in_range(const rnn_config_key *key, double value)
{
    return value >= key->min && (key->below_max ? value < key->max : value <= key->max);
}

/* -- Complaints -------------------------------------------------------------------------------- */

/* Cuts a quoted text that would push the rest of a message out, between two characters. */
static void shorten(char *text)
{
    enum { MAX_SHOWN = 60 };
    static const char rest[] = "...\"";
    size_t end = MAX_SHOWN;

    if (strlen(text) <= MAX_SHOWN + strlen(rest))
        return;
    while (((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, rest, sizeof rest);
}

static rnn_status describe(const rnn_toml_value *value, char **text)
{
    static const char *const nouns[] = {[RNN_TOML_DATETIME] = "a date or time",
                                        [RNN_TOML_TABLE] = "a table",
                                        [RNN_TOML_ARRAY] = "an array"};
    char number[RNN_TOML_NUMBER_SIZE];

    switch (value->type) {
    case RNN_TOML_STRING:
        RNN_TRY(rnn_toml_quote(text, value->string));
        shorten(*text);
        return RNN_OK;
    case RNN_TOML_INTEGER:
        snprintf(number, sizeof number, "%" PRId64, value->integer);
        return rnn_string_copy(text, number);
    case RNN_TOML_FLOAT:
        rnn_toml_print_number(number, value->number);
        return rnn_string_copy(text, number);
    case RNN_TOML_BOOLEAN:
        return rnn_string_copy(text, value->boolean ? "true" : "false");
    default:
        return rnn_string_copy(text, nouns[value->type]);
    }
}

rnn_status rnn_config_mismatch(const char *expected, const rnn_toml_value *value)
{
    char *found = NULL;
    rnn_status st = describe(value, &found);

    if (st == RNN_OK)
        st = RNN_FAIL(RNN_ERR_DATA, "expected %s, found %s%s", expected,
                      value->type == RNN_TOML_STRING ? "a string " : "", found);
    rnn_free(found);
    return st;
}

static rnn_status mismatch(const rnn_config_key *key, const rnn_toml_value *value)
{
    char expected[256] = "";
    FILE *out = fmemopen(expected, sizeof expected, "w");

    if (out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate a message");
    rnn_config_key_print_expected(key, out);
    (void)fclose(out); /* memory; what is too long is cut */
    return rnn_config_mismatch(expected, value);
}

/* -- Fields ------------------------------------------------------------------------------------ */

void rnn_config_key_clear(const rnn_config_key *key, void *field)
{
    if (key->type == RNN_KEY_STRING) {
        char **string = field;

        rnn_free(*string);
        *string = NULL;
    } else if (key->type == RNN_KEY_LIST) {
        rnn_string_list *list = field;

        for (int64_t i = 0; i < list->count; i++)
            rnn_free(list->items[i]);
        *list = (rnn_string_list){0};
    }
}

static rnn_status assign_choice(const rnn_config_key *key, int *field, const rnn_toml_value *value)
{
    for (int i = 0; value->type == RNN_TOML_STRING && key->choices[i] != NULL; i++) {
        if (strcmp(key->choices[i], value->string) == 0) {
            *field = i;
            return RNN_OK;
        }
    }
    return mismatch(key, value);
}

static rnn_status assign_init(const rnn_config_key *key, rnn_init *field,
                              const rnn_toml_value *value)
{
    rnn_status st = RNN_ERR_DATA;

    if (value->type == RNN_TOML_STRING)
        st = rnn_config_init_parse(field, value->string);
    return st == RNN_ERR_DATA ? mismatch(key, value) : st;
}

/* Whether `path` is an element of the array at `array`, at any depth. */
static bool is_element(const char *path, const char *array)
{
    size_t n = strlen(array);

    return strncmp(path, array, n) == 0 && path[n] == '[';
}

static rnn_status assign_list(const rnn_config_key *key, rnn_string_list *list,
                              const rnn_toml_value *values, size_t n_values)
{
    if (values[0].type != RNN_TOML_ARRAY)
        return mismatch(key, values);
    for (size_t i = 1; i < n_values && is_element(values[i].path, values[0].path); i++) {
        if (values[i].type != RNN_TOML_STRING || values[i].string[0] == '\0')
            return mismatch(key, &values[i]);
        if (list->count == RNN_CONFIG_MAX_LIST)
            return RNN_FAIL(RNN_ERR_DATA, "more than %d items", RNN_CONFIG_MAX_LIST);
        RNN_TRY(rnn_string_copy(&list->items[list->count], values[i].string));
        list->count++;
    }
    return is_in_range(key, (double)list->count) ? RNN_OK : mismatch(key, values);
}

rnn_status rnn_config_key_assign(const rnn_config_key *key, void *field,
                                 const rnn_toml_value *values, size_t n_values)
{
    const rnn_toml_value *value = &values[0];
    bool is_number = value->type == RNN_TOML_INTEGER || value->type == RNN_TOML_FLOAT;

    rnn_config_key_clear(key, field);
    switch (key->type) {
    case RNN_KEY_INTEGER:
        if (value->type != RNN_TOML_INTEGER || !is_in_range(key, value->number))
            return mismatch(key, value);
        *(int64_t *)field = value->integer;
        return RNN_OK;
    case RNN_KEY_NUMBER:
        if (!is_number || !isfinite(value->number) || !is_in_range(key, value->number))
            return mismatch(key, value);
        *(double *)field = value->number;
        return RNN_OK;
    case RNN_KEY_BOOLEAN:
        if (value->type != RNN_TOML_BOOLEAN)
            return mismatch(key, value);
        *(bool *)field = value->boolean;
        return RNN_OK;
    case RNN_KEY_STRING:
        if (value->type != RNN_TOML_STRING || !is_in_range(key, (double)strlen(value->string)))
            return mismatch(key, value);
        return rnn_string_copy(field, value->string);
    case RNN_KEY_CHOICE:
        return assign_choice(key, field, value);
    case RNN_KEY_LIST:
        return assign_list(key, field, values, n_values);
    case RNN_KEY_INIT:
        return assign_init(key, field, value);
    }
    return RNN_FAIL(RNN_ERR_INTERNAL, "%s has no type", key->path);
}

static void assign_optimizer_default(const rnn_config_key *key, rnn_config *config)
{
    rnn_optimizer_cfg all = rnn_optimizer_defaults((rnn_optimizer_type)config->optimizer.type);
    size_t size = key->type == RNN_KEY_BOOLEAN ? sizeof(bool) : sizeof(double);

    memcpy(rnn_config_key_field(key, config, 0), (char *)&all + key->optimizer_offset, size);
}

rnn_status rnn_config_key_assign_default(const rnn_config_key *key, rnn_config *config,
                                         size_t layer)
{
    char text[64];
    rnn_toml toml;
    rnn_status st;

    if (key->optimizer_offset != 0) {
        assign_optimizer_default(key, config);
        return RNN_OK;
    }
    snprintf(text, sizeof text, "value = %s", key->fallback);
    st = rnn_toml_parse(&toml, text, strlen(text), key->path);
    if (st == RNN_OK)
        st = rnn_config_key_assign(key, rnn_config_key_field(key, config, layer), toml.values,
                                   toml.count);
    rnn_toml_free(&toml);
    return st;
}

static rnn_status print_string(const char *string, FILE *out)
{
    char *quoted;

    RNN_TRY(rnn_toml_quote(&quoted, string));
    fputs(quoted, out);
    rnn_free(quoted);
    return RNN_OK;
}

static rnn_status print_list(const rnn_string_list *list, FILE *out)
{
    fputc('[', out);
    for (int64_t i = 0; i < list->count; i++) {
        fputs(i > 0 ? ", " : "", out);
        RNN_TRY(print_string(list->items[i], out));
    }
    fputc(']', out);
    return RNN_OK;
}

rnn_status rnn_config_key_print(const rnn_config_key *key, const void *field, FILE *out)
{
    char number[RNN_TOML_NUMBER_SIZE];

    switch (key->type) {
    case RNN_KEY_INTEGER:
        fprintf(out, "%" PRId64, *(const int64_t *)field);
        return RNN_OK;
    case RNN_KEY_NUMBER:
        rnn_toml_print_number(number, *(const double *)field);
        fputs(number, out);
        return RNN_OK;
    case RNN_KEY_BOOLEAN:
        fputs(*(const bool *)field ? "true" : "false", out);
        return RNN_OK;
    case RNN_KEY_STRING:
        return print_string(*(char *const *)field, out);
    case RNN_KEY_CHOICE:
        fprintf(out, "\"%s\"", key->choices[*(const int *)field]);
        return RNN_OK;
    case RNN_KEY_LIST:
        return print_list(field, out);
    case RNN_KEY_INIT:
        fputc('"', out);
        rnn_config_init_print(field, out);
        fputc('"', out);
        return RNN_OK;
    }
    return RNN_FAIL(RNN_ERR_INTERNAL, "%s has no type", key->path);
}

rnn_status rnn_config_key_text(const rnn_config_key *key, const void *field, char **text)
{
    char *buffer = NULL;
    size_t size;
    FILE *out = open_memstream(&buffer, &size);
    rnn_status st;

    *text = NULL;
    if (out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the text of %s", key->path);
    st = rnn_config_key_print(key, field, out);
    if (fclose(out) != 0 && st == RNN_OK)
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the text of %s", key->path);
    if (st == RNN_OK)
        st = rnn_string_copy(text, buffer);
    free(buffer);
    return st;
}

/* -- The nearest known name -------------------------------------------------------------------- */

enum { MAX_COMPARED = RNN_TOML_MAX_PATH };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance: insertions, deletions, changes and swaps of neighbours. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[3][MAX_COMPARED + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= n_b; j++)
        last[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *recycled = before;

        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = recycled;
    }
    return last[n_b];
}

/* The best candidate so far; one must be at most `limit` away, and nearer than those before. */
typedef struct search {
    const char *wanted;
    size_t n_wanted;
    size_t limit;
    const char *found; /* n_found bytes */
    size_t n_found;
} search;

static search search_for(const char *wanted)
{
    size_t n = strlen(wanted);

    return (search){.wanted = wanted, .n_wanted = n, .limit = n < 4 ? n / 2 : 1 + n / 6};
}

/* Offers the name at `candidate`; if it is the best, what is found is the n_found bytes there. */
static void offer(search *s, const char *candidate, size_t n, const char *found, size_t n_found)
{
    size_t d = distance(s->wanted, s->n_wanted, candidate, n);

    if (d > s->limit || (d == s->limit && s->found != NULL))
        return;
    s->limit = d;
    s->found = found;
    s->n_found = n_found;
}

bool rnn_config_nearest(const char *path, char *out, size_t size)
{
    const char *dot = strrchr(path, '.');
    search whole = search_for(path), last = search_for(dot != NULL ? dot + 1 : path);
    const search *best;

    if (whole.n_wanted > MAX_COMPARED)
        return false;
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];
        const char *name = rnn_config_key_name(key);
        size_t n_path = strlen(key->path), n_table = rnn_config_key_table_length(key);

        offer(&whole, key->path, n_path, key->path, n_path);
        offer(&whole, key->path, n_table, key->path, n_table);
        offer(&last, name, strlen(name), key->path, n_path);
    }
    best = whole.found != NULL ? &whole : &last;
    if (best->found == NULL)
        return false;
    snprintf(out, size, "%.*s", (int)best->n_found, best->found);
    return true;
}
