#include "kernels/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char message[1024];

rnn_status rnn_fail(rnn_status code, const char *file, int line, const char *format, ...)
{
    char text[sizeof message]; /* arguments may point into the old message */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof message);
    /* A fault of ours is for developers: say where. A user's mistake is not about our source. */
    if (code == RNN_ERR_INTERNAL || getenv("RNNTRAIN_DEBUG") != NULL) {
        size_t used = strlen(message);

        snprintf(message + used, sizeof message - used, " [%s:%d]", file, line);
    }
    return code;
}

const char *rnn_error_message(void)
{
    return message;
}

rnn_status rnn_error_adopt(rnn_status code, const char *text)
{
    snprintf(message, sizeof message, "%s", text);
    return code;
}

const char *rnn_status_name(rnn_status code)
{
    switch (code) {
    case RNN_OK:
        return "ok";
    case RNN_ERR_USAGE:
        return "usage";
    case RNN_ERR_DATA:
        return "data";
    case RNN_ERR_NOINPUT:
        return "missing input";
    case RNN_ERR_UNAVAILABLE:
        return "environment";
    case RNN_ERR_INTERNAL:
        return "internal";
    case RNN_ERR_MEMORY:
        return "memory";
    case RNN_ERR_IO:
        return "i/o";
    case RNN_STOPPED:
        return "stopped";
    case RNN_ERR_DISAGREE:
        return "disagreement";
    case RNN_ERR_NONFINITE:
        return "non-finite";
    }
    return "unknown";
}
