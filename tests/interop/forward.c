/*
 * forward CHECKPOINT STEPS ROWS: prints what the model of a checkpoint gives, one number a line,
 * for x[i] = i * 37 % 101 / 50 - 1 as [STEPS][ROWS][features].
 */
#include <stdio.h>
#include <stdlib.h>

#include <rnn/rnn.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != RNN_OK) {                                                                    \
            fprintf(stderr, "%s\n", rnn_error_message());                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

int main(int argc, char **argv)
{
    size_t steps, rows, n_x, n_out;
    rnn_module *module;
    rnn_module_info info;
    float *x, *out;
    rnn_tensor to;

    if (argc != 4)
        return 64;
    steps = strtoul(argv[2], NULL, 10);
    rows = strtoul(argv[3], NULL, 10);
    TRY(rnn_module_open(&module, argv[1]));
    TRY(rnn_module_get_info(module, &info));
    TRY(rnn_module_train(module, false));
    n_x = steps * rows * info.n_inputs;
    n_out = (info.gives_sequence ? steps : 1) * rows * info.n_outputs;
    x = malloc(n_x * sizeof *x);
    out = malloc(n_out * sizeof *out);
    if (x == NULL || out == NULL)
        return 71;
    for (size_t i = 0; i < n_x; i++)
        x[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    to = info.gives_sequence ? (rnn_tensor){out, {steps, rows, info.n_outputs}}
                             : (rnn_tensor){out, {rows, info.n_outputs}};
    TRY(rnn_module_forward(module,
                           &(rnn_forward_args){.x = {x, {steps, rows, info.n_inputs}}, .out = to}));
    for (size_t i = 0; i < n_out; i++)
        printf("%.9g\n", (double)out[i]);
    free(x);
    free(out);
    rnn_module_destroy(&module);
    return 0;
}
