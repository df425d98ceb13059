/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer against the reader with random values, the reader against blocks made by hand in both
 * byte orders, and the writer against tshark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>

#include "base/batch.h"
#include "base/cleanup.h"
#include "proto/pcapng.h"
#include "proto/tshark_judge.h"

enum {
    BUF_LEN = 1 << 20,
    ROUNDS = 2000,
};

static uint8_t buf[BUF_LEN];
static struct pcapng_reader reader;

static uint64_t rnd(void)
{
    static uint64_t s = 0x9e3779b97f4a7c15;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

static struct pcapng_text rnd_text(char store[64])
{
    uint32_t len = (uint32_t)(rnd() % 62);
    for (uint32_t i = 0; i < len; i++) {
        store[i] = (char)('a' + rnd() % 26);
    }
    return rnd() % 4 ? (struct pcapng_text){store, len} : (struct pcapng_text){NULL, 0};
}

static void assert_text(struct pcapng_text a, struct pcapng_text b)
{
    assert_int_equal(a.p == NULL, b.p == NULL);
    assert_int_equal(a.len, b.len);
    if (a.len) {
        assert_memory_equal(a.p, b.p, a.len);
    }
}

static size_t read_one(const uint8_t *at, size_t len, struct pcapng_item *item,
                       enum pcapng_kind kind)
{
    assert_int_equal(pcapng_read(&reader, at, len, item), 0);
    assert_int_equal(item->kind, kind);
    return item->len;
}

static void meta_survives(void **state)
{
    (void)state;
    char s[4][64];
    struct pcapng_item it;
    for (int i = 0; i < ROUNDS; i++) {
        struct wr w = wr_make(buf, sizeof(buf));
        struct pcapng_shb shb = {rnd_text(s[0]), rnd_text(s[1]), rnd_text(s[2])};
        pcapng_reader_init(&reader);
        pcapng_put_shb(&w, &shb);
        assert_int_equal(read_one(buf, wr_len(&w), &it, PCAPNG_SECTION), wr_len(&w));
        assert_text(it.shb.hardware, shb.hardware);
        assert_text(it.shb.os, shb.os);
        assert_text(it.shb.app, shb.app);

        w = wr_make(buf, sizeof(buf));
        struct pcapng_idb idb = {(uint16_t)rnd(), (uint32_t)rnd(), rnd() % 3 * rnd(),
                                 rnd_text(s[0]),  rnd_text(s[1]),  rnd_text(s[2]),
                                 rnd_text(s[3])};
        pcapng_put_idb(&w, &idb);
        assert_int_equal(read_one(buf, wr_len(&w), &it, PCAPNG_INTERFACE), wr_len(&w));
        assert_int_equal(it.idb.linktype, idb.linktype);
        assert_int_equal(it.idb.snaplen, idb.snaplen);
        assert_true(it.idb.speed == idb.speed);
        assert_text(it.idb.name, idb.name);
        assert_text(it.idb.description, idb.description);
        assert_text(it.idb.filter, idb.filter);
        assert_text(it.idb.os, idb.os);
        assert_int_equal(reader.n_ifs, 1);
    }
}

static void stats_survive(void **state)
{
    (void)state;
    char s[64];
    struct pcapng_item it;
    pcapng_reader_init(&reader);
    reader.started = true;
    reader.n_ifs = 3;
    reader.ifs[2].tsresol = 9;
    for (int i = 0; i < ROUNDS; i++) {
        struct wr w = wr_make(buf, sizeof(buf));
        struct pcapng_isb v = {.ifid = 2, .has = rnd() & 127, .ts_ns = (int64_t)(rnd() >> 1)};
        v.comment = rnd_text(s);
        v.start_ns = v.has & PCAPNG_HAS_START ? (int64_t)(rnd() >> 1) : 0;
        v.end_ns = v.has & PCAPNG_HAS_END ? (int64_t)(rnd() >> 1) : 0;
        v.ifrecv = v.has & PCAPNG_HAS_IFRECV ? rnd() : 0;
        v.ifdrop = v.has & PCAPNG_HAS_IFDROP ? rnd() : 0;
        v.accept = v.has & PCAPNG_HAS_ACCEPT ? rnd() : 0;
        v.osdrop = v.has & PCAPNG_HAS_OSDROP ? rnd() : 0;
        v.usrdeliv = v.has & PCAPNG_HAS_USRDELIV ? rnd() : 0;
        pcapng_put_isb(&w, &v);
        assert_int_equal(read_one(buf, wr_len(&w), &it, PCAPNG_STATS), wr_len(&w));
        assert_text(it.isb.comment, v.comment);
        v.comment = it.isb.comment = (struct pcapng_text){NULL, 0};
        assert_memory_equal(&it.isb, &v, sizeof(v));
    }
}

static void frames_survive(void **state)
{
    (void)state;
    struct pcapng_item it;
    pcapng_reader_init(&reader);
    reader.started = true;
    reader.n_ifs = PCAPNG_IFS_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        struct wr w = wr_make(buf, sizeof(buf));
        struct pcapng_epb v = {(uint32_t)(rnd() % PCAPNG_IFS_MAX),
                               (uint32_t)(rnd() % (i % 2 ? 70 : 9000)),
                               (uint32_t)rnd(),
                               (int64_t)(rnd() >> 1),
                               rnd() % 2 * rnd(),
                               (uint8_t)(rnd() % 3)};
        reader.ifs[v.ifid].tsresol = 9;
        uint8_t *frame = pcapng_epb_begin(&w, &v);
        assert_non_null(frame);
        memset(frame, (int)i, v.caplen);
        assert_int_equal(wr_len(&w), pcapng_epb_len(&v));
        assert_int_equal(read_one(buf, wr_len(&w), &it, PCAPNG_FRAME), wr_len(&w));
        assert_int_equal(it.epb.ifid, v.ifid);
        assert_int_equal(it.epb.caplen, v.caplen);
        assert_int_equal(it.epb.origlen, v.origlen);
        assert_true(it.epb.ts_ns == v.ts_ns && it.epb.lost == v.lost && it.epb.dir == v.dir);
        assert_ptr_equal(it.data, frame);
        /* A byte less room, and nothing is written. */
        w = wr_make(buf, pcapng_epb_len(&v) - 1);
        assert_null(pcapng_epb_begin(&w, &v));
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static char text[3 * PCAPNG_TEXT_MAX + 1];
    struct pcapng_item it;
    for (size_t i = 0; i + 2 < sizeof(text); i += 3) {
        memcpy(text + i, "\xe2\x82\xac", 3); /* one character, three bytes: 8192 is no multiple */
    }
    struct pcapng_text t = pcapng_text(text);
    struct pcapng_idb idb = {1, 0, 1, t, t, t, t};
    struct wr w = wr_make(buf, PCAPNG_META_MAX);
    pcapng_put_idb(&w, &idb);
    assert_true(wr_ok(&w));
    pcapng_reader_init(&reader);
    reader.started = true;
    read_one(buf, wr_len(&w), &it, PCAPNG_INTERFACE);
    assert_int_equal(it.idb.name.len, 8190);
    assert_int_equal(it.idb.filter.len, 8190);
}

/* As long as may be, without anything behind it, and one byte more. */
static void the_longest_texts(void **state)
{
    (void)state;
    struct pcapng_item it;
    for (size_t n = PCAPNG_TEXT_MAX - 1; n <= PCAPNG_TEXT_MAX + 1; n++) {
        _cleanup_(freep) char *exact = malloc(n);
        memset(exact, 'a', n);
        struct pcapng_idb idb = {.linktype = 1, .name = {exact, (uint32_t)n}};
        struct wr w = wr_make(buf, PCAPNG_META_MAX);
        pcapng_put_idb(&w, &idb);
        pcapng_reader_init(&reader);
        reader.started = true;
        read_one(buf, wr_len(&w), &it, PCAPNG_INTERFACE);
        assert_int_equal(it.idb.name.len, MIN(n, (size_t)PCAPNG_TEXT_MAX));
    }
}

/* Made by hand, word by word; `big` chooses the order. */
static void put32(struct wr *w, bool big, uint32_t v)
{
    if (big) {
        wr_u32(w, v);
    } else {
        wr_u32le(w, v);
    }
}

static void put16(struct wr *w, bool big, uint16_t v)
{
    if (big) {
        wr_u16(w, v);
    } else {
        wr_u16le(w, v);
    }
}

static void hand_section(struct wr *w, bool big)
{
    put32(w, big, 0x0a0d0d0a);
    put32(w, big, 28);
    put32(w, big, 0x1a2b3c4d);
    put16(w, big, 1);
    put16(w, big, 2);
    put32(w, big, 0xffffffff);
    put32(w, big, 0xffffffff);
    put32(w, big, 28);
}

/* resol < 0: without the option */
static void hand_interface(struct wr *w, bool big, uint32_t snaplen, int resol, int32_t offset)
{
    uint32_t len = 20 + (resol >= 0 ? 8 : 0) + (offset ? 12 : 0) + 4;
    put32(w, big, 1);
    put32(w, big, len);
    put16(w, big, 1);
    put16(w, big, 0);
    put32(w, big, snaplen);
    if (resol >= 0) {
        put16(w, big, 9);
        put16(w, big, 1);
        wr_u8(w, (uint8_t)resol);
        wr_zero(w, 3);
    }
    if (offset) {
        put16(w, big, 14);
        put16(w, big, 8);
        uint32_t high = offset < 0 ? UINT32_MAX : 0;
        put32(w, big, big ? high : (uint32_t)offset);
        put32(w, big, big ? (uint32_t)offset : high);
    }
    put32(w, big, 0);
    put32(w, big, len);
}

static void hand_frame(struct wr *w, bool big, uint32_t ifid, uint64_t units)
{
    put32(w, big, 6);
    put32(w, big, 32 + 8 + 8 + 12);
    put32(w, big, ifid);
    put32(w, big, (uint32_t)(units >> 32));
    put32(w, big, (uint32_t)units);
    put32(w, big, 5);
    put32(w, big, 77);
    wr_copy(w, "hello\0\0\0", 8);
    put16(w, big, 2);
    put16(w, big, 4);
    put32(w, big, 0x10e | 2); /* other bits of the flags are of no matter */
    put16(w, big, 4);
    put16(w, big, 8);
    put32(w, big, big ? 0 : 9);
    put32(w, big, big ? 9 : 0); /* no end of options: the block's end does as well */
    put32(w, big, 32 + 8 + 8 + 12);
}

static void both_byte_orders(void **state)
{
    (void)state;
    struct {
        int resol;
        int32_t offset;
        uint64_t units;
        int64_t ns;
    } cases[] = {
        {-1, 0, 1700000000123456, 1700000000123456000},
        {6, 5, 1700000000123456, 1700000005123456000},
        {9, -5, 1700000000123456789, 1699999995123456789},
        {3, 0, 1700000000123, 1700000000123000000},
        {0, 0, 1700000000, 1700000000000000000},
        {12, 0, 1700000000123456789, 1700000000123456},
        {0x80 | 32, 0, (UINT64_C(1700000000) << 32) + (UINT64_C(1) << 31), 1700000000500000000},
        {0x80 | 127, 0, UINT64_MAX, 0},
        {0x80, 0, 2, 2000000000},
        {127, 0, UINT64_MAX, 0},
        {0, 0, UINT64_MAX, INT64_MAX},
        {9, -1, 5, 0},
    };
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool big = i & 1;
        struct pcapng_item it;
        struct wr w = wr_make(buf, sizeof(buf));
        hand_section(&w, big);
        hand_interface(&w, big, 0, cases[i / 2].resol, cases[i / 2].offset);
        hand_frame(&w, big, 0, cases[i / 2].units);
        pcapng_reader_init(&reader);
        size_t at = read_one(buf, wr_len(&w), &it, PCAPNG_SECTION);
        at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_INTERFACE);
        at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_FRAME);
        assert_int_equal(at, wr_len(&w));
        assert_true(it.epb.ts_ns == cases[i / 2].ns);
        assert_int_equal(it.epb.caplen, 5);
        assert_int_equal(it.epb.origlen, 77);
        assert_int_equal(it.epb.dir, FRAME_DIR_OUT);
        assert_int_equal(it.epb.lost, 9);
        assert_memory_equal(it.data, "hello", 5);
    }
}

