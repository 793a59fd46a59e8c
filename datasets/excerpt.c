#include "datasets/excerpt.h"

#include <stdio.h>
#include <string.h>

#include "datasets/utf8.h"

/* The bytes of the character that `text` begins with; 0 if it cannot be printed. */
static size_t printable_bytes(const char *text)
{
    uint32_t code;
    size_t n = rnn_utf8_decode(text, &code);

    return n == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0) ? 0 : n;
}

rnn_excerpt rnn_excerpt_of(const char *text)
{
    enum { MAX_SHOWN = 40 };
    rnn_excerpt out = {"'"};
    size_t n = 1;

    while (*text != '\0' && n <= MAX_SHOWN) {
        size_t used = printable_bytes(text);

        if (used > 0)
            memcpy(out.text + n, text, used);
        else
            out.text[n] = '?';
        n += used > 0 ? used : 1;
        text += used > 0 ? used : 1;
    }
    snprintf(out.text + n, sizeof out.text - n, "%s", *text != '\0' ? "...'" : "'");
    return out;
}

bool rnn_is_printable(const char *text)
{
    for (size_t used; *text != '\0'; text += used) {
        used = printable_bytes(text);
        if (used == 0)
            return false;
    }
    return true;
}
