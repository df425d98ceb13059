/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames made by hand go into the meter, and its records come to an exporter of the test's, or as
 * comma-separated values into a file. Flows themselves are model/flows_test.c's affair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "data/meter/ipfix_file.h"
#include "data/meter/lines.h"
#include "data/meter/meter.h"
#include "data/meter/testing.h"
#include "proto/packet.h"

/* The initiator's record comes first, also where its address is the higher one. */
static void a_record_for_each_direction(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t there[TESTING_UDP], back[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100});
    testing_udp(there, false, IPPROTO_UDP, 0);
    testing_udp(back, true, IPPROTO_UDP, 0);
    testing_add(&w, back, TESTING_UDP, 0);
    testing_add(&w, there, TESTING_UDP, 0);
    testing_add(&w, back, TESTING_UDP, 0)->ts_ns = -5; /* before 1970: as if at its beginning */
    testing_pass(&w);
    struct meter_sink_figures f;
    meter_sink_figures(w.s, &f);
    assert_int_equal(f.now, 1);
    testing_end(&w);
    assert_int_equal(w.k->n, 2);
    const struct flowrec *r = w.k->r;
    assert_true(r[0].port[0] == 53 && r[0].port[1] == 4000);
    assert_memory_equal(r[0].addr[0], "\x0a\0\0\2\0", 5);
    assert_memory_equal(r[0].addr[1], "\x0a\0\0\1\0", 5);
    assert_true(r[0].packets == 2 && r[0].bytes == 56);
    assert_true(r[0].first_ns == 0 && r[0].last_ns == 1000);
    assert_true(r[1].packets == 1 && r[1].port[0] == 4000 && r[1].first_ns == 1001);
    assert_true(r[1].version == 4 && r[1].proto == IPPROTO_UDP && r[1].tos == 8);
    assert_true(r[0].has_mac && r[1].has_mac && !r[0].has_label);
    assert_memory_equal(r[0].mac, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
    assert_memory_equal(r[1].mac, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    assert_string_equal(r[1].point, "eth0");
    assert_int_equal(r[1].end_reason, 4);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUT), 3);
    testing_done(&w);
}

/* Frames that stand for others count once, or with `scale` for all of them, to the packet. */
static void frames_that_stand_for_others(void **state)
{
    (void)state;
    static struct testing w;
    static const uint32_t more[] = {0, 3, UINT32_MAX - 1, 999999};
    uint8_t d[TESTING_UDP];
    testing_udp(d, false, IPPROTO_UDP, 0);
    for (unsigned scale = 0; scale < 2; scale++) {
        uint64_t n = 0;
        testing_begin(&w, (struct meter_sink_conf){.flows = 100, .scale = scale});
        for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
            testing_add(&w, d, TESTING_UDP, 0)->more = more[i];
            n += scale ? (uint64_t)more[i] + 1 : 1;
        }
        testing_pass(&w);
        testing_end(&w);
        assert_int_equal(w.k->n, 1);
        assert_int_equal(w.k->r[0].packets, n);
        assert_int_equal(w.k->r[0].bytes, 28 * n);
        assert_int_equal(testing_count(&w, 0, LEDGER_MET_IN), ARRAY_SIZE(more));
        assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUT), ARRAY_SIZE(more));
        testing_done(&w);
    }
}

/* A sum of frames that stand for very many ends, and does not wrap. */
static void a_sum_that_ends(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t d[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .scale = true});
    testing_udp(d, false, IPPROTO_UDP, 0);
    st_u16(d + TESTING_ETHER + 2, 0); /* its length is that of the frame */
    for (unsigned i = 0; i < 3; i++) {
        struct frame *f = testing_add(&w, d, TESTING_UDP, 0);
        f->origlen = UINT32_MAX;
        f->more = UINT32_MAX;
    }
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->r[0].packets, UINT64_C(3) << 32);
    assert_int_equal(w.k->r[0].bytes, LEDGER_MOST);
    testing_done(&w);
}

/* The same packets on another interface, or inside another VLAN, are other flows; so is an answer
 * of ICMP. */
