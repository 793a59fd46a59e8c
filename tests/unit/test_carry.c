/*
 * States that go on from batch to batch: a long sequence in pieces is the sequence.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "framework/executor.h"
#include "golden.h"
#include "hand_made_batch.h"
#include "kernels/random.h"

/* Five sequences in shards of two: the third shard has one, the last one none. */
enum { T = 12, I = 3, CLASSES = 4, N_SAMPLES = 5, ROWS = 2, N_SHARDS = 4, SEED = 5 };

static const size_t piece_length[] = {5, 5, 2};
enum { N_PIECES = 3 };

#define RECURRENT(kind, layers, projection)                                                        \
    {                                                                                              \
        .type = (kind), .hidden_size = 6, .num_layers = (layers), .bias = true,                    \
        .proj_size = (projection), .h0 = 0.25, .c0 = (kind) == RNN_LAYER_LSTM ? -0.5 : 0.0         \
    }

typedef struct named_model {
    const char *name;
    rnn_layer_cfg layers[4];
    size_t n_layers;
    size_t n_arrays, size; /* of states of the whole batch */
} named_model;

#define LINEAR                                                                                     \
    {                                                                                              \
        .type = RNN_LAYER_LINEAR, .out_features = CLASSES, .bias = true                            \
    }

enum { ALL_ROWS = ROWS * N_SHARDS };

static const named_model models[] = {
    {"rnn", {RECURRENT(RNN_LAYER_RNN, 1, 0), LINEAR}, 2, 1, ALL_ROWS * 6},
    {"lstm", {RECURRENT(RNN_LAYER_LSTM, 1, 0), LINEAR}, 2, 2, ALL_ROWS * 12},
    {"gru", {RECURRENT(RNN_LAYER_GRU, 1, 0), LINEAR}, 2, 1, ALL_ROWS * 6},
    {"2 lstm, proj_size", {RECURRENT(RNN_LAYER_LSTM, 2, 4), LINEAR}, 2, 2, ALL_ROWS * 20},
    {"2 gru", {RECURRENT(RNN_LAYER_GRU, 2, 0), LINEAR}, 2, 1, ALL_ROWS * 12},
    {"linear, lstm, rnn",
     {LINEAR, RECURRENT(RNN_LAYER_LSTM, 1, 0), RECURRENT(RNN_LAYER_RNN, 2, 0), LINEAR},
     4,
     3,
     ALL_ROWS * 24},
};
enum { N_MODELS = sizeof models / sizeof *models };

typedef struct fixture {
    const named_model *named;
    rnn_model *model;
    float *params;
    size_t size; /* of the parameters */
    float x[T * N_SAMPLES * I];
    int32_t label[N_SAMPLES];
} fixture;

static void make(fixture *f, const named_model *named)
{
    *f = (fixture){.named = named};
    assert_int_equal(rnn_model_create(&f->model, named->layers, named->n_layers,
                                      (rnn_shape){.seq_len = T, .n_features = I}),
                     RNN_OK);
    f->size = rnn_model_size(f->model);
    f->params = calloc(f->size, sizeof(float));
    assert_int_equal(rnn_model_init(f->model, SEED, f->params), RNN_OK);
    rnn_random_uniform(f->x, T * N_SAMPLES * I, -1.5f, 1.5f, SEED, RNN_RANDOM_SPLIT, 0, 0);
    for (size_t i = 0; i < N_SAMPLES; i++)
        f->label[i] = (int32_t)rnn_random_below(CLASSES, SEED, RNN_RANDOM_SPLIT, 1, i);
}

static void drop(fixture *f)
{
    rnn_model_destroy(&f->model);
    free(f->params);
}

static rnn_executor *create_executor(const fixture *f, size_t first, size_t count, int n_threads,
                                     bool carries_state)
{
    const rnn_executor_cfg cfg = {
        .model = f->model,
        .objective = {.cross_entropy = {.ignore_index = -100}, .last_only = true},
        .seed = SEED,
        .rows = ROWS,
        .first_shard = first,
        .n_shards = count,
        .n_all_shards = N_SHARDS,
        .n_threads = n_threads,
        .carries_state = carries_state};
    rnn_executor *executor;

    if (rnn_executor_create(&executor, &cfg) != RNN_OK)
        fail_msg("%s: %s", f->named->name, rnn_error_message());
    rnn_executor_load(executor, f->params);
    return executor;
}

