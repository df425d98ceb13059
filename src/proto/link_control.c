/* SPDX-License-Identifier: Apache-2.0
 *
 * Control records of the link (declared in link.h; the frames' path is in link.c).
 */
#include <errno.h>

#include "base/cleanup.h"
#include "proto/link.h"

/* The ledger's counters on the wire: their numbers there never change, whatever the order of
 * base/ledger.h becomes. */
static const struct {
    uint8_t code;
    enum ledger_id id;
} counters[] = {
    {1, LEDGER_RING_IN},          {2, LEDGER_RING_FULL},      {3, LEDGER_RING_OUT},
    {4, LEDGER_RING_BYTES},       {5, LEDGER_RING_SUPER},     {6, LEDGER_SEL_TUNNEL},
    {9, LEDGER_SEL_BAD},          {10, LEDGER_SEL_OUT},       {11, LEDGER_CUT_SLICED},
    {12, LEDGER_TX_NOSESSION},    {13, LEDGER_TX_OUT},        {14, LEDGER_TX_BYTES},
    {15, LEDGER_TX_DATAGRAMS},    {16, LEDGER_TX_WIRE_BYTES}, {17, LEDGER_TX_UNSENT},
    {18, LEDGER_CUT_MADE},        {19, LEDGER_CUT_OUT},       {20, LEDGER_CUT_SUPER},
    {21, LEDGER_CUT_UNCUT},       {22, LEDGER_CUT_SUMMED},    {23, LEDGER_CUT_NOSUM},
    {24, LEDGER_TX_BACKLOG_FULL}, {25, LEDGER_TX_BACKLOGGED}, {26, LEDGER_TX_LEFT},
    {27, LEDGER_RING_GONE},       {28, LEDGER_RING_REOPENED}, {30, LEDGER_RING_OFFLOAD},
    {31, LEDGER_RING_CLAMPED},    {32, LEDGER_SEL_FOREIGN},   {33, LEDGER_SEL_AMPLIFIED},
    {34, LEDGER_TX_UNCONFIRMED},  {35, LEDGER_ST_OUT},        {40, LEDGER_LIM_SAMPLED},
    {41, LEDGER_LIM_COUNTED},     {42, LEDGER_LIM_FULL},      {43, LEDGER_LIM_OUT},
    {44, LEDGER_LIM_SLICED},      {47, LEDGER_LIM_METERED},   {48, LEDGER_LIM_MADE},
    {49, LEDGER_LIM_UNTOLD},      {50, LEDGER_TX_UNKNOWN},
#define OWN(ID, name, ends, counts)
#define USER(X, ID, name, kind, code, ...) {code, LEDGER_ST_##ID},
    STAGE_LIST(OWN, USER, )
#undef OWN
#undef USER
};

enum {
    REPORT_AROUND = 36, /* bytes of a REPORT with its type, without streams, … */
    REPORT_STREAM = 27, /* … of a stream without counters, … */
    REPORT_COUNTER = 9, /* … and of a counter */
};

_Static_assert(REPORT_AROUND + REPORT_STREAM + REPORT_COUNTER * ARRAY_SIZE(counters) <=
                   LINK_CONTROL_FIT,
               "a stream's report with all counters passes any path");

static int code_to_id(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        if (counters[i].code == code) {
            return (int)counters[i].id;
        }
    }
    return -1;
}

static struct link_text get_text(struct rd *r)
{
    struct link_text t = {.len = rd_u16(r)};
    t.p = (const char *)rd_take(r, t.len);
    if (!t.p) {
        t = (struct link_text){"", 0};
    }
    return t;
}

static void put_text(struct wr *w, struct link_text t)
{
    wr_u16(w, t.len);
    wr_copy(w, t.p, t.len);
}

