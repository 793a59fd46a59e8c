/*
 * Requests to stop, each in a child process of its own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "framework/signals.h"

enum { EXPECTED = 0, UNEXPECTED = 1 };

static void pause_for(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};

    time.tv_nsec = (long)(1e9 * (seconds - (double)time.tv_sec));
    nanosleep(&time, NULL);
}

/* To the process, not to this thread, which blocks it; waits until it has been taken. */
static void send_signal(int signal)
{
    sigset_t still;

    kill(getpid(), signal);
    do {
        pause_for(0.01);
        sigpending(&still);
    } while (sigismember(&still, signal));
    pause_for(0.05); /* taken, but perhaps not yet noted */
}

/* Runs `scene` in a child that has the handlers; its exit status, or -1 if it did not exit. */
static int play(int (*scene)(int signal), int signal)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        if (rnn_signals_hold() != RNN_OK)
            _exit(UNEXPECTED);
        rnn_signals_install();
        _exit(scene(signal));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int no_signal(int unused)
{
    (void)unused;
    return rnn_signals_pending() == 0 ? EXPECTED : UNEXPECTED;
}

static void nothing_is_pending_without_a_signal(void **state)
{
    (void)state;
    assert_int_equal(play(no_signal, 0), EXPECTED);
}

static int one_signal(int signal)
{
    send_signal(signal);
    return rnn_signals_pending() == signal ? EXPECTED : UNEXPECTED;
}

static void each_of_the_four_signals_asks_to_stop_and_no_more(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(play(one_signal, numbers[i]), EXPECTED);
}

/* mpirun passes a Ctrl-C on and then sends SIGTERM. */
static int several_at_once(int signal)
{
    send_signal(signal);
    send_signal(SIGTERM);
    send_signal(signal);
    return rnn_signals_pending() == signal ? EXPECTED : UNEXPECTED;
}

static void more_signals_within_a_second_belong_to_the_first(void **state)
{
    (void)state;
    assert_int_equal(play(several_at_once, SIGINT), EXPECTED);
}

static int again_after_two_seconds(int signal)
{
    send_signal(signal);
    pause_for(2.1);
    send_signal(signal);
    return UNEXPECTED;
}

static void a_later_signal_ends_the_process_as_stopped(void **state)
{
    (void)state;
    assert_int_equal(play(again_after_two_seconds, SIGINT), RNN_STOPPED);
}

/* A training step must not fail because a signal came while it read or wrote. */
static int during_a_read(int signal)
{
    int ends[2];
    char byte = 0;
    pid_t parent = getpid(), helper;

    if (pipe(ends) != 0)
        return UNEXPECTED;
    helper = fork();
    if (helper == 0) {
        const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};

        nanosleep(&pause, NULL); /* the parent is reading by now */
        kill(parent, signal);
        nanosleep(&pause, NULL);
        _exit(write(ends[1], "x", 1) == 1 ? EXPECTED : UNEXPECTED);
    }
    if (helper < 0 || read(ends[0], &byte, 1) != 1 || byte != 'x')
        return UNEXPECTED;
    waitpid(helper, NULL, 0);
    return rnn_signals_pending() == signal ? EXPECTED : UNEXPECTED;
}

static void system_calls_go_on_after_a_signal(void **state)
{
    (void)state;
    assert_int_equal(play(during_a_read, SIGUSR1), EXPECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_pending_without_a_signal),
        cmocka_unit_test(each_of_the_four_signals_asks_to_stop_and_no_more),
        cmocka_unit_test(more_signals_within_a_second_belong_to_the_first),
        cmocka_unit_test(a_later_signal_ends_the_process_as_stopped),
        cmocka_unit_test(system_calls_go_on_after_a_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
