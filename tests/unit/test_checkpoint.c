#include "tests/unit/crafted_checkpoint.h"
#include "tests/unit/temporary_folder.h"

#include <fcntl.h>
#include <hdf5.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "framework/checkpoint.h"
#include "framework/checkpoint_image.h"
#include "framework/file_io.h"
#include "framework/layer_args.h"
#include "kernels/digest.h"
#include "kernels/memory.h"

enum { MAX_BYTES = 1 << 20, N_ROWS = 3, N_METRICS = 2 };

static const char CREATED_AT[] = "2024-02-29T12:00:00Z";
static const char CONFIG[] = "[run]\nname = \"größe\"\n";

/* -- A run with something in every corner -------------------------------------------------------
 */

typedef struct run {
    rnn_model *model;
    rnn_optimizer *optimizer;
    float *params;
    rnn_progress progress;
    rnn_history history;
    rnn_fact facts[2];
    rnn_checkpoint checkpoint;
} run;

/* Finite values with all kinds of bits: signs, a negative zero, a subnormal. */
static void fill(float *values, size_t count, int seed)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)sin((double)(i + 1) * (seed + 1)) * ldexpf(1.0f, (int)(i % 40) - 20);
    values[0] = -0.0f;
    values[count - 1] = 1e-42f;
}

static void create_run_for(run *r, const rnn_layer_cfg *layers, size_t n_layers, rnn_shape input,
                           rnn_optimizer_type type)
{
    rnn_optimizer_cfg cfg = rnn_optimizer_defaults(type);

    *r = (run){.facts = {{"host", "node7"}, {"cpu_isa", "avx2"}},
               .progress = {.best_metric = NAN},
               .history = {.names = {"train.loss", "test.accuracy"}, .n_metrics = N_METRICS}};
    cfg.amsgrad = type == RNN_OPTIMIZER_ADAM;
    cfg.centered = type == RNN_OPTIMIZER_RMSPROP;
    cfg.momentum = type == RNN_OPTIMIZER_SGD || type == RNN_OPTIMIZER_RMSPROP ? 0.9 : 0.0;
    if (rnn_model_create(&r->model, layers, n_layers, input) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_int_equal(rnn_optimizer_create(&r->optimizer, &cfg, rnn_model_size(r->model)), RNN_OK);
    assert_int_equal(RNN_ALLOC(&r->params, rnn_model_size(r->model), "parameters"), RNN_OK);
    r->checkpoint = (rnn_checkpoint){.model = r->model,
                                     .params = r->params,
                                     .optimizer = r->optimizer,
                                     .progress = &r->progress,
                                     .history = &r->history,
                                     .config = CONFIG,
                                     .environment = r->facts,
                                     .n_environment = 2};
}

static void create_run(run *r, const rnn_layer_cfg *layers, size_t n_layers,
                       rnn_optimizer_type type)
{
    create_run_for(r, layers, n_layers, (rnn_shape){.seq_len = 4, .n_features = 3}, type);
}

static void destroy_run(run *r)
{
    rnn_free(r->history.values);
    rnn_free(r->params);
    rnn_optimizer_destroy(&r->optimizer);
    rnn_model_destroy(&r->model);
}

static const rnn_layer_cfg LAYERS[] = {
    {.type = RNN_LAYER_LSTM, .hidden_size = 2, .num_layers = 2, .bias = true},
    {.type = RNN_LAYER_SELECT},
    {.type = RNN_LAYER_LINEAR, .out_features = 5, .bias = true}};

/* An untrained run, as it stands before a checkpoint is read into it. */
static void create_empty(run *r, rnn_optimizer_type type)
{
    create_run(r, LAYERS, 3, type);
}

static void create_trained(run *r, rnn_optimizer_type type)
{
    size_t size;

    create_empty(r, type);
    size = rnn_model_size(r->model);
    fill(r->params, size, 0);
    for (size_t i = 0; i < rnn_optimizer_n_states(r->optimizer); i++)
        fill(rnn_optimizer_state(r->optimizer, i), size, 1 + (int)i);
    rnn_optimizer_set_step(r->optimizer, 41);
    rnn_optimizer_set_scalar(r->optimizer, 0.1);
    r->progress = (rnn_progress){.epoch = 3,
                                 .step = 42,
                                 .samples_seen = (uint64_t)1 << 40,
                                 .batch_in_epoch = 5,
                                 .epoch_loss_sum = 1.0 / 3,
                                 .epoch_correct = 17,
                                 .epoch_samples = 31,
                                 .dataset_digest = UINT64_C(0xfedcba9876543210),
                                 .epoch_seconds = 0.25,
                                 .best_metric = NAN,
                                 .best_step = 40,
                                 .epoch_targets = 62,
                                 .stale_epochs = 2,
                                 .plateau_scale = 0.25,
                                 .plateau_best = 1.5,
                                 .plateau_bad_epochs = 1};
    r->history.n_rows = N_ROWS;
    assert_int_equal(RNN_ALLOC(&r->history.values, N_ROWS * N_METRICS, "history"), RNN_OK);
    for (int i = 0; i < N_ROWS * N_METRICS; i++)
        r->history.values[i] = i == 1 ? NAN : 0.1 * i;
}

/* Bits, not values: NAN is equal to itself and 0 is not -0. */
static void assert_same_run(run *a, run *b)
{
    size_t size = rnn_model_size(a->model), n_states = rnn_optimizer_n_states(a->optimizer);
    double scalar_a = rnn_optimizer_get_scalar(a->optimizer),
           scalar_b = rnn_optimizer_get_scalar(b->optimizer);

    assert_memory_equal(a->params, b->params, size * sizeof(float));
    for (size_t i = 0; i < n_states; i++)
        assert_memory_equal(rnn_optimizer_state(a->optimizer, i),
                            rnn_optimizer_state(b->optimizer, i), size * sizeof(float));
    assert_int_equal(rnn_optimizer_get_step(a->optimizer), rnn_optimizer_get_step(b->optimizer));
    assert_memory_equal(&scalar_a, &scalar_b, sizeof scalar_a);
    assert_memory_equal(&a->progress, &b->progress, sizeof a->progress);
    assert_int_equal(a->history.n_rows, b->history.n_rows);
    if (a->history.n_rows > 0)
        assert_memory_equal(a->history.values, b->history.values,
                            a->history.n_rows * a->history.n_metrics * sizeof(double));
}

static void assert_untouched(run *r)
{
    run fresh;

    create_empty(&fresh, rnn_optimizer_get_cfg(r->optimizer)->type);
    assert_same_run(r, &fresh);
    destroy_run(&fresh);
}

/* Writes a trained run into `folder` as the given step; *path (may be NULL) is rnn_free memory. */
static void write_step(const char *folder, uint64_t step, char **path)
{
    run r;

    create_trained(&r, RNN_OPTIMIZER_ADAM);
    r.progress.step = step;
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, folder, path), RNN_OK);
    destroy_run(&r);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void copy_file(const char *from, const char *to)
{
    void *bytes;
    size_t n_bytes;

    assert_int_equal(rnn_file_read(from, MAX_BYTES, &bytes, &n_bytes), RNN_OK);
    assert_int_equal(rnn_file_write(to, bytes, n_bytes), RNN_OK);
    rnn_free(bytes);
}

/* -- Whole checkpoints --------------------------------------------------------------------------
 */

static void every_optimizer_survives_a_round_trip(void **state)
{
    (void)state;
    for (int type = RNN_OPTIMIZER_SGD; type <= RNN_OPTIMIZER_NADAM; type++) {
        run written, read;
        char *path;

        create_trained(&written, (rnn_optimizer_type)type);
        create_empty(&read, (rnn_optimizer_type)type);
        assert_int_equal(rnn_checkpoint_write(&written.checkpoint, ".", &path), RNN_OK);
        assert_string_equal(path, "./step-0000000042.h5");
        assert_int_equal(rnn_checkpoint_read("latest.h5", &read.checkpoint), RNN_OK);
        assert_same_run(&read, &written);
        assert_int_equal(count_entries("."), 2);
        rnn_free(path);
        destroy_run(&read);
        destroy_run(&written);
    }
}

static void a_run_without_history_survives_a_round_trip(void **state)
{
    run written, read;

    (void)state;
    create_trained(&written, RNN_OPTIMIZER_SGD);
    create_trained(&read, RNN_OPTIMIZER_SGD);
    written.history.n_rows = 0;
    assert_int_equal(rnn_checkpoint_write(&written.checkpoint, ".", NULL), RNN_OK);
    assert_int_equal(rnn_checkpoint_read("latest.h5", &read.checkpoint), RNN_OK);
    assert_int_equal(read.history.n_rows, 0);
    assert_null(read.history.values);
    destroy_run(&read);
    destroy_run(&written);
}

static void parameters_can_be_read_alone(void **state)
{
    run written, read;
    rnn_checkpoint only;

    (void)state;
    create_trained(&written, RNN_OPTIMIZER_ADAM);
    create_empty(&read, RNN_OPTIMIZER_SGD);
    only = (rnn_checkpoint){.model = read.model, .params = read.params};
    assert_int_equal(rnn_checkpoint_write(&written.checkpoint, ".", NULL), RNN_OK);
    assert_int_equal(rnn_checkpoint_read("latest.h5", &only), RNN_OK);
    assert_memory_equal(read.params, written.params, rnn_model_size(read.model) * sizeof(float));
    destroy_run(&read);
    destroy_run(&written);
}

