#include "framework/stage.h"

const rnn_stage_class *rnn_stage_get_class(rnn_stage_kind kind)
{
    static const rnn_stage_class *const classes[RNN_STAGE_N_KINDS] = {
        [RNN_STAGE_RECURRENT] = &rnn_stage_recurrent,
        [RNN_STAGE_LINEAR] = &rnn_stage_linear,
        [RNN_STAGE_SELECT] = &rnn_stage_select,
    };

    return classes[kind];
}
