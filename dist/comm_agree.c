#include "dist/comm_mpi.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernels/digest.h"
#include "kernels/memory.h"

/* MPI counts are ints; pieces of this size also keep the library's temporaries small. */
enum { PIECE_BYTES = 16 * 1024 * 1024, PIECE_DOUBLES = PIECE_BYTES / sizeof(double) };

static int piece(size_t done, size_t total, size_t largest)
{
    return (int)(total - done < largest ? total - done : largest);
}

rnn_status rnn_comm_broadcast(rnn_comm *comm, void *bytes, size_t n_bytes, int root)
{
    if (comm->size == 1)
        return RNN_OK;
    for (size_t done = 0; done < n_bytes; done += PIECE_BYTES)
        RNN_MPI_COLLECTIVE(comm,
                           MPI_Bcast((char *)bytes + done, piece(done, n_bytes, PIECE_BYTES),
                                     MPI_BYTE, root, comm->world),
                           "broadcast");
    return RNN_OK;
}

rnn_status rnn_comm_sum_exact(rnn_comm *comm, double *values, size_t count)
{
    if (comm->size == 1)
        return RNN_OK;
    for (size_t done = 0; done < count; done += PIECE_DOUBLES)
        RNN_MPI_COLLECTIVE(comm,
                           MPI_Allreduce(MPI_IN_PLACE, values + done,
                                         piece(done, count, PIECE_DOUBLES), MPI_DOUBLE, MPI_SUM,
                                         comm->world),
                           "sum over ranks");
    return RNN_OK;
}

rnn_status rnn_comm_barrier(rnn_comm *comm)
{
    if (comm->size > 1)
        RNN_MPI_COLLECTIVE(comm, MPI_Barrier(comm->world), "barrier");
    return RNN_OK;
}

rnn_status rnn_comm_node_or(rnn_comm *comm, unsigned long *words, int n_words)
{
    /* Also where it is nothing to do: nodes differ, and all ranks count collectives alike. */
    RNN_MPI_COLLECTIVE(comm,
                       comm->node_size > 1 ? MPI_Allreduce(MPI_IN_PLACE, words, n_words,
                                                           MPI_UNSIGNED_LONG, MPI_BOR, comm->node)
                                           : MPI_SUCCESS,
                       "bitwise or over the ranks of this node");
    return RNN_OK;
}

rnn_status rnn_comm_gather(rnn_comm *comm, const void *mine, size_t n_bytes, void *all)
{
    RNN_MPI_COLLECTIVE(
        comm, MPI_Allgather(mine, (int)n_bytes, MPI_BYTE, all, (int)n_bytes, MPI_BYTE, comm->world),
        "gathering from all ranks");
    return RNN_OK;
}

/* *first = the lowest rank that brings `mark`, or the number of ranks if none does. */
static rnn_status lowest_marked(rnn_comm *comm, bool mark, int *first)
{
    *first = mark ? comm->rank : comm->size;
    RNN_MPI_COLLECTIVE(comm, MPI_Allreduce(MPI_IN_PLACE, first, 1, MPI_INT, MPI_MIN, comm->world),
                       "agreement");
    return RNN_OK;
}

/* Statuses that were agreed on already and come by again carry the number of the first culprit. */
static bool names_a_rank(const char *message)
{
    return strncmp(message, "rank ", 5) == 0 && isdigit((unsigned char)message[5]);
}

rnn_status rnn_comm_agree(rnn_comm *comm, rnn_status mine)
{
    struct {
        rnn_status status;
        char message[1024];
    } first = {.status = mine};
    int culprit;

    if (comm->size == 1)
        return mine;
    RNN_TRY(lowest_marked(comm, mine != RNN_OK, &culprit));
    if (culprit == comm->size)
        return RNN_OK;

    if (names_a_rank(rnn_error_message()))
        snprintf(first.message, sizeof first.message, "%s", rnn_error_message());
    else
        snprintf(first.message, sizeof first.message, "rank %d: %s", comm->rank,
                 rnn_error_message());
    RNN_TRY(rnn_comm_broadcast(comm, &first, sizeof first, culprit));
    return rnn_error_adopt(first.status, first.message);
}

/* Whether all ranks bring the same digest. */
static rnn_status are_equal(rnn_comm *comm, uint64_t digest, bool *equal)
{
    uint64_t bounds[2] = {digest, ~digest}; /* the minimum of ~x is the maximum of x */

    *equal = true;
    if (comm->size == 1)
        return RNN_OK;
    RNN_MPI_COLLECTIVE(comm,
                       MPI_Allreduce(MPI_IN_PLACE, bounds, 2, MPI_UINT64_T, MPI_MIN, comm->world),
                       "comparing digests");
    *equal = bounds[0] == ~bounds[1];
    return RNN_OK;
}

