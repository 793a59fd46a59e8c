/*
 * libhdf5 has global state, whatever file it works on: who calls it holds this lock. A plain mutex,
 * so that those who only share the lock need no hdf5.h. Not recursive; whoever holds it takes no
 * other lock, so there is no order to get wrong.
 */
#ifndef RNN_KERNELS_HDF5_LOCK_H
#define RNN_KERNELS_HDF5_LOCK_H

void rnn_hdf5_lock(void);
void rnn_hdf5_unlock(void);

#endif