static void other_blocks(void **state)
{
    (void)state;
    struct pcapng_item it;
    struct wr w = wr_make(buf, sizeof(buf));
    hand_section(&w, false);
    hand_interface(&w, false, 3, -1, 0);
    const uint32_t simple[] = {3, 20, 9, 0x64636261, 20}; /* SPB: 9 bytes, 3 of them captured */
    const uint32_t names[] = {4, 16, 0, 16};
    const uint32_t unknown[] = {0xbad, 12, 12};
    wr_copy(&w, simple, sizeof(simple));
    wr_copy(&w, names, sizeof(names));
    wr_copy(&w, unknown, sizeof(unknown));
    hand_section(&w, true); /* and a section of the other order begins anew */
    pcapng_reader_init(&reader);
    size_t at = read_one(buf, wr_len(&w), &it, PCAPNG_SECTION);
    at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_INTERFACE);
    at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_FRAME);
    assert_int_equal(it.epb.caplen, 3);
    assert_int_equal(it.epb.origlen, 9);
    assert_memory_equal(it.data, "abc", 3);
    assert_int_equal(it.linktype, PCAPNG_LINKTYPE_ETHERNET);
    at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_OTHER);
    at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_OTHER);
    assert_int_equal(reader.n_ifs, 1);
    at += read_one(buf + at, wr_len(&w) - at, &it, PCAPNG_SECTION);
    assert_int_equal(at, wr_len(&w));
    assert_int_equal(reader.n_ifs, 0);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct pcapng_item it = {.kind = PCAPNG_OTHER};
    struct {
        size_t off;
        uint32_t value;
    } bad[] = {{52, 7}, {56, 61}, {56, 8},    {56, 0},  {56, UINT32_MAX & ~3u},
               {60, 1}, {72, 29}, {72, 1000}, {108, 56}};
    /* Blocks at 0 (28 bytes), 28 (24), 52 (60): 56 is the frame's length, 60 its interface, 72 its
     * caplen, 108 its second length. */
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct wr w = wr_make(buf, sizeof(buf));
        hand_section(&w, false);
        hand_interface(&w, false, 0, -1, 0);
        hand_frame(&w, false, 0, 1);
        memcpy(buf + bad[i].off, &bad[i].value, 4);
        pcapng_reader_init(&reader);
        read_one(buf, wr_len(&w), &it, PCAPNG_SECTION);
        read_one(buf + 28, wr_len(&w) - 28, &it, PCAPNG_INTERFACE);
        int err = pcapng_read(&reader, buf + 52, wr_len(&w) - 52, &it);
        assert_int_equal(err, bad[i].off == 52 ? 0 : -EPROTO);
    }
    pcapng_reader_init(&reader);
    assert_int_equal(pcapng_read(&reader, (const uint8_t *)"not a capture file", 18, &it), -EPROTO);
    assert_int_equal(pcapng_read(&reader, buf, 5, &it), 0);
    assert_int_equal(it.kind, PCAPNG_MORE);
    assert_int_equal(it.len, 12);
    assert_int_equal(pcapng_read(&reader, buf, 27, &it), 0);
    assert_int_equal(it.kind, PCAPNG_MORE);
    assert_int_equal(it.len, 28);
}

