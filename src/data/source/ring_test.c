/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring's part of the ledger: each of its rows, by frames that a TAP device of the test's own
 * gives.
 */
#include "data/source/ring.h"
#include "data/sources.h"
#include "sys/filter.h"
#include "sys/ring_testing.h"

enum {
    PLAIN = 100,
    SUPER = 60000,
    LONG = 300000, /* more than a block has room for */
    HEAD = sizeof(struct virtio_net_hdr),
};

struct bench {
    int tap;
    struct ledger ledger;
    struct source *source;
    struct batch batch;
    struct batch_out out;
    uint64_t frames, caplen; /* of all that was pushed */
};

static void count_frames(struct batch_out *o)
{
    struct bench *b = CONTAINER_OF(o, struct bench, out);
    for (uint32_t i = 0; i < b->batch.n; i++) {
        b->caplen += b->batch.f[i].caplen;
    }
    b->frames += b->batch.n;
    b->batch.n = 0;
}

static struct ring *ring_of(const char *name, uint32_t bytes, uint32_t block)
{
    return ring_on(
        &(struct ring_conf){.ifindex = index_of(name), .bytes = bytes, .block_size = block});
}

static void set_up(struct bench *b, uint32_t bytes, uint32_t block)
{
    memset(b, 0, sizeof(*b));
    b->out = (struct batch_out){&b->batch, count_frames};
    b->tap = tun_device("t0", IFF_TAP | IFF_VNET_HDR);
    const struct source_wishes w = {.name = "t0", .ledger = &b->ledger};
    assert_int_equal(source_make(&w, &b->source), 0);
    assert_string_equal(b->source->ops->kind, "ring");
    source_swap(b->source, ring_of("t0", bytes, block));
}

static void tear_down(struct bench *b)
{
    b->source->ops->free(b->source);
    close(b->tap);
}

static void put(struct bench *b, const uint8_t *d, uint32_t len)
{
    assert_int_equal(write(b->tap, d, len), len);
}

static void put_plain(struct bench *b, unsigned n)
{
    uint8_t d[HEAD + PLAIN] = {0};
    memcpy(d + HEAD, "\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5", 14);
    for (unsigned i = 0; i < n; i++) {
        put(b, d, sizeof(d));
    }
}

/* Until so many frames were read, in all. */
static void read_until(struct bench *b, uint64_t n)
{
    struct mono end = deadline_s(5);
    while (ledger_get(&b->ledger, LEDGER_RING_OUT) < n) {
        uint64_t before = b->frames;
        assert_in_range(b->source->ops->run(b->source, &b->out, 1, mono_now()), 0, 1);
        if (b->frames == before) {
            not_after(end);
            wait_readable(ring_source_ring(b->source), 20);
        }
    }
    source_count(b->source);
}

static uint64_t count(const struct bench *b, enum ledger_id id)
{
    return ledger_get(&b->ledger, id);
}

/* Until the ring has seen `n` frames; how many of them it dropped. */
static uint64_t wait_seen(const struct bench *b, uint64_t n)
{
    uint64_t seen = 0, dropped = 0;
    struct mono end = deadline_s(5);
    while (seen < n) {
        assert_int_equal(ring_stats(ring_source_ring(b->source), &seen, &dropped), 0);
        not_after(end);
    }
    return dropped;
}

