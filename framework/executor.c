#include "framework/executor.h"

#include <stdio.h>
#include <string.h>

#include <omp.h>

#include "dist/reduce.h"
#include "framework/runner.h"
#include "kernels/bfloat16.h"
#include "kernels/cpu.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

/* Tasks in a row; and floats of a stage's parameters that a worker updates before it packs them. */
enum { MAX_TASKS = 3, PIECE = 1 << 15 };

/* A node of the tree with its sum, a packed gradient. */
typedef struct node {
    rnn_tree_node place;
    float *sum;
} node;

/* Nodes in order of offset, none of them siblings; and buffers of zeros. */
typedef struct node_stack {
    node nodes[RNN_TREE_MAX_NODES];
    size_t n_nodes;
    float *spare[RNN_TREE_MAX_NODES];
    size_t n_spare;
} node_stack;

typedef struct worker {
    size_t first, count; /* its shards, counted from the rank's first */
    rnn_runner *runner;
    node_stack tree;
    float *sum;  /* packed gradient of rnn_executor_begin; one of the tree's buffers */
    size_t last; /* shard whose backward pass rnn_executor_finish does; count = none */
    rnn_status status[MAX_TASKS];
    char message[1024];
} worker;

struct rnn_executor {
    rnn_executor_cfg cfg;
    rnn_plan *plan;
    size_t packed_size;
    worker *workers; /* [n_threads] */
    rnn_loss_sums *results;
    int32_t *predicted; /* [n_shards][n_predicted], of cross entropy */
    size_t n_predicted; /* room of a shard */
    uint64_t step;      /* of the running pass, and whether it is one of training */
    bool is_training;
    rnn_carry *carried[2];               /* by is_training; NULL unless states are carried */
    node_stack joined;                   /* the rank's nodes; buffers belong to workers */
    float *unpacked[RNN_TREE_MAX_NODES]; /* [model size] each, made on first use */
    float *nodes[RNN_TREE_MAX_NODES];    /* where they go: there, or to the caller */
    rnn_timeline *timeline;              /* NULL unless somebody wants to know */
};

/* -- Working in parallel --------------------------------------------------------------------- */

typedef rnn_status (*worker_task)(rnn_executor *e, worker *w, const void *argument);

/* The first worker's failure in a task, counted from the first of them. */
static const worker *find_failed(const rnn_executor *e, size_t task)
{
    for (int i = 0; i < e->cfg.n_threads; i++)
        if (e->workers[i].status[task] != RNN_OK)
            return &e->workers[i];
    return NULL;
}

/* After a failure there is nothing left to do, but everybody has to come to the next barrier. */
static void run_task(rnn_executor *e, worker *w, worker_task task, size_t number,
                     const void *argument)
{
    const worker *failed = number > 0 ? find_failed(e, number - 1) : NULL;

    if (failed != NULL) {
        w->status[number] = failed->status[number - 1];
        return;
    }
    w->status[number] = task(e, w, argument);
    if (w->status[number] != RNN_OK)
        snprintf(w->message, sizeof w->message, "%s", rnn_error_message());
}

/*
 * Runs tasks one after the other, each for every worker in the thread of its number before any
 * worker begins the next, and returns the first failure. Inside, the libraries must not start
 * threads of their own.
 */
static rnn_status run_tasks(rnn_executor *e, const worker_task *tasks, size_t n_tasks,
                            const void *argument)
{
#pragma omp parallel num_threads(e->cfg.n_threads)
    {
        rnn_cpu_flush_denormals();
        omp_set_num_threads(1);
        for (size_t k = 0; k < n_tasks; k++) {
            if (k > 0) {
#pragma omp barrier
            }
            for (int i = omp_get_thread_num(); i < e->cfg.n_threads; i += omp_get_num_threads())
                run_task(e, &e->workers[i], tasks[k], k, argument);
        }
    }
    for (size_t k = 0; k < n_tasks; k++) {
        const worker *failed = find_failed(e, k);

        if (failed != NULL)
            return rnn_error_adopt(failed->status[k], failed->message);
    }
    return RNN_OK;
}

