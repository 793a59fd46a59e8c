/*
 * Halving and doubling among a power of two of ranks, the members; see reduce_fold.c for others.
 */
#include "dist/reduce_parts.h"

#include <limits.h>
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
    for (int i = 0; i < 2; i++) {
        if (!reducer->cfg.bfloat16) {
            RNN_TRY(RNN_ALLOC(&halving->received[i], piece, "gradient halves"));
            continue;
        }
        RNN_TRY(RNN_ALLOC(&halving->packed_in[i], piece, "gradient halves"));
        RNN_TRY(RNN_ALLOC(&halving->packed_out[i], piece, "gradient halves"));
    }
    return rnn_fold_prepare(reducer);
}

void rnn_halving_release(rnn_halving *halving)
{
    rnn_fold_release(&halving->fold);
    rnn_free(halving->rank_of);
    for (int i = 0; i < 2; i++) {
        rnn_free(halving->received[i]);
        rnn_free(halving->packed_in[i]);
        rnn_free(halving->packed_out[i]);
    }
}

/* -- Messages ---------------------------------------------------------------------------------- */

/* The part of the level's whole that the partner keeps. */
static rnn_span other_half(const rnn_reducer *reducer, int level)
{
    const rnn_halving *halving = &reducer->halving;

    return half(reducer, halving->kept[level], !is_upper(halving, level));
}

static int partner_of(const rnn_reducer *reducer, int level)
{
    const rnn_halving *halving = &reducer->halving;

    return halving->rank_of[halving->member ^ 1 << level];
}

static size_t longer(rnn_span a, rnn_span b)
{
    return a.count > b.count ? a.count : b.count;
}

/*
 * One level on its way to a half: pieces are sent and received one ahead of the one that is added,
 * in two buffers by turns.
 */
typedef struct halving_level {
    float *values;
    float *sum; /* where this rank's part of it goes: values, but in the last level */
    rnn_span give, keep;
    int partner;
    MPI_Request sent[2], received[2];
} halving_level;

static rnn_status start_piece(const rnn_reducer *reducer, halving_level *l, size_t number)
{
    const rnn_halving *halving = &reducer->halving;
    const size_t done = number * RNN_REDUCE_PIECE, turn = number % 2;
    const rnn_span give = rnn_piece(l->give, done, RNN_REDUCE_PIECE);
    const rnn_span keep = rnn_piece(l->keep, done, RNN_REDUCE_PIECE);
    const bool packs = reducer->cfg.bfloat16;
    MPI_Datatype type = packs ? MPI_UINT16_T : MPI_FLOAT;

    RNN_MPI(MPI_Irecv(packs ? (void *)halving->packed_in[turn] : halving->received[turn],
                      (int)keep.count, type, l->partner, RNN_REDUCE_TAG, reducer->comm->world,
                      &l->received[turn]),
            "exchanging halves");
    RNN_MPI(MPI_Wait(&l->sent[turn], MPI_STATUS_IGNORE), "exchanging halves");
    if (packs)
        rnn_bfloat16_pack(halving->packed_out[turn], l->values + give.first, give.count);
    RNN_MPI(MPI_Isend(packs ? (const void *)halving->packed_out[turn] : l->values + give.first,
                      (int)give.count, type, l->partner, RNN_REDUCE_TAG, reducer->comm->world,
                      &l->sent[turn]),
            "exchanging halves");
    return RNN_OK;
}

static rnn_status add_piece(const rnn_reducer *reducer, halving_level *l, size_t number)
{
    const rnn_halving *halving = &reducer->halving;
    const size_t turn = number % 2;
    const rnn_span keep = rnn_piece(l->keep, number * RNN_REDUCE_PIECE, RNN_REDUCE_PIECE);

    RNN_MPI(MPI_Wait(&l->received[turn], MPI_STATUS_IGNORE), "exchanging halves");
    if (reducer->cfg.bfloat16)
        rnn_tree_add_packed(l->sum + keep.first, l->values + keep.first, halving->packed_in[turn],
                            keep.count);
    else
        rnn_tree_add(reducer, l->sum + keep.first, l->values + keep.first, halving->received[turn],
                     keep.count);
    return RNN_OK;
}

