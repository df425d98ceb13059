/* SPDX-License-Identifier: Apache-2.0
 *
 * A data thread by itself: functions that are posted to it run in order and once, their arguments
 * are freed whether they run or not, it wakes for its descriptor, its time and its end.
 */
#include "data/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/time.h"

enum {
    POSTS = 8,
    DEADLINE_MS = 20000,
    LONG_MS = 600000,
};

struct owner {
    struct thread *thread;
    int fd;
    _Atomic int sleep_ms;
    _Atomic bool holds; /* posted functions are left where they are */
    _Atomic unsigned runs, readable, carried, dropped, ended;
    _Atomic int error;
    int seen[64]; /* in the order of their running */
};

static int owner_fd(const void *owner)
{
    return ((const struct owner *)owner)->fd;
}

static int owner_run(void *owner, short revents)
{
    struct owner *o = owner;
    uint64_t v;
    atomic_fetch_add(&o->runs, 1);
    if (revents & POLLIN) {
        assert_int_equal(read(o->fd, &v, sizeof(v)), sizeof(v));
        atomic_fetch_add(&o->readable, 1);
    }
    while (!atomic_load(&o->holds) && thread_next(o->thread)) {
    }
    return thread_stopping(o->thread) ? THREAD_END : atomic_load(&o->sleep_ms);
}

static void owner_end(void *owner, int error)
{
    struct owner *o = owner;
    atomic_store(&o->error, error);
    atomic_fetch_add(&o->ended, 1);
}

static const struct thread_ops ops = {.fd = owner_fd, .run = owner_run, .end = owner_end};

static void start(struct owner *o)
{
    *o = (struct owner){.fd = eventfd(0, EFD_CLOEXEC), .sleep_ms = LONG_MS};
    const struct thread_conf conf = {.name = "a thread", .ops = &ops, .owner = o, .posts = POSTS};
    assert_int_equal(thread_start(&conf, &o->thread), 0);
}

static void stop(struct owner *o)
{
    thread_stop(o->thread);
    thread_free(o->thread);
    assert_int_equal(o->ended, 1);
    close(o->fd);
}

static void until(const _Atomic unsigned *v, unsigned n)
{
    struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    while (atomic_load(v) < n) {
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, 1);
    }
}

struct arg {
    struct owner *owner;
    int number;
};

static void carry(void *owner, void *arg)
{
    struct owner *o = owner;
    unsigned at = atomic_load(&o->carried);
    o->seen[at] = ((const struct arg *)arg)->number;
    atomic_store(&o->carried, at + 1);
}

static void drop(void *arg)
{
    atomic_fetch_add(&((struct arg *)arg)->owner->dropped, 1);
    free(arg);
}

static int post(struct owner *o, int number)
{
    struct arg *a = malloc(sizeof(*a));
    assert_non_null(a);
    *a = (struct arg){o, number};
    return thread_post(o->thread, carry, a, drop);
}

static void posts_run_in_order(void **state)
{
    (void)state;
    static struct owner o;
    start(&o);
    for (unsigned i = 0; i < 40; i++) {
        until(&o.carried, i < POSTS ? 0 : i - POSTS + 1); /* there is room */
        assert_int_equal(post(&o, (int)i), 0);
    }
    until(&o.dropped, 40);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(o.seen[i], i);
    }
    stop(&o);
    assert_int_equal(o.carried, 40);
    assert_int_equal(o.error, 0);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    static struct owner o;
    start(&o);
    atomic_store(&o.holds, true);
    for (int i = 0; i < POSTS; i++) {
        assert_int_equal(post(&o, i), 0);
    }
    assert_int_equal(post(&o, POSTS), -EAGAIN);
    assert_int_equal(o.dropped, 1);
    stop(&o); /* those that were not carried out are freed all the same */
    assert_int_equal(o.carried, 0);
    assert_int_equal(o.dropped, POSTS + 1);
}

static void the_poster_waits_for_room(void **state)
{
    (void)state;
    static struct owner o = {.fd = -1, .sleep_ms = 1, .holds = true};
    const struct thread_conf conf = {
        .name = "", .ops = &ops, .owner = &o, .posts = 1, .wait_ms = 20};
    assert_int_equal(thread_start(&conf, &o.thread), 0);
    while (post(&o, 1) == 0) {
    }
    struct mono before = mono_now();
    assert_int_equal(post(&o, 2), -EAGAIN);
    assert_true(mono_diff(mono_now(), before) >= 20 * NSEC_PER_MSEC);
    atomic_store(&o.holds, false);
    assert_int_equal(post(&o, 3), 0);
    thread_stop(o.thread);
    thread_free(o.thread);
}

static void the_descriptor_wakes_it(void **state)
{
    (void)state;
    static struct owner o;
    const uint64_t one = 1;
    start(&o);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(write(o.fd, &one, sizeof(one)), sizeof(one));
        until(&o.readable, i);
    }
    unsigned runs = atomic_load(&o.runs);
    thread_wake(o.thread);
    until(&o.runs, runs + 1);
    assert_int_equal(o.readable, 3);
    atomic_store(&o.sleep_ms, 1);
    thread_wake(o.thread);
    until(&o.runs, runs + 10); /* by time alone */
    stop(&o);
}

/* poll refuses more descriptors than the process may have. */
static void poll_fails(void **state)
{
    (void)state;
    static struct owner o;
    struct rlimit was, one;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    one = was;
    one.rlim_cur = 1;
    start(&o);
    until(&o.runs, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
    thread_wake(o.thread);
    until(&o.ended, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(o.error, EINVAL);
    stop(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_order),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(the_poster_waits_for_room),
        cmocka_unit_test(the_descriptor_wakes_it),
        cmocka_unit_test(poll_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
