/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows as a manager wants them of a host, and as that host says they are: contents of messages
 * between roles (proto/rolemsg.h), later between hosts. Pure functions; each side takes the other
 * for hostile. Integers big-endian, a text as a u16 length and its bytes:
 *
 * want: u8 id[16]; u8 service[16]; u8 dir; u8 flags, 1 VLANs, 2 super-packets stay whole;
 *       text source; text destination; with VLANs 64 u64, of which bit n of word m is the VLAN
 *       64 m + n; text filter.
 *
 * is:   u8 id[16]; u8 state; u8 way; text words; u64 life; u64 frames; u64 bytes; u64 dropped.
 */
#pragma once

#include "proto/wanted.h"

enum {
    TAPWANT_MAX = 10000, /* flows of a host */
};

struct tap_want {
    uint8_t id[WANTED_ID];
    uint8_t service[WANTED_ID]; /* flows of one service on one port give one copy of a frame */
    char source[WANTED_NAME];   /* names of interfaces, escaped (base/text.h) */
    char destination[WANTED_NAME];
    uint8_t dir; /* enum frame_dir: as the interface sees frames; FRAME_DIR_UNKNOWN: both */
    bool super;  /* super-packets go to the destination as they are */
    bool has_vlans;
    struct vlan_set vlans;
    char filter[WANTED_FILTER]; /* "": none */
};

enum tap_state {
    TAP_IS_FLOWING = 1, /* both ends are attached */
    TAP_IS_AWAY = 2,    /* an interface is not there, or down */
    TAP_IS_FAILED = 3,  /* it cannot be done, and is tried again */
};

enum tap_way {
    TAP_WAY_NONE = 0,
    TAP_WAY_KERNEL = 1,
    TAP_WAY_PIPELINE = 2,
};

/* Counts are of that life of whoever counts, which may be longer or shorter than the session's or
 * the role's, and only grow in it. */
struct tap_is {
    uint8_t id[WANTED_ID];
    enum tap_state state;
    enum tap_way way;
    char words[WANTED_WORDS]; /* of the other states than TAP_IS_FLOWING: why */
    uint64_t life;            /* a number unlike those of others */
    uint64_t frames, bytes;   /* frames of the wire that matched, and their bytes without FCS */
    uint64_t dropped;         /* those of them that the destination did not take */
};

/* Each puts one at the cursor, or reads one: -EMSGSIZE, -EBADMSG. */
int tap_want_put(struct wr *w, const struct tap_want *v);
int tap_want_get(struct rd *r, struct tap_want *ret);
int tap_is_put(struct wr *w, const struct tap_is *v);
int tap_is_get(struct rd *r, struct tap_is *ret);
