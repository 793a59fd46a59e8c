#include "datasets/hdf5_chunks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "datasets/hdf5_chunk.h"
#include "kernels/memory.h"

enum { MAX_SLOTS = 1009, MAX_VALUE = 16 };

static const size_t NOTHING = SIZE_MAX;

/* A decoded chunk: chunk number n is kept in slot n modulo their number. */
typedef struct slot {
    size_t number; /* NOTHING: none */
    uint8_t *values;
} slot;

struct rnn_hdf5_chunks {
    hid_t dataset;
    const rnn_hdf5_array_info *info;
    size_t n_file;
    size_t size[RNN_HDF5_MAX_DIMS]; /* of a chunk; 1 beyond n_dims */
    size_t grid[RNN_HDF5_MAX_DIMS]; /* chunks in each dimension */
    rnn_hdf5_pipeline pipeline;
    bool has_plain_edges; /* chunks that stick out of the array are stored as they are */
    uint8_t fill[MAX_VALUE];
    slot *slots;
    size_t n_slots;
    rnn_buffer stored;
    rnn_hdf5_chunk_work work;
};

/* -- Opening ------------------------------------------------------------------------------------*/

static rnn_status take_filters(rnn_hdf5_chunks *c, hid_t list)
{
    int n_filters = H5Pget_nfilters(list);

    for (int i = 0; i < n_filters; i++) {
        unsigned flags, config, value_size = 0;
        size_t n_values = 1;
        H5Z_filter_t id =
            H5Pget_filter2(list, (unsigned)i, &flags, &n_values, &value_size, 0, NULL, &config);
        rnn_hdf5_filter filter = (rnn_hdf5_filter)id;

        for (size_t k = 0; k < c->pipeline.n_filters; k++)
            if (c->pipeline.filter[k] == filter)
                return RNN_FAIL(RNN_ERR_DATA, "%s goes through filter %d twice", c->info->where,
                                (int)id);
        if (filter == RNN_HDF5_SHUFFLE && (n_values < 1 || value_size != c->info->value_size))
            return RNN_FAIL(RNN_ERR_DATA,
                            "%s is shuffled by values of %u bytes, but has values of %zu: damaged",
                            c->info->where, value_size, c->info->value_size);
        c->pipeline.filter[c->pipeline.n_filters++] = filter;
    }
    return RNN_OK;
}

static rnn_status take_shape(rnn_hdf5_chunks *c, hid_t list)
{
    hsize_t size[RNN_HDF5_MAX_DIMS] = {0};
    const rnn_hdf5_array_info *info = c->info;
    size_t n_bytes = info->value_size;

    if (H5Pget_chunk(list, RNN_HDF5_MAX_DIMS, size) != (int)info->n_dims)
        return RNN_FAIL(RNN_ERR_DATA, "%s has chunks of another rank: damaged", info->where);
    for (size_t i = 0; i < RNN_HDF5_MAX_DIMS; i++) {
        c->size[i] = i < info->n_dims ? (size_t)size[i] : 1;
        c->grid[i] = (info->dims[i] - 1) / c->size[i] + 1;
        RNN_TRY(rnn_size_multiply(&n_bytes, n_bytes, c->size[i], info->where));
    }
    c->pipeline.n_bytes = n_bytes;
    c->pipeline.value_size = info->value_size;
    return RNN_OK;
}

/* What chunks that were never written hold. */
static void take_fill(rnn_hdf5_chunks *c, hid_t list)
{
    H5D_fill_value_t defined;
    hid_t type = H5Dget_type(c->dataset);

    if (H5Pfill_value_defined(list, &defined) < 0 || defined == H5D_FILL_VALUE_UNDEFINED ||
        H5Pget_fill_value(list, type, c->fill) < 0)
        memset(c->fill, 0, sizeof c->fill);
    H5Idec_ref(type);
}

static rnn_status create_slots(rnn_hdf5_chunks *c)
{
    size_t n_chunks = 1;

    for (size_t i = 0; i < RNN_HDF5_MAX_DIMS; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): no grid is empty */
        n_chunks = c->grid[i] < MAX_SLOTS / n_chunks ? n_chunks * c->grid[i] : MAX_SLOTS;
    c->n_slots = c->info->n_cache / c->pipeline.n_bytes;
    if (c->n_slots > n_chunks)
        c->n_slots = n_chunks;
    if (c->n_slots == 0)
        c->n_slots = 1;
    RNN_TRY(RNN_ALLOC(&c->slots, c->n_slots, "the chunks of an HDF5 file"));
    for (size_t i = 0; i < c->n_slots; i++)
        c->slots[i].number = NOTHING;
    return RNN_OK;
}

