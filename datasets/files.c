#include "datasets/files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/memory.h"

/* -- Text of bounded size -----------------------------------------------------------------------*/

typedef struct text {
    char bytes[PATH_MAX];
    size_t length;
    bool is_full; /* something did not fit */
} text;

static void append(text *into, const char *format, ...) RNN_PRINTF_FORMAT(2, 3);

static void append(text *into, const char *format, ...)
{
    size_t space = sizeof into->bytes - into->length;
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(into->bytes + into->length, space, format, args);
    va_end(args);
    into->is_full = into->is_full || wanted < 0 || (size_t)wanted >= space;
    into->length = strlen(into->bytes);
}

/* -- Finding the folder -------------------------------------------------------------------------*/

/* Appends the value of the variable NAME that `name` begins with; returns what follows NAME. */
static const char *append_variable(text *into, const char *name, text *unset)
{
    size_t length = 0;
    char *value;
    text variable = {0};

    while (isalnum((unsigned char)name[length]) || name[length] == '_')
        length++;
    append(&variable, "%.*s", (int)length, name);
    value = getenv(variable.bytes);
    if (value != NULL && value[0] != '\0')
        append(into, "%s", value);
    else
        *unset = variable;
    return name + length;
}

/* Expands "~" and "$NAME". `unset` gets the name of a variable that has no value, else "". */
static text expand(const char *pattern, text *unset)
{
    text folder = {0};

    *unset = (text){0};
    if (pattern[0] == '~' && (pattern[1] == '/' || pattern[1] == '\0')) {
        append_variable(&folder, "HOME", unset);
        pattern++;
    }
    while (*pattern != '\0') {
        if (pattern[0] == '$' && (isalpha((unsigned char)pattern[1]) || pattern[1] == '_'))
            pattern = append_variable(&folder, pattern + 1, unset);
        else
            append(&folder, "%c", *pattern++);
    }
    return folder;
}

/* Finds folder/name or, if that will do, folder/name.gz. */
static bool find_file(text *path, const rnn_files *files, const char *folder, const char *name)
{
    static const char *const suffixes[] = {"", ".gz"};
    struct stat info;

    for (size_t i = 0; i < (files->may_be_gzip ? 2 : 1); i++) {
        *path = (text){0};
        append(path, "%s/%s%s", folder, name, suffixes[i]);
        if (!path->is_full && stat(path->bytes, &info) == 0)
            return true;
    }
    return false;
}

static const char *or_compressed(const rnn_files *files)
{
    return files->may_be_gzip ? " (with or without .gz)" : "";
}

/* Whether `folder` holds all files; some but not all is an error. */
static rnn_status has_files(bool *all, const char *folder, const rnn_files *files)
{
    text missing = {0}, path;
    size_t n_found = 0;

    for (size_t i = 0; i < files->n_names; i++) {
        if (find_file(&path, files, folder, files->names[i]))
            n_found++;
        else
            append(&missing, " %s", files->names[i]);
    }
    *all = n_found == files->n_names;
    if (n_found > 0 && !*all)
        return RNN_FAIL(RNN_ERR_NOINPUT,
                        "dataset folder '%s' is incomplete: found %zu of %zu files, missing%s:%s",
                        folder, n_found, files->n_names, or_compressed(files), missing.bytes);
    return RNN_OK;
}

rnn_status rnn_files_find(char **out, const rnn_files *files)
{
    text tried = {0}, folder, unset;
    bool found;

    *out = NULL;
    for (size_t i = 0; i < files->n_search; i++) {
        folder = expand(files->search[i], &unset);
        if (unset.length > 0) {
            append(&tried, "; '%s' ($%s is not set)", files->search[i], unset.bytes);
            continue;
        }
        RNN_TRY(has_files(&found, folder.bytes, files));
        if (found)
            return rnn_string_copy(out, folder.bytes);
        append(&tried, "; '%s'", folder.bytes);
    }
    return RNN_FAIL(
        RNN_ERR_NOINPUT, "no folder has the dataset's files (%s%s%s); looked in: %s%s",
        files->names[0], files->n_names > 1 ? " ..." : "", or_compressed(files),
        tried.length > 0 ? tried.bytes + 2 : "no folder at all",
        strstr(tried.bytes, "/.cache/rnntrain/") != NULL
            ? " (launch/fetch, installed as rnntrain-fetch, downloads what recipes take)"
            : "");
}

rnn_status rnn_files_locate(char **out, const rnn_files *files, const char *folder, size_t i)
{
    text path;

    *out = NULL;
    if (!find_file(&path, files, folder, files->names[i]))
        return RNN_FAIL(RNN_ERR_NOINPUT, "'%s' has vanished from '%s'", files->names[i], folder);
    return rnn_string_copy(out, path.bytes);
}

/* -- Opening ------------------------------------------------------------------------------------*/

rnn_status rnn_files_open(int *fd, const char *path)
{
    struct stat info;

    *fd = -1;
    if (stat(path, &info) != 0)
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot read '%s': expected a regular file, found a %s",
                        path, S_ISDIR(info.st_mode) ? "folder" : "device, pipe or socket");
    /* Not blocking: a pipe may have taken the file's place since. */
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return RNN_FAIL(RNN_ERR_NOINPUT, "cannot open '%s': %s", path, strerror(errno));
    return RNN_OK;
}
