#include "framework/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/exchange.h"
#include "framework/file_io.h"
#include "framework/metrics_file.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

typedef struct tally {
    FILE *out;
    size_t n_files, n_bad;
    rnn_status first; /* failure */
} tally;

/* -- What metrics.jsonl says ------------------------------------------------------------------- */

/* metrics.jsonl in the folder of a checkpoint; a run may have none. */
static rnn_status read_metrics(rnn_metrics_log *log, const char *checkpoint)
{
    const char *slash = strrchr(checkpoint, '/');
    int length = slash != NULL ? (int)(slash + 1 - checkpoint) : 0;
    char *path;
    rnn_status st;

    *log = (rnn_metrics_log){0};
    RNN_TRY(rnn_path_print(&path, "%.*smetrics.jsonl", length, checkpoint));
    st = access(path, F_OK) == 0 ? rnn_metrics_log_read(log, path) : RNN_OK;
    rnn_free(path);
    return st;
}

/* The digest of the epoch that ended with this step; false if there is none. */
static bool find_digest(const rnn_metrics_log *log, uint64_t step, uint64_t *digest)
{
    for (size_t i = 0; i < log->n_epochs; i++) {
        const rnn_metrics_line *line = &log->epochs[i];

        if (line->step == (double)step && line->digest[0] != '\0') {
            *digest = strtoull(line->digest, NULL, 16);
            return true;
        }
    }
    return false;
}

static rnn_status compare_digests(const char *path, uint64_t step, uint64_t digest, bool *is_noted)
{
    uint64_t noted = 0;
    rnn_metrics_log log;
    rnn_status st = read_metrics(&log, path);

    *is_noted = st == RNN_OK && find_digest(&log, step, &noted);
    rnn_metrics_log_free(&log);
    if (*is_noted && noted != digest)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: its parameters have the digest %016" PRIx64
                        ", metrics.jsonl has %016" PRIx64 " for step %" PRIu64,
                        path, digest, noted, step);
    return st;
}

/* -- One checkpoint ---------------------------------------------------------------------------- */

static rnn_status check_file(tally *t, const char *path)
{
    rnn_stored_model stored;
    bool is_noted;
    uint64_t digest;
    rnn_status st;

    RNN_TRY(rnn_stored_model_read(&stored, path));
    digest = rnn_digest(stored.params, rnn_model_size(stored.model) * sizeof *stored.params);
    st = compare_digests(path, stored.progress.step, digest, &is_noted);
    if (st == RNN_OK)
        fprintf(t->out,
                "%s: valid: epoch %" PRIu64 ", step %" PRIu64 ", parameters %016" PRIx64 "%s\n",
                path, stored.progress.epoch + (stored.progress.batch_in_epoch > 0),
                stored.progress.step, digest, is_noted ? ", as in metrics.jsonl" : "");
    rnn_stored_model_free(&stored);
    return st;
}

/* Messages begin with the path. */
static rnn_status verify_file(tally *t, const char *path)
{
    rnn_status st = check_file(t, path);

    t->n_files++;
    if (st == RNN_OK)
        return RNN_OK;
    if (st == RNN_ERR_MEMORY) /* says nothing about the file */
        return st;
    t->n_bad++;
    if (t->first == RNN_OK)
        t->first = st;
    fprintf(t->out, "%s\n", rnn_error_message());
    return RNN_OK;
}

/* -- A folder ---------------------------------------------------------------------------------- */

/* A link is as good as what it points to, which is checked by itself; none is fine. */
static rnn_status verify_link(tally *t, const char *folder, const char *name)
{
    char *path;
    struct stat info;
    rnn_status st = RNN_OK;

    RNN_TRY(rnn_path_print(&path, "%s/%s", folder, name));
    if (lstat(path, &info) == 0 && stat(path, &info) != 0) {
        t->n_files++;
        t->n_bad++;
        if (t->first == RNN_OK)
            t->first = RNN_ERR_DATA;
        fprintf(t->out, "%s: what it points to cannot be opened: %s\n", path, strerror(errno));
    }
    rnn_free(path);
    return st;
}

static rnn_status verify_folder(tally *t, const char *folder)
{
    char **names, *path;
    size_t n;
    rnn_status st;

    RNN_TRY(rnn_checkpoint_list(folder, &names, &n));
    st = n > 0 ? RNN_OK
               : RNN_FAIL(RNN_ERR_NOINPUT, "%s: expected checkpoints (step-*.h5), found none",
                          folder);
    for (size_t i = 0; i < n && st == RNN_OK; i++) {
        st = rnn_path_print(&path, "%s/%s", folder, names[i]);
        if (st == RNN_OK)
            st = verify_file(t, path);
        rnn_free(path);
    }
    for (size_t i = 0; i < n; i++)
        rnn_free(names[i]);
    rnn_free(names);
    RNN_TRY(st);
    RNN_TRY(verify_link(t, folder, "latest.h5"));
    return verify_link(t, folder, "best.h5");
}

rnn_status rnn_verify(const char *const *paths, size_t n_paths, FILE *out)
{
    tally t = {.out = out};
    struct stat info;

    for (size_t i = 0; i < n_paths; i++) {
        bool is_folder = stat(paths[i], &info) == 0 && S_ISDIR(info.st_mode);

        RNN_TRY(is_folder ? verify_folder(&t, paths[i]) : verify_file(&t, paths[i]));
    }
    if (t.first == RNN_OK)
        return RNN_OK;
    return RNN_FAIL(t.first, "%zu of %zu checkpoints %s not valid", t.n_bad, t.n_files,
                    t.n_bad == 1 ? "is" : "are");
}
