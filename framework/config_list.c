#include "framework/config.h"

#include "framework/config_keys.h"

static void print_words(const rnn_config_key *key, FILE *out)
{
    if (key->type == RNN_KEY_BOOLEAN)
        fputs("true false", out);
    for (size_t i = 0; key->type == RNN_KEY_CHOICE && key->choices[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", key->choices[i]);
}

void rnn_config_print_keys(FILE *out)
{
    for (size_t k = 0; k < rnn_config_n_keys; k++) {
        const rnn_config_key *key = &rnn_config_keys[k];

        fprintf(out, "%s%s\t", rnn_config_key_is_layer(key) ? "layer.N." : "",
                rnn_config_key_is_layer(key) ? rnn_config_key_name(key) : key->path);
        print_words(key, out);
        fputc('\n', out);
    }
}
