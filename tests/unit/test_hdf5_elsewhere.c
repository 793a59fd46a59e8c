/*
 * HDF5 files that lead to other files: those are not even opened, whichever file says so. Nor is
 * code looked for that a file asks for.
 */
#include "tests/unit/crafted_checkpoint.h"
#include "tests/unit/temporary_folder.h"

#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "datasets/dataset.h"
#include "framework/checkpoint.h"
#include "framework/checkpoint_layout.h"
#include "framework/file_io.h"
#include "framework/model.h"
#include "framework/state_dict.h"
#include "kernels/memory.h"

enum { N_VALUES = 6 };

/* -- Whether a file is opened ------------------------------------------------------------------ */

static int start_watching(const char *path)
{
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    assert_true(watch >= 0);
    assert_true(inotify_add_watch(watch, path, IN_OPEN | IN_ACCESS) >= 0);
    return watch;
}

static bool stop_watching(int watch)
{
    char events[1024];
    ssize_t n = read(watch, events, sizeof events);

    close(watch);
    return n > 0;
}

/* -- Files that lead elsewhere ----------------------------------------------------------------- */

/* A file in a process of its own, so that libhdf5 remembers nothing of it. */
static void write_file(const char *path, void (*write)(hid_t file))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

        write(file);
        _exit(H5Fclose(file) < 0 ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void put_x(hid_t file, const char *name, hid_t list)
{
    const float values[N_VALUES] = {1, 2, 3, 4, 5, 6};
    hid_t space = H5Screate_simple(2, (const hsize_t[]){2, 3}, NULL);
    hid_t dataset = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);

    H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Sclose(space);
}

static void write_other(hid_t file)
{
    put_x(file, "x", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "data", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_x(file, "data/mean", H5P_DEFAULT);
}

static void link_to_other(hid_t file)
{
    H5Lcreate_external("other.h5", "/x", file, "weight", H5P_DEFAULT, H5P_DEFAULT);
}

/* Of no fixed size: libhdf5 looks into the other file when it is asked for the shape. */
static void map_other(hid_t file)
{
    const hsize_t size[] = {2, 3}, most[] = {H5S_UNLIMITED, 3}, start[] = {0, 0}, one[] = {1, 3};
    const hsize_t count[] = {H5S_UNLIMITED, 1};
    hid_t space = H5Screate_simple(2, size, most), list = H5Pcreate(H5P_DATASET_CREATE);

    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, one);
    H5Pset_virtual(list, space, "other.h5", "x", space);
    H5Dclose(H5Dcreate2(file, "weight", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(space);
}

static void store_in_other(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, (const hsize_t[]){2, 3}, NULL);

    H5Pset_external(list, "other.h5", 0, N_VALUES * sizeof(float));
    H5Dclose(H5Dcreate2(file, "weight", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(space);
}

static void filter_by_others(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 2, (const hsize_t[]){2, 3});
    H5Pset_filter(list, 32015, H5Z_FLAG_OPTIONAL, 0, NULL);
    put_x(file, "weight", list);
    H5Pclose(list);
}

static void (*const ways[])(hid_t file) = {link_to_other, map_other, store_in_other,
                                           filter_by_others};

/* -- Who reads them ---------------------------------------------------------------------------- */

static rnn_status read_as_dataset(void)
{
    static const char *const search[] = {"."};
    const rnn_dataset_cfg cfg = {.format = "hdf5",
                                 .search = search,
                                 .n_search = 1,
                                 .file = {"file.h5", "", ""},
                                 .std = 1,
                                 .x = "weight",
                                 .y = "y",
                                 .needs_no_targets = true};
    rnn_dataset *dataset;
    rnn_status st = rnn_dataset_open(&dataset, &cfg);

    rnn_dataset_destroy(&dataset);
    return st;
}

static rnn_status read_as_state_dict(void)
{
    const rnn_layer_cfg layer = {.type = RNN_LAYER_LINEAR, .out_features = 2, .bias = false};
    const rnn_shape input = {.seq_len = 1, .n_features = 3};
    rnn_model *model;
    float params[N_VALUES];
    rnn_status st;

    assert_int_equal(rnn_model_create(&model, &layer, 1, input), RNN_OK);
    st = rnn_state_dict_read("file.h5", model, params);
    rnn_model_destroy(&model);
    return st;
}

static void assert_stays_inside(rnn_status (*read)(void), void (*write)(hid_t file))
{
    int other, plugins;
    bool is_opened, is_looked_into;
    rnn_status st;

    write_file("file.h5", write);
    other = start_watching("other.h5");
    plugins = start_watching("plugins");
    st = read();
    is_opened = stop_watching(other);
    is_looked_into = stop_watching(plugins);
    assert_int_equal(st, RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "file.h5: /weight "));
    assert_false(is_opened);
    assert_false(is_looked_into);
}

static int prepare(void **state)
{
    int status = enter_folder(state);
    char path[4096];

    assert_non_null(getcwd(path, sizeof path - 16));
    assert_int_equal(mkdir("plugins", 0777), 0);
    write_file("other.h5", write_other);
    strcat(path, "/plugins");
    return status != 0 ? status : setenv("HDF5_PLUGIN_PATH", path, 1);
}

static void datasets_stay_inside_their_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        assert_stays_inside(read_as_dataset, ways[i]);
}

static void state_dicts_stay_inside_their_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        assert_stays_inside(read_as_state_dict, ways[i]);
}

/* -- Checkpoints ------------------------------------------------------------------------------- */

static void put_text(hid_t file, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute;

    H5Tset_size(type, strlen(text));
    attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* As far as a checkpoint that its groups of data may be asked for. */
static void link_data_to_other(hid_t file)
{
    const int64_t version = 1;
    hid_t space = H5Screate(H5S_SCALAR), attribute;

    put_text(file, "format", rnn_ckpt_format);
    attribute = H5Acreate2(file, "format_version", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT64, &version);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Lcreate_external("other.h5", "/data", file, "data", H5P_DEFAULT, H5P_DEFAULT);
}

static void checkpoints_stay_inside_their_file(void **state)
{
    rnn_block block = {.path = "data/mean", .type = RNN_BLOCK_FLOAT32};
    void *image;
    size_t n_image;
    rnn_status st;
    int other;

    (void)state;
    write_file("file.h5", link_data_to_other);
    assert_int_equal(rnn_file_read("file.h5", 1 << 20, &image, &n_image), RNN_OK);
    write_sealed("sealed.h5", image, n_image, 1, n_image);
    other = start_watching("other.h5");
    st = rnn_checkpoint_read_blocks("sealed.h5", &block, 1);
    assert_false(stop_watching(other));
    assert_refused(RNN_ERR_DATA, st, "sealed.h5: /data is a link to elsewhere");
    rnn_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(datasets_stay_inside_their_file, prepare, leave_folder),
        cmocka_unit_test_setup_teardown(state_dicts_stay_inside_their_file, prepare, leave_folder),
        cmocka_unit_test_setup_teardown(checkpoints_stay_inside_their_file, prepare, leave_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
