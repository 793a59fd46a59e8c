#include "dist/comm_mpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/memory.h"

/* What launchers leave in the environment of the ranks they start. */
static const struct {
    const char *variable;
    bool is_mpirun; /* it is the MPI library's own, which cannot be at odds with the library */
} launch_signs[] = {
    {"OMPI_COMM_WORLD_SIZE", true}, /* Open MPI */
    {"MPI_LOCALNRANKS", true},      /* MPICH's Hydra and its relatives */
    {"HYDI_CONTROL_FD", true},      /* Hydra */
    {"PMIX_RANK", false},           /* any PMIx server: srun --mpi=pmix, prterun */
    {"PMI_RANK", false},            /* PMI-1 and PMI-2 */
    {"PMI_SIZE", false},
};

enum { N_LAUNCH_SIGNS = sizeof launch_signs / sizeof launch_signs[0] };

/* Tasks of the Slurm step this process belongs to; 0 outside a step, also in a batch script. */
static int slurm_step_tasks(void)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");

    if (getenv("SLURM_STEP_ID") == NULL)
        return 0;
    if (tasks == NULL)
        tasks = getenv("SLURM_NTASKS");
    return tasks != NULL ? (int)strtol(tasks, NULL, 10) : 0;
}

bool rnn_comm_is_launched(void)
{
    for (int i = 0; i < N_LAUNCH_SIGNS; i++)
        if (getenv(launch_signs[i].variable) != NULL)
            return true;
    return slurm_step_tasks() > 1;
}

static bool is_launched_by_mpirun(void)
{
    for (int i = 0; i < N_LAUNCH_SIGNS; i++)
        if (launch_signs[i].is_mpirun && getenv(launch_signs[i].variable) != NULL)
            return true;
    return false;
}

/* As the launcher has it, which is all there is before MPI runs; -1 = it does not say. */
static int launched_rank(void)
{
    static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                            "SLURM_PROCID"};

    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *rank = getenv(variables[i]);

        if (rank != NULL)
            return (int)strtol(rank, NULL, 10);
    }
    return -1;
}

static bool is_broken;

bool rnn_comm_is_broken(void)
{
    return is_broken;
}

rnn_status rnn_mpi_check(int code, const char *tried)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length;

    if (code == MPI_SUCCESS)
        return RNN_OK;
    is_broken = true;
    MPI_Error_string(code, text, &length);
    return RNN_FAIL(RNN_ERR_UNAVAILABLE, "MPI: %s: %s", tried, text);
}

static rnn_status start_mpi(rnn_comm *comm)
{
    int running, finished, level;

    RNN_MPI(MPI_Initialized(&running), "asking whether MPI runs");
    RNN_MPI(MPI_Finalized(&finished), "asking whether MPI has ended");
    if (finished)
        return RNN_FAIL(RNN_ERR_INTERNAL, "starting MPI: it has been shut down in this process, "
                                          "and starts only once");
    if (!running) {
        RNN_MPI_COLLECTIVE(comm, MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level),
                           "starting MPI");
        comm->started = true;
        /* Errors that belong to no communicator are reported here. */
        RNN_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "error codes");
    }
    RNN_MPI(MPI_Query_thread(&level), "asking for the thread level");
    if (level < MPI_THREAD_FUNNELED)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                        "starting MPI: programs with threads need MPI_THREAD_FUNNELED (%d), this "
                        "library grants level %d",
                        MPI_THREAD_FUNNELED, level);
    return RNN_OK;
}

static rnn_status find_ranks(rnn_comm *comm)
{
    RNN_MPI_COLLECTIVE(comm, MPI_Comm_dup(MPI_COMM_WORLD, &comm->world), "making a communicator");
    RNN_MPI(MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN), "error codes");
    RNN_MPI(MPI_Comm_rank(comm->world, &comm->rank), "finding the rank");
    RNN_MPI(MPI_Comm_size(comm->world, &comm->size), "finding the number of ranks");
    return RNN_OK;
}

/* Collective. Watchdogs learn how to reach each other. One without a socket can still bite. */
static rnn_status connect_watchdogs(rnn_comm *comm)
{
    rnn_inquiry *inquiry = NULL;
    rnn_contact self, *contacts = NULL;
    rnn_status st;

    if (comm->size == 1) {
        rnn_watchdog_stop(&comm->watchdog);
        return RNN_OK;
    }
    st = rnn_inquiry_open(&inquiry, &self);
    if (st == RNN_OK || st == RNN_ERR_UNAVAILABLE) /* the watchdog's message then says so */
        st = RNN_ALLOC(&contacts, (size_t)comm->size, "the addresses of ranks");
    RNN_TRY_GOTO(st, rnn_comm_agree(comm, st), failed);
    RNN_TRY_GOTO(st, rnn_comm_gather(comm, &self, sizeof self, contacts), failed);
    if (inquiry != NULL)
        st = rnn_watchdog_connect(comm->watchdog, inquiry, contacts, comm->size, comm->rank);
    else
        rnn_free(contacts);
    return rnn_comm_agree(comm, st);
failed:
    rnn_inquiry_close(&inquiry);
    rnn_free(contacts);
    return st;
}

/* Without PMI between srun and the MPI library every task would train alone, all on one output. */
static rnn_status check_slurm(const rnn_comm *comm, int n_tasks, bool by_mpirun)
{
    if (comm->size > 1 || n_tasks <= 1 || by_mpirun)
        return RNN_OK;
    return RNN_FAIL(RNN_ERR_UNAVAILABLE,
                    "Slurm started %d tasks, but MPI sees only this one: use 'srun --mpi=pmix', or "
                    "'mpirun' inside the batch script",
                    n_tasks);
}