static void the_configuration_reads_back(void **state)
{
    char *config;

    (void)state;
    write_step(".", 1, NULL);
    assert_int_equal(rnn_checkpoint_read_config("latest.h5", &config), RNN_OK);
    assert_string_equal(config, CONFIG);
    rnn_free(config);
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_read_config("none.h5", &config), "none.h5");
    assert_null(config);
}

static void equal_states_give_equal_images(void **state)
{
    run r;
    void *images[3];
    size_t sizes[3];

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    for (int i = 0; i < 3; i++) {
        time_t start = time(NULL);

        assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint,
                                                    i < 2 ? CREATED_AT : "2024-02-29T12:00:01Z", 0,
                                                    &images[i], &sizes[i]),
                         RNN_OK);
        while (i == 0 && time(NULL) == start) /* no object may carry a time, in whole seconds */
            usleep(10000);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(images[0], images[1], sizes[0]);
    assert_int_equal(sizes[0], sizes[2]);
    assert_memory_not_equal(images[0], images[2], sizes[0]);
    assert_int_equal(((char *)images[0])[8], 0); /* superblock of the oldest format */
    for (int i = 0; i < 3; i++)
        rnn_free(images[i]);
    destroy_run(&r);
}

/* Skips if the tool is not installed. */
static void assert_tool_reads(const char *tool, const char *arguments, const char *expected)
{
    char command[256], output[8192] = "";
    FILE *pipe;

    snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
    if (system(command) != 0)
        skip();
    snprintf(command, sizeof command, "%s %s 2>&1", tool, arguments);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    while (fgetc(pipe) != EOF)
        continue;
    assert_int_equal(pclose(pipe), 0);
    if (strstr(output, expected) == NULL)
        fail_msg("'%s' is not in the output of '%s'", expected, command);
}

static void h5dump_reads_a_checkpoint(void **state)
{
    (void)state;
    write_step(".", 1, NULL);
    assert_tool_reads("h5dump", "-H latest.h5", "DATASET \"config\"");
    assert_tool_reads("h5dump", "-a /model/0_lstm/hidden_size latest.h5", "(0): 2");
    assert_tool_reads("h5dump", "-a /model/0_lstm/input_size latest.h5", "(0): 3");
    assert_tool_reads("h5dump", "-a /format latest.h5", "rnntrain-checkpoint");
}

static void h5ls_reads_a_checkpoint(void **state)
{
    (void)state;
    write_step(".", 1, NULL);
    assert_tool_reads("h5ls", "-r latest.h5", "/model/0_lstm/weight_ih_l1 Dataset {8, 2}");
    assert_tool_reads("h5ls", "-r latest.h5", "/optimizer/exp_avg/2_linear/bias Dataset {5}");
}

/* -- Writing that must fail ----------------------------------------------------------------------
 */

static void a_parameter_that_is_not_finite_is_not_written(void **state)
{
    run r;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    r.params[rnn_model_size(r.model) - 1] = NAN;
    assert_refused(RNN_ERR_NONFINITE, rnn_checkpoint_write(&r.checkpoint, ".", NULL),
                   "/model/2_linear/bias");
    assert_int_equal(count_entries("."), 0);
    destroy_run(&r);
}

static void a_state_that_is_not_finite_is_not_written(void **state)
{
    run r;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    rnn_optimizer_state(r.optimizer, 1)[0] = INFINITY;
    assert_refused(RNN_ERR_NONFINITE, rnn_checkpoint_write(&r.checkpoint, ".", NULL),
                   "/optimizer/exp_avg_sq/0_lstm/weight_ih_l0");
    r.progress.epoch_loss_sum = NAN;
    rnn_optimizer_state(r.optimizer, 1)[0] = 0.0f;
    assert_refused(RNN_ERR_NONFINITE, rnn_checkpoint_write(&r.checkpoint, ".", NULL),
                   "epoch_loss_sum");
    assert_int_equal(count_entries("."), 0);
    destroy_run(&r);
}

static void a_step_beyond_the_names_is_not_written(void **state)
{
    run r;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    r.progress.step = 10000000000;
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_write(&r.checkpoint, ".", NULL), "10000000000");
    assert_int_equal(count_entries("."), 0);
    destroy_run(&r);
}

static void a_folder_that_takes_no_files_is_named(void **state)
{
    run r;
    char *path;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    assert_refused(RNN_ERR_IO, rnn_checkpoint_write(&r.checkpoint, "missing", &path), "missing/");
    assert_null(path);
    if (exists("/proc/self")) /* where not even root creates files */
        assert_refused(RNN_ERR_IO, rnn_checkpoint_write(&r.checkpoint, "/proc", &path), "/proc/");
    assert_int_equal(mkdir("step-0000000042.h5", 0777), 0);
    assert_refused(RNN_ERR_IO, rnn_checkpoint_write(&r.checkpoint, ".", &path),
                   "step-0000000042.h5");
    assert_int_equal(count_entries("."), 1);
    destroy_run(&r);
}

/* A limit on file size stands for a full disk. */
static rnn_status write_with_limit(const rnn_checkpoint *checkpoint, rlim_t n_bytes)
{
    struct rlimit old, low;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    rnn_status st;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = n_bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    st = rnn_checkpoint_write(checkpoint, ".", NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    return st;
}

static void a_full_disk_leaves_the_old_checkpoint(void **state)
{
    static const uint64_t steps[] = {42, 43}; /* over the old one, beside it */
    run r, read;
    struct stat info;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", NULL), RNN_OK);
    assert_int_equal(stat("latest.h5", &info), 0);
    for (int i = 0; i < 8; i++) {
        r.progress.step = steps[i % 2];
        assert_refused(RNN_ERR_IO,
                       write_with_limit(&r.checkpoint, (rlim_t)((info.st_size - 1) * i / 7)),
                       "cannot write './.step-");
        assert_int_equal(count_entries("."), 2);
    }
    r.progress.step = 42;
    create_empty(&read, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_read("latest.h5", &read.checkpoint), RNN_OK);
    assert_same_run(&read, &r);
    destroy_run(&read);
    destroy_run(&r);
}

/* -- Damage: found by the digest, before libhdf5 sees a byte -------------------------------------
 */

static bool is_refused_unread(const char *path)
{
    size_t before = rnn_checkpoint_image_reads();
    char *config;
    rnn_status st = rnn_checkpoint_read_config(path, &config);

    rnn_free(config);
    return st == RNN_ERR_DATA && rnn_checkpoint_image_reads() == before;
}

/* A copy of a checkpoint that is small enough to damage everywhere, open for writing. */
static int open_victim(const char *name, off_t *size)
{
    run r;
    char *path;
    int fd;

    create_run(&r, (rnn_layer_cfg[]){{.type = RNN_LAYER_LINEAR, .out_features = 1}}, 1,
               RNN_OPTIMIZER_SGD);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", &path), RNN_OK);
    copy_file(path, name);
    fd = open(name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    *size = lseek(fd, 0, SEEK_END);
    rnn_free(path);
    destroy_run(&r);
    return fd;
}

static void a_checkpoint_cut_anywhere_is_refused(void **state)
{
    off_t size;
    int fd = open_victim("cut.h5", &size);

    (void)state;
    assert_true(size > TRAILER_SIZE);
    for (off_t length = size - 1; length >= 0; length--) {
        assert_int_equal(ftruncate(fd, length), 0);
        if (!is_refused_unread("cut.h5") || strstr(rnn_error_message(), "truncated") == NULL)
            fail_msg("cut to %jd of %jd bytes: %s", (intmax_t)length, (intmax_t)size,
                     rnn_error_message());
    }
    close(fd);
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
    off_t size;
    int fd = open_victim("flipped.h5", &size);

    (void)state;
    for (off_t at = 0; at < size; at++) {
        unsigned char byte, flipped;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        for (int bit = 0; bit < 8; bit++) {
            flipped = (unsigned char)(byte ^ 1 << bit);
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            if (!is_refused_unread("flipped.h5"))
                fail_msg("bit %d of byte %jd of %jd", bit, (intmax_t)at, (intmax_t)size);
        }
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_false(is_refused_unread("flipped.h5"));
    close(fd);
}

static void appended_bytes_are_refused(void **state)
{
    char bytes[2 * TRAILER_SIZE] = "";
    off_t size;
    int fd = open_victim("longer.h5", &size);

    (void)state;
    for (size_t i = 1; i <= sizeof bytes; i++) {
        assert_int_equal(pwrite(fd, bytes, i, size), i);
        assert_true(is_refused_unread("longer.h5"));
    }
    /* A second copy of the trailer has the right magic and the wrong place. */
    assert_int_equal(pread(fd, bytes, TRAILER_SIZE, size - TRAILER_SIZE), TRAILER_SIZE);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(pwrite(fd, bytes, TRAILER_SIZE, size), TRAILER_SIZE);
    assert_true(is_refused_unread("longer.h5"));
    close(fd);
}

/* HDF5's own Fletcher32 takes 0xFFFF for 0x0000: fresh optimizer states could become NaN unseen. */
static void ones_in_a_region_of_zeros_are_refused(void **state)
{
    run r;
    char *path, *bytes;
    size_t n_bytes, at = 0, n_zeros = 0;

    (void)state;
    create_empty(&r, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", &path), RNN_OK);
    assert_int_equal(rnn_file_read(path, MAX_BYTES, (void **)&bytes, &n_bytes), RNN_OK);
    for (; at < n_bytes && n_zeros < 64; at++)
        n_zeros = bytes[at] == 0 ? n_zeros + 1 : 0;
    assert_int_equal(n_zeros, 64);
    memset(bytes + at - 64, 0xFF, 64);
    assert_int_equal(rnn_file_write(path, bytes, n_bytes), RNN_OK);
    assert_true(is_refused_unread(path));
    assert_non_null(strstr(rnn_error_message(), "digest mismatch"));
    rnn_free(bytes);
    rnn_free(path);
    destroy_run(&r);
}

static void other_files_are_refused(void **state)
{
    char *config;

    (void)state;
    assert_int_equal(rnn_file_write("text.h5", "hello, this is a text", 21), RNN_OK);
    assert_true(is_refused_unread("text.h5"));
    assert_non_null(strstr(rnn_error_message(), "not an rnntrain checkpoint"));
    assert_int_equal(mkdir("folder.h5", 0777), 0);
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_read_config("folder.h5", &config), "folder.h5");
}

/* -- Wrong content under a valid digest ----------------------------------------------------------
 */

static const char WEIGHT[] = "/model/0_lstm/weight_ih_l0"; /* [8][3] */
static const char BIAS[] = "/model/2_linear/bias";         /* [5] */

static void set_value(hid_t file, const char *path, size_t i, float value)
{
    float values[64];
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);

    assert_true(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    values[i] = value;
    assert_true(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
}

static void put_attribute(hid_t file, const char *object, const char *name, hid_t type,
                          const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR), attribute;

    H5Adelete_by_name(file, object, name, H5P_DEFAULT);
    attribute =
        H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0 && H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void put_text(hid_t file, const char *object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, strlen(text) + 1);
    put_attribute(file, object, name, type, text);
    H5Tclose(type);
}

static void put_group(hid_t file, const char *path)
{
    H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static const float ZEROS[64];

static void lose_a_tensor(hid_t file)
{
    drop(file, BIAS);
}

static void add_a_tensor(hid_t file)
{
    put_dataset(file, "/model/2_linear/gain", H5T_IEEE_F32LE, space_of(1, 5, 0), H5P_DEFAULT,
                ZEROS);
}

static void name_a_tensor_with_an_escape(hid_t file)
{
    put_dataset(file, "/model/2_linear/\033[2J", H5T_IEEE_F32LE, space_of(1, 5, 0), H5P_DEFAULT,
                ZEROS);
}

static void change_a_shape(hid_t file)
{
    put_dataset(file, WEIGHT, H5T_IEEE_F32LE, space_of(2, 3, 8), H5P_DEFAULT, ZEROS);
}

static void change_a_rank(hid_t file)
{
    put_dataset(file, WEIGHT, H5T_IEEE_F32LE, space_of(1, 24, 0), H5P_DEFAULT, ZEROS);
}

static void make_a_scalar(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32LE, H5Screate(H5S_SCALAR), H5P_DEFAULT, ZEROS);
}

static void make_nothing(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32LE, H5Screate(H5S_NULL), H5P_DEFAULT, NULL);
}

static void make_no_values(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, 0, 0), H5P_DEFAULT, NULL);
}

