/*
 * Files that are whole or absent, with plain system calls.
 *
 * A new file takes shape under the temporary name ".NAME.tmp-PID" beside its place and is renamed
 * once it is complete and on the disk.
 */
#ifndef RNN_FRAMEWORK_FILE_IO_H
#define RNN_FRAMEWORK_FILE_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/status.h"

/*
 * Writes bytes to `path`: a temporary name beside it (O_EXCL), write loop, fsync, close, rename,
 * fsync of the folder. On failure (RNN_ERR_IO with file, operation, errno text) the temporary file
 * is removed and an existing `path` is untouched; only if the last step fails, the sync of the
 * folder, `path` is already the new file. EINTR and short writes are handled. A device or a
 * socket is not replaced: RNN_ERR_IO.
 */
rnn_status rnn_file_write(const char *path, const void *bytes, size_t n_bytes);

/*
 * Writes and syncs bytes as rnn_file_write does, and removes the temporary file again: whether
 * `path` could be written, with its size. RNN_ERR_IO as there.
 */
rnn_status rnn_file_rehearse(const char *path, const void *bytes, size_t n_bytes);

/* Bytes that the file system of a folder has free for us; SIZE_MAX if it does not tell. */
size_t rnn_folder_free_bytes(const char *folder);

/*
 * Reads a regular file of at most max_bytes whole, with one zero byte added after it that is not
 * counted in *n_bytes. RNN_ERR_NOINPUT if it does not exist, cannot be opened or is not a regular
 * file, RNN_ERR_DATA if it is larger, RNN_ERR_IO otherwise. rnn_free memory; NULL on failure.
 */
rnn_status rnn_file_read(const char *path, size_t max_bytes, void **bytes, size_t *n_bytes);

/* Whether a regular file begins with these bytes. Fails as rnn_file_read does. */
rnn_status rnn_file_begins_with(const char *path, const void *bytes, size_t n_bytes, bool *begins);

/* Makes `path` a symbolic link to `target` (relative to its folder), replacing it atomically. */
rnn_status rnn_file_link(const char *path, const char *target);

/*
 * Creates a folder and its parents, and syncs those that a new one is in; fine if it exists. Checks
 * that files can be created in it.
 */
rnn_status rnn_folder_create(const char *path);

/* Returns once all names in a folder are on the disk as they are now; RNN_ERR_IO. */
rnn_status rnn_folder_sync(const char *path);

/*
 * Removes temporary files that an interrupted rnn_file_write or rnn_file_link left in a folder,
 * unless their process is another one that still runs here. What cannot be removed stays.
 */
void rnn_folder_remove_leftovers(const char *folder);

/* A path, or any text, in printf form; rnn_free memory. */
rnn_status rnn_path_print(char **out, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

/* Whether a path ends so, and has something before. */
bool rnn_path_has_ending(const char *path, const char *ending);

#endif
