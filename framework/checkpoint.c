#include "framework/checkpoint.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "framework/checkpoint_image.h"
#include "framework/file_io.h"
#include "framework/hdf5_image.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

/* -- The trailer: the last 32 bytes of a file, little-endian ----------------------------------- */

typedef struct trailer {
    char magic[8];
    uint64_t version;
    uint64_t n_image; /* bytes before the trailer */
    uint64_t digest;  /* of all bytes before this field */
} trailer;

_Static_assert(sizeof(trailer) == 32, "the trailer is written as it lies in memory");

static const char TRAILER_MAGIC[] = "RNNTRAIL";
static const uint64_t TRAILER_VERSION = 1;
static const uint64_t MAX_FILE_SIZE = (uint64_t)64 << 30;

static uint64_t digest_of(const char *file, size_t n_image)
{
    return rnn_digest(file, n_image + offsetof(trailer, digest));
}

/* Fills the room for the trailer behind an image. */
static void seal(char *file, size_t n_image)
{
    trailer end = {.version = htole64(TRAILER_VERSION), .n_image = htole64(n_image)};

    memcpy(end.magic, TRAILER_MAGIC, sizeof end.magic);
    memcpy(file + n_image, &end, sizeof end);
    end.digest = htole64(digest_of(file, n_image));
    memcpy(file + n_image, &end, sizeof end);
}

bool rnn_checkpoint_has_trailer(const char *file, size_t n_bytes)
{
    trailer end = {0};

    if (n_bytes >= sizeof end)
        memcpy(&end, file + n_bytes - sizeof end, sizeof end);
    return memcmp(end.magic, TRAILER_MAGIC, sizeof end.magic) == 0;
}

static rnn_status refuse_without_trailer(const char *path, const char *file, size_t n_bytes)
{
    if (!rnn_h5_has_signature(file, n_bytes))
        return RNN_FAIL(RNN_ERR_DATA, "%s: not an rnntrain checkpoint", path);
    return RNN_FAIL(RNN_ERR_DATA,
                    "%s: truncated, or no checkpoint: its %zu bytes do not end with the trailer of "
                    "a checkpoint",
                    path, n_bytes);
}

/* Whether every byte of a file is as it was written; *n_image is what libhdf5 may see. */
static rnn_status unseal(const char *path, const char *file, size_t n_bytes, size_t *n_image)
{
    trailer end;
    size_t before;

    *n_image = 0;
    if (!rnn_checkpoint_has_trailer(file, n_bytes))
        return refuse_without_trailer(path, file, n_bytes);
    before = n_bytes - sizeof end;
    memcpy(&end, file + before, sizeof end);
    if (le64toh(end.digest) != digest_of(file, before))
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: digest mismatch: its bytes have %016" PRIx64 ", but %016" PRIx64
                        " was written",
                        path, digest_of(file, before), le64toh(end.digest));
    if (le64toh(end.version) != TRAILER_VERSION)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: its trailer has version %" PRIu64 ", this program reads %" PRIu64,
                        path, le64toh(end.version), TRAILER_VERSION);
    if (le64toh(end.n_image) != before)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: truncated: its trailer stands after %zu bytes, not after %" PRIu64,
                        path, before, le64toh(end.n_image));
    *n_image = before;
    return RNN_OK;
}

/* Who names a run's folder means a checkpoint in it. */
static rnn_status refuse_folder(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_NOINPUT,
                    "cannot read '%s': not a regular file but a folder; expected a file, such as a "
                    "run's latest.h5",
                    path);
}

static rnn_status read_sealed(const char *path, char **file, size_t *n_image)
{
    rnn_status st;
    void *bytes;
    size_t n_bytes;

    *file = NULL;
    *n_image = 0;
    RNN_TRY(refuse_folder(path));
    RNN_TRY(rnn_file_read(path, MAX_FILE_SIZE, &bytes, &n_bytes));
    st = unseal(path, bytes, n_bytes, n_image);
    if (st == RNN_OK)
        *file = bytes;
    else
        rnn_free(bytes);
    return st;
}

rnn_status rnn_checkpoint_recognize(const char *path, bool *is_hdf5)
{
    *is_hdf5 = false;
    RNN_TRY(refuse_folder(path));
    return rnn_file_begins_with(path, rnn_hdf5_signature, RNN_HDF5_SIGNATURE_LENGTH, is_hdf5);
}

