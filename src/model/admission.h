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
#include "model/bucket.h"

enum {
    ADMISSION_FREE_RATE = 100, /* handshakes a second without a cookie, … */
    ADMISSION_FREE_BURST = 200,
    ADMISSION_RATE = 1000, /* … with one, of all addresses together, … */
    ADMISSION_BURST = 1000,
    ADMISSION_COMMON = 500, /* … of which so many are kept for the addresses' own shares, … */
    ADMISSION_OWN_RATE = 2, /* … which are this for each address */
    ADMISSION_OWN_BURST = 8,
    ADMISSION_LIVE_RATE = 500, /* handshakes of sessions that are up */
    ADMISSION_LIVE_BURST = 1000,
    ADMISSION_ANSWER_RATE =
        1, /* answers to an address that may be forged, where they do not leave */
    ADMISSION_ANSWER_BURST = 2,
    ADMISSION_SOURCE_RATE = 100, /* handshake messages of an address that are passed on at all, … */
    ADMISSION_SOURCE_BURST = 4000,
    ADMISSION_PORT_RATE = 2, /* … and, whatever the address sends, of one of its ports, … */
    ADMISSION_PORT_BURST = 8,
    ADMISSION_REAL_RATE = 4, /* … of a port that has a good cookie, … */
    ADMISSION_REAL_BURST = 16,
    ADMISSION_KEY_RATE = 2, /* … and for one key of a session or handshake */
    ADMISSION_KEY_BURST = 8,
    ADMISSION_ENTRIES = 4096,
    ADMISSION_PORTS = 16384,
    ADMISSION_WAYS = 8,
};

struct admission_entry {
    uint8_t addr[16];
    struct bucket bucket;
    bool used;
};

/* The knowledge of a HELLO's sender. */
enum admission_from {
    ADMISSION_ANYBODY, /* nothing */
    ADMISSION_REAL,    /* it brought a good cookie: gets datagrams at its address and port */
    ADMISSION_LIVE, /* it named the index of a session that is up, from that one's address and port
                     */
    ADMISSION_KINDS,
};

struct admission {
    uint64_t key; /* random: so that nobody can aim at an entry */
    struct bucket free, all, live;
    struct admission_entry own[ADMISSION_ENTRIES], answers[ADMISSION_ENTRIES];
};

enum admission_verdict {
    ADMISSION_WORK,   /* take the handshake on */
    ADMISSION_COOKIE, /* only if the address is real: answer with a cookie */
    ADMISSION_LATER,  /* not now */
};

void admission_init(struct admission *l, uint64_t key, struct mono now);
/* A HELLO has come. `addr` is an IPv6 address (IPv4: mapped). */
enum admission_verdict admission_hello(struct admission *l, const uint8_t addr[16],
                                       enum admission_from from, struct mono now);

/* May this address be answered where answers to others are stuck? */
bool admission_answer(struct admission *l, const uint8_t addr[16], struct mono now);

/* The same question in front of all others, for a data thread to ask: it keeps no addresses, only
 * places that several may share, so that its answer costs next to nothing. An address is shared by
 * a tap, its neighbours, and whoever forges it: so each port has a place too. Who forges does not
 * know the tap's port, and to use up the places of all ports takes tens of thousands of datagrams a
 * second. Ports that have a good cookie have places of their own. */
struct admission_sources {
    uint64_t key;
    struct bucket addr[ADMISSION_ENTRIES], port[ADMISSION_PORTS], real[ADMISSION_PORTS];
};

void admission_sources_init(struct admission_sources *l, uint64_t key, struct mono now);
/* May a handshake message from there be passed on? `real`: it brought a good cookie. */
bool admission_source(struct admission_sources *l, const uint8_t addr[16], uint16_t port, bool real,
                      struct mono now);

/* A host with IPv6 has 2^64 addresses at its disposal, which count as one: the host half becomes
 * zero. IPv4 (mapped) stays as it is. */
void admission_address(const uint8_t addr[16], uint8_t ret[16]);
/* Spreads addresses over tables; `key` random, so that nobody can aim. */
uint64_t admission_hash(uint64_t key, const uint8_t addr[16]);