static size_t first_step(size_t piece)
{
    size_t first = 0;

    for (size_t i = 0; i < piece; i++)
        first += piece_length[i];
    return first;
}

/* Steps [first, first + length) of all samples as batch `number`, shards as of an executor. */
static void make_piece(hand_made_batch *batch, const fixture *f, size_t first, size_t length,
                       size_t number, size_t first_shard, size_t n_shards)
{
    const samples part = {length, N_SAMPLES, I, f->x + first * N_SAMPLES * I, f->label};

    make_batch(batch, &part, ROWS, first_shard, n_shards);
    batch->view.number = number;
}

/* -- Outputs ------------------------------------------------------------------------------------
 */

/* Outputs of all samples over the whole sequence. */
typedef struct outputs {
    float y[T][N_SAMPLES][CLASSES];
    size_t first; /* step of the batch that is being computed */
} outputs;

static void see(void *context, int worker, size_t shard, const rnn_answers *answers)
{
    outputs *out = context;

    (void)worker;
    for (size_t t = 0; t < answers->slice->seq_len; t++)
        for (size_t row = 0; row < ROWS && shard * ROWS + row < N_SAMPLES; row++)
            memcpy(out->y[out->first + t][shard * ROWS + row],
                   answers->y + (t * ROWS + row) * CLASSES, CLASSES * sizeof(float));
}

static void evaluate(rnn_executor *executor, const fixture *f, size_t first, size_t length,
                     size_t number, outputs *out)
{
    const rnn_observer observer = {see, out};
    hand_made_batch batch;

    out->first = first;
    make_piece(&batch, f, first, length, number, 0, N_SHARDS);
    assert_int_equal(rnn_executor_evaluate(executor, &batch.view, &observer), RNN_OK);
    drop_batch(&batch);
}

static void evaluate_pieces(rnn_executor *executor, const fixture *f, outputs *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < N_PIECES; i++)
        evaluate(executor, f, first_step(i), piece_length[i], i, out);
}

static double worst(const outputs *a, const outputs *b)
{
    return golden_worst(&a->y[0][0][0], &b->y[0][0][0], T * N_SAMPLES * CLASSES);
}

/* Up to rounding: kernels for other lengths may add in another order. */
static void pieces_give_the_outputs_of_the_whole(void **state)
{
    const double tolerance = 2e-6;

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        outputs whole = {.first = 0}, pieces, alone;
        rnn_executor *with, *without;
        fixture f;

        make(&f, &models[i]);
        with = create_executor(&f, 0, N_SHARDS, 2, true);
        without = create_executor(&f, 0, N_SHARDS, 1, false);
        evaluate(without, &f, 0, T, 0, &whole);
        evaluate_pieces(with, &f, &pieces);
        evaluate_pieces(without, &f, &alone);
        print_message("  %-18s worst difference %.1e, without states %.1e\n", f.named->name,
                      worst(&pieces, &whole), worst(&alone, &whole));
        assert_true(worst(&pieces, &whole) <= tolerance);
        assert_true(worst(&alone, &whole) > 1e-3);
        rnn_executor_destroy(&with);
        rnn_executor_destroy(&without);
        drop(&f);
    }
}

static void the_first_batch_begins_anew(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        outputs first, second;
        rnn_executor *executor;
        fixture f;

        make(&f, &models[i]);
        executor = create_executor(&f, 0, N_SHARDS, 2, true);
        evaluate_pieces(executor, &f, &first);
        evaluate(executor, &f, 0, 4, 0, &second); /* an epoch that is left off */
        evaluate_pieces(executor, &f, &second);
        assert_memory_equal(first.y, second.y, sizeof first.y);
        rnn_executor_destroy(&executor);
        drop(&f);
    }
}

/* -- Training -----------------------------------------------------------------------------------
 */

