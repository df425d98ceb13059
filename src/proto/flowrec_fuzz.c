/* SPDX-License-Identifier: Apache-2.0
 *
 * Any flow records through all that writes them. What was written is read back by a reader that
 * knows templates and columns alone: lengths, numbers of records and sums must be those that went
 * in.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/ledger.h"
#include "proto/flowcsv.h"
#include "proto/flowtext.h"
#include "proto/ipfix.h"
#include "proto/netflow5.h"
#include "proto/netflow9.h"

enum {
    RECORDS = 64, /* of one input */
    PARTS = 64,   /* of one flow that are written */
    MESSAGE = 1400,
    TEMPLATES = 16,
    FIELDS = 64,
    VARIABLE = 65535,
    PACKETS = 2, /* elements, in both protocols */
    BYTES = 1,
    ENTERPRISE = 0x8000,
    REVERSE = 29305, /* RFC 5103 */
};

struct sums {
    uint64_t records, packets, bytes; /* modulo 2^64 */
};

struct template
{
    unsigned n;
    uint16_t id[FIELDS], len[FIELDS];
};

/* A reader of a stream of messages with templates. */
struct reader {
    bool nine; /* NetFlow's version 9, else IPFIX */
    struct template of[TEMPLATES];
    uint32_t messages, data, sequence;
    struct sums sums;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void add(struct sums *s, uint64_t packets, uint64_t bytes)
{
    s->records++;
    s->packets += packets;
    s->bytes += bytes;
}

static bool same(const struct sums *a, const struct sums *b)
{
    return a->records == b->records && a->packets == b->packets && a->bytes == b->bytes;
}

/* ---- records of the input ---- */

static int64_t take_time(struct rd *in)
{
    return (int64_t)(rd_u64(in) & INT64_MAX);
}

static uint64_t take_count(struct rd *in)
{
    const unsigned bits = rd_u8(in) % 65; /* all sizes, not only the largest */
    const uint64_t v = rd_u64(in);
    return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

/* The other direction, and a tunnel. */
static void take_more(struct rd *in, struct flowrec *r)
{
    const int64_t a = take_time(in), b = take_time(in);
    r->biflow = rd_u8(in) % 2 ? FLOWREC_INITIATOR : FLOWREC_RESPONDER;
    r->reverse.packets = take_count(in);
    if (r->reverse.packets > 0) {
        r->reverse.bytes = take_count(in);
        r->reverse.first_ns = MIN(a, b);
        r->reverse.last_ns = MAX(a, b);
        r->reverse.tos = rd_u8(in);
        r->reverse.tcp_flags = rd_u8(in);
    }
    r->tunnel = (enum tunnel_kind)(rd_u8(in) % TUNNEL_KINDS);
    r->tunnel_id = rd_u32(in);
    const unsigned version = rd_u8(in) % 3;
    r->outer_version = (uint8_t)(version == 0 ? 0 : 2 + 2 * version);
    rd_copy(in, r->outer, sizeof(r->outer));
}

/* A record of any values that the header of records allows. `name` has room for a point's. */
static struct flowrec take_record(struct rd *in, char name[64])
{
    const int64_t a = take_time(in), b = take_time(in);
    struct flowrec r = {.first_ns = MIN(a, b), .last_ns = MAX(a, b)};
    r.packets = take_count(in);
    r.bytes = take_count(in);
    const uint8_t flags = rd_u8(in);
    r.version = flags & 1 ? 6 : 4;
    r.has_mac = flags & 2;
    r.has_label = flags & 4;
    r.point = flags & 8 ? name : NULL;
    r.vlans = rd_u8(in) % (FLOWREC_VLANS + 1);
    rd_copy(in, r.addr, sizeof(r.addr));
    if (r.version == 4) {
        memset(&r.addr[0][4], 0, 12);
        memset(&r.addr[1][4], 0, 12);
    }
    for (unsigned i = 0; i < r.vlans; i++) {
        r.vlan[i] = rd_u16(in) & 0x0fff;
    }
    r.port[0] = rd_u16(in);
    r.port[1] = rd_u16(in);
    r.proto = rd_u8(in);
    r.tos = rd_u8(in);
    r.tcp_flags = rd_u8(in);
    r.end_reason = rd_u8(in);
    r.label = rd_u32(in) & 0xffffff;
    r.interface = rd_u32(in);
    rd_copy(in, r.mac, sizeof(r.mac));
    if (flags & 16) {
        take_more(in, &r);
    }
    const size_t n = rd_u8(in) % 64;
    for (size_t i = 0; i < n; i++) {
        name[i] = (char)(' ' + rd_u8(in) % 95);
    }
    name[n] = '\0';
    return r;
}

/* ---- version 5 ---- */

static void read5(const uint8_t *bytes, size_t len, uint32_t *sequence, struct sums *sums)
{
    struct rd r = rd_make(bytes, len);
    must(rd_u16(&r) == 5);
    const unsigned count = rd_u16(&r);
    const uint32_t uptime = rd_u32(&r);
    rd_skip(&r, 8);
    must(len <= MESSAGE && len == 24 + (size_t)count * 48 && rd_u32(&r) == *sequence);
    rd_skip(&r, 4);
    for (unsigned i = 0; i < count; i++) {
        rd_skip(&r, 16);
        const uint32_t packets = rd_u32(&r), octets = rd_u32(&r);
        add(sums, packets, octets);
        const uint32_t first = rd_u32(&r), last = rd_u32(&r);
        must(first <= last && last <= uptime);
        rd_skip(&r, 16);
    }
    must(rd_ok(&r) && rd_left(&r) == 0);
    *sequence += count;
}

static void through5(const struct flowrec *list, unsigned n)
{
    struct netflow5 m;
    struct sums want = {0}, got = {0};
    uint32_t sequence = 0;
    netflow5_init(&m, 1);
    for (unsigned i = 0; i < n; i++) {
        const unsigned parts = netflow5_parts(&list[i]);
        for (unsigned k = 0; k < parts && k < PARTS; k++) {
            const struct flowrec p = netflow5_part(&list[i], parts, k);
            if (!netflow5_add(&m, &p)) {
                read5(m.bytes, netflow5_end(&m), &sequence, &got);
                must(netflow5_add(&m, &p));
            }
            add(&want, p.packets, p.bytes);
        }
    }
    const size_t len = netflow5_end(&m);
    if (len > 0) {
        read5(m.bytes, len, &sequence, &got);
    }
    must(same(&want, &got) && sequence == (uint32_t)got.records);
}

/* ---- templates ---- */

static struct template *find(struct reader *x, uint16_t id)
{
    must(id >= 256 && id < 256 + TEMPLATES);
    return &x->of[id - 256];
}

static void take_field(struct reader *x, struct template *t, struct rd *r)
{
    must(t->n < FIELDS);
    t->id[t->n] = rd_u16(r);
    t->len[t->n++] = rd_u16(r);
    if (!x->nine && t->id[t->n - 1] & ENTERPRISE) {
        must(rd_u32(r) == REVERSE); /* the others' numbers, of the other direction */
    }
}

/* Sets of templates end with padding of less than one. */
static void read_templates(struct reader *x, struct rd *r, bool options, uint32_t *records)
{
    while (rd_left(r) >= 4) {
        struct template *t = find(x, rd_u16(r));
        unsigned n = rd_u16(r);
        if (options && x->nine) {
            n = (n + rd_u16(r)) / 4;
        } else if (options) {
            must(rd_u16(r) > 0);
        }
        t->n = 0;
        for (unsigned i = 0; i < n; i++) {
            take_field(x, t, r);
        }
        must(rd_ok(r) && t->n > 0);
        t->id[0] =
            options ? 0 : t->id[0]; /* a scope, which version 9 numbers in a way of its own */
        *records += x->nine ? 1 : 0;
    }
}

static uint64_t number(struct rd *r, unsigned len)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < len; i++) {
        v = v << 8 | rd_u8(r);
    }
    return v;
}

