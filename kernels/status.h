/*
 * Making errors: rnn/status.h has the codes, which are also the program's exit statuses.
 *
 * The place that notices a fault writes the message with RNN_FAIL: what was tried, on what,
 * what was expected and what was found. Callers pass the status on unchanged. The message is
 * thread-local and stays until the next failure in the same thread.
 */
#ifndef RNN_KERNELS_STATUS_H
#define RNN_KERNELS_STATUS_H

#include <rnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lets the compiler check a function's arguments against its printf format. */
#if defined(__GNUC__)
#define RNN_PRINTF_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define RNN_PRINTF_FORMAT(text, first)
#endif

/*
 * Stores the message of this thread (printf form, at most 1023 bytes, one line: control characters
 * become "?") and returns `code`.
 */
rnn_status rnn_fail(rnn_status code, const char *file, int line, const char *format, ...)
    RNN_PRINTF_FORMAT(4, 5);

/* Puts a message that another thread produced into this thread; returns `code`. */
rnn_status rnn_error_adopt(rnn_status code, const char *message);

#ifdef __clang_analyzer__
/* Analysers do not see that rnn_fail returns its argument, so never RNN_OK. */
#define RNN_FAIL(code, ...) (rnn_fail((code), __FILE__, __LINE__, __VA_ARGS__), (code))
#else
#define RNN_FAIL(code, ...) rnn_fail((code), __FILE__, __LINE__, __VA_ARGS__)
#endif

/* Returns from the calling function if `expr` is not RNN_OK. */
#define RNN_TRY(expr)                                                                              \
    do {                                                                                           \
        rnn_status rnn_try_status_ = (expr);                                                       \
        if (rnn_try_status_ != RNN_OK)                                                             \
            return rnn_try_status_;                                                                \
    } while (0)

/* As RNN_TRY for functions that hold something: stores the status in `st`, jumps to `label`. */
#define RNN_TRY_GOTO(st, expr, label)                                                              \
    do {                                                                                           \
        (st) = (expr);                                                                             \
        if ((st) != RNN_OK)                                                                        \
            goto label;                                                                            \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
