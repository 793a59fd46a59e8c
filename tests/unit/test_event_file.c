/*
 * Event files byte by byte: framing, checks and messages are read by code of its own, which follows
 * the description of TFRecord files and of protobuf's wire format, with a CRC-32C that works from
 * the other end of the polynomial.
 */
#include "tests/unit/temporary_folder.h"

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "framework/event_file.h"
#include "framework/file_io.h"
#include "kernels/memory.h"

/* -- CRC-32C, highest bit first ---------------------------------------------------------------- */

static uint32_t reverse(uint32_t x, int bits)
{
    uint32_t y = 0;

    for (int i = 0; i < bits; i++)
        y |= ((x >> i) & 1) << (bits - 1 - i);
    return y;
}

static uint32_t plain_crc32c(const uint8_t *bytes, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= reverse(bytes[i], 8) << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x80000000) != 0 ? (crc << 1) ^ 0x1edc6f41 : crc << 1;
    }
    return ~reverse(crc, 32);
}

/* Of RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms. */
static void crc32c_has_the_published_values(void **state)
{
    uint8_t bytes[32] = {0};

    (void)state;
    assert_int_equal(rnn_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(plain_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    assert_int_equal(rnn_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(rnn_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(rnn_crc32c(bytes, 32), 0x46dd794e);
    assert_int_equal(plain_crc32c(bytes, 32), 0x46dd794e);
    assert_int_equal(rnn_crc32c("", 0), 0);
}

/* -- A reader ---------------------------------------------------------------------------------- */

enum { MAX_EVENTS = 16, MAX_VALUES = 8 };

typedef struct read_event {
    double wall_time;
    int64_t step;
    char version[32];
    int session_status;
    struct {
        char tag[48];
        float value;
    } values[MAX_VALUES];
    size_t n_values;
} read_event;

typedef struct bytes {
    const uint8_t *at, *end;
} bytes;

static uint64_t read_varint(bytes *b)
{
    uint64_t value = 0;

    for (int shift = 0;; shift += 7) {
        assert_true(b->at < b->end && shift < 64);
        value |= (uint64_t)(*b->at & 0x7f) << shift;
        if ((*b->at++ & 0x80) == 0)
            return value;
    }
}

/* The next field: its number, and its content as bytes or as a number. */
static bool read_field(bytes *b, uint64_t *field, bytes *content, uint64_t *number)
{
    uint64_t key, n;

    if (b->at == b->end)
        return false;
    key = read_varint(b);
    *field = key >> 3;
    if ((key & 7) == 0) {
        *number = read_varint(b);
        return true;
    }
    assert_true((key & 7) == 1 || (key & 7) == 2 || (key & 7) == 5);
    n = (key & 7) == 2 ? read_varint(b) : (key & 7) == 1 ? 8 : 4;
    assert_true(n <= (uint64_t)(b->end - b->at));
    *content = (bytes){b->at, b->at + n};
    b->at += n;
    return true;
}

static void copy_text(char *to, size_t size, bytes from)
{
    assert_true((size_t)(from.end - from.at) < size);
    memcpy(to, from.at, (size_t)(from.end - from.at));
}

static void read_value(read_event *event, bytes b)
{
    uint64_t field, number;
    bytes content;

    assert_true(event->n_values < MAX_VALUES);
    while (read_field(&b, &field, &content, &number)) {
        if (field == 1)
            copy_text(event->values[event->n_values].tag, 48, content);
        else if (field == 2)
            memcpy(&event->values[event->n_values].value, content.at, 4);
        else
            fail_msg("a value has a field %d", (int)field);
    }
    event->n_values++;
}

static void read_message(read_event *event, bytes b)
{
    uint64_t field, number = 0, inner;
    bytes content = {NULL, NULL}, part;

    *event = (read_event){.step = -1};
    while (read_field(&b, &field, &content, &number)) {
        if (field == 1)
            memcpy(&event->wall_time, content.at, 8);
        else if (field == 2)
            event->step = (int64_t)number;
        else if (field == 3)
            copy_text(event->version, sizeof event->version, content);
        else if (field == 5)
            while (read_field(&content, &inner, &part, &number))
                read_value(event, part);
        else if (field == 7 && read_field(&content, &inner, &part, &number))
            event->session_status = (int)number;
        else
            fail_msg("an event has a field %d", (int)field);
    }
}

static uint32_t masked(const uint8_t *at, size_t n)
{
    uint32_t crc = plain_crc32c(at, n);

    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint64_t little_endian(const uint8_t *at, int n)
{
    uint64_t value = 0;

    for (int i = n; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static size_t read_events(const char *path, read_event events[MAX_EVENTS])
{
    void *file;
    size_t n_bytes, n = 0;
    bytes b;

    OK(rnn_file_read(path, 1 << 20, &file, &n_bytes));
    b = (bytes){file, (const uint8_t *)file + n_bytes};
    while (b.at < b.end) {
        uint64_t length = little_endian(b.at, 8);

        assert_true(n < MAX_EVENTS && (uint64_t)(b.end - b.at) >= length + 16);
        assert_int_equal(little_endian(b.at + 8, 4), masked(b.at, 8));
        assert_int_equal(little_endian(b.at + 12 + length, 4), masked(b.at + 12, length));
        read_message(&events[n++], (bytes){b.at + 12, b.at + 12 + length});
        b.at += length + 16;
    }
    rnn_free(file);
    return n;
}

/* The only entry of the folder "run". */
static const char *find_file(void)
{
    static char path[400];
    struct dirent **entries;

    assert_int_equal(scandir("run", &entries, is_visible_entry, alphasort), 1);
    snprintf(path, sizeof path, "run/%s", entries[0]->d_name);
    free(entries[0]);
    free(entries);
    return path;
}

/* -- Files ------------------------------------------------------------------------------------- */

static void a_file_has_what_was_written(void **state)
{
    const rnn_scalar scalars[] = {
        {"loss/train", 0.25}, {"accuracy/train", (double)NAN}, {"loss/test", 1e-3}};
    read_event events[MAX_EVENTS];
    double before = (double)time(NULL);
    rnn_event_file *file;

    (void)state;
    OK(rnn_folder_create("run"));
    OK(rnn_event_file_create(&file, "run", 0));
    OK(rnn_event_file_write(file, 300, scalars, 3));
    OK(rnn_event_file_write(file, 600, scalars, 1));
    rnn_event_file_close(&file);
    assert_null(file);
    assert_int_equal(read_events(find_file(), events), 4);
    assert_memory_equal(find_file(), "run/events.out.tfevents.",
                        strlen("run/events.out.tfevents."));
    assert_string_equal(events[0].version, "brain.Event:2");
    assert_int_equal(events[1].session_status, 1);
    assert_int_equal(events[1].step, 1);
    assert_int_equal(events[2].step, 300);
    assert_int_equal(events[2].n_values, 2);
    assert_string_equal(events[2].values[0].tag, "loss/train");
    assert_true(events[2].values[0].value == 0.25f);
    assert_string_equal(events[2].values[1].tag, "loss/test");
    assert_true(events[2].values[1].value == 1e-3f);
    assert_int_equal(events[3].step, 600);
    assert_int_equal(events[3].n_values, 1);
    for (int i = 0; i < 4; i++)
        assert_true(events[i].wall_time >= before && events[i].wall_time < before + 600);
}

/* TensorBoard drops what it has of steps from that of a session's start on. */
static void a_resumed_run_replaces_the_steps_after_its_own(void **state)
{
    read_event events[MAX_EVENTS];
    rnn_event_file *file;

    (void)state;
    OK(rnn_folder_create("run"));
    OK(rnn_event_file_create(&file, "run", 450));
    rnn_event_file_close(&file);
    assert_int_equal(read_events(find_file(), events), 2);
    assert_int_equal(events[1].session_status, 1);
    assert_int_equal(events[1].step, 451);
}

/* As on a full disk: the record is not there by half, and the next one can be read. */
static void a_record_that_does_not_fit_leaves_nothing(void **state)
{
    const rnn_scalar scalar = {"loss/train", 0.5};
    struct rlimit all, little;
    read_event events[MAX_EVENTS];
    rnn_event_file *file;
    struct stat info;

    (void)state;
    OK(rnn_folder_create("run"));
    OK(rnn_event_file_create(&file, "run", 0));
    assert_int_equal(stat(find_file(), &info), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    signal(SIGXFSZ, SIG_IGN);
    little = (struct rlimit){(rlim_t)info.st_size + 10, all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_refused(RNN_ERR_IO, rnn_event_file_write(file, 1, &scalar, 1), "events.out.tfevents");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    OK(rnn_event_file_write(file, 2, &scalar, 1));
    rnn_event_file_close(&file);
    assert_int_equal(read_events(find_file(), events), 3);
    assert_int_equal(events[2].step, 2);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    rnn_event_file *file;

    (void)state;
    assert_refused(RNN_ERR_IO, rnn_event_file_create(&file, "absent", 0),
                   "absent/events.out.tfevents.");
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_has_the_published_values),
        IN_FOLDER(a_file_has_what_was_written),
        IN_FOLDER(a_resumed_run_replaces_the_steps_after_its_own),
        IN_FOLDER(a_record_that_does_not_fit_leaves_nothing),
        IN_FOLDER(a_folder_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
