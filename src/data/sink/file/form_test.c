/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of frames in a capture file, by form.h's functions and in files that the sink writes.
 */
#include "data/sink/file/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/sink/file/testing.h"
#include "proto/pcapng.h"

enum { RAW = PCAPNG_LINKTYPE_RAW, SLL = PCAPNG_LINKTYPE_LINUX_SLL, ETH = PCAPNG_LINKTYPE_ETHERNET };

static void the_first_interface_decides(void **state)
{
    (void)state;
    static const uint16_t rows[][3] = {
        {0, 0, ETH},     {0, ETH, ETH},   {0, RAW, RAW},   {0, SLL, SLL},   {0, 999, ETH},
        {ETH, RAW, ETH}, {ETH, SLL, ETH}, {RAW, RAW, RAW}, {RAW, SLL, ETH}, {RAW, ETH, ETH},
        {SLL, SLL, SLL}, {SLL, RAW, ETH}, {999, RAW, ETH}, {999, 999, ETH},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(file_form_linktype(rows[i][0], rows[i][1]), rows[i][2]);
    }
}

/* A frame of an IPv4 packet of four bytes, as a tap sends it. */
static const uint8_t made_up[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 1, 2, 3};

static struct frame frame_of(const uint8_t *data, uint32_t len)
{
    return (struct frame){
        .data = data, .datalen = len, .caplen = len, .origlen = 100, .dir = FRAME_DIR_OUT};
}

static void assert_bytes(const struct frame *f, const uint8_t *want, uint32_t n)
{
    uint8_t got[64];
    assert_int_equal(f->caplen, n);
    frame_copy(f, 0, got, n);
    assert_memory_equal(got, want, n);
}

static void raw_ip_has_no_header(void **state)
{
    (void)state;
    const struct file_form form = {RAW, 0};
    struct frame in = frame_of(made_up, sizeof(made_up)), out;
    assert_true(file_form_frame(&form, &in, &out));
    assert_bytes(&out, made_up + 14, 4);
    assert_int_equal(out.origlen, 86);
    /* the same where the header is not in the data yet, as it comes from a ring */
    struct frame ring = frame_of(made_up + 14, 4);
    memcpy(ring.ins, made_up, 14);
    ring.ins_len = 14;
    ring.caplen = 18;
    assert_true(file_form_frame(&form, &ring, &out));
    assert_bytes(&out, made_up + 14, 4);
    in = frame_of(made_up, 14); /* a snaplen has left nothing of the packet */
    assert_true(file_form_frame(&form, &in, &out));
    assert_int_equal(out.caplen, 0);
}

static void cooked_has_its_own_header(void **state)
{
    (void)state;
    const struct file_form form = {SLL, 778};
    uint8_t want[] = {0, 4, 3, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 1, 2, 3};
    struct frame in = frame_of(made_up, sizeof(made_up)), out;
    assert_true(file_form_frame(&form, &in, &out));
    assert_bytes(&out, want, sizeof(want));
    assert_int_equal(out.origlen, 102);
    in.dir = FRAME_DIR_IN;
    want[1] = 0;
    assert_true(file_form_frame(&form, &in, &out));
    assert_bytes(&out, want, sizeof(want));
    uint8_t other[sizeof(made_up)]; /* any type has a place in this header */
    memcpy(other, made_up, sizeof(made_up));
    other[12] = 0x88;
    want[14] = 0x88;
    in.data = other;
    assert_true(file_form_frame(&form, &in, &out));
    assert_bytes(&out, want, sizeof(want));
}

/* A header that was there, one that is cut short, and what is no IP in a link of raw IP. */
static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    const struct file_form raw = {RAW, 0}, cooked = {SLL, 778};
    uint8_t data[sizeof(made_up)];
    struct frame out, in = frame_of(data, sizeof(data));
    for (unsigned i = 0; i < 12; i++) {
        memcpy(data, made_up, sizeof(data));
        data[i] = 1;
        assert_false(file_form_frame(&raw, &in, &out));
        assert_false(file_form_frame(&cooked, &in, &out));
    }
    memcpy(data, made_up, sizeof(data));
    data[12] = 0x88;
    assert_false(file_form_frame(&raw, &in, &out));
    in = frame_of(made_up, 13);
    assert_false(file_form_frame(&raw, &in, &out));
    assert_false(file_form_frame(&cooked, &in, &out));
}

