/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only, a library of its own: both ends of the link in one process. The dialer and the
 * listener are the real ones with their loop, sockets on loopback and the collector's data thread;
 * between them stands a relay that can drop, double and record datagrams. The tap's data threads
 * are replaced (world_sender.h), so that frames come when a test wants them and commands can be
 * refused or held back. A function in which something fails ends the test, as cmocka's assertions
 * do.
 */
#pragma once

#include "data/link/dial/impl.h"
#include "data/link/listen/impl.h"
#include "data/link/world/world_sender.h"

enum {
    WORLD_TAPS = 8,
    WORLD_THREADS = 4,
    WORLD_TEXT = 16384,
    WORLD_NONCES = 1 << 16,
    WORLD_FRAME = 120, /* bytes of a frame; its number is in the first four */
};

struct world;

struct relay {
    struct world *world;
    int front, back; /* what the tap talks to, and what the collector hears */
    struct loop_fd *front_event, *back_event;
    struct udp_addr tap; /* the tap's socket */
};

struct tap_end {
    struct world *world;
    struct dialer_conf conf;
    struct history history;
    struct dialer *dialer;
    struct world_sender sender;
    struct relay relay;
    bool stopped;
    unsigned streams_ended;
    struct dialer_stream_status ended; /* of the last of these */
};

/* How many copies of a datagram go on: 0, 1 or more. */
typedef unsigned fate_fn(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                         size_t len);

struct world {
    struct loop *loop;
    struct handshake_conf tap_secret, collector_secret;
    struct listener *listener;
    unsigned n_threads; /* that receive; 0: one */
    int listener_fd[WORLD_THREADS];
    struct udp_addr listener_addr;
    struct sink *out, *writer[WORLD_THREADS]; /* a queue where there are several threads */
    struct tap_end tap[WORLD_TAPS];
    fate_fn *fate;
    void *fate_data;
    unsigned n; /* for tests' fates */
    char said[WORLD_TEXT], collector_said[WORLD_TEXT];
    /* Every sealed record of the taps: two different ones never share key and nonce. */
    struct {
        uint32_t receiver;
        uint16_t stream;
        uint64_t counter, digest;
    } nonce[WORLD_NONCES];
    bool (*until)(struct world *w);
    struct mono deadline;
    int look_ms; /* how often `until` is asked; 0: every millisecond */
    int devices_refused;
    struct backlog_pool *backlog; /* of the taps' data threads; NULL: they have none */
    receiver_record *record; /* takes the collector's flow records, with the world; NULL: none */
};

/* ---- both ends ---- */

struct world *world_new(enum link_method method);
/* Key pairs for both ends; the tap is "branch" in the collector's list, which the caller frees. */
void world_use_keys(struct world *w, struct allow_list *list);
void world_start_collector(struct world *w);
/* The end of the collector; afterwards w->out can be looked at until world_forget_collector. */
void world_stop_collector(struct world *w);
void world_forget_collector(struct world *w);
void world_start_tap(struct world *w, unsigned i, const char *name);
/* The tap is gone without a word. */
void world_kill_tap(struct world *w, unsigned i);
/* The collector, and a tap 0 of the name "web1" whose session is up. */
void world_start(struct world *w);
/* A new world that has started so, with this fate (NULL: each datagram goes on once). */
struct world *world_up(enum link_method method, fate_fn *fate);
void world_free(struct world *w);

/* `n` frames come from the interface. */
void world_frames(struct tap_end *t, unsigned n);

/* ---- the relay ---- */

void world_relay(struct loop *l, int fd, uint32_t events, void *user);
/* A socket on loopback, with its address. */
int world_socket(struct udp_addr *ret);
/* A message that an attacker (or the relay) makes. */
void world_inject(struct relay *r, bool to_collector, const uint8_t *d, size_t len);
/* The tap's address changes as the collector sees it (a NAT forgets). */
void world_new_source(struct relay *r);

/* ---- waiting ---- */

/* Runs the loop until then, or for `ms` milliseconds; true when it came so. */
bool world_run(struct world *w, bool (*until)(struct world *), int ms);
/* The same; the test fails where it does not come so. */
void world_must(struct world *w, bool (*until)(struct world *), int ms);

bool never(struct world *w);
bool tap_flows(const struct tap_end *t);
bool up0(struct world *w);
bool stopped0(struct world *w);
/* All frames of tap 0 came out. */
bool all_written(struct world *w);
/* Frames that came out, of all points. */
uint64_t world_written(const struct world *w);
