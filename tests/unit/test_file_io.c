#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "kernels/memory.h"
#include "tests/unit/temporary_folder.h"

enum { ANY_SIZE = 1 << 20 };

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *text)
{
    void *bytes;
    size_t n_bytes;

    assert_int_equal(rnn_file_read(path, ANY_SIZE, &bytes, &n_bytes), RNN_OK);
    assert_int_equal(n_bytes, strlen(text));
    assert_string_equal(bytes, text);
    rnn_free(bytes);
}

/* -- Writing and reading ------------------------------------------------------------------------
 */

static void a_written_file_reads_back(void **state)
{
    static const char bytes[] = {'a', 0, '\n', (char)0xFF, 0};
    char *text = NULL;
    size_t n_bytes = 0;

    (void)state;
    assert_int_equal(rnn_file_write("file", bytes, sizeof bytes), RNN_OK);
    assert_int_equal(rnn_file_read("./file", sizeof bytes, (void **)&text, &n_bytes), RNN_OK);
    assert_int_equal(n_bytes, sizeof bytes);
    assert_memory_equal(text, bytes, sizeof bytes);
    assert_int_equal(text[n_bytes], 0);
    assert_int_equal(count_entries("."), 1);
    rnn_free(text);
}

static void an_empty_file_is_a_file(void **state)
{
    (void)state;
    assert_int_equal(rnn_file_write("empty", NULL, 0), RNN_OK);
    assert_holds("empty", "");
}

static void writing_replaces_what_was_there(void **state)
{
    (void)state;
    put("file", "a longer old text");
    assert_int_equal(rnn_file_write("file", "new", 3), RNN_OK);
    assert_holds("file", "new");
}

static void writing_replaces_a_link_and_not_its_target(void **state)
{
    (void)state;
    put("target", "old");
    assert_int_equal(rnn_file_link("link", "target"), RNN_OK);
    assert_int_equal(rnn_file_write("link", "new", 3), RNN_OK);
    assert_holds("target", "old");
    assert_holds("link", "new");
}

static void writing_is_not_stopped_by_a_dead_namesake(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof name, ".file.tmp-%ld", (long)getpid());
    put(name, "half a fi");
    assert_int_equal(rnn_file_write("file", "whole", 5), RNN_OK);
    assert_holds("file", "whole");
    assert_int_equal(count_entries("."), 1);
}

static void writing_into_a_missing_folder_fails(void **state)
{
    (void)state;
    assert_refused(RNN_ERR_IO, rnn_file_write("missing/file", "x", 1), "missing/");
}

static void writing_over_a_folder_fails_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0777), 0);
    assert_refused(RNN_ERR_IO, rnn_file_write("folder", "x", 1), "'folder'");
    assert_int_equal(count_entries("."), 1);
    assert_int_equal(count_entries("folder"), 0);
}

/* As over a device, which takes a superuser to make. */
static void writing_over_a_socket_fails_and_leaves_it(void **state)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stat info;

    (void)state;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_refused(RNN_ERR_IO, rnn_file_write("socket", "x", 1),
                   "'socket': expected a file, found a device or socket");
    assert_int_equal(stat("socket", &info), 0);
    assert_true(S_ISSOCK(info.st_mode));
    assert_int_equal(count_entries("."), 1);
    close(fd);
}