static rnn_status for_each_worker(rnn_executor *e, worker_task task, const void *argument)
{
    return run_tasks(e, &task, 1, argument);
}

/* As rnn_timeline_end, in the worker's track. */
static void record(rnn_executor *e, const worker *w, rnn_phase phase, double begin)
{
    rnn_timeline_end(e->timeline, (size_t)(w - e->workers), phase, -1, begin);
}

void rnn_executor_record(rnn_executor *executor, rnn_timeline *timeline)
{
    executor->timeline = timeline;
    for (int i = 0; i < executor->cfg.n_threads; i++)
        rnn_runner_record(executor->workers[i].runner, timeline, (size_t)i);
}

/* -- Creation -------------------------------------------------------------------------------- */

static rnn_status create_worker(rnn_executor *e, worker *w, const void *argument)
{
    (void)argument;
    RNN_TRY(rnn_runner_create(&w->runner, e->plan, false));
    return rnn_runner_reserve(w->runner, rnn_model_input(e->cfg.model).seq_len, e->cfg.rows);
}

static void destroy_worker(worker *w)
{
    rnn_runner_destroy(&w->runner);
    for (size_t i = 0; i < w->tree.n_nodes; i++)
        rnn_free(w->tree.nodes[i].sum);
    for (size_t i = 0; i < w->tree.n_spare; i++)
        rnn_free(w->tree.spare[i]);
}

static rnn_status create_carries(rnn_executor *e)
{
    const rnn_carry_cfg cfg = {.model = e->cfg.model,
                               .rows = e->cfg.rows,
                               .n_shards = e->cfg.n_all_shards,
                               .first_shard = e->cfg.first_shard,
                               .n_own_shards = e->cfg.n_shards};

    for (size_t i = 0; e->cfg.carries_state && i < 2; i++)
        RNN_TRY(rnn_carry_create(&e->carried[i], &cfg));
    return RNN_OK;
}

static rnn_status create_shared(rnn_executor *e)
{
    rnn_shape out = rnn_model_output(e->cfg.model);

    RNN_TRY(rnn_plan_create(&e->plan, e->cfg.model));
    e->packed_size = rnn_plan_grad_size(e->plan);
    RNN_TRY(RNN_ALLOC(&e->results, e->cfg.n_shards, "the executor"));
    RNN_TRY(RNN_ALLOC(&e->workers, (size_t)e->cfg.n_threads, "the workers"));
    RNN_TRY(create_carries(e));
    if (e->cfg.objective.type != RNN_LOSS_CROSS_ENTROPY)
        return RNN_OK;
    e->n_predicted = (out.is_single ? 1 : out.seq_len) * e->cfg.rows;
    return RNN_ALLOC(&e->predicted, e->cfg.n_shards * e->n_predicted, "predictions");
}

rnn_status rnn_executor_create(rnn_executor **out, const rnn_executor_cfg *cfg)
{
    rnn_executor *e;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&e, 1, "the executor"));
    e->cfg = *cfg;
    RNN_TRY_GOTO(st, create_shared(e), failed);
    for (int i = 0; i < cfg->n_threads; i++)
        rnn_shard_range(cfg->n_shards, (size_t)i, (size_t)cfg->n_threads, &e->workers[i].first,
                        &e->workers[i].count);
    RNN_TRY_GOTO(st, for_each_worker(e, create_worker, NULL), failed);
    *out = e;
    return RNN_OK;
failed:
    rnn_executor_destroy(&e);
    return st;
}

void rnn_executor_destroy(rnn_executor **executor)
{
    rnn_executor *e = *executor;

    if (e == NULL)
        return;
    for (int i = 0; e->workers != NULL && i < e->cfg.n_threads; i++)
        destroy_worker(&e->workers[i]);
    for (size_t i = 0; i < RNN_TREE_MAX_NODES; i++)
        rnn_free(e->unpacked[i]);
    rnn_plan_destroy(&e->plan);
    rnn_carry_destroy(&e->carried[false]);
    rnn_carry_destroy(&e->carried[true]);
    rnn_free(e->workers);
    rnn_free(e->results);
    rnn_free(e->predicted);
    rnn_free(e);
    *executor = NULL;
}

