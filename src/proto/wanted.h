/* SPDX-License-Identifier: Apache-2.0
 *
 * The wishes of a manager to whoever captures, and what that says of them: the contents of CONFIG
 * and its answers, between the roles of one host, and later between hosts. A manager tells the
 * whole set of what is wanted, under a generation; what is told back is what is.
 *
 * Pure functions; each side takes the other for hostile. Layouts, integers big-endian, times in
 * two's complement, a text as a u16 length and its bytes without an end:
 *
 * wanted: u8 id[16]; u8 kind; u8 dir; u8 flags, 1 VLANs, 2 cancelled; u8 points; u32 snaplen;
 *         u32 period; u64 start; u64 stop; u64 most bytes; u64 most frames; a text for each point;
 *         with VLANs 64 u64, of which bit n of word m is the VLAN 64 m + n; text filter.
 *
 * is:     u8 id[16]; u8 state; u8 reason; u8 points; text words; u64 published; u64 found;
 *         u64 offered; u64 unwanted; u64 written; u64 dropped; for each point u64 from, u64 until.
 *
 * port:   text name; u32 ifindex; u32 mtu; u8 flags, 1 up, 2 carrier,
 *         4 faces its owner; u8 mac[6]; u64 speed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"

enum {
    WANTED_MAX = 512,     /* captures in a set */
    WANTED_POINTS = 16,   /* of one */
    WANTED_NAME = 64,     /* bytes of a port's name, its end included */
    WANTED_FILTER = 4096, /* bytes of a filter */
    WANTED_WORDS = 160,   /* bytes of a sentence, its end included */
    WANTED_ID = 16,
    WANTED_MESSAGE_MAX = 8192, /* bytes of any message of proto/rolemsg.h */
};

enum wanted_kind {
    WANTED_PACKET = 1,
    WANTED_NETFLOW = 2,
    WANTED_ETHERNET = 3, /* link counters */
};

struct wanted {
    uint8_t id[WANTED_ID];
    enum wanted_kind kind;
    uint8_t n_points;                       /* 1 to WANTED_POINTS */
    char point[WANTED_POINTS][WANTED_NAME]; /* interfaces, escaped (base/text.h) */
    uint8_t dir;                            /* enum frame_dir; 0: both */
    bool has_vlans;
    struct vlan_set vlans;
    uint32_t snaplen;                 /* 0: whole frames */
    uint32_t period_ms;               /* of WANTED_ETHERNET: 10 to 3,600,000 */
    int64_t start_ns, stop_ns;        /* struct wall; INT64_MAX: no stop */
    uint64_t most_bytes, most_frames; /* of its file; 0: no limit; of WANTED_NETFLOW frames that are
                                       * metered from now on */
    bool cancelled;                   /* it is to end at once, and is whole up to there */
    char filter[WANTED_FILTER];       /* "": none; ends with 0 */
};

enum wanted_state {
    WANTED_WAITS = 1, /* for its start */
    WANTED_RUNS = 2,
    WANTED_FINISHES = 3, /* its end has come, and what came before it is still on its way */
    WANTED_DONE = 4,     /* whole, and on the disk */
    WANTED_FAILED = 5,
};

enum wanted_reason {
    WANTED_NO_REASON = 0,
    WANTED_STOP_TIME = 1,
    WANTED_LIMIT_BYTES = 2,
    WANTED_LIMIT_FRAMES = 3,
    WANTED_CANCELLED = 4,
    WANTED_DISK_FULL = 5,
    WANTED_POINT_GONE = 6,
    WANTED_REFUSED = 7, /* the host cannot: `words` says why */
    WANTED_REASONS,
};

#define WANTED_UNKNOWN UINT64_MAX

/* A capture as it is. Counts are of all its points in this process's life, and only grow in it. */
struct wanted_is {
    uint8_t id[WANTED_ID];
    enum wanted_state state;
    enum wanted_reason reason;
    char words[WANTED_WORDS]; /* "": none */
    uint64_t published; /* bytes of its file, also those of earlier lives, that change no more */
    /* Frames, or rows, that were in its file when this life went on with it, whatever earlier ones
     * have told; WANTED_UNKNOWN. */
    uint64_t found;
    uint64_t offered, unwanted, written, dropped; /* frames; of WANTED_ETHERNET rows written */
    uint8_t n_points; /* those of its `struct wanted`, in that order; 0: nothing is known of them */
    struct {
        /* It is complete for [from, until), but for `dropped`, also should this life end at once;
         * both alike: for no time yet. After a break of a point (it went away and came back) `from`
         * is a later one. */
        int64_t from_ns, until_ns;
    } point[WANTED_POINTS];
};

/* A port of this host: something that can be tapped. */
struct wanted_port {
    char name[WANTED_NAME]; /* escaped (base/text.h) */
    uint32_t ifindex, mtu;
    bool up, carrier;
    bool faces_owner; /* it looks like the host's end of a machine's or container's cable */
    uint8_t mac[6];
    uint64_t speed_bps; /* 0: unknown */
};

/* Each puts one at the cursor, or reads one. -EMSGSIZE: no room, or more points than there may be;
 * -EBADMSG: it is none. What is read is within its bounds, and texts end and are UTF-8 without
 * control characters. */
struct wr;
struct rd;
int wanted_put(struct wr *w, const struct wanted *v);
int wanted_get(struct rd *r, struct wanted *ret);
int wanted_is_put(struct wr *w, const struct wanted_is *v);
int wanted_is_get(struct rd *r, struct wanted_is *ret);
int wanted_port_put(struct wr *w, const struct wanted_port *v);
int wanted_port_get(struct rd *r, struct wanted_port *ret);
