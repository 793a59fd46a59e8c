/*
 * What the sources of rnn/module.h, rnn/stepper.h and rnn/optimizer.h share. Private to them.
 */
#ifndef RNN_FRAMEWORK_MODULE_PARTS_H
#define RNN_FRAMEWORK_MODULE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rnn/module.h>

#include "framework/model.h"
#include "framework/runner.h"
#include "framework/stage.h"
#include "kernels/memory.h"
#include "kernels/status.h"

enum { RNN_MODULE_NAME_SIZE = 48 };

/* What the caller's arrays of a pass have in common, and what backward has to know. */
typedef struct rnn_module_pass {
    size_t seq_len, rows;
    bool is_ragged; /* a sequence is shorter than seq_len */
    bool has_c_n;
    uint64_t version; /* of the parameters */
} rnn_module_pass;

struct rnn_module {
    rnn_model *model;
    rnn_plan *plan;
    rnn_runner *runner;
    size_t n_references; /* the caller's, and one of each stepper and optimizer */
    int n_threads;
    bool batch_first, is_training;
    size_t n_recurrent;                  /* layers, cells included */
    size_t state_layer;                  /* where states belong, if n_recurrent is 1 */
    size_t n_state_rows, h_size, c_size; /* see rnn_module_info */
    char (*names)[RNN_MODULE_NAME_SIZE]; /* of the parameters */

    uint64_t seed;
    uint32_t n_training_passes; /* each drops by numbers of its own */

    float *params;           /* [model size] */
    uint64_t version;        /* counts changes of params */
    uint64_t loaded_version; /* the one the plan has */
    float *packed;           /* [plan grad size] the gradients, summed up */
    float *grads;            /* [model size] the same in torch's order */
    bool grads_are_stale;    /* packed has changed since grads was made from it */

    bool can_go_back; /* backward may follow */
    rnn_module_pass pass;
    rnn_buffer x, h0, c0;
    int32_t *lengths, *tokens; /* [n_lengths], [n_tokens]: room for so many */
    size_t n_lengths, n_tokens;
    rnn_layer_states *states; /* [n_layers] */
};

/* Modules live until the last of those who use them lets go. */
void rnn_module_retain(rnn_module *module);
void rnn_module_release(rnn_module *module);

/*
 * Around everything that computes, in the calling thread: the module's number of threads, and
 * denormal numbers are flushed in all of them. end brings back what was before.
 */
typedef struct rnn_module_scope {
    int n_threads, outer_n_threads;
} rnn_module_scope;

rnn_module_scope rnn_module_begin(const rnn_module *module);
void rnn_module_end(rnn_module_scope scope);

/* Brings parameters that have changed to the plan. Within begin and end. */
void rnn_module_refresh(rnn_module *module);

/* Says that params have changed. */
void rnn_module_touch(rnn_module *module);

/* The gradients of all parameters in torch's order, [model size]. Lent. */
const float *rnn_module_grads(rnn_module *module);

#endif
