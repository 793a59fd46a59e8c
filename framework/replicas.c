#include "framework/replicas.h"

#include <inttypes.h>
#include <stdio.h>

#include "kernels/digest.h"

/* An array of the model's size, and what checkpoints call it. */
typedef struct replica {
    const char *name; /* "model", else a state of the optimizer */
    const float *values;
} replica;

/* The i-th array: the parameters, then the optimizer's states. */
static replica get_replica(const rnn_run *run, size_t i)
{
    if (i == 0)
        return (replica){"model", run->params};
    return (replica){rnn_optimizer_state_name(run->optimizer, i - 1),
                     rnn_optimizer_state(run->optimizer, i - 1)};
}

/* States that are shared out have no replicas. */
static size_t n_replicas(const rnn_run *run)
{
    return 1 + (run->is_shared_out ? 0 : rnn_optimizer_n_states(run->optimizer));
}

static uint64_t digest_of_counters(const rnn_run *run)
{
    double scalar = rnn_optimizer_get_scalar(run->optimizer);
    const uint64_t both[2] = {rnn_optimizer_get_step(run->optimizer),
                              rnn_digest(&scalar, sizeof scalar)};

    return rnn_digest(both, sizeof both);
}

static uint64_t digest_of_all(const rnn_run *run)
{
    size_t n = n_replicas(run);
    uint64_t so_far[2] = {digest_of_counters(run), 0};

    for (size_t i = 0; i < n; i++) {
        so_far[0] = rnn_digest(so_far, sizeof so_far);
        so_far[1] =
            rnn_digest(get_replica(run, i).values, rnn_model_size(run->model) * sizeof(float));
    }
    return rnn_digest(so_far, sizeof so_far);
}

/* Who differs from whom. */
static void print_ranks(const rnn_run *run, int odd, int n_odd, char *out, size_t size)
{
    if (rnn_comm_size(run->comm) == 2)
        snprintf(out, size, "ranks 0 and 1 have different values");
    else if (n_odd == 1)
        snprintf(out, size, "rank %d has other values than the others", odd);
    else
        snprintf(out, size, "rank %d and %d more have other values than most", odd, n_odd - 1);
}

static rnn_status blame(const rnn_run *run, uint64_t step, int odd, int n_odd, const char *tensor)
{
    char who[100];

    print_ranks(run, odd, n_odd, who, sizeof who);
    return RNN_FAIL(RNN_ERR_DISAGREE,
                    "replicas differ after step %" PRIu64 ": %s in %s; memory or network of that "
                    "machine may be faulty. The same command goes on from the last checkpoint",
                    step, who, tensor);
}

/* Collective, by all ranks once one digest of everything has differed, of which ranks is known. */
static rnn_status find_difference(const rnn_run *run, uint64_t step, int first_odd, int n_all_odd)
{
    size_t n = n_replicas(run);
    char tensor[160];
    int odd, n_odd;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rnn_model_n_params(run->model); k++) {
            const rnn_param *p = rnn_model_param(run->model, k);
            replica r = get_replica(run, i);

            RNN_TRY(rnn_comm_find_odd(run->comm,
                                      rnn_digest(r.values + p->offset, p->count * sizeof(float)),
                                      &odd, &n_odd));
            if (n_odd == 0)
                continue;
            snprintf(tensor, sizeof tensor, "%s%s/%s/%s", i > 0 ? "/optimizer/" : "/", r.name,
                     p->group, p->name);
            return blame(run, step, odd, n_odd, tensor);
        }
    RNN_TRY(rnn_comm_find_odd(run->comm, digest_of_counters(run), &odd, &n_odd));
    if (n_odd > 0)
        return blame(run, step, odd, n_odd, "the optimizer's counters");
    return blame(run, step, first_odd, n_all_odd, "something that has changed back since");
}

rnn_status rnn_replicas_compare(const rnn_run *run, uint64_t step)
{
    int odd, n_odd;

    if (rnn_comm_size(run->comm) == 1)
        return RNN_OK;
    RNN_TRY(rnn_comm_find_odd(run->comm, digest_of_all(run), &odd, &n_odd));
    return n_odd == 0 ? RNN_OK : find_difference(run, step, odd, n_odd);
}
