/* SPDX-License-Identifier: Apache-2.0
 *
 * How large a packet the path carries, found and followed by asking the other end: Datagram
 * Packetization Layer Path MTU Discovery (RFC 8899) as a pure state machine. Events and the time go
 * in, actions come out; sizes are those of IP packets, headers included.
 *
 *           confirmed: base, then larger and larger         nothing larger passes
 *   OFF ---> SEARCH ------------------------------> SEARCH -----------------------> COMPLETE
 *              ^ |                                     ^                             |  |
 *              | | not even the smallest               |   after RAISE_MS            |  |
 *              | v                                     +-----------------------------+  |
 *             ERROR               the size in use does not pass any more: from the      |
 *                                 smallest on again <-----------------------------------+
 *
 * Data may always be sent in packets of `size`: the smallest that there is until a probe of more
 * was acknowledged, so that nothing has to wait for the search, and nothing is risked by it.
 *
 * Beside each probe goes one of no size at all. Its answer says that the path is alive and how long
 * an answer takes; so only a probe whose small companion came through counts against its size, and
 * on a path that loses many of both kinds more of them are asked for (RFC 8899 section 4.3 leaves
 * that to the implementation). Nothing that is not authenticated decides anything: what ICMP and
 * the kernel believe of the path says where to look first and when to look again (section 4.6.2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    PMTU_MIN_V4 = 576,  /* RFC 791: every host takes so much */
    PMTU_MIN_V6 = 1280, /* RFC 8200 section 5: every path carries so much */
    PMTU_BASE = 1280,   /* what nearly every path carries (BASE_PLPMTU) */
    PMTU_MAX = 9000,    /* more is not looked for: losing one must not cost too many frames */

    PMTU_TRIES = 3,           /* MAX_PROBES, where little is lost */
    PMTU_TRIES_MAX = 10,      /* where most is lost */
    PMTU_TIMER_MS = 1000,     /* PROBE_TIMER until a round trip was seen */
    PMTU_TIMER_MIN_MS = 200,  /* then four round trips, and at least this */
    PMTU_TIMER_MAX_MS = 5000, /* and at most this */
    PMTU_CONFIRM_MS = 10000,  /* CONFIRMATION_TIMER: the size in use is probed so often */
    PMTU_DOUBT_MS = 1000,     /* and no more often than this when there are doubts */
    PMTU_RAISE_MS = 600000,   /* PMTU_RAISE_TIMER */
    PMTU_ERROR_MS = 2000,     /* how often the smallest is tried while it does not pass */
    PMTU_ECHOES = 2,          /* companions that must have come back before a size is to blame */
    PMTU_SENT = 16,           /* probes whose time of sending is kept */
};

enum pmtu_state { PMTU_OFF, PMTU_SEARCH, PMTU_COMPLETE, PMTU_ERROR };

enum pmtu_event {
    PMTU_TICK,
    PMTU_REFUSED, /* this host itself would not send the probe just asked for: too large */
    PMTU_DOUBT,   /* something is lost: is it the size? */
    PMTU_PASSES,  /* data of `size` has arrived of late: as good as a probe (section 4.1) */
};

enum pmtu_action {
    PMTU_DO_PROBE = 1 << 0, /* send a probe of `probe` bytes with `token`, and a companion with
                             * `token` + 1 as small as it can be */
    PMTU_DO_SIZE = 1 << 1,  /* data may be sent in packets of `size` from now on */
    PMTU_DO_FOUND = 1 << 2, /* the search is over */
    PMTU_DO_FAIL = 1 << 3,  /* not even the smallest gets through: tell */
};

struct pmtu {
    enum pmtu_state state;
    uint32_t min, max;  /* limits */
    uint32_t size;      /* what data may use (PLPMTU) */
    uint32_t good, bad; /* largest confirmed (0: none); smallest that does not pass */
    uint32_t hint;      /* what to try early; 0: nothing */
    uint32_t kernel;    /* what the kernel last said */
    unsigned step;      /* of the search */
    uint32_t probe;     /* bytes of the probe under way; 0: none */
    unsigned tries;     /* sent of that size, and companions of these that came back */
    unsigned echoes;
    bool echoed;                   /* the last one's did */
    bool doubt;                    /* look at `size` before anything else */
    uint32_t token, first, oldest; /* of the last probe; the first of its size; the first that
                                    * still counts */
    unsigned asked, answered;      /* companions, of late, without the last */
    struct mono sent[PMTU_SENT];   /* by token / 2; {0}: not */
    struct mono deadline;          /* of the probe, or until the next */
    struct mono raise;             /* PMTU_RAISE_TIMER */
    struct mono checked;           /* when the size in use was last confirmed */
    int64_t rtt_ns;                /* smoothed; 0: not known */
};

/* A new path. `max`: 0, or the most that the user allows; `min` is lowered to it. `kernel`: what
 * the kernel knows of the path, 0 or less: nothing. Returns actions. */
unsigned pmtu_start(struct pmtu *p, uint32_t min, uint32_t max, int kernel, struct mono now);
/* No search: the other end answers no probes. */
void pmtu_fix(struct pmtu *p, uint32_t size);
unsigned pmtu_step(struct pmtu *p, enum pmtu_event event, struct mono now);
/* A probe (or a companion: `size` less than `min`) came back; an authentic answer. */
unsigned pmtu_acked(struct pmtu *p, uint32_t token, uint32_t size, struct mono now);
/* The kernel knows this MTU now; cheap when nothing has changed. */
unsigned pmtu_kernel(struct pmtu *p, int mtu, struct mono now);
/* For people. */
const char *pmtu_words(const struct pmtu *p);
