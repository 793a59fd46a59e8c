/*
 * A page about some runs that needs nothing else: their picture, and tables of their numbers and
 * configurations.
 */
#ifndef RNN_FRAMEWORK_PLOT_HTML_H
#define RNN_FRAMEWORK_PLOT_HTML_H

#include <stddef.h>

#include "framework/plot_panels.h"

/* `svg` is the picture; *page is in rnn_alloc memory, *n_bytes without its final zero byte. */
rnn_status rnn_plot_html(const rnn_plot *plot, const char *svg, char **page, size_t *n_bytes);

#endif
