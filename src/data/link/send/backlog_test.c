/* SPDX-License-Identifier: Apache-2.0
 *
 * The backlog: frames come out in order and as they were, the budget holds for all threads
 * together, and memory goes back to the system.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "data/link/send/backlog.h"

enum {
    FRAME_MAX = 9000,
    THREADS = 4,
};

/* Frame number n: every byte of it follows from n. */
static struct frame make(uint64_t n, uint32_t len, uint8_t *bytes)
{
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(n * 7 + i * (n % 5 + 1));
    }
    return (struct frame){.data = bytes,
                          .datalen = len,
                          .caplen = len,
                          .origlen = len + (uint32_t)(n % 3),
                          .ts_ns = (int64_t)n,
                          .point = (uint32_t)(n % 11),
                          .dir = (uint8_t)(n % 3)};
}

static void same(const struct frame *f, uint64_t n, uint32_t len)
{
    static _Thread_local uint8_t bytes[FRAME_LEN_MAX];
    const struct frame e = make(n, len, bytes);
    assert_int_equal(f->ts_ns, e.ts_ns);
    assert_int_equal(f->caplen, len);
    assert_int_equal(f->datalen, len);
    assert_int_equal(f->origlen, e.origlen);
    assert_int_equal(f->point, e.point);
    assert_int_equal(f->dir, e.dir);
    assert_int_equal(f->ins_len, 0);
    assert_memory_equal(f->data, bytes, len);
}

static void first_in_first_out(void **state)
{
    (void)state;
    static uint8_t bytes[FRAME_MAX];
    struct backlog_pool *p = backlog_pool_new(BACKLOG_MIN);
    struct backlog *b = backlog_new(p);
    assert_true(backlog_empty(b));
    assert_null(backlog_front(b));
    backlog_pop(b);
    uint64_t sum = 0;
    for (uint64_t n = 0; n < 300; n++) {
        struct frame f = make(n, 60 + (uint32_t)n * 7, bytes);
        sum += f.caplen;
        assert_int_equal(backlog_put(b, &f), 0);
    }
    assert_int_equal(backlog_frames(b), 300);
    assert_int_equal(backlog_bytes(b), sum);
    for (uint64_t n = 0; n < 300; n++) {
        same(backlog_front(b), n, 60 + (uint32_t)n * 7);
        backlog_pop(b);
    }
    assert_true(backlog_empty(b));
    assert_int_equal(backlog_frames(b) + backlog_bytes(b), 0);
    assert_int_equal(backlog_pool_used(p), 0); /* and no memory is kept */
    backlog_free(b);
    backlog_pool_free(p);
}

static void as_the_wire_had_it(void **state)
{
    (void)state;
    uint8_t bytes[100], flat[100];
    struct frame f = make(3, 96, bytes);
    f.ins_len = 4; /* a VLAN tag beside the frame; sliced by two bytes */
    f.ins_off = 12;
    f.caplen = 98;
    memcpy(f.ins, "\x81\x00\x00\x2a", 4);
    frame_copy(&f, 0, flat, 98);
    struct backlog_pool *p = backlog_pool_new(BACKLOG_MIN);
    struct backlog *b = backlog_new(p);
    assert_int_equal(backlog_put(b, &f), 0);
    memset(bytes, 0, sizeof(bytes)); /* the ring goes on */
    const struct frame *g = backlog_front(b);
    assert_int_equal(g->caplen, 98);
    assert_int_equal(g->ins_len, 0);
    assert_memory_equal(g->data, flat, 98);
    backlog_free(b);
    assert_int_equal(backlog_pool_used(p), 0);
    backlog_pool_free(p);
}

static uint32_t rnd(uint64_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (uint32_t)(*seed >> 33) % n;
}

/* Against a plain model: what is there is always the newest frames without a gap, each as it was;
 * what is not was taken or counted; the budget is kept and used. */
static void property(uint64_t seed, uint64_t budget, uint32_t max_len)
{
    enum { PUTS = 6000 };
    static uint8_t bytes[FRAME_LEN_MAX];
    _cleanup_(freep) uint32_t *len = calloc(PUTS, sizeof(*len));
    struct backlog_pool *p = backlog_pool_new(budget);
    struct backlog *b = backlog_new(p);
    uint64_t first = 0, next = 0, held = 0, dropped = 0, taken = 0, most = 0;
    assert_non_null(len);
    while (next < PUTS) {
        unsigned puts = rnd(&seed, 400), pops = rnd(&seed, 300);
        for (unsigned i = 0; i < puts && next < PUTS; i++) {
            uint32_t l = 1 + rnd(&seed, rnd(&seed, 9) ? 1600 : max_len);
            struct frame f = make(next, l, bytes);
            len[next++] = l;
            held += l;
            uint64_t d = backlog_put(b, &f);
            for (dropped += d; d > 0; d--) {
                held -= len[first++];
            }
            assert_int_equal(backlog_frames(b), next - first);
            assert_int_equal(backlog_bytes(b), held);
            assert_true(held <= budget && backlog_pool_used(p) <= budget);
            most = MAX(most, backlog_pool_used(p));
        }
        for (unsigned i = 0; i < pops && first < next; i++) {
            same(backlog_front(b), first, len[first]);
            held -= len[first++];
            taken++;
            backlog_pop(b);
        }
        assert_int_equal(backlog_empty(b), first == next);
    }
    assert_int_equal(dropped + taken + backlog_frames(b), PUTS);
    if (dropped > 0) { /* not before the budget was used, but for what one more chunk needs */
        assert_true(most > budget - MAX(budget / BACKLOG_CHUNKS, max_len + 8192));
    }
    assert_int_equal(backlog_clear(b), next - first);
    assert_int_equal(backlog_pool_used(p), 0);
    backlog_free(b);
    backlog_pool_free(p);
}

