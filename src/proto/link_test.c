/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's codecs (link.h): the layout of each message byte by byte, values there and back, and
 * messages that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "proto/link.h"

static uint64_t seed = 1;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* The layout is checked byte by byte against what docs/protocol.md says, not only against the
 * decoder. */
static void hello_layout(void **state)
{
    (void)state;
    uint8_t out[LINK_HELLO_LEN], data[48];
    memset(data, 0xaa, sizeof(data));
    struct link_hs m = {.type = LINK_HELLO,
                        .version = 1,
                        .method = LINK_CPACE,
                        .sender = 0x01020304,
                        .min_version = 1,
                        .max_version = 1,
                        .aeads = 6,
                        .data = data,
                        .data_len = 48};
    assert_int_equal(link_hs_encode(&m, out, sizeof(out)), LINK_HELLO_LEN);
    const uint8_t head[] = {1, 1, 1, 0, 'F', 'S', 'P', '1', 1, 2, 3,
                            4, 0, 0, 0, 0,   1,   1,   0,   6, 0, 48};
    assert_memory_equal(out, head, sizeof(head));
    assert_memory_equal(out + sizeof(head), data, 48);
    for (size_t i = sizeof(head) + 48; i < sizeof(out); i++) {
        assert_int_equal(out[i], 0);
    }
    struct link_hs d;
    assert_int_equal(link_hs_decode(out, sizeof(out), &d), 0);
    assert_int_equal(d.sender, m.sender);
    assert_int_equal(d.aeads, 6);
    assert_int_equal(d.data_len, 48);
    assert_memory_equal(d.data, data, 48);
    for (size_t cut = 0; cut < sizeof(out); cut++) {
        assert_int_equal(link_hs_decode(out, cut, &d), -EBADMSG);
    }
    assert_int_equal(link_hs_encode(&m, out, sizeof(out) - 1), -ENOBUFS);
}

/* The longest data of a handshake message, and a byte more, which is there. */
static void handshake_data_is_bounded(void **state)
{
    (void)state;
    static uint8_t data[LINK_HS_DATA_MAX + 1], out[2 * LINK_HELLO_LEN];
    const enum link_type types[] = {LINK_HELLO, LINK_ANSWER};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct link_hs m = {.type = types[i], .version = LINK_VERSION, .data = data}, d;
        m.data_len = LINK_HS_DATA_MAX;
        int n = link_hs_encode(&m, out, sizeof(out));
        assert_true(n > 0);
        assert_int_equal(link_hs_decode(out, (size_t)n, &d), 0);
        assert_int_equal(d.data_len, LINK_HS_DATA_MAX);
        m.data_len++;
        n = link_hs_encode(&m, out, sizeof(out));
        assert_true(n > 0);
        assert_int_equal(link_hs_decode(out, (size_t)n, &d), -EBADMSG);
    }
}

static void other_versions_are_told(void **state)
{
    (void)state;
    uint8_t out[64];
    struct link_hs m = {.type = LINK_REJECT,
                        .version = 9,
                        .reason = LINK_REASON_VERSION,
                        .min_version = 8,
                        .max_version = 9,
                        .receiver = 5};
    int n = link_hs_encode(&m, out, sizeof(out));
    assert_int_equal(n, LINK_REJECT_LEN);
    struct link_hs d;
    assert_int_equal(link_hs_decode(out, (size_t)n, &d), 0);
    assert_int_equal(d.max_version, 9);
    m.type = LINK_ACCEPT;
    m.data = out;
    uint8_t out2[64];
    n = link_hs_encode(&m, out2, sizeof(out2));
    assert_int_equal(link_hs_decode(out2, (size_t)n, &d), -EPROTONOSUPPORT);
    assert_int_equal(d.version, 9);
}

