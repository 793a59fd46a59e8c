/*
 * Configurations beside each other, as the texts that checkpoints keep of them.
 */
#ifndef RNN_FRAMEWORK_CONFIG_TEXT_H
#define RNN_FRAMEWORK_CONFIG_TEXT_H

#include <stddef.h>

#include "kernels/status.h"

/* Keys in which some texts differ. Layers go by number: "layer.0.hidden_size". */
typedef struct rnn_config_text_table {
    char **keys;   /* [n_keys] */
    char **values; /* [n_keys][n_texts], as they are written; NULL: the text has no such key */
    size_t n_keys, n_texts, room, values_room;
} rnn_config_text_table;

/*
 * Compares texts of rnn_config_print: "[table]" and "key = value" lines. A NULL text has no key and
 * differs in nothing. Free the table also after a failure, which can only be RNN_ERR_MEMORY.
 */
rnn_status rnn_config_text_compare(rnn_config_text_table *out, const char *const *texts,
                                   size_t n_texts);
void rnn_config_text_free(rnn_config_text_table *table);

#endif
