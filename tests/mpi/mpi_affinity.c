/* Cores and threads, under the launcher's binding and without. */
#include "mpi_test.h"

#include <sched.h>

#include "dist/affinity.h"

static cpu_set_t mask_now(void)
{
    cpu_set_t mask;

    CPU_ZERO(&mask);
    ASSERT_ON_ALL(sched_getaffinity(0, sizeof mask, &mask) == 0, "asking for the mask");
    return mask;
}

static bool launcher_bound_by_default(void)
{
    const cpu_set_t mask = mask_now();

    if (getenv("PRTE_LAUNCHED") != NULL) /* Open MPI 5 and newer */
        return rnn_comm_size(comm) <= 2 && CPU_COUNT(&mask) == 1;
    return getenv("OMPI_MCA_orte_bound_at_launch") != NULL &&
           getenv("OMPI_MCA_hwloc_base_binding_policy") == NULL;
}

static void without_leave_the_mask_stays(void **state)
{
    const cpu_set_t before = mask_now();
    rnn_affinity found;
    cpu_set_t after;
    (void)state;

    rnn_affinity_setup(&found, comm, 0, false);
    after = mask_now();
    ASSERT_ON_ALL(CPU_EQUAL(&before, &after) && !found.rebound, "rebound %d", found.rebound);
}

static void automatic_threads_fit_the_cores(void **state)
{
    rnn_affinity found;
    (void)state;

    rnn_affinity_setup(&found, comm, 0, false);
    ASSERT_ON_ALL(1 <= found.threads && found.threads <= found.allowed_cores, "%d threads",
                  found.threads);
    ASSERT_ON_ALL(found.allowed_cores <= found.node_cores, "%d of %d cores", found.allowed_cores,
                  found.node_cores);
    ASSERT_ON_ALL(found.oversubscribed == (rnn_comm_node_size(comm) > found.node_cores),
                  "%d threads on %d cores", found.threads, found.node_cores);
}

static void requested_threads_are_kept_and_judged(void **state)
{
    rnn_affinity found;
    (void)state;

    rnn_affinity_setup(&found, comm, 9999, false);
    ASSERT_ON_ALL(found.threads == 9999 && found.oversubscribed, "%d threads", found.threads);
}

static void a_mask_set_by_hand_is_respected(void **state)
{
    const cpu_set_t before = mask_now();
    cpu_set_t one, after;
    rnn_affinity found;
    unsigned first = 0;
    (void)state;

    if (getenv("OMPI_MCA_orte_bound_at_launch") != NULL || getenv("PRTE_LAUNCHED") != NULL)
        skip(); /* from inside it looks like the launcher's */
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_ON_ALL(sched_setaffinity(0, sizeof one, &one) == 0, "processor %u", first);
    rnn_affinity_setup(&found, comm, 0, true);
    after = mask_now();
    sched_setaffinity(0, sizeof before, &before);
    ASSERT_ON_ALL(CPU_EQUAL(&one, &after) && !found.rebound, "rebound %d", found.rebound);
    ASSERT_ON_ALL(found.allowed_cores == 1 && found.threads == 1, "%d threads", found.threads);
}

static void binding_by_default_is_widened_to_the_share(void **state)
{
    rnn_affinity found;
    double cores;
    (void)state;

    if (!launcher_bound_by_default())
        skip();
    rnn_affinity_setup(&found, comm, 0, true);
    ASSERT_ON_ALL(found.rebound == found.was_bound, "bound %d, rebound %d", found.was_bound,
                  found.rebound);
    ASSERT_ON_ALL(found.threads >= found.node_cores / rnn_comm_node_size(comm), "%d threads",
                  found.threads);
    cores = found.rebound ? found.allowed_cores : 0;
    ASSERT_ON_ALL(rnn_comm_sum_exact(comm, &cores, 1) == RNN_OK, "sum");
    ASSERT_ON_ALL(rnn_comm_n_nodes(comm) > 1 || cores <= found.node_cores,
                  "%g cores in shares, %d on the node", cores, found.node_cores);
}

static void binding_by_the_user_stays(void **state)
{
    const cpu_set_t before = mask_now();
    rnn_affinity found;
    cpu_set_t after;
    (void)state;

    if (getenv("OMPI_MCA_hwloc_base_binding_policy") == NULL)
        skip();
    rnn_affinity_setup(&found, comm, 4, true);
    after = mask_now();
    ASSERT_ON_ALL(CPU_EQUAL(&before, &after) && !found.rebound, "rebound %d", found.rebound);
    ASSERT_ON_ALL(found.threads == 4, "%d threads", found.threads);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_leave_the_mask_stays),
        cmocka_unit_test(automatic_threads_fit_the_cores),
        cmocka_unit_test(requested_threads_are_kept_and_judged),
        cmocka_unit_test(a_mask_set_by_hand_is_respected),
        cmocka_unit_test(binding_by_the_user_stays),
        cmocka_unit_test(binding_by_default_is_widened_to_the_share),
    };
    rnn_status st = start_ranks(argc, argv);
    int n_failed;

    if (st != RNN_OK)
        return (int)st;
    n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    rnn_comm_destroy(&comm);
    return n_failed;
}