static rnn_status load_part(rnn_executor *e, worker *w, const void *params)
{
    double begin = rnn_timeline_begin(e->timeline);

    rnn_plan_load(e->plan, params, (size_t)(w - e->workers), (size_t)e->cfg.n_threads);
    record(e, w, RNN_PHASE_PACK, begin);
    return RNN_OK;
}

void rnn_executor_load(rnn_executor *executor, const float *params)
{
    (void)for_each_worker(executor, load_part, params); /* packing cannot fail */
}

/* -- The update ------------------------------------------------------------------------------ */

typedef struct update_args {
    const rnn_optimizer *optimizer;
    const rnn_optimizer_pass *pass;
} update_args;

static void update_stretch(void *context, size_t first, size_t count)
{
    const update_args *args = context;

    rnn_optimizer_update(args->optimizer, args->pass, first, count);
}

static void update_piece(rnn_executor *e, const worker *w, size_t stage, size_t part,
                         size_t n_parts, const update_args *args)
{
    update_args context = *args;
    double begin = rnn_timeline_begin(e->timeline);

    rnn_plan_visit_stage(e->plan, stage, part, n_parts, update_stretch, &context);
    record(e, w, RNN_PHASE_UPDATE, begin);
    begin = rnn_timeline_begin(e->timeline);
    rnn_plan_load_stage(e->plan, stage, args->pass->params, part, n_parts);
    record(e, w, RNN_PHASE_PACK, begin);
}

static rnn_status update_part(rnn_executor *e, worker *w, const void *argument)
{
    const size_t n_threads = (size_t)e->cfg.n_threads, number = (size_t)(w - e->workers);

    for (size_t s = 0; s < rnn_model_n_stages(e->cfg.model); s++) {
        size_t count = rnn_model_stage(e->cfg.model, s)->count;
        size_t n_pieces = count > 0 ? count / n_threads / PIECE + 1 : 0;

        for (size_t i = 0; i < n_pieces; i++)
            update_piece(e, w, s, number * n_pieces + i, n_threads * n_pieces, argument);
    }
    return RNN_OK;
}

void rnn_executor_update(rnn_executor *executor, const rnn_optimizer *optimizer,
                         const rnn_optimizer_pass *pass)
{
    const update_args args = {optimizer, pass};

    (void)for_each_worker(executor, update_part, &args); /* it cannot fail */
}

/* -- One shard ------------------------------------------------------------------------------- */

static rnn_slice slice_of(const rnn_executor *e, const rnn_batch *batch, size_t shard)
{
    const rnn_batch_shard *s = &batch->shard[shard];
    const rnn_carry *carry = e->carried[e->is_training];

    return (rnn_slice){.seq_len = s->seq_len,
                       .rows = batch->rows,
                       .length = s->length,
                       .is_ragged = s->is_ragged,
                       .token = s->token,
                       .is_training = e->is_training,
                       .seed = e->cfg.seed,
                       .step = (uint32_t)e->step,
                       .first_row = (batch->first_shard + shard) * batch->rows,
                       .states = carry != NULL ? rnn_carry_states(carry, shard) : NULL};
}

/* Before every pass over a batch. `step` counts those of training. */
static void begin_pass(rnn_executor *e, const rnn_batch *batch, bool is_training, uint64_t step)
{
    rnn_carry *carry = e->carried[is_training];

    e->step = step;
    e->is_training = is_training;
    if (carry == NULL)
        return;
    if (batch->number == 0)
        rnn_carry_reset(carry);
    rnn_carry_advance(carry);
}

/* Where the answers of a shard are to be kept; NULL if nobody wants them. */
static int32_t *predicted_of(const rnn_executor *e, size_t shard)
{
    if (e->predicted == NULL || (e->is_training && !e->cfg.keeps_predictions))
        return NULL;
    return e->predicted + shard * e->n_predicted;
}

