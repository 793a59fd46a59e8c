/*
 * Modules: one or several layers in sequence, with their parameters and gradients.
 *
 *   rnn_layer_cfg lstm = rnn_layer_defaults(RNN_LAYER_LSTM);
 *   rnn_module *module;
 *
 *   lstm.hidden_size = 8;
 *   rnn_module_create(&module, &lstm, 1, 4);
 *   rnn_module_forward(module, &(rnn_forward_args){.x = {x, {5, 3, 4}}, .out = {out, {5, 3, 8}}});
 *   rnn_module_backward(module, &(rnn_backward_args){.grad_out = {grad_out, {5, 3, 8}}});
 *   rnn_module_destroy(&module);
 *
 * In the shapes below: T steps, N sequences (rows), I features of a step, F features of the output,
 * L layers and D directions of a recurrent layer, H its hidden_size, C the features of its hidden
 * state, which is H, or proj_size if that is not 0.
 *
 * A module computes with as many OpenMP threads as OpenMP would start at its creation. Denormal
 * numbers count as zero during a call; the caller's floating-point settings are as before after it.
 */
#ifndef RNN_MODULE_H
#define RNN_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rnn/layer.h>
#include <rnn/status.h>
#include <rnn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rnn_module rnn_module;

/*
 * Builds a module; parameters are initialised with seed 0. The layers are copied.
 *   n_inputs  features of a step, or, if the first layer is an embedding or onehot, number of
 *             different tokens; 0 = as the layers say themselves (input_size, in_features,
 *             num_embeddings, num_classes)
 * RNN_ERR_USAGE names the layer, what it needs and what it was given; also if the stacked recurrent
 * layers do not agree on batch_first, or the module would have no parameters. RNN_ERR_UNAVAILABLE,
 * RNN_ERR_MEMORY.
 */
RNN_API rnn_status rnn_module_create(rnn_module **out, const rnn_layer_cfg *layers, size_t n_layers,
                                     size_t n_inputs);

/* Accepts NULL and leaves NULL. Steppers and optimizers of the module stay usable. */
RNN_API void rnn_module_destroy(rnn_module **module);

typedef struct rnn_module_info {
    size_t n_layers;
    size_t n_inputs;     /* features of a step, or number of tokens */
    size_t n_outputs;    /* features of a step of the output */
    size_t n_parameters; /* tensors, see rnn_module_get_parameter */
    size_t n_values;     /* numbers in all of them */
    bool takes_tokens;   /* forward takes tokens, not x */
    bool gives_sequence; /* out is a sequence; false after a select layer */
    bool batch_first;    /* x, tokens and out are [N][T].. */
    bool is_training;    /* see rnn_module_train */
    size_t n_state_rows; /* L * D of the only recurrent layer; 0: states cannot be given */
    size_t h_size;       /* features of h0 and h_n; 0 without states */
    size_t c_size;       /* features of c0 and c_n; 0 unless lstm */
} rnn_module_info;

RNN_API rnn_status rnn_module_get_info(const rnn_module *module, rnn_module_info *info);

/*
 * Initialises the parameters anew, as a function of the seed; sets the gradients to zero, forgets
 * the last forward pass, and starts the random numbers of dropout from the seed.
 */
RNN_API rnn_status rnn_module_reset(rnn_module *module, uint64_t seed);

/* torch's train() and eval(): whether dropout drops, and steppers record. At first true. */
RNN_API rnn_status rnn_module_train(rnn_module *module, bool is_training);

/* -- Parameters ------------------------------------------------------------------------------ */

/* Row-major, [shape[0]] or [shape[0]][shape[1]]. */
typedef struct rnn_parameter {
    const char *name; /* as in torch's state_dict: "weight_ih_l0"; of several layers, with the
                         layer's number: "0.weight_ih_l0". Lent, as long as the module lives */
    size_t shape[2];  /* shape[1] is 0 for a vector */
    int n_dims;
    size_t count; /* of values */
} rnn_parameter;

/* Parameter `index` in torch's order, below info.n_parameters. */
RNN_API rnn_status rnn_module_get_parameter(const rnn_module *module, size_t index,
                                            rnn_parameter *parameter);

