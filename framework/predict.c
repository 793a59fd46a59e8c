#include "framework/predict.h"

#include <hdf5.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "framework/answers.h"
#include "framework/file_io.h"
#include "framework/hdf5_image.h"
#include "kernels/memory.h"

/* The columns of classes after sample and step. */
enum { LABEL = RNN_ANSWER_FIRST, PREDICTED, PROBABILITY };

rnn_status rnn_predict_check_path(const char *path)
{
    if (rnn_path_has_ending(path, ".csv") || rnn_path_has_ending(path, ".h5"))
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_USAGE, "%s: expected a file name that ends in .csv or .h5", path);
}

/* -- CSV --------------------------------------------------------------------------------------- */

/* A class by its name, in quotes where RFC 4180 wants them, or its number. */
static void print_class(const rnn_run *run, double class, FILE *out)
{
    const char *text = rnn_dataset_token_text(run->dataset, (size_t) class);

    if (text == NULL) {
        fprintf(out, "%.0f", class);
        return;
    }
    if (text[0] != '\0' && strpbrk(text, ",\"\r\n ") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++)
        fprintf(out, "%s%c", *text == '"' ? "\"" : "", *text);
    fputc('"', out);
}

static void print_names(const rnn_answer_table *table, const char *name, FILE *out)
{
    if (table->n_values < 2)
        fprintf(out, ",%s", name);
    for (size_t i = 0; table->n_values >= 2 && i < table->n_values; i++)
        fprintf(out, ",%s_%zu", name, i);
}

static void print_header(const rnn_answer_table *table, FILE *out)
{
    fputs(table->has_steps ? "sample,step" : "sample", out);
    if (table->has_targets)
        print_names(table, "target", out);
    print_names(table, table->task == RNN_TASK_MARKS ? "probability" : "predicted", out);
    fputs(table->n_values == 0 ? ",probability\n" : "\n", out);
}

/* A target that is not known is an empty cell. */
static void print_number(double value, FILE *out)
{
    fputs(",", out);
    if (!isnan(value))
        fprintf(out, "%.7g", value);
}

static void print_row(const rnn_run *run, const rnn_answer_table *table, const double *row,
                      FILE *out)
{
    size_t n = table->n_values;

    fprintf(out, "%.0f", row[RNN_ANSWER_SAMPLE]);
    if (table->has_steps)
        fprintf(out, ",%.0f", row[RNN_ANSWER_STEP]);
    if (n > 0) {
        for (size_t i = table->has_targets ? 0 : n; i < 2 * n; i++)
            print_number(row[RNN_ANSWER_FIRST + i], out);
        fputs("\n", out);
        return;
    }
    if (table->has_targets) {
        fputs(",", out);
        if (row[LABEL] >= 0.0)
            print_class(run, row[LABEL], out);
    }
    fputs(",", out);
    print_class(run, row[PREDICTED], out);
    fprintf(out, ",%.7g\n", row[PROBABILITY]);
}

static rnn_status write_csv(const rnn_run *run, const rnn_answer_table *table, const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    rnn_status st;

    if (out == NULL)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the text of '%s'", path);
    print_header(table, out);
    for (size_t i = 0; i < table->n_rows; i++)
        print_row(run, table, table->rows + i * table->width, out);
    if (fclose(out) == 0)
        st = rnn_file_write(path, text, size);
    else
        st = RNN_FAIL(RNN_ERR_MEMORY, "cannot allocate the text of '%s'", path);
    free(text);
    return st;
}

/* -- HDF5 -------------------------------------------------------------------------------------- */

