/*
 * Writes the inputs that are HDF5 files into corpus/hdf5, checkpoint, state_dict and chunk:
 *
 *     make-hdf5-inputs CORPUS
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint_run.h"
#include "framework/file_io.h"
#include "framework/state_dict.h"

static void check(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "%s: %s\n", what, rnn_error_message());
    exit(1);
}

/* Puts `prefix` and a file, less what is cut off its end, into folder/name. */
static void copy(const char *from, const char *folder, const char *name, const char *prefix,
                 size_t n_prefix, size_t n_cut)
{
    char path[4096];
    void *bytes;
    size_t n;
    FILE *out;

    check(rnn_file_read(from, 1 << 20, &bytes, &n) == RNN_OK, "reading");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    out = fopen(path, "wb");
    check(out != NULL, path);
    fwrite(prefix, 1, n_prefix, out);
    fwrite(bytes, 1, n - n_cut, out);
    check(fclose(out) == 0, path);
    rnn_free(bytes);
}

/* -- Datasets -----------------------------------------------------------------------------------*/

/* How an array is stored; {0} is in one piece. */
typedef struct storage {
    hsize_t chunk[3];
    int shuffle, deflate, fletcher32;
    bool is_new; /* the format of libhdf5 1.10 */
    const char *special;
} storage;

static void put(hid_t group, const char *name, hid_t type, int n_dims, const hsize_t *dims,
                const storage *s)
{
    static double values[1024];
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(n_dims, dims, NULL), dataset;

    H5Pset_obj_track_times(list, 0);
    for (size_t i = 0; i < 1024; i++)
        values[i] = (double)(i % 7);
    if (s->chunk[0] > 0) {
        hsize_t chunk[3];

        for (int d = 0; d < n_dims; d++)
            chunk[d] = s->chunk[d] > 0 ? s->chunk[d] : 1;
        H5Pset_chunk(list, n_dims, chunk);
    }
    if (s->shuffle)
        H5Pset_shuffle(list);
    if (s->deflate)
        H5Pset_deflate(list, 9);
    if (s->fletcher32)
        H5Pset_fletcher32(list);
    if (strcmp(s->special, "external") == 0)
        H5Pset_external(list, "/etc/hostname", 0, H5F_UNLIMITED);
    if (strcmp(s->special, "compact") == 0)
        H5Pset_layout(list, H5D_COMPACT);
    if (strcmp(s->special, "nbit") == 0)
        H5Pset_nbit(list);
    if (strcmp(s->special, "virtual") == 0)
        H5Pset_virtual(list, space, "/etc/hostname", "x", space);
    dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    check(dataset >= 0, name);
    if (strcmp(s->special, "external") != 0 && strcmp(s->special, "virtual") != 0 &&
        strcmp(s->special, "unwritten") != 0)
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(list);
}

static hid_t create(const char *path, const storage *s)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file;

    if (s->is_new)
        H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Pset_meta_block_size(access, 0);
    H5Pset_small_data_block_size(access, 0);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    check(file >= 0, path);
    H5Pclose(access);
    return file;
}