static void what_makes_a_flow(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t udp[TESTING_UDP], ping[2][TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100});
    testing_udp(udp, false, IPPROTO_UDP, 0);
    testing_udp(ping[0], false, IPPROTO_ICMP, 0);
    testing_udp(ping[1], true, IPPROTO_ICMP, 0);
    testing_add(&w, udp, TESTING_UDP, 0);
    testing_add(&w, udp + TESTING_ETHER, TESTING_UDP - TESTING_ETHER, 5);
    struct frame *f = testing_add(&w, udp, TESTING_UDP, 0);
    f->ins_off = 12;
    f->ins_len = 4;
    memcpy(f->ins, "\x81\0\xe0\7", 4);
    f->caplen += 4;
    f->origlen += 4;
    for (unsigned i = 0; i < 2; i++) { /* both say port 0 and the same code */
        memset(ping[i] + TESTING_ETHER + 20, 0, 4);
        testing_add(&w, ping[i], TESTING_UDP, 0);
    }
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 5);
    const struct flowrec *r = w.k->r;
    assert_true(r[0].vlans == 0 && r[1].vlans == 0 && r[2].vlans == 1 && r[2].vlan[0] == 7);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(r[i].packets == 1 && r[i].bytes == 28);
    }
    assert_int_equal(r[4].addr[0][3], 2);
    assert_int_equal(testing_count(&w, 5, LEDGER_MET_OUT), 1);
    testing_done(&w);
}

static void fragments_find_their_ports(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t first[TESTING_UDP], later[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100});
    testing_udp(first, false, IPPROTO_UDP, 0x2000);
    testing_udp(later, false, IPPROTO_UDP, 0x0003);
    testing_add(&w, later, TESTING_UDP, 0);
    testing_add(&w, first, TESTING_UDP, 0);
    testing_add(&w, later, TESTING_UDP, 0);
    testing_add(&w, later + TESTING_ETHER, TESTING_UDP - TESTING_ETHER,
                5); /* on another interface it is another packet */
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 3);
    const struct flowrec *r = w.k->r;
    assert_true(r[0].port[0] == 0 && r[0].port[1] == 0 && r[0].packets == 1);
    assert_true(r[1].port[0] == 4000 && r[1].port[1] == 53 && r[1].packets == 2);
    assert_true(r[2].port[0] == 0 && r[2].packets == 1);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_FRAGMENTS), 1);
    assert_int_equal(testing_count(&w, 5, LEDGER_MET_FRAGMENTS), 1);
    testing_done(&w);
}

static void what_is_in_no_flow(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t udp[TESTING_UDP], arp[TESTING_UDP], broken[TESTING_UDP];
    struct error err = {""};
    testing_begin(&w, (struct meter_sink_conf){.flows = 100});
    testing_udp(udp, false, IPPROTO_UDP, 0);
    memcpy(arp, udp, sizeof(arp));
    memcpy(broken, udp, sizeof(broken));
    arp[13] = 6;
    broken[TESTING_ETHER] = 0x41;
    testing_add(&w, arp, TESTING_UDP, 0);
    testing_add(&w, broken, TESTING_UDP, 0);
    testing_add(&w, udp, TESTING_ETHER + 19, 0)->origlen = 1000; /* cut off when it was captured */
    testing_add(&w, udp, TESTING_UDP, 6);                        /* of no point */
    testing_pass(&w);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_NOT_IP), 1);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_BAD_IP), 2);
    const struct point_offer usb = {.index = 7, .tap = "", .ifname = "usb0", .linktype = 220};
    assert_int_equal(w.s->ops->point_add(w.s, &usb, &err), -ENOTSUP);
    assert_string_equal(err.text, "usb0: link type 220 is none that the meter can read");
    w.s->ops->point_remove(w.s, 0);
    testing_add(&w, udp, TESTING_UDP, 0);
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 0);
    assert_true(w.k->news.ignored == 2 && w.k->news.ignored_octets == TESTING_UDP + 1000);
    testing_done(&w);
}

