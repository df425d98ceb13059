/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop with real descriptors and threads; nothing waits longer than the loop itself does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "sys/loop.h"

DEFINE_FREEP(struct loop, loop_free)

static struct loop *make_loop(void)
{
    struct loop *l = NULL;
    assert_int_equal(loop_new(&l), 0);
    return l;
}

struct note {
    char order[64];
    size_t n;
    struct loop_fd *other;
    struct loop_timer *timer;
    int left;
};

static void put(struct note *note, char c)
{
    assert_true(note->n + 1 < sizeof(note->order));
    note->order[note->n++] = c;
}

static struct mono in_ms(int64_t ms)
{
    return mono_add_ms(mono_now(), ms);
}

static void on_a(struct loop *l, struct mono now, void *user)
{
    (void)l, (void)now;
    put(user, 'a');
}

static void on_b(struct loop *l, struct mono now, void *user)
{
    (void)l, (void)now;
    put(user, 'b');
}

static void on_end(struct loop *l, struct mono now, void *user)
{
    (void)now;
    put(user, '.');
    loop_stop(l, 7);
}

static void timers_run_in_order(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct note note = {.n = 0};
    struct loop_timer *never, *moved;
    const struct mono start = mono_now(); /* of all times, however long it takes to set them */
    assert_int_equal(loop_add_timer(l, mono_add_ms(start, 6), 0, on_end, &note, NULL), 0);
    assert_int_equal(loop_add_timer(l, mono_add_ms(start, 4), 0, on_b, &note, NULL), 0);
    assert_int_equal(loop_add_timer(l, mono_add_ms(start, 2), 0, on_a, &note, NULL), 0);
    assert_int_equal(loop_add_timer(l, (struct mono){0}, 0, on_a, &note, &never), 0);
    assert_int_equal(loop_add_timer(l, mono_add_ms(start, 1), 0, on_b, &note, &moved), 0);
    loop_set_timer(l, moved, mono_add_ms(start, 5), 0);
    assert_int_equal(loop_run(l), 7);
    assert_string_equal(note.order, "abb.");
    assert_true(mono_diff(mono_now(), start) >= 6 * NSEC_PER_MSEC);
}

struct many {
    int64_t last;
    unsigned ran;
};

struct heap_case {
    struct many *many;
    int64_t due;
};

static void on_case(struct loop *l, struct mono now, void *user)
{
    struct heap_case *c = user;
    assert_true(now.ns >= c->due);
    assert_true(c->due >= c->many->last);
    c->many->last = c->due;
    c->many->ran++;
    (void)l;
}

static void on_stop(struct loop *l, struct mono now, void *user)
{
    (void)now, (void)user;
    loop_stop(l, 0);
}

