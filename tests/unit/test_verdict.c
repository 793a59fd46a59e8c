/* What the watchdog says about those who keep others waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dist/verdict.h"

enum { N_RANKS = 24 };

/* Rank 1 of four waits in collective 7, and everybody else with it. */
static rnn_note self;
static rnn_answer answers[N_RANKS];
static rnn_contact contacts[N_RANKS];
static rnn_hearing hearing;

static rnn_note note_of(uint64_t position, uint64_t step, const char *collective,
                        const char *activity)
{
    rnn_note note = {.position = position, .step = step};

    snprintf(note.collective, sizeof note.collective, "%s", collective);
    snprintf(note.activity, sizeof note.activity, "%s", activity);
    return note;
}

static int set_up(void **state)
{
    (void)state;
    self = note_of(15, 123, "sum of gradients over ranks", "training");
    self.rank = 1;
    for (int rank = 0; rank < N_RANKS; rank++) {
        answers[rank] = (rnn_answer){.has_come = true, .note = self};
        contacts[rank] = (rnn_contact){.is_open = 1};
        snprintf(contacts[rank].host, sizeof contacts[rank].host, "node%d", rank / 2);
    }
    hearing = (rnn_hearing){
        .self = &self, .waited = 300.2, .n_ranks = 4, .contacts = contacts, .answers = answers};
    return 0;
}

static void check_line(const char *expected)
{
    char line[RNN_VERDICT_SIZE];

    rnn_verdict_write(&hearing, line, sizeof line);
    assert_string_equal(line, expected);
}

#define WAITED                                                                                     \
    "rnntrain: rank 1 has waited 300 s in \"sum of gradients over ranks\" of step 123 (training)"
#define ENDED "; ended, resumable from the last checkpoint\n"

static void silence_is_named_with_its_host(void **state)
{
    (void)state;
    answers[2].has_come = false;
    check_line(WAITED " for rank 2 (host node1): does not answer" ENDED);
    answers[0].has_come = false;
    check_line(WAITED " for rank 0 (host node0): does not answer; rank 2 (host node1): does not "
                      "answer" ENDED);
}

static void one_without_a_socket_cannot_be_asked(void **state)
{
    (void)state;
    answers[3].has_come = false;
    contacts[3].is_open = 0;
    check_line(WAITED " for rank 3 (host node1): cannot be asked" ENDED);
}

static void those_who_have_not_come_yet_are_named_with_what_they_do(void **state)
{
    (void)state;
    answers[0].note = note_of(12, 122, "sum over ranks", "reading data");
    answers[3].note = note_of(12, 0, "sum over ranks", "");
    check_line(WAITED " for rank 0 (host node0): is still at step 122: reading data; rank 3 (host "
                      "node1): is still at the start" ENDED);
}

/* They wait for the same rank, in a collective that it let us pass, or have passed ours. */
static void those_who_wait_elsewhere_or_are_ahead_are_not_named(void **state)
{
    (void)state;
    answers[0].note = note_of(13, 123, "sum over ranks", "training");
    answers[2].has_come = false;
    answers[3].note = note_of(14, 123, "sum of gradients over ranks", "training");
    check_line(WAITED " for rank 2 (host node1): does not answer" ENDED);
    assert_true(rnn_verdict_clears(&hearing, 0));
    assert_false(rnn_verdict_clears(&hearing, 2));
    assert_true(rnn_verdict_clears(&hearing, 3));
    answers[3].note.position = 12;
    assert_false(rnn_verdict_clears(&hearing, 3));
}

static void another_collective_of_the_same_number_is_named(void **state)
{
    (void)state;
    answers[0].note = note_of(15, 123, "shutting MPI down", "training");
    check_line(WAITED " for rank 0 (host node0): waits in \"shutting MPI down\" at step 123" ENDED);
}

static void if_all_wait_the_network_is_to_blame(void **state)
{
    (void)state;
    check_line(WAITED "; all ranks answer and none is behind: the network between them seems "
                      "broken" ENDED);
}

static void a_long_list_is_cut(void **state)
{
    char line[RNN_VERDICT_SIZE];
    const char *more;
    (void)state;

    hearing.n_ranks = N_RANKS;
    for (int rank = 2; rank < 22; rank++) {
        answers[rank].has_come = false;
        memset(contacts[rank].host, 'x', sizeof contacts[rank].host - 1);
    }
    rnn_verdict_write(&hearing, line, sizeof line);
    more = strstr(line, " and 12 more" ENDED);
    assert_non_null(more);
    assert_non_null(strstr(line, "; rank 9 (host x"));
    assert_null(strstr(line, "rank 10"));
}

static void a_line_that_does_not_fit_still_ends(void **state)
{
    char line[40];
    (void)state;

    memset(line, 'a', sizeof line);
    rnn_verdict_write(&hearing, line, sizeof line);
    assert_int_equal(strlen(line), sizeof line - 1);
    assert_string_equal(line, "rnntrain: rank 1 has waited 300 s in \"\n");
}

static void before_training_there_is_nothing_to_resume(void **state)
{
    (void)state;
    self = note_of(15, 0, "agreement", "reading data");
    self.rank = 1;
    answers[0].note = answers[3].note = self;
    answers[2].has_come = false;
    check_line("rnntrain: rank 1 has waited 300 s in \"agreement\" (reading data) for rank 2 (host "
               "node1): does not answer; ended\n");
}

static void who_cannot_ask_says_so(void **state)
{
    (void)state;
    self = note_of(3, 0, "starting MPI", "");
    self.rank = UINT32_MAX;
    hearing = (rnn_hearing){.self = &self, .waited = 7};
    check_line("rnntrain: a rank has waited 7 s in \"starting MPI\"; for whom is unknown, there "
               "was no way to ask; ended\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(silence_is_named_with_its_host, set_up),
        cmocka_unit_test_setup(one_without_a_socket_cannot_be_asked, set_up),
        cmocka_unit_test_setup(those_who_have_not_come_yet_are_named_with_what_they_do, set_up),
        cmocka_unit_test_setup(those_who_wait_elsewhere_or_are_ahead_are_not_named, set_up),
        cmocka_unit_test_setup(another_collective_of_the_same_number_is_named, set_up),
        cmocka_unit_test_setup(if_all_wait_the_network_is_to_blame, set_up),
        cmocka_unit_test_setup(a_long_list_is_cut, set_up),
        cmocka_unit_test_setup(a_line_that_does_not_fit_still_ends, set_up),
        cmocka_unit_test_setup(before_training_there_is_nothing_to_resume, set_up),
        cmocka_unit_test_setup(who_cannot_ask_says_so, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