static void record_layout(void **state)
{
    (void)state;
    uint8_t out[16], nonce[12];
    struct link_record r = {.stream = 0x0102, .receiver = 0xa1a2a3a4, .counter = 0x334455667788};
    link_record_encode(&r, out);
    const uint8_t want[] = {16,   1,    1,    2,    0xa1, 0xa2, 0xa3, 0xa4,
                            0x14, 0xf9, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    assert_memory_equal(out, want, 16);
    link_record_nonce(&r, nonce);
    const uint8_t want_nonce[] = {0, 0, 1, 2, 0, 0, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    assert_memory_equal(nonce, want_nonce, 12);
    struct link_record d;
    assert_int_equal(link_record_decode(out, 16, &d), 0);
    assert_int_equal(d.counter, r.counter);
    assert_int_equal(link_record_decode(out, 15, &d), -EBADMSG);
    for (unsigned bit = 64; bit < 80; bit++) { /* another mark */
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(link_record_decode(out, 16, &d), -EBADMSG);
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    r.counter = LINK_COUNTER_MAX;
    link_record_encode(&r, out);
    assert_int_equal(link_record_decode(out, 16, &d), 0);
    assert_int_equal(d.counter, LINK_COUNTER_MAX);
    out[2] = 0xff;
    assert_int_equal(link_record_decode(out, 16, &d), -EBADMSG);
}

static void knows_its_own(void **state)
{
    (void)state;
    uint8_t d[LINK_HELLO_LEN] = {0};
    for (unsigned i = 0; i < 100000; i++) {
        struct link_record r = {.stream = (uint16_t)(rnd() % (LINK_STREAM_MAX + 1)),
                                .receiver = (uint32_t)rnd(),
                                .counter = rnd() >> (16 + rnd() % 48)};
        link_record_encode(&r, d);
        assert_true(link_is_datagram(d, LINK_RECORD_MIN));
        assert_false(link_is_datagram(d, LINK_RECORD_MIN - 1));
    }
    for (unsigned type = LINK_HELLO; type <= LINK_COOKIE; type++) {
        struct link_hs m = {.type = (enum link_type)type, .version = 9, .data = d};
        uint8_t out[LINK_HELLO_LEN];
        int n = link_hs_encode(&m, out, sizeof(out));
        assert_true(n >= LINK_REJECT_LEN && link_is_datagram(out, (size_t)n));
        assert_false(link_is_datagram(out, LINK_REJECT_LEN - 1));
    }
}

/* How many of `n` payloads are taken for a link's: `start` bytes as given, the others random. */
static unsigned taken(const char *start, size_t len, unsigned n)
{
    uint8_t d[24];
    unsigned found = 0;
    for (unsigned i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(d); k += 8) {
            uint64_t v = rnd();
            memcpy(d + k, &v, 8);
        }
        memcpy(d, start, len);
        found += link_is_datagram(d, sizeof(d));
    }
    return found;
}

/* Chances are those that docs/protocol.md tells. */
static void is_not_fooled_by_chance(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        size_t len;
    } protocols[] = {
        {"", 0},                     /* random bytes, the keystream of who knows what */
        {"\x80\x60", 2},             /* RTP */
        {"\x40", 1},                 /* QUIC, short header */
        {"\xc0\0\0\0\1\x08", 6},     /* QUIC, long header */
        {"\x16\xfe\xfd\0\0\0\0", 7}, /* DTLS */
        {"\x17\xfe\xfd\0\1\0\0", 7}, /* the same, data */
        {"\4\0\0\0", 4},             /* WireGuard */
        {"\x08\0\0\0", 4},           /* VXLAN */
        {"\0\0\x65\x58", 4},         /* GENEVE */
        {"\x30\xff", 2},             /* GTP */
    };
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        unsigned n = i == 0 ? 10000000 : 300000;
        assert_int_equal(taken(protocols[i].start, protocols[i].len, n), 0);
    }
    /* Where the first 20 bits fit, 16 more have to. */
    assert_in_range(taken("\x10\1\0", 3, 10000000), 100, 210);
}

