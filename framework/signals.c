#include "framework/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/clock.h"

/* What a signal means. */
enum { DEFAULT_EFFECT, ENDS_AS_STOPPED, ENDS_WITH_MESSAGE, ASKS_TO_STOP, ENDS_AS_FAILED };

static atomic_int pending;
static atomic_int meaning = DEFAULT_EFFECT;
static atomic_int failure; /* status for ENDS_AS_FAILED */

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

static void say_why(int number)
{
    /* Not by stdio, whose lock another thread may hold. */
    dprintf(STDERR_FILENO, "rnntrain: stopped by SIG%s while starting; nothing has changed\n",
            sigabbrev_np(number));
}

/* The one thread that receives the signals. */
static void *watch(void *unused)
{
    const sigset_t set = requests();
    double since = 0.0;
    int number;

    (void)unused;
    while (sigwait(&set, &number) == 0) {
        switch (atomic_load(&meaning)) {
        case DEFAULT_EFFECT:
            end_by(number);
            break;
        case ENDS_WITH_MESSAGE:
            say_why(number);
            _exit(RNN_STOPPED);
        case ENDS_AS_STOPPED:
            _exit(RNN_STOPPED);
        case ENDS_AS_FAILED:
            _exit(atomic_load(&failure));
        default:
            if (atomic_load(&pending) == 0) {
                since = rnn_clock_seconds();
                atomic_store(&pending, number);
            } else if (rnn_clock_seconds() - since > 1.0) {
                _exit(RNN_STOPPED);
            }
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

void rnn_signals_expect(bool speaks)
{
    atomic_store(&meaning, speaks ? ENDS_WITH_MESSAGE : ENDS_AS_STOPPED);
}

void rnn_signals_install(void)
{
    atomic_store(&meaning, ASKS_TO_STOP);
}

void rnn_signals_fail(rnn_status status)
{
    atomic_store(&failure, (int)status);
    atomic_store(&meaning, ENDS_AS_FAILED);
}

int rnn_signals_pending(void)
{
    return atomic_load(&pending);
}
