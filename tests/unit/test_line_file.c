#include "tests/unit/temporary_folder.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "framework/file_io.h"
#include "framework/line_file.h"
#include "kernels/memory.h"

static rnn_status put(rnn_line_file *file, const char *text)
{
    FILE *line = rnn_line_file_begin(file);

    assert_non_null(line);
    fprintf(line, "%s\n", text);
    return rnn_line_file_end(file);
}

static void assert_content(const char *path, const char *expected)
{
    void *bytes;
    size_t n_bytes;

    assert_int_equal(rnn_file_read(path, 1 << 16, &bytes, &n_bytes), RNN_OK);
    assert_string_equal(bytes, expected);
    rnn_free(bytes);
}

static void limit_files_to(rlim_t n_bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = n_bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lines_are_appended(void **state)
{
    rnn_line_file *file;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rnn_line_file_open(&file, "lines"), RNN_OK);
        assert_int_equal(put(file, "one"), RNN_OK);
        assert_int_equal(put(file, "two"), RNN_OK);
        rnn_line_file_close(&file);
        assert_null(file);
    }
    assert_content("lines", "one\ntwo\none\ntwo\n");
}

static void no_half_line_stays(void **state)
{
    rnn_line_file *file;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(rnn_line_file_open(&file, "lines"), RNN_OK);
    assert_int_equal(put(file, "one"), RNN_OK);
    limit_files_to(8);
    assert_refused(RNN_ERR_IO, put(file, "too long"), "cannot write 'lines': File too large");
    assert_content("lines", "one\n");
    limit_files_to(RLIM_INFINITY);
    assert_int_equal(put(file, "three"), RNN_OK);
    rnn_line_file_close(&file);
    assert_content("lines", "one\nthree\n");
}

static void what_takes_no_lines_is_refused(void **state)
{
    rnn_line_file *file;

    (void)state;
    assert_refused(RNN_ERR_IO, rnn_line_file_open(&file, "absent/lines"), "'absent/lines'");
    assert_null(file);
    assert_refused(RNN_ERR_IO, rnn_line_file_open(&file, "."), "'.'");
    assert_int_equal(mkfifo("fifo", 0666), 0);
    assert_refused(RNN_ERR_IO, rnn_line_file_open(&file, "fifo"), "'fifo'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(lines_are_appended),
        IN_FOLDER(no_half_line_stays),
        IN_FOLDER(what_takes_no_lines_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
