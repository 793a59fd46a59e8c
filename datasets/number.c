#include "datasets/number.h"

#include <stdlib.h>
#include <string.h>

rnn_status rnn_number_reader_open(rnn_number_reader *reader)
{
    reader->c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (reader->c_locale == (locale_t)0)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the reader of numbers");
    return RNN_OK;
}

void rnn_number_reader_close(rnn_number_reader *reader)
{
    if (reader->c_locale != (locale_t)0)
        freelocale(reader->c_locale);
    *reader = (rnn_number_reader){0};
}

bool rnn_number_read(double *value, const rnn_number_reader *reader, const char *text)
{
    size_t length = strspn(text, "0123456789+-.eE");
    char *end;

    *value = 0;
    if (length == 0 || text[length] != '\0')
        return false;
    *value = strtod_l(text, &end, reader->c_locale);
    return *end == '\0';
}
