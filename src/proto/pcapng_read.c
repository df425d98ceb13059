/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader's half of pcapng.h. Every length is checked twice: by the block's cursor, which ends
 * where the block's body does, and against the figures that must fit each other.
 */
#include <errno.h>

#include "proto/pcapng.h"
#include "proto/pcapng_wire.h"

/* A block's body and its byte order. */
struct body {
    struct rd r;
    bool big;
};

enum {
    FLAGS_DIR = 3, /* section 4.3.1 */
    FLAGS_FCS_SHIFT = 5,
    FLAGS_FCS = 15, /* bytes */
    FCS_IN_BITS = 16,
    DROPS_UNKNOWN = 0xffff, /* of an obsolete packet block */
};

struct option {
    uint16_t code;
    struct rd value;
};

void pcapng_reader_init(struct pcapng_reader *r)
{
    r->started = false;
    r->big = false;
    r->n_ifs = 0;
}

/* The next option, until the end marker or the block's end. */
static bool next_option(struct body *b, struct option *ret)
{
    if (rd_left(&b->r) < 4) {
        return false;
    }
    ret->code = wire_u16(&b->r, b->big);
    uint16_t len = wire_u16(&b->r, b->big);
    if (ret->code == OPT_END) {
        return false;
    }
    ret->value = rd_sub(&b->r, len);
    rd_skip(&b->r, -(size_t)len & 3);
    return rd_ok(&b->r);
}

static struct pcapng_text option_text(const struct option *o)
{
    return (struct pcapng_text){(const char *)o->value.p, (uint32_t)rd_left(&o->value)};
}

static uint64_t option_u64(const struct option *o, bool big)
{
    struct rd r = o->value;
    return wire_u64(&r, big);
}

/* Units of an interface to ns, exactly where that is possible, held at the most that fits. */
static int64_t to_ns(const struct pcapng_if *f, uint64_t units)
{
    unsigned exponent = f->tsresol & 0x7f;
    unsigned __int128 ns = units;
    if (f->tsresol & TSRESOL_BINARY) {
        ns = ns * 1000000000u >> exponent;
    } else {
        for (; exponent < TSRESOL_NS; exponent++) {
            ns *= 10;
        }
        for (; exponent > TSRESOL_NS && ns > 0; exponent--) {
            ns /= 10;
        }
    }
    __int128 total = (__int128)ns + (__int128)f->tsoffset * 1000000000;
    return total > INT64_MAX ? INT64_MAX : total < 0 ? 0 : (int64_t)total;
}

static uint64_t read_units(struct body *b)
{
    uint64_t high = wire_u32(&b->r, b->big);
    return high << 32 | wire_u32(&b->r, b->big);
}

static int read_section(struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    struct option o;
    rd_skip(&b->r, 4);
    uint16_t major = wire_u16(&b->r, b->big);
    rd_skip(&b->r, 2 + 8); /* minor version; section length, which many leave open */
    if (!rd_ok(&b->r) || major != 1) {
        return -EPROTO;
    }
    while (next_option(b, &o)) {
        if (o.code == OPT_SHB_HARDWARE) {
            ret->shb.hardware = option_text(&o);
        } else if (o.code == OPT_SHB_OS) {
            ret->shb.os = option_text(&o);
        } else if (o.code == OPT_SHB_USERAPPL) {
            ret->shb.app = option_text(&o);
        }
    }
    r->n_ifs = 0;
    ret->kind = PCAPNG_SECTION;
    return 0;
}

/* if_fcslen is in bits by the document's words and in bytes by its example: both are in use, and no
 * check sequence is so long in bytes, or so short in bits. */
static uint8_t fcs_bytes(uint8_t v)
{
    return v >= FCS_IN_BITS ? v / 8 : v;
}

