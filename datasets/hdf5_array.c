#include "datasets/hdf5_array.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datasets/hdf5_chunks.h"
#include "datasets/hdf5_file.h"
#include "kernels/memory.h"

enum {
    MAX_DEFLATE = 1032,    /* no stream of deflate becomes more than so many times longer */
    MAX_CHUNK = 256 << 20, /* a compressed chunk is in memory as a whole */
    MIN_CACHE = 1 << 20,
    MAX_CACHE = 64 << 20
};

/* What values are converted to. */
typedef enum memory_type { MEMORY_INT64, MEMORY_FLOAT, MEMORY_DOUBLE } memory_type;

static const size_t memory_size[] = {sizeof(int64_t), sizeof(float), sizeof(double)};

struct rnn_hdf5_array {
    rnn_hdf5_array_info info;
    char *where;
    const rnn_hdf5_file *file;
    hid_t dataset, space, type; /* the type of values in the file */
    memory_type native;         /* floats are read as this type */

    rnn_hdf5_chunks *chunks; /* if they have gone through filters, else NULL */

    /* If it is in one piece and of that type: where. It is read beside libhdf5 then. */
    bool is_direct;
    uint64_t offset;
};

rnn_status rnn_hdf5_refuse(const rnn_hdf5_array *array, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return RNN_FAIL(RNN_ERR_DATA, "%s %s", array->where, text);
}

const rnn_hdf5_array_info *rnn_hdf5_array_get_info(const rnn_hdf5_array *array)
{
    return &array->info;
}

size_t rnn_hdf5_array_row_size(const rnn_hdf5_array *array)
{
    return array->info.dims[1] * array->info.dims[2];
}

/* -- Types and shapes ---------------------------------------------------------------------------*/

static const char *class_name(H5T_class_t type_class)
{
    switch (type_class) {
    case H5T_STRING:
        return "text";
    case H5T_COMPOUND:
        return "records (compound)";
    case H5T_ENUM:
        return "an enumeration (h5py stores truth values so)";
    case H5T_BITFIELD:
        return "bit fields";
    case H5T_ARRAY:
        return "small arrays";
    case H5T_VLEN:
        return "sequences of variable length";
    case H5T_REFERENCE:
        return "references";
    default:
        return "bytes of no known meaning";
    }
}

static rnn_status check_type(rnn_hdf5_array *array)
{
    H5T_class_t type_class;
    size_t size;

    array->type = H5Dget_type(array->dataset);
    type_class = H5Tget_class(array->type);
    size = H5Tget_size(array->type);
    array->is_direct = (size == sizeof(float) && H5Tequal(array->type, H5T_NATIVE_FLOAT) > 0) ||
                       (size == sizeof(double) && H5Tequal(array->type, H5T_NATIVE_DOUBLE) > 0);
    array->info.is_integer = type_class == H5T_INTEGER;
    array->info.value_size = size;
    array->native = type_class == H5T_FLOAT && size <= sizeof(float) ? MEMORY_FLOAT : MEMORY_DOUBLE;
    if (type_class != H5T_INTEGER && type_class != H5T_FLOAT)
        return rnn_hdf5_refuse(array, "is of %s, expected integers or floats",
                               class_name(type_class));
    if (size == 0 || size > (type_class == H5T_INTEGER ? sizeof(int64_t) : 16))
        return rnn_hdf5_refuse(array, "has numbers of %zu bytes, which are too large", size);
    return RNN_OK;
}

static void print_shape(rnn_hdf5_array_info *info)
{
    size_t used = 0;

    for (size_t i = 0; i < info->n_dims && used < sizeof info->shape; i++)
        used +=
            (size_t)snprintf(info->shape + used, sizeof info->shape - used, "[%zu]", info->dims[i]);
}