/* A limit on file size stands for a full disk: some bytes go through, then write fails. */
static void a_failing_write_keeps_the_old_file(void **state)
{
    static char big[100000];
    struct rlimit old, low;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    rnn_status st;

    (void)state;
    put("file", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = sizeof big / 2;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    st = rnn_file_write("file", big, sizeof big);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_refused(RNN_ERR_IO, st, strerror(EFBIG));
    assert_holds("file", "old");
    assert_int_equal(count_entries("."), 1);
}

static void reading_a_file_that_is_too_large_fails(void **state)
{
    void *bytes;
    size_t n_bytes;

    (void)state;
    put("file", "12345");
    assert_int_equal(rnn_file_read("file", 5, &bytes, &n_bytes), RNN_OK);
    rnn_free(bytes);
    assert_refused(RNN_ERR_DATA, rnn_file_read("file", 4, &bytes, &n_bytes), "at most 4");
    assert_null(bytes);
}

/* A FIFO without a writer would block a careless reader for ever. */
static void only_regular_files_are_read(void **state)
{
    void *bytes;
    size_t n_bytes;

    (void)state;
    assert_int_equal(mkfifo("fifo", 0666), 0);
    assert_refused(RNN_ERR_NOINPUT, rnn_file_read("fifo", ANY_SIZE, &bytes, &n_bytes), "regular");
    assert_refused(RNN_ERR_NOINPUT, rnn_file_read(".", ANY_SIZE, &bytes, &n_bytes), "regular");
    assert_refused(RNN_ERR_NOINPUT, rnn_file_read("none", ANY_SIZE, &bytes, &n_bytes), "'none'");
    assert_null(bytes);
}

static void a_link_is_relative_and_replaced(void **state)
{
    char target[16] = "";

    (void)state;
    assert_int_equal(mkdir("folder", 0777), 0);
    put("folder/one", "1");
    put("folder/two", "2");
    assert_int_equal(rnn_file_link("folder/link", "one"), RNN_OK);
    assert_holds("folder/link", "1");
    assert_int_equal(rnn_file_link("folder/link", "two"), RNN_OK);
    assert_holds("folder/link", "2");
    assert_int_equal(readlink("folder/link", target, sizeof target - 1), 3);
    assert_string_equal(target, "two");
    assert_int_equal(count_entries("folder"), 3);
    assert_refused(RNN_ERR_IO, rnn_file_link("none/link", "two"), "none/");
}

/* -- Folders ------------------------------------------------------------------------------------
 */

static void a_folder_is_created_with_its_parents(void **state)
{
    (void)state;
    assert_int_equal(rnn_folder_create("a//b/c/"), RNN_OK);
    assert_int_equal(rnn_folder_create("a/b/c"), RNN_OK);
    assert_int_equal(rnn_folder_create("."), RNN_OK);
    assert_int_equal(count_entries("a/b"), 1);
    assert_int_equal(count_entries("a/b/c"), 0);
}

static void a_folder_that_takes_no_files_is_refused(void **state)
{
    (void)state;
    put("file", "");
    assert_refused(RNN_ERR_IO, rnn_folder_create("file"), "'file'");
    assert_refused(RNN_ERR_IO, rnn_folder_create("file/folder"), "file");
    assert_refused(RNN_ERR_IO, rnn_folder_create(""), "create the folder");
}

/* Not even root creates files in /proc. */
static void a_folder_closed_to_all_is_refused(void **state)
{
    (void)state;
    if (access("/proc/self", F_OK) != 0)
        skip();
    assert_refused(RNN_ERR_IO, rnn_folder_create("/proc"), "create files in the folder");
    assert_refused(RNN_ERR_IO, rnn_file_write("/proc/file", "x", 1), "/proc/");
}

/* A process id that was in use a moment ago and is not now. */
static pid_t dead_process(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void leftovers_of_dead_processes_are_removed(void **state)
{
    static const char *const kept[] = {"file.tmp-99",          ".tmp-99",       ".file.tmp-",
                                       ".file.tmp-99x",        ".file.tmp--99", ".file.tmp-0",
                                       ".file.tmp-99999999999"};
    enum { N_KEPT = sizeof kept / sizeof *kept };
    char name[64];

    (void)state;
    for (size_t i = 0; i < N_KEPT; i++)
        put(kept[i], "");
    snprintf(name, sizeof name, ".file.tmp-%ld", (long)dead_process());
    put(name, "");
    snprintf(name, sizeof name, ".link.tmp-7.tmp-%ld", (long)getpid());
    assert_int_equal(symlink("nowhere", name), 0);
    assert_int_equal(count_entries("."), N_KEPT + 2);
    rnn_folder_remove_leftovers(".");
    assert_int_equal(count_entries("."), N_KEPT);
    for (size_t i = 0; i < N_KEPT; i++)
        assert_int_equal(access(kept[i], F_OK), 0);
    rnn_folder_remove_leftovers("no-such-folder");
}

static void a_running_process_keeps_its_temporary_file(void **state)
{
    char name[64];
    int still_there, ended;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(name, sizeof name, ".file.tmp-%ld", (long)child);
    put(name, "");
    rnn_folder_remove_leftovers(".");
    still_there = access(name, F_OK) == 0;
    ended = kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child;
    assert_true(still_there);
    assert_true(ended);
    rnn_folder_remove_leftovers(".");
    assert_int_equal(access(name, F_OK), -1);
}

/* Its parent has not asked for its status yet. */
static void a_process_that_has_ended_keeps_nothing(void **state)
{
    char name[64];
    siginfo_t info;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(kill(child, 0), 0);
    snprintf(name, sizeof name, ".file.tmp-%ld", (long)child);
    put(name, "");
    rnn_folder_remove_leftovers(".");
    assert_int_equal(access(name, F_OK), -1);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_path_is_printed_whole(void **state)
{
    char *path, *folder;

    (void)state;
    assert_int_equal(rnn_path_print(&folder, "%0500d", 7), RNN_OK);
    assert_int_equal(rnn_path_print(&path, "%s/%s-%d", folder, "file", 3), RNN_OK);
    assert_int_equal(strlen(path), 507);
    assert_string_equal(path + 498, "07/file-3");
    rnn_free(path);
    rnn_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_written_file_reads_back),
        IN_FOLDER(an_empty_file_is_a_file),
        IN_FOLDER(writing_replaces_what_was_there),
        IN_FOLDER(writing_replaces_a_link_and_not_its_target),
        IN_FOLDER(writing_is_not_stopped_by_a_dead_namesake),
        IN_FOLDER(writing_into_a_missing_folder_fails),
        IN_FOLDER(writing_over_a_folder_fails_and_leaves_nothing),
        IN_FOLDER(writing_over_a_socket_fails_and_leaves_it),
        IN_FOLDER(a_failing_write_keeps_the_old_file),
        IN_FOLDER(reading_a_file_that_is_too_large_fails),
        IN_FOLDER(only_regular_files_are_read),
        IN_FOLDER(a_link_is_relative_and_replaced),
        IN_FOLDER(a_folder_is_created_with_its_parents),
        IN_FOLDER(a_folder_that_takes_no_files_is_refused),
        IN_FOLDER(a_folder_closed_to_all_is_refused),
        IN_FOLDER(leftovers_of_dead_processes_are_removed),
        IN_FOLDER(a_running_process_keeps_its_temporary_file),
        IN_FOLDER(a_process_that_has_ended_keeps_nothing),
        cmocka_unit_test(a_path_is_printed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
