#include "framework/executor.h"

#include <stdio.h>
#include <string.h>

#include <omp.h>

#include "dist/reduce.h"
#include "framework/stage.h"
#include "kernels/cpu.h"
#include "kernels/memory.h"
#include "kernels/vector.h"

/* A node of the tree with its sum, a packed gradient. */
typedef struct node {
    rnn_tree_node place;
    float *sum;
} node;

/* Nodes in order of offset, none of them siblings; and buffers that hold nothing. */
typedef struct node_stack {
    node nodes[RNN_TREE_MAX_NODES];
    size_t n_nodes;
    float *spare[RNN_TREE_MAX_NODES];
    size_t n_spare;
} node_stack;

typedef struct worker {
    size_t first, count; /* its shards, counted from the rank's first */
    void **stages;       /* [n_stages] */
    float **values;      /* [n_stages + 1]; values[0] belongs to the batch */
    float **gradients;   /* [n_stages + 1]; of values; gradients[0] stays NULL */
    node_stack tree;
    float *sum;  /* packed gradient of rnn_executor_begin; one of the tree's buffers */
    size_t last; /* shard whose backward pass rnn_executor_finish does; count = none */
    rnn_status status;
    char message[1024];
} worker;

struct rnn_executor {
    rnn_executor_cfg cfg;
    size_t n_stages;
    const rnn_stage_class **classes; /* [n_stages] */
    void **plans;                    /* [n_stages] */
    size_t *packed_offset;           /* [n_stages] of each stage in a packed gradient */
    size_t packed_size;
    worker *workers; /* [n_threads] */
    rnn_loss_sums *results;
    node_stack joined;                   /* the rank's nodes; buffers belong to workers */
    float *unpacked[RNN_TREE_MAX_NODES]; /* [model size] each, made on first use */
};

/* -- Working in parallel --------------------------------------------------------------------- */

typedef rnn_status (*worker_task)(rnn_executor *e, worker *w, const void *argument);

/*
 * Runs `task` for every worker, each in the thread of its number, and returns the first failure.
 * Inside, the libraries must not start threads of their own.
 */
static rnn_status for_each_worker(rnn_executor *e, worker_task task, const void *argument)
{
#pragma omp parallel num_threads(e->cfg.n_threads)
    {
        rnn_cpu_flush_denormals();
        omp_set_num_threads(1);
        for (int i = omp_get_thread_num(); i < e->cfg.n_threads; i += omp_get_num_threads()) {
            worker *w = &e->workers[i];

            w->status = task(e, w, argument);
            if (w->status != RNN_OK)
                snprintf(w->message, sizeof w->message, "%s", rnn_error_message());
        }
    }
    for (int i = 0; i < e->cfg.n_threads; i++)
        if (e->workers[i].status != RNN_OK)
            return rnn_error_adopt(e->workers[i].status, e->workers[i].message);
    return RNN_OK;
}

/* -- Creation -------------------------------------------------------------------------------- */

static rnn_status create_worker(rnn_executor *e, worker *w, const void *argument)
{
    (void)argument;
    RNN_TRY(RNN_ALLOC(&w->stages, e->n_stages, "a worker"));
    RNN_TRY(RNN_ALLOC(&w->values, e->n_stages + 1, "a worker"));
    RNN_TRY(RNN_ALLOC(&w->gradients, e->n_stages + 1, "a worker"));
    for (size_t s = 0; s < e->n_stages; s++) {
        rnn_shape out = rnn_model_stage(e->cfg.model, s)->out;
        size_t rows, count;

        RNN_TRY(rnn_size_multiply(&rows, out.seq_len, e->cfg.rows, "a slice"));
        RNN_TRY(rnn_size_multiply(&count, rows, out.n_features, "a slice"));
        RNN_TRY(RNN_ALLOC(&w->values[s + 1], count, "activations"));
        RNN_TRY(RNN_ALLOC(&w->gradients[s + 1], count, "activation gradients"));
        RNN_TRY(e->classes[s]->worker_create(&w->stages[s], e->plans[s]));
    }
    return RNN_OK;
}

