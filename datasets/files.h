/*
 * Finding and opening a dataset's files. For the readers of this folder.
 */
#ifndef RNN_DATASETS_FILES_H
#define RNN_DATASETS_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/status.h"

enum { RNN_FILES_MAX = 6 };

/* Files that belong together and the folders that may hold them; all borrowed. */
typedef struct rnn_files {
    const char *const *search; /* in order; "~" and "$NAME" are expanded */
    size_t n_search;
    const char *names[RNN_FILES_MAX];
    size_t n_names;
    bool may_be_gzip; /* NAME.gz will do where there is no NAME */
} rnn_files;

/*
 * The first folder of the search path that holds all files, expanded; *folder is rnn_alloc memory.
 * RNN_ERR_NOINPUT if none does (the message lists every folder as expanded) or if one holds some
 * but not all. An unset or empty "$NAME" skips that folder.
 */
rnn_status rnn_files_find(char **folder, const rnn_files *files);

/* Where the file number `i` is in `folder`; *path is rnn_alloc memory. RNN_ERR_NOINPUT if it has
 * vanished. */
rnn_status rnn_files_locate(char **path, const rnn_files *files, const char *folder, size_t i);

/* Opens a regular file for reading; RNN_ERR_NOINPUT if it is none or cannot be opened. */
rnn_status rnn_files_open(int *fd, const char *path);

#endif