/* A DNS query with every ID for a name, and the same of a protocol that counts. */
static void is_not_fooled_by_what_counts(void **state)
{
    (void)state;
    static const char *const names[] = {"\3www\7example\3com", "\7example\3org", "\1a\2b"};
    unsigned found = 0;
    for (unsigned i = 0; i < 3 << 16; i++) {
        uint8_t d[32] = {0};
        struct wr w = wr_make(d, sizeof(d));
        wr_u16(&w, (uint16_t)i);
        wr_u16(&w, 0x0100);
        wr_u64(&w, 0x0001000000000000);
        memcpy(d + 12, names[i >> 16], strlen(names[i >> 16]));
        found += link_is_datagram(d, sizeof(d));
    }
    for (uint32_t i = 0; i < 3000000; i++) { /* the same number in each word, or a step apart */
        uint8_t d[32] = {0};
        struct wr w = wr_make(d, sizeof(d));
        for (uint32_t k = 0; k < 8; k++) {
            wr_u32(&w, i * 0x1001 + i % 3 * k);
        }
        found += link_is_datagram(d, sizeof(d));
    }
    for (unsigned i = 0; i < 256; i++) { /* zeros, ones, text in one letter */
        uint8_t d[32];
        memset(d, (int)i, sizeof(d));
        found += link_is_datagram(d, sizeof(d));
        memcpy(d, "\x10\1\0\0", 4);
        found += link_is_datagram(d, sizeof(d));
    }
    assert_int_equal(found, 0);
}

static void frame_headers_round_trip(void **state)
{
    (void)state;
    uint8_t ext[LINK_FRAME_EXT_MAX] = {0};
    for (size_t i = 0; i < sizeof(ext); i++) {
        ext[i] = (uint8_t)rnd();
    }
    const uint32_t lens[] = {1, 60, 1514, 65535, 65536, FRAME_LEN_MAX};
    for (unsigned i = 0; i < 20000; i++) {
        int64_t base = (int64_t)rnd();
        struct link_frame f = {.caplen = lens[rnd() % 6],
                               .dir = (uint8_t)(rnd() % 3),
                               .has_port = rnd() & 1,
                               .ts_ns = (int64_t)rnd()};
        f.origlen = f.caplen + (rnd() & 1 ? (uint32_t)(rnd() % 100000) : 0);
        f.port = f.has_port ? (uint16_t)rnd() : 0;
        f.weight = rnd() & 1 ? 1 : MAX((uint32_t)rnd(), 1u);
        f.ext_len = (uint8_t)(rnd() & 1 ? 0 : rnd());
        f.ext = f.ext_len ? ext : NULL;
        if (rnd() & 1) { /* near the base, both sides of what 32 bits hold */
            f.ts_ns = (int64_t)((uint64_t)base +
                                (uint64_t)(int64_t)((int64_t)(rnd() % 0x100000004) - 0x80000002));
        }
        uint8_t out[LINK_FRAME_HEADER_MAX];
        unsigned n = link_frame_encode(&f, base, out);
        assert_in_range(n, 7, LINK_FRAME_HEADER_MAX);
        for (unsigned have = 1; have < n; have++) { /* with less, more is wanted */
            assert_in_range(link_frame_header_len(out, have), have + 1, n);
        }
        assert_int_equal(link_frame_header_len(out, n), n);
        assert_int_equal(link_frame_header_len(out, sizeof(out)), n);
        struct link_frame d;
        assert_int_equal(link_frame_decode(out, n, base, &d), 0);
        assert_int_equal(d.weight, f.weight);
        assert_int_equal(d.ext_len, f.ext_len);
        assert_true(f.ext_len == 0 || memcmp(d.ext, ext, f.ext_len) == 0);
        assert_int_equal(d.caplen, f.caplen);
        assert_int_equal(d.origlen, f.origlen);
        assert_true(d.ts_ns == f.ts_ns);
        assert_int_equal(d.dir, f.dir);
        assert_int_equal(d.port, f.port);
    }
}

