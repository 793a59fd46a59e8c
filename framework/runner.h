/*
 * Runs the stages of a model one after another, forward and backward, on one slice. It knows
 * nothing of batches, losses or ranks: the executor has one runner for each of its threads, the
 * library's modules have one.
 *
 * rnn_plan is what threads share; rnn_runner is one thread's part.
 */
#ifndef RNN_FRAMEWORK_RUNNER_H
#define RNN_FRAMEWORK_RUNNER_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/model.h"
#include "framework/stage.h"
#include "kernels/status.h"
#include "kernels/timeline.h"

typedef struct rnn_plan rnn_plan;
typedef struct rnn_runner rnn_runner;

/* Where a stage's part of a packed gradient lies, in floats. */
typedef struct rnn_plan_part {
    size_t offset, count;
} rnn_plan_part;

/* The model is borrowed and outlives the plan. RNN_ERR_UNAVAILABLE, RNN_ERR_MEMORY. */
rnn_status rnn_plan_create(rnn_plan **out, const rnn_model *model);
void rnn_plan_destroy(rnn_plan **plan);

/* Floats of a packed gradient of the whole model, and a stage's part of it. */
size_t rnn_plan_grad_size(const rnn_plan *plan);
rnn_plan_part rnn_plan_stage_part(const rnn_plan *plan, size_t stage);

/* What the class of a stage made of it (framework/stage.h). Lent. */
const void *rnn_plan_stage(const rnn_plan *plan, size_t stage);

/*
 * Brings the parameters [model size] into the kernels' layouts: part `part` of `n_parts` of the
 * work. The array must stay unchanged while the plan is computed with.
 */
void rnn_plan_load(rnn_plan *plan, const float *params, size_t part, size_t n_parts);

/* One stage of that. */
void rnn_plan_load_stage(rnn_plan *plan, size_t stage, const float *params, size_t part,
                         size_t n_parts);

/* Tells `function` of the parameters that a part of a stage loads and unpacks, in stretches of the
 * arena; all parts together have every parameter once. */
void rnn_plan_visit_stage(const rnn_plan *plan, size_t stage, size_t part, size_t n_parts,
                          rnn_stretch_function function, void *context);

/* Writes stage `stage` of a packed gradient to its place in `grads` [model size]; parts as above.
 */
void rnn_plan_unpack_stage(const rnn_plan *plan, size_t stage, const float *packed, float *grads,
                           size_t part, size_t n_parts);

/* All stages. */
void rnn_plan_unpack(const rnn_plan *plan, const float *packed, float *grads, size_t part,
                     size_t n_parts);

/* Call it in the thread that will use it. `wants_dx`: the gradient of the input is needed. */
rnn_status rnn_runner_create(rnn_runner **out, const rnn_plan *plan, bool wants_dx);
void rnn_runner_destroy(rnn_runner **runner);

/* From now on records its stages in a track; NULL ends that. The timeline is borrowed. */
void rnn_runner_record(rnn_runner *runner, rnn_timeline *timeline, size_t track);

/* Takes the memory for slices of up to this size now. */
rnn_status rnn_runner_reserve(rnn_runner *runner, size_t seq_len, size_t rows);

/*
 * Forward pass. The slice and what it points to are borrowed until after the backward pass.
 *   x  [seq_len][rows][n_features], zero past the ends; NULL for tokens
 *   y  (out) the last stage's output, [seq_len or 1][rows][n_features], zero past the ends; lent
 *      until the next forward
 */
rnn_status rnn_runner_forward(rnn_runner *runner, const rnn_slice *slice, const float *x,
                              const float **y);

/* Where the gradient of y has to be put before the backward pass, of the same shape; zero past the
 * ends. Valid after a forward pass. */
float *rnn_runner_dy(rnn_runner *runner);

/* Backward pass of the last forward; parameter gradients are added to packed [grad_size]. */
rnn_status rnn_runner_backward(rnn_runner *runner, float *packed);

/* The same for one stage; stages from the last to the first. */
rnn_status rnn_runner_backward_stage(rnn_runner *runner, size_t stage, float *packed);

/* The gradient of x after a backward pass; NULL if it was not wanted, or for tokens. */
const float *rnn_runner_dx(const rnn_runner *runner);

#endif
