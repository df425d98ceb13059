/* SPDX-License-Identifier: Apache-2.0
 *
 * Files in other forms, whatever the pieces in which they come: flows, as the writer of IPFIX puts
 * them, in rows that nfdump has written too; frames, as libpcap reads them; rows of counters. And
 * files that are damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "control/convert.h"
#include "proto/ipfix.h"
#include "proto/pcapng.h"

enum {
    ROOM = 1 << 21,
};

/* A file that comes in pieces. */
struct source {
    const uint8_t *bytes;
    size_t len, at, piece;
    size_t stop; /* there is nothing behind this yet */
    unsigned freed;
};

static ssize_t source_read(void *user, uint8_t *buf, size_t cap)
{
    struct source *s = user;
    size_t n = MIN(MIN(cap, s->piece), s->stop - s->at);
    if (n == 0) {
        return s->stop < s->len ? -EAGAIN : 0;
    }
    memcpy(buf, s->bytes + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void source_free(void *user)
{
    ((struct source *)user)->freed++;
}

static struct http_body body_of(struct source *s)
{
    return (struct http_body){source_read, source_free, s};
}

/* All that the body gives, in pieces of so many bytes; what ended it. */
static ssize_t drain(const struct http_body *b, size_t piece, char *to, size_t *ret_len)
{
    ssize_t n = 0;
    size_t len = 0;
    while ((n = b->read(b->user, (uint8_t *)to + len, piece)) > 0) {
        len += (size_t)n;
        assert_true(len + piece < ROOM);
    }
    to[len] = '\0';
    *ret_len = len;
    return n;
}

/* 0 with all of the output, or -errno: of the beginning, or of what came later. */
static int convert(enum convert_to to, bool torn, const void *bytes, size_t len, size_t piece,
                   char *ret, size_t *ret_len)
{
    struct source s = {.bytes = bytes, .len = len, .stop = len, .piece = piece};
    const struct http_body from = body_of(&s);
    const struct convert_conf conf = {.to = to, .torn = torn};
    struct http_body made;
    struct error err = {""};
    int r = convert_open(&from, &conf, &made, &err);
    if (r < 0) {
        assert_int_equal(s.freed, 0);
        assert_string_not_equal(err.text, "");
        return r;
    }
    ssize_t end = drain(&made, piece, ret, ret_len);
    made.free(made.user);
    assert_int_equal(s.freed, 1);
    return (int)end;
}

static char *room(void)
{
    char *p = malloc(ROOM);
    assert_non_null(p);
    return p;
}

static void gives(enum convert_to to, const void *bytes, size_t len, const char *want)
{
    static const size_t pieces[] = {1, 3, 100, 1 << 16};
    _cleanup_(freep) char *got = room();
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        assert_int_equal(convert(to, false, bytes, len, pieces[i], got, &n), 0);
        assert_string_equal(got, want);
    }
}

/* ---- flows ---- */

static const struct flowrec web = {
    .first_ns = 1794489280511000000,
    .last_ns = 1794489284761999999,
    .packets = 5,
    .bytes = 700,
    .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
    .port = {40000, 80},
    .version = 4,
    .proto = 6,
    .tcp_flags = 0x18,
    .biflow = FLOWREC_INITIATOR,
    .reverse = {5, 2200, 1794489280511000000, 1794489284761999999, 0, 0x18}};
static const struct flowrec dns = {.first_ns = 1794489281011000000,
                                   .last_ns = 1794489285011000000,
                                   .packets = 5,
                                   .bytes = 340,
                                   .addr = {{10, 0, 0, 3}, {10, 0, 0, 4}},
                                   .port = {5000, 53},
                                   .version = 4,
                                   .proto = 17,
                                   .biflow = FLOWREC_INITIATOR};
static const struct flowrec ping = {.first_ns = 1794489286511000000,
                                    .last_ns = 1794489286511000000,
                                    .packets = 1,
                                    .bytes = 60,
                                    .addr = {{10, 0, 0, 5}, {10, 0, 0, 6}},
                                    .port = {0, 2048},
                                    .version = 4,
                                    .proto = 1,
                                    .biflow = FLOWREC_RESPONDER};

#define MAC "00:00:00:00:00:00"
#define LABELS "0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0"
#define REST                                                                                       \
    ",0,0,0,0,0,0,0,0,0,0,0.0.0.0,0.0.0.0,0,0," MAC "," MAC "," MAC "," MAC "," LABELS             \
    ",    0.000,    0.000,    0.000,0.0.0.0,0/0,1,1970-01-01 00:00:00.000\n"
#define HEAD                                                                                       \
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,"    \
    "nh,nhb,svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,"  \
    "mpls10,cl,sl,al,ra,eng,exid,tr\n"
#define SUMS "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n"

/* Rows that nfdump 1.6 has written of a capture of these flows. */
static const char nfdump[] = HEAD
    "2026-11-12 13:14:41.011,2026-11-12 13:14:45.011,4.000,10.0.0.3,10.0.0.4,5000,53,UDP,......,"
    "0,0,5,340" REST
    "2026-11-12 13:14:46.511,2026-11-12 13:14:46.511,0.000,10.0.0.5,10.0.0.6,0,2048,ICMP,......,"
    "0,0,1,60" REST
    "2026-11-12 13:14:40.511,2026-11-12 13:14:44.761,4.250,10.0.0.1,10.0.0.2,40000,80,TCP,.AP...,"
    "0,0,5,700" REST
    "2026-11-12 13:14:40.511,2026-11-12 13:14:44.761,4.250,10.0.0.2,10.0.0.1,80,40000,TCP,.AP...,"
    "0,0,5,2200" REST SUMS "4,3300,16,4400,2,206\n";

/* Messages as the data role writes them: templates, each flow, and names of interfaces between. */
static size_t write_flows(uint8_t *to, const struct flowrec *const *flows, size_t n)
{
    struct ipfix m, names;
    size_t len = 0;
    ipfix_init_with(&m, 1, IPFIX_TUNNEL | IPFIX_BIFLOW | IPFIX_NS);
    ipfix_init(&names, 0);
    assert_true(ipfix_templates(&m));
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            assert_true(ipfix_add(&m, flows[i]));
        }
        size_t part = ipfix_end(&m);
        memcpy(to + len, m.sets.bytes, part);
        len += part;
        if (i == 0) {
            assert_true(ipfix_name(&names, 1, "eth0"));
            part = ipfix_end(&names);
            memcpy(to + len, names.sets.bytes, part);
            len += part;
            assert_true(ipfix_add(&m, flows[0]));
        }
    }
    size_t part = ipfix_end(&m);
    memcpy(to + len, m.sets.bytes, part);
    return len + part;
}