static void frame_header_layout(void **state)
{
    (void)state;
    uint8_t out[LINK_FRAME_HEADER_MAX];
    struct link_frame f = {.caplen = 64, .origlen = 64, .ts_ns = 1000, .dir = FRAME_DIR_OUT}, d;
    assert_int_equal(link_frame_encode(&f, 1001, out), 7);
    assert_memory_equal(out, ((uint8_t[]){2, 0, 64, 0xff, 0xff, 0xff, 0xff}), 7);
    f.weight = 258;
    f.ext = (const uint8_t *)"ab";
    f.ext_len = 2;
    assert_int_equal(link_frame_encode(&f, 1000, out), 14);
    assert_memory_equal(out, "\xc2\0\x40\0\0\0\0\0\0\1\2\2ab", 14);
    assert_int_equal(link_frame_header_len((uint8_t[]){0x03}, 1), -EBADMSG);
    assert_int_equal(link_frame_header_len((uint8_t[]){0xc3}, 1), -EBADMSG);
#define REFUSED(...)                                                                               \
    assert_int_equal(                                                                              \
        link_frame_decode((uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), 0, &d),      \
        -EBADMSG)
    REFUSED(0, 0, 0, 0, 0, 0, 0);
    REFUSED(4, 0, 9, 0, 0, 0, 8, 0, 0, 0, 0);
    REFUSED(8, 0, 0x10, 0, 1, 0, 0, 0, 0);
    REFUSED(0x40, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0); /* a weight of 0 */
    REFUSED(0x80, 0, 9, 0, 0, 0, 0, 3, 1, 2);    /* an extension of 3 bytes of which 2 are there */
    REFUSED(0x80, 0, 9, 0, 0, 0, 0, 3, 1, 2, 3, 4); /* and of which 4 are */
}

static void segment_bounds(void **state)
{
    (void)state;
    uint8_t d[LINK_SEGMENT_HEADER + 4] = {0};
    struct link_segment s = {.first = 3, .frame_no = 7, .base_ts = -5}, got;
    link_segment_encode(&s, d);
    assert_int_equal(link_segment_decode(d, sizeof(d), &got), 0);
    assert_int_equal(got.first, 3);
    assert_int_equal(got.frame_no, 7);
    assert_int_equal(got.base_ts, -5);
    assert_int_equal(got.payload_len, 4);
    s.first = 4;
    link_segment_encode(&s, d);
    assert_int_equal(link_segment_decode(d, sizeof(d), &got), -EBADMSG);
    s.first = LINK_NO_FRAME;
    link_segment_encode(&s, d);
    assert_int_equal(link_segment_decode(d, sizeof(d), &got), 0);
    assert_int_equal(link_segment_decode(d, LINK_SEGMENT_HEADER, &got), -EBADMSG);
}

/* The step of a limit in a frame's extension, among types that are passed over; what is cut short
 * ends the list. */
static void extensions(void **state)
{
    (void)state;
    static const struct {
        uint8_t len, bytes[8], rung;
    } lists[] = {{3, {1, 1, 0x92}, 0x92},
                 {0, {0}, 0},
                 {7, {9, 2, 1, 1, 1, 1, 7}, 7},
                 {2, {1, 1}, 0},
                 {1, {1}, 0},
                 {5, {9, 4, 1, 1, 7}, 0},
                 {5, {1, 0, 1, 1, 7}, 7},
                 {4, {1, 2, 0x81, 0xff}, 0x81},
                 {6, {1, 1, 0x80, 1, 1, 9}, 0x80},
                 {3, {1, 255, 7}, 0}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const struct link_frame f = {.ext = lists[i].len ? lists[i].bytes : NULL,
                                     .ext_len = lists[i].len};
        assert_int_equal(link_frame_rung(&f), lists[i].rung);
        assert_false(link_frame_is_flows(&f));
    }
}

