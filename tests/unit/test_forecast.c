/* What steps would cost on more ranks: units, the model of sums worked by hand, and refusals. */
#include "tests/unit/small_texts.h"
#include "tests/unit/temporary_folder.h"

#include <math.h>

#include "dist/comm.h"
#include "framework/config.h"
#include "framework/forecast.h"

static void assert_close(double found, double expected)
{
    if (fabs(found - expected) > 1e-9 * fabs(expected))
        fail_msg("expected %.12g, found %.12g", expected, found);
}

/* -- The network ------------------------------------------------------------------------------- */

static void networks_have_units(void **state)
{
    static const struct {
        const char *text;
        double latency, bandwidth;
    } cases[] = {{"24us,10Gbit", 24e-6, 1.25e9},   {"1.5us,100Gbit", 1.5e-6, 12.5e9},
                 {"300ns,12.5GB", 300e-9, 12.5e9}, {"2ms,800kbit", 2e-3, 1e5},
                 {"1s,125MB", 1.0, 1.25e8},        {"0us,1Mbit", 0.0, 1.25e5}};
    rnn_network network;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(rnn_network_parse(&network, cases[i].text));
        assert_true(fabs(network.latency - cases[i].latency) <= 1e-12 * cases[i].latency);
        assert_close(network.bandwidth, cases[i].bandwidth);
    }
}

static void other_networks_are_refused(void **state)
{
    static const char *const texts[] = {
        "",           "24us",         "10Gbit,24us",  "24us,10Gbit,",
        "24,10Gbit",  "24us,10",      "-1us,10Gbit",  "us,Gbit",
        "24us,0Gbit", "24us 10Gbit",  "24 us,10Gbit", "infs,10Gbit",
        "24us,nanMB", "24us,10Gbits", "24usx,10Gbit", "1e400s,1MB"};
    rnn_network network;
    (void)state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (rnn_network_parse(&network, texts[i]) != RNN_ERR_USAGE)
            fail_msg("\"%s\" is accepted", texts[i]);
        assert_non_null(strstr(rnn_error_message(), "such as 24us,10Gbit; found \""));
        assert_non_null(strstr(rnn_error_message(), texts[i]));
    }
}

/* -- The model --------------------------------------------------------------------------------- */

/* Numbers that make head sums easy: a message takes 1.25 x 8 us = 10 us, one among many
 * 9.2 us, and 4 bytes take 4 ns. */
static const rnn_network easy = {.latency = 8e-6, .bandwidth = 1e9 / 0.9};

static void halving_is_worked_by_hand(void **state)
{
    (void)state;
    assert_close(rnn_forecast_tree(&easy, 2, 8, 1000), 2 * 10e-6 + 4e-6);
    /* 2 log2 8 = 6 messages, 2 x 7 / 8 x 1000 values */
    assert_close(rnn_forecast_tree(&easy, 8, 8, 1000), 60e-6 + 1750 * 4e-9);
    /* pieces follow each other closely, so they make no difference */
    assert_close(rnn_forecast_tree(&easy, 2, 2, 2500000), 2 * 10e-6 + 2500000 * 4e-9);
    assert_true(rnn_forecast_tree(&easy, 1, 8, 1000) == 0.0);
}

static void chunk_exchange_is_worked_by_hand(void **state)
{
    (void)state;
    /* 3 ranks of 4 shards: runs [0, 2), [2, 3), [3, 4), a node each; 2 rounds of 2 messages */
    assert_close(rnn_forecast_tree(&easy, 3, 4, 300000), 4 * 9.2e-6 + 2 * 200000 * 4e-9);
    /* of 8 shards: [0, 3), [3, 6), [6, 8): two nodes, so 3 rounds */
    assert_close(rnn_forecast_tree(&easy, 3, 8, 300000), 6 * 9.2e-6 + 3 * 200000 * 4e-9);
    /* in three pieces, the last one short, 2 x 3 + 1 times 2 messages */
    assert_close(rnn_forecast_tree(&easy, 3, 8, 2400000), 14 * 9.2e-6 + 3 * 1600000 * 4e-9);
}

