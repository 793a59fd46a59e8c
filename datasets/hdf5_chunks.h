/*
 * Reading an HDF5 dataset that is stored in chunks which have gone through filters: they are
 * decoded here (datasets/hdf5_chunk.h), libhdf5 only tells their bytes. The chunks used last are
 * kept. For hdf5_array.c; call with libhdf5's lock held (rnn_hdf5_enter).
 */
#ifndef RNN_DATASETS_HDF5_CHUNKS_H
#define RNN_DATASETS_HDF5_CHUNKS_H

#include <hdf5.h>

#include "datasets/hdf5_array.h"

typedef struct rnn_hdf5_chunks rnn_hdf5_chunks;

/*
 * `list` is the creation list of `dataset`, which is borrowed, as is info: its dims, value_size and
 * n_cache are used. Known to be right: the size of a chunk, and that all filters are some that
 * datasets/hdf5_chunk.h knows. RNN_ERR_DATA for the same one twice. n_file: bytes of the file.
 */
rnn_status rnn_hdf5_chunks_open(rnn_hdf5_chunks **out, hid_t dataset, hid_t list,
                                const rnn_hdf5_array_info *info, size_t n_file);
void rnn_hdf5_chunks_close(rnn_hdf5_chunks **chunks);

/*
 * Reads a part as it is in the file, values of value_size bytes: raw
 * [part.count][part.n_second][dims[2]]. RNN_ERR_DATA naming the chunk that is damaged.
 */
rnn_status rnn_hdf5_chunks_read(rnn_hdf5_chunks *chunks, rnn_hdf5_part part, uint8_t *raw);

#endif