/* Forward and loss; the loss's gradient too if a backward pass follows. */
static rnn_status shard_forward(rnn_executor *e, worker *w, const rnn_batch *batch, size_t shard,
                                const rnn_observer *observer)
{
    const rnn_batch_shard *targets = &batch->shard[shard];
    int32_t *predicted = predicted_of(e, shard);
    double begin = rnn_timeline_begin(e->timeline);
    rnn_slice slice;
    const float *y;

    RNN_TRY(rnn_batch_fill(batch, shard));
    record(e, w, RNN_PHASE_GATHER, begin);
    slice = slice_of(e, batch, shard);
    RNN_TRY(rnn_runner_forward(w->runner, &slice, targets->x, &y));
    begin = rnn_timeline_begin(e->timeline);
    e->results[shard] =
        rnn_objective_apply(&e->cfg.objective, &slice, rnn_model_output(e->cfg.model), y, targets,
                            e->is_training ? rnn_runner_dy(w->runner) : NULL, predicted);
    record(e, w, RNN_PHASE_LOSS, begin);
    if (observer != NULL)
        observer->see(observer->context, (int)(w - e->workers), shard,
                      &(rnn_answers){&slice, y, predicted, targets});
    return RNN_OK;
}

/* -- The tree -------------------------------------------------------------------------------- */

/*
 * A node at the end of a stack, and those before it that it joins one after the other as siblings:
 * a carry chain. sums[0] goes into sums[1], that into sums[2], and so on; all but the last are
 * zeros then.
 */
typedef struct chain {
    float *sums[RNN_TREE_MAX_NODES];
    size_t length;
} chain;

/* Appends a node to the stack, which from now on says how it will be when the chain is done. */
static chain push(node_stack *stack, node next)
{
    chain c = {.sums = {next.sum}, .length = 1};

    while (stack->n_nodes > 0 &&
           rnn_tree_are_siblings(stack->nodes[stack->n_nodes - 1].place, next.place)) {
        stack->spare[stack->n_spare++] = next.sum;
        next.sum = stack->nodes[--stack->n_nodes].sum;
        next.place.offset -= next.place.size;
        next.place.size *= 2;
        c.sums[c.length++] = next.sum;
    }
    stack->nodes[stack->n_nodes++] = next;
    return c;
}

/* Adds up a part of the values. */
static void add_chain(const rnn_executor *e, const chain *c, size_t first, size_t count)
{
    for (size_t i = 1; i < c->length; i++) {
        float *into = c->sums[i] + first, *from = c->sums[i - 1] + first;

        if (e->cfg.rounds_nodes) {
            rnn_bfloat16_add_to(into, into, from, count);
            memset(from, 0, count * sizeof *from);
        } else {
            rnn_vector_move(into, from, count);
        }
    }
}

/* A packed gradient of zeros. */
static rnn_status take_buffer(rnn_executor *e, worker *w, float **buffer)
{
    node_stack *tree = &w->tree;

    if (tree->n_spare == 0)
        return RNN_ALLOC(buffer, e->packed_size, "a gradient");
    *buffer = tree->spare[--tree->n_spare];
    return RNN_OK;
}

/* The nodes of the last batch are used up. */
static void clear_tree(const rnn_executor *e, worker *w)
{
    while (w->tree.n_nodes > 0) {
        float *sum = w->tree.nodes[--w->tree.n_nodes].sum;

        memset(sum, 0, e->packed_size * sizeof *sum);
        w->tree.spare[w->tree.n_spare++] = sum;
    }
}

/* Backward through all stages; each stage's gradient joins the tree while the cache still has it.
 */
static rnn_status backward_into(rnn_executor *e, worker *w, const chain *c)
{
    for (size_t s = rnn_model_n_stages(e->cfg.model); s-- > 0;) {
        rnn_plan_part part = rnn_plan_stage_part(e->plan, s);
        double begin;

        RNN_TRY(rnn_runner_backward_stage(w->runner, s, c->sums[0]));
        begin = rnn_timeline_begin(e->timeline);
        add_chain(e, c, part.offset, part.count);
        record(e, w, RNN_PHASE_ADD, begin);
    }
    return RNN_OK;
}