/* Flow records in place of a frame: an extension of no bytes, or of more in a later version. */
static void flow_records_are_no_frame(void **state)
{
    (void)state;
    static const struct {
        uint8_t len, bytes[8];
        bool flows;
    } lists[] = {{2, {2, 0}, true}, {3, {2, 1, 9}, true},  {5, {1, 1, 0x92, 2, 0}, true},
                 {1, {2}, false},   {3, {2, 2, 9}, false}, {4, {3, 2, 2, 0}, false}};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const struct link_frame f = {.ext = lists[i].bytes, .ext_len = lists[i].len};
        assert_int_equal(link_frame_is_flows(&f), lists[i].flows);
    }
}

static void text_equal(struct link_text a, const char *b)
{
    assert_int_equal(a.len, strlen(b));
    assert_memory_equal(a.p, b, a.len);
}

static void control_round_trip(void **state)
{
    (void)state;
    uint8_t out[LINK_CONTROL_MAX];
    struct link_control c = {.type = LINK_INFO,
                             .info = {.tag = 77,
                                      .started = 5,
                                      .name = {"web-1", 5},
                                      .host = {"h", 1},
                                      .software = {"farspan", 7}}},
                        d;
    int n = link_control_encode(&c, out, sizeof(out));
    assert_int_equal(link_control_decode(out, (size_t)n, &d), 0);
    assert_int_equal(d.info.tag, 77);
    text_equal(d.info.name, "web-1");
    text_equal(d.info.software, "farspan");
    c.info.name = (struct link_text){"a b", 3};
    n = link_control_encode(&c, out, sizeof(out));
    assert_int_equal(link_control_decode(out, (size_t)n, &d), -EBADMSG);
    c = (struct link_control){.type = LINK_STREAM,
                              .stream = {.stream = 3,
                                         .snaplen = 96,
                                         .speed_bps = 10000000000,
                                         .ifname = {"eth0", 4},
                                         .filter = {"tcp", 3},
                                         .linktype = 113,
                                         .arphrd = 778}};
    n = link_control_encode(&c, out, sizeof(out));
    assert_int_equal(link_control_decode(out, (size_t)n, &d), 0);
    assert_int_equal(d.stream.snaplen, 96);
    text_equal(d.stream.filter, "tcp");
    assert_int_equal(d.stream.linktype, 113);
    assert_int_equal(d.stream.arphrd, 778);
    for (int cut = 0; cut < n; cut++) {
        assert_int_equal(link_control_decode(out, (size_t)cut, &d), -EBADMSG);
    }
    assert_int_equal(link_control_decode((const uint8_t *)"\xc8zzz", 4, &d), -EOPNOTSUPP);
}

static void probe_layout(void **state)
{
    (void)state;
    static const uint8_t want[] = {9, 0, 1, 2, 3, 0x23, 0x0c};
    uint8_t out[LINK_CONTROL_MAX] = {0};
    struct link_control c = {.type = LINK_PROBE, .probe = {.token = 0x10203, .size = 8972}}, d;
    assert_int_equal(link_control_encode(&c, out, sizeof(out)), LINK_PROBE_LEN);
    assert_memory_equal(out, want, sizeof(want));
    assert_int_equal(link_control_decode(out, sizeof(out), &d), 0); /* padding is none of it */
    assert_int_equal(d.probe.token, 0x10203);
    assert_int_equal(d.probe.size, 8972);
    assert_int_equal(link_control_decode(out, LINK_PROBE_LEN - 1, &d), -EBADMSG);
    c.type = LINK_PROBE_ACK;
    assert_int_equal(link_control_encode(&c, out, sizeof(out)), LINK_PROBE_LEN);
    assert_int_equal(out[0], 10);
    assert_int_equal(link_control_decode(out, LINK_PROBE_LEN, &d), 0);
    assert_int_equal(d.probe.size, 8972);
    for (unsigned flags = 0; flags < 32; flags++) {
        c = (struct link_control){.type = LINK_INFO_ACK,
                                  .ack = {.resumed = flags & 1,
                                          .probes = flags & 2,
                                          .weights = flags & 4,
                                          .extensions = flags & 8,
                                          .flows = flags & 16}};
        assert_int_equal(link_control_encode(&c, out, sizeof(out)), 2);
        assert_int_equal(out[1], flags);
        assert_int_equal(link_control_decode(out, 2, &d), 0);
        assert_int_equal(d.ack.resumed, c.ack.resumed);
        assert_int_equal(d.ack.probes, c.ack.probes);
        assert_int_equal(d.ack.weights, c.ack.weights);
        assert_int_equal(d.ack.extensions, c.ack.extensions);
        assert_int_equal(d.ack.flows, c.ack.flows);
    }
}