/* Fills n_dims, dims and shape; *n_bytes is what they come to. */
static rnn_status get_shape(rnn_hdf5_array *array, size_t *n_bytes)
{
    rnn_hdf5_array_info *info = &array->info;
    hsize_t dims[H5S_MAX_RANK];
    int n_dims = H5Sget_simple_extent_ndims(array->space);

    if (H5Sget_simple_extent_type(array->space) != H5S_SIMPLE)
        return rnn_hdf5_refuse(array, "is not an array but a single value or nothing");
    if (n_dims < 1 || n_dims > RNN_HDF5_MAX_DIMS)
        return rnn_hdf5_refuse(array, "has %d dimensions, expected 1 to %d", n_dims,
                               RNN_HDF5_MAX_DIMS);
    H5Sget_simple_extent_dims(array->space, dims, NULL);
    info->n_dims = (size_t)n_dims;
    *n_bytes = info->value_size;
    for (size_t i = 0; i < RNN_HDF5_MAX_DIMS; i++) {
        info->dims[i] = i < info->n_dims ? (size_t)dims[i] : 1;
        RNN_TRY(rnn_size_multiply(n_bytes, *n_bytes, info->dims[i], array->where));
    }
    print_shape(info);
    if (*n_bytes == 0)
        return rnn_hdf5_refuse(array, "is empty: its shape is %s", info->shape);
    return RNN_OK;
}

/* -- Storage ------------------------------------------------------------------------------------*/

static rnn_status check_filters(const rnn_hdf5_array *array, hid_t list, bool *is_deflated)
{
    int n_filters = H5Pget_nfilters(list);

    *is_deflated = false;
    for (int i = 0; i < n_filters; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        char name[64] = "";
        H5Z_filter_t id =
            H5Pget_filter2(list, (unsigned)i, &flags, &n_values, NULL, sizeof name, name, &config);

        *is_deflated = *is_deflated || id == H5Z_FILTER_DEFLATE;
        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            return rnn_hdf5_refuse(array,
                                   "goes through filter %d, expected none but deflate (gzip), "
                                   "shuffle and fletcher32",
                                   (int)id);
    }
    return RNN_OK;
}

/* Whole compressed chunks: as many as a row touches, twice. Others are read in part. */
static size_t cache_size(const rnn_hdf5_array *array, const hsize_t *chunk, size_t n_bytes)
{
    size_t n_chunks = 2, size;

    for (size_t i = 1; i < array->info.n_dims; i++)
        if (chunk[i] < array->info.dims[i])
            n_chunks *= (array->info.dims[i] + chunk[i] - 1) / chunk[i];
    size = n_chunks < MAX_CACHE / n_bytes ? n_chunks * n_bytes : MAX_CACHE;
    return size > MIN_CACHE ? size : MIN_CACHE;
}

static rnn_status check_chunk_shape(const rnn_hdf5_array *array, const hsize_t *chunk)
{
    hsize_t dims[H5S_MAX_RANK], max_dims[H5S_MAX_RANK];
    size_t n_bytes = array->info.value_size;

    H5Sget_simple_extent_dims(array->space, dims, max_dims);
    for (size_t i = 0; i < array->info.n_dims; i++) {
        if (chunk[i] == 0 || (max_dims[i] != H5S_UNLIMITED && chunk[i] > max_dims[i]))
            return rnn_hdf5_refuse(array, "has chunks larger than itself: damaged");
        if (chunk[i] > MAX_CHUNK / n_bytes)
            return rnn_hdf5_refuse(array, "has chunks of more than %d MiB", MAX_CHUNK >> 20);
        n_bytes *= (size_t)chunk[i];
    }
    return RNN_OK;
}

/* Also settles how much memory decoded chunks may take. */
static rnn_status check_chunks(rnn_hdf5_array *array, hid_t list)
{
    hsize_t chunk[RNN_HDF5_MAX_DIMS] = {0};
    size_t n_bytes = array->info.value_size;

    if (H5Pget_chunk(list, RNN_HDF5_MAX_DIMS, chunk) != (int)array->info.n_dims)
        return rnn_hdf5_refuse(array, "has chunks of another rank: damaged");
    RNN_TRY(check_chunk_shape(array, chunk));
    for (size_t i = 0; i < array->info.n_dims; i++)
        n_bytes *= (size_t)chunk[i];
    if (H5Pget_nfilters(list) > 0)
        array->info.n_cache = cache_size(array, chunk, n_bytes);
    return RNN_OK;
}

