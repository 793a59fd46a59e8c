#include "dist/affinity.h"

#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dist/comm_mpi.h"
#include "dist/reduce.h"

enum { MASK_WORDS = 128 }; /* 8192 hardware threads */

/* The node without what the user's control group withholds. Cores, or threads where none show. */
typedef struct machine {
    hwloc_topology_t topology; /* NULL: unknown */
    hwloc_obj_type_t unit;
    hwloc_bitmap_t mask; /* of the calling thread */
} machine;

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int at_least_one(int n)
{
    return larger(n, 1);
}

/* -- The machine ------------------------------------------------------------------------------- */

/* Only cores: caches, devices and distances would cost most of the time on large machines. */
static int load_cores(hwloc_topology_t topology)
{
    unsigned long flags = 0;

#if HWLOC_API_VERSION >= 0x00020800
    flags = HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS |
            HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;
#endif
    hwloc_topology_set_flags(topology, flags);
    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    /* It visits every hardware thread in turn; the kernel's files say the same. */
    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
    return hwloc_topology_load(topology);
}

static void machine_close(machine *node)
{
    if (node->topology != NULL)
        hwloc_topology_destroy(node->topology);
    hwloc_bitmap_free(node->mask);
    *node = (machine){.topology = NULL};
}

static void machine_open(machine *node)
{
    *node = (machine){.mask = hwloc_bitmap_alloc()};
    setenv("HWLOC_HIDE_ERRORS", "2", 0); /* without topology we fall back, in silence */
    if (hwloc_topology_init(&node->topology) != 0)
        node->topology = NULL;
    if (node->topology == NULL || node->mask == NULL || load_cores(node->topology) != 0 ||
        hwloc_get_cpubind(node->topology, node->mask, HWLOC_CPUBIND_THREAD) != 0) {
        machine_close(node);
        return;
    }
    node->unit = hwloc_get_nbobjs_by_type(node->topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE
                                                                              : HWLOC_OBJ_PU;
}

static int cores_of_affinity_mask(void)
{
    cpu_set_t mask;

    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        return CPU_COUNT(&mask);
    return at_least_one((int)sysconf(_SC_NPROCESSORS_ONLN));
}

static hwloc_obj_t core_number(const machine *node, int i)
{
    return hwloc_get_obj_by_type(node->topology, node->unit, (unsigned)i);
}

/* Cores of which `set` has at least one hardware thread; NULL = all. */
static int count_cores(const machine *node, hwloc_const_bitmap_t set)
{
    const int n_cores = hwloc_get_nbobjs_by_type(node->topology, node->unit);
    int n = 0;

    for (int i = 0; i < n_cores; i++)
        n += set == NULL || hwloc_bitmap_intersects(core_number(node, i)->cpuset, set);
    return n;
}

/* Moves all threads of this process to share number `part` of the cores; the mask follows. */
static bool bind_to_share(machine *node, int part, int n_parts)
{
    hwloc_bitmap_t share = hwloc_bitmap_alloc();
    size_t first, count;
    bool moved;

    if (share == NULL)
        return false;
    rnn_shard_range((size_t)count_cores(node, NULL), (size_t)part, (size_t)n_parts, &first, &count);
    for (size_t i = first; i < first + count; i++)
        hwloc_bitmap_or(share, share, core_number(node, (int)i)->cpuset);
    moved = hwloc_set_cpubind(node->topology, share, HWLOC_CPUBIND_PROCESS) == 0;
    if (moved)
        hwloc_bitmap_copy(node->mask, share);
    hwloc_bitmap_free(share);
    return moved;
}

/* -- Who bound this rank? ---------------------------------------------------------------------- */

/* What Open MPI 4 leaves in the environment when the user chose where ranks run. */
static bool user_bound_open_mpi_4(void)
{
    static const char *const choices[] = {
        "OMPI_MCA_hwloc_base_binding_policy", "OMPI_MCA_hwloc_base_cpu_set",
        "OMPI_MCA_hwloc_base_cpu_list", "OMPI_MCA_orte_rankfile", "OMPI_MCA_rmaps_rank_file_path"};
    const char *mapping = getenv("OMPI_MCA_rmaps_base_mapping_policy");

    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (getenv(choices[i]) != NULL)
            return true;
    return mapping != NULL && strcasestr(mapping, "PE=") != NULL; /* cores per rank */
}

static bool is_default_binding(const rnn_comm *comm, int bound_cores)
{
    if (getenv("OMPI_MCA_orte_bound_at_launch") != NULL) /* Open MPI 4 */
        return !user_bound_open_mpi_4();
    if (getenv("PRTE_LAUNCHED") != NULL && getenv("OMPI_COMM_WORLD_SIZE") != NULL)
        return rnn_comm_size(comm) <= 2 && bound_cores == 1;
    return false;
}

/* -- Setup ------------------------------------------------------------------------------------- */

/* Cores in the mask of any rank of this node. */
static int count_job_cores(const machine *node, rnn_comm *comm)
{
    unsigned long words[MASK_WORDS] = {0};
    hwloc_bitmap_t all = hwloc_bitmap_alloc();
    int n = 0;

    if (node->topology != NULL)
        for (unsigned i = 0; i < MASK_WORDS; i++)
            words[i] = hwloc_bitmap_to_ith_ulong(node->mask, i);
    if (rnn_comm_node_or(comm, words, MASK_WORDS) == RNN_OK && all != NULL &&
        node->topology != NULL) {
        for (unsigned i = 0; i < MASK_WORDS; i++)
            hwloc_bitmap_set_ith_ulong(all, i, words[i]);
        n = count_cores(node, all);
    }
    hwloc_bitmap_free(all);
    return n;
}

/* All ranks of a node move, or none: shares of some would lie on cores of others. */
static bool any_on_node(rnn_comm *comm, bool mine)
{
    unsigned long any = mine;

    return rnn_comm_node_or(comm, &any, 1) == RNN_OK && any != 0;
}

/* Sets the fields about binding; `requested_threads` as for rnn_affinity_setup. */
static void settle(rnn_affinity *out, machine *node, rnn_comm *comm, int requested_threads,
                   bool may_rebind)
{
    const int n_ranks = rnn_comm_node_size(comm);
    const bool known = node->topology != NULL;
    const int bound = known ? count_cores(node, node->mask) : cores_of_affinity_mask();
    const int share = known ? at_least_one(count_cores(node, NULL) / n_ranks) : bound;
    const int wanted = requested_threads > 0 ? smaller(requested_threads, share) : share;
    const bool movable = known && may_rebind && is_default_binding(comm, bound);

    out->was_bound = bound < share;
    if (any_on_node(comm, movable && bound < wanted) && movable)
        out->rebound = bind_to_share(node, rnn_comm_node_rank(comm), n_ranks);
    out->allowed_cores = at_least_one(out->rebound ? count_cores(node, node->mask) : bound);
}

void rnn_affinity_setup(rnn_affinity *out, rnn_comm *comm, int requested_threads, bool may_rebind)
{
    const int n_ranks = rnn_comm_node_size(comm);
    machine node;

    *out = (rnn_affinity){0};
    machine_open(&node);
    settle(out, &node, comm, requested_threads, may_rebind);
    out->node_cores = larger(count_job_cores(&node, comm), out->allowed_cores);
    machine_close(&node);

    out->threads = requested_threads;
    if (requested_threads <= 0)
        out->threads = smaller(at_least_one(out->node_cores / n_ranks), out->allowed_cores);
    out->oversubscribed =
        out->threads > out->allowed_cores || n_ranks > out->node_cores / out->threads;
}

const char *rnn_affinity_library(void)
{
    static char text[32];
    unsigned version = hwloc_get_api_version();

    snprintf(text, sizeof text, "hwloc %u.%u.%u", version >> 16, version >> 8 & 0xff,
             version & 0xff);
    return text;
}
