/*
 * Which tensor of a state_dict is which parameter of a model, from names and shapes alone. Private
 * to state_dict.c; the rules are in state_dict.h.
 */
#ifndef RNN_FRAMEWORK_STATE_DICT_MATCH_H
#define RNN_FRAMEWORK_STATE_DICT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "framework/hdf5_image.h"
#include "framework/model.h"
#include "kernels/status.h"

/* One tensor of a file. */
typedef struct rnn_dict_entry {
    char path[RNN_H5_PATH_LENGTH]; /* in the file, as it is */
    char key[RNN_H5_PATH_LENGTH];  /* the same, printable, with dots for slashes */
    size_t prefix_length;          /* of the key, without the dot before PARAM; 0 = none */
    int n_dims;                    /* -1 = empty */
    hsize_t dims[H5S_MAX_RANK];
    size_t param; /* index of the model's parameter, set by rnn_dict_match */
    bool is_copy; /* also set by it: another entry gives the parameter, this one must equal it */
} rnn_dict_entry;

/* Fills in path, key and prefix_length. `path` must fit. */
void rnn_dict_set_path(rnn_dict_entry *entry, const char *path);

/*
 * Sorts the entries and gives each one its parameter: every parameter has exactly one then,
 * apart from copies: torch's state_dict has the weight of a tied layer under both names.
 * `source` names the file in messages. RNN_ERR_DATA if that is not possible, or in several ways.
 */
rnn_status rnn_dict_match(rnn_dict_entry *entries, size_t n_entries, const rnn_model *model,
                          const char *source);

#endif