static void get_report_stream(struct rd *r, struct link_report_stream *s)
{
    *s = (struct link_report_stream){.stream = rd_u16(r)};
    s->frames = rd_u64(r);
    s->lost = rd_u64(r);
    s->datagrams = rd_u64(r);
    unsigned n = rd_u8(r);
    for (unsigned i = 0; i < n; i++) {
        int id = code_to_id(rd_u8(r));
        uint64_t v = rd_u64(r);
        if (id >= 0) { /* a counter of a later release is skipped */
            s->has[id] = true;
            s->n[id] = v;
        }
    }
}

static void get_report(struct rd *r, struct link_report *p)
{
    *p = (struct link_report){.final = rd_u8(r) & 1};
    p->now = (int64_t)rd_u64(r);
    p->echo = (int64_t)rd_u64(r);
    p->echo_age = rd_u64(r);
    p->count = rd_u16(r);
    if (p->count > LINK_REPORT_STREAMS) {
        r->bad = true;
        return;
    }
    for (unsigned i = 0; i < p->count; i++) {
        get_report_stream(r, &p->stream[i]);
    }
    p->steady = rd_left(r) >= sizeof(p->steady) ? (int64_t)rd_u64(r) : 0;
}

static void put_report(struct wr *w, const struct link_report *p)
{
    wr_u8(w, p->final ? 1 : 0);
    wr_u64(w, (uint64_t)p->now);
    wr_u64(w, (uint64_t)p->echo);
    wr_u64(w, p->echo_age);
    wr_u16(w, p->count);
    for (unsigned i = 0; i < p->count && i < LINK_REPORT_STREAMS; i++) {
        const struct link_report_stream *s = &p->stream[i];
        wr_u16(w, s->stream);
        wr_u64(w, s->frames);
        wr_u64(w, s->lost);
        wr_u64(w, s->datagrams);
        unsigned n = 0;
        for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
            n += s->has[counters[c].id] ? 1 : 0;
        }
        wr_u8(w, (uint8_t)n);
        for (size_t c = 0; c < ARRAY_SIZE(counters); c++) {
            if (s->has[counters[c].id]) {
                wr_u8(w, counters[c].code);
                wr_u64(w, s->n[counters[c].id]);
            }
        }
    }
    wr_u64(w, (uint64_t)p->steady);
}

static void get_info_ack(struct rd *r, struct link_info_ack *a)
{
    uint8_t flags = rd_u8(r);
    *a = (struct link_info_ack){.resumed = flags & 1,
                                .probes = flags & 2,
                                .weights = flags & 4,
                                .extensions = flags & 8,
                                .flows = flags & 16};
}

static void get_event(struct rd *r, struct link_event *e)
{
    *e = (struct link_event){.life = rd_u64(r)};
    e->number = rd_u64(r);
    e->at = (int64_t)rd_u64(r);
    e->kind = rd_u8(r);
    e->subject = get_text(r);
    e->words = get_text(r);
}

static void put_event(struct wr *w, const struct link_event *e)
{
    wr_u64(w, e->life);
    wr_u64(w, e->number);
    wr_u64(w, (uint64_t)e->at);
    wr_u8(w, e->kind);
    put_text(w, e->subject);
    put_text(w, e->words);
}