/* Feeds the file in windows of at most `window` bytes. */
static int tail_of(const uint8_t *file, size_t size, size_t window, uint64_t *ret_good)
{
    struct pcapng_tail t;
    pcapng_tail_init(&t, size);
    int go = size > 0 ? 1 : 0;
    for (unsigned turns = 0; go == 1; turns++) {
        assert_true(turns < 100000 && t.at < size);
        size_t n = MIN(window, size - (size_t)t.at);
        _cleanup_(freep) uint8_t *exact = malloc(n);
        memcpy(exact, file + t.at, n);
        go = pcapng_tail_feed(&t, exact, n);
    }
    *ret_good = t.good;
    return go;
}

static void tails(void **state)
{
    (void)state;
    size_t ends[64], n = 0;
    uint64_t good;
    struct wr w = wr_make(buf, sizeof(buf));
    for (int big = 0; big < 2; big++) { /* two sections, of either order */
        hand_section(&w, big);
        ends[n++] = wr_len(&w);
        hand_interface(&w, big, 0, 9, 0);
        ends[n++] = wr_len(&w);
        for (uint64_t i = 0; i < 10; i++) {
            hand_frame(&w, big, 0, 1);
            ends[n++] = wr_len(&w);
        }
    }
    const size_t windows[] = {16, 17, 29, 100, sizeof(buf)};
    for (size_t k = 0; k < ARRAY_SIZE(windows); k++) {
        for (size_t size = 12; size <= wr_len(&w); size++) {
            size_t want = 0;
            for (size_t i = 0; i < n && ends[i] <= size; i++) {
                want = ends[i];
            }
            assert_int_equal(tail_of(buf, size, windows[k], &good), 0);
            assert_int_equal(good, want);
        }
    }
    size_t size = wr_len(&w);
    memset(buf + size, 0, 5000); /* zeros at the end, from within a block on */
    for (size_t from = size; from > size - 56; from -= 4) {
        memset(buf + from, 0, size - from);
        assert_int_equal(tail_of(buf, size + 5000, 64, &good), 0);
        assert_int_equal(good, from == size ? size : ends[n - 2]);
    }
    buf[size] = PCAPNG_EPB; /* of the next block only the type was there in time */
    assert_int_equal(tail_of(buf, size + 5000, 64, &good), -EBADMSG); /* the one before is bad */
    assert_int_equal(tail_of(buf, ends[n - 2], 64, &good), 0);
    memset(buf + ends[n - 2] + 4, 0, 5000);
    assert_int_equal(tail_of(buf, size + 4000, 64, &good), 0);
    assert_int_equal(good, ends[n - 2]);
    buf[size + 4000] = 1; /* but not zeros all the way */
    assert_int_equal(tail_of(buf, size + 5000, 64, &good), -EBADMSG);
    assert_int_equal(good, ends[n - 2]);
    assert_int_equal(tail_of((const uint8_t *)"\xd4\xc3\xb2\xa1 classic pcap..", 20, 64, &good),
                     -EPROTO);
    assert_int_equal(tail_of((const uint8_t *)"short", 5, 64, &good), -EPROTO);
}