static void flows_that_leave_early_are_counted(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t udp[3][TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 1});
    for (unsigned i = 0; i < 3; i++) {
        testing_udp(udp[i], false, IPPROTO_UDP, 0);
        udp[i][TESTING_ETHER + 19] = (uint8_t)(9 + i);
        testing_add(&w, udp[i], TESTING_UDP, 0);
    }
    testing_pass(&w);
    struct meter_sink_figures f;
    meter_sink_figures(w.s, &f);
    assert_true(f.now == 1 && f.evicted == 2);
    assert_true(w.k->n == 2 && w.k->r[1].end_reason == 5);
    testing_end(&w);
    testing_done(&w);
}

/* A super-packet of TCP, as the kernel has it: 1000 bytes for 3 packets of the wire. */
static void super_packets_are_several(void **state)
{
    (void)state;
    enum { HEADERS = 20 + 20, PAYLOAD = 1000, SIZE = 400, LEN = TESTING_ETHER + HEADERS + PAYLOAD };
    static struct testing w;
    uint8_t tcp[LEN] = {0};
    testing_begin(&w, (struct meter_sink_conf){.flows = 100});
    testing_udp(tcp, false, IPPROTO_TCP, 0);
    st_u16(tcp + TESTING_ETHER + 2, LEN - TESTING_ETHER);
    tcp[TESTING_ETHER + 20 + 12] = 0x50;
    tcp[TESTING_ETHER + 20 + 13] = 0x10;
    for (unsigned i = 0; i < 2; i++) { /* and one of which its kind is not known */
        struct frame *f = testing_add(&w, tcp, LEN, 0);
        f->gso_type = i == 0 ? 1 : 3;
        f->gso_size = SIZE;
        f->vnet_flags = 1;
        f->csum_start = TESTING_ETHER + 20;
        f->csum_offset = 16;
        f->caplen = TESTING_ETHER + HEADERS + 10; /* cut by a snaplen */
    }
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 1);
    assert_int_equal(w.k->r[0].packets, 3 + 1);
    assert_int_equal(w.k->r[0].bytes, 3 * HEADERS + PAYLOAD + HEADERS + PAYLOAD);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUT), 2);
    testing_done(&w);
}

/* Flows leave by the time to which both points are read, not by that of one. */
static void the_slowest_makes_the_time(void **state)
{
    (void)state;
    static struct testing w;
    const int64_t s = NSEC_PER_SEC, now = wall_now().ns;
    uint8_t udp[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .time = METER_BY_READS});
    testing_udp(udp, false, IPPROTO_UDP, 0);
    w.now_ns = now;
    testing_add(&w, udp, TESTING_UDP, 0);
    testing_pass(&w);
    w.now_ns = now + 100 * s;
    testing_add(&w, udp + TESTING_ETHER, TESTING_UDP - TESTING_ETHER, 5);
    testing_pass(&w);
    meter_sink_read(w.s, 5, true, now + 200 * s);
    assert_int_equal(w.k->n, 0); /* of the other it is not known */
    meter_sink_read(w.s, 0, false, now + 200 * s);
    assert_int_equal(w.k->n, 0); /* it has more */
    meter_sink_read(w.s, 0, true, now + 15 * s);
    assert_int_equal(w.k->n, 0); /* some may be on their way */
    meter_sink_read(w.s, 0, true, now + 16 * s);
    assert_int_equal(w.k->n, 1);
    meter_sink_read(w.s, 0, true, now + 150 * s);
    assert_int_equal(w.k->n, 2);
    assert_int_equal(w.k->r[1].end_reason, 1);
    testing_end(&w);
    testing_done(&w);
}

/* Its flows end, and what comes under its index then is another's. */
static void a_point_goes(void **state)
{
    (void)state;
    static struct testing w;
    struct error err = {""};
    uint8_t udp[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .time = METER_BY_READS});
    testing_udp(udp, false, IPPROTO_UDP, 0);
    testing_add(&w, udp, TESTING_UDP, 0);
    testing_add(&w, udp + TESTING_ETHER, TESTING_UDP - TESTING_ETHER, 5);
    testing_pass(&w);
    w.s->ops->point_remove(w.s, 9); /* there is none */
    w.s->ops->point_remove(w.s, 0);
    assert_int_equal(w.k->n, 1);
    assert_string_equal(w.k->r[0].point, "eth0");
    const struct point_offer other = {
        .index = 0, .tap = "", .ifname = "eth1", .linktype = PACKET_ETHERNET};
    assert_int_equal(w.s->ops->point_add(w.s, &other, &err), 0);
    testing_add(&w, udp, TESTING_UDP, 0);
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 3);
    testing_done(&w);
}