static rnn_status halve_level(const rnn_reducer *reducer, int level, float *values, float *sum)
{
    halving_level l = {.values = values,
                       .sum = sum,
                       .give = other_half(reducer, level),
                       .keep = reducer->halving.kept[level + 1],
                       .partner = partner_of(reducer, level),
                       .sent = {MPI_REQUEST_NULL, MPI_REQUEST_NULL}};
    const size_t n_pieces =
        rnn_round_up(longer(l.give, l.keep), RNN_REDUCE_PIECE) / RNN_REDUCE_PIECE;

    for (size_t i = 0; i <= n_pieces; i++) {
        if (i < n_pieces)
            RNN_TRY(start_piece(reducer, &l, i));
        if (i > 0)
            RNN_TRY(add_piece(reducer, &l, i - 1));
    }
    RNN_MPI(MPI_Waitall(2, l.sent, MPI_STATUSES_IGNORE), "exchanging halves");
    return RNN_OK;
}

static rnn_status swap(const rnn_reducer *reducer, int level, MPI_Datatype type, const void *give,
                       size_t n_give, void *take, size_t n_take)
{
    const int partner = partner_of(reducer, level);

    RNN_MPI(MPI_Sendrecv(give, (int)n_give, type, partner, RNN_REDUCE_TAG, take, (int)n_take, type,
                         partner, RNN_REDUCE_TAG, reducer->comm->world, MPI_STATUS_IGNORE),
            "exchanging halves");
    return RNN_OK;
}

/* Floats go from where they are to where they belong, in as few messages as can be. */
static rnn_status double_level(const rnn_reducer *reducer, int level, float *values, bool packed)
{
    const rnn_halving *halving = &reducer->halving;
    const rnn_span whole_give = halving->kept[level + 1], whole_take = other_half(reducer, level);
    const size_t longest = packed ? RNN_REDUCE_PIECE : INT_MAX;

    for (size_t done = 0; done < longer(whole_give, whole_take); done += longest) {
        const rnn_span give = rnn_piece(whole_give, done, longest);
        const rnn_span take = rnn_piece(whole_take, done, longest);

        if (!packed) {
            RNN_TRY(swap(reducer, level, MPI_FLOAT, values + give.first, give.count,
                         values + take.first, take.count));
            continue;
        }
        rnn_bfloat16_pack(halving->packed_out[0], values + give.first, give.count);
        RNN_TRY(swap(reducer, level, MPI_UINT16_T, halving->packed_out[0], give.count,
                     halving->packed_in[0], take.count));
        rnn_bfloat16_unpack(values + take.first, halving->packed_in[0], take.count);
    }
    return RNN_OK;
}

/* -- Both ways --------------------------------------------------------------------------------- */

/*
 * Every member holds one node of the tree. Level by level, partners at distance 1, 2, 4, .. hold
 * siblings: each keeps one half of the range, so that both nodes' sum is spread over the two.
 * Lower + higher is what the tree says; a + b has the bits of b + a.
 */
rnn_status rnn_halving_scatter(rnn_reducer *reducer, float *const *nodes, float *sum)
{
    const int n_levels = reducer->halving.n_levels;
    float *own;

    RNN_TRY(rnn_fold_in(reducer, nodes));
    if (reducer->halving.member < 0)
        return RNN_OK;
    own = nodes[reducer->halving.fold.n_sent];
    for (int level = 0; level < n_levels; level++)
        RNN_TRY(halve_level(reducer, level, own, level + 1 < n_levels ? own : sum));
    if (n_levels == 0 && sum != own)
        memcpy(sum, own, reducer->cfg.n_values * sizeof *sum);
    return RNN_OK;
}

rnn_status rnn_halving_gather(rnn_reducer *reducer, float *values, bool packed)
{
    const rnn_halving *halving = &reducer->halving;

    for (int level = halving->member < 0 ? 0 : halving->n_levels; level-- > 0;)
        RNN_TRY(double_level(reducer, level, values, packed));
    return rnn_fold_out(reducer, values);
}