static void destroy_worker(rnn_executor *e, worker *w)
{
    for (size_t s = 0; s < e->n_stages; s++) {
        if (w->stages != NULL && w->stages[s] != NULL)
            e->classes[s]->worker_destroy(w->stages[s]);
        if (w->values != NULL)
            rnn_free(w->values[s + 1]);
        if (w->gradients != NULL)
            rnn_free(w->gradients[s + 1]);
    }
    for (size_t i = 0; i < w->tree.n_nodes; i++)
        rnn_free(w->tree.nodes[i].sum);
    for (size_t i = 0; i < w->tree.n_spare; i++)
        rnn_free(w->tree.spare[i]);
    rnn_free(w->stages);
    rnn_free(w->values);
    rnn_free(w->gradients);
}

static rnn_status create_plans(rnn_executor *e)
{
    RNN_TRY(RNN_ALLOC(&e->classes, e->n_stages, "the executor"));
    RNN_TRY(RNN_ALLOC(&e->plans, e->n_stages, "the executor"));
    RNN_TRY(RNN_ALLOC(&e->packed_offset, e->n_stages, "the executor"));
    RNN_TRY(RNN_ALLOC(&e->results, e->cfg.n_shards, "the executor"));
    RNN_TRY(RNN_ALLOC(&e->workers, (size_t)e->cfg.n_threads, "the workers"));
    for (size_t s = 0; s < e->n_stages; s++) {
        const rnn_stage *stage = rnn_model_stage(e->cfg.model, s);

        e->classes[s] = rnn_stage_get_class(stage->kind);
        if (e->classes[s] == NULL)
            return RNN_FAIL(RNN_ERR_INTERNAL, "layer %zu (%s) cannot be run", stage->layer,
                            rnn_layer_type_name(stage->cfg->type));
        RNN_TRY(e->classes[s]->plan_create(&e->plans[s], e->cfg.model, stage, e->cfg.rows));
        e->packed_offset[s] = e->packed_size;
        e->packed_size += e->classes[s]->grad_size(e->plans[s]);
    }
    return RNN_OK;
}

rnn_status rnn_executor_create(rnn_executor **out, const rnn_executor_cfg *cfg)
{
    rnn_executor *e;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&e, 1, "the executor"));
    e->cfg = *cfg;
    e->n_stages = rnn_model_n_stages(cfg->model);
    RNN_TRY_GOTO(st, create_plans(e), failed);
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
        destroy_worker(e, &e->workers[i]);
    for (size_t s = 0; e->plans != NULL && s < e->n_stages; s++)
        if (e->plans[s] != NULL)
            e->classes[s]->plan_destroy(e->plans[s]);
    for (size_t i = 0; i < RNN_TREE_MAX_NODES; i++)
        rnn_free(e->unpacked[i]);
    rnn_free(e->classes);
    rnn_free(e->plans);
    rnn_free(e->packed_offset);
    rnn_free(e->results);
    rnn_free(e->workers);
    rnn_free(e);
    *executor = NULL;
}

static rnn_status pack_part(rnn_executor *e, worker *w, const void *params)
{
    for (size_t s = 0; s < e->n_stages; s++)
        e->classes[s]->pack(e->plans[s], params, (size_t)(w - e->workers),
                            (size_t)e->cfg.n_threads);
    return RNN_OK;
}

void rnn_executor_load(rnn_executor *executor, const float *params)
{
    for_each_worker(executor, pack_part, params); /* packing cannot fail */
}

/* -- One shard ------------------------------------------------------------------------------- */

static const rnn_cross_entropy_args loss_args = {.ignore_index = -100, .label_smoothing = 0.0};