/* The file must have as many bytes for it as its shape says. */
static rnn_status check_size(const rnn_hdf5_array *array, H5D_layout_t layout, bool is_deflated,
                             size_t n_bytes)
{
    size_t stored = (size_t)H5Dget_storage_size(array->dataset);
    size_t least = is_deflated ? n_bytes / MAX_DEFLATE : n_bytes;

    if (stored == 0)
        return rnn_hdf5_refuse(array, "has no values: %s was never written", array->info.shape);
    if (stored < least || (layout != H5D_CHUNKED && stored != n_bytes))
        return rnn_hdf5_refuse(array, "has %zu bytes in the file, its shape %s needs %zu", stored,
                               array->info.shape, n_bytes);
    if (stored > array->file->n_bytes)
        return rnn_hdf5_refuse(array, "has %zu bytes, more than the file: %zu", stored,
                               array->file->n_bytes);
    return RNN_OK;
}

/* Where its bytes are, if they are as they are needed. */
static rnn_status locate(rnn_hdf5_array *array, H5D_layout_t layout, size_t n_bytes)
{
    haddr_t offset = H5Dget_offset(array->dataset);
    size_t n_file = array->file->n_bytes;

    array->is_direct = array->is_direct && layout == H5D_CONTIGUOUS && offset != HADDR_UNDEF;
    array->offset = (uint64_t)offset;
    if (layout == H5D_CONTIGUOUS && (offset > n_file || n_bytes > n_file - offset))
        return rnn_hdf5_refuse(array, "lies beyond the end of the file");
    return RNN_OK;
}

static rnn_status check_storage(rnn_hdf5_array *array, hid_t list, size_t n_bytes)
{
    H5D_layout_t layout = H5Pget_layout(list);
    bool is_deflated;

    RNN_TRY(check_filters(array, list, &is_deflated));
    if (layout == H5D_CHUNKED)
        RNN_TRY(check_chunks(array, list));
    RNN_TRY(check_size(array, layout, is_deflated, n_bytes));
    return locate(array, layout, n_bytes);
}

/* Before anything else is asked about it: a virtual dataset would open other files. */
static rnn_status check_place(const rnn_hdf5_array *array, hid_t list)
{
    H5D_layout_t layout = H5Pget_layout(list);

    if (layout == H5D_VIRTUAL)
        return rnn_hdf5_refuse(array, "is a virtual dataset: its values are elsewhere");
    if (H5Pget_external_count(list) != 0)
        return rnn_hdf5_refuse(array, "has external storage: its values are in another file");
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED)
        return rnn_hdf5_refuse(array, "is stored in no known way: damaged");
    return RNN_OK;
}

/* -- Opening ------------------------------------------------------------------------------------*/

static rnn_status describe(rnn_hdf5_array *array)
{
    hid_t list = H5Dget_create_plist(array->dataset);
    size_t n_bytes = 0;
    rnn_status st;

    RNN_TRY_GOTO(st, check_place(array, list), done);
    RNN_TRY_GOTO(st, check_type(array), done);
    array->space = H5Dget_space(array->dataset);
    RNN_TRY_GOTO(st, get_shape(array, &n_bytes), done);
    RNN_TRY_GOTO(st, check_storage(array, list, n_bytes), done);
    if (H5Pget_layout(list) == H5D_CHUNKED && H5Pget_nfilters(list) > 0)
        st = rnn_hdf5_chunks_open(&array->chunks, array->dataset, list, &array->info,
                                  array->file->n_bytes);
done:
    rnn_hdf5_release(list);
    return st;
}

