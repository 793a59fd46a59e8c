/*
 * Halving and doubling among a power of two of ranks, the members; see reduce_fold.c for others.
 */
#include "dist/reduce_parts.h"

#include <string.h>

#include "kernels/bfloat16.h"
#include "kernels/memory.h"

/* -- Plan -------------------------------------------------------------------------------------- */

/* The half of `whole` that a member keeps: the lower one if its bit for this level is 0. */
static rnn_span half(const rnn_reducer *reducer, rnn_span whole, bool upper)
{
    const size_t middle = rnn_smaller(rnn_round_up(whole.count / 2, reducer->unit), whole.count);

    return upper ? (rnn_span){whole.first + middle, whole.count - middle}
                 : (rnn_span){whole.first, middle};
}

static bool is_upper(const rnn_halving *halving, int level)
{
    return (halving->member >> level & 1) != 0;
}

static void plan_levels(rnn_reducer *reducer)
{
    rnn_halving *halving = &reducer->halving;

    halving->kept[0] = (rnn_span){0, reducer->cfg.n_values};
    halving->n_levels = 0;
    for (int distance = 1; distance < halving->n_members; distance *= 2) {
        const int level = halving->n_levels++;

        halving->kept[level + 1] = half(reducer, halving->kept[level], is_upper(halving, level));
    }
    reducer->mine = halving->kept[halving->n_levels];
}

/* The member whose shards are [member * size, (member + 1) * size) is the rank that has the first
 * of them; others have none of the array. */
static rnn_status find_members(rnn_reducer *reducer)
{
    rnn_halving *halving = &reducer->halving;
    size_t size;

    halving->n_members = 1;
    while (halving->n_members <= reducer->comm->size / 2)
        halving->n_members *= 2;
    halving->member = -1;
    RNN_TRY(RNN_ALLOC(&halving->rank_of, (size_t)halving->n_members, "members"));
    size = reducer->cfg.n_shards / (size_t)halving->n_members;
    for (int rank = 0; rank < reducer->comm->size; rank++) {
        size_t first, count, member;

        rnn_shard_range(reducer->cfg.n_shards, (size_t)rank, (size_t)reducer->comm->size, &first,
                        &count);
        member = rnn_round_up(first, size) / size;
        if (member * size >= first + count)
            continue;
        halving->rank_of[member] = rank;
        if (rank == reducer->comm->rank)
            halving->member = (int)member;
    }
    return RNN_OK;
}

rnn_status rnn_halving_prepare(rnn_reducer *reducer)
{
    rnn_halving *halving = &reducer->halving;
    const size_t piece = rnn_smaller(reducer->cfg.n_values, RNN_REDUCE_PIECE);

    RNN_TRY(find_members(reducer));
    if (halving->member >= 0)
        plan_levels(reducer);
    if (reducer->comm->size == 1)
        return RNN_OK;
    if (!reducer->cfg.bfloat16)
        RNN_TRY(RNN_ALLOC(&halving->received, piece, "gradient halves"));
    for (int i = 0; i < 2 && reducer->cfg.bfloat16; i++)
        RNN_TRY(RNN_ALLOC(&halving->packed[i], piece, "gradient halves"));
    return rnn_fold_prepare(reducer);
}

void rnn_halving_release(rnn_halving *halving)
{
    rnn_fold_release(&halving->fold);
    rnn_free(halving->rank_of);
    rnn_free(halving->received);
    rnn_free(halving->packed[0]);
    rnn_free(halving->packed[1]);
}

/* -- Messages ---------------------------------------------------------------------------------- */

static rnn_status swap(const rnn_reducer *reducer, int level, MPI_Datatype type, const void *give,
                       size_t n_give, void *take, size_t n_take)
{
    const rnn_halving *halving = &reducer->halving;
    const int partner = halving->rank_of[halving->member ^ 1 << level];

    RNN_MPI(MPI_Sendrecv(give, (int)n_give, type, partner, RNN_REDUCE_TAG, take, (int)n_take, type,
                         partner, RNN_REDUCE_TAG, reducer->comm->world, MPI_STATUS_IGNORE),
            "exchanging halves");
    return RNN_OK;
}

