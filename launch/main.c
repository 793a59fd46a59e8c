/*
 * rnntrain: reads the command line, starts MPI if there is a launcher, does what was asked, and
 * turns the outcome into one message and an exit status, the same on every rank.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dist/comm.h"
#include "framework/bench.h"
#include "framework/checkpoint.h"
#include "framework/config.h"
#include "framework/diff.h"
#include "framework/eval.h"
#include "framework/exchange.h"
#include "framework/forecast.h"
#include "framework/memory_estimate.h"
#include "framework/plot.h"
#include "framework/predict.h"
#include "framework/report.h"
#include "framework/run.h"
#include "framework/show.h"
#include "framework/signals.h"
#include "framework/sweep.h"
#include "framework/top.h"
#include "framework/trace.h"
#include "framework/trained.h"
#include "framework/trainer.h"
#include "framework/verify.h"
#include "framework/versions.h"
#include "framework/write_text.h"
#include "kernels/hdf5_library.h"
#include "kernels/memory.h"
#include "launch/help.h"
#include "launch/options.h"

static rnn_status load_config(rnn_config *config, const rnn_options *options)
{
    char *path;
    rnn_status st;

    RNN_TRY(rnn_options_find_config(options->config, &path));
    st = rnn_config_load(config, path, options->overrides, options->n_overrides);
    rnn_free(path);
    return st;
}

static void print_memory(rnn_report *report, const rnn_memory_estimate *memory)
{
    char parts[256] = "";
    size_t length = 0;

    for (rnn_memory_part part = 0; part < RNN_MEMORY_N_PARTS && length < sizeof parts; part++)
        length += (size_t)snprintf(parts + length, sizeof parts - length, "%s%s %.0f",
                                   part == 0 ? "" : ", ", rnn_memory_part_name(part),
                                   1e-6 * memory->bytes[part]);
    rnn_report_line(report, "memory", "about %.0f MB of rank 0 at its peak: %s",
                    1e-6 * memory->total, parts);
}

static rnn_status print_plan(rnn_run *run)
{
    rnn_memory_estimate memory;
    rnn_report *report;

    RNN_TRY(rnn_comm_agree(run->comm,
                           rnn_estimate_memory(run, (size_t)rnn_comm_size(run->comm), &memory)));
    RNN_TRY(rnn_comm_agree(run->comm, rnn_report_create(&report, run)));
    rnn_report_banner(report);
    print_memory(report, &memory);
    rnn_report_line(report, "check", "configuration, data and model are fine; nothing was run");
    rnn_report_destroy(&report);
    return RNN_OK;
}

/* Collective. A run that ends early, or badly, is traced too. */
static rnn_status train(rnn_run *run, const char *trace_path)
{
    rnn_trace *trace;
    rnn_status st, written;

    if (trace_path == NULL)
        return rnn_train(run);
    RNN_TRY(rnn_trace_begin(&trace, run, trace_path));
    st = rnn_train(run);
    written = rnn_comm_is_broken() ? RNN_OK : rnn_trace_write(trace);
    rnn_trace_end(&trace);
    return st == RNN_OK ? written : st;
}

/* Collective. */
static rnn_status execute(const rnn_options *options, const rnn_config *config, rnn_comm *comm)
{
    rnn_run *run;
    rnn_status st;

    RNN_TRY(rnn_run_create(&run, config, NULL, comm));
    switch (options->command) {
    case RNN_COMMAND_CHECK:
        st = print_plan(run);
        break;
    case RNN_COMMAND_BENCH:
        st = rnn_bench(run, &options->bench);
        break;
    case RNN_COMMAND_PLAN:
        st = rnn_comm_agree(comm, rnn_forecast_print(run, &options->network, options->n_ranks));
        break;
    case RNN_COMMAND_IMPORT:
        st = rnn_import(run, options->weights);
        break;
    default:
        st = train(run, options->trace);
        break;
    }
    rnn_run_destroy(&run);
    return st;
}

/* What has been printed to the standard output has arrived. */
static rnn_status finish_output(rnn_status st)
{
    if (st == RNN_OK && (fflush(stdout) != 0 || ferror(stdout)))
        return RNN_FAIL(RNN_ERR_IO, "cannot write the output: %s", strerror(errno));
    return st;
}

/* Collective. What is done with a trained model and data. */
static rnn_status use_trained(const rnn_options *options, rnn_comm *comm)
{
    const rnn_trained_cfg cfg = {.checkpoint = options->config,
                                 .data = options->data,
                                 .overrides = options->overrides,
                                 .n_overrides = options->n_overrides,
                                 .needs_no_targets = options->command == RNN_COMMAND_PREDICT,
                                 .with_confusion = options->command == RNN_COMMAND_EVAL};
    rnn_trained trained;
    rnn_status st;

    RNN_TRY(rnn_trained_open(&trained, &cfg, comm));
    st = options->command == RNN_COMMAND_EVAL ? rnn_eval(&trained, stdout)
                                              : rnn_predict(&trained, options->output);
    rnn_trained_close(&trained);
    return st == RNN_OK ? rnn_comm_agree(comm, finish_output(st)) : st;
}

/* Collective. One rank writes, whatever their number. */
static rnn_status write_text(const rnn_options *options, rnn_comm *comm)
{
    rnn_status st = rnn_comm_rank(comm) == 0
                        ? rnn_write_text(options->config, &options->write, stdout)
                        : RNN_OK;

    return rnn_comm_agree(comm, finish_output(st));
}

