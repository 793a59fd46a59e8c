/*
 * Curves as characters, for a terminal of any width without colours.
 */
#ifndef RNN_FRAMEWORK_CHART_TEXT_H
#define RNN_FRAMEWORK_CHART_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "framework/plot_panels.h"

enum { RNN_CHART_MIN_WIDTH = 40 };

/*
 * Draws a panel: title, `height` rows of points with the axis beside them, epochs below, and what
 * each mark stands for. Marks are letters by runs, small ones for training; of one run they are
 * "." for training and "o".  Where curves meet, the later one is seen. `width` is at least
 * RNN_CHART_MIN_WIDTH; no line is longer.
 */
rnn_status rnn_chart_print(const rnn_plot *plot, const rnn_plot_panel *panel, size_t width,
                           size_t height, FILE *out);

/* Where the time of each run went, one bar a part. */
void rnn_chart_print_time(const rnn_plot *plot, size_t width, FILE *out);

/* Columns of the terminal behind a descriptor, and rows if not NULL; 80 and 24 for others. */
size_t rnn_chart_terminal_width(int descriptor, size_t *height);

#endif