/* The first interface's snaplen, once its block is whole, whatever windows the file is read in. */
static void tails_know_the_snaplen(void **state)
{
    (void)state;
    static const uint32_t snaplens[] = {0, 96, 262144, 0x81828384};
    for (unsigned k = 0; k < 2 * ARRAY_SIZE(snaplens); k++) {
        struct wr w = wr_make(buf, sizeof(buf));
        uint32_t snaplen = snaplens[k / 2];
        hand_section(&w, k % 2);
        hand_interface(&w, k % 2, snaplen, 9, 0);
        size_t whole = wr_len(&w);
        hand_interface(&w, k % 2, 512, 9, 0);
        for (size_t window = 16; window < 80; window++) {
            for (size_t size = whole - 4; size <= wr_len(&w); size += 4) {
                struct pcapng_tail t;
                pcapng_tail_init(&t, size);
                for (int go = 1; go == 1;) {
                    go = pcapng_tail_feed(&t, buf + t.at, MIN(window, size - (size_t)t.at));
                }
                assert_int_equal(t.described, size >= whole);
                assert_int_equal(t.snaplen, size >= whole ? snaplen : 0);
            }
        }
    }
}

enum {
    JUDGED = 60,
};

static size_t judged_file(void)
{
    struct wr w = wr_make(buf, sizeof(buf));
    struct pcapng_shb shb = {.os = pcapng_text("Linux"), .app = pcapng_text("farspan test")};
    pcapng_put_shb(&w, &shb);
    for (unsigned i = 0; i < 2; i++) {
        struct pcapng_idb idb = {.linktype = 1, .name = pcapng_text(i ? "db2:eth1" : "web1:eth0")};
        idb.description = pcapng_text(i ? "eth1 on tap db2" : "eth0 on tap web1");
        idb.filter = pcapng_text("tcp port 80");
        idb.os = pcapng_text("Linux 6.1");
        idb.speed = 10000000000;
        pcapng_put_idb(&w, &idb);
    }
    for (uint32_t i = 0; i < JUDGED; i++) {
        struct pcapng_epb v = {i % 2,     60 + i,          60 + i * 100, 1700000000123456789 + i,
                               i % 3 * i, (uint8_t)(i % 3)};
        memset(pcapng_epb_begin(&w, &v), 0xff, v.caplen);
    }
    struct pcapng_isb isb = {.ifid = 1, .has = 127, .ts_ns = 1700000001000000000};
    isb.start_ns = 1700000000000000000;
    isb.end_ns = isb.ts_ns;
    isb.ifrecv = 31;
    isb.ifdrop = 17;
    isb.comment = pcapng_text("dropped by kernel, ring full: 17");
    pcapng_put_isb(&w, &isb);
    assert_true(wr_ok(&w));
    return wr_len(&w);
}

