/*
 * Errors: a status code, and one sentence about what was tried, on what, what was expected and what
 * was found.
 */
#ifndef RNN_STATUS_H
#define RNN_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what librnn offers; everything else stays inside the shared library. */
#if defined(__GNUC__)
#define RNN_API __attribute__((visibility("default")))
#else
#define RNN_API
#endif

/* Values are the exit statuses of the program rnntrain (sysexits.h where it has one). */
typedef enum rnn_status {
    RNN_OK = 0,
    RNN_ERR_USAGE = 64,       /* command line, or arguments of a call */
    RNN_ERR_DATA = 65,        /* content of a configuration, dataset or file */
    RNN_ERR_NOINPUT = 66,     /* an input does not exist or cannot be opened */
    RNN_ERR_UNAVAILABLE = 69, /* the environment is unusable: MPI, CPU, libraries */
    RNN_ERR_INTERNAL = 70,    /* a fault of ours */
    RNN_ERR_MEMORY = 71,
    RNN_ERR_IO = 74,
    RNN_STOPPED = 75,      /* ended early on request; resumable */
    RNN_ERR_DISAGREE = 76, /* ranks have different programs, configurations or data */
    RNN_ERR_NONFINITE = 77 /* a loss or a parameter is not finite */
} rnn_status;

/* The message of the last failure in this thread; "" if there was none. Lent until the next one. */
RNN_API const char *rnn_error_message(void);

#ifdef __cplusplus
}
#endif

#endif