static const struct flowrec *const all[] = {&dns, &ping, &web};

static void flows_as_nfdump(void **state)
{
    uint8_t bytes[8 * IPFIX_MESSAGE];
    (void)state;
    size_t len = write_flows(bytes, all, ARRAY_SIZE(all));
    gives(CONVERT_FLOWS_CSV, bytes, len, nfdump);
    gives(CONVERT_FLOWS_CSV, "", 0, HEAD SUMS "0,0,0,0,0,0\n");
}

static void flows_with_all_fields(void **state)
{
    uint8_t bytes[8 * IPFIX_MESSAGE];
    _cleanup_(freep) char *got = room();
    size_t n = 0;
    (void)state;
    size_t len = write_flows(bytes, all, ARRAY_SIZE(all));
    assert_int_equal(convert(CONVERT_FLOWS_JSON, false, bytes, len, 50, got, &n), 0);
    unsigned lines = 0;
    for (const char *at = got; (at = strchr(at, '\n')); at++) {
        lines++;
    }
    assert_int_equal(lines, 3); /* both directions in one */
    assert_non_null(strstr(got, "\"sourceIPv4Address\":\"10.0.0.1\""));
    assert_non_null(strstr(got, "\"flowStartNanoseconds\":\"2026-11-12T13:14:40.511"));
    assert_non_null(strstr(got, "2200"));
    assert_int_equal(convert(CONVERT_FLOWS_LONG, false, bytes, len, 50, got, &n), 0);
    assert_non_null(strstr(got, "flowStartNanoseconds"));
    assert_non_null(strstr(got, "\n2026-11-12T13:14:41.011"));
    assert_int_equal(convert(CONVERT_FLOWS_LONG, false, "", 0, 50, got, &n), 0);
    assert_non_null(strchr(got, '\n')); /* names alone */
}

