/*
 * For the sources of dist/ only: how watchdogs ask each other, beside MPI, which may be what is
 * broken. One UDP socket per rank; ranks tell each other their addresses once, while MPI works.
 *
 * Datagrams get lost, come twice, or come from strangers. What is not a well-formed datagram of
 * this job, which has a random number, is dropped unseen. Datagrams are not encrypted: they carry
 * no more than what a note has.
 */
#ifndef RNN_DIST_INQUIRY_H
#define RNN_DIST_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "kernels/status.h"

enum { RNN_CONTACT_ADDRESSES = 4, RNN_NOTE_TEXT = 48 };

/* What a rank tells the others about itself, once; a block of bytes for MPI. */
typedef struct rnn_contact {
    uint64_t random; /* those of all ranks together make the job's number */
    uint16_t port;
    uint16_t n_addresses;
    uint8_t is_open;                            /* whether there is a socket to ask */
    uint8_t address[RNN_CONTACT_ADDRESSES][16]; /* IPv6, or IPv4 in IPv6's form */
    char host[67];
} rnn_contact;

typedef enum rnn_note_kind {
    RNN_NOTE_ASK = 1, /* where are you? */
    RNN_NOTE_ANSWER,
    RNN_NOTE_END /* the sender ends, and with it the job */
} rnn_note_kind;

/* One datagram, as it is sent; all ranks have the same program and byte order. */
typedef struct rnn_note {
    uint64_t magic, job; /* filled in and checked by this module */
    uint32_t kind;       /* rnn_note_kind */
    uint32_t rank;       /* of the sender */
    uint64_t question;   /* an answer repeats that of what it answers */
    uint64_t position, step;
    char collective[RNN_NOTE_TEXT], activity[RNN_NOTE_TEXT];
} rnn_note;

/* Where a datagram came from. */
typedef struct rnn_note_source {
    struct sockaddr_storage address;
    socklen_t length;
} rnn_note_source;

typedef struct rnn_inquiry rnn_inquiry;

/*
 * Opens the socket, on a port of the system's choice. *self: what the others need to know, always
 * with the host's name; without a socket if this fails (RNN_ERR_UNAVAILABLE, RNN_ERR_MEMORY; *out
 * is then NULL).
 */
rnn_status rnn_inquiry_open(rnn_inquiry **out, rnn_contact *self);
void rnn_inquiry_close(rnn_inquiry **inquiry);

/* contacts[n_ranks]: of all ranks, `rank` is this one. rnn_alloc memory, ours from now on. */
void rnn_inquiry_connect(rnn_inquiry *inquiry, rnn_contact *contacts, int n_ranks, int rank);

const rnn_contact *rnn_inquiry_contacts(const rnn_inquiry *inquiry);
int rnn_inquiry_n_ranks(const rnn_inquiry *inquiry);

/* For poll: readable when there may be a note. */
int rnn_inquiry_socket(const rnn_inquiry *inquiry);

/* Sends to all addresses of a rank; never waits, and whether it arrives nobody knows. */
void rnn_inquiry_send(const rnn_inquiry *inquiry, int to, const rnn_note *note);

/* Sends to where another note came from. */
void rnn_inquiry_reply(const rnn_inquiry *inquiry, const rnn_note_source *to, const rnn_note *note);

/*
 * Takes a well-formed note of this job off the socket; false if there is none now. note->rank is
 * another rank of the job; texts end, and are printable.
 */
bool rnn_inquiry_receive(const rnn_inquiry *inquiry, rnn_note *note, rnn_note_source *from);

#endif
