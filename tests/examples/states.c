/* A recurrent layer of three sublayers with given initial states, and the shapes of what it gives.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rnn/rnn.h>

enum { STEPS = 10, BATCH = 3, INPUT = 100, HIDDEN = 20, LAYERS = 3 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != RNN_OK) {                                                                    \
            fprintf(stderr, "%s\n", rnn_error_message());                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void print_shape(const char *name, const size_t shape[3])
{
    printf("%-4s [%zu, %zu, %zu]\n", name, shape[0], shape[1], shape[2]);
}

int main(void)
{
    static float x[STEPS * BATCH * INPUT], out[STEPS * BATCH * HIDDEN];
    static float h0[LAYERS * BATCH * HIDDEN], h_n[LAYERS * BATCH * HIDDEN];
    rnn_layer_cfg layer = rnn_layer_defaults(RNN_LAYER_RNN);
    const rnn_forward_args args = {.x = {x, {STEPS, BATCH, INPUT}},
                                   .h0 = {h0, {LAYERS, BATCH, HIDDEN}},
                                   .out = {out, {STEPS, BATCH, HIDDEN}},
                                   .h_n = {h_n, {LAYERS, BATCH, HIDDEN}}};
    rnn_module_info info;
    rnn_module *rnn;

    layer.input_size = INPUT;
    layer.hidden_size = HIDDEN;
    layer.num_layers = LAYERS;
    TRY(rnn_module_create(&rnn, &layer, 1, 0));
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(i % 7) - 3.0f;
    for (size_t i = 0; i < sizeof h0 / sizeof *h0; i++)
        h0[i] = 0.1f;

    /* Shapes go along with the arrays: a wrong one is a message, and nothing is computed. */
    TRY(rnn_module_forward(rnn, &args));
    print_shape("x", args.x.shape);
    print_shape("out", args.out.shape);
    print_shape("h_n", args.h_n.shape);

    TRY(rnn_module_get_info(rnn, &info));
    for (size_t i = 0; i < info.n_parameters; i++) {
        rnn_parameter p;

        TRY(rnn_module_get_parameter(rnn, i, &p));
        if (p.n_dims == 2)
            printf("%s [%zu, %zu]\n", p.name, p.shape[0], p.shape[1]);
        else
            printf("%s [%zu]\n", p.name, p.shape[0]);
    }
    printf("%zu parameters\n", info.n_values);
    rnn_module_destroy(&rnn);
    return 0;
}