static void flows_that_are_damaged(void **state)
{
    uint8_t bytes[8 * IPFIX_MESSAGE], wrong[8 * IPFIX_MESSAGE];
    _cleanup_(freep) char *got = room();
    size_t n = 0, len = write_flows(bytes, all, ARRAY_SIZE(all));
    (void)state;
    for (size_t cut = 1; cut < 40; cut++) {
        assert_int_equal(convert(CONVERT_FLOWS_CSV, false, bytes, len - cut, 64, got, &n),
                         -EBADMSG);
        assert_int_equal(convert(CONVERT_FLOWS_CSV, true, bytes, len - cut, 64, got, &n), 0);
        assert_non_null(strstr(got, "\n2,400,6,")); /* without the last message */
    }
    memcpy(wrong, bytes, len);
    wrong[1] = 9; /* another version */
    assert_int_equal(convert(CONVERT_FLOWS_CSV, true, wrong, len, 64, got, &n), -EBADMSG);
    memcpy(wrong, bytes, len);
    wrong[2] = 0xff; /* longer than any message here */
    assert_int_equal(convert(CONVERT_FLOWS_CSV, true, wrong, len, 64, got, &n), -EBADMSG);
    memset(wrong, 0, sizeof(wrong));
    assert_int_equal(convert(CONVERT_FLOWS_CSV, true, wrong, sizeof(wrong), 64, got, &n), -EBADMSG);
}

/* Output that was made before the damage is given first. */
static void damage_far_behind(void **state)
{
    enum { COPIES = 600 };
    uint8_t one[8 * IPFIX_MESSAGE];
    size_t len = write_flows(one, all, ARRAY_SIZE(all)), n = 0;
    _cleanup_(freep) uint8_t *bytes = malloc(COPIES * len + 4);
    _cleanup_(freep) char *got = room();
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < COPIES; i++) { /* an appended life brings its templates again */
        memcpy(bytes + i * len, one, len);
    }
    assert_int_equal(convert(CONVERT_FLOWS_CSV, false, bytes, COPIES * len, 5000, got, &n), 0);
    assert_non_null(strstr(got, "\n2400,1980000,9600,"));
    memcpy(bytes + COPIES * len, "what", 4);
    assert_int_equal(convert(CONVERT_FLOWS_CSV, false, bytes, COPIES * len + 4, 5000, got, &n),
                     -EBADMSG);
    assert_true(n > COPIES * 4 * 300);
    assert_null(strstr(got, "Summary"));
}

static void flows_that_come_later(void **state)
{
    uint8_t bytes[8 * IPFIX_MESSAGE];
    size_t len = write_flows(bytes, all, ARRAY_SIZE(all)), n = 0;
    struct source s = {.bytes = bytes, .len = len, .stop = 20, .piece = 64};
    const struct http_body from = body_of(&s);
    const struct convert_conf conf = {.to = CONVERT_FLOWS_CSV};
    struct http_body made;
    _cleanup_(freep) char *got = room();
    (void)state;
    assert_int_equal(convert_open(&from, &conf, &made, NULL), 0);
    assert_int_equal(drain(&made, 100, got, &n), -EAGAIN);
    assert_string_equal(got, HEAD);
    s.stop = len;
    assert_int_equal(drain(&made, 100, got, &n), 0);
    assert_string_equal(got, nfdump + strlen(HEAD));
    made.free(made.user);
}

/* ---- packets ---- */

static void put_frame(struct wr *w, uint32_t ifid, int64_t ts_ns, uint32_t len)
{
    const struct pcapng_epb epb = {
        .ifid = ifid, .caplen = len, .origlen = len + 10, .ts_ns = ts_ns, .dir = 1};
    uint8_t *to = pcapng_epb_begin(w, &epb);
    assert_non_null(to);
    memset(to, (int)len, len);
}