/* One training batch; returns its loss, and copies the first node of the gradient. */
static double train(rnn_executor *executor, const fixture *f, size_t piece, size_t first_shard,
                    size_t n_shards, float *gradient)
{
    hand_made_batch batch;
    float *const *nodes;
    size_t n_nodes;
    double loss = 0.0;

    make_piece(&batch, f, first_step(piece), piece_length[piece], piece, first_shard, n_shards);
    assert_int_equal(rnn_executor_gradients(executor, &batch.view, piece, NULL, &nodes, &n_nodes),
                     RNN_OK);
    assert_true(n_nodes > 0);
    if (gradient != NULL)
        memcpy(gradient, nodes[0], f->size * sizeof(float));
    for (size_t i = 0; i < n_shards; i++)
        loss += rnn_executor_results(executor)[i].loss;
    drop_batch(&batch);
    return loss;
}

/* The states that an executor's rows have, the others' zero; free them. */
static double *states_of(rnn_executor *executor, const fixture *f)
{
    rnn_carry *carry = rnn_executor_carry(executor);
    double *values = calloc(f->named->size, sizeof *values);

    assert_non_null(carry);
    assert_int_equal(rnn_carry_size(carry), f->named->size);
    rnn_carry_save(carry, values);
    return values;
}

static void arrays_say_what_they_are(void **state)
{
    rnn_executor *executor;
    fixture f;

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        size_t offset = 0;

        make(&f, &models[i]);
        executor = create_executor(&f, 0, N_SHARDS, 1, true);
        assert_int_equal(rnn_carry_n_arrays(rnn_executor_carry(executor)), models[i].n_arrays);
        for (size_t k = 0; k < models[i].n_arrays; k++) {
            const rnn_carry_array *a = rnn_carry_get_array(rnn_executor_carry(executor), k);

            assert_int_equal(a->offset, offset);
            assert_int_equal(a->shape[1], ALL_ROWS);
            offset += a->shape[0] * a->shape[1] * a->shape[2];
        }
        assert_int_equal(offset, models[i].size);
        if (i == 3) {
            const rnn_carry_array *h = rnn_carry_get_array(rnn_executor_carry(executor), 0);
            const rnn_carry_array *c = rnn_carry_get_array(rnn_executor_carry(executor), 1);

            assert_string_equal(h->group, "0_lstm");
            assert_string_equal(h->name, "h");
            assert_string_equal(c->name, "c");
            assert_int_equal(h->shape[0], 2);
            assert_int_equal(h->shape[2], 4);
            assert_int_equal(c->shape[2], 6);
        }
        rnn_executor_destroy(&executor);
        drop(&f);
    }
    make(&f, &models[0]);
    executor = create_executor(&f, 0, N_SHARDS, 1, false);
    assert_null(rnn_executor_carry(executor));
    rnn_executor_destroy(&executor);
    drop(&f);
}

/* Before a batch they are the constants; after one of an rnn without a layer behind it, the last
 * outputs of the last sublayer. */
static void states_are_those_at_the_end(void **state)
{
    static const named_model bare = {
        "bare rnn", {RECURRENT(RNN_LAYER_RNN, 2, 0)}, 1, 1, ALL_ROWS * 12};
    enum { WIDTH = 6 };
    rnn_executor *executor;
    hand_made_batch batch;
    double *values;
    fixture f;

    (void)state;
    make(&f, &bare);
    executor = create_executor(&f, 0, N_SHARDS, 1, true);
    values = states_of(executor, &f);
    for (size_t i = 0; i < bare.size; i++)
        assert_true(values[i] == 0.25);
    free(values);
    train(executor, &f, 0, 0, N_SHARDS, NULL);
    values = states_of(executor, &f);
    for (size_t sample = 0; sample < N_SAMPLES; sample++) {
        const double *h = values + (ALL_ROWS + sample) * WIDTH;
        double sum = 0.0, largest = h[0];

        /* The loss of the last step, from these states. */
        for (size_t k = 0; k < WIDTH; k++)
            largest = fmax(largest, h[k]);
        for (size_t k = 0; k < WIDTH; k++)
            sum += exp(h[k] - largest);
        values[sample] = log(sum) + largest - h[f.label[sample]];
    }
    make_piece(&batch, &f, 0, piece_length[0], 0, 0, N_SHARDS);
    assert_int_equal(rnn_executor_evaluate(executor, &batch.view, NULL), RNN_OK);
    for (size_t shard = 0; shard < 3; shard++)
        assert_true(fabs(rnn_executor_results(executor)[shard].loss - values[2 * shard] -
                         (shard < 2 ? values[2 * shard + 1] : 0.0)) < 1e-6);
    drop_batch(&batch);
    free(values);
    rnn_executor_destroy(&executor);
    drop(&f);
}

