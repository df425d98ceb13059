/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/world/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "data/sink/fake.h"
#include "data/sink/queue/queue.h"

enum {
    UP_MS = 5000,
};

/* ---- the data thread ---- */

void world_frames(struct tap_end *t, unsigned n)
{
    static uint8_t bytes[BATCH_MAX][WORLD_FRAME];
    static struct batch b;
    while (n > 0) {
        b.n = MIN(n, BATCH_MAX);
        for (unsigned i = 0; i < b.n; i++) {
            memset(bytes[i], (int)t->sender.made, WORLD_FRAME);
            memcpy(bytes[i], &t->sender.made, 4);
            t->sender.made++;
            b.f[i] = (struct frame){.data = bytes[i],
                                    .datalen = WORLD_FRAME,
                                    .caplen = WORLD_FRAME,
                                    .origlen = WORLD_FRAME,
                                    .ts_ns = wall_now().ns};
        }
        ledger_add(&t->sender.plain.ledger, LEDGER_CUT_OUT, b.n);
        t->sender.plain.tx->ops->write(t->sender.plain.tx, &b);
        n -= b.n;
    }
    t->sender.plain.tx->ops->flush(t->sender.plain.tx);
}

/* ---- the relay ---- */

static void see_nonce(struct world *w, const uint8_t *d, size_t len)
{
    struct link_record rec;
    if (w->tap_secret.method == LINK_PLAIN || link_peek(d, len) != LINK_RECORD ||
        link_record_decode(d, len, &rec) < 0) {
        return;
    }
    uint64_t digest = 14695981039346656037u; /* FNV-1a: enough to tell two records apart */
    for (size_t i = 0; i < len; i++) {
        digest = (digest ^ d[i]) * 1099511628211u;
    }
    uint64_t at = (rec.receiver * 31u + rec.stream) * 1000003u + rec.counter;
    for (;; at++) {
        __auto_type e = &w->nonce[at % WORLD_NONCES];
        if (e->receiver == 0) {
            e->receiver = rec.receiver;
            e->stream = rec.stream;
            e->counter = rec.counter;
            e->digest = digest;
            return;
        }
        if (e->receiver == rec.receiver && e->stream == rec.stream && e->counter == rec.counter) {
            assert_true(e->digest == digest); /* else: a nonce was used twice */
            return;
        }
    }
}

void world_relay(struct loop *l, int fd, uint32_t events, void *user)
{
    (void)l;
    (void)events;
    struct relay *r = user;
    uint8_t d[65536];
    bool to_collector = fd == r->front;
    struct udp_addr from = {.len = sizeof(from.v6)};
    ssize_t n;
    while ((n = recvfrom(fd, d, sizeof(d), MSG_DONTWAIT, &from.sa, &from.len)) >= 0) {
        if (to_collector) {
            r->tap = from;
            see_nonce(r->world, d, (size_t)n);
        }
        unsigned copies =
            r->world->fate ? r->world->fate(r->world, r, to_collector, d, (size_t)n) : 1;
        for (unsigned i = 0; i < copies; i++) {
            (void)sendto(to_collector ? r->back : r->front, d, (size_t)n, 0,
                         to_collector ? &r->world->listener_addr.sa : &r->tap.sa,
                         to_collector ? r->world->listener_addr.len : r->tap.len);
        }
        from.len = sizeof(from.v6);
    }
}

int world_socket(struct udp_addr *ret)
{
    struct udp_addr a = {.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
                         .len = sizeof(a.v4)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &a.sa, a.len), 0);
    (void)udp_set_buffers(fd, 4 << 20, 0, NULL, NULL);
    if (ret) {
        assert_int_equal(udp_local(fd, ret), 0);
    }
    return fd;
}

void world_inject(struct relay *r, bool to_collector, const uint8_t *d, size_t len)
{
    const struct udp_addr *to = to_collector ? &r->world->listener_addr : &r->tap;
    (void)sendto(to_collector ? r->back : r->front, d, len, 0, &to->sa, to->len);
}

void world_new_source(struct relay *r)
{
    loop_del_fd(r->world->loop, r->back_event);
    close(r->back);
    r->back = world_socket(NULL);
    assert_int_equal(loop_add_fd(r->world->loop, r->back, EPOLLIN, world_relay, r, &r->back_event),
                     0);
}

