#include "framework/config_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "framework/file_io.h"
#include "kernels/memory.h"

enum { TABLE_SIZE = 80 };

typedef struct place {
    char table[TABLE_SIZE]; /* "optimizer", "layer.0" */
    size_t n_layers;
} place;

/* "[optimizer]" or "[[layer]]". */
static void enter_table(place *p, const char *line, size_t length)
{
    bool is_list = length > 4 && line[1] == '[';
    size_t n = length - (is_list ? 4 : 2);

    if (is_list)
        snprintf(p->table, sizeof p->table, "%.*s.%zu", n < 60 ? (int)n : 60, line + 2,
                 p->n_layers++);
    else
        snprintf(p->table, sizeof p->table, "%.*s", n < 60 ? (int)n : 60, line + 1);
}

static rnn_status find_row(rnn_config_text_table *table, const char *key, size_t *row)
{
    for (*row = 0; *row < table->n_keys; (*row)++)
        if (strcmp(table->keys[*row], key) == 0)
            return RNN_OK;
    RNN_TRY(RNN_GROW(&table->keys, &table->room, table->n_keys, table->n_keys + 1, "keys"));
    RNN_TRY(RNN_GROW(&table->values, &table->values_room, table->n_keys * table->n_texts,
                     (table->n_keys + 1) * table->n_texts, "values of keys"));
    RNN_TRY(rnn_string_copy(&table->keys[*row], key));
    memset(table->values + table->n_keys * table->n_texts, 0,
           table->n_texts * sizeof *table->values);
    table->n_keys++;
    return RNN_OK;
}

static rnn_status take_line(rnn_config_text_table *table, size_t text, place *p, const char *line,
                            size_t length)
{
    const char *equals = memmem(line, length, " = ", 3);
    char *key, **value;
    size_t row;
    rnn_status st;

    if (length > 2 && line[0] == '[')
        enter_table(p, line, length);
    if (line[0] == '[' || equals == NULL)
        return RNN_OK;
    RNN_TRY(rnn_path_print(&key, "%s.%.*s", p->table, (int)(equals - line), line));
    st = find_row(table, key, &row);
    rnn_free(key);
    RNN_TRY(st);
    value = &table->values[row * table->n_texts + text];
    rnn_free(*value);
    return rnn_path_print(value, "%.*s", (int)(length - (size_t)(equals + 3 - line)), equals + 3);
}

static rnn_status take_text(rnn_config_text_table *table, size_t number, const char *text)
{
    place p = {.table = ""};

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        RNN_TRY(take_line(table, number, &p, text, length));
        text += length + (text[length] == '\n');
    }
    return RNN_OK;
}

static bool differs(const rnn_config_text_table *table, size_t row, const char *const *texts)
{
    char *const *values = table->values + row * table->n_texts;

    for (size_t a = 0; a < table->n_texts; a++) {
        for (size_t b = 0; b < a; b++) {
            if (texts[a] == NULL || texts[b] == NULL)
                continue;
            if ((values[a] == NULL) != (values[b] == NULL) ||
                (values[a] != NULL && strcmp(values[a], values[b]) != 0))
                return true;
        }
    }
    return false;
}

static void free_row(rnn_config_text_table *table, size_t row)
{
    rnn_free(table->keys[row]);
    for (size_t i = 0; i < table->n_texts; i++)
        rnn_free(table->values[row * table->n_texts + i]);
}

static void keep_differences(rnn_config_text_table *table, const char *const *texts)
{
    size_t n_kept = 0, n = table->n_texts;

    for (size_t row = 0; row < table->n_keys; row++) {
        if (!differs(table, row, texts)) {
            free_row(table, row);
            continue;
        }
        table->keys[n_kept] = table->keys[row];
        memmove(table->values + n_kept * n, table->values + row * n, n * sizeof *table->values);
        n_kept++;
    }
    table->n_keys = n_kept;
}

rnn_status rnn_config_text_compare(rnn_config_text_table *out, const char *const *texts,
                                   size_t n_texts)
{
    *out = (rnn_config_text_table){.n_texts = n_texts};
    for (size_t i = 0; i < n_texts; i++)
        if (texts[i] != NULL)
            RNN_TRY(take_text(out, i, texts[i]));
    keep_differences(out, texts);
    return RNN_OK;
}

void rnn_config_text_free(rnn_config_text_table *table)
{
    for (size_t row = 0; row < table->n_keys; row++)
        free_row(table, row);
    rnn_free(table->keys);
    rnn_free(table->values);
    *table = (rnn_config_text_table){0};
}