/* TCP's flags in a frame of testing_udp(), whose bytes behind the ports are zeros. */
static void make_tcp(uint8_t d[TESTING_UDP + 12], bool back, uint8_t flags)
{
    memset(d, 0, TESTING_UDP + 12);
    testing_udp(d, back, IPPROTO_TCP, 0);
    d[TESTING_ETHER + 3] += 12;
    d[TESTING_ETHER + 20 + 13] = flags;
}

/* Both directions in one record to the exporter that can, the initiator's first; the one that there
 * is, and zeros; two records to the other exporter. */
static void both_directions_in_one_record(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t d[4][TESTING_UDP + 12];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .biflow = true});
    make_tcp(d[0], true, 0x10);
    make_tcp(d[1], false, 0x02); /* who sends the SYN began, though it is seen later */
    make_tcp(d[2], false, 0x12); /* an answer alone, to another port */
    d[2][TESTING_ETHER + 21] = 1;
    make_tcp(d[3], true, 0x18);
    d[1][TESTING_ETHER + 1] = 16; /* its type of service */
    for (unsigned i = 0; i < 4; i++) {
        testing_add(&w, d[i], TESTING_UDP + 12, 0);
    }
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 3);
    assert_int_equal(w.both->n, 2);
    const struct flowrec *one = w.both->r; /* in the order of their last packets */
    assert_int_equal(one[0].biflow, FLOWREC_RESPONDER);
    assert_true(one[0].packets == 1 && one[0].tcp_flags == 0x12 && one[0].reverse.packets == 0);
    assert_true(one[0].reverse.first_ns == 0 && one[0].reverse.tcp_flags == 0);
    assert_int_equal(one[1].biflow, FLOWREC_INITIATOR);
    assert_memory_equal(one[1].addr[0], "\x0a\0\0\1\0", 5);
    assert_true(one[1].packets == 1 && one[1].bytes == 40 && one[1].tcp_flags == 2);
    assert_true(one[1].first_ns == 1001 && one[1].last_ns == 1001 && one[1].tos == 16);
    const struct flowrec_reverse *r = &one[1].reverse;
    assert_true(r->packets == 2 && r->bytes == 80 && r->tcp_flags == 0x18 && r->tos == 8);
    assert_true(r->first_ns == 1000 && r->last_ns == 1003);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(w.k->r[i].biflow == FLOWREC_ONE_WAY && w.k->r[i].reverse.packets == 0);
    }
    assert_true(w.k->r[1].packets == 1 && w.k->r[2].packets == 2);
    testing_done(&w);
    testing_begin(&w, (struct meter_sink_conf){.flows = 100}); /* not asked for: two of each */
    testing_add(&w, d[0], TESTING_UDP + 12, 0);
    testing_add(&w, d[1], TESTING_UDP + 12, 0);
    testing_pass(&w);
    testing_end(&w);
    assert_true(w.k->n == 2 && w.both->n == 2 && w.both->r[1].biflow == FLOWREC_ONE_WAY);
    testing_done(&w);
}

/* ---- flows of a moment ---- */

static void count_begin(void *user)
{
    ++*(unsigned *)user;
}