/* ---- both ends ---- */

static void append(char *text, const char *more)
{
    size_t len = strlen(text);
    snprintf(text + len, WORLD_TEXT - len, "%s\n", more);
}

static int tap_connect(void *user, enum dialer_where where, int *ret_fd, struct error *err)
{
    (void)where;
    struct tap_end *t = user;
    struct udp_addr a;
    assert_int_equal(udp_local(t->relay.front, &a), 0);
    return udp_connect(&a, ret_fd, err);
}

static void tap_flow(void *user, const struct ether_flow *flow)
{
    (void)user;
    (void)flow;
}

static void tap_say(void *user, bool error, const char *text)
{
    (void)error;
    append(((struct tap_end *)user)->world->said, text);
}

static void tap_stream_ended(void *user, uint16_t id)
{
    struct tap_end *t = user;
    t->streams_ended++;
    dialer_stream_status(t->dialer, id, &t->ended);
}

static void tap_stopped(void *user)
{
    ((struct tap_end *)user)->stopped = true;
}

static void collector_failed(void *user)
{
    (void)user;
    fail_msg("the collector's data thread gave up");
}

static int collector_device(void *user, const char *tap, struct listener_device *ret,
                            struct error *err)
{
    struct world *w = user;
    ret->fd = -1;
    if (w->devices_refused > 0) {
        w->devices_refused++;
        return error_set(err, EBUSY, "no device for %s", tap);
    }
    return 0;
}

static void collector_say(void *user, bool error, const char *text)
{
    (void)error;
    append(((struct world *)user)->collector_said, text);
}

static void check(struct loop *l, struct mono now, void *user)
{
    struct world *w = user;
    if (w->until(w)) {
        loop_stop(l, 0);
    } else if (mono_due(now, w->deadline)) {
        loop_stop(l, 1);
    }
}

bool never(struct world *w)
{
    (void)w;
    return false;
}

bool world_run(struct world *w, bool (*until)(struct world *), int ms)
{
    struct loop_timer *t;
    int look_ms = w->look_ms ? w->look_ms : 1;
    w->until = until;
    w->deadline = mono_add_ms(mono_now(), ms);
    assert_int_equal(loop_add_timer(w->loop, mono_now(), look_ms * NSEC_PER_MSEC, check, w, &t), 0);
    int r = loop_run(w->loop);
    loop_del_timer(w->loop, t);
    return r == 0;
}

void world_must(struct world *w, bool (*until)(struct world *), int ms)
{
    if (!world_run(w, until, ms)) {
        fail_msg("did not happen within %d ms; tap: %s; collector: %s", ms, w->said,
                 w->collector_said);
    }
}