static void any_mixture(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        property(seed * 0x9e3779b97f4a7c15u, BACKLOG_MIN, FRAME_MAX);
        property(seed * 0x9e3779b97f4a7c15u, 5 << 20, 200000);
        property(seed * 0x9e3779b97f4a7c15u, 300 << 20, FRAME_MAX);
    }
}

static void oldest_go_first(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct backlog_pool *p = backlog_pool_new(BACKLOG_MIN);
    struct backlog *b = backlog_new(p);
    uint64_t dropped = 0;
    for (uint64_t n = 0; n < 5000; n++) {
        struct frame f = make(n, 1000, bytes);
        dropped += backlog_put(b, &f);
    }
    assert_int_equal(dropped + backlog_frames(b), 5000);
    assert_in_range(backlog_bytes(b), BACKLOG_MIN * 9 / 10, BACKLOG_MIN);
    for (uint64_t n = dropped; n < 5000; n++) {
        same(backlog_front(b), n, 1000);
        backlog_pop(b);
    }
    assert_true(backlog_empty(b));
    backlog_free(b);
    backlog_pool_free(p);
}

static void expect_newest(struct backlog *b, uint64_t from, uint64_t end)
{
    for (uint64_t n = from; n < end; n++) {
        same(backlog_front(b), n, 1000);
        backlog_pop(b);
    }
    assert_true(backlog_empty(b));
}

/* The system gives no more memory long before the budget is used up: the oldest frames make room,
 * and the newest are kept. */
static void the_system_has_less(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct rlimit old;
    struct backlog_pool *p = backlog_pool_new(64 << 20);
    struct backlog *b = backlog_new(p);
    uint64_t dropped = 0, n = 0;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    for (; n < 20000; n++) {
        if (n == 5000) { /* not a byte more than now */
            assert_int_equal(setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, old.rlim_max}), 0);
        }
        struct frame f = make(n, 1000, bytes);
        dropped += backlog_put(b, &f);
    }
    uint64_t used = backlog_pool_used(p);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(dropped + backlog_frames(b), 20000);
    assert_in_range(backlog_frames(b), 4700, 5300);
    assert_true(used <= 6 << 20);
    expect_newest(b, dropped, 20000);
    assert_int_equal(backlog_pool_used(p), 0);
    backlog_free(b);
    backlog_pool_free(p);
}

static void memory_is_given_back(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct backlog_pool *p = backlog_pool_new(16 << 20);
    struct backlog *b = backlog_new(p);
    uint64_t dropped = 0, n = 0;
    for (; n < 10000; n++) {
        struct frame f = make(n, 1000, bytes);
        dropped += backlog_put(b, &f);
    }
    assert_int_equal(dropped, 0);
    uint64_t left = backlog_pool_shrink(p, 4 << 20);
    dropped = backlog_yield(b);
    assert_in_range(dropped, 3900, 4500);
    assert_in_range(backlog_pool_used(p), left - (256 << 10), left);
    for (; n < 20000; n++) { /* and not taken again */
        struct frame f = make(n, 1000, bytes);
        dropped += backlog_put(b, &f);
        assert_true(backlog_pool_used(p) <= left);
    }
    backlog_pool_restore(p);
    uint64_t before = dropped;
    for (; n < 24000; n++) {
        struct frame f = make(n, 1000, bytes);
        dropped += backlog_put(b, &f);
    }
    assert_int_equal(dropped, before);
    expect_newest(b, dropped, 24000);
    assert_int_equal(backlog_pool_shrink(p, 1), 0); /* nothing was taken: nothing may be */
    struct frame f = make(0, 1000, bytes);
    assert_int_equal(backlog_put(b, &f), 1);
    backlog_free(b);
    backlog_pool_free(p);
}

static void what_cannot_fit_is_dropped(void **state)
{
    (void)state;
    static uint8_t bytes[FRAME_LEN_MAX];
    struct backlog_pool *p = backlog_pool_new(BACKLOG_MIN);
    struct backlog *b = backlog_new(p);
    struct frame f = make(1, 100, bytes);
    assert_int_equal(backlog_put(b, &f), 0);
    f = make(2, FRAME_LEN_MAX, bytes); /* with its header more than the budget */
    assert_int_equal(backlog_put(b, &f), 2);
    assert_true(backlog_empty(b));
    f = make(3, 900000, bytes);
    assert_int_equal(backlog_put(b, &f), 0);
    same(backlog_front(b), 3, 900000);
    backlog_free(b);
    backlog_pool_free(p);
}

