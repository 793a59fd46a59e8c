#include "datasets/csv_table.h"

#include <math.h>
#include <string.h>

#include "datasets/csv_file.h"
#include "datasets/excerpt.h"
#include "datasets/number.h"
#include "kernels/memory.h"

enum { ABSENT = -1 };

/* A file being read. */
typedef struct parser {
    rnn_csv_file file;
    rnn_number_reader numbers;
    const rnn_csv_columns *columns;
    const rnn_csv_layout *layout;
    const rnn_dataset_cfg *cfg;
    rnn_csv_table *table;
    rnn_class_names *classes;
    ptrdiff_t *places; /* [n_stored] where the stored columns are in this file; ABSENT */
    ptrdiff_t label;
} parser;

/* -- Where the columns are ----------------------------------------------------------------------*/

/* A column of the first file in this one; n_columns if it is not there. */
static rnn_status look_for(size_t *number, const parser *p, const rnn_csv_column *column)
{
    const rnn_csv_layout *layout = p->layout;
    size_t same = column->number;

    *number = same < layout->n_columns ? same : layout->n_columns;
    if (column->name == NULL && !layout->has_names)
        return RNN_OK;
    if (column->name == NULL || !layout->has_names)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s:%zu: expected %s, as in the dataset's first file, found %s",
                        layout->path, layout->first_line,
                        column->name != NULL ? "the names of columns" : "values",
                        column->name != NULL ? "values" : "the names of columns");
    /* Not by its name alone: the first file may have asked by number since there are two. */
    if (same < layout->n_columns && strcmp(layout->names[same], column->name) == 0)
        return RNN_OK;
    *number = layout->n_columns;
    for (size_t i = 0; i < layout->n_columns && *number == layout->n_columns; i++)
        if (strcmp(layout->names[i], column->name) == 0)
            *number = i;
    return RNN_OK;
}

static rnn_status locate(ptrdiff_t *place, const parser *p, const rnn_csv_column *column)
{
    rnn_excerpt title = rnn_csv_column_title(column);
    size_t number;

    RNN_TRY(look_for(&number, p, column));
    *place = number < p->layout->n_columns ? (ptrdiff_t)number : ABSENT;
    if (*place != ABSENT)
        return RNN_OK;
    if (column->is_input || !p->cfg->needs_no_targets)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s:%zu: expected column %s, as in the dataset's first file, found none",
                        p->layout->path, p->layout->first_line, title.text);
    p->table->has_targets = false;
    return RNN_OK;
}

static rnn_status locate_all(parser *p)
{
    const rnn_csv_columns *columns = p->columns;

    RNN_TRY(RNN_ALLOC(&p->places, columns->n_stored, "the columns of a CSV file"));
    p->table->n_columns = columns->n_stored;
    p->table->has_targets = !columns->lack_targets;
    for (size_t i = 0; i < columns->n_stored; i++)
        RNN_TRY(locate(&p->places[i], p, &columns->stored[i]));
    p->label = ABSENT;
    if (columns->has_labels && !columns->lack_targets)
        RNN_TRY(locate(&p->label, p, &columns->label));
    return RNN_OK;
}

/* -- Cells --------------------------------------------------------------------------------------*/

/* A missing cell. */
static rnn_status miss(const parser *p, const rnn_csv_column *column, bool may_be, const char *cell)
{
    if (may_be || p->cfg->missing != RNN_MISSING_REFUSE)
        return RNN_OK;
    return rnn_csv_file_fail(
        &p->file,
        "column %s: expected a value, found %s, a missing one: dataset.missing "
        "may say what stands in for it",
        rnn_csv_column_title(column).text, rnn_excerpt_of(cell).text);
}

