#include "framework/event_file.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "framework/file_io.h"
#include "framework/line_file.h"
#include "kernels/memory.h"
#include "tfevents.pb-c.h"

enum { HOST_SIZE = 256 };

struct rnn_event_file {
    rnn_line_file *file;
};

/* -- Checks ------------------------------------------------------------------------------------ */

/* Bit by bit: a record has some hundred bytes. zlib's crc32 has another polynomial. */
uint32_t rnn_crc32c(const void *bytes, size_t n_bytes)
{
    static const uint32_t reversed_polynomial = 0x82f63b78;
    const uint8_t *byte = bytes;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n_bytes; i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? reversed_polynomial : 0);
    }
    return ~crc;
}

uint32_t rnn_crc32c_mask(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

/* -- Records ----------------------------------------------------------------------------------- */

/* Into memory: if there is none left, the end of the record tells. */
static void write_check(const void *bytes, size_t n_bytes, FILE *out)
{
    uint32_t check = htole32(rnn_crc32c_mask(rnn_crc32c(bytes, n_bytes)));

    (void)fwrite(&check, sizeof check, 1, out);
}

static void write_record(const uint8_t *bytes, size_t n_bytes, FILE *out)
{
    uint64_t length = htole64(n_bytes);

    (void)fwrite(&length, sizeof length, 1, out);
    write_check(&length, sizeof length, out);
    (void)fwrite(bytes, 1, n_bytes, out);
    write_check(bytes, n_bytes, out);
}

static rnn_status write_event(rnn_event_file *file, Tensorboard__Event *event)
{
    struct timespec now = {0};
    size_t n_bytes;
    uint8_t *bytes;
    FILE *out;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    event->has_wall_time = true;
    event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    n_bytes = tensorboard__event__get_packed_size(event);
    RNN_TRY(RNN_ALLOC(&bytes, n_bytes, "an event"));
    tensorboard__event__pack(event, bytes);
    out = rnn_line_file_begin(file->file);
    if (out != NULL)
        write_record(bytes, n_bytes, out);
    rnn_free(bytes);
    return rnn_line_file_end(file->file);
}

static void set_step(Tensorboard__Event *event, uint64_t step)
{
    event->has_step = true;
    event->step = (int64_t)step;
}

/* -- The file ---------------------------------------------------------------------------------- */

static rnn_status write_version(rnn_event_file *file)
{
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    char version[] = "brain.Event:2";

    event.what_case = TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    return write_event(file, &event);
}

/* Makes TensorBoard forget this step and those after it. */
static rnn_status write_start(rnn_event_file *file, uint64_t step)
{
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    Tensorboard__SessionLog start = TENSORBOARD__SESSION_LOG__INIT;

    start.has_status = true;
    start.status = TENSORBOARD__SESSION_LOG__SESSION_STATUS__START;
    event.what_case = TENSORBOARD__EVENT__WHAT_SESSION_LOG;
    event.session_log = &start;
    set_step(&event, step);
    return write_event(file, &event);
}

static rnn_status open_file(rnn_event_file *file, const char *folder)
{
    char host[HOST_SIZE] = "";
    char *path;
    rnn_status st;

    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0' || strchr(host, '/') != NULL)
        strcpy(host, "localhost");
    RNN_TRY(rnn_path_print(&path, "%s/events.out.tfevents.%010lld.%s.%ld", folder,
                           (long long)time(NULL), host, (long)getpid()));
    st = rnn_line_file_open(&file->file, path);
    rnn_free(path);
    return st;
}

rnn_status rnn_event_file_create(rnn_event_file **out, const char *folder, uint64_t step)
{
    rnn_event_file *file;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&file, 1, "an event file"));
    st = open_file(file, folder);
    if (st == RNN_OK)
        st = write_version(file);
    if (st == RNN_OK)
        st = write_start(file, step + 1);
    if (st != RNN_OK)
        rnn_event_file_close(&file);
    *out = file;
    return st;
}

void rnn_event_file_close(rnn_event_file **file)
{
    if (*file == NULL)
        return;
    rnn_line_file_close(&(*file)->file);
    rnn_free(*file);
    *file = NULL;
}

rnn_status rnn_event_file_write(rnn_event_file *file, uint64_t step, const rnn_scalar *scalars,
                                size_t n_scalars)
{
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;
    Tensorboard__Summary__Value values[RNN_EVENT_MAX_SCALARS], *list[RNN_EVENT_MAX_SCALARS];

    for (size_t i = 0; i < n_scalars && summary.n_value < RNN_EVENT_MAX_SCALARS; i++) {
        Tensorboard__Summary__Value *value = &values[summary.n_value];

        if (!isfinite(scalars[i].value))
            continue;
        tensorboard__summary__value__init(value);
        value->tag = (char *)scalars[i].tag; /* packing only reads it */
        value->has_simple_value = true;
        value->simple_value = (float)scalars[i].value;
        list[summary.n_value++] = value;
    }
    summary.value = list;
    event.what_case = TENSORBOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    set_step(&event, step);
    return write_event(file, &event);
}
