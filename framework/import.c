#include <inttypes.h>
#include <string.h>

#include "framework/file_io.h"
#include "framework/optimizer_share.h"
#include "framework/state_dict.h"
#include "framework/trainer.h"
#include "framework/trainer_parts.h"
#include "kernels/memory.h"

/* The next start must take up the import, and must not lose a run by it. */
static rnn_status check_folder(const rnn_config *c)
{
    char *path;

    if (strcmp(c->run.resume, "never") == 0)
        return RNN_OK;
    if (strcmp(c->run.resume, "auto") != 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "cannot import: run.resume is \"%s\", so that the run would start from "
                        "there; expected \"auto\", or \"never\" for this once",
                        c->run.resume);
    RNN_TRY(rnn_checkpoint_find(c->run.output_dir, &path, NULL, NULL));
    if (path == NULL)
        return RNN_OK;
    rnn_free(path);
    return RNN_FAIL(RNN_ERR_DATA,
                    "cannot import: %s has checkpoints already (another run.output_dir avoids "
                    "them, run.resume = \"never\" sets them aside)",
                    c->run.output_dir);
}

/* Rank 0. */
static rnn_status write_import(rnn_trainer *t, const char *weights, char **path)
{
    const rnn_config *c = t->run->config;

    RNN_TRY(check_folder(c));
    RNN_TRY(rnn_state_dict_read(weights, t->run->model, t->run->params));
    RNN_TRY(rnn_folder_create(c->run.output_dir));
    if (strcmp(c->run.resume, "never") == 0)
        RNN_TRY(rnn_trainer_set_aside(t));
    return rnn_trainer_write_files(t, false, path);
}

rnn_status rnn_import(rnn_run *run, const char *weights)
{
    rnn_trainer t = rnn_trainer_begin(run);
    char *path = NULL;
    rnn_status st;

    RNN_TRY(rnn_comm_agree(run->comm, rnn_report_create(&t.report, run)));
    RNN_TRY_GOTO(st, rnn_share_gather(run, &t.whole), done);
    st = rnn_trainer_is_first(&t) ? write_import(&t, weights, &path) : RNN_OK;
    rnn_optimizer_destroy(&t.whole);
    st = rnn_comm_agree(run->comm, st);
    if (st == RNN_OK) {
        rnn_report_line(t.report, "import", "%s as %s", weights, path != NULL ? path : "");
        rnn_report_line(t.report, "digest", "%016" PRIx64, rnn_run_digest(run));
    }
done:
    rnn_free(path);
    rnn_report_destroy(&t.report);
    return st;
}
