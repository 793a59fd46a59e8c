/* The optimizer shared out among ranks against one that has everything. */
#include "mpi_test.h"

#include <math.h>
#include <string.h>

#include "framework/config.h"
#include "framework/optimizer_share.h"
#include "kernels/memory.h"
#include "kernels/random.h"
#include "kernels/vector.h"
#include "tests/unit/small_texts.h"

enum { N_STEPS = 4 };

/* 28 thousand parameters, 7 blocks. The norm is about 50 before it is clipped. */
static const char text[] = "[run]\n"
                           "epochs = 1\n" SMALL_TEXTS "[[layer]]\n"
                           "type = 'embedding'\n"
                           "embedding_dim = 9\n"
                           "[[layer]]\n"
                           "type = 'lstm'\n"
                           "hidden_size = 78\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 3\n"
                           "[optimizer]\n"
                           "type = 'adam'\n"
                           "clip_norm = 1.0\n"
                           "[train]\n"
                           "batch_size = 4\n"
                           "[parallel]\n"
                           "shards = 4\n"
                           "threads = 1\n"
                           "shard_optimizer = true\n";

typedef struct fixture {
    rnn_config config;
    rnn_run *run;
    size_t size;
    float *grads, *params; /* of the optimizer that has everything */
    rnn_optimizer *whole;
} fixture;

static void start(fixture *f)
{
    rnn_status st = rnn_config_parse(&f->config, text, strlen(text), "t.toml", NULL, 0);

    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    st = rnn_run_create(&f->run, &f->config, NULL, comm);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    f->size = rnn_model_size(f->run->model);
    ASSERT_ON_ALL(RNN_ALLOC(&f->grads, f->size, "gradients") == RNN_OK, "gradients");
    ASSERT_ON_ALL(RNN_ALLOC(&f->params, f->size, "parameters") == RNN_OK, "parameters");
    st = rnn_optimizer_create(&f->whole, rnn_optimizer_get_cfg(f->run->optimizer), f->size);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    memcpy(f->params, f->run->params, f->size * sizeof *f->params);
}

static void finish(fixture *f)
{
    rnn_optimizer_destroy(&f->whole);
    rnn_free(f->grads);
    rnn_free(f->params);
    rnn_run_destroy(&f->run);
    rnn_config_free(&f->config);
}

/* The same on all ranks; the run has those of its chunk only. */
static void make_gradients(fixture *f, uint64_t seed)
{
    const rnn_run *run = f->run;

    rnn_random_uniform(f->grads, f->size, -0.5f, 0.5f, seed, RNN_RANDOM_INIT, 0, 0);
    for (size_t i = 0; i < f->size; i++)
        run->grads[i] = 1e9f;
    memcpy(run->grads + run->chunk_first, f->grads + run->chunk_first,
           run->chunk_count * sizeof *f->grads);
}

static bool are_same(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

static void take_steps(fixture *f, uint64_t first)
{
    for (uint64_t i = 0; i < N_STEPS; i++) {
        double norm;

        make_gradients(f, first + i);
        ASSERT_ON_ALL(rnn_optimizer_step(f->whole, f->params, f->grads, 1.0f, 0.01, &norm) ==
                              RNN_OK &&
                          norm > 10.0,
                      "norm %g", norm);
        ASSERT_ON_ALL(rnn_share_step(f->run, 1.0f, 0.01) == RNN_OK, "%s", rnn_error_message());
        ASSERT_ON_ALL(are_same(f->run->params, f->params, f->size), "step %d", (int)i);
    }
}

static bool states_are_same(rnn_optimizer *a, rnn_optimizer *b, size_t size)
{
    bool same = rnn_optimizer_get_step(a) == rnn_optimizer_get_step(b);

    for (size_t i = 0; i < rnn_optimizer_n_states(b); i++)
        same &= are_same(rnn_optimizer_state(a, i), rnn_optimizer_state(b, i), size);
    return same;
}

static void steps_and_states_have_the_bits_of_the_whole(void **unused)
{
    rnn_optimizer *gathered;
    fixture f;
    rnn_status st;

    (void)unused;
    start(&f);
    take_steps(&f, 1);
    st = rnn_share_gather(f.run, &gathered);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    ASSERT_ON_ALL((gathered != NULL) == (rnn_comm_rank(comm) == 0), "who has it");
    ASSERT_ON_ALL(gathered == NULL || states_are_same(gathered, f.whole, f.size), "states");
    rnn_optimizer_destroy(&gathered);
    finish(&f);
}

/* Of another run, whose states are those after its own steps. */
static void states_that_are_handed_out_are_gone_on_with(void **unused)
{
    rnn_optimizer *gathered;
    fixture f, other;

    (void)unused;
    start(&f);
    start(&other);
    take_steps(&f, 1);
    ASSERT_ON_ALL(rnn_share_gather(f.run, &gathered) == RNN_OK, "gather");
    ASSERT_ON_ALL(rnn_share_scatter(other.run, gathered) == RNN_OK, "scatter");
    rnn_optimizer_destroy(&gathered);
    memcpy(other.run->params, f.params, f.size * sizeof *f.params);
    rnn_optimizer_destroy(&other.whole);
    other.whole = f.whole;
    f.whole = NULL;
    memcpy(other.params, f.params, f.size * sizeof *f.params);
    take_steps(&other, 100);
    finish(&f);
    finish(&other);
}

/* No rank has more than its even part, in whole blocks. */
static void chunks_are_balanced(void **unused)
{
    const size_t n_ranks = (size_t)rnn_comm_size(comm);
    fixture f;
    size_t most;

    (void)unused;
    start(&f);
    most = (rnn_vector_n_blocks(f.size) + n_ranks - 1) / n_ranks * RNN_BLOCK;
    ASSERT_ON_ALL(rnn_vector_n_blocks(f.size) == 7, "%zu values", f.size);
    ASSERT_ON_ALL(f.run->chunk_count <= most, "%zu of %zu", f.run->chunk_count, f.size);
    finish(&f);
}

/* Wherever it is. All ranks then have all gradients, to say where. */
static void a_gradient_that_is_not_finite_changes_nothing(void **unused)
{
    fixture f;

    (void)unused;
    start(&f);
    for (size_t place = 0; place < f.size; place += f.size / 3) {
        rnn_status st;

        make_gradients(&f, 7);
        f.grads[place] = INFINITY;
        if (place >= f.run->chunk_first && place - f.run->chunk_first < f.run->chunk_count)
            f.run->grads[place] = INFINITY;
        st = rnn_share_step(f.run, 1.0f, 0.01);
        ASSERT_ON_ALL(st == RNN_ERR_NONFINITE, "status %d", (int)st);
        ASSERT_ON_ALL(are_same(f.run->grads, f.grads, f.size), "gradients, place %zu", place);
        ASSERT_ON_ALL(are_same(f.run->params, f.params, f.size), "parameters, place %zu", place);
    }
    take_steps(&f, 1);
    finish(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_and_states_have_the_bits_of_the_whole),
        cmocka_unit_test(states_that_are_handed_out_are_gone_on_with),
        cmocka_unit_test(chunks_are_balanced),
        cmocka_unit_test(a_gradient_that_is_not_finite_changes_nothing),
    };
    int failed;

    if (start_ranks(argc, argv) != RNN_OK)
        return 1;
    failed = rnn_comm_size(comm) > 1 ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
    rnn_comm_destroy(&comm);
    return failed;
}
