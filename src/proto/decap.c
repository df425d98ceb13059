/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/decap.h"

#include <string.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/crc.h"
#include "proto/ether.h"

enum {
    VXLAN_LEN = 8,
    VXLAN_VALID = 0x08,
    GRE_CHECKSUM = 0x8000,
    GRE_ROUTING = 0x4000,
    GRE_KEY = 0x2000,
    GRE_SEQ = 0x1000,
    GRE_VERSION = 0x0007,
    TYPE_TEB = 0x6558,     /* transparent Ethernet bridging */
    TYPE_ERSPAN = 0x88be,  /* types I and II */
    TYPE_ERSPAN3 = 0x22eb, /* type III */
    ERSPAN_II = 1,         /* versions */
    ERSPAN_III = 2,
    ERSPAN_SESSION = 0x03ff,
    ERSPAN_TAG_GONE = 2, /* En: it came with an 802.1Q tag, which is not in the frame */
    ERSPAN3_OPTIONAL = 0x01,
    ERSPAN3_OPTIONAL_LEN = 8,
    TZSP_VERSION = 1,
    TZSP_RECEIVED = 0, /* types */
    TZSP_TRANSMIT = 1,
    TZSP_KEEPALIVE = 4,
    TZSP_OPENER = 5,
    TZSP_ETHERNET = 1,
    TZSP_PADDING = 0, /* tags */
    TZSP_END = 1,
    TZSP_ORIGINAL_LEN = 41,
    FCS_LEN = 4,
    IVTAP_ZEROS = 5,
};

/* ---- the frame ---- */

/* Bytes of the Ethernet frame up to the end of its IP packet, by that packet's own length; 0: it
 * does not tell. */
static size_t told_length(const uint8_t *frame, size_t len)
{
    struct ether_net net;
    if (ether_walk(frame, len, &net) < 0) {
        return 0;
    }
    struct rd r = rd_make(frame + net.off, len - net.off);
    if (net.type == ETHER_TYPE_IPV4) {
        rd_skip(&r, 2);
        const uint16_t total = rd_u16(&r);
        return rd_ok(&r) && total >= 20 ? net.off + total : 0;
    }
    if (net.type == ETHER_TYPE_IPV6) {
        rd_skip(&r, 4);
        const uint16_t payload = rd_u16(&r);
        return rd_ok(&r) && payload > 0 ? net.off + 40 + payload : 0;
    }
    return 0;
}

/* IEEE 802.3, 3.2.9: four bits n, shifted out through the polynomial 0xedb88320 (bits in reverse).
 */
static uint32_t check_sequence(const uint8_t *frame, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    return crc32_of(table, frame, (uint32_t)len);
}

/* The last four bytes are the check sequence of those before, which goes over the wire with
 * its low byte first. */
static bool ends_in_fcs(const uint8_t *frame, size_t len)
{
    const uint8_t *end = frame + len - FCS_LEN;
    const uint32_t told =
        (uint32_t)end[3] << 24 | (uint32_t)end[2] << 16 | (uint32_t)end[1] << 8 | end[0];
    return check_sequence(frame, len - FCS_LEN) == told;
}

/* Takes the frame from the rest of the packet: without a check sequence, and with the length that
 * it had before its sender cut it. */
static enum decap_result take_frame(struct rd *r, struct decap *ret)
{
    size_t len = rd_left(r);
    const uint8_t *frame = rd_take(r, len);
    if (!rd_ok(r) || len < DECAP_FRAME_MIN || len > FRAME_LEN_MAX) {
        return DECAP_SHORT;
    }
    const size_t told = told_length(frame, len);
    ret->fcs = len >= DECAP_FRAME_MIN + FCS_LEN && len >= told + FCS_LEN && ends_in_fcs(frame, len);
    if (ret->fcs) {
        len -= FCS_LEN;
    }
    ret->frame = frame;
    ret->len = (uint32_t)len;
    ret->origlen = (uint32_t)MAX(len, told > 0 ? told : (size_t)ret->origlen);
    return DECAP_FRAME;
}

/* ---- VXLAN ---- */

enum decap_result decap_vxlan(const uint8_t *data, size_t len, struct decap *ret)
{
    struct rd r = rd_make(data, len);
    const uint32_t flags = rd_u32(&r) >> 24, vni = rd_u32(&r) >> 8;
    *ret = (struct decap){.carrier = DECAP_VXLAN, .has_id = true, .id = vni};
    if (!rd_ok(&r)) {
        return DECAP_SHORT;
    }
    return flags & VXLAN_VALID ? take_frame(&r, ret) : DECAP_VERSION;
}

/* ---- GRE ---- */

/* draft-foschiano-erspan-03, section 4.2. */
static enum decap_result erspan_2(struct rd *r, struct decap *ret)
{
    const uint16_t first = rd_u16(r), second = rd_u16(r);
    rd_skip(r, 4);
    if (!rd_ok(r)) {
        return DECAP_SHORT;
    }
    if (first >> 12 != ERSPAN_II) {
        return DECAP_VERSION;
    }
    ret->has_id = true;
    ret->id = second & ERSPAN_SESSION;
    ret->tag_gone = (second >> 11 & 3) == ERSPAN_TAG_GONE;
    ret->tci = (uint16_t)((second & 0xe000) | (first & 0x0fff));
    return take_frame(r, ret);
}

