/*
 * One flipped bit in one rank's parameters or optimizer states is found, and named, by all ranks.
 * argv[2] is a seed for what is flipped, and when.
 */
#include "mpi_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "framework/config.h"
#include "framework/replicas.h"
#include "framework/run.h"
#include "framework/trainer.h"
#include "tests/unit/small_texts.h"

enum { N_FLIPS = 100, STEPS_PER_EPOCH = 4 };

static const char text[] = "[run]\n"
                           "epochs = 1000000\n" SMALL_TEXTS "[[layer]]\n"
                           "type = 'embedding'\n"
                           "embedding_dim = 5\n"
                           "[[layer]]\n"
                           "type = 'lstm'\n"
                           "hidden_size = 6\n"
                           "[[layer]]\n"
                           "type = 'linear'\n"
                           "out_features = 3\n"
                           "[optimizer]\n"
                           "type = 'adam'\n"
                           "[train]\n"
                           "batch_size = 4\n"
                           "[parallel]\n"
                           "shards = 4\n"
                           "threads = 1\n"
                           "binding = 'keep'\n"
                           "compare_every = 3\n"
                           "[checkpoint]\n"
                           "every_epochs = 0\n"
                           "best = 'none'\n"
                           "[log]\n"
                           "jsonl = false\n"
                           "progress = 'none'\n";

static unsigned random_state;

/* The same on all ranks. */
static size_t draw(size_t n)
{
    return (size_t)rand_r(&random_state) % n;
}

typedef struct fixture {
    rnn_config config;
    rnn_run *run;
} fixture;

static void start(fixture *f, const char *output_dir)
{
    const char *overrides[] = {output_dir};
    rnn_status st = rnn_config_parse(&f->config, text, strlen(text), "t.toml", overrides, 1);

    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    st = rnn_run_create(&f->run, &f->config, NULL, comm);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
}

static void finish(fixture *f)
{
    rnn_run_destroy(&f->run);
    rnn_config_free(&f->config);
}

static void take_step(fixture *f, uint64_t step)
{
    rnn_step_result result;
    uint32_t epoch = (uint32_t)(step / STEPS_PER_EPOCH);
    rnn_status st = RNN_OK;

    if (step % STEPS_PER_EPOCH == 0)
        st = rnn_loader_seek(f->run->loader[RNN_SPLIT_TRAIN], epoch, 0);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
    st = rnn_train_step(f->run, epoch, step, false, &result);
    ASSERT_ON_ALL(st == RNN_OK, "%s", rnn_error_message());
}

/* One bit of one value of one array: the parameters, then the optimizer's states. */
typedef struct flip {
    int rank;
    size_t array, param, value, bit;
} flip;

static flip draw_flip(const fixture *f)
{
    flip at = {.rank = (int)draw((size_t)rnn_comm_size(comm)),
               .array = draw(1 + rnn_optimizer_n_states(f->run->optimizer)),
               .param = draw(rnn_model_n_params(f->run->model)),
               .bit = draw(32)};

    at.value = draw(rnn_model_param(f->run->model, at.param)->count);
    return at;
}

static void apply(const fixture *f, const flip *at)
{
    float *values =
        at->array == 0 ? f->run->params : rnn_optimizer_state(f->run->optimizer, at->array - 1);
    uint32_t bits;

    if (rnn_comm_rank(comm) != at->rank)
        return;
    values += rnn_model_param(f->run->model, at->param)->offset + at->value;
    memcpy(&bits, values, sizeof bits);
    bits ^= UINT32_C(1) << at->bit;
    memcpy(values, &bits, sizeof bits);
}

/* What the message must say: who, unless there are two only, and which tensor. */
static bool is_named(const fixture *f, const flip *at, const char *message)
{
    const rnn_param *p = rnn_model_param(f->run->model, at->param);
    char who[64], tensor[160];

    if (rnn_comm_size(comm) == 2)
        snprintf(who, sizeof who, ": ranks 0 and 1 have different values in ");
    else
        snprintf(who, sizeof who, ": rank %d has other values than the others in ", at->rank);
    snprintf(tensor, sizeof tensor, "in %s%s/%s/%s; ", at->array == 0 ? "/" : "/optimizer/",
             at->array == 0 ? "model" : rnn_optimizer_state_name(f->run->optimizer, at->array - 1),
             p->group, p->name);
    return strstr(message, who) != NULL && strstr(message, tensor) != NULL;
}

