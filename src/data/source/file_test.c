/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture files made here, read by the source: all forms, cut off at every byte, out of a pipe byte
 * by byte, damaged, with many interfaces and sections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/source/file.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"

enum {
    ROOM = 1 << 22,
    FRAMES = 700, /* more than two batches */
    OTHER_LINK = 147,
    REFUSED_LINK = 148,
};

struct got {
    uint32_t n, points;
    uint64_t sum; /* of frames' first bytes and lengths */
    struct frame last;
    uint8_t first_byte;
    char name[POINT_NAME_MAX + 1];
    uint16_t linktype;
};

/* A pipeline's part of it. */
struct world {
    struct batch_out out;
    struct batch batch;
    struct ledger ledger;
    struct source *s;
    struct got got;
};

static uint8_t file[ROOM];

static void push(struct batch_out *o)
{
    struct world *w = CONTAINER_OF(o, struct world, out);
    assert_in_range(o->batch->n, 1, BATCH_MAX);
    for (uint32_t i = 0; i < o->batch->n; i++) {
        const struct frame *f = &o->batch->f[i];
        assert_true(f->caplen <= f->origlen && f->datalen == f->caplen);
        w->got.sum += f->caplen > 0 ? f->data[0] + f->data[f->caplen - 1] : 0;
        w->got.first_byte = f->caplen > 0 ? f->data[0] : 0;
        w->got.last = *f;
        w->got.n++;
    }
    o->batch->n = 0;
}

static int point(void *user, const struct point_offer *offer)
{
    struct got *g = user;
    if (offer->linktype == REFUSED_LINK) {
        return -ENOMEM;
    }
    if (offer->linktype == OTHER_LINK) {
        return -ENOTSUP;
    }
    assert_int_equal(offer->index, g->points);
    g->points++;
    g->linktype = offer->linktype;
    (void)snprintf(g->name, sizeof(g->name), "%s", offer->ifname);
    return 0;
}

static void begin(struct world *w, int fd)
{
    *w = (struct world){.out = {&w->batch, push}};
    const struct file_source_conf conf = {fd, "FILE", &w->ledger, point, &w->got};
    assert_int_equal(file_source_new(&conf, &w->s), 0);
}

static int memory(const void *bytes, size_t len)
{
    int fd = memfd_create("capture", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void run(struct world *w)
{
    for (unsigned i = 0; !file_source_ended(w->s); i++) {
        const int r = w->s->ops->run(w->s, &w->out, 1, mono_now());
        assert_true(r == SOURCE_MORE || (r == SOURCE_DRY && file_source_ended(w->s)));
        assert_true(i < 10 * ROOM);
    }
    assert_int_equal(w->s->ops->fd(w->s), -1);
}

static void balanced(const struct world *w)
{
    const struct ledger_sum sum = ledger_sum(&w->ledger, NULL, LEDGER_FILE);
    assert_int_equal(sum.in_flight, 0);
    assert_int_equal(sum.out, w->got.n);
}

/* Reads `len` bytes as a file; the result of file_source_check(), whose sentence is *ret. */
static int read_all(struct world *w, const void *bytes, size_t len, struct error *ret)
{
    begin(w, memory(bytes, len));
    run(w);
    balanced(w);
    const int r = file_source_check(w->s, ret);
    w->s->ops->free(w->s);
    return r;
}

/* A file of pcap with so many frames, each of 60 bytes that are its number. */
static size_t make_pcap(unsigned frames)
{
    struct wr w = wr_make(file, sizeof(file));
    pcap_put_header(&w, true, PCAP_SNAPLEN_MAX, 1);
    for (unsigned i = 0; i < frames; i++) {
        const struct pcap_record r = {60, 1514, i * 1000};
        uint8_t *at = pcap_record_begin(&w, true, &r);
        assert_non_null(at);
        memset(at, (int)(i & 0xff), 60);
    }
    return wr_len(&w);
}

static void pcap_is_read(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    const size_t len = make_pcap(FRAMES);
    assert_int_equal(read_all(&w, file, len, &err), 0);
    assert_int_equal(w.got.n, FRAMES);
    assert_int_equal(w.got.points, 1);
    assert_int_equal(w.got.linktype, 1);
    assert_string_equal(w.got.name, "if0");
    uint64_t sum = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        sum += 2 * (i & 0xff);
    }
    assert_int_equal(w.got.sum, sum);
    const struct frame *f = &w.got.last;
    assert_true(f->caplen == 60 && f->origlen == 1514 && f->ts_ns == (FRAMES - 1) * 1000);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_FILE_BYTES), FRAMES * 60);
}

