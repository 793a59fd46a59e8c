#include "framework/time_split.h"

static const char *const names[RNN_TIME_N_PARTS] = {"data",   "pack",   "forward",  "backward",
                                                    "reduce", "update", "evaluate", "other"};

/* What is not here is in other: comparisons and checkpoints; a step is the sum of its phases. */
static const struct {
    rnn_phase phase;
    rnn_time_part part;
} parts[] = {{RNN_PHASE_DATA, RNN_TIME_DATA},     {RNN_PHASE_GATHER, RNN_TIME_DATA},
             {RNN_PHASE_PACK, RNN_TIME_PACK},     {RNN_PHASE_FORWARD, RNN_TIME_FORWARD},
             {RNN_PHASE_LOSS, RNN_TIME_FORWARD},  {RNN_PHASE_BACKWARD, RNN_TIME_BACKWARD},
             {RNN_PHASE_ADD, RNN_TIME_REDUCE},    {RNN_PHASE_NEWS, RNN_TIME_REDUCE},
             {RNN_PHASE_REDUCE, RNN_TIME_REDUCE}, {RNN_PHASE_UPDATE, RNN_TIME_UPDATE},
             {RNN_PHASE_NORM, RNN_TIME_UPDATE},   {RNN_PHASE_SHARE, RNN_TIME_UPDATE}};

const char *rnn_time_part_name(rnn_time_part part)
{
    return names[part];
}

rnn_time_split rnn_time_split_take(const rnn_timeline *timeline)
{
    rnn_time_split split = {{0}};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        bool is_shared = rnn_phase_is_shared(parts[i].phase);
        size_t n_tracks = is_shared ? rnn_timeline_n_tracks(timeline) : 1;

        for (size_t track = 0; track < n_tracks; track++)
            split.seconds[parts[i].part] +=
                rnn_timeline_seconds(timeline, track, parts[i].phase) / (double)n_tracks;
    }
    return split;
}

rnn_time_split rnn_time_split_between(const rnn_time_split *before, const rnn_time_split *after,
                                      double seconds)
{
    rnn_time_split split = {{0}};
    double known = 0.0;

    for (int part = 0; part < RNN_TIME_EVALUATE; part++) {
        split.seconds[part] = after->seconds[part] - before->seconds[part];
        known += split.seconds[part];
    }
    split.seconds[RNN_TIME_OTHER] = known < seconds ? seconds - known : 0.0;
    return split;
}
