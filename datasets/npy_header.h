/*
 * The header of a .npy file, a Python dictionary. For datasets/npy_file.c.
 */
#ifndef RNN_DATASETS_NPY_HEADER_H
#define RNN_DATASETS_NPY_HEADER_H

#include "datasets/npy_file.h"

/*
 * Parses the dictionary `text`, which begins at byte `start` of the file and ends with a zero byte,
 * into kind, item, is_big, n_dims and shape.
 */
rnn_status rnn_npy_header_parse(rnn_npy_file *file, const char *text, size_t start);

#endif
