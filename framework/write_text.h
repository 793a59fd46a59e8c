/*
 * rnntrain sample: lets a trained language model write.
 */
#ifndef RNN_FRAMEWORK_WRITE_TEXT_H
#define RNN_FRAMEWORK_WRITE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/sampling.h"
#include "kernels/status.h"

typedef struct rnn_write_cfg {
    const char *prompt; /* UTF-8; "" = begin as after the end of a line */
    size_t length;      /* tokens to write after the prompt */
    rnn_sampling_cfg sampling;
} rnn_write_cfg;

/*
 * Prints the prompt and what the model in `checkpoint` goes on with: a function of checkpoint and
 * cfg alone, the same on every machine. Words are separated by blanks, the end of a line is one.
 * RNN_ERR_DATA if the model is not one of texts, or does not know a character of the prompt.
 */
rnn_status rnn_write_text(const char *checkpoint, const rnn_write_cfg *cfg, FILE *out);

#endif
