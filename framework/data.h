/*
 * The data of a configuration: from its [dataset] table to an open dataset.
 */
#ifndef RNN_FRAMEWORK_DATA_H
#define RNN_FRAMEWORK_DATA_H

#include <stdbool.h>

#include "datasets/dataset.h"
#include "framework/config.h"
#include "framework/model.h"
#include "kernels/status.h"

/* Other data for a trained model; all borrowed. */
typedef struct rnn_data_override {
    const rnn_dataset_fit *fit;       /* what the model was trained with */
    const char *path;                 /* a file, which becomes the only one and the test split, or
                                         "FILE:/GROUP" for a group of an HDF5 file; a folder,
                                         in which the configuration's files are; NULL: as configured */
    const rnn_dataset_answer *answer; /* of the model; borrowed */
    bool needs_no_targets;
} rnn_data_override;

/* Opens the dataset; `other` is NULL for training. Errors as of rnn_dataset_open. */
rnn_status rnn_data_open(rnn_dataset **out, const rnn_config *config,
                         const rnn_data_override *other);

/* What a model gets from a dataset. */
rnn_shape rnn_data_input(const rnn_dataset *dataset);

#endif