/* Those that are kept are shown, as often as somebody asks, and are told all the same later. */
static void flows_of_a_moment(void **state)
{
    (void)state;
    static struct testing w, shown;
    uint8_t d[3][TESTING_UDP + 12];
    unsigned begun = 0;
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .biflow = true});
    testing_begin(&shown, (struct meter_sink_conf){.flows = 100});
    make_tcp(d[0], false, 0x02);
    make_tcp(d[1], true, 0x12);
    make_tcp(d[2], false, 0x04); /* another one, which ends at once, and is kept for a while */
    d[2][TESTING_ETHER + 21] = 1;
    for (unsigned i = 0; i < 3; i++) {
        testing_add(&w, d[i], TESTING_UDP + 12, 0);
    }
    testing_pass(&w);
    for (unsigned i = 1; i <= 2; i++) {
        meter_sink_show(w.s, count_begin, &begun, &shown.both->exporter);
        meter_sink_show(w.s, count_begin, &begun, &shown.k->exporter);
        assert_int_equal(begun, 2 * i);
        assert_int_equal(shown.both->n, 2 * i);
        assert_int_equal(shown.k->n, 3 * i);
    }
    const struct flowrec *both = shown.both->r, *each = shown.k->r;
    assert_true(both[0].tcp_flags == 4 && both[0].end_reason == 2);
    assert_true(both[1].packets == 1 && both[1].reverse.packets == 1);
    assert_int_equal(both[1].biflow, FLOWREC_INITIATOR);
    assert_true(each[1].packets == 1 && each[1].tcp_flags == 2 && each[2].tcp_flags == 0x12);
    assert_int_equal(each[1].biflow, FLOWREC_ONE_WAY);
    assert_string_equal(each[1].point, "eth0");
    assert_true(w.k->n == 0 && w.both->n == 0);
    testing_end(&w);
    assert_true(w.k->n == 3 && w.both->n == 2);
    testing_done(&w);
    testing_done(&shown);
}

/* ---- comma-separated values ---- */

static const struct flowrec record = {.packets = 1, .bytes = 28, .version = 4, .proto = 17};

static void records_are_written(void **state)
{
    (void)state;
    enum { N = 1000 }; /* more than are buffered */
    struct exporter *e;
    struct error err = {""};
    char text[64];
    int fd = memfd_create("csv", MFD_CLOEXEC), own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    assert_true(fd >= 0 && own >= 0);
    assert_int_equal(lines_exporter_new(LINES_CSV, own, "FILE", false, &e), 0);
    for (unsigned i = 0; i < N; i++) {
        e->ops->record(e, &record);
        assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_IN), i + 1);
        assert_true(ledger_get(&e->ledger, LEDGER_EXPORT_OUT) <= i);
    }
    assert_true(ledger_get(&e->ledger, LEDGER_EXPORT_OUT) > 0);
    assert_int_equal(e->ops->finish(e, &err), 0);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), N);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_ERROR), 0);
    exporter_free(e);
    const ssize_t n = pread(fd, text, sizeof(text), lseek(fd, 0, SEEK_END) - 23);
    assert_int_equal(n, 23);
    assert_memory_equal(text, "1000,28000,1000,0,0,28\n", 23);
    assert_int_equal(close(fd), 0);
}

/* Records of three interfaces, whose names come before the first of each; all are written, and
 * count when they are. */
static void ipfix_is_written(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct exporter *e;
    struct error err = {""};
    struct flowrec r = record;
    int fd = memfd_create("ipfix", MFD_CLOEXEC), own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    assert_true(fd >= 0 && own >= 0);
    assert_int_equal(
        ipfix_file_exporter_new(own, "FILE", 0, false, false, &(struct sampling){0}, &e), 0);
    for (unsigned i = 0; i < N; i++) {
        r.interface = 1 + i % 3;
        r.point = "eth";
        e->ops->record(e, &r);
        assert_true(ledger_get(&e->ledger, LEDGER_EXPORT_OUT) <= i);
    }
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_IN), N);
    assert_int_equal(e->ops->finish(e, &err), 0);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), N);
    exporter_free(e);
    /* 18 records of 76 bytes in a message, but for those that a name has cut short. */
    const off_t least = N * 76 + 3 * 47 + N / 18 * 20;
    assert_in_range(lseek(fd, 0, SEEK_END), least, least + 300);
    assert_int_equal(close(fd), 0);
}

static void records_that_cannot_be_written(void **state)
{
    (void)state;
    struct exporter *e;
    struct error err = {""};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lines_exporter_new(LINES_JSON, fd, "FILE", false, &e), 0);
    e->ops->record(e, &record);
    e->ops->record(e, &record);
    assert_int_equal(e->ops->finish(e, &err), -ENOSPC);
    assert_string_equal(err.text, "cannot write to FILE: No space left on device");
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_ERROR), 2);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), 0);
    exporter_free(e);
}