static size_t shortest(const struct template *t)
{
    size_t len = 0;
    for (unsigned i = 0; i < t->n; i++) {
        len += t->len[i] == VARIABLE ? 1 : t->len[i];
    }
    return len;
}

static void read_data(struct reader *x, const struct template *t, struct rd *r, uint32_t *records)
{
    must(t->n > 0);
    while (rd_left(r) >= shortest(t)) {
        uint64_t packets = 0, bytes = 0;
        bool flow = false;
        for (unsigned i = 0; i < t->n; i++) {
            const unsigned len = t->len[i] == VARIABLE ? rd_u8(r) : t->len[i];
            const uint64_t v = number(r, len);
            packets += t->id[i] == PACKETS || t->id[i] == (ENTERPRISE | PACKETS) ? v : 0;
            bytes += t->id[i] == BYTES || t->id[i] == (ENTERPRISE | BYTES) ? v : 0;
            flow = flow || t->id[i] == PACKETS;
        }
        must(rd_ok(r));
        x->data++;
        ++*records;
        if (flow) {
            add(&x->sums, packets, bytes);
        }
    }
    must(rd_left(r) < 4);
}

static void read_message(struct reader *x, const uint8_t *bytes, size_t len)
{
    struct rd r = rd_make(bytes, len);
    uint32_t records = 0;
    const uint32_t before = x->data;
    must(len > 0 && len <= MESSAGE && rd_u16(&r) == (x->nine ? 9 : 10));
    const uint32_t count = rd_u16(&r);
    must(x->nine || count == len);
    rd_skip(&r, x->nine ? 8 : 4);
    must(rd_u32(&r) == (x->nine ? x->messages : before));
    rd_skip(&r, 4);
    while (rd_left(&r) > 0) {
        must(!x->nine || rd_left(&r) % 4 == 0);
        const uint16_t set = rd_u16(&r), n = rd_u16(&r);
        must(n >= 4);
        struct rd body = rd_sub(&r, n - 4u);
        must(rd_ok(&r));
        const uint16_t first = x->nine ? 0 : 2; /* templates' set; options' is the next */
        if (set == first || set == first + 1) {
            read_templates(x, &body, set != first, &records);
        } else {
            read_data(x, find(x, set), &body, &records);
        }
    }
    must(!x->nine || count == records);
    x->messages++;
}

