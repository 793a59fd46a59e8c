/*
 * Entering libhdf5: it has global state, whatever file it works on, so one thread is inside at a
 * time, and every entry words errors and loads nothing. Whoever is inside takes no other lock, so
 * there is no order to get wrong.
 */
#ifndef RNN_KERNELS_HDF5_LIBRARY_H
#define RNN_KERNELS_HDF5_LIBRARY_H

#include <stdint.h>

#include "kernels/status.h"

enum { RNN_HDF5_SIGNATURE_LENGTH = 8 };

/* What a file begins with. */
extern const char rnn_hdf5_signature[RNN_HDF5_SIGNATURE_LENGTH];

/*
 * Starts libhdf5. To be called once, before anything else needs it: one that could not start would
 * fail later, on files that are sound. RNN_ERR_MEMORY.
 */
rnn_status rnn_hdf5_start(void);

/*
 * Between these two, and only there, libhdf5 is called. It prints nothing and loads no code that a
 * file asks for. Not recursive.
 */
void rnn_hdf5_enter(void);
void rnn_hdf5_leave(void);

/*
 * Releases an object of any type; accepts an invalid one. Inside only. The type is that of a hid_t
 * since HDF5 1.10, for those who include this without hdf5.h.
 */
void rnn_hdf5_release(int64_t id);

/* "HDF5 1.10.8"; static. */
const char *rnn_hdf5_version(void);

#endif