/* The same, section 4.3. */
static enum decap_result erspan_3(struct rd *r, struct decap *ret)
{
    const uint16_t first = rd_u16(r), second = rd_u16(r);
    rd_skip(r, 4 + 2); /* timestamp, security group tag */
    const uint16_t last = rd_u16(r);
    if (last & ERSPAN3_OPTIONAL) {
        rd_skip(r, ERSPAN3_OPTIONAL_LEN);
    }
    if (!rd_ok(r)) {
        return DECAP_SHORT;
    }
    if (first >> 12 != ERSPAN_III) {
        return DECAP_VERSION;
    }
    if ((last >> 10 & 0x1f) != 0) { /* the frame type: 0 is Ethernet, 2 a packet of IP */
        return DECAP_NO_ETHERNET;
    }
    ret->has_id = true;
    ret->id = second & ERSPAN_SESSION;
    ret->dir = last & 0x0008 ? FRAME_DIR_OUT : FRAME_DIR_IN;
    return take_frame(r, ret);
}

static enum decap_result in_gre(struct rd *r, uint16_t type, bool gre, bool erspan,
                                struct decap *ret)
{
    if (type == TYPE_TEB ? !gre : !erspan || (type != TYPE_ERSPAN && type != TYPE_ERSPAN3)) {
        return type == TYPE_TEB || type == TYPE_ERSPAN || type == TYPE_ERSPAN3 || !gre
                   ? DECAP_OTHER
                   : DECAP_NO_ETHERNET;
    }
    if (type == TYPE_TEB) {
        return take_frame(r, ret);
    }
    ret->carrier = DECAP_ERSPAN;
    ret->has_id = false; /* the key is GRE's, and no session */
    if (type == TYPE_ERSPAN3) {
        return erspan_3(r, ret);
    }
    return ret->has_seq ? erspan_2(r, ret) : take_frame(r, ret);
}

enum decap_result decap_gre(const uint8_t *data, size_t len, bool gre, bool erspan,
                            struct decap *ret)
{
    struct rd r = rd_make(data, len);
    const uint16_t flags = rd_u16(&r), type = rd_u16(&r);
    *ret = (struct decap){.carrier = DECAP_GRE};
    if (rd_ok(&r) && (flags & (GRE_VERSION | GRE_ROUTING)) != 0) {
        return DECAP_VERSION;
    }
    if (flags & GRE_CHECKSUM) {
        rd_skip(&r, 4);
    }
    if (flags & GRE_KEY) {
        ret->has_id = true;
        ret->id = rd_u32(&r);
    }
    if (flags & GRE_SEQ) {
        ret->has_seq = true;
        ret->seq = rd_u32(&r);
    }
    return rd_ok(&r) ? in_gre(&r, type, gre, erspan, ret) : DECAP_SHORT;
}

/* ---- TZSP ---- */

/* Tags up to the end's, of which two have no length. */
static bool tzsp_tags(struct rd *r, struct decap *ret)
{
    for (;;) {
        const uint8_t tag = rd_u8(r);
        if (!rd_ok(r) || tag == TZSP_END) {
            return rd_ok(r);
        }
        if (tag == TZSP_PADDING) {
            continue;
        }
        struct rd value = rd_sub(r, rd_u8(r));
        if (tag == TZSP_ORIGINAL_LEN && rd_left(&value) == 2) {
            ret->origlen = rd_u16(&value);
        }
    }
}

enum decap_result decap_tzsp(const uint8_t *data, size_t len, struct decap *ret)
{
    struct rd r = rd_make(data, len);
    const uint8_t version = rd_u8(&r), type = rd_u8(&r);
    const uint16_t carries = rd_u16(&r);
    *ret = (struct decap){.carrier = DECAP_TZSP};
    if (!rd_ok(&r)) {
        return DECAP_SHORT;
    }
    if (version != TZSP_VERSION) {
        return DECAP_VERSION;
    }
    if (type == TZSP_KEEPALIVE || type == TZSP_OPENER) {
        return DECAP_SILENT;
    }
    if (type != TZSP_RECEIVED && type != TZSP_TRANSMIT) {
        return DECAP_VERSION;
    }
    if (carries != TZSP_ETHERNET) {
        return DECAP_NO_ETHERNET;
    }
    return tzsp_tags(&r, ret) ? take_frame(&r, ret) : DECAP_SHORT;
}

/* ---- ivTAP ---- */

static bool is_word(const uint8_t *data, size_t len)
{
    static const uint8_t zeros[IVTAP_ZEROS];
    return len == DECAP_IVTAP_WORD && memcmp(data, zeros, sizeof(zeros)) == 0;
}

enum decap_result decap_ivtap(const uint8_t *data, size_t len, struct decap *ret,
                              struct decap_word *word)
{
    struct rd r = rd_make(data, len);
    *ret = (struct decap){.carrier = DECAP_IVTAP};
    if (is_word(data, len)) {
        rd_skip(&r, IVTAP_ZEROS);
        word->state = (int8_t)rd_u8(&r);
        word->at_ms = rd_u64(&r);
        word->sent = rd_u64(&r);
        return DECAP_WORD;
    }
    return take_frame(&r, ret);
}
