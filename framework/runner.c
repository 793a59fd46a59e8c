#include "framework/runner.h"

#include "kernels/memory.h"

struct rnn_plan {
    const rnn_model *model;
    size_t n_stages;
    const rnn_stage_class **classes; /* [n_stages] */
    void **plans;                    /* [n_stages] */
    rnn_plan_part *parts;            /* [n_stages] */
    size_t grad_size;
};

struct rnn_runner {
    const rnn_plan *plan;
    bool wants_dx;
    size_t seq_len, rows;    /* there is memory for */
    void **workers;          /* [n_stages] */
    float **values;          /* [n_stages + 1]; values[0] is not used */
    float **gradients;       /* [n_stages + 1]; of values; gradients[0] only if wanted */
    rnn_slice slice, single; /* as it comes; and for stages after a select */
    int32_t *single_length;  /* [rows] */
    rnn_timeline *timeline;
    size_t track;
};

/* -- Plan ------------------------------------------------------------------------------------ */

static rnn_status create_stages(rnn_plan *plan)
{
    RNN_TRY(RNN_ALLOC(&plan->classes, plan->n_stages, "the stages' plans"));
    RNN_TRY(RNN_ALLOC(&plan->plans, plan->n_stages, "the stages' plans"));
    RNN_TRY(RNN_ALLOC(&plan->parts, plan->n_stages, "the stages' plans"));
    for (size_t s = 0; s < plan->n_stages; s++) {
        const rnn_stage_class *class = rnn_stage_get_class(rnn_model_stage(plan->model, s)->kind);

        plan->classes[s] = class;
        RNN_TRY(class->plan_create(&plan->plans[s], plan->model, s));
        plan->parts[s].offset = plan->grad_size;
        plan->parts[s].count = class->grad_size != NULL ? class->grad_size(plan->plans[s]) : 0;
        plan->grad_size += plan->parts[s].count;
    }
    return RNN_OK;
}

rnn_status rnn_plan_create(rnn_plan **out, const rnn_model *model)
{
    rnn_plan *plan;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&plan, 1, "the stages' plans"));
    plan->model = model;
    plan->n_stages = rnn_model_n_stages(model);
    st = create_stages(plan);
    if (st == RNN_OK)
        *out = plan;
    else
        rnn_plan_destroy(&plan);
    return st;
}

void rnn_plan_destroy(rnn_plan **plan)
{
    rnn_plan *p = *plan;

    if (p == NULL)
        return;
    for (size_t s = 0; p->plans != NULL && s < p->n_stages; s++)
        if (p->plans[s] != NULL)
            p->classes[s]->plan_destroy(p->plans[s]);
    rnn_free(p->classes);
    rnn_free(p->plans);
    rnn_free(p->parts);
    rnn_free(p);
    *plan = NULL;
}

size_t rnn_plan_grad_size(const rnn_plan *plan)
{
    return plan->grad_size;
}

rnn_plan_part rnn_plan_stage_part(const rnn_plan *plan, size_t stage)
{
    return plan->parts[stage];
}

const void *rnn_plan_stage(const rnn_plan *plan, size_t stage)
{
    return plan->plans[stage];
}

void rnn_plan_load_stage(rnn_plan *plan, size_t stage, const float *params, size_t part,
                         size_t n_parts)
{
    if (plan->classes[stage]->pack != NULL)
        plan->classes[stage]->pack(plan->plans[stage], params, part, n_parts);
}

void rnn_plan_load(rnn_plan *plan, const float *params, size_t part, size_t n_parts)
{
    for (size_t s = 0; s < plan->n_stages; s++)
        rnn_plan_load_stage(plan, s, params, part, n_parts);
}

void rnn_plan_visit_stage(const rnn_plan *plan, size_t stage, size_t part, size_t n_parts,
                          rnn_stretch_function function, void *context)
{
    if (plan->classes[stage]->visit != NULL)
        plan->classes[stage]->visit(plan->plans[stage], part, n_parts, function, context);
}