static void put_start(struct wr *w, uint16_t first, uint16_t second)
{
    pcapng_put_shb(w, &(struct pcapng_shb){.app = pcapng_text("test")});
    pcapng_put_idb(w, &(struct pcapng_idb){.linktype = first, .name = pcapng_text("eth0")});
    pcapng_put_idb(w, &(struct pcapng_idb){.linktype = second, .name = pcapng_text("eth1")});
}

static pcap_t *libpcap(char *bytes, size_t len)
{
    char words[PCAP_ERRBUF_SIZE];
    FILE *f = fmemopen(bytes, len, "r");
    assert_non_null(f);
    return pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, words);
}

static void packets(void **state)
{
    static const size_t pieces[] = {1, 1000, 1 << 18};
    _cleanup_(freep) uint8_t *bytes = malloc(ROOM);
    _cleanup_(freep) char *got = room();
    struct wr w = wr_make(bytes, ROOM);
    const int64_t at = 1794489280 * NSEC_PER_SEC + 123456789;
    (void)state;
    put_start(&w, PCAPNG_LINKTYPE_ETHERNET, PCAPNG_LINKTYPE_ETHERNET);
    put_frame(&w, 0, at, 60);
    pcapng_put_isb(&w, &(struct pcapng_isb){.ifid = 0, .ts_ns = at});
    put_frame(&w, 1, at + 1, 0);
    put_start(&w, PCAPNG_LINKTYPE_ETHERNET, PCAPNG_LINKTYPE_ETHERNET);
    put_frame(&w, 1, at + 2, 200000);
    assert_true(wr_ok(&w));
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t n = 0;
        struct pcap_pkthdr *h;
        const u_char *data;
        assert_int_equal(convert(CONVERT_PCAP, false, bytes, wr_len(&w), pieces[i], got, &n), 0);
        pcap_t *p = libpcap(got, n);
        assert_non_null(p);
        assert_int_equal(pcap_datalink(p), DLT_EN10MB);
        static const uint32_t lens[] = {60, 0, 200000};
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(pcap_next_ex(p, &h, &data), 1);
            assert_int_equal(h->caplen, lens[k]);
            assert_int_equal(h->len, lens[k] + 10);
            assert_int_equal(h->ts.tv_sec, 1794489280);
            assert_int_equal(h->ts.tv_usec, 123456789 + k);
            assert_true(lens[k] == 0 || data[lens[k] - 1] == (lens[k] & 0xff));
        }
        assert_int_equal(pcap_next_ex(p, &h, &data), PCAP_ERROR_BREAK);
        pcap_close(p);
    }
}

static void packets_of_several_types(void **state)
{
    _cleanup_(freep) uint8_t *bytes = malloc(ROOM);
    _cleanup_(freep) char *got = room();
    struct wr w = wr_make(bytes, ROOM);
    size_t n = 0;
    (void)state;
    put_start(&w, PCAPNG_LINKTYPE_ETHERNET, PCAPNG_LINKTYPE_RAW);
    assert_int_equal(convert(CONVERT_PCAP, false, bytes, wr_len(&w), 100, got, &n), -ENOTSUP);
    w = wr_make(bytes, ROOM);
    put_start(&w, PCAPNG_LINKTYPE_RAW, PCAPNG_LINKTYPE_RAW);
    assert_int_equal(convert(CONVERT_PCAP, false, bytes, wr_len(&w), 100, got, &n), 0);
    assert_int_equal(n, 24);
    assert_int_equal(got[20], PCAPNG_LINKTYPE_RAW);
    put_frame(&w, 0, 1, 100000);
    put_start(&w, PCAPNG_LINKTYPE_ETHERNET, PCAPNG_LINKTYPE_RAW); /* too late for a sentence */
    assert_int_equal(convert(CONVERT_PCAP, false, bytes, wr_len(&w), 100, got, &n), -ENOTSUP);
    assert_int_equal(n, 24 + 16 + 100000);
}

