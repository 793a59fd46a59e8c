/*
 * Texts from outside, such as names of folders, on their way to terminals, scripts and pages.
 */
#ifndef RNN_FRAMEWORK_PLOT_TEXT_H
#define RNN_FRAMEWORK_PLOT_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of the printable UTF-8 character that a text begins with; 0 if it is none, or a control. */
size_t rnn_text_character(const char *text);

/*
 * Copies a text of at most `size` - 1 bytes; what is no printable character becomes '?', one that
 * is too long loses its beginning and gets "..." instead.
 */
void rnn_text_make_printable(char *out, size_t size, const char *text);

/* As content of an element or a quoted attribute in HTML; the ends of lines stay. */
void rnn_text_print_html(const char *text, FILE *out);

enum { RNN_DURATION_SIZE = 24 };

/* "4.2 s", "3:07", "26:03:07" (hours, minutes, seconds); returns `out`. */
const char *rnn_duration_print(char out[RNN_DURATION_SIZE], double seconds);

#endif
