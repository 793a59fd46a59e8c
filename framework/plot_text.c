#include "framework/plot_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "datasets/utf8.h"

size_t rnn_text_character(const char *text)
{
    uint32_t code;
    size_t length = rnn_utf8_decode(text, &code);

    return code < ' ' || (code >= 0x7F && code < 0xA0) ? 0 : length;
}

void rnn_text_make_printable(char *out, size_t size, const char *text)
{
    static const char cut[] = "...";
    size_t n_bytes = strlen(text), length = 0;

    if (n_bytes >= size) {
        text += n_bytes - (size - sizeof cut);
        while ((*text & 0xC0) == 0x80) /* in the middle of a character */
            text++;
        memcpy(out, cut, sizeof cut);
        length = sizeof cut - 1;
    }
    while (*text != '\0') {
        size_t n = rnn_text_character(text);

        if (n == 0)
            out[length] = '?';
        else
            memcpy(out + length, text, n);
        length += n > 0 ? n : 1;
        text += n > 0 ? n : 1;
    }
    out[length] = '\0';
}

void rnn_text_print_html(const char *text, FILE *out)
{
    while (*text != '\0') {
        size_t n = rnn_text_character(text);

        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else if (*text == '\'')
            fputs("&#39;", out);
        else if (n == 0 && *text != '\n')
            fputc('?', out);
        else
            (void)fwrite(text, 1, n > 0 ? n : 1, out);
        text += n > 0 ? n : 1;
    }
}

const char *rnn_duration_print(char out[RNN_DURATION_SIZE], double seconds)
{
    double whole = floor(seconds + 0.5);

    if (!(seconds >= 0 && seconds < 1e12))
        snprintf(out, RNN_DURATION_SIZE, "?");
    else if (seconds < 59.95)
        snprintf(out, RNN_DURATION_SIZE, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(out, RNN_DURATION_SIZE, "%.0f:%02.0f", floor(whole / 60), fmod(whole, 60));
    else
        snprintf(out, RNN_DURATION_SIZE, "%.0f:%02.0f:%02.0f", floor(whole / 3600),
                 floor(fmod(whole, 3600) / 60), fmod(whole, 60));
    return out;
}