rnn_status rnn_hdf5_chunks_open(rnn_hdf5_chunks **out, hid_t dataset, hid_t list,
                                const rnn_hdf5_array_info *info, size_t n_file)
{
    rnn_hdf5_chunks *c;
    unsigned options = 0;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&c, 1, "the chunks of an HDF5 file"));
    c->dataset = dataset;
    c->info = info;
    c->n_file = n_file;
    RNN_TRY_GOTO(st, take_filters(c, list), done);
    RNN_TRY_GOTO(st, take_shape(c, list), done);
    take_fill(c, list);
    if (H5Pget_chunk_opts(list, &options) >= 0)
        c->has_plain_edges = (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
    RNN_TRY_GOTO(st, create_slots(c), done);
    *out = c;
    c = NULL;
done:
    rnn_hdf5_chunks_close(&c);
    return st;
}

void rnn_hdf5_chunks_close(rnn_hdf5_chunks **chunks)
{
    rnn_hdf5_chunks *c = *chunks;

    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_slots && c->slots != NULL; i++)
        rnn_free(c->slots[i].values);
    rnn_free(c->slots);
    rnn_buffer_release(&c->stored);
    rnn_hdf5_chunk_work_free(&c->work);
    rnn_free(c);
    *chunks = NULL;
}

/* -- A chunk ------------------------------------------------------------------------------------*/

/* Which chunk, by its place in the grid. */
typedef struct place {
    size_t at[RNN_HDF5_MAX_DIMS];
} place;

static void get_offset(const rnn_hdf5_chunks *c, const place *p, hsize_t *offset)
{
    for (size_t i = 0; i < RNN_HDF5_MAX_DIMS; i++)
        offset[i] = (hsize_t)p->at[i] * c->size[i];
}

/* "FILE: /x chunk at [64][0] REASON". */
static rnn_status refuse(const rnn_hdf5_chunks *c, const place *p, const char *reason)
{
    hsize_t offset[RNN_HDF5_MAX_DIMS] = {0};
    char text[RNN_HDF5_SHAPE_LENGTH] = "";
    size_t used = 0;

    get_offset(c, p, offset);
    for (size_t i = 0; i < c->info->n_dims && used < sizeof text; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "[%" PRIu64 "]", (uint64_t)offset[i]);
    return RNN_FAIL(RNN_ERR_DATA, "%s cannot be read: its chunk at %s %s", c->info->where, text,
                    reason);
}

static bool is_partial(const rnn_hdf5_chunks *c, const place *p)
{
    for (size_t i = 0; i < c->info->n_dims; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): n_dims is checked */
        if ((p->at[i] + 1) * c->size[i] > c->info->dims[i])
            return true;
    return false;
}

static void fill_values(const rnn_hdf5_chunks *c, uint8_t *values)
{
    size_t size = c->info->value_size;

    for (size_t i = 0; i < c->pipeline.n_bytes; i += size)
        memcpy(values + i, c->fill, size);
}

/* HDF5 2 asks for the room that there is, and reads nothing into too little. */
static herr_t read_chunk(hid_t dataset, const hsize_t *offset, uint32_t *skipped, void *bytes,
                         size_t n_bytes)
{
#if defined H5Dread_chunk_vers && H5Dread_chunk_vers > 1
    size_t n_stored = n_bytes;
    herr_t outcome = H5Dread_chunk2(dataset, H5P_DEFAULT, offset, skipped, bytes, &n_stored);

    return n_stored <= n_bytes ? outcome : -1;
#else
    (void)n_bytes;
    return H5Dread_chunk(dataset, H5P_DEFAULT, offset, skipped, bytes);
#endif
}

static rnn_status read_stored(rnn_hdf5_chunks *c, const place *p, const hsize_t *offset,
                              size_t n_stored, uint32_t *skipped)
{
    RNN_TRY(rnn_buffer_reserve(&c->stored, n_stored, "a chunk of an HDF5 file"));
    if (read_chunk(c->dataset, offset, skipped, c->stored.bytes, n_stored) < 0)
        return refuse(c, p, "is not where the file says: the file is damaged there");
    if (c->has_plain_edges && is_partial(c, p))
        *skipped = UINT32_MAX;
    return RNN_OK;
}