static void packets_that_are_damaged(void **state)
{
    static const uint8_t huge[80] = {
        0x0a, 0x0d, 0x0d, 0x0a, 28,  0,   0,  0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255,  255,
        255,  255,  255,  255,  255, 255, 28, 0, 0,    0,    1,    0,    0, 0, 0, 0, 0xf0, 0};
    _cleanup_(freep) uint8_t *bytes = malloc(ROOM);
    _cleanup_(freep) char *got = room();
    struct wr w = wr_make(bytes, ROOM);
    size_t n = 0;
    (void)state;
    assert_int_equal(convert(CONVERT_PCAP, false, "what is this?", 13, 100, got, &n), -EBADMSG);
    assert_int_equal(convert(CONVERT_PCAP, true, huge, sizeof(huge), 100, got, &n), -EBADMSG);
    put_start(&w, PCAPNG_LINKTYPE_ETHERNET, PCAPNG_LINKTYPE_ETHERNET);
    put_frame(&w, 0, 1, 100);
    assert_int_equal(convert(CONVERT_PCAP, false, bytes, wr_len(&w) - 4, 100, got, &n), -EBADMSG);
    assert_int_equal(convert(CONVERT_PCAP, true, bytes, wr_len(&w) - 4, 100, got, &n), 0);
    assert_int_equal(n, 24);
    assert_int_equal(convert(CONVERT_PCAP, false, "", 0, 100, got, &n), 0);
    assert_int_equal(n, 24);
}

/* ---- rows ---- */

static void rows(void **state)
{
    static const char file[] =
        "time,state,x\"y\n1000,1,-5\n,007,a\"b\n2,1.5,-\n\n12345678901234567890,,";
    (void)state;
    gives(CONVERT_ROWS_JSON, file, sizeof(file) - 22 - 1,
          "{\"time\":1000,\"state\":1,\"x\\\"y\":-5}\n{\"state\":\"007\",\"x\\\"y\":\"a\\\"b\"}\n"
          "{\"time\":2,\"state\":\"1.5\",\"x\\\"y\":\"-\"}\n{}\n");
    gives(CONVERT_ROWS_JSON, "", 0, "");
    gives(CONVERT_ROWS_JSON, "a\n12345678901234567890\n", 23, "{\"a\":\"12345678901234567890\"}\n");
}

static void rows_that_are_damaged(void **state)
{
    _cleanup_(freep) char *got = room();
    char text[8192];
    size_t n = 0;
    (void)state;
    assert_int_equal(convert(CONVERT_ROWS_JSON, false, "a,b\n1,2,3\n", 10, 3, got, &n), -EBADMSG);
    assert_int_equal(convert(CONVERT_ROWS_JSON, false, "a,b\n1,2", 7, 3, got, &n), -EBADMSG);
    assert_int_equal(convert(CONVERT_ROWS_JSON, true, "a,b\n1,2", 7, 3, got, &n), 0);
    assert_int_equal(convert(CONVERT_ROWS_JSON, false, "a\0b\n", 4, 3, got, &n), -EBADMSG);
    memset(text, 'x', sizeof(text));
    assert_int_equal(convert(CONVERT_ROWS_JSON, true, text, sizeof(text), 99, got, &n), -EBADMSG);
    memset(text, ',', 64);
    text[64] = '\n';
    assert_int_equal(convert(CONVERT_ROWS_JSON, true, text, 65, 99, got, &n), -EBADMSG);
    text[63] = '\n';
    assert_int_equal(convert(CONVERT_ROWS_JSON, false, text, 64, 99, got, &n), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_as_nfdump),
        cmocka_unit_test(flows_with_all_fields),
        cmocka_unit_test(flows_that_are_damaged),
        cmocka_unit_test(damage_far_behind),
        cmocka_unit_test(flows_that_come_later),
        cmocka_unit_test(packets),
        cmocka_unit_test(packets_of_several_types),
        cmocka_unit_test(packets_that_are_damaged),
        cmocka_unit_test(rows),
        cmocka_unit_test(rows_that_are_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
