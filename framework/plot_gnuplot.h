/*
 * Pictures by gnuplot: the script for a plot, and the program that draws it.
 */
#ifndef RNN_FRAMEWORK_PLOT_GNUPLOT_H
#define RNN_FRAMEWORK_PLOT_GNUPLOT_H

#include <stddef.h>
#include <stdio.h>

#include "framework/plot_panels.h"

typedef enum rnn_picture { RNN_PICTURE_SVG, RNN_PICTURE_PNG } rnn_picture;

/* The script. Names of runs are in it as texts that gnuplot takes for nothing else. */
void rnn_gnuplot_script(const rnn_plot *plot, rnn_picture picture, FILE *out);

/*
 * Runs gnuplot, found in PATH, without a shell and without its start-up files; *picture is what it
 * drew, in rnn_alloc memory. RNN_ERR_UNAVAILABLE if there is no gnuplot, or if it fails, with the
 * first line of what it said.
 */
rnn_status rnn_gnuplot_draw(const rnn_plot *plot, rnn_picture format, void **picture,
                            size_t *n_bytes);

#endif
