/*
 * The grid of a sweep: keys with the values that each of them takes, and the points, which are all
 * combinations of these.
 */
#ifndef RNN_FRAMEWORK_SWEEP_GRID_H
#define RNN_FRAMEWORK_SWEEP_GRID_H

#include <stddef.h>

#include "kernels/status.h"

enum { RNN_GRID_MAX_AXES = 16, RNN_GRID_MAX_POINTS = 10000 };

typedef struct rnn_grid_axis {
    char *key;     /* "optimizer.lr" */
    char **values; /* [n_values] as --set takes them */
    size_t n_values;
} rnn_grid_axis;

/* Empty as {0}. */
typedef struct rnn_grid {
    rnn_grid_axis axes[RNN_GRID_MAX_AXES];
    size_t n_axes;
    size_t n_points; /* the product of all n_values */
} rnn_grid;

/*
 * Takes texts of the form KEY=VALUE,VALUE,... Commas in brackets or quotes belong to a value, as in
 * dataset.columns=["a","b"],["a"]. RNN_ERR_USAGE for another form, an empty value, a value or a key
 * that comes twice, or too many points. Whether keys and values fit each other is for
 * rnn_config_load to say. Free with rnn_grid_free, also after failure.
 */
rnn_status rnn_grid_parse(rnn_grid *out, const char *const *texts, size_t n_texts);
void rnn_grid_free(rnn_grid *grid);

/* The value of an axis at a point; the last axis changes fastest. Lent. */
const char *rnn_grid_value(const rnn_grid *grid, size_t point, size_t axis);

/* "optimizer.lr=0.1"; rnn_free memory. */
rnn_status rnn_grid_override(const rnn_grid *grid, size_t point, size_t axis, char **out);

/*
 * A name for the point's folder, "optimizer.lr=0.1,layer.0.hidden_size=64"; rnn_free memory. Where
 * a character is not fit for the name of a file, or the name is long, a digest makes it unique.
 */
rnn_status rnn_grid_name(const rnn_grid *grid, size_t point, char **out);

#endif