static void make_doubles(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F64LE, space_of(1, 5, 0), H5P_DEFAULT, NULL);
}

static void swap_bytes(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32BE, space_of(1, 5, 0), H5P_DEFAULT, ZEROS);
}

static void make_integers(hid_t file)
{
    put_dataset(file, BIAS, H5T_STD_I32LE, space_of(1, 5, 0), H5P_DEFAULT, ZEROS);
}

static void make_a_group(hid_t file)
{
    drop(file, BIAS);
    put_group(file, BIAS);
}

static void make_a_named_type(hid_t file)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    drop(file, BIAS);
    assert_true(H5Tcommit2(file, BIAS, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Tclose(type);
}

static void make_a_layer_a_tensor(hid_t file)
{
    put_dataset(file, "/model/2_linear", H5T_IEEE_F32LE, space_of(1, 5, 0), H5P_DEFAULT, ZEROS);
}

static void link_a_tensor_softly(hid_t file)
{
    drop(file, BIAS);
    assert_true(H5Lcreate_soft("/optimizer/exp_avg/2_linear/bias", file, BIAS, H5P_DEFAULT,
                               H5P_DEFAULT) >= 0);
}

static void link_a_tensor_outside(hid_t file)
{
    drop(file, BIAS);
    assert_true(H5Lcreate_external("latest.h5", BIAS, file, BIAS, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_a_tensor_to_itself(hid_t file)
{
    drop(file, BIAS);
    assert_true(H5Lcreate_soft(BIAS, file, BIAS, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_the_model_into_itself(hid_t file)
{
    assert_true(H5Lcreate_hard(file, "/model", file, "/model/2_linear/gain", H5P_DEFAULT,
                               H5P_DEFAULT) >= 0);
}

static void link_the_model_as_a_tensor(hid_t file)
{
    drop(file, BIAS);
    assert_true(H5Lcreate_hard(file, "/model", file, BIAS, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_a_layer_softly(hid_t file)
{
    drop(file, "/model/2_linear");
    assert_true(H5Lcreate_soft("/optimizer/exp_avg/2_linear", file, "/model/2_linear", H5P_DEFAULT,
                               H5P_DEFAULT) >= 0);
}

static void link_the_model_outside(hid_t file)
{
    drop(file, "/model");
    assert_true(
        H5Lcreate_external("latest.h5", "/model", file, "/model", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_a_layer_to_the_root(hid_t file)
{
    drop(file, "/model/2_linear");
    assert_true(H5Lcreate_hard(file, "/", file, "/model/2_linear", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void store_outside(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    assert_true(H5Pset_external(list, "/etc/hostname", 0, 5 * sizeof(float)) >= 0);
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, 5, 0), list, NULL);
}

static void store_virtually(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = space_of(1, 5, 0);

    assert_true(H5Pset_virtual(list, space, "latest.h5", BIAS, space) >= 0);
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space, list, NULL);
}

static void store_in_chunks(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 1, (hsize_t[]){5});
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, 5, 0), list, ZEROS);
}

static void store_through_an_unknown_filter(hid_t file)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(list, 1, (hsize_t[]){5});
    assert_true(H5Pset_filter(list, 305, H5Z_FLAG_OPTIONAL, 0, NULL) >= 0);
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, 5, 0), list, NULL);
}

static void store_nothing(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, 5, 0), H5P_DEFAULT, NULL);
}

static void declare_four_tebibytes(hid_t file)
{
    put_dataset(file, BIAS, H5T_IEEE_F32LE, space_of(1, (hsize_t)1 << 40, 0), H5P_DEFAULT, NULL);
}

static void declare_a_long_history(hid_t file)
{
    put_dataset(file, "/history/train.loss", H5T_IEEE_F64LE, space_of(1, (hsize_t)1 << 40, 0),
                H5P_DEFAULT, NULL);
}

static void make_history_uneven(hid_t file)
{
    put_dataset(file, "/history/test.accuracy", H5T_IEEE_F64LE, space_of(1, 2, 0), H5P_DEFAULT,
                ZEROS);
}

static void make_history_a_table(hid_t file)
{
    put_dataset(file, "/history/train.loss", H5T_IEEE_F64LE, space_of(2, 3, 1), H5P_DEFAULT, ZEROS);
}

static void lose_a_metric(hid_t file)
{
    drop(file, "/history/train.loss");
}

static void poison_a_weight(hid_t file)
{
    set_value(file, WEIGHT, 7, NAN);
}

static void poison_a_state(hid_t file)
{
    set_value(file, "/optimizer/exp_avg/2_linear/bias", 2, -INFINITY);
}

static void change_a_weight(hid_t file)
{
    set_value(file, WEIGHT, 7, 0.5f);
}

static void rename_a_layer(hid_t file)
{
    assert_true(H5Lmove(file, "/model/0_lstm", file, "/model/0_gru", H5P_DEFAULT, H5P_DEFAULT) >=
                0);
}

static void add_a_layer(hid_t file)
{
    put_group(file, "/model/3_linear");
}

static void add_a_state(hid_t file)
{
    put_group(file, "/optimizer/momentum_buffer");
}

static void lose_a_state(hid_t file)
{
    drop(file, "/optimizer/exp_avg");
}

static void lose_the_optimizer(hid_t file)
{
    drop(file, "/optimizer");
}

static void change_the_optimizer(hid_t file)
{
    put_text(file, "/optimizer", "type", "sgd");
}

static void make_the_step_negative(hid_t file)
{
    put_attribute(file, "/progress", "step", H5T_STD_I64LE, &(int64_t){-1});
}

static void make_the_epoch_huge(hid_t file)
{
    put_attribute(file, "/progress", "epoch", H5T_STD_I64LE, &(int64_t){INT64_MAX});
}

static void make_the_samples_unsigned(hid_t file)
{
    put_attribute(file, "/progress", "samples_seen", H5T_STD_U64LE, &(uint64_t){UINT64_MAX});
}

static void make_the_batch_a_vector(hid_t file)
{
    hid_t space = space_of(1, 2, 0);

    H5Adelete_by_name(file, "/progress", "batch_in_epoch", H5P_DEFAULT);
    H5Aclose(H5Acreate_by_name(file, "/progress", "batch_in_epoch", H5T_STD_I64LE, space,
                               H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}

static void make_the_loss_infinite(hid_t file)
{
    put_attribute(file, "/progress", "epoch_loss_sum", H5T_IEEE_F64LE, &(double){INFINITY});
}

static void lose_the_best_step(hid_t file)
{
    H5Adelete_by_name(file, "/progress", "best_step", H5P_DEFAULT);
}

static void make_the_data_digest_a_word(hid_t file)
{
    put_text(file, "/progress", "dataset_digest", "0x\033c");
}

static void make_the_optimizer_step_negative(hid_t file)
{
    put_attribute(file, "/optimizer", "step", H5T_STD_I64LE, &(int64_t){INT64_MIN});
}

static void make_the_scalar_not_a_number(hid_t file)
{
    put_attribute(file, "/optimizer", "scalar", H5T_IEEE_F64LE, &(double){NAN});
}

static void come_from_the_future(hid_t file)
{
    put_attribute(file, "/", "format_version", H5T_STD_I64LE, &(int64_t){7});
}

static void have_version_zero(hid_t file)
{
    put_attribute(file, "/", "format_version", H5T_STD_I64LE, &(int64_t){0});
}

static void be_of_another_program(hid_t file)
{
    put_text(file, "/", "format", "some-checkpoint");
}

static void lose_the_format(hid_t file)
{
    H5Adelete_by_name(file, "/", "format", H5P_DEFAULT);
}

static void vary_the_length_of_the_digest(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    const char *text = "0123456789abcdef";

    H5Tset_size(type, H5T_VARIABLE);
    put_attribute(file, "/", "digest", type, &text);
    H5Tclose(type);
}

static void crafted_content_is_refused_by_name(void **state)
{
    static const struct {
        void (*change)(hid_t file);
        const char *expected;
    } cases[] = {
        {lose_a_tensor, "/model/2_linear lacks bias"},
        {add_a_tensor, "/model/2_linear has the unexpected gain"},
        {name_a_tensor_with_an_escape, "/model/2_linear has the unexpected ?[2J"},
        {change_a_shape, "/model/0_lstm/weight_ih_l0 is [8][3] in the model but [3][8] in"},
        {change_a_rank, "/model/0_lstm/weight_ih_l0 is [8][3] in the model but [24] in"},
        {make_a_scalar, "/model/2_linear/bias is [5] in the model but a single value in"},
        {make_nothing, "/model/2_linear/bias is [5] in the model but empty in"},
        {make_no_values, "/model/2_linear/bias is [5] in the model but [0] in"},
        {make_doubles, "/model/2_linear/bias is not of type little-endian float32"},
        {swap_bytes, "/model/2_linear/bias is not of type little-endian float32"},
        {make_integers, "/model/2_linear/bias is not of type little-endian float32"},
        {make_a_group, "/model/2_linear/bias is not a dataset"},
        {make_a_named_type, "/model/2_linear/bias is not a dataset"},
        {make_a_layer_a_tensor, "/model/2_linear is not a group"},
        {link_a_tensor_softly, "/model/2_linear/bias is a link to elsewhere"},
        {link_a_tensor_outside, "/model/2_linear/bias is a link to elsewhere"},
        {link_a_tensor_to_itself, "/model/2_linear/bias is a link to elsewhere"},
        {link_the_model_into_itself, "/model/2_linear has the unexpected gain"},
        {link_the_model_as_a_tensor, "/model/2_linear/bias is not a dataset"},
        {link_a_layer_softly, "/model/2_linear is a link to elsewhere"},
        {link_the_model_outside, "/model is a link to elsewhere"},
        {link_a_layer_to_the_root, "/model/2_linear lacks weight"},
        {store_outside, "/model/2_linear/bias has external storage"},
        {store_virtually, "/model/2_linear/bias is a virtual dataset"},
        {store_in_chunks, "/model/2_linear/bias is not stored in one piece"},
        {store_through_an_unknown_filter, "/model/2_linear/bias goes through a filter"},
        {store_nothing, "/model/2_linear/bias has 0 bytes stored, its shape needs 20"},
        {declare_four_tebibytes, "/model/2_linear/bias is [5] in the model but [1099511627776]"},
        {declare_a_long_history, "/history/train.loss is not one column that fits"},
        {make_history_uneven, "/history/test.accuracy has 2 rows, the other metrics have 3"},
        {make_history_a_table, "/history/train.loss is not one column"},
        {lose_a_metric, "/history lacks train.loss"},
        {poison_a_weight, "/model/0_lstm/weight_ih_l0 is not finite: value 7 of 24"},
        {poison_a_state, "/optimizer/exp_avg/2_linear/bias is not finite: value 2 of 5"},
        {change_a_weight, "but its parameters have"},
        {rename_a_layer, "the checkpoint has 0_gru, 1_select, 2_linear; the run needs 0_lstm, "
                         "1_select, 2_linear"},
        {add_a_layer, "/model has the unexpected 3_linear"},
        {add_a_state, "/optimizer has the unexpected momentum_buffer"},
        {lose_a_state, "/optimizer lacks exp_avg"},
        {lose_the_optimizer, "/optimizer is missing"},
        {change_the_optimizer, "/optimizer is of type sgd, the run needs adam"},
        {make_the_step_negative, "/progress has the attribute step = -1"},
        {make_the_epoch_huge, "/progress has the attribute epoch = 9223372036854775807"},
        {make_the_samples_unsigned, "/progress has an attribute samples_seen that is not"},
        {make_the_batch_a_vector, "/progress has an attribute batch_in_epoch that is not"},
        {make_the_loss_infinite, "/progress has an attribute epoch_loss_sum that is not finite"},
        {lose_the_best_step, "/progress has no attribute best_step"},
        {make_the_data_digest_a_word, "/progress has the attribute dataset_digest = \"0x?c\", not"},
        {make_the_optimizer_step_negative,
         "/optimizer has the attribute step = -9223372036854775808"},
        {make_the_scalar_not_a_number, "/optimizer has an attribute scalar that is not finite"},
        {come_from_the_future, "has format_version 7, this program reads 1 to 1"},
        {have_version_zero, "has format_version 0"},
        {be_of_another_program, "not an rnntrain checkpoint"},
        {lose_the_format, "not an rnntrain checkpoint"},
        {vary_the_length_of_the_digest, "has an attribute digest that is not a short text"},
    };
    run r, read;
    void *image;
    size_t n_image;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    create_empty(&read, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", NULL), RNN_OK);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        craft("crafted.h5", image, n_image, cases[i].change);
        assert_refused(RNN_ERR_DATA, rnn_checkpoint_read("crafted.h5", &read.checkpoint),
                       cases[i].expected);
        assert_non_null(strstr(rnn_error_message(), "crafted.h5: "));
        assert_untouched(&read);
    }
    rnn_free(image);
    destroy_run(&read);
    destroy_run(&r);
}

static void leave_unchanged(hid_t file)
{
    (void)file;
}

/* Else the test above would also pass with a reader that refuses all that `craft` makes. */
static void a_resealed_checkpoint_is_accepted(void **state)
{
    run r, read;
    void *image;
    size_t n_image;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    create_empty(&read, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    craft("crafted.h5", image, n_image, leave_unchanged);
    assert_int_equal(rnn_checkpoint_read("crafted.h5", &read.checkpoint), RNN_OK);
    assert_same_run(&read, &r);
    rnn_free(image);
    destroy_run(&read);
    destroy_run(&r);
}

/* -- Blocks --------------------------------------------------------------------------------------
 */

enum { N_BLOCKS = 4 };

static float states[2][3][2] = {{{1.0f, -0.0f}, {2.5f, 3.0f}, {4.0f, 5.0f}}, {{6.0f, 1e-42f}}};
static double means[3] = {0.1, -1e300, 5e-324};
static char words[3][4] = {
    "a", {(char)0xC3, (char)0xA9, '\n', '!'}, ""}; /* one that fills its row, one that is empty */

static const rnn_block written_blocks[N_BLOCKS] = {
    {"state/0_lstm/h", RNN_BLOCK_FLOAT32, 3, {2, 3, 2}, states},
    {"data/mean", RNN_BLOCK_FLOAT64, 1, {3}, means},
    {"data/texts", RNN_BLOCK_TEXTS, 2, {3, 4}, words},
    {"alone", RNN_BLOCK_FLOAT64, 2, {1, 2}, means},
};

/* What a reader asks for: the paths and types alone, and shapes of nothing. */
static void ask(rnn_block *blocks, const rnn_block *like, size_t n)
{
    memset(blocks, 0xa5, n * sizeof *blocks);
    for (size_t i = 0; i < n; i++) {
        memcpy(blocks[i].path, like[i].path, sizeof like[i].path);
        blocks[i].type = like[i].type;
        blocks[i].values = NULL;
    }
}

static void *image_with_blocks(size_t *n_image)
{
    void *image;
    run r;

    create_trained(&r, RNN_OPTIMIZER_ADAM);
    r.checkpoint.blocks = written_blocks;
    r.checkpoint.n_blocks = N_BLOCKS;
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, n_image),
                     RNN_OK);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", NULL), RNN_OK);
    destroy_run(&r);
    return image;
}

static void blocks_survive_a_round_trip(void **state)
{
    static const size_t n_bytes[N_BLOCKS] = {sizeof states, sizeof means, sizeof words,
                                             2 * sizeof *means};
    rnn_block read[N_BLOCKS];
    size_t n_image;
    run r;

    (void)state;
    rnn_free(image_with_blocks(&n_image));
    ask(read, written_blocks, N_BLOCKS);
    assert_int_equal(rnn_checkpoint_read_blocks("latest.h5", read, N_BLOCKS), RNN_OK);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        assert_int_equal(read[i].n_dims, written_blocks[i].n_dims);
        for (int d = 0; d < read[i].n_dims; d++)
            assert_int_equal(read[i].shape[d], written_blocks[i].shape[d]);
        assert_memory_equal(read[i].values, written_blocks[i].values, n_bytes[i]);
        rnn_free(read[i].values);
    }
    create_empty(&r, RNN_OPTIMIZER_ADAM); /* who does not ask for them does not mind */
    assert_int_equal(rnn_checkpoint_read("latest.h5", &r.checkpoint), RNN_OK);
    destroy_run(&r);
    assert_tool_reads("h5ls -r", "latest.h5", "/data/texts");
}

static void absent_blocks_are_null(void **state)
{
    static const rnn_block none[] = {{.path = "data/std", .type = RNN_BLOCK_FLOAT64},
                                     {.path = "data", .type = RNN_BLOCK_FLOAT64},
                                     {.path = "state/1_gru/h", .type = RNN_BLOCK_FLOAT32},
                                     {.path = "alone/x", .type = RNN_BLOCK_FLOAT32}};
    rnn_block read[4];
    size_t n_image;

    (void)state;
    write_step(".", 1, NULL);
    ask(read, written_blocks, N_BLOCKS);
    assert_int_equal(rnn_checkpoint_read_blocks("latest.h5", read, N_BLOCKS), RNN_OK);
    for (size_t i = 0; i < N_BLOCKS; i++)
        assert_null(read[i].values);
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_read_blocks("none.h5", read, N_BLOCKS),
                   "none.h5");
    rnn_free(image_with_blocks(&n_image));
    ask(read, none, 4);
    assert_int_equal(rnn_checkpoint_read_blocks("latest.h5", read, 1), RNN_OK);
    assert_int_equal(rnn_checkpoint_read_blocks("latest.h5", read + 2, 2), RNN_OK);
    assert_null(read[0].values);
    assert_null(read[2].values);
    assert_null(read[3].values); /* below a dataset there is nothing */
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read_blocks("latest.h5", read + 1, 1),
                   "/data is not a dataset");
    assert_null(read[1].values);
}

static void a_block_that_is_not_finite_is_not_written(void **state)
{
    static double bad[] = {1.0, (double)INFINITY};
    static float worse[] = {NAN};
    static const rnn_block blocks[] = {{"data/mean", RNN_BLOCK_FLOAT64, 1, {2}, bad},
                                       {"state/x", RNN_BLOCK_FLOAT32, 2, {1, 1}, worse}};
    static const char *const expected[] = {"/data/mean is not finite: value 1 of 2 is inf",
                                           "/state/x is not finite: value 0 of 1"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run r;

        create_trained(&r, RNN_OPTIMIZER_ADAM);
        r.checkpoint.blocks = &blocks[i];
        r.checkpoint.n_blocks = 1;
        assert_refused(RNN_ERR_NONFINITE, rnn_checkpoint_write(&r.checkpoint, ".", NULL),
                       expected[i]);
        assert_int_equal(count_entries("."), 0);
        destroy_run(&r);
    }
}

static void make_states_double(hid_t file)
{
    put_dataset(file, "/state/0_lstm/h", H5T_IEEE_F64LE, space_of(1, 3, 0), H5P_DEFAULT, means);
}

static void make_means_float(hid_t file)
{
    put_dataset(file, "/data/mean", H5T_IEEE_F32LE, space_of(1, 3, 0), H5P_DEFAULT, ZEROS);
}

static void make_means_text(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, 8);
    put_dataset(file, "/data/mean", type, space_of(1, 3, 0), H5P_DEFAULT, ZEROS);
    H5Tclose(type);
}

static void make_texts_numbers(hid_t file)
{
    put_dataset(file, "/data/texts", H5T_IEEE_F32LE, space_of(1, 3, 0), H5P_DEFAULT, ZEROS);
}

static void vary_the_length_of_texts(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    put_dataset(file, "/data/texts", type, space_of(1, 3, 0), H5P_DEFAULT, NULL);
    H5Tclose(type);
}

static void make_texts_a_table(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, 4);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    put_dataset(file, "/data/texts", type, space_of(2, 3, 1), H5P_DEFAULT, words);
    H5Tclose(type);
}

static void make_a_mean_a_scalar(hid_t file)
{
    put_dataset(file, "/data/mean", H5T_IEEE_F64LE, H5Screate(H5S_SCALAR), H5P_DEFAULT, means);
}

static void give_states_four_dimensions(hid_t file)
{
    hid_t space = H5Screate_simple(4, (hsize_t[]){2, 1, 3, 2}, NULL);

    put_dataset(file, "/state/0_lstm/h", H5T_IEEE_F32LE, space, H5P_DEFAULT, states);
}

static void store_no_mean(hid_t file)
{
    put_dataset(file, "/data/mean", H5T_IEEE_F64LE, space_of(1, 3, 0), H5P_DEFAULT, NULL);
}

static void declare_endless_states(hid_t file)
{
    hid_t space = H5Screate_simple(3, (hsize_t[]){1ull << 30, 1ull << 30, 1ull << 30}, NULL);

    put_dataset(file, "/state/0_lstm/h", H5T_IEEE_F32LE, space, H5P_DEFAULT, NULL);
}

static void make_a_block_a_group(hid_t file)
{
    drop(file, "/data/mean");
    put_group(file, "/data/mean");
}

static void link_a_block_softly(hid_t file)
{
    drop(file, "/data/mean");
    assert_true(H5Lcreate_soft("/alone", file, "/data/mean", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_blocks_softly(hid_t file)
{
    assert_true(H5Lmove(file, "/data", file, "/other", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_soft("/other", file, "/data", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

/* The other blocks, read before or after it, are given back. */
static void crafted_blocks_are_refused_by_name(void **state)
{
    static const struct {
        void (*change)(hid_t file);
        const char *expected;
    } cases[] = {
        {make_states_double, "/state/0_lstm/h is not of type little-endian float"},
        {make_means_float, "/data/mean is not of type little-endian float"},
        {make_means_text, "/data/mean is not of type little-endian float"},
        {make_texts_numbers, "/data/texts is not of type text of fixed length"},
        {vary_the_length_of_texts, "/data/texts is not of type text of fixed length"},
        {make_texts_a_table, "/data/texts has 2 dimensions, expected 1"},
        {make_a_mean_a_scalar, "/data/mean has 0 dimensions, expected 1 to 3"},
        {give_states_four_dimensions, "/state/0_lstm/h has 4 dimensions, expected 1 to 3"},
        {store_no_mean, "/data/mean has 0 bytes stored, its shape needs 24"},
        {declare_endless_states, "/state/0_lstm/h "},
        {make_a_block_a_group, "/data/mean is not a dataset"},
        {link_a_block_softly, "/data/mean is a link to elsewhere"},
        {link_blocks_softly, "/data is a link to elsewhere"},
    };
    size_t n_image;
    void *image;

    (void)state;
    image = image_with_blocks(&n_image);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rnn_block read[N_BLOCKS];

        ask(read, written_blocks, N_BLOCKS);
        craft("crafted.h5", image, n_image, cases[i].change);
        assert_refused(RNN_ERR_DATA, rnn_checkpoint_read_blocks("crafted.h5", read, N_BLOCKS),
                       cases[i].expected);
        assert_non_null(strstr(rnn_error_message(), "crafted.h5: "));
        for (size_t k = 0; k < N_BLOCKS; k++)
            assert_null(read[k].values);
    }
    rnn_free(image);
}

static void lose_later_progress(hid_t file)
{
    static const char *const names[] = {"epoch_targets", "stale_epochs", "plateau_scale",
                                        "plateau_best", "plateau_bad_epochs"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(H5Adelete_by_name(file, "/progress", names[i], H5P_DEFAULT) >= 0);
}

static void progress_of_older_files_has_defaults(void **state)
{
    run r, read;
    void *image;
    size_t n_image;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    create_empty(&read, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    craft("crafted.h5", image, n_image, lose_later_progress);
    assert_int_equal(rnn_checkpoint_read("crafted.h5", &read.checkpoint), RNN_OK);
    assert_int_equal(read.progress.epoch_targets, r.progress.epoch_samples);
    assert_int_equal(read.progress.stale_epochs, 0);
    assert_int_equal(read.progress.plateau_bad_epochs, 0);
    assert_true(read.progress.plateau_scale == 1.0 && isnan(read.progress.plateau_best));
    rnn_free(image);
    destroy_run(&read);
    destroy_run(&r);
}

/* -- Layers without a configuration -------------------------------------------------------------
 */

enum { N_EVERY = 13 };

static const rnn_shape tokens = {.seq_len = 4, .n_features = 1, .n_tokens = 6};

/* Layers of all types but one, most arguments not their default. */
static void make_every_layer(rnn_layer_cfg layers[N_EVERY])
{
    static const rnn_layer_type types[N_EVERY] = {
        RNN_LAYER_EMBEDDING, RNN_LAYER_LSTM,   RNN_LAYER_LAYERNORM, RNN_LAYER_DROPOUT,
        RNN_LAYER_RNN,       RNN_LAYER_GRU,    RNN_LAYER_RNNCELL,   RNN_LAYER_LSTMCELL,
        RNN_LAYER_GRUCELL,   RNN_LAYER_LINEAR, RNN_LAYER_SELECT,    RNN_LAYER_ACTIVATION,
        RNN_LAYER_LINEAR};

    for (size_t i = 0; i < N_EVERY; i++) {
        layers[i] = rnn_layer_defaults(types[i]);
        layers[i].hidden_size = 2 + (int64_t)i;
        layers[i].out_features = 3;
        layers[i].h0 = -0.5;
        layers[i].c0 = 0.1;
        layers[i].embedding_dim = 5;
        layers[i].padding_idx = 2;
        layers[i].p = 0.125;
        layers[i].variational = true;
        layers[i].eps = 1e-3;
        layers[i].step = RNN_SELECT_MEAN;
        layers[i].function = RNN_ACTIVATION_SIGMOID;
        layers[i].nonlinearity = RNN_NONLINEARITY_RELU;
    }
    layers[1].num_layers = 2;
    layers[1].dropout = 0.25;
    layers[1].bidirectional = layers[1].batch_first = true;
    layers[1].proj_size = 2;
    layers[5].bias = layers[2].bias = layers[12].bias = false;
    layers[12].in_features = 3;
}

/* Field by field: the bytes between them mean nothing. */
static void assert_same_layer(const rnn_layer_cfg *a, const rnn_layer_cfg *b)
{
    assert_int_equal(a->type, b->type);
    for (size_t i = 0; i < rnn_layer_n_args; i++) {
        const rnn_layer_arg *arg = &rnn_layer_args[i];
        const void *in_a = (const char *)a + arg->offset, *in_b = (const char *)b + arg->offset;

        if (arg->kind == RNN_ARG_FLAG)
            assert_int_equal(*(const bool *)in_a, *(const bool *)in_b);
        else if (arg->kind == RNN_ARG_CHOICE)
            assert_int_equal(*(const int *)in_a, *(const int *)in_b);
        else
            assert_memory_equal(in_a, in_b, sizeof(int64_t));
    }
}

/* The model can be built from the checkpoint alone, with the input that the layers tell. */
static void layers_read_back_with_all_sizes(void **state)
{
    static const int64_t n_in[N_EVERY] = {0, 5, 4, 4, 4, 6, 7, 8, 9, 10, 3, 3, 3};
    rnn_layer_cfg layers[N_EVERY], found[RNN_MODEL_MAX_LAYERS];
    run written, read;
    size_t n;

    (void)state;
    make_every_layer(layers);
    create_run_for(&written, layers, N_EVERY, tokens, RNN_OPTIMIZER_ADAM);
    fill(written.params, rnn_model_size(written.model), 3);
    assert_int_equal(rnn_checkpoint_write(&written.checkpoint, ".", NULL), RNN_OK);
    if (rnn_checkpoint_read_layers("latest.h5", found, &n) != RNN_OK)
        fail_msg("%s", rnn_error_message());
    assert_int_equal(n, N_EVERY);
    for (size_t i = 0; i < n; i++) {
        rnn_layer_cfg expected = rnn_layer_normalize(&layers[i]);

        expected.num_embeddings = i == 0 ? 6 : 0;
        if (rnn_layer_is_recurrent(expected.type))
            expected.input_size = n_in[i];
        if (expected.type == RNN_LAYER_LINEAR)
            expected.in_features = n_in[i];
        assert_same_layer(&found[i], &expected);
    }
    create_run_for(&read, found, n, tokens, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_read("latest.h5", &read.checkpoint), RNN_OK);
    assert_same_run(&read, &written);
    destroy_run(&read);
    destroy_run(&written);
}

static void the_number_of_classes_reads_back(void **state)
{
    rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_ONEHOT),
                              rnn_layer_defaults(RNN_LAYER_LINEAR)};
    rnn_layer_cfg found[RNN_MODEL_MAX_LAYERS];
    run r;
    size_t n;

    (void)state;
    layers[1].out_features = 2;
    create_run_for(&r, layers, 2, tokens, RNN_OPTIMIZER_SGD);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", NULL), RNN_OK);
    assert_int_equal(rnn_checkpoint_read_layers("latest.h5", found, &n), RNN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(found[0].num_classes, 6);
    assert_int_equal(found[1].in_features, 6);
    destroy_run(&r);
}

/* The weight is there once, under the embedding; without a bias the layer's group is empty. */
static void a_tied_layer_reads_back(void **state)
{
    (void)state;
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        rnn_layer_cfg layers[] = {rnn_layer_defaults(RNN_LAYER_EMBEDDING),
                                  rnn_layer_defaults(RNN_LAYER_GRU),
                                  rnn_layer_defaults(RNN_LAYER_LINEAR)};
        rnn_layer_cfg found[RNN_MODEL_MAX_LAYERS];
        run written, read;
        hid_t file;
        size_t n;

        layers[0].embedding_dim = layers[1].hidden_size = 3;
        layers[2].tied = true;
        layers[2].bias = with_bias;
        create_run_for(&written, layers, 3, tokens, RNN_OPTIMIZER_ADAM);
        fill(written.params, rnn_model_size(written.model), 3);
        assert_int_equal(rnn_checkpoint_write(&written.checkpoint, ".", NULL), RNN_OK);
        file = H5Fopen("latest.h5", H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(H5Lexists(file, "/model/0_embedding/weight", H5P_DEFAULT) > 0);
        assert_true(H5Lexists(file, "/model/2_linear", H5P_DEFAULT) > 0);
        assert_true(H5Lexists(file, "/model/2_linear/weight", H5P_DEFAULT) == 0);
        assert_int_equal(H5Lexists(file, "/model/2_linear/bias", H5P_DEFAULT) > 0, with_bias);
        H5Fclose(file);
        assert_int_equal(rnn_checkpoint_read_layers("latest.h5", found, &n), RNN_OK);
        assert_int_equal(n, 3);
        assert_true(found[2].tied);
        assert_int_equal(found[2].in_features, 3);
        assert_int_equal(found[2].out_features, 6);
        create_run_for(&read, found, n, tokens, RNN_OPTIMIZER_ADAM);
        assert_int_equal(rnn_checkpoint_read("latest.h5", &read.checkpoint), RNN_OK);
        assert_same_run(&read, &written);
        destroy_run(&read);
        destroy_run(&written);
    }
}

static void a_missing_checkpoint_has_no_layers(void **state)
{
    rnn_layer_cfg found[RNN_MODEL_MAX_LAYERS];
    size_t n = 5;

    (void)state;
    assert_refused(RNN_ERR_NOINPUT, rnn_checkpoint_read_layers("none.h5", found, &n), "none.h5");
    assert_int_equal(n, 0);
}

static void lose_attribute(hid_t file, const char *layer, const char *name)
{
    assert_true(H5Adelete_by_name(file, layer, name, H5P_DEFAULT) >= 0);
}

/* What the first checkpoints had of an lstm: sizes and bias. */
static void be_as_old_as_the_first(hid_t file)
{
    static const char *const names[] = {"batch_first", "dropout", "variational", "bidirectional",
                                        "proj_size",   "h0",      "c0"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        lose_attribute(file, "/model/0_lstm", names[i]);
}

static void lose_the_hidden_size(hid_t file)
{
    lose_attribute(file, "/model/0_lstm", "hidden_size");
}

static void lose_the_input_size(hid_t file)
{
    lose_attribute(file, "/model/0_lstm", "input_size");
}

static void lose_the_type(hid_t file)
{
    lose_attribute(file, "/model/0_lstm", "type");
}

static void change_the_type(hid_t file)
{
    put_text(file, "/model/0_lstm", "type", "gru");
}

static void put_integer(hid_t file, const char *object, const char *name, int64_t value)
{
    put_attribute(file, object, name, H5T_STD_I64LE, &value);
}

static void put_real(hid_t file, const char *object, const char *name, double value)
{
    put_attribute(file, object, name, H5T_IEEE_F64LE, &value);
}

static void make_the_hidden_size_negative(hid_t file)
{
    put_integer(file, "/model/0_lstm", "hidden_size", INT64_MIN);
}

static void make_the_hidden_size_huge(hid_t file)
{
    put_integer(file, "/model/0_lstm", "hidden_size", INT64_MAX);
}

static void make_the_hidden_size_a_text(hid_t file)
{
    put_text(file, "/model/0_lstm", "hidden_size", "2");
}

static void make_the_hidden_size_a_number(hid_t file)
{
    put_real(file, "/model/0_lstm", "hidden_size", 2.0);
}

static void make_the_input_size_zero(hid_t file)
{
    put_integer(file, "/model/0_lstm", "input_size", 0);
}

static void make_too_many_sublayers(hid_t file)
{
    put_integer(file, "/model/0_lstm", "num_layers", 1025);
}

static void make_bias_a_count(hid_t file)
{
    put_integer(file, "/model/0_lstm", "bias", 2);
}

static void make_dropout_certain(hid_t file)
{
    put_real(file, "/model/0_lstm", "dropout", 1.0);
}

static void make_h0_not_a_number(hid_t file)
{
    put_real(file, "/model/0_lstm", "h0", (double)NAN);
}

static void make_the_projection_wide(hid_t file)
{
    put_integer(file, "/model/0_lstm", "proj_size", 2);
}

static void select_nothing_known(hid_t file)
{
    put_text(file, "/model/1_select", "step", "\033[2J");
}

static void lose_a_layer_in_the_middle(hid_t file)
{
    drop(file, "/model/1_select");
}

static void double_a_layer(hid_t file)
{
    assert_true(H5Lcopy(file, "/model/0_lstm", file, "/model/0_gru", H5P_DEFAULT, H5P_DEFAULT) >=
                0);
}

static void number_a_layer_strangely(hid_t file)
{
    assert_true(
        H5Lmove(file, "/model/2_linear", file, "/model/02_linear", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void have_an_unknown_layer(hid_t file)
{
    assert_true(
        H5Lmove(file, "/model/2_linear", file, "/model/2_conv2d", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void have_no_layers(hid_t file)
{
    drop(file, "/model/0_lstm");
    drop(file, "/model/1_select");
    drop(file, "/model/2_linear");
}

static void have_too_many_layers(hid_t file)
{
    for (int i = 3; i < 65; i++) {
        char path[32];

        snprintf(path, sizeof path, "/model/%d_select", i);
        put_group(file, path);
        put_text(file, path, "type", "select");
    }
}

static void lose_the_model(hid_t file)
{
    drop(file, "/model");
}

static void crafted_layers_are_refused_by_name(void **state)
{
    static const struct {
        void (*change)(hid_t file);
        const char *expected;
    } cases[] = {
        {lose_the_hidden_size, "/model/0_lstm has no attribute hidden_size"},
        {lose_the_input_size, "/model/0_lstm has no attribute input_size"},
        {lose_the_type, "/model/0_lstm has no attribute type"},
        {change_the_type,
         "/model/0_lstm has the attribute type = \"gru\", which is not in its name"},
        {make_the_hidden_size_negative,
         "/model/0_lstm is no layer: layer 0 (lstm): hidden_size: expected an integer "
         "(1..16777216), found -9223372036854775808"},
        {make_the_hidden_size_huge, "hidden_size: expected an integer (1..16777216), found"},
        {make_the_hidden_size_a_text, "/model/0_lstm has an attribute hidden_size that is not a "
                                      "64-bit little-endian integer"},
        {make_the_hidden_size_a_number, "/model/0_lstm has an attribute hidden_size that is not"},
        {make_the_input_size_zero,
         "/model/0_lstm has the attribute input_size = 0, which must be above 0"},
        {make_too_many_sublayers, "num_layers: expected an integer (1..1024), found 1025"},
        {make_bias_a_count, "/model/0_lstm has the attribute bias = 2, not 0 or 1"},
        {make_dropout_certain, "dropout: expected a number (0..below 1), found 1"},
        {make_h0_not_a_number, "/model/0_lstm has an attribute h0 that is not finite: nan"},
        {make_the_projection_wide, "proj_size is 2, but must be less than hidden_size, 2"},
        {select_nothing_known, "/model/1_select has the attribute step = \"?[2J\", expected one of "
                               "last, first, mean, max"},
        {lose_a_layer_in_the_middle, "/model has no layer 1 of a known type"},
        {double_a_layer, "/model has no layer 3 of a known type"},
        {number_a_layer_strangely, "/model has no layer 2 of a known type"},
        {have_an_unknown_layer, "/model has no layer 2 of a known type"},
        {have_no_layers, "/model has 0 layers, expected 1 to 64"},
        {have_too_many_layers, "/model has 65 layers, expected 1 to 64"},
        {lose_the_model, "/model is missing"},
        {make_a_layer_a_tensor, "/model/2_linear is not a group"},
        {link_a_layer_softly, "/model/2_linear is a link to elsewhere"},
        {link_the_model_outside, "/model is a link to elsewhere"},
        {link_a_layer_to_the_root, "/model/2_linear has no attribute type"},
        {come_from_the_future, "has format_version 7, this program reads 1 to 1"},
    };
    rnn_layer_cfg found[RNN_MODEL_MAX_LAYERS];
    run r;
    void *image;
    size_t n_image;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_SGD);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    assert_int_equal(rnn_checkpoint_write(&r.checkpoint, ".", NULL), RNN_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 5;

        craft("crafted.h5", image, n_image, cases[i].change);
        assert_refused(RNN_ERR_DATA, rnn_checkpoint_read_layers("crafted.h5", found, &n),
                       cases[i].expected);
        assert_non_null(strstr(rnn_error_message(), "crafted.h5: "));
        assert_int_equal(n, 0);
    }
    rnn_free(image);
    destroy_run(&r);
}

static void layers_of_older_files_have_defaults(void **state)
{
    rnn_layer_cfg found[RNN_MODEL_MAX_LAYERS], expected = rnn_layer_defaults(RNN_LAYER_LSTM);
    run r, read;
    void *image;
    size_t n_image, n;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_SGD);
    create_empty(&read, RNN_OPTIMIZER_SGD);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    craft("crafted.h5", image, n_image, be_as_old_as_the_first);
    assert_int_equal(rnn_checkpoint_read_layers("crafted.h5", found, &n), RNN_OK);
    assert_int_equal(n, 3);
    expected.input_size = 3;
    expected.hidden_size = expected.num_layers = 2;
    assert_same_layer(&found[0], &expected);
    assert_int_equal(rnn_checkpoint_read("crafted.h5", &read.checkpoint), RNN_OK);
    assert_same_run(&read, &r);
    rnn_free(image);
    destroy_run(&read);
    destroy_run(&r);
}

/*
 * Moves tensors to where only their first value is inside the file. A header describes contiguous
 * storage as version 3, class 1, address, size; the size finds the tensors with 5 values. Newer
 * releases of libhdf5 refuse this too, in words that differ.
 */
static void a_tensor_beyond_the_end_is_refused(void **state)
{
    run r;
    char *image;
    size_t n_image, n_found = 0;
    uint64_t address, n_bytes = 5 * sizeof(float);

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    assert_int_equal(
        rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, (void **)&image, &n_image),
        RNN_OK);
    address = n_image - n_bytes + sizeof(float);
    for (size_t at = 2; at + 16 <= n_image; at++)
        if (memcmp(image + at + 8, &n_bytes, 8) == 0 && memcmp(image + at - 2, "\3\1", 2) == 0) {
            memcpy(image + at, &address, 8);
            n_found++;
        }
    assert_int_equal(n_found, 1 + rnn_optimizer_n_states(r.optimizer));
    write_sealed("crafted.h5", image, n_image, 1, n_image);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read("crafted.h5", &r.checkpoint),
                   "/model/2_linear/bias ");
    rnn_free(image);
    destroy_run(&r);
}

static void lose_the_config(hid_t file)
{
    drop(file, "/config");
}

static void make_the_config_a_number(hid_t file)
{
    put_dataset(file, "/config", H5T_IEEE_F32LE, H5Screate(H5S_SCALAR), H5P_DEFAULT, ZEROS);
}

static void vary_the_length_of_the_config(hid_t file)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    const char *text = CONFIG;

    H5Tset_size(type, H5T_VARIABLE);
    put_dataset(file, "/config", type, H5Screate(H5S_SCALAR), H5P_DEFAULT, &text);
    H5Tclose(type);
}

static void a_crafted_configuration_is_refused(void **state)
{
    static void (*const changes[])(hid_t) = {lose_the_config, make_the_config_a_number,
                                             vary_the_length_of_the_config};
    run r;
    void *image;
    size_t n_image;
    char *config;

    (void)state;
    create_trained(&r, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_image_write(&r.checkpoint, CREATED_AT, 0, &image, &n_image),
                     RNN_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        craft("crafted.h5", image, n_image, changes[i]);
        assert_refused(RNN_ERR_DATA, rnn_checkpoint_read_config("crafted.h5", &config), "/config");
        assert_null(config);
    }
    rnn_free(image);
    destroy_run(&r);
}

static void a_sealed_file_that_is_not_hdf5_is_refused(void **state)
{
    static const char text[] = "not HDF5 at all";
    char *config;

    (void)state;
    write_sealed("text.h5", text, sizeof text, 1, sizeof text);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read_config("text.h5", &config),
                   "not an rnntrain checkpoint");
    write_sealed("text.h5", text, sizeof text, 1, sizeof text + 1);
    assert_true(is_refused_unread("text.h5"));
    write_sealed("text.h5", text, sizeof text, 2, sizeof text);
    assert_true(is_refused_unread("text.h5"));
    assert_non_null(strstr(rnn_error_message(), "version 2"));
}

static void another_model_is_refused_with_both_shapes(void **state)
{
    static const rnn_layer_cfg wider[] = {
        {.type = RNN_LAYER_LSTM, .hidden_size = 4, .num_layers = 2, .bias = true},
        {.type = RNN_LAYER_SELECT},
        {.type = RNN_LAYER_LINEAR, .out_features = 5, .bias = true}};
    static const rnn_layer_cfg gru[] = {
        {.type = RNN_LAYER_GRU, .hidden_size = 2, .num_layers = 1, .bias = true}};
    run read;

    (void)state;
    write_step(".", 1, NULL);
    create_run(&read, wider, 3, RNN_OPTIMIZER_ADAM);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read("latest.h5", &read.checkpoint),
                   "0_lstm/weight_ih_l0 is [16][3] in the model but [8][3] in");
    destroy_run(&read);
    create_run(&read, gru, 1, RNN_OPTIMIZER_ADAM);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read("latest.h5", &read.checkpoint),
                   "(the checkpoint has 0_lstm, 1_select, 2_linear; the run needs 0_gru)");
    destroy_run(&read);
}

static void another_optimizer_is_refused(void **state)
{
    run read;

    (void)state;
    write_step(".", 1, NULL);
    create_empty(&read, RNN_OPTIMIZER_SGD);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_read("latest.h5", &read.checkpoint),
                   "/optimizer is of type adam, the run needs sgd");
    assert_untouched(&read);
    destroy_run(&read);
}

/* -- Keeping, finding, setting aside --------------------------------------------------------------
 */

static const char *step_path(uint64_t step)
{
    static char path[64];

    snprintf(path, sizeof path, "run/step-%010" PRIu64 ".h5", step);
    return path;
}

/* A folder run/ with checkpoints of steps 1 to n. */
static void write_steps(uint64_t n)
{
    assert_int_equal(rnn_folder_create("run"), RNN_OK);
    for (uint64_t step = 1; step <= n; step++)
        write_step("run", step, NULL);
}

static void damage(uint64_t step)
{
    assert_int_equal(truncate(step_path(step), 100), 0);
}

static void assert_link(const char *path, const char *expected)
{
    char target[64] = "";

    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, expected);
}

/* Reports of skipped files, joined. */
static void collect(const char *text, void *context)
{
    char *all = context;

    snprintf(all + strlen(all), 4096 - strlen(all), "%s\n", text);
}

static void latest_points_to_the_last_one_written(void **state)
{
    (void)state;
    write_steps(2);
    assert_link("run/latest.h5", "step-0000000002.h5");
    write_step("run", 1, NULL);
    assert_link("run/latest.h5", "step-0000000001.h5");
}

static void pruning_keeps_the_newest_and_the_best(void **state)
{
    (void)state;
    write_steps(5);
    assert_int_equal(rnn_checkpoint_mark_best("run", 2), RNN_OK);
    assert_int_equal(rnn_checkpoint_prune("run", 0), RNN_OK);
    assert_int_equal(count_entries("run"), 7);
    assert_int_equal(rnn_file_write("run/step-1.h5", "", 0), RNN_OK); /* not a name of ours */
    assert_int_equal(rnn_checkpoint_prune("run", 2), RNN_OK);
    assert_int_equal(count_entries("run"), 6);
    assert_link("run/best.h5", "step-0000000002.h5");
    assert_true(exists(step_path(2)) && exists(step_path(4)) && exists(step_path(5)));
    assert_true(exists("run/step-1.h5"));
}

/* After going back to an earlier step, the newest by number are not the last by time. */
static void pruning_keeps_what_was_written_last(void **state)
{
    (void)state;
    write_steps(3);
    write_step("run", 1, NULL);
    assert_int_equal(rnn_checkpoint_prune("run", 1), RNN_OK);
    assert_true(exists(step_path(1)) && !exists(step_path(2)) && exists(step_path(3)));
}

static void only_an_existing_checkpoint_is_the_best(void **state)
{
    (void)state;
    write_steps(1);
    assert_refused(RNN_ERR_IO, rnn_checkpoint_mark_best("run", 2), "step-0000000002.h5");
    assert_int_equal(count_entries("run"), 2);
}

static void the_newest_checkpoint_is_found(void **state)
{
    char *path, reports[4096] = "";

    (void)state;
    assert_int_equal(rnn_checkpoint_find("run", &path, collect, reports), RNN_OK);
    assert_null(path);
    write_steps(2);
    write_step("run", 1000000000, NULL);
    assert_int_equal(rnn_file_write("run/step-99999999999.h5", "", 0), RNN_OK);
    assert_int_equal(rnn_file_write("run/.latest.h5.tmp-2147483647", "", 0), RNN_OK);
    assert_int_equal(rnn_checkpoint_find("run", &path, collect, reports), RNN_OK);
    assert_string_equal(path, "run/step-1000000000.h5");
    assert_string_equal(reports, "");
    assert_false(exists("run/.latest.h5.tmp-2147483647"));
    rnn_free(path);
}

static void damaged_checkpoints_are_skipped_and_reported(void **state)
{
    char *path, reports[4096] = "";

    (void)state;
    write_steps(3);
    damage(3);
    assert_int_equal(mkdir(step_path(4), 0777), 0);
    assert_int_equal(rnn_checkpoint_find("run", &path, collect, reports), RNN_OK);
    assert_string_equal(path, step_path(2));
    assert_non_null(strstr(reports, "run/step-0000000003.h5: truncated"));
    assert_non_null(strstr(reports, "run/step-0000000004.h5"));
    rnn_free(path);
}

static void only_damaged_checkpoints_are_an_error(void **state)
{
    char *path;

    (void)state;
    write_steps(2);
    damage(1);
    damage(2);
    assert_refused(RNN_ERR_DATA, rnn_checkpoint_find("run", &path, NULL, NULL),
                   "none of the 2 checkpoints in 'run'");
    assert_null(path);
    assert_int_equal(rnn_file_write("file", "", 0), RNN_OK);
    assert_refused(RNN_ERR_IO, rnn_checkpoint_find("file", &path, NULL, NULL), "'file'");
}

static void setting_aside_moves_a_run(void **state)
{
    run read;
    char *moved_to;

    (void)state;
    assert_int_equal(rnn_checkpoint_set_aside("run", &moved_to), RNN_OK);
    assert_null(moved_to);
    write_steps(2);
    assert_int_equal(rnn_checkpoint_mark_best("run", 1), RNN_OK);
    assert_int_equal(rnn_file_write("run/metrics.jsonl", "{}\n", 3), RNN_OK);
    assert_int_equal(rnn_file_write("run/events.out.tfevents.1.host.2", "", 0), RNN_OK);
    assert_int_equal(rnn_file_write("run/notes.txt", "mine", 4), RNN_OK);
    assert_int_equal(rnn_checkpoint_set_aside("run", &moved_to), RNN_OK);
    assert_string_equal(moved_to, "run/previous-1");
    assert_int_equal(count_entries("run"), 2);
    assert_int_equal(count_entries("run/previous-1"), 6);
    create_empty(&read, RNN_OPTIMIZER_ADAM);
    assert_int_equal(rnn_checkpoint_read("run/previous-1/best.h5", &read.checkpoint), RNN_OK);
    destroy_run(&read);
    rnn_free(moved_to);
    assert_int_equal(rnn_checkpoint_set_aside("run", &moved_to), RNN_OK);
    assert_null(moved_to);
    write_steps(1);
    assert_int_equal(rnn_checkpoint_set_aside("run", &moved_to), RNN_OK);
    assert_string_equal(moved_to, "run/previous-2");
    rnn_free(moved_to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_optimizer_survives_a_round_trip),
        IN_FOLDER(a_run_without_history_survives_a_round_trip),
        IN_FOLDER(parameters_can_be_read_alone),
        IN_FOLDER(the_configuration_reads_back),
        IN_FOLDER(equal_states_give_equal_images),
        IN_FOLDER(h5dump_reads_a_checkpoint),
        IN_FOLDER(h5ls_reads_a_checkpoint),
        IN_FOLDER(a_parameter_that_is_not_finite_is_not_written),
        IN_FOLDER(a_state_that_is_not_finite_is_not_written),
        IN_FOLDER(a_step_beyond_the_names_is_not_written),
        IN_FOLDER(a_folder_that_takes_no_files_is_named),
        IN_FOLDER(a_full_disk_leaves_the_old_checkpoint),
        IN_FOLDER(a_checkpoint_cut_anywhere_is_refused),
        IN_FOLDER(a_flipped_bit_anywhere_is_refused),
        IN_FOLDER(appended_bytes_are_refused),
        IN_FOLDER(ones_in_a_region_of_zeros_are_refused),
        IN_FOLDER(other_files_are_refused),
        IN_FOLDER(crafted_content_is_refused_by_name),
        IN_FOLDER(a_resealed_checkpoint_is_accepted),
        IN_FOLDER(blocks_survive_a_round_trip),
        IN_FOLDER(absent_blocks_are_null),
        IN_FOLDER(a_block_that_is_not_finite_is_not_written),
        IN_FOLDER(crafted_blocks_are_refused_by_name),
        IN_FOLDER(progress_of_older_files_has_defaults),
        IN_FOLDER(layers_read_back_with_all_sizes),
        IN_FOLDER(the_number_of_classes_reads_back),
        IN_FOLDER(a_tied_layer_reads_back),
        IN_FOLDER(a_missing_checkpoint_has_no_layers),
        IN_FOLDER(crafted_layers_are_refused_by_name),
        IN_FOLDER(layers_of_older_files_have_defaults),
        IN_FOLDER(a_tensor_beyond_the_end_is_refused),
        IN_FOLDER(a_crafted_configuration_is_refused),
        IN_FOLDER(a_sealed_file_that_is_not_hdf5_is_refused),
        IN_FOLDER(another_model_is_refused_with_both_shapes),
        IN_FOLDER(another_optimizer_is_refused),
        IN_FOLDER(latest_points_to_the_last_one_written),
        IN_FOLDER(pruning_keeps_the_newest_and_the_best),
        IN_FOLDER(pruning_keeps_what_was_written_last),
        IN_FOLDER(only_an_existing_checkpoint_is_the_best),
        IN_FOLDER(the_newest_checkpoint_is_found),
        IN_FOLDER(damaged_checkpoints_are_skipped_and_reported),
        IN_FOLDER(only_damaged_checkpoints_are_an_error),
        IN_FOLDER(setting_aside_moves_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