/* A pipe whose reader takes its time: nothing waits for it while the meter runs; what it has no
 * room for is dropped and counted, and the rest reaches it whole. */
static void a_slow_reader_holds_nothing_up(void **state)
{
    (void)state;
    enum { N = 80000 };
    static char text[1 << 16];
    struct exporter *e;
    struct error err = {""};
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(lines_exporter_new(LINES_JSON, p[1], "PIPE", true, &e), 0);
    const struct exporter_news news = {.live = true};
    for (unsigned i = 0; i < N; i++) {
        e->ops->record(e, &record);
        if (i % 1000 == 0) {
            e->ops->tick(e, &news);
        }
    }
    const uint64_t slow = ledger_get(&e->ledger, LEDGER_EXPORT_SLOW);
    const uint64_t out = ledger_get(&e->ledger, LEDGER_EXPORT_OUT);
    assert_true(out > 0 && slow > 0 && out + slow < N);
    uint64_t lines = 0;
    char last = 0;
    for (unsigned i = 0; i < 100000 && lines < N - slow; i++) {
        const ssize_t n = read(p[0], text, sizeof(text));
        assert_true(n > 0);
        for (ssize_t k = 0; k < n; k++) {
            last = text[k];
            lines += last == '\n';
        }
        e->ops->tick(e, &news);
    }
    assert_int_equal(last, '\n');
    assert_int_equal(lines, N - slow);
    assert_int_equal(e->ops->finish(e, &err), 0);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), lines);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_SLOW), slow);
    exporter_free(e);
    assert_int_equal(close(p[0]), 0);
}

/* ---- the end ---- */

/* Exporters that can only end together. */
static _Atomic unsigned at_end;

static void forget_record(struct exporter *e, const struct flowrec *r)
{
    (void)e;
    (void)r;
}

static int meet(struct exporter *e, struct error *err)
{
    const struct mono end = mono_add_ms(mono_now(), 10000);
    at_end++;
    while (at_end < 2) {
        if (mono_due(mono_now(), end)) {
            return error_set(err, ETIMEDOUT, "%s is alone", e->name);
        }
        (void)poll(NULL, 0, 1);
    }
    return 0;
}

static void free_exporter(struct exporter *e)
{
    free(e);
}

static void exporters_end_together(void **state)
{
    (void)state;
    static const struct exporter_ops ops = {
        .kind = "test", .record = forget_record, .finish = meet, .free = free_exporter};
    struct meter_sink_conf conf = {.flows = 10, .n_exporters = 2};
    struct error err = {""};
    struct sink *s = NULL;
    for (unsigned k = 0; k < 2; k++) {
        conf.exporter[k] = calloc(1, sizeof(*conf.exporter[k]));
        assert_non_null(conf.exporter[k]);
        conf.exporter[k]->ops = &ops;
    }
    assert_int_equal(meter_sink_new(&conf, &s), 0);
    if (s->ops->finish(s, &err) < 0) {
        fail_msg("%s", err.text);
    }
    sink_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_for_each_direction),
        cmocka_unit_test(frames_that_stand_for_others),
        cmocka_unit_test(a_sum_that_ends),
        cmocka_unit_test(what_makes_a_flow),
        cmocka_unit_test(fragments_find_their_ports),
        cmocka_unit_test(what_is_in_no_flow),
        cmocka_unit_test(flows_that_leave_early_are_counted),
        cmocka_unit_test(super_packets_are_several),
        cmocka_unit_test(the_slowest_makes_the_time),
        cmocka_unit_test(a_point_goes),
        cmocka_unit_test(both_directions_in_one_record),
        cmocka_unit_test(flows_of_a_moment),
        cmocka_unit_test(records_are_written),
        cmocka_unit_test(ipfix_is_written),
        cmocka_unit_test(records_that_cannot_be_written),
        cmocka_unit_test(a_slow_reader_holds_nothing_up),
        cmocka_unit_test(exporters_end_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
