#include "kernels/hdf5_library.h"

#include <hdf5.h>
#include <pthread.h>
#include <stdio.h>

const char rnn_hdf5_signature[RNN_HDF5_SIGNATURE_LENGTH] = {'\211', 'H',  'D',    'F',
                                                            '\r',   '\n', '\032', '\n'};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

rnn_status rnn_hdf5_start(void)
{
    herr_t started;

    pthread_mutex_lock(&mutex);
    started = H5open();
    pthread_mutex_unlock(&mutex);
    if (started < 0)
        return RNN_FAIL(RNN_ERR_MEMORY, "cannot start libhdf5: it got less memory than it needs");
    return RNN_OK;
}

void rnn_hdf5_enter(void)
{
    pthread_mutex_lock(&mutex);
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* every thread has its own */
    H5PLset_loading_state(0);
}

void rnn_hdf5_leave(void)
{
    pthread_mutex_unlock(&mutex);
}

void rnn_hdf5_release(int64_t id)
{
    if (id >= 0)
        H5Idec_ref(id);
}

const char *rnn_hdf5_version(void)
{
    static char text[32];
    unsigned major, minor, release_number;

    H5get_libversion(&major, &minor, &release_number);
    snprintf(text, sizeof text, "HDF5 %u.%u.%u", major, minor, release_number);
    return text;
}