static void folding_is_worked_by_hand(void **state)
{
    (void)state;
    /* 6 ranks of 8 shards have a node each; 4 halve and double: 2 log2 4 + 2 messages, 1 + 5 arrays
     */
    assert_close(rnn_forecast_tree(&easy, 6, 8, 1000), 6 * 10e-6 + 6 * 1000 * 4e-9);
    /* of 16: [0, 3), [3, 6), [6, 9), [9, 12), [12, 14), [14, 16): two nodes */
    assert_close(rnn_forecast_tree(&easy, 6, 16, 1000), 6 * 10e-6 + 7 * 1000 * 4e-9);
}

static void allreduce_is_worked_by_hand(void **state)
{
    (void)state;
    assert_close(rnn_forecast_allreduce(&easy, 4, 1000), 4 * 10e-6 + 1500 * 4e-9);
    /* 5 ranks: 4 as above, and everything there and back once more */
    assert_close(rnn_forecast_allreduce(&easy, 5, 1000), 6 * 10e-6 + 3500 * 4e-9);
    assert_true(rnn_forecast_allreduce(&easy, 1, 1000) == 0.0);
}

static void small_sums_are_worked_by_hand(void **state)
{
    (void)state;
    assert_close(rnn_forecast_small_sum(&easy, 16, 400), 4 * (10e-6 + 400e-9));
    assert_close(rnn_forecast_small_sum(&easy, 12, 400), 5 * (10e-6 + 400e-9));
    assert_true(rnn_forecast_small_sum(&easy, 1, 400) == 0.0);
}

/* What SimGrid gives for the reducer itself, in seconds: tests/bench/scaling-study. */
static void the_model_is_near_the_simulation(void **state)
{
    static const char slow[] = "24us,10Gbit", fast[] = "1.5us,100Gbit";
    static const struct {
        const char *network;
        size_t n_values, n_ranks, n_shards;
        double seconds;
    } cases[] = {{slow, 133810, 2, 16, 526e-6},         {slow, 133810, 16, 128, 1089e-6},
                 {slow, 133810, 64, 512, 1230e-6},      {slow, 133810, 256, 2048, 1530e-6},
                 {slow, 133810, 512, 4096, 1387e-6},    {slow, 133810, 3, 32, 1843e-6},
                 {slow, 133810, 12, 128, 3395e-6},      {slow, 133810, 48, 512, 4473e-6},
                 {slow, 133810, 192, 2048, 4592e-6},    {slow, 133810, 768, 8192, 4694e-6},
                 {fast, 133810, 4, 32, 79e-6},          {fast, 133810, 64, 512, 112e-6},
                 {fast, 133810, 512, 4096, 123e-6},     {fast, 133810, 3, 32, 174e-6},
                 {fast, 133810, 48, 512, 436e-6},       {fast, 133810, 768, 8192, 450e-6},
                 {slow, 10000000, 8, 64, 62866e-6},     {slow, 10000000, 64, 512, 70829e-6},
                 {slow, 10000000, 128, 1024, 71435e-6}, {slow, 10000000, 3, 32, 120008e-6},
                 {slow, 10000000, 12, 128, 174092e-6},  {slow, 10000000, 48, 512, 252194e-6},
                 {slow, 10000000, 96, 1024, 289976e-6}, {slow, 10000000, 192, 2048, 315472e-6},
                 {slow, 10000000, 512, 4096, 71951e-6}, {slow, 133810, 1024, 8192, 1677e-6},
                 {fast, 10000000, 8, 64, 6275e-6},      {fast, 10000000, 64, 512, 7066e-6},
                 {fast, 10000000, 128, 1024, 7125e-6},  {fast, 10000000, 3, 32, 11926e-6},
                 {fast, 10000000, 24, 256, 20902e-6},   {fast, 10000000, 48, 512, 23504e-6},
                 {fast, 10000000, 96, 1024, 26951e-6},  {fast, 10000000, 256, 2048, 7168e-6},
                 {fast, 10000000, 768, 8192, 31489e-6}};
    rnn_network network;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double found;

        OK(rnn_network_parse(&network, cases[i].network));
        found = rnn_forecast_tree(&network, cases[i].n_ranks, cases[i].n_shards, cases[i].n_values);
        if (fabs(found / cases[i].seconds - 1.0) > 0.12)
            fail_msg("%s, %zu ranks: %.6f s, simulated %.6f s", cases[i].network, cases[i].n_ranks,
                     found, cases[i].seconds);
    }
}

