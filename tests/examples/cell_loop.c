/* An LSTM cell applied step by step, as torch.nn.LSTMCell in a loop. */
#include <stdio.h>
#include <stdlib.h>

#include <rnn/rnn.h>

enum { STEPS = 3, BATCH = 1, INPUT = 4, HIDDEN = 2 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != RNN_OK) {                                                                    \
            fprintf(stderr, "%s\n", rnn_error_message());                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

int main(void)
{
    rnn_layer_cfg layer = rnn_layer_defaults(RNN_LAYER_LSTMCELL);
    rnn_module *module;
    rnn_stepper *cell;
    float x[BATCH * INPUT], h[BATCH * HIDDEN] = {0}, c[BATCH * HIDDEN] = {0};
    const rnn_tensor hidden = {h, {BATCH, HIDDEN}}, memory = {c, {BATCH, HIDDEN}};

    layer.input_size = INPUT;
    layer.hidden_size = HIDDEN;
    TRY(rnn_module_create(&module, &layer, 1, 0));
    TRY(rnn_module_reset(module, 1)); /* torch.manual_seed(1), with other random numbers */
    TRY(rnn_module_train(module, false));
    TRY(rnn_stepper_create(&cell, module, 0, false));

    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < BATCH * INPUT; i++)
            x[i] = 0.1f * (float)(t + i);
        /* The new states may take the place of the old ones. */
        TRY(rnn_stepper_step(cell, (rnn_const_tensor){x, {BATCH, INPUT}}, rnn_as_const(hidden),
                             rnn_as_const(memory), hidden, memory));
        printf("step %d: h [%d, %d] = %.4f %.4f\n", t, BATCH, HIDDEN, (double)h[0], (double)h[1]);
    }

    rnn_stepper_destroy(&cell);
    rnn_module_destroy(&module);
    return 0;
}
