#include "framework/optimizer_share.h"

#include <string.h>

#include "kernels/vector.h"

/* -- The step ---------------------------------------------------------------------------------- */

/* Collective. The blocks' sums, each of one rank, then added up as rnn_vector_square_sum does. */
static rnn_status square_sum(const rnn_run *run, double *sum)
{
    const size_t n_blocks = rnn_vector_n_blocks(rnn_model_size(run->model));

    memset(run->block_sums, 0, n_blocks * sizeof *run->block_sums);
    rnn_vector_block_square_sums(run->grads + run->chunk_first, run->chunk_count,
                                 run->block_sums + run->chunk_first / RNN_BLOCK);
    RNN_TRY(rnn_comm_sum_exact(run->comm, run->block_sums, n_blocks));
    *sum = 0.0;
    for (size_t b = 0; b < n_blocks; b++)
        *sum += run->block_sums[b];
    return RNN_OK;
}

rnn_status rnn_share_step(rnn_run *run, float grad_scale, double lr)
{
    double sum;
    rnn_status st;

    RNN_TRY(square_sum(run, &sum));
    st = rnn_optimizer_step_measured(run->optimizer, run->params + run->chunk_first,
                                     run->grads + run->chunk_first, grad_scale, lr, sum);
    if (st == RNN_OK)
        return rnn_reducer_gather(run->reducer, run->params);
    RNN_TRY(rnn_reducer_gather(run->reducer, run->grads));
    return st;
}

/* -- All of it, for checkpoints ---------------------------------------------------------------- */

static void copy(float *to, const float *from, size_t count)
{
    memcpy(to, from, count * sizeof *to);
}

static rnn_status gather_states(rnn_run *run, rnn_optimizer *whole)
{
    for (size_t i = 0; i < rnn_optimizer_n_states(run->optimizer); i++) {
        copy(run->grads + run->chunk_first, rnn_optimizer_state(run->optimizer, i),
             run->chunk_count);
        RNN_TRY(rnn_reducer_gather(run->reducer, run->grads));
        if (whole != NULL)
            copy(rnn_optimizer_state(whole, i), run->grads, rnn_model_size(run->model));
    }
    return RNN_OK;
}

rnn_status rnn_share_gather(rnn_run *run, rnn_optimizer **whole)
{
    rnn_status st = RNN_OK;

    *whole = NULL;
    if (!run->is_shared_out)
        return RNN_OK;
    if (rnn_comm_rank(run->comm) == 0)
        st = rnn_optimizer_create(whole, rnn_optimizer_get_cfg(run->optimizer),
                                  rnn_model_size(run->model));
    RNN_TRY(rnn_comm_agree(run->comm, st));
    st = gather_states(run, *whole);
    if (st != RNN_OK) {
        rnn_optimizer_destroy(whole);
        return st;
    }
    if (*whole != NULL) {
        rnn_optimizer_set_step(*whole, rnn_optimizer_get_step(run->optimizer));
        rnn_optimizer_set_scalar(*whole, rnn_optimizer_get_scalar(run->optimizer));
    }
    return RNN_OK;
}

rnn_status rnn_share_scatter(rnn_run *run, rnn_optimizer *whole)
{
    const rnn_optimizer *source = whole != NULL ? whole : run->optimizer;
    const size_t size = rnn_model_size(run->model);
    uint64_t step = rnn_optimizer_get_step(source);
    double scalar = rnn_optimizer_get_scalar(source);

    for (size_t i = 0; i < rnn_optimizer_n_states(run->optimizer); i++) {
        if (whole != NULL)
            copy(run->grads, rnn_optimizer_state(whole, i), size);
        RNN_TRY(rnn_comm_broadcast(run->comm, run->grads, size * sizeof *run->grads, 0));
        copy(rnn_optimizer_state(run->optimizer, i), run->grads + run->chunk_first,
             run->chunk_count);
    }
    RNN_TRY(rnn_comm_broadcast(run->comm, &step, sizeof step, 0));
    RNN_TRY(rnn_comm_broadcast(run->comm, &scalar, sizeof scalar, 0));
    rnn_optimizer_set_step(run->optimizer, step);
    rnn_optimizer_set_scalar(run->optimizer, scalar);
    return RNN_OK;
}