/* A check sequence that the file says is behind each frame is no part of it. */
static void check_sequences_are_taken_off(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    const size_t len = make_pcap(2);
    file[23] = 0x24; /* 2 times 16 bits */
    file[24 + 12] = 62;
    file[24 + 13] = 0;
    assert_int_equal(read_all(&w, file, len, &err), 0);
    assert_true(w.got.last.caplen == 60 && w.got.last.origlen == 1510);
    file[24 + 76 + 12] = 60;
    file[24 + 76 + 13] = 0;
    assert_int_equal(read_all(&w, file, len, &err), 0);
    assert_true(w.got.last.caplen == 56 && w.got.last.origlen == 56);
}

static void a_cut_file_gives_what_is_whole(void **state)
{
    (void)state;
    static struct world w;
    enum { N = 3, RECORD = 76 };
    const size_t len = make_pcap(N);
    for (size_t n = 0; n <= len; n++) {
        struct error err = {""};
        char want[80];
        const size_t whole = n < 24 ? 0 : (n - 24) / RECORD, end = 24 + whole * RECORD;
        const int r = read_all(&w, file, n, &err);
        assert_int_equal(w.got.n, whole);
        if (n == 0) {
            assert_int_equal(r, -ENODATA);
            assert_string_equal(err.text, "FILE is empty");
        } else if (n < 24) {
            assert_int_equal(r, -EPROTO);
            assert_string_equal(err.text, "FILE is no capture file, neither pcap nor pcapng");
        } else if (n == end) {
            assert_int_equal(r, 0);
        } else {
            (void)snprintf(want, sizeof(want),
                           "FILE is cut off: what begins at byte %zu is not whole", end);
            assert_int_equal(r, -ENODATA);
            assert_string_equal(err.text, want);
        }
    }
}

/* Bytes of a pipe come when they come; a reader that has none does not wait. */
static void a_pipe_is_read_as_it_comes(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    int fds[2];
    const size_t len = make_pcap(3);
    assert_int_equal(pipe(fds), 0);
    begin(&w, fds[0]);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(w.s->ops->run(w.s, &w.out, 100, mono_now()), SOURCE_DRY);
        assert_false(file_source_ended(w.s));
        assert_int_equal(w.s->ops->fd(w.s), fds[0]);
        assert_int_equal(w.got.n, i < 24 ? 0 : (i - 24) / 76);
        assert_int_equal(write(fds[1], file + i, 1), 1);
    }
    assert_int_equal(close(fds[1]), 0);
    run(&w);
    assert_int_equal(w.got.n, 3);
    assert_int_equal(file_source_check(w.s, &err), 0);
    w.s->ops->free(w.s);
}

static void damage_is_named(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    const size_t len = make_pcap(3);
    file[24 + 76 + 11] = 0x7f; /* the second record's length */
    assert_int_equal(read_all(&w, file, len, &err), -EPROTO);
    assert_int_equal(w.got.n, 1);
    assert_string_equal(err.text, "FILE is damaged at byte 100: a record says that it is longer "
                                  "than any may be");
    int fd = open("/", O_RDONLY | O_CLOEXEC);
    begin(&w, fd);
    run(&w);
    assert_int_equal(file_source_check(w.s, &err), -EISDIR);
    w.s->ops->free(w.s);
}

/* ---- pcapng ---- */

static void put_frame(struct wr *w, uint32_t ifid, uint8_t byte)
{
    const struct pcapng_epb v = {
        .ifid = ifid, .caplen = 61, .origlen = 100, .ts_ns = 77, .lost = 5, .dir = FRAME_DIR_OUT};
    uint8_t *at = pcapng_epb_begin(w, &v);
    assert_non_null(at);
    memset(at, byte, 61);
}

static void put_interface(struct wr *w, const char *name, uint16_t linktype)
{
    pcapng_put_idb(w, &(struct pcapng_idb){.linktype = linktype, .name = pcapng_text(name)});
}

static void put_section(struct wr *w)
{
    pcapng_put_shb(w, &(struct pcapng_shb){.app = pcapng_text("test")});
}