/* Without a cache of libhdf5's: chunks as they are can be read in part, and others are ours. */
static rnn_status open_dataset(rnn_hdf5_array *array, const char *name, bool may_be_missing)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    rnn_status st;

    H5Pset_chunk_cache(access, 1, 0, 1.0);
    st = rnn_hdf5_open_object(array->file, name, access, may_be_missing, &array->dataset);
    rnn_hdf5_release(access);
    return st;
}

static rnn_status name_it(rnn_hdf5_array *array, const char *name)
{
    const char *group = name[0] == '/' ? "" : array->file->group_path;
    char where[1024];

    snprintf(where, sizeof where, "%s: %s/%s", array->file->path, group, name + strspn(name, "/"));
    RNN_TRY(rnn_string_copy(&array->where, where));
    array->info.where = array->where;
    return RNN_OK;
}

/* Under the lock. */
static rnn_status open_array(rnn_hdf5_array *array, const char *name, bool may_be_missing)
{
    RNN_TRY(open_dataset(array, name, may_be_missing));
    if (array->dataset < 0)
        return RNN_OK;
    if (H5Iget_type(array->dataset) != H5I_DATASET)
        return rnn_hdf5_refuse(array, "is not a dataset");
    return describe(array);
}

rnn_status rnn_hdf5_array_open(rnn_hdf5_array **out, const rnn_hdf5_file *file, const char *name,
                               bool may_be_missing)
{
    rnn_hdf5_array *array = NULL;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&array, 1, "an array of a dataset"));
    array->file = file;
    array->dataset = array->space = array->type = H5I_INVALID_HID;
    RNN_TRY_GOTO(st, name_it(array, name), done);
    rnn_hdf5_enter();
    st = open_array(array, name, may_be_missing);
    rnn_hdf5_leave();
    if (st != RNN_OK || array->dataset < 0)
        goto done;
    *out = array;
    array = NULL;
done:
    rnn_hdf5_array_close(&array);
    return st;
}

void rnn_hdf5_array_close(rnn_hdf5_array **handle)
{
    rnn_hdf5_array *array = *handle;

    if (array == NULL)
        return;
    rnn_hdf5_enter();
    rnn_hdf5_chunks_close(&array->chunks);
    rnn_hdf5_release(array->type);
    rnn_hdf5_release(array->space);
    rnn_hdf5_release(array->dataset);
    rnn_hdf5_leave();
    rnn_free(array->where);
    rnn_free(array);
    *handle = NULL;
}

/* -- Reading ------------------------------------------------------------------------------------*/

static size_t part_size(const rnn_hdf5_array *array, rnn_hdf5_part part)
{
    return part.count * part.n_second * array->info.dims[2];
}