/* -- A run ------------------------------------------------------------------------------------- */

static const char text[] = "[run]\n"
                           "epochs = 1\n"
                           "output_dir = 'out'\n" SMALL_TEXTS "[[layer]]\n"
                           "type = 'embedding'\n"
                           "embedding_dim = 5\n"
                           "[[layer]]\n"
                           "type = 'gru'\n"
                           "hidden_size = 6\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 3\n"
                           "[loss]\n"
                           "ignore_index = 2\n"
                           "[optimizer]\n"
                           "type = 'adam'\n"
                           "[train]\n"
                           "batch_size = 4\n"
                           "[parallel]\n"
                           "shards = 4\n"
                           "threads = 1\n"
                           "binding = 'keep'\n";

typedef struct fixture {
    rnn_config config;
    rnn_comm *comm;
    rnn_run *run;
} fixture;

static void start(fixture *f, const char *override)
{
    OK(rnn_config_parse(&f->config, text, strlen(text), "t.toml", &override, override != NULL));
    OK(rnn_comm_create(&f->comm));
    OK(rnn_run_create(&f->run, &f->config, NULL, f->comm));
}

static void finish(fixture *f)
{
    rnn_run_destroy(&f->run);
    rnn_comm_destroy(&f->comm);
    rnn_config_free(&f->config);
}

static void a_forecast_is_measured_and_modelled(void **state)
{
    fixture f;
    rnn_forecast one, four;
    size_t n_values;
    (void)state;

    start(&f, NULL);
    n_values = rnn_model_size(f.run->model);
    OK(rnn_forecast_make(f.run, &easy, 1, &one));
    OK(rnn_forecast_make(f.run, &easy, 4, &four));
    assert_true(one.compute > 0.0 && four.compute > 0.0);
    assert_true(one.sums == 0.0);
    assert_close(four.sums, rnn_forecast_tree(&easy, 4, 4, n_values) +
                                rnn_forecast_small_sum(&easy, 4, 8 * (RNN_STEP_SLOTS + 4)));
    assert_true(four.memory > 0.0);
    finish(&f);
}

/* Twice the batches of a step are twice the sums. */
static void accumulated_batches_are_summed_each(void **state)
{
    fixture f;
    rnn_forecast once, twice;
    (void)state;

    start(&f, NULL);
    OK(rnn_forecast_make(f.run, &easy, 2, &once));
    finish(&f);
    start(&f, "train.accumulate=2");
    OK(rnn_forecast_make(f.run, &easy, 2, &twice));
    finish(&f);
    assert_close(twice.sums, 2 * once.sums);
}

static void more_ranks_than_shards_are_refused(void **state)
{
    fixture f;
    (void)state;

    start(&f, NULL);
    assert_int_equal(rnn_forecast_print(f.run, &easy, 5), RNN_ERR_USAGE);
    assert_string_equal(rnn_error_message(),
                        "--ranks: expected at most as many as there are shards, 4; found 5; raise "
                        "parallel.shards or train.batch_size");
    finish(&f);
}

static void a_batch_must_be_full(void **state)
{
    fixture f;
    rnn_forecast forecast;
    (void)state;

    start(&f, "train.batch_size=100");
    assert_int_equal(rnn_forecast_make(f.run, &easy, 1, &forecast), RNN_ERR_DATA);
    assert_non_null(strstr(rnn_error_message(), "train.batch_size is 100, the data has 14"));
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_have_units),
        cmocka_unit_test(other_networks_are_refused),
        cmocka_unit_test(halving_is_worked_by_hand),
        cmocka_unit_test(chunk_exchange_is_worked_by_hand),
        cmocka_unit_test(folding_is_worked_by_hand),
        cmocka_unit_test(allreduce_is_worked_by_hand),
        cmocka_unit_test(small_sums_are_worked_by_hand),
        cmocka_unit_test(the_model_is_near_the_simulation),
        cmocka_unit_test(a_forecast_is_measured_and_modelled),
        cmocka_unit_test(accumulated_batches_are_summed_each),
        cmocka_unit_test(more_ranks_than_shards_are_refused),
        cmocka_unit_test(a_batch_must_be_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
