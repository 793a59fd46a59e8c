#include <stdio.h>
#include <string.h>

#include "datasets/csv_file.h"
#include "datasets/csv_table.h"
#include "datasets/excerpt.h"
#include "kernels/memory.h"

rnn_excerpt rnn_csv_column_title(const rnn_csv_column *column)
{
    rnn_excerpt out;

    if (column->name != NULL)
        return rnn_excerpt_of(column->name);
    snprintf(out.text, sizeof out.text, "%zu", column->number + 1);
    return out;
}

/* -- Choosing -----------------------------------------------------------------------------------*/

static rnn_status describe(rnn_csv_column *column, const rnn_csv_layout *layout, size_t number,
                           bool is_input)
{
    *column = (rnn_csv_column){.number = number, .is_input = is_input};
    return layout->has_names ? rnn_string_copy(&column->name, layout->names[number]) : RNN_OK;
}

/* The place of a column of the first file among the stored ones; it is added if it is new. */
static rnn_status store(rnn_csv_columns *columns, const rnn_csv_layout *layout, size_t number,
                        bool is_input, size_t *place)
{
    for (*place = 0; *place < columns->n_stored; ++*place)
        if (columns->stored[*place].number == number)
            return RNN_OK;
    return describe(&columns->stored[columns->n_stored++], layout, number, is_input);
}

/* Whether a column is one that only answers, so that it is no input unless that is asked for. */
static rnn_status is_answer(bool *out, const rnn_csv_layout *layout, const rnn_dataset_cfg *cfg,
                            size_t number)
{
    *out = false;
    for (size_t i = 0; cfg->horizon == 0 && i < cfg->n_target_columns; i++) {
        size_t found;

        RNN_TRY(rnn_csv_layout_find(&found, layout, cfg->target_columns[i]));
        *out = *out || found == number;
    }
    return RNN_OK;
}

static rnn_status choose_all_numbers(rnn_csv_columns *columns, const rnn_csv_layout *layout,
                                     const rnn_dataset_cfg *cfg)
{
    for (size_t i = 0; i < layout->n_columns; i++) {
        bool is_left_out;

        RNN_TRY(is_answer(&is_left_out, layout, cfg, i));
        if (layout->kinds[i] != RNN_CSV_NUMBER || is_left_out)
            continue;
        RNN_TRY(store(columns, layout, i, true, &columns->input[columns->n_inputs]));
        columns->n_inputs++;
    }
    if (columns->n_inputs == 0)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected columns of numbers, as 1.5 with a decimal point, found none "
                        "to be an input; its %zu column%s %s separated by %s",
                        layout->path, layout->n_columns, layout->n_columns == 1 ? "" : "s",
                        layout->n_columns == 1 ? "is" : "are",
                        rnn_csv_separator_name(layout->separator));
    return RNN_OK;
}

static rnn_status choose_inputs(rnn_csv_columns *columns, const rnn_csv_layout *layout,
                                const rnn_dataset_cfg *cfg)
{
    if (cfg->n_columns == 0)
        return choose_all_numbers(columns, layout, cfg);
    for (size_t i = 0; i < cfg->n_columns; i++) {
        size_t number;

        RNN_TRY(rnn_csv_layout_find(&number, layout, cfg->columns[i]));
        if (number == layout->n_columns)
            return rnn_csv_layout_lacks(layout, "columns", cfg->columns[i]);
        RNN_TRY(store(columns, layout, number, true, &columns->input[i]));
        columns->n_inputs++;
    }
    return RNN_OK;
}

/* Without a word about targets, they are the same as the inputs. */
static rnn_status repeat_inputs(rnn_csv_columns *columns, const rnn_csv_layout *layout)
{
    columns->n_targets = columns->n_inputs;
    memcpy(columns->target, columns->input, columns->n_inputs * sizeof *columns->input);
    if (!columns->has_labels || columns->n_inputs != 1)
        return RNN_OK;
    return describe(&columns->label, layout, columns->stored[columns->input[0]].number, true);
}

static rnn_status choose_targets(rnn_csv_columns *columns, const rnn_csv_layout *layout,
                                 const rnn_dataset_cfg *cfg)
{
    if (cfg->n_target_columns == 0)
        return repeat_inputs(columns, layout);
    columns->n_targets = cfg->n_target_columns;
    for (size_t i = 0; i < cfg->n_target_columns; i++) {
        size_t number;

        RNN_TRY(rnn_csv_layout_find(&number, layout, cfg->target_columns[i]));
        if (number == layout->n_columns && !cfg->needs_no_targets)
            return rnn_csv_layout_lacks(layout, "target_columns", cfg->target_columns[i]);
        columns->lack_targets = columns->lack_targets || number == layout->n_columns;
        if (columns->lack_targets)
            continue;
        if (columns->has_labels && cfg->n_target_columns == 1)
            RNN_TRY(describe(&columns->label, layout, number, false));
        else if (!columns->has_labels)
            RNN_TRY(store(columns, layout, number, false, &columns->target[i]));
    }
    return RNN_OK;
}

rnn_status rnn_csv_columns_choose(rnn_csv_columns *columns, const rnn_csv_layout *layout,
                                  const rnn_dataset_cfg *cfg, bool has_labels)
{
    size_t n_inputs = cfg->n_columns > 0 ? cfg->n_columns : layout->n_columns;
    size_t n_targets = cfg->n_target_columns > 0 ? cfg->n_target_columns : n_inputs;
    static const char what[] = "the columns of a CSV file";

    columns->has_labels = has_labels;
    RNN_TRY(RNN_ALLOC(&columns->stored, n_inputs + n_targets, what));
    RNN_TRY(RNN_ALLOC(&columns->input, n_inputs, what));
    RNN_TRY(RNN_ALLOC(&columns->target, n_targets, what));
    RNN_TRY(choose_inputs(columns, layout, cfg));
    RNN_TRY(choose_targets(columns, layout, cfg));
    if (has_labels && columns->n_targets != 1)
        return RNN_FAIL(RNN_ERR_DATA,
                        "%s: expected one of dataset.target_columns to be the classes, found %zu",
                        layout->path, columns->n_targets);
    return RNN_OK;
}

void rnn_csv_columns_free(rnn_csv_columns *columns)
{
    for (size_t i = 0; i < columns->n_stored; i++)
        rnn_free(columns->stored[i].name);
    rnn_free(columns->stored);
    rnn_free(columns->input);
    rnn_free(columns->target);
    rnn_free(columns->label.name);
    *columns = (rnn_csv_columns){0};
}