/* Values that follow each other in the file, past libhdf5 and its lock. */
static rnn_status read_direct(const rnn_hdf5_array *array, rnn_hdf5_part part, char *values)
{
    size_t size = memory_size[array->native];
    size_t n_bytes = part_size(array, part) * size, done = 0;
    uint64_t at = array->offset + part.first * rnn_hdf5_array_row_size(array) * size;

    while (done < n_bytes) {
        ssize_t got = pread(array->file->fd, values + done, n_bytes - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RNN_FAIL(RNN_ERR_IO, "%s cannot be read: %s", array->where, strerror(errno));
        if (got == 0)
            return rnn_hdf5_refuse(array, "cannot be read: the file has become shorter");
        done += (size_t)got;
    }
    return RNN_OK;
}

static hid_t library_type(memory_type type)
{
    switch (type) {
    case MEMORY_INT64:
        return H5T_NATIVE_INT64;
    case MEMORY_FLOAT:
        return H5T_NATIVE_FLOAT;
    case MEMORY_DOUBLE:
        break;
    }
    return H5T_NATIVE_DOUBLE;
}

static rnn_status read_by_library(const rnn_hdf5_array *array, rnn_hdf5_part part, memory_type type,
                                  void *values)
{
    const hsize_t start[RNN_HDF5_MAX_DIMS] = {part.first};
    const hsize_t count[RNN_HDF5_MAX_DIMS] = {part.count, part.n_second, array->info.dims[2]};
    hid_t memory = H5Screate_simple((int)array->info.n_dims, count, NULL);
    herr_t result = H5Sselect_hyperslab(array->space, H5S_SELECT_SET, start, NULL, count, NULL);

    if (result >= 0)
        result =
            H5Dread(array->dataset, library_type(type), memory, array->space, H5P_DEFAULT, values);
    rnn_hdf5_release(memory);
    if (result < 0)
        return rnn_hdf5_refuse(array, "cannot be read from row %zu on: the file is damaged there",
                               part.first);
    return RNN_OK;
}

/* In the place where they are, which has room for the larger type. */
static rnn_status convert(const rnn_hdf5_array *array, memory_type type, size_t count, void *values)
{
    if (H5Tconvert(array->type, library_type(type), count, values, NULL, H5P_DEFAULT) < 0)
        return rnn_hdf5_refuse(array, "has numbers that libhdf5 cannot convert");
    return RNN_OK;
}

static rnn_status read_wide_chunks(const rnn_hdf5_array *array, rnn_hdf5_part part,
                                   memory_type type, void *values)
{
    size_t count = part_size(array, part);
    uint8_t *raw;
    rnn_status st;

    RNN_TRY(rnn_alloc((void **)&raw, count, array->info.value_size, "values of a dataset"));
    RNN_TRY_GOTO(st, rnn_hdf5_chunks_read(array->chunks, part, raw), done);
    RNN_TRY_GOTO(st, convert(array, type, count, raw), done);
    memcpy(values, raw, count * memory_size[type]);
done:
    rnn_free(raw);
    return st;
}

static rnn_status read_chunks(const rnn_hdf5_array *array, rnn_hdf5_part part, memory_type type,
                              void *values)
{
    if (array->info.value_size > memory_size[type])
        return read_wide_chunks(array, part, type, values);
    RNN_TRY(rnn_hdf5_chunks_read(array->chunks, part, values));
    return convert(array, type, part_size(array, part), values);
}

static rnn_status read_as(const rnn_hdf5_array *array, rnn_hdf5_part part, memory_type type,
                          void *values)
{
    rnn_status st;

    if (array->is_direct)
        return read_direct(array, part, values);
    rnn_hdf5_enter();
    st = array->chunks != NULL ? read_chunks(array, part, type, values)
                               : read_by_library(array, part, type, values);
    rnn_hdf5_leave();
    return st;
}

/* Out of the range of a float is infinite, and said here: the language does not. */
static float narrow(double value)
{
    if (fabs(value) > (double)FLT_MAX)
        return value > 0 ? INFINITY : -INFINITY;
    return (float)value;
}

static rnn_status read_doubles(const rnn_hdf5_array *array, rnn_hdf5_part part, double mean,
                               double std, float *values)
{
    size_t count = part_size(array, part);
    double *doubles;
    rnn_status st;

    RNN_TRY(RNN_ALLOC(&doubles, count, "values of a dataset"));
    st = read_as(array, part, MEMORY_DOUBLE, doubles);
    for (size_t i = 0; i < count && st == RNN_OK; i++)
        values[i] = narrow((doubles[i] - mean) / std);
    rnn_free(doubles);
    return st;
}

rnn_status rnn_hdf5_read_floats(const rnn_hdf5_array *array, rnn_hdf5_part part, double mean,
                                double std, float *values)
{
    size_t count = part_size(array, part);

    if (array->native == MEMORY_DOUBLE)
        return read_doubles(array, part, mean, std, values);
    RNN_TRY(read_as(array, part, MEMORY_FLOAT, values));
    if (mean != 0 || std != 1)
        for (size_t i = 0; i < count; i++)
            values[i] = narrow(((double)values[i] - mean) / std);
    return RNN_OK;
}

rnn_status rnn_hdf5_read_integers(const rnn_hdf5_array *array, rnn_hdf5_part part, int64_t *values)
{
    return read_as(array, part, MEMORY_INT64, values);
}
