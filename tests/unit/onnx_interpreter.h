/*
 * An interpreter for ONNX graphs as they are exported: walks the nodes of a decoded file and
 * computes every operator from the text of its specification, in double and in the plainest way.
 * It shares nothing with the exporter but the messages. What it does not know fails the test.
 */
#ifndef RNN_TESTS_UNIT_ONNX_INTERPRETER_H
#define RNN_TESTS_UNIT_ONNX_INTERPRETER_H

#include <stddef.h>
#include <stdint.h>

#include "onnx.pb-c.h"

enum { ONNX_MAX_DIMS = 4, ONNX_MAX_VALUES = 256 };

/* Whole numbers and flags are doubles too. */
typedef struct onnx_value {
    const char *name; /* lent */
    size_t n_dims, dims[ONNX_MAX_DIMS];
    double *values; /* [product of dims], malloc memory */
} onnx_value;

typedef struct onnx_run {
    Onnx__ModelProto *model;
    onnx_value values[ONNX_MAX_VALUES];
    size_t n_values;
} onnx_run;

/* Decodes a file; ends by onnx_close. */
void onnx_open(onnx_run *run, const char *path);
void onnx_close(onnx_run *run);

/* An input of the graph, zeroed, to be filled; the shape must be what the graph declares. */
double *onnx_give(onnx_run *run, const char *name, const size_t *dims, size_t n_dims);

/* Computes everything. */
void onnx_compute(onnx_run *run);

/* A value by its name; fails if there is none. */
const onnx_value *onnx_find(const onnx_run *run, const char *name);

/* A text in metadata_props; fails if there is none. */
const char *onnx_property(const onnx_run *run, const char *key);

#endif
