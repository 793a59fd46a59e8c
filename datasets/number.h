/*
 * Numbers in texts, with a decimal point whatever the language of the user is.
 */
#ifndef RNN_DATASETS_NUMBER_H
#define RNN_DATASETS_NUMBER_H

#include <locale.h>
#include <stdbool.h>

#include "kernels/status.h"

/* Empty (all zero) before opening and after closing. */
typedef struct rnn_number_reader {
    locale_t c_locale;
} rnn_number_reader;

/* RNN_ERR_MEMORY. */
rnn_status rnn_number_reader_open(rnn_number_reader *reader);

/* Accepts an empty one. */
void rnn_number_reader_close(rnn_number_reader *reader);

/*
 * Whether all of `text` is a number in decimal notation, as -1.5e3: not "inf", "nan" or "0x1". One
 * beyond the range of a double is infinite.
 */
bool rnn_number_read(double *value, const rnn_number_reader *reader, const char *text);

#endif
