#include "datasets/csv_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "datasets/excerpt.h"
#include "kernels/memory.h"

rnn_status rnn_csv_file_fail(const rnn_csv_file *file, const char *format, ...)
{
    char problem[512];
    va_list args;

    va_start(args, format);
    vsnprintf(problem, sizeof problem, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: %s", file->lines.path, file->line, problem);
}

const char *rnn_csv_separator_name(char separator)
{
    return separator == '\t' ? "a tab" : separator == ';' ? "';'" : "','";
}

/* -- The text of a record -----------------------------------------------------------------------*/

static bool has_odd_quotes(const char *text)
{
    size_t n = 0;

    while (text = strchr(text, '"'), text != NULL) {
        n++;
        text++;
    }
    return n % 2 == 1;
}

/* Appends a line to the `used` bytes that have been joined before. */
static rnn_status join(rnn_csv_file *file, size_t *used, const char *line)
{
    size_t n_bytes = strlen(line), needed = *used + n_bytes + 2;

    if (needed > RNN_LINES_MAX)
        return rnn_csv_file_fail(file, "expected a quote that ends the cell within %d bytes",
                                 RNN_LINES_MAX);
    RNN_TRY(RNN_GROW(&file->joined, &file->joined_room, *used, needed, "a record of a CSV file"));
    if (*used > 0)
        file->joined[(*used)++] = '\n';
    memcpy(file->joined + *used, line, n_bytes + 1);
    *used += n_bytes;
    return RNN_OK;
}

/* A quote is open at the end of *text: the record goes on until one closes it. */
static rnn_status join_lines(rnn_csv_file *file, char **text)
{
    size_t used = 0;
    bool is_open = true, is_there;

    RNN_TRY(join(file, &used, *text));
    while (is_open) {
        RNN_TRY(rnn_lines_next(&file->lines, &is_there));
        if (!is_there)
            return rnn_csv_file_fail(
                file, "a quote begins a cell, but none ends it up to the end of the file");
        is_open = !has_odd_quotes(file->lines.text);
        RNN_TRY(join(file, &used, file->lines.text));
    }
    *text = file->joined;
    return RNN_OK;
}

/* Goes to the next line that has something in it. */
static rnn_status skip_empty_lines(rnn_csv_file *file, char **text, bool *is_there)
{
    static const char mark[] = "\xEF\xBB\xBF";

    do {
        RNN_TRY(rnn_lines_next(&file->lines, is_there));
        if (!*is_there)
            return RNN_OK;
        *text = file->lines.text;
        if (file->lines.number == 1 && strncmp(*text, mark, strlen(mark)) == 0)
            *text += strlen(mark);
    } while ((*text)[strspn(*text, " ")] == '\0');
    file->line = file->lines.number;
    return has_odd_quotes(*text) ? join_lines(file, text) : RNN_OK;
}

/* -- Its cells ----------------------------------------------------------------------------------*/

/* The one that occurs most often outside quotes; of equals, what is rarer in texts. */
static char choose_separator(const char *text)
{
    static const char separators[] = "\t;,";
    size_t count[] = {0, 0, 0}, best = 2;
    bool is_quoted = false;

    for (; *text != '\0'; text++) {
        const char *found = strchr(separators, *text);

        is_quoted = is_quoted != (*text == '"');
        if (found != NULL && !is_quoted)
            count[found - separators]++;
    }
    for (size_t i = 3; i-- > 0;)
        if (count[i] >= count[best])
            best = i;
    return count[best] > 0 ? separators[best] : ',';
}

static char *skip_blanks(const rnn_csv_file *file, char *text)
{
    while (*text == ' ' || (*text == '\t' && file->separator != '\t'))
        text++;
    return text;
}

/* Takes the quotes off a cell, in its place; *at goes to what is behind it. */
static rnn_status take_quoted(rnn_csv_file *file, char **at, size_t column)
{
    char *from = *at + 1, *into = *at;

    while (*from != '\0' && (from[0] != '"' || from[1] == '"')) {
        from += *from == '"';
        *into++ = *from++;
    }
    *at = skip_blanks(file, from + (*from == '"'));
    *into = '\0';
    if (**at != '\0' && **at != file->separator)
        return rnn_csv_file_fail(file, "cell %zu: expected %s behind the quotes, found %s",
                                 column + 1, rnn_csv_separator_name(file->separator),
                                 rnn_excerpt_of(*at).text);
    return RNN_OK;
}

static rnn_status take_plain(const rnn_csv_file *file, char **at, size_t column)
{
    const char separators[] = {file->separator, '\0'};
    char *end = *at + strcspn(*at, separators), *last = end;

    while (last > *at && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    for (char *c = *at; c < last; c++)
        if (*c == '"')
            return rnn_csv_file_fail(
                file, "cell %zu: a quote may only stand around a whole cell, found %s", column + 1,
                rnn_excerpt_of(*at).text);
    *at = end;
    if (last < end) /* else the separator is still to be seen */
        *last = '\0';
    return RNN_OK;
}

/* Cuts off the cell that *at begins with and goes to the next; *at is NULL behind the last. */
static rnn_status take_cell(rnn_csv_file *file, char **at, size_t column)
{
    char *cell = skip_blanks(file, *at);

    RNN_TRY(RNN_GROW(&file->cells, &file->cells_room, column, column + 1, "the cells of a record"));
    file->cells[column] = cell;
    *at = cell;
    RNN_TRY(*cell == '"' ? take_quoted(file, at, column) : take_plain(file, at, column));
    if (**at == '\0') {
        *at = NULL;
        return RNN_OK;
    }
    **at = '\0';
    ++*at;
    return RNN_OK;
}

rnn_status rnn_csv_file_next(rnn_csv_file *file, bool *is_there)
{
    char *at = NULL;
    size_t n = 0;

    RNN_TRY(skip_empty_lines(file, &at, is_there));
    if (!*is_there)
        return RNN_OK;
    if (file->separator == '\0')
        file->separator = choose_separator(at);
    while (at != NULL)
        RNN_TRY(take_cell(file, &at, n++));
    if (file->n_columns == 0) {
        file->n_columns = n;
        file->first_line = file->line;
    }
    if (n != file->n_columns)
        return rnn_csv_file_fail(file,
                                 "expected %zu cell%s separated by %s, as in line %zu, found %zu",
                                 file->n_columns, file->n_columns == 1 ? "" : "s",
                                 rnn_csv_separator_name(file->separator), file->first_line, n);
    return RNN_OK;
}

/* -- Opening ------------------------------------------------------------------------------------*/

rnn_status rnn_csv_file_open(rnn_csv_file *file, const char *path)
{
    *file = (rnn_csv_file){0};
    return rnn_lines_open(&file->lines, path);
}

void rnn_csv_file_close(rnn_csv_file *file)
{
    rnn_lines_close(&file->lines);
    rnn_free(file->cells);
    rnn_free(file->joined);
    *file = (rnn_csv_file){0};
}
