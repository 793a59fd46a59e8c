/* Learns to turn "hello" into "ohlol": embedding, two recurrent layers, one score a letter. */
#include <stdio.h>
#include <stdlib.h>

#include <rnn/rnn.h>

enum { STEPS = 5, LETTERS = 4, EPOCHS = 15, LAYERS = 3 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != RNN_OK) {                                                                    \
            fprintf(stderr, "%s\n", rnn_error_message());                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const char letters[] = "ehlo";
static const int64_t hello[STEPS] = {1, 0, 2, 2, 3}, ohlol[STEPS] = {3, 1, 2, 3, 2};

static rnn_module *make_model(void)
{
    rnn_layer_cfg layers[LAYERS] = {rnn_layer_defaults(RNN_LAYER_EMBEDDING),
                                    rnn_layer_defaults(RNN_LAYER_RNN),
                                    rnn_layer_defaults(RNN_LAYER_LINEAR)};
    rnn_module *model;

    layers[0].embedding_dim = 10;
    layers[1].hidden_size = 8;
    layers[1].num_layers = 2;
    layers[2].out_features = LETTERS;
    TRY(rnn_module_create(&model, layers, LAYERS, LETTERS));
    return model;
}

static void print_epoch(int epoch, const float scores[STEPS][LETTERS], double loss)
{
    printf("Predicted string: ");
    for (int t = 0; t < STEPS; t++) {
        int best = 0;

        for (int k = 1; k < LETTERS; k++)
            best = scores[t][k] > scores[t][best] ? k : best;
        putchar(letters[best]);
    }
    printf(", Epoch [%d/%d] loss = %.3f\n", epoch, EPOCHS, loss);
}

int main(void)
{
    const rnn_loss_args cross_entropy = rnn_loss_defaults(RNN_LOSS_CROSS_ENTROPY);
    rnn_optimizer_cfg adam = rnn_optimizer_defaults(RNN_OPTIMIZER_ADAM);
    float scores[STEPS][LETTERS], grad[STEPS][LETTERS];
    const rnn_tensor out = {scores[0], {STEPS, 1, LETTERS}}, d_out = {grad[0], {STEPS, 1, LETTERS}};
    rnn_module *model = make_model();
    rnn_optim *optim;
    double loss;

    adam.lr = 0.05;
    TRY(rnn_optim_create(&optim, &adam, &model, 1));
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        TRY(rnn_optim_zero_grad(optim));
        TRY(rnn_module_forward(model,
                               &(rnn_forward_args){.tokens = {hello, {STEPS, 1}}, .out = out}));
        TRY(rnn_loss_labels(&cross_entropy, rnn_as_const(out), (rnn_indices){ohlol, {STEPS, 1}},
                            &loss, d_out));
        TRY(rnn_module_backward(model, &(rnn_backward_args){.grad_out = rnn_as_const(d_out)}));
        TRY(rnn_optim_step(optim));
        print_epoch(epoch, scores, loss);
    }
    rnn_optim_destroy(&optim);
    rnn_module_destroy(&model);
    return 0;
}