/* Without dropout training is evaluation, state by state. */
static void training_carries_as_evaluation_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rnn_executor *trains, *evaluates;
        outputs out;
        fixture f;

        make(&f, &models[i]);
        trains = create_executor(&f, 0, N_SHARDS, 1, true);
        evaluates = create_executor(&f, 0, N_SHARDS, 1, true);
        for (size_t piece = 0; piece < N_PIECES; piece++) {
            double loss = train(trains, &f, piece, 0, N_SHARDS, NULL), sum = 0.0;

            evaluate(evaluates, &f, first_step(piece), piece_length[piece], piece, &out);
            for (size_t s = 0; s < N_SHARDS; s++)
                sum += rnn_executor_results(evaluates)[s].loss;
            assert_true(loss > 0.0 && fabs(loss - sum) < 1e-5);
        }
        rnn_executor_destroy(&trains);
        rnn_executor_destroy(&evaluates);
        drop(&f);
    }
}

/* An evaluation between two training batches, and the other way round. */
static void training_and_evaluation_have_states_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rnn_executor *plain, *mixed;
        outputs expected, found;
        fixture f;

        make(&f, &models[i]);
        plain = create_executor(&f, 0, N_SHARDS, 2, true);
        mixed = create_executor(&f, 0, N_SHARDS, 2, true);
        evaluate_pieces(plain, &f, &expected);
        memset(&found, 0, sizeof found);
        for (size_t piece = 0; piece < N_PIECES; piece++) {
            double *a, *b;

            train(plain, &f, piece, 0, N_SHARDS, NULL);
            evaluate(mixed, &f, first_step(piece), piece_length[piece], piece, &found);
            train(mixed, &f, piece, 0, N_SHARDS, NULL);
            a = states_of(plain, &f);
            b = states_of(mixed, &f);
            assert_memory_equal(a, b, f.named->size * sizeof *a);
            free(a);
            free(b);
        }
        assert_memory_equal(expected.y, found.y, sizeof found.y);
        rnn_executor_destroy(&plain);
        rnn_executor_destroy(&mixed);
        drop(&f);
    }
}

static void saved_states_go_on_elsewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rnn_executor *first, *second;
        float *loaded, *expected, *found;
        double *saved, *again;
        fixture f;

        make(&f, &models[i]);
        loaded = calloc(f.named->size, sizeof *loaded);
        expected = calloc(f.size, sizeof *expected);
        found = calloc(f.size, sizeof *found);
        first = create_executor(&f, 0, N_SHARDS, 2, true);
        second = create_executor(&f, 0, N_SHARDS, 1, true);
        train(first, &f, 0, 0, N_SHARDS, NULL);
        train(first, &f, 1, 0, N_SHARDS, NULL);
        saved = states_of(first, &f);
        for (size_t k = 0; k < f.named->size; k++)
            loaded[k] = (float)saved[k];
        train(second, &f, 2, 0, N_SHARDS, found); /* something else before */
        rnn_carry_load(rnn_executor_carry(second), loaded);
        again = states_of(second, &f);
        assert_memory_equal(saved, again, f.named->size * sizeof *saved);
        train(first, &f, 2, 0, N_SHARDS, expected);
        train(second, &f, 2, 0, N_SHARDS, found);
        assert_memory_equal(expected, found, f.size * sizeof *found);
        free(saved);
        free(again);
        free(loaded);
        free(expected);
        free(found);
        rnn_executor_destroy(&first);
        rnn_executor_destroy(&second);
        drop(&f);
    }
}