static struct sums sums_of(const struct flowrec *list, unsigned n)
{
    struct sums s = {0};
    for (unsigned i = 0; i < n; i++) {
        add(&s, list[i].packets, list[i].bytes);
    }
    return s;
}

static void through9(const struct flowrec *list, unsigned n)
{
    static struct reader x;
    struct netflow9 m;
    const struct sums want = sums_of(list, n);
    x = (struct reader){.nine = true};
    netflow9_init(&m, 1);
    must(netflow9_templates(&m));
    for (unsigned i = 0; i < n; i++) {
        if (list[i].point && !netflow9_name(&m, list[i].interface, list[i].point)) {
            read_message(&x, m.sets.bytes, netflow9_end(&m));
            must(netflow9_name(&m, list[i].interface, list[i].point));
        }
        if (!netflow9_add(&m, &list[i])) {
            read_message(&x, m.sets.bytes, netflow9_end(&m));
            must(netflow9_add(&m, &list[i]));
        }
    }
    read_message(&x, m.sets.bytes, netflow9_end(&m));
    must(same(&want, &x.sums) && netflow9_end(&m) == 0);
}

static void through_ipfix(const struct flowrec *list, unsigned n, unsigned with)
{
    static struct reader x;
    struct ipfix m;
    struct sums want = sums_of(list, n);
    x = (struct reader){0};
    for (unsigned i = 0; i < n && (with & IPFIX_BIFLOW); i++) {
        want.packets += list[i].reverse.packets;
        want.bytes += list[i].reverse.bytes;
    }
    ipfix_init_with(&m, 1, with);
    must(ipfix_templates(&m));
    for (unsigned i = 0; i < n; i++) {
        if (list[i].point && !ipfix_name(&m, list[i].interface, list[i].point)) {
            read_message(&x, m.sets.bytes, ipfix_end(&m));
            must(ipfix_name(&m, list[i].interface, list[i].point));
        }
        if (!ipfix_add(&m, &list[i])) {
            read_message(&x, m.sets.bytes, ipfix_end(&m));
            must(ipfix_add(&m, &list[i]));
        }
    }
    read_message(&x, m.sets.bytes, ipfix_end(&m));
    must(same(&want, &x.sums) && ipfix_end(&m) == 0);
}