/* The digest that most ranks have; of equally many the one of the lowest rank. */
static uint64_t commonest(const uint64_t *digests, int n)
{
    int best = 0, most = 0;

    for (int i = 0; i < n; i++) {
        int count = 0;

        for (int k = 0; k < n; k++)
            count += digests[k] == digests[i];
        if (count > most) {
            most = count;
            best = i;
        }
    }
    return digests[best];
}

rnn_status rnn_comm_find_odd(rnn_comm *comm, uint64_t digest, int *odd, int *n_odd)
{
    uint64_t *all = NULL, right;
    bool equal;
    rnn_status st;

    *odd = comm->size;
    *n_odd = 0;
    RNN_TRY(are_equal(comm, digest, &equal));
    if (equal)
        return RNN_OK;
    st = RNN_ALLOC(&all, (size_t)comm->size, "digests of all ranks");
    RNN_TRY_GOTO(st, rnn_comm_agree(comm, st), done);
    RNN_TRY_GOTO(st, rnn_comm_gather(comm, &digest, sizeof digest, all), done);
    right = commonest(all, comm->size);
    for (int i = comm->size; i-- > 0;)
        if (all[i] != right) {
            *odd = i;
            ++*n_odd;
        }
done:
    rnn_free(all);
    return st;
}

/* *rank = the first that differs from rank 0, or the number of ranks; pair = both digests. */
static rnn_status first_difference(rnn_comm *comm, uint64_t digest, int *rank, uint64_t pair[2])
{
    bool equal;

    *rank = comm->size;
    RNN_TRY(are_equal(comm, digest, &equal));
    if (equal)
        return RNN_OK;
    pair[0] = pair[1] = digest;
    RNN_TRY(rnn_comm_broadcast(comm, &pair[0], sizeof pair[0], 0));
    RNN_TRY(lowest_marked(comm, digest != pair[0], rank));
    return rnn_comm_broadcast(comm, &pair[1], sizeof pair[1], *rank);
}

rnn_status rnn_comm_compare(rnn_comm *comm, uint64_t digest, const char *what)
{
    uint64_t pair[2] = {digest, digest};
    int rank;

    RNN_TRY(first_difference(comm, digest, &rank, pair));
    if (rank == comm->size)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_DISAGREE,
                    "ranks have different %s: rank 0 has %016" PRIx64 ", rank %d has %016" PRIx64,
                    what, pair[0], rank, pair[1]);
}

/* *copy = the text of rank `root`, on all ranks. */
static rnn_status share_text(rnn_comm *comm, const char *text, int root, char **copy)
{
    size_t n_bytes = strlen(text) + 1;
    rnn_status st;

    RNN_TRY(rnn_comm_broadcast(comm, &n_bytes, sizeof n_bytes, root));
    st = RNN_ALLOC(copy, n_bytes, "another rank's text");
    RNN_TRY(rnn_comm_agree(comm, st));
    if (comm->rank == root)
        memcpy(*copy, text, n_bytes);
    return rnn_comm_broadcast(comm, *copy, n_bytes, root);
}

/*
 * Moves *a and *b to the start of the first line that differs; returns its number, from 1. *heading
 * is the last line before it that begins with a bracket, as TOML's tables do, or NULL.
 */
static size_t find_line(const char **a, const char **b, const char **heading)
{
    *heading = NULL;
    for (size_t number = 1;; number++) {
        size_t length = strcspn(*a, "\n");

        if (strcspn(*b, "\n") != length || strncmp(*a, *b, length) != 0 ||
            (*a)[length] != (*b)[length] || (*a)[length] == '\0')
            return number;
        if (**a == '[')
            *heading = *a;
        *a += length + 1;
        *b += length + 1;
    }
}

static int quoted_length(const char *line)
{
    enum { LONGEST = 300 }; /* so that both fit into a message */

    return piece(0, strcspn(line, "\n"), LONGEST);
}

rnn_status rnn_comm_compare_text(rnn_comm *comm, const char *text, const char *what)
{
    uint64_t pair[2];
    int rank;
    char *texts[2] = {NULL, NULL};
    const char *lines[2], *heading;
    size_t number;
    rnn_status st;

    RNN_TRY(first_difference(comm, rnn_digest(text, strlen(text)), &rank, pair));
    if (rank == comm->size)
        return RNN_OK;

    RNN_TRY_GOTO(st, share_text(comm, text, 0, &texts[0]), done);
    RNN_TRY_GOTO(st, share_text(comm, text, rank, &texts[1]), done);
    lines[0] = texts[0];
    lines[1] = texts[1];
    number = find_line(&lines[0], &lines[1], &heading);
    st = RNN_FAIL(RNN_ERR_DISAGREE,
                  "ranks have different %s in line %zu%s%.*s: rank 0 has '%.*s', rank %d has "
                  "'%.*s'",
                  what, number, heading != NULL ? ", under " : "",
                  heading != NULL ? quoted_length(heading) : 0, heading != NULL ? heading : "",
                  quoted_length(lines[0]), lines[0], rank, quoted_length(lines[1]), lines[1]);
done:
    rnn_free(texts[0]);
    rnn_free(texts[1]);
    return st;
}
