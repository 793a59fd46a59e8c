#include "datasets/csv_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/csv_file.h"
#include "datasets/excerpt.h"
#include "kernels/memory.h"

bool rnn_csv_is_missing(const char *cell)
{
    static const char *const marks[] = {"", "NA", "NaN", "nan", "null", "?"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcmp(cell, marks[i]) == 0)
            return true;
    return false;
}

/* -- Reading ------------------------------------------------------------------------------------*/

static rnn_csv_kind kind_of(const rnn_number_reader *numbers, const char *cell)
{
    double ignored;

    if (rnn_csv_is_missing(cell))
        return RNN_CSV_MISSING;
    return rnn_number_read(&ignored, numbers, cell) ? RNN_CSV_NUMBER : RNN_CSV_TEXT;
}

/* The first record, of which it is not known yet what it is. */
static rnn_status take_first(rnn_csv_layout *layout, const rnn_csv_file *file)
{
    layout->n_columns = file->n_columns;
    layout->first_line = file->line;
    layout->separator = file->separator;
    RNN_TRY(RNN_ALLOC(&layout->kinds, layout->n_columns, "the columns of a CSV file"));
    RNN_TRY(RNN_ALLOC(&layout->names, layout->n_columns, "the columns of a CSV file"));
    for (size_t i = 0; i < layout->n_columns; i++)
        RNN_TRY(rnn_string_copy(&layout->names[i], file->cells[i]));
    return RNN_OK;
}

/* Settles the kinds of columns that have had no value so far; *n_open are left. */
static void settle(rnn_csv_layout *layout, const rnn_number_reader *numbers,
                   const rnn_csv_file *file, size_t *n_open)
{
    *n_open = 0;
    for (size_t i = 0; i < layout->n_columns; i++) {
        if (layout->kinds[i] == RNN_CSV_MISSING)
            layout->kinds[i] = kind_of(numbers, file->cells[i]);
        *n_open += layout->kinds[i] == RNN_CSV_MISSING;
    }
}

/* Whether the first record has names; the kinds are those of the records behind it. */
static bool is_header(const rnn_csv_layout *layout, const rnn_number_reader *numbers)
{
    size_t n_texts = 0, n_numbers = 0;
    bool is_above_number = false;

    for (size_t i = 0; i < layout->n_columns; i++) {
        rnn_csv_kind kind = kind_of(numbers, layout->names[i]);

        n_texts += kind == RNN_CSV_TEXT;
        n_numbers += kind == RNN_CSV_NUMBER;
        is_above_number =
            is_above_number || (kind == RNN_CSV_TEXT && layout->kinds[i] == RNN_CSV_NUMBER);
    }
    return n_texts > 0 && (n_numbers == 0 || is_above_number);
}

static rnn_status read_records(rnn_csv_layout *layout, const rnn_number_reader *numbers,
                               rnn_csv_file *file)
{
    bool is_there, has_second;
    size_t n_open = 1;

    RNN_TRY(rnn_csv_file_next(file, &is_there));
    if (!is_there)
        return RNN_FAIL(RNN_ERR_DATA, "%s: expected rows of cells, found none", layout->path);
    RNN_TRY(take_first(layout, file));
    RNN_TRY(rnn_csv_file_next(file, &has_second));
    for (is_there = has_second; is_there;) {
        settle(layout, numbers, file, &n_open);
        if (n_open == 0)
            break;
        RNN_TRY(rnn_csv_file_next(file, &is_there));
    }
    layout->has_names = is_header(layout, numbers);
    if (layout->has_names && !has_second)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s:%zu: expected rows behind the names of columns, found the "
                        "end of the file",
                        layout->path, layout->first_line);
    for (size_t i = 0; !layout->has_names && i < layout->n_columns; i++) {
        rnn_csv_kind kind = kind_of(numbers, layout->names[i]);

        layout->kinds[i] = kind != RNN_CSV_MISSING ? kind : layout->kinds[i];
    }
    return RNN_OK;
}

rnn_status rnn_csv_layout_read(rnn_csv_layout *layout, const char *path)
{
    rnn_number_reader numbers = {0};
    rnn_csv_file file = {0};
    rnn_status st;

    *layout = (rnn_csv_layout){.path = path};
    RNN_TRY_GOTO(st, rnn_number_reader_open(&numbers), done);
    RNN_TRY_GOTO(st, rnn_csv_file_open(&file, path), done);
    st = read_records(layout, &numbers, &file);
done:
    rnn_csv_file_close(&file);
    rnn_number_reader_close(&numbers);
    if (st != RNN_OK)
        rnn_csv_layout_free(layout);
    return st;
}

void rnn_csv_layout_free(rnn_csv_layout *layout)
{
    for (size_t i = 0; layout->names != NULL && i < layout->n_columns; i++)
        rnn_free(layout->names[i]);
    rnn_free(layout->names);
    rnn_free(layout->kinds);
    *layout = (rnn_csv_layout){0};
}

/* -- Finding ------------------------------------------------------------------------------------*/

static size_t next_named(const rnn_csv_layout *layout, size_t first, const char *name)
{
    while (first < layout->n_columns && strcmp(layout->names[first], name) != 0)
        first++;
    return first;
}

rnn_status rnn_csv_layout_find(size_t *column, const rnn_csv_layout *layout, const char *name)
{
    enum { MAX_DIGITS = 9 };
    size_t n = layout->n_columns, number, again;

    *column = layout->has_names ? next_named(layout, 0, name) : n;
    if (*column < n) {
        again = next_named(layout, *column + 1, name);
        if (again < n)
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s:%zu: columns %zu and %zu are both named %s: ask for one by its "
                            "number",
                            layout->path, layout->first_line, *column + 1, again + 1,
                            rnn_excerpt_of(name).text);
        return RNN_OK;
    }
    if (name[0] == '\0' || name[strspn(name, "0123456789")] != '\0' || strlen(name) > MAX_DIGITS)
        return RNN_OK;
    number = strtoul(name, NULL, 10);
    if (number >= 1 && number <= n)
        *column = number - 1;
    return RNN_OK;
}

rnn_status rnn_csv_layout_lacks(const rnn_csv_layout *layout, const char *key, const char *name)
{
    char known[320] = "";

    if (!layout->has_names)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: dataset.%s: expected the number of a column from 1 to %zu, since the "
                        "file has no names for them, found %s",
                        layout->path, key, layout->n_columns, rnn_excerpt_of(name).text);
    for (size_t i = 0; i < layout->n_columns; i++) {
        size_t used = strlen(known);

        if (used > sizeof known - sizeof(rnn_excerpt) - 8) {
            snprintf(known + used, sizeof known - used, ", ...");
            break;
        }
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                 rnn_excerpt_of(layout->names[i]).text);
    }
    return RNN_FAIL(RNN_ERR_DATA, "%s:%zu: dataset.%s: expected a column out of %s, found %s",
                    layout->path, layout->first_line, key, known, rnn_excerpt_of(name).text);
}
