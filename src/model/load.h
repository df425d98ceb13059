/* SPDX-License-Identifier: Apache-2.0
 *
 * How many handshakes a collector takes on, and whose. A HELLO costs its sender nothing and the
 * collector some exponentiations, so:
 *
 *   a few a second    are taken from anybody, as in quiet times nobody should need a second trip;
 *   beyond that       only from addresses that have shown, by a cookie, that they are real;
 *   of those          each address has a share of its own, which nobody else can use up. The rest
 *                     of the budget is for whoever asks: many taps may sit behind one address;
 *   a session         that wants its next key has a budget that none of the others can touch.
 *
 * Pure: the time goes in. Bounded: an address that finds no place in the table replaces the one
 * that was seen longest ago, and begins with a full share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    LOAD_FREE_RATE = 100, /* handshakes a second without a cookie, … */
    LOAD_FREE_BURST = 200,
    LOAD_RATE = 1000, /* … with one, of all addresses together, … */
    LOAD_BURST = 1000,
    LOAD_COMMON = 500, /* … of which so many are kept for the addresses' own shares, … */
    LOAD_OWN_RATE = 2, /* … which are this for each address */
    LOAD_OWN_BURST = 8,
    LOAD_LIVE_RATE = 500, /* handshakes of sessions that are up */
    LOAD_LIVE_BURST = 1000,
    LOAD_ANSWER_RATE = 1, /* answers to an address that may be forged, where they do not leave */
    LOAD_ANSWER_BURST = 2,
    LOAD_SOURCE_RATE = 100, /* handshake messages of an address that are passed on at all, … */
    LOAD_SOURCE_BURST = 4000,
    LOAD_PORT_RATE = 2, /* … and, whatever the address sends, of one of its ports, … */
    LOAD_PORT_BURST = 8,
    LOAD_REAL_RATE = 4, /* … of a port that has a good cookie, … */
    LOAD_REAL_BURST = 16,
    LOAD_KEY_RATE = 2, /* … and for one key of a session or handshake */
    LOAD_KEY_BURST = 8,
    LOAD_ENTRIES = 4096,
    LOAD_PORTS = 16384,
    LOAD_WAYS = 8,
};

/* A rate and a burst: `burst` tokens at most, `rate` more each second. */
struct load_bucket {
    int64_t milli; /* thousandths of tokens */
    struct mono at;
};

void load_bucket_init(struct load_bucket *b, int64_t burst, struct mono now);
/* Takes a token; false when there is none. */
bool load_bucket_take(struct load_bucket *b, int64_t rate, int64_t burst, struct mono now);
/* Is there one? */
bool load_bucket_has(struct load_bucket *b, int64_t rate, int64_t burst, struct mono now);

struct load_entry {
    uint8_t addr[16];
    struct load_bucket bucket;
    bool used;
};

/* What is known of a HELLO's sender. */
enum load_from {
    LOAD_ANYBODY, /* nothing */
    LOAD_REAL,    /* it brought a good cookie: gets datagrams at its address and port */
    LOAD_LIVE,    /* it named the index of a session that is up, from that one's address and port */
    LOAD_KINDS,
};

struct load {
    uint64_t key; /* random: so that nobody can aim at an entry */
    struct load_bucket free, all, live;
    struct load_entry own[LOAD_ENTRIES], answers[LOAD_ENTRIES];
};

enum load_verdict {
    LOAD_WORK,   /* take the handshake on */
    LOAD_COOKIE, /* only if the address is real: answer with a cookie */
    LOAD_LATER,  /* not now */
};

void load_init(struct load *l, uint64_t key, struct mono now);
/* A HELLO has come. `addr` is an IPv6 address (IPv4: mapped). */
enum load_verdict load_hello(struct load *l, const uint8_t addr[16], enum load_from from,
                             struct mono now);

/* May this address be answered where answers to others are stuck? */
bool load_answer(struct load *l, const uint8_t addr[16], struct mono now);

/* The same question in front of all others, for a data thread to ask: it keeps no addresses, only
 * places that several may share, so that its answer costs next to nothing. An address is shared by
 * a tap, its neighbours, and whoever forges it: so each port has a place too. Who forges does not
 * know the tap's port, and to use up the places of all ports takes tens of thousands of datagrams a
 * second. Ports that have a good cookie have places of their own. */
struct load_sources {
    uint64_t key;
    struct load_bucket addr[LOAD_ENTRIES], port[LOAD_PORTS], real[LOAD_PORTS];
};

void load_sources_init(struct load_sources *l, uint64_t key, struct mono now);
/* May a handshake message from there be passed on? `real`: it brought a good cookie. */
bool load_source(struct load_sources *l, const uint8_t addr[16], uint16_t port, bool real,
                 struct mono now);

/* A host with IPv6 has 2^64 addresses at its disposal, which count as one: the host half becomes
 * zero. IPv4 (mapped) stays as it is. */
void load_address(const uint8_t addr[16], uint8_t ret[16]);
/* Spreads addresses over tables; `key` random, so that nobody can aim. */
uint64_t load_hash(uint64_t key, const uint8_t addr[16]);
