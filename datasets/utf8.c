#include "datasets/utf8.h"

/* The bytes that the first one announces, 0 if it cannot be the first. */
static size_t announced(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        return 2;
    if (first >= 0xE0 && first < 0xF0)
        return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

size_t rnn_utf8_decode(const char *text, uint32_t *code)
{
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t n = announced(bytes[0]);

    *code = bytes[0] & first_bits[n];
    for (size_t i = 1; i < n; i++) {
        if ((bytes[i] & 0xC0) != 0x80) /* the zero byte at the end, too */
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3F);
    }
    if (*code < least[n] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
        return 0;
    return *code > 0 ? n : 0;
}

void rnn_utf8_encode(uint32_t code, char text[RNN_UTF8_MAX + 1])
{
    static const unsigned char first_mark[] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    text[n] = '\0';
    for (size_t i = n - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    text[0] = (char)(first_mark[n] | code);
}
