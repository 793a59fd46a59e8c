#include "framework/stage.h"

const rnn_stage_class *rnn_stage_get_class(rnn_layer_type type)
{
    switch (type) {
    case RNN_LAYER_RNN:
    case RNN_LAYER_LSTM:
    case RNN_LAYER_GRU:
        break;
    case RNN_LAYER_LINEAR:
        return &rnn_stage_linear;
    case RNN_LAYER_SELECT:
        return &rnn_stage_select;
    }
    return &rnn_stage_recurrent;
}