/* Inputs x [5][4][2], targets as the kind says. */
static void write_dataset(const char *path, const char *kind, const storage *s)
{
    static const storage plain = {.special = ""};
    hid_t file = create(path, s), where = file;

    if (strcmp(kind, "groups") == 0) {
        hid_t a = H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

        put(a, "x", H5T_IEEE_F32LE, 3, (const hsize_t[]){5, 4, 2}, s);
        put(a, "y", H5T_STD_I32LE, 1, (const hsize_t[]){5}, &plain);
        H5Lcreate_soft("a", file, "b", H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(a);
    } else if (strcmp(kind, "flat") == 0) {
        hid_t space = H5Screate_simple(1, (const hsize_t[]){3}, NULL);
        hid_t lengths = H5Dcreate2(where, "lengths", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                                   H5P_DEFAULT);

        H5Dwrite(lengths, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, (const int[]){4, 1, 5});
        H5Dclose(lengths);
        H5Sclose(space);
        put(where, "x", H5T_IEEE_F64BE, 2, (const hsize_t[]){10, 2}, s);
        put(where, "y", H5T_STD_I16BE, 1, (const hsize_t[]){10}, s);
    } else {
        put(where, "x", H5T_IEEE_F32LE, 3, (const hsize_t[]){5, 4, 2}, s);
        if (strcmp(kind, "label") == 0)
            put(where, "y", H5T_STD_U8LE, 1, (const hsize_t[]){5}, s);
        if (strcmp(kind, "step_label") == 0)
            put(where, "y", H5T_STD_I32LE, 2, (const hsize_t[]){5, 4}, s);
        if (strcmp(kind, "values") == 0)
            put(where, "y", H5T_IEEE_F32LE, 2, (const hsize_t[]){5, 3}, s);
        if (strcmp(kind, "step_values") == 0)
            put(where, "y", H5T_IEEE_F64LE, 3, (const hsize_t[]){5, 4, 2}, s);
    }
    H5Fclose(file);
}

static const struct {
    const char *name, *kind;
    unsigned char settings[4];
    storage how;
} datasets[] = {
    {"plain-label", "label", {0}, {.special = ""}},
    {"again", "label", {0xC0}, {.special = ""}},
    {"again-values", "values", {0xC0 + 12}, {.special = ""}},
    {"plain-step-label", "step_label", {1}, {.special = ""}},
    {"plain-values", "values", {8 + 4}, {.special = ""}},
    {"plain-step-values", "step_values", {2}, {.special = ""}},
    {"no-targets", "none", {32}, {.special = ""}},
    {"compact", "label", {0}, {.special = "compact"}},
    {"groups", "groups", {0, 0, 1, 2}, {.special = ""}},
    {"flat", "flat", {0}, {.special = ""}},
    {"flat-chunks", "flat", {0}, {.chunk = {3, 2, 0}, .deflate = 1, .special = ""}},
    {"chunks", "label", {0}, {.chunk = {2, 3, 2}, .special = ""}},
    {"deflate", "step_values", {0}, {.chunk = {2, 3, 2}, .deflate = 1, .special = ""}},
    {"all-filters",
     "step_label",
     {0},
     {.chunk = {2, 3, 2}, .shuffle = 1, .deflate = 1, .fletcher32 = 1, .special = ""}},
    {"new-format",
     "values",
     {0},
     {.chunk = {2, 3, 2}, .shuffle = 1, .deflate = 1, .is_new = true, .special = ""}},
    {"external", "label", {0}, {.special = "external"}},
    {"virtual", "label", {0}, {.is_new = true, .special = "virtual"}},
    {"nbit", "label", {0}, {.chunk = {2, 3, 2}, .special = "nbit"}},
    {"unwritten", "label", {0}, {.special = "unwritten"}},
};

static void write_datasets(const char *folder, const char *scratch)
{
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++) {
        write_dataset(scratch, datasets[i].kind, &datasets[i].how);
        copy(scratch, folder, datasets[i].name, (const char *)datasets[i].settings, 4, 0);
    }
    copy(scratch, folder, "truncated", "\0\0\0\0", 4, 100);
}

/* -- Models -------------------------------------------------------------------------------------*/

enum { TRAILER = 32 };

static void write_checkpoint(const char *folder)
{
    static const char config[] = "[run]\nname = \"a\"\n";
    double mean[] = {0.5, 1, 2};
    char texts[] = "up\0\0down";
    const rnn_block blocks[] = {
        {.path = "data/mean", .type = RNN_BLOCK_FLOAT64, .n_dims = 1, .shape = {3}, .values = mean},
        {.path = "data/texts",
         .type = RNN_BLOCK_TEXTS,
         .n_dims = 2,
         .shape = {2, 4},
         .values = texts}};
    const rnn_fact facts[] = {{"host", "node7"}};
    checkpoint_run run;
    char *path;

    checkpoint_run_create(&run);
    check(RNN_ALLOC(&run.history.values, 4, "metrics") == RNN_OK, "metrics");
    run.history.n_rows = 2;
    run.checkpoint.config = config;
    run.checkpoint.blocks = blocks;
    run.checkpoint.n_blocks = 2;
    run.checkpoint.environment = facts;
    run.checkpoint.n_environment = 1;
    check(rnn_checkpoint_write(&run.checkpoint, ".", &path) == RNN_OK, "checkpoint");
    copy(path, folder, "checkpoint", "", 0, TRAILER);
    copy(path, folder, "truncated", "", 0, TRAILER + 500);
    unlink(path);
    unlink("latest.h5");
    rnn_free(path);
    checkpoint_run_free(&run);
}

static void write_state_dict(const char *folder, const char *scratch)
{
    rnn_model *model = checkpoint_run_model();
    float *params;

    check(RNN_ALLOC(&params, rnn_model_size(model), "parameters") == RNN_OK, "parameters");
    check(rnn_state_dict_write(scratch, model, params) == RNN_OK, "state_dict");
    copy(scratch, folder, "written", "", 0, 0);
    copy(scratch, folder, "truncated", "", 0, 300);
    rnn_free(params);
    rnn_model_destroy(&model);
}

int main(int argc, char **argv)
{
    char scratch[] = "scratch.h5", folder[4096];

    check(argc == 2, "usage: make-hdf5-inputs CORPUS");
    snprintf(folder, sizeof folder, "%s/hdf5", argv[1]);
    write_datasets(folder, scratch);
    snprintf(folder, sizeof folder, "%s/checkpoint", argv[1]);
    write_checkpoint(folder);
    snprintf(folder, sizeof folder, "%s/state_dict", argv[1]);
    write_state_dict(folder, scratch);
    unlink(scratch);
    return 0;
}