void rnn_plan_unpack_stage(const rnn_plan *plan, size_t stage, const float *packed, float *grads,
                           size_t part, size_t n_parts)
{
    const rnn_stage_class *class = plan->classes[stage];

    if (class->unpack != NULL)
        class->unpack(plan->plans[stage], packed + plan->parts[stage].offset, grads, part, n_parts);
}

void rnn_plan_unpack(const rnn_plan *plan, const float *packed, float *grads, size_t part,
                     size_t n_parts)
{
    for (size_t s = 0; s < plan->n_stages; s++)
        rnn_plan_unpack_stage(plan, s, packed, grads, part, n_parts);
}

/* -- Runner ---------------------------------------------------------------------------------- */

static rnn_status create_workers(rnn_runner *r)
{
    size_t n_stages = r->plan->n_stages;

    RNN_TRY(RNN_ALLOC(&r->workers, n_stages, "a runner"));
    RNN_TRY(RNN_ALLOC(&r->values, n_stages + 1, "a runner"));
    RNN_TRY(RNN_ALLOC(&r->gradients, n_stages + 1, "a runner"));
    for (size_t s = 0; s < n_stages; s++)
        RNN_TRY(r->plan->classes[s]->worker_create(&r->workers[s], r->plan->plans[s]));
    return RNN_OK;
}

rnn_status rnn_runner_create(rnn_runner **out, const rnn_plan *plan, bool wants_dx)
{
    rnn_runner *r;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&r, 1, "a runner"));
    r->plan = plan;
    r->wants_dx = wants_dx && rnn_model_input(plan->model).n_tokens == 0;
    st = create_workers(r);
    if (st == RNN_OK)
        *out = r;
    else
        rnn_runner_destroy(&r);
    return st;
}

static void free_arrays(rnn_runner *r)
{
    for (size_t s = 0; s <= r->plan->n_stages; s++) {
        if (r->values != NULL)
            rnn_free(r->values[s]);
        if (r->gradients != NULL)
            rnn_free(r->gradients[s]);
        if (r->values != NULL && r->gradients != NULL)
            r->values[s] = r->gradients[s] = NULL;
    }
    rnn_free(r->single_length);
    r->single_length = NULL;
    r->seq_len = r->rows = 0;
}

void rnn_runner_destroy(rnn_runner **runner)
{
    rnn_runner *r = *runner;

    if (r == NULL)
        return;
    for (size_t s = 0; r->workers != NULL && s < r->plan->n_stages; s++)
        if (r->workers[s] != NULL)
            r->plan->classes[s]->worker_destroy(r->workers[s]);
    free_arrays(r);
    rnn_free(r->workers);
    rnn_free(r->values);
    rnn_free(r->gradients);
    rnn_free(r);
    *runner = NULL;
}

void rnn_runner_record(rnn_runner *runner, rnn_timeline *timeline, size_t track)
{
    runner->timeline = timeline;
    runner->track = track;
}

/* Values of a slice that has the given shape. */
static rnn_status count_values(size_t *count, rnn_shape shape, size_t seq_len, size_t rows)
{
    RNN_TRY(rnn_size_multiply(count, shape.is_single ? 1 : seq_len, rows, "a slice"));
    return rnn_size_multiply(count, *count, shape.n_features, "a slice");
}

static rnn_status make_arrays(rnn_runner *r, size_t seq_len, size_t rows)
{
    size_t count;

    RNN_TRY(RNN_ALLOC(&r->single_length, rows, "a slice"));
    if (r->wants_dx) {
        RNN_TRY(count_values(&count, rnn_model_input(r->plan->model), seq_len, rows));
        RNN_TRY(RNN_ALLOC(&r->gradients[0], count, "activation gradients"));
    }
    for (size_t s = 0; s < r->plan->n_stages; s++) {
        const rnn_stage_class *class = r->plan->classes[s];
        const rnn_stage *stage = rnn_model_stage(r->plan->model, s);

        RNN_TRY(count_values(&count, stage->out, seq_len, rows));
        RNN_TRY(RNN_ALLOC(&r->values[s + 1], count, "activations"));
        RNN_TRY(RNN_ALLOC(&r->gradients[s + 1], count, "activation gradients"));
        if (class->worker_reserve != NULL)
            RNN_TRY(class->worker_reserve(r->workers[s], stage->in.is_single ? 1 : seq_len, rows));
    }
    return RNN_OK;
}

