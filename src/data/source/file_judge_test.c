/* SPDX-License-Identifier: Apache-2.0
 *
 * libpcap as the judge: random files in all forms of pcap, files that it writes itself, and the
 * seeds of pcapng, are read by both, and have to give the same frames, lengths and times. Two
 * differences are meant (proto/pcap.h): libpcap cuts frames to the header's snaplen, and passes on
 * a frame's length that is less than the bytes it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "data/source/file_testing.h"
#include "proto/pcap.h"

enum {
    ROUNDS = 400,
    RECORDS = 20,
};

static struct reading r;
static uint8_t file[1 << 16];
static unsigned judged; /* frames, over all files */

static uint64_t rnd(void)
{
    static uint64_t s = 0x9e3779b97f4a7c15;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s >> 11;
}

/* ---- the judge ---- */

static void compare(struct reading *reading, const struct frame *f)
{
    pcap_t *p = reading->user;
    struct pcap_pkthdr *h;
    const u_char *bytes;
    assert_int_equal(pcap_next_ex(p, &h, &bytes), 1);
    assert_int_equal(MIN(f->caplen, (uint32_t)pcap_snapshot(p)), h->caplen);
    assert_int_equal(f->origlen, MAX(h->len, f->caplen));
    assert_true(f->ts_ns == h->ts.tv_sec * NSEC_PER_SEC + h->ts.tv_usec);
    assert_memory_equal(f->data, bytes, h->caplen);
    judged++;
}

/* Reads the file with both; the result of file_source_check(). */
static int judge(const void *bytes, size_t len)
{
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *h;
    const u_char *rest;
    FILE *f = fmemopen((void *)(uintptr_t)bytes, len, "rb");
    assert_non_null(f);
    pcap_t *p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!p) {
        fail_msg("libpcap: %s", why);
    }
    r.look = compare;
    r.user = p;
    reading_begin(&r, reading_memory(bytes, len));
    reading_run(&r);
    const int damage = file_source_check(r.s, NULL);
    reading_end(&r);
    /* The end of the file is one for both. */
    assert_int_equal(pcap_next_ex(p, &h, &rest), damage == 0 ? PCAP_ERROR_BREAK : PCAP_ERROR);
    pcap_close(p);
    return damage;
}

/* ---- random files ---- */

struct form {
    uint32_t magic;
    uint16_t minor;
    bool big;
};

static void put(struct wr *w, bool big, uint32_t v)
{
    (big ? wr_u32 : wr_u32le)(w, v);
}

static void put_header(struct wr *w, const struct form *f, uint32_t snaplen, uint32_t link)
{
    put(w, f->big, f->magic);
    put(w, f->big, f->big ? 2U << 16 | f->minor : 2U | (uint32_t)f->minor << 16);
    put(w, f->big, 0);
    put(w, f->big, 0);
    put(w, f->big, snaplen);
    put(w, f->big, link);
}

static void put_record(struct wr *w, const struct form *f)
{
    const uint32_t caplen = (uint32_t)(rnd() % 200), more = (uint32_t)(rnd() % 100);
    const uint32_t less = f->minor == 3 ? caplen : more; /* there the smaller is the captured one */
    const uint32_t origlen = rnd() % 4   ? caplen + more
                             : rnd() % 2 ? less
                                         : (uint32_t)rnd() | 1 << 20;
    const bool swap = f->minor < 3 || (f->minor == 3 && rnd() % 2);
    put(w, f->big, (uint32_t)(rnd() % INT32_MAX));
    put(w, f->big, (uint32_t)(rnd() % (f->magic == 0xa1b23c4d ? 1000000000 : 1000000)));
    put(w, f->big, swap ? origlen : caplen);
    put(w, f->big, swap ? caplen : origlen);
    wr_zero(w, f->magic == 0xa1b2cd34 ? 8 : 0);
    for (uint32_t i = 0; i < caplen; i++) {
        wr_u8(w, (uint8_t)rnd());
    }
}

static void random_files_in_all_forms(void **state)
{
    (void)state;
    static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
    static const uint32_t links[] = {1, 101, 113};
    static const uint32_t snaplens[] = {100, 65535, 262144, 0, UINT32_MAX};
    judged = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        const struct form f = {magics[i % 3], i % 5 ? 4 : (uint16_t)(i / 5 % 5), rnd() % 2};
        const uint32_t link = links[rnd() % ARRAY_SIZE(links)];
        struct wr w = wr_make(file, sizeof(file));
        put_header(&w, &f, snaplens[rnd() % ARRAY_SIZE(snaplens)], link);
        for (unsigned k = 0; k < RECORDS; k++) {
            put_record(&w, &f);
        }
        assert_true(wr_ok(&w));
        const int damage = judge(file, wr_len(&w) - (i % 4 ? 0 : rnd() % 40));
        assert_true(damage == 0 || (i % 4 == 0 && damage == -ENODATA));
    }
    assert_in_range(judged, ROUNDS * (RECORDS - 4), ROUNDS * RECORDS);
}

/* The bound of a record's length, to the byte, is that of libpcap. */
static void the_longest_record(void **state)
{
    (void)state;
    const struct form f = {0xa1b2c3d4, 4, false};
    _cleanup_(freep) uint8_t *bytes = calloc(1, PCAP_SNAPLEN_MAX + 100);
    for (uint32_t more = 0; more < 2; more++) {
        struct wr w = wr_make(bytes, PCAP_SNAPLEN_MAX + 100);
        put_header(&w, &f, 65535, 1);
        put(&w, false, 1);
        put(&w, false, 1);
        put(&w, false, PCAP_SNAPLEN_MAX + more);
        put(&w, false, PCAP_SNAPLEN_MAX + more);
        assert_int_equal(judge(bytes, wr_len(&w) + PCAP_SNAPLEN_MAX + more), more ? -EPROTO : 0);
        assert_int_equal(r.n, more ? 0 : 1);
    }
}

/* ---- files of others ---- */

static void files_that_libpcap_writes(void **state)
{
    (void)state;
    for (unsigned nano = 0; nano < 2; nano++) {
        size_t len = 0;
        char *bytes = NULL;
        FILE *f = open_memstream(&bytes, &len);
        pcap_t *p = pcap_open_dead_with_tstamp_precision(
            DLT_RAW, 65535, nano ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
        pcap_dumper_t *d = pcap_dump_fopen(p, f);
        assert_non_null(d);
        for (uint32_t i = 0; i < 600; i++) {
            const struct pcap_pkthdr h = {{1700000000 + i, i * 1000}, i % 100, i};
            pcap_dump((u_char *)d, &h, file);
        }
        pcap_dump_close(d);
        pcap_close(p);
        assert_int_equal(judge(bytes, len), 0);
        assert_int_equal(r.n, 600);
        assert_int_equal(r.point[0].linktype, 101); /* a file's number, not the DLT's */
        free(bytes);
    }
}

static void seeds_of_pcapng(void **state)
{
    (void)state;
    static const char *const names[] = {"editcap-us", "editcap-ns-comment", "our-writer", "tshark"};
    const char *top = getenv("FARSPAN_SOURCE");
    if (!top) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/tests/corpus/proto/pcapng/%s", top, names[i]);
        _cleanup_(fclosep) FILE *f = fopen(path, "rbe");
        assert_non_null(f);
        const size_t len = fread(file, 1, sizeof(file), f);
        assert_int_equal(judge(file, len), 0);
        assert_true(r.n > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_files_in_all_forms),
        cmocka_unit_test(the_longest_record),
        cmocka_unit_test(files_that_libpcap_writes),
        cmocka_unit_test(seeds_of_pcapng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
