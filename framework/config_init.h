/*
 * A rnn_init as text: the functions of torch.nn.init written as calls, "uniform(-0.1, 0.1)". For
 * framework/config_keys.c.
 */
#ifndef RNN_FRAMEWORK_CONFIG_INIT_H
#define RNN_FRAMEWORK_CONFIG_INIT_H

#include <stdio.h>

#include <rnn/layer.h>

#include "kernels/status.h"

/*
 * Reads "normal", "normal()", "normal(0)", "normal(0, 0.02)"; arguments left out are torch's
 * defaults, numbers are written as in TOML. RNN_ERR_DATA for anything else, whose message the
 * caller replaces.
 */
rnn_status rnn_config_init_parse(rnn_init *out, const char *text);

/* Writes it with all its arguments, so that it reads back as the same. */
void rnn_config_init_print(const rnn_init *init, FILE *out);

/* "one of "default", "uniform(a, b)", ...". */
void rnn_config_init_print_expected(FILE *out);

#endif