static void event_round_trip(void **state)
{
    (void)state;
    uint8_t out[LINK_CONTROL_MAX];
    struct link_control c = {.type = LINK_EVENT,
                             .event = {.life = 5,
                                       .number = 1,
                                       .at = -2,
                                       .kind = 3,
                                       .subject = {"eth0", 4},
                                       .words = {"went down", 9}}},
                        d;
    int n = link_control_encode(&c, out, sizeof(out));
    assert_int_equal(n, 1 + 8 + 8 + 8 + 1 + 2 + 4 + 2 + 9);
    assert_int_equal(link_control_decode(out, (size_t)n, &d), 0);
    assert_true(d.event.life == 5 && d.event.number == 1 && d.event.at == -2);
    assert_int_equal(d.event.kind, 3);
    text_equal(d.event.subject, "eth0");
    text_equal(d.event.words, "went down");
    for (int cut = 0; cut < n; cut++) {
        assert_int_equal(link_control_decode(out, (size_t)cut, &d), -EBADMSG);
    }
}

static void stream_end_round_trip(void **state)
{
    (void)state;
    uint8_t out[LINK_CONTROL_MAX];
    struct link_control c = {.type = LINK_STREAM_END, .end = {.stream = 9, .frames = 7, .lost = 2}};
    struct link_control d;
    int n = link_control_encode(&c, out, sizeof(out));
    assert_int_equal(n, 1 + 2 + 8 + 8);
    assert_int_equal(link_control_decode(out, (size_t)n, &d), 0);
    assert_true(d.end.stream == 9 && d.end.frames == 7 && d.end.lost == 2);
    assert_int_equal(link_control_decode(out, (size_t)n - 1, &d), -EBADMSG);
}

static void report_round_trip(void **state)
{
    (void)state;
    uint8_t out[LINK_CONTROL_MAX];
    struct link_control c = {.type = LINK_REPORT}, d;
    c.report = (struct link_report){.final = true, .now = 10, .echo = 9, .echo_age = 8, .count = 2};
    c.report.steady = 7;
    for (unsigned i = 0; i < c.report.count; i++) {
        c.report.stream[i] = (struct link_report_stream){
            .stream = (uint16_t)(i + 1), .frames = rnd(), .lost = rnd(), .datagrams = rnd()};
        for (unsigned k = LEDGER_RING_IN; k <= LEDGER_TX_UNSENT; k++) {
            c.report.stream[i].has[k] = true;
            c.report.stream[i].n[k] = rnd();
        }
    }
    int n = link_control_encode(&c, out, sizeof(out));
    assert_true(n > 0);
    assert_int_equal(link_control_decode(out, (size_t)n, &d), 0);
    assert_true(d.report.final && d.report.steady == 7);
    assert_int_equal(link_control_decode(out, (size_t)n - 8, &d), 0); /* of an older version */
    assert_true(d.report.final && d.report.steady == 0);
    assert_memory_equal(d.report.stream, c.report.stream, sizeof(c.report.stream));
    out[1 + 1 + 24 + 1] = LINK_REPORT_STREAMS + 1;
    assert_int_equal(link_control_decode(out, (size_t)n, &d), -EBADMSG);
    c.report.count = 1; /* one stream with all there is fits the narrowest path */
    assert_true(link_control_encode(&c, out, LINK_CONTROL_FIT) > 0);
}

