#include "framework/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "kernels/clock.h"

static atomic_int pending;
static atomic_bool is_training; /* before that a signal has its default effect */

static sigset_t requests(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

static void end_by(int number)
{
    sigset_t set = requests();

    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

/* The one thread that receives the signals. */
static void *watch(void *unused)
{
    const sigset_t set = requests();
    double since = 0.0;
    int number;

    (void)unused;
    while (sigwait(&set, &number) == 0) {
        if (!atomic_load(&is_training))
            end_by(number);
        else if (atomic_load(&pending) == 0) {
            since = rnn_clock_seconds();
            atomic_store(&pending, number);
        } else if (rnn_clock_seconds() - since > 1.0) {
            _exit(RNN_STOPPED);
        }
    }
    return NULL;
}

rnn_status rnn_signals_hold(void)
{
    const sigset_t set = requests();
    pthread_t thread;
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);

    if (error == 0)
        error = pthread_create(&thread, NULL, watch, NULL);
    if (error == 0)
        error = pthread_detach(thread);
    return error == 0
               ? RNN_OK
               : RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot wait for signals: %s", strerror(error));
}

rnn_status rnn_signals_install(void)
{
    /* A file over the size limit is then an error of write(), with a message. */
    signal(SIGXFSZ, SIG_IGN);
    atomic_store(&is_training, true);
    return RNN_OK;
}

int rnn_signals_pending(void)
{
    return atomic_load(&pending);
}