static rnn_status worker_gradients(rnn_executor *e, worker *w, const void *argument)
{
    const rnn_batch *batch = argument;
    double begin = rnn_timeline_begin(e->timeline);

    clear_tree(e, w);
    record(e, w, RNN_PHASE_ADD, begin);
    for (size_t shard = w->first; shard < w->first + w->count; shard++) {
        node leaf = {.place = {e->cfg.first_shard + shard, 1}};
        chain joined;

        RNN_TRY(take_buffer(e, w, &leaf.sum));
        joined = push(&w->tree, leaf);
        e->results[shard] = (rnn_loss_sums){0};
        if (batch->shard[shard].n_valid > 0) {
            RNN_TRY(shard_forward(e, w, batch, shard, NULL));
            RNN_TRY(backward_into(e, w, &joined));
        } else {
            add_chain(e, &joined, 0, e->packed_size);
        }
    }
    return RNN_OK;
}

/* The part of packed gradients [first, first + count) that this worker adds up, whole blocks. */
static void own_part(const rnn_executor *e, const worker *w, size_t size, size_t *first,
                     size_t *count)
{
    size_t n_blocks = (size + RNN_BLOCK - 1) / RNN_BLOCK;

    rnn_shard_range(n_blocks, (size_t)(w - e->workers), (size_t)e->cfg.n_threads, first, count);
    *first = *first * RNN_BLOCK < size ? *first * RNN_BLOCK : size;
    *count = *count * RNN_BLOCK < size - *first ? *count * RNN_BLOCK : size - *first;
}

/*
 * Joins the workers' nodes. Every worker goes through the same additions, on its own part of the
 * values, so none has to wait for another in between.
 */
static rnn_status join_part(rnn_executor *e, worker *w, const void *argument)
{
    node_stack joined = {.n_nodes = 0};
    double begin = rnn_timeline_begin(e->timeline);
    size_t first, count;

    (void)argument;
    own_part(e, w, e->packed_size, &first, &count);
    for (int i = 0; i < e->cfg.n_threads; i++)
        for (size_t k = 0; k < e->workers[i].tree.n_nodes; k++) {
            chain c = push(&joined, e->workers[i].tree.nodes[k]);

            joined.n_spare = 0; /* all buffers stay with their workers */
            add_chain(e, &c, first, count);
        }
    if (w == e->workers)
        e->joined = joined;
    record(e, w, RNN_PHASE_ADD, begin);
    return RNN_OK;
}

/* Unpacks every joined node into e->nodes, each worker its part. */
static rnn_status unpack_part(rnn_executor *e, worker *w, const void *argument)
{
    double begin = rnn_timeline_begin(e->timeline);

    (void)argument;
    for (size_t i = 0; i < e->joined.n_nodes; i++)
        rnn_plan_unpack(e->plan, e->joined.nodes[i].sum, e->nodes[i], (size_t)(w - e->workers),
                        (size_t)e->cfg.n_threads);
    record(e, w, RNN_PHASE_ADD, begin);
    return RNN_OK;
}

/* Where the nodes of this rank's run go, as many as the joined tree will have. */
static rnn_status place_nodes(rnn_executor *e, float *first, size_t *n_nodes)
{
    rnn_tree_node nodes[RNN_TREE_MAX_NODES];

    *n_nodes = rnn_tree_decompose(e->cfg.first_shard, e->cfg.n_shards, nodes);
    for (size_t i = 0; i < *n_nodes; i++) {
        bool is_given = i == 0 && first != NULL;

        if (!is_given && e->unpacked[i] == NULL)
            RNN_TRY(RNN_ALLOC(&e->unpacked[i], rnn_model_size(e->cfg.model), "a gradient"));
        e->nodes[i] = is_given ? first : e->unpacked[i];
    }
    return RNN_OK;
}

rnn_status rnn_executor_gradients(rnn_executor *executor, const rnn_batch *batch, uint64_t step,
                                  float *first, float *const **nodes, size_t *n_nodes)
{
    static const worker_task tasks[] = {worker_gradients, join_part, unpack_part};

    RNN_TRY(place_nodes(executor, first, n_nodes));
    begin_pass(executor, batch, true, step);
    *nodes = executor->nodes;
    return run_tasks(executor, tasks, sizeof tasks / sizeof *tasks, batch);
}

/* -- Without the tree ------------------------------------------------------------------------ */

