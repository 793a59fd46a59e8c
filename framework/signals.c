#include "framework/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t pending;
static volatile time_t pending_since;

static void on_signal(int number)
{
    struct timespec now;
    int saved_errno = errno;

    clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe by POSIX */
    if (pending == 0) {
        pending_since = now.tv_sec;
        pending = number;
    } else if (now.tv_sec - pending_since > 1) {
        _exit(RNN_STOPPED);
    }
    errno = saved_errno;
}

rnn_status rnn_signals_install(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    /* A file over the size limit is then an error of write(), with a message. */
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], &action, NULL) != 0)
            return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot handle signal %d: %s", numbers[i],
                            strerror(errno));
    return RNN_OK;
}

int rnn_signals_pending(void)
{
    return pending;
}
