/* SPDX-License-Identifier: Apache-2.0
 *
 * Slows guessing of passphrases down: who failed has to wait before the next handshake of that
 * address is looked at, twice as long after each failure; and all failures together have a limit,
 * so that many addresses do not guess faster than one. Who has known the passphrase in the last day
 * is beyond that common limit: guessing from many addresses does not keep a collector's taps from
 * coming back. It is asked when a handshake begins, and who has begun many before the first of them
 * failed pays for each of them afterwards: the waits add up, and so does what all together have
 * overdrawn. Pure: the time goes in. Bounded: an address that finds no place in the table
 * replaces the one that failed (or was right) longest ago.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    GUARD_ENTRIES = 1024,
    GUARD_WAYS = 8,        /* places that an address may have */
    GUARD_FIRST_MS = 1000, /* wait after the first failure; doubled after each */
    GUARD_MAX_MS = 60000,
    GUARD_FORGET_MS = 600000, /* an address without failures for so long is forgiven */
    GUARD_BURST = 20,         /* failures of all addresses together before all have to wait */
    GUARD_REFILL_MS = 1000,   /* one more for each */
    GUARD_DEBT = 600,         /* so many failures too many are remembered */
    GUARD_KNOWN = 4096,       /* addresses that were right */
    GUARD_KNOWN_MS = 86400000,
};

struct guard_entry {
    uint8_t addr[16];  /* IPv6, or IPv4 mapped; the host half of an IPv6 address is zeroed */
    uint32_t failures; /* 0: the place is free */
    struct mono last, until;
};

struct guard_known {
    uint8_t addr[16];
    struct mono passed; /* {0}: the place is free */
};

struct guard {
    uint64_t key; /* random: so that nobody can aim at an entry */
    struct guard_entry entry[GUARD_ENTRIES];
    struct guard_known known[GUARD_KNOWN];
    int64_t tokens; /* of GUARD_BURST */
    struct mono refilled;
};

void guard_init(struct guard *g, uint64_t key, struct mono now);
/* May this address try now? `addr` is an IPv6 address (IPv4: mapped, ::ffff:a.b.c.d). */
bool guard_allows(struct guard *g, const uint8_t addr[16], struct mono now);
/* Counts a failure; returns how many this address has had in a row. No wait is longer than
 * GUARD_FORGET_MS, however many they are. */
uint32_t guard_failed(struct guard *g, const uint8_t addr[16], struct mono now);
/* The address has proven itself: its failures are forgiven, and for a day others' failures do not
 * make it wait. */
void guard_passed(struct guard *g, const uint8_t addr[16], struct mono now);