/* Collective. `st` is how this rank fared with its command line. */
static rnn_status start(const rnn_options *options, rnn_status st, rnn_comm *comm)
{
    rnn_config config = {0};

    RNN_TRY(rnn_comm_agree(comm, st));
    RNN_TRY(rnn_comm_compare(comm, (uint64_t)options->command, "command"));
    if (options->command == RNN_COMMAND_SAMPLE)
        return write_text(options, comm);
    if (options->command == RNN_COMMAND_EVAL || options->command == RNN_COMMAND_PREDICT)
        return use_trained(options, comm);
    if (options->config == NULL)
        return rnn_bench_sweep(&options->bench, options->overrides, options->n_overrides, comm);
    st = rnn_comm_agree(comm, load_config(&config, options));
    if (st == RNN_OK)
        st = execute(options, &config, comm);
    rnn_config_free(&config);
    return st;
}

static rnn_status show(const rnn_options *options)
{
    char *path;
    bool is_checkpoint;
    rnn_status st;

    RNN_TRY(rnn_options_find_config(options->config, &path));
    st = rnn_checkpoint_recognize(path, &is_checkpoint);
    if (st == RNN_OK && is_checkpoint && options->n_overrides > 0)
        st = RNN_FAIL(RNN_ERR_USAGE, "%s is a checkpoint, where --set can change nothing", path);
    else if (st == RNN_OK && is_checkpoint)
        st = rnn_show_checkpoint(path, stdout);
    else if (st == RNN_OK)
        st = rnn_show_config(path, options->overrides, options->n_overrides, stdout);
    rnn_free(path);
    return st;
}

static int print_and_leave(const rnn_options *options)
{
    rnn_command command = options->command;

    if (command == RNN_COMMAND_HELP)
        rnn_help_print(stdout, options->about);
    else if (command == RNN_COMMAND_HELP_CONFIG)
        rnn_config_print_help(stdout);
    else if (command == RNN_COMMAND_KEYS)
        rnn_config_print_keys(stdout);
    else
        rnn_versions_print(stdout);
    return RNN_OK;
}

static void complain(void)
{
    (void)fflush(stdout);               /* finish_output has looked at it */
    if (rnn_error_message()[0] != '\0') /* else another rank tells */
        fprintf(stderr, "rnntrain: %s\n", rnn_error_message());
}

static rnn_status sweep(const rnn_options *options)
{
    rnn_sweep_cfg cfg = options->sweep;
    char *path;
    rnn_status st;

    if (rnn_comm_is_launched())
        return RNN_FAIL(RNN_ERR_USAGE, "sweep starts its runs itself, as processes with threads: "
                                       "call it without mpirun or srun");
    RNN_TRY(rnn_options_find_config(options->config, &path));
    cfg.config = path;
    cfg.overrides = options->overrides;
    cfg.n_overrides = options->n_overrides;
    cfg.folder = options->output;
    st = rnn_sweep(&cfg, stdout);
    rnn_free(path);
    return st;
}

/* What needs neither other ranks nor their launcher. */
static int run_alone(const rnn_options *options)
{
    rnn_status st;
    bool differ = false;

    switch (options->command) {
    case RNN_COMMAND_SHOW:
        st = show(options);
        break;
    case RNN_COMMAND_PLOT:
        st = rnn_plot_draw(&options->plot, stdout);
        break;
    case RNN_COMMAND_TOP:
        st = rnn_top(options->config, options->once, stdout);
        break;
    case RNN_COMMAND_SWEEP:
        st = sweep(options);
        break;
    case RNN_COMMAND_DIFF:
        st = rnn_diff_checkpoints(options->config, options->data, options->tolerance, stdout,
                                  &differ);
        break;
    case RNN_COMMAND_VERIFY:
        st = rnn_verify(options->words, options->n_words, stdout);
        break;
    default:
        st = rnn_export(options->config, options->weights);
        break;
    }
    st = finish_output(st);
    if (st != RNN_OK)
        complain();
    return st != RNN_OK ? (int)st : differ;
}

int main(int argc, char **argv)
{
    rnn_options options;
    rnn_comm *comm;
    rnn_status st = rnn_options_parse(&options, argc, argv), joined;

    /* A file over the size limit is then an error of write(), with a message. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (st == RNN_OK && options.command >= RNN_COMMAND_HELP)
        return print_and_leave(&options);
    if (st == RNN_OK)
        st = rnn_hdf5_start();
    if (st == RNN_OK && options.command >= RNN_COMMAND_SHOW)
        return run_alone(&options); /* quick: without MPI */
    if (options.command == RNN_COMMAND_TRAIN)
        rnn_signals_expect(false); /* nobody knows yet which rank this is */
    joined = rnn_signals_hold();
    if (joined == RNN_OK)
        joined = rnn_comm_create(&comm);
    if (joined != RNN_OK) {
        complain();
        return (int)joined;
    }
    if (options.command == RNN_COMMAND_TRAIN)
        rnn_signals_expect(rnn_comm_rank(comm) == 0);
    st = start(&options, st, comm);
    if (st != RNN_OK)
        rnn_signals_fail(st);
    if (st != RNN_OK && (rnn_comm_rank(comm) == 0 || rnn_comm_is_broken()))
        complain();
    if (rnn_comm_is_broken())
        rnn_comm_abort(comm, st);
    rnn_comm_destroy(&comm);
    return (int)st;
}
