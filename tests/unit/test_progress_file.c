/*
 * progress.json: what is written is read, a shorter line leaves nothing of a longer one, and the
 * lock tells a run that was killed from one that is busy.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "framework/file_io.h"
#include "framework/progress_file.h"

static rnn_progress_now some_progress(void)
{
    return (rnn_progress_now){.state = RNN_RUN_FAILED,
                              .message = "a \"long\" message with\n\xc3\xa9 in it",
                              .epoch = 2,
                              .n_epochs = 10,
                              .batch = 3,
                              .n_batches = 7,
                              .step = 17,
                              .total_steps = 70,
                              .train_loss = 0.125,
                              .train_accuracy = (double)NAN,
                              .samples_per_second = 1e6,
                              .epoch_seconds = 2.5,
                              .lr = 1e-3};
}

static void what_is_written_is_read(void **state)
{
    rnn_progress_file *file;
    rnn_progress_now now = some_progress(), read;
    rnn_life life;
    bool is_shared;

    (void)state;
    OK(rnn_progress_open(&file, ".", &is_shared));
    assert_false(is_shared);
    OK(rnn_progress_write(file, &now));
    OK(rnn_progress_read(&read, ".", &life));
    assert_int_equal(read.state, RNN_RUN_FAILED);
    assert_string_equal(read.message, now.message);
    assert_int_equal(read.pid, getpid());
    assert_true(read.updated >= read.started && read.started > 1000000000);
    assert_true(read.epoch == 2 && read.n_epochs == 10 && read.batch == 3 && read.n_batches == 7);
    assert_true(read.step == 17 && read.total_steps == 70 && read.train_loss == 0.125);
    assert_true(isnan(read.train_accuracy) && read.samples_per_second == 1e6);
    assert_true(read.epoch_seconds == 2.5 && read.lr == 1e-3);
    rnn_progress_close(&file);
    assert_null(file);
}

static void a_shorter_line_is_written_over_a_longer_one(void **state)
{
    rnn_progress_file *file;
    rnn_progress_now now = some_progress(), read;
    rnn_life life;
    bool is_shared;

    (void)state;
    OK(rnn_progress_open(&file, ".", &is_shared));
    OK(rnn_progress_write(file, &now));
    rnn_progress_close(&file);
    OK(rnn_progress_open(&file, ".", &is_shared)); /* as a run does that goes on */
    now.message[0] = '\0';
    now.state = RNN_RUN_DONE;
    OK(rnn_progress_write(file, &now));
    OK(rnn_progress_read(&read, ".", &life));
    assert_int_equal(read.state, RNN_RUN_DONE);
    assert_string_equal(read.message, "");
    rnn_progress_close(&file);
}

/* Writes once and waits to be killed. */
static pid_t start_writer(void)
{
    int ready[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rnn_progress_file *file;
        rnn_progress_now now = {.state = RNN_RUN_TRAINS};
        bool is_shared;

        if (rnn_progress_open(&file, ".", &is_shared) == RNN_OK && !is_shared &&
            rnn_progress_write(file, &now) == RNN_OK && write(ready[1], "!", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void the_lock_tells_who_lives(void **state)
{
    rnn_progress_file *file;
    rnn_progress_now read;
    rnn_life life;
    bool is_shared;
    pid_t writer = start_writer();

    (void)state;
    OK(rnn_progress_read(&read, ".", &life));
    assert_int_equal(life, RNN_LIFE_LIVES);
    assert_int_equal(read.pid, writer);
    OK(rnn_progress_open(&file, ".", &is_shared));
    assert_true(is_shared);
    rnn_progress_close(&file);
    assert_int_equal(kill(writer, SIGKILL), 0);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    OK(rnn_progress_read(&read, ".", &life));
    assert_int_equal(life, RNN_LIFE_ENDED);
    assert_int_equal(read.state, RNN_RUN_TRAINS); /* its last word */
}

static void other_files_are_refused(void **state)
{
    rnn_progress_file *file;
    rnn_progress_now now;
    rnn_life life;
    bool is_shared;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_progress_read(&now, "absent", &life),
                   "'absent/progress.json'");
    assert_refused(RNN_ERR_IO, rnn_progress_open(&file, "absent", &is_shared),
                   "'absent/progress.json'");
    OK(rnn_file_write("progress.json", "{\"state\": \"asleep\"}\n", 20));
    assert_refused(RNN_ERR_DATA, rnn_progress_read(&now, ".", &life), "no state");
    OK(rnn_file_write("progress.json", "{\"state\": \"do", 13));
    assert_refused(RNN_ERR_DATA, rnn_progress_read(&now, ".", &life), "column 14");
    assert_int_equal(remove("progress.json"), 0);
    assert_int_equal(mkfifo("progress.json", 0666), 0);
    assert_refused(RNN_ERR_IO, rnn_progress_open(&file, ".", &is_shared), "a regular file");
    assert_refused(RNN_ERR_NOINPUT, rnn_progress_read(&now, ".", &life), "a regular file");
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_written_is_read),
        IN_FOLDER(a_shorter_line_is_written_over_a_longer_one),
        IN_FOLDER(the_lock_tells_who_lives),
        IN_FOLDER(other_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
