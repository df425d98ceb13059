/* SPDX-License-Identifier: Apache-2.0
 *
 * pcap over IP with readers of the test's own on the loopback interface: each gets a header and
 * whole records, a slow one misses its own, and the ledger has each frame once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/output_list.h"
#include "data/sink/pcapip.h"
#include "data/sink/readers.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"
#include "sys/tcp.h"

enum {
    DEADLINE_MS = 20000,
    LENGTH = 1000, /* of a frame */
};

struct world {
    struct sink *sink;
    struct udp_addr at;
};

static void add_point(struct world *w, uint32_t index, const char *tap)
{
    struct error err = {""};
    const struct point_offer point = {.index = index, .tap = tap, .ifname = "eth0"};
    if (w->sink->ops->point_add(w->sink, &point, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void begin(struct world *w, enum pcapip_format format)
{
    struct error err = {""};
    const struct pcapip_wish wish = {.format = format};
    int fd = -1;
    assert_int_equal(udp_addr_parse("127.0.0.1", &w->at), 0);
    assert_int_equal(tcp_listen(&w->at, 0, &fd, &err), 0);
    assert_int_equal(getsockname(fd, &w->at.sa, &w->at.len), 0);
    assert_int_equal(pcapip_sink_new(&wish, "out", "Linux", fd, &w->sink, &err), 0);
    add_point(w, 1, "web");
}

static struct sink_readers told(const struct world *w)
{
    struct sink_readers r;
    w->sink->ops->readers(w->sink, &r);
    return r;
}

/* As the queue's thread does, until there are so many. */
static void until_readers(struct world *w, uint32_t n)
{
    const struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    for (;;) {
        w->sink->ops->flush(w->sink);
        if (told(w).now == n) {
            return;
        }
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
}

static int connect_to(const struct world *w)
{
    int fd = socket(w->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &w->at.sa, w->at.len), 0);
    return fd;
}

static int new_reader(struct world *w)
{
    int fd = connect_to(w);
    until_readers(w, told(w).now + 1);
    return fd;
}

/* Frames of a point, numbered in their first bytes. */
static void give(struct world *w, uint32_t point, uint32_t first, uint32_t n)
{
    static struct batch b;
    static uint8_t bytes[BATCH_MAX][LENGTH];
    for (uint32_t i = 0; i < n; i += b.n) {
        b.n = MIN(n - i, (uint32_t)BATCH_MAX);
        for (uint32_t k = 0; k < b.n; k++) {
            const uint32_t number = first + i + k;
            memcpy(bytes[k], &number, sizeof(number));
            b.f[k] = (struct frame){.data = bytes[k],
                                    .datalen = LENGTH,
                                    .caplen = LENGTH,
                                    .origlen = LENGTH + 1,
                                    .ts_ns = NSEC_PER_SEC + number,
                                    .point = point};
        }
        w->sink->ops->write(w->sink, &b);
    }
}

static uint64_t count(const struct world *w, uint32_t point, enum ledger_id id)
{
    return ledger_get(sink_ledger(w->sink, point), id);
}

static void assert_balanced(const struct world *w, uint32_t point, uint64_t in)
{
    assert_int_equal(count(w, point, LEDGER_SINK_IN), in);
    assert_int_equal(ledger_sum(sink_ledger(w->sink, point), NULL, LEDGER_SINK).in_flight, 0);
}

static void read_all(int fd, void *to, size_t len)
{
    for (size_t at = 0; at < len;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
        ssize_t n = read(fd, (uint8_t *)to + at, len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* The next record of a classic stream: its frame's number. */
static uint32_t read_record(int fd)
{
    uint8_t record[PCAP_RECORD_LEN + LENGTH];
    uint32_t caplen, origlen, number;
    read_all(fd, record, sizeof(record));
    memcpy(&caplen, record + 8, 4);
    memcpy(&origlen, record + 12, 4);
    memcpy(&number, record + PCAP_RECORD_LEN, 4);
    assert_int_equal(caplen, LENGTH);
    assert_int_equal(origlen, LENGTH + 1);
    return number;
}

static void read_header(int fd, uint32_t magic)
{
    uint8_t header[PCAP_HEADER_LEN];
    uint32_t first;
    read_all(fd, header, sizeof(header));
    memcpy(&first, header, 4);
    assert_int_equal(first, magic);
}

/* ---- coming and going ---- */

static void each_reader_gets_frames_from_then_on(void **state)
{
    (void)state;
    struct world w;
    begin(&w, PCAPIP_PCAP_NS);
    give(&w, 1, 0, 10); /* nobody is there */
    assert_int_equal(count(&w, 1, LEDGER_SINK_NO_READER), 10);
    int first = new_reader(&w);
    read_header(first, 0xa1b23c4d); /* before there is a frame */
    give(&w, 1, 10, 10);
    int second = connect_to(&w); /* nobody has looked since */
    give(&w, 1, 20, 10);
    read_header(second, 0xa1b23c4d);
    for (uint32_t i = 10; i < 30; i++) {
        assert_int_equal(read_record(first), i);
        assert_true(i < 20 || read_record(second) == i);
    }
    assert_int_equal(count(&w, 1, LEDGER_SINK_OUT), 20);
    assert_int_equal(count(&w, 1, LEDGER_SINK_BYTES), 20 * LENGTH);
    assert_int_equal(count(&w, 1, LEDGER_SINK_MISSED), 0);
    assert_balanced(&w, 1, 30);
    close(first);
    until_readers(&w, 1);
    close(second);
    until_readers(&w, 0); /* without a frame */
    sink_free(w.sink);
}

static void the_ninth_is_turned_away(void **state)
{
    (void)state;
    struct world w;
    int reader[READERS_MAX + 1];
    char byte;
    begin(&w, PCAPIP_PCAP);
    for (unsigned i = 0; i < READERS_MAX; i++) {
        reader[i] = new_reader(&w);
        read_header(reader[i], 0xa1b2c3d4);
    }
    reader[READERS_MAX] = connect_to(&w);
    while (told(&w).refused == 0) {
        w.sink->ops->flush(w.sink);
    }
    assert_int_equal(told(&w).now, READERS_MAX);
    assert_int_equal(told(&w).refused, 1);
    assert_int_equal(read(reader[READERS_MAX], &byte, 1), 0);
    close(reader[3]);
    until_readers(&w, READERS_MAX - 1);
    close(reader[READERS_MAX]);
    reader[READERS_MAX] = new_reader(&w);
    read_header(reader[READERS_MAX], 0xa1b2c3d4);
    reader[3] = -1;
    for (unsigned i = 0; i <= READERS_MAX; i++) {
        closep(&reader[i]);
    }
    until_readers(&w, 0);
    sink_free(w.sink);
}

/* ---- slow ones ---- */

/* Gives batches until the reader that does not read has missed some. */
static uint32_t until_missed(struct world *w, int good)
{
    uint32_t given = 0;
    while (count(w, 1, LEDGER_SINK_MISSED) == 0) {
        assert_true(given < 100000);
        give(w, 1, given, BATCH_MAX);
        for (uint32_t i = 0; good >= 0 && i < BATCH_MAX; i++) {
            assert_int_equal(read_record(good), given + i);
        }
        given += BATCH_MAX;
    }
    return given;
}

static void a_slow_reader_misses_its_own(void **state)
{
    (void)state;
    struct world w;
    begin(&w, PCAPIP_PCAP_NS);
    int good = new_reader(&w), slow = new_reader(&w);
    read_header(good, 0xa1b23c4d);
    const uint32_t given = until_missed(&w, good);
    const uint64_t missed = count(&w, 1, LEDGER_SINK_MISSED);
    assert_int_equal(count(&w, 1, LEDGER_SINK_OUT), given);
    assert_balanced(&w, 1, given);
    read_header(slow, 0xa1b23c4d); /* now it reads: each record is whole */
    for (uint32_t i = 0; i < given - missed; i++) {
        assert_int_equal(read_record(slow), i);
        w.sink->ops->flush(w.sink);
    }
    give(&w, 1, given, 1); /* and it goes on */
    assert_int_equal(read_record(slow), given);
    assert_int_equal(count(&w, 1, LEDGER_SINK_MISSED), missed);
    close(good);
    close(slow);
    sink_free(w.sink);
}

static void frames_that_nobody_has_room_for(void **state)
{
    (void)state;
    struct world w;
    begin(&w, PCAPIP_PCAP);
    int slow = new_reader(&w);
    const uint32_t given = until_missed(&w, -1);
    const uint64_t full = count(&w, 1, LEDGER_SINK_READERS_FULL);
    assert_true(full > 0);
    assert_int_equal(count(&w, 1, LEDGER_SINK_MISSED), full);
    assert_int_equal(count(&w, 1, LEDGER_SINK_OUT), given - full);
    assert_balanced(&w, 1, given);
    const struct mono before = mono_now();
    assert_int_equal(w.sink->ops->finish(w.sink, NULL), 0); /* bounded, though it does not read */
    assert_true(mono_diff(mono_now(), before) < 10 * NSEC_PER_SEC);
    read_header(slow, 0xa1b2c3d4);
    for (uint32_t i = 0; i < given - full - 1; i++) { /* the last one may be cut by the end */
        assert_int_equal(read_record(slow), i);
    }
    close(slow);
    sink_free(w.sink);
}

static void what_was_taken_is_given_at_the_end(void **state)
{
    (void)state;
    struct world w;
    char byte;
    begin(&w, PCAPIP_PCAP);
    int fd = new_reader(&w);
    give(&w, 1, 0, 100);
    assert_int_equal(w.sink->ops->finish(w.sink, NULL), 0);
    read_header(fd, 0xa1b2c3d4);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(read_record(fd), i);
    }
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    sink_free(w.sink);
}

static void too_long_for_any_reader(void **state)
{
    (void)state;
    struct world w;
    static struct batch b;
    uint8_t *bytes = calloc(1, PCAP_SNAPLEN_MAX + 1);
    begin(&w, PCAPIP_PCAPNG);
    int fd = new_reader(&w);
    b.n = 2;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t len = PCAP_SNAPLEN_MAX + i;
        b.f[i] = (struct frame){
            .data = bytes, .datalen = len, .caplen = len, .origlen = len, .point = 1};
    }
    w.sink->ops->write(w.sink, &b);
    assert_int_equal(count(&w, 1, LEDGER_SINK_OUT), 1);
    assert_int_equal(count(&w, 1, LEDGER_SINK_LONG), 1);
    assert_balanced(&w, 1, 2);
    free(bytes);
    close(fd);
    sink_free(w.sink);
}

/* ---- pcapng ---- */

struct blocks {
    int fd;
    size_t have;
    struct pcapng_reader reader;
    uint8_t bytes[1 << 16];
};

/* The next block of the stream; it stays until the next call. */
static struct pcapng_item next_block(struct blocks *b, size_t before)
{
    struct pcapng_item item = {.kind = PCAPNG_MORE, .len = PCAPNG_BLOCK_MIN};
    b->have -= before;
    memmove(b->bytes, b->bytes + before, b->have);
    for (;;) {
        assert_int_equal(pcapng_read(&b->reader, b->bytes, b->have, &item), 0);
        if (item.kind != PCAPNG_MORE) {
            return item;
        }
        read_all(b->fd, b->bytes + b->have, item.len - b->have);
        b->have = item.len;
    }
}

/* The interface's name, as the block has it. */
static void assert_interface(struct blocks *b, size_t *before, const char *name)
{
    struct pcapng_item item = next_block(b, *before);
    assert_int_equal(item.kind, PCAPNG_INTERFACE);
    assert_int_equal(item.idb.name.len, strlen(name));
    assert_memory_equal(item.idb.name.p, name, strlen(name));
    assert_int_equal(item.idb.linktype, PCAPNG_LINKTYPE_ETHERNET);
    *before = item.len;
}

static void assert_frame(struct blocks *b, size_t *before, uint32_t ifid, uint32_t number)
{
    struct pcapng_item item = next_block(b, *before);
    uint32_t got;
    assert_int_equal(item.kind, PCAPNG_FRAME);
    assert_int_equal(item.epb.ifid, ifid);
    assert_int_equal(item.epb.caplen, LENGTH);
    assert_int_equal(item.epb.ts_ns, NSEC_PER_SEC + number);
    memcpy(&got, item.data, sizeof(got));
    assert_int_equal(got, number);
    *before = item.len;
}

static struct blocks *new_blocks(struct world *w, size_t *before)
{
    struct blocks *b = calloc(1, sizeof(*b));
    pcapng_reader_init(&b->reader);
    b->fd = new_reader(w);
    struct pcapng_item item = next_block(b, 0);
    assert_int_equal(item.kind, PCAPNG_SECTION);
    *before = item.len;
    return b;
}

static void end_blocks(struct blocks *b)
{
    close(b->fd);
    free(b);
}

/* Each point is described to each reader before its first frame, by a number of the reader's. */
static void points_are_interfaces(void **state)
{
    (void)state;
    struct world w;
    size_t before[2];
    begin(&w, PCAPIP_PCAPNG);
    add_point(&w, 7, "mail");
    struct blocks *a = new_blocks(&w, &before[0]);
    give(&w, 1, 0, 2);
    assert_interface(a, &before[0], "web:eth0");
    assert_frame(a, &before[0], 0, 0);
    assert_frame(a, &before[0], 0, 1);
    struct blocks *b = new_blocks(&w, &before[1]);
    give(&w, 7, 10, 1);
    give(&w, 1, 11, 1);
    assert_interface(a, &before[0], "mail:eth0");
    assert_frame(a, &before[0], 1, 10);
    assert_frame(a, &before[0], 0, 11);
    assert_interface(b, &before[1], "mail:eth0");
    assert_frame(b, &before[1], 0, 10);
    assert_interface(b, &before[1], "web:eth0");
    assert_frame(b, &before[1], 1, 11);
    w.sink->ops->point_remove(w.sink, 7); /* it comes back as it was, … */
    add_point(&w, 7, "mail");
    give(&w, 7, 12, 1);
    assert_frame(a, &before[0], 1, 12);
    w.sink->ops->point_remove(w.sink, 7);
    add_point(&w, 7, "news"); /* … or another has its index */
    give(&w, 7, 13, 1);
    assert_interface(a, &before[0], "news:eth0");
    assert_frame(a, &before[0], 2, 13);
    end_blocks(a);
    end_blocks(b);
    sink_free(w.sink);
}

/* ---- words ---- */

static void words_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
        uint16_t port;
        enum pcapip_format format;
        bool clear;
    } right[] = {
        {"127.0.0.1:57012", "127.0.0.1:0", 57012, PCAPIP_PCAP, false},
        {"127.9.9.9:1,format=pcap", "127.9.9.9:0", 1, PCAPIP_PCAP, false},
        {"[::1]:65535,format=pcap-ns", "[::1]:0", 65535, PCAPIP_PCAP_NS, false},
        {"0.0.0.0:57012,clear,format=pcapng", "0.0.0.0:0", 57012, PCAPIP_PCAPNG, true},
        {"[::]:57012,format=pcapng,clear", "[::]:0", 57012, PCAPIP_PCAPNG, true},
    };
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"127.0.0.1", "HOST:PORT"},
        {"here:1", "\"here\" is not an IPv4 or IPv6 address"},
        {"127.0.0.1:0", "port"},
        {"127.0.0.1:1,", "\"\" is no setting of it"},
        {"127.0.0.1:1,format=pcapNG", "\"format=pcapNG\" is no setting of it, but"},
        {"192.0.2.1:1", "others reach 192.0.2.1, and frames would leave this host in clear text"},
        {"0.0.0.0:1,format=pcap", "others reach 0.0.0.0"},
        {"[::]:1", "others reach ::"},
        {"[::ffff:127.0.0.1]:1", "others reach"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        struct error err = {""};
        struct pcapip_wish w;
        char text[UDP_ADDR_TEXT];
        assert_int_equal(pcapip_wish_read(right[i].text, &w, &err), 0);
        udp_addr_text(&w.at, text);
        assert_string_equal(text, right[i].address);
        assert_int_equal(w.port, right[i].port);
        assert_int_equal(w.format, right[i].format);
        assert_int_equal(w.clear, right[i].clear);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct error err = {""};
        struct pcapip_wish w;
        assert_true(pcapip_wish_read(wrong[i].text, &w, &err) < 0);
        if (!strstr(err.text, wrong[i].says)) {
            fail_msg("%s: %s", wrong[i].text, err.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reader_gets_frames_from_then_on),
        cmocka_unit_test(the_ninth_is_turned_away),
        cmocka_unit_test(a_slow_reader_misses_its_own),
        cmocka_unit_test(frames_that_nobody_has_room_for),
        cmocka_unit_test(what_was_taken_is_given_at_the_end),
        cmocka_unit_test(too_long_for_any_reader),
        cmocka_unit_test(points_are_interfaces),
        cmocka_unit_test(words_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
