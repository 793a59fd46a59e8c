/*
 * A checkpoint as the bytes of an HDF5 file, in memory. Only checkpoint_write.c, checkpoint_read.c
 * and what they share, checkpoint_layout.c, know the layout inside the file and call libhdf5.
 *
 *     /               format, format_version, created_by, created_at, digest (of the parameters)
 *     /config         the configuration text
 *     /model/LAYER/PARAM           float32; the layer's arguments are attributes of /model/LAYER
 *     /optimizer/STATE/LAYER/PARAM float32; type, step, scalar and settings are its attributes
 *     /progress       one attribute for each field of rnn_progress
 *     /history/METRIC float64, one row an epoch
 *     /environment    attributes
 *     and the blocks, with the groups that their paths name
 *
 * libhdf5 is used by one of these at a time, see framework/hdf5_image.h.
 */
#ifndef RNN_FRAMEWORK_CHECKPOINT_IMAGE_H
#define RNN_FRAMEWORK_CHECKPOINT_IMAGE_H

#include <stddef.h>

#include "framework/checkpoint.h"
#include "kernels/status.h"

struct rnn_h5_place; /* framework/hdf5_image.h */

/* Takes something out of an open image, from its root. */
typedef rnn_status rnn_checkpoint_visitor(const struct rnn_h5_place *root, void *context);

/*
 * Makes the image: *n_bytes bytes, rnn_free memory, followed by `room` zero bytes for the caller.
 * Equal states and created_at give equal bytes. RNN_ERR_NONFINITE names the tensor or field.
 */
rnn_status rnn_checkpoint_image_write(const rnn_checkpoint *checkpoint, const char *created_at,
                                      size_t room, void **image, size_t *n_bytes);

/* The configuration text in an image, rnn_free memory. `source` names the file in messages. */
rnn_status rnn_checkpoint_image_read_config(const void *image, size_t n_bytes, const char *source,
                                            char **config);

/* Reads an image into what `into` points to, as rnn_checkpoint_read does with a file. */
rnn_status rnn_checkpoint_image_read(const void *image, size_t n_bytes, const char *source,
                                     rnn_checkpoint *into);

/* The layers of the model in an image, as rnn_checkpoint_read_layers has them from a file. */
rnn_status rnn_checkpoint_image_read_layers(const void *image, size_t n_bytes, const char *source,
                                            rnn_layer_cfg *layers, size_t *n_layers);

/* Blocks of an image, as rnn_checkpoint_read_blocks has them from a file. */
rnn_status rnn_checkpoint_image_read_blocks(const void *image, size_t n_bytes, const char *source,
                                            rnn_block *blocks, size_t n_blocks);

/* Opens an image, checks its format, and has `read` take from it what it wants. */
rnn_status rnn_checkpoint_image_visit(const void *image, size_t n_bytes, const char *source,
                                      rnn_checkpoint_visitor *read, void *context);

/* The same of the file `path`, whose digest is checked before. */
rnn_status rnn_checkpoint_read_root(const char *path, rnn_checkpoint_visitor *read, void *context);

/* For tests: how often the functions above have handed bytes to libhdf5 to read. */
size_t rnn_checkpoint_image_reads(void);

#endif
