/*
 * The options of rnntrain bench. Private to launch/.
 */
#ifndef RNN_LAUNCH_BENCH_OPTIONS_H
#define RNN_LAUNCH_BENCH_OPTIONS_H

#include "framework/bench.h"

/* What holds without options: all cells and shapes, as text. */
rnn_bench_cfg rnn_bench_options_default(void);

/* `option` is "json" (value NULL), "cell", "shape" or "rounds". RNN_ERR_USAGE for a bad value. */
rnn_status rnn_bench_options_take(rnn_bench_cfg *cfg, const char *option, const char *value);

#endif