static void interface_option(struct pcapng_if *f, struct pcapng_idb *idb, struct option *o,
                             bool big)
{
    switch (o->code) {
    case OPT_IF_NAME:
        idb->name = option_text(o);
        break;
    case OPT_IF_DESCRIPTION:
        idb->description = option_text(o);
        break;
    case OPT_IF_SPEED:
        idb->speed = option_u64(o, big);
        break;
    case OPT_IF_TSRESOL:
        f->tsresol = rd_left(&o->value) ? rd_u8(&o->value) : TSRESOL_DEFAULT;
        break;
    case OPT_IF_FCSLEN:
        f->fcs_len = fcs_bytes(rd_u8(&o->value));
        break;
    case OPT_IF_TSOFFSET:
        f->tsoffset = (int64_t)option_u64(o, big);
        break;
    case OPT_IF_FILTER:
        if (rd_u8(&o->value) == FILTER_IS_TEXT && rd_ok(&o->value)) {
            idb->filter = option_text(o);
        }
        break;
    case OPT_IF_OS:
        idb->os = option_text(o);
        break;
    default:
        break;
    }
}

static int read_interface(struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    struct option o;
    if (r->n_ifs >= PCAPNG_IFS_MAX) {
        return -ENOBUFS;
    }
    struct pcapng_if f = {.tsresol = TSRESOL_DEFAULT};
    f.linktype = ret->idb.linktype = wire_u16(&b->r, b->big);
    rd_skip(&b->r, 2);
    f.snaplen = ret->idb.snaplen = wire_u32(&b->r, b->big);
    if (!rd_ok(&b->r)) {
        return -EPROTO;
    }
    while (next_option(b, &o)) {
        interface_option(&f, &ret->idb, &o, b->big);
    }
    r->ifs[r->n_ifs++] = f;
    ret->kind = PCAPNG_INTERFACE;
    return 0;
}

static void packet_option(struct pcapng_item *it, struct option *o, bool big)
{
    if (o->code == OPT_COMMENT) {
        it->epb.comment = option_text(o);
    } else if (o->code == OPT_EPB_FLAGS) {
        const uint32_t flags = wire_u32(&o->value, big), dir = flags & FLAGS_DIR;
        const uint8_t fcs_len = flags >> FLAGS_FCS_SHIFT & FLAGS_FCS;
        it->epb.dir = dir <= 2 ? (uint8_t)dir : 0;
        it->fcs_len = fcs_len ? fcs_len : it->fcs_len;
    } else if (o->code == OPT_EPB_DROPCOUNT) { /* no option of an obsolete block has this code */
        it->epb.lost = option_u64(o, big);
    }
}

/* The part that both kinds of packet blocks have, behind the interface's number. */
static int read_packet(const struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    struct option o;
    struct pcapng_epb *e = &ret->epb;
    uint64_t units = read_units(b);
    e->caplen = wire_u32(&b->r, b->big);
    e->origlen = wire_u32(&b->r, b->big);
    ret->data = rd_take(&b->r, e->caplen);
    if (!rd_ok(&b->r) || e->ifid >= r->n_ifs) {
        return -EPROTO;
    }
    rd_skip(&b->r, -(size_t)e->caplen & 3);
    e->ts_ns = to_ns(&r->ifs[e->ifid], units);
    ret->linktype = r->ifs[e->ifid].linktype;
    ret->fcs_len = r->ifs[e->ifid].fcs_len;
    while (next_option(b, &o)) {
        packet_option(ret, &o, b->big);
    }
    ret->kind = PCAPNG_FRAME;
    return 0;
}

static int read_enhanced(const struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    ret->epb.ifid = wire_u32(&b->r, b->big);
    return read_packet(r, b, ret);
}

/* Appendix A, the obsolete packet block, which is still in old files: narrower numbers, and the
 * count of drops in its head. */
static int read_obsolete(const struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    ret->epb.ifid = wire_u16(&b->r, b->big);
    const uint16_t drops = wire_u16(&b->r, b->big);
    ret->epb.lost = drops == DROPS_UNKNOWN ? 0 : drops;
    return read_packet(r, b, ret);
}

/* Section 4.4: always the first interface; how much was captured follows from its snaplen. */
static int read_simple(const struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    uint32_t origlen = wire_u32(&b->r, b->big);
    if (!rd_ok(&b->r) || r->n_ifs == 0) {
        return -EPROTO;
    }
    uint32_t snaplen = r->ifs[0].snaplen;
    uint32_t caplen = snaplen > 0 && snaplen < origlen ? snaplen : origlen;
    ret->data = rd_take(&b->r, caplen);
    if (!ret->data) {
        return -EPROTO;
    }
    ret->epb = (struct pcapng_epb){.caplen = caplen, .origlen = origlen};
    ret->linktype = r->ifs[0].linktype;
    ret->fcs_len = r->ifs[0].fcs_len;
    ret->kind = PCAPNG_FRAME;
    return 0;
}

