/* SPDX-License-Identifier: Apache-2.0
 *
 * Mirrored frames as others send them: in VXLAN (RFC 7348), in GRE (RFC 2784, RFC 2890), in ERSPAN
 * types I to III (draft-foschiano-erspan-03), in TZSP, and bare, as ivTAP's client sends them. The
 * decoders are pure functions over the bytes behind the UDP header, or behind the IP header of a
 * GRE packet. They take what real senders send where that differs from the documents, and refuse
 * what has no frame in it. proto/encap.h has the other direction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DECAP_FRAME_MIN = 14,  /* bytes of an Ethernet header */
    DECAP_IVTAP_WORD = 22, /* bytes of ivTAP's control message */
};

enum decap_result {
    DECAP_FRAME,      /* there is a frame */
    DECAP_WORD,       /* it is ivTAP's control message */
    DECAP_SILENT,     /* it is to be passed over: a keepalive */
    DECAP_OTHER,      /* it is another tunnel's, which was not asked for */
    DECAP_SHORT,      /* it ends within a header, or within the frame's Ethernet header */
    DECAP_VERSION,    /* its header is of a version that is not known, or makes no sense */
    DECAP_NO_ETHERNET /* it carries something that is no Ethernet frame */
};

enum decap_carrier {
    DECAP_VXLAN,
    DECAP_GRE,
    DECAP_ERSPAN,
    DECAP_TZSP,
    DECAP_IVTAP,
};

/* A frame in the bytes that were decoded. */
struct decap {
    enum decap_carrier carrier;
    bool has_id;
    uint32_t id; /* VXLAN: the VNI; GRE: the key; ERSPAN: the session */
    bool has_seq;
    uint32_t seq;         /* GRE's sequence number */
    const uint8_t *frame; /* into what was decoded; DECAP_FRAME_MIN bytes at least */
    uint32_t len;
    uint32_t origlen; /* bytes that it had where it was seen, as far as can be known; >= len */
    bool tag_gone;    /* the sender took its VLAN tag off … */
    uint16_t tci;     /* … which had this content */
    bool fcs;         /* a frame check sequence was taken off its end */
    uint8_t dir;      /* enum frame_dir */
};

/* ivTAP's control message. */
struct decap_word {
    int8_t state;   /* 0: ok, 1: breach, 2: idle restart, -1: stopped by the limit, -2: by
                       restarts */
    uint64_t at_ms; /* Unix time */
    uint64_t sent;  /* bytes, since its start */
};

/* One of each packet. In `ret`, only a DECAP_FRAME fills all; other results leave it undefined. */

/* A UDP payload on VXLAN's port. Of the flags only I counts, reserved bits are passed over (RFC
 * 7348, section 5, has them ignored on receipt). */
enum decap_result decap_vxlan(const uint8_t *data, size_t len, struct decap *ret);
/* The payload of IP protocol 47. Types I and II of ERSPAN are told apart by GRE's sequence bit
 * alone; in type III its frame type counts, and not its P bit. `gre`, `erspan`: these are asked
 * for. */
enum decap_result decap_gre(const uint8_t *data, size_t len, bool gre, bool erspan,
                            struct decap *ret);
/* A UDP payload on TZSP's port: packet types 0 and 1, of Ethernet. */
enum decap_result decap_tzsp(const uint8_t *data, size_t len, struct decap *ret);
/* A datagram of ivTAP's client: a frame, or DECAP_WORD, which fills *word alone. */
enum decap_result decap_ivtap(const uint8_t *data, size_t len, struct decap *ret,
                              struct decap_word *word);
