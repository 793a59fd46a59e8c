/*
 * What a model is made of: layers with torch.nn's names, arguments and meaning.
 */
#ifndef RNN_LAYER_H
#define RNN_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rnn_layer_type {
    RNN_LAYER_RNN,
    RNN_LAYER_LSTM,
    RNN_LAYER_GRU,
    RNN_LAYER_LINEAR,
    RNN_LAYER_SELECT,  /* one step out of a sequence */
    RNN_LAYER_RNNCELL, /* the cells: one layer, one direction, parameters without "_l0" */
    RNN_LAYER_LSTMCELL,
    RNN_LAYER_GRUCELL,
    RNN_LAYER_EMBEDDING,
    RNN_LAYER_ONEHOT,
    RNN_LAYER_DROPOUT,
    RNN_LAYER_ACTIVATION,
    RNN_LAYER_LAYERNORM /* over the features of a step */
} rnn_layer_type;

typedef enum rnn_nonlinearity { RNN_NONLINEARITY_TANH, RNN_NONLINEARITY_RELU } rnn_nonlinearity;

typedef enum rnn_select {
    RNN_SELECT_LAST, /* the last valid step */
    RNN_SELECT_FIRST,
    RNN_SELECT_MEAN, /* of the valid steps */
    RNN_SELECT_MAX
} rnn_select;

typedef enum rnn_activation {
    RNN_ACTIVATION_TANH,
    RNN_ACTIVATION_RELU,
    RNN_ACTIVATION_SIGMOID
} rnn_activation;

/* The functions of torch.nn.init; fans as torch counts them, a stacked weight as one matrix. */
typedef enum rnn_init_type {
    RNN_INIT_DEFAULT,         /* what torch.nn does for the layer */
    RNN_INIT_UNIFORM,         /* in [a, b): 0, 1 */
    RNN_INIT_NORMAL,          /* mean a, standard deviation b: 0, 1 */
    RNN_INIT_XAVIER_UNIFORM,  /* gain a: 1 */
    RNN_INIT_XAVIER_NORMAL,   /* gain a: 1 */
    RNN_INIT_KAIMING_UNIFORM, /* negative slope a: 0; fan_in, leaky_relu's gain */
    RNN_INIT_KAIMING_NORMAL,  /* negative slope a: 0 */
    RNN_INIT_ORTHOGONAL,      /* gain a: 1 */
    RNN_INIT_CONSTANT         /* a: required */
} rnn_init_type;

typedef struct rnn_init {
    rnn_init_type type;
    double a, b;
} rnn_init;

/* One layer. An argument that its type does not have is ignored. */
typedef struct rnn_layer_cfg {
    rnn_layer_type type;
    int64_t input_size;     /* recurrent layers and cells; 0 = what the layer before gives */
    int64_t hidden_size;    /* the same; required */
    int64_t num_layers;     /* rnn, lstm, gru; 1 */
    int nonlinearity;       /* rnn, rnncell: rnn_nonlinearity; tanh */
    bool bias;              /* recurrent layers, cells, linear; true */
    bool batch_first;       /* rnn, lstm, gru: arrays are [N][T][..] instead of [T][N][..]; false */
    double dropout;         /* rnn, lstm, gru: between their layers, not after the last; 0 */
    bool variational;       /* dropout, rnn, lstm, gru: drops alike at all steps of a row; false */
    bool bidirectional;     /* rnn, lstm, gru; false */
    int64_t proj_size;      /* lstm: features of a projected hidden state; 0 = not projected */
    double h0, c0;          /* every value of the initial states where none are given; 0 */
    int64_t in_features;    /* linear; 0 = what the layer before gives */
    int64_t out_features;   /* linear; required, unless it is tied */
    bool tied;              /* linear: its weight is that of the first layer, an embedding; false */
    int step;               /* select: rnn_select; last */
    int64_t num_embeddings; /* embedding; 0 = as many as there are different tokens */
    int64_t embedding_dim;  /* embedding; required */
    int64_t padding_idx;    /* embedding: a token whose row is 0 and stays it; -1 = none */
    int64_t num_classes;    /* onehot; 0 = as many as there are different tokens */
    double p;               /* dropout; 0.5 */
    int function;           /* activation: rnn_activation; tanh */
    double eps;             /* layernorm; 1e-5 */
    bool elementwise_affine; /* layernorm; true */
    rnn_init init;           /* of weights with two dimensions */
    rnn_init init_bias;      /* of biases */
    double forget_bias;      /* lstm, lstmcell: added to the forget gate's part of bias_ih; 0 */
} rnn_layer_cfg;

/* torch.nn's defaults of a type; sizes that are required are 0. */
RNN_API rnn_layer_cfg rnn_layer_defaults(rnn_layer_type type);

#ifdef __cplusplus
}
#endif

#endif