static void tshark_reads_frames(void **state)
{
    (void)state;
    if (judge_missing()) {
        skip();
    }
    char path[32], line[512], want[512];
    judge_file(path, buf, judged_file());
    FILE *f = judge_open(path, "-e frame.interface_name -e frame.interface_description "
                               "-e frame.packet_flags_direction -e frame.time_epoch "
                               "-e frame.cap_len -e frame.len -e frame.drop_count");
    assert_non_null(f);
    for (unsigned i = 0; i < JUDGED; i++) {
        char dir[16] = "", lost[16] = "";
        if (i % 3) {
            snprintf(dir, sizeof(dir), "0x%08x", i % 3);
            snprintf(lost, sizeof(lost), "%u", i % 3 * i);
        }
        snprintf(want, sizeof(want), "%s|%s|%s|%" PRIu64 ".%09u|%u|%u|%s\n",
                 i % 2 ? "db2:eth1" : "web1:eth0", i % 2 ? "eth1 on tap db2" : "eth0 on tap web1",
                 dir, UINT64_C(1700000000), 123456789 + i, 60 + i, 60 + i * 100, lost);
        assert_non_null(fgets(line, sizeof(line), f));
        assert_string_equal(line, want);
    }
    assert_null(fgets(line, sizeof(line), f));
    assert_int_equal(pclose(f), 0);
    unlink(path);
}