rnn_status rnn_checkpoint_read_config(const char *path, char **config)
{
    rnn_status st;
    char *file;
    size_t n_image;

    *config = NULL;
    RNN_TRY(read_sealed(path, &file, &n_image));
    st = rnn_checkpoint_image_read_config(file, n_image, path, config);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_read(const char *path, rnn_checkpoint *into)
{
    rnn_status st;
    char *file;
    size_t n_image;

    RNN_TRY(read_sealed(path, &file, &n_image));
    st = rnn_checkpoint_image_read(file, n_image, path, into);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_read_layers(const char *path, rnn_layer_cfg *layers, size_t *n_layers)
{
    rnn_status st;
    char *file;
    size_t n_image;

    *n_layers = 0;
    RNN_TRY(read_sealed(path, &file, &n_image));
    st = rnn_checkpoint_image_read_layers(file, n_image, path, layers, n_layers);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_read_blocks(const char *path, rnn_block *blocks, size_t n_blocks)
{
    rnn_status st;
    char *file;
    size_t n_image;

    for (size_t i = 0; i < n_blocks; i++)
        blocks[i].values = NULL;
    RNN_TRY(read_sealed(path, &file, &n_image));
    st = rnn_checkpoint_image_read_blocks(file, n_image, path, blocks, n_blocks);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_read_root(const char *path, rnn_checkpoint_visitor *read, void *context)
{
    rnn_status st;
    char *file;
    size_t n_image;

    RNN_TRY(read_sealed(path, &file, &n_image));
    st = rnn_checkpoint_image_visit(file, n_image, path, read, context);
    rnn_free(file);
    return st;
}

/* -- Names ------------------------------------------------------------------------------------- */

static const char LATEST[] = "latest.h5", BEST[] = "best.h5";
static const uint64_t MAX_STEP = 9999999999; /* the ten digits of a name */

enum { NAME_SIZE = sizeof "step-0123456789.h5" };

static rnn_status print_name(char name[NAME_SIZE], uint64_t step)
{
    if (step > MAX_STEP)
        return RNN_FAIL(RNN_ERR_DATA,
                        "cannot name the checkpoint of step %" PRIu64 ": at most %" PRIu64
                        " steps are possible",
                        step, MAX_STEP);
    snprintf(name, NAME_SIZE, "step-%010" PRIu64 ".h5", step);
    return RNN_OK;
}

static int is_checkpoint(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return strlen(name) == NAME_SIZE - 1 && strncmp(name, "step-", 5) == 0 &&
           strspn(name + 5, "0123456789") == 10 && strcmp(name + 15, ".h5") == 0;
}

/* All that a run leaves in its folder and the next one would mistake for its own. */
static int belongs_to_run(const struct dirent *entry)
{
    static const char *const others[] = {LATEST, BEST, "metrics.jsonl"};
    static const char events[] = "events.out.tfevents.";

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(entry->d_name, others[i]) == 0)
            return 1;
    return strncmp(entry->d_name, events, strlen(events)) == 0 || is_checkpoint(entry);
}

/* Steps have a fixed number of digits, so the order of names is that of steps. */
static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

typedef struct listing {
    struct dirent **entries; /* newest first */
    size_t count;
} listing;

/* The entries of a folder that `select` takes; none if the folder does not exist. */
static rnn_status list_folder(listing *out, const char *folder,
                              int (*select)(const struct dirent *))
{
    int count;

    *out = (listing){0};
    count = scandir(folder, &out->entries, select, newest_first);
    if (count < 0 && errno == ENOENT)
        return RNN_OK;
    if (count < 0)
        return RNN_FAIL(RNN_ERR_IO, "cannot list the folder '%s': %s", folder, strerror(errno));
    out->count = (size_t)count;
    return RNN_OK;
}

static void free_listing(listing *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i]);
    free(list->entries);
    *list = (listing){0};
}

static rnn_status link_name(const char *folder, const char *link, const char *name)
{
    rnn_status st;
    char *path;

    RNN_TRY(rnn_path_print(&path, "%s/%s", folder, link));
    st = rnn_file_link(path, name);
    rnn_free(path);
    return st;
}

/* -- Writing and keeping ----------------------------------------------------------------------- */

/* The bytes of a checkpoint's file, rnn_free memory. */
static rnn_status make_sealed(const rnn_checkpoint *checkpoint, void **file, size_t *n_bytes)
{
    char created_at[sizeof "2000-01-01T00:00:00Z"] = "";
    time_t now = time(NULL);
    struct tm utc;
    size_t n_image;

    if (gmtime_r(&now, &utc) != NULL)
        strftime(created_at, sizeof created_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    RNN_TRY(rnn_checkpoint_image_write(checkpoint, created_at, sizeof(trailer), file, &n_image));
    seal(*file, n_image);
    *n_bytes = n_image + sizeof(trailer);
    return RNN_OK;
}

static rnn_status write_sealed(const rnn_checkpoint *checkpoint, const char *path)
{
    rnn_status st;
    void *file;
    size_t n_bytes;

    RNN_TRY(make_sealed(checkpoint, &file, &n_bytes));
    st = rnn_file_write(path, file, n_bytes);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_rehearse(const rnn_checkpoint *checkpoint, const char *folder,
                                   size_t *n_bytes)
{
    rnn_status st;
    char *path = NULL;
    void *file = NULL;

    RNN_TRY_GOTO(st, make_sealed(checkpoint, &file, n_bytes), done);
    RNN_TRY_GOTO(st, rnn_path_print(&path, "%s/rehearsal.h5", folder), done);
    st = rnn_file_rehearse(path, file, *n_bytes);
done:
    rnn_free(path);
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_write(const rnn_checkpoint *checkpoint, const char *folder, char **path)
{
    rnn_status st;
    char name[NAME_SIZE], *file = NULL;

    if (path != NULL)
        *path = NULL;
    RNN_TRY(print_name(name, checkpoint->progress->step));
    RNN_TRY(rnn_path_print(&file, "%s/%s", folder, name));
    RNN_TRY_GOTO(st, write_sealed(checkpoint, file), done);
    RNN_TRY_GOTO(st, link_name(folder, LATEST, name), done);
    if (path != NULL) {
        *path = file;
        file = NULL;
    }
done:
    rnn_free(file);
    return st;
}

rnn_status rnn_checkpoint_mark_best(const char *folder, uint64_t step)
{
    rnn_status st;
    char name[NAME_SIZE], *path;

    RNN_TRY(print_name(name, step));
    RNN_TRY(rnn_path_print(&path, "%s/%s", folder, name));
    if (access(path, F_OK) == 0)
        st = link_name(folder, BEST, name);
    else
        st = RNN_FAIL(RNN_ERR_IO, "cannot mark '%s' as the best: %s", path, strerror(errno));
    rnn_free(path);
    return st;
}

/* What folder/link points to; "" if there is no such link. */
static rnn_status read_link(const char *folder, const char *link, char name[NAME_SIZE + 1])
{
    char *path;
    ssize_t length;

    RNN_TRY(rnn_path_print(&path, "%s/%s", folder, link));
    length = readlink(path, name, NAME_SIZE);
    name[length < 0 ? 0 : length] = '\0';
    rnn_free(path);
    return RNN_OK;
}

static rnn_status remove_file(const char *folder, const char *name)
{
    rnn_status st = RNN_OK;
    char *path;

    RNN_TRY(rnn_path_print(&path, "%s/%s", folder, name));
    /* A folder under the name of a checkpoint is not ours to remove. */
    if (TEMP_FAILURE_RETRY(unlink(path)) != 0 && errno != ENOENT && errno != EISDIR)
        st = RNN_FAIL(RNN_ERR_IO, "cannot remove '%s': %s", path, strerror(errno));
    rnn_free(path);
    return st;
}

rnn_status rnn_checkpoint_prune(const char *folder, size_t keep)
{
    rnn_status st;
    listing list = {0};
    char latest[NAME_SIZE + 1], best[NAME_SIZE + 1];

    if (keep == 0)
        return RNN_OK;
    RNN_TRY(read_link(folder, LATEST, latest));
    RNN_TRY(read_link(folder, BEST, best));
    RNN_TRY(list_folder(&list, folder, is_checkpoint));
    st = RNN_OK;
    for (size_t i = keep; i < list.count && st == RNN_OK; i++) {
        const char *name = list.entries[i]->d_name;

        if (strcmp(name, latest) != 0 && strcmp(name, best) != 0)
            st = remove_file(folder, name);
    }
    free_listing(&list);
    return st;
}

/* -- Finding and setting aside ------------------------------------------------------------------
 */

static rnn_status check_file(const char *path)
{
    char *config;
    rnn_status st = rnn_checkpoint_read_config(path, &config);

    rnn_free(config);
    return st;
}

rnn_status rnn_checkpoint_find(const char *folder, char **path, rnn_skip_report report,
                               void *context)
{
    rnn_status st;
    listing list;
    char *candidate = NULL;

    *path = NULL;
    rnn_folder_remove_leftovers(folder);
    RNN_TRY(list_folder(&list, folder, is_checkpoint));
    st = RNN_OK;
    for (size_t i = 0; i < list.count; i++) {
        RNN_TRY_GOTO(st, rnn_path_print(&candidate, "%s/%s", folder, list.entries[i]->d_name),
                     done);
        st = check_file(candidate);
        if (st == RNN_OK) {
            *path = candidate;
            candidate = NULL;
            goto done;
        }
        if (st == RNN_ERR_MEMORY) /* says nothing about the file */
            goto done;
        if (report != NULL)
            report(rnn_error_message(), context);
        rnn_free(candidate);
        candidate = NULL;
    }
    if (list.count > 0)
        st = RNN_FAIL(RNN_ERR_DATA, "none of the %zu checkpoints in '%s' can be read; the last: %s",
                      list.count, folder, rnn_error_message());
done:
    rnn_free(candidate);
    free_listing(&list);
    return st;
}

rnn_status rnn_checkpoint_list(const char *folder, char ***names, size_t *n)
{
    rnn_status st;
    listing list;

    *names = NULL;
    *n = 0;
    RNN_TRY(list_folder(&list, folder, is_checkpoint));
    st = RNN_ALLOC(names, list.count, "the names of checkpoints");
    while (st == RNN_OK && *n < list.count) {
        st = rnn_string_copy(&(*names)[*n], list.entries[list.count - 1 - *n]->d_name);
        *n += st == RNN_OK;
    }
    free_listing(&list);
    return st;
}

/* Creates the first folder/previous-N that does not exist. */
static rnn_status create_previous(const char *folder, char **out)
{
    for (int n = 1;; n++) {
        rnn_status st;

        RNN_TRY(rnn_path_print(out, "%s/previous-%d", folder, n));
        if (TEMP_FAILURE_RETRY(mkdir(*out, 0777)) == 0)
            return RNN_OK;
        st = errno == EEXIST
                 ? RNN_OK
                 : RNN_FAIL(RNN_ERR_IO, "cannot create the folder '%s': %s", *out, strerror(errno));
        rnn_free(*out);
        *out = NULL;
        RNN_TRY(st);
    }
}

static rnn_status move_file(const char *from, const char *to, const char *name)
{
    rnn_status st;
    char *old_path = NULL, *new_path = NULL;

    RNN_TRY_GOTO(st, rnn_path_print(&old_path, "%s/%s", from, name), done);
    RNN_TRY_GOTO(st, rnn_path_print(&new_path, "%s/%s", to, name), done);
    if (TEMP_FAILURE_RETRY(rename(old_path, new_path)) != 0)
        st = RNN_FAIL(RNN_ERR_IO, "cannot move '%s' to '%s': %s", old_path, new_path,
                      strerror(errno));
done:
    rnn_free(new_path);
    rnn_free(old_path);
    return st;
}

rnn_status rnn_checkpoint_set_aside(const char *folder, char **moved_to)
{
    rnn_status st;
    listing list;
    char *previous = NULL;

    *moved_to = NULL;
    rnn_folder_remove_leftovers(folder);
    RNN_TRY(list_folder(&list, folder, belongs_to_run));
    st = RNN_OK;
    if (list.count == 0)
        goto done;
    RNN_TRY_GOTO(st, create_previous(folder, &previous), done);
    for (size_t i = 0; i < list.count; i++)
        RNN_TRY_GOTO(st, move_file(folder, previous, list.entries[i]->d_name), done);
    RNN_TRY_GOTO(st, rnn_folder_sync(previous), done);
    RNN_TRY_GOTO(st, rnn_folder_sync(folder), done);
    *moved_to = previous;
    previous = NULL;
done:
    rnn_free(previous);
    free_listing(&list);
    return st;
}
