#include "framework/answers.h"

#include <math.h>
#include <string.h>

#include "kernels/memory.h"

/* The answers of one batch, at places that follow from sample and step alone:
 * [batch][n_steps][width] with a 1 in front of every row that is there. Zeros elsewhere, so that
 * ranks can be summed. */
typedef struct collector {
    const rnn_run *run;
    const rnn_answer_table *table;
    size_t n_steps, width; /* of a place: 1 + the row */
    uint64_t first_sample; /* of the batch */
    double *places;
    size_t size;
} collector;

static bool has_classes(rnn_task task)
{
    return task == RNN_TASK_CLASSES || task == RNN_TASK_LANGUAGE;
}

/* -- One answer -------------------------------------------------------------------------------- */

/* softmax(scores)[best], the largest. */
static double probability_of_best(const float *scores, size_t n, size_t best)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += exp((double)scores[i] - (double)scores[best]);
    return 1.0 / sum;
}

static void write_class(const collector *c, double *row, const rnn_answers *answers,
                        const rnn_answer_cursor *at, size_t n)
{
    size_t predicted = (size_t)answers->predicted[at->place];
    int32_t label = answers->targets->label[at->target];
    bool counts = label >= 0 && label != c->run->objective.cross_entropy.ignore_index;

    row[0] = counts ? (double)label : -1.0;
    row[1] = (double)predicted;
    row[2] = probability_of_best(answers->y + at->place * n, n, predicted);
}

static void write_values(const collector *c, double *row, const rnn_answers *answers,
                         const rnn_answer_cursor *at, size_t n)
{
    double scale, offset;

    for (size_t i = 0; i < n; i++) {
        double target = (double)answers->targets->target[at->target * n + i];
        double y = (double)answers->y[at->place * n + i];

        if (c->table->task == RNN_TASK_MARKS)
            y = 1.0 / (1.0 + exp(-y));
        rnn_dataset_target_units(c->run->dataset, i, &scale, &offset);
        /* No negative zero: it would be a zero after a sum over ranks. */
        row[i] = target * scale + offset + 0.0;
        row[n + i] = y * scale + offset + 0.0;
    }
}

/* In a thread of the executor; no two write to the same place. */
static void see(void *context, int worker, size_t shard, const rnn_answers *answers)
{
    const collector *c = context;
    rnn_shape output = rnn_model_output(c->run->model);
    rnn_answer_cursor at = {.row = 0};

    (void)worker, (void)shard;
    while (rnn_objective_next_answer(&c->run->objective, output, answers->slice, &at)) {
        uint64_t sample = answers->targets->sample_id[at.row];
        size_t step = at.place / answers->slice->rows;
        double *place =
            c->places +
            ((sample - c->first_sample) * c->n_steps + (c->n_steps > 1 ? step : 0)) * c->width;

        place[0] = 1.0;
        place[1 + RNN_ANSWER_SAMPLE] = (double)sample;
        place[1 + RNN_ANSWER_STEP] = (double)step;
        if (has_classes(c->table->task))
            write_class(c, place + 1 + RNN_ANSWER_FIRST, answers, &at, output.n_features);
        else
            write_values(c, place + 1 + RNN_ANSWER_FIRST, answers, &at, output.n_features);
    }
}

/* -- A batch ----------------------------------------------------------------------------------- */

/* Rank 0: takes the places that are filled. */
static rnn_status append(rnn_answer_table *table, const collector *c)
{
    size_t n_places = c->size / c->width, n = 0;

    for (size_t i = 0; i < n_places; i++)
        n += c->places[i * c->width] > 0.0;
    RNN_TRY(rnn_grow((void **)&table->rows, &table->room, table->n_rows, table->n_rows + n,
                     table->width * sizeof *table->rows, "the answers"));
    for (size_t i = 0; i < n_places; i++)
        if (c->places[i * c->width] > 0.0)
            memcpy(table->rows + table->n_rows++ * table->width, c->places + i * c->width + 1,
                   table->width * sizeof *c->places);
    return RNN_OK;
}

/* This rank's part of the next batch; *is_there is false after the last one. */
static rnn_status answer_batch(rnn_run *run, rnn_split split, collector *c, bool *is_there)
{
    const rnn_observer observer = {see, c};
    const rnn_batch *batch;

    memset(c->places, 0, c->size * sizeof *c->places);
    RNN_TRY(rnn_loader_next(run->loader[split], &batch));
    *is_there = batch != NULL;
    if (batch == NULL)
        return RNN_OK;
    c->first_sample = batch->number * (uint64_t)run->config->train.batch_size;
    return rnn_executor_evaluate(run->executor, batch, &observer);
}

/* -- All of them ------------------------------------------------------------------------------- */

static void describe(rnn_answer_table *table, const rnn_run *run)
{
    const rnn_dataset_info *info = rnn_dataset_get_info(run->dataset);
    rnn_shape output = rnn_model_output(run->model);

    *table = (rnn_answer_table){
        .task = run->task,
        .has_steps = !output.is_single && !run->objective.last_only,
        .has_targets = info->has_targets,
        .n_values = has_classes(run->task) ? 0 : output.n_features,
    };
    table->width = RNN_ANSWER_FIRST + (has_classes(run->task) ? 3 : 2 * output.n_features);
}

static rnn_status collect(rnn_run *run, rnn_split split, rnn_answer_table *table, collector *c)
{
    bool is_there = false;

    RNN_TRY(rnn_comm_agree(run->comm, rnn_loader_seek(run->loader[split], 0, 0)));
    while (true) {
        rnn_status st = answer_batch(run, split, c, &is_there);

        RNN_TRY(rnn_comm_agree(run->comm, st));
        if (!is_there)
            return RNN_OK;
        RNN_TRY(rnn_comm_sum_exact(run->comm, c->places, c->size));
        st = rnn_comm_rank(run->comm) == 0 ? append(table, c) : RNN_OK;
        RNN_TRY(rnn_comm_agree(run->comm, st));
    }
}

rnn_status rnn_answers_collect(rnn_run *run, rnn_split split, rnn_answer_table *table)
{
    collector c = {.run = run, .table = table};
    rnn_status st;

    describe(table, run);
    c.n_steps = table->has_steps ? rnn_dataset_get_info(run->dataset)->seq_len : 1;
    c.width = 1 + table->width;
    st = rnn_size_multiply(&c.size, (size_t)run->config->train.batch_size, c.n_steps,
                           "the answers of a batch");
    if (st == RNN_OK)
        st = rnn_size_multiply(&c.size, c.size, c.width, "the answers of a batch");
    if (st == RNN_OK)
        st = RNN_ALLOC(&c.places, c.size, "the answers of a batch");
    st = rnn_comm_agree(run->comm, st);
    if (st == RNN_OK)
        st = collect(run, split, table, &c);
    rnn_free(c.places);
    return st;
}

void rnn_answer_table_free(rnn_answer_table *table)
{
    rnn_free(table->rows);
    *table = (rnn_answer_table){.rows = NULL};
}