static void heap_keeps_order_with_removals(void **state)
{
    (void)state;
    enum {
        N = 300,
    };
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct many many = {0};
    static struct heap_case cases[N];
    struct loop_timer *timers[N];
    int64_t now = mono_now().ns;
    uint32_t x = 12345;
    for (size_t i = 0; i < N; i++) {
        x = x * 1664525 + 1013904223;
        cases[i] = (struct heap_case){&many, now + (int64_t)(x >> 8) % (20 * NSEC_PER_MSEC)};
        assert_int_equal(
            loop_add_timer(l, (struct mono){cases[i].due}, 0, on_case, &cases[i], &timers[i]), 0);
    }
    for (size_t i = 0; i < N; i += 3) {
        loop_del_timer(l, timers[i]);
    }
    assert_int_equal(loop_add_timer(l, in_ms(40), 0, on_stop, NULL, NULL), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(many.ran, N - N / 3);
}

/* The last entry of the heap takes the removed one's place, below a parent that is due later. */
static void removal_may_lift_an_entry(void **state)
{
    (void)state;
    static const int64_t due[] = {1, 10, 2, 11, 12, 3, 4};
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct loop_timer *timers[ARRAY_SIZE(due)];
    struct heap_case cases[ARRAY_SIZE(due)];
    struct many many = {0};
    for (size_t i = 0; i < ARRAY_SIZE(due); i++) {
        cases[i] =
            (struct heap_case){&many, due[i]}; /* long past: all run in one round, in order */
        assert_int_equal(
            loop_add_timer(l, (struct mono){due[i]}, 0, on_case, &cases[i], &timers[i]), 0);
    }
    loop_del_timer(l, timers[3]);
    assert_int_equal(loop_add_timer(l, in_ms(2), 0, on_stop, NULL, NULL), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(many.ran, ARRAY_SIZE(due) - 1);
}

static void on_tick(struct loop *l, struct mono now, void *user)
{
    struct note *note = user;
    (void)now;
    put(note, 't');
    if (note->n == 1) { /* a stall of many periods is one tick, not many */
        for (struct mono until = in_ms(20); !mono_due(mono_now(), until);) {
        }
    }
    if (--note->left == 0) {
        loop_del_timer(l, note->timer); /* itself, while it runs */
        loop_add_timer(l, in_ms(5), 0, on_end, note, NULL);
    }
}

static void periodic_timer_does_not_catch_up(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct note note = {.left = 3};
    struct mono start = mono_now();
    assert_int_equal(loop_add_timer(l, in_ms(1), 2 * NSEC_PER_MSEC, on_tick, &note, &note.timer),
                     0);
    assert_int_equal(loop_run(l), 7);
    assert_string_equal(note.order, "ttt.");
    /* 1 + stall 20 + a tick that was due + 2 + 5 */
    assert_true(mono_diff(mono_now(), start) >= 28 * NSEC_PER_MSEC);
}

static void on_readable(struct loop *l, int fd, uint32_t events, void *user)
{
    struct note *note = user;
    char c;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(fd, &c, 1), 1);
    put(note, c);
    loop_del_fd(l, TAKE_PTR(note->other)); /* whichever comes first removes the other one */
    loop_stop(l, 1);
}

static void removed_descriptor_is_not_called(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    int p[2], q[2];
    struct note a = {.n = 0}, b = {.n = 0};
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(pipe2(q, O_CLOEXEC), 0);
    assert_int_equal(loop_add_fd(l, p[0], EPOLLIN, on_readable, &a, &b.other), 0);
    assert_int_equal(loop_add_fd(l, q[0], EPOLLIN, on_readable, &b, &a.other), 0);
    assert_int_equal(loop_add_fd(l, q[0], EPOLLIN, on_readable, &b, NULL), -EEXIST);
    assert_int_equal(write(p[1], "p", 1), 1);
    assert_int_equal(write(q[1], "q", 1), 1);
    assert_int_equal(loop_run(l), 1);
    assert_int_equal(a.n + b.n, 1);
    /* The other's byte is still there, and nobody is told. */
    assert_int_equal(loop_add_timer(l, in_ms(2), 0, on_stop, NULL, NULL), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(a.n + b.n, 1);
    for (size_t i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
}

static void on_same_round(struct loop *l, int fd, uint32_t events, void *user)
{
    struct note *note = user;
    (void)fd, (void)events;
    put(note, 'x');
    loop_del_fd(l, TAKE_PTR(note->other));
}

static void removal_within_a_round(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct wake w[2];
    struct note a = {.n = 0}, b = {.n = 0};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(wake_init(&w[i]), 0);
        wake_signal(&w[i]);
    }
    assert_int_equal(loop_add_fd(l, w[0].fd, EPOLLIN, on_same_round, &a, &b.other), 0);
    assert_int_equal(loop_add_fd(l, w[1].fd, EPOLLIN, on_same_round, &b, &a.other), 0);
    assert_int_equal(loop_add_timer(l, mono_now(), 0, on_stop, NULL, NULL), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(a.n + b.n, 1);
    wake_done(&w[0]);
    wake_done(&w[1]);
}

struct threads {
    struct wake wake;
    atomic_uint posted;
    unsigned seen;
};

enum {
    POSTS = 5000,
};

static void *poster(void *user)
{
    struct threads *t = user;
    for (unsigned i = 0; i < POSTS; i++) {
        atomic_fetch_add_explicit(&t->posted, 1, memory_order_release);
        wake_signal(&t->wake);
    }
    return NULL;
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *user)
{
    struct threads *t = user;
    (void)fd, (void)events;
    assert_true(wake_clear(&t->wake));
    t->seen = atomic_load_explicit(&t->posted, memory_order_acquire);
    if (t->seen == 2 * POSTS) {
        loop_stop(l, 3);
    }
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    struct threads t = {.seen = 0};
    pthread_t id[2];
    assert_int_equal(wake_init(&t.wake), 0);
    assert_false(wake_clear(&t.wake));
    assert_int_equal(loop_add_fd(l, t.wake.fd, EPOLLIN, on_wake, &t, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&id[i], NULL, poster, &t), 0);
    }
    assert_int_equal(loop_add_timer(l, in_ms(20000), 0, on_stop, NULL, NULL), 0);
    assert_int_equal(loop_run(l), 3);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(id[i], NULL);
    }
    wake_done(&t.wake);
}

static void on_signal(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct note *note = user;
    assert_int_equal(sig->from, getpid());
    assert_false(sig->from_kernel);
    put(note, sig->number == SIGHUP ? 'h' : sig->number == SIGTERM ? 't' : 'i');
    if (note->n == 3) {
        loop_stop(l, 0);
    }
}

static void signals_are_events(void **state)
{
    (void)state;
    struct note note = {.n = 0};
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct loop *l = make_loop();
    assert_int_equal(loop_add_signals(l, on_signal, &note), 0);
    assert_int_equal(loop_add_signals(l, on_signal, &note), -EEXIST);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    assert_int_equal(loop_run(l), 0);
    assert_non_null(memchr(note.order, 'h', 3));
    assert_non_null(memchr(note.order, 't', 3));
    assert_non_null(memchr(note.order, 'i', 3));
    loop_free(l);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

/* One that came before there was a loop is not lost, and has not ended the program. */
static void signals_wait(void **state)
{
    (void)state;
    struct note note = {.n = 2};
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    loop_hold_signals();
    kill(getpid(), SIGTERM);
    struct loop *l = make_loop();
    assert_int_equal(loop_add_signals(l, on_signal, &note), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(note.order[2], 't');
    loop_free(l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Under nohup a SIGHUP is told apart; SIGINT is not, as shells ignore it for what they start in the
 * background. */
static void on_nohup(struct loop *l, const struct loop_signal *sig, void *user)
{
    struct note *note = user;
    put(note, sig->ignored ? 'i' : 'h');
    if (note->n == 2) {
        loop_stop(l, 0);
    }
}

static void ignored_signals_are_told_apart(void **state)
{
    (void)state;
    struct note note = {.n = 0};
    struct sigaction before_hup, before_int, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGHUP, &ignore, &before_hup);
    sigaction(SIGINT, &ignore, &before_int);
    struct loop *l = make_loop();
    assert_int_equal(loop_add_signals(l, on_nohup, &note), 0);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGINT);
    assert_int_equal(loop_run(l), 0);
    assert_non_null(memchr(note.order, 'i', 2));
    assert_non_null(memchr(note.order, 'h', 2));
    loop_free(l);
    sigaction(SIGHUP, &before_hup, NULL);
    sigaction(SIGINT, &before_int, NULL);
}

/* As in a signal handler, which may come between a call and the look at its errno. */
static void a_wake_leaves_errno(void **state)
{
    (void)state;
    const uint64_t full = UINT64_MAX - 1;
    struct wake w;
    assert_int_equal(wake_init(&w), 0);
    assert_int_equal(write(w.fd, &full, sizeof(full)), sizeof(full));
    errno = ENOENT;
    wake_signal(&w); /* EAGAIN: no more fits */
    assert_int_equal(errno, ENOENT);
    assert_true(wake_clear(&w));
    wake_done(&w);
}

static void stop_before_run(void **state)
{
    (void)state;
    _cleanup_(loop_freep) struct loop *l = make_loop();
    loop_stop(l, 4);
    assert_int_equal(loop_run(l), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order),
        cmocka_unit_test(heap_keeps_order_with_removals),
        cmocka_unit_test(removal_may_lift_an_entry),
        cmocka_unit_test(periodic_timer_does_not_catch_up),
        cmocka_unit_test(removed_descriptor_is_not_called),
        cmocka_unit_test(removal_within_a_round),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(signals_are_events),
        cmocka_unit_test(signals_wait),
        cmocka_unit_test(ignored_signals_are_told_apart),
        cmocka_unit_test(a_wake_leaves_errno),
        cmocka_unit_test(stop_before_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