/* Forward and loss; with_gradient leaves the scores' gradient for the backward pass. */
static rnn_status shard_forward(rnn_executor *e, worker *w, const rnn_batch *batch, size_t shard,
                                bool with_gradient)
{
    const float *x = batch->shard[shard].x;

    for (size_t s = 0; s < e->n_stages; s++) {
        RNN_TRY(e->classes[s]->forward(w->stages[s], x, w->values[s + 1]));
        x = w->values[s + 1];
    }
    e->results[shard] = rnn_loss_cross_entropy(
        &loss_args, batch->rows, rnn_model_output(e->cfg.model).n_features, x,
        batch->shard[shard].label, with_gradient ? w->gradients[e->n_stages] : NULL, NULL);
    return RNN_OK;
}

static rnn_status stage_backward(rnn_executor *e, worker *w, size_t s, float *packed)
{
    return e->classes[s]->backward(w->stages[s], w->gradients[s + 1], w->gradients[s],
                                   packed + e->packed_offset[s]);
}

static rnn_status shard_gradient(rnn_executor *e, worker *w, const rnn_batch *batch, size_t shard,
                                 float *packed)
{
    RNN_TRY(shard_forward(e, w, batch, shard, true));
    for (size_t s = e->n_stages; s-- > 0;)
        RNN_TRY(stage_backward(e, w, s, packed));
    return RNN_OK;
}

/* -- The tree -------------------------------------------------------------------------------- */

static bool are_siblings(rnn_tree_node left, rnn_tree_node right)
{
    return left.size == right.size && left.offset % (2 * left.size) == 0;
}

/* Appends a node and adds up siblings as long as there are any: a carry chain. */
static void push(node_stack *stack, node next, size_t count)
{
    while (stack->n_nodes > 0 && are_siblings(stack->nodes[stack->n_nodes - 1].place, next.place)) {
        node left = stack->nodes[--stack->n_nodes];

        rnn_vector_add(left.sum, next.sum, count);
        stack->spare[stack->n_spare++] = next.sum;
        next = left;
        next.place.size *= 2;
    }
    stack->nodes[stack->n_nodes++] = next;
}

/* A zeroed packed gradient that the worker may fill. */
static rnn_status take_buffer(rnn_executor *e, worker *w, float **buffer)
{
    node_stack *tree = &w->tree;

    if (tree->n_spare == 0)
        return RNN_ALLOC(buffer, e->packed_size, "a gradient");
    *buffer = tree->spare[--tree->n_spare];
    memset(*buffer, 0, e->packed_size * sizeof(float));
    return RNN_OK;
}

/* The nodes of the last batch are used up. */
static void clear_tree(worker *w)
{
    while (w->tree.n_nodes > 0)
        w->tree.spare[w->tree.n_spare++] = w->tree.nodes[--w->tree.n_nodes].sum;
}