/* The states of one rank with all shards are, added up, those of ranks with some of them. */
/* One value of one row is not finite: all states of that row begin anew, no other changes. */
static void a_row_that_is_not_finite_begins_anew(void **state)
{
    (void)state;
    for (size_t m = 0; m < N_MODELS; m++) {
        rnn_carry_cfg cfg = {.rows = ROWS, .n_shards = N_SHARDS, .n_own_shards = N_SHARDS};
        rnn_carry *carry;
        fixture f;
        float *loaded;
        double *saved;
        enum { BAD_ROW = 3 };

        make(&f, &models[m]);
        cfg.model = f.model;
        assert_int_equal(rnn_carry_create(&carry, &cfg), RNN_OK);
        loaded = calloc(models[m].size, sizeof *loaded);
        saved = calloc(models[m].size, sizeof *saved);
        for (size_t i = 0; i < models[m].size; i++)
            loaded[i] = (float)(i + 1);
        /* The last value of the row in the last sublayer of the first array. */
        {
            const rnn_carry_array *a = rnn_carry_get_array(carry, 0);

            loaded[a->offset + ((a->shape[0] - 1) * a->shape[1] + BAD_ROW + 1) * a->shape[2] - 1] =
                (float)NAN;
        }
        rnn_carry_load(carry, loaded);
        rnn_carry_mend(carry);
        rnn_carry_save(carry, saved);
        for (size_t k = 0; k < rnn_carry_n_arrays(carry); k++) {
            const rnn_carry_array *a = rnn_carry_get_array(carry, k);
            double constant = 0.25; /* h0 */

            if (a->name[0] == 'c')
                constant = -0.5;
            for (size_t i = 0; i < a->shape[0] * a->shape[1] * a->shape[2]; i++) {
                size_t row = i / a->shape[2] % a->shape[1], at = a->offset + i;

                assert_true(saved[at] == (row == BAD_ROW ? constant : (double)(at + 1)));
            }
        }
        free(loaded);
        free(saved);
        rnn_carry_destroy(&carry);
        drop(&f);
    }
}

static void ranks_have_parts_of_the_same_states(void **state)
{
    static const size_t first[] = {0, 1, 3}, count[] = {1, 2, 1};

    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        rnn_executor *all, *ranks[3];
        double *expected, *sum;
        fixture f;

        make(&f, &models[i]);
        all = create_executor(&f, 0, N_SHARDS, 2, true);
        sum = calloc(f.named->size, sizeof *sum);
        for (size_t piece = 0; piece < N_PIECES; piece++)
            train(all, &f, piece, 0, N_SHARDS, NULL);
        expected = states_of(all, &f);
        for (size_t r = 0; r < 3; r++) {
            ranks[r] = create_executor(&f, first[r], count[r], 1, true);
            for (size_t piece = 0; piece < N_PIECES; piece++)
                train(ranks[r], &f, piece, first[r], count[r], NULL);
            rnn_carry_save(rnn_executor_carry(ranks[r]), sum); /* to places of its own */
            rnn_executor_destroy(&ranks[r]);
        }
        assert_memory_equal(expected, sum, f.named->size * sizeof *sum);
        free(expected);
        free(sum);
        rnn_executor_destroy(&all);
        drop(&f);
    }
}

static void both_directions_are_refused(void **state)
{
    static const rnn_layer_cfg layers[] = {
        LINEAR, {.type = RNN_LAYER_GRU, .hidden_size = 3, .num_layers = 1, .bidirectional = true}};
    rnn_executor_cfg cfg = {.rows = ROWS,
                            .n_shards = N_SHARDS,
                            .n_all_shards = N_SHARDS,
                            .n_threads = 1,
                            .carries_state = true};
    rnn_executor *executor;
    rnn_model *model;

    (void)state;
    assert_int_equal(
        rnn_model_create(&model, layers, 2, (rnn_shape){.seq_len = T, .n_features = I}), RNN_OK);
    cfg.model = model;
    assert_int_equal(rnn_executor_create(&executor, &cfg), RNN_ERR_DATA);
    assert_null(executor);
    assert_non_null(strstr(rnn_error_message(), "layer 1 (gru): train.carry_state needs"));
    cfg.carries_state = false;
    assert_int_equal(rnn_executor_create(&executor, &cfg), RNN_OK);
    rnn_executor_destroy(&executor);
    rnn_model_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_outputs_of_the_whole),
        cmocka_unit_test(the_first_batch_begins_anew),
        cmocka_unit_test(arrays_say_what_they_are),
        cmocka_unit_test(states_are_those_at_the_end),
        cmocka_unit_test(training_carries_as_evaluation_does),
        cmocka_unit_test(training_and_evaluation_have_states_of_their_own),
        cmocka_unit_test(saved_states_go_on_elsewhere),
        cmocka_unit_test(a_row_that_is_not_finite_begins_anew),
        cmocka_unit_test(ranks_have_parts_of_the_same_states),
        cmocka_unit_test(both_directions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