static int get_body(struct rd *r, struct link_control *c)
{
    switch (c->type) {
    case LINK_INFO:
        c->info = (struct link_info){.tag = rd_u64(r)};
        c->info.started = (int64_t)rd_u64(r);
        c->info.name = get_text(r);
        c->info.host = get_text(r);
        c->info.software = get_text(r);
        r->bad |= !link_name_ok(c->info.name.p, c->info.name.len);
        return 0;
    case LINK_INFO_ACK:
        get_info_ack(r, &c->ack);
        return 0;
    case LINK_STREAM:
        c->stream = (struct link_stream){.stream = rd_u16(r)};
        c->stream.snaplen = rd_u32(r);
        c->stream.speed_bps = rd_u64(r);
        c->stream.ifname = get_text(r);
        c->stream.filter = get_text(r);
        c->stream.linktype = rd_u16(r);
        c->stream.arphrd = rd_u16(r);
        r->bad |= c->stream.ifname.len == 0 || c->stream.ifname.len > LINK_NAME_MAX;
        r->bad |= c->stream.stream == 0 || c->stream.stream > LINK_STREAM_MAX;
        return 0;
    case LINK_STREAM_ACK:
        c->stream = (struct link_stream){.stream = rd_u16(r)};
        return 0;
    case LINK_PORT:
        c->port = (struct link_port){.stream = rd_u16(r)};
        c->port.port = rd_u16(r);
        c->port.ifname = get_text(r);
        r->bad |= c->port.ifname.len == 0 || c->port.ifname.len > LINK_NAME_MAX;
        return 0;
    case LINK_REPORT:
        get_report(r, &c->report);
        return 0;
    case LINK_PROBE:
    case LINK_PROBE_ACK:
        c->probe = (struct link_probe){.token = rd_u32(r)};
        c->probe.size = rd_u16(r);
        return 0;
    case LINK_EVENT:
        get_event(r, &c->event);
        return 0;
    case LINK_STREAM_END:
        c->end = (struct link_stream_end){.stream = rd_u16(r)};
        c->end.frames = rd_u64(r);
        c->end.lost = rd_u64(r);
        return 0;
    case LINK_CLOSE:
        c->reason = rd_u8(r);
        return 0;
    case LINK_CLOSE_ACK:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

int link_control_decode(const uint8_t *d, size_t len, struct link_control *ret)
{
    struct rd r = rd_make(d, len);
    struct link_control c = {.type = rd_u8(&r)};
    int e = get_body(&r, &c);
    if (!rd_ok(&r)) {
        return -EBADMSG;
    }
    if (e < 0) {
        return e;
    }
    *ret = c; /* bytes after the body are a later release's additions */
    return 0;
}

int link_control_encode(const struct link_control *c, uint8_t *out, size_t cap)
{
    struct wr w = wr_make(out, cap);
    wr_u8(&w, c->type);
    switch (c->type) {
    case LINK_INFO:
        wr_u64(&w, c->info.tag);
        wr_u64(&w, (uint64_t)c->info.started);
        put_text(&w, c->info.name);
        put_text(&w, c->info.host);
        put_text(&w, c->info.software);
        break;
    case LINK_INFO_ACK:
        wr_u8(&w, (uint8_t)((c->ack.resumed ? 1 : 0) | (c->ack.probes ? 2 : 0) |
                            (c->ack.weights ? 4 : 0) | (c->ack.extensions ? 8 : 0) |
                            (c->ack.flows ? 16 : 0)));
        break;
    case LINK_STREAM:
        wr_u16(&w, c->stream.stream);
        wr_u32(&w, c->stream.snaplen);
        wr_u64(&w, c->stream.speed_bps);
        put_text(&w, c->stream.ifname);
        put_text(&w, c->stream.filter);
        wr_u16(&w, c->stream.linktype);
        wr_u16(&w, c->stream.arphrd);
        break;
    case LINK_STREAM_ACK:
        wr_u16(&w, c->stream.stream);
        break;
    case LINK_PORT:
        wr_u16(&w, c->port.stream);
        wr_u16(&w, c->port.port);
        put_text(&w, c->port.ifname);
        break;
    case LINK_REPORT:
        put_report(&w, &c->report);
        break;
    case LINK_PROBE:
    case LINK_PROBE_ACK:
        wr_u32(&w, c->probe.token);
        wr_u16(&w, c->probe.size);
        break;
    case LINK_EVENT:
        put_event(&w, &c->event);
        break;
    case LINK_STREAM_END:
        wr_u16(&w, c->end.stream);
        wr_u64(&w, c->end.frames);
        wr_u64(&w, c->end.lost);
        break;
    case LINK_CLOSE:
        wr_u8(&w, c->reason);
        break;
    case LINK_CLOSE_ACK:
        break;
    default:
        return -EINVAL;
    }
    return wr_ok(&w) ? (int)wr_len(&w) : -ENOBUFS;
}