static rnn_status worker_gradients(rnn_executor *e, worker *w, const void *argument)
{
    const rnn_batch *batch = argument;

    clear_tree(w);
    for (size_t shard = w->first; shard < w->first + w->count; shard++) {
        node leaf = {.place = {e->cfg.first_shard + shard, 1}};
        rnn_status st = RNN_OK;

        RNN_TRY(take_buffer(e, w, &leaf.sum));
        e->results[shard] = (rnn_loss_sums){0};
        if (batch->shard[shard].n_valid > 0)
            st = shard_gradient(e, w, batch, shard, leaf.sum);
        push(&w->tree, leaf, e->packed_size);
        RNN_TRY(st);
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
    size_t first, count;

    (void)argument;
    own_part(e, w, e->packed_size, &first, &count);
    for (int i = 0; i < e->cfg.n_threads; i++)
        for (size_t k = 0; k < e->workers[i].tree.n_nodes; k++) {
            node next = e->workers[i].tree.nodes[k];

            next.sum += first;
            joined.n_spare = 0; /* all buffers stay with their workers */
            push(&joined, next, count);
        }
    if (w == e->workers) /* its part begins at 0, so these are whole nodes */
        e->joined = joined;
    return RNN_OK;
}

/* Unpacks every joined node into e->unpacked, each worker its part. */
static rnn_status unpack_part(rnn_executor *e, worker *w, const void *argument)
{
    (void)argument;
    for (size_t i = 0; i < e->joined.n_nodes; i++)
        for (size_t s = 0; s < e->n_stages; s++)
            e->classes[s]->unpack(e->plans[s], e->joined.nodes[i].sum + e->packed_offset[s],
                                  e->unpacked[i], (size_t)(w - e->workers),
                                  (size_t)e->cfg.n_threads);
    return RNN_OK;
}

rnn_status rnn_executor_gradients(rnn_executor *executor, const rnn_batch *batch,
                                  float *const **nodes, size_t *n_nodes)
{
    rnn_executor *e = executor;

    RNN_TRY(for_each_worker(e, worker_gradients, batch));
    RNN_TRY(for_each_worker(e, join_part, NULL));
    for (size_t i = 0; i < e->joined.n_nodes; i++)
        if (e->unpacked[i] == NULL)
            RNN_TRY(RNN_ALLOC(&e->unpacked[i], rnn_model_size(e->cfg.model), "a gradient"));
    RNN_TRY(for_each_worker(e, unpack_part, NULL));
    *nodes = e->unpacked;
    *n_nodes = e->joined.n_nodes;
    return RNN_OK;
}

/* -- Without the tree ------------------------------------------------------------------------ */

static rnn_status worker_begin(rnn_executor *e, worker *w, const void *argument)
{
    const rnn_batch *batch = argument;

    clear_tree(w);
    w->last = w->count;
    RNN_TRY(take_buffer(e, w, &w->sum));
    w->tree.nodes[w->tree.n_nodes++] = (node){.sum = w->sum}; /* remember it for clear_tree */
    for (size_t i = 0; i < w->count; i++) {
        e->results[w->first + i] = (rnn_loss_sums){0};
        if (batch->shard[w->first + i].n_valid > 0)
            w->last = i;
    }
    for (size_t i = 0; i < w->last && w->last < w->count; i++)
        RNN_TRY(shard_gradient(e, w, batch, w->first + i, w->sum));
    if (w->last < w->count)
        RNN_TRY(shard_forward(e, w, batch, w->first + w->last, true));
    return RNN_OK;
}

rnn_status rnn_executor_begin(rnn_executor *executor, const rnn_batch *batch)
{
    return for_each_worker(executor, worker_begin, batch);
}

typedef struct finish_args {
    size_t stage;
    float *grads;
} finish_args;

static rnn_status worker_finish(rnn_executor *e, worker *w, const void *argument)
{
    const finish_args *args = argument;

    return w->last < w->count ? stage_backward(e, w, args->stage, w->sum) : RNN_OK;
}

/* Adds the other workers' sums of a stage to the first one's, each worker its part of the values.
 */
static rnn_status add_part(rnn_executor *e, worker *w, const void *argument)
{
    size_t stage = ((const finish_args *)argument)->stage;
    size_t first, count;

    own_part(e, w, e->classes[stage]->grad_size(e->plans[stage]), &first, &count);
    first += e->packed_offset[stage];
    for (int i = 1; i < e->cfg.n_threads; i++)
        rnn_vector_add(e->workers[0].sum + first, e->workers[i].sum + first, count);
    return RNN_OK;
}

static rnn_status unpack_sum(rnn_executor *e, worker *w, const void *argument)
{
    const finish_args *args = argument;

    e->classes[args->stage]->unpack(e->plans[args->stage],
                                    e->workers[0].sum + e->packed_offset[args->stage], args->grads,
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

static rnn_status worker_evaluate(rnn_executor *e, worker *w, const void *argument)
{
    const rnn_batch *batch = argument;

    for (size_t shard = w->first; shard < w->first + w->count; shard++) {
        e->results[shard] = (rnn_loss_sums){0};
        if (batch->shard[shard].n_valid > 0)
            RNN_TRY(shard_forward(e, w, batch, shard, false));
    }
    return RNN_OK;
}

rnn_status rnn_executor_evaluate(rnn_executor *executor, const rnn_batch *batch)
{
    return for_each_worker(executor, worker_evaluate, batch);
}

const rnn_loss_sums *rnn_executor_results(const rnn_executor *executor)
{
    return executor->results;
}
