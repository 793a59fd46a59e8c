/*
 * Characters of UTF-8 texts. A character is a code point: what one sees may be several.
 */
#ifndef RNN_DATASETS_UTF8_H
#define RNN_DATASETS_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { RNN_UTF8_MAX = 4 }; /* bytes of a character */

/*
 * Decodes the character that `text` begins with, which ends with a zero byte somewhere. Returns
 * its bytes; 0 if there is no valid one: at the end of the text, for a stray or missing byte, a
 * longer form than needed, a surrogate, or a number beyond U+10FFFF.
 */
size_t rnn_utf8_decode(const char *text, uint32_t *code);

/* The character as a text of its own; `code` is one that rnn_utf8_decode has given. */
void rnn_utf8_encode(uint32_t code, char text[RNN_UTF8_MAX + 1]);

#endif
