/*
 * How parameters start: torch.nn's defaults of each layer, and the functions of torch.nn.init.
 * Every number is a function of the seed and of its index in the arena, so neither ranks nor
 * threads matter. What fills the arena, rnn_model_init, is declared in framework/model.h.
 */
#ifndef RNN_FRAMEWORK_INIT_H
#define RNN_FRAMEWORK_INIT_H

#include <rnn/layer.h>

#include "framework/model.h"
#include "kernels/status.h"

enum { RNN_INIT_N_TYPES = RNN_INIT_CONSTANT + 1, RNN_INIT_MAX_ARGS = 2 };

/* A function of torch.nn.init: its name, and its arguments with torch's defaults. */
typedef struct rnn_init_function {
    const char *name;
    int n_args, n_required;
    const char *args[RNN_INIT_MAX_ARGS];
    double fallback[RNN_INIT_MAX_ARGS];
} rnn_init_function;

/* By rnn_init_type. */
extern const rnn_init_function rnn_init_functions[];

/*
 * Checks init, init_bias and forget_bias of a layer as far as it has them. RNN_ERR_DATA
 * "layer 0 (lstm): init: ...".
 */
rnn_status rnn_init_check(const rnn_layer_cfg *cfg, size_t layer);

#endif