/* ---- text ---- */

/* A line with its end and a zero byte, of printable characters. Returns how many values it has,
 * where commas are between them but for those in quotes. */
static unsigned values_of(const char *line, size_t len, size_t room)
{
    unsigned n = 1;
    bool quoted = false;
    must(len > 0 && len < room && line[len] == '\0' && line[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++) {
        must(line[i] >= ' ' && line[i] <= '~');
        quoted ^= line[i] == '"';
        n += line[i] == ',' && !quoted;
    }
    return n;
}

/* The number in that column of a line, from 0 on. */
static uint64_t column(const char *line, unsigned at)
{
    for (unsigned i = 0; i < at; i++) {
        line = strchr(line, ',') + 1;
    }
    return strtoull(line, NULL, 10);
}

static unsigned column_named(const char *head, const char *name)
{
    const char *at = strstr(head, name);
    unsigned n = 0;
    must(at != NULL);
    for (const char *p = head; p < at; p++) {
        n += *p == ',';
    }
    return n;
}

static void through_csv(const struct flowrec *list, unsigned n)
{
    char head[FLOWCSV_ROW], line[FLOWCSV_ROW];
    struct flowcsv_sums sums = {0};
    const struct sums want = sums_of(list, n);
    struct sums got = {0};
    uint64_t packets = 0; /* at most as many as sums have */
    size_t len = flowcsv_head(head);
    const unsigned columns = values_of(head, len, sizeof(head));
    for (unsigned i = 0; i < n; i++) {
        len = flowcsv_row(&list[i], &sums, line);
        must(values_of(line, len, sizeof(line)) == columns);
        add(&got, column(line, column_named(head, "ipkt")),
            column(line, column_named(head, "ibyt")));
        packets = ledger_plus(packets, list[i].packets);
    }
    len = flowcsv_tail(&sums, line);
    must(len > 0 && len < sizeof(line) && line[len] == '\0');
    must(same(&want, &got) && sums.flows == n && sums.packets == packets);
}

/* The number behind a name of JSON; it has to be there. */
static uint64_t member(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    must(at != NULL);
    return strtoull(at + strlen(name), NULL, 10);
}

static void through_text(const struct flowrec *list, unsigned n)
{
    char line[FLOWTEXT_ROW];
    const struct sums want = sums_of(list, n);
    struct sums got = {0};
    size_t len = flowtext_head(line);
    const unsigned columns = values_of(line, len, sizeof(line));
    for (unsigned i = 0; i < n; i++) {
        len = flowtext_row(&list[i], NULL, line);
        must(values_of(line, len, sizeof(line)) == columns);
        len = flowtext_json(&list[i], "1:x", line);
        must(len > 2 && len < sizeof(line) && line[len] == '\0' && line[0] == '{');
        must(line[len - 2] == '}' && line[len - 1] == '\n');
        add(&got, member(line, "\"packetDeltaCount\":"), member(line, "\"octetDeltaCount\":"));
    }
    must(same(&want, &got));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[RECORDS][64];
    static struct flowrec list[RECORDS];
    struct rd in = rd_make(data, size);
    unsigned n = 0;
    while (n < RECORDS && rd_left(&in) > 0) {
        list[n] = take_record(&in, name[n]);
        n++;
    }
    through5(list, n);
    through9(list, n);
    for (unsigned with = 0; with <= (IPFIX_TUNNEL | IPFIX_BIFLOW); with++) {
        through_ipfix(list, n, with);
    }
    through_csv(list, n);
    through_text(list, n);
    return 0;
}