static void cookies(void **state)
{
    (void)state;
    uint8_t out[LINK_HELLO_LEN], cookie[LINK_COOKIE_LEN] = {[15] = 1}, data[256] = {9};
    struct link_hs d, m = {.type = LINK_HELLO,
                           .version = LINK_VERSION,
                           .sender = 7,
                           .data = data,
                           .data_len = sizeof(data)};
    assert_int_equal(link_hs_encode(&m, out, sizeof(out)), LINK_HELLO_LEN);
    assert_int_equal(link_hs_decode(out, sizeof(out), &d), 0);
    assert_null(d.cookie); /* zeros are none */
    link_hello_set_cookie(out, cookie);
    assert_int_equal(link_hs_decode(out, sizeof(out), &d), 0);
    assert_memory_equal(d.cookie, cookie, sizeof(cookie));
    assert_int_equal(d.data_len, 256);
    m.cookie = cookie;
    uint8_t again[LINK_HELLO_LEN];
    assert_int_equal(link_hs_encode(&m, again, sizeof(again)), LINK_HELLO_LEN);
    assert_memory_equal(again, out, sizeof(out));
    m = (struct link_hs){
        .type = LINK_COOKIE, .version = LINK_VERSION, .receiver = 7, .data = cookie};
    int n = link_hs_encode(&m, out, sizeof(out));
    assert_int_equal(n, LINK_HS_HEADER + LINK_COOKIE_LEN);
    assert_int_equal(link_hs_decode(out, (size_t)n, &d), 0);
    assert_true(d.type == LINK_COOKIE && d.receiver == 7 && d.data_len == LINK_COOKIE_LEN);
    assert_memory_equal(d.data, cookie, sizeof(cookie));
    assert_int_equal(link_hs_decode(out, (size_t)n - 1, &d), -EBADMSG);
}

/* Streams have numbers from 1 to LINK_STREAM_MAX, and names of some length. */
static void streams_are_bounded(void **state)
{
    (void)state;
    static const char name[LINK_NAME_MAX + 2] = {[0 ... LINK_NAME_MAX] = 'e'};
    static const struct {
        uint16_t stream, name_len;
        int want;
    } cases[] = {
        {1, 1, 0},        {LINK_STREAM_MAX, LINK_NAME_MAX, 0},
        {0, 1, -EBADMSG}, {LINK_STREAM_MAX + 1, 1, -EBADMSG},
        {1, 0, -EBADMSG}, {1, LINK_NAME_MAX + 1, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t out[LINK_CONTROL_MAX];
        struct link_control c = {.type = LINK_STREAM}, d;
        c.stream.stream = cases[i].stream;
        c.stream.ifname = (struct link_text){name, cases[i].name_len};
        c.stream.filter = (struct link_text){"", 0};
        int n = link_control_encode(&c, out, sizeof(out));
        assert_true(n > 0);
        assert_int_equal(link_control_decode(out, (size_t)n, &d), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extensions),
        cmocka_unit_test(flow_records_are_no_frame),
        cmocka_unit_test(hello_layout),
        cmocka_unit_test(handshake_data_is_bounded),
        cmocka_unit_test(other_versions_are_told),
        cmocka_unit_test(knows_its_own),
        cmocka_unit_test(is_not_fooled_by_chance),
        cmocka_unit_test(is_not_fooled_by_what_counts),
        cmocka_unit_test(record_layout),
        cmocka_unit_test(frame_headers_round_trip),
        cmocka_unit_test(frame_header_layout),
        cmocka_unit_test(segment_bounds),
        cmocka_unit_test(control_round_trip),
        cmocka_unit_test(report_round_trip),
        cmocka_unit_test(event_round_trip),
        cmocka_unit_test(cookies),
        cmocka_unit_test(probe_layout),
        cmocka_unit_test(stream_end_round_trip),
        cmocka_unit_test(streams_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
