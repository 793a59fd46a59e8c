/*
 * TOML texts, of any content: values with their places, in the document's order.
 */
#include "fuzz.h"

#include <string.h>

#include "framework/toml_reader.h"
#include "kernels/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    rnn_toml toml;
    rnn_status st = rnn_toml_parse(&toml, (const char *)bytes, n_bytes, "fuzz");

    FUZZ_CHECK(st == RNN_OK || st == RNN_ERR_DATA);
    FUZZ_CHECK(st == RNN_OK || strncmp(rnn_error_message(), "fuzz:", 5) == 0);
    for (size_t i = 0; st == RNN_OK && i < toml.count; i++) {
        const rnn_toml_value *v = &toml.values[i];
        char *quoted;

        FUZZ_CHECK(v->line >= 1 && v->column >= 1 && strlen(v->path) < RNN_TOML_MAX_PATH + 24);
        FUZZ_CHECK((v->type == RNN_TOML_STRING) == (v->string != NULL));
        if (v->string == NULL)
            continue;
        FUZZ_CHECK(rnn_toml_quote(&quoted, v->string) == RNN_OK);
        rnn_free(quoted);
    }
    rnn_toml_free(&toml);
    return 0;
}