static void stats_option(const struct pcapng_if *f, struct pcapng_isb *isb, struct option *o,
                         bool big)
{
    uint64_t *figure[] = {&isb->ifrecv, &isb->ifdrop, &isb->accept, &isb->osdrop, &isb->usrdeliv};
    if (o->code == OPT_COMMENT) {
        isb->comment = option_text(o);
        return;
    }
    if (o->code < OPT_ISB_START || o->code > OPT_ISB_USRDELIV || rd_left(&o->value) != 8) {
        return;
    }
    isb->has |= (uint32_t)PCAPNG_HAS_START << (o->code - OPT_ISB_START);
    if (o->code >= OPT_ISB_IFRECV) {
        *figure[o->code - OPT_ISB_IFRECV] = option_u64(o, big);
        return;
    }
    struct body value = {o->value, big};
    int64_t ns = to_ns(f, read_units(&value));
    *(o->code == OPT_ISB_START ? &isb->start_ns : &isb->end_ns) = ns;
}

static int read_stats(const struct pcapng_reader *r, struct body *b, struct pcapng_item *ret)
{
    struct option o;
    struct pcapng_isb *isb = &ret->isb;
    isb->ifid = wire_u32(&b->r, b->big);
    uint64_t units = read_units(b);
    if (!rd_ok(&b->r) || isb->ifid >= r->n_ifs) {
        return -EPROTO;
    }
    isb->ts_ns = to_ns(&r->ifs[isb->ifid], units);
    while (next_option(b, &o)) {
        stats_option(&r->ifs[isb->ifid], isb, &o, b->big);
    }
    ret->kind = PCAPNG_STATS;
    return 0;
}

static int read_body(struct pcapng_reader *r, uint32_t type, struct body *b,
                     struct pcapng_item *ret)
{
    switch (type) {
    case PCAPNG_SHB:
        return read_section(r, b, ret);
    case PCAPNG_IDB:
        return read_interface(r, b, ret);
    case PCAPNG_PB:
        return read_obsolete(r, b, ret);
    case PCAPNG_EPB:
        return read_enhanced(r, b, ret);
    case PCAPNG_SPB:
        return read_simple(r, b, ret);
    case PCAPNG_ISB:
        return read_stats(r, b, ret);
    default:
        ret->kind = PCAPNG_OTHER;
        return 0;
    }
}

int pcapng_read(struct pcapng_reader *r, const uint8_t *data, size_t len, struct pcapng_item *ret)
{
    struct pcapng_item item = {.kind = PCAPNG_MORE, .len = PCAPNG_BLOCK_MIN};
    if (len < PCAPNG_BLOCK_MIN) {
        *ret = item;
        return 0;
    }
    struct rd head = rd_make(data, PCAPNG_BLOCK_MIN);
    struct rd len_at = rd_make(data + 4, 4);
    uint32_t type = wire_u32(&head, r->big);
    bool big = r->big;
    rd_skip(&head, 4);
    if (type == PCAPNG_SHB) { /* the same from both ends */
        int order = wire_byte_order(&head);
        if (order < 0) {
            return -EPROTO;
        }
        big = order;
    } else if (!r->started) {
        return -EPROTO;
    }
    uint32_t block_len = wire_u32(&len_at, big);
    if (!wire_len_ok(block_len)) {
        return -EPROTO;
    }
    item.len = block_len;
    if (len < block_len) {
        *ret = item;
        return 0;
    }
    struct rd trailer = rd_make(data + block_len - 4, 4);
    struct body b = {rd_make(data + 8, block_len - PCAPNG_BLOCK_MIN), big};
    if (wire_u32(&trailer, big) != block_len) {
        return -EPROTO;
    }
    if (type == PCAPNG_SHB) {
        r->big = big;
        r->started = true;
    }
    int err = read_body(r, type, &b, &item);
    if (err == 0) {
        *ret = item;
    }
    return err;
}
