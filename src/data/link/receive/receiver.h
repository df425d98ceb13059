/* SPDX-License-Identifier: Apache-2.0
 *
 * A data thread of the collector's: receives datagrams, opens records, puts streams together, and
 * gives frames to all outputs. What it cannot decide goes to the control thread as events:
 * handshakes, control records (opened and fresh), records of sessions it does not know. The control
 * thread answers with commands; a queue each way is all that the two share, besides the counts of a
 * struct point.
 */
#pragma once

#include "data/link/cookie.h"
#include "data/point.h"
#include "data/sink.h"
#include "data/stage_list.h"
#include "proto/flowrec.h"
#include "sys/crypto/aead.h"
#include "sys/crypto/cpace.h"
#include "sys/loop.h"
#include "sys/udp.h"

enum {
    RECEIVER_THREADS = 16,  /* at most; which one gets a record: its session index modulo all */
    RECEIVER_SLOTS = 16384, /* keys in use; the low bits of a session index are its slot */
    RECEIVER_SESSIONS = 4096,
    /* Bytes for what cannot be given on yet (struct reasm_room): of a session, and of all; each
     * data thread has its part of this. */
    RECEIVER_ROOM = 16 << 20,
    RECEIVER_ROOM_ALL = 128 << 20,
};

/* The data thread's counts of datagrams. */
struct receiver_figures {
    uint64_t datagrams, bytes;
    uint64_t malformed;       /* not ours, or cut short */
    uint64_t unknown_session; /* records for an index that is not in use */
    uint64_t too_many;        /* handshake messages beyond what one address may send */
    uint64_t forged;          /* records whose tag is wrong */
    uint64_t replayed;        /* authentic, but not new */
    uint64_t unexpected;      /* authentic, but of no stream that was announced, too long, or with a
                               * counter that cannot be */
    uint64_t control_full;    /* events that the control thread had no time for */
    uint64_t socket_full;     /* buffers dropped by the kernel for want of room */
};

enum receiver_event_kind {
    RECEIVER_HANDSHAKE, /* data: the datagram, a HELLO, or a CONFIRM that is for none known here */
    RECEIVER_COOKIE,    /* the same, a HELLO with a cookie that holds */
    RECEIVER_REKEY,     /* the same, a HELLO that names the session of its address and port */
    RECEIVER_CONFIRM,   /* the same, a CONFIRM that is right, or the first of a handshake's wrong
                         * ones */
    RECEIVER_CONTROL,   /* data: the control record (of a PROBE only its head); index: the key's;
                         * counter: the record's; size: of the datagram */
    RECEIVER_UNKNOWN,   /* index: which nobody has */
    RECEIVER_CLOSED,    /* session: is gone from the data thread, its books are closed */
    RECEIVER_ENDED,     /* session, index: a stream is gone, its books are closed */
    RECEIVER_STAGE,     /* data: the sentence of a stage; index: its enum history_kind */
    RECEIVER_FAILED,    /* data: the sentence; the socket cannot be read any more */
    RECEIVER_EVENT_KINDS,
};

struct receiver_event {
    enum receiver_event_kind kind;
    struct udp_addr from, local;
    uint32_t index, session;
    uint64_t counter;
    uint16_t size, len;
    uint8_t data[];
};

/* The tap's word on a stream. */
struct receiver_report {
    uint64_t frames, datagrams; /* numbered and sent so far */
    bool final;                 /* and that was all */
    bool implausible;           /* its other figures cannot be */
};

struct receiver;

/* The record's `interface` and `point` are those of another host: they mean nothing here. */
typedef void receiver_record(void *user, uint32_t point, const struct flowrec *r);

struct receiver_conf {
    int fd;                          /* borrowed */
    unsigned thread, n_threads;      /* its number, for its name; of how many */
    const struct stage_list *stages; /* that frames pass; borrowed, and kept; NULL: none */
    bool restage;                    /* they may be replaced later */
    bool align;                      /* times become those of our clock, by receiver_align */
    struct sink *sink;               /* where frames go; taken over, also on failure */
    const struct wake *control;      /* signalled when there are events */
    /* Takes flow records that a tap sends in place of frames of the point; in the data thread.
     * NULL: they are counted only. */
    receiver_record *record;
    void *user;
};

int receiver_start(const struct receiver_conf *conf, struct receiver **ret, struct error *err);
/* Closes the books of all sessions and ends the thread. Takes NULL. */
void receiver_free(struct receiver *r);

/* The next event or NULL; the caller frees it. */
struct receiver_event *receiver_event(struct receiver *r);
/* Adds its figures to those there. */
void receiver_figures(const struct receiver *r, struct receiver_figures *add);

/* Commands, carried out in order. -EAGAIN when the thread has not kept up, -ENOMEM; what is passed
 * belongs to the thread, also on failure. */

/* Frames pass these stages from now on; the list outlives the receiver. */
int receiver_stages(struct receiver *r, const struct stage_list *stages);
/* Frames go to this output in that place of the fan (data/fan.h), NULL: to none. `done` counts up
 * when that is so. */
int receiver_output(struct receiver *r, unsigned place, struct sink *output,
                    _Atomic unsigned *done);
/* Cookies are good that one of these secrets has made. */
int receiver_cookies(struct receiver *r, const struct cookie_jar *jar);
/* A handshake is under way: its CONFIRM comes from there and has this tag. The slot must be free.
 */
int receiver_expect(struct receiver *r, uint32_t index, const struct udp_addr *from,
                    const uint8_t tag[CPACE_TAG_LEN]);
/* Records with this index are opened with `aead`. The slot must be free, or expect a CONFIRM. */
int receiver_key_add(struct receiver *r, uint32_t index, const struct udp_addr *from,
                     struct aead *aead);
int receiver_key_drop(struct receiver *r, uint32_t index);
/* Records under this key belong to the session, which is made when it is new. */
int receiver_bind(struct receiver *r, uint32_t index, uint32_t session);
/* Frames of that stream are from `point`; `device`: its TAP device, or -1. */
int receiver_stream_add(struct receiver *r, uint32_t session, uint16_t stream, struct point *point,
                        int device);
/* Frames of that stream that say so are from another point (a source with several interfaces). */
int receiver_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                     struct point *point, int device);
int receiver_report(struct receiver *r, uint32_t session, uint16_t stream,
                    const struct receiver_report *report);
/* The clock of the session's tap is so from now on. */
int receiver_align(struct receiver *r, uint32_t session, const struct align *to);
/* The stream is over: what was announced and did not come is lost. RECEIVER_ENDED follows. `keep`:
 * frames of another stream still come under its point. */
int receiver_stream_end(struct receiver *r, uint32_t session, uint16_t stream, bool keep);
/* The session is over: what was announced and did not come is lost. RECEIVER_CLOSED follows. */
int receiver_close(struct receiver *r, uint32_t session);
