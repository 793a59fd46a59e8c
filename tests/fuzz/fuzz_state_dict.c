/*
 * Files of a state_dict to be imported. They have no digest, and libhdf5 reads their structure: a
 * crash in there is counted and no finding. Parameters may only change if all of them are there.
 */
#include "fuzz.h"

#include <math.h>

#include "checkpoint_run.h"
#include "framework/state_dict.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const char *path = fuzz_path(0, (fuzz_input){bytes, n_bytes});
    rnn_model *model = checkpoint_run_model();
    size_t size = rnn_model_size(model);
    float *params;
    rnn_status st;

    FUZZ_CHECK(RNN_ALLOC(&params, size, "parameters") == RNN_OK);
    for (size_t i = 0; i < size; i++)
        params[i] = 0.125F;
    st = rnn_state_dict_read(path, model, params);
    for (size_t i = 0; i < size; i++)
        FUZZ_CHECK(st == RNN_OK ? isfinite(params[i]) : params[i] == 0.125F);
    rnn_free(params);
    rnn_model_destroy(&model);
    return 0;
}
