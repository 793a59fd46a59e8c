/* Watchdogs ask each other by datagrams, and listen to nobody else. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "dist/inquiry.h"
#include "kernels/memory.h"

enum { A, B, STRANGER, N_RANKS };

static rnn_inquiry *inquiry[2];
static rnn_contact contacts[N_RANKS];
static int stranger; /* a socket of the test's own, in the place of the third rank's */

static void open_stranger(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;

    stranger = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(stranger >= 0);
    assert_int_equal(bind(stranger, (struct sockaddr *)&at, length), 0);
    assert_int_equal(getsockname(stranger, (struct sockaddr *)&at, &length), 0);
    contacts[STRANGER] = contacts[A];
    contacts[STRANGER].port = ntohs(at.sin_port);
    contacts[STRANGER].n_addresses = 0; /* so by loopback only, as ranks of one host */
}

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (rnn_inquiry_open(&inquiry[i], &contacts[i]) != RNN_OK)
            return -1;
        contacts[i].n_addresses = 0;
    }
    open_stranger();
    for (int i = 0; i < 2; i++) {
        rnn_contact *copy;

        if (RNN_ALLOC(&copy, N_RANKS, "contacts") != RNN_OK)
            return -1;
        memcpy(copy, contacts, sizeof contacts);
        rnn_inquiry_connect(inquiry[i], copy, N_RANKS, i);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rnn_inquiry_close(&inquiry[A]);
    rnn_inquiry_close(&inquiry[B]);
    close(stranger);
    return 0;
}

static bool is_readable(int socket)
{
    struct pollfd source = {.fd = socket, .events = POLLIN};

    return poll(&source, 1, 2000) == 1;
}

static rnn_note question(void)
{
    return (rnn_note){.kind = RNN_NOTE_ASK,
                      .question = 5,
                      .position = 77,
                      .step = 12,
                      .collective = "barrier",
                      .activity = "training"};
}

/* What A sends to the third rank, as it is on the wire. */
static rnn_note datagram_of_a(void)
{
    const rnn_note sent = question();
    rnn_note seen[2];

    rnn_inquiry_send(inquiry[A], STRANGER, &sent);
    assert_true(is_readable(stranger));
    assert_int_equal(recv(stranger, seen, sizeof seen, 0), sizeof seen[0]);
    return seen[0];
}

static void send_to_b(const void *bytes, size_t n_bytes)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(contacts[B].port)};

    assert_int_equal(sendto(stranger, bytes, n_bytes, 0, (struct sockaddr *)&at, sizeof at),
                     n_bytes);
}

static void a_question_is_answered(void **state)
{
    rnn_note sent = question(), seen;
    rnn_note_source from;
    (void)state;

    rnn_inquiry_send(inquiry[A], B, &sent);
    assert_true(is_readable(rnn_inquiry_socket(inquiry[B])));
    assert_true(rnn_inquiry_receive(inquiry[B], &seen, &from));
    assert_int_equal(seen.kind, RNN_NOTE_ASK);
    assert_int_equal(seen.rank, A);
    assert_int_equal(seen.question, 5);
    assert_int_equal(seen.position, 77);
    assert_int_equal(seen.step, 12);
    assert_string_equal(seen.collective, "barrier");
    assert_string_equal(seen.activity, "training");
    assert_false(rnn_inquiry_receive(inquiry[B], &seen, &from));

    sent.kind = RNN_NOTE_ANSWER;
    rnn_inquiry_reply(inquiry[B], &from, &sent);
    assert_true(is_readable(rnn_inquiry_socket(inquiry[A])));
    assert_true(rnn_inquiry_receive(inquiry[A], &seen, &from));
    assert_int_equal(seen.kind, RNN_NOTE_ANSWER);
    assert_int_equal(seen.rank, B);
}

/* Only what comes after them gets through. */
static void strangers_are_not_heard(void **state)
{
    const rnn_note good = datagram_of_a();
    rnn_note bad[8], seen, longer[2] = {good, good};
    rnn_note_source from;
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bad[i] = good;
    bad[0].magic ^= 1;
    bad[1].job ^= 1;
    bad[2].kind = 0;
    bad[3].kind = RNN_NOTE_END + 1;
    bad[4].rank = N_RANKS;
    bad[5].rank = UINT32_MAX;
    bad[6].rank = B;
    memset(&bad[7], 0, sizeof bad[7]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        send_to_b(&bad[i], sizeof bad[i]);
    send_to_b("", 0);
    send_to_b(&good, sizeof good - 1);
    send_to_b(longer, sizeof good + 1);
    send_to_b(&good, sizeof good);

    assert_true(is_readable(rnn_inquiry_socket(inquiry[B])));
    assert_true(rnn_inquiry_receive(inquiry[B], &seen, &from));
    assert_memory_equal(&seen, &good, sizeof good);
    assert_false(rnn_inquiry_receive(inquiry[B], &seen, &from));
}

static void texts_end_and_are_printable(void **state)
{
    rnn_note sent = datagram_of_a(), seen;
    rnn_note_source from;
    (void)state;

    memset(sent.collective, 'x', sizeof sent.collective);
    memcpy(sent.activity, "a\033[2J\n\377b", sizeof "a\033[2J\n\377b");
    send_to_b(&sent, sizeof sent);
    assert_true(is_readable(rnn_inquiry_socket(inquiry[B])));
    assert_true(rnn_inquiry_receive(inquiry[B], &seen, &from));
    assert_int_equal(strlen(seen.collective), RNN_NOTE_TEXT - 1);
    assert_string_equal(seen.activity, "a?[2J??b");
}

/* Numbers of two jobs are the same once in 2^64 times. */
static void every_job_has_a_number_of_its_own(void **state)
{
    uint64_t job = datagram_of_a().job;
    (void)state;

    assert_true(job == (contacts[A].random ^ contacts[B].random ^ contacts[STRANGER].random));
    assert_true(contacts[A].random != contacts[B].random);
}

static void a_contact_names_host_and_addresses(void **state)
{
    rnn_inquiry *third;
    rnn_contact self;
    char host[256] = "";
    (void)state;

    assert_int_equal(rnn_inquiry_open(&third, &self), RNN_OK);
    gethostname(host, sizeof self.host - 1);
    assert_string_equal(self.host, host);
    assert_int_equal(self.is_open, 1);
    assert_int_not_equal(self.port, 0);
    assert_true(self.n_addresses <= RNN_CONTACT_ADDRESSES);
    for (int i = 0; i < self.n_addresses; i++) {
        static const uint8_t v4_loopback[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};

        assert_memory_not_equal(self.address[i], v4_loopback, sizeof v4_loopback);
        assert_false(self.address[i][0] == 0xfe && (self.address[i][1] & 0xc0) == 0x80);
    }
    rnn_inquiry_close(&third);
    assert_null(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_question_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_not_heard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_end_and_are_printable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_job_has_a_number_of_its_own, set_up, tear_down),
        cmocka_unit_test(a_contact_names_host_and_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