static rnn_status swap_floats(const rnn_reducer *reducer, int level, float *values, rnn_span give,
                              rnn_span take)
{
    return swap(reducer, level, MPI_FLOAT, values + give.first, give.count, values + take.first,
                take.count);
}

static rnn_status swap_packed(const rnn_reducer *reducer, int level, const float *values,
                              rnn_span give, size_t n_take)
{
    uint16_t *const *packed = reducer->halving.packed;

    rnn_bfloat16_pack(packed[0], values + give.first, give.count);
    return swap(reducer, level, MPI_UINT16_T, packed[0], give.count, packed[1], n_take);
}

/* values[keep] += what the partner has there. */
static rnn_status halve_piece(const rnn_reducer *reducer, int level, float *values, rnn_span give,
                              rnn_span keep)
{
    const rnn_halving *halving = &reducer->halving;

    if (reducer->cfg.bfloat16) {
        RNN_TRY(swap_packed(reducer, level, values, give, keep.count));
        rnn_tree_add_packed(values + keep.first, halving->packed[1], keep.count);
        return RNN_OK;
    }
    RNN_TRY(swap(reducer, level, MPI_FLOAT, values + give.first, give.count, halving->received,
                 keep.count));
    rnn_tree_add(reducer, values + keep.first, halving->received, keep.count);
    return RNN_OK;
}

static rnn_status double_piece(const rnn_reducer *reducer, int level, float *values, rnn_span give,
                               rnn_span take, bool packed)
{
    if (!packed)
        return swap_floats(reducer, level, values, give, take);
    RNN_TRY(swap_packed(reducer, level, values, give, take.count));
    rnn_bfloat16_unpack(values + take.first, reducer->halving.packed[1], take.count);
    return RNN_OK;
}

/* -- Both ways --------------------------------------------------------------------------------- */

/* The part of the level's whole that the partner keeps. */
static rnn_span other_half(const rnn_reducer *reducer, int level)
{
    const rnn_halving *halving = &reducer->halving;

    return half(reducer, halving->kept[level], !is_upper(halving, level));
}

/*
 * Every member holds one node of the tree. Level by level, partners at distance 1, 2, 4, .. hold
 * siblings: each keeps one half of the range, so that both nodes' sum is spread over the two.
 * Lower + higher is what the tree says; a + b has the bits of b + a.
 */
static rnn_status halve(const rnn_reducer *reducer, float *values)
{
    const rnn_halving *halving = &reducer->halving;

    for (int level = 0; level < halving->n_levels; level++) {
        const rnn_span keep = halving->kept[level + 1], give = other_half(reducer, level);
        const size_t longest = keep.count > give.count ? keep.count : give.count;

        for (size_t done = 0; done < longest; done += RNN_REDUCE_PIECE)
            RNN_TRY(halve_piece(reducer, level, values, rnn_piece(give, done, RNN_REDUCE_PIECE),
                                rnn_piece(keep, done, RNN_REDUCE_PIECE)));
    }
    return RNN_OK;
}

rnn_status rnn_halving_scatter(rnn_reducer *reducer, float *const *nodes, float *sum)
{
    const rnn_span mine = reducer->mine;
    float *own;

    RNN_TRY(rnn_fold_in(reducer, nodes));
    if (reducer->halving.member < 0)
        return RNN_OK;
    own = nodes[reducer->halving.fold.n_sent];
    RNN_TRY(halve(reducer, own));
    if (sum != own)
        memcpy(sum + mine.first, own + mine.first, mine.count * sizeof *sum);
    return RNN_OK;
}

rnn_status rnn_halving_gather(rnn_reducer *reducer, float *values, bool packed)
{
    const rnn_halving *halving = &reducer->halving;

    for (int level = halving->member < 0 ? 0 : halving->n_levels; level-- > 0;) {
        const rnn_span give = halving->kept[level + 1], take = other_half(reducer, level);
        const size_t longest = take.count > give.count ? take.count : give.count;

        for (size_t done = 0; done < longest; done += RNN_REDUCE_PIECE)
            RNN_TRY(double_piece(reducer, level, values, rnn_piece(give, done, RNN_REDUCE_PIECE),
                                 rnn_piece(take, done, RNN_REDUCE_PIECE), packed));
    }
    return rnn_fold_out(reducer, values);
}