static void every_flipped_bit_is_found_and_named(void **state)
{
    fixture f;
    uint64_t step = 0;
    (void)state;

    start(&f, "run.output_dir=unused");
    for (int i = 0; i < N_FLIPS; i++) {
        flip at = draw_flip(&f);
        rnn_status st;

        for (size_t n = 1 + draw(3); n > 0; n--)
            take_step(&f, step++);
        ASSERT_ON_ALL(rnn_replicas_compare(f.run, step) == RNN_OK, "%s", rnn_error_message());
        apply(&f, &at);
        st = rnn_replicas_compare(f.run, step);
        ASSERT_ON_ALL(st == RNN_ERR_DISAGREE && is_named(&f, &at, rnn_error_message()),
                      "flip %d: rank %d, array %zu, param %zu, bit %zu: %s", i, at.rank, at.array,
                      at.param, at.bit, rnn_error_message());
        apply(&f, &at); /* mended */
    }
    finish(&f);
}

static void other_counters_are_found(void **state)
{
    fixture f;
    rnn_status st;
    (void)state;

    start(&f, "run.output_dir=unused");
    take_step(&f, 0);
    if (rnn_comm_rank(comm) == 1)
        rnn_optimizer_set_scalar(f.run->optimizer, 0.5);
    st = rnn_replicas_compare(f.run, 1);
    ASSERT_ON_ALL(st == RNN_ERR_DISAGREE &&
                      strstr(rnn_error_message(), "in the optimizer's counters") != NULL,
                  "%s", rnn_error_message());
    finish(&f);
}

typedef struct accident {
    const fixture *f;
    flip at;
    double after; /* seconds */
    atomic_bool is_over;
} accident;

/*
 * Once more after a while, since an update that runs just then may write over it; not soon, since
 * flipping the bit back would end the difference while it is being looked for.
 */
static void *happen(void *argument)
{
    accident *a = argument;
    struct timespec pause = {.tv_nsec = (long)(1e9 * a->after)};

    while (!atomic_load(&a->is_over)) {
        nanosleep(&pause, NULL);
        apply(a->f, &a->at);
        pause.tv_nsec = 700000000;
    }
    return NULL;
}

static void a_flipped_bit_ends_the_run(void **state)
{
    char folder[] = "/tmp/rnntrain-test-XXXXXX", output_dir[80];
    fixture f;
    accident what = {.f = &f, .after = 0.1 + 0.001 * (double)draw(300)};
    pthread_t thread;
    rnn_status st;
    (void)state;

    ASSERT_ON_ALL(rnn_comm_rank(comm) > 0 || mkdtemp(folder) != NULL, "a folder");
    snprintf(output_dir, sizeof output_dir, "run.output_dir=%s", folder);
    ASSERT_ON_ALL(rnn_comm_broadcast(comm, output_dir, sizeof output_dir, 0) == RNN_OK, "its name");
    start(&f, output_dir);
    what.at = (flip){.rank = (int)draw((size_t)rnn_comm_size(comm)),
                     .param = rnn_model_n_params(f.run->model) - 1,
                     .bit = 3};
    ASSERT_ON_ALL(pthread_create(&thread, NULL, happen, &what) == 0, "a thread");
    st = rnn_train(f.run);
    atomic_store(&what.is_over, true);
    pthread_join(thread, NULL);
    ASSERT_ON_ALL(st == RNN_ERR_DISAGREE && is_named(&f, &what.at, rnn_error_message()), "%d: %s",
                  (int)st, rnn_error_message());
    finish(&f);
    if (rnn_comm_rank(comm) == 0)
        assert_int_equal(rmdir(folder), 0); /* nothing was saved of it */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found_and_named),
        cmocka_unit_test(other_counters_are_found),
        cmocka_unit_test(a_flipped_bit_ends_the_run),
    };
    int failed;

    if (start_ranks(argc, argv) != RNN_OK)
        return 1;
    random_state = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    failed = rnn_comm_size(comm) > 1 ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
    rnn_comm_destroy(&comm);
    return failed;
}
