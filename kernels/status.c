#include "kernels/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char message[1024];

/* What a message quotes may hold anything: it stays one line, and leaves the terminal alone. */
static void hide_control_characters(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
}

rnn_status rnn_fail(rnn_status code, const char *file, int line, const char *format, ...)
{
    char text[sizeof message]; /* arguments may point into the old message */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    hide_control_characters(text);
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