static rnn_status decode(rnn_hdf5_chunks *c, const place *p, uint8_t *values)
{
    hsize_t offset[RNN_HDF5_MAX_DIMS], n_stored = 0;
    haddr_t address = HADDR_UNDEF;
    unsigned mask = 0;
    uint32_t skipped = 0;
    rnn_status st;

    get_offset(c, p, offset);
    if (H5Dget_chunk_info_by_coord(c->dataset, offset, &mask, &address, &n_stored) < 0)
        return refuse(c, p, "cannot be found: the file is damaged there");
    if (address == HADDR_UNDEF) {
        fill_values(c, values);
        return RNN_OK;
    }
    if (n_stored > c->n_file)
        return refuse(c, p, "is larger than the file: damaged");
    RNN_TRY(read_stored(c, p, offset, (size_t)n_stored, &skipped));
    st = rnn_hdf5_chunk_decode(&c->pipeline, skipped, c->stored.bytes, (size_t)n_stored, &c->work,
                               values);
    return st == RNN_ERR_DATA ? refuse(c, p, rnn_error_message()) : st;
}

static rnn_status get_chunk(rnn_hdf5_chunks *c, const place *p, const uint8_t **values)
{
    size_t number = (p->at[0] * c->grid[1] + p->at[1]) * c->grid[2] + p->at[2];
    slot *s = &c->slots[number % c->n_slots];

    if (s->values == NULL)
        RNN_TRY(RNN_ALLOC(&s->values, c->pipeline.n_bytes, "a chunk of an HDF5 file"));
    *values = s->values;
    if (s->number == number)
        return RNN_OK;
    s->number = NOTHING; /* until it is whole */
    RNN_TRY(decode(c, p, s->values));
    s->number = number;
    return RNN_OK;
}

/* -- A part -------------------------------------------------------------------------------------*/

/* Places first .. end - 1 of a dimension. */
typedef struct range {
    size_t first, end;
} range;

/* What a chunk has of a range. */
static range in_chunk(range wanted, size_t chunk, size_t size)
{
    range r = {chunk * size, chunk * size + size};

    r.first = r.first > wanted.first ? r.first : wanted.first;
    r.end = r.end < wanted.end ? r.end : wanted.end;
    return r;
}

/* Copies what a chunk has of the part; runs of values that follow each other in both as one. */
static void copy_part(const rnn_hdf5_chunks *c, const place *p, const range wanted[],
                      const uint8_t *values, uint8_t *raw)
{
    size_t width = c->info->value_size, second = wanted[1].end, third = wanted[2].end;
    range r[RNN_HDF5_MAX_DIMS];
    size_t n[RNN_HDF5_MAX_DIMS], run;

    for (size_t i = 0; i < RNN_HDF5_MAX_DIMS; i++) {
        r[i] = in_chunk(wanted[i], p->at[i], c->size[i]);
        n[i] = r[i].end - r[i].first;
    }
    run = n[2];
    if (run == third && run == c->size[2]) {
        run *= n[1];
        if (n[1] == second && n[1] == c->size[1]) {
            run *= n[0];
            n[0] = 1;
        }
        n[1] = 1;
    }
    for (size_t i = 0; i < n[0]; i++)
        for (size_t k = 0; k < n[1]; k++) {
            size_t row = r[0].first + i, column = r[1].first + k;
            size_t from =
                ((row - p->at[0] * c->size[0]) * c->size[1] + column - p->at[1] * c->size[1]) *
                    c->size[2] +
                r[2].first - p->at[2] * c->size[2];
            size_t to = ((row - wanted[0].first) * second + column) * third + r[2].first;

            memcpy(raw + to * width, values + from * width, run * width);
        }
}

rnn_status rnn_hdf5_chunks_read(rnn_hdf5_chunks *c, rnn_hdf5_part part, uint8_t *raw)
{
    const range wanted[RNN_HDF5_MAX_DIMS] = {
        {part.first, part.first + part.count}, {0, part.n_second}, {0, c->info->dims[2]}};
    place p;

    for (p.at[0] = wanted[0].first / c->size[0]; p.at[0] * c->size[0] < wanted[0].end; p.at[0]++)
        for (p.at[1] = 0; p.at[1] * c->size[1] < wanted[1].end; p.at[1]++)
            for (p.at[2] = 0; p.at[2] * c->size[2] < wanted[2].end; p.at[2]++) {
                const uint8_t *values;

                RNN_TRY(get_chunk(c, &p, &values));
                copy_part(c, &p, wanted, values, raw);
            }
    return RNN_OK;
}