/* Columns [first, first + count) of the table as a dataset [n_rows] or [n_rows][count]. */
static rnn_status write_columns(const rnn_h5_writer *file, const rnn_answer_table *table,
                                const char *name, size_t first, size_t count, hid_t type)
{
    hsize_t dims[] = {table->n_rows, count};
    hid_t space = H5Screate_simple(count > 1 ? 2 : 1, dims, NULL);
    double *values;
    rnn_status st;

    st = RNN_ALLOC(&values, table->n_rows * count, "a column of answers");
    for (size_t i = 0; i < table->n_rows && st == RNN_OK; i++)
        memcpy(values + i * count, table->rows + i * table->width + first, count * sizeof *values);
    if (st == RNN_OK)
        st = rnn_h5_write_dataset(file, file->root, name, type, H5T_NATIVE_DOUBLE, space, H5S_ALL,
                                  values);
    rnn_free(values);
    rnn_hdf5_release(space);
    return st;
}

/* The names of the classes, in the order of their numbers. */
static rnn_status write_names(const rnn_h5_writer *file, const rnn_run *run)
{
    const rnn_dataset_fit *fit = rnn_dataset_get_fit(run->dataset);
    hsize_t n = fit->n_texts;
    hid_t type, space;
    rnn_status st;

    if (n == 0)
        return RNN_OK;
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    space = H5Screate_simple(1, &n, NULL);
    st = rnn_h5_write_dataset(file, file->root, "classes", type, type, space, H5S_ALL, fit->texts);
    rnn_hdf5_release(space);
    rnn_hdf5_release(type);
    return st;
}

static rnn_status write_table(const rnn_h5_writer *file, const rnn_run *run,
                              const rnn_answer_table *table)
{
    size_t n = table->n_values;
    hid_t float32 = H5T_IEEE_F32LE, integer = H5T_STD_I64LE;

    RNN_TRY(write_columns(file, table, "sample", RNN_ANSWER_SAMPLE, 1, integer));
    if (table->has_steps)
        RNN_TRY(write_columns(file, table, "step", RNN_ANSWER_STEP, 1, integer));
    if (n > 0) {
        if (table->has_targets)
            RNN_TRY(write_columns(file, table, "target", RNN_ANSWER_FIRST, n, float32));
        return write_columns(file, table,
                             table->task == RNN_TASK_MARKS ? "probability" : "predicted",
                             RNN_ANSWER_FIRST + n, n, float32);
    }
    if (table->has_targets)
        RNN_TRY(write_columns(file, table, "target", LABEL, 1, integer));
    RNN_TRY(write_columns(file, table, "predicted", PREDICTED, 1, integer));
    RNN_TRY(write_columns(file, table, "probability", PROBABILITY, 1, float32));
    return write_names(file, run);
}

static rnn_status write_h5(const rnn_run *run, const rnn_answer_table *table, const char *path)
{
    rnn_h5_writer file;
    void *image = NULL;
    size_t n_bytes;
    rnn_status st;

    rnn_h5_writer_open(&file);
    st = write_table(&file, run, table);
    if (st == RNN_OK)
        st = rnn_h5_writer_take(&file, 0, &image, &n_bytes);
    rnn_h5_writer_close(&file);
    if (st == RNN_OK)
        st = rnn_file_write(path, image, n_bytes);
    rnn_free(image);
    return st;
}

/* -- The command ------------------------------------------------------------------------------- */

rnn_status rnn_predict(rnn_trained *trained, const char *path)
{
    rnn_run *run = trained->run;
    rnn_split split = rnn_trained_split(trained);
    rnn_answer_table table;
    rnn_status st = RNN_OK;

    RNN_TRY(rnn_predict_check_path(path));
    if (run->loader[split] == NULL)
        return RNN_FAIL(RNN_ERR_DATA, "the configuration has no test or validation samples; "
                                      "expected data: rnntrain predict CHECKPOINT DATA -o FILE");
    st = rnn_answers_collect(run, split, &table);
    if (st == RNN_OK && rnn_comm_rank(run->comm) == 0)
        st = rnn_path_has_ending(path, ".csv") ? write_csv(run, &table, path)
                                               : write_h5(run, &table, path);
    rnn_answer_table_free(&table);
    return rnn_comm_agree(run->comm, st);
}