static rnn_status find_nodes(rnn_comm *comm)
{
    int is_leader;

    RNN_MPI_COLLECTIVE(comm,
                       MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank,
                                           MPI_INFO_NULL, &comm->node),
                       "finding the ranks of this node");
    RNN_MPI(MPI_Comm_set_errhandler(comm->node, MPI_ERRORS_RETURN), "error codes");
    RNN_MPI(MPI_Comm_rank(comm->node, &comm->node_rank), "finding the rank on this node");
    RNN_MPI(MPI_Comm_size(comm->node, &comm->node_size), "finding the ranks of this node");
    is_leader = comm->node_rank == 0;
    RNN_MPI_COLLECTIVE(comm,
                       MPI_Allreduce(&is_leader, &comm->n_nodes, 1, MPI_INT, MPI_SUM, comm->world),
                       "counting nodes");
    return RNN_OK;
}

/* The first line of the version text; MPICH's has a dozen, with tabs. */
rnn_status rnn_mpi_library(char *out, size_t size)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length;

    RNN_MPI(MPI_Get_library_version(text, &length), "asking for the library's version");
    text[strcspn(text, "\r\n")] = '\0';
    for (char *tab = strchr(text, '\t'); tab != NULL; tab = strchr(tab, '\t'))
        *tab = ' ';
    snprintf(out, size, "%.*s", (int)size - 1, text);
    return RNN_OK;
}

static rnn_status find_library(rnn_comm *comm)
{
    return rnn_mpi_library(comm->mpi_version, sizeof comm->mpi_version);
}

/* All ranks know of it, one tells. */
static rnn_status tell_once(const rnn_comm *comm, rnn_status st)
{
    return st == RNN_OK || comm->rank == 0 ? st : rnn_error_adopt(st, "");
}

static rnn_status join(rnn_comm *comm)
{
    /* Some libraries add such variables themselves when they start. */
    const int n_tasks = slurm_step_tasks();
    const bool by_mpirun = is_launched_by_mpirun();

    RNN_TRY(rnn_watchdog_start(&comm->watchdog, &comm->here, launched_rank()));
    RNN_TRY(start_mpi(comm));
    RNN_TRY(find_ranks(comm));
    RNN_TRY(check_slurm(comm, n_tasks, by_mpirun));
    RNN_TRY(tell_once(comm, connect_watchdogs(comm)));
    RNN_TRY(find_nodes(comm));
    return find_library(comm);
}

rnn_status rnn_comm_create(rnn_comm **out)
{
    int running = 0;
    rnn_status st = RNN_OK;

    RNN_TRY(RNN_ALLOC(out, 1, "the communicator"));
    **out = (rnn_comm){.world = MPI_COMM_NULL,
                       .node = MPI_COMM_NULL,
                       .size = 1,
                       .node_size = 1,
                       .n_nodes = 1,
                       .mpi_version = "none"};
    MPI_Initialized(&running); /* by a program that uses this as a library */
    if (running || rnn_comm_is_launched())
        st = join(*out);
    if (st != RNN_OK)
        rnn_comm_destroy(out);
    return st;
}

/*
 * So that ranks wait here for one that does not come, and not in MPI_Finalize: when they are ended
 * there, Open MPI's mpirun sometimes crashes or hangs, and the exit status is lost.
 */
static void meet(rnn_comm *comm)
{
    rnn_collective_enter(&comm->here, "last barrier");
    MPI_Barrier(comm->world); /* if it fails, MPI_Finalize can do no better */
    rnn_collective_leave(&comm->here);
}

void rnn_comm_destroy(rnn_comm **comm)
{
    if (*comm == NULL)
        return;
    if ((*comm)->started && (*comm)->world != MPI_COMM_NULL)
        meet(*comm);
    rnn_collective_enter(&(*comm)->here, "shutting MPI down");
    if ((*comm)->node != MPI_COMM_NULL)
        MPI_Comm_free(&(*comm)->node);
    if ((*comm)->world != MPI_COMM_NULL)
        MPI_Comm_free(&(*comm)->world);
    if ((*comm)->started)
        MPI_Finalize();
    rnn_collective_leave(&(*comm)->here);
    rnn_watchdog_stop(&(*comm)->watchdog);
    rnn_free(*comm);
    *comm = NULL;
}

int rnn_comm_rank(const rnn_comm *comm)
{
    return comm->rank;
}

int rnn_comm_size(const rnn_comm *comm)
{
    return comm->size;
}

int rnn_comm_node_rank(const rnn_comm *comm)
{
    return comm->node_rank;
}

int rnn_comm_node_size(const rnn_comm *comm)
{
    return comm->node_size;
}

int rnn_comm_n_nodes(const rnn_comm *comm)
{
    return comm->n_nodes;
}

const char *rnn_comm_library(const rnn_comm *comm)
{
    return comm->mpi_version;
}

void rnn_comm_set_timeout(rnn_comm *comm, double seconds)
{
    if (comm->watchdog != NULL)
        rnn_watchdog_set_timeout(comm->watchdog, seconds);
}

void rnn_comm_note_step(rnn_comm *comm, uint64_t step)
{
    atomic_store_explicit(&comm->here.step, step, memory_order_relaxed);
}

void rnn_comm_note_activity(rnn_comm *comm, const char *what)
{
    atomic_store_explicit(&comm->here.activity, what, memory_order_relaxed);
}

_Noreturn void rnn_comm_abort(rnn_comm *comm, rnn_status code)
{
    (void)fflush(NULL); /* as much as can be: this ends the process */
    rnn_collective_enter(&comm->here, "ending all ranks");
    if (comm->world != MPI_COMM_NULL)
        MPI_Abort(comm->world, (int)code);
    _exit((int)code); /* not exit: other threads may still be at work on what it would take down */
}