/* Copies a parameter to or from values [count]. A wrong name's message lists the names. */
RNN_API rnn_status rnn_module_read_parameter(const rnn_module *module, const char *name,
                                             float *values, size_t count);
RNN_API rnn_status rnn_module_write_parameter(rnn_module *module, const char *name,
                                              const float *values, size_t count);

/* Copies the gradient of a parameter, which is the sum since the last rnn_module_zero_grad. */
RNN_API rnn_status rnn_module_read_gradient(rnn_module *module, const char *name, float *values,
                                            size_t count);
RNN_API rnn_status rnn_module_zero_grad(rnn_module *module);

/* -- Files ----------------------------------------------------------------------------------- */

/*
 * Files are HDF5. The HDF5 library has global state: of all modules, one at a time may be saved,
 * loaded or opened.
 *
 * Writes the parameters to `path`, whole or not at all: a flat state_dict, a float32 dataset under
 * each parameter's name. RNN_ERR_NONFINITE naming the parameter, RNN_ERR_IO.
 */
RNN_API rnn_status rnn_module_save(const rnn_module *module, const char *path);

/*
 * Reads the parameters from a state_dict; on failure nothing has changed. Every parameter must be
 * there and nothing else, of exactly its shape. Names with other prefixes, "encoder.weight_ih_l0",
 * are understood where only one layer has such parameters. RNN_ERR_NOINPUT, RNN_ERR_DATA naming the
 * parameter, what was expected and what was found, RNN_ERR_IO.
 */
RNN_API rnn_status rnn_module_load(rnn_module *module, const char *path);

/*
 * A module of the model in a checkpoint of the program rnntrain, with its parameters.
 * RNN_ERR_NOINPUT, RNN_ERR_DATA, RNN_ERR_IO.
 */
RNN_API rnn_status rnn_module_open(rnn_module **out, const char *path);

/* -- Forward and backward -------------------------------------------------------------------- */

/*
 * Only x or tokens, and out, are needed. With batch_first x, tokens and out begin [N][T]; states
 * never do. States are for modules with exactly one recurrent layer, cells included.
 */
typedef struct rnn_forward_args {
    rnn_const_tensor x;     /* [T][N][I] */
    rnn_indices tokens;     /* [T][N], below the number of tokens; instead of x */
    const int64_t *lengths; /* [N] steps of each sequence, 1 to T; NULL: all T. What x and tokens
                               have after them is not looked at, and out is zero there */
    size_t n_lengths;       /* N where lengths are given */
    rnn_const_tensor h0;    /* [L*D][N][C]; not given: every value the layer's h0 */
    rnn_const_tensor c0;    /* [L*D][N][H], lstm only, as c_n; not given: the layer's c0 */
    rnn_tensor out;         /* (out) [T][N][F]; after a select layer [N][F] */
    rnn_tensor h_n, c_n;    /* (out) as h0 and c0, at each sequence's own end; with lengths, c_n
                               costs extra */
} rnn_forward_args;

/* Computes the output, and keeps what the backward pass needs. */
RNN_API rnn_status rnn_module_forward(rnn_module *module, const rnn_forward_args *args);

/* At least one of the first three is given; the others count as zero. */
typedef struct rnn_backward_args {
    rnn_const_tensor grad_out;   /* as out; ignored past a sequence's end */
    rnn_const_tensor grad_h_n;   /* as h_n */
    rnn_const_tensor grad_c_n;   /* as c_n; with lengths, forward must have been asked for c_n */
    rnn_tensor grad_x;           /* (out) as x; zero past a sequence's end; not for tokens */
    rnn_tensor grad_h0, grad_c0; /* (out) as h0 and c0 */
} rnn_backward_args;

/*
 * Backward pass of the last forward, once for each. Gradients of the parameters are added to those
 * that are there, as torch does. RNN_ERR_USAGE if the parameters have changed in between. After any
 * other failure the parameters' gradients are undefined until rnn_module_zero_grad.
 */
RNN_API rnn_status rnn_module_backward(rnn_module *module, const rnn_backward_args *args);

#ifdef __cplusplus
}
#endif

#endif
