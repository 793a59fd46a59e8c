#include <math.h>
#include <omp.h>

#include "dist/reduce.h"
#include "framework/bench_parts.h"
#include "kernels/bare.h"
#include "kernels/cpu.h"
#include "kernels/memory.h"

struct rnn_bench_bare {
    rnn_bench_way way;
    size_t seq_len; /* of every sequence */
    double scale;
    int n_threads;
    rnn_bare **layers; /* [n_layers] one direction of one recurrent layer each */
    size_t n_layers;
};

/* Threads that compute slices of their own. */
static int n_workers(const rnn_bench_bare *bare)
{
    return bare->way.is_internal ? 1 : bare->n_threads;
}

/* -- One thread's part ------------------------------------------------------------------------- */

static rnn_status prepare(const rnn_bench_bare *bare, size_t worker)
{
    for (size_t k = 0; k < bare->n_layers; k++)
        RNN_TRY(rnn_bare_prepare(bare->layers[k], worker));
    return RNN_OK;
}

static rnn_status run_slice(const rnn_bench_bare *bare, size_t worker)
{
    for (size_t k = 0; k < bare->n_layers; k++)
        RNN_TRY(rnn_bare_forward(bare->layers[k], worker));
    for (size_t k = bare->n_layers; k-- > 0;)
        RNN_TRY(rnn_bare_backward(bare->layers[k], worker));
    return RNN_OK;
}

static rnn_status run_slices(const rnn_bench_bare *bare, size_t worker)
{
    size_t first, count;

    rnn_shard_range(bare->way.n_slices, worker, (size_t)n_workers(bare), &first, &count);
    for (size_t i = 0; i < count; i++)
        RNN_TRY(run_slice(bare, worker));
    return RNN_OK;
}

/* -- All threads ------------------------------------------------------------------------------- */

typedef rnn_status (*part_function)(const rnn_bench_bare *bare, size_t worker);

/* Outside of a parallel region the library starts its own threads. */
static rnn_status in_threads(const rnn_bench_bare *bare, part_function part)
{
    rnn_status st = RNN_OK;

    rnn_cpu_flush_denormals();
    if (bare->way.is_internal)
        return part(bare, 0);
#pragma omp parallel num_threads(bare->n_threads)
    {
        rnn_status mine = RNN_OK;

        rnn_cpu_flush_denormals();
        omp_set_num_threads(1);
        for (int i = omp_get_thread_num(); i < bare->n_threads && mine == RNN_OK;
             i += omp_get_num_threads())
            mine = part(bare, (size_t)i);
        if (mine != RNN_OK)
#pragma omp critical
            st = mine;
    }
    return st == RNN_OK ? RNN_OK : RNN_FAIL(st, "a bare primitive failed");
}

static rnn_status make_layer(rnn_bench_bare *bare, const rnn_stage *stage, bool reverse)
{
    const rnn_recurrent_cfg cfg = {.cell = rnn_layer_cell(stage->cfg),
                                   .n_in = stage->in.n_features,
                                   .n_hid = (size_t)stage->cfg->hidden_size,
                                   .n_proj = (size_t)stage->cfg->proj_size,
                                   .reverse = reverse};
    const rnn_recurrent_slice slice = {.seq_len = bare->seq_len, .rows = bare->way.rows};

    RNN_TRY(rnn_bare_create(&bare->layers[bare->n_layers], &cfg, &slice, (size_t)n_workers(bare)));
    bare->n_layers++;
    return RNN_OK;
}

static rnn_status make_layers(rnn_bench_bare *bare, const rnn_run *run)
{
    size_t n_stages = rnn_model_n_stages(run->model);

    RNN_TRY(RNN_ALLOC(&bare->layers, 2 * n_stages, "bare primitives"));
    for (size_t s = 0; s < n_stages; s++) {
        const rnn_stage *stage = rnn_model_stage(run->model, s);

        for (size_t d = 0; stage->kind == RNN_STAGE_RECURRENT && d < stage->n_directions; d++)
            RNN_TRY(make_layer(bare, stage, d == 1));
    }
    if (bare->n_layers == 0)
        return RNN_FAIL(RNN_ERR_DATA, "the model has no recurrent layer to compare with");
    return RNN_OK;
}

rnn_status rnn_bench_bare_create(rnn_bench_bare **out, const rnn_run *run, const rnn_bench_way *way)
{
    rnn_bench_bare *bare;
    rnn_status st;

    *out = NULL;
    RNN_TRY(RNN_ALLOC(&bare, 1, "bare primitives"));
    bare->way = *way;
    bare->n_threads = run->affinity.threads;
    bare->seq_len = (size_t)lround(rnn_bench_mean_length(run));
    bare->scale = rnn_bench_mean_length(run) / (double)bare->seq_len;
    /* The library plans for as many threads as there are now. */
    omp_set_num_threads(way->is_internal ? bare->n_threads : 1);
    st = make_layers(bare, run);
    omp_set_num_threads(bare->n_threads);
    if (st == RNN_OK)
        st = in_threads(bare, prepare);
    if (st == RNN_OK)
        *out = bare;
    else
        rnn_bench_bare_destroy(&bare);
    return st;
}

void rnn_bench_bare_destroy(rnn_bench_bare **bare)
{
    rnn_bench_bare *b = *bare;

    if (b == NULL)
        return;
    for (size_t k = 0; k < b->n_layers; k++)
        rnn_bare_destroy(&b->layers[k]);
    rnn_free(b->layers);
    rnn_free(b);
    *bare = NULL;
}

rnn_status rnn_bench_bare_run(const rnn_bench_bare *bare)
{
    return in_threads(bare, run_slices);
}

double rnn_bench_bare_scale(const rnn_bench_bare *bare)
{
    return bare->scale;
}