static void what_is_read(void **state)
{
    (void)state;
    static struct bench b;
    static uint8_t d[HEAD + LONG + 100];
    set_up(&b, 0, 0);
    put_plain(&b, 3);
    put(&b, d, super_packet(d, false, SUPER));
    put(&b, d, super_packet(d, false, LONG));
    uint32_t ufo = super_packet(d, false, 8000); /* which the kernel cannot tell of */
    d[HEAD + 23] = 17;
    d[1] = VIRTIO_NET_HDR_GSO_UDP;
    d[8] = 6;
    put(&b, d, ufo);
    put_plain(&b, 1);
    read_until(&b, 6);
    assert_int_equal(count(&b, LEDGER_RING_IN), 7);
    assert_int_equal(count(&b, LEDGER_RING_OUT), 6);
    assert_int_equal(count(&b, LEDGER_RING_OFFLOAD), 1);
    assert_int_equal(count(&b, LEDGER_RING_FULL), 0);
    assert_int_equal(count(&b, LEDGER_RING_SUPER), 2);
    assert_int_equal(count(&b, LEDGER_RING_CLAMPED), 1);
    assert_int_equal(count(&b, LEDGER_RING_BYTES), b.caplen);
    assert_in_range(b.caplen, 4 * PLAIN + 54 + SUPER + 1, 4 * PLAIN + 54 + SUPER + 54 + LONG - 1);
    assert_int_equal(count(&b, LEDGER_SEL_BAD), 0);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

enum { FRAMES = 3000 }; /* more than a small ring holds */

/* A ring of a few blocks, stopped after more than it could hold; how many it dropped. */
static uint64_t overfill(struct bench *b)
{
    set_up(b, 65536, 16384);
    put_plain(b, FRAMES);
    uint64_t dropped = wait_seen(b, FRAMES);
    assert_true(dropped > 0);
    source_stop(b->source);
    return dropped;
}

/* A ring of a few blocks that nobody reads: what it could not hold was dropped, and no more. */
static void a_full_ring(void **state)
{
    (void)state;
    static struct bench b;
    const uint64_t dropped = overfill(&b);
    read_until(&b, FRAMES - dropped);
    assert_int_equal(count(&b, LEDGER_RING_IN), FRAMES);
    assert_int_equal(count(&b, LEDGER_RING_FULL), dropped);
    assert_int_equal(count(&b, LEDGER_RING_OUT), FRAMES - dropped);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

/* Frames in a ring that is given up unread are counted; the next ring counts on. */
static void another_ring(void **state)
{
    (void)state;
    static struct bench b;
    set_up(&b, 0, 0);
    put_plain(&b, 4);
    read_until(&b, 4);
    put_plain(&b, 10);
    assert_int_equal(wait_seen(&b, 14), 0);
    source_swap(b.source, NULL);
    assert_null(ring_source_ring(b.source));
    assert_int_equal(b.source->ops->run(b.source, &b.out, 1, mono_now()), SOURCE_DRY);
    assert_int_equal(b.source->ops->fd(b.source), -1);
    assert_int_equal(count(&b, LEDGER_RING_IN), 14);
    assert_int_equal(count(&b, LEDGER_RING_GONE), 10);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    source_swap(b.source, ring_of("t0", 0, 0));
    put_plain(&b, 3);
    read_until(&b, 7);
    assert_int_equal(count(&b, LEDGER_RING_IN), 17);
    assert_int_equal(count(&b, LEDGER_RING_OUT), 7);
    assert_int_equal(count(&b, LEDGER_RING_GONE), 10);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

/* The kernel dropped some of what came to a ring that is given up: these were never in it. */
static void a_full_ring_is_given_up(void **state)
{
    (void)state;
    static struct bench b;
    const uint64_t dropped = overfill(&b);
    struct mono end = deadline_s(5);
    while (b.frames == 0) {
        assert_in_range(b.source->ops->run(b.source, &b.out, 1, mono_now()), 0, 1);
        not_after(end);
    }
    source_swap(b.source, NULL);
    assert_int_equal(count(&b, LEDGER_RING_FULL), dropped);
    assert_int_equal(count(&b, LEDGER_RING_GONE), FRAMES - dropped - b.frames);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

/* Runs without a wish for frames, until the second ring was taken or given up. */
static void settle(struct bench *b)
{
    const struct mono end = deadline_s(5);
    while (b->source->ops->due(b->source).ns != 0) {
        assert_in_range(b->source->ops->run(b->source, &b->out, 1, mono_now()), 0, 1);
        not_after(end);
    }
}

/* The kernel gives it nothing any more, without a word. */
static void make_deaf(const struct bench *b)
{
    const struct sockaddr_ll nothing = {
        .sll_family = AF_PACKET, .sll_protocol = htons(0xffff), .sll_ifindex = (int)index_of("t0")};
    const int fd = ring_fd(ring_source_ring(b->source));
    assert_int_equal(bind(fd, (const struct sockaddr *)&nothing, sizeof(nothing)), 0);
}

/* A second ring takes the place of one to which nothing comes, with what has come to itself. */
static void a_deaf_ring_is_replaced(void **state)
{
    (void)state;
    static struct bench b;
    set_up(&b, 0, 0);
    put_plain(&b, 4);
    read_until(&b, 4);
    make_deaf(&b);
    put_plain(&b, 5); /* which nobody hears */
    struct ring *const first = ring_source_ring(b.source), *const second = ring_of("t0", 0, 0);
    source_renew(b.source, second, 4, mono_now());
    put_plain(&b, 3);
    assert_ptr_equal(ring_source_ring(b.source), first); /* a moment */
    settle(&b);
    assert_ptr_equal(ring_source_ring(b.source), second);
    put_plain(&b, 2);
    read_until(&b, 9);
    assert_int_equal(b.frames, 9);
    assert_int_equal(count(&b, LEDGER_RING_IN), 9);
    assert_int_equal(count(&b, LEDGER_RING_GONE), 0);
    assert_int_equal(count(&b, LEDGER_RING_REOPENED), 1);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

/* One that hears stays, and what came to both is taken once. */
static void a_ring_that_hears_stays(void **state)
{
    (void)state;
    static struct bench b;
    set_up(&b, 0, 0);
    put_plain(&b, 4);
    read_until(&b, 4);
    struct ring *const first = ring_source_ring(b.source);
    source_renew(b.source, ring_of("t0", 0, 0), 4, mono_now());
    put_plain(&b, 3);
    settle(&b);
    assert_ptr_equal(ring_source_ring(b.source), first);
    put_plain(&b, 2);
    read_until(&b, 9);
    assert_int_equal(b.frames, 9);
    assert_int_equal(count(&b, LEDGER_RING_IN), 9);
    assert_int_equal(count(&b, LEDGER_RING_REOPENED), 0);
    assert_int_equal(ledger_sum(&b.ledger, NULL, LEDGER_RING).in_flight, 0);
    tear_down(&b);
}

/* Both get another filter, and at the end what came to the second one is not lost. */
static void a_second_ring_at_the_end(void **state)
{
    (void)state;
    static struct bench b;
    struct sock_filter none = {BPF_RET | BPF_K, 0, 0, 0};
    const struct filter_prog nothing = {&none, 1};
    set_up(&b, 0, 0);
    make_deaf(&b);
    struct ring *const second = ring_of("t0", 0, 0);
    source_renew(b.source, second, 0, mono_now());
    put_plain(&b, 3);
    assert_int_equal(source_filter(b.source, &nothing), 0);
    put_plain(&b, 5);
    source_stop(b.source);
    assert_ptr_equal(ring_source_ring(b.source), second);
    read_until(&b, 3);
    assert_int_equal(count(&b, LEDGER_RING_IN), 3);
    assert_int_equal(count(&b, LEDGER_RING_REOPENED), 1);
    tear_down(&b);
    set_up(&b, 0, 0); /* what waits is given up with the rest */
    source_renew(b.source, ring_of("t0", 0, 0), 0, mono_now());
    source_renew(b.source, ring_of("t0", 0, 0), 0, mono_now());
    source_swap(b.source, NULL);
    assert_int_equal(b.source->ops->due(b.source).ns, 0);
    source_renew(b.source, ring_of("t0", 0, 0), 0, mono_now()); /* and is none for no ring */
    settle(&b);
    assert_null(ring_source_ring(b.source));
    source_renew(b.source, ring_of("t0", 0, 0), 0, mono_now());
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read),
        cmocka_unit_test(a_full_ring),
        cmocka_unit_test(another_ring),
        cmocka_unit_test(a_full_ring_is_given_up),
        cmocka_unit_test(a_deaf_ring_is_replaced),
        cmocka_unit_test(a_ring_that_hears_stays),
        cmocka_unit_test(a_second_ring_at_the_end),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