rnn_status rnn_runner_reserve(rnn_runner *runner, size_t seq_len, size_t rows)
{
    rnn_runner *r = runner;
    rnn_status st;

    if (seq_len <= r->seq_len && rows <= r->rows)
        return RNN_OK;
    seq_len = seq_len > r->seq_len ? seq_len : r->seq_len;
    rows = rows > r->rows ? rows : r->rows;
    free_arrays(r);
    st = make_arrays(r, seq_len, rows);
    if (st != RNN_OK) {
        free_arrays(r);
        return st;
    }
    r->seq_len = seq_len;
    r->rows = rows;
    return RNN_OK;
}

/* What the stages after a select see: one step, where there was any. */
static void make_single(rnn_runner *r)
{
    r->single = r->slice;
    r->single.seq_len = 1;
    r->single.is_ragged = false;
    r->single.token = NULL;
    r->single.length = r->single_length;
    for (size_t row = 0; row < r->slice.rows; row++)
        r->single_length[row] = r->slice.length[row] > 0;
}

static const rnn_slice *slice_for(const rnn_runner *r, size_t stage)
{
    return rnn_model_stage(r->plan->model, stage)->in.is_single ? &r->single : &r->slice;
}

rnn_status rnn_runner_forward(rnn_runner *runner, const rnn_slice *slice, const float *x,
                              const float **y)
{
    rnn_runner *r = runner;

    RNN_TRY(rnn_runner_reserve(r, slice->seq_len, slice->rows));
    r->slice = *slice;
    make_single(r);
    for (size_t s = 0; s < r->plan->n_stages; s++) {
        double begin = rnn_timeline_begin(r->timeline);

        RNN_TRY(r->plan->classes[s]->forward(r->workers[s], slice_for(r, s), x, r->values[s + 1]));
        rnn_timeline_end(r->timeline, r->track, RNN_PHASE_FORWARD, (int)s, begin);
        x = r->values[s + 1];
    }
    *y = x;
    return RNN_OK;
}

float *rnn_runner_dy(rnn_runner *runner)
{
    return runner->gradients[runner->plan->n_stages];
}

static rnn_status backward_stage(rnn_runner *r, size_t stage, float *packed)
{
    const rnn_stage_class *class = r->plan->classes[stage];
    const rnn_plan_part *parts = r->plan->parts;
    const float *dy = r->gradients[stage + 1];
    float *dx = r->gradients[stage];

    if (class->backward_tied != NULL)
        return class->backward_tied(r->workers[stage], slice_for(r, stage), dy, dx,
                                    packed + parts[stage].offset, packed + parts[0].offset);
    return class->backward(r->workers[stage], slice_for(r, stage), dy, dx,
                           packed + parts[stage].offset);
}

rnn_status rnn_runner_backward_stage(rnn_runner *runner, size_t stage, float *packed)
{
    double begin = rnn_timeline_begin(runner->timeline);
    rnn_status st = backward_stage(runner, stage, packed);

    rnn_timeline_end(runner->timeline, runner->track, RNN_PHASE_BACKWARD, (int)stage, begin);
    return st;
}

rnn_status rnn_runner_backward(rnn_runner *runner, float *packed)
{
    for (size_t s = runner->plan->n_stages; s-- > 0;)
        RNN_TRY(rnn_runner_backward_stage(runner, s, packed));
    return RNN_OK;
}

const float *rnn_runner_dx(const rnn_runner *runner)
{
    return runner->gradients[0];
}