static rnn_status shard_gradient(rnn_executor *e, worker *w, const rnn_batch *batch, size_t shard)
{
    RNN_TRY(shard_forward(e, w, batch, shard, NULL));
    return rnn_runner_backward(w->runner, w->sum);
}

static rnn_status worker_begin(rnn_executor *e, worker *w, const void *argument)
{
    const rnn_batch *batch = argument;

    clear_tree(e, w);
    w->last = w->count;
    RNN_TRY(take_buffer(e, w, &w->sum));
    w->tree.nodes[w->tree.n_nodes++] = (node){.sum = w->sum}; /* remember it for clear_tree */
    for (size_t i = 0; i < w->count; i++) {
        e->results[w->first + i] = (rnn_loss_sums){0};
        if (batch->shard[w->first + i].n_valid > 0)
            w->last = i;
    }
    for (size_t i = 0; i < w->last && w->last < w->count; i++)
        RNN_TRY(shard_gradient(e, w, batch, w->first + i));
    if (w->last < w->count)
        RNN_TRY(shard_forward(e, w, batch, w->first + w->last, NULL));
    return RNN_OK;
}

rnn_status rnn_executor_begin(rnn_executor *executor, const rnn_batch *batch, uint64_t step)
{
    begin_pass(executor, batch, true, step);
    return for_each_worker(executor, worker_begin, batch);
}

typedef struct finish_args {
    size_t stage;
    float *grads;
} finish_args;

static rnn_status worker_finish(rnn_executor *e, worker *w, const void *argument)
{
    const finish_args *args = argument;

    (void)e;
    return w->last < w->count ? rnn_runner_backward_stage(w->runner, args->stage, w->sum) : RNN_OK;
}

/* Adds the other workers' sums of a stage to the first one's, each worker its part of the values.
 */
static rnn_status add_part(rnn_executor *e, worker *w, const void *argument)
{
    rnn_plan_part part = rnn_plan_stage_part(e->plan, ((const finish_args *)argument)->stage);
    size_t first, count;

    own_part(e, w, part.count, &first, &count);
    first += part.offset;
    for (int i = 1; i < e->cfg.n_threads; i++)
        rnn_vector_add(e->workers[0].sum + first, e->workers[i].sum + first, count);
    return RNN_OK;
}

static rnn_status unpack_sum(rnn_executor *e, worker *w, const void *argument)
{
    const finish_args *args = argument;

    rnn_plan_unpack_stage(e->plan, args->stage, e->workers[0].sum, args->grads,
                          (size_t)(w - e->workers), (size_t)e->cfg.n_threads);
    return RNN_OK;
}

rnn_status rnn_executor_finish(rnn_executor *executor, size_t stage, float *grads)
{
    rnn_executor *e = executor;
    const finish_args args = {stage, grads};

    RNN_TRY(for_each_worker(e, worker_finish, &args));
    RNN_TRY(for_each_worker(e, add_part, &args));
    return for_each_worker(e, unpack_sum, &args);
}

/* -- Evaluation ------------------------------------------------------------------------------ */

typedef struct evaluate_args {
    const rnn_batch *batch;
    const rnn_observer *observer;
} evaluate_args;

static rnn_status worker_evaluate(rnn_executor *e, worker *w, const void *argument)
{
    const evaluate_args *args = argument;

    for (size_t shard = w->first; shard < w->first + w->count; shard++) {
        e->results[shard] = (rnn_loss_sums){0};
        if (args->batch->shard[shard].n_valid > 0)
            RNN_TRY(shard_forward(e, w, args->batch, shard, args->observer));
    }
    return RNN_OK;
}

rnn_status rnn_executor_evaluate(rnn_executor *executor, const rnn_batch *batch,
                                 const rnn_observer *observer)
{
    const evaluate_args args = {batch, observer};

    begin_pass(executor, batch, false, 0);
    return for_each_worker(executor, worker_evaluate, &args);
}

rnn_carry *rnn_executor_carry(rnn_executor *executor)
{
    return executor->carried[true];
}

const rnn_loss_sums *rnn_executor_results(const rnn_executor *executor)
{
    return executor->results;
}

const int32_t *rnn_executor_predicted(const rnn_executor *executor, size_t shard)
{
    return executor->predicted + shard * executor->n_predicted;
}
