/*
 * A folder for each test, which is also the current one: fixtures for cmocka, and what tests of
 * files ask most often.
 */
#ifndef RNN_TESTS_UNIT_TEMPORARY_FOLDER_H
#define RNN_TESTS_UNIT_TEMPORARY_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/status.h"

static inline int remove_entry(const char *path, const struct stat *info, int type,
                               struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int enter_folder(void **state)
{
    char *folder = strdup("/tmp/rnntrain-test-XXXXXX");

    *state = folder;
    return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static inline int leave_folder(void **state)
{
    int failed = chdir("/") != 0 || nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0;

    free(*state);
    return failed;
}

/* Fails with the message of what failed. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != RNN_OK)                                                                      \
            fail_msg("%s", rnn_error_message());                                                   \
    } while (0)

/* The status, and a word that its message must have. */
static inline void assert_refused(rnn_status expected, rnn_status found, const char *word)
{
    assert_int_equal(found, expected);
    if (strstr(rnn_error_message(), word) == NULL)
        fail_msg("'%s' is not in \"%s\"", word, rnn_error_message());
}

static inline int is_visible_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Files, links and folders in a folder, hidden ones included. */
static inline int count_entries(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible_entry, NULL);

    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    return count;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

#endif