static rnn_status parse_value(const parser *p, const rnn_csv_column *column, const char *cell,
                              float *into)
{
    double value;

    *into = NAN;
    if (rnn_csv_is_missing(cell))
        return miss(p, column, !column->is_input && p->cfg->needs_no_targets, cell);
    if (!rnn_number_read(&value, &p->numbers, cell))
        return rnn_csv_file_fail(&p->file,
                                 "column %s: expected a number, as 1.5 with a decimal point, "
                                 "found %s (cells are separated by %s)",
                                 rnn_csv_column_title(column).text, rnn_excerpt_of(cell).text,
                                 rnn_csv_separator_name(p->file.separator));
    *into = (float)((value - p->cfg->mean) / p->cfg->std);
    if (!isfinite(*into))
        return rnn_csv_file_fail(&p->file,
                                 "column %s: expected a number in the range of a float, found %s",
                                 rnn_csv_column_title(column).text, rnn_excerpt_of(cell).text);
    return RNN_OK;
}

static rnn_status parse_label(parser *p, const char *cell, int32_t *into)
{
    const rnn_csv_column *column = &p->columns->label;
    rnn_status st;

    *into = -1;
    if (rnn_csv_is_missing(cell))
        return miss(p, column, p->cfg->needs_no_targets, cell);
    st = rnn_class_names_number(p->classes, cell, p->table->n_rows, p->file.line, into);
    if (st == RNN_ERR_DATA)
        return rnn_csv_file_fail(&p->file, "column %s: %s", rnn_csv_column_title(column).text,
                                 rnn_error_message());
    if (st == RNN_OK && *into < 0)
        return rnn_csv_file_fail(&p->file,
                                 "column %s: expected a class that the training part has, found %s",
                                 rnn_csv_column_title(column).text, rnn_excerpt_of(cell).text);
    return st;
}

/* -- Rows ---------------------------------------------------------------------------------------*/

static rnn_status parse_row(parser *p)
{
    rnn_csv_table *table = p->table;
    size_t n = p->columns->n_stored, used = table->n_rows * n;

    RNN_TRY(
        RNN_GROW(&table->values, &table->values_room, used, used + n, "the rows of a CSV file"));
    for (size_t i = 0; i < n; i++) {
        if (p->places[i] == ABSENT)
            table->values[used + i] = NAN;
        else
            RNN_TRY(parse_value(p, &p->columns->stored[i], p->file.cells[p->places[i]],
                                &table->values[used + i]));
    }
    if (p->columns->has_labels) {
        RNN_TRY(RNN_GROW(&table->labels, &table->labels_room, table->n_rows, table->n_rows + 1,
                         "the classes of a CSV file"));
        table->labels[table->n_rows] = -1;
        if (p->label != ABSENT)
            RNN_TRY(parse_label(p, p->file.cells[p->label], &table->labels[table->n_rows]));
    }
    table->n_rows++;
    return RNN_OK;
}

static rnn_status parse_rows(parser *p)
{
    bool is_there, is_first = true;

    do {
        RNN_TRY(rnn_csv_file_next(&p->file, &is_there));
        if (is_there && !(is_first && p->layout->has_names))
            RNN_TRY(parse_row(p));
        is_first = false;
    } while (is_there);
    p->table->digest = p->file.lines.digest;
    return RNN_OK;
}

rnn_status rnn_csv_table_read(rnn_csv_table *table, rnn_class_names *classes,
                              const rnn_csv_columns *columns, const rnn_csv_layout *layout,
                              const rnn_dataset_cfg *cfg)
{
    parser p = {
        .columns = columns, .layout = layout, .cfg = cfg, .table = table, .classes = classes};
    rnn_status st;

    RNN_TRY_GOTO(st, rnn_number_reader_open(&p.numbers), done);
    RNN_TRY_GOTO(st, locate_all(&p), done);
    RNN_TRY_GOTO(st, rnn_csv_file_open(&p.file, layout->path), done);
    st = parse_rows(&p);
done:
    rnn_csv_file_close(&p.file);
    rnn_number_reader_close(&p.numbers);
    rnn_free(p.places);
    return st;
}

void rnn_csv_table_free(rnn_csv_table *table)
{
    rnn_free(table->values);
    rnn_free(table->labels);
    *table = (rnn_csv_table){0};
}