/* In a file: interfaces and frames, by their link types. */
static void in_a_file(void **state)
{
    (void)state;
    _cleanup_(closep) int fd = memfd_create("file", MFD_CLOEXEC);
    struct sink *s = util_sink(dup(fd), false, &util_conf);
    const struct point_offer points[] = {
        {.index = 1, .tap = "t", .ifname = "tun0", .linktype = RAW},
        {.index = 2, .tap = "t", .ifname = "eth0"},
        {.index = 3, .tap = "t", .ifname = "gre0", .linktype = SLL, .arphrd = 778},
    };
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        assert_int_equal(s->ops->point_add(s, &points[i], NULL), 0);
    }
    uint8_t real[sizeof(made_up)]; /* tun0 has become a TAP device */
    memcpy(real, made_up, sizeof(real));
    real[5] = 9;
    struct batch b = {.n = 4};
    for (uint32_t i = 0; i < 4; i++) {
        b.f[i] = frame_of(i == 3 ? real : made_up, sizeof(made_up));
        b.f[i].point = i == 3 ? 1 : i + 1;
    }
    s->ops->write(s, &b);
    s->ops->point_remove(s, 1);
    assert_int_equal(s->ops->point_add(s, &points[0], NULL), 0); /* the same interface again */
    b.n = 1;
    s->ops->write(s, &b);
    assert_int_equal(s->ops->finish(s, NULL), 0);
    assert_int_equal(ledger_get(sink_ledger(s, 1), LEDGER_SINK_OUT), 3);
    sink_free(s);
    static struct pcapng_reader r;
    static uint8_t bytes[1 << 16];
    ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
    assert_in_range(len, 1, sizeof(bytes) - 1);
    static const struct {
        uint16_t linktype;
        uint32_t caplen;
    } want[] = {{RAW, 4}, {ETH, 18}, {ETH, 18}, {ETH, 18}, {RAW, 4}};
    struct pcapng_item it;
    unsigned n = 0;
    pcapng_reader_init(&r);
    for (size_t at = 0; at < (size_t)len; at += it.len) {
        assert_int_equal(pcapng_read(&r, bytes + at, (size_t)len - at, &it), 0);
        if (it.kind == PCAPNG_FRAME) {
            assert_in_range(n, 0, ARRAY_SIZE(want) - 1);
            assert_int_equal(it.linktype, want[n].linktype);
            assert_int_equal(it.epb.caplen, want[n++].caplen);
        }
    }
    assert_int_equal(n, ARRAY_SIZE(want));
    assert_int_equal(r.n_ifs, 4); /* tun0 twice: as raw IP, and as Ethernet */
}

/* A file that is continued has the link type that it began with; one that cannot be had: Ethernet.
 */
static void a_continued_file_keeps_its_link_type(void **state)
{
    (void)state;
    static const uint16_t first[] = {RAW, ETH}, second[] = {RAW, RAW};
    for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
        _cleanup_(closep) int fd = memfd_create("file", MFD_CLOEXEC);
        struct batch b = {.n = 1, .f[0] = frame_of(made_up, sizeof(made_up))};
        for (int k = 0; k < 2; k++) {
            struct sink *s = util_sink(dup(fd), k == 1, &util_conf);
            struct point_offer point = {
                .tap = "t", .ifname = "x0", .linktype = k == 0 ? first[i] : second[i]};
            assert_int_equal(s->ops->point_add(s, &point, NULL), 0);
            s->ops->write(s, &b);
            assert_int_equal(s->ops->finish(s, NULL), 0);
            sink_free(s);
        }
        static struct pcapng_reader r;
        static uint8_t bytes[1 << 16];
        ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
        unsigned frames = 0;
        struct pcapng_item it;
        pcapng_reader_init(&r);
        for (ssize_t at = 0; at < len; at += (ssize_t)it.len) {
            assert_int_equal(pcapng_read(&r, bytes + at, (size_t)(len - at), &it), 0);
            frames += it.kind == PCAPNG_FRAME;
            assert_true(it.kind != PCAPNG_FRAME || it.linktype == first[i]);
        }
        assert_int_equal(frames, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_interface_decides),
        cmocka_unit_test(raw_ip_has_no_header),
        cmocka_unit_test(cooked_has_its_own_header),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(in_a_file),
        cmocka_unit_test(a_continued_file_keeps_its_link_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