void world_start_collector(struct world *w)
{
    static const struct listener_ops ops = {collector_device, collector_say, collector_failed};
    struct error err = {""};
    struct udp_addr a = {.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
                         .len = sizeof(a.v4)};
    unsigned n = MAX(w->n_threads, 1u);
    assert_int_equal(udp_bind_group(&a, 0, n, w->listener_fd, &err), 0);
    assert_int_equal(udp_local(w->listener_fd[0], &w->listener_addr), 0);
    assert_int_equal(fake_sink_new("out", &w->out), 0);
    if (n > 1) {
        const struct queue_sink_conf qc = {0};
        assert_int_equal(queue_sink_new(w->out, n, &qc, &w->out), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        (void)udp_set_buffers(w->listener_fd[i], 4 << 20, 0, NULL, NULL);
        w->writer[i] = queue_sink_producer(w->out, i);
    }
    const struct listener_conf conf = {.handshake = w->collector_secret,
                                       .fd = w->listener_fd,
                                       .n_threads = n,
                                       .outputs = w->writer,
                                       .n_outputs = 1,
                                       .ops = &ops,
                                       .record = w->record,
                                       .user = w};
    assert_int_equal(listener_new(w->loop, &conf, &w->listener, &err), 0);
}

void world_stop_collector(struct world *w)
{
    if (w->listener) {
        listener_stop(w->listener);
        for (unsigned i = 0; i < MAX(w->n_threads, 1u); i++) {
            close(w->listener_fd[i]);
        }
    }
}

void world_forget_collector(struct world *w)
{
    if (w->listener) {
        listener_free(TAKE_PTR(w->listener));
        sink_free(TAKE_PTR(w->out));
    }
}

void world_start_tap(struct world *w, unsigned i, const char *name)
{
    static const struct dialer_ops ops = {tap_connect, tap_flow, tap_say, tap_stream_ended,
                                          tap_stopped};
    struct tap_end *t = &w->tap[i];
    struct error err = {""};
    uint16_t id = 0;
    memset(t, 0, sizeof(*t));
    t->world = w;
    t->relay = (struct relay){.world = w, .front = world_socket(NULL), .back = world_socket(NULL)};
    assert_int_equal(loop_add_fd(w->loop, t->relay.front, EPOLLIN, world_relay, &t->relay,
                                 &t->relay.front_event),
                     0);
    assert_int_equal(
        loop_add_fd(w->loop, t->relay.back, EPOLLIN, world_relay, &t->relay, &t->relay.back_event),
        0);
    assert_int_equal(world_sender_init(&t->sender, 1, w->backlog), 0);
    history_init(&t->history, HISTORY_MAX);
    t->conf = (struct dialer_conf){.handshake = w->tap_secret,
                                   .history = &t->history,
                                   .name = name,
                                   .host = "test",
                                   .software = "test",
                                   .collector = "here",
                                   .ops = &ops,
                                   .user = t};
    assert_int_equal(dialer_new(w->loop, &t->conf, &t->dialer, &err), 0);
    const struct dialer_stream cs = {
        .ifname = "eth0", .filter = "", .sender = &t->sender.plain.head};
    assert_int_equal(dialer_add_stream(t->dialer, &cs, &id), 0);
    dialer_start(t->dialer);
}

void world_kill_tap(struct world *w, unsigned i)
{
    struct tap_end *t = &w->tap[i];
    if (!t->dialer) {
        return;
    }
    dialer_free(TAKE_PTR(t->dialer));
    history_done(&t->history);
    world_sender_done(&t->sender);
    loop_del_fd(w->loop, t->relay.front_event);
    loop_del_fd(w->loop, t->relay.back_event);
    close(t->relay.front);
    close(t->relay.back);
}

struct world *world_new(enum link_method method)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    assert_int_equal(loop_new(&w->loop), 0);
    w->tap_secret = w->collector_secret = (struct handshake_conf){
        .method = method, .passphrase = "hello", .aeads = handshake_aeads(method)};
    return w;
}

void world_use_keys(struct world *w, struct allow_list *list)
{
    struct error err;
    char text[KEY_TEXT_LEN + 1], line[128];
    uint8_t public[KEY_LEN];
    assert_int_equal(key_generate(w->tap_secret.identity), 0);
    assert_int_equal(key_generate(w->collector_secret.identity), 0);
    key_public(w->collector_secret.identity, w->tap_secret.peer);
    key_public(w->tap_secret.identity, public);
    key_format(public, text);
    int n = snprintf(line, sizeof(line), "%s branch\n", text);
    assert_int_equal(allow_parse(line, (size_t)n, "list", list, &err), 0);
    w->collector_secret.allow = list;
}

void world_free(struct world *w)
{
    for (unsigned i = 0; i < WORLD_TAPS; i++) {
        world_kill_tap(w, i);
    }
    world_stop_collector(w);
    world_forget_collector(w);
    loop_free(w->loop);
    free(w);
}

void world_start(struct world *w)
{
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, UP_MS);
}

struct world *world_up(enum link_method method, fate_fn *fate)
{
    struct world *w = world_new(method);
    w->fate = fate;
    world_start(w);
    return w;
}

/* ---- what tests wait for ---- */

bool tap_flows(const struct tap_end *t)
{
    return t->dialer && t->dialer->uplink.up && t->dialer->stream[0].acked;
}

bool up0(struct world *w)
{
    return tap_flows(&w->tap[0]);
}

bool stopped0(struct world *w)
{
    return w->tap[0].stopped;
}

uint64_t world_written(const struct world *w)
{
    uint64_t n = 0;
    for (uint32_t i = 1; i < 16; i++) {
        const struct ledger *l = sink_ledger(w->out, i);
        n += l ? ledger_get(l, LEDGER_SINK_OUT) : 0;
    }
    return n;
}

bool all_written(struct world *w)
{
    return world_written(w) == w->tap[0].sender.made;
}
