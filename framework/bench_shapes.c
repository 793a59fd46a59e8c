#include <stdio.h>

#include "framework/bench_parts.h"

/* Batches of made-up data, after which the first one comes again. */
enum { N_BATCHES = 16, N_CLASSES = 10 };

const rnn_bench_shape rnn_bench_shapes[] = {
    {28, 64, 28, 100, 2},    /* MNIST, as in launch/recipes/mnist.toml */
    {28, 16, 28, 100, 2},    /* its step when it is short of work */
    {28, 256, 28, 100, 2},   /* and when it has plenty */
    {100, 64, 64, 256, 2},   /* a series of sensors */
    {35, 20, 650, 650, 2},   /* the medium model of Zaremba et al. (2014), without its words */
    {35, 20, 1024, 1024, 2}, /* weights beyond any cache */
};
const size_t rnn_bench_n_shapes = sizeof rnn_bench_shapes / sizeof *rnn_bench_shapes;

const char *const rnn_bench_cells[] = {"lstm", "gru", "rnn", NULL};

/* A power of two, one for each worker; as many as there are samples if these are fewer. */
static size_t fewest_shards(size_t n_workers, size_t batch_size)
{
    size_t n_shards = 1;

    while (n_shards < n_workers && 2 * n_shards <= batch_size)
        n_shards *= 2;
    return n_shards;
}

/* The recipe for MNIST but for sizes and data. */
rnn_status rnn_bench_configure(rnn_config *out, const char *cell, const rnn_bench_shape *shape,
                               size_t n_workers, const char *const *overrides, size_t n_overrides)
{
    char text[1024];
    int length = snprintf(
        text, sizeof text,
        "[run]\nname = \"bench\"\n"
        "[dataset]\nformat = \"noise\"\nseq_len = %zu\nfeatures = %zu\nclasses = %d\n"
        "train_samples = %zu\n"
        "[[layer]]\ntype = \"%s\"\nhidden_size = %zu\nnum_layers = %zu\n"
        "[[layer]]\ntype = \"select\"\nstep = \"last\"\n"
        "[[layer]]\ntype = \"linear\"\nout_features = %d\n"
        "[loss]\ntype = \"cross_entropy\"\n"
        "[optimizer]\ntype = \"adadelta\"\nlr = 0.1\n"
        "[train]\nbatch_size = %zu\n"
        "[parallel]\nshards = %zu\n",
        shape->seq_len, shape->n_in, N_CLASSES, N_BATCHES * shape->batch_size, cell, shape->n_hid,
        shape->n_layers, N_CLASSES, shape->batch_size, fewest_shards(n_workers, shape->batch_size));

    return rnn_config_parse(out, text, (size_t)length, "the sweep", overrides, n_overrides);
}
