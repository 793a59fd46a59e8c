#include "dist/inquiry.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "kernels/memory.h"

#define MAGIC UINT64_C(0x31676f6477746172) /* changes with the form of a note */

enum {
    MAX_AT_ONCE = 256,              /* datagrams looked at before the caller looks at its clock */
    RECEIVE_BYTES = 4 * 1024 * 1024 /* asked for; answers of many ranks come at once */
};

_Static_assert(offsetof(rnn_note, activity) + RNN_NOTE_TEXT == sizeof(rnn_note),
               "a note has no padding, which would be sent as it is");

struct rnn_inquiry {
    int socket;
    bool is_ipv6;
    rnn_contact *contacts; /* [n_ranks] */
    int n_ranks, rank;
    uint64_t job;
};

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

/* -- Addresses --------------------------------------------------------------------------------- */

/* The 16 bytes of an address that other hosts can use as it is; false for any other kind. */
static bool to_bytes(const struct sockaddr *from, uint8_t bytes[16])
{
    if (from->sa_family == AF_INET) {
        memcpy(bytes, ipv4_prefix, sizeof ipv4_prefix);
        memcpy(bytes + sizeof ipv4_prefix,
               &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    return bytes[0] != 0xfe || (bytes[1] & 0xc0) != 0x80; /* fe80::/10 means nothing elsewhere */
}

static void list_addresses(rnn_contact *self)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return; /* ranks of this host are reached without */
    for (const struct ifaddrs *at = all; at != NULL && self->n_addresses < RNN_CONTACT_ADDRESSES;
         at = at->ifa_next)
        if (at->ifa_addr != NULL && (at->ifa_flags & IFF_UP) != 0 &&
            (at->ifa_flags & IFF_LOOPBACK) == 0 &&
            to_bytes(at->ifa_addr, self->address[self->n_addresses]))
            self->n_addresses++;
    freeifaddrs(all);
}

/* The socket's form of an address; false if the socket cannot send there. */
static bool to_socket_address(const rnn_inquiry *inquiry, const uint8_t bytes[16], uint16_t port,
                              rnn_note_source *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->address;

    memset(out, 0, sizeof *out);
    if (inquiry->is_ipv6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, bytes, 16);
        out->length = sizeof *v6;
        return true;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, bytes + sizeof ipv4_prefix, 4);
    out->length = sizeof *v4;
    return memcmp(bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* An IPv6 socket that also does IPv4, or an IPv4 one where the system has no IPv6; else -1. */
static int open_socket(bool *is_ipv6)
{
    const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, off = 0;
    int s = socket(AF_INET6, type, 0);

    *is_ipv6 = s >= 0 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (*is_ipv6)
        return s;
    if (s >= 0)
        close(s);
    return socket(AF_INET, type, 0);
}

/* Any address, any port; *port is the one that the system chose. */
static rnn_status bind_socket(const rnn_inquiry *inquiry, uint16_t *port)
{
    const int room = RECEIVE_BYTES;
    uint8_t any[16] = {0};
    rnn_note_source at;

    if (!inquiry->is_ipv6)
        memcpy(any, ipv4_prefix, sizeof ipv4_prefix);
    to_socket_address(inquiry, any, 0, &at);
    if (bind(inquiry->socket, (struct sockaddr *)&at.address, at.length) != 0 ||
        getsockname(inquiry->socket, (struct sockaddr *)&at.address, &at.length) != 0)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot bind a UDP socket: %s", strerror(errno));
    setsockopt(inquiry->socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof room); /* or fewer */
    *port = ntohs(inquiry->is_ipv6 ? ((struct sockaddr_in6 *)&at.address)->sin6_port
                                   : ((struct sockaddr_in *)&at.address)->sin_port);
    return RNN_OK;
}

static rnn_status open_all(rnn_inquiry *inquiry, rnn_contact *self)
{
    inquiry->socket = open_socket(&inquiry->is_ipv6);
    if (inquiry->socket < 0)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot open a UDP socket: %s", strerror(errno));
    RNN_TRY(bind_socket(inquiry, &self->port));
    if (getrandom(&self->random, sizeof self->random, 0) != (ssize_t)sizeof self->random)
        return RNN_FAIL(RNN_ERR_UNAVAILABLE, "cannot draw a number for the job: %s",
                        strerror(errno));
    list_addresses(self);
    self->is_open = 1;
    return RNN_OK;
}

rnn_status rnn_inquiry_open(rnn_inquiry **out, rnn_contact *self)
{
    rnn_status st;

    memset(self, 0, sizeof *self);
    if (gethostname(self->host, sizeof self->host - 1) != 0)
        strcpy(self->host, "unknown");
    RNN_TRY(RNN_ALLOC(out, 1, "the watchdog's socket"));
    (*out)->socket = -1;
    st = open_all(*out, self);
    if (st != RNN_OK)
        rnn_inquiry_close(out);
    return st;
}

void rnn_inquiry_close(rnn_inquiry **inquiry)
{
    if (*inquiry == NULL)
        return;
    if ((*inquiry)->socket >= 0)
        close((*inquiry)->socket);
    rnn_free((*inquiry)->contacts);
    rnn_free(*inquiry);
    *inquiry = NULL;
}

void rnn_inquiry_connect(rnn_inquiry *inquiry, rnn_contact *contacts, int n_ranks, int rank)
{
    inquiry->contacts = contacts;
    inquiry->n_ranks = n_ranks;
    inquiry->rank = rank;
    inquiry->job = 0;
    for (int i = 0; i < n_ranks; i++)
        inquiry->job ^= contacts[i].random;
}

const rnn_contact *rnn_inquiry_contacts(const rnn_inquiry *inquiry)
{
    return inquiry->contacts;
}

int rnn_inquiry_n_ranks(const rnn_inquiry *inquiry)
{
    return inquiry->n_ranks;
}

int rnn_inquiry_socket(const rnn_inquiry *inquiry)
{
    return inquiry->socket;
}

/* -- Notes ------------------------------------------------------------------------------------- */

void rnn_inquiry_reply(const rnn_inquiry *inquiry, const rnn_note_source *to, const rnn_note *note)
{
    rnn_note sent = *note;

    sent.magic = MAGIC;
    sent.job = inquiry->job;
    sent.rank = (uint32_t)inquiry->rank;
    sendto(inquiry->socket, &sent, sizeof sent, MSG_DONTWAIT | MSG_NOSIGNAL,
           (const struct sockaddr *)&to->address, to->length);
}

void rnn_inquiry_send(const rnn_inquiry *inquiry, int to, const rnn_note *note)
{
    const rnn_contact *contact = &inquiry->contacts[to];
    rnn_note_source at;

    if (!contact->is_open)
        return;
    /* Addresses vanish with the network they are of, but not the ways inside a host. */
    if (strcmp(contact->host, inquiry->contacts[inquiry->rank].host) == 0 &&
        to_socket_address(inquiry, loopback, contact->port, &at))
        rnn_inquiry_reply(inquiry, &at, note);
    for (int i = 0; i < contact->n_addresses && i < RNN_CONTACT_ADDRESSES; i++)
        if (to_socket_address(inquiry, contact->address[i], contact->port, &at))
            rnn_inquiry_reply(inquiry, &at, note);
}

/* The text is for a terminal. */
static void clean_text(char text[RNN_NOTE_TEXT])
{
    text[RNN_NOTE_TEXT - 1] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool is_ours(const rnn_inquiry *inquiry, const rnn_note *note)
{
    return note->magic == MAGIC && note->job == inquiry->job && note->kind >= RNN_NOTE_ASK &&
           note->kind <= RNN_NOTE_END && note->rank < (uint32_t)inquiry->n_ranks &&
           note->rank != (uint32_t)inquiry->rank;
}

bool rnn_inquiry_receive(const rnn_inquiry *inquiry, rnn_note *note, rnn_note_source *from)
{
    for (int i = 0; i < MAX_AT_ONCE; i++) {
        ssize_t n_bytes;

        from->length = sizeof from->address;
        /* With MSG_TRUNC it is the length of the datagram, also of one that is too long. */
        n_bytes = recvfrom(inquiry->socket, note, sizeof *note, MSG_DONTWAIT | MSG_TRUNC,
                           (struct sockaddr *)&from->address, &from->length);
        if (n_bytes < 0)
            return false;
        if (n_bytes == (ssize_t)sizeof *note && is_ours(inquiry, note)) {
            clean_text(note->collective);
            clean_text(note->activity);
            return true;
        }
    }
    return false;
}