static void capinfos_reads_the_rest(void **state)
{
    (void)state;
    if (judge_missing() || access("/usr/bin/capinfos", X_OK) < 0) {
        skip();
    }
    char path[32], cmd[128], all[8192];
    judge_file(path, buf, judged_file());
    snprintf(cmd, sizeof(cmd), "/usr/bin/capinfos %s", path);
    FILE *f = popen(cmd, "re");
    assert_non_null(f);
    all[fread(all, 1, sizeof(all) - 1, f)] = '\0';
    assert_int_equal(pclose(f), 0);
    unlink(path);
    const char *want[] = {"Linux",
                          "farspan test",
                          "Name = web1:eth0",
                          "Description = eth1 on tap db2",
                          "Time precision = nanoseconds (9)",
                          "Speed = 10000000000",
                          "Filter string = tcp port 80",
                          "Operating system = Linux 6.1",
                          "Number of stat entries = 1",
                          "Number of packets = 30"};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        if (!strstr(all, want[i])) {
            fail_msg("capinfos does not say \"%s\":\n%s", want[i], all);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meta_survives),
        cmocka_unit_test(stats_survive),
        cmocka_unit_test(frames_survive),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(the_longest_texts),
        cmocka_unit_test(both_byte_orders),
        cmocka_unit_test(other_blocks),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(tails),
        cmocka_unit_test(tails_know_the_snaplen),
        cmocka_unit_test(tshark_reads_frames),
        cmocka_unit_test(capinfos_reads_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