/* One fills the budget; another that comes later gets its share, and gives it back. */
static void nobody_starves(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct backlog_pool *p = backlog_pool_new(4 << 20);
    struct backlog *a = backlog_new(p), *b = backlog_new(p);
    uint64_t n = 0;
    for (; n < 6000; n++) {
        struct frame f = make(n, 1000, bytes);
        (void)backlog_put(a, &f);
    }
    assert_in_range(backlog_bytes(a), (4 << 20) * 9 / 10, 4 << 20);
    struct frame f = make(n, 1000, bytes);
    assert_int_equal(backlog_put(b, &f), 1); /* there is nothing left yet */
    assert_true(backlog_yield(a) > 0);       /* a thread whose interface is quiet comes by, too */
    for (unsigned i = 0; i < 6000; i++, n++) {
        f = make(n, 1000, bytes);
        (void)backlog_put(b, &f);
        (void)backlog_put(a, &f);
        assert_true(backlog_pool_used(p) <= 4 << 20);
    }
    assert_in_range(backlog_bytes(a), (2 << 20) * 8 / 10, 2 << 20);
    assert_in_range(backlog_bytes(b), (2 << 20) * 8 / 10, 2 << 20);
    /* The one is done: the other may have all of it. */
    (void)backlog_clear(b);
    for (unsigned i = 0; i < 6000; i++, n++) {
        f = make(n, 1000, bytes);
        (void)backlog_put(a, &f);
    }
    assert_in_range(backlog_bytes(a), (4 << 20) * 9 / 10, 4 << 20);
    backlog_free(a);
    backlog_free(b);
    assert_int_equal(backlog_pool_used(p), 0);
    backlog_pool_free(p);
}

/* A backlog that asked for memory and then has no more frames does not hold the others down. */
static void a_request_is_forgotten(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct backlog_pool *p = backlog_pool_new(1 << 20);
    struct backlog *a = backlog_new(p), *b = backlog_new(p);
    struct frame f = make(0, 1000, bytes);
    for (unsigned i = 0; i < 2000; i++) {
        (void)backlog_put(a, &f);
    }
    assert_int_equal(backlog_put(b, &f), 1);
    assert_true(backlog_yield(a) > 0);
    assert_int_equal(backlog_yield(b), 0);
    assert_int_equal(backlog_yield(a), 0);
    for (unsigned i = 0; i < 2000; i++) {
        (void)backlog_put(a, &f);
    }
    assert_true(backlog_bytes(a) > (1 << 20) * 8 / 10);
    backlog_free(b);
    backlog_free(a);
    backlog_pool_free(p);
}

struct thread {
    struct backlog_pool *pool;
    uint64_t seed, put, dropped, taken;
};

static void *busy(void *arg)
{
    struct thread *t = arg;
    uint8_t bytes[3000];
    struct backlog *b = backlog_new(t->pool);
    uint64_t next = 0;
    for (unsigned i = 0; i < 40000; i++) {
        if (rnd(&t->seed, 5) < 3) {
            struct frame f = make(t->put, 1 + rnd(&t->seed, 3000), bytes);
            t->dropped += backlog_put(b, &f);
            t->put++;
        } else if (!backlog_empty(b)) {
            const struct frame *f = backlog_front(b);
            assert_true((uint64_t)f->ts_ns >= next);
            next = (uint64_t)f->ts_ns + 1;
            same(f, (uint64_t)f->ts_ns, f->caplen);
            backlog_pop(b);
            t->taken++;
        } else {
            t->dropped += backlog_yield(b);
        }
        assert_true(backlog_pool_used(t->pool) <= BACKLOG_MIN);
    }
    t->dropped += backlog_clear(b);
    backlog_free(b);
    return NULL;
}

static void many_threads_one_budget(void **state)
{
    (void)state;
    struct backlog_pool *p = backlog_pool_new(BACKLOG_MIN);
    pthread_t id[THREADS];
    struct thread t[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        t[i] = (struct thread){.pool = p, .seed = 77 + i};
        assert_int_equal(pthread_create(&id[i], NULL, busy, &t[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(id[i], NULL);
        assert_int_equal(t[i].put, t[i].dropped + t[i].taken);
        assert_true(t[i].taken > 0 && t[i].dropped > 0);
    }
    assert_int_equal(backlog_pool_used(p), 0);
    backlog_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(as_the_wire_had_it),
        cmocka_unit_test(any_mixture),
        cmocka_unit_test(oldest_go_first),
        cmocka_unit_test(the_system_has_less),
        cmocka_unit_test(memory_is_given_back),
        cmocka_unit_test(what_cannot_fit_is_dropped),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(a_request_is_forgotten),
        cmocka_unit_test(many_threads_one_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
