/* The runs that are drawn: reading them, and names that tell them apart. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/plot_panels.h"
#include "framework/plot_text.h"
#include "kernels/memory.h"

enum { LONGEST_NAME = 48 }; /* and its end */

/* -- Names ------------------------------------------------------------------------------------- */

/* The last `n_parts` parts of a path. */
static const char *path_end(const char *path, size_t n_parts)
{
    const char *begin = path + strlen(path);

    while (begin > path && (begin[-1] != '/' || --n_parts > 0))
        begin--;
    return begin;
}

/* As few parts as make every name another one; a run that is given twice keeps its number. */
static void name_runs(rnn_plot_run *runs, char (*paths)[PATH_MAX], size_t n_runs)
{
    size_t n_parts = 1;

    for (bool differ = false; !differ && n_parts < 16; n_parts += !differ) {
        differ = true;
        for (size_t i = 0; i < n_runs; i++)
            for (size_t k = 0; k < i; k++)
                if (strcmp(path_end(paths[i], n_parts), path_end(paths[k], n_parts)) == 0 &&
                    strcmp(paths[i], paths[k]) != 0)
                    differ = false;
    }
    for (size_t i = 0; i < n_runs; i++)
        rnn_text_make_printable(runs[i].name, LONGEST_NAME, path_end(paths[i], n_parts));
    for (size_t i = 0; i < n_runs; i++) {
        size_t n_before = 0;

        for (size_t k = 0; k < i; k++)
            n_before += strcmp(paths[i], paths[k]) == 0;
        if (n_before > 0)
            snprintf(runs[i].name + strlen(runs[i].name), RNN_PLOT_NAME_SIZE - strlen(runs[i].name),
                     " (%zu)", n_before + 1);
    }
}

/* -- Reading ----------------------------------------------------------------------------------- */

static rnn_status read_run(rnn_plot_run *run, const char *path)
{
    RNN_TRY(rnn_metrics_find(path, &run->folder, &run->file));
    RNN_TRY(rnn_metrics_log_read(&run->log, run->file));
    if (run->log.n_epochs == 0)
        return RNN_FAIL(RNN_ERR_DATA, "%s: expected an epoch's numbers, found %s%s", run->file,
                        run->log.n_bad > 0     ? run->log.first_bad
                        : run->log.n_lines > 0 ? "other events only"
                                               : "no whole line",
                        run->log.n_bad > 0 ? "" : " (is the first epoch still running?)");
    if (run->log.n_bad > 0)
        fprintf(stderr, "rnntrain: %s: %zu of %zu lines left out; %s\n", run->file, run->log.n_bad,
                run->log.n_lines + run->log.n_bad, run->log.first_bad);
    return RNN_OK;
}

/* A run is called like its folder, a copy of its file like the file. */
static void name_of(const rnn_plot_run *run, char path[PATH_MAX])
{
    const char *named =
        strcmp(path_end(run->file, 1), "metrics.jsonl") == 0 ? run->folder : run->file;

    if (realpath(named, path) == NULL)
        snprintf(path, PATH_MAX, "%s", named);
}

rnn_status rnn_plot_read_runs(rnn_plot_run *runs, const char *const *paths, size_t n_runs)
{
    char(*real)[PATH_MAX];
    rnn_status st;

    memset(runs, 0, n_runs * sizeof *runs);
    RNN_TRY(RNN_ALLOC(&real, n_runs, "paths of runs"));
    for (size_t i = 0; i < n_runs; i++) {
        RNN_TRY_GOTO(st, read_run(&runs[i], paths[i]), done);
        name_of(&runs[i], real[i]);
    }
    name_runs(runs, real, n_runs);
    st = RNN_OK;
done:
    rnn_free(real);
    return st;
}

void rnn_plot_free_runs(rnn_plot_run *runs, size_t n_runs)
{
    for (size_t i = 0; i < n_runs; i++) {
        rnn_free(runs[i].folder);
        rnn_free(runs[i].file);
        rnn_metrics_log_free(&runs[i].log);
    }
}