/* The same interface is one point, in whatever section; of another link type it is another. */
static void sections_and_interfaces(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    struct wr to = wr_make(file, sizeof(file));
    put_section(&to);
    put_interface(&to, "eth0", 1);
    put_interface(&to, "eth1", 1);
    put_interface(&to, "eth0", 101);
    put_interface(&to, NULL, 1);
    put_interface(&to, "usb0", OTHER_LINK);
    put_interface(&to, "full0", REFUSED_LINK);
    for (uint32_t i = 0; i < 7; i++) {
        put_frame(&to, i, (uint8_t)i);
    }
    const size_t one = wr_len(&to);
    assert_int_equal(read_all(&w, file, one, &err), -EPROTO); /* an interface that is none */
    assert_int_equal(w.got.points, 4);
    assert_int_equal(w.got.n, 4);
    assert_int_equal(w.got.last.point, 3);
    assert_string_equal(w.got.name, "if3");
    assert_int_equal(ledger_get(&w.ledger, LEDGER_FILE_LINK_TYPE), 1);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_FILE_DAMAGED), 1);
    to = wr_make(file, sizeof(file));
    put_section(&to);
    put_interface(&to, "eth0", 1);
    put_frame(&to, 0, 7);
    put_section(&to);
    put_interface(&to, "eth1", 1);
    put_interface(&to, "eth0", 1);
    put_frame(&to, 1, 9);
    assert_int_equal(read_all(&w, file, wr_len(&to), &err), 0);
    assert_int_equal(w.got.points, 2);
    assert_int_equal(w.got.n, 2);
    assert_int_equal(w.got.last.point, 0);
    assert_int_equal(w.got.first_byte, 9);
    assert_true(w.got.last.ts_ns == 77 && w.got.last.lost == 5);
    assert_int_equal(w.got.last.dir, FRAME_DIR_OUT);
    assert_true(w.got.last.caplen == 61 && w.got.last.origlen == 100);
}

/* A file of ours ends within a block at each byte. */
static void a_cut_pcapng(void **state)
{
    (void)state;
    static struct world w;
    struct wr to = wr_make(file, sizeof(file));
    put_section(&to);
    put_interface(&to, "eth0", 1);
    size_t end[4] = {wr_len(&to)};
    for (unsigned i = 1; i < ARRAY_SIZE(end); i++) {
        put_frame(&to, 0, (uint8_t)i);
        end[i] = wr_len(&to);
    }
    for (size_t n = end[0]; n <= end[3]; n++) {
        struct error err = {""};
        unsigned whole = 0;
        while (whole < 3 && n >= end[whole + 1]) {
            whole++;
        }
        const int r = read_all(&w, file, n, &err);
        assert_int_equal(r, n == end[whole] ? 0 : -ENODATA);
        assert_int_equal(w.got.n, whole);
        char want[80];
        (void)snprintf(want, sizeof(want), "FILE is cut off: what begins at byte %zu is not whole",
                       end[whole]);
        assert_string_equal(err.text, r == 0 ? "" : want);
    }
}

/* More interfaces than there are points: frames of the others are counted. */
static void there_is_an_end_of_points(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    struct wr to = wr_make(file, sizeof(file));
    put_section(&to);
    for (unsigned i = 0; i < POINT_MAX + 2; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "veth%u", i);
        put_interface(&to, name, 1);
    }
    put_frame(&to, POINT_MAX - 1, 1);
    put_frame(&to, POINT_MAX, 2);
    put_frame(&to, POINT_MAX + 1, 3);
    assert_true(wr_ok(&to));
    assert_int_equal(read_all(&w, file, wr_len(&to), &err), 0);
    assert_int_equal(w.got.points, POINT_MAX);
    assert_int_equal(w.got.n, 1);
    assert_int_equal(w.got.last.point, POINT_MAX - 1);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_FILE_DAMAGED), 2);
}

/* A block that is longer than what is read at once. */
static void a_long_frame(void **state)
{
    (void)state;
    static struct world w;
    struct error err = {""};
    enum { LONG = 3 << 20 };
    struct wr to = wr_make(file, sizeof(file));
    put_section(&to);
    put_interface(&to, "eth0", 1);
    const struct pcapng_epb v = {.caplen = LONG, .origlen = LONG};
    uint8_t *at = pcapng_epb_begin(&to, &v);
    assert_non_null(at);
    memset(at, 3, LONG);
    put_frame(&to, 0, 8);
    assert_int_equal(read_all(&w, file, wr_len(&to), &err), 0);
    assert_int_equal(w.got.n, 2);
    assert_int_equal(w.got.first_byte, 8);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_FILE_BYTES), FRAME_LEN_MAX + 61);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcap_is_read),
        cmocka_unit_test(check_sequences_are_taken_off),
        cmocka_unit_test(a_cut_file_gives_what_is_whole),
        cmocka_unit_test(a_pipe_is_read_as_it_comes),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(sections_and_interfaces),
        cmocka_unit_test(a_cut_pcapng),
        cmocka_unit_test(there_is_an_end_of_points),
        cmocka_unit_test(a_long_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
