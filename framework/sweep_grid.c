#include "framework/sweep_grid.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/file_io.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { MAX_NAME = 160 }; /* of the 255 bytes that file systems have */

/* The first comma of a list of values that does not belong to a value, or the text's end. */
static const char *value_end(const char *text)
{
    int depth = 0;
    char quote = '\0';

    for (; *text != '\0'; text++) {
        if (quote == '"' && *text == '\\' && text[1] != '\0')
            text++;
        else if (quote != '\0')
            quote = *text == quote ? '\0' : quote;
        else if (*text == '"' || *text == '\'')
            quote = *text;
        else if (*text == '[' || *text == '{')
            depth++;
        else if (*text == ']' || *text == '}')
            depth--;
        else if (*text == ',' && depth <= 0)
            break;
    }
    return text;
}

static rnn_status copy_part(char **out, const char *text, size_t length)
{
    return rnn_path_print(out, "%.*s", (int)length, text);
}

static rnn_status add_value(rnn_grid_axis *axis, const char *text, size_t length)
{
    char *value;

    if (axis->n_values == RNN_GRID_MAX_POINTS) /* before all of them are compared */
        return RNN_FAIL(RNN_ERR_USAGE, "--grid %s: more than %d values", axis->key,
                        RNN_GRID_MAX_POINTS);
    if (length == 0)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "--grid %s: a value is empty, expected KEY=VALUE,VALUE as in "
                        "optimizer.lr=0.1,0.01",
                        axis->key);
    RNN_TRY(copy_part(&value, text, length));
    axis->values[axis->n_values++] = value;
    for (size_t i = 0; i + 1 < axis->n_values; i++)
        if (strcmp(axis->values[i], value) == 0)
            return RNN_FAIL(RNN_ERR_USAGE, "--grid %s: the value %s is there twice", axis->key,
                            value);
    return RNN_OK;
}

static rnn_status parse_axis(rnn_grid_axis *axis, const char *text)
{
    const char *equals = strchr(text, '='), *end;
    size_t room = 1;

    if (equals == NULL || equals == text)
        return RNN_FAIL(RNN_ERR_USAGE,
                        "--grid %s: expected KEY=VALUE,VALUE as in optimizer.lr=0.1,0.01", text);
    RNN_TRY(copy_part(&axis->key, text, (size_t)(equals - text)));
    for (const char *c = equals; *c != '\0'; c++)
        room += *c == ',';
    RNN_TRY(RNN_ALLOC(&axis->values, room, "the values of a grid"));
    for (text = equals + 1;; text = end + 1) {
        end = value_end(text);
        RNN_TRY(add_value(axis, text, (size_t)(end - text)));
        if (*end == '\0')
            return RNN_OK;
    }
}

static rnn_status check_key(const rnn_grid *grid, const rnn_grid_axis *axis)
{
    for (const rnn_grid_axis *other = grid->axes; other < axis; other++)
        if (strcmp(other->key, axis->key) == 0)
            return RNN_FAIL(RNN_ERR_USAGE, "--grid %s: the key is there twice", axis->key);
    return RNN_OK;
}

rnn_status rnn_grid_parse(rnn_grid *out, const char *const *texts, size_t n_texts)
{
    *out = (rnn_grid){.n_points = 1};
    if (n_texts > RNN_GRID_MAX_AXES)
        return RNN_FAIL(RNN_ERR_USAGE, "more than %d --grid options", RNN_GRID_MAX_AXES);
    for (size_t i = 0; i < n_texts; i++) {
        out->n_axes = i + 1;
        RNN_TRY(parse_axis(&out->axes[i], texts[i]));
        RNN_TRY(check_key(out, &out->axes[i]));
        out->n_points *= out->axes[i].n_values;
        if (out->n_points > RNN_GRID_MAX_POINTS)
            return RNN_FAIL(RNN_ERR_USAGE, "--grid: more than %d combinations of values",
                            RNN_GRID_MAX_POINTS);
    }
    return RNN_OK;
}

void rnn_grid_free(rnn_grid *grid)
{
    for (size_t a = 0; a < grid->n_axes; a++) {
        for (size_t i = 0; i < grid->axes[a].n_values; i++)
            rnn_free(grid->axes[a].values[i]);
        rnn_free(grid->axes[a].values);
        rnn_free(grid->axes[a].key);
    }
    *grid = (rnn_grid){0};
}

const char *rnn_grid_value(const rnn_grid *grid, size_t point, size_t axis)
{
    for (size_t a = grid->n_axes - 1; a > axis; a--)
        point /= grid->axes[a].n_values;
    return grid->axes[axis].values[point % grid->axes[axis].n_values];
}

rnn_status rnn_grid_override(const rnn_grid *grid, size_t point, size_t axis, char **out)
{
    return rnn_path_print(out, "%s=%s", grid->axes[axis].key, rnn_grid_value(grid, point, axis));
}

/* Puts "_" for what does not belong into the name of a file; whether there was any. */
static bool make_harmless(char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=,+-";
    bool changed = false;

    while (name[strspn(name, allowed)] != '\0') {
        name[strspn(name, allowed)] = '_';
        changed = true;
    }
    return changed;
}

rnn_status rnn_grid_name(const rnn_grid *grid, size_t point, char **out)
{
    char *text = NULL, *whole;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    uint64_t digest;
    rnn_status st;

    *out = NULL;
    if (file == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the name of a run");
    for (size_t a = 0; a < grid->n_axes; a++)
        fprintf(file, "%s%s=%s", a > 0 ? "," : "", grid->axes[a].key,
                rnn_grid_value(grid, point, a));
    if (fclose(file) != 0) {
        free(text);
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the name of a run");
    }
    digest = rnn_digest(text, size);
    whole = text;
    if (make_harmless(text) || size > MAX_NAME)
        st = rnn_path_print(out, "%.*s-%08" PRIx32, MAX_NAME, whole, (uint32_t)digest);
    else
        st = rnn_string_copy(out, whole);
    free(text);
    return st;
}
