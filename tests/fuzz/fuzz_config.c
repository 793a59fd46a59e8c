/*
 * Configurations: a text, and behind a zero byte each an override as of --set. One that is accepted
 * must print as a text that is accepted and prints the same.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "framework/config.h"
#include "kernels/memory.h"

enum { MAX_OVERRIDES = 4 };

static void check_round_trip(const rnn_config *config)
{
    rnn_config again;
    char *text, *text_again;

    FUZZ_CHECK(rnn_config_print(config, &text) == RNN_OK);
    FUZZ_CHECK(rnn_config_parse(&again, text, strlen(text), "printed", NULL, 0) == RNN_OK);
    FUZZ_CHECK(rnn_config_print(&again, &text_again) == RNN_OK);
    FUZZ_CHECK(strcmp(text, text_again) == 0);
    FUZZ_CHECK(rnn_config_check_resume(config, &again) == RNN_OK);
    rnn_free(text_again);
    rnn_free(text);
    rnn_config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    fuzz_input in = {bytes, n_bytes};
    char *all = fuzz_text(in);
    const char *overrides[MAX_OVERRIDES];
    size_t n_overrides = 0, length = n_bytes;
    rnn_config config;
    rnn_status st;

    if (n_bytes > 0 && memchr(bytes, '\0', n_bytes) != NULL) {
        length = strlen(all);
        for (char *at = all + length + 1; at < all + n_bytes && n_overrides < MAX_OVERRIDES;
             at += strlen(at) + 1)
            overrides[n_overrides++] = at;
    }
    st = rnn_config_parse(&config, all, length, "fuzz", overrides, n_overrides);
    FUZZ_CHECK(st == RNN_OK || st == RNN_ERR_DATA || st == RNN_ERR_USAGE);
    FUZZ_CHECK(st == RNN_OK || strncmp(rnn_error_message(), "fuzz:", 5) == 0 ||
               strncmp(rnn_error_message(), "--set ", 6) == 0);
    if (st == RNN_OK)
        check_round_trip(&config);
    rnn_config_free(&config);
    free(all);
    return 0;
}
